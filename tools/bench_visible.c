/*
 * Whether a change of state is seen by the very next OCSP answer: random certificates are held,
 * reactivated and revoked over the admin socket, and right after each reply their status is asked
 * on another connection. Meant to run beside a load. One stale answer ends it with status 70.
 *
 *   bench_visible HOME CA.der ADDR:PORT N
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench_ask.h"
#include "bench_line.h"
#include "bench_link.h"
#include "smki/clock.h"
#include "smki/mem.h"
#include "smki/rng.h"

#define VISIBLE_N_MAX 10000000
#define VISIBLE_WINDOW 64
/* Changes for each certificate; one in so many of them revokes, and that is its last. */
#define VISIBLE_EACH 4
#define VISIBLE_REVOKE 8
/* Connections that are asked over in turn: they are not all the same worker's. */
#define VISIBLE_CONNECTIONS 8

struct visible {
	struct bench_link link;
	struct bench_ca ca;
	struct bench_meter *meters;
	enum cert_state *state;
	size_t n_meters, n, stale;
	int fd[VISIBLE_CONNECTIONS];
	int64_t *change_us, *ask_us; /* of each try */
	struct buf request, in;
};

static uint32_t
visible_random(uint32_t below)
{
	uint32_t n;

	require(rng_draw((uint8_t *)&n, sizeof(n)) == 0);
	return n % below;
}

/* What OCSP must say of a certificate in this state (RFC 6960 2.2). */
static enum ocsp_status
visible_wanted(enum cert_state state)
{
	return state == CERT_VALID ? OCSP_GOOD : OCSP_REVOKED;
}

static int
visible_ask(struct visible *v, size_t which, int fd, struct err *err)
{
	struct span body;
	enum ocsp_status status;

	buf_reset(&v->request);
	bench_ask_post(&v->request, &v->ca, &v->meters[which].serial, NULL);
	if (bench_ask(fd, &v->request, &v->in, &body, err) != 0 ||
	    bench_ask_status(body, &status, err) != 0)
		return -1;
	if (status != visible_wanted(v->state[which]))
		v->stale++;
	return 0;
}

static int
visible_try(struct visible *v, size_t i, struct err *err)
{
	size_t which = visible_random((uint32_t)v->n_meters);
	enum cert_action action = ACTION_HOLD;
	int64_t start, changed;

	while (v->state[which] == CERT_REVOKED)
		which = (which + 1) % v->n_meters;
	/* It stands in the cache before. */
	if (visible_ask(v, which, v->fd[i % VISIBLE_CONNECTIONS], err) != 0)
		return -1;
	if (visible_random(VISIBLE_REVOKE) == 0)
		action = ACTION_REVOKE;
	else if (v->state[which] == CERT_HOLD)
		action = ACTION_REACTIVATE;
	start = clock_mono_us();
	if (bench_link_change(&v->link, &v->meters[which].serial, action, err) != 0)
		return -1;
	changed = clock_mono_us();
	v->state[which] = action == ACTION_HOLD	    ? CERT_HOLD
			  : action == ACTION_REVOKE ? CERT_REVOKED
						    : CERT_VALID;
	if (visible_ask(v, which, v->fd[(i + 1) % VISIBLE_CONNECTIONS], err) != 0)
		return -1;
	v->change_us[i] = changed - start;
	v->ask_us[i] = clock_mono_us() - changed;
	return 0;
}

static void
visible_print(struct visible *v)
{
	size_t n = v->n;

	bench_sort(v->change_us, n);
	bench_sort(v->ask_us, n);
	printf("visible: %zu changes, %zu stale answers\n"
	       "  change, ms: median %.2f  p99 %.2f  max %.2f\n"
	       "  answer after it, ms: median %.2f  p99 %.2f  max %.2f\n",
	    n, v->stale, bench_quantile_ms(v->change_us, n, 0.5),
	    bench_quantile_ms(v->change_us, n, 0.99), bench_quantile_ms(v->change_us, n, 1),
	    bench_quantile_ms(v->ask_us, n, 0.5), bench_quantile_ms(v->ask_us, n, 0.99),
	    bench_quantile_ms(v->ask_us, n, 1));
	bench_line("visible: stale answers", "", (double)v->stale, 0, "<= 0");
	bench_line("visible: changes tried", "", (double)n, 0, "");
	bench_line("visible: change, p99", "ms", bench_quantile_ms(v->change_us, n, 0.99), 0, "");
	bench_line("visible: change, longest", "ms", bench_quantile_ms(v->change_us, n, 1), 0, "");
	bench_line(
	    "visible: answer after it, median", "ms", bench_quantile_ms(v->ask_us, n, 0.5), 0, "");
	bench_line(
	    "visible: answer after it, p99", "ms", bench_quantile_ms(v->ask_us, n, 0.99), 0, "");
	bench_line("visible: answer after it, longest", "ms", bench_quantile_ms(v->ask_us, n, 1), 0,
	    "<= 1000");
}

static int
visible_run(struct visible *v, const char *home, const char *ca, const char *http, struct err *err)
{
	struct bench_issued issued;

	if (bench_ca_load(ca, &v->ca, err) != 0 || bench_link_open(home, &v->link, err) != 0 ||
	    bench_meters_new(v->n_meters, &v->meters, err) != 0 ||
	    bench_link_issue(&v->link, v->meters, v->n_meters, VISIBLE_WINDOW, &issued, err) != 0)
		return -1;
	for (size_t i = 0; i < VISIBLE_CONNECTIONS; i++)
		if (bench_ask_connect(http, &v->fd[i], err) != 0)
			return -1;
	for (size_t i = 0; i < v->n; i++)
		if (visible_try(v, i, err) != 0)
			return -1;
	visible_print(v);
	return v->stale == 0 ? 0 : err_set(err, FAIL_INTERNAL, "bench: stale answers");
}

int
main(int argc, char **argv)
{
	struct visible *v = mem_alloc(sizeof(*v));
	int status = EXIT_DONE;
	struct err err;

	if (argc != 5) {
		fputs("usage: bench_visible HOME CA.der ADDR:PORT N\n", stderr);
		return EXIT_USAGE_;
	}
	v->n = (size_t)bench_number("bench_visible", argv[4], VISIBLE_N_MAX);
	v->n_meters = v->n / VISIBLE_EACH + VISIBLE_CONNECTIONS;
	v->state = mem_array(v->n_meters, sizeof(*v->state));
	v->change_us = mem_array(v->n, sizeof(*v->change_us));
	v->ask_us = mem_array(v->n, sizeof(*v->ask_us));
	v->link.fd = -1;
	for (size_t i = 0; i < VISIBLE_CONNECTIONS; i++)
		v->fd[i] = -1;
	if (visible_run(v, argv[1], argv[2], argv[3], &err) != 0) {
		fprintf(stderr, "bench_visible: %s\n", err.msg);
		status = err_exit_status(err.code);
	}
	for (size_t i = 0; i < VISIBLE_CONNECTIONS; i++)
		if (v->fd[i] >= 0)
			close(v->fd[i]);
	bench_meters_free(v->meters, v->n_meters);
	bench_link_close(&v->link);
	buf_free(&v->ca.der);
	buf_free(&v->request);
	buf_free(&v->in);
	free(v->state);
	free(v->change_us);
	free(v->ask_us);
	free(v);
	return status;
}
