/*
 * CRL numbers and finished lists, and what stands on a list. A number is taken and committed
 * before the first byte is signed; the row is finished when the file is durable.
 */
#include <stdio.h>
#include <string.h>

#include "smki/mem.h"
#include "smki/store_crl.h"

#include "store_private.h"

/* The texts that differ by kind. ?1 = CA, ?2 = shard; the rest begins at ?3. */
struct list_sql {
	const char *next, *take, *finish, *recent, *last, *get;
};

/* The columns of store_list_row. */
#define LIST_COLUMNS                                                                               \
	"SELECT ca, number, event, this_update, next_update, entries, size, sha256, base "
#define LIST_SHARD_COLUMNS                                                                         \
	"SELECT ca, number, event, this_update, next_update, entries, size, sha256, NULL "
#define LIST_FINISH                                                                                \
	"SET event = ?4, this_update = ?5, next_update = ?6, entries = ?7, size = ?8, "            \
	"sha256 = ?9"
/* By name: the numbers burnt since the last finished list must not be walked through. */
#define LIST_RECENT " AND event IS NOT NULL ORDER BY number DESC LIMIT ?3"
/* One sequence of numbers and its end, whatever the kinds in it. */
#define LIST_NEXT "SELECT 1 + coalesce(max(number), 0) FROM crl WHERE ca = ?1"
#define LIST_TAKE "INSERT INTO crl (ca, number, taken) VALUES (?1, ?3, ?4)"
#define LIST_LAST                                                                                  \
	LIST_COLUMNS                                                                               \
	"FROM crl INDEXED BY crl_finished WHERE ca = ?1 AND event IS NOT NULL "                    \
	"ORDER BY number DESC LIMIT 1"

static const struct list_sql list_complete = {
	.next = LIST_NEXT,
	.take = LIST_TAKE,
	.finish = "UPDATE crl " LIST_FINISH " WHERE ca = ?1 AND number = ?3",
	.recent = LIST_COLUMNS
	"FROM crl INDEXED BY crl_complete WHERE ca = ?1 AND base IS NULL" LIST_RECENT,
	.last = LIST_LAST,
	.get = LIST_COLUMNS "FROM crl WHERE ca = ?1 AND number = ?3 AND event IS NOT NULL "
			    "AND base IS NULL",
};
static const struct list_sql list_delta = {
	.next = LIST_NEXT,
	.take = LIST_TAKE,
	.finish = "UPDATE crl " LIST_FINISH ", base = ?10 WHERE ca = ?1 AND number = ?3",
	.recent = LIST_COLUMNS
	"FROM crl INDEXED BY crl_delta WHERE ca = ?1 AND base IS NOT NULL" LIST_RECENT,
	.last = LIST_LAST,
	.get = LIST_COLUMNS "FROM crl WHERE ca = ?1 AND number = ?3 AND event IS NOT NULL "
			    "AND base IS NOT NULL",
};
static const struct list_sql list_shard = {
	.next = "SELECT 1 + coalesce(max(number), 0) FROM crl_shard_list "
		"WHERE ca = ?1 AND shard = ?2",
	.take = "INSERT INTO crl_shard_list (ca, shard, number, taken) VALUES (?1, ?2, ?3, ?4)",
	.finish = "UPDATE crl_shard_list " LIST_FINISH " WHERE ca = ?1 AND shard = ?2 "
		  "AND number = ?3",
	.recent = LIST_SHARD_COLUMNS "FROM crl_shard_list INDEXED BY crl_shard_finished "
				     "WHERE ca = ?1 AND shard = ?2" LIST_RECENT,
	.last = LIST_SHARD_COLUMNS "FROM crl_shard_list INDEXED BY crl_shard_finished "
				   "WHERE ca = ?1 AND shard = ?2 AND event IS NOT NULL "
				   "ORDER BY number DESC LIMIT 1",
	.get = LIST_SHARD_COLUMNS "FROM crl_shard_list WHERE ca = ?1 AND shard = ?2 "
				  "AND number = ?3 AND event IS NOT NULL",
};

static const struct list_sql *
list_sql(enum crl_kind kind)
{
	switch (kind) {
	case CRL_COMPLETE:
		return &list_complete;
	case CRL_DELTA:
		return &list_delta;
	case CRL_SHARD:
		return &list_shard;
	}
	require(false);
	return NULL;
}

static void
list_bind(struct db_stmt *stmt, const struct crl_which *which)
{
	db_bind_int(stmt, 1, which->ca);
	if (which->kind == CRL_SHARD)
		db_bind_int(stmt, 2, which->shard);
}

int
store_list_take(struct store *store, const struct crl_which *which, time_t now, int64_t *number,
    struct err *err)
{
	const struct list_sql *sql = list_sql(which->kind);
	struct db_stmt *stmt = NULL;
	bool row = false;
	int64_t next;

	if (store_need_transaction(store, err) != 0 ||
	    db_stmt(store->db, sql->next, &stmt, err) != 0)
		return -1;
	list_bind(stmt, which);
	if (db_step(stmt, &row, err) != 0)
		return -1;
	next = db_int(stmt, 0);
	db_reset(stmt);
	if (db_stmt(store->db, sql->take, &stmt, err) != 0)
		return -1;
	list_bind(stmt, which);
	db_bind_int(stmt, 3, next);
	db_bind_int(stmt, 4, now);
	if (db_run(stmt, err) != 0)
		return -1;
	*number = next;
	return 0;
}

int
store_crl_take(struct store *store, int64_t ca, time_t now, int64_t *number, struct err *err)
{
	const struct crl_which which = { .ca = ca, .kind = CRL_COMPLETE };

	return store_list_take(store, &which, now, number, err);
}

