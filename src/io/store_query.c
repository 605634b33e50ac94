/*
 * Reading certificates: one by number or serial, status for OCSP, few by key or holder, and lists
 * of any length. Nothing here writes. Each read is by an index, whatever the number of rows.
 */
#include <string.h>

#include "smki/mem.h"

#include "store_private.h"

/* A CA with fewer certificates than this is listed by its own index and sorted; others are picked
 * out while all certificates pass by in order. */
#define LIST_SMALL_CA 1000

int
store_serial_col(struct db_stmt *stmt, int col, struct serial *out, struct err *err)
{
	struct span serial = db_blob(stmt, col);

	if (serial.len < 1 || serial.len > SERIAL_MAX)
		return err_set(
		    err, FAIL_INTERNAL, "database: certificate: serial of %zu octets", serial.len);
	memset(out, 0, sizeof *out);
	memcpy(out->octets, serial.p, serial.len);
	out->len = (uint8_t)serial.len;
	return 0;
}

static int
store_holder_cols(struct db_stmt *stmt, int col, struct holder *out, struct err *err)
{
	struct span name = db_blob(stmt, col + 1);

	if (name.len < 1 || name.len > HOLDER_NAME_MAX)
		return err_set(
		    err, FAIL_INTERNAL, "database: holder: name of %zu octets", name.len);
	memset(out, 0, sizeof *out);
	out->kind = (enum holder_kind)db_int(stmt, col);
	memcpy(out->name, name.p, name.len);
	out->name_len = name.len;
	return db_text(stmt, col + 2, out->hw_type, sizeof out->hw_type, err);
}

/* What STORE_CERT_COLUMNS selects. */
static int
store_cert_row(struct db_stmt *stmt, struct store_cert *out, struct err *err)
{
	struct span hash = db_blob(stmt, 9);

	memset(out, 0, sizeof *out);
	out->id = db_int(stmt, 0);
	if (hash.len != SHA256_LEN)
		return err_set(err, FAIL_INTERNAL,
		    "database: certificate %lld: key hash of %zu octets", (long long)out->id,
		    hash.len);
	memcpy(out->key_hash, hash.p, SHA256_LEN);
	out->ca = db_int(stmt, 1);
	if (db_text(stmt, 2, out->ca_name, sizeof out->ca_name, err) != 0 ||
	    store_serial_col(stmt, 3, &out->serial, err) != 0 ||
	    db_text(stmt, 4, out->profile, sizeof out->profile, err) != 0 ||
	    store_holder_cols(stmt, 5, &out->holder, err) != 0)
		return -1;
	out->use = (enum key_use)db_int(stmt, 8);
	out->not_before = (time_t)db_int(stmt, 10);
	out->not_after = (time_t)db_int(stmt, 11);
	out->replaces = db_int(stmt, 12);
	out->state = (enum cert_state)db_int(stmt, 13);
	out->reason = (enum crl_reason)db_int(stmt, 14);
	out->changed = (time_t)db_int(stmt, 15);
	out->invalid_since = (time_t)db_int(stmt, 16);
	out->event = db_int(stmt, 17);
	return 0;
}

#define STORE_CERT_COLUMNS                                                                         \
	"SELECT c.id, c.ca, a.name, c.serial, p.name, h.kind, h.name, h.hw_type, c.use, "          \
	"c.key_hash, c.not_before, c.not_after, c.replaces, c.state, c.reason, c.changed, "        \
	"c.invalid_since, c.event "
/* CROSS: the certificate first, then its few small neighbours by number. */
#define STORE_CERT_NEIGHBOURS                                                                      \
	" CROSS JOIN ca a ON a.id = c.ca CROSS JOIN profile p ON p.id = c.profile "                \
	"CROSS JOIN holder h ON h.id = c.holder "
#define STORE_CERT_SELECT STORE_CERT_COLUMNS "FROM certificate c" STORE_CERT_NEIGHBOURS

