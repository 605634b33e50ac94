/*
 * Two queues and the threads that empty them. Knows nothing of what it runs.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "pool.h"
#include "smki/clock.h"
#include "smki/mem.h"
#include "smki/thread.h"

/* A thread begins fewer items together when they took longer than this: behind a slow token each of
 * them would wait for all the others. */
#define POOL_TOGETHER_MS 50

struct pool_thread {
	struct pool *pool;
	struct store *reader;
	size_t together; /* items that it begins together at most */
	pthread_t thread;
};

struct pool_queue {
	struct pool_item *first, *last;
	size_t n;
};

struct pool {
	struct pool_conf conf;
	pthread_mutex_t lock;
	pthread_cond_t work;
	struct pool_queue single, bulk;
	size_t owed; /* single items that are to be taken before bulk has its next turn */
	bool stopping;
	int64_t next_tick_ms;
	size_t running; /* threads that were started */
	struct pool_thread *threads;
};

static struct pool_queue *
pool_queue(struct pool *pool, const struct pool_item *item)
{
	return item->bulk ? &pool->bulk : &pool->single;
}

/* Lock held. */
static bool
pool_has_work(const struct pool *pool)
{
	return pool->single.n > 0 || pool->bulk.n > 0;
}

/* Lock held. */
static void
pool_append(struct pool *pool, struct pool_item *item)
{
	struct pool_queue *queue = pool_queue(pool, item);

	item->next = NULL;
	if (queue->last != NULL)
		queue->last->next = item;
	else
		queue->first = item;
	queue->last = item;
	queue->n++;
	pthread_cond_signal(&pool->work);
}

/* Lock held. Wait for work, the time of a tick or the end. */
static void
pool_wait(struct pool *pool)
{
	struct timespec until = {
		.tv_sec = pool->next_tick_ms / 1000,
		.tv_nsec = pool->next_tick_ms % 1000 * 1000000,
	};
	int rc = 0;

	while (!pool_has_work(pool) && !pool->stopping && rc == 0)
		rc = pool->conf.tick != NULL
			 ? pthread_cond_timedwait(&pool->work, &pool->lock, &until)
			 : pthread_cond_wait(&pool->work, &pool->lock);
}

/* Lock held. */
static struct pool_queue *
pool_turn(struct pool *pool)
{
	if (pool->single.n == 0)
		return &pool->bulk;
	return pool->bulk.n == 0 || pool->owed > 0 ? &pool->single : &pool->bulk;
}

/* Of a queue that is not empty. */
static struct pool_item *
pool_take_one(struct pool_queue *queue)
{
	struct pool_item *item = queue->first;

	queue->first = item->next;
	if (queue->first == NULL)
		queue->last = NULL;
	queue->n--;
	return item;
}

/* Lock held. One item; or several that can be begun together, but no more than this thread's share
 * of what waits with them. 0 when nothing does. */
static size_t
pool_take(struct pool *pool, size_t together, struct pool_item *item[POOL_TOGETHER])
{
	struct pool_queue *queue = pool_turn(pool);
	size_t share = queue->n / pool->conf.threads + 1, n = 0;

	while (queue->first != NULL && n < together &&
	       (n == 0 || (n < share && item[0]->begin != NULL && queue->first->begin != NULL)))
		item[n++] = pool_take_one(queue);
	if (queue == &pool->bulk)
		pool->owed = n;
	else
		pool->owed -= n < pool->owed ? n : pool->owed;
	return n;
}

static void
pool_run(struct pool_item *item[POOL_TOGETHER], size_t n, struct store *reader)
{
	bool goes_on[POOL_TOGETHER], view;

	if (n == 1 && item[0]->begin == NULL) {
		item[0]->run(item[0], reader);
		return;
	}
	for (size_t i = 0; i < n; i++)
		goes_on[i] = item[i]->prepare(item[i]);
	/* To take one costs as much as what is looked for in it. Without it each takes its own. */
	view = n > 1 && store_view_begin(reader, NULL) == 0;
	for (size_t i = 0; i < n; i++)
		goes_on[i] = goes_on[i] && item[i]->begin(item[i], reader);
	if (view)
		store_view_end(reader);
	for (size_t i = 0; i < n; i++)
		if (goes_on[i])
			item[i]->finish(item[i]);
}

