/*
 * Names of servers as they stand in a certificate: DNS host names and IP addresses
 * (RFC 5280 4.2.1.6 dNSName, iPAddress).
 */
#ifndef SMKI_HOST_H
#define SMKI_HOST_H

#include "smki/der.h"
#include "smki/types.h"

/* Longest host name in octets: with "tls:" before it and NUL it is a holder's name. */
#define HOST_MAX (HOLDER_NAME_MAX - 5)

struct host {
	uint8_t tag; /* of the GeneralName: 82 dNSName, 87 iPAddress */
	uint8_t octets[HOST_MAX];
	size_t len;
	char text[HOST_MAX + 1];
};

/*
 * Text (not NUL terminated) to a host name or an IPv4 or IPv6 address. Host names: letters, digits
 * and inner hyphens in labels of 1 to 63 (RFC 1123 2.1), no wildcard, no dot at the end, the last
 * label not a number. -1 when it is neither.
 */
int host_from_text(const char *text, size_t len, struct host *out) MUST_USE;
/* Next GeneralName of *d: a dNSName of that syntax or an iPAddress of 4 or 16 octets, else -1. */
int host_get(struct der *d, struct host *out) MUST_USE;
/* Append the GeneralName. */
void host_put(struct buf *b, const struct host *host);
/* 1 for the same address, or the same name without regard to case (RFC 4343 2). */
int host_eq(const struct host *a, const struct host *b);

#endif
