/*
 * Requests on their way through issuing, for its tests: a queue, workers with a reader each, and
 * what came of a request.
 */
#ifndef ISSUE_RIG_H
#define ISSUE_RIG_H

#include <pthread.h>

#include "service_rig.h"
#include "smki/issue.h"

/* Requests that a worker begins before it finishes the first of them. */
#define WORKERS_TOGETHER 3

/* Workers as the daemon has them: a queue and threads with a reader each. */
struct workers {
	struct rig *rig;
	struct issue *issue;
	pthread_mutex_t lock;
	pthread_cond_t change;
	struct issue_task *queue[64];
	size_t queued, done;
	bool stop;
	pthread_t thread[4];
	size_t n_threads;
};

struct outcome {
	struct workers *workers;
	bool ok;
	struct err err;
	struct issue_result result; /* its der is not kept */
	struct buf der;
};

static inline void
workers_requeue(struct issue_task *task, void *ctx)
{
	struct workers *w = ctx;

	pthread_mutex_lock(&w->lock);
	require(w->queued < ARRAY_LEN(w->queue));
	w->queue[w->queued++] = task;
	pthread_cond_broadcast(&w->change);
	pthread_mutex_unlock(&w->lock);
}

static inline void
workers_done(struct issue_task *task, const struct issue_result *result, const struct err *err)
{
	struct outcome *o = task->arg;
	struct workers *w = o->workers;

	require((result == NULL) != (err == NULL));
	o->ok = err == NULL;
	if (err != NULL) {
		o->err = *err;
	} else {
		o->result = *result;
		buf_reset(&o->der);
		buf_add(&o->der, result->der.data, result->der.len);
	}
	issue_task_free(task);
	pthread_mutex_lock(&w->lock);
	w->done++;
	pthread_cond_broadcast(&w->change);
	pthread_mutex_unlock(&w->lock);
}

static inline void *
workers_main(void *arg)
{
	struct workers *w = arg;
	struct store *reader = NULL;
	struct issue_task *task[WORKERS_TOGETHER];
	bool begun[WORKERS_TOGETHER];
	size_t n;

	RIG(store_open(w->rig->db, STORE_READ, &reader, &rig_err));
	for (;;) {
		pthread_mutex_lock(&w->lock);
		while (w->queued == 0 && !w->stop)
			pthread_cond_wait(&w->change, &w->lock);
		n = w->queued < WORKERS_TOGETHER ? w->queued : WORKERS_TOGETHER;
		memcpy(task, w->queue, n * sizeof(*task));
		w->queued -= n;
		memmove(w->queue, w->queue + n, w->queued * sizeof(*w->queue));
		pthread_mutex_unlock(&w->lock);
		if (n == 0)
			break;
		for (size_t i = 0; i < n; i++)
			begun[i] = issue_prepare(w->issue, task[i]);
		RIG(store_view_begin(reader, &rig_err));
		for (size_t i = 0; i < n; i++)
			begun[i] = begun[i] && issue_begin(task[i], reader);
		store_view_end(reader);
		for (size_t i = 0; i < n; i++)
			if (begun[i])
				issue_finish(w->issue, task[i]);
	}
	store_close(reader);
	return NULL;
}

static inline struct workers *
workers_new(struct rig *rig, size_t threads, int (*draw)(uint8_t *out, size_t n))
{
	struct workers *w = mem_alloc(sizeof(*w));
	struct issue_conf conf = {
		.cas = rig->cas,
		.profiles = &rig->profiles,
		.committer = rig->committer,
		.guard = rig->guard,
		.certificates_per_device = 4,
		.draw = draw,
		.requeue = workers_requeue,
		.requeue_ctx = w,
	};

	w->rig = rig;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->change, NULL);
	RIG(issue_new(&conf, &w->issue, &rig_err));
	for (w->n_threads = 0; w->n_threads < threads; w->n_threads++)
		require(pthread_create(&w->thread[w->n_threads], NULL, workers_main, w) == 0);
	return w;
}

static inline void
workers_free(struct workers *w)
{
	pthread_mutex_lock(&w->lock);
	w->stop = true;
	pthread_cond_broadcast(&w->change);
	pthread_mutex_unlock(&w->lock);
	for (size_t i = 0; i < w->n_threads; i++)
		require(pthread_join(w->thread[i], NULL) == 0);
	issue_free(w->issue);
	pthread_cond_destroy(&w->change);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

static inline struct issue_task *
workers_task(struct workers *w, const struct buf *csr, struct outcome *o)
{
	struct issue_task *task = issue_task_new();

	buf_add(&task->request.csr, csr->data, csr->len);
	task->request.uid = 1000;
	task->done = workers_done;
	task->arg = o;
	o->workers = w;
	return task;
}

static inline void
workers_wait(struct workers *w, size_t done)
{
	pthread_mutex_lock(&w->lock);
	while (w->done < done)
		pthread_cond_wait(&w->change, &w->lock);
	pthread_mutex_unlock(&w->lock);
}

/* One request from start to end. */
static inline void
issue_one(struct workers *w, struct issue_task *task, struct outcome *o)
{
	size_t before = w->done;

	require(task->arg == o);
	workers_requeue(task, w);
	workers_wait(w, before + 1);
}

static inline void
issue_csr(struct workers *w, const struct buf *csr, struct outcome *o)
{
	issue_one(w, workers_task(w, csr, o), o);
}

static inline int
refused(const struct outcome *o, enum err_code code, const char *text)
{
	if (!o->ok && o->err.code == code && strstr(o->err.msg, text) != NULL)
		return 1;
	fprintf(stderr, "  got %s, want %s\n", o->ok ? "a certificate" : o->err.msg, text);
	return 0;
}

#endif
