/*
 * Imports of devices: rows come in many transactions and are seen from the one that finishes the
 * import, or never. What an import left behind is cleared away in pieces, so that nobody waits.
 */
#include <stdio.h>
#include <string.h>

#include "store_private.h"

int
store_import_begin(struct store *store, const struct store_actor *actor, const char *name,
    int64_t *import, struct err *err)
{
	static const char sql[] =
	    "INSERT INTO device_import (name, started, actor) VALUES (?, ?, ?)";
	struct db_stmt *stmt = NULL;
	char cut[DETAIL_LEN];

	if (store_need_transaction(store, err) != 0 || db_stmt(store->db, sql, &stmt, err) != 0)
		return -1;
	store_detail(name, cut);
	db_bind_text(stmt, 1, cut);
	db_bind_int(stmt, 2, actor->now);
	db_bind_int(stmt, 3, actor->uid);
	if (db_run(stmt, err) != 0)
		return -1;
	*import = db_last_id(store->db);
	return 0;
}

struct store_import {
	char name[DETAIL_LEN];
	bool finished, dropped;
	int64_t devices; /* rows there now */
	int64_t first;	 /* none of its rows has a smaller number */
};

static int
store_import_get(struct store *store, int64_t import, struct store_import *out, struct err *err)
{
	static const char sql[] = "SELECT name, finished, dropped, devices, first_device "
				  "FROM device_import WHERE id = ?";
	struct db_stmt *stmt = NULL;
	bool row = false;
	int r = -1;

	if (db_stmt(store->db, sql, &stmt, err) != 0)
		return -1;
	db_bind_int(stmt, 1, import);
	if (db_step(stmt, &row, err) != 0)
		return -1;
	if (!row)
		return err_set(
		    err, FAIL_NOT_FOUND, "import %lld: there is no such one", (long long)import);
	if (db_text(stmt, 0, out->name, sizeof out->name, err) == 0) {
		out->finished = !db_is_null(stmt, 1);
		out->dropped = db_int(stmt, 2) != 0;
		out->devices = db_int(stmt, 3);
		out->first = db_int(stmt, 4);
		r = 0;
	}
	db_reset(stmt);
	return r;
}

/* One that still takes rows. FAIL_NOT_FOUND, since a caller tells a device's conflict by its
 * code. */
static int
store_import_going(struct store *store, int64_t import, struct store_import *out, struct err *err)
{
	if (store_import_get(store, import, out, err) != 0)
		return -1;
	if (!out->finished && !out->dropped)
		return 0;
	return err_set(err, FAIL_NOT_FOUND, "import %lld: is %s already", (long long)import,
	    out->finished ? "finished" : "dropped");
}

int
store_import_add(struct store *store, const struct store_actor *actor, int64_t import,
    const struct device *devices, size_t n, size_t *bad, struct err *err)
{
	struct store_import is;
	char text[DEVICE_TEXT_LEN];
	struct err why = { 0 };

	*bad = n;
	if (store_need_transaction(store, err) != 0 ||
	    store_import_going(store, import, &is, err) != 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (store_device_put(store, &devices[i], 0, actor->now, import, 0, &why) == 0)
			continue;
		*bad = i;
		if (why.code == FAIL_CONFLICT && strcmp(why.msg, DEVICE_TAKEN) == 0 &&
		    store_device_clash(store, &devices[i].eui, import, err) != 0)
			return -1;
		store_device_text(&devices[i].eui, text);
		return err_set(err, why.code, "device %s: %s", text, why.msg);
	}
	return 0;
}

int
store_import_finish(struct store *store, const struct store_actor *actor, int64_t import,
    int64_t count, struct err *err)
{
	static const char sql[] = "UPDATE device_import SET finished = ? WHERE id = ?";
	struct store_event_new event = {
		.action = "import", .from_state = -1, .to_state = -1, .reason = -1
	};
	char number[32], detail[DETAIL_LEN + sizeof number];
	struct db_stmt *stmt = NULL;
	struct store_import is;
	int64_t id;

	if (store_need_transaction(store, err) != 0 ||
	    store_import_going(store, import, &is, err) != 0)
		return -1;
	if (is.devices != count)
		return err_set(err, FAIL_CONFLICT, "import %lld: has %lld devices here, not %lld",
		    (long long)import, (long long)is.devices, (long long)count);
	snprintf(detail, sizeof detail, "%lld devices: %s", (long long)count, is.name);
	event.detail = detail;
	if (store_event_put(store, actor, &event, &id, err) != 0 ||
	    db_stmt(store->db, sql, &stmt, err) != 0)
		return -1;
	db_bind_int(stmt, 1, id);
	db_bind_int(stmt, 2, import);
	return db_run(stmt, err);
}

