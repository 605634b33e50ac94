/*
 * Parts of a grant that a request's and the service's own have in common. Encodes only what it is
 * given; what may be granted is decided by its callers.
 */
#include <stdio.h>
#include <string.h>

#include "grant.h"

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
