/*
 * Reading certificate revocation lists of this PKI, strictly (RFC 5280 5). Only complete lists
 * are read: a delta or a partitioned list is refused, for its entries alone mean something else.
 */
#include "smki/crl.h"
#include "smki/extlist.h"
#include "smki/name.h"

static const uint8_t oid_aki[] = { 0x55, 0x1d, 0x23 };	      /* 2.5.29.35 */
static const uint8_t oid_number[] = { 0x55, 0x1d, 0x14 };     /* 2.5.29.20 */
static const uint8_t oid_delta[] = { 0x55, 0x1d, 0x1b };      /* 2.5.29.27 */
static const uint8_t oid_idp[] = { 0x55, 0x1d, 0x1c };	      /* 2.5.29.28 */
static const uint8_t oid_reason[] = { 0x55, 0x1d, 0x15 };     /* 2.5.29.21 */
static const uint8_t oid_invalidity[] = { 0x55, 0x1d, 0x18 }; /* 2.5.29.24 */

static int
crl_refuse(struct err *err, const char *clause, const char *finding)
{
	return err_set(err, FAIL_INVALID, "crl: RFC 5280 %s: %s", clause, finding);
}

/* AuthorityKeyIdentifier with nothing but a keyIdentifier (5.2.1). */
static int
crl_aki_get(const struct extlist_item *ext, struct crl *out, struct err *err)
{
	struct der d = der_from(ext->value.p, ext->value.len), aki, id;

	if (ext->critical || der_get(&d, DER_SEQUENCE, &aki) == -1 || !der_end(&d) ||
	    der_get(&aki, DER_CONTEXT_PRIM(0), &id) == -1 || !der_end(&aki) || der_end(&id))
		return crl_refuse(
		    err, "5.2.1", "authority key identifier is not a non-critical keyIdentifier");
	out->aki = der_span(&id);
	return 0;
}

/* CRLNumber: 0..2^63-1 here (5.2.3 allows 20 octets, this PKI never writes more than 8). */
static int
crl_number_get(const struct extlist_item *ext, struct crl *out, struct err *err)
{
	struct der d = der_from(ext->value.p, ext->value.len);
	struct span octets;
	uint64_t number = 0;

	if (ext->critical || der_get_integer(&d, SERIAL_MAX, &octets) == -1 || !der_end(&d) ||
	    (octets.p[0] & 0x80) != 0)
		return crl_refuse(
		    err, "5.2.3", "CRL number is not a non-critical number of at most 20 octets");
	if (octets.len > sizeof(number))
		return crl_refuse(err, "5.2.3", "CRL number is over 2^63-1, not one of this PKI");
	for (size_t i = 0; i < octets.len; i++)
		number = number << 8 | octets.p[i];
	out->number = (int64_t)number;
	return 0;
}

static int
crl_extensions_get(struct der *tbs, struct crl *out, struct err *err)
{
	struct der context;
	struct extlist list;
	struct extlist_item ext;
	int got, aki = 0, number = 0;

	if (der_tag(tbs) == -1)
		return crl_refuse(err, "5.2", "no crlExtensions");
	if (der_get(tbs, DER_CONTEXT(0), &context) == -1 || extlist_open(&context, &list) == -1 ||
	    !der_end(&context))
		return crl_refuse(err, "5.1.2.7", "crlExtensions is not a list of extensions");
	while ((got = extlist_get(&list, "crl", &ext, err)) == 1) {
		if (extlist_is(&ext, oid_aki, sizeof(oid_aki))) {
			aki = 1;
			if (crl_aki_get(&ext, out, err) == -1)
				return -1;
		} else if (extlist_is(&ext, oid_number, sizeof(oid_number))) {
			number = 1;
			if (crl_number_get(&ext, out, err) == -1)
				return -1;
		} else if (extlist_is(&ext, oid_delta, sizeof(oid_delta))) {
			return crl_refuse(err, "5.2.4", "a delta CRL, not a complete one");
		} else if (extlist_is(&ext, oid_idp, sizeof(oid_idp))) {
			return crl_refuse(
			    err, "5.2.5", "a CRL of limited scope, not a complete one");
		} else if (ext.critical) {
			return crl_refuse(err, "5.2", "unknown critical extension");
		}
	}
	if (got == -1)
		return -1;
	if (!aki)
		return crl_refuse(err, "5.2.1", "authority key identifier is missing");
	if (!number)
		return crl_refuse(err, "5.2.3", "CRL number is missing");
	return 0;
}

