/*
 * What the verbs of the command share.
 */
#ifndef CLI_H
#define CLI_H

#include <signal.h>

#include "smki/admin.h"
#include "smki/file.h"
#include "smki/home.h"

/* How long the command waits for one answer of smkid, in milliseconds. */
#define CLI_WAIT_MS 120000

struct cli {
	char dir[HOME_PATH_MAX];
	bool json;
	int fd; /* -1 = not connected */
	uint32_t id;
	int wait_ms; /* for one answer of smkid */
	bool away;   /* no connection was to be had, or no answer came in time */
	int lost;    /* errno of the first output that did not get out */
};

/* One verb: usage is what stands behind its name. run returns an exit status. */
struct verb {
	const char *name;
	const char *usage;
	const char *help;
	int (*run)(struct cli *cli, int argc, char **argv);
};

int init_verb(struct cli *cli, int argc, char **argv);
int run_verb(struct cli *cli, int argc, char **argv);
int status_verb(struct cli *cli, int argc, char **argv);
int issue_verb(struct cli *cli, int argc, char **argv);
int state_hold_verb(struct cli *cli, int argc, char **argv);
int state_reactivate_verb(struct cli *cli, int argc, char **argv);
int state_revoke_verb(struct cli *cli, int argc, char **argv);
int state_ca_revoke(struct cli *cli, int argc, char **argv);
int show_verb(struct cli *cli, int argc, char **argv);
int list_verb(struct cli *cli, int argc, char **argv);
int crl_verb(struct cli *cli, int argc, char **argv);
int ca_verb(struct cli *cli, int argc, char **argv);
int profile_verb(struct cli *cli, int argc, char **argv);
int batch_verb(struct cli *cli, int argc, char **argv);
int region_verb(struct cli *cli, int argc, char **argv);
int device_verb(struct cli *cli, int argc, char **argv);
int clock_verb(struct cli *cli, int argc, char **argv);
int token_key_verb(struct cli *cli, int argc, char **argv);

/* Usage of a verb to stderr; returns EXIT_USAGE_. */
int cli_usage(const char *verb);
/* "smki: msg" to stderr; returns the exit status of err. */
int cli_fail(const struct err *err);
/* What was printed goes out now; cli->lost when it does not. */
void cli_flush(struct cli *cli);

/*
 * Ask smkid. msg was started by client_start. reply is called for each message of the answer,
 * whole payload in *in; it may be NULL when the answer is empty. Connects at first use. Once
 * something may be changed, a reader of the output who leaves no longer ends the command.
 */
void client_start(struct cli *cli, struct buf *msg, enum admin_op op);
int client_call(struct cli *cli, const struct buf *msg,
    int (*reply)(void *ctx, struct wire_in *in, struct err *err), void *ctx,
    struct err *err) MUST_USE;
/* The halves of it, for several requests under way that are answered by one message each. send
 * connects at first use; a failure closes. receive takes the next answer, whosever, and tells whose
 * it was: *id 0 = none came, all that is under way is lost. */
int client_send(struct cli *cli, const struct buf *msg, struct err *err) MUST_USE;
/* While answers are due: whether a message would go out at once. Else there is one to receive, and
 * to wait for room instead could be for ever: smkid reads nothing of a peer that many octets of
 * answers wait for. */
int client_has_room(const struct cli *cli);
int client_receive(struct cli *cli, uint32_t *id,
    int (*reply)(void *ctx, struct wire_in *in, struct err *err), void *ctx,
    struct err *err) MUST_USE;
void client_close(struct cli *cli);

/* The signals that end the command: held back, and whether one waits. */
#define ENDS 12
extern const int ends[ENDS];
void ends_set(sigset_t *set);
void ends_block(sigset_t *before);
int ends_pending(void);

/* The values of options. A name (name_check) into out; a number above 0. */
int option_name(const char *what, const char *text, char out[NAME_LEN], struct err *err) MUST_USE;
int option_limit(const char *text, int64_t *limit, struct err *err) MUST_USE;
/* After 1970-01-01T00:00:00Z. */
int option_time(const char *what, const char *text, time_t *out, struct err *err) MUST_USE;

/* Each line of a list ("-" = standard input) without white space around it; empty lines and those
 * that begin with '#' are passed over; fn ends it by other than 0. What can be no name goes to bad as
 * FILE:LINE: why. */
int lines_each(const char *path, int (*fn)(void *ctx, const char *line),
    void (*bad)(void *ctx, const struct err *err), void *ctx, struct err *err) MUST_USE;

/* One certificate: a line of a table, or a JSON object without its end (json_end closes it). */
void output_cert(const struct cli *cli, const struct store_cert *cert);
void output_cert_head(const struct cli *cli);
/* An event of a history, likewise; first of an array of JSON objects or not. */
void show_event(const struct cli *cli, const struct store_event *e, int first);
/* JSON members to stdout; the first one of an object passes first = 1. */
void json_str(const char *key, const char *value, int first);
void json_int(const char *key, long long value, int first);
void json_time(const char *key, time_t value, int first);
void json_cert_members(const struct store_cert *cert);

/* A CRL's row: a line, or JSON members (first of an object). */
void output_crl(const struct cli *cli, const struct store_crl *crl);

/*
 * What --out names, "-" being stdout: a file is made beside it and takes its place whole (0644),
 * durably, when it ends; a pipe or character device is written into. add with file_out_add. One
 * file at a time, since a signal that ends the command removes it. end leaves nothing to be dropped.
 */
int output_open(const char *path, struct file_out *out, struct err *err) MUST_USE;
int output_end(struct file_out *out, struct err *err) MUST_USE;
void output_drop(struct file_out *out);
/* "-", or a link such as /dev/stdout to what standard output is. */
bool output_is_stdout(const char *path);
/* All three for what is held; without a path to stdout. */
int output_write(const char *path, const void *data, size_t len, struct err *err) MUST_USE;

/* PEM or DER certificate file to DER. */
int output_read_cert(const char *path, struct buf *der, struct err *err) MUST_USE;

#endif
