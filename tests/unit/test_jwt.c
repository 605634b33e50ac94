/*
 * Access tokens: header, claims and signature as another reader sees them, thumbprints and key
 * sets of known keys, and the values that are refused.
 */
#include "smki/eckey.h"
#include "smki/hex.h"
#include "smki/jwt.h"

#include "softsign.h"
#include "test.h"

#define HEX_P256 65

/* RFC 7515 A.3.1 and RFC 7517 A.1. */
static const struct {
	const char *point, *x, *y, *kid;
} keys[] = {
	{ "04"
	  "7fcdce2770f6c45d4183cbee6fdb4b7b580733357be9ef13bacf6e3c7bd15445"
	  "c7f144cd1bbd9b7e872cdfedb9eeb9f4b3695d6ea90b24ad8a4623288588e5ad",
	    "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
	    "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
	    "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U" },
	{ "04"
	  "30a0424cd21c2944838a2d75c92b37e76ea20d9f00893a3b4eee8a3c0aafec3e"
	  "e04b65e92456d9888b52b379bdfbd51ee869ef1f0fc65b6659695b6cce081723",
	    "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
	    "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
	    "cn-I_WNMClehiVp51i_0VpOENW1upEerA8sEam5hn-s" },
};

static struct ec_pub
known_key(size_t i)
{
	uint8_t point[HEX_P256];
	struct ec_pub pub;
	struct err err;
	size_t len;

	require(hex_decode(keys[i].point, point, sizeof(point), &len) == 0 && len == HEX_P256);
	require(ec_pub_from_point(EC_P256, point, len, &pub, &err) == 0);
	return pub;
}

static void
test_kid(void)
{
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		struct ec_pub pub = known_key(i);
		char kid[JWT_KID_LEN];

		jwt_kid(&pub, kid);
		CHECK_STR(kid, keys[i].kid);
	}
}

static void
test_key_set(void)
{
	struct ec_pub pubs[] = { known_key(0), known_key(1) };
	struct buf out = { 0 }, want = { 0 };

	jwt_key_set(NULL, 0, &out);
	CHECK_STR(buf_text(&out), "{\"keys\":[]}");
	buf_reset(&out);
	jwt_key_set(pubs, 1, &out);
	CHECK_STR(buf_text(&out), "{\"keys\":[{\"crv\":\"P-256\",\"kty\":\"EC\","
				  "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
				  "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\","
				  "\"kid\":\"oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U\","
				  "\"use\":\"sig\",\"alg\":\"ES256\"}]}");
	buf_reset(&out);
	jwt_key_set(pubs, 2, &out);
	buf_add_str(&want, "{\"keys\":[");
	for (size_t i = 0; i < 2; i++)
		buf_fmt(&want,
		    "%s{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"%s\",\"y\":\"%s\",\"kid\":\"%s\","
		    "\"use\":\"sig\",\"alg\":\"ES256\"}",
		    i > 0 ? "," : "", keys[i].x, keys[i].y, keys[i].kid);
	buf_add_str(&want, "]}");
	CHECK_STR(buf_text(&out), buf_text(&want));
	buf_free(&want);
	buf_free(&out);
}

static struct jwt_claims
claims_full(void)
{
	struct jwt_claims claims = {
		.kid = "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U",
		.iss = "https://ca.example",
		.aud = "https://head-end.example",
		.sub = "00db123456780001",
		.scope = "meter.read mqtt",
		.iat = 1795309200,
		.exp = 1795309800,
	};

	memset(claims.jti, 0xfb, sizeof(claims.jti));
	memset(claims.x5t_s256, 0xff, sizeof(claims.x5t_s256));
	return claims;
}

/* base64url back to octets. */
static void
decode(const char *text, size_t len, struct buf *out)
{
	struct buf plain = { 0 };

	for (size_t i = 0; i < len; i++) {
		CHECK(strchr("+/=", text[i]) == NULL);
		buf_add_u8(&plain, text[i] == '-' ? '+' : text[i] == '_' ? '/' : (uint8_t)text[i]);
	}
	CHECK(base64_decode(buf_text(&plain), plain.len, len, 1, out) == 0);
	buf_free(&plain);
}

