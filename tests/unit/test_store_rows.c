/*
 * What the store writes and reads back: certificates, states and their history, CAs, CRLs.
 */
#include "store_db.h"

/* ---- issuing and reading back ---- */

static void
test_issue(void)
{
	struct store *store = store_new();
	struct store_new_cert cert = cert_of(1, der5);
	struct store_cert got;
	struct store_status status;
	struct store_tally tally;
	struct holder holder;
	struct buf der = { 0 };
	struct serial other = cert.serial;
	struct err err;
	int64_t id = issue(store, &cert, 2000);
	time_t time;
	int64_t event;

	CU_ASSERT_EQUAL(id, 1);
	MUST(store_cert_get(store, id, &got, &err));
	CU_ASSERT_EQUAL(got.id, 1);
	CU_ASSERT_EQUAL(got.ca, 1);
	CHECK_STR(got.ca_name, "root");
	CHECK(serial_eq(&got.serial, &cert.serial));
	CHECK_STR(got.profile, "device-signature");
	CU_ASSERT_EQUAL(got.holder.kind, HOLDER_DEVICE);
	CHECK_MEM(got.holder.name, got.holder.name_len, cert.holder.name, 8);
	CHECK_STR(got.holder.hw_type, "1.2.3");
	CU_ASSERT_EQUAL(got.use, USE_SIGNATURE);
	CHECK_MEM(got.key_hash, SHA256_LEN, cert.key_hash, SHA256_LEN);
	CU_ASSERT_EQUAL(got.not_before, 1000);
	CU_ASSERT_EQUAL(got.not_after, 253402300799);
	CU_ASSERT_EQUAL(got.replaces, 0);
	CU_ASSERT_EQUAL(got.state, CERT_VALID);
	CU_ASSERT_EQUAL(got.reason, REASON_UNSPECIFIED);
	CU_ASSERT_EQUAL(got.changed, 2000);
	CU_ASSERT_EQUAL(got.invalid_since, 0);
	/* ca, device, issue */
	CU_ASSERT_EQUAL(got.event, 3);
	MUST(store_event_newest(store, &event, &time, &err));
	CU_ASSERT_EQUAL(event, 3);
	CU_ASSERT_EQUAL(time, 2000);

	MUST(store_cert_der(store, id, &der, &err));
	MUST(store_cert_der(store, id, &der, &err)); /* appends */
	CHECK_MEM(der.data, der.len, "\x30\x03\x02\x01\x07\x30\x03\x02\x01\x07", 10);
	buf_free(&der);
	MUST(store_cert_find(store, 1, &cert.serial, &got, &err));
	MUST(store_status_get(store, 1, &cert.serial, &status, &err));
	CU_ASSERT_EQUAL(status.state, CERT_VALID);
	CU_ASSERT_EQUAL(status.changed, 2000);
	MUST(store_holder_get(store, HOLDER_DEVICE, cert.holder.name, 8, &holder, &err));
	CHECK_STR(holder.hw_type, "1.2.3");
	MUST(store_tally(store, 1, &tally, &err));
	CHECK(tally.valid == 1 && tally.hold == 0 && tally.revoked == 0);

	other.octets[7] ^= 1;
	CHECK(store_cert_get(store, 2, &got, &err) != 0 && err.code == FAIL_NOT_FOUND);
	CHECK(store_cert_find(store, 1, &other, &got, &err) != 0 && err.code == FAIL_NOT_FOUND);
	CHECK(
	    store_cert_find(store, 2, &cert.serial, &got, &err) != 0 && err.code == FAIL_NOT_FOUND);
	CHECK(store_status_get(store, 1, &other, &status, &err) != 0 && err.code == FAIL_NOT_FOUND);
	CHECK(store_cert_der(store, 2, &der, &err) != 0 && err.code == FAIL_NOT_FOUND);
	CHECK(der.len == 0);
	CHECK(
	    store_holder_get(store, HOLDER_ORGANISATION, cert.holder.name, 8, &holder, &err) != 0 &&
	    err.code == FAIL_NOT_FOUND);

	/* on hold, and a device known already: one event only */
	cert = cert_of(2, der5);
	cert.on_hold = true;
	memcpy(cert.holder.name, got.holder.name, 8);
	cert.profile = "device-agreement";
	cert.use = USE_AGREEMENT;
	id = issue(store, &cert, 2000);
	MUST(store_status_get(store, 1, &cert.serial, &status, &err));
	CU_ASSERT_EQUAL(status.state, CERT_HOLD);
	CU_ASSERT_EQUAL(status.reason, REASON_CERTIFICATE_HOLD);
	CU_ASSERT_EQUAL(newest_event(store), 4);
	store_close(store);
	store_dir_end();
}

