/*
 * What the load of OCSP needs: requests for certificates that smkid issues now, and the bound of
 * what has to be signed.
 *
 *   bench_ocsp requests HOME CA.der DIR N NONCES   DIR/{get,post,nonce}.req for bench_http, DIR/path
 *   bench_ocsp bound HOME MS       1 / (signature by the responder's token + own verification) over
 *                                  all cores, on standard output: with a thread a core, and with
 *                                  a thread a session of the token
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench_ask.h"
#include "bench_line.h"
#include "bench_link.h"
#include "smki/clock.h"
#include "smki/eckey.h"
#include "smki/file.h"
#include "smki/mem.h"
#include "smki/rng.h"
#include "smki/thread.h"

#define OCSP_N_MAX 1000000
#define OCSP_WINDOW 64
#define OCSP_THREADS_MAX 64

/* ---- requests ---- */

static int
request_write(FILE *f, const struct buf *request, struct err *err)
{
	uint32_t len = (uint32_t)request->len;

	if (fwrite(&len, sizeof(len), 1, f) == 1 &&
	    fwrite(request->data, 1, request->len, f) == request->len)
		return 0;
	return err_sys(err, FAIL_UNAVAILABLE, "bench: requests");
}

enum request_kind {
	REQUEST_GET = 1,
	REQUEST_POST,
	REQUEST_NONCE,
};

/* n requests, over the meters again and again. */
static int
requests_file(const char *dir, const char *name, enum request_kind kind, const struct bench_ca *ca,
    const struct bench_meter *meters, size_t n_meters, size_t n, struct err *err)
{
	char *path = mem_fmt("%s/%s", dir, name);
	FILE *f = fopen(path, "wb");
	uint8_t nonce[BENCH_NONCE_LEN];
	struct buf request = { 0 };
	int r = f == NULL ? err_sys(err, FAIL_UNAVAILABLE, "%s", path) : 0;

	for (size_t i = 0; i < n && r == 0; i++) {
		const struct serial *serial = &meters[i % n_meters].serial;

		buf_reset(&request);
		switch (kind) {
		case REQUEST_GET:
			bench_ask_get(&request, ca, serial);
			break;
		case REQUEST_POST:
			bench_ask_post(&request, ca, serial, NULL);
			break;
		case REQUEST_NONCE:
			require(rng_draw(nonce, sizeof(nonce)) == 0);
			bench_ask_post(&request, ca, serial, nonce);
			break;
		}
		r = request_write(f, &request, err);
	}
	if (f != NULL && fclose(f) != 0 && r == 0)
		r = err_sys(err, FAIL_UNAVAILABLE, "%s", path);
	buf_free(&request);
	free(path);
	return r;
}

/* The path of the first GET, for curl: DIR/path. */
static int
requests_path(
    const char *dir, const struct bench_ca *ca, const struct serial *serial, struct err *err)
{
	char *file = mem_fmt("%s/path", dir);
	struct buf request = { 0 };
	const char *from, *to;
	int r;

	bench_ask_get(&request, ca, serial);
	from = strchr(buf_text(&request), '/');
	to = strchr(from, ' ');
	r = file_write(file, from, (size_t)(to - from), 0600, err);
	buf_free(&request);
	free(file);
	return r;
}

static int
requests_make(const char *home, const char *ca_path, const char *dir, size_t n, size_t nonces,
    struct err *err)
{
	struct bench_meter *meters = NULL;
	struct bench_link link = { .fd = -1 };
	struct bench_ca ca = { 0 };
	struct bench_issued issued;
	int r = -1;

	if (bench_ca_load(ca_path, &ca, err) == 0 && bench_link_open(home, &link, err) == 0 &&
	    bench_meters_new(n, &meters, err) == 0 &&
	    bench_link_issue(&link, meters, n, OCSP_WINDOW, &issued, err) == 0 &&
	    requests_file(dir, "get.req", REQUEST_GET, &ca, meters, n, n, err) == 0 &&
	    requests_file(dir, "post.req", REQUEST_POST, &ca, meters, n, n, err) == 0 &&
	    requests_file(dir, "nonce.req", REQUEST_NONCE, &ca, meters, n, nonces, err) == 0 &&
	    requests_path(dir, &ca, &meters[0].serial, err) == 0)
		r = 0;
	bench_meters_free(meters, n);
	bench_link_close(&link);
	buf_free(&ca.der);
	return r;
}

