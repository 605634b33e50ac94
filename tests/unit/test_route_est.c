/*
 * EST (RFC 7030) without a network: which request reaches smkid with what evidence, and how each
 * answer is told.
 */
#include <openssl/pkcs7.h>

#include "front_rig.h"
#include "smki/est.h"
#include "strangers.h"

#define EST "/.well-known/est/"
#define PKCS10 "application/pkcs10"

static void
test_paths(void)
{
	static const struct {
		enum http_method method;
		const char *path, *type;
		int status;
	} cases[] = {
		{ HTTP_GET, EST "cacerts", NULL, 200 },
		{ HTTP_HEAD, EST "cacerts", NULL, 200 },
		{ HTTP_GET, EST "device-signature/cacerts", NULL, 200 },
		{ HTTP_GET, EST "nobody/cacerts", NULL, 404 },
		{ HTTP_GET, EST "cacerts/", NULL, 404 },
		{ HTTP_GET, EST "/cacerts", NULL, 404 },
		{ HTTP_GET, EST "a/b/cacerts", NULL, 404 },
		{ HTTP_GET, EST "", NULL, 404 },
		{ HTTP_GET, EST "CACERTS", NULL, 404 },
		{ HTTP_GET, EST "fullcmc", NULL, 404 },
		{ HTTP_POST, EST "fullcmc", "application/pkcs7-mime", 404 },
		{ HTTP_POST, EST "cacerts", PKCS10, 405 },
		{ HTTP_GET, EST "simpleenroll", NULL, 405 },
		{ HTTP_OTHER, EST "simpleenroll", NULL, 405 },
		{ HTTP_GET, EST "csrattrs", NULL, 200 },
		{ HTTP_GET, EST "device-agreement/csrattrs", NULL, 200 },
		{ HTTP_GET, EST "tls-server/csrattrs", NULL, 404 },
		{ HTTP_GET, EST "nobody/csrattrs", NULL, 404 },
		{ HTTP_POST, EST "simpleenroll", PKCS10, 200 },
		{ HTTP_POST, EST "simpleenroll", "Application/PKCS10; charset=x", 200 },
		{ HTTP_POST, EST "simpleenroll", NULL, 200 },
		{ HTTP_POST, EST "simpleenroll", "text/plain", 415 },
		{ HTTP_POST, EST "simpleenroll", "application/pkcs10x", 415 },
		{ HTTP_POST, EST "simplereenroll", PKCS10, 200 },
		{ HTTP_POST, EST "device-agreement/simpleenroll", PKCS10, 200 },
		{ HTTP_POST, EST "nobody/simpleenroll", PKCS10, 404 },
		{ HTTP_OPTIONS, EST "simpleenroll", NULL, 204 },
	};
	struct http_response response;

	front_will_issue(front);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct front_ask ask = { .method = cases[i].method,
			.path = cases[i].path,
			.type = cases[i].type,
			.body = "csr",
			.len = 3 };

		front_ask(front, &ask, &response);
		CHECK_ROW(cases[i].path, response.status == cases[i].status);
		CHECK_ROW(
		    cases[i].path, (front->n_asked == 1) ==
				       (cases[i].status == 200 && cases[i].method == HTTP_POST));
		if (cases[i].status >= 400) {
			CHECK_STR(http_header_get(&response, "Content-Type"), "text/plain");
			CHECK_ROW(cases[i].path, front_one_line(&response));
		}
		http_response_free(&response);
		/* Not on the plain listener. */
		ask.plain = true;
		front_ask(front, &ask, &response);
		CHECK_ROW(cases[i].path, response.status == 404 && front->n_asked == 0);
		http_response_free(&response);
	}
}

static void
test_method_told(void)
{
	struct front_ask ask = { .method = HTTP_GET, .path = EST "simpleenroll" };
	struct http_response response;

	front_ask(front, &ask, &response);
	CHECK_STR(http_header_get(&response, "Allow"), "POST, OPTIONS");
	http_response_free(&response);
	ask = (struct front_ask){ .method = HTTP_POST, .path = EST "cacerts" };
	front_ask(front, &ask, &response);
	CHECK_STR(http_header_get(&response, "Allow"), "GET, HEAD, OPTIONS");
	http_response_free(&response);
}

