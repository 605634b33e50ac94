/*
 * The connection to smkid's front socket. One thread owns it: it connects, reads, hands each reply
 * to whoever waits for it, and closes. Callers only send. Must not know what the messages mean.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "httpd.h"
#include "link.h"
#include "smki/admin.h"
#include "smki/clock.h"
#include "smki/front.h"
#include "smki/log.h"
#include "smki/mem.h"

/* A call that waits for its reply, in the caller's frame. */
struct link_call {
	struct link_call *prev, *next;
	uint32_t id;
	uint16_t op;
	bool placed, done; /* the connection was there; reply or err is there */
	struct buf reply;
	struct err err; /* code 0 = a reply came */
	pthread_cond_t changed;
};

struct link {
	char path[HOME_PATH_MAX];
	pthread_mutex_t lock;
	pthread_cond_t wanted; /* stopping, somebody wants a connection, the last sender is done */
	int fd;		       /* -1 = not connected */
	unsigned senders;      /* that use fd: it is not closed under them */
	bool want, stopping;
	uint32_t id;
	size_t n;
	struct link_call *first;
	struct buf msg; /* the reading thread's */
	pthread_t reader;
};

static void
link_end(struct link_call *call)
{
	call->done = true;
	pthread_cond_signal(&call->changed);
}

/* Locked. Calls that wait for a connection, or for a reply on it, end with why. */
static void
link_fail(struct link *link, bool placed, const struct err *why)
{
	for (struct link_call *c = link->first; c != NULL; c = c->next) {
		if (c->done || c->placed != placed)
			continue;
		c->err = *why;
		link_end(c);
	}
}

/* Locked. The kernel tells senders and the reading thread of the shutdown; then nobody uses it. */
static void
link_break(struct link *link, const struct err *why)
{
	int fd = link->fd;

	link->fd = -1;
	shutdown(fd, SHUT_RDWR);
	link_fail(link, true, why);
	while (link->senders > 0)
		pthread_cond_wait(&link->wanted, &link->lock);
	close(fd);
}

static void
link_connect(struct link *link)
{
	struct err err = { 0 };
	int fd = -1, rc;

	pthread_mutex_unlock(&link->lock);
	rc = wire_connect(link->path, &fd, &err);
	pthread_mutex_lock(&link->lock);
	link->want = false;
	if (rc != 0) {
		link_fail(link, false, &err);
		return;
	}
	link->fd = fd;
	for (struct link_call *c = link->first; c != NULL; c = c->next)
		pthread_cond_signal(&c->changed);
}

/* Locked. Hand msg to its call; a reply that nobody waits for any more is dropped. */
static int
link_deliver(struct link *link, struct err *err)
{
	struct wire_head head;
	struct wire_in in;
	struct link_call *c;

	if (wire_head_get(link->msg.data, link->msg.len, &head, &in, err) != 0)
		return -1;
	for (c = link->first; c != NULL && (!c->placed || c->id != head.id); c = c->next)
		;
	if (c == NULL || c->done)
		return 0;
	if (c->op != head.op || (head.flags & WIRE_MORE) != 0)
		return err_set(err, FAIL_INVALID, "wire: not the reply to this request");
	if ((head.flags & WIRE_ERROR) != 0)
		wire_get_err(&in, &c->err);
	else
		buf_add(&c->reply, link->msg.data, link->msg.len);
	link_end(c);
	return 0;
}

static void
link_read(struct link *link)
{
	struct err err = { 0 };
	int fd = link->fd, rc;

	pthread_mutex_unlock(&link->lock);
	rc = wire_recv(fd, &link->msg, -1, &err);
	pthread_mutex_lock(&link->lock);
	if (rc == 0)
		rc = link_deliver(link, &err);
	/* A reply may hold a key. */
	if (link->msg.len > 0)
		explicit_bzero(link->msg.data, link->msg.len);
	if (rc == 0)
		return;
	if (err.code == FAIL_INVALID)
		log_error("smkid: its connection is closed: %s", err.msg);
	err_set(&err, FAIL_UNAVAILABLE, "smkid: gone before it answered");
	link_break(link, &err);
}

static void *
link_main(void *arg)
{
	struct link *link = arg;
	struct err err;

	pthread_mutex_lock(&link->lock);
	while (!link->stopping) {
		if (link->fd >= 0)
			link_read(link);
		else if (link->want)
			link_connect(link);
		else
			pthread_cond_wait(&link->wanted, &link->lock);
	}
	if (link->fd >= 0) {
		err_set(&err, FAIL_UNAVAILABLE, "smkid: the service stops");
		link_break(link, &err);
	}
	pthread_mutex_unlock(&link->lock);
	return NULL;
}

