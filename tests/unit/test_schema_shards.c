/*
 * What the schema by itself enforces about deltas, shards and their lists: tried directly in SQL,
 * through a connection that knows nothing of the store.
 */
#include "schema_db.h"

#define CRL_EVENT                                                                                  \
	"INSERT INTO event (id, time, actor, action, ca) VALUES (" NEXT ", 100, -1, 'crl', 2);"
#define TAKE "INSERT INTO crl (ca, number, taken) VALUES (2, 3, 100);"
#define DELTA(base)                                                                                \
	"UPDATE crl SET event = " NEWEST " - 1, this_update = 100, next_update = 200, "            \
	"entries = 0, size = 9, sha256 = zeroblob(32), base = " base                               \
	" WHERE ca = 2 AND number = 3"

static const struct schema_case delta_cases[] = {
	{ "of the newest complete list", TAKE CRL_EVENT, DELTA("2"), NULL },
	{ "of a burnt number", TAKE CRL_EVENT, DELTA("1"), "is not the newest complete list" },
	{ "of itself", TAKE CRL_EVENT, DELTA("3"), "is not the newest complete list" },
	{ "of none", TAKE CRL_EVENT, DELTA("4"), "is not the newest complete list" },
	{ "of a delta",
	    TAKE CRL_EVENT DELTA(
		"2") ";INSERT INTO crl (ca, number, taken) VALUES (2, 4, 100);" CRL_EVENT,
	    "UPDATE crl SET event = " NEWEST " - 1, this_update = 100, next_update = 200, "
	    "entries = 0, size = 9, sha256 = zeroblob(32), base = 3 WHERE ca = 2 AND number = 4",
	    "is not the newest complete list" },
	{ "comes with a base", NULL,
	    "INSERT INTO crl (ca, number, taken, base) VALUES (2, 3, 100, 2)", "comes finished" },
	{ "made a delta", NULL, "UPDATE crl SET base = 1 WHERE ca = 2 AND number = 2",
	    "is not the newest complete list" },
	{ "made a delta of itself", NULL, "UPDATE crl SET base = 2 WHERE ca = 2 AND number = 2",
	    "a finished list is never changed" },
	{ "made complete", TAKE CRL_EVENT DELTA("2"),
	    "UPDATE crl SET base = NULL WHERE ca = 2 AND number = 3",
	    "a finished list is never changed" },
};

#define SHARD                                                                                      \
	"INSERT INTO crl_shard (ca, number, uri, changed_event) VALUES (2, 0, 'u', " NEWEST ");"
#define ISSUE7 DER("7") ISSUED("7", "2", "7", "0", "NULL", "100") SHARD
#define CERT7(shard, state, reason)                                                                \
	"INSERT INTO certificate (id, ca, serial, profile, holder, use, key_hash, not_before, "    \
	"not_after, issued_state, issued_reason, issued, issue_event, shard) VALUES (7, 2, "       \
	"X'07', 3, 7, 1, " KEY("07") ", 100, 1000, " state ", " reason ", 100, " NEWEST ", " shard \
				     ");"
#define ISSUE8(state, reason)                                                                      \
	DER("8")                                                                                   \
	ISSUED("8", "2", "8", state, reason, "100")                                                \
	"INSERT INTO certificate (id, ca, serial, profile, holder, use, key_hash, "                \
	"not_before, "                                                                             \
	"not_after, issued_state, issued_reason, issued, issue_event, shard) VALUES (8, 2, "       \
	"X'08', 3, 8, "                                                                            \
	"1, " KEY("08") ", 100, 1000, " state ", " reason ", 100, " NEWEST ", 0);"
#define ISSUED7 ISSUE7 CERT7("0", "0", "NULL")

