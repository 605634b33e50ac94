/*
 * smki ca: the authorities, and the root's ceremony (its key is used in this process only).
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "smki/cert.h"
#include "smki/ceremony.h"
#include "smki/clock.h"
#include "smki/der.h"
#include "smki/hex.h"
#include "smki/mem.h"

struct ca_run {
	struct cli *cli;
	const char *name; /* NULL = all */
	int full;
	size_t n;
	struct buf der;	     /* certificate of the one named */
	char root[NAME_LEN]; /* the only root, when there is one */
	size_t n_roots;
};

static void
ca_print(struct cli *cli, const struct admin_ca *ca, int full)
{
	char subject[DETAIL_LEN] = "", until[TIME_TEXT_LEN] = "", serial[SERIAL_TEXT_LEN] = "";
	struct cert cert;

	if (cert_parse(ca->der.data, ca->der.len, &cert, NULL) == 0) {
		name_text(cert.subject, subject, sizeof subject);
		time_text(cert.not_after, until);
		serial_text(&cert.serial, serial);
	}
	if (cli->json) {
		putchar('{');
		json_str("ca", ca->name, 1);
		json_str("parent", ca->parent, 0);
		json_str("subject", subject, 0);
		json_str("serial", serial, 0);
		json_str("notAfter", until, 0);
		json_int("valid", ca->tally.valid, 0);
		json_int("hold", ca->tally.hold, 0);
		json_int("revoked", ca->tally.revoked, 0);
		if (ca->has_crl) {
			fputs(",\"crl\":{", stdout);
			output_crl(cli, &ca->crl);
			putchar('}');
		}
		puts("}");
		return;
	}
	printf("%-12s %s  until %s  issued by %s\n", ca->name, subject, until, ca->parent);
	if (!full)
		return;
	printf("  serial     %s\n  key        %s\n", serial,
	    strcmp(ca->name, ca->parent) == 0 ? "used in ceremonies only"
	    : ca->key_bound		      ? "bound by smkid"
					      : "not reached by smkid");
	printf("  issued     %lld valid, %lld on hold, %lld revoked\n", (long long)ca->tally.valid,
	    (long long)ca->tally.hold, (long long)ca->tally.revoked);
	if (ca->has_crl) {
		fputs("  ", stdout);
		output_crl(cli, &ca->crl);
	}
	if (ca->responder.len != 0 &&
	    cert_parse(ca->responder.data, ca->responder.len, &cert, NULL) == 0) {
		serial_text(&cert.serial, serial);
		time_text(cert.not_after, until);
		printf("  responder  serial %s until %s\n", serial, until);
	}
}

static int
ca_reply(void *ctx, struct wire_in *in, struct err *err)
{
	struct ca_run *run = ctx;
	struct admin_ca *ca = mem_alloc(sizeof *ca);
	int r = admin_ca_get(in, ca, err);

	if (r != 0)
		goto out;
	if (strcmp(ca->name, ca->parent) == 0) {
		run->n_roots++;
		snprintf(run->root, sizeof run->root, "%s", ca->name);
	}
	if (run->name == NULL || strcmp(run->name, ca->name) == 0) {
		run->n++;
		buf_reset(&run->der);
		buf_add(&run->der, ca->der.data, ca->der.len);
		if (run->cli != NULL)
			ca_print(run->cli, ca, run->full);
	}
	admin_ca_free(ca);
out:
	free(ca);
	return r;
}

static int
ca_ask(struct cli *cli, struct ca_run *run, struct err *err)
{
	struct buf msg = { 0 };
	int r;

	client_start(cli, &msg, ADMIN_CA_LIST);
	r = client_call(cli, &msg, ca_reply, run, err);
	buf_free(&msg);
	if (r == 0 && run->name != NULL && run->n == 0)
		return err_set(err, FAIL_NOT_FOUND, "ca %s: there is none of this name", run->name);
	return r;
}

static int
ca_list(struct cli *cli, const char *name, int full, struct err *err)
{
	struct ca_run run = { .cli = cli, .name = name, .full = full };
	int r = ca_ask(cli, &run, err);

	buf_free(&run.der);
	return r;
}

static int
ca_export(struct cli *cli, const char *name, const char *out, struct err *err)
{
	struct ca_run run = { .name = name };
	struct buf pem = { 0 };
	int r = -1;

	if (ca_ask(cli, &run, err) != 0)
		goto out;
	pem_encode("CERTIFICATE", run.der.data, run.der.len, &pem);
	if (cli->json && out == NULL) {
		putchar('{');
		json_str("ca", name, 1);
		json_str("certificate", buf_text(&pem), 0);
		puts("}");
		r = 0;
	} else {
		r = output_write(out, pem.data, pem.len, err);
	}
out:
	buf_free(&run.der);
	buf_free(&pem);
	return r;
}

