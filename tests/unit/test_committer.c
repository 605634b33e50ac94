/*
 * The committer: what shares a transaction, in which order, whose failure is whose, and that
 * nothing taken is forgotten.
 */
#include "jobs.h"

static void
test_order(void)
{
	static const int want[] = { 0, 3, 4, 1, 2 };
	struct job gate, jobs[4];

	start();
	gate_lock(&gate);
	for (int i = 0; i < 4; i++) {
		jobs[i] = job_new(JOB_WRITE, i < 2 ? COMMIT_OTHER : COMMIT_STATE, i + 1);
		put(&jobs[i]);
	}
	gate_unlock();
	wait_for(&n_done, 5);
	CHECK(n_applied == 5);
	CHECK_MEM(applied, sizeof(want), want, sizeof(want));
	/* All that waited shared one transaction, and each saw it durable when it was told. */
	CHECK(n_commit == 2 && groups[0] == 1 && groups[1] == 4);
	for (int i = 0; i < 4; i++)
		CHECK(jobs[i].dones == 1 && !jobs[i].failed && jobs[i].seen == 5);
	stop();
}

static void
test_group_limit(void)
{
	struct job gate;
	struct job *jobs = mem_array(COMMIT_GROUP_MAX + 1, sizeof(*jobs));

	start();
	gate_lock(&gate);
	for (int i = 0; i <= COMMIT_GROUP_MAX; i++) {
		jobs[i] = job_new(JOB_WRITE, COMMIT_OTHER, i + 1);
		put(&jobs[i]);
	}
	gate_unlock();
	wait_for(&n_done, COMMIT_GROUP_MAX + 2);
	CHECK(n_groups == 3 && groups[1] == COMMIT_GROUP_MAX && groups[2] == 1);
	CHECK(n_failed == 0 && events(reader) == COMMIT_GROUP_MAX + 2);
	stop();
	free(jobs);
}

/* One group of four jobs, the second and the fourth refused. */
static void
refuse_two(struct job jobs[4])
{
	static const enum job_kind kinds[] = { JOB_WRITE, JOB_REFUSE, JOB_WRITE, JOB_REFUSE };
	struct job gate;
	int before = n_done;

	gate_lock(&gate);
	for (int i = 0; i < 4; i++) {
		jobs[i] = job_new(kinds[i], COMMIT_OTHER, i + 1);
		put(&jobs[i]);
	}
	gate_unlock();
	wait_for(&n_done, before + 5);
	for (int i = 0; i < 4; i++) {
		CHECK(jobs[i].dones == 1);
		CHECK(jobs[i].failed == (kinds[i] == JOB_REFUSE));
	}
}

static void
test_refusal(void)
{
	struct job jobs[4], job;
	int before, commits;

	start();
	refuse_two(jobs);
	/* As far as the first refusal all of it was done for nothing, then each for itself. */
	for (int i = 0; i < 4; i++)
		CHECK(jobs[i].applies == (i < 2 ? 2 : 1));
	CHECK(jobs[1].err.code == FAIL_CONFLICT);
	CHECK_STR(jobs[1].err.msg, "job 2: refused");
	CHECK_STR(jobs[3].err.msg, "job 4: refused");
	/* What the refused ones wrote is gone, the neighbours' is there. */
	CHECK(n_commit == 2 && events(reader) == 3);
	/* Where refusals are, more are to come: nothing is done twice, however many they are, */
	for (int n = 0; n < 20; n++) {
		refuse_two(jobs);
		for (int i = 0; i < 4; i++)
			CHECK(jobs[i].applies == 1);
	}
	CHECK(events(reader) == 63);
	/* until there have been none for some time. */
	for (int i = 0; i < 32; i++) {
		job = job_new(JOB_WRITE, COMMIT_OTHER, i);
		before = n_done;
		put(&job);
		wait_for(&n_done, before + 1);
	}
	refuse_two(jobs);
	for (int i = 0; i < 4; i++)
		CHECK(jobs[i].applies == (i < 2 ? 2 : 1));
	CHECK(events(reader) == 63 + 32 + 3);
	/* One alone leaves no transaction to commit. */
	for (int i = 0; i < 32; i++) {
		job = job_new(JOB_REFUSE, COMMIT_OTHER, i);
		before = n_done;
		commits = n_commit;
		put(&job);
		wait_for(&n_done, before + 1);
		CHECK(job.failed && job.applies == 1 && n_commit == commits);
	}
	CHECK(events(reader) == 63 + 32 + 3);
	stop();
}

