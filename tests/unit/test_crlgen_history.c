/*
 * Lists over random histories: issue, hold, reactivate, revoke; complete lists, deltas and shards
 * in between, some of them failing or torn by a crash. What every list says is compared with what
 * a model says, for everybody who holds an earlier list; libcrypto reads the lists.
 *
 *   test_crlgen_history SOURCE_ROOT [HISTORIES [SEED]]
 */
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <sqlite3.h>

#include "service_rig.h"
#include "smki/crl.h"

#define HISTORIES 40
#define STEPS 4 /* of one history, each up to CHANGES changes and perhaps a list */
#define CHANGES 4
#define CERTS 32 /* of one history */
#define LISTS 64 /* earlier lists that somebody may hold */
#define SHARDS 2
#define FILE_MAX (1024 * 1024)

static long histories = HISTORIES;
static unsigned long seed = 1;

static unsigned
draw(unsigned n)
{
	seed = seed * 6364136223846793005UL + 1442695040888963407UL;
	return (unsigned)(seed >> 33) % n;
}

/* What a list says of each certificate of this history: -1 = not on it, else the reason. */
struct says {
	int64_t number;
	int reason[CERTS];
};

struct model {
	struct rig *r;
	struct crlgen_conf conf;
	size_t n;
	struct {
		int64_t id;
		struct serial serial;
		enum cert_state state;
		enum crl_reason reason;
		int shard;    /* -1 = none */
		bool changed; /* since the base */
		bool shown;   /* on hold or revoked on the base or a list since */
	} cert[CERTS];
	size_t n_lists;
	struct says list[LISTS];
	int64_t base, newest, newest_shard[SHARDS];
	char uri[SHARDS][URI_MAX];
	unsigned keys, first_key; /* so many before this history */
};

static int
listed(const struct model *m, size_t i)
{
	return m->cert[i].state == CERT_VALID ? -1 : (int)m->cert[i].reason;
}

/* ---- changes, several in one transaction ---- */

struct step {
	struct commit_job job; /* first */
	struct model *m;
	unsigned n;
};

static int
step_issue(struct model *m, struct store *store, const struct store_actor *actor, struct err *err)
{
	struct store_new_cert row = rig_row(m->r, 1);
	size_t i = m->n;
	int64_t shard;
	bool taken;

	if (store_shard_next(store, &shard, err) != 0)
		return -1;
	m->cert[i].shard = draw(8) == 0 ? -1 : (int)shard;
	m->keys++;
	for (int k = 0; k < 4; k++)
		row.serial.octets[4 + k] = row.key_hash[k] = (uint8_t)(m->keys >> (24 - 8 * k));
	row.on_hold = draw(3) == 0;
	if (m->cert[i].shard >= 0) {
		row.shard = m->cert[i].shard;
		row.shard_uri = m->uri[row.shard];
	}
	if (store_cert_add(store, actor, &row, &m->cert[i].id, &taken, err) != 0)
		return -1;
	m->cert[i].serial = row.serial;
	m->cert[i].state = row.on_hold ? CERT_HOLD : CERT_VALID;
	m->cert[i].reason = row.on_hold ? REASON_CERTIFICATE_HOLD : REASON_UNSPECIFIED;
	m->cert[i].changed = row.on_hold;
	m->cert[i].shown = false;
	m->n++;
	return 0;
}

static int
step_change(struct model *m, struct store *store, const struct store_actor *actor, size_t i,
    struct err *err)
{
	static const enum crl_reason reasons[] = { REASON_UNSPECIFIED, REASON_KEY_COMPROMISE,
		REASON_SUPERSEDED, REASON_PRIVILEGE_WITHDRAWN };
	struct store_change change = { .to = CERT_HOLD, .reason = REASON_CERTIFICATE_HOLD };

	if (m->cert[i].state == CERT_REVOKED)
		return 0;
	if (draw(4) == 0) {
		change.to = CERT_REVOKED;
		change.reason = reasons[draw(ARRAY_LEN(reasons))];
		change.invalid_since = draw(2) ? 1700000000 : 0;
	} else if (m->cert[i].state == CERT_HOLD) {
		change.to = CERT_VALID;
		change.reason = REASON_UNSPECIFIED;
	}
	if (store_cert_change(store, actor, m->cert[i].id, &change, err) != 0)
		return -1;
	m->cert[i].state = change.to;
	m->cert[i].reason = change.reason;
	m->cert[i].changed = true;
	return 0;
}

