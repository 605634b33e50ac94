/*
 * The committer when the database cannot: a transaction lost, a lock held by somebody else, a
 * COMMIT that fails.
 */
#include <sched.h>
#include <signal.h>

#include "jobs.h"

/* How SQLite waits for somebody else's lock: it counts what it asked for, so here the whole wait
 * is over as soon as all of it was asked for. */
int
usleep(useconds_t us)
{
	return us > 0 ? sched_yield() : 0;
}

int
nanosleep(const struct timespec *want, struct timespec *left)
{
	if (left != NULL)
		*left = (struct timespec){ 0 };
	return want->tv_sec >= 0 ? sched_yield() : -1;
}

static void
lost(enum job_kind kind, const char *why)
{
	struct job gate, jobs[3], after = job_new(JOB_WRITE, COMMIT_OTHER, 9);
	struct err err = { 0 };

	start();
	CHECK(committer_check(committer, &err) == 0);
	gate_lock(&gate);
	for (int i = 0; i < 3; i++) {
		jobs[i] = job_new(i == 1 ? kind : JOB_WRITE, COMMIT_OTHER, i + 1);
		put(&jobs[i]);
	}
	gate_unlock();
	wait_for(&n_done, 4);
	for (int i = 0; i < 3; i++) {
		CHECK(jobs[i].dones == 1 && jobs[i].failed);
		CHECK(jobs[i].err.code == FAIL_UNAVAILABLE);
		CHECK(strstr(jobs[i].err.msg, why) != NULL);
	}
	/* The third never ran: nothing was left to write into. */
	CHECK(jobs[2].applies == 0 && n_commit == 1 && events(reader) == 1);
	/* Said to whoever asks how it is, until something is recorded again. */
	CHECK(committer_check(committer, &err) == -1 && err.code == FAIL_UNAVAILABLE);
	CHECK(strstr(err.msg, why) != NULL);
	put(&after);
	wait_for(&n_done, 5);
	CHECK(committer_check(committer, &err) == 0);
	CHECK(!after.failed && events(reader) == 2);
	stop();
}

static void
test_rolled_back(void)
{
	lost(JOB_ROLLBACK, "job 2: disk full");
	lost(JOB_HIDE, "by a job that reported success");
}

/* Another process has the write lock until passage 2 of a group's begin. */
static struct store *other;
static int release_at;

static void
other_release(int passage)
{
	if (passage == release_at)
		store_rollback(other);
}

static void
test_busy(void)
{
	struct job job = job_new(JOB_WRITE, COMMIT_OTHER, 1);
	struct err err;

	start();
	CHECK(store_open(db_path, STORE_WRITE, &other, &err) == 0);
	CHECK(store_begin(other, &err) == 0);
	release_at = 2;
	at_begin = other_release;
	put(&job);
	wait_for(&n_done, 1);
	CHECK(!job.failed && job.applies == 1 && n_begin == 2 && events(reader) == 1);

	/* It never lets go: said, and nothing is recorded. */
	pthread_mutex_lock(&lock);
	release_at = 0;
	pthread_mutex_unlock(&lock);
	CHECK(store_begin(other, &err) == 0);
	job = job_new(JOB_WRITE, COMMIT_STATE, 2);
	put(&job);
	wait_for(&n_done, 2);
	CHECK(job.failed && job.applies == 0 && job.err.code == FAIL_UNAVAILABLE);
	store_rollback(other);
	CHECK(events(reader) == 1 && n_fatal == 0);
	store_close(other);
	stop();
}

/* From here on no file of this process grows: COMMIT cannot write the WAL. */
static void
disk_ends(void)
{
	struct rlimit limit;

	getrlimit(RLIMIT_FSIZE, &limit);
	limit.rlim_cur = 0;
	setrlimit(RLIMIT_FSIZE, &limit);
}

struct waiting {
	struct job job;
	int rc;
	struct err err;
};

static void *
waiter(void *arg)
{
	struct waiting *w = arg;

	w->rc = committer_run(committer, &w->job.job, &w->err);
	return NULL;
}

static void
test_fatal(void)
{
	struct waiting w = { .job = job_new(JOB_WRITE, COMMIT_STATE, 1) };
	struct job first = job_new(JOB_WRITE, COMMIT_OTHER, 0), gate, job, late;
	struct err err = { 0 };
	pthread_t thread;

	signal(SIGXFSZ, SIG_IGN);
	start();
	put(&first);
	wait_for(&n_done, 1);
	at_applied = disk_ends;
	gate_lock(&gate);
	job = job_new(JOB_WRITE, COMMIT_OTHER, 2);
	put(&job);
	CHECK(pthread_create(&thread, NULL, waiter, &w) == 0);
	gate_unlock();
	wait_for(&n_fatal, 1);
	/* Who waits is let go, and told; nobody else hears anything more. */
	CHECK(pthread_join(thread, NULL) == 0);
	CHECK(w.rc == -1 && w.err.code == FAIL_UNAVAILABLE && w.job.applies == 0);
	CHECK(n_done == 1 && gate.dones == 0 && job.dones == 0 && job.applies == 0);
	CHECK(n_fatal == 1 && fatal_msg[0] != '\0' && n_commit == 1);
	late = job_new(JOB_WRITE, COMMIT_OTHER, 3);
	CHECK(committer_put(committer, &late.job, &err) == -1 && err.code == FAIL_UNAVAILABLE);
	stop();
}

static void
moved(enum job_kind kind)
{
	struct job job = job_new(kind, COMMIT_OTHER, 1);
	char away[160];

	start();
	snprintf(away, sizeof(away), "%s.away", db_path);
	CHECK(rename(db_path, away) == 0);
	put(&job);
	wait_for(&n_fatal, 1);
	CHECK(rename(away, db_path) == 0);
	CHECK(strstr(fatal_msg, "another file lies in its place") != NULL);
	CHECK(n_done == 0 && job.dones == 0 && n_commit == 0 && events(reader) == 0);
	stop();
}

/* The database was put elsewhere under the writer: nothing more is said to be recorded, nor
 * refused for what stands in it or not. */
static void
test_moved(void)
{
	moved(JOB_WRITE);
	moved(JOB_REFUSE);
}

static const struct test_case cases[] = {
	{ "rolled back", test_rolled_back },
	{ "busy", test_busy },
	{ "fatal", test_fatal },
	{ "moved", test_moved },
};

TEST_MAIN("committer_loss", cases)
