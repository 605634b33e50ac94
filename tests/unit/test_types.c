/*
 * Tests of the text forms of serials, EUI-64s, holders and names.
 */
#include "smki/mem.h"
#include "smki/types.h"

#include "test.h"

#define OCTETS_18 "112233445566778899aabbccddeeff001122"
#define OCTETS_19 "33" OCTETS_18

static void
test_serial_good(void)
{
	static const struct {
		const char *text;
		size_t len;
		uint8_t first, second;
		const char *back;
	} rows[] = {
		{ "1", 1, 0x01, 0, "01" },
		{ "01", 1, 0x01, 0, "01" },
		{ "0000000000000000000000000000000000000000000000000000000001", 1, 0x01, 0, "01" },
		{ "7f", 1, 0x7f, 0, "7f" },
		{ "80", 2, 0x00, 0x80, "80" },
		{ "ff", 2, 0x00, 0xff, "ff" },
		{ "00ff", 2, 0x00, 0xff, "ff" },
		{ "0100", 2, 0x01, 0x00, "0100" },
		{ "123", 2, 0x01, 0x23, "0123" },
		{ "AB:CD", 3, 0x00, 0xab, "abcd" },
		{ "1:23", 2, 0x01, 0x23, "0123" },
		{ "1A-2b 3C", 3, 0x1a, 0x2b, "1a2b3c" },
		{ "7f" OCTETS_19, 20, 0x7f, 0x33, "7f" OCTETS_19 },
		{ "ff" OCTETS_18, 20, 0x00, 0xff, "ff" OCTETS_18 },
		{ "0001" OCTETS_19, 20, 0x01, 0x33, "01" OCTETS_19 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct serial s = { 0 }, again = { 0 };
		struct err err = { 0 };
		char text[SERIAL_TEXT_LEN];

		CHECK_ROW(rows[i].text, serial_parse(rows[i].text, &s, &err) == 0);
		CHECK_ROW(rows[i].text, s.len == rows[i].len);
		CHECK_ROW(rows[i].text, s.octets[0] == rows[i].first);
		CHECK_ROW(rows[i].text, s.octets[1] == rows[i].second);
		serial_text(&s, text);
		CHECK_STR(text, rows[i].back);
		CHECK_ROW(rows[i].text, serial_parse(text, &again, &err) == 0);
		CHECK_ROW(rows[i].text, serial_eq(&s, &again));
	}
}

static void
test_serial_bad(void)
{
	static const char *const rows[] = { "", "0", "00", "00:00", ":", "-1", "+1", "0x1", "1g",
		" 1", "1 ", "1\n", "1::2", "12:3", "80" OCTETS_19, "ff" OCTETS_19, "01ff" OCTETS_19,
		"0100" OCTETS_19 };
	char longest[1000];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct serial s = { .len = 77 };
		struct err err = { 0 };

		CHECK_ROW(rows[i], serial_parse(rows[i], &s, &err) == -1);
		CHECK_ROW(rows[i], err.code == FAIL_INVALID);
		CHECK_ROW(rows[i], strncmp(err.msg, "serial: ", 8) == 0);
		CHECK_ROW(rows[i], s.len == 77);
		CHECK_ROW(rows[i], serial_parse(rows[i], &s, NULL) == -1);
	}
	/* Nothing outside may be written whatever the length. */
	for (size_t len = 1; len < sizeof(longest); len++) {
		struct serial s;

		memset(longest, '7', len);
		longest[len] = '\0';
		CHECK((serial_parse(longest, &s, NULL) == 0) == (len <= 40));
		memset(longest, '0', len);
		CHECK(serial_parse(longest, &s, NULL) == -1);
	}
}

static void
test_serial_eq(void)
{
	struct serial a = { { 1, 2 }, 2 }, b = { { 1, 2 }, 2 }, c = { { 1, 2 }, 1 },
		      d = { { 1, 3 }, 2 };

	CHECK(serial_eq(&a, &b));
	CHECK(!serial_eq(&a, &c));
	CHECK(!serial_eq(&a, &d));
}

static void
test_eui64(void)
{
	static const uint8_t want[] = { 0x00, 0x11, 0x22, 0xff, 0xfe, 0x33, 0x44, 0xab };
	static const char *const good[] = { "001122fffe3344ab", "001122FFFE3344AB",
		"00-11-22-FF-FE-33-44-AB", "00:11:22:ff:fe:33:44:ab", "0011:22ff:fe33:44ab",
		"00 11 22 ff fe 33 44 ab" };
	static const char *const bad[] = { "", "001122fffe3344a", "001122fffe3344",
		"001122fffe3344ab00", "01122fffe3344ab", "001122fffe3344ag", "001122fffe3344ab ",
		" 001122fffe3344ab", "00--1122fffe3344ab", "001122fffe3344ab\n" };

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct eui64 e = { { 0 } };

		CHECK_ROW(good[i], eui64_parse(good[i], &e, NULL) == 0);
		CHECK_MEM(e.octets, sizeof(e.octets), want, sizeof(want));
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct eui64 e = { { 0x5a } };
		struct err err = { 0 };

		CHECK_ROW(bad[i], eui64_parse(bad[i], &e, &err) == -1);
		CHECK_ROW(bad[i], err.code == FAIL_INVALID && e.octets[0] == 0x5a);
	}
}

static void
test_holder(void)
{
	struct holder h = { .kind = HOLDER_DEVICE,
		.name = { 0, 0x11, 0x22, 0xff, 0xfe, 0x33, 0x44, 0xab },
		.name_len = 8 };
	char text[HOLDER_TEXT_LEN];

	holder_text(&h, text);
	CHECK_STR(text, "001122fffe3344ab");
	h.kind = HOLDER_ORGANISATION;
	holder_text(&h, text);
	CHECK_STR(text, "001122fffe3344ab");
	h.kind = HOLDER_SERVICE;
	memcpy(h.name, "ca:issuing", 10);
	h.name_len = 10;
	holder_text(&h, text);
	CHECK_STR(text, "ca:issuing");
	memcpy(h.name, "a\n\0b", 4);
	h.name_len = 4;
	holder_text(&h, text);
	CHECK_STR(text, "a??b");
	memset(h.name, 0xff, sizeof(h.name));
	h.name_len = sizeof(h.name);
	h.kind = HOLDER_DEVICE;
	holder_text(&h, text);
	CHECK(strlen(text) == HOLDER_TEXT_LEN - 1);
	h.name_len = 0;
	holder_text(&h, text);
	CHECK_STR(text, "");
}

static void
test_name(void)
{
	static const char *const good[] = { "a", "Z", "root-ca", "a1", "a-",
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789x" };
	static const char *const bad[] = { "", "1a", "-a", "a_b", "a.b", "../a", "a/b", "a b",
		"a\n", "\xc3\xa4", "a\xc3\xa4",
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789xy" };

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		CHECK_ROW(good[i], name_check("ca", good[i], NULL) == 0);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct err err = { 0 };

		CHECK_ROW(bad[i], name_check("profile", bad[i], &err) == -1);
		CHECK_ROW(bad[i], err.code == FAIL_INVALID);
		CHECK_ROW(bad[i], strncmp(err.msg, "profile: ", 9) == 0);
	}
}

static const struct test_case cases[] = {
	{ "serial accepted", test_serial_good },
	{ "serial refused", test_serial_bad },
	{ "serial equality", test_serial_eq },
	{ "EUI-64", test_eui64 },
	{ "holder", test_holder },
	{ "name", test_name },
};

TEST_MAIN("types", cases)
