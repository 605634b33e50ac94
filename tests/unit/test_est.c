/*
 * The structures of EST: octet for octet, and as libcrypto reads them.
 */
#include <openssl/cms.h>
#include <openssl/pkcs7.h>

#include "idevid.h"
#include "test.h"

#include "policy.h"
#include "smki/der.h"
#include "smki/est.h"

static void
test_certs_octets(void)
{
	static const uint8_t one[] = { 0x30, 0x00 }, two[] = { 0x30, 0x02, 0x05, 0x00 };
	static const char *const want = "302b 0609 2a864886f70d010702 a01e 301c 020101 3100"
					" 300b 0609 2a864886f70d010701 a006 3000 30020500 3100";
	const struct span certs[] = { { one, sizeof(one) }, { two, sizeof(two) } };
	uint8_t octets[64];
	size_t len = policy_hex(want, octets, sizeof(octets));
	struct buf out = { 0 };

	buf_add_str(&out, "x"); /* appended to */
	est_certs_only(certs, ARRAY_LEN(certs), &out);
	CHECK(out.data[0] == 'x');
	CHECK_MEM(out.data + 1, out.len - 1, octets, len);
	buf_free(&out);
}

/* The certificates come out of libcrypto's readers as they went in. */
static void
check_certs(STACK_OF(X509) * got, X509 *const *want, size_t n)
{
	CHECK(sk_X509_num(got) == (int)n);
	for (size_t i = 0; i < n && (int)i < sk_X509_num(got); i++)
		CHECK(X509_cmp(sk_X509_value(got, (int)i), want[i]) == 0);
}

static void
test_certs_read(void)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *certs[3];
	struct buf der[3] = { 0 }, out = { 0 };
	struct span spans[3];

	for (size_t i = 0; i < ARRAY_LEN(certs); i++) {
		static const char *const names[] = { "z", "a", "m" };
		struct idevid_spec spec = { .cn = names[i], .key = key, .issuer_key = key };

		certs[i] = idevid_new(&spec);
		idevid_der(certs[i], &der[i]);
		spans[i] = buf_span(&der[i]);
	}
	for (size_t n = 1; n <= ARRAY_LEN(certs); n++) {
		const unsigned char *p;
		CMS_ContentInfo *cms;
		PKCS7 *p7;
		STACK_OF(X509) * got;

		buf_reset(&out);
		est_certs_only(spans, n, &out);
		p = out.data;
		cms = d2i_CMS_ContentInfo(NULL, &p, (long)out.len);
		CHECK(cms != NULL && p == out.data + out.len);
		if (cms != NULL) {
			CHECK(OBJ_obj2nid(CMS_get0_type(cms)) == NID_pkcs7_signed);
			CHECK(OBJ_obj2nid(CMS_get0_eContentType(cms)) == NID_pkcs7_data);
			CHECK(sk_CMS_SignerInfo_num(CMS_get0_SignerInfos(cms)) <= 0);
			got = CMS_get1_certs(cms);
			check_certs(got, certs, n);
			sk_X509_pop_free(got, X509_free);
		}
		CMS_ContentInfo_free(cms);
		/* As "openssl pkcs7 -print_certs" reads it. */
		p = out.data;
		p7 = d2i_PKCS7(NULL, &p, (long)out.len);
		CHECK(p7 != NULL && p == out.data + out.len && PKCS7_type_is_signed(p7));
		if (p7 != NULL) {
			CHECK(ASN1_INTEGER_get(p7->d.sign->version) == 1);
			CHECK(sk_X509_ALGOR_num(p7->d.sign->md_algs) == 0);
			check_certs(p7->d.sign->cert, certs, n);
		}
		PKCS7_free(p7);
	}
	for (size_t i = 0; i < ARRAY_LEN(certs); i++) {
		X509_free(certs[i]);
		buf_free(&der[i]);
	}
	EVP_PKEY_free(key);
	buf_free(&out);
}

#define EC_KEY_OID "0607 2a8648ce3d0201"
#define P256_OID "0608 2a8648ce3d030107"
#define P384_OID "0605 2b81040022"
#define SHA256_OID "0608 2a8648ce3d040302"
#define SHA384_OID "0608 2a8648ce3d040303"
#define USAGE(value) "301f 0609 2a864886f70d01090e 3112 3010 300e 0603 551d0f 0101ff 0404 " value

#define PROFILE(curves, usage)                                                                     \
	"[profile]\ndescription = x\nkind = device\nvalidity = 1d\n"                               \
	"hw_type_arcs = 1.3.6.1.4.1.32473\ncurve = " curves "\nkey_usage = " usage "\n"

