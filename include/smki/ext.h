/*
 * The X.509 extensions this PKI knows (RFC 5280 4.2): their identifiers, and the contents that
 * a request and a certificate have in common.
 */
#ifndef SMKI_EXT_H
#define SMKI_EXT_H

#include "smki/der.h"
#include "smki/types.h"

enum ext_id {
	EXT_UNKNOWN = 0,
	EXT_AKI,	       /* 2.5.29.35 */
	EXT_SKI,	       /* 2.5.29.14 */
	EXT_KEY_USAGE,	       /* 2.5.29.15 */
	EXT_POLICIES,	       /* 2.5.29.32 */
	EXT_SAN,	       /* 2.5.29.17 */
	EXT_BASIC_CONSTRAINTS, /* 2.5.29.19 */
	EXT_EKU,	       /* 2.5.29.37 */
	EXT_NOCHECK,	       /* 1.3.6.1.5.5.7.48.1.5, RFC 6960 4.2.2.2.1 */
	EXT_CDP,	       /* 2.5.29.31 */
	EXT_AIA,	       /* 1.3.6.1.5.5.7.1.1 */
};

/* Contents octets of the identifier; id is not EXT_UNKNOWN. */
struct span ext_oid(enum ext_id id);
enum ext_id ext_find(struct span oid);

/*
 * KeyUsage (RFC 5280 4.2.1.3): extnValue contents to bits, bit n at 1 << n, and back. The reader
 * refuses (-1) whatever is not DER for a named bit list (X.690 11.2.2: trailing zero bits, a wrong
 * count of unused bits), more than nine bits, and no bit at all.
 */
int ext_key_usage_get(struct span value, unsigned *bits) MUST_USE;
void ext_key_usage_put(struct buf *b, unsigned bits);
/* The bits by name: "digitalSignature+keyAgreement". */
#define EXT_USAGE_TEXT_LEN 128
void ext_key_usage_text(unsigned bits, char out[EXT_USAGE_TEXT_LEN]);

/*
 * HardwareModuleName (RFC 4108 5) as the GeneralNames of one otherName. The reader gives -1 when
 * the GeneralNames are anything else; hw_type and serial (contents octets, any length) borrow.
 */
int ext_hardware_get(struct span value, struct span *hw_type, struct span *serial) MUST_USE;
void ext_hardware_put(struct buf *b, struct span hw_type, struct span serial);
/* The one HardwareModuleName among the GeneralNames, whatever others stand beside it; -1 when there
 * is none, a second or a malformed one, or this is no list of names. */
int ext_hardware_find(struct span value, struct span *hw_type, struct span *serial) MUST_USE;

#endif
