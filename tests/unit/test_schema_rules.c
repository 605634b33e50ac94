/*
 * The other rules that the schema by itself enforces (issuing, events, CRL numbers, CAs): tried
 * directly in SQL, through a connection that knows nothing of the store.
 */
#include "schema_db.h"

/* ---- what may be issued ---- */

#define ISSUE7 DER("7") ISSUED("7", "2", "7", "0", "NULL", "100")
#define CERT7(serial, holder, use, key, replaces)                                                  \
	CERT("INSERT", "7", "2", serial, "3", holder, use, key, replaces, "0", "NULL", NEWEST)

static const struct schema_case issue_cases[] = {
	{ "right", ISSUE7, CERT7("07", "7", "1", KEY("07"), "NULL"), NULL },
	{ "right on hold", DER("7") ISSUED("7", "2", "7", "1", "6", "100"),
	    CERT("INSERT", "7", "2", "07", "3", "7", "1", KEY("07"), "NULL", "1", "6", NEWEST),
	    NULL },
	{ "born revoked", DER("7") ISSUED("7", "2", "7", "2", "4", "100"),
	    CERT("INSERT", "7", "2", "07", "3", "7", "1", KEY("07"), "NULL", "2", "4", NEWEST),
	    "is issued valid or on hold only" },
	{ "without bytes", NULL, ISSUED("7", "2", "7", "0", "NULL", "100"),
	    "is recorded without its bytes" },
	{ "empty bytes", NULL, "INSERT INTO certificate_der VALUES (7, X'')", "CHECK" },
	{ "without event", DER("7"), CERT7("07", "7", "1", KEY("07"), "NULL"),
	    "has no issue event of its own" },
	{ "with an older event", DER("7") EVENT("init"),
	    CERT("INSERT", "7", "2", "07", "3", "7", "1", KEY("07"), "NULL", "0", "NULL",
		NEWEST " - 1"),
	    "has no issue event of its own" },
	{ "with an event before its own", ISSUE7,
	    CERT("INSERT", "7", "2", "07", "3", "7", "1", KEY("07"), "NULL", "0", "NULL",
		NEWEST " - 1"),
	    "has no issue event of its own" },
	{ "event of another certificate", DER("7"), ISSUED("8", "2", "7", "0", "NULL", "100"),
	    "is recorded without its bytes" },
	{ "event of another state, of its reason", DER("7") ISSUED("7", "2", "7", "1", "6", "100"),
	    CERT("INSERT", "7", "2", "07", "3", "7", "1", KEY("07"), "NULL", "0", "6", NEWEST),
	    "has no issue event of its own" },
	{ "event of another reason", ISSUE7,
	    CERT("INSERT", "7", "2", "07", "3", "7", "1", KEY("07"), "NULL", "0", "6", NEWEST),
	    "has no issue event of its own" },
	{ "event of another holder", DER("7") ISSUED("7", "2", "8", "0", "NULL", "100"),
	    CERT7("07", "7", "1", KEY("07"), "NULL"), "has no issue event of its own" },
	{ "event of another CA", DER("7") ISSUED("7", "1", "7", "0", "NULL", "100"),
	    CERT7("07", "7", "1", KEY("07"), "NULL"), "has no issue event of its own" },
	{ "event of another time", DER("7") ISSUED("7", "2", "7", "0", "NULL", "101"),
	    CERT7("07", "7", "1", KEY("07"), "NULL"), "has no issue event of its own" },
	{ "event says on hold", DER("7") ISSUED("7", "2", "7", "1", "6", "100"),
	    CERT7("07", "7", "1", KEY("07"), "NULL"), "has no issue event of its own" },
	{ "number skipped", ISSUE7,
	    CERT("INSERT", "8", "2", "07", "3", "7", "1", KEY("07"), "NULL", "0", "NULL", NEWEST),
	    "number is not the next one" },
	{ "number left to SQLite", ISSUE7,
	    CERT(
		"INSERT", "NULL", "2", "07", "3", "7", "1", KEY("07"), "NULL", "0", "NULL", NEWEST),
	    "number is not the next one" },
	{ "second issue event", NULL, ISSUED("3", "2", "3", "0", "NULL", "100"),
	    "its certificate is issued already" },
	{ "second issue event before the row", ISSUE7, ISSUED("7", "2", "7", "0", "NULL", "100"),
	    "the one before it issues what is not recorded" },
	{ "another event before the row", ISSUE7 EVENT("init"),
	    CERT7("07", "7", "1", KEY("07"), "NULL"), "has no issue event of its own" },
	{ "revocation after an issue of nothing", ISSUE7, CHANGED("revoke", "3", "0", "2", "4"),
	    NULL },
	{ "with a date", ISSUE7,
	    "INSERT INTO certificate (id, ca, serial, profile, holder, use, key_hash, not_before, "
	    "not_after, issued_state, issued, invalid_since, issue_event) VALUES (7, 2, X'07', 3, "
	    "7, 1, " KEY("07") ", 100, 1000, 0, 100, 50, " NEWEST ")",
	    "CHECK" },
	{ "serial taken", ISSUE7, CERT7("03", "7", "1", KEY("07"), "NULL"), "serial is taken" },
	{ "serial of another CA", ISSUE7, CERT7("02", "7", "1", KEY("07"), "NULL"), NULL },
	{ "serial empty", ISSUE7, CERT7("", "7", "1", KEY("07"), "NULL"),
	    "serial is no positive INTEGER" },
	{ "serial of 20", ISSUE7,
	    CERT7("0101010101010101010101010101010101010101", "7", "1", KEY("07"), "NULL"), NULL },
	{ "serial of 21", ISSUE7,
	    CERT7("010101010101010101010101010101010101010101", "7", "1", KEY("07"), "NULL"),
	    "serial is no positive INTEGER" },
	{ "serial 0", ISSUE7, CERT7("00", "7", "1", KEY("07"), "NULL"),
	    "serial is no positive INTEGER" },
	{ "serial -1", ISSUE7, CERT7("FF", "7", "1", KEY("07"), "NULL"),
	    "serial is no positive INTEGER" },
	{ "serial 128", ISSUE7, CERT7("0080", "7", "1", KEY("07"), "NULL"), NULL },
	{ "serial taken, in a longer form", ISSUE7, CERT7("0003", "7", "1", KEY("07"), "NULL"),
	    "serial is no positive INTEGER" },
	{ "key of another holder", ISSUE7, CERT7("07", "7", "1", KEY("03"), "NULL"),
	    "key: is certified for another holder or usage" },
	{ "key for another use", DER("7") ISSUED("7", "2", "3", "0", "NULL", "100"),
	    CERT7("07", "3", "2", KEY("03"), "3"),
	    "key: is certified for another holder or usage" },
	{ "only eight octets alike", ISSUE("7", "2", "07", "3", "7", "1", KEY_TAIL("01"), "NULL"),
	    ISSUE("8", "2", "08", "3", "8", "1", KEY_TAIL("02"), "NULL"), NULL },
	{ "eight octets alike, then equal",
	    ISSUE("7", "2", "07", "3", "7", "1", KEY_TAIL("01"), "NULL"),
	    ISSUE("8", "2", "08", "3", "8", "1", KEY_TAIL("01"), "NULL"),
	    "key: is certified for another holder or usage" },
	{ "key revoked as compromised", DER("7") ISSUED("7", "2", "5", "0", "NULL", "100"),
	    CERT7("07", "5", "1", KEY("05"), "NULL"), "key: is blocked as compromised" },
	{ "key revoked for another reason",
	    CHANGED("revoke", "3", "0", "2", "4") DER("7")
		ISSUED("7", "2", "3", "0", "NULL", "100"),
	    CERT7("07", "3", "1", KEY("03"), "NULL"), NULL },
	{ "key blocked",
	    EVENT("key-blocked") "INSERT INTO blocked_key VALUES (" KEY("07") ", " NEWEST
									      ");" ISSUE7,
	    CERT7("07", "7", "1", KEY("07"), "NULL"), "key: is blocked as compromised" },
	{ "device twice", DER("7") ISSUED("7", "2", "3", "0", "NULL", "100"),
	    CERT7("07", "3", "1", KEY("07"), "NULL"),
	    "device: has an unrevoked certificate of this profile" },
	{ "device twice on hold", DER("7") ISSUED("7", "2", "4", "0", "NULL", "100"),
	    CERT7("07", "4", "1", KEY("07"), "NULL"),
	    "device: has an unrevoked certificate of this profile" },
	{ "device of a revoked one", DER("7") ISSUED("7", "2", "5", "0", "NULL", "100"),
	    CERT7("07", "5", "1", KEY("07"), "NULL"), NULL },
	{ "device, other profile", DER("7") ISSUED("7", "2", "3", "0", "NULL", "100"),
	    CERT("INSERT", "7", "2", "07", "4", "3", "2", KEY("07"), "NULL", "0", "NULL", NEWEST),
	    NULL },
/* id, begin, end, recorded at */
#define LIVES(id, from, to, at)                                                                    \
	DER(id)                                                                                    \
	ISSUED(id, "2", "7", "0", "NULL", at)                                                      \
	"INSERT INTO certificate (id, ca, serial, profile, holder, use, key_hash, not_before, "    \
	"not_after, issued_state, issued, issue_event) VALUES (" id ", 2, X'0" id                  \
	"', 3, 7, 1, " KEY("0" id) ", " from ", " to ", 0, " at ", " NEWEST ");"
	{ "device, the former has ended", LIVES("7", "100", "150", "100"),
	    LIVES("8", "151", "900", "151"), NULL },
	{ "device, the former ends now", LIVES("7", "100", "150", "100"),
	    LIVES("8", "150", "900", "150"),
	    "device: has an unrevoked certificate of this profile" },
	{ "device, the former ends as it begins", LIVES("7", "100", "150", "100"),
	    LIVES("8", "150", "900", "151"),
	    "device: has an unrevoked certificate of this profile" },
	{ "device, the former will have ended", LIVES("7", "100", "150", "100"),
	    LIVES("8", "151", "900", "100"),
	    "device: has an unrevoked certificate of this profile" },
	{ "CA, its last second", LIVES("7", "1000", "1000", "1000"), "SELECT 1", NULL },
	{ "CA, ended", NULL, LIVES("7", "1001", "1001", "1001"),
	    "ca: is not valid, it issues nothing" },
#undef LIVES
/* CA 3 below the root, which ends at 1000; and a device's certificate of it */
#define BELOW(after)                                                                               \
	"INSERT INTO ca (id, name, parent) VALUES (3, 'x', 1);" DER("7") ISSUED("7", "1", "2",     \
	    "0", "NULL", "100") "INSERT INTO certificate (id, ca, serial, "                        \
				"profile, holder, use, key_hash, not_before, not_after, "          \
				"issued_state, issued, issue_event) "                              \
				"VALUES (7, 1, X'07', 2, 2, 3, " KEY(                              \
				    "07") ", 100, " after ", 0, 100, " NEWEST ");"                 \
					  "UPDATE ca SET certificate = 7 WHERE id = 3;"
#define OF3(from)                                                                                  \
	DER("8")                                                                                   \
	ISSUED("8", "3", "7", "0", "NULL", "100")                                                  \
	"INSERT INTO certificate (id, ca, "                                                        \
	"serial, profile, holder, use, key_hash, "                                                 \
	"not_before, not_after, issued_state, issued, "                                            \
	"issue_event) VALUES (8, 3, X'08', 3, 7, 1, " KEY("08") ", " from                          \
								", 9000, 0, 100, " NEWEST ");"
	{ "CA of a short life, its last second", BELOW("500"), OF3("500"), NULL },
	{ "CA of a short life, ended", BELOW("500"), OF3("501"),
	    "ca: is not valid, it issues nothing" },
	{ "CA of a long life, the root's last second", BELOW("2000"), OF3("1000"), NULL },
	{ "CA of a long life, the root has ended", BELOW("2000"), OF3("1001"),
	    "ca: is not valid, it issues nothing" },
#undef BELOW
#undef OF3
	{ "device replaces", DER("7") ISSUED("7", "2", "3", "0", "NULL", "100"),
	    CERT7("07", "3", "1", KEY("07"), "3"), NULL },
	{ "replaces another device's", ISSUE7, CERT7("07", "7", "1", KEY("07"), "3"),
	    "replaces one of another holder or profile" },
	{ "replaces another profile's", DER("7") ISSUED("7", "2", "3", "0", "NULL", "100"),
	    CERT("INSERT", "7", "2", "07", "4", "3", "2", KEY("07"), "3", "0", "NULL", NEWEST),
	    "replaces one of another holder or profile" },
	{ "replaces none there is", ISSUE7, CERT7("07", "7", "1", KEY("07"), "77"),
	    "replaces one of another holder or profile" },
	{ "replaces one on hold", DER("7") ISSUED("7", "2", "4", "0", "NULL", "100"),
	    CERT7("07", "4", "1", KEY("07"), "4"),
	    "device: its certificate of this profile is on hold" },
	{ "replaces a revoked one beside a valid one",
	    ISSUE("7", "2", "07", "3", "5", "1", KEY("07"), "5"),
	    ISSUE("8", "2", "08", "3", "5", "1", KEY("08"), "5"),
	    "device: has an unrevoked certificate of this profile" },
	{ "CA on hold",
	    "INSERT INTO event (id, time, actor, action, ca, certificate, from_state, "
	    "to_state, "
	    "reason) VALUES (" NEXT ", 100, -1, 'hold', 1, 2, 0, 1, 6);" ISSUE7,
	    CERT7("07", "7", "1", KEY("07"), "NULL"), "ca: is not valid, it issues nothing" },
};

