/*
 * When the clock may be believed. One rule for both daemons (nothing is signed on doubt).
 */
#ifndef SMKI_TIMERULE_H
#define SMKI_TIMERULE_H

#include "smki/types.h"

#define CLOCK_BACK_MAX 5	    /* seconds behind the newest time in the database */
#define CLOCK_JUMP_MAX 300	    /* seconds REALTIME may move against BOOTTIME */
#define CLOCK_AHEAD_MAX (7 * 86400) /* seconds after the newest time, at start only */

/* Kept by a daemon from its start; one thread updates it. */
struct clock_rule {
	time_t base_now; /* REALTIME and BOOTTIME taken together */
	time_t base_boot;
	bool ahead_at_start; /* start was over CLOCK_AHEAD_MAX after the newest time */
};

/*
 * newest = time of the last event (not the latest of all times: an acceptance is recorded at its
 * own reading and so becomes the newest), 0 when the database is empty.
 */
void clock_rule_start(struct clock_rule *rule, time_t now, time_t boot, time_t newest);

/*
 * 0 when the clock may be believed, else FAIL_UNAVAILABLE "clock: ... ; check the time, then:
 * smki clock accept" with the finding (behind by, jumped by, ahead by).
 */
int clock_rule_check(const struct clock_rule *rule, time_t now, time_t boot, time_t newest,
    struct err *err) MUST_USE;

/* An administrator accepted the clock at this reading: start anew from it. */
void clock_rule_accept(struct clock_rule *rule, time_t now, time_t boot);

/* Time to record for a state change while in doubt: the later of the two. */
time_t clock_record_time(time_t now, time_t newest);

#endif
