/*
 * Strict reader for the certificates of this PKI, and the check that one issued another. It is no
 * path validation, and for foreign certificates too strict. What nobody asks it for (names in a
 * subjectAltName, policies, pointers) is read as a list only.
 */
#include <string.h>

#include "smki/cert.h"
#include "smki/ext.h"
#include "smki/extlist.h"
#include "smki/name.h"

/* id-kp-OCSPSigning 1.3.6.1.5.5.7.3.9 */
static const uint8_t cert_kp_ocsp[] = { 0x2b, 6, 1, 5, 5, 7, 3, 9 };

/* What is only needed while reading. */
struct cert_reader {
	struct cert *cert;
	bool san_critical, ca_critical, usage;
	struct err *err;
};

static int
cert_bad(struct err *err, const char *finding)
{
	return err_set(err, FAIL_INVALID, "certificate: %s", finding);
}

/* AuthorityKeyIdentifier with keyIdentifier alone. */
static int
cert_read_aki(struct cert_reader *r, struct span value)
{
	struct der d = der_from(value.p, value.len), seq, id;

	if (der_get(&d, DER_SEQUENCE, &seq) != 0 || !der_end(&d) ||
	    der_get(&seq, DER_CONTEXT_PRIM(0), &id) != 0 || !der_end(&seq) || der_end(&id))
		return cert_bad(r->err,
		    "RFC 5280 4.2.1.1: authorityKeyIdentifier is not a keyIdentifier alone");
	r->cert->aki = der_span(&id);
	return 0;
}

static int
cert_read_ski(struct cert_reader *r, struct span value)
{
	struct der d = der_from(value.p, value.len), id;

	if (der_get(&d, DER_OCTET_STRING, &id) != 0 || !der_end(&d) || der_end(&id))
		return cert_bad(
		    r->err, "RFC 5280 4.2.1.2: subjectKeyIdentifier is not an OCTET STRING");
	r->cert->ski = der_span(&id);
	return 0;
}

static int
cert_read_constraints(struct cert_reader *r, const struct extlist_item *item)
{
	struct der d = der_from(item->value.p, item->value.len), seq;
	bool ca = false;
	long path_len;

	if (der_get(&d, DER_SEQUENCE, &seq) != 0 || !der_end(&d))
		goto bad;
	if (der_tag(&seq) == DER_BOOLEAN && (der_get_bool(&seq, &ca) != 0 || !ca))
		goto bad;
	if (!der_end(&seq) && (!ca || der_get_small(&seq, &path_len) != 0 || !der_end(&seq)))
		goto bad;
	r->cert->ca = ca;
	r->ca_critical = item->critical;
	return 0;
bad:
	return cert_bad(r->err, "RFC 5280 4.2.1.9: basicConstraints is malformed");
}

static int
cert_read_purposes(struct cert_reader *r, struct span value)
{
	struct der d = der_from(value.p, value.len), seq;
	struct span oid;

	if (der_get(&d, DER_SEQUENCE, &seq) != 0 || !der_end(&d) || der_end(&seq))
		return cert_bad(r->err, "RFC 5280 4.2.1.12: extKeyUsage is not a list of purposes");
	while (!der_end(&seq)) {
		if (der_get_oid(&seq, &oid) != 0)
			return cert_bad(
			    r->err, "RFC 5280 4.2.1.12: extKeyUsage is not a list of purposes");
		if (oid.len == sizeof(cert_kp_ocsp) &&
		    memcmp(oid.p, cert_kp_ocsp, sizeof(cert_kp_ocsp)) == 0)
			r->cert->eku_ocsp = true;
	}
	return 0;
}

/* A list of at least one SEQUENCE or, in a SAN, of context-specific choices. */
static int
cert_read_list(struct cert_reader *r, struct span value, uint8_t class, const char *finding)
{
	struct der d = der_from(value.p, value.len), seq;
	uint8_t tag;

	if (der_get(&d, DER_SEQUENCE, &seq) != 0 || !der_end(&d) || der_end(&seq))
		return cert_bad(r->err, finding);
	while (!der_end(&seq))
		if (der_get_any(&seq, &tag, NULL, NULL) != 0 || (tag & 0xc0) != class)
			return cert_bad(r->err, finding);
	return 0;
}

/* RFC 5280 4.2.1.1, 4.2.1.2, 4.2.2.1: "Conforming CAs MUST mark this extension as non-critical." */
static bool
cert_never_critical(enum ext_id id)
{
	return id == EXT_AKI || id == EXT_SKI || id == EXT_AIA;
}

