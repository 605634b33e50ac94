/*
 * Publishing a CRL that the ceremony signed: it must be the number taken, this CA's, and say what
 * the database says.
 */
#include "service_rig.h"
#include "smki/crl.h"

struct take_job {
	struct commit_job job; /* first */
	int64_t ca, number, event;
};

static int
take_apply(struct commit_job *job, struct store *store, struct err *err)
{
	struct take_job *take = (struct take_job *)job;
	time_t time;

	if (store_event_newest(store, &take->event, &time, err) != 0)
		return -1;
	return store_crl_take(store, take->ca, time, &take->number, err);
}

static struct take_job
take(struct rig *r)
{
	struct take_job t = { .job = { .lane = COMMIT_OTHER, .apply = take_apply },
		.ca = r->root->id };

	RIG(committer_run(r->committer, &t.job, &rig_err));
	return t;
}

static struct crl_params
params_of(struct rig *r, int64_t number)
{
	return (struct crl_params){ .issuer = r->root->issuer.subject,
		.ski = r->root->issuer.ski,
		.curve = EC_P256,
		.number = number,
		.this_update = r->now,
		.next_update = r->now + 86400 };
}

static void
build(struct rig *r, const struct crl_params *params, const struct crl_entry *entries, size_t n,
    const struct softsign *key, struct buf *out)
{
	buf_reset(out);
	RIG(crl_build(params, entries, n, softsign_signer(key), out, &rig_err));
}

/* An issuing CA's certificate under the root, on hold: the root's list has one entry. */
static struct crl_entry
held(struct rig *r, uint8_t s)
{
	struct store_new_cert row = rig_row(r, s);
	struct store_cert is;
	int64_t id;

	row.ca = r->root->id;
	row.on_hold = true;
	id = rig_add(r, &row, 1);
	RIG(store_cert_get(r->reader, id, &is, &rig_err));
	return (
	    struct crl_entry){ .serial = is.serial, .revoked_at = is.changed, .reason = is.reason };
}

enum wrong {
	NOTHING,
	SIGNER,
	CA_NAME,
	KEY_ID,
	NUMBER,
	FUTURE,
	PAST,
	MISSING,
	EXTRA,
	REASON,
	DATE,
	EVENT_ZERO,
	EVENT_NEXT,
	EVENT_OLD,
	CUT,
};

static void
test_publish_checks(void)
{
	static const struct {
		const char *name;
		enum wrong wrong;
		enum err_code code;
		const char *text;
	} rows[] = {
		{ "other key", SIGNER, FAIL_INVALID, "" },
		{ "other issuer", CA_NAME, FAIL_INVALID, "5.1.2.3" },
		{ "other key identifier", KEY_ID, FAIL_INVALID, "5.1.2.3" },
		{ "other number", NUMBER, FAIL_INVALID, "5.2.3" },
		{ "dated in the future", FUTURE, FAIL_INVALID, "5.1.2.4" },
		{ "ended", PAST, FAIL_INVALID, "5.1.2.5" },
		{ "entry missing", MISSING, FAIL_INVALID, "entry 1" },
		{ "entry too many", EXTRA, FAIL_INVALID, "entry 2" },
		{ "other reason", REASON, FAIL_INVALID, "entry 1" },
		{ "other date", DATE, FAIL_INVALID, "entry 1" },
		{ "event 0", EVENT_ZERO, FAIL_INVALID, "event" },
		{ "event to come", EVENT_NEXT, FAIL_INVALID, "event" },
		{ "event before the change", EVENT_OLD, FAIL_CONFLICT, "make it again" },
		{ "cut", CUT, FAIL_INVALID, "" },
		{ "right", NOTHING, 0, "" },
	};
	struct rig *r = rig_new();
	struct crlgen_conf conf = {
		.dir = r->crl, .cas = r->cas, .committer = r->committer, .guard = r->guard
	};
	struct crl_entry right = held(r, 1);
	struct take_job t = take(r);
	struct buf der = { 0 };
	struct err err;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		enum wrong wrong = rows[i].wrong;
		struct crl_params params = params_of(r, t.number + (wrong == NUMBER));
		struct crl_entry entries[2] = { right, right };
		const struct softsign *key = wrong == SIGNER ? r->ca_key : r->root_key;
		size_t n = wrong == MISSING ? 0 : wrong == EXTRA ? 2 : 1;
		int64_t event = t.event;
		int rc;

		if (wrong == CA_NAME)
			params.issuer = r->ca->issuer.subject;
		if (wrong == KEY_ID)
			params.ski = r->ca->issuer.ski;
		if (wrong == FUTURE)
			params.this_update = r->now + 600;
		if (wrong == PAST) {
			params.this_update = r->now - 600;
			params.next_update = r->now - 60;
		}
		if (wrong == REASON)
			entries[0].reason = REASON_UNSPECIFIED;
		if (wrong == DATE)
			entries[0].revoked_at--;
		if (wrong == EVENT_ZERO)
			event = 0;
		if (wrong == EVENT_NEXT)
			event++;
		if (wrong == EVENT_OLD)
			event--;
		build(r, &params, entries, n, key, &der);
		rc = crlgen_publish(&conf, r->root, r->reader, t.number, event,
		    (struct span){ der.data, der.len - (wrong == CUT) }, 0, &err);
		CHECK_ROW(rows[i].name, (rc == 0) == (wrong == NOTHING));
		if (rc != 0)
			CHECK_ROW(rows[i].name,
			    err.code == rows[i].code && strstr(err.msg, rows[i].text) != NULL);
	}
	buf_free(&der);
	rig_free(r);
}

