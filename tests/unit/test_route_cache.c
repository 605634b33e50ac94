/*
 * OCSP out of the cache, as the listener's own threads answer it: when an answer is everybody's, and
 * that none outlives a change, of the certificate or of who signs.
 */
#include "http_header.h"
#include "httpd.h"
#include "ocsp_world.h"
#include "workers.h"

/* How long a worker may take. */
#define DEADLINE_MS 20000

static struct world *world;
static struct httpd *httpd;
static struct responder *responder;
static struct statuspage *page;	      /* as smkid writes it */
static uint64_t generation;	      /* that the page began with */
static struct buf good, hold, second; /* requests, by serial */

static void
cache_request(X509 *ca, uint64_t serial, struct buf *out)
{
	OCSP_REQUEST *request = OCSP_REQUEST_new();

	world_ask(request, EVP_sha256(), ca, serial);
	world_encode(request, out);
}

static void (*meanwhile)(void); /* called once, while something is signed; NULL = nothing */

static int
cache_sign(void *ctx, const uint8_t *digest, size_t len, uint8_t *rs, struct err *err)
{
	void (*call)(void) = meanwhile;

	meanwhile = NULL;
	if (call != NULL)
		call();
	return world_sign(ctx, digest, len, rs, err);
}

static void
cache_begin(void)
{
	struct statuspage *seen = NULL;
	struct respond_conf conf;
	char path[512];
	int64_t newest;

	world = world_new();
	world->home.ocsp_cache = 1;
	httpd = httpd_new(&world->home);
	conf = world_conf(world);
	conf.cache = httpd->cache;
	conf.signer.sign = cache_sign;
	WORLD_MUST(responder_new(&conf, world->read, &responder, why));
	atomic_store(&httpd->responder, responder);
	snprintf(path, sizeof(path), "%s/page", world->dir);
	WORLD_MUST(store_changed_newest(world->read, &newest, why));
	generation = (uint64_t)newest;
	WORLD_MUST(statuspage_make(path, 1, generation, &page, why));
	WORLD_MUST(statuspage_open(path, &seen, why));
	atomic_store(&httpd->page, seen);
	cache_request(world->issuing, SERIAL_GOOD, &good);
	cache_request(world->issuing, SERIAL_HOLD, &hold);
	cache_request(world->second, SERIAL_SECOND, &second);
}

static void
cache_end(void)
{
	buf_free(&good);
	buf_free(&hold);
	buf_free(&second);
	httpd_free(httpd);
	statuspage_close(page);
	world_free(world);
}

/* Asked in the listener's thread, on a connection that goes on. *renew: it is put off to renew. */
static bool
cache_ask_renew(const struct buf *body, const char *match, bool last,
    struct http_response *response, bool *renew)
{
	struct http_request request = { .method = HTTP_POST,
		.path = "/ocsp",
		.body = *body,
		.if_none_match = match,
		.last = last };
	const struct route *route;
	const char *rest;
	bool answered;

	http_response_init(response);
	route = route_find(&request, &rest, response);
	answered = route->fast(httpd, &request, rest, response);
	*renew = request.renew;
	return answered;
}

static bool
cache_ask(const struct buf *body, const char *match, bool last, struct http_response *response)
{
	bool renew;

	return cache_ask_renew(body, match, last, response, &renew);
}

/* As a worker does it; renew: put off to renew. store NULL = the database is away. */
static void
cache_work(const struct buf *body, bool renew, struct store *store, struct http_response *response)
{
	struct http_request request = {
		.method = HTTP_POST, .path = "/ocsp", .body = *body, .renew = renew
	};
	struct route_ctx ctx = { .httpd = httpd, .store = store };
	struct respond_job *job;

	http_response_init(response);
	job = route_ocsp_post(&ctx, &request, "", response);
	if (job != NULL)
		route_ocsp_end(httpd, &request, job, response);
}

static void
cache_make(const struct buf *body, struct http_response *response)
{
	cache_work(body, false, world->read, response);
}

/* Whether the listener's thread answers at once; the answer is forgotten. */
static bool
cache_has(const struct buf *body)
{
	struct http_response response;
	bool has = cache_ask(body, NULL, false, &response);

	http_response_free(&response);
	return has;
}