static const struct schema_case shard_cases[] = {
	{ "first use", NULL, SHARD, NULL },
	{ "twice", SHARD, SHARD, "crl shard: is never changed" },
	{ "replaced", SHARD,
	    "INSERT OR REPLACE INTO crl_shard (ca, number, uri, changed_event) "
	    "VALUES (2, 0, 'v', " NEWEST ")",
	    "crl shard: is never changed" },
	{ "another with its URI", SHARD,
	    "INSERT OR REPLACE INTO crl_shard (ca, number, uri, changed_event) "
	    "VALUES (2, 1, 'u', " NEWEST ")",
	    "crl shard: is never changed" },
	{ "of no CA", NULL,
	    "INSERT INTO crl_shard (ca, number, uri, changed_event) VALUES (9, 0, 'u', " NEWEST ")",
	    "crl shard: its CA is not recorded" },
	{ "below 0", NULL,
	    "INSERT INTO crl_shard (ca, number, uri, changed_event) VALUES (2, -1, 'u', " NEWEST
	    ")",
	    "CHECK" },
	{ "without URI", NULL,
	    "INSERT INTO crl_shard (ca, number, uri, changed_event) VALUES (2, 0, '', " NEWEST ")",
	    "CHECK" },
	{ "not marked", NULL,
	    "INSERT INTO crl_shard (ca, number, uri, changed_event) VALUES (2, 0, 'u', 1)",
	    "begins changed" },
	{ "with a list", NULL,
	    "INSERT INTO crl_shard (ca, number, uri, changed_event, made) VALUES (2, 0, "
	    "'u', " NEWEST ", 5)",
	    "begins changed" },
	{ "URI changed", SHARD, "UPDATE crl_shard SET uri = 'v'", "crl shard: is never changed" },
	{ "moved", SHARD, "UPDATE crl_shard SET number = 1", "crl shard: is never changed" },
	{ "unmarked", SHARD, "UPDATE crl_shard SET changed_event = 1", "no later event" },
	{ "shown", SHARD, "UPDATE crl_shard SET shown_event = changed_event",
	    "its newest list is another one" },
	{ "made", SHARD, "UPDATE crl_shard SET made = 5", "its newest list is another one" },
	{ "deleted", SHARD, "DELETE FROM crl_shard", "crl shard: is never deleted" },
	{ "a CA of its name", "INSERT INTO ca (id, name, parent) VALUES (3, 'x', 1);" SHARD,
	    "INSERT INTO ca (id, name, parent) VALUES (4, 'issuing-0', 1)",
	    "ca: its name is that of a list" },
	{ "a CA of a delta's name", NULL,
	    "INSERT INTO ca (id, name, parent) VALUES (4, 'issuing-delta', 1)",
	    "ca: its name is that of a list" },
	{ "a CA whose list has the name of another",
	    "INSERT INTO ca (id, name, parent) VALUES (3, 'x-17', 1);",
	    "INSERT INTO ca (id, name, parent) VALUES (4, 'x', 1)",
	    "ca: its name is that of a list" },
	{ "CAs of other names", NULL,
	    "INSERT INTO ca (id, name, parent) VALUES (3, 'issuing-2b', 1), (4, 'issuing-', 1), "
	    "(5, 'issuing2', 1), (6, 'issuing-delta2', 1), (7, 'region-1', 1)",
	    NULL },
	{ "issued", ISSUE7, CERT7("0", "0", "NULL"), NULL },
	{ "issued into none", ISSUE7, CERT7("NULL", "0", "NULL"), NULL },
	{ "issued into one not there", ISSUE7, CERT7("1", "0", "NULL"),
	    "its shard is not recorded" },
	{ "issued into another CA's",
	    DER("7") ISSUED(
		"7", "2", "7", "0", "NULL", "100") "INSERT INTO crl_shard (ca, number, uri, "
						   "changed_event) VALUES (1, 0, 'v', " NEWEST ");",
	    CERT7("0", "0", "NULL"), "its shard is not recorded" },
	{ "issued into one to come",
	    ISSUE7
	    "INSERT INTO crl_shard (ca, number, uri, changed_event) VALUES (2, 1, 'v', " NEWEST
	    ");",
	    CERT7("1", "0", "NULL"), "its shard is not the one of its number" },
	{ "into another later", ISSUED7, "UPDATE certificate SET shard = NULL WHERE id = 7",
	    "what was issued is never changed" },
	{ "into one later", NULL, "UPDATE certificate SET shard = 0 WHERE id = 3",
	    "what was issued is never changed" },
};

#define SHARD_TAKE                                                                                 \
	ISSUED7 "INSERT INTO crl_shard_list (ca, shard, number, taken) VALUES (2, 0, 1, 100);"
#define SHARD_FINISH(number, event, time)                                                          \
	"UPDATE crl_shard_list SET event = " event ", this_update = " time                         \
	", next_update = 200, entries = 0, size = 9, sha256 = zeroblob(32) "                       \
	"WHERE ca = 2 AND shard = 0 AND number = " number ";"
#define FINISHED SHARD_TAKE CRL_EVENT SHARD_FINISH("1", NEWEST " - 1", "100")
#define SECOND                                                                                     \
	FINISHED "INSERT INTO crl_shard_list (ca, shard, number, taken) VALUES (2, 0, 2, "         \
		 "100);" CRL_EVENT

