/*
 * A request as it comes in: headers, what is refused before its body, the body. Must not know the
 * HTTP library.
 */
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>

#include "exchange.h"
#include "smki/mem.h"

/* Room for a body that is kept for the next request: most are shorter. */
#define EXCHANGE_BODY_KEPT 1024

/*
 * What a thread used last it uses next, for whichever connection: with one for each connection
 * every request would fetch its own from memory that was last touched a thousand requests ago.
 */
static pthread_once_t exchange_once = PTHREAD_ONCE_INIT;
static pthread_key_t exchange_spare; /* of this thread; NULL = none */

static void
exchange_free(void *arg)
{
	struct exchange *e = arg;

	buf_free(&e->work.request.body);
	free(e);
}

static void
exchange_init(void)
{
	require(pthread_key_create(&exchange_spare, exchange_free) == 0);
}

struct exchange *
exchange_begin(
    struct server *server, struct listener_conn *conn, void *mhd, void (*done)(struct work *work))
{
	struct exchange *e;

	require(pthread_once(&exchange_once, exchange_init) == 0);
	exchange_end(conn->exchange); /* the library forgot to tell */
	e = pthread_getspecific(exchange_spare);
	if (e != NULL) {
		require(pthread_setspecific(exchange_spare, NULL) == 0);
	} else {
		e = mem_alloc(sizeof(*e));
		http_response_init(&e->work.response);
	}
	e->server = server;
	e->conn = conn;
	e->mhd = mhd;
	e->work.done = done;
	conn->exchange = e;
	return e;
}

struct exchange *
exchange_of(struct work *work)
{
	return (struct exchange *)(void *)((char *)work - offsetof(struct exchange, work));
}

void
exchange_header(struct exchange *e, const char *name, size_t name_len, const char *value)
{
	http_header_note(&e->work.request, &e->framing, name, name_len, value);
}

bool
exchange_admit(struct exchange *e, void *session)
{
	const struct listener *l = e->conn->listener;
	const char *length = e->framing.length, *fault = http_framing_fault(&e->framing);
	struct work *work = &e->work;
	unsigned long long size = length != NULL ? strtoull(length, NULL, 10) : 0;
	int excess = listener_lend(e->conn, session, &work->request);

	work->route = route_find(&work->request, &work->rest, &work->response);
	if (fault != NULL) {
		http_fail(&work->response, FAIL_INVALID, fault);
		return false;
	}
	if (work->route == NULL)
		return size <= EXCHANGE_DISCARD_MAX;
	if (excess != 0) {
		http_fail(&work->response, FAIL_DENIED,
		    "tls: more or longer client certificates than are looked at");
		return false;
	}
	e->body_max = work->route->body_max < l->body_max ? work->route->body_max : l->body_max;
	if (size <= e->body_max)
		return true;
	work->request.too_large = true;
	work->route = route_find(&work->request, &work->rest, &work->response);
	require(work->route == NULL);
	work->request.last = true;
	/* Whoever still sends when the connection is closed may never see the answer. */
	return size <= EXCHANGE_DISCARD_MAX;
}

int
exchange_body(struct exchange *e, const void *data, size_t len)
{
	struct http_request *request = &e->work.request;

	if (!request->too_large && len <= e->body_max - request->body.len) {
		buf_add(&request->body, data, len);
	} else {
		request->too_large = true;
		buf_wipe(&request->body);
		e->discarded += len;
	}
	return e->discarded <= EXCHANGE_DISCARD_MAX ? 0 : -1;
}

/* Nothing is left for the next one but room. */
static void
exchange_reset(struct exchange *e)
{
	struct http_request *request = &e->work.request;
	struct buf body = request->body;

	if (request->authorization != NULL)
		buf_wipe(&body);
	else if (request->tls || body.cap > EXCHANGE_BODY_KEPT)
		buf_free(&body);
	buf_reset(&body);
	*request = (struct http_request){ .body = body };
	http_response_free(&e->work.response);
	e->framing = (struct http_framing){ 0 };
	e->work.route = NULL;
	e->work.rest = NULL;
	e->body_max = e->discarded = 0;
	e->begun = e->routed = e->ready = false;
}

void
exchange_end(struct exchange *e)
{
	if (e == NULL)
		return;
	e->conn->exchange = NULL;
	exchange_reset(e);
	if (pthread_getspecific(exchange_spare) != NULL ||
	    pthread_setspecific(exchange_spare, e) != 0)
		exchange_free(e);
}
