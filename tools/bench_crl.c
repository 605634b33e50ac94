/*
 * How long a CRL takes and how much memory: a home in DIR, its database filled with N listed
 * certificates, CRLs of the issuing CA made by the service's own code, then those of all shards.
 * Beside a complete one, its bound: a scan of the same rows, SHA-256 over the same octets, a file
 * written and fsynced of them. Filling, making and the bound run in a child each, so that the memory
 * told is that of making alone; rows are read once before the time runs, for both. A large home is
 * measured when a tenth of it is there, and again when it is full: the time must grow as the list.
 *
 * Prints lines for scripts: entries, octets, seconds and bound (with the seconds on a core behind
 * them), rss (KiB), file; of shards: how many, seconds, octets and file of the largest.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "bench_crl.h"
#include "bench_line.h"
#include "smki/caset.h"
#include "smki/clock.h"
#include "smki/committer.h"
#include "smki/crlgen.h"
#include "smki/mem.h"
#include "smki/setup.h"
#include "smki/token.h"

#define BENCH_ENTRIES_MAX 100000000L
#define BENCH_RUNS_MAX 100
#define BENCH_SHARDS_MAX (BENCH_ENTRIES_MAX / SHARD_SIZE + 2)
/* From so many on a list's time is more than its fsyncs. */
#define BENCH_JUDGED 100000
#define BENCH_TENTH 10
/* From so many on a tenth of the shards has a median. */
#define BENCH_SHARDS_JUDGED 80
/* Octets hashed and written at a time. */
#define BENCH_PIECE 65536

/* What making a list needs, in the order it is opened. */
struct bench_maker {
	struct home home;
	struct store *writer, *reader;
	struct caset *cas;
	struct hsm *hsm;
	struct committer *committer;
	struct timeguard *guard;
};

/* What children tell their parent. */
struct bench_times {
	double make, bound;
	double tenth; /* the median of make when a tenth was there; 0: not measured */
	int64_t shards;
	double shards_s, first_ms, last_ms; /* a list, of the first and the last tenth of them */
	int64_t largest;
};

/* A moment, and what was spent on a core up to it. */
struct bench_clock {
	int64_t us, cpu_us;
};

static void
bench_fatal(const struct err *err)
{
	fprintf(stderr, "bench_crl: %s\n", err->msg);
	_exit(EXIT_INTERNAL);
}

