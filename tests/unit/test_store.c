/*
 * The store's handle on real SQLite files: opening, transactions, readers beside the writer,
 * failures. The schema's rules are tested in test_schema*.c, rows in test_store_rows.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../src/io/db.h"
#include "store_db.h"

static bool
there(const char *tail)
{
	char name[128];

	snprintf(name, sizeof name, "%s%s", path, tail);
	return access(name, F_OK) == 0;
}

static int
mode_of(const char *tail)
{
	char name[128];
	struct stat st;

	snprintf(name, sizeof name, "%s%s", path, tail);
	return stat(name, &st) == 0 ? (int)(st.st_mode & 07777) : -1;
}

/* ---- opening ---- */

static void
test_open(void)
{
	struct store *store = NULL;
	struct err err;
	mode_t mask = umask(0077);
	int fd;

	store_dir();
	CHECK(store_open(path, STORE_WRITE, &store, &err) != 0 && err.code == FAIL_NOT_FOUND);
	CHECK(store_open(path, STORE_READ, &store, &err) != 0 && err.code == FAIL_NOT_FOUND);
	MUST(store_open(path, STORE_CREATE, &store, &err));
	CU_ASSERT_EQUAL(mode_of(""), 0640);
	CU_ASSERT_EQUAL(mode_of("-wal"), 0640);
	CU_ASSERT_EQUAL(mode_of("-shm"), 0640);
	store_close(store);
	store = NULL;
	umask(mask);
	/* -wal and -shm outlive the last writer */
	CHECK(there("-wal") && there("-shm"));
	CHECK(store_open(path, STORE_CREATE, &store, &err) != 0 && err.code == FAIL_CONFLICT);
	CHECK(store == NULL);
	CHECK(there(""));
	MUST(store_open(path, STORE_WRITE, &store, &err));
	store_close(store);
	MUST(store_open(path, STORE_READ, &store, &err));
	CHECK(store_begin(store, &err) != 0 && err.code == FAIL_INTERNAL);
	store_close(store);
	store = NULL;

	CU_ASSERT_EQUAL(raw("PRAGMA user_version=999"), SQLITE_OK);
	CHECK(store_open(path, STORE_WRITE, &store, &err) != 0 && err.code == FAIL_INVALID);
	CHECK(strstr(err.msg, "newer") != NULL);
	CHECK(store_open(path, STORE_READ, &store, &err) != 0 && err.code == FAIL_INVALID);
	CU_ASSERT_EQUAL(raw("PRAGMA user_version=0"), SQLITE_OK);
	CHECK(store_open(path, STORE_READ, &store, &err) != 0 && err.code == FAIL_UNAVAILABLE);
	/* 001 applied twice meets its own tables */
	CHECK(store_open(path, STORE_WRITE, &store, &err) != 0 && err.code == FAIL_INTERNAL);
	CU_ASSERT_EQUAL(raw("PRAGMA user_version=1; PRAGMA application_id=7"), SQLITE_OK);
	CHECK(store_open(path, STORE_WRITE, &store, &err) != 0 && err.code == FAIL_INVALID);
	store_close(NULL);
	store_dir_end();

	/* another program's database is left as it is */
	store_dir();
	CU_ASSERT_EQUAL(raw("CREATE TABLE t (x)"), SQLITE_OK);
	CHECK(store_open(path, STORE_WRITE, &store, &err) != 0 && err.code == FAIL_INVALID);
	CHECK(!there("-wal"));
	store_dir_end();

	store_dir();
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	CHECK(write(fd,
		  "this is no database but a text that is longer than a header of a hundred "
		  "octets, in which SQLite looks for its name.....................",
		  128) == 128);
	close(fd);
	CHECK(store_open(path, STORE_WRITE, &store, &err) != 0 && err.code == FAIL_INVALID);
	CHECK(store_open(path, STORE_READ, &store, &err) != 0 && err.code == FAIL_INVALID);
	/* nor is an empty file, such as a CREATE killed at its beginning leaves */
	CHECK(truncate(path, 0) == 0);
	CHECK(store_open(path, STORE_WRITE, &store, &err) != 0 && err.code == FAIL_INVALID);
	CHECK(store == NULL);
	store_dir_end();

	strcpy(path, "/tmp/smki-no-such-folder/smki.db");
	CHECK(store_open(path, STORE_CREATE, &store, &err) != 0 && err.code == FAIL_UNAVAILABLE);
}

