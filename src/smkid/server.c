/*
 * The epoll thread: accepts, reads, sends what waits, ends. It never waits for a token, the
 * database or a peer; operations go to other threads.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server.h"
#include "smki/clock.h"
#include "smki/mem.h"

#define SERVER_EVENTS 64
#define SERVER_TICK_MS 1000
#define SERVER_STOP_TICK_MS 20
/* Operators need no group in common: the peer's uid gives the role, and nobody's is none. */
#define SERVER_ADMIN_MODE 0666
#define SERVER_FRONT_MODE 0660

/* Anybody may connect: nobody may fill the disk by it. */
bool
server_may_log(struct server *server)
{
	int64_t second = clock_mono_ms() / 1000;
	unsigned left_out = 0;
	bool may;

	pthread_mutex_lock(&server->lock);
	if (second != server->lines_second) {
		left_out = server->lines_left_out;
		server->lines_second = second;
		server->lines = server->lines_left_out = 0;
	}
	may = server->lines < SERVER_STRANGERS_LINES;
	if (may)
		server->lines++;
	else
		server->lines_left_out++;
	pthread_mutex_unlock(&server->lock);
	if (left_out > 0)
		log_warn("peers without a role: %u more lines left out", left_out);
	return may;
}

void
server_request_began(struct server *server)
{
	pthread_mutex_lock(&server->lock);
	server->requests++;
	pthread_mutex_unlock(&server->lock);
}

void
server_request_ended(struct server *server)
{
	pthread_mutex_lock(&server->lock);
	if (--server->requests == 0)
		pthread_cond_broadcast(&server->idle);
	pthread_mutex_unlock(&server->lock);
}

void
server_stop(struct server *server, int status)
{
	uint64_t one = 1;
	int none = 0;

	/* The first reason is the one that counts. */
	atomic_compare_exchange_strong(&server->stop, &none, 1 + status);
	if (write(server->wake.fd, &one, sizeof(one)) != sizeof(one))
		log_warn("smkid: wake: %s", strerror(errno)); /* the tick sees it too */
}

static int
server_watch(
    struct server *server, struct listener *listener, int fd, enum watch watch, struct err *err)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = listener };

	listener->watch = watch;
	listener->fd = fd;
	if (epoll_ctl(server->epoll, EPOLL_CTL_ADD, fd, &event) != 0)
		return err_sys(err, FAIL_UNAVAILABLE, "epoll");
	return 0;
}

static int
server_listen(
    struct server *server, struct listener *listener, const char *rel, mode_t mode, struct err *err)
{
	char path[HOME_PATH_MAX];
	int fd;

	if (home_path(&server->smkid->home, rel, path, err) != 0 ||
	    wire_listen(path, mode, &fd, err) != 0)
		return -1;
	return server_watch(server, listener, fd, WATCH_LISTEN, err);
}

static size_t
server_of_uid(const struct server *server, long uid)
{
	size_t n = 0;

	for (const struct conn *c = server->conns; c != NULL; c = c->next)
		n += !c->front && c->uid == uid;
	return n;
}

/* Take up a connected socket; too many of its kind: closed at once. fd is used up. */
static void
server_add(struct server *server, int fd, bool front)
{
	/* What the front may do comes from its socket, whatever its uid. */
	size_t *n = front ? &server->n_front : &server->n_admin;
	enum role role = ROLE_NONE;
	bool stranger, full;
	struct conn *conn;
	struct err err;
	uid_t uid;
	pid_t pid;

	if (wire_peer(fd, &uid, &pid, &err) != 0) {
		log_warn("%s", err.msg);
		close(fd);
		return;
	}
	if (!front)
		role = home_role(&server->smkid->home, uid);
	stranger = !front && role == ROLE_NONE;
	full = *n >= SERVER_CONNS_MAX;
	if (!front && uid != 0 && server_of_uid(server, (long)uid) >= SERVER_CONNS_PER_UID)
		full = true;
	/* Many users, none of them an operator, do not keep operators out. */
	if (stranger && server->n_strangers >= SERVER_STRANGERS_MAX)
		full = true;
	if (full) {
		if (!stranger || server_may_log(server))
			log_warn("peer uid=%ld pid=%ld: too many connections; closed", (long)uid,
			    (long)pid);
		close(fd);
		return;
	}
	conn = conn_new(server, fd, front, (long)uid, role);
	if (conn == NULL) {
		log_warn("peer uid=%ld: epoll: %s; closed", (long)uid, strerror(errno));
		close(fd);
		return;
	}
	conn->next = server->conns;
	if (conn->next != NULL)
		conn->next->prev = conn;
	server->conns = conn;
	(*n)++;
	server->n_strangers += stranger;
	log_debug("peer uid=%ld pid=%ld role=%s front=%d: connected", (long)uid, (long)pid,
	    role_str(role), front);
}

