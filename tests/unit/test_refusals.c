/*
 * Counting refusals: floods stay within the rows of a minute, nothing counted gets lost between
 * memory and database, and old rows go.
 */
#include <pthread.h>
#include <sched.h>

#include "refusal_sum.h"
#include "service_rig.h"
#include "smki/refusals.h"

#define KEPT 86400L

static void
flush(struct rig *r, struct refusals *refusals, time_t now)
{
	RIG(refusals_flush(refusals, r->committer, now, KEPT, &rig_err));
}

static void
sums(struct rig *r, int64_t *n, int64_t *rows)
{
	refusal_sum(r->db, 0, n, rows);
}

static int64_t
counted(struct rig *r, const char *who, enum refusal reason)
{
	struct store_refusal got[64];
	int64_t n = 0;
	size_t found = 0;

	RIG(store_refusals_of(r->reader, who, got, ARRAY_LEN(got), &found, &rig_err));
	for (size_t i = 0; i < found; i++)
		if (strcmp(got[i].reason, refusal_str(reason)) == 0)
			n += got[i].n;
	return n;
}

static void
test_counts(void)
{
	struct rig *r = rig_new();
	struct refusals *refusals = refusals_new();
	time_t now = r->now / 60 * 60;
	char longer[STORE_REFUSED_LEN + 8];
	int64_t n, rows;

	memset(longer, 'a', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	flush(r, refusals, now); /* nothing yet */
	refusals_count(refusals, "192.0.2.1", REFUSAL_SECRET, now, 2);
	refusals_count(refusals, "192.0.2.1", REFUSAL_SECRET, now + 59, 1);
	refusals_count(refusals, "192.0.2.1", REFUSAL_ANCHOR, now, 1);
	refusals_count(refusals, "192.0.2.2", REFUSAL_SECRET, now, 1);
	refusals_count(refusals, longer, REFUSAL_SECRET, now, 1);
	/* Not a row's matter. */
	refusals_count(refusals, "192.0.2.1", REFUSAL_FORM, now, 1);
	refusals_count(refusals, "192.0.2.1", REFUSAL_NONE, now, 1);
	refusals_count(refusals, "192.0.2.1", REFUSALS, now, 1);
	refusals_count(refusals, "192.0.2.1", REFUSAL_SECRET, now, 0);
	refusals_count(refusals, "192.0.2.1", REFUSAL_SECRET, now, -5);
	flush(r, refusals, now + 59);
	sums(r, &n, &rows);
	CHECK(n == 6 && rows == 4);
	CHECK(counted(r, "192.0.2.1", REFUSAL_SECRET) == 3);
	CHECK(counted(r, "", REFUSAL_SECRET) == 1);
	/* Once only, and onto the same row. */
	flush(r, refusals, now + 59);
	refusals_count(refusals, "192.0.2.1", REFUSAL_SECRET, now + 30, 4);
	flush(r, refusals, now + 61);
	sums(r, &n, &rows);
	CHECK(n == 10 && rows == 4);
	CHECK(counted(r, "192.0.2.1", REFUSAL_SECRET) == 7);
	/* The next minute is another row; rows of old go. */
	refusals_count(refusals, "192.0.2.1", REFUSAL_SECRET, now + 60, 1);
	flush(r, refusals, now + 62);
	sums(r, &n, &rows);
	CHECK(n == 11 && rows == 5);
	flush(r, refusals, now + KEPT + 60);
	sums(r, &n, &rows);
	CHECK(n == 1 && rows == 1);
	flush(r, refusals, now + KEPT + 120);
	sums(r, &n, &rows);
	CHECK(n == 0 && rows == 0);
	refusals_free(refusals);
	rig_free(r);
}

/* 100,000 of strangers in one minute, flushed on the way, and again after a new start. */
static void
test_flood(void)
{
	struct rig *r = rig_new();
	struct refusals *refusals = refusals_new();
	time_t now = r->now / 60 * 60;
	char who[32];
	int64_t n, rows;

	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 50000; i++) {
			snprintf(who, sizeof(who), "2001:db8::%x", i + 50000 * round);
			refusals_count(refusals, who,
			    i % 2 == 0 ? REFUSAL_UNREGISTERED : REFUSAL_CREDENTIAL, now, 1);
			if (i % 20000 == 0)
				flush(r, refusals, now);
		}
		flush(r, refusals, now);
		refusals_free(refusals);
		refusals = refusals_new();
	}
	sums(r, &n, &rows);
	CHECK(rows <= STORE_REFUSALS_PER_MINUTE);
	CHECK(n == 100000);
	CHECK(counted(r, "2001:db8::0", REFUSAL_UNREGISTERED) == 1);
	CHECK(counted(r, "", REFUSAL_UNREGISTERED) + counted(r, "", REFUSAL_CREDENTIAL) > 90000);
	refusals_free(refusals);
	rig_free(r);
}

/* Jobs that fill the committer's queue while the first one keeps its thread. */
struct filler {
	struct commit_job job; /* first */
	pthread_mutex_t *held;
};

static int
filler_apply(struct commit_job *job, struct store *store, struct err *err)
{
	struct filler *f = (struct filler *)job;

	if (f->held != NULL) {
		pthread_mutex_lock(f->held);
		pthread_mutex_unlock(f->held);
	}
	return 0;
}

static void
filler_done(struct commit_job *job, const struct err *err)
{
	require(err == NULL);
}

/* What could not be written stays counted; counts do not run over. */
static void
test_kept(void)
{
	struct rig *r = rig_new();
	struct refusals *refusals = refusals_new();
	struct filler *fill = mem_array(2 * COMMIT_QUEUE_MAX, sizeof(*fill));
	pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER;
	struct err err;
	int64_t n, rows;
	size_t i;

	refusals_count(refusals, "192.0.2.1", REFUSAL_SECRET, r->now, INT64_MAX);
	refusals_count(refusals, "192.0.2.1", REFUSAL_SECRET, r->now, INT64_MAX);
	refusals_count(refusals, "192.0.2.2", REFUSAL_SECRET, r->now, 3);
	pthread_mutex_lock(&held);
	for (i = 0; i < 2 * COMMIT_QUEUE_MAX; i++) {
		fill[i].job.lane = COMMIT_OTHER;
		fill[i].job.apply = filler_apply;
		fill[i].job.done = filler_done;
		fill[i].held = i == 0 ? &held : NULL;
		if (committer_put(r->committer, &fill[i].job, NULL) != 0)
			break;
	}
	CHECK(i < 2 * COMMIT_QUEUE_MAX);
	CHECK(refusals_flush(refusals, r->committer, r->now, KEPT, &err) == -1);
	CHECK(err.code == FAIL_LIMIT);
	pthread_mutex_unlock(&held);
	/* There is room again some time after. */
	while (refusals_flush(refusals, r->committer, r->now, KEPT, &err) != 0)
		sched_yield();
	sums(r, &n, &rows);
	CHECK(rows == 2 && counted(r, "192.0.2.2", REFUSAL_SECRET) == 3);
	CHECK(counted(r, "192.0.2.1", REFUSAL_SECRET) > 1000000);
	refusals_free(refusals);
	rig_free(r);
	free(fill);
}

static const struct test_case cases[] = {
	{ "counts by who, why and minute", test_counts },
	{ "flood", test_flood },
	{ "kept until written", test_kept },
};
TEST_MAIN("refusals", cases)
