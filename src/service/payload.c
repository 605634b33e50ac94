/*
 * Values and rows as they stand in a message. Each is checked against the range its type has:
 * an enum that C has no name for never gets past here.
 */
#include <string.h>

#include "payload.h"
#include "smki/der.h"

void
payload_bool_put(struct buf *msg, bool value)
{
	wire_put_u8(msg, value ? 1 : 0);
}

bool
payload_bool_get(struct wire_in *in)
{
	uint8_t value = wire_get_u8(in);

	if (value > 1)
		in->bad = true;
	return value == 1;
}

void
payload_time_put(struct buf *msg, time_t value)
{
	wire_put_i64(msg, value);
}

time_t
payload_time_get(struct wire_in *in)
{
	int64_t value = wire_get_i64(in);

	if (value >= 0 && value <= TIME_NO_EXPIRY)
		return (time_t)value;
	in->bad = true;
	return 0;
}

int64_t
payload_count_get(struct wire_in *in)
{
	int64_t value = wire_get_i64(in);

	if (value >= 0)
		return value;
	in->bad = true;
	return 0;
}

void
payload_octets_get(struct wire_in *in, uint8_t *out, size_t len)
{
	struct span octets = wire_get_bytes(in, len);

	if (octets.len == len)
		memcpy(out, octets.p, len);
	else
		in->bad = true;
}

void
payload_buf_get(struct wire_in *in, size_t max, struct buf *out)
{
	struct span octets = wire_get_bytes(in, max);

	buf_add(out, octets.p, octets.len);
}

void
payload_serial_put(struct buf *msg, const struct serial *serial)
{
	wire_put_bytes(msg, serial->octets, serial->len);
}

void
payload_serial_get(struct wire_in *in, bool may_be_empty, struct serial *out)
{
	struct span octets = wire_get_bytes(in, SERIAL_MAX);

	if (octets.len == 0 && !may_be_empty)
		in->bad = true;
	if (octets.len > 0)
		memcpy(out->octets, octets.p, octets.len);
	out->len = (uint8_t)octets.len;
}

void
payload_device_put(struct buf *msg, const struct eui64 *device)
{
	wire_put_bytes(msg, device->octets, sizeof(device->octets));
}

void
payload_device_get(struct wire_in *in, struct eui64 *out)
{
	payload_octets_get(in, out->octets, sizeof(out->octets));
}

void
payload_holder_put(struct buf *msg, const struct holder *holder)
{
	wire_put_u8(msg, (uint8_t)holder->kind);
	wire_put_bytes(msg, holder->name, holder->name_len);
	wire_put_str(msg, holder->hw_type);
}

void
payload_holder_get(struct wire_in *in, struct holder *out)
{
	uint8_t kind = wire_get_u8(in);
	struct span name = wire_get_bytes(in, sizeof(out->name));

	if (kind < HOLDER_DEVICE || kind > HOLDER_SERVICE)
		in->bad = true;
	else
		out->kind = (enum holder_kind)kind;
	if (name.len > 0)
		memcpy(out->name, name.p, name.len);
	out->name_len = name.len;
	wire_get_str(in, out->hw_type, sizeof(out->hw_type));
}

enum cert_state
payload_state_get(struct wire_in *in)
{
	uint8_t state = wire_get_u8(in);

	if (state <= CERT_REVOKED)
		return (enum cert_state)state;
	in->bad = true;
	return CERT_VALID;
}

enum crl_reason
payload_reason_get(struct wire_in *in)
{
	uint8_t reason = wire_get_u8(in);

	/* RFC 5280 5.3.1: 7 is not used. */
	if (reason <= REASON_AA_COMPROMISE && reason != 7)
		return (enum crl_reason)reason;
	in->bad = true;
	return REASON_UNSPECIFIED;
}

void
payload_change_put(struct buf *msg, const struct change *change)
{
	wire_put_u8(msg, (uint8_t)change->action);
	wire_put_u8(msg, (uint8_t)change->reason);
	wire_put_i64(msg, change->invalid_since);
}

void
payload_change_get(struct wire_in *in, struct change *out)
{
	uint8_t action = wire_get_u8(in);

	if (action < ACTION_HOLD || action > ACTION_REVOKE)
		in->bad = true;
	else
		out->action = (enum cert_action)action;
	out->reason = payload_reason_get(in);
	out->invalid_since = (time_t)wire_get_i64(in);
	/* One before 1970 decodes: whoever judges the change says what is wrong with it. */
	if (out->invalid_since > TIME_NO_EXPIRY)
		in->bad = true;
}

