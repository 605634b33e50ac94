/*
 * The parts of issuing that stand in a transaction as well as before it (identity rules), and the
 * one place where a certificate is made.
 */
#ifndef SERVICE_ISSUE_RULES_H
#define SERVICE_ISSUE_RULES_H

#include <stdatomic.h>

#include "smki/caset.h"

/*
 * The newest change of a certificate's state as of which the CAs of a set stood valid, one for
 * each of them: nothing that is recorded can make a CA invalid but a further change. Of committed
 * events only, whose numbers are never given again.
 */
struct issue_stood {
	atomic_llong after[STORE_CAS_MAX]; /* the event's number + 1, 0 = not seen yet */
};

/* Whether profiles of this kind are issued on request; the others are the ceremony verbs'. */
int issue_check_kind(enum profile_kind kind);
/* A profile that no issuing CA can serve is a mistake to be told at start: FAIL_INVALID. */
int issue_check_profile(
    const struct profile *profile, const struct caset *cas, struct err *err) MUST_USE;

/* What is asked, as far as the rules go; all borrowed. */
struct issue_ask {
	const struct caset *cas;
	const struct ca *ca;
	const char *profile;
	const struct grant *grant;
	const uint8_t *key_hash; /* SHA256_LEN */
	bool replace;
	long per_device; /* 0 = the database alone counts */
	/* NULL = look at the CAs each time; known by all who issue from cas. */
	struct issue_stood *stood;
	bool recording; /* store has changes that are not committed: nothing is added to stood */
};

struct issue_verdict {
	bool existing;		/* cert is the answer */
	struct store_cert cert; /* when existing */
	int64_t replaces;	/* else: what the new one follows, 0 = nothing */
	/* Else: a device's first certificate of this profile, for a new key. As long as no other
	 * request for this key is on its way, the database alone refuses all that these rules would
	 * refuse later: they need not be asked again in the transaction. */
	bool clear;
};

/*
 * The identity rules of issue.h at now, in the order CA, key, retry, device; and whether the CA
 * and all above it are valid. Reads only. FAIL_CONFLICT names the rule; a CA that is not valid or
 * has ended is FAIL_DENIED.
 */
int issue_rules(struct store *store, const struct issue_ask *ask, time_t now,
    struct issue_verdict *out, struct err *err) MUST_USE;

/* The shard that a certificate belongs to. */
struct issue_shard {
	int64_t number;
	char uri[URI_MAX]; /* "" = the profile wants none */
};

/* That of the next certificate. Its URI is what was kept at its first use, else made from the
 * CA's. */
int issue_shard(const struct ca *ca, const struct profile *profile, struct store *reader,
    struct issue_shard *out, struct err *err) MUST_USE;

struct issue_made {
	struct serial serial;
	time_t not_before, not_after;
	struct buf der; /* owned */
};

/*
 * Serial, TBSCertificate, signature, verification of the signature. Nothing is recorded: the
 * bytes must not leave before that. out->der is replaced. crl_uri NULL = the CA's own list.
 */
int issue_make(const struct ca *ca, const struct profile *profile, const struct grant *grant,
    const char *crl_uri, time_t now, int (*draw)(uint8_t *out, size_t n), struct issue_made *out,
    struct err *err) MUST_USE;
/* issue_make in two parts, as sign_begin and sign_end; ca stays until the end. */
struct issue_making {
	struct issue_made made; /* der comes at the end */
	struct buf tbs;
	struct sign_pending pending;
};
int issue_make_begin(const struct ca *ca, const struct profile *profile, const struct grant *grant,
    const char *crl_uri, time_t now, int (*draw)(uint8_t *out, size_t n), struct issue_making *out,
    struct err *err) MUST_USE;
int issue_make_end(struct issue_making *making, struct issue_made *out, struct err *err) MUST_USE;

/* A key on behalf of a device that cannot make one: PKCS#8 DER appended to key, for buf_wipe.
 * FAIL_INTERNAL. */
int issue_key_make(
    enum ec_curve curve, struct buf *key, struct ec_pub *pub, struct err *err) MUST_USE;

#endif
