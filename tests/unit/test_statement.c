/*
 * Bootstrap statements: the octets that are signed, that each field is among them, and what is
 * refused before anything is hashed.
 */
#include "smki/der.h"
#include "smki/eckey.h"
#include "smki/statement.h"

#include "softsign.h"
#include "test.h"

static const uint8_t csr_hash[SHA256_LEN] = { 0xab, 0xcd, [31] = 0x01 };

static struct statement
statement_full(void)
{
	return (struct statement){
		.eui = { { 0x00, 0xdb, 0x12, 0x34, 0x56, 0x78, 0x00, 0x01 } },
		.hw_type = "1.3.6.1.4.1.99999.1",
		.model = "M\xc3\xbcller 5",
		.firmware = "1.2.3",
		.time = 1795309200,
		.country = "NL",
		.has_position = true,
		.latitude = 52370000,
		.longitude = -4900001,
	};
}

static void
test_text(void)
{
	struct statement s = statement_full();
	struct buf text = { 0 };

	buf_add_str(&text, "kept");
	statement_text(&s, csr_hash, &text);
	CHECK_STR(buf_text(&text),
	    "kept"
	    "smki-bootstrap-v1\n"
	    "eui64=00db123456780001\n"
	    "hw_type=1.3.6.1.4.1.99999.1\n"
	    "model=M\xc3\xbcller 5\n"
	    "firmware=1.2.3\n"
	    "time=2026-11-22T01:00:00Z\n"
	    "country=NL\n"
	    "position=52.370000,-4.900001\n"
	    "csr_sha256=abcd000000000000000000000000000000000000000000000000000000000001\n");
	buf_reset(&text);
	s = (struct statement){ .hw_type = "1.2", .time = 0 };
	statement_text(&s, NULL, &text);
	CHECK_STR(buf_text(&text), "smki-bootstrap-v1\n"
				   "eui64=0000000000000000\n"
				   "hw_type=1.2\n"
				   "model=\n"
				   "firmware=\n"
				   "time=1970-01-01T00:00:00Z\n"
				   "country=\n"
				   "position=\n"
				   "csr_sha256=\n");
	buf_free(&text);
}

/* Sign as a device would: the text hashed by libcrypto alone. */
static void
sign(struct softsign *soft, const struct statement *s, const uint8_t *hash, struct buf *sig)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	struct buf text = { 0 };
	uint8_t der[160];
	size_t len = sizeof(der);

	statement_text(s, hash, &text);
	require(EVP_DigestSignInit(ctx, NULL,
		    soft->signer.pub.curve == EC_P256 ? EVP_sha256() : EVP_sha384(), NULL,
		    soft->key) == 1);
	require(EVP_DigestSign(ctx, der, &len, text.data, text.len) == 1);
	buf_add(sig, der, len);
	EVP_MD_CTX_free(ctx);
	buf_free(&text);
}

static void
test_verify(void)
{
	static const enum ec_curve curves[] = { EC_P256, EC_P384 };

	for (size_t i = 0; i < ARRAY_LEN(curves); i++) {
		struct softsign *soft = softsign_new(curves[i]), *other = softsign_new(curves[i]);
		struct statement s = statement_full();
		struct buf sig = { 0 }, bare = { 0 };
		struct err err = { 0 };

		sign(soft, &s, csr_hash, &sig);
		sign(soft, &s, NULL, &bare);
		CHECK(statement_verify(&s, csr_hash, &soft->signer.pub, buf_span(&sig), &err) == 0);
		CHECK(statement_verify(&s, NULL, &soft->signer.pub, buf_span(&bare), &err) == 0);
		/* A request put to a statement without one, taken away, and another's key. */
		CHECK(
		    statement_verify(&s, csr_hash, &soft->signer.pub, buf_span(&bare), &err) == -1);
		CHECK(err.code == FAIL_DENIED);
		CHECK(statement_verify(&s, NULL, &soft->signer.pub, buf_span(&sig), &err) == -1);
		CHECK(
		    statement_verify(&s, csr_hash, &other->signer.pub, buf_span(&sig), &err) == -1);
		CHECK(err.code == FAIL_DENIED);
		CHECK_STR(err.msg, "bootstrap: signature: signature does not verify");
		buf_free(&bare);
		buf_free(&sig);
		softsign_free(other);
		softsign_free(soft);
	}
}

