/*
 * What smkid does without being asked. Runs in the keeper's one thread, so no two lists are made
 * at the same time. A failure is logged once for each cause and tried again with growing pauses.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "alarms.h"
#include "chore.h"
#include "house.h"
#include "imports.h"
#include "lane.h"
#include "server.h"
#include "smki/clock.h"
#include "smki/enrol.h"
#include "smki/mem.h"
#include "smki/refusals.h"
#include "smki/regions.h"
#include "smki/renew.h"
#include "smki/rng.h"
#include "smki/tlscert.h"

/* Manufacturers' anchors and CRLs are files that others renew: read again this often. */
#define HOUSE_ANCHORS_MS 60000
/* What was counted of refusals goes to the database this often. */
#define HOUSE_REFUSALS_MS 5000
/* Lists of shards of a CA are made for so long in one tick (one at least), so that complete lists
 * come in between, however many shards are due and however slow the disk is. */
#define HOUSE_SHARDS_MS 250

struct house {
	struct smkid *smkid;
	int64_t flushed_ms, anchors_ms;
	atomic_bool hurry;    /* what failed is to be tried again now */
	pthread_mutex_t lock; /* of the causes */
	struct chore crl[STORE_CAS_MAX], delta[STORE_CAS_MAX], shards[STORE_CAS_MAX],
	    responder[STORE_CAS_MAX], look, server, refusals, anchors;
};

struct house *
house_new(struct smkid *smkid)
{
	struct house *house = mem_alloc(sizeof(*house));

	house->smkid = smkid;
	require(pthread_mutex_init(&house->lock, NULL) == 0);
	return house;
}

void
house_free(struct house *house)
{
	if (house == NULL)
		return;
	pthread_mutex_destroy(&house->lock);
	free(house);
}

void
house_crlgen(const struct smkid *smkid, struct crlgen_conf *out)
{
	*out = (struct crlgen_conf){
		.dir = smkid->crl_dir,
		.cas = smkid->cas,
		.committer = smkid->committer,
		.guard = smkid->guard,
		.validity = smkid->home.crl_validity,
		.deltas = smkid->home.crl_deltas,
		.pause = clock_pause,
		.ahead = smkid->ahead,
	};
}

static bool
house_waits(const struct chore *chore)
{
	return chore_waits(chore, clock_mono_ms());
}

/* Keep the outcome: err NULL = it went well. */
static void
house_note(struct house *house, struct chore *chore, const char *what, const struct err *err)
{
	bool news;

	pthread_mutex_lock(&house->lock);
	news = chore_note(chore, err, clock_mono_ms());
	pthread_mutex_unlock(&house->lock);
	if (news && err == NULL)
		log_info("%s: works again", what);
	else if (news)
		log_error("%s: %s", what, err->msg);
}

/* What somebody may undo at any time, and a look costs nothing: without a pause. */
static void
house_note_state(struct house *house, struct chore *chore, const char *what, const struct err *err)
{
	house_note(house, chore, what, err);
	pthread_mutex_lock(&house->lock);
	chore_hurry(chore);
	pthread_mutex_unlock(&house->lock);
}

/* ---- CRLs ---- */

/* 1 when the file of a published list is gone. */
static int
house_crl_gone(const struct smkid *smkid, const struct ca *ca, const struct crl_which *which,
    const struct store_crl *crl)
{
	char stem[CRL_STEM_MAX], name[CRL_FILE_MAX], *path;
	int gone;

	crlgen_stem(ca->name, which, stem);
	crlgen_file(stem, crl->number, name);
	path = mem_fmt("%s/%s", smkid->crl_dir, name);
	gone = access(path, F_OK) != 0;
	free(path);
	return gone;
}

/* 1 when a list that shows crl is to be followed by one that shows changed. The clock may have been
 * set back and accepted: the newest list is then dated ahead, a new one is due. */
