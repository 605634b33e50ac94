/*
 * The committer: one thread, one transaction for whatever waits. Knows nothing of what the jobs
 * write. No job's verdict is told before COMMIT, and none at all when COMMIT left the disk's
 * content uncertain.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "smki/checkpointer.h"
#include "smki/clock.h"
#include "smki/committer.h"
#include "smki/fault.h"
#include "smki/mem.h"

#include "commit_queue.h"

/* A group is begun this often while another process holds the lock (STORE_BUSY_MS each). */
#define COMMIT_TRIES 2
/* Without a checkpointer the WAL goes back into the database after this long without work: right
 * after each group it would keep the next one waiting for two more fsyncs. The store bounds the WAL
 * if work never ends. */
#define COMMIT_IDLE_MS 200

/* While more jobs are being made than wait already, a group waits for this many of them, and this
 * long at most: a commit costs the same for one as for many. The other half is being made while
 * this one is committed. Changes of states wait for nobody. */
#define COMMIT_FILL 128
#define COMMIT_FILL_MS 24

/* After a group in which a job was refused so many get a savepoint for each of their jobs: that
 * costs a little, doing a group twice costs all of it. */
#define COMMIT_APART_GROUPS 16

struct committer {
	struct store *store;		   /* the thread's alone */
	struct checkpointer *checkpointer; /* NULL = this thread does it when idle */
	void (*fatal)(const struct err *err);
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t work; /* something to do for the thread */
	pthread_cond_t ran;  /* a committer_run() has its verdict, or there will be none */
	struct commit_queue state, other;
	size_t coming; /* jobs that are being made */
	bool filling;  /* the thread waits for more, and wants to hear when there is enough */
	bool stopping;
	bool dead; /* COMMIT failed; the thread touches no job any more */
	bool lost; /* nothing of the newest group was recorded, for this reason */
	struct err why;
	unsigned apart; /* the thread's: groups to come whose jobs get savepoints */
	size_t alone;	/* groups to come of one job each */
};

/* What became of a group. */
enum commit_fate {
	COMMIT_DONE = 1, /* committed; each job has its own verdict */
	COMMIT_BUSY,	 /* nothing happened, may be tried again */
	COMMIT_REFUSED,	 /* nothing happened: a job without a savepoint was refused */
	COMMIT_NOTHING,	 /* nothing happened: its only job was refused */
	COMMIT_OUTGROWN, /* nothing happened: one of several so large cannot be undone alone */
	COMMIT_LOST,	 /* nothing happened, the same for all */
	COMMIT_FATAL,	 /* nobody knows */
};

/* The next group, state changes first; empty when nothing waits. Lock held. */
static struct commit_queue
committer_take(struct committer *c)
{
	size_t max = c->alone > 0 ? 1 : COMMIT_GROUP_MAX;
	struct commit_queue group = { 0 };
	struct commit_job *job;

	while (group.n < max && (job = commit_queue_take(&c->state)) != NULL)
		commit_queue_put(&group, job);
	while (group.n < max && (job = commit_queue_take(&c->other)) != NULL)
		commit_queue_put(&group, job);
	if (c->alone > 0)
		c->alone--;
	return group;
}

/*
 * One job, in its own savepoint when apart; its own failure is kept in it. -1 when the transaction
 * is no longer what the jobs before this one wrote into.
 */
static int
committer_apply(struct committer *c, struct commit_job *job, bool apart, struct err *err)
{
	job->failed = 0;
	job->err = (struct err){ .code = FAIL_INTERNAL };
	if (apart && store_savepoint(c->store, err) != 0)
		return -1;
	if (job->apply(job, c->store, &job->err) != 0)
		job->failed = 1;
	/* After some failures SQLite rolls the whole transaction back by itself. */
	if (!store_in_transaction(c->store))
		return err_set(err, FAIL_UNAVAILABLE, "database: transaction rolled back: %s",
		    job->failed ? job->err.msg : "by a job that reported success");
	if (!apart)
		return 0;
	return job->failed ? store_undo(c->store, err) : store_release(c->store, err);
}

/* All jobs of a group. COMMIT_DONE: each is applied, or undone with its own reason. */
static enum commit_fate
committer_apply_all(
    struct committer *c, const struct commit_queue *group, bool apart, struct err *err)
{
	for (struct commit_job *job = group->first; job != NULL; job = job->next) {
		if (committer_apply(c, job, apart, err) != 0)
			return err->code == FAIL_LIMIT ? COMMIT_OUTGROWN : COMMIT_LOST;
		if (job->failed && !apart)
			return COMMIT_REFUSED;
	}
	return COMMIT_DONE;
}

