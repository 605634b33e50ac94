/*
 * Housekeeping. Everything here may wait, so it is one thread of its own; what it finds out it
 * leaves in struct httpd. It answers nobody.
 */
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "ask.h"
#include "front_data.h"
#include "keeper.h"
#include "smki/clock.h"
#include "smki/crlgen.h"
#include "smki/log.h"
#include "smki/mem.h"

/* The database's time is followed every tick, the rest every fifth. */
#define KEEPER_SLOW_TICKS 5
/* The listener's certificate is looked for every minute (of ticks of KEEPER_TICK_MS). */
#define KEEPER_TLS_TICKS 60
/* How long smkid may take to say hello. */
#define KEEPER_HELLO_MS 1000

struct keeper {
	struct httpd *httpd;
	struct store *store; /* NULL = to be opened again */
	bool replaced;	     /* another file lies in the database's place, and is not read yet */
	bool unaged;	     /* not yet compared with the published lists */
	bool suspect;	     /* could not be read: what is read next may be another's octets */
	bool accept;	     /* the clock was accepted, and that did not count yet */
	struct hsm *hsm;     /* NULL = token away so far */
	struct link *link;   /* lent */
	struct tls *tls;     /* lent; NULL = no TLS listener */
	struct statuspage **pages; /* taken out of use; answers may still look into them */
	size_t n_pages;
	int64_t event;	  /* newest event seen */
	int64_t accepted; /* newest acceptance of the clock seen */
	atomic_bool lost;
	pthread_mutex_t lock;
	pthread_cond_t changed; /* stopping, ended; on CLOCK_MONOTONIC */
	bool started, stopping, ended;
	int tick_ms;
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
		k->suspect = true;
		return -1;
	}
	/* Events are never taken back: an older copy's octets in the same file. */
	k->replaced |= event < k->event;
	*news = event != k->event || k->replaced || k->suspect;
	/* In a restored database an older acceptance is no new one. */
	*accepted = !k->replaced && (k->suspect ? clock > k->accepted : clock != k->accepted);
	k->unaged |= k->replaced || k->suspect;
	/* One that did not count yet was of the database before. */
	if (k->replaced)
		k->accept = false;
	if ((k->replaced || k->suspect) && k->httpd->cache != NULL)
		ocspcache_flush(k->httpd->cache);
	k->replaced = k->suspect = false;
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

/* After a good read: the age is looked at when it is to be, an acceptance is kept until then. */
static int
keeper_aged(struct keeper *k, bool accepted, struct err *err)
{
	k->accept |= accepted;
	if (k->unaged && keeper_age(k, err) != 0)
		return -1;
	k->unaged = false;
	return 0;
}

static void
keeper_clock(struct keeper *k)
{
	struct err err = { 0 };
	time_t now;

	httpd_set_part(k->httpd, PART_CLOCK, timeguard_now(k->httpd->guard, &now, &err) == 0, &err);
}

/* *news as above; true when the database cannot be read either, so that all is looked at. */
static void
keeper_time(struct keeper *k, bool *news)
{
	struct httpd *httpd = k->httpd;
	time_t newest;
	bool accepted;
	struct err err = { 0 };

	*news = true;
	if (keeper_read(k, &newest, &accepted, news, &err) == 0 &&
	    keeper_aged(k, accepted, &err) == 0) {
		/* The administrator told smkid, whose word is the event. */
		if (k->accept)
			timeguard_accept(httpd->guard);
		k->accept = false;
		timeguard_note(httpd->guard, newest);
		httpd_set_part(httpd, PART_DATABASE, true, NULL);
	} else {
		httpd_set_part(httpd, PART_DATABASE, false, &err);
	}
	keeper_clock(k);
}

