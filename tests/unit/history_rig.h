/*
 * Authorities for histories: a rig with workers and a responder, whose process may be left and begun
 * again; and the places where a child that plays it is killed.
 */
#ifndef HISTORY_RIG_H
#define HISTORY_RIG_H

#include <sqlite3.h>

#include "crl_judge.h"
#include "smki/fault.h"

/* ---- places where a child is killed ---- */

static _Atomic unsigned places_left; /* 0 = lives on */

void
fault_point(const char *name)
{
	if (places_left == 0 || --places_left != 0)
		return;
	snprintf(shared->died, sizeof(shared->died), "%s", name);
	kill(getpid(), SIGKILL);
	for (;;)
		pause();
}

/* ---- an authority and its process ---- */

static inline void
authority_start(struct authority *a)
{
	const struct respond_conf conf = {
		.home = &a->r->home, .guard = a->r->guard, .signer = a->r->ocsp_key->signer
	};

	a->conf.committer = a->r->committer;
	a->workers = workers_new(a->r, 1, model_serial);
	RIG(responder_new(&conf, a->r->reader, &a->responder, &rig_err));
}

static inline void
authority_stop(struct authority *a)
{
	workers_free(a->workers);
	responder_free(a->responder);
	a->workers = NULL;
	a->responder = NULL;
}

/* The database and its threads as a process of its own has them. */
static inline void
process_start(struct authority *a)
{
	RIG(store_open(a->r->db, STORE_WRITE, &a->r->store, &rig_err));
	RIG(store_open(a->r->db, STORE_READ, &a->r->reader, &rig_err));
	RIG(committer_start(a->r->store, NULL, rig_fatal, &a->r->committer, &rig_err));
	authority_start(a);
}

static inline void
process_stop(struct authority *a)
{
	authority_stop(a);
	committer_stop(a->r->committer);
	store_close(a->r->reader);
	store_close(a->r->store);
	a->r->committer = NULL;
	a->r->reader = a->r->store = NULL;
}

static inline X509 *
authority_cert(const struct buf *der)
{
	const uint8_t *p = der->data;
	X509 *x = d2i_X509(NULL, &p, (long)der->len);

	require(x != NULL);
	return x;
}

static inline struct authority *
authority_new(void)
{
	const int flags = MAP_SHARED | MAP_ANONYMOUS;
	struct authority *a = mem_alloc(sizeof(*a));
	struct rig *r = rig_new();

	/* cppcheck-suppress invalidFunctionArg; there is no file */
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, flags, -1, 0);
	require(shared != MAP_FAILED);
	a->m = shared;
	a->r = r;
	a->conf = (struct crlgen_conf){
		.dir = r->crl, .cas = r->cas, .guard = r->guard, .validity = 86400
	};
	r->home.ocsp_validity = 3600;
	RIG(caset_uris("http://pki0.example", "issuing", &r->ca->issuer, &rig_err));
	for (size_t i = 0; i < r->profiles.n; i++)
		if (strcmp(r->profiles.profile[i]->name, "device-signature") == 0)
			r->profiles.profile[i]->cdp = r->profiles.profile[i]->cdp_shard = true;
	a->root = authority_cert(&r->root->der);
	a->issuing = authority_cert(&r->ca->der);
	a->trust = X509_STORE_new();
	require(X509_STORE_add_cert(a->trust, a->root) == 1);
	authority_start(a);
	return a;
}

static inline void
authority_free(struct authority *a)
{
	authority_stop(a);
	rig_free(a->r);
	X509_CRL_free(a->complete);
	X509_STORE_free(a->trust);
	X509_free(a->root);
	X509_free(a->issuing);
	munmap(shared, sizeof(*shared));
	shared = NULL;
	free(a);
}

/* Twelve thousand rows would take their time: the rule about numbers is away for one row. */
static inline void
skip_rows(struct rig *r, int to)
{
	char *rule,
	    *jump = mem_fmt(
		"DROP TRIGGER certificate_insert; INSERT INTO certificate (id, ca, serial, "
		"profile, holder, use, key_hash, not_before, not_after, issued_state, issued, "
		"issue_event) SELECT %d, ca, X'42', profile, holder, use, randomblob(32), "
		"not_before, "
		"not_after, issued_state, issued, issue_event FROM certificate WHERE id = 1",
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

#endif
