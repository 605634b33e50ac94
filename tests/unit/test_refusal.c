/*
 * The words of refusals: there, different, short, of a kind that the database and logs take.
 */
#include "smki/refusal.h"

#include "test.h"

static void
test_words(void)
{
	for (int i = 1; i < REFUSALS; i++) {
		const char *word = refusal_str((enum refusal)i);

		CHECK_ROW(word, strlen(word) >= 1 && strlen(word) <= 31);
		CHECK_ROW(word, strspn(word, "abcdefghijklmnopqrstuvwxyz-") == strlen(word));
		for (int j = 1; j < i; j++)
			CHECK_ROW(word, strcmp(word, refusal_str((enum refusal)j)) != 0);
	}
	/* databases hold these */
	CHECK_STR(refusal_str(REFUSAL_REQUEST), "request");
	CHECK_STR(refusal_str(REFUSAL_UNREGISTERED), "unregistered");
	CHECK_STR(refusal_str(REFUSAL_SECRET), "secret-wrong");
	CHECK_STR(refusal_str(REFUSAL_SECRET_USED), "secret-used");
	CHECK_STR(refusal_str(REFUSAL_FORM), "form");
}

static void
test_none(void)
{
	static const int numbers[] = { -1, REFUSAL_NONE, REFUSALS, REFUSALS + 1, 1000 };

	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
		CHECK_STR(refusal_str((enum refusal)numbers[i]), "");
}

static const struct test_case cases[] = {
	{ "words", test_words },
	{ "numbers that are none", test_none },
};

TEST_MAIN("refusal", cases)
