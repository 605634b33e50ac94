/*
 * Fills the database of a home, whose smkid must not run, up to N certificates of meters, two for
 * each, by the store's own functions in large transactions. Nothing is signed. What is there
 * already stays, so a fill that was ended goes on.
 *
 *   bench_fill HOME N
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench_cert.h"
#include "bench_line.h"
#include "smki/clock.h"

#define FILL_MAX 200000000L
#define FILL_CHUNK 20000
#define FILL_SALT UINT64_C(0x6d65746572)
#define FILL_PROGRESS 500000

static int
fill_add(struct store *store, const struct bench_maker *maker, const struct store_actor *actor,
    uint64_t i, struct buf *der, struct err *err)
{
	struct store_new_cert cert;
	bool taken;
	int64_t id;

	if (bench_cert(maker, FILL_SALT, i, actor->now, der, &cert, err) != 0)
		return -1;
	return store_cert_add(store, actor, &cert, &id, &taken, err);
}

static int
fill_count(struct store *store, const struct bench_maker *maker, int64_t *out, struct err *err)
{
	struct store_tally tally;

	if (store_tally(store, maker->ca->id, &tally, err) != 0)
		return -1;
	*out = tally.valid + tally.hold + tally.revoked;
	return 0;
}

/* Numbers go on where the database ends; what an own kill left half is not there. */
static int
fill(
    struct store *store, const struct bench_maker *maker, int64_t first, int64_t n, struct err *err)
{
	const struct store_actor actor = { .uid = ACTOR_SELF, .now = clock_now() };
	int64_t start = clock_mono_us();
	struct buf der = { 0 };
	bool fatal;
	int r = -1;

	for (int64_t i = first; i < n; i++) {
		if ((i - first) % FILL_CHUNK == 0 && store_begin(store, err) != 0)
			goto out;
		if (fill_add(store, maker, &actor, (uint64_t)i, &der, err) != 0)
			goto out;
		if (((i - first + 1) % FILL_CHUNK == 0 || i + 1 == n) &&
		    (store_commit(store, &fatal, err) != 0 ||
			store_checkpoint(store, NULL, err) != 0))
			goto out;
		if ((i + 1) % FILL_PROGRESS == 0)
			fprintf(stderr, "bench_fill: %lld, %.0f a second\n", (long long)i + 1,
			    (double)(i + 1 - first) * 1e6 / (double)(clock_mono_us() - start));
	}
	r = 0;
out:
	buf_free(&der);
	return r;
}

static int
fill_home(const char *dir, int64_t n, struct err *err)
{
	struct store *store = NULL;
	struct bench_maker maker;
	struct home home = { 0 };
	char path[HOME_PATH_MAX];
	struct stat st;
	int64_t first, all;
	int r = -1;

	snprintf(home.dir, sizeof(home.dir), "%s", dir);
	if (home_path(&home, HOME_DB, path, err) != 0 ||
	    store_open(path, STORE_WRITE, &store, err) != 0)
		return -1;
	if (bench_maker_open(dir, store, &maker, err) != 0)
		goto out;
	if (fill_count(store, &maker, &first, err) == 0 &&
	    fill(store, &maker, first, n, err) == 0 && fill_count(store, &maker, &all, err) == 0)
		r = 0;
	bench_maker_close(&maker);
	if (r == 0 && stat(path, &st) != 0)
		r = err_sys(err, FAIL_UNAVAILABLE, "%s", path);
	if (r == 0)
		printf("certificates %lld\noctets %lld\n", (long long)all, (long long)st.st_size);
out:
	store_close(store);
	return r;
}

int
main(int argc, char **argv)
{
	struct err err;

	if (argc != 3) {
		fputs("usage: bench_fill HOME N\n", stderr);
		return EXIT_USAGE_;
	}
	if (fill_home(argv[1], bench_number("bench_fill", argv[2], FILL_MAX), &err) == 0)
		return EXIT_DONE;
	fprintf(stderr, "bench_fill: %s\n", err.msg);
	return err_exit_status(err.code);
}
