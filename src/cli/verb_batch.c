/*
 * smki batch: the requests of a zip or a folder, each to a certificate or a reason. The same
 * command again ends what one before it began: smkid gives the same certificate to the same
 * request. What stands in the output folder is never believed, only replaced or removed.
 */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "batch.h"
#include "cli.h"
#include "smki/hex.h"
#include "smki/mem.h"

/* Requests under way at the same time: as many as smkid reads of one connection. */
#define BATCH_WINDOW 512
/* Octets of a name of a file that a file system takes: "NNNNN-", the entry's name, ".pem" */
#define BATCH_FILE_MAX (255 + 1)
#define BATCH_FILE_NAME 240
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
	struct batch_output output;
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

/* An entry that is refused has no file: one of an earlier run may be of a certificate that was
 * revoked meanwhile. */
static int
batch_refuse(struct batch_run *run, size_t i, const struct err *why, struct err *err)
{
	struct batch_result *result = &run->results[i];
	char file[BATCH_FILE_MAX];

	batch_file(run, i, file);
	if (batch_output_drop(&run->output, file, err) != 0)
		return -1;
	result->fate = BATCH_REFUSED;
	result->code = why->code;
	result->reason = mem_str(why->msg);
	run->done++;
	return 0;
}

/* ---- before anything is made ---- */

static int
batch_ca_reply(void *ctx, struct wire_in *in, struct err *err)
{
	struct caset *cas = ctx;
	struct admin_ca *ca = mem_alloc(sizeof(*ca));
	int r = admin_ca_get(in, ca, err);

	if (r != 0)
		goto out;
	if (cas->n < ARRAY_LEN(cas->ca)) {
		memcpy(cas->ca[cas->n].name, ca->name, sizeof(ca->name));
		cas->ca[cas->n++].root = strcmp(ca->name, ca->parent) == 0;
	}
	admin_ca_free(ca);
out:
	free(ca);
	return r;
}

/* The CA is one of smkid's that issues on request. */
static int
batch_check_ca(struct batch_run *run, struct err *err)
{
	struct caset *cas = mem_alloc(sizeof(*cas)); /* names only */
	const struct ca *ca;
	struct buf msg = { 0 };
	int r = -1;

	client_start(run->cli, &msg, ADMIN_CA_LIST);
	if (client_call(run->cli, &msg, batch_ca_reply, cas, err) == 0)
		r = issue_pick_ca(cas, run->request.ca, &ca, err);
	buf_free(&msg);
	free(cas);
	return r;
}

/* The profile is one of the home's. Whoever cannot read them all leaves it to smkid, which then
 * refuses each request. */
static int
batch_check_profile(const struct batch_run *run, struct err *err)
{
	struct profiles profiles = { 0 };
	const struct profile *profile;
	struct home home = { 0 };
	char dir[HOME_PATH_MAX];
	struct err why;
	int r;

	if (run->request.profile[0] == '\0')
		return 0;
	snprintf(home.dir, sizeof(home.dir), "%s", run->cli->dir);
	if (home_path(&home, HOME_POLICIES, dir, &why) != 0 ||
	    profiles_load(dir, &profiles, &why) != 0)
		return 0;
	r = issue_pick_profile(&profiles, run->request.profile, &profile, err);
	profiles_free(&profiles);
	return r;
}

/* The output folder, of this batch with these options and no other. */
static int
batch_folder(struct batch_run *run, struct err *err)
{
	char hash[2 * SHA256_LEN + 1];
	struct buf id = { 0 };
	int r;

	hex_encode(batch_hash(run->source), SHA256_LEN, hash);
	buf_fmt(&id, "%s %s %s\n", hash, run->request.profile, run->request.ca);
	r = batch_output_open(&run->output, buf_span(&id), err);
	buf_free(&id);
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
	char file[BATCH_FILE_MAX];
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
		r = batch_refuse(run, i, &why, err);
		goto out;
	}
	batch_file(run, i, file);
	r = batch_output_put(&run->output, file, buf_span(&issued.der), err);
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
	r = batch_output_sync(&run->output, err);
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

/* Whether a spreadsheet takes a cell that begins so for a formula, the wide forms of these signs
 * too; or for text that is marked as such. */
static bool
batch_csv_risky(const char *cell)
{
	static const char *const begins[] = { "=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d",
		"\uff20" };

	if (*cell == '\'')
		return true;
	cell += strspn(cell, " ");
	for (size_t i = 0; i < ARRAY_LEN(begins); i++)
		if (strncmp(cell, begins[i], strlen(begins[i])) == 0)
			return true;
	return false;
}

/*
 * RFC 4180 2. Names are strangers' text and the report is opened with a spreadsheet: what could be
 * a formula there gets an apostrophe in front, and what has one gets another, so that to drop one
 * gives back the text. A ';' begins a cell as well, where the comma is the decimal sign.
 */
static void
batch_csv(struct buf *out, const char *text)
{
	bool first = true; /* of a cell */

	buf_add_u8(out, '"');
	for (; *text != '\0'; text++) {
		if (first && batch_csv_risky(text))
			buf_add_u8(out, '\'');
		first = *text == ';';
		if (*text == '"')
			buf_add_u8(out, '"');
		buf_add_u8(out, (uint8_t)*text);
	}
	buf_add_u8(out, '"');
}

static int
batch_report(struct batch_run *run, struct err *err)
{
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
	r = batch_output_report(&run->output, buf_span(&text), err);
	buf_free(&text);
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
		    run->n, n[BATCH_ISSUED], n[BATCH_KNOWN], n[BATCH_REFUSED], run->output.path);
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
	if (optind + 1 != argc || (out != NULL && out[0] == '\0'))
		exit(cli_usage("batch"));
	return batch_output_place(&run->output, argv[optind], out, err);
}

int
batch_verb(struct cli *cli, int argc, char **argv)
{
	struct batch_run run = { .cli = cli, .output = { .certs = -1 } };
	struct err err;
	int status;

	if (batch_options(argc, argv, &run, &err) != 0 ||
	    batch_open(argv[optind], &run.source, &err) != 0)
		goto fail;
	run.n = batch_count(run.source);
	run.results = mem_array(run.n, sizeof(*run.results));
	/* A slip of the pen must not make a folder, whose name is then taken. */
	if (batch_check_ca(&run, &err) != 0 || batch_check_profile(&run, &err) != 0 ||
	    batch_folder(&run, &err) != 0)
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
	for (size_t i = 0; i < run.n && run.results != NULL; i++)
		free(run.results[i].reason);
	free(run.results);
	batch_output_close(&run.output);
	buf_free(&run.request.csr);
	batch_close(run.source);
	return status;
}