/* ---- transactions ---- */

/* A view within a view is the outer one, and lasts until both have ended. */
static void
test_views(void)
{
	struct store *store = store_new(), *reader = NULL;
	int64_t before = newest_event(store);
	struct err err;
	bool fatal;

	MUST(store_open(path, STORE_READ, &reader, &err));
	MUST(store_view_begin(reader, &err));
	MUST(store_begin(store, &err));
	MUST(store_event_add(store, &actor, "init", 0, &err));
	MUST(store_commit(store, &fatal, &err));
	MUST(store_view_begin(reader, &err));
	CU_ASSERT_EQUAL(newest_event(reader), before);
	store_view_end(reader);
	CU_ASSERT_EQUAL(newest_event(reader), before);
	CHECK(store_in_transaction(reader));
	store_view_end(reader);
	CHECK(!store_in_transaction(reader));
	CU_ASSERT_EQUAL(newest_event(reader), before + 1);
	store_close(reader);
	store_close(store);
	store_dir_end();
}

static void
test_transaction(void)
{
	struct store *store = store_new(), *reader = NULL;
	struct store_new_cert cert = cert_of(1, der5), boom = cert_of(2, der5);
	struct store_cert got;
	struct err err;
	bool fatal = true, taken;
	int64_t id, before = newest_event(store);
	time_t time;

	MUST(store_open(path, STORE_READ, &reader, &err));
	/* nothing is written outside a transaction, nor inside a view */
	CHECK(store_cert_add(store, &actor, &cert, &id, &taken, &err) != 0 &&
	      err.code == FAIL_UNAVAILABLE);
	CHECK(store_commit(store, &fatal, &err) != 0 && err.code == FAIL_UNAVAILABLE && !fatal);
	CHECK(store_savepoint(store, &err) != 0 && err.code == FAIL_UNAVAILABLE);
	MUST(store_view_begin(store, &err));
	CHECK(store_event_add(store, &actor, "init", 0, &err) != 0 && err.code == FAIL_UNAVAILABLE);
	store_view_end(store);

	/* a reader sees what is committed, and a view stays what it was */
	MUST(store_begin(store, &err));
	CHECK(store_in_transaction(store));
	CHECK(store_begin(store, &err) != 0 && err.code == FAIL_INTERNAL);
	MUST(store_cert_add(store, &actor, &cert, &id, &taken, &err));
	CHECK(store_cert_get(reader, id, &got, &err) != 0 && err.code == FAIL_NOT_FOUND);
	MUST(store_view_begin(reader, &err));
	MUST(store_commit(store, &fatal, &err));
	CHECK(!store_in_transaction(store));
	CHECK(store_cert_get(reader, id, &got, &err) != 0 && err.code == FAIL_NOT_FOUND);
	CU_ASSERT_EQUAL(newest_event(reader), before);
	store_view_end(reader);
	MUST(store_cert_get(reader, id, &got, &err));
	CU_ASSERT_EQUAL(newest_event(reader), before + 2);

	/* rolled back on demand */
	MUST(store_begin(store, &err));
	MUST(store_event_add(store, &actor, "init", 0, &err));
	store_rollback(store);
	store_rollback(store);
	CU_ASSERT_EQUAL(newest_event(store), before + 2);

	/* rolled back by SQLite itself */
	CU_ASSERT_EQUAL(raw("CREATE TRIGGER boom BEFORE INSERT ON profile WHEN NEW.name = 'boom' "
			    "BEGIN SELECT RAISE(ROLLBACK, 'boom'); END"),
	    SQLITE_OK);
	boom.profile = "boom";
	MUST(store_begin(store, &err));
	MUST(store_savepoint(store, &err));
	CHECK(store_cert_add(store, &actor, &boom, &id, &taken, &err) != 0);
	CHECK(!store_in_transaction(store));
	CHECK(store_undo(store, &err) != 0 && err.code == FAIL_UNAVAILABLE);
	CHECK(store_release(store, &err) != 0 && err.code == FAIL_UNAVAILABLE);
	CHECK(store_savepoint(store, &err) != 0 && err.code == FAIL_UNAVAILABLE);
	boom.profile = "device-signature";
	CHECK(store_cert_add(store, &actor, &boom, &id, &taken, &err) != 0 &&
	      err.code == FAIL_UNAVAILABLE);
	CHECK(store_commit(store, &fatal, &err) != 0 && err.code == FAIL_UNAVAILABLE && !fatal);
	issue(store, &boom, 1000);

	/* what a refused add left behind cannot be committed */
	boom = cert_of(3, der5);
	memcpy(boom.key_hash, cert.key_hash, SHA256_LEN);
	MUST(store_begin(store, &err));
	CHECK(store_cert_add(store, &actor, &boom, &id, &taken, &err) != 0);
	CHECK(store_commit(store, &fatal, &err) != 0 && fatal);
	store_rollback(store);
	MUST(store_event_newest(reader, &id, &time, &err));
	CU_ASSERT_EQUAL(id, before + 4);

	MUST(store_checkpoint(store, NULL, &err));
	store_close(reader);
	MUST(store_begin(store, &err));
	MUST(store_event_add(store, &actor, "init", 0, &err));
	store_close(store); /* rolls back */
	MUST(store_open(path, STORE_READ, &reader, &err));
	CU_ASSERT_EQUAL(newest_event(reader), before + 4);
	store_close(reader);
	store_dir_end();
}

