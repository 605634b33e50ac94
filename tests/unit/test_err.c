/*
 * Tests of the error object and of its mapping to exit, HTTP and OCSP statuses.
 */
#include <errno.h>

#include <openssl/err.h>
#include <openssl/x509.h>

#include "smki/err.h"
#include "smki/mem.h"

#include "test.h"

static void
test_set(void)
{
	struct err err = { 0 };

	CHECK(err_set(&err, FAIL_CONFLICT, "csr: %s %d", "RFC 2986", 4) == -1);
	CHECK(err.code == FAIL_CONFLICT);
	CHECK_STR(err.msg, "csr: RFC 2986 4");
	CHECK(err_set(NULL, FAIL_INVALID, "nobody listens") == -1);
	CHECK(err_set(&err, FAIL_INVALID, "a\nb\tc\x1b[2Jd\x7f\xc3\xa4") == -1);
	CHECK_STR(err.msg, "a?b?c?[2Jd?\xc3\xa4");
	/* The message may be among its own arguments. */
	CHECK(err_set(&err, FAIL_INVALID, "x: %s!", err.msg) == -1);
	CHECK_STR(err.msg, "x: a?b?c?[2Jd?\xc3\xa4!");
}

/* What turns the direction of a line, C1 (CSI on its own, too) and a character cut short. */
static void
test_clean(void)
{
	struct err err;

	err_set(&err, FAIL_INVALID,
	    "a\xe2\x80\xae"
	    "b\xc2\x9b"
	    "c\x9b"
	    "d\xc3\xa4 \xe2\x82");
	CHECK_STR(err.msg, "a???b??c?d\xc3\xa4 ??");
}

static void
test_long(void)
{
	struct err err = { 0 };
	char text[2 * ERR_MSG_MAX];

	memset(text, 'a', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	err_set(&err, FAIL_INVALID, "%s", text);
	CHECK(strlen(err.msg) == ERR_MSG_MAX - 1);
	err_prefix(&err, "%s", text);
	CHECK(strlen(err.msg) == ERR_MSG_MAX - 1);
	text[ERR_MSG_MAX - 1] = '\0';
	err_set(&err, FAIL_INVALID, "%s", text);
	CHECK_STR(err.msg, text);
}

static void
test_sys(void)
{
	struct err err = { 0 };

	errno = ENOENT;
	CHECK(err_sys(&err, FAIL_NOT_FOUND, "%s", "/a/b") == -1);
	CHECK(err.code == FAIL_NOT_FOUND);
	CHECK_STR(err.msg, "/a/b: No such file or directory");
	errno = EACCES;
	CHECK(err_sys(NULL, FAIL_DENIED, "nobody") == -1);
}

static void
test_ssl(void)
{
	struct err err = { 0 };

	ERR_clear_error();
	ERR_raise(ERR_LIB_X509, X509_R_KEY_VALUES_MISMATCH);
	ERR_raise(ERR_LIB_X509, X509_R_UNKNOWN_KEY_TYPE);
	CHECK(err_ssl(&err, FAIL_INTERNAL, "key %d", 7) == -1);
	CHECK(err.code == FAIL_INTERNAL);
	CHECK_STR(err.msg, "key 7: key values mismatch");
	CHECK(ERR_peek_error() == 0);

	CHECK(err_ssl(&err, FAIL_INTERNAL, "key") == -1);
	CHECK_STR(err.msg, "key: no reason given by OpenSSL");

	ERR_raise(ERR_LIB_SYS, ENOENT);
	err_ssl(&err, FAIL_INTERNAL, "file");
	CHECK_STR(err.msg, "file: No such file or directory");

	/* A library that registered no texts. */
	ERR_raise(ERR_LIB_USER + 3, 77);
	err_ssl(&err, FAIL_INTERNAL, "odd");
	CHECK(strncmp(err.msg, "odd: OpenSSL error ", 19) == 0);

	ERR_raise(ERR_LIB_X509, X509_R_UNKNOWN_KEY_TYPE);
	CHECK(err_ssl(NULL, FAIL_INTERNAL, "nobody") == -1);
	CHECK(ERR_peek_error() == 0);
}

static void
test_prefix(void)
{
	struct err err = { 0 };

	err_set(&err, FAIL_LIMIT, "too many");
	CHECK(err_prefix(&err, "device %s", "00\n1") == -1);
	CHECK_STR(err.msg, "device 00?1: too many");
	CHECK(err.code == FAIL_LIMIT);
	CHECK(err_prefix(NULL, "nobody") == -1);
}

static void
test_edge(void)
{
	static const struct {
		enum err_code code;
		int exit_status, http, ocsp;
		const char *name;
	} rows[] = {
		{ FAIL_INVALID, 65, 400, 1, "invalid" },
		{ FAIL_DENIED, 77, 403, 6, "denied" },
		{ FAIL_NOT_FOUND, 66, 404, 6, "not-found" },
		{ FAIL_CONFLICT, 73, 409, 2, "conflict" },
		{ FAIL_LIMIT, 75, 429, 3, "limit" },
		{ FAIL_UNAVAILABLE, 75, 503, 3, "unavailable" },
		{ FAIL_INTERNAL, 70, 500, 2, "internal" },
		{ (enum err_code)0, 70, 500, 2, "internal" },
		{ (enum err_code)99, 70, 500, 2, "internal" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CHECK_ROW(rows[i].name, err_exit_status(rows[i].code) == rows[i].exit_status);
		CHECK_ROW(rows[i].name, err_http_status(rows[i].code) == rows[i].http);
		CHECK_ROW(rows[i].name, err_ocsp_status(rows[i].code) == rows[i].ocsp);
		CHECK_STR(err_code_str(rows[i].code), rows[i].name);
	}
}

static void
test_same_cause(void)
{
	static const struct {
		const char *a, *b;
		int same;
	} rows[] = {
		{ "", "", 1 },
		{ "clock: 7 s ahead", "clock: 123 s ahead", 1 },
		{ "clock: 7 s ahead", "clock:  s ahead", 1 },
		{ "9", "", 1 },
		{ "clock: 7 s ahead", "clock: 7 s behind", 0 },
		{ "clock", "clocks", 0 },
		{ "", "a", 0 },
		{ "a1", "a1b", 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CHECK_ROW(rows[i].a, err_same_cause(rows[i].a, rows[i].b) == rows[i].same);
		CHECK_ROW(rows[i].b, err_same_cause(rows[i].b, rows[i].a) == rows[i].same);
	}
}

static const struct test_case cases[] = {
	{ "set", test_set },
	{ "clean", test_clean },
	{ "long messages are cut", test_long },
	{ "errno", test_sys },
	{ "OpenSSL queue", test_ssl },
	{ "prefix", test_prefix },
	{ "edge table", test_edge },
	{ "same cause", test_same_cause },
};

TEST_MAIN("err", cases)
