/*
 * What a database counted of refusals, read beside the store.
 */
#ifndef REFUSAL_SUM_H
#define REFUSAL_SUM_H

#include <sqlite3.h>

#include "smki/mem.h"
#include "test.h"

/* Sum of the counts, and number of rows, since a minute: the rows' own and those of the sums kept by
 * minute, which are the same. */
static inline void
refusal_sum(const char *file, int64_t since, int64_t *n, int64_t *rows)
{
	static const char sql[] =
	    "SELECT coalesce(sum(n), 0), count(*), (SELECT coalesce(sum(n), 0) FROM refusal_minute "
	    "WHERE minute >= ?1), (SELECT coalesce(sum(refusals), 0) FROM refusal_minute "
	    "WHERE minute >= ?1) FROM refusal WHERE minute >= ?1";
	sqlite3_stmt *stmt = NULL;
	sqlite3 *db = NULL;

	require(sqlite3_open_v2(file, &db, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK);
	require(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK);
	require(sqlite3_bind_int64(stmt, 1, since) == SQLITE_OK);
	require(sqlite3_step(stmt) == SQLITE_ROW);
	*n = sqlite3_column_int64(stmt, 0);
	*rows = sqlite3_column_int64(stmt, 1);
	CHECK(sqlite3_column_int64(stmt, 2) == *n && sqlite3_column_int64(stmt, 3) == *rows);
	sqlite3_finalize(stmt);
	sqlite3_close(db);
}

#endif
