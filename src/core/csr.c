/*
 * PKCS#10 requests (RFC 2986): a strict DER reader that yields facts and decides nothing about who
 * may have what. It must not copy anything on into a certificate, and it lets no library decode
 * what a stranger sent; the key goes through ec_pub_get only.
 */
#include <string.h>

#include "smki/csr.h"
#include "smki/der.h"
#include "smki/extlist.h"

/* PKCS #9 (RFC 2985) attribute types and the one Microsoft uses in place of extensionRequest. */
static const uint8_t csr_oid_ext_request[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09,
	0x0e };
static const uint8_t csr_oid_challenge[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x07 };
static const uint8_t csr_oid_ms_ext[] = { 0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x02, 0x01,
	0x0e };

/* What stood in the attributes so far. */
struct csr_seen {
	bool ext_request, challenge;
	struct span last; /* the attribute before, tag to end */
};

static int
csr_oid_is(struct span oid, const uint8_t *want, size_t len)
{
	return oid.len == len && memcmp(oid.p, want, len) == 0;
}

/* An OID for a message; one too long to print is called so. */
static void
csr_oid_text(struct span oid, char out[OID_TEXT_LEN])
{
	if (oid_to_text(oid, out) != 0)
		strcpy(out, "with an over-long OID");
}

/* Why the element what of the clause, with this tag, could not be read. */
static int
csr_refuse(const struct der *d, uint8_t tag, const char *clause, const char *what, struct err *err)
{
	if (der_end(d))
		return err_set(err, FAIL_INVALID, "csr: %s: %s is missing", clause, what);
	if (der_tag(d) != tag)
		return err_set(err, FAIL_INVALID, "csr: %s: %s has tag %02x, not %02x", clause,
		    what, (unsigned)der_tag(d), (unsigned)tag);
	return err_set(err, FAIL_INVALID, "csr: X.690 10.1: %s is not DER (length)", what);
}

static int
csr_get(struct der *d, uint8_t tag, struct der *content, const char *clause, const char *what,
    struct err *err)
{
	if (der_get(d, tag, content) != 0)
		return csr_refuse(d, tag, clause, what, err);
	return 0;
}

static int
csr_get_oid(struct der *d, struct span *oid, const char *clause, const char *what, struct err *err)
{
	if (der_end(d) || der_tag(d) != DER_OID)
		return csr_refuse(d, DER_OID, clause, what, err);
	if (der_get_oid(d, oid) != 0)
		return err_set(err, FAIL_INVALID, "csr: X.690 8.19: %s is not well formed", what);
	return 0;
}

/* One RelativeDistinguishedName's contents (RFC 5280 4.1.2.4). */
static int
csr_check_rdn(struct der *rdn, struct err *err)
{
	static const char clause[] = "RFC 5280 4.1.2.4";
	struct span last = { NULL, 0 }, whole, oid;
	struct der atv;
	uint8_t tag;

	if (der_end(rdn))
		return err_set(
		    err, FAIL_INVALID, "csr: %s: a RelativeDistinguishedName is empty", clause);
	while (!der_end(rdn)) {
		if (der_tag(rdn) != DER_SEQUENCE || der_get_any(rdn, &tag, &atv, &whole) != 0)
			return csr_refuse(rdn, DER_SEQUENCE, clause, "attribute of subject", err);
		if (csr_get_oid(&atv, &oid, clause, "attribute type of subject", err) != 0)
			return -1;
		if (der_get_any(&atv, &tag, NULL, NULL) != 0 || !der_end(&atv))
			return err_set(err, FAIL_INVALID,
			    "csr: %s: attribute of subject does not hold one DER value", clause);
		if (last.p != NULL && !der_ascends(last, whole))
			return err_set(err, FAIL_INVALID,
			    "csr: X.690 11.6: attributes of one RelativeDistinguishedName do not "
			    "ascend");
		last = whole;
	}
	return 0;
}

static int
csr_get_subject(struct der *info, struct span *subject, struct err *err)
{
	struct der name, rdn;
	struct span whole;
	uint8_t tag;

	if (der_tag(info) != DER_SEQUENCE || der_get_any(info, &tag, &name, &whole) != 0)
		return csr_refuse(info, DER_SEQUENCE, "RFC 2986 4.1", "subject", err);
	while (!der_end(&name)) {
		if (csr_get(&name, DER_SET, &rdn, "RFC 5280 4.1.2.4",
			"RelativeDistinguishedName of subject", err) != 0 ||
		    csr_check_rdn(&rdn, err) != 0)
			return -1;
	}
	*subject = whole;
	return 0;
}

