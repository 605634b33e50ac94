/*
 * The CAs of a home from a real database. The token is this file's own: keys in memory behind
 * the functions of hsm.h.
 */
#include "smki/caset.h"
#include "smki/hsm.h"
#include "folder.h"
#include "policy.h"
#include "softsign.h"

#define T0 1700000000

struct hsm_key {
	const char *label;
	const struct softsign *soft;
};

static struct softsign *root_key, *issuing_key;
static struct hsm_key keys[2];
static bool token_away;

int
hsm_key_find(struct hsm *hsm, const char *label, struct hsm_key **out, struct err *err)
{
	if (token_away)
		return err_set(err, FAIL_UNAVAILABLE, "token: away");
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (strcmp(keys[i].label, label) == 0) {
			*out = &keys[i];
			return 0;
		}
	return err_set(err, FAIL_NOT_FOUND, "token: no key %s", label);
}

const struct ec_pub *
hsm_key_pub(const struct hsm_key *key)
{
	return &key->soft->signer.pub;
}

int
hsm_sign(void *key, const uint8_t *digest, size_t len, uint8_t *rs, struct err *err)
{
	const struct signer *s = &((struct hsm_key *)key)->soft->signer;

	return s->sign(s->ctx, digest, len, rs, err);
}

/* In two parts: the second has the result. */
int
hsm_sign_begin(void *key, const uint8_t *digest, size_t len, void **pending, struct err *err)
{
	uint8_t *rs = mem_alloc(EC_RS_MAX);

	if (hsm_sign(key, digest, len, rs, err) != 0) {
		free(rs);
		return -1;
	}
	*pending = rs;
	return 0;
}

int
hsm_sign_end(void *pending, uint8_t *rs, struct err *err)
{
	(void)err;
	memcpy(rs, pending, EC_RS_MAX);
	free(pending);
	return 0;
}

/* A CA certificate for pub, signed by by; issuer NULL = by itself. */
static void
make_cert(const char *policy, const char *label, const struct ec_pub *pub,
    const struct softsign *by, const struct issuer *issuer, const struct serial *serial,
    struct grant *grant, struct buf *der)
{
	struct profile *profile = policy_load(policy);
	struct buf tbs = { 0 };
	struct err err;

	if (profile_grant_service(profile, label, NULL, 0, pub, grant, &err) != 0 ||
	    cert_build_tbs(profile, issuer, grant, serial, T0, T0 + 86400L * 365, &tbs, &err) !=
		0 ||
	    sign_wrap(&by->signer, tbs.data, tbs.len, der, &err) != 0) {
		fprintf(stderr, "  %s: %s\n", label, err.msg);
		exit(1);
	}
	buf_free(&tbs);
	profile_free(profile);
}

static void
add_ca(struct store *store, const char *name, int64_t parent, const struct grant *grant,
    const struct serial *serial, const struct buf *der, int64_t *id)
{
	const struct store_actor actor = { .uid = 0, .now = T0 };
	struct store_new_cert cert = { .serial = *serial,
		.profile = parent == 0 ? "root-ca" : "issuing-ca",
		.holder = grant->holder,
		.use = grant->use,
		.not_before = T0,
		.not_after = T0 + 86400L * 365,
		.der = buf_span(der) };
	bool taken = false;
	int64_t cert_id;
	struct err err;

	ec_pub_hash(&grant->pub, cert.key_hash);
	if (store_ca_add(store, &actor, name, parent, id, &err) != 0)
		goto bad;
	cert.ca = parent == 0 ? *id : parent;
	if (der->len == 0)
		return;
	if (store_cert_add(store, &actor, &cert, &cert_id, &taken, &err) != 0 ||
	    store_ca_set_certificate(store, *id, cert_id, &err) != 0)
		goto bad;
	return;
bad:
	fprintf(stderr, "  %s: %s\n", name, err.msg);
	exit(1);
}

static struct buf root_der, issuing_der;

