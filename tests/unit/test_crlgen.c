/*
 * Making CRLs: what is on them, numbers, files, and what a failure or a crash leaves behind.
 */
#include <dirent.h>
#include <sys/stat.h>

#include <openssl/sha.h>

#include "service_rig.h"
#include "smki/crl.h"

/* More entries than fit into one chunk of the writer. */
#define MANY 7000
#define CRL_READ_MAX (4 * 1024 * 1024)

static struct crlgen_conf
conf_of(struct rig *r)
{
	return (struct crlgen_conf){ .dir = r->crl,
		.cas = r->cas,
		.committer = r->committer,
		.guard = r->guard,
		.validity = 86400 };
}

static char *
path_of(struct rig *r, const char *ca, int64_t number, const char *suffix)
{
	char name[CRL_FILE_MAX];

	crlgen_file(ca, number, name);
	return mem_fmt("%s/%s%s", r->crl, name, suffix);
}

static int
exists(struct rig *r, const char *ca, int64_t number, const char *suffix)
{
	char *path = path_of(r, ca, number, suffix);
	int there = access(path, F_OK) == 0;

	free(path);
	return there;
}

static size_t
files(struct rig *r)
{
	struct dirent *entry;
	DIR *d = opendir(r->crl);
	size_t n = 0;

	require(d != NULL);
	while ((entry = readdir(d)) != NULL)
		n += entry->d_name[0] != '.';
	closedir(d);
	return n;
}

static void
list_read(struct rig *r, const struct store_crl *row, struct buf *der, struct crl *crl)
{
	char *path = path_of(r, "issuing", row->number, "");
	uint8_t sha256[SHA256_LEN];
	struct err err;

	buf_reset(der);
	RIG(file_read(path, CRL_READ_MAX, der, &rig_err));
	free(path);
	SHA256(der->data, der->len, sha256);
	CHECK_MEM(sha256, sizeof(sha256), row->sha256, sizeof(row->sha256));
	CHECK((int64_t)der->len == row->size);
	CHECK(crl_parse(der->data, der->len, crl, &err) == 0);
	CHECK(crl_check_signature(crl, &r->ca->cert.pub, &err) == 0);
	CHECK(crl->number == row->number && crl->this_update == row->this_update);
	CHECK(crl->next_update == row->next_update);
	CHECK(span_eq(crl->issuer, r->ca->issuer.subject) && span_eq(crl->aki, r->ca->issuer.ski));
}

static int64_t
list_entries(struct crl *crl)
{
	struct crl_entry entry;
	struct err err;
	int64_t n = 0;
	int got;

	while ((got = crl_entry_get(crl, &entry, &err)) == 1)
		n++;
	CHECK(got == 0);
	return n;
}

/* None, one, many entries; at the lengths where DER headers grow. */
static void
test_crlgen_make(void)
{
	static const int64_t steps[] = { 0, 1, 1, 1, 2, 5, 100, 700, MANY };
	struct rig *r = rig_new();
	struct crlgen_conf conf = conf_of(r);
	struct buf der = { 0 };
	struct store_crl row;
	int64_t entries = 0;
	struct crl crl;

	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		struct store_new_cert add = rig_row(r, (uint8_t)(i + 1));

		add.on_hold = true;
		if (steps[i] > 0)
			rig_add(r, &add, steps[i]);
		entries += steps[i];
		RIG(rig_crl_make(&conf, r->ca, r->reader, 1000, &row, &rig_err));
		CHECK(row.number == (int64_t)i + 1 && row.entries == entries);
		CHECK(row.next_update == row.this_update + 86400);
		CHECK(row.event == rig_event(r) - 1); /* its own event is the newest */
		list_read(r, &row, &der, &crl);
		CHECK(list_entries(&crl) == entries);
		CHECK(files(r) == (i + 1 < CRL_KEEP ? i + 1 : CRL_KEEP));
	}
	buf_free(&der);
	rig_free(r);
}

/* What an entry says is what the database says. */
static void
test_crlgen_entry(void)
{
	struct rig *r = rig_new();
	struct crlgen_conf conf = conf_of(r);
	struct store_new_cert add = rig_row(r, 7);
	struct crl_entry entry;
	struct buf der = { 0 };
	struct store_cert is;
	struct store_crl row;
	struct crl crl;
	struct err err;
	int64_t id;

	add.on_hold = true;
	id = rig_add(r, &add, 1);
	RIG(store_cert_get(r->reader, id, &is, &rig_err));
	RIG(rig_crl_make(&conf, r->ca, r->reader, 1000, &row, &rig_err));
	list_read(r, &row, &der, &crl);
	CHECK(crl_entry_get(&crl, &entry, &err) == 1);
	CHECK(serial_eq(&entry.serial, &add.serial) && entry.reason == REASON_CERTIFICATE_HOLD);
	CHECK(entry.revoked_at == is.changed && entry.invalid_since == 0);
	buf_free(&der);
	rig_free(r);
}

