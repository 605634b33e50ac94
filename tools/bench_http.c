/*
 * A load of HTTP: requests made before, over connections that stay open, from two threads with an
 * epoll each. Every answer must be 200 and hold a successful OCSPResponse; anything else ends the
 * program. A connection has one request under way at a time.
 *
 * Against two servers in turn, several times in one run: how fast one is as a ratio of the other;
 * or against one server and a bound that a command measures, before and after each run: it prints
 * what it reaches in each of two ways, and the better way of both times counts.
 *
 *   bench_http [--connections N] [--ms N] [--runs N] [--warm] [--name TEXT] [--target TEXT]
 *       [--bound COMMAND] [--pid N] [--bare-pid N] REQUESTS ADDR:PORT [BARE-ADDR:PORT]
 *
 * REQUESTS: a number of octets (4, this machine's order) before each whole request. --ms 0 goes on
 * until a signal ends it. With the servers' process numbers their own time on a core is told, too:
 * a second load on the machine moves that less than it moves rates.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench_line.h"
#include "smki/clock.h"
#include "smki/file.h"
#include "smki/mem.h"

#define HTTP_THREADS 2
#define HTTP_CONNECTIONS_MAX 10000
#define HTTP_FILE_MAX ((size_t)1024 * 1024 * 1024)
#define HTTP_ANSWER_MAX 16384
#define HTTP_EVENTS 256
/* A server that is silent for so long has failed. */
#define HTTP_WAIT_MS 10000
/* Two servers are asked in turn many times a run, over new connections each time. With few of them:
 * whether the server's thread and the client's stand on one core or on two is chance, lasts as long
 * as the connection, and is worth a factor of two. With many: how they spread over the server's
 * threads is chance, and turns in which they are opened need to be longer. */
#define HTTP_FEW 8
#define HTTP_TURN_MS_FEW 5
#define HTTP_TURN_MS 100

struct conn {
	int fd;
	struct span request;
	size_t got, need; /* octets of the answer; need 0 = its head is not all there */
	int64_t begun_us;
	char in[HTTP_ANSWER_MAX];
};

struct load {
	struct buf file;
	struct span *requests;
	size_t n;
	struct sockaddr_in to;
	long connections;
	int64_t until_us; /* INT64_MAX = for ever */
	/* All connections are open; then the time is set and runs. */
	pthread_barrier_t open, timed;
	size_t once; /* each request once, so many; 0 = until the time is over */
};

struct thread {
	struct load *load;
	pthread_t id;
	size_t at, step, done, cap;
	int64_t *us; /* of each answer */
	struct conn *conns;
	size_t n_conns;
	int epoll;
};

static _Noreturn void
http_die(const char *what)
{
	fprintf(stderr, "bench_http: %s\n", what);
	_exit(EXIT_UNAVAILABLE);
}

/* ---- what is asked ---- */

static void
requests_load(struct load *load, const char *path)
{
	struct err err;
	size_t cap = 0, at = 0;
	uint32_t len;

	if (file_read(path, HTTP_FILE_MAX, &load->file, &err) != 0)
		http_die(err.msg);
	while (at < load->file.len) {
		if (load->file.len - at < sizeof(len))
			http_die("requests: cut short");
		memcpy(&len, load->file.data + at, sizeof(len));
		at += sizeof(len);
		if (load->file.len - at < len)
			http_die("requests: cut short");
		if (load->n == cap) {
			cap = cap == 0 ? 1024 : 2 * cap;
			load->requests = mem_resize(load->requests, cap, sizeof(*load->requests));
		}
		load->requests[load->n++] = (struct span){ load->file.data + at, len };
		at += len;
	}
	if (load->n == 0)
		http_die("requests: none");
}

static void
address_parse(const char *text, struct sockaddr_in *out)
{
	const char *colon = strrchr(text, ':');
	char host[64] = "127.0.0.1";

	if (colon != NULL)
		snprintf(host, sizeof(host), "%.*s", (int)(colon - text), text);
	*out = (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_port = htons((uint16_t)atoi(colon != NULL ? colon + 1 : text)) };
	if (inet_pton(AF_INET, host, &out->sin_addr) != 1)
		http_die("not an IPv4 address");
}

/* ---- a connection ---- */

/* A request is smaller than what a socket takes at once. */
static void
conn_ask(struct thread *t, struct conn *c)
{
	c->request = t->load->requests[t->at % t->load->n];
	t->at += t->step;
	c->got = c->need = 0;
	c->begun_us = clock_mono_us();
	if (send(c->fd, c->request.p, c->request.len, MSG_NOSIGNAL) != (ssize_t)c->request.len)
		http_die("a request is not taken");
}

