/*
 * Writing the TBSCertificate of a grant (RFC 5280 4.1), serials and validity. It signs nothing,
 * reads no clock and asks no random source but the one handed in; reading is cert_read.c's.
 */
#include <string.h>

#include "smki/cert.h"
#include "smki/ext.h"
#include "smki/mem.h"
#include "smki/name.h"

/* Chances for a first octet that is not zero: 1 in 128 misses, so a miss of all is a fault. */
#define CERT_DRAWS 32
/* What is left of CERT_DER_MAX beside headers, algorithm and signature (P-384: 108 octets). */
#define CERT_TBS_MAX (CERT_DER_MAX - 128)
/* 1950-01-01: before it no UTCTime can be written (RFC 5280 4.1.2.5.1). */
#define CERT_TIME_MIN ((time_t)-631152000)

/* id-ad-ocsp, id-ad-caIssuers: 1.3.6.1.5.5.7.48.1 and .2 */
static const uint8_t cert_ad_ocsp[] = { 0x2b, 6, 1, 5, 5, 7, 0x30, 1 };
static const uint8_t cert_ad_ca_issuers[] = { 0x2b, 6, 1, 5, 5, 7, 0x30, 2 };

int
cert_serial(long octets, int (*draw)(uint8_t *out, size_t n), struct serial *out, struct err *err)
{
	struct serial s = { 0 };

	require(octets >= 8 && octets <= SERIAL_MAX);
	s.len = (uint8_t)octets;
	if (draw(s.octets, s.len) != 0)
		return err_set(err, FAIL_UNAVAILABLE, "serial: the random source failed");
	s.octets[0] &= 0x7f;
	for (int i = 0; s.octets[0] == 0; i++) {
		if (i == CERT_DRAWS)
			return err_set(
			    err, FAIL_UNAVAILABLE, "serial: the random source gives only zeros");
		if (draw(s.octets, 1) != 0)
			return err_set(err, FAIL_UNAVAILABLE, "serial: the random source failed");
		s.octets[0] &= 0x7f;
	}
	*out = s;
	return 0;
}

int
cert_validity(const struct profile *profile, const struct issuer *issuer, time_t now,
    time_t *not_before, time_t *not_after, struct err *err)
{
	char ended[TIME_TEXT_LEN];
	time_t end = TIME_NO_EXPIRY;

	if (now < CERT_TIME_MIN || now > TIME_NO_EXPIRY - profile->validity)
		return err_set(err, FAIL_UNAVAILABLE,
		    "clock: RFC 5280 4.1.2.5: validity is outside the years 1950 to 9999");
	if (issuer != NULL && now > issuer->not_after) {
		time_text(issuer->not_after, ended);
		return err_set(err, FAIL_DENIED,
		    "ca: RFC 5280 6.1.3: its certificate ended at %s, it issues no more", ended);
	}
	if (!profile->no_expiry) {
		end = now + profile->validity - 1;
		if (issuer != NULL && end > issuer->not_after)
			end = issuer->not_after;
	}
	*not_before = now;
	*not_after = end;
	return 0;
}

/* An extension being written. */
struct cert_ext {
	size_t ext, value;
};

static struct cert_ext
cert_ext_open(struct buf *b, enum ext_id id, bool critical)
{
	struct cert_ext mark = { .ext = der_open(b, DER_SEQUENCE) };

	der_put_span(b, DER_OID, ext_oid(id));
	if (critical)
		der_put_bool(b, true);
	mark.value = der_open(b, DER_OCTET_STRING);
	return mark;
}

static void
cert_ext_close(struct buf *b, struct cert_ext mark)
{
	der_close(b, mark.value);
	der_close(b, mark.ext);
}

/* RFC 5280 4.2.1.2; out holds KEY_ID_LONG. */
static struct span
cert_key_id(const struct profile *profile, const struct ec_pub *pub, uint8_t out[KEY_ID_LONG])
{
	if (profile->short_key_id) {
		ec_key_id_short(pub, out);
		return (struct span){ out, KEY_ID_SHORT };
	}
	ec_key_id_long(pub, out);
	return (struct span){ out, KEY_ID_LONG };
}

