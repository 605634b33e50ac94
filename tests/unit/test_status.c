/*
 * State changes through the committer: every state and action, who may change what, and that the
 * event and the row go together.
 */
#include "service_rig.h"
#include "smki/status.h"

struct outcome {
	int called;
	bool ok;
	struct err err;
	struct status_result result;
};

static void
status_done(struct status_task *task, const struct status_result *result, const struct err *err)
{
	struct outcome *o = task->arg;

	require((result == NULL) != (err == NULL));
	o->called++;
	o->ok = err == NULL;
	if (err != NULL)
		o->err = *err;
	else
		o->result = *result;
	free(task);
}

/* Behind a state change in the queue: when it has run, the change has. */
static int
after_apply(struct commit_job *job, struct store *store, struct err *err)
{
	return 0;
}

static struct outcome
change(struct rig *r, const struct status_request *request)
{
	struct commit_job after = { .lane = COMMIT_STATE, .apply = after_apply };
	struct status_task *task = mem_alloc(sizeof(*task));
	struct outcome o = { 0 };

	task->request = *request;
	task->cas = r->cas;
	task->guard = r->guard;
	task->done = status_done;
	task->arg = &o;
	status_run(r->committer, r->reader, task);
	RIG(committer_run(r->committer, &after, &rig_err));
	CHECK(o.called == 1);
	return o;
}

static struct status_request
request_of(const struct serial *serial, enum cert_action action, enum crl_reason reason)
{
	return (struct status_request){ .serial = *serial,
		.change = { .action = action, .reason = reason },
		.uid = 1000,
		.detail = "because" };
}

static int
refused(const struct outcome *o, enum err_code code, const char *text)
{
	if (!o->ok && o->err.code == code && strstr(o->err.msg, text) != NULL)
		return 1;
	fprintf(stderr, "  got %s, want %s\n", o->ok ? "done" : o->err.msg, text);
	return 0;
}

/* Each state by each action, on a certificate of its own. */
static void
test_status_pairs(void)
{
	static const struct {
		const char *name;
		enum cert_state from;
		enum cert_action action;
		enum crl_reason reason;
		int want; /* 1 done, 2 already, 0 conflict */
		enum cert_state to;
	} rows[] = {
		{ "valid hold", CERT_VALID, ACTION_HOLD, 0, 1, CERT_HOLD },
		{ "valid reactivate", CERT_VALID, ACTION_REACTIVATE, 0, 2, CERT_VALID },
		{ "valid revoke", CERT_VALID, ACTION_REVOKE, 4, 1, CERT_REVOKED },
		{ "hold hold", CERT_HOLD, ACTION_HOLD, 0, 2, CERT_HOLD },
		{ "hold reactivate", CERT_HOLD, ACTION_REACTIVATE, 0, 1, CERT_VALID },
		{ "hold revoke", CERT_HOLD, ACTION_REVOKE, 1, 1, CERT_REVOKED },
		{ "revoked hold", CERT_REVOKED, ACTION_HOLD, 0, 0, CERT_REVOKED },
		{ "revoked reactivate", CERT_REVOKED, ACTION_REACTIVATE, 0, 0, CERT_REVOKED },
		{ "revoked revoke", CERT_REVOKED, ACTION_REVOKE, 0, 2, CERT_REVOKED },
		{ "revoked revoke otherwise", CERT_REVOKED, ACTION_REVOKE, 5, 0, CERT_REVOKED },
	};
	struct rig *r = rig_new();

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct store_new_cert row = rig_row(r, (uint8_t)(i + 1));
		struct status_request ask = request_of(&row.serial, ACTION_REVOKE, 3);
		struct store_cert is;
		struct outcome o;
		int64_t id, event;

		row.on_hold = rows[i].from == CERT_HOLD;
		id = rig_add(r, &row, 1);
		if (rows[i].from == CERT_REVOKED)
			CHECK_ROW(rows[i].name, change(r, &ask).ok);
		event = rig_event(r);
		ask = request_of(&row.serial, rows[i].action, rows[i].reason);
		o = change(r, &ask);
		CHECK_ROW(rows[i].name, o.ok == (rows[i].want != 0));
		if (o.ok) {
			CHECK_ROW(rows[i].name, o.result.already == (rows[i].want == 2));
			CHECK_ROW(rows[i].name, o.result.cert.id == id);
			CHECK_ROW(rows[i].name, o.result.cert.state == rows[i].to);
		} else {
			CHECK_ROW(rows[i].name, o.err.code == FAIL_CONFLICT);
		}
		RIG(store_cert_get(r->reader, id, &is, &rig_err));
		CHECK_ROW(rows[i].name, is.state == rows[i].to);
		/* An event for what was done (a second one blocks a compromised key), else none. */
		CHECK_ROW(rows[i].name,
		    rig_event(r) - event == (rows[i].want != 1				  ? 0
						: rows[i].reason == REASON_KEY_COMPROMISE ? 2
											  : 1));
		if (rows[i].want == 1 && rows[i].action == ACTION_REVOKE)
			CHECK_ROW(rows[i].name, is.reason == rows[i].reason);
	}
	rig_free(r);
}

