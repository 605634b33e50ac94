/*
 * Lists of certificates of any length, in an order that they can be continued in. Nothing here
 * writes. Rows are found by an index, or passed by in order as far as the list goes.
 */
#include "smki/mem.h"

#include "store_private.h"

/* A CA with fewer certificates than this is listed by its own index and sorted; others are picked
 * out while all certificates pass by in order. */
#define LIST_SMALL_CA 1000

static int
store_event_time(struct store *store, int64_t id, time_t *time, struct err *err)
{
	static const char sql[] = "SELECT time FROM event WHERE id = ?";
	struct db_stmt *stmt = NULL;
	bool row = false;

	if (db_stmt(store->db, sql, &stmt, err) != 0)
		return -1;
	db_bind_int(stmt, 1, id);
	if (db_step(stmt, &row, err) != 0)
		return -1;
	if (!row)
		return err_set(
		    err, FAIL_INTERNAL, "database: event %lld is not there", (long long)id);
	*time = (time_t)db_int(stmt, 0);
	db_reset(stmt);
	return 0;
}

/* First event of first..last with a time of since or later, or last + 1. Times grow in there. */
static int
store_event_search(
    struct store *store, int64_t first, int64_t last, time_t since, int64_t *out, struct err *err)
{
	int64_t end = last + 1;
	time_t time = 0;

	while (first < end) {
		int64_t middle = first + (end - first) / 2;

		if (store_event_time(store, middle, &time, err) != 0)
			return -1;
		if (time >= since)
			end = middle;
		else
			first = middle + 1;
	}
	*out = first;
	return 0;
}

/*
 * First event of all with a time of since or later, or one past the newest. Event numbers have no
 * gaps and their times grow, but for a clock that was set back and accepted: the search goes
 * through the stretches between acceptances, which are few.
 */
static int
store_event_since(struct store *store, time_t since, int64_t *out, struct err *err)
{
	static const char sql[] = "SELECT id FROM event WHERE action = 'clock-accept' ORDER BY id";
	struct db_stmt *stmt = NULL;
	int64_t first = 1, last, newest = 0, found = 0;
	bool row = true;
	time_t time;

	if (store_event_newest(store, &newest, &time, err) != 0 ||
	    db_stmt(store->db, sql, &stmt, err) != 0)
		return -1;
	while (row) {
		if (db_step(stmt, &row, err) != 0)
			return -1;
		last = row ? db_int(stmt, 0) - 1 : newest;
		if (store_event_search(store, first, last, since, &found, err) != 0)
			goto fail;
		if (found <= last)
			break;
		first = last + 1;
	}
	db_reset(stmt);
	*out = found;
	return 0;
fail:
	db_reset(stmt);
	return -1;
}

/* Parameters of a list's text. The limit has the highest number and is always there. */
enum list_param {
	LIST_STATE = 1,
	LIST_CA,
	LIST_DEVICE,
	LIST_SINCE,
	LIST_FIRST,
	LIST_AFTER,
	LIST_LIMIT,
};

bool
store_filter_by_event(const struct store_filter *filter)
{
	return filter->since != 0 ||
	       (filter->by_state && filter->state != CERT_VALID && !filter->by_device);
}

/* Certificates in this state, of all CAs. */
static int
store_tally_state(struct store *store, enum cert_state state, int64_t *n, struct err *err)
{
	static const char sql[] = "SELECT coalesce(sum(n), 0) FROM tally WHERE state = ?";
	struct db_stmt *stmt = NULL;
	bool row = false;

	if (db_stmt(store->db, sql, &stmt, err) != 0)
		return -1;
	db_bind_int(stmt, 1, state);
	if (db_step(stmt, &row, err) != 0)
		return -1;
	*n = row ? db_int(stmt, 0) : 0;
	db_reset(stmt);
	return 0;
}

/* How a list comes to its rows: what x goes through, in an order that the list has, and under which
 * condition; c is the certificate as it is now. */
struct list_way {
	const char *from;
	const char *where;
};

/* Rows on hold or revoked: among those of the state, or among those of the CA that are not valid,
 * whichever are fewer. Both go by event. */
static int
store_list_listed(
    struct store *store, const struct store_filter *filter, struct list_way *way, struct err *err)
{
	struct store_tally ca = { 0 };
	int64_t n;

	way->from = "FROM listed x INDEXED BY listed_state "
		    "CROSS JOIN certificate_now c ON c.id = x.certificate";
	way->where = "WHERE x.state = ?1";
	if (filter->ca == 0)
		return 0;
	if (store_tally(store, filter->ca, &ca, err) != 0 ||
	    store_tally_state(store, filter->state, &n, err) != 0)
		return -1;
	if (ca.hold + ca.revoked <= n) {
		way->from = "FROM listed x CROSS JOIN certificate_now c ON c.id = x.certificate";
		way->where = "WHERE x.ca = ?2";
	}
	return 0;
}

