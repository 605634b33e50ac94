/*
 * The rules about imports, refusals and access keys as the schema by itself enforces them: tried
 * directly in SQL, through a connection that knows nothing of the store.
 */
#include "register_rows.h"

/* ---- imports ---- */

#define FIXED "import: what was begun is never changed"
#define ENDED "import: a finished or dropped one is never changed"

static const struct schema_case import_cases[] = {
	{ "right", FILLED ROW("1", "0000000000000007"), FINISH, NULL },
	{ "two devices of one EUI", FILLED, ROW("1", EUI6), "device: is registered already" },
	{ "one registered already", IMPORT, ROW("1", "0000000000000001"),
	    "device: is registered already" },
	{ "into none", IMPORT, ROW("2", EUI6), "device: its import is none that goes on" },
	{ "into a finished one", FILLED FINISH, ROW("1", "0000000000000007"),
	    "device: its import is none that goes on" },
	{ "into a dropped one", FILLED DROP, ROW("1", "0000000000000007"),
	    "device: its import is none that goes on" },
	{ "with an event", IMPORT DEVICE_EVENT("device", "6"),
	    ADD("INSERT", "6", EUI6, ", import", PLAIN ", 1"),
	    "device: its import is none that goes on" },
	{ "number skipped", IMPORT, ADD("INSERT", "9", EUI6, ", import", "0, 0, 1, 100, NULL, 1"),
	    "device: number is not the next one" },
	{ "number before", IMPORT, ADD("INSERT", "0", EUI6, ", import", "0, 0, 1, 100, NULL, 1"),
	    "CHECK" },
	{ "singly beside it", FILLED DEVICE_EVENT("device", "7"),
	    ADD("INSERT", "7", "0000000000000007", "", PLAIN), NULL },
	{ "event about a row", FILLED, DEVICE_EVENT("device-hold", "6"),
	    "event: its device is not registered" },
	{ "change of a row", FILLED "DROP TRIGGER event_order;" DEVICE_EVENT("device-hold", "6"),
	    SET_WITH("state = 1", "6"), "device: is not registered" },
	{ "bind of a row", FILLED, SET("secret_key = " B32, "6"), "device: is not registered" },
	{ "change when finished", FILLED FINISH DEVICE_EVENT("device-hold", "6"),
	    SET_WITH("state = 1", "6"), NULL },
	{ "row deleted", FILLED, "DELETE FROM device WHERE id = 6", "device: is never deleted" },
	{ "row of a finished one deleted", FILLED FINISH, "DELETE FROM device WHERE id = 6",
	    "device: is never deleted" },
	{ "row of a dropped one deleted", FILLED DROP, "DELETE FROM device WHERE id = 6", NULL },
	{ "other row than the dropped one's", FILLED DROP, "DELETE FROM device WHERE id = 5",
	    "device: is never deleted" },
	/* the import itself */
	{ "born finished", EVENT("import"),
	    "INSERT INTO device_import (name, started, actor, finished) VALUES ('f', 1, 0, " NEWEST
	    ")",
	    "import: begins empty" },
	{ "born dropped", NULL,
	    "INSERT INTO device_import (name, started, actor, dropped) VALUES ('f', 1, 0, 1)",
	    "import: begins empty" },
	{ "born with devices", NULL,
	    "INSERT INTO device_import (name, started, actor, devices) VALUES ('f', 1, 0, 1)",
	    "import: begins empty" },
	{ "replaced", IMPORT,
	    "INSERT OR REPLACE "
	    "INTO device_import (id, name, started, actor) "
	    "VALUES (1, 'g', 100, 0)",
	    FIXED },
	{ "renamed", IMPORT, "UPDATE device_import SET name = 'g'", FIXED },
	{ "renumbered", IMPORT, "UPDATE device_import SET id = 2", FIXED },
	{ "renumbered by another name", IMPORT, "UPDATE device_import SET rowid = 2", FIXED },
	{ "begun at another time", IMPORT, "UPDATE device_import SET started = 2", FIXED },
	{ "begun by another", IMPORT, "UPDATE device_import SET actor = 2", FIXED },
	{ "finished without event", IMPORT EVENT("init"),
	    "UPDATE device_import SET finished = " NEWEST, "import: has no event of its own" },
	{ "finished with an old event", IMPORT EVENT("import") EVENT("init"),
	    "UPDATE device_import SET finished = " NEWEST " - 1",
	    "import: has no event of its own" },
	{ "two with one event",
	    IMPORT FINISH "INSERT INTO device_import (id, name, started, actor) "
			  "VALUES (2, 'g', 100, 0);",
	    "UPDATE device_import SET finished = " NEWEST " WHERE id = 2",
	    "import: has no event of its own" },
	{ "finished twice", FILLED FINISH, FINISH, ENDED },
	{ "unfinished again", FILLED FINISH, "UPDATE device_import SET finished = NULL", ENDED },
	{ "finished and dropped", FILLED FINISH, DROP, ENDED },
	{ "dropped and finished", FILLED DROP, FINISH, ENDED },
	{ "both at once", IMPORT EVENT("import"),
	    "UPDATE device_import SET dropped = 1, finished = " NEWEST,
	    "import: is finished or dropped, not both" },
	{ "taken up again", FILLED DROP, "UPDATE device_import SET dropped = 0", ENDED },
	{ "counted when finished", FILLED FINISH, "UPDATE device_import SET devices = 0", ENDED },
	{ "deleted", IMPORT, "DELETE FROM device_import", "import: is never deleted" },
	{ "name of 256", NULL,
	    "INSERT INTO device_import (name, started, actor) VALUES (printf('%256d', 1), 1, 0)",
	    "CHECK" },
};