static struct bench_clock
bench_now(void)
{
	struct rusage usage;

	require(getrusage(RUSAGE_SELF, &usage) == 0);
	return (struct bench_clock){ clock_mono_us(),
		(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 + usage.ru_utime.tv_usec +
		    usage.ru_stime.tv_usec };
}

/* A line of seconds since start. */
static double
bench_told(const char *what, struct bench_clock start)
{
	struct bench_clock now = bench_now();
	double s = (double)(now.us - start.us) / 1e6;

	printf("%s %.3f %.3f\n", what, s, (double)(now.cpu_us - start.cpu_us) / 1e6);
	return s;
}

static int
bench_row(void *ctx, const struct store_listed *listed, struct err *err)
{
	long *n = ctx;

	(void)err;
	*n += listed->serial.len > 0;
	return 0;
}

/* ---- making ---- */

static int
make_open(struct bench_maker *m, const char *dir, const struct ca **ca, struct err *err)
{
	const struct home_ca *where;
	const struct home_token *token;
	char path[HOME_PATH_MAX];
	int64_t event;
	time_t newest;

	if (home_load(dir, &m->home, err) != 0 || home_path(&m->home, HOME_DB, path, err) != 0 ||
	    store_open(path, STORE_WRITE, &m->writer, err) != 0 ||
	    store_open(path, STORE_READ, &m->reader, err) != 0 ||
	    store_event_newest(m->reader, &event, &newest, err) != 0 ||
	    caset_load(m->reader, &m->home, &m->cas, err) != 0 ||
	    caset_pick(m->cas, NULL, ca, err) != 0)
		return -1;
	where = home_ca(&m->home, (*ca)->name);
	token = where == NULL ? NULL : home_token(&m->home, where->token);
	if (token == NULL)
		return err_set(err, FAIL_NOT_FOUND, "bench: no token of CA %s", (*ca)->name);
	if (hsm_open(&token->conf, &m->hsm, err) != 0 ||
	    caset_bind(m->cas, &m->home, token->name, m->hsm, err) != 0 ||
	    committer_start(m->writer, NULL, bench_fatal, &m->committer, err) != 0)
		return -1;
	m->guard = timeguard_new(newest);
	return 0;
}

static int
make_list(struct bench_maker *m, const struct crlgen_conf *conf, const struct ca *ca,
    struct bench_times *times, struct err *err)
{
	const struct crl_which which = { .ca = ca->id, .kind = CRL_COMPLETE };
	char name[CRL_FILE_MAX];
	struct bench_clock start;
	struct store_crl crl;
	long n = 0;

	if (store_listed_each(m->reader, ca->id, bench_row, &n, err) != 0)
		return -1;
	start = bench_now();
	if (crlgen_make(conf, ca, &which, m->reader, ACTOR_SELF, &crl, err) != 0)
		return -1;
	times->make = bench_told("seconds", start);
	crlgen_file(ca->name, crl.number, name);
	printf("entries %lld\noctets %lld\nfile %s/%s\n", (long long)crl.entries,
	    (long long)crl.size, conf->dir, name);
	return 0;
}

/* Seconds since 1970, after any that a list made so far is dated. */
static int
make_wait(struct store *reader, time_t *out, struct err *err)
{
	int64_t event;
	time_t newest;

	if (store_event_newest(reader, &event, &newest, err) != 0)
		return -1;
	while ((*out = clock_now()) <= newest)
		usleep(10000);
	return 0;
}

/* A list of a shard; *us = how long it took. */
static int
make_shard(struct bench_maker *m, const struct crlgen_conf *conf, const struct ca *ca,
    int64_t number, struct bench_times *times, int64_t *us, struct err *err)
{
	const struct crl_which which = { .ca = ca->id, .kind = CRL_SHARD, .shard = number };
	char stem[CRL_STEM_MAX], name[CRL_FILE_MAX];
	int64_t start = clock_mono_us();
	struct store_crl crl;

	if (crlgen_make(conf, ca, &which, m->reader, ACTOR_SELF, &crl, err) != 0)
		return -1;
	*us = clock_mono_us() - start;
	if (crl.size <= times->largest)
		return 0;
	times->largest = crl.size;
	crlgen_stem(ca->name, &which, stem);
	crlgen_file(stem, crl.number, name);
	printf("largest %lld %s/%s\n", (long long)crl.size, conf->dir, name);
	return 0;
}

/* Of each shard, as smkid takes them: it changed, or its newest list is one of an earlier run. */
static int
make_shards(struct bench_maker *m, const struct crlgen_conf *conf, const struct ca *ca,
    struct bench_times *times, struct err *err)
{
	int64_t *us = mem_array(BENCH_SHARDS_MAX, sizeof *us);
	struct store_shard shard;
	struct bench_clock start;
	size_t n = 0, tenth;
	time_t from;
	int r = -1;

	times->largest = 0;
	if (make_wait(m->reader, &from, err) != 0)
		goto out;
	start = bench_now();
	while (n < BENCH_SHARDS_MAX && store_shard_due(m->reader, ca->id, from - 1, from - 1,
					   TIME_NO_EXPIRY, &shard, err) == 0) {
		if (make_shard(m, conf, ca, shard.number, times, &us[n], err) != 0)
			goto out;
		n++;
	}
	if (n == 0 || err->code != FAIL_NOT_FOUND)
		goto out;
	times->shards_s = bench_told("shards-seconds", start);
	printf("shards %zu\n", n);
	tenth = (n + 9) / 10;
	bench_sort(us, tenth);
	bench_sort(us + n - tenth, tenth);
	times->shards = (int64_t)n;
	times->first_ms = bench_quantile_ms(us, tenth, 0.5);
	times->last_ms = bench_quantile_ms(us + n - tenth, tenth, 0.5);
	r = 0;
out:
	free(us);
	return r;
}

static int
make_lists(struct bench_maker *m, const struct ca *ca, struct bench_times *times, struct err *err)
{
	char dir[HOME_PATH_MAX];
	const struct crlgen_conf conf = {
		.dir = dir,
		.cas = m->cas,
		.committer = m->committer,
		.guard = m->guard,
		.validity = m->home.crl_validity,
	};

	if (home_path(&m->home, HOME_CRL, dir, err) != 0 ||
	    make_list(m, &conf, ca, times, err) != 0 || make_shards(m, &conf, ca, times, err) != 0)
		return -1;
	return fflush(stdout) == 0 ? 0 : err_sys(err, FAIL_UNAVAILABLE, "bench: standard output");
}

static int
make(const char *dir, struct bench_times *times)
{
	struct bench_maker *m = mem_alloc(sizeof *m);
	const struct ca *ca;
	struct err err;
	int status = EXIT_DONE;

	if (make_open(m, dir, &ca, &err) != 0 || make_lists(m, ca, times, &err) != 0) {
		fprintf(stderr, "bench_crl: %s\n", err.msg);
		status = err_exit_status(err.code);
	}
	committer_stop(m->committer);
	hsm_close(m->hsm);
	caset_free(m->cas);
	timeguard_free(m->guard);
	store_close(m->reader);
	store_close(m->writer);
	free(m);
	return status;
}

/* ---- the bound ---- */

static int
bound_write(const char *path, const uint8_t *octets, size_t len, struct err *err)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), r = -1;
	size_t at, piece;

	if (fd < 0 || md == NULL || EVP_DigestInit_ex(md, EVP_sha256(), NULL) != 1)
		goto out;
	for (at = 0; at < len; at += piece) {
		piece = len - at < BENCH_PIECE ? len - at : BENCH_PIECE;
		if (EVP_DigestUpdate(md, octets + at, piece) != 1 ||
		    write(fd, octets + at, piece) != (ssize_t)piece)
			goto out;
	}
	r = fsync(fd);
