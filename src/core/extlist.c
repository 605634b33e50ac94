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

static int
extlist_item_get(struct der *list, struct extlist_item *out)
{
	struct der one, value;

	out->critical = false;
	if (der_get(list, DER_SEQUENCE, &one) == -1 || der_get_oid(&one, &out->oid) == -1)
		return -1;
	/* DER leaves a default out (X.690 11.5), so a critical that is there is TRUE. */
	if (der_tag(&one) == DER_BOOLEAN &&
	    (der_get_bool(&one, &out->critical) == -1 || !out->critical))
		return -1;
	if (der_get(&one, DER_OCTET_STRING, &value) == -1 || !der_end(&one))
		return -1;
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
	if (extlist_item_get(&rest, &item) == -1)
		return err_set(
		    err, FAIL_INVALID, "%s: RFC 5280 4.1: an extension is not DER", object);
	for (size_t i = 0; i < list->n; i++)
		if (span_eq(list->seen[i], item.oid))
			return err_set(err, FAIL_INVALID,
			    "%s: RFC 5280 4.2: the same extension stands twice", object);
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
