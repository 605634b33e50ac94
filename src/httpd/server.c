/*
 * The adaptor between libmicrohttpd and the routes. No handler waits: a request that needs the
 * database or the token is suspended and answered by the workers. Deadlines are kept here,
 * because the library's own time-out starts anew with every octet that drips in.
 */
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "listen.h"
#include "server.h"
#include "smki/clock.h"
#include "smki/log.h"
#include "smki/mem.h"

/* Memory of one connection in octets: bounds request line and headers. */
#define SERVER_MEMORY 32768
/* A body that goes on this far after it was found too long is not read to its end. */
#define SERVER_DISCARD_MAX ((size_t)1024 * 1024)
/* A peer that takes an answer slower than this many octets a second is let go. */
#define SERVER_RATE_MIN 8192
/* The library's epoll loop stalls when exactly 128 events are ready at once: stay below it. */
#define SERVER_WORKER_CONNECTIONS 120

/* When no more connections are let in, a peer has this long for a request, not its time-out. */
#define SERVER_CROWDED_MS 2000

/* Whom a connection waits for. */
enum server_turn {
	TURN_IDLE,   /* no request line yet */
	TURN_ASKING, /* the rest of a request is to come */
	TURN_OURS,   /* ours to answer, not the peer's to hurry: no deadline */
	TURN_TAKING, /* an answer is on its way */
};

/* A connection, from its acceptance to its close. */
struct server_conn {
	struct server_conn *prev, *next;
	struct server *server;
	int fd;
	enum server_turn turn;
	int64_t since_ms, deadline_ms; /* deadline 0 = none, or it is cut already */
	bool loopback;
};

/* A request on it. */
struct server_request {
	struct work work;
	struct server_conn *conn;
	struct MHD_Connection *mhd;
	int64_t begun_ms;
	size_t discarded;
	bool routed, ready; /* response is complete */
	bool last;	    /* the connection ends with it */
};

struct server {
	struct httpd *httpd;
	struct workers *workers[WORKS];
	struct MHD_Daemon *daemon;
	int64_t timeout_ms;
	atomic_bool stopping;
	pthread_mutex_t lock; /* of the list and of each fd's and deadline's use */
	struct server_conn *first;
};

/*
 * The library ends the process here when it finds its own state broken; a stop under full load
 * may bring that about. Nothing is lost by it: this process only reads.
 */
static void
server_panic(void *cls, const char *file, unsigned int line, const char *reason)
{
	const struct server *server = cls;

	log_error("http library: %s:%u: %s", file, line, reason != NULL ? reason : "");
	_exit(atomic_load(&server->stopping) ? EXIT_DONE : EXIT_INTERNAL);
}

__attribute__((format(printf, 2, 0))) static void
server_log(void *cls, const char *fmt, va_list ap)
{
	char line[512];
	size_t len;

	(void)cls;
	vsnprintf(line, sizeof(line), fmt, ap);
	for (len = strlen(line); len > 0 && line[len - 1] == '\n'; len--)
		line[len - 1] = '\0';
	log_debug("http library: %s", line);
}

/* Paths reach the routes as they were sent: base64 in them is not to be second-guessed. */
static size_t
server_unescape(void *cls, struct MHD_Connection *mhd, char *text)
{
	(void)cls;
	(void)mhd;
	return strlen(text);
}

static struct server_conn *
server_conn(struct MHD_Connection *mhd)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(
	    mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	require(info != NULL && info->socket_context != NULL);
	return info->socket_context;
}

/* From now on it waits for turn, this long. */
static void
server_turn(struct server_conn *conn, enum server_turn turn, int64_t ms)
{
	int64_t now = clock_mono_ms();

	pthread_mutex_lock(&conn->server->lock);
	conn->turn = turn;
	conn->since_ms = now;
	conn->deadline_ms = turn == TURN_OURS ? 0 : now + ms;
	pthread_mutex_unlock(&conn->server->lock);
}

static struct server_conn *
server_conn_new(struct server *server, struct MHD_Connection *mhd)
{
	struct server_conn *conn = mem_alloc(sizeof(*conn));

	conn->server = server;
	conn->fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
	conn->loopback = listen_is_loopback(
	    MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr);
	conn->turn = TURN_IDLE;
	conn->since_ms = clock_mono_ms();
	conn->deadline_ms = conn->since_ms + server->timeout_ms;
	pthread_mutex_lock(&server->lock);
	conn->next = server->first;
	if (conn->next != NULL)
		conn->next->prev = conn;
	server->first = conn;
	pthread_mutex_unlock(&server->lock);
	atomic_fetch_add(&server->httpd->counters.connections, 1);
	return conn;
}

