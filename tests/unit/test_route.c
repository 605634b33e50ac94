/*
 * The routes of smki-httpd without a network: which request gets which answer, headers and all.
 */
#include <openssl/evp.h>

#include "http_header.h"
#include "httpd.h"
#include "ocsp_world.h"
#include "route.h"
#include "smki/crlgen.h"
#include "smki/hex.h"

/* ---- which route ---- */

static void
test_find(void)
{
	static const struct {
		enum http_method method;
		const char *path, *type;
		bool large;
		int status;	  /* 0 = a route was found */
		const char *said; /* rest of the path, or Allow */
	} cases[] = {
		{ HTTP_POST, "/ocsp", "application/ocsp-request", false, 0, "" },
		{ HTTP_POST, "/ocsp", "Application/OCSP-Request ; x=y", false, 0, "" },
		{ HTTP_POST, "/ocsp", NULL, false, 0, "" },
		{ HTTP_POST, "/ocsp/", NULL, false, 0, "" },
		{ HTTP_POST, "/ocsp", "application/ocsp-requests", false, 415, NULL },
		{ HTTP_POST, "/ocsp", "application/ocsp-response", false, 415, NULL },
		{ HTTP_POST, "/ocsp", "", false, 415, NULL },
		{ HTTP_POST, "/ocsp", NULL, true, 413, NULL },
		{ HTTP_POST, "/", NULL, false, 404, NULL },
		{ HTTP_POST, "/ocsp/MEow", NULL, false, 405, "GET, HEAD, OPTIONS" },
		{ HTTP_GET, "/ocsp/MEow", NULL, false, 0, "MEow" },
		{ HTTP_HEAD, "/ocsp/MEow", NULL, false, 0, "MEow" },
		{ HTTP_GET, "/ocsp//MEow", NULL, false, 0, "/MEow" },
		{ HTTP_GET, "//ocsp/MEow", NULL, false, 0, "MEow" },
		{ HTTP_GET, "http://host:80/ocsp/MEow", NULL, false, 0, "MEow" },
		{ HTTP_GET, "http://host", NULL, false, 404, NULL },
		{ HTTP_GET, "/ocsp/", NULL, false, 0, "" },
		{ HTTP_GET, "/ocsp", NULL, false, 0, "" },
		{ HTTP_GET, "/ocspx", NULL, false, 404, NULL },
		{ HTTP_OTHER, "/ocsp", NULL, false, 405, "GET, HEAD, POST, OPTIONS" },
		{ HTTP_OPTIONS, "/ocsp", NULL, false, 204, "GET, HEAD, POST, OPTIONS" },
		{ HTTP_OPTIONS, "/crl/x.crl", NULL, false, 204, "GET, HEAD, OPTIONS" },
		{ HTTP_OPTIONS, "*", NULL, false, 204, "GET, HEAD, POST, OPTIONS" },
		{ HTTP_OPTIONS, "/no", NULL, false, 404, NULL },
		{ HTTP_GET, "/crl/issuing.crl", NULL, false, 0, "issuing.crl" },
		{ HTTP_POST, "/crl/issuing.crl", NULL, false, 405, "GET, HEAD, OPTIONS" },
		{ HTTP_GET, "/ca/issuing.cer", NULL, false, 0, "issuing.cer" },
		{ HTTP_GET, "/health", NULL, false, 0, "" },
		{ HTTP_GET, "/health/", NULL, false, 404, NULL },
		{ HTTP_GET, "/metrics", NULL, false, 0, "" },
		{ HTTP_GET, "", NULL, false, 404, NULL },
		{ HTTP_GET, "/%6fcsp", NULL, false, 404, NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct http_request request = { .method = cases[i].method,
			.path = cases[i].path,
			.content_type = cases[i].type,
			.too_large = cases[i].large };
		struct http_response response;
		const char *rest = NULL;
		const struct route *route;

		http_response_init(&response);
		route = route_find(&request, &rest, &response);
		CHECK_ROW(cases[i].path, (route != NULL) == (cases[i].status == 0));
		CHECK_ROW(cases[i].path, response.status == cases[i].status);
		CHECK_STR(
		    route != NULL ? rest : http_header_get(&response, "Allow"), cases[i].said);
		http_response_free(&response);
	}
}

/* What is found on one listener is not on the other, and EST is told in text. */
static void
test_find_tls(void)
{
	static const char est[] = "/.well-known/est/", jwks[] = "/.well-known/jwks.json";
	static const struct {
		enum http_method method;
		const char *path, *type;
		bool large;
		int plain, tls; /* 0 = a route was found */
		bool text;	/* how the TLS listener tells errors */
		const char *rest;
	} cases[] = {
		{ HTTP_GET, "/health", NULL, false, 0, 404, false, "" },
		{ HTTP_GET, "/metrics", NULL, false, 0, 404, false, "" },
		{ HTTP_GET, "/ocsp/MEow", NULL, false, 0, 404, false, "MEow" },
		{ HTTP_POST, "/ocsp", NULL, false, 0, 404, false, "" },
		{ HTTP_OPTIONS, "/ocsp", NULL, false, 204, 404, false, NULL },
		{ HTTP_GET, "/crl/issuing.crl", NULL, false, 0, 404, false, "issuing.crl" },
		{ HTTP_GET, "/ca/issuing.cer", NULL, false, 0, 404, false, "issuing.cer" },
		{ HTTP_GET, jwks, NULL, false, 0, 0, false, "" },
		{ HTTP_POST, jwks, NULL, false, 405, 405, false, NULL },
		{ HTTP_GET, "/.well-known/est/cacerts", NULL, false, 404, 0, true, "cacerts" },
		{ HTTP_POST, "/.well-known/est/a/simpleenroll", NULL, false, 404, 0, true,
		    "a/simpleenroll" },
		{ HTTP_GET, "https://host:8443/.well-known/est/cacerts", NULL, false, 404, 0, true,
		    "cacerts" },
		{ HTTP_OTHER, est, NULL, false, 404, 405, true, NULL },
		{ HTTP_OPTIONS, est, NULL, false, 404, 204, true, NULL },
		{ HTTP_POST, "/.well-known/est/simpleenroll", NULL, true, 404, 413, true, NULL },
		{ HTTP_POST, "/bootstrap", "application/json", false, 404, 0, false, "" },
		{ HTTP_POST, "/bootstrap", "application/json", true, 404, 413, false, NULL },
		{ HTTP_POST, "/bootstrap", "text/json", false, 404, 415, false, NULL },
		{ HTTP_GET, "/bootstrap", NULL, false, 404, 405, false, NULL },
		{ HTTP_POST, "/token", "application/x-www-form-urlencoded", false, 404, 0, false,
		    "" },
		{ HTTP_POST, "/token", "application/json", false, 404, 415, false, NULL },
		{ HTTP_OPTIONS, "*", NULL, false, 204, 204, false, NULL },
		{ HTTP_GET, "/", NULL, false, 404, 404, false, NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		for (int tls = 0; tls < 2; tls++) {
			struct http_request request = { .method = cases[i].method,
				.path = cases[i].path,
				.content_type = cases[i].type,
				.too_large = cases[i].large,
				.tls = tls != 0 };
			int wanted = tls ? cases[i].tls : cases[i].plain;
			struct http_response response;
			const char *rest = NULL, *type;
			const struct route *route;

			http_response_init(&response);
			route = route_find(&request, &rest, &response);
			CHECK_ROW(cases[i].path, (route != NULL) == (wanted == 0));
			CHECK_ROW(cases[i].path, response.status == wanted);
			if (tls)
				CHECK_ROW(cases[i].path, response.text == cases[i].text);
			if (route != NULL)
				CHECK_STR(rest, cases[i].rest);
			type = http_header_get(&response, "Content-Type");
			CHECK_ROW(cases[i].path,
			    type == NULL ||
				strcmp(type, response.text ? "text/plain"
							   : "application/problem+json") == 0);
			http_response_free(&response);
		}
}

static void
test_decode(void)
{
	static const uint8_t want[] = { 0x30, 0xfb, 0xef, 0xbe, 0xff, 0xff, 0xff, 0x01 };
	static const struct {
		const char *text;
		int rc;
	} cases[] = {
		{ "MPvvvv///wE=", 0 },
		{ "MPvvvv%2F%2F%2FwE%3D", 0 },
		{ "MPvvvv%2f%2f%2fwE%3d", 0 },
		{ "MPvvvv///wE", 0 },
		{ "/MPvvvv///wE=", 0 },
		{ "//MPvvvv///wE=", 0 },
		{ "%2FMPvvvv///wE=", 0 },
		{ "MPvvvv///wE=%0A", 0 },
		{ "MPvvvv///wE%3D%0d%0a", 0 },
		{ "MPvvvv//wE=", -1 },
		{ "MPvvvv/wE=", -1 },
		{ "MPvvvv///wE==", -1 },
		{ "MPvvvv///wF=", -1 },
		{ "MPvvvv///wE=x", -1 },
		{ "MPvvvv%2", -1 },
		{ "MPvvvv%", -1 },
		{ "MPvvvv%2G", -1 },
		{ "MPvvvv%00", -1 },
		{ "", -1 },
		{ "/", -1 },
		{ "%", -1 },
	};
	static const char *const pluses[] = { "MPv+", "MPv%2B", "MPv%2b", "MPv ", "MPv%20" };
	static const uint8_t plus[] = { 0x30, 0xfb, 0xfe };
	struct buf out = { 0 };
	char *big;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		buf_reset(&out);
		CHECK_ROW(cases[i].text, route_ocsp_decode(cases[i].text, &out) == cases[i].rc);
		if (cases[i].rc == 0)
			CHECK_MEM(out.data, out.len, want, sizeof(want));
	}
	for (size_t i = 0; i < ARRAY_LEN(pluses); i++) {
		buf_reset(&out);
		CHECK_ROW(pluses[i], route_ocsp_decode(pluses[i], &out) == 0);
		CHECK_MEM(out.data, out.len, plus, sizeof(plus));
	}
	big = mem_alloc(OCSP_REQUEST_MAX / 3 * 4 + 16);
	memset(big, 'M', OCSP_REQUEST_MAX / 3 * 4 + 8);
	buf_reset(&out);
	CHECK(route_ocsp_decode(big, &out) == -1);
	free(big);
	buf_free(&out);
}

/* ---- answers ---- */

static struct world *world;
static struct httpd *httpd;
static struct route_ctx ctx;

static void
front_new(void)
{
	struct respond_conf conf;
	struct responder *responder = NULL;

	world = world_new();
	httpd = httpd_new(&world->home);
	conf = world_conf(world);
	WORLD_MUST(responder_new(&conf, world->read, &responder, why));
	atomic_store(&httpd->responder, responder);
	ctx = (struct route_ctx){ .httpd = httpd, .store = world->read };
}

static void
front_free(void)
{
	httpd_free(httpd);
	world_free(world);
}

/* Ask as a peer on this machine would, body borrowed. */
static void
front_ask(enum http_method method, const char *path, const struct buf *body, const char *match,
    struct http_response *response)
{
	struct http_request request = {
		.method = method, .path = path, .if_none_match = match, .loopback = true
	};
	const struct route *route;
	struct respond_job *job;
	const char *rest;

	if (body != NULL)
		request.body = *body;
	http_response_init(response);
	route = route_find(&request, &rest, response);
	if (route == NULL)
		return;
	if (route->begin == NULL) {
		route->fn(&ctx, &request, rest, response);
		return;
	}
	job = route->begin(&ctx, &request, rest, response);
	if (job != NULL)
		route->end(httpd, &request, job, response);
}

static int
ocsp_status_of(const struct http_response *response)
{
	const unsigned char *at = response->body.data;
	OCSP_RESPONSE *r = d2i_OCSP_RESPONSE(NULL, &at, (long)response->body.len);
	int status = r != NULL ? OCSP_response_status(r) : -1;

	OCSP_RESPONSE_free(r);
	return status;
}

static void
check_etag(const struct http_response *response, const void *data, size_t len)
{
	uint8_t digest[SHA256_LEN];
	char hex[2 * SHA256_LEN + 1], quoted[sizeof(hex) + 2];

	require(EVP_Digest(data, len, digest, NULL, EVP_sha256(), NULL) == 1);
	hex_encode(digest, sizeof(digest), hex);
	snprintf(quoted, sizeof(quoted), "\"%s\"", hex);
	CHECK_STR(http_header_get(response, "ETag"), quoted);
}

static void
test_ocsp(void)
{
	static const char no_cache[] = "no-cache, no-store, must-revalidate";
	static const char cache[] = "max-age=900, public, no-transform, must-revalidate";
	static const struct {
		const char *name;
		uint64_t serial;
		bool nonce;
		const char *cache;
	} cases[] = {
		{ "good", SERIAL_GOOD, false, cache },
		{ "revoked", SERIAL_REVOKED, false, cache },
		{ "never issued", SERIAL_NEVER, false, no_cache },
		{ "nonce", SERIAL_GOOD, true, no_cache },
	};
	struct buf request = { 0 }, path = { 0 };
	struct http_response response;

	front_new();
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		OCSP_REQUEST *r = OCSP_REQUEST_new();

		world_ask(r, EVP_sha256(), world->issuing, cases[i].serial);
		if (cases[i].nonce)
			OCSP_request_add1_nonce(r, NULL, 32);
		world_encode(r, &request);
		buf_reset(&path);
		buf_add_str(&path, "/ocsp/");
		base64_encode(request.data, request.len, 0, &path);
		for (int get = 0; get < 2; get++) {
			front_ask(get ? HTTP_GET : HTTP_POST, get ? buf_text(&path) : "/ocsp",
			    get ? NULL : &request, NULL, &response);
			CHECK_ROW(cases[i].name, response.status == 200);
			CHECK_ROW(cases[i].name, ocsp_status_of(&response) == 0);
			CHECK_STR(http_header_get(&response, "Content-Type"),
			    "application/ocsp-response");
			CHECK_STR(http_header_get(&response, "Cache-Control"), cases[i].cache);
			if (cases[i].cache == cache)
				check_etag(&response, response.body.data, response.body.len);
			else
				CHECK(http_header_get(&response, "ETag") == NULL);
			http_response_free(&response);
		}
		front_ask(HTTP_GET, buf_text(&path), NULL, "*", &response);
		CHECK_ROW(cases[i].name, response.status == (cases[i].cache == cache ? 304 : 200));
		http_response_free(&response);
	}
	buf_free(&request);
	buf_free(&path);
	front_free();
}

static void
test_ocsp_errors(void)
{
	struct buf body = { 0 };
	struct http_response response;

	front_new();
	front_ask(HTTP_GET, "/ocsp/", NULL, NULL, &response);
	CHECK(response.status == 200 && ocsp_status_of(&response) == 1);
	CHECK_STR(
	    http_header_get(&response, "Cache-Control"), "no-cache, no-store, must-revalidate");
	http_response_free(&response);
	front_ask(HTTP_GET, "/ocsp/MEow", NULL, NULL, &response);
	CHECK(response.status == 200 && ocsp_status_of(&response) == 1);
	http_response_free(&response);
	front_ask(HTTP_POST, "/ocsp", &body, NULL, &response);
	CHECK(response.status == 200 && ocsp_status_of(&response) == 1);
	http_response_free(&response);
	buf_add_str(&body, "hello");
	front_ask(HTTP_POST, "/ocsp", &body, NULL, &response);
	CHECK(response.status == 200 && ocsp_status_of(&response) == 1);
	http_response_free(&response);

	/* Without a database and without a token: try later. */
	ctx.store = NULL;
	front_ask(HTTP_POST, "/ocsp", &body, NULL, &response);
	CHECK(response.status == 200 && ocsp_status_of(&response) == 3);
	http_response_free(&response);
	ctx.store = world->read;
	responder_free(atomic_exchange(&httpd->responder, NULL));
	front_ask(HTTP_POST, "/ocsp", &body, NULL, &response);
	CHECK(response.status == 200 && ocsp_status_of(&response) == 3);
	http_response_free(&response);
	buf_free(&body);
	front_free();
}

/* ---- files ---- */

/* Record list number of issuing with these octets, its file under name + suffix ("-" = none). */
static void
crl_add(const char *text, const char *suffix, long next, int64_t size_off)
{
	struct store_actor actor = world_actor();
	struct store_crl crl = { .ca = world->issuing_id };
	char name[CRL_FILE_MAX], path[512];
	bool fatal;
	time_t time;

	WORLD_MUST(store_event_newest(world->write, &crl.event, &time, why));
	WORLD_MUST(store_begin(world->write, why));
	WORLD_MUST(store_crl_take(world->write, crl.ca, actor.now, &crl.number, why));
	crl.this_update = actor.now;
	crl.next_update = actor.now + next;
	crl.size = (int64_t)strlen(text) + size_off;
	require(EVP_Digest(text, strlen(text), crl.sha256, NULL, EVP_sha256(), NULL) == 1);
	WORLD_MUST(store_crl_finish(world->write, &actor, &crl, why));
	WORLD_MUST(store_commit(world->write, &fatal, why));
	if (strcmp(suffix, "-") == 0)
		return;
	crlgen_file("issuing", crl.number, name);
	snprintf(path, sizeof(path), "%s/" HOME_CRL "/%s%s", world->dir, name, suffix);
	WORLD_MUST(file_write(path, text, strlen(text), 0644, why));
}

/* 1 when the answer is a file of these octets. */
static int
response_holds(const struct http_response *response, const char *text)
{
	char got[64] = "";
	ssize_t n = response->fd >= 0 ? read(response->fd, got, sizeof(got) - 1) : -1;

	return n == (ssize_t)strlen(text) && strcmp(got, text) == 0 &&
	       response->size == (uint64_t)n && response->body.len == 0;
}

static void
test_crl(void)
{
	struct http_response response;
	char path[256], etag[80];

	front_new();
	snprintf(path, sizeof(path), "%s/" HOME_CRL, world->dir);
	WORLD_MUST(file_make_dir(path, 0700, why));

	front_ask(HTTP_GET, "/crl/issuing.crl", NULL, NULL, &response);
	CU_ASSERT_EQUAL(response.status, 503);
	http_response_free(&response);

	crl_add("first", "", 3600, 0);
	front_ask(HTTP_GET, "/crl/issuing.crl", NULL, NULL, &response);
	CU_ASSERT_EQUAL(response.status, 200);
	CHECK(response_holds(&response, "first"));
	CHECK_STR(http_header_get(&response, "Content-Type"), "application/pkix-crl");
	CHECK_STR(http_header_get(&response, "Cache-Control"),
	    "max-age=900, public, no-transform, must-revalidate");
	check_etag(&response, "first", 5);
	snprintf(etag, sizeof(etag), "%s", http_header_get(&response, "ETag"));
	http_response_free(&response);

	front_ask(HTTP_GET, "/crl/issuing.crl", NULL, etag, &response);
	CU_ASSERT_EQUAL(response.status, 304);
	CHECK_STR(http_header_get(&response, "ETag"), etag);
	http_response_free(&response);

	/* Recorded and not renamed yet: served already, the old one never again. */
	crl_add("second", ".new", 60, 0);
	front_ask(HTTP_GET, "/crl/issuing.crl", NULL, etag, &response);
	CU_ASSERT_EQUAL(response.status, 200);
	CHECK(response_holds(&response, "second"));
	http_response_free(&response);

	crl_add("third", "-", 60, 0);
	front_ask(HTTP_GET, "/crl/issuing.crl", NULL, NULL, &response);
	CU_ASSERT_EQUAL(response.status, 503);
	CHECK(strstr(buf_text(&response.body), world->dir) == NULL);
	http_response_free(&response);

	crl_add("fourth", "", 60, 1);
	front_ask(HTTP_GET, "/crl/issuing.crl", NULL, NULL, &response);
	CU_ASSERT_EQUAL(response.status, 503);
	http_response_free(&response);
	front_free();
}

static void
test_files(void)
{
	static const struct {
		const char *path;
		int status;
	} cases[] = {
		{ "/crl/nobody.crl", 404 },
		{ "/crl/issuing.pem", 404 },
		{ "/crl/issuing", 404 },
		{ "/crl/.crl", 404 },
		{ "/crl/", 404 },
		{ "/crl/../db/smki.db", 404 },
		{ "/crl/issuing.crl/", 404 },
		{ "/ca/issuing.crl", 404 },
		{ "/ca/nobody.cer", 404 },
		{ "/ca/issuing.cer", 200 },
		{ "/ca/root.cer", 200 },
	};
	unsigned char *der = NULL;
	struct http_response response;
	int len;

	front_new();
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		front_ask(HTTP_GET, cases[i].path, NULL, NULL, &response);
		CHECK_ROW(cases[i].path, response.status == cases[i].status);
		http_response_free(&response);
	}
	len = i2d_X509(world->issuing, &der);
	require(len > 0);
	front_ask(HTTP_GET, "/ca/issuing.cer", NULL, NULL, &response);
	CHECK_MEM(response.body.data, response.body.len, der, (size_t)len);
	CHECK_STR(http_header_get(&response, "Content-Type"), "application/pkix-cert");
	check_etag(&response, der, (size_t)len);
	http_response_free(&response);
	front_ask(HTTP_GET, "/ca/issuing.cer", NULL, "*", &response);
	CHECK(response.status == 304);
	http_response_free(&response);

	ctx.store = NULL;
	front_ask(HTTP_GET, "/ca/issuing.cer", NULL, NULL, &response);
	CU_ASSERT_EQUAL(response.status, 503);
	http_response_free(&response);
	OPENSSL_free(der);
	front_free();
}

