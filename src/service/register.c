/*
 * The register for operators: the rules of what may stand in it, and the jobs that change it. The
 * life cycle itself is the database's. No certificate is touched here.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "record.h"
#include "smki/der.h"
#include "smki/hex.h"
#include "smki/mem.h"
#include "smki/register.h"

/* ---- rules ---- */

int
register_names_load(const struct home *home, struct register_names *out, struct err *err)
{
	struct regions *regions = NULL;
	struct anchors anchors = { 0 };
	struct err why;

	if (anchors_load(home, &anchors, err) != 0)
		return -1;
	if (regions_load(home, &regions, &why) != 0 && why.code != FAIL_NOT_FOUND) {
		*err = why;
		anchors_free(&anchors);
		return -1;
	}
	memset(out, 0, sizeof(*out));
	for (size_t i = 0; i < anchors.n; i++)
		snprintf(out->manufacturer[out->n_manufacturers++], NAME_LEN, "%s",
		    anchor_manufacturer(anchors.anchor[i]));
	for (size_t i = 0; regions != NULL && i < regions->n; i++)
		snprintf(out->region[out->n_regions++], NAME_LEN, "%s", regions->region[i].name);
	anchors_free(&anchors);
	free(regions);
	return 0;
}

static int
register_knows(const char (*names)[NAME_LEN], size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(names[i], name) == 0)
			return 1;
	return 0;
}

int
register_check(const struct register_names *names, const struct device *device, struct err *err)
{
	uint8_t oid[OID_DER_MAX];
	size_t len;

	if (oid_from_text(device->hw_type, oid, &len) != 0)
		return err_set(err, FAIL_INVALID,
		    "hw_type: \"%s\" is no object identifier in dotted form", device->hw_type);
	if (!utf8_shown(device->model, strlen(device->model)))
		return err_set(
		    err, FAIL_INVALID, "model: is not UTF-8 text without control characters");
	/* Under a manufacturer without anchors a device could never prove itself by IDevID, in a
	 * region without endpoints it would be told none. */
	if (device->manufacturer[0] != '\0' &&
	    !register_knows(names->manufacturer, names->n_manufacturers, device->manufacturer))
		return err_set(err, FAIL_INVALID,
		    "manufacturer: \"%s\" has no section in " HOME_MANUFACTURERS,
		    device->manufacturer);
	if (device->region[0] != '\0' &&
	    !register_knows(names->region, names->n_regions, device->region))
		return err_set(err, FAIL_INVALID, "region: \"%s\" has no section in " HOME_REGIONS,
		    device->region);
	if ((device->proofs & DEVICE_PROOF_IDEVID) != 0 && device->manufacturer[0] == '\0')
		return err_set(err, FAIL_INVALID,
		    "proof: idevid needs a manufacturer, whose anchors it is verified under");
	if (device->end_to_end && device->proofs == 0)
		return err_set(err, FAIL_INVALID,
		    "proof: end-to-end needs one of idevid, secret, key beside it");
	return 0;
}

static const char *const device_states[] = {
	[DEVICE_ACTIVE] = "active",
	[DEVICE_HOLD] = "hold",
	[DEVICE_RETIRED] = "retired",
};

const char *
device_state_str(enum device_state state)
{
	return device_states[state];
}

int
device_state_parse(const char *text, enum device_state *out, struct err *err)
{
	for (size_t i = 0; i < ARRAY_LEN(device_states); i++)
		if (strcmp(device_states[i], text) == 0) {
			*out = (enum device_state)i;
			return 0;
		}
	return err_set(err, FAIL_INVALID, "state: \"%s\" is none of active, hold, retired", text);
}

const char *
device_action_str(enum device_action action)
{
	switch (action) {
	case DEVICE_DO_APPROVE:
		return "approve";
	case DEVICE_DO_HOLD:
		return "hold";
	case DEVICE_DO_RELEASE:
		return "release";
	case DEVICE_DO_RETIRE:
		return "retire";
	}
	return "?";
}

void
register_proofs_text(const struct device *device, char out[REGISTER_PROOFS_LEN])
{
	snprintf(out, REGISTER_PROOFS_LEN, "%s%s%s%s",
	    (device->proofs & DEVICE_PROOF_IDEVID) != 0 ? "+idevid" : "",
	    (device->proofs & DEVICE_PROOF_SECRET) != 0 ? "+secret" : "",
	    (device->proofs & DEVICE_PROOF_KEY) != 0 ? "+key" : "",
	    device->end_to_end ? "+end-to-end" : "");
	if (out[0] == '+')
		memmove(out, out + 1, strlen(out));
}

