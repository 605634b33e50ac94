/*
 * Tests of hexadecimal, base64 and PEM text.
 */
#include "smki/hex.h"
#include "smki/mem.h"

#include "test.h"

#define CAP 4

static void
test_hex_decode(void)
{
	static const struct {
		const char *text;
		int rc;
		size_t len;
		uint8_t octets[CAP];
	} rows[] = {
		{ "", 0, 0, { 0 } },
		{ "00", 0, 1, { 0x00 } },
		{ "ff", 0, 1, { 0xff } },
		{ "aBcD", 0, 2, { 0xab, 0xcd } },
		{ "01:23-45 67", 0, 4, { 0x01, 0x23, 0x45, 0x67 } },
		{ "0123:4567", 0, 4, { 0x01, 0x23, 0x45, 0x67 } },
		{ "0", -1, 0, { 0 } },
		{ "012", -1, 0, { 0 } },
		{ "0:12", -1, 0, { 0 } },
		{ "01:2", -1, 0, { 0 } },
		{ ":01", -1, 0, { 0 } },
		{ "01:", -1, 0, { 0 } },
		{ "01::23", -1, 0, { 0 } },
		{ "01: 23", -1, 0, { 0 } },
		{ " 01", -1, 0, { 0 } },
		{ "01\n", -1, 0, { 0 } },
		{ "0x01", -1, 0, { 0 } },
		{ "0g", -1, 0, { 0 } },
		{ "/0", -1, 0, { 0 } },
		{ "@0", -1, 0, { 0 } },
		{ "`0", -1, 0, { 0 } },
		{ "0\xff", -1, 0, { 0 } },
		{ "0123456789", -1, 0, { 0 } },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint8_t out[CAP] = { 0 };
		size_t len = 99;

		CHECK_ROW(rows[i].text, hex_decode(rows[i].text, out, CAP, &len) == rows[i].rc);
		if (rows[i].rc == 0)
			CHECK_MEM(out, len, rows[i].octets, rows[i].len);
		else
			CHECK_ROW(rows[i].text, len == 99);
	}
}

static void
test_hex_encode(void)
{
	static const uint8_t octets[] = { 0x00, 0x0f, 0xa0, 0xff };
	char out[2 * sizeof(octets) + 1];

	hex_encode(octets, sizeof(octets), out);
	CHECK_STR(out, "000fa0ff");
	hex_encode(octets, 0, out);
	CHECK_STR(out, "");
}

