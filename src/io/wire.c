/*
 * Messages and the sockets they go over. Knows framing and plain values only: what an operation
 * means is decided above. Every length from the peer is checked against what is there before a
 * byte of it is used; nothing a peer sends ends the process.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "smki/clock.h"
#include "smki/mem.h"
#include "smki/wire.h"

/* Connections waiting to be accepted, and how long a client waits for room among them. */
#define WIRE_BACKLOG 128
#define WIRE_CONNECT_SECONDS 5

void
wire_start(struct buf *msg, uint16_t op, uint32_t id, uint8_t flags)
{
	buf_reset(msg);
	buf_add_u8(msg, WIRE_VERSION);
	buf_add_u8(msg, (uint8_t)(op >> 8));
	buf_add_u8(msg, (uint8_t)op);
	wire_put_u32(msg, id);
	buf_add_u8(msg, flags);
}

void
wire_set_id(struct buf *msg, uint32_t id)
{
	require(msg->len >= WIRE_HEAD);
	for (size_t i = 0; i < sizeof(id); i++)
		msg->data[3 + i] = (uint8_t)(id >> (24 - 8 * i));
}

void
wire_put_u8(struct buf *msg, uint8_t value)
{
	buf_add_u8(msg, value);
}

void
wire_put_u32(struct buf *msg, uint32_t value)
{
	uint8_t octets[4];

	for (size_t i = 0; i < sizeof(octets); i++)
		octets[i] = (uint8_t)(value >> (24 - 8 * i));
	buf_add(msg, octets, sizeof(octets));
}

void
wire_put_i64(struct buf *msg, int64_t value)
{
	wire_put_u32(msg, (uint32_t)((uint64_t)value >> 32));
	wire_put_u32(msg, (uint32_t)(uint64_t)value);
}

void
wire_put_bytes(struct buf *msg, const void *data, size_t len)
{
	require(len <= UINT32_MAX);
	wire_put_u32(msg, (uint32_t)len);
	buf_add(msg, data, len);
}

void
wire_put_str(struct buf *msg, const char *text)
{
	wire_put_bytes(msg, text, strlen(text));
}

void
wire_put_err(struct buf *msg, const struct err *err)
{
	wire_put_u8(msg, (uint8_t)err->code);
	wire_put_str(msg, err->msg);
}

int
wire_head_get(
    const uint8_t *msg, size_t len, struct wire_head *head, struct wire_in *in, struct err *err)
{
	uint8_t flags;

	if (len < WIRE_HEAD)
		return err_set(err, FAIL_INVALID, "wire: message of %zu octets has no head", len);
	if (len > WIRE_MAX)
		return err_set(
		    err, FAIL_INVALID, "wire: message is larger than %d octets", WIRE_MAX);
	if (msg[0] != WIRE_VERSION)
		return err_set(
		    err, FAIL_INVALID, "wire: version %u is not %d", msg[0], WIRE_VERSION);
	flags = msg[7];
	if ((flags & ~(WIRE_MORE | WIRE_ERROR)) != 0)
		return err_set(err, FAIL_INVALID, "wire: unknown flags %02x", flags);
	*head = (struct wire_head){
		.op = (uint16_t)(msg[1] << 8 | msg[2]),
		.id = (uint32_t)msg[3] << 24 | (uint32_t)msg[4] << 16 | (uint32_t)msg[5] << 8 |
		      msg[6],
		.flags = flags,
	};
	*in = (struct wire_in){ .p = msg + WIRE_HEAD, .end = msg + len };
	return 0;
}

/* The next len octets, or NULL and a bad cursor. */
static const uint8_t *
wire_take(struct wire_in *in, size_t len)
{
	const uint8_t *p = in->p;

	if (in->bad || (size_t)(in->end - in->p) < len) {
		in->bad = true;
		return NULL;
	}
	in->p += len;
	return p;
}

uint8_t
wire_get_u8(struct wire_in *in)
{
	const uint8_t *p = wire_take(in, 1);

	return p != NULL ? *p : 0;
}

