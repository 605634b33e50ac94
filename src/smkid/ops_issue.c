/*
 * The issue operation: from the socket to the workers and back.
 */
#include <stdio.h>
#include <stdlib.h>

#include "smkid.h"
#include "smki/mem.h"

struct issuing {
	struct pool_item item; /* first */
	struct request *req;
	struct issue_task *task;
};

static void
issuing_end(struct issue_task *task, const struct issue_result *result, const struct err *err)
{
	struct issuing *issuing = task->arg;
	struct request *req = issuing->req;
	char serial[SERIAL_TEXT_LEN];
	struct buf msg = { 0 };

	if (result == NULL) {
		request_fail(req, err);
	} else {
		serial_text(&result->serial, serial);
		snprintf(req->note, sizeof(req->note), "serial=%s profile=%s%s", serial,
		    result->profile, result->existing ? " existing=1" : "");
		request_start(req, &msg, false);
		admin_issued_put(&msg, result);
		request_end(req, &msg);
	}
	issue_task_free(task);
	free(issuing);
}

static bool
issuing_prepare(struct pool_item *item)
{
	struct issuing *issuing = (struct issuing *)item;

	return issue_prepare(issuing->req->smkid->issue, issuing->task);
}

static bool
issuing_begin(struct pool_item *item, struct store *reader)
{
	return issue_begin(((struct issuing *)item)->task, reader);
}

static void
issuing_finish(struct pool_item *item)
{
	struct issuing *issuing = (struct issuing *)item;

	issue_finish(issuing->req->smkid->issue, issuing->task);
}

void
op_issue_requeue(struct issue_task *task, void *ctx)
{
	struct smkid *smkid = ctx;
	struct pool_item *item = task->arg;

	pool_put_again(smkid->workers, item);
}

void
op_issue(struct request *req, struct wire_in *in)
{
	struct issuing *issuing;
	struct issue_task *task = issue_task_new();
	struct err err;

	if (admin_issue_get(in, &task->request, &err) != 0) {
		issue_task_free(task);
		request_fail(req, &err);
		return;
	}
	task->request.uid = req->uid;
	issuing = mem_alloc(sizeof(*issuing));
	issuing->item.prepare = issuing_prepare;
	issuing->item.begin = issuing_begin;
	issuing->item.finish = issuing_finish;
	issuing->item.bulk = request_is_bulk(req);
	issuing->req = req;
	issuing->task = task;
	task->done = issuing_end;
	task->arg = issuing;
	issue_expect(req->smkid->issue, task);
	if (pool_put(req->smkid->workers, &issuing->item, &err) != 0) {
		issue_dismiss(req->smkid->issue, task);
		issuing_end(task, NULL, &err);
	}
}
