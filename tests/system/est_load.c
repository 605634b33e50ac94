/*
 * Many meters and strangers at the TLS listener, faster than a script can be them: enrolments that
 * meet, and requests that are refused.
 *
 *   est_load devices N              CSV of 3 N devices with secrets, for smki device import
 *   est_load race PORT N CSV        N times each: one device with two keys, two devices with one
 *   est_load flood PORT N ADDRESSES CERT KEY EUI64
 *                                   N requests of strangers from so many addresses: half of them
 *                                   with secrets of nobody, a fourth with CERT, the certificate of
 *                                   nobody, an eighth each with nothing for the device EUI64 and of
 *                                   no form
 *
 * Prints what came of it; ends with 1 when that is anything else than it has to be.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "../unit/service_rig.h"

#define LOAD_HW_TYPE "1.3.6.1.4.1.32473.1"
#define LOAD_ARC 1
#define LOAD_SECRET 26
#define LOAD_ANSWER_MAX 65536
#define LOAD_THREADS 8

static _Noreturn void
load_die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	ERR_print_errors_fp(stdout);
	exit(1);
}

/* ---- a connection ---- */

struct load_peer {
	SSL *ssl;
	int fd;
	struct buf in; /* of the newest answer */
	size_t head;   /* where its body begins */
};

static SSL_CTX *
load_context(const char *cert, const char *key)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	if (ctx == NULL || SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) != 1 ||
	    (cert != NULL && (SSL_CTX_use_certificate_file(ctx, cert, SSL_FILETYPE_PEM) != 1 ||
				 SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1)))
		load_die("TLS");
	return ctx;
}

/* From 127.2.x.y, which the number tells. */
static void
load_open(struct load_peer *peer, SSL_CTX *ctx, int port, long number)
{
	struct sockaddr_in from = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(
		    0x7f020001u + (uint32_t)(number / 250 * 256 + number % 250)) };
	const struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int one = 1;

	*peer = (struct load_peer){ .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0),
		.ssl = SSL_new(ctx) };
	if (peer->fd < 0 || peer->ssl == NULL ||
	    bind(peer->fd, (const struct sockaddr *)&from, sizeof(from)) != 0 ||
	    connect(peer->fd, (const struct sockaddr *)&to, sizeof(to)) != 0 ||
	    setsockopt(peer->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) != 0 ||
	    SSL_set_fd(peer->ssl, peer->fd) != 1 || SSL_connect(peer->ssl) != 1)
		load_die("no connection");
}

static void
load_close(struct load_peer *peer)
{
	(void)SSL_shutdown(peer->ssl);
	SSL_free(peer->ssl);
	close(peer->fd);
	buf_free(&peer->in);
}

static void
load_send(struct load_peer *peer, const struct buf *request)
{
	if (SSL_write(peer->ssl, request->data, (int)request->len) != (int)request->len)
		load_die("the connection was closed");
}

/* Read one answer: its status. */
static int
load_status(struct load_peer *peer)
{
	struct buf *in = &peer->in;
	const char *end, *length;
	int n;

	buf_reset(in);
	for (;;) {
		buf_reserve(in, 4096);
		n = SSL_read(peer->ssl, in->data + in->len, 4095);
		if (n <= 0 || in->len + (size_t)n > LOAD_ANSWER_MAX)
			load_die("no answer: %.200s", buf_text(in));
		in->len += (size_t)n;
		end = strstr(buf_text(in), "\r\n\r\n");
		if (end == NULL)
			continue;
		length = strcasestr(buf_text(in), "content-length:");
		if (length == NULL || length > end || in->len < 12)
			load_die("no length: %.200s", buf_text(in));
		peer->head = (size_t)(end + 4 - (const char *)in->data);
		if (in->len >= peer->head + strtoul(length + strlen("content-length:"), NULL, 10))
			return atoi((const char *)in->data + strlen("HTTP/1.1 "));
	}
}

/* POST of a body to simpleenroll; user NULL = without a secret. */
static void
load_request(const char *user, const char *secret, struct span body, struct buf *out)
{
	char text[2 * EUI64_LEN + LOAD_SECRET + 2];
	struct buf basic = { 0 };

	buf_reset(out);
	buf_add_str(out, "POST /.well-known/est/simpleenroll HTTP/1.1\r\nHost: localhost\r\n"
			 "Content-Type: application/pkcs10\r\n");
	if (user != NULL) {
		snprintf(text, sizeof(text), "%s:%s", user, secret);
		base64_encode((const uint8_t *)text, strlen(text), 0, &basic);
		buf_fmt(out, "Authorization: Basic %s\r\n", buf_text(&basic));
		buf_free(&basic);
	}
	buf_fmt(out, "Content-Length: %zu\r\n\r\n", body.len);
	buf_add(out, body.p, body.len);
}