static void
server_conn_free(struct server *server, struct server_conn *conn)
{
	pthread_mutex_lock(&server->lock);
	if (conn->prev != NULL)
		conn->prev->next = conn->next;
	else
		server->first = conn->next;
	if (conn->next != NULL)
		conn->next->prev = conn->prev;
	pthread_mutex_unlock(&server->lock);
	atomic_fetch_sub(&server->httpd->counters.connections, 1);
	free(conn);
}

/* The library tells of the close before it closes the descriptor, so a descriptor on the list is
 * never somebody else's. */
static void
server_connection(
    void *cls, struct MHD_Connection *mhd, void **context, enum MHD_ConnectionNotificationCode what)
{
	if (what == MHD_CONNECTION_NOTIFY_STARTED) {
		*context = server_conn_new(cls, mhd);
	} else if (*context != NULL) {
		server_conn_free(cls, *context);
		*context = NULL;
	}
}

/* The request line is there: from here on the request has its time, all of it together. */
static void *
server_request_line(void *cls, const char *uri, struct MHD_Connection *mhd)
{
	const struct server *server = cls;

	(void)uri;
	server_turn(server_conn(mhd), TURN_ASKING, server->timeout_ms);
	return NULL;
}

static void
server_request_free(struct server_request *r)
{
	buf_free(&r->work.request.body);
	http_response_free(&r->work.response);
	free(r);
}

static void
server_completed(
    void *cls, struct MHD_Connection *mhd, void **context, enum MHD_RequestTerminationCode why)
{
	const struct server *server = cls;

	(void)why;
	if (*context != NULL)
		server_request_free(*context);
	*context = NULL;
	/* After the stop began there is no next request. */
	server_turn(
	    server_conn(mhd), TURN_IDLE, atomic_load(&server->stopping) ? 0 : server->timeout_ms);
}

/* The library's own copy of the answer; takes body or fd of it. NULL when it has no memory. */
static struct MHD_Response *
server_response(struct http_response *response, bool close_after)
{
	struct MHD_Response *out;
	bool ok = true;

	if (response->fd >= 0) {
		out = MHD_create_response_from_fd64(response->size, response->fd);
		if (out != NULL)
			response->fd = -1;
	} else {
		out = MHD_create_response_from_buffer(
		    response->body.len, response->body.data, MHD_RESPMEM_MUST_FREE);
		if (out != NULL)
			response->body = (struct buf){ 0 };
	}
	if (out == NULL)
		return NULL;
	for (size_t i = 0; i < response->n; i++)
		ok = ok && MHD_add_response_header(
			       out, response->header[i].name, response->header[i].value) == MHD_YES;
	if (close_after)
		ok = ok && MHD_add_response_header(out, "Connection", "close") == MHD_YES;
	if (!ok) {
		MHD_destroy_response(out);
		return NULL;
	}
	return out;
}

static enum MHD_Result
server_answer(struct server *server, struct server_request *r)
{
	struct http_response *response = &r->work.response;
	uint64_t size = response->fd >= 0 ? response->size : response->body.len;
	int64_t now = clock_mono_ms();
	int status = response->status;
	struct MHD_Response *out = server_response(
	    response, r->last || atomic_load(&server->stopping));
	enum MHD_Result queued;

	if (out == NULL)
		return MHD_NO;
	server_turn(
	    r->conn, TURN_TAKING, server->timeout_ms + (int64_t)(size / SERVER_RATE_MIN) * 1000);
	queued = MHD_queue_response(r->mhd, (unsigned)status, out);
	MHD_destroy_response(out);
	httpd_count_code(server->httpd, status);
	log_debug("op=http path=%.64s status=%d size=%llu ms=%lld", r->work.request.path, status,
	    (unsigned long long)size, (long long)(now - r->begun_ms));
	return queued;
}

/* A worker is done with it. */
static void
server_done(struct work *work)
{
	struct server_request *r = (struct server_request *)(void *)work;

	r->ready = true;
	/* The handler is called again; nothing here is touched after this. */
	MHD_resume_connection(r->mhd);
}

