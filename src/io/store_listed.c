/*
 * What stands on a list, and which shards there are: read only, but for the row that a shard gets
 * at its first use.
 */
#include <stdio.h>
#include <string.h>

#include "smki/mem.h"
#include "smki/store_crl.h"

#include "store_private.h"

static const char listed_complete[] =
    "SELECT serial, reason, changed, invalid_since FROM listed WHERE ca = ?1 ORDER BY event";
static const char listed_shard[] =
    "SELECT serial, reason, changed, invalid_since FROM listed INDEXED BY listed_shard "
    "WHERE ca = ?1 AND shard = ?2 ORDER BY certificate";
/*
 * Events tell who changed after ?2; the view, how they are now. Who is valid now is removed when a
 * list since then (crl_shown) shows an event from a hold that ended after ?2 up to before its end.
 * The set of the changed is SQLite's, which spills it to disk when it is large.
 */
static const char listed_delta[] =
    "SELECT c.serial, CASE c.state WHEN 0 THEN 8 ELSE c.reason END, c.changed, c.invalid_since "
    "FROM (SELECT certificate FROM event INDEXED BY event_state_change "
    "    WHERE from_state IS NOT NULL AND id > ?2 AND ca = ?1 "
    "  UNION SELECT certificate FROM event INDEXED BY event_issued_on_hold "
    "    WHERE from_state IS NULL AND to_state = 1 AND id > ?2 AND ca = ?1) AS moved "
    "CROSS JOIN certificate_now c ON c.id = moved.certificate "
    "WHERE c.state <> 0 OR EXISTS (SELECT 1 FROM event r INDEXED BY event_certificate "
    "  WHERE r.certificate = c.id AND r.action <> 'issue' AND r.id > ?2 "
    "    AND r.from_state = 1 AND r.to_state = 0 "
    "    AND EXISTS (SELECT 1 FROM crl l INDEXED BY crl_shown WHERE l.ca = ?1 "
    "      AND l.event IS NOT NULL AND l.event >= ?2 AND l.event < r.id "
    /* the hold's beginning: an event of its own, or it was issued so */
    "      AND l.event >= coalesce((SELECT max(h.id) FROM event h INDEXED BY event_certificate "
    "        WHERE h.certificate = c.id AND h.action <> 'issue' AND h.to_state = 1 "
    "          AND h.id < r.id), c.issue_event))) "
    "ORDER BY c.id";

static const char *
listed_sql(enum crl_kind kind)
{
	switch (kind) {
	case CRL_COMPLETE:
		return listed_complete;
	case CRL_DELTA:
		return listed_delta;
	case CRL_SHARD:
		return listed_shard;
	}
	require(false);
	return NULL;
}

/* Rows of a list are read once and in order: to keep more of them than this is slower than to read
 * the next page into memory that a core still has near. What the reader kept before goes, too. */
#define LISTED_CACHE "PRAGMA cache_size=-2048" /* KiB */

/* *old = what to set again. */
static int
listed_cache(struct store *store, int64_t *old, struct err *err)
{
	static const char ask[] = "PRAGMA cache_size";
	struct db_stmt *stmt = NULL;
	bool row = false;

	if (db_stmt(store->db, ask, &stmt, err) != 0 || db_step(stmt, &row, err) != 0)
		return -1;
	*old = row ? db_int(stmt, 0) : 0;
	db_reset(stmt);
	return db_script(store->db, LISTED_CACHE, err);
}

static int
listed_each(struct store *store, const struct crl_which *which, int64_t base,
    int (*fn)(void *ctx, const struct store_listed *listed, struct err *err), void *ctx,
    struct err *err)
{
	struct db_stmt *stmt = NULL;
	struct store_listed listed;
	bool row = false;
	int r = -1;

	if (db_prepare(store->db, listed_sql(which->kind), &stmt, err) != 0)
		return -1;
	db_bind_int(stmt, 1, which->ca);
	if (which->kind != CRL_COMPLETE)
		db_bind_int(stmt, 2, which->kind == CRL_DELTA ? base : which->shard);
	for (;;) {
		if (db_step(stmt, &row, err) != 0)
			goto out;
		if (!row)
			break;
		if (store_serial_col(stmt, 0, &listed.serial, err) != 0)
			goto out;
		listed.reason = (enum crl_reason)db_int(stmt, 1);
		listed.changed = (time_t)db_int(stmt, 2);
		listed.invalid_since = (time_t)db_int(stmt, 3);
		if (fn(ctx, &listed, err) != 0)
			goto out;
	}
	r = 0;
out:
	db_finish(stmt);
	return r;
}

int
store_list_each(struct store *store, const struct crl_which *which, int64_t base,
    int (*fn)(void *ctx, const struct store_listed *listed, struct err *err), void *ctx,
    struct err *err)
{
	struct err why;
	char again[64];
	int64_t cache;
	int r;

