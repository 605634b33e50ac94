/*
 * The token misbehaves, through the shim: taken away and given back, sessions lost, calls that
 * fail or never return. No wrong signature, no pile-up, no restart.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "../unit/test.h"
#include "fixture.h"
#include "smki/clock.h"
#include "smki/mem.h"
#include "smki/sign.h"

#define SIGNERS 8
/* A machine under load answers late; a wait that is not fast takes the whole timeout. */
#define FAST_MS 1500
/* Refused at once: in this time, but for the few of so many that meet a pause of the machine. */
#define ONCE_MS 200
#define ONCE_TRIES 20
#define ONCE_PAUSES 2

static const char *shim;

struct signers {
	struct hsm_key *key;
	unsigned n;
	pthread_t threads[SIGNERS];
	atomic_int stop;
	atomic_uint good, wrong, refused, odd;
	atomic_uint started, by[SIGNERS]; /* good ones, by each */
	atomic_long slowest_refusal;	  /* ms */
	unsigned next;			  /* for wait_* */
};

static void *
sign_on(void *arg)
{
	struct signers *s = arg;
	uint8_t digest[SHA256_LEN] = { 0 }, rs[EC_RS_MAX];
	struct timespec pause = { 0, 2000000 };
	unsigned i = 0, me = atomic_fetch_add(&s->started, 1);

	while (!atomic_load(&s->stop)) {
		struct err err;
		int64_t at = clock_mono_ms();

		memcpy(digest, &i, sizeof(i));
		i++;
		if (hsm_sign(s->key, digest, sizeof(digest), rs, &err) == 0) {
			atomic_fetch_add(
			    fixture_verify(hsm_key_pub(s->key), digest, rs) ? &s->good : &s->wrong,
			    1);
			atomic_fetch_add(&s->by[me], 1);
			continue;
		}
		at = clock_mono_ms() - at;
		if (at > atomic_load(&s->slowest_refusal))
			atomic_store(&s->slowest_refusal, at);
		if (atomic_fetch_add(err.code == FAIL_UNAVAILABLE ? &s->refused : &s->odd, 1) == 0)
			printf("    first refusal: %s\n", err.msg);
		nanosleep(&pause, NULL);
	}
	return NULL;
}

static void
signers_start(struct signers *s, struct hsm_key *key, unsigned n)
{
	memset(s, 0, sizeof(*s));
	s->key = key;
	s->n = n;
	for (unsigned i = 0; i < n; i++)
		CHECK(pthread_create(&s->threads[i], NULL, sign_on, s) == 0);
}

static void
signers_stop(struct signers *s)
{
	atomic_store(&s->stop, 1);
	for (unsigned i = 0; i < s->n; i++)
		pthread_join(s->threads[i], NULL);
}

static int
good_reached(void *arg)
{
	struct signers *s = arg;

	return atomic_load(&s->good) >= s->next;
}

static int
refused_reached(void *arg)
{
	struct signers *s = arg;

	return atomic_load(&s->refused) >= s->next;
}

/* Wait for n more. */
static int
wait_good(struct signers *s, unsigned n)
{
	s->next = atomic_load(&s->good) + n;
	return fixture_wait(good_reached, s, 30000);
}

static int
wait_refused(struct signers *s, unsigned n)
{
	s->next = atomic_load(&s->refused) + n;
	return fixture_wait(refused_reached, s, 30000);
}

static int
signs(void *arg)
{
	uint8_t digest[SHA256_LEN] = { 3 }, rs[EC_RS_MAX];
	struct err err;

	return hsm_sign(arg, digest, sizeof(digest), rs, &err) == 0 &&
	       fixture_verify(hsm_key_pub(arg), digest, rs);
}

struct each {
	struct signers *s;
	unsigned least[SIGNERS];
};

static int
each_reached(void *arg)
{
	struct each *each = arg;

	for (unsigned i = 0; i < each->s->n; i++)
		if (atomic_load(&each->s->by[i]) < each->least[i])
			return 0;
	return 1;
}

