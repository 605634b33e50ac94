/*
 * smki show and list: what is known.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "smki/cert.h"
#include "smki/der.h"
#include "smki/hex.h"
#include "smki/mem.h"

struct show_run {
	struct cli *cli;
	bool pem;	 /* the certificates themselves */
	struct buf file; /* owned; DER of the one that is asked for, empty = by name */
	size_t n;
};

void
show_event(const struct cli *cli, const struct store_event *e, int first)
{
	char at[TIME_TEXT_LEN], who[32];

	time_text(e->time, at);
	if (e->actor == ACTOR_SELF)
		snprintf(who, sizeof who, "smkid");
	else if (e->actor == ACTOR_FRONT)
		snprintf(who, sizeof who, "smki-httpd");
	else
		snprintf(who, sizeof who, "uid %ld", e->actor);
	if (cli->json) {
		printf("%s{", first ? "" : ",");
		json_int("event", e->id, 1);
		json_str("time", at, 0);
		json_str("action", e->action, 0);
		json_str("actor", who, 0);
		if (e->reason >= 0)
			json_str("reason", reason_str((enum crl_reason)e->reason), 0);
		if (e->detail[0] != 0)
			json_str("detail", e->detail, 0);
		putchar('}');
		return;
	}
	printf("  event %-8lld %s  %-14s %s%s%s%s%s\n", (long long)e->id, at, e->action, who,
	    e->reason >= 0 ? "  " : "",
	    e->reason >= 0 ? reason_str((enum crl_reason)e->reason) : "",
	    e->detail[0] != 0 ? "  " : "", e->detail);
}

static void
show_json(const struct cli *cli, const struct admin_found *found, struct buf *pem)
{
	putchar('{');
	json_cert_members(&found->cert);
	if (pem->len > 0)
		json_str("certificate", buf_text(pem), 0);
	fputs(",\"events\":[", stdout);
	for (size_t i = 0; i < found->n_events; i++)
		show_event(cli, &found->event[i], i == 0);
	puts("]}");
}

static void
show_text(const struct cli *cli, const struct admin_found *found)
{
	const struct store_cert *c = &found->cert;
	char serial[SERIAL_TEXT_LEN], holder[HOLDER_TEXT_LEN], from[TIME_TEXT_LEN],
	    until[TIME_TEXT_LEN], changed[TIME_TEXT_LEN];

	serial_text(&c->serial, serial);
	holder_text(&c->holder, holder);
	time_text(c->not_before, from);
	time_text(c->not_after, until);
	time_text(c->changed, changed);
	printf("serial    %s\nca        %s\nprofile   %s\nholder    %s%s%s\nvalidity  %s to %s\n",
	    serial, c->ca_name, c->profile, holder, c->holder.hw_type[0] != 0 ? "  hwType " : "",
	    c->holder.hw_type, from, until);
	printf("state     %s since %s%s%s\n", state_str(c->state), changed,
	    c->state == CERT_VALID ? "" : "  ",
	    c->state == CERT_VALID ? "" : reason_str(c->reason));
	if (c->invalid_since != 0) {
		time_text(c->invalid_since, from);
		printf("invalid   since %s\n", from);
	}
	for (size_t i = 0; i < found->n_events; i++)
		show_event(cli, &found->event[i], 0);
}

static int
show_reply(void *ctx, struct wire_in *in, struct err *err)
{
	struct show_run *run = ctx;
	struct admin_found *found = mem_alloc(sizeof *found);
	struct buf pem = { 0 };
	int r = admin_found_get(in, found, err);

	if (r != 0)
		goto out;
	if (run->file.len != 0 && !span_eq(buf_span(&found->der), buf_span(&run->file)))
		goto out;
	if (run->pem)
		pem_encode("CERTIFICATE", found->der.data, found->der.len, &pem);
	if (run->cli->json) {
		show_json(run->cli, found, &pem);
	} else if (run->pem) {
		fputs(buf_text(&pem), stdout);
	} else {
		if (run->n != 0)
			putchar('\n');
		show_text(run->cli, found);
	}
	run->n++;
out:
	if (r == 0)
		admin_found_free(found);
	buf_free(&pem);
	free(found);
	return r;
}

static int
show_ask(struct show_run *run, const struct admin_find *find, struct err *err)
{
	struct buf msg = { 0 };
	int r;

	client_start(run->cli, &msg, ADMIN_SHOW);
	admin_find_put(&msg, find);
	r = client_call(run->cli, &msg, show_reply, run, err);
	buf_free(&msg);
	/* Nothing found is for the caller to judge: another reading of the name may match. */
	if (r != 0 && err->code == FAIL_NOT_FOUND && run->n != 0)
		return 0;
	return r;
}