static int
house_crl_changed(const struct smkid *smkid, const struct store_crl *crl, int64_t changed)
{
	return changed > crl->event && (crl->this_update + smkid->home.crl_delay <= clock_now() ||
					   crl->this_update > clock_now() + CLOCK_BACK_MAX);
}

/* 1 when a complete list of ca is due: by time, by change (unless deltas tell of those), or because
 * its file is gone. -1 on failure. */
static int
house_crl_due(struct smkid *smkid, const struct ca *ca, int64_t changed, struct store *reader,
    struct err *err)
{
	const struct crl_which which = { .ca = ca->id, .kind = CRL_COMPLETE };
	const struct home *home = &smkid->home;
	struct store_crl newest;

	if (store_crl_newest(reader, ca->id, &newest, err) != 0)
		return err->code == FAIL_NOT_FOUND ? 1 : -1;
	if (crlgen_due(&newest, home->crl_deltas ? 0 : changed, home->crl_interval,
		home->crl_delay) <= clock_now() ||
	    (!home->crl_deltas && house_crl_changed(smkid, &newest, changed)))
		return 1;
	return house_crl_gone(smkid, ca, &which, &newest);
}

/* The same for a delta: there is none yet for the newest complete list, or something changed. */
static int
house_delta_due(struct smkid *smkid, const struct ca *ca, int64_t changed, struct store *reader,
    struct err *err)
{
	const struct crl_which which = { .ca = ca->id, .kind = CRL_DELTA };
	struct store_crl complete, newest;
	size_t n;

	if (!smkid->home.crl_deltas)
		return 0;
	if (store_crl_newest(reader, ca->id, &complete, err) != 0)
		return err->code == FAIL_NOT_FOUND ? 0 : -1;
	if (store_list_recent(reader, &which, &newest, 1, &n, err) != 0)
		return -1;
	if (n == 0 || newest.base != complete.number)
		return 1;
	return house_crl_changed(smkid, &newest, changed) ||
	       house_crl_gone(smkid, ca, &which, &newest);
}

/* Make a list that is due (negative: err tells why that is not known). 1 = it was made. */
static int
house_list(struct house *house, struct chore *chore, const struct ca *ca,
    const struct crl_which *which, int due, struct store *reader, struct err *err)
{
	struct smkid *smkid = house->smkid;
	char stem[CRL_STEM_MAX];
	struct crlgen_conf conf;
	struct store_crl made;
	int64_t begun_us;
	int r;

	if (due == 0) {
		if (!chore_is_open(chore))
			house_note(house, chore, "crl", NULL);
		return 0;
	}
	house_crlgen(smkid, &conf);
	/* No number is burnt for a token that has not come up yet. */
	if (due < 0 || lanes_check(smkid->lanes, ca, err) != 0) {
		house_note(house, chore, "crl", err);
		return 0;
	}
	/* Not the waits for the disk and the token. */
	begun_us = clock_thread_us();
	r = crlgen_make(&conf, ca, which, reader, ACTOR_SELF, &made, err);
	chore_spend(chore, r == 0, clock_mono_ms(), clock_thread_us() - begun_us);
	if (r != 0) {
		house_note(house, chore, "crl", err);
		return 0;
	}
	house_note(house, chore, "crl", NULL);
	crlgen_stem(ca->name, which, stem);
	log_info("crl: ca=%s list=%s number=%lld entries=%lld size=%lld", ca->name, stem,
	    (long long)made.number, (long long)made.entries, (long long)made.size);
	return 1;
}

static void
house_shards(struct house *house, struct chore *chore, const struct ca *ca, struct store *reader)
{
	const struct home *home = &house->smkid->home;
	struct crl_which which = { .ca = ca->id, .kind = CRL_SHARD };
	int64_t until = clock_mono_ms() + HOUSE_SHARDS_MS;
	struct store_shard shard;
	struct err err;
	time_t now;
	int due;

	do {
		now = clock_now();
		due = store_shard_due(reader, ca->id,
			  chore_rests(chore, clock_mono_ms()) ? -1 : now - home->crl_delay,
			  now - home->crl_interval, now + CLOCK_BACK_MAX, &shard, &err) == 0
			  ? 1
		      : err.code == FAIL_NOT_FOUND ? 0
						   : -1;
		which.shard = due > 0 ? shard.number : 0;
		if (!house_list(house, chore, ca, &which, due, reader, &err))
			return;
	} while (clock_mono_ms() < until);
}

