/*
 * OCSP out of the cache, as the listener's own threads answer it: when an answer is everybody's, and
 * that none outlives a change.
 */
#include "http_header.h"
#include "httpd.h"
#include "ocsp_world.h"
#include "route.h"

static struct world *world;
static struct httpd *httpd;

/* Asked in the listener's thread, on a connection that goes on. */
static bool
cache_ask(const struct buf *body, const char *match, bool last, struct http_response *response)
{
	struct http_request request = { .method = HTTP_POST,
		.path = "/ocsp",
		.body = *body,
		.if_none_match = match,
		.last = last };
	const struct route *route;
	const char *rest;

	http_response_init(response);
	route = route_find(&request, &rest, response);
	return route->fast(httpd, &request, rest, response);
}

/* As a worker does it. */
static void
cache_make(const struct buf *body, struct http_response *response)
{
	struct http_request request = { .method = HTTP_POST, .path = "/ocsp", .body = *body };
	struct route_ctx ctx = { .httpd = httpd, .store = world->read };
	struct respond_job *job;

	http_response_init(response);
	job = route_ocsp_post(&ctx, &request, "", response);
	if (job != NULL)
		route_ocsp_end(httpd, &request, job, response);
}

static void
cache_ended(void *ready)
{
	(*(unsigned *)ready)++;
}

/* Past half of its life an entry is made anew by the first who meets it, a worker as well: one that
 * passed it over would leave it to its end. */
static void
cache_old(const struct buf *body, struct statusmark mark)
{
	struct ocspcache_entry old = { .status = OCSP_GOOD, .len = 1 };
	struct http_response response;
	struct ocsp_request asked;

	require(ocsp_request_parse(body->data, body->len, &asked, NULL) == 0);
	old.produced_at = clock_now() - 3600;
	old.next_update = clock_now() + 1800;
	ocspcache_put(httpd->cache, &mark, &asked.id[0], &old);
	cache_make(body, &response);
	CHECK(response.kept == NULL && response.body.len > 1);
	http_response_free(&response);
	CHECK(cache_ask(body, NULL, false, &response));
	CHECK(response.kept != NULL && response.kept->entry.len > 1);
	http_response_free(&response);
}

/* Out of the cache: with a form that others are sent as well only where nothing depends on who
 * asks, and never after a change. */
static void
test_ocsp_cached(void)
{
	struct buf request = { 0 };
	struct http_response made, response;
	struct statuspage *page = NULL, *seen = NULL;
	char path[512];
	unsigned ended = 0;
	int64_t newest;
	OCSP_REQUEST *r;
	struct respond_conf conf;
	struct responder *responder = NULL;

	world = world_new();
	world->home.ocsp_cache = 1;
	httpd = httpd_new(&world->home);
	conf = world_conf(world);
	WORLD_MUST(responder_new(&conf, world->read, &responder, why));
	atomic_store(&httpd->responder, responder);
	snprintf(path, sizeof(path), "%s/page", world->dir);
	WORLD_MUST(store_changed_newest(world->read, &newest, why));
	WORLD_MUST(statuspage_make(path, 1, (uint64_t)newest, &page, why));
	WORLD_MUST(statuspage_open(path, &seen, why));
	atomic_store(&httpd->page, seen);
	r = OCSP_REQUEST_new();
	world_ask(r, EVP_sha256(), world->issuing, SERIAL_GOOD);
	world_encode(r, &request);
	CHECK(!cache_ask(&request, NULL, false, &response));
	cache_make(&request, &made);
	CHECK(made.status == 200 && made.kept == NULL);

	/* The first makes the ready form, the next needs nothing else. */
	CHECK(cache_ask(&request, NULL, false, &response));
	require(response.kept != NULL);
	CHECK(response.status == 200 && response.n == made.n && response.body.len == 0);
	for (size_t i = 0; i < made.n; i++)
		CHECK_STR(http_header_get(&response, made.header[i].name), made.header[i].value);
	CHECK_MEM(
	    response.kept->entry.response, response.kept->entry.len, made.body.data, made.body.len);
	CHECK(ocspcache_ready(response.kept, &ended, cache_ended));
	http_response_free(&response);
	CHECK(cache_ask(&request, NULL, false, &response));
	CHECK(response.status == 200 && response.kept != NULL && response.n == 0);
	http_response_free(&response);

	/* The last answer of a connection, and one with a validator (it is a POST), are their own. */
	for (int i = 0; i < 2; i++) {
		CHECK(cache_ask(&request, i == 0 ? "*" : NULL, i == 1, &response));
		CHECK(response.status == 200 && response.kept == NULL && response.n == made.n);
		CHECK_MEM(response.body.data, response.body.len, made.body.data, made.body.len);
		http_response_free(&response);
	}
	cache_old(&request, statuspage_get(page));
	statuspage_bump(page, (uint64_t)newest + 1);
	CHECK(!cache_ask(&request, NULL, false, &response));
	CHECK(ended == 1);
	http_response_free(&made);
	buf_free(&request);
	httpd_free(httpd);
	statuspage_close(page);
	world_free(world);
}

static const struct test_case cases[] = {
	{ "ready forms", test_ocsp_cached },
};

TEST_MAIN("route_cache", cases)