static void
load_csr(const struct softsign *key, const char *eui, struct buf *out)
{
	uint8_t octets[EUI64_LEN];
	struct buf der = { 0 };
	size_t len;

	if (hex_decode(eui, octets, sizeof(octets), &len) != 0 || len != EUI64_LEN)
		load_die("%s: no EUI-64", eui);
	rig_request(key, octets, LOAD_ARC, KEY_USAGE_DIGITAL_SIGNATURE, &der);
	buf_reset(out);
	base64_encode(der.data, der.len, 0, out);
	buf_free(&der);
}

static void
load_secret(char out[LOAD_SECRET + 1])
{
	uint8_t octets[LOAD_SECRET];

	require(rng_draw(octets, sizeof(octets)) == 0);
	for (size_t i = 0; i < LOAD_SECRET; i++)
		out[i] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[octets[i] % 32];
	out[LOAD_SECRET] = '\0';
}

/* ---- enrolments that meet ---- */

struct load_device {
	char eui[2 * EUI64_LEN + 1], secret[LOAD_SECRET + 1];
};

static void
load_devices(long n)
{
	char secret[LOAD_SECRET + 1];

	puts("eui64,hw_type,secret");
	for (long i = 0; i < 3 * n; i++) {
		load_secret(secret);
		printf("00db72616365%04lx," LOAD_HW_TYPE ",%s\n", i, secret);
	}
}

static struct load_device *
load_read(const char *path, long n)
{
	struct load_device *devices = mem_array((size_t)n, sizeof(*devices));
	char line[256];
	FILE *f = fopen(path, "r");

	if (f == NULL || fgets(line, sizeof(line), f) == NULL)
		load_die("%s: cannot be read", path);
	for (long i = 0; i < n; i++)
		if (fgets(line, sizeof(line), f) == NULL ||
		    sscanf(line, "%16[0-9a-f],%*[0-9.],%26[A-Z2-7]", devices[i].eui,
			devices[i].secret) != 2)
			load_die("%s: too short", path);
	fclose(f);
	return devices;
}

/* Both at once, first goes first by a few microseconds: who won. Asked again, the winner has the
 * same answer and the loser still none. */
static size_t
load_meet(struct load_peer peer[2], const struct load_device *const device[2],
    const struct softsign *const key[2], size_t first)
{
	struct buf request[2] = { 0 }, csr = { 0 }, body = { 0 };
	int status[2];
	size_t won;

	for (size_t i = 0; i < 2; i++) {
		load_csr(key[i], device[i]->eui, &csr);
		load_request(device[i]->eui, device[i]->secret, buf_span(&csr), &request[i]);
	}
	load_send(&peer[first], &request[first]);
	load_send(&peer[1 - first], &request[1 - first]);
	for (size_t i = 0; i < 2; i++)
		status[i] = load_status(&peer[i]);
	won = status[0] == 200 ? 0 : 1;
	if (status[won] != 200 || status[1 - won] != 409)
		load_die("%s, %s: %d and %d: %s | %s", device[0]->eui, device[1]->eui, status[0],
		    status[1], buf_text(&peer[0].in), buf_text(&peer[1].in));
	buf_add(&body, peer[won].in.data + peer[won].head, peer[won].in.len - peer[won].head);
	for (size_t i = 0; i < 2; i++) {
		load_send(&peer[i], &request[i]);
		status[i] = load_status(&peer[i]);
	}
	if (status[won] != 200 || status[1 - won] != 409 ||
	    !span_eq(buf_span(&body), (struct span){ peer[won].in.data + peer[won].head,
					  peer[won].in.len - peer[won].head }))
		load_die("%s, %s: again: %d and %d", device[0]->eui, device[1]->eui, status[0],
		    status[1]);
	for (size_t i = 0; i < 2; i++)
		buf_free(&request[i]);
	buf_free(&csr);
	buf_free(&body);
	return won;
}

static void
load_race(int port, long n, const char *csv)
{
	struct load_device *devices = load_read(csv, 3 * n);
	SSL_CTX *ctx = load_context(NULL, NULL);
	struct load_peer peer[2];
	long second[2] = { 0 };

	for (long i = 0; i < 2; i++)
		load_open(&peer[i], ctx, port, i);
	for (long i = 0; i < n; i++) {
		struct softsign *a = softsign_new(EC_P256), *b = softsign_new(EC_P256),
				*c = softsign_new(EC_P256);
		const struct load_device *d = &devices[3 * i];
		size_t first = (size_t)i % 2;

		second[0] += load_meet(peer, (const struct load_device *const[]){ d, d },
				 (const struct softsign *const[]){ a, b }, first) != first;
		second[1] += load_meet(peer, (const struct load_device *const[]){ d + 1, d + 2 },
				 (const struct softsign *const[]){ c, c }, first) != first;
		softsign_free(a);
		softsign_free(b);
		softsign_free(c);
	}
	printf("race: %ld times two keys for one device, one issued each (%ld times the later); "
	       "%ld times one key for two devices, one issued each (%ld times the later)\n",
	    n, second[0], n, second[1]);
	for (long i = 0; i < 2; i++)
		load_close(&peer[i]);
	SSL_CTX_free(ctx);
	free(devices);
}

