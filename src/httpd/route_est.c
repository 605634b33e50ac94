/*
 * Enrolment over Secure Transport (RFC 7030, 8951) for the labels that are profiles' names. Brings
 * the request and its evidence to smkid; what is granted is decided there.
 */
#include <stdlib.h>
#include <string.h>

#include "ask.h"
#include "front_data.h"
#include "route_est.h"
#include "smki/mem.h"

/* What csrattrs tells about when there is no label: a meter's first certificate. */
#define EST_PROFILE "device-signature"
#define EST_READING (HTTP_GET | HTTP_HEAD)

struct est_path {
	char label[NAME_LEN]; /* "" = none */
	const struct est_op *op;
};

static void est_cacerts(struct route_ctx *ctx, const char *label, struct http_response *response);
static void est_csrattrs_get(
    struct route_ctx *ctx, const char *label, struct http_response *response);

static const struct est_op {
	const char *name;
	unsigned methods;
	enum enrol_kind kind; /* of a POST */
	void (*get)(struct route_ctx *ctx, const char *label, struct http_response *response);
} est_ops[] = {
	{ "cacerts", EST_READING, 0, est_cacerts },
	{ "csrattrs", EST_READING, 0, est_csrattrs_get },
	{ "simpleenroll", HTTP_POST, ENROL_FIRST, NULL },
	{ "simplereenroll", HTTP_POST, ENROL_RENEW, NULL },
	{ "serverkeygen", HTTP_POST, ENROL_SERVER_KEY, NULL },
};

/* "[LABEL/]OPERATION". -1 when there is no such operation. */
static int
est_path_parse(const char *rest, struct est_path *out)
{
	const char *slash = strchr(rest, '/'), *name = slash != NULL ? slash + 1 : rest;
	size_t len = slash != NULL ? (size_t)(slash - rest) : 0;

	if (len >= sizeof(out->label) || (slash != NULL && len == 0))
		return -1;
	memcpy(out->label, rest, len);
	out->label[len] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(est_ops); i++) {
		if (strcmp(est_ops[i].name, name) != 0)
			continue;
		out->op = &est_ops[i];
		return 0;
	}
	return -1;
}

/* true when there is no such label; a label is a profile's name. */
static bool
est_is_unknown(struct httpd *httpd, const char *label)
{
	struct front_view view;
	bool unknown;

	front_data_hold(httpd->data, &view);
	unknown = label[0] != '\0' && profiles_get(view.profiles, label) == NULL;
	front_data_release(httpd->data);
	return unknown;
}

/* Operation and label of a path; else the answer is there. */
static int
est_find(struct route_ctx *ctx, const struct http_request *request, const char *rest,
    struct est_path *out, struct http_response *response)
{
	if (est_path_parse(rest, out) != 0 || est_is_unknown(ctx->httpd, out->label)) {
		http_fail(
		    response, FAIL_NOT_FOUND, "est: RFC 7030 3.2.2: no such operation or label");
		return -1;
	}
	if ((out->op->methods & request->method) == 0) {
		http_problem(response, HTTP_METHOD_NOT_ALLOWED, "http: method not allowed here");
		http_header_set(response, "Allow", "%s, OPTIONS",
		    out->op->methods == HTTP_POST ? "POST" : "GET, HEAD");
		return -1;
	}
	return 0;
}

/* ---- without credentials ---- */

/* All CAs that stand: those that issue to meters first, then what they lead to. */
static void
est_cacerts(struct route_ctx *ctx, const char *label, struct http_response *response)
{
	struct buf der[STORE_CAS_MAX] = { 0 };
	struct span certs[STORE_CAS_MAX];
	struct store_ca rows[STORE_CAS_MAX];
	struct store_cert cert;
	size_t n_rows = 0, n = 0;
	struct err err;

	(void)label;
	if (ctx->store == NULL) {
		err_set(&err, FAIL_UNAVAILABLE, "http: the database is away");
		goto failed;
	}
	if (store_ca_list(ctx->store, rows, &n_rows, &err) != 0)
		goto failed;
	for (size_t i = 0; i < 2 * n_rows; i++) {
		const struct store_ca *ca = &rows[i % n_rows];

		if (ca->certificate == 0 || (ca->parent == ca->id) != (i >= n_rows))
			continue;
		if (store_cert_get(ctx->store, ca->certificate, &cert, &err) != 0 ||
		    store_cert_der(ctx->store, ca->certificate, &der[n], &err) != 0)
			goto failed;
		if (cert.state == CERT_VALID)
			n++;
	}
	for (size_t i = 0; i < n; i++)
		certs[i] = buf_span(&der[i]);
	est_reply_certs(&ctx->httpd->home, "application/pkcs7-mime", certs, n, response);
	goto out;
failed:
	ask_failed(ctx, &err, response);
out:
	for (size_t i = 0; i < STORE_CAS_MAX; i++)
		buf_free(&der[i]);
}