static void
test_issue(void)
{
	SCHEMA_CASES(issue_cases);
}

/* Up to the limit, replacing each time; then one more. */
static void
test_limit(void)
{
	sqlite3 *db = schema_open(true);
	char *msg = NULL, *sql, before[16] = "NULL";
	int rc = SQLITE_OK, i;

	sqlite3_exec(db, "BEGIN", NULL, NULL, NULL);
	for (i = 0; i < 100 && rc == SQLITE_OK; i++) {
		sql = sqlite3_mprintf(DER("%d") ISSUED("%d", "2", "7", "0", "NULL", "100")
					  CERT("INSERT", "%d", "2", "70%02x", "3", "7", "1",
					      "X'%02x" Z30 "77'", "%s", "0", "NULL", NEWEST),
		    7 + i, 7 + i, 7 + i, i, i, before);
		snprintf(before, sizeof before, "%d", 7 + i);
		rc = sqlite3_exec(db, sql, NULL, NULL, &msg);
		sqlite3_free(sql);
	}
	CU_ASSERT_EQUAL(i, 100);
	CHECK(msg != NULL && strstr(msg, "device: has all the certificates") != NULL);
	CU_ASSERT_EQUAL(schema_int(db, "SELECT count(*) FROM certificate WHERE holder = 7"), 99);
	sqlite3_free(msg);
	sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	sqlite3_close(db);
}

