/*
 * Manufacturers' enrolment anchors. libcrypto builds and verifies the path (RFC 5280 6); who the
 * device is, is read from its certificate by the readers of our own, never by libcrypto's
 * comparisons of names. Reads no file and no clock.
 */
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "smki/anchor.h"
#include "smki/eckey.h"
#include "smki/ext.h"
#include "smki/hex.h"
#include "smki/mem.h"

/* libcrypto's level 2: keys and digests of at least 112 bits of security, so no SHA-1. */
#define ANCHOR_AUTH_LEVEL 2

struct anchor {
	char manufacturer[NAME_LEN];
	enum anchor_eui eui;
	X509_STORE *store;
	size_t n_certs, n_crls;
	time_t certs_end, crls_end; /* of the one that ends first */
};

struct anchor_chain {
	X509 *leaf;
	STACK_OF(X509) * rest;
};

static int
anchor_refuse(const struct anchor *a, const char *finding, struct err *err)
{
	ERR_clear_error();
	return err_set(err, FAIL_INVALID, "manufacturer %s: %s", a->manufacturer, finding);
}

/* Keep the earliest end of n objects read so far and this one. */
static int
anchor_note_end(const ASN1_TIME *end, size_t n, time_t *earliest)
{
	struct tm tm;
	time_t at;

	if (ASN1_TIME_to_tm(end, &tm) != 1)
		return -1;
	at = timegm(&tm);
	if (n == 0 || at < *earliest)
		*earliest = at;
	return 0;
}

static int
anchor_add_cert(struct anchor *a, const uint8_t *der, size_t len, struct err *err)
{
	const unsigned char *p = der;
	X509 *x = NULL;
	int r = -1;

	if (a->n_certs == ANCHOR_CERTS_MAX)
		return anchor_refuse(a, "anchors: more than 16 certificates", err);
	if (len > ANCHOR_CERT_MAX)
		return anchor_refuse(a, "anchors: a certificate is larger than 8192 octets", err);
	x = d2i_X509(NULL, &p, (long)len);
	if (x == NULL || p != der + len) {
		anchor_refuse(a, "anchors: RFC 5280 4.1: a certificate cannot be read", err);
		goto out;
	}
	if ((X509_get_extension_flags(x) & EXFLAG_INVALID) != 0 || X509_check_ca(x) != 1) {
		anchor_refuse(a, "anchors: RFC 5280 4.2.1.9: a certificate is not a CA's", err);
		goto out;
	}
	if (anchor_note_end(X509_get0_notAfter(x), a->n_certs, &a->certs_end) != 0) {
		anchor_refuse(
		    a, "anchors: RFC 5280 4.1.2.5: notAfter of a certificate is no time", err);
		goto out;
	}
	require(X509_STORE_add_cert(a->store, x) == 1);
	a->n_certs++;
	r = 0;
out:
	X509_free(x);
	return r;
}

static int
anchor_add_crl(struct anchor *a, const uint8_t *der, size_t len, struct err *err)
{
	const unsigned char *p = der;
	X509_CRL *crl = NULL;
	int r = -1;

	if (a->n_crls == ANCHOR_CERTS_MAX)
		return anchor_refuse(a, "crl: more than 16 CRLs", err);
	crl = d2i_X509_CRL(NULL, &p, (long)len);
	if (crl == NULL || p != der + len) {
		anchor_refuse(a, "crl: RFC 5280 5.1: a CRL cannot be read", err);
		goto out;
	}
	/* One that never ends would hide for ever that nobody renews it. */
	if (X509_CRL_get0_nextUpdate(crl) == NULL) {
		anchor_refuse(a, "crl: RFC 5280 5.1.2.5: a CRL has no nextUpdate", err);
		goto out;
	}
	if (anchor_note_end(X509_CRL_get0_nextUpdate(crl), a->n_crls, &a->crls_end) != 0) {
		anchor_refuse(a, "crl: RFC 5280 5.1.2.5: nextUpdate of a CRL is no time", err);
		goto out;
	}
	require(X509_STORE_add_crl(a->store, crl) == 1);
	a->n_crls++;
	r = 0;
out:
	X509_CRL_free(crl);
	return r;
}

/* The next PEM block, which must bear this label: 1, 0 at the end, -1 refused. */
static int
anchor_read_block(struct anchor *a, BIO *bio, const char *label,
    int (*add)(struct anchor *, const uint8_t *, size_t, struct err *), struct err *err)
{
	char *name = NULL, *header = NULL;
	unsigned char *data = NULL;
	long len = 0;
	int r = -1;

	if (PEM_read_bio(bio, &name, &header, &data, &len) != 1) {
		if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
			return anchor_refuse(a, "RFC 7468 3: a PEM block cannot be read", err);
		ERR_clear_error();
		return 0;
	}
	if (strcmp(name, label) != 0 || header[0] != '\0')
		err_set(err, FAIL_INVALID,
		    "manufacturer %s: RFC 7468 4: a PEM block is not a plain \"%s\"",
		    a->manufacturer, label);
	else if (add(a, data, (size_t)len, err) == 0)
		r = 1;
	OPENSSL_free(name);
	OPENSSL_free(header);
	/* It may be a private key that should not be there. */
	OPENSSL_clear_free(data, (size_t)len);
	return r;
}