/* ---- the bound ---- */

struct bound {
	struct hsm_key *key;
	int64_t until_us;
	size_t done;
	int failed;
	struct err err;
	pthread_t thread;
};

static void *
bound_main(void *arg)
{
	struct bound *b = arg;
	const struct ec_pub *pub = hsm_key_pub(b->key);
	uint8_t digest[SHA384_LEN], rs[EC_RS_MAX];
	struct buf sig = { 0 };
	size_t len;

	thread_batch(); /* as the service's own */
	for (; clock_mono_us() < b->until_us && !b->failed; b->done++) {
		len = ec_digest(pub->curve, &b->done, sizeof(b->done), digest);
		buf_reset(&sig);
		b->failed = hsm_sign(b->key, digest, len, rs, &b->err) != 0;
		ec_sig_put(&sig, pub->curve, rs);
		if (!b->failed)
			b->failed = ec_verify(pub, digest, len, buf_span(&sig), &b->err) != 0;
	}
	buf_free(&sig);
	return NULL;
}

static int
bound_measure(struct hsm_key *key, long threads, long ms, double *rate, struct err *err)
{
	struct bound b[OCSP_THREADS_MAX];
	int64_t start = clock_mono_us();
	size_t done = 0;
	int r = 0;

	for (long i = 0; i < threads; i++) {
		b[i] = (struct bound){ .key = key, .until_us = start + ms * 1000 };
		require(pthread_create(&b[i].thread, NULL, bound_main, &b[i]) == 0);
	}
	for (long i = 0; i < threads; i++) {
		pthread_join(b[i].thread, NULL);
		done += b[i].done;
		if (b[i].failed) {
			*err = b[i].err;
			r = -1;
		}
	}
	*rate = (double)done * 1e6 / (double)(clock_mono_us() - start);
	return r;
}

/* With a thread a core, and with a thread a session of the token. */
static int
bound(const char *dir, long ms, struct err *err)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	struct home *home = mem_alloc(sizeof(*home));
	const struct home_token *token;
	struct hsm *hsm = NULL;
	struct hsm_key *key;
	double by_core, by_session;
	int r = -1;

	if (home_load(dir, home, err) != 0)
		goto out;
	token = home_token(home, home->ocsp_token);
	if (token == NULL) {
		err_set(err, FAIL_NOT_FOUND, "bench: no token of the responder");
		goto out;
	}
	if (hsm_open(&token->conf, &hsm, err) != 0 ||
	    hsm_key_find(hsm, home->ocsp_key, &key, err) != 0 ||
	    bound_measure(
		key, cores < OCSP_THREADS_MAX ? cores : OCSP_THREADS_MAX, ms, &by_core, err) != 0 ||
	    bound_measure(key, token->conf.sessions, ms, &by_session, err) != 0)
		goto out;
	printf("%.1f %.1f\n", by_core, by_session);
	r = 0;
out:
	hsm_close(hsm);
	free(home);
	return r;
}

int
main(int argc, char **argv)
{
	static const char me[] = "bench_ocsp";
	struct err err;
	int r;

	if (argc == 7 && strcmp(argv[1], "requests") == 0) {
		r = requests_make(argv[2], argv[3], argv[4],
		    (size_t)bench_number(me, argv[5], OCSP_N_MAX),
		    (size_t)bench_number(me, argv[6], OCSP_N_MAX), &err);
	} else if (argc == 4 && strcmp(argv[1], "bound") == 0) {
		r = bound(argv[2], bench_number(me, argv[3], 600000), &err);
	} else {
		fputs("usage: bench_ocsp requests HOME CA.der DIR N NONCES | bound HOME MS\n",
		    stderr);
		return EXIT_USAGE_;
	}
	if (r == 0)
		return EXIT_DONE;
	fprintf(stderr, "bench_ocsp: %s\n", err.msg);
	return err_exit_status(err.code);
}
