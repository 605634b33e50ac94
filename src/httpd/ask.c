/*
 * Evidence in, answers out: the part that EST, bootstrapping and tokens share. Runs in threads that
 * may wait for smkid.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ask.h"
#include "basic.h"
#include "link.h"
#include "smki/clock.h"
#include "smki/mem.h"
#include "strangers.h"

#define ASK_TELL_MS 2000

_Static_assert(ENROL_ADDRESS_LEN == HTTP_ADDRESS_LEN, "one address");

int
ask_evidence(struct route_ctx *ctx, const struct http_request *request, struct peer *peer,
    struct enrol_request *out, enum refusal *why, struct err *err)
{
	if (peer_judge(ctx, request, peer, why, err) != 0)
		return -1;
	out->n_chain = peer->n_chain;
	for (size_t i = 0; i < peer->n_chain; i++)
		buf_add(&out->chain[i], peer->chain[i].p, peer->chain[i].len);
	memcpy(out->address, request->address, sizeof(out->address));
	if (request->authorization == NULL)
		return 0;
	out->has_secret = true;
	if (basic_parse(request->authorization, &out->secret_eui, out->secret, err) == 0)
		return 0;
	*why = REFUSAL_FORM;
	return -1;
}

int
ask_enrol(struct route_ctx *ctx, const struct enrol_request *request, struct enrol_answer *answer,
    struct err *err)
{
	struct buf msg = { 0 }, reply = { 0 };
	struct wire_in in;
	int rc = -1;

	/* Grown at once: a buffer that moves leaves the secret behind. */
	if (request->has_secret)
		buf_reserve(&msg, WIRE_MAX);
	wire_start(&msg, FRONT_ENROL, 0, 0);
	front_enrol_put(&msg, request);
	if (link_call(ctx->link, &msg, &reply, &in, ASK_TIMEOUT_MS, err) == 0 &&
	    front_enrolled_get(&in, answer, err) == 0) {
		/* What is on hold is not handed out, whoever found it. */
		if (answer->outcome == ENROL_ISSUED && answer->issued.state != CERT_VALID) {
			answer->outcome = ENROL_REFUSED;
			answer->reason = REFUSAL_STATE;
			err_set(&answer->err, FAIL_DENIED,
			    "certificate: the one of this key is on hold");
		}
		httpd_count_enrol(ctx->httpd, answer->outcome);
		rc = 0;
	}
	/* A secret went out, perhaps a key came in. */
	buf_wipe(&msg);
	buf_wipe(&reply);
	return rc;
}

void
ask_words(const struct err *err, char out[ERR_MSG_MAX])
{
	size_t i;

	for (i = 0; i + 1 < ERR_MSG_MAX && err->msg[i] != '\0'; i++)
		out[i] = err->msg[i] < ' ' || err->msg[i] > '~' || err->msg[i] == '"' ||
				 err->msg[i] == '\\'
			     ? '?'
			     : err->msg[i];
	out[i] = '\0';
}

void
ask_refuse(struct route_ctx *ctx, const struct http_request *request, enum refusal why,
    const struct err *err, struct http_response *response)
{
	char words[ERR_MSG_MAX];

	httpd_count_refusal(ctx->httpd, why);
	ask_words(err, words);
	if (why != REFUSAL_CREDENTIAL && why != REFUSAL_SECRET) {
		http_fail(response, err->code, words);
		return;
	}
	http_problem(response, HTTP_UNAUTHORIZED, words);
	http_header_set(response, "WWW-Authenticate", "Basic realm=\"smki\"");
	if (why == REFUSAL_SECRET)
		response->delay_ms = strangers_wrong_secret(
		    ctx->httpd->strangers, request->address, clock_mono_ms());
}

void
ask_refuse_here(struct route_ctx *ctx, const struct http_request *request, enum refusal why,
    const struct err *err, struct http_response *response)
{
	if (why == REFUSAL_NONE) {
		ask_failed(ctx, err, response);
		return;
	}
	strangers_refused(ctx->httpd->strangers, request->address, why);
	ask_refuse(ctx, request, why, err, response);
}

enum err_code
ask_failed_code(struct route_ctx *ctx, const struct err *err, char out[ERR_MSG_MAX])
{
	httpd_say(ctx->httpd, err);
	if (err->code == FAIL_LIMIT || err->code == FAIL_UNAVAILABLE) {
		snprintf(out, ERR_MSG_MAX, "enrolment: not possible now, try again later");
		return err->code;
	}
	/* The front asked wrongly, or smkid failed: not the peer's doing. */
	snprintf(out, ERR_MSG_MAX, "enrolment: failed inside");
	return FAIL_INTERNAL;
}

void
ask_failed(struct route_ctx *ctx, const struct err *err, struct http_response *response)
{
	char words[ERR_MSG_MAX];
	enum err_code code = ask_failed_code(ctx, err, words);

	http_fail(response, code, words);
}

void
ask_tell_refused(struct httpd *httpd, struct link *link)
{
	struct front_refused *refused = mem_alloc(sizeof(*refused));
	struct buf msg = { 0 }, reply = { 0 };
	struct wire_in in;
	struct err err;

	if (strangers_take(httpd->strangers, refused)) {
		wire_start(&msg, FRONT_REFUSED, 0, 0);
		front_refused_put(&msg, refused);
		if (link_call(link, &msg, &reply, &in, ASK_TELL_MS, &err) != 0)
			strangers_give_back(httpd->strangers, refused);
		buf_free(&msg);
		buf_free(&reply);
	}
	free(refused);
}
