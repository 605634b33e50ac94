/*
 * The database handle: opening, transactions, events, CAs, settings. The rules about rows stand in
 * schema/; this file only writes and reads them.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "smki/file.h"
#include "smki/mem.h"

#include "store_private.h"

/* The writer and its group (the front) read; only the writer writes. */
#define STORE_FILE_MODE 0640

/* ---- open and close ---- */

/* The empty file, with its mode whatever the umask: SQLite gives -wal and -shm the same. */
static int
store_file_make(const char *path, struct err *err)
{
	int fd = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, STORE_FILE_MODE);

	if (fd < 0)
		return err_sys(
		    err, errno == EEXIST ? FAIL_CONFLICT : FAIL_UNAVAILABLE, "database %s", path);
	if (fchmod(fd, STORE_FILE_MODE) != 0) {
		err_sys(err, FAIL_UNAVAILABLE, "database %s", path);
		close(fd);
		unlink(path);
		return -1;
	}
	close(fd);
	return 0;
}

static void
store_file_remove(const char *path)
{
	static const char *const tail[] = { "", "-wal", "-shm" };

	for (size_t i = 0; i < ARRAY_LEN(tail); i++) {
		char *name = mem_fmt("%s%s", path, tail[i]);

		unlink(name);
		free(name);
	}
}

static int
store_open_as(const char *path, enum store_mode mode, const struct store_told *told,
    struct store **out, struct err *err)
{
	struct store *store = NULL;
	bool made = false;
	char *copy = NULL;
	int64_t version = 0;
	int r = -1;

	if (mode == STORE_CREATE) {
		if (store_file_make(path, err) != 0)
			return -1;
		made = true;
	}
	store = mem_alloc(sizeof *store);
	store->reader = mode == STORE_READ;
	if (db_open(
		path, mode == STORE_READ ? DB_READ : DB_WRITE, STORE_BUSY_MS, &store->db, err) != 0)
		goto out;
	if (store_schema_check(store->db, mode, &version, err) != 0) {
		err_prefix(err, "%s", path);
		goto out;
	}
	if (mode != STORE_READ && (db_start_writer(store->db, err) != 0 ||
				      store_schema_apply(store->db, version, told, err) != 0)) {
		err_prefix(err, "%s", path);
		goto out;
	}
	/* The names of the new files are to survive as surely as what is in them. */
	copy = mem_str(path);
	if (made && file_sync_dir(dirname(copy), err) != 0)
		goto out;
	*out = store;
	store = NULL;
	r = 0;
out:
	free(copy);
	store_close(store);
	if (r != 0 && made)
		store_file_remove(path);
	return r;
}

int
store_open(const char *path, enum store_mode mode, struct store **out, struct err *err)
{
	return store_open_as(path, mode, NULL, out, err);
}

int
store_open_telling(
    const char *path, const struct store_told *told, struct store **out, struct err *err)
{
	return store_open_as(path, STORE_WRITE, told, out, err);
}

int
store_cache(struct store *store, long mib, struct err *err)
{
	return db_cache(store->db, mib, err);
}

void
store_close(struct store *store)
{
	if (store == NULL)
		return;
	db_close(store->db);
	free(store);
}

int
store_is_moved(const struct store *store)
{
	return db_is_moved(store->db);
}

/* ---- transactions ---- */

bool
store_is_writing(const struct store *store)
{
	return store_in_transaction(store) && store->view == 0;
}

int
store_need_transaction(const struct store *store, struct err *err)
{
	if (store_is_writing(store))
		return 0;
	return err_set(err, FAIL_UNAVAILABLE,
	    "database: there is no transaction to write in (it was rolled back)");
}

static int
store_run(struct store *store, const char *sql, struct err *err)
{
	struct db_stmt *stmt = NULL;

	if (db_stmt(store->db, sql, &stmt, err) != 0)
		return -1;
	return db_run(stmt, err);
}

/* What holds only as long as nothing is undone and nobody else writes. */
static void
store_forget(struct store *store)
{
	store->n_profiles = 0;
	store->event = store->certificate = 0;
}

int
store_begin(struct store *store, struct err *err)
{
	static const char sql[] = "BEGIN IMMEDIATE";

	/* SQLite would begin a transaction for reading instead. */
	if (store->reader)
		return err_set(err, FAIL_INTERNAL, "database: is open for reading only");
	store_forget(store);
	store->spilled = db_spilled(store->db);
	return store_run(store, sql, err);
}

