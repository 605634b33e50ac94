/*
 * What a profile grants to a request. An allow-list match, field by field:
 * every octet of a grant is encoded here from a checked value, none is passed through.
 * No judgement about who the requester is: that is the issuing service's.
 */
#include <stdio.h>
#include <string.h>

#include "grant.h"
#include "profile_rules.h"
#include "smki/ext.h"
#include "smki/mem.h"
#include "smki/name.h"

static void
grant_oid_text(struct span oid, char out[OID_TEXT_LEN])
{
	if (oid_to_text(oid, out) != 0)
		strcpy(out, "(over-long OID)");
}

static const struct extlist_item *
grant_ext(const struct csr *csr, enum ext_id id)
{
	struct span oid = ext_oid(id);

	return csr_ext(csr, oid.p, oid.len);
}

/* Nothing is asked for but these extensions; EXT_UNKNOWN ends the list. */
static int
grant_only(const struct profile *profile, const struct csr *csr, const enum ext_id *allowed,
    struct err *err)
{
	char text[OID_TEXT_LEN];

	for (size_t i = 0; i < csr->n_ext; i++) {
		enum ext_id id = ext_find(csr->ext[i].oid);
		const enum ext_id *a = allowed;

		while (*a != EXT_UNKNOWN && *a != id)
			a++;
		if (*a != EXT_UNKNOWN)
			continue;
		grant_oid_text(csr->ext[i].oid, text);
		return err_set(err, FAIL_INVALID,
		    "csr: RFC 5280 4.2: extension %s is not allowed by profile %s", text,
		    profile->name);
	}
	return 0;
}

static int
grant_need_request(const struct csr *csr, struct err *err)
{
	if (!csr->has_ext_request)
		return err_set(err, FAIL_INVALID,
		    "csr: RFC 2985 5.4.2: extensionRequest attribute is missing");
	return 0;
}

/* The requested bits; *found false when the request has none. */
static int
grant_usage_get(const struct csr *csr, bool *found, unsigned *bits, struct err *err)
{
	const struct extlist_item *ext = grant_ext(csr, EXT_KEY_USAGE);

	*found = ext != NULL;
	if (ext != NULL && ext_key_usage_get(ext->value, bits) != 0)
		return err_set(err, FAIL_INVALID,
		    "csr: RFC 5280 4.2.1.3: keyUsage is not a DER named bit list with a bit set");
	return 0;
}

/* Requested keyUsage against the profile's bits: all of them, or one of them by choice. */
static int
grant_usage_match(const struct profile *profile, unsigned bits, struct err *err)
{
	char got[EXT_USAGE_TEXT_LEN], want[EXT_USAGE_TEXT_LEN];
	bool ok = profile->key_usage_choice
		      ? profile_one_usage(bits) && (bits & profile->key_usage) != 0
		      : bits == profile->key_usage;

	if (ok)
		return 0;
	ext_key_usage_text(bits, got);
	ext_key_usage_text(profile->key_usage, want);
	return err_set(err, FAIL_INVALID,
	    "csr: RFC 5280 4.2.1.3: keyUsage is %s, profile %s allows %s%s", got, profile->name,
	    profile->key_usage_choice ? "one of " : "", want);
}

/* keyUsage of an end entity that asks for it, and what its key is then for. */
static int
grant_usage(const struct profile *profile, const struct csr *csr, struct grant *g, struct err *err)
{
	unsigned bits = 0;
	bool found;

	if (grant_usage_get(csr, &found, &bits, err) != 0)
		return -1;
	if (!found)
		return err_set(err, FAIL_INVALID, "csr: RFC 5280 4.2.1.3: keyUsage is missing");
	if (grant_usage_match(profile, bits, err) != 0)
		return -1;
	grant_end_entity(bits, g);
	return 0;
}

