/*
 * HTTP's small rules: dates, validators, error bodies, what the headers of a request say.
 */
#include "http_header.h"
#include "smki/mem.h"
#include "test.h"

static void
test_date(void)
{
	static const struct {
		const char *text;
		int rc;
		time_t t;
	} cases[] = {
		{ "Sun, 06 Nov 1994 08:49:37 GMT", 0, 784111777 },
		{ "Thu, 01 Jan 1970 00:00:00 GMT", 0, 0 },
		{ "Fri, 31 Dec 9999 23:59:59 GMT", 0, 253402300799 },
		{ "Tue, 29 Feb 2028 12:00:00 GMT", 0, 1835438400 },
		{ "Mon, 06 Nov 1994 08:49:37 GMT", -1, 0 },
		{ "Sun, 06 Nov 1994 08:49:37 UTC", -1, 0 },
		{ "Sun, 06 Nov 1994 08:49:60 GMT", -1, 0 },
		{ "Sun, 06 Nov 1994 08:49:37 GMT ", -1, 0 },
		{ "Sunday, 06-Nov-94 08:49:37 GMT", -1, 0 },
		{ "Sun, 06 Nox 1994 08:49:37 GMT", -1, 0 },
		{ "Thu, 30 Feb 2028 12:00:00 GMT", -1, 0 },
		{ "", -1, 0 },
	};
	char text[HTTP_DATE_LEN];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		time_t t = -7;

		CHECK_ROW(cases[i].text, http_date_parse(cases[i].text, &t) == cases[i].rc);
		CHECK_ROW(cases[i].text, t == (cases[i].rc == 0 ? cases[i].t : -7));
		http_date(cases[i].t, text);
		CHECK_ROW(cases[i].text, cases[i].rc != 0 || strcmp(text, cases[i].text) == 0);
	}
}

