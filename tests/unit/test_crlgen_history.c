/*
 * Lists over random histories: issue, hold, reactivate, revoke; complete lists, deltas and shards
 * in between, some of them failing; and a process that is killed in the middle of any of it, after
 * which another one starts. What is then true is compared with a model (crl_judge.h).
 *
 *   test_crlgen_history SOURCE_ROOT [HISTORIES [SEED [SAMPLES]]]
 *
 * SAMPLES is a folder that gets NNNNNN.good or NNNNNN.revoked: a certificate, that of its CA, and
 * the lists that say so; and NNNNNN.root.
 */
#include <dirent.h>
#include <sys/wait.h>

#include "history_rig.h"

#define HISTORIES 40
#define OF_ONE 50 /* histories of one authority */
#define STEPS 4	  /* of one history, each up to CHANGES changes and perhaps a list */
#define CHANGES 4
/* A child is killed at one of so many places that it passes, or at its end. */
#define PLACES 11

static long histories = HISTORIES;
static unsigned long killed, lists;

/* Where children were killed; "" = at their end. */
static struct {
	const char *name;
	unsigned long n;
} places[] = { { "", 0 }, { "commit.begin", 0 }, { "commit.applied", 0 }, { "commit.done", 0 },
	{ "crl.taken", 0 }, { "crl.written", 0 }, { "crl.finished", 0 }, { "crl.renamed", 0 },
	{ "issue.checked", 0 }, { "issue.signed", 0 }, { "issue.applied", 0 },
	{ "issue.committed", 0 } };

/* ---- issuing ---- */

struct ask {
	struct buf csr;
	bool shard, on_hold;
};

static struct ask
ask_new(struct model *m)
{
	unsigned k = ++m->devices;
	const uint8_t eui[EUI64_LEN] = { 0x00, 0xdb, 0x12, 0x34, 0, 0, (uint8_t)(k >> 8),
		(uint8_t)k };
	struct ask ask = { .shard = draw(8) != 0, .on_hold = draw(3) == 0 };
	struct softsign *key = softsign_new(EC_P256);

	rig_request(key, eui, 1, ask.shard ? KEY_USAGE_DIGITAL_SIGNATURE : KEY_USAGE_KEY_AGREEMENT,
	    &ask.csr);
	softsign_free(key);
	return ask;
}

static void
ask_run(struct authority *a, const struct ask *ask, struct outcome *o)
{
	struct issue_task *task = workers_task(a->workers, &ask->csr, o);

	task->request.on_hold = ask->on_hold;
	issue_one(a->workers, task, o);
	if (!o->ok)
		fprintf(stderr, "  %s\n", o->err.msg);
	require(o->ok);
}

static void
issue_step(struct authority *a)
{
	struct ask ask = ask_new(a->m);
	time_t since = clock_now();
	struct outcome o = { 0 };

	ask_run(a, &ask, &o);
	CHECK(!o.result.existing);
	model_add(a, &o, ask.shard, since);
	buf_free(&o.der);
	buf_free(&ask.csr);
}

/* ---- changes, several in one transaction ---- */

struct step {
	struct commit_job job; /* first */
	struct model *m;
	unsigned n;
};

static int
step_change(struct model *m, struct store *store, const struct store_actor *actor,
    struct model_cert *c, struct err *err)
{
	static const enum crl_reason reasons[] = { REASON_UNSPECIFIED, REASON_KEY_COMPROMISE,
		REASON_SUPERSEDED, REASON_PRIVILEGE_WITHDRAWN };
	struct store_change change = { .to = CERT_HOLD, .reason = REASON_CERTIFICATE_HOLD };

	if (c->state == CERT_REVOKED)
		return 0;
	if (draw(4) == 0) {
		change.to = CERT_REVOKED;
		change.reason = reasons[draw(ARRAY_LEN(reasons))];
		change.invalid_since = draw(2) ? 1700000000 : 0;
	} else if (c->state == CERT_HOLD) {
		change.to = CERT_VALID;
		change.reason = REASON_UNSPECIFIED;
	}
	if (store_cert_change(store, actor, c->id, &change, err) != 0)
		return -1;
	m->changes = true;
	c->state = change.to;
	c->reason = change.reason;
	c->changed_at = actor->now;
	c->invalid_since = change.invalid_since;
	c->changed = true;
	return 0;
}