	if (!store->reader)
		return listed_each(store, which, base, fn, ctx, err);
	if (listed_cache(store, &cache, err) != 0)
		return -1;
	r = listed_each(store, which, base, fn, ctx, err);
	snprintf(again, sizeof(again), "PRAGMA cache_size=%lld", (long long)cache);
	/* The first failure is the one told. */
	return db_script(store->db, again, r == 0 ? err : &why) != 0 ? -1 : r;
}

int
store_listed_each(struct store *store, int64_t ca,
    int (*fn)(void *ctx, const struct store_listed *listed, struct err *err), void *ctx,
    struct err *err)
{
	const struct crl_which which = { .ca = ca, .kind = CRL_COMPLETE };

	return store_list_each(store, &which, 0, fn, ctx, err);
}

/* ---- shards ---- */

int
store_shard_next(struct store *store, int64_t *number, struct err *err)
{
	int64_t id;

	if (store_cert_next(store, &id, err) != 0)
		return -1;
	*number = id / SHARD_SIZE;
	return 0;
}

static int
store_shard_row(struct db_stmt *stmt, struct store_shard *out, struct err *err)
{
	bool row = false;
	int r = -1;

	if (db_step(stmt, &row, err) != 0)
		return -1;
	if (!row)
		return err_set(err, FAIL_NOT_FOUND, "crl shard: there is none");
	out->ca = db_int(stmt, 0);
	out->number = db_int(stmt, 1);
	out->changed_event = db_int(stmt, 3);
	out->shown_event = db_int(stmt, 4);
	out->made = (time_t)db_int(stmt, 5);
	r = db_text(stmt, 2, out->uri, sizeof(out->uri), err);
	db_reset(stmt);
	return r;
}

int
store_shard_get(
    struct store *store, int64_t ca, int64_t number, struct store_shard *out, struct err *err)
{
	static const char sql[] = "SELECT ca, number, uri, changed_event, shown_event, made "
				  "FROM crl_shard WHERE ca = ? AND number = ?";
	struct db_stmt *stmt = NULL;

	if (db_stmt(store->db, sql, &stmt, err) != 0)
		return -1;
	db_bind_int(stmt, 1, ca);
	db_bind_int(stmt, 2, number);
	return store_shard_row(stmt, out, err);
}

int
store_shard_due(struct store *store, int64_t ca, time_t changed_before, time_t made_before,
    time_t ahead, struct store_shard *out, struct err *err)
{
	static const char sql_changed[] =
	    "SELECT ca, number, uri, changed_event, shown_event, made "
	    "FROM crl_shard INDEXED BY crl_shard_changed "
	    "WHERE ca = ? AND (made <= ? OR made > ?) AND changed_event > shown_event "
	    "ORDER BY made LIMIT 1";
	static const char sql_made[] =
	    "SELECT ca, number, uri, changed_event, shown_event, made "
	    "FROM crl_shard INDEXED BY crl_shard_made WHERE ca = ? AND made <= ? "
	    "ORDER BY made LIMIT 1";
	struct db_stmt *stmt = NULL;

	if (db_stmt(store->db, sql_changed, &stmt, err) != 0)
		return -1;
	db_bind_int(stmt, 1, ca);
	db_bind_int(stmt, 2, changed_before);
	db_bind_int(stmt, 3, ahead);
	if (store_shard_row(stmt, out, err) == 0)
		return 0;
	if (err->code != FAIL_NOT_FOUND || db_stmt(store->db, sql_made, &stmt, err) != 0)
		return -1;
	db_bind_int(stmt, 1, ca);
	db_bind_int(stmt, 2, made_before);
	return store_shard_row(stmt, out, err);
}

int
store_shard_ensure(struct store *store, int64_t ca, int64_t number, const char *uri, int64_t event,
    struct err *err)
{
	static const char sql[] =
	    "INSERT INTO crl_shard (ca, number, uri, changed_event) VALUES (?, ?, ?, ?)";
	struct db_stmt *stmt = NULL;
	struct store_shard shard;

	if (store_shard_get(store, ca, number, &shard, err) == 0) {
		if (strcmp(shard.uri, uri) == 0)
			return 0;
		return err_set(err, FAIL_CONFLICT,
		    "crl shard %lld: RFC 5280 5.2.5: its lists are at %s, not at %s",
		    (long long)number, shard.uri, uri);
	}
	if (err->code != FAIL_NOT_FOUND || db_stmt(store->db, sql, &stmt, err) != 0)
		return -1;
	db_bind_int(stmt, 1, ca);
	db_bind_int(stmt, 2, number);
	db_bind_text(stmt, 3, uri);
	db_bind_int(stmt, 4, event);
	return db_run(stmt, err);
}