/* Stands before the C library's: a disk without room, when told so. */
static bool no_room;

ssize_t pwrite64(int fd, const void *data, size_t len, off64_t at);

ssize_t
pwrite64(int fd, const void *data, size_t len, off64_t at)
{
	if (no_room) {
		errno = ENOSPC;
		return -1;
	}
	return (ssize_t)syscall(SYS_pwrite64, fd, data, len, at);
}

/* No room: nothing was recorded, which is certain; with room again the same handle goes on. */
static void
test_commit_full(void)
{
	struct store *store = store_new(), *reader = NULL;
	struct store_new_cert cert = cert_of(1, der5);
	bool taken, fatal = true;
	struct err err;
	int64_t id, before;

	before = newest_event(store);
	MUST(store_begin(store, &err));
	MUST(store_cert_add(store, &actor, &cert, &id, &taken, &err));
	no_room = true;
	CHECK(store_commit(store, &fatal, &err) != 0 && err.code == FAIL_UNAVAILABLE && !fatal);
	CHECK(strstr(err.msg, "full") != NULL && !store_in_transaction(store));
	no_room = false;
	MUST(store_open(path, STORE_READ, &reader, &err));
	CU_ASSERT_EQUAL(newest_event(reader), before);
	store_close(reader);
	MUST(store_begin(store, &err));
	MUST(store_cert_add(store, &actor, &cert, &id, &taken, &err));
	MUST(store_commit(store, &fatal, &err));
	store_close(store);
	MUST(store_open(path, STORE_READ, &reader, &err));
	CHECK(newest_event(reader) > before);
	store_close(reader);
	store_dir_end();
}

/* COMMIT cannot write for another reason: that is fatal. */
static void
test_commit_fatal(void)
{
	struct store *store = store_new();
	struct store_new_cert cert = cert_of(1, der5);
	struct stat st;
	char wal[128];
	int status = 0;
	pid_t pid;

	store_close(store);
	snprintf(wal, sizeof wal, "%s-wal", path);
	CHECK(stat(wal, &st) == 0);
	pid = fork();
	if (pid == 0) {
		struct rlimit limit = { (rlim_t)st.st_size, (rlim_t)st.st_size };
		bool taken, fatal = false;
		struct err err;
		int64_t id;

		signal(SIGXFSZ, SIG_IGN);
		if (store_open(path, STORE_WRITE, &store, &err) != 0)
			_exit(1);
		/* fill the WAL's present size, so that the next commit must grow it */
		for (int i = 1; i < 100; i++) {
			cert = cert_of(i, der5);
			if (i == 50 && setrlimit(RLIMIT_FSIZE, &limit) != 0)
				_exit(2);
			if (store_begin(store, &err) != 0)
				_exit(3);
			if (store_cert_add(store, &actor, &cert, &id, &taken, &err) != 0)
				_exit(4);
			if (store_commit(store, &fatal, &err) != 0)
				_exit(fatal && err.code == FAIL_UNAVAILABLE ? 42 : 5);
		}
		_exit(6);
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 42);
	store_dir_end();
}