static int
step_apply(struct commit_job *job, struct store *store, struct err *err)
{
	struct step *step = (struct step *)job;
	struct model *m = step->m;
	struct store_actor actor = { .uid = 0 };
	unsigned newest = m->n > ASKED ? ASKED : (unsigned)m->n;
	int64_t event;

	if (store_event_newest(store, &event, &actor.now, err) != 0)
		return -1;
	if (actor.now < clock_now())
		actor.now = clock_now();
	for (unsigned i = 0; i < step->n; i++)
		if (step_change(m, store, &actor, &m->cert[m->n - 1 - draw(newest)], err) != 0)
			return -1;
	return 0;
}

static void
change_step(struct authority *a)
{
	struct step step = {
		.job = { .lane = COMMIT_OTHER, .apply = step_apply }, .m = a->m, .n = 1 + draw(3)
	};

	RIG(committer_run(a->r->committer, &step.job, &rig_err));
}

/* ---- lists ---- */

static struct crl_which
which_of(const struct authority *a, enum crl_kind kind, int shard)
{
	return (struct crl_which){ .ca = a->r->ca->id, .kind = kind, .shard = shard };
}

/* Whether it can be made at all. */
static int
which_there(struct authority *a, const struct crl_which *which)
{
	struct store_shard shard;
	struct err err;

	return which->kind != CRL_SHARD ||
	       store_shard_get(a->r->reader, which->ca, which->shard, &shard, &err) == 0;
}

static void
which_draw(struct authority *a, enum crl_kind kind)
{
	if (kind == CRL_COMPLETE)
		a->conf.deltas = a->m->deltas = draw(2) == 0;
}

/* A shard knows that its list shows all there is. */
static void
shard_shown(struct authority *a, const struct crl_which *which, const struct store_crl *row)
{
	struct store_shard shard;

	RIG(store_shard_get(a->r->reader, which->ca, which->shard, &shard, &rig_err));
	CHECK(shard.changed_event <= shard.shown_event && shard.made == row->this_update);
}

/* Make it, sometimes with a token that fails first, sometimes finished only by the next start. */
static void
list_step(struct authority *a, const struct crl_which *which)
{
	char stem[CRL_STEM_MAX], name[CRL_FILE_MAX], *path, *fresh;
	struct rig *r = a->r;
	struct store_crl row;
	struct err err;

	if (draw(16) == 0) {
		r->ca_key->refuse = true;
		CHECK(crlgen_make(&a->conf, r->ca, which, r->reader, 0, &row, &err) != 0);
		r->ca_key->refuse = false;
	}
	RIG(crlgen_make(&a->conf, r->ca, which, r->reader, 0, &row, &rig_err));
	if (draw(16) == 0) {
		crlgen_stem("issuing", which, stem);
		crlgen_file(stem, row.number, name);
		path = mem_fmt("%s/%s", r->crl, name);
		fresh = mem_fmt("%s.new", path);
		require(rename(path, fresh) == 0);
		RIG(crlgen_recover(r->crl, r->cas, r->reader, &rig_err));
		free(path);
		free(fresh);
	}
	CHECK(crlgen_check_age(r->crl, r->cas, r->reader, &err) == 0);
	lists++;
	judge(a, which, &row);
	if (which->kind == CRL_SHARD)
		shard_shown(a, which, &row);
}

static void
make(struct authority *a, enum crl_kind kind, int shard)
{
	const struct crl_which which = which_of(a, kind, shard);

	if (!which_there(a, &which))
		return;
	which_draw(a, kind);
	list_step(a, &which);
	model_ocsp(a);
}

/* ---- crashes ---- */

