/*
 * Limits and connections of one listener. Must not know the HTTP library.
 */
#include <stdlib.h>
#include <string.h>

#include "listen.h"
#include "listener.h"
#include "smki/clock.h"
#include "smki/mem.h"

/* A TLS handshake is over by then. */
#define LISTENER_SHAKE_MS 5000
/* When no more connections are let in, a peer has this long for its handshake, and for a request,
 * not its time-out. */
#define LISTENER_CROWDED_SHAKE_MS 1000
#define LISTENER_CROWDED_MS 2000
/* A peer that takes an answer slower than this many octets a second is let go. */
#define LISTENER_RATE_MIN 8192

void
listener_init(struct listener *l, struct httpd *httpd, enum httpd_listener which, struct tls *tls)
{
	const struct home *home = &httpd->home;

	*l = (struct listener){ .httpd = httpd, .which = which };
	conns_init(&l->conns);
	switch (which) {
	case LISTENER_HTTP:
		l->timeout_ms = home->http_timeout * 1000;
		l->workers = home->http_workers;
		l->connections = home->http_connections;
		l->per_address = home->http_per_address;
		l->body_max = SIZE_MAX;
		break;
	case LISTENER_HTTPS:
		l->tls = tls;
		l->timeout_ms = home->https.timeout * 1000;
		l->workers = home->https.workers;
		l->connections = home->https.connections;
		l->per_address = home->https.per_address;
		l->body_max = (size_t)home->https.body;
		break;
	case LISTENERS:
		break;
	}
}

void
listener_free(struct listener *l)
{
	conns_free(&l->conns);
}

/* Of the time of a request: the first one over TLS shares it with the handshake. */
static int64_t
listener_left(const struct listener_conn *conn, int64_t now)
{
	const struct listener *l = conn->listener;

	if (l->tls == NULL || conn->answered)
		return l->timeout_ms;
	return l->timeout_ms - (now - conn->begun_ms);
}

static void
listener_idle(struct listener_conn *conn, int64_t now)
{
	conns_turn(&conn->conn, TURN_IDLE, now,
	    atomic_load(&conn->listener->ending) ? 0 : listener_left(conn, now));
}

void
listener_asking(struct listener_conn *conn, int64_t now)
{
	conns_turn(&conn->conn, TURN_ASKING, now, listener_left(conn, now));
}

void
listener_ours(struct listener_conn *conn, int64_t now)
{
	conns_turn(&conn->conn, TURN_OURS, now, 0);
}

void
listener_taking(struct listener_conn *conn, uint64_t size, int64_t now)
{
	conns_turn(&conn->conn, TURN_TAKING, now,
	    conn->listener->timeout_ms + (int64_t)(size / LISTENER_RATE_MIN) * 1000);
}

void
listener_next(struct listener_conn *conn, int64_t now)
{
	conn->answered = true;
	listener_idle(conn, now);
}

static void
listener_shaken(struct tls_conn *tls)
{
	struct listener_conn *conn = (struct listener_conn *)(void *)tls;

	if (conn->shaken)
		return;
	conn->shaken = true;
	atomic_fetch_add(&conn->listener->httpd->counters.handshakes, 1);
	listener_idle(conn, clock_mono_ms());
}

struct listener_conn *
listener_accept(struct listener *l, const struct sockaddr *address, int fd, void *session)
{
	struct listener_conn *conn = mem_alloc(sizeof(*conn));
	int64_t ms = l->timeout_ms;

	conn->listener = l;
	conn->begun_ms = clock_mono_ms();
	conn->loopback = listen_is_loopback(address);
	listen_address(address, conn->address);
	conn->shaken = l->tls == NULL;
	if (!conn->shaken && ms > LISTENER_SHAKE_MS)
		ms = LISTENER_SHAKE_MS;
	/* What cannot be used has no time at all. */
	if (l->tls != NULL && tls_begin(l->tls, session, &conn->tls, listener_shaken) != 0)
		ms = 0;
	conns_add(&l->conns, &conn->conn, fd, conn->shaken ? TURN_IDLE : TURN_SHAKING,
	    conn->begun_ms, ms);
	atomic_fetch_add(&l->httpd->counters.connections[l->which], 1);
	return conn;
}

void
listener_gone(struct listener_conn *conn)
{
	struct listener *l = conn->listener;
	struct httpd_counters *counters = &l->httpd->counters;

	conns_remove(&l->conns, &conn->conn);
	if (l->tls != NULL)
		tls_end(l->tls, &conn->tls);
	if (!conn->shaken)
		atomic_fetch_add(&counters->handshakes_failed, 1);
	free(conn);
	atomic_fetch_sub(&counters->connections[l->which], 1);
}

int
listener_lend(struct listener_conn *conn, void *session, struct http_request *request)
{
	request->loopback = conn->loopback;
	memcpy(request->address, conn->address, sizeof(request->address));
	request->tls = conn->listener->tls != NULL;
	if (!request->tls)
		return 0;
	if (!conn->peered)
		tls_peer(session, &conn->tls);
	conn->peered = true;
	request->n_peer = conn->tls.n;
	for (size_t i = 0; i < conn->tls.n; i++)
		request->peer[i] = buf_span(&conn->tls.peer[i]);
	return conn->tls.excess ? -1 : 0;
}

void
listener_tick(struct listener *l)
{
	static const int64_t calm[TURNS] = { -1, -1, -1, -1, -1 };
	static const int64_t crowded[TURNS] = { [TURN_SHAKING] = LISTENER_CROWDED_SHAKE_MS,
		[TURN_IDLE] = LISTENER_CROWDED_MS,
		[TURN_ASKING] = LISTENER_CROWDED_MS,
		[TURN_OURS] = -1,
		[TURN_TAKING] = -1 };
	bool full = atomic_load(&l->httpd->counters.connections[l->which]) >=
		    (unsigned)l->connections;

	conns_cut(&l->conns, full ? crowded : calm, clock_mono_ms());
}

void
listener_end(struct listener *l)
{
	static const int64_t ending[TURNS] = { 0, 0, -1, -1, -1 };

	atomic_store(&l->ending, true);
	conns_cut(&l->conns, ending, clock_mono_ms());
}
