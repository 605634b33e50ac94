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
#include "smki/wire.h"

/* A new key signs this long after it was published: caches of the key set have taken it up. */
#define ACCESS_PUBLISH_S 1800
/* Clocks of those who verify tokens may be off by this much. */
#define ACCESS_SKEW_S 300
/* Labels of the keys on their token: this and a number from 1. */
#define ACCESS_LABEL "access-"
/* The number of a label of this form, 0 for any other: no other key of the token, a CA's above all,
 * ever signs tokens. */
unsigned long access_label_number(const char *label);
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
 * profile without scopes, a scope it may not have, another client_id, over 30 of a device in a
 * minute (FAIL_LIMIT). -1: could not judge or sign
 * (no key: FAIL_UNAVAILABLE "access: no key; make one with: smki token-key new").
 */
int access_run(struct access *access, struct access_request *request, struct store *reader,
    struct access_answer *out, struct err *err) MUST_USE;

/* The key that signs at now: the newest with active_from <= now; when none is active yet, the
 * oldest. NULL when n is 0. */
const struct store_access_key *access_key_now(
    const struct store_access_key *keys, size_t n, time_t now);
/* Whether the key is to be published at now: not yet replaced for as long as its last token lives
 * (lifetime seconds) and clocks differ. The key that signs is published at every instant. */
bool access_key_is_published(
    const struct store_access_key *keys, size_t n, size_t i, time_t now, long lifetime);

/* ---- ADMIN_ACCESS_KEY and ADMIN_ACCESS_KEYS ---- */

/* One key inside a message; get leaves the verdict to wire_end. */
void access_key_put(struct buf *msg, const struct store_access_key *key);
void access_key_get(struct wire_in *in, struct store_access_key *out);
/* The whole payload of a list. */
void access_keys_put(struct buf *msg, const struct store_access_key *keys, size_t n);
int access_keys_get(struct wire_in *in, struct store_access_key out[STORE_ACCESS_KEYS_MAX],
    size_t *n, struct err *err) MUST_USE;

#endif
