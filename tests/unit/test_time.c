/*
 * Tests of time in DER and as text. The C library serves as a second opinion.
 */
#include "smki/der.h"
#include "smki/mem.h"

#include "test.h"

static void
test_time_read(void)
{
	/* rc for both ways of calling: any_form 0 and 1 */
	static const struct {
		uint8_t tag;
		const char *text;
		int strict, any;
		time_t t;
	} rows[] = {
		{ DER_UTCTIME, "500101000000Z", 0, 0, -631152000 },
		{ DER_UTCTIME, "491231235959Z", 0, 0, 2524607999 },
		{ DER_UTCTIME, "991231235959Z", 0, 0, 946684799 },
		{ DER_UTCTIME, "000101000000Z", 0, 0, 946684800 },
		{ DER_UTCTIME, "700101000000Z", 0, 0, 0 },
		{ DER_UTCTIME, "691231235959Z", 0, 0, -1 },
		{ DER_UTCTIME, "000229000000Z", 0, 0, 951782400 },
		{ DER_UTCTIME, "010229000000Z", -1, -1, 0 },
		{ DER_UTCTIME, "130806160638Z", 0, 0, 1375805198 },
		{ DER_GENTIME, "20500101000000Z", 0, 0, 2524608000 },
		{ DER_GENTIME, "20491231235959Z", -1, 0, 2524607999 },
		{ DER_GENTIME, "19700101000000Z", -1, 0, 0 },
		{ DER_GENTIME, "19500101000000Z", -1, 0, -631152000 },
		{ DER_GENTIME, "19491231235959Z", -1, -1, 0 },
		{ DER_GENTIME, "00000101000000Z", -1, -1, 0 },
		{ DER_GENTIME, "99991231235959Z", 0, 0, 253402300799 },
		{ DER_GENTIME, "21000228235959Z", 0, 0, 4107542399 },
		{ DER_GENTIME, "21000229000000Z", -1, -1, 0 },
		{ DER_GENTIME, "24000229000000Z", 0, 0, 13574563200 },
		/* fields out of range */
		{ DER_UTCTIME, "200101000060Z", -1, -1, 0 },
		{ DER_GENTIME, "20510101000060Z", -1, -1, 0 },
		{ DER_UTCTIME, "200101006000Z", -1, -1, 0 },
		{ DER_UTCTIME, "200101240000Z", -1, -1, 0 },
		{ DER_UTCTIME, "200100000000Z", -1, -1, 0 },
		{ DER_UTCTIME, "200132000000Z", -1, -1, 0 },
		{ DER_UTCTIME, "200431000000Z", -1, -1, 0 },
		{ DER_UTCTIME, "200001000000Z", -1, -1, 0 },
		{ DER_UTCTIME, "201301000000Z", -1, -1, 0 },
		/* forms DER or RFC 5280 4.1.2.5 exclude */
		{ DER_UTCTIME, "2001010000Z", -1, -1, 0 },
		{ DER_GENTIME, "205101010000Z", -1, -1, 0 },
		{ DER_UTCTIME, "200101000000", -1, -1, 0 },
		{ DER_UTCTIME, "200101000000z", -1, -1, 0 },
		{ DER_UTCTIME, "200101000000+0000", -1, -1, 0 },
		{ DER_UTCTIME, "200101000000+0100", -1, -1, 0 },
		{ DER_GENTIME, "20510101000000-0500", -1, -1, 0 },
		{ DER_GENTIME, "20510101000000", -1, -1, 0 },
		{ DER_GENTIME, "20510101000000.5Z", -1, -1, 0 },
		{ DER_GENTIME, "20510101000000.0Z", -1, -1, 0 },
		{ DER_GENTIME, "20510101000000,5Z", -1, -1, 0 },
		{ DER_GENTIME, "200101000000Z", -1, -1, 0 },
		{ DER_UTCTIME, "20200101000000Z", -1, -1, 0 },
		{ DER_UTCTIME, "2001010000 0Z", -1, -1, 0 },
		{ DER_UTCTIME, "2001010000-1Z", -1, -1, 0 },
		{ DER_UTCTIME, "20x101000000Z", -1, -1, 0 },
		{ DER_UTCTIME, "200101000000ZZ", -1, -1, 0 },
		{ DER_UTCTIME, "", -1, -1, 0 },
		{ DER_UTF8, "200101000000Z", -1, -1, 0 },
		{ DER_OCTET_STRING, "20510101000000Z", -1, -1, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (int any = 0; any < 2; any++) {
			struct buf b = { 0 };
			struct der d;
			time_t t = 12345;
			int want = any ? rows[i].any : rows[i].strict;
			uint8_t *p;

			der_put(&b, rows[i].tag, rows[i].text, strlen(rows[i].text));
			p = mem_copy(b.data, b.len);
			d = der_from(p, b.len);
			CHECK_ROW(rows[i].text, der_get_time(&d, any, &t) == want);
			CHECK_ROW(rows[i].text, t == (want == 0 ? rows[i].t : 12345));
			CHECK_ROW(rows[i].text, want == 0 ? der_end(&d) : d.p == p);
			free(p);
			buf_free(&b);
		}
}

static void
test_time_write(void)
{
	static const struct {
		time_t t;
		const char *der, *gen, *text;
	} rows[] = {
		{ -631152000,
		    "\x17\x0d"
		    "500101000000Z",
		    "19500101000000Z", "1950-01-01T00:00:00Z" },
		{ -1,
		    "\x17\x0d"
		    "691231235959Z",
		    "19691231235959Z", "1969-12-31T23:59:59Z" },
		{ 0,
		    "\x17\x0d"
		    "700101000000Z",
		    "19700101000000Z", "1970-01-01T00:00:00Z" },
		{ 951782400,
		    "\x17\x0d"
		    "000229000000Z",
		    "20000229000000Z", "2000-02-29T00:00:00Z" },
		{ 2524607999,
		    "\x17\x0d"
		    "491231235959Z",
		    "20491231235959Z", "2049-12-31T23:59:59Z" },
		{ 2524608000,
		    "\x18\x0f"
		    "20500101000000Z",
		    "20500101000000Z", "2050-01-01T00:00:00Z" },
		{ 253402300799,
		    "\x18\x0f"
		    "99991231235959Z",
		    "99991231235959Z", "9999-12-31T23:59:59Z" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf b = { 0 };
		char text[TIME_TEXT_LEN];

		der_put_time(&b, rows[i].t);
		CHECK_STR(buf_text(&b), rows[i].der);
		buf_reset(&b);
		der_put_gentime(&b, rows[i].t);
		CHECK(b.len == 17 && b.data[0] == 0x18 && b.data[1] == 15);
		CHECK_STR(buf_text(&b) + 2, rows[i].gen);
		time_text(rows[i].t, text);
		CHECK_STR(text, rows[i].text);
		buf_free(&b);
	}
	CHECK(TIME_NO_EXPIRY == 253402300799);
}

static void
test_time_text(void)
{
	static const struct {
		const char *text;
		int rc;
		time_t t;
	} rows[] = {
		{ "1970-01-01T00:00:00Z", 0, 0 },
		{ "19700101000000Z", 0, 0 },
		{ "1970-01-01", 0, 0 },
		{ "1970-01-02", 0, 86400 },
		{ "1950-01-01", 0, -631152000 },
		{ "1949-12-31", -1, 0 },
		{ "1949-12-31T23:59:59Z", -1, 0 },
		{ "9999-12-31T23:59:59Z", 0, 253402300799 },
		{ "99991231235959Z", 0, 253402300799 },
		{ "2024-02-29", 0, 1709164800 },
		{ "2023-02-29", -1, 0 },
		{ "1900-02-29", -1, 0 },
		{ "2024-12-31T23:59:60Z", -1, 0 },
		{ "2024-12-31T24:00:00Z", -1, 0 },
		{ "2024-13-01", -1, 0 },
		{ "2024-00-01", -1, 0 },
		{ "2024-01-00", -1, 0 },
		{ "2024-12-31T23:59:59", -1, 0 },
		{ "2024-12-31T23:59:59+00:00", -1, 0 },
		{ "2024-12-31T23:59:59.0Z", -1, 0 },
		{ "2024-12-31 23:59:59Z", -1, 0 },
		{ "2024-12-31t23:59:59Z", -1, 0 },
		{ "2024-12-31T23:59Z", -1, 0 },
		{ "2024/12/31", -1, 0 },
		{ "20241231", -1, 0 },
		{ "241231235959Z", -1, 0 },
		{ "2024-1-31", -1, 0 },
		{ "dddd-dd-dd", -1, 0 },
		{ "ddddddddddddddZ", -1, 0 },
		{ "+024-12-31", -1, 0 },
		{ "", -1, 0 },
		{ " 2024-12-31", -1, 0 },
		{ "2024-12-31\n", -1, 0 },
		{ "1709164800", -1, 0 },
	};
	static const time_t outside[] = { -631152001, 253402300800, INT64_MIN, INT64_MAX };
	char text[TIME_TEXT_LEN];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		time_t t = 12345;

		CHECK_ROW(rows[i].text, time_parse(rows[i].text, &t) == rows[i].rc);
		CHECK_ROW(rows[i].text, t == (rows[i].rc == 0 ? rows[i].t : 12345));
	}
	for (size_t i = 0; i < ARRAY_LEN(outside); i++) {
		time_text(outside[i], text);
		CHECK_STR(text, "out-of-range");
	}
}

/* The calendar begins anew every 400 years: all days of that many, then some of the rest. */
#define TIME_ALL_DAYS 13569465600 /* 2400-01-01 */
#define TIME_STEP_DAYS 31

/* One second of every day from 1950 to 2399, and of some up to 9999, against the C library,
 * whatever TZ says. */
static void
test_time_days(void)
{
	size_t wrong = 0, days = 0;

	setenv("TZ", "Pacific/Auckland", 1);
	tzset();
	for (time_t t = -631152000; t <= TIME_NO_EXPIRY;
	     t += (t < TIME_ALL_DAYS ? 1 : TIME_STEP_DAYS) * 86400 + 1) {
		char ours[TIME_TEXT_LEN], theirs[TIME_TEXT_LEN];
		struct tm tm;
		time_t back = 0;

		time_text(t, ours);
		gmtime_r(&t, &tm);
		strftime(theirs, sizeof(theirs), "%Y-%m-%dT%H:%M:%SZ", &tm);
		wrong += strcmp(ours, theirs) != 0;
		wrong += time_parse(ours, &back) != 0 || back != t;
		days++;
	}
	CHECK(wrong == 0);
	CHECK(days > 250000);
}

static const struct test_case cases[] = {
	{ "time read", test_time_read },
	{ "time written", test_time_write },
	{ "time text", test_time_text },
	{ "every day", test_time_days },
};

TEST_MAIN("time", cases)
