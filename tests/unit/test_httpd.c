/*
 * What stands under the routes of smki-httpd: the threads that answer, housekeeping.
 */
#include <pthread.h>
#include <unistd.h>

#include <sqlite3.h>

#include "httpd.h"
#include "keeper.h"
#include "smki/clock.h"
#include "smki/file.h"
#include "smki/mem.h"
#include "test.h"
#include "workers.h"

/* Strangers cannot fill the log, neither with one trouble nor with many. */
static void
test_say(void)
{
	static const struct home nowhere = { .dir = "/nonexistent" };
	struct httpd *httpd = httpd_new(&nowhere);
	struct err err;

	for (int i = 0; i < HTTPD_SAID + 3; i++) {
		err_set(&err, FAIL_UNAVAILABLE, "test: trouble %c", 'a' + i);
		CU_ASSERT_EQUAL(httpd_say(httpd, &err), i < HTTPD_SAID);
		CHECK(!httpd_say(httpd, &err));
	}
	err_set(&err, FAIL_UNAVAILABLE, "test: trouble a");
	CHECK(!httpd_say(httpd, &err));
	/* A minute later there is room again, and the same is news. */
	httpd->said[3].ms -= 60000;
	err_set(&err, FAIL_UNAVAILABLE, "test: trouble d");
	CHECK(httpd_say(httpd, &err));
	err_set(&err, FAIL_UNAVAILABLE, "test: one more");
	CHECK(!httpd_say(httpd, &err));
	httpd_free(httpd);
}

/* ---- threads ---- */

struct gate {
	pthread_mutex_t lock;
	pthread_cond_t moved;
	bool open;
	unsigned entered, done;
};

static struct gate gate = { .lock = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER };

static void
gate_route(struct route_ctx *c, const struct http_request *request, const char *rest,
    struct http_response *response)
{
	pthread_mutex_lock(&gate.lock);
	gate.entered++;
	pthread_cond_broadcast(&gate.moved);
	while (!gate.open)
		pthread_cond_wait(&gate.moved, &gate.lock);
	pthread_mutex_unlock(&gate.lock);
	response->status = 200;
}

static void
gate_done(struct work *work)
{
	pthread_mutex_lock(&gate.lock);
	gate.done++;
	pthread_cond_broadcast(&gate.moved);
	pthread_mutex_unlock(&gate.lock);
}

static void
gate_wait(const unsigned *what, unsigned n)
{
	pthread_mutex_lock(&gate.lock);
	while (*what < n)
		pthread_cond_wait(&gate.moved, &gate.lock);
	pthread_mutex_unlock(&gate.lock);
}

static void
test_workers(void)
{
	static const struct route route = { .path = "/gate", .fn = gate_route };
	static const struct home nowhere = { .dir = "/nonexistent" };
	struct work work[4] = { 0 };
	struct httpd *httpd = httpd_new(&nowhere);
	struct workers *workers = workers_new(httpd, NULL, 1, 2);

	for (size_t i = 0; i < ARRAY_LEN(work); i++) {
		http_response_init(&work[i].response);
		work[i].route = &route;
		work[i].done = gate_done;
		work[i].deadline_ms = clock_mono_ms() + 3600000;
	}
	/* The third is put in too late to be begun. */
	work[2].deadline_ms = 0;
	CHECK(workers_put(workers, &work[0]) == 0);
	gate_wait(&gate.entered, 1);
	CHECK(workers_put(workers, &work[1]) == 0);
	CHECK(workers_put(workers, &work[2]) == 0);
	CHECK(workers_put(workers, &work[3]) == -1);
	pthread_mutex_lock(&gate.lock);
	gate.open = true;
	pthread_cond_broadcast(&gate.moved);
	pthread_mutex_unlock(&gate.lock);
	gate_wait(&gate.done, 3);
	CU_ASSERT_EQUAL(work[0].response.status, 200);
	CU_ASSERT_EQUAL(work[1].response.status, 200);
	CU_ASSERT_EQUAL(work[2].response.status, 503);
	CHECK(workers_put(workers, &work[3]) == 0);
	gate_wait(&gate.done, 4);
	CHECK(workers_stop(workers, 10000) == 0);
	workers_free(workers);
	for (size_t i = 0; i < ARRAY_LEN(work); i++)
		http_response_free(&work[i].response);
	httpd_free(httpd);
}

