/*
 * The CAs of a home, read from the database once and then only looked at. A CA's key is used
 * only after its public half was found to be the certificate's.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "smki/caset.h"
#include "smki/mem.h"

/* URL/crl/NAME.crl, URL/ocsp, URL/ca/NAME.cer. Without a URL they stay empty. */
int
caset_uris(const char *url, const char *ca, struct issuer *is, struct err *err)
{
	const size_t cap = sizeof(is->crl_uri);

	if (url[0] == '\0')
		return 0;
	if ((size_t)snprintf(is->crl_uri, cap, "%s/crl/%s.crl", url, ca) >= cap ||
	    (size_t)snprintf(is->ocsp_uri, cap, "%s/ocsp", url) >= cap ||
	    (size_t)snprintf(is->ca_uri, cap, "%s/ca/%s.cer", url, ca) >= cap)
		return err_set(
		    err, FAIL_INVALID, "ca %s: URI is longer than %zu octets", ca, cap - 1);
	return 0;
}

int
caset_list_uri(
    const struct ca *ca, const struct crl_which *which, char out[URI_MAX], struct err *err)
{
	const char *uri = ca->issuer.crl_uri;
	int stem = (int)(strlen(uri) - strlen(".crl")), n = -1;

	if (uri[0] == '\0')
		return err_set(err, FAIL_INVALID,
		    "ca %s: its lists have no URI: run smki init with --url", ca->name);
	switch (which->kind) {
	case CRL_COMPLETE:
		n = snprintf(out, URI_MAX, "%s", uri);
		break;
	case CRL_DELTA:
		n = snprintf(out, URI_MAX, "%.*s-delta.crl", stem, uri);
		break;
	case CRL_SHARD:
		n = snprintf(out, URI_MAX, "%.*s-%" PRId64 ".crl", stem, uri, which->shard);
		break;
	}
	if (n < 0 || n >= URI_MAX)
		return err_set(err, FAIL_INVALID, "ca %s: URI is longer than %d octets", ca->name,
		    URI_MAX - 1);
	return 0;
}

static int
ca_load(struct ca *ca, const struct store_ca *row, struct store *store, const struct home *home,
    struct err *err)
{
	ca->id = row->id;
	ca->parent = row->parent;
	ca->root = row->parent == row->id;
	strcpy(ca->name, row->name);
	if (row->certificate == 0)
		return err_set(err, FAIL_CONFLICT, "ca %s: has no certificate", ca->name);
	if (store_cert_der(store, row->certificate, &ca->der, err) != 0 ||
	    cert_parse(ca->der.data, ca->der.len, &ca->cert, err) != 0)
		return err_prefix(err, "ca %s", ca->name);
	if (!ca->cert.ca || (ca->cert.key_usage & KEY_USAGE_KEY_CERT_SIGN) == 0)
		return err_set(err, FAIL_INVALID,
		    "ca %s: RFC 5280 4.2.1.9: its certificate is not a CA's", ca->name);
	cert_issuer(&ca->cert, &ca->issuer);
	ocsp_issuer_hash(ca->cert.subject, &ca->cert.pub, &ca->hash);
	return caset_uris(home->url, ca->name, &ca->issuer, err);
}

int
caset_load(struct store *store, const struct home *home, struct caset **out, struct err *err)
{
	struct store_ca rows[STORE_CAS_MAX];
	struct caset *set = NULL;
	size_t n = 0;
	int rc = -1;

	if (store_ca_list(store, rows, &n, err) != 0)
		return -1;
	require(n <= STORE_CAS_MAX);
	set = mem_alloc(sizeof(*set));
	for (; set->n < n; set->n++)
		if (ca_load(&set->ca[set->n], &rows[set->n], store, home, err) != 0)
			goto out;
	*out = set;
	set = NULL;
	rc = 0;
out:
	caset_free(set);
	return rc;
}

