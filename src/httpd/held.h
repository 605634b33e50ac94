/*
 * Answers that are complete and held back for a while: no thread of theirs waits, one for all
 * lets each go when it is due.
 */
#ifndef SMKI_HTTPD_HELD_H
#define SMKI_HTTPD_HELD_H

#include "workers.h"

struct held;

/* At most max at the same time. go is called once for each, from the thread in here (or from
 * held_flush). FAIL_UNAVAILABLE without a thread. */
int held_new(
    size_t max, void (*go)(struct work *work), struct held **out, struct err *err) MUST_USE;
/* Until due_ms (clock_mono_ms()). -1 when there are max already, or after held_flush: go is not
 * called. work->next is used. */
int held_put(struct held *held, struct work *work, int64_t due_ms) MUST_USE;
/* Let all go now, and take no more. */
void held_flush(struct held *held);
/* After held_flush: end the thread. */
void held_free(struct held *held);

#endif
