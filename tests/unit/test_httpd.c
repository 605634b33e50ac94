/*
 * What stands under the routes of smki-httpd: HTTP's small rules, the threads that answer,
 * housekeeping and listening addresses.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <unistd.h>

#include "http_header.h"
#include "httpd.h"
#include "keeper.h"
#include "listen.h"
#include "smki/clock.h"
#include "smki/file.h"
#include "smki/mem.h"
#include "test.h"
#include "workers.h"

/* ---- HTTP's small rules ---- */

static void
test_date(void)
{
	static const struct {
		const char *text;
		int rc;
		time_t t;
	} cases[] = {
		{ "Sun, 06 Nov 1994 08:49:37 GMT", 0, 784111777 },
		{ "Thu, 01 Jan 1970 00:00:00 GMT", 0, 0 },
		{ "Fri, 31 Dec 9999 23:59:59 GMT", 0, 253402300799 },
		{ "Tue, 29 Feb 2028 12:00:00 GMT", 0, 1835438400 },
		{ "Mon, 06 Nov 1994 08:49:37 GMT", -1, 0 },
		{ "Sun, 06 Nov 1994 08:49:37 UTC", -1, 0 },
		{ "Sun, 06 Nov 1994 08:49:60 GMT", -1, 0 },
		{ "Sun, 06 Nov 1994 08:49:37 GMT ", -1, 0 },
		{ "Sunday, 06-Nov-94 08:49:37 GMT", -1, 0 },
		{ "Sun, 06 Nox 1994 08:49:37 GMT", -1, 0 },
		{ "Thu, 30 Feb 2028 12:00:00 GMT", -1, 0 },
		{ "", -1, 0 },
	};
	char text[HTTP_DATE_LEN];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		time_t t = -7;

		CHECK_ROW(cases[i].text, http_date_parse(cases[i].text, &t) == cases[i].rc);
		CHECK_ROW(cases[i].text, t == (cases[i].rc == 0 ? cases[i].t : -7));
		http_date(cases[i].t, text);
		CHECK_ROW(cases[i].text, cases[i].rc != 0 || strcmp(text, cases[i].text) == 0);
	}
}