void
caset_free(struct caset *set)
{
	if (set == NULL)
		return;
	for (size_t i = 0; i < STORE_CAS_MAX; i++)
		buf_free(&set->ca[i].der);
	free(set);
}

/* The key of one CA on this token; NULL when it is on another one or on none. */
static int
ca_find_key(const struct ca *ca, const struct home *home, const char *token_name, struct hsm *hsm,
    struct hsm_key **out, struct err *err)
{
	const struct home_ca *where = home_ca(home, ca->name);
	const struct home_token *token = home_token(home, token_name);
	struct hsm_key *key = NULL;

	*out = NULL;
	if (where == NULL || strcmp(where->token, token_name) != 0)
		return 0;
	if (hsm_key_find(hsm, where->key, &key, err) != 0)
		return err_prefix(err, "ca %s", ca->name);
	if (!ec_pub_eq(hsm_key_pub(key), &ca->cert.pub))
		return err_set(err, FAIL_DENIED, "ca %s: key on token %s is not the certificate's",
		    ca->name, token != NULL ? token->conf.token : token_name);
	*out = key;
	return 0;
}

int
caset_bind(struct caset *set, const struct home *home, const char *token_name, struct hsm *hsm,
    struct err *err)
{
	struct hsm_key *keys[STORE_CAS_MAX];

	for (size_t i = 0; i < set->n; i++)
		if (ca_find_key(&set->ca[i], home, token_name, hsm, &keys[i], err) != 0)
			return -1;
	for (size_t i = 0; i < set->n; i++) {
		if (keys[i] == NULL)
			continue;
		set->ca[i].signer = (struct signer){
			.pub = set->ca[i].cert.pub,
			.sign = hsm_sign,
			.ctx = keys[i],
			.begin = hsm_sign_begin,
			.end = hsm_sign_end,
		};
		set->ca[i].has_key = true;
	}
	return 0;
}

const struct ca *
caset_by_id(const struct caset *set, int64_t id)
{
	for (size_t i = 0; i < set->n; i++)
		if (set->ca[i].id == id)
			return &set->ca[i];
	return NULL;
}

static int
caset_pick_only(const struct caset *set, const struct ca **out, struct err *err)
{
	const struct ca *only = NULL;

	for (size_t i = 0; i < set->n; i++) {
		if (set->ca[i].root)
			continue;
		if (only != NULL)
			return err_set(err, FAIL_INVALID,
			    "ca: there are several issuing CAs; name one with --ca");
		only = &set->ca[i];
	}
	if (only == NULL)
		return err_set(err, FAIL_NOT_FOUND, "ca: there is no issuing CA");
	*out = only;
	return 0;
}

int
caset_pick(const struct caset *set, const char *name, const struct ca **out, struct err *err)
{
	if (name == NULL || name[0] == '\0')
		return caset_pick_only(set, out, err);
	for (size_t i = 0; i < set->n; i++)
		if (strcmp(set->ca[i].name, name) == 0) {
			*out = &set->ca[i];
			return 0;
		}
	return err_set(err, FAIL_NOT_FOUND, "ca %.80s: there is no such CA", name);
}

int
caset_stands(struct store *store, int64_t ca, time_t now, bool *stands, struct err *err)
{
	struct store_ca rows[STORE_CAS_MAX];
	struct store_cert own;
	size_t n = 0, at;
	bool root = false, valid = true;

	if (store_ca_list(store, rows, &n, err) != 0)
		return -1;
	for (size_t depth = 0; depth < n && valid && !root; depth++) {
		for (at = 0; at < n && rows[at].id != ca; at++)
			;
		valid = at < n && rows[at].certificate != 0;
		if (valid && store_cert_get(store, rows[at].certificate, &own, err) != 0)
			return -1;
		valid = valid && own.state == CERT_VALID && now >= own.not_before &&
			now <= own.not_after;
		root = valid && rows[at].parent == ca;
		ca = valid ? rows[at].parent : ca;
	}
	*stands = root;
	return 0;
}
