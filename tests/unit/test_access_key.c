/*
 * The keys of access tokens: which one signs and which are published at every instant, and the
 * list of them as a message.
 */
#include "smki/access.h"
#include "smki/eckey.h"
#include "softsign.h"
#include "test.h"

#define LIFE 600L

static const struct {
	const char *name;
	time_t active[3];
	size_t n;
	time_t now;
	int signs;	    /* index, -1 = none */
	unsigned published; /* bit i = key i */
} key_rows[] = {
	{ "none", { 0 }, 0, 5000, -1, 0 },
	{ "one", { 1000 }, 1, 5000, 0, 1 },
	{ "one, not active yet", { 1000 }, 1, 999, 0, 1 },
	{ "two, none active yet", { 1000, 2000 }, 2, 0, 0, 3 },
	{ "a second before", { 1000, 2000 }, 2, 1999, 0, 3 },
	{ "at the second", { 1000, 2000 }, 2, 2000, 1, 3 },
	{ "the last token of the first", { 1000, 2000 }, 2, 2000 + LIFE + ACCESS_SKEW_S - 1, 1, 3 },
	{ "no token of the first", { 1000, 2000 }, 2, 2000 + LIFE + ACCESS_SKEW_S, 1, 2 },
	{ "three", { 1000, 2000, 2001 }, 3, 2001, 2, 7 },
	{ "three, much later", { 1000, 2000, 2001 }, 3, 9000, 2, 4 },
	/* The clock was set back between the second and the third. */
	{ "newer and earlier", { 1000, 9000, 3000 }, 3, 2999, 0, 7 },
	{ "newer and earlier, active", { 1000, 9000, 3000 }, 3, 3000, 2, 7 },
	{ "newer and earlier, for good", { 1000, 9000, 3000 }, 3, 9500, 2, 4 },
	{ "the same second", { 1000, 1000 }, 2, 1000, 1, 3 },
};

static void
test_keys(void)
{
	struct store_access_key keys[3];
	const struct store_access_key *got;

	for (size_t i = 0; i < ARRAY_LEN(key_rows); i++) {
		memset(keys, 0, sizeof(keys));
		for (size_t k = 0; k < key_rows[i].n; k++)
			keys[k].active_from = key_rows[i].active[k];
		got = access_key_now(keys, key_rows[i].n, key_rows[i].now);
		CHECK_ROW(key_rows[i].name,
		    key_rows[i].signs < 0 ? got == NULL : got == &keys[key_rows[i].signs]);
		for (size_t k = 0; k < key_rows[i].n; k++)
			CHECK_ROW(key_rows[i].name,
			    access_key_is_published(keys, key_rows[i].n, k, key_rows[i].now,
				LIFE) == ((key_rows[i].published >> k & 1) != 0));
	}
}

/*
 * A rollover second by second: who fetches the key set at any instant can verify what is signed
 * then, and what was signed up to a token's life before; and whoever fetched it ACCESS_PUBLISH_S
 * before has the key already.
 */
static void
test_rollover(void)
{
	struct store_access_key keys[2] = { { .made = 0, .active_from = 0 },
		{ .made = 10000, .active_from = 10000 + ACCESS_PUBLISH_S } };
	const struct store_access_key *signs, *before = &keys[0];
	unsigned changes = 0;

	for (time_t now = 10000; now < 16000; now++) {
		signs = access_key_now(keys, 2, now);
		if (signs != before)
			changes++;
		for (long late = 0; late <= LIFE; late += LIFE / 4)
			if (!access_key_is_published(
				keys, 2, (size_t)(signs - keys), now + late, LIFE))
				CU_FAIL("a key that signs is not published");
		if (now - keys[signs - keys].made < ACCESS_PUBLISH_S)
			CHECK(signs == &keys[0]);
		before = signs;
	}
	CHECK(changes == 1 && before == &keys[1]);
	CHECK(!access_key_is_published(keys, 2, 0, 16000, LIFE));
}

static void
test_wire(void)
{
	struct softsign *soft = softsign_new(EC_P256), *other = softsign_new(EC_P384);
	struct store_access_key key = {
		.id = 7, .label = "access-1", .pub = soft->signer.pub, .made = 11, .active_from = 12
	};
	struct store_access_key keys[STORE_ACCESS_KEYS_MAX], got[STORE_ACCESS_KEYS_MAX];
	struct wire_in in;
	struct buf msg = { 0 };
	struct err err;
	size_t n = 99;

	jwt_kid(&key.pub, key.kid);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		keys[i] = key;
	for (size_t count = 0; count <= STORE_ACCESS_KEYS_MAX; count += STORE_ACCESS_KEYS_MAX) {
		buf_reset(&msg);
		access_keys_put(&msg, keys, count);
		in = (struct wire_in){ msg.data, msg.data + msg.len, false };
		CHECK(access_keys_get(&in, got, &n, &err) == 0 && n == count);
	}
	CHECK_STR(got[15].label, key.label);
	CHECK_STR(got[15].kid, key.kid);
	CHECK(ec_pub_eq(&got[15].pub, &key.pub) && got[15].id == 7);
	CHECK(got[15].made == 11 && got[15].active_from == 12);
	/* Cut short anywhere, one too many, a point of another curve. */
	for (size_t len = 0; len < msg.len; len += 13) {
		in = (struct wire_in){ msg.data, msg.data + len, false };
		CHECK(access_keys_get(&in, got, &n, &err) != 0 && err.code == FAIL_INVALID);
	}
	msg.data[0]++;
	access_key_put(&msg, &key);
	in = (struct wire_in){ msg.data, msg.data + msg.len, false };
	CHECK(access_keys_get(&in, got, &n, &err) != 0);
	buf_reset(&msg);
	key.pub = other->signer.pub;
	access_keys_put(&msg, &key, 1);
	in = (struct wire_in){ msg.data, msg.data + msg.len, false };
	CHECK(access_keys_get(&in, got, &n, &err) != 0);
	CHECK(n == STORE_ACCESS_KEYS_MAX);
	buf_free(&msg);
	softsign_free(soft);
	softsign_free(other);
}

static void
test_labels(void)
{
	static const struct {
		const char *label;
		unsigned long number;
	} rows[] = {
		{ "access-1", 1 },
		{ "access-17", 17 },
		{ "", 0 },
		{ "issuing", 0 },
		{ "access-", 0 },
		{ "access-0", 0 },
		{ "access-01", 0 },
		{ "access--1", 0 },
		{ "access-1x", 0 },
		{ "access- 1", 0 },
		{ "Access-1", 0 },
		{ "access-99999999999999999999999", 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		CHECK_ROW(rows[i].label, access_label_number(rows[i].label) == rows[i].number);
}

static const struct test_case cases[] = {
	{ "labels", test_labels },
	{ "which key", test_keys },
	{ "rollover", test_rollover },
	{ "list of keys", test_wire },
};
TEST_MAIN("access_key", cases)
