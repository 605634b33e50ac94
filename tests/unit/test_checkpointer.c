/*
 * The checkpointer beside a committer that never rests: no COMMIT checkpoints, the WAL is begun
 * anew all the same, a reader or a slow disk is in nobody's way, and a kill costs nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "../../src/io/store_private.h"
#include "jobs.h"
#include "smki/checkpointer.h"
#include "smki/clock.h"

/* Rows of a page each; what one job changes of them. */
#define WIDE_ROWS 2000
/* Where SQLite's index of the WAL has its length, and what is copied of it. */
#define SHM_FRAMES 16
#define SHM_COPIED 96

static bool pass_shut; /* a pass waits at its beginning */
static int n_passes;

static void
pass_gate(void)
{
	pthread_mutex_lock(&lock);
	n_passes++;
	pthread_cond_broadcast(&changed);
	while (pass_shut)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
}

static void
pass_set(bool shut)
{
	pthread_mutex_lock(&lock);
	pass_shut = shut;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

static int
passes(void)
{
	int n;

	pthread_mutex_lock(&lock);
	n = n_passes;
	pthread_mutex_unlock(&lock);
	return n;
}

static int64_t
shm(off_t at)
{
	char *path = mem_fmt("%s-shm", db_path);
	uint32_t value = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	free(path);
	require(fd >= 0 && pread(fd, &value, sizeof(value), at) == sizeof(value));
	close(fd);
	return value;
}

static int
wide_apply(struct commit_job *job, struct store *s, struct err *err)
{
	return db_script(s->db, "UPDATE wide SET n = n + 1", err);
}

static int
wide_small(struct commit_job *job, struct store *s, struct err *err)
{
	return db_script(s->db, "UPDATE wide SET n = n + 1 WHERE id <= 8", err);
}

static int
wide_make(struct commit_job *job, struct store *s, struct err *err)
{
	return db_script(s->db,
	    "CREATE TABLE wide (id INTEGER PRIMARY KEY, n INTEGER, pad BLOB); WITH RECURSIVE "
	    "r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r WHERE i < 2000) "
	    "INSERT INTO wide SELECT i, 0, zeroblob(3000) FROM r",
	    err);
}

/* Milliseconds that it took. */
static int64_t
run(int (*apply)(struct commit_job *, struct store *, struct err *), enum commit_lane lane)
{
	struct commit_job job = { .lane = lane, .apply = apply };
	int64_t begun = clock_mono_ms();
	struct err err;

	if (committer_run(committer, &job, &err) != 0) {
		fprintf(stderr, "  %s\n", err.msg);
		CU_FAIL("committer_run");
	}
	return clock_mono_ms() - begun;
}

static void
wide_start(bool shut)
{
	pass_shut = shut;
	n_passes = 0;
	at_checkpoint = pass_gate;
	beside = true;
	start();
	beside = false;
	run(wide_make, COMMIT_OTHER);
	run(wide_apply, COMMIT_OTHER);
}

static void
wide_until(int64_t frames)
{
	while (shm(SHM_FRAMES) <= frames)
		run(wide_apply, COMMIT_STATE);
}

/* Groups without a pause until the WAL is begun anew: all of them committed. */
static bool
anew(void)
{
	int64_t until = clock_mono_ms() + DEADLINE_S * 1000, before = shm(SHM_FRAMES), now = before;

	while (now >= before && clock_mono_ms() < until) {
		before = now;
		run(wide_small, COMMIT_STATE);
		now = shm(SHM_FRAMES);
	}
	return now < before;
}

static void
test_wal(void)
{
	struct store_wal wal;
	struct err err;
	int64_t frames;
	bool fatal;

	beside = true;
	at_checkpoint = NULL;
	start();
	beside = false;
	committer_stop(committer);
	CHECK(store_begin(store, &err) == 0 && wide_make(NULL, store, &err) == 0);
	CHECK(store_commit(store, &fatal, &err) == 0);
	frames = store_wal_frames(store);
	CHECK(frames >= WIDE_ROWS && frames == shm(SHM_FRAMES));
	/* What a reader stands before stays. */
	CHECK(store_view_begin(reader, &err) == 0);
	CHECK(store_begin(store, &err) == 0 && wide_small(NULL, store, &err) == 0);
	CHECK(store_commit(store, &fatal, &err) == 0);
	CHECK(store_checkpoint(aside, &wal, &err) == 0);
	CHECK(wal.frames == store_wal_frames(store) && wal.copied == frames);
	CHECK(wal.copied < wal.frames && wal.copied == shm(SHM_COPIED));
	store_view_end(reader);
	CHECK(store_sync(aside, &err) == 0);
	CHECK(store_checkpoint(aside, &wal, &err) == 0 && wal.copied == wal.frames);
	CHECK(store_begin(store, &err) == 0 && wide_small(NULL, store, &err) == 0);
	CHECK(store_commit(store, &fatal, &err) == 0 && store_wal_frames(store) < frames);
	/* Nothing written is not a WAL of the same length begun anew. */
	CHECK(store_begin(store, &err) == 0 && store_commit(store, &fatal, &err) == 0);
	CHECK(store_wal_frames(store) == 0);
	clear();
}

/* ---- an fsync of the database fails ---- */

static atomic_bool unsynced;

/* In place of libc's, for SQLite, too. */
int
fdatasync(int fd)
{
	char link[64], path[PATH_MAX];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (unsynced && n == (ssize_t)strlen(db_path) && memcmp(path, db_path, (size_t)n) == 0) {
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_fdatasync, fd);
}

/* What was committed is so; but the process must end, whoever of the two threads copies. */
static void
test_unsynced(void)
{
	struct job job = job_new(JOB_WRITE, COMMIT_OTHER, 1);

	for (int i = 0; i < 2; i++) {
		at_checkpoint = NULL;
		beside = i != 0;
		start();
		beside = false;
		unsynced = true;
		job = job_new(JOB_WRITE, COMMIT_OTHER, 1);
		put(&job);
		wait_for(&n_fatal, 1);
		committer_stop(committer);
		CHECK(job.dones == 1 && !job.failed && n_fatal == 1);
		CHECK(strstr(fatal_msg, "fsync failed") != NULL);
		unsynced = false;
		clear();
	}
}

/* A disk that is behind by more than the most: no COMMIT copies, changes of states do not wait,
 * others do for a moment; and then the WAL is begun anew under load. */
static void
test_behind(void)
{
	int64_t least = INT64_MAX, ms;

	wide_start(true);
	wide_until(CHECKPOINT_MAX_FRAMES);
	CHECK(shm(SHM_COPIED) == 0 && passes() == 1);
	CHECK(run(wide_small, COMMIT_OTHER) >= CHECKPOINT_WAIT_MS);
	for (int i = 0; i < 50 && least >= CHECKPOINT_WAIT_MS; i++) {
		ms = run(wide_small, COMMIT_STATE);
		least = ms < least ? ms : least;
	}
	CHECK(least < CHECKPOINT_WAIT_MS);
	CHECK(shm(SHM_COPIED) == 0 && passes() == 1);
	pass_set(false);
	CHECK(anew());
	stop();
}

/* The longest that the WAL was until it was begun anew under load. */
static int64_t
steady(void)
{
	int64_t before, frames = 0;

	wide_start(false);
	do {
		before = frames;
		run(before < CHECKPOINT_RESTART_FRAMES ? wide_apply : wide_small, COMMIT_OTHER);
		frames = shm(SHM_FRAMES);
	} while (frames >= before);
	CHECK(committer_check(committer, NULL) == 0);
	stop();
	return before;
}

/* The usual: it does not come near the most. A disk that others keep busy may be behind; best of
 * three. */
static void
test_steady(void)
{
	int64_t least = INT64_MAX;

	for (int i = 0; i < 3 && least >= CHECKPOINT_MAX_FRAMES; i++) {
		int64_t most = steady();

		least = most < least ? most : least;
	}
	CHECK(least < CHECKPOINT_MAX_FRAMES);
}

/* Nobody waits for a reader, no pass follows the other meanwhile, and after it all is well. */
static void
test_reader(void)
{
	int64_t begun = clock_mono_ms();
	struct err err;

	wide_start(false);
	CHECK(store_view_begin(reader, &err) == 0);
	wide_until(CHECKPOINT_RESTART_FRAMES + CHECKPOINT_FRAMES);
	for (int i = 0; i < 50; i++)
		run(wide_small, COMMIT_OTHER);
	CHECK(shm(SHM_FRAMES) > CHECKPOINT_RESTART_FRAMES);
	/* A few on the way up to the reader, and then with a pause. */
	CHECK(passes() <= 12 + (clock_mono_ms() - begun) / CHECKPOINT_AGAIN_MS);
	store_view_end(reader);
	CHECK(anew());
	stop();
}

static void *
stopper(void *arg)
{
	committer_stop(arg);
	return NULL;
}

/* A stop while a pass is under way ends with everything in the database. */
static void
test_stop(void)
{
	struct job job = job_new(JOB_WRITE, COMMIT_OTHER, 1);
	struct store_wal wal;
	pthread_t thread;

	wide_start(true);
	wait_for(&n_passes, 1);
	put(&job);
	CHECK(pthread_create(&thread, NULL, stopper, committer) == 0);
	wait_for(&n_done, 1);
	pass_set(false);
	CHECK(pthread_join(thread, NULL) == 0);
	CHECK(shm(SHM_COPIED) == shm(SHM_FRAMES));
	CHECK(store_checkpoint(aside, &wal, NULL) == 0 && wal.copied == wal.frames);
	clear();
}

/* ---- killed in the middle of a pass ---- */

static int told;

static void
tell_pass(void)
{
	require(write(told, "P", 1) == 1);
}

static _Noreturn void
victim(void)
{
	struct err err;

	if (store_open(db_path, STORE_WRITE, &store, &err) != 0 ||
	    store_open(db_path, STORE_WRITE, &aside, &err) != 0 ||
	    store_open(db_path, STORE_READ, &reader, &err) != 0)
		_exit(1);
	at_checkpoint = tell_pass;
	if (committer_start(store, aside, fatal, &committer, &err) != 0)
		_exit(1);
	for (;;) {
		struct job job = job_new(JOB_WRITE, COMMIT_OTHER, 1);
		struct commit_job wide = { .lane = COMMIT_OTHER, .apply = wide_apply };

		if (committer_run(committer, &wide, &err) != 0 ||
		    committer_run(committer, &job.job, &err) != 0 || write(told, "E", 1) != 1)
			_exit(1);
	}
}

/* What came back from one life: changes that were confirmed. */
static int
life(int n_passes_seen)
{
	int ends[2], confirmed = 0, status;
	pid_t pid;
	char c;

	require(pipe(ends) == 0);
	pid = fork();
	require(pid >= 0);
	if (pid == 0) {
		close(ends[0]);
		told = ends[1];
		victim();
	}
	close(ends[1]);
	while (read(ends[0], &c, 1) == 1) {
		confirmed += c == 'E';
		if (c == 'P' && --n_passes_seen == 0)
			kill(pid, SIGKILL);
	}
	close(ends[0]);
	CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status));
	return confirmed;
}

