/*
 * The cache of status answers over a real database: what a change makes untrue is never found,
 * whatever the order in which threads come; and the page that tells of changes.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "service_rig.h"
#include "smki/ocspcache.h"
#include "smki/status.h"

#define EPOCH UINT64_C(7)

struct world {
	struct rig *rig;
	struct statuspage *page, *seen; /* the writer's, a reader's */
	struct ocspcache *cache;
	char path[96];
};

static void
world_init(struct world *w)
{
	int64_t newest;

	w->rig = rig_new();
	snprintf(w->path, sizeof(w->path), "%s/status.page", w->rig->dir);
	RIG(store_changed_newest(w->rig->reader, &newest, &rig_err));
	RIG(statuspage_make(w->path, EPOCH, (uint64_t)newest, &w->page, &rig_err));
	RIG(statuspage_open(w->path, &w->seen, &rig_err));
	w->cache = ocspcache_new(1 << 20);
}

static void
world_free(struct world *w)
{
	ocspcache_free(w->cache);
	statuspage_close(w->seen);
	statuspage_close(w->page);
	rig_free(w->rig);
}

/* CertIDs are compared as octets; these need no more than to differ. */
static struct ocsp_id
world_id(const struct serial *serial, uint8_t *octets, uint8_t kind)
{
	octets[0] = kind;
	octets[1] = serial->len;
	memcpy(octets + 2, serial->octets, serial->len);
	return (struct ocsp_id){ .whole = { octets, 2u + serial->len },
		.hash = OCSP_SHA256,
		.serial_ok = true,
		.serial = *serial };
}

static struct ocspcache_entry
world_entry(time_t from, long life, uint8_t mark)
{
	struct ocspcache_entry e = { .produced_at = from, .next_update = from + life, .len = 5 };

	memset(e.response, mark, e.len);
	return e;
}

static void
world_done(struct status_task *task, const struct status_result *result, const struct err *err)
{
	require(err == NULL && result != NULL);
	free(task);
}

static int
world_after(struct commit_job *job, struct store *store, struct err *err)
{
	return 0;
}

/* As smkid does it: COMMIT, then the page, then the reply. page NULL = it is not told. */
static void
world_change(
    struct world *w, struct statuspage *page, const struct serial *serial, enum cert_action action)
{
	struct commit_job after = { .lane = COMMIT_STATE, .apply = world_after };
	struct status_task *task = mem_alloc(sizeof(*task));

	task->request = (struct status_request){ .serial = *serial,
		.change = { .action = action, .reason = REASON_UNSPECIFIED } };
	task->cas = w->rig->cas;
	task->guard = w->rig->guard;
	task->page = page;
	task->done = world_done;
	status_run(w->rig->committer, w->rig->reader, task);
	RIG(committer_run(w->rig->committer, &after, &rig_err));
}

static struct serial
world_serial(struct world *w, uint8_t s)
{
	struct store_new_cert row = rig_row(w->rig, s);

	(void)rig_add(w->rig, &row, 1);
	return row.serial;
}

static int
follow(struct world *w)
{
	struct statusmark mark = statuspage_get(w->seen);

	return ocspcache_follow(
	    w->cache, &mark, w->rig->reader, ocspcache_flushes(w->cache), &rig_err);
}

/* A copy of what is found. */
static bool
get_refresh(struct world *w, const struct statusmark *mark, const struct ocsp_id *id, time_t now,
    struct ocspcache_entry *out, bool *refresh)
{
	struct ocspcache_kept *kept = ocspcache_get(w->cache, mark, id, now, refresh);

	if (kept == NULL)
		return false;
	memcpy(out, &kept->entry, offsetof(struct ocspcache_entry, response) + kept->entry.len);
	ocspcache_drop(kept);
	return true;
}

static bool
get(struct world *w, const struct ocsp_id *id, time_t now, struct ocspcache_entry *out)
{
	struct statusmark mark = statuspage_get(w->seen);
	bool refresh;

	return get_refresh(w, &mark, id, now, out, &refresh);
}

