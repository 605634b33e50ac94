/*
 * Enrolment over a whole authority, for its tests: devices in the register, a manufacturer with its
 * meters' certificates, requests on their way through workers as the daemon has them, and what came
 * of each.
 */
#ifndef ENROL_RIG_H
#define ENROL_RIG_H

#include <pthread.h>

#include "idevid.h"
#include "service_rig.h"
#include "smki/enrol.h"
#include "smki/manufacturers.h"
#include "smki/refusals.h"
#include "smki/store_device.h"

#define ENROL_HW "1.3.6.1.4.1.32473.1"
#define ENROL_SECRET "GEZDGNBVGY3TQOJQGEZDGNBVGX"
#define ENROL_SECRET_OTHER "MFRGGZDFMZTWQ2LKNNWG23TPOB"

/* A manufacturer; all meters of its making share a key. */
struct maker {
	EVP_PKEY *key;
	X509 *root;
	struct softsign *meter_key;
	time_t from; /* of all its certificates */
};

struct enrollers {
	struct rig *rig;
	struct issue *issue;
	struct enrol *enrol;
	struct refusals *refusals;
	struct anchors anchors;
	struct maker acme, other;
	uint8_t pepper[PEPPER_LEN];
	pthread_mutex_t lock;
	pthread_cond_t change;
	struct enrol_task *queue[64];
	size_t queued, done;
	bool stop;
	pthread_t thread[4];
	size_t n_threads;
};

/* What came of one request; the answer's buffers are copies, for enrolled_free. */
struct enrolled {
	struct enrollers *e;
	struct enrol_task *task;
	bool judged; /* an answer, not an error */
	struct err err;
	struct enrol_answer answer;
};

static inline void
enrolled_free(struct enrolled *o)
{
	enrol_answer_free(&o->answer);
}

static inline void
enrollers_put(struct enrollers *e, struct enrol_task *task)
{
	pthread_mutex_lock(&e->lock);
	require(e->queued < ARRAY_LEN(e->queue));
	e->queue[e->queued++] = task;
	pthread_cond_broadcast(&e->change);
	pthread_mutex_unlock(&e->lock);
}

static inline void
enrollers_requeue(struct issue_task *task, void *ctx)
{
	struct enrolled *o = task->arg;

	enrollers_put(ctx, o->task);
}

static inline void
enrollers_done(struct enrol_task *task, const struct enrol_answer *answer, const struct err *err)
{
	struct enrolled *o = task->arg;
	struct enrollers *e = o->e;

	require((answer == NULL) != (err == NULL));
	o->judged = answer != NULL;
	if (answer != NULL) {
		o->answer = *answer;
		o->answer.issued.der = o->answer.key = (struct buf){ 0 };
		buf_add(&o->answer.issued.der, answer->issued.der.data, answer->issued.der.len);
		buf_add(&o->answer.key, answer->key.data, answer->key.len);
		require(answer->issued.key.data == NULL);
	} else {
		o->err = *err;
	}
	enrol_task_free(task);
	pthread_mutex_lock(&e->lock);
	e->done++;
	pthread_cond_broadcast(&e->change);
	pthread_mutex_unlock(&e->lock);
}

static inline void *
enrollers_main(void *arg)
{
	struct enrollers *e = arg;
	struct store *reader = NULL;
	struct enrol_task *task;

	RIG(store_open(e->rig->db, STORE_READ, &reader, &rig_err));
	for (;;) {
		pthread_mutex_lock(&e->lock);
		while (e->queued == 0 && !e->stop)
			pthread_cond_wait(&e->change, &e->lock);
		task = NULL;
		if (e->queued > 0) {
			task = e->queue[0];
			e->queued--;
			memmove(e->queue, e->queue + 1, e->queued * sizeof(*e->queue));
		}
		pthread_mutex_unlock(&e->lock);
		if (task == NULL)
			break;
		enrol_run(e->enrol, task, reader);
	}
	store_close(reader);
	return NULL;
}

static inline void
maker_new(struct maker *maker, const char *name, time_t now)
{
	struct idevid_spec root = { .cn = name, .ca = true, .cert_sign = true, .number = 1 };

	maker->key = EVP_EC_gen("P-256");
	maker->from = root.from = now - 86400;
	root.key = root.issuer_key = maker->key;
	maker->root = idevid_new(&root);
	maker->meter_key = softsign_new(EC_P256);
}