static enum commit_fate
committer_try(struct committer *c, const struct commit_queue *group, bool apart, struct err *err)
{
	enum commit_fate fate;
	bool fatal = false;

	fault_point("commit.begin");
	if (store_begin(c->store, err) != 0)
		return COMMIT_BUSY;
	fate = committer_apply_all(c, group, apart, err);
	if (fate == COMMIT_DONE)
		fault_point("commit.applied");
	/* Into a file that is no longer the home's nothing is recorded that anybody will find, and
	 * what is refused there may be right in the one that is. */
	if ((fate == COMMIT_DONE || fate == COMMIT_REFUSED) && store_is_moved(c->store)) {
		err_set(err, FAIL_UNAVAILABLE, "database: another file lies in its place, or none");
		fate = COMMIT_FATAL;
	}
	if (fate != COMMIT_DONE) {
		if (store_in_transaction(c->store))
			store_rollback(c->store);
		return fate;
	}
	if (store_commit(c->store, &fatal, err) != 0)
		return fatal ? COMMIT_FATAL : COMMIT_BUSY;
	fault_point("commit.done");
	return COMMIT_DONE;
}

static void
committer_tell(const struct commit_queue *group, enum commit_fate fate, const struct err *err)
{
	struct commit_job *job, *next;

	for (job = group->first; job != NULL; job = next) {
		next = job->next; /* done() may free the job */
		if (fate != COMMIT_DONE && fate != COMMIT_NOTHING)
			job->done(job, err);
		else
			job->done(job, job->failed ? &job->err : NULL);
	}
}

/* For committer_check. */
static void
committer_learn(struct committer *c, enum commit_fate fate, const struct err *err)
{
	if (fate == COMMIT_NOTHING)
		return;
	pthread_mutex_lock(&c->lock);
	c->lost = fate != COMMIT_DONE;
	c->why = *err;
	pthread_mutex_unlock(&c->lock);
}

static bool
committer_has_failed(const struct commit_queue *group)
{
	for (const struct commit_job *job = group->first; job != NULL; job = job->next)
		if (job->failed)
			return true;
	return false;
}

/* After a group. One that wrote nothing would look like a WAL begun anew at the same length. */
static void
committer_note(struct committer *c)
{
	if (c->checkpointer != NULL && store_wal_frames(c->store) > 0)
		checkpointer_note(c->checkpointer, store_wal_frames(c->store));
}

/* A job alone needs no savepoint: refused, it leaves no transaction behind, and that is its
 * verdict. */
static enum commit_fate
committer_attempt(struct committer *c, const struct commit_queue *group, struct err *err)
{
	enum commit_fate fate = committer_try(c, group, c->apart > 0 && group->n > 1, err);

	if (fate != COMMIT_REFUSED)
		return fate;
	return group->n > 1 ? committer_try(c, group, true, err) : COMMIT_NOTHING;
}

/* All of a group waits again, each job for a transaction of its own; new changes of states go
 * first. */
static void
committer_put_back(struct committer *c, const struct commit_queue *group)
{
	struct commit_queue state = { 0 }, other = { 0 };
	struct commit_job *job, *next;

	for (job = group->first; job != NULL; job = next) {
		next = job->next;
		commit_queue_put(job->lane == COMMIT_STATE ? &state : &other, job);
	}
	pthread_mutex_lock(&c->lock);
	commit_queue_put_back(&c->state, &state);
	commit_queue_put_back(&c->other, &other);
	c->alone = group->n;
	pthread_mutex_unlock(&c->lock);
}

/* From the queue's end to the jobs' verdicts. -1 when the thread must end. */
static int
committer_group(struct committer *c, const struct commit_queue *group)
{
	enum commit_fate fate = COMMIT_BUSY;
	struct err err = { 0 };

	for (int i = 0; i < COMMIT_TRIES && fate == COMMIT_BUSY; i++)
		fate = committer_attempt(c, group, &err);
	if (fate == COMMIT_OUTGROWN) {
		committer_put_back(c, group);
		return 0;
	}
	if (committer_has_failed(group))
		c->apart = COMMIT_APART_GROUPS;
	else if (c->apart > 0)
		c->apart--;
	if (fate == COMMIT_FATAL) {
		c->fatal(&err);
		return -1;
	}
	/* Whatever the engine calls it: the requests are not to blame, and may come again. */
	if (fate != COMMIT_DONE && fate != COMMIT_NOTHING)
		err.code = FAIL_UNAVAILABLE;
	committer_learn(c, fate, &err);
	committer_tell(group, fate, &err);
	if (fate == COMMIT_DONE)
		committer_note(c);
	return 0;
}

/*
 * A WAL that cannot be folded back now stays valid, and is tried again after the next group; but
 * not after a failed fsync, which the next one would not tell again. -1 when the thread must end.
 */
