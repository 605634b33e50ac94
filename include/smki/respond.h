/*
 * OCSP: request bytes to response bytes (RFC 6960, decision table in the man page). Reads the
 * database, signs with the responder's own key; changes nothing.
 */
#ifndef SMKI_RESPOND_H
#define SMKI_RESPOND_H

#include "smki/caset.h"
#include "smki/ocspcache.h"
#include "smki/timeguard.h"

struct responder; /* shared by all threads */

struct respond_conf {
	const struct home *home;
	struct timeguard *guard;
	struct signer signer;	 /* the OCSP key */
	struct ocspcache *cache; /* lent; told who signs for each CA; NULL = none */
};
/* Loads CAs and responder certificates from store. A responder certificate whose key is not
 * signer's: FAIL_DENIED. */
int responder_new(const struct respond_conf *conf, struct store *store, struct responder **out,
    struct err *err) MUST_USE;
void responder_free(struct responder *responder);
/* Take up renewed responder certificates and new CAs; keeps the old ones on failure. The cache is
 * told of each CA whose certificate is another one now, or was withdrawn or reinstated. */
int responder_reload(struct responder *responder, struct store *store, struct err *err) MUST_USE;
/* 0 when there is a responder certificate and every one may sign at now, else -1 naming one that
 * may not. */
int responder_check(struct responder *responder, time_t now, struct err *err) MUST_USE;

struct respond_meta {
	int ocsp_status; /* 0 = successful: signed */
	bool cacheable;	 /* no nonce, nothing unknown or never issued: HTTP caches may keep it */
	time_t produced_at, next_update;
	unsigned ca; /* who signed, as an entry of the cache names it */
	uint64_t signer;
	unsigned good, revoked, unknown; /* single answers, for counting */
};

/*
 * Append the response for a request; there always is one (errors are OCSP errors, by the edge
 * table). store is the calling thread's read-only handle. err tells the cause for the log when
 * meta->ocsp_status is not 0.
 *  signed by the responder of the CA of the first CertID that has one; a CertID of any other
 *   CA, of no CA served, or with a hash not ours: unknown for that CertID, since this signer is
 *   not authorised for it (RFC 6960 4.2.2.2)
 *  a CA served is named, but none with a responder certificate (the root): unauthorized
 *  no CA served is named at all: unknown, signed by any responder
 *  never issued: unknown, or revoked(1970, certificateHold) + extended-revoke by configuration
 *  clock in doubt, database away, token away: tryLater; responder certificate ended, not begun,
 *   on hold or revoked: internalError
 * nextUpdate = producedAt + validity, cut to the responder certificate's end.
 */
void respond(struct responder *responder, struct store *store, const uint8_t *request, size_t len,
    struct buf *out, struct respond_meta *meta, struct err *err);
/*
 * The same in two parts: the first decides and hands over to the token, the second waits for the
 * signature. In between the thread may begin others. Each begun one is ended, by the same thread;
 * request is not read after the first, and responder stays until the end.
 */
struct respond_job;
struct respond_job *respond_begin(
    struct responder *responder, struct store *store, const uint8_t *request, size_t len);
void respond_end(
    struct respond_job *job, struct buf *out, struct respond_meta *meta, struct err *err);

#endif