/* A child does it and is killed at one of the places it passes, or at its end. Nobody else has the
 * database open then. */
static void
crash_run(struct authority *a, void (*act)(struct authority *a, void *arg), void *arg)
{
	struct model *m = a->m;
	unsigned place = 1 + draw(PLACES);
	int status;
	pid_t pid;

	m->answered = m->changes = false;
	m->died[0] = '\0';
	m->der_len = 0;
	process_stop(a);
	fflush(NULL);
	pid = fork();
	require(pid >= 0);
	if (pid == 0) {
		process_start(a);
		places_left = place;
		act(a, arg);
		m->answered = true;
		kill(getpid(), SIGKILL);
	}
	require(waitpid(pid, &status, 0) == pid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	killed++;
	for (size_t i = 0; i < ARRAY_LEN(places); i++)
		places[i].n += strcmp(places[i].name, m->died) == 0;
}

static int
died_at(const struct model *m, const char *place)
{
	return strcmp(m->died, place) == 0;
}

/* The number of what was signed and has not got its name; removes nothing. And whether there is
 * anything at all under a new name. */
static int64_t
crash_left(const struct authority *a, const char *stem, bool *any)
{
	DIR *dir = opendir(a->r->crl);
	size_t len = strlen(stem);
	struct dirent *e;
	int64_t number = 0;

	require(dir != NULL);
	*any = false;
	while ((e = readdir(dir)) != NULL) {
		const char *end = strrchr(e->d_name, '.');

		if (end == NULL || strcmp(end, ".new") != 0)
			continue;
		*any = true;
		if (strncmp(e->d_name, stem, len) == 0 && e->d_name[len] == '-')
			number = strtoll(e->d_name + len + 1, NULL, 10);
	}
	closedir(dir);
	return number;
}

/* As the daemon starts. */
static void
crash_start(struct authority *a)
{
	struct err err;
	bool any;

	process_start(a);
	RIG(crlgen_recover(a->r->crl, a->r->cas, a->r->reader, &rig_err));
	CHECK(crlgen_check_age(a->r->crl, a->r->cas, a->r->reader, &err) == 0);
	crash_left(a, "", &any);
	CHECK(!any);
}

static void
crash_issue_act(struct authority *a, void *arg)
{
	struct outcome o = { 0 };

	ask_run(a, arg, &o);
	memcpy(a->m->der, o.der.data, o.der.len);
	a->m->der_len = o.der.len;
}

/* Whoever asks again gets the certificate that there is, once. */
static void
crash_issue(struct authority *a)
{
	struct model *m = a->m;
	struct ask ask = ask_new(m);
	time_t since = clock_now();
	struct outcome o = { 0 };

	crash_run(a, crash_issue_act, &ask);
	crash_start(a);
	ask_run(a, &ask, &o);
	CHECK(o.result.existing ==
	      (m->answered || died_at(m, "commit.done") || died_at(m, "issue.committed")));
	if (m->answered) {
		CHECK_MEM(o.der.data, o.der.len, m->der, m->der_len);
	}
	model_add(a, &o, ask.shard, since);
	buf_free(&o.der);
	buf_free(&ask.csr);
}

static void
crash_change_act(struct authority *a, void *arg)
{
	(void)arg;
	change_step(a);
}

/* All of it or nothing. */
static void
crash_change(struct authority *a)
{
	static struct model_cert before[CERTS];
	struct store_status status;
	struct model *m = a->m;
	bool done;

	memcpy(before, m->cert, m->n * sizeof(*before));
	crash_run(a, crash_change_act, NULL);
	done = m->answered || died_at(m, "commit.done");
	if (!done)
		memcpy(m->cert, before, m->n * sizeof(*before));
	crash_start(a);
	for (size_t i = m->n > ASKED ? m->n - ASKED : 0; i < m->n; i++) {
		const struct model_cert *c = &m->cert[i];

		RIG(store_status_get(a->r->reader, a->r->ca->id, &c->serial, &status, &rig_err));
		CHECK(status.state == c->state);
		CHECK(c->state == CERT_VALID ||
		      (status.reason == c->reason && status.changed == c->changed_at));
	}
}

static void
crash_list_act(struct authority *a, void *arg)
{
	struct store_crl row;

	RIG(crlgen_make(&a->conf, a->r->ca, arg, a->r->reader, 0, &row, &rig_err));
}

/* A list whose row is committed is published by the next start; of one that is not nothing is left,
 * and its number is not used again once anything was signed under it. */
static void
crash_list(struct authority *a, enum crl_kind kind, int shard)
{
	struct crl_which which = which_of(a, kind, shard);
	struct model *m = a->m;
	int64_t *newest = kind == CRL_SHARD ? &m->newest_shard[shard] : &m->newest, left;
	char stem[CRL_STEM_MAX];
	struct store_crl row;
	struct err err;
	bool done, any;

	if (!which_there(a, &which))
		return;
	which_draw(a, kind);
	crash_run(a, crash_list_act, &which);
	crlgen_stem("issuing", &which, stem);
	left = crash_left(a, stem, &any);
	crash_start(a);
	done = store_list_last(a->r->reader, &which, &row, &err) == 0 && row.number > *newest;
	CHECK(done || !(m->answered || died_at(m, "crl.finished") || died_at(m, "crl.renamed")));
	CHECK(!done || !(died_at(m, "crl.taken") || died_at(m, "crl.written")));
	CHECK(left > *newest || !died_at(m, "crl.written"));
	if (done) {
		lists++;
		judge(a, &which, &row);
	} else if (left > *newest) {
		*newest = left;
	}
	model_ocsp(a);
}

/* ---- histories ---- */

static void
history_crash(struct authority *a)
{
	switch (draw(5)) {
	case 0:
		crash_issue(a);
		break;
	case 1:
		crash_change(a);
		break;
	case 2:
		crash_list(a, CRL_COMPLETE, 0);
		break;
	case 3:
		crash_list(a, CRL_DELTA, 0);
		break;
	default:
		crash_list(a, CRL_SHARD, (int)draw(SHARDS));
		break;
	}
}

static void
history_changes(struct authority *a)
{
	for (unsigned i = 1 + draw(CHANGES); i > 0; i--)
		if (a->m->n == 0 || draw(3) == 0)
			issue_step(a);
		else
			change_step(a);
}

static void
history_run(struct authority *a)
{
	make(a, CRL_COMPLETE, 0);
	for (int i = 0; i < STEPS; i++) {
		history_changes(a);
		switch (draw(6)) {
		case 0:
			make(a, CRL_COMPLETE, 0);
			break;
		case 1:
		case 2:
			make(a, CRL_DELTA, 0);
			break;
		case 3:
			/* At one event: together all that is listed and has one, none twice. */
			for (int s = 0; s < SHARDS; s++)
				make(a, CRL_SHARD, s);
			break;
		case 4:
			history_crash(a);
			break;
		default:
			break;
		}
	}
	make(a, CRL_DELTA, 0);
}

/* The histories of one authority, at n/2 shortly before the end of its first shard; the URL of what
 * is issued changes. Returns whether all is well. */
static int
histories_of_one(long first, long n)
{
	struct authority *a = authority_new();
	char url[URI_MAX];

	for (long i = 0; i < n; i++) {
		if (i == n / 2)
			skip_rows(a->r, SHARD_SIZE - 20);
		history_run(a);
		if (CU_get_number_of_failures() != 0) {
			fprintf(stderr, "  history %ld\n", first + i);
			break;
		}
		if (draw(8) == 0) {
			snprintf(url, sizeof(url), "http://pki%u.example", ++a->m->urls);
			RIG(caset_uris(url, "issuing", &a->r->ca->issuer, &rig_err));
		}
	}
	CHECK(n < HISTORIES || a->m->newest_shard[0] > 0);
	CHECK(n < OF_ONE || a->m->newest_shard[1] > 0);
	authority_free(a);
	return CU_get_number_of_failures() == 0;
}

static void
test_histories(void)
{
	for (long i = 0; i < histories; i += OF_ONE)
		if (!histories_of_one(i, histories - i < OF_ONE ? histories - i : OF_ONE))
			break;
	printf("%ld histories, %lu lists, %lu processes killed: ", histories, lists, killed);
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		printf("%s %lu, ", places[i].name[0] == '\0' ? "at the end" : places[i].name,
		    places[i].n);
		CHECK(histories < 1000 || places[i].n > 0);
	}
}

