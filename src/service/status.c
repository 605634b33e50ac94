/*
 * Changing the state of a certificate: one event, in one transaction. Nothing is
 * signed here, and no list is waited for.
 */
#include <stdlib.h>
#include <string.h>

#include "record.h"
#include "smki/fault.h"
#include "smki/mem.h"
#include "smki/status.h"

static int
status_one_of(struct store *store, const struct status_request *request, const char *serial,
    struct store_cert *out, struct err *err)
{
	struct store_cert *rows = mem_array(STORE_CAS_MAX, sizeof(*rows));
	char first[NAME_LEN], second[NAME_LEN];
	size_t n;
	int r = -1;

	if (store_certs_by_serial(store, &request->serial, rows, STORE_CAS_MAX, &n, err) != 0)
		goto out;
	if (n == 0) {
		err_set(err, FAIL_NOT_FOUND, "certificate %s: no CA here issued it", serial);
		goto out;
	}
	if (n > 1) {
		memcpy(first, rows[0].ca_name, sizeof(first));
		memcpy(second, rows[1].ca_name, sizeof(second));
		err_set(err, FAIL_INVALID,
		    "certificate %s: CAs %s and %s issued this serial; say which with --ca", serial,
		    first, second);
		goto out;
	}
	*out = rows[0];
	r = 0;
out:
	free(rows);
	return r;
}

static int
status_find(
    struct store *store, const struct status_task *task, struct store_cert *out, struct err *err)
{
	const struct status_request *request = &task->request;
	char serial[SERIAL_TEXT_LEN];
	const struct ca *ca;

	serial_text(&request->serial, serial);
	if (request->ca[0] == '\0')
		return status_one_of(store, request, serial, out, err);
	if (caset_pick(task->cas, request->ca, &ca, err) != 0)
		return -1;
	if (store_cert_find(store, ca->id, &request->serial, out, err) != 0) {
		if (err->code == FAIL_NOT_FOUND)
			return err_set(err, FAIL_NOT_FOUND,
			    "certificate %s: ca %s did not issue it", serial, ca->name);
		return -1;
	}
	return 0;
}

/* What a root issued is changed in the ceremony, what others issued is not. */
static int
status_check_issuer(const struct status_task *task, const struct store_cert *cert, struct err *err)
{
	const struct ca *ca = caset_by_id(task->cas, cert->ca);
	char serial[SERIAL_TEXT_LEN];

	serial_text(&cert->serial, serial);
	if (ca == NULL)
		return err_set(
		    err, FAIL_UNAVAILABLE, "certificate %s: its CA is new; restart smkid", serial);
	if (ca->root && !task->request.ceremony)
		return err_set(err, FAIL_DENIED,
		    "certificate %s: a root issued it; use: smki ca revoke %s", serial, serial);
	if (!ca->root && task->request.ceremony)
		return err_set(err, FAIL_DENIED,
		    "certificate %s: no root issued it; use: smki revoke %s", serial, serial);
	if (ca->root && serial_eq(&cert->serial, &ca->cert.serial))
		return err_set(err, FAIL_DENIED,
		    "certificate %s: is the root's own; a root cannot revoke itself", serial);
	return 0;
}

/* What is known of the certificate may be older than the transaction, but only its state moves. */
static int
status_apply(struct commit_job *job, struct store *store, struct err *err)
{
	struct status_task *task = (struct status_task *)job;
	const struct status_request *request = &task->request;
	struct status_result *result = &task->result;
	struct store_actor actor;
	struct store_change change = { 0 };
	struct state_now is;

	result->already = false;
	if (store_cert_now(store, &result->cert, err) != 0 ||
	    record_actor(store, request->uid, request->detail, &actor, err) != 0)
		return -1;
	is = (struct state_now){ result->cert.state, result->cert.reason,
		result->cert.invalid_since };
	if (lifecycle_next(&is, &request->change, actor.now, &change.to, &result->already, err) !=
	    0)
		return -1;
	if (result->already)
		return 0;
	if (change.to == CERT_REVOKED) {
		change.reason = request->change.reason;
		change.invalid_since = request->change.invalid_since;
	}
	if (store_cert_change(store, &actor, result->cert.id, &change, err) != 0 ||
	    store_cert_now(store, &result->cert, err) != 0)
		return -1;
	fault_point("status.applied");
	return 0;
}

static void
status_committed(struct commit_job *job, const struct err *err)
{
	struct status_task *task = (struct status_task *)job;

	if (err == NULL && !task->result.already) {
		timeguard_note(task->guard, task->result.cert.changed);
		/* Before the reply: from then on no cache may say otherwise. */
		if (task->page != NULL)
			statuspage_bump(task->page, (uint64_t)task->result.cert.event);
		fault_point("status.committed");
	}
	task->done(task, err == NULL ? &task->result : NULL, err);
}

void
status_run(struct committer *committer, struct store *reader, struct status_task *task)
{
	struct store_cert *cert = &task->result.cert;
	struct err err;

	task->job.lane = COMMIT_STATE;
	task->job.apply = status_apply;
	task->job.done = status_committed;
	if (status_find(reader, task, cert, &err) != 0 ||
	    status_check_issuer(task, cert, &err) != 0 ||
	    committer_put(committer, &task->job, &err) != 0)
		task->done(task, NULL, &err);
}