static int
step_apply(struct commit_job *job, struct store *store, struct err *err)
{
	struct step *step = (struct step *)job;
	struct model *m = step->m;
	struct store_actor actor = { .uid = 0 };
	int64_t event;

	if (store_event_newest(store, &event, &actor.now, err) != 0)
		return -1;
	if (actor.now < clock_now())
		actor.now = clock_now();
	for (unsigned i = 0; i < step->n; i++) {
		if (m->n < CERTS && (m->n == 0 || draw(3) == 0)) {
			if (step_issue(m, store, &actor, err) != 0)
				return -1;
		} else if (step_change(m, store, &actor, draw((unsigned)m->n), err) != 0) {
			return -1;
		}
	}
	return 0;
}

/* ---- lists ---- */

static X509_CRL *
list_load(struct model *m, const struct crl_which *which, const struct store_crl *row)
{
	char stem[CRL_STEM_MAX], name[CRL_FILE_MAX], *path;
	struct buf der = { 0 };
	const uint8_t *p;
	uint8_t *tbs = NULL;
	X509_CRL *crl;
	int len;

	crlgen_stem("issuing", which, stem);
	crlgen_file(stem, row->number, name);
	path = mem_fmt("%s/%s", m->r->crl, name);
	RIG(file_read(path, FILE_MAX, &der, &rig_err));
	free(path);
	p = der.data;
	crl = d2i_X509_CRL(NULL, &p, (long)der.len);
	require(crl != NULL && p == der.data + der.len);
	/* Encoded again it is the same. */
	len = i2d_re_X509_CRL_tbs(crl, &tbs);
	CHECK(len > 0 && memmem(der.data, der.len, tbs, (size_t)len) != NULL);
	OPENSSL_free(tbs);
	CHECK(row->this_update <= clock_now() && row->next_update > clock_now());
	buf_free(&der);
	return crl;
}

static int64_t
list_number(X509_CRL *crl, int nid, int want_critical)
{
	int critical = -1;
	ASN1_INTEGER *n = X509_CRL_get_ext_d2i(crl, nid, &critical, NULL);
	int64_t number = 0;

	if (n == NULL)
		return 0;
	CHECK(critical == want_critical && ASN1_INTEGER_get_int64(&number, n) == 1);
	ASN1_INTEGER_free(n);
	return number;
}

/* The URI of an extension that holds a list of distribution points, or one alone. */
static void
list_uri(X509_CRL *crl, int nid, const char *want)
{
	int critical;
	void *ext = X509_CRL_get_ext_d2i(crl, nid, &critical, NULL);
	DIST_POINT_NAME *name;
	ASN1_STRING *uri;

	CHECK((ext != NULL) == (want != NULL));
	if (ext == NULL)
		return;
	name = nid == NID_freshest_crl
		   ? sk_DIST_POINT_value((STACK_OF(DIST_POINT) *)ext, 0)->distpoint
		   : ((ISSUING_DIST_POINT *)ext)->distpoint;
	uri = sk_GENERAL_NAME_value(name->name.fullname, 0)->d.ia5;
	CHECK(critical == (nid == NID_issuing_distribution_point));
	CHECK_MEM(ASN1_STRING_get0_data(uri), (size_t)ASN1_STRING_length(uri), want, strlen(want));
	if (nid == NID_freshest_crl)
		CRL_DIST_POINTS_free(ext);
	else
		ISSUING_DIST_POINT_free(ext);
}

/* What it says of each certificate; how many entries are there of this history. */
static int
list_says(struct model *m, X509_CRL *crl, struct says *out)
{
	STACK_OF(X509_REVOKED) *entries = X509_CRL_get_REVOKED(crl);
	ASN1_ENUMERATED *reason;
	X509_REVOKED *entry;
	int n = 0;

	for (size_t i = 0; i < m->n; i++)
		out->reason[i] = -1;
	for (int k = 0; k < sk_X509_REVOKED_num(entries); k++) {
		const ASN1_INTEGER *serial;
		const uint8_t *o;
		unsigned i;

		entry = sk_X509_REVOKED_value(entries, k);
		serial = X509_REVOKED_get0_serialNumber(entry);
		o = ASN1_STRING_get0_data(serial);
		i = (unsigned)o[4] << 24 | (unsigned)o[5] << 16 | (unsigned)o[6] << 8 | o[7];
		if (i <= m->first_key || i > m->first_key + m->n)
			continue;
		i -= m->first_key + 1;
		CHECK_MEM(o, (size_t)ASN1_STRING_length(serial), m->cert[i].serial.octets,
		    m->cert[i].serial.len);
		reason = X509_REVOKED_get_ext_d2i(entry, NID_crl_reason, NULL, NULL);
		CHECK(out->reason[i] == -1); /* once */
		out->reason[i] = reason == NULL ? 0 : (int)ASN1_ENUMERATED_get(reason);
		ASN1_ENUMERATED_free(reason);
		n++;
	}
	return n;
}

