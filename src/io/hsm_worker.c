/*
 * What a thread of the pool does: take a job, bring its session up when it has none, do the job,
 * judge the session by what came of it, try again or answer. The session is this thread's alone.
 * It does not decide about deadlines; hsm_pool.c gives up a thread that is overdue, and the
 * thread finds out when its call comes back.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "hsm_worker.h"
#include "smki/clock.h"
#include "smki/mem.h"
#include "smki/thread.h"

/* A second try at once lets a token that was only shaken go unnoticed. */
#define HSM_WORKER_TRIES 2

static bool
hsm_worker_gate_closed(const struct hsm_pool *pool, int64_t now)
{
	return pool->down && now < pool->retry_at;
}

static void
hsm_worker_shut_gate(struct hsm_pool *pool, enum hsm_verdict verdict, const struct err *why)
{
	int64_t now = clock_mono_ms();

	pool->down = true;
	pool->ready = false;
	pool->why = *why;
	pool->retry_at = now + (why->code == FAIL_DENIED ? HSM_POOL_DENIED_MS : HSM_POOL_RETRY_MS);
	/* Who refuses is there. */
	if (verdict != VERDICT_REFUSED && pool->restart_at == 0) {
		pool->restart_ms = HSM_POOL_RESTART_MS;
		pool->restart_at = now + pool->restart_ms;
	}
}

/* The mutex is held around these two, and not between them. */
static void
hsm_worker_enter(struct hsm_worker *worker, long limit_ms)
{
	worker->call_since = clock_mono_ms();
	worker->call_limit = limit_ms;
	pthread_mutex_unlock(&worker->pool->lock);
}

/* -1: the thread was given up meanwhile and must end. */
static int
hsm_worker_leave(struct hsm_worker *worker)
{
	pthread_mutex_lock(&worker->pool->lock);
	worker->call_since = 0;
	return worker->given_up ? -1 : 0;
}

static void
hsm_worker_drop_session(struct hsm_worker *worker)
{
	/* Aside, as hsm_pool_up looks at the worker's own under the mutex. */
	struct hsm_session session = worker->session;

	if (!session.is_open)
		return;
	worker->session.is_open = false;
	hsm_worker_enter(worker, worker->pool->bring_up_ms);
	hsm_session_close(worker->pool->module, &session);
	(void)hsm_worker_leave(worker);
}

static enum hsm_verdict
hsm_worker_bring_up_once(struct hsm_worker *worker, struct err *err)
{
	struct hsm_pool *pool = worker->pool;
	struct hsm_session session = { 0 };
	bool needs_login = false;
	enum hsm_verdict verdict;

	/* Aside, as in hsm_worker_drop_session. */
	worker->generation = pool->generation;
	hsm_worker_enter(worker, worker->pool->bring_up_ms);
	verdict = hsm_session_open(pool->module, &session, &needs_login, err);
	if (hsm_worker_leave(worker) != 0 && verdict == VERDICT_DONE)
		verdict = VERDICT_SESSION;
	else if (verdict == VERDICT_DONE && needs_login) {
		worker->alone = true;
		hsm_worker_enter(worker, worker->pool->bring_up_ms);
		verdict = hsm_session_login(pool->module, &session, err);
		(void)hsm_worker_leave(worker);
		worker->alone = false;
	}
	if (verdict != VERDICT_DONE && session.is_open) {
		hsm_worker_enter(worker, worker->pool->bring_up_ms);
		hsm_session_close(pool->module, &session);
		(void)hsm_worker_leave(worker);
	}
	worker->session = session;
	return verdict;
}

/* Away for long, no session up, and no other thread inside the module. */
static bool
hsm_worker_restart_due(const struct hsm_worker *worker)
{
	const struct hsm_pool *pool = worker->pool;

	if (pool->restart_at == 0 || clock_mono_ms() < pool->restart_at || pool->given_up != 0 ||
	    hsm_pool_up(pool) != 0)
		return false;
	for (unsigned i = 0; i < pool->n_workers; i++)
		if (pool->workers[i]->call_since != 0)
			return false;
	return true;
}

/*
 * Begin the module anew. Its old sessions are forgotten unclosed: they end with it, and their
 * numbers may be those of new ones afterwards. While this thread is the one that brings up, no
 * other has a session or can get one, so none calls the module. -1: it is not up again.
 */
