/*
 * Issuing, from the bytes of a request to the committed certificate: the six steps of issue.h in
 * their order. The rules are elsewhere (core/profile_grant.c, issue_rules.c); no signed byte
 * leaves this file before COMMIT, and no lock is held while the token signs.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "issue_rules.h"
#include "record.h"
#include "smki/eckey.h"
#include "smki/fault.h"
#include "smki/issue.h"
#include "smki/mem.h"

/* Keys in flight are few (workers and one commit group); chains stay short. */
#define ISSUE_BUCKETS 64

struct issue_work {
	struct commit_job job; /* first */
	struct issue *issue;
	struct issue_task *task;
	struct buf der; /* the request; csr borrows it */
	struct csr csr;
	const struct profile *profile;
	const struct ca *ca;
	struct grant grant;
	uint8_t key_hash[SHA256_LEN];
	struct issue_shard shard;
	struct issue_making making; /* between issue_begin and issue_finish */
	struct issue_made made;
	struct buf key; /* of server_key; PKCS#8 */
	int tries;
	bool serial_taken;
	bool clear;	 /* issue_verdict */
	bool overtaken;	 /* a certificate of this key was there first */
	time_t recorded; /* time of the newest event written, 0 = none */
	struct issue_result result;
	/* The set of keys in flight, under its lock. */
	bool holds;
	struct issue_work *next;    /* in its bucket, or behind the one it waits for */
	struct issue_work *waiting; /* same key, first come first */
};

struct issue {
	struct issue_conf conf;
	struct issue_stood stood;
	pthread_mutex_t lock;
	struct issue_work *bucket[ISSUE_BUCKETS];
};

struct issue_task *
issue_task_new(void)
{
	return mem_alloc(sizeof(struct issue_task));
}

void
issue_task_free(struct issue_task *task)
{
	if (task == NULL)
		return;
	if (task->work != NULL) {
		buf_free(&task->work->der);
		buf_free(&task->work->made.der);
		buf_free(&task->work->result.der);
		buf_wipe(&task->work->key);
		free(task->work);
	}
	buf_free(&task->request.csr);
	free(task);
}

int
issue_new(const struct issue_conf *conf, struct issue **out, struct err *err)
{
	struct issue *issue;

	for (size_t i = 0; i < conf->profiles->n; i++)
		if (issue_check_profile(conf->profiles->profile[i], conf->cas, err) != 0)
			return -1;
	issue = mem_alloc(sizeof(*issue));
	issue->conf = *conf;
	require(pthread_mutex_init(&issue->lock, NULL) == 0);
	*out = issue;
	return 0;
}

void
issue_free(struct issue *issue)
{
	if (issue == NULL)
		return;
	for (size_t i = 0; i < ISSUE_BUCKETS; i++)
		require(issue->bucket[i] == NULL);
	pthread_mutex_destroy(&issue->lock);
	free(issue);
}

void
issue_expect(struct issue *issue, struct issue_task *task)
{
	if (task->expected)
		return;
	task->expected = true;
	committer_expect(issue->conf.committer);
}

void
issue_dismiss(struct issue *issue, struct issue_task *task)
{
	if (!task->expected)
		return;
	task->expected = false;
	committer_expected(issue->conf.committer);
}

/*
 * Put the key in flight for this request: 1. 0 = another request of the same key is on its way
 * and this one waits behind it; work is then no longer the caller's.
 */
static int
issue_enter(struct issue *issue, struct issue_work *work)
{
	struct issue_work **at = &issue->bucket[work->key_hash[0] % ISSUE_BUCKETS];
	struct issue_work *first;

	pthread_mutex_lock(&issue->lock);
	for (first = *at; first != NULL; first = first->next)
		if (memcmp(first->key_hash, work->key_hash, SHA256_LEN) == 0)
			break;
	work->next = NULL;
	if (first == NULL) {
		work->next = *at;
		*at = work;
		work->holds = true;
	} else {
		for (at = &first->waiting; *at != NULL; at = &(*at)->next)
			;
		*at = work;
		/* Nobody waits for what itself waits for a commit. */
		issue_dismiss(issue, work->task);
	}
	pthread_mutex_unlock(&issue->lock);
	return first == NULL;
}