/* Places that were begun, in order, and when each was ended: after how many beginnings. */
static struct {
	size_t begun, ended, at[8];
} parts;

static struct respond_job *
parts_begin(struct route_ctx *c, const struct http_request *request, const char *rest,
    struct http_response *response)
{
	parts.begun++;
	/* "now": the answer is there without a second part. */
	return strcmp(rest, "now") == 0 ? NULL : (struct respond_job *)(void *)&parts;
}

static void
parts_end(struct httpd *httpd, const struct http_request *request, struct respond_job *job,
    struct http_response *response)
{
	CHECK(job == (struct respond_job *)(void *)&parts);
	parts.at[parts.ended++] = parts.begun;
}

/* A thread begins what waits in parts before it ends the first; what may wait goes alone. */
static void
test_workers_parts(void)
{
	static const struct route gate_first = { .path = "/gate", .fn = gate_route };
	static const struct route in_parts = {
		.path = "/parts", .begin = parts_begin, .end = parts_end
	};
	static const struct home nowhere = { .dir = "/nonexistent" };
	struct work work[7] = { 0 };
	struct httpd *httpd = httpd_new(&nowhere);
	struct workers *workers = workers_new(httpd, NULL, 1, ARRAY_LEN(work));

	gate.open = false;
	gate.entered = gate.done = 0;
	for (size_t i = 0; i < ARRAY_LEN(work); i++) {
		http_response_init(&work[i].response);
		work[i].route = i == 0 ? &gate_first : &in_parts;
		work[i].rest = i == 2 ? "now" : "";
		work[i].request.alone = i == 5;
		work[i].done = gate_done;
		work[i].deadline_ms = clock_mono_ms() + 3600000;
	}
	CHECK(workers_put(workers, &work[0]) == 0);
	gate_wait(&gate.entered, 1);
	for (size_t i = 1; i < ARRAY_LEN(work); i++)
		CHECK(workers_put(workers, &work[i]) == 0);
	pthread_mutex_lock(&gate.lock);
	gate.open = true;
	pthread_cond_broadcast(&gate.moved);
	pthread_mutex_unlock(&gate.lock);
	gate_wait(&gate.done, ARRAY_LEN(work));
	CHECK(workers_stop(workers, 10000) == 0);
	workers_free(workers);
	CU_ASSERT_EQUAL(parts.begun, 6);
	CU_ASSERT_EQUAL(parts.ended, 5);
	/* Four together, one of them without a second part; then one; then the last. */
	CHECK(parts.at[0] == 4 && parts.at[1] == 4 && parts.at[2] == 4);
	CHECK(parts.at[3] == 5 && parts.at[4] == 6);
	for (size_t i = 0; i < ARRAY_LEN(work); i++)
		http_response_free(&work[i].response);
	httpd_free(httpd);
}

/* ---- housekeeping ---- */

#define KEEPER_TEST_TICK_MS 20

/* An event of this time in a transaction of its own. */
static void
keeper_event(struct store *store, const char *action, time_t when)
{
	struct store_actor actor = { .now = when };
	struct err err = { 0 };
	bool fatal;
	int rc = store_begin(store, &err);

	if (rc == 0)
		rc = store_event_add(store, &actor, action, 0, &err);
	if (rc != 0 || store_commit(store, &fatal, &err) != 0)
		fprintf(stderr, "  %s\n", err.msg);
	CHECK(rc == 0);
}

/* 1 when the clock is (not) believed within ten seconds. */
static int
keeper_clock(struct httpd *httpd, bool wanted)
{
	static const struct timespec moment = { .tv_nsec = 20 * 1000000L };
	int64_t until = clock_mono_ms() + 10000;
	time_t now;

	while ((timeguard_now(httpd->guard, &now, NULL) == 0) != wanted) {
		if (clock_mono_ms() > until)
			return 0;
		nanosleep(&moment, NULL);
	}
	return 1;
}

