/*
 * POST /bootstrap: a meter's statement about itself, signed by its key, for its certificate and all
 * it needs to begin work. smkid judges; the front adds what is no secret: CAs, region, addresses.
 */
#include <stdlib.h>
#include <string.h>

#include "ask.h"
#include "bootstrap_json.h"
#include "front_data.h"
#include "smki/caset.h"
#include "smki/clock.h"
#include "smki/mem.h"

/* Of a certificate's life, after which a new one is to be asked for. */
#define BOOTSTRAP_RENEW_NUM 2
#define BOOTSTRAP_RENEW_DEN 3

/* A key made by the service goes to a proven device only, inside its own TLS: the statement's
 * certificates may have been overheard. */
static int
bootstrap_check_server_key(
    const struct peer *peer, const struct enrol_request *ask, enum refusal *why, struct err *err)
{
	if (peer->kind == PEER_IDEVID && span_eq(buf_span(&ask->chain[0]), peer->chain[0]))
		return 0;
	*why = peer->kind == PEER_NONE && !ask->has_secret && ask->n_chain == 0 ? REFUSAL_CREDENTIAL
										: REFUSAL_PROOF;
	return err_set(err, FAIL_DENIED,
	    "bootstrap: csr: missing, and a key is made only for the manufacturer's certificate in "
	    "TLS");
}

/* The statement's own certificates go before the TLS peer's, which had to be somebody's all the
 * same. */
static int
bootstrap_request(struct route_ctx *ctx, const struct http_request *request,
    struct enrol_request *out, enum refusal *why, struct err *err)
{
	struct enrol_request *tls = mem_alloc(sizeof(*tls));
	struct peer peer;
	int rc = -1;

	if (ask_evidence(ctx, request, &peer, tls, why, err) != 0)
		goto out;
	*why = REFUSAL_FORM;
	if (bootstrap_json_read(request->body.data, request->body.len, out, err) != 0)
		goto out;
	*why = REFUSAL_NONE;
	for (size_t i = 0; out->n_chain == 0 && i < tls->n_chain; i++) {
		out->chain[i] = tls->chain[i];
		tls->chain[i] = (struct buf){ 0 };
	}
	if (out->n_chain == 0)
		out->n_chain = tls->n_chain;
	out->has_secret = tls->has_secret;
	out->secret_eui = tls->secret_eui;
	memcpy(out->secret, tls->secret, sizeof(out->secret));
	memcpy(out->address, tls->address, sizeof(out->address));
	rc = out->kind == ENROL_SERVER_KEY ? bootstrap_check_server_key(&peer, out, why, err) : 0;
out:
	enrol_request_free(tls);
	free(tls);
	return rc;
}

/* From the CA of this name up to its root. */
static int
bootstrap_chain(struct store *store, const char *name, struct buf out[STORE_CAS_MAX], size_t *n_out,
    struct err *err)
{
	struct store_ca rows[STORE_CAS_MAX];
	size_t n = 0, i, next;

	*n_out = 0;
	if (store_ca_list(store, rows, &n, err) != 0)
		return -1;
	for (i = 0; i < n && strcmp(rows[i].name, name) != 0; i++)
		;
	while (i < n && *n_out < n) {
		if (store_cert_der(store, rows[i].certificate, &out[*n_out], err) != 0)
			return -1;
		(*n_out)++;
		if (rows[i].parent == rows[i].id)
			return 0;
		for (next = 0; next < n && rows[next].id != rows[i].parent; next++)
			;
		i = next;
	}
	return err_set(err, FAIL_INTERNAL, "ca %s: its chain does not end in a root", name);
}

static time_t
bootstrap_renew_after(const struct enrol_answer *answer)
{
	struct cert cert;

	if (answer->not_after >= TIME_NO_EXPIRY ||
	    cert_parse(answer->issued.der.data, answer->issued.der.len, &cert, NULL) != 0)
		return TIME_NO_EXPIRY;
	return cert.not_before +
	       (cert.not_after - cert.not_before) / BOOTSTRAP_RENEW_DEN * BOOTSTRAP_RENEW_NUM;
}

