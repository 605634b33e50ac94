/*
 * What the files of the daemon share: its parts, requests on their way, the pools that run them.
 */
#ifndef SMKID_H
#define SMKID_H

#include "smki/admin.h"
#include "smki/issue.h"
#include "smki/log.h"
#include "smki/manufacturers.h"

#include "pool.h"

struct access;
struct conn;
struct crlgen_ahead;
struct enrol;
struct house;
struct imports;
struct lanes;
struct refusals;
struct server;

/* Read by all threads; set up by main before any of them starts. */
struct smkid {
	struct home home;
	struct profiles profiles;
	struct caset *cas;
	struct crlgen_ahead *ahead;
	struct timeguard *guard;
	struct statuspage *page;
	struct committer *committer;
	struct lanes *lanes;
	struct issue *issue;
	struct anchors anchors;
	struct enrol *enrol;
	struct refusals *refusals;
	struct access *access;
	struct pool *workers; /* issuing */
	struct pool *queries; /* reading, streams */
	struct pool *changes; /* of states, in their order */
	struct pool *keeper;  /* one thread: CRLs, renewal, tokens that are away */
	struct house *house;
	struct imports *imports;
	struct server *server;
	char crl_dir[HOME_PATH_MAX];
	time_t started;
};

/* ---- requests (conn.c) ---- */

/* One request, from its arrival to its last reply. Belongs to whoever works on it. */
struct request {
	struct smkid *smkid;
	struct conn *conn;
	const struct op *op;
	uint16_t number; /* as asked for, also when there is no such operation */
	uint32_t id;
	long uid;
	enum role role;
	int64_t started_us;
	bool quiet;	/* it ended well, and is counted where that matters: no line in the log */
	char note[192]; /* key=value for the log; no text of a peer unchecked */
};

/* An empty reply of this request in msg; more: others follow. */
void request_start(const struct request *req, struct buf *msg, bool more);
/* A message started with more turns out to be the last. */
void request_last(struct buf *msg);
/* Send one of several replies. msg is emptied. */
void request_send(struct request *req, struct buf *msg);
/* Is this one of many of an operator's connection? Those of the front are different meters'. */
bool request_is_bulk(struct request *req);
/* Send the last reply, log, forget the request. Each request ends in exactly one of the three. */
void request_end(struct request *req, struct buf *msg);
void request_fail(struct request *req, const struct err *err);
void request_drop(struct request *req); /* its peer is gone */

/* ---- operations (ops.c and ops_*.c) ---- */

/* run() reads the payload and sees to it that the request ends; it must not wait. */
struct op {
	uint16_t number;
	enum role role; /* the least that may */
	const char *name;
	void (*run)(struct request *req, struct wire_in *in);
};
/* NULL = not an operation of this socket. */
const struct op *op_find(bool front, uint16_t number);

void op_issue(struct request *req, struct wire_in *in);
/* task->arg begins with the pool item that runs it. */
void op_issue_requeue(struct issue_task *task, void *ctx);
void op_change(struct request *req, struct wire_in *in);
void op_ca_change(struct request *req, struct wire_in *in);
void op_clock(struct request *req, struct wire_in *in);
void op_status(struct request *req, struct wire_in *in);
void op_show(struct request *req, struct wire_in *in);
void op_list(struct request *req, struct wire_in *in);
void op_ca_list(struct request *req, struct wire_in *in);
void op_crl(struct request *req, struct wire_in *in);
void op_crl_begin(struct request *req, struct wire_in *in);
void op_crl_put(struct request *req, struct wire_in *in);
void op_enrol(struct request *req, struct wire_in *in);
void op_refused(struct request *req, struct wire_in *in);
void op_token(struct request *req, struct wire_in *in);
void op_access_key(struct request *req, struct wire_in *in);
void op_access_keys(struct request *req, struct wire_in *in);
void op_device_add(struct request *req, struct wire_in *in);
void op_device_change(struct request *req, struct wire_in *in);
void op_device_show(struct request *req, struct wire_in *in);
void op_device_list(struct request *req, struct wire_in *in);
void op_device_secret(struct request *req, struct wire_in *in);
void op_device_names(struct request *req, struct wire_in *in);
void op_import_begin(struct request *req, struct wire_in *in);
void op_import_add(struct request *req, struct wire_in *in);
void op_import_finish(struct request *req, struct wire_in *in);
void op_import_drop(struct request *req, struct wire_in *in);

#endif
