/*
 * Regions: the reading of regions.cnf and the choice of a region for a meter. Nothing here reads a
 * file or keeps a state, so the same in gives the same out.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "smki/conf.h"
#include "smki/host.h"
#include "smki/mem.h"
#include "smki/region.h"

#define REGION_FILE "regions.cnf"
#define REGION_SECTION "region "
#define REGION_ENDPOINT "endpoint_"

/* Millionths in one degree; the globe's edges. */
#define REGION_DEGREE 1000000
#define REGION_LATITUDE_MAX (90 * REGION_DEGREE)
#define REGION_LONGITUDE_MAX (180 * REGION_DEGREE)

/* Mean radius of the earth in metres: distances that differ by less than one are the same. */
#define REGION_EARTH 6371009.0

static int
region_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static int
region_number(char c)
{
	return c >= '0' && c <= '9';
}

static int
region_blank(char c)
{
	return c == ' ' || c == '\t';
}

int
region_country_ok(const char *country)
{
	return country[0] >= 'A' && country[0] <= 'Z' && country[1] >= 'A' && country[1] <= 'Z' &&
	       country[2] == '\0';
}

int
region_position_ok(int32_t latitude, int32_t longitude)
{
	return latitude >= -REGION_LATITUDE_MAX && latitude <= REGION_LATITUDE_MAX &&
	       longitude >= -REGION_LONGITUDE_MAX && longitude <= REGION_LONGITUDE_MAX;
}

/* [+-]digits[.digits] to millionths; *s moves behind it. -1 when it is none or is over 999. */
static int
region_degrees(const char **s, int32_t *out)
{
	int32_t value = 0, unit = REGION_DEGREE;
	const char *p = *s;
	int negative = *p == '-';

	if (*p == '-' || *p == '+')
		p++;
	if (!region_number(*p))
		return -1;
	for (int digits = 0; region_number(*p); p++) {
		if (++digits > 3)
			return -1;
		value = value * 10 + (*p - '0');
	}
	value *= REGION_DEGREE;
	if (*p == '.') {
		p++;
		if (!region_number(*p))
			return -1;
		for (; region_number(*p); p++) {
			unit /= 10;
			if (unit == 0)
				return -1;
			value += (*p - '0') * unit;
		}
	}
	*out = negative ? -value : value;
	*s = p;
	return 0;
}

static void
region_skip(const char **s)
{
	while (region_blank(**s))
		(*s)++;
}

int
region_position_parse(const char *text, int32_t position[2], struct err *err)
{
	const char *s = text;
	int32_t got[2];

	region_skip(&s);
	if (region_degrees(&s, &got[0]) != 0)
		goto refuse;
	region_skip(&s);
	if (*s++ != ',')
		goto refuse;
	region_skip(&s);
	if (region_degrees(&s, &got[1]) != 0)
		goto refuse;
	region_skip(&s);
	if (*s != '\0')
		goto refuse;
	if (!region_position_ok(got[0], got[1]))
		return err_set(err, FAIL_INVALID,
		    "position: \"%.60s\" is not on the globe (latitude -90 to 90, longitude -180 "
		    "to 180)",
		    text);
	memcpy(position, got, sizeof(got));
	return 0;
refuse:
	return err_set(err, FAIL_INVALID,
	    "position: \"%.60s\" is not LAT,LONG in decimal degrees of at most six decimals", text);
}

void
region_position_text(int32_t latitude, int32_t longitude, char out[REGION_POSITION_LEN])
{
	int32_t value[] = { latitude, longitude };
	int len = 0;

	require(region_position_ok(latitude, longitude));
	for (size_t i = 0; i < ARRAY_LEN(value); i++)
		len += snprintf(out + len, REGION_POSITION_LEN - (size_t)len, "%s%s%d.%06d",
		    i > 0 ? "," : "", value[i] < 0 ? "-" : "", abs(value[i]) / REGION_DEGREE,
		    abs(value[i]) % REGION_DEGREE);
	require(len < REGION_POSITION_LEN);
}

