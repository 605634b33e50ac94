/*
 * The signing threads of one token. Each owns one session and nobody else ever touches it. A
 * request ends at its deadline whatever the module does: a thread that is still inside a call
 * then is given up and replaced, and frees what it holds if it ever comes back.
 *
 * Losing the token: the thread that notices raises the generation, every thread closes its own
 * session before its next job and opens a new one. Bring-up (find the slot, open, log in) is done
 * by one thread at a time. While no session is up and the last bring-up failed a moment ago,
 * requests are refused at once, so callers do not pile up behind a token that is away. Some
 * modules never see a token again that they lost: one that stays away has its module begun anew.
 *
 * One mutex guards everything here; it is never held during a module call.
 */
#include <stdlib.h>

#include "hsm_worker.h"
#include "smki/clock.h"
#include "smki/mem.h"

static void hsm_pool_fill(struct hsm_pool *pool);

void
hsm_pool_wait(struct hsm_pool *pool, pthread_cond_t *cond, int64_t until_ms)
{
	struct timespec at = { until_ms / 1000, until_ms % 1000 * 1000000 };

	/* Timeout or not, the caller looks at the state again. */
	(void)pthread_cond_timedwait(cond, &pool->lock, &at);
}

void
hsm_pool_unlink(struct hsm_pool *pool, struct hsm_work *work)
{
	*(work->prev == NULL ? &pool->head : &work->prev->next) = work->next;
	*(work->next == NULL ? &pool->tail : &work->next->prev) = work->prev;
	work->next = work->prev = NULL;
}

void
hsm_pool_push(struct hsm_pool *pool, struct hsm_work *work, bool first)
{
	work->state = WORK_QUEUED;
	work->worker = NULL;
	work->prev = first ? NULL : pool->tail;
	work->next = first ? pool->head : NULL;
	*(work->prev == NULL ? &pool->head : &work->prev->next) = work;
	*(work->next == NULL ? &pool->tail : &work->next->prev) = work;
}

void
hsm_pool_ring(struct hsm_pool *pool, pthread_cond_t *bell)
{
	/* A signal could go to a thread that is parked and leaves the job lying. */
	bool parked = clock_mono_ms() < pool->parked_until;

	pthread_mutex_unlock(&pool->lock);
	if (bell != NULL)
		pthread_cond_broadcast(bell);
	else if (parked)
		pthread_cond_broadcast(&pool->wanted);
	else
		pthread_cond_signal(&pool->wanted);
	pthread_mutex_lock(&pool->lock);
}

/* Sessions of the present generation. */
unsigned
hsm_pool_up(const struct hsm_pool *pool)
{
	unsigned up = 0;

	for (unsigned i = 0; i < pool->n_workers; i++)
		up += pool->workers[i]->session.is_open &&
		      pool->workers[i]->generation == pool->generation;
	return up;
}

void
hsm_pool_forget(struct hsm_pool *pool, const struct hsm_worker *worker)
{
	for (unsigned i = 0; i < pool->n_workers; i++)
		if (pool->workers[i] == worker) {
			pool->workers[i] = pool->workers[--pool->n_workers];
			return;
		}
}

static void
hsm_pool_give_up(struct hsm_worker *worker)
{
	struct hsm_pool *pool = worker->pool;

	worker->given_up = true;
	pool->given_up++;
	hsm_pool_forget(pool, worker);
	pthread_detach(worker->thread);
	/*
	 * A login that hangs keeps its place: nobody knows whether the PIN counts as tried, so
	 * nobody else may try it. So does a module that is begun anew: it may not be called.
	 */
	if (pool->bringing == worker && !worker->alone)
		pool->bringing = NULL;
	pthread_cond_broadcast(&pool->changed);
	if (!pool->closing)
		hsm_pool_fill(pool);
}

/* Give up the threads whose call is overdue and whose asker has left. */
static void
hsm_pool_reap(struct hsm_pool *pool, int64_t now)
{
	for (unsigned i = pool->n_workers; i-- > 0;) {
		struct hsm_worker *worker = pool->workers[i];

		if (worker->call_since != 0 && now >= worker->call_since + worker->call_limit &&
		    (worker->work == NULL || worker->work->orphan))
			hsm_pool_give_up(worker);
	}
}