/* ---- events ---- */

static const struct schema_case events_cases[] = {
	{ "next", NULL, EVENT("init"), NULL },
	{ "number given", NULL,
	    "INSERT INTO event (id, time, actor, action) VALUES (" NEWEST " + 1, 100, -1, 'init')",
	    NULL },
	{ "number skipped", NULL,
	    "INSERT INTO event (id, time, actor, action) VALUES (" NEWEST " + 2, 100, -1, 'init')",
	    "event: number is not the next one" },
	{ "number left to SQLite", NULL,
	    "INSERT INTO event (time, actor, action) VALUES (100, -1, 'init')",
	    "event: number is not the next one" },
	{ "number left to SQLite, or replace", NULL,
	    "INSERT OR REPLACE INTO event (id, time, actor, action) "
	    "VALUES (NULL, 100, -1, 'init')",
	    "event: number is not the next one" },
	{ "number -1", NULL,
	    "INSERT INTO event (id, time, actor, action) VALUES (-1, 100, -1, 'init')",
	    "event: number is not the next one" },
	{ "number 0", NULL,
	    "INSERT INTO event (id, time, actor, action) VALUES (0, 100, -1, 'init')",
	    "event: number is not the next one" },
	{ "number -5", NULL,
	    "INSERT INTO event (id, time, actor, action) VALUES (-5, 100, -1, 'init')",
	    "event: number is not the next one" },
	{ "second before", NULL,
	    "INSERT INTO event (id, time, actor, action) VALUES (" NEXT ", 99, -1, 'init')",
	    "event: time is before the event before it" },
	{ "clock accepted", NULL,
	    "INSERT INTO event (id, time, actor, action) VALUES (" NEXT ", 50, 0, 'clock-accept');"
	    "INSERT INTO event (id, time, actor, action) VALUES (" NEXT ", 50, -1, 'init')",
	    NULL },
	{ "before the clock accepted",
	    "INSERT INTO event (id, time, actor, action) VALUES (" NEXT ", 50, 0, 'clock-accept');",
	    "INSERT INTO event (id, time, actor, action) VALUES (" NEXT ", 49, -1, 'init')",
	    "event: time is before the event before it" },
	{ "unknown action", NULL, EVENT("party"), "event: its action has no name here" },
	{ "replace newest", NULL,
	    "INSERT OR REPLACE INTO event (id, time, actor, action) VALUES (" NEWEST
	    ", 100, -1, 'init')",
	    "event: a recorded event is never changed" },
	{ "replace first", NULL,
	    "INSERT OR REPLACE INTO event (id, time, actor, action) VALUES (1, 100, -1, "
	    "'init')",
	    "event: a recorded event is never changed" },
	{ "upsert", NULL,
	    "INSERT INTO event (id, time, actor, action) VALUES (1, 100, -1, 'init') "
	    "ON CONFLICT DO UPDATE SET time = 1",
	    "event: a recorded event is never changed" },
	{ "update", NULL, "UPDATE event SET actor = 0 WHERE id = 1",
	    "event: a recorded event is never changed" },
	{ "update or replace", NULL, "UPDATE OR REPLACE event SET id = 2 WHERE id = 1",
	    "event: a recorded event is never changed" },
	{ "delete", NULL, "DELETE FROM event WHERE id = " NEWEST,
	    "event: a recorded event is never deleted" },
	{ "hold of nothing", NULL, CHANGED("hold", "99", "0", "1", "6"),
	    "does not begin at the state its certificate has" },
	{ "hold of a held one", NULL, CHANGED("hold", "4", "0", "1", "6"),
	    "does not begin at the state its certificate has" },
	{ "reactivate of a revoked one", NULL, CHANGED("reactivate", "5", "2", "0", "NULL"),
	    "not in the transition table" },
	{ "hold that revokes", NULL, CHANGED("hold", "3", "0", "2", "4"),
	    "not in the transition table" },
	{ "hold that reactivates", NULL, CHANGED("hold", "4", "1", "0", "NULL"),
	    "not in the transition table" },
	{ "hold without states", NULL, EVENT("hold"), "event: states do not go with the action" },
	{ "init with states", NULL,
	    "INSERT INTO event (id, time, actor, action, ca, certificate, to_state) "
	    "VALUES (" NEXT ", 100, -1, 'init', 2, 3, 0)",
	    "event: states do not go with the action" },
#define UNCHECKED(action, id, from, to)                                                            \
	"PRAGMA ignore_check_constraints = ON;",                                                   \
	    "INSERT INTO event (id, time, actor, action, ca, certificate, from_state, to_state) "  \
	    "VALUES (" NEXT ", 100, -1, '" action "', 2, " id ", " from ", " to ")",               \
	    "event: states do not go with the action"
	{ "crl that reactivates, unchecked", UNCHECKED("crl", "5", "2", "0") },
	{ "crl to state 7, unchecked", UNCHECKED("crl", "3", "0", "7") },
	{ "init that ends a hold, unchecked", UNCHECKED("init", "4", "1", "NULL") },
	{ "issue from a state, unchecked", UNCHECKED("issue", "7", "2", "0") },
#undef UNCHECKED
	{ "checks are back", NULL, "PRAGMA ignore_check_constraints = OFF", NULL },
	{ "issue without certificate", NULL,
	    "INSERT INTO event (id, time, actor, action, ca, to_state) VALUES (" NEXT ", 100, -1, "
	    "'issue', 2, 0)",
	    "is recorded without its bytes" },
	{ "of no certificate", NULL,
	    "INSERT INTO event (id, time, actor, action, certificate) VALUES (" NEXT
	    ", 100, -1, 'key-blocked', 99)",
	    "event: its certificate is not recorded" },
	{ "of no holder", NULL,
	    "INSERT INTO event (id, time, actor, action, holder) VALUES (" NEXT
	    ", 100, -1, 'holder', 99)",
	    "event: its holder is not recorded" },
	{ "word changed", NULL, "UPDATE event_action SET name = 'x' WHERE name = 'hold'",
	    "a word in use is never changed" },
	{ "word deleted", NULL, "DELETE FROM event_action", "a word in use is never deleted" },
};

