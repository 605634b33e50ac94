/*
 * Making and publishing CRLs. A number is committed before the first byte; the file is written,
 * fsynced, its row committed, then renamed into place; a start finishes a rename that a crash
 * left. Memory does not grow with the list.
 */
#ifndef SMKI_CRLGEN_H
#define SMKI_CRLGEN_H

#include "smki/caset.h"
#include "smki/committer.h"
#include "smki/timeguard.h"

/* Published lists of a CA that are kept on disk. */
#define CRL_KEEP 3
/* Numbers burnt at most to get above what an older database does not know. */
#define CRL_SKIP_MAX 100000
/* "NAME-NUMBER.crl"; ".new" behind it until its row is committed. */
#define CRL_FILE_MAX (NAME_LEN + 32)
void crlgen_file(const char *ca, int64_t number, char out[CRL_FILE_MAX]);

struct crlgen_conf {
	const char *dir; /* HOME/crl */
	const struct caset *cas;
	struct committer *committer;
	struct timeguard *guard;
	long validity; /* seconds */
};

/*
 * Make and publish a complete CRL of a CA whose key is bound, from one view of reader. One caller
 * at a time per process. FAIL_UNAVAILABLE on doubt of the clock, token or disk: the number taken
 * is burnt, nothing is left on disk.
 */
int crlgen_make(const struct crlgen_conf *conf, const struct ca *ca, struct store *reader, long uid,
    struct store_crl *out, struct err *err) MUST_USE;

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

/* Number of the newest list of this CA that stands published in dir, 0 = none. */
int crlgen_published(const char *dir, const char *ca, int64_t *number, struct err *err) MUST_USE;
/*
 * FAIL_CONFLICT when dir holds a published list that the database never finished: an older copy
 * of the database was put back, and what changed since is not in it.
 */
int crlgen_check_age(
    const char *dir, const struct caset *cas, struct store *reader, struct err *err) MUST_USE;
/* Inside a transaction: the next number of ca that is above what stands published; those between
 * are burnt. */
int crlgen_take(struct store *store, int64_t ca, int64_t published, time_t now, int64_t *number,
    struct err *err) MUST_USE;

/*
 * When the next list of this CA is due: now or earlier = make it. changed_event newer than the
 * newest list's event: after delay since the newest list; otherwise interval after it. A list
 * never made: now.
 */
time_t crlgen_due(const struct store_crl *newest, int64_t changed_event, long interval, long delay);

#endif
