/*
 * Writing OCSP responses (RFC 6960 4.2, RFC 9919 3.2) and the issuer hashes that CertIDs are
 * matched with. It must not decide what is answered.
 */
#include <openssl/evp.h>
#include <string.h>

#include "smki/eckey.h"
#include "smki/mem.h"
#include "smki/ocsp.h"

/* id-pkix-ocsp-basic, -nonce, -extended-revoke: 1.3.6.1.5.5.7.48.1.{1,2,9} */
static const uint8_t oid_basic[] = { 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x01 };
static const uint8_t oid_nonce[] = { 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x02 };
static const uint8_t oid_extended[] = { 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x09 };

static void
ocsp_status_put(struct buf *out, const struct ocsp_answer *answer)
{
	size_t info, context;

	switch (answer->status) {
	case OCSP_GOOD:
		der_put(out, DER_CONTEXT_PRIM(0), NULL, 0);
		return;
	case OCSP_REVOKED:
		require(answer->reason != REASON_REMOVE_FROM_CRL);
		info = der_open(out, DER_CONTEXT(1));
		der_put_gentime(out, answer->revoked_at);
		if (answer->reason != REASON_UNSPECIFIED) {
			context = der_open(out, DER_CONTEXT(0));
			der_put_small(out, DER_ENUMERATED, answer->reason);
			der_close(out, context);
		}
		der_close(out, info);
		return;
	case OCSP_UNKNOWN:
		der_put(out, DER_CONTEXT_PRIM(2), NULL, 0);
		return;
	}
	require(!"a status of OCSP");
}

static void
ocsp_single_put(struct buf *out, const struct ocsp_answer *answer, const struct ocsp_params *params)
{
	size_t single = der_open(out, DER_SEQUENCE), context;

	/* As received: clients compare it octet for octet. */
	buf_add(out, answer->id.p, answer->id.len);
	ocsp_status_put(out, answer);
	/* thisUpdate = producedAt satisfies both RFC 9919 6 and 7.2 on Last-Modified. */
	der_put_gentime(out, params->produced_at);
	context = der_open(out, DER_CONTEXT(0));
	der_put_gentime(out, params->next_update);
	der_close(out, context);
	der_close(out, single);
}

static void
ocsp_extensions_put(struct buf *out, const struct ocsp_params *params)
{
	size_t context, list, ext, value;

	if (params->nonce.p == NULL && !params->extended_revoke)
		return;
	context = der_open(out, DER_CONTEXT(1));
	list = der_open(out, DER_SEQUENCE);
	if (params->nonce.p != NULL) {
		ext = der_open(out, DER_SEQUENCE);
		der_put(out, DER_OID, oid_nonce, sizeof(oid_nonce));
		value = der_open(out, DER_OCTET_STRING);
		der_put_span(out, DER_OCTET_STRING, params->nonce);
		der_close(out, value);
		der_close(out, ext);
	}
	if (params->extended_revoke) {
		ext = der_open(out, DER_SEQUENCE);
		der_put(out, DER_OID, oid_extended, sizeof(oid_extended));
		value = der_open(out, DER_OCTET_STRING);
		der_put(out, DER_NULL, NULL, 0);
		der_close(out, value);
		der_close(out, ext);
	}
	der_close(out, list);
	der_close(out, context);
}

/* ResponseData: version v1 is the default and left out. */
static void
ocsp_data_put(struct buf *out, const struct ocsp_params *params, const struct ec_pub *pub)
{
	uint8_t key_id[KEY_ID_LONG];
	size_t data, by_key, list;

	ec_key_id_long(pub, key_id);
	data = der_open(out, DER_SEQUENCE);
	by_key = der_open(out, DER_CONTEXT(2));
	der_put(out, DER_OCTET_STRING, key_id, sizeof(key_id));
	der_close(out, by_key);
	der_put_gentime(out, params->produced_at);
	list = der_open(out, DER_SEQUENCE);
	for (size_t i = 0; i < params->n; i++)
		ocsp_single_put(out, &params->answers[i], params);
	der_close(out, list);
	ocsp_extensions_put(out, params);
	der_close(out, data);
}

/* successful(0), id-pkix-ocsp-basic and the BasicOCSPResponse around tbs and signature. */
static void
ocsp_wrap_put(struct buf *out, enum ec_curve curve, const struct buf *tbs, const struct buf *sig,
    struct span cert)
{
	size_t response, context, bytes, octets, basic, certs, list;