/* Certificates of a certs-only body, in order; their number. */
static int
certs_of(const uint8_t *data, size_t len, struct buf out[4])
{
	struct buf der = { 0 };
	const unsigned char *at;
	unsigned char *one;
	PKCS7 *p7 = NULL;
	int n = -1;

	if (base64_decode((const char *)data, len, 65536, 0, &der) != 0)
		goto out;
	at = der.data;
	p7 = d2i_PKCS7(NULL, &at, (long)der.len);
	if (p7 == NULL || !PKCS7_type_is_signed(p7) || at != der.data + der.len)
		goto out;
	n = sk_X509_num(p7->d.sign->cert);
	for (int i = 0; i < n && i < 4; i++) {
		int size;

		one = NULL;
		size = i2d_X509(sk_X509_value(p7->d.sign->cert, i), &one);
		require(size > 0);
		buf_add(&out[i], one, (size_t)size);
		OPENSSL_free(one);
	}
out:
	PKCS7_free(p7);
	buf_free(&der);
	return n;
}

static void
test_cacerts(void)
{
	struct front_ask ask = { .method = HTTP_GET, .path = EST "cacerts" };
	struct http_response response;
	struct buf certs[4] = { 0 };

	front_ask(front, &ask, &response);
	CHECK_STR(http_header_get(&response, "Content-Type"), "application/pkcs7-mime");
	CHECK(front_one_line(&response));
	CU_ASSERT_EQUAL(certs_of(response.body.data, response.body.len, certs), 2);
	CHECK(span_eq(buf_span(&certs[0]), buf_span(&front->rig->ca->der)));
	CHECK(span_eq(buf_span(&certs[1]), buf_span(&front->rig->root->der)));
	http_response_free(&response);

	front->httpd->home.enrol.base64_lines = true;
	front_ask(front, &ask, &response);
	CHECK(!front_one_line(&response) && response.body.data[64] == '\n');
	http_response_free(&response);
	front->httpd->home.enrol.base64_lines = false;

	/* No certificate of the peer's is looked at. */
	ask.show = SHOW_ROGUE;
	front_ask(front, &ask, &response);
	CHECK(response.status == 200);
	http_response_free(&response);
	front->ctx.store = NULL;
	front_ask(front, &ask, &response);
	CHECK(response.status == 503 && http_header_get(&response, "Retry-After") != NULL);
	http_response_free(&response);
	front->ctx.store = front->rig->reader;
	for (int i = 0; i < 4; i++)
		buf_free(&certs[i]);
}

static void
test_csrattrs(void)
{
	struct front_ask ask = { .method = HTTP_GET, .path = EST "csrattrs" };
	struct http_response response;
	struct buf got = { 0 }, want = { 0 };

	front_ask(front, &ask, &response);
	CHECK_STR(http_header_get(&response, "Content-Type"), "application/csrattrs");
	CHECK(
	    base64_decode((const char *)response.body.data, response.body.len, 4096, 0, &got) == 0);
	est_csrattrs(profiles_get(&front->rig->profiles, "device-signature"), &want);
	CHECK_MEM(got.data, got.len, want.data, want.len);
	http_response_free(&response);
	buf_free(&got);
	buf_free(&want);
}

