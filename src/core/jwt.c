/*
 * JSON Web Tokens and key sets as text. Values are printable ASCII without quotes and backslashes,
 * so that no value needs an escape and none can end its string. Knows no clock and no policy.
 */
#include <stdio.h>
#include <string.h>

#include "smki/eckey.h"
#include "smki/hex.h"
#include "smki/jwt.h"
#include "smki/mem.h"

#define JWT_COORDINATE 32 /* RFC 7518 6.2.1.2, P-256 */

/* "key":"base64url" of octets. */
static void
jwt_add_octets(struct buf *out, const char *key, const uint8_t *octets, size_t len)
{
	buf_fmt(out, "\"%s\":\"", key);
	base64url_encode(octets, len, out);
	buf_add_u8(out, '"');
}

/* The members that RFC 7638 3.2 takes, in its order. */
static void
jwt_add_key(struct buf *out, const struct ec_pub *pub)
{
	require(pub->curve == EC_P256 && pub->len == 1 + 2 * JWT_COORDINATE);
	buf_add_str(out, "\"crv\":\"P-256\",\"kty\":\"EC\",");
	jwt_add_octets(out, "x", pub->point + 1, JWT_COORDINATE);
	buf_add_u8(out, ',');
	jwt_add_octets(out, "y", pub->point + 1 + JWT_COORDINATE, JWT_COORDINATE);
}

void
jwt_kid(const struct ec_pub *pub, char out[JWT_KID_LEN])
{
	struct buf text = { 0 }, kid = { 0 };
	uint8_t digest[SHA384_LEN];
	size_t len;

	buf_add_u8(&text, '{');
	jwt_add_key(&text, pub);
	buf_add_u8(&text, '}');
	len = ec_digest(EC_P256, text.data, text.len, digest);
	base64url_encode(digest, len, &kid);
	require(kid.len == JWT_KID_LEN - 1);
	memcpy(out, buf_text(&kid), JWT_KID_LEN);
	buf_free(&kid);
	buf_free(&text);
}

/* Printable ASCII that a JSON string holds as it stands, at least one octet. */
static int
jwt_check_text(const char *claim, const char *text, size_t size, struct err *err)
{
	size_t len = strnlen(text, size);

	if (len == 0 || len == size)
		return err_set(err, FAIL_INVALID, "jwt: RFC 7519 4.1: %s is %s", claim,
		    len == 0 ? "empty" : "too long");
	for (size_t i = 0; i < len; i++)
		if (text[i] < 0x20 || text[i] > 0x7e || text[i] == '"' || text[i] == '\\')
			return err_set(err, FAIL_INVALID,
			    "jwt: RFC 7519 4.1: %s holds octet %02x, not printable ASCII without "
			    "'\"' and '\\'",
			    claim, (unsigned char)text[i]);
	return 0;
}

/* RFC 6749 3.3: names with exactly one space between. */
static int
jwt_check_scope(const char *scope, struct err *err)
{
	size_t len;

	if (jwt_check_text("scope", scope, JWT_TEXT_LEN, err) != 0)
		return -1;
	len = strlen(scope);
	if (scope[0] == ' ' || scope[len - 1] == ' ' || strstr(scope, "  ") != NULL)
		return err_set(err, FAIL_INVALID,
		    "jwt: RFC 6749 3.3: scope is not names with one space between");
	return 0;
}

static int
jwt_check(const struct signer *signer, const struct jwt_claims *claims, struct err *err)
{
	if (signer->pub.curve != EC_P256)
		return err_set(
		    err, FAIL_INVALID, "jwt: RFC 7518 3.4: ES256 takes a key on P-256 only");
	if (jwt_check_text("kid", claims->kid, sizeof(claims->kid), err) != 0 ||
	    jwt_check_text("iss", claims->iss, sizeof(claims->iss), err) != 0 ||
	    jwt_check_text("aud", claims->aud, sizeof(claims->aud), err) != 0 ||
	    jwt_check_text("sub", claims->sub, sizeof(claims->sub), err) != 0 ||
	    jwt_check_scope(claims->scope, err) != 0)
		return -1;
	if (claims->iat < 0 || claims->exp <= claims->iat)
		return err_set(err, FAIL_INVALID, "jwt: RFC 7519 4.1.4: exp is not after iat");
	return 0;
}

/* RFC 9068 2.1, 2.2. */
static void
jwt_add_header(const struct jwt_claims *claims, struct buf *out)
{
	buf_fmt(out, "{\"typ\":\"at+jwt\",\"alg\":\"ES256\",\"kid\":\"%s\"}", claims->kid);
}

static void
jwt_add_claims(const struct jwt_claims *claims, struct buf *out)
{
	buf_fmt(out, "{\"iss\":\"%s\",\"sub\":\"%s\",\"aud\":\"%s\",\"client_id\":\"%s\"",
	    claims->iss, claims->sub, claims->aud, claims->sub);
	buf_fmt(out, ",\"iat\":%lld,\"exp\":%lld,", (long long)claims->iat, (long long)claims->exp);
	jwt_add_octets(out, "jti", claims->jti, sizeof(claims->jti));
	buf_fmt(out, ",\"scope\":\"%s\",\"cnf\":{", claims->scope);
	jwt_add_octets(out, "x5t#S256", claims->x5t_s256, sizeof(claims->x5t_s256));
	buf_add_str(out, "}}");
}

int
jwt_sign(
    const struct signer *signer, const struct jwt_claims *claims, struct buf *out, struct err *err)
{
	uint8_t digest[SHA384_LEN], rs[EC_RS_MAX];
	struct buf header = { 0 }, body = { 0 }, token = { 0 };
	size_t len;
	int r = -1;

	if (jwt_check(signer, claims, err) != 0)
		goto out;
	jwt_add_header(claims, &header);
	jwt_add_claims(claims, &body);
	base64url_encode(header.data, header.len, &token);
	buf_add_u8(&token, '.');
	base64url_encode(body.data, body.len, &token);
	len = ec_digest(EC_P256, token.data, token.len, digest);
	if (sign_raw(signer, digest, len, rs, err) != 0)
		goto out;
	buf_add_u8(&token, '.');
	base64url_encode(rs, 2 * len, &token);
	buf_add(out, token.data, token.len);
	r = 0;
out:
	buf_free(&token);
	buf_free(&body);
	buf_free(&header);
	return r;
}

void
jwt_key_set(const struct ec_pub *pub, size_t n, struct buf *out)
{
	char kid[JWT_KID_LEN];

	buf_add_str(out, "{\"keys\":[");
	for (size_t i = 0; i < n; i++) {
		jwt_kid(&pub[i], kid);
		buf_add_str(out, i > 0 ? ",{" : "{");
		jwt_add_key(out, &pub[i]);
		buf_fmt(out, ",\"kid\":\"%s\",\"use\":\"sig\",\"alg\":\"ES256\"}", kid);
	}
	buf_add_str(out, "]}");
}
