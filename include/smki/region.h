/*
 * Regions as data (policies/regions.cnf): which endpoints a meter is told. A pure function of the
 * file and of what is known of the meter; the same in, the same out.
 */
#ifndef SMKI_REGION_H
#define SMKI_REGION_H

#include "smki/types.h"

#define REGIONS_MAX 64
#define REGION_ENDPOINTS_MAX 8
#define REGION_COUNTRIES_MAX 64
#define REGION_URL_LEN 256

struct region_endpoint {
	char name[NAME_LEN]; /* key without "endpoint_": "est", "mqtt", ... */
	char url[REGION_URL_LEN];
};

struct region {
	char name[NAME_LEN];
	bool is_default;
	size_t n_endpoints;
	struct region_endpoint endpoint[REGION_ENDPOINTS_MAX];
	size_t n_countries;
	char country[REGION_COUNTRIES_MAX][3];
	bool has_position;
	int32_t latitude, longitude; /* millionths of a degree */
};

struct regions {
	size_t n; /* in the file's order */
	struct region region[REGIONS_MAX];
};

/*
 * [region NAME] with endpoint_NAME = URL (at least one), countries = NL, BE, position = LAT, LONG
 * in decimal degrees, default = yes (exactly one region). A country in two regions, a URL without
 * scheme and host, a position off the globe, a bad name: FAIL_INVALID "regions.cnf: [region X]
 * ...". *out is the caller's, for free().
 * A URL is SCHEME://HOST[:PORT][/...] of RFC 3986, HOST a DNS name, an IPv4 address or an IPv6
 * address in brackets, without user information.
 */
int regions_parse(const char *text, size_t len, struct regions **out, struct err *err) MUST_USE;
const struct region *regions_get(const struct regions *regions, const char *name);

/* 1 when country is two capital letters: an ISO 3166-1 alpha-2 code by its form. */
int region_country_ok(const char *country);
/* 1 when a position is on the globe: -90..90 and -180..180 degrees, given in millionths. */
int region_position_ok(int32_t latitude, int32_t longitude);
/* "LAT,LONG" in decimal degrees of at most six decimals, blanks allowed around each, to millionths
 * (latitude first). FAIL_INVALID "position: ...". */
int region_position_parse(const char *text, int32_t position[2], struct err *err) MUST_USE;
/* The reverse, always with six decimals: "52.370000,4.900000". */
#define REGION_POSITION_LEN 24
void region_position_text(int32_t latitude, int32_t longitude, char out[REGION_POSITION_LEN]);

enum region_why {
	REGION_REGISTERED = 1,
	REGION_COUNTRY,
	REGION_NEAREST,
	REGION_DEFAULT,
};
const char *region_why_str(enum region_why why); /* "register", "country", "position", "default" */

/* registered: the register's region or ""; country "" = not told; position NULL = not told,
 * else latitude and longitude. Order: register (a name no longer in the file is passed over),
 * country, nearest position by great circle (ties: first in the file), default. */
const struct region *region_choose(const struct regions *regions, const char *registered,
    const char *country, const int32_t *position, enum region_why *why);

#endif