/* ---- tasks ---- */

static void
register_committed(struct commit_job *job, const struct err *err)
{
	struct register_task *task = (struct register_task *)job;

	if (err == NULL && task->recorded != 0)
		timeguard_note(task->guard, task->recorded);
	task->done(task, err);
}

static void
register_put(struct committer *committer, struct register_task *task, enum commit_lane lane,
    int (*apply)(struct commit_job *job, struct store *store, struct err *err))
{
	struct err err;

	task->job.lane = lane;
	task->job.apply = apply;
	task->job.done = register_committed;
	if (committer_put(committer, &task->job, &err) != 0)
		task->done(task, &err);
}

/* Who writes the event of this task, and when. */
static int
register_actor(struct register_task *task, struct store *store, const char *detail,
    struct store_actor *out, struct err *err)
{
	task->recorded = 0;
	return record_actor(store, task->uid, detail, out, err);
}

static int
register_add_apply(struct commit_job *job, struct store *store, struct err *err)
{
	struct register_add_task *t = (struct register_add_task *)job;
	struct store_actor actor;
	int64_t id;

	if (register_actor(&t->task, store, NULL, &actor, err) != 0 ||
	    store_device_add(store, &actor, &t->add.device, &id, err) != 0 ||
	    store_device_get(store, &t->add.device.eui, &t->added.device, err) != 0)
		return -1;
	t->task.recorded = actor.now;
	return 0;
}

void
register_add_run(struct committer *committer, const struct register_names *names,
    struct span pepper, struct register_add_task *t)
{
	struct device *device = &t->add.device;
	struct err err;

	if (t->add.make_secret)
		device->proofs |= DEVICE_PROOF_SECRET;
	if (register_check(names, device, &err) != 0)
		goto out;
	/* Nobody knows a secret that was not made here. */
	if (!t->add.make_secret && (device->proofs & DEVICE_PROOF_SECRET) != 0) {
		err_set(&err, FAIL_INVALID, "proof: a secret is made here, or imported");
		goto out;
	}
	if (t->add.make_secret &&
	    enrol_secret_make(pepper, &device->eui, t->added.secret, device->secret, &err) != 0)
		goto out;
	register_put(committer, &t->task, COMMIT_OTHER, register_add_apply);
	return;
out:
	t->task.done(&t->task, &err);
}

static int
register_secret_apply(struct commit_job *job, struct store *store, struct err *err)
{
	struct register_secret_task *t = (struct register_secret_task *)job;
	char eui[2 * EUI64_LEN + 1];
	struct store_actor actor;

	if (register_actor(&t->task, store, NULL, &actor, err) != 0 ||
	    store_device_get(store, &t->eui, &t->added.device, err) != 0)
		return -1;
	if (t->added.device.state == DEVICE_RETIRED) {
		hex_encode(t->eui.octets, EUI64_LEN, eui);
		return err_set(err, FAIL_CONFLICT, "device %s: is retired", eui);
	}
	if (store_device_set_secret(store, &actor, t->added.device.id, t->hmac, err) != 0 ||
	    store_device_get(store, &t->eui, &t->added.device, err) != 0)
		return -1;
	t->task.recorded = actor.now;
	return 0;
}

void
register_secret_run(struct committer *committer, struct span pepper, struct register_secret_task *t)
{
	struct err err;

	if (enrol_secret_make(pepper, &t->eui, t->added.secret, t->hmac, &err) != 0)
		t->task.done(&t->task, &err);
	else
		register_put(committer, &t->task, COMMIT_OTHER, register_secret_apply);
}

static int
register_change_apply(struct commit_job *job, struct store *store, struct err *err)
{
	struct register_change_task *t = (struct register_change_task *)job;
	struct register_changed *changed = &t->changed;
	struct store_actor actor;
	bool made = false;

	if (register_actor(&t->task, store, NULL, &actor, err) != 0 ||
	    store_device_get(store, &t->change.eui, &changed->device, err) != 0 ||
	    store_device_change(store, &actor, changed->device.id, t->change.action, &made, err) !=
		0 ||
	    store_device_get(store, &t->change.eui, &changed->device, err) != 0)
		return -1;
	changed->already = !made;
	if (made)
		t->task.recorded = actor.now;
	return 0;
}

void
register_change_run(struct committer *committer, struct register_change_task *t)
{
	register_put(committer, &t->task, COMMIT_STATE, register_change_apply);
}

/* ---- imports ---- */

static int
register_begin_apply(struct commit_job *job, struct store *store, struct err *err)
{
	struct register_begin_task *t = (struct register_begin_task *)job;
	struct store_actor actor;

	if (register_actor(&t->task, store, NULL, &actor, err) != 0)
		return -1;
	return store_import_begin(store, &actor, t->name, &t->import, err);
}