static void
test_events(void)
{
	SCHEMA_CASES(events_cases);
}

/* ---- CAs, CRLs, keys, settings ---- */

#define FINISH(number, event, at)                                                                  \
	"UPDATE crl SET event = " event ", this_update = " at ", next_update = 900, entries = 0, " \
	"size = 9, sha256 = zeroblob(32) WHERE ca = 2 AND number = " number ";"
#define CRL_EVENT                                                                                  \
	"INSERT INTO event (id, time, actor, action, ca) VALUES (" NEXT ", 100, -1, 'crl', 2);"

static const struct schema_case crl_cases[] = {
	{ "next", NULL, "INSERT INTO crl (ca, number, taken) VALUES (2, 3, 100)", NULL },
	{ "first of another CA", NULL, "INSERT INTO crl (ca, number, taken) VALUES (1, 1, 100)",
	    NULL },
	{ "skipped", NULL, "INSERT INTO crl (ca, number, taken) VALUES (2, 4, 100)",
	    "crl: number is not the next one" },
	{ "again", NULL, "INSERT INTO crl (ca, number, taken) VALUES (2, 2, 100)",
	    "crl: number is not the next one" },
	{ "burnt again", NULL, "INSERT OR REPLACE INTO crl (ca, number, taken) VALUES (2, 1, 1)",
	    "crl: number is not the next one" },
	{ "comes finished", NULL,
	    "INSERT INTO crl VALUES (2, 3, 100, 1, 100, 200, 0, 9, zeroblob(32), NULL)",
	    "or comes finished" },
	{ "finish", "INSERT INTO crl (ca, number, taken) VALUES (2, 3, 100);" CRL_EVENT,
	    FINISH("3", NEWEST " - 1", "100"), NULL },
	{ "finish twice", CRL_EVENT, FINISH("2", NEWEST " - 1", "100"),
	    "crl: a finished list is never changed" },
	{ "finish an older one", CRL_EVENT, FINISH("1", NEWEST " - 1", "100"),
	    "crl: is older than a finished one" },
	{ "older event", "INSERT INTO crl (ca, number, taken) VALUES (2, 3, 100);" CRL_EVENT,
	    FINISH("3", "1", "100"), "crl: is older than a finished one" },
	{ "older time", "INSERT INTO crl (ca, number, taken) VALUES (2, 3, 100);" CRL_EVENT,
	    FINISH("3", NEWEST " - 1", "99"), "crl: is older than a finished one" },
	{ "older time, clock accepted",
	    "INSERT INTO crl (ca, number, taken) VALUES (2, 3, 100);"
	    "INSERT INTO event (id, time, actor, action) VALUES (" NEXT ", 50, 0, "
	    "'clock-accept');" CRL_EVENT,
	    FINISH("3", NEWEST " - 1", "50"), NULL },
	{ "no event", "INSERT INTO crl (ca, number, taken) VALUES (2, 3, 100);" EVENT("init"),
	    FINISH("3", NEWEST " - 1", "100"), "crl: has no event of its own" },
	{ "shows its own event",
	    "INSERT INTO crl (ca, number, taken) VALUES (2, 3, 100);" CRL_EVENT,
	    FINISH("3", NEWEST, "100"), "crl: has no event of its own" },
	{ "renumber", NULL, "UPDATE crl SET number = 9 WHERE ca = 2 AND number = 1",
	    "crl: a finished list is never changed" },
	{ "replace by renumbering", CRL_EVENT,
	    "UPDATE OR REPLACE crl SET number = 2 WHERE ca = 2 AND number = 1",
	    "crl: a finished list is never changed" },
	{ "taken at another time",
	    "INSERT INTO crl (ca, number, taken) VALUES (2, 3, 100);" CRL_EVENT,
	    "UPDATE crl SET taken = 101, event = " NEWEST " - 1, this_update = 100, "
	    "next_update = 200, entries = 0, size = 9, sha256 = zeroblob(32) "
	    "WHERE ca = 2 AND number = 3",
	    "crl: a finished list is never changed" },
	{ "unfinish", NULL, "UPDATE crl SET event = NULL WHERE ca = 2 AND number = 2",
	    "crl: a finished list is never changed" },
	{ "half finished", "INSERT INTO crl (ca, number, taken) VALUES (2, 3, 100);" CRL_EVENT,
	    "UPDATE crl SET event = " NEWEST " - 1 WHERE ca = 2 AND number = 3", "CHECK" },
	{ "delete", NULL, "DELETE FROM crl WHERE number = 1", "crl: a number is never deleted" },
};

