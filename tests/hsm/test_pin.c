/*
 * A wrong PIN costs the token one try: over threads, over hsm_open, over processes. The shim
 * counts every C_Login.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../unit/test.h"
#include "fixture.h"
#include "smki/clock.h"
#include "smki/file.h"
#include "smki/mem.h"

#define WRONG "9999-wrong-pin"
#define ASKERS 8

static const char *shim;

/* hsm_open that must be denied; the message never holds the PIN. */
static void
check_denied(const struct fixture *f, const char *row)
{
	struct hsm *hsm = NULL;
	struct err err;

	CHECK_ROW(row, hsm_open(&f->conf, &hsm, &err) != 0);
	CHECK_ROW(row, hsm == NULL && err.code == FAIL_DENIED);
	CHECK_ROW(row, strstr(err.msg, WRONG) == NULL);
}

static void
refused_once(void)
{
	struct fixture f;
	struct hsm *hsm = NULL;
	struct stat st;
	struct buf latch = { 0 };
	char want[HSM_PATH_MAX + 128];
	struct err err;

	fixture_open(&f, "smki-issuing", shim);
	fixture_pin(&f, WRONG);
	CHECK(hsm_open(&f.conf, &hsm, &err) != 0 && err.code == FAIL_DENIED);
	snprintf(want, sizeof(want),
	    "token smki-issuing: PKCS#11 C_Login: PIN was refused; it is not tried again until %s "
	    "changes",
	    f.conf.pin_file);
	CHECK_STR(err.msg, want);
	CHECK(fixture_count(&f, "login") == 1);
	CHECK(stat(f.conf.latch_file, &st) == 0 && (st.st_mode & 07777) == 0600);
	CHECK(file_read(f.conf.latch_file, 4096, &latch, &err) == 0);
	CHECK(strstr(buf_text(&latch), WRONG) == NULL);
	buf_free(&latch);
	CHECK(hsm_open(&f.conf, &hsm, &err) != 0);
	CHECK_STR(err.msg, want);
	check_denied(&f, "third start");
	/* The same PIN written anew is the same PIN. */
	fixture_pin(&f, WRONG);
	check_denied(&f, "same PIN again");
	CHECK(fixture_count(&f, "login") == 1);
	/* Another wrong one costs another try, and one only. */
	fixture_pin(&f, WRONG "2");
	check_denied(&f, "another PIN");
	check_denied(&f, "another PIN again");
	CHECK(fixture_count(&f, "login") == 2);
	fixture_pin(&f, FIXTURE_PIN);
	CHECK(hsm_open(&f.conf, &hsm, &err) == 0);
	hsm_close(hsm);
	CHECK(fixture_count(&f, "login") == 3);
	CHECK(access(f.conf.latch_file, F_OK) != 0);
	fixture_close(&f);
}

static void
other_process(void)
{
	struct fixture f;
	int status = -1;
	pid_t pid;

	fixture_open(&f, "smki", shim);
	fixture_pin(&f, WRONG);
	pid = fork();
	if (pid == 0) {
		struct hsm *hsm;
		struct err err;

		_exit(hsm_open(&f.conf, &hsm, &err) != 0 && err.code == FAIL_DENIED ? 0 : 1);
	}
	CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	CHECK(fixture_count(&f, "login") == 1);
	check_denied(&f, "after a restart");
	CHECK(fixture_count(&f, "login") == 1);
	fixture_close(&f);
}

static const struct {
	const char *name, *pin, *latch;
	unsigned logins;
} untried[] = {
	{ "too short for the token", "1", NULL, 1 },
	{ "empty", "", NULL, 0 },
	{ "damaged latch", FIXTURE_PIN, "rubbish\n", 0 },
	{ "empty latch", FIXTURE_PIN, "", 0 },
	{ "latch of other make", FIXTURE_PIN,
	    "pbkdf2-sha256 1 00000000000000000000000000000000 "
	    "0000000000000000000000000000000000000000000000000000000000000000\n",
	    0 },
	{ "latch with a tail", FIXTURE_PIN,
	    "pbkdf2-sha256 100000 00000000000000000000000000000000 "
	    "0000000000000000000000000000000000000000000000000000000000000000\n\n",
	    0 },
	{ "latch of another PIN", FIXTURE_PIN,
	    "pbkdf2-sha256 100000 00000000000000000000000000000000 "
	    "0000000000000000000000000000000000000000000000000000000000000000\n",
	    2 },
};

