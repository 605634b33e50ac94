/*
 * Whether the size of the fleet costs anything: the same work at two homes in turn, one new and one
 * full of certificates, both with their daemons up. And how soon a home's daemons answer.
 *
 *   bench_growth rates SMKI EMPTY EMPTY-CA.der EMPTY-ADDR:PORT FULL FULL-CA.der FULL-ADDR:PORT N \
 *       WARM RUNS
 *   bench_growth start SMKI HOME CA.der
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench_ask.h"
#include "bench_line.h"
#include "bench_link.h"
#include "smki/clock.h"
#include "smki/mem.h"
#include "smki/rng.h"

#define GROWTH_N_MAX 100000
#define GROWTH_WINDOW 512
#define GROWTH_THREADS 4
#define GROWTH_COMMANDS 200 /* a part: each is a process */
#define GROWTH_PARTS 2	    /* of a run: once with one home first, once with the other */
#define GROWTH_START_MS 60000
#define GROWTH_PAGE 4096
#define GROWTH_READERS 32 /* that bring a file into memory */

extern char **environ;

/* One of the two homes. */
struct side {
	char *smki, *dir;
	const char *http;
	struct bench_ca ca;
	struct store *store;
	void *held; /* the database file, in memory while the rates are taken */
	size_t held_len;
	int64_t ids;		/* rows of certificates before this run */
	struct serial *serials; /* GROWTH_PARTS times n */
	size_t n;
	int part; /* of the run: which of them */
	int64_t longest_us;
};

enum growth_op {
	GROWTH_ISSUE,
	GROWTH_OCSP,
	GROWTH_SHOW,
	GROWTH_COMMAND,
	GROWTH_REVOKE,
	GROWTH_OPS,
};

static const char *const growth_names[GROWTH_OPS] = {
	[GROWTH_ISSUE] = "growth: issue",
	[GROWTH_OCSP] = "growth: OCSP, not cached",
	[GROWTH_SHOW] = "growth: show, connections that stay open",
	[GROWTH_COMMAND] = "growth: smki show",
	[GROWTH_REVOKE] = "growth: revoke",
};

/* ---- what is done with one certificate ---- */

struct hand {
	struct side *side;
	enum growth_op op;
	size_t first;
	struct bench_link link;
	int fd;
	struct buf request, in;
	struct err err;
	int failed;
	pthread_t thread;
};

static int
hand_ocsp(struct hand *h, const struct serial *serial, struct err *err)
{
	enum ocsp_status status;
	struct span body;

	buf_reset(&h->request);
	bench_ask_post(&h->request, &h->side->ca, serial, NULL);
	if (bench_ask(h->fd, &h->request, &h->in, &body, err) != 0 ||
	    bench_ask_status(body, &status, err) != 0)
		return -1;
	if (status == OCSP_UNKNOWN)
		return err_set(err, FAIL_INTERNAL, "bench: OCSP does not know a certificate");
	return 0;
}

static int
hand_show(struct hand *h, const struct serial *serial, struct err *err)
{
	const struct admin_find find = { .serial = *serial };
	struct wire_in in;

	wire_start(&h->link.msg, ADMIN_SHOW, 1, 0);
	admin_find_put(&h->link.msg, &find);
	if (bench_link_ask(&h->link, &in, err) != 0)
		return -1;
	return bench_link_drain(&h->link, err);
}

static posix_spawn_file_actions_t quiet; /* what a command prints goes nowhere */

/* As an operator asks: a process, a connection, the rows printed. */
static int
hand_command(struct hand *h, const struct serial *serial, struct err *err)
{
	char text[SERIAL_TEXT_LEN], home[] = "--home", show[] = "show";
	char *argv[] = { h->side->smki, home, h->side->dir, show, text, NULL };
	int status = 0;
	pid_t pid;

	serial_text(serial, text);
	errno = posix_spawn(&pid, h->side->smki, &quiet, NULL, argv, environ);
	if (errno != 0)
		return err_sys(err, FAIL_UNAVAILABLE, "%s", h->side->smki);
	if (waitpid(pid, &status, 0) != pid || status != 0)
		return err_set(err, FAIL_UNAVAILABLE, "bench: smki show %s did not end well", text);
	return 0;
}

