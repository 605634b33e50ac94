/*
 * JSON Web Tokens signed with ES256, as far as an issuer of access tokens needs them (RFC 7515,
 * 7518 3.4, 7519, 7638, 9068, 8705 3.1). No JSON is read here.
 */
#ifndef SMKI_JWT_H
#define SMKI_JWT_H

#include "smki/sign.h"

#define JWT_TEXT_LEN 256 /* issuer, audience, scopes; printable ASCII without quotes */
#define JWT_KID_LEN 44
#define JWT_JTI_OCTETS 16

struct jwt_claims {
	char kid[JWT_KID_LEN];
	char iss[JWT_TEXT_LEN];
	char aud[JWT_TEXT_LEN];
	char sub[2 * EUI64_LEN + 1];
	char scope[JWT_TEXT_LEN]; /* names with one space between */
	time_t iat, exp;
	uint8_t jti[JWT_JTI_OCTETS];
	uint8_t x5t_s256[SHA256_LEN]; /* SHA-256 of the certificate's DER */
};

/* RFC 7638 thumbprint of a P-256 key, base64url without padding: the kid. */
void jwt_kid(const struct ec_pub *pub, char out[JWT_KID_LEN]);
/* Header {"typ":"at+jwt","alg":"ES256","kid":...}, claims iss sub aud client_id iat exp jti scope
 * cnf, signature r||s; compact form appended to out. The signature is verified before (sign.h). */
int jwt_sign(const struct signer *signer, const struct jwt_claims *claims, struct buf *out,
    struct err *err) MUST_USE;
/* Append {"keys":[...]} (RFC 7517): kty crv x y kid use alg. */
void jwt_key_set(const struct ec_pub *pub, size_t n, struct buf *out);

#endif
