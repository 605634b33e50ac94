/*
 * A list in the order of dueness and the thread that follows it.
 */
#include <stdlib.h>

#include "held.h"
#include "smki/clock.h"
#include "smki/mem.h"

struct held {
	void (*go)(struct work *work);
	pthread_mutex_t lock;
	pthread_cond_t changed; /* another first, or stopping; on CLOCK_MONOTONIC */
	struct work *first;
	size_t n, max;
	bool stopping;
	pthread_t thread;
};

/* Locked. The first when it is due, else NULL; *wait_ms until it is. */
static struct work *
held_due(struct held *held, int64_t *wait_ms)
{
	struct work *work = held->first;

	*wait_ms = work != NULL ? work->due_ms - clock_mono_ms() : 0;
	if (work == NULL || *wait_ms > 0)
		return NULL;
	held->first = work->next;
	held->n--;
	return work;
}

static void *
held_main(void *arg)
{
	struct held *held = arg;
	struct timespec until;
	struct work *work;
	int64_t wait_ms;

	pthread_mutex_lock(&held->lock);
	while (!held->stopping) {
		work = held_due(held, &wait_ms);
		if (work != NULL) {
			pthread_mutex_unlock(&held->lock);
			held->go(work);
			pthread_mutex_lock(&held->lock);
		} else if (held->first != NULL) {
			until = clock_mono_after(wait_ms);
			pthread_cond_timedwait(&held->changed, &held->lock, &until);
		} else {
			pthread_cond_wait(&held->changed, &held->lock);
		}
	}
	pthread_mutex_unlock(&held->lock);
	return NULL;
}

int
held_new(size_t max, void (*go)(struct work *work), struct held **out, struct err *err)
{
	struct held *held = mem_alloc(sizeof(*held));

	held->go = go;
	held->max = max;
	pthread_mutex_init(&held->lock, NULL);
	clock_cond_init(&held->changed);
	if (pthread_create(&held->thread, NULL, held_main, held) != 0) {
		pthread_cond_destroy(&held->changed);
		pthread_mutex_destroy(&held->lock);
		free(held);
		return err_set(err, FAIL_UNAVAILABLE, "threads: cannot start one");
	}
	*out = held;
	return 0;
}

int
held_put(struct held *held, struct work *work, int64_t due_ms)
{
	struct work **place;
	int r = -1;

	pthread_mutex_lock(&held->lock);
	if (held->n < held->max && !held->stopping) {
		for (place = &held->first; *place != NULL && (*place)->due_ms <= due_ms;
		     place = &(*place)->next)
			;
		work->due_ms = due_ms;
		work->next = *place;
		*place = work;
		held->n++;
		pthread_cond_signal(&held->changed);
		r = 0;
	}
	pthread_mutex_unlock(&held->lock);
	return r;
}

void
held_flush(struct held *held)
{
	struct work *work, *next;

	pthread_mutex_lock(&held->lock);
	held->stopping = true;
	work = held->first;
	held->first = NULL;
	held->n = 0;
	pthread_cond_signal(&held->changed);
	pthread_mutex_unlock(&held->lock);
	for (; work != NULL; work = next) {
		next = work->next;
		held->go(work);
	}
}

void
held_free(struct held *held)
{
	if (held == NULL)
		return;
	pthread_join(held->thread, NULL);
	pthread_cond_destroy(&held->changed);
	pthread_mutex_destroy(&held->lock);
	free(held);
}