/* Numbers: never taken, taken twice, an older one after a newer one. */
static void
test_publish_numbers(void)
{
	struct rig *r = rig_new();
	struct crlgen_conf conf = {
		.dir = r->crl, .cas = r->cas, .committer = r->committer, .guard = r->guard
	};
	struct take_job first = take(r), second = take(r);
	char name[CRL_FILE_MAX], *path;
	struct buf der = { 0 }, got = { 0 };
	struct crl_params params;
	struct store_crl row;
	struct err err;

	params = params_of(r, second.number + 1);
	build(r, &params, NULL, 0, r->root_key, &der);
	CHECK(crlgen_publish(&conf, r->root, r->reader, params.number, second.event, buf_span(&der),
		  0, &err) != 0);
	params = params_of(r, second.number);
	build(r, &params, NULL, 0, r->root_key, &der);
	RIG(crlgen_publish(
	    &conf, r->root, r->reader, second.number, second.event, buf_span(&der), 7, &rig_err));
	RIG(store_crl_newest(r->reader, r->root->id, &row, &rig_err));
	CHECK(row.number == second.number && row.entries == 0 && row.event == second.event);
	crlgen_file("root", second.number, name);
	path = mem_fmt("%s/%s", r->crl, name);
	RIG(file_read(path, 65536, &got, &rig_err));
	CHECK_MEM(got.data, got.len, der.data, der.len);
	/* Again, and the one before it: the database refuses, the published file stays. */
	CHECK(crlgen_publish(&conf, r->root, r->reader, second.number, second.event, buf_span(&der),
		  0, &err) != 0 &&
	      err.code == FAIL_CONFLICT);
	params = params_of(r, first.number);
	build(r, &params, NULL, 0, r->root_key, &der);
	CHECK(crlgen_publish(&conf, r->root, r->reader, first.number, first.event, buf_span(&der),
		  0, &err) != 0 &&
	      err.code == FAIL_CONFLICT);
	CHECK(access(path, F_OK) == 0);
	free(path);
	buf_free(&der);
	buf_free(&got);
	rig_free(r);
}

static void
lay(struct rig *r, const char *name)
{
	char *path = mem_fmt("%s/%s", r->crl, name);

	RIG(file_write(path, "x", 1, 0600, &rig_err));
	free(path);
}

static void
look(struct rig *r, struct crlgen_ahead **ahead)
{
	crlgen_ahead_free(*ahead);
	*ahead = NULL;
	RIG(crlgen_ahead_load(r->crl, r->cas, r->reader, ahead, &rig_err));
}

