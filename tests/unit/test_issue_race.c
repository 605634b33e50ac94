/*
 * Requests that meet: for one key, for one device, and with what another process of the service
 * recorded while the token signed.
 */
#include "issue_rig.h"

/* The same request from many at once: one signature, one certificate, the same answer to all. */
static void
test_issue_same_key_at_once(void)
{
	enum { N = 32 };
	struct rig *r = rig_new();
	struct workers *w = workers_new(r, 4, rng_draw);
	struct softsign *key = softsign_new(EC_P256);
	struct outcome *o = mem_array(N, sizeof(*o));
	unsigned calls = r->ca_key->calls, fresh = 0;
	struct buf csr = { 0 };
	struct store_cert rows[4];
	uint8_t hash[SHA256_LEN];
	size_t n = 0;

	rig_csr(key, 1, 1, KEY_USAGE_DIGITAL_SIGNATURE, &csr);
	for (size_t i = 0; i < N; i++)
		workers_requeue(workers_task(w, &csr, &o[i]), w);
	workers_wait(w, N);
	for (size_t i = 0; i < N; i++) {
		CHECK(o[i].ok && o[i].result.id == o[0].result.id);
		fresh += o[i].ok && !o[i].result.existing;
		buf_free(&o[i].der);
	}
	CHECK(fresh == 1);
	CHECK(r->ca_key->calls == calls + 1);
	ec_pub_hash(&key->signer.pub, hash);
	RIG(store_certs_by_key(r->reader, hash, rows, ARRAY_LEN(rows), &n, &rig_err));
	CHECK(n == 1);
	buf_free(&csr);
	free(o);
	softsign_free(key);
	workers_free(w);
	rig_free(r);
}

/*
 * Begun together in one thread: the same key waits for the first one's end, also when the token then
 * fails it, and the others are not held up.
 */
static void
test_issue_together(void)
{
	struct rig *r = rig_new();
	struct workers *w = workers_new(r, 0, rng_draw);
	struct softsign *key[2] = { softsign_new(EC_P256), softsign_new(EC_P256) };
	struct buf csr[2] = { { 0 }, { 0 } };
	struct issue_task *task[3];
	struct outcome o[3] = { 0 };

	for (uint8_t i = 0; i < 2; i++)
		rig_csr(key[i], i + 1, 1, KEY_USAGE_DIGITAL_SIGNATURE, &csr[i]);
	task[0] = workers_task(w, &csr[0], &o[0]);
	task[1] = workers_task(w, &csr[0], &o[1]);
	task[2] = workers_task(w, &csr[1], &o[2]);
	CHECK(issue_prepare(w->issue, task[0]));
	CHECK(!issue_prepare(w->issue, task[1]));
	CHECK(issue_prepare(w->issue, task[2]));
	CHECK(issue_begin(task[0], r->reader));
	CHECK(issue_begin(task[2], r->reader));
	CHECK(w->queued == 0);
	r->ca_key->corrupt = true;
	issue_finish(w->issue, task[0]);
	CHECK(refused(&o[0], FAIL_UNAVAILABLE, "does not verify"));
	CHECK(w->queued == 1 && w->queue[0] == task[1]);
	r->ca_key->corrupt = false;
	issue_finish(w->issue, task[2]);
	workers_wait(w, 2);
	CHECK(o[2].ok && !o[2].result.existing);

	w->queued = 0;
	CHECK(issue_prepare(w->issue, task[1]));
	CHECK(issue_begin(task[1], r->reader));
	issue_finish(w->issue, task[1]);
	workers_wait(w, 3);
	CHECK(o[1].ok && !o[1].result.existing && o[1].result.id != o[2].result.id);
	for (size_t i = 0; i < 3; i++)
		buf_free(&o[i].der);
	for (size_t i = 0; i < 2; i++) {
		buf_free(&csr[i]);
		softsign_free(key[i]);
	}
	workers_free(w);
	rig_free(r);
}

/* Two keys of one device at once: one certificate, one conflict. */
static void
test_issue_two_keys_at_once(void)
{
	struct rig *r = rig_new();
	struct workers *w = workers_new(r, 4, rng_draw);

	for (uint8_t i = 1; i <= 10; i++) {
		struct softsign *a = softsign_new(EC_P256), *b = softsign_new(EC_P256);
		struct outcome o[2] = { 0 };
		struct buf csr_a = { 0 }, csr_b = { 0 };
		size_t before = w->done;

		rig_csr(a, i, 1, KEY_USAGE_DIGITAL_SIGNATURE, &csr_a);
		rig_csr(b, i, 1, KEY_USAGE_DIGITAL_SIGNATURE, &csr_b);
		workers_requeue(workers_task(w, &csr_a, &o[0]), w);
		workers_requeue(workers_task(w, &csr_b, &o[1]), w);
		workers_wait(w, before + 2);
		CHECK(o[0].ok + o[1].ok == 1);
		CHECK(refused(&o[o[0].ok ? 1 : 0], FAIL_CONFLICT, "unrevoked"));
		buf_free(&o[0].der);
		buf_free(&o[1].der);
		buf_free(&csr_a);
		buf_free(&csr_b);
		softsign_free(a);
		softsign_free(b);
	}
	workers_free(w);
	rig_free(r);
}

/* A certificate of the same key appears while the token signs: the transaction finds it. */
struct meddler {
	struct rig *rig;
	struct store_new_cert row;
	int64_t id;
};

static int
meddler_sign(void *ctx, const uint8_t *digest, size_t len, uint8_t *rs, struct err *err)
{
	struct meddler *m = ctx;

	m->id = rig_add(m->rig, &m->row, 1);
	return softsign_sign(m->rig->ca_key, digest, len, rs, err);
}

static void
test_issue_race(void)
{
	struct rig *r = rig_new();
	struct workers *w = workers_new(r, 1, rng_draw);
	struct softsign *key = softsign_new(EC_P256);
	struct meddler m = { .rig = r, .row = rig_row(r, 1) };
	struct outcome o = { 0 };
	struct buf csr = { 0 };

	rig_csr(key, 1, 1, KEY_USAGE_DIGITAL_SIGNATURE, &csr);
	m.row.profile = "device-signature";
	m.row.use = USE_SIGNATURE;
	m.row.holder = (struct holder){ .kind = HOLDER_DEVICE,
		.name_len = EUI64_LEN,
		.name = { 0x00, 0xdb, 0x12, 0x34, 0x56, 0x78, 0x00, 1 },
		.hw_type = "1.3.6.1.4.1.32473.1" };
	ec_pub_hash(&key->signer.pub, m.row.key_hash);
	r->ca->signer.sign = meddler_sign;
	r->ca->signer.ctx = &m;
	issue_csr(w, &csr, &o);
	CHECK(o.ok && o.result.existing && o.result.id == m.id);
	CHECK_MEM(o.der.data, o.der.len, m.row.der.p, m.row.der.len);
	buf_free(&csr);
	buf_free(&o.der);
	softsign_free(key);
	workers_free(w);
	rig_free(r);
}

static const struct test_case cases[] = {
	{ "one key, many requests at once", test_issue_same_key_at_once },
	{ "begun together", test_issue_together },
	{ "one device, two keys at once", test_issue_two_keys_at_once },
	{ "race found in the transaction", test_issue_race },
};
TEST_MAIN("issue_race", cases)
