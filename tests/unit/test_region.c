/*
 * Regions: what stands in regions.cnf, what is refused there, and the choice for a meter.
 */
#include "smki/conf.h"
#include "smki/file.h"
#include "smki/mem.h"
#include "smki/region.h"

#include "test.h"

#define URL "endpoint_est = https://a.example\n"

static struct regions *
regions_of(const char *text)
{
	struct regions *regions = NULL;
	struct err err = { 0 };

	if (regions_parse(text, strlen(text), &regions, &err) != 0) {
		fprintf(stderr, "  %s\n", err.msg);
		exit(1);
	}
	return regions;
}

static void
test_read(void)
{
	struct regions *regions = regions_of("[region north]\n"
					     "endpoint_mqtt = mqtts://[2001:db8::1]:8883\n"
					     "endpoint_est = https://est.example:8443/est?a=b\n"
					     "countries = NO , SE,FI\n"
					     "position = 59.91, 10.75\n"
					     "[region rest]\n"
					     "default = yes\n"
					     "endpoint_est = https://192.0.2.1\n");
	const struct region *r = &regions->region[0];

	CHECK(regions->n == 2 && regions_get(regions, "north") == r);
	CHECK(regions_get(regions, "rest") == r + 1 && regions_get(regions, "nort") == NULL);
	CHECK(!r->is_default && r->n_endpoints == 2 && r->n_countries == 3 && r->has_position);
	CHECK_STR(r->endpoint[0].name, "mqtt");
	CHECK_STR(r->endpoint[0].url, "mqtts://[2001:db8::1]:8883");
	CHECK_STR(r->endpoint[1].name, "est");
	CHECK_STR(r->endpoint[1].url, "https://est.example:8443/est?a=b");
	CHECK_STR(r->country[0], "NO");
	CHECK_STR(r->country[1], "SE");
	CHECK_STR(r->country[2], "FI");
	CHECK(r->latitude == 59910000 && r->longitude == 10750000);
	CHECK(r[1].is_default && r[1].n_countries == 0 && !r[1].has_position);
	free(regions);
}

