/*
 * Whose certificate a TLS peer showed. The handshake proved its key and nothing else: here it is
 * told apart whether it is one of ours, a manufacturer's, or nobody's.
 */
#ifndef SMKI_HTTPD_PEER_H
#define SMKI_HTTPD_PEER_H

#include "http.h"
#include "route.h"
#include "smki/anchor.h"

enum peer_kind {
	PEER_NONE = 0, /* showed none */
	PEER_OURS,     /* a device's signature certificate of ours, valid now */
	PEER_IDEVID,   /* its chain verifies under a manufacturer's anchor */
};

struct peer {
	enum peer_kind kind;
	size_t n_chain; /* what is evidence: ours alone, a manufacturer's with its chain */
	struct span chain[ANCHOR_CHAIN_MAX]; /* borrowed from the request */
	struct holder holder;		     /* PEER_OURS */
};

/*
 * Judge the peer of a request. Its state is read from the database on every request, so a hold
 * also ends what an open connection may do. -1 with *why, which nobody has counted yet: FAIL_DENIED
 * for on hold, revoked (REFUSAL_STATE), ended, nobody's; FAIL_INVALID for what is no chain; without
 * a database FAIL_UNAVAILABLE, *why is REFUSAL_NONE then.
 */
int peer_judge(struct route_ctx *ctx, const struct http_request *request, struct peer *out,
    enum refusal *why, struct err *err) MUST_USE;

/* Verdicts about manufacturers' chains, kept for a minute and for one reading of the anchors; never
 * a state of ours. Any thread. */
struct peer_cache;
struct peer_cache *peer_cache_new(void);
void peer_cache_free(struct peer_cache *cache);

#endif
