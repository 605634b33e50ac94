/*
 * From a certification request to a certificate, the main path:
 *  1 csr_decode, csr_parse   strict, bounded
 *  2 csr_check_pop           proof of possession
 *  3 profile_grant           each field by clause, an allow-list
 *  4 serial, tbs, signature, verification of the signature
 *  5 committer               identity rules again, by the database alone for a device's first
 *                            certificate of a profile; rows and event, COMMIT
 *  6 the answer
 * No signed byte leaves before COMMIT. Steps 1-4 run in a worker thread, 5-6 in the committer's.
 *
 * Identity rules. Key: one key is for one holder and usage for ever, and never when blocked.
 * Retry: the same key, profile, CA and holder, earlier certificate not revoked and with over a
 * third of its life left: that same certificate is the answer (existing = true; on hold: answered
 * too, state says so); revoked: FAIL_CONFLICT. Near its end: a new one that replaces it. Device:
 * one unrevoked certificate per device and profile; another key needs replace, and is refused while
 * one of them is on hold: a hold is not left behind.
 */
#ifndef SMKI_ISSUE_H
#define SMKI_ISSUE_H

#include "smki/caset.h"
#include "smki/committer.h"
#include "smki/timeguard.h"

/* Draws of a serial for one request before giving up. */
#define ISSUE_SERIAL_TRIES 4

struct issue; /* shared by all workers */
struct issue_task;
struct issue_result;

/*
 * A gate of the caller's before each verdict: with the reader before the token is troubled, and
 * with the writer inside the transaction (recording), so that what it read still holds. fresh()
 * follows when the verdict is a new certificate: limits go there, a retry is no business of theirs.
 * After the rows are written, recorded() adds the caller's own. All may run again; 0 or -1.
 */
struct issue_gate {
	int (*check)(struct issue_task *task, struct store *store, bool recording,
	    const struct grant *grant, const uint8_t key_hash[SHA256_LEN], time_t now,
	    struct err *err);
	int (*fresh)(struct issue_task *task, struct store *store, bool recording, time_t now,
	    struct err *err);
	int (*recorded)(struct issue_task *task, struct store *store,
	    const struct store_actor *actor, const uint8_t key_hash[SHA256_LEN],
	    const struct issue_result *result, struct err *err);
};

struct issue_request {
	char profile[NAME_LEN]; /* "" = by the request's key usage */
	char ca[NAME_LEN];	/* "" = the only issuing CA */
	bool by_device;		/* the request must be this device's */
	struct eui64 device;
	bool on_hold;
	bool replace;
	long uid;
	struct buf csr; /* as it arrived; owned by the task */
	/* The callers in this process only; none of it is on the wire: */
	const struct issue_gate *gate; /* NULL = none */
	void *gate_ctx;		       /* the gate's */
	/* Make a key; csr, when there, tells the rest: its key and signature are passed over (RFC
	 * 7030 4.4.1). Without one: profile, device and hw_type. */
	bool server_key;
	char hw_type[OID_TEXT_LEN]; /* of the device, for server_key without csr */
};

struct issue_result {
	bool existing; /* nothing new was issued */
	int64_t id;
	int64_t replaces; /* 0 = none: an earlier certificate that is still unrevoked */
	struct serial serial;
	enum cert_state state;
	char profile[NAME_LEN];
	char ca[NAME_LEN];
	struct holder holder;
	struct buf der; /* the result's; freed after done() */
	time_t not_after;
	struct buf key; /* PKCS#8 DER of a key made for server_key; wiped after done() */
};

/*
 * One request on its way. The caller fills request and done, and frees the task in done() by
 * issue_task_free. done() is called exactly once, from a worker or the committer: err NULL and
 * result set, or err set.
 */
struct issue_task {
	struct issue_request request;
	void (*done)(
	    struct issue_task *task, const struct issue_result *result, const struct err *err);
	void *arg;
	struct issue_work *work; /* issue.c's */
	bool expected;		 /* issue.c's: the committer counts it among those on their way */
};
struct issue_task *issue_task_new(void);
void issue_task_free(struct issue_task *task);

/* What a request may name, for whoever wants to know before it is made: a profile that is issued on
 * request, else FAIL_NOT_FOUND or FAIL_DENIED; a CA as caset_pick() has it that is no root, else
 * FAIL_DENIED. */
int issue_pick_profile(const struct profiles *profiles, const char *name,
    const struct profile **out, struct err *err) MUST_USE;
int issue_pick_ca(
    const struct caset *cas, const char *name, const struct ca **out, struct err *err) MUST_USE;

/* All borrowed and alive until issue_free. draw: CSPRNG (tests: another). requeue hands a task
 * back to a worker (its serial was taken, or its key was in flight); it must not fail. */
struct issue_conf {
	const struct caset *cas;
	const struct profiles *profiles;
	struct committer *committer;
	struct timeguard *guard;
	long certificates_per_device; /* told before signing; 0 = the database alone counts */
	int (*draw)(uint8_t *out, size_t n);
	void (*requeue)(struct issue_task *task, void *ctx);
	void *requeue_ctx;
};
/* Refused when a profile cannot be used with its CAs (key id form, URLs missing). */
int issue_new(const struct issue_conf *conf, struct issue **out, struct err *err) MUST_USE;
void issue_free(struct issue *issue);

/* The task is going to be queued for a worker: the committer may wait for it. Without a call it does
 * so from issue_prepare on. issue_dismiss: it was not queued; done() is not called. */
void issue_expect(struct issue *issue, struct issue_task *task);
void issue_dismiss(struct issue *issue, struct issue_task *task);

/* Steps 1-4 in the calling worker thread, with the worker's own read-only store; then hand over. */
void issue_run(struct issue *issue, struct issue_task *task, struct store *reader);
/*
 * The same in three parts, called by the same thread one after the other. issue_prepare: what needs
 * neither database nor token. issue_begin: looks into the database, in a view of its own or in one
 * that was begun after issue_prepare, and the token begins to sign. issue_finish waits for it. In
 * between the thread may do the same with others but waits for nothing else. false: the task went
 * its way and is not the caller's any more.
 */
bool issue_prepare(struct issue *issue, struct issue_task *task);
bool issue_begin(struct issue_task *task, struct store *reader);
void issue_finish(struct issue *issue, struct issue_task *task);

#endif
