/*
 * Listening sockets from the text forms of addresses. Knows nothing of what is spoken on them.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "listen.h"

#define LISTEN_BACKLOG 511

union listen_address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static int
listen_parse(const char *where, union listen_address *out, socklen_t *len, struct err *err)
{
	char text[LISTEN_TEXT_MAX], *colon, *end;
	unsigned long port;
	size_t n = strlen(where);

	if (n >= sizeof(text))
		goto bad;
	memcpy(text, where, n + 1);
	colon = strrchr(text, ':');
	if (colon == NULL || colon[1] < '0' || colon[1] > '9')
		goto bad;
	port = strtoul(colon + 1, &end, 10);
	if (*end != '\0' || port > 65535)
		goto bad;
	*colon = '\0';
	memset(out, 0, sizeof(*out));
	if (text[0] == '[' && colon > text + 1 && colon[-1] == ']') {
		colon[-1] = '\0';
		out->v6.sin6_family = AF_INET6;
		out->v6.sin6_port = htons((uint16_t)port);
		*len = sizeof(out->v6);
		if (inet_pton(AF_INET6, text + 1, &out->v6.sin6_addr) == 1)
			return 0;
	} else {
		out->v4.sin_family = AF_INET;
		out->v4.sin_port = htons((uint16_t)port);
		*len = sizeof(out->v4);
		if (inet_pton(AF_INET, text, &out->v4.sin_addr) == 1)
			return 0;
	}
bad:
	return err_set(
	    err, FAIL_INVALID, "listen %.80s: not ADDRESS:PORT or [ADDRESS]:PORT", where);
}

static void
listen_text(const union listen_address *a, char out[LISTEN_TEXT_MAX])
{
	char text[INET6_ADDRSTRLEN] = "";

	if (a->any.sa_family == AF_INET6) {
		inet_ntop(AF_INET6, &a->v6.sin6_addr, text, sizeof(text));
		snprintf(out, LISTEN_TEXT_MAX, "[%s]:%u", text, (unsigned)ntohs(a->v6.sin6_port));
	} else {
		inet_ntop(AF_INET, &a->v4.sin_addr, text, sizeof(text));
		snprintf(out, LISTEN_TEXT_MAX, "%s:%u", text, (unsigned)ntohs(a->v4.sin_port));
	}
}

int
listen_open(const char *where, int *fd, char real[LISTEN_TEXT_MAX], struct err *err)
{
	union listen_address address;
	socklen_t len;
	int s = -1, on = 1;

	if (listen_parse(where, &address, &len, err) != 0)
		return -1;
	s = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s < 0 || setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
	    (address.any.sa_family == AF_INET6 &&
		setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) != 0) ||
	    bind(s, &address.any, len) != 0 || listen(s, LISTEN_BACKLOG) != 0 ||
	    getsockname(s, &address.any, &len) != 0) {
		err_sys(err, FAIL_UNAVAILABLE, "listen %s", where);
		if (s >= 0)
			close(s);
		return -1;
	}
	listen_text(&address, real);
	*fd = s;
	return 0;
}

bool
listen_is_loopback(const struct sockaddr *address)
{
	union listen_address a;

	if (address == NULL)
		return false;
	if (address->sa_family == AF_INET) {
		memcpy(&a.v4, address, sizeof(a.v4));
		return ntohl(a.v4.sin_addr.s_addr) >> 24 == 127;
	}
	if (address->sa_family != AF_INET6)
		return false;
	memcpy(&a.v6, address, sizeof(a.v6));
	if (IN6_IS_ADDR_V4MAPPED(&a.v6.sin6_addr))
		return a.v6.sin6_addr.s6_addr[12] == 127;
	return IN6_IS_ADDR_LOOPBACK(&a.v6.sin6_addr) != 0;
}

void
listen_address(const struct sockaddr *address, char out[LISTEN_TEXT_MAX])
{
	union listen_address a;

	out[0] = '\0';
	if (address != NULL && address->sa_family == AF_INET) {
		memcpy(&a.v4, address, sizeof(a.v4));
		inet_ntop(AF_INET, &a.v4.sin_addr, out, LISTEN_TEXT_MAX);
	} else if (address != NULL && address->sa_family == AF_INET6) {
		memcpy(&a.v6, address, sizeof(a.v6));
		if (IN6_IS_ADDR_V4MAPPED(&a.v6.sin6_addr))
			inet_ntop(AF_INET, a.v6.sin6_addr.s6_addr + 12, out, LISTEN_TEXT_MAX);
		else
			inet_ntop(AF_INET6, &a.v6.sin6_addr, out, LISTEN_TEXT_MAX);
	}
}
