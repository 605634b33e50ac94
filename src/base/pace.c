/*
 * A leaky bucket of microseconds. It knows neither a clock nor what was done.
 */
#include "smki/pace.h"

#define PACE_OWED_MAX_US (PACE_FREE_US + PACE_REST_MAX_MS * INT64_C(1000) / PACE_PARTS)

static int64_t
pace_owed(const struct pace *pace, int64_t now_ms)
{
	int64_t rested_us = (now_ms - pace->at_ms) * 1000 / PACE_PARTS;

	return pace->owed_us > rested_us ? pace->owed_us - rested_us : 0;
}

void
pace_spend(struct pace *pace, int64_t now_ms, int64_t us)
{
	int64_t owed_us = pace_owed(pace, now_ms) + us;

	pace->owed_us = owed_us < PACE_OWED_MAX_US ? owed_us : PACE_OWED_MAX_US;
	pace->at_ms = now_ms;
}

bool
pace_rests(const struct pace *pace, int64_t now_ms)
{
	return pace_owed(pace, now_ms) > PACE_FREE_US;
}
