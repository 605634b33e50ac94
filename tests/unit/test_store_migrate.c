/*
 * Databases of earlier schemas, with certificates in them, are brought up to date by opening them:
 * of the first, so that who has certificates stands in the register; of the seventh, where the rows
 * of certificates moved with their states.
 */
#include <stdlib.h>

#include "smki/embed.h"
#include "smki/mem.h"

#include "schema_db.h"
#include "device_db.h"

/* A database of the files up to number, and what these texts put into it. */
static void
old_make(int number, const char *const sql[], size_t n)
{
	sqlite3 *db = NULL;
	char *msg = NULL, pragma[128];
	int keep = 1;

	CHECK(sqlite3_open(path, &db) == SQLITE_OK);
	sqlite3_file_control(db, "main", SQLITE_FCNTL_PERSIST_WAL, &keep);
	snprintf(pragma, sizeof(pragma),
	    "PRAGMA user_version = %d; PRAGMA application_id = 0x736d6b69; "
	    "PRAGMA journal_mode=WAL",
	    number);
	for (int i = 0; i < number; i++) {
		CHECK(atoi(schema_text[i].name) == i + 1);
		CHECK(sqlite3_exec(db, schema_text[i].text, NULL, NULL, &msg) == SQLITE_OK);
	}
	CHECK(sqlite3_exec(db, pragma, NULL, NULL, NULL) == SQLITE_OK);
	for (size_t i = 0; i < n && msg == NULL; i++)
		CHECK(sqlite3_exec(db, sql[i], NULL, NULL, &msg) == SQLITE_OK);
	if (msg != NULL)
		fprintf(stderr, "  %s\n", msg);
	sqlite3_free(msg);
	sqlite3_close(db);
}

/* A certificate's row before 008. */
#define OLD_ROW(id, ca, holder, state, reason, time)                                               \
	"INSERT INTO certificate (id, ca, serial, profile, holder, use, key_hash, not_before, "    \
	"not_after, state, reason, changed, event) VALUES (" id ", " ca ", X'0" id "', 1, " holder \
	", 1, " KEY("0" id) ", 100, 1000, " state ", " reason ", " time ", " NEWEST ");"

static const char *const first[] = {
	EVENT("init") "INSERT INTO profile (name) VALUES ('device-signature')",
	"INSERT INTO ca (id, name, parent) VALUES (1, 'root', 1)",
	/* devices 7 and 9, an organisation, device 11 without event */
	"INSERT INTO holder (kind, name, hw_type) VALUES "
	"(1, X'0000000000000007', '1.2.3'), (2, X'0000000000000008', ''), "
	"(1, X'0000000000000009', '1.2.4'), (1, X'000000000000000b', '1.2.3')",
	"INSERT INTO event (time, actor, action, holder) VALUES "
	"(200, 0, 'holder', 1), (200, 0, 'holder', 2), (300, 0, 'holder', 3)",
	DER("1") ISSUED("1", "1", "1", "0", "NULL", "300"),
	OLD_ROW("1", "1", "1", "0", "NULL", "300"),
};

