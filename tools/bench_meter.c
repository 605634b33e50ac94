/*
 * Requests of meters, made with libcrypto and the writers of core. Never part of a program that
 * is installed.
 */
#include <stdlib.h>
#include <string.h>

#include <openssl/ec.h>
#include <openssl/evp.h>

#include "bench_meter.h"
#include "smki/eckey.h"
#include "smki/ext.h"
#include "smki/mem.h"
#include "smki/rng.h"

/* RFC 2985 5.4.2 extensionRequest, 1.2.840.113549.1.9.14 */
static const uint8_t meter_ext_request[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x0e };
/* BENCH_HW_TYPE, under the documentation arc */
static const uint8_t meter_hw_type[] = { 0x2b, 0x06, 0x01, 0x04, 0x01, 0x81, 0xfd, 0x59, 0x01,
	0x01 };
#define METER_DIGITAL_SIGNATURE (1u << 0)
#define METER_KEY_AGREEMENT (1u << 4)

static void
meter_extension(struct buf *b, enum ext_id id, const struct buf *value)
{
	size_t extension = der_open(b, DER_SEQUENCE);

	der_put_span(b, DER_OID, ext_oid(id));
	der_put_bool(b, true);
	der_put(b, DER_OCTET_STRING, value->data, value->len);
	der_close(b, extension);
}

/* CertificationRequestInfo (RFC 2986 4.1) with an empty subject. */
static void
meter_info(struct buf *b, const struct ec_pub *pub, const struct eui64 *device, unsigned usage)
{
	const struct span serial = { device->octets, EUI64_LEN };
	const struct span hw_type = { meter_hw_type, sizeof meter_hw_type };
	struct buf value = { 0 };
	size_t info = der_open(b, DER_SEQUENCE), attributes, attribute, values, extensions;

	der_put_small(b, DER_INTEGER, 0);
	der_put(b, DER_SEQUENCE, NULL, 0);
	ec_pub_put(b, pub);
	attributes = der_open(b, DER_CONTEXT(0));
	attribute = der_open(b, DER_SEQUENCE);
	der_put(b, DER_OID, meter_ext_request, sizeof meter_ext_request);
	values = der_open(b, DER_SET);
	extensions = der_open(b, DER_SEQUENCE);
	ext_key_usage_put(&value, usage);
	meter_extension(b, EXT_KEY_USAGE, &value);
	buf_reset(&value);
	ext_hardware_put(&value, hw_type, serial);
	meter_extension(b, EXT_SAN, &value);
	der_close(b, extensions);
	der_close(b, values);
	der_close(b, attribute);
	der_close(b, attributes);
	der_close(b, info);
	buf_free(&value);
}

static int
meter_sign(EVP_PKEY *key, const struct buf *info, struct buf *csr, struct err *err)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	uint8_t sig[128];
	size_t len = sizeof sig, request;
	int r = -1;

	if (md == NULL || EVP_DigestSignInit(md, NULL, EVP_sha256(), NULL, key) != 1 ||
	    EVP_DigestSign(md, sig, &len, info->data, info->len) != 1) {
		err_ssl(err, FAIL_INTERNAL, "meter: request is not signed");
		goto out;
	}
	request = der_open(csr, DER_SEQUENCE);
	buf_add(csr, info->data, info->len);
	ec_sig_alg_put(csr, EC_P256);
	der_put_octet_bits(csr, sig, len);
	der_close(csr, request);
	r = 0;
out:
	EVP_MD_CTX_free(md);
	return r;
}

static int
meter_new(struct bench_meter *meter, const struct eui64 *device, unsigned usage, struct err *err)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	struct buf info = { 0 };
	uint8_t point[EC_POINT_MAX];
	size_t len;
	int r = -1;

	meter->device = *device;
	if (key == NULL ||
	    EVP_PKEY_get_octet_string_param(key, "pub", point, sizeof point, &len) != 1) {
		err_ssl(err, FAIL_INTERNAL, "meter: no key");
		goto out;
	}
	if (ec_pub_from_point(EC_P256, point, len, &meter->pub, err) != 0)
		goto out;
	meter_info(&info, &meter->pub, device, usage);
	r = meter_sign(key, &info, &meter->csr, err);
out:
	buf_free(&info);
	EVP_PKEY_free(key);
	return r;
}

int
bench_meters_new(size_t n, struct bench_meter **out, struct err *err)
{
	struct bench_meter *meters = mem_array(n, sizeof *meters);
	struct eui64 device;

	if (rng_draw(device.octets, 4) != 0) {
		err_set(err, FAIL_INTERNAL, "meter: no random octets");
		goto fail;
	}
	for (size_t i = 0; i < n; i++) {
		uint32_t number = (uint32_t)(i / 2);

		for (int k = 0; k < 4; k++)
			device.octets[7 - k] = (uint8_t)(number >> 8 * k);
		if (meter_new(&meters[i], &device,
			i % 2 == 0 ? METER_DIGITAL_SIGNATURE : METER_KEY_AGREEMENT, err) != 0)
			goto fail;
	}
	*out = meters;
	return 0;
fail:
	bench_meters_free(meters, n);
	return -1;
}

void
bench_meters_free(struct bench_meter *meters, size_t n)
{
	if (meters == NULL)
		return;
	for (size_t i = 0; i < n; i++) {
		buf_free(&meters[i].csr);
		buf_free(&meters[i].cert);
	}
	free(meters);
}
