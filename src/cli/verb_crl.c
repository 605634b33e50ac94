/*
 * smki crl: make and publish now. A list may be tens of megabytes: it is written as it comes.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "smki/der.h"

struct crl_run {
	struct store_crl crl;
	bool have; /* the row came; bytes follow */
	struct file_out out;
	bool wanted; /* the bytes, in out */
	uint64_t bytes;
};

static int
crl_reply(void *ctx, struct wire_in *in, struct err *err)
{
	struct crl_run *run = ctx;
	struct span part;

	if (!run->have) {
		if (admin_crl_row_get(in, &run->crl, err) != 0)
			return -1;
		run->have = true;
		return 0;
	}
	part = wire_get_bytes(in, WIRE_MAX);
	if (wire_end(in, "crl", err) != 0)
		return -1;
	run->bytes += part.len;
	return run->wanted ? file_out_add(&run->out, part.p, part.len, err) : 0;
}

/* A path that cannot be written is told before a list is made. */
static int
crl_fetch(struct cli *cli, const struct admin_crl_ask *ask, const char *path, struct crl_run *run,
    struct err *err)
{
	struct buf msg = { 0 };
	int r = -1;

	run->wanted = path != NULL;
	if (run->wanted && output_open(path, &run->out, err) != 0)
		goto out;
	client_start(cli, &msg, ADMIN_CRL);
	admin_crl_ask_put(&msg, ask);
	if (client_call(cli, &msg, crl_reply, run, err) != 0)
		goto out;
	if (!run->have || run->bytes != (uint64_t)run->crl.size) {
		err_set(err, FAIL_INTERNAL, "crl: %llu octets came, %lld were made",
		    (unsigned long long)run->bytes, (long long)run->crl.size);
		goto out;
	}
	if (run->wanted && output_end(&run->out, err) != 0)
		goto out;
	r = 0;
out:
	if (r != 0)
		output_drop(&run->out);
	buf_free(&msg);
	return r;
}

/* A shard's number in decimal digits. */
static int
crl_shard(const char *text, int64_t *shard, struct err *err)
{
	char *end;
	long long n;

	errno = 0;
	n = strtoll(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0)
		return err_set(err, FAIL_INVALID, "shard %.40s: is not a number from 0 on", text);
	*shard = n;
	return 0;
}

int
crl_verb(struct cli *cli, int argc, char **argv)
{
	static const struct option options[] = {
		{ "ca", required_argument, NULL, 'c' },
		{ "out", required_argument, NULL, 'o' },
		{ "delta", no_argument, NULL, 'd' },
		{ "shard", required_argument, NULL, 's' },
		{ NULL, 0, NULL, 0 },
	};
	struct crl_run run = { 0 };
	struct admin_crl_ask ask = { .kind = CRL_COMPLETE };
	const char *path = NULL;
	struct err err;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'c':
			if (option_name("ca", optarg, ask.ca, &err) != 0)
				return cli_fail(&err);
			break;
		case 'o':
			path = output_is_stdout(optarg) ? "-" : optarg;
			break;
		case 'd':
		case 's':
			if (ask.kind != CRL_COMPLETE)
				return cli_usage("crl");
			ask.kind = c == 'd' ? CRL_DELTA : CRL_SHARD;
			if (c == 's' && crl_shard(optarg, &ask.shard, &err) != 0)
				return cli_fail(&err);
			break;
		default:
			return cli_usage("crl");
		}
	}
	if (optind != argc)
		return cli_usage("crl");
	if (crl_fetch(cli, &ask, path, &run, &err) != 0)
		return cli_fail(&err);
	/* The list itself is all that its reader wants there. */
	if (path != NULL && strcmp(path, "-") == 0)
		return EXIT_DONE;
	if (cli->json)
		putchar('{');
	output_crl(cli, &run.crl);
	if (cli->json)
		puts("}");
	return EXIT_DONE;
}
