/*
 * What a profile grants to a device for which the service makes the key: nobody asks with a
 * request, so the register says who the device is, and the profile all else.
 */
#include "grant.h"
#include "profile_rules.h"

int
profile_grant_device(const struct profile *profile, const struct eui64 *eui, const char *hw_type,
    const struct ec_pub *pub, struct grant *out, struct err *err)
{
	struct grant g = { 0 };
	uint8_t oid[OID_DER_MAX];
	size_t oid_len;

	if (profile->kind != PROFILE_DEVICE)
		return err_set(err, FAIL_DENIED, "profile %s: kind %s is not for devices",
		    profile->name, profile_kind_str(profile->kind));
	if (profile->key_usage_choice || !profile_one_usage(profile->key_usage))
		return err_set(err, FAIL_INVALID,
		    "profile %s: RFC 5280 4.2.1.3: key_usage is not a single one: only a request "
		    "can choose",
		    profile->name);
	if (oid_from_text(hw_type, oid, &oid_len) != 0)
		return err_set(err, FAIL_INVALID,
		    "device: RFC 4108 5: hwType \"%.80s\" is not an object identifier", hw_type);
	if (grant_key(profile, "key", pub, &g, err) != 0)
		return -1;
	grant_subject_empty(&g);
	grant_end_entity(profile->key_usage, &g);
	if (grant_module(profile, "device", (struct span){ oid, oid_len },
		(struct span){ eui->octets, EUI64_LEN }, &g, err) != 0)
		return -1;
	*out = g;
	return 0;
}