static enum MHD_Result
server_dispatch(struct server *server, struct server_request *r)
{
	struct work *work = &r->work;

	r->routed = true;
	work->route = route_find(&work->request, &work->rest, &work->response);
	if (work->route == NULL)
		return server_answer(server, r);
	/* Suspended first: a worker may be done before workers_put returns. */
	work->deadline_ms = clock_mono_ms() + server->timeout_ms;
	server_turn(r->conn, TURN_OURS, 0);
	MHD_suspend_connection(r->mhd);
	if (workers_put(server->workers[work->route->work], work) != 0) {
		atomic_fetch_add(&server->httpd->counters.busy, 1);
		http_fail(&work->response, FAIL_UNAVAILABLE, "http: too many requests are waiting");
		server_done(work);
	}
	return MHD_YES;
}

static const char *
server_header(struct MHD_Connection *mhd, const char *name)
{
	return MHD_lookup_connection_value(mhd, MHD_HEADER_KIND, name);
}

static enum MHD_Result
server_framing(void *cls, enum MHD_ValueKind kind, const char *name, const char *value)
{
	(void)kind;
	http_framing_note(cls, name, value != NULL ? value : "");
	return MHD_YES;
}

/* The headers are there. What can be refused before the body is sent is refused now. */
static enum MHD_Result
server_begin(struct server *server, struct MHD_Connection *mhd, const char *url, const char *method,
    void **context)
{
	const char *length = server_header(mhd, MHD_HTTP_HEADER_CONTENT_LENGTH), *rest;
	struct server_request *r = mem_alloc(sizeof(*r));
	struct http_request *request = &r->work.request;
	struct http_framing framing = { 0 };
	const char *fault;

	r->conn = server_conn(mhd);
	r->mhd = mhd;
	r->begun_ms = clock_mono_ms();
	r->work.done = server_done;
	http_response_init(&r->work.response);
	request->method = http_method_parse(method);
	request->path = url;
	request->content_type = server_header(mhd, MHD_HTTP_HEADER_CONTENT_TYPE);
	request->if_none_match = server_header(mhd, MHD_HTTP_HEADER_IF_NONE_MATCH);
	request->if_modified_since = server_header(mhd, MHD_HTTP_HEADER_IF_MODIFIED_SINCE);
	request->loopback = r->conn->loopback;
	*context = r;
	(void)MHD_get_connection_values(mhd, MHD_HEADER_KIND, server_framing, &framing);
	fault = http_framing_fault(&framing);
	request->too_large = length != NULL && strtoull(length, NULL, 10) > OCSP_REQUEST_MAX;
	if (fault == NULL && !request->too_large)
		return MHD_YES;
	r->routed = true;
	r->last = true;
	if (fault != NULL)
		http_fail(&r->work.response, FAIL_INVALID, fault);
	else
		/* No route takes such a body: the answer is there. */
		require(route_find(request, &rest, &r->work.response) == NULL);
	return server_answer(server, r);
}

/* Part of a body; MHD_NO closes the connection. */
static enum MHD_Result
server_body(struct server_request *r, const char *data, size_t *len)
{
	struct http_request *request = &r->work.request;

	if (!request->too_large && *len <= OCSP_REQUEST_MAX - request->body.len) {
		buf_add(&request->body, data, *len);
	} else {
		request->too_large = true;
		buf_free(&request->body);
		r->discarded += *len;
	}
	*len = 0;
	return r->discarded <= SERVER_DISCARD_MAX ? MHD_YES : MHD_NO;
}

static enum MHD_Result
server_handle(void *cls, struct MHD_Connection *mhd, const char *url, const char *method,
    const char *version, const char *data, size_t *len, void **context)
{
	struct server_request *r = *context;

	(void)version;
	if (r == NULL)
		return server_begin(cls, mhd, url, method, context);
	if (*len > 0)
		return server_body(r, data, len);
	if (!r->routed)
		return server_dispatch(cls, r);
	if (r->ready) {
		r->ready = false;
		return server_answer(cls, r);
	}
	return MHD_YES;
}

