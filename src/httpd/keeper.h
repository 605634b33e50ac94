/*
 * Housekeeping: the thread that looks after what requests only use. It follows the database's
 * time, takes up renewed responder certificates, opens the token when it appears, and notes the
 * health of the parts.
 */
#ifndef SMKI_HTTPD_KEEPER_H
#define SMKI_HTTPD_KEEPER_H

#include "httpd.h"

struct keeper;

/*
 * Makes httpd->guard from the newest time in the database, opens the [ocsp] token and loads the
 * responder certificates. store becomes the keeper's, also on failure. front_fd: inherited
 * connection to smkid or -1. A token that is away or refuses the PIN is no failure: it is said,
 * and tried again later. FAIL_DENIED when the key is not that of the responder certificates,
 * FAIL_NOT_FOUND when the token has no such key.
 */
int keeper_new(struct httpd *httpd, struct store *store, int front_fd, struct keeper **out,
    struct err *err) MUST_USE;
/* Start the thread. FAIL_UNAVAILABLE. */
int keeper_start(struct keeper *keeper, struct err *err) MUST_USE;
/* true when the token swallowed too many threads: the process is to end, for its supervisor. */
bool keeper_lost(struct keeper *keeper);
/* End the thread within timeout_ms. -1 when it is still busy then. */
int keeper_stop(struct keeper *keeper, int timeout_ms) MUST_USE;
/* After keeper_stop, and after the last answer was signed: closes token and database. */
void keeper_free(struct keeper *keeper);

#endif
