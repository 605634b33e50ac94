/*
 * OCSP over HTTP (RFC 6960 appendix A, RFC 9919 6 and 7): request octets out of a path or a body,
 * cache headers around the response. What is answered is service/respond's decision.
 */
#include <openssl/evp.h>
#include <string.h>

#include "route.h"
#include "smki/clock.h"
#include "smki/hex.h"
#include "smki/mem.h"

static int
route_hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Percent signs undone (RFC 3986 2.1). 0 or -1. */
static int
route_unescape(const char *text, struct buf *out)
{
	int high, low;

	for (const char *p = text, *run = p; *p != '\0'; p = run) {
		run = strchrnul(p, '%');
		buf_add(out, p, (size_t)(run - p));
		if (*run == '\0')
			break;
		high = route_hex(run[1]);
		low = high < 0 ? -1 : route_hex(run[2]);
		if (low < 0)
			return -1;
		buf_add_u8(out, (uint8_t)(high << 4 | low));
		run += 3;
	}
	return 0;
}

/*
 * What clients and proxies do to base64 in a path, undone: percent signs in either case, '/' and
 * '+' as they are, '+' turned into a space, slashes doubled in front (a request begins with the
 * octet 30, so its base64 never begins with one), padding left out, a line end behind. A slash
 * that somebody removed from the middle cannot be known again.
 */
int
route_ocsp_decode(const char *text, struct buf *out)
{
	struct buf plain = { 0 };
	size_t start = 0;
	int rc = -1;

	buf_reserve(&plain, strlen(text) + 1);
	if (route_unescape(text, &plain) != 0)
		goto out;
	while (start < plain.len && plain.data[start] == '/')
		start++;
	for (uint8_t *p = plain.data;
	     (p = memchr(p, ' ', plain.len - (size_t)(p - plain.data))) != NULL;)
		*p = '+';
	if (plain.len == start)
		goto out;
	rc = base64_decode(
	    (const char *)plain.data + start, plain.len - start, OCSP_REQUEST_MAX, 1, out);
out:
	buf_free(&plain);
	return rc;
}

/* A response that may be kept names itself by its hash (RFC 9919 7.2). */
static void
route_ocsp_cacheable(const struct http_request *request, const uint8_t sha256[SHA256_LEN],
    time_t produced_at, time_t next_update, time_t now, struct http_response *response)
{
	char etag[2 * SHA256_LEN + 1];
	/* not dated: what was signed before and after a change may be of one second */
	struct http_validity v = {
		.etag = etag, .modified = produced_at, .expires = next_update, .now = now
	};

	hex_encode(sha256, SHA256_LEN, etag);
	http_validate(request, &v, response);
}

static void
route_ocsp_head(struct http_response *response)
{
	response->status = HTTP_OK;
	http_header_put(response, "Content-Type", "application/ocsp-response");
}

/* ---- the cache ---- */

/*
 * Whether the answer to these octets may be kept: one certificate, no nonce. Nothing else in a
 * request changes an answer.
 */
static bool
route_ocsp_single(const struct buf *octets, struct ocsp_request *out)
{
	return ocsp_request_parse(octets->data, octets->len, out, NULL) == 0 && out->n == 1 &&
	       out->nonce.p == NULL;
}

/*
 * Whether the answer out of an entry is the same for all who ask: no validator is to be judged,
 * and for so long as the entry lives on HTTP caches are told the most.
 */
static bool
route_ocsp_common(
    const struct http_request *request, const struct ocspcache_entry *entry, time_t now)
{
	return !request->last && request->if_none_match == NULL &&
	       request->if_modified_since == NULL && entry->next_update - now >= HTTP_CACHE_MAX;
}

/* Answer with an entry; kept is the answer's, or dropped. */
static void
route_ocsp_entry(struct httpd *httpd, const struct http_request *request,
    struct ocspcache_kept *kept, time_t now, struct http_response *response)
{
	const struct ocspcache_entry *entry = &kept->entry;
	struct respond_meta meta = { .good = entry->status == OCSP_GOOD,
		.revoked = entry->status == OCSP_REVOKED };
	bool common = route_ocsp_common(request, entry, now);

	httpd_count_ocsp(httpd, &meta);
	response->status = HTTP_OK;
	if (!common || atomic_load(&kept->ready) == NULL) {
		route_ocsp_head(response);
		route_ocsp_cacheable(
		    request, entry->sha256, entry->produced_at, entry->next_update, now, response);
	}
	if (common) {
		response->kept = kept;
	} else {
		buf_add(&response->body, entry->response, entry->len);
		ocspcache_drop(kept);
	}
}

