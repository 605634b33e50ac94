/*
 * Tests of the DER reader and writer and of OID text. OpenSSL serves as a second opinion.
 */
#include <limits.h>

#include <openssl/objects.h>

#include "smki/der.h"
#include "smki/hex.h"
#include "smki/mem.h"

#include "test.h"

#define OCTETS_MAX 256
#define OCTETS_19 "112233445566778899aabbccddeeff00112233"

/*
 * The octets of a hex text in memory of exactly their size, so that a sanitizer sees every read
 * past the end.
 */
static uint8_t *
octets(const char *hex, size_t *len)
{
	uint8_t out[OCTETS_MAX];

	require(hex_decode(hex, out, sizeof(out), len) == 0);
	return mem_copy(out, *len);
}

static void
test_element(void)
{
	static const struct {
		const char *hex;
		int rc;
		size_t content;
	} rows[] = {
		{ "", -1, 0 },
		{ "04", -1, 0 },
		{ "0400", 0, 0 },
		{ "0401", -1, 0 },
		{ "040155", 0, 1 },
		{ "04015566", 0, 1 },
		{ "047f00", -1, 0 },
		/* X.690 10.1: the fewest octets */
		{ "04810155", -1, 0 },
		{ "04817f00", -1, 0 },
		{ "04820001"
		  "55",
		    -1, 0 },
		{ "0482007f00", -1, 0 },
		/* indefinite and reserved lengths */
		{ "0480", -1, 0 },
		{ "30800000", -1, 0 },
		{ "04ff00", -1, 0 },
		/* length octets or contents missing */
		{ "0481", -1, 0 },
		{ "048180", -1, 0 },
		{ "0482", -1, 0 },
		{ "048201", -1, 0 },
		{ "04820100", -1, 0 },
		{ "0484ffffffff00", -1, 0 },
		{ "0488ffffffffffffffff00", -1, 0 },
		{ "0488fffffffffffffff600", -1, 0 },
		{ "0489010000000000000000", -1, 0 },
		{ "04880000000000000001"
		  "55",
		    -1, 0 },
		/* multi-octet tags, and the tag that marks an end */
		{ "1f0100", -1, 0 },
		{ "1f8101"
		  "00",
		    -1, 0 },
		{ "bf0100", -1, 0 },
		{ "0000", -1, 0 },
		{ "a000", 0, 0 },
		{ "80021122", 0, 2 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct der in = { NULL, NULL };
		struct span whole = { NULL, 0 };
		uint8_t tag = 0;
		size_t len;
		uint8_t *p = octets(rows[i].hex, &len);
		struct der d = der_from(p, len);

		CHECK_ROW(rows[i].hex, der_get_any(&d, &tag, &in, &whole) == rows[i].rc);
		if (rows[i].rc == 0) {
			CHECK_ROW(rows[i].hex, tag == p[0]);
			CHECK_ROW(rows[i].hex, der_span(&in).len == rows[i].content);
			CHECK_ROW(rows[i].hex, whole.p == p && whole.len == rows[i].content + 2);
			CHECK_ROW(rows[i].hex, d.p == whole.p + whole.len);
		} else {
			CHECK_ROW(rows[i].hex, d.p == p && d.end == p + len);
			CHECK_ROW(rows[i].hex, tag == 0 && in.p == NULL && whole.p == NULL);
		}
		d = der_from(p, len);
		CHECK_ROW(rows[i].hex, der_get_any(&d, NULL, NULL, NULL) == rows[i].rc);
		free(p);
	}
}

static void
test_cursor(void)
{
	static const uint8_t seq[] = { 0x30, 0x05, 0x02, 0x01, 0x07, 0x05, 0x00, 0x04, 0x00 };
	struct der d = der_from(seq, sizeof(seq)), in, none = der_from(NULL, 0);

	CHECK(der_end(&none) && der_tag(&none) == -1 && der_span(&none).len == 0);
	CHECK(der_get_any(&none, NULL, NULL, NULL) == -1);
	CHECK(der_tag(&d) == DER_SEQUENCE);
	CHECK(der_get(&d, DER_SET, &in) == -1 && d.p == seq);
	CHECK(der_get(&d, DER_SEQUENCE, &in) == 0);
	CHECK(in.p == seq + 2 && in.end == seq + 7);
	CHECK(der_get(&in, DER_INTEGER, NULL) == 0);
	CHECK(der_get(&in, DER_NULL, NULL) == 0);
	CHECK(der_end(&in) && der_tag(&in) == -1);
	CHECK(der_get(&d, DER_OCTET_STRING, &in) == 0 && der_end(&in) && der_end(&d));
	/* Going into an element. */
	d = der_from(seq, sizeof(seq));
	CHECK(der_get(&d, DER_SEQUENCE, &d) == 0);
	CHECK(d.p == seq + 2 && d.end == seq + 7);
}

/* Long-form lengths at their boundaries, written and read. */
static void
test_lengths(void)
{
	static const struct {
		size_t len;
		const char *header;
	} rows[] = {
		{ 0, "3000" },
		{ 1, "3001" },
		{ 127, "307f" },
		{ 128, "308180" },
		{ 255, "3081ff" },
		{ 256, "30820100" },
		{ 65535, "3082ffff" },
		{ 65536, "3083010000" },
	};
	uint8_t *content = mem_alloc(65536);
	uint8_t header[10];
	char hex[21];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf b = { 0 }, nested = { 0 };
		struct der d, in;
		size_t mark;

		hex_encode(header, der_header(DER_SEQUENCE, rows[i].len, header), hex);
		CHECK_STR(hex, rows[i].header);
		der_put(&b, DER_SEQUENCE, content, rows[i].len);
		CHECK(b.len == strlen(hex) / 2 + rows[i].len);
		CHECK_MEM(b.data, strlen(hex) / 2, header, strlen(hex) / 2);
		buf_add_u8(&nested, 0xee);
		mark = der_open(&nested, DER_SEQUENCE);
		CHECK(mark == 1);
		buf_add(&nested, content, rows[i].len);
		der_close(&nested, mark);
		CHECK_MEM(nested.data + 1, nested.len - 1, b.data, b.len);
		d = der_from(b.data, b.len);
		CHECK(der_get(&d, DER_SEQUENCE, &in) == 0 && der_end(&d));
		CHECK(der_span(&in).len == rows[i].len);
		d = der_from(b.data, b.len - 1);
		CHECK(der_get(&d, DER_SEQUENCE, &in) == -1);
		buf_free(&b);
		buf_free(&nested);
	}
	free(content);
	hex_encode(header, der_header(0x04, SIZE_MAX, header), hex);
	CHECK_STR(hex, "0488ffffffffffffffff");
}

