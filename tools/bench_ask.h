/*
 * OCSP requests for measurements, and asking one at a time over HTTP.
 */
#ifndef BENCH_ASK_H
#define BENCH_ASK_H

#include "smki/cert.h"
#include "smki/ocsp.h"

#define BENCH_NONCE_LEN 32

/* The CA that the certificates are of. der is owned: buf_free. */
struct bench_ca {
	struct buf der;
	struct cert cert; /* borrows der */
	struct ocsp_issuer hash;
};
int bench_ca_load(const char *path, struct bench_ca *out, struct err *err) MUST_USE;

/* Whole HTTP requests for the status of one certificate, appended. nonce NULL = none. */
void bench_ask_post(struct buf *out, const struct bench_ca *ca, const struct serial *serial,
    const uint8_t nonce[BENCH_NONCE_LEN]);
void bench_ask_get(struct buf *out, const struct bench_ca *ca, const struct serial *serial);

/* "ADDR:PORT", of IPv4. */
int bench_ask_connect(const char *where, int *fd, struct err *err) MUST_USE;
/* Send a request, wait for the whole answer into in. FAIL_UNAVAILABLE unless it is 200; body then
 * borrows in. */
int bench_ask(
    int fd, const struct buf *request, struct buf *in, struct span *body, struct err *err) MUST_USE;
/* The status of the first certificate in an OCSPResponse. */
int bench_ask_status(struct span body, enum ocsp_status *out, struct err *err) MUST_USE;

#endif
