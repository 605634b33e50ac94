/*
 * smki issue: a request becomes a certificate.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "smki/file.h"
#include "smki/hex.h"

static int
issue_reply(void *ctx, struct wire_in *in, struct err *err)
{
	return admin_issued_get(in, ctx, err);
}

/* What the operator must know beside the certificate: never on stdout. */
static void
issue_notes(const struct issue_result *result)
{
	char serial[SERIAL_TEXT_LEN];

	serial_text(&result->serial, serial);
	if (result->existing)
		fprintf(stderr, "smki: already issued for this key: serial %s%s\n", serial,
		    result->state == CERT_HOLD ? "; it is on hold" : "");
	else if (result->replaces != 0)
		fprintf(stderr,
		    "smki: serial %s issued; earlier certificates of this holder and profile stay "
		    "as "
		    "they are until they are revoked\n",
		    serial);
}

static int
issue_print(struct cli *cli, const struct issue_result *result, const char *out, struct err *err)
{
	char serial[SERIAL_TEXT_LEN], holder[HOLDER_TEXT_LEN];
	struct buf pem = { 0 };
	int r = -1;

	pem_encode("CERTIFICATE", result->der.data, result->der.len, &pem);
	if ((out != NULL || !cli->json) && output_write(out, pem.data, pem.len, err) != 0)
		goto out;
	if (cli->json) {
		serial_text(&result->serial, serial);
		holder_text(&result->holder, holder);
		putchar('{');
		json_str("serial", serial, 1);
		json_str("ca", result->ca, 0);
		json_str("profile", result->profile, 0);
		json_str("holder", holder, 0);
		json_str("state", state_str(result->state), 0);
		printf(",\"existing\":%s", result->existing ? "true" : "false");
		json_str("certificate", buf_text(&pem), 0);
		puts("}");
	}
	issue_notes(result);
	r = 0;
out:
	buf_free(&pem);
	return r;
}

static int
issue_options(
    int argc, char **argv, struct issue_request *request, const char **out, struct err *err)
{
	static const struct option options[] = {
		{ "profile", required_argument, NULL, 'p' },
		{ "ca", required_argument, NULL, 'c' },
		{ "device", required_argument, NULL, 'd' },
		{ "on-hold", no_argument, NULL, 'h' },
		{ "replace", no_argument, NULL, 'r' },
		{ "out", required_argument, NULL, 'o' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'p':
			if (option_name("profile", optarg, request->profile, err) != 0)
				return -1;
			break;
		case 'c':
			if (option_name("ca", optarg, request->ca, err) != 0)
				return -1;
			break;
		case 'd':
			if (eui64_parse(optarg, &request->device, err) != 0)
				return -1;
			request->by_device = true;
			break;
		case 'h':
			request->on_hold = true;
			break;
		case 'r':
			request->replace = true;
			break;
		case 'o':
			*out = output_is_stdout(optarg) ? NULL : optarg;
			break;
		default:
			exit(cli_usage("issue"));
		}
	}
	if (optind + 1 != argc)
		exit(cli_usage("issue"));
	return 0;
}

int
issue_verb(struct cli *cli, int argc, char **argv)
{
	struct issue_request request = { 0 };
	struct issue_result result = { 0 };
	const char *out = NULL;
	struct buf msg = { 0 };
	struct err err;
	int status = EXIT_DONE;

	if (issue_options(argc, argv, &request, &out, &err) != 0 ||
	    file_read(argv[optind], CSR_TEXT_MAX, &request.csr, &err) != 0)
		goto fail;
	client_start(cli, &msg, ADMIN_ISSUE);
	admin_issue_put(&msg, &request);
	if (client_call(cli, &msg, issue_reply, &result, &err) != 0 ||
	    issue_print(cli, &result, out, &err) != 0)
		goto fail;
	goto out;
fail:
	status = cli_fail(&err);
out:
	buf_free(&request.csr);
	buf_free(&result.der);
	buf_free(&msg);
	return status;
}