static int
anchor_read(struct anchor *a, struct span pem, const char *label,
    int (*add)(struct anchor *, const uint8_t *, size_t, struct err *), struct err *err)
{
	BIO *bio;
	int r;

	if (pem.len > ANCHOR_FILE_MAX)
		return anchor_refuse(a, "PEM file is larger than 262144 octets", err);
	if (pem.len == 0)
		return 0;
	ERR_clear_error();
	bio = BIO_new_mem_buf(pem.p, (int)pem.len);
	require(bio != NULL);
	do
		r = anchor_read_block(a, bio, label, add, err);
	while (r > 0);
	BIO_free(bio);
	return r;
}

int
anchor_new(const char *manufacturer, enum anchor_eui eui, struct span pem, struct span crl,
    struct anchor **out, struct err *err)
{
	struct anchor *a = NULL;
	int r = -1;

	if (name_check("manufacturer", manufacturer, err) != 0)
		return -1;
	a = mem_alloc(sizeof(*a));
	strcpy(a->manufacturer, manufacturer);
	a->eui = eui;
	a->store = X509_STORE_new();
	require(a->store != NULL);
	require(X509_STORE_set_flags(a->store, X509_V_FLAG_PARTIAL_CHAIN) == 1);
	require(X509_STORE_set_depth(a->store, ANCHOR_CHAIN_MAX) == 1);
	if (anchor_read(a, pem, PEM_STRING_X509, anchor_add_cert, err) != 0 ||
	    anchor_read(a, crl, PEM_STRING_X509_CRL, anchor_add_crl, err) != 0)
		goto out;
	if (a->n_certs == 0) {
		anchor_refuse(a, "anchors: no certificate in PEM there", err);
		goto out;
	}
	/* A file that was named and is empty by mistake must not switch the check off. */
	if (crl.len > 0 && a->n_crls == 0) {
		anchor_refuse(a, "crl: no CRL in PEM there", err);
		goto out;
	}
	*out = a;
	a = NULL;
	r = 0;
out:
	anchor_free(a);
	return r;
}

void
anchor_free(struct anchor *anchor)
{
	if (anchor == NULL)
		return;
	X509_STORE_free(anchor->store);
	free(anchor);
}

const char *
anchor_manufacturer(const struct anchor *anchor)
{
	return anchor->manufacturer;
}

/* The moment of the end counts as after it, as libcrypto has it. */
int
anchor_check_ends(const struct anchor *anchor, time_t now, struct err *err)
{
	char text[TIME_TEXT_LEN];

	if (anchor->certs_end <= now) {
		time_text(anchor->certs_end, text);
		return err_set(err, FAIL_UNAVAILABLE,
		    "manufacturer %s: anchors: a certificate has ended at %s; take it out of the "
		    "file or put its successor there",
		    anchor->manufacturer, text);
	}
	if (anchor->n_crls > 0 && anchor->crls_end <= now) {
		time_text(anchor->crls_end, text);
		return err_set(err, FAIL_UNAVAILABLE,
		    "manufacturer %s: crl: a CRL has ended at %s; meters below it are refused "
		    "until a newer one is there",
		    anchor->manufacturer, text);
	}
	return 0;
}

/* One certificate of a chain: DER of its own length and nothing behind. NULL when it is none. */
static X509 *
anchor_cert(struct span der)
{
	struct der d = der_from(der.p, der.len);
	const unsigned char *p = der.p;
	X509 *x;

	if (der.len > ANCHOR_CERT_MAX || der_get(&d, DER_SEQUENCE, NULL) != 0 || !der_end(&d))
		return NULL;
	x = d2i_X509(NULL, &p, (long)der.len);
	if (x != NULL && p == der.p + der.len)
		return x;
	X509_free(x);
	ERR_clear_error();
	return NULL;
}

int
anchor_chain_read(const struct span *chain, size_t n, struct anchor_chain **out, enum refusal *why,
    struct err *err)
{
	struct anchor_chain *c = NULL;
	int r = -1;

