/*
 * Keys and signatures: encodings byte for byte, points at the edges of the field, signature
 * values at the edges of 1..n-1, the published vectors of RFC 6979.
 */
#include <pthread.h>

#include "smki/eckey.h"
#include "smki/hex.h"
#include "smki/mem.h"
#include "test.h"

#define SPKI_P256 "3059301306072a8648ce3d020106082a8648ce3d030107034200"
#define SPKI_P384 "3076301006072a8648ce3d020106052b81040022036200"
/* RFC 6979 A.2.5 and A.2.6: public keys, and the signatures of "sample". */
#define X256 "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
#define Y256 "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"
#define R256 "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
#define S256 "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8"
#define N256 "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"
#define X384                                                                                       \
	"ec3a4e415b4e19a4568618029f427fa5da9a8bc4ae92e02e06aae5286b300c64"                         \
	"def8f0ea9055866064a254515480bc13"
#define Y384                                                                                       \
	"8015d9b72d7d57244ea8ef9ac0c621896708a59367f9dfb9f54ca84b3f1c9db1"                         \
	"288b231c3ae0d4fe7344fd2533264720"
#define R384                                                                                       \
	"94edbb92a5ecb8aad4736e56c691916b3f88140666ce9fa73d64c4ea95ad133c"                         \
	"81a648152e44acf96e36dd1e80fabe46"
#define S384                                                                                       \
	"99ef4aeb15f178cea1fe40db2603138f130e740a19624526203b6351d0a3a94f"                         \
	"a329c145786e679e7b82c71a38628ac8"
#define N384                                                                                       \
	"ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf"                         \
	"581a0db248b0a77aecec196accc52973"
#define NULL16 "00000000000000000000000000000000"

/* Octets of hex digits, for tables. */
static struct span
unhex(const char *hex, uint8_t *out, size_t cap)
{
	size_t len;

	require(hex_decode(hex, out, cap, &len) == 0);
	return (struct span){ out, len };
}

static struct ec_pub
pub_of(enum ec_curve curve)
{
	uint8_t point[EC_POINT_MAX];
	struct span s = unhex(
	    curve == EC_P256 ? "04" X256 Y256 : "04" X384 Y384, point, sizeof(point));
	struct ec_pub pub;

	require(ec_pub_from_point(curve, s.p, s.len, &pub, NULL) == 0);
	return pub;
}

static void
test_pub_put(void)
{
	static const struct {
		enum ec_curve curve;
		const char *want;
	} rows[] = {
		{ EC_P256, SPKI_P256 "04" X256 Y256 },
		{ EC_P384, SPKI_P384 "04" X384 Y384 },
	};
	uint8_t want[256];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct ec_pub pub = pub_of(rows[i].curve), back;
		struct buf b = { 0 };
		struct span w = unhex(rows[i].want, want, sizeof(want));
		struct der d;

		ec_pub_put(&b, &pub);
		CHECK_MEM(b.data, b.len, w.p, w.len);
		buf_add_u8(&b, 0x05);
		d = der_from(b.data, b.len);
		CHECK(ec_pub_get(&d, "key", &back, NULL) == 0);
		CHECK(der_span(&d).len == 1);
		CHECK(ec_pub_eq(&pub, &back));
		buf_free(&b);
	}
}

