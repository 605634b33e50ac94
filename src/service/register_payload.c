/*
 * The register's payloads on smkid's admin socket: for each struct one function that writes it and
 * one that reads it, line for line alike. Sizes and ranges are checked here, meanings are not. No
 * HMAC of a secret goes out, and none is taken.
 */
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "payload.h"
#include "smki/admin.h"
#include "smki/mem.h"
#include "smki/register.h"

/* Bits of one octet. */
#define FLAG_END_TO_END (1u << 0)
#define FLAG_APPROVED (1u << 1)
#define FLAG_SECRET_USED (1u << 2)
#define FLAGS_ALL (FLAG_END_TO_END | FLAG_APPROVED | FLAG_SECRET_USED)
#define PROOFS_ALL (DEVICE_PROOF_IDEVID | DEVICE_PROOF_SECRET | DEVICE_PROOF_KEY)

static enum device_state
device_state_get(struct wire_in *in)
{
	uint8_t state = wire_get_u8(in);

	if (state <= DEVICE_RETIRED)
		return (enum device_state)state;
	in->bad = true;
	return DEVICE_ACTIVE;
}

/* What an operator says of a device. */
static void
device_said_put(struct buf *msg, const struct device *device)
{
	payload_device_put(msg, &device->eui);
	wire_put_str(msg, device->hw_type);
	wire_put_str(msg, device->manufacturer);
	wire_put_str(msg, device->model);
	wire_put_str(msg, device->region);
	wire_put_u8(msg, (uint8_t)device->proofs);
	wire_put_u8(msg, (device->end_to_end ? FLAG_END_TO_END : 0) |
			     (device->approved ? FLAG_APPROVED : 0) |
			     (device->secret_used ? FLAG_SECRET_USED : 0));
	if ((device->proofs & DEVICE_PROOF_KEY) != 0)
		wire_put_bytes(msg, device->key, sizeof(device->key));
}

static void
device_said_get(struct wire_in *in, struct device *out)
{
	uint8_t proofs, flags;

	memset(out, 0, sizeof(*out));
	payload_device_get(in, &out->eui);
	wire_get_str(in, out->hw_type, sizeof(out->hw_type));
	wire_get_str(in, out->manufacturer, sizeof(out->manufacturer));
	wire_get_str(in, out->model, sizeof(out->model));
	wire_get_str(in, out->region, sizeof(out->region));
	proofs = wire_get_u8(in);
	flags = wire_get_u8(in);
	if ((proofs & ~PROOFS_ALL) != 0 || (flags & ~FLAGS_ALL) != 0)
		in->bad = true;
	out->proofs = proofs;
	out->end_to_end = (flags & FLAG_END_TO_END) != 0;
	out->approved = (flags & FLAG_APPROVED) != 0;
	out->secret_used = (flags & FLAG_SECRET_USED) != 0;
	if ((proofs & DEVICE_PROOF_KEY) != 0)
		payload_octets_get(in, out->key, sizeof(out->key));
}

void
register_device_put(struct buf *msg, const struct device *device)
{
	device_said_put(msg, device);
	wire_put_i64(msg, device->id);
	wire_put_u8(msg, (uint8_t)device->state);
	payload_time_put(msg, device->registered);
	wire_put_i64(msg, device->import);
}

void
register_device_get(struct wire_in *in, struct device *out)
{
	device_said_get(in, out);
	out->id = payload_count_get(in);
	out->state = device_state_get(in);
	out->registered = payload_time_get(in);
	out->import = payload_count_get(in);
}

void
register_add_put(struct buf *msg, const struct register_add *add)
{
	device_said_put(msg, &add->device);
	payload_bool_put(msg, add->make_secret);
}

int
register_add_get(struct wire_in *in, struct register_add *out, struct err *err)
{
	struct register_add add;

	device_said_get(in, &add.device);
	add.make_secret = payload_bool_get(in);
	if (wire_end(in, "device to add", err) != 0)
		return -1;
	*out = add;
	return 0;
}

void
register_added_put(struct buf *msg, const struct register_added *added)
{
	register_device_put(msg, &added->device);
	wire_put_str(msg, added->secret);
}