/* Does libcrypto, which has never seen our code, find r||s over the text good? */
static int
verifies(EVP_PKEY *key, const char *text, size_t len, const uint8_t *rs)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	ECDSA_SIG *sig = ECDSA_SIG_new();
	unsigned char *der = NULL;
	int der_len, r;

	require(ECDSA_SIG_set0(sig, BN_bin2bn(rs, 32, NULL), BN_bin2bn(rs + 32, 32, NULL)) == 1);
	der_len = i2d_ECDSA_SIG(sig, &der);
	require(der_len > 0 && EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key) == 1);
	r = EVP_DigestVerify(ctx, der, (size_t)der_len, (const uint8_t *)text, len);
	OPENSSL_free(der);
	ECDSA_SIG_free(sig);
	EVP_MD_CTX_free(ctx);
	return r == 1;
}

static void
test_sign(void)
{
	struct softsign *soft = softsign_new(EC_P256), *other = softsign_new(EC_P256);
	struct jwt_claims claims = claims_full();
	struct buf out = { 0 }, header = { 0 }, body = { 0 }, rs = { 0 };
	const char *text, *dot, *dot2;
	struct err err = { 0 };

	CHECK(jwt_sign(softsign_signer(soft), &claims, &out, &err) == 0);
	CHECK(soft->calls == 1);
	text = buf_text(&out);
	dot = strchr(text, '.');
	dot2 = dot != NULL ? strchr(dot + 1, '.') : NULL;
	if (dot2 == NULL || strchr(dot2 + 1, '.') != NULL) {
		CU_FAIL("not three parts");
		goto out;
	}
	decode(text, (size_t)(dot - text), &header);
	decode(dot + 1, (size_t)(dot2 - dot - 1), &body);
	decode(dot2 + 1, strlen(dot2 + 1), &rs);
	CHECK_STR(buf_text(&header),
	    "{\"typ\":\"at+jwt\",\"alg\":\"ES256\",\"kid\":\"oKIywvGUpTVTyx"
	    "MQ3bwIIeQUudfr_CkLMjCE19ECD-U\"}");
	CHECK_STR(buf_text(&body),
	    "{\"iss\":\"https://ca.example\",\"sub\":\"00db123456780001\","
	    "\"aud\":\"https://head-end.example\",\"client_id\":\"00db123456780001\","
	    "\"iat\":1795309200,\"exp\":1795309800,\"jti\":\"-_v7-_v7-_v7-_v7-_v7-w\","
	    "\"scope\":\"meter.read mqtt\","
	    "\"cnf\":{\"x5t#S256\":\"__________________________________________8\"}}");
	CHECK(rs.len == 64);
	if (rs.len != 64)
		goto out;
	CHECK(verifies(soft->key, text, (size_t)(dot2 - text), rs.data));
	CHECK(!verifies(other->key, text, (size_t)(dot2 - text), rs.data));
	CHECK(!verifies(soft->key, text, (size_t)(dot2 - text) - 1, rs.data));
out:
	buf_free(&rs);
	buf_free(&body);
	buf_free(&header);
	buf_free(&out);
	softsign_free(other);
	softsign_free(soft);
}

/* r and s with leading zeros keep their 32 octets. */
static void
test_sign_many(void)
{
	struct softsign *soft = softsign_new(EC_P256);
	struct jwt_claims claims = claims_full();
	struct err err;

	for (int i = 0; i < 300; i++) {
		struct buf out = { 0 };

		claims.jti[0] = (uint8_t)i;
		claims.jti[1] = (uint8_t)(i >> 8);
		CHECK(jwt_sign(softsign_signer(soft), &claims, &out, &err) == 0);
		CHECK(strlen(strrchr(buf_text(&out), '.') + 1) == 86);
		buf_free(&out);
	}
	softsign_free(soft);
}

