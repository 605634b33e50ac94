/*
 * Messages and sockets: values at their boundaries, every truncation of a payload, frames that
 * break the rules, peers that go away, sockets that others left behind.
 */
#include <fcntl.h>
#include <limits.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "smki/mem.h"
#include "smki/wire.h"
#include "test.h"

#define DEADLINE_MS 10000

static char wire_dir[64];

static const char *
path_of(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", wire_dir, name);
	return path;
}

static void
test_head(void)
{
	static const uint8_t want[] = { 1, 0x12, 0x34, 0x89, 0xab, 0xcd, 0xef, 1 };
	struct buf msg = { 0 };
	struct wire_head head;
	struct wire_in in;
	struct err err;

	buf_add_str(&msg, "left from before");
	wire_start(&msg, 0x1234, 0x89abcdef, WIRE_MORE);
	CHECK_MEM(msg.data, msg.len, want, sizeof(want));
	wire_put_u8(&msg, 7);
	CHECK(wire_head_get(msg.data, msg.len, &head, &in, &err) == 0);
	CHECK(head.op == 0x1234 && head.id == 0x89abcdef && head.flags == WIRE_MORE);
	CHECK(wire_get_u8(&in) == 7 && wire_end(&in, "test", &err) == 0);
	buf_free(&msg);
}

static void
test_bad_head(void)
{
	static const struct {
		const char *name;
		uint8_t head[WIRE_HEAD];
		size_t len;
		int want;
		const char *msg;
	} rows[] = {
		{ "nothing", { 0 }, 0, -1, "wire: message of 0 octets has no head" },
		{ "head cut", { 1, 0, 1, 0, 0, 0, 1 }, 7, -1, "has no head" },
		{ "head only", { 1, 0, 1, 0, 0, 0, 1, 0 }, 8, 0, "" },
		{ "largest", { 1, 0, 1, 0, 0, 0, 1, 0 }, WIRE_MAX, 0, "" },
		{ "too large", { 1, 0, 1, 0, 0, 0, 1, 0 }, WIRE_MAX + 1, -1, "larger than" },
		{ "version 0", { 0, 0, 1, 0, 0, 0, 1, 0 }, 8, -1, "version 0" },
		{ "version 2", { 2, 0, 1, 0, 0, 0, 1, 0 }, 8, -1, "version 2" },
		{ "both flags", { 1, 0, 1, 0, 0, 0, 1, 3 }, 8, 0, "" },
		{ "flag 4", { 1, 0, 1, 0, 0, 0, 1, 4 }, 8, -1, "unknown flags 04" },
		{ "flag 80", { 1, 0, 1, 0, 0, 0, 1, 0x81 }, 8, -1, "unknown flags 81" },
	};
	static uint8_t msg[WIRE_MAX + 1];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct wire_head head = { .op = 99 };
		struct wire_in in = { 0 };
		struct err err = { 0 };

		memcpy(msg, rows[i].head, WIRE_HEAD);
		CHECK_ROW(rows[i].name,
		    wire_head_get(msg, rows[i].len, &head, &in, &err) == rows[i].want);
		if (rows[i].want == 0) {
			CHECK_ROW(rows[i].name, head.op == 1 && in.end == msg + rows[i].len);
			continue;
		}
		CHECK_ROW(rows[i].name, err.code == FAIL_INVALID && head.op == 99);
		CHECK_ROW(rows[i].name, strstr(err.msg, rows[i].msg) != NULL);
	}
}

/* Every kind of value, at its ends. */
static void
put_all(struct buf *msg)
{
	wire_start(msg, 1, 1, 0);
	wire_put_u8(msg, 0xff);
	wire_put_u32(msg, UINT32_MAX);
	wire_put_i64(msg, INT64_MIN);
	wire_put_i64(msg, INT64_MAX);
	wire_put_i64(msg, -1);
	wire_put_bytes(msg, NULL, 0);
	wire_put_bytes(msg, "\0\1\2", 3);
	wire_put_str(msg, "");
	wire_put_str(msg, "seven c");
}