/* All other lists of a CA or of all. */
static int
store_list_numbered(
    struct store *store, const struct store_filter *filter, struct list_way *way, struct err *err)
{
	struct store_tally ca = { .valid = LIST_SMALL_CA };

	way->from = "FROM certificate x NOT INDEXED CROSS JOIN certificate_now c ON c.id = x.id";
	way->where = "WHERE 1";
	if (filter->ca != 0 && store_tally(store, filter->ca, &ca, err) != 0)
		return -1;
	if (ca.valid + ca.hold + ca.revoked < LIST_SMALL_CA) {
		way->from = "FROM certificate x INDEXED BY certificate_serial "
			    "CROSS JOIN certificate_now c ON c.id = x.id";
		way->where = "WHERE x.ca = ?2";
	}
	return 0;
}

/* The narrowest index that the filter allows. */
static int
store_list_way(
    struct store *store, const struct store_filter *filter, struct list_way *way, struct err *err)
{
	if (filter->by_device) {
		way->from = "FROM certificate x INDEXED BY certificate_holder "
			    "CROSS JOIN certificate_now c ON c.id = x.id";
		way->where = "WHERE x.holder = " STORE_HOLDER_OF_DEVICE("?3");
		return 0;
	}
	if (filter->since != 0) {
		way->from = "FROM event x CROSS JOIN certificate_now c "
			    "ON c.id = x.certificate AND c.event = x.id";
		way->where = "WHERE x.id >= ?5";
		return 0;
	}
	return store_filter_by_event(filter) ? store_list_listed(store, filter, way, err)
					     : store_list_numbered(store, filter, way, err);
}

static int
store_list_text(
    struct store *store, const struct store_filter *filter, struct buf *sql, struct err *err)
{
	struct list_way way;

	if (store_list_way(store, filter, &way, err) != 0)
		return -1;
	buf_add_str(sql, STORE_CERT_COLUMNS);
	buf_add_str(sql, way.from);
	buf_add_str(sql, STORE_CERT_NEIGHBOURS);
	buf_add_str(sql, way.where);
	if (filter->by_state)
		buf_add_str(sql, " AND c.state = ?1");
	if (filter->ca != 0)
		buf_add_str(sql, " AND c.ca = ?2");
	if (!store_filter_by_event(filter))
		buf_add_str(sql, " AND x.id > ?6 ORDER BY x.id");
	else if (filter->since == 0)
		buf_add_str(sql, " AND x.event > ?6 ORDER BY x.event");
	else if (filter->by_device)
		buf_add_str(sql, " AND c.changed >= ?4 AND c.event > ?6 ORDER BY c.event");
	else
		buf_add_str(sql, " AND c.changed >= ?4 ORDER BY x.id");
	buf_add_str(sql, " LIMIT ?7");
	return 0;
}

static int
store_list_open(
    struct store *store, const struct store_filter *filter, struct db_stmt **out, struct err *err)
{
	const bool by_event = store_filter_by_event(filter);
	struct db_stmt *stmt = NULL;
	struct buf sql = { 0 };
	int64_t first = 0;
	int r = -1;

	if (by_event ? filter->after_id != 0 : filter->after_event != 0)
		return err_set(err, FAIL_INTERNAL, "store: a list %s",
		    by_event ? "by event is continued by after_event"
			     : "by number is continued by after_id");
	if (filter->since != 0 && store_event_since(store, filter->since, &first, err) != 0)
		return -1;
	if (filter->after_event >= first)
		first = filter->after_event + 1;
	if (store_list_text(store, filter, &sql, err) != 0 ||
	    db_prepare(store->db, buf_text(&sql), &stmt, err) != 0)
		goto out;
	db_bind_int(stmt, LIST_STATE, filter->state);
	db_bind_int(stmt, LIST_CA, filter->ca);
	db_bind_blob(stmt, LIST_DEVICE, filter->device.octets, EUI64_LEN);
	db_bind_int(stmt, LIST_SINCE, filter->since);
	db_bind_int(stmt, LIST_FIRST, first);
	db_bind_int(stmt, LIST_AFTER, by_event ? filter->after_event : filter->after_id);
	db_bind_int(stmt, LIST_LIMIT, filter->limit > 0 ? filter->limit : -1);
	*out = stmt;
	r = 0;
out:
	buf_free(&sql);
	return r;
}

int
store_cert_each(struct store *store, const struct store_filter *filter,
    int (*fn)(void *ctx, const struct store_cert *cert, struct err *err), void *ctx,
    struct err *err)
{
	struct db_stmt *stmt = NULL;
	struct store_cert cert;
	bool row = false;
	int r = -1;

	if (store_list_open(store, filter, &stmt, err) != 0)
		return -1;
	for (;;) {
		if (db_step(stmt, &row, err) != 0)
			goto out;
		if (!row)
			break;
		if (store_cert_row(stmt, &cert, err) != 0 || fn(ctx, &cert, err) != 0)
			goto out;
	}
	r = 0;
out:
	db_finish(stmt);
	return r;
}
