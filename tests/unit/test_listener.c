/*
 * Connections without an HTTP library: addresses, deadlines, answers that are held back.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conns.h"
#include "exchange.h"
#include "held.h"
#include "listen.h"
#include "smki/clock.h"
#include "smki/mem.h"
#include "test.h"

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

static void
test_address(void)
{
	static const struct {
		int family;
		const char *address, *text;
	} cases[] = {
		{ AF_INET, "10.1.2.3", "10.1.2.3" },
		{ AF_INET6, "2001:db8::1", "2001:db8::1" },
		{ AF_INET6, "::ffff:10.1.2.3", "10.1.2.3" },
		{ AF_INET6, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
	};
	struct sockaddr other = { .sa_family = AF_UNIX };
	char text[LISTEN_TEXT_MAX];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct sockaddr_in v4 = { .sin_family = AF_INET };
		struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
		const void *a = cases[i].family == AF_INET ? (void *)&v4 : (void *)&v6;

		require(inet_pton(cases[i].family, cases[i].address,
			    cases[i].family == AF_INET ? (void *)&v4.sin_addr
						       : (void *)&v6.sin6_addr) == 1);
		listen_address(a, text);
		CHECK_STR(text, cases[i].text);
	}
	listen_address(&other, text);
	CHECK_STR(text, "");
	listen_address(NULL, text);
	CHECK_STR(text, "");
}

/* ---- connections ---- */

static const int64_t no_limit[TURNS] = { -1, -1, -1, -1, -1 };

/* What was shut down reads as ended. */
static bool
conn_is_cut(int fd)
{
	char octet;

	return recv(fd, &octet, 1, MSG_DONTWAIT) == 0;
}

static void
test_conns(void)
{
	static const struct {
		const char *name;
		enum conn_turn turn;
		int64_t ms, limit, now;
		bool cut;
	} cases[] = {
		{ "at once", TURN_SHAKING, 5000, -1, 1000, false },
		{ "before its end", TURN_SHAKING, 5000, -1, 5999, false },
		{ "at its end", TURN_SHAKING, 5000, -1, 6000, true },
		{ "no time", TURN_SHAKING, 0, -1, 1000, true },
		{ "below the limit", TURN_ASKING, 5000, 100, 1099, false },
		{ "at the limit", TURN_ASKING, 5000, 100, 1100, true },
		{ "limit 0", TURN_IDLE, 5000, 0, 1000, true },
		{ "ours", TURN_OURS, 1, -1, 1000000, false },
		{ "ours, crowded", TURN_OURS, 1, 0, 1000000, false },
	};
	struct conns conns;
	struct conn conn[3];
	int fds[3][2];

	conns_init(&conns);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int64_t limit[TURNS] = { -1, -1, -1, -1, -1 };

		limit[cases[i].turn] = cases[i].limit;
		require(socketpair(AF_UNIX, SOCK_STREAM, 0, fds[0]) == 0);
		conns_add(&conns, &conn[0], fds[0][0], cases[i].turn, 1000, cases[i].ms);
		CHECK_ROW(cases[i].name,
		    conns_cut(&conns, limit, cases[i].now) == (cases[i].cut ? 1 : 0));
		CHECK_ROW(cases[i].name, conn_is_cut(fds[0][1]) == cases[i].cut);
		/* Once is enough. */
		CHECK_ROW(cases[i].name, conns_cut(&conns, limit, cases[i].now) == 0);
		conns_remove(&conns, &conn[0]);
		close(fds[0][0]);
		close(fds[0][1]);
	}
	/* Only the overdue one of three, wherever it stands; a new turn is a new time. */
	for (int i = 0; i < 3; i++) {
		require(socketpair(AF_UNIX, SOCK_STREAM, 0, fds[i]) == 0);
		conns_add(&conns, &conn[i], fds[i][0], TURN_IDLE, 0, i == 1 ? 10 : 1000);
	}
	conns_turn(&conn[0], TURN_ASKING, 500, 10);
	CU_ASSERT_EQUAL(conns_cut(&conns, no_limit, 505), 1);
	CHECK(!conn_is_cut(fds[0][1]) && conn_is_cut(fds[1][1]) && !conn_is_cut(fds[2][1]));
	conns_remove(&conns, &conn[1]);
	CU_ASSERT_EQUAL(conns_cut(&conns, no_limit, 510), 1);
	CHECK(conn_is_cut(fds[0][1]) && !conn_is_cut(fds[2][1]));
	conns_remove(&conns, &conn[2]);
	conns_remove(&conns, &conn[0]);
	conns_free(&conns);
	for (int i = 0; i < 3; i++) {
		close(fds[i][0]);
		close(fds[i][1]);
	}
}