static const struct schema_case list_cases[] = {
	{ "first", SHARD_TAKE CRL_EVENT, SHARD_FINISH("1", NEWEST " - 1", "100"), NULL },
	{ "second", SECOND, SHARD_FINISH("2", NEWEST " - 1", "100"), NULL },
	{ "number skipped", SHARD_TAKE,
	    "INSERT INTO crl_shard_list (ca, shard, number, taken) VALUES (2, 0, 3, 100)",
	    "number is not the next one" },
	{ "number again", SHARD_TAKE,
	    "INSERT OR REPLACE INTO crl_shard_list (ca, shard, number, taken) VALUES (2, 0, 1, 1)",
	    "number is not the next one" },
	{ "of no shard", NULL,
	    "INSERT INTO crl_shard_list (ca, shard, number, taken) VALUES (2, 0, 1, 100)",
	    "its shard is not recorded" },
	{ "finished twice", FINISHED CRL_EVENT, SHARD_FINISH("1", NEWEST " - 1", "100"),
	    "a finished list is never changed" },
	{ "older event", SECOND, SHARD_FINISH("2", "1", "100"), "is older than a finished one" },
	{ "older time", SECOND, SHARD_FINISH("2", NEWEST " - 1", "99"),
	    "is older than a finished one" },
	{ "no event", SHARD_TAKE EVENT("init"), SHARD_FINISH("1", NEWEST " - 1", "100"),
	    "has no event of its own" },
	{ "renumbered", SHARD_TAKE CRL_EVENT, "UPDATE crl_shard_list SET number = 2",
	    "a finished list is never changed" },
	{ "deleted", SHARD_TAKE, "DELETE FROM crl_shard_list", "a number is never deleted" },
	{ "half finished", SHARD_TAKE CRL_EVENT, "UPDATE crl_shard_list SET event = " NEWEST " - 1",
	    "CHECK" },
};

static void
test_delta(void)
{
	SCHEMA_CASES(delta_cases);
}

static void
test_shard(void)
{
	SCHEMA_CASES(shard_cases);
}

static void
test_list(void)
{
	SCHEMA_CASES(list_cases);
}

/* Of a number so small that it is full. */
static void
test_behind(void)
{
	sqlite3 *db = schema_open(false);
	char *msg = NULL;

	CHECK(
	    sqlite3_exec(db,
		"PRAGMA ignore_check_constraints = ON;" DER("7") ISSUED("7", "2", "7", "0", "NULL",
		    "100") "INSERT INTO crl_shard (ca, number, uri, changed_event) VALUES "
			   "(2, -1, 'u', " NEWEST "), (2, -2, 'v', " NEWEST ");",
		NULL, NULL, NULL) == SQLITE_OK);
	CHECK(sqlite3_exec(db, CERT7("-2", "0", "NULL"), NULL, NULL, &msg) == SQLITE_CONSTRAINT);
	CHECK(msg != NULL && strstr(msg, "its shard is not the one of its number") != NULL);
	sqlite3_free(msg);
	CHECK(sqlite3_exec(db, CERT7("-1", "0", "NULL"), NULL, NULL, NULL) == SQLITE_OK);
	sqlite3_close(db);
}

/* A list clears the mark, a change of state sets it again. */
static void
test_mark(void)
{
	static const char marked[] =
	    "SELECT count(*) FROM crl_shard WHERE changed_event > shown_event";
	sqlite3 *db = schema_open(true);

	CHECK(sqlite3_exec(db, "BEGIN;" SHARD_TAKE CRL_EVENT, NULL, NULL, NULL) == SQLITE_OK);
	CHECK(schema_int(db, marked) == 1);
	CHECK(sqlite3_exec(db, SHARD_FINISH("1", NEWEST " - 1", "100"), NULL, NULL, NULL) ==
	      SQLITE_OK);
	CHECK(schema_int(db, marked) == 0);
	CHECK(schema_int(db, "SELECT made FROM crl_shard") == 100);
	CHECK(sqlite3_exec(db, CHANGED("hold", "7", "0", "1", "6"), NULL, NULL, NULL) == SQLITE_OK);
	CHECK(schema_int(db, marked) == 1);
	/* What is issued marks its shard when it begins on hold. */
	CHECK(sqlite3_exec(db, "ROLLBACK; BEGIN;" FINISHED ISSUE8("0", "NULL"), NULL, NULL, NULL) ==
	      SQLITE_OK);
	CHECK(schema_int(db, marked) == 0);
	CHECK(sqlite3_exec(db, "ROLLBACK; BEGIN;" FINISHED ISSUE8("1", "6"), NULL, NULL, NULL) ==
	      SQLITE_OK);
	CHECK(schema_int(db, marked) == 1);
	/* A certificate of no shard marks none. */
	CHECK(sqlite3_exec(db, "ROLLBACK; BEGIN;" FINISHED, NULL, NULL, NULL) == SQLITE_OK);
	CHECK(sqlite3_exec(db, CHANGED("hold", "3", "0", "1", "6"), NULL, NULL, NULL) == SQLITE_OK);
	CHECK(schema_int(db, marked) == 0);
	sqlite3_close(db);
}

static const struct test_case cases[] = {
	{ "deltas", test_delta },
	{ "shards", test_shard },
	{ "shards that are full", test_behind },
	{ "their lists", test_list },
	{ "marks", test_mark },
};
TEST_MAIN("schema_shards", cases)