int
register_added_get(struct wire_in *in, struct register_added *out, struct err *err)
{
	register_device_get(in, &out->device);
	wire_get_str(in, out->secret, sizeof(out->secret));
	return wire_end(in, "device added", err);
}

void
register_change_put(struct buf *msg, const struct register_change *change)
{
	payload_device_put(msg, &change->eui);
	wire_put_u8(msg, (uint8_t)change->action);
}

int
register_change_get(struct wire_in *in, struct register_change *out, struct err *err)
{
	struct register_change change = { .action = DEVICE_DO_HOLD };
	uint8_t action;

	payload_device_get(in, &change.eui);
	action = wire_get_u8(in);
	if (action < DEVICE_DO_APPROVE || action > DEVICE_DO_RETIRE)
		in->bad = true;
	else
		change.action = (enum device_action)action;
	if (wire_end(in, "change of a device", err) != 0)
		return -1;
	*out = change;
	return 0;
}

void
register_changed_put(struct buf *msg, const struct register_changed *changed)
{
	payload_bool_put(msg, changed->already);
	register_device_put(msg, &changed->device);
}

int
register_changed_get(struct wire_in *in, struct register_changed *out, struct err *err)
{
	struct register_changed changed;

	changed.already = payload_bool_get(in);
	register_device_get(in, &changed.device);
	if (wire_end(in, "device changed", err) != 0)
		return -1;
	*out = changed;
	return 0;
}

void
register_eui_put(struct buf *msg, const struct eui64 *eui)
{
	payload_device_put(msg, eui);
}

int
register_eui_get(struct wire_in *in, struct eui64 *out, struct err *err)
{
	struct eui64 eui = { { 0 } };

	payload_device_get(in, &eui);
	if (wire_end(in, "device", err) != 0)
		return -1;
	*out = eui;
	return 0;
}

static void
refusal_put(struct buf *msg, const struct store_refusal *refusal)
{
	wire_put_i64(msg, refusal->minute);
	wire_put_str(msg, refusal->who);
	wire_put_str(msg, refusal->reason);
	wire_put_i64(msg, refusal->n);
}

static void
refusal_get(struct wire_in *in, struct store_refusal *out)
{
	out->minute = payload_count_get(in);
	wire_get_str(in, out->who, sizeof(out->who));
	wire_get_str(in, out->reason, sizeof(out->reason));
	out->n = payload_count_get(in);
}

/* The number of what follows, at most max. */
static size_t
number_get(struct wire_in *in, size_t max)
{
	uint32_t n = wire_get_u32(in);

	if (n <= max)
		return n;
	in->bad = true;
	return 0;
}

void
register_found_put(struct buf *msg, const struct register_found *found)
{
	register_device_put(msg, &found->device);
	wire_put_u32(msg, (uint32_t)found->n_certs);
	for (size_t i = 0; i < found->n_certs; i++)
		admin_cert_put(msg, &found->cert[i]);
	wire_put_u32(msg, (uint32_t)found->n_refusals);
	for (size_t i = 0; i < found->n_refusals; i++)
		refusal_put(msg, &found->refusal[i]);
	wire_put_u32(msg, (uint32_t)found->n_events);
	for (size_t i = 0; i < found->n_events; i++)
		payload_event_put(msg, &found->event[i]);
}

int
register_found_get(struct wire_in *in, struct register_found *out, struct err *err)
{
	memset(out, 0, sizeof(*out));
	register_device_get(in, &out->device);
	out->n_certs = number_get(in, REGISTER_CERTS_MAX);
	for (size_t i = 0; i < out->n_certs && !in->bad; i++)
		admin_cert_get(in, &out->cert[i]);
	out->n_refusals = number_get(in, REGISTER_REFUSALS_MAX);
	for (size_t i = 0; i < out->n_refusals && !in->bad; i++)
		refusal_get(in, &out->refusal[i]);
	out->n_events = number_get(in, REGISTER_EVENTS_MAX);
	for (size_t i = 0; i < out->n_events && !in->bad; i++)
		payload_event_get(in, &out->event[i]);
	return wire_end(in, "device found", err);
}

void
register_filter_put(struct buf *msg, const struct store_device_filter *filter)
{
	payload_bool_put(msg, filter->by_state);
	wire_put_u8(msg, (uint8_t)filter->state);
	payload_bool_put(msg, filter->unapproved);
	wire_put_str(msg, filter->manufacturer);
	wire_put_str(msg, filter->region);
	wire_put_i64(msg, filter->limit);
}