static void
test_few(void)
{
	struct store *store = store_new();
	struct store_new_cert cert = cert_of(1, der5);
	struct store_cert rows[3];
	struct err err;
	bool fatal;
	size_t n = 99;
	int64_t ca;

	MUST(store_begin(store, &err));
	MUST(store_ca_add(store, &actor, "second", 1, &ca, &err));
	MUST(store_commit(store, &fatal, &err));
	issue(store, &cert, 2000);
	cert.replaces = 1;
	cert.ca = ca; /* same serial under another CA, same key, same device */
	issue(store, &cert, 2000);
	MUST(store_certs_by_serial(store, &cert.serial, rows, 3, &n, &err));
	CHECK(n == 2 && rows[0].id == 2 && rows[1].id == 1);
	CHECK_STR(rows[0].ca_name, "second");
	CU_ASSERT_EQUAL(rows[0].replaces, 1);
	MUST(store_certs_by_key(store, cert.key_hash, rows, 2, &n, &err));
	CHECK(n == 2 && rows[0].id == 2);
	MUST(store_certs_by_holder(store, HOLDER_DEVICE, cert.holder.name, 8, rows, 2, &n, &err));
	CHECK(n == 2 && rows[0].id == 2);
	CHECK(store_certs_by_serial(store, &cert.serial, rows, 1, &n, &err) != 0 &&
	      err.code == FAIL_LIMIT);
	CHECK(store_certs_by_key(store, cert.key_hash, rows, 1, &n, &err) != 0 &&
	      err.code == FAIL_LIMIT);
	CHECK(store_certs_by_holder(store, HOLDER_DEVICE, cert.holder.name, 8, rows, 0, &n, &err) !=
		  0 &&
	      err.code == FAIL_LIMIT);
	CU_ASSERT_EQUAL(n, 2);	/* untouched by failures */
	cert.key_hash[31] ^= 1; /* the same first octets */
	MUST(store_certs_by_key(store, cert.key_hash, rows, 3, &n, &err));
	CU_ASSERT_EQUAL(n, 0);
	cert.serial.octets[3] = 9;
	MUST(store_certs_by_serial(store, &cert.serial, rows, 3, &n, &err));
	CU_ASSERT_EQUAL(n, 0);
	store_close(store);
	store_dir_end();
}

/* Refusals keep to their savepoint; neighbours stay. */
static void
test_savepoint(void)
{
	struct store *store = store_new();
	struct store_new_cert one = cert_of(1, der5), two = cert_of(2, der5),
			      three = cert_of(3, der5);
	struct store_cert got;
	struct err err;
	const struct store_actor later = { .uid = actor.uid, .now = actor.now + 1 };
	bool fatal, taken = true;
	int64_t id = 0, before;
	time_t time;

	MUST(store_begin(store, &err));
	MUST(store_savepoint(store, &err));
	MUST(store_cert_add(store, &actor, &one, &id, &taken, &err));
	CHECK(!taken);
	MUST(store_release(store, &err));
	before = newest_event(store);

	MUST(store_savepoint(store, &err));
	two.serial = one.serial;
	two.profile = "new-profile"; /* its row goes with the savepoint, and so must its number */
	id = 77;
	CHECK(store_cert_add(store, &actor, &two, &id, &taken, &err) != 0);
	CHECK(err.code == FAIL_CONFLICT && taken);
	CHECK_STR(err.msg, "certificate: serial is taken");
	CU_ASSERT_EQUAL(id, 77);
	MUST(store_undo(store, &err));
	CU_ASSERT_EQUAL(newest_event(store), before);

	MUST(store_savepoint(store, &err));
	two = cert_of(2, der5);
	memcpy(two.key_hash, one.key_hash, SHA256_LEN);
	CHECK(store_cert_add(store, &actor, &two, &id, &taken, &err) != 0);
	CHECK(err.code == FAIL_CONFLICT && !taken);
	CHECK_STR(err.msg, "key: is certified for another holder or usage");
	MUST(store_undo(store, &err));

	MUST(store_savepoint(store, &err));
	two = cert_of(1, der5);
	strcpy(two.holder.hw_type, "1.2.4");
	CHECK(store_cert_add(store, &actor, &two, &id, &taken, &err) != 0);
	CHECK(err.code == FAIL_CONFLICT && !taken);
	CHECK_STR(err.msg, "device 0000000000000001: is registered with hwType 1.2.3, not 1.2.4");
	MUST(store_undo(store, &err));

	/* what was recorded and undone gives its numbers and its time back */
	MUST(store_savepoint(store, &err));
	two = cert_of(2, der5);
	MUST(store_cert_add(store, &later, &two, &id, &taken, &err));
	CU_ASSERT_EQUAL(id, 2);
	MUST(store_event_newest(store, &id, &time, &err));
	CHECK(id > before && time == later.now);
	MUST(store_undo(store, &err));
	MUST(store_event_newest(store, &id, &time, &err));
	CHECK(id == before && time == actor.now);

	MUST(store_savepoint(store, &err));
	three.profile = "other-profile";
	MUST(store_cert_add(store, &actor, &three, &id, &taken, &err));
	CU_ASSERT_EQUAL(id, 2);
	MUST(store_release(store, &err));
	two = cert_of(2, der5);
	two.profile = "new-profile";
	MUST(store_cert_add(store, &actor, &two, &id, &taken, &err));
	MUST(store_commit(store, &fatal, &err));
	CHECK(store_cert_get(store, 1, &got, &err) == 0);
	MUST(store_cert_get(store, 2, &got, &err));
	CHECK_STR(got.profile, "other-profile");
	MUST(store_cert_get(store, 3, &got, &err));
	CHECK_STR(got.profile, "new-profile");
	CHECK(store_cert_get(store, 4, &got, &err) != 0);
	store_close(store);
	store_dir_end();
}

