/*
 * The clock rule bound to clocks: this file's own stand in for the machine's.
 */
#include "smki/clock.h"
#include "smki/mem.h"
#include "smki/timeguard.h"
#include "test.h"

#define T0 1700000000

static time_t now, boot;

time_t
clock_now(void)
{
	return now;
}

time_t
clock_boot(void)
{
	return boot;
}

static bool
believed(struct timeguard *guard)
{
	time_t t = -1;
	struct err err = { 0 };

	if (timeguard_now(guard, &t, &err) == 0)
		return t == now;
	CHECK(err.code == FAIL_UNAVAILABLE && t == -1);
	CHECK(strstr(err.msg, "smki clock accept") != NULL);
	return false;
}

static void
test_start(void)
{
	static const struct {
		const char *name;
		time_t newest;
		bool want;
	} rows[] = {
		{ "empty database", 0, true },
		{ "same second", T0, true },
		{ "5 s behind", T0 + 5, true },
		{ "6 s behind", T0 + 6, false },
		{ "7 days ahead", T0 - 7 * 86400, true },
		{ "over 7 days ahead", T0 - 7 * 86400 - 1, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct timeguard *guard;

		now = T0;
		boot = 1000;
		guard = timeguard_new(rows[i].newest);
		CHECK_ROW(rows[i].name, believed(guard) == rows[i].want);
		/* A state change is recorded in any case, never before the newest. */
		CHECK_ROW(rows[i].name,
		    timeguard_record(guard) == (rows[i].newest > T0 ? rows[i].newest : T0));
		CHECK_ROW(rows[i].name, timeguard_accept(guard) == T0 && believed(guard));
		timeguard_free(guard);
	}
	timeguard_free(NULL);
}

static void
test_jump(void)
{
	struct timeguard *guard;

	now = T0;
	boot = 1000;
	guard = timeguard_new(T0 - 1);
	/* Days may pass, both clocks together. */
	now += 30 * 86400;
	boot += 30 * 86400;
	CHECK(believed(guard));
	now += CLOCK_JUMP_MAX;
	CHECK(believed(guard));
	now++;
	CHECK(!believed(guard));
	CHECK(timeguard_record(guard) == now);
	CHECK(timeguard_accept(guard) == now && believed(guard));
	timeguard_free(guard);
}

static void
test_note(void)
{
	struct timeguard *guard;

	now = T0;
	boot = 1000;
	guard = timeguard_new(T0);
	timeguard_note(guard, T0 + 100);
	CHECK(!believed(guard) && timeguard_record(guard) == T0 + 100);
	/* Accepted: the clock as it stands is the newest; so is an older note. */
	CHECK(timeguard_accept(guard) == T0);
	CHECK(believed(guard) && timeguard_record(guard) == T0);
	timeguard_note(guard, T0 + 6);
	CHECK(!believed(guard));
	timeguard_note(guard, T0);
	CHECK(believed(guard));
	timeguard_free(guard);
}

/* A doubt from elsewhere: said as it is, until accepted; changes are recorded all the same. */
static void
test_doubt(void)
{
	struct timeguard *guard;
	struct err err;
	time_t t = -1;

	now = T0;
	boot = 1000;
	guard = timeguard_new(T0 - 1);
	timeguard_doubt(guard, "database: is older");
	CHECK(timeguard_now(guard, &t, &err) == -1 && t == -1);
	CHECK(err.code == FAIL_UNAVAILABLE && strcmp(err.msg, "database: is older") == 0);
	timeguard_note(guard, T0);
	CHECK(timeguard_now(guard, &t, &err) == -1 && timeguard_record(guard) == T0);
	CHECK(timeguard_accept(guard) == T0 && believed(guard));
	timeguard_free(guard);
}

static const struct test_case cases[] = {
	{ "start", test_start },
	{ "jump", test_jump },
	{ "note", test_note },
	{ "doubt", test_doubt },
};

TEST_MAIN("timeguard", cases)
