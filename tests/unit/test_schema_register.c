/*
 * The rules of the register as the schema by itself enforces them: tried directly in SQL, through
 * a connection that knows nothing of the store.
 */
#include "register_rows.h"

/* ---- what may come in ---- */

static const struct schema_case insert_cases[] = {
	{ "right", DEVICE_EVENT("device", "6"), ADD("INSERT", "6", EUI6, "", PLAIN), NULL },
	{ "right with everything", DEVICE_EVENT("device", "6"),
	    ADD("INSERT", "6", EUI6, ", secret, key, manufacturer, model, region",
		"7, 1, 0, 100, " NEWEST ", " B32 ", " B32 ", 'm', 'o', 'r'"),
	    NULL },
	{ "without event", EVENT("init"), ADD("INSERT", "6", EUI6, "", PLAIN),
	    "device: has no event of its own" },
	{ "event of another device", DEVICE_EVENT("device", "5"),
	    ADD("INSERT", "6", EUI6, "", PLAIN), "device: has no event of its own" },
	{ "event of another kind", DEVICE_EVENT("device-hold", "5"),
	    ADD("INSERT", "6", EUI6, "", PLAIN), "device: has no event of its own" },
	{ "event not the newest", DEVICE_EVENT("device", "6") EVENT("init"),
	    ADD("INSERT", "6", EUI6, "", "0, 0, 1, 100, " NEWEST " - 1"),
	    "device: has no event of its own" },
	{ "event not named", DEVICE_EVENT("device", "6"),
	    ADD("INSERT", "6", EUI6, "", "0, 0, 1, 100, NULL"), "device: has no event of its own" },
	{ "another time", DEVICE_EVENT("device", "6"),
	    ADD("INSERT", "6", EUI6, "", "0, 0, 1, 99, " NEWEST),
	    "device: has no event of its own" },
	{ "number left to SQLite", DEVICE_EVENT("device", "6"),
	    ADD("INSERT", "NULL", EUI6, "", PLAIN), "device: has no event of its own" },
	{ "event of a number skipped", NULL, DEVICE_EVENT("device", "7"),
	    "event: its device is not registered" },
	{ "born on hold", DEVICE_EVENT("device", "6"),
	    ADD("INSERT", "6", EUI6, ", state", PLAIN ", 1"), "device: begins active" },
	{ "born retired", DEVICE_EVENT("device", "6"),
	    ADD("INSERT", "6", EUI6, ", state", PLAIN ", 2"), "device: begins active" },
	{ "born with a used secret", DEVICE_EVENT("device", "6"),
	    ADD("INSERT", "6", EUI6, ", secret, secret_key",
		"2, 0, 1, 100, " NEWEST ", " B32 ", " B32),
	    "device: begins active, its secret unused" },
	{ "again", DEVICE_EVENT("device", "6"), ADD("INSERT", "6", "0000000000000001", "", PLAIN),
	    "device: is registered already" },
	{ "replace by EUI", DEVICE_EVENT("device", "6"),
	    ADD("INSERT OR REPLACE", "6", "0000000000000001", "", PLAIN),
	    "device: is registered already" },
	{ "replace by number", DEVICE_EVENT("device", "1"),
	    ADD("INSERT OR REPLACE", "1", EUI6, "", PLAIN), "device: is registered already" },
	{ "upsert", DEVICE_EVENT("device", "1"),
	    "INSERT INTO device SELECT * FROM device WHERE id = 1 "
	    "ON CONFLICT DO UPDATE SET approved = 1",
	    "device: is registered already" },
	{ "retired event, again",
	    DEVICE_EVENT("device-retire", "1") "UPDATE device SET state = 2, event = " NEWEST
					       " WHERE id = 1;",
	    DEVICE_EVENT("device", "1"), "event: does not begin at the state its device has" },
#define WITH(what, more, values, want)                                                             \
	{                                                                                          \
		what, DEVICE_EVENT("device", "6"), ADD("INSERT", "6", EUI6, more, values), want    \
	}
	WITH("proofs 8", "", "8, 0, 1, 100, " NEWEST, "CHECK"),
	WITH("proofs -1", "", "-1, 0, 1, 100, " NEWEST, "CHECK"),
	WITH("end_to_end 2", "", "0, 2, 1, 100, " NEWEST, "CHECK"),
	WITH("approved 2", "", "0, 0, 2, 100, " NEWEST, "CHECK"),
	WITH("secret without the bit", ", secret", PLAIN ", " B32, "CHECK"),
	WITH("the bit without secret", "", "2, 0, 1, 100, " NEWEST, "CHECK"),
	WITH("key without the bit", ", key", PLAIN ", " B32, "CHECK"),
	WITH("the bit without key", "", "4, 0, 1, 100, " NEWEST, "CHECK"),
	WITH("secret of 31", ", secret", "2, 0, 1, 100, " NEWEST ", zeroblob(31)", "CHECK"),
	WITH("key of 33", ", key", "4, 0, 1, 100, " NEWEST ", zeroblob(33)", "CHECK"),
	WITH("manufacturer of 63", ", manufacturer", PLAIN ", printf('%63d', 1)", NULL),
	WITH("manufacturer of 64", ", manufacturer", PLAIN ", printf('%64d', 1)", "CHECK"),
	WITH("region of 64", ", region", PLAIN ", printf('%64d', 1)", "CHECK"),
	WITH("model of 64", ", model", PLAIN ", printf('%64d', 1)", NULL),
	WITH("model of 64 octets and more", ", model", PLAIN ", printf('%64d', 1) || char(228)",
	    "CHECK"),
	WITH("model behind its end", ", model", PLAIN ", printf('%64d', 1) || char(0) || 'x'",
	    "CHECK"),
#undef WITH
	{ "EUI of 7", DEVICE_EVENT("device", "6"), ADD("INSERT", "6", "06", "", PLAIN), "CHECK" },
	{ "without hwType", DEVICE_EVENT("device", "6"),
	    "INSERT INTO device (id, eui, hw_type, proofs, end_to_end, approved, registered, "
	    "event) VALUES (6, X'" EUI6 "', '', " PLAIN ")",
	    "CHECK" },
};