/* The translation of failures that is not met on the way elsewhere. */
static void
test_db(void)
{
	static const char insert[] = "INSERT INTO t VALUES (?, 'x')";
	struct db *db = NULL, *other = NULL;
	struct db_stmt *stmt = NULL;
	struct err err;
	bool busy = true;
	char text[4];
	int fd;

	store_dir();
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	close(fd);
	MUST(db_open(path, DB_WRITE, 0, &db, &err));
	MUST(db_start_writer(db, &err));
	MUST(db_script(db,
	    "CREATE TABLE t (a INTEGER PRIMARY KEY CHECK (a < 9), b TEXT NOT NULL UNIQUE, "
	    "c INTEGER REFERENCES t(a)) STRICT; INSERT INTO t VALUES (1, 'long text', NULL)",
	    &err));
	CHECK(db_script(db, "INSERT INTO t VALUES (1, 'y', NULL)", &err) != 0 &&
	      err.code == FAIL_CONFLICT);
	CHECK(db_script(db, "INSERT INTO t VALUES (2, 'long text', NULL)", &err) != 0 &&
	      err.code == FAIL_CONFLICT);
	CHECK(db_script(db, "INSERT INTO t VALUES (9, 'y', NULL)", &err) != 0 &&
	      err.code == FAIL_INTERNAL);
	CHECK(db_script(db, "INSERT INTO t VALUES (2, NULL, NULL)", &err) != 0 &&
	      err.code == FAIL_INTERNAL);
	CHECK(db_script(db, "INSERT INTO t VALUES (2, 'y', 7)", &err) != 0 &&
	      err.code == FAIL_INTERNAL);
	CHECK(db_script(db, "INSERT INTO t VALUES (2, X'00', NULL)", &err) != 0 &&
	      err.code == FAIL_INTERNAL);
	CHECK(db_script(db, "SELECT \"no such column\"", &err) != 0 && err.code == FAIL_INTERNAL);
	CHECK(db_stmt(db, insert, &stmt, &err) != 0 && err.code == FAIL_INTERNAL);
	CHECK(db_prepare(db, "SELECT b FROM t", &stmt, &err) == 0);
	db_bind_int(stmt, 5, 1); /* no such parameter: told by the step */
	CHECK(db_step(stmt, &busy, &err) != 0 && err.code == FAIL_INTERNAL);
	MUST(db_step(stmt, &busy, &err));
	CHECK(busy);
	CHECK(db_text(stmt, 0, text, sizeof text, &err) != 0 && err.code == FAIL_INTERNAL);
	db_finish(stmt);

	MUST(db_open(path, DB_WRITE, 0, &other, &err));
	MUST(db_script(other, "BEGIN IMMEDIATE", &err));
	CHECK(db_script(db, "BEGIN IMMEDIATE", &err) != 0 && err.code == FAIL_UNAVAILABLE);
	CHECK(!db_in_transaction(db));
	db_rollback(other);
	MUST(db_script(db, "BEGIN IMMEDIATE", &err));
	MUST(db_commit(db, &busy, &err));
	CHECK(!busy);
	CHECK(db_commit(db, &busy, &err) != 0 && !busy);
	db_close(other);
	db_close(db);
	store_dir_end();
}

/* ---- readers of another uid ---- */

#define NOBODY 65534

/* In a child: as another uid that may read but not write, open and find certificate 1. 0 = good. */
static int
read_as_nobody(void)
{
	struct store *store = NULL;
	struct store_cert got;
	struct err err;
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		if (setgroups(0, NULL) != 0 || setgid(NOBODY) != 0 || setuid(NOBODY) != 0)
			_exit(2);
		if (access(path, W_OK) == 0)
			_exit(3);
		if (store_open(path, STORE_READ, &store, &err) != 0 ||
		    store_cert_get(store, 1, &got, &err) != 0) {
			fprintf(stderr, "  %s\n", err.msg);
			_exit(4);
		}
		store_close(store);
		_exit(0);
	}
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

