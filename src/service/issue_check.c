/*
 * What profiles and CAs must be for certificates to come of them, whatever is asked for. No
 * database, no token.
 */
#include "issue_rules.h"
#include "smki/issue.h"

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

int
issue_pick_profile(
    const struct profiles *profiles, const char *name, const struct profile **out, struct err *err)
{
	const struct profile *profile = profiles_get(profiles, name);

	if (profile == NULL)
		return err_set(err, FAIL_NOT_FOUND, "profile %s: there is none of this name", name);
	if (!issue_check_kind(profile->kind))
		return err_set(
		    err, FAIL_DENIED, "profile %s: made by the ceremony verbs only", profile->name);
	*out = profile;
	return 0;
}

int
issue_pick_ca(const struct caset *cas, const char *name, const struct ca **out, struct err *err)
{
	const struct ca *ca;

	if (caset_pick(cas, name, &ca, err) != 0)
		return -1;
	if (ca->root)
		return err_set(
		    err, FAIL_DENIED, "ca %s: a root signs in the ceremony verbs only", ca->name);
	*out = ca;
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