static struct serial *
side_serials(const struct side *side)
{
	return side->serials + (size_t)side->part * side->n;
}

/* How many of a part's certificates it is done with. */
static size_t
growth_count(const struct side *side, enum growth_op op)
{
	return op == GROWTH_COMMAND && side->n > GROWTH_COMMANDS ? GROWTH_COMMANDS : side->n;
}

static void *
hand_main(void *arg)
{
	struct hand *h = arg;
	size_t n = growth_count(h->side, h->op);
	int r = 0;

	for (size_t i = h->first; i < n && r == 0; i += GROWTH_THREADS) {
		const struct serial *serial = &side_serials(h->side)[i];

		switch (h->op) {
		case GROWTH_OCSP:
			r = hand_ocsp(h, serial, &h->err);
			break;
		case GROWTH_SHOW:
			r = hand_show(h, serial, &h->err);
			break;
		case GROWTH_COMMAND:
			r = hand_command(h, serial, &h->err);
			break;
		case GROWTH_REVOKE:
			r = bench_link_change(&h->link, serial, ACTION_REVOKE, &h->err);
			break;
		case GROWTH_ISSUE:
		case GROWTH_OPS:
			break;
		}
	}
	h->failed = r != 0;
	return NULL;
}

static int
hands_run(struct side *side, enum growth_op op, double *rate, struct err *err)
{
	struct hand hands[GROWTH_THREADS];
	int64_t start;
	int n, r = 0;

	memset(hands, 0, sizeof(hands));
	for (n = 0; n < GROWTH_THREADS && r == 0; n++) {
		hands[n] = (struct hand){ .side = side, .op = op, .first = (size_t)n, .fd = -1 };
		r = bench_link_open(side->dir, &hands[n].link, err);
		if (r == 0 && op == GROWTH_OCSP)
			r = bench_ask_connect(side->http, &hands[n].fd, err);
	}
	start = clock_mono_us();
	for (int i = 0; i < n && r == 0; i++)
		require(pthread_create(&hands[i].thread, NULL, hand_main, &hands[i]) == 0);
	for (int i = 0; i < n && r == 0; i++)
		pthread_join(hands[i].thread, NULL);
	*rate = (double)growth_count(side, op) * 1e6 / (double)(clock_mono_us() - start);
	for (int i = 0; i < n; i++) {
		if (hands[i].failed && r == 0) {
			*err = hands[i].err;
			r = -1;
		}
		bench_link_close(&hands[i].link);
		if (hands[i].fd >= 0)
			close(hands[i].fd);
		buf_free(&hands[i].request);
		buf_free(&hands[i].in);
	}
	return r;
}

/* ---- one run at one home ---- */

/* In any order: what was issued together lies together, and would be found together. */
static void
side_shuffle(struct side *side)
{
	struct serial *serials = side_serials(side), serial;
	uint64_t at;

	for (size_t n = side->n; n > 1; n--) {
		require(rng_draw((uint8_t *)&at, sizeof(at)) == 0);
		at %= n;
		serial = serials[n - 1];
		serials[n - 1] = serials[at];
		serials[at] = serial;
	}
}

/* Issue, and then take valid certificates of the home at random for the rest of the part: of the new
 * one those just issued, since it has no others. */
