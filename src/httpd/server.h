/*
 * The HTTP server: connections, limits and deadlines around the routes. The only room that knows
 * the HTTP library.
 */
#ifndef SMKI_HTTPD_SERVER_H
#define SMKI_HTTPD_SERVER_H

#include "workers.h"

struct server;

struct server_conf {
	struct httpd *httpd;
	int listen_fd; /* the server's from server_start's success on */
	struct workers *workers[WORKS];
};

/* Start answering on the listening socket. FAIL_UNAVAILABLE. */
int server_start(const struct server_conf *conf, struct server **out, struct err *err) MUST_USE;
/* Close connections whose request takes longer than [http] timeout, or than two seconds while no
 * more are let in: call once a second. */
void server_tick(struct server *server);
/* Take no new connections, close idle ones, and wait up to timeout_ms for the others. The
 * workers still run. */
void server_quiesce(struct server *server, int timeout_ms);
/* End what is left and free. The workers must have stopped: nothing waits for them any more. */
void server_stop(struct server *server);

#endif
