/*
 * Making and publishing CRLs. A number is committed before the first byte; the file is written,
 * fsynced, its row committed, then renamed into place; a start finishes a rename that a crash
 * left. Memory does not grow with the list.
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

struct crlgen_conf {
	const char *dir; /* HOME/crl */
	const struct caset *cas;
	struct committer *committer;
	struct timeguard *guard;
	long validity; /* seconds */
	bool deltas;   /* complete lists tell where deltas are (RFC 5280 5.2.6) */
};

/*
 * Make and publish a list (which->ca is ca's) of a CA whose key is bound, from one view of reader.
 * One caller at a time per process. A delta continues the newest finished complete list:
 * FAIL_CONFLICT when there is none. A shard nothing was issued for: FAIL_NOT_FOUND.
 * FAIL_UNAVAILABLE on doubt of the clock, token or disk: the number taken is burnt, nothing is left
 * on disk.
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

/* Newest number of the sequence that which belongs to that stands published in dir, 0 = none. */
int crlgen_published(const char *dir, const char *ca, const struct crl_which *which,
    int64_t *number, struct err *err) MUST_USE;
/*
 * FAIL_CONFLICT when dir holds a published list that the database never finished: an older copy
 * of the database was put back, and what changed since is not in it.
 */
int crlgen_check_age(
    const char *dir, const struct caset *cas, struct store *reader, struct err *err) MUST_USE;
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