static int
side_issue(struct side *side, double *rate, struct err *err)
{
	struct serial *serials = side_serials(side);
	struct bench_meter *meters = NULL;
	struct bench_link link = { .fd = -1 };
	struct bench_issued issued;
	struct store_cert cert;
	int64_t id;
	int r = -1;

	if (bench_meters_new(side->n, &meters, err) != 0 ||
	    bench_link_open(side->dir, &link, err) != 0 ||
	    bench_link_issue(&link, meters, side->n, GROWTH_WINDOW, &issued, err) != 0)
		goto out;
	*rate = issued.rate;
	if (issued.longest_us > side->longest_us)
		side->longest_us = issued.longest_us;
	for (size_t i = 0; i < side->n; i++) {
		serials[i] = meters[i].serial;
		if (side->ids < (int64_t)(side->n * 10))
			continue;
		do {
			require(rng_draw((uint8_t *)&id, sizeof(id)) == 0);
			if (store_cert_get(side->store,
				1 + (int64_t)((uint64_t)id % (uint64_t)side->ids), &cert, err) != 0)
				goto out;
		} while (cert.state != CERT_VALID || cert.holder.kind != HOLDER_DEVICE);
		serials[i] = cert.serial;
	}
	side_shuffle(side);
	r = 0;
out:
	bench_meters_free(meters, side->n);
	bench_link_close(&link);
	return r;
}

static int
side_run(struct side *side, enum growth_op op, double *rate, struct err *err)
{
	return op == GROWTH_ISSUE ? side_issue(side, rate, err) : hands_run(side, op, rate, err);
}

/* One after the other and again the other way round, so that both meet the same machine. */
static int
sides_run(struct side *empty, struct side *full, enum growth_op op, double *at_empty,
    double *at_full, struct err *err)
{
	double us[2] = { 0 }, rate; /* for one, in all parts */

	for (int i = 0; i < 2 * GROWTH_PARTS; i++) {
		int which = (i + 1) / 2 % 2;
		struct side *side = which == 0 ? empty : full;

		side->part = i / 2;
		if (side_run(side, op, &rate, err) != 0)
			return -1;
		us[which] += 1e6 / rate;
	}
	*at_empty = GROWTH_PARTS * 1e6 / us[0];
	*at_full = GROWTH_PARTS * 1e6 / us[1];
	return 0;
}

/* A part of the file that is to come into memory. */
struct reach {
	const volatile char *at;
	size_t len;
	pthread_t thread;
};

static void *
reach_main(void *arg)
{
	struct reach *reach = arg;
	char all = 0;

	for (size_t i = 0; i < reach->len; i += GROWTH_PAGE)
		all = (char)(all + reach->at[i]);
	return all == 0 ? NULL : arg; /* so that it is read */
}

/*
 * The database in memory, as on a machine that has as much: some kernels give the pages of files
 * back within seconds, and then the rates are those of the disk. Page by page, as a service that
 * looks here and there brings them in: read ahead, as by a fill, they come in pieces of megabytes, of
 * each of which some kernels look at every page whenever one is written. So what is there already
 * goes first. Refused without the right to.
 */
static int
side_hold(struct side *side, const char *path, struct err *err)
{
	struct reach reach[GROWTH_READERS];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	void *at = MAP_FAILED;
	size_t len = 0, part;
	struct stat st;

	if (fd >= 0 && fstat(fd, &st) == 0 && fsync(fd) == 0 &&
	    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0) {
		len = (size_t)st.st_size;
		at = mmap(NULL, len, PROT_READ, MAP_SHARED, fd, 0);
	}
	if (fd >= 0)
		close(fd);
	if (at == MAP_FAILED || madvise(at, len, MADV_RANDOM) != 0 ||
	    mlock2(at, len, MLOCK_ONFAULT) != 0) {
		err_sys(err, FAIL_UNAVAILABLE, "%s: cannot be held in memory", path);
		if (at != MAP_FAILED)
			munmap(at, len);
		return -1;
	}
	part = (len / GROWTH_READERS / GROWTH_PAGE + 1) * GROWTH_PAGE;
	for (size_t i = 0, from = 0; i < GROWTH_READERS; i++, from += part) {
		reach[i] = (struct reach){ .at = (const char *)at + (from < len ? from : 0),
			.len = from >= len	   ? 0
			       : len - from < part ? len - from
						   : part };
		require(pthread_create(&reach[i].thread, NULL, reach_main, &reach[i]) == 0);
	}
	for (size_t i = 0; i < GROWTH_READERS; i++)
		pthread_join(reach[i].thread, NULL);
	side->held = at;
	side->held_len = len;
	return 0;
}

