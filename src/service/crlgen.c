/*
 * Making and publishing CRLs, in the order that a crash at any instant forgives: number
 * committed, file written and fsynced, row committed, renamed. The file's bytes are
 * crlgen_list.c's.
 */
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "crlgen_list.h"
#include "record.h"
#include "smki/crl.h"
#include "smki/crlgen.h"
#include "smki/fault.h"
#include "smki/mem.h"

/* Looks at the clock for a time that no list has: it may be behind by as much as is let pass. */
#define CRLGEN_PAUSES_MAX (CLOCK_BACK_MAX + 2)
/* A list handed in may be dated this much after our clock. */
#define CRLGEN_AHEAD_MAX CLOCK_BACK_MAX

/* ---- the two transactions ---- */

struct crlgen_take {
	struct commit_job job; /* first */
	const struct crl_which *which;
	int64_t published;
	int64_t number;
};

int
crlgen_take(struct store *store, const struct crl_which *which, int64_t published, time_t now,
    int64_t *number, struct err *err)
{
	int64_t taken = 0;

	for (int i = 0; i < CRL_SKIP_MAX; i++) {
		if (store_list_take(store, which, now, &taken, err) != 0)
			return -1;
		if (taken > published) {
			*number = taken;
			return 0;
		}
	}
	return err_set(err, FAIL_CONFLICT,
	    "crl: RFC 5280 5.2.3: number %" PRId64 " stands published, %" PRId64 " would be next",
	    published, taken + 1 - CRL_SKIP_MAX);
}

static int
crlgen_take_apply(struct commit_job *job, struct store *store, struct err *err)
{
	struct crlgen_take *take = (struct crlgen_take *)job;
	struct store_actor actor;

	if (record_actor(store, ACTOR_SELF, NULL, &actor, err) != 0)
		return -1;
	return crlgen_take(store, take->which, take->published, actor.now, &take->number, err);
}

struct crlgen_finish {
	struct commit_job job; /* first */
	long uid;
	const struct crl_which *which;
	const struct store_crl *row;
	time_t recorded;
};

static int
crlgen_finish_apply(struct commit_job *job, struct store *store, struct err *err)
{
	struct crlgen_finish *finish = (struct crlgen_finish *)job;
	struct store_actor actor;

	if (record_actor(store, finish->uid, NULL, &actor, err) != 0)
		return -1;
	finish->recorded = actor.now;
	return store_list_finish(store, &actor, finish->which, finish->row, err);
}

/* From the synced new file to the published one. After the row is committed nothing is undone. */
static int
crlgen_finish(const struct crlgen_conf *conf, const struct ca *ca, const struct crl_which *which,
    struct store *reader, struct crlgen_out *out, struct store_crl *row, long uid, struct err *err)
{
	struct crlgen_finish finish = {
		.job = { .lane = COMMIT_OTHER, .apply = crlgen_finish_apply },
		.uid = uid,
		.which = which,
		.row = row,
	};

	row->size = (int64_t)out->size;
	memcpy(row->sha256, out->sha256, sizeof(row->sha256));
	if (committer_run(conf->committer, &finish.job, err) != 0)
		return -1;
	timeguard_note(conf->guard, finish.recorded);
	fault_point("crl.finished");
	if (crlgen_out_publish(out, err) != 0)
		return -1;
	fault_point("crl.renamed");
	return crlgen_prune(conf, ca, which, reader, err);
}

/* thisUpdate: now, and never before that of the list before (RFC 5280 5.1.2.4, schema) - unless
 * that one was dated by a clock which an administrator has set back since. taken: to wait helps,
 * since that one has the same, or one that the clock will reach within CLOCK_BACK_MAX. */
