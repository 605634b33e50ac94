/*
 * Housekeeping: the thread that looks after what requests only use. It follows the database's
 * time, takes up renewed certificates of the responder and of the TLS listener and changed policies,
 * opens the token when it appears, and notes the health of the parts.
 */
#ifndef SMKI_HTTPD_KEEPER_H
#define SMKI_HTTPD_KEEPER_H

#include "httpd.h"
#include "link.h"
#include "tls.h"

struct keeper;

/*
 * Makes httpd->guard from the newest time in the database, opens the [ocsp] token and loads the
 * responder certificates. store becomes the keeper's, also on failure; link and tls (NULL = no TLS
 * listener) are lent. A token that is away or refuses the PIN is no failure: it is said, and tried
 * again later. FAIL_DENIED when the key is not that of the responder certificates,
 * FAIL_NOT_FOUND when the token has no such key.
 */
int keeper_new(struct httpd *httpd, struct store *store, struct link *link, struct tls *tls,
    struct keeper **out, struct err *err) MUST_USE;
/* Start the thread, which looks every tick_ms (the program: KEEPER_TICK_MS). FAIL_UNAVAILABLE. */
#define KEEPER_TICK_MS 1000
int keeper_start(struct keeper *keeper, int tick_ms, struct err *err) MUST_USE;
/* true when the token swallowed too many threads: the process is to end, for its supervisor. */
bool keeper_lost(struct keeper *keeper);
/* End the thread within timeout_ms. -1 when it is still busy then. */
int keeper_stop(struct keeper *keeper, int timeout_ms) MUST_USE;
/* After keeper_stop, and after the last answer was signed: closes token and database. */
void keeper_free(struct keeper *keeper);

#endif
