/*
 * The structures of EST beside certificates: a certs-only CMS and CsrAttrs. Writes only; what comes
 * from devices is read elsewhere.
 */
#include "smki/eckey.h"
#include "smki/est.h"
#include "smki/ext.h"
#include "smki/mem.h"

/* id-signedData 1.2.840.113549.1.7.2, id-data 1.2.840.113549.1.7.1 */
static const uint8_t est_signed_data[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2 };
static const uint8_t est_data[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1 };
/* extensionRequest 1.2.840.113549.1.9.14 (RFC 2985 5.4.2) */
static const uint8_t est_ext_request[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 14 };

void
est_certs_only(const struct span *certs, size_t n, struct buf *out)
{
	size_t info = der_open(out, DER_SEQUENCE), content, data, part;

	require(n > 0);
	der_put(out, DER_OID, est_signed_data, sizeof(est_signed_data));
	content = der_open(out, DER_CONTEXT(0));
	data = der_open(out, DER_SEQUENCE);
	der_put_small(out, DER_INTEGER, 1);
	der_put(out, DER_SET, NULL, 0);
	part = der_open(out, DER_SEQUENCE);
	der_put(out, DER_OID, est_data, sizeof(est_data));
	der_close(out, part);
	part = der_open(out, DER_CONTEXT(0));
	for (size_t i = 0; i < n; i++)
		buf_add(out, certs[i].p, certs[i].len);
	der_close(out, part);
	der_put(out, DER_SET, NULL, 0);
	der_close(out, data);
	der_close(out, content);
	der_close(out, info);
}

/* Attribute ::= SEQUENCE { type, values SET }, open for the values. */
static void
est_attr_open(struct buf *out, struct span type, size_t *attr, size_t *values)
{
	*attr = der_open(out, DER_SEQUENCE);
	der_put_span(out, DER_OID, type);
	*values = der_open(out, DER_SET);
}

static void
est_attr_close(struct buf *out, size_t attr, size_t values)
{
	der_close(out, values);
	der_close(out, attr);
}

static void
est_key_usage(unsigned bits, struct buf *out)
{
	const struct span type = { est_ext_request, sizeof(est_ext_request) };
	size_t attr, values, list, one, value;

	est_attr_open(out, type, &attr, &values);
	list = der_open(out, DER_SEQUENCE);
	one = der_open(out, DER_SEQUENCE);
	der_put_span(out, DER_OID, ext_oid(EXT_KEY_USAGE));
	der_put_bool(out, true);
	value = der_open(out, DER_OCTET_STRING);
	ext_key_usage_put(out, bits);
	der_close(out, value);
	der_close(out, one);
	der_close(out, list);
	est_attr_close(out, attr, values);
}

void
est_csrattrs(const struct profile *profile, struct buf *out)
{
	size_t attrs = der_open(out, DER_SEQUENCE), attr, values;

	est_attr_open(out, ec_key_oid(), &attr, &values);
	if (profile->curve_p384)
		der_put_span(out, DER_OID, ec_curve_oid(EC_P384));
	if (profile->curve_p256)
		der_put_span(out, DER_OID, ec_curve_oid(EC_P256));
	est_attr_close(out, attr, values);
	if (!profile->key_usage_choice)
		est_key_usage(profile->key_usage, out);
	if (profile->curve_p256)
		der_put_span(out, DER_OID, ec_sig_oid(EC_P256));
	if (profile->curve_p384)
		der_put_span(out, DER_OID, ec_sig_oid(EC_P384));
	der_close(out, attrs);
}
