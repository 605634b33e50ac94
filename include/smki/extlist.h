/*
 * Strict reader for a list of extensions as certificates and requests for them, CRLs, their entries
 * and OCSP requests carry it
 * (RFC 5280 4.1, 4.2): Extension ::= SEQUENCE { extnID, critical DEFAULT FALSE, extnValue }.
 * It knows no extension by name: the caller decides what an identifier means.
 */
#ifndef SMKI_EXTLIST_H
#define SMKI_EXTLIST_H

#include "smki/der.h"
#include "smki/err.h"

/* Most extensions in one list: bounds the search for repeated ones. */
#define EXTLIST_MAX 32

struct extlist_item {
	struct span oid; /* contents octets */
	bool critical;
	struct span value; /* contents of extnValue */
};

/* Cursor over one list; remembers what it has seen. */
struct extlist {
	struct der rest;
	size_t n;
	struct span seen[EXTLIST_MAX];
};

/* Read SEQUENCE SIZE (1..MAX) OF Extension from *d. -1 when it is none or is empty. */
int extlist_open(struct der *d, struct extlist *out) MUST_USE;

/*
 * Next extension: 1 = got one, 0 = end, -1 = FAIL_INVALID: not DER (an encoded FALSE too), the
 * same extension twice (4.2), more than EXTLIST_MAX. object names the holder in messages ("crl").
 */
int extlist_get(
    struct extlist *list, const char *object, struct extlist_item *out, struct err *err) MUST_USE;

/* 1 when the extension has this identifier (contents octets). */
int extlist_is(const struct extlist_item *item, const void *oid, size_t len);

#endif