static int
hsm_worker_restart(struct hsm_worker *worker, struct err *err)
{
	struct hsm_pool *pool = worker->pool;
	int r;

	for (unsigned i = 0; i < pool->n_workers; i++)
		memset(&pool->workers[i]->session, 0, sizeof(pool->workers[i]->session));
	worker->alone = true;
	hsm_worker_enter(worker, pool->bring_up_ms);
	r = pool->owner.restart(pool->owner.ctx, err);
	(void)hsm_worker_leave(worker);
	worker->alone = false;
	pool->restart_ms = pool->restart_ms * 2 < HSM_POOL_RESTART_MAX_MS ? pool->restart_ms * 2
									  : HSM_POOL_RESTART_MAX_MS;
	pool->restart_at = clock_mono_ms() + pool->restart_ms;
	/* Somebody else uses the module: nothing was done. */
	return r != 0 && err->code != FAIL_CONFLICT ? -1 : 0;
}

/*
 * A logged-in session for this thread. -1 with the reason in err: the bring-up failed, here or
 * just before in another thread. Given-up threads get -1 too.
 */
static int
hsm_worker_bring_up(struct hsm_worker *worker, struct err *err)
{
	struct hsm_pool *pool = worker->pool;
	enum hsm_verdict verdict = VERDICT_SESSION;
	int tries = HSM_WORKER_TRIES;

	while (pool->bringing != NULL && !pool->bringing->given_up && !pool->closing)
		pthread_cond_wait(&pool->changed, &pool->lock);
	if (pool->bringing != NULL)
		return hsm_pool_bring_up_hangs(pool, err);
	if (hsm_worker_gate_closed(pool, clock_mono_ms())) {
		*err = pool->why;
		return -1;
	}
	pool->bringing = worker;
	if (hsm_worker_restart_due(worker) && hsm_worker_restart(worker, err) != 0) {
		err_prefix(err, "token %s", hsm_module_token(pool->module));
		verdict = VERDICT_TOKEN;
		tries = 0;
	}
	while (tries-- > 0 && !worker->given_up &&
	       (verdict == VERDICT_SESSION || verdict == VERDICT_TOKEN))
		verdict = hsm_worker_bring_up_once(worker, err);
	if (pool->bringing == worker)
		pool->bringing = NULL;
	if (verdict == VERDICT_DONE) {
		pool->down = false;
		pool->ready = true;
	} else if (worker->given_up) {
		verdict = VERDICT_REFUSED;
	} else if (err->code != FAIL_DENIED && hsm_pool_up(pool) != 0) {
		/* A token may allow fewer sessions than are wanted: the others serve. */
		worker->park_until = clock_mono_ms() + HSM_POOL_RETRY_MS;
		pool->parked_until = worker->park_until;
	} else {
		hsm_worker_shut_gate(pool, verdict, err);
	}
	pthread_cond_broadcast(&pool->changed);
	return verdict == VERDICT_DONE && !worker->given_up ? 0 : -1;
}

/* Run the job once in a session that is up, and judge the session by what came of it. */
static enum hsm_verdict
hsm_worker_try(struct hsm_worker *worker, struct hsm_work *work, struct err *err)
{
	struct hsm_pool *pool = worker->pool;
	enum hsm_verdict verdict;

	hsm_worker_enter(worker, work->limit_ms);
	verdict = hsm_key_job(pool->module, &worker->session, &work->job, err);
	(void)hsm_worker_leave(worker);
	switch (verdict) {
	case VERDICT_DONE:
	case VERDICT_REFUSED:
		pool->ready = true;
		pool->down = false;
		pool->restart_at = 0;
		break;
	case VERDICT_TOKEN:
		if (worker->generation == pool->generation)
			pool->generation++;
		pool->ready = false;
		hsm_worker_drop_session(worker);
		break;
	case VERDICT_SESSION:
		pool->ready = false;
		hsm_worker_drop_session(worker);
		break;
	}
	return verdict;
}

/*
 * Work until the job is done, refused, out of tries or out of time. 1: put it back, this thread
 * has no session while others have.
 */