static void
test_insert(void)
{
	SCHEMA_CASES(insert_cases);
}

/* ---- what may change ---- */

static const struct schema_case change_cases[] = {
#define EDIT(what, value)                                                                          \
	{                                                                                          \
		what, DEVICE_EVENT("device", "1"), SET_WITH(what " = " value, "1"),                \
		    "device: identity is never changed"                                            \
	}
	EDIT("id", "77"),
	EDIT("rowid", "77"),
	EDIT("eui", "X'" EUI6 "'"),
	EDIT("hw_type", "'1.2.4'"),
	EDIT("registered", "99"),
	EDIT("import", "1"),
#undef EDIT
	{ "update or replace", DEVICE_EVENT("device", "1"),
	    "UPDATE OR REPLACE device SET eui = X'0000000000000002' WHERE id = 1",
	    "device: identity is never changed" },
	{ "delete", NULL, "DELETE FROM device WHERE id = 5", "device: is never deleted" },
	{ "delete all", NULL, "DELETE FROM device", "device: is never deleted" },
#define OTHER(what, value)                                                                         \
	{ what " with its event", DEVICE_EVENT("device", "1"), SET_WITH(what " = " value, "1"),    \
		NULL },                                                                            \
	{                                                                                          \
		what " without", NULL, SET(what " = " value, "1"),                                 \
		    "device: the change has no event of its own"                                   \
	}
	OTHER("manufacturer", "'m'"),
	OTHER("model", "'m'"),
	OTHER("region", "'r'"),
	OTHER("proofs", "1"),
	OTHER("end_to_end", "1"),
	OTHER("proofs = 4, key", B32),
#undef OTHER
	{ "other kind of event", DEVICE_EVENT("device-hold", "1"), SET_WITH("end_to_end = 1", "1"),
	    "device: the change has no event of its own" },
	{ "event of another device", DEVICE_EVENT("device", "2"), SET_WITH("end_to_end = 1", "1"),
	    "device: the change has no event of its own" },
	{ "event not the newest", DEVICE_EVENT("device", "1") EVENT("init"),
	    SET("end_to_end = 1, event = " NEWEST " - 1", "1"),
	    "device: the change has no event of its own" },
	{ "event used twice", DEVICE_EVENT("device", "1") SET_WITH("end_to_end = 1", "1"),
	    SET_WITH("end_to_end = 0", "1"), "device: the change has no event of its own" },
	{ "two things at a time", DEVICE_EVENT("device-hold", "1"),
	    SET_WITH("state = 1, end_to_end = 1", "1"), "device: changes one thing at a time" },
	{ "state 3", DEVICE_EVENT("device-hold", "1"), SET_WITH("state = 3", "1"),
	    "device: this state change is not in the transition table" },
	{ "nothing", DEVICE_EVENT("device", "1"), SET_WITH("state = 0", "1"),
	    "device: changes one thing at a time" },
	/* approval */
	{ "approve", SIX DEVICE_EVENT("device-approve", "6"), SET_WITH("approved = 1", "6"), NULL },
	{ "approve without event", SIX, SET("approved = 1", "6"),
	    "device: the change has no event of its own" },
	{ "approve by another kind of event", SIX DEVICE_EVENT("device", "6"),
	    SET_WITH("approved = 1", "6"), "device: the change has no event of its own" },
	{ "approve again", NULL, DEVICE_EVENT("device-approve", "1"),
	    "event: does not begin at the state its device has" },
	{ "approval taken back", DEVICE_EVENT("device", "1"), SET_WITH("approved = 0", "1"),
	    "device: an approval is never taken back" },
	{ "approve on hold",
	    SIX DEVICE_EVENT("device-hold", "6") SET_WITH("state = 1", "6")
		DEVICE_EVENT("device-approve", "6"),
	    SET_WITH("approved = 1", "6"), NULL },
	{ "approve a retired one",
	    SIX DEVICE_EVENT("device-retire", "6") SET_WITH("state = 2", "6"),
	    DEVICE_EVENT("device-approve", "6"),
	    "event: does not begin at the state its device has" },
	/* secrets */
	{ "secret", NULL, SECRET1, NULL },
	{ "secret without event", NULL, SET("secret = " B32 ", proofs = 2", "1"),
	    "device: the change has no event of its own" },
	{ "secret with the bit missing", DEVICE_EVENT("device-secret", "1"),
	    SET_WITH("secret = " B32, "1"), "CHECK" },
	{ "secret of a retired one", RETIRE1, DEVICE_EVENT("device-secret", "1"),
	    "event: does not begin at the state its device has" },
	{ "secret taken away", SECRET1 DEVICE_EVENT("device-secret", "1"),
	    SET_WITH("secret = NULL, proofs = 0", "1"), "device: a secret is set new and unused" },
	{ "new secret, bound at once", DEVICE_EVENT("device-secret", "1"),
	    SET_WITH("secret = " B32 ", proofs = 2, secret_key = " B32, "1"),
	    "device: a secret is set new and unused" },
	{ "bind", SECRET1, BIND1, NULL },
	{ "bind without secret", NULL, BIND1, "CHECK" },
	{ "bind on hold", SECRET1 HOLD1, BIND1, "device: is on hold in the register" },
	{ "bind a retired one", SECRET1 RETIRE1, BIND1, "device: is retired" },
	{ "bind twice", SECRET1 BIND1, SET("secret_key = " KEY("33"), "1"),
	    "device: its secret is bound to another key" },
	{ "unbind", SECRET1 BIND1, SET("secret_key = NULL", "1"),
	    "device: its secret is bound to another key" },
	{ "the same secret unbound", SECRET1 BIND1 DEVICE_EVENT("device-secret", "1"),
	    SET_WITH("secret = " KEY("11") ", secret_key = NULL", "1"),
	    "device: its secret is bound to another key" },
	{ "new secret for a used one", SECRET1 BIND1 DEVICE_EVENT("device-secret", "1"),
	    SET_WITH("secret = " KEY("12") ", secret_key = NULL", "1"), NULL },
	{ "new secret that stays bound", SECRET1 BIND1 DEVICE_EVENT("device-secret", "1"),
	    SET_WITH("secret = " KEY("12"), "1"), "device: a secret is set new and unused" },
	{ "bind and more", SECRET1, SET("secret_key = " KEY("22") ", end_to_end = 1", "1"),
	    "device: changes one thing at a time" },
};