/* Make it, sometimes with a token that fails first, sometimes finished only by the next start. */
static X509_CRL *
list_make(struct model *m, const struct crl_which *which, struct store_crl *row)
{
	char stem[CRL_STEM_MAX], name[CRL_FILE_MAX], *path, *fresh;
	struct err err;

	if (draw(16) == 0) {
		m->r->ca_key->refuse = true;
		CHECK(crlgen_make(&m->conf, m->r->ca, which, m->r->reader, 0, row, &err) != 0);
		m->r->ca_key->refuse = false;
	}
	RIG(crlgen_make(&m->conf, m->r->ca, which, m->r->reader, 0, row, &rig_err));
	if (draw(16) == 0) {
		crlgen_stem("issuing", which, stem);
		crlgen_file(stem, row->number, name);
		path = mem_fmt("%s/%s", m->r->crl, name);
		fresh = mem_fmt("%s.new", path);
		require(rename(path, fresh) == 0);
		RIG(crlgen_recover(m->r->crl, m->r->cas, m->r->reader, &rig_err));
		free(path);
		free(fresh);
	}
	CHECK(crlgen_check_age(m->r->crl, m->r->cas, m->r->reader, &err) == 0);
	return list_load(m, which, row);
}

/* Everybody's memory of what list number said, and what OCSP says at the same event. */
static void
model_keep(struct model *m, int64_t number)
{
	struct store_status status;
	struct says *says = &m->list[m->n_lists % LISTS];

	m->n_lists++;
	says->number = number;
	for (size_t i = 0; i < CERTS; i++) {
		says->reason[i] = i < m->n ? listed(m, i) : -1;
		if (i >= m->n)
			continue;
		RIG(store_status_get(
		    m->r->reader, m->r->ca->id, &m->cert[i].serial, &status, &rig_err));
		CHECK(status.state == m->cert[i].state);
		m->cert[i].shown |= says->reason[i] != -1;
	}
}

static void
make_complete(struct model *m)
{
	const struct crl_which which = { .ca = m->r->ca->id, .kind = CRL_COMPLETE };
	struct store_crl row;
	struct says says;
	X509_CRL *crl;

	m->conf.deltas = draw(2) == 0;
	crl = list_make(m, &which, &row);
	CHECK(list_number(crl, NID_crl_number, 0) == row.number && row.number > m->newest);
	CHECK(list_number(crl, NID_delta_crl, 1) == 0 && row.base == 0);
	list_uri(crl, NID_freshest_crl,
	    m->conf.deltas ? "http://pki.example/crl/issuing-delta.crl" : NULL);
	list_uri(crl, NID_issuing_distribution_point, NULL);
	list_says(m, crl, &says);
	for (size_t i = 0; i < m->n; i++) {
		CHECK(says.reason[i] == listed(m, i));
		m->cert[i].changed = m->cert[i].shown = false;
	}
	m->base = m->newest = row.number;
	model_keep(m, row.number);
	X509_CRL_free(crl);
}

