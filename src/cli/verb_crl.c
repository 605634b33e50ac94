/*
 * smki crl: make and publish now. A list may be tens of megabytes: it is written as it comes.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "smki/der.h"
#include "smki/mem.h"

struct crl_run {
	struct store_crl crl;
	bool have; /* the row came; bytes follow */
	FILE *out; /* NULL = the bytes are not wanted */
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
	if (run->out != NULL && part.len != 0 && fwrite(part.p, 1, part.len, run->out) != part.len)
		return err_sys(err, FAIL_UNAVAILABLE, "crl: cannot be written");
	return 0;
}

/* The list goes to path.new and becomes path when it is whole. */
static int
crl_fetch(struct cli *cli, const struct admin_crl_ask *ask, const char *path, struct crl_run *run,
    struct err *err)
{
	struct buf msg = { 0 };
	char *tmp = path != NULL ? mem_fmt("%s.new", path) : NULL;
	int r = -1;

	if (path != NULL && (run->out = fopen(tmp, "wb")) == NULL) {
		err_sys(err, errno == ENOENT || errno == ENOTDIR ? FAIL_NOT_FOUND : FAIL_DENIED,
		    "%s: cannot be written", tmp);
		goto out;
	}
	client_start(cli, &msg, ADMIN_CRL);
	admin_crl_ask_put(&msg, ask);
	if (client_call(cli, &msg, crl_reply, run, err) != 0)
		goto out;
	if (!run->have || run->bytes != (uint64_t)run->crl.size) {
		err_set(err, FAIL_INTERNAL, "crl: %llu octets came, %lld were made",
		    (unsigned long long)run->bytes, (long long)run->crl.size);
		goto out;
	}
	if (path != NULL) {
		if (fflush(run->out) != 0 || fsync(fileno(run->out)) != 0 ||
		    fclose(run->out) != 0) {
			run->out = NULL;
			err_sys(err, FAIL_UNAVAILABLE, "%s: cannot be written", tmp);
			goto out;
		}
		run->out = NULL;
		if (rename(tmp, path) != 0) {
			err_sys(err, FAIL_DENIED, "%s: cannot be written", path);
			goto out;
		}
	}
	r = 0;
out:
	if (run->out != NULL)
		fclose(run->out);
	if (r != 0 && tmp != NULL)
		unlink(tmp);
	free(tmp);
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
			path = optarg;
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
	if (cli->json)
		putchar('{');
	output_crl(cli, &run.crl);
	if (cli->json)
		puts("}");
	return EXIT_DONE;
}
