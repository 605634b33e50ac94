/*
 * Pauses that grow while something fails, and rests from what lists cost, made or not.
 */
#include "chore.h"
#include "smki/mem.h"
#include "test.h"

#define LIST_US 1000000 /* of a core: some 50 s of rest */

static struct err
failure(const char *msg)
{
	struct err err;

	err_set(&err, FAIL_UNAVAILABLE, "%s", msg);
	return err;
}

static void
test_pauses(void)
{
	static const int64_t pauses[] = { 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000 };
	const struct err away = failure("token ca: away"), full = failure("disk: full");
	struct chore chore = { 0 };
	int64_t now = 5000;

	CHECK(!chore_waits(&chore, now));
	CHECK(!chore_note(&chore, NULL, now));
	for (size_t i = 0; i < ARRAY_LEN(pauses); i++) {
		CU_ASSERT_EQUAL(chore_note(&chore, &away, now), i == 0);
		CHECK_STR(chore.cause, "token ca: away");
		CHECK(chore_waits(&chore, now + pauses[i] - 1));
		CHECK(!chore_waits(&chore, now + pauses[i]));
		now += pauses[i];
	}
	/* another cause is news, and no reason to try sooner */
	CHECK(chore_note(&chore, &full, now));
	CHECK(chore_waits(&chore, now + CHORE_RETRY_MAX_MS - 1));
	/* well again: the next failure begins anew */
	CHECK(chore_note(&chore, NULL, now));
	CHECK(!chore_waits(&chore, now));
	CHECK_STR(chore.cause, "");
	CHECK(chore_note(&chore, &full, now));
	CHECK(!chore_waits(&chore, now + CHORE_RETRY_FIRST_MS));
}

/* What failed has not been mended by a rest from it, in which nothing is tried. */
static void
test_rest_after_failure(void)
{
	const struct err away = failure("token ca: away");
	struct chore chore = { 0 };
	int64_t now = 1000;

	CHECK(!chore_rests(&chore, now) && !chore_is_open(&chore));
	chore_spend(&chore, false, now, LIST_US);
	CHECK(chore_note(&chore, &away, now));
	now += CHORE_RETRY_FIRST_MS;
	CHECK(!chore_waits(&chore, now));
	CHECK(chore_rests(&chore, now) && chore_is_open(&chore));
	now += PACE_PARTS * LIST_US / 1000;
	CHECK(!chore_rests(&chore, now) && !chore_is_open(&chore));
	/* made: it rests, and all is well */
	chore_spend(&chore, true, now, LIST_US);
	CHECK(chore_rests(&chore, now + 1) && !chore_is_open(&chore));
}

/* A failure that cost no list is over when the next look finds nothing wrong, at rest too. */
static void
test_rest_after_success(void)
{
	const struct err away = failure("database: away");
	struct chore chore = { 0 };

	chore_spend(&chore, true, 1000, LIST_US);
	CHECK(chore_note(&chore, &away, 2000));
	CHECK(chore_rests(&chore, 4000) && !chore_is_open(&chore));
}

static void
test_hurry(void)
{
	const struct err away = failure("token ca: away");
	struct chore chore = { 0 };

	chore_spend(&chore, false, 1000, LIST_US);
	CHECK(chore_note(&chore, &away, 1000));
	CHECK(chore_waits(&chore, 1001) && chore_rests(&chore, 1001));
	chore_hurry(&chore);
	CHECK(!chore_waits(&chore, 1001) && !chore_rests(&chore, 1001));
	/* how often it failed is not forgotten */
	CHECK(!chore_note(&chore, &away, 1001));
	CHECK(chore_waits(&chore, 1001 + 2 * CHORE_RETRY_FIRST_MS - 1));
}

static const struct test_case cases[] = {
	{ "pauses", test_pauses },
	{ "rest after a failure", test_rest_after_failure },
	{ "rest after a success", test_rest_after_success },
	{ "hurry", test_hurry },
};

TEST_MAIN("chore", cases)
