/*
 * Imports: seen all at once or never, whatever ends them, and cleared away in pieces.
 */
#include "device_db.h"

/* Begin one in a transaction of its own. */
static int64_t
begin(struct store *store)
{
	struct err err;
	bool fatal;
	int64_t import = 0;

	MUST(store_begin(store, &err));
	MUST(store_import_begin(store, &actor, "meters.csv", &import, &err));
	MUST(store_commit(store, &fatal, &err));
	return import;
}

/* Add devices first to last in a transaction of its own, which is committed either way. */
static int
add(struct store *store, int64_t import, int first, int last, size_t *bad, struct err *err)
{
	struct device devices[16];
	size_t n = 0;
	bool fatal;
	int rc;

	for (int i = first; i <= last; i++)
		devices[n++] = device_of(i);
	CHECK(store_begin(store, err) == 0);
	rc = store_import_add(store, &actor, import, devices, n, bad, err);
	CHECK(store_commit(store, &fatal, rc == 0 ? err : NULL) == 0);
	return rc;
}

static int
finish(struct store *store, int64_t import, int64_t n, struct err *err)
{
	bool fatal;

	CHECK(store_begin(store, err) == 0);
	if (store_import_finish(store, &actor, import, n, err) != 0) {
		store_rollback(store);
		return -1;
	}
	return store_commit(store, &fatal, err);
}

/* -1: failed */
static int
drop(struct store *store, int64_t import, int64_t limit, struct err *err)
{
	bool left = true, fatal;

	CHECK(store_begin(store, err) == 0);
	if (store_import_drop(store, import, limit, &left, err) != 0) {
		store_rollback(store);
		return -1;
	}
	CHECK(store_commit(store, &fatal, err) == 0);
	return left;
}

/* "1 3": the imports that are not finished. */
static const char *
unfinished(struct store *store)
{
	static char text[64];
	int64_t ids[8];
	struct err err;
	size_t n = 0, at = 0;

	text[0] = '\0';
	MUST(store_import_unfinished(store, ids, ARRAY_LEN(ids), &n, &err));
	for (size_t i = 0; i < n; i++)
		at += (size_t)snprintf(
		    text + at, sizeof text - at, "%s%d", i > 0 ? " " : "", (int)ids[i]);
	return text;
}

