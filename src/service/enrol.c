/*
 * Enrolment: whether a meter's own request is granted, in the order of enrol.h. Issuing itself is
 * issue.c's; here is the gate in front of it, before the token is troubled and again inside the
 * transaction. Nothing that the front says of a device is believed here, and nothing is logged.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "enrol_limit.h"
#include "enrol_proof.h"
#include "smki/clock.h"
#include "smki/hex.h"
#include "smki/lock.h"
#include "smki/mem.h"
#include "smki/refusals.h"

/* The quota of a device is by this many seconds. */
#define ENROL_QUOTA_S 86400

struct enrol {
	struct enrol_conf conf;
	uint8_t pepper[PEPPER_LEN];
	struct enrol_limit limit;
	pthread_rwlock_t anchors; /* conf.anchors' contents */
};

struct enrol_work {
	struct enrol *enrol;
	struct enrol_task *task;
	struct issue_task *issue;
	const struct profile *profile;
	bool has_csr, has_secret; /* the next two are set */
	uint8_t csr_sha256[SHA256_LEN];
	uint8_t secret[SHA256_LEN];	    /* HMAC of what was offered */
	char registered[STORE_REFUSED_LEN]; /* the device, once found in the register; else "" */
	struct device device;		    /* as read last */
	struct enrol_proof proof;
	bool found;    /* proof is */
	bool judged;   /* the request itself is in order: the gate was asked */
	bool admitted; /* under the ceiling */
	/* Of the newest check: */
	bool pending;
	enum refusal reason;
};

int
enrol_new(const struct enrol_conf *conf, struct enrol **out, struct err *err)
{
	struct enrol *enrol;

	if (conf->pepper.len != PEPPER_LEN)
		return err_set(err, FAIL_INTERNAL, "pepper: has %zu octets, not %d",
		    conf->pepper.len, PEPPER_LEN);
	enrol = mem_alloc(sizeof(*enrol));
	enrol->conf = *conf;
	memcpy(enrol->pepper, conf->pepper.p, PEPPER_LEN);
	enrol->conf.pepper = (struct span){ enrol->pepper, PEPPER_LEN };
	lock_init(&enrol->anchors);
	enrol_limit_init(&enrol->limit, conf->home->enrol.per_minute, clock_mono_us());
	*out = enrol;
	return 0;
}

void
enrol_free(struct enrol *enrol)
{
	if (enrol == NULL)
		return;
	enrol_limit_end(&enrol->limit);
	pthread_rwlock_destroy(&enrol->anchors);
	OPENSSL_cleanse(enrol->pepper, sizeof(enrol->pepper));
	free(enrol);
}

void
enrol_anchors_swap(struct enrol *enrol, struct anchors *anchors)
{
	struct anchors old;

	pthread_rwlock_wrlock(&enrol->anchors);
	old = *enrol->conf.anchors;
	*enrol->conf.anchors = *anchors;
	*anchors = old;
	pthread_rwlock_unlock(&enrol->anchors);
}

struct enrol_task *
enrol_task_new(void)
{
	return mem_alloc(sizeof(struct enrol_task));
}

void
enrol_task_free(struct enrol_task *task)
{
	if (task == NULL)
		return;
	if (task->work != NULL) {
		issue_task_free(task->work->issue);
		OPENSSL_cleanse(task->work->secret, sizeof(task->work->secret));
		free(task->work);
	}
	enrol_request_free(&task->request);
	free(task);
}

/* ---- the end of a request ---- */

static void
enrol_refuse(struct enrol_work *work, enum refusal reason, const struct err *err)
{
	struct enrol_task *task = work->task;
	struct enrol *enrol = work->enrol;
	struct enrol_answer answer = { .outcome = ENROL_REFUSED, .reason = reason, .err = *err };

	refusals_count(enrol->conf.refusals,
	    work->registered[0] != '\0' ? work->registered : task->request.address, reason,
	    timeguard_record(enrol->conf.guard), 1);
	task->done(task, &answer, NULL);
}