static void
cache_fill(const struct buf *body)
{
	struct http_response response;

	cache_make(body, &response);
	http_response_free(&response);
	CHECK(cache_has(body));
}

static void
cache_ended(void *ready)
{
	(*(unsigned *)ready)++;
}

/* In the place of what is kept for this request: an answer of one octet, from..to seconds after
 * now, signed as what it replaces. */
static void
cache_put(const struct buf *body, long from, long to)
{
	struct ocspcache_entry e = { .status = OCSP_GOOD, .len = 1 };
	struct statusmark mark = statuspage_get(page);
	struct ocspcache_kept *kept;
	struct ocsp_request asked;
	bool refresh;

	cache_fill(body);
	require(ocsp_request_parse(body->data, body->len, &asked, NULL) == 0);
	kept = ocspcache_get(httpd->cache, &mark, &asked.id[0], clock_now(), &refresh);
	require(kept != NULL);
	e.ca = kept->entry.ca;
	e.signer = kept->entry.signer;
	e.flushes = ocspcache_flushes(httpd->cache);
	ocspcache_drop(kept);
	e.produced_at = clock_now() + from;
	e.next_update = clock_now() + to;
	ocspcache_put(httpd->cache, &mark, &asked.id[0], &e);
}

/* Whether an answer is the one that cache_put kept. */
static bool
cache_is_put(const struct http_response *response)
{
	return response->status == 200 &&
	       (response->kept != NULL ? response->kept->entry.len : response->body.len) == 1;
}

static bool
cache_try_later(const struct http_response *response)
{
	return response->status == 200 && response->kept == NULL && response->body.len == 5 &&
	       response->body.data[4] == 3;
}

/* Out of the cache: with a form that others are sent as well only where nothing depends on who
 * asks, and never after a change. */
static void
test_ocsp_cached(void)
{
	struct http_response made, response;
	unsigned ended = 0;

	cache_begin();
	CHECK(!cache_ask(&good, NULL, false, &response));
	cache_make(&good, &made);
	CHECK(made.status == 200 && made.kept == NULL);

	/* The first makes the ready form, the next needs nothing else. */
	CHECK(cache_ask(&good, NULL, false, &response));
	require(response.kept != NULL);
	CHECK(response.status == 200 && response.n == made.n && response.body.len == 0);
	for (size_t i = 0; i < made.n; i++)
		CHECK_STR(http_header_get(&response, made.header[i].name), made.header[i].value);
	CHECK_MEM(
	    response.kept->entry.response, response.kept->entry.len, made.body.data, made.body.len);
	CHECK(ocspcache_ready(response.kept, &ended, cache_ended));
	http_response_free(&response);
	CHECK(cache_ask(&good, NULL, false, &response));
	CHECK(response.status == 200 && response.kept != NULL && response.n == 0);
	http_response_free(&response);

	/* The last answer of a connection, and one with a validator (it is a POST), are their own. */
	for (int i = 0; i < 2; i++) {
		CHECK(cache_ask(&good, i == 0 ? "*" : NULL, i == 1, &response));
		CHECK(response.status == 200 && response.kept == NULL && response.n == made.n);
		CHECK_MEM(response.body.data, response.body.len, made.body.data, made.body.len);
		http_response_free(&response);
	}
	statuspage_bump(page, generation + 1);
	CHECK(!cache_ask(&good, NULL, false, &response));
	/* The change was another's. */
	cache_make(&good, &response);
	CHECK(response.kept != NULL && response.n == 0);
	http_response_free(&response);
	http_response_free(&made);
	CHECK(ended == 0);
	cache_end();
	CHECK(ended == 1);
}

/* Past half of its life an entry is made anew by the first who meets it, a worker as well. */
static void
test_ocsp_renewed(void)
{
	struct http_response response;
	bool renew;

	cache_begin();
	cache_put(&good, -3600, 1800);
	cache_make(&good, &response);
	CHECK(response.kept == NULL && response.body.len > 5);
	http_response_free(&response);
	cache_put(&good, -3600, 1800);
	CHECK(!cache_ask_renew(&good, NULL, false, &response, &renew) && renew);
	CHECK(cache_ask_renew(&good, NULL, false, &response, &renew) && !renew);
	CHECK(cache_is_put(&response));
	http_response_free(&response);
	cache_work(&good, true, world->read, &response);
	CHECK(response.kept == NULL && response.body.len > 5);
	http_response_free(&response);
	CHECK(cache_ask(&good, NULL, false, &response));
	CHECK(response.kept != NULL && response.kept->entry.len > 5);
	http_response_free(&response);
	cache_end();
}

