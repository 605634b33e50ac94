/*
 * Elliptic-curve keys and signatures: the octets by a strict reader of our own, the arithmetic by
 * libcrypto. Nothing reaches libcrypto that is not an uncompressed point of P-256 or P-384 by
 * name, or a signature with r and s in range: explicit parameters, compressed points and foreign
 * algorithms are where key decoders have had their accidents. Must not know whose key it is.
 */
#include <pthread.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/ecerr.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include "smki/eckey.h"
#include "smki/mem.h"

/* What differs between the two curves. order is n, big endian, len octets. */
struct ec_info {
	enum ec_curve curve;
	const char *name;
	const char *group; /* libcrypto's name */
	size_t len;
	size_t oid_len;
	uint8_t oid[8];
	uint8_t sig_oid[8];
	uint8_t order[48];
};

/* RFC 5480 2.1.1.1 and RFC 5758 3.2 identifiers; SP 800-186 3.2.1.3, 3.2.1.4 orders. */
static const struct ec_info ec_info_p256 = {
	.curve = EC_P256,
	.name = "P-256",
	.group = "prime256v1",
	.len = 32,
	.oid_len = 8,
	.oid = { 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07 },
	.sig_oid = { 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02 },
	.order = { 0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff,
	    0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca,
	    0xc2, 0xfc, 0x63, 0x25, 0x51 },
};

static const struct ec_info ec_info_p384 = {
	.curve = EC_P384,
	.name = "P-384",
	.group = "secp384r1",
	.len = 48,
	.oid_len = 5,
	.oid = { 0x2b, 0x81, 0x04, 0x00, 0x22 },
	.sig_oid = { 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03 },
	.order = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xc7, 0x63, 0x4d,
	    0x81, 0xf4, 0x37, 0x2d, 0xdf, 0x58, 0x1a, 0x0d, 0xb2, 0x48, 0xb0, 0xa7, 0x7a, 0xec,
	    0xec, 0x19, 0x6a, 0xcc, 0xc5, 0x29, 0x73 },
};

static const uint8_t ec_oid_public_key[] = { 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01 };

/*
 * A key object of one curve whose point is replaced for each use, and a verification context on
 * it: making either anew costs as much as a verification. One set per thread, because the point
 * is replaced.
 */
struct ec_slot {
	EVP_PKEY *key;
	EVP_PKEY_CTX *ctx;
};

struct ec_thread {
	struct ec_slot p256, p384;
};

static pthread_once_t ec_thread_once = PTHREAD_ONCE_INIT;
static pthread_key_t ec_thread_key;

static const struct ec_info *
ec_info_get(enum ec_curve curve)
{
	switch (curve) {
	case EC_P256:
		return &ec_info_p256;
	case EC_P384:
		return &ec_info_p384;
	}
	require(!"a curve");
	return NULL;
}

size_t
ec_field_len(enum ec_curve curve)
{
	return ec_info_get(curve)->len;
}

const char *
ec_curve_str(enum ec_curve curve)
{
	return ec_info_get(curve)->name;
}

struct span
ec_key_oid(void)
{
	return (struct span){ ec_oid_public_key, sizeof(ec_oid_public_key) };
}

struct span
ec_curve_oid(enum ec_curve curve)
{
	const struct ec_info *info = ec_info_get(curve);

	return (struct span){ info->oid, info->oid_len };
}

struct span
ec_sig_oid(enum ec_curve curve)
{
	const struct ec_info *info = ec_info_get(curve);

	return (struct span){ info->sig_oid, sizeof(info->sig_oid) };
}

static void
ec_slot_clear(struct ec_slot *slot)
{
	EVP_PKEY_CTX_free(slot->ctx);
	EVP_PKEY_free(slot->key);
	slot->ctx = NULL;
	slot->key = NULL;
}

static void
ec_thread_free(void *arg)
{
	struct ec_thread *t = arg;

	ec_slot_clear(&t->p256);
	ec_slot_clear(&t->p384);
	free(t);
}

static void
ec_thread_init(void)
{
	require(pthread_key_create(&ec_thread_key, ec_thread_free) == 0);
}

static struct ec_slot *
ec_thread_slot(enum ec_curve curve)
{
	struct ec_thread *t;

	require(pthread_once(&ec_thread_once, ec_thread_init) == 0);
	t = pthread_getspecific(ec_thread_key);
	if (t == NULL) {
		t = mem_alloc(sizeof(*t));
		require(pthread_setspecific(ec_thread_key, t) == 0);
	}
	return curve == EC_P256 ? &t->p256 : &t->p384;
}

