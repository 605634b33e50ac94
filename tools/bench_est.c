/*
 * Enrolment over EST as a ratio of what TLS alone allows: full TLS 1.3 handshakes with client
 * certificates against bare libmicrohttpd and GnuTLS (bench_bare), and the same handshakes with an
 * enrolment in each against smki-httpd. Both in turn, several times, in one run.
 *
 *   bench_est prepare DIR N      manufacturer's anchor, meters.csv, and what run needs
 *   bench_est run DIR N BARE-PORT ADDR:PORT   runs of N / EST_RUNS meters each
 *   bench_est one DIR ADDR:PORT  the answer's body for the first meter, on standard output
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "bench_line.h"
#include "bench_meter.h"
#include "smki/clock.h"
#include "smki/file.h"
#include "smki/hex.h"
#include "smki/mem.h"

#define EST_METERS_MAX 100000
#define EST_THREADS 8
#define EST_FILE_MAX (512 * 1024 * 1024)
#define EST_CERT_MAX 4096
#define EST_ANSWER_MAX 65536
#define EST_VALID_S (10L * 365 * 86400)

/* A meter on disk: its IDevID and its request, lengths before. */
struct est_meter {
	X509 *idevid;
	struct buf request; /* the whole HTTP request */
};

struct est {
	EVP_PKEY *key; /* of all IDevIDs */
	struct est_meter *meters;
	long n;
	struct sockaddr_in to;
	long first, count; /* of this run */
	SSL_CTX *ctx;
};

static _Noreturn void
est_die(const char *what)
{
	fprintf(stderr, "bench_est: %s\n", what);
	ERR_print_errors_fp(stderr);
	exit(EXIT_UNAVAILABLE);
}

/* ---- prepare ---- */

static X509 *
est_certificate(const char *name, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key, long serial,
    const char *serial_number)
{
	X509 *x = X509_new();
	X509_NAME *subject = X509_NAME_new();
	X509_EXTENSION *ext;

	if (x == NULL || subject == NULL ||
	    X509_NAME_add_entry_by_txt(
		subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0) != 1 ||
	    (serial_number != NULL &&
		X509_NAME_add_entry_by_txt(subject, "serialNumber", MBSTRING_ASC,
		    (const unsigned char *)serial_number, -1, -1, 0) != 1) ||
	    X509_set_version(x, X509_VERSION_3) != 1 ||
	    ASN1_INTEGER_set(X509_get_serialNumber(x), serial) != 1 ||
	    X509_set_subject_name(x, subject) != 1 ||
	    X509_set_issuer_name(x, issuer != NULL ? X509_get_subject_name(issuer) : subject) !=
		1 ||
	    X509_gmtime_adj(X509_getm_notBefore(x), -3600) == NULL ||
	    X509_gmtime_adj(X509_getm_notAfter(x), EST_VALID_S) == NULL ||
	    X509_set_pubkey(x, key) != 1)
		est_die("certificate");
	ext = X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints,
	    issuer == NULL ? "critical,CA:TRUE" : "critical,CA:FALSE");
	if (ext == NULL || X509_add_ext(x, ext, -1) != 1 ||
	    X509_sign(x, issuer_key, EVP_sha256()) == 0)
		est_die("certificate");
	X509_EXTENSION_free(ext);
	X509_NAME_free(subject);
	return x;
}

static FILE *
est_open(const char *dir, const char *name, const char *mode)
{
	char path[1024];
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", dir, name);
	f = fopen(path, mode);
	if (f == NULL)
		est_die(path);
	return f;
}

static void
est_put(FILE *f, const void *data, size_t len)
{
	uint32_t n = (uint32_t)len;

	if (fwrite(&n, sizeof n, 1, f) != 1 || fwrite(data, 1, len, f) != len)
		est_die("cannot write");
}

