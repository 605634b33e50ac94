/*
 * Enrolment from the request to the committed certificate: the register, one-time secrets,
 * retries and re-enrolment, keys made by the service, and what changes while the token signs.
 */
#include <openssl/x509.h>

#include "refusal_sum.h"
#include "enrol_rig.h"

#define SIGN KEY_USAGE_DIGITAL_SIGNATURE
#define AGREE KEY_USAGE_KEY_AGREEMENT

static int
count_event(void *ctx, const struct store_event *event, struct err *err)
{
	unsigned *n = ctx;

	if (strcmp(event->action, "rekey") == 0)
		(*n)++;
	return 0;
}

static unsigned
rekeys(struct enrollers *e, uint8_t nn)
{
	unsigned n = 0;

	RIG(store_device_event_each(
	    e->rig->reader, enrol_registered(e, nn).id, count_event, &n, &rig_err));
	return n;
}

/* A secret is bound to the first key that comes with it; the same request again finds the same
 * certificate, and changes nothing. */
static void
test_secret(void)
{
	struct enrollers *e = enrollers_new(1);
	struct softsign *key = softsign_new(EC_P256), *thief = softsign_new(EC_P256);
	struct enrolled first, o;
	struct device device;
	uint8_t hash[SHA256_LEN];
	struct cert cert;
	int64_t event;

	registered(e, 1, DEVICE_PROOF_SECRET);
	by_secret(e, 1, SIGN, key, &first);
	CHECK(is_issued(&first, false));
	CHECK_STR(first.answer.region, "north");
	CHECK_STR(first.answer.issued.profile, "device-signature");
	CHECK(first.answer.not_after == TIME_NO_EXPIRY && first.answer.key.len == 0);
	CHECK(cert_parse(first.answer.issued.der.data, first.answer.issued.der.len, &cert, NULL) ==
	      0);
	CHECK(ec_pub_eq(&cert.pub, &key->signer.pub));
	device = enrol_registered(e, 1);
	ec_pub_hash(&key->signer.pub, hash);
	CHECK(device.secret_used && memcmp(device.secret_key, hash, SHA256_LEN) == 0);

	event = rig_event(e->rig);
	by_secret(e, 1, SIGN, key, &o);
	CHECK(is_issued(&o, true));
	CHECK_MEM(o.answer.issued.der.data, o.answer.issued.der.len, first.answer.issued.der.data,
	    first.answer.issued.der.len);
	CHECK(o.answer.not_after == first.answer.not_after);
	enrolled_free(&o);
	by_secret(e, 1, SIGN, thief, &o);
	CHECK(is_refused(&o, REFUSAL_SECRET_USED, FAIL_CONFLICT));
	by_secret(e, 1, AGREE, thief, &o);
	CHECK(is_refused(&o, REFUSAL_SECRET_USED, FAIL_CONFLICT));
	CHECK(rig_event(e->rig) == event && rekeys(e, 1) == 0);
	enrolled_free(&first);
	softsign_free(key);
	softsign_free(thief);
	enrollers_free(e);
}

