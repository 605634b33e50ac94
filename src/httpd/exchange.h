/*
 * One request on its connection and what becomes of it, from its first line to the end of its
 * answer: what the server keeps of it without its HTTP library.
 */
#ifndef SMKI_HTTPD_EXCHANGE_H
#define SMKI_HTTPD_EXCHANGE_H

#include "listener.h"
#include "workers.h"

/* A body that goes on this far after it was found too long is not read to its end. */
#define EXCHANGE_DISCARD_MAX ((size_t)1024 * 1024)

struct server;

/* A connection has one at a time. */
struct exchange {
	struct listener_conn *conn;
	struct server *server;
	void *mhd; /* the HTTP library's connection */
	int64_t begun_ms;
	size_t body_max, discarded;
	struct http_framing framing;
	bool begun;	    /* the headers are there */
	bool routed, ready; /* response is complete */
	struct work work;   /* what workers call back with */
};

/* An empty one, conn->exchange from now on; done is what workers call. */
struct exchange *exchange_begin(
    struct server *server, struct listener_conn *conn, void *mhd, void (*done)(struct work *work));
/* It is over: nothing of it is left. NULL is fine. */
void exchange_end(struct exchange *e);
/* The exchange of a work that workers bring back. */
struct exchange *exchange_of(struct work *work);

/* One of the headers, its name of name_len octets. Texts are lent until the end. */
void exchange_header(struct exchange *e, const char *name, size_t name_len, const char *value);
/*
 * All headers are there, session as for listener_lend. True when the request goes on; else its
 * response is complete before its body came.
 */
bool exchange_admit(struct exchange *e, void *session);
/* Part of a body. -1: so much more than allowed that the connection is to be closed. */
int exchange_body(struct exchange *e, const void *data, size_t len) MUST_USE;

#endif
