/*
 * Keys on a real SoftHSM token: making, finding, signing, what is refused, and what their
 * attributes are afterwards.
 */
#include <sys/stat.h>
#include <unistd.h>

#include "../unit/test.h"
#include "fixture.h"
#include "smki/mem.h"

static const struct {
	const char *name, *label;
	enum ec_curve curve;
	size_t point, digest;
} curves[] = {
	{ "P-256", "issuing", EC_P256, 65, 32 },
	{ "P-384", "root", EC_P384, 97, 48 },
	{ "label of 32", "12345678901234567890123456789012", EC_P256, 65, 32 },
};

static void
generate_find_sign(void)
{
	struct fixture f;
	struct hsm *hsm;
	struct err err;

	fixture_open(&f, "smki", NULL);
	for (int round = 0; round < 2; round++) {
		hsm = fixture_hsm(&f);
		CHECK(hsm_is_ready(hsm) && !hsm_is_lost(hsm));
		for (size_t i = 0; i < ARRAY_LEN(curves); i++) {
			uint8_t digest[SHA384_LEN] = { (uint8_t)i, (uint8_t)round };
			uint8_t rs[EC_RS_MAX], untouched[EC_RS_MAX];
			struct hsm_key *key = NULL, *again = NULL;
			const struct ec_pub *pub;

			if (round == 0)
				CHECK(hsm_key_generate(
					  hsm, curves[i].label, curves[i].curve, &key, &err) == 0);
			CHECK(hsm_key_find(hsm, curves[i].label, &again, &err) == 0);
			CHECK_ROW(curves[i].name, key == NULL || key == again);
			pub = hsm_key_pub(again);
			CHECK_ROW(curves[i].name, pub->curve == curves[i].curve);
			CHECK_ROW(curves[i].name, pub->len == curves[i].point);
			CHECK(hsm_sign(again, digest, curves[i].digest, rs, &err) == 0);
			CHECK_ROW(curves[i].name, fixture_verify(pub, digest, rs));
			digest[5] ^= 1;
			CHECK_ROW(curves[i].name, !fixture_verify(pub, digest, rs));
			/* A digest of another length is our own bug, and nothing is written. */
			memcpy(untouched, rs, sizeof(rs));
			CHECK(hsm_sign(again, digest, curves[i].digest - 1, rs, &err) != 0);
			CHECK(err.code == FAIL_INTERNAL);
			CHECK_MEM(rs, sizeof(rs), untouched, sizeof(rs));
		}
		hsm_close(hsm);
	}
	fixture_close(&f);
	hsm_close(NULL);
}

static const struct {
	const char *attribute;
	int want;
} attributes[] = {
	{ "SENSITIVE", 1 },
	{ "EXTRACTABLE", 0 },
	{ "ALWAYS_SENSITIVE", 1 },
	{ "NEVER_EXTRACTABLE", 1 },
	{ "TOKEN", 1 },
	{ "PRIVATE", 1 },
	{ "SIGN", 1 },
	{ "DERIVE", 0 },
	{ "DECRYPT", 0 },
	{ "UNWRAP", 0 },
	{ "LOCAL", 1 },
};

static void
attributes_of_made(void)
{
	struct fixture f;
	struct hsm *hsm;
	struct hsm_key *key;
	struct err err;

	fixture_open(&f, "smki", NULL);
	hsm = fixture_hsm(&f);
	for (size_t c = 0; c < 2; c++) {
		CHECK(hsm_key_generate(hsm, curves[c].label, curves[c].curve, &key, &err) == 0);
		CHECK(raw_count_keys(&f.conf, curves[c].label) == 2);
		for (size_t i = 0; i < ARRAY_LEN(attributes); i++)
			CHECK_ROW(attributes[i].attribute,
			    raw_private_is(&f.conf, curves[c].label, attributes[i].attribute) ==
				attributes[i].want);
	}
	hsm_close(hsm);
	fixture_close(&f);
}

