/*
 * Bookkeeping of connections and their deadlines. Knows no HTTP library and reads no clock.
 */
#include <stdbool.h>
#include <sys/socket.h>

#include "conns.h"
#include "smki/mem.h"

void
conns_init(struct conns *conns)
{
	pthread_mutex_init(&conns->lock, NULL);
	conns->first = NULL;
}

void
conns_free(struct conns *conns)
{
	require(conns->first == NULL);
	pthread_mutex_destroy(&conns->lock);
}

static void
conn_set(struct conn *conn, enum conn_turn turn, int64_t now, int64_t ms)
{
	conn->turn = turn;
	conn->since_ms = now;
	conn->deadline_ms = turn == TURN_OURS ? 0 : now + ms;
}

void
conns_add(
    struct conns *conns, struct conn *conn, int fd, enum conn_turn turn, int64_t now, int64_t ms)
{
	*conn = (struct conn){ .fd = fd };
	pthread_mutex_init(&conn->lock, NULL);
	conn_set(conn, turn, now, ms);
	pthread_mutex_lock(&conns->lock);
	conn->next = conns->first;
	if (conn->next != NULL)
		conn->next->prev = conn;
	conns->first = conn;
	pthread_mutex_unlock(&conns->lock);
}

void
conns_remove(struct conns *conns, struct conn *conn)
{
	pthread_mutex_lock(&conns->lock);
	if (conn->prev != NULL)
		conn->prev->next = conn->next;
	else
		conns->first = conn->next;
	if (conn->next != NULL)
		conn->next->prev = conn->prev;
	pthread_mutex_unlock(&conns->lock);
	pthread_mutex_destroy(&conn->lock);
}

void
conns_turn(struct conn *conn, enum conn_turn turn, int64_t now, int64_t ms)
{
	pthread_mutex_lock(&conn->lock);
	conn_set(conn, turn, now, ms);
	pthread_mutex_unlock(&conn->lock);
}

/* Whether it was past its time, and is shut down now. */
static bool
conn_cut(struct conn *conn, const int64_t limit_ms[TURNS], int64_t now)
{
	int64_t limit;
	bool cut;

	pthread_mutex_lock(&conn->lock);
	limit = limit_ms[conn->turn];
	cut = conn->deadline_ms != 0 &&
	      (now >= conn->deadline_ms || (limit >= 0 && now - conn->since_ms >= limit));
	if (cut) {
		shutdown(conn->fd, SHUT_RDWR);
		conn->deadline_ms = 0;
	}
	pthread_mutex_unlock(&conn->lock);
	return cut;
}

size_t
conns_cut(struct conns *conns, const int64_t limit_ms[TURNS], int64_t now)
{
	size_t n = 0;

	pthread_mutex_lock(&conns->lock);
	for (struct conn *c = conns->first; c != NULL; c = c->next)
		n += conn_cut(c, limit_ms, now);
	pthread_mutex_unlock(&conns->lock);
	return n;
}
