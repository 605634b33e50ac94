/*
 * What profiles and CAs must be for certificates to come of them, whatever is asked for. No
 * database, no token.
 */
#include "issue_rules.h"

int
issue_check_kind(enum profile_kind kind)
{
	switch (kind) {
	case PROFILE_SERVER:
	case PROFILE_ORGANISATION:
	case PROFILE_DEVICE:
		return 1;
	case PROFILE_ROOT_CA:
	case PROFILE_ISSUING_CA:
	case PROFILE_OCSP:
		return 0;
	}
	return 0;
}

/* Whether certificates of profile can come from ca: what cert_build_tbs would refuse each time. */
static int
issue_check_pair(const struct profile *profile, const struct ca *ca, struct err *err)
{
	const struct issuer *issuer = &ca->issuer;

	if (profile->short_key_id &&
	    (issuer->ski.len != KEY_ID_SHORT || issuer->ski.p[0] >> 4 != 0x4))
		return err_set(err, FAIL_INVALID,
		    "profile %s: RFC 5280 4.2.1.2: ca %s has no key identifier of 8 octets",
		    profile->name, ca->name);
	if ((profile->cdp && issuer->crl_uri[0] == '\0') ||
	    (profile->aia_ocsp && issuer->ocsp_uri[0] == '\0') ||
	    (profile->aia_ca && issuer->ca_uri[0] == '\0'))
		return err_set(err, FAIL_INVALID,
		    "profile %s: CRL or OCSP addresses are wanted, but smki.conf [smki] has no "
		    "url (smki init --url)",
		    profile->name);
	return 0;
}

int
issue_check_profile(const struct profile *profile, const struct caset *cas, struct err *err)
{
	struct err why;
	size_t refused = 0;

	if (!issue_check_kind(profile->kind) && profile->kind != PROFILE_OCSP)
		return 0;
	for (size_t i = 0; i < cas->n; i++) {
		if (cas->ca[i].root)
			continue;
		if (issue_check_pair(profile, &cas->ca[i], &why) == 0)
			return 0;
		refused++;
	}
	if (refused == 0)
		return 0;
	*err = why;
	return -1;
}
