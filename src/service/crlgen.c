/*
 * Making and publishing CRLs, in the order that a crash at any instant forgives: number
 * committed, file written and fsynced, row committed, renamed. Entries stream from one view of
 * the database; none is kept. Which bytes make a CRL is core/crl.c's.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crlgen_file.h"
#include "record.h"
#include "smki/crl.h"
#include "smki/crlgen.h"
#include "smki/fault.h"
#include "smki/mem.h"

/* Octets gathered before they are hashed and written. */
#define CRLGEN_CHUNK 65536
/* A list handed in may be dated this much after our clock. */
#define CRLGEN_AHEAD_MAX CLOCK_BACK_MAX

/*
 * One list in the making. The entries pass three times, always the same ones of one view: to be
 * measured, because the length stands before them; to be hashed for the signature; to be written.
 */
struct crlgen_list {
	struct store *view;
	const struct crl_which *which;
	struct crl_params params;
	int64_t base_event; /* of a delta */
	struct buf chunk;
	EVP_MD_CTX *md;		/* over the TBSCertList; NULL = only measuring */
	struct crlgen_out *out; /* NULL = not writing */
	int64_t entries;
	uint64_t entries_len;
};

/* Hash and write what was gathered. */
static int
crlgen_flush(struct crlgen_list *list, struct err *err)
{
	if (list->md != NULL && EVP_DigestUpdate(list->md, list->chunk.data, list->chunk.len) != 1)
		return err_ssl(err, FAIL_INTERNAL, "crl: hash");
	if (list->out != NULL &&
	    crlgen_out_put(list->out, list->chunk.data, list->chunk.len, err) != 0)
		return -1;
	buf_reset(&list->chunk);
	return 0;
}

static int
crlgen_entry(void *ctx, const struct store_listed *listed, struct err *err)
{
	struct crlgen_list *list = ctx;
	struct crl_entry entry = {
		.serial = listed->serial,
		.revoked_at = listed->changed,
		.reason = listed->reason,
		.invalid_since = listed->invalid_since,
	};

	list->entries_len += list->which->kind == CRL_DELTA
				 ? crl_delta_entry_put(&list->chunk, &entry)
				 : crl_entry_put(&list->chunk, &entry);
	list->entries++;
	if (list->md == NULL) {
		buf_reset(&list->chunk);
		return 0;
	}
	return list->chunk.len >= CRLGEN_CHUNK ? crlgen_flush(list, err) : 0;
}

static int
crlgen_entries(struct crlgen_list *list, struct err *err)
{
	return store_list_each(list->view, list->which, list->base_event, crlgen_entry, list, err);
}

/*
 * The TBSCertList once through the hash, and into list->out if there is one, behind the outer
 * header (sig_len decides that one's length). digest gets ec_digest's for the CA's curve.
 */
static int
crlgen_pass(struct crlgen_list *list, size_t sig_len, uint8_t digest[SHA384_LEN],
    unsigned *digest_len, struct err *err)
{
	const EVP_MD *hash = list->params.curve == EC_P256 ? EVP_sha256() : EVP_sha384();
	uint64_t measured = list->entries_len;
	int64_t entries = list->entries;
	size_t tbs_at;
	int r = -1;

	list->md = EVP_MD_CTX_new();
	if (list->md == NULL || EVP_DigestInit_ex(list->md, hash, NULL) != 1) {
		err_ssl(err, FAIL_INTERNAL, "crl: hash");
		goto out;
	}
	crl_head_put(&list->chunk, &list->params, measured, sig_len, &tbs_at);
	/* The outer header is written, not signed. */
	if (list->out != NULL && crlgen_out_put(list->out, list->chunk.data, tbs_at, err) != 0)
		goto out;
	memmove(list->chunk.data, list->chunk.data + tbs_at, list->chunk.len - tbs_at);
	list->chunk.len -= tbs_at;
	list->entries_len = 0;
	list->entries = 0;
	if (crlgen_entries(list, err) != 0)
		goto out;
	if (list->entries_len != measured || list->entries != entries) {
		err_set(err, FAIL_INTERNAL, "crl: the view of the database moved");
		goto out;
	}
	crl_tail_put(&list->chunk, &list->params);
	if (crlgen_flush(list, err) != 0)
		goto out;
	if (EVP_DigestFinal_ex(list->md, digest, digest_len) != 1) {
		err_ssl(err, FAIL_INTERNAL, "crl: hash");
		goto out;
	}
	r = 0;
out:
	buf_reset(&list->chunk);
	EVP_MD_CTX_free(list->md);
	list->md = NULL;
	return r;
}

