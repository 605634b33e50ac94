/*
 * The register behind store.h's handle: meters that may enrol, imports, refusals, and the keys
 * that sign access tokens. Rules as in store.h: writes stand in a transaction, errors alike.
 *
 * A device of an unfinished import is seen by no function here but the import's own.
 */
#ifndef SMKI_STORE_DEVICE_H
#define SMKI_STORE_DEVICE_H

#include "smki/refusal.h"
#include "smki/store.h"

/* The database holds these numbers. RETIRED is final. */
enum device_state {
	DEVICE_ACTIVE = 0,
	DEVICE_HOLD = 1,
	DEVICE_RETIRED = 2,
};

/* How a device may prove itself, any combination; the database holds the bits. */
#define DEVICE_PROOF_IDEVID (1u << 0) /* certificate under the manufacturer's anchor */
#define DEVICE_PROOF_SECRET (1u << 1) /* one-time secret */
#define DEVICE_PROOF_KEY (1u << 2)    /* hash of its public key */

#define DEVICE_MODEL_LEN 65 /* UTF-8 text, with NUL */

struct device {
	int64_t id;
	struct eui64 eui;
	char hw_type[OID_TEXT_LEN];
	char manufacturer[NAME_LEN]; /* "" = none named */
	char model[DEVICE_MODEL_LEN];
	char region[NAME_LEN]; /* "" = chosen when it comes */
	unsigned proofs;       /* 0 = enrols only through operators */
	bool end_to_end;       /* only proofs that smkid checks itself */
	bool approved;
	enum device_state state;
	uint8_t secret[SHA256_LEN]; /* HMAC; with DEVICE_PROOF_SECRET only */
	bool secret_used;
	uint8_t secret_key[SHA256_LEN]; /* whose key (hash of its point) the secret is bound to */
	uint8_t key[SHA256_LEN]; /* SHA-256 of the SubjectPublicKeyInfo; DEVICE_PROOF_KEY only */
	time_t registered;
	int64_t import; /* 0 = added one by one */
};

/* Writes a "device" event. Known already: FAIL_CONFLICT naming it; in an unfinished import:
 * FAIL_CONFLICT, too. id, state, secret_used, registered and import of device are not read. */
int store_device_add(struct store *store, const struct store_actor *actor,
    const struct device *device, int64_t *id, struct err *err) MUST_USE;
/* FAIL_NOT_FOUND "device EUI64: is not registered". */
int store_device_get(
    struct store *store, const struct eui64 *eui, struct device *out, struct err *err) MUST_USE;

/* 0 / "" = any; rows in order of id. */
struct store_device_filter {
	bool by_state;
	enum device_state state;
	bool unapproved;
	char manufacturer[NAME_LEN];
	char region[NAME_LEN];
	int64_t after_id;
	int64_t limit; /* 0 = all */
};
int store_device_each(struct store *store, const struct store_device_filter *filter,
    int (*fn)(void *ctx, const struct device *device, struct err *err), void *ctx,
    struct err *err) MUST_USE;

enum device_action {
	DEVICE_DO_APPROVE = 1,
	DEVICE_DO_HOLD = 2,
	DEVICE_DO_RELEASE = 3,
	DEVICE_DO_RETIRE = 4,
};
/* One of these with its event ("device-hold", ...). A step that the database's table of device
 * transitions does not hold: FAIL_CONFLICT. Nothing to change: *changed false, no event. */
int store_device_change(struct store *store, const struct store_actor *actor, int64_t id,
    enum device_action action, bool *changed, struct err *err) MUST_USE;
/* A new secret's HMAC in place of the old, unused; adds DEVICE_PROOF_SECRET. "device-secret". */
int store_device_set_secret(struct store *store, const struct store_actor *actor, int64_t id,
    const uint8_t hmac[SHA256_LEN], struct err *err) MUST_USE;
/* Bind the secret to a key (hash of its point): once; again to the same key is no change, to
 * another FAIL_CONFLICT. Belongs into the transaction that records the certificate. */
int store_device_bind_secret(
    struct store *store, int64_t id, const uint8_t key_hash[SHA256_LEN], struct err *err) MUST_USE;
/* An event about a device: "rekey". certificate 0 = none. */
int store_device_event(struct store *store, const struct store_actor *actor, const char *action,
    int64_t device, int64_t certificate, struct err *err) MUST_USE;
