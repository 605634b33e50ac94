/*
 * Issuing with a key in memory: the way of a request, the identity rules, what a refusal and a
 * collision leave behind.
 */
#include "issue_rig.h"

struct change_job {
	struct commit_job job; /* first */
	int64_t id;
	struct store_change change;
};

static int
change_apply(struct commit_job *job, struct store *store, struct err *err)
{
	struct change_job *c = (struct change_job *)job;
	struct store_actor actor = { .uid = 0 };
	int64_t event;

	if (store_event_newest(store, &event, &actor.now, err) != 0)
		return -1;
	return store_cert_change(store, &actor, c->id, &c->change, err);
}

static void
rig_change(struct rig *r, int64_t id, enum cert_state to, enum crl_reason reason)
{
	struct change_job c = { .job = { .lane = COMMIT_STATE, .apply = change_apply },
		.id = id,
		.change = { .to = to, .reason = reason } };

	RIG(committer_run(r->committer, &c.job, &rig_err));
}

/* A request becomes a certificate of ours; the same request again gives the same one. */
static void
test_issue_and_retry(void)
{
	struct rig *r = rig_new();
	struct workers *w = workers_new(r, 1, rng_draw);
	struct softsign *key = softsign_new(EC_P256);
	struct outcome first = { 0 }, again = { 0 };
	struct buf csr = { 0 }, pem = { 0 };
	struct store_cert row;
	struct cert cert;
	struct err err;
	int64_t event;

	rig_csr(key, 1, 1, KEY_USAGE_DIGITAL_SIGNATURE, &csr);
	issue_csr(w, &csr, &first);
	CHECK(first.ok && !first.result.existing && first.result.state == CERT_VALID);
	CHECK_STR(first.result.profile, "device-signature");
	CHECK_STR(first.result.ca, "issuing");
	CHECK(first.result.replaces == 0);
	CHECK(cert_parse(first.der.data, first.der.len, &cert, &err) == 0);
	CHECK(cert_check_issued(&cert, &r->ca->cert, &err) == 0);
	CHECK(ec_pub_eq(&cert.pub, &key->signer.pub));
	CHECK(serial_eq(&cert.serial, &first.result.serial));
	CHECK(store_cert_get(r->reader, first.result.id, &row, &err) == 0);
	CHECK(row.state == CERT_VALID && row.use == USE_SIGNATURE && row.ca == r->ca->id);

	/* Also in another wrapping. */
	event = rig_event(r);
	pem_encode("CERTIFICATE REQUEST", csr.data, csr.len, &pem);
	issue_csr(w, &pem, &again);
	CHECK(again.ok && again.result.existing && again.result.id == first.result.id);
	CHECK_MEM(again.der.data, again.der.len, first.der.data, first.der.len);
	CHECK(rig_event(r) == event);
	CHECK(r->ca_key->calls == 2); /* the responder's and this one */

	buf_free(&csr);
	buf_free(&pem);
	buf_free(&first.der);
	buf_free(&again.der);
	softsign_free(key);
	workers_free(w);
	rig_free(r);
}

/* What is refused before anything is signed, and that nothing is written then. */
static void
test_issue_refusals(void)
{
	static const struct {
		const char *name;
		const char *profile, *ca;
		bool by_device;
		size_t cut; /* octets cut off the request */
		enum err_code code;
		const char *text;
	} rows[] = {
		{ "cut request", "", "", false, 1, FAIL_INVALID, "csr" },
		{ "no request", "", "", false, 9999, FAIL_INVALID, "csr" },
		{ "no such profile", "nothing", "", false, 0, FAIL_NOT_FOUND, "profile nothing" },
		{ "other usage", "device-agreement", "", false, 0, FAIL_INVALID, "4.2.1.3" },
		{ "CA profile", "issuing-ca", "", false, 0, FAIL_DENIED, "ceremony" },
		{ "root profile", "root-ca", "", false, 0, FAIL_DENIED, "ceremony" },
		{ "OCSP profile", "ocsp", "", false, 0, FAIL_DENIED, "ceremony" },
		{ "no such CA", "", "nobody", false, 0, FAIL_NOT_FOUND, "ca nobody" },
		{ "root", "", "root", false, 0, FAIL_DENIED, "ceremony" },
		{ "other device", "", "", true, 0, FAIL_INVALID, "RFC 4108 5" },
	};
	struct rig *r = rig_new();
	struct workers *w = workers_new(r, 1, rng_draw);
	struct softsign *key = softsign_new(EC_P256);
	struct buf csr = { 0 };
	int64_t event = rig_event(r);
	unsigned calls = r->ca_key->calls;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct outcome o = { 0 };
		struct issue_task *task;

		rig_csr(key, 1, 1, KEY_USAGE_DIGITAL_SIGNATURE, &csr);
		csr.len -= rows[i].cut < csr.len ? rows[i].cut : csr.len;
		task = workers_task(w, &csr, &o);
		snprintf(task->request.profile, NAME_LEN, "%s", rows[i].profile);
		snprintf(task->request.ca, NAME_LEN, "%s", rows[i].ca);
		task->request.by_device = rows[i].by_device;
		issue_one(w, task, &o);
		CHECK_ROW(rows[i].name, refused(&o, rows[i].code, rows[i].text));
	}
	CHECK(rig_event(r) == event);
	CHECK(r->ca_key->calls == calls);
	buf_free(&csr);
	softsign_free(key);
	workers_free(w);
	rig_free(r);
}

