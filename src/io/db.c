/*
 * The little of SQL that the store files speak, over SQLite: opening with the settings that
 * durability rests on, compiled statements, and the one translation of SQLite's failures. It is
 * the only file that includes sqlite3.h, and it knows no table.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "smki/file.h"
#include "smki/mem.h"

#include "db.h"
#include "hold.h"

/* Kept statements of one handle; a power of two, over twice the texts there are. */
#define DB_KEPT 256

/* Page cache in MiB of a handle for which nobody chose. */
#define DB_CACHE_WRITE 40
#define DB_CACHE_READ 4
/* A writer checkpoints between its transactions. Should it not come to it, a commit does at this
 * many pages (64 MiB), so that the WAL cannot grow for ever; unless another handle sees to that
 * (db_wal_watch). A longer file is cut back when it is begun anew. */
#define DB_WAL_BOUND "PRAGMA wal_autocheckpoint=16384; PRAGMA journal_size_limit=67108864"

struct db_stmt {
	struct db *db;
	sqlite3_stmt *vm;
	int bind_rc; /* first failure of a bind since the last reset */
};

struct db {
	sqlite3 *conn;
	int wal_frames; /* after the newest commit, 0 when it wrote none; once watched */
	struct {
		const char *sql;
		struct db_stmt *stmt;
	} kept[DB_KEPT];
};

static pthread_once_t db_once = PTHREAD_ONCE_INIT;

/*
 * The log of a writing handle. SQLite writes a frame in two pieces, 24 octets and a page. They are
 * held until the file is synced or read: COMMIT (synchronous=FULL) syncs before anybody can see its
 * frames. After a write that failed nothing but a rollback succeeds: SQLite undoes a statement that
 * failed in reading, and would commit the rest. A rollback drops what is held, since others may
 * have the place by the next transaction; when the log is measured and cut, nothing is held.
 */
struct db_wal {
	const sqlite3_io_methods *below;
	sqlite3_io_methods methods;
	struct hold hold;
};

static sqlite3_vfs db_vfs, *db_vfs_below;

/* Behind what SQLite itself keeps of an open file. */
static struct db_wal *
wal_of(void *file)
{
	return (void *)((unsigned char *)file + ((size_t)db_vfs_below->szOsFile + 15) / 16 * 16);
}

static int
wal_write(sqlite3_file *file, const void *data, int len, sqlite3_int64 at)
{
	return hold_put(&wal_of(file)->hold, data, len, at);
}

static int
wal_read(sqlite3_file *file, void *out, int len, sqlite3_int64 at)
{
	int rc = hold_flush(&wal_of(file)->hold);

	return rc != SQLITE_OK ? rc : wal_of(file)->below->xRead(file, out, len, at);
}

static int
wal_sync(sqlite3_file *file, int flags)
{
	int rc = hold_flush(&wal_of(file)->hold);

	return rc != SQLITE_OK ? rc : wal_of(file)->below->xSync(file, flags);
}

static int
wal_close(sqlite3_file *file)
{
	hold_end(&wal_of(file)->hold);
	return wal_of(file)->below->xClose(file);
}

static int
wal_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out)
{
	int rc = db_vfs_below->xOpen(db_vfs_below, name, file, flags, out);
	struct db_wal *wal = wal_of(file);

	if ((flags & SQLITE_OPEN_WAL) == 0 || rc != SQLITE_OK)
		return rc;
	*wal = (struct db_wal){ .below = file->pMethods, .methods = *file->pMethods };
	wal->methods.xClose = wal_close;
	wal->methods.xRead = wal_read;
	wal->methods.xWrite = wal_write;
	wal->methods.xSync = wal_sync;
	hold_begin(&wal->hold, file->pMethods->xWrite, file);
	file->pMethods = &wal->methods;
	return SQLITE_OK;
}

