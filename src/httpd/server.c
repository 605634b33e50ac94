/*
 * The adaptor between libmicrohttpd and the routes. No handler waits: a request that needs the
 * database, the token or smkid is suspended and answered by the workers. Deadlines are kept here,
 * because the library's own time-out starts anew with every octet that drips in.
 */
#include <fcntl.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "exchange.h"
#include "held.h"
#include "server.h"
#include "smki/clock.h"
#include "smki/log.h"
#include "smki/mem.h"

/* Memory of one connection in octets: bounds request line and headers. */
#define SERVER_MEMORY 32768
/* The library's epoll loop stalls when exactly 128 events are ready at once: stay below it. */
#define SERVER_WORKER_CONNECTIONS 120
/* A listener and the daemon behind it. */
struct port {
	struct listener listener;
	struct server *server;
	struct MHD_Daemon *daemon; /* NULL = there is none */
	int listen_fd;		   /* its daemon's, which closes it */
};

struct server {
	struct httpd *httpd;
	struct workers *workers[WORKS];
	atomic_bool stopping;
	struct held *held;
	int deaf; /* a socket that nothing ever comes to */
	struct port port[LISTENERS];
};

/*
 * The library ends the process here when it finds its own state broken; a stop under full load
 * at the limit of connections may. Nothing is lost by it: this process only reads.
 */
static void
server_panic(void *cls, const char *file, unsigned int line, const char *reason)
{
	const struct server *server = cls;

	log_error("http library: %s:%u: %.*s", file, line,
	    reason != NULL ? (int)strcspn(reason, "\n") : 0, reason != NULL ? reason : "");
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
		exchange_end(((struct listener_conn *)*context)->exchange);
		listener_gone(*context);
		*context = NULL;
	}
}

/* The library's own copy of a header, which it needs no more. */
static void
server_wipe(const char *text)
{
	if (text != NULL)
		explicit_bzero((void *)(uintptr_t)text, strlen(text));
}