static int
crlgen_this_update(struct store *reader, const struct ca *ca, const struct crl_which *which,
    time_t now, time_t *this_update, bool *taken, struct err *err)
{
	struct store_crl newest;
	int64_t accepted;
	struct err why;

	*this_update = now;
	*taken = false;
	if (store_list_last(reader, which, &newest, &why) != 0) {
		if (why.code == FAIL_NOT_FOUND)
			return 0;
		*err = why;
		return -1;
	}
	*taken = newest.this_update >= now;
	if (newest.this_update <= now)
		return 0;
	if (store_clock_accepted(reader, &accepted, err) != 0)
		return -1;
	if (accepted > newest.event) {
		*taken = false;
		return 0;
	}
	if (newest.this_update > now + CLOCK_BACK_MAX)
		return err_set(err, FAIL_UNAVAILABLE,
		    "crl of ca %s: RFC 5280 5.1.2.4: the newest list is dated %lld s after the "
		    "clock",
		    ca->name, (long long)(newest.this_update - now));
	*this_update = newest.this_update;
	return 0;
}

/* A time that no list of the same sequence has, where there is somebody who waits for it. */
static int
crlgen_time(const struct crlgen_conf *conf, const struct ca *ca, const struct crl_which *which,
    struct store *reader, time_t *this_update, struct err *err)
{
	bool taken = true;
	time_t now;

	for (int i = 0; taken && i < CRLGEN_PAUSES_MAX; i++) {
		if (i > 0)
			conf->pause();
		if (timeguard_now(conf->guard, &now, err) != 0 ||
		    crlgen_this_update(reader, ca, which, now, this_update, &taken, err) != 0)
			return -1;
		if (conf->pause == NULL)
			break;
	}
	return 0;
}

/* What a list of this kind says of itself and must be there before a number is taken. */
struct crlgen_scope {
	int64_t base, base_event; /* a delta's */
	char freshest[URI_MAX];	  /* "" = not told */
	struct store_shard shard; /* a shard's */
};

static int
crlgen_scope_get(const struct crlgen_conf *conf, const struct ca *ca, const struct crl_which *which,
    struct store *reader, struct crlgen_scope *out, struct err *err)
{
	const struct crl_which delta = { .ca = ca->id, .kind = CRL_DELTA };
	struct store_crl base;

	*out = (struct crlgen_scope){ .base = 0 };
	switch (which->kind) {
	case CRL_COMPLETE:
		return conf->deltas ? caset_list_uri(ca, &delta, out->freshest, err) : 0;
	case CRL_DELTA:
		if (store_crl_newest(reader, ca->id, &base, err) != 0) {
			if (err->code == FAIL_NOT_FOUND)
				err_set(err, FAIL_CONFLICT,
				    "delta crl of ca %s: RFC 5280 5.2.4: there is no complete list "
				    "to continue",
				    ca->name);
			return -1;
		}
		out->base = base.number;
		out->base_event = base.event;
		return 0;
	case CRL_SHARD:
		if (store_shard_get(reader, ca->id, which->shard, &out->shard, err) == 0)
			return 0;
		return err_prefix(err, "ca %s, shard %" PRId64, ca->name, which->shard);
	}
	return err_set(err, FAIL_INTERNAL, "crl: no such kind");
}

static void
crlgen_params(const struct ca *ca, const struct crlgen_scope *scope, int64_t number,
    time_t this_update, long validity, struct crl_params *out)
{
	*out = (struct crl_params){
		.issuer = ca->issuer.subject,
		.ski = ca->issuer.ski,
		.curve = ca->issuer.curve,
		.number = number,
		.this_update = this_update,
		.next_update = this_update + validity,
		.base = scope->base,
		.freshest = scope->freshest[0] != '\0' ? scope->freshest : NULL,
		.shard = scope->shard.uri[0] != '\0' ? scope->shard.uri : NULL,
	};
}

/* The entries of one view, written. The number is taken; row gets what the view says. */
static int
crlgen_compose(const struct crlgen_conf *conf, const struct ca *ca,
    const struct crlgen_scope *scope, struct store *view, struct crlgen_list *list,
    struct store_crl *row, struct err *err)
{
	time_t event_time;
	int r = -1;