static void
test_register(void)
{
	struct enrollers *e = enrollers_new(1);
	struct softsign *key = softsign_new(EC_P256);
	struct device device;
	struct enrol_task *task;
	struct enrolled o;
	int64_t event;

	by_secret(e, 1, SIGN, key, &o);
	CHECK(is_refused(&o, REFUSAL_UNREGISTERED, FAIL_DENIED));
	registered(e, 1, DEVICE_PROOF_SECRET);
	registered(e, 2, DEVICE_PROOF_SECRET);
	enrol_change(e, 1, DEVICE_DO_HOLD);
	by_secret(e, 1, SIGN, key, &o);
	CHECK(is_refused(&o, REFUSAL_HELD, FAIL_DENIED));
	enrol_change(e, 1, DEVICE_DO_RELEASE);
	enrol_change(e, 2, DEVICE_DO_RETIRE);
	by_secret(e, 2, SIGN, key, &o);
	CHECK(is_refused(&o, REFUSAL_RETIRED, FAIL_DENIED));
	/* The proof is one device's, the request another's. */
	task = enrol_ask_new(e, ENROL_FIRST, 2, SIGN, key, &o);
	enrol_with_secret(task, 1, ENROL_SECRET);
	enrol_send(e, task);
	CHECK(is_refused(&o, REFUSAL_IDENTITY, FAIL_DENIED));
	device = enrol_device_row(e, 3, DEVICE_PROOF_SECRET, NULL);
	memcpy(device.hw_type, "1.3.6.1.4.1.32473.2", 20);
	enrol_register(e, &device);
	by_secret(e, 3, SIGN, key, &o);
	CHECK(is_refused(&o, REFUSAL_IDENTITY, FAIL_DENIED));

	/* Proven, but somebody has to approve: asked again and again, nothing is bound. */
	device = enrol_device_row(e, 4, DEVICE_PROOF_SECRET, NULL);
	device.approved = false;
	enrol_register(e, &device);
	event = rig_event(e->rig);
	for (int i = 0; i < 2; i++) {
		by_secret(e, 4, SIGN, key, &o);
		CHECK(o.judged && o.answer.outcome == ENROL_PENDING);
		CHECK(o.answer.issued.der.len == 0);
	}
	task = enrol_ask_new(e, ENROL_FIRST, 4, SIGN, key, &o);
	enrol_with_secret(task, 4, ENROL_SECRET_OTHER);
	enrol_send(e, task);
	CHECK(is_refused(&o, REFUSAL_SECRET, FAIL_DENIED));
	CHECK(rig_event(e->rig) == event && !enrol_registered(e, 4).secret_used);
	enrol_change(e, 4, DEVICE_DO_APPROVE);
	by_secret(e, 4, SIGN, key, &o);
	CHECK(is_issued(&o, false));
	enrolled_free(&o);
	softsign_free(key);
	enrollers_free(e);
}

/* Re-enrolment replaces, for this and for a further profile; lost answers are given again. */
static void
test_renew(void)
{
	struct enrollers *e = enrollers_new(1);
	struct softsign *a = softsign_new(EC_P256), *b = softsign_new(EC_P256),
			*c = softsign_new(EC_P256), *d = softsign_new(EC_P256);
	struct enrolled first, second, third, o;
	int64_t event;

	registered(e, 1, DEVICE_PROOF_SECRET);
	registered(e, 2, DEVICE_PROOF_SECRET);
	by_secret(e, 1, SIGN, a, &first);
	CHECK(is_issued(&first, false));
	by_certificate(e, ENROL_FIRST, 1, SIGN, b, &first, &o);
	CHECK(is_refused(&o, REFUSAL_CONFLICT, FAIL_CONFLICT));
	by_certificate(e, ENROL_RENEW, 1, SIGN, b, &first, &second);
	CHECK(is_issued(&second, false));
	CHECK(second.answer.issued.replaces == first.answer.issued.id);
	CHECK(rekeys(e, 1) == 1);
	/* The answer was lost: the device has only its first certificate. */
	event = rig_event(e->rig);
	by_certificate(e, ENROL_RENEW, 1, SIGN, b, &first, &o);
	CHECK(is_issued(&o, true) && o.answer.issued.id == second.answer.issued.id);
	CHECK(rig_event(e->rig) == event);
	enrolled_free(&o);
	/* A further profile, also without re-enrolment. */
	by_certificate(e, ENROL_FIRST, 1, AGREE, c, &second, &third);
	CHECK(is_issued(&third, false) && third.answer.issued.replaces == 0);
	CHECK_STR(third.answer.issued.profile, "device-agreement");
	CHECK(rekeys(e, 1) == 1);
	by_certificate(e, ENROL_RENEW, 1, SIGN, d, &third, &o);
	CHECK(is_refused(&o, REFUSAL_CERTIFICATE, FAIL_DENIED));
	by_certificate(e, ENROL_RENEW, 1, AGREE, d, &second, &o);
	CHECK(is_issued(&o, false) && o.answer.issued.replaces == third.answer.issued.id);
	CHECK(rekeys(e, 1) == 2);
	enrolled_free(&o);
	/* Somebody else's key, and somebody else. */
	by_certificate(e, ENROL_RENEW, 1, AGREE, a, &second, &o);
	CHECK(is_refused(&o, REFUSAL_CONFLICT, FAIL_CONFLICT));
	by_secret(e, 2, SIGN, a, &o);
	CHECK(is_refused(&o, REFUSAL_CONFLICT, FAIL_CONFLICT));
	CHECK(!enrol_registered(e, 2).secret_used);
	enrolled_free(&first);
	enrolled_free(&second);
	enrolled_free(&third);
	softsign_free(a);
	softsign_free(b);
	softsign_free(c);
	softsign_free(d);
	enrollers_free(e);
}

