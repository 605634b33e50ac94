/*
 * Certificates of meters as they stand in the database, made without keys, requests and token: for
 * measurements of what comes after the signature. Nothing verifies them.
 */
#ifndef BENCH_CERT_H
#define BENCH_CERT_H

#include "smki/caset.h"
#include "smki/store.h"

/* What all of them have in common. */
struct bench_maker {
	struct home home;
	struct caset *cas;
	struct profiles profiles;
	const struct ca *ca;
	const struct profile *signature, *agreement;
};
/* From a home and its database. */
int bench_maker_open(
    const char *dir, struct store *store, struct bench_maker *out, struct err *err) MUST_USE;
void bench_maker_close(struct bench_maker *maker);

/*
 * The certificate number i: of meter i / 2, the signature key's when i is even. Serials, keys and
 * EUI-64s come in no order, each number's are always the same, and salt makes others. out's spans
 * borrow der, which is reset.
 */
int bench_cert(const struct bench_maker *maker, uint64_t salt, uint64_t i, time_t now,
    struct buf *der, struct store_new_cert *out, struct err *err) MUST_USE;

#endif