static int
cert_read_extension(struct cert_reader *r, const struct extlist_item *item)
{
	struct cert *c = r->cert;
	struct der d = der_from(item->value.p, item->value.len), null;
	enum ext_id id = ext_find(item->oid);

	if (item->critical && cert_never_critical(id))
		return cert_bad(
		    r->err, "RFC 5280 4.2: a key identifier or authorityInfoAccess is critical");
	switch (id) {
	case EXT_AKI:
		return cert_read_aki(r, item->value);
	case EXT_SKI:
		return cert_read_ski(r, item->value);
	case EXT_KEY_USAGE:
		if (ext_key_usage_get(item->value, &c->key_usage) != 0)
			return cert_bad(
			    r->err, "RFC 5280 4.2.1.3: keyUsage is not a DER named bit list");
		r->usage = item->critical;
		return 0;
	case EXT_POLICIES:
		return cert_read_list(
		    r, item->value, 0, "RFC 5280 4.2.1.4: certificatePolicies is malformed");
	case EXT_SAN:
		c->san = item->value;
		r->san_critical = item->critical;
		return cert_read_list(
		    r, item->value, 0x80, "RFC 5280 4.2.1.6: subjectAltName is malformed");
	case EXT_BASIC_CONSTRAINTS:
		return cert_read_constraints(r, item);
	case EXT_EKU:
		return cert_read_purposes(r, item->value);
	case EXT_NOCHECK:
		c->nocheck = true;
		if (der_get(&d, DER_NULL, &null) != 0 || !der_end(&null) || !der_end(&d))
			return cert_bad(r->err, "RFC 6960 4.2.2.2.1: nocheck is not NULL");
		return 0;
	case EXT_CDP:
		return cert_read_list(
		    r, item->value, 0, "RFC 5280 4.2.1.13: cRLDistributionPoints is malformed");
	case EXT_AIA:
		return cert_read_list(
		    r, item->value, 0, "RFC 5280 4.2.2.1: authorityInfoAccess is malformed");
	case EXT_UNKNOWN:
		break;
	}
	if (item->critical)
		return cert_bad(r->err, "RFC 5280 4.2: an unknown extension is critical");
	return 0;
}

/* What extensions and fields demand of each other. */
static int
cert_check_whole(const struct cert_reader *r)
{
	const struct cert *c = r->cert;

	if (name_empty(c->issuer))
		return cert_bad(r->err, "RFC 5280 4.1.2.4: issuer is empty");
	if (name_empty(c->subject) && (c->san.len == 0 || !r->san_critical))
		return cert_bad(
		    r->err, "RFC 5280 4.1.2.6: subject is empty without a critical subjectAltName");
	if (c->ca && (!r->ca_critical || name_empty(c->subject) || c->ski.len == 0))
		return cert_bad(r->err,
		    "RFC 5280 4.2.1.9: a CA needs critical basicConstraints, a subject and a key "
		    "identifier");
	if (!c->ca && (c->key_usage & KEY_USAGE_KEY_CERT_SIGN))
		return cert_bad(r->err, "RFC 5280 4.2.1.9: keyCertSign without cA");
	if (c->ca && !(c->key_usage & KEY_USAGE_KEY_CERT_SIGN))
		return cert_bad(r->err, "RFC 5280 4.2.1.3: cA without keyCertSign");
	if (!r->usage)
		return cert_bad(r->err, "RFC 5759 4.5: keyUsage is missing or not critical");
	if (c->aki.len == 0 && !span_eq(c->issuer, c->subject))
		return cert_bad(r->err, "RFC 5280 4.2.1.1: authorityKeyIdentifier is missing");
	if (c->not_before > c->not_after)
		return cert_bad(r->err, "RFC 5280 4.1.2.5: notAfter is before notBefore");
	return 0;
}

static int
cert_read_extensions(struct cert_reader *r, struct der *tbs)
{
	struct der explicit3;
	struct extlist list;
	struct extlist_item item;
	int got;

	if (der_get(tbs, DER_CONTEXT(3), &explicit3) != 0 || !der_end(tbs))
		return cert_bad(r->err, "RFC 5280 4.1: extensions are missing, or something else "
					"stands in their place");
	if (extlist_open(&explicit3, &list) != 0 || !der_end(&explicit3))
		return cert_bad(r->err, "RFC 5280 4.1: extensions are not a list of at least one");
	while ((got = extlist_get(&list, "certificate", &item, r->err)) == 1)
		if (cert_read_extension(r, &item) != 0)
			return -1;
	return got;
}

/* ecdsa-with-SHA256 or -SHA384 with absent parameters. */
static int
cert_read_algorithm(struct der *d, enum ec_curve *out)
{
	struct der p256 = *d, p384 = *d;

	if (ec_sig_alg_get(&p256, EC_P256) == 0) {
		*d = p256;
		*out = EC_P256;
	} else if (ec_sig_alg_get(&p384, EC_P384) == 0) {
		*d = p384;
		*out = EC_P384;
	} else
		return -1;
	return 0;
}

