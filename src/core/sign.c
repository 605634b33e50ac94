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

int
sign_raw(const struct signer *signer, const uint8_t *digest, size_t len, uint8_t out[EC_RS_MAX],
    struct err *err)
{
	uint8_t rs[EC_RS_MAX] = { 0 };
	struct buf made = { 0 };
	struct err why = { 0 };
	int r = -1;

	require(len == ec_field_len(signer->pub.curve));
	if (signer->sign(signer->ctx, digest, len, rs, err) != 0)
		goto out;
	ec_sig_put(&made, signer->pub.curve, rs);
	if (ec_verify(&signer->pub, digest, len, buf_span(&made), &why) != 0) {
		if (why.code == FAIL_INVALID)
			err_set(err, FAIL_UNAVAILABLE, "token: signature does not verify");
		else
			err_set(err, why.code, "token: %s", why.msg);
		goto out;
	}
	memcpy(out, rs, sizeof(rs));
	r = 0;
out:
	buf_free(&made);
	return r;
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
sign_wrap(
    const struct signer *signer, const uint8_t *tbs, size_t len, struct buf *out, struct err *err)
{
	uint8_t digest[SHA384_LEN], header[10];
	struct buf sig = { 0 }, tail = { 0 };
	size_t digest_len, header_len;
	int r = -1;

	digest_len = ec_digest(signer->pub.curve, tbs, len, digest);
	if (sign_digest(signer, digest, digest_len, &sig, err) != 0)
		goto out;
	ec_sig_alg_put(&tail, signer->pub.curve);
	der_put_octet_bits(&tail, sig.data, sig.len);
	header_len = der_header(DER_SEQUENCE, len + tail.len, header);
	buf_reserve(out, header_len + len + tail.len);
	buf_add(out, header, header_len);
	buf_add(out, tbs, len);
	buf_add(out, tail.data, tail.len);
	r = 0;
out:
	buf_free(&tail);
	buf_free(&sig);
	return r;
}
