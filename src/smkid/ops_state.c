/*
 * State changes and the acceptance of the clock: in the order in which they were asked for to the
 * committer, and there ahead of all else.
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "house.h"
#include "pool.h"
#include "smki/clock.h"
#include "smki/mem.h"

static void
change_end(struct status_task *task, const struct status_result *result, const struct err *err)
{
	struct request *req = task->arg;
	char serial[SERIAL_TEXT_LEN];
	struct buf msg = { 0 };

	serial_text(&task->request.serial, serial);
	snprintf(req->note, sizeof(req->note), "action=%s serial=%s%s",
	    action_str(task->request.change.action), serial,
	    result != NULL && result->already ? " already=1" : "");
	if (err != NULL) {
		request_fail(req, err);
	} else {
		request_start(req, &msg, false);
		admin_changed_put(&msg, result);
		request_end(req, &msg);
	}
	free(task);
}

struct change_ask {
	struct pool_item item; /* first */
	struct status_task *task;
};

static void
change_ask_run(struct pool_item *item, struct store *reader)
{
	struct change_ask *ask = (struct change_ask *)item;
	struct status_task *task = ask->task;
	struct request *req = task->arg;

	free(ask);
	status_run(req->smkid->committer, reader, task);
}

static void
change_run(struct request *req, struct wire_in *in, bool ceremony)
{
	struct status_task *task = mem_alloc(sizeof(*task));
	struct change_ask *ask;
	struct err err;

	if (admin_change_get(in, &task->request, &err) != 0) {
		free(task);
		request_fail(req, &err);
		return;
	}
	task->request.uid = req->uid;
	task->request.ceremony = ceremony;
	task->cas = req->smkid->cas;
	task->guard = req->smkid->guard;
	task->page = req->smkid->page;
	task->done = change_end;
	task->arg = req;
	ask = mem_alloc(sizeof(*ask));
	ask->item.run = change_ask_run;
	ask->task = task;
	if (pool_put(req->smkid->changes, &ask->item, &err) != 0) {
		free(ask);
		task->done(task, NULL, &err);
	}
}

void
op_change(struct request *req, struct wire_in *in)
{
	change_run(req, in, false);
}

void
op_ca_change(struct request *req, struct wire_in *in)
{
	change_run(req, in, true);
}

struct clock_job {
	struct commit_job job; /* first */
	struct pool_item item;
	struct request *req;
	time_t accepted;
};

static int
clock_apply(struct commit_job *job, struct store *store, struct err *err)
{
	struct clock_job *clock = (struct clock_job *)job;
	struct store_actor actor = { .uid = clock->req->uid, .now = clock_now() };

	/* The one event that may step back in time: the clock itself, not max(now, newest). */
	clock->accepted = actor.now;
	return store_event_add(store, &actor, "clock-accept", 0, err);
}

static void
clock_done(struct commit_job *job, const struct err *err)
{
	struct clock_job *clock = (struct clock_job *)job;
	struct request *req = clock->req;
	struct buf msg = { 0 };

	if (err != NULL) {
		request_fail(req, err);
	} else {
		timeguard_accept(req->smkid->guard);
		house_hurry(req->smkid->house);
		snprintf(req->note, sizeof(req->note), "accepted=%lld", (long long)clock->accepted);
		request_start(req, &msg, false);
		wire_put_i64(&msg, clock->accepted);
		request_end(req, &msg);
	}
	free(clock);
}

static void
clock_run(struct pool_item *item, struct store *reader)
{
	struct clock_job *clock = (struct clock_job *)((char *)item -
						       offsetof(struct clock_job, item));
	struct err err;

	(void)reader;
	if (committer_put(clock->req->smkid->committer, &clock->job, &err) != 0)
		clock_done(&clock->job, &err);
}

void
op_clock(struct request *req, struct wire_in *in)
{
	struct clock_job *clock = mem_alloc(sizeof(*clock));
	struct err err;

	clock->job = (struct commit_job){
		.lane = COMMIT_STATE, .apply = clock_apply, .done = clock_done
	};
	clock->item.run = clock_run;
	clock->req = req;
	if (wire_end(in, "clock", &err) != 0 ||
	    pool_put(req->smkid->changes, &clock->item, &err) != 0) {
		free(clock);
		request_fail(req, &err);
	}
}
