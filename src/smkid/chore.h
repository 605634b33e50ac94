/*
 * Something to be done again and again, and how it went: pauses between tries that fail, and rests
 * from what lists cost. Reads no clock, locks and logs nothing. Zeroed: nothing was done yet.
 */
#ifndef SMKID_CHORE_H
#define SMKID_CHORE_H

#include "smki/err.h"
#include "smki/pace.h"

/* Between two tries: at first, and as it grows from one to the next, at most. */
#define CHORE_RETRY_FIRST_MS 1000
#define CHORE_RETRY_MAX_MS 60000

/* Times are of one clock that does not step back, milliseconds. */
struct chore {
	int64_t not_before_ms;
	int64_t retry_ms;
	struct pace pace;	 /* lists: of what they cost */
	bool rests;		 /* as it was last asked */
	bool unmade;		 /* the last list could not be made */
	char cause[ERR_MSG_MAX]; /* "" = it went well */
};

/* It failed a moment ago. */
bool chore_waits(const struct chore *chore, int64_t now_ms);
/* Lists are made because of changes for a small part of the time only, however long they are. */
bool chore_rests(struct chore *chore, int64_t now_ms);
/* A list was made, or could not be: us of a core's time. */
void chore_spend(struct chore *chore, bool made, int64_t now_ms, int64_t us);
/* It rests from a list that could not be made: that nothing is due now does not tell that it can. */
bool chore_is_open(const struct chore *chore);
/* Keep the outcome, err NULL = it went well. true: it is another than before. */
bool chore_note(struct chore *chore, const struct err *err, int64_t now_ms);
/* No pause and no rest any more. */
void chore_hurry(struct chore *chore);

#endif
