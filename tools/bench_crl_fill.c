/*
 * The home of bench_crl: made by init, and filled with listed certificates by the store's own
 * functions, without keys and signatures.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bench_crl.h"
#include "smki/clock.h"
#include "smki/setup.h"
#include "smki/store_crl.h"
#include "smki/token.h"

/* Certificates a transaction while filling. */
#define BENCH_CHUNK 20000
/* How the entries differ: so many with an invalidity date, on hold. */
#define BENCH_DATED 10
#define BENCH_HELD 20
/* The exit status by which meson knows a skipped test. */
#define BENCH_SKIP 77
#define BENCH_PROFILE "device-signature"
#define BENCH_URI "http://localhost/crl/issuing-%lld.crl"
#define BENCH_HW_TYPE "1.3.6.1.4.1.32473.1.1"

int
bench_crl_issuing(struct store *store, int64_t *ca, struct err *err)
{
	struct store_ca rows[STORE_CAS_MAX];
	size_t n = 0;

	if (store_ca_list(store, rows, &n, err) != 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (rows[i].parent != rows[i].id) {
			*ca = rows[i].id;
			return 0;
		}
	return err_set(err, FAIL_NOT_FOUND, "bench: no issuing CA");
}

/* Each certificate is of a device and a key of its own, in a shard, and listed. Serials and keys
 * count up: filling is faster, and no list is made in their order. */
static int
fill_one(
    struct store *store, const struct store_actor *actor, int64_t ca, long number, struct err *err)
{
	/* Nobody reads the bytes here. */
	static const uint8_t der[] = { 0x30, 0x00 };
	char uri[sizeof(BENCH_URI) + 20];
	struct store_new_cert cert = {
		.ca = ca,
		.profile = BENCH_PROFILE,
		.holder = { .kind = HOLDER_DEVICE,
		    .name_len = EUI64_LEN,
		    .hw_type = BENCH_HW_TYPE },
		.use = USE_SIGNATURE,
		.not_before = actor->now,
		.not_after = TIME_NO_EXPIRY,
		.on_hold = number % BENCH_HELD == 0,
		.der = { der, sizeof der },
		.shard_uri = uri,
	};
	const struct store_change change = {
		.to = CERT_REVOKED,
		.reason = REASON_CESSATION_OF_OPERATION,
		.invalid_since = number % BENCH_DATED == 1 ? actor->now - 86400 : 0,
	};
	bool taken;
	int64_t id;

	if (store_shard_next(store, &cert.shard, err) != 0)
		return -1;
	snprintf(uri, sizeof uri, BENCH_URI, (long long)cert.shard);
	cert.serial.len = 8;
	for (int k = 0; k < 8; k++)
		cert.holder.name[7 - k] = cert.key_hash[7 - k] = cert.serial.octets[7 - k] =
		    (uint8_t)((uint64_t)number >> 8 * k);
	cert.serial.octets[0] = 0x41;
	if (store_cert_add(store, actor, &cert, &id, &taken, err) != 0)
		return -1;
	return cert.on_hold ? 0 : store_cert_change(store, actor, id, &change, err);
}

/* Up to n listed ones; what is there already stays, so a fill that was ended goes on. */
static int
fill_store(const char *dir, long n, struct err *err)
{
	const struct store_actor actor = { .uid = ACTOR_SELF, .now = clock_now() };
	struct store *store = NULL;
	struct store_tally tally;
	struct home home = { 0 };
	char path[HOME_PATH_MAX];
	long first;
	bool fatal;
	int64_t ca = 0;
	int r = -1;

	snprintf(home.dir, sizeof home.dir, "%s", dir);
	if (home_path(&home, HOME_DB, path, err) != 0 ||
	    store_open(path, STORE_WRITE, &store, err) != 0 ||
	    bench_crl_issuing(store, &ca, err) != 0 || store_tally(store, ca, &tally, err) != 0)
		goto out;
	first = (long)(tally.hold + tally.revoked);
	for (long i = first; i < n; i++) {
		if ((i - first) % BENCH_CHUNK == 0 && store_begin(store, err) != 0)
			goto out;
		if (fill_one(store, &actor, ca, i, err) != 0)
			goto out;
		if (((i - first + 1) % BENCH_CHUNK == 0 || i + 1 == n) &&
		    (store_commit(store, &fatal, err) != 0 ||
			store_checkpoint(store, NULL, err) != 0))
			goto out;
	}
	r = 0;
out:
	store_close(store);
	return r;
}

int
bench_crl_fill(const char *dir, long n)
{
	struct setup setup = {
		.dir = dir,
		.http = "127.0.0.1:0",
		.https = "",
		.names = { "localhost" },
		.n_names = 1,
		.ca_uid = (uid_t)-1,
		.http_uid = (uid_t)-1,
		.ca_gid = (gid_t)-1,
		.http_gid = (gid_t)-1,
	};
	char module[HSM_PATH_MAX], conf[HOME_PATH_MAX];
	struct err err;

	if (token_softhsm_module(module, &err) != 0) {
		fprintf(stderr, "bench_crl: %s\n", err.msg);
		return BENCH_SKIP;
	}
	snprintf(conf, sizeof conf, "%s/%s", dir, HOME_CONF);
	if ((access(conf, F_OK) == 0 || setup_run(&setup, &err) == 0) &&
	    fill_store(dir, n, &err) == 0)
		return EXIT_DONE;
	fprintf(stderr, "bench_crl: %s\n", err.msg);
	return err_exit_status(err.code);
}
