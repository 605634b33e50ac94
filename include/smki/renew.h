/*
 * OCSP responder certificates: issued by smkid for the responder's key, renewed at half-life
 * without anybody's help.
 */
#ifndef SMKI_RENEW_H
#define SMKI_RENEW_H

#include "smki/issue.h"

/* When the responder certificate is to be renewed: half of its life. */
time_t renew_due(time_t not_before, time_t not_after);

/*
 * Issue a responder certificate by ca for pub (profile "ocsp", holder "ocsp"), record it and
 * make it the CA's responder, all in one transaction. Synchronous.
 */
int renew_responder(const struct ca *ca, const struct profile *profile, const struct ec_pub *pub,
    struct committer *committer, struct timeguard *guard, int (*draw)(uint8_t *out, size_t n),
    struct err *err) MUST_USE;

#endif
