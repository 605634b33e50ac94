/*
 * For the tests of smki-httpd: a look at the headers of an answer.
 */
#ifndef HTTP_HEADER_H
#define HTTP_HEADER_H

#include <strings.h>

#include "http.h"

/* NULL when absent. */
static inline const char *
http_header_get(const struct http_response *response, const char *name)
{
	for (size_t i = 0; i < response->n; i++)
		if (strcasecmp(response->header[i].name, name) == 0)
			return response->header[i].value;
	return NULL;
}

#endif