static int
event_last(void *ctx, const struct store_event *event, struct err *err)
{
	*(struct store_event *)ctx = *event;
	return 0;
}

/* Who, when and why are in the event; dates are checked against the clock. */
static void
test_status_event(void)
{
	struct rig *r = rig_new();
	struct store_new_cert row = rig_row(r, 1);
	struct status_request ask = request_of(&row.serial, ACTION_REVOKE, REASON_SUPERSEDED);
	struct store_event event = { 0 };
	struct outcome o;
	int64_t id = rig_add(r, &row, 1);

	ask.change.invalid_since = r->now + 3600;
	o = change(r, &ask);
	CHECK(refused(&o, FAIL_INVALID, ""));
	ask.change.invalid_since = r->now - 3600;
	ask.change.reason = REASON_REMOVE_FROM_CRL;
	o = change(r, &ask);
	CHECK(refused(&o, FAIL_INVALID, ""));
	ask.change.reason = REASON_SUPERSEDED;
	o = change(r, &ask);
	CHECK(o.ok && o.result.cert.invalid_since == r->now - 3600);
	RIG(store_event_each(r->reader, id, event_last, &event, &rig_err));
	CHECK_STR(event.action, "revoke");
	CHECK_STR(event.detail, "because");
	CHECK(event.actor == 1000 && event.from_state == CERT_VALID &&
	      event.to_state == CERT_REVOKED && event.reason == REASON_SUPERSEDED);
	CHECK(event.time == o.result.cert.changed && event.time >= r->now);
	rig_free(r);
}

/* A clock behind the newest event does not keep a revocation from being recorded. */
static void
test_status_clock(void)
{
	struct rig *r = rig_new();
	struct store_new_cert row = rig_row(r, 1);
	struct status_request ask = request_of(&row.serial, ACTION_HOLD, 0);
	struct store_actor future = { .now = r->now + 3600 };
	struct outcome o;
	struct err err;
	time_t now;
	bool fatal;

	/* Before the committer works: as a clock that ran ahead would have left it. */
	committer_stop(r->committer);
	RIG(store_begin(r->store, &rig_err));
	RIG(store_event_add(r->store, &future, "init", 0, &rig_err));
	RIG(store_commit(r->store, &fatal, &rig_err));
	timeguard_note(r->guard, future.now);
	RIG(committer_start(r->store, NULL, rig_fatal, &r->committer, &rig_err));

	rig_add(r, &row, 1);
	CHECK(timeguard_now(r->guard, &now, &err) != 0);
	o = change(r, &ask);
	CHECK(o.ok && o.result.cert.state == CERT_HOLD);
	CHECK(o.result.cert.changed == future.now);
	rig_free(r);
}

/* Unknown, several, a root's. */
static void
test_status_who(void)
{
	struct rig *r = rig_new();
	struct store_new_cert row = rig_row(r, 1), twin = rig_row(r, 2);
	struct status_request ask = request_of(&row.serial, ACTION_HOLD, 0);
	struct outcome o;

	o = change(r, &ask);
	CHECK(refused(&o, FAIL_NOT_FOUND, "no CA here issued it"));
	snprintf(ask.ca, sizeof(ask.ca), "issuing");
	o = change(r, &ask);
	CHECK(refused(&o, FAIL_NOT_FOUND, "ca issuing did not issue it"));
	snprintf(ask.ca, sizeof(ask.ca), "nobody");
	o = change(r, &ask);
	CHECK(refused(&o, FAIL_NOT_FOUND, "ca nobody"));

	rig_add(r, &row, 1);
	twin.ca = r->root->id;
	twin.serial = row.serial;
	rig_add(r, &twin, 1);
	ask.ca[0] = '\0';
	o = change(r, &ask);
	CHECK(refused(&o, FAIL_INVALID, "--ca"));
	snprintf(ask.ca, sizeof(ask.ca), "issuing");
	ask.ceremony = true;
	o = change(r, &ask);
	CHECK(refused(&o, FAIL_DENIED, "no root issued it"));
	ask.ceremony = false;
	o = change(r, &ask);
	CHECK(o.ok && o.result.cert.ca == r->ca->id);
	snprintf(ask.ca, sizeof(ask.ca), "root");
	o = change(r, &ask);
	CHECK(refused(&o, FAIL_DENIED, "smki ca revoke"));
	ask.ceremony = true;
	o = change(r, &ask);
	CHECK(o.ok && o.result.cert.ca == r->root->id);
	ask.serial = r->root->cert.serial;
	o = change(r, &ask);
	CHECK(refused(&o, FAIL_DENIED, "root's own"));
	rig_free(r);
}