/* One worker is the plain mode, a pool begins at two. */
static struct MHD_Daemon *
server_daemon(struct server *server, int listen_fd)
{
	const struct home *home = &server->httpd->home;
	unsigned pool = home->http_workers > 1 ? (unsigned)home->http_workers : 0;
	unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ITC | MHD_ALLOW_SUSPEND_RESUME |
			 MHD_USE_ERROR_LOG;
	struct MHD_OptionItem items[] = {
		{ MHD_OPTION_LISTEN_SOCKET, listen_fd, NULL },
		{ MHD_OPTION_THREAD_POOL_SIZE, (intptr_t)pool, NULL },
		{ MHD_OPTION_CONNECTION_LIMIT, (intptr_t)home->http_connections, NULL },
		{ MHD_OPTION_PER_IP_CONNECTION_LIMIT, (intptr_t)home->http_per_address, NULL },
		{ MHD_OPTION_CONNECTION_MEMORY_LIMIT, SERVER_MEMORY, NULL },
		{ MHD_OPTION_CONNECTION_TIMEOUT, (intptr_t)home->http_timeout, NULL },
		{ MHD_OPTION_END, 0, NULL },
	};

	require(home->http_connections <= SERVER_WORKER_CONNECTIONS * home->http_workers);
	return MHD_start_daemon(flags, 0, NULL, NULL, server_handle, server,
	    MHD_OPTION_EXTERNAL_LOGGER, server_log, NULL, MHD_OPTION_UNESCAPE_CALLBACK,
	    server_unescape, NULL, MHD_OPTION_URI_LOG_CALLBACK, server_request_line, server,
	    MHD_OPTION_NOTIFY_CONNECTION, server_connection, server, MHD_OPTION_NOTIFY_COMPLETED,
	    server_completed, server, MHD_OPTION_ARRAY, items, MHD_OPTION_END);
}

int
server_start(const struct server_conf *conf, struct server **out, struct err *err)
{
	struct server *server = mem_alloc(sizeof(*server));

	server->httpd = conf->httpd;
	memcpy(server->workers, conf->workers, sizeof(server->workers));
	server->timeout_ms = conf->httpd->home.http_timeout * 1000;
	pthread_mutex_init(&server->lock, NULL);
	MHD_set_panic_func(server_panic, server);
	server->daemon = server_daemon(server, conf->listen_fd);
	if (server->daemon == NULL) {
		pthread_mutex_destroy(&server->lock);
		free(server);
		return err_set(err, FAIL_UNAVAILABLE, "http: the server does not start");
	}
	*out = server;
	return 0;
}

/*
 * End what is overdue, and what is idle or asking for these times; -1 = no such limit. shutdown()
 * wakes the library's thread, which then closes the connection itself.
 */
static void
server_cut(struct server *server, int64_t idle_ms, int64_t asking_ms)
{
	int64_t now = clock_mono_ms();

	pthread_mutex_lock(&server->lock);
	for (struct server_conn *c = server->first; c != NULL; c = c->next) {
		int64_t limit = c->turn == TURN_IDLE	 ? idle_ms
				: c->turn == TURN_ASKING ? asking_ms
							 : -1;

		if (c->deadline_ms == 0 ||
		    (now < c->deadline_ms && (limit < 0 || now - c->since_ms < limit)))
			continue;
		shutdown(c->fd, SHUT_RDWR);
		c->deadline_ms = 0;
	}
	pthread_mutex_unlock(&server->lock);
}

void
server_tick(struct server *server)
{
	const struct httpd *httpd = server->httpd;
	bool crowded = atomic_load(&httpd->counters.connections) >=
		       (unsigned)httpd->home.http_connections;
	int64_t limit = crowded ? SERVER_CROWDED_MS : -1;

	server_cut(server, limit, limit);
}

void
server_quiesce(struct server *server, int timeout_ms)
{
	static const struct timespec moment = { .tv_nsec = 20 * 1000000L };
	int64_t until = clock_mono_ms() + timeout_ms;
	int fd;

	atomic_store(&server->stopping, true);
	fd = MHD_quiesce_daemon(server->daemon);
	if (fd >= 0)
		close(fd);
	while (atomic_load(&server->httpd->counters.connections) > 0 && clock_mono_ms() < until) {
		server_cut(server, 0, -1);
		nanosleep(&moment, NULL);
	}
}

void
server_stop(struct server *server)
{
	MHD_stop_daemon(server->daemon);
	pthread_mutex_destroy(&server->lock);
	free(server);
}