/* Wait for n more by each of them: one that the machine keeps waiting misses nothing. */
static int
wait_each(struct signers *s, unsigned n)
{
	struct each each = { .s = s };

	for (unsigned i = 0; i < s->n; i++)
		each.least[i] = atomic_load(&s->by[i]) + n;
	return fixture_wait(each_reached, &each, 30000);
}

/* One signature that must be refused as unavailable; how long it took. */
static int64_t
refused_ms(struct hsm_key *key)
{
	uint8_t digest[SHA256_LEN] = { 3 }, rs[EC_RS_MAX];
	struct err err = { 0 };
	int64_t at = clock_mono_ms();

	CHECK(hsm_sign(key, digest, sizeof(digest), rs, &err) != 0);
	CHECK(err.code == FAIL_UNAVAILABLE);
	return clock_mono_ms() - at;
}

static bool
refused_at_once(struct hsm_key *key)
{
	int late = 0;

	for (int i = 0; i < ONCE_TRIES; i++)
		late += refused_ms(key) >= ONCE_MS;
	return late <= ONCE_PAUSES;
}

static struct hsm *
start(struct fixture *f, long sessions, long timeout_ms, struct hsm_key **key)
{
	struct hsm *hsm;
	struct err err;

	fixture_open(f, "smki", shim);
	f->conf.sessions = sessions;
	f->conf.timeout_ms = timeout_ms;
	hsm = fixture_hsm(f);
	CHECK(hsm_key_generate(hsm, "k", EC_P256, key, &err) == 0);
	return hsm;
}

static void
away_and_back(void)
{
	struct fixture f;
	struct signers s;
	struct hsm_key *key;
	struct hsm *hsm = start(&f, 4, 10000, &key);

	signers_start(&s, key, SIGNERS);
	for (int round = 0; round < 3; round++) {
		CHECK(wait_good(&s, 100));
		CHECK(hsm_is_ready(hsm));
		fixture_control(&f, "away");
		CHECK(wait_refused(&s, 200));
		CHECK(!hsm_is_ready(hsm) && !hsm_is_lost(hsm));
		fixture_control(&f, "");
	}
	CHECK(wait_good(&s, 100));
	signers_stop(&s);
	CHECK(s.wrong == 0 && s.odd == 0);
	/* No refusal waited for the deadline. */
	CHECK(s.slowest_refusal < 5000);
	CHECK(hsm_is_ready(hsm) && !hsm_is_lost(hsm));
	hsm_close(hsm);
	fixture_close(&f);
}

/* A module that never sees its token again is begun anew, and not too often. */
static void
gone_and_back(void)
{
	struct fixture f;
	struct signers s;
	struct hsm_key *key, *same;
	struct hsm *hsm = start(&f, 4, 10000, &key);
	unsigned begun;
	struct err err;

	signers_start(&s, key, SIGNERS);
	for (int round = 0; round < 2; round++) {
		CHECK(wait_good(&s, 100));
		begun = fixture_count(&f, "init");
		fixture_control(&f, "gone");
		CHECK(wait_refused(&s, 100));
		fixture_control(&f, "");
		CHECK(wait_good(&s, 100));
		CHECK(fixture_count(&f, "init") > begun);
		CHECK(fixture_count(&f, "init") <= begun + 2);
	}
	signers_stop(&s);
	CHECK(s.wrong == 0 && s.odd == 0);
	CHECK(s.slowest_refusal < 5000);
	CHECK(hsm_key_find(hsm, "k", &same, &err) == 0 && same == key);
	/* One that is soon back needs it not. */
	begun = fixture_count(&f, "init");
	fixture_control(&f, "away");
	CHECK(refused_ms(key) < FAST_MS);
	fixture_control(&f, "");
	CHECK(fixture_wait(signs, key, 20000));
	CHECK(fixture_count(&f, "init") == begun);
	hsm_close(hsm);
	fixture_close(&f);
}

static int
restart_hangs_said(void *arg)
{
	uint8_t digest[SHA256_LEN] = { 3 }, rs[EC_RS_MAX];
	struct err err = { 0 };

	return hsm_sign(arg, digest, sizeof(digest), rs, &err) != 0 &&
	       strstr(err.msg, "does not come back") != NULL;
}