	if (n == 0 || n > ANCHOR_CHAIN_MAX) {
		*why = REFUSAL_FORM;
		return err_set(err, FAIL_INVALID,
		    "certificate: size limit: chain of %zu certificates, 1 to %d are taken", n,
		    ANCHOR_CHAIN_MAX);
	}
	c = mem_alloc(sizeof(*c));
	c->rest = sk_X509_new_null();
	require(c->rest != NULL);
	for (size_t i = 0; i < n; i++) {
		X509 *x = anchor_cert(chain[i]);

		if (x == NULL) {
			*why = REFUSAL_FORM;
			err_set(err, FAIL_INVALID,
			    "certificate: RFC 5280 4.1: number %zu of the chain is not one "
			    "certificate in DER of at most %d octets",
			    i + 1, ANCHOR_CERT_MAX);
			goto out;
		}
		if (i == 0)
			c->leaf = x;
		else
			require(sk_X509_push(c->rest, x) > 0);
	}
	if ((X509_get_extension_flags(c->leaf) & EXFLAG_INVALID) != 0) {
		ERR_clear_error();
		*why = REFUSAL_FORM;
		err_set(err, FAIL_INVALID,
		    "certificate: RFC 5280 4.2: an extension is malformed or there twice");
		goto out;
	}
	*out = c;
	c = NULL;
	r = 0;
out:
	anchor_chain_free(c);
	return r;
}

void
anchor_chain_free(struct anchor_chain *chain)
{
	if (chain == NULL)
		return;
	sk_X509_pop_free(chain->rest, X509_free);
	X509_free(chain->leaf);
	free(chain);
}

/*
 * libcrypto lets a certificate without basicConstraints sign others when it has keyCertSign or is
 * of another age; RFC 5280 6.1.4 (k) does not.
 */
static int
anchor_issuers_ok(X509_STORE_CTX *ctx)
{
	STACK_OF(X509) *path = X509_STORE_CTX_get0_chain(ctx);

	for (int i = 1; i < sk_X509_num(path); i++)
		if (X509_check_ca(sk_X509_value(path, i)) != 1)
			return 0;
	return 1;
}

/* What of the rules a verification looks at. */
enum anchor_scope {
	ANCHOR_ALL,  /* the verdict */
	ANCHOR_PATH, /* names and signatures up to an anchor: does it lead there at all? */
};

/* X509_V_OK or libcrypto's first finding. */
static int
anchor_run(
    const struct anchor *a, const struct anchor_chain *chain, time_t now, enum anchor_scope scope)
{
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	X509_VERIFY_PARAM *param;
	int error;

	require(ctx != NULL && X509_STORE_CTX_init(ctx, a->store, chain->leaf, chain->rest) == 1);
	param = X509_STORE_CTX_get0_param(ctx);
	switch (scope) {
	case ANCHOR_ALL:
		X509_VERIFY_PARAM_set_time(param, now);
		X509_VERIFY_PARAM_set_auth_level(param, ANCHOR_AUTH_LEVEL);
		require(X509_VERIFY_PARAM_set_purpose(param, X509_PURPOSE_SSL_CLIENT) == 1);
		if (a->n_crls > 0)
			require(X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_CRL_CHECK) == 1);
		break;
	case ANCHOR_PATH:
		require(X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_NO_CHECK_TIME) == 1);
		break;
	}
	if (X509_verify_cert(ctx) == 1) {
		error = anchor_issuers_ok(ctx) ? X509_V_OK : X509_V_ERR_INVALID_CA;
	} else {
		error = X509_STORE_CTX_get_error(ctx);
		if (error == X509_V_OK)
			error = X509_V_ERR_UNSPECIFIED;
	}
	X509_STORE_CTX_free(ctx);
	ERR_clear_error();
	return error;
}

/* FAIL_DENIED: the chain leads to the anchor, but this device's certificate is not to be trusted. */
static int
anchor_deny(const struct anchor *a, const char *clause, const char *finding, struct err *err)
{
	return err_set(err, FAIL_DENIED, "certificate: %s: manufacturer %s: %s", clause,
	    a->manufacturer, finding);
}

/* subjectAltName of the certificate, the contents of extnValue; -1 unless it is there once. */
static int
anchor_san(const X509 *x, struct span *out)
{
	int at = X509_get_ext_by_NID(x, NID_subject_alt_name, -1);
	const ASN1_OCTET_STRING *value;

	if (at < 0 || X509_get_ext_by_NID(x, NID_subject_alt_name, at) >= 0)
		return -1;
	value = X509_EXTENSION_get_data(X509_get_ext(x, at));
	*out = (struct span){ ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value) };
	return 0;
}

/* NULL when found, else the finding. */
static const char *
anchor_eui_san(const X509 *x, struct idevid *id)
{
	struct span san, type, serial;

	if (anchor_san(x, &san) != 0 || ext_hardware_find(san, &type, &serial) != 0)
		return "subjectAltName does not hold exactly one HardwareModuleName";
	if (serial.len != EUI64_LEN)
		return "hwSerialNum is not an EUI-64 of 8 octets";
	if (oid_to_text(type, id->hw_type) != 0)
		return "hwType is too long";
	id->has_hw_type = true;
	memcpy(id->eui.octets, serial.p, EUI64_LEN);
	return NULL;
}

