/*
 * The one way to sign: what it wraps, what libcrypto thinks of it, and that nothing comes out of
 * a signer that refuses or computes wrongly.
 */
#include "smki/eckey.h"
#include "softsign.h"
#include "test.h"

/* A signer whose r||s is given. */
static int
fixed_sign(void *ctx, const uint8_t *digest, size_t len, uint8_t *rs, struct err *err)
{
	memset(rs, *(uint8_t *)ctx, 2 * len);
	return 0;
}

static void
test_sign_digest(void)
{
	static const enum ec_curve curves[] = { EC_P256, EC_P384 };

	for (size_t i = 0; i < ARRAY_LEN(curves); i++) {
		struct softsign *soft = softsign_new(curves[i]);
		uint8_t digest[SHA384_LEN];
		size_t len = ec_digest(curves[i], "text", 4, digest);
		struct buf sig = { 0 };
		struct err err = { 0 };
		EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(soft->key, NULL);

		buf_add_str(&sig, "x");
		CHECK(sign_digest(softsign_signer(soft), digest, len, &sig, &err) == 0);
		CHECK(sig.len > 1 && sig.data[0] == 'x');
		CHECK(EVP_PKEY_verify_init(ctx) == 1);
		CHECK(EVP_PKEY_verify(ctx, sig.data + 1, sig.len - 1, digest, len) == 1);
		EVP_PKEY_CTX_free(ctx);
		buf_free(&sig);
		softsign_free(soft);
	}
}

/* r||s as it is, and zeros behind it for the shorter curve. */
static void
test_sign_raw(void)
{
	static const enum ec_curve curves[] = { EC_P256, EC_P384 };
	static const uint8_t zeros[EC_RS_MAX];

	for (size_t i = 0; i < ARRAY_LEN(curves); i++) {
		struct softsign *soft = softsign_new(curves[i]);
		uint8_t digest[SHA384_LEN], rs[EC_RS_MAX], kept[EC_RS_MAX];
		size_t len = ec_digest(curves[i], "text", 4, digest);
		struct buf sig = { 0 };
		struct err err = { 0 };

		CHECK(sign_raw(softsign_signer(soft), digest, len, rs, &err) == 0);
		ec_sig_put(&sig, curves[i], rs);
		CHECK(ec_verify(&soft->signer.pub, digest, len, buf_span(&sig), &err) == 0);
		CHECK(memcmp(rs + 2 * len, zeros, sizeof(rs) - 2 * len) == 0);
		memcpy(kept, rs, sizeof(kept));
		soft->corrupt = true;
		CHECK(sign_raw(softsign_signer(soft), digest, len, rs, &err) == -1);
		CHECK_STR(err.msg, "token: signature does not verify");
		CHECK_MEM(rs, sizeof(rs), kept, sizeof(kept));
		buf_free(&sig);
		softsign_free(soft);
	}
}

/* A signer in parts: what it was handed, until the end. */
struct parts {
	struct softsign *soft;
	uint8_t digest[SHA384_LEN];
	size_t len;
	unsigned begun, ended;
};

static int
parts_begin(void *ctx, const uint8_t *digest, size_t len, void **pending, struct err *err)
{
	struct parts *parts = ctx;

	if (parts->soft->refuse)
		return err_set(err, FAIL_UNAVAILABLE, "token: away");
	memcpy(parts->digest, digest, len);
	parts->len = len;
	parts->begun++;
	*pending = parts;
	return 0;
}

static int
parts_end(void *pending, uint8_t *rs, struct err *err)
{
	struct parts *parts = pending;

	parts->ended++;
	return softsign_sign(parts->soft, parts->digest, parts->len, rs, err);
}

static void
test_sign_parts(void)
{
	for (int offered = 0; offered < 2; offered++) {
		struct softsign *soft = softsign_new(EC_P384);
		struct parts parts = { .soft = soft };
		struct signer signer = *softsign_signer(soft);
		uint8_t digest[SHA384_LEN], rs[EC_RS_MAX], kept[EC_RS_MAX];
		size_t len = ec_digest(EC_P384, "text", 4, digest);
		struct sign_pending pending;
		struct buf sig = { 0 };
		struct err err = { 0 };

		if (offered) {
			signer.ctx = &parts;
			signer.begin = parts_begin;
			signer.end = parts_end;
		}
		CHECK(sign_begin(&signer, digest, len, &pending, &err) == 0);
		CHECK(soft->calls == 0);
		CHECK(sign_end(&pending, rs, &err) == 0);
		ec_sig_put(&sig, EC_P384, rs);
		CHECK(ec_verify(&signer.pub, digest, len, buf_span(&sig), &err) == 0);
		/* Verified here, too. */
		memcpy(kept, rs, sizeof(kept));
		CHECK(sign_begin(&signer, digest, len, &pending, &err) == 0);
		soft->corrupt = true;
		CHECK(sign_end(&pending, rs, &err) == -1);
		CHECK_STR(err.msg, "token: signature does not verify");
		CHECK_MEM(rs, sizeof(rs), kept, sizeof(kept));
		soft->refuse = true;
		if (offered) {
			CHECK(sign_begin(&signer, digest, len, &pending, &err) == -1);
		} else {
			CHECK(sign_begin(&signer, digest, len, &pending, &err) == 0);
			CHECK(sign_end(&pending, rs, &err) == -1);
		}
		CHECK(err.code == FAIL_UNAVAILABLE);
		CHECK(parts.begun == (offered ? 2 : 0) && parts.ended == parts.begun);
		buf_free(&sig);
		softsign_free(soft);
	}
}