/* Beginning the module anew hangs: nobody calls it meanwhile, askers leave in time. */
static void
restart_hangs(void)
{
	struct fixture f;
	struct hsm_key *key;
	struct hsm *hsm = start(&f, 2, 300, &key);

	fixture_control(&f, "gone");
	CHECK(refused_ms(key) < FAST_MS);
	fixture_control(&f, "hang-init");
	CHECK(fixture_wait(restart_hangs_said, key, 20000));
	CHECK(refused_at_once(key));
	fixture_control(&f, "");
	CHECK(fixture_wait(signs, key, 20000));
	CHECK(!hsm_is_lost(hsm));
	hsm_close(hsm);
	fixture_close(&f);
}

static int
refuses(void *arg)
{
	return !signs(arg);
}

/* SoftHSM's folder moved away and back: sessions stay open on a token without objects. */
static void
folder_moved(void)
{
	struct fixture f;
	struct hsm_key *key, *other;
	struct hsm *hsm;
	struct err err;
	char here[256], there[256];

	fixture_open(&f, "smki", NULL);
	snprintf(here, sizeof(here), "%s/tokens", f.dir);
	snprintf(there, sizeof(there), "%s/away", f.dir);
	hsm = fixture_hsm(&f);
	CHECK(hsm_key_generate(hsm, "k", EC_P256, &key, &err) == 0);
	CHECK(signs(key));
	CHECK(rename(here, there) == 0);
	/* It is looked at now and then only. */
	CHECK(fixture_wait(refuses, key, 20000));
	CHECK(hsm_key_find(hsm, "k", &other, &err) != 0 && err.code == FAIL_UNAVAILABLE);
	CHECK(!hsm_is_ready(hsm) && !hsm_is_lost(hsm));
	CHECK(rename(there, here) == 0);
	CHECK(fixture_wait(signs, key, 30000));
	CHECK(hsm_is_ready(hsm));
	/* A key that was never there is no lost token. */
	CHECK(hsm_key_find(hsm, "other", &other, &err) != 0 && err.code == FAIL_NOT_FOUND);
	CHECK(signs(key));
	hsm_close(hsm);
	fixture_close(&f);
}

/* Losses that a retry mends are not seen by the askers at all. Each comes while nobody asks: one that
 * met a bring-up after the one before would be its second in a row, and that is told. */
static void
chaos(void)
{
	static const char *const words[] = { "drop-sessions", "open-error", "sign-error" };
	struct fixture f;
	struct signers s;
	struct hsm_key *key;
	struct hsm *hsm = start(&f, 4, 10000, &key);
	unsigned opens = fixture_count(&f, "open");

	for (int i = 1; i <= 20; i++) {
		char word[64];

		snprintf(word, sizeof(word), "%s %d", words[(size_t)i % ARRAY_LEN(words)], i);
		fixture_control(&f, word);
		signers_start(&s, key, 4);
		CHECK(wait_each(&s, 10));
		signers_stop(&s);
		CHECK_ROW(word, s.wrong == 0 && s.refused == 0 && s.odd == 0);
	}
	/* It did happen. */
	CHECK(fixture_count(&f, "open") >= opens + 20);
	hsm_close(hsm);
	fixture_close(&f);
}

