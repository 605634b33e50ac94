/*
 * The TLS server certificate in the database. Reads only.
 */
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "smki/cert.h"
#include "smki/file.h"
#include "smki/hex.h"
#include "smki/mem.h"
#include "smki/timerule.h"
#include "smki/tlscert.h"

/* Certificates of one key: the service makes one in most of a year. */
#define TLS_ROWS_MAX 256

static int
tls_row_serves(const struct store_cert *row, time_t now)
{
	return row->use == USE_SERVER && row->state == CERT_VALID && now <= row->not_after &&
	       now + CLOCK_BACK_MAX >= row->not_before;
}

/* The CA of a certificate and those above it, as far as clients need them. */
static int
tls_chain_above(
    const struct caset *cas, const struct store_cert *row, struct buf *pem, struct err *err)
{
	const struct ca *ca = caset_by_id(cas, row->ca);

	for (size_t depth = 0; ca != NULL && depth < STORE_CAS_MAX; depth++) {
		if (ca->root)
			return 0;
		pem_encode("CERTIFICATE", ca->der.data, ca->der.len, pem);
		ca = caset_by_id(cas, ca->parent);
	}
	return err_set(err, FAIL_INTERNAL, "tls: ca %s: no root above it", row->ca_name);
}

int
tls_chain_newest(struct store *store, const uint8_t key_hash[SHA256_LEN], const struct caset *cas,
    time_t now, struct buf *chain_pem, struct err *err)
{
	struct store_cert *rows = mem_array(TLS_ROWS_MAX, sizeof(*rows));
	const struct store_cert *newest = NULL;
	struct buf der = { 0 }, pem = { 0 };
	size_t n = 0;
	int r = -1;

	if (store_certs_by_key(store, key_hash, rows, TLS_ROWS_MAX, &n, err) != 0)
		goto out;
	for (size_t i = 0; i < n; i++)
		if (tls_row_serves(&rows[i], now) && (newest == NULL || rows[i].id > newest->id))
			newest = &rows[i];
	if (newest == NULL) {
		err_set(err, FAIL_NOT_FOUND, "tls: no certificate in force for this key");
		goto out;
	}
	if (store_cert_der(store, newest->id, &der, err) != 0)
		goto out;
	pem_encode("CERTIFICATE", der.data, der.len, &pem);
	if (tls_chain_above(cas, newest, &pem, err) != 0)
		goto out;
	buf_add(chain_pem, pem.data, pem.len);
	r = 0;
out:
	buf_free(&pem);
	buf_free(&der);
	free(rows);
	return r;
}

/* The key of the first certificate in a PEM text. FAIL_NOT_FOUND: of none that is ours. */
static int
tls_text_key(const struct buf *text, uint8_t key_hash[SHA256_LEN], struct err *err)
{
	BIO *bio = BIO_new_mem_buf(text->data, (int)text->len);
	char *name = NULL, *header = NULL;
	unsigned char *data = NULL;
	struct cert cert;
	struct err why;
	long len = 0;
	int r = -1;

	require(bio != NULL);
	if (PEM_read_bio(bio, &name, &header, &data, &len) != 1 || strcmp(name, "CERTIFICATE") != 0)
		err_set(err, FAIL_NOT_FOUND, "does not begin with a certificate in PEM");
	else if (cert_parse(data, (size_t)len, &cert, &why) != 0)
		err_set(err, FAIL_NOT_FOUND, "%s", why.msg);
	else
		r = 0;
	if (r == 0)
		ec_pub_hash(&cert.pub, key_hash);
	ERR_clear_error();
	OPENSSL_free(name);
	OPENSSL_free(header);
	OPENSSL_clear_free(data, (size_t)len);
	BIO_free(bio);
	return r;
}

int
tls_cert_newest(struct store *store, const char *chain, struct store_cert *out, struct err *err)
{
	struct store_cert *rows = mem_array(TLS_ROWS_MAX, sizeof(*rows));
	uint8_t key_hash[SHA256_LEN];
	struct buf text = { 0 };
	struct err why;
	size_t n = 0;
	int r = -1;

	if (file_read_regular(chain, TLS_FILE_MAX, &text, &why) != 0) {
		err_set(err, why.code == FAIL_NOT_FOUND ? FAIL_UNAVAILABLE : why.code, "tls: %s",
		    why.msg);
		goto out;
	}
	if (tls_text_key(&text, key_hash, err) != 0) {
		err_prefix(err, "tls: %s", chain);
		goto out;
	}
	if (store_certs_by_key(store, key_hash, rows, TLS_ROWS_MAX, &n, err) != 0)
		goto out;
	/* The newest first. */
	for (size_t i = 0; i < n && r != 0; i++)
		if (rows[i].use == USE_SERVER) {
			*out = rows[i];
			r = 0;
		}
	if (r != 0)
		err_set(err, FAIL_NOT_FOUND,
		    "tls: %s: no server certificate for its key was issued here", chain);
out:
	buf_free(&text);
	free(rows);
	return r;
}
