/*
 * Tests of the byte buffer and of allocation.
 */
#include "smki/buf.h"
#include "smki/mem.h"

#include "test.h"

static void
test_empty(void)
{
	struct buf b = { 0 };

	buf_reset(&b);
	buf_add(&b, NULL, 0);
	buf_insert(&b, 0, NULL, 0);
	buf_add_str(&b, "");
	CHECK(b.data == NULL && b.len == 0);
	CHECK(buf_span(&b).len == 0);
	CHECK_STR(buf_text(&b), "");
	CHECK(b.len == 0);
	buf_free(&b);
	buf_free(&b);
	buf_wipe(&b);
	CHECK(b.data == NULL && b.len == 0 && b.cap == 0);
}

static void
test_add(void)
{
	struct buf b = { 0 };
	static const uint8_t want[] = { 0, 1, 2, 'x', 'y', '-', '0', '7' };

	buf_add(&b, want, 2);
	buf_add_u8(&b, 2);
	buf_add_str(&b, "xy");
	buf_fmt(&b, "%c%02d", '-', 7);
	CHECK_MEM(b.data, b.len, want, sizeof(want));
	CHECK(memcmp(buf_text(&b), want, sizeof(want)) == 0 && b.data[b.len] == '\0');
	CHECK(b.len == sizeof(want));
	buf_reset(&b);
	CHECK(b.len == 0 && b.cap > 0);
	buf_fmt(&b, "%s", "");
	CHECK(b.len == 0);
	buf_free(&b);
}

/* Growth past every size of the allocation keeps what was there. */
static void
test_grow(void)
{
	struct buf b = { 0 };
	int same = 1;

	for (int i = 0; i < 5000; i++)
		buf_add_u8(&b, (uint8_t)(i * 7));
	for (int i = 0; i < 5000; i++)
		same &= b.data[i] == (uint8_t)(i * 7);
	CHECK(same && b.len == 5000 && b.cap >= 5000);
	buf_reserve(&b, 100000);
	CHECK(b.cap >= 105000 && b.len == 5000);
	buf_wipe(&b);
	CHECK(b.data == NULL);
}

/* Formatted text of every length around the room that happens to be there. */
static void
test_fmt(void)
{
	for (int len = 0; len < 300; len++) {
		struct buf b = { 0 };

		buf_add_str(&b, "<");
		buf_fmt(&b, "%*s", len, "");
		CHECK(b.len == (size_t)len + 1 && b.len < b.cap);
		CHECK(strspn(buf_text(&b) + 1, " ") == (size_t)len);
		buf_free(&b);
	}
}

static void
test_insert(void)
{
	struct buf b = { 0 };

	buf_insert(&b, 0, "c", 1);
	buf_insert(&b, 0, "ab", 2);
	buf_insert(&b, 3, "fg", 2);
	buf_insert(&b, 3, "de", 2);
	CHECK_STR(buf_text(&b), "abcdefg");
	buf_insert(&b, 2, NULL, 0);
	CHECK_STR(buf_text(&b), "abcdefg");
	buf_free(&b);
}

static void
test_span(void)
{
	static const uint8_t a[] = { 1, 2, 3 }, c[] = { 1, 2, 4 };

	CHECK(span_eq((struct span){ a, 3 }, (struct span){ a, 3 }));
	CHECK(span_eq((struct span){ a, 2 }, (struct span){ c, 2 }));
	CHECK(!span_eq((struct span){ a, 3 }, (struct span){ c, 3 }));
	CHECK(!span_eq((struct span){ a, 3 }, (struct span){ a, 2 }));
	CHECK(span_eq((struct span){ NULL, 0 }, (struct span){ a, 0 }));
	CHECK(!span_eq((struct span){ NULL, 0 }, (struct span){ a, 1 }));
}

static void
test_mem(void)
{
	uint8_t *p;
	char *s;

	p = mem_alloc(0);
	CHECK(p != NULL);
	free(p);
	p = mem_array(3, 4);
	CHECK(p[0] == 0 && p[11] == 0);
	p[11] = 9;
	p = mem_resize(p, 100, 10);
	CHECK(p[11] == 9);
	p = mem_resize(p, 0, 10);
	CHECK(p != NULL);
	free(p);
	p = mem_copy("abc", 3);
	CHECK(memcmp(p, "abc", 3) == 0);
	free(p);
	p = mem_copy(NULL, 0);
	CHECK(p != NULL);
	free(p);
	s = mem_str("text");
	CHECK_STR(s, "text");
	free(s);
	s = mem_fmt("%d-%s", 12, "x");
	CHECK_STR(s, "12-x");
	free(s);
}

static const struct test_case cases[] = {
	{ "empty", test_empty },
	{ "add", test_add },
	{ "grow", test_grow },
	{ "format", test_fmt },
	{ "insert", test_insert },
	{ "span", test_span },
	{ "allocation", test_mem },
};

TEST_MAIN("buf", cases)