int
store_commit(struct store *store, bool *fatal, struct err *err)
{
	bool again = false;

	*fatal = false;
	if (store_need_transaction(store, err) != 0)
		return -1;
	if (db_commit(store->db, &again, err) == 0)
		return 0;
	if (again)
		store_rollback(store);
	*fatal = !again;
	return -1;
}

void
store_rollback(struct store *store)
{
	store_forget(store);
	store->view = 0;
	db_rollback(store->db);
}

int
store_in_transaction(const struct store *store)
{
	return db_in_transaction(store->db);
}

int
store_savepoint(struct store *store, struct err *err)
{
	static const char sql[] = "SAVEPOINT one";

	if (store_need_transaction(store, err) != 0)
		return -1;
	return store_run(store, sql, err);
}

int
store_release(struct store *store, struct err *err)
{
	static const char sql[] = "RELEASE one";

	if (store_need_transaction(store, err) != 0)
		return -1;
	return store_run(store, sql, err);
}

int
store_undo(struct store *store, struct err *err)
{
	static const char sql[] = "ROLLBACK TO one";

	store_forget(store);
	if (store_need_transaction(store, err) != 0)
		return -1;
	/* SQLite (3.40 at least) then may commit frames whose checksums do not follow from one
	 * another: this transaction and all after it would be gone after a loss of power. */
	if (db_spilled(store->db) != store->spilled)
		return err_set(err, FAIL_LIMIT,
		    "database: the transaction outgrew the page cache and can be undone as a whole "
		    "only");
	if (store_run(store, sql, err) != 0)
		return -1;
	return store_release(store, err);
}

int
store_view_begin(struct store *store, struct err *err)
{
	static const char sql[] = "BEGIN";
	int64_t id;
	time_t time;

	if (store->view > 0) {
		store->view++;
		return 0;
	}
	if (store_run(store, sql, err) != 0)
		return -1;
	store->view = 1;
	/* The snapshot is taken by the first read: this one, so that the view is of now. */
	if (store_event_newest(store, &id, &time, err) != 0) {
		store_view_end(store);
		return -1;
	}
	return 0;
}

void
store_view_end(struct store *store)
{
	if (store->view > 1)
		store->view--;
	else
		store_rollback(store);
}

int
store_checkpoint(struct store *store, struct store_wal *out, struct err *err)
{
	struct store_wal wal;

	if (db_checkpoint(store->db, &wal.frames, &wal.copied, err) != 0)
		return -1;
	if (out != NULL)
		*out = wal;
	return 0;
}

int
store_sync(struct store *store, struct err *err)
{
	return db_sync(store->db, err);
}

void
store_checkpoints_elsewhere(struct store *store)
{
	db_wal_watch(store->db);
}

int64_t
store_wal_frames(const struct store *store)
{
	return db_wal_frames(store->db);
}

/* ---- events ---- */

void
store_detail(const char *detail, char out[DETAIL_LEN])
{
	size_t len = detail != NULL ? strnlen(detail, DETAIL_LEN) : 0;

	if (len == DETAIL_LEN) {
		len--;
		while (len > 0 && ((unsigned char)detail[len] & 0xc0) == 0x80)
			len--;
	}
	if (len > 0)
		memcpy(out, detail, len);
	out[len] = '\0';
}

/* Number of the next event: the schema wants it given. */
static int
store_event_next(struct store *store, int64_t *id, struct err *err)
{
	time_t time;

	if (store_event_newest(store, id, &time, err) != 0)
		return -1;
	++*id;
	return 0;
}

int
store_event_put(struct store *store, const struct store_actor *actor,
    const struct store_event_new *event, int64_t *id, struct err *err)
{
	static const char sql[] =
	    "INSERT INTO event (time, actor, action, ca, certificate, holder, from_state, "
	    "to_state, reason, invalid_since, detail, device, id) "
	    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
	struct db_stmt *stmt = NULL;
	char detail[DETAIL_LEN];
	int64_t next;

	if (store_need_transaction(store, err) != 0 || store_event_next(store, &next, err) != 0 ||
	    db_stmt(store->db, sql, &stmt, err) != 0)
		return -1;
	store_detail(event->detail != NULL ? event->detail : actor->detail, detail);
	db_bind_int(stmt, 1, actor->now);
	db_bind_int(stmt, 2, actor->uid);
	db_bind_text(stmt, 3, event->action);
	db_bind_int_or_null(stmt, 4, event->ca, event->ca == 0);
	db_bind_int_or_null(stmt, 5, event->certificate, event->certificate == 0);
	db_bind_int_or_null(stmt, 6, event->holder, event->holder == 0);
	db_bind_int_or_null(stmt, 7, event->from_state, event->from_state < 0);
	db_bind_int_or_null(stmt, 8, event->to_state, event->to_state < 0);
	db_bind_int_or_null(stmt, 9, event->reason, event->reason < 0);
	db_bind_int_or_null(stmt, 10, event->invalid_since, event->invalid_since == 0);
	db_bind_text(stmt, 11, detail);
	db_bind_int_or_null(stmt, 12, event->device, event->device == 0);
	db_bind_int(stmt, 13, next);
	if (db_run(stmt, err) != 0)
		return -1;
	store->event_time = actor->now;
	*id = store->event = next;
	return 0;
}

