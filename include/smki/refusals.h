/*
 * Refusals of outsiders, counted in memory and written now and then: a row for each (who, reason,
 * minute), at most STORE_REFUSALS_PER_MINUTE rows a minute; the rest is counted under "".
 */
#ifndef SMKI_REFUSALS_H
#define SMKI_REFUSALS_H

#include "smki/committer.h"
#include "smki/store_device.h"

struct refusals;

struct refusals *refusals_new(void);
void refusals_free(struct refusals *refusals);
/* Count n; never waits for the database. who: EUI-64 in hex or an address. Any thread. A reason
 * that is counted in metrics only (REFUSAL_FORM) is passed over. */
void refusals_count(
    struct refusals *refusals, const char *who, enum refusal reason, time_t now, int64_t n);
/* Hand what is counted to the committer, and remove rows older than kept seconds, a bounded
 * number; call every few seconds and before the end. What could not be written stays counted. */
int refusals_flush(struct refusals *refusals, struct committer *committer, time_t now, long kept,
    struct err *err) MUST_USE;

#endif
