/*
 * For the tests of schema/: a database of a few rows in memory, SQL texts for its rows, and tables
 * of cases that are tried with SQLite's default settings and with the store's.
 */
#ifndef SCHEMA_DB_H
#define SCHEMA_DB_H

#include <stdbool.h>

#include <sqlite3.h>

#include "smki/embed.h"

#include "test.h"

/* Rows of the base database. Times 100; certificates: 1 root CA, 2 issuing CA, then devices' (3
 * valid, 4 on hold, 5 revoked), 6 the OCSP responder of CA 2. Holders: 1 and 2 the CAs, 3 to 5
 * the devices, 6 the responder, 7 and 8 devices without certificate. The register knows the devices
 * of holders 3, 4, 5, 7 and 8 by the numbers 1 to 5: approved, without proofs. */
#define Z30 "000000000000000000000000000000000000000000000000000000000000"
#define KEY(two) "X'" two Z30 "00'"
#define KEY_TAIL(two) "X'" Z30 "00" two "'"
#define DER(id) "INSERT INTO certificate_der VALUES (" id ", X'3000');"
#define NEWEST "(SELECT max(id) FROM event)"
/* The number that an event is given when it is written. */
#define NEXT "(SELECT 1 + coalesce(max(id), 0) FROM event)"
#define ISSUED(id, ca, holder, to, reason, time)                                                   \
	"INSERT INTO event (id, time, actor, action, ca, certificate, holder, to_state, reason) "  \
	"VALUES (" NEXT ", " time ", -1, 'issue', " ca ", " id ", " holder ", " to ", " reason     \
	");"
#define CERT(verb, id, ca, serial, profile, holder, use, key, replaces, state, reason, event)      \
	verb " INTO certificate (id, ca, serial, profile, holder, use, key_hash, not_before, "     \
	     "not_after, replaces, issued_state, issued_reason, issued, issue_event) VALUES (" id  \
	     ", " ca ", X'" serial "', " profile ", " holder ", " use ", " key                     \
	     ", 100, 1000, " replaces ", " state ", " reason ", 100, " event ");"
#define DEVICE_EVENT(action, id)                                                                   \
	"INSERT INTO event (id, time, actor, action, device) VALUES (" NEXT ", 100, -1, '" action  \
	"', " id ");"
#define DEVICE(id, eui)                                                                            \
	DEVICE_EVENT("device", id)                                                                 \
	"INSERT INTO device (id, eui, hw_type, proofs, end_to_end, approved, registered, event) "  \
	"VALUES (" id ", X'" eui "', '1.2.3', 0, 0, 1, 100, " NEWEST ");"
#define ISSUE(id, ca, serial, profile, holder, use, key, replaces)                                 \
	DER(id)                                                                                    \
	ISSUED(id, ca, holder, "0", "NULL", "100")                                                 \
	CERT("INSERT", id, ca, serial, profile, holder, use, key, replaces, "0", "NULL", NEWEST)
#define EVENT(action)                                                                              \
	"INSERT INTO event (id, time, actor, action) VALUES (" NEXT ", 100, -1, '" action "');"
#define CHANGED(action, id, from, to, reason)                                                      \
	"INSERT INTO event (id, time, actor, action, ca, certificate, from_state, to_state, "      \
	"reason) "                                                                                 \
	"VALUES (" NEXT ", 100, -1, '" action "', 2, " id ", " from ", " to ", " reason ");"

