/*
 * The bound of a TLS service: libmicrohttpd and GnuTLS with nothing behind them. Every POST gets
 * the same answer at once, from the handler. Prints its port, then serves until its standard input
 * ends. Workers, TLS settings and headers are those of smki-httpd; its address is loopback.
 *
 *   bench_bare KEY.pem CHAIN.pem WORKERS CONTENT-TYPE BODY
 */
#include <microhttpd.h>
#include <arpa/inet.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "smki/file.h"
#include "smki/mem.h"

/* As the TLS listener of smki-httpd. */
#define BARE_PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:-GROUP-ALL:+GROUP-SECP256R1:+GROUP-X25519"
#define BARE_CONNECTIONS 120
#define BARE_FILE_MAX 65536
#define BARE_TIMEOUT 10

struct bare {
	const char *type;
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
	r = MHD_add_response_header(response, "Content-Type", bare->type);
	if (r == MHD_YES)
		r = MHD_queue_response(mhd, MHD_HTTP_OK, response);
	MHD_destroy_response(response);
	return r;
}

static void
bare_body(struct bare *bare, const char *path)
{
	struct err err;

	if (file_read(path, BARE_FILE_MAX, &bare->body, &err) != 0) {
		fprintf(stderr, "bench_bare: %s\n", err.msg);
		exit(EXIT_INVALID);
	}
}

static struct MHD_Daemon *
bare_start(struct bare *bare, const char *key_path, const char *chain_path, unsigned workers)
{
	struct sockaddr_in any = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct buf key = { 0 }, chain = { 0 };
	struct MHD_Daemon *daemon;
	struct err err;

	if (file_read(key_path, BARE_FILE_MAX, &key, &err) != 0 ||
	    file_read(chain_path, BARE_FILE_MAX, &chain, &err) != 0) {
		fprintf(stderr, "bench_bare: %s\n", err.msg);
		exit(EXIT_INVALID);
	}
	daemon = MHD_start_daemon(
	    MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ITC | MHD_USE_TLS | MHD_USE_ERROR_LOG, 0, NULL,
	    NULL, bare_handle, bare, MHD_OPTION_SOCK_ADDR, &any, MHD_OPTION_HTTPS_MEM_KEY,
	    buf_text(&key), MHD_OPTION_HTTPS_MEM_CERT, buf_text(&chain),
	    MHD_OPTION_HTTPS_PRIORITIES, BARE_PRIORITIES, MHD_OPTION_NOTIFY_CONNECTION,
	    bare_connection, NULL, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)BARE_TIMEOUT,
	    MHD_OPTION_CONNECTION_LIMIT, BARE_CONNECTIONS * workers, MHD_OPTION_THREAD_POOL_SIZE,
	    workers > 1 ? workers : 0, MHD_OPTION_END);
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
	char c;

	if (argc != 6) {
		fputs("usage: bench_bare KEY.pem CHAIN.pem WORKERS CONTENT-TYPE BODY\n", stderr);
		return EXIT_USAGE_;
	}
	bare.type = argv[4];
	bare_body(&bare, argv[5]);
	daemon = bare_start(&bare, argv[1], argv[2], (unsigned)strtoul(argv[3], NULL, 10));
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
