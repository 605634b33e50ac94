/*
 * A key that another process makes on a token in use here: found and signed with by the sessions
 * that are open, without losing them. Run with "--make" this program is that other process.
 */
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../unit/test.h"
#include "fixture.h"
#include "smki/mem.h"

extern char **environ;
static const char *self;

/* The other process: make the key, say its point. */
static int
make_key(const struct hsm_conf *conf, const char *label)
{
	struct hsm *hsm = NULL;
	struct hsm_key *key = NULL;
	struct err err;
	int r = 1;

	if (hsm_open(conf, &hsm, &err) == 0 &&
	    hsm_key_generate(hsm, label, EC_P256, &key, &err) == 0 &&
	    fwrite(hsm_key_pub(key)->point, 1, hsm_key_pub(key)->len, stdout) == 65)
		r = 0;
	else
		fprintf(stderr, "  other process: %s\n", err.msg);
	hsm_close(hsm);
	return r;
}

/* Its configuration by way of its arguments; the point it made in out. */
static int
other_makes(const struct fixture *f, const char *label, uint8_t out[65])
{
	const char *argv[] = { self, "--make", f->conf.module, f->conf.token, f->conf.pin_file,
		f->conf.latch_file, f->conf.softhsm_conf, label, NULL };
	posix_spawn_file_actions_t actions;
	int fds[2], status = -1;
	size_t n = 0;
	ssize_t got;
	pid_t pid;

	if (pipe(fds) != 0 || posix_spawn_file_actions_init(&actions) != 0)
		return -1;
	posix_spawn_file_actions_adddup2(&actions, fds[1], STDOUT_FILENO);
	posix_spawn_file_actions_addclose(&actions, fds[0]);
	if (posix_spawn(&pid, self, &actions, NULL, (char **)(uintptr_t)argv, environ) != 0)
		pid = -1;
	posix_spawn_file_actions_destroy(&actions);
	close(fds[1]);
	while (pid > 0 && n < 65 && (got = read(fds[0], out + n, 65 - n)) > 0)
		n += (size_t)got;
	close(fds[0]);
	if (pid > 0)
		waitpid(pid, &status, 0);
	return n == 65 && status == 0 ? 0 : -1;
}

static void
found_at_once(void)
{
	struct fixture f;
	struct hsm *hsm;
	struct hsm_key *own = NULL, *key = NULL, *again = NULL;
	uint8_t digest[SHA256_LEN] = { 7 }, rs[EC_RS_MAX], point[65];
	struct err err;

	fixture_open(&f, "smki", NULL);
	hsm = fixture_hsm(&f);
	CHECK(hsm_key_generate(hsm, "issuing", EC_P256, &own, &err) == 0);
	for (int i = 2; i < 5; i++) {
		char label[16];

		snprintf(label, sizeof(label), "access-%d", i);
		/* Both sessions have looked at the token before. */
		CHECK(hsm_key_find(hsm, label, &key, &err) != 0 && err.code == FAIL_NOT_FOUND);
		CHECK(hsm_key_find(hsm, label, &key, &err) != 0 && err.code == FAIL_NOT_FOUND);
		CHECK(other_makes(&f, label, point) == 0);
		CHECK(hsm_key_find(hsm, label, &key, &err) == 0);
		if (key == NULL)
			break;
		CHECK_MEM(hsm_key_pub(key)->point, hsm_key_pub(key)->len, point, sizeof(point));
		for (int k = 0; k < 8; k++) {
			digest[1] = (uint8_t)k;
			CHECK(hsm_sign(key, digest, sizeof(digest), rs, &err) == 0);
			CHECK(fixture_verify(hsm_key_pub(key), digest, rs));
			CHECK(hsm_sign(own, digest, sizeof(digest), rs, &err) == 0);
			CHECK(fixture_verify(hsm_key_pub(own), digest, rs));
		}
		CHECK(hsm_key_find(hsm, label, &again, &err) == 0 && again == key);
		CHECK(hsm_is_ready(hsm) && !hsm_is_lost(hsm));
		key = NULL;
	}
	hsm_close(hsm);
	fixture_close(&f);
}

static const struct test_case cases[] = {
	{ "found at once", found_at_once },
};

int
main(int argc, char **argv)
{
	struct hsm_conf conf = { .sessions = 1, .timeout_ms = 5000 };

	if (argc == 8 && strcmp(argv[1], "--make") == 0) {
		snprintf(conf.module, sizeof(conf.module), "%s", argv[2]);
		snprintf(conf.token, sizeof(conf.token), "%s", argv[3]);
		snprintf(conf.pin_file, sizeof(conf.pin_file), "%s", argv[4]);
		snprintf(conf.latch_file, sizeof(conf.latch_file), "%s", argv[5]);
		snprintf(conf.softhsm_conf, sizeof(conf.softhsm_conf), "%s", argv[6]);
		return make_key(&conf, argv[7]);
	}
	if (fixture_module() == NULL)
		return FIXTURE_SKIP;
	self = argv[0];
	return test_main(argc, argv, "hsm-other", cases, ARRAY_LEN(cases));
}
