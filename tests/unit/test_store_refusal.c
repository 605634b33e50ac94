/*
 * Refusals and access keys behind the store.
 */
#include "device_db.h"
#include "refusal_sum.h"

static struct store_refusal
refusal_of(int64_t minute, const char *who, enum refusal reason, int64_t n)
{
	struct store_refusal refusal = { .minute = minute, .n = n };

	snprintf(refusal.who, sizeof refusal.who, "%s", who);
	snprintf(refusal.reason, sizeof refusal.reason, "%s", refusal_str(reason));
	return refusal;
}

static int
refusal_add(struct store *store, int64_t minute, const char *who, enum refusal reason, int64_t n,
    struct err *err)
{
	struct store_refusal refusal = refusal_of(minute, who, reason, n);

	return store_refusal_add(store, &refusal, err);
}

/* What is counted so far, with what the open transaction holds. */
static void
sum_now(struct store *store, int64_t since, int64_t *n, int64_t *rows)
{
	struct err err;
	bool fatal;

	MUST(store_commit(store, &fatal, &err));
	refusal_sum(path, since, n, rows);
	MUST(store_begin(store, &err));
}

static void
test_refusals(void)
{
	struct store *store = store_new();
	struct store_refusal out[3];
	struct err err;
	int64_t n = -1, rows = -1;
	size_t got = 9;

	CHECK(refusal_add(store, 10, "a", REFUSAL_HELD, 1, &err) != 0 &&
	      err.code == FAIL_UNAVAILABLE);
	MUST(store_begin(store, &err));
	CHECK(refusal_add(store, 10, "a", REFUSAL_HELD, 0, &err) != 0 && err.code == FAIL_INVALID);
	MUST(refusal_add(store, 10, "a", REFUSAL_HELD, 1, &err));
	MUST(refusal_add(store, 10, "a", REFUSAL_HELD, 2, &err));
	MUST(refusal_add(store, 10, "a", REFUSAL_TIME, 4, &err));
	MUST(refusal_add(store, 11, "a", REFUSAL_HELD, 8, &err));
	MUST(refusal_add(store, 11, "", REFUSAL_HELD, 16, &err));
	MUST(refusal_add(store, 12, "a", REFUSAL_HELD, 32, &err));
	/* newest first */
	MUST(store_refusals_of(store, "a", out, 3, &got, &err));
	CU_ASSERT_EQUAL_FATAL(got, 3);
	CHECK(out[0].minute == 12 && out[0].n == 32);
	CHECK(out[1].minute == 11 && out[1].n == 8);
	CHECK(out[2].minute == 10 && out[2].n == 3);
	CHECK_STR(out[2].reason, "held");
	CHECK_STR(out[2].who, "a");
	MUST(store_refusals_of(store, "", out, 3, &got, &err));
	CHECK(got == 1 && out[0].n == 16);
	MUST(store_refusals_of(store, "b", out, 3, &got, &err));
	CU_ASSERT_EQUAL(got, 0);
	sum_now(store, 11, &n, &rows);
	CHECK(n == 56 && rows == 3);
	sum_now(store, 13, &n, &rows);
	CHECK(n == 0 && rows == 0);
	MUST(store_refusals_since(store, 11, &n, &err));
	CU_ASSERT_EQUAL(n, 56);
	MUST(store_refusals_since(store, 13, &n, &err));
	CU_ASSERT_EQUAL(n, 0);
	/* oldest go first, no more than asked for */
	MUST(store_refusal_prune(store, 10, 100, &err));
	sum_now(store, 0, &n, &rows);
	CHECK(n == 63 && rows == 5);
	MUST(store_refusal_prune(store, 12, 3, &err));
	sum_now(store, 0, &n, &rows);
	CU_ASSERT_EQUAL(rows, 2);
	MUST(store_refusal_prune(store, 12, 3, &err));
	sum_now(store, 0, &n, &rows);
	CHECK(n == 32 && rows == 1);
	/* numbers that nobody counted so far */
	MUST(refusal_add(store, 12, "a", REFUSAL_HELD, INT64_MAX, &err));
	MUST(refusal_add(store, 12, "a", REFUSAL_HELD, INT64_MAX, &err));
	sum_now(store, 0, &n, &rows);
	CU_ASSERT_EQUAL(n, 32 + 2 * (int64_t)INT32_MAX);
	store_close(store);
	store_dir_end();
}

