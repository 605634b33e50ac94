/*
 * smki, the operator's command: the table of verbs. Each verb is a file of its own; everything
 * that changes a state goes to smkid over its admin socket.
 */
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cli.h"
#include "smki/log.h"
#include "smki/mem.h"

static const struct verb main_verbs[] = {
	{ "init",
	    "[--url URL] [--name HOST]... [--http ADDR:PORT] [--https ADDR:PORT|none]\n"
	    "               [--token [ROLE=]URI]... [--policies DIR] [--owner CA_USER:HTTP_USER]",
	    "make a new home: keys, certificate authorities, database", init_verb },
	{ "run", "", "run smkid and smki-httpd in the foreground", run_verb },
	{ "status", "", "daemons, authorities, freshness, counts, alarms", status_verb },
	{ "issue",
	    "[--profile P] [--ca CA] [--device EUI64] [--on-hold] [--replace] [--out FILE] CSR",
	    "certificate for a request (PEM or DER, - is standard input)", issue_verb },
	{ "batch", "[--profile P] [--ca CA] [--out DIR] ZIP|DIR",
	    "certificates for up to 50,000 requests; the same command again goes on", batch_verb },
	{ "hold", "[--ca CA] [--device EUI64] [--from FILE] [SERIAL...]", "suspend certificates",
	    state_hold_verb },
	{ "reactivate", "[--ca CA] [--device EUI64] [--from FILE] [SERIAL...]", "end a hold",
	    state_reactivate_verb },
	{ "revoke",
	    "[--reason R] [--invalid-since T] [--ca CA] [--device EUI64] [--from FILE] [SERIAL...]",
	    "end certificates for ever", state_revoke_verb },
	{ "show", "[--ca CA] [--pem] SERIAL|EUI64|FILE", "what is known, with its history",
	    show_verb },
	{ "list", "[--state S] [--device EUI64] [--ca CA] [--since T] [--limit N]",
	    "certificates, one a line", list_verb },
	{ "crl", "[--ca CA] [--delta | --shard N] [--out FILE]", "make and publish a CRL now",
	    crl_verb },
	{ "ca",
	    "list | show CA | export [CA] [--out FILE] | crl [CA] |\n"
	    "             revoke SERIAL [--reason R] [--invalid-since T]",
	    "authorities; crl and revoke are the root's ceremony", ca_verb },
	{ "profile", "list | show NAME | check FILE...", "certificate profiles", profile_verb },
	{ "device",
	    "add EUI64 --hw-type OID [--manufacturer M] [--model T] [--region R]\n"
	    "               [--idevid] [--secret] [--key FILE|HEX] [--end-to-end] [--approval] |\n"
	    "           import FILE | secret EUI64 | show EUI64 |\n"
	    "           list [--state S] [--manufacturer M] [--region R] [--unapproved]\n"
	    "               [--limit N] |\n"
	    "           approve|hold|release|retire [--from FILE] [EUI64...]",
	    "the register of meters that may enrol", device_verb },
	{ "region", "list | check [--region R] [--country CC] [--position LAT,LONG]",
	    "endpoints that meters are told, and the choice for one", region_verb },
	{ "token-key", "list | new", "keys that sign access tokens", token_key_verb },
	{ "clock", "accept", "believe the clock again after a doubt", clock_verb },
};

#define MAIN_USAGE "usage: smki [--home DIR] [--json] VERB ...\n"

static void
main_help(FILE *out)
{
	fputs(MAIN_USAGE "\n", out);
	for (size_t i = 0; i < ARRAY_LEN(main_verbs); i++)
		fprintf(out, "  %-11s %s\n", main_verbs[i].name, main_verbs[i].help);
	fputs("\nsmki VERB --help tells a verb's options. The home is $SMKI_HOME, else "
	      "/var/lib/smki.\n",
	    out);
}

int
cli_usage(const char *verb)
{
	for (size_t i = 0; i < ARRAY_LEN(main_verbs); i++)
		if (strcmp(main_verbs[i].name, verb) == 0)
			fprintf(stderr, "usage: smki %s %s\n", verb, main_verbs[i].usage);
	return EXIT_USAGE_;
}

static const struct verb *
main_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(main_verbs); i++)
		if (strcmp(main_verbs[i].name, name) == 0)
			return &main_verbs[i];
	return NULL;
}

/* Wherever it stands behind a verb: "smki device add --help" asks, too. */
static bool
main_wants_help(char **argv)
{
	for (; *argv != NULL && strcmp(*argv, "--") != 0; argv++)
		if (strcmp(*argv, "--help") == 0)
			return true;
	return false;
}

/*
 * A closed standard descriptor would be the next file or socket opened, and what is printed would
 * go there. Opened the wrong way round, so that using it still fails and is told.
 */
static void
main_stdio(void)
{
	static const int flags[] = { O_WRONLY, O_RDONLY, O_RDONLY };

	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", flags[fd]) != fd)
			_exit(EXIT_INTERNAL);
}

/* What was printed did arrive, help as anything else. Who failed has said why, be it this. */
static int
main_end(struct cli *cli, int status)
{
	cli_flush(cli);
	if (cli->lost != 0 && status == EXIT_DONE) {
		fprintf(stderr, "smki: standard output: %s\n", strerror(cli->lost));
		return EXIT_UNAVAILABLE;
	}
	return status;
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "home", required_argument, NULL, 'h' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, '?' + 256 },
		{ "version", no_argument, NULL, 'v' },
		{ NULL, 0, NULL, 0 },
	};
	const struct rlimit no_core = { 0, 0 };
	struct cli cli = { .fd = -1, .wait_ms = CLI_WAIT_MS };
	const struct verb *verb;
	const char *home = NULL;
	struct err err;
	int c, status;

	main_stdio();
	/* A file that may not grow is an error to be told, not the end. */
	signal(SIGXFSZ, SIG_IGN);
	/* The ceremony verbs hold PINs for a moment: no core dumps, no ptrace by the same uid. */
	if (prctl(PR_SET_DUMPABLE, 0) != 0 || setrlimit(RLIMIT_CORE, &no_core) != 0) {
		perror("smki: core dumps cannot be switched off");
		return EXIT_INTERNAL;
	}
	log_init("smki", 0);
	while ((c = getopt_long(argc, argv, "+", options, NULL)) != -1) {
		switch (c) {
		case 'h':
			home = optarg;
			break;
		case 'j':
			cli.json = true;
			break;
		case 'v':
			puts("smki " SMKI_VERSION);
			return main_end(&cli, EXIT_DONE);
		case '?' + 256:
			main_help(stdout);
			return main_end(&cli, EXIT_DONE);
		default:
			/* Behind what getopt said, which the list of verbs would hide. */
			fputs(MAIN_USAGE, stderr);
			return EXIT_USAGE_;
		}
	}
	if (optind >= argc) {
		main_help(stderr);
		return EXIT_USAGE_;
	}
	verb = main_find(argv[optind]);
	if (verb == NULL) {
		fprintf(stderr, "smki: no verb \"%s\"; smki --help lists them\n", argv[optind]);
		return EXIT_USAGE_;
	}
	if (main_wants_help(argv + optind + 1)) {
		printf("usage: smki %s %s\n\n%s\n", verb->name, verb->usage, verb->help);
		return main_end(&cli, EXIT_DONE);
	}
	if (home_dir(home, cli.dir, &err) != 0)
		return cli_fail(&err);
	argc -= optind;
	argv += optind;
	/* 0, not 1: the verb's own options may stand behind its operands. */
	optind = 0;
	status = verb->run(&cli, argc, argv);
	client_close(&cli);
	return main_end(&cli, status);
}
