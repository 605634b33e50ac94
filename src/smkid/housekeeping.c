/*
 * What smkid does without being asked. Runs in the keeper's one thread, so no two lists are made
 * at the same time. A failure is logged once for each cause and tried again with growing pauses.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "house.h"
#include "lane.h"
#include "server.h"
#include "smki/clock.h"
#include "smki/mem.h"
#include "smki/renew.h"
#include "smki/rng.h"

#define HOUSE_RETRY_FIRST_MS 1000
#define HOUSE_RETRY_MAX_MS 60000
/* A root's list is made by people: they are told when this part of its life is left (a month of
 * a year). */
#define HOUSE_ROOT_NOTICE_PART 12

/* Something to be done again and again, and how it went. */
struct chore {
	int64_t not_before_ms;
	int64_t retry_ms;
	char cause[ERR_MSG_MAX]; /* "" = it went well; under the house's lock */
};

struct house {
	struct smkid *smkid;
	atomic_bool hurry; /* what failed is to be tried again now */
	pthread_mutex_t lock;
	struct chore crl[STORE_CAS_MAX], responder[STORE_CAS_MAX], look;
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
	};
}

static int
chore_waits(const struct chore *chore)
{
	return clock_mono_ms() < chore->not_before_ms;
}

/* Keep the outcome: err NULL = it went well. */
static void
chore_note(struct house *house, struct chore *chore, const char *what, const struct err *err)
{
	const char *cause = err == NULL ? "" : err->msg;
	bool news;

	pthread_mutex_lock(&house->lock);
	news = !err_same_cause(chore->cause, cause);
	memcpy(chore->cause, cause, strlen(cause) + 1);
	pthread_mutex_unlock(&house->lock);
	if (err == NULL) {
		if (news)
			log_info("%s: works again", what);
		chore->not_before_ms = 0;
		chore->retry_ms = 0;
		return;
	}
	if (news)
		log_error("%s: %s", what, cause);
	chore->retry_ms = chore->retry_ms == 0 ? HOUSE_RETRY_FIRST_MS : chore->retry_ms * 2;
	if (chore->retry_ms > HOUSE_RETRY_MAX_MS)
		chore->retry_ms = HOUSE_RETRY_MAX_MS;
	chore->not_before_ms = clock_mono_ms() + chore->retry_ms;
}

/* ---- CRLs ---- */

/* 1 when a list of ca is due: by time, by change, or because its file is gone. -1 on failure. */
static int
house_crl_due(struct smkid *smkid, const struct ca *ca, int64_t changed, struct store *reader,
    struct err *err)
{
	const struct home *home = &smkid->home;
	char name[CRL_FILE_MAX], *path;
	struct store_crl newest;
	int gone;

	if (store_crl_newest(reader, ca->id, &newest, err) != 0)
		return err->code == FAIL_NOT_FOUND ? 1 : -1;
	if (crlgen_due(&newest, changed, home->crl_interval, home->crl_delay) <= clock_now())
		return 1;
	/* The clock was set back and accepted: the newest list is dated ahead, a new one is due. */
	if (changed > newest.event && newest.this_update > clock_now() + CLOCK_BACK_MAX)
		return 1;
	crlgen_file(ca->name, newest.number, name);
	path = mem_fmt("%s/%s", smkid->crl_dir, name);
	gone = access(path, F_OK) != 0;
	free(path);
	return gone;
}

static void
house_crl(struct house *house, size_t at, const struct store_ca *row, struct store *reader)
{
	struct smkid *smkid = house->smkid;
	struct chore *chore = &house->crl[at];
	const struct ca *ca = &smkid->cas->ca[at];
	struct crlgen_conf conf;
	struct store_crl made;
	struct err err;
	int due;

	if (chore_waits(chore))
		return;
	due = house_crl_due(smkid, ca, row->changed_event, reader, &err);
	if (due == 0) {
		chore_note(house, chore, "crl", NULL);
		return;
	}
	house_crlgen(smkid, &conf);
	/* No number is burnt for a token that has not come up yet. */
	if (due < 0 || lanes_check(smkid->lanes, ca, &err) != 0 ||
	    crlgen_make(&conf, ca, reader, ACTOR_SELF, &made, &err) != 0) {
		chore_note(house, chore, "crl", &err);
		return;
	}
	chore_note(house, chore, "crl", NULL);
	log_info("crl: ca=%s number=%lld entries=%lld size=%lld", ca->name, (long long)made.number,
	    (long long)made.entries, (long long)made.size);
}

/* ---- responder certificates ---- */

static int
house_renew(struct smkid *smkid, const struct ca *ca, const struct store_cert *old,
    struct store *reader, struct err *err)
{
	const struct profile *profile = profiles_get(&smkid->profiles, old->profile);
	struct buf der = { 0 };
	struct cert cert;
	int r = -1;

	if (profile == NULL) {
		err_set(
		    err, FAIL_NOT_FOUND, "profile %s: there is none of this name", old->profile);
		goto out;
	}
	/* The certificate in use says which key the front signs with. */
	if (store_cert_der(reader, old->id, &der, err) != 0 ||
	    cert_parse(der.data, der.len, &cert, err) != 0 ||
	    lanes_check(smkid->lanes, ca, err) != 0 ||
	    renew_responder(
		ca, profile, &cert.pub, smkid->committer, smkid->guard, rng_draw, err) != 0)
		goto out;
	log_info("responder: ca=%s renewed", ca->name);
	r = 0;
out:
	buf_free(&der);
	return r;
}

