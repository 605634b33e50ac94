/*
 * Threads that take work from two queues, each with its own read-only database handle. Work that
 * comes in bulk waits in one of its own: while both have some, as many items are done of each.
 */
#ifndef SMKID_POOL_H
#define SMKID_POOL_H

#include "smki/store.h"

/* Items that one thread begins before it finishes the first of them, at most and while they are
 * done quickly. */
#define POOL_TOGETHER 16

/* Embedded first in what is to be done; run() or begin() owns it from then on. */
struct pool_item {
	struct pool_item *next;
	bool bulk; /* one of many that its asker has under way */
	void (*run)(struct pool_item *item, struct store *reader);
	/*
	 * Instead of run(), for work with a wait in the middle: prepare() without the database, begin(),
	 * and finish(), which waits and does the rest, in the same thread, each when the one before
	 * was true. In between others may be prepared and begun; they see one view.
	 */
	bool (*prepare)(struct pool_item *item);
	bool (*begin)(struct pool_item *item, struct store *reader);
	void (*finish)(struct pool_item *item);
};

struct pool_conf {
	const char *db; /* path of the database */
	long cache;	/* MiB of its pages that each thread keeps */
	size_t threads;
	bool prompt; /* somebody waits for each item, and there are few: not as thread_batch() */
	size_t max;  /* items waiting in each queue, more are FAIL_LIMIT */
	/* Called by a thread about every tick_ms; NULL = nothing to do by itself. */
	void (*tick)(void *ctx, struct store *reader);
	void *ctx;
	long tick_ms;
};

struct pool;
int pool_new(const struct pool_conf *conf, struct pool **out, struct err *err) MUST_USE;
/* Runs what waits, then ends the threads. Nothing may be put any more. NULL is fine. */
void pool_free(struct pool *pool);

int pool_put(struct pool *pool, struct pool_item *item, struct err *err) MUST_USE;
/* For work that was accepted before: never refused. */
void pool_put_again(struct pool *pool, struct pool_item *item);
size_t pool_waiting(struct pool *pool); /* in both queues */

#endif
