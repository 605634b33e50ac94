/*
 * The ceiling on all enrolments together: a bucket that fills by so many a minute and holds as
 * many. Any thread.
 */
#ifndef SERVICE_ENROL_LIMIT_H
#define SERVICE_ENROL_LIMIT_H

#include <pthread.h>

#include "smki/err.h"
#include "smki/types.h"

struct enrol_limit {
	pthread_mutex_t lock;
	int64_t per_minute;
	int64_t level; /* certificates that may be made, in millionths of a minute's share */
	int64_t at_us; /* CLOCK_MONOTONIC of the level */
};

/* Full at now_us (CLOCK_MONOTONIC, microseconds). per_minute: 1 to 10,000,000. */
void enrol_limit_init(struct enrol_limit *limit, long per_minute, int64_t now_us);
void enrol_limit_end(struct enrol_limit *limit);
/* One certificate is about to be made: 0, or FAIL_LIMIT. */
int enrol_limit_take(struct enrol_limit *limit, int64_t now_us, struct err *err) MUST_USE;

#endif
