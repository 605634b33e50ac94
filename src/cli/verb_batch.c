/*
 * smki batch: the requests of a zip or a folder, each to a certificate or a reason. The same
 * command again ends what one before it began: smkid gives the same certificate to the same
 * request. What stands in the output folder is never believed, only replaced.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "batch.h"
#include "cli.h"
#include "smki/file.h"
#include "smki/hex.h"
#include "smki/mem.h"

/* Requests under way at the same time: as many as smkid reads of one connection. */
#define BATCH_WINDOW 512
#define BATCH_ID "batch.id"
#define BATCH_REPORT "report.csv"
#define BATCH_CERTS "certificates"
/* A certificate until it is whole; one at a time. */
#define BATCH_NEW ".new"
/* Octets of a name of a file that a file system takes: "NNNNN-", the entry's name, ".pem" */
#define BATCH_FILE_MAX (255 + 1)
#define BATCH_FILE_NAME 240
#define BATCH_ID_MAX 1024
#define BATCH_PROGRESS 500

enum batch_fate {
	BATCH_OPEN = 0,
	BATCH_ISSUED,
	BATCH_KNOWN, /* issued before */
	BATCH_REFUSED,
};

struct batch_result {
	enum batch_fate fate;
	enum err_code code;
	char serial[SERIAL_TEXT_LEN];
	char *reason; /* owned; NULL = none */
};

struct batch_run {
	struct cli *cli;
	struct issue_request request; /* its csr is of the moment */
	struct batch_source *source;
	struct batch_result *results;
	char *out;   /* folder */
	int certs;   /* descriptor of its certificates; locked */
	uint32_t id; /* of the first request; the others follow */
	size_t n, done;
	size_t n_sent, n_taken;
};

/* "00042-meters_a.pem": the number makes it unique, and no name of a zip is a path. Of a long name
 * its beginning, whole characters of it. */
static void
batch_file(const struct batch_run *run, size_t i, char out[BATCH_FILE_MAX])
{
	const char *name = batch_name(run->source, i);
	size_t len = strlen(name);

	if (len > BATCH_FILE_NAME)
		for (len = BATCH_FILE_NAME; ((uint8_t)name[len] & 0xc0) == 0x80; len--)
			;
	snprintf(out, BATCH_FILE_MAX, "%05zu-%.*s.pem", i + 1, (int)len, name);
	for (char *p = out; *p != '\0'; p++)
		if (*p == '/')
			*p = '_';
}

static void
batch_refuse(struct batch_run *run, size_t i, const struct err *err)
{
	struct batch_result *result = &run->results[i];

	result->fate = BATCH_REFUSED;
	result->code = err->code;
	result->reason = mem_str(err->msg);
	run->done++;
}

/* ---- the output folder ---- */

/* A new one with what it is of, whole or not at all under its name. An empty folder of that name is
 * taken. */
static int
batch_folder_new(const char *out, struct span id, struct err *err)
{
	char *tmp = mem_fmt("%s.XXXXXX", out), *path = NULL, *certs = NULL;
	bool made = false;
	int r = -1;

	if (mkdtemp(tmp) == NULL) {
		err_sys(err, FAIL_UNAVAILABLE, "batch: %s", out);
		goto out;
	}
	made = true;
	path = mem_fmt("%s/" BATCH_ID, tmp);
	certs = mem_fmt("%s/" BATCH_CERTS, tmp);
	if (file_make_dir(certs, 0755, err) != 0 || file_write(path, id.p, id.len, 0644, err) != 0)
		goto out;
	if (chmod(tmp, 0755) != 0 || rename(tmp, out) != 0) {
		if (errno == ENOTEMPTY || errno == EEXIST || errno == ENOTDIR)
			err_set(err, FAIL_CONFLICT,
			    "batch: %s: exists and is no output of a batch; name another with "
			    "--out",
			    out);
		else
			err_sys(err, FAIL_UNAVAILABLE, "batch: %s", out);
		goto out;
	}
	made = false;
	r = 0;
out:
	if (made && file_remove_tree(tmp, NULL) != 0)
		err_prefix(err, "%s is left", tmp);
	free(tmp);
	free(path);
	free(certs);
	return r;
}

