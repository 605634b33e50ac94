/*
 * Signing keys on a PKCS#11 token: the public face over the pool (threads, deadlines), the
 * session (PKCS#11) and the module's loader (libp11). It keeps the keys that were found, and no
 * vendor's header.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "hsm_pool.h"
#include "smki/mem.h"
#include "smki/token.h"

/* Searching and making keys, and the first bring-up, may take longer than a signature. */
#define HSM_SLOW_MS 10000
#define HSM_TIMEOUT_MAX_MS 600000
/* Opening a session and logging in, in signatures' time; at least the latter. */
#define HSM_BRING_UP_FACTOR 5
#define HSM_BRING_UP_MS 2000

struct hsm_key {
	struct hsm *hsm; /* the owner */
	char label[HSM_LABEL_MAX + 1];
	struct ec_pub pub;
	size_t index;
};

struct hsm {
	struct hsm_conf conf;
	struct token_module *loader;
	struct hsm_module *module;
	struct hsm_pool *pool;
	pthread_mutex_t lock; /* of keys */
	struct hsm_key *keys[HSM_KEYS_MAX];
	size_t n_keys;
};

static bool
hsm_text_fits(const char *text, size_t size)
{
	return text[0] != '\0' && memchr(text, '\0', size) != NULL;
}

static int
hsm_conf_check(const struct hsm_conf *conf, struct err *err)
{
	if (!hsm_text_fits(conf->token, sizeof(conf->token)))
		return err_set(err, FAIL_INVALID, "hsm: token: has 1 to %d octets", HSM_LABEL_MAX);
	if (!hsm_text_fits(conf->module, sizeof(conf->module)))
		return err_set(err, FAIL_INVALID, "token %s: module: is missing", conf->token);
	if (!hsm_text_fits(conf->pin_file, sizeof(conf->pin_file)))
		return err_set(err, FAIL_INVALID, "token %s: PIN file: is missing", conf->token);
	if (!hsm_text_fits(conf->latch_file, sizeof(conf->latch_file)))
		return err_set(err, FAIL_INVALID, "token %s: latch file: is missing", conf->token);
	if (memchr(conf->softhsm_conf, '\0', sizeof(conf->softhsm_conf)) == NULL)
		return err_set(err, FAIL_INVALID, "token %s: SoftHSM's configuration: is too long",
		    conf->token);
	if (conf->sessions < 1 || conf->sessions > HSM_SESSIONS_MAX)
		return err_set(err, FAIL_INVALID, "token %s: sessions: %ld is not in 1..%d",
		    conf->token, conf->sessions, HSM_SESSIONS_MAX);
	if (conf->timeout_ms < 1 || conf->timeout_ms > HSM_TIMEOUT_MAX_MS)
		return err_set(err, FAIL_INVALID, "token %s: timeout: %ld ms is not in 1..%d",
		    conf->token, conf->timeout_ms, HSM_TIMEOUT_MAX_MS);
	return 0;
}

/* The pool's last act, or that of a half-built struct hsm. */
static void
hsm_free(void *ctx)
{
	struct hsm *hsm = ctx;

	hsm_module_close(hsm->module);
	token_module_close(hsm->loader);
	for (size_t i = 0; i < hsm->n_keys; i++)
		free(hsm->keys[i]);
	pthread_mutex_destroy(&hsm->lock);
	free(hsm);
}

static int
hsm_restart(void *ctx, struct err *err)
{
	struct hsm *hsm = ctx;

	return token_module_restart(hsm->loader, err);
}

static long
hsm_slow_limit(const struct hsm *hsm)
{
	return hsm->conf.timeout_ms > HSM_SLOW_MS ? hsm->conf.timeout_ms : HSM_SLOW_MS;
}

static long
hsm_bring_up_limit(const struct hsm_conf *conf)
{
	long limit = conf->timeout_ms * HSM_BRING_UP_FACTOR;

	return limit > HSM_BRING_UP_MS ? limit : HSM_BRING_UP_MS;
}

int
hsm_open(const struct hsm_conf *conf, struct hsm **out, struct err *err)
{
	struct hsm_pool_owner owner = { .restart = hsm_restart, .done = hsm_free };
	struct hsm_job job = { .kind = JOB_OPEN };
	struct hsm *hsm;

	if (hsm_conf_check(conf, err) != 0)
		return -1;
	hsm = mem_alloc(sizeof(*hsm));
	hsm->conf = *conf;
	owner.ctx = hsm;
	require(pthread_mutex_init(&hsm->lock, NULL) == 0);
	if (token_module_open(conf->module, conf->softhsm_conf, &hsm->loader, err) != 0 ||
	    hsm_module_open(conf, &hsm->module, err) != 0 ||
	    hsm_pool_open(hsm->module, (unsigned)conf->sessions, hsm_bring_up_limit(conf), &owner,
		&hsm->pool, err) != 0) {
		hsm_free(hsm);
		return -1;
	}
	if (hsm_pool_run(hsm->pool, &job, hsm_slow_limit(hsm), err) != 0) {
		hsm_pool_close(hsm->pool);
		return -1;
	}
	*out = hsm;
	return 0;
}

void
hsm_close(struct hsm *hsm)
{
	/* PKCS#11 2.40 5.6: closing a token's last session logs the process out. */
	if (hsm != NULL)
		hsm_pool_close(hsm->pool);
}