static void
test_cache_page(void)
{
	struct world w;
	struct statuspage *second;
	struct statusmark a, b;
	struct err err;

	world_init(&w);
	a = statuspage_get(w.seen);
	CHECK(a.epoch == EPOCH);
	statuspage_bump(w.page, a.generation + 5);
	b = statuspage_get(w.seen);
	CHECK(b.generation == a.generation + 5);
	statuspage_bump(w.page, a.generation); /* never back */
	CHECK(statuspage_get(w.seen).generation == b.generation);
	CHECK(!statuspage_is_moved(w.seen));
	/* A new start of the writer: the same file, seen by those who have it mapped. */
	RIG(statuspage_make(w.path, EPOCH + 1, 3, &second, &rig_err));
	a = statuspage_get(w.seen);
	CHECK(a.epoch == EPOCH + 1 && a.generation == 3);
	statuspage_close(second);
	CHECK(unlink(w.path) == 0);
	CHECK(statuspage_is_moved(w.seen));
	CHECK(statuspage_open(w.path, &second, &err) == -1 && err.code == FAIL_UNAVAILABLE);
	RIG(file_write(w.path, "x", 1, 0600, &rig_err));
	CHECK(statuspage_open(w.path, &second, &err) == -1 && err.code == FAIL_UNAVAILABLE);
	world_free(&w);
}

static void
test_cache_times(void)
{
	struct world w;
	struct serial serial;
	uint8_t octets[2 + SERIAL_MAX], other[2 + SERIAL_MAX];
	struct ocsp_id id, sha1;
	struct ocspcache_entry e, out;
	struct statusmark mark;
	bool refresh;
	time_t t = 1000000;

	world_init(&w);
	serial = world_serial(&w, 1);
	id = world_id(&serial, octets, 1);
	sha1 = world_id(&serial, other, 2);
	e = world_entry(t, 100, 'a');
	CHECK(!get(&w, &id, t, &out)); /* nothing was followed yet */
	CHECK(follow(&w) == 0);
	mark = statuspage_get(w.seen);
	ocspcache_put(w.cache, &mark, &id, &e);
	CHECK(get(&w, &id, t, &out));
	CHECK(out.len == 5 && out.response[0] == 'a' && out.next_update == t + 100);
	CHECK(!get(&w, &sha1, t, &out)); /* another CertID of the same certificate */
	CHECK(!get(&w, &id, t - 1, &out));
	CHECK(get(&w, &id, t + 99, &out));
	CHECK(!get(&w, &id, t + 100, &out));
	/* From half of the life on a new one is asked for, of one at a time: where that one failed,
	 * of another after the pause. */
	ocspcache_put(w.cache, &mark, &id, &e);
	CHECK(get_refresh(&w, &mark, &id, t + 49, &out, &refresh) && !refresh);
	CHECK(get_refresh(&w, &mark, &id, t + 50, &out, &refresh) && refresh);
	for (time_t i = 0; i < OCSPCACHE_RENEW_PAUSE; i++)
		CHECK(get_refresh(&w, &mark, &id, t + 50 + i, &out, &refresh) && !refresh);
	t += OCSPCACHE_RENEW_PAUSE;
	CHECK(get_refresh(&w, &mark, &id, t + 50, &out, &refresh) && refresh);
	CHECK(get_refresh(&w, &mark, &id, t + 50, &out, &refresh) && !refresh);
	/* The clock was set back. */
	t -= OCSPCACHE_RENEW_PAUSE;
	CHECK(get_refresh(&w, &mark, &id, t + 60, &out, &refresh) && refresh);
	e = world_entry(t + 60, 100, 'b');
	ocspcache_put(w.cache, &mark, &id, &e);
	CHECK(get(&w, &id, t + 120, &out) && out.response[0] == 'b');
	CHECK(get_refresh(&w, &mark, &id, t + 110, &out, &refresh) && refresh);
	ocspcache_flush(w.cache);
	CHECK(!get(&w, &id, t + 120, &out));
	CHECK(follow(&w) == 0 && !get(&w, &id, t + 120, &out));
	/* Under the same mark, but read from the database before. */
	ocspcache_put(w.cache, &mark, &id, &e);
	CHECK(!get(&w, &id, t + 120, &out));
	e.flushes = ocspcache_flushes(w.cache);
	ocspcache_put(w.cache, &mark, &id, &e);
	CHECK(get(&w, &id, t + 120, &out));
	world_free(&w);
}