/* What was followed by another proves a retry only, whatever became of that one but its end. */
static void
test_followed(void)
{
	struct enrollers *e = enrollers_new(1);
	struct softsign *a = softsign_new(EC_P256), *b = softsign_new(EC_P256),
			*c = softsign_new(EC_P256);
	struct enrolled first, second, o;

	registered(e, 1, DEVICE_PROOF_SECRET);
	by_secret(e, 1, SIGN, a, &first);
	by_certificate(e, ENROL_RENEW, 1, SIGN, b, &first, &second);
	CHECK(is_issued(&first, false) && is_issued(&second, false));
	by_certificate(e, ENROL_RENEW, 1, SIGN, c, &first, &o);
	CHECK(is_refused(&o, REFUSAL_CONFLICT, FAIL_CONFLICT));
	by_certificate(e, ENROL_FIRST, 1, AGREE, c, &first, &o);
	CHECK(is_refused(&o, REFUSAL_CONFLICT, FAIL_CONFLICT));
	by_certificate(e, ENROL_RENEW, 1, SIGN, b, &first, &o);
	CHECK(is_issued(&o, true) && o.answer.issued.id == second.answer.issued.id);
	enrolled_free(&o);
	enrol_cert_change(e, second.answer.issued.id, CERT_HOLD);
	by_certificate(e, ENROL_FIRST, 1, AGREE, c, &first, &o);
	CHECK(is_refused(&o, REFUSAL_CONFLICT, FAIL_CONFLICT));
	/* Its key was lost: an operator revokes it, and the one before is the newest again. */
	enrol_cert_change(e, second.answer.issued.id, CERT_REVOKED);
	by_certificate(e, ENROL_FIRST, 1, AGREE, c, &first, &o);
	CHECK(is_issued(&o, false));
	enrolled_free(&o);
	enrolled_free(&first);
	enrolled_free(&second);
	softsign_free(a);
	softsign_free(b);
	softsign_free(c);
	enrollers_free(e);
}

/* A certificate on hold or revoked proves nothing and is not handed out again. */
static void
test_states(void)
{
	struct enrollers *e = enrollers_new(1);
	struct softsign *a = softsign_new(EC_P256), *b = softsign_new(EC_P256);
	struct enrolled first, o;

	registered(e, 1, DEVICE_PROOF_SECRET);
	by_secret(e, 1, SIGN, a, &first);
	CHECK(is_issued(&first, false));
	enrol_cert_change(e, first.answer.issued.id, CERT_HOLD);
	by_secret(e, 1, SIGN, a, &o);
	CHECK(is_refused(&o, REFUSAL_STATE, FAIL_DENIED));
	by_certificate(e, ENROL_RENEW, 1, SIGN, b, &first, &o);
	CHECK(is_refused(&o, REFUSAL_STATE, FAIL_DENIED));
	by_certificate(e, ENROL_FIRST, 1, AGREE, b, &first, &o);
	CHECK(is_refused(&o, REFUSAL_STATE, FAIL_DENIED));
	enrol_cert_change(e, first.answer.issued.id, CERT_VALID);
	by_secret(e, 1, SIGN, a, &o);
	CHECK(is_issued(&o, true));
	enrolled_free(&o);
	enrol_cert_change(e, first.answer.issued.id, CERT_REVOKED);
	by_secret(e, 1, SIGN, a, &o);
	CHECK(is_refused(&o, REFUSAL_CONFLICT, FAIL_CONFLICT));
	by_certificate(e, ENROL_RENEW, 1, SIGN, b, &first, &o);
	CHECK(is_refused(&o, REFUSAL_STATE, FAIL_DENIED));
	enrolled_free(&first);
	softsign_free(a);
	softsign_free(b);
	enrollers_free(e);
}

