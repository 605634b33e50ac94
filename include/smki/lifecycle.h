/*
 * The life cycle of a certificate: which action leads from which state to which. The database
 * holds the same table and refuses the rest (schema/README.md has the diagram).
 */
#ifndef SMKI_LIFECYCLE_H
#define SMKI_LIFECYCLE_H

#include "smki/types.h"

/* A wanted change. reason and invalid_since (0 = not given) count for ACTION_REVOKE only. */
struct change {
	enum cert_action action;
	enum crl_reason reason;
	time_t invalid_since;
};

/* What is so now. */
struct state_now {
	enum cert_state state;
	enum crl_reason reason; /* of CERT_HOLD (6) and CERT_REVOKED */
	time_t invalid_since;	/* 0 = none */
};

/*
 * The state after the change. *already is true when the state wanted is reached already (hold on
 * hold, reactivate of valid, revoke of revoked when reason and date are each the same or not
 * given): then nothing is to be done. FAIL_CONFLICT "certificate: state revoked allows no
 * reactivate" for an illegal change, and for a revoke of a revoked one with another reason or
 * date: a reason is not rewritten. FAIL_INVALID for a reason an operator may not give
 * (certificateHold, removeFromCRL), for a number that is no reason or no action, and for an
 * invalidity date after now or before 1970.
 */
int lifecycle_next(const struct state_now *is, const struct change *wanted, time_t now,
    enum cert_state *next, bool *already, struct err *err) MUST_USE;

const char *state_str(enum cert_state state);	 /* "valid", "hold", "revoked" */
const char *action_str(enum cert_action action); /* "hold", "reactivate", "revoke" */
const char *reason_str(enum crl_reason reason);	 /* RFC 5280 names: "keyCompromise" */
int state_parse(const char *text, enum cert_state *out, struct err *err) MUST_USE;
/* Case is ignored, '-' and '_' are skipped: "key-compromise" is keyCompromise. FAIL_INVALID. */
int reason_parse(const char *text, enum crl_reason *out, struct err *err) MUST_USE;

#endif
