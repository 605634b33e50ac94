/*
 * CRLs on request: an issuing CA's are made here, a root's are signed in the ceremony and only
 * numbered, checked and published here.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "house.h"
#include "lane.h"
#include "smki/mem.h"
#include "stream.h"

/* Octets of a CRL in one message. */
#define CRL_PIECE 65536

/* ---- the bytes of a list ---- */

struct crl_stream {
	struct stream stream; /* first */
	struct store_crl row;
	bool told;
	int fd;
	int64_t sent;
	uint8_t piece[CRL_PIECE];
};

static void
crl_stream_free(struct stream *stream)
{
	struct crl_stream *s = (struct crl_stream *)stream;

	if (s->fd >= 0)
		close(s->fd);
	free(s);
}

static int
crl_stream_step(
    struct stream *stream, struct store *reader, struct buf *msg, bool *last, struct err *err)
{
	struct crl_stream *s = (struct crl_stream *)stream;
	ssize_t n;

	if (!s->told) {
		s->told = true;
		admin_crl_row_put(msg, &s->row);
		return 0;
	}
	do
		n = read(s->fd, s->piece, sizeof(s->piece));
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(err, FAIL_UNAVAILABLE, "crl: read");
	s->sent += n;
	if (n == 0 || s->sent > s->row.size)
		return err_set(err, FAIL_INTERNAL, "crl: the file has not the %lld octets recorded",
		    (long long)s->row.size);
	wire_put_bytes(msg, s->piece, (size_t)n);
	*last = s->sent == s->row.size;
	return 0;
}

/* ---- make now ---- */

struct crl_ask {
	struct pool_item item; /* first */
	struct request *req;
	const struct ca *ca;
	struct crl_which which;
};

/* In the keeper's thread. Opened there, so that no pruning comes between. */
static int
crl_ask_make(
    struct crl_ask *ask, struct store *reader, struct store_crl *row, int *fd, struct err *err)
{
	struct smkid *smkid = ask->req->smkid;
	char stem[CRL_STEM_MAX], name[CRL_FILE_MAX], *path;
	struct crlgen_conf conf;
	int r = 0;

	/* No number is burnt for a token that has not come up yet. */
	if (lanes_check(smkid->lanes, ask->ca, err) != 0)
		return -1;
	house_crlgen(smkid, &conf);
	if (crlgen_make(&conf, ask->ca, &ask->which, reader, ask->req->uid, row, err) != 0)
		return -1;
	crlgen_stem(ask->ca->name, &ask->which, stem);
	crlgen_file(stem, row->number, name);
	path = mem_fmt("%s/%s", smkid->crl_dir, name);
	*fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (*fd < 0)
		r = err_sys(err, FAIL_UNAVAILABLE, "crl %s", path);
	free(path);
	return r;
}

static void
crl_ask_run(struct pool_item *item, struct store *reader)
{
	struct crl_ask *ask = (struct crl_ask *)item;
	struct request *req = ask->req;
	struct crl_stream *s;
	struct store_crl row;
	struct err err;
	int fd = -1;

	if (crl_ask_make(ask, reader, &row, &fd, &err) != 0) {
		request_fail(req, &err);
	} else {
		snprintf(req->note, sizeof(req->note), "ca=%s number=%lld entries=%lld",
		    ask->ca->name, (long long)row.number, (long long)row.entries);
		s = mem_alloc(sizeof(*s));
		s->stream = (struct stream){
			.req = req, .step = crl_stream_step, .free = crl_stream_free
		};
		s->row = row;
		s->fd = fd;
		stream_start(&s->stream);
	}
	free(ask);
}

void
op_crl(struct request *req, struct wire_in *in)
{
	struct admin_crl_ask wanted;
	struct crl_ask *ask = NULL;
	const struct ca *ca;
	struct err err;

	if (admin_crl_ask_get(in, &wanted, &err) != 0 ||
	    caset_pick(req->smkid->cas, wanted.ca, &ca, &err) != 0)
		goto out;
	if (ca->root) {
		err_set(&err, FAIL_DENIED,
		    "crl: the root signs in the ceremony only: smki ca crl root");
		goto out;
	}
	ask = mem_alloc(sizeof(*ask));
	ask->item.run = crl_ask_run;
	ask->req = req;
	ask->ca = ca;
	ask->which = (struct crl_which){ ca->id, wanted.kind, wanted.shard };
	if (pool_put(req->smkid->keeper, &ask->item, &err) != 0)
		goto out;
	return;
out:
	free(ask);
	request_fail(req, &err);
}

/* ---- the ceremony's ---- */

