/*
 * One listener's limits, and its connections from acceptance to close: what the server knows of
 * them without its HTTP library.
 */
#ifndef SMKI_HTTPD_LISTENER_H
#define SMKI_HTTPD_LISTENER_H

#include <sys/socket.h>

#include "conns.h"
#include "httpd.h"
#include "tls.h"

struct listener {
	struct httpd *httpd;
	enum httpd_listener which;
	struct tls *tls; /* NULL = plain */
	int64_t timeout_ms;
	long workers, connections, per_address;
	size_t body_max;    /* above what routes say */
	atomic_bool ending; /* idle connections have no time any more */
	struct conns conns;
};

struct listener_conn {
	struct tls_conn tls; /* first: what tls.c calls back with */
	struct conn conn;
	struct listener *listener;
	bool shaken;   /* or plain; only its worker looks */
	bool peered;   /* the peer's certificates are copied */
	bool answered; /* once at least */
	bool loopback;
	char address[HTTP_ADDRESS_LEN];
	int64_t begun_ms;
	struct exchange *exchange; /* the server's, from the first request to the close */
};

/* Limits as the home has them. tls is lent, and not read for a plain one. */
void listener_init(
    struct listener *l, struct httpd *httpd, enum httpd_listener which, struct tls *tls);
void listener_free(struct listener *l); /* no connection is left */

/* A new connection; session is NULL on a plain listener. fd stays the caller's. */
struct listener_conn *listener_accept(
    struct listener *l, const struct sockaddr *address, int fd, void *session);
/* Before its fd is closed. */
void listener_gone(struct listener_conn *conn);
/* Its request line is there; the rest is to come. now as in clock_mono_ms(), here and below. */
void listener_asking(struct listener_conn *conn, int64_t now);
/* Its request is ours to answer. */
void listener_ours(struct listener_conn *conn, int64_t now);
/* An answer of size octets is on its way. */
void listener_taking(struct listener_conn *conn, uint64_t size, int64_t now);
/* It waits for the next request. */
void listener_next(struct listener_conn *conn, int64_t now);
/* Tell a request whose it is; the peer's certificates are lent to it. -1: the peer showed more
 * than is looked at. */
int listener_lend(struct listener_conn *conn, void *session, struct http_request *request) MUST_USE;

/* Close what takes too long; sooner while no more connections are let in. */
void listener_tick(struct listener *l);
/* From now on, close what has no request under way: call again and again. */
void listener_end(struct listener *l);

#endif