/* Not granted: a refusal, an approval to wait for, or what nobody outside can help. */
static void
enrol_failed(struct enrol_work *work, const struct err *err)
{
	static const struct enrol_answer pending = { .outcome = ENROL_PENDING };

	if (work->pending)
		work->task->done(work->task, &pending, NULL);
	else if (work->reason != REFUSAL_NONE)
		enrol_refuse(work, work->reason, err);
	else if (err->code == FAIL_CONFLICT)
		enrol_refuse(work, REFUSAL_CONFLICT, err);
	else if (err->code == FAIL_INVALID && !work->judged)
		enrol_refuse(work, REFUSAL_REQUEST, err);
	else
		work->task->done(work->task, NULL, err);
}

static void
enrol_issued(
    struct issue_task *issue, const struct issue_result *result, const struct err *issue_err)
{
	struct enrol_work *work = issue->request.gate_ctx;
	struct enrol_answer answer = { .outcome = ENROL_ISSUED };
	char serial[SERIAL_TEXT_LEN];
	struct err err;

	if (result == NULL) {
		enrol_failed(work, issue_err);
		return;
	}
	if (result->state == CERT_HOLD) {
		serial_text(&result->serial, serial);
		err_set(&err, FAIL_DENIED, "certificate %s: is on hold", serial);
		enrol_refuse(work, REFUSAL_STATE, &err);
		return;
	}
	answer.issued = *result;
	answer.key = result->key;
	answer.issued.key = (struct buf){ 0 };
	memcpy(answer.region, work->device.region, sizeof(answer.region));
	answer.not_after = result->not_after;
	work->task->done(work->task, &answer, NULL);
}

/* ---- the gate ---- */

/* The device that the request claims to come from; without a claim the one it asks for. */
static const struct eui64 *
enrol_claim(const struct enrol_request *request)
{
	if (request->has_secret)
		return &request->secret_eui;
	return request->has_statement ? &request->statement.eui : NULL;
}

/* Known and active? */
static int
enrol_device(
    struct enrol_work *work, struct store *store, const struct grant *grant, struct err *err)
{
	const struct eui64 *claim = enrol_claim(&work->task->request);
	char text[2 * EUI64_LEN + 1];
	struct eui64 eui;

	require(grant->holder.kind == HOLDER_DEVICE && grant->holder.name_len == EUI64_LEN);
	memcpy(eui.octets, grant->holder.name, EUI64_LEN);
	if (claim == NULL)
		claim = &eui;
	if (store_device_get(store, claim, &work->device, err) != 0) {
		if (err->code != FAIL_NOT_FOUND)
			return -1;
		work->reason = REFUSAL_UNREGISTERED;
		err->code = FAIL_DENIED; /* what was asked for is a certificate, not a device */
		return -1;
	}
	hex_encode(claim->octets, EUI64_LEN, text);
	memcpy(work->registered, text, sizeof(text));
	switch (work->device.state) {
	case DEVICE_ACTIVE:
		return 0;
	case DEVICE_HOLD:
		work->reason = REFUSAL_HELD;
		break;
	case DEVICE_RETIRED:
		work->reason = REFUSAL_RETIRED;
		break;
	}
	return err_set(err, FAIL_DENIED, "device %s: is %s in the register", text,
	    work->device.state == DEVICE_HOLD ? "on hold" : "retired");
}

/* Who asks, who is asked for and who is registered are one device. */
static int
enrol_identity(struct enrol_work *work, const struct grant *grant, struct err *err)
{
	const struct enrol_request *request = &work->task->request;
	const struct device *device = &work->device;

	work->reason = REFUSAL_IDENTITY;
	if (memcmp(grant->holder.name, device->eui.octets, EUI64_LEN) != 0)
		return err_set(err, FAIL_DENIED, "csr: RFC 4108 5: hwSerialNum is not device %s",
		    work->registered);
	if (strcmp(grant->holder.hw_type, device->hw_type) != 0)
		return err_set(err, FAIL_DENIED,
		    "csr: RFC 4108 5: hwType is not the registered one of device %s",
		    work->registered);
	if (request->has_statement &&
	    (memcmp(request->statement.eui.octets, device->eui.octets, EUI64_LEN) != 0 ||
		strcmp(request->statement.hw_type, device->hw_type) != 0))
		return err_set(err, FAIL_DENIED,
		    "bootstrap: eui64, hw_type: are not those of device %s", work->registered);
	work->reason = REFUSAL_NONE;
	return 0;
}