/* RFC 4108 5 and GBCS 12: who the device is. */
static int
grant_hardware(
    const struct profile *profile, const struct csr *csr, struct grant *g, struct err *err)
{
	const struct extlist_item *ext = grant_ext(csr, EXT_SAN);
	struct span type, serial;
	struct der d, names;

	if (ext == NULL)
		return err_set(
		    err, FAIL_INVALID, "csr: RFC 5280 4.2.1.6: subjectAltName is missing");
	d = der_from(ext->value.p, ext->value.len);
	if (der_get(&d, DER_SEQUENCE, &names) != 0 || !der_end(&d) ||
	    der_get_any(&names, NULL, NULL, NULL) != 0 || !der_end(&names))
		return err_set(err, FAIL_INVALID,
		    "csr: RFC 5280 4.2.1.6: subjectAltName does not hold exactly one name");
	if (ext_hardware_get(ext->value, &type, &serial) != 0)
		return err_set(err, FAIL_INVALID,
		    "csr: RFC 4108 5: subjectAltName is not an otherName HardwareModuleName");
	return grant_module(profile, "csr", type, serial, g, err);
}

static int
grant_device(const struct profile *profile, const struct csr *csr, struct grant *g, struct err *err)
{
	static const enum ext_id allowed[] = { EXT_KEY_USAGE, EXT_SAN, EXT_UNKNOWN };

	if (!name_empty(csr->subject))
		return err_set(
		    err, FAIL_INVALID, "csr: RFC 5280 4.1.2.6: a device's subject is not empty");
	grant_subject_empty(g);
	if (grant_need_request(csr, err) != 0 || grant_only(profile, csr, allowed, err) != 0 ||
	    grant_usage(profile, csr, g, err) != 0 || grant_hardware(profile, csr, g, err) != 0)
		return -1;
	return 0;
}

/* A string attribute as it may stand in a subject: 1, or 0. */
static int
grant_text_ok(const struct name_attr *attr)
{
	return (attr->tag == DER_PRINTABLE || attr->tag == DER_UTF8) && attr->value.len > 0 &&
	       attr->value.len <= NAME_VALUE_MAX;
}

/* A role code: two hexadecimal digits, on the profile's list. */
static int
grant_role(const struct profile *profile, const struct name_attr *ou, struct err *err)
{
	char digits[3] = "";
	unsigned role;

	if (!grant_text_ok(ou) || ou->value.len != 2)
		return err_set(err, FAIL_INVALID,
		    "csr: SEC App. M F: OU is not a role code of two hexadecimal digits");
	memcpy(digits, ou->value.p, 2);
	if (strspn(digits, "0123456789abcdefABCDEF") != 2)
		return err_set(err, FAIL_INVALID,
		    "csr: SEC App. M F: OU is not a role code of two hexadecimal digits");
	sscanf(digits, "%2x", &role);
	for (size_t i = 0; i < profile->n_roles; i++)
		if (profile->roles[i] == role)
			return 0;
	return err_set(err, FAIL_INVALID, "csr: SEC App. M F: role %s is not one of profile %s",
	    digits, profile->name);
}

/* Subject [CN] OU x500UniqueIdentifier, one attribute an RDN, in this order. */
static int
grant_organisation_name(const struct profile *profile, const struct csr *csr, struct buf *subject,
    struct holder *holder, struct err *err)
{
	static const char shape[] =
	    "csr: SEC App. M F: subject is not [CN] OU x500UniqueIdentifier";
	struct name_cursor c;
	struct name_attr a[3];
	size_t n = 0, at = 0, seq;
	int got;

	if (name_open(csr->subject, &c) != 0)
		return err_set(err, FAIL_INVALID, "csr: RFC 5280 4.1.2.4: subject is not a Name");
	while (n < ARRAY_LEN(a) && (got = name_get(&c, &a[n])) != 0) {
		if (got < 0)
			return err_set(err, FAIL_INVALID,
			    "csr: RFC 5280 4.1.2.4: a subject attribute is malformed");
		if (a[n++].joined)
			return err_set(err, FAIL_INVALID, "%s", shape);
	}
	if (n < 2 || !der_end(&c.rdns) || !der_end(&c.rdn))
		return err_set(err, FAIL_INVALID, "%s", shape);
	if (n == 3 && !name_is(&a[at++], NAME_CN))
		return err_set(err, FAIL_INVALID, "%s", shape);
	if (!name_is(&a[at], NAME_OU) || !name_is(&a[at + 1], NAME_UNIQUE_ID))
		return err_set(err, FAIL_INVALID, "%s", shape);
	if (n == 3 && !grant_text_ok(&a[0]))
		return err_set(
		    err, FAIL_INVALID, "csr: RFC 5280 A.1: CN is not a string of 1 to 64 octets");
	if (grant_role(profile, &a[at], err) != 0)
		return -1;
	if (a[at + 1].tag != DER_BIT_STRING || a[at + 1].value.len != 1 + EUI64_LEN ||
	    a[at + 1].value.p[0] != 0)
		return err_set(err, FAIL_INVALID,
		    "csr: SEC App. M F: x500UniqueIdentifier is not a BIT STRING of an EUI-64");
	seq = der_open(subject, DER_SEQUENCE);
	if (n == 3)
		name_attr_put(subject, NAME_CN, a[0].tag, a[0].value);
	name_attr_put(subject, NAME_OU, a[at].tag, a[at].value);
	name_attr_put(subject, NAME_UNIQUE_ID, DER_BIT_STRING, a[at + 1].value);
	der_close(subject, seq);
	holder->kind = HOLDER_ORGANISATION;
	memcpy(holder->name, a[at + 1].value.p + 1, EUI64_LEN);
	holder->name_len = EUI64_LEN;
	return 0;
}

