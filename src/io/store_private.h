/*
 * What the store's own files share: the handle, and small helpers around db.h. Private to src/io.
 */
#ifndef SMKI_STORE_PRIVATE_H
#define SMKI_STORE_PRIVATE_H

#include "smki/store.h"

#include "db.h"

/* Profiles whose numbers a handle remembers; more than these are looked up each time. */
#define STORE_PROFILES_KEPT 16

struct store {
	struct db *db;
	bool reader; /* opened with STORE_READ */
	bool view;   /* the open transaction is only a view */
	/* Numbers of profiles read in the present transaction: one that is undone may take a
	 * profile's row with it, so nothing is remembered across begin, undo and rollback. */
	size_t n_profiles;
	struct {
		char name[NAME_LEN];
		int64_t id;
	} profile[STORE_PROFILES_KEPT];
};

/* 0 inside a write transaction, else FAIL_UNAVAILABLE: SQLite may have rolled it back by itself,
 * and a write after that would be a transaction of its own. */
int store_need_transaction(const struct store *store, struct err *err) MUST_USE;

/* An event's columns; 0 and -1 as in struct store_event. */
struct store_event_new {
	const char *action;
	const char *detail; /* NULL = the actor's */
	int64_t ca, certificate, holder;
	int from_state, to_state, reason;
	time_t invalid_since;
};
int store_event_put(struct store *store, const struct store_actor *actor,
    const struct store_event_new *event, int64_t *id, struct err *err) MUST_USE;

/* A serial column. FAIL_INTERNAL when it is none. */
int store_serial_col(struct db_stmt *stmt, int col, struct serial *out, struct err *err) MUST_USE;
/* A column that may be NULL. */
int64_t store_int_or(struct db_stmt *stmt, int col, int64_t when_null);

#endif