static void
test_import(void)
{
	SCHEMA_CASES(import_cases);
}

static void
test_import_counts(void)
{
	static const char rows[] = IMPORT ROW("1", EUI6) ROW("1", "0000000000000007");
	sqlite3 *db = schema_open(false);

	CHECK(sqlite3_exec(db, rows, NULL, NULL, NULL) == SQLITE_OK);
	CU_ASSERT_EQUAL(schema_int(db, "SELECT devices FROM device_import"), 2);
	CU_ASSERT_EQUAL(schema_int(db, "SELECT first_device FROM device_import"), 6);
	CHECK(sqlite3_exec(db, DROP "DELETE FROM device WHERE id = 6", NULL, NULL, NULL) ==
	      SQLITE_OK);
	CU_ASSERT_EQUAL(schema_int(db, "SELECT devices FROM device_import"), 1);
	sqlite3_close(db);
}

/* ---- refusals and access keys ---- */

#define REFUSED(verb, minute, who, reason, n)                                                      \
	verb " INTO refusal VALUES (" minute ", '" who "', '" reason "', " n ");"
#define ONE REFUSED("INSERT", "7", "a", "held", "2")
#define FEW "UPDATE setting SET value = 2 WHERE name = 'refusals_per_minute';"
#define GROWS "refusal: only its count grows"

static const struct schema_case refusal_cases[] = {
	{ "right", NULL, ONE, NULL },
	{ "again", ONE, ONE, "refusal: is counted already" },
	{ "replace", ONE, REFUSED("INSERT OR REPLACE", "7", "a", "held", "1"),
	    "refusal: is counted already" },
	{ "more", ONE, "UPDATE refusal SET n = n + 1", NULL },
	{ "less", ONE, "UPDATE refusal SET n = n - 1", GROWS },
	{ "of another", ONE, "UPDATE refusal SET who = 'b'", GROWS },
	{ "of another minute", ONE, "UPDATE refusal SET minute = 8", GROWS },
	{ "of another reason", ONE, "UPDATE refusal SET reason = 'time'", GROWS },
	{ "none", NULL, REFUSED("INSERT", "7", "a", "held", "0"), "CHECK" },
	{ "who of 63", NULL, "INSERT INTO refusal VALUES (7, printf('%63d', 1), 'held', 1)", NULL },
	{ "who of 64", NULL, "INSERT INTO refusal VALUES (7, printf('%64d', 1), 'held', 1)",
	    "CHECK" },
	{ "no reason", NULL, REFUSED("INSERT", "7", "a", "", "1"), "CHECK" },
	{ "reason of 32", NULL, "INSERT INTO refusal VALUES (7, 'a', printf('%32d', 1), 1)",
	    "CHECK" },
	{ "up to the limit", FEW ONE, REFUSED("INSERT", "7", "b", "held", "1"), NULL },
	{ "over the limit", FEW ONE REFUSED("INSERT", "7", "b", "held", "1"),
	    REFUSED("INSERT", "7", "", "held", "1"), "refusal: its minute has all the rows" },
	{ "over the limit, counted on", FEW ONE REFUSED("INSERT", "7", "b", "held", "1"),
	    "UPDATE refusal SET n = n + 1", NULL },
	{ "the next minute", FEW ONE REFUSED("INSERT", "7", "b", "held", "1"),
	    REFUSED("INSERT", "8", "b", "held", "1"), NULL },
	{ "deleted", ONE, "DELETE FROM refusal", NULL },
	{ "minute deleted", ONE, "DELETE FROM refusal_minute", "refusal: its minute has rows" },
	{ "minute moved", ONE, "UPDATE refusal_minute SET minute = 8",
	    "refusal: its minute is never changed" },
	{ "minute replaced", ONE, "INSERT OR REPLACE INTO refusal_minute VALUES (7, 0, 0)",
	    "refusal: its minute is counted already" },
	/* A wrong sum stands in nobody's way. */
	{ "minute counted wrongly", ONE "UPDATE refusal_minute SET refusals = 0, n = 0;",
	    "DELETE FROM refusal", NULL },
};

