/*
 * Writing certificates: recording an issued one and changing a state. A change is an event, all the
 * rest follows from it; which changes are legal is decided by the schema's triggers, and their
 * refusals come back in their own words.
 */
#include <string.h>

#include "smki/mem.h"

#include "store_private.h"

/* The trigger's and the index's words for a serial that is there already (schema/). */
#define SERIAL_TAKEN "certificate: serial is taken"

/* The number of a profile's name; a new name gets a row. */
static int
store_profile_id(struct store *store, const char *name, int64_t *id, struct err *err)
{
	static const char sql_get[] = "SELECT id FROM profile WHERE name = ?";
	static const char sql_put[] = "INSERT INTO profile (name) VALUES (?)";
	struct db_stmt *stmt = NULL;
	bool row = false;

	for (size_t i = 0; i < store->n_profiles; i++)
		if (strcmp(store->profile[i].name, name) == 0) {
			*id = store->profile[i].id;
			return 0;
		}
	if (name_check("profile", name, err) != 0 || db_stmt(store->db, sql_get, &stmt, err) != 0)
		return -1;
	db_bind_text(stmt, 1, name);
	if (db_step(stmt, &row, err) != 0)
		return -1;
	if (row) {
		*id = db_int(stmt, 0);
		db_reset(stmt);
	} else {
		if (db_stmt(store->db, sql_put, &stmt, err) != 0)
			return -1;
		db_bind_text(stmt, 1, name);
		if (db_run(stmt, err) != 0)
			return -1;
		*id = db_last_id(store->db);
	}
	if (store->n_profiles < STORE_PROFILES_KEPT) {
		memcpy(store->profile[store->n_profiles].name, name, strlen(name) + 1);
		store->profile[store->n_profiles++].id = *id;
	}
	return 0;
}

static int
store_holder_add(struct store *store, const struct store_actor *actor, const struct holder *holder,
    int64_t device, int64_t *id, struct err *err)
{
	static const char sql[] =
	    "INSERT INTO holder (kind, name, hw_type, device) VALUES (?, ?, ?, ?)";
	struct store_event_new event = {
		.action = "holder", .detail = "", .from_state = -1, .to_state = -1, .reason = -1
	};
	struct db_stmt *stmt = NULL;
	int64_t event_id;

	if (db_stmt(store->db, sql, &stmt, err) != 0)
		return -1;
	db_bind_int(stmt, 1, holder->kind);
	db_bind_blob(stmt, 2, holder->name, holder->name_len);
	db_bind_text(stmt, 3, holder->hw_type);
	db_bind_int_or_null(stmt, 4, device, device == 0);
	if (db_run(stmt, err) != 0)
		return -1;
	*id = event.holder = db_last_id(store->db);
	/* A device's place in the register has an event, and each certificate's names the holder. */
	if (holder->kind == HOLDER_DEVICE)
		return 0;
	return store_event_put(store, actor, &event, &event_id, err);
}

/* The holder's number; a new one gets a row, and an event or, a device, its place in the register.
 * Who has certificates stands there already: no rule would have let them in. */
static int
store_holder_id(struct store *store, const struct store_actor *actor, const struct holder *holder,
    int64_t *id, struct err *err)
{
	static const char sql[] = "SELECT id, hw_type FROM holder WHERE id = " STORE_HOLDER(
	    "?1", "?2");
	struct db_stmt *stmt = NULL;
	int64_t device = 0;
	bool row = false;
	int r = -1;

	if (db_stmt(store->db, sql, &stmt, err) != 0)
		return -1;
	db_bind_int(stmt, 1, holder->kind);
	db_bind_blob(stmt, 2, holder->name, holder->name_len);
	if (db_step(stmt, &row, err) != 0)
		return -1;
	if (!row) {
		if (holder->kind == HOLDER_DEVICE &&
		    store_device_ensure(store, actor, holder, &device, err) != 0)
			return -1;
		return store_holder_add(store, actor, holder, device, id, err);
	}
	if (store_hw_type_check(stmt, 1, holder, err) != 0)
		goto out;
	*id = db_int(stmt, 0);
	r = 0;
out:
	db_reset(stmt);
	return r;
}

int
store_cert_next(struct store *store, int64_t *id, struct err *err)
{
	static const char sql[] = "SELECT 1 + coalesce(max(id), 0) FROM certificate";
	struct db_stmt *stmt = NULL;
	bool row = false;

	if (store->certificate != 0 && store_is_writing(store)) {
		*id = store->certificate + 1;
		return 0;
	}
	if (db_stmt(store->db, sql, &stmt, err) != 0 || db_step(stmt, &row, err) != 0)
		return -1;
	*id = db_int(stmt, 0);
	db_reset(stmt);
	return 0;
}

