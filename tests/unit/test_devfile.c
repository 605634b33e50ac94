/*
 * Files that register meters: both formats, every field's rule, what a fault is called, and that
 * no message shows a secret.
 */
#include "smki/devfile.h"
#include "smki/hex.h"
#include "smki/mem.h"

#include "test.h"

#define EUI "00db123456780001"
#define OID "1.3.6.1.4.1.32473.1"
#define SECRET "ABCDEFGHJKMNPQRSTUVWXYZ234"
#define HASH "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF"
#define ALL "eui64,hw_type,manufacturer,model,region,proof,secret,key_sha256,approved"

static struct devfile *
devfile_of(const char *line)
{
	struct devfile *devfile = NULL;
	struct err err = { 0 };
	bool is_data;

	if (devfile_new(line, strlen(line), &is_data, &devfile, &err) != 0) {
		fprintf(stderr, "  %s\n", err.msg);
		exit(1);
	}
	CHECK(is_data == (strchr(line, '{') != NULL));
	return devfile;
}

static int
read_one(const char *first, const char *line, struct devfile_row *row, struct err *err)
{
	struct devfile *devfile = devfile_of(first);
	int r = devfile_read(devfile, line, strlen(line), row, err);

	devfile_free(devfile);
	return r;
}

/* CSV in the order of ALL; JSON when it begins so. */
static int
read_row(const char *line, struct devfile_row *row, struct err *err)
{
	return read_one(line[0] == '{' ? line : ALL, line, row, err);
}

static void
test_header(void)
{
	static const struct {
		const char *line, *msg; /* NULL = fine */
	} rows[] = {
		{ "eui64,hw_type", NULL },
		{ "hw_type,eui64\r", NULL },
		{ "\xef\xbb\xbfhw_type,eui64", NULL },
		{ "\"hw_type\",\"eui64\"", NULL },
		{ ALL, NULL },
		{ "", "line: is empty" },
		{ "\r", "line: is empty" },
		{ "\xef\xbb\xbf", "line: is empty" },
		{ "eui64", "header: no column hw_type" },
		{ "hw_type,model", "header: no column eui64" },
		{ "eui64,hw_type,eui64", "header: column eui64 stands twice" },
		{ "eui64,hw_type,colour", "header: \"colour\" is no known column" },
		{ "eui64,hw_type,", "header: \"\" is no known column" },
		{ "eui64, hw_type", "header: \" hw_type\" is no known column" },
		{ "EUI64,hw_type", "header: \"EUI64\" is no known column" },
		{ "eui64;hw_type", "header: \"eui64;hw_type\" is no known column" },
		{ "\"eui64,hw_type", "header: RFC 4180 2: the quote is not closed" },
		{ "[1]", "header: \"[1]\" is no known column" },
		{ EUI "," OID, "header: \"" EUI "\" is no known column" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct devfile *devfile = NULL;
		struct err err = { 0 };
		bool is_data = true;
		int r = devfile_new(rows[i].line, strlen(rows[i].line), &is_data, &devfile, &err);

		CHECK_ROW(rows[i].line, r == (rows[i].msg == NULL ? 0 : -1));
		if (rows[i].msg != NULL) {
			CHECK_STR(err.msg, rows[i].msg);
			CHECK_ROW(rows[i].line, err.code == FAIL_INVALID && devfile == NULL);
		} else {
			CHECK_ROW(rows[i].line, !is_data);
		}
		devfile_free(devfile);
	}
}

static void
test_whole(void)
{
	static const char *const lines[] = {
		EUI "," OID ",acme,\"Basic, \"\"5\"\"\",north,idevid+secret key end-to-end," SECRET
		    "," HASH ",no",
		"{\"eui64\":\"00-DB-12-34-56-78-00-01\",\"hw_type\":\"" OID
		"\",\"manufacturer\":\"acme\",\"model\":\"Basic, \\\"5\\\"\",\"region\":\"north\","
		"\"proof\":[\"idevid\",\"end-to-end\"],\"secret\":\"" SECRET
		"\",\"key_sha256\":\"" HASH "\",\"approved\":false}",
	};
	static const struct eui64 eui = { { 0x00, 0xdb, 0x12, 0x34, 0x56, 0x78, 0x00, 0x01 } };

	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		struct devfile_row row = { .secret = "x" };
		const struct device *d = &row.device;
		struct err err = { 0 };

		if (read_row(lines[i], &row, &err) != 0) {
			CU_FAIL("refused");
			fprintf(stderr, "  %s\n", err.msg);
			continue;
		}
		CHECK_MEM(&d->eui, sizeof(d->eui), &eui, sizeof(eui));
		CHECK_STR(d->hw_type, OID);
		CHECK_STR(d->manufacturer, "acme");
		CHECK_STR(d->model, "Basic, \"5\"");
		CHECK_STR(d->region, "north");
		CHECK(d->proofs == (DEVICE_PROOF_IDEVID | DEVICE_PROOF_SECRET | DEVICE_PROOF_KEY));
		CHECK(d->end_to_end && !d->approved && d->state == DEVICE_ACTIVE);
		CHECK_STR(row.secret, SECRET);
		CHECK(d->key[0] == 0x00 && d->key[15] == 0xff && d->key[31] == 0xff);
		CHECK(d->import == 0 && d->id == 0 && !d->secret_used);
	}
}