static const char *const base[] = {
	EVENT("init"),
	"INSERT INTO profile (name) VALUES ('root-ca'), ('issuing-ca'), ('device-signature'), "
	"('device-agreement'), ('ocsp')",
	"INSERT INTO ca (id, name, parent) VALUES (1, 'root', 1), (2, 'issuing', 1)",
	DEVICE("1", "0000000000000001") DEVICE("2", "0000000000000002"),
	DEVICE("3", "0000000000000003") DEVICE("4", "0000000000000004"),
	DEVICE("5", "0000000000000005"),
	"INSERT INTO holder (kind, name, hw_type, device) VALUES (3, X'72', '', NULL), "
	"(3, X'63', '', NULL), (1, X'0000000000000001', '1.2.3', 1), "
	"(1, X'0000000000000002', '1.2.3', 2), (1, X'0000000000000003', '1.2.3', 3), "
	"(3, X'6f', '', NULL), (1, X'0000000000000004', '1.2.3', 4), "
	"(1, X'0000000000000005', '1.2.3', 5)",
	ISSUE("1", "1", "01", "1", "1", "3", KEY("01"), "NULL"),
	"UPDATE ca SET certificate = 1 WHERE id = 1",
	ISSUE("2", "1", "02", "2", "2", "3", KEY("02"), "NULL"),
	"UPDATE ca SET certificate = 2 WHERE id = 2",
	ISSUE("3", "2", "03", "3", "3", "1", KEY("03"), "NULL"),
	ISSUE("4", "2", "04", "3", "4", "1", KEY("04"), "NULL"),
	CHANGED("hold", "4", "0", "1", "6"),
	ISSUE("5", "2", "05", "3", "5", "1", KEY("05"), "NULL"),
	CHANGED("revoke", "5", "0", "2", "1"),
	ISSUE("6", "2", "06", "5", "6", "4", KEY("06"), "NULL"),
	"INSERT INTO responder VALUES (2, 6)",
	"INSERT INTO crl (ca, number, taken) VALUES (2, 1, 100), (2, 2, 100)",
	"INSERT INTO event (id, time, actor, action, ca) VALUES (" NEXT ", 100, -1, 'crl', 2)",
	"UPDATE crl SET event = " NEWEST " - 1, this_update = 100, next_update = 200, entries = 2, "
	"size = 300, sha256 = zeroblob(32) WHERE ca = 2 AND number = 2",
};

static inline sqlite3 *
schema_open(bool strict)
{
	sqlite3 *db = NULL;
	char *msg = NULL;

	if (sqlite3_open(":memory:", &db) != SQLITE_OK)
		abort();
	if (strict)
		sqlite3_exec(
		    db, "PRAGMA foreign_keys=ON; PRAGMA recursive_triggers=ON", NULL, NULL, NULL);
	for (const struct embed_file *f = schema_text; f->name != NULL; f++)
		if (sqlite3_exec(db, f->text, NULL, NULL, &msg) != SQLITE_OK)
			goto fail;
	if (sqlite3_exec(db, "BEGIN", NULL, NULL, &msg) != SQLITE_OK)
		goto fail;
	for (size_t i = 0; i < sizeof base / sizeof base[0]; i++)
		if (sqlite3_exec(db, base[i], NULL, NULL, &msg) != SQLITE_OK)
			goto fail;
	if (sqlite3_exec(db, "COMMIT", NULL, NULL, &msg) != SQLITE_OK)
		goto fail;
	return db;
fail:
	fprintf(stderr, "  base: %s\n", msg);
	abort();
}

static inline int64_t
schema_int(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *stmt = NULL;
	int64_t value = -99;

	CHECK(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK);
	if (sqlite3_step(stmt) == SQLITE_ROW)
		value = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return value;
}

/* before must pass; try must be refused with want (NULL: pass). Everything is undone. */
struct schema_case {
	const char *name;
	const char *before;
	const char *try;
	const char *want;
};

static inline void
schema_try(sqlite3 *db, const struct schema_case *c)
{
	char *msg = NULL;
	int rc;

	sqlite3_exec(db, "BEGIN", NULL, NULL, NULL);
	rc = c->before == NULL ? SQLITE_OK : sqlite3_exec(db, c->before, NULL, NULL, &msg);
	if (rc != SQLITE_OK)
		fprintf(stderr, "  row \"%s\": before: %s\n", c->name, msg);
	CHECK_ROW(c->name, rc == SQLITE_OK);
	sqlite3_free(msg);
	msg = NULL;
	rc = sqlite3_exec(db, c->try, NULL, NULL, &msg);
	if (c->want == NULL) {
		if (rc != SQLITE_OK)
			fprintf(stderr, "  row \"%s\": %s\n", c->name, msg);
		CHECK_ROW(c->name, rc == SQLITE_OK);
	} else {
		if (msg == NULL || strstr(msg, c->want) == NULL)
			fprintf(stderr, "  row \"%s\": got %s, want %s\n", c->name,
			    msg != NULL ? msg : "no refusal", c->want);
		CHECK_ROW(c->name, msg != NULL && strstr(msg, c->want) != NULL);
	}
	sqlite3_free(msg);
	sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
}

/* One pair of databases for all tables of a program: each case undoes what it did. */
static inline void
schema_cases(const struct schema_case *cases, size_t n)
{
	static sqlite3 *db[2];

	for (int strict = 0; strict < 2; strict++) {
		if (db[strict] == NULL)
			db[strict] = schema_open(strict);
		for (size_t i = 0; i < n; i++)
			schema_try(db[strict], &cases[i]);
	}
}
#define SCHEMA_CASES(cases) schema_cases((cases), sizeof(cases) / sizeof((cases)[0]))

#endif
