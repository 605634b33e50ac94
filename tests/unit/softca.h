/*
 * A small CA made with libcrypto alone, for tests of OCSP: its name, CertIDs as a client makes
 * them, its certificate and that of a responder. Never part of a program.
 */
#ifndef SOFTCA_H
#define SOFTCA_H

#include <openssl/ocsp.h>
#include <openssl/x509v3.h>

#include "softsign.h"
#include "test.h"

/* The time of all tests: 20260921141320Z. Certificates are valid from the day before, 15 days. */
#define T0 ((time_t)1790000000)

/* CN=Z1, OU=07 */
static const uint8_t softca_name[] = { 0x30, 0x1a, 0x31, 0x0b, 0x30, 0x09, 0x06, 0x03, 0x55, 0x04,
	0x0b, 0x13, 0x02, '0', '7', 0x31, 0x0b, 0x30, 0x09, 0x06, 0x03, 0x55, 0x04, 0x03, 0x13,
	0x02, 'Z', '1' };

static inline X509_NAME *
name_new(void)
{
	const unsigned char *at = softca_name;

	return d2i_X509_NAME(NULL, &at, sizeof(softca_name));
}

/* The key as the BIT STRING that a CertID hashes. */
static inline ASN1_BIT_STRING *
key_bits(const struct softsign *s)
{
	ASN1_BIT_STRING *bits = ASN1_BIT_STRING_new();

	ASN1_BIT_STRING_set(
	    bits, (unsigned char *)(uintptr_t)s->signer.pub.point, (int)s->signer.pub.len);
	return bits;
}

static inline OCSP_CERTID *
certid_new(const EVP_MD *md, const struct softsign *ca, long serial, bool absent)
{
	X509_NAME *name = name_new();
	ASN1_BIT_STRING *bits = key_bits(ca);
	ASN1_INTEGER *number = ASN1_INTEGER_new();
	OCSP_CERTID *id, *again;
	unsigned char *der = NULL;
	const unsigned char *at;
	uint8_t cut[256];
	int len, alg = md == EVP_sha1() ? 0x09 : 0x0d;

	ASN1_INTEGER_set(number, serial);
	id = OCSP_cert_id_new(md, name, bits, number);
	CHECK(id != NULL);
	if (absent) {
		/* The same without the NULL: two octets less behind the identifier. */
		len = i2d_OCSP_CERTID(id, &der);
		CHECK(len > 2 + 2 + alg && len < 128 && der[2] == 0x30 && der[3] == alg);
		CHECK(der[2 + alg] == 0x05 && der[3 + alg] == 0x00);
		memcpy(cut, der, (size_t)len);
		memmove(cut + 2 + alg, cut + 4 + alg, (size_t)(len - 4 - alg));
		cut[1] = (uint8_t)(cut[1] - 2);
		cut[3] = (uint8_t)(cut[3] - 2);
		at = cut;
		again = d2i_OCSP_CERTID(NULL, &at, len - 2);
		CHECK(again != NULL);
		OCSP_CERTID_free(id);
		OPENSSL_free(der);
		id = again;
	}
	ASN1_INTEGER_free(number);
	ASN1_BIT_STRING_free(bits);
	X509_NAME_free(name);
	return id;
}

/* A certificate for key, by libcrypto; issuer NULL = self-signed CA, else a responder's. */
static inline X509 *
x509_new(const struct softsign *key, X509 *issuer, const struct softsign *issuer_key)
{
	X509 *x = X509_new();
	X509_NAME *name = name_new(), *subject = X509_NAME_new();
	BASIC_CONSTRAINTS *bc = BASIC_CONSTRAINTS_new();
	EXTENDED_KEY_USAGE *eku = sk_ASN1_OBJECT_new_null();
	ASN1_NULL *null = ASN1_NULL_new();

	CHECK(X509_set_version(x, 2) == 1);
	ASN1_INTEGER_set(X509_get_serialNumber(x), issuer == NULL ? 1 : 2);
	X509_set_issuer_name(x, name);
	X509_NAME_add_entry_by_txt(
	    subject, "CN", MBSTRING_ASC, (const unsigned char *)"ocsp", -1, -1, 0);
	X509_set_subject_name(x, issuer == NULL ? name : subject);
	ASN1_TIME_adj(X509_getm_notBefore(x), T0, -1, 0);
	ASN1_TIME_adj(X509_getm_notAfter(x), T0, 14, 0);
	X509_set_pubkey(x, key->key);
	if (issuer == NULL) {
		bc->ca = 0xff;
		CHECK(X509_add1_ext_i2d(x, NID_basic_constraints, bc, 1, 0) == 1);
	} else {
		sk_ASN1_OBJECT_push(eku, OBJ_nid2obj(NID_OCSP_sign));
		CHECK(X509_add1_ext_i2d(x, NID_ext_key_usage, eku, 0, 0) == 1);
		CHECK(X509_add1_ext_i2d(x, NID_id_pkix_OCSP_noCheck, null, 0, 0) == 1);
	}
	CHECK(X509_sign(x, issuer_key->key, EVP_sha256()) > 0);
	ASN1_NULL_free(null);
	sk_ASN1_OBJECT_free(eku);
	BASIC_CONSTRAINTS_free(bc);
	X509_NAME_free(subject);
	X509_NAME_free(name);
	return x;
}

#endif
