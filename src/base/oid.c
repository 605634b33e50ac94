/*
 * OBJECT IDENTIFIER contents to dotted text and back (X.690 8.19).
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "smki/der.h"

#define OID_ARCS_MAX 32
#define OID_ARC_MAX ((uint64_t)INT64_MAX)

/* One arc: digits without a leading zero. Returns what follows, or NULL. */
static const char *
oid_arc(const char *s, uint64_t *arc)
{
	uint64_t value = 0;

	if (s[0] == '0' && s[1] >= '0' && s[1] <= '9')
		return NULL;
	if (*s < '0' || *s > '9')
		return NULL;
	for (; *s >= '0' && *s <= '9'; s++) {
		uint64_t digit = (uint64_t)(*s - '0');

		if (value > (OID_ARC_MAX - digit) / 10)
			return NULL;
		value = value * 10 + digit;
	}
	*arc = value;
	return s;
}

/* Base 128, most significant group first; 0 when out is full. */
static size_t
oid_put(uint64_t value, uint8_t *out, size_t room)
{
	size_t n = 1;

	for (uint64_t rest = value >> 7; rest > 0; rest >>= 7)
		n++;
	if (n > room)
		return 0;
	for (size_t i = n; i-- > 0; value >>= 7)
		out[i] = (uint8_t)((value & 0x7f) | (i + 1 < n ? 0x80 : 0));
	return n;
}

int
oid_from_text(const char *text, uint8_t out[OID_DER_MAX], size_t *out_len)
{
	uint8_t octets[OID_DER_MAX];
	uint64_t first = 0, arc;
	size_t len = 0, arcs = 0, n;
	const char *s = text;

	if (strnlen(text, OID_TEXT_LEN) == OID_TEXT_LEN)
		return -1;
	for (;; s++) {
		s = oid_arc(s, &arc);
		if (s == NULL || ++arcs > OID_ARCS_MAX)
			return -1;
		if (arcs == 1) {
			if (arc > 2)
				return -1;
			first = arc;
		} else {
			if (arcs == 2 && first < 2 && arc >= 40)
				return -1;
			n = oid_put(
			    arcs == 2 ? first * 40 + arc : arc, octets + len, sizeof(octets) - len);
			if (n == 0)
				return -1;
			len += n;
		}
		if (*s != '.')
			break;
	}
	if (*s != '\0' || arcs < 2)
		return -1;
	memcpy(out, octets, len);
	*out_len = len;
	return 0;
}

/* One subidentifier at *at; moves *at behind it. */
static int
oid_get(struct span content, size_t *at, uint64_t max, uint64_t *out)
{
	uint64_t value = 0;
	size_t i = *at;

	if (content.p[i] == 0x80)
		return -1;
	for (;; i++) {
		if (i == content.len || value > max >> 7)
			return -1;
		value = value << 7 | (content.p[i] & 0x7f);
		if (content.p[i] < 0x80)
			break;
	}
	if (value > max)
		return -1;
	*at = i + 1;
	*out = value;
	return 0;
}

int
oid_to_text(struct span content, char out[OID_TEXT_LEN])
{
	char text[OID_TEXT_LEN];
	size_t at = 0, len, arcs = 2;
	uint64_t v, first;

	/* The first subidentifier holds two arcs: 40 * first + second. */
	if (content.len == 0 || oid_get(content, &at, OID_ARC_MAX + 80, &v) != 0)
		return -1;
	first = v < 80 ? v / 40 : 2;
	len = (size_t)snprintf(text, sizeof(text), "%" PRIu64 ".%" PRIu64, first, v - first * 40);
	while (at < content.len) {
		if (++arcs > OID_ARCS_MAX || oid_get(content, &at, OID_ARC_MAX, &v) != 0)
			return -1;
		len += (size_t)snprintf(text + len, sizeof(text) - len, ".%" PRIu64, v);
		if (len >= sizeof(text))
			return -1;
	}
	memcpy(out, text, len + 1);
	return 0;
}