static void
test_refused_claims(void)
{
	static const struct {
		const char *claim, *text, *begins;
	} rows[] = {
		{ "iss", "", "jwt: RFC 7519 4.1: iss is empty" },
		{ "iss", "a\",\"x\":\"b", "jwt: RFC 7519 4.1: iss holds octet 22" },
		{ "iss", "a\\", "jwt: RFC 7519 4.1: iss holds octet 5c" },
		{ "iss", "a\nb", "jwt: RFC 7519 4.1: iss holds octet 0a" },
		{ "iss", "\x7f", "jwt: RFC 7519 4.1: iss holds octet 7f" },
		{ "iss", "\xc3\xa4", "jwt: RFC 7519 4.1: iss holds octet c3" },
		{ "aud", "", "jwt: RFC 7519 4.1: aud is empty" },
		{ "aud", "\"", "jwt: RFC 7519 4.1: aud holds octet 22" },
		{ "sub", "", "jwt: RFC 7519 4.1: sub is empty" },
		{ "sub", "\"", "jwt: RFC 7519 4.1: sub holds octet 22" },
		{ "kid", "", "jwt: RFC 7519 4.1: kid is empty" },
		{ "kid", "a\"", "jwt: RFC 7519 4.1: kid holds octet 22" },
		{ "scope", "", "jwt: RFC 7519 4.1: scope is empty" },
		{ "scope", "a\"b", "jwt: RFC 7519 4.1: scope holds octet 22" },
		{ "scope", " a", "jwt: RFC 6749 3.3: scope" },
		{ "scope", "a ", "jwt: RFC 6749 3.3: scope" },
		{ "scope", "a  b", "jwt: RFC 6749 3.3: scope" },
		{ "long", "", "jwt: RFC 7519 4.1: aud is too long" },
		{ "exp", "", "jwt: RFC 7519 4.1.4: exp is not after iat" },
		{ "iat", "", "jwt: RFC 7519 4.1.4: exp is not after iat" },
	};
	struct softsign *soft = softsign_new(EC_P256);

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct jwt_claims claims = claims_full();
		const char *claim = rows[i].claim;
		struct buf out = { 0 };
		struct err err = { 0 };

		if (strcmp(claim, "iss") == 0)
			strcpy(claims.iss, rows[i].text);
		else if (strcmp(claim, "aud") == 0)
			strcpy(claims.aud, rows[i].text);
		else if (strcmp(claim, "sub") == 0)
			strcpy(claims.sub, rows[i].text);
		else if (strcmp(claim, "kid") == 0)
			strcpy(claims.kid, rows[i].text);
		else if (strcmp(claim, "scope") == 0)
			strcpy(claims.scope, rows[i].text);
		else if (strcmp(claim, "long") == 0)
			memset(claims.aud, 'x', sizeof(claims.aud));
		else if (strcmp(claim, "exp") == 0)
			claims.exp = claims.iat;
		else
			claims.iat = -1;
		buf_add_str(&out, "kept");
		CHECK_ROW(
		    rows[i].begins, jwt_sign(softsign_signer(soft), &claims, &out, &err) == -1);
		CHECK_ROW(rows[i].begins, err.code == FAIL_INVALID);
		CHECK_ROW(
		    rows[i].begins, strncmp(err.msg, rows[i].begins, strlen(rows[i].begins)) == 0);
		CHECK_STR(buf_text(&out), "kept");
		buf_free(&out);
	}
	CHECK(soft->calls == 0);
	softsign_free(soft);
}

static void
test_refused_signer(void)
{
	struct softsign *p384 = softsign_new(EC_P384), *soft = softsign_new(EC_P256);
	struct jwt_claims claims = claims_full();
	struct buf out = { 0 };
	struct err err = { 0 };

	CHECK(jwt_sign(softsign_signer(p384), &claims, &out, &err) == -1);
	CHECK(err.code == FAIL_INVALID && p384->calls == 0);
	CHECK_STR(err.msg, "jwt: RFC 7518 3.4: ES256 takes a key on P-256 only");
	soft->corrupt = true;
	CHECK(jwt_sign(softsign_signer(soft), &claims, &out, &err) == -1);
	CHECK(err.code == FAIL_UNAVAILABLE);
	CHECK_STR(err.msg, "token: signature does not verify");
	soft->corrupt = false;
	soft->refuse = true;
	CHECK(jwt_sign(softsign_signer(soft), &claims, &out, &err) == -1);
	CHECK(err.code == FAIL_UNAVAILABLE && out.len == 0);
	softsign_free(soft);
	softsign_free(p384);
}

static const struct test_case cases[] = {
	{ "thumbprint", test_kid },
	{ "key set", test_key_set },
	{ "token", test_sign },
	{ "signatures keep their length", test_sign_many },
	{ "claims that are refused", test_refused_claims },
	{ "signers that are refused", test_refused_signer },
};

TEST_MAIN("jwt", cases)
