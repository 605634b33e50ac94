/*
 * What the pool's two files share: hsm_pool.c (askers, the queue, giving threads up) and
 * hsm_worker.c (what a thread does). Everything here is guarded by the pool's one mutex, which
 * is never held during a module call; the functions are called with it held.
 */
#ifndef IO_HSM_WORKER_H
#define IO_HSM_WORKER_H

#include <pthread.h>

#include "hsm_pool.h"

/* Askers that can be woken one by one; more share. */
#define HSM_POOL_BELLS 64

enum hsm_work_state {
	WORK_QUEUED,
	WORK_RUNNING,
	WORK_ENDED,
};

/* A job on its way: the asker's until its deadline, then the thread's that runs it. */
struct hsm_work {
	struct hsm_work *next, *prev;
	enum hsm_work_state state;
	struct hsm_job job;
	int64_t deadline;
	long limit_ms;
	int result;
	struct err err;
	pthread_cond_t *ended; /* one of the pool's, so that it outlives the job; maybe shared */
	bool orphan;	       /* the asker has left */
	struct hsm_worker *worker;
};

struct hsm_worker {
	struct hsm_pool *pool;
	pthread_t thread;
	struct hsm_session session;
	unsigned long generation; /* of the session */
	/* The module call under way: since when, 0 for none, and how long it may take. */
	int64_t call_since;
	long call_limit;
	bool alone; /* in it nobody else may bring up: a login, or the module begun anew */
	bool given_up;
	int64_t park_until; /* could open no session while others had theirs: not tried before */
	struct hsm_work *work;
};

struct hsm_pool {
	struct hsm_module *module;
	struct hsm_pool_owner owner;
	pthread_mutex_t lock;
	pthread_cond_t wanted;	/* a job is queued, a parked thread may go on, or closing */
	pthread_cond_t changed; /* bring-up ended, or a thread ended */
	pthread_cond_t bell[HSM_POOL_BELLS]; /* a job of an asker has ended */
	unsigned next_bell;
	struct hsm_work *head, *tail;
	struct hsm_worker *workers[HSM_SESSIONS_MAX];
	unsigned n_workers, n_wanted;
	long bring_up_ms; /* limit of opening, login, closing */
	struct hsm_worker *ended[HSM_SESSIONS_MAX];
	unsigned n_ended;
	unsigned given_up;    /* threads that have not come back */
	int64_t parked_until; /* the latest of the threads' park_until */
	unsigned long generation;
	struct hsm_worker *bringing; /* who brings a session up */
	bool down;		     /* the last bring-up failed, for this reason */
	int64_t retry_at;
	struct err why;
	int64_t restart_at; /* 0 = it has not been away since its last answer */
	int64_t restart_ms; /* the pause before that */
	bool ready;
	bool closing;
	bool left_behind; /* closed; the last thread to come back frees the pool */
};

/* Start a thread and enter it in pool->workers. -1 when the system has none. */
int hsm_worker_spawn(struct hsm_pool *pool);

/* Wait for cond until that time of clock_mono_ms, or less. */
void hsm_pool_wait(struct hsm_pool *pool, pthread_cond_t *cond, int64_t until_ms);
/* The queue: at its head (first) or tail; out of it. Who pushes rings afterwards. */
void hsm_pool_push(struct hsm_pool *pool, struct hsm_work *work, bool first);
void hsm_pool_unlink(struct hsm_pool *pool, struct hsm_work *work);
/* Wake whom a job is for, or with NULL who takes one. The mutex is let go meanwhile: who wakes
 * would only wait for it. */
void hsm_pool_ring(struct hsm_pool *pool, pthread_cond_t *bell);
/* Number of sessions of the present generation. */
unsigned hsm_pool_up(const struct hsm_pool *pool);
/* Take the thread out of pool->workers. */
void hsm_pool_forget(struct hsm_pool *pool, const struct hsm_worker *worker);
/* The answer while a bring-up hangs that none may be tried beside. FAIL_UNAVAILABLE. */
int hsm_pool_bring_up_hangs(const struct hsm_pool *pool, struct err *err);
/* Free a closed pool and call its owner's done; without the mutex. */
void hsm_pool_free(struct hsm_pool *pool);

#endif
