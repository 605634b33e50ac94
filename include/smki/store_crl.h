/*
 * The lists of a CA in the database: complete ones, deltas (RFC 5280 5.2.4) and those of its shards
 * (5.2.5). Complete lists and deltas share one sequence of numbers (5.2.3), each shard has its own.
 */
#ifndef SMKI_STORE_CRL_H
#define SMKI_STORE_CRL_H

#include "smki/store.h"

/* Rows of certificates that one shard spans; the schema holds the number, too (004). */
#define SHARD_SIZE 12000

enum crl_kind {
	CRL_COMPLETE = 1,
	CRL_DELTA = 2,
	CRL_SHARD = 3,
};

/* Which lists are meant. */
struct crl_which {
	int64_t ca;
	enum crl_kind kind;
	int64_t shard; /* its number, CRL_SHARD only */
};

/* As store_crl_take and store_crl_finish; a delta's crl->base must be the newest finished complete
 * list, else FAIL_CONFLICT. */
int store_list_take(struct store *store, const struct crl_which *which, time_t now, int64_t *number,
    struct err *err) MUST_USE;
int store_list_finish(struct store *store, const struct store_actor *actor,
    const struct crl_which *which, const struct store_crl *crl, struct err *err) MUST_USE;
/* Finished lists, newest first, at most cap. */
int store_list_recent(struct store *store, const struct crl_which *which, struct store_crl *out,
    size_t cap, size_t *n, struct err *err) MUST_USE;
/* Newest finished one of the sequence of numbers; so of a delta also a complete one. FAIL_NOT_FOUND. */
int store_list_last(struct store *store, const struct crl_which *which, struct store_crl *out,
    struct err *err) MUST_USE;
/* A finished one by its number, a delta or complete one as which says. FAIL_NOT_FOUND. */
int store_list_get(struct store *store, const struct crl_which *which, int64_t number,
    struct store_crl *out, struct err *err) MUST_USE;

/*
 * What stands on such a list. Complete, by the event of the state, and shard, by certificate id:
 * state on hold or revoked.
 * Delta: what changed after event base: on hold or revoked now; and what is valid now but was on
 * hold on a list finished since base or on base itself, with REASON_REMOVE_FROM_CRL and the time
 * of its release. What was held and released between two lists is on none. base is not looked at
 * for the other kinds. Its cost grows with what changed since base, not with the fleet.
 */
int store_list_each(struct store *store, const struct crl_which *which, int64_t base,
    int (*fn)(void *ctx, const struct store_listed *listed, struct err *err), void *ctx,
    struct err *err) MUST_USE;

/* ---- shards ---- */

struct store_shard {
	int64_t ca, number;
	char uri[URI_MAX];
	int64_t changed_event, shown_event;
	time_t made; /* thisUpdate of its newest finished list, 0 = none */
};

/* Shard of the next certificate's row, in whatever CA. */
int store_shard_next(struct store *store, int64_t *number, struct err *err) MUST_USE;
/* FAIL_NOT_FOUND: not in use yet. */
int store_shard_get(struct store *store, int64_t ca, int64_t number, struct store_shard *out,
    struct err *err) MUST_USE;
/*
 * A shard of ca whose next list is due: changed since its newest list, which is dated changed_before
 * or earlier, or after ahead; or any whose newest list is dated made_before or earlier. The one that
 * waits longest, and never listed ones first. FAIL_NOT_FOUND when none is.
 */
int store_shard_due(struct store *store, int64_t ca, time_t changed_before, time_t made_before,
    time_t ahead, struct store_shard *out, struct err *err) MUST_USE;

#endif
