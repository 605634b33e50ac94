/*
 * What goes wrong, in one line for "smki status": the gravest first, and how many found no room.
 */
#ifndef SMKID_ALARMS_H
#define SMKID_ALARMS_H

#include "smki/caset.h"
#include "smki/store_crl.h"

struct alarms {
	char *out;   /* ERR_MSG_MAX octets, "" at first: the caller's */
	size_t more; /* that found no room */
};

/* One more, behind the graver ones; "" and what is told already are left out. */
void alarms_tell(struct alarms *alarms, const char *cause);
/* After the last of them. */
void alarms_end(struct alarms *alarms);

/* -1: the CA's list has ended, or was never made: relying parties refuse everything of this CA. */
int alarms_crl_overdue(const struct ca *ca, struct store *reader, struct err *err) MUST_USE;
/* -1: a root's list that has not ended is one that somebody should renew soon. */
int alarms_root_notice(const struct ca *ca, struct store *reader, struct err *err) MUST_USE;

#endif
