/*
 * Requests as meters make them, for measurements: an own key each, HardwareModuleName, one key
 * usage.
 */
#ifndef BENCH_METER_H
#define BENCH_METER_H

#include "smki/types.h"

struct bench_meter {
	struct eui64 device;
	struct ec_pub pub;
	struct buf csr;	 /* DER */
	struct buf cert; /* what came back for it */
	struct serial serial;
};

/* hwType of all of them. */
#define BENCH_HW_TYPE "1.3.6.1.4.1.32473.1.1"

/* n requests of n / 2 meters: one key for digital signature and one for key agreement each. Two
 * calls never make the same meter. */
int bench_meters_new(size_t n, struct bench_meter **out, struct err *err) MUST_USE;
void bench_meters_free(struct bench_meter *meters, size_t n);

#endif
