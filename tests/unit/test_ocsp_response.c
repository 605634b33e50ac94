/*
 * OCSP responses: octet for octet, and as libcrypto verifies them.
 */
#include "smki/eckey.h"
#include "smki/mem.h"
#include "smki/ocsp.h"
#include "corpus.h"
#include "softca.h"

/* T0 as GeneralizedTime; an hour later; a minute earlier; 1970. */
#define G0 "180f32303236303932313134313332305a"
#define G1 "180f32303236303932313135313332305a"
#define GM "180f32303236303932313134313232305a"
#define G1970 "180f31393730303130313030303030305a"

/* A CertID with SHA-1 and serial 5; a nonce extension of 16 octets. */
#define H20 "0414a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3"
#define ID5 "303a300906052b0e03021a0500" H20 H20 "020105"
#define NONCE16 "301f06092b060105050730010204120410000102030405060708090a0b0c0d0e0f"

/* TBSResponseData in a response of ours: found by walking, so also a check of what is around. */
static int
response_build(
    const struct ocsp_params *params, const struct signer *signer, struct buf *out, struct err *err)
{
	struct ocsp_pending pending;

	if (ocsp_response_begin(params, signer, &pending, err) != 0)
		return -1;
	return ocsp_response_end(&pending, out, err);
}

static struct span
response_tbs(const struct buf *der, struct span *certs)
{
	static const uint8_t basic[] = { 0x2b, 6, 1, 5, 5, 7, 0x30, 1, 1 };
	struct der d = der_from(der->data, der->len), whole, status, context, bytes, octets, in;
	struct span oid = { 0 }, tbs = { 0 }, sig;

	CHECK(der_get(&d, DER_SEQUENCE, &whole) == 0 && der_end(&d));
	CHECK(der_get(&whole, DER_ENUMERATED, &status) == 0);
	CHECK(der_span(&status).len == 1 && der_span(&status).p[0] == 0);
	CHECK(der_get(&whole, DER_CONTEXT(0), &context) == 0 && der_end(&whole));
	CHECK(der_get(&context, DER_SEQUENCE, &bytes) == 0 && der_end(&context));
	CHECK(der_get_oid(&bytes, &oid) == 0);
	CHECK_MEM(oid.p, oid.len, basic, sizeof(basic));
	CHECK(der_get(&bytes, DER_OCTET_STRING, &octets) == 0 && der_end(&bytes));
	CHECK(der_get(&octets, DER_SEQUENCE, &in) == 0 && der_end(&octets));
	CHECK(der_get_any(&in, NULL, NULL, &tbs) == 0);
	CHECK(ec_sig_alg_get(&in, EC_P256) == 0 && der_get_octet_bits(&in, &sig) == 0);
	*certs = der_span(&in);
	return tbs;
}

/* The TBSResponseData by hand, but for the responder's key hash. */
static const struct {
	const char *name;
	enum ocsp_status status;
	time_t revoked_at;
	enum crl_reason reason;
	bool extended, nonce;
	const char *before, *after; /* the key hash */
} octets[] = {
	{ "good", OCSP_GOOD, 0, 0, false, false, "30818fa2160414",
	    G0 "3064"
	       "3062" ID5 "8000" G0 "a011" G1 },
	{ "unknown", OCSP_UNKNOWN, 0, 0, false, false, "30818fa2160414",
	    G0 "3064"
	       "3062" ID5 "8200" G0 "a011" G1 },
	{ "revoked", OCSP_REVOKED, T0 - 60, REASON_KEY_COMPROMISE, false, false, "3081a5a2160414",
	    G0 "307a"
	       "3078" ID5 "a116" GM "a0030a0101" G0 "a011" G1 },
	{ "revoked, no reason", OCSP_REVOKED, T0 - 60, REASON_UNSPECIFIED, false, false,
	    "3081a0a2160414",
	    G0 "3075"
	       "3073" ID5 "a111" GM G0 "a011" G1 },
	{ "good, nonce", OCSP_GOOD, 0, 0, false, true, "3081b4a2160414",
	    G0 "3064"
	       "3062" ID5 "8000" G0 "a011" G1 "a123"
	       "3021" NONCE16 },
	{ "never issued", OCSP_REVOKED, 0, REASON_CERTIFICATE_HOLD, true, false, "3081baa2160414",
	    G0 "307a"
	       "3078" ID5 "a116" G1970 "a0030a0106" G0 "a011" G1 "a113"
	       "3011"
	       "300f"
	       "06092b0601050507300109"
	       "04020500" },
	{ "never issued, nonce", OCSP_REVOKED, 0, REASON_CERTIFICATE_HOLD, true, true,
	    "3081dba2160414",
	    G0 "307a"
	       "3078" ID5 "a116" G1970 "a0030a0106" G0 "a011" G1 "a134"
	       "3032" NONCE16 "300f"
	       "06092b0601050507300109"
	       "04020500" },
};