/* What the request itself may be refused for. */
static void
test_request(void)
{
	static const struct {
		const char *name, *profile;
		enum enrol_kind kind;
		long cut, bend; /* octets off the end, octet from the end changed */
		enum refusal reason;
		enum err_code code;
	} rows[] = {
		{ "no request", "", ENROL_FIRST, 9999, 0, REFUSAL_REQUEST, FAIL_INVALID },
		{ "cut", "", ENROL_FIRST, 1, 0, REFUSAL_REQUEST, FAIL_INVALID },
		{ "no PKCS#10 at all", "", ENROL_FIRST, 0, -1, REFUSAL_FORM, FAIL_INVALID },
		{ "proof of possession", "", ENROL_FIRST, 0, 1, REFUSAL_REQUEST, FAIL_INVALID },
		{ "no such profile", "nothing", ENROL_FIRST, 0, 0, REFUSAL_PROFILE,
		    FAIL_NOT_FOUND },
		{ "no name of a profile", "../x", ENROL_FIRST, 0, 0, REFUSAL_PROFILE,
		    FAIL_NOT_FOUND },
		{ "not for devices", "tls-server", ENROL_FIRST, 0, 0, REFUSAL_PROFILE,
		    FAIL_DENIED },
		{ "a CA's", "issuing-ca", ENROL_FIRST, 0, 0, REFUSAL_PROFILE, FAIL_DENIED },
		{ "other usage", "device-agreement", ENROL_FIRST, 0, 0, REFUSAL_REQUEST,
		    FAIL_INVALID },
		{ "no server keys", "device-signature", ENROL_SERVER_KEY, 0, 0, REFUSAL_PROFILE,
		    FAIL_DENIED },
		{ "server key for nobody", "", ENROL_SERVER_KEY, 9999, 0, REFUSAL_REQUEST,
		    FAIL_INVALID },
	};
	struct enrollers *e = enrollers_new(1);
	struct softsign *key = softsign_new(EC_P256);
	struct enrol_task *task;
	struct enrolled o;
	struct buf *csr;
	int64_t event;

	registered(e, 1, DEVICE_PROOF_SECRET);
	enrollers_profile(e, "device-signature")->server_key = false;
	event = rig_event(e->rig);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		task = enrol_ask_new(e, rows[i].kind, 1, SIGN, key, &o);
		enrol_with_secret(task, 1, ENROL_SECRET);
		csr = &task->request.csr;
		memcpy(task->request.profile, rows[i].profile, strlen(rows[i].profile) + 1);
		csr->len -= (size_t)rows[i].cut < csr->len ? (size_t)rows[i].cut : csr->len;
		if (rows[i].bend > 0)
			csr->data[csr->len - (size_t)rows[i].bend] ^= 1;
		if (rows[i].bend < 0)
			memset(csr->data, '*', csr->len);
		enrol_send(e, task);
		CHECK_ROW(rows[i].name, is_refused(&o, rows[i].reason, rows[i].code));
	}
	enrollers_profile(e, "device-signature")->enrol = false;
	by_secret(e, 1, SIGN, key, &o);
	CHECK(is_refused(&o, REFUSAL_PROFILE, FAIL_DENIED));
	CHECK(rig_event(e->rig) == event && !enrol_registered(e, 1).secret_used);
	softsign_free(key);
	enrollers_free(e);
}

