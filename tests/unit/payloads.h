/*
 * One sample of every payload, with no field zero: how it is written, read and freed, and where
 * its fields are.
 */
#ifndef PAYLOADS_H
#define PAYLOADS_H

#include "smki/admin.h"
#include "smki/der.h"
#include "smki/mem.h"
#include "test.h"

struct field {
	const char *name;
	size_t at, size;
};
#define FIELD(type, member)                                                                        \
	{                                                                                          \
#member, offsetof(struct type, member), sizeof(((struct type *)0)->member)         \
	}

/* One payload: how to write, read and free it, a sample with no field zero, and its fields. */
struct kind {
	const char *name;
	void (*put)(struct buf *msg, const void *value);
	int (*get)(struct wire_in *in, void *out, struct err *err);
	void (*free)(void *value);
	const void *sample;
	size_t size;
	const struct field *fields;
	size_t n_fields;
};

#define SHIMS(type, noun)                                                                          \
	static void put_##noun(struct buf *msg, const void *value)                                 \
	{                                                                                          \
		admin_##noun##_put(msg, (const struct type *)value);                               \
	}                                                                                          \
	static int get_##noun(struct wire_in *in, void *out, struct err *err)                      \
	{                                                                                          \
		return admin_##noun##_get(in, (struct type *)out, err);                            \
	}

SHIMS(admin_hello, hello)
SHIMS(admin_name, name)
SHIMS(admin_crl_ask, crl_ask)
SHIMS(admin_find, find)
SHIMS(admin_found, found)
SHIMS(admin_list, list)
SHIMS(admin_status, status)
SHIMS(admin_ca, ca)
SHIMS(admin_crl_begin, crl_begin)
SHIMS(admin_crl_put, crl_put)
SHIMS(store_crl, crl_row)
SHIMS(issue_request, issue)
SHIMS(issue_result, issued)
SHIMS(status_request, change)
SHIMS(status_result, changed)

static void
free_none(void *value)
{
	(void)value;
}
static void
free_found(void *value)
{
	admin_found_free(value);
}
static void
free_ca(void *value)
{
	admin_ca_free(value);
}
static void
free_crl_begin(void *value)
{
	admin_crl_begin_free(value);
}
static void
free_crl_put(void *value)
{
	admin_crl_put_free(value);
}
static void
free_issue(void *value)
{
	buf_free(&((struct issue_request *)value)->csr);
}
static void
free_issued(void *value)
{
	buf_free(&((struct issue_result *)value)->der);
}

static uint8_t octets[] = "bytes of something, not read here";
#define BYTES                                                                                      \
	{                                                                                          \
		.data = octets, .len = sizeof(octets)                                              \
	}
#define SERIAL                                                                                     \
	{                                                                                          \
		.octets = { 0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xf0 }, .len = 8             \
	}
#define DEVICE                                                                                     \
	{                                                                                          \
		.octets = { 0, 0xdb, 0x12, 0x34, 0x56, 0x78, 0, 1 }                                \
	}
#define HOLDER                                                                                     \
	{                                                                                          \
		.kind = HOLDER_DEVICE, .name = { 0, 0xdb, 0x12, 0x34, 0x56, 0x78, 0, 1 },          \
		.name_len = 8, .hw_type = "1.3.6.1.4.1.32473.1"                                    \
	}
#define CERT                                                                                       \
	{                                                                                          \
		.id = 11, .ca = 2, .ca_name = "issuing", .serial = SERIAL,                         \
		.profile = "device-signature", .holder = HOLDER, .use = USE_AGREEMENT,             \
		.key_hash = { 1, 2, 3, 4 }, .not_before = 1700000000, .not_after = TIME_NO_EXPIRY, \
		.replaces = 9, .state = CERT_REVOKED, .reason = REASON_KEY_COMPROMISE,             \
		.changed = 1700000001, .invalid_since = 1699999999, .event = 1 << 20               \
	}
#define EVENT                                                                                      \
	{                                                                                          \
		.id = 77, .time = 1700000002, .actor = 1000, .action = "revoke", .ca = 2,          \
		.certificate = 11, .holder = 5, .from_state = 1, .to_state = 2, .reason = 10,      \
		.invalid_since = 1699999999, .detail = "lost \"at sea\""                           \
	}
#define CRL                                                                                        \
	{                                                                                          \
		.ca = 2, .number = 1LL << 40, .event = 78, .this_update = 1700000003,              \
		.next_update = 1700086403, .entries = 1000000, .size = 35000000,                   \
		.sha256 = { 9, 8, 7 }, .base = 1LL << 39                                           \
	}