/* The same from the subject's serialNumber: 16 digits, which hex_decode makes 8 octets of only when
 * no separator stands between them. */
static const char *
anchor_eui_serial(const X509 *x, struct idevid *id)
{
	const X509_NAME *subject = X509_get_subject_name(x);
	int at = X509_NAME_get_index_by_NID(subject, NID_serialNumber, -1);
	const ASN1_STRING *value;
	char text[2 * EUI64_LEN + 1];
	size_t len;

	if (at < 0 || X509_NAME_get_index_by_NID(subject, NID_serialNumber, at) >= 0)
		return "subject does not hold exactly one serialNumber";
	value = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at));
	if ((ASN1_STRING_type(value) != V_ASN1_PRINTABLESTRING &&
		ASN1_STRING_type(value) != V_ASN1_UTF8STRING) ||
	    ASN1_STRING_length(value) != 2 * EUI64_LEN)
		return "serialNumber is not 16 hexadecimal digits";
	memcpy(text, ASN1_STRING_get0_data(value), 2 * EUI64_LEN);
	text[2 * EUI64_LEN] = '\0';
	if (hex_decode(text, id->eui.octets, EUI64_LEN, &len) != 0 || len != EUI64_LEN)
		return "serialNumber is not 16 hexadecimal digits";
	return NULL;
}

/* Its key, when it is one that this PKI uses. */
static void
anchor_key(const X509 *x, struct idevid *id)
{
	unsigned char *der = NULL;
	int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &der);
	struct der d;

	if (len > 0) {
		d = der_from(der, (size_t)len);
		id->has_pub = ec_pub_get(&d, "certificate", &id->pub, NULL) == 0 && der_end(&d);
	}
	OPENSSL_free(der);
	ERR_clear_error();
}

/* Which device it is; -1 FAIL_DENIED. */
static int
anchor_identify(const struct anchor *a, X509 *leaf, struct idevid *out, struct err *err)
{
	static const struct eui64 none = { { 0 } };
	struct idevid id = { 0 };
	const char *finding = NULL, *clause = "RFC 4108 5";

	/* Every anchor is a CA's, so none of them passes for a device either. */
	if (X509_check_ca(leaf) != 0)
		return anchor_deny(a, "RFC 5280 4.2.1.9", "a CA is not a device", err);
	/* libcrypto also lets keys for key agreement be clients of TLS; here they sign. */
	if ((X509_get_key_usage(leaf) & KU_DIGITAL_SIGNATURE) == 0)
		return anchor_deny(a, "RFC 5280 4.2.1.3", "its key is not for signatures", err);
	switch (a->eui) {
	case ANCHOR_EUI_SAN:
		finding = anchor_eui_san(leaf, &id);
		break;
	case ANCHOR_EUI_SERIAL_NUMBER:
		finding = anchor_eui_serial(leaf, &id);
		clause = "X.520 6.2.9";
		break;
	}
	if (finding == NULL && memcmp(&id.eui, &none, sizeof(none)) == 0)
		finding = "EUI-64 is all zero";
	if (finding != NULL)
		return anchor_deny(a, clause, finding, err);
	anchor_key(leaf, &id);
	*out = id;
	return 0;
}

int
anchor_chain_verify(const struct anchor *anchor, const struct anchor_chain *chain, time_t now,
    struct idevid *out, enum refusal *why, struct err *err)
{
	int error = anchor_run(anchor, chain, now, ANCHOR_ALL);

	if (error == X509_V_OK) {
		*why = REFUSAL_CERTIFICATE;
		return anchor_identify(anchor, chain->leaf, out, err);
	}
	/*
	 * libcrypto looks at purposes and CRLs before signatures: its finding may be about a
	 * certificate that says it is from this manufacturer and is not.
	 */
	if (anchor_run(anchor, chain, now, ANCHOR_PATH) == X509_V_OK) {
		*why = REFUSAL_CERTIFICATE;
		return anchor_deny(
		    anchor, "RFC 5280 6.1", X509_verify_cert_error_string(error), err);
	}
	*why = REFUSAL_ANCHOR;
	return err_set(err, FAIL_DENIED,
	    "certificate: RFC 5280 6.1: does not lead to an anchor of manufacturer %s: %s",
	    anchor->manufacturer, X509_verify_cert_error_string(error));
}

int
anchor_verify(const struct anchor *anchor, const struct span *chain, size_t n, time_t now,
    struct idevid *out, enum refusal *why, struct err *err)
{
	struct anchor_chain *c = NULL;
	int r;

	if (anchor_chain_read(chain, n, &c, why, err) != 0)
		return -1;
	r = anchor_chain_verify(anchor, c, now, out, why, err);
	anchor_chain_free(c);
	return r;
}