static int
store_der_put(struct store *store, int64_t id, struct span der, struct err *err)
{
	static const char sql[] = "INSERT INTO certificate_der (certificate, der) VALUES (?, ?)";
	struct db_stmt *stmt = NULL;

	if (db_stmt(store->db, sql, &stmt, err) != 0)
		return -1;
	db_bind_int(stmt, 1, id);
	db_bind_blob(stmt, 2, der.p, der.len);
	return db_run(stmt, err);
}

/* The row itself, after its bytes and its event. */
static int
store_cert_put(struct store *store, const struct store_actor *actor,
    const struct store_new_cert *cert, int64_t id, int64_t profile, int64_t holder, int64_t event,
    struct err *err)
{
	static const char sql[] =
	    "INSERT INTO certificate (id, ca, serial, profile, holder, use, key_hash, not_before, "
	    "not_after, replaces, issued_state, issued_reason, issued, issue_event, shard) "
	    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
	struct db_stmt *stmt = NULL;

	if (db_stmt(store->db, sql, &stmt, err) != 0)
		return -1;
	db_bind_int(stmt, 1, id);
	db_bind_int(stmt, 2, cert->ca);
	db_bind_blob(stmt, 3, cert->serial.octets, cert->serial.len);
	db_bind_int(stmt, 4, profile);
	db_bind_int(stmt, 5, holder);
	db_bind_int(stmt, 6, cert->use);
	db_bind_blob(stmt, 7, cert->key_hash, sizeof cert->key_hash);
	db_bind_int(stmt, 8, cert->not_before);
	db_bind_int(stmt, 9, cert->not_after);
	db_bind_int_or_null(stmt, 10, cert->replaces, cert->replaces == 0);
	db_bind_int(stmt, 11, cert->on_hold ? CERT_HOLD : CERT_VALID);
	db_bind_int_or_null(stmt, 12, REASON_CERTIFICATE_HOLD, !cert->on_hold);
	db_bind_int(stmt, 13, actor->now);
	db_bind_int(stmt, 14, event);
	db_bind_int_or_null(stmt, 15, cert->shard, cert->shard_uri == NULL);
	return db_run(stmt, err);
}

int
store_cert_add(struct store *store, const struct store_actor *actor,
    const struct store_new_cert *cert, int64_t *id, bool *serial_taken, struct err *err)
{
	struct store_event_new event = { .action = "issue",
		.ca = cert->ca,
		.from_state = -1,
		.to_state = cert->on_hold ? CERT_HOLD : CERT_VALID,
		.reason = cert->on_hold ? REASON_CERTIFICATE_HOLD : -1 };
	struct err why = { 0 };
	int64_t profile, event_id;

	*serial_taken = false;
	if (store_need_transaction(store, err) != 0 ||
	    store_profile_id(store, cert->profile, &profile, err) != 0 ||
	    store_holder_id(store, actor, &cert->holder, &event.holder, err) != 0 ||
	    store_cert_next(store, &event.certificate, err) != 0 ||
	    store_der_put(store, event.certificate, cert->der, err) != 0 ||
	    store_event_put(store, actor, &event, &event_id, err) != 0 ||
	    (cert->shard_uri != NULL && store_shard_ensure(store, cert->ca, cert->shard,
					    cert->shard_uri, event_id, err) != 0))
		return -1;
	if (store_cert_put(store, actor, cert, event.certificate, profile, event.holder, event_id,
		&why) != 0) {
		*serial_taken = why.code == FAIL_CONFLICT && strcmp(why.msg, SERIAL_TAKEN) == 0;
		return err_set(err, why.code, "%s", why.msg);
	}
	*id = store->certificate = event.certificate;
	return 0;
}

/* ---- state changes ---- */

/* What a change needs to know of the row. */
struct store_now {
	int64_t ca;
	int64_t holder;
	enum cert_state state;
	uint8_t key_hash[SHA256_LEN];
};

