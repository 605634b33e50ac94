/*
 * Writing the register, one device at a time: the event first, then the row that names it. What is
 * legal is decided by the schema's triggers and its table of transitions.
 */
#include <string.h>

#include "store_private.h"

/* An event about a device, and its number. */
static int
store_device_event_put(struct store *store, const struct store_actor *actor, const char *action,
    int64_t device, int64_t certificate, const char *detail, int64_t *id, struct err *err)
{
	struct store_event_new event = { .action = action,
		.detail = detail,
		.certificate = certificate,
		.device = device,
		.from_state = -1,
		.to_state = -1,
		.reason = -1 };

	return store_event_put(store, actor, &event, id, err);
}

int
store_device_event(struct store *store, const struct store_actor *actor, const char *action,
    int64_t device, int64_t certificate, struct err *err)
{
	int64_t id;

	return store_device_event_put(store, actor, action, device, certificate, NULL, &id, err);
}

/* ---- coming in ---- */

static void
store_device_bind(struct db_stmt *stmt, int at, const uint8_t octets[SHA256_LEN], bool there)
{
	if (there)
		db_bind_blob(stmt, at, octets, SHA256_LEN);
	else
		db_bind_int_or_null(stmt, at, 0, true);
}

int
store_device_put(struct store *store, const struct device *device, int64_t id, time_t registered,
    int64_t import, int64_t event, struct err *err)
{
	static const char sql[] =
	    "INSERT INTO device (id, eui, hw_type, manufacturer, model, region, proofs, "
	    "end_to_end, approved, secret, key, registered, import, event) "
	    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
	struct db_stmt *stmt = NULL;

	if (db_stmt(store->db, sql, &stmt, err) != 0)
		return -1;
	db_bind_int_or_null(stmt, 1, id, id == 0);
	db_bind_blob(stmt, 2, device->eui.octets, EUI64_LEN);
	db_bind_text(stmt, 3, device->hw_type);
	db_bind_text(stmt, 4, device->manufacturer);
	db_bind_text(stmt, 5, device->model);
	db_bind_text(stmt, 6, device->region);
	db_bind_int(stmt, 7, device->proofs);
	db_bind_int(stmt, 8, device->end_to_end);
	db_bind_int(stmt, 9, device->approved);
	store_device_bind(stmt, 10, device->secret, (device->proofs & DEVICE_PROOF_SECRET) != 0);
	store_device_bind(stmt, 11, device->key, (device->proofs & DEVICE_PROOF_KEY) != 0);
	db_bind_int(stmt, 12, registered);
	db_bind_int_or_null(stmt, 13, import, import == 0);
	db_bind_int_or_null(stmt, 14, event, event == 0);
	return db_run(stmt, err);
}

/* What the register knows of an EUI-64, seen or not. */
struct store_device_place {
	bool found, visible;
	int64_t id, import;
};

static int
store_device_find(struct store *store, const struct eui64 *eui, const struct holder *holder,
    struct store_device_place *out, struct err *err)
{
	static const char sql[] = "SELECT " STORE_DEVICE_VISIBLE
				  ", d.import, d.hw_type, d.id FROM device d WHERE d.eui = ?";
	struct db_stmt *stmt = NULL;
	int r = -1;

	memset(out, 0, sizeof *out);
	if (db_stmt(store->db, sql, &stmt, err) != 0)
		return -1;
	db_bind_blob(stmt, 1, eui->octets, EUI64_LEN);
	if (db_step(stmt, &out->found, err) != 0)
		return -1;
	if (!out->found)
		return 0;
	out->visible = db_int(stmt, 0) != 0;
	out->import = db_int(stmt, 1);
	out->id = db_int(stmt, 3);
	if (!out->visible || holder == NULL || store_hw_type_check(stmt, 2, holder, err) == 0)
		r = 0;
	db_reset(stmt);
	return r;
}

int
store_hw_type_check(struct db_stmt *stmt, int col, const struct holder *holder, struct err *err)
{
	char hw_type[OID_TEXT_LEN], text[HOLDER_TEXT_LEN];

	if (db_text(stmt, col, hw_type, sizeof hw_type, err) != 0)
		return -1;
	if (strcmp(hw_type, holder->hw_type) == 0)
		return 0;
	holder_text(holder, text);
	return err_set(err, FAIL_CONFLICT, "device %s: is registered with hwType %s, not %s", text,
	    hw_type, holder->hw_type);
}