static void
test_visible(void)
{
	struct store *store = store_new(), *reader = NULL;
	struct device device = device_of(3), got;
	struct store_actor operator= { .uid = 1000, .now = 1000 }, front = operator;
	struct store_new_cert cert = cert_of(3, der5);
	struct err err;
	int64_t import = begin(store), before = newest_event(store), id;
	bool taken, changed;
	size_t bad;

	front.uid = ACTOR_FRONT;
	MUST(store_open(path, STORE_READ, &reader, &err));
	CU_ASSERT_EQUAL(import, 1);
	MUST(add(store, import, 1, 5, &bad, &err));
	MUST(add(store, import, 6, 9, &bad, &err));
	CU_ASSERT_EQUAL(newest_event(store), before);
	for (int i = 1; i <= 9; i++)
		CHECK(!device_is_seen(reader, i));
	CHECK_STR(unfinished(reader), "1");

	/* nobody does anything about one of them */
	MUST(store_begin(store, &err));
	CHECK(
	    store_device_add(store, &actor, &device, &id, &err) != 0 && err.code == FAIL_CONFLICT);
	CHECK(strstr(err.msg, "device 0000000000000003: is in another import") == err.msg);
	CHECK(store_device_change(store, &actor, 3, DEVICE_DO_HOLD, &changed, &err) != 0 &&
	      err.code == FAIL_NOT_FOUND);
	CHECK(store_device_set_secret(store, &actor, 3, device.secret, &err) != 0 &&
	      err.code == FAIL_NOT_FOUND);
	CHECK(store_cert_add(store, &operator, & cert, &id, &taken, &err) != 0 &&
	      err.code == FAIL_CONFLICT);
	CHECK(strstr(err.msg, "device 0000000000000003: is in another import") == err.msg);
	CHECK(store_cert_add(store, &front, &cert, &id, &taken, &err) != 0 &&
	      err.code == FAIL_DENIED);
	store_rollback(store);

	/* the wrong number finishes nothing */
	CHECK(finish(store, import, 8, &err) != 0 && err.code == FAIL_CONFLICT);
	CHECK_STR(err.msg, "import 1: has 9 devices here, not 8");
	MUST(finish(store, import, 9, &err));
	CU_ASSERT_EQUAL(newest_event(store), before + 1);
	CU_ASSERT_EQUAL(count("SELECT count(*) FROM event WHERE action = 'import' AND detail = "
			      "'9 devices: meters.csv'"),
	    1);
	for (int i = 1; i <= 9; i++)
		CHECK(device_is_seen(reader, i));
	CHECK_STR(unfinished(reader), "");
	MUST(store_device_get(reader, &device.eui, &got, &err));
	CHECK(got.import == 1 && got.registered == actor.now && got.id == 3);
	MUST(store_begin(store, &err));
	MUST(store_device_change(store, &actor, 3, DEVICE_DO_HOLD, &changed, &err));
	MUST(store_device_change(store, &actor, 3, DEVICE_DO_RELEASE, &changed, &err));
	MUST(store_cert_add(store, &front, &cert, &id, &taken, &err));
	store_rollback(store);

	/* nor does it begin again */
	CHECK(finish(store, import, 9, &err) != 0 && err.code == FAIL_NOT_FOUND);
	bad = 99;
	CHECK(add(store, import, 10, 10, &bad, &err) != 0 && err.code == FAIL_NOT_FOUND);
	CU_ASSERT_EQUAL(bad, 1);
	CHECK(drop(store, import, 100, &err) < 0 && err.code == FAIL_CONFLICT);
	CHECK(finish(store, 7, 0, &err) != 0 && err.code == FAIL_NOT_FOUND);
	CHECK(add(store, 7, 10, 10, &bad, &err) != 0 && err.code == FAIL_NOT_FOUND);
	CHECK(drop(store, 7, 100, &err) < 0 && err.code == FAIL_NOT_FOUND);
	store_close(reader);
	store_close(store);
	store_dir_end();
}

static void
test_clash(void)
{
	struct store *store = store_new();
	struct device device = device_of(3);
	struct err err;
	int64_t one, two;
	size_t bad = 99;

	device_add(store, &device);
	one = begin(store);
	two = begin(store);
	CHECK(add(store, one, 1, 4, &bad, &err) != 0 && err.code == FAIL_CONFLICT);
	CU_ASSERT_EQUAL(bad, 2);
	CHECK_STR(err.msg, "device 0000000000000003: is registered already");
	/* those before it are there */
	CHECK(add(store, one, 2, 2, &bad, &err) != 0 && err.code == FAIL_CONFLICT && bad == 0);
	CHECK_STR(err.msg, "device 0000000000000002: is twice in this import");
	CHECK(add(store, two, 1, 1, &bad, &err) != 0 && err.code == FAIL_CONFLICT && bad == 0);
	CHECK(strstr(err.msg, "device 0000000000000001: is in another import") == err.msg);
	CHECK_STR(unfinished(store), "1 2");
	MUST(finish(store, two, 0, &err)); /* an empty one */
	MUST(finish(store, one, 2, &err));
	CHECK(device_is_seen(store, 1) && device_is_seen(store, 2) && !device_is_seen(store, 4));

	/* a row that is no device: our caller's bug, named all the same */
	one = begin(store);
	device = device_of(9);
	device.hw_type[0] = '\0';
	MUST(store_begin(store, &err));
	CHECK(store_import_add(store, &actor, one, &device, 1, &bad, &err) != 0 &&
	      err.code == FAIL_INTERNAL && bad == 0);
	CHECK(strstr(err.msg, "device 0000000000000009: ") == err.msg);
	store_rollback(store);
	CHECK(store_import_begin(store, &actor, "f", &one, &err) != 0 &&
	      err.code == FAIL_UNAVAILABLE);
	CHECK(store_import_add(store, &actor, one, &device, 1, &bad, &err) != 0 &&
	      err.code == FAIL_UNAVAILABLE);
	CHECK(
	    store_import_finish(store, &actor, one, 0, &err) != 0 && err.code == FAIL_UNAVAILABLE);
	store_close(store);
	store_dir_end();
}

