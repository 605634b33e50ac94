/*
 * Signatures in two parts: several begun by one thread before it ends the first, on a token that
 * signs and on one that hangs.
 */
#include "../unit/test.h"
#include "fixture.h"
#include "smki/clock.h"
#include "smki/mem.h"

/* A machine under load is given so long beyond what was asked for. */
#define FAST_MS 1500
#define LIMIT_MS 2000
#define BEGUN 6

static const char *shim;

static void
begin_all(struct hsm_key *key, void *pending[BEGUN])
{
	struct err err;

	for (uint8_t i = 0; i < BEGUN; i++) {
		uint8_t digest[SHA256_LEN] = { i };

		CHECK(hsm_sign_begin(key, digest, sizeof(digest), &pending[i], &err) == 0);
	}
}

static int
signs(void *arg)
{
	uint8_t digest[SHA256_LEN] = { 3 }, rs[EC_RS_MAX];
	struct err err;

	return hsm_sign(arg, digest, sizeof(digest), rs, &err) == 0;
}

/* Each its own signature, in whichever order they are ended; and all of those that a token leaves
 * hanging are over in the time of one. */
static void
begun_together(void)
{
	uint8_t digest[SHA256_LEN] = { 0 }, rs[EC_RS_MAX];
	struct fixture f;
	struct hsm_key *key = NULL;
	struct hsm *hsm;
	void *pending[BEGUN];
	struct err err = { 0 };
	int64_t at;

	fixture_open(&f, "smki", shim);
	f.conf.sessions = 2;
	f.conf.timeout_ms = LIMIT_MS;
	hsm = fixture_hsm(&f);
	CHECK(hsm_key_generate(hsm, "k", EC_P256, &key, &err) == 0);
	CHECK(hsm_sign_begin(key, digest, sizeof(digest) - 1, &pending[0], &err) == -1);
	CHECK(err.code == FAIL_INTERNAL);
	begin_all(key, pending);
	for (uint8_t i = BEGUN; i-- > 0;) {
		digest[0] = i;
		CHECK(hsm_sign_end(pending[i], rs, &err) == 0);
		CHECK(fixture_verify(hsm_key_pub(key), digest, rs));
	}
	fixture_control(&f, "hang");
	at = clock_mono_ms();
	begin_all(key, pending);
	CHECK(clock_mono_ms() - at < LIMIT_MS);
	for (size_t i = 0; i < BEGUN; i++)
		CHECK(hsm_sign_end(pending[i], rs, &err) == -1 && err.code == FAIL_UNAVAILABLE);
	at = clock_mono_ms() - at;
	CHECK(at >= LIMIT_MS && at < LIMIT_MS + FAST_MS);
	fixture_control(&f, "");
	CHECK(fixture_wait(signs, key, 20000));
	hsm_close(hsm);
	fixture_close(&f);
}

static const struct test_case cases[] = {
	{ "begun together", begun_together },
};

int
main(int argc, char **argv)
{
	if (fixture_module() == NULL)
		return FIXTURE_SKIP;
	if (argc < 3)
		return 2;
	shim = argv[2];
	return test_main(argc, argv, "begun", cases, ARRAY_LEN(cases));
}
