/*
 * Questions: status, CAs, show, list. Each is a stream over a read-only handle; nothing is
 * changed here.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "house.h"
#include "imports.h"
#include "lane.h"
#include "smki/clock.h"
#include "smki/mem.h"
#include "smki/store_device.h"
#include "smki/tlscert.h"
#include "stream.h"

/* Certificates in one message of a list: at most some 700 octets each. */
#define QUERY_LIST_CHUNK 100

/* ---- status, CAs ---- */

struct query_cas {
	struct stream stream; /* first */
	bool status;	      /* the status message is still to come */
	size_t next;
};

static void
query_free(struct stream *stream)
{
	free(stream);
}

/* What devices met: refusals of the last hour, imports, the certificate that they see in TLS. */
static int
query_status_devices(
    struct smkid *smkid, struct store *reader, struct admin_status *status, struct err *err)
{
	int64_t ids[IMPORTS_MAX + 1];
	struct store_cert server;
	size_t n = 0;

	if (store_refusals_since(reader, status->now / 60 - 59, &status->refused, err) != 0 ||
	    store_import_unfinished(reader, ids, ARRAY_LEN(ids), &n, err) != 0)
		return -1;
	status->imports = (uint32_t)n;
	/* What is wrong with the file is an alarm. */
	if (tls_cert_newest(reader, smkid->home.https.chain, &server, NULL) == 0)
		status->server_until = server.not_after;
	return 0;
}

static int
query_status_step(struct smkid *smkid, struct store *reader, struct buf *msg, struct err *err)
{
	struct admin_status status = {
		.version = SMKI_VERSION,
		.pid = getpid(),
		.started = smkid->started,
		.now = clock_now(),
		.queue = (uint32_t)pool_waiting(smkid->workers),
	};
	struct err why;
	time_t newest;

	if (store_event_newest(reader, &status.event, &newest, err) != 0 ||
	    query_status_devices(smkid, reader, &status, err) != 0)
		return -1;
	status.token_ready = lanes_ready(smkid->lanes, &why) == 0;
	house_alarm(smkid, reader, status.alarm);
	admin_status_put(msg, &status);
	return 0;
}

