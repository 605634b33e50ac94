/*
 * Which version of the schema a database has, and bringing it up to date: the files of schema/ in
 * order, each in a transaction of its own.
 */
#include <stdio.h>
#include <stdlib.h>

#include "smki/embed.h"

#include "store_private.h"

/* "smki" in the file's header: what file(1) and store_open() know it by. */
#define STORE_APPLICATION_ID 0x736d6b69

static int
store_pragma_get(struct db *db, const char *sql, int64_t *out, struct err *err)
{
	struct db_stmt *stmt = NULL;
	bool row = false;
	int r = -1;

	if (db_prepare(db, sql, &stmt, err) != 0 || db_step(stmt, &row, err) != 0)
		goto out;
	if (!row) {
		err_set(err, FAIL_INTERNAL, "database: no answer to %s", sql);
		goto out;
	}
	*out = db_int(stmt, 0);
	r = 0;
out:
	db_finish(stmt);
	return r;
}

/* The number that a schema file's name begins with. */
static int64_t
store_schema_number(const struct embed_file *file)
{
	return strtol(file->name, NULL, 10);
}

static int64_t
store_schema_newest(void)
{
	int64_t newest = 0;

	for (const struct embed_file *f = schema_text; f->name != NULL; f++)
		newest = store_schema_number(f);
	return newest;
}

/* Apply one file unless another process did so meanwhile. */
static int
store_schema_step(struct db *db, const struct embed_file *file, struct err *err)
{
	int64_t number = store_schema_number(file), version = 0;
	char pragma[96];
	bool again;
	int r = -1;

	snprintf(pragma, sizeof pragma, "PRAGMA user_version=%lld; PRAGMA application_id=%d",
	    (long long)number, STORE_APPLICATION_ID);
	if (db_script(db, "BEGIN IMMEDIATE", err) != 0)
		return -1;
	if (store_pragma_get(db, "PRAGMA user_version", &version, err) != 0)
		goto out;
	if (version < number &&
	    (db_script(db, file->text, err) != 0 || db_script(db, pragma, err) != 0))
		goto out;
	r = db_commit(db, &again, err);
out:
	db_rollback(db);
	return r == 0 ? 0 : err_prefix(err, "schema %s", file->name);
}

int
store_schema_check(struct db *db, enum store_mode mode, int64_t *version, struct err *err)
{
	int64_t id = 0, newest = store_schema_newest();

	if (store_pragma_get(db, "PRAGMA application_id", &id, err) != 0 ||
	    store_pragma_get(db, "PRAGMA user_version", version, err) != 0)
		return -1;
	if (mode == STORE_CREATE)
		return 0;
	if (id != STORE_APPLICATION_ID)
		return err_set(err, FAIL_INVALID, "database: is not one of smki");
	if (*version > newest)
		return err_set(err, FAIL_INVALID,
		    "database: schema %lld is newer than this program's %lld", (long long)*version,
		    (long long)newest);
	if (mode == STORE_READ && *version < newest)
		return err_set(err, FAIL_UNAVAILABLE,
		    "database: schema %lld is older than this program's %lld; start smkid first",
		    (long long)*version, (long long)newest);
	return 0;
}

/* A file may make a table anew under its name: with foreign keys watched, dropping the old one
 * would count as deleting the rows that others refer to. And it may sort all rows of a large table:
 * that goes into files. */
int
store_schema_apply(struct db *db, int64_t version, const struct store_told *told, struct err *err)
{
	int64_t newest = store_schema_newest(), watched = 0;

	if (version >= newest)
		return 0;
	if (told != NULL)
		told->schema(told->ctx, version, newest);
	if (db_script(db, "PRAGMA foreign_keys=OFF;" DB_TEMP_FILE, err) != 0)
		return -1;
	for (const struct embed_file *f = schema_text; f->name != NULL; f++)
		if (store_schema_number(f) > version && store_schema_step(db, f, err) != 0)
			return -1;
	/* SQLite passes over what it cannot do now. */
	if (db_script(db, "PRAGMA foreign_keys=ON;" DB_TEMP_MEMORY, err) != 0 ||
	    store_pragma_get(db, "PRAGMA foreign_keys", &watched, err) != 0)
		return -1;
	return watched == 1 ? 0
			    : err_set(err, FAIL_INTERNAL, "database: foreign keys stay unwatched");
}
