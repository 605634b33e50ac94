/*
 * The cache of signed status answers. It knows no HTTP and signs nothing; what it promises is that
 * an answer which a committed change made untrue is never found in it.
 *
 * Two locks: the follow lock is held for writing while changes are taken in, and for reading while
 * an entry is stored; a shard's lock while its entries are looked at. The hit path takes one
 * shard's lock and no other.
 */
#include <openssl/rand.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "smki/mem.h"
#include "smki/ocspcache.h"

#define CACHE_SHARDS 64
/* Changed serials that are remembered, so that an answer made meanwhile for another is stored. */
#define CACHE_CHANGED 256
/* Slots of one bucket: an entry stands in one of them or nowhere. */
#define CACHE_WAYS 8

/* Small, so that those asked for stay near: what an entry is for lies with it. */
struct cache_slot {
	struct ocspcache_kept *kept; /* NULL = empty */
	uint32_t told;		     /* when somebody was to make it anew, low bits; 0 = never */
	bool used;
};

struct cache_shard {
	pthread_mutex_t lock;
	/* Buckets of CACHE_WAYS each. Most slots are told apart by a tag of the serial. */
	uint32_t *tags;
	struct cache_slot *slots;
	size_t entries;
	uint64_t hits, misses;
	unsigned hand;
};

/* The bucket where a serial's entries are, if anywhere. */
struct cache_place {
	struct cache_shard *shard;
	uint32_t *tags;
	struct cache_slot *slots;
	uint32_t tag;
};

/* A CertID that a thread signs for now. */
struct ocspcache_claim {
	struct ocspcache_claim *next;
	struct statusmark mark;
	uint8_t id[OCSPCACHE_ID_MAX];
	size_t id_len;
};

struct ocspcache {
	size_t n_buckets; /* of one shard */
	uint64_t seed;
	/* Under follow for writing; read without it on the hit path. */
	_Atomic uint64_t epoch, generation;
	_Atomic uint64_t signer[STORE_CAS_MAX]; /* who signs now, by place of the CA */
	_Atomic uint64_t flushes;
	struct cache_shard shard[CACHE_SHARDS];
	pthread_rwlock_t follow;
	/* Under follow: the newest changes, a ring. */
	struct {
		struct serial serial;
		uint64_t generation;
	} changed[CACHE_CHANGED];
	uint64_t n_changed;
	uint64_t floor; /* what changed before this generation was never taken in */
	pthread_mutex_t claim_lock;
	pthread_cond_t claim_ended;
	struct ocspcache_claim *claims;
	_Atomic uint64_t misses; /* of those who were not let as far as a shard */
	_Atomic uint64_t dropped, evicted;
};

/* Serials are the CA's random numbers, but CertIDs come from strangers: hence a secret seed. */
static uint64_t
cache_hash(const struct ocspcache *cache, const struct serial *serial)
{
	uint64_t h = cache->seed ^ serial->len;

	for (size_t i = 0; i < serial->len; i++) {
		h = (h ^ serial->octets[i]) * UINT64_C(0x9e3779b97f4a7c15);
		h ^= h >> 29;
	}
	return h ^ h >> 32;
}

static struct cache_place
cache_place(struct ocspcache *cache, const struct serial *serial)
{
	uint64_t h = cache_hash(cache, serial);
	struct cache_shard *shard = &cache->shard[h % CACHE_SHARDS];
	size_t first = h / CACHE_SHARDS % cache->n_buckets * CACHE_WAYS;

	return (struct cache_place){
		.shard = shard,
		.tags = &shard->tags[first],
		.slots = &shard->slots[first],
		.tag = (uint32_t)(h >> 32),
	};
}

/* The way of this CertID, or -1. The shard's lock is held. */
static int
cache_find(const struct cache_place *place, const struct ocsp_id *id)
{
	for (int i = 0; i < CACHE_WAYS; i++) {
		const struct ocspcache_kept *kept = place->slots[i].kept;

		if (place->tags[i] == place->tag && kept != NULL && kept->id_len == id->whole.len &&
		    memcmp(kept->id, id->whole.p, id->whole.len) == 0)
			return i;
	}
	return -1;
}

void
ocspcache_ref(struct ocspcache_kept *kept)
{
	atomic_fetch_add(&kept->refs, 1);
}

void
ocspcache_unref(struct ocspcache_kept *kept)
{
	if (atomic_fetch_sub(&kept->refs, 1) == 1)
		free(kept);
}

void
ocspcache_drop(struct ocspcache_kept *kept)
{
	void *ready;

	if (atomic_fetch_sub(&kept->users, 1) > 1)
		return;
	ready = atomic_load(&kept->ready);
	if (ready != NULL)
		atomic_load (&kept->end)(ready);
	ocspcache_unref(kept);
}

