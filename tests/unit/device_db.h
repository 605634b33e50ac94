/*
 * For the tests of the register behind the store: devices made of a number, and short ways to add
 * and find them.
 */
#ifndef DEVICE_DB_H
#define DEVICE_DB_H

#include "smki/store_device.h"

#include "store_db.h"

/* Device n (EUI-64 of n), as cert_of() has it. */
static inline struct device
device_of(int n)
{
	struct device device = {
		.hw_type = "1.2.3",
		.manufacturer = "acme",
		.model = "M1",
		.region = "north",
		.proofs = DEVICE_PROOF_IDEVID,
		.approved = true,
	};

	device.eui.octets[6] = (uint8_t)(n >> 8);
	device.eui.octets[7] = (uint8_t)n;
	return device;
}

/* In a transaction of its own. */
static inline int64_t
device_add(struct store *store, const struct device *device)
{
	struct err err;
	bool fatal;
	int64_t id = 0;

	MUST(store_begin(store, &err));
	MUST(store_device_add(store, &actor, device, &id, &err));
	MUST(store_commit(store, &fatal, &err));
	return id;
}

/* Whether device n is seen. */
static inline bool
device_is_seen(struct store *store, int n)
{
	struct device got, want = device_of(n);
	struct err err;

	if (store_device_get(store, &want.eui, &got, &err) == 0)
		return true;
	CHECK(err.code == FAIL_NOT_FOUND);
	return false;
}

static inline int64_t
count(const char *sql)
{
	sqlite3_stmt *stmt = NULL;
	sqlite3 *db = NULL;
	int64_t value = -1;
	int keep = 1;

	CHECK(sqlite3_open(path, &db) == SQLITE_OK);
	sqlite3_file_control(db, "main", SQLITE_FCNTL_PERSIST_WAL, &keep);
	CHECK(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK);
	if (sqlite3_step(stmt) == SQLITE_ROW)
		value = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	sqlite3_close(db);
	return value;
}

#endif
