/*
 * The words of refusals. They stand in databases: none is ever changed.
 */
#include "smki/refusal.h"

const char *
refusal_str(enum refusal reason)
{
	switch (reason) {
	case REFUSAL_NONE:
	case REFUSALS:
		break;
	case REFUSAL_REQUEST:
		return "request";
	case REFUSAL_CREDENTIAL:
		return "no-credential";
	case REFUSAL_CERTIFICATE:
		return "certificate";
	case REFUSAL_ANCHOR:
		return "anchor";
	case REFUSAL_MANUFACTURER:
		return "manufacturer";
	case REFUSAL_STATE:
		return "certificate-state";
	case REFUSAL_UNREGISTERED:
		return "unregistered";
	case REFUSAL_HELD:
		return "held";
	case REFUSAL_RETIRED:
		return "retired";
	case REFUSAL_IDENTITY:
		return "identity";
	case REFUSAL_SECRET:
		return "secret-wrong";
	case REFUSAL_SECRET_USED:
		return "secret-used";
	case REFUSAL_PROOF:
		return "proof";
	case REFUSAL_SIGNATURE:
		return "signature";
	case REFUSAL_TIME:
		return "time";
	case REFUSAL_PROFILE:
		return "profile";
	case REFUSAL_CONFLICT:
		return "conflict";
	case REFUSAL_QUOTA:
		return "quota";
	case REFUSAL_CEILING:
		return "ceiling";
	case REFUSAL_SCOPE:
		return "scope";
	case REFUSAL_FORM:
		return "form";
	}
	return "";
}