static void
test_validate(void)
{
	/* modified 06 Nov 1994 08:49:37, now 100 s later */
	static const struct {
		const char *name;
		enum http_method method;
		const char *match, *since;
		long expires; /* after now */
		int fresh;
		const char *cache;
	} cases[] = {
		{ "no validator", HTTP_GET, NULL, NULL, 3600, 0, "max-age=900" },
		{ "short life", HTTP_GET, NULL, NULL, 60, 0, "max-age=60" },
		{ "ended", HTTP_GET, NULL, NULL, -5, 0, "max-age=0" },
		{ "tag", HTTP_GET, "\"abc\"", NULL, 60, 1, "max-age=60" },
		{ "weak tag", HTTP_HEAD, "W/\"abc\"", NULL, 60, 1, "max-age=60" },
		{ "any tag", HTTP_GET, "*", NULL, 60, 1, "max-age=60" },
		{ "in a list", HTTP_GET, "\"x\", \"abc\"", NULL, 60, 1, "max-age=60" },
		{ "longer tag", HTTP_GET, "\"abcd\"", NULL, 60, 0, "max-age=60" },
		{ "shorter tag", HTTP_GET, "\"ab\"", NULL, 60, 0, "max-age=60" },
		{ "open quote", HTTP_GET, "\"abc", NULL, 60, 0, "max-age=60" },
		{ "no quotes", HTTP_GET, "abc", NULL, 60, 0, "max-age=60" },
		{ "empty", HTTP_GET, "", NULL, 60, 0, "max-age=60" },
		{ "tag of a POST", HTTP_POST, "\"abc\"", NULL, 60, 0, "max-age=60" },
		{ "same date", HTTP_GET, NULL, "Sun, 06 Nov 1994 08:49:37 GMT", 60, 1,
		    "max-age=60" },
		{ "earlier date", HTTP_GET, NULL, "Sun, 06 Nov 1994 08:49:36 GMT", 60, 0,
		    "max-age=60" },
		{ "date to come", HTTP_GET, NULL, "Sun, 06 Nov 1994 08:59:37 GMT", 60, 0,
		    "max-age=60" },
		{ "no date", HTTP_GET, NULL, "yesterday", 60, 0, "max-age=60" },
		{ "tag before date", HTTP_GET, "\"x\"", "Sun, 06 Nov 1994 08:49:37 GMT", 60, 0,
		    "max-age=60" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct http_request request = { .method = cases[i].method,
			.if_none_match = cases[i].match,
			.if_modified_since = cases[i].since };
		struct http_validity v = { "abc", 784111777, 0, 784111777 + 100 };
		struct http_response response;
		char cache[128];

		http_response_init(&response);
		v.expires = v.now + cases[i].expires;
		http_validate(&request, &v, &response);
		CHECK_ROW(cases[i].name, response.status == (cases[i].fresh ? 304 : 200));
		snprintf(cache, sizeof(cache), "%s, public, no-transform, must-revalidate",
		    cases[i].cache);
		CHECK_STR(http_header_get(&response, "Cache-Control"), cache);
		CHECK_STR(http_header_get(&response, "etag"), "\"abc\"");
		CHECK_STR(
		    http_header_get(&response, "Last-Modified"), "Sun, 06 Nov 1994 08:49:37 GMT");
		http_response_free(&response);
	}
}

static void
test_problem(void)
{
	struct http_response response;

	http_response_init(&response);
	http_fail(&response, FAIL_UNAVAILABLE, "crl: cannot be served now");
	CU_ASSERT_EQUAL(response.status, 503);
	CHECK_STR(http_header_get(&response, "Content-Type"), "application/problem+json");
	CHECK(http_header_get(&response, "Retry-After") != NULL);
	CHECK_STR(buf_text(&response.body),
	    "{\"type\":\"about:blank\",\"title\":\"Service Unavailable\",\"status\":503,"
	    "\"detail\":\"crl: cannot be served now\"}\n");
	http_response_free(&response);
	http_fail(&response, FAIL_NOT_FOUND, "x");
	CHECK(http_header_get(&response, "Retry-After") == NULL);
	http_response_free(&response);
}

/* Headers as "Name: value" lines; fault is part of what is said of them, NULL = nothing. */
static void
test_framing(void)
{
	static const struct {
		const char *name;
		const char *headers[3][2];
		const char *fault;
	} cases[] = {
		{ "none", { { "Host", "x" } }, NULL },
		{ "a length", { { "content-LENGTH", "5" } }, NULL },
		{ "chunked", { { "Transfer-Encoding", "Chunked" } }, NULL },
		{ "two lengths", { { "Content-Length", "5" }, { "content-length", "6" } }, "6.3" },
		{ "the same twice", { { "Content-Length", "5" }, { "Content-Length", "5" } },
		    "6.3" },
		{ "both", { { "Content-Length", "5" }, { "Transfer-Encoding", "chunked" } },
		    "6.1" },
		{ "both, turned", { { "Transfer-Encoding", "chunked" }, { "Content-Length", "0" } },
		    "6.1" },
		{ "two codings",
		    { { "Transfer-Encoding", "chunked" }, { "Transfer-Encoding", "chunked" } },
		    "6.1" },
		{ "identity", { { "Transfer-Encoding", "identity" } }, "6.1" },
		{ "gzip", { { "Transfer-Encoding", "gzip, chunked" } }, "6.1" },
		{ "nearly chunked", { { "Transfer-Encoding", "xchunked" } }, "6.1" },
		{ "no coding", { { "Transfer-Encoding", "" } }, "6.1" },
		{ "blank behind", { { "Content-Length ", "5" } }, "5.1" },
		{ "tab behind another", { { "X\t", "5" }, { "Content-Length", "5" } }, "5.1" },
		{ "longer name", { { "Content-Length-X", "5" }, { "Content-Length", "5" } }, NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct http_framing framing = { 0 };
		const char *fault;

		for (size_t j = 0; j < 3 && cases[i].headers[j][0] != NULL; j++)
			http_framing_note(&framing, cases[i].headers[j][0], cases[i].headers[j][1]);
		fault = http_framing_fault(&framing);
		CHECK_ROW(cases[i].name, (fault == NULL) == (cases[i].fault == NULL));
		CHECK_ROW(cases[i].name, fault == NULL || cases[i].fault == NULL ||
					     strstr(fault, cases[i].fault) != NULL);
	}
}

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
	struct workers *workers = workers_new(httpd, 1, 2);

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
	for (size_t i = 0; i < ARRAY_LEN(work); i++)
		http_response_free(&work[i].response);
	httpd_free(httpd);
}

/* ---- housekeeping ---- */

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
		.ocsp_key = "ocsp" };
	struct store *writer = NULL, *reader = NULL;
	struct keeper *keeper = NULL;
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
	require(keeper_new(httpd, reader, -1, &keeper, &err) == 0);
	CHECK(!atomic_load(&httpd->ok[PART_TOKEN]));
	/* A week after the newest record: in doubt until an administrator says otherwise. */
	CHECK(keeper_clock(httpd, false));
	CHECK(keeper_start(keeper, &err) == 0);
	keeper_event(writer, "clock-accept", clock_now());
	CHECK(keeper_clock(httpd, true));
	CHECK(store_clock_accepted(writer, &id, &err) == 0 && id == 2);
	/* A record from the future: smkid saw a later time than this clock shows. */
	keeper_event(writer, "init", clock_now() + 1000);
	CHECK(keeper_clock(httpd, false));
	keeper_event(writer, "clock-accept", clock_now());
	CHECK(keeper_clock(httpd, true));

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
	httpd_free(httpd);
	store_close(writer);
	CHECK(file_remove_tree(home.dir, &err) == 0);
}

