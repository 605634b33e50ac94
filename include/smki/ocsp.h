/*
 * OCSP requests and responses: RFC 6960, RFC 9919 (lightweight profile), RFC 9654 (nonce).
 * Parsing and encoding only; service/respond.c decides.
 */
#ifndef SMKI_OCSP_H
#define SMKI_OCSP_H

#include "smki/der.h"
#include "smki/sign.h"
#include "smki/types.h"

/* Largest request in octets, most CertIDs in one. */
#define OCSP_REQUEST_MAX 16384
#define OCSP_IDS_MAX 64
#define OCSP_NONCE_MAX 128 /* RFC 9654 2.1 */

enum ocsp_hash {
	OCSP_SHA1 = 1,
	OCSP_SHA256 = 2,
	OCSP_HASH_OTHER = 3, /* well formed, not one of ours: answered unknown */
};

/* One CertID; spans borrow from the request. */
struct ocsp_id {
	struct span whole; /* the CertID, tag to end: echoed as received */
	enum ocsp_hash hash;
	struct span name_hash, key_hash;
	bool serial_ok; /* positive and at most 20 octets; else it cannot have been issued */
	struct serial serial;
};

struct ocsp_request {
	size_t n;
	struct ocsp_id id[OCSP_IDS_MAX];
	struct span nonce; /* the inner OCTET STRING's contents; p NULL = no nonce to answer */
};

/*
 * Strict parse. FAIL_INVALID (malformedRequest): not DER, trailing bytes, version other than v1,
 * empty list, more than OCSP_IDS_MAX, a repeated or unknown critical extension, a nonce of 0 or
 * over 128 octets or without its inner OCTET STRING, two nonces, over OCSP_REQUEST_MAX octets,
 * more than EXTLIST_MAX extensions in one list, the default version v1 encoded (not DER).
 * Nonces of 1..15 and 33..128 octets are read as absent (RFC 9654 2.1: answered without); 16..32
 * are kept. A critical nonce is a nonce. requestorName and a signature are ignored (9919 3.1.2):
 * their frames must be well formed, names and certificates inside are not looked at.
 */
int ocsp_request_parse(
    const uint8_t *der, size_t len, struct ocsp_request *out, struct err *err) MUST_USE;

enum ocsp_status {
	OCSP_GOOD = 0,
	OCSP_REVOKED = 1,
	OCSP_UNKNOWN = 2,
};

struct ocsp_answer {
	struct span id; /* CertID as received */
	enum ocsp_status status;
	time_t revoked_at;
	enum crl_reason reason; /* unspecified is left out */
};

struct ocsp_params {
	const struct ocsp_answer *answers;
	size_t n;
	struct span nonce;    /* p NULL = none */
	bool extended_revoke; /* RFC 6960 4.4.8 in responseExtensions */
	time_t produced_at;   /* = thisUpdate of all (RFC 9919 6, 7.2) */
	time_t next_update;
	struct span responder_cert; /* delegated certificate, included; p NULL = the CA signs */
};

/*
 * A successful response by byKey (SHA-1 of signer->pub), of 1 to OCSP_IDS_MAX answers, in two
 * parts, since a signer may sign meanwhile (sign_begin). signer and the responder's certificate are
 * borrowed until the end, which each begun one needs, which appends the OCSPResponse to out, and
 * which frees what is pending also on failure. Errors of the signer; FAIL_INTERNAL when next_update
 * is not after produced_at (the responder certificate ends): nothing is signed then.
 */
struct ocsp_pending {
	struct buf tbs;
	struct span cert;
	struct sign_pending sign;
};
int ocsp_response_begin(const struct ocsp_params *params, const struct signer *signer,
    struct ocsp_pending *out, struct err *err) MUST_USE;
int ocsp_response_end(struct ocsp_pending *pending, struct buf *out, struct err *err) MUST_USE;

/* The unsigned 5 octets of an error: status from err_ocsp_status() or 5 (sigRequired). */
void ocsp_error_put(struct buf *out, int status);

/* Issuer hashes of a CA for matching CertIDs. */
struct ocsp_issuer {
	uint8_t name_sha1[20], key_sha1[20];
	uint8_t name_sha256[32], key_sha256[32];
};
void ocsp_issuer_hash(struct span subject, const struct ec_pub *pub, struct ocsp_issuer *out);
/* 1 when the CertID names this issuer. */
int ocsp_issuer_match(const struct ocsp_issuer *issuer, const struct ocsp_id *id);

#endif