/* A token that refuses or errs, and a doubtful clock: unavailable, nothing recorded. */
static void
test_issue_unavailable(void)
{
	struct rig *r = rig_new();
	struct workers *w = workers_new(r, 1, rng_draw);
	struct softsign *key = softsign_new(EC_P256);
	struct outcome o = { 0 };
	struct buf csr = { 0 };
	int64_t event = rig_event(r);

	rig_csr(key, 1, 1, KEY_USAGE_KEY_AGREEMENT, &csr);
	r->ca_key->refuse = true;
	issue_csr(w, &csr, &o);
	CHECK(refused(&o, FAIL_UNAVAILABLE, "token"));
	r->ca_key->refuse = false;
	r->ca_key->corrupt = true;
	issue_csr(w, &csr, &o);
	CHECK(refused(&o, FAIL_UNAVAILABLE, "does not verify"));
	r->ca_key->corrupt = false;
	timeguard_note(r->guard, r->now + 3600);
	issue_csr(w, &csr, &o);
	CHECK(refused(&o, FAIL_UNAVAILABLE, "clock"));
	timeguard_note(r->guard, r->now);
	r->ca->has_key = false;
	issue_csr(w, &csr, &o);
	CHECK(refused(&o, FAIL_UNAVAILABLE, "ca issuing"));
	r->ca->has_key = true;
	CHECK(rig_event(r) == event);
	issue_csr(w, &csr, &o);
	CHECK(o.ok);
	buf_free(&csr);
	buf_free(&o.der);
	softsign_free(key);
	workers_free(w);
	rig_free(r);
}

/* One device, three keys, as the rules say. */
static void
test_issue_identity(void)
{
	struct rig *r = rig_new();
	struct workers *w = workers_new(r, 1, rng_draw);
	struct softsign *a = softsign_new(EC_P256), *b = softsign_new(EC_P256),
			*c = softsign_new(EC_P256);
	struct outcome o = { 0 };
	struct buf csr = { 0 };
	struct issue_task *task;
	int64_t first, second;

	rig_csr(a, 1, 1, KEY_USAGE_DIGITAL_SIGNATURE, &csr);
	issue_csr(w, &csr, &o);
	CHECK(o.ok);
	first = o.result.id;
	/* Key: not for another device, not for another usage. */
	rig_csr(a, 2, 1, KEY_USAGE_DIGITAL_SIGNATURE, &csr);
	issue_csr(w, &csr, &o);
	CHECK(refused(&o, FAIL_CONFLICT, "another holder"));
	rig_csr(a, 1, 1, KEY_USAGE_KEY_AGREEMENT, &csr);
	issue_csr(w, &csr, &o);
	CHECK(refused(&o, FAIL_CONFLICT, "another usage"));
	/* Device: one hwType, one certificate a profile, unless replaced. */
	rig_csr(b, 1, 2, KEY_USAGE_DIGITAL_SIGNATURE, &csr);
	issue_csr(w, &csr, &o);
	CHECK(refused(&o, FAIL_CONFLICT, "hwType"));
	rig_csr(b, 1, 1, KEY_USAGE_DIGITAL_SIGNATURE, &csr);
	issue_csr(w, &csr, &o);
	CHECK(refused(&o, FAIL_CONFLICT, "--replace"));
	task = workers_task(w, &csr, &o);
	task->request.replace = true;
	issue_one(w, task, &o);
	CHECK(o.ok && !o.result.existing && o.result.replaces == first);
	second = o.result.id;
	/* The retry of a replacement needs no --replace, and still says what it replaced. */
	issue_csr(w, &csr, &o);
	CHECK(o.ok && o.result.existing && o.result.id == second && o.result.replaces == first);
	rig_change(r, first, CERT_REVOKED, REASON_SUPERSEDED);
	issue_csr(w, &csr, &o);
	CHECK(o.ok && o.result.existing && o.result.replaces == 0);
	/* States: on hold is told, revoked is refused, a revoked device starts anew. */
	rig_change(r, second, CERT_HOLD, REASON_CERTIFICATE_HOLD);
	issue_csr(w, &csr, &o);
	CHECK(o.ok && o.result.existing && o.result.state == CERT_HOLD);
	rig_change(r, second, CERT_REVOKED, REASON_UNSPECIFIED);
	issue_csr(w, &csr, &o);
	CHECK(refused(&o, FAIL_CONFLICT, "is revoked"));
	rig_csr(c, 1, 1, KEY_USAGE_DIGITAL_SIGNATURE, &csr);
	task = workers_task(w, &csr, &o);
	task->request.on_hold = true;
	issue_one(w, task, &o);
	CHECK(o.ok && o.result.state == CERT_HOLD && o.result.replaces == 0);
	buf_free(&csr);
	buf_free(&o.der);
	softsign_free(a);
	softsign_free(b);
	softsign_free(c);
	workers_free(w);
	rig_free(r);
}