static void
test_base64_decode(void)
{
	static const struct {
		const char *text;
		int optional;
		size_t max;
		const char *want; /* NULL = refused */
	} rows[] = {
		/* RFC 4648 10 */
		{ "", 0, 9, "" },
		{ "Zg==", 0, 9, "f" },
		{ "Zm8=", 0, 9, "fo" },
		{ "Zm9v", 0, 9, "foo" },
		{ "Zm9vYg==", 0, 9, "foob" },
		{ "Zm9vYmE=", 0, 9, "fooba" },
		{ "Zm9vYmFy", 0, 9, "foobar" },
		{ " Zm\r\n9v\tYmE = \n", 0, 9, "fooba" },
		{ "Zm9v\n", 0, 9, "foo" },
		{ "Zg", 1, 9, "f" },
		{ "Zm8", 1, 9, "fo" },
		{ "Zg==", 1, 9, "f" },
		{ "Zg", 0, 9, NULL },
		{ "Zm8", 0, 9, NULL },
		{ "Zg=", 0, 9, NULL },
		{ "Zg=", 1, 9, NULL },
		{ "Zg===", 0, 9, NULL },
		{ "Zm8==", 0, 9, NULL },
		{ "Zm8==", 1, 9, NULL },
		{ "Zm9v=", 0, 9, NULL },
		{ "Zm9v====", 1, 9, NULL },
		{ "=", 0, 9, NULL },
		{ "====", 1, 9, NULL },
		{ "Z", 0, 9, NULL },
		{ "Z", 1, 9, NULL },
		{ "Z===", 0, 9, NULL },
		{ "Zm9vY", 1, 9, NULL },
		{ "Zg==Zg==", 0, 9, NULL },
		{ "Z=g=", 0, 9, NULL },
		/* spare bits */
		{ "Zh==", 0, 9, NULL },
		{ "Zm9=", 0, 9, NULL },
		{ "Zm9", 1, 9, NULL },
		/* alphabet */
		{ "Zm9-", 0, 9, NULL },
		{ "Zm9_", 0, 9, NULL },
		{ "Zm9,", 0, 9, NULL },
		{ "Zm9\x80", 0, 9, NULL },
		{ "Zm\v9v", 0, 9, NULL },
		/* bound */
		{ "Zm9v", 0, 3, "foo" },
		{ "Zm9v", 0, 2, NULL },
		{ "Zm9vYg==", 0, 3, NULL },
		{ "", 0, 0, "" },
		{ "Zg==", 0, 0, NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf b = { 0 };
		int rc;

		buf_add_str(&b, "kept");
		rc = base64_decode(
		    rows[i].text, strlen(rows[i].text), rows[i].max, rows[i].optional, &b);
		CHECK_ROW(rows[i].text, rc == (rows[i].want != NULL ? 0 : -1));
		CHECK_ROW(rows[i].text, strncmp(buf_text(&b), "kept", 4) == 0);
		CHECK_STR(buf_text(&b) + 4, rows[i].want != NULL ? rows[i].want : "");
		buf_free(&b);
	}
}

static void
test_base64_nul(void)
{
	struct buf b = { 0 };

	CHECK(base64_decode("Zm9v\0", 5, 9, 0, &b) == -1);
	CHECK(b.len == 0);
	buf_free(&b);
}

static void
test_base64_encode(void)
{
	static const struct {
		const char *text;
		size_t width;
		const char *want;
	} rows[] = {
		{ "", 0, "" },
		{ "f", 0, "Zg==" },
		{ "fo", 0, "Zm8=" },
		{ "foobar", 0, "Zm9vYmFy" },
		{ "", 4, "" },
		{ "foobar", 8, "Zm9vYmFy\n" },
		{ "foobar", 4, "Zm9v\nYmFy\n" },
		{ "foobar", 5, "Zm9vY\nmFy\n" },
		{ "foob", 4, "Zm9v\nYg==\n" },
		{ "\xfb\xff\xbf", 0, "+/+/" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf b = { 0 };

		base64_encode(
		    (const uint8_t *)rows[i].text, strlen(rows[i].text), rows[i].width, &b);
		CHECK_STR(buf_text(&b), rows[i].want);
		buf_free(&b);
	}
}

/* RFC 4648 10 without padding, and the two characters that differ. */
static void
test_base64url(void)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "", "" },
		{ "f", "Zg" },
		{ "fo", "Zm8" },
		{ "foo", "Zm9v" },
		{ "foob", "Zm9vYg" },
		{ "fooba", "Zm9vYmE" },
		{ "foobar", "Zm9vYmFy" },
		{ "\xfb\xff\xbf", "-_-_" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf b = { 0 };

		buf_add_str(&b, "kept");
		base64url_encode((const uint8_t *)rows[i].text, strlen(rows[i].text), &b);
		CHECK(strncmp(buf_text(&b), "kept", 4) == 0);
		CHECK_STR(buf_text(&b) + 4, rows[i].want);
		buf_free(&b);
	}
}

/* Every octet value at every place of a group. */
static void
test_base64_round(void)
{
	uint8_t octets[259];

	for (size_t i = 0; i < sizeof(octets); i++)
		octets[i] = (uint8_t)(i * 37);
	for (size_t len = 0; len <= sizeof(octets); len++) {
		struct buf text = { 0 }, back = { 0 };

		base64_encode(octets, len, len % 2 == 0 ? 0 : 76, &text);
		CHECK(base64_decode(buf_text(&text), text.len, len, 0, &back) == 0);
		CHECK_MEM(back.data, back.len, octets, len);
		buf_free(&text);
		buf_free(&back);
	}
}

static void
test_pem(void)
{
	uint8_t octets[49] = { 0 };
	struct buf b = { 0 };

	pem_encode("X", octets, 48, &b);
	CHECK_STR(buf_text(&b), "-----BEGIN X-----\n"
				"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
				"-----END X-----\n");
	buf_reset(&b);
	pem_encode("CERTIFICATE", octets, 49, &b);
	CHECK_STR(buf_text(&b), "-----BEGIN CERTIFICATE-----\n"
				"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
				"AA==\n"
				"-----END CERTIFICATE-----\n");
	buf_free(&b);
}

