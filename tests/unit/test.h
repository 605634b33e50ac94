/*
 * A little on top of CUnit: one registration macro, equality checks that show what was got and
 * what was wanted, and the exit status meson reads. Each test program takes the source root as
 * its first argument (for corpus files).
 */
#ifndef TEST_H
#define TEST_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <CUnit/Basic.h>

static const char *test_root = ".";

static inline void
test_dump(const char *label, const void *data, size_t len)
{
	const unsigned char *p = data;

	fprintf(stderr, "  %s (%zu):", label, len);
	for (size_t i = 0; i < len; i++)
		fprintf(stderr, "%s%02x", i % 32 == 0 ? "\n    " : "", p[i]);
	fputc('\n', stderr);
}

/* row names the table row in the failure; cond is evaluated once. */
#define CHECK_ROW(row, cond)                                                                       \
	do {                                                                                       \
		int ok_ = (cond) ? 1 : 0;                                                          \
		if (!ok_)                                                                          \
			fprintf(stderr, "  row \"%s\": %s\n", (row), #cond);                       \
		CU_assertImplementation(ok_, __LINE__, #cond, __FILE__, "", CU_FALSE);             \
	} while (0)

#define CHECK(cond) CU_ASSERT(cond)

#define CHECK_MEM(got, got_len, want, want_len)                                                    \
	do {                                                                                       \
		size_t gl_ = (got_len), wl_ = (want_len);                                          \
		int same_ = gl_ == wl_ && (wl_ == 0 || memcmp((got), (want), wl_) == 0);           \
		if (!same_) {                                                                      \
			test_dump("got", (got), gl_);                                              \
			test_dump("want", (want), wl_);                                            \
		}                                                                                  \
		CU_ASSERT(same_);                                                                  \
	} while (0)

/* NULL is a text of its own here: a missing value must not end the test program. */
static inline int
test_same_text(const char *got, const char *want)
{
	if (got == want || (got != NULL && want != NULL && strcmp(got, want) == 0))
		return 1;
	fprintf(stderr, "  got  \"%s\"\n  want \"%s\"\n", got != NULL ? got : "(null)",
	    want != NULL ? want : "(null)");
	return 0;
}

#define CHECK_STR(got, want) CU_ASSERT(test_same_text((got), (want)))

struct test_case {
	const char *name;
	void (*fn)(void);
};

/* Run all cases as one CUnit suite. Non-zero when a check failed or nothing ran. */
static inline int
test_main(int argc, char **argv, const char *suite, const struct test_case *cases, size_t n)
{
	CU_pSuite s;
	unsigned failed, ran;

	if (argc > 1)
		test_root = argv[1];
	if (CU_initialize_registry() != CUE_SUCCESS)
		return 1;
	s = CU_add_suite(suite, NULL, NULL);
	if (s == NULL)
		return 1;
	for (size_t i = 0; i < n; i++)
		if (CU_add_test(s, cases[i].name, cases[i].fn) == NULL)
			return 1;
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	ran = CU_get_number_of_asserts();
	failed = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failed != 0 || ran == 0;
}

#define TEST_MAIN(suite, cases)                                                                    \
	int main(int argc, char **argv)                                                            \
	{                                                                                          \
		return test_main(argc, argv, suite, cases, sizeof(cases) / sizeof((cases)[0]));    \
	}

#endif
