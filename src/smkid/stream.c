/*
 * The life of a stream: step, send, look for room, step again.
 */
#include "server.h"
#include "stream.h"

static void
stream_run(struct pool_item *item, struct store *reader)
{
	struct stream *stream = (struct stream *)item;
	struct request *req = stream->req;
	struct buf msg = { 0 };
	bool last = false;
	struct err err;

	switch (conn_room(req->conn, item)) {
	case CONN_PARKED:
		return;
	case CONN_GONE:
		stream->free(stream);
		request_drop(req);
		return;
	case CONN_ROOM:
		break;
	}
	request_start(req, &msg, true);
	if (stream->step(stream, reader, &msg, &last, &err) != 0) {
		buf_free(&msg);
		stream->free(stream);
		request_fail(req, &err);
		return;
	}
	if (!last) {
		request_send(req, &msg);
		/* Behind the others: one long list does not keep short questions waiting. */
		pool_put_again(req->smkid->queries, item);
		return;
	}
	request_last(&msg);
	stream->free(stream);
	request_end(req, &msg);
}

void
stream_start(struct stream *stream)
{
	struct request *req = stream->req;
	struct err err;

	stream->item.run = stream_run;
	if (pool_put(req->smkid->queries, &stream->item, &err) != 0) {
		stream->free(stream);
		request_fail(req, &err);
	}
}