/* Take the key out of flight; whoever waited goes back to the workers and finds the outcome. */
static void
issue_leave(struct issue *issue, struct issue_work *work)
{
	struct issue_work **at = &issue->bucket[work->key_hash[0] % ISSUE_BUCKETS];
	struct issue_work *waiting, *next;

	if (!work->holds)
		return;
	pthread_mutex_lock(&issue->lock);
	while (*at != work)
		at = &(*at)->next;
	*at = work->next;
	work->holds = false;
	waiting = work->waiting;
	work->waiting = NULL;
	pthread_mutex_unlock(&issue->lock);
	for (; waiting != NULL; waiting = next) {
		next = waiting->next;
		issue->conf.requeue(waiting->task, issue->conf.requeue_ctx);
	}
}

/* The one way out of a task; work is gone afterwards. */
static void
issue_end(struct issue_work *work, const struct err *err)
{
	struct issue_task *task = work->task;

	issue_leave(work->issue, work);
	issue_dismiss(work->issue, task);
	task->done(task, err == NULL ? &work->result : NULL, err);
}

/* The profile and the CA that the request means. */
static int
issue_choose(struct issue_work *work, struct err *err)
{
	const struct issue_conf *conf = &work->issue->conf;
	const struct issue_request *request = &work->task->request;
	const char *name = request->profile;

	if (name[0] == '\0' && request->csr.len == 0)
		return err_set(
		    err, FAIL_INVALID, "profile: none is named, and there is no request");
	if (name[0] == '\0' && profile_pick(&work->csr, &name, err) != 0)
		return -1;
	if (issue_pick_profile(conf->profiles, name, &work->profile, err) != 0)
		return -1;
	return issue_pick_ca(conf->cas, request->ca, &work->ca, err);
}

/* Steps 1-3 with a key made here. */
static int
issue_read_server_key(struct issue_work *work, struct err *err)
{
	const struct issue_request *request = &work->task->request;
	struct ec_pub pub;

	if (request->csr.len > 0 &&
	    (csr_decode(request->csr.data, request->csr.len, &work->der, err) != 0 ||
		csr_parse(work->der.data, work->der.len, &work->csr, err) != 0))
		return -1;
	if (issue_choose(work, err) != 0 ||
	    issue_key_make(work->profile->curve_p256 ? EC_P256 : EC_P384, &work->key, &pub, err) !=
		0)
		return -1;
	if (request->csr.len == 0)
		return profile_grant_device(
		    work->profile, &request->device, request->hw_type, &pub, &work->grant, err);
	work->csr.pub = pub;
	return profile_grant(work->profile, &work->csr, &work->grant, err);
}

/* Steps 1-3: what the request says and what the profile grants. No database, no token. */
static int
issue_read(struct issue_work *work, struct err *err)
{
	const struct issue_request *request = &work->task->request;
	struct grant *grant = &work->grant;
	char got[HOLDER_TEXT_LEN];
	struct holder want = { .kind = HOLDER_DEVICE, .name_len = EUI64_LEN };
	char wanted[HOLDER_TEXT_LEN];

	if (request->server_key) {
		if (issue_read_server_key(work, err) != 0)
			return -1;
	} else if (csr_decode(request->csr.data, request->csr.len, &work->der, err) != 0 ||
		   csr_parse(work->der.data, work->der.len, &work->csr, err) != 0 ||
		   csr_check_pop(&work->csr, err) != 0 || issue_choose(work, err) != 0 ||
		   profile_grant(work->profile, &work->csr, grant, err) != 0) {
		return -1;
	}
	memcpy(want.name, request->device.octets, EUI64_LEN);
	if (request->by_device &&
	    (grant->holder.kind != HOLDER_DEVICE || grant->holder.name_len != EUI64_LEN ||
		memcmp(grant->holder.name, want.name, EUI64_LEN) != 0)) {
		holder_text(&grant->holder, got);
		holder_text(&want, wanted);
		return err_set(err, FAIL_INVALID,
		    "csr: RFC 4108 5: it is for %s, not for device %s", got, wanted);
	}
	ec_pub_hash(&grant->pub, work->key_hash);
	return 0;
}

/* The caller's gate and the identity rules, before the signature and again inside the transaction. */
static int
issue_judge(struct issue_work *work, struct store *store, bool recording, time_t now,
    struct issue_verdict *verdict, struct err *err)
{
	const struct issue_gate *gate = work->task->request.gate;
	struct issue_ask ask = {
		.cas = work->issue->conf.cas,
		.ca = work->ca,
		.profile = work->profile->name,
		.grant = &work->grant,
		.key_hash = work->key_hash,
		.replace = work->task->request.replace,
		.per_device = work->issue->conf.certificates_per_device,
		.stood = &work->issue->stood,
		.recording = recording,
	};

