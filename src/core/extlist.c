/*
 * Lists of extensions: one strict reader for the objects that carry them (RFC 5280 4.2). It must
 * not know any extension by name.
 */
#include <string.h>

#include "smki/extlist.h"

int
extlist_open(struct der *d, struct extlist *out)
{
	struct der rest = *d, list;

	if (der_get(&rest, DER_SEQUENCE, &list) == -1 || der_end(&list))
		return -1;
	*d = rest;
	out->rest = list;
	out->n = 0;
	return 0;
}

/* -1 saying why: which is not often, so the identifier is made text only here. */
static int
extlist_refuse(
    const char *object, struct span oid, const char *clause, const char *finding, struct err *err)
{
	char text[OID_TEXT_LEN];

	if (oid_to_text(oid, text) != 0)
		strcpy(text, "with an over-long OID");
	return err_set(err, FAIL_INVALID, "%s: %s: extension %s %s", object, clause, text, finding);
}

/* Extension ::= SEQUENCE { extnID, critical BOOLEAN DEFAULT FALSE, extnValue } (RFC 5280 4.1) */
static int
extlist_item_get(struct der *list, const char *object, struct extlist_item *out, struct err *err)
{
	struct der one, value;

	if (der_tag(list) != DER_SEQUENCE)
		return err_set(err, FAIL_INVALID,
		    "%s: RFC 5280 4.1: Extension has tag %02x, not %02x", object,
		    (unsigned)der_tag(list), DER_SEQUENCE);
	if (der_get(list, DER_SEQUENCE, &one) == -1)
		return err_set(
		    err, FAIL_INVALID, "%s: X.690 10.1: Extension is not DER (length)", object);
	if (der_get_oid(&one, &out->oid) == -1)
		return err_set(err, FAIL_INVALID,
		    "%s: X.690 8.19: extnID is not a well-formed OBJECT IDENTIFIER", object);
	out->critical = false;
	if (der_tag(&one) == DER_BOOLEAN) {
		if (der_get_bool(&one, &out->critical) == -1)
			return extlist_refuse(object, out->oid, "X.690 11.1",
			    "has a critical that is not 00 or FF", err);
		if (!out->critical)
			return extlist_refuse(object, out->oid, "X.690 11.5",
			    "spells out critical FALSE, the default", err);
	}
	if (der_get(&one, DER_OCTET_STRING, &value) == -1)
		return extlist_refuse(
		    object, out->oid, "RFC 5280 4.1", "has no OCTET STRING extnValue", err);
	if (!der_end(&one))
		return extlist_refuse(
		    object, out->oid, "RFC 5280 4.1", "has bytes after its value", err);
	out->value = der_span(&value);
	return 0;
}

int
extlist_get(struct extlist *list, const char *object, struct extlist_item *out, struct err *err)
{
	struct der rest = list->rest;
	struct extlist_item item;

	if (der_end(&rest))
		return 0;
	if (extlist_item_get(&rest, object, &item, err) == -1)
		return -1;
	for (size_t i = 0; i < list->n; i++)
		if (span_eq(list->seen[i], item.oid))
			return extlist_refuse(
			    object, item.oid, "RFC 5280 4.2", "is there twice", err);
	if (list->n == EXTLIST_MAX)
		return err_set(err, FAIL_INVALID, "%s: more than %d extensions in a list", object,
		    EXTLIST_MAX);
	list->seen[list->n++] = item.oid;
	list->rest = rest;
	*out = item;
	return 1;
}

int
extlist_is(const struct extlist_item *item, const void *oid, size_t len)
{
	return item->oid.len == len && memcmp(item->oid.p, oid, len) == 0;
}
