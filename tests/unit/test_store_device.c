/*
 * The register behind the store: adding and finding, lists, changes, secrets, history, and what of
 * it decides over certificates.
 */
#include "device_db.h"

/* ---- adding and finding ---- */

static void
test_add(void)
{
	struct store *store = store_new();
	struct device device = device_of(1), got;
	struct eui64 other = { { 9 } };
	struct err err;
	int64_t id = 77, before = newest_event(store);
	bool fatal;

	device.proofs = DEVICE_PROOF_SECRET | DEVICE_PROOF_KEY;
	device.end_to_end = true;
	device.approved = false;
	memset(device.secret, 0x11, SHA256_LEN);
	memset(device.key, 0x22, SHA256_LEN);
	/* not read */
	device.id = 5;
	device.state = DEVICE_RETIRED;
	device.secret_used = true;
	device.registered = 1;
	device.import = 9;
	CHECK(store_device_add(store, &actor, &device, &id, &err) != 0 &&
	      err.code == FAIL_UNAVAILABLE);
	CU_ASSERT_EQUAL(id, 77);
	CU_ASSERT_EQUAL(device_add(store, &device), 1);
	CU_ASSERT_EQUAL(newest_event(store), before + 1);
	MUST(store_device_get(store, &device.eui, &got, &err));
	CU_ASSERT_EQUAL(got.id, 1);
	CHECK_MEM(got.eui.octets, 8, device.eui.octets, 8);
	CHECK_STR(got.hw_type, "1.2.3");
	CHECK_STR(got.manufacturer, "acme");
	CHECK_STR(got.model, "M1");
	CHECK_STR(got.region, "north");
	CU_ASSERT_EQUAL(got.proofs, device.proofs);
	CHECK(got.end_to_end && !got.approved && !got.secret_used);
	CU_ASSERT_EQUAL(got.state, DEVICE_ACTIVE);
	CHECK_MEM(got.secret, SHA256_LEN, device.secret, SHA256_LEN);
	CHECK_MEM(got.key, SHA256_LEN, device.key, SHA256_LEN);
	CU_ASSERT_EQUAL(got.registered, actor.now);
	CU_ASSERT_EQUAL(got.import, 0);

	/* what goes with a proof is only there with it */
	device = device_of(2);
	device.proofs = 0;
	memset(device.secret, 0x11, SHA256_LEN);
	memset(device.key, 0x22, SHA256_LEN);
	device.manufacturer[0] = device.model[0] = device.region[0] = '\0';
	CU_ASSERT_EQUAL(device_add(store, &device), 2);
	MUST(store_device_get(store, &device.eui, &got, &err));
	CHECK(got.secret[0] == 0 && got.key[31] == 0 && got.approved);
	CHECK_STR(got.manufacturer, "");

	MUST(store_begin(store, &err));
	CHECK(
	    store_device_add(store, &actor, &device, &id, &err) != 0 && err.code == FAIL_CONFLICT);
	CHECK_STR(err.msg, "device 0000000000000002: is registered already");
	CU_ASSERT_EQUAL(id, 77);
	MUST(store_commit(store, &fatal, &err));
	CHECK(store_device_get(store, &other, &got, &err) != 0 && err.code == FAIL_NOT_FOUND);
	CHECK_STR(err.msg, "device 0900000000000000: is not registered");
	store_close(store);
	store_dir_end();
}

/* ---- lists ---- */

struct list {
	struct store *store;
	char text[64];
	int stop_after;
};

static int
list_add(void *ctx, const struct device *device, struct err *err)
{
	struct list *list = ctx;
	struct device again;
	size_t at = strlen(list->text);

	/* the store may be read while a list runs */
	if (store_device_get(list->store, &device->eui, &again, err) != 0)
		return -1;
	snprintf(
	    list->text + at, sizeof list->text - at, "%s%d", at > 0 ? " " : "", (int)device->id);
	return list->stop_after > 0 && --list->stop_after == 0 ? err_set(err, FAIL_DENIED, "enough")
							       : 0;
}

/* 1 on hold, 2 retired, 3 not approved, 4 of bolt, 5 in the south, 6 of bolt, on hold and not
 * approved, 7 in an import that goes on. */
