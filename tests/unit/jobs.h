/*
 * Jobs for the committer on a real database, for its tests: what each does and saw, and a gate
 * that keeps the committer busy while a test fills its queue. fault_point() is defined here, so
 * that a test can act at the exact places between begin, commit and the verdicts.
 */
#ifndef JOBS_H
#define JOBS_H

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "smki/committer.h"
#include "smki/fault.h"
#include "smki/mem.h"
#include "test.h"

#define DEADLINE_S 60
#define LOG_MAX 8192
#define TIME0 1700000000

static char dir[64], db_path[128];
static struct store *store, *reader;
static struct store *aside; /* of the checkpointer, for a test that sets beside */
static bool beside;
static struct committer *committer;

/* Everything below is under this lock; asserts are the main thread's only. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int applied[LOG_MAX], n_applied; /* numbers of jobs in the order of their apply */
static int n_done, n_failed;
static bool gate_reached, gate_open;
static int groups[64], n_groups; /* jobs applied in each group */
static int n_begin, n_commit;
static void (*at_begin)(int passage);
static void (*at_applied)(void);
static void (*at_checkpoint)(void); /* called without the lock, in the checkpointer's thread */
static int n_fatal;
static char fatal_msg[ERR_MSG_MAX];

#define JOB_LARGE_EVENTS 8000

enum job_kind {
	JOB_WRITE,    /* an event */
	JOB_LARGE,    /* JOB_LARGE_EVENTS: more than the page cache takes */
	JOB_REFUSE,   /* an event, then a refusal */
	JOB_GATE,     /* waits until the test opens the gate */
	JOB_ROLLBACK, /* loses the transaction, as SQLite does by itself after some failures */
	JOB_HIDE,     /* the same, reported as success */
};

struct job {
	struct commit_job job;
	enum job_kind kind;
	int number;
	int applies, dones;
	bool failed;
	struct err err;
	int64_t seen; /* events that a reader sees in done() */
};

void
fault_point(const char *name)
{
	void (*act)(int) = NULL;
	void (*act_applied)(void) = NULL;
	static int before; /* applies before this group */
	int passage;

	if (strcmp(name, "checkpoint.begin") == 0 && at_checkpoint != NULL)
		at_checkpoint();
	pthread_mutex_lock(&lock);
	if (strcmp(name, "commit.begin") == 0) {
		before = n_applied;
		n_begin++;
		act = at_begin;
	} else if (strcmp(name, "commit.applied") == 0) {
		groups[n_groups++ % 64] = n_applied - before;
		act_applied = at_applied;
	} else if (strcmp(name, "commit.done") == 0) {
		n_commit++;
	}
	passage = n_begin;
	pthread_mutex_unlock(&lock);
	if (act != NULL)
		act(passage);
	if (act_applied != NULL)
		act_applied();
}

static inline struct timespec
deadline(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_sec += DEADLINE_S;
	return t;
}

/* Wait until *value >= want (an int) under the lock. */
static inline void
wait_for(const int *value, int want)
{
	struct timespec until = deadline();
	int rc = 0;

	pthread_mutex_lock(&lock);
	while (*value < want && rc == 0)
		rc = pthread_cond_timedwait(&changed, &lock, &until);
	rc = *value < want;
	pthread_mutex_unlock(&lock);
	if (rc != 0) {
		fprintf(stderr, "  deadline passed\n");
		exit(1);
	}
}

static inline void
wait_gate(const bool *flag)
{
	struct timespec until = deadline();
	int rc = 0;

	while (!*flag && rc == 0)
		rc = pthread_cond_timedwait(&changed, &lock, &until);
	if (!*flag) {
		fprintf(stderr, "  deadline passed at the gate\n");
		exit(1);
	}
}

static inline int
job_large(struct store *s, struct err *err)
{
	struct store_actor actor = { .uid = 7, .now = TIME0 };
	char detail[DETAIL_LEN];

	memset(detail, 'x', sizeof(detail) - 1);
	detail[sizeof(detail) - 1] = '\0';
	actor.detail = detail;
	if (store_cache(s, 1, err) != 0)
		return -1;
	for (int i = 0; i < JOB_LARGE_EVENTS; i++)
		if (store_event_add(s, &actor, "clock-accept", 0, err) != 0)
			return -1;
	return 0;
}

