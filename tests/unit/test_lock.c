/*
 * Readers in an unbroken row, and a writer who wants in.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>

#include "smki/clock.h"
#include "smki/lock.h"
#include "smki/mem.h"
#include "test.h"

#define LOCK_OVERLAP_MS 20
#define LOCK_DEADLINE_S 2

static pthread_rwlock_t lock;
static atomic_uint entered;
static atomic_bool done;

/* Lets go only when another one has come in after it, or will not for this long. */
static void *
reader(void *arg)
{
	unsigned mine;
	int64_t until;

	while (!atomic_load(&done)) {
		pthread_rwlock_rdlock(&lock);
		mine = atomic_fetch_add(&entered, 1) + 1;
		until = clock_mono_ms() + LOCK_OVERLAP_MS;
		while (atomic_load(&entered) == mine && clock_mono_ms() < until)
			sched_yield();
		pthread_rwlock_unlock(&lock);
	}
	return arg;
}

static void
test_writer(void)
{
	struct timespec until;
	pthread_t threads[2];

	lock_init(&lock);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		CHECK(pthread_create(&threads[i], NULL, reader, NULL) == 0);
	while (atomic_load(&entered) < 2)
		sched_yield();
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += LOCK_DEADLINE_S;
	if (pthread_rwlock_timedwrlock(&lock, &until) == 0)
		pthread_rwlock_unlock(&lock);
	else
		CU_FAIL("the writer was kept out");
	atomic_store(&done, true);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		pthread_join(threads[i], NULL);
	pthread_rwlock_destroy(&lock);
}

static const struct test_case cases[] = {
	{ "a writer among readers", test_writer },
};
TEST_MAIN("lock", cases)