static int
crl_algorithm_get(struct der *tbs, struct crl *out, struct err *err)
{
	struct der p256 = *tbs, p384 = *tbs;

	if (ec_sig_alg_get(&p256, EC_P256) == 0) {
		*tbs = p256;
		out->sig_curve = EC_P256;
	} else if (ec_sig_alg_get(&p384, EC_P384) == 0) {
		*tbs = p384;
		out->sig_curve = EC_P384;
	} else {
		return crl_refuse(
		    err, "5.1.2.2", "signature algorithm is not ECDSA with SHA-256 or SHA-384");
	}
	return 0;
}

static int
crl_tbs_get(struct der *tbs, struct crl *out, struct err *err)
{
	long version;

	if (der_get_small(tbs, &version) == -1 || version != 1)
		return crl_refuse(err, "5.1.2.1", "version is not v2");
	if (crl_algorithm_get(tbs, out, err) == -1)
		return -1;
	if (der_get_any(tbs, NULL, NULL, &out->issuer) == -1 || !name_ok(out->issuer) ||
	    name_empty(out->issuer))
		return crl_refuse(err, "5.1.2.3", "issuer is not a non-empty name");
	if (der_get_time(tbs, 0, &out->this_update) == -1)
		return crl_refuse(err, "5.1.2.4", "thisUpdate is not a time in the form demanded");
	if (der_get_time(tbs, 0, &out->next_update) == -1)
		return crl_refuse(
		    err, "5.1.2.5", "nextUpdate is missing or not in the form demanded");
	if (out->next_update <= out->this_update)
		return crl_refuse(err, "5.1.2.5", "nextUpdate is not after thisUpdate");
	out->entries = der_from(tbs->p, 0);
	if (der_tag(tbs) == DER_SEQUENCE) {
		if (der_get(tbs, DER_SEQUENCE, &out->entries) == -1)
			return crl_refuse(err, "5.1.2.6", "revokedCertificates is not DER");
		if (der_end(&out->entries))
			return crl_refuse(err, "5.1.2.6", "revokedCertificates is there but empty");
	}
	if (crl_extensions_get(tbs, out, err) == -1)
		return -1;
	if (!der_end(tbs))
		return crl_refuse(err, "5.1.2", "TBSCertList has trailing bytes");
	return 0;
}

int
crl_parse(const uint8_t *der, size_t len, struct crl *out, struct err *err)
{
	struct der d = der_from(der, len), whole, tbs;
	struct crl crl = { .number = 0 };
	uint8_t tag;

	if (der_get(&d, DER_SEQUENCE, &whole) == -1)
		return crl_refuse(err, "5.1", "not a DER SEQUENCE");
	if (!der_end(&d))
		return crl_refuse(err, "5.1", "trailing bytes after the list");
	if (der_get_any(&whole, &tag, &tbs, &crl.tbs) == -1 || tag != DER_SEQUENCE)
		return crl_refuse(err, "5.1.1.1", "TBSCertList is not a SEQUENCE");
	if (crl_tbs_get(&tbs, &crl, err) == -1)
		return -1;
	if (ec_sig_alg_get(&whole, crl.sig_curve) == -1)
		return crl_refuse(
		    err, "5.1.1.2", "signatureAlgorithm differs from that in TBSCertList");
	if (der_get_octet_bits(&whole, &crl.sig) == -1 || !der_end(&whole))
		return crl_refuse(
		    err, "5.1.1.3", "signatureValue is not one BIT STRING of whole octets");
	*out = crl;
	return 0;
}

