/*
 * One connection: reading requests, queueing replies, and the life of a request. A peer can make
 * its own requests fail and its own connection close, nothing else; no thread waits for it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "imports.h"
#include "server.h"
#include "smki/clock.h"
#include "smki/front.h"
#include "smki/mem.h"

static void
conn_unref(struct conn *conn)
{
	if (atomic_fetch_sub(&conn->refs, 1) != 1)
		return;
	require(conn->out == NULL && conn->parked == NULL);
	pthread_mutex_destroy(&conn->lock);
	free(conn);
}

/* Lock held. Watch for what the connection can do now. */
static void
conn_watch(struct conn *conn)
{
	struct epoll_event event = { .data.ptr = conn };

	if (conn->closed)
		return;
	if (!conn->ended && atomic_load(&conn->server->stop) == 0 &&
	    conn->requests < CONN_REQUESTS_MAX && conn->out_len <= CONN_OUT_MAX)
		event.events |= EPOLLIN;
	/* Also what is parked, when another thread sent all that it waited behind; and the end of
	 * a peer that sends no more. */
	if (conn->out != NULL || conn->parked != NULL || (conn->ended && conn->requests == 0))
		event.events |= EPOLLOUT;
	if (event.events == conn->watching)
		return;
	conn->watching = event.events;
	if (epoll_ctl(conn->server->epoll, EPOLL_CTL_MOD, conn->fd, &event) != 0)
		shutdown(conn->fd, SHUT_RDWR);
}

struct conn *
conn_new(struct server *server, int fd, bool front, long uid, enum role role)
{
	struct conn *conn = mem_alloc(sizeof(*conn));
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = conn };

	conn->watch = WATCH_CONN;
	conn->server = server;
	conn->front = front;
	conn->uid = uid;
	conn->role = role;
	conn->fd = fd;
	conn->watching = EPOLLIN;
	conn->moved_ms = clock_mono_ms();
	atomic_init(&conn->refs, 1);
	require(pthread_mutex_init(&conn->lock, NULL) == 0);
	if (epoll_ctl(server->epoll, EPOLL_CTL_ADD, fd, &event) == 0)
		return conn;
	conn->fd = -1;
	conn_unref(conn);
	return NULL;
}