static int
ca_begin_reply(void *ctx, struct wire_in *in, struct err *err)
{
	return admin_crl_begin_get(in, ctx, err);
}

/* The ceremony of a root's CRL: take a number, sign here, hand over. */
static int
ca_crl(struct cli *cli, const char *given, struct err *err)
{
	struct admin_crl_begin *begin = mem_alloc(sizeof *begin);
	struct home *home = mem_alloc(sizeof *home);
	struct ca_run run = { .name = given };
	struct admin_crl_put put = { 0 };
	struct ceremony_crl wanted = { 0 };
	struct admin_name name = { 0 };
	struct buf msg = { 0 };
	int r = -1;

	if (home_load(cli->dir, home, err) != 0 || ca_ask(cli, &run, err) != 0)
		goto out;
	if (given == NULL && run.n_roots != 1) {
		err_set(err, FAIL_INVALID, "ca: several roots; name one");
		goto out;
	}
	snprintf(name.ca, sizeof name.ca, "%s", given != NULL ? given : run.root);
	client_start(cli, &msg, ADMIN_CRL_BEGIN);
	admin_name_put(&msg, &name);
	if (client_call(cli, &msg, ca_begin_reply, begin, err) != 0)
		goto out;
	wanted.ca = name.ca;
	wanted.cert = buf_span(&begin->der);
	wanted.number = begin->number;
	wanted.now = clock_now();
	wanted.listed = begin->entry;
	wanted.n = begin->n;
	if (ceremony_crl(home, &wanted, &put.der, err) != 0)
		goto out;
	snprintf(put.ca, sizeof put.ca, "%s", name.ca);
	put.number = begin->number;
	put.event = begin->event;
	client_start(cli, &msg, ADMIN_CRL_PUT);
	admin_crl_put_put(&msg, &put);
	if (client_call(cli, &msg, NULL, NULL, err) != 0)
		goto out;
	if (cli->json) {
		putchar('{');
		json_str("ca", put.ca, 1);
		json_int("crlNumber", put.number, 0);
		json_int("entries", (long long)begin->n, 0);
		puts("}");
	} else {
		printf("ca %s: crl %lld published, %zu entries\n", put.ca, (long long)put.number,
		    begin->n);
	}
	r = 0;
out:
	admin_crl_begin_free(begin);
	admin_crl_put_free(&put);
	buf_free(&run.der);
	buf_free(&msg);
	free(begin);
	free(home);
	return r;
}

static int
ca_export_verb(struct cli *cli, int argc, char **argv)
{
	static const struct option options[] = {
		{ "out", required_argument, NULL, 'o' },
		{ NULL, 0, NULL, 0 },
	};
	const char *out = NULL, *name = "issuing";
	struct err err;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c != 'o')
			return cli_usage("ca");
		out = output_is_stdout(optarg) ? NULL : optarg;
	}
	if (argc - optind > 1)
		return cli_usage("ca");
	if (optind < argc)
		name = argv[optind];
	return ca_export(cli, name, out, &err) == 0 ? EXIT_DONE : cli_fail(&err);
}

int
ca_verb(struct cli *cli, int argc, char **argv)
{
	const char *word = argc > 1 ? argv[1] : "";
	struct err err;
	int status;

	/* Each word is a verb of its own with its own options. */
	argc--;
	argv++;
	if (strcmp(word, "list") == 0 && argc == 1) {
		if (ca_list(cli, NULL, 0, &err) == 0)
			return EXIT_DONE;
	} else if (strcmp(word, "show") == 0 && argc == 2) {
		if (ca_list(cli, argv[1], 1, &err) == 0)
			return EXIT_DONE;
	} else if (strcmp(word, "export") == 0) {
		return ca_export_verb(cli, argc, argv);
	} else if (strcmp(word, "crl") == 0 && argc <= 2) {
		if (ca_crl(cli, argc == 2 ? argv[1] : NULL, &err) == 0)
			return EXIT_DONE;
	} else if (strcmp(word, "revoke") == 0) {
		status = state_ca_revoke(cli, argc, argv);
		/* The state is true now; the list that says so is signed here. */
		if (status != EXIT_DONE || ca_crl(cli, NULL, &err) == 0)
			return status;
	} else {
		return cli_usage("ca");
	}
	return cli_fail(&err);
}