int
store_device_clash(struct store *store, const struct eui64 *eui, int64_t import, struct err *err)
{
	struct store_device_place place;
	char text[DEVICE_TEXT_LEN];

	if (store_device_find(store, eui, NULL, &place, err) != 0)
		return -1;
	if (!place.found)
		return 0;
	store_device_text(eui, text);
	if (place.visible)
		return err_set(err, FAIL_CONFLICT, "device %s: is registered already", text);
	if (place.import == import)
		return err_set(err, FAIL_CONFLICT, "device %s: is twice in this import", text);
	return err_set(err, FAIL_CONFLICT,
	    "device %s: is in another import, which is not finished or not yet cleared away", text);
}

static int
store_device_next(struct store *store, int64_t *id, struct err *err)
{
	static const char sql[] = "SELECT 1 + coalesce(max(id), 0) FROM device";
	struct db_stmt *stmt = NULL;
	bool row = false;

	if (db_stmt(store->db, sql, &stmt, err) != 0 || db_step(stmt, &row, err) != 0)
		return -1;
	*id = db_int(stmt, 0);
	db_reset(stmt);
	return 0;
}

static int
store_device_new(struct store *store, const struct store_actor *actor, const struct device *device,
    const char *detail, int64_t *id, struct err *err)
{
	int64_t next, event;

	if (store_device_next(store, &next, err) != 0 ||
	    store_device_event_put(store, actor, "device", next, 0, detail, &event, err) != 0 ||
	    store_device_put(store, device, next, actor->now, 0, event, err) != 0)
		return -1;
	*id = next;
	return 0;
}

int
store_device_add(struct store *store, const struct store_actor *actor, const struct device *device,
    int64_t *id, struct err *err)
{
	if (store_need_transaction(store, err) != 0 ||
	    store_device_clash(store, &device->eui, 0, err) != 0)
		return -1;
	return store_device_new(store, actor, device, NULL, id, err);
}

int
store_device_ensure(struct store *store, const struct store_actor *actor,
    const struct holder *holder, int64_t *id, struct err *err)
{
	struct device device = { .approved = true };
	struct store_device_place place;
	char text[HOLDER_TEXT_LEN];

	if (holder->name_len != EUI64_LEN)
		return err_set(err, FAIL_INVALID, "device: its name has %zu octets, not %d",
		    holder->name_len, EUI64_LEN);
	memcpy(device.eui.octets, holder->name, EUI64_LEN);
	if (store_device_find(store, &device.eui, holder, &place, err) != 0)
		return -1;
	if (place.found && place.visible) {
		*id = place.id;
		return 0;
	}
	if (actor->uid == ACTOR_FRONT) {
		holder_text(holder, text);
		return err_set(err, FAIL_DENIED, "device %s: is not registered", text);
	}
	if (place.found)
		return store_device_clash(store, &device.eui, 0, err);
	memcpy(device.hw_type, holder->hw_type, sizeof device.hw_type);
	return store_device_new(store, actor, &device, "with its first certificate", id, err);
}

/* ---- changes ---- */

static const char *
store_device_action(enum device_action action)
{
	switch (action) {
	case DEVICE_DO_APPROVE:
		return "device-approve";
	case DEVICE_DO_HOLD:
		return "device-hold";
	case DEVICE_DO_RELEASE:
		return "device-release";
	case DEVICE_DO_RETIRE:
		return "device-retire";
	}
	return "";
}

static const char *
store_device_state(enum device_state state)
{
	switch (state) {
	case DEVICE_ACTIVE:
		return "active";
	case DEVICE_HOLD:
		return "on hold";
	case DEVICE_RETIRED:
		return "retired";
	}
	return "";
}

static int
store_device_refuse(const struct device *device, const char *action, struct err *err)
{
	static const char before[] = "device-";
	char text[DEVICE_TEXT_LEN];

	/* People know the verb. */
	if (strncmp(action, before, sizeof(before) - 1) == 0)
		action += sizeof(before) - 1;
	store_device_text(&device->eui, text);
	return err_set(err, FAIL_CONFLICT, "device %s: is %s, %s is not possible", text,
	    store_device_state(device->state), action);
}

/* Whether the action leads to the state that the device has already. */
static bool
store_device_is_done(const struct device *device, enum device_action action)
{
	switch (action) {
	case DEVICE_DO_APPROVE:
		return device->approved;
	case DEVICE_DO_HOLD:
		return device->state == DEVICE_HOLD;
	case DEVICE_DO_RELEASE:
		return device->state == DEVICE_ACTIVE;
	case DEVICE_DO_RETIRE:
		return device->state == DEVICE_RETIRED;
	}
	return false;
}