	response = der_open(out, DER_SEQUENCE);
	der_put_small(out, DER_ENUMERATED, 0);
	context = der_open(out, DER_CONTEXT(0));
	bytes = der_open(out, DER_SEQUENCE);
	der_put(out, DER_OID, oid_basic, sizeof(oid_basic));
	octets = der_open(out, DER_OCTET_STRING);
	basic = der_open(out, DER_SEQUENCE);
	buf_add(out, tbs->data, tbs->len);
	ec_sig_alg_put(out, curve);
	der_put_octet_bits(out, sig->data, sig->len);
	if (cert.p != NULL) {
		certs = der_open(out, DER_CONTEXT(0));
		list = der_open(out, DER_SEQUENCE);
		buf_add(out, cert.p, cert.len);
		der_close(out, list);
		der_close(out, certs);
	}
	der_close(out, basic);
	der_close(out, octets);
	der_close(out, bytes);
	der_close(out, context);
	der_close(out, response);
}

int
ocsp_response_begin(const struct ocsp_params *params, const struct signer *signer,
    struct ocsp_pending *out, struct err *err)
{
	struct ocsp_pending pending = { .cert = params->responder_cert };
	uint8_t digest[SHA384_LEN];
	size_t len;

	require(params->n > 0 && params->n <= OCSP_IDS_MAX);
	/* A responder certificate that has ended would lead here: nothing is signed then. */
	if (params->next_update <= params->produced_at)
		return err_set(
		    err, FAIL_INTERNAL, "ocsp: RFC 9919 3.2.4: nextUpdate is not after thisUpdate");
	ocsp_data_put(&pending.tbs, params, &signer->pub);
	len = ec_digest(signer->pub.curve, pending.tbs.data, pending.tbs.len, digest);
	if (sign_begin(signer, digest, len, &pending.sign, err) != 0) {
		buf_free(&pending.tbs);
		return -1;
	}
	*out = pending;
	return 0;
}

int
ocsp_response_end(struct ocsp_pending *pending, struct buf *out, struct err *err)
{
	enum ec_curve curve = pending->sign.signer->pub.curve;
	uint8_t rs[EC_RS_MAX];
	struct buf sig = { 0 };
	int r = sign_end(&pending->sign, rs, err);

	if (r == 0) {
		ec_sig_put(&sig, curve, rs);
		ocsp_wrap_put(out, curve, &pending->tbs, &sig, pending->cert);
	}
	buf_free(&pending->tbs);
	buf_free(&sig);
	return r;
}

void
ocsp_error_put(struct buf *out, int status)
{
	size_t response = der_open(out, DER_SEQUENCE);

	require(status > 0 && status <= 6 && status != 4);
	der_put_small(out, DER_ENUMERATED, (unsigned long)status);
	der_close(out, response);
}

static void
ocsp_hash(const EVP_MD *md, struct span data, uint8_t *out)
{
	/* Fails only when the library lacks the hash. */
	require(EVP_Digest(data.p, data.len, out, NULL, md, NULL) == 1);
}

void
ocsp_issuer_hash(struct span subject, const struct ec_pub *pub, struct ocsp_issuer *out)
{
	struct span point = { pub->point, pub->len };

	ocsp_hash(EVP_sha1(), subject, out->name_sha1);
	ocsp_hash(EVP_sha1(), point, out->key_sha1);
	ocsp_hash(EVP_sha256(), subject, out->name_sha256);
	ocsp_hash(EVP_sha256(), point, out->key_sha256);
}

int
ocsp_issuer_match(const struct ocsp_issuer *issuer, const struct ocsp_id *id)
{
	struct span name, key;

	switch (id->hash) {
	case OCSP_SHA1:
		name = (struct span){ issuer->name_sha1, sizeof(issuer->name_sha1) };
		key = (struct span){ issuer->key_sha1, sizeof(issuer->key_sha1) };
		return span_eq(id->name_hash, name) && span_eq(id->key_hash, key);
	case OCSP_SHA256:
		name = (struct span){ issuer->name_sha256, sizeof(issuer->name_sha256) };
		key = (struct span){ issuer->key_sha256, sizeof(issuer->key_sha256) };
		return span_eq(id->name_hash, name) && span_eq(id->key_hash, key);
	case OCSP_HASH_OTHER:
		return 0;
	}
	return 0;
}