static int
side_open(struct side *side, char *smki, char **argv, size_t n, struct err *err)
{
	struct home home = { 0 };
	char path[HOME_PATH_MAX];
	struct store_tally tally;
	struct store_ca cas[STORE_CAS_MAX];
	size_t n_cas;

	side->smki = smki;
	side->dir = argv[0];
	side->http = argv[2];
	side->n = n;
	side->serials = mem_array(GROWTH_PARTS * n, sizeof(*side->serials));
	snprintf(home.dir, sizeof(home.dir), "%s", side->dir);
	if (bench_ca_load(argv[1], &side->ca, err) != 0 ||
	    home_path(&home, HOME_DB, path, err) != 0 || side_hold(side, path, err) != 0 ||
	    store_open(path, STORE_READ, &side->store, err) != 0 ||
	    store_ca_list(side->store, cas, &n_cas, err) != 0)
		return -1;
	for (size_t i = 0; i < n_cas; i++) {
		if (store_tally(side->store, cas[i].id, &tally, err) != 0)
			return -1;
		side->ids += tally.valid + tally.hold + tally.revoked;
	}
	return 0;
}

static void
side_close(struct side *side)
{
	store_close(side->store);
	if (side->held != NULL)
		munmap(side->held, side->held_len);
	buf_free(&side->ca.der);
	free(side->serials);
}

static int
rates(struct side *empty, struct side *full, long warm, long runs, struct err *err)
{
	double at_empty, at_full;

	printf("growth: twice %zu certificates a run; a second, at %lld and at %lld certificates\n"
	       "  run             issue         OCSP miss              show         smki show"
	       "            revoke\n",
	    full->n, (long long)empty->ids, (long long)full->ids);
	require(
	    posix_spawn_file_actions_init(&quiet) == 0 &&
	    posix_spawn_file_actions_addopen(&quiet, STDOUT_FILENO, "/dev/null", O_WRONLY, 0) == 0);
	/* The first runs fill the caches, as those of a service are, and do not count. */
	for (long i = -warm; i < runs; i++) {
		if (i >= 0)
			printf("  %3ld", i + 1);
		for (int op = 0; op < GROWTH_OPS; op++) {
			if (sides_run(empty, full, (enum growth_op)op, &at_empty, &at_full, err) !=
			    0)
				return -1;
			if (i < 0)
				continue;
			printf("   %6.0f %7.0f", at_empty, at_full);
			bench_line(growth_names[op], "1/s", at_full, at_empty, ">= 0.9");
		}
		if (i >= 0)
			printf("\n");
		fflush(stdout);
	}
	posix_spawn_file_actions_destroy(&quiet);
	bench_line("growth: longest time without an answer to issue", "ms",
	    (double)full->longest_us / 1000, 0, "<= 500");
	return 0;
}

/* ---- start ---- */