/* Another signer of a CA: what the one before signed is over, whenever it comes. */
static void
test_cache_signer(void)
{
	struct world w;
	struct serial one, two;
	uint8_t octets[2][2 + SERIAL_MAX];
	struct ocsp_id id1, id2;
	struct ocspcache_entry first, second, out;
	struct statusmark mark;
	time_t t = 1000000;

	world_init(&w);
	one = world_serial(&w, 1);
	two = world_serial(&w, 2);
	id1 = world_id(&one, octets[0], 1);
	id2 = world_id(&two, octets[1], 1);
	first = world_entry(t, 100, 'a');
	first.ca = 1;
	first.signer = 5;
	second = world_entry(t, 100, 'b');
	second.ca = STORE_CAS_MAX - 1;
	second.signer = 6;
	CHECK(follow(&w) == 0);
	mark = statuspage_get(w.seen);
	ocspcache_put(w.cache, &mark, &id1, &first); /* its signer is not known */
	CHECK(!get(&w, &id1, t, &out));
	ocspcache_signer(w.cache, 1, 5);
	ocspcache_signer(w.cache, STORE_CAS_MAX - 1, 6);
	CHECK(!get(&w, &id1, t, &out));
	ocspcache_put(w.cache, &mark, &id1, &first);
	ocspcache_put(w.cache, &mark, &id2, &second);
	CHECK(get(&w, &id1, t, &out) && get(&w, &id2, t, &out));
	ocspcache_signer(w.cache, 1, 7);
	CHECK(!get(&w, &id1, t, &out));
	CHECK(get(&w, &id2, t, &out)); /* another CA's */
	/* Signed before, stored after: nor does it push out the new one. */
	first.signer = 7;
	ocspcache_put(w.cache, &mark, &id1, &first);
	first.signer = 5;
	ocspcache_put(w.cache, &mark, &id1, &first);
	CHECK(get(&w, &id1, t, &out) && out.signer == 7);
	world_free(&w);
}

/* The orders in which a change and an answer can meet. */
static void
test_cache_changes(void)
{
	struct world w;
	struct serial one, two;
	uint8_t octets[2][2 + SERIAL_MAX];
	struct ocsp_id id1, id2;
	struct ocspcache_entry e, out;
	struct statusmark before, mark;
	time_t t = 1000000;

	world_init(&w);
	one = world_serial(&w, 1);
	two = world_serial(&w, 2);
	id1 = world_id(&one, octets[0], 1);
	id2 = world_id(&two, octets[1], 1);
	e = world_entry(t, 100, 'a');
	CHECK(follow(&w) == 0);
	before = statuspage_get(w.seen);
	ocspcache_put(w.cache, &before, &id1, &e);
	ocspcache_put(w.cache, &before, &id2, &e);
	/* Committed, and the page was told: nothing is answered until the cache followed. */
	world_change(&w, w.page, &one, ACTION_HOLD);
	CHECK(!get(&w, &id1, t, &out));
	CHECK(!get(&w, &id2, t, &out));
	CHECK(follow(&w) == 0);
	CHECK(!get(&w, &id1, t, &out));
	CHECK(get(&w, &id2, t, &out)); /* not concerned */
	/* The row was read before the change, the answer comes after it. */
	ocspcache_put(w.cache, &before, &id1, &e);
	CHECK(!get(&w, &id1, t, &out));
	/* ... and that of another certificate is still true. */
	ocspcache_put(w.cache, &before, &id2, &e);
	CHECK(get(&w, &id2, t, &out));
	/* Stored between the page's news and the follow: taken out again. */
	mark = statuspage_get(w.seen);
	ocspcache_put(w.cache, &mark, &id1, &e);
	CHECK(get(&w, &id1, t, &out));
	world_change(&w, w.page, &one, ACTION_REACTIVATE);
	ocspcache_put(w.cache, &mark, &id1, &e);
	CHECK(follow(&w) == 0);
	CHECK(!get(&w, &id1, t, &out));
	/* A thread that was overtaken does not take the cache back. */
	CHECK(ocspcache_follow(w.cache, &before, w.rig->reader, 0, &rig_err) == 0);
	CHECK(get(&w, &id2, t, &out));
	world_free(&w);
}