static void
register_fill(struct store *store)
{
	struct device device;
	struct err err;
	bool fatal, changed;
	int64_t import;
	size_t bad;

	for (int i = 1; i <= 6; i++) {
		device = device_of(i);
		device.approved = i != 3 && i != 6;
		if (i == 4 || i == 6)
			strcpy(device.manufacturer, "bolt");
		if (i == 5)
			strcpy(device.region, "south");
		CU_ASSERT_EQUAL(device_add(store, &device), i);
	}
	MUST(store_begin(store, &err));
	MUST(store_device_change(store, &actor, 1, DEVICE_DO_HOLD, &changed, &err));
	MUST(store_device_change(store, &actor, 2, DEVICE_DO_RETIRE, &changed, &err));
	MUST(store_device_change(store, &actor, 6, DEVICE_DO_HOLD, &changed, &err));
	MUST(store_import_begin(store, &actor, "f", &import, &err));
	device = device_of(7);
	device.approved = false;
	MUST(store_import_add(store, &actor, import, &device, 1, &bad, &err));
	MUST(store_commit(store, &fatal, &err));
}

static void
test_list(void)
{
	static const struct {
		const char *name;
		struct store_device_filter filter;
		const char *want;
	} rows[] = {
		{ "all", { 0 }, "1 2 3 4 5 6" },
		{ "limit", { .limit = 2 }, "1 2" },
		{ "continued", { .limit = 2, .after_id = 2 }, "3 4" },
		{ "past the end", { .after_id = 6 }, "" },
		{ "active", { .by_state = true }, "3 4 5" },
		{ "on hold", { .by_state = true, .state = DEVICE_HOLD }, "1 6" },
		{ "on hold after", { .by_state = true, .state = DEVICE_HOLD, .after_id = 1 }, "6" },
		{ "retired", { .by_state = true, .state = DEVICE_RETIRED }, "2" },
		{ "unapproved", { .unapproved = true }, "3 6" },
		{ "unapproved after", { .unapproved = true, .after_id = 3 }, "6" },
		{ "unapproved limit", { .unapproved = true, .limit = 1 }, "3" },
		{ "unapproved active", { .unapproved = true, .by_state = true }, "3" },
		{ "unapproved on hold",
		    { .unapproved = true, .by_state = true, .state = DEVICE_HOLD }, "6" },
		{ "manufacturer", { .manufacturer = "bolt" }, "4 6" },
		{ "region", { .region = "south" }, "5" },
		{ "both", { .manufacturer = "acme", .region = "north" }, "1 2 3" },
		{ "nobody's", { .manufacturer = "x" }, "" },
	};
	struct store *store = store_new();
	struct list list = { .store = store, .stop_after = 2 };
	struct err err;

	register_fill(store);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct list all = { .store = store };

		MUST(store_device_each(store, &rows[i].filter, list_add, &all, &err));
		CHECK_ROW(rows[i].name, test_same_text(all.text, rows[i].want));
	}
	CHECK(store_device_each(store, &rows[0].filter, list_add, &list, &err) != 0 &&
	      err.code == FAIL_DENIED);
	CHECK_STR(list.text, "1 2");
	store_close(store);
	store_dir_end();
}

/* ---- changes ---- */