static void
conn_open(struct thread *t, struct conn *c)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = c };
	int one = 1;

	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0 ||
	    connect(c->fd, (struct sockaddr *)&t->load->to, sizeof(t->load->to)) != 0 ||
	    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) != 0 ||
	    fcntl(c->fd, F_SETFL, O_NONBLOCK) != 0 ||
	    epoll_ctl(t->epoll, EPOLL_CTL_ADD, c->fd, &event) != 0)
		http_die(strerror(errno));
}

/* The head is in: status, length, and where the answer ends. */
static void
conn_head(struct conn *c)
{
	static const char length[] = "\r\ncontent-length:";
	const char *end = memmem(c->in, c->got, "\r\n\r\n", 4), *p;

	if (end == NULL)
		return;
	if (memcmp(c->in, "HTTP/1.1 200 ", 13) != 0) {
		fprintf(stderr, "bench_http: not 200: %.*s\n", (int)(end - c->in), c->in);
		http_die("a request failed");
	}
	for (p = c->in; p < end && strncasecmp(p, length, sizeof(length) - 1) != 0;)
		p = memchr(p + 1, '\r', (size_t)(end - p));
	if (p == end)
		http_die("no Content-Length");
	c->need = (size_t)(end + 4 - c->in) + strtoul(p + sizeof(length) - 1, NULL, 10);
	if (c->need > sizeof(c->in))
		http_die("an answer is too long");
}

/* RFC 6960 4.2.1: a SEQUENCE that begins with the status successful. */
static void
conn_check(const struct conn *c, const char *body)
{
	static const char successful[] = { 0x0a, 0x01, 0x00 };

	if (c->in + c->need - body < 16 || body[0] != 0x30 || body[1] != (char)0x82 ||
	    memcmp(body + 4, successful, sizeof(successful)) != 0)
		http_die("a body is no successful OCSPResponse");
}

static void
conn_done(struct thread *t, struct conn *c)
{
	const char *body = memmem(c->in, c->got, "\r\n\r\n", 4);

	conn_check(c, body + 4);
	if (t->done == t->cap) {
		t->cap = t->cap == 0 ? 4096 : 2 * t->cap;
		t->us = mem_resize(t->us, t->cap, sizeof(*t->us));
	}
	t->us[t->done++] = clock_mono_us() - c->begun_us;
}

/* True when an answer is complete. */
static bool
conn_read(struct thread *t, struct conn *c)
{
	ssize_t n = recv(c->fd, c->in + c->got, sizeof(c->in) - c->got, 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0)
		http_die(n == 0 ? "a connection was closed" : strerror(errno));
	c->got += (size_t)n;
	if (c->need == 0)
		conn_head(c);
	if (c->need == 0 || c->got < c->need)
		return false;
	if (c->got > c->need)
		http_die("more than one answer to a request");
	conn_done(t, c);
	return true;
}

/* ---- the load ---- */

static bool
thread_more(const struct thread *t)
{
	if (t->load->once > 0)
		return t->at < t->load->once;
	return clock_mono_us() < t->load->until_us;
}

static void *
thread_main(void *arg)
{
	struct epoll_event events[HTTP_EVENTS];
	struct thread *t = arg;
	size_t busy = 0;
	int n;

	for (size_t i = 0; i < t->n_conns; i++)
		conn_open(t, &t->conns[i]);
	pthread_barrier_wait(&t->load->open);
	pthread_barrier_wait(&t->load->timed);
	for (size_t i = 0; i < t->n_conns && thread_more(t); i++, busy++)
		conn_ask(t, &t->conns[i]);
	while (busy > 0) {
		n = epoll_wait(t->epoll, events, HTTP_EVENTS, HTTP_WAIT_MS);
		if (n == 0)
			http_die("no answer");
		for (int i = 0; i < n; i++) {
			if (!conn_read(t, events[i].data.ptr))
				continue;
			if (thread_more(t))
				conn_ask(t, events[i].data.ptr);
			else
				busy--;
		}
	}
	for (size_t i = 0; i < t->n_conns; i++)
		close(t->conns[i].fd);
	return NULL;
}

struct result {
	double rate, p50_ms, p99_ms;
	double cpu_us; /* of the server for a request; 0 = not asked for */
};