/* A folder of this very batch, or a new one. */
static int
batch_folder_have(const struct batch_run *run, struct err *err)
{
	char hash[2 * SHA256_LEN + 1], *path = mem_fmt("%s/" BATCH_ID, run->out);
	struct buf want = { 0 }, got = { 0 };
	int r;

	hex_encode(batch_hash(run->source), SHA256_LEN, hash);
	buf_fmt(&want, "%s %s %s\n", hash, run->request.profile, run->request.ca);
	r = file_read(path, BATCH_ID_MAX, &got, err);
	if (r != 0 && err->code == FAIL_NOT_FOUND)
		r = batch_folder_new(run->out, buf_span(&want), err);
	else if (r == 0 && !span_eq(buf_span(&want), buf_span(&got)))
		r = err_set(err, FAIL_CONFLICT,
		    "batch: %s: is the output of another batch; name another with --out", run->out);
	free(path);
	buf_free(&want);
	buf_free(&got);
	return r;
}

/* ... and ours alone from here on. */
static int
batch_folder(struct batch_run *run, struct err *err)
{
	char *certs = mem_fmt("%s/" BATCH_CERTS, run->out);
	int r = -1;

	if (batch_folder_have(run, err) != 0)
		goto out;
	run->certs = open(certs, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (run->certs < 0) {
		err_sys(err, FAIL_UNAVAILABLE, "batch: %s", certs);
		goto out;
	}
	if (flock(run->certs, LOCK_EX | LOCK_NB) != 0) {
		if (errno == EWOULDBLOCK)
			err_set(err, FAIL_CONFLICT,
			    "batch: %s: another smki batch is at work there", run->out);
		else
			err_sys(err, FAIL_UNAVAILABLE, "batch: %s: lock", certs);
		goto out;
	}
	r = 0;
out:
	free(certs);
	return r;
}

/* The whole file under BATCH_NEW; what a killed run left there, or anybody, is in no one's way. */
static int
batch_write_new(const struct batch_run *run, const struct buf *pem, struct err *err)
{
	int fd;
	size_t at = 0;
	ssize_t n;

	if (unlinkat(run->certs, BATCH_NEW, 0) != 0 && errno != ENOENT)
		return err_sys(err, FAIL_UNAVAILABLE, "batch: " BATCH_NEW);
	fd = openat(run->certs, BATCH_NEW, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return err_sys(err, FAIL_UNAVAILABLE, "batch: open");
	while (at < pem->len) {
		n = write(fd, pem->data + at, pem->len - at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			err_sys(err, FAIL_UNAVAILABLE, "batch: write");
			close(fd);
			return -1;
		}
		at += (size_t)n;
	}
	return close(fd) == 0 ? 0 : err_sys(err, FAIL_UNAVAILABLE, "batch: close");
}

/* Whole or not at all under its name; durable when all are synced. A file lost to a power cut is
 * written by the next run. */
static int
batch_write(struct batch_run *run, size_t i, struct span der, struct err *err)
{
	char name[BATCH_FILE_MAX];
	struct buf pem = { 0 };
	int r;

	batch_file(run, i, name);
	pem_encode("CERTIFICATE", der.p, der.len, &pem);
	r = batch_write_new(run, &pem, err);
	if (r == 0 && renameat(run->certs, BATCH_NEW, run->certs, name) != 0)
		r = err_sys(err, FAIL_UNAVAILABLE, "batch: rename");
	if (r != 0) {
		unlinkat(run->certs, BATCH_NEW, 0);
		err_prefix(err, "%s/" BATCH_CERTS "/%.80s", run->out, name);
	}
	buf_free(&pem);
	return r;
}

/* ---- requests ---- */

static int
batch_send(struct batch_run *run, struct buf *msg, struct err *err)
{
	client_start(run->cli, msg, ADMIN_ISSUE);
	if (run->n_sent == 0)
		run->id = run->cli->id;
	admin_issue_put(msg, &run->request);
	if (client_send(run->cli, msg, err) != 0)
		return -1;
	run->n_sent++;
	return 0;
}

static int
batch_reply(void *ctx, struct wire_in *in, struct err *err)
{
	return admin_issued_get(in, ctx, err);
}

static int
batch_take(struct batch_run *run, struct err *err)
{
	struct issue_result issued = { 0 };
	struct batch_result *result;
	struct err why;
	uint32_t id;
	size_t i;
	int failed, r = 0;

	failed = client_receive(run->cli, &id, batch_reply, &issued, &why);
	if (id == 0) {
		*err = why;
		return -1;
	}
	i = id - run->id;
	if (i >= run->n_sent || run->results[i].fate != BATCH_OPEN) {
		r = err_set(err, FAIL_INTERNAL, "smkid: answer to another request");
		goto out;
	}
	run->n_taken++;
	if (failed) {
		batch_refuse(run, i, &why);
		goto out;
	}
	r = batch_write(run, i, buf_span(&issued.der), err);
	if (r != 0)
		goto out;
	result = &run->results[i];
	result->fate = issued.existing ? BATCH_KNOWN : BATCH_ISSUED;
	serial_text(&issued.serial, result->serial);
	run->done++;
out:
	buf_free(&issued.der);
	return r;
}

static void
batch_progress(const struct batch_run *run)
{
	if (isatty(STDERR_FILENO) && (run->done % BATCH_PROGRESS == 0 || run->done == run->n))
		fprintf(
		    stderr, "\r%zu of %zu%s", run->done, run->n, run->done == run->n ? "\n" : "");
}

static int
batch_all(struct batch_run *run, struct err *err)
{
	struct buf msg = { 0 };
	int r = -1;

	for (size_t i = 0; i < run->n; i++) {
		if (batch_next(run->source, &run->request.csr, err) != 0)
			goto out;
		while (run->n_taken < run->n_sent &&
		       (run->n_sent - run->n_taken == BATCH_WINDOW || !client_has_room(run->cli)))
			if (batch_take(run, err) != 0)
				goto out;
		if (batch_send(run, &msg, err) != 0)
			goto out;
		batch_progress(run);
	}
	while (run->n_taken < run->n_sent) {
		if (batch_take(run, err) != 0)
			goto out;
		batch_progress(run);
	}
	if (syncfs(run->certs) != 0) {
		err_sys(err, FAIL_UNAVAILABLE, "batch: %s", run->out);
		goto out;
	}
	r = 0;
out:
	buf_free(&msg);
	return r;
}

/* ---- results ---- */

static const char *
batch_fate_str(enum batch_fate fate)
{
	switch (fate) {
	case BATCH_OPEN:
		return "open";
	case BATCH_ISSUED:
		return "issued";
	case BATCH_KNOWN:
		return "already";
	case BATCH_REFUSED:
		return "refused";
	}
	return "";
}

/* RFC 4180 2. */
static void
batch_csv(struct buf *out, const char *text)
{
	buf_add_u8(out, '"');
	for (; *text != '\0'; text++) {
		if (*text == '"')
			buf_add_u8(out, '"');
		buf_add_u8(out, (uint8_t)*text);
	}
	buf_add_u8(out, '"');
}

static int
batch_report(struct batch_run *run, struct err *err)
{
	char *path = mem_fmt("%s/" BATCH_REPORT, run->out);
	struct buf text = { 0 };
	char file[BATCH_FILE_MAX];
	int r;

	buf_add_str(&text, "number,name,result,serial,file,reason\n");
	for (size_t i = 0; i < run->n; i++) {
		const struct batch_result *result = &run->results[i];

		batch_file(run, i, file);
		buf_fmt(&text, "%zu,", i + 1);
		batch_csv(&text, batch_name(run->source, i));
		buf_fmt(&text, ",%s,%s,", batch_fate_str(result->fate), result->serial);
		batch_csv(&text, result->fate == BATCH_REFUSED ? "" : file);
		buf_add_u8(&text, ',');
		batch_csv(&text, result->reason != NULL ? result->reason : "");
		buf_add_u8(&text, '\n');
	}
	r = file_write(path, text.data, text.len, 0644, err);
	buf_free(&text);
	free(path);
	return r;
}

static void
batch_print_json(const struct batch_run *run)
{
	for (size_t i = 0; i < run->n; i++) {
		const struct batch_result *result = &run->results[i];

		putchar('{');
		json_int("number", (long long)i + 1, 1);
		json_str("name", batch_name(run->source, i), 0);
		json_str("result", batch_fate_str(result->fate), 0);
		if (result->fate == BATCH_REFUSED)
			json_str("reason", result->reason, 0);
		else
			json_str("serial", result->serial, 0);
		puts("}");
	}
}

/* Counts, and the first failure's exit status. */
static int
batch_print(const struct batch_run *run)
{
	size_t n[BATCH_REFUSED + 1] = { 0 };
	int status = EXIT_DONE;

	for (size_t i = 0; i < run->n; i++) {
		n[run->results[i].fate]++;
		if (status == EXIT_DONE && run->results[i].fate == BATCH_REFUSED)
			status = err_exit_status(run->results[i].code);
	}
	if (run->cli->json)
		batch_print_json(run);
	else
		printf("%zu requests: %zu issued, %zu already, %zu refused; %s/" BATCH_REPORT "\n",
		    run->n, n[BATCH_ISSUED], n[BATCH_KNOWN], n[BATCH_REFUSED], run->out);
	return status;
}

static int
batch_options(int argc, char **argv, struct batch_run *run, struct err *err)
{
	static const struct option options[] = {
		{ "profile", required_argument, NULL, 'p' },
		{ "ca", required_argument, NULL, 'c' },
		{ "out", required_argument, NULL, 'o' },
		{ NULL, 0, NULL, 0 },
	};
	struct issue_request *request = &run->request;
	const char *out = NULL, *path;
	size_t len;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'p':
			if (option_name("profile", optarg, request->profile, err) != 0)
				return -1;
			break;
		case 'c':
			if (option_name("ca", optarg, request->ca, err) != 0)
				return -1;
			break;
		case 'o':
			out = optarg;
			break;
		default:
			exit(cli_usage("batch"));
		}
	}
	if (optind + 1 != argc)
		exit(cli_usage("batch"));
	path = out != NULL ? out : argv[optind];
	for (len = strlen(path); len > 1 && path[len - 1] == '/'; len--)
		;
	run->out = mem_fmt("%.*s%s", (int)len, path, out != NULL ? "" : ".out");
	return 0;
}

int
batch_verb(struct cli *cli, int argc, char **argv)
{
	struct batch_run run = { .cli = cli, .certs = -1 };
	struct err err;
	int status;

	if (batch_options(argc, argv, &run, &err) != 0 ||
	    batch_open(argv[optind], &run.source, &err) != 0)
		goto fail;
	run.n = batch_count(run.source);
	run.results = mem_array(run.n, sizeof(*run.results));
	if (batch_folder(&run, &err) != 0)
		goto fail;
	if (batch_all(&run, &err) != 0) {
		err_prefix(
		    &err, "batch: after %zu of %zu; the same command goes on", run.done, run.n);
		goto fail;
	}
	if (batch_report(&run, &err) != 0)
		goto fail;
	status = batch_print(&run);
	goto out;
fail:
	status = cli_fail(&err);
out:
	if (run.certs >= 0)
		close(run.certs);
	for (size_t i = 0; i < run.n && run.results != NULL; i++)
		free(run.results[i].reason);
	free(run.results);
	free(run.out);
	buf_free(&run.request.csr);
	batch_close(run.source);
	return status;
}
