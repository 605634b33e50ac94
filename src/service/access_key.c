/*
 * The keys that sign access tokens: which one signs, which ones are published, and how the command
 * and smkid tell each other about them. No database, no token.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "payload.h"
#include "smki/access.h"
#include "smki/eckey.h"

const struct store_access_key *
access_key_now(const struct store_access_key *keys, size_t n, time_t now)
{
	for (size_t i = n; i-- > 0;)
		if (keys[i].active_from <= now)
			return &keys[i];
	return n > 0 ? &keys[0] : NULL;
}

bool
access_key_is_published(
    const struct store_access_key *keys, size_t n, size_t i, time_t now, long lifetime)
{
	/* It signs no more from the moment that any newer one does. */
	for (size_t k = i + 1; k < n; k++)
		if (keys[k].active_from + lifetime + ACCESS_SKEW_S <= now)
			return false;
	return true;
}

void
access_key_put(struct buf *msg, const struct store_access_key *key)
{
	wire_put_i64(msg, key->id);
	wire_put_str(msg, key->label);
	wire_put_str(msg, key->kid);
	wire_put_bytes(msg, key->pub.point, key->pub.len);
	payload_time_put(msg, key->made);
	payload_time_put(msg, key->active_from);
}

void
access_key_get(struct wire_in *in, struct store_access_key *out)
{
	struct span point;

	memset(out, 0, sizeof(*out));
	out->id = payload_count_get(in);
	wire_get_str(in, out->label, sizeof(out->label));
	wire_get_str(in, out->kid, sizeof(out->kid));
	point = wire_get_bytes(in, EC_POINT_MAX);
	if (!in->bad && ec_pub_from_point(EC_P256, point.p, point.len, &out->pub, NULL) != 0)
		in->bad = true;
	out->made = payload_time_get(in);
	out->active_from = payload_time_get(in);
}

unsigned long
access_label_number(const char *label)
{
	const char *digits = label + strlen(ACCESS_LABEL);
	unsigned long n;
	char *end;

	if (strncmp(label, ACCESS_LABEL, strlen(ACCESS_LABEL)) != 0 || *digits < '1' ||
	    *digits > '9')
		return 0;
	n = strtoul(digits, &end, 10);
	return *end == '\0' && n < ULONG_MAX ? n : 0;
}

void
access_keys_put(struct buf *msg, const struct store_access_key *keys, size_t n)
{
	wire_put_u8(msg, (uint8_t)n);
	for (size_t i = 0; i < n; i++)
		access_key_put(msg, &keys[i]);
}

int
access_keys_get(struct wire_in *in, struct store_access_key out[STORE_ACCESS_KEYS_MAX], size_t *n,
    struct err *err)
{
	struct store_access_key keys[STORE_ACCESS_KEYS_MAX];
	size_t count = wire_get_u8(in);

	if (count > STORE_ACCESS_KEYS_MAX)
		in->bad = true;
	for (size_t i = 0; i < count && !in->bad; i++)
		access_key_get(in, &keys[i]);
	if (wire_end(in, "access keys", err) != 0)
		return -1;
	memcpy(out, keys, count * sizeof(keys[0]));
	*n = count;
	return 0;
}
