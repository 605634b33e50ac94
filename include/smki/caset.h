/*
 * The CAs of a home as the daemons need them: certificate, hashes, URIs and, in smkid, the key.
 */
#ifndef SMKI_CASET_H
#define SMKI_CASET_H

#include "smki/home.h"
#include "smki/ocsp.h"
#include "smki/store_crl.h"

struct ca {
	int64_t id;
	char name[NAME_LEN];
	int64_t parent;
	bool root; /* its own parent: signs in ceremony verbs only */
	struct buf der;
	struct cert cert;     /* borrows der */
	struct issuer issuer; /* borrows der; URIs from home->url */
	struct ocsp_issuer hash;
	bool has_key;
	struct signer signer; /* usable when has_key */
};

struct caset {
	size_t n;
	struct ca ca[STORE_CAS_MAX];
};

/* From the database; URIs are URL/crl/NAME.crl, URL/ocsp, URL/ca/NAME.cer. *out for caset_free. */
int caset_load(
    struct store *store, const struct home *home, struct caset **out, struct err *err) MUST_USE;
void caset_free(struct caset *set);
/* The URIs of a CA of this name into is; url "" = none. Too long: FAIL_INVALID. */
int caset_uris(const char *url, const char *ca, struct issuer *is, struct err *err) MUST_USE;

/* Whether the CA with this number and all above it are valid at now, as the database has them. */
int caset_stands(
    struct store *store, int64_t ca, time_t now, bool *stands, struct err *err) MUST_USE;

/* Where lists of which are published: the CA's own CRL URI, with "-delta" or "-SHARD" behind the
 * name. FAIL_INVALID when the CA has no URI or it would be too long. */
int caset_list_uri(const struct ca *ca, const struct crl_which *which, char out[URI_MAX],
    struct err *err) MUST_USE;

/*
 * Bind each CA whose [ca NAME] token is token_name to its key; the token's public key must be the
 * certificate's: FAIL_DENIED "ca issuing: key on token smki-issuing is not the certificate's".
 */
int caset_bind(struct caset *set, const struct home *home, const char *token_name, struct hsm *hsm,
    struct err *err) MUST_USE;

const struct ca *caset_by_id(const struct caset *set, int64_t id);
/* name NULL or "" = the only CA that is not a root (several: FAIL_INVALID asking for --ca).
 * FAIL_NOT_FOUND "ca NAME: ...". */
int caset_pick(
    const struct caset *set, const char *name, const struct ca **out, struct err *err) MUST_USE;

#endif