static int
crl_reason_get(const struct extlist_item *ext, struct crl_entry *out, struct err *err)
{
	struct der d = der_from(ext->value.p, ext->value.len), number;

	if (ext->critical || der_get(&d, DER_ENUMERATED, &number) == -1 || !der_end(&d) ||
	    der_span(&number).len != 1)
		return crl_refuse(err, "5.3.1", "reasonCode is not a non-critical ENUMERATED");
	switch ((enum crl_reason)number.p[0]) {
	case REASON_UNSPECIFIED:
	case REASON_KEY_COMPROMISE:
	case REASON_CA_COMPROMISE:
	case REASON_AFFILIATION_CHANGED:
	case REASON_SUPERSEDED:
	case REASON_CESSATION_OF_OPERATION:
	case REASON_CERTIFICATE_HOLD:
	case REASON_PRIVILEGE_WITHDRAWN:
	case REASON_AA_COMPROMISE:
		out->reason = number.p[0];
		return 0;
	case REASON_REMOVE_FROM_CRL:
		return crl_refuse(err, "5.3.1", "removeFromCRL in a complete CRL");
	}
	return crl_refuse(err, "5.3.1", "reasonCode has no meaning");
}

static int
crl_entry_extensions_get(struct der *entry, struct crl_entry *out, struct err *err)
{
	struct extlist list;
	struct extlist_item ext;
	struct der d;
	int got;

	if (extlist_open(entry, &list) == -1)
		return crl_refuse(err, "5.3", "crlEntryExtensions is not a list of extensions");
	while ((got = extlist_get(&list, "crl", &ext, err)) == 1) {
		if (extlist_is(&ext, oid_reason, sizeof(oid_reason))) {
			if (crl_reason_get(&ext, out, err) == -1)
				return -1;
		} else if (extlist_is(&ext, oid_invalidity, sizeof(oid_invalidity))) {
			d = der_from(ext.value.p, ext.value.len);
			if (ext.critical || der_tag(&d) != DER_GENTIME ||
			    der_get_time(&d, 1, &out->invalid_since) == -1 || !der_end(&d))
				return crl_refuse(err, "5.3.2",
				    "invalidityDate is not a non-critical GeneralizedTime");
		} else if (ext.critical) {
			return crl_refuse(err, "5.3", "unknown critical entry extension");
		}
	}
	return got;
}

int
crl_entry_get(struct crl *crl, struct crl_entry *out, struct err *err)
{
	struct der rest = crl->entries, d;
	struct crl_entry entry = { .reason = REASON_UNSPECIFIED };

	if (der_end(&rest))
		return 0;
	if (der_get(&rest, DER_SEQUENCE, &d) == -1)
		return crl_refuse(err, "5.1.2.6", "an entry is not a SEQUENCE");
	if (der_get_serial(&d, &entry.serial) == -1)
		return crl_refuse(
		    err, "5.1.2.6", "an entry has no positive serial of at most 20 octets");
	if (der_get_time(&d, 0, &entry.revoked_at) == -1)
		return crl_refuse(
		    err, "5.1.2.6", "revocationDate is not a time in the form demanded");
	if (!der_end(&d) && crl_entry_extensions_get(&d, &entry, err) == -1)
		return -1;
	if (!der_end(&d))
		return crl_refuse(err, "5.1.2.6", "an entry has trailing bytes");
	crl->entries = rest;
	*out = entry;
	return 1;
}

int
crl_check_signature(const struct crl *crl, const struct ec_pub *pub, struct err *err)
{
	uint8_t digest[SHA384_LEN];
	size_t len;

	if (pub->curve != crl->sig_curve)
		return crl_refuse(
		    err, "5.1.1.2", "signature algorithm is not that of the issuer's key");
	len = ec_digest(pub->curve, crl->tbs.p, crl->tbs.len, digest);
	if (ec_verify(pub, digest, len, crl->sig, err) == -1)
		return err_prefix(err, "crl: RFC 5280 5.1.1.3");
	return 0;
}
