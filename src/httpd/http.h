/*
 * One request and its answer as plain data, so that routes know no HTTP library and can be
 * tested without one; and the small rules of HTTP that all routes share (RFC 9110, RFC 9111).
 */
#ifndef SMKI_HTTPD_HTTP_H
#define SMKI_HTTPD_HTTP_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "smki/err.h"
#include "smki/ocspcache.h"

#define HTTP_ADDRESS_LEN 64
#define HTTP_PEER_MAX 6
/* Headers of one answer, and the longest value with its NUL. */
#define HTTP_HEADERS_MAX 8
#define HTTP_VALUE_MAX 128
/* "Sun, 06 Nov 1994 08:49:37 GMT" with NUL */
#define HTTP_DATE_LEN 30
/* Longest time that HTTP caches may keep a status, in seconds. */
#define HTTP_CACHE_MAX 900

/* Statuses that are HTTP's own: no failure of a struct err stands behind them. */
enum http_status {
	HTTP_OK = 200,
	HTTP_ACCEPTED = 202,
	HTTP_NO_CONTENT = 204,
	HTTP_NOT_MODIFIED = 304,
	HTTP_UNAUTHORIZED = 401,
	HTTP_METHOD_NOT_ALLOWED = 405,
	HTTP_TOO_LARGE = 413,
	HTTP_MEDIA_TYPE = 415,
};

/* A set of them tells what a route allows. */
enum http_method {
	HTTP_GET = 1,
	HTTP_HEAD = 2,
	HTTP_POST = 4,
	HTTP_OPTIONS = 8,
	HTTP_OTHER = 16,
};

/* Texts are borrowed from whoever made the request; NULL = header absent. */
struct http_request {
	enum http_method method;
	const char *path; /* as sent, percent signs and all, without the query */
	const char *content_type;
	const char *if_none_match;
	const char *if_modified_since;
	const char *authorization;
	struct buf body; /* owned; wiped when authorization is there */
	bool too_large;	 /* the body was longer than its route takes and is not kept */
	bool loopback;	 /* the peer is on this machine */
	char address[HTTP_ADDRESS_LEN]; /* of the peer, numeric, without its port */
	bool renew;			/* was told to make the cached answer anew */
	bool last;			/* the connection ends with its answer */
	bool alone;			/* who answers it may wait for another's answer */
	bool tls;			/* came over the TLS listener */
	size_t n_peer;			/* certificates that its peer showed, unverified; the key of
					 * the first was proven in the handshake */
	struct span peer[HTTP_PEER_MAX];
};

struct http_header {
	const char *name; /* static */
	char value[HTTP_VALUE_MAX];
};

/*
 * Made empty by http_response_init. The body is body, or size octets of fd, or that of kept. An
 * answer with kept is what everybody is sent who asks for that entry: when the entry has a ready
 * form already, that is sent, and there are no headers here.
 */
struct http_response {
	int status;
	struct buf body; /* owned */
	int fd;		 /* owned; -1 = none */
	uint64_t size;
	struct ocspcache_kept *kept; /* used, until it is freed; NULL = none */
	bool text;     /* errors are text/plain, as EST wants them: set by who found the route */
	bool secret;   /* body is wiped after it was sent */
	long delay_ms; /* the answer is held back so long, without a thread waiting */
	size_t n;
	struct http_header header[HTTP_HEADERS_MAX]; /* last: only n of them are ever set */
};

enum http_method http_method_parse(const char *name);

/* What the headers of a request say about the end of its body (RFC 9112 6). */
struct http_framing {
	const char *length; /* the first Content-Length, borrowed; NULL = none */
	unsigned lengths, codings, hosts;
	bool odd_name, odd_coding, folded, bare_cr;
};
/* Note one header, its name of name_len octets, for its request and the framing: of several with
 * one name the request gets the first, of several If-Modified-Since an empty one. Names without
 * weight are passed over. */
void http_header_note(struct http_request *request, struct http_framing *framing, const char *name,
    size_t name_len, const char *value);
/* NULL, or why the end cannot be trusted: whoever passed the request on may see another one, and
 * a request of its own in the rest (RFC 9112 11.2). The text is for strangers. */
const char *http_framing_fault(const struct http_framing *framing);

void http_response_init(struct http_response *response);
/* Frees body (wipes a secret one), closes fd and drops kept. */
void http_response_free(struct http_response *response);
void http_header_set(struct http_response *response, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The same with a value as it is, shorter than HTTP_VALUE_MAX. */
void http_header_put(struct http_response *response, const char *name, const char *value);

/* An error as one line: application/problem+json (RFC 9457), or detail alone as text/plain when
 * response->text. What the body and headers were is dropped. detail is for strangers. */
void http_problem(struct http_response *response, int status, const char *detail);
/* As above with the status of the edge table, Retry-After where trying again helps. */
void http_fail(struct http_response *response, enum err_code code, const char *detail);

/* Dates in the one form that is sent (RFC 9110 5.6.7); -1 for another form. */
void http_date(time_t t, char out[HTTP_DATE_LEN]);
int http_date_parse(const char *text, time_t *out) MUST_USE;

/* What a cacheable answer carries. etag is hexadecimal text, without quotes. */
struct http_validity {
	const char *etag;
	time_t modified;
	bool dated; /* modified names this body alone: If-Modified-Since may be judged by it */
	time_t expires;
	time_t now;
};
/*
 * ETag, Last-Modified (not after now), Expires and Cache-Control: max-age from now, or modified
 * when that is later, to expires, at most HTTP_CACHE_MAX, never negative. The status becomes 304
 * when a GET or HEAD carries a validator that still holds (If-None-Match before
 * If-Modified-Since, RFC 9110 13.2.2; of dates only modified itself), else 200. The body is there
 * in both cases: a 304 tells its length and does not carry it (RFC 9110 8.6).
 */
void http_validate(const struct http_request *request, const struct http_validity *validity,
    struct http_response *response);

#endif