static void
test_minute(void)
{
	struct store *store = store_new();
	struct err err;
	int64_t n, rows;
	char who[32];

	MUST(store_begin(store, &err));
	for (int i = 0; i < STORE_REFUSALS_PER_MINUTE; i++) {
		snprintf(who, sizeof who, "192.0.2.%d", i);
		MUST(refusal_add(store, 10, who, REFUSAL_UNREGISTERED, 1, &err));
	}
	CHECK(refusal_add(store, 10, "one more", REFUSAL_UNREGISTERED, 1, &err) != 0 &&
	      err.code == FAIL_LIMIT);
	MUST(refusal_add(store, 10, who, REFUSAL_UNREGISTERED, 1, &err));
	MUST(refusal_add(store, 11, "one more", REFUSAL_UNREGISTERED, 1, &err));
	sum_now(store, 10, &n, &rows);
	CHECK(rows == STORE_REFUSALS_PER_MINUTE + 1 && n == STORE_REFUSALS_PER_MINUTE + 2);
	store_close(store);
	store_dir_end();
}

/* ---- access keys ---- */

static struct store_access_key
key_of(int n)
{
	struct store_access_key key = {
		.id = 99,
		.pub = { .curve = EC_P256, .point = { 4, (uint8_t)n }, .len = 65 },
		.made = 1,
		.active_from = 5000 + n,
	};

	snprintf(key.label, sizeof key.label, "access-%d", n);
	snprintf(key.kid, sizeof key.kid, "%043d", n);
	return key;
}

static void
test_access(void)
{
	struct store *store = store_new();
	struct store_access_key keys[STORE_ACCESS_KEYS_MAX], key = key_of(0);
	struct err err;
	int64_t before = newest_event(store);
	size_t n = 9;
	bool fatal;

	MUST(store_access_key_list(store, keys, &n, &err));
	CU_ASSERT_EQUAL(n, 0);
	CHECK(store_access_key_add(store, &actor, &key, &err) != 0 && err.code == FAIL_UNAVAILABLE);
	MUST(store_begin(store, &err));
	MUST(store_access_key_add(store, &actor, &key, &err));
	MUST(store_commit(store, &fatal, &err));
	CU_ASSERT_EQUAL(newest_event(store), before + 1);
	MUST(store_access_key_list(store, keys, &n, &err));
	CU_ASSERT_EQUAL_FATAL(n, 1);
	CU_ASSERT_EQUAL(keys[0].id, 1);
	CHECK_STR(keys[0].label, key.label);
	CHECK_STR(keys[0].kid, key.kid);
	CU_ASSERT_EQUAL(keys[0].pub.curve, EC_P256);
	CHECK_MEM(keys[0].pub.point, keys[0].pub.len, key.pub.point, 65);
	CU_ASSERT_EQUAL(keys[0].made, actor.now);
	CU_ASSERT_EQUAL(keys[0].active_from, 5000);

	MUST(store_begin(store, &err));
	MUST(store_savepoint(store, &err));
	CHECK(store_access_key_add(store, &actor, &key, &err) != 0 && err.code == FAIL_CONFLICT);
	CHECK_STR(err.msg, "access key: its label or kid is taken");
	key = key_of(1);
	strcpy(key.kid, keys[0].kid);
	CHECK(store_access_key_add(store, &actor, &key, &err) != 0 && err.code == FAIL_CONFLICT);
	key = key_of(1);
	key.pub.curve = EC_P384;
	CHECK(store_access_key_add(store, &actor, &key, &err) != 0 && err.code == FAIL_INVALID);
	key.pub.curve = EC_P256;
	key.pub.len = 97;
	CHECK(store_access_key_add(store, &actor, &key, &err) != 0 && err.code == FAIL_INVALID);
	MUST(store_undo(store, &err));
	/* the newest of many, the oldest of them first */
	for (int i = 1; i <= STORE_ACCESS_KEYS_MAX; i++) {
		key = key_of(i);
		MUST(store_access_key_add(store, &actor, &key, &err));
	}
	MUST(store_access_key_list(store, keys, &n, &err));
	CU_ASSERT_EQUAL_FATAL(n, STORE_ACCESS_KEYS_MAX);
	CHECK_STR(keys[0].label, "access-1");
	CHECK_STR(keys[STORE_ACCESS_KEYS_MAX - 1].label, "access-16");
	store_close(store);
	store_dir_end();
}

static const struct test_case cases[] = {
	{ "refusals", test_refusals },
	{ "rows of a minute", test_minute },
	{ "access keys", test_access },
};

TEST_MAIN("store_refusal", cases)
