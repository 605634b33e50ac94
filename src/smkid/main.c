/*
 * smkid: holds the issuing keys and alone writes the database. Start and stop of its parts in
 * their order; what they do is elsewhere. A token that is away does not keep it from starting:
 * states are changed and questions answered without one.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "house.h"
#include "imports.h"
#include "lane.h"
#include "server.h"
#include "smki/clock.h"
#include "smki/access.h"
#include "smki/crlgen.h"
#include "smki/enrol.h"
#include "smki/mem.h"
#include "smki/rng.h"

/* Requests that wait for a worker (as many again in bulk), questions that wait for a thread, lists
 * asked for. */
#define SMKID_WORK_MAX 2048
#define SMKID_QUERIES_MAX 1024
#define SMKID_CHANGES_MAX COMMIT_QUEUE_MAX
#define SMKID_KEEPER_MAX 64
#define SMKID_QUERY_THREADS 2
/* Microseconds, of a supervisor's patience: six hours. */
#define SMKID_SCHEMA_US "21600000000"

struct smkid_options {
	const char *home;
	int front_fd;
	int debug;
};

static _Noreturn void
smkid_usage(void)
{
	fprintf(stderr, "usage: smkid [--home DIR] [--front-fd N] [--debug]\n");
	exit(EXIT_USAGE_);
}

static void
smkid_options(int argc, char **argv, struct smkid_options *out)
{
	static const struct option options[] = {
		{ "home", required_argument, NULL, 'h' },
		{ "front-fd", required_argument, NULL, 'f' },
		{ "debug", no_argument, NULL, 'd' },
		{ NULL, 0, NULL, 0 },
	};
	char *end;
	long fd;
	int c;

	*out = (struct smkid_options){ .front_fd = -1 };
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (c) {
		case 'h':
			out->home = optarg;
			break;
		case 'f':
			errno = 0;
			fd = strtol(optarg, &end, 10);
			if (errno != 0 || end == optarg || *end != '\0' || fd < 0 || fd > 65535)
				smkid_usage();
			out->front_fd = (int)fd;
			break;
		case 'd':
			out->debug = 1;
			break;
		default:
			smkid_usage();
		}
	if (optind != argc)
		smkid_usage();
}

/* No core dump, no debugger: PINs pass through this memory. */
static void
smkid_harden(void)
{
	struct rlimit none = { 0, 0 };

	umask(027);
	if (setrlimit(RLIMIT_CORE, &none) != 0)
		log_die(EXIT_UNAVAILABLE, "RLIMIT_CORE: %s", strerror(errno));
#ifndef __SANITIZE_ADDRESS__ /* its leak checker attaches as a debugger does */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		log_die(EXIT_UNAVAILABLE, "PR_SET_DUMPABLE: %s", strerror(errno));
#endif
}

/* A closed standard descriptor would be the next file opened, and log lines would go there. */
static void
smkid_stdio(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
			_exit(EXIT_INTERNAL);
}

/* Before any thread: signals arrive at the epoll thread's descriptor only. */
static void
smkid_signals(void)
{
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error, not the end */
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP); /* the terminal of smki run is closed */
	require(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
}

/* One writer a home. The lock goes with the process; the file stays. */
static int
smkid_lock(const struct home *home, int *fd, struct err *err)
{
	char path[HOME_PATH_MAX];
	int lock;

	if (home_path(home, HOME_LOCK, path, err) != 0)
		return -1;
	lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (lock < 0)
		return err_sys(err, FAIL_UNAVAILABLE, "home %s: %s", home->dir, HOME_LOCK);
	if (flock(lock, LOCK_EX | LOCK_NB) != 0) {
		if (errno == EWOULDBLOCK)
			err_set(err, FAIL_CONFLICT, "home %s: another smkid serves it", home->dir);
		else
			err_sys(err, FAIL_UNAVAILABLE, "home %s: %s", home->dir, HOME_LOCK);
		close(lock);
		return -1;
	}
	*fd = lock;
	return 0;
}

/* COMMIT failed: what is on disk is uncertain, only a new start tells. */
static void
smkid_fatal(const struct err *err)
{
	log_error("%s", err->msg);
	_exit(EXIT_INTERNAL);
}

/* What the triggers need to know of the configuration. */
static int
smkid_settings(struct store *store, const struct home *home, struct err *err)
{
	bool fatal = false;

	if (store_begin(store, err) != 0)
		return -1;
	if (store_setting_put(
		store, "certificates_per_device", home->certificates_per_device, err) != 0) {
		store_rollback(store);
		return -1;
	}
	return store_commit(store, &fatal, err);
}

/* The page that the front's cache follows. Another epoch: what was committed just before this
 * process's predecessor ended, the page may never have heard of. */
