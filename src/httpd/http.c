/*
 * The small rules of HTTP that all routes share: dates, validators, error bodies (RFC 9110, 9111,
 * 9457). Knows no route and no HTTP library.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "http.h"
#include "smki/mem.h"

/* Seconds after which a client may try again what was unavailable. */
#define HTTP_RETRY_AFTER 5

static const char *const http_days[] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
static const char *const http_months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug",
	"Sep", "Oct", "Nov", "Dec" };

enum http_method
http_method_parse(const char *name)
{
	static const struct {
		const char *name;
		enum http_method method;
	} known[] = {
		{ "GET", HTTP_GET },
		{ "HEAD", HTTP_HEAD },
		{ "POST", HTTP_POST },
		{ "OPTIONS", HTTP_OPTIONS },
	};

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (strcmp(name, known[i].name) == 0)
			return known[i].method;
	return HTTP_OTHER;
}

static bool
http_name_is(const char *name, const char *known)
{
	return strcasecmp(name, known) == 0;
}

/* The first of a name counts. */
static void
http_take(const char **place, const char *value)
{
	if (*place == NULL)
		*place = value;
}

/* A line that begins with a blank continues the one before; the library puts it behind its name. No
 * header has a name that begins so: one with a hyphen behind is no more honest than others. */
static bool
http_is_folded(const char *name, size_t name_len)
{
	static const char length[] = "Content-Length", coding[] = "Transfer-Encoding";

	return (name_len >= sizeof(length) && strncasecmp(name, length, sizeof(length) - 1) == 0) ||
	       (name_len >= sizeof(coding) && strncasecmp(name, coding, sizeof(coding) - 1) == 0);
}

/* On the way of every request: names are told apart by their lengths first. */
void
http_header_note(struct http_request *request, struct http_framing *framing, const char *name,
    size_t name_len, const char *value)
{
	/* RFC 9112 5.1: "Content-Length :" is read by some and not by others. */
	if (memchr(name, ' ', name_len) != NULL || memchr(name, '\t', name_len) != NULL)
		framing->odd_name = true;
	framing->folded |= http_is_folded(name, name_len);
	/* RFC 9112 2.2: the end of a line to some, and a blank to the library. */
	framing->bare_cr |= memchr(name, '\r', name_len) != NULL || strchr(value, '\r') != NULL;
	switch (name_len) {
	case sizeof("Host") - 1:
		framing->hosts += http_name_is(name, "Host");
		break;
	case sizeof("Content-Type") - 1:
		if (http_name_is(name, "Content-Type"))
			http_take(&request->content_type, value);
		break;
	case sizeof("If-None-Match") - 1: /* and Authorization */
		if (http_name_is(name, "If-None-Match"))
			http_take(&request->if_none_match, value);
		else if (http_name_is(name, "Authorization"))
			http_take(&request->authorization, value);
		break;
	case sizeof("Content-Length") - 1:
		if (!http_name_is(name, "Content-Length"))
			break;
		http_take(&framing->length, value);
		framing->lengths++;
		break;
	case sizeof("If-Modified-Since") - 1: /* and Transfer-Encoding */
		if (http_name_is(name, "If-Modified-Since")) {
			request->if_modified_since = request->if_modified_since == NULL ? value
											: "";
		} else if (http_name_is(name, "Transfer-Encoding")) {
			framing->codings++;
			framing->odd_coding |= strcasecmp(value, "chunked") != 0;
		}
		break;
	}
}

const char *
http_framing_fault(const struct http_framing *framing)
{
	if (framing->odd_name)
		return "http: RFC 9112 5.1: a blank in a header's name";
	if (framing->bare_cr)
		return "http: RFC 9112 2.2: a CR that ends no line";
	if (framing->folded)
		return "http: RFC 9112 5.2: a header that goes on in the next line";
	if (framing->lengths > 1)
		return "http: RFC 9112 6.3: more than one Content-Length";
	if (framing->lengths > 0 && framing->codings > 0)
		return "http: RFC 9112 6.1: both Content-Length and Transfer-Encoding";
	if (framing->codings > 1 || framing->odd_coding)
		return "http: RFC 9112 6.1: a Transfer-Encoding other than chunked";
	/* None is let pass: nothing here depends on it, and not all that ask can be mended. */
	if (framing->hosts > 1)
		return "http: RFC 9112 3.2: more than one Host";
	return NULL;
}

