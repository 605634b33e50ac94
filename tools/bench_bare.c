/*
 * The bound of a service over HTTP: libmicrohttpd, with GnuTLS or plain, and nothing behind it.
 * Every request gets the same answer at once, from the handler. Prints its port, then serves until
 * its standard input ends. Mode, workers, TLS settings and headers are those of smki-httpd; its
 * address is loopback.
 *
 *   bench_bare plain|tls WORKERS BODY HEADERS [KEY.pem CHAIN.pem]
 *
 * HEADERS is a file of an answer's head as curl -D writes it: what the library does not write by
 * itself is sent again.
 */
#include <microhttpd.h>
#include <arpa/inet.h>
#include <gnutls/gnutls.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "bench_line.h"
#include "smki/file.h"
#include "smki/mem.h"

/* As the TLS listener of smki-httpd. */
#define BARE_PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:-GROUP-ALL:+GROUP-SECP256R1:+GROUP-X25519"
#define BARE_CONNECTIONS 120
#define BARE_FILE_MAX 65536
#define BARE_WORKERS_MAX 64
#define BARE_TIMEOUT 10
#define BARE_HEADERS_MAX 16

struct bare_header {
	char name[64], value[256];
};

struct bare {
	struct bare_header header[BARE_HEADERS_MAX];
	size_t n;
	struct buf body;
};

static void
bare_connection(
    void *cls, struct MHD_Connection *mhd, void **context, enum MHD_ConnectionNotificationCode what)
{
	const union MHD_ConnectionInfo *info;

	(void)cls;
	(void)context;
	if (what != MHD_CONNECTION_NOTIFY_STARTED)
		return;
	info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);
	if (info == NULL || info->tls_session == NULL)
		return;
	gnutls_certificate_server_set_request(info->tls_session, GNUTLS_CERT_REQUEST);
}

static enum MHD_Result
bare_handle(void *cls, struct MHD_Connection *mhd, const char *url, const char *method,
    const char *version, const char *data, size_t *len, void **context)
{
	static int begun;
	struct bare *bare = cls;
	struct MHD_Response *response;
	enum MHD_Result r;

	(void)url;
	(void)method;
	(void)version;
	(void)data;
	if (*context == NULL) {
		*context = &begun;
		return MHD_YES;
	}
	if (*len > 0) {
		*len = 0;
		return MHD_YES;
	}
	response = MHD_create_response_from_buffer(
	    bare->body.len, bare->body.data, MHD_RESPMEM_PERSISTENT);
	if (response == NULL)
		return MHD_NO;
	r = MHD_YES;
	for (size_t i = 0; i < bare->n && r == MHD_YES; i++)
		r = MHD_add_response_header(response, bare->header[i].name, bare->header[i].value);
	if (r == MHD_YES)
		r = MHD_queue_response(mhd, MHD_HTTP_OK, response);
	MHD_destroy_response(response);
	return r;
}

/* Those that the library writes by itself are not taken. */
static void
bare_headers(struct bare *bare, const char *path)
{
	static const char *const own[] = { "Date", "Content-Length", "Connection" };
	FILE *f = fopen(path, "r");
	char line[512];
	bool known;

	if (f == NULL) {
		perror(path);
		exit(EXIT_INVALID);
	}
	while (bare->n < BARE_HEADERS_MAX && fgets(line, sizeof(line), f) != NULL) {
		struct bare_header *h = &bare->header[bare->n];

		if (sscanf(line, "%63[^: ]: %255[^\r\n]", h->name, h->value) != 2)
			continue;
		known = false;
		for (size_t i = 0; i < ARRAY_LEN(own); i++)
			known = known || strcasecmp(h->name, own[i]) == 0;
		bare->n += !known;
	}
	fclose(f);
}

static void
bare_file(const char *path, struct buf *out)
{
	struct err err;

	if (file_read(path, BARE_FILE_MAX, out, &err) != 0) {
		fprintf(stderr, "bench_bare: %s\n", err.msg);
		exit(EXIT_INVALID);
	}
}

/* key_path NULL = plain. The modes are those of smki-httpd's listeners. */
static struct MHD_Daemon *
bare_start(struct bare *bare, const char *key_path, const char *chain_path, unsigned workers)
{
	struct sockaddr_in any = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	unsigned flags = MHD_USE_ITC | MHD_USE_ERROR_LOG;
	struct buf key = { 0 }, chain = { 0 };
	struct MHD_Daemon *daemon;

	if (key_path != NULL) {
		bare_file(key_path, &key);
		bare_file(chain_path, &chain);
		flags |= MHD_USE_TLS | MHD_USE_POLL_INTERNAL_THREAD;
	} else {
		flags |= MHD_USE_EPOLL_INTERNAL_THREAD;
	}
	daemon = MHD_start_daemon(flags, 0, NULL, NULL, bare_handle, bare, MHD_OPTION_SOCK_ADDR,
	    &any, MHD_OPTION_NOTIFY_CONNECTION, bare_connection, bare,
	    MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)BARE_TIMEOUT, MHD_OPTION_CONNECTION_LIMIT,
	    BARE_CONNECTIONS * workers, MHD_OPTION_THREAD_POOL_SIZE, workers > 1 ? workers : 0,
	    key_path == NULL ? MHD_OPTION_END : MHD_OPTION_HTTPS_MEM_KEY, buf_text(&key),
	    MHD_OPTION_HTTPS_MEM_CERT, buf_text(&chain), MHD_OPTION_HTTPS_PRIORITIES,
	    BARE_PRIORITIES, MHD_OPTION_END);
	buf_wipe(&key);
	buf_free(&chain);
	return daemon;
}

int
main(int argc, char **argv)
{
	const union MHD_DaemonInfo *info;
	struct bare bare = { 0 };
	struct MHD_Daemon *daemon;
	bool tls = argc == 7 && strcmp(argv[1], "tls") == 0;
	char c;

	if (!tls && (argc != 5 || strcmp(argv[1], "plain") != 0)) {
		fputs("usage: bench_bare plain|tls WORKERS BODY HEADERS [KEY.pem CHAIN.pem]\n",
		    stderr);
		return EXIT_USAGE_;
	}
	bare_file(argv[3], &bare.body);
	bare_headers(&bare, argv[4]);
	daemon = bare_start(&bare, tls ? argv[5] : NULL, tls ? argv[6] : NULL,
	    (unsigned)bench_number("bench_bare", argv[2], BARE_WORKERS_MAX));
	info = daemon == NULL ? NULL : MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT);
	if (info == NULL) {
		fputs("bench_bare: the server does not start\n", stderr);
		return EXIT_UNAVAILABLE;
	}
	printf("%u\n", (unsigned)info->port);
	fflush(stdout);
	while (read(STDIN_FILENO, &c, 1) > 0)
		;
	MHD_stop_daemon(daemon);
	buf_free(&bare.body);
	return EXIT_DONE;
}
