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
route_ocsp_cacheable(const struct http_request *request, const struct respond_meta *meta,
    struct http_response *response)
{
	uint8_t digest[SHA256_LEN];
	char etag[2 * SHA256_LEN + 1];
	struct http_validity v = { .etag = etag,
		.modified = meta->produced_at,
		.expires = meta->next_update,
		.now = clock_now() };

	require(EVP_Digest(response->body.data, response->body.len, digest, NULL, EVP_sha256(),
		    NULL) == 1);
	hex_encode(digest, sizeof(digest), etag);
	http_validate(request, &v, response);
}

/* malformed: there is no request to be answered. */
static void
route_ocsp_answer(struct route_ctx *ctx, const struct http_request *request,
    const struct buf *octets, bool malformed, struct http_response *response)
{
	struct responder *responder = atomic_load(&ctx->httpd->responder);
	struct respond_meta meta = { 0 };
	struct err err = { 0 };

	response->status = HTTP_OK;
	http_header_set(response, "Content-Type", "application/ocsp-response");
	if (malformed) {
		meta.ocsp_status = err_ocsp_status(FAIL_INVALID);
		ocsp_error_put(&response->body, meta.ocsp_status);
	} else if (responder == NULL || ctx->store == NULL) {
		meta.ocsp_status = err_ocsp_status(FAIL_UNAVAILABLE);
		ocsp_error_put(&response->body, meta.ocsp_status);
	} else {
		respond(
		    responder, ctx->store, octets->data, octets->len, &response->body, &meta, &err);
		/* A stranger's bad request is his own affair. */
		if (meta.ocsp_status != 0 && err.code != FAIL_INVALID && err.code != FAIL_DENIED)
			httpd_say(ctx->httpd, &err);
	}
	httpd_count_ocsp(ctx->httpd, &meta);
	if (meta.ocsp_status == 0 && meta.cacheable)
		route_ocsp_cacheable(request, &meta, response);
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
