/*
 * smki status: how the installation is.
 */
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "cli.h"
#include "smki/cert.h"
#include "smki/der.h"
#include "smki/file.h"
#include "smki/mem.h"

/* Longest run/addresses file, and how long its address has to answer. The file is the front's:
 * whatever it made of it must not keep the command waiting. */
#define STATUS_ADDRESSES_MAX 4096
#define STATUS_CONNECT_SECONDS 2

struct status_run {
	struct cli *cli;
	bool have;
	struct admin_status status;
	struct home home;
	char http[128], https[128];
	bool http_answers, https_answers;
};

/* Does anybody listen there? */
static bool
status_listens(const char *address)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST }, *info;
	char host[128];
	const struct timeval wait = { .tv_sec = STATUS_CONNECT_SECONDS };
	char *colon, *start = host;
	bool answers = false;
	int fd;

	snprintf(host, sizeof host, "%s", address);
	colon = strrchr(host, ':');
	if (colon == NULL)
		return false;
	*colon = 0;
	if (host[0] == '[' && colon[-1] == ']') {
		start = host + 1;
		colon[-1] = 0;
	}
	if (getaddrinfo(start, colon + 1, &hints, &info) != 0)
		return false;
	fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0) {
		answers = setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait) == 0 &&
			  connect(fd, info->ai_addr, info->ai_addrlen) == 0;
		close(fd);
	}
	freeaddrinfo(info);
	return answers;
}

static void
status_http(struct status_run *run)
{
	struct buf text = { 0 };
	char path[HOME_PATH_MAX], *line, *save = NULL;
	struct stat st;

	snprintf(run->home.dir, sizeof run->home.dir, "%s", run->cli->dir);
	if (home_path(&run->home, HOME_ADDRESSES, path, NULL) == 0 && lstat(path, &st) == 0 &&
	    S_ISREG(st.st_mode) && file_read(path, STATUS_ADDRESSES_MAX, &text, NULL) == 0) {
		char *copy = mem_str(buf_text(&text));

		for (line = strtok_r(copy, "\n", &save); line != NULL;
		     line = strtok_r(NULL, "\n", &save))
			if (strncmp(line, "http ", 5) == 0)
				snprintf(run->http, sizeof run->http, "%s", line + 5);
			else if (strncmp(line, "https ", 6) == 0)
				snprintf(run->https, sizeof run->https, "%s", line + 6);
		free(copy);
	}
	buf_free(&text);
	run->http_answers = run->http[0] != 0 && status_listens(run->http);
	run->https_answers = run->https[0] != 0 && status_listens(run->https);
}

/* The TLS listener, where there is one. */
static void
status_tls(const struct status_run *run)
{
	const time_t end = run->status.server_until;
	char until[TIME_TEXT_LEN] = "";

	if (run->https[0] == 0)
		return;
	if (end != 0)
		time_text(end, until);
	if (run->cli->json) {
		json_str("https", run->https, 0);
		printf(",\"httpsAnswers\":%s", run->https_answers ? "true" : "false");
		if (end != 0)
			json_str("tlsUntil", until, 0);
		return;
	}
	printf("https        %s%s%s%s\n", run->https,
	    run->https_answers ? ", answers" : ", does not answer",
	    end != 0 ? ", its certificate until " : "", until);
}

static void
status_daemons(struct status_run *run)
{
	const struct admin_status *s = &run->status;
	char since[TIME_TEXT_LEN];

	time_text(s->started, since);
	if (run->cli->json) {
		putchar('{');
		json_str("smkid", s->version, 1);
		json_int("pid", s->pid, 0);
		json_str("started", since, 0);
		json_int("event", s->event, 0);
		printf(",\"tokenReady\":%s", s->token_ready ? "true" : "false");
		json_int("waiting", s->queue, 0);
		json_str("http", run->http, 0);
		printf(",\"httpAnswers\":%s", run->http_answers ? "true" : "false");
		json_str("alarm", s->alarm, 0);
		status_tls(run);
		json_int("refusedLastHour", s->refused, 0);
		json_int("importsUnfinished", s->imports, 0);
		puts("}");
		return;
	}
	printf("smkid        %s, pid %lld, since %s\n", s->version, (long long)s->pid, since);
	printf("smki-httpd   %s%s\n", run->http[0] != 0 ? run->http : "no address",
	    run->http_answers ? ", answers" : ", does not answer");
	status_tls(run);
	printf("token        %s\n", s->token_ready ? "ready" : "away");
	printf("events       %lld\n", (long long)s->event);
	printf("refused      %lld in the last hour\n", (long long)s->refused);
	if (s->imports != 0)
		printf("imports      %u not finished\n", s->imports);
	printf("alarm        %s\n", s->alarm[0] != 0 ? s->alarm : "none");
}

static void
status_ca(struct status_run *run, const struct admin_ca *ca)
{
	char until[TIME_TEXT_LEN];
	struct cert cert;
	struct cli *cli = run->cli;

	if (cli->json)
		putchar('{');
	else
		printf("ca %-9s ", ca->name);
	if (cli->json) {
		json_str("ca", ca->name, 1);
		json_int("valid", ca->tally.valid, 0);
		json_int("hold", ca->tally.hold, 0);
		json_int("revoked", ca->tally.revoked, 0);
	} else {
		printf("%lld valid, %lld on hold, %lld revoked\n", (long long)ca->tally.valid,
		    (long long)ca->tally.hold, (long long)ca->tally.revoked);
	}
	if (ca->has_crl) {
		fputs(cli->json ? ",\"crl\":{" : "             ", stdout);
		output_crl(cli, &ca->crl);
		if (cli->json)
			putchar('}');
	}
	if (ca->responder.len != 0 &&
	    cert_parse(ca->responder.data, ca->responder.len, &cert, NULL) == 0) {
		time_text(cert.not_after, until);
		if (cli->json)
			json_str("responderUntil", until, 0);
		else
			printf("             ocsp responder until %s\n", until);
	}
	if (cli->json)
		puts("}");
}

static int
status_reply(void *ctx, struct wire_in *in, struct err *err)
{
	struct status_run *run = ctx;
	struct admin_ca *ca;
	int r;

	if (!run->have) {
		if (admin_status_get(in, &run->status, err) != 0)
			return -1;
		run->have = true;
		status_http(run);
		status_daemons(run);
		return 0;
	}
	ca = mem_alloc(sizeof *ca);
	r = admin_ca_get(in, ca, err);
	if (r == 0) {
		status_ca(run, ca);
		admin_ca_free(ca);
	}
	free(ca);
	return r;
}

int
status_verb(struct cli *cli, int argc, char **argv)
{
	struct status_run *run = mem_alloc(sizeof *run);
	struct buf msg = { 0 };
	struct err err;
	int r;

	(void)argv;
	if (argc != 1) {
		free(run);
		return cli_usage("status");
	}
	run->cli = cli;
	client_start(cli, &msg, ADMIN_STATUS);
	r = client_call(cli, &msg, status_reply, run, &err);
	buf_free(&msg);
	free(run);
	return r == 0 ? EXIT_DONE : cli_fail(&err);
}