static void
test_pub_get_refuses(void)
{
	static const struct {
		const char *name, *der, *msg;
	} rows[] = {
		{ "nothing", "", "x: RFC 5280 4.1.2.7" },
		{ "not a sequence", "0400", "x: RFC 5280 4.1.2.7" },
		{ "no algorithm", "3000", "x: RFC 5280 4.1.2.7" },
		{ "empty algorithm",
		    "30043000"
		    "0300",
		    "x: RFC 5280 4.1.1.2" },
		{ "rsa", "3011300d06092a864886f70d0101010500030000",
		    "x: RFC 5480 2.1.1: key algorithm 1.2.840.113549.1.1.1 is not id-ecPublicKey" },
		{ "no curve", "300d300906072a8648ce3d02010300",
		    "x: RFC 5480 2.1.1: curve is not named P-256 or P-384" },
		{ "secp256k1", "3014301006072a8648ce3d020106052b8104000a0300",
		    "x: RFC 5480 2.1.1: curve is not named P-256 or P-384 (1.3.132.0.10)" },
		{ "no point", "3017301306072a8648ce3d020106082a8648ce3d0301070300",
		    "x: RFC 5480 2.2" },
		{ "infinity", "3019301306072a8648ce3d020106082a8648ce3d03010703020000",
		    "x: RFC 5480 2.2: point is infinity" },
		{ "compressed",
		    "3039301306072a8648ce3d020106082a8648ce3d030107032200"
		    "03" X256,
		    "x: RFC 5480 2.2: point is not uncompressed" },
		{ "hybrid", SPKI_P256 "07" X256 Y256,
		    "x: RFC 5480 2.2: point is not uncompressed" },
		{ "x and y swapped", SPKI_P256 "04" Y256 X256,
		    "x: RFC 5480 2.2: point is not on the curve" },
		{ "zero point", SPKI_P256 "04" NULL16 NULL16 NULL16 NULL16,
		    "x: RFC 5480 2.2: point is not on the curve" },
		{ "p384 x and y swapped", SPKI_P384 "04" Y384 X384,
		    "x: RFC 5480 2.2: point is not on the curve" },
	};
	uint8_t in[256];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct span s = unhex(rows[i].der, in, sizeof(in));
		struct der d = der_from(s.p, s.len);
		struct ec_pub pub, before;
		struct err err = { 0 };

		memset(&pub, 0x55, sizeof(pub));
		before = pub;
		CHECK_ROW(rows[i].name, ec_pub_get(&d, "x", &pub, &err) == -1);
		CHECK_ROW(rows[i].name, err.code == FAIL_INVALID);
		CHECK_ROW(rows[i].name, strstr(err.msg, rows[i].msg) == err.msg);
		CHECK_ROW(rows[i].name, d.p == s.p);
		CHECK_ROW(rows[i].name, memcmp(&pub, &before, sizeof(pub)) == 0);
	}
}

static void
test_pub_from_point(void)
{
	uint8_t point[EC_POINT_MAX];
	struct span s = unhex("04" X256 Y256, point, sizeof(point));
	struct ec_pub pub, other;
	struct err err = { 0 };

	CHECK(ec_pub_from_point(EC_P256, s.p, s.len, &pub, &err) == 0);
	CHECK(pub.curve == EC_P256 && pub.len == 65);
	CHECK(ec_pub_from_point(EC_P384, s.p, s.len, &other, &err) == -1);
	CHECK_STR(err.msg, "key: RFC 5480 2.2: point has 65 octets, P-384 has 97");
	CHECK(ec_pub_from_point(EC_P256, s.p, s.len - 1, &other, &err) == -1);
	CHECK(ec_pub_from_point(EC_P256, s.p, 0, &other, &err) == -1);
	point[64] ^= 1;
	CHECK(ec_pub_from_point(EC_P256, s.p, s.len, &other, &err) == -1);
	CHECK_STR(err.msg, "key: RFC 5480 2.2: point is not on the curve");
	other = pub_of(EC_P384);
	CHECK(!ec_pub_eq(&pub, &other));
	CHECK(ec_pub_eq(&pub, &pub));
}

/* RFC 5280 4.2.1.2; the digests of this point by another program. */
static void
test_key_ids(void)
{
	static const char hex[] =
	    "04cba623e260b8895cb2947a4519124540ebcacbee4b0abd7bbc7cdf83edbca143"
	    "1b358eceb917243e65aa77f443abd65f51e3766310bc233de2b4f2dde98dc7bd";
	static const char want_long[] = "7ddfd39dc35fa5d3a7a7e649c92a0cfaf1c1648e";
	static const char want_short[] = "492a0cfaf1c1648e";
	static const char want_hash[] =
	    "35928493f90bab9b88d7285aeb4c6d5fd9be6998ea3c2a5d33a196438e6c603f";
	uint8_t point[EC_POINT_MAX], out[SHA256_LEN];
	char text[2 * SHA256_LEN + 1];
	struct span s = unhex(hex, point, sizeof(point));
	struct ec_pub pub;

	CHECK(ec_pub_from_point(EC_P256, s.p, s.len, &pub, NULL) == 0);
	ec_key_id_long(&pub, out);
	hex_encode(out, KEY_ID_LONG, text);
	CHECK_STR(text, want_long);
	ec_key_id_short(&pub, out);
	hex_encode(out, KEY_ID_SHORT, text);
	CHECK_STR(text, want_short);
	ec_pub_hash(&pub, out);
	hex_encode(out, SHA256_LEN, text);
	CHECK_STR(text, want_hash);
}