	if (store_view_begin(view, err) != 0)
		return -1;
	if (store_event_newest(view, &row->event, &event_time, err) != 0)
		goto out;
	/* What the list shows did not happen after it. */
	if (event_time > row->this_update)
		row->this_update = event_time;
	crlgen_params(ca, scope, row->number, row->this_update, conf->validity, &list->params);
	if (crlgen_list_scan(list, view, err) != 0)
		goto out;
	row->next_update = list->params.next_update;
	row->entries = list->entries;
	r = 0;
out:
	store_view_end(view);
	return r;
}

int
crlgen_make(const struct crlgen_conf *conf, const struct ca *ca, const struct crl_which *which,
    struct store *reader, long uid, struct store_crl *out, struct err *err)
{
	struct crlgen_take take = { .job = { .lane = COMMIT_OTHER, .apply = crlgen_take_apply },
		.which = which,
		.published = crlgen_ahead_number(conf->ahead, which) };
	struct crlgen_out file = { .fd = -1 };
	struct crlgen_list list = { .which = which, .out = &file };
	struct store_crl row = { .ca = ca->id };
	char stem[CRL_STEM_MAX];
	struct crlgen_scope scope;
	int r = -1;

	require(which->ca == ca->id);
	if (ca->root || !ca->has_key)
		return err_set(err, FAIL_DENIED, "crl of ca %s: %s", ca->name,
		    ca->root ? "the root signs in the ceremony only: smki ca crl root"
			     : "its key is not here");
	if (crlgen_time(conf, ca, which, reader, &row.this_update, err) != 0 ||
	    crlgen_scope_get(conf, ca, which, reader, &scope, err) != 0)
		return -1;
	/* No number is burnt for a folder that is not there. */
	if (access(conf->dir, W_OK | X_OK) != 0)
		return err_sys(err, FAIL_UNAVAILABLE, "crl: folder %s", conf->dir);
	if (committer_run(conf->committer, &take.job, err) != 0)
		return -1;
	fault_point("crl.taken");
	row.number = take.number;
	row.base = scope.base;
	list.base_event = scope.base_event;
	crlgen_stem(ca->name, which, stem);
	if (crlgen_out_open(conf->dir, stem, row.number, &file, err) != 0 ||
	    crlgen_compose(conf, ca, &scope, reader, &list, &row, err) != 0 ||
	    crlgen_list_sign(&list, ca, err) != 0)
		goto out;
	fault_point("crl.written");
	if (crlgen_finish(conf, ca, which, reader, &file, &row, uid, err) != 0)
		goto out;
	*out = row;
	r = 0;
out:
	crlgen_out_close(&file);
	return r;
}

/* ---- lists signed elsewhere ---- */

/* The entries of a CRL against the database, one by one: whoever signed it had them from here, in
 * the order of store_listed_each(). */
struct crlgen_compare {
	struct crl crl;
	int64_t entries;
};

static int
crlgen_compare_entry(void *ctx, const struct store_listed *listed, struct err *err)
{
	struct crlgen_compare *c = ctx;
	char serial[SERIAL_TEXT_LEN];
	struct crl_entry entry;
	int got;

	serial_text(&listed->serial, serial);
	got = crl_entry_get(&c->crl, &entry, err);
	if (got < 0)
		return -1;
	if (got == 0 || !serial_eq(&entry.serial, &listed->serial) ||
	    entry.revoked_at != listed->changed || entry.reason != listed->reason ||
	    entry.invalid_since != listed->invalid_since)
		return err_set(err, FAIL_INVALID,
		    "crl: entry %" PRId64 " is not certificate %s as the database has it",
		    c->entries + 1, serial);
	c->entries++;
	return 0;
}

