/*
 * For the tests of the store: a database in a temporary folder, certificates made of a number, and
 * short ways to issue, change and attack.
 */
#ifndef STORE_DB_H
#define STORE_DB_H

#include <unistd.h>

#include <sqlite3.h>

#include "smki/file.h"
#include "smki/mem.h"
#include "smki/store_crl.h"

#include "test.h"

/* ---- a database to work with ---- */

static char dir[64];
static char path[96];

static const struct store_actor actor = { .uid = 1000, .now = 1000, .detail = "test" };

/* A new folder and no database in it yet. */
static inline void
store_dir(void)
{
	strcpy(dir, "/tmp/smki-store-XXXXXX");
	if (mkdtemp(dir) == NULL)
		abort();
	snprintf(path, sizeof path, "%s/smki.db", dir);
}

static inline void
store_dir_end(void)
{
	CHECK(file_remove_tree(dir, NULL) == 0);
}

static inline void
must(int rc, const struct err *err)
{
	if (rc != 0) {
		fprintf(stderr, "  %s\n", err->msg);
		CU_FAIL_FATAL("a step that must pass");
	}
}
#define MUST(call) must((call), &err)

/* One certificate of device n (EUI-64 of n), key of n, serial of n. */
static inline struct store_new_cert
cert_of(int n, const uint8_t der[5])
{
	struct store_new_cert cert = {
		.ca = 1,
		.serial = { .octets = { 1, 0, 0, 0, 0, 0, (uint8_t)(n >> 8), (uint8_t)n },
		    .len = 8 },
		.profile = "device-signature",
		.holder = { .kind = HOLDER_DEVICE, .name_len = EUI64_LEN, .hw_type = "1.2.3" },
		.use = USE_SIGNATURE,
		.not_before = 1000,
		.not_after = 253402300799,
		.der = { der, 5 },
	};

	cert.holder.name[6] = (uint8_t)(n >> 8);
	cert.holder.name[7] = (uint8_t)n;
	memset(cert.key_hash, 0x5a, SHA256_LEN);
	cert.key_hash[0] = (uint8_t)(n >> 8);
	cert.key_hash[1] = (uint8_t)n;
	return cert;
}

static const uint8_t der5[5] = { 0x30, 3, 2, 1, 7 };

/* New database with CA 1 "root". */
static inline struct store *
store_new(void)
{
	struct store *store = NULL;
	struct err err;
	bool fatal;
	int64_t ca;

	store_dir();
	MUST(store_open(path, STORE_CREATE, &store, &err));
	MUST(store_begin(store, &err));
	MUST(store_ca_add(store, &actor, "root", 0, &ca, &err));
	MUST(store_commit(store, &fatal, &err));
	CU_ASSERT_EQUAL(ca, 1);
	return store;
}

/* Issue cert in a transaction of its own. */
static inline int64_t
issue(struct store *store, const struct store_new_cert *cert, time_t now)
{
	struct store_actor at = actor;
	bool taken, fatal;
	struct err err;
	int64_t id = 0;

	at.now = now;
	MUST(store_begin(store, &err));
	MUST(store_cert_add(store, &at, cert, &id, &taken, &err));
	MUST(store_commit(store, &fatal, &err));
	return id;
}

static inline int
change(struct store *store, int64_t id, enum cert_state to, enum crl_reason reason, time_t now,
    struct err *err)
{
	struct store_change c = { .to = to, .reason = reason };
	struct store_actor at = actor;
	bool fatal;

	at.now = now;
	if (store_begin(store, err) != 0)
		return -1;
	if (store_cert_change(store, &at, id, &c, err) != 0) {
		store_rollback(store);
		return -1;
	}
	return store_commit(store, &fatal, err);
}

static inline int64_t
newest_event(struct store *store)
{
	struct err err;
	int64_t id = 0;
	time_t time;

	MUST(store_event_newest(store, &id, &time, &err));
	return id;
}

/* Foreign SQL through a connection of its own. */
static inline int
raw(const char *sql)
{
	sqlite3 *db = NULL;
	int keep = 1, rc;

	rc = sqlite3_open(path, &db);
	/* as every tool must: else this close would take -wal and -shm away */
	sqlite3_file_control(db, "main", SQLITE_FCNTL_PERSIST_WAL, &keep);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
	sqlite3_close(db);
	return rc;
}

/* Certificates 1-6 of CA 1 at 2000, 2010 ... 2050, 7 of CA 2 at 2060; then 2 held at 2070, 3 held
 * and revoked, 4 held and reactivated at 2080; 5 held at 2090. */
static inline void
list_fill(struct store *store)
{
	struct store_new_cert cert;
	struct err err;
	bool fatal;
	int64_t ca;

	MUST(store_begin(store, &err));
	MUST(store_ca_add(store, &actor, "second", 1, &ca, &err));
	MUST(store_commit(store, &fatal, &err));
	for (int i = 1; i <= 7; i++) {
		cert = cert_of(i, der5);
		cert.ca = i == 7 ? 2 : 1;
		CU_ASSERT_EQUAL(issue(store, &cert, 1990 + 10 * i), i);
	}
	MUST(change(store, 2, CERT_HOLD, 0, 2070, &err));
	MUST(change(store, 3, CERT_HOLD, 0, 2080, &err));
	MUST(change(store, 4, CERT_HOLD, 0, 2080, &err));
	MUST(change(store, 3, CERT_REVOKED, REASON_SUPERSEDED, 2080, &err));
	MUST(change(store, 4, CERT_VALID, 0, 2080, &err));
	MUST(change(store, 5, CERT_HOLD, 0, 2090, &err));
}

#endif