/* FIPS 180-4 examples: "abc". */
static void
test_digest(void)
{
	uint8_t out[SHA384_LEN];
	char text[2 * SHA384_LEN + 1];

	CHECK(ec_digest(EC_P256, "abc", 3, out) == 32);
	hex_encode(out, 32, text);
	CHECK_STR(text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	CHECK(ec_digest(EC_P384, "abc", 3, out) == 48);
	hex_encode(out, 48, text);
	CHECK_STR(text, "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
			"8086072ba1e7cc2358baeca134c825a7");
	CHECK_STR(ec_curve_str(EC_P256), "P-256");
	CHECK_STR(ec_curve_str(EC_P384), "P-384");
	CHECK(ec_field_len(EC_P256) == 32 && ec_field_len(EC_P384) == 48);
}

/* One value of the table below; NULL stands for the right one. */
static void
verify_row(const char *name, enum ec_curve curve, const char *sig_hex, const char *msg)
{
	uint8_t octets[256], digest[SHA384_LEN];
	struct ec_pub pub = pub_of(curve);
	struct span sig = unhex(sig_hex, octets, sizeof(octets));
	size_t len = ec_digest(curve, "sample", 6, digest);
	struct err err = { 0 };
	int r = ec_verify(&pub, digest, len, sig, &err);

	CHECK_ROW(name, r == (msg == NULL ? 0 : -1));
	if (msg != NULL) {
		CHECK_ROW(name, err.code == FAIL_INVALID);
		CHECK_ROW(name, strstr(err.msg, msg) != NULL);
	}
}

static void
test_verify(void)
{
	static const char form[] = "is not two minimal INTEGERs of P-256",
			  r_out[] = "has r outside", s_out[] = "has s outside",
			  bad[] = "signature does not verify";
	static const char one_less[] =
	    "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632550";
	static const struct {
		const char *name, *sig, *msg;
	} rows[] = {
		{ "right", "3046022100" R256 "022100" S256, NULL },
		{ "swapped", "3046022100" S256 "022100" R256, bad },
		{ "nothing", "", form },
		{ "empty sequence", "3000", form },
		{ "r only", "3023022100" R256, form },
		{ "trailing octet", "3046022100" R256 "022100" S256 "00", form },
		{ "third element", "3048022100" R256 "022100" S256 "0500", form },
		{ "long length", "308146022100" R256 "022100" S256, form },
		{ "indefinite length", "3080022100" R256 "022100" S256 "0000", form },
		{ "in a SET", "3146022100" R256 "022100" S256, form },
		{ "r not minimal", "304702220000" R256 "022100" S256, form },
		{ "r without octets", "30250200022100" S256, form },
		{ "r negative", "30450220" R256 "022100" S256, r_out },
		{ "r = -1", "30260201ff022100" S256, r_out },
		{ "r = 0", "3026020100022100" S256, r_out },
		{ "r = 1", "3026020101022100" S256, bad },
		{ "r = n", "3046022100" N256 "022100" S256, r_out },
		{ "r = 2^256 - 1",
		    "3046022100ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
		    "022100" S256,
		    r_out },
		{ "s negative", "3045022100" R256 "0220" S256, s_out },
		{ "s = 0", "3026022100" R256 "020100", s_out },
		{ "s = 1", "3026022100" R256 "020101", bad },
		{ "s = n", "3046022100" R256 "022100" N256, s_out },
		{ "s of 34 octets", "3047022100" R256 "02220100" S256, form },
	};
	char edge[256];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		verify_row(rows[i].name, EC_P256, rows[i].sig, rows[i].msg);
	snprintf(edge, sizeof(edge), "3046022100%s022100" S256, one_less);
	verify_row("r = n - 1", EC_P256, edge, bad);
	snprintf(edge, sizeof(edge), "3046022100" R256 "022100%s", one_less);
	verify_row("s = n - 1", EC_P256, edge, bad);
	verify_row("p384 right", EC_P384, "3066023100" R384 "023100" S384, NULL);
	verify_row("p384 swapped", EC_P384, "3066023100" S384 "023100" R384, bad);
	verify_row("p384 r = n", EC_P384, "3066023100" N384 "023100" S384, r_out);
	verify_row("p384 s = 0", EC_P384, "3036023100" R384 "020100", s_out);
}

/* -e/d for r makes u1 G + u2 Q infinity; d = 1 (Q = G), so r = n - e. */
static void
test_verify_infinity(void)
{
	static const char g[] = "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
				"4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5";
	uint8_t point[EC_POINT_MAX], digest[32] = { 0 };
	static const uint8_t sig[] = { 0x30, 0x06, 0x02, 0x01, 0x01, 0x02, 0x01, 0x01 };
	struct span s = unhex(g, point, sizeof(point)), n;
	struct ec_pub pub;
	struct err err = { 0 };

	CHECK(ec_pub_from_point(EC_P256, s.p, s.len, &pub, NULL) == 0);
	n = unhex(N256, digest, sizeof(digest));
	digest[n.len - 1]--; /* e = n - 1, r = 1, s = 1 */
	CHECK(ec_verify(&pub, digest, 32, (struct span){ sig, sizeof(sig) }, &err) == -1);
	CHECK(err.code == FAIL_INVALID);
	CHECK_STR(err.msg, "signature does not verify");
}

static void *
verify_thread(void *arg)
{
	struct ec_pub pub = pub_of(EC_P256), big = pub_of(EC_P384);
	uint8_t octets[256], digest[SHA384_LEN];
	struct span sig;
	size_t *bad = arg;

	for (int i = 0; i < 20; i++) {
		sig = unhex("3046022100" R256 "022100" S256, octets, sizeof(octets));
		ec_digest(EC_P256, "sample", 6, digest);
		*bad += ec_verify(&pub, digest, 32, sig, NULL) != 0;
		sig = unhex("3066023100" R384 "023100" S384, octets, sizeof(octets));
		ec_digest(EC_P384, "sample", 6, digest);
		*bad += ec_verify(&big, digest, 48, sig, NULL) != 0;
	}
	return NULL;
}

static void
test_verify_threads(void)
{
	pthread_t threads[4];
	size_t bad[ARRAY_LEN(threads)] = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		require(pthread_create(&threads[i], NULL, verify_thread, &bad[i]) == 0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
		require(pthread_join(threads[i], NULL) == 0);
		CHECK(bad[i] == 0);
	}
}

static void
test_sig_put(void)
{
	static const struct {
		const char *name, *rs, *want;
	} rows[] = {
		{ "high bits", R256 S256, "3046022100" R256 "022100" S256 },
		{ "high bit clear", Y256 Y256, "30440220" Y256 "0220" Y256 },
		{ "one and 128",
		    NULL16 "00000000000000000000000000000001" NULL16
			   "00000000000000000000000000000080",
		    "300702010102020080" },
		{ "zero", NULL16 NULL16 NULL16 NULL16, "3006020100020100" },
	};
	uint8_t rs[EC_RS_MAX], want[256];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf b = { 0 };
		struct span w = unhex(rows[i].want, want, sizeof(want));

		unhex(rows[i].rs, rs, sizeof(rs));
		ec_sig_put(&b, EC_P256, rs);
		CHECK_ROW(rows[i].name, span_eq(buf_span(&b), w));
		buf_free(&b);
	}
	{
		struct buf b = { 0 };
		struct span w = unhex("3066023100" R384 "023100" S384, want, sizeof(want));

		unhex(R384 S384, rs, sizeof(rs));
		ec_sig_put(&b, EC_P384, rs);
		CHECK_MEM(b.data, b.len, w.p, w.len);
		buf_free(&b);
	}
}

