/*
 * smki device: the register of meters that may enrol. import is a file of its own.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "changes.h"
#include "device.h"
#include "smki/hex.h"
#include "smki/mem.h"

#define EUI64_TEXT_LEN (2 * EUI64_LEN + 1)

static void
device_text(const struct eui64 *eui, char out[EUI64_TEXT_LEN])
{
	hex_encode(eui->octets, EUI64_LEN, out);
}

/* One request and its one answer. */
static int
device_ask(struct cli *cli, struct buf *msg,
    int (*reply)(void *ctx, struct wire_in *in, struct err *err), void *ctx, struct err *err)
{
	int r = client_call(cli, msg, reply, ctx, err);

	buf_free(msg);
	return r;
}

/* Members of a JSON object, the first of it. */
static void
device_json(const struct device *d)
{
	char eui[EUI64_TEXT_LEN], proofs[REGISTER_PROOFS_LEN], key[2 * SHA256_LEN + 1];

	device_text(&d->eui, eui);
	register_proofs_text(d, proofs);
	json_str("device", eui, 1);
	json_str("hwType", d->hw_type, 0);
	if (d->manufacturer[0] != '\0')
		json_str("manufacturer", d->manufacturer, 0);
	if (d->model[0] != '\0')
		json_str("model", d->model, 0);
	if (d->region[0] != '\0')
		json_str("region", d->region, 0);
	json_str("proof", proofs, 0);
	if ((d->proofs & DEVICE_PROOF_KEY) != 0) {
		hex_encode(d->key, SHA256_LEN, key);
		json_str("keySha256", key, 0);
	}
	if ((d->proofs & DEVICE_PROOF_SECRET) != 0)
		printf(",\"secretUsed\":%s", d->secret_used ? "true" : "false");
	json_str("state", device_state_str(d->state), 0);
	printf(",\"approved\":%s", d->approved ? "true" : "false");
	json_time("registered", d->registered, 0);
	if (d->import != 0)
		json_int("import", d->import, 0);
}

static const char *
device_or_dash(const char *text)
{
	return text[0] != '\0' ? text : "-";
}

/* ---- add, secret ---- */

static int
device_option(int c, struct device *d, bool *secret, struct err *err)
{
	switch (c) {
	case 't':
		if (strlen(optarg) >= sizeof(d->hw_type))
			return err_set(err, FAIL_INVALID, "hw-type: is over %zu characters",
			    sizeof(d->hw_type) - 1);
		snprintf(d->hw_type, sizeof(d->hw_type), "%s", optarg);
		return 0;
	case 'm':
		return option_name("manufacturer", optarg, d->manufacturer, err);
	case 'o':
		if (strlen(optarg) >= sizeof(d->model))
			return err_set(
			    err, FAIL_INVALID, "model: is over %zu octets", sizeof(d->model) - 1);
		snprintf(d->model, sizeof(d->model), "%s", optarg);
		return 0;
	case 'r':
		return option_name("region", optarg, d->region, err);
	case 'i':
		d->proofs |= DEVICE_PROOF_IDEVID;
		return 0;
	case 's':
		*secret = true;
		return 0;
	case 'k':
		d->proofs |= DEVICE_PROOF_KEY;
		return device_key(optarg, d->key, err);
	case 'e':
		d->end_to_end = true;
		return 0;
	case 'a':
		d->approved = false;
		return 0;
	default:
		exit(cli_usage("device"));
	}
}

