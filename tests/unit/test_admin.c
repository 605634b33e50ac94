/*
 * Payloads: what is written is read back field by field; cut anywhere, with something behind, or
 * with a value out of its range it is refused and nothing is left to free; the largest fit one
 * message.
 */
#include "smki/admin.h"
#include "smki/csr.h"
#include "smki/der.h"
#include "smki/file.h"
#include "smki/mem.h"
#include "test.h"
#include "corpus.h"
#include "payloads.h"

static int
get(const struct kind *kind, const uint8_t *payload, size_t len, void *out, struct err *err)
{
	struct wire_in in = { payload, payload + len, false };

	return kind->get(&in, out, err);
}

static void
test_round_trip(void)
{
	struct buf msg = { 0 }, again = { 0 };
	struct err err;

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		const struct kind *k = &kinds[i];
		uint8_t *out = mem_alloc(k->size);

		buf_reset(&msg);
		buf_reset(&again);
		k->put(&msg, k->sample);
		CHECK_ROW(k->name, get(k, msg.data, msg.len, out, &err) == 0);
		for (size_t f = 0; f < k->n_fields; f++) {
			const struct field *field = &k->fields[f];
			const uint8_t *want = (const uint8_t *)k->sample + field->at;

			if (memcmp(out + field->at, want, field->size) != 0)
				fprintf(stderr, "  %s: %s\n", k->name, field->name);
			CHECK(memcmp(out + field->at, want, field->size) == 0);
		}
		k->put(&again, out);
		CHECK_MEM(again.data, again.len, msg.data, msg.len);
		k->free(out);
		free(out);
	}
	buf_free(&msg);
	buf_free(&again);
}

static void
test_cut(void)
{
	struct buf msg = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		const struct kind *k = &kinds[i];
		uint8_t *out = mem_alloc(k->size);

		buf_reset(&msg);
		k->put(&msg, k->sample);
		buf_add_u8(&msg, 0);
		for (size_t len = 0; len <= msg.len; len++) {
			uint8_t *cut = mem_copy(msg.data, len > 0 ? len : 1);
			struct err err = { 0 };

			/* A refused payload leaves nothing to free: the leak checker watches. */
			if (len == msg.len - 1) {
				CHECK_ROW(k->name, get(k, cut, len, out, &err) == 0);
				k->free(out);
			} else {
				CHECK_ROW(k->name, get(k, cut, len, out, &err) == -1);
				CHECK_ROW(k->name, err.code == FAIL_INVALID);
			}
			free(cut);
		}
		free(out);
	}
	buf_free(&msg);
}

/* Any octet replaced by any of a few: refused, or read and written the same again. */
static void
test_bent(void)
{
	static const uint8_t values[] = { 0, 1, 3, 7, 0x7f, 0x80, 0xff };
	struct buf msg = { 0 }, again = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		const struct kind *k = &kinds[i];
		uint8_t *out = mem_alloc(k->size);

		buf_reset(&msg);
		k->put(&msg, k->sample);
		for (size_t at = 0; at < msg.len; at++) {
			uint8_t was = msg.data[at];

			for (size_t v = 0; v < ARRAY_LEN(values); v++) {
				msg.data[at] = values[v];
				if (get(k, msg.data, msg.len, out, NULL) != 0)
					continue;
				buf_reset(&again);
				k->put(&again, out);
				CHECK_ROW(k->name, span_eq(buf_span(&again), buf_span(&msg)));
				k->free(out);
			}
			msg.data[at] = was;
		}
		free(out);
	}
	buf_free(&msg);
	buf_free(&again);
}

