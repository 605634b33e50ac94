/*
 * Reading the register: one device, lists, the history of one. Nothing here writes, and nothing
 * here sees a device of an import that is not finished.
 */
#include <string.h>

#include "smki/hex.h"

#include "store_private.h"

void
store_device_text(const struct eui64 *eui, char out[DEVICE_TEXT_LEN])
{
	hex_encode(eui->octets, EUI64_LEN, out);
}

/* A column of len octets or NULL, which leaves out as it is. */
static int
store_device_octets(struct db_stmt *stmt, int col, uint8_t *out, size_t len, struct err *err)
{
	struct span octets = db_blob(stmt, col);

	if (db_is_null(stmt, col))
		return 0;
	if (octets.len != len)
		return err_set(err, FAIL_INTERNAL,
		    "database: device %lld: %zu octets where there should be %zu",
		    (long long)db_int(stmt, 0), octets.len, len);
	memcpy(out, octets.p, len);
	return 0;
}

/* What STORE_DEVICE_COLUMNS selects. */
static int
store_device_row(struct db_stmt *stmt, struct device *out, struct err *err)
{
	memset(out, 0, sizeof *out);
	out->id = db_int(stmt, 0);
	if (store_device_octets(stmt, 1, out->eui.octets, EUI64_LEN, err) != 0 ||
	    db_text(stmt, 2, out->hw_type, sizeof out->hw_type, err) != 0 ||
	    db_text(stmt, 3, out->manufacturer, sizeof out->manufacturer, err) != 0 ||
	    db_text(stmt, 4, out->model, sizeof out->model, err) != 0 ||
	    db_text(stmt, 5, out->region, sizeof out->region, err) != 0)
		return -1;
	out->proofs = (unsigned)db_int(stmt, 6);
	out->end_to_end = db_int(stmt, 7) != 0;
	out->approved = db_int(stmt, 8) != 0;
	out->state = (enum device_state)db_int(stmt, 9);
	if (store_device_octets(stmt, 10, out->secret, SHA256_LEN, err) != 0 ||
	    store_device_octets(stmt, 11, out->secret_key, SHA256_LEN, err) != 0 ||
	    store_device_octets(stmt, 12, out->key, SHA256_LEN, err) != 0)
		return -1;
	out->secret_used = !db_is_null(stmt, 11);
	out->registered = (time_t)db_int(stmt, 13);
	out->import = db_int(stmt, 14);
	return 0;
}

/* *found false when no row comes. */
static int
store_device_one(struct db_stmt *stmt, struct device *out, bool *found, struct err *err)
{
	struct device device;
	int r = -1;

	if (db_step(stmt, found, err) != 0)
		return -1;
	if (!*found)
		return 0;
	if (store_device_row(stmt, &device, err) == 0) {
		*out = device;
		r = 0;
	}
	db_reset(stmt);
	return r;
}

int
store_device_get(struct store *store, const struct eui64 *eui, struct device *out, struct err *err)
{
	static const char sql[] = STORE_DEVICE_COLUMNS "WHERE d.eui = ? AND " STORE_DEVICE_VISIBLE;
	struct db_stmt *stmt = NULL;
	char text[DEVICE_TEXT_LEN];
	bool found = false;

	if (db_stmt(store->db, sql, &stmt, err) != 0)
		return -1;
	db_bind_blob(stmt, 1, eui->octets, EUI64_LEN);
	if (store_device_one(stmt, out, &found, err) != 0)
		return -1;
	if (found)
		return 0;
	store_device_text(eui, text);
	return err_set(err, FAIL_NOT_FOUND, "device %s: is not registered", text);
}

int
store_device_by_id(struct store *store, int64_t id, struct device *out, struct err *err)
{
	static const char sql[] = STORE_DEVICE_COLUMNS "WHERE d.id = ? AND " STORE_DEVICE_VISIBLE;
	struct db_stmt *stmt = NULL;
	bool found = false;

	if (db_stmt(store->db, sql, &stmt, err) != 0)
		return -1;
	db_bind_int(stmt, 1, id);
	if (store_device_one(stmt, out, &found, err) != 0)
		return -1;
	if (found)
		return 0;
	return err_set(
	    err, FAIL_NOT_FOUND, "device: there is none with number %lld", (long long)id);
}

/* ---- lists ---- */

/* Parameters of a list's text. The limit has the highest number and is always there. */
enum device_list_param {
	DEVICE_LIST_STATE = 1,
	DEVICE_LIST_MANUFACTURER,
	DEVICE_LIST_REGION,
	DEVICE_LIST_AFTER,
	DEVICE_LIST_LIMIT,
};

