/*
 * The database behind one header: SQLite today, another engine later; no vendor type here.
 *
 * A handle belongs to one thread at a time. One process writes (STORE_WRITE); any number read.
 * The schema itself refuses illegal rows (schema/); such a refusal arrives here as FAIL_CONFLICT
 * with the trigger's own words. BUSY, FULL, IOERR and the like are FAIL_UNAVAILABLE.
 */
#ifndef SMKI_STORE_H
#define SMKI_STORE_H

#include "smki/types.h"

struct store;

enum store_mode {
	STORE_CREATE = 1, /* new file, must not exist; schema applied; then as STORE_WRITE */
	STORE_WRITE,
	STORE_READ,
};

/* How long a statement waits for another process's lock, in milliseconds. */
#define STORE_BUSY_MS 2000

/*
 * Open path. WRITE: WAL, synchronous=FULL, foreign keys, busy timeout, PERSIST_WAL, and pending
 * schema files applied in order. READ: read-only, same file. A file that is not a smki database
 * or has a newer schema: FAIL_INVALID. Missing: FAIL_NOT_FOUND. CREATE on an existing file:
 * FAIL_CONFLICT; a failed CREATE leaves no file. READ of an older schema: FAIL_UNAVAILABLE.
 */
int store_open(
    const char *path, enum store_mode mode, struct store **out, struct err *err) MUST_USE;
/* What is told on the way. */
struct store_told {
	/* Before the schema is brought from one version to another, for which all rows may have to
	 * be written anew: at ten million in minutes. */
	void (*schema)(void *ctx, int64_t from, int64_t to);
	void *ctx;
};
/* As store_open() for STORE_WRITE. */
int store_open_telling(
    const char *path, const struct store_told *told, struct store **out, struct err *err) MUST_USE;
/* How many MiB of the database's pages the handle keeps, instead of the 40 of a writer and the 4 of
 * a reader. They are taken as pages are read. */
int store_cache(struct store *store, long mib, struct err *err) MUST_USE;
/* Rolls back what is open. NULL is fine. */
void store_close(struct store *store);
/* 1 when another file lies at path by now, or none: what is read here is of the past, and no
 * failure will tell. */
int store_is_moved(const struct store *store);

/*
 * Write transaction (takes the write lock at once) and a savepoint inside it, one level. Every
 * function below that writes a row needs one (store_setting_put alone does not): without it, also
 * when SQLite rolled it back by itself, they are FAIL_UNAVAILABLE. A write that fails may leave the
 * rows it began with: undo the savepoint or roll back.
 */
int store_begin(struct store *store, struct err *err) MUST_USE;
/*
 * FAIL_UNAVAILABLE with *fatal false: the lock was busy or the disk has no room, the transaction is
 * rolled back, try again; the same when the transaction was rolled back before. Any other failure
 * sets *fatal: what is on disk is uncertain and the process must end.
 */
int store_commit(struct store *store, bool *fatal, struct err *err) MUST_USE;
void store_rollback(struct store *store);
/* 1 while a transaction is open: SQLite may have rolled back by itself after a failure. */
int store_in_transaction(const struct store *store);
int store_savepoint(struct store *store, struct err *err) MUST_USE;
int store_release(struct store *store, struct err *err) MUST_USE;
/* Back to the savepoint, and release it. FAIL_LIMIT: the transaction is larger than the page cache,
 * roll it back. */
int store_undo(struct store *store, struct err *err) MUST_USE;

/* One consistent view over several reads, as of now (READ or WRITE handle, outside a transaction).
 * What it sees is committed. One within another is the outer one, which lasts until both have ended.
 */
int store_view_begin(struct store *store, struct err *err) MUST_USE;
void store_view_end(struct store *store);

/* Frames (pages of 4096 octets) in the WAL, and those of them that are copied into the database. A
 * WAL whose frames are all copied, and which nobody reads from, is begun anew by the next write. */