/* The certificate that meter 00db1234567800nn left the factory with; to 0 = for ever. */
static inline void
maker_meter(const struct maker *maker, uint8_t nn, time_t to, struct buf *der)
{
	struct idevid_spec meter = {
		.cn = "meter", .number = 2, .from = maker->from, .to = to, .issuer = maker->root
	};
	char san[] = IDEVID_SAN;
	X509 *x;

	snprintf(san + sizeof(san) - 3, 3, "%02x", nn);
	meter.san = san;
	meter.key = maker->meter_key->key;
	meter.issuer_key = maker->key;
	x = idevid_new(&meter);
	idevid_der(x, der);
	X509_free(x);
}

static inline void
maker_anchor(const struct maker *maker, const char *name, struct anchors *anchors)
{
	struct buf pem = { 0 };

	idevid_pem(maker->root, &pem);
	RIG(anchor_new(name, ANCHOR_EUI_SAN, buf_span(&pem), (struct span){ NULL, 0 },
	    &anchors->anchor[anchors->n++], &rig_err));
	buf_free(&pem);
}

static inline void
maker_free(struct maker *maker)
{
	EVP_PKEY_free(maker->key);
	X509_free(maker->root);
	softsign_free(maker->meter_key);
}

/* The one profile that may be changed for a test. */
static inline struct profile *
enrollers_profile(struct enrollers *e, const char *name)
{
	struct profiles *profiles = &e->rig->profiles;

	for (size_t i = 0; i < profiles->n; i++)
		if (strcmp(profiles->profile[i]->name, name) == 0)
			return profiles->profile[i];
	require(!"a profile");
	return NULL;
}

static inline struct enrollers *
enrollers_new(size_t threads)
{
	struct enrollers *e = mem_alloc(sizeof(*e));
	struct issue_conf issue = { .draw = rng_draw };
	struct enrol_conf conf = { .pepper = { e->pepper, PEPPER_LEN } };

	e->rig = rig_new();
	e->rig->home.enrol = (struct home_enrol){
		.device_per_day = 10, .per_minute = 30000, .statement_age = 3600
	};
	memset(e->pepper, 0x5a, sizeof(e->pepper));
	pthread_mutex_init(&e->lock, NULL);
	pthread_cond_init(&e->change, NULL);
	maker_new(&e->acme, "acme", e->rig->now);
	maker_new(&e->other, "other", e->rig->now);
	maker_anchor(&e->acme, "acme", &e->anchors);
	maker_anchor(&e->other, "other", &e->anchors);
	issue.cas = e->rig->cas;
	issue.profiles = &e->rig->profiles;
	issue.committer = e->rig->committer;
	issue.guard = e->rig->guard;
	issue.requeue = enrollers_requeue;
	issue.requeue_ctx = e;
	issue.certificates_per_device = 99;
	RIG(issue_new(&issue, &e->issue, &rig_err));
	e->refusals = refusals_new();
	conf.home = &e->rig->home;
	conf.profiles = &e->rig->profiles;
	conf.issue = e->issue;
	conf.guard = e->rig->guard;
	conf.anchors = &e->anchors;
	conf.refusals = e->refusals;
	RIG(enrol_new(&conf, &e->enrol, &rig_err));
	for (e->n_threads = 0; e->n_threads < threads; e->n_threads++)
		require(pthread_create(&e->thread[e->n_threads], NULL, enrollers_main, e) == 0);
	return e;
}

/* With other limits; nothing may be on its way. */
static inline void
enrollers_limits(struct enrollers *e, long per_day, long per_minute)
{
	struct enrol_conf conf = {
		.home = &e->rig->home,
		.profiles = &e->rig->profiles,
		.issue = e->issue,
		.guard = e->rig->guard,
		.anchors = &e->anchors,
		.pepper = { e->pepper, PEPPER_LEN },
		.refusals = e->refusals,
	};

	e->rig->home.enrol.device_per_day = per_day;
	e->rig->home.enrol.per_minute = per_minute;
	enrol_free(e->enrol);
	RIG(enrol_new(&conf, &e->enrol, &rig_err));
}