/* What stands behind "//": HOST[:PORT], up to the path; userinfo is refused with the '@'. */
static int
region_authority_ok(const char *p, size_t len)
{
	const char *host = p, *end = p + len, *stop;
	unsigned long port = 0;
	struct host found;
	int six = len > 0 && *p == '[';

	if (six) {
		host++;
		stop = memchr(host, ']', (size_t)(end - host));
		if (stop == NULL)
			return 0;
		p = stop + 1;
	} else {
		stop = memchr(host, ':', len);
		p = stop = stop != NULL ? stop : end;
	}
	if (host_from_text(host, (size_t)(stop - host), &found) != 0 ||
	    six != (found.len == 16 && found.tag == DER_CONTEXT_PRIM(7)))
		return 0;
	if (p == end)
		return 1;
	if (*p++ != ':' || p == end || end - p > 5)
		return 0;
	for (; p < end; p++) {
		if (!region_number(*p))
			return 0;
		port = port * 10 + (unsigned long)(*p - '0');
	}
	return port >= 1 && port <= 65535;
}

/* NULL, or what is wrong with a URL. */
static const char *
region_url_fault(const char *url)
{
	/* RFC 3986 2.2, 2.3: what stands in a URI, with '%' for the rest. */
	static const char more[] = "-._~:/?#[]@!$&'()*+,;=%";
	size_t scheme = 0, len = strlen(url);

	if (len >= REGION_URL_LEN)
		return "is over 255 octets";
	for (size_t i = 0; i < len; i++)
		if (!region_alpha(url[i]) && !region_number(url[i]) && strchr(more, url[i]) == NULL)
			return "holds a character that RFC 3986 2 does not allow";
	if (region_alpha(url[0]))
		while (region_alpha(url[scheme]) || region_number(url[scheme]) ||
		       (url[scheme] != '\0' && strchr("+-.", url[scheme]) != NULL))
			scheme++;
	if (scheme == 0 || strncmp(url + scheme, "://", 3) != 0)
		return "does not begin with SCHEME://";
	url += scheme + 3;
	if (!region_authority_ok(url, strcspn(url, "/?#")))
		return "has no HOST or HOST:PORT behind SCHEME://";
	return NULL;
}

static int
region_read_endpoints(
    const struct conf *conf, const char *section, struct region *region, struct err *err)
{
	const char *key;

	for (size_t i = 0; (key = conf_key_name(conf, section, REGION_ENDPOINT, i)) != NULL; i++) {
		struct region_endpoint *endpoint = &region->endpoint[i];
		const char *url = conf_get(conf, section, key), *fault;

		if (i == REGION_ENDPOINTS_MAX)
			return err_set(err, FAIL_INVALID,
			    REGION_FILE ": [%s] has more than %d endpoints", section,
			    REGION_ENDPOINTS_MAX);
		if (name_check("endpoint", key + strlen(REGION_ENDPOINT), err) != 0)
			return err_prefix(err, REGION_FILE ": [%s] %s", section, key);
		fault = region_url_fault(url);
		if (fault != NULL)
			return err_set(err, FAIL_INVALID, REGION_FILE ": [%s] %s = %.80s: %s",
			    section, key, url, fault);
		strcpy(endpoint->name, key + strlen(REGION_ENDPOINT));
		strcpy(endpoint->url, url);
		region->n_endpoints++;
	}
	if (region->n_endpoints == 0)
		return err_set(err, FAIL_INVALID,
		    REGION_FILE ": [%s] has no endpoint (" REGION_ENDPOINT "NAME = URL)", section);
	return 0;
}

static int
region_has_country(const struct region *region, const char *country)
{
	for (size_t i = 0; i < region->n_countries; i++)
		if (strcmp(region->country[i], country) == 0)
			return 1;
	return 0;
}