/* ---- states ---- */

struct history {
	size_t n;
	struct store_event event[8];
};

static int
history_add(void *ctx, const struct store_event *event, struct err *err)
{
	struct history *history = ctx;

	if (history->n == ARRAY_LEN(history->event))
		return err_set(err, FAIL_LIMIT, "history is full");
	history->event[history->n++] = *event;
	return 0;
}

static int
history_stop(void *ctx, const struct store_event *event, struct err *err)
{
	++*(int *)ctx;
	return err_set(err, FAIL_DENIED, "enough");
}

static void
test_change(void)
{
	struct store *store = store_new();
	struct store_new_cert cert = cert_of(1, der5);
	struct store_change revoke = {
		.to = CERT_REVOKED, .reason = REASON_KEY_COMPROMISE, .invalid_since = 1500
	};
	struct store_actor late = { .uid = ACTOR_SELF, .now = 2003 };
	struct history history = { 0 };
	struct store_cert got;
	struct store_tally tally;
	struct store_ca cas[STORE_CAS_MAX];
	struct err err;
	bool fatal, taken;
	int64_t id = issue(store, &cert, 2000), other;
	int calls = 0;
	size_t n;

	CHECK(change(store, 9, CERT_HOLD, 0, 2001, &err) != 0 && err.code == FAIL_NOT_FOUND);
	CHECK(change(store, id, CERT_VALID, 0, 2001, &err) != 0 && err.code == FAIL_CONFLICT);
	CHECK_STR(err.msg, "certificate: this state change is not in the transition table");
	MUST(change(store, id, CERT_HOLD, REASON_SUPERSEDED, 2001, &err));
	MUST(store_cert_get(store, id, &got, &err));
	CHECK(
	    got.state == CERT_HOLD && got.reason == REASON_CERTIFICATE_HOLD && got.changed == 2001);
	CHECK(change(store, id, CERT_HOLD, 0, 2001, &err) != 0 && err.code == FAIL_CONFLICT);
	CHECK(change(store, id, CERT_VALID, 0, 2000, &err) != 0 && err.code == FAIL_CONFLICT);
	CHECK_STR(err.msg, "event: time is before the event before it");
	MUST(change(store, id, CERT_VALID, 0, 2002, &err));
	MUST(store_cert_get(store, id, &got, &err));
	CHECK(got.state == CERT_VALID && got.reason == REASON_UNSPECIFIED && got.changed == 2002);
	/* a reason that no certificate may have, and a date to come: never from the service */
	CHECK(change(store, id, CERT_REVOKED, REASON_REMOVE_FROM_CRL, 2003, &err) != 0 &&
	      err.code == FAIL_CONFLICT);

	MUST(store_begin(store, &err));
	MUST(store_cert_change(store, &late, id, &revoke, &err));
	MUST(store_commit(store, &fatal, &err));
	MUST(store_cert_get(store, id, &got, &err));
	CHECK(got.state == CERT_REVOKED && got.reason == REASON_KEY_COMPROMISE);
	CHECK(got.changed == 2003 && got.invalid_since == 1500);
	CHECK(change(store, id, CERT_VALID, 0, 2004, &err) != 0 && err.code == FAIL_CONFLICT);
	CHECK(change(store, id, CERT_HOLD, 0, 2004, &err) != 0 && err.code == FAIL_CONFLICT);
	CHECK(change(store, id, CERT_REVOKED, 0, 2004, &err) != 0 && err.code == FAIL_CONFLICT);

	MUST(store_event_each(store, id, history_add, &history, &err));
	CU_ASSERT_EQUAL_FATAL(history.n, 5);
	CHECK_STR(history.event[0].action, "issue");
	CHECK(history.event[0].from_state == -1 && history.event[0].to_state == CERT_VALID);
	CHECK(history.event[0].actor == 1000 && history.event[0].reason == -1);
	CHECK(history.event[0].ca == 1 && history.event[0].certificate == id);
	CHECK(history.event[0].holder == 1 && history.event[0].time == 2000);
	CHECK_STR(history.event[0].detail, "test");
	CHECK_STR(history.event[1].action, "hold");
	CHECK(history.event[1].from_state == CERT_VALID && history.event[1].to_state == CERT_HOLD);
	CHECK_STR(history.event[2].action, "reactivate");
	CHECK_STR(history.event[3].action, "revoke");
	CHECK(history.event[3].actor == ACTOR_SELF && history.event[3].invalid_since == 1500);
	CHECK(history.event[3].id == got.event);
	CHECK_STR(history.event[3].detail, "");
	CHECK_STR(history.event[4].action, "key-blocked");
	CHECK(store_event_each(store, id, history_stop, &calls, &err) != 0);
	CHECK(calls == 1 && err.code == FAIL_DENIED);

	/* the key is nobody's any more, nor this device's */
	cert.serial.octets[5] = 1;
	MUST(store_begin(store, &err));
	CHECK(store_cert_add(store, &late, &cert, &other, &taken, &err) != 0 &&
	      err.code == FAIL_CONFLICT);
	CHECK_STR(err.msg, "key: is blocked as compromised");
	store_rollback(store);
	MUST(store_tally(store, 1, &tally, &err));
	CHECK(tally.valid == 0 && tally.hold == 0 && tally.revoked == 1);
	MUST(store_ca_list(store, cas, &n, &err));
	CHECK(n == 1 && cas[0].changed_event == got.event);
	store_close(store);
	store_dir_end();
}

