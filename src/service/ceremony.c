/*
 * The root's signatures after init.
 */
#include "smki/ceremony.h"

#include <stdlib.h>

#include "smki/crl.h"
#include "smki/mem.h"

int
ceremony_crl(
    const struct home *home, const struct ceremony_crl *wanted, struct buf *out, struct err *err)
{
	const struct home_ca *ca = home_ca(home, wanted->ca);
	const struct home_token *token;
	struct crl_entry *entries = mem_array(wanted->n + 1, sizeof *entries);
	struct crl_params params = { 0 };
	struct hsm *hsm = NULL;
	struct hsm_key *key;
	struct signer signer;
	struct issuer issuer;
	struct cert cert;
	int r = -1;

	if (ca == NULL || (token = home_token(home, ca->token)) == NULL) {
		err_set(err, FAIL_NOT_FOUND, "ca %s: smki.conf names no token for it", wanted->ca);
		goto out;
	}
	if (cert_parse(wanted->cert.p, wanted->cert.len, &cert, err) != 0 ||
	    hsm_open(&token->conf, &hsm, err) != 0 || hsm_key_find(hsm, ca->key, &key, err) != 0)
		goto out;
	signer = (struct signer){ .pub = *hsm_key_pub(key), .sign = hsm_sign, .ctx = key };
	if (!ec_pub_eq(&signer.pub, &cert.pub)) {
		err_set(err, FAIL_DENIED, "ca %s: key on token %s is not the certificate's",
		    wanted->ca, token->conf.token);
		goto out;
	}
	cert_issuer(&cert, &issuer);
	params.issuer = issuer.subject;
	params.ski = issuer.ski;
	params.curve = issuer.curve;
	params.number = wanted->number;
	params.this_update = wanted->now;
	params.next_update = wanted->now + home->root_crl_validity;
	for (size_t i = 0; i < wanted->n; i++)
		entries[i] = (struct crl_entry){
			.serial = wanted->listed[i].serial,
			.revoked_at = wanted->listed[i].changed,
			.reason = wanted->listed[i].reason,
			.invalid_since = wanted->listed[i].invalid_since,
		};
	if (crl_build(&params, entries, wanted->n, &signer, out, err) != 0)
		goto out;
	r = 0;
out:
	hsm_close(hsm);
	free(entries);
	return r;
}
