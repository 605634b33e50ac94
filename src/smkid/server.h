/*
 * The sockets of smkid and the one thread that reads them; connections, whose replies may come
 * from any thread.
 */
#ifndef SMKID_SERVER_H
#define SMKID_SERVER_H

#include <pthread.h>
#include <stdatomic.h>

#include "smkid.h"

/* Connections of each socket, and of one user (but root) on the admin socket. */
#define SERVER_CONNS_MAX 256
#define SERVER_CONNS_PER_UID 64
/* Connections of all users without a role together, and log lines about them a second. */
#define SERVER_STRANGERS_MAX 64
#define SERVER_STRANGERS_LINES 10
/* Requests of one connection on their way; with more it is not read. */
#define CONN_REQUESTS_MAX 512
/* With more of them an operator's connection asks in bulk: what it issues takes turns with all
 * other work (pool.h). */
#define CONN_SINGLE_MAX 4
/* Octets of replies that wait for the peer: with more it is not read and its streams wait. */
#define CONN_OUT_MAX (512 * 1024)
/* A peer that takes nothing of what waits for it for so long is closed. */
#define CONN_STALL_MS 30000
/* Messages read from one connection before another one's turn. */
#define CONN_READ_BATCH 16
/* How long a stop waits for requests on their way before it closes connections. */
#define SERVER_STOP_MS 15000

/* Kinds of file descriptors in the epoll set; first in whatever it points to. */
enum watch {
	WATCH_LISTEN = 1,
	WATCH_CONN,
	WATCH_SIGNAL,
	WATCH_WAKE,
};

struct out_msg {
	struct out_msg *next;
	struct buf bytes;
};

struct conn {
	enum watch watch; /* first */
	struct server *server;
	struct conn *next, *prev; /* the epoll thread's */
	bool front;
	long uid;
	enum role role;
	atomic_int refs; /* the epoll thread's and one a request */
	pthread_mutex_t lock;
	/* Under the lock; fd is closed by the epoll thread only. */
	int fd;
	bool closed;
	bool ended; /* the peer sends no more */
	uint32_t watching;
	unsigned requests;
	struct out_msg *out, *out_last;
	size_t out_len;
	int64_t moved_ms; /* when the peer last took something, or something began to wait */
	struct pool_item *parked; /* streams that wait for room */
};

struct listener {
	enum watch watch; /* first */
	int fd;
	bool front;
};

struct server {
	struct smkid *smkid;
	int epoll;
	struct listener admin, front;
	struct listener signals, wake; /* fd only */
	struct conn *conns;
	size_t n_admin, n_front, n_strangers;
	struct buf in;
	atomic_int stop; /* 0, or 1 + exit status */
	bool stopping;	 /* the epoll thread's */
	int64_t stop_by_ms;
	pthread_mutex_t lock;
	pthread_cond_t idle;
	/* Under the lock. */
	size_t requests; /* of all connections */
	int64_t lines_second;
	unsigned lines, lines_left_out;
};

/*
 * Listen on the home's sockets, take over front_fd (-1 = none). SIGTERM, SIGINT and SIGHUP
 * must be blocked in all threads.
 */
int server_new(struct smkid *smkid, int front_fd, struct server **out, struct err *err) MUST_USE;
/* Serve until a signal or server_stop; then finish what is on its way. Returns the exit status. */
int server_run(struct server *server);
/* Any thread: end with this status. */
void server_stop(struct server *server, int status);
void server_free(struct server *server);
/* Any thread: whether one more line about peers without a role may be logged in this second. */
bool server_may_log(struct server *server);
void server_request_began(struct server *server);
void server_request_ended(struct server *server);

/* conn.c; the epoll thread's unless said otherwise */
struct conn *conn_new(struct server *server, int fd, bool front, long uid, enum role role);
/* Handle what epoll tells. -1: the connection is to be closed. */
int conn_events(struct conn *conn, uint32_t events);
/* Close the descriptor, wake what is parked, give up the epoll thread's reference. */
void conn_close(struct conn *conn);
/* -1 when its peer takes nothing for too long. */
int conn_check(struct conn *conn, int64_t now_ms);
/* Take up a change of server->stopping. */
void conn_update(struct conn *conn);
/* 1 when nothing waits to be sent. */
int conn_is_quiet(struct conn *conn);

/* What becomes of a stream after a piece; any thread. */
enum conn_room {
	CONN_ROOM = 1,
	CONN_PARKED, /* the item was taken: it comes back through the query pool */
	CONN_GONE,
};
enum conn_room conn_room(struct conn *conn, struct pool_item *item);

#endif