/* One key usage a meter: the first of each pair of requests is the signature key's. */
static void
est_prepare(const char *dir, long n)
{
	EVP_PKEY *ca_key = EVP_EC_gen("P-256"), *key = EVP_EC_gen("P-256");
	struct bench_meter *meters;
	X509 *ca, *idevid;
	FILE *csv, *data, *pem;
	char eui[2 * EUI64_LEN + 1];
	unsigned char *der = NULL;
	struct err err;
	int len;

	if (ca_key == NULL || key == NULL)
		est_die("no key");
	ca = est_certificate("Bench Meters Enrolment CA", ca_key, NULL, ca_key, 1, NULL);
	if (bench_meters_new((size_t)n * 2, &meters, &err) != 0)
		est_die(err.msg);
	pem = est_open(dir, "anchor.pem", "w");
	if (PEM_write_X509(pem, ca) != 1 || fclose(pem) != 0)
		est_die("anchor.pem");
	pem = est_open(dir, "idevid.key", "w");
	if (PEM_write_PrivateKey(pem, key, NULL, NULL, 0, NULL, NULL) != 1 || fclose(pem) != 0)
		est_die("idevid.key");
	csv = est_open(dir, "meters.csv", "w");
	data = est_open(dir, "meters.bin", "wb");
	fputs("eui64,hw_type,manufacturer,proof\n", csv);
	for (long i = 0; i < n; i++) {
		const struct bench_meter *m = &meters[2 * i];

		hex_encode(m->device.octets, EUI64_LEN, eui);
		idevid = est_certificate("Meter", key, ca, ca_key, i + 2, eui);
		der = NULL;
		len = i2d_X509(idevid, &der);
		if (len <= 0)
			est_die("IDevID");
		est_put(data, der, (size_t)len);
		est_put(data, m->csr.data, m->csr.len);
		fprintf(csv, "%s," BENCH_HW_TYPE ",bench,idevid\n", eui);
		OPENSSL_free(der);
		X509_free(idevid);
	}
	if (fclose(csv) != 0 || fclose(data) != 0)
		est_die("cannot write");
	bench_meters_free(meters, (size_t)n * 2);
	X509_free(ca);
	EVP_PKEY_free(ca_key);
	EVP_PKEY_free(key);
}

/* ---- load ---- */

static void
est_get(const uint8_t **p, const uint8_t *end, struct span *out)
{
	uint32_t n;

	if ((size_t)(end - *p) < sizeof n)
		est_die("meters.bin: too short");
	memcpy(&n, *p, sizeof n);
	*p += sizeof n;
	if ((size_t)(end - *p) < n || n > EST_CERT_MAX)
		est_die("meters.bin: too short");
	*out = (struct span){ *p, n };
	*p += n;
}

static void
est_load(struct est *est, const char *dir, long n)
{
	struct buf text = { 0 }, body = { 0 };
	const uint8_t *p, *end;
	struct span idevid, csr;
	char path[1024];
	struct err err;
	FILE *f = est_open(dir, "idevid.key", "r");

	est->key = PEM_read_PrivateKey(f, NULL, NULL, NULL);
	fclose(f);
	snprintf(path, sizeof path, "%s/meters.bin", dir);
	if (est->key == NULL || file_read(path, EST_FILE_MAX, &text, &err) != 0)
		est_die("run prepare first");
	est->n = n;
	est->meters = mem_array((size_t)n, sizeof *est->meters);
	p = text.data;
	end = text.data + text.len;
	for (long i = 0; i < n; i++) {
		est_get(&p, end, &idevid);
		est_get(&p, end, &csr);
		est->meters[i].idevid = d2i_X509(NULL, &idevid.p, (long)idevid.len);
		buf_reset(&body);
		base64_encode(csr.p, csr.len, 0, &body);
		buf_fmt(&est->meters[i].request,
		    "POST /.well-known/est/device-signature/simpleenroll HTTP/1.1\r\n"
		    "Host: localhost\r\nContent-Type: application/pkcs10\r\n"
		    "Content-Length: %zu\r\n\r\n",
		    body.len);
		buf_add(&est->meters[i].request, body.data, body.len);
		if (est->meters[i].idevid == NULL)
			est_die("meters.bin: no certificate");
	}
	buf_free(&text);
	buf_free(&body);
	est->ctx = SSL_CTX_new(TLS_client_method());
	if (est->ctx == NULL || SSL_CTX_set_min_proto_version(est->ctx, TLS1_3_VERSION) != 1)
		est_die("TLS");
	SSL_CTX_set_session_cache_mode(est->ctx, SSL_SESS_CACHE_OFF);
}

