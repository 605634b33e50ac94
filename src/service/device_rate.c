/*
 * A table of counts, a minute each, in sets of a few places: one lookup looks at few. It decides by
 * what it remembers; whoever it forgot begins anew.
 */
#include "device_rate.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "smki/hex.h"
#include "smki/mem.h"
#include "smki/rng.h"

#define RATE_SETS 1024
#define RATE_WAYS 4

struct rate_place {
	struct eui64 eui;
	unsigned n; /* 0 = free */
	int64_t begun_ms, newest_ms;
};

struct device_rate {
	pthread_mutex_t lock;
	uint64_t seed;
	struct rate_place place[RATE_SETS][RATE_WAYS];
};

struct device_rate *
device_rate_new(void)
{
	struct device_rate *rate = mem_alloc(sizeof(*rate));

	require(pthread_mutex_init(&rate->lock, NULL) == 0);
	/* Without one, devices that meet in a set can be chosen: these forget each other. */
	if (rng_draw((uint8_t *)&rate->seed, sizeof(rate->seed)) != 0)
		rate->seed = 0;
	return rate;
}

void
device_rate_free(struct device_rate *rate)
{
	if (rate == NULL)
		return;
	pthread_mutex_destroy(&rate->lock);
	free(rate);
}

/* FNV-1a */
static struct rate_place *
rate_set(struct device_rate *rate, const struct eui64 *eui)
{
	uint64_t h = rate->seed ^ 14695981039346656037u;

	for (size_t i = 0; i < EUI64_LEN; i++)
		h = (h ^ eui->octets[i]) * 1099511628211u;
	return rate->place[(h ^ h >> 32) % RATE_SETS];
}

/* The device's place, else a free one, else that of who asked longest ago. */
static struct rate_place *
rate_find(struct device_rate *rate, const struct eui64 *eui)
{
	struct rate_place *set = rate_set(rate, eui), *oldest = set;

	for (size_t i = 0; i < RATE_WAYS; i++) {
		if (set[i].n > 0 && memcmp(&set[i].eui, eui, sizeof(*eui)) == 0)
			return &set[i];
		if (oldest->n > 0 && (set[i].n == 0 || set[i].newest_ms < oldest->newest_ms))
			oldest = &set[i];
	}
	*oldest = (struct rate_place){ .eui = *eui };
	return oldest;
}

int
device_rate_take(struct device_rate *rate, const struct eui64 *eui, int64_t now_ms, struct err *err)
{
	char text[2 * EUI64_LEN + 1];
	struct rate_place *place;
	bool over;

	pthread_mutex_lock(&rate->lock);
	place = rate_find(rate, eui);
	if (place->n == 0 || now_ms - place->begun_ms >= DEVICE_RATE_MS) {
		place->n = 0;
		place->begun_ms = now_ms;
	}
	over = place->n >= DEVICE_RATE_MAX;
	if (!over)
		place->n++;
	place->newest_ms = now_ms;
	pthread_mutex_unlock(&rate->lock);
	if (!over)
		return 0;
	hex_encode(eui->octets, EUI64_LEN, text);
	return err_set(
	    err, FAIL_LIMIT, "device %s: over %d requests in a minute", text, DEVICE_RATE_MAX);
}
