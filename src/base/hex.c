/*
 * Hexadecimal, base64 (RFC 4648 sections 4, 5) and PEM armour (RFC 7468). Readers are strict: what
 * they accept has one meaning.
 */
#include <string.h>

#include "smki/hex.h"

#include "smki/mem.h"

#define PEM_WIDTH 64

static const char base64_alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char base64url_alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void
hex_encode(const uint8_t *in, size_t len, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		*out++ = digits[in[i] >> 4];
		*out++ = digits[in[i] & 15];
	}
	*out = '\0';
}

/* -1 when c is no digit; the locale plays no part. */
static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int
hex_decode(const char *text, uint8_t *out, size_t cap, size_t *out_len)
{
	const char *s = text;
	size_t n = 0;

	while (*s != '\0') {
		int high, low;

		if (n > 0 && (*s == ':' || *s == '-' || *s == ' '))
			s++;
		high = hex_digit(*s);
		if (high < 0 || (low = hex_digit(s[1])) < 0 || n == cap)
			return -1;
		out[n++] = (uint8_t)(high << 4 | low);
		s += 2;
	}
	*out_len = n;
	return 0;
}

/* By character: a digit's value, -1 for none, -2 for white space. */
static const int8_t base64_values[128] = { -1, -1, -1, -1, -1, -1, -1, -1, -1, -2, -2, -1, -1, -2,
	-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -2, -1, -1, -1, -1,
	-1, -1, -1, -1, -1, -1, 62, -1, -1, -1, 63, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, -1, -1,
	-1, -1, -1, -1, -1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19,
	20, 21, 22, 23, 24, 25, -1, -1, -1, -1, -1, -1, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36,
	37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, -1, -1, -1, -1, -1 };

static int
base64_value(char c)
{
	return (unsigned char)c < sizeof(base64_values) ? base64_values[(unsigned char)c] : -1;
}

/* Whole groups of digits, as far as there is nothing else: characters passed, and how many digits
 * they were. out has room. */
static size_t
base64_run(const char *text, size_t len, size_t max, struct buf *out, size_t *digits)
{
	uint8_t *to = out->data + out->len;
	size_t i;

	for (i = 0; len - i >= 4 && max - i / 4 * 3 >= 3; i += 4) {
		int a = base64_value(text[i]), b = base64_value(text[i + 1]),
		    c = base64_value(text[i + 2]), d = base64_value(text[i + 3]);

		if ((a | b | c | d) < 0)
			break;
		*to++ = (uint8_t)(a << 2 | b >> 4);
		*to++ = (uint8_t)(b << 4 | c >> 2);
		*to++ = (uint8_t)(c << 6 | d);
	}
	out->len += i / 4 * 3;
	*digits = i;
	return i;
}

int
base64_decode(const char *text, size_t len, size_t max, int pad_optional, struct buf *out)
{
	size_t before = out->len, digits = 0, pads = 0, most = len / 4 * 3 + 3;
	uint32_t bits = 0;

	buf_reserve(out, most < max ? most : max);
	for (size_t i = base64_run(text, len, max, out, &digits); i < len; i++) {
		int d = base64_value(text[i]);

		if (d == -2)
			continue;
		if (text[i] == '=') {
			pads++;
			continue;
		}
		if (d < 0 || pads > 0)
			goto refuse;
		bits = bits << 6 | (uint32_t)d;
		/* Each digit but the first of a group completes an octet. */
		if (digits++ % 4 == 0)
			continue;
		if (out->len - before == max)
			goto refuse;
		out->data[out->len++] = (uint8_t)(bits >> (6 - 2 * ((digits - 1) % 4)));
	}
	switch (digits % 4) {
	case 0:
		if (pads != 0)
			goto refuse;
		break;
	case 1:
		goto refuse;
	case 2:
		if ((bits & 15) != 0 || (pads != 2 && !(pad_optional && pads == 0)))
			goto refuse;
		break;
	case 3:
		if ((bits & 3) != 0 || (pads != 1 && !(pad_optional && pads == 0)))
			goto refuse;
		break;
	}
	return 0;
refuse:
	out->len = before;
	return -1;
}