/* A database with root and issuing, and as many more issuing CAs as wanted. */
static struct store *
make_store(bool second)
{
	static const struct serial one = { { 1, 2, 3, 4, 5, 6, 7, 8 }, 8 };
	static const struct serial two = { { 2, 2, 3, 4, 5, 6, 7, 8 }, 8 };
	static const struct serial three = { { 3, 2, 3, 4, 5, 6, 7, 8 }, 8 };
	struct grant root_grant = { 0 }, grant = { 0 };
	struct store *store = NULL;
	struct issuer issuer;
	struct buf der = { 0 };
	struct cert cert;
	int64_t root, id;
	char path[128];
	struct err err;
	bool fatal;

	snprintf(path, sizeof(path), "%s/smki.db", folder);
	if (store_open(path, STORE_CREATE, &store, &err) != 0 || store_begin(store, &err) != 0) {
		fprintf(stderr, "  %s\n", err.msg);
		exit(1);
	}
	buf_reset(&root_der);
	buf_reset(&issuing_der);
	make_cert(
	    "root-ca", "root", &root_key->signer.pub, root_key, NULL, &one, &root_grant, &root_der);
	require(cert_parse(root_der.data, root_der.len, &cert, NULL) == 0);
	cert_issuer(&cert, &issuer);
	strcpy(issuer.crl_uri, "http://x/r.crl");
	strcpy(issuer.ocsp_uri, "http://x/ocsp");
	strcpy(issuer.ca_uri, "http://x/r.cer");
	make_cert("issuing-ca", "issuing", &issuing_key->signer.pub, root_key, &issuer, &two,
	    &grant, &issuing_der);
	add_ca(store, "root", 0, &root_grant, &one, &root_der, &root);
	add_ca(store, "issuing", root, &grant, &two, &issuing_der, &id);
	if (second) {
		struct softsign *key = softsign_new(EC_P256);

		make_cert("issuing-ca", "second", &key->signer.pub, root_key, &issuer, &three,
		    &grant, &der);
		add_ca(store, "second", root, &grant, &three, &der, &id);
		buf_free(&der);
		softsign_free(key);
	}
	require(store_commit(store, &fatal, &err) == 0);
	return store;
}

static void
close_store(struct store *store)
{
	static const char *const ends[] = { "", "-wal", "-shm" };
	char path[160];

	store_close(store);
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		snprintf(path, sizeof(path), "%s/smki.db%s", folder, ends[i]);
		unlink(path);
	}
}

static struct home *
make_home(const char *url)
{
	struct home *home = mem_alloc(sizeof(*home));

	strcpy(home->url, url);
	home->n_cas = 2;
	home->ca[0] = (struct home_ca){ "root", "root", "root" };
	home->ca[1] = (struct home_ca){ "issuing", "issuing", "issuing" };
	home->n_tokens = 1;
	strcpy(home->token[0].name, "issuing");
	strcpy(home->token[0].conf.token, "smki-issuing");
	return home;
}

static void
test_load(void)
{
	struct store *store = make_store(false);
	struct home *home = make_home("http://ca.example/x"), *bare = make_home("");
	struct caset *set = NULL;
	const struct ca *root = NULL, *issuing = NULL, *only = NULL;
	struct err err;

	CHECK(caset_load(store, home, &set, &err) == 0 && set->n == 2);
	CHECK(caset_pick(set, "root", &root, &err) == 0);
	CHECK(caset_pick(set, "issuing", &issuing, &err) == 0);
	CHECK(root->root && root->parent == root->id && caset_by_id(set, root->id) == root);
	CHECK(!issuing->root && issuing->parent == root->id);
	CHECK_MEM(issuing->der.data, issuing->der.len, issuing_der.data, issuing_der.len);
	CHECK(cert_check_issued(&issuing->cert, &root->cert, &err) == 0);
	CHECK(span_eq(issuing->issuer.subject, issuing->cert.subject));
	CHECK_STR(issuing->issuer.crl_uri, "http://ca.example/x/crl/issuing.crl");
	CHECK_STR(issuing->issuer.ocsp_uri, "http://ca.example/x/ocsp");
	CHECK_STR(root->issuer.ca_uri, "http://ca.example/x/ca/root.cer");
	CHECK(memcmp(issuing->hash.key_sha256, root->hash.key_sha256, 32) != 0);
	CHECK(!root->has_key && !issuing->has_key);
	CHECK(caset_pick(set, NULL, &only, &err) == 0 && only == issuing);
	CHECK(caset_pick(set, "", &only, &err) == 0 && only == issuing);
	CHECK(caset_pick(set, "other", &only, &err) == -1 && err.code == FAIL_NOT_FOUND);
	CHECK_STR(err.msg, "ca other: there is no such CA");
	CHECK(caset_by_id(set, 99) == NULL);
	caset_free(set);

	CHECK(caset_load(store, bare, &set, &err) == 0);
	CHECK_STR(set->ca[1].issuer.crl_uri, "");
	caset_free(set);
	caset_free(NULL);
	close_store(store);
	free(home);
	free(bare);
}

