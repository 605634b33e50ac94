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

struct cache_slot {
	uint8_t id[OCSPCACHE_ID_MAX];
	size_t id_len; /* 0 = empty */
	struct serial serial;
	bool used, refreshing;
	struct ocspcache_entry *entry;
};

struct cache_shard {
	pthread_mutex_t lock;
	struct cache_slot *slots; /* n_buckets * CACHE_WAYS */
	size_t entries;
	unsigned hand;
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
	struct cache_shard shard[CACHE_SHARDS];
	pthread_rwlock_t follow;
	/* Under follow for writing; read without it on the hit path. */
	_Atomic uint64_t epoch, generation;
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
	_Atomic uint64_t hits, misses, dropped, evicted;
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

static struct cache_shard *
cache_shard(struct ocspcache *cache, const struct serial *serial, struct cache_slot **bucket)
{
	uint64_t h = cache_hash(cache, serial);
	struct cache_shard *shard = &cache->shard[h % CACHE_SHARDS];

	*bucket = &shard->slots[h / CACHE_SHARDS % cache->n_buckets * CACHE_WAYS];
	return shard;
}

/* The shard's lock is held. */
static struct cache_slot *
cache_find(struct cache_slot *bucket, const struct ocsp_id *id)
{
	for (size_t i = 0; i < CACHE_WAYS; i++)
		if (bucket[i].id_len == id->whole.len &&
		    memcmp(bucket[i].id, id->whole.p, id->whole.len) == 0)
			return &bucket[i];
	return NULL;
}

static void
cache_clear(struct cache_shard *shard, struct cache_slot *slot)
{
	free(slot->entry);
	*slot = (struct cache_slot){ 0 };
	shard->entries--;
}

struct ocspcache *
ocspcache_new(size_t octets)
{
	size_t each = sizeof(struct ocspcache_entry) + sizeof(struct cache_slot);
	struct ocspcache *cache = mem_alloc(sizeof(*cache));

	cache->n_buckets = octets / each / CACHE_SHARDS / CACHE_WAYS;
	if (cache->n_buckets == 0)
		cache->n_buckets = 1;
	require(RAND_bytes((unsigned char *)&cache->seed, sizeof(cache->seed)) == 1);
	for (size_t i = 0; i < CACHE_SHARDS; i++) {
		require(pthread_mutex_init(&cache->shard[i].lock, NULL) == 0);
		cache->shard[i].slots = mem_array(
		    cache->n_buckets * CACHE_WAYS, sizeof(struct cache_slot));
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
			if (shard->slots[k].id_len > 0)
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
	/* No page has this epoch: an answer that is being made now is not stored. */
	atomic_store(&cache->epoch, 0);
	cache_empty(cache);
	cache->n_changed = 0;
	pthread_rwlock_unlock(&cache->follow);
}

static bool
cache_followed(struct ocspcache *cache, const struct statusmark *mark)
{
	return atomic_load(&cache->epoch) == mark->epoch &&
	       atomic_load(&cache->generation) == mark->generation;
}

bool
ocspcache_get(struct ocspcache *cache, const struct statusmark *mark, const struct ocsp_id *id,
    time_t now, struct ocspcache_entry *out, bool *refresh)
{
	struct cache_slot *bucket, *slot;
	struct cache_shard *shard;
	bool found = false;

	*refresh = false;
	if (id->whole.len > OCSPCACHE_ID_MAX || !id->serial_ok || !cache_followed(cache, mark))
		goto out;
	shard = cache_shard(cache, &id->serial, &bucket);
	pthread_mutex_lock(&shard->lock);
	slot = cache_find(bucket, id);
	if (slot != NULL && now >= slot->entry->produced_at && now < slot->entry->next_update) {
		found = true;
		slot->used = true;
		memcpy(out, slot->entry,
		    offsetof(struct ocspcache_entry, response) + slot->entry->len);
		if (!slot->refreshing &&
		    now - slot->entry->produced_at >=
			(slot->entry->next_update - slot->entry->produced_at) / 2)
			*refresh = slot->refreshing = true;
	}
	pthread_mutex_unlock(&shard->lock);
out:
	atomic_fetch_add_explicit(found ? &cache->hits : &cache->misses, 1, memory_order_relaxed);
	return found;
}

static int
cache_drop(void *ctx, const struct serial *serial, int64_t event, struct err *err)
{
	struct ocspcache *cache = ctx;
	struct cache_slot *bucket;
	struct cache_shard *shard = cache_shard(cache, serial, &bucket);
	size_t at = cache->n_changed++ % CACHE_CHANGED;

	(void)err;
	cache->changed[at].serial = *serial;
	cache->changed[at].generation = (uint64_t)event;
	pthread_mutex_lock(&shard->lock);
	for (size_t i = 0; i < CACHE_WAYS; i++)
		if (bucket[i].id_len > 0 && serial_eq(&bucket[i].serial, serial)) {
			cache_clear(shard, &bucket[i]);
			atomic_fetch_add(&cache->dropped, 1);
		}
	pthread_mutex_unlock(&shard->lock);
	return 0;
}

int
ocspcache_follow(
    struct ocspcache *cache, const struct statusmark *mark, struct store *store, struct err *err)
{
	uint64_t from;
	int r = 0;

	if (cache_followed(cache, mark))
		return 0;
	pthread_rwlock_wrlock(&cache->follow);
	from = atomic_load(&cache->generation);
	if (atomic_load(&cache->epoch) != mark->epoch || from > mark->generation) {
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

/* A place in the bucket: the entry's own, an empty one, or one not asked for since it was last
 * passed over. The shard's lock is held. */
static struct cache_slot *
cache_place(struct ocspcache *cache, struct cache_shard *shard, struct cache_slot *bucket,
    const struct ocsp_id *id)
{
	struct cache_slot *slot = cache_find(bucket, id);

	for (size_t i = 0; slot == NULL && i < CACHE_WAYS; i++)
		if (bucket[i].id_len == 0)
			return &bucket[i];
	while (slot == NULL) {
		struct cache_slot *at = &bucket[shard->hand++ % CACHE_WAYS];

		if (!at->used) {
			slot = at;
			atomic_fetch_add(&cache->evicted, 1);
		}
		at->used = false;
	}
	cache_clear(shard, slot);
	return slot;
}

void
ocspcache_put(struct ocspcache *cache, const struct statusmark *mark, const struct ocsp_id *id,
    const struct ocspcache_entry *entry)
{
	struct cache_slot *bucket, *slot;
	struct cache_shard *shard;

	if (id->whole.len > OCSPCACHE_ID_MAX || !id->serial_ok ||
	    entry->len > OCSPCACHE_RESPONSE_MAX)
		return;
	pthread_rwlock_rdlock(&cache->follow);
	if (!cache_changed_since(cache, mark, &id->serial)) {
		shard = cache_shard(cache, &id->serial, &bucket);
		pthread_mutex_lock(&shard->lock);
		slot = cache_place(cache, shard, bucket, id);
		memcpy(slot->id, id->whole.p, id->whole.len);
		slot->id_len = id->whole.len;
		slot->serial = id->serial;
		slot->entry = mem_copy(
		    entry, offsetof(struct ocspcache_entry, response) + entry->len);
		shard->entries++;
		pthread_mutex_unlock(&shard->lock);
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
		.hits = atomic_load(&cache->hits),
		.misses = atomic_load(&cache->misses),
		.dropped = atomic_load(&cache->dropped),
		.evicted = atomic_load(&cache->evicted),
	};

	for (size_t i = 0; i < CACHE_SHARDS; i++) {
		pthread_mutex_lock(&cache->shard[i].lock);
		counts.entries += cache->shard[i].entries;
		pthread_mutex_unlock(&cache->shard[i].lock);
	}
	*out = counts;
}