static int
smkid_page(struct smkid *smkid, struct store *store, struct err *err)
{
	char path[HOME_PATH_MAX];
	uint64_t epoch = 0;
	int64_t newest;

	while (epoch == 0)
		if (rng_draw((uint8_t *)&epoch, sizeof(epoch)) != 0)
			return err_set(err, FAIL_UNAVAILABLE, "smkid: no random octets");
	if (store_changed_newest(store, &newest, err) != 0 ||
	    home_path(&smkid->home, HOME_STATUS, path, err) != 0)
		return -1;
	return statuspage_make(path, epoch, (uint64_t)newest, &smkid->page, err);
}

/* The database and what is read from it, before anything else can write. */
static int
smkid_load(struct smkid *smkid, struct store *store, struct err *err)
{
	int64_t event;
	time_t newest;

	if (smkid_settings(store, &smkid->home, err) != 0 ||
	    caset_load(store, &smkid->home, &smkid->cas, err) != 0 ||
	    crlgen_recover(smkid->crl_dir, smkid->cas, store, err) != 0 ||
	    lanes_open(&smkid->home, smkid->cas, store, &smkid->lanes, err) != 0 ||
	    smkid_page(smkid, store, err) != 0 ||
	    store_event_newest(store, &event, &newest, err) != 0)
		return -1;
	smkid->guard = timeguard_new(newest);
	smkid->refusals = refusals_new();
	if (crlgen_ahead_load(smkid->crl_dir, smkid->cas, store, &smkid->ahead, err) != 0)
		return -1;
	if (crlgen_ahead_check(smkid->ahead, err) != 0) {
		log_error("%s", err->msg);
		timeguard_doubt(smkid->guard, err->msg);
	}
	return 0;
}

static int
smkid_pools(struct smkid *smkid, const char *db, struct err *err)
{
	struct pool_conf workers = { .db = db,
		.cache = smkid->home.db_reader_cache,
		.threads = lanes_sessions(smkid->lanes),
		.max = SMKID_WORK_MAX };
	struct pool_conf queries = { .db = db,
		.cache = smkid->home.db_reader_cache,
		.threads = SMKID_QUERY_THREADS,
		.max = SMKID_QUERIES_MAX };
	/* One thread: changes happen in the order in which they were asked for. */
	struct pool_conf changes = { .db = db,
		.cache = smkid->home.db_reader_cache,
		.threads = 1,
		.prompt = true,
		.max = SMKID_CHANGES_MAX };

	if (pool_new(&workers, &smkid->workers, err) != 0 ||
	    pool_new(&changes, &smkid->changes, err) != 0)
		return -1;
	return pool_new(&queries, &smkid->queries, err);
}

/* Last of all: from here on CRLs are made and the tokens looked after. */
static int
smkid_keeper(struct smkid *smkid, const char *db, struct err *err)
{
	struct pool_conf keeper = { .db = db,
		.cache = smkid->home.db_reader_cache,
		.threads = 1,
		.max = SMKID_KEEPER_MAX,
		.tick = house_tick,
		.ctx = smkid->house,
		.tick_ms = HOUSE_TICK_MS };

	return pool_new(&keeper, &smkid->keeper, err);
}

static int
smkid_issue(struct smkid *smkid, struct err *err)
{
	struct issue_conf conf = {
		.cas = smkid->cas,
		.profiles = &smkid->profiles,
		.committer = smkid->committer,
		.guard = smkid->guard,
		.certificates_per_device = smkid->home.certificates_per_device,
		.draw = rng_draw,
		.requeue = op_issue_requeue,
		.requeue_ctx = smkid,
	};

	return issue_new(&conf, &smkid->issue, err);
}

static int
smkid_enrol(struct smkid *smkid, struct err *err)
{
	uint8_t pepper[PEPPER_LEN];
	struct enrol_conf conf = {
		.home = &smkid->home,
		.profiles = &smkid->profiles,
		.issue = smkid->issue,
		.guard = smkid->guard,
		.anchors = &smkid->anchors,
		.pepper = { pepper, sizeof(pepper) },
		.refusals = smkid->refusals,
	};
	int r = -1;

	if (pepper_load(&smkid->home, pepper, err) == 0 &&
	    anchors_load(&smkid->home, &smkid->anchors, err) == 0)
		r = enrol_new(&conf, &smkid->enrol, err);
	explicit_bzero(pepper, sizeof(pepper));
	return r;
}

static int
smkid_access(struct smkid *smkid, struct err *err)
{
	struct access_conf conf = {
		.home = &smkid->home,
		.profiles = &smkid->profiles,
		.guard = smkid->guard,
		.refusals = smkid->refusals,
		.signer = lanes_access_signer,
		.ctx = smkid->lanes,
	};

	return access_new(&conf, &smkid->access, err);
}

/* sd_notify(3) without its library: one datagram. */
static void
smkid_notify(const char *text)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t len = path == NULL ? 0 : strlen(path);
	socklen_t size;
	int fd;

	if (len == 0 || len >= sizeof(address.sun_path))
		return;
	memcpy(address.sun_path, path, len);
	if (path[0] == '@')
		address.sun_path[0] = '\0'; /* abstract */
	size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || sendto(fd, text, strlen(text), MSG_NOSIGNAL,
			  (const struct sockaddr *)&address, size) < 0)
		log_warn("NOTIFY_SOCKET: %s", strerror(errno));
	if (fd >= 0)
		close(fd);
}

