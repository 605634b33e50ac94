/*
 * smki batch: the requests of a zip or a folder, each to a certificate or a reason. The same
 * command again goes on where it was ended: what stands in the output folder is not asked for
 * again, and smkid gives the same certificate to the same request.
 */
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "batch.h"
#include "cli.h"
#include "smki/cert.h"
#include "smki/csr.h"
#include "smki/file.h"
#include "smki/hex.h"
#include "smki/mem.h"

/* Requests under way at the same time: as many as smkid reads of one connection. */
#define BATCH_WINDOW 64
#define BATCH_ID "batch.id"
#define BATCH_REPORT "report.csv"
#define BATCH_CERTS "certificates"
/* "NNNNN-" before the entry's name, ".pem" and ".new" behind it */
#define BATCH_FILE_MAX (BATCH_NAME_MAX + 32)
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
	int certs;   /* descriptor of its certificates */
	uint32_t id; /* of the first request of this run */
	size_t n, done;
	/* request id - this->id -> entry */
	size_t *sent;
	size_t n_sent, n_taken;
};

/* "00042-meters_a.pem": the number makes it unique, and no name of a zip is a path. */
static void
batch_file(const struct batch_run *run, size_t i, const char *end, char out[BATCH_FILE_MAX])
{
	snprintf(out, BATCH_FILE_MAX, "%05zu-%s%s", i + 1, batch_name(run->source, i), end);
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

/* A folder of this very batch, or a new one. */
static int
batch_folder(struct batch_run *run, struct err *err)
{
	char hash[2 * SHA256_LEN + 1];
	struct buf want = { 0 }, got = { 0 };
	char *path = mem_fmt("%s/" BATCH_ID, run->out), *certs = NULL;
	int r = -1;

	hex_encode(batch_hash(run->source), SHA256_LEN, hash);
	buf_fmt(&want, "%s %s %s\n", hash, run->request.profile, run->request.ca);
	if (file_make_dir(run->out, 0755, err) != 0) {
		if (err->code != FAIL_CONFLICT)
			goto out;
		if (file_read(path, BATCH_FILE_MAX, &got, err) != 0) {
			err_set(err, FAIL_CONFLICT,
			    "batch: %s: exists and is no output of a batch; name another with "
			    "--out",
			    run->out);
			goto out;
		}
		if (!span_eq(buf_span(&want), buf_span(&got))) {
			err_set(err, FAIL_CONFLICT,
			    "batch: %s: is the output of another batch; name another with --out",
			    run->out);
			goto out;
		}
	} else if (file_write(path, want.data, want.len, 0644, err) != 0) {
		goto out;
	}
	certs = mem_fmt("%s/" BATCH_CERTS, run->out);
	if (file_make_dir(certs, 0755, err) != 0 && err->code != FAIL_CONFLICT)
		goto out;
	run->certs = open(certs, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (run->certs < 0) {
		err_sys(err, FAIL_UNAVAILABLE, "batch: %s", certs);
		goto out;
	}
	r = 0;
out:
	free(path);
	free(certs);
	buf_free(&want);
	buf_free(&got);
	return r;
}

/* Whole or not at all under its name; durable only after batch_sync(). A file lost to a power cut
 * is asked for again by the next run. */
static int
batch_write(struct batch_run *run, size_t i, struct span der, struct err *err)
{
	char name[BATCH_FILE_MAX], new_name[BATCH_FILE_MAX];
	struct buf pem = { 0 };
	int fd, r = -1;

	batch_file(run, i, ".pem", name);
	batch_file(run, i, ".new", new_name);
	pem_encode("CERTIFICATE", der.p, der.len, &pem);
	fd = openat(
	    run->certs, new_name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0 || write(fd, pem.data, pem.len) != (ssize_t)pem.len) {
		err_sys(err, FAIL_UNAVAILABLE, "batch: %s/" BATCH_CERTS "/%.80s", run->out, name);
		if (fd >= 0)
			close(fd);
		goto out;
	}
	if (close(fd) != 0 || renameat(run->certs, new_name, run->certs, name) != 0) {
		err_sys(err, FAIL_UNAVAILABLE, "batch: %s/" BATCH_CERTS "/%.80s", run->out, name);
		goto out;
	}
	r = 0;
out:
	buf_free(&pem);
	return r;
}

/* Whether a run before this one left the certificate of this request; its serial then. */
static int
batch_have(struct batch_run *run, size_t i, const struct buf *csr_text)
{
	char name[BATCH_FILE_MAX];
	struct buf der = { 0 }, request = { 0 };
	struct csr csr;
	struct cert cert;
	char *path;
	int have;

	batch_file(run, i, ".pem", name);
	if (faccessat(run->certs, name, R_OK, AT_SYMLINK_NOFOLLOW) != 0)
		return 0;
	path = mem_fmt("%s/" BATCH_CERTS "/%s", run->out, name);
	have = output_read_cert(path, &der, NULL) == 0 &&
	       cert_parse(der.data, der.len, &cert, NULL) == 0 &&
	       csr_decode(csr_text->data, csr_text->len, &request, NULL) == 0 &&
	       csr_parse(request.data, request.len, &csr, NULL) == 0 &&
	       ec_pub_eq(&csr.pub, &cert.pub);
	if (have)
		serial_text(&cert.serial, run->results[i].serial);
	free(path);
	buf_free(&der);
	buf_free(&request);
	return have;
}

/* ---- requests ---- */

static int
batch_send(struct batch_run *run, size_t i, struct buf *msg, struct err *err)
{
	client_start(run->cli, msg, ADMIN_ISSUE);
	if (run->n_sent == 0)
		run->id = run->cli->id;
	admin_issue_put(msg, &run->request);
	if (client_send(run->cli, msg, err) != 0)
		return -1;
	run->sent[run->n_sent++] = i;
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
	i = id - run->id < run->n_sent ? run->sent[id - run->id] : run->n;
	if (i == run->n || run->results[i].fate != BATCH_OPEN) {
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
		if (batch_have(run, i, &run->request.csr)) {
			run->results[i].fate = BATCH_KNOWN;
			run->done++;
		} else {
			if ((run->n_sent - run->n_taken == BATCH_WINDOW &&
				batch_take(run, err) != 0) ||
			    batch_send(run, i, &msg, err) != 0)
				goto out;
		}
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

		batch_file(run, i, ".pem", file);
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
	const char *out = NULL;
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
	for (len = strlen(argv[optind]); len > 1 && argv[optind][len - 1] == '/'; len--)
		;
	run->out = out != NULL ? mem_str(out) : mem_fmt("%.*s.out", (int)len, argv[optind]);
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
	run.sent = mem_array(run.n, sizeof(*run.sent));
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
	free(run.sent);
	free(run.out);
	buf_free(&run.request.csr);
	batch_close(run.source);
	return status;
}
