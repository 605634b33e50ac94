/*
 * What makes a CRL a delta (RFC 5280 5.2.4), one of a part (5.2.5), and where its deltas are
 * (5.2.6): against octets written by hand.
 */
#include "smki/crl.h"
#include "smki/mem.h"
#include "smki/store_crl.h"
#include "test.h"

#define T0 ((time_t)1790000000) /* 260921141320Z */
#define URI "http://a/d"

static const uint8_t name_der[] = { 0x30, 0x0d, 0x31, 0x0b, 0x30, 0x09, 0x06, 0x03, 0x55, 0x04,
	0x03, 0x13, 0x02, 'Z', '1' };
static const uint8_t ski[8] = { 0x41, 1, 2, 3, 4, 5, 6, 7 };

/* AKI and CRLNumber 7, as every list has them. */
#define COMMON                                                                                     \
	0x30, 0x13, 0x06, 0x03, 0x55, 0x1d, 0x23, 0x04, 0x0c, 0x30, 0x0a, 0x80, 0x08, 0x41, 1, 2,  \
	    3, 4, 5, 6, 7, 0x30, 0x0a, 0x06, 0x03, 0x55, 0x1d, 0x14, 0x04, 0x03, 0x02, 0x01, 0x07
/* DistributionPointName of one URI, explicitly tagged [0]. */
#define POINT                                                                                      \
	0x30, 0x10, 0xa0, 0x0e, 0xa0, 0x0c, 0x86, 0x0a, 'h', 't', 't', 'p', ':', '/', '/', 'a',    \
	    '/', 'd'

static const uint8_t plain[] = { 0xa0, 0x23, 0x30, 0x21, COMMON };
/* deltaCRLIndicator, critical: BaseCRLNumber 5 */
static const uint8_t delta[] = { 0xa0, 0x32, 0x30, 0x30, COMMON, 0x30, 0x0d, 0x06, 0x03, 0x55, 0x1d,
	0x1b, 0x01, 0x01, 0xff, 0x04, 0x03, 0x02, 0x01, 0x05 };
/* issuingDistributionPoint, critical: a fullName and nothing else */
static const uint8_t shard[] = { 0xa0, 0x41, 0x30, 0x3f, COMMON, 0x30, 0x1c, 0x06, 0x03, 0x55, 0x1d,
	0x1c, 0x01, 0x01, 0xff, 0x04, 0x12, POINT };
/* freshestCRL: one DistributionPoint */
static const uint8_t freshest[] = { 0xa0, 0x40, 0x30, 0x3e, COMMON, 0x30, 0x1b, 0x06, 0x03, 0x55,
	0x1d, 0x2e, 0x04, 0x14, 0x30, 0x12, POINT };

static void
test_scope_tail(void)
{
	static const struct {
		const char *name;
		int64_t base;
		const char *freshest, *shard;
		const uint8_t *want;
		size_t len;
	} rows[] = {
		{ "complete", 0, NULL, NULL, plain, sizeof(plain) },
		{ "delta", 5, NULL, NULL, delta, sizeof(delta) },
		{ "shard", 0, NULL, URI, shard, sizeof(shard) },
		{ "freshest", 0, URI, NULL, freshest, sizeof(freshest) },
	};
	struct crl_params params = { .issuer = { name_der, sizeof(name_der) },
		.ski = { ski, sizeof(ski) },
		.curve = EC_P256,
		.number = 7,
		.this_update = T0,
		.next_update = T0 + 86400 };
	struct buf out = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		params.base = rows[i].base;
		params.freshest = rows[i].freshest;
		params.shard = rows[i].shard;
		buf_reset(&out);
		crl_tail_put(&out, &params);
		CHECK_ROW(rows[i].name,
		    out.len == rows[i].len && memcmp(out.data, rows[i].want, out.len) == 0);
	}
	buf_free(&out);
}

/* The longest of all is within what a writer reserves. */
static void
test_scope_max(void)
{
	char uri[URI_MAX];
	uint8_t key_id[20] = { 0 };
	struct crl_params params = { .ski = { key_id, sizeof(key_id) },
		.number = INT64_MAX,
		.freshest = uri,
		.shard = uri };
	struct buf out = { 0 };

	memset(uri, 'a', sizeof(uri) - 1);
	uri[sizeof(uri) - 1] = '\0';
	crl_tail_put(&out, &params);
	CHECK(out.len <= CRL_TAIL_MAX && out.len > 2 * sizeof(uri));
	buf_free(&out);
}

static void
test_scope_removed(void)
{
	static const uint8_t removed[] = { 0x30, 0x20, 0x02, 0x01, 0x11, 0x17, 0x0d, '2', '6', '0',
		'9', '2', '1', '1', '4', '1', '3', '2', '0', 'Z', 0x30, 0x0c, 0x30, 0x0a, 0x06,
		0x03, 0x55, 0x1d, 0x15, 0x04, 0x03, 0x0a, 0x01, 0x08 };
	const struct crl_entry entry = {
		.serial = { { 0x11 }, 1 }, .revoked_at = T0, .reason = REASON_REMOVE_FROM_CRL
	};
	struct crl_entry held = entry;
	struct buf out = { 0 }, same = { 0 };

	CHECK(crl_delta_entry_put(&out, &entry) == sizeof(removed));
	CHECK_MEM(out.data, out.len, removed, sizeof(removed));
	/* Any other entry is that of a complete list. */
	held.reason = REASON_CERTIFICATE_HOLD;
	buf_reset(&out);
	CHECK(crl_delta_entry_put(&out, &held) == crl_entry_put(&same, &held));
	CHECK_MEM(out.data, out.len, same.data, same.len);
	buf_free(&out);
	buf_free(&same);
}

/* A whole shard revoked with a date, in the longest form of an entry: under a megabyte. */
static void
test_scope_size(void)
{
	struct crl_entry entry = { .serial = { .len = SERIAL_MAX },
		.revoked_at = TIME_NO_EXPIRY,
		.reason = REASON_KEY_COMPROMISE,
		.invalid_since = T0 };
	struct buf out = { 0 };

	memset(entry.serial.octets, 0x41, SERIAL_MAX);
	CHECK(crl_entry_put(&out, &entry) * SHARD_SIZE + CRL_HEAD_MAX + CRL_TAIL_MAX < 1000000);
	buf_free(&out);
}

static const struct test_case cases[] = {
	{ "extensions", test_scope_tail },
	{ "sizes", test_scope_max },
	{ "removeFromCRL", test_scope_removed },
	{ "a whole shard", test_scope_size },
};
TEST_MAIN("crl_scope", cases)
