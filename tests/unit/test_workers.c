/*
 * Which database the workers of the front answer from: the one that lies in its place, also when
 * its octets were overwritten there.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include <sqlite3.h>

#include "httpd.h"
#include "route.h"
#include "smki/clock.h"
#include "smki/file.h"
#include "smki/mem.h"
#include "smki/store.h"
#include "test.h"
#include "workers.h"

static struct home home = {
	.dir = "/tmp/smki-workers-XXXXXX", .ocsp_cache = 1, .db_reader_cache = 1
};
static char path[HOME_PATH_MAX];
static struct workers *workers;

/* ---- one question to the one worker ---- */

static struct {
	pthread_mutex_t lock;
	pthread_cond_t answered;
	bool done;
	int64_t newest; /* -1 = could not be read */
} answer = { .lock = PTHREAD_MUTEX_INITIALIZER, .answered = PTHREAD_COND_INITIALIZER };

static void
ask_route(struct route_ctx *c, const struct http_request *request, const char *rest,
    struct http_response *response)
{
	struct err err;
	time_t time;

	answer.newest = -1;
	if (c->store != NULL && store_event_newest(c->store, &answer.newest, &time, &err) != 0)
		answer.newest = -1;
	response->status = 200;
}

static void
ask_done(struct work *work)
{
	pthread_mutex_lock(&answer.lock);
	answer.done = true;
	pthread_cond_signal(&answer.answered);
	pthread_mutex_unlock(&answer.lock);
}

/* The newest event that it sees. */
static int64_t
ask(void)
{
	static const struct route route = { .path = "/ask", .fn = ask_route };
	struct work work = {
		.route = &route, .done = ask_done, .deadline_ms = clock_mono_ms() + 3600000
	};

	http_response_init(&work.response);
	answer.done = false;
	CHECK(workers_put(workers, &work) == 0);
	pthread_mutex_lock(&answer.lock);
	while (!answer.done)
		pthread_cond_wait(&answer.answered, &answer.lock);
	pthread_mutex_unlock(&answer.lock);
	http_response_free(&work.response);
	return answer.newest;
}

/* ---- the database ---- */

/* One more event, and nothing left in the write-ahead log. */
static void
add_event(void)
{
	sqlite3 *db = NULL;

	require(sqlite3_open(path, &db) == SQLITE_OK);
	require(sqlite3_busy_timeout(db, 5000) == SQLITE_OK);
	require(sqlite3_exec(db,
		    "INSERT INTO event (id, time, actor, action) "
		    "SELECT 1 + coalesce(max(id), 0), 100, 0, 'init' FROM event;"
		    "PRAGMA wal_checkpoint(TRUNCATE)",
		    NULL, NULL, NULL) == SQLITE_OK);
	sqlite3_close(db);
}

static void
overwrite(const struct buf *octets)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	require(fd >= 0);
	require(pwrite(fd, octets->data, octets->len, 0) == (ssize_t)octets->len);
	require(ftruncate(fd, (off_t)octets->len) == 0);
	close(fd);
}

static void
test_overwritten(void)
{
	struct store *store = NULL;
	struct buf older = { 0 };
	struct httpd *httpd;
	struct err err;

	require(mkdtemp(home.dir) != NULL);
	require(home_path(&home, HOME_DB_DIR, path, &err) == 0);
	require(file_make_dir(path, 0700, &err) == 0);
	require(home_path(&home, HOME_DB, path, &err) == 0);
	require(store_open(path, STORE_CREATE, &store, &err) == 0);
	add_event();
	require(file_read(path, 64 << 20, &older, &err) == 0);
	add_event();
	httpd = httpd_new(&home);
	workers = workers_new(httpd, NULL, 1, 2);
	CU_ASSERT_EQUAL(ask(), 2);
	/* The keeper notices, and flushes. */
	overwrite(&older);
	ocspcache_flush(httpd->cache);
	CU_ASSERT_EQUAL(ask(), 1);
	CHECK(workers_stop(workers, 10000) == 0);
	workers_free(workers);
	httpd_free(httpd);
	store_close(store);
	buf_free(&older);
	CHECK(file_remove_tree(home.dir, &err) == 0);
}

/* A connection that outlasted the wait of a stop: its request finds nobody, and nothing freed. */
static void
test_stopped(void)
{
	struct httpd *httpd = httpd_new(&home);
	struct work work = { .done = ask_done, .deadline_ms = clock_mono_ms() + 3600000 };

	workers = workers_new(httpd, NULL, 2, 2);
	CHECK(workers_stop(workers, 10000) == 0);
	CU_ASSERT_EQUAL(workers_put(workers, &work), -1);
	workers_free(workers);
	httpd_free(httpd);
}

static const struct test_case cases[] = {
	{ "an overwritten database", test_overwritten },
	{ "a request after the stop", test_stopped },
};

TEST_MAIN("workers", cases)