/* A compromised key is refused for whatever it is shown, before the token is asked. */
static void
test_issue_blocked_and_full(void)
{
	struct rig *r = rig_new();
	struct workers *w = workers_new(r, 1, rng_draw);
	struct softsign *key = softsign_new(EC_P256), *more[4];
	struct outcome o = { 0 };
	struct buf csr = { 0 };
	struct issue_task *task;
	unsigned calls;

	rig_csr(key, 1, 1, KEY_USAGE_DIGITAL_SIGNATURE, &csr);
	issue_csr(w, &csr, &o);
	CHECK(o.ok);
	rig_change(r, o.result.id, CERT_REVOKED, REASON_KEY_COMPROMISE);
	calls = r->ca_key->calls;
	issue_csr(w, &csr, &o);
	CHECK(refused(&o, FAIL_CONFLICT, "blocked"));
	rig_csr(key, 9, 1, KEY_USAGE_KEY_AGREEMENT, &csr);
	issue_csr(w, &csr, &o);
	CHECK(refused(&o, FAIL_CONFLICT, "blocked"));
	CHECK(r->ca_key->calls == calls);
	/* The fifth of a device is one too many (workers_new). */
	for (size_t i = 0; i < ARRAY_LEN(more); i++) {
		more[i] = softsign_new(EC_P256);
		rig_csr(more[i], 1, 1, KEY_USAGE_DIGITAL_SIGNATURE, &csr);
		task = workers_task(w, &csr, &o);
		task->request.replace = true;
		issue_one(w, task, &o);
		CHECK(i < 3 ? o.ok : refused(&o, FAIL_CONFLICT, "all the 4 certificates"));
		softsign_free(more[i]);
	}
	buf_free(&csr);
	buf_free(&o.der);
	softsign_free(key);
	workers_free(w);
	rig_free(r);
}

/* A CA whose own certificate is not valid issues nothing; nor one under such a root. */
static void
test_issue_ca_state(void)
{
	struct rig *r = rig_new();
	struct workers *w = workers_new(r, 1, rng_draw);
	struct softsign *key = softsign_new(EC_P256);
	struct outcome o = { 0 };
	struct buf csr = { 0 };
	struct store_cert own;
	time_t end = r->ca->cert.not_after;
	unsigned calls = r->ca_key->calls;

	RIG(store_cert_find(r->reader, r->root->id, &r->ca->cert.serial, &own, &rig_err));
	rig_csr(key, 1, 1, KEY_USAGE_DIGITAL_SIGNATURE, &csr);
	rig_change(r, own.id, CERT_HOLD, REASON_CERTIFICATE_HOLD);
	issue_csr(w, &csr, &o);
	CHECK(refused(&o, FAIL_DENIED, "is on hold"));
	rig_change(r, own.id, CERT_VALID, REASON_UNSPECIFIED);
	r->ca->cert.not_after = r->now - 1;
	issue_csr(w, &csr, &o);
	CHECK(refused(&o, FAIL_DENIED, "has ended"));
	r->ca->cert.not_after = end;
	RIG(store_cert_find(r->reader, r->root->id, &r->root->cert.serial, &own, &rig_err));
	rig_change(r, own.id, CERT_REVOKED, REASON_CA_COMPROMISE);
	issue_csr(w, &csr, &o);
	CHECK(refused(&o, FAIL_DENIED, "ca root"));
	CHECK(r->ca_key->calls == calls);
	buf_free(&csr);
	softsign_free(key);
	workers_free(w);
	rig_free(r);
}

