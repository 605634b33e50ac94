/*
 * The life cycle and the permanence of issued rows as the schema by itself enforces them: tried
 * directly in SQL, through a connection that knows nothing of the store.
 */
#include "schema_db.h"

/* ---- the life cycle ---- */

/* How the event of a change is wrong. */
enum matrix_event {
	EVENT_RIGHT,
	EVENT_OF_NONE, /* there is no such certificate */
	EVENT_OTHER_CA,
	EVENT_OTHER_ACTION,
	EVENT_OTHER_FROM,
	EVENT_OTHER_TO,
	EVENT_OTHER_REASON, /* one that does not go with the state */
	EVENT_OTHER_DATE,
	EVENT_TWICE,
	EVENT_KINDS,
};

static const char *const matrix_name[EVENT_KINDS] = { "right", "of none", "other ca",
	"other action", "other from", "other to", "other reason", "other date", "twice" };

static const char *
matrix_action(int to)
{
	return to == 0 ? "reactivate" : to == 1 ? "hold" : "revoke";
}

static int
matrix_event_put(sqlite3 *db, int from, int to, enum matrix_event kind)
{
	const char *reason = to == 0 ? "NULL" : to == 1 ? "6" : "4";
	char *sql;
	int rc;

	if (kind == EVENT_OTHER_REASON)
		reason = to == 1 ? "NULL" : "6";
	sql = sqlite3_mprintf("INSERT INTO event (id, time, actor, action, ca, certificate, "
			      "from_state, to_state, reason, "
			      "invalid_since) VALUES (" NEXT
			      ", 100, -1, '%s', %d, %d, %d, %d, %s, %s)",
	    matrix_action(kind == EVENT_OTHER_ACTION ? (to + 1) % 3 : to),
	    kind == EVENT_OTHER_CA ? 1 : 2, kind == EVENT_OF_NONE ? 99 : 3 + from,
	    kind == EVENT_OTHER_FROM ? (from + 1) % 3 : from,
	    kind == EVENT_OTHER_TO ? (to + 1) % 3 : to, reason,
	    kind == EVENT_OTHER_DATE ? "101" : "NULL");
	rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
	if (rc == SQLITE_OK && kind == EVENT_TWICE)
		rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
	sqlite3_free(sql);
	return rc;
}

/* What follows from a change, and what does not. */
static void
matrix_followed(sqlite3 *db, const char *row, int from, int to)
{
	char sql[256];

	snprintf(sql, sizeof sql,
	    "SELECT state FROM certificate_now WHERE id = %d AND event = " NEWEST, 3 + from);
	CHECK_ROW(row, schema_int(db, sql) == to);
	snprintf(sql, sizeof sql,
	    "SELECT count(*) FROM certificate WHERE id = %d AND issued_state = 0 "
	    "AND issue_event < " NEWEST,
	    3 + from);
	CHECK_ROW(row, schema_int(db, sql) == 1);
	snprintf(sql, sizeof sql,
	    "SELECT count(*) FROM listed l JOIN certificate_now c ON c.id = l.certificate "
	    "WHERE c.id = %d AND l.event = c.event AND l.state = c.state",
	    3 + from);
	CHECK_ROW(row, schema_int(db, sql) == (to != 0));
	snprintf(sql, sizeof sql, "SELECT count(*) FROM listed WHERE certificate = %d", 3 + from);
	CHECK_ROW(row, schema_int(db, sql) == (to != 0));
	CHECK_ROW(row,
	    schema_int(db,
		"SELECT count(*) FROM tally t WHERE n <> (SELECT count(*) FROM certificate_now c "
		"WHERE c.ca = t.ca AND c.state = t.state)") == 0);
}

/* Certificates 3, 4, 5 are in states 0, 1, 2. noted: an event about the certificate that is no
 * change stands before. */