static int
grant_organisation(
    const struct profile *profile, const struct csr *csr, struct grant *g, struct err *err)
{
	static const enum ext_id allowed[] = { EXT_KEY_USAGE, EXT_UNKNOWN };
	struct buf subject = { 0 };
	int r = -1;

	if (grant_organisation_name(profile, csr, &subject, &g->holder, err) != 0 ||
	    grant_store("csr: subject", &subject, g->subject, sizeof(g->subject), &g->subject_len,
		err) != 0 ||
	    grant_need_request(csr, err) != 0 || grant_only(profile, csr, allowed, err) != 0 ||
	    grant_usage(profile, csr, g, err) != 0)
		goto out;
	r = 0;
out:
	buf_free(&subject);
	return r;
}

static int
grant_server_san(
    const struct csr *csr, struct host hosts[SAN_NAMES_MAX], size_t *n, struct err *err)
{
	const struct extlist_item *ext = grant_ext(csr, EXT_SAN);
	struct der d, names;

	if (ext == NULL)
		return err_set(
		    err, FAIL_INVALID, "csr: RFC 5280 4.2.1.6: subjectAltName is missing");
	d = der_from(ext->value.p, ext->value.len);
	if (der_get(&d, DER_SEQUENCE, &names) != 0 || !der_end(&d) || der_end(&names))
		return err_set(err, FAIL_INVALID,
		    "csr: RFC 5280 4.2.1.6: subjectAltName is not a list of names");
	for (*n = 0; !der_end(&names); (*n)++) {
		if (*n == SAN_NAMES_MAX)
			return err_set(err, FAIL_INVALID,
			    "csr: size limit: subjectAltName has more than %d names",
			    SAN_NAMES_MAX);
		if (host_get(&names, &hosts[*n]) != 0)
			return err_set(err, FAIL_INVALID,
			    "csr: RFC 5280 4.2.1.6: name %zu of subjectAltName is not a host name "
			    "or an address",
			    *n + 1);
	}
	return 0;
}

/* Subject empty, or one CN that is one of the names. */
static int
grant_server_subject(
    const struct csr *csr, const struct host *hosts, size_t n, struct grant *g, struct err *err)
{
	struct name_cursor c;
	struct name_attr cn;
	struct host host;
	struct buf subject = { 0 };
	size_t i = 0, seq;
	int r;

	grant_subject_empty(g);
	if (name_empty(csr->subject))
		return 0;
	if (name_open(csr->subject, &c) != 0 || name_get(&c, &cn) != 1 || !name_is(&cn, NAME_CN) ||
	    !grant_text_ok(&cn) || !der_end(&c.rdn) || !der_end(&c.rdns))
		return err_set(err, FAIL_INVALID,
		    "csr: RFC 5280 4.1.2.6: a server's subject is neither empty nor one CN");
	if (host_from_text((const char *)cn.value.p, cn.value.len, &host) == 0)
		while (i < n && !host_eq(&host, &hosts[i]))
			i++;
	else
		i = n;
	if (i == n)
		return err_set(err, FAIL_INVALID,
		    "csr: RFC 5280 4.1.2.6: CN is not one of the names in subjectAltName");
	seq = der_open(&subject, DER_SEQUENCE);
	name_attr_put(&subject, NAME_CN, cn.tag, cn.value);
	der_close(&subject, seq);
	r = grant_store(
	    "csr: subject", &subject, g->subject, sizeof(g->subject), &g->subject_len, err);
	buf_free(&subject);
	return r;
}