/* Sign the list and write it whole to a new file, synced. What was written is what was signed. */
static int
crlgen_write(struct crlgen_list *list, const struct ca *ca, struct crlgen_out *out, struct err *err)
{
	uint8_t signed_digest[SHA384_LEN], digest[SHA384_LEN];
	unsigned signed_len, len;
	struct buf sig = { 0 }, end = { 0 };
	int r = -1;

	if (crlgen_pass(list, 0, signed_digest, &signed_len, err) != 0 ||
	    sign_digest(&ca->signer, signed_digest, signed_len, &sig, err) != 0)
		goto out;
	list->out = out;
	if (crlgen_pass(list, sig.len, digest, &len, err) != 0)
		goto out;
	if (len != signed_len || memcmp(digest, signed_digest, len) != 0) {
		err_set(err, FAIL_INTERNAL, "crl: the list written is not the list signed");
		goto out;
	}
	crl_close_put(&end, list->params.curve, buf_span(&sig));
	if (crlgen_out_put(out, end.data, end.len, err) != 0 || crlgen_out_sync(out, err) != 0)
		goto out;
	fault_point("crl.written");
	r = 0;
out:
	list->out = NULL;
	buf_free(&sig);
	buf_free(&end);
	return r;
}

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
 * that one was dated by a clock which an administrator has set back since. */
static int
crlgen_this_update(struct store *reader, const struct ca *ca, const struct crl_which *which,
    time_t now, time_t *this_update, struct err *err)
{
	struct store_crl newest;
	int64_t accepted;
	struct err why;

	*this_update = now;
	if (store_list_last(reader, which, &newest, &why) != 0) {
		if (why.code == FAIL_NOT_FOUND)
			return 0;
		*err = why;
		return -1;
	}
	if (newest.this_update <= now)
		return 0;
	if (store_clock_accepted(reader, &accepted, err) != 0)
		return -1;
	if (accepted > newest.event)
		return 0;
	if (newest.this_update > now + CLOCK_BACK_MAX)
		return err_set(err, FAIL_UNAVAILABLE,
		    "crl of ca %s: RFC 5280 5.1.2.4: the newest list is dated %lld s after the "
		    "clock",
		    ca->name, (long long)(newest.this_update - now));
	*this_update = newest.this_update;
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

/* The list of one view, signed and written. The number is taken; row gets the rest. */
static int
crlgen_compose(const struct crlgen_conf *conf, const struct ca *ca,
    const struct crlgen_scope *scope, struct crlgen_list *list, struct crlgen_out *file,
    struct store_crl *row, struct err *err)
{
	char stem[CRL_STEM_MAX];
	time_t event_time;
	int r = -1;

	if (store_view_begin(list->view, err) != 0)
		return -1;
	if (store_event_newest(list->view, &row->event, &event_time, err) != 0)
		goto out;
	/* What the list shows did not happen after it. */
	if (event_time > row->this_update)
		row->this_update = event_time;
	crlgen_params(ca, scope, row->number, row->this_update, conf->validity, &list->params);
	crlgen_stem(ca->name, list->which, stem);
	if (crlgen_entries(list, err) != 0 ||
	    crlgen_out_open(conf->dir, stem, row->number, file, err) != 0 ||
	    crlgen_write(list, ca, file, err) != 0)
		goto out;
	row->next_update = list->params.next_update;
	row->entries = list->entries;
	r = 0;
out:
	store_view_end(list->view);
	return r;
}

int
crlgen_make(const struct crlgen_conf *conf, const struct ca *ca, const struct crl_which *which,
    struct store *reader, long uid, struct store_crl *out, struct err *err)
{
	struct crlgen_take take = { .job = { .lane = COMMIT_OTHER, .apply = crlgen_take_apply },
		.which = which };
	struct crlgen_list list = { .view = reader, .which = which };
	struct store_crl row = { .ca = ca->id };
	struct crlgen_out file = { .fd = -1 };
	struct crlgen_scope scope;
	time_t now;
	int r = -1;

	require(which->ca == ca->id);
	if (ca->root || !ca->has_key)
		return err_set(err, FAIL_DENIED, "crl of ca %s: %s", ca->name,
		    ca->root ? "the root signs in the ceremony only: smki ca crl root"
			     : "its key is not here");
	if (timeguard_now(conf->guard, &now, err) != 0 ||
	    crlgen_this_update(reader, ca, which, now, &row.this_update, err) != 0 ||
	    crlgen_scope_get(conf, ca, which, reader, &scope, err) != 0 ||
	    crlgen_published(conf->dir, ca->name, which, &take.published, err) != 0 ||
	    committer_run(conf->committer, &take.job, err) != 0)
		return -1;
	fault_point("crl.taken");
	row.number = take.number;
	row.base = scope.base;
	list.base_event = scope.base_event;
	if (crlgen_compose(conf, ca, &scope, &list, &file, &row, err) != 0 ||
	    crlgen_finish(conf, ca, which, reader, &file, &row, uid, err) != 0)
		goto out;
	*out = row;
	r = 0;
out:
	crlgen_out_close(&file);
	buf_free(&list.chunk);
	return r;
}

/* ---- lists signed elsewhere ---- */

/* The entries of a CRL against the database, one by one. */
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
