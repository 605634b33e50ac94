/*
 * The register's payloads: each comes back as it went, none of its beginnings does, and what is out
 * of range is refused.
 */
#include "smki/mem.h"
#include "smki/register.h"
#include "test.h"

static struct device
device_of(uint8_t nn)
{
	return (struct device){
		.eui = { { 0x00, 0xdb, 0x12, 0x34, 0x56, 0x78, 0x00, nn } },
		.hw_type = "1.3.6.1.4.1.32473.1.1",
		.approved = true,
	};
}

static const struct register_names names = {
	.n_manufacturers = 1,
	.manufacturer = { "acme" },
	.n_regions = 2,
	.region = { "north", "south" },
};

static struct device
full_device(void)
{
	struct device d = device_of(0xfe);

	memset(d.hw_type, '1', OID_TEXT_LEN - 1);
	memset(d.manufacturer, 'm', NAME_LEN - 1);
	memset(d.model, 'o', DEVICE_MODEL_LEN - 1);
	memset(d.region, 'r', NAME_LEN - 1);
	memset(d.key, 0x5a, SHA256_LEN);
	d.proofs = DEVICE_PROOF_IDEVID | DEVICE_PROOF_SECRET | DEVICE_PROOF_KEY;
	d.end_to_end = d.approved = d.secret_used = true;
	d.state = DEVICE_RETIRED;
	d.id = INT64_MAX;
	d.registered = 1700000000;
	d.import = 77;
	return d;
}

/* What was put into msg, from its payload on. */
static struct wire_in
payload(const struct buf *msg)
{
	return (struct wire_in){ .p = msg->data + WIRE_HEAD, .end = msg->data + msg->len };
}

static int
same_device(const struct device *a, const struct device *b)
{
	return memcmp(a->eui.octets, b->eui.octets, EUI64_LEN) == 0 &&
	       strcmp(a->hw_type, b->hw_type) == 0 &&
	       strcmp(a->manufacturer, b->manufacturer) == 0 && strcmp(a->model, b->model) == 0 &&
	       strcmp(a->region, b->region) == 0 && a->proofs == b->proofs &&
	       a->end_to_end == b->end_to_end && a->approved == b->approved &&
	       a->secret_used == b->secret_used && a->state == b->state && a->id == b->id &&
	       a->registered == b->registered && a->import == b->import &&
	       memcmp(a->key, b->key, SHA256_LEN) == 0;
}

