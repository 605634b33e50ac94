/*
 * The checkpointer: passes over the WAL in a thread of their own. It knows nothing of what is
 * committed, only of the WAL's length, and writes no row.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "smki/checkpointer.h"
#include "smki/clock.h"
#include "smki/fault.h"
#include "smki/mem.h"

#define CHECKPOINT_NEVER INT64_MAX

struct checkpointer {
	struct checkpointer_conf conf;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t work;
	int64_t frames; /* in the WAL after the newest commit */
	int64_t copied; /* of them, as far as the newest pass knew */
	int64_t noted;	/* when the newest commit was told; milliseconds as the next one */
	int64_t next;	/* no pass before it */
	bool dirty;	/* committed since the newest pass began, or left by it */
	bool passing;
	bool tail; /* pass follows pass to the WAL's end, for which all wait */
	bool stopping;
	bool dead; /* after fatal() */
	bool failed;
	struct err why;
};

/* When the thread is to make a pass. Lock held. */
static int64_t
checkpointer_due(const struct checkpointer *c)
{
	int64_t idle = c->noted + CHECKPOINT_IDLE_MS;

	if (c->stopping)
		return 0;
	if (!c->dirty)
		return CHECKPOINT_NEVER;
	if (c->frames - c->copied >= CHECKPOINT_FRAMES || c->frames > CHECKPOINT_RESTART_FRAMES)
		return c->next;
	return c->next > idle ? c->next : idle;
}

/* Lock held. */
static bool
checkpointer_is_tail(const struct checkpointer *c)
{
	return c->frames > CHECKPOINT_RESTART_FRAMES && c->copied < c->frames &&
	       c->frames - c->copied <= CHECKPOINT_TAIL_FRAMES;
}

static void
checkpointer_wait(struct checkpointer *c)
{
	struct timespec until;
	int64_t due, now;

	while ((due = checkpointer_due(c)) > (now = clock_mono_ms())) {
		if (due == CHECKPOINT_NEVER) {
			pthread_cond_wait(&c->work, &c->lock);
			continue;
		}
		until = clock_mono_after(due - now);
		(void)pthread_cond_timedwait(&c->work, &c->lock, &until);
	}
}

/* What the newest pass found out. Lock held. */
static void
checkpointer_learn(struct checkpointer *c, const struct store_wal *wal, const struct err *failed)
{
	int64_t before = c->copied;

	c->failed = failed != NULL;
	if (c->failed)
		c->why = *failed;
	if (!c->failed && wal->frames >= 0) {
		if (c->frames == 0)
			c->frames = wal->frames; /* an earlier process's */
		/* A WAL begun anew meanwhile is shorter. */
		c->copied = wal->frames <= c->frames ? wal->copied : 0;
	}
	if (c->failed || wal->copied < wal->frames || wal->frames < 0)
		c->dirty = true;
	/* Not at once again: the disk or a reader is in the way; or all is copied, and the next
	 * commit begins the WAL anew or a reader is in the way of that. */
	if (c->failed || c->copied <= before || c->copied >= c->frames)
		c->next = clock_mono_ms() + CHECKPOINT_AGAIN_MS;
	c->tail = c->next <= clock_mono_ms() && checkpointer_is_tail(c);
}

/* Lock held, and let go of meanwhile. */
static void
checkpointer_pass(struct checkpointer *c)
{
	struct store_wal wal = { -1, -1 };
	struct err err = { 0 };
	bool tail;
	int rc;

	c->passing = true;
	c->dirty = false;
	tail = c->tail = checkpointer_is_tail(c);
	pthread_mutex_unlock(&c->lock);
	fault_point("checkpoint.begin");
	rc = store_checkpoint(c->conf.store, &wal, &err);
	fault_point("checkpoint.copied");
	/* Nobody waits for this fsync, and then there is little left for that of the WAL's end. */
	if (rc == 0 && !tail)
		rc = store_sync(c->conf.store, &err);
	pthread_mutex_lock(&c->lock);
	c->passing = false;
	checkpointer_learn(c, &wal, rc == 0 ? NULL : &err);
	c->dead = rc != 0 && err.code == FAIL_INTERNAL;
	pthread_mutex_unlock(&c->lock);
	if (c->dead)
		c->conf.fatal(&err);
	c->conf.ended(c->conf.ctx);
	pthread_mutex_lock(&c->lock);
}

static void *
checkpointer_main(void *arg)
{
	struct checkpointer *c = arg;
	bool last = false;

	pthread_mutex_lock(&c->lock);
	while (!last && !c->dead) {
		checkpointer_wait(c);
		last = c->stopping;
		if (c->dirty)
			checkpointer_pass(c);
	}
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

int
checkpointer_start(const struct checkpointer_conf *conf, struct checkpointer **out, struct err *err)
{
	struct checkpointer *c = mem_alloc(sizeof(*c));

	c->conf = *conf;
	c->dirty = true;
	pthread_mutex_init(&c->lock, NULL);
	clock_cond_init(&c->work);
	errno = pthread_create(&c->thread, NULL, checkpointer_main, c);
	if (errno != 0) {
		err_sys(err, FAIL_UNAVAILABLE, "checkpointer: thread");
		pthread_cond_destroy(&c->work);
		pthread_mutex_destroy(&c->lock);
		free(c);
		return -1;
	}
	*out = c;
	return 0;
}

void
checkpointer_stop(struct checkpointer *c)
{
	if (c == NULL)
		return;
	pthread_mutex_lock(&c->lock);
	c->stopping = true;
	pthread_cond_signal(&c->work);
	pthread_mutex_unlock(&c->lock);
	require(pthread_join(c->thread, NULL) == 0);
	pthread_cond_destroy(&c->work);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

void
checkpointer_note(struct checkpointer *c, int64_t frames)
{
	int64_t before;
	bool sooner;

	pthread_mutex_lock(&c->lock);
	before = checkpointer_due(c);
	if (frames <= c->frames) {
		c->copied = 0; /* begun anew */
		c->next = 0;
	}
	c->frames = frames;
	c->noted = clock_mono_ms();
	c->dirty = true;
	sooner = checkpointer_due(c) < before;
	pthread_mutex_unlock(&c->lock);
	if (sooner)
		pthread_cond_signal(&c->work);
}

enum checkpoint_hold
checkpointer_hold(struct checkpointer *c)
{
	enum checkpoint_hold hold = CHECKPOINT_HOLD_NONE;

	pthread_mutex_lock(&c->lock);
	if (c->tail)
		hold = CHECKPOINT_HOLD_ALL;
	else if (c->passing && c->frames > CHECKPOINT_MAX_FRAMES)
		hold = CHECKPOINT_HOLD_OTHER;
	pthread_mutex_unlock(&c->lock);
	return hold;
}

int
checkpointer_check(struct checkpointer *c, struct err *err)
{
	bool failed;

	pthread_mutex_lock(&c->lock);
	failed = c->failed;
	if (failed)
		err_set(err, FAIL_UNAVAILABLE,
		    "%s: changes are recorded, but the write-ahead log grows", c->why.msg);
	pthread_mutex_unlock(&c->lock);
	return failed ? -1 : 0;
}
