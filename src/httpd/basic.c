/*
 * The reader of HTTP Basic credentials (RFC 7617). Keeps no copy of a secret and never quotes one.
 */
#include <openssl/crypto.h>
#include <string.h>
#include <strings.h>

#include "basic.h"
#include "smki/hex.h"

#define BASIC_SCHEME "Basic"
/* An EUI-64 with separators, the colon, the secret. */
#define BASIC_OCTETS_MAX (3 * EUI64_LEN + 1 + ENROL_SECRET_MAX)
#define BASIC_TEXT_MAX ((BASIC_OCTETS_MAX + 2) / 3 * 4)

/* USER:SECRET, as octets. */
static int
basic_split(
    const struct buf *pair, struct eui64 *user, char secret[ENROL_SECRET_MAX + 1], struct err *err)
{
	const uint8_t *colon = memchr(pair->data, ':', pair->len);
	char name[BASIC_OCTETS_MAX + 1];
	struct eui64 eui;
	size_t user_len, len;

	if (colon == NULL)
		return err_set(err, FAIL_INVALID, "http: RFC 7617 2: no colon in the credentials");
	user_len = (size_t)(colon - pair->data);
	len = pair->len - user_len - 1;
	if (len == 0 || len > ENROL_SECRET_MAX)
		return err_set(err, FAIL_INVALID,
		    "http: RFC 7617 2: a secret has 1 to %d characters", ENROL_SECRET_MAX);
	for (size_t i = 1; i <= len; i++)
		if (colon[i] <= ' ' || colon[i] > '~')
			return err_set(err, FAIL_INVALID,
			    "http: RFC 7617 2: the secret holds more than printable ASCII");
	memcpy(name, pair->data, user_len);
	name[user_len] = '\0';
	if (strlen(name) != user_len || eui64_parse(name, &eui, NULL) != 0)
		return err_set(err, FAIL_INVALID, "http: the user is not an EUI-64");
	*user = eui;
	memcpy(secret, colon + 1, len);
	secret[len] = '\0';
	return 0;
}

int
basic_parse(const char *authorization, struct eui64 *user, char secret[ENROL_SECRET_MAX + 1],
    struct err *err)
{
	const size_t scheme = strlen(BASIC_SCHEME);
	struct buf pair = { 0 };
	const char *token;
	size_t len;
	int rc = -1;

	if (strncasecmp(authorization, BASIC_SCHEME, scheme) != 0 || authorization[scheme] != ' ')
		return err_set(err, FAIL_INVALID,
		    "http: RFC 7617 2: Authorization is not of the scheme Basic");
	token = authorization + scheme + strspn(authorization + scheme, " ");
	len = strlen(token);
	/* base64_decode passes over white space: none belongs here. */
	if (len > BASIC_TEXT_MAX || strpbrk(token, " \t\r\n") != NULL)
		return err_set(
		    err, FAIL_INVALID, "http: RFC 7617 2: the credentials are malformed");
	/* Room for all of it at once: a secret is not left behind in memory given back. */
	buf_reserve(&pair, BASIC_OCTETS_MAX + 1);
	if (base64_decode(token, len, BASIC_OCTETS_MAX, 0, &pair) != 0)
		err_set(err, FAIL_INVALID, "http: RFC 7617 2: the credentials are not base64");
	else
		rc = basic_split(&pair, user, secret, err);
	buf_wipe(&pair);
	return rc;
}
