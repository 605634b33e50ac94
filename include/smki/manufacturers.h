/*
 * The manufacturers of a home: HOME/policies/manufacturers.cnf and the files that it names.
 *
 *   [manufacturer acme]
 *   anchors = anchors/acme.pem     PEM, relative to the policies folder
 *   eui64 = san                    or serialNumber
 *   crl = anchors/acme.crl.pem     optional
 */
#ifndef SMKI_MANUFACTURERS_H
#define SMKI_MANUFACTURERS_H

#include "smki/anchor.h"
#include "smki/home.h"

#define MANUFACTURERS_MAX 64
#define HOME_MANUFACTURERS "policies/manufacturers.cnf"
#define HOME_REGIONS "policies/regions.cnf"

struct anchors {
	size_t n;
	struct anchor *anchor[MANUFACTURERS_MAX];
};

/* No such file: none. A bad one fails the whole, named. Files must not be writable by others. */
int anchors_load(const struct home *home, struct anchors *out, struct err *err) MUST_USE;
void anchors_free(struct anchors *anchors);
/* The files that manufacturers.cnf of a folder of policies names, relative to it; what each gives
 * other than 0 ends it. No such file: none. */
int anchors_files(const char *policies, int (*each)(void *ctx, const char *rel, struct err *err),
    void *ctx, struct err *err) MUST_USE;
/* NULL when there is none of this name. */
const struct anchor *anchors_get(const struct anchors *anchors, const char *manufacturer);
/*
 * Whose chain is it? Tries every manufacturer; FAIL_DENIED with *why when nobody's
 * (REFUSAL_ANCHOR), or one's but ended, revoked, ... (REFUSAL_CERTIFICATE).
 */
int anchors_find(const struct anchors *anchors, const struct span *chain, size_t n, time_t now,
    const struct anchor **out, struct idevid *id, enum refusal *why, struct err *err) MUST_USE;

#endif
