/*
 * The clock rule: each limit at its boundary.
 */
#include "smki/err.h"
#include "smki/mem.h"
#include "smki/timerule.h"
#include "test.h"

#define T0 ((time_t)1790000000)
#define WEEK (7 * 86400)

static void
timerule_limits(void)
{
	static const struct {
		const char *name;
		time_t start_newest;
		time_t now, boot, newest; /* at the check; the start is at T0, boot 1000 */
		const char *finding;	  /* NULL = believed */
	} rows[] = {
		{ "same instant", T0, T0, 1000, T0, NULL },
		{ "an hour on", T0, T0 + 3600, 4600, T0 + 3599, NULL },
		{ "a year on", T0, T0 + 31536000, 1000 + 31536000, T0, NULL },
		{ "empty database", 0, T0, 1000, 0, NULL },
		/* behind the newest record */
		{ "behind by 5", T0, T0, 1000, T0 + 5, NULL },
		{ "behind by 6", T0, T0, 1000, T0 + 6, "clock: behind the newest record by 6 s" },
		{ "behind by a day", T0, T0, 1000, T0 + 86400, "by 86400 s" },
		/* moved against the time since boot */
		{ "forward by 300", T0, T0 + 310, 1010, T0, NULL },
		{ "forward by 301", T0, T0 + 311, 1010, T0, "clock: jumped by +301 s" },
		{ "back by 300", T0, T0 + 700, 2000, T0, NULL },
		{ "back by 301", T0, T0 + 699, 2000, T0, "clock: jumped by -301 s" },
		{ "jump, empty database", 0, T0 + 311, 1010, 0, "jumped" },
		/* far ahead at start */
		{ "week ahead at start", T0 - WEEK, T0, 1000, T0 - WEEK, NULL },
		{ "week + 1 ahead", T0 - WEEK - 1, T0, 1000, T0 - WEEK - 1,
		    "clock: ahead of the newest record by over 604800 s at start" },
		{ "still when recorded since", T0 - WEEK - 1, T0 + 9, 1009, T0 + 8, "ahead" },
		{ "ahead only later", T0, T0 + WEEK + 1, 1000 + WEEK + 1, T0, NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct clock_rule rule;
		struct err err = { 0 };
		int r;

		clock_rule_start(&rule, T0, 1000, rows[i].start_newest);
		r = clock_rule_check(&rule, rows[i].now, rows[i].boot, rows[i].newest, &err);
		if (rows[i].finding == NULL) {
			CHECK_ROW(rows[i].name, r == 0);
			continue;
		}
		CHECK_ROW(rows[i].name, r == -1);
		CHECK_ROW(rows[i].name, err.code == FAIL_UNAVAILABLE);
		CHECK_ROW(rows[i].name, strstr(err.msg, rows[i].finding) != NULL);
		CHECK_ROW(rows[i].name,
		    strstr(err.msg, "; check the time, then: smki clock accept") != NULL);
	}
}

static void
timerule_accept(void)
{
	struct clock_rule rule;
	struct err err = { 0 };

	/* jump */
	clock_rule_start(&rule, T0, 1000, T0);
	CHECK(clock_rule_check(&rule, T0 + 5000, 1000, T0, &err) == -1);
	clock_rule_accept(&rule, T0 + 5000, 1000);
	CHECK(clock_rule_check(&rule, T0 + 5000, 1000, T0, &err) == 0);
	CHECK(clock_rule_check(&rule, T0 + 5300, 1000, T0, &err) == 0);
	CHECK(clock_rule_check(&rule, T0 + 5301, 1000, T0, &err) == -1);

	/* ahead at start */
	clock_rule_start(&rule, T0, 1000, T0 - 2 * WEEK);
	CHECK(clock_rule_check(&rule, T0, 1000, T0 - 2 * WEEK, &err) == -1);
	clock_rule_accept(&rule, T0, 1000);
	CHECK(clock_rule_check(&rule, T0, 1000, T0 - 2 * WEEK, &err) == 0);

	/* behind: the acceptance is the newest record from then on */
	clock_rule_start(&rule, T0, 1000, T0 + 900);
	CHECK(clock_rule_check(&rule, T0, 1000, T0 + 900, &err) == -1);
	clock_rule_accept(&rule, T0, 1000);
	CHECK(clock_rule_check(&rule, T0, 1000, T0, &err) == 0);
}

static void
timerule_record(void)
{
	CHECK(clock_record_time(T0, T0 - 1) == T0);
	CHECK(clock_record_time(T0, T0) == T0);
	CHECK(clock_record_time(T0, T0 + 1) == T0 + 1);
	CHECK(clock_record_time(T0, 0) == T0);
}

static const struct test_case cases[] = {
	{ "each limit at its boundary", timerule_limits },
	{ "acceptance starts anew", timerule_accept },
	{ "time to record", timerule_record },
};

TEST_MAIN("timerule", cases)