static void
sign_fails(void)
{
	struct fixture f;
	struct hsm_key *key;
	struct hsm *hsm = start(&f, 1, 5000, &key);
	struct signer signer = { .pub = *hsm_key_pub(key), .sign = hsm_sign, .ctx = key };
	uint8_t digest[SHA256_LEN] = { 9 };
	struct buf sig = { 0 };
	struct err err;
	unsigned before;

	/* Failed before it reached the token: the operation stays active in that session. */
	fixture_control(&f, "sign-error 1");
	CHECK(signs(key));
	before = fixture_count(&f, "sign");
	fixture_control(&f, "sign-always");
	CHECK(refused_ms(key) < FAST_MS);
	CHECK(fixture_count(&f, "sign") == before + 4);
	CHECK(!hsm_is_ready(hsm));
	fixture_control(&f, "sign-short");
	CHECK(refused_ms(key) < FAST_MS);
	fixture_control(&f, "sign-garbage");
	CHECK(sign_digest(&signer, digest, sizeof(digest), &sig, &err) != 0);
	CHECK(err.code == FAIL_UNAVAILABLE && sig.len == 0);
	fixture_control(&f, "");
	CHECK(sign_digest(&signer, digest, sizeof(digest), &sig, &err) == 0);
	CHECK(signs(key) && hsm_is_ready(hsm));
	buf_free(&sig);
	hsm_close(hsm);
	fixture_close(&f);
}

/* A token that allows fewer sessions than configured serves all askers with those. */
static void
few_sessions(void)
{
	struct fixture f;
	struct signers s;
	struct hsm_key *key;
	struct hsm *hsm = start(&f, 4, 10000, &key);

	fixture_control(&f, "few-sessions 1");
	signers_start(&s, key, SIGNERS);
	CHECK(wait_good(&s, 400));
	signers_stop(&s);
	CHECK(s.wrong == 0 && s.refused == 0 && s.odd == 0);
	hsm_close(hsm);
	fixture_close(&f);
}

static void
weak_keys(void)
{
	struct fixture f;
	struct hsm_key *key, *other = NULL;
	struct hsm *hsm = start(&f, 1, 5000, &key);
	struct err err;

	fixture_control(&f, "weak-keys");
	CHECK(hsm_key_generate(hsm, "weak", EC_P256, &other, &err) != 0);
	CHECK(err.code == FAIL_DENIED && strstr(err.msg, "CKA_EXTRACTABLE") != NULL);
	CHECK(raw_count_keys(&f.conf, "weak") == 0);
	fixture_control(&f, "");
	CHECK(hsm_key_generate(hsm, "weak", EC_P256, &other, &err) == 0);
	hsm_close(hsm);
	fixture_close(&f);
}

static int
not_lost(void *arg)
{
	return !hsm_is_lost(arg);
}

/* A call that never returns: the asker leaves in time, the thread is replaced. */
static void
hang_replaced(void)
{
	struct fixture f;
	struct hsm_key *key;
	struct hsm *hsm = start(&f, 1, 400, &key);
	int64_t ms;

	for (int i = 1; i <= HSM_ABANDONED_MAX; i++) {
		char word[32];

		snprintf(word, sizeof(word), "hang-once %d", i);
		fixture_control(&f, word);
		ms = refused_ms(key);
		CHECK(ms >= 400 && ms < 400 + FAST_MS);
		/* The new thread works; the shim lets the old one go with the next word. */
		CHECK(fixture_wait(signs, key, 20000));
		CHECK(!hsm_is_lost(hsm));
	}
	fixture_control(&f, "");
	CHECK(fixture_wait(signs, key, 20000));
	hsm_close(hsm);
	fixture_close(&f);
}

struct asked {
	struct hsm *hsm;
	struct hsm_key *key;
};

/* One more is asked for in vain, and perhaps one more thread is stuck. */
static int
lost_by_asking(void *arg)
{
	const struct asked *asked = arg;

	CHECK(refused_ms(asked->key) < 200 + FAST_MS);
	return hsm_is_lost(asked->hsm);
}

static void
hang_lost(void)
{
	struct fixture f;
	struct hsm_key *key;
	struct hsm *hsm = start(&f, 1, 200, &key);
	struct asked asked = { hsm, key };

	fixture_control(&f, "hang");
	for (int i = 0; i < HSM_ABANDONED_MAX; i++) {
		CHECK(refused_ms(key) < 200 + FAST_MS);
		CHECK(!hsm_is_lost(hsm));
	}
	CHECK(fixture_wait(lost_by_asking, &asked, 20000));
	/* Nobody is left to ask. */
	CHECK(refused_at_once(key));
	/* They do come back here, which a real one would not wait for. */
	fixture_control(&f, "");
	CHECK(fixture_wait(not_lost, hsm, 20000));
	CHECK(fixture_wait(signs, key, 20000));
	hsm_close(hsm);
	fixture_close(&f);
}

