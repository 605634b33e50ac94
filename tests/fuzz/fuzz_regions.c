/*
 * Fuzz target: regions.cnf. What is read can be chosen from whatever a meter tells, always with the
 * same answer, and holds what its reader promises.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "smki/mem.h"
#include "smki/region.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
fuzz_region(const struct regions *regions, const struct region *r)
{
	require(name_check("fuzz", r->name, NULL) == 0);
	require(regions_get(regions, r->name) == r);
	require(r->n_endpoints >= 1 && r->n_endpoints <= REGION_ENDPOINTS_MAX);
	for (size_t i = 0; i < r->n_endpoints; i++) {
		require(name_check("fuzz", r->endpoint[i].name, NULL) == 0);
		require(strstr(r->endpoint[i].url, "://") != NULL);
		require(strpbrk(r->endpoint[i].url, " \"\\<>") == NULL);
	}
	for (size_t i = 0; i < r->n_countries; i++)
		require(region_country_ok(r->country[i]));
	require(!r->has_position || region_position_ok(r->latitude, r->longitude));
}

static void
fuzz_choose(const struct regions *regions, const char *registered, const char *country,
    const int32_t *position)
{
	enum region_why why = 0, again = 0;
	const struct region *r = region_choose(regions, registered, country, position, &why);

	require(r >= regions->region && r < regions->region + regions->n);
	require(region_why_str(why) != NULL);
	require(region_choose(regions, registered, country, position, &again) == r);
	require(why == again && (why != REGION_DEFAULT || r->is_default));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int32_t positions[][2] = { { 0, 0 }, { 90000000, 1 }, { -90000000, -1 },
		{ 1, 180000000 }, { -1, -180000000 }, { 52370000, 4900000 } };
	struct regions *regions = NULL;
	struct err err = { 0 };

	if (regions_parse((const char *)data, size, &regions, &err) != 0) {
		require(regions == NULL && strncmp(err.msg, "regions.cnf:", 12) == 0);
		return 0;
	}
	require(regions->n >= 1 && regions->n <= REGIONS_MAX);
	for (size_t i = 0; i < regions->n; i++) {
		const struct region *r = &regions->region[i];

		fuzz_region(regions, r);
		fuzz_choose(regions, r->name, "", NULL);
		fuzz_choose(regions, "", r->n_countries > 0 ? r->country[0] : "", NULL);
	}
	for (size_t i = 0; i < ARRAY_LEN(positions); i++)
		fuzz_choose(regions, "", "", positions[i]);
	free(regions);
	return 0;
}