static void
test_validate(void)
{
	/* modified 06 Nov 1994 08:49:37, now 100 s later */
	static const struct {
		const char *name;
		enum http_method method;
		const char *match, *since;
		long expires; /* after now */
		int fresh;
		const char *cache;
	} cases[] = {
		{ "no validator", HTTP_GET, NULL, NULL, 3600, 0, "max-age=900" },
		{ "short life", HTTP_GET, NULL, NULL, 60, 0, "max-age=60" },
		{ "ended", HTTP_GET, NULL, NULL, -5, 0, "max-age=0" },
		{ "tag", HTTP_GET, "\"abc\"", NULL, 60, 1, "max-age=60" },
		{ "weak tag", HTTP_HEAD, "W/\"abc\"", NULL, 60, 1, "max-age=60" },
		{ "any tag", HTTP_GET, "*", NULL, 60, 1, "max-age=60" },
		{ "in a list", HTTP_GET, "\"x\", \"abc\"", NULL, 60, 1, "max-age=60" },
		{ "longer tag", HTTP_GET, "\"abcd\"", NULL, 60, 0, "max-age=60" },
		{ "shorter tag", HTTP_GET, "\"ab\"", NULL, 60, 0, "max-age=60" },
		{ "open quote", HTTP_GET, "\"abc", NULL, 60, 0, "max-age=60" },
		{ "no quotes", HTTP_GET, "abc", NULL, 60, 0, "max-age=60" },
		{ "empty", HTTP_GET, "", NULL, 60, 0, "max-age=60" },
		{ "tag of a POST", HTTP_POST, "\"abc\"", NULL, 60, 0, "max-age=60" },
		{ "same date", HTTP_GET, NULL, "Sun, 06 Nov 1994 08:49:37 GMT", 60, 1,
		    "max-age=60" },
		{ "undated, date", HTTP_GET, NULL, "Sun, 06 Nov 1994 08:49:37 GMT", 60, 0,
		    "max-age=60" },
		{ "undated, tag", HTTP_GET, "\"abc\"", NULL, 60, 1, "max-age=60" },
		{ "earlier date", HTTP_GET, NULL, "Sun, 06 Nov 1994 08:49:36 GMT", 60, 0,
		    "max-age=60" },
		{ "later date", HTTP_GET, NULL, "Sun, 06 Nov 1994 08:49:38 GMT", 60, 0,
		    "max-age=60" },
		{ "date to come", HTTP_GET, NULL, "Sun, 06 Nov 1994 08:59:37 GMT", 60, 0,
		    "max-age=60" },
		{ "no date", HTTP_GET, NULL, "yesterday", 60, 0, "max-age=60" },
		{ "tag before date", HTTP_GET, "\"x\"", "Sun, 06 Nov 1994 08:49:37 GMT", 60, 0,
		    "max-age=60" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct http_request request = { .method = cases[i].method,
			.if_none_match = cases[i].match,
			.if_modified_since = cases[i].since };
		struct http_validity v = { .etag = "abc",
			.modified = 784111777,
			.dated = strncmp(cases[i].name, "undated", 7) != 0,
			.now = 784111777 + 100 };
		struct http_response response;
		char cache[128];

		http_response_init(&response);
		v.expires = v.now + cases[i].expires;
		http_validate(&request, &v, &response);
		CHECK_ROW(cases[i].name, response.status == (cases[i].fresh ? 304 : 200));
		snprintf(cache, sizeof(cache), "%s, public, no-transform, must-revalidate",
		    cases[i].cache);
		CHECK_STR(http_header_get(&response, "Cache-Control"), cache);
		CHECK_STR(http_header_get(&response, "etag"), "\"abc\"");
		CHECK_STR(
		    http_header_get(&response, "Last-Modified"), "Sun, 06 Nov 1994 08:49:37 GMT");
		http_response_free(&response);
	}
}

/* Dates to come are not sent (RFC 9110 8.8.2.1), and nothing is kept longer than it lives. */
static void
test_validate_back(void)
{
	/* its very date, but one still to come */
	const struct http_request request = { .method = HTTP_GET,
		.if_modified_since = "Sun, 06 Nov 1994 08:49:37 GMT" };
	const struct http_validity v = { .etag = "abc",
		.modified = 784111777,
		.dated = true,
		.expires = 784111777 + 60,
		.now = 784111777 - 7200 };
	struct http_response response;

	http_response_init(&response);
	http_validate(&request, &v, &response);
	CU_ASSERT_EQUAL(response.status, HTTP_OK);
	CHECK_STR(http_header_get(&response, "Last-Modified"), "Sun, 06 Nov 1994 06:49:37 GMT");
	CHECK(strncmp(http_header_get(&response, "Cache-Control"), "max-age=60,", 11) == 0);
	http_response_free(&response);
}

static void
test_problem(void)
{
	struct http_response response;

	http_response_init(&response);
	http_fail(&response, FAIL_UNAVAILABLE, "crl: cannot be served now");
	CU_ASSERT_EQUAL(response.status, 503);
	CHECK_STR(http_header_get(&response, "Content-Type"), "application/problem+json");
	CHECK(http_header_get(&response, "Retry-After") != NULL);
	CHECK_STR(buf_text(&response.body),
	    "{\"type\":\"about:blank\",\"title\":\"Service Unavailable\",\"status\":503,"
	    "\"detail\":\"crl: cannot be served now\"}\n");
	http_response_free(&response);
	http_fail(&response, FAIL_NOT_FOUND, "quoted \"\\\": \xc3\xa4\x01");
	CHECK(http_header_get(&response, "Retry-After") == NULL);
	CHECK(strstr(buf_text(&response.body), "\"quoted \\\"\\\\\\\": ???\"}") != NULL);
	http_response_free(&response);
	/* EST's way; what the answer was before is gone. */
	http_header_set(&response, "Location", "elsewhere");
	buf_add_str(&response.body, "half an answer");
	response.text = true;
	http_problem(&response, 401, "est: who are you");
	CU_ASSERT_EQUAL(response.status, 401);
	CHECK_STR(http_header_get(&response, "Content-Type"), "text/plain");
	CHECK(http_header_get(&response, "Location") == NULL);
	CHECK_STR(buf_text(&response.body), "est: who are you\n");
	http_response_free(&response);
}

/* Headers as "Name: value" lines; fault is part of what is said of them, NULL = nothing. */
static void
test_framing(void)
{
	static const struct {
		const char *name;
		const char *headers[3][2];
		const char *fault;
	} cases[] = {
		{ "none", { { "Host", "x" } }, NULL },
		{ "no host", { { "Accept", "x" } }, NULL },
		{ "longer name", { { "X-Content-Length", "5" }, { "Content-Length", "5" } }, NULL },
		{ "a length", { { "content-LENGTH", "5" } }, NULL },
		{ "chunked", { { "Transfer-Encoding", "Chunked" } }, NULL },
		{ "two lengths", { { "Content-Length", "5" }, { "content-length", "6" } }, "6.3" },
		{ "the same twice", { { "Content-Length", "5" }, { "Content-Length", "5" } },
		    "6.3" },
		{ "both", { { "Content-Length", "5" }, { "Transfer-Encoding", "chunked" } },
		    "6.1" },
		{ "both, turned", { { "Transfer-Encoding", "chunked" }, { "Content-Length", "0" } },
		    "6.1" },
		{ "two codings",
		    { { "Transfer-Encoding", "chunked" }, { "Transfer-Encoding", "chunked" } },
		    "6.1" },
		{ "identity", { { "Transfer-Encoding", "identity" } }, "6.1" },
		{ "gzip", { { "Transfer-Encoding", "gzip, chunked" } }, "6.1" },
		{ "nearly chunked", { { "Transfer-Encoding", "xchunked" } }, "6.1" },
		{ "no coding", { { "Transfer-Encoding", "" } }, "6.1" },
		{ "blank behind", { { "Content-Length ", "5" } }, "5.1" },
		{ "tab behind another", { { "X\t", "5" }, { "Content-Length", "5" } }, "5.1" },
		/* as the library gives a line that begins with a blank */
		{ "folded length", { { "Content-Length5", "0" } }, "5.2" },
		{ "folded length, a hyphen", { { "Content-Length-", "33" } }, "5.2" },
		{ "folded coding, a hyphen", { { "Transfer-Encoding-x", "chunked" } }, "5.2" },
		{ "folded to 17", { { "content-length123", "" } }, "5.2" },
		{ "longer coding", { { "X-Transfer-Encoding", "" } }, NULL },
		{ "folded coding", { { "Transfer-Encodingchunked", "" } }, "5.2" },
		{ "CR in a value", { { "X", "y\rContent-Length: 33" } }, "2.2" },
		{ "CR in a name", { { "X\rContent-Length", "33" } }, "2.2" },
		{ "shorter name", { { "Content-Lengt", "5" }, { "Content-Length", "5" } }, NULL },
		{ "two hosts", { { "Host", "x" }, { "host", "x" } }, "3.2" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct http_framing framing = { 0 };
		struct http_request request = { 0 };
		const char *fault;

		for (size_t j = 0; j < 3 && cases[i].headers[j][0] != NULL; j++)
			http_header_note(&request, &framing, cases[i].headers[j][0],
			    strlen(cases[i].headers[j][0]), cases[i].headers[j][1]);
		fault = http_framing_fault(&framing);
		CHECK_ROW(cases[i].name, (fault == NULL) == (cases[i].fault == NULL));
		CHECK_ROW(cases[i].name, fault == NULL || cases[i].fault == NULL ||
					     strstr(fault, cases[i].fault) != NULL);
	}
}

/* What a request gets out of its headers: of several with one name the first. */
static void
test_headers(void)
{
	static const char *const headers[][2] = {
		{ "Host", "x" },
		{ "content-type", "a" },
		{ "Content-Type", "b" },
		{ "IF-NONE-MATCH", "c" },
		{ "If-Modified-Since", "d" },
		{ "if-modified-since", "e" },
		{ "Authorization", "f" },
		{ "authorizatiom", "g" },
		{ "Content-Length", "5" },
	};
	struct http_framing framing = { 0 };
	struct http_request request = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(headers); i++)
		http_header_note(
		    &request, &framing, headers[i][0], strlen(headers[i][0]), headers[i][1]);
	CHECK_STR(request.content_type, "a");
	CHECK_STR(request.if_none_match, "c");
	CHECK_STR(request.if_modified_since, ""); /* RFC 9110 13.1.3: of several none */
	CHECK_STR(request.authorization, "f");
	CHECK_STR(framing.length, "5");
	CHECK(http_framing_fault(&framing) == NULL);
}

static const struct test_case cases[] = {
	{ "dates", test_date },
	{ "validators", test_validate },
	{ "clock set back", test_validate_back },
	{ "error bodies", test_problem },
	{ "framing", test_framing },
	{ "headers", test_headers },
};

TEST_MAIN("http", cases)