/* Refused: nothing on disk, no finished row; a number taken is never taken again. */
static void
test_crlgen_refused(void)
{
	struct rig *r = rig_new();
	struct crlgen_conf conf = conf_of(r), nowhere = conf_of(r);
	struct store_crl row;
	struct err err;

	CHECK(rig_crl_make(&conf, r->root, r->reader, 0, &row, &err) != 0);
	CHECK(err.code == FAIL_DENIED);
	timeguard_note(r->guard, r->now + 3600);
	CHECK(rig_crl_make(&conf, r->ca, r->reader, 0, &row, &err) != 0);
	CHECK(err.code == FAIL_UNAVAILABLE && strstr(err.msg, "clock") != NULL);
	timeguard_note(r->guard, r->now);
	r->ca_key->refuse = true;
	CHECK(rig_crl_make(&conf, r->ca, r->reader, 0, &row, &err) != 0);
	CHECK(err.code == FAIL_UNAVAILABLE);
	r->ca_key->refuse = false;
	r->ca_key->corrupt = true;
	CHECK(rig_crl_make(&conf, r->ca, r->reader, 0, &row, &err) != 0);
	CHECK(err.code == FAIL_UNAVAILABLE);
	r->ca_key->corrupt = false;
	nowhere.dir = "/nowhere/at/all";
	CHECK(rig_crl_make(&nowhere, r->ca, r->reader, 0, &row, &err) != 0);
	CHECK(err.code == FAIL_UNAVAILABLE);
	CHECK(files(r) == 0);
	CHECK(store_crl_newest(r->reader, r->ca->id, &row, &err) != 0);
	RIG(rig_crl_make(&conf, r->ca, r->reader, 0, &row, &rig_err));
	/* A folder that is not there burnt none. */
	CHECK(row.number == 3);
	rig_free(r);
}

struct ahead_job {
	struct commit_job job; /* first */
	struct store_crl row;
};

static int
ahead_apply(struct commit_job *job, struct store *store, struct err *err)
{
	struct ahead_job *ahead = (struct ahead_job *)job;
	struct store_actor actor = { .uid = 0 };

	if (store_event_newest(store, &ahead->row.event, &actor.now, err) != 0 ||
	    store_crl_take(store, ahead->row.ca, actor.now, &ahead->row.number, err) != 0)
		return -1;
	return store_crl_finish(store, &actor, &ahead->row, err);
}

/* A list dated a little after the clock is followed by one of the same date; far after: none. */
static void
test_crlgen_ahead(void)
{
	struct rig *r = rig_new();
	struct crlgen_conf conf = conf_of(r);
	struct ahead_job ahead = { .job = { .lane = COMMIT_OTHER, .apply = ahead_apply } };
	struct store_crl row;
	struct err err;

	ahead.row = (struct store_crl){ .ca = r->ca->id,
		.this_update = clock_now() + 3,
		.next_update = r->now + 86400,
		.size = 1 };
	RIG(committer_run(r->committer, &ahead.job, &rig_err));
	RIG(rig_crl_make(&conf, r->ca, r->reader, 0, &row, &rig_err));
	CHECK(row.number == 2 && row.this_update >= ahead.row.this_update);
	ahead.row.this_update = r->now + 3600;
	RIG(committer_run(r->committer, &ahead.job, &rig_err));
	CHECK(rig_crl_make(&conf, r->ca, r->reader, 0, &row, &err) != 0);
	CHECK(err.code == FAIL_UNAVAILABLE && strstr(err.msg, "5.1.2.4") != NULL);
	RIG(committer_run(r->committer, &ahead.job, &rig_err));
	CHECK(ahead.row.number == 4); /* the refusal burnt none */
	rig_free(r);
}

/* A crash before the rename: the committed bytes are published, others are not. */
static void
test_crlgen_recover(void)
{
	struct rig *r = rig_new();
	struct crlgen_conf conf = conf_of(r);
	struct store_crl row;
	struct err err;
	char *path, *fresh;

	RIG(rig_crl_make(&conf, r->ca, r->reader, 0, &row, &rig_err));
	path = path_of(r, "issuing", 1, "");
	fresh = path_of(r, "issuing", 1, ".new");
	require(rename(path, fresh) == 0);
	RIG(crlgen_recover(r->crl, r->cas, r->reader, &rig_err));
	CHECK(exists(r, "issuing", 1, "") && !exists(r, "issuing", 1, ".new"));
	/* Other bytes under the committed name: never published. */
	require(unlink(path) == 0);
	RIG(file_write(fresh, "not a list", 10, 0600, &rig_err));
	RIG(crlgen_recover(r->crl, r->cas, r->reader, &rig_err));
	CHECK(files(r) == 0);
	free(path);
	free(fresh);
	/* Never committed; and files that are nobody's stay. */
	fresh = path_of(r, "issuing", 2, ".new");
	RIG(file_write(fresh, "x", 1, 0600, &rig_err));
	free(fresh);
	fresh = mem_fmt("%s/note.txt", r->crl);
	RIG(file_write(fresh, "x", 1, 0600, &rig_err));
	free(fresh);
	RIG(crlgen_recover(r->crl, r->cas, r->reader, &rig_err));
	CHECK(files(r) == 1);
	CHECK(crlgen_recover("/nowhere", r->cas, r->reader, &err) != 0);
	rig_free(r);
}

