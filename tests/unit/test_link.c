/*
 * The connection to smkid against a smkid of ours on a socket pair: whose reply is whose, and what
 * a caller sees when none comes.
 */
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "link.h"
#include "smki/admin.h"
#include "smki/clock.h"
#include "smki/file.h"
#include "smki/front.h"
#include "smki/mem.h"
#include "test.h"

#define OP FRONT_TOKEN
/* Time that never ends in a test that passes, and one that is meant to end. */
#define LONG_MS 20000
#define SHORT_MS 30

static struct home home = { .dir = "/tmp/smki-link-XXXXXX" };
static struct link *subject;
static int smkid_fd; /* the other end */

static void
link_setup(void)
{
	struct err err;
	int fds[2];

	require(wire_pair(fds, &err) == 0);
	smkid_fd = fds[1];
	require(link_new(&home, fds[0], &subject, &err) == 0);
}

static void
link_teardown(void)
{
	link_free(subject);
	subject = NULL;
	if (smkid_fd >= 0)
		close(smkid_fd);
	smkid_fd = -1;
}

/* ---- callers ---- */

struct caller {
	pthread_t thread;
	uint32_t word; /* asked; the fake smkid answers with word + 1 */
	int timeout_ms;
	int rc;
	uint32_t got;
	struct err err;
};

static void *
caller_main(void *arg)
{
	struct buf msg = { 0 }, reply = { 0 };
	struct caller *c = arg;
	struct wire_in in;

	wire_start(&msg, OP, 77, 0);
	wire_put_u32(&msg, c->word);
	c->rc = link_call(subject, &msg, &reply, &in, c->timeout_ms, &c->err);
	if (c->rc == 0)
		c->got = wire_get_u32(&in);
	if (c->rc == 0 && wire_end(&in, "test", &c->err) != 0)
		c->rc = -2;
	buf_free(&msg);
	buf_free(&reply);
	return NULL;
}

static void
caller_start(struct caller *c, uint32_t word, int timeout_ms)
{
	*c = (struct caller){ .word = word, .timeout_ms = timeout_ms };
	require(pthread_create(&c->thread, NULL, caller_main, c) == 0);
}

static void
caller_end(struct caller *c)
{
	pthread_join(c->thread, NULL);
}

/* ---- the fake smkid ---- */

struct asked {
	struct wire_head head;
	uint32_t word;
};

static void
smkid_take(struct asked *out)
{
	struct buf msg = { 0 };
	struct wire_in in;
	struct err err;

	require(wire_recv(smkid_fd, &msg, LONG_MS, &err) == 0);
	require(wire_head_get(msg.data, msg.len, &out->head, &in, &err) == 0);
	out->word = wire_get_u32(&in);
	buf_free(&msg);
}

static void
smkid_reply(const struct asked *asked, uint16_t op, uint8_t flags)
{
	struct buf msg = { 0 };
	struct err err;

	wire_start(&msg, op, asked->head.id, flags);
	if ((flags & WIRE_ERROR) != 0) {
		err_set(&err, FAIL_CONFLICT, "key: is another device's");
		wire_put_err(&msg, &err);
	} else {
		wire_put_u32(&msg, asked->word + 1);
	}
	require(wire_send(smkid_fd, &msg, LONG_MS, &err) == 0);
	buf_free(&msg);
}

/* A whole exchange, which shows that the connection is well. */
static int
link_works(void)
{
	struct asked asked;
	struct caller c;

	caller_start(&c, 4711, LONG_MS);
	smkid_take(&asked);
	smkid_reply(&asked, OP, 0);
	caller_end(&c);
	return c.rc == 0 && c.got == 4712;
}

/* ---- cases ---- */

