/*
 * The register, one device at a time: add, change, new secret, show, list. Files of the home are
 * read in the query threads; changes are the committer's.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "smki/hex.h"
#include "smki/mem.h"
#include "smki/register.h"
#include "stream.h"

/* Devices in one message of a list: at most some 420 octets each. */
#define DEVICE_LIST_CHUNK 200

/* key=value for the log line of a request. */
static void
device_note(struct request *req, const struct eui64 *eui, const char *more)
{
	char text[2 * EUI64_LEN + 1];

	hex_encode(eui->octets, EUI64_LEN, text);
	snprintf(req->note, sizeof(req->note), "device=%s%s", text, more);
}

/* ---- add, new secret ---- */

struct device_make {
	struct pool_item item; /* first */
	struct request *req;
	union {
		struct register_task task; /* of either */
		struct register_add_task add;
		struct register_secret_task secret;
	} u;
};

static void
device_make_free(struct device_make *make)
{
	OPENSSL_cleanse(make, sizeof(*make));
	free(make);
}

static void
device_made(struct device_make *make, const struct register_added *added, const struct err *err)
{
	struct request *req = make->req;
	struct buf msg = { 0 };

	if (err != NULL) {
		request_fail(req, err);
	} else {
		request_start(req, &msg, false);
		register_added_put(&msg, added);
		request_end(req, &msg);
	}
	device_make_free(make);
}

static void
device_add_done(struct register_task *task, const struct err *err)
{
	struct device_make *make = task->arg;

	device_made(make, &make->u.add.added, err);
}

static void
device_add_run(struct pool_item *item, struct store *reader)
{
	struct device_make *make = (struct device_make *)item;
	struct smkid *smkid = make->req->smkid;
	struct register_names *names = mem_alloc(sizeof(*names));
	uint8_t pepper[PEPPER_LEN];
	struct err err;

	if (register_names_load(&smkid->home, names, &err) != 0 ||
	    pepper_load(&smkid->home, pepper, &err) != 0)
		device_made(make, NULL, &err);
	else
		register_add_run(
		    smkid->committer, names, (struct span){ pepper, sizeof(pepper) }, &make->u.add);
	OPENSSL_cleanse(pepper, sizeof(pepper));
	free(names);
}

static void
device_secret_done(struct register_task *task, const struct err *err)
{
	struct device_make *make = task->arg;

	device_made(make, &make->u.secret.added, err);
}

static void
device_secret_run(struct pool_item *item, struct store *reader)
{
	struct device_make *make = (struct device_make *)item;
	struct smkid *smkid = make->req->smkid;
	uint8_t pepper[PEPPER_LEN];
	struct err err;

	if (pepper_load(&smkid->home, pepper, &err) != 0)
		device_made(make, NULL, &err);
	else
		register_secret_run(
		    smkid->committer, (struct span){ pepper, sizeof(pepper) }, &make->u.secret);
	OPENSSL_cleanse(pepper, sizeof(pepper));
}

static struct device_make *
device_make_new(struct request *req, void (*run)(struct pool_item *item, struct store *reader),
    void (*done)(struct register_task *task, const struct err *err))
{
	struct device_make *make = mem_alloc(sizeof(*make));

	make->item.run = run;
	make->req = req;
	make->u.task.guard = req->smkid->guard;
	make->u.task.uid = req->uid;
	make->u.task.done = done;
	make->u.task.arg = make;
	return make;
}

void
op_device_add(struct request *req, struct wire_in *in)
{
	struct device_make *make = device_make_new(req, device_add_run, device_add_done);
	struct err err;

	if (register_add_get(in, &make->u.add.add, &err) != 0)
		goto out;
	device_note(req, &make->u.add.add.device.eui, "");
	if (pool_put(req->smkid->queries, &make->item, &err) != 0)
		goto out;
	return;
out:
	device_made(make, NULL, &err);
}

void
op_device_secret(struct request *req, struct wire_in *in)
{
	struct device_make *make = device_make_new(req, device_secret_run, device_secret_done);
	struct err err;

	if (register_eui_get(in, &make->u.secret.eui, &err) != 0)
		goto out;
	device_note(req, &make->u.secret.eui, "");
	if (pool_put(req->smkid->queries, &make->item, &err) != 0)
		goto out;
	return;
out:
	device_made(make, NULL, &err);
}

/* ---- change ---- */

