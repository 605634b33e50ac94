/*
 * What the routes that ask smkid have in common: gathering the evidence of a request, the call,
 * and the answers to a refusal. Nothing is decided here but whether the TLS peer is anybody.
 */
#ifndef SMKI_HTTPD_ASK_H
#define SMKI_HTTPD_ASK_H

#include "peer.h"
#include "smki/enrol.h"
#include "smki/front.h"

/* How long smkid may take to judge and sign. */
#define ASK_TIMEOUT_MS 10000

/*
 * Judge the peer and fill chain, secret and address of out, which is zeroed. -1 with *why as
 * peer_judge; a malformed Authorization is REFUSAL_FORM.
 */
int ask_evidence(struct route_ctx *ctx, const struct http_request *request, struct peer *peer,
    struct enrol_request *out, enum refusal *why, struct err *err) MUST_USE;
/* Ask smkid for a certificate. -1: it could not judge. answer is for enrol_answer_free. Counts. */
int ask_enrol(struct route_ctx *ctx, const struct enrol_request *request,
    struct enrol_answer *answer, struct err *err) MUST_USE;

/*
 * The answer to a refusal: 401 with a challenge for a missing or wrong secret (a wrong one's is held
 * back), else the status of the edge table. Counts it in metrics.
 */
void ask_refuse(struct route_ctx *ctx, const struct http_request *request, enum refusal why,
    const struct err *err, struct http_response *response);
/* As above for what the front refuses by itself: smkid is told now and then. REFUSAL_NONE: nobody
 * was at fault, as ask_failed. */
void ask_refuse_here(struct route_ctx *ctx, const struct http_request *request, enum refusal why,
    const struct err *err, struct http_response *response);
/* Nothing could be judged: strangers are told no more than that; the log gets the reason. */
void ask_failed(struct route_ctx *ctx, const struct err *err, struct http_response *response);
/* The same as a code and words of ours. */
enum err_code ask_failed_code(struct route_ctx *ctx, const struct err *err, char out[ERR_MSG_MAX]);
/* A message in words fit for a JSON text: quotes and what is no ASCII become '?'. */
void ask_words(const struct err *err, char out[ERR_MSG_MAX]);

/* Tell smkid what the front refused by itself since the last time. Housekeeping calls it. */
void ask_tell_refused(struct httpd *httpd, struct link *link);

#endif
