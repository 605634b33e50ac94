/*
 * Housekeeping. Everything here may wait, so it is one thread of its own; what it finds out it
 * leaves in struct httpd. It answers nobody.
 */
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "keeper.h"
#include "link.h"
#include "smki/clock.h"
#include "smki/crlgen.h"
#include "smki/mem.h"

/* The database's time is followed every second, the rest every fifth. */
#define KEEPER_TICK_MS 1000
#define KEEPER_SLOW_TICKS 5
/* How long smkid may take to say hello. */
#define KEEPER_HELLO_MS 1000

struct keeper {
	struct httpd *httpd;
	struct store *store; /* NULL = to be opened again */
	bool replaced;	     /* another file lies in the database's place, and is not read yet */
	bool unaged;	     /* not yet compared with the published lists */
	struct hsm *hsm;     /* NULL = token away so far */
	struct link_smkid link;
	int64_t event;	  /* newest event seen */
	int64_t accepted; /* newest acceptance of the clock seen */
	atomic_bool lost;
	pthread_mutex_t lock;
	pthread_cond_t changed; /* stopping, ended; on CLOCK_MONOTONIC */
	bool started, stopping, ended;
	pthread_t thread;
};

static int
keeper_open(struct keeper *k, struct err *err)
{
	char path[HOME_PATH_MAX];

	if (k->store != NULL && !store_is_moved(k->store))
		return 0;
	if (k->store != NULL) {
		store_close(k->store);
		k->store = NULL;
		k->replaced = true;
	}
	if (home_path(&k->httpd->home, HOME_DB, path, err) != 0)
		return -1;
	return store_open(path, STORE_READ, &k->store, err);
}

/* The newest times of the database. *news: something happened since the last look. */
static int
keeper_read(struct keeper *k, time_t *newest, bool *accepted, bool *news, struct err *err)
{
	int64_t event = 0, clock = 0;

	if (keeper_open(k, err) != 0)
		return -1;
	if (store_event_newest(k->store, &event, newest, err) != 0 ||
	    store_clock_accepted(k->store, &clock, err) != 0) {
		/* Perhaps another file lies there by now. */
		store_close(k->store);
		k->store = NULL;
		return -1;
	}
	/* In a restored database an older acceptance is no new one. */
	*news = event != k->event || k->replaced;
	*accepted = clock != k->accepted && !k->replaced;
	k->unaged |= k->replaced;
	k->replaced = false;
	k->event = event;
	k->accepted = clock;
	return 0;
}

/* A database older than the published lists says good of what was revoked since: a doubt. */
static int
keeper_age(struct keeper *k, struct err *err)
{
	const struct home *home = &k->httpd->home;
	struct caset *cas = NULL;
	char dir[HOME_PATH_MAX];
	int r = -1;

	if (home_path(home, HOME_CRL, dir, err) != 0 || caset_load(k->store, home, &cas, err) != 0)
		return -1;
	if (crlgen_check_age(dir, cas, k->store, err) == 0) {
		r = 0;
	} else if (err->code == FAIL_CONFLICT) {
		/* The health of the clock's part says it, once. */
		timeguard_doubt(k->httpd->guard, err->msg);
		r = 0;
	}
	caset_free(cas);
	return r;
}

/* *news as above; true when the database cannot be read either, so that all is looked at. */
static void
keeper_time(struct keeper *k, bool *news)
{
	struct httpd *httpd = k->httpd;
	time_t newest, now;
	bool accepted;
	struct err err = { 0 };

	*news = true;
	if (keeper_read(k, &newest, &accepted, news, &err) == 0 &&
	    (!k->unaged || keeper_age(k, &err) == 0)) {
		k->unaged = false;
		/* The administrator told smkid, whose word is the event. */
		if (accepted)
			timeguard_accept(httpd->guard);
		timeguard_note(httpd->guard, newest);
		httpd_set_part(httpd, PART_DATABASE, true, NULL);
	} else {
		httpd_set_part(httpd, PART_DATABASE, false, &err);
	}
	httpd_set_part(httpd, PART_CLOCK, timeguard_now(httpd->guard, &now, &err) == 0, &err);
}

static void
keeper_responder(struct keeper *k)
{
	struct responder *responder = atomic_load(&k->httpd->responder);
	struct err err = { 0 };
	bool ok;

	if (responder == NULL || k->store == NULL)
		return;
	ok = responder_reload(responder, k->store, &err) == 0 &&
	     responder_check(responder, clock_now(), &err) == 0;
	httpd_set_part(k->httpd, PART_RESPONDER, ok, &err);
}

/* Open the token and find the key; with both, load the responder certificates. */
static int
keeper_token_open(struct keeper *k, struct err *err)
{
	const struct home *home = &k->httpd->home;
	struct respond_conf conf = { .home = home, .guard = k->httpd->guard };
	struct responder *responder = NULL;
	struct hsm_key *key = NULL;

	if (keeper_open(k, err) != 0)
		return -1;
	if (k->hsm == NULL &&
	    hsm_open(&home_token(home, home->ocsp_token)->conf, &k->hsm, err) != 0)
		return -1;
	if (hsm_key_find(k->hsm, home->ocsp_key, &key, err) != 0)
		return -1;
	conf.signer = (struct signer){ .pub = *hsm_key_pub(key), .sign = hsm_sign, .ctx = key };
	if (responder_new(&conf, k->store, &responder, err) != 0)
		return -1;
	atomic_store(&k->httpd->responder, responder);
	return 0;
}