/* An older copy of the database beside newer lists: seen, and no number is used twice. */
static void
test_older_database(void)
{
	struct rig *r = rig_new();
	struct crlgen_conf conf = { .dir = r->crl,
		.cas = r->cas,
		.committer = r->committer,
		.guard = r->guard,
		.validity = 86400 };
	const struct crl_which complete = { .ca = r->ca->id, .kind = CRL_COMPLETE },
			       root = { .ca = r->root->id, .kind = CRL_COMPLETE };
	struct crlgen_ahead *ahead = NULL;
	char name[CRL_FILE_MAX], *path;
	struct store_crl row;
	int64_t number;
	struct err err;

	look(r, &ahead);
	CHECK(crlgen_ahead_check(ahead, &err) == 0);
	CHECK(crlgen_ahead_number(NULL, &complete) == 0);
	RIG(rig_crl_make(&conf, r->ca, r->reader, 0, &row, &rig_err));
	/* What a crash leaves is no published list, nor is another's name. */
	lay(r, "issuing-9.crl.new");
	lay(r, "issuing-2-9.crl");
	look(r, &ahead);
	CHECK(crlgen_ahead_check(ahead, &err) == 0);
	CHECK(crlgen_check_age(r->crl, r->cas, r->reader, &err) == 0);
	crlgen_file("issuing", row.number + 5, name);
	lay(r, name);
	CHECK(crlgen_check_age(r->crl, r->cas, r->reader, &err) == -1);
	CHECK(err.code == FAIL_CONFLICT && strstr(err.msg, name) != NULL);
	look(r, &ahead);
	CHECK(crlgen_ahead_check(ahead, &err) == -1);
	CHECK(crlgen_ahead_number(ahead, &complete) == row.number + 5);
	CHECK(crlgen_ahead_number(ahead, &root) == 0);
	number = row.number;
	conf.ahead = ahead;
	RIG(rig_crl_make(&conf, r->ca, r->reader, 0, &row, &rig_err));
	CHECK(row.number == number + 6);
	CHECK(crlgen_check_age(r->crl, r->cas, r->reader, &err) == 0);
	/* A number out of all reason is refused; nothing is burnt for it. */
	crlgen_file("issuing", row.number + CRL_SKIP_MAX + 1, name);
	lay(r, name);
	look(r, &ahead);
	conf.ahead = ahead;
	number = row.number;
	CHECK(rig_crl_make(&conf, r->ca, r->reader, 0, &row, &err) == -1 &&
	      err.code == FAIL_CONFLICT);
	path = mem_fmt("%s/%s", r->crl, name);
	CHECK(unlink(path) == 0);
	free(path);
	look(r, &ahead);
	conf.ahead = ahead;
	RIG(rig_crl_make(&conf, r->ca, r->reader, 0, &row, &rig_err));
	CHECK(row.number == number + 1);
	crlgen_ahead_free(ahead);
	rig_free(r);
}

/* Of many sequences each is looked at for itself; the message tells of the furthest. */
static void
test_older_shards(void)
{
	static const char *const files[] = { "issuing.7-1.crl", "issuing.7-3.crl",
		"issuing.7-2.crl", "issuing.10-4.crl", "issuing.delta-2.crl", "root-1.crl" };
	struct rig *r = rig_new();
	struct crl_which which = { .ca = r->ca->id, .kind = CRL_SHARD, .shard = 7 };
	struct crlgen_ahead *ahead = NULL;
	struct err err;

	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		lay(r, files[i]);
	look(r, &ahead);
	CHECK(crlgen_ahead_number(ahead, &which) == 3);
	which.shard = 10;
	CHECK(crlgen_ahead_number(ahead, &which) == 4);
	which.shard = 1;
	CHECK(crlgen_ahead_number(ahead, &which) == 0);
	which = (struct crl_which){ .ca = r->ca->id, .kind = CRL_COMPLETE };
	CHECK(crlgen_ahead_number(ahead, &which) == 2);
	which.ca = r->root->id;
	CHECK(crlgen_ahead_number(ahead, &which) == 1);
	CHECK(crlgen_ahead_check(ahead, &err) == -1);
	CHECK(err.code == FAIL_CONFLICT && strstr(err.msg, "issuing.10-4.crl") != NULL);
	crlgen_ahead_free(ahead);
	rig_free(r);
}

/* A list that stands published under the number taken is not written over. */
static void
test_published_stays(void)
{
	struct rig *r = rig_new();
	struct crlgen_conf conf = { .dir = r->crl,
		.cas = r->cas,
		.committer = r->committer,
		.guard = r->guard,
		.validity = 86400 };
	char *path = mem_fmt("%s/issuing-1.crl", r->crl);
	struct buf is = { 0 };
	struct store_crl row;
	struct err err;

	lay(r, "issuing-1.crl");
	CHECK(rig_crl_make(&conf, r->ca, r->reader, 0, &row, &err) == -1);
	CHECK(err.code == FAIL_CONFLICT && strstr(err.msg, "5.2.3") != NULL);
	RIG(file_read(path, 65536, &is, &rig_err));
	CHECK(is.len == 1);
	RIG(rig_crl_make(&conf, r->ca, r->reader, 0, &row, &rig_err));
	CHECK(row.number == 2);
	buf_free(&is);
	free(path);
	rig_free(r);
}

static const struct test_case cases[] = {
	{ "what is checked", test_publish_checks },
	{ "numbers", test_publish_numbers },
	{ "older database", test_older_database },
	{ "older than lists of shards", test_older_shards },
	{ "what is published stays", test_published_stays },
};
TEST_MAIN("crlgen_publish", cases)