static void
make_delta(struct model *m)
{
	const struct crl_which which = { .ca = m->r->ca->id, .kind = CRL_DELTA };
	struct store_crl row;
	struct says says;
	int64_t want = 0;
	X509_CRL *crl = list_make(m, &which, &row);

	CHECK(list_number(crl, NID_crl_number, 0) == row.number && row.number > m->newest);
	CHECK(list_number(crl, NID_delta_crl, 1) == m->base && row.base == m->base);
	list_uri(crl, NID_freshest_crl, NULL);
	list_uri(crl, NID_issuing_distribution_point, NULL);
	CHECK(list_says(m, crl, &says) == row.entries);
	/* Exactly what changed, but for what was never seen in between. */
	for (size_t i = 0; i < m->n; i++) {
		int is = m->cert[i].changed && (m->cert[i].state != CERT_VALID || m->cert[i].shown);

		CHECK((says.reason[i] != -1) == is);
		want += is;
	}
	CHECK(row.entries == want);
	/* Whoever holds a list from the base on, complete or combined, now knows what is true. */
	for (size_t k = 0; k < m->n_lists && k < LISTS; k++) {
		const struct says *old = &m->list[k];

		if (old->number < m->base || old->number >= row.number)
			continue;
		for (size_t i = 0; i < m->n; i++) {
			int now = old->reason[i];

			if (says.reason[i] != -1)
				now = says.reason[i] == REASON_REMOVE_FROM_CRL ? -1
									       : says.reason[i];
			CHECK(now == listed(m, i));
		}
	}
	m->newest = row.number;
	model_keep(m, row.number);
	X509_CRL_free(crl);
}

/* All of them at one event: together all that is listed and has one, none twice. */
static void
make_shards(struct model *m)
{
	struct crl_which which = { .ca = m->r->ca->id, .kind = CRL_SHARD };
	struct store_shard shard;
	struct store_crl row;
	struct says says;
	X509_CRL *crl;
	struct err err;

	for (int s = 0; s < SHARDS; s++) {
		which.shard = s;
		if (store_shard_get(m->r->reader, which.ca, s, &shard, &err) != 0)
			continue;
		crl = list_make(m, &which, &row);
		CHECK(list_number(crl, NID_crl_number, 0) == row.number);
		CHECK(row.number > m->newest_shard[s]);
		m->newest_shard[s] = row.number;
		list_uri(crl, NID_issuing_distribution_point, m->uri[s]);
		list_uri(crl, NID_freshest_crl, NULL);
		list_says(m, crl, &says);
		for (size_t i = 0; i < m->n; i++)
			CHECK(says.reason[i] == (m->cert[i].shard == s ? listed(m, i) : -1));
		RIG(store_shard_get(m->r->reader, which.ca, s, &shard, &rig_err));
		CHECK(shard.changed_event <= shard.shown_event && shard.made == row.this_update);
		X509_CRL_free(crl);
	}
}

/* ---- the authority, shortly before the end of its first shard ---- */

/* Twelve thousand rows would take their time: the rule about numbers is away for one row. */
static void
skip_rows(struct rig *r, int to)
{
	char *rule,
	    *jump = mem_fmt(
		"DROP TRIGGER certificate_insert; INSERT INTO certificate (id, ca, serial, "
		"profile, holder, use, key_hash, not_before, not_after, state, changed, "
		"event) SELECT %d, ca, X'42', profile, holder, use, randomblob(32), "
		"not_before, not_after, state, changed, event FROM certificate WHERE id = 1",
		to);
	sqlite3_stmt *stmt;
	sqlite3 *db;

	require(sqlite3_open(r->db, &db) == SQLITE_OK);
	/* The committer may be at its checkpoint. */
	require(sqlite3_busy_timeout(db, STORE_BUSY_MS) == SQLITE_OK);
	require(sqlite3_prepare_v2(db,
		    "SELECT sql FROM sqlite_schema WHERE name = 'certificate_insert'", -1, &stmt,
		    NULL) == SQLITE_OK &&
		sqlite3_step(stmt) == SQLITE_ROW);
	rule = mem_fmt("%s", (const char *)sqlite3_column_text(stmt, 0));
	sqlite3_finalize(stmt);
	require(sqlite3_exec(db, jump, NULL, NULL, NULL) == SQLITE_OK);
	require(sqlite3_exec(db, rule, NULL, NULL, NULL) == SQLITE_OK);
	sqlite3_close(db);
	free(jump);
	free(rule);
}

static struct model *
model_new(void)
{
	struct model *m = mem_alloc(sizeof(*m));
	struct rig *r = rig_new();

	m->r = r;
	m->conf = (struct crlgen_conf){ .dir = r->crl,
		.cas = r->cas,
		.committer = r->committer,
		.guard = r->guard,
		.validity = 86400 };
	RIG(caset_uris("http://pki.example", "issuing", &r->ca->issuer, &rig_err));
	for (int s = 0; s < SHARDS; s++) {
		struct crl_which which = { .kind = CRL_SHARD, .shard = s };

		RIG(caset_list_uri(r->ca, &which, m->uri[s], &rig_err));
	}
	CHECK_STR(m->uri[1], "http://pki.example/crl/issuing-1.crl");
	return m;
}

