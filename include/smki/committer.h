/*
 * The one thread that writes the database. Jobs of many requests share a transaction (group
 * commit); one job's refusal undoes that job only. State changes go ahead of everything else.
 * Refusals are rare here, since requests are judged before they are queued: a group is done without
 * savepoints at first, and again with one for each job when one of them is refused.
 */
#ifndef SMKI_COMMITTER_H
#define SMKI_COMMITTER_H

#include "smki/store.h"

/* Most jobs in one transaction, and waiting in each lane (then FAIL_LIMIT): a flood of requests
 * never keeps a revocation out. */
#define COMMIT_GROUP_MAX 256
#define COMMIT_QUEUE_MAX 4096

enum commit_lane {
	COMMIT_STATE = 1, /* hold, reactivate, revoke, clock: first */
	COMMIT_OTHER,
};

struct committer;

/*
 * A job. apply() runs in the committer's thread and returns 0 or -1; what it wrote before -1 is
 * undone. After a write of its own that failed in the middle it must return -1. It may run again,
 * also after a run that returned 0, when the transaction was rolled back as a whole (another job of
 * its group was refused or too large; BUSY; a full disk), so it keeps no state of its own from an
 * earlier run. done() runs in the same thread after COMMIT (err NULL) or with the reason
 * why nothing was recorded; what apply wrote is durable exactly when err is NULL. The job must live
 * until done() is called, once.
 */
struct commit_job {
	enum commit_lane lane;
	int (*apply)(struct commit_job *job, struct store *store, struct err *err);
	void (*done)(struct commit_job *job, const struct err *err);
	struct commit_job *next; /* the committer's */
	struct err err;		 /* the committer's */
	int failed;		 /* the committer's */
};

/*
 * store (STORE_WRITE) stays the caller's but is used by this thread alone until committer_stop.
 * aside: another handle (STORE_WRITE) of the same database, lent for as long, on which a
 * checkpointer of its own (checkpointer.h) copies what was committed out of the WAL while the next
 * groups are committed; NULL: this thread does it when idle, or else COMMIT at 64 MiB.
 * fatal() is called, from the committer's thread, when COMMIT failed in a way that leaves the
 * disk's content uncertain, or when another file lies in the database's place: the process must
 * end; no done() is called any more. Also, from the thread that copies, when an fsync failed.
 */
int committer_start(struct store *store, struct store *aside, void (*fatal)(const struct err *err),
    struct committer **out, struct err *err) MUST_USE;
/* Finish what is queued, end the thread. */
void committer_stop(struct committer *committer);

/*
 * A job is being made and will be put soon, or not: while more are than wait, a group waits for them
 * some milliseconds, so that more share a transaction. A job without company on its way is
 * committed at once. Each committer_expect() is followed by one committer_expected(), after the
 * put. Any thread.
 */
void committer_expect(struct committer *committer);
void committer_expected(struct committer *committer);

/* Queue a job. Full: FAIL_LIMIT; stopping: FAIL_UNAVAILABLE; done() is then not called. */
int committer_put(struct committer *committer, struct commit_job *job, struct err *err) MUST_USE;
/* 0 when the newest group was committed, or none yet, and the newest checkpoint of a checkpointer
 * did not fail; else FAIL_UNAVAILABLE with the reason: for status pages. Any thread. */
int committer_check(struct committer *committer, struct err *err) MUST_USE;
/* Queue and wait: apply and its verdict in one call (job->done is not used). Never from apply() or
 * done(). After fatal(): FAIL_UNAVAILABLE, and what is recorded is uncertain. */
int committer_run(struct committer *committer, struct commit_job *job, struct err *err) MUST_USE;

#endif