static int
crlgen_check_bytes(
    const struct ca *ca, const struct crl *crl, int64_t number, time_t now, struct err *err)
{
	if (!span_eq(crl->issuer, ca->issuer.subject) || !span_eq(crl->aki, ca->issuer.ski))
		return err_set(err, FAIL_INVALID,
		    "crl: RFC 5280 5.1.2.3: issuer is not ca %s by name and key identifier",
		    ca->name);
	if (crl_check_signature(crl, &ca->cert.pub, err) != 0)
		return -1;
	if (crl->number != number)
		return err_set(err, FAIL_INVALID,
		    "crl: RFC 5280 5.2.3: number %" PRId64 " is not %" PRId64 " as taken",
		    crl->number, number);
	if (crl->this_update > now + CRLGEN_AHEAD_MAX)
		return err_set(
		    err, FAIL_INVALID, "crl: RFC 5280 5.1.2.4: thisUpdate is in the future");
	if (crl->next_update <= now || crl->next_update <= crl->this_update)
		return err_set(err, FAIL_INVALID, "crl: RFC 5280 5.1.2.5: nextUpdate has passed");
	return 0;
}

/* Whether the database still says at its newest event what it said at event, and the CRL too. */
static int
crlgen_check_content(const struct ca *ca, struct store *reader, int64_t event,
    struct crlgen_compare *compare, struct err *err)
{
	struct store_ca cas[STORE_CAS_MAX];
	struct crl_entry extra;
	int64_t newest, changed = -1;
	size_t n = 0;
	time_t time;
	int got;

	if (store_event_newest(reader, &newest, &time, err) != 0 ||
	    store_ca_list(reader, cas, &n, err) != 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (cas[i].id == ca->id)
			changed = cas[i].changed_event;
	if (event < 1 || event > newest)
		return err_set(err, FAIL_INVALID, "crl: there is no event %" PRId64, event);
	if (changed > event)
		return err_set(err, FAIL_CONFLICT,
		    "crl: ca %s changed at event %" PRId64 ", after the list's %" PRId64
		    "; make it again",
		    ca->name, changed, event);
	if (store_listed_each(reader, ca->id, crlgen_compare_entry, compare, err) != 0)
		return -1;
	got = crl_entry_get(&compare->crl, &extra, err);
	if (got < 0)
		return -1;
	if (got > 0)
		return err_set(err, FAIL_INVALID, "crl: entry %" PRId64 " is not in the database",
		    compare->entries + 1);
	return 0;
}

int
crlgen_publish(const struct crlgen_conf *conf, const struct ca *ca, struct store *reader,
    int64_t number, int64_t event, struct span der, long uid, struct err *err)
{
	const struct crl_which which = { .ca = ca->id, .kind = CRL_COMPLETE };
	struct crlgen_compare compare = { 0 };
	struct crlgen_out file = { .fd = -1 };
	struct store_crl row;
	time_t now;
	int r = -1;

	if (timeguard_now(conf->guard, &now, err) != 0 ||
	    crl_parse(der.p, der.len, &compare.crl, err) != 0 ||
	    crlgen_check_bytes(ca, &compare.crl, number, now, err) != 0 ||
	    store_view_begin(reader, err) != 0)
		return -1;
	r = crlgen_check_content(ca, reader, event, &compare, err);
	store_view_end(reader);
	if (r != 0)
		return -1;
	r = -1;
	row = (struct store_crl){
		.ca = ca->id,
		.number = number,
		.event = event,
		.this_update = compare.crl.this_update,
		.next_update = compare.crl.next_update,
		.entries = compare.entries,
	};
	if (crlgen_out_open(conf->dir, ca->name, number, &file, err) != 0 ||
	    crlgen_out_put(&file, der.p, der.len, err) != 0 || crlgen_out_sync(&file, err) != 0)
		goto out;
	fault_point("crl.written");
	if (crlgen_finish(conf, ca, &which, reader, &file, &row, uid, err) != 0)
		goto out;
	r = 0;
out:
	crlgen_out_close(&file);
	return r;
}

time_t
crlgen_due(const struct store_crl *newest, int64_t changed_event, long interval, long delay)
{
	if (newest == NULL)
		return 0;
	return newest->this_update + (changed_event > newest->event ? delay : interval);
}
