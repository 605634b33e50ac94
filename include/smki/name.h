/*
 * Distinguished names (RFC 5280 4.1.2.4): a strict reader, one attribute at a time, and a writer.
 * name_text() is in cert.h.
 */
#ifndef SMKI_NAME_H
#define SMKI_NAME_H

#include <stdbool.h>

#include "smki/der.h"
#include "smki/types.h"

/* Most attributes in one Name, and longest attribute value (X.520 ub-common-name). */
#define NAME_ATTR_MAX 32
#define NAME_VALUE_MAX 64

/* Last octet of the identifier of the attribute types 2.5.4.n (X.520). */
enum name_type {
	NAME_CN = 3,
	NAME_SERIAL_NUMBER = 5,
	NAME_C = 6,
	NAME_L = 7,
	NAME_ST = 8,
	NAME_O = 10,
	NAME_OU = 11,
	NAME_UNIQUE_ID = 45, /* x500UniqueIdentifier */
};

/* One AttributeTypeAndValue; spans borrow from the Name. */
struct name_attr {
	struct span type;  /* contents octets */
	uint8_t tag;	   /* of the value */
	struct span value; /* contents octets */
	struct span whole; /* of the value, tag to end */
	bool joined;	   /* in the same RelativeDistinguishedName as the one before */
};

struct name_cursor {
	struct der rdns, rdn;
	struct span prev; /* SET OF order (X.690 11.6) */
};

/* Start reading a Name (tag to end, nothing behind). 0 or -1. */
int name_open(struct span name, struct name_cursor *out) MUST_USE;
/*
 * Next attribute: 1 got one, 0 end, -1 not DER, an empty RDN, a SET OF out of order, or a
 * PrintableString or UTF8String with octets that cannot stand in one.
 */
int name_get(struct name_cursor *c, struct name_attr *out) MUST_USE;
/* 1 when the whole Name reads well and has at most NAME_ATTR_MAX attributes. */
int name_ok(struct span name);
/* 1 for the Name of no attributes, 30 00. */
int name_empty(struct span name);
/* 1 when attr's type is 2.5.4.type. */
int name_is(const struct name_attr *attr, enum name_type type);

/*
 * String type for text: DER_PRINTABLE when its characters allow, DER_UTF8 when it is well-formed
 * UTF-8 without control characters, 0 when neither or empty.
 */
uint8_t name_string_tag(struct span text);
/* Append an RDN of one attribute. The caller has opened the RDNSequence. */
void name_attr_put(struct buf *b, enum name_type type, uint8_t tag, struct span value);

#endif
