/*
 * The adaptor between libmicrohttpd and the routes. No handler waits: a request that needs the
 * database, the token or smkid is suspended and answered by the workers. Deadlines are kept here,
 * because the library's own time-out starts anew with every octet that drips in.
 */
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "held.h"
#include "listener.h"
#include "server.h"
#include "smki/clock.h"
#include "smki/log.h"
#include "smki/mem.h"

/* Memory of one connection in octets: bounds request line and headers. */
#define SERVER_MEMORY 32768
/* A body that goes on this far after it was found too long is not read to its end. */
#define SERVER_DISCARD_MAX ((size_t)1024 * 1024)
/* The library's epoll loop stalls when exactly 128 events are ready at once: stay below it. */
#define SERVER_WORKER_CONNECTIONS 120
/* A listener and the daemon behind it. */
struct port {
	struct listener listener;
	struct server *server;
	struct MHD_Daemon *daemon; /* NULL = there is none */
};

struct server {
	struct httpd *httpd;
	struct workers *workers[WORKS];
	atomic_bool stopping;
	struct held *held;
	struct port port[LISTENERS];
};

/* A request under way. */
struct server_request {
	struct work work; /* first: what workers call back with */
	struct server *server;
	struct listener_conn *conn;
	struct MHD_Connection *mhd;
	int64_t begun_ms;
	size_t body_max, discarded;
	bool routed, ready; /* response is complete */
	bool last;	    /* the connection ends with it */
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

/* The library tells only here that it refused a connection, by its limits. */
__attribute__((format(printf, 2, 0))) static void
server_log(void *cls, const char *fmt, va_list ap)
{
	struct port *port = cls;
	char line[512];
	size_t len;

	if (strstr(fmt, "connection limit") != NULL)
		atomic_fetch_add(
		    &port->server->httpd->counters.over_limit[port->listener.which], 1);
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

static struct listener_conn *
server_conn(struct MHD_Connection *mhd)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(
	    mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	require(info != NULL && info->socket_context != NULL);
	return info->socket_context;
}

static void *
server_session(struct MHD_Connection *mhd)
{
	return MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION)->tls_session;
}

/* The library tells of the close before it closes the descriptor, so a descriptor on the list is
 * never somebody else's. */
static void
server_connection(
    void *cls, struct MHD_Connection *mhd, void **context, enum MHD_ConnectionNotificationCode what)
{
	struct port *port = cls;

	if (what == MHD_CONNECTION_NOTIFY_STARTED) {
		*context = listener_accept(&port->listener,
		    MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr,
		    MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd,
		    port->listener.tls != NULL ? server_session(mhd) : NULL);
	} else if (*context != NULL) {
		listener_gone(*context);
		*context = NULL;
	}
}

/* The request line is there: the rest of the request has its time, all of it together. */
static void *
server_request_line(void *cls, const char *uri, struct MHD_Connection *mhd)
{
	(void)cls;
	(void)uri;
	listener_asking(server_conn(mhd));
	return NULL;
}

/* The library's own copy of a header, which it needs no more. */
static void
server_wipe(const char *text)
{
	if (text != NULL)
		explicit_bzero((void *)(uintptr_t)text, strlen(text));
}

static void
server_request_free(struct server_request *r)
{
	struct http_request *request = &r->work.request;

	if (request->authorization != NULL)
		buf_wipe(&request->body);
	else
		buf_free(&request->body);
	http_response_free(&r->work.response);
	free(r);
}

static void
server_completed(
    void *cls, struct MHD_Connection *mhd, void **context, enum MHD_RequestTerminationCode why)
{
	struct server_request *r = *context;

	(void)cls;
	(void)why;
	if (r != NULL) {
		server_wipe(r->work.request.authorization);
		server_request_free(r);
	}
	*context = NULL;
	listener_next(server_conn(mhd));
}

static void
server_body_wipe(void *cls)
{
	struct buf *body = cls;

	buf_wipe(body);
	free(body);
}

/* The library's own answer of a buffer, which becomes its. */
static struct MHD_Response *
server_buffer(struct http_response *response)
{
	struct MHD_Response *out;
	struct buf *body;

	if (!response->secret) {
		out = MHD_create_response_from_buffer(
		    response->body.len, response->body.data, MHD_RESPMEM_MUST_FREE);
		if (out != NULL)
			response->body = (struct buf){ 0 };
		return out;
	}
	body = mem_copy(&response->body, sizeof(*body));
	out = MHD_create_response_from_buffer_with_free_callback_cls(
	    body->len, body->data, server_body_wipe, body);
	if (out != NULL)
		response->body = (struct buf){ 0 };
	else
		free(body);
	return out;
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
		out = server_buffer(response);
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
server_answer(struct server_request *r)
{
	struct http_response *response = &r->work.response;
	struct server *server = r->server;
	uint64_t size = response->fd >= 0 ? response->size : response->body.len;
	int64_t now = clock_mono_ms();
	int status = response->status;
	struct MHD_Response *out = server_response(
	    response, r->last || atomic_load(&server->stopping));
	enum MHD_Result queued;

	if (out == NULL)
		return MHD_NO;
	listener_taking(r->conn, size);
	queued = MHD_queue_response(r->mhd, (unsigned)status, out);
	MHD_destroy_response(out);
	httpd_count_code(server->httpd, status);
	log_debug("op=http path=%.64s status=%d size=%llu ms=%lld", r->work.request.path, status,
	    (unsigned long long)size, (long long)(now - r->begun_ms));
	return queued;
}

/* Any thread. The answer is there and the suspended request goes on. */
static void
server_go(struct work *work)
{
	struct server_request *r = (struct server_request *)(void *)work;

	r->ready = true;
	/* The handler is called again; nothing here is touched after this. */
	MHD_resume_connection(r->mhd);
}

static void
server_busy(struct server *server, struct work *work, const char *detail)
{
	bool text = work->response.text;

	atomic_fetch_add(&server->httpd->counters.busy, 1);
	http_response_free(&work->response);
	work->response.text = text;
	http_fail(&work->response, FAIL_UNAVAILABLE, detail);
}

/* A worker is done with it. */
static void
server_done(struct work *work)
{
	struct server_request *r = (struct server_request *)(void *)work;
	struct server *server = r->server;
	int64_t delay_ms = work->response.delay_ms;

	if (delay_ms > 0 && !atomic_load(&server->stopping)) {
		if (held_put(server->held, work, clock_mono_ms() + delay_ms) == 0)
			return;
		server_busy(server, work, "http: too many answers are held back");
	}
	server_go(work);
}

/* The body is there. */
static enum MHD_Result
server_dispatch(struct server_request *r)
{
	struct server *server = r->server;
	struct work *work = &r->work;

	r->routed = true;
	/* Found too long on the way: the answer changes. */
	if (work->route != NULL && work->request.too_large)
		work->route = route_find(&work->request, &work->rest, &work->response);
	if (work->route == NULL)
		return server_answer(r);
	if (work->route->fast != NULL &&
	    work->route->fast(server->httpd, &work->request, work->rest, &work->response))
		return server_answer(r);
	/* Suspended first: a worker may be done before workers_put returns. */
	work->deadline_ms = clock_mono_ms() + r->conn->listener->timeout_ms;
	listener_ours(r->conn);
	MHD_suspend_connection(r->mhd);
	if (workers_put(server->workers[work->route->work], work) != 0) {
		server_busy(server, work, "http: too many requests are waiting");
		server_go(work);
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

static struct server_request *
server_request_new(
    struct server *server, struct MHD_Connection *mhd, const char *url, const char *method)
{
	struct server_request *r = mem_alloc(sizeof(*r));
	struct http_request *request = &r->work.request;

	r->server = server;
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
	request->authorization = server_header(mhd, MHD_HTTP_HEADER_AUTHORIZATION);
	return r;
}

/* True when the request goes on; else response is complete before its body came. */
static bool
server_admit(struct server_request *r, unsigned long long size)
{
	const struct listener *l = r->conn->listener;
	struct http_framing framing = { 0 };
	struct work *work = &r->work;
	void *session = l->tls != NULL ? server_session(r->mhd) : NULL;
	const char *fault;
	int excess = listener_lend(r->conn, session, &work->request);

	(void)MHD_get_connection_values(r->mhd, MHD_HEADER_KIND, server_framing, &framing);
	fault = http_framing_fault(&framing);
	work->route = route_find(&work->request, &work->rest, &work->response);
	if (fault != NULL) {
		http_fail(&work->response, FAIL_INVALID, fault);
		return false;
	}
	if (work->route == NULL)
		return size <= SERVER_DISCARD_MAX;
	if (excess != 0) {
		http_fail(&work->response, FAIL_DENIED,
		    "tls: more or longer client certificates than are looked at");
		return false;
	}
	r->body_max = work->route->body_max < l->body_max ? work->route->body_max : l->body_max;
	if (size <= r->body_max)
		return true;
	work->request.too_large = true;
	work->route = route_find(&work->request, &work->rest, &work->response);
	require(work->route == NULL);
	r->last = true;
	/* Whoever still sends when the connection is closed may never see the answer. */
	return size <= SERVER_DISCARD_MAX;
}

/* The headers are there. What can be refused before the body is sent is refused now. */
static enum MHD_Result
server_begin(struct server *server, struct MHD_Connection *mhd, const char *url, const char *method,
    void **context)
{
	const char *length = server_header(mhd, MHD_HTTP_HEADER_CONTENT_LENGTH);
	struct server_request *r = server_request_new(server, mhd, url, method);

	*context = r;
	if (server_admit(r, length != NULL ? strtoull(length, NULL, 10) : 0))
		return MHD_YES;
	r->routed = true;
	r->last = true;
	return server_answer(r);
}

/* Part of a body; MHD_NO closes the connection. */
static enum MHD_Result
server_body(struct server_request *r, const char *data, size_t *len)
{
	struct http_request *request = &r->work.request;

	if (!request->too_large && *len <= r->body_max - request->body.len) {
		buf_add(&request->body, data, *len);
	} else {
		request->too_large = true;
		buf_wipe(&request->body);
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
	const struct port *port = cls;

	(void)version;
	if (r == NULL)
		return server_begin(port->server, mhd, url, method, context);
	if (*len > 0)
		return server_body(r, data, len);
	if (!r->routed)
		return server_dispatch(r);
	if (r->ready) {
		r->ready = false;
		return server_answer(r);
	}
	return MHD_YES;
}

/* One worker is the plain mode, a pool begins at two. The last items are those of TLS. */
static struct MHD_Daemon *
server_daemon(struct port *port, int listen_fd)
{
	const struct listener *l = &port->listener;
	const char *priorities = tls_priorities(l->httpd->home.https.tls12);
	unsigned pool = l->workers > 1 ? (unsigned)l->workers : 0;
	unsigned flags = MHD_USE_ITC | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
	struct MHD_OptionItem tls[] = {
		{ MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)priorities },
		{ MHD_OPTION_HTTPS_CERT_CALLBACK2, 0, (void *)(uintptr_t)tls_no_certificate() },
		{ MHD_OPTION_END, 0, NULL },
	};
	struct MHD_OptionItem items[] = {
		{ MHD_OPTION_LISTEN_SOCKET, listen_fd, NULL },
		{ MHD_OPTION_THREAD_POOL_SIZE, (intptr_t)pool, NULL },
		{ MHD_OPTION_CONNECTION_LIMIT, (intptr_t)l->connections, NULL },
		{ MHD_OPTION_PER_IP_CONNECTION_LIMIT, (intptr_t)l->per_address, NULL },
		{ MHD_OPTION_CONNECTION_MEMORY_LIMIT, SERVER_MEMORY, NULL },
		{ MHD_OPTION_CONNECTION_TIMEOUT, (intptr_t)(l->timeout_ms / 1000), NULL },
		{ l->tls != NULL ? MHD_OPTION_ARRAY : MHD_OPTION_END, 0, tls },
		{ MHD_OPTION_END, 0, NULL },
	};

	require(l->connections <= SERVER_WORKER_CONNECTIONS * l->workers);
	/* Its epoll loop spins while a handshake waits for its peer. */
	flags |= l->tls != NULL ? MHD_USE_TLS | MHD_USE_POLL_INTERNAL_THREAD
				: MHD_USE_EPOLL_INTERNAL_THREAD;
	return MHD_start_daemon(flags, 0, NULL, NULL, server_handle, port,
	    MHD_OPTION_EXTERNAL_LOGGER, server_log, port, MHD_OPTION_UNESCAPE_CALLBACK,
	    server_unescape, NULL, MHD_OPTION_URI_LOG_CALLBACK, server_request_line, port,
	    MHD_OPTION_NOTIFY_CONNECTION, server_connection, port, MHD_OPTION_NOTIFY_COMPLETED,
	    server_completed, port, MHD_OPTION_ARRAY, items, MHD_OPTION_END);
}

int
server_start(const struct server_conf *conf, struct server **out, struct err *err)
{
	struct server *server = mem_alloc(sizeof(*server));
	long room = 0;

	server->httpd = conf->httpd;
	memcpy(server->workers, conf->workers, sizeof(server->workers));
	MHD_set_panic_func(server_panic, server);
	for (int i = 0; i < LISTENERS; i++) {
		server->port[i].server = server;
		listener_init(
		    &server->port[i].listener, conf->httpd, (enum httpd_listener)i, conf->tls);
		if (conf->listen_fd[i] >= 0)
			room += server->port[i].listener.connections;
	}
	/* Half of the connections at most: the other half is for who does not guess. */
	if (held_new((size_t)room / 2, server_go, &server->held, err) != 0)
		goto failed;
	for (int i = 0; i < LISTENERS; i++) {
		if (conf->listen_fd[i] < 0)
			continue;
		server->port[i].daemon = server_daemon(&server->port[i], conf->listen_fd[i]);
		if (server->port[i].daemon == NULL) {
			err_set(err, FAIL_UNAVAILABLE, "http: the server does not start");
			goto failed;
		}
	}
	*out = server;
	return 0;
failed:
	server_stop(server);
	return -1;
}

void
server_tick(struct server *server)
{
	for (int i = 0; i < LISTENERS; i++)
		listener_tick(&server->port[i].listener);
}

/* Close what has no request under way; how many are left. */
static unsigned
server_end(struct server *server)
{
	unsigned n = 0;

	for (int i = 0; i < LISTENERS; i++) {
		listener_end(&server->port[i].listener);
		n += atomic_load(&server->httpd->counters.connections[i]);
	}
	return n;
}

void
server_quiesce(struct server *server, int timeout_ms)
{
	static const struct timespec moment = { .tv_nsec = 20 * 1000000L };
	int64_t until = clock_mono_ms() + timeout_ms;
	int fd;

	atomic_store(&server->stopping, true);
	for (int i = 0; i < LISTENERS; i++) {
		if (server->port[i].daemon == NULL)
			continue;
		fd = MHD_quiesce_daemon(server->port[i].daemon);
		if (fd >= 0)
			close(fd);
	}
	held_flush(server->held);
	while (server_end(server) > 0 && clock_mono_ms() < until)
		nanosleep(&moment, NULL);
}

void
server_stop(struct server *server)
{
	if (server->held != NULL)
		held_flush(server->held);
	for (int i = 0; i < LISTENERS; i++) {
		if (server->port[i].daemon != NULL)
			MHD_stop_daemon(server->port[i].daemon);
		listener_free(&server->port[i].listener);
	}
	held_free(server->held);
	free(server);
}