static void
test_change(void)
{
	enum { NO = -1, SAME = 0, DONE = 1 };
	/* from each state the four actions, in order */
	static const struct {
		enum device_action action;
		const char *word;
		int want[3];
		enum device_state to[3];
	} rows[] = {
		{ DEVICE_DO_HOLD, "device-hold", { DONE, SAME, NO },
		    { DEVICE_HOLD, DEVICE_HOLD, DEVICE_RETIRED } },
		{ DEVICE_DO_RELEASE, "device-release", { SAME, DONE, NO },
		    { DEVICE_ACTIVE, DEVICE_ACTIVE, DEVICE_RETIRED } },
		{ DEVICE_DO_RETIRE, "device-retire", { DONE, DONE, SAME },
		    { DEVICE_RETIRED, DEVICE_RETIRED, DEVICE_RETIRED } },
		{ DEVICE_DO_APPROVE, "device-approve", { DONE, DONE, NO },
		    { DEVICE_ACTIVE, DEVICE_HOLD, DEVICE_RETIRED } },
	};
	struct store *store = store_new();
	struct device device = device_of(1), got;
	struct err err;
	bool changed = true;

	device.approved = false;
	device_add(store, &device);
	CHECK(store_device_change(store, &actor, 1, DEVICE_DO_HOLD, &changed, &err) != 0 &&
	      err.code == FAIL_UNAVAILABLE);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (int from = 0; from < 3; from++) {
			int64_t before;
			int rc;

			MUST(store_begin(store, &err));
			if (from != DEVICE_ACTIVE)
				MUST(store_device_change(store, &actor, 1,
				    from == DEVICE_HOLD ? DEVICE_DO_HOLD : DEVICE_DO_RETIRE,
				    &changed, &err));
			before = newest_event(store);
			changed = rows[i].want[from] != DONE;
			rc = store_device_change(store, &actor, 1, rows[i].action, &changed, &err);
			CHECK_ROW(rows[i].word, (rc == 0) == (rows[i].want[from] != NO));
			if (rc != 0)
				CHECK_ROW(rows[i].word,
				    err.code == FAIL_CONFLICT &&
					strstr(err.msg, "device 0000000000000001: is retired") !=
					    NULL);
			else
				CHECK_ROW(rows[i].word, changed == (rows[i].want[from] == DONE));
			CU_ASSERT_EQUAL(newest_event(store), before + (rows[i].want[from] == DONE));
			MUST(store_device_get(store, &device.eui, &got, &err));
			CHECK_ROW(rows[i].word, got.state == rows[i].to[from]);
			CHECK_ROW(
			    rows[i].word, got.approved == (rows[i].want[from] == DONE &&
							      rows[i].action == DEVICE_DO_APPROVE));
			store_rollback(store);
		}
	MUST(store_begin(store, &err));
	CHECK(store_device_change(store, &actor, 2, DEVICE_DO_HOLD, &changed, &err) != 0 &&
	      err.code == FAIL_NOT_FOUND);
	MUST(store_device_change(store, &actor, 1, DEVICE_DO_APPROVE, &changed, &err));
	MUST(store_device_change(store, &actor, 1, DEVICE_DO_APPROVE, &changed, &err));
	CHECK(!changed);
	store_close(store);
	store_dir_end();
}

static void
test_secret(void)
{
	static const uint8_t one[SHA256_LEN] = { 1 }, two[SHA256_LEN] = { 2 };
	struct store *store = store_new();
	struct device device = device_of(1), got;
	struct err err;
	bool changed;

	device_add(store, &device);
	CHECK(store_device_set_secret(store, &actor, 1, one, &err) != 0 &&
	      err.code == FAIL_UNAVAILABLE);
	CHECK(store_device_bind_secret(store, 1, one, &err) != 0 && err.code == FAIL_UNAVAILABLE);
	MUST(store_begin(store, &err));
	CHECK(store_device_bind_secret(store, 1, one, &err) != 0 && err.code == FAIL_CONFLICT);
	CHECK_STR(err.msg, "device 0000000000000001: has no secret");
	MUST(store_device_set_secret(store, &actor, 1, one, &err));
	MUST(store_device_get(store, &device.eui, &got, &err));
	CU_ASSERT_EQUAL(got.proofs, DEVICE_PROOF_IDEVID | DEVICE_PROOF_SECRET);
	CHECK(!got.secret_used);
	CHECK_MEM(got.secret, SHA256_LEN, one, SHA256_LEN);

	MUST(store_device_bind_secret(store, 1, two, &err));
	MUST(store_device_bind_secret(store, 1, two, &err));
	MUST(store_device_get(store, &device.eui, &got, &err));
	CHECK(got.secret_used);
	CHECK_MEM(got.secret_key, SHA256_LEN, two, SHA256_LEN);
	CHECK(store_device_bind_secret(store, 1, one, &err) != 0 && err.code == FAIL_CONFLICT);
	CHECK_STR(err.msg, "device 0000000000000001: its secret is bound to another key");

	/* a new one is unused */
	MUST(store_device_set_secret(store, &actor, 1, two, &err));
	MUST(store_device_get(store, &device.eui, &got, &err));
	CHECK(!got.secret_used);
	CHECK_MEM(got.secret, SHA256_LEN, two, SHA256_LEN);
	MUST(store_device_bind_secret(store, 1, one, &err));

	MUST(store_device_change(store, &actor, 1, DEVICE_DO_RETIRE, &changed, &err));
	CHECK(
	    store_device_set_secret(store, &actor, 1, one, &err) != 0 && err.code == FAIL_CONFLICT);
	CHECK(store_device_set_secret(store, &actor, 2, one, &err) != 0 &&
	      err.code == FAIL_NOT_FOUND);
	CHECK(store_device_bind_secret(store, 2, one, &err) != 0 && err.code == FAIL_NOT_FOUND);
	store_close(store);
	store_dir_end();
}

/* ---- history ---- */

