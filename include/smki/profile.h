/*
 * Certificate profiles as data (policies/NAME.cnf, OpenSSL configuration syntax) and the check of
 * a request against one: an allow-list match; nothing is ever copied from a request unchecked.
 */
#ifndef SMKI_PROFILE_H
#define SMKI_PROFILE_H

#include "smki/csr.h"
#include "smki/types.h"

#define PROFILE_LIST_MAX 8 /* OIDs or names in one list of a profile */
#define PROFILE_OUIS_MAX 32
/* First hexadecimal digits of an EUI-64, lower case: 6, 7 or 9 (IEEE MA-L, MA-M, MA-S), and NUL. */
#define PROFILE_OUI_LEN 10
#define PROFILE_DN_MAX 6       /* attributes of a fixed subject */
#define PROFILE_TEXT_MAX 64    /* one attribute value */
#define NAME_DER_MAX 512       /* encoded Name */
#define SAN_DER_MAX 1024       /* encoded GeneralNames */
#define SAN_NAMES_MAX 16       /* host names of a server certificate */
#define PROFILE_SCOPES_LEN 256 /* scope-token list of RFC 6749 3.3, with NUL */

enum profile_kind {
	PROFILE_ROOT_CA = 1,
	PROFILE_ISSUING_CA,
	PROFILE_OCSP,
	PROFILE_SERVER,
	PROFILE_ORGANISATION,
	PROFILE_DEVICE,
};

/* keyUsage bits, bit n of RFC 5280 4.2.1.3 at 1 << n. */
#define KEY_USAGE_DIGITAL_SIGNATURE (1u << 0)
#define KEY_USAGE_KEY_AGREEMENT (1u << 4)
#define KEY_USAGE_KEY_CERT_SIGN (1u << 5)
#define KEY_USAGE_CRL_SIGN (1u << 6)

struct profile_oid {
	uint8_t octets[OID_DER_MAX];
	size_t len;
	char text[OID_TEXT_LEN];
};

/* One attribute of a fixed subject; they stand in the order C, O, OU, CN, serialNumber. */
struct profile_attr {
	struct profile_oid type;
	char value[PROFILE_TEXT_MAX];
};

struct profile {
	char name[NAME_LEN]; /* file name without .cnf */
	char description[DETAIL_LEN];
	enum profile_kind kind;
	bool curve_p256, curve_p384;
	bool no_expiry;	       /* notAfter 99991231235959Z */
	long validity;	       /* seconds, inclusive of both ends, when !no_expiry */
	long serial_octets;    /* 8..20 */
	unsigned key_usage;    /* all of these bits ... */
	bool key_usage_choice; /* ... or exactly one of them, as the request says */
	size_t n_eku;
	struct profile_oid eku[PROFILE_LIST_MAX];
	bool eku_critical;
	bool short_key_id; /* SKI by method 2 (8 octets); issuer's SKI must be of that form too */
	size_t n_policies;
	struct profile_oid policies[PROFILE_LIST_MAX];
	bool policies_critical;
	bool ca;	/* basicConstraints cA TRUE, critical */
	long path_len;	/* -1 = absent */
	bool cdp;	/* CRL distribution point */
	bool cdp_shard; /* ... that of the certificate's shard; kinds device and organisation */
	bool aia_ocsp, aia_ca;
	bool ocsp_nocheck;
	size_t n_hw_arcs; /* hwType must lie strictly under one of these */
	struct profile_oid hw_arcs[PROFILE_LIST_MAX];
	size_t n_ouis; /* devices: whose EUI-64s may be certified; none = all */
	char ouis[PROFILE_OUIS_MAX][PROFILE_OUI_LEN];
	size_t n_roles; /* organisation: allowed OU role codes, 0..255 */
	uint8_t roles[64];
	bool enrol;			 /* devices may ask for it themselves */
	bool server_key;		 /* ... and for a key made by the service */
	char scopes[PROFILE_SCOPES_LEN]; /* of access tokens, one space between; "" = no tokens */
	size_t n_subject;		 /* CA and ocsp kinds only */
	struct profile_attr subject[PROFILE_DN_MAX];
};

/*
 * What the profile grants: everything that varies from one certificate to the next, already
 * encoded where it will stand in the certificate.
 */
struct grant {
	struct ec_pub pub;
	enum key_use use;
	unsigned key_usage; /* bits that will be set */
	struct holder holder;
	uint8_t subject[NAME_DER_MAX]; /* Name; 30 00 when empty */
	size_t subject_len;
	uint8_t san[SAN_DER_MAX]; /* GeneralNames SEQUENCE; length 0 = no SAN */
	size_t san_len;
};

/*
 * Parse and check a profile file's text. name = file name without .cnf. Contradictions are
 * refused by clause: keyCertSign without ca (RFC 5280 4.2.1.9), device without hw_type_arcs, CA
 * without subject, unknown key usage word, bad OID, ... FAIL_INVALID "profile NAME: ...".
 * *out is the caller's, for profile_free.
 */
int profile_parse(
    const char *name, const char *text, size_t len, struct profile **out, struct err *err) MUST_USE;
void profile_free(struct profile *profile);
const char *profile_kind_str(enum profile_kind kind);

/*
 * Check a parsed request (proof of possession done before) against the profile, field by field,
 * each refusal naming the clause. Rules by kind:
 *  device: subject empty; extensionRequest present with keyUsage and subjectAltName and nothing
 *   else; keyUsage DER exact and exactly the profile's bit(s); SAN exactly one otherName
 *   HardwareModuleName (RFC 4108 5), hwType strictly under an allowed arc, hwSerialNum 8 octets
 *   beginning with an allowed OUI.
 *   Requested criticality is not judged (GB).
 *  organisation: subject [CN] OU x500UniqueIdentifier, the OU a 2-hex-digit allowed role, the
 *   identifier BIT STRING of 8 octets; keyUsage one of the profile's; nothing else but an
 *   absent SAN.
 *  server: subject empty or CN only (equal to one SAN name); SAN only dNSName / iPAddress,
 *   syntax checked, at most SAN_NAMES_MAX; requested keyUsage/EKU must match when present.
 *  ocsp and CA kinds: FAIL_DENIED, "made by the ceremony verbs only".
 * holder of a server = "tls:" + first name.
 */
int profile_grant(const struct profile *profile, const struct csr *csr, struct grant *out,
    struct err *err) MUST_USE;

/*
 * A grant without a request, for certificates the CA makes for itself: CA, OCSP, server. label is
 * the CA's name ("issuing") or ignored for servers; subject from the profile, where "%s" in a
 * value is replaced by label, and empty for a server; names are host names or addresses (servers
 * only). holder: "ca:LABEL", "ocsp" (one responder for all CAs), "tls:FIRST-NAME". Other kinds: FAIL_DENIED.
 */
int profile_grant_service(const struct profile *profile, const char *label,
    const char *const *names, size_t n_names, const struct ec_pub *pub, struct grant *out,
    struct err *err) MUST_USE;

/*
 * A grant for a device without a request, when the service makes its key: kind device only
 * (FAIL_DENIED else); hwType and EUI-64 are checked as a request's would be; use and keyUsage are
 * the profile's single one (a choice: FAIL_INVALID).
 */
int profile_grant_device(const struct profile *profile, const struct eui64 *eui,
    const char *hw_type, const struct ec_pub *pub, struct grant *out, struct err *err) MUST_USE;

/*
 * The profile name a request without one means: device-signature or device-agreement by its
 * keyUsage; FAIL_INVALID when the request has no keyUsage or both bits.
 */
int profile_pick(const struct csr *csr, const char **name, struct err *err) MUST_USE;

#endif