/* Where the action leads, by the table of transitions. */
static int
store_device_step(struct store *store, const struct device *device, const char *action, int64_t *to,
    struct err *err)
{
	static const char sql[] =
	    "SELECT to_state FROM device_transition WHERE from_state = ? AND action = ?";
	struct db_stmt *stmt = NULL;
	bool row = false;

	if (db_stmt(store->db, sql, &stmt, err) != 0)
		return -1;
	db_bind_int(stmt, 1, device->state);
	db_bind_text(stmt, 2, action);
	if (db_step(stmt, &row, err) != 0)
		return -1;
	if (!row)
		return store_device_refuse(device, action, err);
	*to = db_int(stmt, 0);
	db_reset(stmt);
	return 0;
}

int
store_device_change(struct store *store, const struct store_actor *actor, int64_t id,
    enum device_action action, bool *changed, struct err *err)
{
	static const char sql[] =
	    "UPDATE device SET state = ?, approved = ?, event = ? WHERE id = ?";
	const char *word = store_device_action(action);
	bool approve = action == DEVICE_DO_APPROVE;
	struct db_stmt *stmt = NULL;
	struct device device;
	int64_t to, event;

	if (store_need_transaction(store, err) != 0 ||
	    store_device_by_id(store, id, &device, err) != 0)
		return -1;
	if (store_device_is_done(&device, action)) {
		*changed = false;
		return 0;
	}
	to = device.state;
	if (approve && device.state == DEVICE_RETIRED)
		return store_device_refuse(&device, word, err);
	if (!approve && store_device_step(store, &device, word, &to, err) != 0)
		return -1;
	if (store_device_event_put(store, actor, word, id, 0, NULL, &event, err) != 0 ||
	    db_stmt(store->db, sql, &stmt, err) != 0)
		return -1;
	db_bind_int(stmt, 1, to);
	db_bind_int(stmt, 2, approve || device.approved);
	db_bind_int(stmt, 3, event);
	db_bind_int(stmt, 4, id);
	if (db_run(stmt, err) != 0)
		return -1;
	*changed = true;
	return 0;
}

int
store_device_set_secret(struct store *store, const struct store_actor *actor, int64_t id,
    const uint8_t hmac[SHA256_LEN], struct err *err)
{
	static const char sql[] = "UPDATE device SET secret = ?, secret_key = NULL, "
				  "proofs = proofs | 2, event = ? WHERE id = ?";
	static const char word[] = "device-secret";
	struct db_stmt *stmt = NULL;
	struct device device;
	int64_t event;

	if (store_need_transaction(store, err) != 0 ||
	    store_device_by_id(store, id, &device, err) != 0)
		return -1;
	if (device.state == DEVICE_RETIRED)
		return store_device_refuse(&device, word, err);
	if (store_device_event_put(store, actor, word, id, 0, NULL, &event, err) != 0 ||
	    db_stmt(store->db, sql, &stmt, err) != 0)
		return -1;
	db_bind_blob(stmt, 1, hmac, SHA256_LEN);
	db_bind_int(stmt, 2, event);
	db_bind_int(stmt, 3, id);
	return db_run(stmt, err);
}

int
store_device_bind_secret(
    struct store *store, int64_t id, const uint8_t key_hash[SHA256_LEN], struct err *err)
{
	static const char sql[] = "UPDATE device SET secret_key = ? WHERE id = ?";
	struct db_stmt *stmt = NULL;
	char text[DEVICE_TEXT_LEN];
	struct device device;

	if (store_need_transaction(store, err) != 0 ||
	    store_device_by_id(store, id, &device, err) != 0)
		return -1;
	store_device_text(&device.eui, text);
	if ((device.proofs & DEVICE_PROOF_SECRET) == 0)
		return err_set(err, FAIL_CONFLICT, "device %s: has no secret", text);
	if (device.secret_used) {
		if (memcmp(device.secret_key, key_hash, SHA256_LEN) == 0)
			return 0;
		return err_set(
		    err, FAIL_CONFLICT, "device %s: its secret is bound to another key", text);
	}
	if (db_stmt(store->db, sql, &stmt, err) != 0)
		return -1;
	db_bind_blob(stmt, 1, key_hash, SHA256_LEN);
	db_bind_int(stmt, 2, id);
	return db_run(stmt, err);
}
