/*
 * The life cycle and the permanence of issued rows as the schema by itself enforces them: tried
 * directly in SQL, through a connection that knows nothing of the store.
 */
#include "schema_db.h"

/* ---- the life cycle ---- */

/* How the event that goes with a change is wrong. */
enum matrix_event {
	EVENT_RIGHT,
	EVENT_MISSING,	  /* the row names the event it has already */
	EVENT_OTHER_CERT, /* is another certificate's */
	EVENT_OTHER_CA,
	EVENT_OTHER_ACTION,
	EVENT_OTHER_FROM,
	EVENT_OTHER_TO,
	EVENT_OTHER_REASON,
	EVENT_OTHER_TIME,
	EVENT_OTHER_DATE, /* invalidity date in one of the two only */
	EVENT_NOT_NEWEST,
	EVENT_KINDS,
};

static const char *const matrix_name[EVENT_KINDS] = { "right", "missing", "other certificate",
	"other ca", "other action", "other from", "other to", "other reason", "other time",
	"other date", "not newest" };

static const char *
matrix_action(int to)
{
	return to == 0 ? "reactivate" : to == 1 ? "hold" : "revoke";
}

/* Write the event; an event that is refused counts as the change refused. */
static int
matrix_event_put(sqlite3 *db, int from, int to, enum matrix_event kind)
{
	const char *reason = to == 0 ? "NULL" : to == 1 ? "6" : "4";
	char *sql;
	int rc;

	if (kind == EVENT_MISSING)
		return SQLITE_OK;
	if (kind == EVENT_OTHER_REASON)
		reason = "0";
	sql = sqlite3_mprintf("INSERT INTO event (id, time, actor, action, ca, certificate, "
			      "from_state, to_state, reason, "
			      "invalid_since) VALUES (" NEXT
			      ", %d, -1, '%s', %d, %d, %d, %d, %s, %s)",
	    kind == EVENT_OTHER_TIME ? 101 : 100,
	    matrix_action(kind == EVENT_OTHER_ACTION ? (to + 1) % 3 : to),
	    kind == EVENT_OTHER_CA ? 1 : 2, kind == EVENT_OTHER_CERT ? 6 : 3 + from,
	    kind == EVENT_OTHER_FROM ? (from + 1) % 3 : from,
	    kind == EVENT_OTHER_TO ? (to + 1) % 3 : to, reason,
	    kind == EVENT_OTHER_DATE ? "50" : "NULL");
	rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
	sqlite3_free(sql);
	if (rc == SQLITE_OK && kind == EVENT_NOT_NEWEST)
		rc = sqlite3_exec(db, EVENT("init"), NULL, NULL, NULL);
	return rc;
}

/* Certificates 3, 4, 5 are in states 0, 1, 2. */
static void
matrix_try(sqlite3 *db, int from, int to, enum matrix_event kind)
{
	bool legal = kind == EVENT_RIGHT && ((from == 0 && to == 1) || (from == 1 && to == 0) ||
						(from == 0 && to == 2) || (from == 1 && to == 2));
	char row[64], *sql;
	int rc;

	snprintf(row, sizeof row, "%d to %d, event %s", from, to, matrix_name[kind]);
	sqlite3_exec(db, "SAVEPOINT m", NULL, NULL, NULL);
	rc = matrix_event_put(db, from, to, kind);
	if (rc == SQLITE_OK) {
		sql = sqlite3_mprintf(
		    "UPDATE certificate SET state = %d, reason = %s, changed = 100, event = %s "
		    "WHERE id = %d",
		    to,
		    to == 0   ? "NULL"
		    : to == 1 ? "6"
			      : "4",
		    kind == EVENT_MISSING      ? "event"
		    : kind == EVENT_NOT_NEWEST ? NEWEST " - 1"
					       : NEWEST,
		    3 + from);
		rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
		sqlite3_free(sql);
	}
	CHECK_ROW(row, rc == (legal ? SQLITE_OK : SQLITE_CONSTRAINT));
	sqlite3_exec(db, "ROLLBACK TO m; RELEASE m", NULL, NULL, NULL);
}

static void
test_matrix(void)
{
	for (int strict = 0; strict < 2; strict++) {
		sqlite3 *db = schema_open(strict);

		sqlite3_exec(db, "BEGIN", NULL, NULL, NULL);
		for (int pass = 0; pass < 2; pass++) {
			for (int from = 0; from < 3; from++)
				for (int to = 0; to < 3; to++)
					for (int kind = 0; kind < EVENT_KINDS; kind++)
						matrix_try(db, from, to, (enum matrix_event)kind);
			/* The certificate's own trigger refuses the same without the event's. */
			CHECK(sqlite3_exec(db, "DROP TRIGGER event_order", NULL, NULL, NULL) ==
				  SQLITE_OK ||
			      pass == 1);
		}
		sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
		sqlite3_close(db);
	}
}