static void
test_refused(void)
{
	static const struct {
		const char *text, *msg;
	} rows[] = {
		{ "", "regions.cnf: has no [region NAME]" },
		{ "[region a]\n" URL, "regions.cnf: no region has \"default = yes\"; one must" },
		{ "[region a]\ndefault = no\n" URL,
		    "regions.cnf: no region has \"default = yes\"; one must" },
		{ "[region a]\ndefault = yes\n" URL "[region b]\ndefault = yes\n" URL,
		    "regions.cnf: [region b] default: [region a] is the default already" },
		{ "[region a]\ndefault = perhaps\n" URL,
		    "regions.cnf: [region a] default = perhaps: not yes, no, true or false" },
		{ "[region a]\ndefault = yes\n",
		    "regions.cnf: [region a] has no endpoint (endpoint_NAME = URL)" },
		{ "[region 1]\n" URL,
		    "regions.cnf: [region 1]: region: name \"1\" does not begin with a letter" },
		{ "[regions]\n" URL, "regions.cnf:1: [regions] is not a known section" },
		{ URL, "regions.cnf:1: [default] endpoint_est is not a known key" },
		{ "[region a]\nend = https://a\n",
		    "regions.cnf:2: [region a] end is not a known key" },
		{ "[region a]\n" URL URL,
		    "regions.cnf:3: [region a] endpoint_est was given in line 2 already" },
		{ "[region a]\nendpoint_ = https://a.example\n",
		    "regions.cnf: [region a] endpoint_: endpoint: name is empty" },
		{ "[region a]\nendpoint_a.b = https://a.example\n",
		    "regions.cnf: [region a] endpoint_a.b: endpoint: name \"a.b\" may hold "
		    "letters, "
		    "digits and '-' only" },
		{ "[region a]\n" URL "countries = NL, nl\n",
		    "regions.cnf: [region a] countries: \"nl\" is not a code of two capital "
		    "letters "
		    "(ISO 3166-1)" },
		{ "[region a]\n" URL "countries = NLD\n",
		    "regions.cnf: [region a] countries: \"NLD\" is not a code of two capital "
		    "letters "
		    "(ISO 3166-1)" },
		{ "[region a]\n" URL "countries = NL,\n",
		    "regions.cnf: [region a] countries: \"\" is not a code of two capital letters "
		    "(ISO 3166-1)" },
		{ "[region a]\n" URL "countries =\n",
		    "regions.cnf: [region a] countries: \"\" is not a code of two capital letters "
		    "(ISO 3166-1)" },
		{ "[region a]\n" URL "countries = NL BE\n",
		    "regions.cnf: [region a] countries: no comma before \"BE\"" },
		{ "[region a]\n" URL "countries = NL, BE, NL\n",
		    "regions.cnf: [region a] countries: NL stands in [region a] already" },
		{ "[region a]\n" URL "countries = NL\n[region b]\n" URL "countries = BE, NL\n",
		    "regions.cnf: [region b] countries: NL stands in [region a] already" },
		{ "[region a]\n" URL "position = 91, 0\n",
		    "regions.cnf: [region a]: position: \"91, 0\" is not on the globe (latitude "
		    "-90 "
		    "to 90, longitude -180 to 180)" },
		{ "[region a]\n" URL "position = somewhere\n",
		    "regions.cnf: [region a]: position: \"somewhere\" is not LAT,LONG in decimal "
		    "degrees of at most six decimals" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct regions *regions = NULL;
		struct err err = { 0 };

		CHECK_ROW(rows[i].text,
		    regions_parse(rows[i].text, strlen(rows[i].text), &regions, &err) == -1);
		CHECK_ROW(rows[i].text, err.code == FAIL_INVALID && regions == NULL);
		CHECK_STR(err.msg, rows[i].msg);
	}
}

static void
test_url(void)
{
	static const struct {
		const char *url;
		const char *fault; /* NULL = fine */
	} rows[] = {
		{ "https://a", NULL },
		{ "https://a/", NULL },
		{ "coaps+tcp://a.example:1/x#y", NULL },
		{ "https://a:65535", NULL },
		{ "https://[::1]", NULL },
		{ "https://192.0.2.1:443/%7e", NULL },
		{ "", "does not begin with SCHEME://" },
		{ "a.example", "does not begin with SCHEME://" },
		{ "https:a.example", "does not begin with SCHEME://" },
		{ "//a.example", "does not begin with SCHEME://" },
		{ "1https://a", "does not begin with SCHEME://" },
		{ "https://", "has no HOST or HOST:PORT behind SCHEME://" },
		{ "https:///x", "has no HOST or HOST:PORT behind SCHEME://" },
		{ "https://:443", "has no HOST or HOST:PORT behind SCHEME://" },
		{ "https://a:", "has no HOST or HOST:PORT behind SCHEME://" },
		{ "https://a:0", "has no HOST or HOST:PORT behind SCHEME://" },
		{ "https://a:65536", "has no HOST or HOST:PORT behind SCHEME://" },
		{ "https://a:000443", "has no HOST or HOST:PORT behind SCHEME://" },
		{ "https://a:8x", "has no HOST or HOST:PORT behind SCHEME://" },
		{ "https://me@a", "has no HOST or HOST:PORT behind SCHEME://" },
		{ "https://me:secret@a", "has no HOST or HOST:PORT behind SCHEME://" },
		{ "https://::1", "has no HOST or HOST:PORT behind SCHEME://" },
		{ "https://[::1", "has no HOST or HOST:PORT behind SCHEME://" },
		{ "https://[a]", "has no HOST or HOST:PORT behind SCHEME://" },
		{ "https://[192.0.2.1]", "has no HOST or HOST:PORT behind SCHEME://" },
		{ "https://[::1]x", "has no HOST or HOST:PORT behind SCHEME://" },
		{ "https://-a", "has no HOST or HOST:PORT behind SCHEME://" },
		{ "https://a b", "holds a character that RFC 3986 2 does not allow" },
		{ "https://a/<b>", "holds a character that RFC 3986 2 does not allow" },
		{ "https://\xc3\xa4", "holds a character that RFC 3986 2 does not allow" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf text = { 0 }, want = { 0 };
		struct regions *regions = NULL;
		struct err err = { 0 };
		int r;

		/* Quoted, so that '#' begins no comment. */
		buf_fmt(&text, "[region a]\ndefault = yes\nendpoint_est = \"%s\"\n", rows[i].url);
		r = regions_parse(buf_text(&text), text.len, &regions, &err);
		CHECK_ROW(rows[i].url, r == (rows[i].fault == NULL ? 0 : -1));
		if (rows[i].fault != NULL) {
			buf_fmt(&want, "regions.cnf: [region a] endpoint_est = %s: %s", rows[i].url,
			    rows[i].fault);
			CHECK_STR(err.msg, buf_text(&want));
		} else if (r == 0) {
			CHECK_STR(regions->region[0].endpoint[0].url, rows[i].url);
		}
		free(regions);
		buf_free(&want);
		buf_free(&text);
	}
}

/* A file with so many regions, endpoints and countries in the first, and octets in a URL. */
static int
sized(int regions, int endpoints, int countries, int url)
{
	struct regions *got = NULL;
	struct buf text = { 0 };
	struct err err;
	int r;

	for (int i = 0; i < regions; i++) {
		buf_fmt(&text, "[region r%d]\n", i);
		for (int k = 0; k < (i == 0 ? endpoints : 1); k++)
			buf_fmt(&text, "endpoint_e%d = https://a/%0*d\n", k, url - 10, 0);
		if (i != 0)
			continue;
		buf_add_str(&text, "default = yes\ncountries = ");
		for (int k = 0; k < countries; k++)
			buf_fmt(&text, "%s%c%c", k > 0 ? "," : "", 'A' + k / 26, 'A' + k % 26);
		buf_add_u8(&text, '\n');
	}
	r = regions_parse(buf_text(&text), text.len, &got, &err);
	if (r == 0)
		CHECK(got->n == (size_t)regions &&
		      got->region[0].n_endpoints == (size_t)endpoints &&
		      got->region[0].n_countries == (size_t)countries);
	free(got);
	buf_free(&text);
	return r;
}

static void
test_bounds(void)
{
	CHECK(sized(1, 1, 1, 20) == 0);
	CHECK(sized(REGIONS_MAX, 1, 1, 20) == 0);
	CHECK(sized(REGIONS_MAX + 1, 1, 1, 20) == -1);
	CHECK(sized(1, REGION_ENDPOINTS_MAX, 1, 20) == 0);
	CHECK(sized(1, REGION_ENDPOINTS_MAX + 1, 1, 20) == -1);
	CHECK(sized(1, 1, REGION_COUNTRIES_MAX, 20) == 0);
	CHECK(sized(1, 1, REGION_COUNTRIES_MAX + 1, 20) == -1);
	CHECK(sized(1, 1, 1, REGION_URL_LEN - 1) == 0);
	CHECK(sized(1, 1, 1, REGION_URL_LEN) == -1);
}

static void
test_position(void)
{
	static const struct {
		const char *text;
		int rc;
		int32_t latitude, longitude;
		const char *back;
	} rows[] = {
		{ "0,0", 0, 0, 0, "0.000000,0.000000" },
		{ " 52.37 , 4.9\t", 0, 52370000, 4900000, "52.370000,4.900000" },
		{ "-0.5,+0.000001", 0, -500000, 1, "-0.500000,0.000001" },
		{ "90,-180", 0, 90000000, -180000000, "90.000000,-180.000000" },
		{ "-90.000000,180.0", 0, -90000000, 180000000, "-90.000000,180.000000" },
		{ "90.000001,0", -1, 0, 0, NULL },
		{ "-90.000001,0", -1, 0, 0, NULL },
		{ "0,180.000001", -1, 0, 0, NULL },
		{ "0,-180.000001", -1, 0, 0, NULL },
		{ "0,999", -1, 0, 0, NULL },
		{ "0,4294967296", -1, 0, 0, NULL },
		{ "1.0000000,0", -1, 0, 0, NULL },
		{ "1.,0", -1, 0, 0, NULL },
		{ ".5,0", -1, 0, 0, NULL },
		{ "--1,0", -1, 0, 0, NULL },
		{ "1e1,0", -1, 0, 0, NULL },
		{ "nan,0", -1, 0, 0, NULL },
		{ "1", -1, 0, 0, NULL },
		{ "1,", -1, 0, 0, NULL },
		{ "1,2,3", -1, 0, 0, NULL },
		{ "1 2", -1, 0, 0, NULL },
		{ "", -1, 0, 0, NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int32_t position[2] = { 7, 7 };
		char back[REGION_POSITION_LEN];
		struct err err = { 0 };

		CHECK_ROW(rows[i].text,
		    region_position_parse(rows[i].text, position, &err) == rows[i].rc);
		if (rows[i].rc != 0) {
			CHECK_ROW(rows[i].text, err.code == FAIL_INVALID);
			CHECK_ROW(rows[i].text, position[0] == 7 && position[1] == 7);
			continue;
		}
		CHECK_ROW(rows[i].text, position[0] == rows[i].latitude);
		CHECK_ROW(rows[i].text, position[1] == rows[i].longitude);
		region_position_text(position[0], position[1], back);
		CHECK_STR(back, rows[i].back);
	}
	CHECK(!region_position_ok(INT32_MIN, 0) && !region_position_ok(0, INT32_MIN));
	CHECK(!region_position_ok(INT32_MAX, 0) && !region_position_ok(0, INT32_MAX));
}

static void
test_country(void)
{
	CHECK(region_country_ok("NL") && region_country_ok("AA") && region_country_ok("ZZ"));
	CHECK(!region_country_ok("") && !region_country_ok("N") && !region_country_ok("NLD"));
	CHECK(!region_country_ok("nl") && !region_country_ok("N1") && !region_country_ok("N\n"));
	CHECK(
	    !region_country_ok("@A") && !region_country_ok("[A") && !region_country_ok("\xc3\x84"));
}

/* Amsterdam, Lisbon, two at the date line, two at equal distance from 0,0, the poles, default. */
static const char choose_text[] = "[region ams]\n" URL "countries = NL\nposition = 52.37, 4.9\n"
				  "[region lis]\n" URL "countries = PT\nposition = 38.72, -9.14\n"
				  "[region west]\n" URL "position = 10, 179\n"
				  "[region east]\n" URL "position = 10, -179\n"
				  "[region up]\n" URL "position = 1, 0\n"
				  "[region down]\n" URL "position = -1, 0\n"
				  "[region arctic]\n" URL "position = 85, 20\n"
				  "[region arctic2]\n" URL "position = 85, -160\n"
				  "[region south]\n" URL "position = -90, 0\n"
				  "[region none]\n" URL "default = yes\n";

static void
test_choose(void)
{
	static const struct {
		const char *name, *registered, *country;
		int32_t position[2]; /* latitude 99: not told */
		const char *want;
		enum region_why why;
	} rows[] = {
		{ "nothing known", "", "", { 99 }, "none", REGION_DEFAULT },
		{ "register", "lis", "", { 99 }, "lis", REGION_REGISTERED },
		{ "register beats all", "lis", "NL", { 52370000, 4900000 }, "lis",
		    REGION_REGISTERED },
		{ "unknown in the register", "gone", "NL", { 0, 0 }, "ams", REGION_COUNTRY },
		{ "unknown, else nothing", "gone", "", { 99 }, "none", REGION_DEFAULT },
		{ "country", "", "PT", { 99 }, "lis", REGION_COUNTRY },
		{ "country beats position", "", "PT", { 52370000, 4900000 }, "lis",
		    REGION_COUNTRY },
		{ "unknown country, position", "", "XX", { 50000000, 3000000 }, "ams",
		    REGION_NEAREST },
		{ "unknown country", "", "XX", { 99 }, "none", REGION_DEFAULT },
		{ "on the spot", "", "", { 38720000, -9140000 }, "lis", REGION_NEAREST },
		{ "across the date line", "", "", { 10000000, -179900000 }, "east",
		    REGION_NEAREST },
		{ "back across it", "", "", { 10000000, 179900000 }, "west", REGION_NEAREST },
		{ "east of it, nearer the west", "", "", { 10000000, -179000001 }, "east",
		    REGION_NEAREST },
		{ "on the date line: first", "", "", { 10000000, 180000000 }, "west",
		    REGION_NEAREST },
		{ "its other name: first", "", "", { 10000000, -180000000 }, "west",
		    REGION_NEAREST },
		{ "equal distance: first", "", "", { 0, 0 }, "up", REGION_NEAREST },
		{ "a little nearer", "", "", { -100, 0 }, "down", REGION_NEAREST },
		{ "north pole: first", "", "", { 90000000, 123456789 }, "arctic", REGION_NEAREST },
		{ "beyond the pole", "", "", { 89000000, -160000000 }, "arctic2", REGION_NEAREST },
		{ "south pole, any longitude", "", "", { -90000000, 77000000 }, "south",
		    REGION_NEAREST },
		{ "near the south pole", "", "", { -89000000, 180000000 }, "south",
		    REGION_NEAREST },
	};
	struct regions *regions = regions_of(choose_text);

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct region *got;
		enum region_why why = 0;

		got = region_choose(regions, rows[i].registered, rows[i].country,
		    rows[i].position[0] == 99 ? NULL : rows[i].position, &why);
		CHECK_ROW(rows[i].name, why == rows[i].why);
		CHECK_STR(got->name, rows[i].want);
	}
	free(regions);
}

/* Antipodes, and positions of which none has one near: always one answer, never a crash. */
static void
test_choose_no_positions(void)
{
	struct regions *regions = regions_of(
	    "[region a]\n" URL "countries = NL\n[region b]\ndefault = yes\n" URL);
	int32_t position[] = { 0, 0 };
	enum region_why why = 0;

	CHECK(region_choose(regions, "", "", position, &why) == &regions->region[1]);
	CHECK(why == REGION_DEFAULT);
	free(regions);
	regions = regions_of("[region a]\ndefault = yes\n" URL "position = 10, 20\n");
	position[0] = -10000000;
	position[1] = -160000000;
	CHECK(region_choose(regions, "", "", position, &why) == &regions->region[0]);
	CHECK(why == REGION_NEAREST);
	free(regions);
}

static void
test_why(void)
{
	CHECK_STR(region_why_str(REGION_REGISTERED), "register");
	CHECK_STR(region_why_str(REGION_COUNTRY), "country");
	CHECK_STR(region_why_str(REGION_NEAREST), "position");
	CHECK_STR(region_why_str(REGION_DEFAULT), "default");
}

/* The file that ships is read, with its example as well. */
static void
test_shipped(void)
{
	struct buf text = { 0 };
	struct regions *regions;
	char path[1024];
	struct err err;

	snprintf(path, sizeof(path), "%s/policies/regions.cnf", test_root);
	if (file_read(path, CONF_MAX, &text, &err) != 0) {
		fprintf(stderr, "  %s\n", err.msg);
		exit(1);
	}
	regions = regions_of(buf_text(&text));
	CHECK(regions->n == 1 && regions->region[0].is_default);
	CHECK_STR(regions->region[0].endpoint[0].name, "est");
	free(regions);
	for (size_t i = 1; i + 1 < text.len; i++)
		if (text.data[i - 1] == '\n' && text.data[i] == '#' && text.data[i + 1] != ' ' &&
		    text.data[i + 1] != '\n')
			text.data[i] = ' ';
	regions = regions_of(buf_text(&text));
	CHECK(regions->n == 2 && regions->region[1].n_countries == 3);
	CHECK(regions->region[1].has_position && regions->region[1].n_endpoints == 2);
	free(regions);
	buf_free(&text);
}

static const struct test_case cases[] = {
	{ "what a file says", test_read },
	{ "what is refused", test_refused },
	{ "URLs", test_url },
	{ "bounds", test_bounds },
	{ "positions", test_position },
	{ "countries", test_country },
	{ "the choice", test_choose },
	{ "the choice without positions", test_choose_no_positions },
	{ "reasons", test_why },
	{ "the file that ships", test_shipped },
};

TEST_MAIN("region", cases)