static int
ec_slot_fill(struct ec_slot *slot, const struct ec_info *info, struct err *err)
{
	EVP_PKEY_CTX *ctx = NULL;
	OSSL_PARAM params[2];
	char group[16];
	int r = -1;

	require(strlen(info->group) < sizeof(group));
	strcpy(group, info->group);
	params[0] = OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0);
	params[1] = OSSL_PARAM_construct_end();
	ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	if (ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, &slot->key, EVP_PKEY_KEY_PARAMETERS, params) != 1) {
		err_ssl(err, FAIL_INTERNAL, "%s: no key object", info->name);
		goto out;
	}
	slot->ctx = EVP_PKEY_CTX_new_from_pkey(NULL, slot->key, NULL);
	if (slot->ctx == NULL) {
		err_ssl(err, FAIL_INTERNAL, "%s: no verification context", info->name);
		goto out;
	}
	r = 0;
out:
	if (r != 0)
		ec_slot_clear(slot);
	EVP_PKEY_CTX_free(ctx);
	return r;
}

/*
 * Put a point into the calling thread's key of its curve; 1 when done, 0 when libcrypto refuses
 * the point (it is not on the curve, or a coordinate is not below the field's prime), -1 when
 * there is no key object.
 */
static int
ec_slot_load(
    const struct ec_info *info, const uint8_t *point, struct ec_slot **out, struct err *err)
{
	struct ec_slot *slot = ec_thread_slot(info->curve);

	if (slot->key == NULL && ec_slot_fill(slot, info, err) != 0)
		return -1;
	if (EVP_PKEY_set1_encoded_public_key(slot->key, point, 1 + 2 * info->len) != 1) {
		ERR_clear_error();
		return 0;
	}
	*out = slot;
	return 1;
}

/* RFC 5480 2.2: the first octet decides; anything but 04 never reaches the library. */
static int
ec_point_check(const struct ec_info *info, const char *object, const uint8_t *point, size_t len,
    struct ec_pub *out, struct err *err)
{
	struct ec_slot *slot;

	if (len == 1 && point[0] == 0x00)
		return err_set(err, FAIL_INVALID, "%s: RFC 5480 2.2: point is infinity", object);
	if (len == 0 || point[0] != 0x04)
		return err_set(
		    err, FAIL_INVALID, "%s: RFC 5480 2.2: point is not uncompressed", object);
	if (len != 1 + 2 * info->len)
		return err_set(err, FAIL_INVALID,
		    "%s: RFC 5480 2.2: point has %zu octets, %s has %zu", object, len, info->name,
		    1 + 2 * info->len);
	switch (ec_slot_load(info, point, &slot, err)) {
	case 1:
		break;
	case 0:
		return err_set(
		    err, FAIL_INVALID, "%s: RFC 5480 2.2: point is not on the curve", object);
	default:
		return err_prefix(err, "%s", object);
	}
	memset(out, 0, sizeof(*out));
	out->curve = info->curve;
	memcpy(out->point, point, len);
	out->len = len;
	return 0;
}

int
ec_pub_from_point(
    enum ec_curve curve, const uint8_t *point, size_t len, struct ec_pub *out, struct err *err)
{
	return ec_point_check(ec_info_get(curve), "key", point, len, out, err);
}

/* An OID for a message; one too long to print is called so. */
static void
ec_oid_text(struct span oid, char out[OID_TEXT_LEN])
{
	if (oid_to_text(oid, out) != 0)
		strcpy(out, "over-long OID");
}

