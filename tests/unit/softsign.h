/*
 * A signer with its key in memory, for tests: what a token is to the product. It can be told to
 * refuse or to sign wrongly. Never part of a program.
 */
#ifndef SOFTSIGN_H
#define SOFTSIGN_H

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>

#include "smki/mem.h"
#include "smki/sign.h"

struct softsign {
	EVP_PKEY *key; /* for comparison with what libcrypto builds */
	struct signer signer;
	_Atomic unsigned calls; /* workers sign at the same time */
	bool refuse;		/* FAIL_UNAVAILABLE, as a token that is away */
	bool corrupt;		/* one bit of the signature is wrong */
};

static inline int
softsign_sign(void *ctx, const uint8_t *digest, size_t len, uint8_t *rs, struct err *err)
{
	struct softsign *s = ctx;
	EVP_PKEY_CTX *pctx = NULL;
	ECDSA_SIG *sig = NULL;
	uint8_t der[160];
	const uint8_t *p = der;
	size_t der_len = sizeof(der);
	int r = -1, field = s->signer.pub.curve == EC_P256 ? 32 : 48;

	s->calls++;
	if (s->refuse)
		return err_set(err, FAIL_UNAVAILABLE, "token: away");
	pctx = EVP_PKEY_CTX_new(s->key, NULL);
	if (pctx == NULL || EVP_PKEY_sign_init(pctx) != 1 ||
	    EVP_PKEY_sign(pctx, der, &der_len, digest, len) != 1 ||
	    (sig = d2i_ECDSA_SIG(NULL, &p, (long)der_len)) == NULL ||
	    BN_bn2binpad(ECDSA_SIG_get0_r(sig), rs, field) != field ||
	    BN_bn2binpad(ECDSA_SIG_get0_s(sig), rs + field, field) != field) {
		err_ssl(err, FAIL_INTERNAL, "softsign");
		goto out;
	}
	if (s->corrupt)
		rs[field - 1] ^= 1;
	r = 0;
out:
	ECDSA_SIG_free(sig);
	EVP_PKEY_CTX_free(pctx);
	return r;
}

/* A new key; softsign_free() takes it. */
static inline struct softsign *
softsign_new(enum ec_curve curve)
{
	struct softsign *s = mem_alloc(sizeof(*s));

	s->key = EVP_EC_gen(curve == EC_P256 ? "P-256" : "P-384");
	require(s->key != NULL);
	s->signer.pub.curve = curve;
	require(EVP_PKEY_get_octet_string_param(s->key, OSSL_PKEY_PARAM_PUB_KEY,
		    s->signer.pub.point, sizeof(s->signer.pub.point), &s->signer.pub.len) == 1);
	require(s->signer.pub.point[0] == 0x04);
	s->signer.sign = softsign_sign;
	s->signer.ctx = s;
	return s;
}

static inline const struct signer *
softsign_signer(const struct softsign *s)
{
	return &s->signer;
}

static inline void
softsign_free(struct softsign *s)
{
	if (s == NULL)
		return;
	EVP_PKEY_free(s->key);
	free(s);
}

#endif