/* Serials of the test's choosing: the first draws give the same one. */
static unsigned draw_same, draw_count;

static int
draw_colliding(uint8_t *out, size_t n)
{
	draw_count++;
	memset(out, 0x11, n);
	out[n - 1] = draw_count <= draw_same ? 1 : (uint8_t)draw_count;
	return 0;
}

static void
test_issue_serial_taken(void)
{
	struct rig *r = rig_new();
	struct workers *w = workers_new(r, 1, draw_colliding);
	struct softsign *a = softsign_new(EC_P256), *b = softsign_new(EC_P256);
	struct outcome o = { 0 };
	struct buf csr = { 0 };
	int64_t event;

	draw_count = 0;
	draw_same = 1 + ISSUE_SERIAL_TRIES - 1;
	rig_csr(a, 1, 1, KEY_USAGE_DIGITAL_SIGNATURE, &csr);
	issue_csr(w, &csr, &o);
	CHECK(o.ok);
	rig_csr(b, 2, 1, KEY_USAGE_DIGITAL_SIGNATURE, &csr);
	issue_csr(w, &csr, &o);
	CHECK(o.ok); /* with the last try */
	CHECK(draw_count == 1 + ISSUE_SERIAL_TRIES);
	draw_count = 0;
	draw_same = 1 + ISSUE_SERIAL_TRIES;
	event = rig_event(r);
	softsign_free(b);
	b = softsign_new(EC_P256);
	rig_csr(b, 3, 1, KEY_USAGE_DIGITAL_SIGNATURE, &csr);
	issue_csr(w, &csr, &o);
	CHECK(refused(&o, FAIL_CONFLICT, "serial"));
	CHECK(draw_count == ISSUE_SERIAL_TRIES);
	CHECK(rig_event(r) == event);
	buf_free(&csr);
	buf_free(&o.der);
	softsign_free(a);
	softsign_free(b);
	workers_free(w);
	rig_free(r);
}

/* A profile that no CA can serve is told at start. */
static void
test_issue_new(void)
{
	struct rig *r = rig_new();
	struct issue_conf conf = { .cas = r->cas, .profiles = &r->profiles };
	struct profile *device;
	size_t at = 0;
	struct issue *issue = NULL;
	struct err err = { 0 };

	while (strcmp(r->profiles.profile[at]->name, "device-signature") != 0)
		require(++at < r->profiles.n);
	device = r->profiles.profile[at];
	device->cdp = true;
	CHECK(issue_new(&conf, &issue, &err) != 0 && strstr(err.msg, "url") != NULL);
	device->cdp = false;
	device->aia_ocsp = true;
	CHECK(issue_new(&conf, &issue, &err) != 0 && strstr(err.msg, "url") != NULL);
	device->aia_ocsp = false;
	r->ca->issuer.ski.len = KEY_ID_SHORT - 1;
	CHECK(issue_new(&conf, &issue, &err) != 0 && strstr(err.msg, "4.2.1.2") != NULL);
	r->ca->issuer.ski.len = KEY_ID_SHORT;
	CHECK(issue_new(&conf, &issue, &err) == 0);
	issue_free(issue);
	issue_free(NULL);
	rig_free(r);
}

static const struct test_case cases[] = {
	{ "a request becomes a certificate, again the same", test_issue_and_retry },
	{ "refusals before signing", test_issue_refusals },
	{ "token and clock", test_issue_unavailable },
	{ "identity rules", test_issue_identity },
	{ "blocked keys, too many certificates", test_issue_blocked_and_full },
	{ "CA not valid", test_issue_ca_state },
	{ "serial taken", test_issue_serial_taken },
	{ "profiles and CAs", test_issue_new },
};
TEST_MAIN("issue", cases)