bool
ocspcache_ready(struct ocspcache_kept *kept, void *ready, void (*end)(void *ready))
{
	void *none = NULL;

	/* Who is first with ready has it ended by his own function or by an equal one. */
	atomic_store(&kept->end, end);
	return atomic_compare_exchange_strong(&kept->ready, &none, ready);
}

/* The shard's lock is held. */
static void
cache_clear(struct cache_shard *shard, struct cache_slot *slot)
{
	ocspcache_drop(slot->kept);
	*slot = (struct cache_slot){ 0 };
	shard->entries--;
}

struct ocspcache *
ocspcache_new(size_t octets)
{
	size_t each = sizeof(struct ocspcache_kept) + OCSPCACHE_READY_OCTETS +
		      sizeof(struct cache_slot) + sizeof(uint32_t);
	struct ocspcache *cache = mem_alloc(sizeof(*cache));

	cache->n_buckets = octets / each / CACHE_SHARDS / CACHE_WAYS;
	if (cache->n_buckets == 0)
		cache->n_buckets = 1;
	require(RAND_bytes((unsigned char *)&cache->seed, sizeof(cache->seed)) == 1);
	for (size_t i = 0; i < CACHE_SHARDS; i++) {
		struct cache_shard *shard = &cache->shard[i];

		require(pthread_mutex_init(&shard->lock, NULL) == 0);
		shard->tags = mem_array(cache->n_buckets * CACHE_WAYS, sizeof(uint32_t));
		shard->slots = mem_array(cache->n_buckets * CACHE_WAYS, sizeof(struct cache_slot));
	}
	require(pthread_rwlock_init(&cache->follow, NULL) == 0);
	require(pthread_mutex_init(&cache->claim_lock, NULL) == 0);
	require(pthread_cond_init(&cache->claim_ended, NULL) == 0);
	return cache;
}

/* Every shard, one after the other. */
static void
cache_empty(struct ocspcache *cache)
{
	for (size_t i = 0; i < CACHE_SHARDS; i++) {
		struct cache_shard *shard = &cache->shard[i];

		pthread_mutex_lock(&shard->lock);
		for (size_t k = 0; k < cache->n_buckets * CACHE_WAYS && shard->entries > 0; k++)
			if (shard->slots[k].kept != NULL)
				cache_clear(shard, &shard->slots[k]);
		pthread_mutex_unlock(&shard->lock);
	}
}

void
ocspcache_free(struct ocspcache *cache)
{
	if (cache == NULL)
		return;
	require(cache->claims == NULL);
	cache_empty(cache);
	for (size_t i = 0; i < CACHE_SHARDS; i++) {
		free(cache->shard[i].tags);
		free(cache->shard[i].slots);
		pthread_mutex_destroy(&cache->shard[i].lock);
	}
	pthread_rwlock_destroy(&cache->follow);
	pthread_mutex_destroy(&cache->claim_lock);
	pthread_cond_destroy(&cache->claim_ended);
	free(cache);
}

void
ocspcache_flush(struct ocspcache *cache)
{
	pthread_rwlock_wrlock(&cache->follow);
	/* No page has this epoch: nothing is found until the next one is followed. */
	atomic_store(&cache->epoch, 0);
	/* The page may be the same then: an answer that is being made now is known by this. */
	atomic_fetch_add(&cache->flushes, 1);
	cache_empty(cache);
	cache->n_changed = 0;
	pthread_rwlock_unlock(&cache->follow);
}

uint64_t
ocspcache_flushes(const struct ocspcache *cache)
{
	return atomic_load(&cache->flushes);
}

void
ocspcache_signer(struct ocspcache *cache, unsigned ca, uint64_t signer)
{
	require(ca < ARRAY_LEN(cache->signer));
	atomic_store(&cache->signer[ca], signer);
}

/* Whether its signer is still the one of its CA. */
static bool
cache_signs(struct ocspcache *cache, const struct ocspcache_entry *entry)
{
	return atomic_load(&cache->signer[entry->ca]) == entry->signer;
}

static bool
cache_followed(struct ocspcache *cache, const struct statusmark *mark)
{
	return atomic_load(&cache->epoch) == mark->epoch &&
	       atomic_load(&cache->generation) == mark->generation;
}

/* Past half of its life. */
static bool
cache_is_old(const struct ocspcache_entry *entry, time_t now)
{
	return now - entry->produced_at >= (entry->next_update - entry->produced_at) / 2;
}

/* Whether somebody is to be told to make it anew: not while one who was told may be at it. A clock
 * that was set back is no reason to wait. The shard's lock is held. */
static bool
cache_tell(struct cache_slot *slot, time_t now)
{
	if ((uint32_t)now - slot->told < OCSPCACHE_RENEW_PAUSE ||
	    !cache_is_old(&slot->kept->entry, now))
		return false;
	slot->told = (uint32_t)now;
	return true;
}

