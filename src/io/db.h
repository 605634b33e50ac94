/*
 * The little of SQL that the store files speak: a handle, compiled statements, columns, one
 * translation of the engine's failures. Private to src/io; only db.c knows which engine it is.
 *
 * A handle and its statements belong to one thread at a time. Parameters count from 1, columns
 * from 0. What is bound is borrowed until the statement is reset or stepped to its end.
 */
#ifndef SMKI_DB_H
#define SMKI_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "smki/buf.h"
#include "smki/err.h"

/* For db_script(). What undoes a savepoint stays in memory (released with it, at most the pages of one
 * request): SQLite's choice of a file would cost 30 us a certificate. In files goes what a change of
 * the schema sorts. */
#define DB_TEMP_MEMORY "PRAGMA temp_store=MEMORY;"
#define DB_TEMP_FILE "PRAGMA temp_store=FILE;"

struct db;
struct db_stmt;

enum db_mode {
	DB_WRITE = 1,
	DB_READ, /* read-only, also for a uid that may not write the file */
};

/*
 * Open an existing file and change nothing in it. busy_ms = how long a statement waits for another
 * process's lock. Missing: FAIL_NOT_FOUND; no permission: FAIL_DENIED. Whether it is a database at
 * all shows at the first statement (FAIL_INVALID).
 */
int db_open(
    const char *path, enum db_mode mode, int busy_ms, struct db **out, struct err *err) MUST_USE;
/* Size of the page cache, instead of 40 MiB for writing and 4 for reading. */
int db_cache(struct db *db, long mib, struct err *err) MUST_USE;
/* Frees every statement, rolls back what is open. NULL is fine. */
void db_close(struct db *db);
/* 1 when the path it was opened under leads to another file by now, or to none. */
int db_is_moved(const struct db *db);

/* For a DB_WRITE handle, before its first write: write-ahead log, full durability, bounds. */
int db_start_writer(struct db *db, struct err *err) MUST_USE;

/* Run a text of any number of statements that yield no rows. */
int db_script(struct db *db, const char *sql, struct err *err) MUST_USE;

/*
 * The compiled form of a text, kept with the handle and found again by the text's address: sql
 * must be a constant that lives as long as the program. It comes reset, nothing bound. The same
 * text must not be asked for again while its rows are still being read.
 */
int db_stmt(struct db *db, const char *sql, struct db_stmt **out, struct err *err) MUST_USE;
/* A statement of one's own, for texts put together and for rows handed to a callback. */
int db_prepare(struct db *db, const char *sql, struct db_stmt **out, struct err *err) MUST_USE;
/* Ends a kept statement's use. NULL is fine. */
void db_reset(struct db_stmt *stmt);
/* Frees a statement of one's own. NULL is fine. */
void db_finish(struct db_stmt *stmt);

/* A bind that fails is told by the next step. */
void db_bind_int(struct db_stmt *stmt, int at, int64_t value);
void db_bind_int_or_null(struct db_stmt *stmt, int at, int64_t value, bool is_null);
void db_bind_text(struct db_stmt *stmt, int at, const char *text);
void db_bind_blob(struct db_stmt *stmt, int at, const void *data, size_t len);

/* One step: *row tells whether there is a row to read. At the end, and on failure, it resets. */
int db_step(struct db_stmt *stmt, bool *row, struct err *err) MUST_USE;
/* For statements without rows: step to the end and reset. */
int db_run(struct db_stmt *stmt, struct err *err) MUST_USE;

/* Columns of the present row. Text and blob are borrowed until the next step or reset. */
int64_t db_int(struct db_stmt *stmt, int col);
bool db_is_null(struct db_stmt *stmt, int col);
struct span db_blob(struct db_stmt *stmt, int col);
/* Copied with its NUL; FAIL_INTERNAL when it does not fit. */
int db_text(struct db_stmt *stmt, int col, char *out, size_t cap, struct err *err) MUST_USE;

/* Row number of the newest row inserted, and rows touched by the newest statement (not by its
 * triggers). */
int64_t db_last_id(const struct db *db);
int64_t db_changes(const struct db *db);
/* 1 while a transaction is open; the engine may end one by itself after a failure. */
int db_in_transaction(const struct db *db);

/* Pages that went to the log before their COMMIT, since the handle was opened: the page cache did
 * not take all that a transaction changed. */
int db_spilled(const struct db *db);
/* COMMIT. *again true when it did not happen for certain and may be tried again: the lock was busy,
 * or no room on the disk for all of it. The transaction may then still be open. */
int db_commit(struct db *db, bool *again, struct err *err) MUST_USE;
/* ROLLBACK if a transaction is open; cannot be refused. */
void db_rollback(struct db *db);
/* Copy from the WAL into the database what no reader stands before, waiting for nobody. *frames =
 * pages in the WAL, *copied = those of them that are in the database by now; both -1 when another
 * handle is at it. Only the pass that leaves nothing makes them durable there. FAIL_INTERNAL: an
 * fsync failed, no further pass may follow. */
int db_checkpoint(struct db *db, int64_t *frames, int64_t *copied, struct err *err) MUST_USE;
/* fsync of the database file: of what passes copied that left something. FAIL_INTERNAL. */
int db_sync(struct db *db, struct err *err) MUST_USE;
/* From here on no COMMIT of this handle checkpoints, whatever the WAL's length ... */
void db_wal_watch(struct db *db);
/* ... and this is the length in pages after the newest COMMIT; 0 when it wrote nothing. */
int64_t db_wal_frames(const struct db *db);

#endif
