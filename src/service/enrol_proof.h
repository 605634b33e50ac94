/*
 * What proves that a request comes from its device. Two steps: what cryptography says once and for
 * all of what was offered, and what that is worth by the register as it stands, which is asked
 * again inside the transaction. Private to enrol.c.
 */
#ifndef SERVICE_ENROL_PROOF_H
#define SERVICE_ENROL_PROOF_H

#include "smki/enrol.h"
#include "smki/manufacturers.h"
#include "smki/store_device.h"

/* What was offered, and about what; all borrowed. */
struct enrol_ask {
	const struct enrol_request *request;
	const char *profile; /* chosen */
	const struct anchors *anchors;
	long statement_age;
	const uint8_t *secret; /* HMAC of the secret offered, SHA256_LEN; NULL = none that is one */
	const uint8_t *csr_sha256; /* SHA256_LEN; NULL = no request */
	const struct grant *grant;
	const uint8_t *key_hash; /* SHA256_LEN */
};

struct enrol_proof {
	int64_t certificate;	     /* of ours, the one presented; 0 = not ours */
	bool same_names;	     /* its subject and SAN are those to be issued */
	char manufacturer[NAME_LEN]; /* whose anchor proved it; "" = no IDevID */
	bool has_pub;		     /* of the chain's first certificate */
	struct ec_pub pub;
	bool stated; /* the statement is signed by the chain's first key */
};

/*
 * Verify the chain and the statement offered. A refusal sets *why; *why is REFUSAL_NONE when it
 * could not be judged.
 */
int enrol_proof_find(const struct enrol_ask *ask, const struct device *device, struct store *store,
    time_t now, struct enrol_proof *out, enum refusal *why, struct err *err) MUST_USE;

/* What it is worth for this device as store has it now. Refusals as above. */
int enrol_proof_weigh(const struct enrol_ask *ask, const struct enrol_proof *proof,
    const struct device *device, struct store *store, time_t now, enum refusal *why,
    struct err *err) MUST_USE;

#endif
