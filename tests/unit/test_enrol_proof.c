/*
 * Who is believed: every kind of request with every credential, against devices registered with
 * every proof; and that nothing was issued or recorded for the refused ones.
 */
#include "enrol_rig.h"

/* What is presented, by a meter beside another one. */
enum credential {
	NOTHING,
	SECRET_RIGHT,
	SECRET_LOWER, /* the same, as people write it */
	SECRET_WRONG,
	SECRET_SHORT,
	SECRET_OTHERS,	 /* the other device's own */
	SECRET_STRANGER, /* of a device that nobody knows */
	IDEVID_RIGHT,
	IDEVID_OTHERS,
	IDEVID_OTHER_MAKER,
	IDEVID_ENDED,
	IDEVID_ROGUE, /* self-signed */
	IDEVID_JUNK,  /* no certificate */
	OURS,	      /* the device's certificate for signatures */
	OURS_AGREEMENT,
	OURS_OTHERS, /* another device's */
	OURS_SERVER, /* of a TLS server */
	OURS_BENT,   /* one octet changed */
	OURS_HELD,
	SECRET_AND_ROGUE,
};

#define ALL (DEVICE_PROOF_IDEVID | DEVICE_PROOF_SECRET | DEVICE_PROOF_KEY)
#define E2E (1u << 8)	  /* registered end-to-end */
#define BY_KEY (1u << 9)  /* the request's key is the registered one */
#define STATED (1u << 10) /* with a statement by the chain's first key */
#define ISSUED REFUSAL_NONE