static void
server_completed(
    void *cls, struct MHD_Connection *mhd, void **context, enum MHD_RequestTerminationCode why)
{
	struct exchange *e = *context;

	(void)cls;
	(void)why;
	if (e != NULL) {
		server_wipe(e->work.request.authorization);
		exchange_end(e);
	}
	*context = NULL;
	listener_next(server_conn(mhd), clock_mono_ms());
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

static void
server_unref(void *cls)
{
	ocspcache_unref(cls);
}

/* The octets of an entry, as long as the library sends them. */
static struct MHD_Response *
server_kept(struct ocspcache_kept *kept)
{
	struct MHD_Response *out;

	ocspcache_ref(kept);
	out = MHD_create_response_from_buffer_with_free_callback_cls(
	    kept->entry.len, kept->entry.response, server_unref, kept);
	if (out == NULL)
		ocspcache_unref(kept);
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
	} else if (response->kept != NULL) {
		out = server_kept(response->kept);
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

static void
server_ready_end(void *ready)
{
	MHD_destroy_response(ready);
}

/*
 * The answer in the library's form, and in *shared whether others are sent the same object: it is
 * then not the caller's. What is made for the first who asks for an entry is kept with it.
 */
static struct MHD_Response *
server_form(struct http_response *response, bool close_after, bool *shared)
{
	struct ocspcache_kept *kept = response->kept;
	struct MHD_Response *out = kept != NULL ? atomic_load(&kept->ready) : NULL;

	*shared = out != NULL;
	if (*shared)
		return out;
	out = server_response(response, close_after);
	if (out != NULL && kept != NULL && !close_after)
		*shared = ocspcache_ready(kept, out, server_ready_end);
	return out;
}

static uint64_t
server_size(const struct http_response *response)
{
	if (response->fd >= 0)
		return response->size;
	return response->kept != NULL ? response->kept->entry.len : response->body.len;
}

static enum MHD_Result
server_answer(struct exchange *e)
{
	struct http_response *response = &e->work.response;
	uint64_t size = server_size(response);
	int64_t now = clock_mono_ms();
	int status = response->status;
	bool shared;
	struct MHD_Response *out = server_form(response, e->work.request.last, &shared);
	enum MHD_Result queued;

	if (out == NULL)
		return MHD_NO;
	listener_taking(e->conn, size, now);
	queued = MHD_queue_response(e->mhd, (unsigned)status, out);
	if (!shared)
		MHD_destroy_response(out);
	httpd_count_code(e->server->httpd, status);
	log_debug("op=http path=%.64s status=%d size=%llu ms=%lld", e->work.request.path, status,
	    (unsigned long long)size, (long long)(now - e->begun_ms));
	return queued;
}

/* Any thread. The answer is there and the suspended request goes on. */
static void
server_go(struct work *work)
{
	struct exchange *e = exchange_of(work);

	e->ready = true;
	/* The handler is called again; nothing here is touched after this. */
	MHD_resume_connection(e->mhd);
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
	struct server *server = exchange_of(work)->server;
	int64_t delay_ms = work->response.delay_ms;

	if (delay_ms > 0 && !atomic_load(&server->stopping)) {
		if (held_put(server->held, work, clock_mono_ms() + delay_ms) == 0)
			return;
		server_busy(server, work, "http: too many answers are held back");
	}
	server_go(work);
}

/* The request line is there: the rest of the request has its time, all of it together. */
static void *
server_request_line(void *cls, const char *uri, struct MHD_Connection *mhd)
{
	struct port *port = cls;
	struct listener_conn *conn = server_conn(mhd);
	struct exchange *e;

	(void)uri;
	e = exchange_begin(port->server, conn, mhd, server_done);
	e->begun_ms = clock_mono_ms();
	listener_asking(conn, e->begun_ms);
	return e;
}

/* The body is there. */
static enum MHD_Result
server_dispatch(struct exchange *e)
{
	struct server *server = e->server;
	struct work *work = &e->work;
	int64_t now;

	e->routed = true;
	work->request.last |= atomic_load(&server->stopping);
	/* Found too long on the way: the answer changes. */
	if (work->route != NULL && work->request.too_large)
		work->route = route_find(&work->request, &work->rest, &work->response);
	if (work->route == NULL)
		return server_answer(e);
	if (work->route->fast != NULL &&
	    work->route->fast(server->httpd, &work->request, work->rest, &work->response))
		return server_answer(e);
	/* Suspended first: a worker may be done before workers_put returns. */
	now = clock_mono_ms();
	work->deadline_ms = now + e->conn->listener->timeout_ms;
	listener_ours(e->conn, now);
	MHD_suspend_connection(e->mhd);
	if (workers_put(server->workers[work->route->work], work) != 0) {
		if (!route_put_back(
			server->httpd, work->route, &work->request, work->rest, &work->response))
			server_busy(server, work, "http: too many requests are waiting");
		server_go(work);
	}
	return MHD_YES;
}

static enum MHD_Result
server_header(void *cls, enum MHD_ValueKind kind, const char *name, size_t name_len,
    const char *value, size_t value_len)
{
	(void)kind;
	(void)value_len;
	exchange_header(cls, name, name_len, value != NULL ? value : "");
	return MHD_YES;
}

/* The headers are there. What can be refused before the body is sent is refused now. */
static enum MHD_Result
server_begin(struct exchange *e, const char *url, const char *method)
{
	struct http_request *request = &e->work.request;

	e->begun = true;
	request->method = http_method_parse(method);
	request->path = url;
	(void)MHD_get_connection_values_n(e->mhd, MHD_HEADER_KIND, server_header, e);
	if (exchange_admit(e, e->conn->listener->tls != NULL ? server_session(e->mhd) : NULL))
		return MHD_YES;
	e->routed = true;
	request->last = true;
	return server_answer(e);
}

static enum MHD_Result
server_handle(void *cls, struct MHD_Connection *mhd, const char *url, const char *method,
    const char *version, const char *data, size_t *len, void **context)
{
	struct exchange *e = *context;
	int kept;

	(void)cls;
	(void)mhd;
	(void)version;
	if (!e->begun)
		return server_begin(e, url, method);
	if (*len > 0) {
		kept = exchange_body(e, data, *len);
		*len = 0;
		return kept == 0 ? MHD_YES : MHD_NO;
	}
	if (!e->routed)
		return server_dispatch(e);
	if (e->ready) {
		e->ready = false;
		e->work.request.last |= atomic_load(&e->server->stopping);
		return server_answer(e);
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
	server->deaf = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	for (int i = 0; i < LISTENERS; i++) {
		server->port[i].server = server;
		server->port[i].listen_fd = conf->listen_fd[i];
		listener_init(
		    &server->port[i].listener, conf->httpd, (enum httpd_listener)i, conf->tls);
		if (conf->listen_fd[i] >= 0)
			room += server->port[i].listener.connections;
	}
	if (server->deaf < 0) {
		err_sys(err, FAIL_UNAVAILABLE, "http: socket");
		goto failed;
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

/*
 * Nobody connects to this descriptor any more: what listened is closed for good, and the number
 * stays the daemon's. MHD_quiesce_daemon would do it by halves: it takes the descriptor out of the
 * epoll sets of threads that may be doing the same, and the library ends the process when it finds
 * it gone already.
 */
static void
server_deafen(const struct server *server, int listen_fd)
{
	/* A thread that sleeps on it in poll() would keep it open. */
	shutdown(listen_fd, SHUT_RDWR);
	require(dup3(server->deaf, listen_fd, O_CLOEXEC) == listen_fd);
}

void
server_quiesce(struct server *server, int timeout_ms)
{
	static const struct timespec moment = { .tv_nsec = 20 * 1000000L };
	int64_t until = clock_mono_ms() + timeout_ms;

	atomic_store(&server->stopping, true);
	for (int i = 0; i < LISTENERS; i++)
		if (server->port[i].daemon != NULL)
			server_deafen(server, server->port[i].listen_fd);
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
	if (server->deaf >= 0)
		close(server->deaf);
	free(server);
}