struct store_wal {
	int64_t frames, copied; /* both -1: another handle is at a checkpoint right now */
};
/*
 * Passive checkpoint of the WAL by a STORE_WRITE handle outside a transaction: it copies what no
 * reader stands before, waits for nobody, and keeps no other handle from committing. out may be
 * NULL. FAIL_UNAVAILABLE: the WAL stays valid and nothing is lost, try again later. FAIL_INTERNAL:
 * an fsync failed; what is in the database file is uncertain until a start reads the whole WAL again,
 * and the process must end before the WAL is begun anew.
 */
int store_checkpoint(struct store *store, struct store_wal *out, struct err *err) MUST_USE;
/* fsync of the database file. The pass that leaves nothing in the WAL does it by itself; after
 * others this makes that fsync short. Fails as above with FAIL_INTERNAL. */
int store_sync(struct store *store, struct err *err) MUST_USE;
/* A COMMIT that finds the WAL at 64 MiB checkpoints it. Not on this handle from here on: another
 * one of the process does. */
void store_checkpoints_elsewhere(struct store *store);
/* Frames in the WAL after this handle's newest commit; 0 before it, and when that wrote nothing.
 * Only after store_checkpoints_elsewhere. */
int64_t store_wal_frames(const struct store *store);

/* ---- events ---- */

/* Who does it and when: goes into the event row. now is what clock_record_time() gave. */
struct store_actor {
	long uid; /* ACTOR_SELF for the service itself */
	time_t now;
	const char *detail; /* NULL = ""; cut to DETAIL_LEN */
};

struct store_event {
	int64_t id;
	time_t time;
	long actor;
	char action[16];
	int64_t ca, certificate, holder; /* 0 = none */
	int64_t device;			 /* in the register, 0 = none */
	int from_state, to_state;	 /* -1 = none */
	int reason;			 /* -1 = none */
	time_t invalid_since;		 /* 0 = none */
	char detail[DETAIL_LEN];
};

/* An event that belongs to no certificate: "init", "ca", "responder", "clock-accept", "crl". */
int store_event_add(struct store *store, const struct store_actor *actor, const char *action,
    int64_t ca, struct err *err) MUST_USE;
/* Number and time of the newest event; 0 and 0 in an empty database. */
int store_event_newest(struct store *store, int64_t *id, time_t *time, struct err *err) MUST_USE;
/* Number of the newest "clock-accept" event, 0 when there is none. */
int store_clock_accepted(struct store *store, int64_t *id, struct err *err) MUST_USE;
/* Number of the newest event that changed a certificate's state, 0 when there is none. */
int store_changed_newest(struct store *store, int64_t *event, struct err *err) MUST_USE;
/* Whose state changed by events after after_event, in their order; one may come several times. */
int store_changed_each(struct store *store, int64_t after_event,
    int (*fn)(void *ctx, const struct serial *serial, int64_t event, struct err *err), void *ctx,
    struct err *err) MUST_USE;
/*
 * Events of one certificate in order; stops when fn returns non-zero and returns -1 with fn's err.
 * In all functions that call a fn it may use the store for other reads, not for the same; rows are
 * read one by one, so memory does not grow with their number.
 */
int store_event_each(struct store *store, int64_t certificate,
    int (*fn)(void *ctx, const struct store_event *event, struct err *err), void *ctx,
    struct err *err) MUST_USE;

/* ---- CAs ---- */

#define STORE_CAS_MAX 32

struct store_ca {
	int64_t id;
	char name[NAME_LEN];
	int64_t parent;	     /* own id for a root */
	int64_t certificate; /* 0 = not set yet */
	int64_t changed_event;
	int64_t responder; /* certificate id, 0 = none */
};

/* parent 0 = root (its own parent). Writes a "ca" event. */
int store_ca_add(struct store *store, const struct store_actor *actor, const char *name,
    int64_t parent, int64_t *id, struct err *err) MUST_USE;
/* Once; use USE_CA, issued by the parent (itself for a root), else FAIL_CONFLICT. */
int store_ca_set_certificate(
    struct store *store, int64_t ca, int64_t certificate, struct err *err) MUST_USE;