/* ---- addresses ---- */

static void
test_listen(void)
{
	static const char *const bad[] = { "", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536",
		"127.0.0.1:x", "localhost:80", "[::1]", "[::1:80", "::1:80", "[]:80",
		"127.0.0.1:-1" };
	static const struct {
		int family;
		const char *address;
		bool loopback;
	} cases[] = {
		{ AF_INET, "127.0.0.1", true },
		{ AF_INET, "127.255.0.9", true },
		{ AF_INET, "128.0.0.1", false },
		{ AF_INET, "10.127.0.1", false },
		{ AF_INET6, "::1", true },
		{ AF_INET6, "::2", false },
		{ AF_INET6, "::ffff:127.0.0.1", true },
		{ AF_INET6, "::ffff:10.0.0.1", false },
	};
	char real[LISTEN_TEXT_MAX] = "";
	struct err err;
	int fd = -1;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		CHECK_ROW(
		    bad[i], listen_open(bad[i], &fd, real, &err) == -1 && err.code == FAIL_INVALID);
	CHECK(listen_open("127.0.0.1:0", &fd, real, &err) == 0);
	CHECK(strncmp(real, "127.0.0.1:", 10) == 0 && atoi(real + 10) > 0);
	{
		int second = -1;

		CHECK(listen_open(real, &second, real, &err) == -1 && err.code == FAIL_UNAVAILABLE);
	}
	close(fd);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct sockaddr_in v4 = { .sin_family = AF_INET };
		struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
		const void *a = cases[i].family == AF_INET ? (void *)&v4 : (void *)&v6;

		require(inet_pton(cases[i].family, cases[i].address,
			    cases[i].family == AF_INET ? (void *)&v4.sin_addr
						       : (void *)&v6.sin6_addr) == 1);
		CHECK_ROW(cases[i].address, listen_is_loopback(a) == cases[i].loopback);
	}
	CHECK(!listen_is_loopback(NULL));
}

static const struct test_case cases[] = {
	{ "dates", test_date },
	{ "validators", test_validate },
	{ "error bodies", test_problem },
	{ "framing", test_framing },
	{ "troubles logged", test_say },
	{ "workers", test_workers },
	{ "housekeeping", test_keeper },
	{ "addresses", test_listen },
};

TEST_MAIN("httpd", cases)
