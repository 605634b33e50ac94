/*
 * The tokens that smkid signs with, and the way of each signature to its token: an issuing CA's,
 * an access token's. A token may be away at start and come later; a CA never signs before its key
 * was found to be its certificate's, nor an access key before it was found to be the recorded one.
 */
#ifndef SMKID_LANE_H
#define SMKID_LANE_H

#include "smki/access.h"
#include "smki/caset.h"

struct lanes;

/*
 * For every CA of cas that is not a root and has a [ca NAME] section: its token is opened and its
 * key bound; ca->signer then goes through the lane, also while the token is away (its signatures
 * then fail fast with the reason). A token that cannot be opened is not a failure here, a CA's key
 * that is missing, doubled or another one is. A recorded access key that is not on [access] token
 * is told in the log and left out. cas and home stay the caller's and must live longer.
 */
int lanes_open(const struct home *home, struct caset *cas, struct store *reader, struct lanes **out,
    struct err *err) MUST_USE;
void lanes_close(struct lanes *lanes);

/* Try again to open what is away, at most as often as its back-off allows. One thread. */
void lanes_retry(struct lanes *lanes, struct store *reader);

/*
 * The signer of the access key with this label (struct access_conf's, ctx = the lanes). Its token
 * away: the reason, at once. Not on its token, or another key there: FAIL_NOT_FOUND. Any thread.
 */
int lanes_access_signer(void *ctx, const char *label, struct signer *out, struct err *err) MUST_USE;
/* Find a key that was made since on its token, and sign with it from now on when asked to. pub is
 * what it must be: FAIL_CONFLICT. Speaks to the token and may take seconds. */
int lanes_access_add(
    struct lanes *lanes, const char *label, const struct ec_pub *pub, struct err *err) MUST_USE;

/* Signing threads of all tokens together: at least 1. */
size_t lanes_sessions(const struct lanes *lanes);
/* 0 when the CA's key is bound; else why not. Any thread. */
int lanes_check(struct lanes *lanes, const struct ca *ca, struct err *err) MUST_USE;
/* 0 when all tokens answer; else what is away. Any thread. */
int lanes_ready(struct lanes *lanes, struct err *err) MUST_USE;
/* 1 when a token's threads are lost for good: the process should end (75). */
int lanes_lost(struct lanes *lanes);

#endif
