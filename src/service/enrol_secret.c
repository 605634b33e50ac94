/*
 * Enrolment secrets as they are made and stored: only a keyed hash of one is ever kept. Their form
 * is judged in secret_text.c. No text of a secret gets into a message or stays in memory here.
 */
#include <ctype.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "smki/enrol.h"
#include "smki/file.h"
#include "smki/mem.h"
#include "smki/rng.h"

/* Characters of base32 that 16 octets make (RFC 4648 6), without padding. */
#define SECRET_TEXT_LEN 26
/* Draws until one is no pattern: a second is all but never needed. */
#define SECRET_TRIES 8

int
enrol_secret_hmac(struct span pepper, const struct eui64 *eui, const char *text,
    uint8_t hmac[SHA256_LEN], struct err *err)
{
	uint8_t message[EUI64_LEN + ENROL_SECRET_MAX];
	size_t n = EUI64_LEN;
	unsigned len = SHA256_LEN;
	int r = -1;

	memcpy(message, eui->octets, EUI64_LEN);
	if (enrol_secret_check(text, err) != 0)
		goto out;
	/* One form for all ways to write the same: upper case, without dashes. */
	for (; *text != '\0'; text++) {
		if (*text == '-')
			continue;
		require(n < sizeof(message));
		message[n++] = (uint8_t)toupper((unsigned char)*text);
	}
	if (HMAC(EVP_sha256(), pepper.p, (int)pepper.len, message, n, hmac, &len) == NULL) {
		err_ssl(err, FAIL_INTERNAL, "secret: HMAC");
		goto out;
	}
	r = 0;
out:
	OPENSSL_cleanse(message, sizeof(message));
	return r;
}

static void
secret_text(const uint8_t octets[ENROL_SECRET_OCTETS], char out[SECRET_TEXT_LEN + 1])
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
	unsigned bits = 0, n_bits = 0;
	size_t n = 0;

	for (size_t i = 0; i < ENROL_SECRET_OCTETS; i++) {
		bits = bits << 8 | octets[i];
		for (n_bits += 8; n_bits >= 5; n_bits -= 5)
			out[n++] = alphabet[bits >> (n_bits - 5) & 31];
	}
	out[n++] = alphabet[bits << (5 - n_bits) & 31];
	require(n == SECRET_TEXT_LEN);
	out[n] = '\0';
}

int
enrol_secret_make(struct span pepper, const struct eui64 *eui, char out[ENROL_SECRET_MAX + 1],
    uint8_t hmac[SHA256_LEN], struct err *err)
{
	uint8_t octets[ENROL_SECRET_OCTETS];
	char text[SECRET_TEXT_LEN + 1] = "";
	int r = -1;

	for (int i = 0; i < SECRET_TRIES && r != 0; i++) {
		if (rng_draw(octets, sizeof(octets)) != 0) {
			err_set(err, FAIL_INTERNAL, "secret: no random octets");
			break;
		}
		secret_text(octets, text);
		r = enrol_secret_hmac(pepper, eui, text, hmac, err);
	}
	if (r == 0)
		memcpy(out, text, sizeof(text));
	OPENSSL_cleanse(octets, sizeof(octets));
	OPENSSL_cleanse(text, sizeof(text));
	return r;
}

int
pepper_load(const struct home *home, uint8_t out[PEPPER_LEN], struct err *err)
{
	char path[HOME_PATH_MAX];
	struct err why;

	if (home_path(home, HOME_SECRET "/pepper", path, err) != 0)
		return -1;
	if (file_read_key(path, out, PEPPER_LEN, &why) == 0)
		return 0;
	/* Whatever else keeps it away, somebody has to put it back. */
	return err_set(err, why.code == FAIL_INVALID ? FAIL_INVALID : FAIL_UNAVAILABLE,
	    "pepper of the enrolment secrets: %s", why.msg);
}