/* The first of left octets (up to three) as four characters of an alphabet. */
static void
base64_group(const char *alphabet, const uint8_t *in, size_t left, char group[4])
{
	uint32_t bits = (uint32_t)in[0] << 16;

	if (left > 1)
		bits |= (uint32_t)in[1] << 8;
	if (left > 2)
		bits |= in[2];
	group[0] = alphabet[bits >> 18];
	group[1] = alphabet[bits >> 12 & 63];
	group[2] = left > 1 ? alphabet[bits >> 6 & 63] : '=';
	group[3] = left > 2 ? alphabet[bits & 63] : '=';
}

void
base64_encode(const uint8_t *in, size_t len, size_t width, struct buf *out)
{
	size_t column = 0;

	for (size_t i = 0; i < len; i += 3) {
		char group[4];

		base64_group(base64_alphabet, in + i, len - i, group);
		for (size_t k = 0; k < sizeof(group); k++) {
			buf_add_u8(out, (uint8_t)group[k]);
			if (width > 0 && ++column == width) {
				buf_add_u8(out, '\n');
				column = 0;
			}
		}
	}
	if (column > 0)
		buf_add_u8(out, '\n');
}

void
base64url_encode(const uint8_t *in, size_t len, struct buf *out)
{
	for (size_t i = 0; i < len; i += 3) {
		size_t left = len - i;
		char group[4];

		base64_group(base64url_alphabet, in + i, left, group);
		buf_add(out, group, left < 3 ? left + 1 : 4);
	}
}

void
pem_encode(const char *label, const uint8_t *der, size_t len, struct buf *out)
{
	buf_fmt(out, "-----BEGIN %s-----\n", label);
	base64_encode(der, len, PEM_WIDTH, out);
	buf_fmt(out, "-----END %s-----\n", label);
}

size_t
utf8_len(const uint8_t *p, size_t len)
{
	static const struct {
		uint8_t first, last, low, high; /* range of octet one; of octet two */
		uint8_t octets;
	} rows[] = {
		{ 0x00, 0x7f, 0, 0, 1 },
		{ 0xc2, 0xdf, 0x80, 0xbf, 2 },
		{ 0xe0, 0xe0, 0xa0, 0xbf, 3 },
		{ 0xe1, 0xec, 0x80, 0xbf, 3 },
		{ 0xed, 0xed, 0x80, 0x9f, 3 },
		{ 0xee, 0xef, 0x80, 0xbf, 3 },
		{ 0xf0, 0xf0, 0x90, 0xbf, 4 },
		{ 0xf1, 0xf3, 0x80, 0xbf, 4 },
		{ 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (p[0] < rows[i].first || p[0] > rows[i].last)
			continue;
		if (len < rows[i].octets)
			return 0;
		if (rows[i].octets > 1 && (p[1] < rows[i].low || p[1] > rows[i].high))
			return 0;
		for (size_t k = 2; k < rows[i].octets; k++)
			if ((p[k] & 0xc0) != 0x80)
				return 0;
		return rows[i].octets;
	}
	return 0;
}

int
utf8_control(const uint8_t *p)
{
	return p[0] < 0x20 || p[0] == 0x7f || (p[0] == 0xc2 && p[1] < 0xa0);
}

int
utf8_hidden(const uint8_t *p)
{
	uint32_t c = (uint32_t)(p[0] & 0x0f) << 12;

	if (utf8_control(p))
		return 1;
	if (p[0] == 0xd8 && p[1] == 0x9c) /* U+061C, Arabic letter mark */
		return 1;
	if (p[0] != 0xe2)
		return 0;
	c |= (uint32_t)(p[1] & 0x3f) << 6 | (p[2] & 0x3f);
	/* Marks; separators, embeddings and overrides; isolates. */
	return c == 0x200e || c == 0x200f || (c >= 0x2028 && c <= 0x202e) ||
	       (c >= 0x2066 && c <= 0x2069);
}

static int
utf8_each(const uint8_t *p, size_t len, int (*bad)(const uint8_t *p))
{
	for (size_t i = 0, n; i < len; i += n) {
		n = utf8_len(p + i, len - i);
		if (n == 0 || bad(p + i))
			return 0;
	}
	return 1;
}

int
utf8_plain(const void *text, size_t len)
{
	return utf8_each(text, len, utf8_control);
}

int
utf8_shown(const void *text, size_t len)
{
	return utf8_each(text, len, utf8_hidden);
}