/* The complete list first: what is on the others is then on it. */
static void
house_crl(struct house *house, size_t at, const struct store_ca *row, struct store *reader)
{
	struct smkid *smkid = house->smkid;
	const struct ca *ca = &smkid->cas->ca[at];
	struct crl_which which = { .ca = ca->id, .kind = CRL_COMPLETE };
	struct err err;
	int due;

	if (!house_waits(&house->crl[at])) {
		due = house_crl_due(smkid, ca,
		    chore_rests(&house->crl[at], clock_mono_ms()) ? 0 : row->changed_event, reader,
		    &err);
		(void)house_list(house, &house->crl[at], ca, &which, due, reader, &err);
	}
	if (!house_waits(&house->delta[at])) {
		which.kind = CRL_DELTA;
		due = house_delta_due(smkid, ca,
		    chore_rests(&house->delta[at], clock_mono_ms()) ? 0 : row->changed_event,
		    reader, &err);
		(void)house_list(house, &house->delta[at], ca, &which, due, reader, &err);
	}
	if (!house_waits(&house->shards[at]))
		house_shards(house, &house->shards[at], ca, reader);
}

/* ---- certificates of the service's own ---- */

/* Again for the key of the certificate in use, which says whose it is. */
static int
house_renew(struct smkid *smkid, const struct ca *ca, const struct store_cert *old,
    struct store *reader, struct err *err)
{
	struct renew_conf conf = {
		.ca = ca,
		.profile = profiles_get(&smkid->profiles, old->profile),
		.committer = smkid->committer,
		.guard = smkid->guard,
		.draw = rng_draw,
	};
	struct buf der = { 0 };
	struct cert cert;
	int r = -1;

	if (conf.profile == NULL) {
		err_set(
		    err, FAIL_NOT_FOUND, "profile %s: there is none of this name", old->profile);
		goto out;
	}
	if (store_cert_der(reader, old->id, &der, err) != 0 ||
	    cert_parse(der.data, der.len, &cert, err) != 0 ||
	    lanes_check(smkid->lanes, ca, err) != 0 ||
	    (old->use == USE_OCSP ? renew_responder(&conf, &cert.pub, err)
				  : renew_server(&conf, &cert, err)) != 0)
		goto out;
	log_info("%s: ca=%s renewed", old->use == USE_OCSP ? "responder" : "TLS server", ca->name);
	r = 0;
out:
	buf_free(&der);
	return r;
}

/* Due, or one that has not begun: made by a clock that was set back and accepted since. */
static bool
house_renew_due(const struct store_cert *cert, time_t due)
{
	return clock_now() >= due || clock_now() + CLOCK_BACK_MAX < cert->not_before;
}

/* In a sentence. */
static const char *
house_state(enum cert_state state)
{
	return state == CERT_HOLD ? "on hold" : state_str(state);
}

static void
house_responder(struct house *house, size_t at, const struct store_ca *row, struct store *reader)
{
	struct smkid *smkid = house->smkid;
	struct chore *chore = &house->responder[at];
	struct store_cert old;
	struct err err;

	if (row->responder == 0 || house_waits(chore))
		return;
	if (store_cert_get(reader, row->responder, &old, &err) != 0) {
		house_note(house, chore, "responder", &err);
		return;
	}
	if (old.state != CERT_VALID) {
		/* Somebody took it out of service: a new one for the same key would undo that. */
		err_set(&err, FAIL_CONFLICT, "certificate of ca %s's OCSP responder is %s",
		    smkid->cas->ca[at].name, house_state(old.state));
		house_note_state(house, chore, "responder", &err);
		return;
	}
	if (house_renew_due(&old, renew_due(old.not_before, old.not_after)) &&
	    house_renew(smkid, &smkid->cas->ca[at], &old, reader, &err) != 0) {
		house_note(house, chore, "responder", &err);
		return;
	}
	house_note(house, chore, "responder", NULL);
}

