/*
 * Reading certificates: one by number or serial, status for OCSP, few by key or holder. Nothing here
 * writes. Each read is by an index, whatever the number of rows.
 */
#include <string.h>

#include "smki/mem.h"

#include "store_private.h"

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

int
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

#define STORE_CERT_SELECT STORE_CERT_COLUMNS "FROM certificate_now c" STORE_CERT_NEIGHBOURS

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
	    "SELECT state, reason, changed FROM certificate_now WHERE ca = ? AND serial = ?";
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
	    "WHERE c.holder = " STORE_HOLDER("?1", "?2") " "
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
	static const char sql[] = "SELECT kind, name, hw_type FROM holder WHERE id = " STORE_HOLDER(
	    "?1", "?2");
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