static void
latch_table(void)
{
	for (size_t i = 0; i < ARRAY_LEN(untried); i++) {
		struct fixture f;
		struct hsm *hsm = NULL;
		struct err err;
		int r;

		fixture_open(&f, "smki", shim);
		fixture_pin(&f, untried[i].pin);
		if (untried[i].latch != NULL)
			fixture_write(f.conf.latch_file, untried[i].latch);
		for (int twice = 0; twice < 2; twice++) {
			r = hsm_open(&f.conf, &hsm, &err);
			CHECK_ROW(untried[i].name, (r == 0) == (untried[i].logins == 2));
			if (r == 0)
				hsm_close(hsm);
		}
		CHECK_ROW(untried[i].name, fixture_count(&f, "login") == untried[i].logins);
		fixture_close(&f);
	}
}

/* Where a refusal could not be remembered no PIN is tried. */
static void
latch_folder(void)
{
	struct fixture f;

	fixture_open(&f, "smki", shim);
	snprintf(f.conf.latch_file, sizeof(f.conf.latch_file), "%s/none/latch", f.dir);
	check_denied(&f, "no folder");
	CHECK(fixture_count(&f, "login") == 0);
	fixture_close(&f);
}

struct asker {
	struct hsm_key *key;
	atomic_int *stop;
	unsigned denied, unavailable, signed_ok;
};

static void *
ask(void *arg)
{
	struct asker *a = arg;
	uint8_t digest[SHA256_LEN] = { 3 }, rs[EC_RS_MAX];
	struct timespec pause = { 0, 5000000 };
	struct err err;

	while (!atomic_load(a->stop)) {
		if (hsm_sign(a->key, digest, sizeof(digest), rs, &err) == 0)
			a->signed_ok++;
		else if (err.code == FAIL_DENIED)
			a->denied++;
		else
			a->unavailable++;
		nanosleep(&pause, NULL);
	}
	return NULL;
}

static int
signs(void *arg)
{
	uint8_t digest[SHA256_LEN] = { 3 }, rs[EC_RS_MAX];
	struct err err;

	return hsm_sign(arg, digest, sizeof(digest), rs, &err) == 0;
}

static int
is_denied(void *arg)
{
	uint8_t digest[SHA256_LEN] = { 3 }, rs[EC_RS_MAX];
	struct err err;

	return hsm_sign(arg, digest, sizeof(digest), rs, &err) != 0 && err.code == FAIL_DENIED;
}

static int
is_unavailable(void *arg)
{
	uint8_t digest[SHA256_LEN] = { 3 }, rs[EC_RS_MAX];
	struct err err;

	return hsm_sign(arg, digest, sizeof(digest), rs, &err) != 0 && err.code == FAIL_UNAVAILABLE;
}

struct more {
	const struct fixture *f;
	unsigned opens;
};

static int
has_opened(void *arg)
{
	const struct more *more = arg;

	return fixture_count(more->f, "open") >= more->opens;
}

/* The PIN goes wrong while the service runs and its sessions are lost: threads do not multiply
 * the try; the right PIN brings it back without a restart. */