/* 0 when the certificate of the TLS listener needs nothing, or was renewed. */
static int
house_server_renew(
    struct smkid *smkid, const struct store_cert *old, struct store *reader, struct err *err)
{
	const struct ca *ca;

	if (!house_renew_due(old, renew_server_due(old->not_before, old->not_after)))
		return 0;
	ca = caset_by_id(smkid->cas, old->ca);
	if (ca == NULL || !ca->has_key)
		return err_set(err, FAIL_UNAVAILABLE,
		    "certificate of the TLS server: the key of ca %s is not here", old->ca_name);
	return house_renew(smkid, ca, old, reader, err);
}

static void
house_server(struct house *house, struct store *reader)
{
	struct smkid *smkid = house->smkid;
	struct chore *chore = &house->server;
	struct store_cert old;
	struct err err;

	if (smkid->home.https.listen[0] == '\0' || house_waits(chore))
		return;
	if (tls_cert_newest(reader, smkid->home.https.chain, &old, &err) != 0) {
		/* One that somebody else issued is not ours to renew. */
		house_note(house, chore, "TLS server", err.code == FAIL_NOT_FOUND ? NULL : &err);
	} else if (old.state != CERT_VALID) {
		err_set(&err, FAIL_CONFLICT, "certificate of the TLS server is %s",
		    house_state(old.state));
		house_note_state(house, chore, "TLS server", &err);
	} else {
		house_note(house, chore, "TLS server",
		    house_server_renew(smkid, &old, reader, &err) == 0 ? NULL : &err);
	}
}

/* ---- refusals ---- */

static void
house_refusals(struct house *house)
{
	struct smkid *smkid = house->smkid;
	struct chore *chore = &house->refusals;
	struct err err;

	if (house_waits(chore) || clock_mono_ms() - house->flushed_ms < HOUSE_REFUSALS_MS)
		return;
	house->flushed_ms = clock_mono_ms();
	house_note(house, chore, "refusals",
	    refusals_flush(smkid->refusals, smkid->committer, clock_now(),
		smkid->home.enrol.refusals_kept, &err) == 0
		? NULL
		: &err);
}

/* ---- manufacturers ---- */

/* What stands in the files, though it can be read: regions, which the front alone uses, and what
 * has ended. */
static int
house_policies(struct smkid *smkid, const struct anchors *anchors, struct err *err)
{
	struct regions *regions = NULL;
	struct err why;

	if (regions_load(&smkid->home, &regions, &why) != 0 && why.code != FAIL_NOT_FOUND)
		return err_set(err, why.code, "%s", why.msg);
	free(regions);
	for (size_t i = 0; i < anchors->n; i++)
		if (anchor_check_ends(anchors->anchor[i], clock_now(), err) != 0)
			return -1;
	return 0;
}

/* Bad files keep what was there. */
static void
house_anchors(struct house *house)
{
	struct smkid *smkid = house->smkid;
	struct chore *chore = &house->anchors;
	struct anchors *anchors;
	struct err err;

	if (house_waits(chore) ||
	    (house->anchors_ms != 0 && clock_mono_ms() - house->anchors_ms < HOUSE_ANCHORS_MS))
		return;
	anchors = mem_alloc(sizeof(*anchors));
	if (anchors_load(&smkid->home, anchors, &err) != 0) {
		house_note(house, chore, "policies", &err);
	} else {
		house->anchors_ms = clock_mono_ms();
		house_note(house, chore, "policies",
		    house_policies(smkid, anchors, &err) == 0 ? NULL : &err);
		enrol_anchors_swap(smkid->enrol, anchors);
		anchors_free(anchors);
	}
	free(anchors);
}