static void
test_enrol(void)
{
	struct front_ask ask = { .method = HTTP_POST,
		.path = EST "device-signature/simpleenroll",
		.type = PKCS10,
		.body = "MIIB csr\n",
		.len = 9,
		/* 00-DB-12-34-56-78-00-01:abcdefghijklmnopqrstuvwxyz */
		.authorization = "Basic "
				 "MDAtREItMTItMzQtNTYtNzgtMDAtMDE6YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4"
				 "eXo=" };
	struct buf certs[4] = { 0 };
	struct http_response response;

	front_will_issue(front);
	front_ask(front, &ask, &response);
	CHECK(response.status == 200);
	CHECK_STR(http_header_get(&response, "Content-Type"),
	    "application/pkcs7-mime; smime-type=certs-only");
	CHECK(front_one_line(&response) && response.delay_ms == 0);
	CU_ASSERT_EQUAL(certs_of(response.body.data, response.body.len, certs), 1);
	CHECK(span_eq(buf_span(&certs[0]), buf_span(&front->show[SHOW_OURS])));
	CHECK(front->asked.kind == ENROL_FIRST && front->asked.n_chain == 0);
	CHECK(front->asked.has_secret && front->asked.secret_eui.octets[1] == 0xdb);
	CHECK_STR(front->asked.secret, "abcdefghijklmnopqrstuvwxyz");
	CHECK_STR(front->asked.profile, "device-signature");
	CHECK_STR(front->asked.address, FRONT_ADDRESS);
	CHECK_MEM(front->asked.csr.data, front->asked.csr.len, ask.body, ask.len);
	CHECK(!front->asked.has_statement);
	http_response_free(&response);
	buf_free(&certs[0]);

	/* No credential at all: the request's own key may be the registered one. */
	ask.authorization = NULL;
	ask.path = EST "simplereenroll";
	ask.show = SHOW_OURS;
	front_ask(front, &ask, &response);
	CHECK(response.status == 200 && front->asked.kind == ENROL_RENEW);
	CHECK(front->asked.n_chain == 1 &&
	      span_eq(buf_span(&front->asked.chain[0]), buf_span(&front->show[SHOW_OURS])));
	CHECK_STR(front->asked.profile, "");
	http_response_free(&response);
	ask.show = SHOW_NONE;
	front_ask(front, &ask, &response);
	CHECK(response.status == 200 && front->asked.n_chain == 0 && !front->asked.has_secret);
	http_response_free(&response);

	/* Found, but on hold. */
	front->answer.issued.state = CERT_HOLD;
	front_ask(front, &ask, &response);
	CHECK(response.status == 403);
	http_response_free(&response);
}

/* What a TLS peer shows decides before anything else does: smkid is asked only for somebody's. */
static void
test_peers(void)
{
	static const struct {
		enum front_cert show;
		int status;
	} cases[] = {
		{ SHOW_NONE, 200 },
		{ SHOW_OURS, 200 },
		{ SHOW_HELD, 403 },
		{ SHOW_REVOKED, 403 },
		{ SHOW_ENDED, 403 },
		{ SHOW_AGREEMENT, 403 },
		{ SHOW_SERVER, 403 },
		{ SHOW_IDEVID, 200 },
		{ SHOW_IDEVID_ENDED, 403 },
		{ SHOW_OTHER_CA, 403 },
		{ SHOW_ROGUE, 403 },
		{ SHOW_ALIKE, 403 },
		{ SHOW_GARBAGE, 400 },
	};
	static const char *const secrets[] = { NULL,
		"Basic MDBkYjEyMzQ1Njc4MDAwMTphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5eg==" };
	struct http_response response;

	front_will_issue(front);
	/* Twice: the second time from what is remembered. */
	for (size_t i = 0; i < 2 * ARRAY_LEN(cases); i++) {
		size_t c = i % ARRAY_LEN(cases);
		struct front_ask ask = { .method = HTTP_POST,
			.path = EST "simpleenroll",
			.body = "csr",
			.len = 3,
			.show = cases[c].show,
			.authorization = secrets[i / ARRAY_LEN(cases)] };

		front_ask(front, &ask, &response);
		CHECK_ROW(front_show_names[cases[c].show], response.status == cases[c].status);
		CHECK_ROW(front_show_names[cases[c].show],
		    front->n_asked == (cases[c].status == 200 ? 1u : 0u));
		CHECK_ROW(front_show_names[cases[c].show],
		    http_header_get(&response, "WWW-Authenticate") == NULL);
		http_response_free(&response);
	}
}

/* On the same connection, between one request and the next. */
static void
test_hold(void)
{
	struct front_ask ask = { .method = HTTP_POST,
		.path = EST "simplereenroll",
		.body = "csr",
		.len = 3,
		.show = SHOW_OURS };
	struct http_response response;

	front_will_issue(front);
	front_ask(front, &ask, &response);
	CHECK(response.status == 200);
	http_response_free(&response);
	front_state(front->rig, front->show_id[SHOW_OURS], CERT_HOLD);
	front_ask(front, &ask, &response);
	CHECK(response.status == 403 && front->n_asked == 0);
	CHECK_STR(buf_text(&response.body), "tls: the certificate is on hold\n");
	http_response_free(&response);
	front_state(front->rig, front->show_id[SHOW_OURS], CERT_VALID);
	front_ask(front, &ask, &response);
	CHECK(response.status == 200);
	http_response_free(&response);
	/* Without the database nobody's state is known. */
	front->ctx.store = NULL;
	front_ask(front, &ask, &response);
	CHECK(response.status == 503 && front->n_asked == 0);
	http_response_free(&response);
	front->ctx.store = front->rig->reader;
}