/* The writer ends in the middle, one chunk not yet committed; who comes after clears away. */
static void
test_abandoned(void)
{
	struct store *store = store_new();
	struct device devices[2] = { device_of(21), device_of(22) };
	struct err err;
	int64_t import = begin(store), other;
	size_t bad;
	int64_t before = newest_event(store);

	MUST(add(store, import, 1, 9, &bad, &err));
	other = begin(store);
	MUST(add(store, other, 11, 12, &bad, &err)); /* in between */
	MUST(add(store, import, 13, 15, &bad, &err));
	MUST(store_begin(store, &err));
	MUST(store_import_add(store, &actor, import, devices, 2, &bad, &err));
	store_close(store);

	MUST(store_open(path, STORE_WRITE, &store, &err));
	CHECK_STR(unfinished(store), "1 2");
	CU_ASSERT_EQUAL(count("SELECT count(*) FROM device WHERE import = 1"), 12);
	CU_ASSERT_EQUAL(drop(store, import, 5, &err), 1);
	CU_ASSERT_EQUAL(count("SELECT count(*) FROM device WHERE import = 1"), 7);
	/* from its first piece on it is none that goes on */
	CHECK(add(store, import, 16, 16, &bad, &err) != 0 && err.code == FAIL_NOT_FOUND);
	CHECK(finish(store, import, 7, &err) != 0 && err.code == FAIL_NOT_FOUND);
	store_close(store);
	MUST(store_open(path, STORE_WRITE, &store, &err));
	CHECK_STR(unfinished(store), "1 2");
	/* a piece looks at its limit's number of rows, whosever they are */
	CU_ASSERT_EQUAL(drop(store, import, 5, &err), 1);
	CU_ASSERT_EQUAL(count("SELECT count(*) FROM device WHERE import = 1"), 3);
	CU_ASSERT_EQUAL(drop(store, import, 5, &err), 0);
	CU_ASSERT_EQUAL(count("SELECT count(*) FROM device WHERE import = 1"), 0);
	CHECK_STR(unfinished(store), "2");
	CU_ASSERT_EQUAL(drop(store, import, 5, &err), 0); /* again is no harm */
	/* the neighbour has lost nothing, and the devices may come again */
	MUST(finish(store, other, 2, &err));
	CHECK(device_is_seen(store, 11) && device_is_seen(store, 12) && !device_is_seen(store, 1));
	import = begin(store);
	CU_ASSERT_EQUAL(import, 3);
	MUST(add(store, import, 1, 5, &bad, &err));
	MUST(finish(store, import, 5, &err));
	CHECK(device_is_seen(store, 1) && !device_is_seen(store, 6));
	/* one that never had a row */
	import = begin(store);
	CU_ASSERT_EQUAL(drop(store, import, 5, &err), 0);
	CHECK_STR(unfinished(store), "");
	CU_ASSERT_EQUAL(newest_event(store), before + 2);
	store_close(store);
	store_dir_end();
}

/* More than the caller has room for. */
static void
test_many(void)
{
	struct store *store = store_new();
	int64_t ids[2] = { 0 };
	struct err err;
	size_t n = 9;

	for (int i = 0; i < 3; i++)
		begin(store);
	MUST(store_import_unfinished(store, ids, 2, &n, &err));
	CHECK(n == 2 && ids[0] == 1 && ids[1] == 2);
	/* a count that was set by hand keeps nobody busy for ever */
	CU_ASSERT_EQUAL(
	    raw("UPDATE device_import SET devices = 5, first_device = 1 WHERE id = 2"), SQLITE_OK);
	CU_ASSERT_EQUAL(drop(store, 2, 5, &err), 0);
	store_close(store);
	store_dir_end();
}

static const struct test_case cases[] = {
	{ "seen at once", test_visible },
	{ "devices that are there already", test_clash },
	{ "abandoned", test_abandoned },
	{ "many", test_many },
};

TEST_MAIN("store_import", cases)