/* Lock held. Send what waits, as far as the peer takes it. -1 when it is gone. */
static int
conn_flush(struct conn *conn)
{
	struct out_msg *msg;
	ssize_t n;

	while ((msg = conn->out) != NULL) {
		n = send(conn->fd, msg->bytes.data, msg->bytes.len, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : -1;
		conn->out = msg->next;
		if (conn->out == NULL)
			conn->out_last = NULL;
		conn->out_len -= msg->bytes.len;
		conn->moved_ms = clock_mono_ms();
		buf_wipe(&msg->bytes); /* keys and secrets are among the replies */
		free(msg);
	}
	return 0;
}

/* Queue a message of any thread and send what can be sent; to a closed connection: dropped. */
static void
conn_put(struct conn *conn, struct buf *bytes)
{
	struct out_msg *msg = mem_alloc(sizeof(*msg));

	require(bytes->len <= WIRE_MAX);
	msg->bytes = *bytes;
	*bytes = (struct buf){ 0 };
	pthread_mutex_lock(&conn->lock);
	if (conn->closed) {
		buf_wipe(&msg->bytes);
		free(msg);
	} else {
		if (conn->out_last != NULL)
			conn->out_last->next = msg;
		else
			conn->out = msg;
		if (conn->out == msg)
			conn->moved_ms = clock_mono_ms();
		conn->out_last = msg;
		conn->out_len += msg->bytes.len;
		if (conn_flush(conn) != 0)
			shutdown(conn->fd, SHUT_RDWR); /* epoll tells its thread */
		conn_watch(conn);
	}
	pthread_mutex_unlock(&conn->lock);
}

enum conn_room
conn_room(struct conn *conn, struct pool_item *item)
{
	enum conn_room room = CONN_ROOM;

	pthread_mutex_lock(&conn->lock);
	if (conn->closed) {
		room = CONN_GONE;
	} else if (conn->out_len > CONN_OUT_MAX / 2) {
		item->next = conn->parked;
		conn->parked = item;
		room = CONN_PARKED;
	}
	pthread_mutex_unlock(&conn->lock);
	return room;
}

/* Streams that waited go on, outside the lock. */
static void
conn_unpark(struct conn *conn, struct pool_item *parked)
{
	struct pool_item *next;

	for (; parked != NULL; parked = next) {
		next = parked->next;
		pool_put_again(conn->server->smkid->queries, parked);
	}
}

/* ---- requests ---- */

void
request_start(const struct request *req, struct buf *msg, bool more)
{
	wire_start(msg, req->number, req->id, more ? WIRE_MORE : 0);
}

void
request_last(struct buf *msg)
{
	require(msg->len >= WIRE_HEAD);
	msg->data[WIRE_HEAD - 1] = 0; /* flags close the head */
}

void
request_send(struct request *req, struct buf *msg)
{
	conn_put(req->conn, msg);
}

bool
request_is_bulk(struct request *req)
{
	struct conn *conn = req->conn;
	unsigned requests;

	pthread_mutex_lock(&conn->lock);
	requests = conn->requests;
	pthread_mutex_unlock(&conn->lock);
	return !conn->front && requests > CONN_SINGLE_MAX;
}

/* why: an error's text, which may hold what a peer wrote: bounded, and one line by err_set. */
static void
request_log(const struct request *req, const char *out, const char *why)
{
	int64_t us = clock_mono_us() - req->started_us;
	bool refused = why[0] != '\0';

	/* The front says hello every few seconds: that all is well needs no line. */
	if (!refused && (req->quiet || (req->conn->front && req->number == FRONT_HELLO)))
		return;
	if (req->role == ROLE_NONE && (refused || !req->conn->front) &&
	    !server_may_log(req->conn->server))
		return;
	log_info("op=%s uid=%ld out=%s ms=%lld.%03lld%s%s%s%.300s", req->op->name, req->uid, out,
	    (long long)(us / 1000), (long long)(us % 1000), req->note[0] != '\0' ? " " : "",
	    req->note, refused ? " why=" : "", why);
}

static void
request_free(struct request *req)
{
	struct conn *conn = req->conn;
	struct server *server = conn->server;

	pthread_mutex_lock(&conn->lock);
	conn->requests--;
	conn_watch(conn);
	pthread_mutex_unlock(&conn->lock);
	conn_unref(conn);
	free(req);
	server_request_ended(server);
}

void
request_end(struct request *req, struct buf *msg)
{
	conn_put(req->conn, msg);
	request_log(req, "ok", "");
	request_free(req);
}

void
request_fail(struct request *req, const struct err *err)
{
	struct buf msg = { 0 };

	wire_start(&msg, req->number, req->id, WIRE_ERROR);
	wire_put_err(&msg, err);
	conn_put(req->conn, &msg);
	request_log(req, err_code_str(err->code), err->msg);
	request_free(req);
}

void
request_drop(struct request *req)
{
	request_log(req, "gone", "");
	request_free(req);
}

/* An operation that is not known, or not for this role, is an error of that request only. */
static void
conn_request(struct conn *conn, const struct wire_head *head, struct wire_in *in)
{
	static const struct op unknown = { .name = "unknown" };
	const struct op *op = op_find(conn->front, head->op);
	struct request *req = mem_alloc(sizeof(*req));
	struct err err;

	*req = (struct request){
		.smkid = conn->server->smkid,
		.conn = conn,
		.op = op != NULL ? op : &unknown,
		.number = head->op,
		.id = head->id,
		.uid = conn->uid,
		.role = conn->role,
		.started_us = clock_mono_us(),
	};
	atomic_fetch_add(&conn->refs, 1);
	pthread_mutex_lock(&conn->lock);
	conn->requests++;
	pthread_mutex_unlock(&conn->lock);
	server_request_began(conn->server);

	if (op == NULL) {
		err_set(&err, FAIL_INVALID, "wire: operation %u is not known on %s", head->op,
		    conn->front ? HOME_FRONT_SOCK : HOME_ADMIN_SOCK);
		request_fail(req, &err);
	} else if (req->role < op->role) {
		err_set(&err, FAIL_DENIED, "%s: user %ld is no %s; see smki.conf [admin]", op->name,
		    req->uid, role_str(op->role));
		request_fail(req, &err);
	} else {
		op->run(req, in);
	}
}

/* ---- the epoll thread ---- */

/* 1 got one, 0 nothing there now, -1 the peer ended or the frame is bad. */
static int
conn_receive(struct conn *conn, struct buf *in, bool *ended)
{
	struct iovec to;
	struct msghdr h;
	ssize_t n;

	buf_reset(in);
	buf_reserve(in, WIRE_MAX);
	do {
		to = (struct iovec){ .iov_base = in->data, .iov_len = WIRE_MAX };
		h = (struct msghdr){ .msg_iov = &to, .msg_iovlen = 1 };
		n = recvmsg(conn->fd, &h, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? 0 : -1;
	if (n == 0) {
		*ended = true;
		return 0;
	}
	if ((h.msg_flags & MSG_TRUNC) != 0) {
		if (conn->role != ROLE_NONE || server_may_log(conn->server))
			log_warn("peer uid=%ld: message is larger than %d octets; closed",
			    conn->uid, WIRE_MAX);
		return -1;
	}
	in->len = (size_t)n;
	return 1;
}

static int
conn_may_read(struct conn *conn)
{
	int may;

	pthread_mutex_lock(&conn->lock);
	may = (conn->watching & EPOLLIN) != 0 && !conn->ended &&
	      conn->requests < CONN_REQUESTS_MAX && conn->out_len <= CONN_OUT_MAX;
	pthread_mutex_unlock(&conn->lock);
	return may;
}

/* A frame that breaks the rules of wire.h, or is not a request, closes the peer. */
static int
conn_frame(struct conn *conn, const struct buf *in)
{
	struct wire_head head;
	struct wire_in cursor;
	struct err err;
	int r = wire_head_get(in->data, in->len, &head, &cursor, &err);

	if (r == 0 && head.flags != 0)
		r = err_set(&err, FAIL_INVALID, "wire: flags %02x in a request", head.flags);
	if (r != 0) {
		if (conn->role != ROLE_NONE || server_may_log(conn->server))
			log_warn("peer uid=%ld: %s; closed", conn->uid, err.msg);
		return -1;
	}
	conn_request(conn, &head, &cursor);
	/* Requests and replies may hold enrolment secrets and keys made here. */
	OPENSSL_cleanse(in->data, in->len);
	return 0;
}

static int
conn_read(struct conn *conn)
{
	struct buf *in = &conn->server->in;
	bool ended = false;
	int got;

	for (int i = 0; i < CONN_READ_BATCH && conn_may_read(conn); i++) {
		got = conn_receive(conn, in, &ended);
		if (ended) {
			pthread_mutex_lock(&conn->lock);
			conn->ended = true;
			pthread_mutex_unlock(&conn->lock);
		}
		if (got <= 0)
			return got;
		if (conn_frame(conn, in) != 0)
			return -1;
	}
	return 0;
}

int
conn_events(struct conn *conn, uint32_t events)
{
	struct pool_item *parked = NULL;
	bool done, readable;
	int r = 0;

	if ((events & EPOLLERR) != 0)
		return -1;
	readable = (events & EPOLLIN) != 0 && conn_may_read(conn);
	/* Gone, and nothing of it is left that could be read. */
	if ((events & EPOLLHUP) != 0 && !readable)
		return -1;
	if (readable && conn_read(conn) != 0)
		return -1;
	pthread_mutex_lock(&conn->lock);
	if (conn_flush(conn) != 0)
		r = -1;
	if (conn->out_len <= CONN_OUT_MAX / 2) {
		parked = conn->parked;
		conn->parked = NULL;
	}
	done = conn->ended && conn->requests == 0 && conn->out == NULL;
	conn_watch(conn);
	pthread_mutex_unlock(&conn->lock);
	conn_unpark(conn, parked);
	return done ? -1 : r;
}

void
conn_close(struct conn *conn)
{
	struct pool_item *parked;
	struct out_msg *msg;

	pthread_mutex_lock(&conn->lock);
	conn->closed = true;
	close(conn->fd); /* epoll forgets it with this */
	conn->fd = -1;
	while ((msg = conn->out) != NULL) {
		conn->out = msg->next;
		buf_wipe(&msg->bytes);
		free(msg);
	}
	conn->out_last = NULL;
	conn->out_len = 0;
	parked = conn->parked;
	conn->parked = NULL;
	pthread_mutex_unlock(&conn->lock);
	conn_unpark(conn, parked);
	imports_gone(conn->server->smkid->imports, conn);
	conn_unref(conn);
}

int
conn_check(struct conn *conn, int64_t now_ms)
{
	bool stalled;

	pthread_mutex_lock(&conn->lock);
	stalled = conn->out != NULL && now_ms - conn->moved_ms > CONN_STALL_MS;
	pthread_mutex_unlock(&conn->lock);
	return stalled ? -1 : 0;
}

void
conn_update(struct conn *conn)
{
	pthread_mutex_lock(&conn->lock);
	conn_watch(conn);
	pthread_mutex_unlock(&conn->lock);
}

int
conn_is_quiet(struct conn *conn)
{
	bool quiet;

	pthread_mutex_lock(&conn->lock);
	quiet = conn->out == NULL;
	pthread_mutex_unlock(&conn->lock);
	return quiet;
}