struct ocspcache_kept *
ocspcache_get(struct ocspcache *cache, const struct statusmark *mark, const struct ocsp_id *id,
    time_t now, bool *refresh)
{
	struct ocspcache_kept *kept = NULL;
	const struct ocspcache_entry *entry;
	struct cache_place place;
	struct cache_slot *slot;
	int way;

	*refresh = false;
	if (id->whole.len > OCSPCACHE_ID_MAX || !id->serial_ok || !cache_followed(cache, mark)) {
		atomic_fetch_add_explicit(&cache->misses, 1, memory_order_relaxed);
		return NULL;
	}
	place = cache_place(cache, &id->serial);
	pthread_mutex_lock(&place.shard->lock);
	way = cache_find(&place, id);
	slot = &place.slots[way < 0 ? 0 : way];
	entry = way < 0 ? NULL : &slot->kept->entry;
	if (entry != NULL && now >= entry->produced_at && now < entry->next_update &&
	    cache_signs(cache, entry)) {
		kept = slot->kept;
		atomic_fetch_add(&kept->users, 1);
		/* Written only when it changes: the slot is in every core's cache then. */
		if (!slot->used)
			slot->used = true;
		*refresh = cache_tell(slot, now);
	}
	place.shard->hits += kept != NULL;
	place.shard->misses += kept == NULL;
	pthread_mutex_unlock(&place.shard->lock);
	return kept;
}

static int
cache_drop(void *ctx, const struct serial *serial, int64_t event, struct err *err)
{
	struct ocspcache *cache = ctx;
	struct cache_place place = cache_place(cache, serial);
	size_t at = cache->n_changed++ % CACHE_CHANGED;

	(void)err;
	cache->changed[at].serial = *serial;
	cache->changed[at].generation = (uint64_t)event;
	pthread_mutex_lock(&place.shard->lock);
	for (struct cache_slot *slot = place.slots; slot < place.slots + CACHE_WAYS; slot++)
		if (slot->kept != NULL && serial_eq(&slot->kept->serial, serial)) {
			cache_clear(place.shard, slot);
			atomic_fetch_add(&cache->dropped, 1);
		}
	pthread_mutex_unlock(&place.shard->lock);
	return 0;
}

int
ocspcache_follow(struct ocspcache *cache, const struct statusmark *mark, struct store *store,
    uint64_t flushes, struct err *err)
{
	uint64_t from;
	int r = 0;

	if (cache_followed(cache, mark))
		return 0;
	pthread_rwlock_wrlock(&cache->follow);
	from = atomic_load(&cache->generation);
	if (flushes != atomic_load(&cache->flushes)) {
		r = err_set(
		    err, FAIL_UNAVAILABLE, "database: another one lies in its place by now");
	} else if (atomic_load(&cache->epoch) != mark->epoch || from > mark->generation) {
		/* Another epoch: what happened before it cannot be told. An older mark of this
		 * epoch is that of a thread which was overtaken. */
		if (atomic_load(&cache->epoch) != mark->epoch) {
			cache_empty(cache);
			cache->n_changed = 0;
			cache->floor = mark->generation;
			atomic_store(&cache->generation, mark->generation);
			atomic_store(&cache->epoch, mark->epoch);
		}
	} else if (from < mark->generation) {
		r = store_changed_each(store, (int64_t)from, cache_drop, cache, err);
		if (r == 0)
			atomic_store(&cache->generation, mark->generation);
	}
	pthread_rwlock_unlock(&cache->follow);
	return r;
}

/* Whether the certificate may have changed between mark and what the cache has followed; the
 * follow lock is held. */
static bool
cache_changed_since(
    const struct ocspcache *cache, const struct statusmark *mark, const struct serial *serial)
{
	uint64_t n = cache->n_changed < CACHE_CHANGED ? cache->n_changed : CACHE_CHANGED;

	if (atomic_load(&cache->epoch) != mark->epoch || mark->generation < cache->floor)
		return true;
	if (atomic_load(&cache->generation) <= mark->generation)
		return atomic_load(&cache->generation) != mark->generation;
	for (uint64_t i = 1; i <= n; i++) {
		size_t at = (cache->n_changed - i) % CACHE_CHANGED;

		if (cache->changed[at].generation <= mark->generation)
			return false; /* all later ones were looked at */
		if (serial_eq(&cache->changed[at].serial, serial))
			return true;
	}
	return cache->n_changed > CACHE_CHANGED; /* older ones are forgotten */
}

/* A way in the bucket: the entry's own, an empty one, or one not asked for since it was last
 * passed over. The shard's lock is held. */
