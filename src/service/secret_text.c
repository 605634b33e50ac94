/*
 * The form of enrolment secrets that people bring along. It knows neither pepper nor register, and
 * no message of it holds a secret or a part of one.
 */
#include <string.h>

#include <openssl/crypto.h>

#include "smki/enrol.h"
#include "smki/hex.h"

#define SECRET_BASE32_LEN 26 /* 130 bits, 128 of them random */
#define SECRET_HEX_LEN 32
/* In 32 random hexadecimal digits so few differ once in 10^12 times. */
#define SECRET_DIFFERENT 6

/* Place of a character in the base32 alphabet (RFC 4648 6) or among the hexadecimal digits; -1
 * when it is in neither. */
static int
secret_digit(char c, int radix)
{
	int letter = -1;

	if (c >= 'a' && c <= 'z')
		letter = c - 'a';
	else if (c >= 'A' && c <= 'Z')
		letter = c - 'A';
	if (radix == 16) {
		if (c >= '0' && c <= '9')
			return c - '0';
		return letter >= 0 && letter < 6 ? 10 + letter : -1;
	}
	return c >= '2' && c <= '7' ? 26 + c - '2' : letter;
}

/* Digits of a text in one alphabet, dashes left out; 0 when a character is none of it. */
static size_t
secret_read(const char *text, int radix, uint8_t digits[ENROL_SECRET_MAX])
{
	size_t n = 0;

	for (; *text != '\0'; text++) {
		int digit = secret_digit(*text, radix);

		if (*text == '-')
			continue;
		if (digit < 0)
			return 0;
		digits[n++] = (uint8_t)digit;
	}
	return n;
}

/* One pass through a pattern that no generator makes. */
static int
secret_is_weak(const uint8_t *digits, size_t n, int radix)
{
	uint32_t seen = 0;
	int run = 1;

	for (size_t i = 0; i < n; i++)
		seen |= UINT32_C(1) << digits[i];
	if (__builtin_popcount(seen) < SECRET_DIFFERENT)
		return 1;
	for (size_t i = 2; i < n; i++)
		run = run && (digits[i] - digits[i - 1] - digits[1] + digits[0]) % radix == 0;
	if (run)
		return 1;
	for (size_t period = 1; period <= n / 2; period++)
		if (memcmp(digits, digits + period, n - period) == 0)
			return 1;
	return 0;
}

int
enrol_secret_check(const char *text, struct err *err)
{
	uint8_t digits[ENROL_SECRET_MAX];
	int radix = 16, r = -1;
	size_t n;

	if (strnlen(text, ENROL_SECRET_MAX + 1) > ENROL_SECRET_MAX)
		return err_set(
		    err, FAIL_INVALID, "secret: is over %d characters", ENROL_SECRET_MAX);
	/* Digits that both alphabets have are hexadecimal: the reading with fewer bits. */
	n = secret_read(text, radix, digits);
	if (n == 0) {
		radix = 32;
		n = secret_read(text, radix, digits);
	}
	if (n == 0)
		err_set(err, FAIL_INVALID,
		    "secret: is neither base32 (A-Z, 2-7) nor hexadecimal, dashes apart");
	else if (n < (radix == 16 ? SECRET_HEX_LEN : SECRET_BASE32_LEN))
		err_set(err, FAIL_INVALID,
		    "secret: has under 128 bits (%d characters of base32 or %d hexadecimal "
		    "digits)",
		    SECRET_BASE32_LEN, SECRET_HEX_LEN);
	else if (secret_is_weak(digits, n, radix))
		err_set(err, FAIL_INVALID, "secret: is a pattern, not random");
	else
		r = 0;
	OPENSSL_cleanse(digits, sizeof(digits));
	return r;
}
