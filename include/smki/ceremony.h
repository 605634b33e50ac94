/*
 * What is done with tokens after init in the command's own process: the root signs its CRL, keys
 * for access tokens are made. smkid never has the root's key, and makes no keys; it verifies and
 * stores what comes from here.
 */
#ifndef SMKI_CEREMONY_H
#define SMKI_CEREMONY_H

#include "smki/home.h"

struct ceremony_crl {
	const char *ca;	  /* the root's name: [ca NAME] tells its token */
	struct span cert; /* its certificate, DER */
	int64_t number;	  /* taken in the database */
	time_t now;
	const struct store_listed *listed;
	size_t n;
};

/*
 * Open the root's token, check that its key is the certificate's, sign a complete CRL and append
 * it to out. FAIL_DENIED when the key is another or the PIN is refused.
 */
int ceremony_crl(const struct home *home, const struct ceremony_crl *wanted, struct buf *out,
    struct err *err) MUST_USE;

/*
 * Make the P-256 key with this label on the home's [access] token and read its public half. One
 * that is there already, from a call whose end smkid never heard of, is taken. When root asks and
 * the token's files are another user's, it is done as that user, who then owns the new ones.
 */
int ceremony_access_key(
    const struct home *home, const char *label, struct ec_pub *pub, struct err *err) MUST_USE;

#endif