/* A writer that dies in the middle of a transaction, after one that it committed. */
static void
writer_killed(int n)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		struct store_actor at = { .uid = ACTOR_SELF, .now = 3000 };
		struct store_new_cert cert = cert_of(n, der5);
		struct store *store = NULL;
		struct err err;

		if (store_open(path, STORE_WRITE, &store, &err) != 0)
			_exit(1);
		issue(store, &cert, 3000);
		if (store_begin(store, &err) != 0 ||
		    store_event_add(store, &at, "init", 0, &err) != 0)
			_exit(2);
		raise(SIGKILL);
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void
test_reader(void)
{
	struct store *store = store_new(), *reader = NULL;
	struct store_new_cert cert = cert_of(1, der5);
	struct store_cert got;
	struct err err;

	issue(store, &cert, 2000);
	if (geteuid() == 0) {
		/* as design: folder and files of a group that the reader is in */
		CHECK(chown(dir, 0, NOBODY) == 0 && chmod(dir, 02750) == 0);
		CHECK(chown(path, 0, NOBODY) == 0 && chmod(path, 0640) == 0);
		store_close(store);
		for (const char *const *tail = (const char *const[]){ "-wal", "-shm", NULL };
		     *tail != NULL; tail++) {
			char name[128];

			snprintf(name, sizeof name, "%s%s", path, *tail);
			CHECK(chown(name, 0, NOBODY) == 0);
		}
		CU_ASSERT_EQUAL(read_as_nobody(), 0); /* closed */
		MUST(store_open(path, STORE_WRITE, &store, &err));
		CU_ASSERT_EQUAL(read_as_nobody(), 0); /* alive */
		MUST(store_begin(store, &err));
		CU_ASSERT_EQUAL(read_as_nobody(), 0); /* in a transaction */
		store_rollback(store);
		store_close(store);
		writer_killed(2);
		CU_ASSERT_EQUAL(read_as_nobody(), 0); /* killed */
		MUST(store_open(path, STORE_WRITE, &store, &err));
		store_close(store);
		CU_ASSERT_EQUAL(read_as_nobody(), 0); /* recovered and closed */
		CHECK(chmod(path, 0600) == 0);
		CU_ASSERT_EQUAL(read_as_nobody(), 4);
	} else {
		store_close(store);
		writer_killed(2);
	}
	MUST(store_open(path, STORE_READ, &reader, &err));
	MUST(store_cert_get(reader, 2, &got, &err));
	CU_ASSERT_EQUAL(newest_event(reader), got.event);
	store_close(reader);
	store_dir_end();
}

/* A file put in the place of the open one is not what is read on: the reader is to learn of it. */
static void
test_moved(void)
{
	struct store *store = store_new(), *reader = NULL;
	char aside[128];
	struct err err;

	snprintf(aside, sizeof aside, "%s.aside", path);
	MUST(store_open(path, STORE_READ, &reader, &err));
	CHECK(!store_is_moved(reader));
	store_close(store);
	CHECK(!store_is_moved(reader));
	CHECK(rename(path, aside) == 0);
	CHECK(store_is_moved(reader));
	MUST(store_open(path, STORE_CREATE, &store, &err));
	CHECK(!store_is_moved(store));
	CHECK(store_is_moved(reader));
	CHECK(rename(aside, path) == 0);
	CHECK(!store_is_moved(reader));
	CHECK(store_is_moved(store));
	store_close(reader);
	store_close(store);
	store_dir_end();
}

static const struct test_case cases[] = {
	{ "open", test_open },
	{ "views", test_views },
	{ "transactions", test_transaction },
	{ "commit on a full disk", test_commit_full },
	{ "commit that cannot write", test_commit_fatal },
	{ "failures of the engine", test_db },
	{ "readers", test_reader },
	{ "moved", test_moved },
};

TEST_MAIN("store", cases)