static void
test_change(void)
{
	SCHEMA_CASES(change_cases);
}

/* ---- the life cycle ---- */

static const char *const matrix_action[] = { "device-hold", "device-release", "device-retire",
	"device-approve", "device", "device-secret" };

/* Device 1 in state from; the event of each action, then each state. */
static void
matrix_try(sqlite3 *db, int from, int to, size_t action)
{
	bool legal = (from == 0 && to == 1 && action == 0) ||
		     (from == 1 && to == 0 && action == 1) ||
		     (from == 0 && to == 2 && action == 2) || (from == 1 && to == 2 && action == 2);
	char row[64], *sql;
	int rc = SQLITE_OK;

	snprintf(row, sizeof row, "%d to %d by %s", from, to, matrix_action[action]);
	sqlite3_exec(db, "SAVEPOINT m", NULL, NULL, NULL);
	if (from != 0)
		rc = sqlite3_exec(db, from == 1 ? HOLD1 : RETIRE1, NULL, NULL, NULL);
	CHECK_ROW(row, rc == SQLITE_OK);
	sql = sqlite3_mprintf(
	    DEVICE_EVENT("%s", "1") SET_WITH("state = %d", "1"), matrix_action[action], to);
	rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
	sqlite3_free(sql);
	CHECK_ROW(row, rc == (legal ? SQLITE_OK : SQLITE_CONSTRAINT));
	sqlite3_exec(db, "ROLLBACK TO m; RELEASE m", NULL, NULL, NULL);
}

