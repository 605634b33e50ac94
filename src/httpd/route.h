/*
 * Which path and method is answered by what. Routes are handed a request as plain data and fill
 * in the answer; those that wait for the database or the token run in threads of their own.
 */
#ifndef SMKI_HTTPD_ROUTE_H
#define SMKI_HTTPD_ROUTE_H

#include "http.h"
#include "httpd.h"

/* What a route needs, hence which threads run it: a token that hangs must not stop files. */
enum route_work {
	WORK_SIGN = 0, /* database and token */
	WORK_READ = 1, /* database and files */
	WORK_ASK = 2,  /* database, and smkid is asked */
	WORKS,
};

/* Where a route is found. */
#define ON_HTTP 1u
#define ON_HTTPS 2u

/* The thread that answers. store is its own read-only handle, NULL while the database is away. */
struct route_ctx {
	struct httpd *httpd;
	struct store *store;
	uint64_t flushes;  /* of the cache, before store was seen to be the database */
	struct link *link; /* to smkid; any thread */
};

/* rest is the path behind the route's own. */
typedef void route_fn(struct route_ctx *ctx, const struct http_request *request, const char *rest,
    struct http_response *response);

/*
 * In the listener's own thread, which serves others too: answer without waiting for anything, or
 * leave it to the workers: false, and nothing is in the answer.
 */
typedef bool route_fast_fn(struct httpd *httpd, struct http_request *request, const char *rest,
    struct http_response *response);

/*
 * A route whose answers are signed by the responder comes in two parts, so that a worker may begin
 * several before it waits for the first signature. begin returns what end takes, or NULL: the
 * answer is there already. Each begun one is ended, by the same thread.
 */
typedef struct respond_job *route_begin_fn(struct route_ctx *ctx,
    const struct http_request *request, const char *rest, struct http_response *response);
typedef void route_end_fn(struct httpd *httpd, const struct http_request *request,
    struct respond_job *job, struct http_response *response);

struct route {
	const char *path;
	bool prefix;	  /* more follows the path */
	unsigned methods; /* enum http_method */
	enum route_work work;
	const char *media;     /* Content-Type wanted, NULL = none */
	route_fn *fn;	       /* NULL = it comes in parts */
	unsigned on;	       /* ON_HTTP, ON_HTTPS */
	size_t body_max;       /* octets of a body; more is 413 */
	bool text;	       /* errors as text/plain (EST), else problem+json */
	route_fast_fn *fast;   /* tried before; NULL = none */
	route_begin_fn *begin; /* NULL = there is fn */
	route_end_fn *end;
};

/*
 * The route of a request on its listener (request->tls), *rest at what follows its path, and
 * response->text as the route wants it. NULL: response holds the answer already (404, 405 with
 * Allow, 413, 415, or OPTIONS' 204).
 */
const struct route *route_find(
    const struct http_request *request, const char **rest, struct http_response *response);

/*
 * Answer a request that no worker takes up, as its fast part does: when all that it was put off
 * for is to renew a cached answer, that one is sent. False: there is none, nothing is in the answer.
 */
bool route_put_back(struct httpd *httpd, const struct route *route, struct http_request *request,
    const char *rest, struct http_response *response);

/* Whether a Content-Type is the one wanted: parameters and case do not matter (RFC 9110 8.3.1), and
 * an absent one (NULL) is passed. */
bool route_media_ok(const char *type, const char *wanted);

/*
 * POST /ocsp and GET /ocsp/BASE64 (RFC 6960 appendix A, RFC 9919 6 and 7). Always 200: what goes
 * wrong is an OCSP error.
 */
route_begin_fn route_ocsp_post, route_ocsp_get;
route_end_fn route_ocsp_end;
/* The same out of the cache. */
route_fast_fn route_ocsp_post_fast, route_ocsp_get_fast;
/* Request octets out of such a path: 0, or -1 when it is not base64. Appends to out. */
int route_ocsp_decode(const char *text, struct buf *out) MUST_USE;

route_fn route_crl, route_ca;

/* EST (RFC 7030, 8951): rest is "[LABEL/]OPERATION" (route_est.c). */
route_fn route_est_get, route_est_post;
route_fn route_bootstrap; /* POST /bootstrap: JSON, docs/openapi.yaml */
route_fn route_token;	  /* POST /token: RFC 6749 4.4, RFC 8705 2.1 */
route_fn route_jwks;	  /* GET /.well-known/jwks.json: RFC 7517 */
route_fn route_health, route_metrics;

#endif
