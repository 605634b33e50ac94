/*
 * Limits of enrolment: what one device may have in a day, and all together in a minute.
 */
#include "../../src/service/enrol_limit.h"
#include "enrol_rig.h"

#define SIGN KEY_USAGE_DIGITAL_SIGNATURE

/* Limits count certificates that are made: a retry is answered under every one. */
static void
test_limits(void)
{
	struct enrollers *e = enrollers_new(1);
	struct softsign *key[4];
	struct enrolled got[4], o;

	for (size_t i = 0; i < ARRAY_LEN(key); i++)
		key[i] = softsign_new(EC_P256);
	registered(e, 1, DEVICE_PROOF_SECRET);
	registered(e, 2, DEVICE_PROOF_SECRET);
	enrollers_limits(e, 2, 30000);
	by_secret(e, 1, SIGN, key[0], &got[0]);
	by_certificate(e, ENROL_RENEW, 1, SIGN, key[1], &got[0], &got[1]);
	CHECK(is_issued(&got[0], false) && is_issued(&got[1], false));
	by_certificate(e, ENROL_RENEW, 1, SIGN, key[2], &got[1], &o);
	CHECK(is_refused(&o, REFUSAL_QUOTA, FAIL_LIMIT));
	by_certificate(e, ENROL_RENEW, 1, SIGN, key[1], &got[0], &o);
	CHECK(is_issued(&o, true));
	enrolled_free(&o);
	enrollers_limits(e, 10, 1);
	by_certificate(e, ENROL_RENEW, 1, SIGN, key[2], &got[1], &got[2]);
	CHECK(is_issued(&got[2], false));
	by_secret(e, 2, SIGN, key[3], &o);
	CHECK(is_refused(&o, REFUSAL_CEILING, FAIL_LIMIT));
	CHECK(!enrol_registered(e, 2).secret_used);
	by_certificate(e, ENROL_RENEW, 1, SIGN, key[2], &got[1], &o);
	CHECK(is_issued(&o, true));
	enrolled_free(&o);
	for (size_t i = 0; i < ARRAY_LEN(key); i++)
		softsign_free(key[i]);
	for (size_t i = 0; i < 3; i++)
		enrolled_free(&got[i]);
	enrollers_free(e);
}

static void
test_ceiling(void)
{
	struct enrol_limit limit;
	struct err err;
	const int64_t s = 1000000, from = 5 * s;

	enrol_limit_init(&limit, 6, from);
	for (int i = 0; i < 6; i++)
		CHECK(enrol_limit_take(&limit, from, &err) == 0);
	CHECK(enrol_limit_take(&limit, from, &err) == -1 && err.code == FAIL_LIMIT);
	CHECK(enrol_limit_take(&limit, from + 10 * s - 1, &err) == -1);
	CHECK(enrol_limit_take(&limit, from + 10 * s, &err) == 0);
	CHECK(enrol_limit_take(&limit, from + 10 * s, &err) == -1);
	/* A clock read before another thread's. */
	CHECK(enrol_limit_take(&limit, from, &err) == -1);
	/* However long nobody came, no more than a minute's. */
	for (int i = 0; i < 6; i++)
		CHECK(enrol_limit_take(&limit, from + 1000000 * s, &err) == 0);
	CHECK(enrol_limit_take(&limit, from + 1000000 * s, &err) == -1);
	enrol_limit_end(&limit);
	enrol_limit_init(&limit, 10000000, INT64_MAX / 2);
	CHECK(enrol_limit_take(&limit, INT64_MAX - 1, &err) == 0);
	enrol_limit_end(&limit);
}

static const struct test_case cases[] = {
	{ "limits", test_limits },
	{ "ceiling a minute", test_ceiling },
};
TEST_MAIN("enrol_limit", cases)
