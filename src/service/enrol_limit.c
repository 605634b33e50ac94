/*
 * How many certificates a minute all devices together may ask for. It counts, and knows no device.
 */
#include "enrol_limit.h"

#include "smki/mem.h"

/* What one certificate takes, so that a microsecond brings in a whole number: per_minute. */
#define LIMIT_COST ((int64_t)60 * 1000000)

void
enrol_limit_init(struct enrol_limit *limit, long per_minute, int64_t now_us)
{
	require(per_minute > 0 && per_minute <= 10000000);
	require(pthread_mutex_init(&limit->lock, NULL) == 0);
	limit->per_minute = per_minute;
	limit->level = per_minute * LIMIT_COST;
	limit->at_us = now_us;
}

void
enrol_limit_end(struct enrol_limit *limit)
{
	pthread_mutex_destroy(&limit->lock);
}

int
enrol_limit_take(struct enrol_limit *limit, int64_t now_us, struct err *err)
{
	const int64_t full = limit->per_minute * LIMIT_COST;
	int64_t passed;
	int r = 0;

	pthread_mutex_lock(&limit->lock);
	/* Threads read the clock before they get the lock: one may come with an earlier reading. */
	if (now_us > limit->at_us) {
		passed = now_us - limit->at_us;
		limit->level += (passed < LIMIT_COST ? passed : LIMIT_COST) * limit->per_minute;
		if (limit->level > full)
			limit->level = full;
		limit->at_us = now_us;
	}
	if (limit->level >= LIMIT_COST)
		limit->level -= LIMIT_COST;
	else
		r = err_set(err, FAIL_LIMIT,
		    "enrolment: smki.conf [enrol] per_minute is reached by all devices together");
	pthread_mutex_unlock(&limit->lock);
	return r;
}