/* A requested extKeyUsage names exactly the profile's purposes, in any order. */
static int
grant_purposes(const struct profile *profile, const struct csr *csr, struct err *err)
{
	const struct extlist_item *ext = grant_ext(csr, EXT_EKU);
	bool seen[PROFILE_LIST_MAX] = { false };
	struct der d, list;
	struct span oid;
	size_t n = 0, i;

	if (ext == NULL)
		return 0;
	d = der_from(ext->value.p, ext->value.len);
	if (der_get(&d, DER_SEQUENCE, &list) != 0 || !der_end(&d))
		return err_set(err, FAIL_INVALID,
		    "csr: RFC 5280 4.2.1.12: extKeyUsage is not a list of purposes");
	while (der_get_oid(&list, &oid) == 0) {
		for (i = 0; i < profile->n_eku; i++)
			if (!seen[i] && oid.len == profile->eku[i].len &&
			    memcmp(oid.p, profile->eku[i].octets, oid.len) == 0)
				break;
		if (i == profile->n_eku)
			goto bad;
		seen[i] = true;
		n++;
	}
	if (n == profile->n_eku && der_end(&list))
		return 0;
bad:
	return err_set(err, FAIL_INVALID,
	    "csr: RFC 5280 4.2.1.12: extKeyUsage is not that of profile %s", profile->name);
}

static int
grant_server(const struct profile *profile, const struct csr *csr, struct grant *g, struct err *err)
{
	static const enum ext_id allowed[] = { EXT_KEY_USAGE, EXT_EKU, EXT_SAN, EXT_UNKNOWN };
	struct host hosts[SAN_NAMES_MAX];
	unsigned bits = 0;
	size_t n = 0;
	bool found;

	if (grant_need_request(csr, err) != 0 || grant_only(profile, csr, allowed, err) != 0 ||
	    grant_usage_get(csr, &found, &bits, err) != 0 ||
	    (found && grant_usage_match(profile, bits, err) != 0) ||
	    grant_purposes(profile, csr, err) != 0 || grant_server_san(csr, hosts, &n, err) != 0 ||
	    grant_server_subject(csr, hosts, n, g, err) != 0 ||
	    grant_server_names("csr: subjectAltName", hosts, n, g, err) != 0)
		return -1;
	g->key_usage = profile->key_usage;
	g->use = USE_SERVER;
	return 0;
}

int
profile_grant(
    const struct profile *profile, const struct csr *csr, struct grant *out, struct err *err)
{
	struct grant g = { 0 };
	int r = -1;

	if (grant_key(profile, "csr", &csr->pub, &g, err) != 0)
		return -1;
	switch (profile->kind) {
	case PROFILE_DEVICE:
		r = grant_device(profile, csr, &g, err);
		break;
	case PROFILE_ORGANISATION:
		r = grant_organisation(profile, csr, &g, err);
		break;
	case PROFILE_SERVER:
		r = grant_server(profile, csr, &g, err);
		break;
	case PROFILE_OCSP:
	case PROFILE_ROOT_CA:
	case PROFILE_ISSUING_CA:
		return err_set(err, FAIL_DENIED,
		    "profile %s: kind %s is made by the ceremony verbs only", profile->name,
		    profile_kind_str(profile->kind));
	}
	if (r == 0)
		*out = g;
	return r;
}

int
profile_pick(const struct csr *csr, const char **name, struct err *err)
{
	unsigned bits = 0;
	bool found;

	if (grant_usage_get(csr, &found, &bits, err) != 0)
		return -1;
	if (!found)
		return err_set(err, FAIL_INVALID,
		    "csr: RFC 5280 4.2.1.3: keyUsage is missing; name a profile");
	if (bits != KEY_USAGE_DIGITAL_SIGNATURE && bits != KEY_USAGE_KEY_AGREEMENT)
		return err_set(err, FAIL_INVALID,
		    "csr: RFC 5280 4.2.1.3: keyUsage is not exactly one of digitalSignature and "
		    "keyAgreement; name a profile");
	*name = bits == KEY_USAGE_DIGITAL_SIGNATURE ? "device-signature" : "device-agreement";
	return 0;
}
