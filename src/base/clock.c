/*
 * The machine's clocks. Judges nothing: doubt about the clock is a rule of core.
 */
#include "smki/clock.h"
#include "smki/mem.h"

static struct timespec
clock_read(clockid_t id)
{
	struct timespec ts;

	require(clock_gettime(id, &ts) == 0);
	return ts;
}

time_t
clock_now(void)
{
	return clock_read(CLOCK_REALTIME).tv_sec;
}

/* A second at most, also when the clock is set back meanwhile; a signal may end it early. Whoever
 * waits looks again. */
void
clock_pause(void)
{
	struct timespec rest = { .tv_nsec = 999999999 - clock_read(CLOCK_REALTIME).tv_nsec };

	(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &rest, NULL);
}

time_t
clock_boot(void)
{
	return clock_read(CLOCK_BOOTTIME).tv_sec;
}

static int64_t
clock_read_us(clockid_t id)
{
	struct timespec ts = clock_read(id);

	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t
clock_mono_ms(void)
{
	return clock_mono_us() / 1000;
}

int64_t
clock_mono_us(void)
{
	return clock_read_us(CLOCK_MONOTONIC);
}

int64_t
clock_thread_us(void)
{
	return clock_read_us(CLOCK_THREAD_CPUTIME_ID);
}

struct timespec
clock_mono_after(int64_t ms)
{
	struct timespec ts = clock_read(CLOCK_MONOTONIC);

	ts.tv_sec += (time_t)(ms / 1000);
	ts.tv_nsec += (long)(ms % 1000) * 1000000L;
	if (ts.tv_nsec >= 1000000000L) {
		ts.tv_sec++;
		ts.tv_nsec -= 1000000000L;
	}
	return ts;
}

void
clock_cond_init(pthread_cond_t *cond)
{
	pthread_condattr_t attr;

	require(pthread_condattr_init(&attr) == 0);
	require(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0);
	require(pthread_cond_init(cond, &attr) == 0);
	pthread_condattr_destroy(&attr);
}
