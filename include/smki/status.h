/*
 * hold, reactivate, revoke: the state first, in one transaction with its event; after COMMIT it
 * is true and status answers say so. The CRL follows; a dead token never blocks a revocation.
 */
#ifndef SMKI_STATUS_H
#define SMKI_STATUS_H

#include "smki/caset.h"
#include "smki/committer.h"
#include "smki/lifecycle.h"
#include "smki/statuspage.h"
#include "smki/timeguard.h"

struct status_request {
	char ca
	    [NAME_LEN]; /* "" = whichever; several have the serial: FAIL_INVALID asking for --ca */
	struct serial serial;
	struct change change;
	long uid;
	char detail[DETAIL_LEN];
	bool ceremony; /* certificates issued by a root: only then, else FAIL_DENIED */
};

struct status_result {
	bool already;		/* nothing had to be done */
	struct store_cert cert; /* as it is now */
};

/*
 * As struct issue_task: done() once, from the committer's thread (or the caller's when the change is
 * refused before it has its turn there), which frees the task.
 */
struct status_task {
	struct commit_job job; /* first: status.c's */
	struct status_request request;
	struct status_result result;
	const struct caset *cas;
	struct timeguard *guard;
	struct statuspage *page; /* told of the change after COMMIT; NULL = nobody to tell */
	void (*done)(
	    struct status_task *task, const struct status_result *result, const struct err *err);
	void *arg;
};
/* The certificate is looked for with reader, in the caller's thread: the one writer does not wait
 * for that. Serial unknown: FAIL_NOT_FOUND. Illegal: FAIL_CONFLICT (lifecycle.h). */
void status_run(struct committer *committer, struct store *reader, struct status_task *task);

#endif
