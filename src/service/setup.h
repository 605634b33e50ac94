/*
 * What the parts of setup share: private to setup*.c.
 */
#ifndef SERVICE_SETUP_H
#define SERVICE_SETUP_H

#include "smki/access.h"
#include "smki/setup.h"
#include "smki/sign.h"

/* Label of the first key for access tokens. */
#define SETUP_ACCESS_KEY ACCESS_LABEL "1"

/* Names of the three tokens, their folders, PIN files and key labels, by enum setup_token. */
extern const char *const setup_token_name[SETUP_TOKENS];

/* Everything made so far. */
struct setup_state {
	const struct setup *setup;
	char dir[HOME_PATH_MAX];
	struct hsm_conf token[SETUP_TOKENS];
	struct profiles profiles;
	struct ec_pub pub[SETUP_TOKENS]; /* public keys on the tokens */
	struct ec_pub access;		 /* of the first key for access tokens */
	time_t now;
};

/* dir/rel (rel by printf) into out. */
int setup_path(const struct setup_state *state, char out[HOME_PATH_MAX], struct err *err,
    const char *fmt, ...) __attribute__((format(printf, 4, 5))) MUST_USE;
/* Give path (with all below it) to an owner, when root sets up for others. -1 = leave. */
int setup_own(const char *path, uid_t uid, gid_t gid, struct err *err) MUST_USE;
uid_t setup_token_uid(const struct setup *setup, enum setup_token which);
void setup_say(const struct setup *setup, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* policies/, and the profiles in it: they decide the curves of the keys. */
int setup_policies(struct setup_state *state, struct err *err) MUST_USE;

/* Configuration of each token; SoftHSM tokens are initialised with PINs of their own. */
int setup_tokens(struct setup_state *state, struct err *err) MUST_USE;
/* At the end, because a PIN file of another user is not read: the tokens' files and PINs to the
 * daemons that will use them. */
int setup_tokens_own(const struct setup_state *state, struct err *err) MUST_USE;
/* Generate the key of one token and remember its public half. */
int setup_key(struct setup_state *state, enum setup_token which, enum ec_curve curve,
    struct err *err) MUST_USE;

/* Generate the first key for access tokens, beside the issuing CA's. */
int setup_access_key(struct setup_state *state, struct err *err) MUST_USE;

/* Database, CAs, responder, TLS certificate, root CRL. */
int setup_authority(struct setup_state *state, struct err *err) MUST_USE;

#endif
