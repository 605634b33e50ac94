/*
 * CRL numbers and finished lists, and what stands on a list. A number is taken and committed
 * before the first byte is signed; the row is finished when the file is durable.
 */
#include <stdio.h>
#include <string.h>

#include "store_private.h"

int
store_crl_take(struct store *store, int64_t ca, time_t now, int64_t *number, struct err *err)
{
	static const char sql_next[] = "SELECT 1 + coalesce(max(number), 0) FROM crl WHERE ca = ?";
	static const char sql[] = "INSERT INTO crl (ca, number, taken) VALUES (?, ?, ?)";
	struct db_stmt *stmt = NULL;
	bool row = false;
	int64_t next;

	if (store_need_transaction(store, err) != 0 ||
	    db_stmt(store->db, sql_next, &stmt, err) != 0)
		return -1;
	db_bind_int(stmt, 1, ca);
	if (db_step(stmt, &row, err) != 0)
		return -1;
	next = db_int(stmt, 0);
	db_reset(stmt);
	if (db_stmt(store->db, sql, &stmt, err) != 0)
		return -1;
	db_bind_int(stmt, 1, ca);
	db_bind_int(stmt, 2, next);
	db_bind_int(stmt, 3, now);
	if (db_run(stmt, err) != 0)
		return -1;
	*number = next;
	return 0;
}

int
store_crl_finish(struct store *store, const struct store_actor *actor, const struct store_crl *crl,
    struct err *err)
{
	static const char sql[] =
	    "UPDATE crl SET event = ?, this_update = ?, next_update = ?, entries = ?, size = ?, "
	    "sha256 = ? WHERE ca = ? AND number = ?";
	struct store_event_new event = {
		.action = "crl", .ca = crl->ca, .from_state = -1, .to_state = -1, .reason = -1
	};
	struct db_stmt *stmt = NULL;
	char detail[64];
	int64_t id;

	snprintf(detail, sizeof detail, "number %lld, %lld entries", (long long)crl->number,
	    (long long)crl->entries);
	if (actor->detail == NULL)
		event.detail = detail;
	if (store_event_put(store, actor, &event, &id, err) != 0 ||
	    db_stmt(store->db, sql, &stmt, err) != 0)
		return -1;
	db_bind_int(stmt, 1, crl->event);
	db_bind_int(stmt, 2, crl->this_update);
	db_bind_int(stmt, 3, crl->next_update);
	db_bind_int(stmt, 4, crl->entries);
	db_bind_int(stmt, 5, crl->size);
	db_bind_blob(stmt, 6, crl->sha256, sizeof crl->sha256);
	db_bind_int(stmt, 7, crl->ca);
	db_bind_int(stmt, 8, crl->number);
	if (db_run(stmt, err) != 0)
		return -1;
	if (db_changes(store->db) == 0)
		return err_set(err, FAIL_NOT_FOUND, "crl: number %lld was never taken",
		    (long long)crl->number);
	return 0;
}

static int
store_crl_row(struct db_stmt *stmt, struct store_crl *out, struct err *err)
{
	struct span hash = db_blob(stmt, 7);

	if (hash.len != sizeof out->sha256)
		return err_set(err, FAIL_INTERNAL, "database: crl: hash of %zu octets", hash.len);
	out->ca = db_int(stmt, 0);
	out->number = db_int(stmt, 1);
	out->event = db_int(stmt, 2);
	out->this_update = (time_t)db_int(stmt, 3);
	out->next_update = (time_t)db_int(stmt, 4);
	out->entries = db_int(stmt, 5);
	out->size = db_int(stmt, 6);
	memcpy(out->sha256, hash.p, sizeof out->sha256);
	return 0;
}

int
store_crl_recent(
    struct store *store, int64_t ca, struct store_crl *out, size_t cap, size_t *n, struct err *err)
{
	/* By name: the numbers burnt since the last finished list must not be walked through. */
	static const char sql[] =
	    "SELECT ca, number, event, this_update, next_update, entries, size, sha256 "
	    "FROM crl INDEXED BY crl_finished WHERE ca = ? AND event IS NOT NULL "
	    "ORDER BY number DESC LIMIT ?";
	struct db_stmt *stmt = NULL;
	bool row = false;
	size_t got = 0;
	int r = -1;

	if (db_stmt(store->db, sql, &stmt, err) != 0)
		return -1;
	db_bind_int(stmt, 1, ca);
	db_bind_int(stmt, 2, (int64_t)cap);
	for (;;) {
		if (db_step(stmt, &row, err) != 0)
			goto out;
		if (!row)
			break;
		if (store_crl_row(stmt, &out[got], err) != 0)
			goto out;
		got++;
	}
	*n = got;
	r = 0;
out:
	db_reset(stmt);
	return r;
}

int
store_crl_newest(struct store *store, int64_t ca, struct store_crl *out, struct err *err)
{
	size_t n = 0;

	if (store_crl_recent(store, ca, out, 1, &n, err) != 0)
		return -1;
	if (n == 0)
		return err_set(err, FAIL_NOT_FOUND, "crl: none was finished for CA number %lld",
		    (long long)ca);
	return 0;
}

int
store_listed_each(struct store *store, int64_t ca,
    int (*fn)(void *ctx, const struct store_listed *listed, struct err *err), void *ctx,
    struct err *err)
{
	/* "state <> 0" stands here as in the index certificate_listed: else it is not used. */
	static const char sql[] = "SELECT serial, reason, changed, invalid_since FROM certificate "
				  "WHERE ca = ? AND state <> 0 ORDER BY id";
	struct db_stmt *stmt = NULL;
	struct store_listed listed;
	bool row = false;
	int r = -1;

	if (db_prepare(store->db, sql, &stmt, err) != 0)
		return -1;
	db_bind_int(stmt, 1, ca);
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
