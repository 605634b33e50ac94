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

/* The line is never longer than its room, and nothing is told by half behind the first. */
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
		if (alarms.more != 0 && len < ERR_MSG_MAX - 20) {
			snprintf(want + strlen(want), 32, "; and %zu more", alarms.more);
			CHECK_STR(out, want);
		}
	}
}

static const struct test_case cases[] = {
	{ "order", test_order },
	{ "room", test_room },
};

TEST_MAIN("alarms", cases)