/* Two certificates of one key, both revoked as compromised: blocked once. */
static void
test_block_twice(void)
{
	struct store *store = store_new();
	struct store_new_cert cert = cert_of(1, der5);
	struct err err;

	issue(store, &cert, 2000);
	cert.serial.octets[5] = 1;
	cert.replaces = 1;
	issue(store, &cert, 2000);
	MUST(change(store, 1, CERT_REVOKED, REASON_KEY_COMPROMISE, 2000, &err));
	MUST(change(store, 2, CERT_REVOKED, REASON_KEY_COMPROMISE, 2000, &err));
	store_close(store);
	store_dir_end();
}

static void
test_detail(void)
{
	static const struct {
		const char *name;
		size_t at;   /* octets of 'a' before an e acute */
		size_t want; /* octets kept */
	} rows[] = { { "fits", 252, 254 }, { "just fits", 253, 255 },
		{ "cut in the letter", 254, 254 }, { "cut before", 255, 255 },
		{ "cut far before", 300, 255 } };
	struct store *store = store_new();
	struct err err;
	int64_t id = 0;
	bool fatal;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct store_actor a = actor;
		struct store_new_cert cert = cert_of(10 + (int)i, der5);
		struct history history = { 0 };
		char text[512];
		bool taken;

		memset(text, 'a', rows[i].at);
		strcpy(text + rows[i].at, "\xc3\xa9");
		a.detail = text;
		MUST(store_begin(store, &err));
		MUST(store_cert_add(store, &a, &cert, &id, &taken, &err));
		MUST(store_commit(store, &fatal, &err));
		MUST(store_event_each(store, id, history_add, &history, &err));
		CHECK_ROW(rows[i].name, strlen(history.event[0].detail) == rows[i].want);
		CHECK_ROW(rows[i].name, strncmp(history.event[0].detail, text, rows[i].want) == 0);
	}
	store_close(store);
	store_dir_end();
}

