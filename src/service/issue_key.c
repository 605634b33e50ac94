/*
 * Private keys for devices that cannot make their own (RFC 7030 4.4). They are made, handed out
 * once and forgotten: nothing here or above stores one.
 */
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "issue_rules.h"
#include "smki/eckey.h"

static int
key_encode(EVP_PKEY *pkey, struct buf *key, struct err *err)
{
	PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(pkey);
	uint8_t *at;
	int len, r = -1;

	len = info == NULL ? -1 : i2d_PKCS8_PRIV_KEY_INFO(info, NULL);
	if (len <= 0) {
		err_ssl(err, FAIL_INTERNAL, "key: PKCS#8");
		goto out;
	}
	buf_reserve(key, (size_t)len);
	at = key->data + key->len;
	if (i2d_PKCS8_PRIV_KEY_INFO(info, &at) != len) {
		err_ssl(err, FAIL_INTERNAL, "key: PKCS#8");
		goto out;
	}
	key->len += (size_t)len;
	r = 0;
out:
	PKCS8_PRIV_KEY_INFO_free(info); /* wipes its octets */
	return r;
}

int
issue_key_make(enum ec_curve curve, struct buf *key, struct ec_pub *pub, struct err *err)
{
	EVP_PKEY *pkey = EVP_EC_gen(ec_curve_str(curve));
	uint8_t point[EC_POINT_MAX];
	size_t len;
	int r = -1;

	if (pkey == NULL || EVP_PKEY_get_octet_string_param(
				pkey, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point), &len) != 1) {
		err_ssl(err, FAIL_INTERNAL, "key: none can be made");
		goto out;
	}
	if (ec_pub_from_point(curve, point, len, pub, err) != 0 || key_encode(pkey, key, err) != 0)
		goto out;
	r = 0;
out:
	EVP_PKEY_free(pkey);
	return r;
}