int
link_new(const struct home *home, int fd, struct link **out, struct err *err)
{
	struct link *link = mem_alloc(sizeof(*link));

	link->fd = fd;
	if (home_path(home, HOME_FRONT_SOCK, link->path, err) != 0)
		goto failed;
	if (fd >= 0 && fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
		err_sys(err, FAIL_INVALID, "--front-fd %d", fd);
		goto failed;
	}
	pthread_mutex_init(&link->lock, NULL);
	pthread_cond_init(&link->wanted, NULL);
	if (pthread_create(&link->reader, NULL, link_main, link) != 0) {
		err_set(err, FAIL_UNAVAILABLE, "threads: cannot start one");
		pthread_cond_destroy(&link->wanted);
		pthread_mutex_destroy(&link->lock);
		goto failed;
	}
	*out = link;
	return 0;
failed:
	free(link);
	return -1;
}

void
link_free(struct link *link)
{
	if (link == NULL)
		return;
	pthread_mutex_lock(&link->lock);
	require(link->first == NULL);
	link->stopping = true;
	if (link->fd >= 0)
		shutdown(link->fd, SHUT_RDWR);
	pthread_cond_signal(&link->wanted);
	pthread_mutex_unlock(&link->lock);
	pthread_join(link->reader, NULL);
	buf_wipe(&link->msg);
	pthread_cond_destroy(&link->wanted);
	pthread_mutex_destroy(&link->lock);
	free(link);
}

/* Locked. false when the call ended, or time did, before there was a connection. */
static bool
link_place(struct link *link, struct link_call *call, const struct timespec *until)
{
	int rc = 0;

	while (link->fd < 0 && !call->done && rc == 0) {
		link->want = true;
		pthread_cond_signal(&link->wanted);
		rc = pthread_cond_timedwait(&call->changed, &link->lock, until);
	}
	call->placed = link->fd >= 0 && !call->done;
	return call->placed;
}

/* Locked. Send and wait. What the call ended with is in it, nothing when time ended. */
static void
link_exchange(struct link *link, struct link_call *call, const struct buf *msg, int timeout_ms)
{
	struct timespec until = clock_mono_after(timeout_ms);
	int64_t deadline = clock_mono_ms() + timeout_ms, left;
	int fd, rc;

	if (!link_place(link, call, &until))
		return;
	fd = link->fd;
	link->senders++;
	pthread_mutex_unlock(&link->lock);
	left = deadline - clock_mono_ms();
	rc = wire_send(fd, msg, left > 0 ? (int)left : 0, NULL);
	pthread_mutex_lock(&link->lock);
	if (--link->senders == 0)
		pthread_cond_signal(&link->wanted);
	/* When the peer is gone the reading thread says so. */
	if (rc != 0 && !call->done) {
		err_set(&call->err, FAIL_UNAVAILABLE, "smkid: takes no request");
		call->done = true;
	}
	while (!call->done && rc == 0)
		rc = pthread_cond_timedwait(&call->changed, &link->lock, &until);
}

/* Locked. FAIL_LIMIT when there are too many. */
static int
link_enter(struct link *link, struct link_call *call, struct err *err)
{
	if (link->n >= LINK_CALLS_MAX)
		return err_set(err, FAIL_LIMIT, "smkid: too many requests are on their way");
	link->n++;
	call->id = ++link->id;
	call->next = link->first;
	if (call->next != NULL)
		call->next->prev = call;
	link->first = call;
	return 0;
}

static void
link_leave(struct link *link, struct link_call *call)
{
	link->n--;
	if (call->prev != NULL)
		call->prev->next = call->next;
	else
		link->first = call->next;
	if (call->next != NULL)
		call->next->prev = call->prev;
}

int
link_call(struct link *link, struct buf *msg, struct buf *reply, struct wire_in *in, int timeout_ms,
    struct err *err)
{
	struct link_call call = { 0 };
	struct wire_head head;
	int rc;

	if (msg->len > WIRE_MAX)
		return err_set(
		    err, FAIL_INVALID, "smkid: a request of %zu octets is too long", msg->len);
	require(wire_head_get(msg->data, msg->len, &head, in, NULL) == 0);
	call.op = head.op;
	clock_cond_init(&call.changed);
	buf_wipe(reply);
	pthread_mutex_lock(&link->lock);
	rc = link_enter(link, &call, err);
	if (rc == 0) {
		wire_set_id(msg, call.id);
		link_exchange(link, &call, msg, timeout_ms);
		link_leave(link, &call);
	}
	pthread_mutex_unlock(&link->lock);
	pthread_cond_destroy(&call.changed);
	if (rc != 0)
		return -1;
	if (!call.done)
		return err_set(err, FAIL_UNAVAILABLE, "smkid: does not answer in time");
	if (call.err.code != 0) {
		if (err != NULL)
			*err = call.err;
		return -1;
	}
	*reply = call.reply;
	return wire_head_get(reply->data, reply->len, &head, in, err);
}

int
link_hello(struct link *link, int timeout_ms, struct err *err)
{
	struct buf msg = { 0 }, reply = { 0 };
	struct admin_hello hello;
	struct wire_in in;
	int rc;

	wire_start(&msg, FRONT_HELLO, 0, 0);
	rc = link_call(link, &msg, &reply, &in, timeout_ms, err);
	if (rc == 0)
		rc = admin_hello_get(&in, &hello, err);
	buf_free(&reply);
	buf_free(&msg);
	return rc;
}