/* AlgorithmIdentifier of a key: id-ecPublicKey with one of the two named curves. */
static int
ec_alg_get(struct der *alg, const char *object, const struct ec_info **out, struct err *err)
{
	static const struct ec_info *const curves[] = { &ec_info_p256, &ec_info_p384 };
	struct span oid;
	char text[OID_TEXT_LEN];

	if (der_get_oid(alg, &oid) != 0)
		return err_set(err, FAIL_INVALID,
		    "%s: RFC 5280 4.1.1.2: key algorithm is not an OBJECT IDENTIFIER", object);
	if (!span_eq(oid, (struct span){ ec_oid_public_key, sizeof(ec_oid_public_key) })) {
		ec_oid_text(oid, text);
		return err_set(err, FAIL_INVALID,
		    "%s: RFC 5480 2.1.1: key algorithm %s is not id-ecPublicKey", object, text);
	}
	if (der_end(alg))
		return err_set(err, FAIL_INVALID,
		    "%s: RFC 5480 2.1.1: curve is not named P-256 or P-384 (parameters absent)",
		    object);
	if (der_get_oid(alg, &oid) != 0)
		return err_set(err, FAIL_INVALID,
		    "%s: RFC 5480 2.1.1: curve is not named P-256 or P-384 (parameters are no "
		    "name)",
		    object);
	if (!der_end(alg))
		return err_set(
		    err, FAIL_INVALID, "%s: RFC 5480 2.1.1: bytes after the curve's name", object);
	for (size_t i = 0; i < ARRAY_LEN(curves); i++)
		if (span_eq(oid, (struct span){ curves[i]->oid, curves[i]->oid_len })) {
			*out = curves[i];
			return 0;
		}
	ec_oid_text(oid, text);
	return err_set(err, FAIL_INVALID,
	    "%s: RFC 5480 2.1.1: curve is not named P-256 or P-384 (%s)", object, text);
}

int
ec_pub_get(struct der *d, const char *object, struct ec_pub *out, struct err *err)
{
	const struct ec_info *info = NULL;
	struct der rest = *d, spki, alg;
	struct span point;

	if (der_get(&rest, DER_SEQUENCE, &spki) != 0 || der_get(&spki, DER_SEQUENCE, &alg) != 0)
		return err_set(err, FAIL_INVALID,
		    "%s: RFC 5280 4.1.2.7: SubjectPublicKeyInfo is not a DER SEQUENCE", object);
	if (ec_alg_get(&alg, object, &info, err) != 0)
		return -1;
	if (der_get_octet_bits(&spki, &point) != 0)
		return err_set(err, FAIL_INVALID,
		    "%s: RFC 5480 2.2: subjectPublicKey is not a BIT STRING of whole octets",
		    object);
	if (!der_end(&spki))
		return err_set(err, FAIL_INVALID,
		    "%s: RFC 5280 4.1.2.7: bytes after the subjectPublicKey", object);
	if (ec_point_check(info, object, point.p, point.len, out, err) != 0)
		return -1;
	*d = rest;
	return 0;
}

void
ec_pub_put(struct buf *b, const struct ec_pub *pub)
{
	const struct ec_info *info = ec_info_get(pub->curve);
	size_t spki, alg;

	spki = der_open(b, DER_SEQUENCE);
	alg = der_open(b, DER_SEQUENCE);
	der_put(b, DER_OID, ec_oid_public_key, sizeof(ec_oid_public_key));
	der_put(b, DER_OID, info->oid, info->oid_len);
	der_close(b, alg);
	der_put_octet_bits(b, pub->point, pub->len);
	der_close(b, spki);
}

int
ec_pub_eq(const struct ec_pub *a, const struct ec_pub *b)
{
	return a->curve == b->curve && a->len == b->len && memcmp(a->point, b->point, a->len) == 0;
}

static void
ec_hash(const EVP_MD *md, const void *data, size_t len, uint8_t *out)
{
	require(EVP_Digest(data, len, out, NULL, md, NULL) == 1);
}

void
ec_pub_hash(const struct ec_pub *pub, uint8_t out[SHA256_LEN])
{
	ec_hash(EVP_sha256(), pub->point, pub->len, out);
}

void
ec_key_id_long(const struct ec_pub *pub, uint8_t out[KEY_ID_LONG])
{
	ec_hash(EVP_sha1(), pub->point, pub->len, out);
}

void
ec_key_id_short(const struct ec_pub *pub, uint8_t out[KEY_ID_SHORT])
{
	uint8_t sha1[KEY_ID_LONG];

	ec_key_id_long(pub, sha1);
	memcpy(out, sha1 + KEY_ID_LONG - KEY_ID_SHORT, KEY_ID_SHORT);
	out[0] = (uint8_t)(0x40 | (out[0] & 0x0f));
}

size_t
ec_digest(enum ec_curve curve, const void *data, size_t len, uint8_t out[SHA384_LEN])
{
	const struct ec_info *info = ec_info_get(curve);

	ec_hash(info->curve == EC_P256 ? EVP_sha256() : EVP_sha384(), data, len, out);
	return info->len;
}