/* smkid answers and so does the responder. */
static int
start_answers(const char *dir, const struct bench_ca *ca)
{
	static const struct serial serial = { { 0x01 }, 1 };
	char path[HOME_PATH_MAX + 32], http[128] = "";
	struct bench_link link;
	struct buf request = { 0 }, in = { 0 };
	enum ocsp_status status;
	struct wire_in payload;
	struct span body;
	int fd = -1, r = -1;
	struct err err;
	FILE *f;

	snprintf(path, sizeof(path), "%s/" HOME_ADDRESSES, dir);
	f = fopen(path, "r");
	if (f == NULL)
		return -1;
	if (fscanf(f, "http %127s", http) != 1)
		http[0] = '\0';
	fclose(f);
	if (http[0] == '\0' || bench_link_open(dir, &link, &err) != 0)
		return -1;
	wire_start(&link.msg, ADMIN_HELLO, 1, 0);
	bench_ask_post(&request, ca, &serial, NULL);
	if (bench_link_ask(&link, &payload, &err) == 0 && bench_ask_connect(http, &fd, &err) == 0 &&
	    bench_ask(fd, &request, &in, &body, &err) == 0 &&
	    bench_ask_status(body, &status, &err) == 0)
		r = 0;
	if (fd >= 0)
		close(fd);
	bench_link_close(&link);
	buf_free(&request);
	buf_free(&in);
	return r;
}

static int
start(char *smki, char *dir, const char *ca_path, struct err *err)
{
	static const struct timespec moment = { .tv_nsec = 2000000 };
	char *argv[] = { smki, mem_str("--home"), dir, mem_str("run"), NULL };
	char path[HOME_PATH_MAX + 32];
	struct bench_ca ca = { 0 };
	int64_t begun, until;
	int status = 0, r = -1;
	pid_t pid;

	if (bench_ca_load(ca_path, &ca, err) != 0)
		goto out;
	snprintf(path, sizeof(path), "%s/" HOME_ADDRESSES, dir);
	if (unlink(path) != 0 && errno != ENOENT) {
		err_sys(err, FAIL_UNAVAILABLE, "%s", path);
		goto out;
	}
	begun = clock_mono_us();
	until = begun + GROWTH_START_MS * 1000;
	errno = posix_spawn(&pid, smki, NULL, NULL, argv, environ);
	if (errno != 0) {
		err_sys(err, FAIL_UNAVAILABLE, "%s", smki);
		goto out;
	}
	while ((r = start_answers(dir, &ca)) != 0 && clock_mono_us() < until)
		nanosleep(&moment, NULL);
	if (r == 0) {
		double ms = (double)(clock_mono_us() - begun) / 1000;

		printf("start: first answers of both daemons after %.0f ms\n", ms);
		bench_line("growth: start to first answers", "ms", ms, 0, "<= 1000");
	} else {
		err_set(err, FAIL_UNAVAILABLE, "bench: the daemons do not answer");
	}
	kill(pid, SIGTERM);
	if (waitpid(pid, &status, 0) != pid || status != 0)
		r = err_set(err, FAIL_UNAVAILABLE, "bench: the daemons did not end well");
out:
	free(argv[1]);
	free(argv[3]);
	buf_free(&ca.der);
	return r;
}

int
main(int argc, char **argv)
{
	static const char me[] = "bench_growth";
	struct side empty = { 0 }, full = { 0 };
	struct err err;
	size_t n;
	int r;

	if (argc == 12 && strcmp(argv[1], "rates") == 0) {
		n = (size_t)bench_number(me, argv[9], GROWTH_N_MAX);
		r = side_open(&empty, argv[2], argv + 3, n, &err);
		if (r == 0)
			r = side_open(&full, argv[2], argv + 6, n, &err);
		if (r == 0)
			r = rates(&empty, &full, bench_number(me, argv[10], 100),
			    bench_number(me, argv[11], 100), &err);
		side_close(&empty);
		side_close(&full);
	} else if (argc == 5 && strcmp(argv[1], "start") == 0) {
		r = start(argv[2], argv[3], argv[4], &err);
	} else {
		fputs("usage: bench_growth rates SMKI EMPTY CA.der ADDR:PORT FULL CA.der ADDR:PORT "
		      "N WARM RUNS\n"
		      "       bench_growth start SMKI HOME CA.der\n",
		    stderr);
		return EXIT_USAGE_;
	}
	if (r == 0)
		return EXIT_DONE;
	fprintf(stderr, "bench_growth: %s\n", err.msg);
	return err_exit_status(err.code);
}
