/*
 * DER reader and writer (X.690). The reader works on outside bytes: every length is compared
 * with what is left before anything moves, and nothing is copied.
 */
#include <limits.h>
#include <string.h>

#include "smki/der.h"
#include "smki/mem.h"

struct der
der_from(const uint8_t *p, size_t len)
{
	return (struct der){ p, len > 0 ? p + len : p };
}

static size_t
der_left(const struct der *d)
{
	return d->p == d->end ? 0 : (size_t)(d->end - d->p);
}

struct span
der_span(const struct der *d)
{
	return (struct span){ d->p, der_left(d) };
}

int
der_end(const struct der *d)
{
	return der_left(d) == 0;
}

int
der_tag(const struct der *d)
{
	return der_end(d) ? -1 : *d->p;
}

/* X.690 10.1: definite form in the fewest octets. *used counts the length octets. */
static int
der_length(const uint8_t *p, size_t left, size_t *used, size_t *len)
{
	size_t n, value = 0;

	if (left == 0)
		return -1;
	if (p[0] < 0x80) {
		*used = 1;
		*len = p[0];
		return 0;
	}
	n = p[0] & 0x7f;
	if (n == 0 || n > sizeof(value) || n > left - 1 || p[1] == 0)
		return -1;
	for (size_t i = 1; i <= n; i++)
		value = value << 8 | p[i];
	if (value < 0x80)
		return -1;
	*used = 1 + n;
	*len = value;
	return 0;
}

int
der_get_any(struct der *d, uint8_t *tag, struct der *content, struct span *whole)
{
	size_t left = der_left(d), used, len;
	const uint8_t *p = d->p;

	/* Multi-octet tags occur in nothing read here; tag 0 is the end mark of BER. */
	if (left < 2 || (p[0] & 0x1f) == 0x1f || p[0] == 0)
		return -1;
	if (der_length(p + 1, left - 1, &used, &len) != 0 || len > left - 1 - used)
		return -1;
	if (tag != NULL)
		*tag = p[0];
	if (content != NULL)
		*content = der_from(p + 1 + used, len);
	if (whole != NULL)
		*whole = (struct span){ p, 1 + used + len };
	/* content may be the cursor itself: it then stays inside the element. */
	if (content != d)
		d->p = p + 1 + used + len;
	return 0;
}

int
der_get(struct der *d, uint8_t tag, struct der *content)
{
	if (der_tag(d) != tag)
		return -1;
	return der_get_any(d, NULL, content, NULL);
}

/* Next element with this tag as a span, without moving d; *after is where d goes next. */
static int
der_peek(const struct der *d, uint8_t tag, struct span *content, struct der *after)
{
	struct der in;

	*after = *d;
	if (der_get(after, tag, &in) != 0)
		return -1;
	*content = der_span(&in);
	return 0;
}

int
der_get_bool(struct der *d, bool *out)
{
	struct der after;
	struct span c;

	if (der_peek(d, DER_BOOLEAN, &c, &after) != 0 || c.len != 1 ||
	    (c.p[0] != 0x00 && c.p[0] != 0xff))
		return -1;
	*out = c.p[0] != 0;
	*d = after;
	return 0;
}

int
der_get_integer(struct der *d, size_t max, struct span *out)
{
	struct der after;
	struct span c;

	if (der_peek(d, DER_INTEGER, &c, &after) != 0 || c.len == 0 || c.len > max)
		return -1;
	/* X.690 8.3.2: the first nine bits are not all alike. */
	if (c.len > 1 && ((c.p[0] == 0x00 && c.p[1] < 0x80) || (c.p[0] == 0xff && c.p[1] >= 0x80)))
		return -1;
	*out = c;
	*d = after;
	return 0;
}

int
der_get_small(struct der *d, long *out)
{
	struct der after = *d;
	struct span c;
	long value = 0;

	/* Four octets of a non-negative INTEGER are at most 2^31-1. */
	if (der_get_integer(&after, 4, &c) != 0 || c.p[0] >= 0x80)
		return -1;
	for (size_t i = 0; i < c.len; i++)
		value = value << 8 | c.p[i];
	*out = value;
	*d = after;
	return 0;
}