uint32_t
wire_get_u32(struct wire_in *in)
{
	const uint8_t *p = wire_take(in, 4);

	if (p == NULL)
		return 0;
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

int64_t
wire_get_i64(struct wire_in *in)
{
	const uint8_t *p = wire_take(in, 8);
	uint64_t value = 0;

	for (size_t i = 0; p != NULL && i < 8; i++)
		value = value << 8 | p[i];
	return (int64_t)value;
}

struct span
wire_get_bytes(struct wire_in *in, size_t max)
{
	size_t len = wire_get_u32(in);
	const uint8_t *p;

	if (len > max)
		in->bad = true;
	p = wire_take(in, len);
	return (struct span){ p, p != NULL ? len : 0 };
}

void
wire_get_str(struct wire_in *in, char *out, size_t cap)
{
	struct span text = wire_get_bytes(in, cap - 1);

	if (text.len > 0 && memchr(text.p, '\0', text.len) != NULL) {
		in->bad = true;
		text.len = 0;
	}
	if (text.len > 0)
		memcpy(out, text.p, text.len);
	out[text.len] = '\0';
}

void
wire_get_err(struct wire_in *in, struct err *out)
{
	uint8_t code = wire_get_u8(in);
	char text[ERR_MSG_MAX];

	wire_get_str(in, text, sizeof(text));
	if (code < FAIL_INVALID || code > FAIL_INTERNAL)
		in->bad = true;
	/* Also what cannot be read is a failure to whoever looks at it before wire_end. */
	if (in->bad)
		err_set(out, FAIL_INTERNAL, "wire: the peer's error does not decode");
	else
		err_set(out, (enum err_code)code, "%s", text);
}

int
wire_end(const struct wire_in *in, const char *what, struct err *err)
{
	if (in->bad)
		return err_set(err, FAIL_INVALID, "wire: %s does not decode", what);
	if (in->p != in->end)
		return err_set(err, FAIL_INVALID, "wire: %s: %zu octets too many", what,
		    (size_t)(in->end - in->p));
	return 0;
}

static int
wire_address(const char *path, struct sockaddr_un *out, struct err *err)
{
	size_t len = strlen(path);

	if (len == 0 || len >= sizeof(out->sun_path))
		return err_set(err, FAIL_INVALID,
		    "socket %s: path has %zu octets, the system takes 1 to %zu", path, len,
		    sizeof(out->sun_path) - 1);
	memset(out, 0, sizeof(*out));
	out->sun_family = AF_UNIX;
	memcpy(out->sun_path, path, len);
	return 0;
}

int
wire_path_check(const char *path, struct err *err)
{
	struct sockaddr_un address;

	return wire_address(path, &address, err);
}

static int
wire_socket(int flags, int *fd, struct err *err)
{
	*fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | flags, 0);
	if (*fd < 0)
		return err_sys(err, FAIL_UNAVAILABLE, "socket");
	return 0;
}

/* Remove what a killed process left at path; a living one or anything else is left alone. */
static int
wire_clear(const char *path, const struct sockaddr_un *address, struct err *err)
{
	struct stat st;
	int fd, rc, why;

	if (lstat(path, &st) != 0)
		return errno == ENOENT ? 0 : err_sys(err, FAIL_UNAVAILABLE, "socket %s", path);
	if (!S_ISSOCK(st.st_mode))
		return err_set(err, FAIL_CONFLICT, "socket %s: something else is there", path);
	if (wire_socket(SOCK_NONBLOCK, &fd, err) != 0)
		return -1;
	rc = connect(fd, (const struct sockaddr *)address, sizeof(*address));
	why = errno;
	close(fd);
	if (rc == 0 || why == EAGAIN)
		return err_set(
		    err, FAIL_CONFLICT, "socket %s: another process answers there", path);
	if (why != ECONNREFUSED) {
		errno = why;
		return err_sys(err, FAIL_UNAVAILABLE, "socket %s", path);
	}
	if (unlink(path) != 0 && errno != ENOENT)
		return err_sys(err, FAIL_UNAVAILABLE, "socket %s", path);
	return 0;
}

int
wire_listen(const char *path, mode_t mode, int *fd, struct err *err)
{
	struct sockaddr_un address;
	int s = -1, rc = -1;
	bool bound = false;

	if (wire_address(path, &address, err) != 0 || wire_clear(path, &address, err) != 0)
		return -1;
	if (wire_socket(SOCK_NONBLOCK, &s, err) != 0)
		return -1;
	/* Before bind: the name never stands there with more rights than it shall have. After it:
	 * the umask took some away. */
	if (fchmod(s, mode) != 0) {
		err_sys(err, FAIL_UNAVAILABLE, "socket %s: mode", path);
		goto out;
	}
	if (bind(s, (const struct sockaddr *)&address, sizeof(address)) != 0) {
		err_sys(err, FAIL_UNAVAILABLE, "socket %s: bind", path);
		goto out;
	}
	bound = true;
	if (chmod(path, mode) != 0) {
		err_sys(err, FAIL_UNAVAILABLE, "socket %s: mode", path);
		goto out;
	}
	if (listen(s, WIRE_BACKLOG) != 0) {
		err_sys(err, FAIL_UNAVAILABLE, "socket %s: listen", path);
		goto out;
	}
	*fd = s;
	s = -1;
	rc = 0;
out:
	if (s >= 0) {
		close(s);
		if (bound)
			unlink(path);
	}
	return rc;
}