/* One change at a time: the signature covers it. */
static void
test_covered(void)
{
	struct softsign *soft = softsign_new(EC_P256);
	const struct statement s = statement_full();
	struct statement other[12];
	uint8_t hash[SHA256_LEN];
	struct buf sig = { 0 };
	struct err err;
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(other); i++)
		other[i] = s;
	other[n++].eui.octets[7] = 2;
	strcpy(other[n++].hw_type, "1.3.6.1.4.1.99999.2");
	strcpy(other[n++].model, "M\xc3\xbcller 6");
	strcpy(other[n++].model, "");
	strcpy(other[n++].firmware, "1.2.4");
	other[n++].time += 1;
	strcpy(other[n++].country, "BE");
	strcpy(other[n++].country, "");
	other[n++].has_position = false;
	other[n++].latitude += 1;
	other[n++].longitude *= -1;
	/* What one field loses another gains. */
	strcpy(other[n].model, "M\xc3\xbcller 51.2.3");
	strcpy(other[n++].firmware, "");
	CHECK(n == ARRAY_LEN(other));
	sign(soft, &s, csr_hash, &sig);
	for (size_t i = 0; i < n; i++) {
		err.code = 0;
		CHECK(statement_verify(
			  &other[i], csr_hash, &soft->signer.pub, buf_span(&sig), &err) == -1);
		CHECK(err.code == FAIL_DENIED);
	}
	for (size_t i = 0; i < sizeof(hash); i++) {
		memcpy(hash, csr_hash, sizeof(hash));
		hash[i] ^= 1;
		CHECK(statement_verify(&s, hash, &soft->signer.pub, buf_span(&sig), &err) == -1);
	}
	CHECK(statement_verify(&s, csr_hash, &soft->signer.pub, buf_span(&sig), &err) == 0);
	buf_free(&sig);
	softsign_free(soft);
}

static void
test_bad_signature(void)
{
	struct softsign *soft = softsign_new(EC_P256);
	const struct statement s = statement_full();
	struct buf sig = { 0 };
	struct err err = { 0 };

	sign(soft, &s, csr_hash, &sig);
	for (size_t len = 0; len < sig.len; len++)
		CHECK(statement_verify(&s, csr_hash, &soft->signer.pub,
			  (struct span){ sig.data, len }, &err) == -1 &&
		      err.code == FAIL_DENIED);
	buf_add_u8(&sig, 0);
	CHECK(statement_verify(&s, csr_hash, &soft->signer.pub, buf_span(&sig), &err) == -1);
	CHECK(err.code == FAIL_DENIED && strncmp(err.msg, "bootstrap: signature: ", 22) == 0);
	buf_free(&sig);
	softsign_free(soft);
}

static void
fill(char *out, size_t size)
{
	memset(out, 'x', size - 1);
	out[size - 1] = '\0';
}

static void
test_check_good(void)
{
	struct statement s = statement_full();
	struct err err;

	CHECK(statement_check(&s, &err) == 0);
	fill(s.model, sizeof(s.model));
	fill(s.firmware, sizeof(s.firmware));
	CHECK(statement_check(&s, &err) == 0);
	s.time = 0;
	CHECK(statement_check(&s, &err) == 0);
	s.time = TIME_NO_EXPIRY;
	CHECK(statement_check(&s, &err) == 0);
	s.latitude = -90000000;
	s.longitude = 180000000;
	CHECK(statement_check(&s, &err) == 0);
	/* Not told, so not looked at. */
	s.has_position = false;
	s.latitude = INT32_MIN;
	CHECK(statement_check(&s, &err) == 0);
	strcpy(s.country, "");
	CHECK(statement_check(&s, &err) == 0);
}