static struct hsm_key *
hsm_key_known(struct hsm *hsm, const char *label)
{
	for (size_t i = 0; i < hsm->n_keys; i++)
		if (strcmp(hsm->keys[i]->label, label) == 0)
			return hsm->keys[i];
	return NULL;
}

/* Keep a key the token has; one that is known already keeps its handle. */
static int
hsm_key_keep(struct hsm *hsm, const struct hsm_job *job, struct hsm_key **out, struct err *err)
{
	struct hsm_key *key;
	int r = -1;

	pthread_mutex_lock(&hsm->lock);
	key = hsm_key_known(hsm, job->label);
	if (key == NULL && hsm->n_keys == HSM_KEYS_MAX) {
		err_set(
		    err, FAIL_LIMIT, "token %s: more than %d keys", hsm->conf.token, HSM_KEYS_MAX);
		goto out;
	}
	if (key == NULL) {
		key = mem_alloc(sizeof(*key));
		key->hsm = hsm;
		memcpy(key->label, job->label, sizeof(key->label));
		key->pub = job->pub;
		key->index = hsm->n_keys;
		hsm->keys[hsm->n_keys++] = key;
	}
	/* The pool refuses to sign with a key that took another's label; so does a search. */
	if (key->pub.len != job->pub.len || memcmp(key->pub.point, job->pub.point, key->pub.len)) {
		err_set(err, FAIL_CONFLICT, "token %s: key %s: is another key than before",
		    hsm->conf.token, key->label);
		goto out;
	}
	*out = key;
	r = 0;
out:
	pthread_mutex_unlock(&hsm->lock);
	return r;
}

static int
hsm_key_ask(
    struct hsm *hsm, struct hsm_job *job, const char *label, struct hsm_key **out, struct err *err)
{
	if (label[0] == '\0' || strlen(label) > HSM_LABEL_MAX)
		return err_set(err, FAIL_INVALID, "token %s: a key's label has 1 to %d octets",
		    hsm->conf.token, HSM_LABEL_MAX);
	memcpy(job->label, label, strlen(label) + 1);
	if (hsm_pool_run(hsm->pool, job, hsm_slow_limit(hsm), err) != 0)
		return -1;
	return hsm_key_keep(hsm, job, out, err);
}

int
hsm_key_find(struct hsm *hsm, const char *label, struct hsm_key **out, struct err *err)
{
	struct hsm_job job = { .kind = JOB_FIND };

	pthread_mutex_lock(&hsm->lock);
	job.known = hsm_key_known(hsm, label) != NULL;
	pthread_mutex_unlock(&hsm->lock);
	return hsm_key_ask(hsm, &job, label, out, err);
}

int
hsm_key_generate(
    struct hsm *hsm, const char *label, enum ec_curve curve, struct hsm_key **out, struct err *err)
{
	struct hsm_job job = { .kind = JOB_GENERATE, .curve = curve };

	return hsm_key_ask(hsm, &job, label, out, err);
}

const struct ec_pub *
hsm_key_pub(const struct hsm_key *key)
{
	return &key->pub;
}

/* To the asker a key that is gone is a token that cannot at the moment. */
static int
hsm_sign_failed(const struct err *why, struct err *err)
{
	return err_set(
	    err, why->code == FAIL_DENIED ? FAIL_DENIED : FAIL_UNAVAILABLE, "%s", why->msg);
}

/* A signature under way: the pool's and what it is for. */
struct hsm_pending {
	struct hsm_pool *pool;
	struct hsm_work *work;
	size_t len; /* of the digest */
};

int
hsm_sign_begin(void *ctx, const uint8_t *digest, size_t len, void **out, struct err *err)
{
	const struct hsm_key *key = ctx;
	struct hsm_job job = {
		.kind = JOB_SIGN, .index = key->index, .pub = key->pub, .known = true
	};
	struct hsm_pending pending = { .pool = key->hsm->pool, .len = len };
	struct err why;

	if (len != key->pub.len / 2)
		return err_set(err, FAIL_INTERNAL, "token %s: key %s: a digest of %zu octets",
		    key->hsm->conf.token, key->label, len);
	memcpy(job.label, key->label, sizeof(job.label));
	memcpy(job.digest, digest, len);
	if (hsm_pool_begin(pending.pool, &job, key->hsm->conf.timeout_ms, &pending.work, &why) != 0)
		return hsm_sign_failed(&why, err);
	*out = mem_copy(&pending, sizeof(pending));
	return 0;
}

int
hsm_sign_end(void *ctx, uint8_t *rs, struct err *err)
{
	struct hsm_pending pending = *(struct hsm_pending *)ctx;
	struct hsm_job job;
	struct err why;

	free(ctx);
	if (hsm_pool_end(pending.pool, pending.work, &job, &why) != 0)
		return hsm_sign_failed(&why, err);
	memcpy(rs, job.rs, 2 * pending.len);
	return 0;
}

int
hsm_sign(void *ctx, const uint8_t *digest, size_t len, uint8_t *rs, struct err *err)
{
	void *pending;

	if (hsm_sign_begin(ctx, digest, len, &pending, err) != 0)
		return -1;
	return hsm_sign_end(pending, rs, err);
}

int
hsm_is_lost(struct hsm *hsm)
{
	return hsm_pool_is_lost(hsm->pool);
}

int
hsm_is_ready(struct hsm *hsm)
{
	return hsm_pool_is_ready(hsm->pool);
}
