/*
 * Responder certificates: due at half their life, recorded and taken into use in one step.
 */
#include "service_rig.h"
#include "smki/renew.h"

static struct store_ca
ca_row(struct rig *r)
{
	struct store_ca rows[STORE_CAS_MAX];
	size_t n = 0;

	RIG(store_ca_list(r->reader, rows, &n, &rig_err));
	require(n == 2);
	return rows[1];
}

static struct renew_conf
conf_of(const struct rig *r, const char *profile, int (*draw)(uint8_t *out, size_t n))
{
	return (struct renew_conf){ r->ca, profiles_get(&r->profiles, profile), r->committer,
		r->guard, draw };
}

static void
test_renew_due(void)
{
	CHECK(renew_due(1000, 2000) == 1500);
	CHECK(renew_due(1000, 2001) == 1500);
	CHECK(renew_due(1000, 1000) == 1000);
}

static void
test_renew_responder(void)
{
	struct rig *r = rig_new();
	struct renew_conf conf = conf_of(r, "ocsp", rng_draw);
	int64_t before = ca_row(r).responder;
	struct buf der = { 0 };
	struct store_cert is;
	struct cert cert;
	struct err err;

	RIG(renew_responder(&conf, &r->ocsp_key->signer.pub, &rig_err));
	CHECK(ca_row(r).responder > before);
	RIG(store_cert_get(r->reader, ca_row(r).responder, &is, &rig_err));
	CHECK(is.state == CERT_VALID && is.use == USE_OCSP && is.not_before >= r->now);
	CHECK_STR(is.profile, "ocsp");
	RIG(store_cert_der(r->reader, is.id, &der, &rig_err));
	CHECK(cert_parse(der.data, der.len, &cert, &err) == 0);
	CHECK(cert_check_issued(&cert, &r->ca->cert, &err) == 0);
	CHECK(cert.eku_ocsp && cert.nocheck && ec_pub_eq(&cert.pub, &r->ocsp_key->signer.pub));
	buf_free(&der);
	rig_free(r);
}

static unsigned draw_count;

static int
draw_same(uint8_t *out, size_t n)
{
	draw_count++;
	memset(out, 0x22, n);
	return 0;
}

/* Nothing is recorded and the old certificate stays in use. */
static void
test_renew_refused(void)
{
	struct rig *r = rig_new();
	struct renew_conf conf = conf_of(r, "ocsp", rng_draw), same = conf_of(r, "ocsp", draw_same);
	struct renew_conf other = conf_of(r, "tls-server", rng_draw);
	const struct ec_pub *pub = &r->ocsp_key->signer.pub;
	int64_t before, event;
	struct err err;

	CHECK(renew_responder(&other, pub, &err) != 0);
	CHECK(err.code == FAIL_INVALID);
	RIG(renew_responder(&same, pub, &rig_err));
	before = ca_row(r).responder;
	event = rig_event(r);
	draw_count = 0;
	CHECK(renew_responder(&same, pub, &err) != 0);
	CHECK(err.code == FAIL_CONFLICT && draw_count == ISSUE_SERIAL_TRIES);
	/* A key that is somebody else's. */
	CHECK(renew_responder(&conf, &r->ca_key->signer.pub, &err) != 0);
	CHECK(err.code == FAIL_CONFLICT);
	r->ca_key->refuse = true;
	CHECK(renew_responder(&conf, pub, &err) != 0);
	CHECK(err.code == FAIL_UNAVAILABLE);
	r->ca_key->refuse = false;
	timeguard_note(r->guard, r->now + 3600);
	CHECK(renew_responder(&conf, pub, &err) != 0);
	CHECK(err.code == FAIL_UNAVAILABLE);
	CHECK(ca_row(r).responder == before && rig_event(r) == event);
	rig_free(r);
}

static const struct test_case cases[] = {
	{ "due", test_renew_due },
	{ "a new certificate", test_renew_responder },
	{ "refusals", test_renew_refused },
};
TEST_MAIN("renew", cases)