/* AKI with keyIdentifier alone (GBCS 12), then SKI; both never critical. */
static void
cert_put_key_ids(struct buf *b, struct span aki, struct span ski)
{
	struct cert_ext mark = cert_ext_open(b, EXT_AKI, false);
	size_t seq = der_open(b, DER_SEQUENCE);

	der_put_span(b, DER_CONTEXT_PRIM(0), aki);
	der_close(b, seq);
	cert_ext_close(b, mark);
	mark = cert_ext_open(b, EXT_SKI, false);
	der_put_span(b, DER_OCTET_STRING, ski);
	cert_ext_close(b, mark);
}

static void
cert_put_policies(struct buf *b, const struct profile *profile)
{
	struct cert_ext mark;
	size_t list, info;

	if (profile->n_policies == 0)
		return;
	mark = cert_ext_open(b, EXT_POLICIES, profile->policies_critical);
	list = der_open(b, DER_SEQUENCE);
	for (size_t i = 0; i < profile->n_policies; i++) {
		info = der_open(b, DER_SEQUENCE);
		der_put(b, DER_OID, profile->policies[i].octets, profile->policies[i].len);
		der_close(b, info);
	}
	der_close(b, list);
	cert_ext_close(b, mark);
}

/* RFC 5280 4.2.1.9; an end entity has none. */
static void
cert_put_constraints(struct buf *b, const struct profile *profile)
{
	struct cert_ext mark;
	size_t seq;

	if (!profile->ca)
		return;
	mark = cert_ext_open(b, EXT_BASIC_CONSTRAINTS, true);
	seq = der_open(b, DER_SEQUENCE);
	der_put_bool(b, true);
	if (profile->path_len >= 0)
		der_put_small(b, DER_INTEGER, (unsigned long)profile->path_len);
	der_close(b, seq);
	cert_ext_close(b, mark);
}

static void
cert_put_purposes(struct buf *b, const struct profile *profile)
{
	struct cert_ext mark;
	size_t seq;

	if (profile->n_eku > 0) {
		mark = cert_ext_open(b, EXT_EKU, profile->eku_critical);
		seq = der_open(b, DER_SEQUENCE);
		for (size_t i = 0; i < profile->n_eku; i++)
			der_put(b, DER_OID, profile->eku[i].octets, profile->eku[i].len);
		der_close(b, seq);
		cert_ext_close(b, mark);
	}
	if (profile->ocsp_nocheck) {
		mark = cert_ext_open(b, EXT_NOCHECK, false);
		der_put(b, DER_NULL, NULL, 0);
		cert_ext_close(b, mark);
	}
}

static void
cert_put_uri(struct buf *b, const char *uri)
{
	der_put(b, DER_CONTEXT_PRIM(6), uri, strlen(uri));
}

/* One AccessDescription (RFC 5280 4.2.2.1). */
static void
cert_put_access(struct buf *b, const uint8_t *method, size_t len, const char *uri)
{
	size_t seq = der_open(b, DER_SEQUENCE);

	der_put(b, DER_OID, method, len);
	cert_put_uri(b, uri);
	der_close(b, seq);
}

/* CDP: one DistributionPoint with fullName of one URI (RFC 5280 4.2.1.13); AIA. */
static void
cert_put_pointers(struct buf *b, const struct profile *profile, const struct issuer *issuer)
{
	struct cert_ext mark;
	size_t list, point, name, full;

	if (profile->cdp) {
		mark = cert_ext_open(b, EXT_CDP, false);
		list = der_open(b, DER_SEQUENCE);
		point = der_open(b, DER_SEQUENCE);
		name = der_open(b, DER_CONTEXT(0));
		full = der_open(b, DER_CONTEXT(0));
		cert_put_uri(b, issuer->crl_uri);
		der_close(b, full);
		der_close(b, name);
		der_close(b, point);
		der_close(b, list);
		cert_ext_close(b, mark);
	}
	if (profile->aia_ocsp || profile->aia_ca) {
		mark = cert_ext_open(b, EXT_AIA, false);
		list = der_open(b, DER_SEQUENCE);
		if (profile->aia_ocsp)
			cert_put_access(b, cert_ad_ocsp, sizeof(cert_ad_ocsp), issuer->ocsp_uri);
		if (profile->aia_ca)
			cert_put_access(
			    b, cert_ad_ca_issuers, sizeof(cert_ad_ca_issuers), issuer->ca_uri);
		der_close(b, list);
		cert_ext_close(b, mark);
	}
}

