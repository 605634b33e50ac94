/*
 * CAs, their responder certificates, and the settings that the schema's rules read.
 */
#include <string.h>

#include "store_private.h"

/* ---- CAs ---- */

int
store_ca_add(struct store *store, const struct store_actor *actor, const char *name, int64_t parent,
    int64_t *id, struct err *err)
{
	static const char sql_next[] = "SELECT 1 + coalesce(max(id), 0) FROM ca";
	static const char sql[] = "INSERT INTO ca (id, name, parent) VALUES (?, ?, ?)";
	struct store_event_new event = {
		.action = "ca", .detail = name, .from_state = -1, .to_state = -1, .reason = -1
	};
	struct db_stmt *stmt = NULL;
	bool row = false;
	int64_t next, event_id;

	if (store_need_transaction(store, err) != 0 || name_check("ca", name, err) != 0)
		return -1;
	if (db_stmt(store->db, sql_next, &stmt, err) != 0 || db_step(stmt, &row, err) != 0)
		return -1;
	next = db_int(stmt, 0);
	db_reset(stmt);
	if (next > STORE_CAS_MAX)
		return err_set(
		    err, FAIL_LIMIT, "ca %s: there are %d CAs already", name, STORE_CAS_MAX);
	if (db_stmt(store->db, sql, &stmt, err) != 0)
		return -1;
	db_bind_int(stmt, 1, next);
	db_bind_text(stmt, 2, name);
	db_bind_int(stmt, 3, parent != 0 ? parent : next);
	if (db_run(stmt, err) != 0)
		return err_prefix(err, "ca %s", name);
	event.ca = next;
	if (store_event_put(store, actor, &event, &event_id, err) != 0)
		return -1;
	*id = next;
	return 0;
}

int
store_ca_set_certificate(struct store *store, int64_t ca, int64_t certificate, struct err *err)
{
	static const char sql[] = "UPDATE ca SET certificate = ? WHERE id = ?";
	struct db_stmt *stmt = NULL;

	if (store_need_transaction(store, err) != 0 || db_stmt(store->db, sql, &stmt, err) != 0)
		return -1;
	db_bind_int(stmt, 1, certificate);
	db_bind_int(stmt, 2, ca);
	if (db_run(stmt, err) != 0)
		return -1;
	if (db_changes(store->db) == 0)
		return err_set(
		    err, FAIL_NOT_FOUND, "ca: there is none with number %lld", (long long)ca);
	return 0;
}

int
store_ca_list(struct store *store, struct store_ca *out, size_t *n, struct err *err)
{
	static const char sql[] =
	    "SELECT a.id, a.name, a.parent, a.certificate, a.changed_event, r.certificate "
	    "FROM ca a LEFT JOIN responder r ON r.ca = a.id ORDER BY a.id";
	struct db_stmt *stmt = NULL;
	bool row = false;
	size_t got = 0;
	int r = -1;

	if (db_stmt(store->db, sql, &stmt, err) != 0)
		return -1;
	for (;;) {
		struct store_ca *ca = &out[got];

		if (db_step(stmt, &row, err) != 0)
			goto out;
		if (!row)
			break;
		if (got == STORE_CAS_MAX) {
			err_set(err, FAIL_LIMIT, "database: has over %d CAs", STORE_CAS_MAX);
			goto out;
		}
		memset(ca, 0, sizeof *ca);
		ca->id = db_int(stmt, 0);
		if (db_text(stmt, 1, ca->name, sizeof ca->name, err) != 0)
			goto out;
		ca->parent = db_int(stmt, 2);
		ca->certificate = db_int(stmt, 3);
		ca->changed_event = db_int(stmt, 4);
		ca->responder = db_int(stmt, 5);
		got++;
	}
	*n = got;
	r = 0;
out:
	db_reset(stmt);
	return r;
}

int
store_responder_set(struct store *store, const struct store_actor *actor, int64_t ca,
    int64_t certificate, struct err *err)
{
	static const char sql[] =
	    "INSERT INTO responder (ca, certificate) VALUES (?, ?) "
	    "ON CONFLICT (ca) DO UPDATE SET certificate = excluded.certificate";
	struct store_event_new event = { .action = "responder",
		.ca = ca,
		.certificate = certificate,
		.from_state = -1,
		.to_state = -1,
		.reason = -1 };
	struct db_stmt *stmt = NULL;
	int64_t id;

	if (store_event_put(store, actor, &event, &id, err) != 0 ||
	    db_stmt(store->db, sql, &stmt, err) != 0)
		return -1;
	db_bind_int(stmt, 1, ca);
	db_bind_int(stmt, 2, certificate);
	return db_run(stmt, err);
}

/* ---- settings ---- */

int
store_setting_put(struct store *store, const char *name, int64_t value, struct err *err)
{
	static const char sql[] = "UPDATE setting SET value = ? WHERE name = ?";
	struct db_stmt *stmt = NULL;

	if (db_stmt(store->db, sql, &stmt, err) != 0)
		return -1;
	db_bind_int(stmt, 1, value);
	db_bind_text(stmt, 2, name);
	if (db_run(stmt, err) != 0)
		return -1;
	if (db_changes(store->db) == 0)
		return err_set(err, FAIL_NOT_FOUND, "setting %s: there is no such setting", name);
	return 0;
}