/* An entry to answer with, or NULL: there is none, or *renew became true and it falls to this
 * request to make it anew. Only one is told so at a time; told before, it sends what there is. */
static struct ocspcache_kept *
route_ocsp_look(struct ocspcache *cache, const struct statusmark *mark, const struct ocsp_id *id,
    time_t now, bool *renew)
{
	bool told;
	struct ocspcache_kept *kept = ocspcache_get(cache, mark, id, now, &told);

	if (kept == NULL || !told || *renew)
		return kept;
	*renew = true;
	ocspcache_drop(kept);
	return NULL;
}

static bool
route_ocsp_fast(struct httpd *httpd, struct http_request *request, const struct buf *octets,
    struct http_response *response)
{
	struct statuspage *page = atomic_load(&httpd->page);
	struct ocspcache_kept *kept;
	struct ocsp_request asked;
	struct statusmark mark;
	time_t now = clock_now();

	if (httpd->cache == NULL || page == NULL || !route_ocsp_single(octets, &asked))
		return false;
	request->alone = true;
	mark = statuspage_get(page);
	kept = route_ocsp_look(httpd->cache, &mark, &asked.id[0], now, &request->renew);
	if (kept != NULL)
		route_ocsp_entry(httpd, request, kept, now, response);
	return kept != NULL;
}

bool
route_ocsp_post_fast(struct httpd *httpd, struct http_request *request, const char *rest,
    struct http_response *response)
{
	return request->body.len > 0 && route_ocsp_fast(httpd, request, &request->body, response);
}

bool
route_ocsp_get_fast(struct httpd *httpd, struct http_request *request, const char *rest,
    struct http_response *response)
{
	struct buf *octets = &request->body;

	/* The method takes no body: its room is free. */
	buf_reset(octets);
	return httpd->cache != NULL && route_ocsp_decode(rest, octets) == 0 &&
	       route_ocsp_fast(httpd, request, octets, response);
}

/* ---- the responder ---- */

/* What went wrong is an OCSP error in the body; a stranger's bad request is his own affair. */
static void
route_ocsp_say(struct httpd *httpd, const struct respond_meta *meta, const struct err *err)
{
	if (meta->ocsp_status != 0 && err->code != FAIL_INVALID && err->code != FAIL_DENIED)
		httpd_say(httpd, err);
}

static void
route_ocsp_error(struct respond_meta *meta, enum err_code code, struct http_response *response)
{
	meta->ocsp_status = err_ocsp_status(code);
	ocsp_error_put(&response->body, meta->ocsp_status);
}

/* The headers around the response in the body, once it was decided and signed. */
static void
route_ocsp_done(struct httpd *httpd, const struct http_request *request,
    const struct respond_meta *meta, struct http_response *response)
{
	const struct buf *body = &response->body;
	uint8_t sha256[SHA256_LEN];

	route_ocsp_head(response);
	httpd_count_ocsp(httpd, meta);
	if (meta->ocsp_status != 0 || !meta->cacheable) {
		http_header_set(response, "Cache-Control", "no-cache, no-store, must-revalidate");
		return;
	}
	require(EVP_Digest(body->data, body->len, sha256, NULL, EVP_sha256(), NULL) == 1);
	route_ocsp_cacheable(
	    request, sha256, meta->produced_at, meta->next_update, clock_now(), response);
}

/* Keep a response when it may be kept. mark was taken before its state was read. */
static void
route_ocsp_keep(const struct route_ctx *ctx, const struct ocsp_id *id,
    const struct statusmark *mark, const struct respond_meta *meta, const struct buf *body)
{
	struct ocspcache_entry entry;

	if (meta->ocsp_status != 0 || !meta->cacheable || body->len > sizeof(entry.response))
		return;
	require(EVP_Digest(body->data, body->len, entry.sha256, NULL, EVP_sha256(), NULL) == 1);
	entry.produced_at = meta->produced_at;
	entry.next_update = meta->next_update;
	entry.signer = meta->signer;
	entry.flushes = ctx->flushes;
	entry.ca = meta->ca;
	entry.status = meta->revoked > 0 ? OCSP_REVOKED : OCSP_GOOD;
	entry.len = body->len;
	memcpy(entry.response, body->data, body->len);
	ocspcache_put(ctx->httpd->cache, mark, id, &entry);
}

/*
 * Where no answer can be made the one that is kept is sent until it ends: what was wanted was only
 * a newer one. What a change made untrue is not found. False: there is none.
 */