int
register_filter_get(struct wire_in *in, struct store_device_filter *out, struct err *err)
{
	struct store_device_filter filter = { 0 };

	filter.by_state = payload_bool_get(in);
	filter.state = device_state_get(in);
	filter.unapproved = payload_bool_get(in);
	wire_get_str(in, filter.manufacturer, sizeof(filter.manufacturer));
	wire_get_str(in, filter.region, sizeof(filter.region));
	filter.limit = payload_count_get(in);
	if (wire_end(in, "what to list", err) != 0)
		return -1;
	*out = filter;
	return 0;
}

void
register_names_put(struct buf *msg, const struct register_names *names)
{
	wire_put_u32(msg, (uint32_t)names->n_manufacturers);
	for (size_t i = 0; i < names->n_manufacturers; i++)
		wire_put_str(msg, names->manufacturer[i]);
	wire_put_u32(msg, (uint32_t)names->n_regions);
	for (size_t i = 0; i < names->n_regions; i++)
		wire_put_str(msg, names->region[i]);
}

int
register_names_get(struct wire_in *in, struct register_names *out, struct err *err)
{
	memset(out, 0, sizeof(*out));
	out->n_manufacturers = number_get(in, MANUFACTURERS_MAX);
	for (size_t i = 0; i < out->n_manufacturers && !in->bad; i++)
		wire_get_str(in, out->manufacturer[i], NAME_LEN);
	out->n_regions = number_get(in, REGIONS_MAX);
	for (size_t i = 0; i < out->n_regions && !in->bad; i++)
		wire_get_str(in, out->region[i], NAME_LEN);
	return wire_end(in, "names of the policies", err);
}

/* ---- chunks ---- */

void
register_chunk_new(struct register_chunk *chunk)
{
	chunk->n = 0;
	chunk->device = mem_array(REGISTER_CHUNK_MAX, sizeof(*chunk->device));
	chunk->secret = mem_array(REGISTER_CHUNK_MAX, sizeof(*chunk->secret));
}

void
register_chunk_free(struct register_chunk *chunk)
{
	if (chunk->secret != NULL)
		OPENSSL_cleanse(chunk->secret, REGISTER_CHUNK_MAX * sizeof(*chunk->secret));
	free(chunk->secret);
	free(chunk->device);
	memset(chunk, 0, sizeof(*chunk));
}

void
register_chunk_start(struct buf *msg, int64_t import)
{
	wire_put_i64(msg, import);
}

void
register_chunk_row(struct buf *msg, const struct device *device, const char *secret)
{
	device_said_put(msg, device);
	if ((device->proofs & DEVICE_PROOF_SECRET) != 0)
		wire_put_str(msg, secret);
}

int
register_chunk_get(struct wire_in *in, struct register_chunk *out, struct err *err)
{
	struct register_chunk chunk = { 0 };

	chunk.import = payload_count_get(in);
	register_chunk_new(&chunk);
	for (; chunk.n < REGISTER_CHUNK_MAX && in->p != in->end && !in->bad; chunk.n++) {
		device_said_get(in, &chunk.device[chunk.n]);
		if ((chunk.device[chunk.n].proofs & DEVICE_PROOF_SECRET) != 0)
			wire_get_str(in, chunk.secret[chunk.n], sizeof(chunk.secret[chunk.n]));
	}
	if (wire_end(in, "rows of an import", err) != 0) {
		register_chunk_free(&chunk);
		return -1;
	}
	*out = chunk;
	return 0;
}

void
register_chunk_done_put(struct buf *msg, const struct register_chunk_done *done)
{
	wire_put_u32(msg, done->n);
	for (uint32_t i = 0; i < done->n; i++)
		wire_put_u32(msg, done->row[i]);
}

int
register_chunk_done_get(struct wire_in *in, struct register_chunk_done *out, struct err *err)
{
	out->n = (uint32_t)number_get(in, REGISTER_CHUNK_MAX);
	for (uint32_t i = 0; i < out->n && !in->bad; i++)
		out->row[i] = wire_get_u32(in);
	return wire_end(in, "rows added", err);
}
