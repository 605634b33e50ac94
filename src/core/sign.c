/*
 * The one way to sign. The signer is handed in; what it returns is verified with its own public
 * key before anybody sees it, so a token that computes wrongly cannot put a false signature into
 * the world. Must not know what the signed bytes mean.
 */
#include <string.h>

#include "smki/der.h"
#include "smki/eckey.h"
#include "smki/mem.h"
#include "smki/sign.h"

/* 0 when r||s is a signature of this digest. */
static int
sign_verify(const struct signer *signer, const uint8_t *digest, size_t len, const uint8_t *rs,
    struct err *err)
{
	struct buf made = { 0 };
	struct err why = { 0 };
	int r;

	ec_sig_put(&made, signer->pub.curve, rs);
	r = ec_verify(&signer->pub, digest, len, buf_span(&made), &why);
	if (r != 0 && why.code == FAIL_INVALID)
		err_set(err, FAIL_UNAVAILABLE, "token: signature does not verify");
	else if (r != 0)
		err_set(err, why.code, "token: %s", why.msg);
	buf_free(&made);
	return r == 0 ? 0 : -1;
}

int
sign_begin(const struct signer *signer, const uint8_t *digest, size_t len, struct sign_pending *out,
    struct err *err)
{
	struct sign_pending pending = { .signer = signer, .len = len };

	require(len == ec_field_len(signer->pub.curve));
	memcpy(pending.digest, digest, len);
	if (signer->begin != NULL &&
	    signer->begin(signer->ctx, digest, len, &pending.pending, err) != 0)
		return -1;
	*out = pending;
	return 0;
}

int
sign_end(struct sign_pending *pending, uint8_t out[EC_RS_MAX], struct err *err)
{
	const struct signer *signer = pending->signer;
	uint8_t rs[EC_RS_MAX] = { 0 };
	int r;

	if (signer->begin != NULL)
		r = signer->end(pending->pending, rs, err);
	else
		r = signer->sign(signer->ctx, pending->digest, pending->len, rs, err);
	pending->pending = NULL;
	if (r != 0 || sign_verify(signer, pending->digest, pending->len, rs, err) != 0)
		return -1;
	memcpy(out, rs, sizeof(rs));
	return 0;
}

int
sign_raw(const struct signer *signer, const uint8_t *digest, size_t len, uint8_t out[EC_RS_MAX],
    struct err *err)
{
	uint8_t rs[EC_RS_MAX] = { 0 };

	require(len == ec_field_len(signer->pub.curve));
	if (signer->sign(signer->ctx, digest, len, rs, err) != 0 ||
	    sign_verify(signer, digest, len, rs, err) != 0)
		return -1;
	memcpy(out, rs, sizeof(rs));
	return 0;
}

int
sign_digest(const struct signer *signer, const uint8_t *digest, size_t len, struct buf *sig,
    struct err *err)
{
	uint8_t rs[EC_RS_MAX];

	if (sign_raw(signer, digest, len, rs, err) != 0)
		return -1;
	ec_sig_put(sig, signer->pub.curve, rs);
	return 0;
}

int
sign_wrap_begin(const struct signer *signer, const uint8_t *tbs, size_t len,
    struct sign_pending *out, struct err *err)
{
	uint8_t digest[SHA384_LEN];
	size_t digest_len = ec_digest(signer->pub.curve, tbs, len, digest);

	return sign_begin(signer, digest, digest_len, out, err);
}

int
sign_wrap_end(
    struct sign_pending *pending, const uint8_t *tbs, size_t len, struct buf *out, struct err *err)
{
	enum ec_curve curve = pending->signer->pub.curve;
	uint8_t rs[EC_RS_MAX], header[10];
	struct buf sig = { 0 }, tail = { 0 };
	size_t header_len;

	if (sign_end(pending, rs, err) != 0)
		return -1;
	ec_sig_put(&sig, curve, rs);
	ec_sig_alg_put(&tail, curve);
	der_put_octet_bits(&tail, sig.data, sig.len);
	header_len = der_header(DER_SEQUENCE, len + tail.len, header);
	buf_reserve(out, header_len + len + tail.len);
	buf_add(out, header, header_len);
	buf_add(out, tbs, len);
	buf_add(out, tail.data, tail.len);
	buf_free(&tail);
	buf_free(&sig);
	return 0;
}

int
sign_wrap(
    const struct signer *signer, const uint8_t *tbs, size_t len, struct buf *out, struct err *err)
{
	struct sign_pending pending;

	if (sign_wrap_begin(signer, tbs, len, &pending, err) != 0)
		return -1;
	return sign_wrap_end(&pending, tbs, len, out, err);
}
