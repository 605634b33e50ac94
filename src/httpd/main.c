/*
 * smki-httpd: start, wait, stop. Faces the network: it reads the database, signs OCSP responses
 * with a key of its own and changes nothing.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "front_data.h"
#include "keeper.h"
#include "listen.h"
#include "server.h"
#include "smki/clock.h"
#include "smki/file.h"
#include "smki/log.h"
#include "smki/mem.h"

/* How long a start waits for the database to be there; beside a smkid of its own, how often it asks
 * whether that serves by now, and for how long. */
#define MAIN_DATABASE_MS 30000
#define MAIN_HELLO_MS 1000
#define MAIN_RETRY_MS 200
#define MAIN_TICK_MS 250
/* A stop waits this long for requests under way, then this long for threads. */
#define MAIN_DRAIN_MS 10000
#define MAIN_END_MS 5000
/* Threads for files; more than one, so that a slow disk keeps nobody else waiting. */
#define MAIN_READERS 2
/* Threads that wait for smkid: as many as keep it busy, and fewer than LINK_CALLS_MAX. */
#define MAIN_ASKERS 32
/* Requests that may wait for a signature, for a file, for smkid. */
#define MAIN_SIGN_QUEUE 1024
#define MAIN_READ_QUEUE 512
#define MAIN_ASK_QUEUE 1024

struct options {
	const char *home;
	int front_fd;
	bool debug;
};

/* What is running. */
struct parts {
	struct httpd *httpd;
	struct tls *tls; /* NULL without a TLS listener */
	struct link *link;
	struct keeper *keeper;
	struct workers *workers[WORKS];
	struct server *server;
	char addresses[HOME_PATH_MAX];
};

static _Noreturn void
main_usage(FILE *to, int status)
{
	fputs("usage: smki-httpd [--home DIR] [--front-fd N] [--debug]\n", to);
	exit(status);
}

static void
main_options(int argc, char **argv, struct options *out)
{
	static const struct option known[] = {
		{ "home", required_argument, NULL, 'H' },
		{ "front-fd", required_argument, NULL, 'f' },
		{ "debug", no_argument, NULL, 'd' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	char *end;
	long fd;
	int c;

	*out = (struct options){ .front_fd = -1 };
	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (c) {
		case 'H':
			out->home = optarg;
			break;
		case 'f':
			fd = strtol(optarg, &end, 10);
			if (*optarg == '\0' || *end != '\0' || fd <= STDERR_FILENO || fd > 65535)
				main_usage(stderr, EXIT_USAGE_);
			out->front_fd = (int)fd;
			break;
		case 'd':
			out->debug = true;
			break;
		case 'h':
			main_usage(stdout, EXIT_DONE);
		case 'V':
			puts("smki-httpd " SMKI_VERSION);
			exit(EXIT_DONE);
		default:
			main_usage(stderr, EXIT_USAGE_);
		}
	}
	if (optind != argc)
		main_usage(stderr, EXIT_USAGE_);
}

/* No core dump and no debugger sees the PIN; a descriptor for each connection and file. */
static void
main_confine(sigset_t *ends)
{
	struct rlimit none = { 0, 0 }, files;

	umask(027);
	if (prctl(PR_SET_DUMPABLE, 0) != 0 || setrlimit(RLIMIT_CORE, &none) != 0)
		log_die(EXIT_UNAVAILABLE, "process: %s", strerror(errno));
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
		files.rlim_cur = files.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &files) != 0)
			log_warn("process: open files: %s", strerror(errno));
	}
	signal(SIGPIPE, SIG_IGN);
	/* Blocked in every thread: the main thread takes them when it is ready. */
	sigemptyset(ends);
	sigaddset(ends, SIGTERM);
	sigaddset(ends, SIGINT);
	if (pthread_sigmask(SIG_BLOCK, ends, NULL) != 0)
		log_die(EXIT_UNAVAILABLE, "process: signals cannot be blocked");
}

/* true when a signal to end came within this time. */
static bool
main_wait(const sigset_t *ends, int ms)
{
	struct timespec time = { ms / 1000, (long)(ms % 1000) * 1000000L };

	return sigtimedwait(ends, NULL, &time) > 0;
}

/* smkid may be starting too: it makes the database's helper files that a reader needs, and brings
 * the database of an earlier version up to date, which takes minutes when it is large. Who was
 * started beside it (smki run) waits until it serves; beside = NULL is nobody's. */
static struct store *
main_store(const struct home *home, struct link *beside, const sigset_t *ends)
{
	int64_t late = clock_mono_ms() + MAIN_DATABASE_MS;
	struct store *store = NULL;
	char path[HOME_PATH_MAX];
	bool said = false;
	struct err err;

	if (home_path(home, HOME_DB, path, &err) != 0)
		log_die(err_exit_status(err.code), "%s", err.msg);
	while (store_open(path, STORE_READ, &store, &err) != 0) {
		bool is_late = clock_mono_ms() >= late;

		if ((err.code != FAIL_NOT_FOUND && err.code != FAIL_UNAVAILABLE) ||
		    (is_late && beside == NULL))
			log_die(err_exit_status(err.code), "%s", err.msg);
		if (!said)
			log_info("waiting for the database: %s", err.msg);
		said = true;
		if (is_late && link_hello(beside, MAIN_HELLO_MS, NULL) == 0) {
			beside = NULL; /* it has done what it does; once more, and that is all */
		} else if (is_late) {
			log_warn("still waiting for the database: %s", err.msg);
			late = clock_mono_ms() + MAIN_DATABASE_MS;
		}
		if (main_wait(ends, MAIN_RETRY_MS))
			exit(EXIT_DONE);
	}
	return store;
}

