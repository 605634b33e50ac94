/*
 * What is remembered of strangers, each table of a fixed size: how often an address was refused
 * for what, until smkid is told, and how often it came with a wrong secret.
 */
#ifndef SMKI_HTTPD_STRANGERS_H
#define SMKI_HTTPD_STRANGERS_H

#include "smki/front.h"

struct strangers; /* any thread */

struct strangers *strangers_new(void);
void strangers_free(struct strangers *strangers);

/* An address was refused by the front itself. REFUSAL_FORM is passed over: it is counted in
 * metrics only. When the table is full, "" stands for the address. */
void strangers_refused(struct strangers *strangers, const char *address, enum refusal reason);
/* Take what is counted; false when it is nothing. */
bool strangers_take(struct strangers *strangers, struct front_refused *out);
/* What could not be told is counted again. */
void strangers_give_back(struct strangers *strangers, const struct front_refused *refused);

/*
 * A wrong secret came from this address (IPv6: from its /64) at now_ms, clock_mono_ms(): for how
 * long its answer is held back. A quarter of a second at first, doubled with each wrong one up to
 * four; half of them are forgotten every minute. Devices are never held back: whoever guesses for
 * one would lock it out.
 */
long strangers_wrong_secret(struct strangers *strangers, const char *address, int64_t now_ms);

#endif