static int
cert_read_name(struct der *d, struct span *out)
{
	if (der_get_any(d, NULL, NULL, out) != 0 || !name_ok(*out))
		return -1;
	return 0;
}

static int
cert_read_tbs(struct cert_reader *r, struct der tbs)
{
	struct cert *c = r->cert;
	struct der version, validity;
	long v;

	if (der_get(&tbs, DER_CONTEXT(0), &version) != 0 || der_get_small(&version, &v) != 0 ||
	    v != 2 || !der_end(&version))
		return cert_bad(r->err, "RFC 5280 4.1.2.1: version is not 3");
	if (der_get_serial(&tbs, &c->serial) != 0)
		return cert_bad(r->err, "RFC 5280 4.1.2.2: serialNumber is not a positive INTEGER "
					"of at most 20 octets");
	if (cert_read_algorithm(&tbs, &c->sig_curve) != 0)
		return cert_bad(r->err, "RFC 5758 3.2: signature is not ecdsa-with-SHA256 or "
					"-SHA384 without parameters");
	if (cert_read_name(&tbs, &c->issuer) != 0)
		return cert_bad(r->err, "RFC 5280 4.1.2.4: issuer is not a Name");
	if (der_get(&tbs, DER_SEQUENCE, &validity) != 0 ||
	    der_get_time(&validity, 0, &c->not_before) != 0 ||
	    der_get_time(&validity, 0, &c->not_after) != 0 || !der_end(&validity))
		return cert_bad(r->err, "RFC 5280 4.1.2.5: validity is malformed");
	if (cert_read_name(&tbs, &c->subject) != 0)
		return cert_bad(r->err, "RFC 5280 4.1.2.6: subject is not a Name");
	if (ec_pub_get(&tbs, "certificate", &c->pub, r->err) != 0)
		return -1;
	if (cert_read_extensions(r, &tbs) != 0)
		return -1;
	return cert_check_whole(r);
}

int
cert_parse(const uint8_t *der, size_t len, struct cert *out, struct err *err)
{
	struct der d = der_from(der, len), outer, tbs;
	struct cert c = { .der = { der, len } };
	struct cert_reader r = { .cert = &c, .err = err };
	enum ec_curve curve;
	uint8_t tag;

	if (len > CERT_DER_MAX)
		return cert_bad(err, "size limit: over 4096 octets");
	if (der_get(&d, DER_SEQUENCE, &outer) != 0)
		return cert_bad(err, "RFC 5280 4.1: not a DER SEQUENCE");
	if (!der_end(&d))
		return cert_bad(err, "RFC 5280 4.1: bytes after the certificate");
	if (der_get_any(&outer, &tag, &tbs, &c.tbs) != 0 || tag != DER_SEQUENCE)
		return cert_bad(err, "RFC 5280 4.1: tbsCertificate is not a SEQUENCE");
	if (cert_read_tbs(&r, tbs) != 0)
		return -1;
	if (cert_read_algorithm(&outer, &curve) != 0 || curve != c.sig_curve)
		return cert_bad(
		    err, "RFC 5280 4.1.1.2: signatureAlgorithm is not the one in tbsCertificate");
	if (der_get_octet_bits(&outer, &c.sig) != 0 || !der_end(&outer))
		return cert_bad(
		    err, "RFC 5280 4.1.1.3: signatureValue is not a BIT STRING of whole octets");
	*out = c;
	return 0;
}

int
cert_check_issued(const struct cert *cert, const struct cert *issuer, struct err *err)
{
	uint8_t digest[SHA384_LEN];
	size_t len;

	if (!span_eq(cert->issuer, issuer->subject))
		return cert_bad(err, "RFC 5280 4.1.2.4: issuer is not the subject of the CA");
	if (cert->sig_curve != issuer->pub.curve)
		return cert_bad(
		    err, "RFC 5759 3.1: signature algorithm does not go with the CA's key");
	len = ec_digest(issuer->pub.curve, cert->tbs.p, cert->tbs.len, digest);
	if (ec_verify(&issuer->pub, digest, len, cert->sig, err) != 0)
		return err_prefix(err, "certificate: RFC 5280 4.1.1.3");
	return 0;
}

void
cert_issuer(const struct cert *ca, struct issuer *out)
{
	memset(out, 0, sizeof(*out));
	out->subject = ca->subject;
	out->ski = ca->ski;
	out->not_after = ca->not_after;
	out->curve = ca->pub.curve;
}