static void
test_matrix(void)
{
	sqlite3 *db = schema_open(true);

	sqlite3_exec(db, "BEGIN", NULL, NULL, NULL);
	for (int pass = 0; pass < 2; pass++) {
		for (int from = 0; from < 3; from++)
			for (int to = 0; to < 3; to++)
				for (size_t i = 0; i < 6; i++)
					matrix_try(db, from, to, i);
		/* The device's own trigger refuses the same without the event's. */
		CHECK(sqlite3_exec(db, "DROP TRIGGER event_order", NULL, NULL, NULL) == SQLITE_OK ||
		      pass == 1);
	}
	sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	sqlite3_close(db);
}

static const struct schema_case table_cases[] = {
	{ "insert", NULL, "INSERT INTO device_transition VALUES (2, 0, 'device-release')",
	    "device_transition: the life cycle is fixed" },
	{ "replace", NULL, "INSERT OR REPLACE INTO device_transition VALUES (0, 1, 'x')",
	    "device_transition: the life cycle is fixed" },
	{ "update", NULL, "UPDATE device_transition SET to_state = 0",
	    "device_transition: the life cycle is fixed" },
	{ "delete", NULL, "DELETE FROM device_transition",
	    "device_transition: the life cycle is fixed" },
	{ "state without event", NULL, SET("state = 1", "1"),
	    "device: the change has no event of its own" },
	{ "rekey", NULL, DEVICE_EVENT("rekey", "1"), NULL },
	{ "rekey of nobody", NULL, EVENT("rekey"), "event: its device is not registered" },
	{ "rekey of none there is", NULL, DEVICE_EVENT("rekey", "6"),
	    "event: its device is not registered" },
	{ "hold of nobody", NULL, EVENT("device-hold"), "event: its device is not registered" },
	{ "device of nobody", NULL, EVENT("device"), "event: its device is not registered" },
	{ "any event about a device", NULL, DEVICE_EVENT("holder", "1"), NULL },
	{ "any event about none there is", NULL, DEVICE_EVENT("holder", "6"),
	    "event: its device is not registered" },
};