/* With no request to sign for, only a search for the key tells whether the token is there. */
static void
keeper_token(struct keeper *k)
{
	struct hsm_key *key;
	struct err err = { 0 };
	int rc;

	if (atomic_load(&k->httpd->responder) == NULL)
		rc = keeper_token_open(k, &err);
	else
		rc = hsm_key_find(k->hsm, k->httpd->home.ocsp_key, &key, &err);
	httpd_set_part(k->httpd, PART_TOKEN, rc == 0, &err);
	if (k->hsm != NULL && hsm_is_lost(k->hsm))
		atomic_store(&k->lost, true);
}

static void
keeper_smkid(struct keeper *k)
{
	struct err err = { 0 };

	httpd_set_part(
	    k->httpd, PART_SMKID, link_hello(&k->link, KEEPER_HELLO_MS, &err) == 0, &err);
}

static void
keeper_until(int64_t ms, struct timespec *out)
{
	clock_gettime(CLOCK_MONOTONIC, out);
	out->tv_sec += (time_t)(ms / 1000);
	out->tv_nsec += (long)(ms % 1000) * 1000000L;
	if (out->tv_nsec >= 1000000000L) {
		out->tv_sec++;
		out->tv_nsec -= 1000000000L;
	}
}

/* Waits for the next tick; false when it is time to end. */
static bool
keeper_wait(struct keeper *k)
{
	struct timespec until;
	bool go_on;

	keeper_until(KEEPER_TICK_MS, &until);
	pthread_mutex_lock(&k->lock);
	while (!k->stopping && pthread_cond_timedwait(&k->changed, &k->lock, &until) == 0)
		;
	go_on = !k->stopping;
	pthread_mutex_unlock(&k->lock);
	return go_on;
}

static void *
keeper_main(void *arg)
{
	struct keeper *k = arg;
	unsigned tick = 0;
	bool news = true;

	do {
		keeper_time(k, &news);
		if (news || tick == 0)
			keeper_responder(k);
		if (tick == 0) {
			keeper_token(k);
			keeper_smkid(k);
		}
		tick = (tick + 1) % KEEPER_SLOW_TICKS;
	} while (keeper_wait(k));
	pthread_mutex_lock(&k->lock);
	k->ended = true;
	pthread_cond_signal(&k->changed);
	pthread_mutex_unlock(&k->lock);
	return NULL;
}

/* At start: what is away may come back, what is wrong stays wrong. */
static int
keeper_first_token(struct keeper *k, struct err *err)
{
	if (keeper_token_open(k, err) == 0)
		return 0;
	if (err->code == FAIL_UNAVAILABLE || (err->code == FAIL_DENIED && k->hsm == NULL)) {
		httpd_set_part(k->httpd, PART_TOKEN, false, err);
		return 0;
	}
	return -1;
}

int
keeper_new(
    struct httpd *httpd, struct store *store, int front_fd, struct keeper **out, struct err *err)
{
	struct keeper *k = mem_alloc(sizeof(*k));
	pthread_condattr_t attr;
	bool news, accepted;
	time_t newest;

	k->httpd = httpd;
	k->store = store;
	k->link.fd = -1;
	pthread_mutex_init(&k->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&k->changed, &attr);
	pthread_condattr_destroy(&attr);
	if (link_init(&k->link, &httpd->home, front_fd, err) != 0 ||
	    keeper_read(k, &newest, &accepted, &news, err) != 0)
		goto failed;
	httpd->guard = timeguard_new(newest);
	if (keeper_age(k, err) != 0 || keeper_first_token(k, err) != 0)
		goto failed;
	*out = k;
	return 0;
failed:
	keeper_free(k);
	return -1;
}

int
keeper_start(struct keeper *k, struct err *err)
{
	if (pthread_create(&k->thread, NULL, keeper_main, k) != 0)
		return err_set(err, FAIL_UNAVAILABLE, "threads: cannot start one");
	k->started = true;
	return 0;
}

bool
keeper_lost(struct keeper *k)
{
	return atomic_load(&k->lost);
}

int
keeper_stop(struct keeper *k, int timeout_ms)
{
	struct timespec until;
	bool ended;

	if (!k->started)
		return 0;
	keeper_until(timeout_ms, &until);
	pthread_mutex_lock(&k->lock);
	k->stopping = true;
	pthread_cond_broadcast(&k->changed);
	while (!k->ended && pthread_cond_timedwait(&k->changed, &k->lock, &until) == 0)
		;
	ended = k->ended;
	pthread_mutex_unlock(&k->lock);
	if (!ended)
		return -1;
	pthread_join(k->thread, NULL);
	k->started = false;
	return 0;
}

void
keeper_free(struct keeper *k)
{
	if (k == NULL)
		return;
	link_close(&k->link);
	hsm_close(k->hsm);
	store_close(k->store);
	pthread_cond_destroy(&k->changed);
	pthread_mutex_destroy(&k->lock);
	free(k);
}
