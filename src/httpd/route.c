/*
 * The table of routes and the checks that need no route's own knowledge: 404, 405, 413, 415,
 * OPTIONS. Must not touch the database.
 */
#include <string.h>
#include <strings.h>

#include "route.h"
#include "smki/mem.h"

#define READING (HTTP_GET | HTTP_HEAD)

static const struct route routes[] = {
	{ "/ocsp", false, HTTP_POST, WORK_SIGN, "application/ocsp-request", route_ocsp_post },
	{ "/ocsp/", false, HTTP_POST, WORK_SIGN, "application/ocsp-request", route_ocsp_post },
	{ "/ocsp", false, READING, WORK_SIGN, NULL, route_ocsp_get },
	{ "/ocsp/", true, READING, WORK_SIGN, NULL, route_ocsp_get },
	{ "/crl/", true, READING, WORK_READ, NULL, route_crl },
	{ "/ca/", true, READING, WORK_READ, NULL, route_ca },
	{ "/health", false, READING, WORK_READ, NULL, route_health },
	{ "/metrics", false, READING, WORK_READ, NULL, route_metrics },
};

/* The path without the host of the absolute form (RFC 9112 3.2.2) and without doubled slashes in
 * front, which come of a configured URL that ends in one. */
static const char *
route_path(const char *path)
{
	const char *p = path;

	if (strncasecmp(p, "http://", 7) == 0) {
		p = strchr(p + 7, '/');
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
	size_t len = strlen(route->path);

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

/* The media type alone is compared: parameters and case do not matter (RFC 9110 8.3.1). */
static int
route_media_ok(const char *type, const char *wanted)
{
	size_t len = strlen(wanted);

	if (type == NULL)
		return 1;
	type += strspn(type, " \t");
	return strncasecmp(type, wanted, len) == 0 &&
	       (type[len] == '\0' || strchr("; \t", type[len]) != NULL);
}

const struct route *
route_find(const struct http_request *request, const char **rest, struct http_response *response)
{
	const char *path = route_path(request->path), *behind;
	const struct route *found = NULL;
	unsigned methods = 0;

	for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
		behind = route_match(&routes[i], path);
		if (behind == NULL)
			continue;
		methods |= routes[i].methods;
		if (found == NULL && (routes[i].methods & request->method) != 0) {
			found = &routes[i];
			*rest = behind;
		}
	}
	if (strcmp(path, "*") == 0)
		methods = READING | HTTP_POST;
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
		http_problem(response, HTTP_MEDIA_TYPE,
		    "ocsp: RFC 6960 A.1: Content-Type is not application/ocsp-request");
	} else {
		return found;
	}
	return NULL;
}
