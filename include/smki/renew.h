/*
 * Certificates that smkid issues to its own service without anybody's help: the OCSP responder's
 * at half of their life, the TLS server's when a third of it is left.
 */
#ifndef SMKI_RENEW_H
#define SMKI_RENEW_H

#include "smki/issue.h"

/* When the responder's certificate is to be renewed, and when the TLS server's. */
time_t renew_due(time_t not_before, time_t not_after);
time_t renew_server_due(time_t not_before, time_t not_after);

/* All borrowed for the call. draw: CSPRNG (tests: another). */
struct renew_conf {
	const struct ca *ca;
	const struct profile *profile;
	struct committer *committer;
	struct timeguard *guard;
	int (*draw)(uint8_t *out, size_t n);
};

/*
 * Issue a responder certificate by the CA for pub (profile "ocsp", holder "ocsp"), record it and
 * make it the CA's responder, all in one transaction. Synchronous.
 */
int renew_responder(
    const struct renew_conf *conf, const struct ec_pub *pub, struct err *err) MUST_USE;

/*
 * Issue a certificate for the key and the names of old, a server certificate of the same profile,
 * and record it; nothing else takes note. Synchronous.
 */
int renew_server(const struct renew_conf *conf, const struct cert *old, struct err *err) MUST_USE;

#endif