void
register_begin_run(struct committer *committer, struct register_begin_task *t)
{
	register_put(committer, &t->task, COMMIT_OTHER, register_begin_apply);
}

static int
register_row_prepare(struct device *device, char secret[ENROL_SECRET_MAX + 1],
    const struct register_names *names, struct span pepper, struct err *err)
{
	bool proof = (device->proofs & DEVICE_PROOF_SECRET) != 0;
	int r = 0;

	if (register_check(names, device, err) != 0)
		return -1;
	if (proof != (secret[0] != '\0'))
		return err_set(err, FAIL_INVALID, "secret: goes with proof secret, and only so");
	if (proof)
		r = enrol_secret_hmac(pepper, &device->eui, secret, device->secret, err);
	OPENSSL_cleanse(secret, ENROL_SECRET_MAX + 1);
	return r;
}

int
register_chunk_prepare(struct register_chunk *chunk, const struct register_names *names,
    struct span pepper, struct err *err)
{
	char eui[2 * EUI64_LEN + 1];

	for (size_t i = 0; i < chunk->n; i++)
		if (register_row_prepare(&chunk->device[i], chunk->secret[i], names, pepper, err) !=
		    0) {
			hex_encode(chunk->device[i].eui.octets, EUI64_LEN, eui);
			return err_prefix(err, "device %s", eui);
		}
	return 0;
}

/* The store stops at a row that is known; it is noted, and the next one tried. */
static int
register_rows_apply(struct commit_job *job, struct store *store, struct err *err)
{
	struct register_rows_task *t = (struct register_rows_task *)job;
	const struct register_chunk *chunk = &t->chunk;
	struct store_actor actor;
	size_t bad;

	t->result.n = 0;
	if (register_actor(&t->task, store, NULL, &actor, err) != 0)
		return -1;
	for (size_t at = 0; at < chunk->n; at += bad + 1) {
		bad = SIZE_MAX;
		if (store_import_add(store, &actor, chunk->import, chunk->device + at,
			chunk->n - at, &bad, err) == 0)
			break;
		if (err->code != FAIL_CONFLICT || bad >= chunk->n - at)
			return -1;
		t->result.row[t->result.n++] = (uint32_t)(at + bad);
	}
	return 0;
}

void
register_rows_run(struct committer *committer, struct register_rows_task *t)
{
	require(t->chunk.n <= REGISTER_CHUNK_MAX);
	register_put(committer, &t->task, COMMIT_OTHER, register_rows_apply);
}

static int
register_finish_apply(struct commit_job *job, struct store *store, struct err *err)
{
	struct register_finish_task *t = (struct register_finish_task *)job;
	struct store_actor actor;

	if (register_actor(&t->task, store, NULL, &actor, err) != 0 ||
	    store_import_finish(store, &actor, t->import, t->count, err) != 0)
		return -1;
	t->task.recorded = actor.now;
	return 0;
}

void
register_finish_run(struct committer *committer, struct register_finish_task *t)
{
	register_put(committer, &t->task, COMMIT_OTHER, register_finish_apply);
}

/* ---- questions ---- */

/* Keep the newest REGISTER_EVENTS_MAX. */
static int
register_find_event(void *ctx, const struct store_event *event, struct err *err)
{
	struct register_found *found = ctx;

	if (found->n_events == REGISTER_EVENTS_MAX) {
		found->n_events--;
		memmove(found->event, found->event + 1, found->n_events * sizeof(*found->event));
	}
	found->event[found->n_events++] = *event;
	return 0;
}

int
register_find(
    struct store *reader, const struct eui64 *eui, struct register_found *out, struct err *err)
{
	char text[2 * EUI64_LEN + 1];
	int r = -1;

	memset(out, 0, sizeof(*out));
	hex_encode(eui->octets, EUI64_LEN, text);
	/* One view, so that what is told belongs together. */
	if (store_view_begin(reader, err) != 0)
		return -1;
	if (store_device_get(reader, eui, &out->device, err) == 0 &&
	    store_certs_by_holder(reader, HOLDER_DEVICE, eui->octets, EUI64_LEN, out->cert,
		REGISTER_CERTS_MAX, &out->n_certs, err) == 0 &&
	    store_refusals_of(
		reader, text, out->refusal, REGISTER_REFUSALS_MAX, &out->n_refusals, err) == 0)
		r = store_device_event_each(reader, out->device.id, register_find_event, out, err);
	store_view_end(reader);
	return r;
}