static void
test_migrate(void)
{
	static const struct {
		int n;
		const char *hw_type;
		time_t registered;
	} rows[] = { { 7, "1.2.3", 200 }, { 9, "1.2.4", 300 }, { 11, "1.2.3", 0 } };
	struct store_new_cert cert = cert_of(7, der5);
	struct store *store = NULL;
	struct device device, got;
	struct err err;
	bool changed, fatal;

	store_dir();
	old_make(1, first, ARRAY_LEN(first));
	/* a reader waits for the writer to have been there */
	CHECK(store_open(path, STORE_READ, &store, &err) != 0 && err.code == FAIL_UNAVAILABLE);
	MUST(store_open(path, STORE_WRITE, &store, &err));
	CHECK(count("PRAGMA user_version") >= 2);
	CU_ASSERT_EQUAL(newest_event(store), 5); /* not one more */
	CU_ASSERT_EQUAL(count("SELECT count(*) FROM device"), 3);
	CU_ASSERT_EQUAL(count("SELECT count(*) FROM holder h JOIN device d ON d.id = h.device "
			      "WHERE d.eui = h.name AND h.kind = 1"),
	    3);
	CU_ASSERT_EQUAL(count("SELECT count(*) FROM holder WHERE device IS NULL"), 1);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		device = device_of(rows[i].n);
		MUST(store_device_get(store, &device.eui, &got, &err));
		CHECK_STR(got.hw_type, rows[i].hw_type);
		CU_ASSERT_EQUAL(got.registered, rows[i].registered);
		CHECK(got.proofs == 0 && got.approved && !got.end_to_end && got.import == 0);
		CU_ASSERT_EQUAL(got.state, DEVICE_ACTIVE);
		CHECK_STR(got.manufacturer, "");
	}
	CHECK(!device_is_seen(store, 8));
	/* they live on under the new rules */
	cert.profile = "device-agreement";
	CU_ASSERT_EQUAL(issue(store, &cert, 2000), 2);
	CU_ASSERT_EQUAL(count("SELECT count(*) FROM device"), 3);
	MUST(store_begin(store, &err));
	for (size_t i = 1; i <= ARRAY_LEN(rows); i++) {
		struct store_actor at = { .uid = 1000, .now = 2000 };

		MUST(store_device_change(store, &at, (int64_t)i, DEVICE_DO_HOLD, &changed, &err));
		CHECK(changed);
	}
	MUST(store_commit(store, &fatal, &err));
	store_close(store);
	/* once is enough */
	MUST(store_open(path, STORE_WRITE, &store, &err));
	CU_ASSERT_EQUAL(count("SELECT count(*) FROM device WHERE state = 1"), 3);
	store_close(store);
	MUST(store_open(path, STORE_READ, &store, &err));
	store_close(store);
	store_dir_end();
}

/* ---- states that moved in the rows ---- */

#define OLD_ISSUE(id, holder, state, reason)                                                       \
	DER(id)                                                                                    \
	ISSUED(id, "2", holder, state, reason, "100") OLD_ROW(id, "2", holder, state, reason, "100")
#define OLD_CHANGE(action, id, from, to, reason, since)                                            \
	"INSERT INTO event (id, time, actor, action, ca, certificate, holder, from_state, "        \
	"to_state, reason, invalid_since, detail) VALUES (" NEXT ", 110, 7, '" action "', 2, " id  \
	", " id ", " from ", " to ", " reason ", " since ", 'why');"                               \
	"UPDATE certificate SET state = " to ", reason = " reason ", changed = 110, "              \
	"invalid_since = " since ", event = " NEWEST " WHERE id = " id ";"

/* 1 valid, 2 on hold, 3 held and released, 4 revoked, its key blocked; issued on hold: 5 still, 6
 * released, 7 revoked and of a shard; 8 a hold that ended revoked. */
static const char *const moved[] = {
	EVENT("init") "INSERT INTO profile (name) VALUES ('device-signature')",
	"INSERT INTO ca (id, name, parent) VALUES (1, 'root', 1), (2, 'issuing', 1)",
	"INSERT INTO holder (kind, name, hw_type) VALUES "
	"(1, X'0000000000000001', '1.2.3'), (1, X'0000000000000002', '1.2.3'), "
	"(1, X'0000000000000003', '1.2.3'), (1, X'0000000000000004', '1.2.3'), "
	"(1, X'0000000000000005', '1.2.3'), (1, X'0000000000000006', '1.2.3'), "
	"(1, X'0000000000000007', '1.2.3'), (1, X'0000000000000008', '1.2.3')",
	DEVICE("1", "0000000000000001") DEVICE("2", "0000000000000002"),
	DEVICE("3", "0000000000000003") DEVICE("4", "0000000000000004"),
	DEVICE("5", "0000000000000005") DEVICE("6", "0000000000000006"),
	DEVICE("7", "0000000000000007") DEVICE("8", "0000000000000008"),
	OLD_ISSUE("1", "1", "0", "NULL"),
	OLD_ISSUE("2", "2", "0", "NULL"),
	OLD_ISSUE("3", "3", "0", "NULL"),
	OLD_ISSUE("4", "4", "0", "NULL"),
	OLD_ISSUE("5", "5", "1", "6"),
	OLD_ISSUE("6", "6", "1", "6"),
	DER("7") ISSUED("7", "2", "7", "1", "6", "100"),
	"INSERT INTO crl_shard (ca, number, uri, changed_event) VALUES (2, 0, 'u', " NEWEST ")",
	"INSERT INTO certificate (id, ca, serial, profile, holder, use, key_hash, not_before, "
	"not_after, state, reason, changed, event, shard) VALUES (7, 2, X'07', 1, 7, 1, " KEY(
	    "07") ", 100, 1000, 1, 6, 100, " NEWEST ", 0)",
	OLD_ISSUE("8", "8", "0", "NULL"),
	OLD_CHANGE("hold", "2", "0", "1", "6", "NULL"),
	OLD_CHANGE("hold", "3", "0", "1", "6", "NULL"),
	OLD_CHANGE("hold", "8", "0", "1", "6", "NULL"),
	OLD_CHANGE("reactivate", "3", "1", "0", "NULL", "NULL"),
	OLD_CHANGE("revoke", "4", "0", "2", "1", "50"),
	"INSERT INTO event (id, time, actor, action, ca, certificate, holder, reason) "
	"VALUES (" NEXT ", 110, 7, 'key-blocked', 2, 4, 4, 1)",
	"INSERT INTO blocked_key VALUES (" KEY("04") ", " NEWEST ")",
	OLD_CHANGE("reactivate", "6", "1", "0", "NULL", "NULL"),
	OLD_CHANGE("revoke", "7", "1", "2", "4", "NULL"),
	OLD_CHANGE("revoke", "8", "1", "2", "0", "1"),
};