/* NULL when the handle has none of this kind, or none yet. */
static struct hold *
db_wal_hold(struct db *db)
{
	sqlite3_file *file = NULL;

	(void)sqlite3_file_control(db->conn, "main", SQLITE_FCNTL_JOURNAL_POINTER, &file);
	if (file == NULL || file->pMethods == NULL || file->pMethods->xClose != wal_close)
		return NULL;
	return &wal_of(file)->hold;
}

static void
db_rolled_back(void *ctx)
{
	struct hold *hold = db_wal_hold(ctx);

	if (hold != NULL)
		hold_drop(hold);
}

/* Once a process, before the first handle. SQLite's memory statistics, which nobody reads, cost a
 * mutex around every allocation; they stay when a token's library began SQLite before. */
static void
db_library(void)
{
	(void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	db_vfs_below = sqlite3_vfs_find(NULL);
	require(db_vfs_below != NULL);
	db_vfs = *db_vfs_below; /* the rest does not look at whose it is */
	db_vfs.pNext = NULL;
	db_vfs.zName = "smki";
	db_vfs.szOsFile += 16 + (int)sizeof(struct db_wal);
	db_vfs.xOpen = wal_open;
	require(sqlite3_vfs_register(&db_vfs, 0) == SQLITE_OK);
}

/* A failure's line and code. A trigger's text is the rule's own words: it stands alone. */
static int
db_fail(struct db *db, int rc, struct err *err)
{
	static const int outside[] = { SQLITE_BUSY, SQLITE_FULL, SQLITE_IOERR, SQLITE_READONLY,
		SQLITE_CORRUPT, SQLITE_CANTOPEN, SQLITE_PROTOCOL, SQLITE_NOMEM, SQLITE_NOLFS,
		SQLITE_INTERRUPT };
	const char *text = db->conn != NULL ? sqlite3_errmsg(db->conn) : sqlite3_errstr(rc);

	switch (rc) {
	case SQLITE_CONSTRAINT_TRIGGER:
		return err_set(err, FAIL_CONFLICT, "%s", text);
	case SQLITE_CONSTRAINT_UNIQUE:
	case SQLITE_CONSTRAINT_PRIMARYKEY:
	case SQLITE_CONSTRAINT_ROWID:
		return err_set(err, FAIL_CONFLICT, "database: %s", text);
	}
	switch (rc & 0xff) {
	case SQLITE_NOTADB:
		return err_set(err, FAIL_INVALID, "database: %s", text);
	case SQLITE_PERM:
		return err_set(err, FAIL_DENIED, "database: %s", text);
	}
	for (size_t i = 0; i < ARRAY_LEN(outside); i++)
		if ((rc & 0xff) == outside[i])
			return err_set(err, FAIL_UNAVAILABLE, "database: %s", text);
	return err_set(err, FAIL_INTERNAL, "database: %s", text);
}

int
db_cache(struct db *db, long mib, struct err *err)
{
	char sql[64];

	/* Negative: KiB, not pages. */
	snprintf(sql, sizeof sql, "PRAGMA cache_size=-%ld", mib * 1024);
	return db_script(db, sql, err);
}

static int
db_config(struct db *db, enum db_mode mode, struct err *err)
{
	static const struct {
		int op, on;
	} config[] = {
		{ SQLITE_DBCONFIG_DEFENSIVE, 1 },
		{ SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0 },
		{ SQLITE_DBCONFIG_ENABLE_FKEY, 1 },
		{ SQLITE_DBCONFIG_DQS_DDL, 0 },
		{ SQLITE_DBCONFIG_DQS_DML, 0 },
	};
	int rc;

	for (size_t i = 0; i < ARRAY_LEN(config); i++)
		if ((rc = sqlite3_db_config(db->conn, config[i].op, config[i].on, NULL)) !=
		    SQLITE_OK)
			return db_fail(db, rc, err);
	return db_cache(db, mode == DB_READ ? DB_CACHE_READ : DB_CACHE_WRITE, err);
}

int
db_start_writer(struct db *db, struct err *err)
{
	static const char wal[] = "PRAGMA journal_mode=WAL";
	struct db_stmt *stmt = NULL;
	char mode[16] = "";
	bool row = false;
	int keep = 1, r = -1, rc;

	/* Without this the last writer's close removes -wal and -shm, and a reader that may not
	 * write the folder could not open the database until the writer is back. */
	rc = sqlite3_file_control(db->conn, "main", SQLITE_FCNTL_PERSIST_WAL, &keep);
	if (rc != SQLITE_OK)
		return db_fail(db, rc, err);
	if (db_prepare(db, wal, &stmt, err) != 0 || db_step(stmt, &row, err) != 0)
		goto out;
	/* A refusal is no error: the pragma answers with the mode that stayed. */
	if (!row || db_text(stmt, 0, mode, sizeof mode, err) != 0 || strcmp(mode, "wal") != 0) {
		err_set(err, FAIL_UNAVAILABLE, "database: has no write-ahead log here");
		goto out;
	}
	db_finish(stmt);
	stmt = NULL;
	r = db_script(db,
	    "PRAGMA synchronous=FULL; PRAGMA recursive_triggers=ON;" DB_TEMP_MEMORY DB_WAL_BOUND,
	    err);
out:
	db_finish(stmt);
	return r;
}

int
db_open(const char *path, enum db_mode mode, int busy_ms, struct db **out, struct err *err)
{
	int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_PRIVATECACHE;
	struct db *db = NULL;
	int r = -1, rc;

	flags |= mode == DB_READ ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
	/* SQLite says the same of a missing and of a forbidden file. */
	if (file_may("database", path, mode != DB_READ, err) != 0)
		return -1;
	require(pthread_once(&db_once, db_library) == 0);
	db = mem_alloc(sizeof *db);
	rc = sqlite3_open_v2(path, &db->conn, flags, mode == DB_READ ? NULL : db_vfs.zName);
	if (rc == SQLITE_OK)
		rc = sqlite3_busy_timeout(db->conn, busy_ms);
	if (rc != SQLITE_OK) {
		db_fail(db, rc, err);
		goto out;
	}
	(void)sqlite3_rollback_hook(db->conn, db_rolled_back, db);
	if (db_config(db, mode, err) != 0)
		goto out;
	*out = db;
	db = NULL;
	r = 0;
out:
	if (r != 0)
		err_prefix(err, "%s", path);
	db_close(db);
	return r;
}

void
db_close(struct db *db)
{
	if (db == NULL)
		return;
	db_rollback(db);
	for (size_t i = 0; i < DB_KEPT; i++)
		db_finish(db->kept[i].stmt);
	/* A statement of its own that somebody still holds would make this fail: our bug. */
	require(sqlite3_close(db->conn) == SQLITE_OK);
	free(db);
}

int
db_is_moved(const struct db *db)
{
	int moved = 0;

	return sqlite3_file_control(db->conn, "main", SQLITE_FCNTL_HAS_MOVED, &moved) ==
		   SQLITE_OK &&
	       moved != 0;
}

int
db_script(struct db *db, const char *sql, struct err *err)
{
	int rc = sqlite3_exec(db->conn, sql, NULL, NULL, NULL);

	return rc == SQLITE_OK ? 0 : db_fail(db, rc, err);
}

int
db_prepare(struct db *db, const char *sql, struct db_stmt **out, struct err *err)
{
	sqlite3_stmt *vm = NULL;
	struct db_stmt *stmt;
	int rc = sqlite3_prepare_v3(db->conn, sql, -1, SQLITE_PREPARE_PERSISTENT, &vm, NULL);

	if (rc != SQLITE_OK)
		return db_fail(db, rc, err);
	stmt = mem_alloc(sizeof *stmt);
	stmt->db = db;
	stmt->vm = vm;
	*out = stmt;
	return 0;
}

int
db_stmt(struct db *db, const char *sql, struct db_stmt **out, struct err *err)
{
	size_t i = ((uintptr_t)sql >> 3) * 2654435761u % DB_KEPT;
	size_t seen = 0;

	while (db->kept[i].sql != NULL && db->kept[i].sql != sql) {
		i = (i + 1) % DB_KEPT;
		require(++seen < DB_KEPT);
	}
	if (db->kept[i].sql == NULL) {
		struct db_stmt *stmt = NULL;

		if (db_prepare(db, sql, &stmt, err) != 0)
			return -1;
		db->kept[i].sql = sql;
		db->kept[i].stmt = stmt;
	}
	require(!sqlite3_stmt_busy(db->kept[i].stmt->vm));
	*out = db->kept[i].stmt;
	return 0;
}

void
db_reset(struct db_stmt *stmt)
{
	if (stmt == NULL)
		return;
	/* It repeats the failure of the last step, which was told then. */
	(void)sqlite3_reset(stmt->vm);
	/* What was bound is borrowed: no pointer may stay behind. */
	(void)sqlite3_clear_bindings(stmt->vm);
	stmt->bind_rc = SQLITE_OK;
}

void
db_finish(struct db_stmt *stmt)
{
	if (stmt == NULL)
		return;
	(void)sqlite3_finalize(stmt->vm);
	free(stmt);
}

static void
db_bound(struct db_stmt *stmt, int rc)
{
	if (rc != SQLITE_OK && stmt->bind_rc == SQLITE_OK)
		stmt->bind_rc = rc;
}

void
db_bind_int(struct db_stmt *stmt, int at, int64_t value)
{
	db_bound(stmt, sqlite3_bind_int64(stmt->vm, at, value));
}

void
db_bind_int_or_null(struct db_stmt *stmt, int at, int64_t value, bool is_null)
{
	db_bound(stmt,
	    is_null ? sqlite3_bind_null(stmt->vm, at) : sqlite3_bind_int64(stmt->vm, at, value));
}

void
db_bind_text(struct db_stmt *stmt, int at, const char *text)
{
	db_bound(stmt, sqlite3_bind_text(stmt->vm, at, text, -1, SQLITE_STATIC));
}

void
db_bind_blob(struct db_stmt *stmt, int at, const void *data, size_t len)
{
	/* NULL would bind SQL's NULL; an empty blob is what was meant. */
	db_bound(stmt, sqlite3_bind_blob64(stmt->vm, at, len == 0 ? "" : data, len, SQLITE_STATIC));
}

int
db_step(struct db_stmt *stmt, bool *row, struct err *err)
{
	int rc = stmt->bind_rc;

	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt->vm);
	if (rc == SQLITE_ROW) {
		*row = true;
		return 0;
	}
	if (rc != SQLITE_DONE) {
		db_fail(stmt->db, rc, err);
		db_reset(stmt);
		return -1;
	}
	db_reset(stmt);
	*row = false;
	return 0;
}

