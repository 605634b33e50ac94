/*
 * smki hold, reactivate, revoke: each object on its own, one result line each.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "changes.h"
#include "smki/mem.h"

struct state_run {
	struct changes changes; /* the first member: what changes->one is given */
	enum admin_op op;
	struct status_request request; /* all but the serial */
};

/* Certificates found for --device. */
struct state_found {
	size_t n, cap;
	struct store_cert *cert; /* owned */
};

static int
state_reply(void *ctx, struct wire_in *in, struct err *err)
{
	return admin_changed_get(in, ctx, err);
}

static void
state_one(struct state_run *run, const struct serial *serial)
{
	struct status_result *result = mem_alloc(sizeof *result);
	char name[SERIAL_TEXT_LEN];
	struct cli *cli = run->changes.cli;
	struct buf msg = { 0 };

	serial_text(serial, name);
	run->request.serial = *serial;
	client_start(cli, &msg, run->op);
	admin_change_put(&msg, &run->request);
	if (changes_ask(&run->changes, name, &msg, state_reply, result) != 0)
		goto out;
	if (cli->json) {
		putchar('{');
		json_cert_members(&result->cert);
		printf(",\"already\":%s}\n", result->already ? "true" : "false");
	} else {
		printf("%s %s%s%s%s\n", name, result->already ? "already " : "",
		    state_str(result->cert.state), result->cert.state == CERT_REVOKED ? " " : "",
		    result->cert.state == CERT_REVOKED ? reason_str(result->cert.reason) : "");
	}
out:
	buf_free(&msg);
	free(result);
}

static void
state_text(struct changes *changes, const char *text)
{
	struct state_run *run = (struct state_run *)changes;
	struct serial serial;
	struct err err;

	if (serial_parse(text, &serial, &err) != 0)
		changes_failed(changes, text, &err);
	else
		state_one(run, &serial);
}

static int
state_found_reply(void *ctx, struct wire_in *in, struct err *err)
{
	struct state_found *found = ctx;
	struct admin_found *one = mem_alloc(sizeof *one);
	int r = admin_found_get(in, one, err);

	if (r == 0 && found->n == ADMIN_FOUND_MAX) {
		r = err_set(err, FAIL_LIMIT, "smkid: over %d certificates", ADMIN_FOUND_MAX);
		admin_found_free(one);
	} else if (r == 0) {
		if (found->n == found->cap) {
			found->cap = found->cap == 0 ? 16 : 2 * found->cap;
			found->cert = mem_resize(found->cert, found->cap, sizeof *found->cert);
		}
		found->cert[found->n++] = one->cert;
		admin_found_free(one);
	}
	free(one);
	return r;
}

/* All certificates of a device that are not revoked; a revocation asks for those that are, too: each
 * is told, as repeated or, with another reason than it has, as refused. */
static void
state_device(struct state_run *run, const struct eui64 *device, const char *name)
{
	struct state_found found = { 0 };
	struct admin_find find = { .by_device = true, .device = *device };
	struct buf msg = { 0 };
	bool revoke = run->request.change.action == ACTION_REVOKE;
	size_t asked = 0;
	struct err err;

	snprintf(find.ca, sizeof find.ca, "%s", run->request.ca);
	client_start(run->changes.cli, &msg, ADMIN_SHOW);
	admin_find_put(&msg, &find);
	if (changes_ask(&run->changes, name, &msg, state_found_reply, &found) != 0)
		goto out;
	for (size_t i = 0; i < found.n; i++)
		if (revoke || found.cert[i].state != CERT_REVOKED) {
			state_one(run, &found.cert[i].serial);
			asked++;
		}
	if (asked == 0) {
		err_set(&err, FAIL_CONFLICT, "device: all of its certificates are revoked");
		changes_failed(&run->changes, name, &err);
	}
out:
	buf_free(&msg);
	free(found.cert);
}

static int
state_change(struct cli *cli, int argc, char **argv, const char *verb, enum admin_op op,
    enum cert_action action)
{
	static const struct option options[] = {
		{ "ca", required_argument, NULL, 'c' },
		{ "device", required_argument, NULL, 'd' },
		{ "from", required_argument, NULL, 'f' },
		{ "reason", required_argument, NULL, 'r' },
		{ "invalid-since", required_argument, NULL, 'i' },
		{ NULL, 0, NULL, 0 },
	};
	struct state_run run = { .changes = { .cli = cli, .object = "serial", .one = state_text },
		.op = op };
	const char *device_text = NULL, *from = NULL;
	struct eui64 device;
	struct err err;
	int c;

	run.request.change.action = action;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'c':
			if (option_name("ca", optarg, run.request.ca, &err) != 0)
				return cli_fail(&err);
			break;
		case 'd':
			if (eui64_parse(optarg, &device, &err) != 0)
				return cli_fail(&err);
			device_text = optarg;
			break;
		case 'f':
			from = optarg;
			break;
		case 'r':
			if (action != ACTION_REVOKE)
				return cli_usage(verb);
			if (reason_parse(optarg, &run.request.change.reason, &err) != 0)
				return cli_fail(&err);
			break;
		case 'i':
			if (action != ACTION_REVOKE)
				return cli_usage(verb);
			if (option_time("invalid-since: RFC 5280 5.3.2", optarg,
				&run.request.change.invalid_since, &err) != 0)
				return cli_fail(&err);
			break;
		default:
			return cli_usage(verb);
		}
	}
	if (optind == argc && device_text == NULL && from == NULL)
		return cli_usage(verb);
	if (changes_from(&run.changes, from) != 0)
		return run.changes.status;
	if (device_text != NULL)
		state_device(&run, &device, device_text);
	return changes_all(&run.changes, argv + optind, from);
}

int
state_hold_verb(struct cli *cli, int argc, char **argv)
{
	return state_change(cli, argc, argv, "hold", ADMIN_CHANGE, ACTION_HOLD);
}

int
state_reactivate_verb(struct cli *cli, int argc, char **argv)
{
	return state_change(cli, argc, argv, "reactivate", ADMIN_CHANGE, ACTION_REACTIVATE);
}

int
state_revoke_verb(struct cli *cli, int argc, char **argv)
{
	return state_change(cli, argc, argv, "revoke", ADMIN_CHANGE, ACTION_REVOKE);
}

int
state_ca_revoke(struct cli *cli, int argc, char **argv)
{
	return state_change(cli, argc, argv, "ca", ADMIN_CA_CHANGE, ACTION_REVOKE);
}