/* ---- one certificate ---- */

static int
store_cert_one(struct db_stmt *stmt, struct store_cert *out, struct err *err)
{
	struct store_cert cert;
	bool row = false;
	int r = -1;

	if (db_step(stmt, &row, err) != 0)
		return -1;
	if (!row)
		return err_set(err, FAIL_NOT_FOUND, "certificate: there is no such one");
	if (store_cert_row(stmt, &cert, err) == 0) {
		*out = cert;
		r = 0;
	}
	db_reset(stmt);
	return r;
}

int
store_cert_get(struct store *store, int64_t id, struct store_cert *out, struct err *err)
{
	static const char sql[] = STORE_CERT_SELECT "WHERE c.id = ?";
	struct db_stmt *stmt = NULL;

	if (db_stmt(store->db, sql, &stmt, err) != 0)
		return -1;
	db_bind_int(stmt, 1, id);
	return store_cert_one(stmt, out, err);
}

int
store_cert_find(struct store *store, int64_t ca, const struct serial *serial,
    struct store_cert *out, struct err *err)
{
	static const char sql[] = STORE_CERT_SELECT "WHERE c.ca = ? AND c.serial = ?";
	struct db_stmt *stmt = NULL;

	if (db_stmt(store->db, sql, &stmt, err) != 0)
		return -1;
	db_bind_int(stmt, 1, ca);
	db_bind_blob(stmt, 2, serial->octets, serial->len);
	return store_cert_one(stmt, out, err);
}

int
store_cert_der(struct store *store, int64_t id, struct buf *der, struct err *err)
{
	static const char sql[] = "SELECT der FROM certificate_der WHERE certificate = ?";
	struct db_stmt *stmt = NULL;
	struct span bytes;
	bool row = false;

	if (db_stmt(store->db, sql, &stmt, err) != 0)
		return -1;
	db_bind_int(stmt, 1, id);
	if (db_step(stmt, &row, err) != 0)
		return -1;
	if (!row)
		return err_set(err, FAIL_NOT_FOUND, "certificate: there is none with number %lld",
		    (long long)id);
	bytes = db_blob(stmt, 0);
	buf_add(der, bytes.p, bytes.len);
	db_reset(stmt);
	return 0;
}

int
store_status_get(struct store *store, int64_t ca, const struct serial *serial,
    struct store_status *out, struct err *err)
{
	static const char sql[] =
	    "SELECT state, reason, changed FROM certificate WHERE ca = ? AND serial = ?";
	struct db_stmt *stmt = NULL;
	bool row = false;

	if (db_stmt(store->db, sql, &stmt, err) != 0)
		return -1;
	db_bind_int(stmt, 1, ca);
	db_bind_blob(stmt, 2, serial->octets, serial->len);
	if (db_step(stmt, &row, err) != 0)
		return -1;
	if (!row)
		return err_set(err, FAIL_NOT_FOUND, "certificate: there is no such one");
	out->state = (enum cert_state)db_int(stmt, 0);
	out->reason = (enum crl_reason)db_int(stmt, 1);
	out->changed = (time_t)db_int(stmt, 2);
	db_reset(stmt);
	return 0;
}

/* ---- a few ---- */

