/*
 * Listening sockets.
 */
#ifndef SMKI_HTTPD_LISTEN_H
#define SMKI_HTTPD_LISTEN_H

#include <stdbool.h>
#include <sys/socket.h>

#include "smki/err.h"

/* "[address]:port" with NUL */
#define LISTEN_TEXT_MAX 64

/*
 * Listen on "ADDRESS:PORT" or "[ADDRESS]:PORT" (numeric; port 0 = any free one). real gets the
 * address in the same form with the real port. FAIL_INVALID, or FAIL_UNAVAILABLE when the system
 * refuses (address in use).
 */
int listen_open(const char *where, int *fd, char real[LISTEN_TEXT_MAX], struct err *err) MUST_USE;
/* Its number without the port, an IPv4 one mapped in IPv6 as IPv4; "" for what has none. Fits
 * LISTEN_TEXT_MAX. */
void listen_address(const struct sockaddr *address, char out[LISTEN_TEXT_MAX]);
/* true for an address of this machine's loopback, IPv4 mapped in IPv6 too. */
bool listen_is_loopback(const struct sockaddr *address);

#endif
