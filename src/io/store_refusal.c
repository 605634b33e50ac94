/*
 * Refusals of outsiders: counts by who, reason and minute. The schema bounds the rows of a minute
 * and keeps the sums that are read here.
 */
#include <string.h>

#include "store_private.h"

/* The trigger's words when a minute has all its rows (schema/). */
#define MINUTE_FULL "refusal: its minute has all the rows it may have"
/* One call adds no more than this: the front says how many, and sums must not overflow. */
#define REFUSALS_AT_ONCE INT32_MAX

int
store_refusal_add(struct store *store, const struct store_refusal *refusal, struct err *err)
{
	static const char sql_more[] =
	    "UPDATE refusal SET n = n + ? WHERE minute = ? AND who = ? AND reason = ?";
	static const char sql_new[] =
	    "INSERT INTO refusal (n, minute, who, reason) VALUES (?, ?, ?, ?)";
	const char *sql[] = { sql_more, sql_new };
	int64_t n = refusal->n > REFUSALS_AT_ONCE ? REFUSALS_AT_ONCE : refusal->n;
	struct db_stmt *stmt = NULL;
	struct err why = { 0 };

	if (n < 1)
		return err_set(err, FAIL_INVALID, "refusal: counts nothing");
	if (store_need_transaction(store, err) != 0)
		return -1;
	for (size_t i = 0; i < 2; i++) {
		if (db_stmt(store->db, sql[i], &stmt, err) != 0)
			return -1;
		db_bind_int(stmt, 1, n);
		db_bind_int(stmt, 2, refusal->minute);
		db_bind_text(stmt, 3, refusal->who);
		db_bind_text(stmt, 4, refusal->reason);
		if (db_run(stmt, &why) != 0)
			return err_set(err,
			    strcmp(why.msg, MINUTE_FULL) == 0 ? FAIL_LIMIT : why.code, "%s",
			    why.msg);
		if (db_changes(store->db) > 0)
			break;
	}
	return 0;
}

int
store_refusals_of(struct store *store, const char *who, struct store_refusal *out, size_t cap,
    size_t *n, struct err *err)
{
	static const char sql[] =
	    "SELECT minute, who, reason, n FROM refusal INDEXED BY refusal_who "
	    "WHERE who = ? ORDER BY minute DESC, reason LIMIT ?";
	struct db_stmt *stmt = NULL;
	bool row = false;
	size_t got = 0;
	int r = -1;

	if (db_stmt(store->db, sql, &stmt, err) != 0)
		return -1;
	db_bind_text(stmt, 1, who);
	db_bind_int(stmt, 2, (int64_t)cap);
	for (;;) {
		if (db_step(stmt, &row, err) != 0)
			goto out;
		if (!row)
			break;
		out[got].minute = db_int(stmt, 0);
		out[got].n = db_int(stmt, 3);
		if (db_text(stmt, 1, out[got].who, sizeof out[got].who, err) != 0 ||
		    db_text(stmt, 2, out[got].reason, sizeof out[got].reason, err) != 0)
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
store_refusals_since(struct store *store, int64_t minute, int64_t *n, struct err *err)
{
	static const char sql[] =
	    "SELECT coalesce(sum(n), 0) FROM refusal_minute WHERE minute >= ?";
	struct db_stmt *stmt = NULL;
	bool row = false;
	int r;

	if (db_stmt(store->db, sql, &stmt, err) != 0)
		return -1;
	db_bind_int(stmt, 1, minute);
	r = db_step(stmt, &row, err);
	if (r == 0)
		*n = db_int(stmt, 0);
	db_reset(stmt);
	return r;
}

int
store_refusal_prune(struct store *store, int64_t before_minute, int64_t limit, struct err *err)
{
	static const char sql[] =
	    "DELETE FROM refusal WHERE (minute, who, reason) IN (SELECT minute, who, reason "
	    "FROM refusal WHERE minute < ? ORDER BY minute, who, reason LIMIT ?)";
	struct db_stmt *stmt = NULL;

	if (store_need_transaction(store, err) != 0 || db_stmt(store->db, sql, &stmt, err) != 0)
		return -1;
	db_bind_int(stmt, 1, before_minute);
	db_bind_int(stmt, 2, limit);
	return db_run(stmt, err);
}