static inline void
enrollers_free(struct enrollers *e)
{
	pthread_mutex_lock(&e->lock);
	e->stop = true;
	pthread_cond_broadcast(&e->change);
	pthread_mutex_unlock(&e->lock);
	for (size_t i = 0; i < e->n_threads; i++)
		require(pthread_join(e->thread[i], NULL) == 0);
	enrol_free(e->enrol);
	issue_free(e->issue);
	refusals_free(e->refusals);
	for (size_t i = 0; i < e->anchors.n; i++)
		anchor_free(e->anchors.anchor[i]);
	maker_free(&e->acme);
	maker_free(&e->other);
	rig_free(e->rig);
	pthread_cond_destroy(&e->change);
	pthread_mutex_destroy(&e->lock);
	free(e);
}

/* ---- the register ---- */

struct device_job {
	struct commit_job job; /* first */
	struct device device;
	enum device_action action; /* 0 = add */
	int64_t certificate;	   /* not 0: hold or revoke this one */
	enum cert_state to;
};

static inline int
device_apply(struct commit_job *job, struct store *store, struct err *err)
{
	struct device_job *d = (struct device_job *)job;
	struct store_change change = { .to = d->to };
	struct store_actor actor = { .uid = 0 };
	int64_t event, id;
	bool changed;

	if (store_event_newest(store, &event, &actor.now, err) != 0)
		return -1;
	if (actor.now < clock_now())
		actor.now = clock_now();
	if (d->certificate != 0)
		return store_cert_change(store, &actor, d->certificate, &change, err);
	if (d->action == 0)
		return store_device_add(store, &actor, &d->device, &id, err);
	return store_device_change(store, &actor, d->device.id, d->action, &changed, err);
}

static inline struct eui64
enrol_eui(uint8_t nn)
{
	return (struct eui64){ { 0x00, 0xdb, 0x12, 0x34, 0x56, 0x78, 0x00, nn } };
}

/* Device 00db1234567800nn of acme, approved; with these proofs: the secret is ENROL_SECRET, the key
 * that of key. */
static inline struct device
enrol_device_row(struct enrollers *e, uint8_t nn, unsigned proofs, const struct softsign *key)
{
	struct device device = { .eui = enrol_eui(nn),
		.hw_type = ENROL_HW,
		.manufacturer = "acme",
		.region = "north",
		.proofs = proofs,
		.approved = true };
	struct buf spki = { 0 };

	if (proofs & DEVICE_PROOF_SECRET)
		RIG(enrol_secret_hmac((struct span){ e->pepper, PEPPER_LEN }, &device.eui,
		    ENROL_SECRET, device.secret, &rig_err));
	if (proofs & DEVICE_PROOF_KEY) {
		ec_pub_put(&spki, &key->signer.pub);
		require(EVP_Digest(spki.data, spki.len, device.key, NULL, EVP_sha256(), NULL) == 1);
		buf_free(&spki);
	}
	return device;
}

static inline void
enrol_register(struct enrollers *e, const struct device *device)
{
	struct device_job job = { .job = { .lane = COMMIT_OTHER, .apply = device_apply },
		.device = *device };

	RIG(committer_run(e->rig->committer, &job.job, &rig_err));
}

static inline struct device
enrol_registered(struct enrollers *e, uint8_t nn)
{
	struct eui64 eui = enrol_eui(nn);
	struct device device;

	RIG(store_device_get(e->rig->reader, &eui, &device, &rig_err));
	return device;
}

static inline void
enrol_change(struct enrollers *e, uint8_t nn, enum device_action action)
{
	struct device_job job = { .job = { .lane = COMMIT_OTHER, .apply = device_apply },
		.device = enrol_registered(e, nn),
		.action = action };

	RIG(committer_run(e->rig->committer, &job.job, &rig_err));
}

static inline void
enrol_cert_change(struct enrollers *e, int64_t id, enum cert_state to)
{
	struct device_job job = {
		.job = { .lane = COMMIT_OTHER, .apply = device_apply }, .certificate = id, .to = to
	};

	RIG(committer_run(e->rig->committer, &job.job, &rig_err));
}

/* ---- requests ---- */

static inline void
enrol_with_chain(struct enrol_task *task, const struct buf *der)
{
	buf_add(&task->request.chain[task->request.n_chain++], der->data, der->len);
}

static inline void
enrol_with_meter(struct enrol_task *task, const struct maker *maker, uint8_t nn)
{
	maker_meter(maker, nn, 0, &task->request.chain[task->request.n_chain++]);
}