/* What was counted since the last time. */
static void
smkid_refusals(struct smkid *smkid)
{
	struct err err;

	if (smkid->refusals != NULL && smkid->committer != NULL &&
	    refusals_flush(smkid->refusals, smkid->committer, clock_now(),
		smkid->home.enrol.refusals_kept, &err) != 0)
		log_warn("refusals: %s", err.msg);
}

/* In the opposite order of the start: whoever hands work on ends before whoever takes it. */
static void
smkid_end(struct smkid *smkid, struct store *store, struct store *aside)
{
	pool_free(smkid->keeper);
	pool_free(smkid->queries);
	pool_free(smkid->changes);
	pool_free(smkid->workers);
	smkid_refusals(smkid);
	committer_stop(smkid->committer);
	server_free(smkid->server);
	house_free(smkid->house);
	imports_free(smkid->imports);
	enrol_free(smkid->enrol);
	anchors_free(&smkid->anchors);
	access_free(smkid->access);
	refusals_free(smkid->refusals);
	issue_free(smkid->issue);
	lanes_close(smkid->lanes);
	crlgen_ahead_free(smkid->ahead);
	caset_free(smkid->cas);
	statuspage_close(smkid->page);
	timeguard_free(smkid->guard);
	profiles_free(&smkid->profiles);
	store_close(aside);
	store_close(store);
}

/* Whoever started smkid hears of it, and gives it the time. */
static void
smkid_schema(void *ctx, int64_t from, int64_t to)
{
	*(int64_t *)ctx = to;
	log_info("database: from schema %lld to %lld; with millions of certificates this takes "
		 "minutes",
	    (long long)from, (long long)to);
	smkid_notify("STATUS=brings the database up to date\n"
		     "EXTEND_TIMEOUT_USEC=" SMKID_SCHEMA_US);
}

/* The writer's handle. */
static int
smkid_database(const struct smkid *smkid, const char *path, struct store **out, struct err *err)
{
	int64_t to = 0;
	const struct store_told told = { .schema = smkid_schema, .ctx = &to };

	if (store_open_telling(path, &told, out, err) != 0)
		return -1;
	if (to != 0)
		log_info("database: schema %lld", (long long)to);
	return store_cache(*out, smkid->home.db_cache, err);
}

static int
smkid_start(struct smkid *smkid, const struct smkid_options *options, int *lock,
    struct store **store, struct store **aside, struct err *err)
{
	char db[HOME_PATH_MAX], policies[HOME_PATH_MAX], dir[HOME_PATH_MAX];

	if (home_dir(options->home, dir, err) != 0 || home_load(dir, &smkid->home, err) != 0 ||
	    home_path(&smkid->home, HOME_DB, db, err) != 0 ||
	    home_path(&smkid->home, HOME_CRL, smkid->crl_dir, err) != 0 ||
	    home_path(&smkid->home, HOME_POLICIES, policies, err) != 0 ||
	    smkid_lock(&smkid->home, lock, err) != 0 ||
	    profiles_load(policies, &smkid->profiles, err) != 0 ||
	    smkid_database(smkid, db, store, err) != 0 ||
	    store_open(db, STORE_WRITE, aside, err) != 0 || smkid_load(smkid, *store, err) != 0 ||
	    committer_start(*store, *aside, smkid_fatal, &smkid->committer, err) != 0 ||
	    smkid_issue(smkid, err) != 0 || smkid_enrol(smkid, err) != 0 ||
	    smkid_access(smkid, err) != 0 || smkid_pools(smkid, db, err) != 0)
		return -1;
	smkid->house = house_new(smkid);
	smkid->imports = imports_new(smkid);
	if (server_new(smkid, options->front_fd, &smkid->server, err) != 0)
		return -1;
	return smkid_keeper(smkid, db, err);
}

int
main(int argc, char **argv)
{
	struct smkid *smkid = mem_alloc(sizeof(*smkid));
	struct smkid_options options;
	struct store *store = NULL, *aside = NULL; /* the committer's, its checkpointer's */
	int lock = -1, status;
	struct err err;

	smkid_stdio();
	smkid_options(argc, argv, &options);
	log_init("smkid", options.debug);
	smkid_harden();
	smkid_signals();
	smkid->started = clock_now();
	if (smkid_start(smkid, &options, &lock, &store, &aside, &err) == 0) {
		log_info("ready");
		smkid_notify("READY=1\nSTATUS=");
		status = server_run(smkid->server);
	} else {
		log_error("%s", err.msg);
		status = err_exit_status(err.code);
	}
	smkid_end(smkid, store, aside);
	if (lock >= 0)
		close(lock);
	free(smkid);
	return status;
}
