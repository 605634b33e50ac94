/*
 * One sample of every payload of front.sock, with no field zero: how it is made, written, read,
 * compared and freed.
 */
#ifndef FRONT_SAMPLES_H
#define FRONT_SAMPLES_H

#include <stdlib.h>
#include <string.h>

#include "smki/front.h"
#include "smki/mem.h"

struct front_kind {
	const char *name;
	size_t size;
	void (*fill)(void *value);
	void (*put)(struct buf *msg, const void *value);
	int (*get)(struct wire_in *in, void *out, struct err *err);
	int (*same)(const void *a, const void *b);
	void (*free)(void *value);
};

static inline void
front_fill_enrol(void *value)
{
	struct enrol_request *r = value;

	r->kind = ENROL_SERVER_KEY;
	memcpy(r->profile, "device-signature", 17);
	buf_add_str(&r->csr, "a request");
	r->n_chain = 2;
	buf_add_str(&r->chain[0], "the device's");
	buf_add_str(&r->chain[1], "its maker's");
	r->has_secret = true;
	memset(r->secret_eui.octets, 1, EUI64_LEN);
	memcpy(r->secret, "GEZDGNBVGY3TQOJQGEZDGNBVGX", 27);
	r->has_statement = true;
	r->statement = (struct statement){ .eui = { { 0, 0xdb, 1, 2, 3, 4, 5, 6 } },
		.hw_type = "1.3.6.1.4.1.32473.1",
		.model = "M1 \xc3\xa9",
		.firmware = "2.0",
		.time = 1700000000,
		.country = "NL",
		.has_position = true,
		.latitude = 52370000,
		.longitude = -4900000 };
	buf_add_str(&r->signature, "signed");
	memcpy(r->address, "fe80::1%eth0", 13);
}

static inline void
front_fill_issued(void *value)
{
	struct enrol_answer *a = value;

	a->outcome = ENROL_ISSUED;
	a->issued = (struct issue_result){ .existing = true,
		.id = 11,
		.replaces = 9,
		.serial = { { 0x12, 0x34 }, 2 },
		.state = CERT_HOLD,
		.profile = "device-signature",
		.ca = "issuing",
		.holder = { HOLDER_DEVICE, { 0, 0xdb, 1, 2, 3, 4, 5, 6 }, 8,
		    "1.3.6.1.4.1.32473.1" },
		.not_after = 1700000001 };
	buf_add_str(&a->issued.der, "a certificate");
	buf_add_str(&a->key, "a key");
	memcpy(a->region, "north", 6);
	a->not_after = 1700000001;
}

static inline void
front_fill_pending(void *value)
{
	((struct enrol_answer *)value)->outcome = ENROL_PENDING;
}

static inline void
front_fill_refused(void *value)
{
	struct enrol_answer *a = value;

	a->outcome = ENROL_REFUSED;
	a->reason = REFUSAL_SECRET_USED;
	a->err = (struct err){ FAIL_CONFLICT, "enrolment secret: was used" };
}

static inline void
front_fill_token(void *value)
{
	struct access_request *r = value;

	buf_add_str(&r->der, "a certificate");
	memcpy(r->scope, "meter", 6);
	memcpy(r->client, "00db123456780001", 17);
	memcpy(r->address, "192.0.2.1", 10);
}

static inline void
front_fill_access(void *value)
{
	struct access_answer *a = value;

	memcpy(a->token, "aaa.bbb.ccc", 12);
	memcpy(a->scope, "meter", 6);
	a->expires_in = 600;
}

static inline void
front_fill_no_access(void *value)
{
	struct access_answer *a = value;

	a->refused = true;
	a->reason = REFUSAL_SCOPE;
	a->err = (struct err){ FAIL_DENIED, "scope: other is not allowed" };
}

static inline void
front_fill_counts(void *value)
{
	struct front_refused *r = value;

	r->n = 2;
	memcpy(r->row[0].who, "192.0.2.1", 10);
	r->row[0].reason = REFUSAL_CERTIFICATE;
	r->row[0].n = 1000000000;
	memcpy(r->row[1].who, "2001:db8::1", 12);
	r->row[1].reason = REFUSAL_FORM;
	r->row[1].n = 1;
}

static inline int
front_same_bufs(const struct buf *a, const struct buf *b)
{
	return span_eq(buf_span(a), buf_span(b));
}

static inline int
front_same_statement(const struct statement *a, const struct statement *b)
{
	return memcmp(a->eui.octets, b->eui.octets, EUI64_LEN) == 0 &&
	       strcmp(a->hw_type, b->hw_type) == 0 && strcmp(a->model, b->model) == 0 &&
	       strcmp(a->firmware, b->firmware) == 0 && a->time == b->time &&
	       strcmp(a->country, b->country) == 0 && a->has_position == b->has_position &&
	       a->latitude == b->latitude && a->longitude == b->longitude;
}

