/*
 * Refusals of outsiders, counted. A flood of them costs memory and rows up to a bound, never the
 * caller's time; who was refused what is known to the minute, and nothing else is kept of it.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "smki/mem.h"
#include "smki/refusals.h"
#include "smki/rng.h"

/* Rows of one minute with a name; the rest is room for "", one a reason. */
#define REFUSALS_NAMED (STORE_REFUSALS_PER_MINUTE - REFUSALS)
/* Rows in memory: more only when the database takes none for minutes. */
#define REFUSALS_ROWS 8192
#define REFUSALS_BUCKETS 1024
/* Rows removed in one go because of their age. */
#define REFUSALS_PRUNE 2000

struct refusals_row {
	struct refusals_row *next;
	int64_t minute;
	enum refusal reason;
	char who[STORE_REFUSED_LEN];
	int64_t n; /* not yet written */
};

struct refusals {
	pthread_mutex_t lock;
	uint64_t seed;
	struct refusals_row *bucket[REFUSALS_BUCKETS];
	size_t rows;
	int64_t minute; /* the newest */
	size_t named;	/* rows of it with a name */
};

/* What is on its way to the database. */
struct refusals_job {
	struct commit_job job; /* first */
	struct refusals_row *row;
	size_t n;
	int64_t before; /* rows of earlier minutes go */
};

struct refusals *
refusals_new(void)
{
	struct refusals *refusals = mem_alloc(sizeof(*refusals));

	require(pthread_mutex_init(&refusals->lock, NULL) == 0);
	/* Without one the buckets could be filled unevenly, which costs time, nothing else. */
	if (rng_draw((uint8_t *)&refusals->seed, sizeof(refusals->seed)) != 0)
		refusals->seed = 0;
	return refusals;
}

void
refusals_free(struct refusals *refusals)
{
	struct refusals_row *row, *next;

	if (refusals == NULL)
		return;
	for (size_t i = 0; i < REFUSALS_BUCKETS; i++)
		for (row = refusals->bucket[i]; row != NULL; row = next) {
			next = row->next;
			free(row);
		}
	pthread_mutex_destroy(&refusals->lock);
	free(refusals);
}

/* FNV-1a */
static struct refusals_row **
refusals_bucket(struct refusals *refusals, int64_t minute, enum refusal reason, const char *who)
{
	uint64_t h = refusals->seed ^ 14695981039346656037u;

	h = (h ^ (uint64_t)minute) * 1099511628211u;
	h = (h ^ (uint64_t)reason) * 1099511628211u;
	for (; *who != '\0'; who++)
		h = (h ^ (uint8_t)*who) * 1099511628211u;
	return &refusals->bucket[(h ^ h >> 32) % REFUSALS_BUCKETS];
}

static struct refusals_row *
refusals_find(struct refusals *refusals, int64_t minute, enum refusal reason, const char *who)
{
	struct refusals_row *row;

	for (row = *refusals_bucket(refusals, minute, reason, who); row != NULL; row = row->next)
		if (row->minute == minute && row->reason == reason && strcmp(row->who, who) == 0)
			return row;
	return NULL;
}

/* Lock held. NULL when there is no room. */
static struct refusals_row *
refusals_make(struct refusals *refusals, int64_t minute, enum refusal reason, const char *who)
{
	struct refusals_row **bucket = refusals_bucket(refusals, minute, reason, who);
	struct refusals_row *row;

	if (refusals->rows >= REFUSALS_ROWS)
		return NULL;
	row = mem_alloc(sizeof(*row));
	row->minute = minute;
	row->reason = reason;
	memcpy(row->who, who, strlen(who) + 1);
	row->next = *bucket;
	*bucket = row;
	refusals->rows++;
	return row;
}

/* Lock held. */
static void
refusals_add(
    struct refusals *refusals, int64_t minute, enum refusal reason, const char *who, int64_t n)
{
	struct refusals_row *row;