static int
committer_checkpoint(struct committer *c, bool *dirty)
{
	struct err err;

	if (store_checkpoint(c->store, NULL, &err) == 0) {
		*dirty = false;
	} else if (err.code == FAIL_INTERNAL) {
		c->fatal(&err);
		return -1;
	}
	return 0;
}

/* Is there anything to do? Lock held. */
static bool
committer_has_work(const struct committer *c)
{
	return c->state.n > 0 || c->other.n > 0 || c->stopping;
}

/* Is a group of those that wait as large as it should be? Lock held. */
static bool
committer_is_full(const struct committer *c)
{
	return c->state.n > 0 || c->other.n >= COMMIT_FILL || c->other.n >= c->coming ||
	       c->alone > 0 || c->stopping;
}

/* Wait for a job until the store has been idle for long enough. Lock held; 0 = idle. */
static int
committer_wait(struct committer *c, bool idle_ends)
{
	struct timespec until = clock_mono_after(COMMIT_IDLE_MS);
	int rc = 0;

	while (!committer_has_work(c) && rc == 0)
		rc = idle_ends ? pthread_cond_timedwait(&c->work, &c->lock, &until)
			       : pthread_cond_wait(&c->work, &c->lock);
	return committer_has_work(c);
}

/* Let the group fill as long as there is company on its way. Lock held. */
static void
committer_fill(struct committer *c)
{
	struct timespec until = clock_mono_after(COMMIT_FILL_MS);
	int rc = 0;

	c->filling = true;
	while (!committer_is_full(c) && rc == 0)
		rc = pthread_cond_timedwait(&c->work, &c->lock, &until);
	c->filling = false;
}

/* A pass has ended. */
static void
committer_resume(void *ctx)
{
	struct committer *c = ctx;

	pthread_mutex_lock(&c->lock);
	pthread_cond_signal(&c->work);
	pthread_mutex_unlock(&c->lock);
}

/* Is the next group to wait for the checkpointer? Lock held. */
static bool
committer_is_held(const struct committer *c)
{
	if (c->checkpointer == NULL || c->stopping)
		return false;
	switch (checkpointer_hold(c->checkpointer)) {
	case CHECKPOINT_HOLD_NONE:
		return false;
	case CHECKPOINT_HOLD_OTHER:
		return c->state.n == 0;
	case CHECKPOINT_HOLD_ALL:
		return true;
	}
	return false;
}

/* Let the checkpointer come to the end of the WAL, or a disk that is behind catch up: for so long
 * at most, since jobs wait. Lock held. */
static void
committer_hold(struct committer *c)
{
	struct timespec until = clock_mono_after(CHECKPOINT_WAIT_MS);
	int rc = 0;

	while (rc == 0 && committer_is_held(c))
		rc = pthread_cond_timedwait(&c->work, &c->lock, &until);
}