/* 0 when all came back as put_all() put it. */
static int
get_all(struct wire_in *in, struct err *err)
{
	uint8_t u8 = wire_get_u8(in);
	uint32_t u32 = wire_get_u32(in);
	int64_t least = wire_get_i64(in), most = wire_get_i64(in), minus = wire_get_i64(in);
	struct span none = wire_get_bytes(in, 0), three = wire_get_bytes(in, 3);
	char empty[1] = "x", seven[8] = "x";

	wire_get_str(in, empty, sizeof(empty));
	wire_get_str(in, seven, sizeof(seven));
	if (wire_end(in, "values", err) != 0)
		return -1;
	CHECK(u8 == 0xff && u32 == UINT32_MAX);
	CHECK(least == INT64_MIN && most == INT64_MAX && minus == -1);
	CHECK(none.len == 0);
	CHECK_MEM(three.p, three.len, "\0\1\2", 3);
	CHECK_STR(empty, "");
	CHECK_STR(seven, "seven c");
	return 0;
}

static void
test_values(void)
{
	struct buf msg = { 0 };
	struct wire_head head;
	struct wire_in in;
	struct err err;

	put_all(&msg);
	CHECK(wire_head_get(msg.data, msg.len, &head, &in, &err) == 0);
	CHECK(get_all(&in, &err) == 0);
	/* Cut anywhere, or with something behind, it is refused; what is there is never overrun. */
	for (size_t len = WIRE_HEAD; len < msg.len; len++) {
		uint8_t *cut = mem_copy(msg.data, len);

		CHECK(wire_head_get(cut, len, &head, &in, &err) == 0);
		CHECK(get_all(&in, &err) == -1 && err.code == FAIL_INVALID);
		free(cut);
	}
	CHECK_STR(err.msg, "wire: values does not decode");
	wire_put_u8(&msg, 0);
	CHECK(wire_head_get(msg.data, msg.len, &head, &in, &err) == 0);
	CHECK(get_all(&in, &err) == -1 && err.code == FAIL_INVALID);
	CHECK_STR(err.msg, "wire: values: 1 octets too many");
	buf_free(&msg);
}

