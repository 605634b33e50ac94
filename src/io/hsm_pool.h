/*
 * Threads with one token session each: a queue, deadlines, and finding the token again.
 * It knows nothing of PKCS#11; what a thread does with its session is hsm_key_job.
 */
#ifndef IO_HSM_POOL_H
#define IO_HSM_POOL_H

#include "hsm_key.h"

/* After a failed bring-up, or a refused PIN: how long requests are refused at once. */
#define HSM_POOL_RETRY_MS 250
#define HSM_POOL_DENIED_MS 1000
/* Further tries of one job after its session or token was lost. */
#define HSM_POOL_RETRIES 3
/* A token away for this long: the module is begun anew, then after twice that and so on up to
 * the most, since each may cost a network HSM's patience and a module's memory. */
#define HSM_POOL_RESTART_MS 2000
#define HSM_POOL_RESTART_MAX_MS 60000

struct hsm_pool;

/* What a pool asks of its owner. */
struct hsm_pool_owner {
	/* Begin the module anew; all its sessions end. Nobody is in a call to it meanwhile.
	 * FAIL_CONFLICT when it may not be done: nothing changed. Else it is down on failure. */
	int (*restart)(void *ctx, struct err *err);
	/* The last thread is gone: called by hsm_pool_close, or later by a thread that was given
	 * up and came back after all. */
	void (*done)(void *ctx);
	void *ctx;
};

/*
 * n threads over the module's token; a thread that takes longer than bring_up_ms to open, log in
 * or close its session is given up. owner is copied.
 */
int hsm_pool_open(struct hsm_module *module, unsigned n, long bring_up_ms,
    const struct hsm_pool_owner *owner, struct hsm_pool **out, struct err *err) MUST_USE;
/*
 * Nobody may be in hsm_pool_run any more, or have begun what is not ended. Ends the threads and
 * waits for them, but not longer than a call may take; ends with the owner's done unless a thread
 * is left behind. The pool is gone.
 */
void hsm_pool_close(struct hsm_pool *pool);

/*
 * Do the job on one of the threads within limit_ms; on success its out fields are set. Any
 * thread. FAIL_UNAVAILABLE when the token is away or slow, FAIL_DENIED for a refused PIN, else
 * what the job gives.
 */
int hsm_pool_run(
    struct hsm_pool *pool, struct hsm_job *job, long limit_ms, struct err *err) MUST_USE;
/*
 * The same in two parts, so that an asker may do something else meanwhile, or begin more: limit_ms
 * counts from the first. The asker ends what it began, soon: what is overdue is noticed there.
 */
struct hsm_work;
int hsm_pool_begin(struct hsm_pool *pool, const struct hsm_job *job, long limit_ms,
    struct hsm_work **out, struct err *err) MUST_USE;
int hsm_pool_end(
    struct hsm_pool *pool, struct hsm_work *work, struct hsm_job *job, struct err *err) MUST_USE;

int hsm_pool_is_lost(struct hsm_pool *pool);
int hsm_pool_is_ready(struct hsm_pool *pool);

#endif