static void
est_csrattrs_get(struct route_ctx *ctx, const char *label, struct http_response *response)
{
	const struct profile *profile;
	struct front_view view;

	front_data_hold(ctx->httpd->data, &view);
	profile = profiles_get(view.profiles, label[0] != '\0' ? label : EST_PROFILE);
	if (profile != NULL && profile->enrol)
		est_reply_attributes(&ctx->httpd->home, profile, response);
	else
		http_fail(response, FAIL_NOT_FOUND,
		    "est: RFC 7030 4.5.2: no attributes: meters do not enrol with this label");
	front_data_release(ctx->httpd->data);
}

void
route_est_get(struct route_ctx *ctx, const struct http_request *request, const char *rest,
    struct http_response *response)
{
	struct est_path path;

	if (est_find(ctx, request, rest, &path, response) == 0)
		path.op->get(ctx, path.label, response);
}

/* ---- enrolment ---- */

/* A key made by the service goes to a proven device only, inside its own TLS. */
static int
est_check_server_key(
    const struct http_request *request, const struct peer *peer, enum refusal *why, struct err *err)
{
	if (peer->kind == PEER_IDEVID)
		return 0;
	*why = peer->kind == PEER_NONE && request->authorization == NULL ? REFUSAL_CREDENTIAL
									 : REFUSAL_PROOF;
	return err_set(err, FAIL_DENIED,
	    "est: RFC 7030 4.4: a key is made only for a manufacturer's certificate in TLS");
}

static int
est_request(struct route_ctx *ctx, const struct http_request *request, const struct est_path *path,
    struct enrol_request *out, enum refusal *why, struct err *err)
{
	struct peer peer;

	if (ask_evidence(ctx, request, &peer, out, why, err) != 0)
		return -1;
	if (request->body.len == 0 || request->body.len > CSR_TEXT_MAX) {
		*why = REFUSAL_FORM;
		return err_set(err, FAIL_INVALID, "csr: the body is no certification request");
	}
	out->kind = path->op->kind;
	memcpy(out->profile, path->label, sizeof(out->profile));
	buf_add(&out->csr, request->body.data, request->body.len);
	return out->kind == ENROL_SERVER_KEY ? est_check_server_key(request, &peer, why, err) : 0;
}

static void
est_answer(struct route_ctx *ctx, const struct http_request *request, enum enrol_kind kind,
    const struct enrol_answer *answer, struct http_response *response)
{
	const struct home *home = &ctx->httpd->home;
	struct span cert = buf_span(&answer->issued.der);
	struct err err;

	switch (answer->outcome) {
	case ENROL_REFUSED:
		ask_refuse(ctx, request, answer->reason, &answer->err, response);
		return;
	case ENROL_PENDING:
		response->status = HTTP_ACCEPTED;
		http_header_set(response, "Retry-After", "%ld", home->enrol.retry_after);
		http_header_set(response, "Content-Type", "text/plain");
		http_header_set(response, "Cache-Control", "no-store");
		buf_add_str(&response->body, "est: an operator has to approve this device first\n");
		return;
	case ENROL_ISSUED:
		break;
	}
	if (kind != ENROL_SERVER_KEY) {
		est_reply_certs(home, EST_TYPE_CERTS, &cert, 1, response);
		return;
	}
	if (answer->key.len == 0)
		err_set(&err, FAIL_INTERNAL, "smkid: a certificate without the key it made");
	else if (est_reply_server_key(home, buf_span(&answer->key), cert, response, &err) == 0)
		return;
	ask_failed(ctx, &err, response);
}

void
route_est_post(struct route_ctx *ctx, const struct http_request *request, const char *rest,
    struct http_response *response)
{
	struct enrol_request *ask;
	struct enrol_answer answer = { 0 };
	enum refusal why = REFUSAL_NONE;
	struct est_path path;
	struct err err;

	if (est_find(ctx, request, rest, &path, response) != 0)
		return;
	if (!route_media_ok(request->content_type, "application/pkcs10")) {
		http_problem(response, HTTP_MEDIA_TYPE,
		    "est: RFC 7030 4.2.1: Content-Type is not application/pkcs10");
		return;
	}
	ask = mem_alloc(sizeof(*ask));
	if (est_request(ctx, request, &path, ask, &why, &err) != 0) {
		ask_refuse_here(ctx, request, why, &err, response);
	} else if (ask_enrol(ctx, ask, &answer, &err) != 0) {
		ask_failed(ctx, &err, response);
	} else {
		est_answer(ctx, request, ask->kind, &answer, response);
		enrol_answer_free(&answer);
	}
	enrol_request_free(ask);
	free(ask);
}