/* Open the listeners that the home wants. Their real addresses stand in a file, for whoever chose
 * port 0. */
static int
main_listen(struct parts *p, int fd[LISTENERS], struct err *err)
{
	const struct home *home = &p->httpd->home;
	const char *const where[LISTENERS] = { home->http_listen, home->https.listen };
	static const char *const name[LISTENERS] = { "http", "https" };
	char real[LISTEN_TEXT_MAX];
	struct buf text = { 0 };
	int r = -1;

	if (home_path(home, HOME_ADDRESSES, p->addresses, err) != 0)
		goto out;
	for (int i = 0; i < LISTENERS; i++) {
		if (where[i][0] == '\0')
			continue;
		if (listen_open(where[i], &fd[i], real, err) != 0)
			goto out;
		buf_fmt(&text, "%s %s\n", name[i], real);
		log_info("listen %s=%s", name[i], real);
	}
	r = file_write(p->addresses, text.data, text.len, 0644, err);
out:
	buf_free(&text);
	return r;
}

static void
main_start(struct parts *p, const struct options *options, const sigset_t *ends)
{
	struct home *home = mem_alloc(sizeof(*home));
	struct server_conf conf = { .listen_fd = { -1, -1 } };
	char dir[HOME_PATH_MAX];
	struct err err;
	size_t signers;

	if (home_dir(options->home, dir, &err) != 0 || home_load(dir, home, &err) != 0)
		log_die(err_exit_status(err.code), "%s", err.msg);
	log_info("start version=" SMKI_VERSION " home=%s", home->dir);
	p->httpd = httpd_new(home);
	signers = (size_t)home_token(home, home->ocsp_token)->conf.sessions;
	if (front_data_load(&p->httpd->home, &p->httpd->data, &err) != 0 ||
	    (home->https.listen[0] != '\0' && tls_new(&p->httpd->home, &p->tls, &err) != 0) ||
	    link_new(home, options->front_fd, &p->link, &err) != 0 ||
	    keeper_new(p->httpd, main_store(home, options->front_fd >= 0 ? p->link : NULL, ends),
		p->link, p->tls, &p->keeper, &err) != 0)
		log_die(err_exit_status(err.code), "%s", err.msg);
	free(home);
	if (main_listen(p, conf.listen_fd, &err) != 0 ||
	    keeper_start(p->keeper, KEEPER_TICK_MS, &err) != 0)
		log_die(err_exit_status(err.code), "%s", err.msg);
	p->workers[WORK_SIGN] = workers_new(p->httpd, p->link, signers, MAIN_SIGN_QUEUE);
	p->workers[WORK_READ] = workers_new(p->httpd, p->link, MAIN_READERS, MAIN_READ_QUEUE);
	p->workers[WORK_ASK] = workers_new(p->httpd, p->link, MAIN_ASKERS, MAIN_ASK_QUEUE);
	conf.httpd = p->httpd;
	conf.tls = p->tls;
	memcpy(conf.workers, p->workers, sizeof(conf.workers));
	if (server_start(&conf, &p->server, &err) != 0)
		log_die(err_exit_status(err.code), "%s", err.msg);
}

/* Requests under way are answered, then threads end from the outside in. */
static void
main_stop(struct parts *p)
{
	bool busy = false;

	/* Before the ports are free for a successor, who writes a file of its own. */
	if (unlink(p->addresses) != 0 && errno != ENOENT)
		log_warn("%s: %s", p->addresses, strerror(errno));
	server_quiesce(p->server, MAIN_DRAIN_MS);
	for (int i = 0; i < WORKS; i++)
		busy = workers_stop(p->workers[i], MAIN_END_MS) != 0 || busy;
	if (busy || keeper_stop(p->keeper, MAIN_END_MS) != 0) {
		/* A token or a smkid that hangs keeps a thread. Nothing needs to be put away. */
		log_warn("stop: a thread is still busy; ending without it");
		_exit(EXIT_DONE);
	}
	/* A connection that outlasted the wait may have sent its request until now. */
	server_stop(p->server);
	for (int i = 0; i < WORKS; i++)
		workers_free(p->workers[i]);
	keeper_free(p->keeper);
	tls_free(p->tls);
	link_free(p->link);
	httpd_free(p->httpd);
	log_info("stop");
}

int
main(int argc, char **argv)
{
	struct options options;
	struct parts parts = { 0 };
	int status = EXIT_DONE;
	sigset_t ends;

	main_options(argc, argv, &options);
	log_init("smki-httpd", options.debug);
	main_confine(&ends);
	main_start(&parts, &options, &ends);
	while (!main_wait(&ends, MAIN_TICK_MS)) {
		server_tick(parts.server);
		if (!keeper_lost(parts.keeper))
			continue;
		log_error("token: too many threads never came back; ending");
		status = EXIT_UNAVAILABLE;
		break;
	}
	main_stop(&parts);
	return status;
}