/* The certificate of the CA's OCSP responder; empty when there is none. */
static int
query_responder(struct store *reader, const struct ca *ca, struct buf *der, struct err *err)
{
	struct store_ca rows[STORE_CAS_MAX];
	size_t n = 0;

	if (store_ca_list(reader, rows, &n, err) != 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (rows[i].id == ca->id && rows[i].responder != 0)
			return store_cert_der(reader, rows[i].responder, der, err);
	return 0;
}

static int
query_ca(struct smkid *smkid, const struct ca *ca, struct store *reader, struct buf *msg,
    struct err *err)
{
	const struct ca *parent = caset_by_id(smkid->cas, ca->parent);
	struct admin_ca out = { 0 };
	struct err why;
	int r = -1;

	memcpy(out.name, ca->name, sizeof(out.name));
	if (parent != NULL)
		memcpy(out.parent, parent->name, sizeof(out.parent));
	out.key_bound = lanes_check(smkid->lanes, ca, &why) == 0;
	if (store_tally(reader, ca->id, &out.tally, err) != 0)
		goto out;
	out.has_crl = store_crl_newest(reader, ca->id, &out.crl, &why) == 0;
	if (!out.has_crl && why.code != FAIL_NOT_FOUND) {
		*err = why;
		goto out;
	}
	buf_add(&out.der, ca->der.data, ca->der.len);
	if (query_responder(reader, ca, &out.responder, err) != 0)
		goto out;
	admin_ca_put(msg, &out);
	r = 0;
out:
	admin_ca_free(&out);
	return r;
}

static int
query_cas_step(
    struct stream *stream, struct store *reader, struct buf *msg, bool *last, struct err *err)
{
	struct query_cas *q = (struct query_cas *)stream;
	struct smkid *smkid = stream->req->smkid;

	if (q->status) {
		q->status = false;
		*last = smkid->cas->n == 0;
		return query_status_step(smkid, reader, msg, err);
	}
	if (q->next >= smkid->cas->n)
		return err_set(err, FAIL_NOT_FOUND, "ca: there is none");
	*last = q->next + 1 == smkid->cas->n;
	return query_ca(smkid, &smkid->cas->ca[q->next++], reader, msg, err);
}

static void
query_cas_start(struct request *req, struct wire_in *in, bool status)
{
	struct query_cas *q;
	struct err err;

	if (wire_end(in, req->op->name, &err) != 0) {
		request_fail(req, &err);
		return;
	}
	q = mem_alloc(sizeof(*q));
	q->stream = (struct stream){ .req = req, .step = query_cas_step, .free = query_free };
	q->status = status;
	stream_start(&q->stream);
}

void
op_status(struct request *req, struct wire_in *in)
{
	query_cas_start(req, in, true);
}

void
op_ca_list(struct request *req, struct wire_in *in)
{
	query_cas_start(req, in, false);
}

/* ---- show ---- */

struct query_show {
	struct stream stream; /* first */
	struct admin_find find;
	int64_t ca;		  /* 0 = any */
	size_t n, next;		  /* n = 0: not looked for yet */
	int64_t *id;		  /* owned; of certificates */
	struct admin_found found; /* large: not on a stack */
};

/* Those of one question while they are looked for. */
struct query_rows {
	size_t n;
	struct store_cert *cert; /* owned */
};

/* Room for what there is of it mostly. */
#define QUERY_SHOW_FIRST 16

static void
query_show_free(struct stream *stream)
{
	struct query_show *q = (struct query_show *)stream;

	admin_found_free(&q->found);
	free(q->id);
	free(q);
}

/* Those of one kind of holder, after the n there are. */
static int
query_show_holder(struct query_rows *rows, const struct eui64 *device, struct store *reader,
    enum holder_kind kind, struct err *err)
{
	size_t room = QUERY_SHOW_FIRST, got;

	for (;; room *= 4) {
		if (room > ADMIN_FOUND_MAX - rows->n)
			room = ADMIN_FOUND_MAX - rows->n;
		rows->cert = mem_resize(rows->cert, rows->n + room, sizeof(*rows->cert));
		if (store_certs_by_holder(reader, kind, device->octets, EUI64_LEN,
			rows->cert + rows->n, room, &got, err) == 0)
			break;
		if (err->code != FAIL_LIMIT || room == ADMIN_FOUND_MAX - rows->n)
			return -1;
	}
	rows->n += got;
	return 0;
}

static int
query_show_rows(const struct query_show *q, const char *what, struct store *reader,
    struct query_rows *rows, struct err *err)
{
	if (q->find.by_device) {
		if (query_show_holder(rows, &q->find.device, reader, HOLDER_DEVICE, err) != 0 ||
		    query_show_holder(rows, &q->find.device, reader, HOLDER_ORGANISATION, err) != 0)
			return err_prefix(err, "device %s", what);
		return 0;
	}
	rows->cert = mem_array(STORE_CAS_MAX, sizeof(*rows->cert)); /* once under each CA */
	if (store_certs_by_serial(
		reader, &q->find.serial, rows->cert, STORE_CAS_MAX, &rows->n, err) != 0)
		return err_prefix(err, "certificate %s", what);
	return 0;
}

/* All that is asked for, looked for once: their number is bounded. The first is told in the same
 * view and stands in found; of the others only what names them is kept until they are told, however
 * slow the reader is. */
static int
query_show_look(struct query_show *q, struct store *reader, struct err *err)
{
	struct holder holder = { .kind = HOLDER_DEVICE, .name_len = EUI64_LEN };
	struct query_rows rows = { 0 };
	char what[HOLDER_TEXT_LEN];
	int r = -1;

	if (q->find.by_device) {
		memcpy(holder.name, q->find.device.octets, EUI64_LEN);
		holder_text(&holder, what);
	} else {
		serial_text(&q->find.serial, what);
	}
	if (query_show_rows(q, what, reader, &rows, err) != 0)
		goto out;
	q->id = mem_array(rows.n, sizeof(*q->id));
	for (size_t i = 0; i < rows.n; i++) {
		if (q->ca != 0 && rows.cert[i].ca != q->ca)
			continue;
		if (q->n == 0)
			q->found.cert = rows.cert[i];
		q->id[q->n++] = rows.cert[i].id;
	}
	if (q->n == 0) {
		err_set(err, FAIL_NOT_FOUND, "%s %s: no CA here issued %s",
		    q->find.by_device ? "device" : "certificate", what,
		    q->find.by_device ? "anything for it" : "it");
		goto out;
	}
	r = 0;
out:
	free(rows.cert);
	return r;
}

/* Keep the newest ADMIN_EVENTS_MAX. */
static int
query_show_event(void *ctx, const struct store_event *event, struct err *err)
{
	struct admin_found *found = ctx;

	if (found->n_events == ADMIN_EVENTS_MAX) {
		found->n_events--;
		memmove(found->event, found->event + 1, found->n_events * sizeof(*found->event));
	}
	found->event[found->n_events++] = *event;
	return 0;
}

static int
query_show_one(struct query_show *q, struct store *reader, struct err *err)
{
	if (q->n == 0 ? query_show_look(q, reader, err) != 0
		      : store_cert_get(reader, q->id[q->next], &q->found.cert, err) != 0)
		return -1;
	q->next++;
	q->found.n_events = 0;
	buf_reset(&q->found.der);
	if (q->find.der && store_cert_der(reader, q->found.cert.id, &q->found.der, err) != 0)
		return -1;
	return store_event_each(reader, q->found.cert.id, query_show_event, &q->found, err);
}

static int
query_show_step(
    struct stream *stream, struct store *reader, struct buf *msg, bool *last, struct err *err)
{
	struct query_show *q = (struct query_show *)stream;
	int r;

	/* One view: the state that is told is that of the events told with it. */
	if (store_view_begin(reader, err) != 0)
		return -1;
	r = query_show_one(q, reader, err);
	store_view_end(reader);
	if (r != 0)
		return -1;
	admin_found_put(msg, &q->found);
	*last = q->next == q->n;
	return 0;
}

/* 0 = "" = any. */
static int
query_ca_id(const struct smkid *smkid, const char *name, int64_t *id, struct err *err)
{
	const struct ca *ca = NULL;

	if (name[0] != '\0' && caset_pick(smkid->cas, name, &ca, err) != 0)
		return -1;
	*id = ca == NULL ? 0 : ca->id;
	return 0;
}

void
op_show(struct request *req, struct wire_in *in)
{
	struct query_show *q = mem_alloc(sizeof(*q));
	struct err err;

	q->stream = (struct stream){ .req = req, .step = query_show_step, .free = query_show_free };
	if (admin_find_get(in, &q->find, &err) != 0 ||
	    query_ca_id(req->smkid, q->find.ca, &q->ca, &err) != 0) {
		free(q);
		request_fail(req, &err);
		return;
	}
	stream_start(&q->stream);
}

/* ---- list ---- */

struct query_list {
	struct stream stream; /* first */
	struct store_filter filter;
	int64_t left; /* -1 = no limit */
	uint32_t count;
	struct buf certs; /* of the message in the making */
};

static void
query_list_free(struct stream *stream)
{
	struct query_list *q = (struct query_list *)stream;

	buf_free(&q->certs);
	free(q);
}

static int
query_list_cert(void *ctx, const struct store_cert *cert, struct err *err)
{
	struct query_list *q = ctx;

	admin_cert_put(&q->certs, cert);
	q->count++;
	if (store_filter_by_event(&q->filter))
		q->filter.after_event = cert->event;
	else
		q->filter.after_id = cert->id;
	return 0;
}

/* Each piece is read anew after the one before: no view is held open for a slow reader. */
static int
query_list_step(
    struct stream *stream, struct store *reader, struct buf *msg, bool *last, struct err *err)
{
	struct query_list *q = (struct query_list *)stream;

	q->count = 0;
	buf_reset(&q->certs);
	q->filter.limit = QUERY_LIST_CHUNK;
	if (q->left >= 0 && q->left < q->filter.limit)
		q->filter.limit = q->left;
	if (store_cert_each(reader, &q->filter, query_list_cert, q, err) != 0)
		return -1;
	if (q->left >= 0)
		q->left -= q->count;
	*last = q->count < QUERY_LIST_CHUNK || q->left == 0;
	wire_put_u32(msg, q->count);
	buf_add(msg, q->certs.data, q->certs.len);
	return 0;
}

void
op_list(struct request *req, struct wire_in *in)
{
	struct query_list *q = mem_alloc(sizeof(*q));
	struct admin_list list;
	struct err err;

	q->stream = (struct stream){ .req = req, .step = query_list_step, .free = query_list_free };
	if (admin_list_get(in, &list, &err) != 0 ||
	    query_ca_id(req->smkid, list.ca, &q->filter.ca, &err) != 0) {
		free(q);
		request_fail(req, &err);
		return;
	}
	q->filter.by_state = list.by_state;
	q->filter.state = list.state;
	q->filter.by_device = list.by_device;
	q->filter.device = list.device;
	q->filter.since = list.since;
	q->left = list.limit > 0 ? list.limit : -1;
	stream_start(&q->stream);
}