/* One text of all that a query gives. */
static char *
all_of(const char *sql)
{
	struct buf text = { 0 };
	sqlite3_stmt *stmt = NULL;
	sqlite3 *db = NULL;
	char *all;

	CHECK(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK);
	CHECK(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK);
	while (sqlite3_step(stmt) == SQLITE_ROW)
		for (int i = 0; i < sqlite3_column_count(stmt); i++) {
			const char *value = (const char *)sqlite3_column_text(stmt, i);

			buf_add_str(&text, value != NULL ? value : "-");
			buf_add_str(&text, i + 1 < sqlite3_column_count(stmt) ? " " : "\n");
		}
	sqlite3_finalize(stmt);
	sqlite3_close(db);
	all = mem_str(buf_text(&text));
	buf_free(&text);
	return all;
}

/* The numbers of a certificate's events, added. */
static int
history_add(void *ctx, const struct store_event *event, struct err *err)
{
	char *text = mem_fmt("%lld ", (long long)event->id);

	buf_add_str(ctx, text);
	free(text);
	return 0;
}

static void
test_states(void)
{
	/* before and after, what gives the same */
	static const char *const same[][2] = {
		{ "SELECT id, state, reason, changed, invalid_since, event FROM certificate",
		    "SELECT id, state, reason, changed, invalid_since, event FROM "
		    "certificate_now" },
		{ "SELECT hex(serial), reason, changed, invalid_since FROM certificate "
		  "WHERE ca = 2 AND state <> 0 ORDER BY event",
		    "SELECT hex(serial), reason, changed, invalid_since FROM listed "
		    "WHERE ca = 2 ORDER BY event" },
		{ "SELECT hex(serial) FROM certificate WHERE state <> 0 AND shard = 0",
		    "SELECT hex(serial) FROM listed WHERE shard = 0" },
		{ "SELECT id, time, actor, action, ca, certificate, holder, from_state, to_state, "
		  "reason, invalid_since, detail, device FROM event ORDER BY id",
		    "SELECT id, time, actor, action, ca, certificate, holder, from_state, "
		    "to_state, reason, invalid_since, detail, device FROM event ORDER BY id" },
		{ "SELECT ca, state, n FROM tally", "SELECT ca, state, n FROM tally" },
		{ "SELECT id, changed_event FROM ca", "SELECT id, changed_event FROM ca" },
		{ "SELECT * FROM crl_shard", "SELECT * FROM crl_shard" },
	};
	static const struct store_change release = { .to = CERT_VALID };
	char *before[ARRAY_LEN(same)], *events[9], *after;
	struct store *store = NULL;
	struct buf history = { 0 };
	struct err err;
	bool fatal;

	store_dir();
	old_make(7, moved, ARRAY_LEN(moved));
	for (size_t i = 0; i < ARRAY_LEN(same); i++) {
		before[i] = all_of(same[i][0]);
		CHECK(before[i][0] != '\0');
	}
	for (int id = 1; id <= 8; id++) {
		char *sql = mem_fmt("SELECT group_concat(id, ' ') || ' ' FROM (SELECT id FROM "
				    "event WHERE certificate = %d ORDER BY id)",
		    id);

		events[id] = all_of(sql);
		free(sql);
	}
	MUST(store_open(path, STORE_WRITE, &store, &err));
	for (size_t i = 0; i < ARRAY_LEN(same); i++) {
		after = all_of(same[i][1]);
		CHECK_STR(after, before[i]);
		free(before[i]);
		free(after);
	}
	for (int id = 1; id <= 8; id++) {
		buf_reset(&history);
		MUST(store_event_each(store, id, history_add, &history, &err));
		buf_add_str(&history, "\n");
		CHECK_STR(buf_text(&history), events[id]);
		free(events[id]);
	}
	buf_free(&history);
	/* the rows are as they were issued */
	CU_ASSERT_EQUAL(count("SELECT count(*) FROM certificate c JOIN event e "
			      "ON e.id = c.issue_event AND e.certificate = c.id "
			      "AND e.action = 'issue' AND e.to_state = c.issued_state "
			      "AND e.reason IS c.issued_reason AND e.time = c.issued "
			      "AND c.invalid_since IS NULL"),
	    8);
	CU_ASSERT_EQUAL(count("SELECT count(*) FROM certificate WHERE issued_state = 1"), 3);
	CU_ASSERT_EQUAL(count("SELECT count(*) FROM pragma_foreign_key_check"), 0);
	CU_ASSERT_EQUAL(count("SELECT integrity_check = 'ok' FROM pragma_integrity_check"), 1);
	/* and live on */
	MUST(store_begin(store, &err));
	MUST(store_cert_change(store, &actor, 5, &release, &err));
	CHECK(
	    store_cert_change(store, &actor, 8, &release, &err) != 0 && err.code == FAIL_CONFLICT);
	MUST(store_commit(store, &fatal, &err));
	CU_ASSERT_EQUAL(count("SELECT count(*) FROM listed"), 4);
	store_close(store);
	store_dir_end();
}