static void
test_nested(void)
{
	static const uint8_t want[] = { 0x30, 0x0f, 0xa0, 0x03, 0x02, 0x01, 0x02, 0x30, 0x00, 0x01,
		0x01, 0xff, 0x03, 0x03, 0x00, 0xaa, 0xbb };
	struct buf b = { 0 };
	size_t outer, inner;

	outer = der_open(&b, DER_SEQUENCE);
	inner = der_open(&b, DER_CONTEXT(0));
	der_put_small(&b, DER_INTEGER, 2);
	der_close(&b, inner);
	der_close(&b, der_open(&b, DER_SEQUENCE));
	der_put_bool(&b, true);
	der_put_octet_bits(&b, "\xaa\xbb", 2);
	der_close(&b, outer);
	CHECK_MEM(b.data, b.len, want, sizeof(want));
	buf_reset(&b);
	der_put_bool(&b, false);
	der_put_octet_bits(&b, NULL, 0);
	der_put_span(&b, DER_UTF8, (struct span){ (const uint8_t *)"x", 1 });
	CHECK_MEM(b.data, b.len, "\x01\x01\x00\x03\x01\x00\x0c\x01x", 9);
	buf_free(&b);
}

static void
test_bool(void)
{
	static const struct {
		const char *hex;
		int rc;
		bool value;
	} rows[] = {
		{ "0101ff", 0, true },
		{ "010100", 0, false },
		{ "010101", -1, false },
		{ "01017f", -1, false },
		{ "0100", -1, false },
		{ "0102ffff", -1, false },
		{ "0201ff", -1, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		size_t len;
		uint8_t *p = octets(rows[i].hex, &len);
		struct der d = der_from(p, len);
		bool value = !rows[i].value;

		CHECK_ROW(rows[i].hex, der_get_bool(&d, &value) == rows[i].rc);
		CHECK_ROW(rows[i].hex, rows[i].rc == 0 ? value == rows[i].value : d.p == p);
		free(p);
	}
}

static void
test_integer(void)
{
	/* small -1 = refused as a small number; serial: length or 0 = refused. */
	static const struct {
		const char *hex;
		int rc;
		long small;
		size_t serial;
	} rows[] = {
		{ "0200", -1, -1, 0 },
		{ "020100", 0, 0, 0 },
		{ "020101", 0, 1, 1 },
		{ "02017f", 0, 127, 1 },
		{ "020180", 0, -1, 0 },
		{ "0201ff", 0, -1, 0 },
		{ "02020080", 0, 128, 2 },
		{ "0202007f", -1, -1, 0 },
		{ "02020000", -1, -1, 0 },
		{ "0202ff80", -1, -1, 0 },
		{ "0202ff7f", 0, -1, 0 },
		{ "02027fff", 0, 32767, 2 },
		{ "02047fffffff", 0, 2147483647, 4 },
		{ "02050080000000", 0, -1, 5 },
		{ "020500ffffffff", 0, -1, 5 },
		{ "0205007fffffff", -1, -1, 0 },
		{ "02050100000000", 0, -1, 5 },
		{ "021401" OCTETS_19, 0, -1, 20 },
		{ "02147f" OCTETS_19, 0, -1, 20 },
		{ "021480" OCTETS_19, 0, -1, 0 },
		{ "02140080"
		  "2233445566778899aabbccddeeff00112233",
		    0, -1, 20 },
		{ "02140011"
		  "2233445566778899aabbccddeeff00112233",
		    -1, -1, 0 },
		/* 21 octets: allowed by the call below, not for a serial */
		{ "021500ff" OCTETS_19, 0, -1, 0 },
		{ "02150101" OCTETS_19, 0, -1, 0 },
		/* 22 */
		{ "0216010101" OCTETS_19, -1, -1, 0 },
		{ "0a0101", -1, -1, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		size_t len;
		uint8_t *p = octets(rows[i].hex, &len);
		struct der d = der_from(p, len);
		struct span c = { NULL, 0 };
		struct serial s = { .len = 99 };
		long small = -7;

		CHECK_ROW(rows[i].hex, der_get_integer(&d, 21, &c) == rows[i].rc);
		CHECK_ROW(rows[i].hex,
		    rows[i].rc == 0 ? c.p == p + 2 && c.len == len - 2 : c.p == NULL && d.p == p);
		d = der_from(p, len);
		CHECK_ROW(rows[i].hex, der_get_small(&d, &small) == (rows[i].small < 0 ? -1 : 0));
		CHECK_ROW(rows[i].hex,
		    rows[i].small < 0 ? small == -7 && d.p == p : small == rows[i].small);
		d = der_from(p, len);
		CHECK_ROW(rows[i].hex, der_get_serial(&d, &s) == (rows[i].serial == 0 ? -1 : 0));
		if (rows[i].serial == 0) {
			CHECK_ROW(rows[i].hex, s.len == 99 && d.p == p);
		} else {
			struct buf b = { 0 };

			CHECK_MEM(s.octets, s.len, p + 2, rows[i].serial);
			der_put_serial(&b, &s);
			CHECK_MEM(b.data, b.len, p, len);
			buf_free(&b);
		}
		free(p);
	}
}

static void
test_put_small(void)
{
	static const struct {
		unsigned long value;
		const char *hex;
	} rows[] = {
		{ 0, "020100" },
		{ 1, "020101" },
		{ 127, "02017f" },
		{ 128, "02020080" },
		{ 255, "020200ff" },
		{ 256, "02020100" },
		{ 32768, "0203008000" },
		{ 2147483647, "02047fffffff" },
		{ ULONG_MAX, "020900ffffffffffffffff" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf b = { 0 };
		size_t len;
		uint8_t *p = octets(rows[i].hex, &len);

		der_put_small(&b, DER_INTEGER, rows[i].value);
		CHECK_MEM(b.data, b.len, p, len);
		buf_reset(&b);
		der_put_small(&b, DER_ENUMERATED, rows[i].value);
		CHECK(b.data[0] == 0x0a && b.len == len);
		buf_free(&b);
		free(p);
	}
}

static void
test_bits(void)
{
	static const struct {
		const char *hex;
		int rc;
		size_t len;
	} rows[] = {
		{ "0300", -1, 0 },
		{ "030100", 0, 0 },
		{ "03020055", 0, 1 },
		{ "03020150", -1, 0 },
		{ "030107", -1, 0 },
		{ "03020855", -1, 0 },
		{ "04020055", -1, 0 },
		{ "23020055", -1, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		size_t len;
		uint8_t *p = octets(rows[i].hex, &len);
		struct der d = der_from(p, len);
		struct span c = { NULL, 77 };

		CHECK_ROW(rows[i].hex, der_get_octet_bits(&d, &c) == rows[i].rc);
		CHECK_ROW(rows[i].hex, rows[i].rc == 0 ? c.p == p + 3 && c.len == rows[i].len
						       : c.len == 77 && d.p == p);
		free(p);
	}
}

static void
test_oid_element(void)
{
	static const struct {
		const char *hex;
		int rc;
	} rows[] = {
		{ "06032a0304", 0 },
		{ "060100", 0 },
		{ "0600", -1 },
		{ "060180", -1 },
		{ "06022a80", -1 },
		{ "06038001"
		  "01",
		    -1 },
		{ "06042a800101", -1 },
		{ "06042a810001", 0 },
		{ "06042a818001", 0 },
		{ "0604"
		  "2a8180"
		  "80",
		    -1 },
		{ "0d032a0304", -1 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		size_t len;
		uint8_t *p = octets(rows[i].hex, &len);
		struct der d = der_from(p, len);
		struct span c = { NULL, 0 };

		CHECK_ROW(rows[i].hex, der_get_oid(&d, &c) == rows[i].rc);
		CHECK_ROW(rows[i].hex,
		    rows[i].rc == 0 ? c.p == p + 2 && c.len == len - 2 : c.p == NULL && d.p == p);
		free(p);
	}
}

#define ARCS_5 ".98304.98304.98304.98304.98304"
#define HEX_5 "868000868000868000868000868000"
#define ARC_MAX ".9223372036854775807"
#define HEX_MAX "ffffffffffffffff7f"
#define ARCS_10 ".1.2.3.4.5.6.7.8.9.0"

static void
test_oid_text(void)
{
	static const struct {
		const char *text;
		const char *hex; /* NULL = refused */
	} rows[] = {
		{ "0.0", "00" },
		{ "0.39", "27" },
		{ "1.0", "28" },
		{ "1.39", "4f" },
		{ "2.0", "50" },
		{ "2.39", "77" },
		{ "2.40", "78" },
		{ "2.47", "7f" },
		{ "2.48", "8100" },
		{ "2.999.3", "883703" },
		{ "1.2.840.10045.4.3.2", "2a8648ce3d040302" },
		{ "1.3.6.1.5.5.7.8.4", "2b06010505070804" },
		{ "1.2.127.128.16383.16384", "2a7f8100ff7f818000" },
		{ "1.2.9223372036854775807", "2affffffffffffffff7f" },
		{ "2.9223372036854775807", "8180808080808080804f" },
		{ "1.2" ARCS_10 ARCS_10 ARCS_10,
		    "2a010203040506070809000102030405060708090001020304050607080900" },
		{ "1.2" ARCS_10 ARCS_10 ARCS_10 ".1", NULL },
		{ "1.2.9223372036854775808", NULL },
		{ "1.2.18446744073709551616", NULL },
		{ "1.2.99999999999999999999999999999999", NULL },
		{ "", NULL },
		{ "1", NULL },
		{ "2.", NULL },
		{ ".1.2", NULL },
		{ "1.2.", NULL },
		{ "1..2", NULL },
		{ "0.40", NULL },
		{ "1.40", NULL },
		{ "3.1", NULL },
		{ "1.02", NULL },
		{ "01.2", NULL },
		{ "1.2.00", NULL },
		{ "1.2 ", NULL },
		{ " 1.2", NULL },
		{ "1.-2", NULL },
		{ "1.+2", NULL },
		{ "1.2a", NULL },
		{ "1.2\n", NULL },
		{ "commonName", NULL },
		{ "1.2" ARCS_5 ARCS_5 ARCS_5 ARCS_5 ".9.9",
		    "2a" HEX_5 HEX_5 HEX_5 HEX_5 "0909" }, /* 127 characters */
		{ "1.2" ARCS_5 ARCS_5 ARCS_5 ARCS_5 ".9.99", NULL },
		{ "1.2" ARC_MAX ARC_MAX ARC_MAX ARC_MAX ARC_MAX ARC_MAX ".123",
		    "2a" HEX_MAX HEX_MAX HEX_MAX HEX_MAX HEX_MAX HEX_MAX "7b" },
		{ "1.2" ARC_MAX ARC_MAX ARC_MAX ARC_MAX ARC_MAX ARC_MAX ".1234", NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint8_t out[OID_DER_MAX];
		char text[OID_TEXT_LEN];
		size_t len = 99, want_len;
		int rc = oid_from_text(rows[i].text, out, &len);

		CHECK_ROW(rows[i].text, rc == (rows[i].hex != NULL ? 0 : -1));
		if (rows[i].hex == NULL) {
			CHECK_ROW(rows[i].text, len == 99);
		} else {
			uint8_t *want = octets(rows[i].hex, &want_len);
			ASN1_OBJECT *o = OBJ_txt2obj(rows[i].text, 1);

			CHECK_MEM(out, len, want, want_len);
			CHECK_ROW(rows[i].text, o != NULL);
			CHECK_MEM(OBJ_get0_data(o), OBJ_length(o), out, len);
			CHECK_ROW(
			    rows[i].text, oid_to_text((struct span){ want, want_len }, text) == 0);
			CHECK_STR(text, rows[i].text);
			ASN1_OBJECT_free(o);
			free(want);
		}
	}
}

static void
test_oid_bad_contents(void)
{
	static const char *const rows[] = { "", "80", "2a80", "2a8001", "8001", "2a81",
		/* 2^63 as an arc, and as the second one */
		"2a81808080808080808000", "81808080808080808050", "2affffffffffffffffff7f",
		"2a81ffffffffffffffffff7f",
		/* 33 arcs */
		"2a01020304050607080900010203040506070809000102030405060708090001",
		/* 128 characters */
		"2a" HEX_MAX HEX_MAX HEX_MAX HEX_MAX HEX_MAX HEX_MAX "8952",
		"2a" HEX_5 HEX_5 HEX_5 HEX_5 "0963" };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[OID_TEXT_LEN] = "kept";
		size_t len;
		uint8_t *p = octets(rows[i], &len);

		CHECK_ROW(rows[i], oid_to_text((struct span){ p, len }, text) == -1);
		CHECK_STR(text, "kept");
		free(p);
	}
}

static const struct test_case cases[] = {
	{ "element", test_element },
	{ "cursor", test_cursor },
	{ "lengths", test_lengths },
	{ "nested writing", test_nested },
	{ "boolean", test_bool },
	{ "integer and serial", test_integer },
	{ "small written", test_put_small },
	{ "bit string", test_bits },
	{ "oid element", test_oid_element },
	{ "oid text", test_oid_text },
	{ "oid contents refused", test_oid_bad_contents },
};

TEST_MAIN("der", cases)