	if (gate != NULL &&
	    gate->check(work->task, store, recording, &work->grant, work->key_hash, now, err) != 0)
		return -1;
	if (issue_rules(store, &ask, now, verdict, err) != 0)
		return -1;
	if (gate != NULL && !verdict->existing)
		return gate->fresh(work->task, store, recording, now, err);
	return 0;
}

/* 0 when the certificate id is none or revoked by now, else id. */
static int
issue_unrevoked(struct store *store, int64_t id, int64_t *out, struct err *err)
{
	struct store_cert row;

	*out = 0;
	if (id == 0)
		return 0;
	if (store_cert_get(store, id, &row, err) != 0)
		return -1;
	if (row.state != CERT_REVOKED)
		*out = id;
	return 0;
}

/* An earlier certificate is the answer. */
static int
issue_answer(
    struct issue_work *work, struct store *store, const struct store_cert *cert, struct err *err)
{
	struct issue_result *result = &work->result;

	if (issue_unrevoked(store, cert->replaces, &result->replaces, err) != 0)
		return -1;
	buf_reset(&result->der);
	if (store_cert_der(store, cert->id, &result->der, err) != 0)
		return -1;
	result->existing = true;
	result->id = cert->id;
	result->serial = cert->serial;
	result->state = cert->state;
	result->holder = cert->holder;
	result->not_after = cert->not_after;
	memcpy(result->profile, cert->profile, sizeof(result->profile));
	memcpy(result->ca, cert->ca_name, sizeof(result->ca));
	return 0;
}

/* The new certificate is the answer. */
static void
issue_fill(struct issue_work *work, int64_t id, int64_t replaces)
{
	struct issue_result *result = &work->result;

	result->existing = false;
	result->id = id;
	result->replaces = replaces;
	result->serial = work->made.serial;
	result->state = work->task->request.on_hold ? CERT_HOLD : CERT_VALID;
	result->holder = work->grant.holder;
	result->not_after = work->made.not_after;
	memcpy(result->profile, work->profile->name, sizeof(result->profile));
	memcpy(result->ca, work->ca->name, sizeof(result->ca));
	buf_reset(&result->der);
	buf_add(&result->der, work->made.der.data, work->made.der.len);
}

/* The database refused what was clear when it was looked at. The rules have better words; when they
 * have an answer instead, the request goes back to be given that. */
static void
issue_refused(struct issue_work *work, struct store *store, time_t now, struct err *err)
{
	struct issue_verdict verdict;
	struct err why;

	if (issue_judge(work, store, true, now, &verdict, &why) != 0)
		*err = why;
	else
		work->overtaken = verdict.existing;
}

/* The database's rules say "device:" of the one at hand. */
static void
issue_name_device(const struct issue_work *work, struct err *err)
{
	static const char nameless[] = "device: ";
	const struct err why = *err;
	char device[HOLDER_TEXT_LEN];

	if (strncmp(why.msg, nameless, sizeof(nameless) - 1) != 0)
		return;
	holder_text(&work->grant.holder, device);
	err_set(err, why.code, "device %s: %s", device, why.msg + sizeof(nameless) - 1);
}

/* Step 5, in the transaction: the rules again unless all was clear, then the rows. */
static int
issue_apply(struct commit_job *job, struct store *store, struct err *err)
{
	struct issue_work *work = (struct issue_work *)job;
	struct issue_verdict verdict = { 0 };
	struct store_actor actor;
	struct store_new_cert row;
	const struct issue_gate *gate = work->task->request.gate;
	int64_t id;

	work->serial_taken = work->overtaken = false;
	work->recorded = 0;
	if (record_actor(store, work->task->request.uid, NULL, &actor, err) != 0 ||
	    (!work->clear && issue_judge(work, store, true, actor.now, &verdict, err) != 0))
		return -1;
	/* Another process's or an earlier job's certificate of this key: that one is the answer;
	 * the signature made here never leaves. */
	if (verdict.existing)
		return issue_answer(work, store, &verdict.cert, err);
	row = (struct store_new_cert){
		.ca = work->ca->id,
		.serial = work->made.serial,
		.profile = work->profile->name,
		.holder = work->grant.holder,
		.use = work->grant.use,
		.not_before = work->made.not_before,
		.not_after = work->made.not_after,
		.on_hold = work->task->request.on_hold,
		.replaces = verdict.replaces,
		.der = buf_span(&work->made.der),
		.shard = work->shard.number,
		.shard_uri = work->shard.uri[0] != '\0' ? work->shard.uri : NULL,
	};
	memcpy(row.key_hash, work->key_hash, SHA256_LEN);
	if (store_cert_add(store, &actor, &row, &id, &work->serial_taken, err) != 0) {
		/* With the transaction gone it was no rule. */
		if (work->clear && !work->serial_taken && store_in_transaction(store))
			issue_refused(work, store, actor.now, err);
		issue_name_device(work, err);
		return -1;
	}
	issue_fill(work, id, verdict.replaces);
	if (gate != NULL &&
	    gate->recorded(work->task, store, &actor, work->key_hash, &work->result, err) != 0)
		return -1;
	work->recorded = actor.now;
	fault_point("issue.applied");
	return 0;
}

