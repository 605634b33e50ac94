/*
 * Tokens: initialising through libp11, finding by label, and two SoftHSM configurations one after
 * the other in one process, as the ceremony needs it.
 */
#include "../unit/test.h"
#include "fixture.h"
#include "smki/mem.h"

static const char *shim;

static struct token_module *
open_module(const struct fixture *f)
{
	struct token_module *module = NULL;
	struct err err;

	CHECK(token_module_open(f->conf.module, f->conf.softhsm_conf, &module, &err) == 0);
	return module;
}

static void
module_open(void)
{
	struct fixture f, g;
	struct token_module *module = NULL, *again = NULL;
	struct err err;

	CHECK(token_module_open("/nowhere/p11.so", "", &module, &err) != 0);
	CHECK(err.code == FAIL_UNAVAILABLE && strstr(err.msg, "/nowhere/p11.so") != NULL);
	CHECK(token_module_open("/etc/passwd", "", &module, &err) != 0);
	CHECK(err.code == FAIL_UNAVAILABLE);
	CHECK(module == NULL);
	token_module_close(NULL);

	fixture_dir(&f, "a");
	fixture_dir(&g, "b");
	module = open_module(&f);
	/* One configuration at a time; the same, or none, joins in. */
	CHECK(token_module_open(g.conf.module, g.conf.softhsm_conf, &again, &err) != 0);
	CHECK(err.code == FAIL_CONFLICT && again == NULL);
	CHECK(token_module_open(f.conf.module, "", &again, &err) == 0);
	token_module_close(again);
	again = open_module(&f);
	token_module_close(module);
	/* The other user still has it. */
	CHECK(token_init(again, "a", FIXTURE_SO_PIN, FIXTURE_PIN, &err) == 0);
	token_module_close(again);
	fixture_close(&f);
	fixture_close(&g);
}

/* Begun anew by its only user; one that does not come up is down until it does. */
static void
module_restart(void)
{
	struct fixture f;
	struct token_module *module, *again = NULL;
	char here[256], there[256];
	struct hsm *hsm = NULL;
	struct err err;

	fixture_open(&f, "smki", NULL);
	snprintf(here, sizeof(here), "%s/tokens", f.dir);
	snprintf(there, sizeof(there), "%s/away", f.dir);
	module = open_module(&f);
	CHECK(token_module_restart(module, &err) == 0);
	hsm_close(fixture_hsm(&f));
	again = open_module(&f);
	CHECK(token_module_restart(module, &err) != 0 && err.code == FAIL_CONFLICT);
	hsm_close(fixture_hsm(&f));
	token_module_close(again);
	CHECK(rename(here, there) == 0);
	CHECK(token_module_restart(module, &err) != 0 && err.code == FAIL_UNAVAILABLE);
	CHECK(hsm_open(&f.conf, &hsm, &err) != 0 && err.code == FAIL_UNAVAILABLE);
	CHECK(token_init(module, "b", FIXTURE_SO_PIN, FIXTURE_PIN, &err) != 0);
	CHECK(err.code == FAIL_UNAVAILABLE);
	CHECK(token_module_restart(module, &err) != 0);
	CHECK(rename(there, here) == 0);
	hsm_close(fixture_hsm(&f));
	CHECK(token_module_restart(module, &err) == 0);
	CHECK(rename(here, there) == 0);
	CHECK(token_module_restart(module, &err) != 0);
	token_module_close(module);
	fixture_close(&f);
}

static const struct {
	const char *name, *label, *so_pin, *user_pin;
	enum err_code code; /* 0: goes */
} inits[] = {
	{ "empty label", "", FIXTURE_SO_PIN, FIXTURE_PIN, FAIL_INVALID },
	{ "label of 33", "123456789012345678901234567890123", FIXTURE_SO_PIN, FIXTURE_PIN,
	    FAIL_INVALID },
	{ "blank at the end", "a ", FIXTURE_SO_PIN, FIXTURE_PIN, FAIL_INVALID },
	{ "no officer PIN", "a", "", FIXTURE_PIN, FAIL_INVALID },
	{ "no user PIN", "a", FIXTURE_SO_PIN, "", FAIL_INVALID },
	{ "first", "smki-root", FIXTURE_SO_PIN, FIXTURE_PIN, 0 },
	{ "taken", "smki-root", FIXTURE_SO_PIN, FIXTURE_PIN, FAIL_CONFLICT },
	{ "part of a taken one", "smki-roo", FIXTURE_SO_PIN, FIXTURE_PIN, 0 },
	{ "label of 32, PIN of 64", "12345678901234567890123456789012",
	    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
	    "fedcba98765432100123456789abcdef0123456789abcdef0123456789abcdef", 0 },
};

