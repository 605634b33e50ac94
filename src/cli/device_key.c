/*
 * A device's public key as an operator has it, to the hash that the register pins. No private key
 * is read on purpose: one that is given is refused by its name.
 */
#include <string.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "device.h"
#include "smki/csr.h"
#include "smki/eckey.h"
#include "smki/file.h"
#include "smki/hex.h"
#include "smki/mem.h"

#define DEVICE_KEY_FILE_MAX (4 * ANCHOR_CERT_MAX)

/* The SubjectPublicKeyInfo of a decoded object into spki. */
static int
device_key_spki(X509_PUBKEY *pubkey, struct buf *spki)
{
	unsigned char *der = NULL;
	int len = pubkey == NULL ? -1 : i2d_X509_PUBKEY(pubkey, &der);

	if (len <= 0)
		return -1;
	buf_add(spki, der, (size_t)len);
	OPENSSL_free(der);
	return 0;
}

/* One of the three objects, all of the octets. */
static int
device_key_der(const uint8_t *der, size_t len, struct buf *spki)
{
	const unsigned char *p = der;
	const unsigned char *end = der + len;
	X509_PUBKEY *pubkey = d2i_X509_PUBKEY(NULL, &p, (long)len);
	X509_REQ *request = NULL;
	X509 *cert = NULL;
	int r = -1;

	if (pubkey != NULL && p == end) {
		r = device_key_spki(pubkey, spki);
		goto out;
	}
	p = der;
	cert = d2i_X509(NULL, &p, (long)len);
	if (cert != NULL && p == end) {
		r = device_key_spki(X509_get_X509_PUBKEY(cert), spki);
		goto out;
	}
	p = der;
	request = d2i_X509_REQ(NULL, &p, (long)len);
	if (request != NULL && p == end)
		r = device_key_spki(X509_REQ_get_X509_PUBKEY(request), spki);
out:
	X509_PUBKEY_free(pubkey);
	X509_free(cert);
	X509_REQ_free(request);
	ERR_clear_error();
	return r;
}

static int
device_key_file(const char *path, struct buf *spki, struct err *err)
{
	char *name = NULL, *header = NULL;
	unsigned char *data = NULL;
	struct buf text = { 0 };
	BIO *mem = NULL;
	long len = 0;
	int r = -1;

	if (file_read(path, DEVICE_KEY_FILE_MAX, &text, err) != 0)
		goto out;
	if (text.len != 0 && text.data[0] == DER_SEQUENCE) {
		r = device_key_der(text.data, text.len, spki);
	} else {
		mem = BIO_new_mem_buf(text.data, (int)text.len);
		/* What openssl ecparam puts before a key says nothing about whose it is. */
		while (
		    mem != NULL && r != 0 && PEM_read_bio(mem, &name, &header, &data, &len) == 1) {
			if (strstr(name, "PRIVATE KEY") != NULL) {
				err_set(err, FAIL_INVALID,
				    "%s: holds a private key; give the public one", path);
				goto out;
			}
			r = device_key_der(data, (size_t)len, spki);
			OPENSSL_free(name);
			OPENSSL_free(header);
			OPENSSL_free(data);
			name = header = NULL;
			data = NULL;
		}
		ERR_clear_error();
	}
	if (r != 0)
		err_set(err, FAIL_INVALID,
		    "%s: RFC 7468: no public key, certificate or request in PEM or DER", path);
out:
	OPENSSL_free(name);
	OPENSSL_free(header);
	if (data != NULL)
		OPENSSL_clear_free(data, (size_t)len);
	BIO_free(mem);
	buf_wipe(&text);
	return r;
}

int
device_key(const char *text, uint8_t out[SHA256_LEN], struct err *err)
{
	uint8_t hash[SHA256_LEN];
	struct buf spki = { 0 };
	struct ec_pub pub;
	struct der der;
	size_t len;
	int r = -1;

	if (strlen(text) == 2 * SHA256_LEN && hex_decode(text, hash, sizeof(hash), &len) == 0 &&
	    len == SHA256_LEN) {
		memcpy(out, hash, SHA256_LEN);
		return 0;
	}
	if (device_key_file(text, &spki, err) != 0)
		goto out;
	der = der_from(spki.data, spki.len);
	/* A key in another form would never match: requests are read as strictly. */
	if (ec_pub_get(&der, text, &pub, err) != 0)
		goto out;
	if (EVP_Digest(spki.data, spki.len, out, NULL, EVP_sha256(), NULL) != 1) {
		err_ssl(err, FAIL_INTERNAL, "%s: SHA-256", text);
		goto out;
	}
	r = 0;
out:
	buf_free(&spki);
	return r;
}
