/*
 * Threads that answer what must wait: a bounded queue, one read-only database handle a thread.
 */
#ifndef SMKI_HTTPD_WORKERS_H
#define SMKI_HTTPD_WORKERS_H

#include "route.h"

/* One request on its way. Owned by whoever puts it in; lent to the workers until done. */
struct work {
	struct work *next;
	const struct route *route;
	const char *rest;
	struct http_request request;
	struct http_response response;
	int64_t deadline_ms;		 /* clock_mono_ms(): later it is not begun */
	int64_t due_ms;			 /* held.c's */
	void (*done)(struct work *work); /* any thread; the last thing that touches it */
};

struct workers;

/* n threads, at most queue requests waiting; link is lent. Threads that cannot be started end the process
 * (start-up only). */
struct workers *workers_new(struct httpd *httpd, struct link *link, size_t n, size_t queue);
/* 0, or -1 when the queue is full or the workers stop: done will not be called. */
int workers_put(struct workers *workers, struct work *work) MUST_USE;
/*
 * Answer what waits with 503 and end the threads within timeout_ms; nothing more is taken in. -1
 * when a thread is still busy then: they cannot be freed and the process is to end.
 */
int workers_stop(struct workers *workers, int timeout_ms) MUST_USE;
/* Once stopped, and once nobody is left who might put something in. */
void workers_free(struct workers *workers);

#endif