static void
matrix_try(sqlite3 *db, int from, int to, enum matrix_event kind, bool noted)
{
	bool legal = kind == EVENT_RIGHT && ((from == 0 && to == 1) || (from == 1 && to == 0) ||
						(from == 0 && to == 2) || (from == 1 && to == 2));
	char row[64], sql[256];
	int rc;

	snprintf(row, sizeof row, "%d to %d, event %s%s", from, to, matrix_name[kind],
	    noted ? ", noted" : "");
	sqlite3_exec(db, "SAVEPOINT m", NULL, NULL, NULL);
	snprintf(sql, sizeof sql,
	    "INSERT INTO event (id, time, actor, action, ca, certificate) "
	    "VALUES (" NEXT ", 100, -1, 'key-blocked', 2, %d)",
	    3 + from);
	CHECK_ROW(row, !noted || sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK);
	rc = matrix_event_put(db, from, to, kind);
	CHECK_ROW(row, rc == (legal ? SQLITE_OK : SQLITE_CONSTRAINT));
	if (legal)
		matrix_followed(db, row, from, to);
	sqlite3_exec(db, "ROLLBACK TO m; RELEASE m", NULL, NULL, NULL);
}

static void
test_matrix(void)
{
	for (int strict = 0; strict < 2; strict++) {
		sqlite3 *db = schema_open(strict);

		sqlite3_exec(db, "BEGIN", NULL, NULL, NULL);
		for (int from = 0; from < 3; from++)
			for (int to = 0; to < 3; to++)
				for (int kind = 0; kind < 2 * EVENT_KINDS; kind++)
					matrix_try(db, from, to, (enum matrix_event)(kind / 2),
					    kind % 2 != 0);
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
	{ "state 3", NULL, CHANGED("revoke", "3", "0", "3", "4"), "not in the transition table" },
	{ "revoke again", NULL, CHANGED("revoke", "5", "2", "2", "4"),
	    "not in the transition table" },
	/* The row's own CHECK stands behind the trigger. */
	{ "to state 3", "DROP TRIGGER event_order;", CHANGED("revoke", "3", "0", "3", "4"),
	    "CHECK" },
	{ "hold needs reason 6", "DROP TRIGGER event_order;", CHANGED("hold", "3", "0", "1", "4"),
	    "CHECK" },
	{ "reactivate with reason 6", "DROP TRIGGER event_order;",
	    CHANGED("reactivate", "4", "1", "0", "6"), "CHECK" },
	{ "revoke with reason 6", "DROP TRIGGER event_order;",
	    CHANGED("revoke", "3", "0", "2", "6"), "CHECK" },
	{ "revoke with reason 7", "DROP TRIGGER event_order;",
	    CHANGED("revoke", "3", "0", "2", "7"), "CHECK" },
	{ "revoke with reason 8", "DROP TRIGGER event_order;",
	    CHANGED("revoke", "3", "0", "2", "8"), "CHECK" },
	{ "revoke with reason 11", "DROP TRIGGER event_order;",
	    CHANGED("revoke", "3", "0", "2", "11"), "CHECK" },
	{ "revoke without reason", "DROP TRIGGER event_order;",
	    CHANGED("revoke", "3", "0", "2", "NULL"), "CHECK" },
	{ "revoke with reason 10", "DROP TRIGGER event_order;",
	    CHANGED("revoke", "3", "0", "2", "10"), NULL },
#define SINCE(action, to, reason, since)                                                           \
	"INSERT INTO event (id, time, actor, action, ca, certificate, from_state, to_state, "      \
	"reason, invalid_since) VALUES (" NEXT ", 100, -1, '" action "', 2, 3, 0, " to ", " reason \
	", " since ")"
	{ "invalid since after the change", "DROP TRIGGER event_order;",
	    SINCE("revoke", "2", "1", "101"), "CHECK" },
	{ "hold with a date", "DROP TRIGGER event_order;", SINCE("hold", "1", "6", "50"), "CHECK" },
	{ "invalid since at the change", NULL, SINCE("revoke", "2", "1", "100"), NULL },
#undef SINCE
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
		    "UPDATE certificate SET " what " = " value " WHERE id = 3",                    \
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
	EDIT("issued_state", "1"),
	EDIT("issued_reason", "6"),
	EDIT("issued", "1"),
	EDIT("invalid_since", "1"),
	EDIT("issue_event", NEWEST),
	EDIT("shard", "0"),
	EDIT("id", "id"),
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
	    "ON CONFLICT DO UPDATE SET issued_state = 0, issued_reason = NULL",
	    "number is not the next one" },
	{ "update or replace", NULL,
	    "UPDATE OR REPLACE certificate SET serial = X'04' WHERE id = 3",
	    "what was issued is never changed" },
	{ "update or replace id", NULL, "UPDATE OR REPLACE certificate SET id = 5 WHERE id = 3",
	    "what was issued is never changed" },
	{ "update or ignore state", NULL,
	    "UPDATE OR IGNORE certificate SET issued_state = 1, issued_reason = 6 WHERE id = 5",
	    "what was issued is never changed" },
	{ "state in the view", NULL, "UPDATE certificate_now SET state = 0 WHERE id = 5",
	    "it is a view" },
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
	{ "holder moved to another device", NULL, "UPDATE holder SET device = 2 WHERE id = 3",
	    "holder: identity is never changed" },
	{ "holder replace", NULL,
	    "INSERT OR REPLACE INTO holder (kind, name, hw_type, device) "
	    "VALUES (1, X'0000000000000001', '9.9', 1)",
	    "holder: identity is never changed" },
	{ "holder replace id", NULL,
	    "INSERT OR REPLACE INTO holder VALUES (3, 1, X'0000000000000009', '9.9', 1)",
	    "holder: identity is never changed" },
	{ "holder update or replace", NULL,
	    "UPDATE OR REPLACE holder SET name = X'0000000000000001' WHERE id = 4",
	    "holder: identity is never changed" },
	{ "holder delete", NULL, "DELETE FROM holder WHERE id = 7", "is never deleted" },
	{ "holder id 0", NULL, "INSERT INTO holder VALUES (0, 3, X'78', '', NULL)", "CHECK" },
	{ "holder of a service replace", NULL,
	    "INSERT OR REPLACE INTO holder (kind, name) VALUES (3, X'6f')",
	    "holder: identity is never changed" },
	{ "holder EUI of 7", NULL, "INSERT INTO holder (kind, name) VALUES (2, X'01020304050607')",
	    "CHECK" },
	{ "device without hwType", DEVICE("6", "0000000000000009"),
	    "INSERT INTO holder (kind, name, device) VALUES (1, X'0000000000000009', 6)", "CHECK" },
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

/* ---- what is not valid now ---- */

#define LISTED(verb, ca, event, id, serial, state, reason, changed, since, shard)                  \
	verb " INTO listed VALUES (" ca ", " event ", " id ", X'" serial "', " state ", " reason   \
	     ", " changed ", " since ", " shard ")"
#define OF4 "(SELECT event FROM certificate_now WHERE id = 4)"
/* Taken away behind the trigger's back, for the cases that put it in again. */
#define GONE "DROP TRIGGER listed_delete; DELETE FROM listed WHERE certificate = 4;"

static const struct schema_case listed_cases[] = {
	{ "right", GONE, LISTED("INSERT", "2", OF4, "4", "04", "1", "6", "100", "NULL", "NULL"),
	    NULL },
#define WRONG(name, ca, event, id, serial, state, reason, changed, since, shard)                   \
	{                                                                                          \
		name, GONE,                                                                        \
		    LISTED("INSERT OR REPLACE", ca, event, id, serial, state, reason, changed,     \
			since, shard),                                                             \
		    "listed: is not what its certificate is now"                                   \
	}
	WRONG("other CA", "1", OF4, "4", "04", "1", "6", "100", "NULL", "NULL"),
	WRONG("other event", "2", OF4 " - 1", "4", "04", "1", "6", "100", "NULL", "NULL"),
	WRONG("other certificate", "2", OF4, "5", "04", "1", "6", "100", "NULL", "NULL"),
	WRONG("other serial", "2", OF4, "4", "05", "1", "6", "100", "NULL", "NULL"),
	WRONG("other state", "2", OF4, "4", "04", "2", "6", "100", "NULL", "NULL"),
	WRONG("other reason", "2", OF4, "4", "04", "1", "4", "100", "NULL", "NULL"),
	WRONG("other time", "2", OF4, "4", "04", "1", "6", "99", "NULL", "NULL"),
	WRONG("with a date", "2", OF4, "4", "04", "1", "6", "100", "50", "NULL"),
	WRONG("of a shard", "2", OF4, "4", "04", "1", "6", "100", "NULL", "0"),
	WRONG("valid", "2", "(SELECT event FROM certificate_now WHERE id = 3)", "3", "03", "0", "0",
	    "100", "NULL", "NULL"),
#undef WRONG
	{ "edit", NULL, "UPDATE listed SET reason = 1", "listed: is never changed" },
	{ "edit that changes nothing", NULL, "UPDATE OR IGNORE listed SET reason = reason",
	    "listed: is never changed" },
	{ "delete", NULL, "DELETE FROM listed WHERE certificate = 5",
	    "listed: its certificate is still what it says" },
	{ "delete of what is of the past",
	    GONE LISTED("INSERT", "2", OF4, "4", "04", "1", "6", "100", "NULL",
		"NULL") ";"
			"DROP TRIGGER event_unlists;" CHANGED("reactivate", "4", "1", "0", "NULL"),
	    "DELETE FROM listed WHERE certificate = 4", NULL },
};

static void
test_listed(void)
{
	SCHEMA_CASES(listed_cases);
}

/* ---- ways to the rows ---- */

/* No table is read from end to end for one row or for a list's part; a complete CRL reads one. */
static void
test_plans(void)
{
	static const char *const asked[] = {
		"SELECT state, reason, changed FROM certificate_now WHERE ca = 2 AND serial = "
		"X'03'",
		"SELECT state FROM certificate_now WHERE id = 3",
		"SELECT state FROM certificate_now WHERE substr(key_hash, 1, 8) = zeroblob(8)",
		"SELECT state FROM holder h CROSS JOIN certificate_now c ON c.holder = h.id "
		"WHERE h.id = 3",
		"SELECT serial, reason, changed, invalid_since FROM listed WHERE ca = 2 "
		"ORDER BY event",
		"SELECT serial FROM listed INDEXED BY listed_state WHERE state = 1 AND event > 5 "
		"ORDER BY event",
		"SELECT serial FROM listed INDEXED BY listed_shard WHERE ca = 2 AND shard = 0 "
		"ORDER BY certificate",
	};
	sqlite3 *db = schema_open(true);
	sqlite3_stmt *stmt = NULL;

	for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
		char *sql = sqlite3_mprintf("EXPLAIN QUERY PLAN %s", asked[i]);
		int rows = 0;

		CHECK(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK);
		for (; sqlite3_step(stmt) == SQLITE_ROW; rows++) {
			const char *step = (const char *)sqlite3_column_text(stmt, 3);

			CHECK_ROW(asked[i], strstr(step, "SCAN") == NULL);
			CHECK_ROW(asked[i], strstr(step, "TEMP B-TREE") == NULL);
		}
		CHECK_ROW(asked[i], rows > 0);
		sqlite3_finalize(stmt);
		sqlite3_free(sql);
	}
	sqlite3_close(db);
}

static const struct test_case cases_[] = {
	{ "state x action x event", test_matrix },
	{ "transitions", test_transition_table },
	{ "issued rows stay", test_issued },
	{ "what is not valid now", test_listed },
	{ "ways to the rows", test_plans },
};

TEST_MAIN("schema", cases_)