int
db_run(struct db_stmt *stmt, struct err *err)
{
	bool row = true;

	while (row)
		if (db_step(stmt, &row, err) != 0)
			return -1;
	return 0;
}

int64_t
db_int(struct db_stmt *stmt, int col)
{
	return sqlite3_column_int64(stmt->vm, col);
}

bool
db_is_null(struct db_stmt *stmt, int col)
{
	return sqlite3_column_type(stmt->vm, col) == SQLITE_NULL;
}

struct span
db_blob(struct db_stmt *stmt, int col)
{
	struct span out;

	/* The pointer first: asking for the length first may convert. */
	out.p = sqlite3_column_blob(stmt->vm, col);
	out.len = (size_t)sqlite3_column_bytes(stmt->vm, col);
	return out;
}

int
db_text(struct db_stmt *stmt, int col, char *out, size_t cap, struct err *err)
{
	const unsigned char *text = sqlite3_column_text(stmt->vm, col);
	size_t len = (size_t)sqlite3_column_bytes(stmt->vm, col);

	if (text == NULL || len >= cap)
		return err_set(err, FAIL_INTERNAL,
		    "database: column %s holds no text of up to %zu octets",
		    sqlite3_column_name(stmt->vm, col), cap - 1);
	memcpy(out, text, len);
	out[len] = '\0';
	return 0;
}

