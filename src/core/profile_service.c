/*
 * What a profile grants to the CA itself, without a request: CA, OCSP and server certificates. The
 * names come from the profile and the caller, never from a stranger.
 */
#include <stdio.h>
#include <string.h>

#include "grant.h"
#include "smki/name.h"

/* The profile's fixed subject with the label in it. */
static int
grant_fixed_subject(
    const struct profile *profile, const char *label, struct grant *g, struct err *err)
{
	struct buf subject = { 0 };
	size_t seq = der_open(&subject, DER_SEQUENCE);
	int r = -1;

	for (size_t i = 0; i < profile->n_subject; i++) {
		const struct profile_attr *attr = &profile->subject[i];
		const char *percent = strchr(attr->value, '%');
		int head = percent != NULL ? (int)(percent - attr->value)
					   : (int)strlen(attr->value);
		char text[PROFILE_TEXT_MAX + NAME_LEN];
		struct span value = { (const uint8_t *)text, 0 };

		value.len = (size_t)snprintf(text, sizeof(text), "%.*s%s%s", head, attr->value,
		    percent != NULL ? label : "", percent != NULL ? percent + 2 : "");
		if (value.len > NAME_VALUE_MAX || name_string_tag(value) == 0) {
			err_set(err, FAIL_INVALID,
			    "profile %s: RFC 5280 A.1: subject attribute %s is over 64 octets",
			    profile->name, attr->type.text);
			goto out;
		}
		name_attr_put(
		    &subject, (enum name_type)attr->type.octets[2], name_string_tag(value), value);
	}
	der_close(&subject, seq);
	r = grant_store(
	    profile->name, &subject, g->subject, sizeof(g->subject), &g->subject_len, err);
out:
	buf_free(&subject);
	return r;
}

static int
grant_service_server(const struct profile *profile, const char *const *names, size_t n_names,
    struct grant *g, struct err *err)
{
	struct host hosts[SAN_NAMES_MAX];

	if (n_names == 0 || n_names > SAN_NAMES_MAX)
		return err_set(err, FAIL_INVALID,
		    "profile %s: RFC 5280 4.2.1.6: %zu names given, a server has 1 to %d",
		    profile->name, n_names, SAN_NAMES_MAX);
	for (size_t i = 0; i < n_names; i++)
		if (host_from_text(names[i], strlen(names[i]), &hosts[i]) != 0)
			return err_set(err, FAIL_INVALID,
			    "profile %s: RFC 5280 4.2.1.6: \"%.80s\" is not a host name or an "
			    "address",
			    profile->name, names[i]);
	g->use = USE_SERVER;
	return grant_server_names(profile->name, hosts, n_names, g, err);
}

int
profile_grant_service(const struct profile *profile, const char *label, const char *const *names,
    size_t n_names, const struct ec_pub *pub, struct grant *out, struct err *err)
{
	struct grant g = { 0 };
	const char *holder = "ca:";

	if (grant_key(profile, "key", pub, &g, err) != 0)
		return -1;
	g.key_usage = profile->key_usage;
	g.holder.kind = HOLDER_SERVICE;
	switch (profile->kind) {
	case PROFILE_ROOT_CA:
	case PROFILE_ISSUING_CA:
		g.use = USE_CA;
		break;
	case PROFILE_OCSP:
		g.use = USE_OCSP;
		/* One responder key answers for all CAs: its holder is the responder, not a CA. */
		holder = "ocsp";
		break;
	case PROFILE_SERVER:
		grant_subject_empty(&g);
		if (grant_service_server(profile, names, n_names, &g, err) != 0)
			return -1;
		*out = g;
		return 0;
	case PROFILE_ORGANISATION:
	case PROFILE_DEVICE:
		return err_set(err, FAIL_DENIED, "profile %s: kind %s needs a request",
		    profile->name, profile_kind_str(profile->kind));
	}
	if (name_check("ca", label, err) != 0 || grant_fixed_subject(profile, label, &g, err) != 0)
		return -1;
	g.holder.name_len = (size_t)snprintf((char *)g.holder.name, sizeof(g.holder.name), "%s%s",
	    holder, profile->kind == PROFILE_OCSP ? "" : label);
	*out = g;
	return 0;
}
