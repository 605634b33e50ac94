/*
 * Which values of a profile contradict each other or a clause. It sees a profile that was read and
 * nothing else; profile.c reads.
 */
#include <string.h>

#include "profile_rules.h"

/* A certificate whose revocation nobody checks must be short-lived (RFC 6960 4.2.2.2.1). */
#define PROFILE_NOCHECK_MAX (92L * 86400)

bool
profile_has_oid(const struct profile_oid *list, size_t n, const char *text)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(list[i].text, text) == 0)
			return true;
	return false;
}

bool
profile_one_usage(unsigned bits)
{
	return bits != 0 && (bits & (bits - 1)) == 0;
}

static bool
profile_is_ca(const struct profile *p)
{
	return p->kind == PROFILE_ROOT_CA || p->kind == PROFILE_ISSUING_CA;
}

/* What the bits and purposes demand of each other. NULL, or the clause and the finding. */
static const char *
profile_check_usage(const struct profile *p)
{
	const unsigned ca_bits = KEY_USAGE_KEY_CERT_SIGN | KEY_USAGE_CRL_SIGN;
	bool ca = profile_is_ca(p), ocsp = p->kind == PROFILE_OCSP;

	if ((p->key_usage & KEY_USAGE_KEY_CERT_SIGN) && !p->ca)
		return "RFC 5280 4.2.1.9: keyCertSign without basic_constraints = ca";
	if (p->ca != ca)
		return "RFC 5280 4.2.1.9: basic_constraints = ca and the kind contradict each "
		       "other";
	if (ca && (p->key_usage & ca_bits) != ca_bits)
		return "RFC 5759 4.5: a CA needs keyCertSign and cRLSign";
	if (!ca && (p->key_usage & KEY_USAGE_CRL_SIGN))
		return "RFC 5280 4.2.1.3: cRLSign is for CAs";
	if (ca && (p->key_usage & KEY_USAGE_KEY_AGREEMENT))
		return "RFC 5480 3: a CA key does no keyAgreement";
	if (p->key_usage_choice && p->kind != PROFILE_DEVICE && p->kind != PROFILE_ORGANISATION)
		return "key_usage with '|' is for device and organisation";
	if ((p->kind == PROFILE_SERVER || ocsp) && !(p->key_usage & KEY_USAGE_DIGITAL_SIGNATURE))
		return "RFC 5280 4.2.1.3: this kind signs and needs digitalSignature";
	if (ocsp != profile_has_oid(p->eku, p->n_eku, PROFILE_OCSP_SIGNING))
		return "RFC 6960 4.2.2.2: OCSPSigning is for kind ocsp, and it needs it";
	if (p->kind == PROFILE_SERVER && !profile_has_oid(p->eku, p->n_eku, PROFILE_SERVER_AUTH))
		return "RFC 5280 4.2.1.12: kind server needs serverAuth";
	if (p->eku_critical && p->n_eku == 0)
		return "RFC 5280 4.2.1.12: extended_key_usage_critical without extended_key_usage";
	if (p->policies_critical && p->n_policies == 0)
		return "RFC 5280 4.2.1.4: policies_critical without policies";
	return NULL;
}

/* What belongs to one kind and to no other. */
static const char *
profile_check_kind(const struct profile *p)
{
	bool named = profile_is_ca(p) || p->kind == PROFILE_OCSP;

	if (named && p->n_subject == 0)
		return "RFC 5280 4.1.2.6: this kind needs a [subject]";
	if (!named && p->n_subject != 0)
		return "[subject] is for CAs and ocsp: the request or the names say who it is";
	if ((p->kind == PROFILE_DEVICE) != (p->n_hw_arcs != 0))
		return "RFC 4108 5: hw_type_arcs is for kind device, and it needs it";
	if (p->kind != PROFILE_DEVICE && p->n_ouis != 0)
		return "eui64_ouis is for kind device";
	if ((p->kind == PROFILE_ORGANISATION) != (p->n_roles != 0))
		return "role_codes is for kind organisation, and it needs it";
	if (p->ocsp_nocheck && p->kind != PROFILE_OCSP)
		return "RFC 6960 4.2.2.2.1: ocsp_nocheck is for kind ocsp";
	if (p->ocsp_nocheck && (p->no_expiry || p->validity > PROFILE_NOCHECK_MAX))
		return "RFC 6960 4.2.2.2.1: with ocsp_nocheck validity is at most 92d";
	if (p->cdp_shard && p->kind != PROFILE_DEVICE && p->kind != PROFILE_ORGANISATION)
		return "crl_distribution_point = shard is for kinds device and organisation";
	if (p->ocsp_nocheck && (p->cdp || p->aia_ocsp || p->aia_ca))
		return "RFC 9919 3.2.2: with ocsp_nocheck no CRL or OCSP pointers";
	if (p->kind == PROFILE_ROOT_CA && (p->cdp || p->aia_ocsp || p->aia_ca))
		return "RFC 5280 6.1: a root is trusted as it stands and has no CRL or OCSP "
		       "pointers";
	return NULL;
}

/* What devices may do by themselves. */
static const char *
profile_check_enrol(const struct profile *p)
{
	if (p->kind != PROFILE_DEVICE) {
		if (p->enrol)
			return "enrol is for kind device";
		if (p->server_key)
			return "server_keygen is for kind device";
		return p->scopes[0] != '\0' ? "scopes is for kind device" : NULL;
	}
	if (p->server_key && !p->enrol)
		return "RFC 7030 4.4: server_keygen needs enrol = yes";
	if (p->server_key && (p->key_usage_choice || !profile_one_usage(p->key_usage)))
		return "RFC 7030 4.4: server_keygen needs exactly one key_usage";
	/* Every certificate of the profile must be one for TLS with signatures. */
	if (p->scopes[0] != '\0' &&
	    (p->key_usage_choice || !(p->key_usage & KEY_USAGE_DIGITAL_SIGNATURE)))
		return "RFC 8705 3: scopes needs key_usage = digitalSignature";
	return NULL;
}

const char *
profile_contradiction(const struct profile *profile)
{
	const char *finding;

	if ((finding = profile_check_usage(profile)) != NULL ||
	    (finding = profile_check_kind(profile)) != NULL)
		return finding;
	return profile_check_enrol(profile);
}