static void *
committer_main(void *arg)
{
	struct committer *c = arg;
	struct commit_queue group;
	bool dirty = false; /* groups since the last checkpoint */
	bool idle_ends = false;

	for (;;) {
		pthread_mutex_lock(&c->lock);
		while (!committer_wait(c, idle_ends)) {
			pthread_mutex_unlock(&c->lock);
			if (committer_checkpoint(c, &dirty) != 0)
				goto dead;
			idle_ends = false;
			pthread_mutex_lock(&c->lock);
		}
		committer_hold(c);
		committer_fill(c);
		group = committer_take(c);
		pthread_mutex_unlock(&c->lock);
		if (group.n == 0)
			break; /* stopping, and nothing is left */
		dirty = c->checkpointer == NULL;
		idle_ends = dirty;
		if (committer_group(c, &group) != 0)
			goto dead;
	}
	if (!dirty || committer_checkpoint(c, &dirty) == 0)
		return NULL;
dead:
	pthread_mutex_lock(&c->lock);
	c->dead = true;
	pthread_cond_broadcast(&c->ran);
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

static int
committer_checkpointer(struct committer *c, struct store *aside, struct err *err)
{
	const struct checkpointer_conf conf = {
		.store = aside, .ended = committer_resume, .fatal = c->fatal, .ctx = c
	};

	if (aside == NULL)
		return 0;
	store_checkpoints_elsewhere(c->store);
	return checkpointer_start(&conf, &c->checkpointer, err);
}

static void
committer_free(struct committer *c)
{
	checkpointer_stop(c->checkpointer);
	pthread_cond_destroy(&c->ran);
	pthread_cond_destroy(&c->work);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

int
committer_start(struct store *store, struct store *aside, void (*fatal)(const struct err *err),
    struct committer **out, struct err *err)
{
	struct committer *c = mem_alloc(sizeof(*c));

	c->store = store;
	c->fatal = fatal;
	pthread_mutex_init(&c->lock, NULL);
	clock_cond_init(&c->work);
	pthread_cond_init(&c->ran, NULL);
	if (committer_checkpointer(c, aside, err) != 0) {
		committer_free(c);
		return -1;
	}
	errno = pthread_create(&c->thread, NULL, committer_main, c);
	if (errno != 0) {
		err_sys(err, FAIL_UNAVAILABLE, "committer: thread");
		committer_free(c);
		return -1;
	}
	*out = c;
	return 0;
}

void
committer_stop(struct committer *c)
{
	if (c == NULL)
		return;
	pthread_mutex_lock(&c->lock);
	c->stopping = true;
	pthread_cond_signal(&c->work);
	pthread_mutex_unlock(&c->lock);
	require(pthread_join(c->thread, NULL) == 0);
	committer_free(c);
}

/* Lock held. *wake: the thread is to be told, best after the lock. */
static int
committer_queue(struct committer *c, struct commit_job *job, bool *wake, struct err *err)
{
	struct commit_queue *queue = job->lane == COMMIT_STATE ? &c->state : &c->other;

	if (c->dead)
		return err_set(err, FAIL_UNAVAILABLE,
		    "database: COMMIT failed; what is on disk is uncertain, the service must end");
	if (c->stopping)
		return err_set(err, FAIL_UNAVAILABLE, "database: the service is stopping");
	if (queue->n >= COMMIT_QUEUE_MAX)
		return err_set(
		    err, FAIL_LIMIT, "database: %d changes are waiting already", COMMIT_QUEUE_MAX);
	commit_queue_put(queue, job);
	*wake = !c->filling || committer_is_full(c);
	return 0;
}

void
committer_expect(struct committer *c)
{
	pthread_mutex_lock(&c->lock);
	c->coming++;
	pthread_mutex_unlock(&c->lock);
}

void
committer_expected(struct committer *c)
{
	pthread_mutex_lock(&c->lock);
	require(c->coming > 0);
	c->coming--;
	if (c->filling && committer_is_full(c))
		pthread_cond_signal(&c->work);
	pthread_mutex_unlock(&c->lock);
}

int
committer_put(struct committer *c, struct commit_job *job, struct err *err)
{
	bool wake = false;
	int rc;

	pthread_mutex_lock(&c->lock);
	rc = committer_queue(c, job, &wake, err);
	pthread_mutex_unlock(&c->lock);
	if (wake)
		pthread_cond_signal(&c->work);
	return rc;
}

int
committer_check(struct committer *c, struct err *err)
{
	bool lost;

	pthread_mutex_lock(&c->lock);
	lost = c->lost;
	if (lost)
		err_set(
		    err, FAIL_UNAVAILABLE, "%s: the newest changes were not recorded", c->why.msg);
	pthread_mutex_unlock(&c->lock);
	if (!lost && c->checkpointer != NULL)
		return checkpointer_check(c->checkpointer, err);
	return lost ? -1 : 0;
}

/* Stands in the queue for a job whose owner waits. */
struct commit_run {
	struct commit_job job; /* first */
	struct committer *committer;
	struct commit_job *inner;
	bool finished;
	bool refused;
	struct err err;
};

static int
commit_run_apply(struct commit_job *job, struct store *store, struct err *err)
{
	struct commit_job *inner = ((struct commit_run *)job)->inner;

	return inner->apply(inner, store, err);
}

static void
commit_run_done(struct commit_job *job, const struct err *err)
{
	struct commit_run *run = (struct commit_run *)job;
	struct committer *c = run->committer;

	pthread_mutex_lock(&c->lock);
	run->finished = true;
	if (err != NULL) {
		run->refused = true;
		run->err = *err;
	}
	pthread_cond_broadcast(&c->ran);
	pthread_mutex_unlock(&c->lock);
}

int
committer_run(struct committer *c, struct commit_job *job, struct err *err)
{
	struct commit_run run = {
		.job = { .lane = job->lane, .apply = commit_run_apply, .done = commit_run_done },
		.committer = c,
		.inner = job
	};
	bool wake = false;

	require(!pthread_equal(pthread_self(), c->thread)); /* it would wait for itself */
	pthread_mutex_lock(&c->lock);
	if (committer_queue(c, &run.job, &wake, err) != 0) {
		pthread_mutex_unlock(&c->lock);
		return -1;
	}
	if (wake)
		pthread_cond_signal(&c->work);
	while (!run.finished && !c->dead)
		pthread_cond_wait(&c->ran, &c->lock);
	pthread_mutex_unlock(&c->lock);
	if (!run.finished)
		return err_set(err, FAIL_UNAVAILABLE,
		    "database: COMMIT failed; what is on disk is uncertain, the service must end");
	if (run.refused && err != NULL)
		*err = run.err;
	return run.refused ? -1 : 0;
}