static void
test_refusals(void)
{
	static const struct {
		enum refusal reason;
		enum err_code code;
		int status;
	} cases[] = {
		{ REFUSAL_REQUEST, FAIL_INVALID, 400 },
		{ REFUSAL_FORM, FAIL_INVALID, 400 },
		{ REFUSAL_CREDENTIAL, FAIL_DENIED, 401 },
		{ REFUSAL_SECRET, FAIL_DENIED, 401 },
		{ REFUSAL_SECRET_USED, FAIL_CONFLICT, 409 },
		{ REFUSAL_UNREGISTERED, FAIL_DENIED, 403 },
		{ REFUSAL_HELD, FAIL_DENIED, 403 },
		{ REFUSAL_PROFILE, FAIL_NOT_FOUND, 404 },
		{ REFUSAL_CONFLICT, FAIL_CONFLICT, 409 },
		{ REFUSAL_QUOTA, FAIL_LIMIT, 429 },
		{ REFUSAL_CEILING, FAIL_LIMIT, 429 },
	};
	struct front_ask ask = {
		.method = HTTP_POST, .path = EST "simpleenroll", .body = "csr", .len = 3
	};
	struct http_response response;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *name = refusal_str(cases[i].reason), *challenge;

		front_will_refuse(front, cases[i].reason, cases[i].code, "device \"x\\y\": no\x01");
		front_ask(front, &ask, &response);
		CHECK_ROW(name, response.status == cases[i].status);
		CHECK_STR(http_header_get(&response, "Content-Type"), "text/plain");
		CHECK_STR(buf_text(&response.body), "device ?x?y?: no?\n");
		challenge = http_header_get(&response, "WWW-Authenticate");
		CHECK_STR(challenge, cases[i].status == 401 ? "Basic realm=\"smki\"" : NULL);
		CHECK_ROW(name, (http_header_get(&response, "Retry-After") != NULL) ==
				    (cases[i].status == 429));
		CHECK_ROW(name, (response.delay_ms > 0) == (cases[i].reason == REFUSAL_SECRET));
		CHECK_ROW(name, atomic_load(&front->httpd->counters.refused[cases[i].reason]) > 0);
		http_response_free(&response);
	}
}

static void
test_secret_delay(void)
{
	struct front_ask ask = {
		.method = HTTP_POST, .path = EST "simpleenroll", .body = "csr", .len = 3
	};
	struct http_response response;
	long last = 0;

	for (int i = 0; i < 6; i++) {
		front_will_refuse(front, REFUSAL_SECRET, FAIL_DENIED, "secret: wrong");
		front_ask(front, &ask, &response);
		CHECK(response.delay_ms > last || response.delay_ms == 4000);
		last = response.delay_ms;
		http_response_free(&response);
	}
	CU_ASSERT_EQUAL(last, 4000);
	/* A right one is not held back. */
	front_will_issue(front);
	front_ask(front, &ask, &response);
	CHECK(response.status == 200 && response.delay_ms == 0);
	http_response_free(&response);
}

static void
test_pending(void)
{
	struct front_ask ask = {
		.method = HTTP_POST, .path = EST "simpleenroll", .body = "csr", .len = 3
	};
	struct http_response response;

	enrol_answer_free(&front->answer);
	front->answer.outcome = ENROL_PENDING;
	front_ask(front, &ask, &response);
	CHECK(response.status == 202);
	CHECK_STR(http_header_get(&response, "Retry-After"), "60");
	http_response_free(&response);
}

/* Nothing of what failed inside is told. */
static void
test_failures(void)
{
	static const struct {
		enum err_code code;
		int status;
	} cases[] = { { FAIL_UNAVAILABLE, 503 }, { FAIL_LIMIT, 429 }, { FAIL_INTERNAL, 500 },
		{ FAIL_INVALID, 500 }, { FAIL_DENIED, 500 } };
	struct front_ask ask = {
		.method = HTTP_POST, .path = EST "simpleenroll", .body = "csr", .len = 3
	};
	struct http_response response;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		err_set(&front->broken, cases[i].code, "token /var/lib/inside");
		front_ask(front, &ask, &response);
		CU_ASSERT_EQUAL(response.status, cases[i].status);
		CHECK(
		    strstr(buf_text(&response.body), "inside\n") == NULL || cases[i].status == 500);
		CHECK(strstr(buf_text(&response.body), "/var") == NULL);
		http_response_free(&response);
	}
	front->broken.code = 0;
	/* An empty body never reaches smkid, nor do credentials that cannot be read. */
	ask.len = 0;
	front_ask(front, &ask, &response);
	CHECK(response.status == 400 && front->n_asked == 0);
	http_response_free(&response);
	ask.len = 3;
	ask.authorization = "Basic ?";
	front_ask(front, &ask, &response);
	CHECK(response.status == 400 && front->n_asked == 0);
	http_response_free(&response);
}