static const struct {
	const char *name;
	unsigned with; /* proofs of the device, and the bits above */
	enum enrol_kind kind;
	enum credential credential;
	enum refusal want;
	enum err_code code;
} rows[] = {
	{ "nothing", ALL, ENROL_FIRST, NOTHING, REFUSAL_CREDENTIAL, FAIL_DENIED },
	{ "nothing, no proofs", 0, ENROL_FIRST, NOTHING, REFUSAL_CREDENTIAL, FAIL_DENIED },
	{ "key", DEVICE_PROOF_KEY | BY_KEY, ENROL_FIRST, NOTHING, ISSUED, 0 },
	{ "key, end-to-end", DEVICE_PROOF_KEY | BY_KEY | E2E, ENROL_FIRST, NOTHING, ISSUED, 0 },
	{ "key of nobody", DEVICE_PROOF_KEY, ENROL_FIRST, NOTHING, REFUSAL_CREDENTIAL,
	    FAIL_DENIED },
	{ "key, wrong secret", ALL | BY_KEY, ENROL_FIRST, SECRET_WRONG, REFUSAL_SECRET,
	    FAIL_DENIED },
	{ "key, rogue certificate", ALL | BY_KEY, ENROL_FIRST, IDEVID_ROGUE, REFUSAL_ANCHOR,
	    FAIL_DENIED },
	{ "secret", DEVICE_PROOF_SECRET, ENROL_FIRST, SECRET_RIGHT, ISSUED, 0 },
	{ "secret in lower case", DEVICE_PROOF_SECRET, ENROL_FIRST, SECRET_LOWER, ISSUED, 0 },
	{ "secret, end-to-end", DEVICE_PROOF_SECRET | E2E, ENROL_FIRST, SECRET_RIGHT, ISSUED, 0 },
	{ "secret wrong", ALL, ENROL_FIRST, SECRET_WRONG, REFUSAL_SECRET, FAIL_DENIED },
	{ "secret short", ALL, ENROL_FIRST, SECRET_SHORT, REFUSAL_SECRET, FAIL_DENIED },
	{ "secret, has none", DEVICE_PROOF_IDEVID, ENROL_FIRST, SECRET_RIGHT, REFUSAL_SECRET,
	    FAIL_DENIED },
	{ "another's secret", ALL, ENROL_FIRST, SECRET_OTHERS, REFUSAL_IDENTITY, FAIL_DENIED },
	{ "a stranger's secret", ALL, ENROL_FIRST, SECRET_STRANGER, REFUSAL_UNREGISTERED,
	    FAIL_DENIED },
	{ "secret and rogue", ALL, ENROL_FIRST, SECRET_AND_ROGUE, REFUSAL_ANCHOR, FAIL_DENIED },
	{ "IDevID", DEVICE_PROOF_IDEVID, ENROL_FIRST, IDEVID_RIGHT, ISSUED, 0 },
	{ "IDevID, not registered", DEVICE_PROOF_SECRET, ENROL_FIRST, IDEVID_RIGHT, REFUSAL_PROOF,
	    FAIL_DENIED },
	{ "IDevID, no proofs", 0, ENROL_FIRST, IDEVID_RIGHT, REFUSAL_PROOF, FAIL_DENIED },
	{ "IDevID, end-to-end", DEVICE_PROOF_IDEVID | E2E, ENROL_FIRST, IDEVID_RIGHT, REFUSAL_PROOF,
	    FAIL_DENIED },
	{ "IDevID, end-to-end, stated", DEVICE_PROOF_IDEVID | E2E | STATED, ENROL_FIRST,
	    IDEVID_RIGHT, ISSUED, 0 },
	{ "IDevID of another maker", ALL, ENROL_FIRST, IDEVID_OTHER_MAKER, REFUSAL_MANUFACTURER,
	    FAIL_DENIED },
	{ "another's IDevID", ALL, ENROL_FIRST, IDEVID_OTHERS, REFUSAL_IDENTITY, FAIL_DENIED },
	{ "ended IDevID", ALL, ENROL_FIRST, IDEVID_ENDED, REFUSAL_CERTIFICATE, FAIL_DENIED },
	{ "ours, on hold", ALL, ENROL_FIRST, OURS_HELD, REFUSAL_STATE, FAIL_DENIED },
	{ "rogue", ALL, ENROL_FIRST, IDEVID_ROGUE, REFUSAL_ANCHOR, FAIL_DENIED },
	{ "junk", ALL, ENROL_FIRST, IDEVID_JUNK, REFUSAL_FORM, FAIL_INVALID },
	{ "ours for agreement", ALL, ENROL_FIRST, OURS_AGREEMENT, REFUSAL_CERTIFICATE,
	    FAIL_DENIED },
	{ "ours, another's", ALL, ENROL_FIRST, OURS_OTHERS, REFUSAL_IDENTITY, FAIL_DENIED },
	{ "ours, a server's", ALL, ENROL_FIRST, OURS_SERVER, REFUSAL_CERTIFICATE, FAIL_DENIED },
	{ "ours, bent", ALL, ENROL_FIRST, OURS_BENT, REFUSAL_ANCHOR, FAIL_DENIED },
	/* It has a certificate of this profile: only re-enrolment replaces it. */
	{ "ours again", DEVICE_PROOF_SECRET, ENROL_FIRST, OURS, REFUSAL_CONFLICT, FAIL_CONFLICT },
	{ "renew", DEVICE_PROOF_SECRET, ENROL_RENEW, OURS, ISSUED, 0 },
	{ "renew, operators only", 0, ENROL_RENEW, OURS, REFUSAL_PROOF, FAIL_DENIED },
	{ "renew, end-to-end", DEVICE_PROOF_IDEVID | E2E, ENROL_RENEW, OURS, REFUSAL_PROOF,
	    FAIL_DENIED },
	{ "renew, end-to-end, stated", DEVICE_PROOF_IDEVID | E2E | STATED, ENROL_RENEW, OURS,
	    ISSUED, 0 },
	{ "renew by nothing", ALL | BY_KEY, ENROL_RENEW, NOTHING, REFUSAL_CREDENTIAL, FAIL_DENIED },
	{ "renew by secret", ALL, ENROL_RENEW, SECRET_RIGHT, REFUSAL_CREDENTIAL, FAIL_DENIED },
	{ "renew by IDevID", ALL, ENROL_RENEW, IDEVID_RIGHT, REFUSAL_CERTIFICATE, FAIL_DENIED },
	{ "renew by agreement", 0, ENROL_RENEW, OURS_AGREEMENT, REFUSAL_CERTIFICATE, FAIL_DENIED },
	{ "renew by another's", 0, ENROL_RENEW, OURS_OTHERS, REFUSAL_IDENTITY, FAIL_DENIED },
	{ "renew by a server's", 0, ENROL_RENEW, OURS_SERVER, REFUSAL_CERTIFICATE, FAIL_DENIED },
	{ "renew, on hold", 0, ENROL_RENEW, OURS_HELD, REFUSAL_STATE, FAIL_DENIED },
	{ "renew, bent", 0, ENROL_RENEW, OURS_BENT, REFUSAL_CERTIFICATE, FAIL_DENIED },
	{ "renew by rogue", 0, ENROL_RENEW, IDEVID_ROGUE, REFUSAL_CERTIFICATE, FAIL_DENIED },
	{ "server key", DEVICE_PROOF_IDEVID, ENROL_SERVER_KEY, IDEVID_RIGHT, ISSUED, 0 },
	{ "server key, stated", DEVICE_PROOF_IDEVID | STATED, ENROL_SERVER_KEY, IDEVID_RIGHT,
	    ISSUED, 0 },
	{ "server key, end-to-end", DEVICE_PROOF_IDEVID | E2E | STATED, ENROL_SERVER_KEY,
	    IDEVID_RIGHT, REFUSAL_PROOF, FAIL_DENIED },
	{ "server key by nothing", ALL | BY_KEY, ENROL_SERVER_KEY, NOTHING, REFUSAL_CREDENTIAL,
	    FAIL_DENIED },
	{ "server key by secret", ALL, ENROL_SERVER_KEY, SECRET_RIGHT, REFUSAL_CREDENTIAL,
	    FAIL_DENIED },
	{ "server key by ours", ALL, ENROL_SERVER_KEY, OURS, REFUSAL_PROOF, FAIL_DENIED },
	{ "server key, other maker", ALL, ENROL_SERVER_KEY, IDEVID_OTHER_MAKER,
	    REFUSAL_MANUFACTURER, FAIL_DENIED },
};