static void
test_health(void)
{
	static const struct err away = { .code = FAIL_UNAVAILABLE, .msg = "/secret/path" };
	struct http_request stranger = { .method = HTTP_GET, .path = "/metrics" };
	struct http_response response;

	front_new();
	front_ask(HTTP_GET, "/health", NULL, NULL, &response);
	CHECK(response.status == 200);
	CHECK_STR(buf_text(&response.body),
	    "{\"status\":\"ok\",\"database\":\"ok\",\"clock\":\"ok\",\"token\":\"ok\","
	    "\"responder\":\"ok\",\"smkid\":\"ok\",\"reasons\":[]}\n");
	http_response_free(&response);

	httpd_set_part(httpd, PART_SMKID, false, &away);
	front_ask(HTTP_GET, "/health", NULL, NULL, &response);
	CHECK(response.status == 200);
	CHECK(strstr(buf_text(&response.body), "\"status\":\"degraded\"") != NULL);
	http_response_free(&response);

	httpd_set_part(httpd, PART_TOKEN, false, &away);
	front_ask(HTTP_GET, "/health", NULL, NULL, &response);
	CHECK(response.status == 503);
	CHECK(strstr(buf_text(&response.body), "\"status\":\"failing\"") != NULL);
	CHECK(strstr(buf_text(&response.body), "\"token\":\"failing\"") != NULL);
	CHECK(strstr(buf_text(&response.body), "secret") == NULL);
	http_response_free(&response);

	httpd_count_code(httpd, 200);
	httpd_count_code(httpd, 418);
	front_ask(HTTP_GET, "/metrics", NULL, NULL, &response);
	CHECK(response.status == 200);
	CHECK(strstr(buf_text(&response.body), "\nsmki_http_responses_total{code=\"200\"} 1\n") !=
	      NULL);
	CHECK(strstr(buf_text(&response.body), "\nsmki_http_responses_total{code=\"other\"} 1\n") !=
	      NULL);
	CHECK(strstr(buf_text(&response.body), "\nsmki_part_ok{part=\"token\"} 0\n") != NULL);
	http_response_free(&response);

	route_metrics(&ctx, &stranger, "", &response);
	CHECK(response.status == 403);
	http_response_free(&response);
	front_free();
}

static const struct test_case cases[] = {
	{ "which route", test_find },
	{ "routes of TLS", test_find_tls },
	{ "base64 in a path", test_decode },
	{ "OCSP answers", test_ocsp },
	{ "OCSP errors", test_ocsp_errors },
	{ "CRLs", test_crl },
	{ "files", test_files },
	{ "health and metrics", test_health },
};

TEST_MAIN("route", cases)