/* A statement is about this device, this request and now. */
static void
test_statement(void)
{
	enum bend { NONE, MODEL, EUI, HW_TYPE, CSR, SIGNATURE, TEXT, BY_OTHER, EARLY, LATE, EDGE };
	static const struct {
		enum bend bend;
		enum refusal reason;
		enum err_code code;
	} rows[] = {
		{ MODEL, REFUSAL_SIGNATURE, FAIL_DENIED },
		{ EUI, REFUSAL_UNREGISTERED, FAIL_DENIED },
		{ HW_TYPE, REFUSAL_SIGNATURE, FAIL_DENIED },
		{ CSR, REFUSAL_SIGNATURE, FAIL_DENIED },
		{ SIGNATURE, REFUSAL_SIGNATURE, FAIL_DENIED },
		{ TEXT, REFUSAL_REQUEST, FAIL_INVALID },
		{ BY_OTHER, REFUSAL_SIGNATURE, FAIL_DENIED },
		{ EARLY, REFUSAL_TIME, FAIL_DENIED },
		{ LATE, REFUSAL_TIME, FAIL_DENIED },
		{ EDGE, REFUSAL_NONE, 0 },
	};
	struct enrollers *e = enrollers_new(1);
	struct softsign *key = softsign_new(EC_P256), *other = softsign_new(EC_P256);
	struct device device = enrol_device_row(e, 1, DEVICE_PROOF_IDEVID, NULL);
	struct enrol_task *task;
	struct enrolled o;
	time_t now = e->rig->now, age = e->rig->home.enrol.statement_age;

	device.end_to_end = true;
	enrol_register(e, &device);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		enum bend bend = rows[i].bend;

		task = enrol_ask_new(e, ENROL_FIRST, 1, SIGN, key, &o);
		enrol_with_meter(task, &e->acme, 1);
		enrol_with_statement(task, 1,
		    bend == EARLY  ? now - age - 60
		    : bend == LATE ? now + age + 60
		    : bend == EDGE ? now + age - 60
				   : now,
		    bend == BY_OTHER ? key : e->acme.meter_key);
		if (bend == MODEL)
			task->request.statement.model[0] ^= 1;
		if (bend == EUI)
			task->request.statement.eui = enrol_eui(2);
		if (bend == HW_TYPE)
			memcpy(task->request.statement.hw_type, "1.3.6.1.4.1.32473.2", 20);
		if (bend == CSR)
			rig_csr(other, 1, 1, SIGN, &task->request.csr);
		if (bend == SIGNATURE)
			task->request.signature.data[task->request.signature.len - 1] ^= 1;
		if (bend == TEXT)
			task->request.statement.model[0] = '\n';
		enrol_send(e, task);
		CHECK(rows[i].reason == REFUSAL_NONE
			  ? is_issued(&o, false)
			  : is_refused(&o, rows[i].reason, rows[i].code));
		enrolled_free(&o);
	}
	softsign_free(key);
	softsign_free(other);
	enrollers_free(e);
}

/* The key handed out is the certificate's. */
static void
check_key(const struct enrolled *o)
{
	const uint8_t *p = o->answer.key.data;
	struct cert cert;
	uint8_t point[EC_POINT_MAX];
	EVP_PKEY *key = NULL;
	size_t len = 0;

	CHECK(cert_parse(o->answer.issued.der.data, o->answer.issued.der.len, &cert, NULL) == 0);
	if (o->answer.key.len > 0)
		key = d2i_AutoPrivateKey(NULL, &p, (long)o->answer.key.len);
	CHECK(key != NULL && p == o->answer.key.data + o->answer.key.len);
	if (key != NULL)
		CHECK(EVP_PKEY_get_octet_string_param(key, "pub", point, sizeof(point), &len) == 1);
	CHECK_MEM(point, len, cert.pub.point, cert.pub.len);
	EVP_PKEY_free(key);
}