/* 1 when a minimal INTEGER's contents are in 1..n-1. */
static int
ec_scalar_ok(const struct ec_info *info, struct span v)
{
	if (v.p[0] & 0x80)
		return 0;
	if (v.p[0] == 0x00) {
		v.p++;
		v.len--;
	}
	if (v.len == 0 || v.len > info->len)
		return 0;
	return v.len < info->len || memcmp(v.p, info->order, info->len) < 0;
}

/* RFC 3279 2.2.3, checked here because libraries differ in what they let pass. */
static int
ec_sig_check(const struct ec_info *info, struct span sig, struct err *err)
{
	struct der d = der_from(sig.p, sig.len), seq;
	struct span r, s;

	if (der_get(&d, DER_SEQUENCE, &seq) != 0 || !der_end(&d) ||
	    der_get_integer(&seq, info->len + 1, &r) != 0 ||
	    der_get_integer(&seq, info->len + 1, &s) != 0 || !der_end(&seq))
		return err_set(err, FAIL_INVALID,
		    "ECDSA-Sig-Value (RFC 3279 2.2.3) is not two minimal INTEGERs of %s",
		    info->name);
	if (!ec_scalar_ok(info, r))
		return err_set(
		    err, FAIL_INVALID, "ECDSA-Sig-Value (RFC 3279 2.2.3) has r outside 1..n-1");
	if (!ec_scalar_ok(info, s))
		return err_set(
		    err, FAIL_INVALID, "ECDSA-Sig-Value (RFC 3279 2.2.3) has s outside 1..n-1");
	return 0;
}

int
ec_verify(const struct ec_pub *pub, const uint8_t *digest, size_t digest_len, struct span sig,
    struct err *err)
{
	const struct ec_info *info = ec_info_get(pub->curve);
	struct ec_slot *slot;
	int ok;

	require(digest_len == info->len && pub->len == 1 + 2 * info->len);
	if (ec_sig_check(info, sig, err) != 0)
		return -1;
	ok = ec_slot_load(info, pub->point, &slot, err);
	if (ok < 0)
		return -1;
	if (ok == 0)
		return err_set(err, FAIL_INVALID, "RFC 5480 2.2: point is not on the curve");
	ERR_clear_error();
	if (EVP_PKEY_verify_init(slot->ctx) != 1)
		return err_ssl(err, FAIL_INTERNAL, "%s: verification", info->name);
	ok = EVP_PKEY_verify(slot->ctx, sig.p, sig.len, digest, digest_len);
	if (ok == 1)
		return 0;
	/*
	 * Who knows the private key can choose r so that the sum in the verification is infinity.
	 * To libcrypto that is an error, to us (and to FIPS 186-5 6.4.2) a bad signature.
	 */
	if (ok < 0 && ERR_GET_REASON(ERR_peek_error()) != EC_R_POINT_AT_INFINITY)
		return err_ssl(err, FAIL_INTERNAL, "%s: verification", info->name);
	ERR_clear_error();
	return err_set(err, FAIL_INVALID, "signature does not verify");
}

/* len big-endian octets as a minimal, non-negative INTEGER. */
static void
ec_scalar_put(struct buf *b, const uint8_t *v, size_t len)
{
	size_t mark;

	while (len > 1 && *v == 0) {
		v++;
		len--;
	}
	mark = der_open(b, DER_INTEGER);
	if (*v & 0x80)
		buf_add_u8(b, 0x00);
	buf_add(b, v, len);
	der_close(b, mark);
}

void
ec_sig_put(struct buf *out, enum ec_curve curve, const uint8_t *rs)
{
	size_t len = ec_field_len(curve);
	size_t mark = der_open(out, DER_SEQUENCE);

	ec_scalar_put(out, rs, len);
	ec_scalar_put(out, rs + len, len);
	der_close(out, mark);
}

void
ec_sig_alg_put(struct buf *b, enum ec_curve curve)
{
	const struct ec_info *info = ec_info_get(curve);
	size_t mark = der_open(b, DER_SEQUENCE);

	der_put(b, DER_OID, info->sig_oid, sizeof(info->sig_oid));
	der_close(b, mark);
}

int
ec_sig_alg_get(struct der *d, enum ec_curve curve)
{
	const struct ec_info *info = ec_info_get(curve);
	struct der rest = *d, alg;
	struct span oid;

	if (der_get(&rest, DER_SEQUENCE, &alg) != 0 || der_get_oid(&alg, &oid) != 0 ||
	    !der_end(&alg) || !span_eq(oid, (struct span){ info->sig_oid, sizeof(info->sig_oid) }))
		return -1;
	*d = rest;
	return 0;
}