/* When the next call becomes overdue, at most until. */
static int64_t
hsm_pool_next_overdue(const struct hsm_pool *pool, int64_t now, int64_t until)
{
	for (unsigned i = 0; i < pool->n_workers; i++) {
		const struct hsm_worker *worker = pool->workers[i];
		int64_t at = worker->call_since + worker->call_limit;

		if (worker->call_since != 0 && at < until)
			until = at;
	}
	/* An asker about to leave is overdue by its own clock: look again soon. */
	return until > now ? until : now + 1;
}

static void
hsm_pool_destroy(struct hsm_pool *pool)
{
	for (size_t i = 0; i < HSM_POOL_BELLS; i++)
		pthread_cond_destroy(&pool->bell[i]);
	pthread_cond_destroy(&pool->wanted);
	pthread_cond_destroy(&pool->changed);
	pthread_mutex_destroy(&pool->lock);
	free(pool);
}

/* The last one of a closed pool takes everything with it. */
void
hsm_pool_free(struct hsm_pool *pool)
{
	struct hsm_pool_owner owner = pool->owner;

	hsm_pool_destroy(pool);
	owner.done(owner.ctx);
}

/* As many threads as wanted, unless too many are stuck already. The mutex is held. */
static void
hsm_pool_fill(struct hsm_pool *pool)
{
	while (pool->n_workers < pool->n_wanted && pool->given_up <= HSM_ABANDONED_MAX)
		if (hsm_worker_spawn(pool) != 0)
			return;
}

int
hsm_pool_open(struct hsm_module *module, unsigned n, long bring_up_ms,
    const struct hsm_pool_owner *owner, struct hsm_pool **out, struct err *err)
{
	struct hsm_pool *pool = mem_alloc(sizeof(*pool));
	int r;

	require(n >= 1 && n <= HSM_SESSIONS_MAX);
	pool->module = module;
	pool->owner = *owner;
	pool->n_wanted = n;
	pool->bring_up_ms = bring_up_ms;
	require(pthread_mutex_init(&pool->lock, NULL) == 0);
	clock_cond_init(&pool->wanted);
	clock_cond_init(&pool->changed);
	for (size_t i = 0; i < HSM_POOL_BELLS; i++)
		clock_cond_init(&pool->bell[i]);
	pthread_mutex_lock(&pool->lock);
	hsm_pool_fill(pool);
	r = pool->n_workers == 0 ? -1 : 0;
	pthread_mutex_unlock(&pool->lock);
	if (r != 0) {
		hsm_pool_destroy(pool);
		return err_set(err, FAIL_UNAVAILABLE, "token %s: no thread can be started",
		    hsm_module_token(module));
	}
	*out = pool;
	return 0;
}

static void
hsm_pool_join(struct hsm_pool *pool)
{
	for (unsigned i = 0; i < pool->n_ended; i++) {
		pthread_join(pool->ended[i]->thread, NULL);
		free(pool->ended[i]);
	}
}

void
hsm_pool_close(struct hsm_pool *pool)
{
	int64_t now;
	bool last;

	pthread_mutex_lock(&pool->lock);
	require(pool->head == NULL);
	pool->closing = true;
	pthread_cond_broadcast(&pool->wanted);
	pthread_cond_broadcast(&pool->changed);
	while (pool->n_workers != 0) {
		now = clock_mono_ms();
		hsm_pool_reap(pool, now);
		if (pool->n_workers != 0)
			hsm_pool_wait(pool, &pool->changed,
			    hsm_pool_next_overdue(pool, now, now + pool->bring_up_ms));
	}
	pthread_mutex_unlock(&pool->lock);
	/* Nobody adds to the ended any more. */
	hsm_pool_join(pool);
	pthread_mutex_lock(&pool->lock);
	last = pool->given_up == 0;
	pool->left_behind = !last;
	pthread_mutex_unlock(&pool->lock);
	if (last)
		hsm_pool_free(pool);
}

int
hsm_pool_bring_up_hangs(const struct hsm_pool *pool, struct err *err)
{
	return err_set(err, FAIL_UNAVAILABLE,
	    "token %s: PKCS#11 C_Login or C_Initialize: does not come back; none is tried beside",
	    hsm_module_token(pool->module));
}