/* A root by its name; the ceremony is for nothing else. */
static int
crl_pick_root(struct smkid *smkid, const char *name, const struct ca **out, struct err *err)
{
	if (caset_pick(smkid->cas, name, out, err) != 0)
		return -1;
	if (!(*out)->root)
		return err_set(err, FAIL_INVALID,
		    "crl: ca %s is not a root; its list is made by: smki crl --ca %s", (*out)->name,
		    (*out)->name);
	return 0;
}

struct crl_begin {
	struct commit_job job; /* first */
	struct request *req;
	const struct ca *ca;
	struct admin_crl_begin begin;
};

static int
crl_begin_listed(void *ctx, const struct store_listed *listed, struct err *err)
{
	struct admin_crl_begin *begin = ctx;

	if (begin->n == ADMIN_ROOT_ENTRIES_MAX)
		return err_set(err, FAIL_INVALID, "crl: more than %d certificates of a root",
		    ADMIN_ROOT_ENTRIES_MAX);
	begin->entry[begin->n++] = *listed;
	return 0;
}

/* The number, and in the same transaction what stands on the list at its newest event. */
static int
crl_begin_apply(struct commit_job *job, struct store *store, struct err *err)
{
	struct crl_begin *b = (struct crl_begin *)job;
	const struct crl_which which = { .ca = b->ca->id, .kind = CRL_COMPLETE };
	const struct smkid *smkid = b->req->smkid;
	time_t newest;

	b->begin.n = 0;
	if (store_event_newest(store, &b->begin.event, &newest, err) != 0 ||
	    crlgen_take(store, &which, crlgen_ahead_number(smkid->ahead, &which),
		clock_record_time(timeguard_record(smkid->guard), newest), &b->begin.number,
		err) != 0)
		return -1;
	return store_listed_each(store, b->ca->id, crl_begin_listed, &b->begin, err);
}

static void
crl_begin_free(struct crl_begin *b)
{
	admin_crl_begin_free(&b->begin);
	free(b);
}

static void
crl_begin_done(struct commit_job *job, const struct err *err)
{
	struct crl_begin *b = (struct crl_begin *)job;
	struct request *req = b->req;
	struct buf msg = { 0 };

	if (err != NULL) {
		request_fail(req, err);
	} else {
		snprintf(req->note, sizeof(req->note), "ca=%s number=%lld", b->ca->name,
		    (long long)b->begin.number);
		request_start(req, &msg, false);
		admin_crl_begin_put(&msg, &b->begin);
		request_end(req, &msg);
	}
	crl_begin_free(b);
}

void
op_crl_begin(struct request *req, struct wire_in *in)
{
	struct crl_begin *b = mem_alloc(sizeof(*b));
	struct admin_name name;
	struct err err;
	time_t now;

	b->job = (struct commit_job){
		.lane = COMMIT_OTHER, .apply = crl_begin_apply, .done = crl_begin_done
	};
	b->req = req;
	if (admin_name_get(in, &name, &err) != 0 ||
	    crl_pick_root(req->smkid, name.ca, &b->ca, &err) != 0 ||
	    /* Else the root would sign what is refused when it comes back. */
	    timeguard_now(req->smkid->guard, &now, &err) != 0)
		goto out;
	buf_add(&b->begin.der, b->ca->der.data, b->ca->der.len);
	if (committer_put(req->smkid->committer, &b->job, &err) != 0)
		goto out;
	return;
out:
	crl_begin_free(b);
	request_fail(req, &err);
}

struct crl_put {
	struct pool_item item; /* first */
	struct request *req;
	const struct ca *ca;
	struct admin_crl_put put;
};

static void
crl_put_free(struct crl_put *p)
{
	admin_crl_put_free(&p->put);
	free(p);
}

static void
crl_put_run(struct pool_item *item, struct store *reader)
{
	struct crl_put *p = (struct crl_put *)item;
	struct request *req = p->req;
	struct crlgen_conf conf;
	struct buf msg = { 0 };
	struct err err;

	house_crlgen(req->smkid, &conf);
	snprintf(req->note, sizeof(req->note), "ca=%s number=%lld", p->ca->name,
	    (long long)p->put.number);
	if (crlgen_publish(&conf, p->ca, reader, p->put.number, p->put.event, buf_span(&p->put.der),
		req->uid, &err) != 0) {
		request_fail(req, &err);
	} else {
		request_start(req, &msg, false);
		request_end(req, &msg);
	}
	crl_put_free(p);
}

void
op_crl_put(struct request *req, struct wire_in *in)
{
	struct crl_put *p = mem_alloc(sizeof(*p));
	struct err err;

	p->item.run = crl_put_run;
	p->req = req;
	if (admin_crl_put_get(in, &p->put, &err) != 0 ||
	    crl_pick_root(req->smkid, p->put.ca, &p->ca, &err) != 0 ||
	    pool_put(req->smkid->keeper, &p->item, &err) != 0) {
		crl_put_free(p);
		request_fail(req, &err);
	}
}