int
wire_connect(const char *path, int *fd, struct err *err)
{
	struct timeval wait = { .tv_sec = WIRE_CONNECT_SECONDS };
	struct sockaddr_un address;
	int s = -1, rc = -1;

	if (wire_address(path, &address, err) != 0 || wire_socket(0, &s, err) != 0)
		return -1;
	/* A full backlog would keep connect() waiting for ever. */
	if (setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)) != 0) {
		err_sys(err, FAIL_UNAVAILABLE, "socket %s", path);
		goto out;
	}
	if (connect(s, (const struct sockaddr *)&address, sizeof(address)) != 0) {
		if (errno == ENOENT || errno == ENOTDIR || errno == ECONNREFUSED || errno == EAGAIN)
			err_set(err, FAIL_UNAVAILABLE,
			    "smkid: no answer at %s; start it with: smki run", path);
		else if (errno == EACCES || errno == EPERM)
			err_sys(err, FAIL_DENIED, "socket %s", path);
		else
			err_sys(err, FAIL_UNAVAILABLE, "socket %s", path);
		goto out;
	}
	*fd = s;
	s = -1;
	rc = 0;
out:
	if (s >= 0)
		close(s);
	return rc;
}

int
wire_pair(int fds[2], struct err *err)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		return err_sys(err, FAIL_UNAVAILABLE, "socket pair");
	fds[0] = pair[0];
	fds[1] = pair[1];
	return 0;
}

int
wire_peer(int fd, uid_t *uid, pid_t *pid, struct err *err)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0)
		return err_sys(err, FAIL_UNAVAILABLE, "socket: SO_PEERCRED");
	*uid = peer.uid;
	*pid = peer.pid;
	return 0;
}

/* Wait for events on fd. deadline in clock_mono_ms(), -1 = for ever. 0 when there is something. */
static int
wire_wait(int fd, short events, int64_t deadline, const char *late, struct err *err)
{
	struct pollfd p = { .fd = fd, .events = events };
	int64_t left = -1;
	int n;

	do {
		if (deadline >= 0) {
			left = deadline - clock_mono_ms();
			if (left < 0)
				left = 0;
		}
		n = poll(&p, 1, (int)left);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(err, FAIL_UNAVAILABLE, "wire: poll");
	if (n == 0)
		return err_set(err, FAIL_UNAVAILABLE, "wire: %s", late);
	return 0;
}

static int64_t
wire_deadline(int timeout_ms)
{
	return timeout_ms < 0 ? -1 : clock_mono_ms() + timeout_ms;
}

int
wire_send(int fd, const struct buf *msg, int timeout_ms, struct err *err)
{
	int64_t deadline = wire_deadline(timeout_ms);
	ssize_t n;

	require(msg->len >= WIRE_HEAD);
	if (msg->len > WIRE_MAX)
		return err_set(err, FAIL_INVALID, "wire: message of %zu octets is larger than %d",
		    msg->len, WIRE_MAX);
	for (;;) {
		n = send(fd, msg->data, msg->len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n >= 0)
			break;
		if (errno == EINTR)
			continue;
		if (errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN)
			return err_set(err, FAIL_UNAVAILABLE, "wire: the peer is gone");
		if (errno != EAGAIN)
			return err_sys(err, FAIL_UNAVAILABLE, "wire: send");
		if (wire_wait(fd, POLLOUT, deadline, "the peer does not read", err) != 0)
			return -1;
	}
	/* A packet goes as a whole or not at all. */
	require((size_t)n == msg->len);
	return 0;
}

int
wire_recv(int fd, struct buf *msg, int timeout_ms, struct err *err)
{
	int64_t deadline = wire_deadline(timeout_ms);
	struct iovec to;
	struct msghdr h;
	ssize_t n;

	buf_reset(msg);
	buf_reserve(msg, WIRE_MAX);
	for (;;) {
		to = (struct iovec){ .iov_base = msg->data, .iov_len = WIRE_MAX };
		h = (struct msghdr){ .msg_iov = &to, .msg_iovlen = 1 };
		n = recvmsg(fd, &h, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
		if (n >= 0)
			break;
		if (errno == EINTR)
			continue;
		if (errno == ECONNRESET || errno == ENOTCONN)
			return err_set(err, FAIL_UNAVAILABLE, "wire: the peer is gone");
		if (errno != EAGAIN)
			return err_sys(err, FAIL_UNAVAILABLE, "wire: receive");
		if (wire_wait(fd, POLLIN, deadline, "no message in time", err) != 0)
			return -1;
	}
	if ((h.msg_flags & MSG_TRUNC) != 0)
		return err_set(
		    err, FAIL_INVALID, "wire: message is larger than %d octets", WIRE_MAX);
	if (n == 0)
		return err_set(err, FAIL_UNAVAILABLE, "wire: the peer is gone");
	msg->len = (size_t)n;
	return 0;
}