/* What was issued with the serial that the certificate in a file has, and is that one. Whoever asks
 * by a file may doubt it: another certificate with the same serial is not vouched for. */
static int
show_file(struct show_run *run, const char *path, struct admin_find *find, struct err *err)
{
	char serial[SERIAL_TEXT_LEN];
	struct cert cert;

	if (output_read_cert(path, &run->file, err) != 0 ||
	    cert_parse(run->file.data, run->file.len, &cert, err) != 0)
		return -1;
	find->serial = cert.serial;
	find->der = true;
	if (show_ask(run, find, err) != 0)
		return -1;
	if (run->n != 0)
		return 0;
	serial_text(&cert.serial, serial);
	return err_set(err, FAIL_CONFLICT,
	    "%s: is not the certificate with the serial %s that was issued here", path, serial);
}

int
show_verb(struct cli *cli, int argc, char **argv)
{
	static const struct option options[] = {
		{ "ca", required_argument, NULL, 'c' },
		{ "pem", no_argument, NULL, 'p' },
		{ NULL, 0, NULL, 0 },
	};
	struct show_run run = { .cli = cli };
	struct admin_find find = { 0 }, device = { .by_device = true };
	const char *name;
	bool by_serial, by_device;
	struct err err;
	int c, r = 0;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'p') {
			run.pem = find.der = device.der = true;
			continue;
		}
		if (c != 'c')
			return cli_usage("show");
		if (option_name("ca", optarg, find.ca, &err) != 0)
			return cli_fail(&err);
		snprintf(device.ca, sizeof device.ca, "%s", optarg);
	}
	if (optind + 1 != argc)
		return cli_usage("show");
	name = argv[optind];
	if (access(name, F_OK) == 0) {
		r = show_file(&run, name, &find, &err);
		goto out;
	}
	/* Sixteen hex digits may be either: both are asked. */
	by_device = eui64_parse(name, &device.device, &err) == 0;
	by_serial = serial_parse(name, &find.serial, &err) == 0;
	if (!by_device && !by_serial)
		r = -1;
	if (by_serial)
		r = show_ask(&run, &find, &err);
	if (by_device && (r == 0 || err.code == FAIL_NOT_FOUND))
		r = show_ask(&run, &device, &err);
out:
	buf_free(&run.file);
	return r == 0 ? EXIT_DONE : cli_fail(&err);
}

static int
list_reply(void *ctx, struct wire_in *in, struct err *err)
{
	struct show_run *run = ctx;
	struct store_cert *cert = mem_alloc(sizeof *cert);
	uint32_t n = wire_get_u32(in);

	for (uint32_t i = 0; i < n && !in->bad; i++) {
		admin_cert_get(in, cert);
		if (!in->bad)
			output_cert(run->cli, cert);
	}
	free(cert);
	return wire_end(in, "list", err);
}

static int
list_options(int argc, char **argv, struct admin_list *list, struct err *err)
{
	static const struct option options[] = {
		{ "state", required_argument, NULL, 's' },
		{ "device", required_argument, NULL, 'd' },
		{ "ca", required_argument, NULL, 'c' },
		{ "since", required_argument, NULL, 't' },
		{ "limit", required_argument, NULL, 'l' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 's':
			if (state_parse(optarg, &list->state, err) != 0)
				return -1;
			list->by_state = true;
			break;
		case 'd':
			if (eui64_parse(optarg, &list->device, err) != 0)
				return -1;
			list->by_device = true;
			break;
		case 'c':
			if (option_name("ca", optarg, list->ca, err) != 0)
				return -1;
			break;
		case 't':
			if (option_time("since", optarg, &list->since, err) != 0)
				return -1;
			break;
		case 'l':
			if (option_limit(optarg, &list->limit, err) != 0)
				return -1;
			break;
		default:
			exit(cli_usage("list"));
		}
	}
	if (optind != argc)
		exit(cli_usage("list"));
	return 0;
}

int
list_verb(struct cli *cli, int argc, char **argv)
{
	struct show_run run = { .cli = cli };
	struct admin_list list = { 0 };
	struct buf msg = { 0 };
	struct err err;
	int r;

	if (list_options(argc, argv, &list, &err) != 0)
		return cli_fail(&err);
	output_cert_head(cli);
	client_start(cli, &msg, ADMIN_LIST);
	admin_list_put(&msg, &list);
	r = client_call(cli, &msg, list_reply, &run, &err);
	buf_free(&msg);
	return r == 0 ? EXIT_DONE : cli_fail(&err);
}