int64_t
db_last_id(const struct db *db)
{
	return sqlite3_last_insert_rowid(db->conn);
}

int64_t
db_changes(const struct db *db)
{
	return sqlite3_changes64(db->conn);
}

int
db_in_transaction(const struct db *db)
{
	return db->conn != NULL && sqlite3_get_autocommit(db->conn) == 0;
}

int
db_spilled(const struct db *db)
{
	int n = 0, most;

	(void)sqlite3_db_status(db->conn, SQLITE_DBSTATUS_CACHE_SPILL, &n, &most, 0);
	return n;
}

int
db_commit(struct db *db, bool *again, struct err *err)
{
	static const char sql[] = "COMMIT";
	struct db_stmt *stmt = NULL;
	const struct hold *hold;
	int rc;

	*again = false;
	if (db_stmt(db, sql, &stmt, err) != 0)
		return -1;
	db->wal_frames = 0; /* the hook is called of a commit that writes */
	rc = sqlite3_step(stmt->vm);
	if (rc != SQLITE_DONE) {
		db_fail(db, rc, err);
		/* FULL is a write refused for want of room, before the frame that makes a commit
		 * was whole; a sync that fails is IOERR, and nobody knows. */
		*again = (rc & 0xff) == SQLITE_BUSY || (rc & 0xff) == SQLITE_FULL;
	}
	hold = db_wal_hold(db);
	require(rc != SQLITE_DONE || hold == NULL || hold->len == 0); /* others see it now */
	db_reset(stmt);
	return rc == SQLITE_DONE ? 0 : -1;
}