static int
enrol_check(struct issue_task *issue, struct store *store, bool recording,
    const struct grant *grant, const uint8_t key_hash[SHA256_LEN], time_t now, struct err *err)
{
	struct enrol_work *work = issue->request.gate_ctx;
	const struct enrol_conf *conf = &work->enrol->conf;
	struct enrol_ask ask = {
		.request = &work->task->request,
		.profile = work->profile->name,
		.anchors = conf->anchors,
		.statement_age = conf->home->enrol.statement_age,
		.secret = work->has_secret ? work->secret : NULL,
		.csr_sha256 = work->has_csr ? work->csr_sha256 : NULL,
		.grant = grant,
		.key_hash = key_hash,
	};
	int found;

	work->judged = true;
	work->pending = false;
	work->reason = REFUSAL_NONE;
	if (enrol_device(work, store, grant, err) != 0)
		return -1;
	if (!work->found) {
		pthread_rwlock_rdlock(&work->enrol->anchors);
		found = enrol_proof_find(
		    &ask, &work->device, store, now, &work->proof, &work->reason, err);
		pthread_rwlock_unlock(&work->enrol->anchors);
		if (found != 0)
			return -1;
	}
	work->found = true;
	if (enrol_proof_weigh(&ask, &work->proof, &work->device, store, now, &work->reason, err) !=
		0 ||
	    enrol_identity(work, grant, err) != 0)
		return -1;
	if (!work->device.approved) {
		work->pending = true;
		return err_set(err, FAIL_UNAVAILABLE, "device %s: waits for an operator's approval",
		    work->registered);
	}
	return 0;
}

/*
 * A certificate of ours that was followed by another proves a retry, but nothing new: who has an
 * old key does not take the device over, and a hold of the newer one is not passed by.
 */
static int
enrol_current(struct enrol_work *work, struct store *store, time_t now, struct err *err)
{
	int64_t certificate = work->proof.certificate, current;

	if (certificate == 0)
		return 0;
	if (store_device_current(store, certificate, now, &current, err) != 0)
		return -1;
	if (current == certificate)
		return 0;
	work->reason = REFUSAL_CONFLICT;
	return err_set(err, FAIL_CONFLICT,
	    "certificate: was followed by another one of device %s, which is to be presented",
	    work->registered);
}

/* Limits of what is about to be made: the device's own, then everybody's, which counts once. */
static int
enrol_fresh(
    struct issue_task *issue, struct store *store, bool recording, time_t now, struct err *err)
{
	struct enrol_work *work = issue->request.gate_ctx;
	long quota = work->enrol->conf.home->enrol.device_per_day;
	int64_t n;

	if (enrol_current(work, store, now, err) != 0)
		return -1;
	if (store_device_issued(store, &work->device.eui, now - ENROL_QUOTA_S, &n, err) != 0)
		return -1;
	if (n >= quota) {
		work->reason = REFUSAL_QUOTA;
		return err_set(err, FAIL_LIMIT,
		    "device %s: has had %lld certificates in 24 hours, %ld are allowed",
		    work->registered, (long long)n, quota);
	}
	if (recording || work->admitted)
		return 0;
	if (enrol_limit_take(&work->enrol->limit, clock_mono_us(), err) != 0) {
		work->reason = REFUSAL_CEILING;
		return -1;
	}
	work->admitted = true;
	return 0;
}

static int
enrol_recorded(struct issue_task *issue, struct store *store, const struct store_actor *actor,
    const uint8_t key_hash[SHA256_LEN], const struct issue_result *result, struct err *err)
{
	struct enrol_work *work = issue->request.gate_ctx;
	int64_t device = work->device.id;

	if (work->task->request.has_secret &&
	    store_device_bind_secret(store, device, key_hash, err) != 0)
		return -1;
	if (result->replaces != 0)
		return store_device_event(store, actor, "rekey", device, result->id, err);
	return 0;
}

/* ---- the request itself ---- */

