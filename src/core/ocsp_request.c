/*
 * Reading OCSP requests strictly (RFC 6960 4.1, RFC 9919 3.1, RFC 9654 2.1). The input comes from
 * strangers: sizes and counts are bounded first, nothing is allocated. It must not decide what is
 * answered.
 */
#include <string.h>

#include "smki/extlist.h"
#include "smki/ocsp.h"

/* RFC 9654 2.1: of 1..128 octets, those a responder must answer with are these. */
#define NONCE_ANSWER_MIN 16
#define NONCE_ANSWER_MAX 32

static const uint8_t oid_sha1[] = { 0x2b, 0x0e, 0x03, 0x02, 0x1a }; /* 1.3.14.3.2.26 */
/* 2.16.840.1.101.3.4.2.1 */
static const uint8_t oid_sha256[] = { 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01 };
/* id-pkix-ocsp-nonce 1.3.6.1.5.5.7.48.1.2 */
static const uint8_t oid_nonce[] = { 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x02 };

static int
ocsp_refuse(struct err *err, const char *clause, const char *finding)
{
	return err_set(err, FAIL_INVALID, "ocsp: RFC %s: %s", clause, finding);
}

/* Clients send the parameters as NULL and absent alike: the identifier decides. */
static int
ocsp_hash_get(struct der *d, enum ocsp_hash *out)
{
	struct der alg, params;
	struct span oid;
	enum ocsp_hash hash = OCSP_HASH_OTHER;
	uint8_t tag;

	if (der_get(d, DER_SEQUENCE, &alg) == -1 || der_get_oid(&alg, &oid) == -1)
		return -1;
	if (oid.len == sizeof(oid_sha1) && memcmp(oid.p, oid_sha1, oid.len) == 0)
		hash = OCSP_SHA1;
	else if (oid.len == sizeof(oid_sha256) && memcmp(oid.p, oid_sha256, oid.len) == 0)
		hash = OCSP_SHA256;
	if (!der_end(&alg)) {
		if (der_get_any(&alg, &tag, &params, NULL) == -1 || !der_end(&alg))
			return -1;
		if (hash != OCSP_HASH_OTHER && (tag != DER_NULL || !der_end(&params)))
			return -1;
	}
	*out = hash;
	return 0;
}

static int
ocsp_id_get(struct der *request, struct ocsp_id *out, struct err *err)
{
	struct der d, name_hash, key_hash;
	struct span serial;

	if (der_get_any(request, NULL, &d, &out->whole) == -1 || out->whole.p[0] != DER_SEQUENCE)
		return ocsp_refuse(err, "6960 4.1.1", "CertID is not a SEQUENCE");
	if (ocsp_hash_get(&d, &out->hash) == -1)
		return ocsp_refuse(err, "6960 4.1.1", "hashAlgorithm is not DER");
	if (der_get(&d, DER_OCTET_STRING, &name_hash) == -1 ||
	    der_get(&d, DER_OCTET_STRING, &key_hash) == -1)
		return ocsp_refuse(err, "6960 4.1.1", "an issuer hash is not an OCTET STRING");
	out->name_hash = der_span(&name_hash);
	out->key_hash = der_span(&key_hash);
	if (der_get_integer(&d, OCSP_REQUEST_MAX, &serial) == -1 || !der_end(&d))
		return ocsp_refuse(err, "6960 4.1.1", "serialNumber is not one DER INTEGER");
	out->serial.len = 0;
	/* RFC 5280 4.1.2.2: positive, at most 20 octets; anything else was never issued. */
	out->serial_ok = serial.len <= SERIAL_MAX && (serial.p[0] & 0x80) == 0 &&
			 !(serial.len == 1 && serial.p[0] == 0);
	if (out->serial_ok) {
		memcpy(out->serial.octets, serial.p, serial.len);
		out->serial.len = (uint8_t)serial.len;
	}
	return 0;
}

/* singleRequestExtensions: none is known, so only a critical one matters (4.4). */
static int
ocsp_single_extensions_get(struct der *request, struct err *err)
{
	struct der context;
	struct extlist list;
	struct extlist_item ext;
	int got;

	if (der_get(request, DER_CONTEXT(0), &context) == -1 ||
	    extlist_open(&context, &list) == -1 || !der_end(&context))
		return ocsp_refuse(
		    err, "6960 4.1.1", "singleRequestExtensions is not a list of extensions");
	while ((got = extlist_get(&list, "ocsp", &ext, err)) == 1)
		if (ext.critical)
			return ocsp_refuse(
			    err, "6960 4.4", "unknown critical extension in a request");
	return got;
}

