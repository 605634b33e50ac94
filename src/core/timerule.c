/*
 * When the clock may be believed: behind the newest record, moved against the time since boot, or
 * far ahead at start means doubt. It must not read a clock: it is handed the readings.
 */
#include "smki/err.h"
#include "smki/timerule.h"

/* Seconds by which now is after the newest record; an empty database knows nothing. */
static long long
clock_ahead(time_t now, time_t newest)
{
	return newest <= 0 ? 0 : (long long)now - (long long)newest;
}

void
clock_rule_start(struct clock_rule *rule, time_t now, time_t boot, time_t newest)
{
	clock_rule_accept(rule, now, boot);
	rule->ahead_at_start = clock_ahead(now, newest) > CLOCK_AHEAD_MAX;
}

int
clock_rule_check(
    const struct clock_rule *rule, time_t now, time_t boot, time_t newest, struct err *err)
{
	static const char advice[] = "check the time, then: smki clock accept";
	long long ahead = clock_ahead(now, newest);
	long long jump = ((long long)now - (long long)rule->base_now) -
			 ((long long)boot - (long long)rule->base_boot);

	if (ahead < -CLOCK_BACK_MAX)
		return err_set(err, FAIL_UNAVAILABLE,
		    "clock: behind the newest record by %lld s; %s", -ahead, advice);
	if (jump > CLOCK_JUMP_MAX || jump < -CLOCK_JUMP_MAX)
		return err_set(err, FAIL_UNAVAILABLE, "clock: jumped by %+lld s since start; %s",
		    jump, advice);
	/* What is recorded meanwhile moves the newest record along: only an acceptance ends it. */
	if (rule->ahead_at_start)
		return err_set(err, FAIL_UNAVAILABLE,
		    "clock: ahead of the newest record by over %d s at start (now %lld s); %s",
		    CLOCK_AHEAD_MAX, ahead, advice);
	return 0;
}

void
clock_rule_accept(struct clock_rule *rule, time_t now, time_t boot)
{
	rule->base_now = now;
	rule->base_boot = boot;
	rule->ahead_at_start = false;
}

time_t
clock_record_time(time_t now, time_t newest)
{
	return now > newest ? now : newest;
}
