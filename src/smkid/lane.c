/*
 * Lanes: one for each token of the issuing CAs and the access keys. The set of CAs never changes after the start;
 * what a token's coming and going changes is in here, behind an atomic flag and a lock.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lane.h"
#include "smki/clock.h"
#include "smki/eckey.h"
#include "smki/log.h"
#include "smki/mem.h"

#define LANE_RETRY_FIRST_MS 1000
#define LANE_RETRY_MAX_MS 10000
/* Access keys of one run: those recorded and as many new ones. */
#define LANE_ACCESS_MAX (2 * STORE_ACCESS_KEYS_MAX)

struct lane_key {
	struct lane *lane;
	const struct ca *ca;
	struct signer signer; /* the token's; set before lane->open */
};

struct lane {
	const struct home_token *token;
	struct hsm *hsm;  /* set before open */
	atomic_bool open; /* never goes back: the pool behind hsm finds a lost token itself */
	pthread_mutex_t lock;
	struct err why; /* while not open; under lock */
	int64_t retry_at_ms, retry_ms;
	size_t n;
	struct lane_key key[STORE_CAS_MAX];
};

struct lane_access {
	char label[HSM_LABEL_MAX + 1];
	struct signer signer;
};

struct lanes {
	const struct home *home;
	size_t n;
	struct lane lane[HOME_TOKENS_MAX];
	struct lane *access; /* of the access keys; NULL = there is no token for them */
	pthread_mutex_t lock;
	size_t n_keys; /* of access keys that are on their token; under lock */
	struct lane_access key[LANE_ACCESS_MAX];
};

static int
lane_why(struct lane *lane, struct err *err)
{
	if (err == NULL)
		return -1;
	pthread_mutex_lock(&lane->lock);
	*err = lane->why;
	pthread_mutex_unlock(&lane->lock);
	/* The request is not to blame for what is wrong with the token or its PIN file. */
	if (err->code != FAIL_DENIED)
		err->code = FAIL_UNAVAILABLE;
	return -1;
}

/* struct signer's sign with ctx = struct lane_key. */
static int
lane_sign(void *ctx, const uint8_t *digest, size_t len, uint8_t *rs, struct err *err)
{
	struct lane_key *key = ctx;

	if (!atomic_load_explicit(&key->lane->open, memory_order_acquire))
		return lane_why(key->lane, err);
	return key->signer.sign(key->signer.ctx, digest, len, rs, err);
}

/* Its begin; what is begun is the token's, whose end needs no lane. */
static int
lane_sign_begin(void *ctx, const uint8_t *digest, size_t len, void **pending, struct err *err)
{
	struct lane_key *key = ctx;

	if (!atomic_load_explicit(&key->lane->open, memory_order_acquire))
		return lane_why(key->lane, err);
	return key->signer.begin(key->signer.ctx, digest, len, pending, err);
}

static struct lane *
lanes_find(struct lanes *lanes, const char *token)
{
	for (size_t i = 0; i < lanes->n; i++)
		if (strcmp(lanes->lane[i].token->name, token) == 0)
			return &lanes->lane[i];
	return NULL;
}

/* The lane of a token, which smki.conf has; made when it is the first on it. */
static struct lane *
lanes_get(struct lanes *lanes, const char *token)
{
	struct lane *lane = lanes_find(lanes, token);

	if (lane != NULL)
		return lane;
	require(lanes->n < HOME_TOKENS_MAX);
	lane = &lanes->lane[lanes->n++];
	lane->token = home_token(lanes->home, token);
	require(lane->token != NULL);
	lane->retry_ms = LANE_RETRY_FIRST_MS;
	require(pthread_mutex_init(&lane->lock, NULL) == 0);
	return lane;
}

static void
lanes_add(struct lanes *lanes, struct ca *ca, const struct home_ca *where)
{
	struct lane *lane = lanes_get(lanes, where->token);
	struct lane_key *key;

	key = &lane->key[lane->n++];
	key->lane = lane;
	key->ca = ca;
	ca->signer = (struct signer){ .pub = ca->cert.pub,
		.sign = lane_sign,
		.ctx = key,
		.begin = lane_sign_begin,
		.end = hsm_sign_end };
	ca->has_key = true;
}

/* ---- access keys ---- */

/* Keep a key that its token has. Found again: nothing new. */
static int
lanes_access_keep(
    struct lanes *lanes, const char *label, const struct signer *signer, struct err *err)
{
	struct lane_access *key;
	size_t i;
	int r = 0;

