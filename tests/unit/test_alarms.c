/*
 * Alarms in one line: their order, what is told once, and what finds no room.
 */
#include <string.h>

#include "alarms.h"
#include "test.h"

static void
test_order(void)
{
	char out[ERR_MSG_MAX] = "";
	struct alarms alarms = { .out = out };

	alarms_end(&alarms);
	CHECK_STR(out, "");
	alarms_tell(&alarms, "");
	alarms_tell(&alarms, "token a: is not present");
	alarms_tell(&alarms, "");
	alarms_tell(&alarms, "tls: b");
	alarms_tell(&alarms, "token a: is not present");
	alarms_end(&alarms);
	CHECK_STR(out, "token a: is not present; tls: b");
}

/* The line is never longer than its room, and nothing is told by half behind the first, whose end
 * gives way to the number of those that found none. */
static void
test_room(void)
{
	for (size_t len = 1; len < ERR_MSG_MAX; len++) {
		char out[ERR_MSG_MAX] = "", first[ERR_MSG_MAX], want[2 * ERR_MSG_MAX];
		struct alarms alarms = { .out = out };

		memset(first, 'f', len);
		first[len] = '\0';
		alarms_tell(&alarms, first);
		alarms_tell(&alarms, "second");
		alarms_tell(&alarms, "third");
		CHECK(alarms.more <= 2);
		snprintf(want, sizeof(want), "%s%s%s", first, alarms.more < 2 ? "; second" : "",
		    alarms.more < 1 ? "; third" : "");
		CHECK_STR(out, want);
		alarms_end(&alarms);
		if (alarms.more != 0) {
			char more[32];
			size_t at = strlen(want);

			snprintf(more, sizeof(more), "; and %zu more", alarms.more);
			if (at > ERR_MSG_MAX - 1 - strlen(more))
				at = ERR_MSG_MAX - 1 - strlen(more);
			snprintf(want + at, sizeof(want) - at, "%s", more);
		}
		CHECK_STR(out, want);
	}
}

static const struct test_case cases[] = {
	{ "order", test_order },
	{ "room", test_room },
};

TEST_MAIN("alarms", cases)