static const struct schema_case transition_table_cases[] = {
	{ "insert", NULL, "INSERT INTO transition VALUES (2, 0, 'reactivate')",
	    "transition: the life cycle is fixed" },
	{ "replace", NULL, "INSERT OR REPLACE INTO transition VALUES (0, 1, 'x')",
	    "transition: the life cycle is fixed" },
	{ "update", NULL, "UPDATE transition SET to_state = 0 WHERE from_state = 1",
	    "transition: the life cycle is fixed" },
	{ "delete", NULL, "DELETE FROM transition", "transition: the life cycle is fixed" },
	/* The certificate's own CHECK stands behind the event's trigger. */
	{ "state 3", CHANGED("revoke", "3", "0", "2", "4"), CHANGE("3", "3", "4"),
	    "not in the transition table" },
	{ "hold needs reason 6", "DROP TRIGGER event_order;" CHANGED("hold", "3", "0", "1", "4"),
	    CHANGE("3", "1", "4"), "CHECK" },
	{ "revoke with reason 6", "DROP TRIGGER event_order;" CHANGED("revoke", "3", "0", "2", "6"),
	    CHANGE("3", "2", "6"), "CHECK" },
	{ "revoke with reason 7", "DROP TRIGGER event_order;" CHANGED("revoke", "3", "0", "2", "7"),
	    CHANGE("3", "2", "7"), "CHECK" },
	{ "revoke with reason 8", "DROP TRIGGER event_order;" CHANGED("revoke", "3", "0", "2", "8"),
	    CHANGE("3", "2", "8"), "CHECK" },
	{ "revoke without reason",
	    "DROP TRIGGER event_order;" CHANGED("revoke", "3", "0", "2", "NULL"),
	    CHANGE("3", "2", "NULL"), "CHECK" },
	{ "invalid since after the change",
	    "DROP TRIGGER event_order; INSERT INTO event (id, time, actor, action, ca, "
	    "certificate, "
	    "from_state, "
	    "to_state, "
	    "reason, invalid_since) VALUES (" NEXT ", 100, -1, 'revoke', 2, 3, 0, 2, 1, 101);",
	    "UPDATE certificate SET state = 2, reason = 1, changed = 100, invalid_since = "
	    "101, "
	    "event = " NEWEST " WHERE id = 3",
	    "CHECK" },
	{ "invalid since at the change",
	    "INSERT INTO event (id, time, actor, action, ca, certificate, from_state, "
	    "to_state, "
	    "reason, invalid_since) VALUES (" NEXT ", 100, -1, 'revoke', 2, 3, 0, 2, 1, 100);",
	    "UPDATE certificate SET state = 2, reason = 1, changed = 100, invalid_since = "
	    "100, "
	    "event = " NEWEST " WHERE id = 3",
	    NULL },
	{ "reason of a revoked one", NULL, "UPDATE certificate SET reason = 4 WHERE id = 5",
	    "not in the transition table" },
	{ "time of a revoked one", NULL, "UPDATE certificate SET changed = 1 WHERE id = 5",
	    "not in the transition table" },
};

static void
test_transition_table(void)
{
	SCHEMA_CASES(transition_table_cases);
}

/* ---- issued rows stay ---- */