static void
test_order(void)
{
	struct caller c[LINK_CALLS_MAX];
	struct asked asked[LINK_CALLS_MAX];
	struct caller over;

	link_setup();
	for (uint32_t i = 0; i < LINK_CALLS_MAX; i++)
		caller_start(&c[i], 1000 + i, LONG_MS);
	for (int i = 0; i < LINK_CALLS_MAX; i++) {
		smkid_take(&asked[i]);
		CU_ASSERT_EQUAL(asked[i].head.op, OP);
		for (int j = 0; j < i; j++)
			CHECK(asked[i].head.id != asked[j].head.id);
	}
	/* All on their way: one more is one too many. */
	caller_start(&over, 1, LONG_MS);
	caller_end(&over);
	CHECK(over.rc == -1 && over.err.code == FAIL_LIMIT);
	/* The last first; every third is an error. */
	for (int i = LINK_CALLS_MAX - 1; i >= 0; i--)
		smkid_reply(&asked[i], OP, asked[i].word % 3 == 0 ? WIRE_ERROR : 0);
	for (int i = 0; i < LINK_CALLS_MAX; i++) {
		caller_end(&c[i]);
		if (c[i].word % 3 == 0) {
			CHECK(c[i].rc == -1 && c[i].err.code == FAIL_CONFLICT);
			CHECK_STR(c[i].err.msg, "key: is another device's");
		} else {
			CHECK(c[i].rc == 0 && c[i].got == c[i].word + 1);
		}
	}
	CHECK(link_works());
	link_teardown();
}

/* Who waited too short is told so; what comes for it later is nobody's. */
static void
test_silence(void)
{
	struct asked late, never;
	struct caller c;

	link_setup();
	caller_start(&c, 1, SHORT_MS);
	caller_end(&c);
	CHECK(c.rc == -1 && c.err.code == FAIL_UNAVAILABLE);
	CHECK_STR(c.err.msg, "smkid: does not answer in time");
	smkid_take(&late);
	smkid_reply(&late, OP, 0);
	/* A reply to what was never asked is passed over, too. */
	never = late;
	never.head.id += 1000;
	smkid_reply(&never, OP, WIRE_ERROR);
	CHECK(link_works());
	link_teardown();
}

/* A smkid that does not even read: the message waits for room, and time ends. */
static void
test_deaf(void)
{
	struct buf msg = { 0 }, reply = { 0 };
	uint8_t *big = mem_alloc(WIRE_MAX);
	int64_t begun = clock_mono_ms();
	struct wire_in in;
	struct err err = { 0 };
	int rc, n = 0;

	link_setup();
	do {
		wire_start(&msg, OP, 0, 0);
		buf_add(&msg, big, WIRE_MAX - WIRE_HEAD);
		rc = link_call(subject, &msg, &reply, &in, SHORT_MS, &err);
	} while (rc == -1 && strstr(err.msg, "takes no request") == NULL && ++n < 20);
	CHECK_STR(err.msg, "smkid: takes no request");
	CHECK(clock_mono_ms() - begun < LONG_MS);
	/* One octet more is no message at all. */
	buf_add_u8(&msg, 0);
	CHECK(link_call(subject, &msg, &reply, &in, SHORT_MS, &err) == -1);
	CU_ASSERT_EQUAL(err.code, FAIL_INVALID);
	link_teardown();
	buf_free(&msg);
	buf_free(&reply);
	free(big);
}

/* All that wait are told when smkid goes; then it is looked for at its socket. */
static void
test_gone(void)
{
	char path[HOME_PATH_MAX];
	struct asked asked;
	struct caller c[3];
	struct err err;
	int listen_fd;

	link_setup();
	for (uint32_t i = 0; i < 3; i++) {
		caller_start(&c[i], i, LONG_MS);
		smkid_take(&asked);
	}
	close(smkid_fd);
	for (int i = 0; i < 3; i++) {
		caller_end(&c[i]);
		CHECK(c[i].rc == -1 && c[i].err.code == FAIL_UNAVAILABLE);
	}
	/* Nobody at the socket either. */
	caller_start(&c[0], 1, LONG_MS);
	caller_end(&c[0]);
	CHECK(c[0].rc == -1 && c[0].err.code == FAIL_UNAVAILABLE);
	CHECK(strstr(c[0].err.msg, "smki run") != NULL);

	require(home_path(&home, HOME_FRONT_SOCK, path, &err) == 0);
	require(wire_listen(path, 0600, &listen_fd, &err) == 0);
	caller_start(&c[0], 5, LONG_MS);
	require(poll(&(struct pollfd){ .fd = listen_fd, .events = POLLIN }, 1, LONG_MS) == 1);
	smkid_fd = accept(listen_fd, NULL, NULL);
	require(smkid_fd >= 0);
	smkid_take(&asked);
	smkid_reply(&asked, OP, 0);
	caller_end(&c[0]);
	CHECK(c[0].rc == 0 && c[0].got == 6);
	CHECK(link_works());
	close(listen_fd);
	unlink(path);
	link_teardown();
}