static void
test_least(void)
{
	static const struct {
		const char *first, *line;
	} rows[] = {
		{ "eui64,hw_type", EUI "," OID },
		{ "eui64,hw_type", EUI "," OID "\r" },
		{ "hw_type,eui64", OID ",\"00:db:12:34:56:78:00:01\"" },
		{ ALL, EUI "," OID ",,,,,,," },
		{ ALL, EUI "," OID ",\"\",,,,,," },
		{ "{}", "{\"eui64\":\"" EUI "\",\"hw_type\":\"" OID "\"}\r" },
		{ "{}", " { \"hw_type\" : \"" OID "\", \"eui64\" : \"\\u0030"
			"0db123456780001\" } " },
		{ "\xef\xbb\xbf{}", "\xef\xbb\xbf{\"eui64\":\"" EUI "\",\"hw_type\":\"" OID "\"}" },
		{ "{}",
		    "{\"eui64\":\"" EUI "\",\"hw_type\":\"" OID "\",\"model\":\"\",\"proof\":[]}" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct devfile_row row;
		struct err err = { 0 };

		CHECK_ROW(rows[i].line, read_one(rows[i].first, rows[i].line, &row, &err) == 0);
		if (err.code != 0) {
			fprintf(stderr, "  %s\n", err.msg);
			continue;
		}
		CHECK_STR(row.device.hw_type, OID);
		CHECK_ROW(rows[i].line, row.device.eui.octets[7] == 1);
		CHECK_ROW(rows[i].line, row.device.proofs == 0 && !row.device.end_to_end);
		CHECK_ROW(rows[i].line, row.device.approved && row.secret[0] == '\0');
		CHECK_STR(row.device.manufacturer, "");
		CHECK_STR(row.device.model, "");
		CHECK_STR(row.device.region, "");
	}
}

static void
test_proof(void)
{
	static const struct {
		const char *line;
		unsigned proofs;
		bool end_to_end;
	} rows[] = {
		{ EUI "," OID ",acme,,,idevid,,,", DEVICE_PROOF_IDEVID, false },
		{ EUI "," OID ",acme,,,end-to-end+idevid,,,", DEVICE_PROOF_IDEVID, true },
		{ EUI "," OID ",,,,," SECRET ",,", DEVICE_PROOF_SECRET, false },
		{ EUI "," OID ",,,,end-to-end," SECRET ",,", DEVICE_PROOF_SECRET, true },
		{ EUI "," OID ",,,,secret," SECRET ",,yes", DEVICE_PROOF_SECRET, false },
		{ EUI "," OID ",,,,,," HASH ",", DEVICE_PROOF_KEY, false },
		{ EUI "," OID ",,,, key + secret ," SECRET "," HASH ",",
		    DEVICE_PROOF_KEY | DEVICE_PROOF_SECRET, false },
		{ "{\"eui64\":\"" EUI "\",\"hw_type\":\"" OID "\",\"secret\":\"" SECRET
		  "\",\"approved\":\"yes\",\"proof\":\"secret+end-to-end\"}",
		    DEVICE_PROOF_SECRET, true },
		{ "{\"eui64\":\"" EUI "\",\"hw_type\":\"" OID "\",\"secret\":\"" SECRET
		  "\",\"approved\":true,\"proof\":[\"end-to-end\"]}",
		    DEVICE_PROOF_SECRET, true },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct devfile_row row;
		struct err err = { 0 };

		CHECK_ROW(rows[i].line, read_row(rows[i].line, &row, &err) == 0);
		CHECK_ROW(rows[i].line, row.device.proofs == rows[i].proofs);
		CHECK_ROW(rows[i].line, row.device.end_to_end == rows[i].end_to_end);
		CHECK_ROW(rows[i].line, row.device.approved);
	}
}

#define J(more) "{\"eui64\":\"" EUI "\",\"hw_type\":\"" OID "\"" more "}"

static void
test_refused(void)
{
	static const struct {
		const char *line, *msg;
	} rows[] = {
		{ "", "record: is empty" },
		{ "\r", "record: is empty" },
		{ EUI, "record: RFC 4180 2: 1 field, the header has 9" },
		{ EUI "," OID ",,,,,,", "record: RFC 4180 2: 8 fields, the header has 9" },
		{ EUI "," OID ",,,,,,,,", "record: RFC 4180 2: more fields than the header's 9" },
		{ EUI "," OID ",,a\"b,,,,,",
		    "model: RFC 4180 2: a quote in a field that is not quoted" },
		{ EUI "," OID ",,\"a,,,,,", "model: RFC 4180 2: the quote is not closed" },
		{ EUI "," OID ",,\"a\"\",,,,,", "model: RFC 4180 2: the quote is not closed" },
		{ EUI "," OID ",,,,,,,\"", "approved: RFC 4180 2: the quote is not closed" },
		{ EUI "," OID ",,\"a\"b,,,,,", "model: RFC 4180 2: more behind the closing quote" },
		{ "," OID ",,,,,,,", "eui64: is missing" },
		{ EUI ",,,,,,,,", "hw_type: is missing" },
		{ "00db," OID ",,,,,,,", "eui64: EUI-64: \"00db\" is not 8 octets in hexadecimal" },
		{ " " EUI "," OID ",,,,,,,",
		    "eui64: EUI-64: \" " EUI "\" is not 8 octets in hexadecimal" },
		{ EUI ",meter,,,,,,,", "hw_type: not an object identifier: \"meter\"" },
		{ EUI ",1.02,,,,,,,", "hw_type: not an object identifier: \"1.02\"" },
		{ EUI "," OID ",5acme,,,,,,",
		    "manufacturer: name \"5acme\" does not begin with a letter" },
		{ EUI "," OID ",,,north sea,,,,",
		    "region: name \"north sea\" may hold letters, digits and '-' only" },
		{ EUI "," OID ",,a\tb,,,,,",
		    "model: is not UTF-8 text without control characters" },
		{ EUI "," OID ",,\xff,,,,,",
		    "model: is not UTF-8 text without control characters" },
		{ EUI "," OID ",,a\xe2\x80\xaetxt,,,,,",
		    "model: is not UTF-8 text without control characters" },
		{ EUI "," OID ",,\xc2\x9b,,,,,",
		    "model: is not UTF-8 text without control characters" },
		{ EUI "," OID ",,,,idevid,,,", "manufacturer: is missing; proof idevid needs it" },
		{ EUI "," OID ",,,,secret,,,", "secret: is missing; proof secret needs it" },
		{ EUI "," OID ",,,,key,,,", "key_sha256: is missing; proof key needs it" },
		{ EUI "," OID ",,,,end-to-end,,,",
		    "proof: end-to-end without idevid, secret or key proves nothing" },
		{ EUI "," OID ",,,,password,,,",
		    "proof: \"password\" is none of idevid, secret, key, end-to-end" },
		{ EUI "," OID ",,,,,,00,", "key_sha256: \"00\" is not 64 hexadecimal digits" },
		{ EUI "," OID ",,,,,,,maybe", "approved: \"maybe\" is neither yes nor no" },
		{ "{", "record: RFC 8259: is not a JSON object in one line" },
		{ "{\"eui64\":\"1\",\"eui64\":\"2\"}", "record: RFC 8259: a name stands twice" },
		{ J("") "x", "record: RFC 8259: more behind the object" },
		{ J("") J(""), "record: RFC 8259: more behind the object" },
		{ "{\"model\":\"\xff\"}", "record: RFC 8259: is not UTF-8" },
		{ "{}", "eui64: is missing" },
		{ J(",\"colour\":\"red\""), "\"colour\": is no known field" },
		{ J(",\"model\":5"), "model: not a string" },
		{ J(",\"model\":null"), "model: not a string" },
		{ J(",\"model\":{}"), "model: not a string" },
		{ J(",\"model\":[\"a\"]"), "model: not a string" },
		{ J(",\"model\":true"), "model: not a string" },
		{ J(",\"model\":\"a\\nb\""),
		    "model: is not UTF-8 text without control characters" },
		{ J(",\"proof\":[\"key\",1]"), "proof: not an array of strings" },
		{ J(",\"proof\":true"), "proof: not a string" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct devfile_row row = { .secret = "kept" };
		struct err err = { 0 };
		char *near;

		CHECK_ROW(rows[i].line, read_row(rows[i].line, &row, &err) == -1);
		CHECK_ROW(rows[i].line, err.code == FAIL_INVALID);
		/* Which octet is jansson's matter. */
		near = strstr(err.msg, " (near octet ");
		if (near != NULL)
			*near = '\0';
		CHECK_STR(err.msg, rows[i].msg);
		CHECK_STR(row.secret, "kept");
	}
}

/* JSON that is whole but no object, or holds what C would end at. */
static void
test_octets(void)
{
	struct devfile *csv = devfile_of(ALL), *json = devfile_of("{}");
	struct devfile_row row;
	struct err err = { 0 };

	CHECK(devfile_read(csv, EUI "\0", sizeof(EUI), &row, &err) == -1);
	CHECK_STR(err.msg, "record: holds a NUL");
	CHECK(devfile_read(json, "{}\0", 3, &row, &err) == -1);
	CHECK_STR(err.msg, "record: holds a NUL");
	CHECK(devfile_read(json, "{\"model\":\"\\u0000\"}", 18, &row, &err) == -1);
	CHECK(devfile_read(json, "[{}]", 4, &row, &err) == -1);
	CHECK_STR(err.msg, "record: is JSON, but no object");
	/* A mark stands before the first line only. */
	CHECK(devfile_read(json, "\xef\xbb\xbf{}", 5, &row, &err) == -1);
	CHECK(strncmp(err.msg, "record: RFC 8259: ", 18) == 0);
	devfile_free(json);
	devfile_free(csv);
}

static void
test_bounds(void)
{
	struct devfile *csv = devfile_of("eui64,hw_type,model"), *json = devfile_of("{}");
	struct devfile_row row;
	struct buf line = { 0 };
	struct err err = { 0 };
	bool is_data;

	for (size_t len = DEVICE_MODEL_LEN - 1; len <= DEVICE_MODEL_LEN; len++) {
		buf_reset(&line);
		buf_fmt(&line, EUI "," OID ",%0*d", (int)len, 0);
		CHECK(devfile_read(csv, buf_text(&line), line.len, &row, &err) ==
		      (len < DEVICE_MODEL_LEN ? 0 : -1));
	}
	CHECK_STR(err.msg, "model: is over 64 octets");
	/* The longest line fills the room for its values: one field, and 4097 of them. */
	for (size_t len = DEVFILE_LINE_MAX; len <= DEVFILE_LINE_MAX + 1; len++) {
		buf_reset(&line);
		buf_fmt(&line, EUI "," OID ",%0*d", (int)(len - sizeof(EUI "," OID)), 0);
		CHECK(line.len == len);
		CHECK(devfile_read(csv, buf_text(&line), line.len, &row, &err) == -1);
		CHECK_STR(err.msg, len == DEVFILE_LINE_MAX ? "model: is over 64 octets"
							   : "record: is over 4096 octets");
		memset(line.data, ',', line.len);
		CHECK(devfile_read(csv, buf_text(&line), line.len, &row, &err) == -1);
		CHECK(devfile_new(buf_text(&line), line.len, &is_data, &csv, &err) == -1);
	}
	CHECK_STR(err.msg, "line: is over 4096 octets");
	/* Deep nesting: within the line's bound, and refused. */
	buf_reset(&line);
	buf_add_str(&line, "{\"proof\":");
	while (line.len < DEVFILE_LINE_MAX)
		buf_add_u8(&line, '[');
	CHECK(devfile_read(json, buf_text(&line), line.len, &row, &err) == -1);
	CHECK(strncmp(err.msg, "record: RFC 8259: ", 18) == 0);
	buf_free(&line);
	devfile_free(json);
	devfile_free(csv);
}

static void
test_secret(void)
{
	static const struct {
		const char *text;
		const char *begins; /* NULL = fine */
	} rows[] = {
		{ SECRET, NULL },
		{ "abcdefghjkmnpqrstuvwxyz234", NULL },
		{ "ABCD-EFGH-JKMN-PQRS-TUVW-XYZ2-34", NULL },
		{ "7QX2M5JZ3KAWPD6RYTNB4CVEHS", NULL },
		{ "00112233445566778899aabbccddee0f", NULL },
		{ "0011-2233-4455-6677-8899-AABB-CCDD-EE0F", NULL },
		{ "3b7c9d0e1f2a4b5c6d8e7f9a0b1c2d3e4f5a6b7c8d9e0f1a2b3c4d5e6f708192", NULL },
		{ "", "secret: is neither" },
		{ "-", "secret: is neither" },
		{ "abcdefghjkmnpqrstuvwxyz23", "secret: has under 128 bits" },
		{ "ABCD-EFGH-JKMN-PQRS-TUVW-XYZ2-3", "secret: has under 128 bits" },
		{ "00112233445566778899aabbccddeef", "secret: has under 128 bits" },
		/* In both alphabets, and too short for the poorer one. */
		{ "ABCDEF234567BADCFE325476AB", "secret: has under 128 bits" },
		{ "ABCDEFGHJKMNPQRSTUVWXYZ23=", "secret: is neither" },
		{ "ABCDEFGHJKMNPQRSTUVWXYZ230", "secret: is neither" },
		{ "ABCDEFGHJKMNPQRSTUVWXYZ238", "secret: is neither" },
		{ "ABCDEFGHJKMNPQRSTUVWXYZ23 4", "secret: is neither" },
		{ "correct horse battery staple", "secret: is neither" },
		{ "mmmmmmmmmmmmmmmmmmmmmmmmmm", "secret: is a pattern" },
		{ "00000000000000000000000000000000", "secret: is a pattern" },
		{ "ababacadaeababacadaeabcdee", "secret: has under 128 bits" },
		{ "mnmnmompmqmnmnmompmqmnopqqmn", "secret: is a pattern" },
		{ "abcdefghijklmnopqrstuvwxyz", "secret: is a pattern" },
		{ "ZYXWVUTSRQPONMLKJIHGFEDCBA", "secret: is a pattern" },
		{ "0123456789abcdef0123456789abcdef", "secret: is a pattern" },
		{ "00db12345678000100db123456780001", "secret: is a pattern" },
		{ "acgkxyzacgkxyzacgkxyzacgkxyza", "secret: is a pattern" },
		{ "3b7c9d0e1f2a4b5c6d8e7f9a0b1c2d3e4f5a6b7c8d9e0f1a2b3c4d5e6f7081923",
		    "secret: is over 64 characters" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct devfile_row row;
		struct buf line = { 0 };
		struct err err = { 0 };
		int r = enrol_secret_check(rows[i].text, &err);

		CHECK_ROW(rows[i].text, r == (rows[i].begins == NULL ? 0 : -1));
		if (rows[i].begins == NULL)
			continue;
		if (strncmp(err.msg, rows[i].begins, strlen(rows[i].begins)) != 0)
			CHECK_STR(err.msg, rows[i].begins);
		CHECK_ROW(rows[i].text, err.code == FAIL_INVALID);
		CHECK_ROW(rows[i].text, rows[i].text[0] == '\0' || rows[i].text[1] == '\0' ||
					    strstr(err.msg, rows[i].text) == NULL);
		if (rows[i].text[0] == '\0')
			continue;
		buf_fmt(&line, EUI "," OID ",,,,,%s,,", rows[i].text);
		memset(&err, 0, sizeof(err));
		CHECK_ROW(rows[i].text, read_row(buf_text(&line), &row, &err) == -1);
		CHECK_ROW(
		    rows[i].text, strncmp(err.msg, rows[i].begins, strlen(rows[i].begins)) == 0);
		buf_free(&line);
	}
}

/* Whatever is wrong with a line, its secret is not told, nor is a part of it. */
static void
test_secret_untold(void)
{
	static const char *const lines[] = {
		EUI "," OID ",,,,,\"" SECRET ",,",
		EUI "," OID ",,,,,\"" SECRET "\"x,,",
		EUI "," OID ",,,,," SECRET "\",,",
		EUI "," OID ",,,,," SECRET "!,,",
		EUI "," OID ",,,,," SECRET "\x01,,",
		"{\"secret\":\"" SECRET,
		"{\"secret\":\"" SECRET "\" \"" SECRET "\"}",
		"{\"secret\":" SECRET "}",
		"{\"secret\":\"" SECRET "\xff\"}",
		"{\"secret\":\"\\x" SECRET "\"}",
		"{\"secret\":[\"" SECRET "\"]}",
		"{\"secret\":{\"" SECRET "\":1}}",
		"{\"secret\":\"" SECRET "\",\"secret\":\"" SECRET "\"}",
	};

	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		struct devfile_row row;
		struct err err = { 0 };

		CHECK_ROW(lines[i], read_row(lines[i], &row, &err) == -1);
		CHECK_ROW(lines[i], err.msg[0] != '\0' && strstr(err.msg, "BCDEF") == NULL);
	}
}

static const struct test_case cases[] = {
	{ "first line", test_header },
	{ "every field", test_whole },
	{ "required fields only", test_least },
	{ "proofs", test_proof },
	{ "faults by name", test_refused },
	{ "octets that end a text", test_octets },
	{ "bounds", test_bounds },
	{ "secrets", test_secret },
	{ "secrets stay untold", test_secret_untold },
};

TEST_MAIN("devfile", cases)