static void
ocsp_octets(void)
{
	struct softsign *s = softsign_new(EC_P256);
	struct buf id = { 0 }, nonce = { 0 };
	uint8_t key_hash[20];

	hex_put(&id, ID5);
	hex_put(&nonce, "000102030405060708090a0b0c0d0e0f");
	CHECK(EVP_Digest(s->signer.pub.point, s->signer.pub.len, key_hash, NULL, EVP_sha1(), NULL));
	for (size_t i = 0; i < ARRAY_LEN(octets); i++) {
		const struct ocsp_answer answer = { .id = buf_span(&id),
			.status = octets[i].status,
			.revoked_at = octets[i].revoked_at,
			.reason = octets[i].reason };
		struct ocsp_params params = { .answers = &answer,
			.n = 1,
			.produced_at = T0,
			.next_update = T0 + 3600,
			.extended_revoke = octets[i].extended };
		struct buf out = { 0 }, want = { 0 };
		struct span tbs, certs;
		struct err err = { 0 };

		if (octets[i].nonce)
			params.nonce = buf_span(&nonce);
		CHECK_ROW(
		    octets[i].name, response_build(&params, softsign_signer(s), &out, &err) == 0);
		tbs = response_tbs(&out, &certs);
		hex_put(&want, octets[i].before);
		buf_add(&want, key_hash, sizeof(key_hash));
		hex_put(&want, octets[i].after);
		CHECK_MEM(tbs.p, tbs.len, want.data, want.len);
		CHECK_ROW(octets[i].name, certs.len == 0);
		buf_free(&out);
		buf_free(&want);
	}
	buf_free(&id);
	buf_free(&nonce);
	softsign_free(s);
}

/* A store that trusts ca at T0, whatever the time is now. */
static X509_STORE *
store_new(X509 *ca)
{
	X509_STORE *store = X509_STORE_new();

	CHECK(X509_STORE_add_cert(store, ca) == 1);
	X509_VERIFY_PARAM_set_time(X509_STORE_get0_param(store), T0);
	return store;
}

/* What libcrypto finds in one SingleResponse. */
static void
single_judge(OCSP_BASICRESP *bs, OCSP_CERTID *id, const struct ocsp_answer *want)
{
	ASN1_GENERALIZEDTIME *revoked = NULL, *this_update = NULL, *next_update = NULL;
	struct tm tm;
	int status = -1, reason = -1;

	CHECK(OCSP_resp_find_status(
		  bs, id, &status, &reason, &revoked, &this_update, &next_update) == 1);
	CHECK(status == (int)want->status);
	CHECK(this_update != NULL && ASN1_STRING_type(this_update) == V_ASN1_GENERALIZEDTIME);
	CHECK(next_update != NULL && ASN1_STRING_type(next_update) == V_ASN1_GENERALIZEDTIME);
	CHECK(this_update != NULL && ASN1_TIME_to_tm(this_update, &tm) && timegm(&tm) == T0);
	CHECK(next_update != NULL && ASN1_TIME_to_tm(next_update, &tm) && timegm(&tm) == T0 + 3600);
	if (want->status == OCSP_REVOKED) {
		CHECK(reason == (want->reason == REASON_UNSPECIFIED ? -1 : (int)want->reason));
		CHECK(revoked != NULL && ASN1_TIME_to_tm(revoked, &tm) &&
		      timegm(&tm) == want->revoked_at);
	}
}

