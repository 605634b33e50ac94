/*
 * How the service is doing, for people's and machines' eyes: /health for everybody in words of
 * ours, /metrics for this machine only.
 */
#include "route.h"

/* What is told of a failing part: no path, no peer, no message of a library. */
static const char *
route_health_reason(enum httpd_part part)
{
	switch (part) {
	case PART_DATABASE:
		return "database cannot be read";
	case PART_CLOCK:
		return "clock is in doubt";
	case PART_TOKEN:
		return "token does not sign";
	case PART_RESPONDER:
		return "a responder certificate is missing, has ended, or is on hold or revoked";
	case PART_SMKID:
		return "smkid does not answer: no issuing, no state changes, no new CRLs";
	case PARTS:
		break;
	}
	return "";
}

void
route_health(struct route_ctx *ctx, const struct http_request *request, const char *rest,
    struct http_response *response)
{
	struct buf reasons = { 0 };
	bool ok[PARTS], failing = false, degraded = false;

	response->status = HTTP_OK;
	http_header_set(response, "Content-Type", "application/json");
	http_header_set(response, "Cache-Control", "no-store");
	for (int i = 0; i < PARTS; i++) {
		ok[i] = atomic_load(&ctx->httpd->ok[i]);
		if (ok[i])
			continue;
		buf_fmt(&reasons, "%s\"%s\"", reasons.len > 0 ? "," : "",
		    route_health_reason((enum httpd_part)i));
		/* Without smkid, status is still answered. */
		if (i == PART_SMKID)
			degraded = true;
		else
			failing = true;
	}
	if (failing) {
		response->status = err_http_status(FAIL_UNAVAILABLE);
		http_header_set(response, "Retry-After", "5");
	}
	buf_fmt(&response->body, "{\"status\":\"%s\"",
	    failing    ? "failing"
	    : degraded ? "degraded"
		       : "ok");
	for (int i = 0; i < PARTS; i++)
		buf_fmt(&response->body, ",\"%s\":\"%s\"", httpd_part_str((enum httpd_part)i),
		    ok[i] ? "ok" : "failing");
	buf_fmt(&response->body, ",\"reasons\":[%s]}\n", buf_text(&reasons));
	buf_free(&reasons);
}

void
route_metrics(struct route_ctx *ctx, const struct http_request *request, const char *rest,
    struct http_response *response)
{
	if (!request->loopback) {
		http_fail(response, FAIL_DENIED, "metrics: for this machine only");
		return;
	}
	response->status = HTTP_OK;
	http_header_set(response, "Content-Type", "text/plain; version=0.0.4");
	http_header_set(response, "Cache-Control", "no-store");
	httpd_metrics_put(ctx->httpd, &response->body);
}