static const struct attrs_row {
	const char *name, *text, *want;
	int oids, attrs;
} attrs_rows[] = {
	{ "signature", PROFILE("P-256", "digitalSignature"),
	    "3042 3015" EC_KEY_OID "310a" P256_OID USAGE("03020780") SHA256_OID, 1, 2 },
	{ "agreement", PROFILE("P-256", "keyAgreement"),
	    "3042 3015" EC_KEY_OID "310a" P256_OID USAGE("03020308") SHA256_OID, 1, 2 },
	{ "P-384", PROFILE("P-384", "digitalSignature"),
	    "303f 3012" EC_KEY_OID "3107" P384_OID USAGE("03020780") SHA384_OID, 1, 2 },
	{ "two curves", PROFILE("P-256, P-384", "digitalSignature"),
	    "3053 301c" EC_KEY_OID "3111" P384_OID P256_OID USAGE("03020780") SHA256_OID SHA384_OID,
	    2, 2 },
	{ "a choice of usages", PROFILE("P-256", "digitalSignature | keyAgreement"),
	    "3021 3015" EC_KEY_OID "310a" P256_OID SHA256_OID, 1, 1 },
	{ "both usages", PROFILE("P-256", "digitalSignature, keyAgreement"),
	    "3042 3015" EC_KEY_OID "310a" P256_OID USAGE("03020388") SHA256_OID, 1, 2 },
};

/* CsrAttrs ::= SEQUENCE OF CHOICE { OID, Attribute } (RFC 8951 3.5): how many of each; -1. */
static int
attrs_read(const uint8_t *p, size_t len, int *oids, int *attrs)
{
	struct der d = der_from(p, len), list, attr, values;
	struct span oid, last, one;

	*oids = *attrs = 0;
	if (der_get(&d, DER_SEQUENCE, &list) != 0 || !der_end(&d))
		return -1;
	while (!der_end(&list)) {
		if (der_tag(&list) == DER_OID) {
			if (der_get_oid(&list, &oid) != 0)
				return -1;
			++*oids;
			continue;
		}
		if (der_get(&list, DER_SEQUENCE, &attr) != 0 || der_get_oid(&attr, &oid) != 0 ||
		    der_get(&attr, DER_SET, &values) != 0 || !der_end(&attr) || der_end(&values))
			return -1;
		last = (struct span){ NULL, 0 };
		while (!der_end(&values)) {
			if (der_get_any(&values, NULL, NULL, &one) != 0 ||
			    (last.p != NULL && !der_ascends(last, one)))
				return -1;
			last = one;
		}
		++*attrs;
	}
	return 0;
}

static void
test_attrs(void)
{
	/* RFC 8951's example: what the check itself has to read. */
	static const char vector[] = "MEEGCSqGSIb3DQEJBzASBgcqhkjOPQIBMQcGBSuBBAAiMBYGCSqGSIb3DQEJ"
				     "DjEJBgcrBgEBAQEWBggqhkjOPQQDAw==";
	struct buf out = { 0 };
	uint8_t want[128];
	int oids, attrs;
	size_t len;

	CHECK(base64_decode(vector, strlen(vector), 128, 0, &out) == 0);
	CHECK(attrs_read(out.data, out.len, &oids, &attrs) == 0 && oids == 2 && attrs == 2);
	for (size_t i = 0; i < ARRAY_LEN(attrs_rows); i++) {
		const struct attrs_row *row = &attrs_rows[i];
		struct profile *p = NULL;
		struct err err;

		if (profile_parse("x", row->text, strlen(row->text), &p, &err) != 0) {
			fprintf(stderr, "  %s\n", err.msg);
			CHECK_ROW(row->name, p != NULL);
			continue;
		}
		buf_reset(&out);
		est_csrattrs(p, &out);
		len = policy_hex(row->want, want, sizeof(want));
		CHECK_MEM(out.data, out.len, want, len);
		CHECK_ROW(row->name, attrs_read(out.data, out.len, &oids, &attrs) == 0);
		CHECK_ROW(row->name, oids == row->oids && attrs == row->attrs);
		profile_free(p);
	}
	buf_free(&out);
}

static const struct test_case cases[] = {
	{ "certs-only, octet for octet", test_certs_octets },
	{ "certs-only, as others read it", test_certs_read },
	{ "CsrAttrs", test_attrs },
};

TEST_MAIN("est", cases)
