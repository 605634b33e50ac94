/*
 * A bounded queue and the threads behind it. No connection waits here for ever: what is begun too
 * late is refused instead.
 */
#include <pthread.h>
#include <stdlib.h>

#include "smki/clock.h"
#include "smki/log.h"
#include "smki/mem.h"
#include "workers.h"

/* Requests that one thread has under way at a time. */
#define WORKERS_BATCH 8

struct workers {
	struct httpd *httpd;
	struct link *link; /* lent */
	pthread_mutex_t lock;
	pthread_cond_t filled; /* something waits, or stopping */
	pthread_cond_t ended;  /* a thread ended; on CLOCK_MONOTONIC */
	struct work *first, *last;
	size_t waiting, queue;
	bool stopping;
	size_t n, alive;
	pthread_t thread[];
};

/* The first that waits, out of the queue. The lock is held. */
static struct work *
workers_pop(struct workers *w)
{
	struct work *work = w->first;

	w->first = work->next;
	if (w->first == NULL)
		w->last = NULL;
	w->waiting--;
	return work;
}

/* Whether it keeps no other of its thread waiting. */
static bool
workers_in_parts(const struct work *work)
{
	return work->route->begin != NULL && !work->request.alone;
}

/*
 * The next requests, 0 when all is done and the workers stop. More than one only where others wait
 * as well and they come in parts: this thread's share of them.
 */
static size_t
workers_take(struct workers *w, struct work *works[WORKERS_BATCH], bool *stopping)
{
	size_t n = 0, share;

	pthread_mutex_lock(&w->lock);
	while (w->first == NULL && !w->stopping)
		pthread_cond_wait(&w->filled, &w->lock);
	share = (w->waiting + w->n - 1) / w->n;
	if (w->first != NULL)
		works[n++] = workers_pop(w);
	while (n > 0 && n < share && n < WORKERS_BATCH && workers_in_parts(works[0]) &&
	       workers_in_parts(w->first))
		works[n++] = workers_pop(w);
	*stopping = w->stopping;
	pthread_mutex_unlock(&w->lock);
	return n;
}

/*
 * The database may not be there yet, or not any more: routes say so to their peers. One that was
 * restored beside the open one would never be seen: nothing that is done to it shows there.
 */
static void
workers_open(struct route_ctx *ctx)
{
	uint64_t flushes = ctx->flushes;
	char path[HOME_PATH_MAX];
	struct err err;

	if (ctx->httpd->cache != NULL)
		ctx->flushes = ocspcache_flushes(ctx->httpd->cache);
	/* A handle may still show what lay in the same file before. */
	if (ctx->store != NULL && flushes == ctx->flushes && !store_is_moved(ctx->store))
		return;
	store_close(ctx->store);
	ctx->store = NULL;
	if (home_path(&ctx->httpd->home, HOME_DB, path, &err) != 0 ||
	    store_open(path, STORE_READ, &ctx->store, &err) != 0 ||
	    store_cache(ctx->store, ctx->httpd->home.db_reader_cache, &err) != 0)
		httpd_say(ctx->httpd, &err);
}

/* Answer one, or leave its signature to be waited for. */
static struct respond_job *
workers_begin(struct route_ctx *ctx, struct work *work, bool stopping)
{
	const struct route *route = work->route;

	if (stopping || clock_mono_ms() > work->deadline_ms) {
		if (!route_put_back(ctx->httpd, route, &work->request, work->rest, &work->response))
			http_fail(&work->response, FAIL_UNAVAILABLE,
			    stopping ? "http: the service stops" : "http: waited too long");
		return NULL;
	}
	if (route->begin != NULL)
		return route->begin(ctx, &work->request, work->rest, &work->response);
	route->fn(ctx, &work->request, work->rest, &work->response);
	return NULL;
}

static void *
workers_main(void *arg)
{
	struct workers *w = arg;
	struct route_ctx ctx = { .httpd = w->httpd, .link = w->link };
	struct work *works[WORKERS_BATCH];
	struct respond_job *jobs[WORKERS_BATCH];
	bool stopping;
	size_t n;

	workers_open(&ctx);
	while ((n = workers_take(w, works, &stopping)) > 0) {
		/* After all of them came. */
		if (!stopping)
			workers_open(&ctx);
		for (size_t i = 0; i < n; i++) {
			jobs[i] = workers_begin(&ctx, works[i], stopping);
			if (jobs[i] == NULL)
				works[i]->done(works[i]);
		}
		for (size_t i = 0; i < n; i++) {
			if (jobs[i] == NULL)
				continue;
			works[i]->route->end(
			    w->httpd, &works[i]->request, jobs[i], &works[i]->response);
			works[i]->done(works[i]);
		}
	}
	store_close(ctx.store);
	pthread_mutex_lock(&w->lock);
	w->alive--;
	pthread_cond_signal(&w->ended);
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

struct workers *
workers_new(struct httpd *httpd, struct link *link, size_t n, size_t queue)
{
	struct workers *w = mem_alloc(sizeof(*w) + n * sizeof(w->thread[0]));

	w->httpd = httpd;
	w->link = link;
	w->queue = queue;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->filled, NULL);
	clock_cond_init(&w->ended);
	w->n = w->alive = n;
	for (size_t i = 0; i < n; i++)
		if (pthread_create(&w->thread[i], NULL, workers_main, w) != 0)
			log_die(EXIT_UNAVAILABLE, "threads: cannot start one");
	return w;
}

int
workers_put(struct workers *w, struct work *work)
{
	int rc = -1;

	pthread_mutex_lock(&w->lock);
	if (!w->stopping && w->waiting < w->queue) {
		work->next = NULL;
		if (w->last != NULL)
			w->last->next = work;
		else
			w->first = work;
		w->last = work;
		w->waiting++;
		pthread_cond_signal(&w->filled);
		rc = 0;
	}
	pthread_mutex_unlock(&w->lock);
	return rc;
}

int
workers_stop(struct workers *w, int timeout_ms)
{
	struct timespec until = clock_mono_after(timeout_ms);
	bool busy = false;

	pthread_mutex_lock(&w->lock);
	w->stopping = true;
	pthread_cond_broadcast(&w->filled);
	while (w->alive > 0 && !busy)
		busy = pthread_cond_timedwait(&w->ended, &w->lock, &until) != 0 && w->alive > 0;
	pthread_mutex_unlock(&w->lock);
	if (busy)
		return -1;
	for (size_t i = 0; i < w->n; i++)
		pthread_join(w->thread[i], NULL);
	return 0;
}

void
workers_free(struct workers *w)
{
	pthread_cond_destroy(&w->ended);
	pthread_cond_destroy(&w->filled);
	pthread_mutex_destroy(&w->lock);
	free(w);
}