static void
refused_while_running(void)
{
	struct fixture f;
	struct hsm *hsm;
	struct hsm_key *key;
	struct asker askers[ASKERS] = { 0 };
	pthread_t threads[ASKERS];
	atomic_int stop = 0;
	struct more more = { .f = &f };
	struct err err;

	fixture_open(&f, "smki", shim);
	f.conf.sessions = 4;
	hsm = fixture_hsm(&f);
	CHECK(hsm_key_generate(hsm, "k", EC_P256, &key, &err) == 0);
	CHECK(fixture_count(&f, "login") == 1);
	fixture_pin(&f, WRONG);
	fixture_control(&f, "away");
	for (int i = 0; i < ASKERS; i++) {
		askers[i] = (struct asker){ .key = key, .stop = &stop };
		CHECK(pthread_create(&threads[i], NULL, ask, &askers[i]) == 0);
	}
	CHECK(fixture_wait(is_unavailable, key, 20000));
	fixture_control(&f, "");
	CHECK(fixture_wait(is_denied, key, 20000));
	CHECK(fixture_count(&f, "login") == 2);
	CHECK(!hsm_is_ready(hsm) && !hsm_is_lost(hsm));
	/* Several bring-ups more, each with a session: denied before C_Login. */
	more.opens = fixture_count(&f, "open") + 3;
	CHECK(fixture_wait(has_opened, &more, 20000));
	CHECK(is_denied(key));
	CHECK(fixture_count(&f, "login") == 2);
	fixture_pin(&f, FIXTURE_PIN);
	CHECK(fixture_wait(signs, key, 20000));
	CHECK(fixture_count(&f, "login") == 3);
	CHECK(hsm_is_ready(hsm));
	atomic_store(&stop, 1);
	for (int i = 0; i < ASKERS; i++) {
		pthread_join(threads[i], NULL);
		CHECK(askers[i].denied > 0);
	}
	hsm_close(hsm);
	fixture_close(&f);
}

/* Refused, and fast, with the word that a login has not come back. */
static int
login_given_up(void *arg)
{
	uint8_t digest[SHA256_LEN] = { 3 }, rs[EC_RS_MAX];
	struct err err = { 0 };
	int64_t at = clock_mono_ms();

	CHECK(hsm_sign(arg, digest, sizeof(digest), rs, &err) != 0);
	CHECK(err.code == FAIL_UNAVAILABLE);
	CHECK(clock_mono_ms() - at < 1500);
	return strstr(err.msg, "does not come back") != NULL;
}

static int
is_lost(void *arg)
{
	return hsm_is_lost(arg);
}

/* A login that hangs is not tried beside; requests end in time, and its success is taken. */
static void
login_hangs(void)
{
	struct fixture f;
	struct hsm *hsm;
	struct hsm_key *key;
	uint8_t digest[SHA256_LEN] = { 3 }, rs[EC_RS_MAX];
	struct err err;
	int64_t begin;

	fixture_open(&f, "smki", shim);
	f.conf.timeout_ms = 300;
	hsm = fixture_hsm(&f);
	CHECK(hsm_key_generate(hsm, "k", EC_P256, &key, &err) == 0);
	fixture_control(&f, "hang-login 1");
	begin = clock_mono_ms();
	CHECK(hsm_sign(key, digest, sizeof(digest), rs, &err) != 0);
	CHECK(err.code == FAIL_UNAVAILABLE);
	CHECK(clock_mono_ms() - begin < 2000);
	/* Past the limit of a bring-up (2 s) its thread is given up; still no second login. */
	CHECK(fixture_wait(login_given_up, key, 20000));
	CHECK(login_given_up(key));
	CHECK(!hsm_is_lost(hsm));
	/* Nobody in this process can log in any more, so in the end it is lost. */
	CHECK(fixture_wait(is_lost, hsm, 30000));
	CHECK(login_given_up(key));
	CHECK(fixture_count(&f, "login") == 2);
	fixture_control(&f, "");
	CHECK(fixture_wait(signs, key, 20000));
	CHECK(fixture_count(&f, "login") <= 3);
	hsm_close(hsm);
	fixture_close(&f);
}

static const struct test_case cases[] = {
	{ "refused once", refused_once },
	{ "over a restart", other_process },
	{ "latches", latch_table },
	{ "latch folder", latch_folder },
	{ "refused while running", refused_while_running },
	{ "login hangs", login_hangs },
};

int
main(int argc, char **argv)
{
	if (fixture_module() == NULL)
		return FIXTURE_SKIP;
	if (argc < 3)
		return 2;
	shim = argv[2];
	return test_main(argc, argv, "pin", cases, ARRAY_LEN(cases));
}