/* The last of the next limit numbers from first on, whosever rows they are; 0 when there is none:
 * to look for the import's own only would walk through all others once a piece. */
static int
store_import_window(
    struct store *store, int64_t first, int64_t limit, int64_t *last, struct err *err)
{
	static const char sql[] = "SELECT max(id) FROM "
				  "(SELECT id FROM device WHERE id >= ? ORDER BY id LIMIT ?)";
	struct db_stmt *stmt = NULL;
	bool row = false;

	if (db_stmt(store->db, sql, &stmt, err) != 0)
		return -1;
	db_bind_int(stmt, 1, first);
	db_bind_int(stmt, 2, limit);
	if (db_step(stmt, &row, err) != 0)
		return -1;
	*last = db_int(stmt, 0);
	db_reset(stmt);
	return 0;
}

/* Remove its rows from first to last. */
static int
store_import_clear(
    struct store *store, int64_t import, int64_t first, int64_t last, struct err *err)
{
	static const char sql[] = "DELETE FROM device WHERE id BETWEEN ? AND ? AND import = ?";
	static const char sql_next[] = "UPDATE device_import SET first_device = ? WHERE id = ?";
	struct db_stmt *stmt = NULL;

	if (db_stmt(store->db, sql, &stmt, err) != 0)
		return -1;
	db_bind_int(stmt, 1, first);
	db_bind_int(stmt, 2, last);
	db_bind_int(stmt, 3, import);
	if (db_run(stmt, err) != 0 || db_stmt(store->db, sql_next, &stmt, err) != 0)
		return -1;
	db_bind_int(stmt, 1, last + 1);
	db_bind_int(stmt, 2, import);
	return db_run(stmt, err);
}

int
store_import_drop(struct store *store, int64_t import, int64_t limit, bool *left, struct err *err)
{
	static const char sql[] = "UPDATE device_import SET dropped = 1 WHERE id = ?";
	struct db_stmt *stmt = NULL;
	struct store_import is;
	int64_t last;

	if (store_need_transaction(store, err) != 0 ||
	    store_import_get(store, import, &is, err) != 0)
		return -1;
	if (is.finished)
		return err_set(
		    err, FAIL_CONFLICT, "import %lld: is finished already", (long long)import);
	if (!is.dropped) {
		if (db_stmt(store->db, sql, &stmt, err) != 0)
			return -1;
		db_bind_int(stmt, 1, import);
		if (db_run(stmt, err) != 0)
			return -1;
	}
	if (is.devices > 0) {
		if (store_import_window(store, is.first, limit, &last, err) != 0)
			return -1;
		/* A count that somebody set by hand is no reason to come back for ever. */
		if (last == 0) {
			*left = false;
			return 0;
		}
		if (store_import_clear(store, import, is.first, last, err) != 0 ||
		    store_import_get(store, import, &is, err) != 0)
			return -1;
	}
	*left = is.devices > 0;
	return 0;
}

int
store_import_unfinished(struct store *store, int64_t *out, size_t cap, size_t *n, struct err *err)
{
	static const char sql[] = "SELECT id FROM device_import WHERE finished IS NULL "
				  "AND (dropped = 0 OR devices > 0) ORDER BY id LIMIT ?";
	struct db_stmt *stmt = NULL;
	bool row = false;
	size_t got = 0;

	if (db_stmt(store->db, sql, &stmt, err) != 0)
		return -1;
	db_bind_int(stmt, 1, (int64_t)cap);
	for (;;) {
		if (db_step(stmt, &row, err) != 0)
			return -1;
		if (!row)
			break;
		out[got++] = db_int(stmt, 0);
	}
	*n = got;
	return 0;
}