static void
test_lengths(void)
{
	static const struct {
		const char *name;
		const char *octets;
		size_t len;
		size_t cap; /* of the text, with NUL */
		int want;
	} rows[] = {
		{ "fits", "\0\0\0\3abc", 7, 4, 0 },
		{ "one too long", "\0\0\0\3abc", 7, 3, -1 },
		{ "NUL inside", "\0\0\0\3a\0c", 7, 4, -1 },
		{ "NUL at the end", "\0\0\0\3ab\0", 7, 4, -1 },
		{ "longer than the message", "\0\0\0\4abc", 7, 16, -1 },
		{ "2^32 - 1",
		    "\xff\xff\xff\xff"
		    "abc",
		    7, 16, -1 },
		{ "2^31", "\x80\0\0\0abc", 7, 16, -1 },
		{ "length cut", "\0\0\0", 3, 16, -1 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint8_t *octets = mem_copy(rows[i].octets, rows[i].len);
		struct wire_in in = { octets, octets + rows[i].len, false };
		char text[16] = "before";
		struct span span;

		wire_get_str(&in, text, rows[i].cap);
		CHECK_ROW(rows[i].name, wire_end(&in, "text", NULL) == rows[i].want);
		CHECK_ROW(rows[i].name, strcmp(text, rows[i].want == 0 ? "abc" : "") == 0);
		/* Once bad, all is zero and stays bad. */
		if (rows[i].want != 0) {
			span = wire_get_bytes(&in, 16);
			CHECK_ROW(rows[i].name, span.p == NULL && span.len == 0 && in.bad);
			CHECK_ROW(rows[i].name, wire_get_u8(&in) == 0);
			CHECK_ROW(rows[i].name, wire_get_i64(&in) == 0);
		}
		free(octets);
	}
}

static void
test_error(void)
{
	struct buf msg = { 0 };

	for (unsigned code = 0; code <= FAIL_INTERNAL + 1; code++) {
		struct err sent = { .code = FAIL_INVALID, .msg = "csr: two\nlines" };
		struct err got = { 0 };
		struct wire_head head;
		struct wire_in in;
		bool good = code >= FAIL_INVALID && code <= FAIL_INTERNAL;

		wire_start(&msg, 1, 1, WIRE_ERROR);
		wire_put_err(&msg, &sent);
		msg.data[WIRE_HEAD] = (uint8_t)code;
		CHECK(wire_head_get(msg.data, msg.len, &head, &in, NULL) == 0);
		wire_get_err(&in, &got);
		CHECK(wire_end(&in, "error", NULL) == (good ? 0 : -1));
		CHECK(got.code == (good ? (enum err_code)code : FAIL_INTERNAL));
		/* A peer's text starts no second line. */
		CHECK_STR(
		    got.msg, good ? "csr: two?lines" : "wire: the peer's error does not decode");
	}
	buf_free(&msg);
}

static void
test_pair(void)
{
	struct buf out = { 0 }, in = { 0 };
	struct err err;
	uid_t uid;
	pid_t pid;
	int fds[2];

	CHECK(wire_pair(fds, &err) == 0);
	CHECK((fcntl(fds[0], F_GETFD) & FD_CLOEXEC) != 0);
	CHECK(wire_peer(fds[0], &uid, &pid, &err) == 0 && uid == getuid() && pid == getpid());
	CHECK(wire_recv(fds[0], &in, 0, &err) == -1 && err.code == FAIL_UNAVAILABLE);
	CHECK_STR(err.msg, "wire: no message in time");

	/* The largest message goes; packets keep their borders. */
	wire_start(&out, 1, 1, 0);
	while (out.len < WIRE_MAX)
		buf_add_u8(&out, (uint8_t)(out.len * 7));
	CHECK(wire_send(fds[1], &out, DEADLINE_MS, &err) == 0);
	CHECK(wire_recv(fds[0], &in, DEADLINE_MS, &err) == 0);
	CHECK_MEM(in.data, in.len, out.data, out.len);
	buf_add_u8(&out, 0);
	CHECK(wire_send(fds[1], &out, DEADLINE_MS, &err) == -1 && err.code == FAIL_INVALID);

	/* A peer that does not keep to it. */
	CHECK(send(fds[1], out.data, out.len, 0) == (ssize_t)out.len);
	wire_start(&out, 2, 2, 0);
	CHECK(wire_send(fds[1], &out, DEADLINE_MS, &err) == 0);
	CHECK(wire_recv(fds[0], &in, DEADLINE_MS, &err) == -1 && err.code == FAIL_INVALID);
	CHECK(strstr(err.msg, "larger than") != NULL && in.len == 0);
	CHECK(wire_recv(fds[0], &in, DEADLINE_MS, &err) == 0 && in.len == WIRE_HEAD);

	/* What was sent before the end is still read. */
	CHECK(wire_send(fds[1], &out, DEADLINE_MS, &err) == 0);
	close(fds[1]);
	CHECK(wire_recv(fds[0], &in, DEADLINE_MS, &err) == 0 && in.len == WIRE_HEAD);
	CHECK(wire_recv(fds[0], &in, DEADLINE_MS, &err) == -1 && err.code == FAIL_UNAVAILABLE);
	CHECK_STR(err.msg, "wire: the peer is gone");
	CHECK(wire_send(fds[0], &out, DEADLINE_MS, &err) == -1 && err.code == FAIL_UNAVAILABLE);
	CHECK_STR(err.msg, "wire: the peer is gone");
	close(fds[0]);
	buf_free(&out);
	buf_free(&in);
}

static void
test_full(void)
{
	struct buf out = { 0 }, in = { 0 };
	struct err err = { 0 };
	int fds[2], sent = 0;

	CHECK(wire_pair(fds, &err) == 0);
	wire_start(&out, 1, 1, 0);
	while (out.len < WIRE_MAX / 2)
		buf_add_u8(&out, 0);
	while (sent < 1000 && wire_send(fds[0], &out, 0, &err) == 0)
		sent++;
	CHECK(sent > 0 && sent < 1000 && err.code == FAIL_UNAVAILABLE);
	CHECK_STR(err.msg, "wire: the peer does not read");
	/* It was refused as a whole: what was sent is what is read. */
	for (int i = 0; i < sent; i++)
		CHECK(wire_recv(fds[1], &in, 0, &err) == 0 && in.len == out.len);
	CHECK(wire_recv(fds[1], &in, 0, &err) == -1);
	CHECK(wire_send(fds[0], &out, 0, &err) == 0);
	close(fds[0]);
	close(fds[1]);
	buf_free(&out);
	buf_free(&in);
}

static void
test_listen(void)
{
	struct buf out = { 0 }, in = { 0 };
	char path[256];
	struct stat st;
	struct err err;
	int listener = -1, client = -1, server = -1, second = -1;
	mode_t mask = umask(077);

	snprintf(path, sizeof(path), "%s", path_of("a.sock"));
	CHECK(wire_connect(path, &client, &err) == -1 && err.code == FAIL_UNAVAILABLE);
	CHECK(strncmp(err.msg, "smkid: no answer at ", 20) == 0);
	CHECK(strstr(err.msg, "; start it with: smki run") != NULL);

	CHECK(wire_listen(path, 0660, &listener, &err) == 0);
	umask(mask);
	CHECK(stat(path, &st) == 0 && (st.st_mode & 07777) == 0660);
	/* A living listener keeps its name. */
	CHECK(wire_listen(path, 0660, &second, &err) == -1 && err.code == FAIL_CONFLICT);
	server = accept(listener, NULL, NULL); /* the other's look */
	if (server >= 0)
		close(server);

	CHECK(wire_connect(path, &client, &err) == 0);
	server = accept(listener, NULL, NULL);
	CHECK(server >= 0);
	wire_start(&out, 3, 4, 0);
	CHECK(wire_send(client, &out, DEADLINE_MS, &err) == 0);
	CHECK(wire_recv(server, &in, DEADLINE_MS, &err) == 0);
	CHECK_MEM(in.data, in.len, out.data, out.len);
	close(client);
	close(server);
	close(listener);

	/* Left behind by a killed process: nobody answers, and its name can be taken. */
	CHECK(stat(path, &st) == 0);
	CHECK(wire_connect(path, &client, &err) == -1 && err.code == FAIL_UNAVAILABLE);
	CHECK(wire_listen(path, 0600, &listener, &err) == 0);
	CHECK(stat(path, &st) == 0 && (st.st_mode & 07777) == 0600);
	CHECK((fcntl(listener, F_GETFD) & FD_CLOEXEC) != 0);
	close(listener);
	unlink(path);
	buf_free(&out);
	buf_free(&in);
}

static void
test_bad_places(void)
{
	char path[256];
	struct err err;
	int fd = -1, file;

	memset(path, 'x', sizeof(path));
	path[108] = '\0'; /* sun_path with its NUL has 108 */
	CHECK(wire_listen(path, 0600, &fd, &err) == -1 && err.code == FAIL_INVALID);
	CHECK(wire_connect(path, &fd, &err) == -1 && err.code == FAIL_INVALID);
	path[107] = '\0';
	CHECK(wire_connect(path, &fd, &err) == -1 && err.code == FAIL_UNAVAILABLE);
	CHECK(wire_listen("", 0600, &fd, &err) == -1 && err.code == FAIL_INVALID);

	snprintf(path, sizeof(path), "%s", path_of("file"));
	file = open(path, O_CREAT | O_WRONLY, 0600);
	CHECK(file >= 0 && write(file, "kept", 4) == 4);
	close(file);
	CHECK(wire_listen(path, 0600, &fd, &err) == -1 && err.code == FAIL_CONFLICT);
	CHECK(access(path, F_OK) == 0);
	unlink(path);
	CHECK(wire_listen(path_of("no/such"), 0600, &fd, &err) == -1);
	CHECK(err.code == FAIL_UNAVAILABLE && fd == -1);
}

static const struct test_case cases[] = {
	{ "head", test_head },
	{ "bad head", test_bad_head },
	{ "values", test_values },
	{ "lengths", test_lengths },
	{ "error", test_error },
	{ "pair", test_pair },
	{ "full", test_full },
	{ "listen", test_listen },
	{ "bad places", test_bad_places },
};

int
main(int argc, char **argv)
{
	int rc;

	strcpy(wire_dir, "/tmp/smki-wire-XXXXXX");
	if (mkdtemp(wire_dir) == NULL) {
		perror("mkdtemp");
		return 1;
	}
	rc = test_main(argc, argv, "wire", cases, ARRAY_LEN(cases));
	rmdir(wire_dir);
	return rc;
}