/* -1 = none, else what fits an octet. */
static int
payload_small_get(struct wire_in *in)
{
	int64_t value = wire_get_i64(in);

	if (value >= -1 && value <= UINT8_MAX)
		return (int)value;
	in->bad = true;
	return -1;
}

void
payload_event_put(struct buf *msg, const struct store_event *event)
{
	wire_put_i64(msg, event->id);
	payload_time_put(msg, event->time);
	wire_put_i64(msg, event->actor);
	wire_put_str(msg, event->action);
	wire_put_i64(msg, event->ca);
	wire_put_i64(msg, event->certificate);
	wire_put_i64(msg, event->holder);
	wire_put_i64(msg, event->device);
	wire_put_i64(msg, event->from_state);
	wire_put_i64(msg, event->to_state);
	wire_put_i64(msg, event->reason);
	payload_time_put(msg, event->invalid_since);
	wire_put_str(msg, event->detail);
}

void
payload_event_get(struct wire_in *in, struct store_event *out)
{
	out->id = payload_count_get(in);
	out->time = payload_time_get(in);
	out->actor = (long)wire_get_i64(in);
	wire_get_str(in, out->action, sizeof(out->action));
	out->ca = payload_count_get(in);
	out->certificate = payload_count_get(in);
	out->holder = payload_count_get(in);
	out->device = payload_count_get(in);
	out->from_state = payload_small_get(in);
	out->to_state = payload_small_get(in);
	out->reason = payload_small_get(in);
	out->invalid_since = payload_time_get(in);
	wire_get_str(in, out->detail, sizeof(out->detail));
}

void
payload_crl_put(struct buf *msg, const struct store_crl *crl)
{
	wire_put_i64(msg, crl->ca);
	wire_put_i64(msg, crl->number);
	wire_put_i64(msg, crl->event);
	payload_time_put(msg, crl->this_update);
	payload_time_put(msg, crl->next_update);
	wire_put_i64(msg, crl->entries);
	wire_put_i64(msg, crl->size);
	wire_put_bytes(msg, crl->sha256, sizeof(crl->sha256));
	wire_put_i64(msg, crl->base);
}

void
payload_crl_get(struct wire_in *in, struct store_crl *out)
{
	out->ca = payload_count_get(in);
	out->number = payload_count_get(in);
	out->event = payload_count_get(in);
	out->this_update = payload_time_get(in);
	out->next_update = payload_time_get(in);
	out->entries = payload_count_get(in);
	out->size = payload_count_get(in);
	payload_octets_get(in, out->sha256, sizeof(out->sha256));
	out->base = payload_count_get(in);
}

void
payload_issued_put(struct buf *msg, const struct issue_result *result)
{
	payload_bool_put(msg, result->existing);
	wire_put_i64(msg, result->id);
	wire_put_i64(msg, result->replaces);
	payload_serial_put(msg, &result->serial);
	wire_put_u8(msg, (uint8_t)result->state);
	wire_put_str(msg, result->profile);
	wire_put_str(msg, result->ca);
	payload_holder_put(msg, &result->holder);
	wire_put_bytes(msg, result->der.data, result->der.len);
}

void
payload_issued_get(struct wire_in *in, struct issue_result *out)
{
	out->existing = payload_bool_get(in);
	out->id = payload_count_get(in);
	out->replaces = payload_count_get(in);
	payload_serial_get(in, false, &out->serial);
	out->state = payload_state_get(in);
	wire_get_str(in, out->profile, sizeof(out->profile));
	wire_get_str(in, out->ca, sizeof(out->ca));
	payload_holder_get(in, &out->holder);
	payload_buf_get(in, CERT_DER_MAX, &out->der);
}

void
payload_listed_put(struct buf *msg, const struct store_listed *listed)
{
	payload_serial_put(msg, &listed->serial);
	wire_put_u8(msg, (uint8_t)listed->reason);
	payload_time_put(msg, listed->changed);
	payload_time_put(msg, listed->invalid_since);
}

void
payload_listed_get(struct wire_in *in, struct store_listed *out)
{
	payload_serial_get(in, false, &out->serial);
	out->reason = payload_reason_get(in);
	out->changed = payload_time_get(in);
	out->invalid_since = payload_time_get(in);
}
