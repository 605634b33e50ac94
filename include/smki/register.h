/*
 * The register as operators work with it: devices are added, looked at, approved, held, released,
 * retired, given secrets, and imported by the million. What enrols them is enrol.h.
 *
 * A change is a task handed to the committer; the device and its event are one transaction. done()
 * is called once, from the committer's thread, or the caller's when the committer refuses the
 * task; whoever made a task frees it there.
 */
#ifndef SMKI_REGISTER_H
#define SMKI_REGISTER_H

#include "smki/committer.h"
#include "smki/devfile.h"
#include "smki/manufacturers.h"
#include "smki/regions.h"
#include "smki/timeguard.h"
#include "smki/wire.h"

/* Rows of one piece of an import, at most: its transaction stays far below 50 ms. A piece's
 * message is also bounded by WIRE_MAX. */
#define REGISTER_CHUNK_MAX 400
/* What one show tells of a device, newest kept. */
#define REGISTER_EVENTS_MAX 64
#define REGISTER_REFUSALS_MAX 64
#define REGISTER_CERTS_MAX 128

/* ---- rules ---- */

/* What the home's policies know by name. */
struct register_names {
	size_t n_manufacturers;
	char manufacturer[MANUFACTURERS_MAX][NAME_LEN];
	size_t n_regions;
	char region[REGIONS_MAX][NAME_LEN];
};
/* As the files stand now; a bad one fails the whole, named. */
int register_names_load(
    const struct home *home, struct register_names *out, struct err *err) MUST_USE;

/*
 * May this device stand in the register? hwType is an OID, model is text, manufacturer and region
 * are empty or known by name, proof idevid names a manufacturer, end-to-end has a proof. FAIL_INVALID
 * "FIELD: cause" with the names of devfile.h.
 */
int register_check(
    const struct register_names *names, const struct device *device, struct err *err) MUST_USE;

/* "active", "hold", "retired" and back: FAIL_INVALID "state: ...". */
const char *device_state_str(enum device_state state);
int device_state_parse(const char *text, enum device_state *out, struct err *err) MUST_USE;
/* "approve", "hold", "release", "retire" */
const char *device_action_str(enum device_action action);
/* As devfile.h has it: "idevid+secret+key+end-to-end", "" = none. */
#define REGISTER_PROOFS_LEN 40
void register_proofs_text(const struct device *device, char out[REGISTER_PROOFS_LEN]);

/* ---- changes ---- */

/* The base of all tasks, first in each. */
struct register_task {
	struct commit_job job; /* first; register.c's */
	struct timeguard *guard;
	long uid;
	void (*done)(struct register_task *task, const struct err *err);
	void *arg;
	time_t recorded; /* register.c's: time of the event written, 0 = none */
};

struct register_add {
	struct device device; /* secret is not read */
	bool make_secret;     /* adds DEVICE_PROOF_SECRET */
};
/* Also the answer to a new secret. */
struct register_added {
	struct device device;
	char secret[ENROL_SECRET_MAX + 1]; /* "" = none made; wipe it */
};

struct register_add_task {
	struct register_task task; /* first */
	struct register_add add;
	struct register_added added;
};
/* Known already: FAIL_CONFLICT. names as in register_check; pepper of PEPPER_LEN octets. */
void register_add_run(struct committer *committer, const struct register_names *names,
    struct span pepper, struct register_add_task *task);

struct register_secret_task {
	struct register_task task; /* first */
	struct eui64 eui;
	uint8_t hmac[SHA256_LEN]; /* register.c's */
	struct register_added added;
};
/* A new secret; the old one, used or not, is worth nothing from then on. Unknown: FAIL_NOT_FOUND;
 * retired: FAIL_CONFLICT. */
void register_secret_run(
    struct committer *committer, struct span pepper, struct register_secret_task *task);

struct register_change {
	struct eui64 eui;
	enum device_action action;
};
struct register_changed {
	bool already; /* nothing had to be done */
	struct device device;
};

struct register_change_task {
	struct register_task task; /* first */
	struct register_change change;
	struct register_changed changed;
};
/* Ahead of all else, as every state change. Unknown: FAIL_NOT_FOUND; not from this state:
 * FAIL_CONFLICT. */
void register_change_run(struct committer *committer, struct register_change_task *task);

/* ---- imports (store_device.h): begin, rows, finish; whoever begins one sees to its end ---- */

