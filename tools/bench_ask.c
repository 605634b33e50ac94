/*
 * OCSP over HTTP from the side of who asks. Answers are read by libcrypto.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/ocsp.h>

#include "bench_ask.h"
#include "smki/file.h"
#include "smki/hex.h"

#define ASK_ANSWER_MAX 65536
#define ASK_WAIT_S 10

/* id-sha1; RFC 6960 4.4.1 id-pkix-ocsp-nonce */
static const uint8_t ask_sha1[] = { 0x2b, 0x0e, 0x03, 0x02, 0x1a };
static const uint8_t ask_nonce[] = { 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x02 };

int
bench_ca_load(const char *path, struct bench_ca *out, struct err *err)
{
	if (file_read(path, CERT_DER_MAX, &out->der, err) != 0 ||
	    cert_parse(out->der.data, out->der.len, &out->cert, err) != 0)
		return -1;
	ocsp_issuer_hash(out->cert.subject, &out->cert.pub, &out->hash);
	return 0;
}

/* OCSPRequest (RFC 6960 4.1.1). */
static void
ask_request(
    struct buf *out, const struct bench_ca *ca, const struct serial *serial, const uint8_t *nonce)
{
	size_t request = der_open(out, DER_SEQUENCE), tbs = der_open(out, DER_SEQUENCE);
	size_t list = der_open(out, DER_SEQUENCE), one = der_open(out, DER_SEQUENCE);
	size_t id = der_open(out, DER_SEQUENCE), part = der_open(out, DER_SEQUENCE), extension;

	der_put(out, DER_OID, ask_sha1, sizeof(ask_sha1));
	der_put(out, DER_NULL, NULL, 0);
	der_close(out, part);
	der_put(out, DER_OCTET_STRING, ca->hash.name_sha1, sizeof(ca->hash.name_sha1));
	der_put(out, DER_OCTET_STRING, ca->hash.key_sha1, sizeof(ca->hash.key_sha1));
	der_put_serial(out, serial);
	der_close(out, id);
	der_close(out, one);
	der_close(out, list);
	if (nonce != NULL) {
		part = der_open(out, DER_CONTEXT(2));
		list = der_open(out, DER_SEQUENCE);
		extension = der_open(out, DER_SEQUENCE);
		der_put(out, DER_OID, ask_nonce, sizeof(ask_nonce));
		one = der_open(out, DER_OCTET_STRING);
		der_put(out, DER_OCTET_STRING, nonce, BENCH_NONCE_LEN);
		der_close(out, one);
		der_close(out, extension);
		der_close(out, list);
		der_close(out, part);
	}
	der_close(out, tbs);
	der_close(out, request);
}

void
bench_ask_post(struct buf *out, const struct bench_ca *ca, const struct serial *serial,
    const uint8_t nonce[BENCH_NONCE_LEN])
{
	struct buf body = { 0 };

	ask_request(&body, ca, serial, nonce);
	buf_fmt(out,
	    "POST /ocsp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/ocsp-request\r\n"
	    "Content-Length: %zu\r\n\r\n",
	    body.len);
	buf_add(out, body.data, body.len);
	buf_free(&body);
}

void
bench_ask_get(struct buf *out, const struct bench_ca *ca, const struct serial *serial)
{
	struct buf body = { 0 }, text = { 0 };

	ask_request(&body, ca, serial, NULL);
	base64_encode(body.data, body.len, 0, &text);
	buf_add_str(out, "GET /ocsp/");
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] == '+' || text.data[i] == '/' || text.data[i] == '=')
			buf_fmt(out, "%%%02X", text.data[i]);
		else
			buf_add_u8(out, text.data[i]);
	buf_add_str(out, " HTTP/1.1\r\nHost: localhost\r\n\r\n");
	buf_free(&body);
	buf_free(&text);
}

int
bench_ask_connect(const char *where, int *fd, struct err *err)
{
	const struct timeval wait = { .tv_sec = ASK_WAIT_S };
	const char *colon = strrchr(where, ':');
	struct sockaddr_in to = { .sin_family = AF_INET };
	char host[64];
	int s, one = 1;

	if (colon == NULL)
		return err_set(err, FAIL_INVALID, "bench: %s: not ADDR:PORT", where);
	snprintf(host, sizeof(host), "%.*s", (int)(colon - where), where);
	to.sin_port = htons((uint16_t)atoi(colon + 1));
	if (inet_pton(AF_INET, host, &to.sin_addr) != 1)
		return err_set(err, FAIL_INVALID, "bench: %s: not an IPv4 address", where);
	s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (s < 0 || connect(s, (struct sockaddr *)&to, sizeof(to)) != 0 ||
	    setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) != 0 ||
	    setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) != 0) {
		err_sys(err, FAIL_UNAVAILABLE, "bench: %s", where);
		if (s >= 0)
			close(s);
		return -1;
	}
	*fd = s;
	return 0;
}

/* Octets of the whole answer, 0 = not known yet. */
static size_t
ask_size(struct buf *in, size_t *head)
{
	const char *text = buf_text(in), *end = strstr(text, "\r\n\r\n"), *length;

	if (end == NULL)
		return 0;
	length = strcasestr(text, "\r\ncontent-length:");
	if (length == NULL || length > end)
		return 0;
	*head = (size_t)(end + 4 - text);
	return *head + strtoul(length + strlen("\r\ncontent-length:"), NULL, 10);
}

int
bench_ask(int fd, const struct buf *request, struct buf *in, struct span *body, struct err *err)
{
	size_t size = 0, head = 0;
	ssize_t n;

	if (send(fd, request->data, request->len, MSG_NOSIGNAL) != (ssize_t)request->len)
		return err_sys(err, FAIL_UNAVAILABLE, "bench: request");
	buf_reset(in);
	while (size == 0 || in->len < size) {
		if (in->len > ASK_ANSWER_MAX)
			return err_set(err, FAIL_UNAVAILABLE, "bench: an answer without end");
		buf_reserve(in, 4096);
		n = recv(fd, in->data + in->len, 4096 - 1, 0);
		if (n <= 0)
			return err_set(err, FAIL_UNAVAILABLE, "bench: no answer");
		in->len += (size_t)n;
		if (size == 0)
			size = ask_size(in, &head);
	}
	if (strncmp((const char *)in->data, "HTTP/1.1 200 ", 13) != 0)
		return err_set(err, FAIL_UNAVAILABLE, "bench: %.60s", (const char *)in->data);
	*body = (struct span){ in->data + head, size - head };
	return 0;
}

int
bench_ask_status(struct span body, enum ocsp_status *out, struct err *err)
{
	const unsigned char *p = body.p;
	OCSP_RESPONSE *response = d2i_OCSP_RESPONSE(NULL, &p, (long)body.len);
	OCSP_BASICRESP *basic = NULL;
	OCSP_SINGLERESP *single;
	int r = -1;

	if (response != NULL && OCSP_response_status(response) == OCSP_RESPONSE_STATUS_SUCCESSFUL)
		basic = OCSP_response_get1_basic(response);
	single = basic == NULL ? NULL : OCSP_resp_get0(basic, 0);
	if (single == NULL) {
		err_set(err, FAIL_UNAVAILABLE, "bench: no successful OCSP answer");
	} else {
		/* the numbers of certStatus are the same in both */
		*out = (enum ocsp_status)OCSP_single_get0_status(single, NULL, NULL, NULL, NULL);
		r = 0;
	}
	OCSP_BASICRESP_free(basic);
	OCSP_RESPONSE_free(response);
	return r;
}
