/*
 * The one way to sign: certificates, CRLs and OCSP responses are all
 * SEQUENCE { tbs, AlgorithmIdentifier, BIT STRING }. The signer is handed in, so core knows no
 * token; the signature is verified with the signer's public key before anybody sees it.
 */
#ifndef SMKI_SIGN_H
#define SMKI_SIGN_H

#include "smki/types.h"

/*
 * sign() turns a digest (32 octets for P-256, 48 for P-384) into r||s (64 or 96 octets, room for
 * EC_RS_MAX). 0, or -1 with FAIL_UNAVAILABLE when the token cannot at the moment.
 * The signer is borrowed for the call; it may be used from several threads when ctx allows it.
 */
struct signer {
	struct ec_pub pub;
	int (*sign)(void *ctx, const uint8_t *digest, size_t len, uint8_t *rs, struct err *err);
	void *ctx;
	/* The same in two parts, for whoever has other work meanwhile; NULL = not offered. What is
	 * begun is ended. */
	int (*begin)(void *ctx, const uint8_t *digest, size_t len, void **pending, struct err *err);
	int (*end)(void *pending, uint8_t *rs, struct err *err);
};

/*
 * Sign a digest, verify the result and write r||s to out (twice ec_field_len octets, the rest 0).
 * A signature that does not verify is FAIL_UNAVAILABLE "token: signature does not verify"; out is
 * then unchanged.
 */
int sign_raw(const struct signer *signer, const uint8_t *digest, size_t len, uint8_t out[EC_RS_MAX],
    struct err *err) MUST_USE;
/* sign_raw in two parts: sign_begin hands the digest to the signer, or keeps it when that has no
 * parts. Each begun needs its end, which frees what is pending also on failure. */
struct sign_pending {
	const struct signer *signer; /* borrowed until the end */
	void *pending;		     /* the signer's own */
	uint8_t digest[SHA384_LEN];
	size_t len;
};
int sign_begin(const struct signer *signer, const uint8_t *digest, size_t len,
    struct sign_pending *out, struct err *err) MUST_USE;
int sign_end(struct sign_pending *pending, uint8_t out[EC_RS_MAX], struct err *err) MUST_USE;

/* As sign_raw, the result appended to sig as an ECDSA-Sig-Value. */
int sign_digest(const struct signer *signer, const uint8_t *digest, size_t len, struct buf *sig,
    struct err *err) MUST_USE;

/* Hash tbs with the hash of the signer's curve, sign, verify, append the whole object to out. */
int sign_wrap(const struct signer *signer, const uint8_t *tbs, size_t len, struct buf *out,
    struct err *err) MUST_USE;
/* sign_wrap in two parts, as sign_begin and sign_end; both with the same tbs. */
int sign_wrap_begin(const struct signer *signer, const uint8_t *tbs, size_t len,
    struct sign_pending *out, struct err *err) MUST_USE;
int sign_wrap_end(struct sign_pending *pending, const uint8_t *tbs, size_t len, struct buf *out,
    struct err *err) MUST_USE;

#endif