struct gate {
	struct commit_job job; /* first */
	pthread_mutex_t lock;
	pthread_cond_t moved;
	bool at, open;
};

static int
gate_apply(struct commit_job *job, struct store *store, struct err *err)
{
	struct gate *gate = (struct gate *)job;

	pthread_mutex_lock(&gate->lock);
	gate->at = true;
	pthread_cond_broadcast(&gate->moved);
	while (!gate->open)
		pthread_cond_wait(&gate->moved, &gate->lock);
	pthread_mutex_unlock(&gate->lock);
	return 0;
}

static void
gate_done(struct commit_job *job, const struct err *err)
{
	(void)job;
	require(err == NULL);
}

/* What was read of a certificate before its turn came is not what a change begins at. */
static void
test_status_meanwhile(void)
{
	static const enum cert_action actions[] = { ACTION_HOLD, ACTION_HOLD, ACTION_REVOKE,
		ACTION_HOLD, ACTION_REVOKE };
	struct gate gate = {
		.job = { .lane = COMMIT_STATE, .apply = gate_apply, .done = gate_done },
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.moved = PTHREAD_COND_INITIALIZER
	};
	struct commit_job after = { .lane = COMMIT_STATE, .apply = after_apply };
	struct rig *r = rig_new();
	struct store_new_cert row = rig_row(r, 1);
	struct outcome o[ARRAY_LEN(actions)] = { 0 };
	int64_t id = rig_add(r, &row, 1), event = rig_event(r);

	RIG(committer_put(r->committer, &gate.job, &rig_err));
	pthread_mutex_lock(&gate.lock);
	while (!gate.at)
		pthread_cond_wait(&gate.moved, &gate.lock);
	pthread_mutex_unlock(&gate.lock);
	for (size_t i = 0; i < ARRAY_LEN(actions); i++) {
		struct status_task *task = mem_alloc(sizeof(*task));

		task->request = request_of(&row.serial, actions[i], REASON_SUPERSEDED);
		task->cas = r->cas;
		task->guard = r->guard;
		task->done = status_done;
		task->arg = &o[i];
		status_run(r->committer, r->reader, task);
		CHECK(o[i].called == 0);
	}
	pthread_mutex_lock(&gate.lock);
	gate.open = true;
	pthread_cond_broadcast(&gate.moved);
	pthread_mutex_unlock(&gate.lock);
	RIG(committer_run(r->committer, &after, &rig_err));
	CHECK(o[0].ok && !o[0].result.already && o[0].result.cert.state == CERT_HOLD);
	CHECK(o[0].result.cert.reason == REASON_CERTIFICATE_HOLD);
	CHECK(o[0].result.cert.event == event + 1);
	CHECK(o[1].ok && o[1].result.already && o[1].result.cert.event == event + 1);
	CHECK(o[2].ok && !o[2].result.already && o[2].result.cert.state == CERT_REVOKED);
	CHECK(o[2].result.cert.event == event + 2 && o[2].result.cert.id == id);
	CHECK(refused(&o[3], FAIL_CONFLICT, ""));
	CHECK(o[4].ok && o[4].result.already && o[4].result.cert.event == event + 2);
	CHECK(rig_event(r) == event + 2);
	rig_free(r);
}

static const struct test_case cases[] = {
	{ "every state and action", test_status_pairs },
	{ "a change meanwhile", test_status_meanwhile },
	{ "the event", test_status_event },
	{ "clock in doubt", test_status_clock },
	{ "whose certificate", test_status_who },
};
TEST_MAIN("status", cases)