static void
test_refusal(void)
{
	SCHEMA_CASES(refusal_cases);
}

/* The sums follow, whatever conflict choice the statement makes. */
static void
test_refusal_sums(void)
{
	static const char two[] = ONE REFUSED("INSERT OR REPLACE", "7", "b", "held", "3")
	    REFUSED("INSERT OR IGNORE", "7", "c", "held", "4");
	sqlite3 *db = schema_open(false);

	CHECK(sqlite3_exec(db, two, NULL, NULL, NULL) == SQLITE_OK);
	CU_ASSERT_EQUAL(schema_int(db, "SELECT refusals FROM refusal_minute"), 3);
	CU_ASSERT_EQUAL(schema_int(db, "SELECT n FROM refusal_minute"), 9);
	sqlite3_exec(db, "UPDATE OR REPLACE refusal SET n = 10 WHERE who = 'a'", NULL, NULL, NULL);
	CU_ASSERT_EQUAL(schema_int(db, "SELECT n FROM refusal_minute"), 17);
	sqlite3_exec(db, "DELETE FROM refusal WHERE who < 'c'", NULL, NULL, NULL);
	CU_ASSERT_EQUAL(schema_int(db, "SELECT refusals FROM refusal_minute"), 1);
	CU_ASSERT_EQUAL(schema_int(db, "SELECT n FROM refusal_minute"), 4);
	sqlite3_exec(db, "DELETE FROM refusal", NULL, NULL, NULL);
	CU_ASSERT_EQUAL(schema_int(db, "SELECT count(*) FROM refusal_minute"), 0);
	sqlite3_close(db);
}

static const struct schema_case access_cases[] = {
	{ "right", NULL, ACCESS1, NULL },
	{ "number left to SQLite", EVENT("access-key"),
	    ACCESS("INSERT", "NULL", "k1", KID("1"), POINT_CAST, "100", NEWEST), NULL },
	{ "number skipped", EVENT("access-key"),
	    ACCESS("INSERT", "2", "k1", KID("1"), POINT_CAST, "100", NEWEST),
	    "access key: number is not the next one" },
	{ "second", ACCESS1 EVENT("access-key"),
	    ACCESS("INSERT", "2", "k2", KID("2"), POINT_CAST, "100", NEWEST), NULL },
	{ "label taken", ACCESS1 EVENT("access-key"),
	    ACCESS("INSERT OR REPLACE", "2", "k1", KID("2"), POINT_CAST, "100", NEWEST),
	    "access key: its label or kid is taken" },
	{ "kid taken", ACCESS1 EVENT("access-key"),
	    ACCESS("INSERT OR REPLACE", "2", "k2", KID("1"), POINT_CAST, "100", NEWEST),
	    "access key: its label or kid is taken" },
	{ "replaced", ACCESS1 EVENT("access-key"),
	    ACCESS("INSERT OR REPLACE", "1", "k2", KID("2"), POINT_CAST, "100", NEWEST),
	    "access key: its label or kid is taken" },
	{ "without event", EVENT("init"),
	    ACCESS("INSERT", "1", "k1", KID("1"), POINT_CAST, "100", NEWEST),
	    "access key: has no event of its own" },
	{ "with an old event", EVENT("access-key") EVENT("init"),
	    ACCESS("INSERT", "1", "k1", KID("1"), POINT_CAST, "100", NEWEST " - 1"),
	    "access key: has no event of its own" },
	{ "of another time", EVENT("access-key"),
	    ACCESS("INSERT", "1", "k1", KID("1"), POINT_CAST, "99", NEWEST),
	    "access key: has no event of its own" },
	{ "point of 64", EVENT("access-key"),
	    ACCESS("INSERT", "1", "k1", KID("1"), "zeroblob(64)", "100", NEWEST), "CHECK" },
	{ "point compressed", EVENT("access-key"),
	    ACCESS("INSERT", "1", "k1", KID("1"), "zeroblob(65)", "100", NEWEST), "CHECK" },
	{ "kid of 42", EVENT("access-key"),
	    ACCESS("INSERT", "1", "k1", "printf('%042d', 0)", POINT_CAST, "100", NEWEST), "CHECK" },
	{ "no label", EVENT("access-key"),
	    ACCESS("INSERT", "1", "", KID("1"), POINT_CAST, "100", NEWEST), "CHECK" },
	{ "updated", ACCESS1, "UPDATE access_key SET active_from = 1",
	    "access key: is never changed" },
	{ "deleted", ACCESS1, "DELETE FROM access_key", "access key: is never deleted" },
};

static void
test_access(void)
{
	SCHEMA_CASES(access_cases);
}

static const struct test_case cases_[] = {
	{ "imports", test_import },
	{ "counts of imports", test_import_counts },
	{ "refusals", test_refusal },
	{ "sums of refusals", test_refusal_sums },
	{ "access keys", test_access },
};

TEST_MAIN("schema_import", cases_)
