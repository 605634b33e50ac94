/*
 * The authority of a new home: root and issuing CA, OCSP responder, TLS server certificate, first
 * key for access tokens, root CRL, and the database that knows them all. The root's key is used here and in later ceremonies
 * only.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/sha.h>

#include "setup.h"
#include "smki/caset.h"
#include "smki/cert.h"
#include "smki/crl.h"
#include "smki/crlgen.h"
#include "smki/eckey.h"
#include "smki/file.h"
#include "smki/hex.h"
#include "smki/mem.h"
#include "smki/rng.h"

/* First validity of the root's CRL: what smki.conf's root_validity says from then on. */
#define SETUP_ROOT_CRL_VALIDITY (365L * 86400)

/* A certificate made here, not yet recorded. */
struct setup_cert {
	struct grant grant;
	struct serial serial;
	time_t not_before, not_after;
	struct buf der;
	struct cert cert; /* borrows der */
	const char *profile;
};

/* Everything that ends in the database, in the order of its rows. */
struct setup_chain {
	struct setup_cert root, issuing, ocsp, tls;
	struct buf root_crl;
	struct store_crl crl;
};

static int
setup_sign(struct setup_state *state, const char *profile_name, const struct issuer *issuer,
    const struct signer *signer, struct setup_cert *out, struct err *err)
{
	const struct profile *profile = profiles_get(&state->profiles, profile_name);
	struct buf tbs = { 0 };
	int r = -1;

	if (cert_serial(profile->serial_octets, rng_draw, &out->serial, err) != 0 ||
	    cert_validity(profile, issuer, state->now, &out->not_before, &out->not_after, err) !=
		0 ||
	    cert_build_tbs(profile, issuer, &out->grant, &out->serial, out->not_before,
		out->not_after, &tbs, err) != 0 ||
	    sign_wrap(signer, tbs.data, tbs.len, &out->der, err) != 0 ||
	    cert_parse(out->der.data, out->der.len, &out->cert, err) != 0)
		goto out;
	out->profile = profile->name;
	r = 0;
out:
	buf_free(&tbs);
	return r;
}

static int
setup_grant(struct setup_state *state, const char *profile, const char *label,
    const struct ec_pub *pub, struct setup_cert *out, struct err *err)
{
	return profile_grant_service(profiles_get(&state->profiles, profile), label,
	    state->setup->names, state->setup->n_names, pub, &out->grant, err);
}

/* Open a token and find its key as a signer. */
static int
setup_signer(struct setup_state *state, enum setup_token which, struct hsm **hsm,
    struct signer *signer, struct err *err)
{
	struct hsm_key *key;

	if (hsm_open(&state->token[which], hsm, err) != 0 ||
	    hsm_key_find(*hsm, setup_token_name[which], &key, err) != 0)
		return -1;
	*signer = (struct signer){ .pub = *hsm_key_pub(key), .sign = hsm_sign, .ctx = key };
	if (!ec_pub_eq(&signer->pub, &state->pub[which]))
		return err_set(err, FAIL_CONFLICT, "token %s: key %s is not the one just made",
		    state->token[which].token, setup_token_name[which]);
	return 0;
}

/* The root's part: its own certificate, the issuing CA's, its first CRL (number 1, empty). */
static int
setup_root(struct setup_state *state, struct setup_chain *chain, struct err *err)
{
	struct hsm *hsm = NULL;
	struct signer signer;
	struct issuer issuer;
	struct crl_params params;
	int r = -1;

	if (setup_signer(state, SETUP_ROOT, &hsm, &signer, err) != 0 ||
	    setup_grant(state, "root-ca", "root", &signer.pub, &chain->root, err) != 0 ||
	    setup_sign(state, "root-ca", NULL, &signer, &chain->root, err) != 0)
		goto out;
	cert_issuer(&chain->root.cert, &issuer);
	if (setup_grant(state, "issuing-ca", "issuing", &state->pub[SETUP_ISSUING], &chain->issuing,
		err) != 0 ||
	    setup_sign(state, "issuing-ca", &issuer, &signer, &chain->issuing, err) != 0)
		goto out;
	params = (struct crl_params){
		.issuer = issuer.subject,
		.ski = issuer.ski,
		.curve = issuer.curve,
		.number = 1,
		.this_update = state->now,
		.next_update = state->now + SETUP_ROOT_CRL_VALIDITY,
	};
	if (crl_build(&params, NULL, 0, &signer, &chain->root_crl, err) != 0)
		goto out;
	chain->crl.number = params.number;
	chain->crl.this_update = params.this_update;
	chain->crl.next_update = params.next_update;
	chain->crl.size = (int64_t)chain->root_crl.len;
	SHA256(chain->root_crl.data, chain->root_crl.len, chain->crl.sha256);
	r = 0;
out:
	hsm_close(hsm);
	return r;
}

