/*
 * Certificates out of numbers.
 */
#include <string.h>

#include "bench_cert.h"
#include "bench_meter.h"
#include "smki/eckey.h"

#define CERT_SIG_LEN 70

/* Every number once and in no order (the finisher of splitmix64, a bijection). */
static uint64_t
cert_mix(uint64_t x)
{
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

static void
cert_octets(uint64_t x, uint8_t *out, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (i > 0 && i % 8 == 0)
			x = cert_mix(x + UINT64_C(0x9e3779b97f4a7c15));
		out[i] = (uint8_t)(x >> 8 * (i % 8));
	}
}

int
bench_maker_open(const char *dir, struct store *store, struct bench_maker *out, struct err *err)
{
	char path[HOME_PATH_MAX];

	memset(out, 0, sizeof(*out));
	if (home_load(dir, &out->home, err) != 0 ||
	    home_path(&out->home, HOME_POLICIES, path, err) != 0 ||
	    profiles_load(path, &out->profiles, err) != 0 ||
	    caset_load(store, &out->home, &out->cas, err) != 0 ||
	    caset_pick(out->cas, NULL, &out->ca, err) != 0) {
		bench_maker_close(out);
		return -1;
	}
	out->signature = profiles_get(&out->profiles, "device-signature");
	out->agreement = profiles_get(&out->profiles, "device-agreement");
	if (out->signature != NULL && out->agreement != NULL)
		return 0;
	bench_maker_close(out);
	return err_set(err, FAIL_NOT_FOUND, "bench: the home has no device profiles");
}

void
bench_maker_close(struct bench_maker *maker)
{
	profiles_free(&maker->profiles);
	caset_free(maker->cas);
	maker->cas = NULL;
}

int
bench_cert(const struct bench_maker *maker, uint64_t salt, uint64_t i, time_t now, struct buf *der,
    struct store_new_cert *out, struct err *err)
{
	const struct profile *profile = i % 2 == 0 ? maker->signature : maker->agreement;
	struct ec_pub pub = { .curve = EC_P256, .len = 65, .point = { 0x04 } };
	uint8_t sig[CERT_SIG_LEN];
	struct buf tbs = { 0 };
	struct eui64 device;
	struct grant grant;
	size_t whole;
	int r = -1;

	cert_octets(cert_mix(salt + i / 2), device.octets, sizeof(device.octets));
	cert_octets(cert_mix(~salt - i), pub.point + 1, pub.len - 1);
	cert_octets(cert_mix(~salt - i) ^ i, sig, sizeof(sig));
	*out = (struct store_new_cert){ .ca = maker->ca->id, .profile = profile->name };
	cert_octets(cert_mix(salt ^ UINT64_C(0x5eed5eed) ^ i << 1), out->serial.octets, 8);
	out->serial.len = 8;
	out->serial.octets[0] = (uint8_t)(out->serial.octets[0] % 0x7f + 1);
	if (profile_grant_device(profile, &device, BENCH_HW_TYPE, &pub, &grant, err) != 0 ||
	    cert_validity(
		profile, &maker->ca->issuer, now, &out->not_before, &out->not_after, err) != 0 ||
	    cert_build_tbs(profile, &maker->ca->issuer, &grant, &out->serial, out->not_before,
		out->not_after, &tbs, err) != 0)
		goto out;
	buf_reset(der);
	whole = der_open(der, DER_SEQUENCE);
	buf_add(der, tbs.data, tbs.len);
	ec_sig_alg_put(der, maker->ca->issuer.curve);
	der_put_octet_bits(der, sig, sizeof(sig));
	der_close(der, whole);
	out->holder = grant.holder;
	out->use = grant.use;
	ec_pub_hash(&pub, out->key_hash);
	out->der = buf_span(der);
	r = 0;
out:
	buf_free(&tbs);
	return r;
}