/* Events of one device in order, as store_event_each. */
int store_device_event_each(struct store *store, int64_t device,
    int (*fn)(void *ctx, const struct store_event *event, struct err *err), void *ctx,
    struct err *err) MUST_USE;
/* Certificates issued to a device at or after since. */
int store_device_issued(struct store *store, const struct eui64 *eui, time_t since, int64_t *n,
    struct err *err) MUST_USE;

/* The current certificate of the holder and profile of this one: the newest that is not revoked and
 * has not ended at now. *id may be its own; 0 = there is none. */
int store_device_current(
    struct store *store, int64_t certificate, time_t now, int64_t *id, struct err *err) MUST_USE;

/* ---- imports: rows come in chunks, a transaction each, and are seen all at once at the end ---- */

/* name: the file's, for people. No event yet. */
int store_import_begin(struct store *store, const struct store_actor *actor, const char *name,
    int64_t *import, struct err *err) MUST_USE;
/* Add rows to an unfinished import. FAIL_CONFLICT for a device known already (or twice in the
 * import): *bad is its index, and the rows before it were added. An import that is not there, was
 * finished or dropped is FAIL_NOT_FOUND with *bad = n (so it is for finish, too). */
int store_import_add(struct store *store, const struct store_actor *actor, int64_t import,
    const struct device *devices, size_t n, size_t *bad, struct err *err) MUST_USE;
/* Make them visible, with one "import" event. count: what the caller added; another number in the
 * database is FAIL_CONFLICT. */
int store_import_finish(struct store *store, const struct store_actor *actor, int64_t import,
    int64_t count, struct err *err) MUST_USE;
/* Give up an unfinished import: from the first call on nothing is added to it and it cannot be
 * finished. Each call looks at limit (> 0) rows at most and removes the import's own; *left false
 * with the last. A finished one: FAIL_CONFLICT; none such: FAIL_NOT_FOUND. */
int store_import_drop(
    struct store *store, int64_t import, int64_t limit, bool *left, struct err *err) MUST_USE;
/* Imports neither finished nor wholly dropped, oldest first, at most cap. */
int store_import_unfinished(
    struct store *store, int64_t *out, size_t cap, size_t *n, struct err *err) MUST_USE;

/* ---- refusals: counted by who, reason and minute ---- */

/* Rows of one minute, at most; the database refuses more. */
#define STORE_REFUSALS_PER_MINUTE 1000
/* A device's EUI-64 in hex, an address, or "" for all who did not fit. */
#define STORE_REFUSED_LEN 64
struct store_refusal {
	int64_t minute; /* Unix time / 60 */
	char who[STORE_REFUSED_LEN];
	char reason[32]; /* refusal_str() */
	int64_t n;
};
/* Add n to the row, making it. Too many rows of that minute: FAIL_LIMIT. */
int store_refusal_add(
    struct store *store, const struct store_refusal *refusal, struct err *err) MUST_USE;
/* Newest first, at most cap. */
int store_refusals_of(struct store *store, const char *who, struct store_refusal *out, size_t cap,
    size_t *n, struct err *err) MUST_USE;
/* How many there were in this minute and since. */
int store_refusals_since(struct store *store, int64_t minute, int64_t *n, struct err *err) MUST_USE;
/* Remove at most limit rows of minutes before before_minute. */
int store_refusal_prune(
    struct store *store, int64_t before_minute, int64_t limit, struct err *err) MUST_USE;

/* ---- keys that sign access tokens ---- */

#define STORE_ACCESS_KEYS_MAX 16
struct store_access_key {
	int64_t id;
	char label[33];	   /* on the token */
	char kid[44];	   /* RFC 7638 thumbprint, base64url */
	struct ec_pub pub; /* P-256 */
	time_t made;
	time_t active_from; /* signs from then on, until the next one does */
};
/* Writes an "access-key" event. The label or kid known: FAIL_CONFLICT. */
int store_access_key_add(struct store *store, const struct store_actor *actor,
    const struct store_access_key *key, struct err *err) MUST_USE;
/* The newest STORE_ACCESS_KEYS_MAX, oldest of them first. */
int store_access_key_list(struct store *store, struct store_access_key out[STORE_ACCESS_KEYS_MAX],
    size_t *n, struct err *err) MUST_USE;

#endif