/* ---- beside them ---- */

/* Nothing to continue, nothing issued: no number is burnt. */
static void
test_none(void)
{
	struct authority *a = authority_new();
	const struct crl_which delta = which_of(a, CRL_DELTA, 0), shard = which_of(a, CRL_SHARD, 7);
	struct store_crl row;
	struct err err;

	CHECK(crlgen_make(&a->conf, a->r->ca, &delta, a->r->reader, 0, &row, &err) != 0);
	CHECK(err.code == FAIL_CONFLICT && strstr(err.msg, "5.2.4") != NULL);
	CHECK(crlgen_make(&a->conf, a->r->ca, &shard, a->r->reader, 0, &row, &err) != 0);
	CHECK(err.code == FAIL_NOT_FOUND);
	RIG(rig_crl_make(&a->conf, a->r->ca, a->r->reader, 0, &row, &rig_err));
	CHECK(row.number == 1);
	authority_free(a);
}

/* The base of the newest delta stays, and three of each kind; the first is gone. */
static void
test_kept(void)
{
	static const char *const stay[] = { "issuing-1.crl", "issuing-2.crl", "issuing.delta-3.crl",
		"issuing-4.crl", "issuing-5.crl", "issuing-6.crl" };
	struct authority *a = authority_new();
	const struct crl_which delta = which_of(a, CRL_DELTA, 0);
	struct store_crl row;

	for (int i = 1; i <= 6; i++)
		RIG(i == 3
			? crlgen_make(&a->conf, a->r->ca, &delta, a->r->reader, 0, &row, &rig_err)
			: rig_crl_make(&a->conf, a->r->ca, a->r->reader, 0, &row, &rig_err));
	for (size_t i = 0; i < ARRAY_LEN(stay); i++) {
		char *path = mem_fmt("%s/%s", a->r->crl, stay[i]);

		CHECK_ROW(stay[i], (access(path, F_OK) == 0) == (i > 0));
		free(path);
	}
	authority_free(a);
}