static void
test_check_refused(void)
{
	static char long_text[STATEMENT_TEXT_LEN]; /* without a NUL */
	static const struct {
		const char *field;
		const char *text; /* model, firmware, hw_type, country */
		int64_t a, b;	  /* time; position */
	} rows[] = {
		{ "hw_type", "", 0, 0 },
		{ "hw_type", "1", 0, 0 },
		{ "hw_type", "1.02", 0, 0 },
		{ "hw_type", "1.2\nmodel=x", 0, 0 },
		{ "model", "x\nfirmware=y", 0, 0 },
		{ "model", "x\ry", 0, 0 },
		{ "model", "x\ty", 0, 0 },
		{ "model", "\x7f", 0, 0 },
		{ "model", "\xc2\x85", 0, 0 },
		{ "model", "\xff", 0, 0 },
		{ "model", "\xc3", 0, 0 },
		{ "model", long_text, 0, 0 },
		{ "firmware", "1\ntime=2000-01-01T00:00:00Z", 0, 0 },
		{ "firmware", "\x1b[2J", 0, 0 },
		{ "firmware", long_text, 0, 0 },
		{ "country", "nl", 0, 0 },
		{ "country", "N", 0, 0 },
		{ "country", "N\n", 0, 0 },
		{ "country", "NLD", 0, 0 },
		{ "time", NULL, -1, 0 },
		{ "time", NULL, TIME_NO_EXPIRY + 1, 0 },
		{ "position", NULL, 90000001, 0 },
		{ "position", NULL, -90000001, 0 },
		{ "position", NULL, 0, 180000001 },
		{ "position", NULL, 0, -180000001 },
		{ "position", NULL, INT32_MIN, INT32_MAX },
	};
	struct softsign *soft = softsign_new(EC_P256);

	memset(long_text, 'x', sizeof(long_text));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct statement s = statement_full();
		struct err err = { 0 }, again = { 0 };
		char want[40];

		if (strcmp(rows[i].field, "hw_type") == 0)
			strcpy(s.hw_type, rows[i].text);
		else if (strcmp(rows[i].field, "model") == 0)
			memcpy(s.model, rows[i].text,
			    rows[i].text == long_text ? sizeof(long_text)
						      : strlen(rows[i].text) + 1);
		else if (strcmp(rows[i].field, "firmware") == 0)
			memcpy(s.firmware, rows[i].text,
			    rows[i].text == long_text ? sizeof(long_text)
						      : strlen(rows[i].text) + 1);
		else if (strcmp(rows[i].field, "country") == 0)
			memcpy(s.country, rows[i].text,
			    strlen(rows[i].text) < 3 ? strlen(rows[i].text) + 1 : 3);
		else if (strcmp(rows[i].field, "time") == 0)
			s.time = rows[i].a;
		else {
			s.latitude = (int32_t)rows[i].a;
			s.longitude = (int32_t)rows[i].b;
		}
		snprintf(want, sizeof(want), "bootstrap: %s: ", rows[i].field);
		CHECK_ROW(rows[i].field, statement_check(&s, &err) == -1);
		CHECK_ROW(rows[i].field, err.code == FAIL_INVALID);
		CHECK_ROW(rows[i].field, strncmp(err.msg, want, strlen(want)) == 0);
		/* Also when nobody had it checked before. */
		CHECK_ROW(rows[i].field, statement_verify(&s, NULL, &soft->signer.pub,
					     (struct span){ NULL, 0 }, &again) == -1);
		CHECK_STR(again.msg, err.msg);
	}
	softsign_free(soft);
}

static const struct test_case cases[] = {
	{ "the octets", test_text },
	{ "both curves, with and without a request", test_verify },
	{ "every field is covered", test_covered },
	{ "no signature", test_bad_signature },
	{ "fields in their ranges", test_check_good },
	{ "fields out of them", test_check_refused },
};

TEST_MAIN("statement", cases)
