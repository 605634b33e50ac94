/*
 * How often a device may ask: the minute, its end, others beside, and more devices than places.
 */
#include "../../src/service/device_rate.h"
#include "test.h"

static struct eui64
numbered(unsigned n)
{
	return (struct eui64){ { 0, 0xdb, 0, 0, (uint8_t)(n >> 24), (uint8_t)(n >> 16),
	    (uint8_t)(n >> 8), (uint8_t)n } };
}

static void
test_minute(void)
{
	struct device_rate *rate = device_rate_new();
	struct eui64 one = numbered(1), two = numbered(2);
	const int64_t from = 5000;
	struct err err;

	for (int i = 0; i < DEVICE_RATE_MAX; i++)
		CHECK(device_rate_take(rate, &one, from + i, &err) == 0);
	CHECK(device_rate_take(rate, &one, from + 100, &err) == -1);
	CHECK(err.code == FAIL_LIMIT);
	CHECK_STR(err.msg, "device 00db000000000001: over 30 requests in a minute");
	CHECK(device_rate_take(rate, &two, from + 100, &err) == 0);
	CHECK(device_rate_take(rate, &one, from + DEVICE_RATE_MS - 1, &err) == -1);
	CHECK(device_rate_take(rate, &one, from + DEVICE_RATE_MS, &err) == 0);
	device_rate_free(rate);
}

/* A fleet asks beside: whoever asks without end is not forgotten for it. */
static void
test_many(void)
{
	struct device_rate *rate = device_rate_new();
	struct eui64 one = numbered(1), other;
	unsigned granted = 0;
	struct err err;

	for (unsigned i = 0; i < 20000; i++) {
		other = numbered(100 + i);
		CHECK(device_rate_take(rate, &other, (int64_t)i, &err) == 0);
		granted += device_rate_take(rate, &one, (int64_t)i, &err) == 0;
	}
	CHECK(granted == DEVICE_RATE_MAX);
	device_rate_free(rate);
}

static const struct test_case cases[] = {
	{ "a minute", test_minute },
	{ "more devices than places", test_many },
};
TEST_MAIN("device_rate", cases)
