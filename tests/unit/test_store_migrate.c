/*
 * A database of the first schema only, with certificates in it, is brought up to date by opening
 * it: who has certificates stands in the register then.
 */
#include "smki/embed.h"

#include "schema_db.h"
#include "device_db.h"

/* What stands in 001-first.sql and nothing later. */
static void
old_make(void)
{
	static const char pragma[] =
	    "PRAGMA user_version = 1; PRAGMA application_id = 0x736d6b69; PRAGMA journal_mode=WAL";
	sqlite3 *db = NULL;
	char *msg = NULL;
	int keep = 1;

	CHECK(sqlite3_open(path, &db) == SQLITE_OK);
	sqlite3_file_control(db, "main", SQLITE_FCNTL_PERSIST_WAL, &keep);
	CHECK_STR(schema_text[0].name, "001-first.sql");
	CHECK(sqlite3_exec(db, schema_text[0].text, NULL, NULL, &msg) == SQLITE_OK);
	CHECK(sqlite3_exec(db, pragma, NULL, NULL, NULL) == SQLITE_OK);
	CHECK(sqlite3_exec(db,
		  EVENT("init") "INSERT INTO profile (name) VALUES ('device-signature');"
				"INSERT INTO ca (id, name, parent) VALUES (1, 'root', 1);"
				/* devices 7 and 9, an organisation, device 11 without event */
				"INSERT INTO holder (kind, name, hw_type) VALUES "
				"(1, X'0000000000000007', '1.2.3'), (2, X'0000000000000008', ''), "
				"(1, X'0000000000000009', '1.2.4'), (1, X'000000000000000b', "
				"'1.2.3');"
				"INSERT INTO event (time, actor, action, holder) VALUES "
				"(200, 0, 'holder', 1), (200, 0, 'holder', 2), (300, 0, 'holder', "
				"3);" DER("1") ISSUED("1", "1", "1", "0", "NULL",
				    "300") "INSERT INTO certificate (id, ca, serial, profile, "
					   "holder, use, "
					   "key_hash, not_before, not_after, state, changed, "
					   "event) VALUES "
					   "(1, 1, X'01', 1, 1, 1, " KEY(
					       "01") ", 100, 1000, 0, 300, " NEWEST ")",
		  NULL, NULL, &msg) == SQLITE_OK);
	if (msg != NULL)
		fprintf(stderr, "  %s\n", msg);
	sqlite3_free(msg);
	sqlite3_close(db);
}

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
	old_make();
	/* a reader waits for the writer to have been there */
	CHECK(store_open(path, STORE_READ, &store, &err) != 0 && err.code == FAIL_UNAVAILABLE);
	MUST(store_open(path, STORE_WRITE, &store, &err));
	CHECK(count("PRAGMA user_version") >= 2);
	CU_ASSERT_EQUAL(newest_event(store), 5); /* not one more */
	CU_ASSERT_EQUAL(count("SELECT count(*) FROM device"), 3);
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

static const struct test_case cases_[] = {
	{ "first schema", test_migrate },
};

TEST_MAIN("store_migrate", cases_)