static void
model_history(struct model *m)
{
	struct step step = { .job = { .lane = COMMIT_OTHER, .apply = step_apply }, .m = m };

	m->n = m->n_lists = 0;
	m->first_key = m->keys;
	make_complete(m);
	for (int i = 0; i < STEPS; i++) {
		step.n = 1 + draw(CHANGES);
		RIG(committer_run(m->r->committer, &step.job, &rig_err));
		switch (draw(5)) {
		case 0:
			make_complete(m);
			break;
		case 1:
		case 2:
			make_delta(m);
			break;
		case 3:
			make_shards(m);
			break;
		default:
			break;
		}
	}
	make_delta(m);
}

static void
test_histories(void)
{
	struct model *m = model_new();
	struct err err;
	struct store_crl row;
	const struct crl_which delta = { .ca = m->r->ca->id, .kind = CRL_DELTA },
			       shard = { .ca = m->r->ca->id, .kind = CRL_SHARD, .shard = 7 };

	/* Nothing to continue, nothing issued: no number is burnt. */
	CHECK(crlgen_make(&m->conf, m->r->ca, &delta, m->r->reader, 0, &row, &err) != 0);
	CHECK(err.code == FAIL_CONFLICT && strstr(err.msg, "5.2.4") != NULL);
	CHECK(crlgen_make(&m->conf, m->r->ca, &shard, m->r->reader, 0, &row, &err) != 0);
	CHECK(err.code == FAIL_NOT_FOUND);
	for (long i = 0; i < histories; i++) {
		if (i == histories / 2)
			skip_rows(m->r, SHARD_SIZE - 20);
		model_history(m);
		if (CU_get_number_of_failures() != 0) {
			fprintf(stderr, "  history %ld\n", i);
			break;
		}
	}
	CHECK(m->newest_shard[0] > 0 && m->newest_shard[1] > 0);
	rig_free(m->r);
	free(m);
}

/* The base of the newest delta stays, and three of each kind; the first is gone. */
static void
test_kept(void)
{
	static const char *const stay[] = { "issuing-1.crl", "issuing-2.crl", "issuing.delta-3.crl",
		"issuing-4.crl", "issuing-5.crl", "issuing-6.crl" };
	struct model *m = model_new();
	const struct crl_which delta = { .ca = m->r->ca->id, .kind = CRL_DELTA };
	struct store_crl row;

	for (int i = 1; i <= 6; i++)
		RIG(i == 3
			? crlgen_make(&m->conf, m->r->ca, &delta, m->r->reader, 0, &row, &rig_err)
			: rig_crl_make(&m->conf, m->r->ca, m->r->reader, 0, &row, &rig_err));
	for (size_t i = 0; i < ARRAY_LEN(stay); i++) {
		char *path = mem_fmt("%s/%s", m->r->crl, stay[i]);

		CHECK_ROW(stay[i], (access(path, F_OK) == 0) == (i > 0));
		free(path);
	}
	rig_free(m->r);
	free(m);
}

/* All of a shard and the first of the next rows on hold: in the long form for real. */
static void
test_full(void)
{
	struct model *m = model_new();
	const struct crl_which shard = { .ca = m->r->ca->id, .kind = CRL_SHARD };
	struct store_new_cert row = rig_row(m->r, 1);
	const int64_t n = histories > HISTORIES ? SHARD_SIZE : 300;
	struct store_crl list;

	row.on_hold = true;
	row.shard_uri = m->uri[0];
	rig_add(m->r, &row, n);
	RIG(crlgen_make(&m->conf, m->r->ca, &shard, m->r->reader, 0, &list, &rig_err));
	CHECK(list.entries == n && list.size * SHARD_SIZE / n < 1000000);
	rig_free(m->r);
	free(m);
}

static const struct test_case cases[] = {
	{ "histories", test_histories },
	{ "what is kept", test_kept },
	{ "a full shard", test_full },
};

int
main(int argc, char **argv)
{
	if (argc > 2)
		histories = atol(argv[2]);
	if (argc > 3)
		seed = strtoul(argv[3], NULL, 10);
	return test_main(argc, argv, "crlgen_history", cases, ARRAY_LEN(cases));
}