/* A transaction of which pages went to the log before COMMIT is undone as a whole only: then each
 * job has its own. */
static void
test_outgrown(void)
{
	static const enum job_kind kinds[] = { JOB_WRITE, JOB_LARGE, JOB_REFUSE, JOB_WRITE,
		JOB_REFUSE };
	struct job gate, jobs[ARRAY_LEN(kinds)];

	start();
	gate_lock(&gate);
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		jobs[i] = job_new(kinds[i], COMMIT_OTHER, (int)i + 1);
		put(&jobs[i]);
	}
	gate_unlock();
	wait_for(&n_done, 1 + (int)ARRAY_LEN(kinds));
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		CHECK(jobs[i].dones == 1);
		CHECK(jobs[i].failed == (kinds[i] == JOB_REFUSE));
	}
	CHECK_STR(jobs[2].err.msg, "job 3: refused");
	CHECK_STR(jobs[4].err.msg, "job 5: refused");
	/* that of the gate, and one for each that was not refused */
	CHECK(n_commit == 4);
	CHECK(jobs[0].seen == 2 && jobs[1].seen == 2 + JOB_LARGE_EVENTS);
	CHECK(events(reader) == 3 + JOB_LARGE_EVENTS);
	stop();
}

static void
test_full(void)
{
	struct job *jobs = mem_array(COMMIT_QUEUE_MAX + 1, sizeof(*jobs));
	struct job gate, state = job_new(JOB_WRITE, COMMIT_STATE, -1);
	struct err err = { 0 };

	start();
	gate_lock(&gate);
	for (int i = 0; i <= COMMIT_QUEUE_MAX; i++)
		jobs[i] = job_new(JOB_WRITE, COMMIT_OTHER, i + 1);
	for (int i = 0; i < COMMIT_QUEUE_MAX; i++)
		put(&jobs[i]);
	CHECK(committer_put(committer, &jobs[COMMIT_QUEUE_MAX].job, &err) == -1);
	CHECK(err.code == FAIL_LIMIT);
	CHECK(committer_run(committer, &jobs[COMMIT_QUEUE_MAX].job, &err) == -1);
	CHECK(err.code == FAIL_LIMIT);
	/* A revocation still gets in. */
	put(&state);
	gate_unlock();
	wait_for(&n_done, COMMIT_QUEUE_MAX + 2);
	CHECK(n_failed == 0 && jobs[COMMIT_QUEUE_MAX].dones == 0);
	CHECK(jobs[COMMIT_QUEUE_MAX].applies == 0 && applied[1] == -1);
	CHECK(events(reader) == COMMIT_QUEUE_MAX + 2);
	stop();
	free(jobs);
}

/* Four jobs one after the other while others are being made: how many groups they took. */
static int
company_groups(bool state, int others)
{
	const struct timespec pause = { .tv_nsec = 500000 };
	struct job jobs[4];
	int n;

	start();
	for (int i = 0; i < others; i++)
		committer_expect(committer);
	for (int i = 0; i < 4; i++) {
		jobs[i] = job_new(JOB_WRITE, state ? COMMIT_STATE : COMMIT_OTHER, i + 1);
		put(&jobs[i]);
		if (state)
			wait_for(&n_done, i + 1);
		else
			nanosleep(&pause, NULL);
	}
	for (int i = 0; i < others; i++)
		committer_expected(committer);
	wait_for(&n_done, 4);
	CHECK(n_failed == 0 && events(reader) == 4);
	n = n_groups;
	stop();
	return n;
}

static void
test_company(void)
{
	struct job alone;
	int tries = 0;

	/* A busy machine may take longer between two jobs than a group waits. */
	while (company_groups(false, 9) != 1)
		CU_ASSERT_FATAL(++tries < 50);
	/* As many are waited for as are still being made. */
	for (tries = 0; company_groups(false, 2) != 2;)
		CU_ASSERT_FATAL(++tries < 50);
	/* A change of a state waits for nobody. */
	CHECK(company_groups(true, 9) == 4);
	/* Company that never comes is not waited for. */
	start();
	committer_expect(committer);
	alone = job_new(JOB_WRITE, COMMIT_OTHER, 1);
	put(&alone);
	wait_for(&n_done, 1);
	committer_expected(committer);
	CHECK(alone.dones == 1 && !alone.failed);
	stop();
}

static void *
stopper(void *arg)
{
	committer_stop(arg);
	return NULL;
}