/* Microseconds that a process was on a core so far (proc(5), stat 14 and 15). pid 0: 0. */
static double
process_us(long pid)
{
	unsigned long user = 0, system = 0;
	char path[64];
	FILE *f;

	if (pid == 0)
		return 0;
	snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
	f = fopen(path, "r");
	if (f == NULL ||
	    fscanf(f, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
		&system) != 2)
		http_die(path);
	fclose(f);
	return (double)(user + system) * 1e6 / (double)sysconf(_SC_CLK_TCK);
}

/* What was answered in the turns of a run. */
struct sample {
	int64_t *us; /* of each answer */
	size_t n;
	int64_t took_us;
	double cpu_us;
};

static void
sample_add(struct sample *sample, const struct thread *t, size_t n)
{
	size_t all = sample->n;
	int64_t *us;

	for (size_t i = 0; i < n; i++)
		all += t[i].done;
	if (all == sample->n)
		http_die("no request was made");
	us = mem_array(all, sizeof(*us));
	if (sample->n > 0)
		memcpy(us, sample->us, sample->n * sizeof(*us));
	for (size_t i = 0; i < n; i++) {
		memcpy(us + sample->n, t[i].us, t[i].done * sizeof(*us));
		sample->n += t[i].done;
	}
	free(sample->us);
	sample->us = us;
}

/* Frees what the sample holds. */
static void
sample_result(struct sample *sample, struct result *out)
{
	bench_sort(sample->us, sample->n);
	out->rate = (double)sample->n * 1e6 / (double)sample->took_us;
	out->p50_ms = bench_quantile_ms(sample->us, sample->n, 0.5);
	out->p99_ms = bench_quantile_ms(sample->us, sample->n, 0.99);
	out->cpu_us = sample->cpu_us / (double)sample->n;
	free(sample->us);
}

/* once: each request one time; else for ms. */
static void
load_turn(struct load *load, const struct sockaddr_in *to, bool once, long ms, long pid,
    struct sample *sample)
{
	size_t n = load->connections < HTTP_THREADS ? (size_t)load->connections : HTTP_THREADS;
	struct thread t[HTTP_THREADS] = { 0 };
	int64_t start;
	double before;

	load->to = *to;
	load->once = once ? load->n : 0;
	require(pthread_barrier_init(&load->open, NULL, (unsigned)n + 1) == 0 &&
		pthread_barrier_init(&load->timed, NULL, (unsigned)n + 1) == 0);
	for (size_t i = 0; i < n; i++) {
		t[i].load = load;
		t[i].at = i;
		t[i].step = n;
		t[i].n_conns = ((size_t)load->connections + i) / n;
		t[i].conns = mem_array(t[i].n_conns, sizeof(*t[i].conns));
		t[i].epoll = epoll_create1(EPOLL_CLOEXEC);
		require(t[i].epoll >= 0);
		require(pthread_create(&t[i].id, NULL, thread_main, &t[i]) == 0);
	}
	pthread_barrier_wait(&load->open);
	before = process_us(pid);
	start = clock_mono_us();
	load->until_us = ms > 0 ? start + ms * 1000 : INT64_MAX;
	pthread_barrier_wait(&load->timed);
	for (size_t i = 0; i < n; i++)
		pthread_join(t[i].id, NULL);
	sample->took_us += clock_mono_us() - start;
	sample->cpu_us += process_us(pid) - before;
	sample_add(sample, t, n);
	pthread_barrier_destroy(&load->open);
	pthread_barrier_destroy(&load->timed);
	for (size_t i = 0; i < n; i++) {
		close(t[i].epoll);
		free(t[i].conns);
		free(t[i].us);
	}
}

struct options {
	long connections, ms, runs, pid, bare_pid;
	bool warm;
	const char *name, *target;
	const char *bound;
};

/* What the command reaches each way, added to both. */
static void
bound_ask(const char *command, double way[2])
{
	FILE *said = popen(command, "re");
	double got[2];

	require(said != NULL);
	if (fscanf(said, "%lf %lf", &got[0], &got[1]) != 2 || pclose(said) != 0) {
		fprintf(stderr, "bench_http: no bound from: %s\n", command);
		exit(EXIT_INTERNAL);
	}
	way[0] += got[0];
	way[1] += got[1];
}

static void
run_line(const struct options *o, long run, const struct result *got, const struct result *most)
{
	char what[256];

	printf("  %3ld  %10.0f  %12.0f  %5.2f  %6.2f  %6.2f\n", run, most->rate, got->rate,
	    most->rate > 0 ? got->rate / most->rate : 0, got->p50_ms, got->p99_ms);
	fflush(stdout);
	bench_line(o->name, "1/s", got->rate, most->rate, o->target);
	snprintf(what, sizeof(what), "%s: p99", o->name);
	bench_line(what, "ms", got->p99_ms, most->p99_ms, "");
	if (o->pid == 0)
		return;
	snprintf(what, sizeof(what), "%s: server", o->name);
	bench_line(what, "us", got->cpu_us, most->cpu_us, "");
}

