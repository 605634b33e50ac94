/*
 * The root's signatures after init, and new keys for access tokens.
 */
#include "smki/ceremony.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

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

/* Who the process was before it became the owner of a token's files. */
struct ceremony_user {
	bool changed;
	gid_t gid;
};

/* SoftHSM's files belong to who made them, and only their owner can read them. */
static int
ceremony_become(const struct hsm_conf *conf, struct ceremony_user *was, struct err *err)
{
	struct stat st;

	if (conf->softhsm_conf[0] == '\0' || geteuid() != 0)
		return 0;
	if (stat(conf->softhsm_conf, &st) != 0)
		return err_sys(
		    err, FAIL_UNAVAILABLE, "token %s: %s", conf->token, conf->softhsm_conf);
	if (st.st_uid == 0)
		return 0;
	was->gid = getegid();
	if (setegid(st.st_gid) != 0 || seteuid(st.st_uid) != 0)
		return err_sys(
		    err, FAIL_DENIED, "token %s: user %ld", conf->token, (long)st.st_uid);
	was->changed = true;
	return 0;
}

static int
ceremony_return(const struct ceremony_user *was, struct err *err)
{
	if (was->changed && (seteuid(0) != 0 || setegid(was->gid) != 0))
		return err_sys(err, FAIL_INTERNAL, "token: the user cannot be changed back");
	return 0;
}

int
ceremony_access_key(const struct home *home, const char *label, struct ec_pub *pub, struct err *err)
{
	const struct home_token *token = home_token(home, home->access.token);
	struct ceremony_user was = { 0 };
	struct hsm *hsm = NULL;
	struct hsm_key *key;
	int r = -1;

	if (token == NULL)
		return err_set(err, FAIL_NOT_FOUND,
		    "access: " HOME_CONF " names no token for its keys: [access] token");
	if (ceremony_become(&token->conf, &was, err) != 0)
		goto out;
	if (hsm_open(&token->conf, &hsm, err) != 0)
		goto out;
	if (hsm_key_generate(hsm, label, EC_P256, &key, err) != 0 &&
	    (err->code != FAIL_CONFLICT || hsm_key_find(hsm, label, &key, err) != 0))
		goto out;
	if (hsm_key_pub(key)->curve != EC_P256) {
		err_set(err, FAIL_CONFLICT,
		    "token %s: key %s: RFC 7518 3.4: ES256 needs a key of P-256", token->conf.token,
		    label);
		goto out;
	}
	*pub = *hsm_key_pub(key);
	r = 0;
out:
	hsm_close(hsm);
	/* Whatever comes after is not for another user to do. */
	if (ceremony_return(&was, r == 0 ? err : NULL) != 0)
		r = -1;
	return r;
}