/* Step 6, after COMMIT or a refusal. */
static void
issue_committed(struct commit_job *job, const struct err *err)
{
	struct issue_work *work = (struct issue_work *)job;
	struct issue *issue = work->issue;

	if (err != NULL && (work->serial_taken || work->overtaken) &&
	    work->tries < ISSUE_SERIAL_TRIES) {
		issue->conf.requeue(work->task, issue->conf.requeue_ctx);
		return;
	}
	if (err == NULL && work->recorded != 0) {
		timeguard_note(issue->conf.guard, work->recorded);
		fault_point("issue.committed");
		/* Only now is there a certificate that the key belongs to. */
		work->result.key = work->key;
	}
	issue_end(work, err);
}

static struct issue_work *
issue_work_new(struct issue *issue, struct issue_task *task)
{
	struct issue_work *work = mem_alloc(sizeof(*work));

	work->job.lane = COMMIT_OTHER;
	work->job.apply = issue_apply;
	work->job.done = issue_committed;
	work->issue = issue;
	work->task = task;
	task->work = work;
	return work;
}

/* What the database says before the token is troubled: an answer that exists, or the shard. */
static int
issue_look(struct issue_work *work, struct store *reader, bool *existing, struct err *err)
{
	struct issue_verdict verdict;
	int r;

	/* One view for all of it: each read alone would take and leave the locks anew. */
	if (store_view_begin(reader, err) != 0)
		return -1;
	r = issue_judge(
	    work, reader, false, timeguard_record(work->issue->conf.guard), &verdict, err);
	if (r == 0) {
		*existing = verdict.existing;
		/* What a gate asks for is asked again in the transaction. */
		work->clear = verdict.clear && work->task->request.gate == NULL;
		r = verdict.existing
			? issue_answer(work, reader, &verdict.cert, err)
			: issue_shard(work->ca, work->profile, reader, &work->shard, err);
	}
	store_view_end(reader);
	return r;
}

/* Step 4: rules before the token is troubled, then the token begins. *existing: nothing to sign. */
static int
issue_sign(struct issue_work *work, struct store *reader, bool *existing, struct err *err)
{
	const struct issue_conf *conf = &work->issue->conf;
	time_t now;

	if (issue_look(work, reader, existing, err) != 0)
		return -1;
	if (*existing)
		return 0;
	fault_point("issue.checked");
	if (timeguard_now(conf->guard, &now, err) != 0)
		return -1;
	work->tries++;
	return issue_make_begin(work->ca, work->profile, &work->grant,
	    work->shard.uri[0] != '\0' ? work->shard.uri : NULL, now, conf->draw, &work->making,
	    err);
}

bool
issue_prepare(struct issue *issue, struct issue_task *task)
{
	struct issue_work *work = task->work;
	struct err err;

	issue_expect(issue, task);
	if (work == NULL) {
		work = issue_work_new(issue, task);
		if (issue_read(work, &err) != 0) {
			issue_end(work, &err);
			return false;
		}
	}
	return work->holds || issue_enter(issue, work);
}

bool
issue_begin(struct issue_task *task, struct store *reader)
{
	struct issue_work *work = task->work;
	bool existing = false;
	struct err err;

	if (issue_sign(work, reader, &existing, &err) != 0) {
		issue_end(work, &err);
		return false;
	}
	if (existing) {
		issue_end(work, NULL);
		return false;
	}
	return true;
}

void
issue_finish(struct issue *issue, struct issue_task *task)
{
	struct issue_work *work = task->work;
	bool expected = task->expected;
	struct err err;

	if (issue_make_end(&work->making, &work->made, &err) != 0) {
		issue_end(work, &err);
		return;
	}
	fault_point("issue.signed");
	/* Once it is put it may be gone, and is counted still. */
	task->expected = false;
	if (committer_put(issue->conf.committer, &work->job, &err) != 0)
		issue_end(work, &err);
	if (expected)
		committer_expected(issue->conf.committer);
}

void
issue_run(struct issue *issue, struct issue_task *task, struct store *reader)
{
	if (issue_prepare(issue, task) && issue_begin(task, reader))
		issue_finish(issue, task);
}