/* ---- CAs and settings ---- */

static void
test_ca(void)
{
	struct store *store = store_new();
	struct store_ca cas[STORE_CAS_MAX];
	struct store_new_cert cert = cert_of(1, der5);
	struct err err;
	bool fatal;
	int64_t id = 0, ocsp;
	size_t n = 0;
	char name[NAME_LEN];

	cert.use = USE_CA;
	cert.holder = (struct holder){ .kind = HOLDER_SERVICE, .name = "ca:root", .name_len = 7 };
	cert.profile = "root-ca";
	issue(store, &cert, 2000);
	cert = cert_of(2, der5);
	cert.use = USE_OCSP;
	cert.holder = (struct holder){ .kind = HOLDER_SERVICE, .name = "ocsp:root", .name_len = 9 };
	cert.profile = "ocsp";
	ocsp = issue(store, &cert, 2000);
	cert = cert_of(3, der5);
	issue(store, &cert, 2000);

	MUST(store_begin(store, &err));
	CHECK(store_ca_set_certificate(store, 1, ocsp, &err) != 0 && err.code == FAIL_CONFLICT);
	MUST(store_ca_set_certificate(store, 1, 1, &err));
	CHECK(store_ca_set_certificate(store, 7, 1, &err) != 0 && err.code == FAIL_NOT_FOUND);
	store_rollback(store);
	MUST(store_begin(store, &err));
	MUST(store_ca_set_certificate(store, 1, 1, &err));
	MUST(store_commit(store, &fatal, &err));

	struct store_actor at = { .uid = ACTOR_SELF, .now = 2000 };
	MUST(store_begin(store, &err));
	CHECK(store_responder_set(store, &at, 1, 3, &err) != 0 && err.code == FAIL_CONFLICT);
	store_rollback(store);
	MUST(store_begin(store, &err));
	MUST(store_responder_set(store, &at, 1, ocsp, &err));
	MUST(store_responder_set(store, &at, 1, ocsp, &err)); /* again: fine */
	CHECK(store_ca_add(store, &at, "root", 0, &id, &err) != 0 && err.code == FAIL_CONFLICT);
	CHECK(store_ca_add(store, &at, "no good", 0, &id, &err) != 0 && err.code == FAIL_INVALID);
	MUST(store_ca_add(store, &at, "issuing", 1, &id, &err));
	MUST(store_commit(store, &fatal, &err));
	CU_ASSERT_EQUAL(id, 2);
	MUST(store_ca_list(store, cas, &n, &err));
	CU_ASSERT_EQUAL_FATAL(n, 2);
	CHECK_STR(cas[0].name, "root");
	CHECK(cas[0].id == 1 && cas[0].parent == 1 && cas[0].certificate == 1);
	CHECK(cas[0].responder == ocsp);
	CHECK_STR(cas[1].name, "issuing");
	CHECK(cas[1].id == 2 && cas[1].parent == 1 && cas[1].certificate == 0);
	CHECK(cas[1].responder == 0 && cas[1].changed_event == 0);

	MUST(store_begin(store, &err));
	for (int i = 3; i <= STORE_CAS_MAX; i++) {
		snprintf(name, sizeof name, "ca-%d", i);
		MUST(store_ca_add(store, &at, name, 1, &id, &err));
	}
	CHECK(store_ca_add(store, &at, "too-many", 1, &id, &err) != 0 && err.code == FAIL_LIMIT);
	MUST(store_commit(store, &fatal, &err));
	MUST(store_ca_list(store, cas, &n, &err));
	CU_ASSERT_EQUAL(n, STORE_CAS_MAX);

	MUST(store_setting_put(store, "certificates_per_device", 1, &err));
	CHECK(store_setting_put(store, "no-such", 1, &err) != 0 && err.code == FAIL_NOT_FOUND);
	cert = cert_of(4, der5);
	memset(&cert.holder.name, 0, sizeof cert.holder.name);
	cert.holder.name[7] = 3;
	cert.replaces = 3;
	MUST(store_begin(store, &err));
	bool taken;
	CHECK(
	    store_cert_add(store, &at, &cert, &id, &taken, &err) != 0 && err.code == FAIL_CONFLICT);
	CHECK_STR(err.msg, "device: has all the certificates it may ever have");
	store_close(store);
	store_dir_end();
}