/* 1 when the part is (not) well within ten seconds. */
static int
keeper_part(struct httpd *httpd, enum httpd_part part, bool wanted)
{
	static const struct timespec moment = { .tv_nsec = 20 * 1000000L };
	int64_t until = clock_mono_ms() + 10000;

	while (atomic_load(&httpd->ok[part]) != wanted) {
		if (clock_mono_ms() > until)
			return 0;
		nanosleep(&moment, NULL);
	}
	return 1;
}

/* Whether what was kept of the database is forgotten, n times by now. */
static int
keeper_flushed(struct httpd *httpd, uint64_t n)
{
	static const struct timespec moment = { .tv_nsec = 20 * 1000000L };
	int64_t until = clock_mono_ms() + 10000;

	while (ocspcache_flushes(httpd->cache) < n && clock_mono_ms() < until)
		nanosleep(&moment, NULL);
	return ocspcache_flushes(httpd->cache) == n;
}

/* As an operator who mends the file would. */
static void
keeper_sql(const char *path, const char *sql)
{
	sqlite3 *db = NULL;

	require(sqlite3_open(path, &db) == SQLITE_OK);
	require(sqlite3_busy_timeout(db, 5000) == SQLITE_OK);
	require(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK);
	sqlite3_close(db);
}

/* No row can be read; all can, and meanwhile the clock was accepted. */
static const char keeper_away[] = "PRAGMA legacy_alter_table = 1; ALTER TABLE event RENAME TO away";
#define KEEPER_ACCEPT                                                                              \
	"INSERT INTO event (id, time, actor, action) SELECT 1 + max(id), "                         \
	"CAST(strftime('%s', 'now') AS INTEGER), 0, 'clock-accept' FROM event;"
static const char keeper_back[] = "PRAGMA legacy_alter_table = 1; BEGIN IMMEDIATE; ALTER TABLE "
				  "away RENAME TO event;" KEEPER_ACCEPT "COMMIT";

/* A database that cannot be read for a while, and one that was overwritten where it lies. */
static void
keeper_misread(struct httpd *httpd, const char *path)
{
	char crl[HOME_PATH_MAX], aside[HOME_PATH_MAX + 8];
	struct err err;
	time_t now;

	/* The clock is accepted while the database cannot be read: that is seen afterwards. */
	timeguard_doubt(httpd->guard, "a doubt that only an administrator ends");
	CHECK(keeper_clock(httpd, false));
	keeper_sql(path, keeper_away);
	CHECK(keeper_part(httpd, PART_DATABASE, false));
	keeper_sql(path, keeper_back);
	CHECK(keeper_part(httpd, PART_DATABASE, true));
	CHECK(keeper_clock(httpd, true));
	CHECK(keeper_flushed(httpd, 1));
	/* And also when the published lists cannot be looked at first; but not when an older copy's
	 * octets come into the same file before that. */
	require(home_path(&httpd->home, HOME_CRL, crl, &err) == 0);
	snprintf(aside, sizeof(aside), "%s.aside", crl);
	for (int older = 0; older < 2; older++) {
		timeguard_doubt(httpd->guard, "a doubt that only an administrator ends");
		CHECK(keeper_clock(httpd, false));
		keeper_sql(path, keeper_away);
		CHECK(keeper_part(httpd, PART_DATABASE, false));
		CHECK(rename(crl, aside) == 0);
		keeper_sql(path, keeper_back);
		CHECK(keeper_flushed(httpd, older == 0 ? 2 : 3));
		CHECK(!atomic_load(&httpd->ok[PART_DATABASE]));
		if (older == 1) {
			keeper_sql(path, "DROP TRIGGER event_delete; DELETE FROM event "
					 "WHERE id = (SELECT max(id) FROM event)");
			CHECK(keeper_flushed(httpd, 4));
		}
		CHECK(rename(aside, crl) == 0);
		CHECK(keeper_part(httpd, PART_DATABASE, true));
		CHECK((timeguard_now(httpd->guard, &now, &err) == 0) == (older == 0));
	}
	keeper_sql(path, KEEPER_ACCEPT);
	CHECK(keeper_clock(httpd, true));
}