/* Values that C has no name for, one in each payload. */
static void
test_ranges(void)
{
	struct admin_hello h = hello;
	struct admin_find f = find;
	struct admin_list l = list;
	struct status_request c = change;
	struct status_result r = changed;
	struct store_crl crl = crl_row;
	struct issue_result result = issued;
	struct buf msg = { 0 };
	size_t row = 0;

#define REFUSED(noun, object, set)                                                                 \
	do {                                                                                       \
		struct err err = { 0 };                                                            \
		void *out = mem_alloc(sizeof(object));                                             \
		buf_reset(&msg);                                                                   \
		set;                                                                               \
		put_##noun(&msg, &(object));                                                       \
		struct wire_in in = { msg.data, msg.data + msg.len, false };                       \
		CHECK_ROW(#set, get_##noun(&in, out, &err) == -1 && err.code == FAIL_INVALID);     \
		free(out);                                                                         \
		row++;                                                                             \
	} while (0)
#define RESTORE(object, from) ((object) = (from))

	REFUSED(hello, h, h.role = (enum role)(ROLE_ADMINISTRATOR + 1));
	f.by_device = false;
	REFUSED(find, f, f.serial.len = 0);
	REFUSED(list, l, l.state = (enum cert_state)3);
	RESTORE(l, list);
	REFUSED(list, l, l.limit = -1);
	RESTORE(l, list);
	REFUSED(list, l, l.since = -1);
	REFUSED(change, c, c.change.action = (enum cert_action)0);
	RESTORE(c, change);
	REFUSED(change, c, c.change.action = (enum cert_action)4);
	RESTORE(c, change);
	REFUSED(change, c, c.change.reason = (enum crl_reason)7);
	RESTORE(c, change);
	REFUSED(change, c, c.change.reason = (enum crl_reason)11);
	RESTORE(c, change);
	REFUSED(change, c, c.change.invalid_since = TIME_NO_EXPIRY + 1);
	RESTORE(c, change);
	REFUSED(change, c, c.serial.len = 0);
	REFUSED(changed, r, r.cert.use = (enum key_use)0);
	RESTORE(r, changed);
	REFUSED(changed, r, r.cert.use = (enum key_use)6);
	RESTORE(r, changed);
	REFUSED(changed, r, r.cert.holder.kind = (enum holder_kind)0);
	RESTORE(r, changed);
	REFUSED(changed, r, r.cert.holder.kind = (enum holder_kind)4);
	RESTORE(r, changed);
	REFUSED(changed, r, r.cert.id = -1);
	REFUSED(crl_row, crl, crl.number = INT64_MIN);
	REFUSED(issued, result, result.state = (enum cert_state)0xff);
	CHECK(row == 18);
	buf_free(&msg);
}

/* A date before 1970 gets as far as the rule that says what is wrong with it. */
static void
test_early_date(void)
{
	struct status_request early = change, got;
	struct state_now is = { .state = CERT_VALID };
	enum cert_state next;
	struct buf msg = { 0 };
	struct wire_in in;
	struct err err = { 0 };
	bool already;

	early.change.action = ACTION_REVOKE;
	early.change.reason = REASON_SUPERSEDED;
	early.change.invalid_since = -1;
	admin_change_put(&msg, &early);
	in = (struct wire_in){ msg.data, msg.data + msg.len, false };
	CHECK(admin_change_get(&in, &got, &err) == 0 && got.change.invalid_since == -1);
	CHECK(lifecycle_next(&is, &got.change, 1, &next, &already, &err) == -1);
	CHECK_STR(err.msg, "revoke: RFC 5280 5.3.2: invalidity date is before 1970");
	buf_free(&msg);
}

/* Who asks, and by which right, is not for the asker to say. */
static void
test_uid(void)
{
	struct issue_request i;
	struct status_request s;
	struct buf msg = { 0 };
	struct wire_in in;

	admin_issue_put(&msg, &issue);
	in = (struct wire_in){ msg.data, msg.data + msg.len, false };
	CHECK(admin_issue_get(&in, &i, NULL) == 0 && i.uid == ACTOR_SELF);
	CHECK_MEM(i.csr.data, i.csr.len, octets, sizeof(octets));
	buf_free(&i.csr);
	buf_reset(&msg);
	admin_change_put(&msg, &change);
	in = (struct wire_in){ msg.data, msg.data + msg.len, false };
	CHECK(admin_change_get(&in, &s, NULL) == 0 && s.uid == ACTOR_SELF && !s.ceremony);
	buf_free(&msg);
}

/* Sizes at and over their limits; the largest payloads fit one message. */
static void
test_sizes(void)
{
	struct admin_found *f = mem_alloc(sizeof(*f)), *f2 = mem_alloc(sizeof(*f2));
	struct admin_crl_begin *b = mem_alloc(sizeof(*b)), *b2 = mem_alloc(sizeof(*b2));
	struct issue_request i = issue, i2;
	struct buf msg = { 0 };
	struct wire_in in;

	*f = found;
	f->der = (struct buf){ .data = mem_alloc(CSR_TEXT_MAX + 1), .len = CERT_DER_MAX };
	f->n_events = ADMIN_EVENTS_MAX;
	for (size_t n = 0; n < ADMIN_EVENTS_MAX; n++) {
		f->event[n] = found.event[0];
		memset(f->event[n].detail, 'x', DETAIL_LEN - 1);
	}
	wire_start(&msg, 1, 1, 0);
	admin_found_put(&msg, f);
	CHECK(msg.len <= WIRE_MAX);
	in = (struct wire_in){ msg.data + WIRE_HEAD, msg.data + msg.len, false };
	CHECK(admin_found_get(&in, f2, NULL) == 0 && f2->n_events == ADMIN_EVENTS_MAX);
	admin_found_free(f2);
	CHECK(f2->der.data == NULL);
	f->der.len = CERT_DER_MAX + 1;
	buf_reset(&msg);
	admin_found_put(&msg, f);
	in = (struct wire_in){ msg.data, msg.data + msg.len, false };
	CHECK(admin_found_get(&in, f2, NULL) == -1 && f2->der.data == NULL);

	*b = crl_begin;
	b->der = (struct buf){ .data = f->der.data, .len = CERT_DER_MAX };
	b->n = ADMIN_ROOT_ENTRIES_MAX;
	for (size_t n = 0; n < ADMIN_ROOT_ENTRIES_MAX; n++) {
		b->entry[n] = crl_begin.entry[0];
		b->entry[n].serial.len = SERIAL_MAX;
	}
	wire_start(&msg, 1, 1, 0);
	admin_crl_begin_put(&msg, b);
	CHECK(msg.len <= WIRE_MAX);
	in = (struct wire_in){ msg.data + WIRE_HEAD, msg.data + msg.len, false };
	CHECK(admin_crl_begin_get(&in, b2, NULL) == 0 && b2->n == ADMIN_ROOT_ENTRIES_MAX);
	admin_crl_begin_free(b2);

	i.csr = (struct buf){ .data = f->der.data, .len = CSR_TEXT_MAX };
	buf_reset(&msg);
	admin_issue_put(&msg, &i);
	in = (struct wire_in){ msg.data, msg.data + msg.len, false };
	CHECK(admin_issue_get(&in, &i2, NULL) == 0 && i2.csr.len == CSR_TEXT_MAX);
	buf_free(&i2.csr);
	i.csr.len++;
	buf_reset(&msg);
	admin_issue_put(&msg, &i);
	in = (struct wire_in){ msg.data, msg.data + msg.len, false };
	CHECK(admin_issue_get(&in, &i2, NULL) == -1);

	free(f->der.data);
	free(f);
	free(f2);
	free(b);
	free(b2);
	buf_free(&msg);
}

/* The samples as messages for the fuzz target, whole and broken. The operation's number is the place
 * in kinds[] from 1. */
static int
read_message(const uint8_t *data, size_t len)
{
	const struct kind *kind;
	struct wire_head head;
	struct wire_in in;

	if (wire_head_get(data, len, &head, &in, NULL) != 0)
		return -1;
	if (head.op < 1 || head.op > ARRAY_LEN(kinds))
		return 0;
	kind = &kinds[head.op - 1];
	return corpus_value(&in, kind->size, kind->get, kind->free);
}

static void
test_corpus(void)
{
	corpus_check("wire", read_message);
}

static void
write_corpus(void)
{
	static const struct {
		const char *name;
		size_t at;
		uint8_t value;
	} bent[] = { { "bad-version-0", 0, 0 }, { "bad-version-2", 0, 2 }, { "bad-flag-4", 7, 4 },
		{ "bad-hello-role-4", WIRE_HEAD + 4 + 5, 4 },
		{ "bad-hello-length-over-the-end", WIRE_HEAD + 1, 0xff },
		{ "bad-hello-NUL-in-text", WIRE_HEAD + 4, 0 } };
	struct buf msg = { 0 };
	char name[80];

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		wire_start(&msg, (uint16_t)(i + 1), 7, WIRE_MORE);
		kinds[i].put(&msg, kinds[i].sample);
		snprintf(name, sizeof(name), "ok-%s.bin", kinds[i].name);
		corpus_file("wire", name, &msg);
		buf_add_u8(&msg, 0);
		snprintf(name, sizeof(name), "bad-%s-octet-behind.bin", kinds[i].name);
		corpus_file("wire", name, &msg);
		msg.len -= 2;
		snprintf(name, sizeof(name), "bad-%s-last-octet-cut.bin", kinds[i].name);
		corpus_file("wire", name, &msg);
	}
	for (size_t i = 0; i < ARRAY_LEN(bent); i++) {
		wire_start(&msg, 1, 7, 0);
		put_hello(&msg, &hello);
		msg.data[bent[i].at] = bent[i].value;
		snprintf(name, sizeof(name), "%s.bin", bent[i].name);
		corpus_file("wire", name, &msg);
	}
	msg.len = WIRE_HEAD - 1;
	corpus_file("wire", "bad-head-cut.bin", &msg);
	buf_free(&msg);
}

static const struct test_case cases[] = {
	{ "round trip", test_round_trip },
	{ "cut", test_cut },
	{ "bent", test_bent },
	{ "ranges", test_ranges },
	{ "early date", test_early_date },
	{ "uid", test_uid },
	{ "sizes", test_sizes },
	{ "corpus", test_corpus },
};

CORPUS_MAIN("admin", cases, write_corpus)