/* ---- CRLs ---- */

static int
listed_add(void *ctx, const struct store_listed *listed, struct err *err)
{
	struct buf *text = ctx;

	buf_fmt(text, "%d:%d:%d:%d ", listed->serial.octets[7], (int)listed->reason,
	    (int)listed->changed, (int)listed->invalid_since);
	return 0;
}

static void
test_crl(void)
{
	struct store *store = store_new();
	struct store_crl crl = { .ca = 1,
		.this_update = 2200,
		.next_update = 3200,
		.entries = 3,
		.size = 500,
		.sha256 = { 1, 2, 3 } };
	struct store_crl rows[4];
	struct store_actor at = { .uid = ACTOR_SELF, .now = 2200 };
	struct buf text = { 0 };
	struct err err;
	bool fatal;
	int64_t number = 0;
	size_t n = 9;

	list_fill(store);
	/* by event: 2 is on hold anew */
	MUST(change(store, 2, CERT_VALID, 0, 2090, &err));
	MUST(change(store, 2, CERT_HOLD, 0, 2100, &err));
	MUST(store_listed_each(store, 1, listed_add, &text, &err));
	CHECK_STR(buf_text(&text), "3:4:2080:0 5:6:2090:0 2:6:2100:0 ");
	buf_free(&text);
	CHECK(store_crl_newest(store, 1, rows, &err) != 0 && err.code == FAIL_NOT_FOUND);
	crl.event = newest_event(store);
	for (int i = 1; i <= 4; i++) {
		MUST(store_begin(store, &err));
		MUST(store_crl_take(store, 1, 2200, &number, &err));
		CU_ASSERT_EQUAL(number, i);
		MUST(store_commit(store, &fatal, &err));
		crl.number = i;
		if (i == 2)
			continue; /* burnt */
		crl.this_update++;
		MUST(store_begin(store, &err));
		MUST(store_crl_finish(store, &at, &crl, &err));
		MUST(store_commit(store, &fatal, &err));
	}
	MUST(store_crl_newest(store, 1, rows, &err));
	CHECK(rows[0].ca == 1 && rows[0].number == 4 && rows[0].event == crl.event);
	CHECK(rows[0].this_update == 2203 && rows[0].next_update == 3200);
	CHECK(rows[0].entries == 3 && rows[0].size == 500);
	CHECK_MEM(rows[0].sha256, 32, crl.sha256, 32);
	MUST(
	    store_list_recent(store, &(struct crl_which){ 1, CRL_COMPLETE, 0 }, rows, 4, &n, &err));
	CHECK(n == 3 && rows[0].number == 4 && rows[1].number == 3 && rows[2].number == 1);
	MUST(
	    store_list_recent(store, &(struct crl_which){ 1, CRL_COMPLETE, 0 }, rows, 2, &n, &err));
	CHECK(n == 2 && rows[1].number == 3);
	MUST(
	    store_list_recent(store, &(struct crl_which){ 2, CRL_COMPLETE, 0 }, rows, 4, &n, &err));
	CU_ASSERT_EQUAL(n, 0);

	crl.number = 2;
	MUST(store_begin(store, &err));
	CHECK(store_crl_finish(store, &at, &crl, &err) != 0 && err.code == FAIL_CONFLICT);
	CHECK_STR(err.msg, "crl: is older than a finished one");
	store_rollback(store);
	crl.number = 9;
	MUST(store_begin(store, &err));
	CHECK(store_crl_finish(store, &at, &crl, &err) != 0 && err.code == FAIL_NOT_FOUND);
	store_rollback(store);
	/* a number taken in a transaction that was undone is not used up */
	MUST(store_begin(store, &err));
	MUST(store_crl_take(store, 1, 2200, &number, &err));
	store_rollback(store);
	MUST(store_begin(store, &err));
	MUST(store_crl_take(store, 1, 2200, &number, &err));
	CU_ASSERT_EQUAL(number, 5);
	store_close(store);
	store_dir_end();
}

static const struct test_case cases[] = {
	{ "issue and read", test_issue },
	{ "by serial, key, holder", test_few },
	{ "savepoints", test_savepoint },
	{ "state changes", test_change },
	{ "a key blocked twice", test_block_twice },
	{ "event detail", test_detail },
	{ "cas and settings", test_ca },
	{ "crls", test_crl },
};

TEST_MAIN("store_rows", cases)