int
der_get_serial(struct der *d, struct serial *out)
{
	struct der after = *d;
	struct span c;

	if (der_get_integer(&after, SERIAL_MAX, &c) != 0 || c.p[0] >= 0x80 ||
	    (c.len == 1 && c.p[0] == 0))
		return -1;
	memset(out, 0, sizeof(*out));
	memcpy(out->octets, c.p, c.len);
	out->len = (uint8_t)c.len;
	*d = after;
	return 0;
}

int
der_get_oid(struct der *d, struct span *out)
{
	struct der after;
	struct span c;

	if (der_peek(d, DER_OID, &c, &after) != 0 || c.len == 0 || c.p[c.len - 1] >= 0x80)
		return -1;
	/* X.690 8.19.2: a subidentifier does not begin with 80. */
	for (size_t i = 0; i < c.len; i++)
		if (c.p[i] == 0x80 && (i == 0 || c.p[i - 1] < 0x80))
			return -1;
	*out = c;
	*d = after;
	return 0;
}

int
der_get_octet_bits(struct der *d, struct span *out)
{
	struct der after;
	struct span c;

	if (der_peek(d, DER_BIT_STRING, &c, &after) != 0 || c.len == 0 || c.p[0] != 0)
		return -1;
	*out = (struct span){ c.p + 1, c.len - 1 };
	*d = after;
	return 0;
}

int
der_ascends(struct span a, struct span b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	int order = memcmp(a.p, b.p, n);

	return order < 0 || (order == 0 && a.len < b.len);
}

/* Length octets for len; returns how many. */
static size_t
der_length_octets(size_t len, uint8_t out[9])
{
	size_t n = 0;

	if (len < 0x80) {
		out[0] = (uint8_t)len;
		return 1;
	}
	for (size_t rest = len; rest > 0; rest >>= 8)
		n++;
	out[0] = (uint8_t)(0x80 | n);
	for (size_t i = 0; i < n; i++)
		out[n - i] = (uint8_t)(len >> (8 * i));
	return 1 + n;
}

size_t
der_header(uint8_t tag, size_t len, uint8_t out[10])
{
	out[0] = tag;
	return 1 + der_length_octets(len, out + 1);
}

size_t
der_open(struct buf *b, uint8_t tag)
{
	size_t mark = b->len;

	buf_add_u8(b, tag);
	buf_add_u8(b, 0);
	return mark;
}

void
der_close(struct buf *b, size_t mark)
{
	uint8_t octets[9];
	size_t n;

	require(mark <= b->len && b->len - mark >= 2);
	n = der_length_octets(b->len - mark - 2, octets);
	b->data[mark + 1] = octets[0];
	buf_insert(b, mark + 2, octets + 1, n - 1);
}

void
der_put(struct buf *b, uint8_t tag, const void *content, size_t len)
{
	uint8_t header[10];

	buf_add(b, header, der_header(tag, len, header));
	buf_add(b, content, len);
}

void
der_put_span(struct buf *b, uint8_t tag, struct span content)
{
	der_put(b, tag, content.p, content.len);
}

void
der_put_bool(struct buf *b, bool value)
{
	uint8_t octet = value ? 0xff : 0x00;

	der_put(b, DER_BOOLEAN, &octet, 1);
}

void
der_put_small(struct buf *b, uint8_t tag, unsigned long value)
{
	uint8_t octets[1 + sizeof(value)];
	size_t at = sizeof(octets);

	do {
		octets[--at] = (uint8_t)value;
		value >>= 8;
	} while (value > 0);
	if (octets[at] >= 0x80)
		octets[--at] = 0;
	der_put(b, tag, octets + at, sizeof(octets) - at);
}

void
der_put_serial(struct buf *b, const struct serial *serial)
{
	require(serial->len >= 1 && serial->len <= SERIAL_MAX);
	der_put(b, DER_INTEGER, serial->octets, serial->len);
}

void
der_put_octet_bits(struct buf *b, const void *content, size_t len)
{
	uint8_t header[10];

	buf_add(b, header, der_header(DER_BIT_STRING, len + 1, header));
	buf_add_u8(b, 0);
	buf_add(b, content, len);
}