/* RFC 5280 4.2: extnValue holds one DER value. */
static int
csr_check_ext_value(const struct extlist_item *ext, struct err *err)
{
	struct der value = der_from(ext->value.p, ext->value.len);
	char text[OID_TEXT_LEN];

	if (der_get_any(&value, NULL, NULL, NULL) == 0 && der_end(&value))
		return 0;
	csr_oid_text(ext->oid, text);
	return err_set(err, FAIL_INVALID,
	    "csr: RFC 5280 4.2: value of extension %s is not exactly one DER value", text);
}

const struct extlist_item *
csr_ext(const struct csr *csr, const uint8_t *oid, size_t len)
{
	for (size_t i = 0; i < csr->n_ext; i++)
		if (csr_oid_is(csr->ext[i].oid, oid, len))
			return &csr->ext[i];
	return NULL;
}

/* RFC 2985 5.4.2: single valued, the value is Extensions ::= SEQUENCE SIZE (1..MAX). */
static int
csr_get_ext_request(struct der *values, struct csr *csr, struct err *err)
{
	struct extlist_item ext;
	struct extlist list;
	struct der at = *values;
	int got;

	if (csr_get(&at, DER_SEQUENCE, NULL, "RFC 2985 5.4.2", "value of extensionRequest", err) !=
	    0)
		return -1;
	if (!der_end(&at))
		return err_set(err, FAIL_INVALID,
		    "csr: RFC 2985 5.4.2: extensionRequest has more than one value");
	if (extlist_open(values, &list) != 0)
		return err_set(
		    err, FAIL_INVALID, "csr: RFC 5280 4.1: extensionRequest holds no extension");
	while ((got = extlist_get(&list, "csr", &ext, err)) == 1) {
		if (csr_check_ext_value(&ext, err) != 0)
			return -1;
		if (csr->n_ext == CSR_EXT_MAX)
			return err_set(err, FAIL_INVALID,
			    "csr: size limit: more than %d extensions", CSR_EXT_MAX);
		csr->ext[csr->n_ext++] = ext;
	}
	csr->has_ext_request = got == 0;
	return got;
}

/* RFC 2985 5.4.1: single valued. Its text is nobody's business here. */
static int
csr_check_challenge(struct der *values, struct err *err)
{
	if (der_get_any(values, NULL, NULL, NULL) != 0 || !der_end(values))
		return err_set(err, FAIL_INVALID,
		    "csr: RFC 2985 5.4.1: challengePassword does not hold one DER value");
	return 0;
}

/* Attribute ::= SEQUENCE { type, values SET SIZE (1..MAX) } (RFC 2986 4.1) */
static int
csr_get_attribute(struct der *attrs, struct csr_seen *seen, struct csr *csr, struct err *err)
{
	static const char clause[] = "RFC 2986 4.1";
	struct der attr, values;
	struct span whole, type;
	char text[OID_TEXT_LEN];
	bool *again = NULL;
	uint8_t tag;

	if (der_tag(attrs) != DER_SEQUENCE || der_get_any(attrs, &tag, &attr, &whole) != 0)
		return csr_refuse(attrs, DER_SEQUENCE, clause, "Attribute", err);
	if (csr_get_oid(&attr, &type, clause, "attribute type", err) != 0)
		return -1;
	csr_oid_text(type, text);
	if (csr_oid_is(type, csr_oid_ext_request, sizeof(csr_oid_ext_request)))
		again = &seen->ext_request;
	else if (csr_oid_is(type, csr_oid_challenge, sizeof(csr_oid_challenge)))
		again = &seen->challenge;
	else if (csr_oid_is(type, csr_oid_ms_ext, sizeof(csr_oid_ms_ext)))
		return err_set(err, FAIL_INVALID,
		    "csr: RFC 2985 5.4.2: Microsoft's attribute %s stands for extensionRequest",
		    text);
	else
		return err_set(
		    err, FAIL_INVALID, "csr: %s: attribute %s is not accepted", clause, text);
	if (*again)
		return err_set(
		    err, FAIL_INVALID, "csr: %s: attribute %s is there twice", clause, text);
	*again = true;
	if (csr_get(&attr, DER_SET, &values, clause, "values of an attribute", err) != 0)
		return -1;
	if (!der_end(&attr))
		return err_set(err, FAIL_INVALID, "csr: %s: bytes after the values of attribute %s",
		    clause, text);
	if (seen->last.p != NULL && !der_ascends(seen->last, whole))
		return err_set(err, FAIL_INVALID, "csr: X.690 11.6: attributes do not ascend");
	seen->last = whole;
	return again == &seen->ext_request ? csr_get_ext_request(&values, csr, err)
					   : csr_check_challenge(&values, err);
}