/* After n items that took so long. */
static void
pool_pace(struct pool_thread *self, size_t n, int64_t ms)
{
	if (ms > POOL_TOGETHER_MS)
		self->together = n > 1 ? n / 2 : 1;
	else if (n == self->together && n < POOL_TOGETHER)
		self->together = n * 2 < POOL_TOGETHER ? n * 2 : POOL_TOGETHER;
}

static void *
pool_main(void *arg)
{
	struct pool_thread *self = arg;
	struct pool *pool = self->pool;
	struct pool_item *item[POOL_TOGETHER];
	bool tick, stop;
	int64_t since;
	size_t n;

	if (!pool->conf.prompt)
		thread_batch();
	for (;;) {
		pthread_mutex_lock(&pool->lock);
		pool_wait(pool);
		n = pool_take(pool, self->together, item);
		stop = pool->stopping && n == 0;
		tick = pool->conf.tick != NULL && !pool->stopping &&
		       clock_mono_ms() >= pool->next_tick_ms;
		if (tick)
			pool->next_tick_ms = clock_mono_ms() + pool->conf.tick_ms;
		pthread_mutex_unlock(&pool->lock);
		if (stop)
			return NULL;
		since = clock_mono_ms();
		pool_run(item, n, self->reader);
		pool_pace(self, n, clock_mono_ms() - since);
		if (tick)
			pool->conf.tick(pool->conf.ctx, self->reader);
	}
}

static int
pool_start(struct pool *pool, struct pool_thread *thread, struct err *err)
{
	thread->pool = pool;
	thread->together = 1;
	if (store_open(pool->conf.db, STORE_READ, &thread->reader, err) != 0)
		return -1;
	if (store_cache(thread->reader, pool->conf.cache, err) != 0) {
		store_close(thread->reader);
		return -1;
	}
	errno = pthread_create(&thread->thread, NULL, pool_main, thread);
	if (errno != 0) {
		err_sys(err, FAIL_UNAVAILABLE, "thread");
		store_close(thread->reader);
		return -1;
	}
	pool->running++;
	return 0;
}

int
pool_new(const struct pool_conf *conf, struct pool **out, struct err *err)
{
	struct pool *pool = mem_alloc(sizeof(*pool));

	pool->conf = *conf;
	pool->threads = mem_array(conf->threads, sizeof(*pool->threads));
	pool->next_tick_ms = clock_mono_ms();
	require(pthread_mutex_init(&pool->lock, NULL) == 0);
	clock_cond_init(&pool->work);
	for (size_t i = 0; i < conf->threads; i++)
		if (pool_start(pool, &pool->threads[i], err) != 0) {
			pool_free(pool);
			return -1;
		}
	*out = pool;
	return 0;
}

void
pool_free(struct pool *pool)
{
	if (pool == NULL)
		return;
	pthread_mutex_lock(&pool->lock);
	pool->stopping = true;
	pthread_cond_broadcast(&pool->work);
	pthread_mutex_unlock(&pool->lock);
	for (size_t i = 0; i < pool->running; i++) {
		require(pthread_join(pool->threads[i].thread, NULL) == 0);
		store_close(pool->threads[i].reader);
	}
	require(!pool_has_work(pool));
	pthread_cond_destroy(&pool->work);
	pthread_mutex_destroy(&pool->lock);
	free(pool->threads);
	free(pool);
}

int
pool_put(struct pool *pool, struct pool_item *item, struct err *err)
{
	size_t waiting;
	int r = -1;

	pthread_mutex_lock(&pool->lock);
	waiting = pool_queue(pool, item)->n;
	if (waiting >= pool->conf.max) {
		err_set(
		    err, FAIL_LIMIT, "smkid: %zu requests are waiting already; try again", waiting);
	} else {
		pool_append(pool, item);
		r = 0;
	}
	pthread_mutex_unlock(&pool->lock);
	return r;
}

void
pool_put_again(struct pool *pool, struct pool_item *item)
{
	pthread_mutex_lock(&pool->lock);
	pool_append(pool, item);
	pthread_mutex_unlock(&pool->lock);
}

size_t
pool_waiting(struct pool *pool)
{
	size_t n;

	pthread_mutex_lock(&pool->lock);
	n = pool->single.n + pool->bulk.n;
	pthread_mutex_unlock(&pool->lock);
	return n;
}