static void
device_changed(struct register_task *task, const struct err *err)
{
	struct register_change_task *t = (struct register_change_task *)task;
	struct request *req = task->arg;
	struct buf msg = { 0 };
	char more[48];

	snprintf(more, sizeof(more), " action=%s%s", device_action_str(t->change.action),
	    err == NULL && t->changed.already ? " already=1" : "");
	device_note(req, &t->change.eui, more);
	if (err != NULL) {
		request_fail(req, err);
	} else {
		request_start(req, &msg, false);
		register_changed_put(&msg, &t->changed);
		request_end(req, &msg);
	}
	free(t);
}

void
op_device_change(struct request *req, struct wire_in *in)
{
	struct register_change_task *t = mem_alloc(sizeof(*t));
	struct err err;

	if (register_change_get(in, &t->change, &err) != 0) {
		free(t);
		request_fail(req, &err);
		return;
	}
	t->task.guard = req->smkid->guard;
	t->task.uid = req->uid;
	t->task.done = device_changed;
	t->task.arg = req;
	register_change_run(req->smkid->committer, t);
}

/* ---- show, names ---- */

struct device_show {
	struct stream stream; /* first */
	struct eui64 eui;
	struct register_found found; /* large: not on a stack */
};

static void
device_stream_free(struct stream *stream)
{
	free(stream);
}

static int
device_show_step(
    struct stream *stream, struct store *reader, struct buf *msg, bool *last, struct err *err)
{
	struct device_show *show = (struct device_show *)stream;

	if (register_find(reader, &show->eui, &show->found, err) != 0)
		return -1;
	register_found_put(msg, &show->found);
	*last = true;
	return 0;
}

void
op_device_show(struct request *req, struct wire_in *in)
{
	struct device_show *show = mem_alloc(sizeof(*show));
	struct err err;

	show->stream = (struct stream){
		.req = req, .step = device_show_step, .free = device_stream_free
	};
	if (register_eui_get(in, &show->eui, &err) != 0) {
		free(show);
		request_fail(req, &err);
		return;
	}
	device_note(req, &show->eui, "");
	stream_start(&show->stream);
}

static int
device_names_step(
    struct stream *stream, struct store *reader, struct buf *msg, bool *last, struct err *err)
{
	struct register_names *names = mem_alloc(sizeof(*names));
	int r = register_names_load(&stream->req->smkid->home, names, err);

	if (r == 0)
		register_names_put(msg, names);
	*last = true;
	free(names);
	return r;
}

void
op_device_names(struct request *req, struct wire_in *in)
{
	struct stream *stream;
	struct err err;

	if (wire_end(in, "names of the policies", &err) != 0) {
		request_fail(req, &err);
		return;
	}
	stream = mem_alloc(sizeof(*stream));
	*stream = (struct stream){
		.req = req, .step = device_names_step, .free = device_stream_free
	};
	stream_start(stream);
}

/* ---- list ---- */

struct device_list {
	struct stream stream; /* first */
	struct store_device_filter filter;
	int64_t left; /* -1 = no limit */
	uint32_t count;
	struct buf rows; /* of the message in the making */
};

static void
device_list_free(struct stream *stream)
{
	struct device_list *list = (struct device_list *)stream;

	buf_free(&list->rows);
	free(list);
}

static int
device_list_row(void *ctx, const struct device *device, struct err *err)
{
	struct device_list *list = ctx;

	register_device_put(&list->rows, device);
	list->count++;
	list->filter.after_id = device->id;
	return 0;
}

/* Each piece is read anew after the one before: no view is held open for a slow reader. */
static int
device_list_step(
    struct stream *stream, struct store *reader, struct buf *msg, bool *last, struct err *err)
{
	struct device_list *list = (struct device_list *)stream;

	list->count = 0;
	buf_reset(&list->rows);
	list->filter.limit = DEVICE_LIST_CHUNK;
	if (list->left >= 0 && list->left < list->filter.limit)
		list->filter.limit = list->left;
	if (store_device_each(reader, &list->filter, device_list_row, list, err) != 0)
		return -1;
	if (list->left >= 0)
		list->left -= list->count;
	*last = list->count < DEVICE_LIST_CHUNK || list->left == 0;
	wire_put_u32(msg, list->count);
	buf_add(msg, list->rows.data, list->rows.len);
	return 0;
}

void
op_device_list(struct request *req, struct wire_in *in)
{
	struct device_list *list = mem_alloc(sizeof(*list));
	struct err err;

	list->stream = (struct stream){
		.req = req, .step = device_list_step, .free = device_list_free
	};
	if (register_filter_get(in, &list->filter, &err) != 0) {
		device_list_free(&list->stream);
		request_fail(req, &err);
		return;
	}
	list->left = list->filter.limit > 0 ? list->filter.limit : -1;
	stream_start(&list->stream);
}