static int
store_now_get(struct store *store, int64_t id, struct store_now *out, struct err *err)
{
	static const char sql[] =
	    "SELECT ca, holder, state, key_hash FROM certificate_now WHERE id = ?";
	struct db_stmt *stmt = NULL;
	struct span hash;
	bool row = false;
	int r = -1;

	if (db_stmt(store->db, sql, &stmt, err) != 0)
		return -1;
	db_bind_int(stmt, 1, id);
	if (db_step(stmt, &row, err) != 0)
		return -1;
	if (!row)
		return err_set(err, FAIL_NOT_FOUND, "certificate: there is none with number %lld",
		    (long long)id);
	hash = db_blob(stmt, 3);
	if (hash.len != SHA256_LEN) {
		err_set(err, FAIL_INTERNAL, "database: certificate %lld: key hash of %zu octets",
		    (long long)id, hash.len);
		goto out;
	}
	out->ca = db_int(stmt, 0);
	out->holder = db_int(stmt, 1);
	out->state = (enum cert_state)db_int(stmt, 2);
	memcpy(out->key_hash, hash.p, SHA256_LEN);
	r = 0;
out:
	db_reset(stmt);
	return r;
}

int
store_cert_now(struct store *store, struct store_cert *cert, struct err *err)
{
	static const char sql[] =
	    "SELECT state, reason, changed, invalid_since, event FROM certificate_now WHERE id = ?";
	struct db_stmt *stmt = NULL;
	bool row = false;

	if (db_stmt(store->db, sql, &stmt, err) != 0)
		return -1;
	db_bind_int(stmt, 1, cert->id);
	if (db_step(stmt, &row, err) != 0)
		return -1;
	if (!row)
		return err_set(err, FAIL_NOT_FOUND, "certificate: there is none with number %lld",
		    (long long)cert->id);
	cert->state = (enum cert_state)db_int(stmt, 0);
	cert->reason = (enum crl_reason)db_int(stmt, 1);
	cert->changed = (time_t)db_int(stmt, 2);
	cert->invalid_since = (time_t)db_int(stmt, 3);
	cert->event = db_int(stmt, 4);
	db_reset(stmt);
	return 0;
}

/* Block a key for ever, once. */
static int
store_key_block(struct store *store, const struct store_actor *actor, int64_t certificate,
    const struct store_now *is, struct err *err)
{
	static const char sql_get[] = "SELECT 1 FROM blocked_key WHERE key_hash = ?";
	static const char sql_put[] = "INSERT INTO blocked_key (key_hash, event) VALUES (?, ?)";
	struct store_event_new event = { .action = "key-blocked",
		.ca = is->ca,
		.certificate = certificate,
		.holder = is->holder,
		.from_state = -1,
		.to_state = -1,
		.reason = REASON_KEY_COMPROMISE };
	struct db_stmt *stmt = NULL;
	int64_t event_id;
	bool row = false;

	if (db_stmt(store->db, sql_get, &stmt, err) != 0)
		return -1;
	db_bind_blob(stmt, 1, is->key_hash, SHA256_LEN);
	if (db_step(stmt, &row, err) != 0)
		return -1;
	db_reset(stmt);
	if (row)
		return 0;
	if (store_event_put(store, actor, &event, &event_id, err) != 0 ||
	    db_stmt(store->db, sql_put, &stmt, err) != 0)
		return -1;
	db_bind_blob(stmt, 1, is->key_hash, SHA256_LEN);
	db_bind_int(stmt, 2, event_id);
	return db_run(stmt, err);
}

static const char *
store_change_action(enum cert_state to)
{
	switch (to) {
	case CERT_VALID:
		return "reactivate";
	case CERT_HOLD:
		return "hold";
	case CERT_REVOKED:
		return "revoke";
	}
	return "";
}

int
store_cert_change(struct store *store, const struct store_actor *actor, int64_t certificate,
    const struct store_change *change, struct err *err)
{
	struct store_event_new event = { .action = store_change_action(change->to),
		.certificate = certificate,
		.to_state = change->to,
		.reason = -1 };
	struct store_now is;
	int64_t event_id;

	if (store_need_transaction(store, err) != 0 ||
	    store_now_get(store, certificate, &is, err) != 0)
		return -1;
	event.ca = is.ca;
	event.holder = is.holder;
	event.from_state = is.state;
	if (change->to == CERT_HOLD)
		event.reason = REASON_CERTIFICATE_HOLD;
	if (change->to == CERT_REVOKED) {
		event.reason = change->reason;
		event.invalid_since = change->invalid_since;
	}
	if (store_event_put(store, actor, &event, &event_id, err) != 0)
		return -1;
	if (change->to != CERT_REVOKED || change->reason != REASON_KEY_COMPROMISE)
		return 0;
	return store_key_block(store, actor, certificate, &is, err);
}