static void
test_table(void)
{
	SCHEMA_CASES(table_cases);
}

/* ---- certificates ---- */

#define BY(actor, id, holder)                                                                      \
	"INSERT INTO event (id, time, actor, action, ca, certificate, holder, to_state) "          \
	"VALUES (" NEXT ", 100, " actor ", 'issue', 2, " id ", " holder ", 0);"
#define CERT7(holder, use)                                                                         \
	CERT("INSERT", "7", "2", "07", "3", holder, use, KEY("07"), "NULL", "0", "NULL", NEWEST)
#define OPERATOR(holder) DER("7") BY("1000", "7", holder) CERT7(holder, "1")
#define FRONT(holder) DER("7") BY("-2", "7", holder) CERT7(holder, "1")
/* Holder 7 is device 4 */
#define STATE4(action, state) DEVICE_EVENT(action, "4") SET_WITH("state = " state, "4")
#define PROOF4 DEVICE_EVENT("device", "4") SET_WITH("proofs = 1", "4")
/* Holder 9, EUI 6, device 6 */
#define HOLDER9 "INSERT INTO holder VALUES (9, 1, X'" EUI6 "', '1.2.3', 6);"
#define SIX_WITH(proofs, approved)                                                                 \
	DEVICE_EVENT("device", "6")                                                                \
	ADD("INSERT", "6", EUI6, "", proofs ", 0, " approved ", 100, " NEWEST) HOLDER9