static inline int
job_apply(struct commit_job *job, struct store *s, struct err *err)
{
	struct job *j = (struct job *)job;
	const struct store_actor actor = { .uid = 7, .now = TIME0 };

	pthread_mutex_lock(&lock);
	j->applies++;
	if (n_applied < LOG_MAX)
		applied[n_applied] = j->number;
	n_applied++;
	if (j->kind == JOB_GATE) {
		gate_reached = true;
		pthread_cond_broadcast(&changed);
		wait_gate(&gate_open);
	}
	pthread_mutex_unlock(&lock);
	if (j->kind == JOB_LARGE)
		return job_large(s, err);
	if (store_event_add(s, &actor, "clock-accept", 0, err) != 0)
		return -1;
	switch (j->kind) {
	case JOB_WRITE:
	case JOB_LARGE:
	case JOB_GATE:
		return 0;
	case JOB_REFUSE:
		return err_set(err, FAIL_CONFLICT, "job %d: refused", j->number);
	case JOB_ROLLBACK:
		store_rollback(s);
		return err_set(err, FAIL_UNAVAILABLE, "job %d: disk full", j->number);
	case JOB_HIDE:
		store_rollback(s);
		break;
	}
	return 0;
}

static inline int64_t
events(struct store *s)
{
	int64_t id = -1;
	time_t t;

	if (store_event_newest(s, &id, &t, NULL) != 0)
		return -1;
	return id;
}

static inline void
job_done(struct commit_job *job, const struct err *err)
{
	struct job *j = (struct job *)job;
	int64_t seen = j->kind == JOB_GATE ? 0 : events(reader);

	pthread_mutex_lock(&lock);
	j->dones++;
	j->seen = seen;
	if (err != NULL) {
		j->failed = true;
		j->err = *err;
		n_failed++;
	}
	n_done++;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

static inline struct job
job_new(enum job_kind kind, enum commit_lane lane, int number)
{
	return (struct job){ .job = { .lane = lane, .apply = job_apply, .done = job_done },
		.kind = kind,
		.number = number };
}

static inline void
fatal(const struct err *err)
{
	struct rlimit limit;

	getrlimit(RLIMIT_FSIZE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_FSIZE, &limit);
	pthread_mutex_lock(&lock);
	n_fatal++;
	snprintf(fatal_msg, sizeof(fatal_msg), "%s", err->msg);
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

/* Where hundreds of MiB are written soonest. */
static inline const char *
roomy(void)
{
	static const char shm[] = "/dev/shm";
	struct statvfs st;

	return access(shm, W_OK) == 0 && statvfs(shm, &st) == 0 &&
		       (uint64_t)st.f_bavail * st.f_frsize >> 30 > 0
		   ? shm
		   : "/tmp";
}

static inline void
start(void)
{
	struct err err;

	n_applied = n_done = n_failed = n_groups = n_begin = n_commit = n_fatal = 0;
	gate_reached = gate_open = false;
	at_begin = NULL;
	at_applied = NULL;
	snprintf(dir, sizeof(dir), "%s/smki-committer-XXXXXX", beside ? roomy() : "/tmp");
	if (mkdtemp(dir) == NULL) {
		perror("mkdtemp");
		exit(1);
	}
	snprintf(db_path, sizeof(db_path), "%s/smki.db", dir);
	if (store_open(db_path, STORE_CREATE, &store, &err) != 0 ||
	    store_open(db_path, STORE_READ, &reader, &err) != 0 ||
	    (beside && store_open(db_path, STORE_WRITE, &aside, &err) != 0) ||
	    committer_start(store, aside, fatal, &committer, &err) != 0) {
		fprintf(stderr, "  %s\n", err.msg);
		exit(1);
	}
}

static inline void
clear(void)
{
	static const char *const ends[] = { "", "-wal", "-shm", "-journal" };
	char path[160];

	store_close(reader);
	store_close(aside);
	aside = NULL;
	store_close(store);
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		snprintf(path, sizeof(path), "%s%s", db_path, ends[i]);
		unlink(path);
	}
	CHECK(rmdir(dir) == 0);
}

static inline void
stop(void)
{
	committer_stop(committer);
	clear();
}

/* The thread is busy in this job until gate_unlock(): what is put meanwhile waits. */
static inline void
gate_lock(struct job *gate)
{
	*gate = job_new(JOB_GATE, COMMIT_OTHER, 0);
	CHECK(committer_put(committer, &gate->job, NULL) == 0);
	pthread_mutex_lock(&lock);
	wait_gate(&gate_reached);
	pthread_mutex_unlock(&lock);
}

static inline void
gate_unlock(void)
{
	pthread_mutex_lock(&lock);
	gate_open = true;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

static inline void
put(struct job *job)
{
	struct err err;

	if (committer_put(committer, &job->job, &err) != 0) {
		fprintf(stderr, "  %s\n", err.msg);
		CU_FAIL("committer_put");
	}
}

#endif