static int
ocsp_list_get(struct der *tbs, struct ocsp_request *out, struct err *err)
{
	struct der list, request;

	if (der_get(tbs, DER_SEQUENCE, &list) == -1)
		return ocsp_refuse(err, "6960 4.1.1", "requestList is not a SEQUENCE");
	if (der_end(&list))
		return ocsp_refuse(err, "6960 4.1.1", "requestList is empty");
	while (!der_end(&list)) {
		if (out->n == OCSP_IDS_MAX)
			return err_set(err, FAIL_INVALID,
			    "ocsp: RFC 6960 4.1.1: requestList has over %d requests", OCSP_IDS_MAX);
		if (der_get(&list, DER_SEQUENCE, &request) == -1)
			return ocsp_refuse(err, "6960 4.1.1", "a request is not a SEQUENCE");
		if (ocsp_id_get(&request, &out->id[out->n], err) == -1)
			return -1;
		if (!der_end(&request) && ocsp_single_extensions_get(&request, err) == -1)
			return -1;
		if (!der_end(&request))
			return ocsp_refuse(err, "6960 4.1.1", "a request has trailing bytes");
		out->n++;
	}
	return 0;
}

/* Nonce ::= OCTET STRING (SIZE(1..128)) inside extnValue. */
static int
ocsp_nonce_get(const struct extlist_item *ext, struct ocsp_request *out, struct err *err)
{
	struct der d = der_from(ext->value.p, ext->value.len), nonce;
	struct span octets;

	if (der_get(&d, DER_OCTET_STRING, &nonce) == -1 || !der_end(&d))
		return ocsp_refuse(err, "9654 2.1", "nonce is not an OCTET STRING");
	octets = der_span(&nonce);
	if (octets.len == 0 || octets.len > OCSP_NONCE_MAX)
		return ocsp_refuse(err, "9654 2.1", "nonce is not of 1 to 128 octets");
	if (octets.len >= NONCE_ANSWER_MIN && octets.len <= NONCE_ANSWER_MAX)
		out->nonce = octets;
	return 0;
}

static int
ocsp_extensions_get(struct der *tbs, struct ocsp_request *out, struct err *err)
{
	struct der context;
	struct extlist list;
	struct extlist_item ext;
	int got;

	if (der_get(tbs, DER_CONTEXT(2), &context) == -1 || extlist_open(&context, &list) == -1 ||
	    !der_end(&context))
		return ocsp_refuse(
		    err, "6960 4.1.1", "requestExtensions is not a list of extensions");
	while ((got = extlist_get(&list, "ocsp", &ext, err)) == 1) {
		if (extlist_is(&ext, oid_nonce, sizeof(oid_nonce))) {
			if (ocsp_nonce_get(&ext, out, err) == -1)
				return -1;
		} else if (ext.critical) {
			return ocsp_refuse(err, "6960 4.4", "unknown critical extension");
		}
	}
	return got;
}

/* DER leaves the default v1 out (X.690 11.5), so a version that is there is wrong. */
static int
ocsp_version_get(struct der *tbs, struct err *err)
{
	struct der context;
	long version;

	if (der_get(tbs, DER_CONTEXT(0), &context) == -1 ||
	    der_get_small(&context, &version) == -1 || !der_end(&context))
		return ocsp_refuse(err, "6960 4.1.1", "version is not DER");
	if (version == 0)
		return ocsp_refuse(err, "6960 4.1.1", "the default version is encoded, not DER");
	return ocsp_refuse(err, "6960 4.1.1", "version is not v1");
}

/* One GeneralName (RFC 5280 4.2.1.6) of any form; who asks makes no difference (9919 3.1.2). */
static int
ocsp_requestor_get(struct der *tbs, struct err *err)
{
	static const uint8_t forms[] = { DER_CONTEXT(0), DER_CONTEXT_PRIM(1), DER_CONTEXT_PRIM(2),
		DER_CONTEXT(3), DER_CONTEXT(4), DER_CONTEXT(5), DER_CONTEXT_PRIM(6),
		DER_CONTEXT_PRIM(7), DER_CONTEXT_PRIM(8) };
	struct der context, content, name;
	uint8_t tag;

	if (der_get(tbs, DER_CONTEXT(1), &context) == -1 ||
	    der_get_any(&context, &tag, &content, NULL) == -1 || !der_end(&context) ||
	    memchr(forms, tag, sizeof(forms)) == NULL)
		return ocsp_refuse(err, "6960 4.1.1", "requestorName is not a GeneralName");
	if (tag == DER_CONTEXT(4) &&
	    (der_get(&content, DER_SEQUENCE, &name) == -1 || !der_end(&content)))
		return ocsp_refuse(err, "6960 4.1.1", "requestorName is not a GeneralName");
	return 0;
}

