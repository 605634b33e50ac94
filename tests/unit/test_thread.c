/*
 * A thread that computes in the background of others, and only that one.
 */
#include <pthread.h>
#include <sched.h>

#include "smki/mem.h"
#include "smki/thread.h"
#include "test.h"

static int policy;

static void *
batch(void *arg)
{
	thread_batch();
	policy = sched_getscheduler(0);
	return arg;
}

static void
test_batch(void)
{
	int before = sched_getscheduler(0);
	pthread_t thread;

	require(pthread_create(&thread, NULL, batch, NULL) == 0);
	require(pthread_join(thread, NULL) == 0);
	CHECK(policy == SCHED_BATCH);
	CHECK(sched_getscheduler(0) == before);
}

static const struct test_case cases[] = {
	{ "a thread that does not interrupt", test_batch },
};
TEST_MAIN("thread", cases)