/* Only this CA's files go, and only older ones than the last three. */
static void
test_crlgen_prune(void)
{
	static const char *const stay[] = { "issuing-x.crl", "issuing-01.crl", "issuing-1-1.crl",
		"issuing-1.crl.bak", "issuing2-1.crl", "root-1.crl" };
	struct rig *r = rig_new();
	struct crlgen_conf conf = conf_of(r);
	struct store_crl row;

	for (size_t i = 0; i < ARRAY_LEN(stay); i++) {
		char *path = mem_fmt("%s/%s", r->crl, stay[i]);

		RIG(file_write(path, "x", 1, 0600, &rig_err));
		free(path);
	}
	for (int i = 0; i < CRL_KEEP + 2; i++)
		RIG(rig_crl_make(&conf, r->ca, r->reader, 0, &row, &rig_err));
	CHECK(!exists(r, "issuing", 1, "") && !exists(r, "issuing", 2, ""));
	for (int64_t n = 3; n <= CRL_KEEP + 2; n++)
		CHECK(exists(r, "issuing", n, ""));
	CHECK(files(r) == CRL_KEEP + ARRAY_LEN(stay));
	rig_free(r);
}

/* A complete list and a delta have different numbers, so they have different times, too. */
static void
test_crlgen_times(void)
{
	struct rig *r = rig_new();
	struct crlgen_conf conf = conf_of(r);
	struct crl_which which = { .ca = r->ca->id };
	struct store_crl row[4];

	conf.pause = clock_pause;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		which.kind = i % 2 != 0 ? CRL_DELTA : CRL_COMPLETE;
		RIG(crlgen_make(&conf, r->ca, &which, r->reader, 0, &row[i], &rig_err));
		CHECK(i == 0 || row[i].this_update > row[i - 1].this_update);
	}
	CHECK(row[3].this_update <= clock_now());
	rig_free(r);
}

static int pauses;

static void
count_pause(void)
{
	pauses++;
}

static int
accept_apply(struct commit_job *job, struct store *store, struct err *err)
{
	struct store_actor actor = { .uid = 0, .now = clock_now() };

	(void)job;
	return store_event_add(store, &actor, "clock-accept", 0, err);
}

/* Behind a list of a clock that was set back and accepted there is nothing to wait for: not once,
 * and least of all for each shard. */
static void
test_crlgen_set_back(void)
{
	struct rig *r = rig_new();
	struct crlgen_conf conf = conf_of(r);
	struct ahead_job ahead = { .job = { .lane = COMMIT_OTHER, .apply = ahead_apply } };
	struct commit_job accept = { .lane = COMMIT_OTHER, .apply = accept_apply };
	struct store_crl row;

	conf.pause = count_pause;
	ahead.row = (struct store_crl){ .ca = r->ca->id,
		.this_update = clock_now() + 3600,
		.next_update = r->now + 86400,
		.size = 1 };
	RIG(committer_run(r->committer, &ahead.job, &rig_err));
	RIG(committer_run(r->committer, &accept, &rig_err));
	RIG(rig_crl_make(&conf, r->ca, r->reader, 0, &row, &rig_err));
	CHECK(row.number == 2 && row.this_update <= clock_now());
	CHECK(pauses == 0);
	rig_free(r);
}

static void
test_crlgen_due(void)
{
	static const struct store_crl newest = { .event = 10, .this_update = 1000 };

	CHECK(crlgen_due(NULL, 0, 500, 10) == 0);
	CHECK(crlgen_due(&newest, 0, 500, 10) == 1500);
	CHECK(crlgen_due(&newest, 9, 500, 10) == 1500);
	CHECK(crlgen_due(&newest, 10, 500, 10) == 1500);
	CHECK(crlgen_due(&newest, 11, 500, 10) == 1010);
}

static const struct test_case cases[] = {
	{ "lists of many lengths", test_crlgen_make },
	{ "an entry", test_crlgen_entry },
	{ "refusals", test_crlgen_refused },
	{ "a list dated after the clock", test_crlgen_ahead },
	{ "after a crash", test_crlgen_recover },
	{ "old lists", test_crlgen_prune },
	{ "times", test_crlgen_times },
	{ "a clock set back", test_crlgen_set_back },
	{ "due", test_crlgen_due },
};
TEST_MAIN("crlgen", cases)