static void
labels(void)
{
	struct fixture f;
	struct hsm *hsm;
	struct hsm_key *key = NULL;
	struct err err;
	const char *bad[] = { "", "123456789012345678901234567890123" };

	fixture_open(&f, "smki", NULL);
	hsm = fixture_hsm(&f);
	CHECK(hsm_key_find(hsm, "none", &key, &err) != 0 && err.code == FAIL_NOT_FOUND);
	CHECK(strstr(err.msg, "token smki: key none:") != NULL);
	CHECK(hsm_key_generate(hsm, "one", EC_P256, &key, &err) == 0);
	/* A label is compared whole. */
	CHECK(hsm_key_find(hsm, "on", &key, &err) != 0 && err.code == FAIL_NOT_FOUND);
	CHECK(hsm_key_generate(hsm, "one", EC_P256, &key, &err) != 0 && err.code == FAIL_CONFLICT);
	CHECK(raw_count_keys(&f.conf, "one") == 2);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		CHECK(hsm_key_find(hsm, bad[i], &key, &err) != 0 && err.code == FAIL_INVALID);
		CHECK(hsm_key_generate(hsm, bad[i], EC_P256, &key, &err) != 0);
		CHECK(err.code == FAIL_INVALID);
	}
	raw_make_key(&f.conf, "two", 0, 1);
	CHECK(hsm_key_find(hsm, "two", &key, &err) == 0);
	raw_make_key(&f.conf, "two", 0, 1);
	CHECK(hsm_key_find(hsm, "two", &key, &err) != 0 && err.code == FAIL_CONFLICT);
	raw_make_key(&f.conf, "lonely", 0, 0);
	CHECK(hsm_key_find(hsm, "lonely", &key, &err) != 0 && err.code == FAIL_NOT_FOUND);
	raw_make_key(&f.conf, "leaky", 1, 1);
	CHECK(hsm_key_find(hsm, "leaky", &key, &err) != 0 && err.code == FAIL_DENIED);
	CHECK(strstr(err.msg, "CKA_EXTRACTABLE") != NULL);
	hsm_close(hsm);
	fixture_close(&f);
}

/* Two of them over one token: the first to close leaves the other logged in and signing. */
static void
two_pools(void)
{
	struct fixture f;
	struct hsm *a, *b;
	struct hsm_key *ka = NULL, *kb = NULL;
	struct err err;
	uint8_t digest[SHA256_LEN] = { 7 }, rs[EC_RS_MAX];

	fixture_open(&f, "smki", NULL);
	a = fixture_hsm(&f);
	CHECK(hsm_key_generate(a, "one", EC_P256, &ka, &err) == 0);
	b = fixture_hsm(&f);
	CHECK(hsm_key_find(b, "one", &kb, &err) == 0);
	CHECK(hsm_sign(ka, digest, 32, rs, &err) == 0);
	CHECK(hsm_sign(kb, digest, 32, rs, &err) == 0);
	hsm_close(a);
	CHECK(hsm_sign(kb, digest, 32, rs, &err) == 0);
	CHECK(fixture_verify(hsm_key_pub(kb), digest, rs));
	hsm_close(b);
	fixture_close(&f);
}

static const struct {
	const char *name;
	const char *field;
	long value;
	enum err_code code;
} confs[] = {
	{ "no sessions", "sessions", 0, FAIL_INVALID },
	{ "too many sessions", "sessions", HSM_SESSIONS_MAX + 1, FAIL_INVALID },
	{ "no time", "timeout", 0, FAIL_INVALID },
	{ "no token", "token", 0, FAIL_INVALID },
	{ "no module", "module", 0, FAIL_INVALID },
	{ "no PIN file", "pin", 0, FAIL_INVALID },
	{ "no latch", "latch", 0, FAIL_INVALID },
	{ "module elsewhere", "module", 'x', FAIL_UNAVAILABLE },
	{ "token absent", "token", 'x', FAIL_UNAVAILABLE },
	{ "PIN file absent", "pin", 'x', FAIL_NOT_FOUND },
	{ "most sessions", "sessions", HSM_SESSIONS_MAX, 0 },
};

