/*
 * Payloads of front.sock: what is written is read back, cut or bent messages are refused with
 * nothing left to free, what is out of range never gets in, and the largest fit one message.
 */
#include "front_samples.h"
#include "smki/csr.h"
#include "smki/file.h"
#include "test.h"
#include "corpus.h"

static int
get(const struct front_kind *kind, const uint8_t *payload, size_t len, void *out, struct err *err)
{
	struct wire_in in = { payload, payload + len, false };

	return kind->get(&in, out, err);
}

static void
test_round_trip(void)
{
	struct buf msg = { 0 }, again = { 0 };
	struct err err;

	for (size_t i = 0; i < ARRAY_LEN(front_kinds); i++) {
		const struct front_kind *k = &front_kinds[i];
		void *sample = front_sample(k), *out = mem_alloc(k->size);

		buf_reset(&msg);
		buf_reset(&again);
		k->put(&msg, sample);
		CHECK_ROW(k->name, get(k, msg.data, msg.len, out, &err) == 0);
		CHECK_ROW(k->name, k->same(sample, out));
		k->put(&again, out);
		CHECK_MEM(again.data, again.len, msg.data, msg.len);
		k->free(out);
		k->free(sample);
		free(out);
		free(sample);
	}
	buf_free(&msg);
	buf_free(&again);
}

/* Cut anywhere, and with an octet behind. */
static void
test_cut(void)
{
	struct buf msg = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(front_kinds); i++) {
		const struct front_kind *k = &front_kinds[i];
		void *sample = front_sample(k), *out = mem_alloc(k->size);

		buf_reset(&msg);
		k->put(&msg, sample);
		buf_add_u8(&msg, 0);
		for (size_t len = 0; len <= msg.len; len++) {
			uint8_t *cut = mem_copy(msg.data, len > 0 ? len : 1);
			struct err err = { 0 };

			if (len == msg.len - 1) {
				CHECK_ROW(k->name, get(k, cut, len, out, &err) == 0);
				k->free(out);
			} else {
				CHECK_ROW(k->name, get(k, cut, len, out, &err) == -1);
				CHECK_ROW(k->name, err.code == FAIL_INVALID);
			}
			free(cut);
		}
		k->free(sample);
		free(sample);
		free(out);
	}
	buf_free(&msg);
}

/* What was read is written and read again as the same. */
static int
stable(const struct front_kind *k, void *value, struct buf *again)
{
	void *copy = mem_alloc(k->size);
	int r;

	buf_reset(again);
	k->put(again, value);
	r = get(k, again->data, again->len, copy, NULL) == 0 && k->same(value, copy);
	if (r)
		k->free(copy);
	free(copy);
	return r;
}

/* Any octet replaced by any of a few: refused, or read and stable. */
static void
test_bent(void)
{
	static const uint8_t values[] = { 0, 1, 4, 7, 0x7f, 0xff };
	struct buf msg = { 0 }, again = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(front_kinds); i++) {
		const struct front_kind *k = &front_kinds[i];
		void *sample = front_sample(k), *out = mem_alloc(k->size);

		buf_reset(&msg);
		k->put(&msg, sample);
		for (size_t at = 0; at < msg.len; at++) {
			uint8_t was = msg.data[at];

			for (size_t v = 0; v < ARRAY_LEN(values); v++) {
				msg.data[at] = values[v];
				if (get(k, msg.data, msg.len, out, NULL) != 0)
					continue;
				CHECK_ROW(k->name, stable(k, out, &again));
				k->free(out);
			}
			msg.data[at] = was;
		}
		k->free(sample);
		free(sample);
		free(out);
	}
	buf_free(&msg);
	buf_free(&again);
}

/* Values that no honest end sends. */
static void
bend_kind(void *value)
{
	((struct enrol_request *)value)->kind = (enum enrol_kind)4;
}
static void
bend_empty_certificate(void *value)
{
	((struct enrol_request *)value)->chain[1].len = 0;
}
static void
bend_address(void *value)
{
	memcpy(((struct enrol_request *)value)->address, "192.0.2.1\n", 11);
}
static void
bend_time(void *value)
{
	((struct enrol_request *)value)->statement.time = -1;
}
static void
bend_latitude(void *value)
{
	((struct enrol_request *)value)->statement.latitude = 180000001;
}
static void
bend_csr(void *value)
{
	buf_reserve(&((struct enrol_request *)value)->csr, CSR_TEXT_MAX + 1);
	((struct enrol_request *)value)->csr.len = CSR_TEXT_MAX + 1;
}
static void
bend_reason(void *value)
{
	((struct enrol_answer *)value)->reason = REFUSALS;
}
static void
bend_no_reason(void *value)
{
	((struct enrol_answer *)value)->reason = REFUSAL_NONE;
}
static void
bend_count(void *value)
{
	((struct front_refused *)value)->row[0].n = 0;
}
static void
bend_large_count(void *value)
{
	((struct front_refused *)value)->row[0].n = INT64_MAX;
}
static void
bend_who(void *value)
{
	memcpy(((struct front_refused *)value)->row[1].who, "x' --", 6);
}
static void
bend_refused_reason(void *value)
{
	((struct front_refused *)value)->row[0].reason = (enum refusal)255;
}

