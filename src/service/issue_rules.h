/*
 * The parts of issuing that stand in a transaction as well as before it (identity rules), and the
 * one place where a certificate is made.
 */
#ifndef SERVICE_ISSUE_RULES_H
#define SERVICE_ISSUE_RULES_H

#include "smki/caset.h"

/* What is asked, as far as the rules go; all borrowed. */
struct issue_ask {
	const struct caset *cas;
	const struct ca *ca;
	const char *profile;
	const struct grant *grant;
	const uint8_t *key_hash; /* SHA256_LEN */
	bool replace;
	long per_device; /* 0 = the database alone counts */
};

struct issue_verdict {
	bool existing;		/* cert is the answer */
	struct store_cert cert; /* when existing */
	int64_t replaces;	/* else: what the new one follows, 0 = nothing */
};

/*
 * The identity rules of issue.h at now, in the order CA, key, retry, device; and whether the CA
 * and all above it are valid. Reads only. FAIL_CONFLICT names the rule; a CA that is not valid or
 * has ended is FAIL_DENIED.
 */
int issue_rules(struct store *store, const struct issue_ask *ask, time_t now,
    struct issue_verdict *out, struct err *err) MUST_USE;

struct issue_made {
	struct serial serial;
	time_t not_before, not_after;
	struct buf der; /* owned */
};

/*
 * Serial, TBSCertificate, signature, verification of the signature. Nothing is recorded: the
 * bytes must not leave before that. out->der is replaced.
 */
int issue_make(const struct ca *ca, const struct profile *profile, const struct grant *grant,
    time_t now, int (*draw)(uint8_t *out, size_t n), struct issue_made *out,
    struct err *err) MUST_USE;

#endif