/* What the event of a finished list says of it. */
static void
list_detail(const struct crl_which *which, const struct store_crl *crl, char out[DETAIL_LEN])
{
	char what[64] = "";

	switch (which->kind) {
	case CRL_COMPLETE:
		break;
	case CRL_DELTA:
		snprintf(what, sizeof(what), "delta since %lld, ", (long long)crl->base);
		break;
	case CRL_SHARD:
		snprintf(what, sizeof(what), "shard %lld, ", (long long)which->shard);
		break;
	}
	snprintf(out, DETAIL_LEN, "%snumber %lld, %lld entries", what, (long long)crl->number,
	    (long long)crl->entries);
}

int
store_list_finish(struct store *store, const struct store_actor *actor,
    const struct crl_which *which, const struct store_crl *crl, struct err *err)
{
	struct store_event_new event = {
		.action = "crl", .ca = which->ca, .from_state = -1, .to_state = -1, .reason = -1
	};
	struct db_stmt *stmt = NULL;
	char detail[DETAIL_LEN];
	int64_t id;

	list_detail(which, crl, detail);
	if (actor->detail == NULL)
		event.detail = detail;
	if (store_event_put(store, actor, &event, &id, err) != 0 ||
	    db_stmt(store->db, list_sql(which->kind)->finish, &stmt, err) != 0)
		return -1;
	list_bind(stmt, which);
	db_bind_int(stmt, 3, crl->number);
	db_bind_int(stmt, 4, crl->event);
	db_bind_int(stmt, 5, crl->this_update);
	db_bind_int(stmt, 6, crl->next_update);
	db_bind_int(stmt, 7, crl->entries);
	db_bind_int(stmt, 8, crl->size);
	db_bind_blob(stmt, 9, crl->sha256, sizeof crl->sha256);
	if (which->kind == CRL_DELTA)
		db_bind_int(stmt, 10, crl->base);
	if (db_run(stmt, err) != 0)
		return -1;
	if (db_changes(store->db) == 0)
		return err_set(err, FAIL_NOT_FOUND, "crl: number %lld was never taken",
		    (long long)crl->number);
	return 0;
}

int
store_crl_finish(struct store *store, const struct store_actor *actor, const struct store_crl *crl,
    struct err *err)
{
	const struct crl_which which = { .ca = crl->ca, .kind = CRL_COMPLETE };

	return store_list_finish(store, actor, &which, crl, err);
}

static int
store_list_row(struct db_stmt *stmt, struct store_crl *out, struct err *err)
{
	struct span hash = db_blob(stmt, 7);

	if (hash.len != sizeof out->sha256)
		return err_set(err, FAIL_INTERNAL, "database: crl: hash of %zu octets", hash.len);
	out->ca = db_int(stmt, 0);
	out->number = db_int(stmt, 1);
	out->event = db_int(stmt, 2);
	out->this_update = (time_t)db_int(stmt, 3);
	out->next_update = (time_t)db_int(stmt, 4);
	out->entries = db_int(stmt, 5);
	out->size = db_int(stmt, 6);
	memcpy(out->sha256, hash.p, sizeof out->sha256);
	out->base = store_int_or(stmt, 8, 0);
	return 0;
}

int
store_list_recent(struct store *store, const struct crl_which *which, struct store_crl *out,
    size_t cap, size_t *n, struct err *err)
{
	struct db_stmt *stmt = NULL;
	bool row = false;
	size_t got = 0;
	int r = -1;

	if (db_stmt(store->db, list_sql(which->kind)->recent, &stmt, err) != 0)
		return -1;
	list_bind(stmt, which);
	db_bind_int(stmt, 3, (int64_t)cap);
	for (;;) {
		if (db_step(stmt, &row, err) != 0)
			goto out;
		if (!row)
			break;
		if (store_list_row(stmt, &out[got], err) != 0)
			goto out;
		got++;
	}
	*n = got;
	r = 0;
out:
	db_reset(stmt);
	return r;
}

/* The one row of a statement that is bound. */
static int
store_list_one(struct db_stmt *stmt, int64_t ca, struct store_crl *out, struct err *err)
{
	bool row = false;
	int r = -1;

	if (db_step(stmt, &row, err) != 0)
		return -1;
	if (!row)
		return err_set(err, FAIL_NOT_FOUND, "crl: none was finished for CA number %lld",
		    (long long)ca);
	r = store_list_row(stmt, out, err);
	db_reset(stmt);
	return r;
}

int
store_list_last(
    struct store *store, const struct crl_which *which, struct store_crl *out, struct err *err)
{
	struct db_stmt *stmt = NULL;

	if (db_stmt(store->db, list_sql(which->kind)->last, &stmt, err) != 0)
		return -1;
	list_bind(stmt, which);
	return store_list_one(stmt, which->ca, out, err);
}

int
store_list_get(struct store *store, const struct crl_which *which, int64_t number,
    struct store_crl *out, struct err *err)
{
	struct db_stmt *stmt = NULL;

	if (db_stmt(store->db, list_sql(which->kind)->get, &stmt, err) != 0)
		return -1;
	list_bind(stmt, which);
	db_bind_int(stmt, 3, number);
	return store_list_one(stmt, which->ca, out, err);
}

int
store_crl_newest(struct store *store, int64_t ca, struct store_crl *out, struct err *err)
{
	const struct crl_which which = { .ca = ca, .kind = CRL_COMPLETE };
	struct db_stmt *stmt = NULL;

	if (db_stmt(store->db, list_complete.recent, &stmt, err) != 0)
		return -1;
	list_bind(stmt, &which);
	db_bind_int(stmt, 3, 1);
	return store_list_one(stmt, ca, out, err);
}