static void
test_server_key(void)
{
	struct enrollers *e = enrollers_new(1);
	struct softsign *key = softsign_new(EC_P256);
	struct enrol_task *task;
	struct enrolled first, second, o;

	enrollers_profile(e, "device-agreement")->server_key = true;
	enrollers_limits(e, 2, 30000);
	registered(e, 1, DEVICE_PROOF_IDEVID);
	task = enrol_ask_new(e, ENROL_SERVER_KEY, 1, AGREE, key, &first);
	enrol_with_meter(task, &e->acme, 1);
	/* Its signature is nobody's business (RFC 7030 4.4.1). */
	task->request.csr.data[task->request.csr.len - 1] ^= 1;
	enrol_send(e, task);
	CHECK(is_issued(&first, false));
	check_key(&first);
	/* Without a request, from a statement; each is a new key and counts. */
	task = enrol_ask_new(e, ENROL_SERVER_KEY, 1, AGREE, key, &second);
	task->request.csr.len = 0;
	memcpy(task->request.profile, "device-agreement", 17);
	enrol_with_meter(task, &e->acme, 1);
	enrol_with_statement(task, 1, e->rig->now, e->acme.meter_key);
	enrol_send(e, task);
	CHECK(is_issued(&second, false));
	check_key(&second);
	CHECK(second.answer.issued.replaces == first.answer.issued.id && rekeys(e, 1) == 1);
	CHECK(!span_eq(buf_span(&first.answer.key), buf_span(&second.answer.key)));
	task = enrol_ask_new(e, ENROL_SERVER_KEY, 1, AGREE, key, &o);
	enrol_with_meter(task, &e->acme, 1);
	enrol_send(e, task);
	CHECK(is_refused(&o, REFUSAL_QUOTA, FAIL_LIMIT));
	/* No profile, no request: for what? */
	task = enrol_ask_new(e, ENROL_SERVER_KEY, 1, AGREE, key, &o);
	task->request.csr.len = 0;
	enrol_with_meter(task, &e->acme, 1);
	enrol_with_statement(task, 1, e->rig->now, e->acme.meter_key);
	enrol_send(e, task);
	CHECK(is_refused(&o, REFUSAL_PROFILE, FAIL_INVALID));
	enrolled_free(&first);
	enrolled_free(&second);
	softsign_free(key);
	enrollers_free(e);
}

/* While the token signs somebody changes what was judged: the transaction judges again. */
struct meddler {
	struct enrollers *e;
	enum device_action action; /* 0 = hold the certificate */
	int64_t certificate;
};

static int
meddler_sign(void *ctx, const uint8_t *digest, size_t len, uint8_t *rs, struct err *err)
{
	struct meddler *m = ctx;

	if (m->action != 0)
		enrol_change(m->e, 1, m->action);
	else
		enrol_cert_change(m->e, m->certificate, CERT_HOLD);
	return softsign_sign(m->e->rig->ca_key, digest, len, rs, err);
}

static void
test_meddled(void)
{
	struct enrollers *e = enrollers_new(1);
	struct softsign *a = softsign_new(EC_P256), *b = softsign_new(EC_P256);
	struct meddler m = { .e = e, .action = DEVICE_DO_HOLD };
	struct signer signer = e->rig->ca->signer;
	struct enrolled first, o;
	int64_t event;

	registered(e, 1, DEVICE_PROOF_SECRET);
	e->rig->ca->signer.sign = meddler_sign;
	e->rig->ca->signer.ctx = &m;
	event = rig_event(e->rig);
	by_secret(e, 1, SIGN, a, &o);
	CHECK(is_refused(&o, REFUSAL_HELD, FAIL_DENIED));
	CHECK(rig_event(e->rig) == event + 1 && !enrol_registered(e, 1).secret_used);
	enrol_change(e, 1, DEVICE_DO_RELEASE);
	e->rig->ca->signer = signer;
	by_secret(e, 1, SIGN, a, &first);
	CHECK(is_issued(&first, false));
	m = (struct meddler){ .e = e, .certificate = first.answer.issued.id };
	e->rig->ca->signer.sign = meddler_sign;
	e->rig->ca->signer.ctx = &m;
	event = rig_event(e->rig);
	by_certificate(e, ENROL_RENEW, 1, AGREE, b, &first, &o);
	CHECK(is_refused(&o, REFUSAL_STATE, FAIL_DENIED));
	CHECK(rig_event(e->rig) == event + 1);
	enrolled_free(&first);
	softsign_free(a);
	softsign_free(b);
	enrollers_free(e);
}