void
http_response_init(struct http_response *response)
{
	memset(response, 0, offsetof(struct http_response, header));
	response->fd = -1;
}

void
http_response_free(struct http_response *response)
{
	if (response->secret)
		buf_wipe(&response->body);
	buf_free(&response->body);
	if (response->fd >= 0)
		close(response->fd);
	if (response->kept != NULL)
		ocspcache_drop(response->kept);
	http_response_init(response);
}

void
http_header_set(struct http_response *response, const char *name, const char *fmt, ...)
{
	struct http_header *h;
	va_list ap;

	require(response->n < HTTP_HEADERS_MAX);
	h = &response->header[response->n++];
	h->name = name;
	va_start(ap, fmt);
	vsnprintf(h->value, sizeof(h->value), fmt, ap);
	va_end(ap);
}

void
http_header_put(struct http_response *response, const char *name, const char *value)
{
	struct http_header *h;
	size_t len = strlen(value);

	require(response->n < HTTP_HEADERS_MAX && len < HTTP_VALUE_MAX);
	h = &response->header[response->n++];
	h->name = name;
	memcpy(h->value, value, len + 1);
}

static const char *
http_title(int status)
{
	switch (status) {
	case 400:
		return "Bad Request";
	case HTTP_UNAUTHORIZED:
		return "Unauthorized";
	case 403:
		return "Forbidden";
	case 404:
		return "Not Found";
	case HTTP_METHOD_NOT_ALLOWED:
		return "Method Not Allowed";
	case 409:
		return "Conflict";
	case HTTP_TOO_LARGE:
		return "Content Too Large";
	case HTTP_MEDIA_TYPE:
		return "Unsupported Media Type";
	case 429:
		return "Too Many Requests";
	case 503:
		return "Service Unavailable";
	}
	return "Internal Server Error";
}

/* A line that may quote what a peer sent, as the inside of a JSON string (RFC 8259 7). */
static void
http_json_put(struct buf *out, const char *text)
{
	for (const char *p = text; *p != '\0'; p++) {
		if (*p == '"' || *p == '\\')
			buf_add_u8(out, '\\');
		buf_add_u8(out, *p >= ' ' && *p <= '~' ? (uint8_t)*p : '?');
	}
}

void
http_problem(struct http_response *response, int status, const char *detail)
{
	response->status = status;
	response->n = 0;
	buf_wipe(&response->body);
	http_header_set(
	    response, "Content-Type", response->text ? "text/plain" : "application/problem+json");
	http_header_set(response, "Cache-Control", "no-store");
	if (response->text) {
		buf_fmt(&response->body, "%s\n", detail);
		return;
	}
	buf_fmt(&response->body,
	    "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%d,\"detail\":\"",
	    http_title(status), status);
	http_json_put(&response->body, detail);
	buf_add_str(&response->body, "\"}\n");
}

void
http_fail(struct http_response *response, enum err_code code, const char *detail)
{
	http_problem(response, err_http_status(code), detail);
	if (code == FAIL_UNAVAILABLE || code == FAIL_LIMIT)
		http_header_set(response, "Retry-After", "%d", HTTP_RETRY_AFTER);
}

static void
http_two(int value, char *out)
{
	out[0] = (char)('0' + value / 10);
	out[1] = (char)('0' + value % 10);
}