static void
load_runs(struct load *load, const struct options *o, const struct sockaddr_in *to,
    const struct sockaddr_in *bare)
{
	const long turn_ms = o->connections < HTTP_FEW ? HTTP_TURN_MS_FEW : HTTP_TURN_MS;
	const long turns = bare != NULL && o->ms > turn_ms ? o->ms / turn_ms : 1;
	struct result most = { .rate = 0 }, got;
	struct sample sample = { 0 }, bound;
	double way[2];

	if (o->warm) {
		load_turn(load, to, true, 0, 0, &sample);
		free(sample.us);
	}
	printf("%s: %ld connections, %zu requests, %ld ms a run\n"
	       "  run   bound 1/s  answered 1/s  ratio  p50 ms  p99 ms\n",
	    o->name, o->connections, load->n, o->ms);
	for (long i = 0; i < o->runs; i++) {
		sample = bound = (struct sample){ 0 };
		way[0] = way[1] = 0;
		if (o->bound != NULL)
			bound_ask(o->bound, way);
		for (long turn = 0; turn < turns; turn++) {
			if (bare != NULL)
				load_turn(load, bare, false, o->ms / turns, o->bare_pid, &bound);
			load_turn(load, to, false, o->ms / turns, o->pid, &sample);
		}
		sample_result(&sample, &got);
		if (bare != NULL)
			sample_result(&bound, &most);
		if (o->bound != NULL) {
			bound_ask(o->bound, way);
			most.rate = (way[0] > way[1] ? way[0] : way[1]) / 2;
		}
		run_line(o, i + 1, &got, &most);
	}
}

static _Noreturn void
http_usage(void)
{
	fputs("usage: bench_http [--connections N] [--ms N] [--runs N] [--warm] [--name TEXT]\n"
	      "    [--target TEXT] [--bound COMMAND] [--pid N] [--bare-pid N] REQUESTS ADDR:PORT\n"
	      "    [BARE-ADDR:PORT]\n",
	    stderr);
	exit(EXIT_USAGE_);
}

static void
http_options(int argc, char **argv, struct options *out)
{
	static const struct option known[] = {
		{ "connections", required_argument, NULL, 'c' },
		{ "ms", required_argument, NULL, 'm' },
		{ "runs", required_argument, NULL, 'r' },
		{ "warm", no_argument, NULL, 'w' },
		{ "name", required_argument, NULL, 'n' },
		{ "target", required_argument, NULL, 't' },
		{ "bound", required_argument, NULL, 'b' },
		{ "pid", required_argument, NULL, 'p' },
		{ "bare-pid", required_argument, NULL, 'q' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	*out = (struct options){
		.connections = 64, .ms = 1000, .runs = 1, .name = "http", .target = ""
	};
	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (c == 'c')
			out->connections = bench_number("bench_http", optarg, HTTP_CONNECTIONS_MAX);
		else if (c == 'm')
			out->ms = strcmp(optarg, "0") == 0
				      ? 0
				      : bench_number("bench_http", optarg, 3600000);
		else if (c == 'r')
			out->runs = bench_number("bench_http", optarg, 100);
		else if (c == 'w')
			out->warm = true;
		else if (c == 'n')
			out->name = optarg;
		else if (c == 't')
			out->target = optarg;
		else if (c == 'p')
			out->pid = bench_number("bench_http", optarg, INT32_MAX);
		else if (c == 'q')
			out->bare_pid = bench_number("bench_http", optarg, INT32_MAX);
		else if (c == 'b')
			out->bound = optarg;
		else
			http_usage();
	}
	/* One bound: a command's, or bare libmicrohttpd's. */
	if (argc - optind < 2 || argc - optind > (out->bound == NULL ? 3 : 2))
		http_usage();
}

int
main(int argc, char **argv)
{
	struct sockaddr_in to, bare;
	struct load load = { 0 };
	struct options o;

	http_options(argc, argv, &o);
	requests_load(&load, argv[optind]);
	load.connections = o.connections;
	address_parse(argv[optind + 1], &to);
	if (argc - optind == 3)
		address_parse(argv[optind + 2], &bare);
	load_runs(&load, &o, &to, argc - optind == 3 ? &bare : NULL);
	free(load.requests);
	buf_free(&load.file);
	return EXIT_DONE;
}
