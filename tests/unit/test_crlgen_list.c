/*
 * The bytes of a list where its length decides how many octets stand before its entries: a guess
 * that was wrong, and a signature that comes out shorter than its room.
 */
#include <signal.h>
#include <sys/resource.h>

#include "../../src/service/crlgen_list.h"
#include "service_rig.h"

#define STEM "issuing.0"
#define FILE_OCTETS_MAX (4 * 1024 * 1024)
#define SIG_MAX 72 /* ECDSA-Sig-Value of P-256 */
#define TRIES 200

static struct crl_params
params_of(const struct rig *r)
{
	return (struct crl_params){ .issuer = r->ca->issuer.subject,
		.ski = r->ca->issuer.ski,
		.curve = EC_P256,
		.number = 1,
		.this_update = r->now,
		.next_update = r->now + 86400 };
}

static void
file_of(const struct crlgen_out *out, struct buf *der)
{
	buf_reset(der);
	RIG(file_read(out->path_new, FILE_OCTETS_MAX, der, &rig_err));
}

/* The file holds a list of n entries that verifies, and is as long and hashes as is told. */
static void
judge(const struct rig *r, const struct crlgen_out *out, int64_t n)
{
	struct crl crl = { .number = 0 };
	uint8_t sha256[SHA256_LEN];
	struct crl_entry entry;
	struct buf der = { 0 };
	struct err err = { 0 };
	int got;

	file_of(out, &der);
	CHECK(der.len == out->size);
	CHECK(EVP_Digest(der.data, der.len, sha256, NULL, EVP_sha256(), NULL) == 1);
	CHECK_MEM(sha256, sizeof(sha256), out->sha256, sizeof(out->sha256));
	CHECK(crl_parse(der.data, der.len, &crl, &err) == 0);
	CHECK(crl_check_signature(&crl, &r->ca->cert.pub, &err) == 0);
	while ((got = crl_entry_get(&crl, &entry, &err)) == 1)
		n--;
	CHECK(got == 0 && n == 0);
	buf_free(&der);
}

/* With the outer header, for a signature of sig_len octets. */
static size_t
head_len(const struct crl_params *params, uint64_t entries_len, size_t sig_len)
{
	struct buf head = { 0 };
	size_t tbs_at, len;

	crl_head_put(&head, params, entries_len, sig_len, &tbs_at);
	len = head.len;
	buf_free(&head);
	return len;
}

/* A shard's rows, of which nobody is told how many there are. */
static void
list_make(struct rig *r, int64_t expected, int64_t n, bool *moved)
{
	const struct crl_which which = { .ca = r->ca->id, .kind = CRL_SHARD, .shard = 0 };
	struct crlgen_out out = { .fd = -1 };
	struct crlgen_list list = {
		.which = &which, .out = &out, .params = params_of(r), .expected = expected
	};
	size_t room;

	RIG(crlgen_out_open(r->crl, STEM, 1, &out, &rig_err));
	RIG(store_view_begin(r->reader, &rig_err));
	RIG(crlgen_list_scan(&list, r->reader, &rig_err));
	store_view_end(r->reader);
	CHECK(list.entries == n);
	room = list.room != 0 ? list.room : head_len(&list.params, list.entries_len, SIG_MAX);
	RIG(crlgen_list_sign(&list, r->ca, &rig_err));
	judge(r, &out, n);
	*moved = list.room != room;
	crlgen_out_close(&out);
	CHECK(access(out.path_new, F_OK) != 0);
}

static void
rows_add(struct rig *r, uint8_t serial_len, int64_t n)
{
	struct store_new_cert row = rig_row(r, serial_len);

	row.serial.len = serial_len;
	row.serial.octets[8] = 0x41;
	row.on_hold = true;
	row.shard_uri = "http://pki.example/crl/issuing-0.crl";
	rig_add(r, &row, n);
}

/* More than is gathered at a time: room is made before the length is known. */
static void
test_list_guess(void)
{
	static const struct {
		const char *name;
		int64_t expected;
		bool moved;
	} rows[] = {
		{ "nobody knows", 0, false },
		{ "fewer than there are", 1, false },
		{ "right", 7000, false },
		{ "so many that a length takes an octet more", 1000000, true },
		{ "two more", 200000000, true },
	};
	struct rig *r = rig_new();
	bool moved;

	rows_add(r, 8, 7000);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		list_make(r, rows[i].expected, 7000, &moved);
		CHECK_ROW(rows[i].name, moved == rows[i].moved);
	}
	rig_free(r);
}

