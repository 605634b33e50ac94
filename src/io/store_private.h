/*
 * What the store's own files share: the handle, and small helpers around db.h. Private to src/io.
 */
#ifndef SMKI_STORE_PRIVATE_H
#define SMKI_STORE_PRIVATE_H

#include "smki/store_device.h"

#include "db.h"

/* Profiles whose numbers a handle remembers; more than these are looked up each time. */
#define STORE_PROFILES_KEPT 16

struct store {
	struct db *db;
	bool reader;   /* opened with STORE_READ */
	unsigned view; /* the open transaction is only a view, begun so often and not ended */
	/* Numbers of profiles read in the present transaction: one that is undone may take a
	 * profile's row with it, so nothing is remembered across begin, undo and rollback. */
	size_t n_profiles;
	struct {
		char name[NAME_LEN];
		int64_t id;
	} profile[STORE_PROFILES_KEPT];
	/* The newest event with its time and the newest certificate, remembered as long as these;
	 * 0 = not read yet. */
	int64_t event;
	time_t event_time;
	int64_t certificate;
	int spilled; /* db_spilled when the present transaction began */
};

/* The version of the schema that a database has. What is not ours is refused before anything is
 * changed in it, and so is to read (STORE_READ) what is older than this program. */
int store_schema_check(
    struct db *db, enum store_mode mode, int64_t *version, struct err *err) MUST_USE;
/* All files of schema/ that are newer than version. told may be NULL. */
int store_schema_apply(
    struct db *db, int64_t version, const struct store_told *told, struct err *err) MUST_USE;

/* 0 inside a write transaction, else FAIL_UNAVAILABLE: SQLite may have rolled it back by itself,
 * and a write after that would be a transaction of its own. */
int store_need_transaction(const struct store *store, struct err *err) MUST_USE;
/* Inside a write transaction: what is remembered of it holds. */
bool store_is_writing(const struct store *store);

/* An event's columns; 0 and -1 as in struct store_event. */
struct store_event_new {
	const char *action;
	const char *detail; /* NULL = the actor's */
	int64_t ca, certificate, holder, device;
	int from_state, to_state, reason;
	time_t invalid_since;
};
int store_event_put(struct store *store, const struct store_actor *actor,
    const struct store_event_new *event, int64_t *id, struct err *err) MUST_USE;
/* detail (NULL = "") cut to the column's size, at the beginning of a UTF-8 character. */
void store_detail(const char *detail, char out[DETAIL_LEN]);

/* What an event's row is read from; the text goes on with FROM. */
#define STORE_EVENT_COLUMNS                                                                        \
	"SELECT id, time, actor, action, ca, certificate, holder, from_state, to_state, reason, "  \
	"invalid_since, detail, device "
/* Events that sql selects by key: it begins with STORE_EVENT_COLUMNS, has one parameter, and is one
 * text, whose compiled form is kept (db_stmt). */
int store_event_list(struct store *store, const char *sql, int64_t key,
    int (*fn)(void *ctx, const struct store_event *event, struct err *err), void *ctx,
    struct err *err) MUST_USE;

/* A serial column. FAIL_INTERNAL when it is none. */
int store_serial_col(struct db_stmt *stmt, int col, struct serial *out, struct err *err) MUST_USE;
/* A column that may be NULL. */
int64_t store_int_or(struct db_stmt *stmt, int col, int64_t when_null);

/* The number of a device's holder, NULL when it has none; and of any holder. */
#define STORE_HOLDER_OF_DEVICE(eui)                                                                \
	"(SELECT h.id FROM device d CROSS JOIN holder h ON h.device = d.id WHERE d.eui = " eui ")"
#define STORE_HOLDER(kind, name)                                                                   \
	"CASE " kind                                                                               \
	" WHEN 1 THEN " STORE_HOLDER_OF_DEVICE(name) " ELSE (SELECT id FROM holder "               \
						     "WHERE kind = " kind                          \
						     " AND kind <> 1 AND name = " name ") END"

/* What a certificate is read from, c being a row of certificate_now, and what stands behind c for
 * it. */
#define STORE_CERT_COLUMNS                                                                         \
	"SELECT c.id, c.ca, a.name, c.serial, p.name, h.kind, h.name, h.hw_type, c.use, "          \
	"c.key_hash, c.not_before, c.not_after, c.replaces, c.state, c.reason, c.changed, "        \
	"c.invalid_since, c.event "
/* CROSS: the certificate first, then its few small neighbours by number. */
#define STORE_CERT_NEIGHBOURS                                                                      \
	" CROSS JOIN ca a ON a.id = c.ca CROSS JOIN profile p ON p.id = c.profile "                \
	"CROSS JOIN holder h ON h.id = c.holder "
/* A row of these. FAIL_INTERNAL when it is none. */
int store_cert_row(struct db_stmt *stmt, struct store_cert *out, struct err *err) MUST_USE;

/* Number of the next certificate's row. */
int store_cert_next(struct store *store, int64_t *id, struct err *err) MUST_USE;
/* The row of a shard, made when this is its first use, event being the newest one. FAIL_CONFLICT
 * when it has another URI. */
int store_shard_ensure(struct store *store, int64_t ca, int64_t number, const char *uri,
    int64_t event, struct err *err) MUST_USE;

/* ---- devices ---- */

#define DEVICE_TEXT_LEN (2 * EUI64_LEN + 1)
void store_device_text(const struct eui64 *eui, char out[DEVICE_TEXT_LEN]);

/* What the row of a device is read from, and the condition of being seen. */
#define STORE_DEVICE_COLUMNS                                                                       \
	"SELECT d.id, d.eui, d.hw_type, d.manufacturer, d.model, d.region, d.proofs, "             \
	"d.end_to_end, d.approved, d.state, d.secret, d.secret_key, d.key, d.registered, "         \
	"d.import FROM device d "
#define STORE_DEVICE_VISIBLE                                                                       \
	"(d.import IS NULL OR EXISTS (SELECT 1 FROM device_import i WHERE i.id = d.import "        \
	"AND i.finished IS NOT NULL))"
/* By number, as store_device_get. */
int store_device_by_id(
    struct store *store, int64_t id, struct device *out, struct err *err) MUST_USE;

/* The words of a trigger of schema/ for a device that is there already. */
#define DEVICE_TAKEN "device: is registered already"
/* The row of a device: import 0 with its number and event, else both are 0. */
int store_device_put(struct store *store, const struct device *device, int64_t id,
    time_t registered, int64_t import, int64_t event, struct err *err) MUST_USE;
/* FAIL_CONFLICT telling where the device is already, seen or not; import is the one being filled,
 * or 0. 0 when it is nowhere. */
int store_device_clash(
    struct store *store, const struct eui64 *eui, int64_t import, struct err *err) MUST_USE;
/* FAIL_CONFLICT unless the column holds the holder's hwType. */
int store_hw_type_check(
    struct db_stmt *stmt, int col, const struct holder *holder, struct err *err) MUST_USE;
/*
 * Number of a device for a holder that has no row yet: found, or added when an operator issues (enrols
 * through operators only, approved). FAIL_DENIED when it came over the front, FAIL_CONFLICT for
 * another hwType and for an import that is not finished.
 */
int store_device_ensure(struct store *store, const struct store_actor *actor,
    const struct holder *holder, int64_t *id, struct err *err) MUST_USE;

#endif