static const struct admin_hello hello = { "0.1.0", ROLE_OPERATOR, 4294967294LL };
static const struct admin_name ca_name = { "issuing" };
static const struct admin_crl_ask crl_ask = { "issuing", CRL_SHARD, 4711 };
static const struct admin_find find = { true, true, "root", SERIAL, DEVICE };
static const struct admin_found found = { .cert = CERT,
	.der = BYTES,
	.n_events = 2,
	.event = {
	    EVENT, { .actor = ACTOR_SELF, .action = "issue", .from_state = -1, .reason = -1 } } };
static const struct admin_list list = { true, CERT_HOLD, "issuing", true, DEVICE, 1700000004, 50 };
static const struct admin_status status = { "0.1.0", 4242, 1700000005, 1700000006, 79, true, 3,
	"clock: behind", 1234567890123, 2, 1800000007 };
static const struct admin_ca ca = { "issuing", "root", true, { 1, 2, 3 }, true, CRL, BYTES, BYTES };
static const struct admin_crl_begin crl_begin = { .number = 4,
	.event = 80,
	.der = BYTES,
	.n = 2,
	.entry = { { SERIAL, REASON_SUPERSEDED, 1700000007, 1700000000 },
	    { SERIAL, REASON_CERTIFICATE_HOLD, 1700000008, 0 } } };
static const struct admin_crl_put crl_put = { "root", 4, 80, BYTES };
static const struct store_crl crl_row = CRL;
/* The uid must not travel: out has ACTOR_SELF, see test_uid. */
static const struct issue_request issue = { .profile = "device-signature",
	.ca = "issuing",
	.by_device = true,
	.device = DEVICE,
	.on_hold = true,
	.replace = true,
	.uid = 1234,
	.csr = BYTES };
static const struct issue_result issued = { .existing = true,
	.id = 11,
	.replaces = 9,
	.serial = SERIAL,
	.state = CERT_HOLD,
	.profile = "device-signature",
	.ca = "issuing",
	.holder = HOLDER,
	.der = BYTES };
static const struct status_request change = { .ca = "issuing",
	.serial = SERIAL,
	.change = { ACTION_REVOKE, REASON_CESSATION_OF_OPERATION, 1700000000 },
	.uid = 1234,
	.detail = "ticket 5",
	.ceremony = true };
static const struct status_result changed = { true, CERT };

static const struct field hello_f[] = { FIELD(admin_hello, version), FIELD(admin_hello, role),
	FIELD(admin_hello, uid) };
static const struct field name_f[] = { FIELD(admin_name, ca) };
static const struct field crl_ask_f[] = { FIELD(admin_crl_ask, ca), FIELD(admin_crl_ask, kind),
	FIELD(admin_crl_ask, shard) };
static const struct field find_f[] = { FIELD(admin_find, by_device), FIELD(admin_find, der),
	FIELD(admin_find, ca), FIELD(admin_find, serial), FIELD(admin_find, device) };
#define CERT_FIELDS(type, m)                                                                       \
	FIELD(type, m.id), FIELD(type, m.ca), FIELD(type, m.ca_name), FIELD(type, m.serial),       \
	    FIELD(type, m.profile), FIELD(type, m.holder.kind), FIELD(type, m.holder.name),        \
	    FIELD(type, m.holder.name_len), FIELD(type, m.holder.hw_type), FIELD(type, m.use),     \
	    FIELD(type, m.key_hash), FIELD(type, m.not_before), FIELD(type, m.not_after),          \
	    FIELD(type, m.replaces), FIELD(type, m.state), FIELD(type, m.reason),                  \
	    FIELD(type, m.changed), FIELD(type, m.invalid_since), FIELD(type, m.event)
#define EVENT_FIELDS(type, m)                                                                      \
	FIELD(type, m.id), FIELD(type, m.time), FIELD(type, m.actor), FIELD(type, m.action),       \
	    FIELD(type, m.ca), FIELD(type, m.certificate), FIELD(type, m.holder),                  \
	    FIELD(type, m.from_state), FIELD(type, m.to_state), FIELD(type, m.reason),             \
	    FIELD(type, m.invalid_since), FIELD(type, m.detail)