void
db_rollback(struct db *db)
{
	/* Rolling back cannot fail while the handle is sound; a transaction that stays open would
	 * mix one request's rows into another's. */
	static const char sql[] = "ROLLBACK";
	struct db_stmt *stmt = NULL;

	db->wal_frames = 0;
	if (!db_in_transaction(db))
		return;
	require(db_stmt(db, sql, &stmt, NULL) == 0);
	require(db_run(stmt, NULL) == 0);
}

/* The kernel tells of pages that it could not write once, and then has forgotten them: the next
 * fsync would succeed, and the WAL that still holds them be begun anew. */
static int
db_unsynced(int rc, struct err *err)
{
	return err_set(err, FAIL_INTERNAL,
	    "database: fsync failed (%s); what is on disk is uncertain, the service must end",
	    sqlite3_errstr(rc));
}

int
db_checkpoint(struct db *db, int64_t *frames, int64_t *copied, struct err *err)
{
	int in_wal = -1, in_file = -1;
	int rc = sqlite3_wal_checkpoint_v2(
	    db->conn, "main", SQLITE_CHECKPOINT_PASSIVE, &in_wal, &in_file);

	if (rc == SQLITE_IOERR_FSYNC)
		return db_unsynced(rc, err);
	/* BUSY: somebody else is at it. */
	if (rc != SQLITE_OK && (rc & 0xff) != SQLITE_BUSY)
		return db_fail(db, rc, err);
	*frames = in_wal;
	*copied = in_file;
	return 0;
}

int
db_sync(struct db *db, struct err *err)
{
	sqlite3_file *file = NULL;
	int rc = sqlite3_file_control(db->conn, "main", SQLITE_FCNTL_FILE_POINTER, &file);

	if (rc == SQLITE_OK)
		rc = file->pMethods->xSync(file, SQLITE_SYNC_NORMAL);
	return rc == SQLITE_OK ? 0 : db_unsynced(rc, err);
}

static int
db_wal_grown(void *ctx, sqlite3 *conn, const char *name, int frames)
{
	struct db *db = ctx;

	db->wal_frames = frames;
	return SQLITE_OK;
}

void
db_wal_watch(struct db *db)
{
	/* There is one such hook, and the bound of a commit is another. */
	(void)sqlite3_wal_hook(db->conn, db_wal_grown, db);
}

int64_t
db_wal_frames(const struct db *db)
{
	return db->wal_frames;
}
