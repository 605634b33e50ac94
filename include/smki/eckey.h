/*
 * Elliptic-curve public keys and signatures as the PKI uses them: RFC 5480 SubjectPublicKeyInfo,
 * RFC 3279 2.2.3 ECDSA-Sig-Value, RFC 5280 4.2.1.2 key identifiers. Named curves P-256 and P-384,
 * uncompressed points only.
 */
#ifndef SMKI_ECKEY_H
#define SMKI_ECKEY_H

#include "smki/der.h"
#include "smki/types.h"

/* Coordinate length: 32 or 48. Digest length that goes with the curve: the same numbers. */
size_t ec_field_len(enum ec_curve curve);
const char *ec_curve_str(enum ec_curve curve); /* "P-256", "P-384" */

/*
 * Read one SubjectPublicKeyInfo from *d (RFC 5480 2: id-ecPublicKey, namedCurve, uncompressed,
 * exact length) and check that the point is on its curve and is not infinity. object names the
 * holder in messages ("csr"). FAIL_INVALID "csr: RFC 5480 2.1.1: curve is not named P-256 or
 * P-384", "csr: RFC 5480 2.2: point is not uncompressed", "... point is not on the curve".
 * Explicit parameters, other algorithms (RSA, EdDSA, ML-DSA) are refused by identifier before
 * any library looks at the key.
 */
int ec_pub_get(struct der *d, const char *object, struct ec_pub *out, struct err *err) MUST_USE;
/* Point octets (04 X Y) of this curve, checked the same way (tokens). */
int ec_pub_from_point(enum ec_curve curve, const uint8_t *point, size_t len, struct ec_pub *out,
    struct err *err) MUST_USE;
void ec_pub_put(struct buf *b, const struct ec_pub *pub);
int ec_pub_eq(const struct ec_pub *a, const struct ec_pub *b);

/* SHA-256 over the point: the identity of a key in the database. */
void ec_pub_hash(const struct ec_pub *pub, uint8_t out[SHA256_LEN]);
/* RFC 5280 4.2.1.2 (1): SHA-1 of the point, 20 octets. (2): 0100 + last 60 bits, 8 octets. */
#define KEY_ID_LONG 20
#define KEY_ID_SHORT 8
void ec_key_id_long(const struct ec_pub *pub, uint8_t out[KEY_ID_LONG]);
void ec_key_id_short(const struct ec_pub *pub, uint8_t out[KEY_ID_SHORT]);

/* SHA-256 for P-256, SHA-384 for P-384; returns the digest's length. */
size_t ec_digest(enum ec_curve curve, const void *data, size_t len, uint8_t out[SHA384_LEN]);

/*
 * Verify an ECDSA-Sig-Value over a digest. The encoding must be strict DER with r and s in
 * 1..n-1, minimal INTEGERs, nothing behind. 0 when it verifies, else FAIL_INVALID; FAIL_INTERNAL
 * when the library fails. The calling thread keeps a verification context per curve.
 */
int ec_verify(const struct ec_pub *pub, const uint8_t *digest, size_t digest_len, struct span sig,
    struct err *err) MUST_USE;

/* r||s (each ec_field_len) to ECDSA-Sig-Value with minimal INTEGERs, appended to out. */
void ec_sig_put(struct buf *out, enum ec_curve curve, const uint8_t *rs);

/* Contents octets of identifiers: id-ecPublicKey, the namedCurve (RFC 5480 2.1.1), ecdsa-with-SHA256
 * or -SHA384 (RFC 5758 3.2). */
struct span ec_key_oid(void);
struct span ec_curve_oid(enum ec_curve curve);
struct span ec_sig_oid(enum ec_curve curve);

/* AlgorithmIdentifier ecdsa-with-SHA256 or -SHA384, parameters absent (RFC 5758 3.2). */
void ec_sig_alg_put(struct buf *b, enum ec_curve curve);
/* Read an AlgorithmIdentifier; it must be exactly the one ec_sig_alg_put writes for curve. */
int ec_sig_alg_get(struct der *d, enum ec_curve curve) MUST_USE;

#endif