/* A key of the front's own for TLS: a file, because it proves a host name and nothing else. */
static int
setup_tls_key(struct setup_state *state, struct ec_pub *pub, struct err *err)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	BIO *mem = BIO_new(BIO_s_mem());
	uint8_t point[EC_POINT_MAX];
	char path[HOME_PATH_MAX], *text = NULL;
	size_t len;
	long n = 0;
	int r = -1;

	if (key == NULL || mem == NULL ||
	    EVP_PKEY_get_octet_string_param(key, "pub", point, sizeof point, &len) != 1 ||
	    PEM_write_bio_PKCS8PrivateKey(mem, key, NULL, NULL, 0, NULL, NULL) != 1) {
		err_ssl(err, FAIL_INTERNAL, "tls: no key");
		goto out;
	}
	n = BIO_get_mem_data(mem, &text);
	if (ec_pub_from_point(EC_P256, point, len, pub, err) != 0 ||
	    setup_path(state, path, err, HOME_TLS "/server.key") != 0 ||
	    file_write(path, text, (size_t)n, 0400, err) != 0)
		goto out;
	r = 0;
out:
	if (text != NULL)
		OPENSSL_cleanse(text, (size_t)n);
	BIO_free(mem);
	EVP_PKEY_free(key);
	return r;
}

/* The issuing CA's part: responder and TLS server. */
static int
setup_issuing(struct setup_state *state, struct setup_chain *chain, struct err *err)
{
	const char *url = state->setup->url;
	struct hsm *hsm = NULL;
	struct signer signer;
	struct issuer issuer;
	struct ec_pub tls;
	int r = -1;

	cert_issuer(&chain->issuing.cert, &issuer);
	if (caset_uris(url != NULL ? url : "", "issuing", &issuer, err) != 0 ||
	    setup_signer(state, SETUP_ISSUING, &hsm, &signer, err) != 0 ||
	    setup_grant(state, "ocsp", "issuing", &state->pub[SETUP_OCSP], &chain->ocsp, err) !=
		0 ||
	    setup_sign(state, "ocsp", &issuer, &signer, &chain->ocsp, err) != 0 ||
	    setup_tls_key(state, &tls, err) != 0 ||
	    setup_grant(state, "tls-server", "", &tls, &chain->tls, err) != 0 ||
	    setup_sign(state, "tls-server", &issuer, &signer, &chain->tls, err) != 0)
		goto out;
	r = 0;
out:
	hsm_close(hsm);
	return r;
}

static int
setup_record(struct store *store, const struct store_actor *actor, int64_t ca,
    const struct setup_cert *made, int64_t *id, struct err *err)
{
	struct store_new_cert row = {
		.ca = ca,
		.serial = made->serial,
		.profile = made->profile,
		.holder = made->grant.holder,
		.use = made->grant.use,
		.not_before = made->not_before,
		.not_after = made->not_after,
		.der = buf_span(&made->der),
	};
	bool taken;

	ec_pub_hash(&made->grant.pub, row.key_hash);
	return store_cert_add(store, actor, &row, id, &taken, err);
}

/* The first key for access tokens: nobody waits for it to be published. */
static int
setup_record_access(
    struct store *store, const struct store_actor *actor, const struct ec_pub *pub, struct err *err)
{
	struct store_access_key key = { .label = SETUP_ACCESS_KEY,
		.pub = *pub,
		.made = actor->now,
		.active_from = actor->now };

	jwt_kid(pub, key.kid);
	return store_access_key_add(store, actor, &key, err);
}

