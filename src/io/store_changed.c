/*
 * Which certificates changed their state, by event number.
 */
#include "store_private.h"

int
store_changed_newest(struct store *store, int64_t *event, struct err *err)
{
	static const char sql[] = "SELECT coalesce(max(id), 0) FROM event INDEXED BY "
				  "event_state_change WHERE from_state IS NOT NULL";
	struct db_stmt *stmt = NULL;
	bool row = false;

	if (db_stmt(store->db, sql, &stmt, err) != 0 || db_step(stmt, &row, err) != 0)
		return -1;
	*event = db_int(stmt, 0);
	db_reset(stmt);
	return 0;
}

int
store_changed_each(struct store *store, int64_t after_event,
    int (*fn)(void *ctx, const struct serial *serial, int64_t event, struct err *err), void *ctx,
    struct err *err)
{
	static const char sql[] =
	    "SELECT e.id, c.serial FROM event e INDEXED BY event_state_change "
	    "JOIN certificate c ON c.id = e.certificate "
	    "WHERE e.from_state IS NOT NULL AND e.id > ? ORDER BY e.id";
	struct db_stmt *stmt = NULL;
	struct serial serial;
	bool row = false;
	int r = -1;

	if (db_prepare(store->db, sql, &stmt, err) != 0)
		return -1;
	db_bind_int(stmt, 1, after_event);
	for (;;) {
		if (db_step(stmt, &row, err) != 0)
			goto out;
		if (!row)
			break;
		if (store_serial_col(stmt, 1, &serial, err) != 0 ||
		    fn(ctx, &serial, db_int(stmt, 0), err) != 0)
			goto out;
	}
	r = 0;
out:
	db_finish(stmt);
	return r;
}