static void
cert_put_extensions(struct buf *b, const struct profile *profile, const struct issuer *issuer,
    const struct grant *grant)
{
	uint8_t id[KEY_ID_LONG];
	struct span ski = cert_key_id(profile, &grant->pub, id);
	struct span subject = { grant->subject, grant->subject_len };
	size_t explicit3 = der_open(b, DER_CONTEXT(3)), list = der_open(b, DER_SEQUENCE);
	struct cert_ext mark;

	cert_put_key_ids(b, issuer != NULL ? issuer->ski : ski, ski);
	mark = cert_ext_open(b, EXT_KEY_USAGE, true);
	ext_key_usage_put(b, grant->key_usage);
	cert_ext_close(b, mark);
	cert_put_policies(b, profile);
	if (grant->san_len > 0) {
		/* RFC 5280 4.2.1.6: critical exactly when the name stands nowhere else. */
		mark = cert_ext_open(b, EXT_SAN, name_empty(subject));
		buf_add(b, grant->san, grant->san_len);
		cert_ext_close(b, mark);
	}
	cert_put_constraints(b, profile);
	cert_put_purposes(b, profile);
	cert_put_pointers(b, profile, issuer);
	der_close(b, list);
	der_close(b, explicit3);
}

/* What the issuer must have before this profile can be filled in. */
static int
cert_check_issuer(const struct profile *profile, const struct issuer *issuer, struct err *err)
{
	if (issuer == NULL) {
		/* profile_parse refuses pointers in a root's profile. */
		require(!profile->cdp && !profile->aia_ocsp && !profile->aia_ca);
		return 0;
	}
	if (profile->short_key_id &&
	    (issuer->ski.len != KEY_ID_SHORT || (issuer->ski.p[0] & 0xf0) != 0x40))
		return err_set(err, FAIL_INVALID,
		    "profile %s: GBCS 12: the CA's key identifier is not of method 2 (8 octets)",
		    profile->name);
	if (profile->cdp && issuer->crl_uri[0] == '\0')
		return err_set(err, FAIL_INVALID,
		    "profile %s: crl_distribution_point needs a URL: run smki init with --url",
		    profile->name);
	if ((profile->aia_ocsp && issuer->ocsp_uri[0] == '\0') ||
	    (profile->aia_ca && issuer->ca_uri[0] == '\0'))
		return err_set(err, FAIL_INVALID,
		    "profile %s: authority_information needs a URL: run smki init with --url",
		    profile->name);
	return 0;
}

int
cert_build_tbs(const struct profile *profile, const struct issuer *issuer,
    const struct grant *grant, const struct serial *serial, time_t not_before, time_t not_after,
    struct buf *tbs, struct err *err)
{
	enum ec_curve curve = issuer != NULL ? issuer->curve : grant->pub.curve;
	size_t seq, inner, before = tbs->len;

	require(serial->len > 0 && grant->subject_len >= 2 && not_before <= not_after);
	require(grant->san_len > 0 || grant->subject_len > 2);
	if (cert_check_issuer(profile, issuer, err) != 0)
		return -1;
	seq = der_open(tbs, DER_SEQUENCE);
	inner = der_open(tbs, DER_CONTEXT(0));
	der_put_small(tbs, DER_INTEGER, 2); /* v3 */
	der_close(tbs, inner);
	der_put_serial(tbs, serial);
	ec_sig_alg_put(tbs, curve);
	if (issuer != NULL)
		buf_add(tbs, issuer->subject.p, issuer->subject.len);
	else
		buf_add(tbs, grant->subject, grant->subject_len);
	inner = der_open(tbs, DER_SEQUENCE);
	der_put_time(tbs, not_before);
	der_put_time(tbs, not_after);
	der_close(tbs, inner);
	buf_add(tbs, grant->subject, grant->subject_len);
	ec_pub_put(tbs, &grant->pub);
	cert_put_extensions(tbs, profile, issuer, grant);
	der_close(tbs, seq);
	if (tbs->len - before > CERT_TBS_MAX) {
		tbs->len = before;
		return err_set(err, FAIL_INVALID,
		    "profile %s: size limit: a certificate has at most %d octets", profile->name,
		    CERT_DER_MAX);
	}
	return 0;
}