static void
server_remove(struct server *server, struct conn *conn)
{
	size_t *n = conn->front ? &server->n_front : &server->n_admin;

	if (conn->prev != NULL)
		conn->prev->next = conn->next;
	else
		server->conns = conn->next;
	if (conn->next != NULL)
		conn->next->prev = conn->prev;
	conn->next = conn->prev = NULL;
	(*n)--;
	server->n_strangers -= !conn->front && conn->role == ROLE_NONE;
	conn_close(conn);
}

static void
server_accept(struct server *server, const struct listener *listener)
{
	int fd;

	for (;;) {
		fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			server_add(server, fd, listener->front);
			continue;
		}
		if (errno == EINTR || errno == ECONNABORTED)
			continue;
		if (errno != EAGAIN)
			log_warn("socket: accept: %s", strerror(errno));
		return;
	}
}

/* The front's end of a socket pair, made by whoever started both. */
static int
server_inherit(struct server *server, int fd, struct err *err)
{
	int type = 0, flags;
	socklen_t len = sizeof(type);

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) != 0 || type != SOCK_SEQPACKET)
		return err_set(err, FAIL_INVALID,
		    "--front-fd %d: is not a connected SOCK_SEQPACKET socket", fd);
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
		return err_sys(err, FAIL_UNAVAILABLE, "--front-fd %d", fd);
	server_add(server, fd, true);
	return 0;
}

int
server_new(struct smkid *smkid, int front_fd, struct server **out, struct err *err)
{
	struct server *server = mem_alloc(sizeof(*server));
	sigset_t set;
	int fd, r = -1;

	server->smkid = smkid;
	server->admin.fd = server->front.fd = server->signals.fd = server->wake.fd = -1;
	server->front.front = true;
	require(pthread_mutex_init(&server->lock, NULL) == 0);
	require(pthread_cond_init(&server->idle, NULL) == 0);
	server->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (server->epoll < 0) {
		err_sys(err, FAIL_UNAVAILABLE, "epoll");
		goto out;
	}
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0) {
		err_sys(err, FAIL_UNAVAILABLE, "signalfd");
		goto out;
	}
	if (server_watch(server, &server->signals, fd, WATCH_SIGNAL, err) != 0)
		goto out;
	fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (fd < 0) {
		err_sys(err, FAIL_UNAVAILABLE, "eventfd");
		goto out;
	}
	if (server_watch(server, &server->wake, fd, WATCH_WAKE, err) != 0 ||
	    server_listen(server, &server->admin, HOME_ADMIN_SOCK, SERVER_ADMIN_MODE, err) != 0 ||
	    server_listen(server, &server->front, HOME_FRONT_SOCK, SERVER_FRONT_MODE, err) != 0 ||
	    (front_fd >= 0 && server_inherit(server, front_fd, err) != 0))
		goto out;
	*out = server;
	server = NULL;
	r = 0;
out:
	server_free(server);
	return r;
}

