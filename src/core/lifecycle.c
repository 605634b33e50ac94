/*
 * The life cycle of a certificate as a table of states and actions, and the names of states,
 * actions and reasons. It must not know who asks or where states are kept.
 */
#include <ctype.h>
#include <string.h>

#include "smki/der.h"
#include "smki/lifecycle.h"
#include "smki/mem.h"

static const struct {
	enum crl_reason reason;
	const char *name;
} reasons[] = {
	{ REASON_UNSPECIFIED, "unspecified" },
	{ REASON_KEY_COMPROMISE, "keyCompromise" },
	{ REASON_CA_COMPROMISE, "cACompromise" },
	{ REASON_AFFILIATION_CHANGED, "affiliationChanged" },
	{ REASON_SUPERSEDED, "superseded" },
	{ REASON_CESSATION_OF_OPERATION, "cessationOfOperation" },
	{ REASON_CERTIFICATE_HOLD, "certificateHold" },
	{ REASON_REMOVE_FROM_CRL, "removeFromCRL" },
	{ REASON_PRIVILEGE_WITHDRAWN, "privilegeWithdrawn" },
	{ REASON_AA_COMPROMISE, "aACompromise" },
};

static const enum cert_state states[] = { CERT_VALID, CERT_HOLD, CERT_REVOKED };

/* What an operator may give with a revocation (RFC 5280 5.3.1, 5.3.2). */
static int
lifecycle_check_revoke(const struct change *wanted, time_t now, struct err *err)
{
	char since[TIME_TEXT_LEN];

	switch (wanted->reason) {
	case REASON_UNSPECIFIED:
	case REASON_KEY_COMPROMISE:
	case REASON_CA_COMPROMISE:
	case REASON_AFFILIATION_CHANGED:
	case REASON_SUPERSEDED:
	case REASON_CESSATION_OF_OPERATION:
	case REASON_PRIVILEGE_WITHDRAWN:
	case REASON_AA_COMPROMISE:
		break;
	case REASON_CERTIFICATE_HOLD:
	case REASON_REMOVE_FROM_CRL:
		return err_set(err, FAIL_INVALID,
		    "revoke: RFC 5280 5.3.1: reason %s is not for a revocation",
		    reason_str(wanted->reason));
	}
	/* A number from outside need not be one of the enumeration. */
	if (strcmp(reason_str(wanted->reason), "?") == 0)
		return err_set(err, FAIL_INVALID, "revoke: RFC 5280 5.3.1: no reason has number %d",
		    (int)wanted->reason);
	if (wanted->invalid_since < 0)
		return err_set(
		    err, FAIL_INVALID, "revoke: RFC 5280 5.3.2: invalidity date is before 1970");
	if (wanted->invalid_since > now) {
		time_text(wanted->invalid_since, since);
		return err_set(err, FAIL_INVALID,
		    "revoke: RFC 5280 5.3.2: invalidity date %s is in the future", since);
	}
	return 0;
}

static int
lifecycle_refuse(const struct state_now *is, const struct change *wanted, struct err *err)
{
	return err_set(err, FAIL_CONFLICT, "certificate: state %s allows no %s",
	    state_str(is->state), action_str(wanted->action));
}

/* ETSI EN 319 411-1 6.3.9: a revocation is final; so are its reason and date. */
static int
lifecycle_revoke_again(const struct state_now *is, const struct change *wanted, struct err *err)
{
	char since[TIME_TEXT_LEN];

	if (wanted->reason != REASON_UNSPECIFIED && wanted->reason != is->reason)
		return err_set(err, FAIL_CONFLICT,
		    "certificate: revoked already for %s: the reason is not rewritten",
		    reason_str(is->reason));
	if (wanted->invalid_since != 0 && wanted->invalid_since != is->invalid_since) {
		time_text(is->invalid_since, since);
		return err_set(err, FAIL_CONFLICT,
		    "certificate: revoked already with %s%s: the invalidity date is not rewritten",
		    is->invalid_since != 0 ? "invalidity date " : "no invalidity date",
		    is->invalid_since != 0 ? since : "");
	}
	return 0;
}

/* The state that the action leads to, the present one included. */
static int
lifecycle_target(const struct state_now *is, const struct change *wanted, time_t now,
    enum cert_state *to, struct err *err)
{
	switch (wanted->action) {
	case ACTION_HOLD:
		if (is->state == CERT_REVOKED)
			return lifecycle_refuse(is, wanted, err);
		*to = CERT_HOLD;
		return 0;
	case ACTION_REACTIVATE:
		if (is->state == CERT_REVOKED)
			return lifecycle_refuse(is, wanted, err);
		*to = CERT_VALID;
		return 0;
	case ACTION_REVOKE:
		if (lifecycle_check_revoke(wanted, now, err) == -1)
			return -1;
		if (is->state == CERT_REVOKED && lifecycle_revoke_again(is, wanted, err) == -1)
			return -1;
		*to = CERT_REVOKED;
		return 0;
	}
	return err_set(
	    err, FAIL_INVALID, "certificate: no action has number %d", (int)wanted->action);
}

int
lifecycle_next(const struct state_now *is, const struct change *wanted, time_t now,
    enum cert_state *next, bool *already, struct err *err)
{
	enum cert_state to = is->state;

	if (lifecycle_target(is, wanted, now, &to, err) == -1)
		return -1;
	*next = to;
	*already = to == is->state;
	return 0;
}

const char *
state_str(enum cert_state state)
{
	switch (state) {
	case CERT_VALID:
		return "valid";
	case CERT_HOLD:
		return "hold";
	case CERT_REVOKED:
		return "revoked";
	}
	return "?";
}

const char *
action_str(enum cert_action action)
{
	switch (action) {
	case ACTION_HOLD:
		return "hold";
	case ACTION_REACTIVATE:
		return "reactivate";
	case ACTION_REVOKE:
		return "revoke";
	}
	return "?";
}

const char *
reason_str(enum crl_reason reason)
{
	for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
		if (reasons[i].reason == reason)
			return reasons[i].name;
	return "?";
}

int
state_parse(const char *text, enum cert_state *out, struct err *err)
{
	for (size_t i = 0; i < ARRAY_LEN(states); i++)
		if (strcmp(text, state_str(states[i])) == 0) {
			*out = states[i];
			return 0;
		}
	return err_set(err, FAIL_INVALID, "state: \"%s\" is none of valid, hold, revoked", text);
}

/* 1 when text is name but for case, '-' and '_'. */
static int
reason_same(const char *text, const char *name)
{
	for (;; text++) {
		if (*text == '-' || *text == '_')
			continue;
		if (tolower((unsigned char)*text) != tolower((unsigned char)*name))
			return 0;
		if (*text == '\0')
			return 1;
		name++;
	}
}

int
reason_parse(const char *text, enum crl_reason *out, struct err *err)
{
	for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
		if (reason_same(text, reasons[i].name)) {
			*out = reasons[i].reason;
			return 0;
		}
	return err_set(err, FAIL_INVALID,
	    "reason: RFC 5280 5.3.1: \"%s\" is no reason; for example keyCompromise, superseded",
	    text);
}
