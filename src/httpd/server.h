/*
 * The HTTP server: connections, limits and deadlines around the routes, on a plain listener, a TLS
 * one or both. The only room that knows the HTTP library.
 */
#ifndef SMKI_HTTPD_SERVER_H
#define SMKI_HTTPD_SERVER_H

#include "tls.h"
#include "workers.h"

struct server;

struct server_conf {
	struct httpd *httpd;
	int listen_fd[LISTENERS]; /* -1 = no such listener; not the caller's any more */
	struct tls *tls;	  /* lent; NULL without a TLS listener */
	struct workers *workers[WORKS];
};

/* Start answering on the listening sockets. FAIL_UNAVAILABLE. */
int server_start(const struct server_conf *conf, struct server **out, struct err *err) MUST_USE;
/* Close connections whose handshake or request takes too long, sooner while no more are let in:
 * call a few times a second. */
void server_tick(struct server *server);
/* Take no new connections, answer what is held back, close idle ones, and wait up to timeout_ms
 * for the others. The workers still run. */
void server_quiesce(struct server *server, int timeout_ms);
/* End what is left and free. The workers must have stopped: nothing waits for them any more. */
void server_stop(struct server *server);

#endif