/* One second more in producedAt: the same response, but the signature does not hold. */
static void
check_tampered(const struct buf *response, X509 *extra, X509_STORE *store)
{
	struct buf copy = { 0 };
	uint8_t *digit;
	const unsigned char *at;
	OCSP_RESPONSE *resp;
	OCSP_BASICRESP *bs;

	buf_add(&copy, response->data, response->len);
	digit = memmem(copy.data, copy.len, "20260921141320Z", 15);
	CHECK(digit != NULL);
	if (digit != NULL)
		digit[13] = '1';
	at = copy.data;
	resp = d2i_OCSP_RESPONSE(NULL, &at, (long)copy.len);
	CHECK(resp != NULL);
	bs = OCSP_response_get1_basic(resp);
	CHECK(bs != NULL);
	if (extra != NULL)
		OCSP_basic_add1_cert(bs, extra);
	CHECK(OCSP_basic_verify(bs, NULL, store, 0) != 1);
	OCSP_BASICRESP_free(bs);
	OCSP_RESPONSE_free(resp);
	buf_free(&copy);
}

/*
 * A request of libcrypto, our answer, verified by libcrypto. delegated: the responder has its own
 * key and certificate; else the CA signs itself.
 */
static void
exchange(bool delegated, bool sha256, bool forged)
{
	static const enum ocsp_status status[4] = { OCSP_GOOD, OCSP_REVOKED, OCSP_UNKNOWN,
		OCSP_REVOKED };
	static struct ocsp_request request;
	struct softsign *ca = softsign_new(EC_P256), *own = softsign_new(EC_P256),
			*stranger = softsign_new(EC_P256);
	X509 *ca_cert = x509_new(ca, NULL, ca), *cert = x509_new(own, ca_cert, ca);
	X509_STORE *store = store_new(ca_cert);
	OCSP_REQUEST *req = OCSP_REQUEST_new();
	OCSP_CERTID *ids[4];
	OCSP_RESPONSE *resp;
	OCSP_BASICRESP *bs;
	struct ocsp_answer answers[4];
	struct ocsp_params params = {
		.answers = answers, .n = 4, .produced_at = T0, .next_update = T0 + 3600
	};
	unsigned char *der = NULL, *cert_der = NULL;
	const unsigned char *at;
	const ASN1_OCTET_STRING *key_hash = NULL;
	const X509_NAME *by_name = NULL;
	uint8_t nonce[32];
	struct buf out = { 0 };
	struct err err = { 0 };
	int len;

	memset(nonce, 0x5c, sizeof(nonce));
	for (int i = 0; i < 4; i++) {
		ids[i] = certid_new(sha256 ? EVP_sha256() : EVP_sha1(), ca, 100 + i, i == 1);
		OCSP_request_add0_id(req, OCSP_CERTID_dup(ids[i]));
	}
	OCSP_request_add1_nonce(req, nonce, sizeof(nonce));
	len = i2d_OCSP_REQUEST(req, &der);
	CHECK(ocsp_request_parse(der, (size_t)len, &request, &err) == 0 && request.n == 4);
	for (int i = 0; i < 4; i++)
		answers[i] = (struct ocsp_answer){ request.id[i].whole, status[i], T0 - i,
			i == 1 ? REASON_UNSPECIFIED : REASON_PRIVILEGE_WITHDRAWN };
	params.nonce = request.nonce;
	if (delegated) {
		len = i2d_X509(cert, &cert_der);
		params.responder_cert = (struct span){ cert_der, (size_t)len };
	}
	CHECK(response_build(&params,
		  softsign_signer(forged      ? stranger
				  : delegated ? own
					      : ca),
		  &out, &err) == 0);

	at = out.data;
	resp = d2i_OCSP_RESPONSE(NULL, &at, (long)out.len);
	CHECK(resp != NULL && at == out.data + out.len);
	CHECK(OCSP_response_status(resp) == OCSP_RESPONSE_STATUS_SUCCESSFUL);
	bs = OCSP_response_get1_basic(resp);
	CHECK(bs != NULL);
	if (!delegated)
		OCSP_basic_add1_cert(bs, ca_cert);
	CHECK((OCSP_basic_verify(bs, NULL, store, 0) == 1) == !forged);
	check_tampered(&out, delegated ? NULL : ca_cert, store);
	CHECK(OCSP_check_nonce(req, bs) == 1);
	CHECK(OCSP_resp_count(bs) == 4);
	CHECK(OCSP_resp_get0_id(bs, &key_hash, &by_name) == 1);
	CHECK(key_hash != NULL && by_name == NULL && ASN1_STRING_length(key_hash) == 20);
	for (int i = 0; i < 4; i++) {
		single_judge(bs, ids[i], &answers[i]);
		OCSP_CERTID_free(ids[i]);
	}

	OCSP_BASICRESP_free(bs);
	OCSP_RESPONSE_free(resp);
	OCSP_REQUEST_free(req);
	OPENSSL_free(der);
	OPENSSL_free(cert_der);
	X509_STORE_free(store);
	X509_free(cert);
	X509_free(ca_cert);
	buf_free(&out);
	softsign_free(ca);
	softsign_free(own);
	softsign_free(stranger);
}