/* Before anything else is known of it, a refusal is counted under the device that is claimed. */
static int
enrol_read_claim(struct enrol_work *work, struct store *reader, struct err *err)
{
	const struct enrol_request *request = &work->task->request;
	const struct eui64 *claim = enrol_claim(request);
	struct err why;

	if (claim != NULL && store_device_get(reader, claim, &work->device, &why) == 0) {
		hex_encode(claim->octets, EUI64_LEN, work->registered);
	} else if (claim != NULL && why.code != FAIL_NOT_FOUND) {
		*err = why;
		return -1;
	}
	/* Whether there is such a device or not: nobody can tell by the time it takes. */
	if (request->has_secret) {
		work->has_secret = enrol_secret_hmac(work->enrol->conf.pepper, &request->secret_eui,
				       request->secret, work->secret, &why) == 0;
		if (!work->has_secret && why.code != FAIL_INVALID) {
			*err = why;
			return -1;
		}
	}
	return 0;
}

static int
enrol_read_csr(struct enrol_work *work, const char **profile, struct err *err)
{
	const struct enrol_request *request = &work->task->request;
	struct buf *der = &work->issue->request.csr;
	struct csr csr;

	if (request->csr.len == 0) {
		if (request->kind == ENROL_SERVER_KEY && request->has_statement)
			return 0;
		return err_set(err, FAIL_INVALID, "csr: RFC 7030 4.2.1: there is none");
	}
	if (csr_decode(request->csr.data, request->csr.len, der, err) != 0) {
		work->reason = REFUSAL_FORM;
		return -1;
	}
	if (csr_parse(der->data, der->len, &csr, err) != 0 ||
	    ((*profile)[0] == '\0' && profile_pick(&csr, profile, err) != 0))
		return -1;
	require(EVP_Digest(der->data, der->len, work->csr_sha256, NULL, EVP_sha256(), NULL) == 1);
	work->has_csr = true;
	return 0;
}

static int
enrol_read_profile(struct enrol_work *work, const char *name, struct err *err)
{
	work->reason = REFUSAL_PROFILE;
	if (name[0] == '\0')
		return err_set(
		    err, FAIL_INVALID, "profile: none is named, and there is no request");
	work->profile = profiles_get(work->enrol->conf.profiles, name);
	if (work->profile == NULL)
		return err_set(err, FAIL_NOT_FOUND, "profile %s: there is none of this name", name);
	if (work->profile->kind != PROFILE_DEVICE || !work->profile->enrol)
		return err_set(
		    err, FAIL_DENIED, "profile %s: devices do not enrol for it themselves", name);
	if (work->task->request.kind == ENROL_SERVER_KEY && !work->profile->server_key)
		return err_set(
		    err, FAIL_DENIED, "profile %s: RFC 7030 4.4: no keys are made for it", name);
	work->reason = REFUSAL_NONE;
	return 0;
}

/* Form and profile; proof of possession and what the profile grants are read by issue.c. */
static int
enrol_read(struct enrol_work *work, struct store *reader, struct err *err)
{
	static const struct issue_gate gate = { enrol_check, enrol_fresh, enrol_recorded };
	const struct enrol_request *request = &work->task->request;
	struct issue_request *issue = &work->issue->request;
	const char *profile = request->profile;

	if (enrol_read_claim(work, reader, err) != 0 ||
	    (request->has_statement && statement_check(&request->statement, err) != 0) ||
	    enrol_read_csr(work, &profile, err) != 0 || enrol_read_profile(work, profile, err) != 0)
		return -1;
	memcpy(issue->profile, work->profile->name, sizeof(issue->profile));
	issue->uid = ACTOR_FRONT;
	issue->replace = request->kind != ENROL_FIRST;
	issue->server_key = request->kind == ENROL_SERVER_KEY;
	issue->gate = &gate;
	if (issue->server_key && request->has_statement) {
		issue->device = request->statement.eui;
		memcpy(issue->hw_type, request->statement.hw_type, sizeof(issue->hw_type));
	}
	return 0;
}

void
enrol_run(struct enrol *enrol, struct enrol_task *task, struct store *reader)
{
	struct enrol_work *work = task->work;
	struct err err;

	if (work == NULL) {
		work = mem_alloc(sizeof(*work));
		work->enrol = enrol;
		work->task = task;
		work->issue = issue_task_new();
		work->issue->request.gate_ctx = work;
		work->issue->done = enrol_issued;
		work->issue->arg = task->arg;
		task->work = work;
		if (enrol_read(work, reader, &err) != 0) {
			enrol_failed(work, &err);
			return;
		}
	}
	issue_run(enrol->conf.issue, work->issue, reader);
}
