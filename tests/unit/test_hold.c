/*
 * Octets held on their way to a file: order, places and sizes are those of the calls, and after a
 * write that failed nothing follows until all is given up.
 */
#include <string.h>

#include "hold.h"
#include "smki/mem.h"
#include "test.h"

#define NO_ROOM 13

static unsigned char file[4 * HOLD_MAX];
static int n_writes, failing;

static int
write_file(struct sqlite3_file *to, const void *data, int len, long long at)
{
	(void)to;
	n_writes++;
	if (failing != 0)
		return failing;
	memcpy(file + at, data, (size_t)len);
	return 0;
}

static void
begin(struct hold *hold)
{
	memset(file, 0, sizeof(file));
	n_writes = failing = 0;
	hold_begin(hold, write_file, NULL);
}

static void
test_order(void)
{
	static unsigned char much[HOLD_MAX];
	struct hold hold;

	begin(&hold);
	memset(much, 'm', sizeof(much));
	CU_ASSERT_EQUAL(hold_put(&hold, "abc", 3, 10), 0);
	CU_ASSERT_EQUAL(hold_put(&hold, "def", 3, 13), 0);
	CU_ASSERT_EQUAL(n_writes, 0);
	/* Elsewhere: what is held goes first, so that the later octets stand. */
	CU_ASSERT_EQUAL(hold_put(&hold, "XY", 2, 12), 0);
	CU_ASSERT_EQUAL(n_writes, 1);
	CU_ASSERT_EQUAL(memcmp(file + 10, "abcdef", 6), 0);
	CU_ASSERT_EQUAL(hold_flush(&hold), 0);
	CU_ASSERT_EQUAL(hold_flush(&hold), 0);
	CU_ASSERT_EQUAL(n_writes, 2);
	CU_ASSERT_EQUAL(memcmp(file + 10, "abXYef", 6), 0);
	/* As much as there is room for, and one octet more. */
	CU_ASSERT_EQUAL(hold_put(&hold, much, HOLD_MAX, 100), 0);
	CU_ASSERT_EQUAL(n_writes, 2);
	CU_ASSERT_EQUAL(hold_put(&hold, "!", 1, 100 + HOLD_MAX), 0);
	CU_ASSERT_EQUAL(n_writes, 3);
	CU_ASSERT_EQUAL(file[100 + HOLD_MAX], 0);
	CU_ASSERT_EQUAL(hold_flush(&hold), 0);
	CU_ASSERT_EQUAL(file[100 + HOLD_MAX], '!');
	CU_ASSERT_EQUAL(memcmp(file + 100, much, HOLD_MAX), 0);
	hold_end(&hold);
}

static void
test_dropped(void)
{
	struct hold hold;

	begin(&hold);
	CU_ASSERT_EQUAL(hold_put(&hold, "abc", 3, 10), 0);
	hold_drop(&hold);
	CU_ASSERT_EQUAL(hold_put(&hold, "x", 1, 13), 0);
	CU_ASSERT_EQUAL(hold_flush(&hold), 0);
	CU_ASSERT_EQUAL(memcmp(file + 10, "\0\0\0x", 4), 0);
	hold_end(&hold);
}

static void
test_failed(void)
{
	struct hold hold;

	begin(&hold);
	CU_ASSERT_EQUAL(hold_put(&hold, "abc", 3, 10), 0);
	failing = NO_ROOM;
	CU_ASSERT_EQUAL(hold_flush(&hold), NO_ROOM);
	failing = 0;
	/* There is room again, but "abc" is missing. */
	CU_ASSERT_EQUAL(hold_flush(&hold), NO_ROOM);
	CU_ASSERT_EQUAL(hold_put(&hold, "def", 3, 13), NO_ROOM);
	CU_ASSERT_EQUAL(hold_flush(&hold), NO_ROOM);
	CU_ASSERT_EQUAL(n_writes, 1);
	hold_drop(&hold);
	CU_ASSERT_EQUAL(hold_put(&hold, "ghi", 3, 10), 0);
	CU_ASSERT_EQUAL(hold_flush(&hold), 0);
	CU_ASSERT_EQUAL(memcmp(file + 10, "ghi\0", 4), 0);
	hold_end(&hold);
}

static const struct test_case cases[] = {
	{ "order", test_order },
	{ "dropped", test_dropped },
	{ "failed", test_failed },
};

TEST_MAIN("hold", cases)
