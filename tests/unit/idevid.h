/*
 * Manufacturers' certificates made with libcrypto, for tests of enrolment: roots, intermediates,
 * what is in a meter when it leaves the factory, and CRLs. Never part of a program.
 */
#ifndef IDEVID_H
#define IDEVID_H

#include <stdbool.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "smki/buf.h"
#include "smki/hex.h"
#include "smki/mem.h"

/* HardwareModuleName 1.3.6.1.4.1.32473.1, EUI-64 00DB123456780001, as GeneralNames and alone. */
#define IDEVID_NAME "a02306082b06010505070804a017301506092b0601040181fd5901040800db123456780001"
#define IDEVID_SAN "3025" IDEVID_NAME
#define IDEVID_EUI "00db123456780001"

/* One certificate; what is not told is left out. */
struct idevid_spec {
	const char *cn, *serial_number, *serial_number2;
	EVP_PKEY *key;
	X509 *issuer; /* NULL = itself */
	EVP_PKEY *issuer_key;
	bool ca, cert_sign;	/* basicConstraints cA, keyUsage keyCertSign and cRLSign */
	const char *usage;	/* hexadecimal, keyUsage of one that is no CA */
	const char *san, *san2; /* hexadecimal, GeneralNames */
	int eku, eku2;		/* NIDs */
	long number;
	time_t from, to;  /* to 0 = 99991231235959Z */
	const EVP_MD *md; /* NULL = SHA-256; ignored with a key that brings its own */
};

static inline void
idevid_extension(X509 *x, int nid, const char *hex)
{
	ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
	X509_EXTENSION *ext;
	uint8_t octets[512];
	size_t len;

	require(hex_decode(hex, octets, sizeof(octets), &len) == 0);
	require(ASN1_OCTET_STRING_set(value, octets, (int)len) == 1);
	ext = X509_EXTENSION_create_by_NID(NULL, nid, 1, value);
	require(ext != NULL && X509_add_ext(x, ext, -1) == 1);
	X509_EXTENSION_free(ext);
	ASN1_OCTET_STRING_free(value);
}

static inline void
idevid_text(X509_NAME *name, const char *type, const char *text)
{
	if (text != NULL)
		require(X509_NAME_add_entry_by_txt(
			    name, type, MBSTRING_ASC, (const unsigned char *)text, -1, -1, 0) == 1);
}

static inline void
idevid_purposes(X509 *x, const struct idevid_spec *spec)
{
	EXTENDED_KEY_USAGE *eku = sk_ASN1_OBJECT_new_null();

	sk_ASN1_OBJECT_push(eku, OBJ_nid2obj(spec->eku));
	if (spec->eku2 != 0)
		sk_ASN1_OBJECT_push(eku, OBJ_nid2obj(spec->eku2));
	require(X509_add1_ext_i2d(x, NID_ext_key_usage, eku, 0, 0) == 1);
	sk_ASN1_OBJECT_free(eku);
}

/* The caller's. */
static inline X509 *
idevid_new(const struct idevid_spec *spec)
{
	X509 *x = X509_new();
	X509_NAME *subject = X509_NAME_new();
	const EVP_MD *md = spec->md != NULL ? spec->md : EVP_sha256();

	idevid_text(subject, "CN", spec->cn);
	idevid_text(subject, "serialNumber", spec->serial_number);
	idevid_text(subject, "serialNumber", spec->serial_number2);
	require(X509_set_version(x, 2) == 1 && X509_set_subject_name(x, subject) == 1);
	require(X509_set_issuer_name(
		    x, spec->issuer != NULL ? X509_get_subject_name(spec->issuer) : subject) == 1);
	ASN1_INTEGER_set(X509_get_serialNumber(x), spec->number);
	ASN1_TIME_set(X509_getm_notBefore(x), spec->from);
	if (spec->to != 0)
		ASN1_TIME_set(X509_getm_notAfter(x), spec->to);
	else
		require(ASN1_TIME_set_string(X509_getm_notAfter(x), "99991231235959Z") == 1);
	require(X509_set_pubkey(x, spec->key) == 1);
	if (spec->ca)
		idevid_extension(x, NID_basic_constraints, "30030101ff");
	if (spec->cert_sign)
		idevid_extension(x, NID_key_usage, "03020106");
	if (spec->usage != NULL)
		idevid_extension(x, NID_key_usage, spec->usage);
	if (spec->san != NULL)
		idevid_extension(x, NID_subject_alt_name, spec->san);
	if (spec->san2 != NULL)
		idevid_extension(x, NID_subject_alt_name, spec->san2);
	if (spec->eku != 0)
		idevid_purposes(x, spec);
	if (EVP_PKEY_get_id(spec->issuer_key) == EVP_PKEY_ED25519)
		md = NULL;
	require(X509_sign(x, spec->issuer_key, md) > 0);
	X509_NAME_free(subject);
	return x;
}

/* A CRL with one serial, or none when it is 0; to 0 = no nextUpdate. The caller's. */
static inline X509_CRL *
idevid_crl(X509 *issuer, EVP_PKEY *key, long number, time_t from, time_t to)
{
	X509_CRL *crl = X509_CRL_new();
	ASN1_TIME *t = ASN1_TIME_set(NULL, from);

	require(X509_CRL_set_version(crl, 1) == 1);
	require(X509_CRL_set_issuer_name(crl, X509_get_subject_name(issuer)) == 1);
	require(X509_CRL_set1_lastUpdate(crl, t) == 1);
	if (number != 0) {
		X509_REVOKED *one = X509_REVOKED_new();
		ASN1_INTEGER *serial = ASN1_INTEGER_new();

		ASN1_INTEGER_set(serial, number);
		require(X509_REVOKED_set_serialNumber(one, serial) == 1);
		require(X509_REVOKED_set_revocationDate(one, t) == 1);
		require(X509_CRL_add0_revoked(crl, one) == 1);
		ASN1_INTEGER_free(serial);
	}
	ASN1_TIME_free(t);
	if (to != 0) {
		t = ASN1_TIME_set(NULL, to);
		require(X509_CRL_set1_nextUpdate(crl, t) == 1);
		ASN1_TIME_free(t);
	}
	require(X509_CRL_sign(crl, key, EVP_sha256()) > 0);
	return crl;
}

static inline void
idevid_der(const X509 *x, struct buf *out)
{
	unsigned char *der = NULL;
	int len = i2d_X509(x, &der);

	require(len > 0);
	buf_add(out, der, (size_t)len);
	OPENSSL_free(der);
}

static inline void
idevid_pem(const X509 *x, struct buf *out)
{
	struct buf der = { 0 };

	idevid_der(x, &der);
	pem_encode("CERTIFICATE", der.data, der.len, out);
	buf_free(&der);
}

static inline void
idevid_crl_pem(const X509_CRL *crl, struct buf *out)
{
	unsigned char *der = NULL;
	int len = i2d_X509_CRL(crl, &der);

	require(len > 0);
	pem_encode("X509 CRL", der, (size_t)len, out);
	OPENSSL_free(der);
}

#endif