static void
cache_reactivate(void)
{
	int64_t newest;

	world_change(world, world->held, CERT_VALID, REASON_UNSPECIFIED);
	WORLD_MUST(store_changed_newest(world->read, &newest, why));
	statuspage_bump(page, (uint64_t)newest);
}

static void
cache_replace(void)
{
	world_responder(world, world->issuing_id, world->ocsp_key, -3600, 15 * WORLD_DAY);
	WORLD_MUST(responder_reload(responder, world->read, why));
}

/* What happens while the signature is waited for that does not come: another certificate's change
 * takes nothing away; its own does, and so does another responder. */
static void
test_ocsp_meanwhile(void)
{
	struct http_response response;

	cache_begin();
	cache_put(&good, -3600, 1800);
	world->denied = true;
	meanwhile = cache_reactivate;
	cache_work(&good, true, world->read, &response);
	CHECK(meanwhile == NULL && cache_is_put(&response));
	http_response_free(&response);
	world_change(world, world->held, CERT_HOLD, REASON_CERTIFICATE_HOLD);
	world->denied = false;
	cache_put(&hold, -3600, 1800);
	world->denied = true;
	meanwhile = cache_reactivate;
	cache_work(&hold, true, world->read, &response);
	CHECK(meanwhile == NULL && cache_try_later(&response));
	http_response_free(&response);
	meanwhile = cache_replace;
	cache_work(&good, true, world->read, &response);
	CHECK(meanwhile == NULL && cache_try_later(&response));
	http_response_free(&response);
	/* The same with a signature, which is of the responder before: sent, and not kept. */
	world->denied = false;
	cache_fill(&good);
	cache_put(&good, -3600, 1800);
	meanwhile = cache_replace;
	cache_work(&good, true, world->read, &response);
	CHECK(meanwhile == NULL && response.kept == NULL && response.body.len > 5);
	http_response_free(&response);
	CHECK(!cache_has(&good));
	cache_end();
}

/* Where an entry cannot be made anew it is sent until it ends or a change makes it untrue. */
static void
test_ocsp_not_renewed(void)
{
	struct http_response response;
	bool renew;

	cache_begin();
	cache_put(&good, -3600, 1800);
	cache_put(&second, -3600, 60);
	world->denied = true;
	CHECK(!cache_ask_renew(&good, NULL, false, &response, &renew) && renew);
	cache_work(&good, true, world->read, &response);
	CHECK(cache_is_put(&response) && response.kept != NULL);
	http_response_free(&response);
	/* ... also when it is not everybody's answer: HTTP caches are told less. */
	cache_work(&second, true, world->read, &response);
	CHECK(cache_is_put(&response) && response.kept == NULL);
	http_response_free(&response);
	CHECK(cache_ask_renew(&good, "*", false, &response, &renew) && !renew);
	CHECK(cache_is_put(&response) && response.kept == NULL);
	CHECK(http_header_get(&response, "ETag") != NULL);
	http_response_free(&response);
	/* Another certificate's change is followed on the way. */
	statuspage_bump(page, generation + 1);
	cache_work(&good, true, world->read, &response);
	CHECK(cache_is_put(&response));
	http_response_free(&response);
	/* The database is away. */
	cache_work(&good, true, NULL, &response);
	CHECK(cache_is_put(&response));
	http_response_free(&response);
	statuspage_bump(page, generation + 2);
	cache_work(&good, true, NULL, &response);
	CHECK(cache_try_later(&response));
	http_response_free(&response);
	world->denied = false;

	/* It has ended; what was never kept. */
	cache_put(&good, -3600, 0);
	world->denied = true;
	cache_work(&good, true, world->read, &response);
	CHECK(cache_try_later(&response));
	http_response_free(&response);
	cache_work(&hold, false, world->read, &response);
	CHECK(cache_try_later(&response));
	http_response_free(&response);
	cache_end();
}

