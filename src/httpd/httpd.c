/*
 * The state that the threads of smki-httpd share, and its counters. Each member is atomic, guarded
 * by its lock, or fixed before there are threads.
 */
#include <stdlib.h>
#include <string.h>

#include "httpd.h"
#include "smki/clock.h"
#include "smki/log.h"
#include "smki/mem.h"

#define HTTPD_SAY_MS 60000

static const int httpd_codes[HTTPD_CODES] = { 200, 204, 304, 400, 403, 404, 405, 413, 415, 429, 500,
	503 };

struct httpd *
httpd_new(const struct home *home)
{
	struct httpd *httpd = mem_alloc(sizeof(*httpd));

	httpd->home = *home;
	pthread_mutex_init(&httpd->said_lock, NULL);
	for (int i = 0; i < PARTS; i++)
		atomic_init(&httpd->ok[i], true);
	return httpd;
}

void
httpd_free(struct httpd *httpd)
{
	if (httpd == NULL)
		return;
	responder_free(atomic_load(&httpd->responder));
	timeguard_free(httpd->guard);
	pthread_mutex_destroy(&httpd->said_lock);
	free(httpd);
}

const char *
httpd_part_str(enum httpd_part part)
{
	switch (part) {
	case PART_DATABASE:
		return "database";
	case PART_CLOCK:
		return "clock";
	case PART_TOKEN:
		return "token";
	case PART_RESPONDER:
		return "responder";
	case PART_SMKID:
		return "smkid";
	case PARTS:
		break;
	}
	return "";
}

void
httpd_set_part(struct httpd *httpd, enum httpd_part part, bool ok, const struct err *why)
{
	if (atomic_exchange(&httpd->ok[part], ok) == ok)
		return;
	if (ok)
		log_info("part=%s health=ok", httpd_part_str(part));
	else
		log_warn("part=%s health=failing %s", httpd_part_str(part), why->msg);
}

bool
httpd_say(struct httpd *httpd, const struct err *err)
{
	int64_t now = clock_mono_ms();
	size_t place = HTTPD_SAID;

	pthread_mutex_lock(&httpd->said_lock);
	for (size_t i = 0; i < HTTPD_SAID; i++) {
		if (httpd->said[i].text[0] == '\0' || now - httpd->said[i].ms >= HTTPD_SAY_MS) {
			place = place < i ? place : i;
		} else if (err_same_cause(httpd->said[i].text, err->msg)) {
			place = HTTPD_SAID;
			break;
		}
	}
	if (place < HTTPD_SAID) {
		memcpy(httpd->said[place].text, err->msg, sizeof(httpd->said[place].text));
		httpd->said[place].ms = now;
	}
	pthread_mutex_unlock(&httpd->said_lock);
	if (place < HTTPD_SAID)
		log_error("%s", err->msg);
	return place < HTTPD_SAID;
}

void
httpd_count_code(struct httpd *httpd, int status)
{
	size_t i;

	for (i = 0; i < HTTPD_CODES && httpd_codes[i] != status; i++)
		;
	atomic_fetch_add(&httpd->counters.code[i], 1);
}

void
httpd_count_ocsp(struct httpd *httpd, const struct respond_meta *meta)
{
	struct httpd_counters *c = &httpd->counters;

	if (meta->ocsp_status >= 0 && meta->ocsp_status < HTTPD_OCSP_STATUSES)
		atomic_fetch_add(&c->ocsp_status[meta->ocsp_status], 1);
	atomic_fetch_add(&c->good, meta->good);
	atomic_fetch_add(&c->revoked, meta->revoked);
	atomic_fetch_add(&c->unknown, meta->unknown);
}

static void
httpd_codes_put(struct httpd *httpd, struct buf *out)
{
	buf_add_str(out, "# HELP smki_http_responses_total Answers by HTTP status.\n"
			 "# TYPE smki_http_responses_total counter\n");
	for (size_t i = 0; i < HTTPD_CODES; i++)
		buf_fmt(out, "smki_http_responses_total{code=\"%d\"} %llu\n", httpd_codes[i],
		    atomic_load(&httpd->counters.code[i]));
	buf_fmt(out, "smki_http_responses_total{code=\"other\"} %llu\n",
	    atomic_load(&httpd->counters.code[HTTPD_CODES]));
}

static void
httpd_ocsp_put(struct httpd *httpd, struct buf *out)
{
	static const char *const status[HTTPD_OCSP_STATUSES] = { "successful", "malformedRequest",
		"internalError", "tryLater", NULL, "sigRequired", "unauthorized" };

	buf_add_str(out, "# HELP smki_ocsp_responses_total OCSP responses by responseStatus.\n"
			 "# TYPE smki_ocsp_responses_total counter\n");
	for (size_t i = 0; i < HTTPD_OCSP_STATUSES; i++)
		if (status[i] != NULL)
			buf_fmt(out, "smki_ocsp_responses_total{status=\"%s\"} %llu\n", status[i],
			    atomic_load(&httpd->counters.ocsp_status[i]));
	buf_fmt(out,
	    "# HELP smki_ocsp_answers_total Certificates answered for, by status.\n"
	    "# TYPE smki_ocsp_answers_total counter\n"
	    "smki_ocsp_answers_total{status=\"good\"} %llu\n"
	    "smki_ocsp_answers_total{status=\"revoked\"} %llu\n"
	    "smki_ocsp_answers_total{status=\"unknown\"} %llu\n",
	    atomic_load(&httpd->counters.good), atomic_load(&httpd->counters.revoked),
	    atomic_load(&httpd->counters.unknown));
}

void
httpd_metrics_put(struct httpd *httpd, struct buf *out)
{
	httpd_codes_put(httpd, out);
	httpd_ocsp_put(httpd, out);
	buf_fmt(out,
	    "# HELP smki_http_busy_total Requests refused because too many were waiting.\n"
	    "# TYPE smki_http_busy_total counter\n"
	    "smki_http_busy_total %llu\n"
	    "# HELP smki_http_connections Connections open now.\n"
	    "# TYPE smki_http_connections gauge\n"
	    "smki_http_connections %u\n"
	    "# HELP smki_part_ok 1 while this part does its work.\n"
	    "# TYPE smki_part_ok gauge\n",
	    atomic_load(&httpd->counters.busy), atomic_load(&httpd->counters.connections));
	for (int i = 0; i < PARTS; i++)
		buf_fmt(out, "smki_part_ok{part=\"%s\"} %d\n", httpd_part_str((enum httpd_part)i),
		    atomic_load(&httpd->ok[i]) ? 1 : 0);
}
