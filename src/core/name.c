/*
 * Distinguished names: strict reading, writing, and a form for people. It does not decide which
 * attributes a subject may have.
 */
#include <stdio.h>
#include <string.h>

#include "smki/cert.h"
#include "smki/hex.h"
#include "smki/mem.h"
#include "smki/name.h"

static const uint8_t name_arc[] = { 0x55, 0x04 }; /* 2.5.4 */

static int
name_is_printable(struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.p[i];

		if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
			(c != 0 && strchr(" '()+,-./:=?", c) != NULL)))
			return 0;
	}
	return 1;
}

uint8_t
name_string_tag(struct span text)
{
	if (text.len == 0)
		return 0;
	if (name_is_printable(text))
		return DER_PRINTABLE;
	return utf8_plain(text.p, text.len) ? DER_UTF8 : 0;
}

int
name_open(struct span name, struct name_cursor *out)
{
	struct der d = der_from(name.p, name.len), rdns;

	if (der_get(&d, DER_SEQUENCE, &rdns) != 0 || !der_end(&d))
		return -1;
	*out = (struct name_cursor){ .rdns = rdns, .rdn = der_from(rdns.p, 0) };
	return 0;
}

int
name_get(struct name_cursor *c, struct name_attr *out)
{
	struct name_cursor next = *c;
	struct name_attr attr = { 0 };
	struct der content, value;
	struct span whole;
	uint8_t tag;

	attr.joined = !der_end(&next.rdn);
	if (!attr.joined) {
		if (der_end(&next.rdns))
			return 0;
		if (der_get(&next.rdns, DER_SET, &next.rdn) != 0)
			return -1;
	}
	if (der_get_any(&next.rdn, &tag, &content, &whole) != 0 || tag != DER_SEQUENCE)
		return -1;
	if (attr.joined && !der_ascends(next.prev, whole))
		return -1;
	next.prev = whole;
	if (der_get_oid(&content, &attr.type) != 0 ||
	    der_get_any(&content, &attr.tag, &value, &attr.whole) != 0 || !der_end(&content))
		return -1;
	attr.value = der_span(&value);
	if ((attr.tag == DER_PRINTABLE && !name_is_printable(attr.value)) ||
	    (attr.tag == DER_UTF8 && !utf8_plain(attr.value.p, attr.value.len)))
		return -1;
	*c = next;
	*out = attr;
	return 1;
}

int
name_ok(struct span name)
{
	struct name_cursor c;
	struct name_attr attr;
	int got, n = 0;

	if (name_open(name, &c) != 0)
		return 0;
	while ((got = name_get(&c, &attr)) == 1)
		if (++n > NAME_ATTR_MAX)
			return 0;
	return got == 0;
}

int
name_empty(struct span name)
{
	return name.len == 2 && name.p[0] == DER_SEQUENCE && name.p[1] == 0;
}

int
name_is(const struct name_attr *attr, enum name_type type)
{
	return attr->type.len == 3 && memcmp(attr->type.p, name_arc, sizeof(name_arc)) == 0 &&
	       attr->type.p[2] == type;
}

void
name_attr_put(struct buf *b, enum name_type type, uint8_t tag, struct span value)
{
	size_t set = der_open(b, DER_SET), pair = der_open(b, DER_SEQUENCE);
	uint8_t oid[3] = { name_arc[0], name_arc[1], (uint8_t)type };

	der_put(b, DER_OID, oid, sizeof(oid));
	der_put_span(b, tag, value);
	der_close(b, pair);
	der_close(b, set);
}

/* Text being written: a token that does not fit ends it, so nothing is cut in the middle. */
struct name_out {
	char *p;
	size_t cap, len;
	bool full;
};

static void
name_out_add(struct name_out *out, const char *token, size_t len)
{
	if (out->full || out->len + len >= out->cap) {
		out->full = true;
		return;
	}
	memcpy(out->p + out->len, token, len);
	out->len += len;
	out->p[out->len] = '\0';
}

/* A string value with the escapes of RFC 4514 2.4. */
static void
name_out_string(struct name_out *out, struct span s)
{
	char esc[4];

	for (size_t i = 0, n; i < s.len; i += n) {
		int edge = (s.p[i] == ' ' && (i == 0 || i + 1 == s.len)) ||
			   (s.p[i] == '#' && i == 0);

		n = utf8_len(s.p + i, s.len - i);
		if (n == 0 || utf8_control(s.p + i)) {
			n = 1;
			snprintf(esc, sizeof(esc), "\\%02X", s.p[i]);
			name_out_add(out, esc, 3);
		} else if (edge || strchr("\"+,;<>\\", s.p[i]) != NULL) {
			esc[0] = '\\';
			esc[1] = (char)s.p[i];
			name_out_add(out, esc, 2);
		} else
			name_out_add(out, (const char *)s.p + i, n);
	}
}

static void
name_out_attr(struct name_out *out, const struct name_attr *attr)
{
	static const struct {
		enum name_type type;
		const char *label;
	} labels[] = {
		{ NAME_CN, "CN" },
		{ NAME_SERIAL_NUMBER, "serialNumber" },
		{ NAME_C, "C" },
		{ NAME_L, "L" },
		{ NAME_ST, "ST" },
		{ NAME_O, "O" },
		{ NAME_OU, "OU" },
		{ NAME_UNIQUE_ID, "x500UniqueIdentifier" },
	};
	char oid[OID_TEXT_LEN], octet[3];
	const char *label = NULL;

	for (size_t i = 0; i < ARRAY_LEN(labels); i++)
		if (name_is(attr, labels[i].type))
			label = labels[i].label;
	if (label == NULL)
		label = oid_to_text(attr->type, oid) == 0 ? oid : "?";
	name_out_add(out, label, strlen(label));
	name_out_add(out, "=", 1);
	if (label != oid && (attr->tag == DER_PRINTABLE || attr->tag == DER_UTF8)) {
		name_out_string(out, attr->value);
		return;
	}
	/* RFC 4514 2.4: a value without a string form is '#' and the hex of its encoding. */
	name_out_add(out, "#", 1);
	for (size_t i = 0; i < attr->whole.len; i++) {
		hex_encode(attr->whole.p + i, 1, octet);
		name_out_add(out, octet, 2);
	}
}

void
name_text(struct span name, char *out, size_t cap)
{
	struct name_out text = { .p = out, .cap = cap };
	struct name_attr attrs[NAME_ATTR_MAX];
	struct name_cursor c;
	size_t n = 0, end, begin;
	int got = 1;

	require(cap > 0);
	out[0] = '\0';
	if (!name_ok(name) || name_open(name, &c) != 0) {
		name_out_add(&text, "?", 1);
		return;
	}
	while (got == 1 && n < ARRAY_LEN(attrs))
		if ((got = name_get(&c, &attrs[n])) == 1)
			n++;
	/* RFC 4514 2.1: the last RDN first; inside one, in order. */
	for (end = n; end > 0; end = begin) {
		begin = end - 1;
		while (attrs[begin].joined)
			begin--;
		for (size_t i = begin; i < end; i++) {
			if (end != n || i != begin)
				name_out_add(&text, i == begin ? ", " : "+", i == begin ? 2 : 1);
			name_out_attr(&text, &attrs[i]);
		}
	}
}
