/*
 * Syntax of server names. It resolves nothing and asks nobody whether a name exists.
 */
#include <string.h>
#include <strings.h>

#include <arpa/inet.h>

#include "smki/host.h"

#define HOST_DNS DER_CONTEXT_PRIM(2)
#define HOST_IP DER_CONTEXT_PRIM(7)
#define HOST_LABEL_MAX 63 /* RFC 1035 2.3.4 */

static int
host_dns_ok(const char *name, size_t len)
{
	size_t label = 0;
	bool alpha = false;

	for (size_t i = 0; i <= len; i++) {
		char c = i < len ? name[i] : '.';

		if (c == '.') {
			if (label == 0 || label > HOST_LABEL_MAX || name[i - 1] == '-')
				return 0;
			if (i < len)
				alpha = false;
			label = 0;
			continue;
		}
		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
			alpha = true;
		else if (!(c >= '0' && c <= '9') && (c != '-' || label == 0))
			return 0;
		label++;
	}
	return alpha;
}

int
host_from_text(const char *text, size_t len, struct host *out)
{
	struct host h = { 0 };

	if (len == 0 || len > HOST_MAX || memchr(text, '\0', len) != NULL)
		return -1;
	memcpy(h.text, text, len);
	h.tag = HOST_IP;
	if (inet_pton(AF_INET, h.text, h.octets) == 1)
		h.len = 4;
	else if (inet_pton(AF_INET6, h.text, h.octets) == 1)
		h.len = 16;
	else if (host_dns_ok(h.text, len)) {
		h.tag = HOST_DNS;
		memcpy(h.octets, text, len);
		h.len = len;
	} else
		return -1;
	*out = h;
	return 0;
}

int
host_get(struct der *d, struct host *out)
{
	struct der rest = *d, content;
	struct host h = { 0 };
	struct span s;
	uint8_t tag;

	if (der_get_any(&rest, &tag, &content, NULL) != 0)
		return -1;
	s = der_span(&content);
	if (tag == HOST_DNS) {
		if (host_from_text((const char *)s.p, s.len, &h) != 0 || h.tag != HOST_DNS)
			return -1;
	} else if (tag == HOST_IP && (s.len == 4 || s.len == 16)) {
		h.tag = HOST_IP;
		memcpy(h.octets, s.p, s.len);
		h.len = s.len;
		if (inet_ntop(s.len == 4 ? AF_INET : AF_INET6, s.p, h.text, sizeof(h.text)) == NULL)
			return -1;
	} else
		return -1;
	*d = rest;
	*out = h;
	return 0;
}

void
host_put(struct buf *b, const struct host *host)
{
	der_put(b, host->tag, host->octets, host->len);
}

int
host_eq(const struct host *a, const struct host *b)
{
	if (a->tag != b->tag || a->len != b->len)
		return 0;
	return a->tag == HOST_DNS ? strcasecmp(a->text, b->text) == 0
				  : memcmp(a->octets, b->octets, a->len) == 0;
}