static const struct schema_case certificate_cases[] = {
	{ "operator", NULL, OPERATOR("7"), NULL },
	{ "operator, not approved", SIX_WITH("0", "0"), OPERATOR("9"), NULL },
	{ "holder, not registered", NULL, HOLDER9, "device: is not registered" },
	{ "holder of another device", NULL,
	    "INSERT INTO holder VALUES (9, 1, X'" EUI6 "', '1.2.3', 5)",
	    "holder: identity is never changed" },
	{ "holder of another EUI-64",
	    DEVICE_EVENT("device", "6") ADD("INSERT", "6", EUI6, "", PLAIN),
	    "INSERT INTO holder VALUES (9, 1, X'0000000000000007', '1.2.3', 6)",
	    "device: is not registered" },
	{ "holder, no device", "PRAGMA ignore_check_constraints = ON;",
	    "INSERT INTO holder VALUES (9, 1, X'" EUI6 "', '1.2.3', NULL)",
	    "device: is not registered" },
	{ "holder, organisation with a device",
	    DEVICE_EVENT("device", "6") ADD("INSERT", "6", EUI6, "", PLAIN),
	    "INSERT INTO holder VALUES (9, 2, X'" EUI6 "', '', 6)", "device: is not registered" },
	{ "holder twice", SIX_WITH("0", "0"),
	    "INSERT OR REPLACE INTO holder VALUES (10, 1, X'" EUI6 "', '1.2.3', 6)",
	    "holder: identity is never changed" },
	{ "operator, on hold", STATE4("device-hold", "1"), OPERATOR("7"),
	    "device: is on hold in the register" },
	{ "operator, released", STATE4("device-hold", "1") STATE4("device-release", "0"),
	    OPERATOR("7"), NULL },
	{ "operator, retired", STATE4("device-retire", "2"), OPERATOR("7"), "device: is retired" },
	{ "holder, import goes on", FILLED, HOLDER9, "device: is not registered" },
	{ "holder, import dropped", FILLED DROP, HOLDER9, "device: is not registered" },
	{ "operator, import finished", FILLED FINISH HOLDER9, OPERATOR("9"), NULL },
	{ "another hwType",
	    DEVICE_EVENT("device", "6") ADD("INSERT", "6", EUI6, "",
		PLAIN) "INSERT INTO holder VALUES (9, 1, X'" EUI6 "', '1.2.4', 6);",
	    OPERATOR("9"), "device: is registered with another hwType" },
	{ "the service itself", NULL, ISSUE("7", "2", "07", "3", "7", "1", KEY("07"), "NULL"),
	    NULL },
	{ "front", PROOF4, FRONT("7"), NULL },
	{ "front, for agreement", PROOF4, DER("7") BY("-2", "7", "7") CERT7("7", "2"), NULL },
	{ "front, imported", FILLED FINISH HOLDER9, FRONT("9"), NULL },
	{ "front, no proof", NULL, FRONT("7"), "device: enrols only through operators" },
	{ "front, not approved", SIX_WITH("1", "0"), FRONT("9"), "device: is not approved" },
	{ "front, approved", SIX_WITH("1", "1"), FRONT("9"), NULL },
	{ "front, neither approved nor not",
	    "PRAGMA ignore_check_constraints = ON;" SIX_WITH("1", "2"), FRONT("9"),
	    "device: enrols only through operators" },
	{ "front, on hold", PROOF4 STATE4("device-hold", "1"), FRONT("7"),
	    "device: is on hold in the register" },
	{ "front, retired", PROOF4 STATE4("device-retire", "2"), FRONT("7"), "device: is retired" },
	{ "front, a service", NULL, DER("7") BY("-2", "7", "6") CERT7("6", "4"),
	    "certificate: only devices enrol by themselves" },
	{ "front, an organisation",
	    "INSERT INTO holder VALUES (9, 2, X'0000000000000001', '', NULL);", FRONT("9"),
	    "certificate: only devices enrol by themselves" },
	{ "front, a CA's use", PROOF4, DER("7") BY("-2", "7", "7") CERT7("7", "3"),
	    "certificate: only devices enrol by themselves" },
	{ "operator, a service", NULL, DER("7") BY("1000", "7", "6") CERT7("6", "4"), NULL },
};

static void
test_certificate(void)
{
	SCHEMA_CASES(certificate_cases);
}

#define FRONT_EVENT(action)                                                                        \
	"INSERT INTO event (id, time, actor, action) VALUES (" NEXT ", 100, -2, '" action "')"

static const struct schema_case front_cases[] = {
	{ "holder", NULL, FRONT_EVENT("holder"), NULL },
	{ "rekey", NULL,
	    "INSERT INTO event (id, time, actor, action, device) VALUES (" NEXT
	    ", 100, -2, 'rekey', 1)",
	    NULL },
	{ "hold", NULL,
	    "INSERT INTO event (id, time, actor, action, ca, certificate, from_state, to_state, "
	    "reason) VALUES (" NEXT ", 100, -2, 'hold', 2, 3, 0, 1, 6)",
	    "event: the front only enrols" },
	{ "revoke", NULL,
	    "INSERT INTO event (id, time, actor, action, ca, certificate, from_state, to_state, "
	    "reason) VALUES (" NEXT ", 100, -2, 'revoke', 2, 3, 0, 2, 4)",
	    "event: the front only enrols" },
	{ "device", NULL,
	    "INSERT INTO event (id, time, actor, action, device) VALUES (" NEXT
	    ", 100, -2, 'device', 6)",
	    "event: the front only enrols" },
	{ "approve", SIX,
	    "INSERT INTO event (id, time, actor, action, device) "
	    "VALUES (" NEXT ", 100, -2, 'device-approve', 6)",
	    "event: the front only enrols" },
	{ "import", NULL, FRONT_EVENT("import"), "event: the front only enrols" },
	{ "ca", NULL, FRONT_EVENT("ca"), "event: the front only enrols" },
	{ "access key", NULL, FRONT_EVENT("access-key"), "event: the front only enrols" },
	{ "key blocked", NULL, FRONT_EVENT("key-blocked"), "event: the front only enrols" },
	{ "nobody", NULL,
	    "INSERT INTO event (id, time, actor, action) VALUES (" NEXT ", 100, -3, 'holder')",
	    "event: its actor is nobody" },
};

