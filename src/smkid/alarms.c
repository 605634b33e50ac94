/*
 * Alarms in one line. It knows what lists people are told of, and no chore.
 */
#include <stdio.h>
#include <string.h>

#include "alarms.h"
#include "smki/clock.h"
#include "smki/timerule.h"

/* Of the line: for what stands between two of them, and behind them all. */
#define ALARMS_MORE_ROOM 40
/* A root's list is made by people: they are told when this part of its life is left (a month of
 * a year). */
#define ALARMS_ROOT_NOTICE_PART 12

void
alarms_tell(struct alarms *alarms, const char *cause)
{
	size_t len = strlen(alarms->out);

	if (cause[0] == '\0' || strstr(alarms->out, cause) != NULL)
		return;
	if (len != 0 && (alarms->more != 0 || len + strlen(cause) + ALARMS_MORE_ROOM > ERR_MSG_MAX))
		alarms->more++;
	else
		snprintf(alarms->out + len, ERR_MSG_MAX - len, "%s%s", len != 0 ? "; " : "", cause);
}

void
alarms_end(struct alarms *alarms)
{
	char more[ALARMS_MORE_ROOM];
	size_t len = strlen(alarms->out), at;

	if (alarms->more == 0)
		return;
	snprintf(more, sizeof(more), "; and %zu more", alarms->more);
	at = ERR_MSG_MAX - 1 - strlen(more);
	snprintf(alarms->out + (len < at ? len : at), sizeof(more), "%s", more);
}

int
alarms_crl_overdue(const struct ca *ca, struct store *reader, struct err *err)
{
	struct store_crl newest;

	if (store_crl_newest(reader, ca->id, &newest, err) != 0)
		return -1;
	if (newest.next_update <= clock_now())
		return err_set(err, FAIL_UNAVAILABLE,
		    "crl of ca %s: number %lld has passed its nextUpdate%s", ca->name,
		    (long long)newest.number, ca->root ? "; make a new one: smki ca crl root" : "");
	return 0;
}

int
alarms_root_notice(const struct ca *ca, struct store *reader, struct err *err)
{
	char until[TIME_TEXT_LEN];
	struct store_crl newest;
	time_t life, left;

	if (store_crl_newest(reader, ca->id, &newest, err) != 0)
		return -1;
	life = newest.next_update - newest.this_update;
	left = newest.next_update - clock_now();
	if (left <= 0 || left >= life / ALARMS_ROOT_NOTICE_PART)
		return 0;
	time_text(newest.next_update, until);
	return err_set(err, FAIL_UNAVAILABLE,
	    "crl of ca %s: number %lld ends at %s; make a new one: smki ca crl %s", ca->name,
	    (long long)newest.number, until, ca->name);
}
