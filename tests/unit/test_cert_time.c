/*
 * Dates and serial numbers of certificates, at their boundaries.
 */
#include "test.h"

#include <openssl/rand.h>

#include "issuer.h"

static void
test_validity(void)
{
	static const time_t day = 86400, ten = 3650L * 86400;
	static const struct {
		const char *name, *profile;
		time_t now, issuer_end, want;
		int r;
	} rows[] = {
		{ "no expiry", "device-signature", T_2026, T_2026 + 1, TIME_NO_EXPIRY, 0 },
		{ "no expiry, last second", "device-signature", T_2026, T_2026, TIME_NO_EXPIRY, 0 },
		{ "no expiry, CA ended", "device-signature", T_2026 + 1, T_2026, 0, -1 },
		{ "both ends count", "ocsp", T_2026, T_2050, T_2026 + 14 * day - 1, 0 },
		{ "397 days", "tls-server", T_2026, T_2050, T_2026 + 397 * day - 1, 0 },
		{ "ends with the CA", "organisation", T_2026, T_2026 + ten - 1, T_2026 + ten - 1,
		    0 },
		{ "the CA ends a second later", "organisation", T_2026, T_2026 + ten,
		    T_2026 + ten - 1, 0 },
		{ "the CA ends a second earlier", "organisation", T_2026, T_2026 + ten - 2,
		    T_2026 + ten - 2, 0 },
		{ "the CA's last second", "organisation", T_2026, T_2026, T_2026, 0 },
		{ "the CA ended", "organisation", T_2026, T_2026 - 1, 0, -1 },
		{ "root", "root-ca", T_2026, -1, T_2026 + 50L * 365 * day - 1, 0 },
		{ "before 1950", "root-ca", -631152001, -1, 0, -1 },
		{ "1950", "root-ca", -631152000, -1, -631152000 + 50L * 365 * day - 1, 0 },
		{ "past 9999", "ocsp", TIME_NO_EXPIRY, TIME_NO_EXPIRY, 0, -1 },
		{ "9999", "ocsp", TIME_NO_EXPIRY - 14 * day, TIME_NO_EXPIRY, TIME_NO_EXPIRY - 1,
		    0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct profile *p = policy_load(rows[i].profile);
		struct issuer issuer = test_issuer();
		struct err err = { 0 };
		time_t from = 47, to = 11;

		issuer.not_after = rows[i].issuer_end;
		CHECK_ROW(
		    rows[i].name, cert_validity(p, p->kind == PROFILE_ROOT_CA ? NULL : &issuer,
				      rows[i].now, &from, &to, &err) == rows[i].r);
		CHECK_ROW(rows[i].name, from == (rows[i].r == 0 ? rows[i].now : 47));
		CHECK_ROW(rows[i].name, to == (rows[i].r == 0 ? rows[i].want : 11));
		if (rows[i].r != 0)
			CHECK_ROW(
			    rows[i].name, err.code == FAIL_DENIED || err.code == FAIL_UNAVAILABLE);
		profile_free(p);
	}
}

/* RFC 5280 4.1.2.5: UTCTime through 2049, GeneralizedTime from 2050, for each date by itself. */
static void
test_date_types(void)
{
	static const struct {
		const char *name;
		time_t from, to;
		const char *want; /* contents of Validity */
	} rows[] = {
		{ "both before", T_2050 - 2, T_2050 - 1,
		    "301E 170D 3439313233313233353935385A 170D 3439313233313233353935395A" },
		{ "end in 2050", T_2050 - 1, T_2050,
		    "3020 170D 3439313233313233353935395A 180F 32303530303130313030303030305A" },
		{ "both from 2050", T_2050, T_2050 + 1,
		    "3022 180F 32303530303130313030303030305A 180F "
		    "32303530303130313030303030315A" },
		{ "2038", 2147483647, 2147483648,
		    "301E 170D 3338303131393033313430375A 170D 3338303131393033313430385A" },
		{ "one instant", T_2026, T_2026,
		    "301E 170D 3236303130313030303030305A 170D 3236303130313030303030305A" },
	};
	struct profile *p = policy_load("device-signature");
	struct grant g = test_grant(p, "3000", POLICY_KU_SIGN, POLICY_SAN);
	struct issuer issuer = test_issuer();
	struct serial serial = test_serial();
	struct err err;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf tbs = { 0 };
		uint8_t want[64];
		size_t len = policy_hex(rows[i].want, want, sizeof(want));

		CHECK(cert_build_tbs(
			  p, &issuer, &g, &serial, rows[i].from, rows[i].to, &tbs, &err) == 0);
		/* 4 + 5 + 10 + 12 octets and the issuer's 28 stand before it. */
		CHECK_ROW(rows[i].name, tbs.len > 59 + len);
		CHECK_MEM(tbs.data + 59, len, want, len);
		buf_free(&tbs);
	}
	profile_free(p);
}