static void
test_sign_wrap(void)
{
	/* Around 128 and 65536 the outer length changes its form. */
	static const size_t lengths[] = { 2, 40, 50, 60, 100, 200, 65400, 65450, 65500, 70000 };
	static const enum ec_curve curves[] = { EC_P256, EC_P384 };

	for (size_t i = 0; i < ARRAY_LEN(lengths) * ARRAY_LEN(curves); i++) {
		enum ec_curve curve = curves[i % ARRAY_LEN(curves)];
		struct softsign *soft = softsign_new(curve);
		struct buf tbs = { 0 }, out = { 0 };
		uint8_t digest[SHA384_LEN];
		size_t mark, digest_len;
		struct err err = { 0 };
		struct span whole, sig;
		struct der d, seq;

		mark = der_open(&tbs, DER_SEQUENCE);
		for (size_t n = 0; n + 2 < lengths[i / ARRAY_LEN(curves)]; n += 2)
			buf_add(&tbs, "\x05\x00", 2);
		der_close(&tbs, mark);
		CHECK(sign_wrap(softsign_signer(soft), tbs.data, tbs.len, &out, &err) == 0);
		d = der_from(out.data, out.len);
		CHECK(der_get(&d, DER_SEQUENCE, &seq) == 0 && der_end(&d));
		CHECK(der_get_any(&seq, NULL, NULL, &whole) == 0);
		CHECK_MEM(whole.p, whole.len, tbs.data, tbs.len);
		CHECK(ec_sig_alg_get(&seq, curve) == 0);
		CHECK(der_get_octet_bits(&seq, &sig) == 0 && der_end(&seq));
		digest_len = ec_digest(curve, tbs.data, tbs.len, digest);
		CHECK(ec_verify(&soft->signer.pub, digest, digest_len, sig, &err) == 0);
		buf_free(&out);
		buf_free(&tbs);
		softsign_free(soft);
	}
}

static void
test_sign_refuses(void)
{
	static const struct {
		const char *name;
		int how; /* 1 refuse, 2 corrupt, 3 all 00, 4 all ff, 5 another's key */
		const char *msg;
	} rows[] = {
		{ "token away", 1, "token: away" },
		{ "one bit wrong", 2, "token: signature does not verify" },
		{ "r = s = 0", 3, "token: signature does not verify" },
		{ "r and s over n", 4, "token: signature does not verify" },
		{ "key of another", 5, "token: signature does not verify" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct softsign *soft = softsign_new(EC_P256), *other = softsign_new(EC_P256);
		struct signer signer = *softsign_signer(soft);
		uint8_t octet = rows[i].how == 3 ? 0x00 : 0xff;
		struct buf out = { 0 };
		struct err err = { 0 };

		soft->refuse = rows[i].how == 1;
		soft->corrupt = rows[i].how == 2;
		if (rows[i].how == 3 || rows[i].how == 4) {
			signer.sign = fixed_sign;
			signer.ctx = &octet;
		}
		if (rows[i].how == 5)
			signer.ctx = other;
		buf_add_str(&out, "kept");
		CHECK_ROW(rows[i].name,
		    sign_wrap(&signer, (const uint8_t *)"\x30\x00", 2, &out, &err) == -1);
		CHECK_ROW(rows[i].name, err.code == FAIL_UNAVAILABLE);
		CHECK_STR(err.msg, rows[i].msg);
		CHECK_MEM(out.data, out.len, "kept", 4);
		buf_free(&out);
		softsign_free(other);
		softsign_free(soft);
	}
}

static const struct test_case cases[] = {
	{ "digest: libcrypto agrees", test_sign_digest },
	{ "r||s: verified first", test_sign_raw },
	{ "in two parts", test_sign_parts },
	{ "wrap: three elements, any length", test_sign_wrap },
	{ "nothing comes out of a bad signer", test_sign_refuses },
};

TEST_MAIN("sign", cases)
