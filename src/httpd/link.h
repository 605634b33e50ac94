/*
 * The connection to smkid's front socket. One thread uses it.
 */
#ifndef SMKI_HTTPD_LINK_H
#define SMKI_HTTPD_LINK_H

#include "smki/buf.h"
#include "smki/home.h"

struct link_smkid {
	char path[HOME_PATH_MAX]; /* HOME/run/front.sock */
	int fd;			  /* -1 = not connected */
	uint32_t id;		  /* of the last request */
	struct buf msg;
};

/* fd is an inherited connection, or -1: connected when needed. */
int link_init(struct link_smkid *link, const struct home *home, int fd, struct err *err) MUST_USE;
void link_close(struct link_smkid *link);
/* Ask smkid whether it is there, connecting first where need be; waits timeout_ms at most.
 * FAIL_UNAVAILABLE when it does not answer. */
int link_hello(struct link_smkid *link, int timeout_ms, struct err *err) MUST_USE;

#endif