static int
device_add_options(int argc, char **argv, struct register_add *add, struct err *err)
{
	static const struct option options[] = {
		{ "hw-type", required_argument, NULL, 't' },
		{ "manufacturer", required_argument, NULL, 'm' },
		{ "model", required_argument, NULL, 'o' },
		{ "region", required_argument, NULL, 'r' },
		{ "idevid", no_argument, NULL, 'i' },
		{ "secret", no_argument, NULL, 's' },
		{ "key", required_argument, NULL, 'k' },
		{ "end-to-end", no_argument, NULL, 'e' },
		{ "approval", no_argument, NULL, 'a' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	add->device.approved = true;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1)
		if (device_option(c, &add->device, &add->make_secret, err) != 0)
			return -1;
	if (optind + 1 != argc || add->device.hw_type[0] == '\0')
		exit(cli_usage("device"));
	return eui64_parse(argv[optind], &add->device.eui, err);
}

static int
device_added(void *ctx, struct wire_in *in, struct err *err)
{
	return register_added_get(in, ctx, err);
}

/* verb: "added", or "" when only the secret is news. */
static void
device_print_added(const struct cli *cli, const struct register_added *added, const char *verb)
{
	char eui[EUI64_TEXT_LEN];

	if (cli->json) {
		putchar('{');
		device_json(&added->device);
		if (added->secret[0] != '\0')
			json_str("secret", added->secret, 0);
		puts("}");
		return;
	}
	device_text(&added->device.eui, eui);
	if (verb[0] != '\0')
		printf("%s %s\n", eui, verb);
	if (added->secret[0] != '\0')
		printf("%s secret %s\n", eui, added->secret);
}

static int
device_add(struct cli *cli, int argc, char **argv)
{
	struct register_added added = { .secret = "" };
	struct register_add add = { .make_secret = false };
	struct buf msg = { 0 };
	struct err err;
	int r;

	if (device_add_options(argc, argv, &add, &err) != 0)
		return cli_fail(&err);
	client_start(cli, &msg, ADMIN_DEVICE_ADD);
	register_add_put(&msg, &add);
	r = device_ask(cli, &msg, device_added, &added, &err);
	if (r == 0)
		device_print_added(cli, &added, "added");
	OPENSSL_cleanse(&added, sizeof(added));
	return r == 0 ? EXIT_DONE : cli_fail(&err);
}

static int
device_secret(struct cli *cli, int argc, char **argv)
{
	struct register_added added = { .secret = "" };
	struct buf msg = { 0 };
	struct eui64 eui;
	struct err err;
	int r;

	if (argc != 2)
		return cli_usage("device");
	if (eui64_parse(argv[1], &eui, &err) != 0)
		return cli_fail(&err);
	client_start(cli, &msg, ADMIN_DEVICE_SECRET);
	register_eui_put(&msg, &eui);
	r = device_ask(cli, &msg, device_added, &added, &err);
	if (r == 0)
		device_print_added(cli, &added, "");
	OPENSSL_cleanse(&added, sizeof(added));
	return r == 0 ? EXIT_DONE : cli_fail(&err);
}

/* ---- approve, hold, release, retire ---- */

struct device_run {
	struct changes changes; /* the first member: what changes->one is given */
	enum device_action action;
};

static int
device_changed(void *ctx, struct wire_in *in, struct err *err)
{
	return register_changed_get(in, ctx, err);
}

static void
device_change_one(struct changes *changes, const char *text)
{
	const struct device_run *run = (const struct device_run *)changes;
	struct cli *cli = changes->cli;
	struct register_change change = { .action = run->action };
	struct register_changed changed;
	char eui[EUI64_TEXT_LEN];
	struct buf msg = { 0 };
	struct err err;

	if (eui64_parse(text, &change.eui, &err) != 0) {
		changes_failed(changes, text, &err);
		return;
	}
	device_text(&change.eui, eui);
	client_start(cli, &msg, ADMIN_DEVICE_CHANGE);
	register_change_put(&msg, &change);
	if (changes_ask(changes, eui, &msg, device_changed, &changed) != 0)
		goto out;
	if (cli->json) {
		putchar('{');
		device_json(&changed.device);
		printf(",\"already\":%s}\n", changed.already ? "true" : "false");
	} else {
		printf("%s %s%s\n", eui, changed.already ? "already " : "",
		    run->action == DEVICE_DO_APPROVE ? "approved"
						     : device_state_str(changed.device.state));
	}
out:
	buf_free(&msg);
}

static int
device_change(struct cli *cli, int argc, char **argv, enum device_action action)
{
	static const struct option options[] = {
		{ "from", required_argument, NULL, 'f' },
		{ NULL, 0, NULL, 0 },
	};
	struct device_run run = { .changes = { .cli = cli,
				      .object = "device",
				      .named = true,
				      .one = device_change_one },
		.action = action };
	const char *from = NULL;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c != 'f')
			return cli_usage("device");
		from = optarg;
	}
	if (from == NULL && optind == argc)
		return cli_usage("device");
	if (changes_from(&run.changes, from) != 0)
		return run.changes.status;
	return changes_all(&run.changes, argv + optind, from);
}