static void
test_kill(void)
{
	struct db_stmt *stmt = NULL;
	int64_t confirmed;
	bool row, fatal;
	char text[64];
	struct err err;

	at_checkpoint = NULL;
	start();
	committer_stop(committer);
	CHECK(store_begin(store, &err) == 0 && wide_make(NULL, store, &err) == 0 &&
	      store_commit(store, &fatal, &err) == 0);
	confirmed = events(reader);
	for (int i = 2; i < 4; i++) {
		store_close(reader);
		store_close(store);
		reader = store = NULL;
		confirmed += life(i);
		CHECK(store_open(db_path, STORE_WRITE, &store, &err) == 0 &&
		      store_open(db_path, STORE_READ, &reader, &err) == 0);
		/* One more may have been committed and not been confirmed. */
		CHECK(events(reader) >= confirmed && events(reader) <= confirmed + 1);
		confirmed = events(reader);
		CHECK(db_prepare(store->db, "PRAGMA integrity_check", &stmt, &err) == 0);
		CHECK(db_step(stmt, &row, &err) == 0 && row);
		CHECK(db_text(stmt, 0, text, sizeof(text), &err) == 0 && strcmp(text, "ok") == 0);
		db_finish(stmt);
	}
	clear();
}

static const struct test_case cases[] = {
	{ "wal", test_wal },
	{ "unsynced", test_unsynced },
	{ "steady", test_steady },
	{ "behind", test_behind },
	{ "reader", test_reader },
	{ "stop", test_stop },
	{ "kill", test_kill },
};

TEST_MAIN("checkpointer", cases)
