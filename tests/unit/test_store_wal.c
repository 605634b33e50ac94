/*
 * The writer's write-ahead log goes to its file in large pieces: what is committed is there for
 * everybody the moment COMMIT returns, what is not is nowhere, and a disk without room costs the
 * one transaction. A foreign handle, with SQLite's own file functions, looks on.
 */
#include <errno.h>

#include "store_db.h"

/* ---- a disk without room ---- */

static long room = -1; /* octets that may still be written, -1 = any */
static long n_writes;

static ssize_t
write_some(int fd, const void *data, size_t len, off_t at)
{
	n_writes++;
	if (room == 0) {
		errno = ENOSPC;
		return -1;
	}
	if (room > 0 && len > (size_t)room)
		len = (size_t)room;
	if (room > 0)
		room -= (long)len;
	return pwrite(fd, data, len, at);
}

/* Under whichever of its names this SQLite writes with. */
static void
disk(bool ours)
{
	sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
	static const char *const names[] = { "pwrite", "pwrite64" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (vfs->xGetSystemCall(vfs, names[i]) != NULL)
			CHECK(vfs->xSetSystemCall(vfs, names[i],
				  ours ? (sqlite3_syscall_ptr)write_some : NULL) == SQLITE_OK);
	room = -1;
	n_writes = 0;
}

/* ---- two handles ---- */

static struct store *store;
static sqlite3 *writer, *foreign;
static const char *writer_name; /* of the file functions that the writer goes through */
static const struct store_actor talkative = { .uid = 1000,
	.now = 1000,
	.detail = "some two hundred octets of detail, so that few of them fill a page: "
		  "0123456789012345678901234567890123456789012345678901234567890123456789"
		  "0123456789012345678901234567890123456789012345678901234567" };

static int
run(const char *sql)
{
	return sqlite3_exec(writer, sql, NULL, NULL, NULL);
}

static int64_t
ask(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *stmt = NULL;
	int64_t out = -1;

	CHECK(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK);
	if (sqlite3_step(stmt) == SQLITE_ROW)
		out = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return out;
}

/* What a machine that lost its power now would come up with: the answer of a copy of the files. */
static int64_t
ask_copy(const char *sql)
{
	static const char *const tail[] = { "", "-wal" };
	char from[128], to[128];
	struct buf octets = { 0 };
	sqlite3 *copy = NULL;
	struct err err;
	int64_t out;

	snprintf(to, sizeof(to), "%s/copy", dir);
	MUST(file_remove_tree(to, &err));
	MUST(file_make_dir(to, 0700, &err));
	for (size_t i = 0; i < ARRAY_LEN(tail); i++) {
		snprintf(from, sizeof(from), "%s%s", path, tail[i]);
		snprintf(to, sizeof(to), "%s/copy/db%s", dir, tail[i]);
		buf_reset(&octets);
		MUST(file_read(from, 64 << 20, &octets, &err));
		MUST(file_write(to, octets.data, octets.len, 0600, &err));
	}
	buf_free(&octets);
	snprintf(to, sizeof(to), "%s/copy/db", dir);
	CHECK(sqlite3_open(to, &copy) == SQLITE_OK);
	out = ask(copy, sql);
	sqlite3_close(copy);
	return out;
}

/* n rows of a kilobyte. */
static int
rows(int n)
{
	char sql[256];

	snprintf(sql, sizeof(sql),
	    "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < %d) "
	    "INSERT INTO t (x) SELECT randomblob(1000) FROM c",
	    n);
	return run(sql);
}

static void
open_writer(void)
{
	int keep = 1;

	CHECK(sqlite3_open_v2(path, &writer, SQLITE_OPEN_READWRITE, writer_name) == SQLITE_OK);
	sqlite3_file_control(writer, "main", SQLITE_FCNTL_PERSIST_WAL, &keep);
	CHECK(run("PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0") == SQLITE_OK);
}

static void
begin_world(void)
{
	struct err err;

	store_dir();
	/* Opening one for writing is what makes the name known. */
	MUST(store_open(path, STORE_CREATE, &store, &err));
	writer_name = "smki";
	open_writer();
	disk(true);
	CHECK(run("CREATE TABLE t (id INTEGER PRIMARY KEY, x BLOB NOT NULL)") == SQLITE_OK);
	CHECK(sqlite3_open_v2(path, &foreign, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK);
}

static void
end_world(void)
{
	disk(false);
	sqlite3_close(writer);
	sqlite3_close(foreign);
	store_close(store);
	store_dir_end();
}

/* ---- tests ---- */

/* Of all sizes: in one piece, in several, and so that pieces end in the middle of a frame. */
static void
test_committed(void)
{
	static const int sizes[] = { 1, 2, 29, 30, 31, 32, 33, 100, 400, 1 };
	int64_t n = 0;
	long writes = 0;

	begin_world();
	disk(true);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		n_writes = 0;
		CHECK(rows(sizes[i]) == SQLITE_OK);
		writes += n_writes;
		n += sizes[i];
		CU_ASSERT_EQUAL(ask(foreign, "SELECT count(*) FROM t"), n);
		CU_ASSERT_EQUAL(ask(foreign, "SELECT sum(length(x)) FROM t"), n * 1000);
		CU_ASSERT_EQUAL(ask_copy("SELECT sum(length(x)) FROM t"), n * 1000);
	}
	/* Some 200 frames, each of which would be written in two. */
	CHECK(writes > 0 && writes < 50);
	/* The writer reads what it wrote before it is committed. */
	CHECK(run("PRAGMA cache_size=10") == SQLITE_OK && run("BEGIN IMMEDIATE") == SQLITE_OK);
	CHECK(rows(100) == SQLITE_OK);
	CU_ASSERT_EQUAL(ask(writer, "SELECT sum(length(x)) FROM t"), (n + 100) * 1000);
	CU_ASSERT_EQUAL(ask(foreign, "SELECT sum(length(x)) FROM t"), n * 1000);
	CHECK(run("COMMIT") == SQLITE_OK);
	CU_ASSERT_EQUAL(ask(foreign, "SELECT sum(length(x)) FROM t"), (n + 100) * 1000);
	disk(false);
	CU_ASSERT_EQUAL(
	    ask(foreign, "SELECT integrity_check = 'ok' FROM pragma_integrity_check"), 1);
	end_world();
}

/* Events enough that the page cache does not take them all: the log has some before COMMIT. */
static void
many_events(int n)
{
	struct err err;

	for (int i = 0; i < n; i++)
		MUST(store_event_add(store, &talkative, "init", 0, &err));
}

static void
check_foreign(int64_t rows_there, int64_t events)
{
	CU_ASSERT_EQUAL(ask(foreign, "SELECT count(*) FROM t"), rows_there);
	CU_ASSERT_EQUAL(ask(foreign, "SELECT count(*) FROM event"), events);
	CU_ASSERT_EQUAL(ask_copy("SELECT count(*) FROM event"), events);
	CU_ASSERT_EQUAL(
	    ask(foreign, "SELECT integrity_check = 'ok' FROM pragma_integrity_check"), 1);
}

/* Frames are read again before they are committed, and go with a rollback, in part or in full. */
static void
test_undone(void)
{
	int64_t events, newest = 0;
	struct err err = { 0 };
	bool fatal;
	time_t at;

	begin_world();
	MUST(store_cache(store, 1, &err));
	events = ask(foreign, "SELECT count(*) FROM event");
	MUST(store_begin(store, &err));
	n_writes = 0;
	many_events(6000);
	CHECK(n_writes >= 2);
	MUST(store_savepoint(store, &err));
	many_events(3000);
	/* SQLite's frames would not follow from one another. */
	CHECK(store_undo(store, &err) == -1 && err.code == FAIL_LIMIT);
	store_rollback(store);
	check_foreign(0, events);
	MUST(store_begin(store, &err));
	many_events(100);
	MUST(store_savepoint(store, &err));
	many_events(3);
	MUST(store_undo(store, &err));
	many_events(5900);
	MUST(store_event_newest(store, &newest, &at, &err));
	CU_ASSERT_EQUAL(newest, events + 6000);
	check_foreign(0, events);
	MUST(store_commit(store, &fatal, &err));
	check_foreign(0, events + 6000);
	/* After a rollback another writer may have the place. With all of it copied nothing of the
	 * log is read meanwhile: what was undone is still held. */
	MUST(store_checkpoint(store, NULL, &err));
	MUST(store_begin(store, &err));
	many_events(6000);
	store_rollback(store);
	writer_name = NULL;
	sqlite3_close(writer);
	open_writer();
	CHECK(rows(3000) == SQLITE_OK);
	check_foreign(3000, events + 6000);
	MUST(store_begin(store, &err));
	many_events(1);
	MUST(store_commit(store, &fatal, &err));
	check_foreign(3000, events + 6001);
	/* So it may when a handle ended in the middle. */
	MUST(store_checkpoint(store, NULL, &err));
	MUST(store_begin(store, &err));
	many_events(6000);
	store_close(store);
	CHECK(rows(3000) == SQLITE_OK);
	MUST(store_open(path, STORE_WRITE, &store, &err));
	check_foreign(6000, events + 6001);
	end_world();
}

/* Wherever the room ends: COMMIT says so and may be tried again, nothing is recorded, and the next
 * one is whole. */
static void
test_no_room(void)
{
	static const long rooms[] = { 0, 1, 24, 4119, 4120, 4121, 8240, 100000, 200000 };
	struct err err = { 0 };
	int64_t events;
	bool fatal;

	begin_world();
	events = ask(foreign, "SELECT count(*) FROM event");
	for (size_t i = 0; i < ARRAY_LEN(rooms); i++) {
		MUST(store_begin(store, &err));
		many_events(1000);
		room = rooms[i];
		fatal = true;
		CHECK(store_commit(store, &fatal, &err) == -1 && !fatal &&
		      err.code == FAIL_UNAVAILABLE);
		room = -1;
		check_foreign(0, events);
		MUST(store_begin(store, &err));
		many_events(1);
		MUST(store_commit(store, &fatal, &err));
		check_foreign(0, ++events);
	}
	end_world();
}

/* What neither the page cache takes nor the disk: the transaction ends where it is read again. */
static void
test_no_room_to_read(void)
{
	const struct store_filter filter = { .since = 1000 };
	struct err err = { 0 };
	bool fatal = true;
	int64_t events;

	begin_world();
	MUST(store_cache(store, 1, &err));
	events = ask(foreign, "SELECT count(*) FROM event");
	MUST(store_begin(store, &err));
	many_events(6000);
	room = 0;
	CHECK(store_cert_each(store, &filter, NULL, NULL, &err) == -1 &&
	      err.code == FAIL_UNAVAILABLE);
	room = -1;
	CHECK(!store_in_transaction(store));
	check_foreign(0, events);
	MUST(store_begin(store, &err));
	many_events(6000);
	MUST(store_commit(store, &fatal, &err));
	check_foreign(0, events + 6000);
	end_world();
}

static const struct test_case cases_[] = {
	{ "committed", test_committed },
	{ "undone", test_undone },
	{ "no room", test_no_room },
	{ "no room to read", test_no_room_to_read },
};

TEST_MAIN("store_wal", cases_)
