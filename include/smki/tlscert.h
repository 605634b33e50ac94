/*
 * The certificate of the TLS listener as the front finds it: smkid renews it in the database only,
 * for the key that the front has in its file.
 */
#ifndef SMKI_TLSCERT_H
#define SMKI_TLSCERT_H

#include "smki/caset.h"

/*
 * Append the newest server certificate for this key (SHA-256 of its point) that is valid and in
 * force at now, and the CA certificates above it without the root, in PEM. FAIL_NOT_FOUND when
 * there is none: the file is to be used.
 */
int tls_chain_newest(struct store *store, const uint8_t key_hash[SHA256_LEN],
    const struct caset *cas, time_t now, struct buf *chain_pem, struct err *err) MUST_USE;

/* Octets of a file with a key, or with a certificate and those above it. */
#define TLS_FILE_MAX 65536

/*
 * The newest server certificate for the key of the first one in the PEM file chain, in whatever
 * state: the one that smkid keeps renewing. By the key and not by the name, which others may have,
 * too. FAIL_NOT_FOUND when it is not of this service; the file's failures as file_read_regular(), a missing one
 * FAIL_UNAVAILABLE.
 */
int tls_cert_newest(
    struct store *store, const char *chain, struct store_cert *out, struct err *err) MUST_USE;

#endif
