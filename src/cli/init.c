/*
 * smki init: options to struct setup.
 */
#include <getopt.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "smki/host.h"
#include "smki/mem.h"
#include "smki/setup.h"

#define INIT_HTTP_DEFAULT "127.0.0.1:8080"
#define INIT_HTTPS_DEFAULT "127.0.0.1:8443"

static bool init_quiet;
static char init_url[URI_MAX];

static void
init_progress(const char *line)
{
	if (!init_quiet)
		puts(line);
}

/* URI for all three tokens, or ROLE=URI for one. "softhsm" is the default. */
static int
init_token(struct setup *setup, const char *value, struct err *err)
{
	static const char *const role[SETUP_TOKENS] = { "root=", "issuing=", "ocsp=" };

	for (int i = 0; i < SETUP_TOKENS; i++)
		if (strncmp(value, role[i], strlen(role[i])) == 0) {
			value += strlen(role[i]);
			setup->token_uri[i] = strcmp(value, "softhsm") == 0 ? NULL : value;
			return 0;
		}
	if (strcmp(value, "softhsm") != 0 && strncmp(value, "pkcs11:", 7) != 0)
		return err_set(err, FAIL_INVALID,
		    "token: RFC 7512 2.3: \"%s\" is neither softhsm nor a pkcs11: URI", value);
	for (int i = 0; i < SETUP_TOKENS; i++)
		setup->token_uri[i] = strcmp(value, "softhsm") == 0 ? NULL : value;
	return 0;
}

static int
init_user(const char *name, uid_t *uid, gid_t *gid, struct err *err)
{
	const struct passwd *p = getpwnam(name);

	if (p == NULL)
		return err_set(err, FAIL_INVALID, "owner: there is no user \"%s\"", name);
	*uid = p->pw_uid;
	*gid = p->pw_gid;
	return 0;
}

static int
init_owner(struct setup *setup, const char *value, struct err *err)
{
	char *names = mem_str(value), *colon = strchr(names, ':');
	int r = -1;

	if (geteuid() != 0) {
		err_set(err, FAIL_DENIED, "owner: only root can give files away");
		goto out;
	}
	if (colon == NULL) {
		err_set(err, FAIL_INVALID, "owner: \"%s\" is not CA_USER:HTTP_USER", value);
		goto out;
	}
	*colon = 0;
	if (init_user(names, &setup->ca_uid, &setup->ca_gid, err) == 0 &&
	    init_user(colon + 1, &setup->http_uid, &setup->http_gid, err) == 0)
		r = 0;
out:
	free(names);
	return r;
}

static int
init_options(int argc, char **argv, struct setup *setup, struct err *err)
{
	static const struct option options[] = {
		{ "token", required_argument, NULL, 't' },
		{ "url", required_argument, NULL, 'u' },
		{ "name", required_argument, NULL, 'n' },
		{ "http", required_argument, NULL, 'h' },
		{ "https", required_argument, NULL, 's' },
		{ "policies", required_argument, NULL, 'p' },
		{ "owner", required_argument, NULL, 'o' },
		{ NULL, 0, NULL, 0 },
	};
	struct host host;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 't':
			if (init_token(setup, optarg, err) != 0)
				return -1;
			break;
		case 'u':
			if (home_url_check(optarg, init_url, err) != 0)
				return err_prefix(err, "url %.80s", optarg);
			setup->url = init_url;
			break;
		case 'n':
			if (setup->n_names == SETUP_NAMES_MAX)
				return err_set(
				    err, FAIL_INVALID, "name: over %d host names", SETUP_NAMES_MAX);
			/* Before there are keys on a token that would stay there. */
			if (host_from_text(optarg, strlen(optarg), &host) != 0)
				return err_set(err, FAIL_INVALID,
				    "name: RFC 5280 4.2.1.6: \"%.80s\" is not a host name or an "
				    "address",
				    optarg);
			setup->names[setup->n_names++] = optarg;
			break;
		case 'h':
			if (home_listen_check("http: listen", optarg, err) != 0)
				return -1;
			setup->http = optarg;
			break;
		case 's':
			setup->https = strcmp(optarg, "none") == 0 ? "" : optarg;
			if (setup->https[0] != '\0' &&
			    home_listen_check("https: listen", optarg, err) != 0)
				return -1;
			break;
		case 'p':
			setup->policies = optarg;
			break;
		case 'o':
			if (init_owner(setup, optarg, err) != 0)
				return -1;
			break;
		default:
			exit(cli_usage("init"));
		}
	}
	if (optind != argc)
		exit(cli_usage("init"));
	if (setup->n_names == 0)
		setup->names[setup->n_names++] = "localhost";
	return 0;
}

static int
init_run(const struct setup *setup, struct err *err)
{
	sigset_t before;
	int r;

	/* Progress that nobody reads any more is no reason to stop. */
	signal(SIGPIPE, SIG_IGN);
	/* Signals that would end the command half-way wait; a step asks whether one does. */
	ends_block(&before);
	r = setup_run(setup, err);
	if (r != 0)
		(void)cli_fail(err);
	/* One that waits ends the command here. */
	sigprocmask(SIG_SETMASK, &before, NULL);
	return r;
}

int
init_verb(struct cli *cli, int argc, char **argv)
{
	struct setup setup = {
		.dir = cli->dir,
		.http = INIT_HTTP_DEFAULT,
		.https = INIT_HTTPS_DEFAULT,
		.ca_uid = (uid_t)-1,
		.http_uid = (uid_t)-1,
		.ca_gid = (gid_t)-1,
		.http_gid = (gid_t)-1,
		.progress = init_progress,
		.interrupted = ends_pending,
	};
	struct err err;

	init_quiet = cli->json;
	if (init_options(argc, argv, &setup, &err) != 0)
		return cli_fail(&err);
	if (init_run(&setup, &err) != 0)
		return err_exit_status(err.code);
	if (cli->json) {
		putchar('{');
		json_str("home", cli->dir, 1);
		puts("}");
	} else {
		printf("home %s is ready; start it with: smki --home %s run\n", cli->dir, cli->dir);
	}
	return EXIT_DONE;
}