static int
bootstrap_issued(struct route_ctx *ctx, const struct enrol_request *ask,
    const struct enrol_answer *enrolled, struct http_response *response, struct err *err)
{
	const int32_t position[] = { ask->statement.latitude, ask->statement.longitude };
	struct bootstrap_answer answer = { .enrolled = enrolled };
	struct buf chain[STORE_CAS_MAX] = { 0 };
	struct issuer uris = { 0 };
	struct front_view view;
	int rc = -1;

	if (ask->kind == ENROL_SERVER_KEY && enrolled->key.len == 0) {
		err_set(err, FAIL_INTERNAL, "smkid: a certificate without the key it made");
		goto out;
	}
	if (bootstrap_chain(ctx->store, enrolled->issued.ca, chain, &answer.n_chain, err) != 0 ||
	    caset_uris(ctx->httpd->home.url, enrolled->issued.ca, &uris, err) != 0)
		goto out;
	answer.chain = chain;
	answer.ocsp = uris.ocsp_uri;
	answer.crl = uris.crl_uri;
	answer.now = clock_now();
	answer.renew_after = bootstrap_renew_after(enrolled);
	response->status = HTTP_OK;
	response->secret = enrolled->key.len > 0;
	http_header_set(response, "Content-Type", "application/json");
	http_header_set(response, "Cache-Control", "no-store");
	front_data_hold(ctx->httpd->data, &view);
	if (view.regions != NULL)
		answer.region = region_choose(view.regions, enrolled->region,
		    ask->statement.country, ask->statement.has_position ? position : NULL,
		    &answer.region_why);
	bootstrap_json_write(&answer, &response->body);
	front_data_release(ctx->httpd->data);
	rc = 0;
out:
	for (size_t i = 0; i < STORE_CAS_MAX; i++)
		buf_free(&chain[i]);
	return rc;
}

static void
bootstrap_answer(struct route_ctx *ctx, const struct http_request *request,
    const struct enrol_request *ask, const struct enrol_answer *answer,
    struct http_response *response)
{
	long wait = ctx->httpd->home.enrol.retry_after;
	struct err err;

	switch (answer->outcome) {
	case ENROL_REFUSED:
		ask_refuse(ctx, request, answer->reason, &answer->err, response);
		return;
	case ENROL_PENDING:
		response->status = HTTP_ACCEPTED;
		http_header_set(response, "Content-Type", "application/json");
		http_header_set(response, "Cache-Control", "no-store");
		http_header_set(response, "Retry-After", "%ld", wait);
		buf_fmt(&response->body,
		    "{\"version\":\"" BOOTSTRAP_VERSION
		    "\",\"status\":\"pending\",\"retry_after\":%ld}\n",
		    wait);
		return;
	case ENROL_ISSUED:
		break;
	}
	if (bootstrap_issued(ctx, ask, answer, response, &err) != 0)
		ask_failed(ctx, &err, response);
}

void
route_bootstrap(struct route_ctx *ctx, const struct http_request *request, const char *rest,
    struct http_response *response)
{
	struct enrol_answer answer = { 0 };
	enum refusal why = REFUSAL_NONE;
	struct enrol_request *ask;
	struct err err;

	(void)rest;
	/* The answer will need it, and a key that cannot be told of is lost. */
	if (ctx->store == NULL) {
		err_set(&err, FAIL_UNAVAILABLE, "http: the database is away");
		ask_failed(ctx, &err, response);
		return;
	}
	ask = mem_alloc(sizeof(*ask));
	if (bootstrap_request(ctx, request, ask, &why, &err) != 0) {
		ask_refuse_here(ctx, request, why, &err, response);
	} else if (ask_enrol(ctx, ask, &answer, &err) != 0) {
		ask_failed(ctx, &err, response);
	} else {
		bootstrap_answer(ctx, request, ask, &answer, response);
		enrol_answer_free(&answer);
	}
	enrol_request_free(ask);
	free(ask);
}