/* One transaction for all that init makes. */
static int
setup_rows(struct store *store, const struct store_actor *actor, struct setup_chain *chain,
    const struct ec_pub *access, struct err *err)
{
	int64_t root, issuing, id, number;
	time_t newest;

	if (store_event_add(store, actor, "init", 0, err) != 0 ||
	    store_ca_add(store, actor, "root", 0, &root, err) != 0 ||
	    setup_record(store, actor, root, &chain->root, &id, err) != 0 ||
	    store_ca_set_certificate(store, root, id, err) != 0 ||
	    store_ca_add(store, actor, "issuing", root, &issuing, err) != 0 ||
	    setup_record(store, actor, root, &chain->issuing, &id, err) != 0 ||
	    store_ca_set_certificate(store, issuing, id, err) != 0 ||
	    setup_record(store, actor, issuing, &chain->ocsp, &id, err) != 0 ||
	    store_responder_set(store, actor, issuing, id, err) != 0 ||
	    setup_record(store, actor, issuing, &chain->tls, &id, err) != 0 ||
	    setup_record_access(store, actor, access, err) != 0 ||
	    store_crl_take(store, root, actor->now, &number, err) != 0)
		return -1;
	require(number == chain->crl.number);
	chain->crl.ca = root;
	if (store_event_newest(store, &chain->crl.event, &newest, err) != 0)
		return -1;
	return store_crl_finish(store, actor, &chain->crl, err);
}

static int
setup_database(struct setup_state *state, struct setup_chain *chain, struct err *err)
{
	struct store_actor actor = {
		.uid = (long)geteuid(), .now = state->now, .detail = "smki init"
	};
	struct store *store = NULL;
	char path[HOME_PATH_MAX];
	mode_t mask = umask(027);
	bool fatal;
	int r = -1;

	if (setup_path(state, path, err, HOME_DB) != 0 ||
	    store_open(path, STORE_CREATE, &store, err) != 0 || store_begin(store, err) != 0)
		goto out;
	if (setup_rows(store, &actor, chain, &state->access, err) != 0) {
		store_rollback(store);
		goto out;
	}
	if (store_commit(store, &fatal, err) != 0)
		goto out;
	r = 0;
out:
	store_close(store);
	umask(mask);
	if (r == 0)
		r = setup_path(state, path, err, HOME_DB_DIR) != 0
			? -1
			: setup_own(path, state->setup->ca_uid, state->setup->http_gid, err);
	return r;
}

/* The public files: root CRL, TLS chain. */
static int
setup_files(struct setup_state *state, struct setup_chain *chain, struct err *err)
{
	const struct setup *s = state->setup;
	struct buf pem = { 0 };
	char path[HOME_PATH_MAX], name[CRL_FILE_MAX];
	int r = -1;

	crlgen_file("root", chain->crl.number, name);
	pem_encode("CERTIFICATE", chain->tls.der.data, chain->tls.der.len, &pem);
	pem_encode("CERTIFICATE", chain->issuing.der.data, chain->issuing.der.len, &pem);
	if (setup_path(state, path, err, HOME_CRL "/%s", name) != 0 ||
	    file_write(path, chain->root_crl.data, chain->root_crl.len, 0640, err) != 0 ||
	    setup_path(state, path, err, HOME_CRL) != 0 ||
	    setup_own(path, s->ca_uid, s->http_gid, err) != 0 ||
	    setup_path(state, path, err, HOME_TLS "/server.pem") != 0 ||
	    file_write(path, pem.data, pem.len, 0644, err) != 0 ||
	    setup_path(state, path, err, HOME_TLS) != 0 ||
	    setup_own(path, s->http_uid, s->http_gid, err) != 0)
		goto out;
	r = 0;
out:
	buf_free(&pem);
	return r;
}

int
setup_authority(struct setup_state *state, struct err *err)
{
	struct setup_chain *chain = mem_alloc(sizeof *chain);
	char subject[DETAIL_LEN];
	int r = -1;

	/* The database says what exists: its commit comes after everything else is on disk. */
	if (setup_root(state, chain, err) != 0 || setup_issuing(state, chain, err) != 0 ||
	    setup_files(state, chain, err) != 0 || setup_database(state, chain, err) != 0)
		goto out;
	name_text(chain->root.cert.subject, subject, sizeof subject);
	setup_say(state->setup, "ca root: %s", subject);
	name_text(chain->issuing.cert.subject, subject, sizeof subject);
	setup_say(state->setup, "ca issuing: %s", subject);
	r = 0;
out:
	buf_free(&chain->root.der);
	buf_free(&chain->issuing.der);
	buf_free(&chain->ocsp.der);
	buf_free(&chain->tls.der);
	buf_free(&chain->root_crl);
	free(chain);
	return r;
}
