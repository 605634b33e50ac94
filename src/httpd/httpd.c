/*
 * The state that the threads of smki-httpd share, and its counters. Each member is atomic, guarded
 * by its lock, or fixed before there are threads.
 */
#include <stdlib.h>
#include <string.h>

#include "front_data.h"
#include "httpd.h"
#include "peer.h"
#include "smki/clock.h"
#include "smki/log.h"
#include "smki/mem.h"
#include "strangers.h"

#define HTTPD_SAY_MS 60000

static const int httpd_codes[HTTPD_CODES] = { 200, 202, 204, 304, 400, 401, 403, 404, 405, 409, 413,
	415, 429, 500, 503 };

struct httpd *
httpd_new(const struct home *home)
{
	struct httpd *httpd = mem_alloc(sizeof(*httpd));

	httpd->home = *home;
	if (home->ocsp_cache > 0)
		httpd->cache = ocspcache_new((size_t)home->ocsp_cache << 20);
	httpd->peers = peer_cache_new();
	httpd->strangers = strangers_new();
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
	ocspcache_free(httpd->cache);
	statuspage_close(atomic_load(&httpd->page));
	responder_free(atomic_load(&httpd->responder));
	timeguard_free(httpd->guard);
	front_data_free(httpd->data);
	peer_cache_free(httpd->peers);
	strangers_free(httpd->strangers);
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

/* Threads take the places in turn, each one for good. */
static struct httpd_tally *
httpd_tally(struct httpd *httpd)
{
	static atomic_uint threads;
	static _Thread_local unsigned mine; /* 0 = none yet */

	if (mine == 0)
		mine = atomic_fetch_add(&threads, 1) % HTTPD_TALLIES + 1;
	return &httpd->counters.tally[mine - 1];
}

void
httpd_count_code(struct httpd *httpd, int status)
{
	size_t i;

	for (i = 0; i < HTTPD_CODES && httpd_codes[i] != status; i++)
		;
	atomic_fetch_add(&httpd_tally(httpd)->code[i], 1);
}

void
httpd_count_ocsp(struct httpd *httpd, const struct respond_meta *meta)
{
	struct httpd_tally *tally = httpd_tally(httpd);

	if (meta->ocsp_status >= 0 && meta->ocsp_status < HTTPD_OCSP_STATUSES)
		atomic_fetch_add(&tally->ocsp_status[meta->ocsp_status], 1);
	/* Mostly one of them. */
	if (meta->good > 0)
		atomic_fetch_add(&tally->good, meta->good);
	if (meta->revoked > 0)
		atomic_fetch_add(&tally->revoked, meta->revoked);
	if (meta->unknown > 0)
		atomic_fetch_add(&tally->unknown, meta->unknown);
}

void
httpd_count_enrol(struct httpd *httpd, enum enrol_outcome outcome)
{
	atomic_fetch_add(&httpd->counters.enrolled[outcome], 1);
}

void
httpd_count_refusal(struct httpd *httpd, enum refusal reason)
{
	if (reason < REFUSALS)
		atomic_fetch_add(&httpd->counters.refused[reason], 1);
}

void
httpd_count_token(struct httpd *httpd)
{
	atomic_fetch_add(&httpd->counters.tokens, 1);
}

/* All places of one count together. */
struct httpd_sums {
	unsigned long long code[HTTPD_CODES + 1];
	unsigned long long ocsp_status[HTTPD_OCSP_STATUSES];
	unsigned long long good, revoked, unknown;
};

static void
httpd_sum(const struct httpd *httpd, struct httpd_sums *out)
{
	*out = (struct httpd_sums){ 0 };
	for (size_t i = 0; i < HTTPD_TALLIES; i++) {
		const struct httpd_tally *tally = &httpd->counters.tally[i];

		for (size_t k = 0; k < ARRAY_LEN(out->code); k++)
			out->code[k] += atomic_load(&tally->code[k]);
		for (size_t k = 0; k < ARRAY_LEN(out->ocsp_status); k++)
			out->ocsp_status[k] += atomic_load(&tally->ocsp_status[k]);
		out->good += atomic_load(&tally->good);
		out->revoked += atomic_load(&tally->revoked);
		out->unknown += atomic_load(&tally->unknown);
	}
}

static void
httpd_codes_put(const struct httpd_sums *sums, struct buf *out)
{
	buf_add_str(out, "# HELP smki_http_responses_total Answers by HTTP status.\n"
			 "# TYPE smki_http_responses_total counter\n");
	for (size_t i = 0; i < HTTPD_CODES; i++)
		buf_fmt(out, "smki_http_responses_total{code=\"%d\"} %llu\n", httpd_codes[i],
		    sums->code[i]);
	buf_fmt(out, "smki_http_responses_total{code=\"other\"} %llu\n", sums->code[HTTPD_CODES]);
}

static void
httpd_ocsp_put(const struct httpd_sums *sums, struct buf *out)
{
	static const char *const status[HTTPD_OCSP_STATUSES] = { "successful", "malformedRequest",
		"internalError", "tryLater", NULL, "sigRequired", "unauthorized" };

	buf_add_str(out, "# HELP smki_ocsp_responses_total OCSP responses by responseStatus.\n"
			 "# TYPE smki_ocsp_responses_total counter\n");
	for (size_t i = 0; i < HTTPD_OCSP_STATUSES; i++)
		if (status[i] != NULL)
			buf_fmt(out, "smki_ocsp_responses_total{status=\"%s\"} %llu\n", status[i],
			    sums->ocsp_status[i]);
	buf_fmt(out,
	    "# HELP smki_ocsp_answers_total Certificates answered for, by status.\n"
	    "# TYPE smki_ocsp_answers_total counter\n"
	    "smki_ocsp_answers_total{status=\"good\"} %llu\n"
	    "smki_ocsp_answers_total{status=\"revoked\"} %llu\n"
	    "smki_ocsp_answers_total{status=\"unknown\"} %llu\n",
	    sums->good, sums->revoked, sums->unknown);
}

static void
httpd_enrol_put(struct httpd *httpd, struct buf *out)
{
	static const char *const outcome[] = {
		[ENROL_ISSUED] = "issued", [ENROL_PENDING] = "pending", [ENROL_REFUSED] = "refused"
	};

	buf_add_str(out, "# HELP smki_enrolments_total Requests of meters judged, by outcome.\n"
			 "# TYPE smki_enrolments_total counter\n");
	for (size_t i = ENROL_ISSUED; i < ARRAY_LEN(outcome); i++)
		buf_fmt(out, "smki_enrolments_total{outcome=\"%s\"} %llu\n", outcome[i],
		    atomic_load(&httpd->counters.enrolled[i]));
	buf_add_str(out, "# HELP smki_refusals_total Requests of outsiders refused, by reason.\n"
			 "# TYPE smki_refusals_total counter\n");
	for (int i = REFUSAL_NONE + 1; i < REFUSALS; i++)
		buf_fmt(out, "smki_refusals_total{reason=\"%s\"} %llu\n",
		    refusal_str((enum refusal)i), atomic_load(&httpd->counters.refused[i]));
	buf_fmt(out,
	    "# HELP smki_tokens_total Access tokens given out.\n"
	    "# TYPE smki_tokens_total counter\n"
	    "smki_tokens_total %llu\n",
	    atomic_load(&httpd->counters.tokens));
}

static void
httpd_listeners_put(struct httpd *httpd, struct buf *out)
{
	static const char *const name[LISTENERS] = { "http", "https" };
	const struct httpd_counters *c = &httpd->counters;

	buf_add_str(out, "# HELP smki_http_connections Connections open now.\n"
			 "# TYPE smki_http_connections gauge\n");
	for (size_t i = 0; i < LISTENERS; i++)
		buf_fmt(out, "smki_http_connections{listener=\"%s\"} %u\n", name[i],
		    atomic_load(&c->connections[i]));
	buf_add_str(out, "# HELP smki_http_over_limit_total Connections refused by a limit.\n"
			 "# TYPE smki_http_over_limit_total counter\n");
	for (size_t i = 0; i < LISTENERS; i++)
		buf_fmt(out, "smki_http_over_limit_total{listener=\"%s\"} %llu\n", name[i],
		    atomic_load(&c->over_limit[i]));
	buf_fmt(out,
	    "# HELP smki_tls_handshakes_total TLS handshakes, done or not.\n"
	    "# TYPE smki_tls_handshakes_total counter\n"
	    "smki_tls_handshakes_total{result=\"done\"} %llu\n"
	    "smki_tls_handshakes_total{result=\"failed\"} %llu\n",
	    atomic_load(&c->handshakes), atomic_load(&c->handshakes_failed));
	if (atomic_load(&c->tls_not_after) != 0)
		buf_fmt(out,
		    "# HELP smki_tls_not_after_seconds When the TLS certificate ends (Unix time).\n"
		    "# TYPE smki_tls_not_after_seconds gauge\n"
		    "smki_tls_not_after_seconds %lld\n",
		    atomic_load(&c->tls_not_after));
}

static void
httpd_cache_put(struct httpd *httpd, struct buf *out)
{
	struct ocspcache_counts c = { 0 };

	if (httpd->cache != NULL)
		ocspcache_counts(httpd->cache, &c);
	buf_fmt(out,
	    "# HELP smki_ocsp_cache_total Looks into the cache of responses, by outcome; entries "
	    "taken out by a change of state or for want of room.\n"
	    "# TYPE smki_ocsp_cache_total counter\n"
	    "smki_ocsp_cache_total{what=\"hit\"} %llu\n"
	    "smki_ocsp_cache_total{what=\"miss\"} %llu\n"
	    "smki_ocsp_cache_total{what=\"changed\"} %llu\n"
	    "smki_ocsp_cache_total{what=\"evicted\"} %llu\n"
	    "# HELP smki_ocsp_cache_entries Responses kept now.\n"
	    "# TYPE smki_ocsp_cache_entries gauge\n"
	    "smki_ocsp_cache_entries %zu\n",
	    (unsigned long long)c.hits, (unsigned long long)c.misses, (unsigned long long)c.dropped,
	    (unsigned long long)c.evicted, c.entries);
}

void
httpd_metrics_put(struct httpd *httpd, struct buf *out)
{
	struct httpd_sums sums;

	httpd_sum(httpd, &sums);
	httpd_codes_put(&sums, out);
	httpd_ocsp_put(&sums, out);
	httpd_cache_put(httpd, out);
	httpd_listeners_put(httpd, out);
	httpd_enrol_put(httpd, out);
	buf_fmt(out,
	    "# HELP smki_http_busy_total Requests refused because too many were waiting.\n"
	    "# TYPE smki_http_busy_total counter\n"
	    "smki_http_busy_total %llu\n"
	    "# HELP smki_part_ok 1 while this part does its work.\n"
	    "# TYPE smki_part_ok gauge\n",
	    atomic_load(&httpd->counters.busy));
	for (int i = 0; i < PARTS; i++)
		buf_fmt(out, "smki_part_ok{part=\"%s\"} %d\n", httpd_part_str((enum httpd_part)i),
		    atomic_load(&httpd->ok[i]) ? 1 : 0);
}