void
house_hurry(struct house *house)
{
	atomic_store(&house->hurry, true);
}

static void
house_no_pauses(struct house *house)
{
	chore_hurry(&house->look);
	chore_hurry(&house->server);
	for (size_t i = 0; i < STORE_CAS_MAX; i++) {
		chore_hurry(&house->crl[i]);
		chore_hurry(&house->delta[i]);
		chore_hurry(&house->shards[i]);
		chore_hurry(&house->responder[i]);
	}
}

void
house_tick(void *ctx, struct store *reader)
{
	struct house *house = ctx;
	struct smkid *smkid = house->smkid;
	struct store_ca rows[STORE_CAS_MAX];
	struct err err;
	size_t n = 0;

	if (atomic_exchange(&house->hurry, false))
		house_no_pauses(house);
	imports_tick(smkid->imports, atomic_load(&smkid->server->stop) != 0);
	lanes_retry(smkid->lanes, reader);
	house_refusals(house);
	house_anchors(house);
	if (lanes_lost(smkid->lanes)) {
		log_error("token: too many signing threads never came back");
		server_stop(smkid->server, err_exit_status(FAIL_UNAVAILABLE));
		return;
	}
	if (house_waits(&house->look))
		return;
	if (store_ca_list(reader, rows, &n, &err) != 0) {
		house_note(house, &house->look, "database", &err);
		return;
	}
	house_note(house, &house->look, "database", NULL);
	for (size_t i = 0; i < smkid->cas->n; i++)
		for (size_t k = 0; k < n; k++)
			if (rows[k].id == smkid->cas->ca[i].id && smkid->cas->ca[i].has_key) {
				house_crl(house, i, &rows[k], reader);
				house_responder(house, i, &rows[k], reader);
			}
	house_server(house, reader);
}

/* ---- alarms ---- */

static void
house_tell_chore(struct house *house, const struct chore *chore, struct alarms *alarms)
{
	pthread_mutex_lock(&house->lock);
	alarms_tell(alarms, chore->cause);
	pthread_mutex_unlock(&house->lock);
}

/* What relying parties see, what devices see, the rest; others' files come behind what this house
 * itself fails at. */
static void
house_causes(struct house *house, size_t cas, struct alarms *alarms)
{
	const struct chore *of_ca[] = { house->crl, house->shards, house->responder, house->delta };
	const struct chore *rest[] = { &house->server, &house->refusals, &house->anchors };

	house_tell_chore(house, &house->look, alarms);
	for (size_t kind = 0; kind < ARRAY_LEN(of_ca); kind++)
		for (size_t i = 0; i < cas; i++)
			house_tell_chore(house, &of_ca[kind][i], alarms);
	for (size_t i = 0; i < ARRAY_LEN(rest); i++)
		house_tell_chore(house, rest[i], alarms);
}

void
house_alarm(struct smkid *smkid, struct store *reader, char out[ERR_MSG_MAX])
{
	struct alarms alarms = { .out = out };
	struct err err = { 0 };
	time_t now;

	out[0] = '\0';
	if (committer_check(smkid->committer, &err) != 0 ||
	    timeguard_now(smkid->guard, &now, &err) != 0 || lanes_ready(smkid->lanes, &err) != 0) {
		memcpy(out, err.msg, ERR_MSG_MAX);
		return;
	}
	for (size_t i = 0; i < smkid->cas->n; i++)
		if (alarms_crl_overdue(&smkid->cas->ca[i], reader, &err) != 0)
			alarms_tell(&alarms, err.msg);
	house_causes(smkid->house, smkid->cas->n, &alarms);
	for (size_t i = 0; i < smkid->cas->n; i++)
		if (smkid->cas->ca[i].root &&
		    alarms_root_notice(&smkid->cas->ca[i], reader, &err) != 0)
			alarms_tell(&alarms, err.msg);
	alarms_end(&alarms);
}