/* One code; regions are those before this one, which is the last of them. */
static int
region_add_country(
    struct regions *regions, struct region *region, const char *country, struct err *err)
{
	for (size_t i = 0; i <= regions->n; i++)
		if (region_has_country(&regions->region[i], country))
			return err_set(err, FAIL_INVALID,
			    REGION_FILE ": [region %s] countries: %s stands in [region %s] already",
			    region->name, country, regions->region[i].name);
	if (region->n_countries == REGION_COUNTRIES_MAX)
		return err_set(err, FAIL_INVALID,
		    REGION_FILE ": [region %s] countries: more than %d", region->name,
		    REGION_COUNTRIES_MAX);
	strcpy(region->country[region->n_countries++], country);
	return 0;
}

/* "NL, BE" */
static int
region_read_countries(
    struct regions *regions, struct region *region, const char *text, struct err *err)
{
	const char *s = text;

	for (;; s++) {
		char country[3] = { 0 };
		size_t len;

		region_skip(&s);
		len = strcspn(s, ", \t");
		if (len == 2)
			memcpy(country, s, 2);
		if (!region_country_ok(country))
			return err_set(err, FAIL_INVALID,
			    REGION_FILE ": [region %s] countries: \"%.*s\" is not a code of two "
					"capital letters (ISO 3166-1)",
			    region->name, len < 20 ? (int)len : 20, s);
		if (region_add_country(regions, region, country, err) != 0)
			return -1;
		s += len;
		region_skip(&s);
		if (*s == '\0')
			return 0;
		if (*s != ',')
			return err_set(err, FAIL_INVALID,
			    REGION_FILE ": [region %s] countries: no comma before \"%.20s\"",
			    region->name, s);
	}
}

/* One section into regions->region[regions->n], which it then counts. */
static int
region_read(const struct conf *conf, const char *section, struct regions *regions, struct err *err)
{
	struct region *region = &regions->region[regions->n];
	const char *name = section + strlen(REGION_SECTION), *text;
	int32_t position[2];

	if (name_check("region", name, err) != 0)
		return err_prefix(err, REGION_FILE ": [%s]", section);
	strcpy(region->name, name);
	if (conf_bool(conf, section, "default", false, &region->is_default, err) != 0 ||
	    region_read_endpoints(conf, section, region, err) != 0)
		return -1;
	text = conf_get(conf, section, "countries");
	if (text != NULL && region_read_countries(regions, region, text, err) != 0)
		return -1;
	text = conf_get(conf, section, "position");
	if (text != NULL) {
		if (region_position_parse(text, position, err) != 0)
			return err_prefix(err, REGION_FILE ": [%s]", section);
		region->has_position = true;
		region->latitude = position[0];
		region->longitude = position[1];
	}
	regions->n++;
	return 0;
}

static const struct region *
region_default(const struct regions *regions)
{
	for (size_t i = 0; i < regions->n; i++)
		if (regions->region[i].is_default)
			return &regions->region[i];
	return NULL;
}

/* Exactly one default: what is told to a meter of which nothing else is known. */
static int
region_check_default(const struct regions *regions, struct err *err)
{
	const struct region *first = region_default(regions);

	if (regions->n == 0)
		return err_set(err, FAIL_INVALID, REGION_FILE ": has no [region NAME]");
	if (first == NULL)
		return err_set(
		    err, FAIL_INVALID, REGION_FILE ": no region has \"default = yes\"; one must");
	for (const struct region *r = first + 1; r < regions->region + regions->n; r++)
		if (r->is_default)
			return err_set(err, FAIL_INVALID,
			    REGION_FILE ": [region %s] default: [region %s] is the default already",
			    r->name, first->name);
	return 0;
}