/* A request of the device nn with this key; the caller adds proofs and sends it. */
static inline struct enrol_task *
enrol_ask_new(struct enrollers *e, enum enrol_kind kind, uint8_t nn, unsigned usage,
    const struct softsign *key, struct enrolled *o)
{
	struct enrol_task *task = enrol_task_new();

	memset(o, 0, sizeof(*o));
	o->e = e;
	o->task = task;
	task->done = enrollers_done;
	task->arg = o;
	task->request.kind = kind;
	memcpy(task->request.address, "192.0.2.7", 10);
	rig_csr(key, nn, 1, usage, &task->request.csr);
	return task;
}

static inline void
enrol_with_secret(struct enrol_task *task, uint8_t nn, const char *secret)
{
	task->request.has_secret = true;
	task->request.secret_eui = enrol_eui(nn);
	snprintf(task->request.secret, sizeof(task->request.secret), "%s", secret);
}

/* A statement of the device nn about the request, signed by key. */
static inline void
enrol_with_statement(struct enrol_task *task, uint8_t nn, time_t time, const struct softsign *key)
{
	struct enrol_request *request = &task->request;
	uint8_t sha256[SHA256_LEN], digest[SHA384_LEN];
	struct buf text = { 0 };
	size_t len;

	request->has_statement = true;
	request->statement = (struct statement){
		.eui = enrol_eui(nn), .hw_type = ENROL_HW, .model = "M1", .time = time
	};
	require(
	    EVP_Digest(request->csr.data, request->csr.len, sha256, NULL, EVP_sha256(), NULL) == 1);
	statement_text(&request->statement, request->csr.len > 0 ? sha256 : NULL, &text);
	len = ec_digest(key->signer.pub.curve, text.data, text.len, digest);
	buf_reset(&request->signature);
	RIG(sign_digest(&key->signer, digest, len, &request->signature, &rig_err));
	buf_free(&text);
}

static inline void
enrollers_wait(struct enrollers *e, size_t done)
{
	pthread_mutex_lock(&e->lock);
	while (e->done < done)
		pthread_cond_wait(&e->change, &e->lock);
	pthread_mutex_unlock(&e->lock);
}

/* From start to end. */
static inline void
enrol_send(struct enrollers *e, struct enrol_task *task)
{
	size_t before = e->done;

	enrollers_put(e, task);
	enrollers_wait(e, before + 1);
}

/* First enrolment of nn by its secret. */
static inline void
by_secret(
    struct enrollers *e, uint8_t nn, unsigned usage, const struct softsign *key, struct enrolled *o)
{
	struct enrol_task *task = enrol_ask_new(e, ENROL_FIRST, nn, usage, key, o);

	enrol_with_secret(task, nn, ENROL_SECRET);
	enrol_send(e, task);
}

static inline void
by_certificate(struct enrollers *e, enum enrol_kind kind, uint8_t nn, unsigned usage,
    const struct softsign *key, const struct enrolled *have, struct enrolled *o)
{
	struct enrol_task *task = enrol_ask_new(e, kind, nn, usage, key, o);

	enrol_with_chain(task, &have->answer.issued.der);
	enrol_send(e, task);
}

static inline void
registered(struct enrollers *e, uint8_t nn, unsigned proofs)
{
	struct device device = enrol_device_row(e, nn, proofs, NULL);

	enrol_register(e, &device);
}

static inline int
is_issued(const struct enrolled *o, bool existing)
{
	if (o->judged && o->answer.outcome == ENROL_ISSUED &&
	    o->answer.issued.existing == existing && o->answer.issued.der.len > 0)
		return 1;
	fprintf(stderr, "  got %s\n",
	    !o->judged				 ? o->err.msg
	    : o->answer.outcome == ENROL_REFUSED ? o->answer.err.msg
						 : "something else");
	return 0;
}

static inline int
is_refused(const struct enrolled *o, enum refusal reason, enum err_code code)
{
	if (o->judged && o->answer.outcome == ENROL_REFUSED && o->answer.reason == reason &&
	    o->answer.err.code == code && o->answer.issued.der.len == 0 && o->answer.key.len == 0)
		return 1;
	fprintf(stderr, "  got %s (%s), want %s\n",
	    !o->judged				 ? o->err.msg
	    : o->answer.outcome == ENROL_REFUSED ? o->answer.err.msg
						 : "no refusal",
	    o->judged ? refusal_str(o->answer.reason) : "", refusal_str(reason));
	return 0;
}

#endif