/* Certificates of ours, recorded as operators would have them issued. */
struct ours {
	struct softsign *key;
	struct buf der;
	int64_t id;
};

static void
record(struct enrollers *e, const char *name, const struct grant *grant, struct ours *out)
{
	struct rig *r = e->rig;
	const struct profile *profile = profiles_get(&r->profiles, name);
	struct store_new_cert row = {
		.ca = r->ca->id,
		.profile = name,
		.holder = grant->holder,
		.use = grant->use,
	};
	struct buf tbs = { 0 };

	RIG(cert_serial(8, rng_draw, &row.serial, &rig_err));
	RIG(cert_validity(
	    profile, &r->ca->issuer, r->now, &row.not_before, &row.not_after, &rig_err));
	RIG(cert_build_tbs(profile, &r->ca->issuer, grant, &row.serial, row.not_before,
	    row.not_after, &tbs, &rig_err));
	RIG(sign_wrap(&r->ca->signer, tbs.data, tbs.len, &out->der, &rig_err));
	ec_pub_hash(&grant->pub, row.key_hash);
	row.der = buf_span(&out->der);
	out->id = rig_add(r, &row, 1);
	buf_free(&tbs);
}

static struct softsign *
record_device(struct enrollers *e, const char *name, uint8_t nn, struct ours *out)
{
	struct softsign *key = softsign_new(EC_P256);
	struct eui64 eui = enrol_eui(nn);
	struct grant grant;

	RIG(profile_grant_device(profiles_get(&e->rig->profiles, name), &eui, ENROL_HW,
	    &key->signer.pub, &grant, &rig_err));
	record(e, name, &grant, out);
	return key;
}

static struct softsign *
record_server(struct enrollers *e, struct ours *out)
{
	static const char *const names[] = { "front.example.org" };
	struct softsign *key = softsign_new(EC_P256);
	struct grant grant;

	RIG(profile_grant_service(profiles_get(&e->rig->profiles, "tls-server"), NULL, names, 1,
	    &key->signer.pub, &grant, &rig_err));
	record(e, "tls-server", &grant, out);
	return key;
}

/* The meter at hand, the other one, and one that nobody knows. */
struct meters {
	uint8_t nn, others, unknown;
};

static void
present_rogue(struct enrollers *e, struct enrol_task *task)
{
	struct idevid_spec rogue = { .cn = "meter", .san = IDEVID_SAN, .number = 2 };
	struct buf der = { 0 };
	X509 *x;

	rogue.key = rogue.issuer_key = e->acme.meter_key->key;
	rogue.from = e->rig->now - 60;
	x = idevid_new(&rogue);
	idevid_der(x, &der);
	enrol_with_chain(task, &der);
	X509_free(x);
	buf_free(&der);
}

