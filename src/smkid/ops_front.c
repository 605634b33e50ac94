/*
 * Operations of the front's socket: enrolment, and what the front refused by itself. Whoever
 * speaks there may be anybody: nothing here changes a state, and refusals of strangers are counted,
 * not logged.
 */
#include <stdio.h>
#include <stdlib.h>

#include "smki/clock.h"
#include "smki/front.h"
#include "smki/mem.h"
#include "smkid.h"

struct enrolling {
	struct pool_item item; /* first: op_issue_requeue */
	struct request *req;
	struct enrol_task *task;
};

/* For the log; a key that was replaced is an alarm of its own. */
static void
enrolling_note(struct request *req, const struct enrol_answer *answer)
{
	const struct issue_result *issued = &answer->issued;
	char device[HOLDER_TEXT_LEN], serial[SERIAL_TEXT_LEN];

	switch (answer->outcome) {
	case ENROL_ISSUED:
		holder_text(&issued->holder, device);
		serial_text(&issued->serial, serial);
		snprintf(req->note, sizeof(req->note), "device=%.16s serial=%s profile=%s%s",
		    device, serial, issued->profile, answer->key.len > 0 ? " server-key=1" : "");
		/* Asked again, a thousand times if it likes: nothing happened. */
		req->quiet = issued->existing;
		if (!issued->existing && issued->replaces != 0)
			log_warn("rekey: device=%.16s profile=%s serial=%s replaces=%lld", device,
			    issued->profile, serial, (long long)issued->replaces);
		break;
	case ENROL_PENDING:
	case ENROL_REFUSED:
		req->quiet = true;
		break;
	}
}

static void
enrolling_end(struct enrol_task *task, const struct enrol_answer *answer, const struct err *err)
{
	struct enrolling *enrolling = task->arg;
	struct request *req = enrolling->req;
	struct buf msg = { 0 };

	if (answer == NULL) {
		request_fail(req, err);
	} else {
		enrolling_note(req, answer);
		request_start(req, &msg, false);
		front_enrolled_put(&msg, answer);
		request_end(req, &msg);
	}
	enrol_task_free(task);
	free(enrolling);
}

static void
enrolling_run(struct pool_item *item, struct store *reader)
{
	struct enrolling *enrolling = (struct enrolling *)item;

	enrol_run(enrolling->req->smkid->enrol, enrolling->task, reader);
}

void
op_enrol(struct request *req, struct wire_in *in)
{
	struct enrol_task *task = enrol_task_new();
	struct enrolling *enrolling;
	struct err err;

	if (front_enrol_get(in, &task->request, &err) != 0) {
		enrol_task_free(task);
		request_fail(req, &err);
		return;
	}
	enrolling = mem_alloc(sizeof(*enrolling));
	enrolling->item.run = enrolling_run;
	enrolling->req = req;
	enrolling->task = task;
	task->done = enrolling_end;
	task->arg = enrolling;
	if (pool_put(req->smkid->workers, &enrolling->item, &err) != 0)
		enrolling_end(task, NULL, &err);
}

void
op_refused(struct request *req, struct wire_in *in)
{
	struct front_refused *refused = mem_alloc(sizeof(*refused));
	struct buf msg = { 0 };
	time_t now = clock_now();
	struct err err;

	if (front_refused_get(in, refused, &err) != 0) {
		request_fail(req, &err);
	} else {
		for (size_t i = 0; i < refused->n; i++)
			refusals_count(req->smkid->refusals, refused->row[i].who,
			    refused->row[i].reason, now, refused->row[i].n);
		req->quiet = true;
		request_start(req, &msg, false);
		request_end(req, &msg);
	}
	free(refused);
}
