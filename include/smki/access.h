/*
 * Access tokens for meters: OAuth 2.0 client credentials bound to the TLS certificate (RFC 6749
 * 4.4, RFC 8705). Subject, binding and scopes come from the recorded certificate and its profile,
 * so that a lying front gets a token which only the real device can use. Keys are on the issuing
 * CA's token; they sign nothing else.
 */
#ifndef SMKI_ACCESS_H
#define SMKI_ACCESS_H

#include "smki/home.h"
#include "smki/jwt.h"
#include "smki/refusals.h"
#include "smki/store_device.h"
#include "smki/timeguard.h"

/* A new key signs this long after it was published: caches of the key set have taken it up. */
#define ACCESS_PUBLISH_S 1800
#define ACCESS_TOKEN_MAX 2048

struct access_request {
	struct buf der;		      /* certificate of the TLS peer */
	char scope[JWT_TEXT_LEN];     /* asked for, "" = all that it may have */
	char client[HOLDER_TEXT_LEN]; /* client_id, "" = none: must be the device's EUI-64 */
	char address[64];	      /* for counting */
};
void access_request_free(struct access_request *request);

struct access_answer {
	bool refused;
	enum refusal reason;
	struct err err;
	char token[ACCESS_TOKEN_MAX];
	char scope[JWT_TEXT_LEN];
	long expires_in;
};

struct access; /* shared by all workers */

struct access_conf {
	const struct home *home;
	const struct profiles *profiles;
	struct timeguard *guard;
	struct refusals *refusals;
	/* The signer of the access key with this label, or -1: lent until access_free. */
	int (*signer)(void *ctx, const char *label, struct signer *out, struct err *err);
	void *ctx;
};
int access_new(const struct access_conf *conf, struct access **out, struct err *err) MUST_USE;
void access_free(struct access *access);
/*
 * Judge and sign, in the calling thread. Refused (answer, 0): certificate not ours byte for byte,
 * on hold, revoked, ended, not a device's signature certificate, device not active in the register,
 * profile without scopes, a scope it may not have, another client_id. -1: could not judge or sign
 * (no key: FAIL_UNAVAILABLE "access: no key; make one with: smki token-key new").
 */
int access_run(struct access *access, struct access_request *request, struct store *reader,
    struct access_answer *out, struct err *err) MUST_USE;

/* The key that signs at now: the newest with active_from <= now; when none is active yet, the
 * oldest. NULL when n is 0. */
const struct store_access_key *access_key_now(
    const struct store_access_key *keys, size_t n, time_t now);
/* Whether the key is to be published at now: not yet replaced for as long as its last token lives
 * (lifetime seconds) and clocks differ. */
bool access_key_is_published(
    const struct store_access_key *keys, size_t n, size_t i, time_t now, long lifetime);

#endif