/* ---- answers held back ---- */

static struct {
	pthread_mutex_t lock;
	pthread_cond_t moved;
	struct work *order[4];
	unsigned n;
} let = { .lock = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER };

static void
let_go(struct work *work)
{
	pthread_mutex_lock(&let.lock);
	let.order[let.n++] = work;
	pthread_cond_broadcast(&let.moved);
	pthread_mutex_unlock(&let.lock);
}

/* How long the two that are let go by time wait: in between both must be put. */
#define HELD_MS 500

static void
test_held(void)
{
	struct work work[4] = { 0 };
	int64_t begun = clock_mono_ms();
	struct held *held;
	struct err err;

	/* Three are all there is room for. */
	require(held_new(3, let_go, &held, &err) == 0);
	for (int i = 0; i < 3; i++)
		CHECK(held_put(held, &work[i], begun + 3600000) == 0);
	CHECK(held_put(held, &work[3], begun) == -1);
	/* The end lets all go, and takes no more. */
	held_flush(held);
	CU_ASSERT_EQUAL(let.n, 3);
	CHECK(held_put(held, &work[3], begun) == -1);
	held_free(held);
	held_free(NULL);

	require(held_new(3, let_go, &held, &err) == 0);
	let.n = 0;
	begun = clock_mono_ms();
	CHECK(held_put(held, &work[0], begun + 3600000) == 0);
	CHECK(held_put(held, &work[1], begun + 2 * HELD_MS) == 0);
	CHECK(held_put(held, &work[2], begun + HELD_MS) == 0);
	pthread_mutex_lock(&let.lock);
	while (let.n < 2)
		pthread_cond_wait(&let.moved, &let.lock);
	pthread_mutex_unlock(&let.lock);
	CHECK(let.order[0] == &work[2] && let.order[1] == &work[1]);
	CHECK(clock_mono_ms() - begun >= 2 * HELD_MS);
	held_flush(held);
	CU_ASSERT_EQUAL(let.n, 3);
	CHECK(let.order[2] == &work[0]);
	held_free(held);
}

/* What one request brought and was answered is nothing that the next one finds in its place. */
static void
test_exchange(void)
{
	struct listener l = { .timeout_ms = 1000, .body_max = SIZE_MAX };
	struct listener_conn one = { .listener = &l, .loopback = true }, two = { .listener = &l };
	struct exchange *e = exchange_begin(NULL, &one, NULL, NULL), *first = e;
	struct http_request *request = &e->work.request;

	exchange_header(e, "If-None-Match", 13, "*");
	exchange_header(e, "Authorization", 13, "Basic x");
	exchange_header(e, "Content-Length", 14, "3");
	request->method = HTTP_POST;
	request->path = "/ocsp";
	CHECK(exchange_admit(e, NULL) && request->loopback);
	CHECK(exchange_body(e, "abc", 3) == 0 && request->body.len == 3);
	request->n_peer = 1;
	request->renew = request->last = request->alone = request->too_large = true;
	http_fail(&e->work.response, FAIL_UNAVAILABLE, "gone");
	e->begun = e->routed = e->ready = true;
	exchange_end(e);
	CHECK(one.exchange == NULL);

	e = exchange_begin(NULL, &two, NULL, NULL);
	CHECK(e == first && e->conn == &two && two.exchange == e);
	CHECK(!e->begun && !e->routed && !e->ready && e->body_max == 0 && e->discarded == 0);
	CHECK(e->framing.length == NULL && e->framing.lengths == 0 && e->work.route == NULL);
	CHECK(request->if_none_match == NULL && request->authorization == NULL &&
	      request->path == NULL && request->n_peer == 0 && request->body.len == 0);
	CHECK(!request->renew && !request->last && !request->alone && !request->too_large &&
	      !request->loopback);
	CHECK(e->work.response.status == 0 && e->work.response.n == 0 &&
	      e->work.response.body.len == 0 && e->work.response.fd == -1);
	exchange_end(e);
}

static const struct test_case cases[] = {
	{ "addresses", test_listen },
	{ "addresses of peers", test_address },
	{ "connections", test_conns },
	{ "answers held back", test_held },
	{ "exchange used again", test_exchange },
};

TEST_MAIN("listener", cases)