static const struct schema_case issued_cases[] = {
#define EDIT(what, value)                                                                          \
	{                                                                                          \
		what, CHANGED("hold", "3", "0", "1", "6"),                                         \
		    "UPDATE certificate SET " what " = " value ", state = 1, reason = 6, "         \
		    "event = " NEWEST " WHERE id = 3",                                             \
		    "what was issued is never changed"                                             \
	}
	EDIT("id", "99"),
	EDIT("ca", "1"),
	EDIT("serial", "X'0303'"),
	EDIT("profile", "1"),
	EDIT("holder", "4"),
	EDIT("use", "2"),
	EDIT("key_hash", KEY("13")),
	EDIT("not_before", "99"),
	EDIT("not_after", "1001"),
	EDIT("replaces", "4"),
#undef EDIT
	{ "delete", NULL, "DELETE FROM certificate WHERE id = 5", "is never deleted" },
	{ "delete all", NULL, "DELETE FROM certificate", "is never deleted" },
	{ "replace by id", DER("7") ISSUED("7", "2", "7", "0", "NULL", "100"),
	    CERT("INSERT OR REPLACE", "5", "2", "05", "3", "5", "1", KEY("05"), "NULL", "0", "NULL",
		NEWEST),
	    "number is not the next one" },
	{ "replace by serial", DER("7") ISSUED("7", "2", "7", "0", "NULL", "100"),
	    CERT("INSERT OR REPLACE", "7", "2", "05", "3", "7", "1", KEY("07"), "NULL", "0", "NULL",
		NEWEST),
	    "serial is taken" },
	{ "upsert", DER("7") ISSUED("7", "2", "7", "0", "NULL", "100"),
	    "INSERT INTO certificate SELECT * FROM certificate WHERE id = 5 "
	    "ON CONFLICT DO UPDATE SET state = 0, reason = NULL",
	    "number is not the next one" },
	{ "update or replace", NULL,
	    "UPDATE OR REPLACE certificate SET serial = X'04' WHERE id = 3",
	    "what was issued is never changed" },
	{ "update or replace id", NULL, "UPDATE OR REPLACE certificate SET id = 5 WHERE id = 3",
	    "what was issued is never changed" },
	{ "update or ignore state", NULL,
	    "UPDATE OR IGNORE certificate SET state = 0, reason = NULL WHERE id = 5",
	    "not in the transition table" },
	{ "der edit", NULL, "UPDATE certificate_der SET der = X'3001' WHERE certificate = 3",
	    "issued bytes are never changed" },
	{ "der move", NULL,
	    "UPDATE OR REPLACE certificate_der SET certificate = 3 WHERE certificate = 4",
	    "issued bytes are never changed" },
	{ "der delete", NULL, "DELETE FROM certificate_der", "bytes are never deleted" },
	{ "der replace", NULL, "INSERT OR REPLACE INTO certificate_der VALUES (3, X'3001')",
	    "issued bytes are never changed" },
	{ "holder edit", NULL, "UPDATE holder SET hw_type = '1.2.4' WHERE id = 3",
	    "holder: identity is never changed" },
	{ "holder replace", NULL,
	    "INSERT OR REPLACE INTO holder (kind, name, hw_type) "
	    "VALUES (1, X'0000000000000001', '9.9')",
	    "holder: identity is never changed" },
	{ "holder replace id", NULL,
	    "INSERT OR REPLACE INTO holder VALUES (3, 1, X'0000000000000009', '9.9')",
	    "holder: identity is never changed" },
	{ "holder update or replace", NULL,
	    "UPDATE OR REPLACE holder SET name = X'0000000000000001' WHERE id = 4",
	    "holder: identity is never changed" },
	{ "holder delete", NULL, "DELETE FROM holder WHERE id = 7", "is never deleted" },
	{ "holder id 0", NULL, "INSERT INTO holder VALUES (0, 3, X'78', '')", "CHECK" },
	{ "holder EUI of 7", NULL,
	    "INSERT INTO holder (kind, name, hw_type) VALUES (1, X'01', '1.2')", "CHECK" },
	{ "device without hwType", NULL,
	    "INSERT INTO holder (kind, name) VALUES (1, X'0000000000000009')", "CHECK" },
	{ "service with hwType", NULL,
	    "INSERT INTO holder (kind, name, hw_type) VALUES (3, X'78', '1.2')", "CHECK" },
	{ "profile edit", NULL, "UPDATE profile SET name = 'x' WHERE id = 3",
	    "profile: a name in use is never changed" },
	{ "profile replace", NULL, "INSERT OR REPLACE INTO profile VALUES (3, 'x')",
	    "profile: a name in use is never changed" },
	{ "profile replace name", NULL, "INSERT OR REPLACE INTO profile VALUES (9, 'ocsp')",
	    "profile: a name in use is never changed" },
	{ "profile delete", NULL, "DELETE FROM profile", "is never deleted" },
	{ "wrong type", NULL, "UPDATE certificate SET serial = 'text' WHERE id = 3",
	    "cannot store TEXT" },
};

static void
test_issued(void)
{
	SCHEMA_CASES(issued_cases);
}

/* What a complete CRL shows of a row stands in the index: the table is not read. */
static void
test_listed_index(void)
{
	sqlite3 *db = schema_open(true);
	sqlite3_stmt *stmt = NULL;

	CHECK(sqlite3_prepare_v2(db,
		  "EXPLAIN QUERY PLAN SELECT serial, reason, changed, invalid_since "
		  "FROM certificate WHERE ca = 2 AND state <> 0 ORDER BY event",
		  -1, &stmt, NULL) == SQLITE_OK);
	CHECK(sqlite3_step(stmt) == SQLITE_ROW);
	CHECK(strstr((const char *)sqlite3_column_text(stmt, 3),
		  "USING COVERING INDEX certificate_listed") != NULL);
	CHECK(sqlite3_step(stmt) == SQLITE_DONE);
	sqlite3_finalize(stmt);
	sqlite3_close(db);
}

static const struct test_case cases_[] = {
	{ "state x action x event", test_matrix },
	{ "transitions", test_transition_table },
	{ "issued rows stay", test_issued },
	{ "index of lists", test_listed_index },
};

TEST_MAIN("schema", cases_)
