/*
 * Plain data that every room speaks of: identifiers, states, keys. No behaviour here but the
 * text forms of identifiers; the rules about them live in core.
 */
#ifndef SMKI_TYPES_H
#define SMKI_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "smki/buf.h"
#include "smki/err.h"

/* RFC 5280 4.1.2.2: a serial has at most 20 octets. */
#define SERIAL_MAX 20
#define EUI64_LEN 8
#define SHA256_LEN 32
#define SHA384_LEN 48
/* Uncompressed P-384 point: 04 X Y. */
#define EC_POINT_MAX 97
/* r||s of P-384. */
#define EC_RS_MAX 96
/* Names of CAs and profiles: letters, digits, '-', first a letter; with NUL. */
#define NAME_LEN 64
/* Dotted object identifier with NUL; longer ones are refused where they are read. */
#define OID_TEXT_LEN 128
/* A holder's name in octets (an EUI-64 or a label such as a DNS name). */
#define HOLDER_NAME_MAX 128
/* A URI of ours, with NUL. */
#define URI_MAX 512
/* Free text given by an operator or put in an event, with NUL. */
#define DETAIL_LEN 256

/* Content octets of a positive INTEGER, minimal (the leading 00 included where DER wants it). */
struct serial {
	uint8_t octets[SERIAL_MAX];
	uint8_t len;
};

struct eui64 {
	uint8_t octets[EUI64_LEN];
};

enum ec_curve {
	EC_P256 = 1,
	EC_P384 = 2,
};

/* An uncompressed public point (04 X Y): 65 octets for P-256, 97 for P-384. */
struct ec_pub {
	enum ec_curve curve;
	uint8_t point[EC_POINT_MAX];
	size_t len;
};

/* The database holds these numbers: never renumber. */
enum cert_state {
	CERT_VALID = 0,
	CERT_HOLD = 1,
	CERT_REVOKED = 2,
};

/* RFC 5280 5.3.1 CRLReason; the database holds these numbers. */
enum crl_reason {
	REASON_UNSPECIFIED = 0,
	REASON_KEY_COMPROMISE = 1,
	REASON_CA_COMPROMISE = 2,
	REASON_AFFILIATION_CHANGED = 3,
	REASON_SUPERSEDED = 4,
	REASON_CESSATION_OF_OPERATION = 5,
	REASON_CERTIFICATE_HOLD = 6,
	REASON_REMOVE_FROM_CRL = 8,
	REASON_PRIVILEGE_WITHDRAWN = 9,
	REASON_AA_COMPROMISE = 10,
};

/* What a key may do, in the sense of "one key for one holder and usage". Stored. */
enum key_use {
	USE_SIGNATURE = 1, /* digitalSignature of an end entity */
	USE_AGREEMENT = 2, /* keyAgreement of an end entity */
	USE_CA = 3,	   /* keyCertSign, cRLSign */
	USE_OCSP = 4,	   /* id-kp-OCSPSigning */
	USE_SERVER = 5,	   /* id-kp-serverAuth */
};

/* Whom a certificate is for. Stored. */
enum holder_kind {
	HOLDER_DEVICE = 1,	 /* name = EUI-64, 8 raw octets */
	HOLDER_ORGANISATION = 2, /* name = EUI-64, 8 raw octets */
	HOLDER_SERVICE = 3,	 /* name = label: "ca:issuing", "ocsp", "tls:host" */
};

struct holder {
	enum holder_kind kind;
	uint8_t name[HOLDER_NAME_MAX];
	size_t name_len;
	char hw_type[OID_TEXT_LEN]; /* devices: hwType as dotted text; else "" */
};

/* Actions on a certificate's state. */
enum cert_action {
	ACTION_HOLD = 1,
	ACTION_REACTIVATE = 2,
	ACTION_REVOKE = 3,
};

/* Who asks. The number of the uid, or ACTOR_SELF for what a daemon does by itself. */
#define ACTOR_SELF (-1)
/* ... and what came over the front: the database allows it less. */
#define ACTOR_FRONT (-2)

/*
 * Text to value. Hex in any case; colons, dashes and spaces between octets are skipped; an odd
 * digit count is refused for an EUI-64 and padded on the left for a serial. A serial must be
 * 1..20 octets, positive; leading zero octets are dropped and one put back where the first bit
 * is set, so what an operator pastes from openssl's output finds its row. FAIL_INVALID.
 */
int serial_parse(const char *text, struct serial *out, struct err *err) MUST_USE;
int eui64_parse(const char *text, struct eui64 *out, struct err *err) MUST_USE;

/* Plain lower-case hex, the sign octet 00 left out; out holds 2 * SERIAL_MAX + 1. */
#define SERIAL_TEXT_LEN (2 * SERIAL_MAX + 1)
void serial_text(const struct serial *serial, char out[SERIAL_TEXT_LEN]);
int serial_eq(const struct serial *a, const struct serial *b);

/* A holder for people: hex for an EUI-64, the label otherwise. */
#define HOLDER_TEXT_LEN (2 * HOLDER_NAME_MAX + 1)
void holder_text(const struct holder *holder, char out[HOLDER_TEXT_LEN]);

/* Names of CAs and profiles as above; FAIL_INVALID naming what ("profile", "ca"). */
int name_check(const char *what, const char *name, struct err *err) MUST_USE;

#endif