/* Nobody new, nothing more read; what was accepted is finished. */
static void
server_begin_stop(struct server *server)
{
	char path[HOME_PATH_MAX];

	server->stopping = true;
	server->stop_by_ms = clock_mono_ms() + SERVER_STOP_MS;
	if (home_path(&server->smkid->home, HOME_ADMIN_SOCK, path, NULL) == 0)
		unlink(path);
	if (home_path(&server->smkid->home, HOME_FRONT_SOCK, path, NULL) == 0)
		unlink(path);
	close(server->admin.fd);
	close(server->front.fd);
	server->admin.fd = server->front.fd = -1;
	for (struct conn *c = server->conns; c != NULL; c = c->next)
		conn_update(c);
	log_info("stopping");
}

static void
server_event(struct server *server, void *what, uint32_t events)
{
	struct signalfd_siginfo info;
	uint64_t n;

	switch (*(enum watch *)what) {
	case WATCH_LISTEN:
		/* Closed by a signal of the same batch. */
		if (((struct listener *)what)->fd >= 0)
			server_accept(server, what);
		break;
	case WATCH_CONN:
		if (conn_events(what, events) != 0)
			server_remove(server, what);
		break;
	case WATCH_SIGNAL:
		if (read(server->signals.fd, &info, sizeof(info)) == sizeof(info))
			server_stop(server, EXIT_DONE);
		break;
	case WATCH_WAKE:
		if (read(server->wake.fd, &n, sizeof(n)) < 0 && errno != EAGAIN)
			log_warn("smkid: wake: %s", strerror(errno));
		break;
	}
}

static void
server_check(struct server *server)
{
	struct conn *conn, *next;
	int64_t now_ms = clock_mono_ms();

	for (conn = server->conns; conn != NULL; conn = next) {
		next = conn->next;
		if (conn_check(conn, now_ms) == 0)
			continue;
		log_warn("peer uid=%ld: does not read; closed", conn->uid);
		server_remove(server, conn);
	}
}

/* 1 when all that was accepted is answered and sent. */
static int
server_finished(struct server *server)
{
	bool idle;

	pthread_mutex_lock(&server->lock);
	idle = server->requests == 0;
	pthread_mutex_unlock(&server->lock);
	for (struct conn *c = server->conns; c != NULL && idle; c = c->next)
		idle = conn_is_quiet(c);
	return idle;
}

int
server_run(struct server *server)
{
	struct epoll_event events[SERVER_EVENTS];
	int64_t checked_ms = clock_mono_ms();
	int n;

	for (;;) {
		n = epoll_wait(server->epoll, events, SERVER_EVENTS,
		    server->stopping ? SERVER_STOP_TICK_MS : SERVER_TICK_MS);
		require(n >= 0 || errno == EINTR);
		for (int i = 0; i < n; i++)
			server_event(server, events[i].data.ptr, events[i].events);
		if (clock_mono_ms() - checked_ms >= SERVER_TICK_MS) {
			server_check(server);
			checked_ms = clock_mono_ms();
		}
		if (atomic_load(&server->stop) != 0 && !server->stopping)
			server_begin_stop(server);
		if (server->stopping &&
		    (server_finished(server) || clock_mono_ms() > server->stop_by_ms))
			break;
	}
	while (server->conns != NULL)
		server_remove(server, server->conns);
	/* What is still on its way ends by its own deadlines; its reply is dropped. */
	pthread_mutex_lock(&server->lock);
	while (server->requests > 0)
		pthread_cond_wait(&server->idle, &server->lock);
	pthread_mutex_unlock(&server->lock);
	return atomic_load(&server->stop) - 1;
}

void
server_free(struct server *server)
{
	int fds[5];

	if (server == NULL)
		return;
	while (server->conns != NULL)
		server_remove(server, server->conns);
	fds[0] = server->admin.fd;
	fds[1] = server->front.fd;
	fds[2] = server->signals.fd;
	fds[3] = server->wake.fd;
	fds[4] = server->epoll;
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	buf_free(&server->in);
	pthread_cond_destroy(&server->idle);
	pthread_mutex_destroy(&server->lock);
	free(server);
}