/* The page that tells the cache of changes: smkid makes it at its first start, and keeps it. */
static void
keeper_page(struct keeper *k)
{
	struct httpd *httpd = k->httpd;
	struct statuspage *page = atomic_load(&httpd->page), *next = NULL;
	char path[HOME_PATH_MAX];
	struct err err;

	if (httpd->cache == NULL || (page != NULL && !statuspage_is_moved(page)))
		return;
	/* Without a page the cache is not asked; what it holds may be untrue by the next one. */
	if (page != NULL) {
		atomic_store(&httpd->page, NULL);
		k->pages = mem_resize(k->pages, k->n_pages + 1, sizeof(struct statuspage *));
		k->pages[k->n_pages++] = page;
	}
	if (home_path(&httpd->home, HOME_STATUS, path, &err) != 0 ||
	    statuspage_open(path, &next, &err) != 0)
		return;
	ocspcache_flush(httpd->cache);
	atomic_store(&httpd->page, next);
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
	struct respond_conf conf = {
		.home = home, .guard = k->httpd->guard, .cache = k->httpd->cache
	};
	struct responder *responder = NULL;
	struct hsm_key *key = NULL;

	if (keeper_open(k, err) != 0)
		return -1;
	if (k->hsm == NULL &&
	    hsm_open(&home_token(home, home->ocsp_token)->conf, &k->hsm, err) != 0)
		return -1;
	if (hsm_key_find(k->hsm, home->ocsp_key, &key, err) != 0)
		return -1;
	conf.signer = (struct signer){ .pub = *hsm_key_pub(key),
		.sign = hsm_sign,
		.ctx = key,
		.begin = hsm_sign_begin,
		.end = hsm_sign_end };
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

/* smkid renews the listener's certificate in the database; an operator may put other files. */
static void
keeper_tls(struct keeper *k)
{
	struct caset *cas = NULL;
	bool changed = false;
	struct err err = { 0 };

	if (k->tls == NULL || k->store == NULL)
		return;
	if (caset_load(k->store, &k->httpd->home, &cas, &err) != 0 ||
	    tls_look(k->tls, k->store, cas, clock_now(), &changed, &err) != 0)
		httpd_say(k->httpd, &err);
	else if (changed)
		log_info("tls: another certificate is in use");
	atomic_store(&k->httpd->counters.tls_not_after, (long long)tls_not_after(k->tls));
	caset_free(cas);
}

static void
keeper_smkid(struct keeper *k)
{
	struct err err = { 0 };

	httpd_set_part(k->httpd, PART_SMKID, link_hello(k->link, KEEPER_HELLO_MS, &err) == 0, &err);
}

/* Manufacturers, regions and profiles may have changed. What is wrong leaves what was. */
static void
keeper_policies(struct keeper *k)
{
	bool changed = false;
	struct err err;

	if (k->httpd->data == NULL)
		return;
	if (front_data_reload(k->httpd->data, &changed, &err) != 0)
		httpd_say(k->httpd, &err);
	else if (changed)
		log_info("policies=reloaded");
}

/* Waits for the next tick; false when it is time to end. */
static bool
keeper_wait(struct keeper *k)
{
	struct timespec until = clock_mono_after(k->tick_ms);
	bool go_on;

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
		keeper_page(k);
		keeper_time(k, &news);
		if (news || tick % KEEPER_SLOW_TICKS == 0)
			keeper_responder(k);
		if (tick % KEEPER_TLS_TICKS == 0)
			keeper_tls(k);
		if (tick % KEEPER_SLOW_TICKS == 0) {
			keeper_token(k);
			keeper_smkid(k);
			keeper_policies(k);
			ask_tell_refused(k->httpd, k->link);
		}
		tick++;
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
keeper_new(struct httpd *httpd, struct store *store, struct link *link, struct tls *tls,
    struct keeper **out, struct err *err)
{
	struct keeper *k = mem_alloc(sizeof(*k));
	bool news, accepted;
	time_t newest;

	k->httpd = httpd;
	k->store = store;
	k->link = link;
	k->tls = tls;
	pthread_mutex_init(&k->lock, NULL);
	clock_cond_init(&k->changed);
	if (keeper_read(k, &newest, &accepted, &news, err) != 0)
		goto failed;
	httpd->guard = timeguard_new(newest);
	if (keeper_age(k, err) != 0 || keeper_first_token(k, err) != 0)
		goto failed;
	keeper_clock(k); /* before anybody asks for the health */
	*out = k;
	return 0;
failed:
	keeper_free(k);
	return -1;
}

int
keeper_start(struct keeper *k, int tick_ms, struct err *err)
{
	k->tick_ms = tick_ms;
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
	struct timespec until = clock_mono_after(timeout_ms);
	bool ended;

	if (!k->started)
		return 0;
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
	hsm_close(k->hsm);
	store_close(k->store);
	for (size_t i = 0; i < k->n_pages; i++)
		statuspage_close(k->pages[i]);
	free(k->pages);
	pthread_cond_destroy(&k->changed);
	pthread_mutex_destroy(&k->lock);
	free(k);
}
