/*
 * The table of routes and the checks that need no route's own knowledge: 404, 405, 413, 415,
 * OPTIONS. Must not touch the database.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "route.h"
#include "smki/csr.h"
#include "smki/mem.h"
#include "smki/ocsp.h"

#define READING (HTTP_GET | HTTP_HEAD)

/* Six certificates in base64 and a request; a form of a few words. */
#define BOOTSTRAP_MAX ((size_t)64 * 1024)
#define TOKEN_MAX 4096

#define OCSP_MEDIA "application/ocsp-request"

/* Columns as in struct route. A GET's body has no meaning (RFC 9110 9.3.1): none is taken. */
static const struct route routes[] = {
	{ "/ocsp", false, HTTP_POST, WORK_SIGN, OCSP_MEDIA, NULL, ON_HTTP, OCSP_REQUEST_MAX, false,
	    route_ocsp_post_fast, route_ocsp_post, route_ocsp_end },
	{ "/ocsp/", false, HTTP_POST, WORK_SIGN, OCSP_MEDIA, NULL, ON_HTTP, OCSP_REQUEST_MAX, false,
	    route_ocsp_post_fast, route_ocsp_post, route_ocsp_end },
	{ "/ocsp", false, READING, WORK_SIGN, NULL, NULL, ON_HTTP, 0, false, NULL, route_ocsp_get,
	    route_ocsp_end },
	{ "/ocsp/", true, READING, WORK_SIGN, NULL, NULL, ON_HTTP, 0, false, route_ocsp_get_fast,
	    route_ocsp_get, route_ocsp_end },
	{ "/crl/", true, READING, WORK_READ, NULL, route_crl, ON_HTTP, 0, false, NULL, NULL, NULL },
	{ "/ca/", true, READING, WORK_READ, NULL, route_ca, ON_HTTP, 0, false, NULL, NULL, NULL },
	{ "/.well-known/est/", true, READING, WORK_READ, NULL, route_est_get, ON_HTTPS, 0, true,
	    NULL, NULL, NULL },
	{ "/.well-known/est/", true, HTTP_POST, WORK_ASK, NULL, route_est_post, ON_HTTPS,
	    CSR_TEXT_MAX, true, NULL, NULL, NULL },
	{ "/bootstrap", false, HTTP_POST, WORK_ASK, "application/json", route_bootstrap, ON_HTTPS,
	    BOOTSTRAP_MAX, false, NULL, NULL, NULL },
	{ "/token", false, HTTP_POST, WORK_ASK, "application/x-www-form-urlencoded", route_token,
	    ON_HTTPS, TOKEN_MAX, false, NULL, NULL, NULL },
	{ "/.well-known/jwks.json", false, READING, WORK_READ, NULL, route_jwks, ON_HTTP | ON_HTTPS,
	    0, false, NULL, NULL, NULL },
	{ "/health", false, READING, WORK_READ, NULL, route_health, ON_HTTP, 0, false, NULL, NULL,
	    NULL },
	{ "/metrics", false, READING, WORK_READ, NULL, route_metrics, ON_HTTP, 0, false, NULL, NULL,
	    NULL },
};

/* The path without the host of the absolute form (RFC 9112 3.2.2) and without doubled slashes in
 * front, which come of a configured URL that ends in one. */
static const char *
route_path(const char *path)
{
	const char *p = path;

	if (p[0] == '/' && p[1] != '/')
		return p;
	if (strncasecmp(p, "http://", 7) == 0 || strncasecmp(p, "https://", 8) == 0) {
		p = strchr(strstr(p, "//") + 2, '/');
		if (p == NULL)
			return "/";
	}
	while (p[0] == '/' && p[1] == '/')
		p++;
	return p;
}

static const char *
route_match(const struct route *route, const char *path)
{
	size_t len;

	/* Each begins with a slash; the letter behind tells most of them apart. */
	if (path[0] != route->path[0] || path[1] != route->path[1])
		return NULL;
	len = strlen(route->path);
	if (strncmp(path, route->path, len) != 0 || (!route->prefix && path[len] != '\0'))
		return NULL;
	return path + len;
}

static void
route_allow(unsigned methods, struct http_response *response)
{
	http_header_set(response, "Allow", "%s%sOPTIONS",
	    (methods & HTTP_GET) != 0 ? "GET, HEAD, " : "",
	    (methods & HTTP_POST) != 0 ? "POST, " : "");
}

bool
route_media_ok(const char *type, const char *wanted)
{
	size_t len = strlen(wanted);

	if (type == NULL)
		return true;
	type += strspn(type, " \t");
	return strncasecmp(type, wanted, len) == 0 &&
	       (type[len] == '\0' || strchr("; \t", type[len]) != NULL);
}

/* The route of this method at the path. *methods: of all there; *text: how they tell errors. */
static const struct route *
route_look(const struct http_request *request, const char *path, const char **rest,
    unsigned *methods, bool *text)
{
	unsigned on = request->tls ? ON_HTTPS : ON_HTTP;
	const struct route *found = NULL;
	const char *behind;

	for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
		behind = (routes[i].on & on) != 0 ? route_match(&routes[i], path) : NULL;
		if (behind == NULL)
			continue;
		*methods |= routes[i].methods;
		*text |= routes[i].text;
		if (found == NULL && (routes[i].methods & request->method) != 0) {
			found = &routes[i];
			*rest = behind;
		}
	}
	return found;
}

const struct route *
route_find(const struct http_request *request, const char **rest, struct http_response *response)
{
	const char *path = route_path(request->path);
	const struct route *found;
	char detail[HTTP_VALUE_MAX];
	unsigned methods = 0;
	bool text = false;

	found = route_look(request, path, rest, &methods, &text);
	if (strcmp(path, "*") == 0)
		methods = READING | HTTP_POST;
	response->text = text;
	if (methods == 0) {
		http_problem(response, err_http_status(FAIL_NOT_FOUND), "http: no such path");
	} else if (request->method == HTTP_OPTIONS) {
		response->status = HTTP_NO_CONTENT;
		route_allow(methods, response);
	} else if (found == NULL) {
		http_problem(response, HTTP_METHOD_NOT_ALLOWED, "http: method not allowed here");
		route_allow(methods, response);
	} else if (request->too_large) {
		http_problem(response, HTTP_TOO_LARGE, "http: the body is too long");
	} else if (found->media != NULL && !route_media_ok(request->content_type, found->media)) {
		snprintf(detail, sizeof(detail), "http: RFC 9110 8.3: Content-Type is not %s",
		    found->media);
		http_problem(response, HTTP_MEDIA_TYPE, detail);
	} else {
		return found;
	}
	return NULL;
}

bool
route_put_back(struct httpd *httpd, const struct route *route, struct http_request *request,
    const char *rest, struct http_response *response)
{
	return request->renew && route->fast(httpd, request, rest, response);
}
