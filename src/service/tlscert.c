/*
 * The TLS server certificate in the database. Reads only.
 */
#include <stdlib.h>
#include <string.h>

#include "smki/hex.h"
#include "smki/mem.h"
#include "smki/timerule.h"
#include "smki/tlscert.h"

/* Certificates of one key or name: the service makes one in most of a year. */
#define TLS_ROWS_MAX 256
/* init records its certificates before all others: the server's is among these. */
#define TLS_FIRST_ROWS 16

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

static int
tls_cert_first(void *ctx, const struct store_cert *cert, struct err *err)
{
	struct store_cert *first = ctx;

	(void)err;
	if (first->id == 0 && cert->use == USE_SERVER)
		*first = *cert;
	return 0;
}

int
tls_cert_newest(struct store *store, struct store_cert *out, struct err *err)
{
	const struct store_filter filter = { .limit = TLS_FIRST_ROWS };
	struct store_cert *rows = mem_array(TLS_ROWS_MAX, sizeof(*rows)), first = { 0 };
	const struct store_cert *newest = &first;
	size_t n = 0;
	int r = -1;

	if (store_cert_each(store, &filter, tls_cert_first, &first, err) != 0)
		goto out;
	if (first.id == 0) {
		err_set(err, FAIL_NOT_FOUND, "tls: the service has no server certificate");
		goto out;
	}
	if (store_certs_by_holder(store, first.holder.kind, first.holder.name,
		first.holder.name_len, rows, TLS_ROWS_MAX, &n, err) != 0)
		goto out;
	for (size_t i = 0; i < n; i++)
		if (rows[i].use == USE_SERVER && rows[i].id > newest->id)
			newest = &rows[i];
	*out = *newest;
	r = 0;
out:
	free(rows);
	return r;
}
