/*
 * Ways round the schema's rules that a stranger with a connection of his own might try: no foreign
 * keys, no checks, handles that fire no triggers, rows that others point at before they are there.
 */
#include "schema_db.h"

/* ---- rows that point nowhere ---- */

#define ISSUE_AS(ca, profile, holder)                                                              \
	DER("7")                                                                                   \
	ISSUED("7", ca, holder, "0", "NULL", "100")                                                \
	CERT("INSERT", "7", ca, "07", profile, holder, "1", KEY("07"), "NULL", "0", "NULL", NEWEST)
#define UNRECORDED "certificate: its CA, profile or holder is not recorded"

/* Only where foreign_keys is off: with it, some fail earlier. */
static const struct schema_case ghost_cases[] = {
	{ "CA", NULL, ISSUE_AS("99", "3", "7"), UNRECORDED },
	{ "profile", NULL, ISSUE_AS("2", "99", "7"), UNRECORDED },
	{ "holder, to become a device later", NULL, ISSUE_AS("2", "3", "99"), UNRECORDED },
	{ "CRL of no CA", NULL, "INSERT INTO crl (ca, number, taken) VALUES (99, 1, 100)",
	    "crl: its CA is not recorded" },
	{ "CRL of no event",
	    "INSERT INTO crl (ca, number, taken) VALUES (1, 1, 100);"
	    "INSERT INTO event (id, time, actor, action, ca) VALUES (" NEXT ", 100, -1, 'crl', 1);",
	    "UPDATE crl SET event = -7, this_update = 100, next_update = 200, entries = 0, "
	    "size = 9, sha256 = zeroblob(32) WHERE ca = 1",
	    "crl: has no event of its own" },
	{ "bytes of a later certificate", NULL, "INSERT INTO certificate_der VALUES (8, X'3000')",
	    "bytes are not those of the next one" },
	{ "tally row again", NULL, "INSERT OR REPLACE INTO tally VALUES (2, 0, 0)",
	    "tally: its rows come with the CA" },
	{ "tally row of another state", NULL, "UPDATE tally SET state = 7 WHERE ca = 2",
	    "tally: its rows come with the CA" },
	{ "tally row moved", NULL, "UPDATE tally SET ca = 99 WHERE ca = 2",
	    "tally: its rows come with the CA" },
};

static void
test_ghosts(void)
{
	sqlite3 *db = schema_open(false);

	for (size_t i = 0; i < sizeof ghost_cases / sizeof ghost_cases[0]; i++)
		schema_try(db, &ghost_cases[i]);
	sqlite3_close(db);
}

/* ---- one issuer under two names ---- */

static const struct schema_case twin_cases[] = {
	{ "the same certificate", "INSERT INTO ca (id, name, parent) VALUES (3, 'twin', 1);",
	    "UPDATE ca SET certificate = 2 WHERE id = 3", "ca: its key is that of another CA" },
	{ "another certificate of its key",
	    "INSERT INTO ca (id, name, parent) VALUES (3, 'twin', 1);" ISSUE(
		"7", "1", "07", "2", "2", "3", KEY("02"), "NULL"),
	    "UPDATE ca SET certificate = 7 WHERE id = 3", "ca: its key is that of another CA" },
	{ "a key of its own",
	    "INSERT INTO ca (id, name, parent) VALUES (3, 'twin', 1);" ISSUE(
		"7", "1", "07", "2", "2", "3", KEY("07"), "NULL"),
	    "UPDATE ca SET certificate = 7 WHERE id = 3", NULL },
};

static void
test_twins(void)
{
	SCHEMA_CASES(twin_cases);
}

/* ---- events that say what cannot be ---- */

#define MISFIT "event: reason or date do not go with the state"
#define REVOKED(since)                                                                             \
	"INSERT INTO event (id, time, actor, action, ca, certificate, from_state, to_state, "      \
	"reason, "                                                                                 \
	"invalid_since) VALUES (" NEXT ", 100, -1, 'revoke', 2, 3, 0, 2, 1, " since ");"

