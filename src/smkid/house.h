/*
 * Housekeeping: CRLs and the service's own certificates when they are due, tokens that are away.
 */
#ifndef SMKID_HOUSE_H
#define SMKID_HOUSE_H

#include "smki/crlgen.h"

#include "smkid.h"

#define HOUSE_TICK_MS 1000

struct house;
struct house *house_new(struct smkid *smkid);
void house_free(struct house *house);

/* struct pool_conf's tick of the keeper pool: ctx = the house. */
void house_tick(void *ctx, struct store *reader);
/* Any thread: what failed is tried again at the next tick, without its pause. */
void house_hurry(struct house *house);
/* What is wrong with the database, the clock, the CRLs, the service's own certificates
 * or the tokens: "" = nothing. Any thread. */
void house_alarm(struct smkid *smkid, struct store *reader, char out[ERR_MSG_MAX]);
/* For crlgen_make and crlgen_publish; only the keeper's thread may call them. */
void house_crlgen(const struct smkid *smkid, struct crlgen_conf *out);

#endif