static void
test_stop(void)
{
	struct job *jobs = mem_array(COMMIT_QUEUE_MAX, sizeof(*jobs));
	const struct timespec pause = { .tv_nsec = 1000000 };
	struct job gate;
	struct err err = { 0 };
	pthread_t thread;
	int n = 0;

	start();
	gate_lock(&gate);
	CHECK(pthread_create(&thread, NULL, stopper, committer) == 0);
	/* Refused as soon as the stop has begun ... */
	for (; n < COMMIT_QUEUE_MAX; n++) {
		jobs[n] = job_new(JOB_WRITE, n % 2 == 0 ? COMMIT_STATE : COMMIT_OTHER, n + 1);
		if (committer_put(committer, &jobs[n].job, &err) != 0)
			break;
		nanosleep(&pause, NULL);
	}
	CHECK(err.code == FAIL_UNAVAILABLE);
	/* ... and what was taken before is finished. */
	gate_unlock();
	CHECK(pthread_join(thread, NULL) == 0);
	CHECK(n_done == n + 1 && n_failed == 0 && events(reader) == n + 1);
	clear();
	free(jobs);

	start();
	stop();
	committer_stop(NULL);
}

#define RUN_THREADS 6
#define RUN_JOBS 60

static void *
runner(void *arg)
{
	int *wrong = arg;

	for (int i = 0; i < RUN_JOBS; i++) {
		bool refuse = i % 3 == 2;
		struct job job = job_new(
		    refuse ? JOB_REFUSE : JOB_WRITE, i % 2 == 0 ? COMMIT_STATE : COMMIT_OTHER, i);
		struct err err = { 0 };
		int rc = committer_run(committer, &job.job, &err);

		if (rc != (refuse ? -1 : 0) || job.applies < 1 || job.applies > 2 ||
		    job.dones != 0 || (refuse && err.code != FAIL_CONFLICT))
			++*wrong;
	}
	return NULL;
}

static void
test_run(void)
{
	pthread_t threads[RUN_THREADS];
	int wrong[RUN_THREADS] = { 0 };

	start();
	for (int i = 0; i < RUN_THREADS; i++)
		CHECK(pthread_create(&threads[i], NULL, runner, &wrong[i]) == 0);
	for (int i = 0; i < RUN_THREADS; i++) {
		CHECK(pthread_join(threads[i], NULL) == 0);
		CHECK(wrong[i] == 0);
	}
	CHECK(n_done == 0);
	CHECK(events(reader) == RUN_THREADS * RUN_JOBS * 2 / 3);
	stop();
}

/* Events in the database file alone, without its WAL; -1 when it cannot be read like that. */
static int64_t
events_in_file(void)
{
	static const char *const ends[] = { "", "-wal", "-shm" };
	char copy[160], path[192], data[4096];
	struct store *s = NULL;
	int64_t n = -1;
	FILE *in, *out;
	size_t len;

	snprintf(copy, sizeof(copy), "%s.copy", db_path);
	in = fopen(db_path, "rb");
	out = fopen(copy, "wb");
	require(in != NULL && out != NULL);
	while ((len = fread(data, 1, sizeof(data), in)) > 0)
		require(fwrite(data, 1, len, out) == len);
	require(fclose(in) == 0 && fclose(out) == 0);
	if (store_open(copy, STORE_WRITE, &s, NULL) == 0)
		n = events(s);
	store_close(s);
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		snprintf(path, sizeof(path), "%s%s", copy, ends[i]);
		unlink(path);
	}
	return n;
}

/* Idle, or at the stop, what was committed goes from the WAL into the database. */
static void
test_checkpoint(void)
{
	const struct timespec pause = { .tv_nsec = 5000000 };
	struct job jobs[2] = { job_new(JOB_WRITE, COMMIT_OTHER, 1),
		job_new(JOB_WRITE, COMMIT_OTHER, 2) };
	time_t until = time(NULL) + DEADLINE_S;

	start();
	put(&jobs[0]);
	wait_for(&n_done, 1);
	while (events_in_file() != 1 && time(NULL) < until)
		nanosleep(&pause, NULL);
	CHECK(events_in_file() == 1);
	put(&jobs[1]);
	committer_stop(committer);
	CHECK(jobs[1].dones == 1 && events_in_file() == 2);
	clear();
}

static const struct test_case cases[] = {
	{ "order", test_order },
	{ "checkpoint", test_checkpoint },
	{ "group limit", test_group_limit },
	{ "company", test_company },
	{ "refusal", test_refusal },
	{ "outgrown", test_outgrown },
	{ "full", test_full },
	{ "stop", test_stop },
	{ "run", test_run },
};

TEST_MAIN("committer", cases)