static void
present(struct enrollers *e, const struct ours *ours, const struct meters *m,
    enum credential credential, struct enrol_task *task)
{
	switch (credential) {
	case NOTHING:
		break;
	case SECRET_RIGHT:
		enrol_with_secret(task, m->nn, ENROL_SECRET);
		break;
	case SECRET_LOWER:
		enrol_with_secret(task, m->nn, "gezdg-nbvgy-3tqoj-qgezd-gnbvg-x");
		break;
	case SECRET_WRONG:
		enrol_with_secret(task, m->nn, ENROL_SECRET_OTHER);
		break;
	case SECRET_SHORT:
		enrol_with_secret(task, m->nn, "GEZDG");
		break;
	case SECRET_OTHERS:
		enrol_with_secret(task, m->others, ENROL_SECRET);
		break;
	case SECRET_STRANGER:
		enrol_with_secret(task, m->unknown, ENROL_SECRET);
		break;
	case IDEVID_RIGHT:
		enrol_with_meter(task, &e->acme, m->nn);
		break;
	case IDEVID_OTHERS:
		enrol_with_meter(task, &e->acme, m->others);
		break;
	case IDEVID_OTHER_MAKER:
		enrol_with_meter(task, &e->other, m->nn);
		break;
	case IDEVID_ENDED:
		maker_meter(&e->acme, m->nn, e->rig->now - 1,
		    &task->request.chain[task->request.n_chain++]);
		break;
	case SECRET_AND_ROGUE:
		enrol_with_secret(task, m->nn, ENROL_SECRET);
		present_rogue(e, task);
		break;
	case IDEVID_ROGUE:
		present_rogue(e, task);
		break;
	case IDEVID_JUNK:
		buf_add_str(&task->request.chain[task->request.n_chain++], "junk");
		break;
	case OURS:
	case OURS_AGREEMENT:
	case OURS_OTHERS:
	case OURS_SERVER:
	case OURS_HELD:
		enrol_with_chain(task, &ours->der);
		break;
	case OURS_BENT:
		enrol_with_chain(task, &ours->der);
		task->request.chain[0].data[task->request.chain[0].len - 1] ^= 1;
		break;
	}
}

static void
record_ours(
    struct enrollers *e, const struct meters *m, enum credential credential, struct ours *out)
{
	switch (credential) {
	case OURS:
	case OURS_BENT:
	case OURS_HELD:
		out->key = record_device(e, "device-signature", m->nn, out);
		if (credential == OURS_HELD)
			enrol_cert_change(e, out->id, CERT_HOLD);
		break;
	case OURS_AGREEMENT:
		out->key = record_device(e, "device-agreement", m->nn, out);
		break;
	case OURS_OTHERS:
		out->key = record_device(e, "device-signature", m->others, out);
		break;
	case OURS_SERVER:
		out->key = record_server(e, out);
		break;
	case NOTHING:
	case SECRET_RIGHT:
	case SECRET_LOWER:
	case SECRET_WRONG:
	case SECRET_SHORT:
	case SECRET_OTHERS:
	case SECRET_STRANGER:
	case SECRET_AND_ROGUE:
	case IDEVID_RIGHT:
	case IDEVID_OTHERS:
	case IDEVID_OTHER_MAKER:
	case IDEVID_ENDED:
	case IDEVID_ROGUE:
	case IDEVID_JUNK:
		break;
	}
}

static void
row_run(struct enrollers *e, size_t at)
{
	const struct meters m = { (uint8_t)(2 * at), (uint8_t)(2 * at + 1), 0xff };
	struct softsign *key = softsign_new(EC_P256), *pinned = softsign_new(EC_P256);
	struct ours ours = { 0 };
	struct device device, other;
	struct enrolled o;
	struct enrol_task *task;
	unsigned with = rows[at].with;
	int64_t event;

	device = enrol_device_row(e, m.nn, with & ALL, with & BY_KEY ? key : pinned);
	device.end_to_end = (with & E2E) != 0;
	enrol_register(e, &device);
	other = enrol_device_row(e, m.others, DEVICE_PROOF_SECRET, NULL);
	enrol_register(e, &other);
	record_ours(e, &m, rows[at].credential, &ours);
	event = rig_event(e->rig);
	task = enrol_ask_new(e, rows[at].kind, m.nn, KEY_USAGE_DIGITAL_SIGNATURE, key, &o);
	present(e, &ours, &m, rows[at].credential, task);
	if (with & STATED)
		enrol_with_statement(task, m.nn, e->rig->now,
		    rows[at].credential == OURS ? ours.key : e->acme.meter_key);
	enrol_send(e, task);
	if (rows[at].want == ISSUED) {
		CHECK_ROW(rows[at].name, is_issued(&o, false));
		CHECK_ROW(
		    rows[at].name, (o.answer.key.len > 0) == (rows[at].kind == ENROL_SERVER_KEY));
	} else {
		CHECK_ROW(rows[at].name, is_refused(&o, rows[at].want, rows[at].code));
		CHECK_ROW(rows[at].name, rig_event(e->rig) == event);
		CHECK_ROW(rows[at].name, !enrol_registered(e, m.nn).secret_used);
	}
	enrolled_free(&o);
	buf_free(&ours.der);
	softsign_free(ours.key);
	softsign_free(key);
	softsign_free(pinned);
}

static void
test_matrix(void)
{
	struct enrollers *e = enrollers_new(1);

	enrollers_profile(e, "device-signature")->server_key = true;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		row_run(e, i);
	enrollers_free(e);
}

static const struct test_case cases[] = {
	{ "every kind, every credential", test_matrix },
};
TEST_MAIN("enrol_proof", cases)