static int
ocsp_tbs_get(struct der *tbs, struct ocsp_request *out, struct err *err)
{
	if (der_tag(tbs) == DER_CONTEXT(0) && ocsp_version_get(tbs, err) == -1)
		return -1;
	if (der_tag(tbs) == DER_CONTEXT(1) && ocsp_requestor_get(tbs, err) == -1)
		return -1;
	if (ocsp_list_get(tbs, out, err) == -1)
		return -1;
	if (!der_end(tbs) && ocsp_extensions_get(tbs, out, err) == -1)
		return -1;
	if (!der_end(tbs))
		return ocsp_refuse(err, "6960 4.1.1", "TBSRequest has trailing bytes");
	return 0;
}

/* Signature ::= SEQUENCE { AlgorithmIdentifier, BIT STRING, certs [0] OPTIONAL }; not verified. */
static int
ocsp_signature_get(struct der *whole, struct err *err)
{
	struct der context, sig, alg, bits, certs, list, one;
	struct span oid;

	if (der_get(whole, DER_CONTEXT(0), &context) == -1 ||
	    der_get(&context, DER_SEQUENCE, &sig) == -1 || !der_end(&context))
		return ocsp_refuse(err, "6960 4.1.1", "optionalSignature is not a SEQUENCE");
	if (der_get(&sig, DER_SEQUENCE, &alg) == -1 || der_get_oid(&alg, &oid) == -1 ||
	    (!der_end(&alg) && der_get_any(&alg, NULL, NULL, NULL) == -1) || !der_end(&alg) ||
	    der_get(&sig, DER_BIT_STRING, &bits) == -1 || der_end(&bits) || bits.p[0] > 7)
		return ocsp_refuse(err, "6960 4.1.1", "optionalSignature is not a signature");
	if (der_end(&sig))
		return 0;
	if (der_get(&sig, DER_CONTEXT(0), &certs) == -1 || !der_end(&sig) ||
	    der_get(&certs, DER_SEQUENCE, &list) == -1 || !der_end(&certs))
		return ocsp_refuse(err, "6960 4.1.1", "certs is not a list of certificates");
	while (!der_end(&list))
		if (der_get(&list, DER_SEQUENCE, &one) == -1)
			return ocsp_refuse(
			    err, "6960 4.1.1", "certs is not a list of certificates");
	return 0;
}

int
ocsp_request_parse(const uint8_t *der, size_t len, struct ocsp_request *out, struct err *err)
{
	struct der d = der_from(der, len), whole, tbs;
	struct ocsp_request request;

	/* Places of the list are set as they come: most requests have one. */
	request.n = 0;
	request.nonce = (struct span){ 0 };
	if (len > OCSP_REQUEST_MAX)
		return err_set(
		    err, FAIL_INVALID, "ocsp: request has over %d octets", OCSP_REQUEST_MAX);
	if (der_get(&d, DER_SEQUENCE, &whole) == -1)
		return ocsp_refuse(err, "6960 4.1.1", "request is not a DER SEQUENCE");
	if (!der_end(&d))
		return ocsp_refuse(err, "6960 4.1.1", "trailing bytes after the request");
	if (der_get(&whole, DER_SEQUENCE, &tbs) == -1)
		return ocsp_refuse(err, "6960 4.1.1", "TBSRequest is not a SEQUENCE");
	if (ocsp_tbs_get(&tbs, &request, err) == -1)
		return -1;
	if (!der_end(&whole) && ocsp_signature_get(&whole, err) == -1)
		return -1;
	if (!der_end(&whole))
		return ocsp_refuse(err, "6960 4.1.1", "OCSPRequest has trailing bytes");
	out->n = request.n;
	out->nonce = request.nonce;
	memcpy(out->id, request.id, request.n * sizeof(request.id[0]));
	return 0;
}
