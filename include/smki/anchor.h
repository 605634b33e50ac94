/*
 * Manufacturers' enrolment anchors: does a chain of certificates prove which meter it is (IEEE
 * 802.1AR IDevID)? Bytes and a time in, an identity out; no files, no clock.
 */
#ifndef SMKI_ANCHOR_H
#define SMKI_ANCHOR_H

#include "smki/refusal.h"
#include "smki/types.h"

/* Certificates of one chain, octets of one of them, anchors of one manufacturer, octets of its CRL
 * file. */
#define ANCHOR_CHAIN_MAX 6
#define ANCHOR_CERT_MAX 8192
#define ANCHOR_CERTS_MAX 16
#define ANCHOR_FILE_MAX (256 * 1024)

/* Where a manufacturer's certificates say which device it is. */
enum anchor_eui {
	ANCHOR_EUI_SAN = 1, /* HardwareModuleName in subjectAltName, hwSerialNum of 8 octets */
	ANCHOR_EUI_SERIAL_NUMBER, /* subject serialNumber (2.5.4.5), 16 hexadecimal digits */
};

struct anchor; /* one manufacturer; immutable: any thread */

/*
 * pem: 1 to ANCHOR_CERTS_MAX CA certificates (basicConstraints cA) in PEM; crl: as many PEM CRLs,
 * each with nextUpdate, or empty. With a CRL the device's certificate is checked against that of its
 * issuer, and one that is missing or has ended refuses. FAIL_INVALID "manufacturer NAME: ..." for
 * what is no PEM, no CA certificate, another PEM block, or too much.
 */
int anchor_new(const char *manufacturer, enum anchor_eui eui, struct span pem, struct span crl,
    struct anchor **out, struct err *err) MUST_USE;
void anchor_free(struct anchor *anchor);
const char *anchor_manufacturer(const struct anchor *anchor);
/* Anchors and CRLs that have ended at now prove nobody, which each of their meters will find out:
 * FAIL_UNAVAILABLE "manufacturer NAME: ..." with the time when one of them did. */
int anchor_check_ends(const struct anchor *anchor, time_t now, struct err *err) MUST_USE;

struct idevid {
	struct eui64 eui;
	bool has_hw_type; /* with ANCHOR_EUI_SAN */
	char hw_type[OID_TEXT_LEN];
	bool has_pub; /* an EC key on P-256 or P-384 */
	struct ec_pub pub;
};

/*
 * Verify chain (DER, the device's first) under the anchor at time now: RFC 5280 6 by OpenSSL's
 * X509_verify_cert, purpose TLS client, keys and digests of 112 bits of security or more, the
 * anchor trusted whether self-signed or not (until its own end); no name is checked by OpenSSL.
 * *why, on failure, tells the kind of refusal: REFUSAL_ANCHOR when it does not lead to this anchor,
 * REFUSAL_CERTIFICATE when it does but has ended, is not yet valid, is revoked, is not for this
 * purpose or for signatures, is a CA's or does not say which device it is. FAIL_DENIED with *why; trailing bytes, too
 * many or too large certificates, what is no certificate, a device's with a malformed or repeated
 * extension: FAIL_INVALID with REFUSAL_FORM.
 */
int anchor_verify(const struct anchor *anchor, const struct span *chain, size_t n, time_t now,
    struct idevid *out, enum refusal *why, struct err *err) MUST_USE;

/* The same in two steps, for who tries several anchors: a chain decoded once, for one thread at a
 * time. The read fails as FAIL_INVALID with REFUSAL_FORM only, the verification never so. */
struct anchor_chain;
int anchor_chain_read(const struct span *chain, size_t n, struct anchor_chain **out,
    enum refusal *why, struct err *err) MUST_USE;
void anchor_chain_free(struct anchor_chain *chain);
int anchor_chain_verify(const struct anchor *anchor, const struct anchor_chain *chain, time_t now,
    struct idevid *out, enum refusal *why, struct err *err) MUST_USE;

#endif
