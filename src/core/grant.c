/*
 * Parts of a grant that a request's and the service's own have in common. Encodes only what it is
 * given; what may be granted is decided by its callers.
 */
#include <stdio.h>
#include <string.h>

#include "grant.h"
#include "smki/ext.h"
#include "smki/hex.h"

int
grant_store(
    const char *what, const struct buf *b, uint8_t *out, size_t cap, size_t *len, struct err *err)
{
	if (b->len > cap)
		return err_set(
		    err, FAIL_INVALID, "%s: size limit: over %zu octets encoded", what, cap);
	memcpy(out, b->data, b->len);
	*len = b->len;
	return 0;
}

int
grant_key(const struct profile *profile, const char *object, const struct ec_pub *pub,
    struct grant *g, struct err *err)
{
	bool allowed = pub->curve == EC_P256 ? profile->curve_p256 : profile->curve_p384;

	if (!allowed)
		return err_set(err, FAIL_INVALID,
		    "%s: RFC 5480 2.1.1.1: curve %s is not one of profile %s", object,
		    ec_curve_str(pub->curve), profile->name);
	g->pub = *pub;
	return 0;
}

void
grant_subject_empty(struct grant *g)
{
	g->subject[0] = DER_SEQUENCE;
	g->subject[1] = 0;
	g->subject_len = 2;
}

int
grant_server_names(
    const char *object, const struct host *hosts, size_t n, struct grant *g, struct err *err)
{
	struct buf san = { 0 };
	size_t seq = der_open(&san, DER_SEQUENCE);
	int r;

	for (size_t i = 0; i < n; i++)
		host_put(&san, &hosts[i]);
	der_close(&san, seq);
	r = grant_store(object, &san, g->san, sizeof(g->san), &g->san_len, err);
	buf_free(&san);
	g->holder.kind = HOLDER_SERVICE;
	g->holder.name_len = (size_t)snprintf(
	    (char *)g->holder.name, sizeof(g->holder.name), "tls:%s", hosts[0].text);
	return r;
}

void
grant_end_entity(unsigned bits, struct grant *g)
{
	g->key_usage = bits;
	g->use = bits & KEY_USAGE_DIGITAL_SIGNATURE ? USE_SIGNATURE : USE_AGREEMENT;
}

/* hwType strictly under an arc: its octets begin with the arc's, which end at an arc's end. */
static bool
grant_arc_ok(const struct profile *profile, struct span type)
{
	for (size_t i = 0; i < profile->n_hw_arcs; i++)
		if (type.len > profile->hw_arcs[i].len &&
		    memcmp(type.p, profile->hw_arcs[i].octets, profile->hw_arcs[i].len) == 0)
			return true;
	return false;
}

/* The EUI-64 begins with one of the profile's OUIs, if there are any. */
static bool
grant_oui_ok(const struct profile *profile, struct span eui64)
{
	char text[2 * EUI64_LEN + 1];

	hex_encode(eui64.p, eui64.len, text);
	for (size_t i = 0; i < profile->n_ouis; i++)
		if (strncmp(text, profile->ouis[i], strlen(profile->ouis[i])) == 0)
			return true;
	return profile->n_ouis == 0;
}

int
grant_module(const struct profile *profile, const char *object, struct span hw_type,
    struct span serial, struct grant *g, struct err *err)
{
	struct buf san = { 0 };
	int r;

	if (oid_to_text(hw_type, g->holder.hw_type) != 0)
		return err_set(err, FAIL_INVALID,
		    "%s: RFC 4108 5: hwType is longer than %d characters", object,
		    OID_TEXT_LEN - 1);
	if (!grant_arc_ok(profile, hw_type))
		return err_set(err, FAIL_INVALID,
		    "%s: RFC 4108 5: hwType %s is not under an arc of profile %s", object,
		    g->holder.hw_type, profile->name);
	if (serial.len != EUI64_LEN)
		return err_set(err, FAIL_INVALID,
		    "%s: RFC 4108 5: hwSerialNum has %zu octets, an EUI-64 has 8", object,
		    serial.len);
	if (!grant_oui_ok(profile, serial))
		return err_set(err, FAIL_INVALID,
		    "%s: RFC 4108 5: hwSerialNum does not begin with an OUI of profile %s", object,
		    profile->name);
	ext_hardware_put(&san, hw_type, serial);
	r = grant_store(object, &san, g->san, sizeof(g->san), &g->san_len, err);
	buf_free(&san);
	g->holder.kind = HOLDER_DEVICE;
	memcpy(g->holder.name, serial.p, serial.len);
	g->holder.name_len = serial.len;
	return r;
}