static int
history_add(void *ctx, const struct store_event *event, struct err *err)
{
	char *text = ctx;

	CU_ASSERT_EQUAL(event->device, 1);
	strcat(text, event->action);
	strcat(text, " ");
	return event->certificate == 99 ? err_set(err, FAIL_DENIED, "enough") : 0;
}

static void
test_history(void)
{
	static const uint8_t one[SHA256_LEN] = { 1 };
	struct store *store = store_new();
	struct device device = device_of(1);
	struct store_new_cert cert = cert_of(1, der5);
	char text[128] = "";
	struct err err;
	struct store_actor at = { .uid = 1000, .now = 2000 };
	bool fatal, changed;
	int64_t n = -1, id, newer;

	device_add(store, &device);
	device = device_of(2);
	device_add(store, &device);
	id = issue(store, &cert, 2000);
	MUST(store_begin(store, &err));
	MUST(store_device_change(store, &at, 1, DEVICE_DO_HOLD, &changed, &err));
	MUST(store_device_change(store, &at, 2, DEVICE_DO_HOLD, &changed, &err));
	MUST(store_device_change(store, &at, 1, DEVICE_DO_RELEASE, &changed, &err));
	MUST(store_device_set_secret(store, &at, 1, one, &err));
	at.uid = ACTOR_FRONT;
	MUST(store_device_event(store, &at, "rekey", 1, id, &err));
	CHECK(
	    store_device_event(store, &at, "rekey", 3, 0, &err) != 0 && err.code == FAIL_CONFLICT);
	MUST(store_commit(store, &fatal, &err));
	MUST(store_device_event_each(store, 1, history_add, text, &err));
	CHECK_STR(text, "device device-hold device-release device-secret rekey ");

	/* certificates by the time of their issue, whatever became of them */
	device = device_of(1);
	cert.profile = "device-agreement";
	cert.use = USE_AGREEMENT;
	cert.serial.octets[1] = 1;
	cert.key_hash[2] = 7;
	issue(store, &cert, 2100);
	MUST(change(store, id, CERT_HOLD, 0, 2200, &err));
	MUST(store_device_issued(store, &device.eui, 2000, &n, &err));
	CU_ASSERT_EQUAL(n, 2);
	MUST(store_device_issued(store, &device.eui, 2001, &n, &err));
	CU_ASSERT_EQUAL(n, 1);
	MUST(store_device_issued(store, &device.eui, 2101, &n, &err));
	CU_ASSERT_EQUAL(n, 0);
	/* the current one of a profile: neither a revoked one nor another profile's */
	MUST(store_device_current(store, id, 2300, &n, &err));
	CU_ASSERT_EQUAL(n, id);
	MUST(store_device_current(store, id, cert.not_after + 1, &n, &err));
	CU_ASSERT_EQUAL(n, 0);
	MUST(store_device_current(store, id + 99, 2300, &n, &err));
	CU_ASSERT_EQUAL(n, 0);
	cert.profile = "device-signature";
	cert.use = USE_SIGNATURE;
	cert.serial.octets[1] = 2;
	cert.key_hash[2] = 8;
	cert.replaces = id;
	MUST(change(store, id, CERT_VALID, 0, 2300, &err));
	newer = issue(store, &cert, 2400);
	MUST(store_device_current(store, id, 2500, &n, &err));
	CU_ASSERT_EQUAL(n, newer);
	MUST(change(store, newer, CERT_HOLD, 0, 2500, &err));
	MUST(store_device_current(store, id, 2500, &n, &err));
	CU_ASSERT_EQUAL(n, newer);
	MUST(change(store, newer, CERT_REVOKED, 0, 2600, &err));
	MUST(store_device_current(store, id, 2600, &n, &err));
	CU_ASSERT_EQUAL(n, id);
	device = device_of(2);
	MUST(store_device_issued(store, &device.eui, 0, &n, &err));
	CU_ASSERT_EQUAL(n, 0);
	store_close(store);
	store_dir_end();
}

/* ---- certificates ---- */

/* Issue to device n as who; 0, or the failure's code with its text in err. */
static int
issue_as(struct store *store, long uid, int n, const char *hw_type, struct err *err)
{
	struct store_new_cert cert = cert_of(n, der5);
	struct store_actor at = { .uid = uid, .now = 1000 };
	bool taken;
	int64_t id;
	int rc;

	strcpy(cert.holder.hw_type, hw_type);
	CHECK(store_begin(store, err) == 0);
	rc = store_cert_add(store, &at, &cert, &id, &taken, err);
	store_rollback(store);
	return rc == 0 ? 0 : (int)err->code;
}