/* Refuse at once: no session is up, and the last bring-up failed or hangs. */
static bool
hsm_pool_refuses(const struct hsm_pool *pool, int64_t now, struct err *err)
{
	if (pool->n_workers == 0) {
		err_set(err, FAIL_UNAVAILABLE, "token %s: %u calls never came back",
		    hsm_module_token(pool->module), pool->given_up);
		return true;
	}
	if (!pool->down || hsm_pool_up(pool) != 0)
		return false;
	if (now >= pool->retry_at && pool->bringing == NULL)
		return false;
	if (pool->bringing != NULL && pool->bringing->given_up)
		(void)hsm_pool_bring_up_hangs(pool, err);
	else if (err != NULL)
		*err = pool->why;
	return true;
}

/* The asker's time is over and the work is not: take it from the queue or leave it. */
static void
hsm_pool_overdue(struct hsm_pool *pool, struct hsm_work *work, int64_t now, struct err *err)
{
	const char *what = "no session was free";

	if (work->state == WORK_QUEUED) {
		hsm_pool_unlink(pool, work);
		free(work);
	} else {
		what = "the call did not come back";
		work->orphan = true;
		/* The call began a little after its job was queued. */
		hsm_pool_reap(pool, now + work->limit_ms / 10 + 1);
	}
	pool->ready = false;
	err_set(err, FAIL_UNAVAILABLE, "token %s: PKCS#11: %s in time",
	    hsm_module_token(pool->module), what);
	if (pool->bringing != NULL && hsm_pool_up(pool) == 0 && !pool->down) {
		pool->down = true;
		pool->retry_at = now;
		err_set(&pool->why, FAIL_UNAVAILABLE, "token %s: PKCS#11: does not answer",
		    hsm_module_token(pool->module));
	}
}

int
hsm_pool_begin(struct hsm_pool *pool, const struct hsm_job *job, long limit_ms,
    struct hsm_work **out, struct err *err)
{
	struct hsm_work *work;
	int64_t now;
	int r = -1;

	pthread_mutex_lock(&pool->lock);
	now = clock_mono_ms();
	hsm_pool_reap(pool, now);
	hsm_pool_fill(pool);
	if (!hsm_pool_refuses(pool, now, err)) {
		work = mem_alloc(sizeof(*work));
		work->job = *job;
		work->limit_ms = limit_ms;
		work->deadline = now + limit_ms;
		work->ended = &pool->bell[pool->next_bell++ % HSM_POOL_BELLS];
		hsm_pool_push(pool, work, false);
		hsm_pool_ring(pool, NULL);
		*out = work;
		r = 0;
	}
	pthread_mutex_unlock(&pool->lock);
	return r;
}

int
hsm_pool_end(struct hsm_pool *pool, struct hsm_work *work, struct hsm_job *job, struct err *err)
{
	int64_t now;
	int r = -1;

	pthread_mutex_lock(&pool->lock);
	now = clock_mono_ms();
	while (work->state != WORK_ENDED && now < work->deadline) {
		hsm_pool_wait(pool, work->ended, hsm_pool_next_overdue(pool, now, work->deadline));
		now = clock_mono_ms();
		hsm_pool_reap(pool, now);
	}
	if (work->state != WORK_ENDED) {
		hsm_pool_overdue(pool, work, now, err);
		goto out;
	}
	r = work->result;
	if (r == 0)
		*job = work->job;
	else if (err != NULL)
		*err = work->err;
	free(work);
out:
	pthread_mutex_unlock(&pool->lock);
	return r;
}

int
hsm_pool_run(struct hsm_pool *pool, struct hsm_job *job, long limit_ms, struct err *err)
{
	struct hsm_work *work;

	if (hsm_pool_begin(pool, job, limit_ms, &work, err) != 0)
		return -1;
	return hsm_pool_end(pool, work, job, err);
}

int
hsm_pool_is_lost(struct hsm_pool *pool)
{
	const struct hsm_worker *alone;
	int64_t now;
	bool lost;

	pthread_mutex_lock(&pool->lock);
	now = clock_mono_ms();
	hsm_pool_reap(pool, now);
	lost = pool->given_up > HSM_ABANDONED_MAX;
	/* Nobody may bring up beside one that hangs, so only a new process helps. */
	alone = pool->bringing;
	if (alone != NULL && alone->given_up &&
	    now >= alone->call_since + HSM_ABANDONED_MAX * (int64_t)alone->call_limit)
		lost = true;
	pthread_mutex_unlock(&pool->lock);
	return lost;
}

int
hsm_pool_is_ready(struct hsm_pool *pool)
{
	bool ready;

	pthread_mutex_lock(&pool->lock);
	ready = pool->ready;
	pthread_mutex_unlock(&pool->lock);
	return ready;
}