void
http_date(time_t t, char out[HTTP_DATE_LEN])
{
	struct tm tm = { 0 };

	/* Beyond a four-digit year there is no such date: the Epoch means "long ago" to all. */
	if (t < 0 || t > (time_t)253402300799 || gmtime_r(&t, &tm) == NULL) {
		t = 0;
		gmtime_r(&t, &tm);
	}
	/* On the way of every cached answer: snprintf() would cost more than the look-up. */
	memcpy(out, "Sun, 00 Jan 0000 00:00:00 GMT", HTTP_DATE_LEN);
	memcpy(out, http_days[tm.tm_wday], 3);
	http_two(tm.tm_mday, out + 5);
	memcpy(out + 8, http_months[tm.tm_mon], 3);
	http_two((tm.tm_year + 1900) / 100, out + 12);
	http_two((tm.tm_year + 1900) % 100, out + 14);
	http_two(tm.tm_hour, out + 17);
	http_two(tm.tm_min, out + 20);
	http_two(tm.tm_sec, out + 23);
}

int
http_date_parse(const char *text, time_t *out)
{
	char month[4] = "", again[HTTP_DATE_LEN];
	struct tm tm = { 0 };
	size_t i;
	time_t t;

	if (strlen(text) != HTTP_DATE_LEN - 1 ||
	    sscanf(text, "%*3s, %2d %3s %4d %2d:%2d:%2d GMT", &tm.tm_mday, month, &tm.tm_year,
		&tm.tm_hour, &tm.tm_min, &tm.tm_sec) != 6)
		return -1;
	for (i = 0; i < ARRAY_LEN(http_months) && strcmp(month, http_months[i]) != 0; i++)
		;
	tm.tm_mon = (int)i;
	tm.tm_year -= 1900;
	t = timegm(&tm);
	/* Written again it is the same, or it was no date. */
	http_date(t, again);
	if (strcmp(text, again) != 0)
		return -1;
	*out = t;
	return 0;
}

/* 1 when the list of If-None-Match names this tag; weak comparison (RFC 9110 13.1.2). */
static int
http_tag_listed(const char *list, const char *etag)
{
	size_t len = strlen(etag);
	const char *p = list, *end;

	for (;;) {
		p += strspn(p, ", \t");
		if (*p == '*')
			return 1;
		if (strncmp(p, "W/", 2) == 0)
			p += 2;
		if (*p != '"')
			return 0;
		end = strchr(p + 1, '"');
		if (end == NULL)
			return 0;
		if ((size_t)(end - p - 1) == len && memcmp(p + 1, etag, len) == 0)
			return 1;
		p = end + 1;
	}
}

static int
http_is_fresh(const struct http_request *request, const struct http_validity *v)
{
	time_t since;

	if (request->method != HTTP_GET && request->method != HTTP_HEAD)
		return 0;
	if (request->if_none_match != NULL)
		return http_tag_listed(request->if_none_match, v->etag);
	/* A date still to come proves nothing (RFC 9110 13.1.3). Nor does one after the body's,
	 * stricter than there: a list made after the clock was set back is newer and dated earlier. */
	return v->dated && request->if_modified_since != NULL &&
	       http_date_parse(request->if_modified_since, &since) == 0 && since <= v->now &&
	       since == v->modified;
}

void
http_validate(const struct http_request *request, const struct http_validity *v,
    struct http_response *response)
{
	char modified[HTTP_DATE_LEN], expires[HTTP_DATE_LEN];
	/* Dated after the clock: one of the two is wrong, and the life of the answer is not longer. */
	time_t from = v->modified > v->now ? v->modified : v->now;
	long age = v->expires > from ? (long)(v->expires - from) : 0;

	http_date(v->modified < v->now ? v->modified : v->now, modified);
	http_date(v->expires, expires);
	http_header_set(response, "ETag", "\"%s\"", v->etag);
	http_header_put(response, "Last-Modified", modified);
	http_header_put(response, "Expires", expires);
	http_header_set(response, "Cache-Control",
	    "max-age=%ld, public, no-transform, must-revalidate",
	    age < HTTP_CACHE_MAX ? age : (long)HTTP_CACHE_MAX);
	response->status = http_is_fresh(request, v) ? HTTP_NOT_MODIFIED : HTTP_OK;
}
