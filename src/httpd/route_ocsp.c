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

	for (const char *p = text; *p != '\0'; p++) {
		if (*p != '%') {
			buf_add_u8(out, (uint8_t)*p);
			continue;
		}
		high = route_hex(p[1]);
		low = high < 0 ? -1 : route_hex(p[2]);
		if (low < 0)
			return -1;
		buf_add_u8(out, (uint8_t)(high << 4 | low));
		p += 2;
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

	if (route_unescape(text, &plain) != 0)
		goto out;
	while (start < plain.len && plain.data[start] == '/')
		start++;
	for (size_t i = start; i < plain.len; i++)
		if (plain.data[i] == ' ')
			plain.data[i] = '+';
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
    time_t produced_at, time_t next_update, struct http_response *response)
{
	char etag[2 * SHA256_LEN + 1];
	struct http_validity v = {
		.etag = etag, .modified = produced_at, .expires = next_update, .now = clock_now()
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

static void
route_ocsp_entry(struct httpd *httpd, const struct http_request *request,
    const struct ocspcache_entry *entry, struct http_response *response)
{
	struct respond_meta meta = { .good = entry->status == OCSP_GOOD,
		.revoked = entry->status == OCSP_REVOKED };

	route_ocsp_head(response);
	buf_add(&response->body, entry->response, entry->len);
	route_ocsp_cacheable(
	    request, entry->sha256, entry->produced_at, entry->next_update, response);
	httpd_count_ocsp(httpd, &meta);
}

static bool
route_ocsp_fast(struct httpd *httpd, struct http_request *request, const struct buf *octets,
    struct http_response *response)
{
	struct statuspage *page = atomic_load(&httpd->page);
	struct ocspcache_entry entry;
	struct ocsp_request asked;
	struct statusmark mark;

	if (httpd->cache == NULL || page == NULL || !route_ocsp_single(octets, &asked))
		return false;
	mark = statuspage_get(page);
	if (!ocspcache_get(
		httpd->cache, &mark, &asked.id[0], clock_now(), &entry, &request->renew) ||
	    request->renew)
		return false;
	route_ocsp_entry(httpd, request, &entry, response);
	return true;
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
	struct buf octets = { 0 };
	bool done = httpd->cache != NULL && route_ocsp_decode(rest, &octets) == 0 &&
		    route_ocsp_fast(httpd, request, &octets, response);

	buf_free(&octets);
	return done;
}

/* ---- the responder ---- */

/* What went wrong is an OCSP error in the body. */
static void
route_ocsp_respond(struct route_ctx *ctx, const struct buf *octets, struct respond_meta *meta,
    struct http_response *response)
{
	struct responder *responder = atomic_load(&ctx->httpd->responder);
	struct err err = { 0 };

	if (responder == NULL || ctx->store == NULL) {
		meta->ocsp_status = err_ocsp_status(FAIL_UNAVAILABLE);
		ocsp_error_put(&response->body, meta->ocsp_status);
		return;
	}
	respond(responder, ctx->store, octets->data, octets->len, &response->body, meta, &err);
	/* A stranger's bad request is his own affair. */
	if (meta->ocsp_status != 0 && err.code != FAIL_INVALID && err.code != FAIL_DENIED)
		httpd_say(ctx->httpd, &err);
}

/* Sign, and keep it when it may be kept. mark was taken before; sha256 gets the response's. */
static void
route_ocsp_make(struct route_ctx *ctx, const struct buf *octets, const struct ocsp_id *id,
    const struct statusmark *mark, struct respond_meta *meta, uint8_t sha256[SHA256_LEN],
    struct http_response *response)
{
	struct ocspcache_entry entry;
	const struct buf *body = &response->body;

	route_ocsp_respond(ctx, octets, meta, response);
	if (meta->ocsp_status != 0 || !meta->cacheable)
		return;
	require(EVP_Digest(body->data, body->len, sha256, NULL, EVP_sha256(), NULL) == 1);
	if (id == NULL || body->len > sizeof(entry.response))
		return;
	entry.produced_at = meta->produced_at;
	entry.next_update = meta->next_update;
	entry.status = meta->revoked > 0 ? OCSP_REVOKED : OCSP_GOOD;
	entry.len = body->len;
	memcpy(entry.sha256, sha256, SHA256_LEN);
	memcpy(entry.response, body->data, body->len);
	ocspcache_put(ctx->httpd->cache, mark, id, &entry);
}

/*
 * Out of the cache after all, when another request signed for it meanwhile: true. Else this one
 * has signed. The mark is taken before the row is read, each time anew.
 */
static bool
route_ocsp_shared(struct route_ctx *ctx, const struct http_request *request,
    const struct buf *octets, const struct ocsp_id *id, struct respond_meta *meta,
    uint8_t sha256[SHA256_LEN], struct http_response *response)
{
	struct ocspcache *cache = ctx->httpd->cache;
	struct statuspage *page = atomic_load(&ctx->httpd->page);
	struct ocspcache_entry entry;
	struct ocspcache_claim *claim;
	struct statusmark mark;
	bool refresh, mine, renew = request->renew;
	struct err err;

	for (;;) {
		mark = statuspage_get(page);
		if (ocspcache_follow(cache, &mark, ctx->store, &err) != 0) {
			httpd_say(ctx->httpd, &err);
			route_ocsp_make(ctx, octets, NULL, &mark, meta, sha256, response);
			return false;
		}
		mine = ocspcache_claim(cache, &mark, id, &claim);
		/* Whoever was waited for has made it anew. */
		renew = renew && mine;
		if (!renew && ocspcache_get(cache, &mark, id, clock_now(), &entry, &refresh)) {
			if (mine)
				ocspcache_release(cache, claim);
			route_ocsp_entry(ctx->httpd, request, &entry, response);
			return true;
		}
		if (mine)
			break;
	}
	route_ocsp_make(ctx, octets, id, &mark, meta, sha256, response);
	ocspcache_release(cache, claim);
	return false;
}

/* malformed: there is no request to be answered. */
static void
route_ocsp_answer(struct route_ctx *ctx, const struct http_request *request,
    const struct buf *octets, bool malformed, struct http_response *response)
{
	struct httpd *httpd = ctx->httpd;
	struct respond_meta meta = { 0 };
	uint8_t sha256[SHA256_LEN];
	struct ocsp_request asked;

	if (!malformed && httpd->cache != NULL && atomic_load(&httpd->page) != NULL &&
	    ctx->store != NULL && route_ocsp_single(octets, &asked)) {
		if (route_ocsp_shared(ctx, request, octets, &asked.id[0], &meta, sha256, response))
			return;
	} else if (!malformed) {
		route_ocsp_make(ctx, octets, NULL, NULL, &meta, sha256, response);
	} else {
		meta.ocsp_status = err_ocsp_status(FAIL_INVALID);
		ocsp_error_put(&response->body, meta.ocsp_status);
	}
	route_ocsp_head(response);
	httpd_count_ocsp(httpd, &meta);
	if (meta.ocsp_status == 0 && meta.cacheable)
		route_ocsp_cacheable(request, sha256, meta.produced_at, meta.next_update, response);
	else
		http_header_set(response, "Cache-Control", "no-cache, no-store, must-revalidate");
}

void
route_ocsp_post(struct route_ctx *ctx, const struct http_request *request, const char *rest,
    struct http_response *response)
{
	route_ocsp_answer(ctx, request, &request->body, request->body.len == 0, response);
}

void
route_ocsp_get(struct route_ctx *ctx, const struct http_request *request, const char *rest,
    struct http_response *response)
{
	struct buf octets = { 0 };
	bool malformed = route_ocsp_decode(rest, &octets) != 0;

	route_ocsp_answer(ctx, request, &octets, malformed, response);
	buf_free(&octets);
}
