/*
 * Public halves of the keys that sign access tokens. Private ones are on the token.
 */
#include <string.h>

#include "store_private.h"

#define P256_POINT_LEN 65

int
store_access_key_add(struct store *store, const struct store_actor *actor,
    const struct store_access_key *key, struct err *err)
{
	static const char sql[] = "INSERT INTO access_key (label, kid, point, made, active_from, "
				  "event) VALUES (?, ?, ?, ?, ?, ?)";
	struct store_event_new event = { .action = "access-key",
		.detail = key->kid,
		.from_state = -1,
		.to_state = -1,
		.reason = -1 };
	struct db_stmt *stmt = NULL;
	int64_t id;

	if (key->pub.curve != EC_P256 || key->pub.len != P256_POINT_LEN)
		return err_set(err, FAIL_INVALID, "access key: is not on P-256");
	if (store_event_put(store, actor, &event, &id, err) != 0 ||
	    db_stmt(store->db, sql, &stmt, err) != 0)
		return -1;
	db_bind_text(stmt, 1, key->label);
	db_bind_text(stmt, 2, key->kid);
	db_bind_blob(stmt, 3, key->pub.point, key->pub.len);
	db_bind_int(stmt, 4, actor->now);
	db_bind_int(stmt, 5, key->active_from);
	db_bind_int(stmt, 6, id);
	return db_run(stmt, err);
}

static int
store_access_key_row(struct db_stmt *stmt, struct store_access_key *out, struct err *err)
{
	struct span point = db_blob(stmt, 3);

	memset(out, 0, sizeof *out);
	out->id = db_int(stmt, 0);
	if (point.len != P256_POINT_LEN)
		return err_set(err, FAIL_INTERNAL, "database: access key %lld: point of %zu octets",
		    (long long)out->id, point.len);
	out->pub.curve = EC_P256;
	memcpy(out->pub.point, point.p, point.len);
	out->pub.len = point.len;
	out->made = (time_t)db_int(stmt, 4);
	out->active_from = (time_t)db_int(stmt, 5);
	if (db_text(stmt, 1, out->label, sizeof out->label, err) != 0 ||
	    db_text(stmt, 2, out->kid, sizeof out->kid, err) != 0)
		return -1;
	return 0;
}

int
store_access_key_list(struct store *store, struct store_access_key out[STORE_ACCESS_KEYS_MAX],
    size_t *n, struct err *err)
{
	static const char sql[] =
	    "SELECT id, label, kid, point, made, active_from FROM (SELECT * FROM access_key "
	    "ORDER BY id DESC LIMIT ?) ORDER BY id";
	struct store_access_key keys[STORE_ACCESS_KEYS_MAX];
	struct db_stmt *stmt = NULL;
	bool row = false;
	size_t got = 0;
	int r = -1;

	if (db_stmt(store->db, sql, &stmt, err) != 0)
		return -1;
	db_bind_int(stmt, 1, STORE_ACCESS_KEYS_MAX);
	for (;;) {
		if (db_step(stmt, &row, err) != 0)
			goto out;
		if (!row)
			break;
		if (store_access_key_row(stmt, &keys[got], err) != 0)
			goto out;
		got++;
	}
	memcpy(out, keys, got * sizeof keys[0]);
	*n = got;
	r = 0;
out:
	db_reset(stmt);
	return r;
}
