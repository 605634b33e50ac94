/*
 * Pauses and rests. What is done is not known here.
 */
#include "chore.h"

#include <string.h>

bool
chore_waits(const struct chore *chore, int64_t now_ms)
{
	return now_ms < chore->not_before_ms;
}

bool
chore_rests(struct chore *chore, int64_t now_ms)
{
	chore->rests = pace_rests(&chore->pace, now_ms);
	return chore->rests;
}

void
chore_spend(struct chore *chore, bool made, int64_t now_ms, int64_t us)
{
	pace_spend(&chore->pace, now_ms, us);
	chore->unmade = !made;
}

bool
chore_is_open(const struct chore *chore)
{
	return chore->rests && chore->unmade;
}

bool
chore_note(struct chore *chore, const struct err *err, int64_t now_ms)
{
	const char *cause = err == NULL ? "" : err->msg;
	bool news = !err_same_cause(chore->cause, cause);

	memcpy(chore->cause, cause, strlen(cause) + 1);
	if (err == NULL) {
		chore->not_before_ms = chore->retry_ms = 0;
		return news;
	}
	chore->retry_ms = chore->retry_ms == 0 ? CHORE_RETRY_FIRST_MS : chore->retry_ms * 2;
	if (chore->retry_ms > CHORE_RETRY_MAX_MS)
		chore->retry_ms = CHORE_RETRY_MAX_MS;
	chore->not_before_ms = now_ms + chore->retry_ms;
	return news;
}

void
chore_hurry(struct chore *chore)
{
	chore->not_before_ms = 0;
	chore->pace = (struct pace){ 0 };
}