	pthread_mutex_lock(&lanes->lock);
	for (i = 0; i < lanes->n_keys && strcmp(lanes->key[i].label, label) != 0; i++)
		;
	if (i == LANE_ACCESS_MAX) {
		r = err_set(err, FAIL_LIMIT,
		    "access key %s: over %d in one run of smkid; start it anew", label,
		    LANE_ACCESS_MAX);
	} else if (i == lanes->n_keys) {
		key = &lanes->key[lanes->n_keys++];
		snprintf(key->label, sizeof(key->label), "%s", label);
		key->signer = *signer;
	}
	pthread_mutex_unlock(&lanes->lock);
	return r;
}

static int
lanes_access_find(struct lanes *lanes, struct hsm *hsm, const char *label, const struct ec_pub *pub,
    struct err *err)
{
	struct hsm_key *found;
	struct signer signer;

	if (hsm_key_find(hsm, label, &found, err) != 0)
		return -1;
	signer = (struct signer){ .pub = *hsm_key_pub(found), .sign = hsm_sign, .ctx = found };
	if (!ec_pub_eq(&signer.pub, pub))
		return err_set(err, FAIL_CONFLICT,
		    "token %s: key %s: is not the access key that is recorded",
		    lanes->access->token->conf.token, label);
	return lanes_access_keep(lanes, label, &signer, err);
}

/* The recorded keys; what is wrong with one of them is told and leaves it out. */
static int
lanes_access_load(struct lanes *lanes, struct hsm *hsm, struct store *reader, struct err *err)
{
	struct store_access_key keys[STORE_ACCESS_KEYS_MAX];
	size_t n = 0;

	if (store_access_key_list(reader, keys, &n, err) != 0)
		return -1;
	/* Of a bring-up that failed half-way: nobody has them, as the lane is not open yet. */
	pthread_mutex_lock(&lanes->lock);
	lanes->n_keys = 0;
	pthread_mutex_unlock(&lanes->lock);
	for (size_t i = 0; i < n; i++) {
		if (lanes_access_find(lanes, hsm, keys[i].label, &keys[i].pub, err) == 0)
			continue;
		if (err->code == FAIL_UNAVAILABLE)
			return -1;
		log_error("access key %s: left out: %s", keys[i].label, err->msg);
	}
	return 0;
}

int
lanes_access_signer(void *ctx, const char *label, struct signer *out, struct err *err)
{
	struct lanes *lanes = ctx;
	int r = -1;

	if (lanes->access == NULL)
		return err_set(err, FAIL_NOT_FOUND,
		    "access: " HOME_CONF " names no token for its keys: [access] token");
	if (!atomic_load_explicit(&lanes->access->open, memory_order_acquire))
		return lane_why(lanes->access, err);
	pthread_mutex_lock(&lanes->lock);
	for (size_t i = 0; i < lanes->n_keys && r != 0; i++)
		if (strcmp(lanes->key[i].label, label) == 0) {
			*out = lanes->key[i].signer;
			r = 0;
		}
	pthread_mutex_unlock(&lanes->lock);
	if (r != 0)
		err_set(err, FAIL_NOT_FOUND, "access key %s: is not on token %s", label,
		    lanes->access->token->conf.token);
	return r;
}

int
lanes_access_add(struct lanes *lanes, const char *label, const struct ec_pub *pub, struct err *err)
{
	if (lanes->access == NULL)
		return err_set(err, FAIL_INVALID,
		    "access: " HOME_CONF " names no token for its keys: [access] token");
	if (!atomic_load_explicit(&lanes->access->open, memory_order_acquire))
		return lane_why(lanes->access, err);
	return lanes_access_find(lanes, lanes->access->hsm, label, pub, err);
}

/* ---- opening ---- */

/* Find each CA's key through a set of its own: the shared one is being used meanwhile. */
static int
lane_bind(
    struct lanes *lanes, struct lane *lane, struct hsm *hsm, struct store *reader, struct err *err)
{
	struct caset *found = NULL;
	const struct ca *ca;
	int r = -1;

	if (caset_load(reader, lanes->home, &found, err) != 0 ||
	    caset_bind(found, lanes->home, lane->token->name, hsm, err) != 0)
		goto out;
	for (size_t i = 0; i < lane->n; i++) {
		ca = caset_by_id(found, lane->key[i].ca->id);
		if (ca == NULL || !ca->has_key) {
			err_set(err, FAIL_INTERNAL, "ca %s: its key was not bound",
			    lane->key[i].ca->name);
			goto out;
		}
		lane->key[i].signer = ca->signer;
	}
	if (lane == lanes->access && lanes_access_load(lanes, hsm, reader, err) != 0)
		goto out;
	r = 0;
out:
	caset_free(found);
	return r;
}