/* All CAs by id; at most STORE_CAS_MAX. */
int store_ca_list(struct store *store, struct store_ca *out, size_t *n, struct err *err) MUST_USE;
/* The OCSP responder certificate now in use for this CA: use USE_OCSP, issued by this CA, else
 * FAIL_CONFLICT. Writes a "responder" event. */
int store_responder_set(struct store *store, const struct store_actor *actor, int64_t ca,
    int64_t certificate, struct err *err) MUST_USE;

/* ---- certificates ---- */

struct store_cert {
	int64_t id;
	int64_t ca;
	char ca_name[NAME_LEN];
	struct serial serial;
	char profile[NAME_LEN];
	struct holder holder;
	enum key_use use;
	uint8_t key_hash[SHA256_LEN];
	time_t not_before, not_after;
	int64_t replaces; /* 0 = none */
	enum cert_state state;
	enum crl_reason reason; /* REASON_UNSPECIFIED when valid */
	time_t changed;
	time_t invalid_since; /* 0 = none */
	int64_t event;
};

/* What issuing records. der is the whole signed certificate. */
struct store_new_cert {
	int64_t ca;
	struct serial serial;
	const char *profile;
	struct holder holder;
	enum key_use use;
	uint8_t key_hash[SHA256_LEN];
	time_t not_before, not_after;
	bool on_hold;
	int64_t replaces;
	struct span der;
	/* The URI of the shard (store_crl.h) that stands in der, NULL = none does; and its number. */
	const char *shard_uri;
	int64_t shard;
};

/*
 * Record an issued certificate inside a transaction: the holder's row when it is new (and no
 * device: a "holder" event), its bytes, the "issue" event, the certificate. A device that the
 * register does not know is added to it first (a "device" event), to enrol through operators only;
 * but one that came over the front (ACTOR_FRONT) is FAIL_DENIED. FAIL_CONFLICT with the rule's
 * words when a rule of the schema refuses it (also: on hold in the register, retired, not
 * approved), and when a device is registered with another hwType. A serial already taken is
 * FAIL_CONFLICT with *serial_taken true (draw another). A shard's URI is kept at its first use;
 * with another one than that: FAIL_CONFLICT.
 */
int store_cert_add(struct store *store, const struct store_actor *actor,
    const struct store_new_cert *cert, int64_t *id, bool *serial_taken, struct err *err) MUST_USE;

/* FAIL_NOT_FOUND when there is none. */
int store_cert_get(
    struct store *store, int64_t id, struct store_cert *out, struct err *err) MUST_USE;
int store_cert_find(struct store *store, int64_t ca, const struct serial *serial,
    struct store_cert *out, struct err *err) MUST_USE;
/* Appends the bytes to der. */
int store_cert_der(struct store *store, int64_t id, struct buf *der, struct err *err) MUST_USE;

/* The few columns that a status answer needs: found by three indexes. FAIL_NOT_FOUND as above. */
struct store_status {
	enum cert_state state;
	enum crl_reason reason;
	time_t changed;
};
int store_status_get(struct store *store, int64_t ca, const struct serial *serial,
    struct store_status *out, struct err *err) MUST_USE;

/* Rows with this serial under any CA, this key, this holder (newest first). *n <= cap; one more
 * than fits is FAIL_LIMIT. */
int store_certs_by_serial(struct store *store, const struct serial *serial, struct store_cert *out,
    size_t cap, size_t *n, struct err *err) MUST_USE;
/* The row of the certificate that is der octet for octet, whose serial this is: *out and *found, or
 * not *found. */
int store_cert_match(struct store *store, const struct serial *serial, struct span der,
    struct store_cert *out, bool *found, struct err *err) MUST_USE;
int store_certs_by_key(struct store *store, const uint8_t key_hash[SHA256_LEN],
    struct store_cert *out, size_t cap, size_t *n, struct err *err) MUST_USE;
int store_certs_by_holder(struct store *store, enum holder_kind kind, const uint8_t *name,
    size_t name_len, struct store_cert *out, size_t cap, size_t *n, struct err *err) MUST_USE;
