/*
 * The home of bench_crl: how it comes to be. Never part of a program that is installed.
 */
#ifndef BENCH_CRL_H
#define BENCH_CRL_H

#include "smki/store.h"

/* The first CA that is not its own parent. FAIL_NOT_FOUND. */
int bench_crl_issuing(struct store *store, int64_t *ca, struct err *err) MUST_USE;

/*
 * Make the home in dir (its full path), where there is none yet, and fill its database up to n
 * listed certificates. An exit status; 77, meson's word for skipped, where SoftHSM is missing.
 */
int bench_crl_fill(const char *dir, long n) MUST_USE;

#endif