/* What nobody outside can help is no refusal: it is not counted, and binds nothing. */
static void
test_unavailable_and_counts(void)
{
	struct enrollers *e = enrollers_new(1);
	struct softsign *key = softsign_new(EC_P256);
	struct store_refusal got[4];
	struct enrolled o;
	int64_t n = 0, rows = 0;
	size_t found = 0;

	registered(e, 1, DEVICE_PROOF_SECRET);
	e->rig->ca_key->refuse = true;
	by_secret(e, 1, SIGN, key, &o);
	CHECK(!o.judged && o.err.code == FAIL_UNAVAILABLE);
	e->rig->ca_key->refuse = false;
	CHECK(!enrol_registered(e, 1).secret_used);
	RIG(refusals_flush(e->refusals, e->rig->committer, e->rig->now, 86400, &rig_err));
	refusal_sum(e->rig->db, 0, &n, &rows);
	CHECK(n == 0 && rows == 0);
	/* Who is registered is counted by name, who is not by address. */
	enrol_change(e, 1, DEVICE_DO_HOLD);
	by_secret(e, 1, SIGN, key, &o);
	by_secret(e, 9, SIGN, key, &o);
	by_secret(e, 8, SIGN, key, &o);
	RIG(refusals_flush(e->refusals, e->rig->committer, e->rig->now, 86400, &rig_err));
	refusal_sum(e->rig->db, 0, &n, &rows);
	CHECK(n == 3 && rows == 2);
	RIG(store_refusals_of(
	    e->rig->reader, "00db123456780001", got, ARRAY_LEN(got), &found, &rig_err));
	CHECK(found == 1 && got[0].n == 1);
	CHECK_STR(got[0].reason, refusal_str(REFUSAL_HELD));
	RIG(store_refusals_of(e->rig->reader, "192.0.2.7", got, ARRAY_LEN(got), &found, &rig_err));
	CHECK(found == 1 && got[0].n == 2);
	CHECK_STR(got[0].reason, refusal_str(REFUSAL_UNREGISTERED));
	softsign_free(key);
	enrollers_free(e);
}

/* Other anchors while the service runs. */
static void
test_anchors(void)
{
	struct enrollers *e = enrollers_new(1);
	struct softsign *key = softsign_new(EC_P256);
	struct anchors none = { 0 };
	struct enrol_task *task;
	struct enrolled o;

	registered(e, 1, DEVICE_PROOF_IDEVID);
	enrol_anchors_swap(e->enrol, &none);
	CHECK(none.n == 2);
	task = enrol_ask_new(e, ENROL_FIRST, 1, SIGN, key, &o);
	enrol_with_meter(task, &e->acme, 1);
	enrol_send(e, task);
	CHECK(is_refused(&o, REFUSAL_ANCHOR, FAIL_DENIED));
	enrol_anchors_swap(e->enrol, &none);
	task = enrol_ask_new(e, ENROL_FIRST, 1, SIGN, key, &o);
	enrol_with_meter(task, &e->acme, 1);
	enrol_send(e, task);
	CHECK(is_issued(&o, false));
	enrolled_free(&o);
	softsign_free(key);
	enrollers_free(e);
}

static const struct test_case cases[] = {
	{ "secret: bound once, retried", test_secret },
	{ "register and approval", test_register },
	{ "re-enrolment", test_renew },
	{ "a certificate that was followed", test_followed },
	{ "states of certificates", test_states },
	{ "the request itself", test_request },
	{ "statements", test_statement },
	{ "keys made by the service", test_server_key },
	{ "changes while the token signs", test_meddled },
	{ "unavailable, and counts", test_unavailable_and_counts },
	{ "other anchors", test_anchors },
};
TEST_MAIN("enrol", cases)