static void
test_several(void)
{
	struct store *store = make_store(true);
	struct home *home = make_home("");
	struct caset *set = NULL;
	const struct ca *ca = NULL;
	struct err err;

	CHECK(caset_load(store, home, &set, &err) == 0 && set->n == 3);
	CHECK(caset_pick(set, NULL, &ca, &err) == -1 && err.code == FAIL_INVALID);
	CHECK(strstr(err.msg, "--ca") != NULL && ca == NULL);
	CHECK(caset_pick(set, "second", &ca, &err) == 0);
	caset_free(set);
	close_store(store);
	free(home);
}

static void
test_incomplete(void)
{
	struct store *store = make_store(false);
	struct home *home = make_home("");
	struct caset *set = NULL;
	const struct grant grant = { 0 };
	const struct buf none = { 0 };
	const struct serial serial = { { 9 }, 1 };
	struct err err;
	int64_t id;
	bool fatal;

	CHECK(store_begin(store, &err) == 0);
	add_ca(store, "half", 1, &grant, &serial, &none, &id);
	CHECK(store_commit(store, &fatal, &err) == 0);
	CHECK(caset_load(store, home, &set, &err) == -1 && set == NULL);
	CHECK_STR(err.msg, "ca half: has no certificate");
	close_store(store);
	free(home);
}

static void
test_bind(void)
{
	struct store *store = make_store(false);
	struct home *home = make_home("");
	struct caset *set = NULL;
	const struct ca *issuing = NULL;
	uint8_t digest[SHA256_LEN] = { 1 };
	struct sign_pending pending;
	uint8_t rs[EC_RS_MAX];
	struct buf sig = { 0 };
	struct err err;

	keys[0] = (struct hsm_key){ "root", root_key };
	keys[1] = (struct hsm_key){ "issuing", issuing_key };
	CHECK(caset_load(store, home, &set, &err) == 0);
	CHECK(caset_pick(set, "issuing", &issuing, &err) == 0);
	/* A token that is away, or without the key, or with another one under its name. */
	token_away = true;
	CHECK(caset_bind(set, home, "issuing", NULL, &err) == -1 && err.code == FAIL_UNAVAILABLE);
	CHECK_STR(err.msg, "ca issuing: token: away");
	token_away = false;
	keys[1].label = "elsewhere";
	CHECK(caset_bind(set, home, "issuing", NULL, &err) == -1 && err.code == FAIL_NOT_FOUND);
	keys[1] = (struct hsm_key){ "issuing", root_key };
	CHECK(caset_bind(set, home, "issuing", NULL, &err) == -1 && err.code == FAIL_DENIED);
	CHECK_STR(err.msg, "ca issuing: key on token smki-issuing is not the certificate's");
	CHECK(!issuing->has_key);

	keys[1].soft = issuing_key;
	CHECK(caset_bind(set, home, "other", NULL, &err) == 0 && !issuing->has_key);
	CHECK(caset_bind(set, home, "issuing", NULL, &err) == 0);
	/* The root's token is another one: its key is not touched. */
	CHECK(issuing->has_key && !set->ca[0].has_key);
	CHECK(sign_digest(&issuing->signer, digest, sizeof(digest), &sig, &err) == 0);
	CHECK(sign_begin(&issuing->signer, digest, sizeof(digest), &pending, &err) == 0 &&
	      sign_end(&pending, rs, &err) == 0);
	CHECK(ec_verify(&issuing->cert.pub, digest, sizeof(digest), buf_span(&sig), &err) == 0);
	buf_free(&sig);
	caset_free(set);
	close_store(store);
	free(home);
}

static const struct test_case cases[] = {
	{ "load", test_load },
	{ "several", test_several },
	{ "incomplete", test_incomplete },
	{ "bind", test_bind },
};

int
main(int argc, char **argv)
{
	int rc;

	folder_make();
	root_key = softsign_new(EC_P256);
	issuing_key = softsign_new(EC_P256);
	rc = test_main(argc, argv, "caset", cases, ARRAY_LEN(cases));
	softsign_free(root_key);
	softsign_free(issuing_key);
	buf_free(&root_der);
	buf_free(&issuing_der);
	folder_end();
	return rc;
}