/* -1 with *away true: the token may come back; false: what is on it is wrong. */
static int
lane_open(struct lanes *lanes, struct lane *lane, struct store *reader, bool *away, struct err *err)
{
	struct hsm *hsm = NULL;

	*away = true;
	if (hsm_open(&lane->token->conf, &hsm, err) != 0)
		return -1;
	if (lane_bind(lanes, lane, hsm, reader, err) != 0) {
		*away = err->code == FAIL_UNAVAILABLE;
		hsm_close(hsm);
		return -1;
	}
	lane->hsm = hsm;
	atomic_store_explicit(&lane->open, true, memory_order_release);
	return 0;
}

/* Remember why, and say it once for each cause. */
static void
lane_failed(struct lane *lane, const struct err *err)
{
	bool news;

	pthread_mutex_lock(&lane->lock);
	news = strcmp(lane->why.msg, err->msg) != 0;
	lane->why = *err;
	pthread_mutex_unlock(&lane->lock);
	if (news)
		log_error("%s", err->msg);
	lane->retry_at_ms = clock_mono_ms() + lane->retry_ms;
	lane->retry_ms *= 2;
	if (lane->retry_ms > LANE_RETRY_MAX_MS)
		lane->retry_ms = LANE_RETRY_MAX_MS;
}

int
lanes_open(const struct home *home, struct caset *cas, struct store *reader, struct lanes **out,
    struct err *err)
{
	struct lanes *lanes = mem_alloc(sizeof(*lanes));
	const struct home_ca *where;
	bool away = false;
	int r = -1;

	lanes->home = home;
	require(pthread_mutex_init(&lanes->lock, NULL) == 0);
	for (size_t i = 0; i < cas->n; i++) {
		/* A root signs in ceremony verbs only, wherever its key is. */
		if (cas->ca[i].root)
			continue;
		where = home_ca(home, cas->ca[i].name);
		if (where == NULL)
			log_warn("ca %s: smki.conf has no [ca %s]: it signs nothing here",
			    cas->ca[i].name, cas->ca[i].name);
		else
			lanes_add(lanes, &cas->ca[i], where);
	}
	if (home->access.token[0] != '\0')
		lanes->access = lanes_get(lanes, home->access.token);
	for (size_t i = 0; i < lanes->n; i++) {
		if (lane_open(lanes, &lanes->lane[i], reader, &away, err) == 0)
			continue;
		if (!away)
			goto out;
		lane_failed(&lanes->lane[i], err);
	}
	*out = lanes;
	lanes = NULL;
	r = 0;
out:
	lanes_close(lanes);
	return r;
}

void
lanes_close(struct lanes *lanes)
{
	if (lanes == NULL)
		return;
	for (size_t i = 0; i < lanes->n; i++) {
		hsm_close(lanes->lane[i].hsm);
		pthread_mutex_destroy(&lanes->lane[i].lock);
	}
	pthread_mutex_destroy(&lanes->lock);
	free(lanes);
}

void
lanes_retry(struct lanes *lanes, struct store *reader)
{
	struct lane *lane;
	struct err err;
	bool away;

	for (size_t i = 0; i < lanes->n; i++) {
		lane = &lanes->lane[i];
		if (atomic_load(&lane->open) || clock_mono_ms() < lane->retry_at_ms)
			continue;
		if (lane_open(lanes, lane, reader, &away, &err) != 0)
			lane_failed(lane, &err);
		else
			log_info("token %s: is here", lane->token->conf.token);
	}
}

size_t
lanes_sessions(const struct lanes *lanes)
{
	size_t n = 0;

	for (size_t i = 0; i < lanes->n; i++)
		n += (size_t)lanes->lane[i].token->conf.sessions;
	return n > 0 ? n : 1;
}

int
lanes_check(struct lanes *lanes, const struct ca *ca, struct err *err)
{
	for (size_t i = 0; i < lanes->n; i++)
		for (size_t k = 0; k < lanes->lane[i].n; k++)
			if (lanes->lane[i].key[k].ca == ca)
				return atomic_load(&lanes->lane[i].open)
					   ? 0
					   : lane_why(&lanes->lane[i], err);
	return err_set(err, FAIL_UNAVAILABLE, "ca %s: its key is not here", ca->name);
}

int
lanes_ready(struct lanes *lanes, struct err *err)
{
	for (size_t i = 0; i < lanes->n; i++) {
		if (!atomic_load(&lanes->lane[i].open))
			return lane_why(&lanes->lane[i], err);
		if (!hsm_is_ready(lanes->lane[i].hsm))
			return err_set(err, FAIL_UNAVAILABLE, "token %s: does not answer",
			    lanes->lane[i].token->conf.token);
	}
	return 0;
}

int
lanes_lost(struct lanes *lanes)
{
	for (size_t i = 0; i < lanes->n; i++)
		if (atomic_load(&lanes->lane[i].open) && hsm_is_lost(lanes->lane[i].hsm))
			return 1;
	return 0;
}