/* ---- show ---- */

static void
device_show_text(const struct device *d)
{
	char eui[EUI64_TEXT_LEN], proofs[REGISTER_PROOFS_LEN], registered[TIME_TEXT_LEN],
	    key[2 * SHA256_LEN + 1];

	device_text(&d->eui, eui);
	register_proofs_text(d, proofs);
	time_text(d->registered, registered);
	printf("device       %s  hwType %s\nmanufacturer %s\nmodel        %s\nregion       %s\n",
	    eui, d->hw_type, device_or_dash(d->manufacturer), device_or_dash(d->model),
	    device_or_dash(d->region));
	printf("proof        %s%s\n", device_or_dash(proofs),
	    d->proofs == 0			     ? "  (enrols only through operators)"
	    : (d->proofs & DEVICE_PROOF_SECRET) == 0 ? ""
	    : d->secret_used			     ? "  (secret used)"
						     : "  (secret unused)");
	if ((d->proofs & DEVICE_PROOF_KEY) != 0) {
		hex_encode(d->key, SHA256_LEN, key);
		printf("key          %s\n", key);
	}
	printf("state        %s, %s\nregistered   %s", device_state_str(d->state),
	    d->approved ? "approved" : "not approved", registered);
	if (d->import != 0)
		printf("  import %lld", (long long)d->import);
	putchar('\n');
}

static void
device_show_cert(const struct cli *cli, const struct store_cert *c, int first)
{
	char serial[SERIAL_TEXT_LEN];

	if (cli->json) {
		printf("%s{", first ? "" : ",");
		json_cert_members(c);
		putchar('}');
		return;
	}
	serial_text(&c->serial, serial);
	printf("  certificate  %s  %-8s  %s  %s\n", serial, state_str(c->state), c->profile,
	    c->ca_name);
}

static void
device_show_refusal(const struct cli *cli, const struct store_refusal *refusal, int first)
{
	char minute[TIME_TEXT_LEN];

	time_text((time_t)(refusal->minute * 60), minute);
	if (cli->json) {
		printf("%s{", first ? "" : ",");
		json_str("minute", minute, 1);
		json_str("reason", refusal->reason, 0);
		json_int("count", refusal->n, 0);
		putchar('}');
		return;
	}
	printf("  refused  %s  %s  %lld time%s\n", minute, refusal->reason, (long long)refusal->n,
	    refusal->n == 1 ? "" : "s");
}

static void
device_show_found(const struct cli *cli, const struct register_found *found)
{
	if (cli->json) {
		putchar('{');
		device_json(&found->device);
		fputs(",\"certificates\":[", stdout);
	} else {
		device_show_text(&found->device);
	}
	for (size_t i = 0; i < found->n_certs; i++)
		device_show_cert(cli, &found->cert[i], i == 0);
	if (cli->json)
		fputs("],\"refusals\":[", stdout);
	for (size_t i = 0; i < found->n_refusals; i++)
		device_show_refusal(cli, &found->refusal[i], i == 0);
	if (cli->json)
		fputs("],\"events\":[", stdout);
	for (size_t i = 0; i < found->n_events; i++)
		show_event(cli, &found->event[i], i == 0);
	if (cli->json)
		puts("]}");
}

static int
device_found(void *ctx, struct wire_in *in, struct err *err)
{
	return register_found_get(in, ctx, err);
}

static int
device_show(struct cli *cli, int argc, char **argv)
{
	struct register_found *found;
	struct buf msg = { 0 };
	struct eui64 eui;
	struct err err;
	int r;

	if (argc != 2)
		return cli_usage("device");
	if (eui64_parse(argv[1], &eui, &err) != 0)
		return cli_fail(&err);
	found = mem_alloc(sizeof(*found));
	client_start(cli, &msg, ADMIN_DEVICE_SHOW);
	register_eui_put(&msg, &eui);
	r = device_ask(cli, &msg, device_found, found, &err);
	if (r == 0)
		device_show_found(cli, found);
	free(found);
	return r == 0 ? EXIT_DONE : cli_fail(&err);
}

