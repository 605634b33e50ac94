/*
 * The tokens that smkid signs with, and the way of each issuing CA's signature to its token. A
 * token may be away at start and come later; a CA never signs before its key was found to be its
 * certificate's.
 */
#ifndef SMKID_LANE_H
#define SMKID_LANE_H

#include "smki/caset.h"

struct lanes;

/*
 * For every CA of cas that is not a root and has a [ca NAME] section: its token is opened and its
 * key bound; ca->signer then goes through the lane, also while the token is away (its signatures
 * then fail fast with the reason). A token that cannot be opened is not a failure here, a key
 * that is missing, doubled or another one is. cas and home stay the caller's and must live longer.
 */
int lanes_open(const struct home *home, struct caset *cas, struct store *reader, struct lanes **out,
    struct err *err) MUST_USE;
void lanes_close(struct lanes *lanes);

/* Try again to open what is away, at most as often as its back-off allows. One thread. */
void lanes_retry(struct lanes *lanes, struct store *reader);

/* Signing threads of all tokens together: at least 1. */
size_t lanes_sessions(const struct lanes *lanes);
/* 0 when the CA's key is bound; else why not. Any thread. */
int lanes_check(struct lanes *lanes, const struct ca *ca, struct err *err) MUST_USE;
/* 0 when all tokens answer; else what is away. Any thread. */
int lanes_ready(struct lanes *lanes, struct err *err) MUST_USE;
/* 1 when a token's threads are lost for good: the process should end (75). */
int lanes_lost(struct lanes *lanes);

#endif