static bool
route_ocsp_still(struct route_ctx *ctx, const struct http_request *request,
    const struct ocsp_id *id, struct http_response *response)
{
	struct httpd *httpd = ctx->httpd;
	struct statuspage *page = atomic_load(&httpd->page);
	struct ocspcache_kept *kept;
	struct statusmark mark;
	bool renew = true;
	struct err err;

	if (page == NULL)
		return false;
	mark = statuspage_get(page);
	if (ctx->store != NULL &&
	    ocspcache_follow(httpd->cache, &mark, ctx->store, ctx->flushes, &err) != 0)
		return false;
	kept = route_ocsp_look(httpd->cache, &mark, id, clock_now(), &renew);
	if (kept == NULL)
		return false;
	buf_reset(&response->body);
	route_ocsp_entry(httpd, request, kept, clock_now(), response);
	return true;
}

/*
 * Out of the cache after all, when another request signed for it meanwhile; else this one signs.
 * The mark is taken before the state is read, each time anew.
 */
static void
route_ocsp_shared(struct route_ctx *ctx, struct responder *responder, struct statuspage *page,
    const struct http_request *request, const struct buf *octets, const struct ocsp_id *id,
    struct http_response *response)
{
	struct httpd *httpd = ctx->httpd;
	struct ocspcache_claim *claim = NULL;
	struct ocspcache_kept *kept;
	struct respond_meta meta;
	struct statusmark mark;
	bool mine = false, followed, renew = request->renew;
	struct err err;

	do {
		mark = statuspage_get(page);
		followed = ocspcache_follow(httpd->cache, &mark, ctx->store, ctx->flushes, &err) ==
			   0;
		if (!followed) {
			httpd_say(httpd, &err);
			break;
		}
		mine = ocspcache_claim(httpd->cache, &mark, id, &claim);
		/* Whoever was waited for has made it anew. */
		renew = renew && mine;
		kept = renew ? NULL : route_ocsp_look(httpd->cache, &mark, id, clock_now(), &renew);
		if (kept != NULL) {
			ocspcache_release(httpd->cache, claim);
			route_ocsp_entry(httpd, request, kept, clock_now(), response);
			return;
		}
	} while (!mine);
	respond(responder, ctx->store, octets->data, octets->len, &response->body, &meta, &err);
	route_ocsp_say(httpd, &meta, &err);
	if (followed)
		route_ocsp_keep(ctx, id, &mark, &meta, &response->body);
	ocspcache_release(httpd->cache, claim);
	if (meta.ocsp_status == 0 || !route_ocsp_still(ctx, request, id, response))
		route_ocsp_done(httpd, request, &meta, response);
}

/* What the cache has no part in is left to be signed; malformed: there is no request. */
static struct respond_job *
route_ocsp_begin(struct route_ctx *ctx, const struct http_request *request,
    const struct buf *octets, bool malformed, struct http_response *response)
{
	struct httpd *httpd = ctx->httpd;
	struct responder *responder = atomic_load(&httpd->responder);
	struct statuspage *page = atomic_load(&httpd->page);
	struct respond_meta meta = { 0 };
	struct ocsp_request asked;
	bool single = !malformed && httpd->cache != NULL && page != NULL &&
		      route_ocsp_single(octets, &asked);

	if (malformed) {
		route_ocsp_error(&meta, FAIL_INVALID, response);
	} else if (responder == NULL || ctx->store == NULL) {
		if (single && route_ocsp_still(ctx, request, &asked.id[0], response))
			return NULL;
		route_ocsp_error(&meta, FAIL_UNAVAILABLE, response);
	} else if (single) {
		route_ocsp_shared(ctx, responder, page, request, octets, &asked.id[0], response);
		return NULL;
	} else {
		return respond_begin(responder, ctx->store, octets->data, octets->len);
	}
	route_ocsp_done(httpd, request, &meta, response);
	return NULL;
}

struct respond_job *
route_ocsp_post(struct route_ctx *ctx, const struct http_request *request, const char *rest,
    struct http_response *response)
{
	return route_ocsp_begin(ctx, request, &request->body, request->body.len == 0, response);
}

struct respond_job *
route_ocsp_get(struct route_ctx *ctx, const struct http_request *request, const char *rest,
    struct http_response *response)
{
	struct buf octets = { 0 };
	bool malformed = route_ocsp_decode(rest, &octets) != 0;
	struct respond_job *job = route_ocsp_begin(ctx, request, &octets, malformed, response);

	buf_free(&octets);
	return job;
}

void
route_ocsp_end(struct httpd *httpd, const struct http_request *request, struct respond_job *job,
    struct http_response *response)
{
	struct respond_meta meta;
	struct err err;

	respond_end(job, &response->body, &meta, &err);
	route_ocsp_say(httpd, &meta, &err);
	route_ocsp_done(httpd, request, &meta, response);
}