static void
test_crl(void)
{
	SCHEMA_CASES(crl_cases);
}

static const struct schema_case other_cases[] = {
	{ "ca renamed", NULL, "UPDATE ca SET name = 'x' WHERE id = 2", "ca: identity" },
	{ "ca moved", NULL, "UPDATE ca SET parent = 2 WHERE id = 2", "ca: identity" },
	{ "ca replaced", NULL, "INSERT OR REPLACE INTO ca (name, parent) VALUES ('root', 1)",
	    "ca: identity" },
	{ "ca deleted", NULL, "DELETE FROM ca", "ca: is never deleted" },
	{ "ca certificate again", NULL, "UPDATE ca SET certificate = 1 WHERE id = 2",
	    "ca: identity" },
	{ "ca certificate taken away", NULL, "UPDATE ca SET certificate = NULL WHERE id = 2",
	    "ca: identity" },
	{ "ca born with certificate", NULL,
	    "INSERT INTO ca (id, name, parent, certificate) VALUES (3, 'x', 1, 2)",
	    "ca: begins without certificate" },
	{ "ca certificate of a device", "INSERT INTO ca (id, name, parent) VALUES (3, 'x', 2);",
	    "UPDATE ca SET certificate = 3 WHERE id = 3",
	    "ca: its certificate is none that its parent issued" },
	{ "ca certificate of another parent",
	    "INSERT INTO ca (id, name, parent) VALUES (3, 'x', 2);",
	    "UPDATE ca SET certificate = 2 WHERE id = 3",
	    "ca: its certificate is none that its parent issued" },
	{ "changed_event back", NULL, "UPDATE ca SET changed_event = 1 WHERE id = 2",
	    "ca: changed_event is no later event" },
	{ "changed_event ahead", NULL, "UPDATE ca SET changed_event = 9999 WHERE id = 2",
	    "ca: changed_event is no later event" },
	{ "responder of a device", NULL, "UPDATE responder SET certificate = 3",
	    "responder: is no OCSP certificate" },
	{ "responder of another CA", NULL, "INSERT INTO responder VALUES (1, 6)",
	    "responder: is no OCSP certificate" },
	{ "responder replaced wrongly", NULL, "INSERT OR REPLACE INTO responder VALUES (2, 3)",
	    "responder: is no OCSP certificate" },
	{ "blocked key without event", EVENT("init"),
	    "INSERT INTO blocked_key VALUES (" KEY("09") ", " NEWEST ")",
	    "blocked key: has no event of its own" },
	{ "blocked key replaced",
	    EVENT("key-blocked") "INSERT INTO blocked_key VALUES (" KEY("09") ", " NEWEST ");",
	    "INSERT OR REPLACE INTO blocked_key VALUES (" KEY("09") ", " NEWEST ")",
	    "blocked key: is never changed" },
	{ "blocked key changed",
	    EVENT("key-blocked") "INSERT INTO blocked_key VALUES (" KEY("09") ", " NEWEST ");",
	    "UPDATE blocked_key SET key_hash = " KEY("0a"), "blocked key: is never changed" },
	{ "blocked key deleted",
	    EVENT("key-blocked") "INSERT INTO blocked_key VALUES (" KEY("09") ", " NEWEST ");",
	    "DELETE FROM blocked_key", "blocked key: is never deleted" },
	{ "setting", NULL, "UPDATE setting SET value = 3", NULL },
	{ "setting 0", NULL, "UPDATE setting SET value = 0", "CHECK" },
	{ "setting renamed", NULL, "UPDATE setting SET name = 'x'",
	    "setting: a name is never changed" },
	{ "setting deleted", NULL, "DELETE FROM setting", "setting: is never deleted" },
	{ "tally deleted", NULL, "DELETE FROM tally", "tally: is never deleted" },
};