static void
test_certificates(void)
{
	static const struct {
		const char *name;
		int n;
		unsigned proofs;
		bool approved;
		enum device_action action; /* 0 = none */
		int operator, front;
		const char *words;
	} rows[] = {
		{ "good", 1, DEVICE_PROOF_IDEVID, true, 0, 0, 0, NULL },
		{ "not approved", 2, DEVICE_PROOF_IDEVID, false, 0, 0, FAIL_CONFLICT,
		    "device: is not approved" },
		{ "no proofs", 3, 0, true, 0, 0, FAIL_CONFLICT,
		    "device: enrols only through operators" },
		{ "on hold", 4, DEVICE_PROOF_IDEVID, true, DEVICE_DO_HOLD, FAIL_CONFLICT,
		    FAIL_CONFLICT, "device: is on hold in the register" },
		{ "retired", 5, DEVICE_PROOF_IDEVID, true, DEVICE_DO_RETIRE, FAIL_CONFLICT,
		    FAIL_CONFLICT, "device: is retired" },
	};
	struct store *store = store_new();
	struct device device, got;
	struct store_new_cert cert = cert_of(8, der5);
	struct err err;
	bool fatal, changed;
	int64_t id;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		device = device_of(rows[i].n);
		device.proofs = rows[i].proofs;
		device.approved = rows[i].approved;
		id = device_add(store, &device);
		MUST(store_begin(store, &err));
		if (rows[i].action != 0)
			MUST(
			    store_device_change(store, &actor, id, rows[i].action, &changed, &err));
		MUST(store_commit(store, &fatal, &err));
		CHECK_ROW(rows[i].name,
		    issue_as(store, 1000, rows[i].n, "1.2.3", &err) == rows[i].operator);
		CHECK_ROW(rows[i].name,
		    issue_as(store, ACTOR_SELF, rows[i].n, "1.2.3", &err) == rows[i].operator);
		CHECK_ROW(rows[i].name,
		    issue_as(store, ACTOR_FRONT, rows[i].n, "1.2.3", &err) == rows[i].front);
		if (rows[i].words != NULL)
			CHECK_STR(err.msg, rows[i].words);
	}
	CU_ASSERT_EQUAL(issue_as(store, ACTOR_FRONT, 9, "1.2.3", &err), FAIL_DENIED);
	CHECK_STR(err.msg, "device 0000000000000009: is not registered");
	CU_ASSERT_EQUAL(issue_as(store, 1000, 1, "1.2.4", &err), FAIL_CONFLICT);
	CHECK_STR(err.msg, "device 0000000000000001: is registered with hwType 1.2.3, not 1.2.4");
	CU_ASSERT_EQUAL(issue_as(store, ACTOR_FRONT, 1, "1.2.4", &err), FAIL_CONFLICT);

	/* whom an operator issues to is registered by that, to come through operators only */
	CHECK(!device_is_seen(store, 8));
	issue(store, &cert, 2000);
	device = device_of(8);
	MUST(store_device_get(store, &device.eui, &got, &err));
	CHECK(got.approved && got.proofs == 0 && got.state == DEVICE_ACTIVE);
	CHECK_STR(got.hw_type, "1.2.3");
	CU_ASSERT_EQUAL(got.registered, 2000);
	CU_ASSERT_EQUAL(count("SELECT count(*) FROM event WHERE action = 'device'"), 6);
	/* and an organisation is not */
	cert = cert_of(10, der5);
	cert.holder.kind = HOLDER_ORGANISATION;
	cert.holder.hw_type[0] = '\0';
	CU_ASSERT_EQUAL(count("SELECT count(*) FROM event WHERE action = 'holder'"), 0);
	issue(store, &cert, 2000);
	CHECK(!device_is_seen(store, 10));
	/* it is a holder with its event, as no device is */
	CU_ASSERT_EQUAL(count("SELECT count(*) FROM event e JOIN holder h ON h.id = e.holder "
			      "WHERE e.action = 'holder' AND h.kind = 2"),
	    1);
	store_close(store);
	store_dir_end();
}

static const struct test_case cases[] = {
	{ "add and get", test_add },
	{ "lists", test_list },
	{ "changes", test_change },
	{ "secrets", test_secret },
	{ "history", test_history },
	{ "certificates", test_certificates },
};

TEST_MAIN("store_device", cases)