static void
est_address(const char *text, struct sockaddr_in *out)
{
	const char *colon = strrchr(text, ':');
	char host[64] = "127.0.0.1";

	if (colon != NULL)
		snprintf(host, sizeof host, "%.*s", (int)(colon - text), text);
	*out = (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_port = htons((uint16_t)atoi(colon != NULL ? colon + 1 : text)) };
	if (inet_pton(AF_INET, host, &out->sin_addr) != 1)
		est_die("not an IPv4 address");
}

/* ---- one exchange ---- */

/* Read one answer with a Content-Length; body, when wanted, gets its body. -1 unless 200. */
static int
est_answer(SSL *ssl, struct buf *in, struct buf *body)
{
	char *head_end, *length;
	size_t need = 0, head;
	int n;

	buf_reset(in);
	for (;;) {
		buf_reserve(in, EST_CERT_MAX);
		n = SSL_read(ssl, in->data + in->len, EST_CERT_MAX - 1);
		if (n <= 0 || in->len + (size_t)n > EST_ANSWER_MAX)
			return -1;
		in->len += (size_t)n;
		(void)buf_text(in);
		head_end = strstr((char *)in->data, "\r\n\r\n");
		if (head_end == NULL)
			continue;
		length = strcasestr((char *)in->data, "content-length:");
		if (length == NULL || length > head_end)
			return -1;
		head = (size_t)(head_end + 4 - (char *)in->data);
		need = head + strtoul(length + strlen("content-length:"), NULL, 10);
		if (in->len < need)
			continue;
		if (body != NULL)
			buf_add(body, in->data + head, need - head);
		return strncmp((char *)in->data, "HTTP/1.1 200 ", 13) == 0 ? 0 : -1;
	}
}

static int
est_exchange(struct est *est, const struct est_meter *m, struct buf *in, struct buf *body)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1, r = -1;
	SSL *ssl = SSL_new(est->ctx);

	if (fd < 0 || ssl == NULL)
		est_die("no socket");
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (connect(fd, (struct sockaddr *)&est->to, sizeof est->to) != 0 ||
	    SSL_use_certificate(ssl, m->idevid) != 1 || SSL_use_PrivateKey(ssl, est->key) != 1 ||
	    SSL_set_fd(ssl, fd) != 1 || SSL_connect(ssl) != 1 ||
	    SSL_write(ssl, m->request.data, (int)m->request.len) != (int)m->request.len ||
	    est_answer(ssl, in, body) != 0)
		goto out;
	(void)SSL_shutdown(ssl);
	r = 0;
out:
	SSL_free(ssl);
	close(fd);
	return r;
}

struct est_thread {
	struct est *est;
	long first, failed;
	pthread_t thread;
};

static void *
est_main(void *arg)
{
	struct est_thread *t = arg;
	struct est *est = t->est;
	struct buf in = { 0 };

	for (long i = t->first; i < est->count; i += EST_THREADS)
		if (est_exchange(est, &est->meters[est->first + i], &in, NULL) != 0) {
			if (t->failed++ == 0)
				fprintf(stderr, "bench_est: not 200: %.200s\n",
				    in.len > 0 ? (char *)in.data : strerror(errno));
			ERR_clear_error();
		}
	buf_free(&in);
	return NULL;
}

