/*
 * A reply of several messages, made piece by piece in the query threads. Between two pieces it
 * waits for room at its connection, and no thread waits with it.
 */
#ifndef SMKID_STREAM_H
#define SMKID_STREAM_H

#include "smkid.h"

struct stream {
	struct pool_item item; /* first */
	struct request *req;
	/* Append the payload of the next message; *last: it was the last one. */
	int (*step)(struct stream *stream, struct store *reader, struct buf *msg, bool *last,
	    struct err *err);
	void (*free)(struct stream *stream); /* frees stream itself too */
};

/* Hand over to the query threads; the request then ends by the stream. */
void stream_start(struct stream *stream);

#endif