static int
module_is_free(void *arg)
{
	const struct fixture *f = arg;
	struct token_module *module = NULL;
	struct err err;

	/* Another configuration is taken only when nobody has the module open. */
	if (token_module_open(f->conf.module, "/nowhere/other.conf", &module, &err) == 0) {
		token_module_close(module);
		return 1;
	}
	return err.code != FAIL_CONFLICT;
}

/* Closing does not wait for a thread that hangs; what it holds goes when it comes back. */
static void
close_leaves_behind(void)
{
	struct fixture f;
	struct hsm_key *key;
	struct hsm *hsm = start(&f, 2, 300, &key);
	int64_t at;

	fixture_control(&f, "hang");
	CHECK(refused_ms(key) < 300 + FAST_MS);
	at = clock_mono_ms();
	hsm_close(hsm);
	CHECK(clock_mono_ms() - at < FAST_MS);
	CHECK(!module_is_free(&f));
	/* The same token can be opened beside it. */
	hsm = fixture_hsm(&f);
	fixture_control(&f, "");
	hsm_close(hsm);
	CHECK(fixture_wait(module_is_free, &f, 20000));
	fixture_close(&f);
}

/* A slow token and more askers than sessions: late ones are refused at their deadline. */
static void
slow_queue(void)
{
	struct fixture f;
	struct signers s;
	struct hsm_key *key;
	struct hsm *hsm = start(&f, 1, 300, &key);

	fixture_control(&f, "slow 100");
	signers_start(&s, key, SIGNERS);
	CHECK(wait_refused(&s, 60));
	signers_stop(&s);
	/* Ten a second can be served and are, near enough; some 25 are refused meanwhile. */
	CHECK(s.good >= s.refused / 6);
	CHECK(s.wrong == 0 && s.odd == 0);
	CHECK(s.slowest_refusal < 300 + FAST_MS);
	CHECK(!hsm_is_lost(hsm));
	fixture_control(&f, "");
	CHECK(fixture_wait(signs, key, 20000));
	hsm_close(hsm);
	fixture_close(&f);
}

/* C_OpenSession hangs after a loss: first askers leave in time, later ones are refused at once. */
static void
bring_up_hangs(void)
{
	struct fixture f;
	struct hsm_key *key;
	struct hsm *hsm = start(&f, 2, 300, &key);
	int64_t end = clock_mono_ms() + 20000, ms = 0;

	fixture_control(&f, "away");
	CHECK(refused_ms(key) < FAST_MS);
	fixture_control(&f, "hang-open");
	/* Until one has waited for it in vain; the bring-up's own limit is 2 s. */
	while (ms < 300 && clock_mono_ms() < end)
		ms = refused_ms(key);
	CHECK(ms >= 300 && ms < 300 + FAST_MS);
	CHECK(refused_at_once(key));
	fixture_control(&f, "");
	CHECK(fixture_wait(signs, key, 20000));
	hsm_close(hsm);
	fixture_close(&f);
}

static const struct test_case cases[] = {
	{ "away and back", away_and_back },
	{ "gone and back", gone_and_back },
	{ "folder moved away and back", folder_moved },
	{ "hanging restart", restart_hangs },
	{ "chaos", chaos },
	{ "signing fails", sign_fails },
	{ "few sessions", few_sessions },
	{ "weak keys", weak_keys },
	{ "hanging call is replaced", hang_replaced },
	{ "hanging calls end the process", hang_lost },
	{ "close leaves a hanging call behind", close_leaves_behind },
	{ "slow token", slow_queue },
	{ "hanging bring-up", bring_up_hangs },
};

int
main(int argc, char **argv)
{
	if (fixture_module() == NULL)
		return FIXTURE_SKIP;
	if (argc < 3)
		return 2;
	shim = argv[2];
	return test_main(argc, argv, "loss", cases, ARRAY_LEN(cases));
}