/* A writer that ended between COMMIT and the page: its successor's epoch empties the cache. */
static void
test_cache_epoch(void)
{
	struct world w;
	struct serial serial;
	uint8_t octets[2 + SERIAL_MAX];
	struct ocsp_id id;
	struct ocspcache_entry e, out;
	struct statusmark mark;
	struct statuspage *again;
	time_t t = 1000000;
	int64_t newest;

	world_init(&w);
	serial = world_serial(&w, 1);
	id = world_id(&serial, octets, 1);
	e = world_entry(t, 100, 'a');
	CHECK(follow(&w) == 0);
	mark = statuspage_get(w.seen);
	ocspcache_put(w.cache, &mark, &id, &e);
	world_change(&w, NULL, &serial, ACTION_REVOKE);
	CHECK(get(&w, &id, t, &out)); /* nobody was told yet, and nobody was answered */
	RIG(store_changed_newest(w.rig->reader, &newest, &rig_err));
	RIG(statuspage_make(w.path, EPOCH + 1, (uint64_t)newest, &again, &rig_err));
	CHECK(!get(&w, &id, t, &out));
	CHECK(follow(&w) == 0);
	CHECK(!get(&w, &id, t, &out));
	ocspcache_put(w.cache, &mark, &id, &e); /* of the epoch before */
	CHECK(!get(&w, &id, t, &out));
	statuspage_close(again);
	world_free(&w);
}

/* More changes than are remembered: what cannot be told is not stored. */
static void
test_cache_forgotten(void)
{
	struct world w;
	struct serial one, two;
	uint8_t octets[2 + SERIAL_MAX];
	struct ocsp_id id;
	struct ocspcache_entry e, out;
	struct statusmark before;
	time_t t = 1000000;

	world_init(&w);
	one = world_serial(&w, 1);
	two = world_serial(&w, 2);
	id = world_id(&two, octets, 1);
	e = world_entry(t, 100, 'a');
	CHECK(follow(&w) == 0);
	before = statuspage_get(w.seen);
	for (int i = 0; i < 64; i++) {
		world_change(&w, w.page, &one, i % 2 == 0 ? ACTION_HOLD : ACTION_REACTIVATE);
		if (i % 8 == 7)
			CHECK(follow(&w) == 0);
	}
	ocspcache_put(w.cache, &before, &id, &e);
	CHECK(get(&w, &id, t, &out)); /* 64 changes are remembered, none was its own */
	for (int i = 0; i < 256; i++)
		world_change(&w, w.page, &one, i % 2 == 0 ? ACTION_HOLD : ACTION_REACTIVATE);
	CHECK(follow(&w) == 0);
	world_change(&w, w.page, &two, ACTION_HOLD);
	CHECK(follow(&w) == 0);
	CHECK(!get(&w, &id, t, &out));
	ocspcache_put(w.cache, &before, &id, &e);
	CHECK(!get(&w, &id, t, &out));
	world_free(&w);
}

