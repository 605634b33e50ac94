/*
 * How fast smkid issues, as a ratio of what this machine could do at best. Both are measured in
 * turn, several times, in one run of this program, against a running smkid: the bound before and
 * after each time, since the machine's speed moves within seconds.
 *
 * The bound is 1 / (CSR read and verified + signature by the token + own verification), over all
 * cores: threads that do just this, with the issuing key on its token and as many sessions as
 * smkid has. Issuing is over the admin socket with many requests under way; each answer comes
 * after its COMMIT. Making the requests and checking the certificates is not counted.
 */
#include <getopt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench_line.h"
#include "bench_link.h"
#include "smki/cert.h"
#include "smki/clock.h"
#include "smki/csr.h"
#include "smki/eckey.h"
#include "smki/file.h"
#include "smki/mem.h"
#include "smki/thread.h"

#define BENCH_REQUESTS_MAX 100000
#define BENCH_RUNS_MAX 100
#define BENCH_THREADS_MAX 64

struct bench {
	struct home home;
	long requests, window, runs;
	long cores, sessions;
	struct hsm *hsm;
	struct hsm_key *key;
	struct cert ca; /* borrows ca_der */
	struct buf ca_der;
	struct bench_meter *meters; /* of this run */
};

struct bench_worker {
	struct bench *bench;
	long first, step;
	pthread_t thread;
	int failed;
	struct err err;
};

/* ---- the bound ---- */

static int
bound_one(struct bench *bench, const struct bench_meter *meter, struct buf *sig, struct err *err)
{
	const struct ec_pub *pub = hsm_key_pub(bench->key);
	uint8_t digest[SHA384_LEN], rs[EC_RS_MAX];
	struct csr csr;
	size_t len;

	if (csr_parse(meter->csr.data, meter->csr.len, &csr, err) != 0 ||
	    csr_check_pop(&csr, err) != 0)
		return -1;
	len = ec_digest(pub->curve, csr.info.p, csr.info.len, digest);
	if (hsm_sign(bench->key, digest, len, rs, err) != 0)
		return -1;
	buf_reset(sig);
	ec_sig_put(sig, pub->curve, rs);
	return ec_verify(pub, digest, len, buf_span(sig), err);
}

static void *
bound_thread(void *arg)
{
	struct bench_worker *w = arg;
	struct buf sig = { 0 };

	thread_batch(); /* as the service's own */
	for (long i = w->first; i < w->bench->requests && !w->failed; i += w->step)
		w->failed = bound_one(w->bench, &w->bench->meters[i], &sig, &w->err) != 0;
	buf_free(&sig);
	return NULL;
}

/* All requests once by n threads: how many in a second. */
static int
bound_measure(struct bench *bench, long n, double *rate, struct err *err)
{
	struct bench_worker *workers = mem_array((size_t)n, sizeof *workers);
	int64_t start = clock_mono_us();
	int r = 0;

	for (long i = 0; i < n; i++) {
		workers[i] = (struct bench_worker){ .bench = bench, .first = i, .step = n };
		require(pthread_create(&workers[i].thread, NULL, bound_thread, &workers[i]) == 0);
	}
	for (long i = 0; i < n; i++) {
		pthread_join(workers[i].thread, NULL);
		if (workers[i].failed && r == 0) {
			*err = workers[i].err;
			r = -1;
		}
	}
	*rate = (double)bench->requests * 1e6 / (double)(clock_mono_us() - start);
	free(workers);
	return r;
}

/* What both kinds of threads did, so many times. */
struct bound {
	double by_core, by_session;
	int times;
};

static int
bound_add(struct bench *bench, struct bound *bound, struct err *err)
{
	double by_core, by_session;

	if (bound_measure(bench, bench->cores, &by_core, err) != 0 ||
	    bound_measure(bench, bench->sessions, &by_session, err) != 0)
		return -1;
	bound->by_core += by_core;
	bound->by_session += by_session;
	bound->times++;
	return 0;
}

/* The better of a thread a core and a thread a session: a caller of the token waits for one of
 * its threads, so a thread a core may leave a core idle. */
static double
bound_rate(const struct bound *bound)
{
	return (bound->by_core > bound->by_session ? bound->by_core : bound->by_session) /
	       bound->times;
}

/* ---- issuing ---- */

/* Every answer is a certificate of the CA for the key that asked. */
static int
issue_check(struct bench *bench, struct err *err)
{
	struct cert cert;

	for (long i = 0; i < bench->requests; i++) {
		const struct bench_meter *m = &bench->meters[i];

		if (cert_parse(m->cert.data, m->cert.len, &cert, err) != 0 ||
		    cert_check_issued(&cert, &bench->ca, err) != 0)
			return -1;
		if (!ec_pub_eq(&cert.pub, &m->pub))
			return err_set(err, FAIL_INTERNAL, "bench: a certificate of another key");
	}
	return 0;
}