out:
	if (r != 0)
		err_sys(err, FAIL_UNAVAILABLE, "%s", path);
	if (fd >= 0)
		close(fd);
	(void)unlink(path);
	EVP_MD_CTX_free(md);
	return r;
}

/* The newest list of the first CA that has one, out of its file. */
static int
bound_measure(
    const struct home *home, struct store *reader, struct bench_times *times, struct err *err)
{
	char dir[HOME_PATH_MAX], path[2 * HOME_PATH_MAX], name[CRL_FILE_MAX];
	struct store_crl crl;
	const uint8_t *octets;
	struct bench_clock start;
	int64_t ca = 0;
	long n = 0;
	int fd, r;

	if (home_path(home, HOME_CRL, dir, err) != 0 || bench_crl_issuing(reader, &ca, err) != 0 ||
	    store_crl_newest(reader, ca, &crl, err) != 0)
		return -1;
	crlgen_file("issuing", crl.number, name);
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	octets = fd < 0
		     ? MAP_FAILED
		     : mmap(NULL, (size_t)crl.size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
	if (fd >= 0)
		close(fd);
	if (octets == MAP_FAILED)
		return err_sys(err, FAIL_UNAVAILABLE, "%s", path);
	snprintf(path, sizeof(path), "%s/bound", dir);
	if (store_listed_each(reader, ca, bench_row, &n, err) != 0)
		return -1;
	n = 0;
	start = bench_now();
	r = store_listed_each(reader, ca, bench_row, &n, err);
	if (r == 0)
		r = bound_write(path, octets, (size_t)crl.size, err);
	times->bound = bench_told("bound", start);
	if (r == 0 && n != crl.entries)
		r = err_set(err, FAIL_INTERNAL, "bench: the scan finds %ld rows", n);
	return fflush(stdout) == 0 ? r : -1;
}

static int
bound(const char *dir, struct bench_times *times)
{
	struct home *home = mem_alloc(sizeof *home);
	struct store *reader = NULL;
	char path[HOME_PATH_MAX];
	struct err err;
	int status = EXIT_DONE;

	if (home_load(dir, home, &err) != 0 || home_path(home, HOME_DB, path, &err) != 0 ||
	    store_open(path, STORE_READ, &reader, &err) != 0 ||
	    bound_measure(home, reader, times, &err) != 0) {
		fprintf(stderr, "bench_crl: %s\n", err.msg);
		status = err_exit_status(err.code);
	}
	store_close(reader);
	free(home);
	return status;
}

/* Wait for a child; its status, and its largest resident set in KiB. */
static int
bench_child(pid_t pid, long *rss)
{
	struct rusage usage;
	int status;

	if (pid < 0 || wait4(pid, &status, 0, &usage) != pid) {
		perror("bench_crl: child");
		return EXIT_INTERNAL;
	}
	*rss = usage.ru_maxrss;
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	fprintf(stderr, "bench_crl: child ended by signal %d\n", WTERMSIG(status));
	return EXIT_INTERNAL;
}

static void
bench_flush(void)
{
	fflush(stdout);
	fflush(stderr);
}

static void
bench_lines(long n, long rss, const struct bench_times *times)
{
	const char *each = n >= BENCH_JUDGED ? "<= 1.5" : "",
		   *grows = times->shards >= BENCH_SHARDS_JUDGED ? "<= 1.2" : "";
	char what[64], more[96];

	snprintf(what, sizeof what, "crl: %ld entries", n);
	bench_line(what, "s", times->make, times->bound, each);
	if (times->tenth > 0) {
		snprintf(more, sizeof more, "%s, a tenth of them", what);
		bench_line(more, "s", times->make, times->tenth, "<= 12");
	}
	snprintf(more, sizeof more, "%s: memory", what);
	bench_line(more, "KiB", (double)rss, 0, "<= 65536");
	snprintf(more, sizeof more, "%s: all %lld shards", what, (long long)times->shards);
	bench_line(more, "s", times->shards_s, 0, "");
	snprintf(more, sizeof more, "%s: late shard, early one", what);
	bench_line(more, "ms", times->last_ms, times->first_ms, grows);
	snprintf(more, sizeof more, "%s: largest shard", what);
	bench_line(more, "B", (double)times->largest, 0, "<= 1000000");
}

/* One list and its bound. */
static int
bench_run(const char *dir, long n, struct bench_times *times)
{
	long rss = 0, other;
	int status;
	pid_t pid;

	bench_flush();
	pid = fork();
	if (pid == 0)
		exit(make(dir, times));
	status = bench_child(pid, &rss);
	if (status != EXIT_DONE)
		return status;
	printf("rss %ld\n", rss);
	bench_flush();
	pid = fork();
	if (pid == 0)
		exit(bound(dir, times));
	status = bench_child(pid, &other);
	bench_lines(n, rss, times);
	return status;
}

/* Fill up to n entries, in a child; then as many runs. *median = of the seconds of make. */
static int
bench_runs(const char *dir, long n, long runs, struct bench_times *times, double *median)
{
	int64_t us[BENCH_RUNS_MAX];
	int status;
	long rss;
	pid_t pid;

	bench_flush();
	pid = fork();
	if (pid == 0)
		exit(bench_crl_fill(dir, n));
	status = bench_child(pid, &rss);
	for (long i = 0; i < runs && status == EXIT_DONE; i++) {
		status = bench_run(dir, n, times);
		us[i] = (int64_t)(times->make * 1e6);
	}
	if (status != EXIT_DONE)
		return status;
	bench_sort(us, (size_t)runs);
	*median = bench_quantile_ms(us, (size_t)runs, 0.5) / 1e3;
	return EXIT_DONE;
}

int
main(int argc, char **argv)
{
	struct bench_times *times;
	const size_t size = sizeof *times;
	int status = EXIT_DONE;
	double median = 0;
	long n, runs;

	if ((argc != 3 && argc != 4) || argv[1][0] != '/') {
		fputs("usage: bench_crl DIR N [RUNS]\n"
		      "DIR is a new folder by its full path, N how many entries\n",
		    stderr);
		return EXIT_USAGE_;
	}
	n = bench_number("bench_crl", argv[2], BENCH_ENTRIES_MAX);
	runs = argc == 4 ? bench_number("bench_crl", argv[3], BENCH_RUNS_MAX) : 1;
	/* -1 is what MAP_ANONYMOUS wants */
	/* cppcheck-suppress invalidFunctionArg */
	times = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (times == MAP_FAILED) {
		perror("bench_crl");
		return EXIT_UNAVAILABLE;
	}
	if (n / BENCH_TENTH >= BENCH_JUDGED) {
		status = bench_runs(argv[1], n / BENCH_TENTH, runs, times, &median);
		times->tenth = median;
	}
	return status != EXIT_DONE ? status : bench_runs(argv[1], n, runs, times, &median);
}