struct waited {
	struct work work;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool done;
};

static void
waited_done(struct work *work)
{
	struct waited *w = (struct waited *)work;

	pthread_mutex_lock(&w->lock);
	w->done = true;
	pthread_cond_signal(&w->changed);
	pthread_mutex_unlock(&w->lock);
}

/* One that waited too long for a worker: 503, unless it was only to renew. */
static void
test_ocsp_late(void)
{
	struct timespec until = clock_mono_after(DEADLINE_MS);
	struct workers *workers;

	cache_begin();
	cache_put(&good, -3600, 1800);
	strcpy(httpd->home.dir, world->dir);
	workers = workers_new(httpd, NULL, 1, 1);
	for (int i = 0; i < 2; i++) {
		struct waited w = { .work = { .done = waited_done, .deadline_ms = -1 } };
		struct work *work = &w.work;

		pthread_mutex_init(&w.lock, NULL);
		clock_cond_init(&w.changed);
		http_response_init(&work->response);
		work->request.method = HTTP_POST;
		work->request.path = "/ocsp";
		work->request.body = i == 0 ? good : second;
		work->route = route_find(&work->request, &work->rest, &work->response);
		CHECK(!work->route->fast(httpd, &work->request, work->rest, &work->response));
		CHECK(work->request.renew == (i == 0));
		require(workers_put(workers, work) == 0);
		pthread_mutex_lock(&w.lock);
		while (!w.done)
			require(pthread_cond_timedwait(&w.changed, &w.lock, &until) == 0);
		pthread_mutex_unlock(&w.lock);
		CHECK(i == 0 ? cache_is_put(&work->response) : work->response.status == 503);
		http_response_free(&work->response);
		pthread_cond_destroy(&w.changed);
		pthread_mutex_destroy(&w.lock);
	}
	CHECK(workers_stop(workers, DEADLINE_MS) == 0);
	workers_free(workers);
	cache_end();
}

/* Another responder certificate: what was signed with the one before is sent no more, that of
 * other CAs is. */
static void
test_ocsp_responder(void)
{
	struct http_response before, after;
	int64_t id;

	cache_begin();
	cache_fill(&good);
	cache_fill(&second);
	cache_make(&good, &before);
	WORLD_MUST(responder_reload(responder, world->read, why));
	CHECK(cache_has(&good) && cache_has(&second)); /* the same one */
	id = world_responder(world, world->issuing_id, world->ocsp_key, -3600, 15 * WORLD_DAY);
	CHECK(cache_has(&good)); /* not taken up yet */
	WORLD_MUST(responder_reload(responder, world->read, why));
	CHECK(!cache_has(&good));
	CHECK(cache_has(&second));
	/* No signature: no answer, rather than an old one. */
	world->denied = true;
	cache_make(&good, &after);
	CHECK(cache_try_later(&after));
	http_response_free(&after);
	world->denied = false;
	cache_make(&good, &after);
	CHECK(after.body.len > 5 && !span_eq(buf_span(&before.body), buf_span(&after.body)));
	http_response_free(&after);
	http_response_free(&before);
	CHECK(cache_has(&good));
	/* Taken out of service, and reinstated. */
	world_change(world, id, CERT_HOLD, REASON_CERTIFICATE_HOLD);
	WORLD_MUST(responder_reload(responder, world->read, why));
	CHECK(!cache_has(&good));
	world_change(world, id, CERT_VALID, REASON_UNSPECIFIED);
	WORLD_MUST(responder_reload(responder, world->read, why));
	CHECK(!cache_has(&good));
	cache_fill(&good);
	CHECK(cache_has(&second));
	cache_end();
}

static const struct test_case cases[] = {
	{ "ready forms", test_ocsp_cached },
	{ "made anew", test_ocsp_renewed },
	{ "not made anew", test_ocsp_not_renewed },
	{ "changes meanwhile", test_ocsp_meanwhile },
	{ "waited too long", test_ocsp_late },
	{ "another responder", test_ocsp_responder },
};

TEST_MAIN("route_cache", cases)