static void
test_front(void)
{
	SCHEMA_CASES(front_cases);
}

/* ---- ways round ---- */

/* sqlite3_blob_write() fires no trigger. */
static void
test_blobs(void)
{
	static const struct {
		const char *table, *column;
	} columns[] = {
		{ "device", "eui" },
		{ "device", "hw_type" },
		{ "device", "manufacturer" },
		{ "device", "model" },
		{ "device", "region" },
		{ "device", "secret" },
		{ "device", "secret_key" },
		{ "device", "key" },
		{ "device_import", "name" },
		{ "access_key", "label" },
		{ "access_key", "kid" },
		{ "access_key", "point" },
	};
	sqlite3 *db = schema_open(false);
	sqlite3_blob *blob = NULL;

	CHECK(sqlite3_exec(db,
		  IMPORT ACCESS1 SECRET1 BIND1 DEVICE_EVENT("device", "1")
		      SET_WITH("proofs = 6, key = " B32, "1"),
		  NULL, NULL, NULL) == SQLITE_OK);
	CU_ASSERT_EQUAL(schema_int(db, "SELECT key IS NOT NULL FROM device WHERE id = 1"), 1);
	for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++)
		for (int write = 0; write < 2; write++) {
			blob = NULL;
			CHECK_ROW(columns[i].column,
			    (sqlite3_blob_open(db, "main", columns[i].table, columns[i].column, 1,
				 write, &blob) != SQLITE_OK) == (write == 1));
			sqlite3_blob_close(blob);
		}
	sqlite3_close(db);
}

/* Without checks and with tables of another database in the way. */
static void
test_settings(void)
{
	sqlite3 *db = schema_open(false);

	CHECK(sqlite3_exec(db,
		  "PRAGMA ignore_check_constraints = ON;"
		  "CREATE TEMP TABLE device_transition (from_state, to_state, action);"
		  "INSERT INTO temp.device_transition VALUES (2, 0, 'device-release');"
		  "CREATE TEMP TABLE device AS SELECT * FROM main.device;",
		  NULL, NULL, NULL) == SQLITE_OK);
	CHECK(sqlite3_exec(db,
		  DEVICE_EVENT("device-retire",
		      "1") "UPDATE main.device SET state = 2, event = " NEWEST " WHERE id = 1",
		  NULL, NULL, NULL) == SQLITE_OK);
	CHECK(sqlite3_exec(db, DEVICE_EVENT("device-release", "1"), NULL, NULL, NULL) ==
	      SQLITE_CONSTRAINT);
	CHECK(sqlite3_exec(db,
		  EVENT("init") "UPDATE main.device SET state = 0, event = " NEWEST " WHERE id = 1",
		  NULL, NULL, NULL) == SQLITE_CONSTRAINT);
	CHECK(sqlite3_exec(db,
		  DEVICE_EVENT("device-hold",
		      "2") "UPDATE main.device SET state = 7, event = " NEWEST " WHERE id = 2",
		  NULL, NULL, NULL) == SQLITE_CONSTRAINT);
	sqlite3_close(db);
}

static const struct test_case cases_[] = {
	{ "what may come in", test_insert },
	{ "what may change", test_change },
	{ "state x state x event", test_matrix },
	{ "transitions and events", test_table },
	{ "certificates", test_certificate },
	{ "the front's events", test_front },
	{ "blob handles", test_blobs },
	{ "settings of the connection", test_settings },
};

TEST_MAIN("schema_register", cases_)