static double
est_measure(struct est *est, long first, long count)
{
	struct est_thread t[EST_THREADS];
	int64_t start = clock_mono_us();
	long failed = 0;

	est->first = first;
	est->count = count;
	for (long i = 0; i < EST_THREADS; i++) {
		t[i] = (struct est_thread){ .est = est, .first = i };
		require(pthread_create(&t[i].thread, NULL, est_main, &t[i]) == 0);
	}
	for (long i = 0; i < EST_THREADS; i++) {
		pthread_join(t[i].thread, NULL);
		failed += t[i].failed;
	}
	if (failed > 0) {
		fprintf(stderr, "bench_est: %ld of %ld were not answered by 200\n", failed, count);
		exit(EXIT_UNAVAILABLE);
	}
	return (double)count * 1e6 / (double)(clock_mono_us() - start);
}

#define EST_RUNS 5

static int
est_compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void
est_run(struct est *est, const char *bare, const char *https)
{
	struct sockaddr_in to_bare, to_https;
	double ratio[EST_RUNS], most, rate;
	long count = est->n / EST_RUNS;

	est_address(bare, &to_bare);
	est_address(https, &to_https);
	printf("est: %ld enrolments a run, each over a TLS 1.3 handshake of its own with a client "
	       "certificate, %d clients\n"
	       "  run   handshakes 1/s  enrolled 1/s  ratio\n",
	    count, EST_THREADS);
	for (int i = 0; i < EST_RUNS; i++) {
		est->to = to_bare;
		most = est_measure(est, i * count, count);
		est->to = to_https;
		rate = est_measure(est, i * count, count);
		ratio[i] = rate / most;
		printf("  %3d   %14.0f  %12.0f  %5.2f\n", i + 1, most, rate, ratio[i]);
		fflush(stdout);
		bench_line("est: enrolments, a TLS handshake each", "1/s", rate, most, "");
	}
	qsort(ratio, EST_RUNS, sizeof ratio[0], est_compare);
	printf("ratio: min %.2f  median %.2f  max %.2f of %d runs\n", ratio[0], ratio[EST_RUNS / 2],
	    ratio[EST_RUNS - 1], EST_RUNS);
}

int
main(int argc, char **argv)
{
	struct est est = { 0 };
	struct buf in = { 0 }, body = { 0 };
	long n = argc > 3 ? strtol(argv[3], NULL, 10) : 0;

	if (argc == 4 && strcmp(argv[1], "prepare") == 0 && n > 0 && n <= EST_METERS_MAX) {
		est_prepare(argv[2], n);
	} else if (argc == 6 && strcmp(argv[1], "run") == 0 && n >= EST_RUNS &&
		   n <= EST_METERS_MAX) {
		est_load(&est, argv[2], n);
		est_run(&est, argv[4], argv[5]);
	} else if (argc == 4 && strcmp(argv[1], "one") == 0) {
		est_load(&est, argv[2], 1);
		est_address(argv[3], &est.to);
		if (est_exchange(&est, &est.meters[0], &in, &body) != 0) {
			fprintf(stderr, "bench_est: %.400s\n",
			    in.len > 0 ? buf_text(&in) : "no answer");
			return EXIT_UNAVAILABLE;
		}
		if (fwrite(body.data, 1, body.len, stdout) != body.len)
			return EXIT_UNAVAILABLE;
	} else {
		fputs("usage: bench_est prepare DIR N | run DIR N BARE-PORT ADDR:PORT | "
		      "one DIR ADDR:PORT\n",
		    stderr);
		return EXIT_USAGE_;
	}
	buf_free(&in);
	buf_free(&body);
	for (long i = 0; i < est.n; i++) {
		X509_free(est.meters[i].idevid);
		buf_free(&est.meters[i].request);
	}
	free(est.meters);
	SSL_CTX_free(est.ctx);
	EVP_PKEY_free(est.key);
	return EXIT_DONE;
}