/* The narrowest index that the filter allows; without one all devices pass by in order. The
 * conditions stand in the words of the indexes: else these are not used. */
static void
store_device_list_text(const struct store_device_filter *filter, struct buf *sql)
{
	bool by_state = filter->by_state && filter->state != DEVICE_ACTIVE;

	buf_add_str(sql, STORE_DEVICE_COLUMNS);
	buf_add_str(sql, by_state	      ? "INDEXED BY device_state WHERE d.state <> 0 AND "
			 : filter->unapproved ? "INDEXED BY device_unapproved WHERE "
					      : "NOT INDEXED WHERE ");
	buf_add_str(sql, STORE_DEVICE_VISIBLE " AND d.id > ?4");
	if (filter->by_state)
		buf_add_str(sql, " AND d.state = ?1");
	if (filter->unapproved)
		buf_add_str(sql, " AND d.approved = 0");
	if (filter->manufacturer[0] != '\0')
		buf_add_str(sql, " AND d.manufacturer = ?2");
	if (filter->region[0] != '\0')
		buf_add_str(sql, " AND d.region = ?3");
	buf_add_str(sql, " ORDER BY d.id LIMIT ?5");
}

int
store_device_each(struct store *store, const struct store_device_filter *filter,
    int (*fn)(void *ctx, const struct device *device, struct err *err), void *ctx, struct err *err)
{
	struct db_stmt *stmt = NULL;
	struct buf sql = { 0 };
	struct device device;
	bool row = false;
	int r = -1;

	store_device_list_text(filter, &sql);
	if (db_prepare(store->db, buf_text(&sql), &stmt, err) != 0)
		goto out;
	db_bind_int(stmt, DEVICE_LIST_STATE, filter->state);
	db_bind_text(stmt, DEVICE_LIST_MANUFACTURER, filter->manufacturer);
	db_bind_text(stmt, DEVICE_LIST_REGION, filter->region);
	db_bind_int(stmt, DEVICE_LIST_AFTER, filter->after_id);
	db_bind_int(stmt, DEVICE_LIST_LIMIT, filter->limit > 0 ? filter->limit : -1);
	for (;;) {
		if (db_step(stmt, &row, err) != 0)
			goto out;
		if (!row)
			break;
		if (store_device_row(stmt, &device, err) != 0 || fn(ctx, &device, err) != 0)
			goto out;
	}
	r = 0;
out:
	db_finish(stmt);
	buf_free(&sql);
	return r;
}

/* ---- what happened ---- */

int
store_device_event_each(struct store *store, int64_t device,
    int (*fn)(void *ctx, const struct store_event *event, struct err *err), void *ctx,
    struct err *err)
{
	static const char sql[] = STORE_EVENT_COLUMNS "FROM event WHERE device = ? ORDER BY id";

	return store_event_list(store, sql, device, fn, ctx, err);
}

int
store_device_issued(
    struct store *store, const struct eui64 *eui, time_t since, int64_t *n, struct err *err)
{
	static const char sql[] = "SELECT count(*) FROM certificate "
				  "WHERE holder = " STORE_HOLDER_OF_DEVICE(
				      "?1") " AND issued >= ?2";
	struct db_stmt *stmt = NULL;
	bool row = false;

	if (db_stmt(store->db, sql, &stmt, err) != 0)
		return -1;
	db_bind_blob(stmt, 1, eui->octets, EUI64_LEN);
	db_bind_int(stmt, 2, since);
	if (db_step(stmt, &row, err) != 0)
		return -1;
	*n = db_int(stmt, 0);
	db_reset(stmt);
	return 0;
}

int
store_device_current(
    struct store *store, int64_t certificate, time_t now, int64_t *id, struct err *err)
{
	static const char sql[] =
	    "SELECT coalesce(max(n.id), 0) FROM certificate c "
	    "CROSS JOIN certificate_now n ON n.holder = c.holder "
	    "WHERE c.id = ? AND n.profile = c.profile AND n.state <> 2 AND n.not_after >= ?";
	struct db_stmt *stmt = NULL;
	bool row = false;

	if (db_stmt(store->db, sql, &stmt, err) != 0)
		return -1;
	db_bind_int(stmt, 1, certificate);
	db_bind_int(stmt, 2, now);
	if (db_step(stmt, &row, err) != 0)
		return -1;
	*id = db_int(stmt, 0);
	db_reset(stmt);
	return 0;
}