	if (minute > refusals->minute) {
		refusals->minute = minute;
		refusals->named = 0;
	}
	row = refusals_find(refusals, minute, reason, who);
	/* No new name in a minute that has passed: how many it had is forgotten. */
	if (row == NULL && who[0] != '\0' && minute == refusals->minute &&
	    refusals->named < REFUSALS_NAMED &&
	    (row = refusals_make(refusals, minute, reason, who)) != NULL)
		refusals->named++;
	if (row == NULL && (row = refusals_find(refusals, minute, reason, "")) == NULL)
		row = refusals_make(refusals, minute, reason, "");
	/* Minutes without a database that takes rows: no more is kept. */
	if (row != NULL)
		row->n = n > INT64_MAX / 2 - row->n ? INT64_MAX / 2 : row->n + n;
}

void
refusals_count(
    struct refusals *refusals, const char *who, enum refusal reason, time_t now, int64_t n)
{
	if (refusal_str(reason)[0] == '\0' || reason == REFUSAL_NONE || reason == REFUSAL_FORM ||
	    n <= 0)
		return;
	if (strlen(who) >= STORE_REFUSED_LEN)
		who = "";
	pthread_mutex_lock(&refusals->lock);
	refusals_add(refusals, now / 60, reason, who, n);
	pthread_mutex_unlock(&refusals->lock);
}

/* Take what is not written yet; rows of passed minutes are forgotten. */
static void
refusals_take(struct refusals *refusals, int64_t minute, struct refusals_job *job)
{
	struct refusals_row **at, *row;

	pthread_mutex_lock(&refusals->lock);
	job->row = mem_array(refusals->rows + 1, sizeof(*job->row));
	for (size_t i = 0; i < REFUSALS_BUCKETS; i++)
		for (at = &refusals->bucket[i]; (row = *at) != NULL;) {
			if (row->n > 0)
				job->row[job->n++] = *row;
			row->n = 0;
			if (row->minute >= minute && row->minute >= refusals->minute) {
				at = &row->next;
				continue;
			}
			*at = row->next;
			free(row);
			refusals->rows--;
		}
	pthread_mutex_unlock(&refusals->lock);
}

static void
refusals_give_back(struct refusals *refusals, const struct refusals_job *job)
{
	struct refusals_row *row;

	pthread_mutex_lock(&refusals->lock);
	for (size_t i = 0; i < job->n; i++) {
		const struct refusals_row *was = &job->row[i];

		row = refusals_find(refusals, was->minute, was->reason, was->who);
		if (row == NULL)
			row = refusals_make(refusals, was->minute, was->reason, was->who);
		if (row != NULL)
			row->n = was->n > INT64_MAX / 2 - row->n ? INT64_MAX / 2 : row->n + was->n;
	}
	pthread_mutex_unlock(&refusals->lock);
}

static int
refusals_write(struct store *store, const struct refusals_row *row, struct err *err)
{
	struct store_refusal out = { .minute = row->minute, .n = row->n };
	const char *reason = refusal_str(row->reason);

	memcpy(out.who, row->who, sizeof(out.who));
	require(strlen(reason) < sizeof(out.reason));
	memcpy(out.reason, reason, strlen(reason) + 1);
	if (store_refusal_add(store, &out, err) == 0)
		return 0;
	/* A start in the middle of the minute has forgotten what stands there already. */
	if (err->code == FAIL_LIMIT && out.who[0] != '\0') {
		out.who[0] = '\0';
		if (store_refusal_add(store, &out, err) == 0)
			return 0;
	}
	return err->code == FAIL_LIMIT ? 0 : -1;
}

static int
refusals_apply(struct commit_job *commit, struct store *store, struct err *err)
{
	struct refusals_job *job = (struct refusals_job *)commit;

	for (size_t i = 0; i < job->n; i++)
		if (refusals_write(store, &job->row[i], err) != 0)
			return -1;
	return store_refusal_prune(store, job->before, REFUSALS_PRUNE, err);
}

int
refusals_flush(
    struct refusals *refusals, struct committer *committer, time_t now, long kept, struct err *err)
{
	struct refusals_job job = {
		.job = { .lane = COMMIT_OTHER, .apply = refusals_apply },
		.before = (now - kept) / 60,
	};
	int r;

	refusals_take(refusals, now / 60, &job);
	r = committer_run(committer, &job.job, err);
	if (r != 0)
		refusals_give_back(refusals, &job);
	free(job.row);
	return r;
}
