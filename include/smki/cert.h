/*
 * X.509 v3 certificates: writing the TBSCertificate of a grant, and a strict reader for
 * certificates of this PKI.
 */
#ifndef SMKI_CERT_H
#define SMKI_CERT_H

#include "smki/profile.h"
#include "smki/sign.h"
#include "smki/types.h"

#define CERT_DER_MAX 4096

/* What of the CA goes into what it issues. Spans are borrowed from the CA's certificate. */
struct issuer {
	struct span subject; /* Name, byte for byte */
	struct span ski;     /* contents of its SubjectKeyIdentifier */
	time_t not_after;
	enum ec_curve curve;   /* of its key: fixes the signature algorithm */
	char crl_uri[URI_MAX]; /* "" = not configured */
	char ocsp_uri[URI_MAX];
	char ca_uri[URI_MAX];
};

/*
 * Random serial: octets long, first octet 0x01..0x7f (so the DER length is fixed and the value
 * positive), the rest unpredictable. draw fills n octets from a CSPRNG: 0 or -1.
 */
int cert_serial(
    long octets, int (*draw)(uint8_t *out, size_t n), struct serial *out, struct err *err) MUST_USE;

/*
 * notBefore = now; notAfter = 99991231235959Z, or now + validity - 1 (both ends count, RFC 5280
 * 4.1.2.5) cut to the issuer's notAfter: a device's 9999 is never cut (GBCS 12). FAIL_DENIED when
 * the issuer has ended, FAIL_UNAVAILABLE when now is outside the years 1950 to 9999. issuer NULL =
 * self-signed.
 */
int cert_validity(const struct profile *profile, const struct issuer *issuer, time_t now,
    time_t *not_before, time_t *not_after, struct err *err) MUST_USE;

/*
 * Append the TBSCertificate to tbs, which is unchanged on failure. issuer NULL = self-signed (root:
 * its own subject, and its own key id as SKI and AKI).
 * Extensions in this order, those that apply: AKI, SKI, keyUsage (critical), certificatePolicies,
 * subjectAltName (critical when the subject is empty), basicConstraints (critical), extKeyUsage,
 * OCSP nocheck, CDP, AIA. A profile with cdp or aia needs the URI: FAIL_INVALID naming --url.
 * short_key_id needs an issuer SKI of 8 octets beginning 0100: FAIL_INVALID, as is a certificate that
 * would be over CERT_DER_MAX.
 */
int cert_build_tbs(const struct profile *profile, const struct issuer *issuer,
    const struct grant *grant, const struct serial *serial, time_t not_before, time_t not_after,
    struct buf *tbs, struct err *err) MUST_USE;

/* A parsed certificate; spans borrow from the DER handed in. */
struct cert {
	struct span der;
	struct span tbs;
	struct serial serial;
	struct span issuer;
	struct span subject;
	time_t not_before, not_after;
	struct ec_pub pub;
	struct span ski; /* empty when absent */
	struct span aki;
	unsigned key_usage; /* 0 when absent */
	bool ca;
	bool eku_ocsp; /* extKeyUsage holds id-kp-OCSPSigning */
	bool nocheck;
	struct span san; /* GeneralNames, empty when absent */
	struct span sig;
	enum ec_curve sig_curve;
};

/* Strict DER, v3, EC keys, ECDSA; trailing bytes refused. FAIL_INVALID also for an unknown critical
 * extension, a critical key identifier or AIA, a keyUsage that is missing or not critical, an AKI
 * missing where issuer and subject differ, cA without keyCertSign or the reverse. */
int cert_parse(const uint8_t *der, size_t len, struct cert *out, struct err *err) MUST_USE;
/* Signature of cert by the issuer's key, and issuer's subject equal to cert's issuer name. */
int cert_check_issued(const struct cert *cert, const struct cert *issuer, struct err *err) MUST_USE;
/* struct issuer from a parsed CA certificate, URIs empty. */
void cert_issuer(const struct cert *ca, struct issuer *out);

/* A Name for people: "CN=Z1, OU=07" (RFC 4514 order and escapes, cut to cap). */
void name_text(struct span name, char *out, size_t cap);

#endif