/* The front learns of what smkid was told by the events alone. No token, no smkid: no failure. */
static void
test_keeper(void)
{
	static struct home home = { .dir = "/tmp/smki-httpd-XXXXXX",
		.n_tokens = 1,
		.token = { { "ocsp", { .module = "/nonexistent.so",
					 .token = "t",
					 .pin_file = "/nonexistent",
					 .latch_file = "/nonexistent",
					 .sessions = 1,
					 .timeout_ms = 100 } } },
		.ocsp_token = "ocsp",
		.ocsp_key = "ocsp",
		.ocsp_cache = 1 };
	struct store *writer = NULL, *reader = NULL;
	struct keeper *keeper = NULL;
	struct link *link = NULL;
	char path[HOME_PATH_MAX], aside[HOME_PATH_MAX];
	struct httpd *httpd;
	struct err err;
	int64_t id = -1;

	require(mkdtemp(home.dir) != NULL);
	require(home_path(&home, HOME_DB_DIR, path, &err) == 0);
	require(file_make_dir(path, 0700, &err) == 0);
	require(home_path(&home, HOME_CRL, path, &err) == 0);
	require(file_make_dir(path, 0700, &err) == 0);
	require(home_path(&home, HOME_DB, path, &err) == 0);
	require(store_open(path, STORE_CREATE, &writer, &err) == 0);
	keeper_event(writer, "init", clock_now() - 8 * 86400);
	require(store_open(path, STORE_READ, &reader, &err) == 0);
	CHECK(store_clock_accepted(reader, &id, &err) == 0 && id == 0);

	httpd = httpd_new(&home);
	require(link_new(&home, -1, &link, &err) == 0);
	require(keeper_new(httpd, reader, link, NULL, &keeper, &err) == 0);
	CHECK(!atomic_load(&httpd->ok[PART_TOKEN]));
	/* A week after the newest record: in doubt until an administrator says otherwise. The health
	 * says so before the first request can come. */
	CHECK(!atomic_load(&httpd->ok[PART_CLOCK]));
	CHECK(keeper_clock(httpd, false));
	CHECK(keeper_start(keeper, KEEPER_TEST_TICK_MS, &err) == 0);
	keeper_event(writer, "clock-accept", clock_now());
	CHECK(keeper_clock(httpd, true));
	CHECK(store_clock_accepted(writer, &id, &err) == 0 && id == 2);
	/* A record from the future: smkid saw a later time than this clock shows. */
	keeper_event(writer, "init", clock_now() + 1000);
	CHECK(keeper_clock(httpd, false));
	keeper_event(writer, "clock-accept", clock_now());
	CHECK(keeper_clock(httpd, true));

	keeper_misread(httpd, path);

	/* Another file in the database's place is noticed, and so is the right one. */
	require(home_path(&home, "aside.db", aside, &err) == 0);
	CHECK(rename(path, aside) == 0);
	CHECK(keeper_part(httpd, PART_DATABASE, false));
	CHECK(rename(aside, path) == 0);
	CHECK(keeper_part(httpd, PART_DATABASE, true));

	CHECK(!keeper_lost(keeper));
	CHECK(keeper_stop(keeper, 10000) == 0);
	CHECK(!atomic_load(&httpd->ok[PART_SMKID]));
	CHECK(atomic_load(&httpd->ok[PART_DATABASE]));
	keeper_free(keeper);
	link_free(link);
	httpd_free(httpd);
	store_close(writer);
	CHECK(file_remove_tree(home.dir, &err) == 0);
}

static const struct test_case cases[] = {
	{ "troubles logged", test_say },
	{ "workers", test_workers },
	{ "workers, in parts", test_workers_parts },
	{ "housekeeping", test_keeper },
};

TEST_MAIN("httpd", cases)
