/*
 * Signed OCSP responses, kept while they are true: an entry is good while the status page's mark
 * is the one that the cache has followed (statuspage.h). Bounded memory; any thread.
 *
 * What makes it exact: a mark is taken from the page before the certificate's state is read, and a
 * response is stored only if its certificate was not changed between that mark and the cache's, and
 * if its database is still the one. An entry names who signed it, and is good only while that one
 * signs for its CA.
 */
#ifndef SMKI_OCSPCACHE_H
#define SMKI_OCSPCACHE_H

#include <stdatomic.h>

#include "smki/ocsp.h"
#include "smki/statuspage.h"
#include "smki/store.h"

/* Longest CertID and response that are kept. */
#define OCSPCACHE_ID_MAX 128
#define OCSPCACHE_RESPONSE_MAX 1536
/* Octets that the ready form of one entry is taken to need. */
#define OCSPCACHE_READY_OCTETS 1024
/* Seconds until an entry that somebody was told to make anew, and did not, is tried again. */
#define OCSPCACHE_RENEW_PAUSE 30

struct ocspcache;

/* octets: memory for entries and their ready forms, at most, but for a few of each shard. */
struct ocspcache *ocspcache_new(size_t octets);
/* Nobody holds an entry any more. */
void ocspcache_free(struct ocspcache *cache);
/* Forget all: another database. */
void ocspcache_flush(struct ocspcache *cache);
/* How many times so far: what is read from a database that was seen in its place after this was
 * asked is true until the number changes. */
uint64_t ocspcache_flushes(const struct ocspcache *cache);
/*
 * Who signs for a CA from now on: entries of that CA that name another signer are neither found nor
 * stored. ca: its place, below STORE_CAS_MAX. signer: a number that stands for one responder
 * certificate in use; 0 for all CAs at first. Waits for nobody.
 */
void ocspcache_signer(struct ocspcache *cache, unsigned ca, uint64_t signer);

struct ocspcache_entry {
	uint8_t sha256[SHA256_LEN]; /* of the response: its ETag */
	time_t produced_at, next_update;
	uint64_t signer;  /* who signed it for the CA at place ca: ocspcache_signer */
	uint64_t flushes; /* ocspcache_flushes of the database that its state was read from */
	unsigned ca;
	enum ocsp_status status;
	size_t len;
	uint8_t response[OCSPCACHE_RESPONSE_MAX]; /* last: kept as far as it goes */
};

/* An entry as the cache keeps it: shared, and never changed once it can be found. */
struct ocspcache_kept {
	atomic_uint users;     /* the cache, until it drops it, and each who was handed it */
	atomic_uint refs;      /* all users together, and each ocspcache_ref */
	_Atomic(void *) ready; /* what one of the users made of it, to send it again; NULL = none */
	_Atomic(void (*)(void *ready)) end;
	struct serial serial;
	size_t id_len;
	uint8_t id[OCSPCACHE_ID_MAX];
	struct ocspcache_entry entry; /* last */
};

/*
 * The entry of a CertID as received, when it may be sent at now under mark (what the page says at
 * this moment). It is the caller's to use until ocspcache_drop. *refresh: it is past half of its
 * life and nobody was told so within OCSPCACHE_RENEW_PAUSE; whoever is told should make a new one,
 * and may still send this one when that fails. NULL: none, or the cache has not followed to mark.
 */
struct ocspcache_kept *ocspcache_get(struct ocspcache *cache, const struct statusmark *mark,
    const struct ocsp_id *id, time_t now, bool *refresh);
/* Any thread, also after the cache let go of it. */
void ocspcache_drop(struct ocspcache_kept *kept);
/*
 * Give an entry that the caller uses its ready form: false when it has one already; this one stays
 * the caller's then. end is called with it when the last user drops the entry. What it needs of
 * the entry's octets stays there as long as a reference is held, which may outlast all users.
 */
bool ocspcache_ready(struct ocspcache_kept *kept, void *ready, void (*end)(void *ready)) MUST_USE;
void ocspcache_ref(struct ocspcache_kept *kept);
void ocspcache_unref(struct ocspcache_kept *kept);
/*
 * Drop what changed up to now's mark: reads the changed serials from store. mark was taken from
 * the page before; nothing to do when the cache is there already. FAIL_UNAVAILABLE as the store's,
 * and when the cache was flushed since flushes (of the store, as an entry's): the changes are not
 * known there. The cache then answers nothing.
 */
int ocspcache_follow(struct ocspcache *cache, const struct statusmark *mark, struct store *store,
    uint64_t flushes, struct err *err) MUST_USE;
/*
 * Make the answer of a CertID the caller's to sign: true. When another thread signs for it already
 * under the same mark, wait for that one and return false: look again. Each true needs a release
 * of *claim, which may be NULL.
 */
struct ocspcache_claim;
bool ocspcache_claim(struct ocspcache *cache, const struct statusmark *mark,
    const struct ocsp_id *id, struct ocspcache_claim **claim);
void ocspcache_release(struct ocspcache *cache, struct ocspcache_claim *claim);
/* Store a response whose state was read after mark was taken; not stored when its certificate has
 * changed since, or that cannot be told, when another signs for its CA by now, or when the cache was
 * flushed since. */
void ocspcache_put(struct ocspcache *cache, const struct statusmark *mark, const struct ocsp_id *id,
    const struct ocspcache_entry *entry);

struct ocspcache_counts {
	uint64_t hits, misses, dropped, evicted;
	size_t entries;
};
void ocspcache_counts(struct ocspcache *cache, struct ocspcache_counts *out);

#endif