static int
cache_way(struct ocspcache *cache, const struct cache_place *place, const struct ocsp_id *id)
{
	int way = cache_find(place, id);

	for (int i = 0; way < 0 && i < CACHE_WAYS; i++)
		if (place->slots[i].kept == NULL)
			return i;
	while (way < 0) {
		int at = (int)(place->shard->hand++ % CACHE_WAYS);

		if (!place->slots[at].used) {
			way = at;
			atomic_fetch_add(&cache->evicted, 1);
		}
		place->slots[at].used = false;
	}
	cache_clear(place->shard, &place->slots[way]);
	return way;
}

static struct ocspcache_kept *
cache_keep(const struct ocsp_id *id, const struct ocspcache_entry *entry)
{
	size_t size = offsetof(struct ocspcache_entry, response) + entry->len;
	struct ocspcache_kept *kept = mem_alloc(offsetof(struct ocspcache_kept, entry) + size);

	kept->users = kept->refs = 1;
	kept->serial = id->serial;
	kept->id_len = id->whole.len;
	memcpy(kept->id, id->whole.p, id->whole.len);
	memcpy(&kept->entry, entry, size);
	return kept;
}

void
ocspcache_put(struct ocspcache *cache, const struct statusmark *mark, const struct ocsp_id *id,
    const struct ocspcache_entry *entry)
{
	struct cache_place place;
	int way;

	if (id->whole.len > OCSPCACHE_ID_MAX || !id->serial_ok ||
	    entry->len > OCSPCACHE_RESPONSE_MAX)
		return;
	require(entry->ca < ARRAY_LEN(cache->signer));
	pthread_rwlock_rdlock(&cache->follow);
	if (entry->flushes == atomic_load(&cache->flushes) && cache_signs(cache, entry) &&
	    !cache_changed_since(cache, mark, &id->serial)) {
		place = cache_place(cache, &id->serial);
		pthread_mutex_lock(&place.shard->lock);
		way = cache_way(cache, &place, id);
		place.tags[way] = place.tag;
		place.slots[way].kept = cache_keep(id, entry);
		place.shard->entries++;
		pthread_mutex_unlock(&place.shard->lock);
	}
	pthread_rwlock_unlock(&cache->follow);
}

/* The lock of the claims is held. */
static struct ocspcache_claim *
cache_claimed(struct ocspcache *cache, const struct statusmark *mark, const struct ocsp_id *id)
{
	struct ocspcache_claim *c = cache->claims;

	while (c != NULL &&
	       (c->mark.epoch != mark->epoch || c->mark.generation != mark->generation ||
		   c->id_len != id->whole.len || memcmp(c->id, id->whole.p, id->whole.len) != 0))
		c = c->next;
	return c;
}

bool
ocspcache_claim(struct ocspcache *cache, const struct statusmark *mark, const struct ocsp_id *id,
    struct ocspcache_claim **claim)
{
	struct ocspcache_claim *made = NULL;
	bool mine = true;

	*claim = NULL;
	if (id->whole.len > OCSPCACHE_ID_MAX)
		return true;
	pthread_mutex_lock(&cache->claim_lock);
	while (cache_claimed(cache, mark, id) != NULL) {
		mine = false;
		pthread_cond_wait(&cache->claim_ended, &cache->claim_lock);
	}
	if (mine) {
		made = mem_alloc(sizeof(*made));
		made->mark = *mark;
		memcpy(made->id, id->whole.p, id->whole.len);
		made->id_len = id->whole.len;
		made->next = cache->claims;
		cache->claims = made;
		*claim = made;
	}
	pthread_mutex_unlock(&cache->claim_lock);
	return mine;
}

void
ocspcache_release(struct ocspcache *cache, struct ocspcache_claim *claim)
{
	struct ocspcache_claim **at = &cache->claims;

	if (claim == NULL)
		return;
	pthread_mutex_lock(&cache->claim_lock);
	while (*at != claim)
		at = &(*at)->next;
	*at = claim->next;
	pthread_cond_broadcast(&cache->claim_ended);
	pthread_mutex_unlock(&cache->claim_lock);
	free(claim);
}

void
ocspcache_counts(struct ocspcache *cache, struct ocspcache_counts *out)
{
	struct ocspcache_counts counts = {
		.misses = atomic_load(&cache->misses),
		.dropped = atomic_load(&cache->dropped),
		.evicted = atomic_load(&cache->evicted),
	};

	for (size_t i = 0; i < CACHE_SHARDS; i++) {
		pthread_mutex_lock(&cache->shard[i].lock);
		counts.entries += cache->shard[i].entries;
		counts.hits += cache->shard[i].hits;
		counts.misses += cache->shard[i].misses;
		pthread_mutex_unlock(&cache->shard[i].lock);
	}
	*out = counts;
}
