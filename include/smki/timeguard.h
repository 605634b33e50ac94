/*
 * The clock rule (core/timerule) bound to the machine's clocks, for any thread of a daemon.
 */
#ifndef SMKI_TIMEGUARD_H
#define SMKI_TIMEGUARD_H

#include "smki/timerule.h"

struct timeguard;

/* newest = time of the newest event in the database. */
struct timeguard *timeguard_new(time_t newest);
void timeguard_free(struct timeguard *guard);
/* A newer event is in the database (lower values are taken too: a clock acceptance). */
void timeguard_note(struct timeguard *guard, time_t newest);
/* Another doubt than the clock's, until it is accepted: why is what timeguard_now then says. */
void timeguard_doubt(struct timeguard *guard, const char *why);
/* The time to sign with, or FAIL_UNAVAILABLE: nothing is signed on doubt. */
int timeguard_now(struct timeguard *guard, time_t *now, struct err *err) MUST_USE;
/* The time to record a state change with: never fails. */
time_t timeguard_record(struct timeguard *guard);
/* The administrator believes the clock and the records as they stand; returns that time. */
time_t timeguard_accept(struct timeguard *guard);

#endif