/* The holder itself. FAIL_NOT_FOUND. */
int store_holder_get(struct store *store, enum holder_kind kind, const uint8_t *name,
    size_t name_len, struct holder *out, struct err *err) MUST_USE;

/*
 * A filter for lists: 0 / empty = any. Rows come in order of id, and after_id continues a list.
 * With since, and of those on hold or revoked (unless of one device), they come in order of their
 * newest change (event), each once a call, and after_event continues the list: what changed again
 * meanwhile comes again, at the end. The other of the two is FAIL_INTERNAL.
 */
struct store_filter {
	bool by_state;
	enum cert_state state;
	int64_t ca;
	bool by_device;
	struct eui64 device;
	time_t since; /* changed at or after */
	int64_t after_id;
	int64_t after_event;
	int64_t limit; /* 0 = all */
};
/* Which of the two orders. */
bool store_filter_by_event(const struct store_filter *filter) MUST_USE;
int store_cert_each(struct store *store, const struct store_filter *filter,
    int (*fn)(void *ctx, const struct store_cert *cert, struct err *err), void *ctx,
    struct err *err) MUST_USE;

/*
 * Change a state inside a transaction, by its event (action from the transition). With
 * reason keyCompromise the key is blocked too (a "key-blocked" event). The database refuses what
 * is illegal: FAIL_CONFLICT. reason and invalid_since are for CERT_REVOKED; a hold gets reason 6.
 */
struct store_change {
	enum cert_state to;
	enum crl_reason reason;
	time_t invalid_since; /* 0 = none */
};
int store_cert_change(struct store *store, const struct store_actor *actor, int64_t certificate,
    const struct store_change *change, struct err *err) MUST_USE;

/* What changes move (state, reason, changed, invalid_since, event), read again by
 * cert->id into cert. FAIL_NOT_FOUND when there is none. */
int store_cert_now(struct store *store, struct store_cert *cert, struct err *err) MUST_USE;

/* Numbers of certificates of a CA by state. */
struct store_tally {
	int64_t valid, hold, revoked;
};
int store_tally(struct store *store, int64_t ca, struct store_tally *out, struct err *err) MUST_USE;

/* A value of the setting table ("certificates_per_device"). No such name: FAIL_NOT_FOUND. */
int store_setting_put(
    struct store *store, const char *name, int64_t value, struct err *err) MUST_USE;

/* ---- CRLs ---- */

struct store_crl {
	int64_t ca;
	int64_t number;
	int64_t event;
	time_t this_update, next_update;
	int64_t entries;
	int64_t size;
	uint8_t sha256[SHA256_LEN];
	int64_t base; /* a delta's: number of the complete list that it continues; 0 = no delta */
};

/* Take the next number (inside a transaction; it is used only after COMMIT). */
int store_crl_take(
    struct store *store, int64_t ca, time_t now, int64_t *number, struct err *err) MUST_USE;
/*
 * Record a durable file. Writes a "crl" event. FAIL_CONFLICT when one with a larger number, event
 * or this_update is finished (a clock acceptance since then frees this_update): take this_update
 * from clock_record_time(). A number never taken: FAIL_NOT_FOUND.
 */
int store_crl_finish(struct store *store, const struct store_actor *actor,
    const struct store_crl *crl, struct err *err) MUST_USE;
/* Newest finished complete list. FAIL_NOT_FOUND. Deltas and shards: store_crl.h. */
int store_crl_newest(
    struct store *store, int64_t ca, struct store_crl *out, struct err *err) MUST_USE;

/* What is on the list: state on hold or revoked, by the event that made it so. */
struct store_listed {
	struct serial serial;
	enum crl_reason reason;
	time_t changed;
	time_t invalid_since;
};
int store_listed_each(struct store *store, int64_t ca,
    int (*fn)(void *ctx, const struct store_listed *listed, struct err *err), void *ctx,
    struct err *err) MUST_USE;

#endif