/* RFC 3629 4: the first and last of each form, and what lies just outside. */
static void
test_utf8(void)
{
	static const struct {
		const char *text;
		size_t len, want;
	} rows[] = {
		{ "\x00", 1, 1 },
		{ "\x7f", 1, 1 },
		{ "\x80", 1, 0 },
		{ "\xc1\xbf", 2, 0 },
		{ "\xc2\x80", 2, 2 },
		{ "\xc2\x80", 1, 0 },
		{ "\xc2\x7f", 2, 0 },
		{ "\xdf\xbf", 2, 2 },
		{ "\xe0\x9f\xbf", 3, 0 },
		{ "\xe0\xa0\x80", 3, 3 },
		{ "\xe0\xa0\x80", 2, 0 },
		{ "\xed\x9f\xbf", 3, 3 },
		{ "\xed\xa0\x80", 3, 0 },
		{ "\xef\xbf\xbf", 3, 3 },
		{ "\xef\xbf\x7f", 3, 0 },
		{ "\xf0\x8f\xbf\xbf", 4, 0 },
		{ "\xf0\x90\x80\x80", 4, 4 },
		{ "\xf4\x8f\xbf\xbf", 4, 4 },
		{ "\xf4\x90\x80\x80", 4, 0 },
		{ "\xf4\x8f\xbf\xbf", 3, 0 },
		{ "\xf5\x80\x80\x80", 4, 0 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t got = utf8_len((const uint8_t *)rows[i].text, rows[i].len);

		if (got != rows[i].want)
			fprintf(stderr, "  row %zu: got %zu\n", i, got);
		CHECK(got == rows[i].want);
	}
}

static void
test_utf8_plain(void)
{
	static const struct {
		const char *text;
		int want;
	} rows[] = {
		{ "", 1 },
		{ "M\xc3\xbcller ~", 1 },
		{ "\xc2\xa0", 1 },
		{ "\xf4\x8f\xbf\xbf", 1 },
		{ "\x1f", 0 },
		{ "a\n", 0 },
		{ "\x7f", 0 },
		{ "\xc2\x80", 0 },
		{ "\xc2\x9f", 0 },
		{ "a\xff", 0 },
		{ "a\xc3", 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		CHECK_ROW(
		    rows[i].text, utf8_plain(rows[i].text, strlen(rows[i].text)) == rows[i].want);
	CHECK(utf8_plain("a\0b", 3) == 0);
}

/* The first and last of each range that no text for people may hold, and its neighbours. */
static void
test_utf8_shown(void)
{
	static const struct {
		const char *text;
		int want;
	} rows[] = {
		{ "", 1 }, { "M\xc3\xbcller ~", 1 }, { "a\n", 0 }, { "\x7f", 0 }, { "\xc2\x80", 0 },
		{ "\xc2\x9f", 0 }, { "\xc2\xa0", 1 }, { "a\xff", 0 }, { "\xd8\x9b", 1 },
		{ "\xd8\x9c", 0 }, /* U+061C */
		{ "\xd8\x9d", 1 }, { "\xd9\x9c", 1 }, { "\xe2\x80\x8d", 1 },
		{ "\xe2\x80\x8e", 0 }, /* U+200E */
		{ "\xe2\x80\x8f", 0 }, { "\xe2\x80\x90", 1 }, { "\xe2\x80\xa7", 1 },
		{ "a\xe2\x80\xa8", 0 },						     /* U+2028 */
		{ "\xe2\x80\xa9", 0 }, { "\xe2\x80\xaa", 0 }, { "\xe2\x80\xae", 0 }, /* U+202E */
		{ "\xe2\x80\xaf", 1 }, { "\xe2\x81\xa5", 1 }, { "\xe2\x81\xa6", 0 }, /* U+2066 */
		{ "\xe2\x81\xa9", 0 }, { "\xe2\x81\xaa", 1 }, { "\xe3\x80\xae", 1 },
		{ "\xd7\xa9\xd7\x9c", 1 }, /* Hebrew itself */
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		CHECK_ROW(
		    rows[i].text, utf8_shown(rows[i].text, strlen(rows[i].text)) == rows[i].want);
	/* A name in a certificate may hold them: what stands in one is not ours to choose. */
	CHECK(utf8_plain("\xe2\x80\xae", 3) == 1);
}

static const struct test_case cases[] = {
	{ "hex read", test_hex_decode },
	{ "hex write", test_hex_encode },
	{ "base64 read", test_base64_decode },
	{ "base64 NUL", test_base64_nul },
	{ "base64 write", test_base64_encode },
	{ "base64 round", test_base64_round },
	{ "pem", test_pem },
	{ "base64url", test_base64url },
	{ "utf-8", test_utf8 },
	{ "utf-8 without control characters", test_utf8_plain },
	{ "utf-8 that people may be shown", test_utf8_shown },
};

TEST_MAIN("hex", cases)