static void
house_responder(struct house *house, size_t at, const struct store_ca *row, struct store *reader)
{
	struct smkid *smkid = house->smkid;
	struct chore *chore = &house->responder[at];
	struct store_cert old;
	struct err err;

	if (row->responder == 0 || chore_waits(chore))
		return;
	if (store_cert_get(reader, row->responder, &old, &err) != 0) {
		chore_note(house, chore, "responder", &err);
		return;
	}
	if (old.state != CERT_VALID) {
		/* Somebody took it out of service: a new one for the same key would undo that. */
		err_set(&err, FAIL_CONFLICT, "certificate of ca %s's OCSP responder is %s",
		    smkid->cas->ca[at].name, state_str(old.state));
		chore_note(house, chore, "responder", &err);
		return;
	}
	/* One that has not begun was made by a clock that was set back and accepted since. */
	if ((clock_now() >= renew_due(old.not_before, old.not_after) ||
		clock_now() + CLOCK_BACK_MAX < old.not_before) &&
	    house_renew(smkid, &smkid->cas->ca[at], &old, reader, &err) != 0) {
		chore_note(house, chore, "responder", &err);
		return;
	}
	chore_note(house, chore, "responder", NULL);
}

void
house_hurry(struct house *house)
{
	atomic_store(&house->hurry, true);
}

static void
house_no_pauses(struct house *house)
{
	house->look.not_before_ms = 0;
	for (size_t i = 0; i < STORE_CAS_MAX; i++)
		house->crl[i].not_before_ms = house->responder[i].not_before_ms = 0;
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
	lanes_retry(smkid->lanes, reader);
	if (lanes_lost(smkid->lanes)) {
		log_error("token: too many signing threads never came back");
		server_stop(smkid->server, err_exit_status(FAIL_UNAVAILABLE));
		return;
	}
	if (chore_waits(&house->look))
		return;
	if (store_ca_list(reader, rows, &n, &err) != 0) {
		chore_note(house, &house->look, "database", &err);
		return;
	}
	chore_note(house, &house->look, "database", NULL);
	for (size_t i = 0; i < smkid->cas->n; i++)
		for (size_t k = 0; k < n; k++)
			if (rows[k].id == smkid->cas->ca[i].id && smkid->cas->ca[i].has_key) {
				house_crl(house, i, &rows[k], reader);
				house_responder(house, i, &rows[k], reader);
			}
}

/* ---- alarms ---- */

static void
house_cause(struct house *house, const struct chore *chore, char out[ERR_MSG_MAX])
{
	pthread_mutex_lock(&house->lock);
	memcpy(out, chore->cause, ERR_MSG_MAX);
	pthread_mutex_unlock(&house->lock);
}

/* A list that has ended, or was never made: relying parties refuse everything of this CA. */
static int
house_crl_overdue(const struct ca *ca, struct store *reader, struct err *err)
{
	struct store_crl newest;

	if (store_crl_newest(reader, ca->id, &newest, err) != 0)
		return -1;
	if (newest.next_update <= clock_now())
		return err_set(err, FAIL_UNAVAILABLE,
		    "crl of ca %s: number %lld has passed its nextUpdate%s", ca->name,
		    (long long)newest.number, ca->root ? "; make a new one: smki ca crl root" : "");
	return 0;
}

/* A root's list that somebody should renew soon. */
static int
house_root_notice(const struct ca *ca, struct store *reader, struct err *err)
{
	char until[TIME_TEXT_LEN];
	struct store_crl newest;
	time_t life;

	if (store_crl_newest(reader, ca->id, &newest, err) != 0)
		return -1;
	life = newest.next_update - newest.this_update;
	if (newest.next_update - clock_now() >= life / HOUSE_ROOT_NOTICE_PART)
		return 0;
	time_text(newest.next_update, until);
	return err_set(err, FAIL_UNAVAILABLE,
	    "crl of ca %s: number %lld ends at %s; make a new one: smki ca crl %s", ca->name,
	    (long long)newest.number, until, ca->name);
}

void
house_alarm(struct smkid *smkid, struct store *reader, char out[ERR_MSG_MAX])
{
	struct house *house = smkid->house;
	const struct chore *chores[2 * STORE_CAS_MAX + 1];
	struct err err = { 0 };
	size_t n = 0;
	time_t now;

	out[0] = '\0';
	if (committer_check(smkid->committer, &err) != 0 ||
	    timeguard_now(smkid->guard, &now, &err) != 0 || lanes_ready(smkid->lanes, &err) != 0) {
		memcpy(out, err.msg, ERR_MSG_MAX);
		return;
	}
	chores[n++] = &house->look;
	for (size_t i = 0; i < smkid->cas->n; i++) {
		if (house_crl_overdue(&smkid->cas->ca[i], reader, &err) != 0) {
			memcpy(out, err.msg, ERR_MSG_MAX);
			return;
		}
		chores[n++] = &house->crl[i];
		chores[n++] = &house->responder[i];
	}
	for (size_t i = 0; i < n && out[0] == '\0'; i++)
		house_cause(house, chores[i], out);
	for (size_t i = 0; i < smkid->cas->n && out[0] == '\0'; i++)
		if (smkid->cas->ca[i].root &&
		    house_root_notice(&smkid->cas->ca[i], reader, &err) != 0)
			memcpy(out, err.msg, ERR_MSG_MAX);
}