static const struct schema_case event_cases[] = {
	{ "hold with reason 4", NULL, CHANGED("hold", "3", "0", "1", "4"), MISFIT },
	{ "hold without reason", NULL, CHANGED("hold", "3", "0", "1", "NULL"), MISFIT },
	{ "reactivate with reason 6", NULL, CHANGED("reactivate", "4", "1", "0", "6"), MISFIT },
	{ "revoke without reason", NULL, CHANGED("revoke", "3", "0", "2", "NULL"), MISFIT },
	{ "revoke with reason 6", NULL, CHANGED("revoke", "3", "0", "2", "6"), MISFIT },
	{ "revoke with reason 11", NULL, CHANGED("revoke", "3", "0", "2", "11"), MISFIT },
	{ "invalid since 1970", NULL, REVOKED("1"), NULL },
	{ "invalid since before 1970", NULL, REVOKED("-1"), MISFIT },
	{ "invalid since later", NULL, REVOKED("101"), MISFIT },
	{ "issue with a reason", DER("7"), ISSUED("7", "2", "7", "0", "1", "100"), MISFIT },
	{ "issue with a date", DER("7"),
	    "INSERT INTO event (id, time, actor, action, ca, certificate, holder, to_state, "
	    "invalid_since) VALUES (" NEXT ", 100, -1, 'issue', 2, 7, 7, 0, 50)",
	    MISFIT },
	{ "hold with a date", NULL,
	    "INSERT INTO event (id, time, actor, action, ca, certificate, from_state, to_state, "
	    "reason, invalid_since) VALUES (" NEXT ", 100, -1, 'hold', 2, 3, 0, 1, 6, 50)",
	    MISFIT },
	{ "state of another CA's", NULL,
	    "INSERT INTO event (id, time, actor, action, ca, certificate, from_state, to_state, "
	    "reason) VALUES (" NEXT ", 100, -1, 'hold', 1, 3, 0, 1, 6)",
	    "does not begin at the state its certificate has" },
	{ "issue on hold without reason", DER("7"), ISSUED("7", "2", "7", "1", "NULL", "100"),
	    MISFIT },
	{ "state of another holder's", NULL,
	    "INSERT INTO event (id, time, actor, action, ca, certificate, holder, from_state, "
	    "to_state, reason) VALUES (" NEXT ", 100, -1, 'hold', 2, 3, 4, 0, 1, 6)",
	    "does not begin at the state its certificate has" },
	{ "last second of 9999", NULL,
	    "INSERT INTO event (id, time, actor, action) VALUES (" NEXT
	    ", 253402300799, -1, 'init')",
	    NULL },
	{ "year 10000", NULL,
	    "INSERT INTO event (id, time, actor, action) VALUES (" NEXT
	    ", 253402300800, -1, 'init')",
	    "event: time is not one of the years 1970 to 9999" },
	{ "year 1969", NULL,
	    "INSERT INTO event (id, time, actor, action) VALUES (" NEXT ", -1, 0, 'clock-accept')",
	    "event: time is not one of the years 1970 to 9999" },
	{ "clock accepted by the service", NULL, EVENT("clock-accept"),
	    "event: the service does not accept its own clock" },
};

static void
test_events(void)
{
	SCHEMA_CASES(event_cases);
}

/* ---- what is above and beside ---- */

static const struct schema_case around_cases[] = {
	{ "root revoked",
	    "INSERT INTO event (id, time, actor, action, ca, certificate, from_state, to_state, "
	    "reason) VALUES (" NEXT ", 100, -1, 'revoke', 1, 1, 0, 2, 2);",
	    ISSUE_AS("2", "3", "7"), "ca: is not valid, it issues nothing" },
	{ "responder revoked", CHANGED("revoke", "6", "0", "2", "4"),
	    "INSERT OR REPLACE INTO responder VALUES (2, 6)", "responder: is no OCSP certificate" },
	{ "responder deleted", NULL, "DELETE FROM responder", "responder: is never deleted" },
	/* A wrong tally stands in nobody's way. */
	{ "tally wrong", "UPDATE tally SET n = 0;", CHANGED("revoke", "3", "0", "2", "4"), NULL },
};

static void
test_around(void)
{
	SCHEMA_CASES(around_cases);
}

/* ---- settings of the connection ---- */