/* Memory is bounded: more CertIDs than there is room for push each other out. */
static void
test_cache_bounds(void)
{
	struct world w;
	struct ocspcache_counts counts;
	struct ocspcache_entry e = world_entry(1000000, 100, 'a'), out;
	struct statusmark mark;
	uint8_t octets[2 + SERIAL_MAX];
	struct serial serial = { .len = 8, .octets = { 0x41 } };
	struct ocsp_id id;
	size_t found = 0;

	world_init(&w);
	CHECK(follow(&w) == 0);
	mark = statuspage_get(w.seen);
	for (unsigned i = 0; i < 4000; i++) {
		serial.octets[6] = (uint8_t)(i >> 8);
		serial.octets[7] = (uint8_t)i;
		id = world_id(&serial, octets, 1);
		ocspcache_put(w.cache, &mark, &id, &e);
		found += get(&w, &id, 1000000, &out);
	}
	CHECK(found == 4000);
	ocspcache_counts(w.cache, &counts);
	CHECK(counts.entries <= (1 << 20) / 1600);
	CHECK(counts.entries > 100);
	CHECK(counts.evicted == 4000 - counts.entries);
	/* Too long for an entry. */
	e.len = OCSPCACHE_RESPONSE_MAX + 1;
	ocspcache_flush(w.cache);
	e.flushes = ocspcache_flushes(w.cache);
	CHECK(follow(&w) == 0);
	ocspcache_put(w.cache, &mark, &id, &e);
	CHECK(!get(&w, &id, 1000000, &out));
	world_free(&w);
}

static unsigned ready_ended;

static void
ready_end(void *ready)
{
	ready_ended += *(unsigned *)ready;
}

/* What a user made of an entry lives as long as there are users, its octets as long as a reference
 * is held. */
static void
test_cache_ready(void)
{
	struct world w;
	struct ocspcache_kept *first, *second, *newer;
	struct ocspcache_entry e = world_entry(1000000, 100, 'a');
	unsigned one = 1, hundred = 100;
	struct statusmark mark;
	struct serial serial;
	uint8_t octets[2 + SERIAL_MAX];
	struct ocsp_id id;
	bool refresh;

	world_init(&w);
	serial = world_serial(&w, 1);
	id = world_id(&serial, octets, 1);
	CHECK(follow(&w) == 0);
	mark = statuspage_get(w.seen);
	ocspcache_put(w.cache, &mark, &id, &e);
	first = ocspcache_get(w.cache, &mark, &id, 1000000, &refresh);
	second = ocspcache_get(w.cache, &mark, &id, 1000000, &refresh);
	require(first != NULL && first == second);
	CHECK(atomic_load(&first->ready) == NULL);
	CHECK(ocspcache_ready(first, &one, ready_end));
	CHECK(!ocspcache_ready(second, &hundred, ready_end));
	CHECK(atomic_load(&second->ready) == &one);
	ocspcache_ref(first);
	/* Another one in its place: those who have the old one keep it. */
	e = world_entry(1000000, 100, 'b');
	ocspcache_put(w.cache, &mark, &id, &e);
	newer = ocspcache_get(w.cache, &mark, &id, 1000000, &refresh);
	require(newer != NULL && newer != first);
	CHECK(newer->entry.response[0] == 'b' && atomic_load(&newer->ready) == NULL);
	CHECK(ocspcache_ready(newer, &hundred, ready_end));
	ocspcache_drop(first);
	CHECK(ready_ended == 0);
	ocspcache_drop(second);
	CHECK(ready_ended == 1);
	CHECK(first->entry.response[0] == 'a');
	ocspcache_unref(first);
	ocspcache_flush(w.cache);
	CHECK(ready_ended == 1);
	ocspcache_drop(newer);
	CHECK(ready_ended == 101);
	world_free(&w);
}

struct claimer {
	struct world *w;
	const struct ocsp_id *id;
	struct statusmark mark;
	atomic_int *signed_by;
	pthread_t thread;
};