static void
test_server_key(void)
{
	static const uint8_t key[] = { 0x30, 3, 2, 1, 5 };
	static const struct {
		enum front_cert show;
		const char *authorization;
		int status;
	} cases[] = {
		{ SHOW_NONE, NULL, 401 },
		{ SHOW_NONE, "Basic MDBkYjEyMzQ1Njc4MDAwMTphYmM=", 403 },
		{ SHOW_OURS, NULL, 403 },
		{ SHOW_ROGUE, NULL, 403 },
		{ SHOW_IDEVID, NULL, 200 },
	};
	struct http_response response;
	struct buf certs[4] = { 0 }, got = { 0 };
	const char *type = NULL, *body = NULL, *part;
	char mark[80];

	front_will_issue(front);
	buf_add(&front->answer.key, key, sizeof(key));
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct front_ask ask = { .method = HTTP_POST,
			.path = EST "serverkeygen",
			.type = PKCS10,
			.body = "csr",
			.len = 3,
			.show = cases[i].show,
			.authorization = cases[i].authorization };

		front_ask(front, &ask, &response);
		CHECK_ROW(front_show_names[cases[i].show], response.status == cases[i].status);
		CHECK_ROW(front_show_names[cases[i].show],
		    front->n_asked == (cases[i].status == 200 ? 1u : 0u));
		if (i + 1 < ARRAY_LEN(cases))
			http_response_free(&response);
	}
	CHECK(response.secret && front->asked.kind == ENROL_SERVER_KEY);
	type = http_header_get(&response, "Content-Type");
	require(type != NULL && strncmp(type, "multipart/mixed; boundary=", 26) == 0);
	snprintf(mark, sizeof(mark), "--%s\r\n", type + 26);
	body = buf_text(&response.body);
	CHECK(strncmp(body, mark, strlen(mark)) == 0);
	part = strstr(body, "\r\n\r\n");
	require(part != NULL);
	CHECK(strstr(body, "Content-Type: application/pkcs8\r\n") < part);
	CHECK(base64_decode(part + 4, strcspn(part + 4, "-"), 64, 0, &got) == 0);
	CHECK_MEM(got.data, got.len, key, sizeof(key));
	part = strstr(part + 4, mark);
	require(part != NULL);
	part = strstr(part, "\r\n\r\n");
	require(part != NULL);
	CU_ASSERT_EQUAL(certs_of((const uint8_t *)part + 4, strcspn(part + 4, "-"), certs), 1);
	snprintf(mark, sizeof(mark), "--%s--\r\n", type + 26);
	CHECK(strcmp(body + strlen(body) - strlen(mark), mark) == 0);
	http_response_free(&response);
	buf_free(&got);
	buf_free(&certs[0]);

	/* A certificate without its key is no answer. */
	front_will_issue(front);
	front_ask(front,
	    &(struct front_ask){ .method = HTTP_POST,
		.path = EST "serverkeygen",
		.body = "csr",
		.len = 3,
		.show = SHOW_IDEVID },
	    &response);
	CHECK(response.status == 500);
	http_response_free(&response);
}

static const struct test_case cases[] = {
	{ "rig", front_begin },
	{ "paths, methods, media types", test_paths },
	{ "Allow", test_method_told },
	{ "cacerts", test_cacerts },
	{ "csrattrs", test_csrattrs },
	{ "enrolment", test_enrol },
	{ "TLS peers", test_peers },
	{ "hold between two requests", test_hold },
	{ "refusals", test_refusals },
	{ "wrong secrets", test_secret_delay },
	{ "pending", test_pending },
	{ "failures", test_failures },
	{ "serverkeygen", test_server_key },
	{ "end", front_end },
};

TEST_MAIN("route_est", cases)