/* ---- list ---- */

static void
device_line(const struct cli *cli, const struct device *d)
{
	char eui[EUI64_TEXT_LEN], proofs[REGISTER_PROOFS_LEN];

	if (cli->json) {
		putchar('{');
		device_json(d);
		puts("}");
		return;
	}
	device_text(&d->eui, eui);
	register_proofs_text(d, proofs);
	printf("%-16s %-8s %-8s %-28s %-16s %-12s %s\n", eui, device_state_str(d->state),
	    d->approved ? "yes" : "no", device_or_dash(proofs), device_or_dash(d->manufacturer),
	    device_or_dash(d->region), device_or_dash(d->model));
}

static int
device_listed(void *ctx, struct wire_in *in, struct err *err)
{
	const struct cli *cli = ctx;
	uint32_t n = wire_get_u32(in);
	struct device device;

	for (uint32_t i = 0; i < n && !in->bad; i++) {
		register_device_get(in, &device);
		if (!in->bad)
			device_line(cli, &device);
	}
	return wire_end(in, "devices", err);
}

static int
device_list_options(int argc, char **argv, struct store_device_filter *filter, struct err *err)
{
	static const struct option options[] = {
		{ "state", required_argument, NULL, 's' },
		{ "manufacturer", required_argument, NULL, 'm' },
		{ "region", required_argument, NULL, 'r' },
		{ "unapproved", no_argument, NULL, 'u' },
		{ "limit", required_argument, NULL, 'l' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 's':
			if (device_state_parse(optarg, &filter->state, err) != 0)
				return -1;
			filter->by_state = true;
			break;
		case 'm':
			if (option_name("manufacturer", optarg, filter->manufacturer, err) != 0)
				return -1;
			break;
		case 'r':
			if (option_name("region", optarg, filter->region, err) != 0)
				return -1;
			break;
		case 'u':
			filter->unapproved = true;
			break;
		case 'l':
			if (option_limit(optarg, &filter->limit, err) != 0)
				return -1;
			break;
		default:
			exit(cli_usage("device"));
		}
	}
	if (optind != argc)
		exit(cli_usage("device"));
	return 0;
}

static int
device_list(struct cli *cli, int argc, char **argv)
{
	struct store_device_filter filter = { 0 };
	struct buf msg = { 0 };
	struct err err;

	if (device_list_options(argc, argv, &filter, &err) != 0)
		return cli_fail(&err);
	if (!cli->json && isatty(STDOUT_FILENO))
		printf("%-16s %-8s %-8s %-28s %-16s %-12s %s\n", "device", "state", "approved",
		    "proof", "manufacturer", "region", "model");
	client_start(cli, &msg, ADMIN_DEVICE_LIST);
	register_filter_put(&msg, &filter);
	return device_ask(cli, &msg, device_listed, cli, &err) == 0 ? EXIT_DONE : cli_fail(&err);
}

int
device_verb(struct cli *cli, int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(struct cli *cli, int argc, char **argv);
	} verbs[] = {
		{ "add", device_add },
		{ "show", device_show },
		{ "list", device_list },
		{ "secret", device_secret },
		{ "import", device_import },
	};
	static const enum device_action actions[] = { DEVICE_DO_APPROVE, DEVICE_DO_HOLD,
		DEVICE_DO_RELEASE, DEVICE_DO_RETIRE };

	for (size_t i = 0; argc > 1 && i < ARRAY_LEN(verbs); i++)
		if (strcmp(argv[1], verbs[i].name) == 0)
			return verbs[i].run(cli, argc - 1, argv + 1);
	for (size_t i = 0; argc > 1 && i < ARRAY_LEN(actions); i++)
		if (strcmp(argv[1], device_action_str(actions[i])) == 0)
			return device_change(cli, argc - 1, argv + 1, actions[i]);
	return cli_usage("device");
}