static void
test_ranges(void)
{
	static const struct {
		const char *kind, *what;
		void (*bend)(void *value);
	} rows[] = {
		{ "enrol", "kind", bend_kind },
		{ "enrol", "empty certificate", bend_empty_certificate },
		{ "enrol", "address", bend_address },
		{ "enrol", "time", bend_time },
		{ "enrol", "latitude", bend_latitude },
		{ "enrol", "size of the request", bend_csr },
		{ "refused", "reason", bend_reason },
		{ "refused", "no reason", bend_no_reason },
		{ "counts", "nothing counted", bend_count },
		{ "counts", "too much counted", bend_large_count },
		{ "counts", "no address", bend_who },
		{ "counts", "no reason", bend_refused_reason },
	};
	struct buf msg = { 0 };
	struct err err;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct front_kind *k = front_kinds;
		void *sample, *out;

		while (strcmp(k->name, rows[i].kind) != 0)
			k++;
		sample = front_sample(k);
		out = mem_alloc(k->size);
		rows[i].bend(sample);
		buf_reset(&msg);
		k->put(&msg, sample);
		CHECK_ROW(rows[i].what, get(k, msg.data, msg.len, out, &err) == -1);
		CHECK_ROW(rows[i].what, err.code == FAIL_INVALID);
		k->free(sample);
		free(sample);
		free(out);
	}
	buf_free(&msg);
}

/* The largest request and count message that are read fit one message. */
static void
test_largest(void)
{
	struct enrol_request *request = mem_alloc(sizeof(*request)), *got = mem_alloc(sizeof(*got));
	struct front_refused *refused = mem_alloc(sizeof(*refused));
	struct buf msg = { 0 };
	struct wire_head head;
	struct wire_in in;
	struct err err;

	request->kind = ENROL_FIRST;
	buf_reserve(&request->csr, CSR_TEXT_MAX);
	memset(request->csr.data, 'A', CSR_TEXT_MAX);
	request->csr.len = CSR_TEXT_MAX;
	for (request->n_chain = 0; request->n_chain < ANCHOR_CHAIN_MAX; request->n_chain++) {
		struct buf *cert = &request->chain[request->n_chain];

		buf_reserve(cert, ANCHOR_CERT_MAX);
		memset(cert->data, 'B', ANCHOR_CERT_MAX);
		cert->len = ANCHOR_CERT_MAX;
	}
	wire_start(&msg, FRONT_ENROL, 1, 0);
	front_enrol_put(&msg, request);
	CHECK(msg.len <= WIRE_MAX);
	CHECK(wire_head_get(msg.data, msg.len, &head, &in, &err) == 0);
	CHECK(front_enrol_get(&in, got, &err) == 0 && got->n_chain == ANCHOR_CHAIN_MAX);
	enrol_request_free(got);
	enrol_request_free(request);
	for (refused->n = 0; refused->n < FRONT_REFUSED_MAX; refused->n++) {
		memset(refused->row[refused->n].who, 'a', STORE_REFUSED_LEN - 1);
		refused->row[refused->n].reason = REFUSAL_SECRET;
		refused->row[refused->n].n = 1;
	}
	wire_start(&msg, FRONT_REFUSED, 1, 0);
	front_refused_put(&msg, refused);
	CHECK(msg.len <= WIRE_MAX);
	buf_free(&msg);
	free(request);
	free(got);
	free(refused);
}

/* A message of tests/corpus/front. The operation's number is the place in front_kinds[] from 1. */
static int
read_message(const uint8_t *data, size_t len)
{
	const struct front_kind *kind;
	struct wire_head head;
	struct wire_in in;

	if (wire_head_get(data, len, &head, &in, NULL) != 0)
		return -1;
	if (head.op < 1 || head.op > ARRAY_LEN(front_kinds))
		return 0;
	kind = &front_kinds[head.op - 1];
	return corpus_value(&in, kind->size, kind->get, kind->free);
}

static void
test_corpus(void)
{
	corpus_check("front", read_message);
}

static void
write_one(const char *before, const char *name, const char *behind, const struct buf *msg)
{
	char file[128];

	snprintf(file, sizeof(file), "%s-%s%s.bin", before, name, behind);
	for (char *c = file; *c != '\0'; c++)
		if (*c == ' ')
			*c = '-';
	corpus_file("front", file, msg);
}

static void
write_corpus(void)
{
	struct buf msg = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(front_kinds); i++) {
		const struct front_kind *k = &front_kinds[i];
		void *sample = front_sample(k);

		wire_start(&msg, (uint16_t)(i + 1), 7, 0);
		k->put(&msg, sample);
		write_one("ok", k->name, "", &msg);
		buf_add_u8(&msg, 0);
		write_one("bad", k->name, "-octet-behind", &msg);
		msg.len -= 2;
		write_one("bad", k->name, "-last-octet-cut", &msg);
		msg.len = WIRE_HEAD + (msg.len - WIRE_HEAD) / 2;
		write_one("bad", k->name, "-cut-in-the-middle", &msg);
		k->free(sample);
		free(sample);
	}
	buf_free(&msg);
}

static const struct test_case cases[] = {
	{ "written and read back", test_round_trip },
	{ "cut", test_cut },
	{ "bent", test_bent },
	{ "out of range", test_ranges },
	{ "largest", test_largest },
	{ "corpus", test_corpus },
};

CORPUS_MAIN("front", cases, write_corpus)