int
store_event_add(struct store *store, const struct store_actor *actor, const char *action,
    int64_t ca, struct err *err)
{
	struct store_event_new event = {
		.action = action, .ca = ca, .from_state = -1, .to_state = -1, .reason = -1
	};
	int64_t id;

	return store_event_put(store, actor, &event, &id, err);
}

int
store_event_newest(struct store *store, int64_t *id, time_t *time, struct err *err)
{
	static const char sql[] = "SELECT id, time FROM event ORDER BY id DESC LIMIT 1";
	struct db_stmt *stmt = NULL;
	bool row = false;

	if (store->event != 0 && store_is_writing(store)) {
		*id = store->event;
		*time = store->event_time;
		return 0;
	}
	if (db_stmt(store->db, sql, &stmt, err) != 0 || db_step(stmt, &row, err) != 0)
		return -1;
	*id = row ? db_int(stmt, 0) : 0;
	*time = row ? (time_t)db_int(stmt, 1) : 0;
	db_reset(stmt);
	if (store_is_writing(store)) {
		store->event = *id;
		store->event_time = *time;
	}
	return 0;
}

int
store_clock_accepted(struct store *store, int64_t *id, struct err *err)
{
	static const char sql[] = "SELECT max(id) FROM event WHERE action = 'clock-accept'";
	struct db_stmt *stmt = NULL;
	bool row = false;

	if (db_stmt(store->db, sql, &stmt, err) != 0 || db_step(stmt, &row, err) != 0)
		return -1;
	*id = row ? store_int_or(stmt, 0, 0) : 0;
	db_reset(stmt);
	return 0;
}

int64_t
store_int_or(struct db_stmt *stmt, int col, int64_t when_null)
{
	return db_is_null(stmt, col) ? when_null : db_int(stmt, col);
}

static int
store_event_row(struct db_stmt *stmt, struct store_event *out, struct err *err)
{
	memset(out, 0, sizeof *out);
	out->id = db_int(stmt, 0);
	out->time = (time_t)db_int(stmt, 1);
	out->actor = (long)db_int(stmt, 2);
	out->ca = db_int(stmt, 4);
	out->certificate = db_int(stmt, 5);
	out->holder = db_int(stmt, 6);
	out->from_state = (int)store_int_or(stmt, 7, -1);
	out->to_state = (int)store_int_or(stmt, 8, -1);
	out->reason = (int)store_int_or(stmt, 9, -1);
	out->invalid_since = (time_t)db_int(stmt, 10);
	out->device = db_int(stmt, 12);
	if (db_text(stmt, 3, out->action, sizeof out->action, err) != 0 ||
	    db_text(stmt, 11, out->detail, sizeof out->detail, err) != 0)
		return -1;
	return 0;
}

int
store_event_list(struct store *store, const char *sql, int64_t key,
    int (*fn)(void *ctx, const struct store_event *event, struct err *err), void *ctx,
    struct err *err)
{
	struct db_stmt *stmt = NULL;
	struct store_event event;
	bool row = false;
	int r = -1;

	if (db_stmt(store->db, sql, &stmt, err) != 0)
		return -1;
	db_bind_int(stmt, 1, key);
	for (;;) {
		if (db_step(stmt, &row, err) != 0)
			goto out;
		if (!row)
			break;
		if (store_event_row(stmt, &event, err) != 0 || fn(ctx, &event, err) != 0)
			goto out;
	}
	r = 0;
out:
	db_reset(stmt);
	return r;
}

int
store_event_each(struct store *store, int64_t certificate,
    int (*fn)(void *ctx, const struct store_event *event, struct err *err), void *ctx,
    struct err *err)
{
	static const char sql[] = STORE_EVENT_COLUMNS
	    "FROM event WHERE id IN (SELECT issue_event FROM certificate WHERE id = ?1 "
	    "UNION ALL SELECT id FROM event INDEXED BY event_certificate "
	    "WHERE certificate = ?1 AND action <> 'issue') ORDER BY id";

	return store_event_list(store, sql, certificate, fn, ctx, err);
}
