/*
 * The connection to smkid's front socket, shared by all threads of smki-httpd: requests are
 * pipelined on it, and a thread of its own hands each reply to whoever waits for it.
 */
#ifndef SMKI_HTTPD_LINK_H
#define SMKI_HTTPD_LINK_H

#include "smki/buf.h"
#include "smki/home.h"
#include "smki/wire.h"

/* Requests on their way at the same time. */
#define LINK_CALLS_MAX 60

struct link;

/* fd is an inherited connection, or -1: connected when needed. Starts the reading thread. */
int link_new(const struct home *home, int fd, struct link **out, struct err *err) MUST_USE;
/* No call may be on its way. NULL is fine. */
void link_free(struct link *link);
/*
 * Send msg (begun with wire_start; its id is set here) and wait for the one reply: its payload is
 * in reply, read through in. An error reply is -1 with that error. smkid away, gone while the
 * reply was waited for, or silent for timeout_ms: FAIL_UNAVAILABLE (whether it acted is then
 * unknown); LINK_CALLS_MAX on their way: FAIL_LIMIT. Any thread.
 */
int link_call(struct link *link, struct buf *msg, struct buf *reply, struct wire_in *in,
    int timeout_ms, struct err *err) MUST_USE;
/* Ask smkid whether it is there. */
int link_hello(struct link *link, int timeout_ms, struct err *err) MUST_USE;

#endif