static void
test_other(void)
{
	SCHEMA_CASES(other_cases);
}

/* What a column may hold, where no rule above says it already. */
static const struct schema_case checks_cases[] = {
#define DEVICE7(use, key, after)                                                                   \
	"INSERT INTO certificate (id, ca, serial, profile, holder, use, key_hash, not_before, "    \
	"not_after, issued_state, issued, issue_event) VALUES (7, 2, X'07', 3, 7, " use ", " key   \
	", 100, " after ", 0, 100, " NEWEST ")"
	{ "certificate of one second", ISSUE7, DEVICE7("1", KEY("07"), "100"), NULL },
	{ "certificate of no time", ISSUE7, DEVICE7("1", KEY("07"), "99"), "CHECK" },
	{ "use 0", ISSUE7, DEVICE7("0", KEY("07"), "1000"), "CHECK" },
	{ "key hash of 31", ISSUE7, DEVICE7("1", "zeroblob(31)", "1000"), "CHECK" },
#undef DEVICE7
	{ "detail of 255", NULL,
	    "INSERT INTO event (id, time, actor, action, detail) "
	    "VALUES (" NEXT ", 100, -1, 'init', printf('%255d', 1))",
	    NULL },
	{ "detail of 256", NULL,
	    "INSERT INTO event (id, time, actor, action, detail) "
	    "VALUES (" NEXT ", 100, -1, 'init', printf('%256d', 1))",
	    "CHECK" },
	{ "event that begins at a state", NULL,
	    "INSERT INTO event (id, time, actor, action, from_state) VALUES (" NEXT
	    ", 100, -1, 'init', "
	    "0)",
	    "event: states do not go with the action" },
	{ "profile 0", NULL, "INSERT INTO profile VALUES (0, 'x')", "CHECK" },
	{ "profile without name", NULL, "INSERT INTO profile (name) VALUES ('')", "CHECK" },
	{ "profile of 64", NULL, "INSERT INTO profile (name) VALUES (printf('%64d', 1))", "CHECK" },
	{ "ca 0", NULL, "INSERT INTO ca (id, name, parent) VALUES (0, 'x', 1)", "CHECK" },
	{ "ca without name", NULL, "INSERT INTO ca (name, parent) VALUES ('', 1)", "CHECK" },
	{ "ca of 64", NULL, "INSERT INTO ca (name, parent) VALUES (printf('%64d', 1), 1)",
	    "CHECK" },
	{ "holder of kind 0", NULL, "INSERT INTO holder (kind, name) VALUES (0, X'01')", "CHECK" },
	{ "holder of 128", NULL, "INSERT INTO holder (kind, name) VALUES (3, zeroblob(128))",
	    NULL },
	{ "holder of 129", NULL, "INSERT INTO holder (kind, name) VALUES (3, zeroblob(129))",
	    "CHECK" },
	{ "holder without name", NULL, "INSERT INTO holder (kind, name) VALUES (3, X'')", "CHECK" },
	{ "organisation's EUI of 7", NULL,
	    "INSERT INTO holder (kind, name) VALUES (2, zeroblob(7))", "CHECK" },
	{ "blocked key of 31", EVENT("key-blocked"),
	    "INSERT INTO blocked_key VALUES (zeroblob(31), " NEWEST ")", "CHECK" },
#define FINISHED(next, entries, size, hash)                                                        \
	"INSERT INTO crl (ca, number, taken) VALUES (2, 3, 100);" CRL_EVENT,                       \
	    "UPDATE crl SET event = " NEWEST " - 1, this_update = 100, next_update = " next        \
	    ", entries = " entries ", size = " size ", sha256 = " hash                             \
	    " WHERE ca = 2 AND number = 3"
	{ "crl of one second", FINISHED("101", "0", "1", "zeroblob(32)"), NULL },
	{ "crl of no time", FINISHED("100", "0", "1", "zeroblob(32)"), "CHECK" },
	{ "crl of -1 entries", FINISHED("101", "-1", "1", "zeroblob(32)"), "CHECK" },
	{ "crl of -1 octets", FINISHED("101", "0", "-1", "zeroblob(32)"), "CHECK" },
	{ "crl hash of 31", FINISHED("101", "0", "1", "zeroblob(31)"), "CHECK" },
#undef FINISHED
};

