/*
 * smki region: the regions of the home, and which one a meter would be told. Reads regions.cnf
 * only; smkid need not run.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "smki/regions.h"

/* What is known of a meter, as given. */
struct region_meter {
	const char *region;
	const char *country;
	const char *position;
};

static void
region_json_endpoints(const struct region *region)
{
	fputs(",\"endpoints\":{", stdout);
	for (size_t i = 0; i < region->n_endpoints; i++)
		json_str(region->endpoint[i].name, region->endpoint[i].url, i == 0);
	puts("}}");
}

static void
region_position(const struct region *region, char out[REGION_POSITION_LEN])
{
	strcpy(out, "-");
	if (region->has_position)
		region_position_text(region->latitude, region->longitude, out);
}

static void
region_print_json(const struct region *region)
{
	char position[REGION_POSITION_LEN];

	putchar('{');
	json_str("region", region->name, 1);
	printf(",\"default\":%s,\"countries\":[", region->is_default ? "true" : "false");
	for (size_t i = 0; i < region->n_countries; i++)
		printf("%s\"%s\"", i > 0 ? "," : "", region->country[i]);
	putchar(']');
	region_position(region, position);
	if (region->has_position)
		json_str("position", position, 0);
	region_json_endpoints(region);
}

/* One line: name, default, countries, position, endpoints. */
static void
region_print(const struct region *region)
{
	char position[REGION_POSITION_LEN];

	printf("%-18s %-8s ", region->name, region->is_default ? "default" : "-");
	for (size_t i = 0; i < region->n_countries; i++)
		printf("%s%s", i > 0 ? "," : "", region->country[i]);
	region_position(region, position);
	printf("%s %s", region->n_countries == 0 ? "-" : "", position);
	for (size_t i = 0; i < region->n_endpoints; i++)
		printf(" %s=%s", region->endpoint[i].name, region->endpoint[i].url);
	putchar('\n');
}

static int
region_list(struct cli *cli, const struct regions *regions)
{
	for (size_t i = 0; i < regions->n; i++)
		if (cli->json)
			region_print_json(&regions->region[i]);
		else
			region_print(&regions->region[i]);
	return EXIT_DONE;
}

static int
region_check(struct cli *cli, const struct regions *regions, const struct region_meter *meter)
{
	const struct region *region;
	enum region_why why;
	int32_t position[2];
	struct err err;

	if (meter->region[0] != '\0' && name_check("region", meter->region, &err) != 0)
		return cli_fail(&err);
	if (meter->country[0] != '\0' && !region_country_ok(meter->country)) {
		err_set(&err, FAIL_INVALID,
		    "country: \"%s\" is not a code of two capital letters (ISO 3166-1)",
		    meter->country);
		return cli_fail(&err);
	}
	if (meter->position != NULL && region_position_parse(meter->position, position, &err) != 0)
		return cli_fail(&err);
	if (meter->region[0] != '\0' && regions_get(regions, meter->region) == NULL)
		fprintf(
		    stderr, "smki: region %s: not in regions.cnf, passed over\n", meter->region);
	region = region_choose(regions, meter->region, meter->country,
	    meter->position != NULL ? position : NULL, &why);
	if (cli->json) {
		putchar('{');
		json_str("region", region->name, 1);
		json_str("why", region_why_str(why), 0);
		region_json_endpoints(region);
		return EXIT_DONE;
	}
	printf("%s (by %s)\n", region->name, region_why_str(why));
	for (size_t i = 0; i < region->n_endpoints; i++)
		printf("%s %s\n", region->endpoint[i].name, region->endpoint[i].url);
	return EXIT_DONE;
}

/* 0, or -1 for what the usage does not allow. */
static int
region_options(int argc, char **argv, struct region_meter *meter)
{
	static const struct option options[] = {
		{ "region", required_argument, NULL, 'r' },
		{ "country", required_argument, NULL, 'c' },
		{ "position", required_argument, NULL, 'p' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'r':
			meter->region = optarg;
			break;
		case 'c':
			meter->country = optarg;
			break;
		case 'p':
			meter->position = optarg;
			break;
		default:
			return -1;
		}
	}
	return optind == argc ? 0 : -1;
}

int
region_verb(struct cli *cli, int argc, char **argv)
{
	struct region_meter meter = { .region = "", .country = "" };
	struct home home = { 0 };
	struct regions *regions = NULL;
	struct err err;
	bool check;
	int status;

	if (argc < 2)
		return cli_usage("region");
	check = strcmp(argv[1], "check") == 0;
	if (check ? region_options(argc - 1, argv + 1, &meter) != 0
		  : strcmp(argv[1], "list") != 0 || argc != 2)
		return cli_usage("region");
	snprintf(home.dir, sizeof(home.dir), "%s", cli->dir);
	if (regions_load(&home, &regions, &err) != 0)
		return cli_fail(&err);
	status = check ? region_check(cli, regions, &meter) : region_list(cli, regions);
	free(regions);
	return status;
}