static int
issue_measure(struct bench *bench, struct bench_issued *out, struct err *err)
{
	struct bench_link link;
	int r;

	if (bench_link_open(bench->home.dir, &link, err) != 0)
		return -1;
	r = bench_link_issue(
	    &link, bench->meters, (size_t)bench->requests, (size_t)bench->window, out, err);
	bench_link_close(&link);
	return r;
}

/* ---- runs ---- */

static int
bench_compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static int
bench_run(struct bench *bench, long run, double *ratio, struct err *err)
{
	struct bench_issued issued;
	struct bound bound = { 0 };
	double most;

	if (bound_add(bench, &bound, err) != 0 || issue_measure(bench, &issued, err) != 0 ||
	    bound_add(bench, &bound, err) != 0 || issue_check(bench, err) != 0)
		return -1;
	most = bound_rate(&bound);
	*ratio = issued.rate / most;
	printf("  %3ld  %10.0f  %10.0f  %5.2f\n", run, most, issued.rate, *ratio);
	fflush(stdout);
	bench_line("issue: certificates, durable", "1/s", issued.rate, most, ">= 0.8");
	bench_line("issue: longest time without an answer", "ms", (double)issued.longest_us / 1000,
	    0, "<= 500");
	return 0;
}

static int
bench_runs(struct bench *bench, struct err *err)
{
	double ratio[BENCH_RUNS_MAX] = { 0 };
	int r = 0;

	printf("issue: %ld requests a run, %ld under way, %ld cores, %ld sessions of the token\n",
	    bench->requests, bench->window, bench->cores, bench->sessions);
	printf("  run   bound 1/s  issued 1/s  ratio\n");
	for (long i = 0; i < bench->runs && r == 0; i++) {
		r = bench_meters_new((size_t)bench->requests, &bench->meters, err);
		if (r == 0)
			r = bench_run(bench, i + 1, &ratio[i], err);
		bench_meters_free(bench->meters, (size_t)bench->requests);
		bench->meters = NULL;
	}
	if (r != 0)
		return -1;
	qsort(ratio, (size_t)bench->runs, sizeof *ratio, bench_compare);
	printf("ratio: min %.2f  median %.2f  max %.2f of %ld runs\n", ratio[0],
	    ratio[bench->runs / 2], ratio[bench->runs - 1], bench->runs);
	return 0;
}

/* The issuing key on its token, and the CA's certificate. */
static int
bench_open(struct bench *bench, const char *dir, const char *ca_path, struct err *err)
{
	const struct home_ca *ca;
	const struct home_token *token;

	if (home_load(dir, &bench->home, err) != 0 ||
	    file_read(ca_path, CERT_DER_MAX, &bench->ca_der, err) != 0 ||
	    cert_parse(bench->ca_der.data, bench->ca_der.len, &bench->ca, err) != 0)
		return -1;
	ca = home_ca(&bench->home, "issuing");
	token = ca == NULL ? NULL : home_token(&bench->home, ca->token);
	if (token == NULL)
		return err_set(err, FAIL_NOT_FOUND, "bench: the home has no CA named issuing");
	bench->sessions = token->conf.sessions;
	if (hsm_open(&token->conf, &bench->hsm, err) != 0 ||
	    hsm_key_find(bench->hsm, ca->key, &bench->key, err) != 0)
		return -1;
	return 0;
}

static void
bench_usage(void)
{
	fputs("usage: bench_issue [--requests N] [--window N] [--runs N] HOME CA.der\n", stderr);
	exit(EXIT_USAGE_);
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "requests", required_argument, NULL, 'n' },
		{ "window", required_argument, NULL, 'w' },
		{ "runs", required_argument, NULL, 'r' },
		{ NULL, 0, NULL, 0 },
	};
	struct bench *bench = mem_alloc(sizeof *bench);
	struct err err;
	int c, status = EXIT_DONE;

	bench->requests = 2000;
	bench->window = 512;
	bench->runs = 5;
	bench->cores = sysconf(_SC_NPROCESSORS_ONLN);
	if (bench->cores > BENCH_THREADS_MAX)
		bench->cores = BENCH_THREADS_MAX;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'n')
			bench->requests = bench_number("bench_issue", optarg, BENCH_REQUESTS_MAX);
		else if (c == 'w')
			bench->window = bench_number("bench_issue", optarg, BENCH_REQUESTS_MAX);
		else if (c == 'r')
			bench->runs = bench_number("bench_issue", optarg, BENCH_RUNS_MAX);
		else
			bench_usage();
	}
	if (optind + 2 != argc)
		bench_usage();
	if (bench_open(bench, argv[optind], argv[optind + 1], &err) != 0 ||
	    bench_runs(bench, &err) != 0) {
		fprintf(stderr, "bench_issue: %s\n", err.msg);
		status = err_exit_status(err.code);
	}
	hsm_close(bench->hsm);
	buf_free(&bench->ca_der);
	free(bench);
	return status;
}