static void
test_checks(void)
{
	SCHEMA_CASES(checks_cases);
}

/* The tally and changed_event follow, whatever conflict choice the statement makes. */
static void
test_derived(void)
{
	static const char more[] = ISSUE7 CERT("INSERT OR REPLACE", "7", "2", "07", "3", "7", "1",
	    KEY("07"), "NULL", "0", "NULL", NEWEST);
	sqlite3 *db = schema_open(false);

	CU_ASSERT_EQUAL(schema_int(db, "SELECT n FROM tally WHERE ca = 2 AND state = 0"), 2);
	CU_ASSERT_EQUAL(schema_int(db, "SELECT n FROM tally WHERE ca = 2 AND state = 1"), 1);
	CU_ASSERT_EQUAL(schema_int(db, "SELECT n FROM tally WHERE ca = 2 AND state = 2"), 1);
	CU_ASSERT_EQUAL(schema_int(db, "SELECT changed_event FROM ca WHERE id = 2"),
	    schema_int(db, "SELECT event FROM certificate_now WHERE id = 5"));
	CHECK(sqlite3_exec(db, more, NULL, NULL, NULL) == SQLITE_OK);
	CU_ASSERT_EQUAL(schema_int(db, "SELECT n FROM tally WHERE ca = 2 AND state = 0"), 3);
	CU_ASSERT_EQUAL(schema_int(db, "SELECT changed_event FROM ca WHERE id = 2"),
	    schema_int(db, "SELECT event FROM certificate_now WHERE id = 5"));
	CHECK(sqlite3_exec(db,
		  "INSERT OR REPLACE INTO event (id, time, actor, action, ca, certificate, "
		  "from_state, to_state, reason) "
		  "VALUES (" NEXT ", 100, -1, 'hold', 2, 7, 0, 1, 6)",
		  NULL, NULL, NULL) == SQLITE_OK);
	CU_ASSERT_EQUAL(schema_int(db, "SELECT n FROM tally WHERE ca = 2 AND state = 0"), 2);
	CU_ASSERT_EQUAL(schema_int(db, "SELECT n FROM tally WHERE ca = 2 AND state = 1"), 2);
	CU_ASSERT_EQUAL(schema_int(db, "SELECT changed_event FROM ca WHERE id = 2"),
	    schema_int(db, "SELECT " NEWEST));
	/* what begins on hold is on the next list, too; what begins valid is not */
	CHECK(sqlite3_exec(db,
		  DER("8") ISSUED("8", "2", "8", "1", "6", "100") CERT(
		      "INSERT", "8", "2", "08", "3", "8", "1", KEY("08"), "NULL", "1", "6", NEWEST),
		  NULL, NULL, NULL) == SQLITE_OK);
	CU_ASSERT_EQUAL(schema_int(db, "SELECT n FROM tally WHERE ca = 2 AND state = 1"), 3);
	CU_ASSERT_EQUAL(schema_int(db, "SELECT changed_event FROM ca WHERE id = 2"),
	    schema_int(db, "SELECT " NEWEST));
	sqlite3_close(db);
}

static const struct test_case cases_[] = {
	{ "issuing", test_issue },
	{ "certificates of a device", test_limit },
	{ "events", test_events },
	{ "crl numbers", test_crl },
	{ "cas, keys, settings", test_other },
	{ "columns", test_checks },
	{ "derived", test_derived },
};

TEST_MAIN("schema_rules", cases_)
