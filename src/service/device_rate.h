/*
 * How often each device has asked lately, so that one that asks without end takes nothing from the
 * others. Bounded: the devices that asked last are remembered. Any thread.
 */
#ifndef SERVICE_DEVICE_RATE_H
#define SERVICE_DEVICE_RATE_H

#include "smki/err.h"
#include "smki/types.h"

/* Requests of one device in a minute. */
#define DEVICE_RATE_MAX 30
#define DEVICE_RATE_MS 60000

struct device_rate;

struct device_rate *device_rate_new(void);
void device_rate_free(struct device_rate *rate);
/* One request at now_ms (CLOCK_MONOTONIC): 0, or FAIL_LIMIT. */
int device_rate_take(
    struct device_rate *rate, const struct eui64 *eui, int64_t now_ms, struct err *err) MUST_USE;

#endif
