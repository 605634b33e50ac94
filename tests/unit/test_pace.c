/*
 * How long is rested after work: not at all after little, in proportion after much, never too long,
 * and not more because much of it was done before.
 */
#include "smki/mem.h"
#include "smki/pace.h"
#include "test.h"

#define SECOND_US INT64_C(1000000)

static void
test_little(void)
{
	struct pace pace = { 0 };
	int64_t now = 5000;

	CHECK(!pace_rests(&pace, now));
	for (int i = 0; i < 20; i++)
		pace_spend(&pace, now, PACE_FREE_US / 20);
	CHECK(!pace_rests(&pace, now));
	pace_spend(&pace, now, 1000);
	CHECK(pace_rests(&pace, now));
	CHECK(pace_rests(&pace, now + PACE_PARTS - 1));
	CHECK(!pace_rests(&pace, now + PACE_PARTS));
	/* Small things now and then for ever. */
	for (int i = 0; i < 100000; i++) {
		now += 1000;
		pace_spend(&pace, now, 10000);
		CHECK(!pace_rests(&pace, now));
	}
}

/* Work that is always done again as soon as it may be takes its part of the time. */
static void
test_share(void)
{
	static const int64_t costs[] = { 60000, 600000, 5 * SECOND_US };
	struct pace pace;
	int64_t now, done;

	for (size_t i = 0; i < ARRAY_LEN(costs); i++) {
		pace = (struct pace){ 0 };
		now = 77;
		done = 0;
		for (int n = 0; n < 1000; n++) {
			while (pace_rests(&pace, now))
				now += 10;
			pace_spend(&pace, now, costs[i]);
			done += costs[i];
		}
		/* The last piece was not rested from. */
		CHECK((done - costs[i] - PACE_FREE_US) * PACE_PARTS / 1000 <= now);
		CHECK((done - costs[i]) * PACE_PARTS / 1000 > (now - 77) * 99 / 100);
	}
}

static void
test_longest(void)
{
	struct pace pace = { 0 };

	for (int i = 0; i < 3; i++)
		pace_spend(&pace, 1000, 3600 * SECOND_US);
	CHECK(pace_rests(&pace, 1000 + PACE_REST_MAX_MS - 1));
	CHECK(!pace_rests(&pace, 1000 + PACE_REST_MAX_MS));
}

static const struct test_case cases[] = {
	{ "little is free", test_little },
	{ "its part of the time", test_share },
	{ "no longer than that", test_longest },
};
TEST_MAIN("pace", cases)