static void
test_sig_alg(void)
{
	static const struct {
		const char *name, *der;
		enum ec_curve curve;
		int want;
	} rows[] = {
		{ "sha256", "300a06082a8648ce3d040302", EC_P256, 0 },
		{ "sha384", "300a06082a8648ce3d040303", EC_P384, 0 },
		{ "sha384 on P-256", "300a06082a8648ce3d040303", EC_P256, -1 },
		{ "sha256 on P-384", "300a06082a8648ce3d040302", EC_P384, -1 },
		{ "sha1", "300906072a8648ce3d0401", EC_P256, -1 },
		{ "with NULL", "300c06082a8648ce3d0403020500", EC_P256, -1 },
		{ "empty", "3000", EC_P256, -1 },
		{ "nothing", "", EC_P256, -1 },
		{ "long length", "30810a06082a8648ce3d040302", EC_P256, -1 },
	};
	uint8_t in[64];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct span s = unhex(rows[i].der, in, sizeof(in));
		struct der d = der_from(s.p, s.len);
		struct buf b = { 0 };

		CHECK_ROW(rows[i].name, ec_sig_alg_get(&d, rows[i].curve) == rows[i].want);
		CHECK_ROW(rows[i].name, (d.p == s.p) == (rows[i].want != 0));
		if (rows[i].want == 0) {
			ec_sig_alg_put(&b, rows[i].curve);
			CHECK_ROW(rows[i].name, span_eq(buf_span(&b), s));
		}
		buf_free(&b);
	}
}

static const struct test_case cases[] = {
	{ "pub_put writes RFC 5480", test_pub_put },
	{ "pub_get refuses by clause", test_pub_get_refuses },
	{ "pub_from_point", test_pub_from_point },
	{ "key identifiers", test_key_ids },
	{ "digest goes with curve", test_digest },
	{ "verify at the edges", test_verify },
	{ "verify whose sum is infinity", test_verify_infinity },
	{ "verify in threads", test_verify_threads },
	{ "sig_put is minimal", test_sig_put },
	{ "signature algorithm", test_sig_alg },
};

TEST_MAIN("eckey", cases)