static void
init_table(void)
{
	struct fixture f;
	struct token_module *module;
	struct hsm *hsm = NULL;
	struct hsm_key *key = NULL;
	struct err err;

	fixture_dir(&f, "smki-root");
	module = open_module(&f);
	CHECK(hsm_open(&f.conf, &hsm, &err) != 0);
	CHECK(err.code == FAIL_UNAVAILABLE);
	CHECK_STR(err.msg, "token smki-root: is not present");
	for (size_t i = 0; i < ARRAY_LEN(inits); i++) {
		int r = token_init(
		    module, inits[i].label, inits[i].so_pin, inits[i].user_pin, &err);

		CHECK_ROW(inits[i].name, (r == 0) == (inits[i].code == 0));
		CHECK_ROW(inits[i].name, r == 0 || err.code == inits[i].code);
	}
	token_module_close(module);

	/* A label finds its own token, not one whose label it is the beginning of. */
	hsm = fixture_hsm(&f);
	CHECK(hsm_key_generate(hsm, "ca", EC_P256, &key, &err) == 0);
	hsm_close(hsm);
	snprintf(f.conf.token, sizeof(f.conf.token), "smki-roo");
	hsm = fixture_hsm(&f);
	CHECK(hsm_key_find(hsm, "ca", &key, &err) != 0 && err.code == FAIL_NOT_FOUND);
	hsm_close(hsm);

	/* The long PIN is the one that logs in. */
	snprintf(f.conf.token, sizeof(f.conf.token), "%s", inits[ARRAY_LEN(inits) - 1].label);
	fixture_pin(&f, inits[ARRAY_LEN(inits) - 1].user_pin);
	hsm = fixture_hsm(&f);
	/* No second ceremony while a pool has its sessions. */
	module = open_module(&f);
	CHECK(token_init(module, "x", FIXTURE_SO_PIN, FIXTURE_PIN, &err) != 0);
	CHECK(err.code == FAIL_CONFLICT);
	token_module_close(module);
	hsm_close(hsm);
	fixture_close(&f);
}

static void
same_label_twice(void)
{
	struct fixture f;
	struct token_module *module;
	struct hsm *hsm = NULL;
	struct err err;

	fixture_open(&f, "twin", NULL);
	module = open_module(&f);
	raw_init_token(&f.conf, "twin");
	token_module_close(module);
	CHECK(hsm_open(&f.conf, &hsm, &err) != 0 && err.code == FAIL_CONFLICT);
	CHECK(hsm == NULL);
	fixture_close(&f);
}

/* A token that answers with an error is said to, and nothing of the try stays behind. */
static void
info_fails(void)
{
	struct fixture f;
	struct hsm *hsm = NULL;
	struct err err;

	fixture_open(&f, "smki", shim);
	fixture_control(&f, "info-error");
	CHECK(hsm_open(&f.conf, &hsm, &err) != 0 && err.code == FAIL_UNAVAILABLE);
	CHECK(strstr(err.msg, "token smki: PKCS#11 C_GetTokenInfo") == err.msg);
	fixture_control(&f, "away");
	CHECK(hsm_open(&f.conf, &hsm, &err) != 0 && err.code == FAIL_UNAVAILABLE);
	CHECK_STR(err.msg, "token smki: is not present");
	CHECK(hsm == NULL);
	fixture_control(&f, "");
	hsm_close(fixture_hsm(&f));
	fixture_close(&f);
}

/* Configuration A, then B, then A again, in one process; neither sees the other's. */
static void
two_in_turn(void)
{
	struct fixture f[2];
	struct ec_pub pub[2];
	struct hsm_key *key;
	struct hsm *hsm;
	struct err err;
	uint8_t digest[SHA256_LEN] = { 1 }, rs[EC_RS_MAX];

	fixture_open(&f[0], "smki-root", NULL);
	fixture_open(&f[1], "smki-issuing", NULL);
	for (int round = 0; round < 4; round++) {
		const struct fixture *mine = &f[round % 2], *other = &f[1 - round % 2];
		struct hsm_conf wrong = mine->conf;

		hsm = fixture_hsm(mine);
		if (round < 2)
			CHECK(hsm_key_generate(hsm, "ca", EC_P256, &key, &err) == 0);
		CHECK(hsm_key_find(hsm, "ca", &key, &err) == 0);
		if (round < 2)
			pub[round] = *hsm_key_pub(key);
		CHECK_MEM(hsm_key_pub(key)->point, 65, pub[round % 2].point, 65);
		CHECK(hsm_sign(key, digest, 32, rs, &err) == 0);
		CHECK(fixture_verify(&pub[round % 2], digest, rs));
		hsm_close(hsm);
		/* The other one's token is not in this configuration. */
		memcpy(wrong.token, other->conf.token, sizeof(wrong.token));
		CHECK(hsm_open(&wrong, &hsm, &err) != 0 && err.code == FAIL_UNAVAILABLE);
	}
	CHECK(memcmp(pub[0].point, pub[1].point, 65) != 0);
	fixture_close(&f[0]);
	fixture_close(&f[1]);
}

static const struct test_case cases[] = {
	{ "module", module_open },
	{ "module begun anew", module_restart },
	{ "init", init_table },
	{ "same label twice", same_label_twice },
	{ "a token that answers with an error", info_fails },
	{ "two configurations in turn", two_in_turn },
};

int
main(int argc, char **argv)
{
	if (fixture_module() == NULL)
		return FIXTURE_SKIP;
	if (argc < 3)
		return 2;
	shim = argv[2];
	return test_main(argc, argv, "token", cases, ARRAY_LEN(cases));
}