static inline int
front_same_enrol(const void *one, const void *two)
{
	const struct enrol_request *a = one, *b = two;
	int same = a->kind == b->kind && strcmp(a->profile, b->profile) == 0 &&
		   front_same_bufs(&a->csr, &b->csr) && a->n_chain == b->n_chain &&
		   a->has_secret == b->has_secret &&
		   memcmp(a->secret_eui.octets, b->secret_eui.octets, EUI64_LEN) == 0 &&
		   strcmp(a->secret, b->secret) == 0 && a->has_statement == b->has_statement &&
		   front_same_statement(&a->statement, &b->statement) &&
		   front_same_bufs(&a->signature, &b->signature) &&
		   strcmp(a->address, b->address) == 0;

	for (size_t i = 0; i < a->n_chain && same; i++)
		same = front_same_bufs(&a->chain[i], &b->chain[i]);
	return same;
}

static inline int
front_same_answer(const void *one, const void *two)
{
	const struct enrol_answer *a = one, *b = two;
	const struct issue_result *i = &a->issued, *k = &b->issued;

	return a->outcome == b->outcome && a->reason == b->reason && a->err.code == b->err.code &&
	       strcmp(a->err.msg, b->err.msg) == 0 && front_same_bufs(&a->key, &b->key) &&
	       strcmp(a->region, b->region) == 0 && a->not_after == b->not_after &&
	       i->existing == k->existing && i->id == k->id && i->replaces == k->replaces &&
	       serial_eq(&i->serial, &k->serial) && i->state == k->state &&
	       strcmp(i->profile, k->profile) == 0 && strcmp(i->ca, k->ca) == 0 &&
	       i->holder.kind == k->holder.kind && i->holder.name_len == k->holder.name_len &&
	       memcmp(i->holder.name, k->holder.name, i->holder.name_len) == 0 &&
	       strcmp(i->holder.hw_type, k->holder.hw_type) == 0 &&
	       front_same_bufs(&i->der, &k->der) && i->not_after == k->not_after;
}

static inline int
front_same_token(const void *one, const void *two)
{
	const struct access_request *a = one, *b = two;

	return front_same_bufs(&a->der, &b->der) && strcmp(a->scope, b->scope) == 0 &&
	       strcmp(a->client, b->client) == 0 && strcmp(a->address, b->address) == 0;
}

static inline int
front_same_access(const void *one, const void *two)
{
	const struct access_answer *a = one, *b = two;

	return a->refused == b->refused && a->reason == b->reason && a->err.code == b->err.code &&
	       strcmp(a->err.msg, b->err.msg) == 0 && strcmp(a->token, b->token) == 0 &&
	       strcmp(a->scope, b->scope) == 0 && a->expires_in == b->expires_in;
}

static inline int
front_same_counts(const void *one, const void *two)
{
	const struct front_refused *a = one, *b = two;
	int same = a->n == b->n;

	for (size_t i = 0; i < a->n && same; i++)
		same = strcmp(a->row[i].who, b->row[i].who) == 0 &&
		       a->row[i].reason == b->row[i].reason && a->row[i].n == b->row[i].n;
	return same;
}

/* Shims with untyped values around a pair of functions. */
#define FRONT_SHIMS(noun, type)                                                                    \
	static inline void front_put_##noun(struct buf *msg, const void *value)                    \
	{                                                                                          \
		front_##noun##_put(msg, (const struct type *)value);                               \
	}                                                                                          \
	static inline int front_get_##noun(struct wire_in *in, void *out, struct err *err)         \
	{                                                                                          \
		return front_##noun##_get(in, (struct type *)out, err);                            \
	}
FRONT_SHIMS(enrol, enrol_request)
FRONT_SHIMS(enrolled, enrol_answer)
FRONT_SHIMS(token, access_request)
FRONT_SHIMS(access, access_answer)
FRONT_SHIMS(refused, front_refused)

static inline void
front_free_enrol(void *value)
{
	enrol_request_free(value);
}
static inline void
front_free_answer(void *value)
{
	enrol_answer_free(value);
}
static inline void
front_free_token(void *value)
{
	buf_free(&((struct access_request *)value)->der);
}
static inline void
front_free_none(void *value)
{
	(void)value;
}

static const struct front_kind front_kinds[] = {
	{ "enrol", sizeof(struct enrol_request), front_fill_enrol, front_put_enrol, front_get_enrol,
	    front_same_enrol, front_free_enrol },
	{ "issued", sizeof(struct enrol_answer), front_fill_issued, front_put_enrolled,
	    front_get_enrolled, front_same_answer, front_free_answer },
	{ "pending", sizeof(struct enrol_answer), front_fill_pending, front_put_enrolled,
	    front_get_enrolled, front_same_answer, front_free_answer },
	{ "refused", sizeof(struct enrol_answer), front_fill_refused, front_put_enrolled,
	    front_get_enrolled, front_same_answer, front_free_answer },
	{ "token", sizeof(struct access_request), front_fill_token, front_put_token,
	    front_get_token, front_same_token, front_free_token },
	{ "access", sizeof(struct access_answer), front_fill_access, front_put_access,
	    front_get_access, front_same_access, front_free_none },
	{ "no access", sizeof(struct access_answer), front_fill_no_access, front_put_access,
	    front_get_access, front_same_access, front_free_none },
	{ "counts", sizeof(struct front_refused), front_fill_counts, front_put_refused,
	    front_get_refused, front_same_counts, front_free_none },
};

/* The caller's, for the kind's free and free(3). */
static inline void *
front_sample(const struct front_kind *kind)
{
	void *value = mem_alloc(kind->size);

	kind->fill(value);
	return value;
}

#endif