static void *
claimer_main(void *arg)
{
	struct claimer *c = arg;
	struct ocspcache_entry e = world_entry(1000000, 100, 'a'), out;
	struct ocspcache_claim *claim;
	bool refresh;

	while (!get_refresh(c->w, &c->mark, c->id, 1000000, &out, &refresh)) {
		if (!ocspcache_claim(c->w->cache, &c->mark, c->id, &claim))
			continue;
		/* Between the look and the claim another may have finished. */
		if (!get_refresh(c->w, &c->mark, c->id, 1000000, &out, &refresh)) {
			atomic_fetch_add(c->signed_by, 1);
			ocspcache_put(c->w->cache, &c->mark, c->id, &e);
		}
		ocspcache_release(c->w->cache, claim);
	}
	return NULL;
}

static void
test_cache_claims(void)
{
	struct world w;
	struct claimer c[16];
	struct serial serial;
	struct ocsp_id id;
	struct ocspcache_claim *claim, *newer;
	struct statusmark mark, later;
	uint8_t octets[2 + SERIAL_MAX];
	atomic_int signed_by = 0;

	world_init(&w);
	serial = world_serial(&w, 1);
	id = world_id(&serial, octets, 1);
	CHECK(follow(&w) == 0);
	mark = statuspage_get(w.seen);
	for (size_t i = 0; i < ARRAY_LEN(c); i++) {
		c[i] = (struct claimer){ &w, &id, mark, &signed_by, 0 };
		require(pthread_create(&c[i].thread, NULL, claimer_main, &c[i]) == 0);
	}
	for (size_t i = 0; i < ARRAY_LEN(c); i++)
		pthread_join(c[i].thread, NULL);
	CHECK(signed_by == 1);
	/* Whoever comes after a change does not wait for an answer from before it. */
	later = mark;
	later.generation++;
	CHECK(ocspcache_claim(w.cache, &mark, &id, &claim));
	CHECK(ocspcache_claim(w.cache, &later, &id, &newer));
	ocspcache_release(w.cache, newer);
	ocspcache_release(w.cache, claim);
	world_free(&w);
}

/* Who still reads the database before does not tell the cache what changed in the one after it. */
static void
test_cache_old_store(void)
{
	struct world w, old;
	struct serial serial;
	uint8_t octets[2 + SERIAL_MAX];
	struct ocsp_id id;
	struct ocspcache_entry e = world_entry(1000000, 100, 'a'), out;
	struct statusmark mark;
	uint64_t before;

	world_init(&w);
	world_init(&old);
	serial = world_serial(&w, 1);
	id = world_id(&serial, octets, 1);
	before = ocspcache_flushes(w.cache);
	ocspcache_flush(w.cache);
	CHECK(follow(&w) == 0);
	mark = statuspage_get(w.seen);
	e.flushes = ocspcache_flushes(w.cache);
	ocspcache_put(w.cache, &mark, &id, &e);
	CHECK(get(&w, &id, 1000000, &out));
	world_change(&w, w.page, &serial, ACTION_REVOKE);
	mark = statuspage_get(w.seen);
	CHECK(ocspcache_follow(w.cache, &mark, old.rig->reader, before, &rig_err) != 0);
	CHECK(rig_err.code == FAIL_UNAVAILABLE);
	CHECK(!get(&w, &id, 1000000, &out));
	CHECK(follow(&w) == 0 && !get(&w, &id, 1000000, &out));
	world_free(&old);
	world_free(&w);
}

static const struct test_case cases[] = {
	{ "the page", test_cache_page },
	{ "times", test_cache_times },
	{ "another signer", test_cache_signer },
	{ "another database", test_cache_old_store },
	{ "changes", test_cache_changes },
	{ "another epoch", test_cache_epoch },
	{ "forgotten changes", test_cache_forgotten },
	{ "bounds", test_cache_bounds },
	{ "ready forms", test_cache_ready },
	{ "one signs", test_cache_claims },
};
TEST_MAIN("ocspcache", cases)