static void
conf_table(void)
{
	struct fixture f;
	struct hsm *hsm = NULL;
	struct err err;

	fixture_open(&f, "smki", NULL);
	for (size_t i = 0; i < ARRAY_LEN(confs); i++) {
		struct hsm_conf conf = f.conf;
		char text[2] = { (char)confs[i].value, '\0' };
		int r;

		if (strcmp(confs[i].field, "sessions") == 0)
			conf.sessions = confs[i].value;
		else if (strcmp(confs[i].field, "timeout") == 0)
			conf.timeout_ms = confs[i].value;
		else if (strcmp(confs[i].field, "token") == 0)
			strcpy(conf.token, text);
		else if (strcmp(confs[i].field, "module") == 0)
			strcpy(conf.module, text);
		else if (strcmp(confs[i].field, "pin") == 0)
			strcpy(conf.pin_file, text);
		else
			strcpy(conf.latch_file, text);
		r = hsm_open(&conf, &hsm, &err);
		CHECK_ROW(confs[i].name, (r == 0) == (confs[i].code == 0));
		CHECK_ROW(confs[i].name, r == 0 || err.code == confs[i].code);
		if (r == 0)
			hsm_close(hsm);
	}
	fixture_close(&f);
}

static const struct {
	const char *name, *source;
	mode_t mode;
	const char *credentials; /* $CREDENTIALS_DIRECTORY: NULL unset, "." the fixture's folder */
	enum err_code code;
} sources[] = {
	{ "plain", NULL, 0400, NULL, 0 },
	{ "readable by the group", NULL, 0440, NULL, 0 },
	{ "readable by all", NULL, 0404, NULL, FAIL_DENIED },
	{ "writable by the group", NULL, 0620, NULL, FAIL_DENIED },
	{ "credential", "credential:pin", 0400, ".", 0 },
	{ "credential without folder", "credential:pin", 0400, NULL, FAIL_NOT_FOUND },
	{ "credential missing", "credential:nip", 0400, ".", FAIL_NOT_FOUND },
	{ "credential outside", "credential:../pin", 0400, ".", FAIL_INVALID },
	{ "credential with path", "credential:a/pin", 0400, ".", FAIL_INVALID },
	{ "credential without name", "credential:", 0400, ".", FAIL_INVALID },
};

static void
pin_sources(void)
{
	struct fixture f;
	struct hsm *hsm = NULL;
	struct err err;

	fixture_open(&f, "smki", NULL);
	for (size_t i = 0; i < ARRAY_LEN(sources); i++) {
		struct hsm_conf conf = f.conf;
		int r;

		CHECK(chmod(f.conf.pin_file, sources[i].mode) == 0);
		if (sources[i].source != NULL)
			strcpy(conf.pin_file, sources[i].source);
		if (sources[i].credentials != NULL)
			setenv("CREDENTIALS_DIRECTORY", f.dir, 1);
		else
			unsetenv("CREDENTIALS_DIRECTORY");
		r = hsm_open(&conf, &hsm, &err);
		CHECK_ROW(sources[i].name, (r == 0) == (sources[i].code == 0));
		CHECK_ROW(sources[i].name, r == 0 || err.code == sources[i].code);
		CHECK_ROW(sources[i].name, r == 0 || strstr(err.msg, FIXTURE_PIN) == NULL);
		if (r == 0)
			hsm_close(hsm);
	}
	fixture_close(&f);
}

static const struct test_case cases[] = {
	{ "generate, find, sign", generate_find_sign },
	{ "attributes", attributes_of_made },
	{ "labels", labels },
	{ "two pools", two_pools },
	{ "configuration", conf_table },
	{ "PIN sources", pin_sources },
};

int
main(int argc, char **argv)
{
	if (fixture_module() == NULL)
		return FIXTURE_SKIP;
	return test_main(argc, argv, "keys", cases, ARRAY_LEN(cases));
}