struct register_begin_task {
	struct register_task task; /* first */
	char name[DETAIL_LEN];	   /* the file's */
	int64_t import;		   /* its number */
};
void register_begin_run(struct committer *committer, struct register_begin_task *task);

/* Rows of one import, at most REGISTER_CHUNK_MAX. */
struct register_chunk {
	int64_t import;
	size_t n;
	struct device *device;
	char (*secret)[ENROL_SECRET_MAX + 1]; /* "" = none; with DEVICE_PROOF_SECRET only */
};
/* No rows, and room for all. free wipes. */
void register_chunk_new(struct register_chunk *chunk);
void register_chunk_free(struct register_chunk *chunk);
/* Rules of each row, and the secrets to HMACs: for any thread but the committer's. FAIL_INVALID
 * "device EUI64: FIELD: cause". */
int register_chunk_prepare(struct register_chunk *chunk, const struct register_names *names,
    struct span pepper, struct err *err) MUST_USE;

/* Rows that stand in the register, or in an unfinished import, already: by their place. */
struct register_chunk_done {
	uint32_t n;
	uint32_t row[REGISTER_CHUNK_MAX];
};

struct register_rows_task {
	struct register_task task;   /* first */
	struct register_chunk chunk; /* prepared */
	struct register_chunk_done result;
};
/* Known rows are told in result and are no failure; the others are added. */
void register_rows_run(struct committer *committer, struct register_rows_task *task);

struct register_finish_task {
	struct register_task task; /* first */
	int64_t import;
	int64_t count; /* rows added; another number is FAIL_CONFLICT */
};
/* All of it becomes visible at once. */
void register_finish_run(struct committer *committer, struct register_finish_task *task);

/* ---- questions ---- */

struct register_found {
	struct device device;
	size_t n_certs;
	struct store_cert cert[REGISTER_CERTS_MAX];
	size_t n_refusals;
	struct store_refusal refusal[REGISTER_REFUSALS_MAX];
	size_t n_events;
	struct store_event event[REGISTER_EVENTS_MAX];
};
/* All that is known of a device. out is large: not on a stack. Unknown: FAIL_NOT_FOUND. */
int register_find(struct store *reader, const struct eui64 *eui, struct register_found *out,
    struct err *err) MUST_USE;

/* ---- payloads, as in admin.h ---- */

/* A device; of its secret only whether it was used, never its HMAC. get leaves the verdict to
 * wire_end. */
void register_device_put(struct buf *msg, const struct device *device);
void register_device_get(struct wire_in *in, struct device *out);
void register_add_put(struct buf *msg, const struct register_add *add);
int register_add_get(struct wire_in *in, struct register_add *out, struct err *err) MUST_USE;
void register_added_put(struct buf *msg, const struct register_added *added);
int register_added_get(struct wire_in *in, struct register_added *out, struct err *err) MUST_USE;
void register_change_put(struct buf *msg, const struct register_change *change);
int register_change_get(struct wire_in *in, struct register_change *out, struct err *err) MUST_USE;
void register_changed_put(struct buf *msg, const struct register_changed *changed);
int register_changed_get(
    struct wire_in *in, struct register_changed *out, struct err *err) MUST_USE;
void register_eui_put(struct buf *msg, const struct eui64 *eui);
int register_eui_get(struct wire_in *in, struct eui64 *out, struct err *err) MUST_USE;
void register_found_put(struct buf *msg, const struct register_found *found);
int register_found_get(struct wire_in *in, struct register_found *out, struct err *err) MUST_USE;
/* after_id is not on the wire. */
void register_filter_put(struct buf *msg, const struct store_device_filter *filter);
int register_filter_get(
    struct wire_in *in, struct store_device_filter *out, struct err *err) MUST_USE;
void register_names_put(struct buf *msg, const struct register_names *names);
int register_names_get(struct wire_in *in, struct register_names *out, struct err *err) MUST_USE;
/* A chunk is the import's number and rows as far as the message goes. */
void register_chunk_start(struct buf *msg, int64_t import);
void register_chunk_row(struct buf *msg, const struct device *device, const char *secret);
/* out is to be given to register_chunk_free. */
int register_chunk_get(struct wire_in *in, struct register_chunk *out, struct err *err) MUST_USE;
void register_chunk_done_put(struct buf *msg, const struct register_chunk_done *done);
int register_chunk_done_get(
    struct wire_in *in, struct register_chunk_done *out, struct err *err) MUST_USE;

#endif