/* What a row said and what its events said: where they differ, nobody decides. */
static void
test_contradiction(void)
{
	static const struct {
		const char *name, *sql;
	} rows[] = {
		{ "event that nothing followed",
		    "INSERT INTO event (id, time, actor, action, ca, certificate, from_state, "
		    "to_state, reason) VALUES (" NEXT ", 110, 7, 'hold', 2, 1, 0, 1, 6)" },
		{ "row without its event", "DROP TRIGGER certificate_fixed; DROP TRIGGER "
					   "ca_update; UPDATE certificate SET state = 1, "
					   "reason = 6 WHERE id = 1" },
		{ "row with another reason", "DROP TRIGGER certificate_fixed; DROP TRIGGER "
					     "ca_update; UPDATE certificate SET reason = 0 "
					     "WHERE id = 4" },
		{ "row with another date", "DROP TRIGGER certificate_fixed; DROP TRIGGER "
					   "ca_update; UPDATE certificate SET invalid_since = 49 "
					   "WHERE id = 4" },
		{ "row of an older event",
		    "DROP TRIGGER certificate_fixed; DROP TRIGGER ca_update; UPDATE certificate "
		    "SET state = 1, "
		    "reason = 6, (event, changed) = (SELECT id, time FROM event "
		    "WHERE certificate = 3 AND action = 'hold') WHERE id = 3" },
	};
	struct store *store = NULL;
	struct err err;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		sqlite3 *db = NULL;

		store_dir();
		old_make(7, moved, ARRAY_LEN(moved));
		CHECK(sqlite3_open(path, &db) == SQLITE_OK);
		CHECK_ROW(
		    rows[i].name, sqlite3_exec(db, rows[i].sql, NULL, NULL, NULL) == SQLITE_OK);
		sqlite3_close(db);
		CHECK_ROW(rows[i].name, store_open(path, STORE_WRITE, &store, &err) != 0);
		CHECK_ROW(rows[i].name,
		    strstr(err.msg, "008-states.sql") != NULL &&
			strstr(err.msg, "its state is not that of its newest event") != NULL);
		/* and is as it was */
		CU_ASSERT_EQUAL(count("PRAGMA user_version"), 7);
		CU_ASSERT_EQUAL(count("SELECT count(state) FROM certificate"), 8);
		store_dir_end();
	}
}

static const struct test_case cases_[] = {
	{ "first schema", test_migrate },
	{ "states that moved in the rows", test_states },
	{ "rows that contradict their events", test_contradiction },
};

TEST_MAIN("store_migrate", cases_)