static int
draw_random(uint8_t *out, size_t n)
{
	return RAND_bytes(out, (int)n) == 1 ? 0 : -1;
}

static int
draw_fails(uint8_t *out, size_t n)
{
	return -1;
}

static int
draw_zeros(uint8_t *out, size_t n)
{
	memset(out, 0, n);
	return 0;
}

static int
draw_ones(uint8_t *out, size_t n)
{
	memset(out, 0xff, n);
	return 0;
}

/* Zero, then sign bit only, then a value: both misses are drawn again. */
static unsigned draw_count;

static int
draw_third(uint8_t *out, size_t n)
{
	static const uint8_t first[] = { 0x00, 0x80, 0x81 };

	memset(out, 0x5a, n);
	out[0] = first[draw_count++ % 3];
	return 0;
}

static int
draw_second_fails(uint8_t *out, size_t n)
{
	memset(out, 0, n);
	return draw_count++ == 0 ? 0 : -1;
}

static void
test_serial_draws(void)
{
	struct serial s = { .len = 99 };
	struct err err = { 0 };

	CHECK(cert_serial(8, draw_fails, &s, &err) == -1);
	CHECK(err.code == FAIL_UNAVAILABLE);
	CHECK(cert_serial(8, draw_zeros, &s, &err) == -1);
	CHECK(err.code == FAIL_UNAVAILABLE);
	draw_count = 0;
	CHECK(cert_serial(8, draw_second_fails, &s, &err) == -1);
	CHECK(s.len == 99);
	CHECK(cert_serial(8, draw_ones, &s, &err) == 0);
	CHECK_MEM(s.octets, (size_t)s.len, "\x7f\xff\xff\xff\xff\xff\xff\xff", (size_t)8);
	draw_count = 0;
	CHECK(cert_serial(8, draw_third, &s, &err) == 0);
	CHECK_MEM(s.octets, (size_t)s.len, "\x01\x5a\x5a\x5a\x5a\x5a\x5a\x5a", (size_t)8);
	CHECK(cert_serial(20, draw_ones, &s, &err) == 0);
	CHECK(s.len == 20);
}

/* 10^5 serials: 6 standard deviations of a fair coin are 950; of a fair 127-sided die, 168. */
static void
test_serial_statistics(void)
{
	enum { N = 100000 };
	unsigned bits[56] = { 0 }, first[256] = { 0 }, done = 0;
	struct serial s;
	struct err err;
	struct buf der = { 0 };

	for (int i = 0; i < N; i++) {
		if (cert_serial(8, draw_random, &s, &err) != 0 || s.len != 8)
			break;
		first[s.octets[0]]++;
		for (unsigned b = 0; b < 56; b++)
			bits[b] += s.octets[1 + b / 8] >> b % 8 & 1;
		buf_reset(&der);
		der_put_serial(&der, &s);
		if (der.len != 10 || der.data[1] != 8)
			break;
		done++;
	}
	CHECK(done == N);
	for (unsigned b = 0; b < 56; b++)
		CHECK(bits[b] > N / 2 - 950 && bits[b] < N / 2 + 950);
	for (unsigned v = 0; v < 256; v++)
		CHECK(v >= 0x01 && v <= 0x7f ? first[v] > 787 - 168 && first[v] < 787 + 168
					     : first[v] == 0);
	buf_free(&der);
}

static const struct test_case cases[] = {
	{ "validity", test_validity },
	{ "types of dates", test_date_types },
	{ "serials from odd draws", test_serial_draws },
	{ "serials are balanced", test_serial_statistics },
};

TEST_MAIN("cert_time", cases)