static void
ocsp_verified(void)
{
	exchange(true, false, false);
	exchange(true, true, false);
	exchange(false, true, false);
	exchange(true, true, true);
	exchange(false, false, true);
}

static void
ocsp_signer_fails(void)
{
	struct softsign *s = softsign_new(EC_P384);
	struct buf id = { 0 }, out = { 0 };
	struct ocsp_answer answer = { .status = OCSP_GOOD };
	struct ocsp_params params = {
		.answers = &answer, .n = 1, .produced_at = T0, .next_update = T0 + 3600
	};
	struct err err = { 0 };

	hex_put(&id, ID5);
	answer.id = buf_span(&id);
	s->refuse = true;
	CHECK(response_build(&params, softsign_signer(s), &out, &err) == -1);
	CHECK(err.code == FAIL_UNAVAILABLE && out.len == 0);
	s->refuse = false;
	s->corrupt = true;
	CHECK(response_build(&params, softsign_signer(s), &out, &err) == -1);
	CHECK(err.code == FAIL_UNAVAILABLE && out.len == 0);
	s->corrupt = false;

	/* A responder certificate that ends now leaves no time for an answer. */
	s->calls = 0;
	params.next_update = T0;
	CHECK(response_build(&params, softsign_signer(s), &out, &err) == -1);
	CHECK(err.code == FAIL_INTERNAL && out.len == 0 && s->calls == 0);
	params.next_update = T0 + 1;
	CHECK(response_build(&params, softsign_signer(s), &out, &err) == 0);
	CHECK(out.len > 0 && s->calls == 1);
	buf_free(&id);
	buf_free(&out);
	softsign_free(s);
}

static void
ocsp_errors(void)
{
	static const int statuses[] = { 1, 2, 3, 5, 6 };

	for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
		uint8_t want[5] = { 0x30, 0x03, 0x0a, 0x01, (uint8_t)statuses[i] };
		struct buf out = { 0 };
		const unsigned char *at;
		OCSP_RESPONSE *resp;

		ocsp_error_put(&out, statuses[i]);
		CHECK_MEM(out.data, out.len, want, sizeof(want));
		at = out.data;
		resp = d2i_OCSP_RESPONSE(NULL, &at, (long)out.len);
		CHECK(resp != NULL && OCSP_response_status(resp) == statuses[i]);
		CHECK(resp != NULL && OCSP_response_get1_basic(resp) == NULL);
		OCSP_RESPONSE_free(resp);
		buf_free(&out);
	}
}

static const struct test_case cases[] = {
	{ "octet for octet", ocsp_octets },
	{ "verified by libcrypto", ocsp_verified },
	{ "signer fails", ocsp_signer_fails },
	{ "error responses", ocsp_errors },
};

TEST_MAIN("ocsp_response", cases)
