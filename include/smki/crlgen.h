/*
 * Making and publishing CRLs. A number is committed before the first byte; the file is written,
 * fsynced, its row committed, then renamed into place; a start finishes a rename that a crash
 * left. Memory does not grow with the list, and what a shard's list costs does not with the number
 * of others.
 */
#ifndef SMKI_CRLGEN_H
#define SMKI_CRLGEN_H

#include "smki/caset.h"
#include "smki/committer.h"
#include "smki/store_crl.h"
#include "smki/timeguard.h"

/* Published lists of a CA that are kept on disk, of each kind; complete ones also while a delta
 * that is kept continues them. */
#define CRL_KEEP 3
/* Numbers burnt at most to get above what an older database does not know. */
#define CRL_SKIP_MAX 100000
/* What the files of ca's lists begin with: "NAME", "NAME.delta", "NAME.SHARD". No CA's name has a
 * dot, so none is taken for another. */
#define CRL_STEM_MAX (NAME_LEN + 24)
void crlgen_stem(const char *ca, const struct crl_which *which, char out[CRL_STEM_MAX]);
/* "STEM-NUMBER.crl"; ".new" behind it until its row is committed. */
#define CRL_FILE_MAX (CRL_STEM_MAX + 32)
void crlgen_file(const char *stem, int64_t number, char out[CRL_FILE_MAX]);

struct crlgen_ahead;

struct crlgen_conf {
	const char *dir; /* HOME/crl */
	const struct caset *cas;
	struct committer *committer;
	struct timeguard *guard;
	long validity; /* seconds */
	bool deltas;   /* complete lists tell where deltas are (RFC 5280 5.2.6) */
	/*
	 * Waits for the next second of the clock. A complete list and a delta of one time would have
	 * to have one number (RFC 5280 5.2.3), and two lists of one time one Last-Modified: each of
	 * a sequence of numbers gets a thisUpdate of its own. NULL = they may share it.
	 */
	void (*pause)(void);
	const struct crlgen_ahead *ahead; /* NULL = nothing is */
};

/*
 * Make and publish a list (which->ca is ca's) of a CA whose key is bound, from one view of reader.
 * One caller at a time per process. A delta continues the newest finished complete list:
 * FAIL_CONFLICT when there is none. A shard nothing was issued for: FAIL_NOT_FOUND.
 * FAIL_UNAVAILABLE on doubt of the clock, token or disk: the number taken is burnt, nothing is left
 * on disk. But when only the rename or the removal of older files failed, the list is recorded and
 * stays; a start finishes its rename.
 */
int crlgen_make(const struct crlgen_conf *conf, const struct ca *ca, const struct crl_which *which,
    struct store *reader, long uid, struct store_crl *out, struct err *err) MUST_USE;

/*
 * Publish a CRL signed elsewhere (a root's, by the ceremony): it must be the number taken, of
 * this CA by its certificate, with the entries and times that the database says at event.
 */
int crlgen_publish(const struct crlgen_conf *conf, const struct ca *ca, struct store *reader,
    int64_t number, int64_t event, struct span der, long uid, struct err *err) MUST_USE;

/* At start, before anything is made: finish renames of committed lists (bytes checked by their
 * SHA-256), remove what was never committed. */
int crlgen_recover(
    const char *dir, const struct caset *cas, struct store *reader, struct err *err) MUST_USE;

/*
 * Lists that stand published in dir, but that the database never finished: an older copy of it was
 * put back. Read once, at start and after crlgen_recover: then nobody else writes to dir. One pass
 * over the folder and one look-up for each sequence of numbers. Does not change; any thread.
 */
int crlgen_ahead_load(const char *dir, const struct caset *cas, struct store *reader,
    struct crlgen_ahead **out, struct err *err) MUST_USE;
void crlgen_ahead_free(struct crlgen_ahead *ahead);
/* FAIL_CONFLICT when there is any, naming the furthest: what changed since is lost. */
int crlgen_ahead_check(const struct crlgen_ahead *ahead, struct err *err) MUST_USE;
/* The two above at once, for whoever makes no lists. */
int crlgen_check_age(
    const char *dir, const struct caset *cas, struct store *reader, struct err *err) MUST_USE;
/* Newest such number of the sequence that which belongs to, 0 = none. ahead may be NULL. */
int64_t crlgen_ahead_number(const struct crlgen_ahead *ahead, const struct crl_which *which);
/* Inside a transaction: the next number that is above what stands published; those between are
 * burnt. */
int crlgen_take(struct store *store, const struct crl_which *which, int64_t published, time_t now,
    int64_t *number, struct err *err) MUST_USE;

/*
 * When the next list of this CA is due: now or earlier = make it. changed_event newer than the
 * newest list's event: after delay since the newest list; otherwise interval after it. A list
 * never made: now.
 */
time_t crlgen_due(const struct store_crl *newest, int64_t changed_event, long interval, long delay);

#endif