/* CertificationRequestInfo's contents (RFC 2986 4.1). */
static int
csr_get_info(struct der *info, struct csr *csr, struct err *err)
{
	static const char clause[] = "RFC 2986 4.1";
	struct csr_seen seen = { 0 };
	struct der attrs;
	long version;

	if (der_get_small(info, &version) != 0 || version != 0)
		return err_set(err, FAIL_INVALID, "csr: %s: version is not INTEGER 0 (v1)", clause);
	if (csr_get_subject(info, &csr->subject, err) != 0 ||
	    ec_pub_get(info, "csr", &csr->pub, err) != 0)
		return -1;
	if (der_end(info))
		return err_set(err, FAIL_INVALID, "csr: %s: attributes [0] are missing", clause);
	if (csr_get(info, DER_CONTEXT(0), &attrs, clause, "attributes", err) != 0)
		return -1;
	while (!der_end(&attrs))
		if (csr_get_attribute(&attrs, &seen, csr, err) != 0)
			return -1;
	if (!der_end(info))
		return err_set(err, FAIL_INVALID, "csr: %s: bytes after the attributes", clause);
	return 0;
}

/* RFC 5758 3.2: the hash goes with the curve, and there are no parameters, not even NULL. */
static int
csr_get_sig_alg(struct der *request, const struct ec_pub *pub, struct err *err)
{
	struct der d = *request, alg;
	struct span oid;
	char text[OID_TEXT_LEN] = "not an OBJECT IDENTIFIER";

	if (ec_sig_alg_get(request, pub->curve) == 0)
		return 0;
	if (csr_get(&d, DER_SEQUENCE, &alg, "RFC 2986 4.2", "signatureAlgorithm", err) != 0)
		return -1;
	if (der_get_oid(&alg, &oid) == 0)
		csr_oid_text(oid, text);
	return err_set(err, FAIL_INVALID,
	    "csr: RFC 5758 3.2: signatureAlgorithm of a %s key is not %s without parameters (%s%s)",
	    ec_curve_str(pub->curve),
	    pub->curve == EC_P256 ? "ecdsa-with-SHA256" : "ecdsa-with-SHA384", text,
	    der_end(&alg) ? "" : " with parameters");
}

int
csr_parse(const uint8_t *der, size_t len, struct csr *out, struct err *err)
{
	static const char clause[] = "RFC 2986 4.2";
	struct der d = der_from(der, len), request, info;
	struct csr csr = { .der = { der, len } };
	uint8_t tag;

	if (len == 0)
		return err_set(err, FAIL_INVALID, "csr: %s: request is empty", clause);
	if (len > CSR_DER_MAX)
		return err_set(err, FAIL_INVALID,
		    "csr: size limit: %zu octets, at most %d are read", len, CSR_DER_MAX);
	if (csr_get(&d, DER_SEQUENCE, &request, clause, "CertificationRequest", err) != 0)
		return -1;
	if (!der_end(&d))
		return err_set(
		    err, FAIL_INVALID, "csr: %s: bytes after the CertificationRequest", clause);
	if (der_tag(&request) != DER_SEQUENCE || der_get_any(&request, &tag, &info, &csr.info) != 0)
		return csr_refuse(&request, DER_SEQUENCE, clause, "certificationRequestInfo", err);
	if (csr_get_info(&info, &csr, err) != 0 || csr_get_sig_alg(&request, &csr.pub, err) != 0)
		return -1;
	if (der_get_octet_bits(&request, &csr.sig) != 0)
		return err_set(err, FAIL_INVALID,
		    "csr: %s: signature is not a BIT STRING of whole octets", clause);
	if (!der_end(&request))
		return err_set(err, FAIL_INVALID, "csr: %s: bytes after the signature", clause);
	*out = csr;
	return 0;
}

int
csr_check_pop(const struct csr *csr, struct err *err)
{
	uint8_t digest[SHA384_LEN];
	size_t len = ec_digest(csr->pub.curve, csr->info.p, csr->info.len, digest);

	if (ec_verify(&csr->pub, digest, len, csr->sig, err) != 0)
		return err_prefix(err, "csr: RFC 2986 4.2");
	return 0;
}
