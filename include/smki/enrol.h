/*
 * Enrolment: a meter asks for its certificate by itself. The front brings what it saw; here it is
 * decided. The front may be taken over: whatever can be checked here is checked here again, and
 * for a device registered end-to-end nothing else counts.
 *
 * Order of the checks (docs/enrolment.md): the request's form and proof of possession, the
 * profile, the register (known, active), the proofs offered, the device named in the request,
 * quotas, approval, the identity rules of issue.h. The register, the proofs' state, quotas and
 * approval are checked again inside the transaction that records the certificate.
 *
 * Proofs, any one of those the device is registered with suffices:
 *  IDevID      chain verifies under the anchor of the device's manufacturer and names the device
 *              (and its hwType, where the certificate holds one). End-to-end only together with a
 *              bootstrap statement signed by that certificate's key.
 *  secret      HMAC-SHA-256(pepper, EUI-64 || secret) is the registered one, and it is not bound
 *              to another key yet (bound: FAIL_CONFLICT, REFUSAL_SECRET_USED). End-to-end.
 *  key         the request's own key is the registered one: its proof of possession proves it.
 *              End-to-end.
 *  certificate a certificate of ours for this device, found byte for byte, not revoked, not on
 *              hold, not ended, of use USE_SIGNATURE: proves re-enrolment, and the first enrolment
 *              for a further profile. One that was followed by another proves no more than a retry
 *              of what is there. End-to-end only with a statement signed by its key.
 * A proof that is offered and wrong refuses, also when another offered one would do.
 */
#ifndef SMKI_ENROL_H
#define SMKI_ENROL_H

#include "smki/anchor.h"
#include "smki/issue.h"
#include "smki/refusal.h"
#include "smki/statement.h"

/* Enrolment secrets as people and devices see them: 26 characters of base32 (RFC 4648, without
 * padding, any case, dashes passed over) for 128 random bits, at most this many octets of text. */
#define ENROL_SECRET_MAX 64
#define ENROL_SECRET_OCTETS 16
#define ENROL_ADDRESS_LEN 64 /* numeric address, with NUL */
#define ENROL_SIG_MAX 144    /* ECDSA-Sig-Value of P-384 */
#define ENROL_KEY_MAX 512    /* PKCS#8 of P-384 */

/* Numbers are on the wire. */
enum enrol_kind {
	ENROL_FIRST = 1,      /* /simpleenroll, /bootstrap */
	ENROL_RENEW = 2,      /* /simplereenroll, /bootstrap with our certificate: may replace */
	ENROL_SERVER_KEY = 3, /* /serverkeygen: the service makes the key */
};

struct enrol_request {
	enum enrol_kind kind;
	char profile[NAME_LEN]; /* EST label; "" = by the request's key usage */
	struct buf csr; /* as it arrived; empty only for ENROL_SERVER_KEY with a statement */
	size_t n_chain;
	struct buf chain[ANCHOR_CHAIN_MAX]; /* the TLS peer's, or the statement's: leaf first */
	bool has_secret;
	struct eui64 secret_eui; /* HTTP Basic user */
	char secret[ENROL_SECRET_MAX + 1];
	bool has_statement;
	struct statement statement;
	struct buf signature;		 /* over the statement; by the chain's first key, or
					  * without a chain by the request's */
	char address[ENROL_ADDRESS_LEN]; /* for counting; "" = unknown */
};
void enrol_request_free(struct enrol_request *request); /* wipes the secret */

enum enrol_outcome {
	ENROL_ISSUED = 1,  /* or found: a certificate is there */
	ENROL_PENDING = 2, /* proven; an operator has to approve */
	ENROL_REFUSED = 3,
};

struct enrol_answer {
	enum enrol_outcome outcome;
	enum refusal reason; /* REFUSED */
	struct err err;	     /* REFUSED; the line is fit for strangers */
	/* ISSUED: */
	struct issue_result issued;
	struct buf key;	       /* PKCS#8 DER of a key made here; wiped by free */
	char region[NAME_LEN]; /* the register's, "" = none */
	time_t not_after;
};
void enrol_answer_free(struct enrol_answer *answer);

struct enrol; /* shared by all workers */

struct enrol_conf {
	const struct home *home;
	const struct profiles *profiles;
	struct issue *issue;
	struct timeguard *guard;
	struct anchors *anchors; /* manufacturers.h */
	/* PEPPER_LEN octets, for HMAC; copied, wiped by enrol_free. */
	struct span pepper;
	struct refusals *refusals; /* counts */
};
int enrol_new(const struct enrol_conf *conf, struct enrol **out, struct err *err) MUST_USE;
void enrol_free(struct enrol *enrol);
/* Exchange the contents of conf's anchors and these, while requests are on their way. Any thread. */
void enrol_anchors_swap(struct enrol *enrol, struct anchors *anchors);

/* One request on its way, as issue_task: the caller fills request, done and arg and frees it in
 * done(). done() is called once, from a worker or the committer; answer is lent to it. err instead
 * of an answer when the service could not judge (FAIL_UNAVAILABLE, FAIL_INTERNAL, FAIL_LIMIT, and
 * FAIL_DENIED for a CA that issues nothing). A task that has to come back to a worker goes to
 * issue_conf's requeue as an issue_task with this task's arg: enrol_run is then called again. */
struct enrol_task {
	struct enrol_request request;
	void (*done)(
	    struct enrol_task *task, const struct enrol_answer *answer, const struct err *err);
	void *arg;
	struct enrol_work *work; /* enrol.c's */
};
struct enrol_task *enrol_task_new(void);
void enrol_task_free(struct enrol_task *task);
/* In the calling worker thread, with its own read-only store. */
void enrol_run(struct enrol *enrol, struct enrol_task *task, struct store *reader);

/* ---- secrets ---- */

/* Text of a new secret, and its HMAC. FAIL_INTERNAL without randomness. */
int enrol_secret_make(struct span pepper, const struct eui64 *eui, char out[ENROL_SECRET_MAX + 1],
    uint8_t hmac[SHA256_LEN], struct err *err) MUST_USE;
/*
 * The form of a given secret: at most ENROL_SECRET_MAX octets; at least 26 characters of base32 or
 * 32 hexadecimal digits, any case, dashes passed over (text of hexadecimal digits alone is taken
 * for hexadecimal). What nobody drew at random is refused, too: fewer than six different
 * characters, a block that repeats itself, a run through the alphabet. FAIL_INVALID "secret: ...";
 * the text is never in the message.
 */
int enrol_secret_check(const char *text, struct err *err) MUST_USE;
/* Text to its HMAC. Given secrets (imports) must hold at least 128 bits as base32 (26 characters)
 * or hexadecimal (32 digits): FAIL_INVALID "secret: ..." else; the text is not in the message. */
int enrol_secret_hmac(struct span pepper, const struct eui64 *eui, const char *text,
    uint8_t hmac[SHA256_LEN], struct err *err) MUST_USE;

#define PEPPER_LEN 32
/* HOME/secret/pepper. FAIL_UNAVAILABLE, FAIL_INVALID when it is not PEPPER_LEN octets. */
int pepper_load(const struct home *home, uint8_t out[PEPPER_LEN], struct err *err) MUST_USE;

#endif