/* Each payload comes back, and none of its beginnings does. */
#define BOTH_WAYS(kind, from, to)                                                                  \
	do {                                                                                       \
		wire_start(&msg, 1, 1, 0);                                                         \
		register_##kind##_put(&msg, from);                                                 \
		in = payload(&msg);                                                                \
		CHECK(register_##kind##_get(&in, to, &err) == 0);                                  \
		for (size_t cut_ = 0; cut_ < msg.len - WIRE_HEAD; cut_ += 1 + cut_ / 8) {          \
			in = payload(&msg);                                                        \
			in.end = in.p + cut_;                                                      \
			CHECK(register_##kind##_get(&in, to, &err) != 0);                          \
		}                                                                                  \
		in = payload(&msg);                                                                \
		CHECK(register_##kind##_get(&in, to, &err) == 0);                                  \
	} while (0)

static void
test_payloads(void)
{
	struct device d = full_device();
	struct register_add add_in = { .device = d, .make_secret = true }, add_out;
	struct register_added added_in = { .device = d, .secret = "S" }, added_out;
	struct register_change change_in = { d.eui, DEVICE_DO_RETIRE }, change_out;
	struct register_changed changed_in = { true, d }, changed_out;
	struct register_names *names_out = mem_alloc(sizeof(*names_out));
	struct store_device_filter filter_in = { .by_state = true,
		.state = DEVICE_HOLD,
		.unapproved = true,
		.manufacturer = "acme",
		.region = "north",
		.limit = 5 },
				   filter_out;
	struct register_chunk_done done_in = { .n = 2, .row = { 0, 399 } }, done_out;
	struct eui64 eui_out;
	struct buf msg = { 0 };
	struct wire_in in;
	struct err err;

	memset(added_in.secret, 'S', ENROL_SECRET_MAX);
	BOTH_WAYS(add, &add_in, &add_out);
	CHECK(add_out.make_secret && add_out.device.proofs == d.proofs);
	CHECK_MEM(add_out.device.key, SHA256_LEN, d.key, SHA256_LEN);
	BOTH_WAYS(added, &added_in, &added_out);
	CHECK(same_device(&added_out.device, &d));
	CHECK_STR(added_out.secret, added_in.secret);
	BOTH_WAYS(change, &change_in, &change_out);
	CHECK(change_out.action == DEVICE_DO_RETIRE);
	BOTH_WAYS(changed, &changed_in, &changed_out);
	CHECK(changed_out.already && same_device(&changed_out.device, &d));
	BOTH_WAYS(eui, &d.eui, &eui_out);
	BOTH_WAYS(filter, &filter_in, &filter_out);
	CHECK(filter_out.unapproved && filter_out.state == DEVICE_HOLD && filter_out.limit == 5);
	CHECK_STR(filter_out.region, "north");
	BOTH_WAYS(names, &names, names_out);
	CHECK(names_out->n_regions == 2);
	CHECK_STR(names_out->region[1], "south");
	BOTH_WAYS(chunk_done, &done_in, &done_out);
	CHECK(done_out.n == 2 && done_out.row[1] == 399);
	free(names_out);
	buf_free(&msg);
}

/* Values that no type has. */
static void
test_payload_ranges(void)
{
	struct register_change change_out;
	struct store_device_filter filter = { 0 }, filter_out;
	struct register_chunk_done done_out;
	struct device d = full_device();
	struct register_add add_in = { .device = d }, add_out;
	struct buf msg = { 0 };
	struct wire_in in;
	struct err err;

	for (uint8_t action = 0; action < 7; action++) {
		wire_start(&msg, 1, 1, 0);
		register_eui_put(&msg, &d.eui);
		wire_put_u8(&msg, action);
		in = payload(&msg);
		CHECK((register_change_get(&in, &change_out, &err) == 0) ==
		      (action >= DEVICE_DO_APPROVE && action <= DEVICE_DO_RETIRE));
	}
	wire_start(&msg, 1, 1, 0);
	register_filter_put(&msg, &filter);
	msg.data[WIRE_HEAD + 1] = DEVICE_RETIRED + 1;
	in = payload(&msg);
	CHECK(register_filter_get(&in, &filter_out, &err) != 0);
	wire_start(&msg, 1, 1, 0);
	wire_put_u32(&msg, REGISTER_CHUNK_MAX + 1);
	in = payload(&msg);
	CHECK(register_chunk_done_get(&in, &done_out, &err) != 0);
	add_in.device.proofs = 8;
	wire_start(&msg, 1, 1, 0);
	register_add_put(&msg, &add_in);
	in = payload(&msg);
	CHECK(register_add_get(&in, &add_out, &err) != 0);
	buf_free(&msg);
}

static void
test_payload_large(void)
{
	struct register_found *found = mem_alloc(sizeof(*found)), *back = mem_alloc(sizeof(*back));
	struct register_chunk chunk = { 0 };
	struct device d = full_device();
	struct buf msg = { 0 };
	struct wire_in in;
	struct err err;

	/* All that one show may tell fits into a message. */
	found->device = d;
	found->n_certs = REGISTER_CERTS_MAX;
	for (size_t i = 0; i < found->n_certs; i++) {
		struct store_cert *c = &found->cert[i];

		c->use = USE_SIGNATURE;
		c->serial.len = SERIAL_MAX;
		memset(c->serial.octets, 1, SERIAL_MAX);
		memset(c->ca_name, 'c', NAME_LEN - 1);
		memset(c->profile, 'p', NAME_LEN - 1);
		c->holder.kind = HOLDER_DEVICE;
		c->holder.name_len = EUI64_LEN;
		memcpy(c->holder.hw_type, d.hw_type, OID_TEXT_LEN);
	}
	found->n_refusals = REGISTER_REFUSALS_MAX;
	for (size_t i = 0; i < found->n_refusals; i++) {
		memset(found->refusal[i].who, 'w', sizeof(found->refusal[i].who) - 1);
		memset(found->refusal[i].reason, 'y', sizeof(found->refusal[i].reason) - 1);
	}
	found->n_events = REGISTER_EVENTS_MAX;
	for (size_t i = 0; i < found->n_events; i++)
		memset(found->event[i].detail, 'd', DETAIL_LEN - 1);
	wire_start(&msg, 1, 1, 0);
	register_found_put(&msg, found);
	CHECK(msg.len <= WIRE_MAX);
	in = payload(&msg);
	CHECK(register_found_get(&in, back, &err) == 0);
	CHECK(back->n_certs == REGISTER_CERTS_MAX && back->n_events == REGISTER_EVENTS_MAX);
	CHECK(same_device(&back->device, &d));

	wire_start(&msg, 1, 1, 0);
	register_chunk_start(&msg, 5);
	for (int i = 0; i < REGISTER_CHUNK_MAX; i++) {
		d = device_of((uint8_t)i);
		d.proofs = i % 2 == 0 ? 0 : DEVICE_PROOF_SECRET;
		register_chunk_row(&msg, &d, "SECRET");
	}
	in = payload(&msg);
	CHECK(register_chunk_get(&in, &chunk, &err) == 0);
	CHECK(chunk.import == 5 && chunk.n == REGISTER_CHUNK_MAX);
	CHECK_STR(chunk.secret[0], "");
	CHECK_STR(chunk.secret[1], "SECRET");
	register_chunk_free(&chunk);
	register_chunk_row(&msg, &d, "SECRET");
	in = payload(&msg);
	CHECK(register_chunk_get(&in, &chunk, &err) != 0);
	msg.len -= 3;
	in = payload(&msg);
	CHECK(register_chunk_get(&in, &chunk, &err) != 0);
	buf_free(&msg);
	free(found);
	free(back);
}

static const struct test_case cases[] = {
	{ "both ways", test_payloads },
	{ "ranges", test_payload_ranges },
	{ "large", test_payload_large },
};

TEST_MAIN("register payload", cases)