/* With the longest signature the outer length has just become one of three octets: with a shorter
 * one it is one of two. */
static void
test_list_signature(void)
{
	struct rig *r = rig_new();
	const struct crl_params params = params_of(r);
	struct crl_entry entry = {
		.serial = { .len = 8 }, .revoked_at = r->now, .reason = REASON_CERTIFICATE_HOLD
	};
	struct buf one = { 0 };
	uint64_t each = crl_entry_put(&one, &entry), len = 60000;
	size_t before = head_len(&params, len, SIG_MAX);
	int seen[2] = { 0 };
	int64_t n, longer;
	bool moved;

	while (head_len(&params, len, SIG_MAX) == before)
		len++;
	/* So many entries have an octet more. */
	n = (int64_t)(len / each);
	longer = (int64_t)(len % each);
	rows_add(r, 8, n - longer);
	rows_add(r, 9, longer);
	for (int i = 0; i < TRIES && (seen[0] == 0 || seen[1] == 0); i++) {
		list_make(r, 0, n, &moved);
		seen[moved]++;
	}
	CHECK(seen[0] > 0 && seen[1] > 0);
	buf_free(&one);
	rig_free(r);
}

/* ---- the file ---- */

/* There and back, over more than is read at a time. */
static void
test_list_move(void)
{
	static const size_t lens[] = { 1, 100, CRLGEN_CHUNK, CRLGEN_CHUNK + 1,
		3 * CRLGEN_CHUNK + 17 };
	struct rig *r = rig_new();
	uint8_t *octets = mem_alloc(3 * CRLGEN_CHUNK + 17);
	struct buf der = { 0 };

	for (size_t i = 0; i < 3 * CRLGEN_CHUNK + 17; i++)
		octets[i] = (uint8_t)(i * 2654435761u >> 13);
	for (size_t i = 0; i < ARRAY_LEN(lens); i++) {
		struct crlgen_out out = { .fd = -1 };

		RIG(crlgen_out_open(r->crl, STEM, 1, &out, &rig_err));
		out.at = 50;
		RIG(crlgen_out_put(&out, octets, lens[i], &rig_err));
		RIG(crlgen_out_flush(&out, &rig_err));
		RIG(crlgen_out_move(&out, 50, 53, &rig_err));
		CHECK(out.at == 53 + lens[i]);
		file_of(&out, &der);
		CHECK(der.len == out.at && memcmp(der.data + 53, octets, lens[i]) == 0);
		RIG(crlgen_out_move(&out, 53, 49, &rig_err));
		file_of(&out, &der);
		CHECK(der.len == 49 + lens[i] && memcmp(der.data + 49, octets, lens[i]) == 0);
		RIG(crlgen_out_put_at(&out, 0, octets, 49, &rig_err));
		RIG(crlgen_out_sync(&out, &rig_err));
		CHECK(out.size == 49 + lens[i]);
		crlgen_out_close(&out);
	}
	buf_free(&der);
	free(octets);
	rig_free(r);
}

/* The disk takes only a part of what is written: nothing of it is left. */
static void
test_list_full(void)
{
	struct rig *r = rig_new();
	struct crlgen_out out = { .fd = -1 };
	uint8_t octets[200] = { 0 };
	struct rlimit before, limit;
	char path[HOME_PATH_MAX];
	struct err err = { 0 };

	RIG(crlgen_out_open(r->crl, STEM, 1, &out, &rig_err));
	RIG(crlgen_out_put(&out, octets, sizeof(octets), &rig_err));
	memcpy(path, out.path_new, sizeof(path));
	CHECK(signal(SIGXFSZ, SIG_IGN) != SIG_ERR && getrlimit(RLIMIT_FSIZE, &before) == 0);
	limit = before;
	limit.rlim_cur = sizeof(octets) / 2;
	CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
	CHECK(crlgen_out_sync(&out, &err) == -1 && err.code == FAIL_UNAVAILABLE);
	CHECK(setrlimit(RLIMIT_FSIZE, &before) == 0);
	CHECK(access(path, F_OK) == 0);
	crlgen_out_close(&out);
	CHECK(access(path, F_OK) != 0);
	rig_free(r);
}

static const struct test_case cases[] = {
	{ "guesses", test_list_guess },
	{ "the signature's length", test_list_signature },
	{ "moves", test_list_move },
	{ "a full disk", test_list_full },
};
TEST_MAIN("crlgen_list", cases)