static int
hsm_worker_do(struct hsm_worker *worker, struct hsm_work *work)
{
	struct hsm_pool *pool = worker->pool;
	enum hsm_verdict verdict = VERDICT_SESSION;

	work->result = -1;
	for (int i = 0; i <= HSM_POOL_RETRIES && !work->orphan && !worker->given_up; i++) {
		if (worker->generation != pool->generation)
			hsm_worker_drop_session(worker);
		if (!worker->session.is_open && hsm_worker_bring_up(worker, &work->err) != 0)
			return clock_mono_ms() < worker->park_until && hsm_pool_up(pool) != 0;
		verdict = hsm_worker_try(worker, work, &work->err);
		if (verdict == VERDICT_DONE || verdict == VERDICT_REFUSED)
			break;
	}
	/* Sessions come up and are of no use. */
	if (verdict == VERDICT_TOKEN && !worker->given_up && hsm_pool_up(pool) == 0)
		hsm_worker_shut_gate(pool, verdict, &work->err);
	work->result = verdict == VERDICT_DONE ? 0 : -1;
	return 0;
}

/* Has this thread something to do? A thread without a session waits where others have one. */
static bool
hsm_worker_may_work(struct hsm_worker *worker)
{
	struct hsm_pool *pool = worker->pool;
	bool up = worker->session.is_open && worker->generation == pool->generation;

	if (pool->head == NULL)
		return false;
	return up || clock_mono_ms() >= worker->park_until || hsm_pool_up(pool) == 0;
}

static void
hsm_worker_await(struct hsm_worker *worker)
{
	struct hsm_pool *pool = worker->pool;

	while (!pool->closing && !hsm_worker_may_work(worker)) {
		if (pool->head == NULL) {
			pthread_cond_wait(&pool->wanted, &pool->lock);
			continue;
		}
		hsm_pool_wait(pool, &pool->wanted, worker->park_until);
	}
}

/* A thread that was given up has come back: nobody waits for it. The mutex is held. */
static void
hsm_worker_come_back(struct hsm_worker *worker)
{
	struct hsm_pool *pool = worker->pool;
	bool last;

	/* Its session is still this thread's to close. */
	hsm_worker_drop_session(worker);
	pool->given_up--;
	last = pool->left_behind && pool->given_up == 0;
	pthread_mutex_unlock(&pool->lock);
	free(worker);
	if (last)
		hsm_pool_free(pool);
}

/*
 * In turn; but when the first has waited for half its time the newest goes first. Otherwise,
 * with more askers than a slow token can serve, each would be begun too late for its deadline.
 */
static struct hsm_work *
hsm_worker_take(struct hsm_pool *pool)
{
	struct hsm_work *work = pool->head;

	if (clock_mono_ms() > work->deadline - work->limit_ms / 2)
		work = pool->tail;
	hsm_pool_unlink(pool, work);
	return work;
}

static void *
hsm_worker_thread(void *arg)
{
	struct hsm_worker *worker = arg;
	struct hsm_pool *pool = worker->pool;

	thread_batch();
	pthread_mutex_lock(&pool->lock);
	for (;;) {
		struct hsm_work *work;
		pthread_cond_t *bell;
		int back;

		hsm_worker_await(worker);
		if (pool->closing)
			break;
		work = hsm_worker_take(pool);
		work->state = WORK_RUNNING;
		work->worker = worker;
		worker->work = work;
		back = hsm_worker_do(worker, work);
		worker->work = NULL;
		if (work->orphan) {
			free(work);
		} else if (back) {
			hsm_pool_push(pool, work, true);
			hsm_pool_ring(pool, NULL);
		} else {
			bell = work->ended;
			work->state = WORK_ENDED;
			hsm_pool_ring(pool, bell); /* work is its asker's */
		}
		if (worker->given_up) {
			hsm_worker_come_back(worker);
			return NULL;
		}
	}
	hsm_worker_drop_session(worker);
	if (worker->given_up) {
		hsm_worker_come_back(worker);
		return NULL;
	}
	hsm_pool_forget(pool, worker);
	pool->ended[pool->n_ended++] = worker;
	pthread_cond_broadcast(&pool->changed);
	pthread_mutex_unlock(&pool->lock);
	return NULL;
}

int
hsm_worker_spawn(struct hsm_pool *pool)
{
	struct hsm_worker *worker = mem_alloc(sizeof(*worker));
	sigset_t all, old;
	int e;

	worker->pool = pool;
	worker->generation = pool->generation;
	/* Signals belong to the program's own threads. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	e = pthread_create(&worker->thread, NULL, hsm_worker_thread, worker);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (e != 0) {
		free(worker);
		return -1;
	}
	pool->workers[pool->n_workers++] = worker;
	return 0;
}