/* What no smkid sends ends the connection, and whoever waits on it is told. */
static void
test_garbage(void)
{
	static const struct {
		const char *name;
		uint8_t octets[12];
		size_t len;
	} cases[] = {
		{ "no head", { WIRE_VERSION, 0, OP }, 7 },
		{ "another version", { WIRE_VERSION + 1, 0, OP, 0, 0, 0, 1, 0 }, 8 },
		{ "unknown flags", { WIRE_VERSION, 0, OP, 0, 0, 0, 1, 0x80 }, 8 },
		{ "more to come", { WIRE_VERSION, 0, OP, 0, 0, 0, 1, WIRE_MORE }, 8 },
		{ "another operation", { WIRE_VERSION, 0, OP + 1, 0, 0, 0, 1, 0 }, 8 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct asked asked;
		struct caller c;
		char octet;

		link_setup();
		caller_start(&c, 1, LONG_MS);
		smkid_take(&asked);
		CU_ASSERT_EQUAL(asked.head.id, 1);
		CHECK(send(smkid_fd, cases[i].octets, cases[i].len, MSG_NOSIGNAL) ==
		      (ssize_t)cases[i].len);
		caller_end(&c);
		CHECK_ROW(cases[i].name, c.rc == -1 && c.err.code == FAIL_UNAVAILABLE);
		CHECK_ROW(cases[i].name, recv(smkid_fd, &octet, 1, 0) == 0);
		link_teardown();
	}
}

/* An error reply that does not decode, and a payload that does not, are the caller's to refuse. */
static void
test_payload(void)
{
	static const uint8_t bad[] = { WIRE_VERSION, 0, OP, 0, 0, 0, 1, WIRE_ERROR, 99 };
	struct asked asked;
	struct caller c;

	link_setup();
	caller_start(&c, 1, LONG_MS);
	smkid_take(&asked);
	CHECK(send(smkid_fd, bad, sizeof(bad), MSG_NOSIGNAL) == sizeof(bad));
	caller_end(&c);
	CHECK(c.rc == -1 && c.err.code == FAIL_INTERNAL);
	CHECK(link_works());
	link_teardown();
}

static void *
hello_main(void *arg)
{
	struct err err;
	int *rc = arg;

	*rc = link_hello(subject, LONG_MS, &err);
	return NULL;
}

static void
test_hello(void)
{
	struct admin_hello hello = { .version = "1" };
	struct buf msg = { 0 };
	struct asked asked;
	pthread_t thread;
	struct err err;
	int rc;

	link_setup();
	for (int good = 1; good >= 0; good--) {
		require(pthread_create(&thread, NULL, hello_main, &rc) == 0);
		smkid_take(&asked);
		CU_ASSERT_EQUAL(asked.head.op, FRONT_HELLO);
		wire_start(&msg, FRONT_HELLO, asked.head.id, 0);
		if (good)
			admin_hello_put(&msg, &hello);
		require(wire_send(smkid_fd, &msg, LONG_MS, &err) == 0);
		pthread_join(thread, NULL);
		CU_ASSERT_EQUAL(rc, good ? 0 : -1);
	}
	buf_free(&msg);
	link_teardown();
}

/* A descriptor that is none is told at once. */
static void
test_new(void)
{
	struct err err;
	int fds[2];

	require(wire_pair(fds, &err) == 0);
	close(fds[0]);
	close(fds[1]);
	CHECK(link_new(&home, fds[0], &subject, &err) == -1);
	CU_ASSERT_EQUAL(err.code, FAIL_INVALID);
	link_free(NULL);
	/* Never connected, never used. */
	require(link_new(&home, -1, &subject, &err) == 0);
	smkid_fd = -1;
	link_teardown();
}

static const struct test_case cases[] = {
	{ "replies in any order", test_order },
	{ "silence", test_silence },
	{ "a smkid that does not read", test_deaf },
	{ "smkid gone and back", test_gone },
	{ "garbage", test_garbage },
	{ "payloads", test_payload },
	{ "hello", test_hello },
	{ "new", test_new },
};

int
main(int argc, char **argv)
{
	char path[HOME_PATH_MAX];
	struct err err;
	int r;

	require(mkdtemp(home.dir) != NULL);
	require(home_path(&home, HOME_RUN, path, &err) == 0);
	require(file_make_dir(path, 0700, &err) == 0);
	r = test_main(argc, argv, "link", cases, ARRAY_LEN(cases));
	require(file_remove_tree(home.dir, &err) == 0);
	return r;
}