/* All of a shard and the first of the next rows on hold: in the long form for real. */
static void
test_full(void)
{
	struct authority *a = authority_new();
	const struct crl_which shard = which_of(a, CRL_SHARD, 0);
	struct store_new_cert row = rig_row(a->r, 1);
	const int64_t n = histories > HISTORIES ? SHARD_SIZE : 300;
	struct store_crl list;

	row.on_hold = true;
	row.shard_uri = "http://pki0.example/crl/issuing-0.crl";
	rig_add(a->r, &row, n);
	RIG(crlgen_make(&a->conf, a->r->ca, &shard, a->r->reader, 0, &list, &rig_err));
	CHECK(list.entries == n && list.size * SHARD_SIZE / n < 1000000);
	authority_free(a);
}

static const struct test_case cases[] = {
	{ "histories", test_histories },
	{ "nothing to list", test_none },
	{ "what is kept", test_kept },
	{ "a full shard", test_full },
};

int
main(int argc, char **argv)
{
	/* SIGKILL takes nothing from a file that was written: the disk is not the point. */
	if (access("/dev/shm", W_OK) == 0)
		require(setenv("TMPDIR", "/dev/shm", 0) == 0);
	if (argc > 2)
		histories = atol(argv[2]);
	if (argc > 3)
		seed = strtoul(argv[3], NULL, 10);
	if (argc > 4)
		samples = argv[4];
	return test_main(argc, argv, "crlgen_history", cases, ARRAY_LEN(cases));
}
