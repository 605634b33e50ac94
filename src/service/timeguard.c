/*
 * The clock rule with the machine's clocks and a lock. The rule itself is core's: nothing here
 * decides what doubt is.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "smki/clock.h"
#include "smki/mem.h"
#include "smki/timeguard.h"

struct timeguard {
	pthread_mutex_t lock;
	struct clock_rule rule;
	time_t newest;
	char doubt[ERR_MSG_MAX]; /* "" = none */
};

struct timeguard *
timeguard_new(time_t newest)
{
	struct timeguard *guard = mem_alloc(sizeof(*guard));

	pthread_mutex_init(&guard->lock, NULL);
	guard->newest = newest;
	clock_rule_start(&guard->rule, clock_now(), clock_boot(), newest);
	return guard;
}

void
timeguard_free(struct timeguard *guard)
{
	if (guard == NULL)
		return;
	pthread_mutex_destroy(&guard->lock);
	free(guard);
}

void
timeguard_note(struct timeguard *guard, time_t newest)
{
	pthread_mutex_lock(&guard->lock);
	guard->newest = newest;
	pthread_mutex_unlock(&guard->lock);
}

void
timeguard_doubt(struct timeguard *guard, const char *why)
{
	pthread_mutex_lock(&guard->lock);
	snprintf(guard->doubt, sizeof(guard->doubt), "%s", why);
	pthread_mutex_unlock(&guard->lock);
}

int
timeguard_now(struct timeguard *guard, time_t *now, struct err *err)
{
	time_t is = clock_now();
	int rc;

	pthread_mutex_lock(&guard->lock);
	if (guard->doubt[0] != '\0')
		rc = err_set(err, FAIL_UNAVAILABLE, "%s", guard->doubt);
	else
		rc = clock_rule_check(&guard->rule, is, clock_boot(), guard->newest, err);
	pthread_mutex_unlock(&guard->lock);
	if (rc == 0)
		*now = is;
	return rc;
}

time_t
timeguard_record(struct timeguard *guard)
{
	time_t newest;

	pthread_mutex_lock(&guard->lock);
	newest = guard->newest;
	pthread_mutex_unlock(&guard->lock);
	return clock_record_time(clock_now(), newest);
}

time_t
timeguard_accept(struct timeguard *guard)
{
	time_t now = clock_now();

	pthread_mutex_lock(&guard->lock);
	clock_rule_accept(&guard->rule, now, clock_boot());
	/* Else a clock set back would stay behind the newest record for ever. */
	guard->newest = now;
	guard->doubt[0] = '\0';
	pthread_mutex_unlock(&guard->lock);
	return now;
}
