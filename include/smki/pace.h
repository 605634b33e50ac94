/*
 * A bound on the share of time that some work takes, however much of it there is.
 */
#ifndef SMKI_PACE_H
#define SMKI_PACE_H

#include <stdbool.h>
#include <stdint.h>

/* One part in so many of one core's time. */
#define PACE_PARTS 50
/* Work that was not rested from yet, microseconds: so much is free, in one piece or several. */
#define PACE_FREE_US 200000
/* No rest is longer, whatever was done before it. */
#define PACE_REST_MAX_MS 600000

/* Zeroed: nothing was done yet. Times are of one clock that does not step back, milliseconds. */
struct pace {
	int64_t owed_us; /* at that time: done and not rested from */
	int64_t at_ms;
};

void pace_spend(struct pace *pace, int64_t now_ms, int64_t us);
bool pace_rests(const struct pace *pace, int64_t now_ms);

#endif