static void
test_settings(void)
{
	static const char revoke[] = CHANGED("revoke", "3", "0", "2", "77");
	static const char shadow[] = "CREATE TEMP TABLE transition (from_state, to_state, action);"
				     "INSERT INTO temp.transition VALUES (2, 0, 'reactivate');";
	static const char again[] = CHANGED("reactivate", "5", "2", "0", "NULL");
	/* All that an issue event has, by another name. */
	static const char other[] = DER(
	    "7") "INSERT INTO event (id, time, actor, action, ca, certificate, holder, "
		 "to_state) VALUES (" NEXT ", 100, -1, 'init', 2, 7, 7, 0);" CERT("INSERT", "7",
		     "2", "07", "3", "7", "1", KEY("07"), "NULL", "0", "NULL", NEWEST);
	sqlite3 *db = schema_open(false);
	char *msg = NULL;

	/* The stage works: without the trigger the pragma lets the reason in. */
	CHECK(sqlite3_exec(db, "PRAGMA ignore_check_constraints = ON", NULL, NULL, NULL) ==
	      SQLITE_OK);
	CHECK(sqlite3_exec(db, revoke, NULL, NULL, &msg) == SQLITE_CONSTRAINT);
	CHECK(msg != NULL && strstr(msg, MISFIT) != NULL);
	sqlite3_free(msg);
	msg = NULL;
	CHECK(sqlite3_exec(db, other, NULL, NULL, &msg) == SQLITE_CONSTRAINT);
	CHECK(msg != NULL && strstr(msg, "event: states do not go with the action") != NULL);
	sqlite3_free(msg);
	msg = NULL;
	CHECK(sqlite3_exec(db, shadow, NULL, NULL, NULL) == SQLITE_OK);
	CHECK(sqlite3_exec(db, again, NULL, NULL, &msg) == SQLITE_CONSTRAINT);
	CHECK(msg != NULL && strstr(msg, "not in the transition table") != NULL);
	sqlite3_free(msg);
	CU_ASSERT_EQUAL(schema_int(db, "SELECT count(*) FROM certificate_now WHERE state = 2"), 1);
	sqlite3_close(db);
}

/* sqlite3_blob_write() fires no trigger. */
static void
test_blobs(void)
{
	static const struct {
		const char *table, *column;
		int row;
	} columns[] = {
		{ "certificate_der", "der", 3 },
		{ "certificate", "serial", 3 },
		{ "certificate", "key_hash", 3 },
		{ "event", "detail", 1 },
		{ "event", "action", 1 },
		{ "holder", "name", 3 },
		{ "holder", "hw_type", 3 },
		{ "profile", "name", 3 },
		{ "ca", "name", 1 },
		{ "blocked_key", "key_hash", 1 },
		{ "crl", "sha256", 1 },
		{ "event_action", "name", 1 },
		{ "transition", "action", 1 },
		{ "setting", "name", 1 },
		{ "listed", "serial", 1 },
	};
	sqlite3 *db = schema_open(false);
	sqlite3_blob *blob = NULL;

	CHECK(sqlite3_blob_open(db, "main", "certificate_der", "der", 3, 0, &blob) == SQLITE_OK);
	sqlite3_blob_close(blob);
	for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
		blob = NULL;
		CHECK_ROW(columns[i].column,
		    sqlite3_blob_open(db, "main", columns[i].table, columns[i].column,
			columns[i].row, 1, &blob) != SQLITE_OK);
		sqlite3_blob_close(blob);
	}
	/* The indexes that see to it hold nothing and change no answer. */
	CU_ASSERT_EQUAL(schema_int(db, "SELECT count(der) FROM certificate_der"), 6);
	CU_ASSERT_EQUAL(schema_int(db, "SELECT count(*) FROM event WHERE detail = ''"),
	    schema_int(db, "SELECT count(*) FROM event"));
	sqlite3_close(db);
}

static const struct test_case cases_[] = {
	{ "rows that point nowhere", test_ghosts },
	{ "one issuer under two names", test_twins },
	{ "events that cannot be", test_events },
	{ "above and beside", test_around },
	{ "settings of the connection", test_settings },
	{ "blob handles", test_blobs },
};

TEST_MAIN("schema_guard", cases_)