static int
store_cert_few(struct db_stmt *stmt, struct store_cert *out, size_t cap, size_t *n, struct err *err)
{
	bool row = false;
	size_t got = 0;
	int r = -1;

	for (;;) {
		if (db_step(stmt, &row, err) != 0)
			goto out;
		if (!row)
			break;
		if (got == cap) {
			err_set(err, FAIL_LIMIT, "certificate: over %zu of them match", cap);
			goto out;
		}
		if (store_cert_row(stmt, &out[got], err) != 0)
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
store_certs_by_serial(struct store *store, const struct serial *serial, struct store_cert *out,
    size_t cap, size_t *n, struct err *err)
{
	static const char sql[] = STORE_CERT_SELECT
	    "WHERE c.ca IN (SELECT id FROM ca) AND c.serial = ? ORDER BY c.id DESC";
	struct db_stmt *stmt = NULL;

	if (db_stmt(store->db, sql, &stmt, err) != 0)
		return -1;
	db_bind_blob(stmt, 1, serial->octets, serial->len);
	return store_cert_few(stmt, out, cap, n, err);
}

int
store_cert_match(struct store *store, const struct serial *serial, struct span der,
    struct store_cert *out, bool *found, struct err *err)
{
	struct store_cert rows[STORE_CAS_MAX]; /* a serial stands once under each CA */
	struct buf have = { 0 };
	size_t n = 0, i;
	int r = -1;

	if (store_certs_by_serial(store, serial, rows, ARRAY_LEN(rows), &n, err) != 0)
		goto out;
	for (i = 0; i < n; i++) {
		buf_reset(&have);
		if (store_cert_der(store, rows[i].id, &have, err) != 0)
			goto out;
		if (span_eq(buf_span(&have), der))
			break;
	}
	*found = i < n;
	if (i < n)
		*out = rows[i];
	r = 0;
out:
	buf_free(&have);
	return r;
}

int
store_certs_by_key(struct store *store, const uint8_t key_hash[SHA256_LEN], struct store_cert *out,
    size_t cap, size_t *n, struct err *err)
{
	static const char sql[] = STORE_CERT_SELECT
	    "WHERE substr(c.key_hash, 1, 8) = ? AND c.key_hash = ? ORDER BY c.id DESC";
	struct db_stmt *stmt = NULL;

	if (db_stmt(store->db, sql, &stmt, err) != 0)
		return -1;
	db_bind_blob(stmt, 1, key_hash, 8);
	db_bind_blob(stmt, 2, key_hash, SHA256_LEN);
	return store_cert_few(stmt, out, cap, n, err);
}

int
store_certs_by_holder(struct store *store, enum holder_kind kind, const uint8_t *name,
    size_t name_len, struct store_cert *out, size_t cap, size_t *n, struct err *err)
{
	static const char sql[] = STORE_CERT_SELECT
	    "WHERE c.holder = (SELECT id FROM holder WHERE kind = ? AND name = ?) "
	    "ORDER BY c.id DESC";
	struct db_stmt *stmt = NULL;

	if (db_stmt(store->db, sql, &stmt, err) != 0)
		return -1;
	db_bind_int(stmt, 1, kind);
	db_bind_blob(stmt, 2, name, name_len);
	return store_cert_few(stmt, out, cap, n, err);
}

int
store_holder_get(struct store *store, enum holder_kind kind, const uint8_t *name, size_t name_len,
    struct holder *out, struct err *err)
{
	static const char sql[] =
	    "SELECT kind, name, hw_type FROM holder WHERE kind = ? AND name = ?";
	struct db_stmt *stmt = NULL;
	struct holder holder;
	bool row = false;
	int r = -1;

	if (db_stmt(store->db, sql, &stmt, err) != 0)
		return -1;
	db_bind_int(stmt, 1, kind);
	db_bind_blob(stmt, 2, name, name_len);
	if (db_step(stmt, &row, err) != 0)
		return -1;
	if (!row)
		return err_set(err, FAIL_NOT_FOUND, "holder: there is no such one");
	if (store_holder_cols(stmt, 0, &holder, err) == 0) {
		*out = holder;
		r = 0;
	}
	db_reset(stmt);
	return r;
}

int
store_tally(struct store *store, int64_t ca, struct store_tally *out, struct err *err)
{
	static const char sql[] = "SELECT state, n FROM tally WHERE ca = ?";
	struct store_tally tally = { 0 };
	struct db_stmt *stmt = NULL;
	bool row = false;

	if (db_stmt(store->db, sql, &stmt, err) != 0)
		return -1;
	db_bind_int(stmt, 1, ca);
	for (;;) {
		if (db_step(stmt, &row, err) != 0)
			return -1;
		if (!row)
			break;
		switch ((enum cert_state)db_int(stmt, 0)) {
		case CERT_VALID:
			tally.valid = db_int(stmt, 1);
			break;
		case CERT_HOLD:
			tally.hold = db_int(stmt, 1);
			break;
		case CERT_REVOKED:
			tally.revoked = db_int(stmt, 1);
			break;
		}
	}
	*out = tally;
	return 0;
}

/* ---- lists ---- */

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

/* Where the rows on hold or revoked are looked for: among those of the state, or among those of the
 * CA that are not valid, whichever are fewer. Both go by event. */
static int
store_list_listed(
    struct store *store, const struct store_filter *filter, const char **from, struct err *err)
{
	struct store_tally ca = { 0 };
	int64_t n;

	*from = "FROM certificate c INDEXED BY certificate_state";
	if (filter->ca == 0)
		return 0;
	if (store_tally(store, filter->ca, &ca, err) != 0 ||
	    store_tally_state(store, filter->state, &n, err) != 0)
		return -1;
	if (ca.hold + ca.revoked <= n)
		*from = "FROM certificate c INDEXED BY certificate_listed";
	return 0;
}

/* The same for all other lists. */
static int
store_list_numbered(
    struct store *store, const struct store_filter *filter, const char **from, struct err *err)
{
	struct store_tally ca = { .valid = LIST_SMALL_CA };

	if (filter->ca != 0 && store_tally(store, filter->ca, &ca, err) != 0)
		return -1;
	*from = ca.valid + ca.hold + ca.revoked < LIST_SMALL_CA
		    ? "FROM certificate c INDEXED BY certificate_serial"
		    : "FROM certificate c NOT INDEXED";
	return 0;
}

/* The way to the rows: the narrowest index that the filter allows, and an order it yields. */
static int
store_list_text(
    struct store *store, const struct store_filter *filter, struct buf *sql, struct err *err)
{
	const char *from;

	if (filter->by_device) {
		from = "FROM certificate c INDEXED BY certificate_holder";
	} else if (filter->since != 0) {
		from = "FROM event e CROSS JOIN certificate c "
		       "ON c.id = e.certificate AND c.event = e.id";
	} else if (store_filter_by_event(filter)) {
		if (store_list_listed(store, filter, &from, err) != 0)
			return -1;
	} else if (store_list_numbered(store, filter, &from, err) != 0) {
		return -1;
	}
	buf_add_str(sql, STORE_CERT_COLUMNS);
	buf_add_str(sql, from);
	buf_add_str(sql, STORE_CERT_NEIGHBOURS "WHERE 1");
	if (filter->by_device)
		buf_add_str(
		    sql, " AND c.holder = (SELECT id FROM holder WHERE kind = 1 AND name = ?3)");
	/* "state <> 0" as in the index's own words: else it is not used */
	if (filter->by_state)
		buf_add_str(sql, filter->state != CERT_VALID ? " AND c.state <> 0 AND c.state = ?1"
							     : " AND c.state = ?1");
	if (filter->ca != 0)
		buf_add_str(sql, " AND c.ca = ?2");
	if (filter->since != 0 && !filter->by_device)
		buf_add_str(sql, " AND e.id >= ?5");
	if (!store_filter_by_event(filter))
		buf_add_str(sql, " AND c.id > ?6 ORDER BY c.id");
	else if (filter->since == 0)
		buf_add_str(sql, " AND c.event > ?6 ORDER BY c.event");
	else if (filter->by_device)
		buf_add_str(sql, " AND c.changed >= ?4 AND c.event > ?6 ORDER BY c.event");
	else
		buf_add_str(sql, " AND c.changed >= ?4 ORDER BY e.id");
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