int
regions_parse(const char *text, size_t len, struct regions **out, struct err *err)
{
	static const struct conf_key keys[] = {
		{ REGION_SECTION "*", REGION_ENDPOINT "*" },
		{ REGION_SECTION "*", "countries" },
		{ REGION_SECTION "*", "position" },
		{ REGION_SECTION "*", "default" },
	};
	struct regions *regions = NULL;
	struct conf *conf = NULL;
	const char *section;
	int r = -1;

	if (conf_parse(REGION_FILE, text, len, keys, ARRAY_LEN(keys), &conf, err) != 0)
		goto out;
	regions = mem_alloc(sizeof(*regions));
	for (size_t i = 0; (section = conf_section(conf, REGION_SECTION, i)) != NULL; i++) {
		if (i == REGIONS_MAX) {
			err_set(err, FAIL_INVALID, REGION_FILE ": [%s] is one more than %d regions",
			    section, REGIONS_MAX);
			goto out;
		}
		if (region_read(conf, section, regions, err) != 0)
			goto out;
	}
	if (region_check_default(regions, err) != 0)
		goto out;
	*out = regions;
	regions = NULL;
	r = 0;
out:
	free(regions);
	conf_free(conf);
	return r;
}

const struct region *
regions_get(const struct regions *regions, const char *name)
{
	for (size_t i = 0; i < regions->n; i++)
		if (strcmp(regions->region[i].name, name) == 0)
			return &regions->region[i];
	return NULL;
}

const char *
region_why_str(enum region_why why)
{
	switch (why) {
	case REGION_REGISTERED:
		return "register";
	case REGION_COUNTRY:
		return "country";
	case REGION_NEAREST:
		return "position";
	case REGION_DEFAULT:
		return "default";
	}
	require(!"a reason");
	return NULL;
}

static double
region_radians(int32_t millionths)
{
	return millionths * (M_PI / REGION_LONGITUDE_MAX);
}

/* At a pole exactly 0, which a cosine of a rounded angle is not: all longitudes are one there. */
static double
region_cos(int32_t latitude)
{
	return abs(latitude) == REGION_LATITUDE_MAX ? 0.0 : cos(region_radians(latitude));
}

/* Metres on the great circle (haversine). Differences are taken of the integers, the shorter way
 * round, so that what mirrors itself at the date line is equal to the last bit. */
static long
region_distance(const struct region *region, const int32_t *position)
{
	int32_t across = abs(region->longitude - position[1]);
	double up, side, a;

	if (across > REGION_LONGITUDE_MAX)
		across = 2 * REGION_LONGITUDE_MAX - across;
	up = sin(region_radians(abs(region->latitude - position[0])) / 2);
	side = sin(region_radians(across) / 2);
	a = up * up + region_cos(region->latitude) * region_cos(position[0]) * side * side;
	return lround(2 * REGION_EARTH * asin(sqrt(a < 1 ? a : 1)));
}

static const struct region *
region_nearest(const struct regions *regions, const int32_t *position)
{
	const struct region *best = NULL;
	long least = 0;

	for (size_t i = 0; i < regions->n; i++) {
		const struct region *r = &regions->region[i];
		long distance;

		if (!r->has_position)
			continue;
		distance = region_distance(r, position);
		if (best == NULL || distance < least) {
			best = r;
			least = distance;
		}
	}
	return best;
}

static const struct region *
region_of_country(const struct regions *regions, const char *country)
{
	for (size_t i = 0; i < regions->n; i++)
		if (region_has_country(&regions->region[i], country))
			return &regions->region[i];
	return NULL;
}

const struct region *
region_choose(const struct regions *regions, const char *registered, const char *country,
    const int32_t *position, enum region_why *why)
{
	const struct region *found = NULL;

	*why = REGION_REGISTERED;
	if (registered[0] != '\0')
		found = regions_get(regions, registered);
	if (found == NULL && country[0] != '\0') {
		*why = REGION_COUNTRY;
		found = region_of_country(regions, country);
	}
	if (found == NULL && position != NULL) {
		*why = REGION_NEAREST;
		found = region_nearest(regions, position);
	}
	if (found == NULL) {
		*why = REGION_DEFAULT;
		found = region_default(regions);
	}
	return found;
}