#define CRL_FIELDS(type, m)                                                                        \
	FIELD(type, m ca), FIELD(type, m number), FIELD(type, m event),                            \
	    FIELD(type, m this_update), FIELD(type, m next_update), FIELD(type, m entries),        \
	    FIELD(type, m size), FIELD(type, m sha256), FIELD(type, m base)
static const struct field found_f[] = { CERT_FIELDS(admin_found, cert), FIELD(admin_found, der.len),
	FIELD(admin_found, n_events), EVENT_FIELDS(admin_found, event[0]),
	EVENT_FIELDS(admin_found, event[1]) };
static const struct field list_f[] = { FIELD(admin_list, by_state), FIELD(admin_list, state),
	FIELD(admin_list, ca), FIELD(admin_list, by_device), FIELD(admin_list, device),
	FIELD(admin_list, since), FIELD(admin_list, limit) };
static const struct field status_f[] = { FIELD(admin_status, version), FIELD(admin_status, pid),
	FIELD(admin_status, started), FIELD(admin_status, now), FIELD(admin_status, event),
	FIELD(admin_status, token_ready), FIELD(admin_status, queue), FIELD(admin_status, alarm),
	FIELD(admin_status, refused), FIELD(admin_status, imports),
	FIELD(admin_status, server_until) };
static const struct field ca_f[] = { FIELD(admin_ca, name), FIELD(admin_ca, parent),
	FIELD(admin_ca, key_bound), FIELD(admin_ca, tally), FIELD(admin_ca, has_crl),
	CRL_FIELDS(admin_ca, crl.), FIELD(admin_ca, der.len), FIELD(admin_ca, responder.len) };
#define LISTED_FIELDS(m)                                                                           \
	FIELD(admin_crl_begin, m.serial), FIELD(admin_crl_begin, m.reason),                        \
	    FIELD(admin_crl_begin, m.changed), FIELD(admin_crl_begin, m.invalid_since)
static const struct field crl_begin_f[] = { FIELD(admin_crl_begin, number),
	FIELD(admin_crl_begin, event), FIELD(admin_crl_begin, der.len), FIELD(admin_crl_begin, n),
	LISTED_FIELDS(entry[0]), LISTED_FIELDS(entry[1]) };
static const struct field crl_put_f[] = { FIELD(admin_crl_put, ca), FIELD(admin_crl_put, number),
	FIELD(admin_crl_put, event), FIELD(admin_crl_put, der.len) };
static const struct field crl_row_f[] = { CRL_FIELDS(store_crl, ) };
static const struct field issue_f[] = { FIELD(issue_request, profile), FIELD(issue_request, ca),
	FIELD(issue_request, by_device), FIELD(issue_request, device),
	FIELD(issue_request, on_hold), FIELD(issue_request, replace),
	FIELD(issue_request, csr.len) };
static const struct field issued_f[] = { FIELD(issue_result, existing), FIELD(issue_result, id),
	FIELD(issue_result, replaces), FIELD(issue_result, serial), FIELD(issue_result, state),
	FIELD(issue_result, profile), FIELD(issue_result, ca), FIELD(issue_result, holder.kind),
	FIELD(issue_result, holder.name), FIELD(issue_result, holder.name_len),
	FIELD(issue_result, holder.hw_type), FIELD(issue_result, der.len) };
static const struct field change_f[] = { FIELD(status_request, ca), FIELD(status_request, serial),
	FIELD(status_request, change.action), FIELD(status_request, change.reason),
	FIELD(status_request, change.invalid_since), FIELD(status_request, detail) };
static const struct field changed_f[] = { FIELD(status_result, already),
	CERT_FIELDS(status_result, cert) };

#define KIND(noun, object, free_fn)                                                                \
	{                                                                                          \
#noun, put_##noun, get_##noun, free_fn, &(object), sizeof(object), noun##_f,       \
		    ARRAY_LEN(noun##_f)                                                            \
	}
static const struct kind kinds[] = {
	KIND(hello, hello, free_none),
	KIND(name, ca_name, free_none),
	KIND(find, find, free_none),
	KIND(found, found, free_found),
	KIND(list, list, free_none),
	KIND(status, status, free_none),
	KIND(ca, ca, free_ca),
	KIND(crl_begin, crl_begin, free_crl_begin),
	KIND(crl_put, crl_put, free_crl_put),
	KIND(crl_row, crl_row, free_none),
	KIND(issue, issue, free_issue),
	KIND(issued, issued, free_issued),
	KIND(change, change, free_none),
	KIND(changed, changed, free_none),
	KIND(crl_ask, crl_ask, free_none),
};

#endif