/* ---- strangers ---- */

enum load_kind { LOAD_SECRETS, LOAD_ROGUE, LOAD_NOTHING, LOAD_FORMLESS, LOAD_KINDS };

struct load_flood {
	int port;
	long addresses, each; /* requests from each */
	SSL_CTX *plain, *rogue;
	struct buf csr; /* base64, for the device that is known */
};

struct load_thread {
	const struct load_flood *flood;
	long first, refused[LOAD_KINDS];
	pthread_t thread;
};

static void *
load_flood_main(void *arg)
{
	static const struct span formless = { (const uint8_t *)"!!!!", 4 };
	static const enum load_kind turn[] = { LOAD_SECRETS, LOAD_ROGUE, LOAD_SECRETS, LOAD_NOTHING,
		LOAD_SECRETS, LOAD_ROGUE, LOAD_SECRETS, LOAD_FORMLESS };
	static const int wanted[LOAD_KINDS] = { [LOAD_SECRETS] = 403,
		[LOAD_ROGUE] = 403,
		[LOAD_NOTHING] = 401,
		[LOAD_FORMLESS] = 400 };
	struct load_thread *t = arg;
	const struct load_flood *flood = t->flood;
	char eui[2 * EUI64_LEN + 1], secret[LOAD_SECRET + 1];
	struct span csr = buf_span(&flood->csr);
	struct buf request = { 0 };
	uint8_t octets[EUI64_LEN];
	struct load_peer peer;
	int status;

	for (long i = t->first; i < flood->addresses; i += LOAD_THREADS) {
		enum load_kind kind = turn[(size_t)(i / LOAD_THREADS) % ARRAY_LEN(turn)];

		load_open(&peer, kind == LOAD_ROGUE ? flood->rogue : flood->plain, flood->port, i);
		for (long k = 0; k < flood->each; k++) {
			require(rng_draw(octets, sizeof(octets)) == 0);
			hex_encode(octets, sizeof(octets), eui);
			load_secret(secret);
			load_request(kind == LOAD_SECRETS ? eui : NULL, secret,
			    kind == LOAD_FORMLESS ? formless : csr, &request);
			load_send(&peer, &request);
			status = load_status(&peer);
			if (status != wanted[kind])
				load_die("kind %d: %s", (int)kind, buf_text(&peer.in));
			t->refused[kind]++;
		}
		load_close(&peer);
	}
	buf_free(&request);
	return NULL;
}

static void
load_flood(int port, long n, long addresses, char **argv)
{
	struct load_flood flood = { .port = port,
		.addresses = addresses,
		.each = n / addresses,
		.plain = load_context(NULL, NULL),
		.rogue = load_context(argv[0], argv[1]) };
	struct softsign *key = softsign_new(EC_P256);
	struct load_thread t[LOAD_THREADS];
	long refused[LOAD_KINDS] = { 0 };
	int64_t begun = clock_mono_ms();

	load_csr(key, argv[2], &flood.csr);
	for (long i = 0; i < LOAD_THREADS; i++) {
		t[i] = (struct load_thread){ .flood = &flood, .first = i };
		require(pthread_create(&t[i].thread, NULL, load_flood_main, &t[i]) == 0);
	}
	for (long i = 0; i < LOAD_THREADS; i++) {
		pthread_join(t[i].thread, NULL);
		for (size_t kind = 0; kind < LOAD_KINDS; kind++)
			refused[kind] += t[i].refused[kind];
	}
	printf("flood: secrets %ld rogue %ld nothing %ld formless %ld ms %lld\n",
	    refused[LOAD_SECRETS], refused[LOAD_ROGUE], refused[LOAD_NOTHING],
	    refused[LOAD_FORMLESS], (long long)(clock_mono_ms() - begun));
	softsign_free(key);
	buf_free(&flood.csr);
	SSL_CTX_free(flood.plain);
	SSL_CTX_free(flood.rogue);
}

int
main(int argc, char **argv)
{
	const char *verb = argc > 2 ? argv[1] : "";
	int port = argc > 2 ? atoi(argv[2]) : 0;
	long n = argc > 3 ? strtol(argv[3], NULL, 10) : 0;

	if (strcmp(verb, "devices") == 0 && argc == 3 && port > 0)
		load_devices(port);
	else if (strcmp(verb, "race") == 0 && argc == 5 && n > 0)
		load_race(port, n, argv[4]);
	else if (strcmp(verb, "flood") == 0 && argc == 8 && strtol(argv[4], NULL, 10) > 0)
		load_flood(port, n, strtol(argv[4], NULL, 10), argv + 5);
	else
		load_die("usage: see the head of est_load.c");
	return 0;
}
