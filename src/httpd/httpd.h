/*
 * What the threads of smki-httpd share: the home, the clock rule, the responder once there is
 * one, how the parts are doing, and counters.
 */
#ifndef SMKI_HTTPD_HTTPD_H
#define SMKI_HTTPD_HTTPD_H

#include <pthread.h>
#include <stdatomic.h>

#include "smki/enrol.h"
#include "smki/home.h"
#include "smki/ocspcache.h"
#include "smki/respond.h"

/* Parts whose health is told. All but the last are needed to answer a status request. */
enum httpd_part {
	PART_DATABASE = 0,
	PART_CLOCK,
	PART_TOKEN,
	PART_RESPONDER,
	PART_SMKID,
	PARTS,
};

enum httpd_listener {
	LISTENER_HTTP = 0,
	LISTENER_HTTPS,
	LISTENERS,
};

/* Distinct OCSPResponseStatus values (RFC 6960 4.2.1), 0..6. */
#define HTTPD_OCSP_STATUSES 7
/* HTTP statuses that are counted apart: see httpd_codes; the last place counts all others. */
#define HTTPD_CODES 15

/* Different troubles that are logged in one minute, at most. */
#define HTTPD_SAID 16

/* Places for what is counted with every answer: threads that shared one would wait for each
 * other's cores. The sum of all is the figure. */
#define HTTPD_TALLIES 16
#define HTTPD_CACHE_LINE 64

struct httpd_tally {
	uint8_t apart[HTTPD_CACHE_LINE];
	atomic_ullong code[HTTPD_CODES + 1];
	atomic_ullong ocsp_status[HTTPD_OCSP_STATUSES];
	atomic_ullong good, revoked, unknown;
};

struct httpd_counters {
	struct httpd_tally tally[HTTPD_TALLIES];
	atomic_ullong enrolled[ENROL_REFUSED + 1]; /* by outcome; place 0 stays empty */
	atomic_ullong refused[REFUSALS];
	atomic_ullong tokens;
	atomic_ullong busy;		     /* refused because a queue was full */
	atomic_uint connections[LISTENERS];  /* open now */
	atomic_ullong over_limit[LISTENERS]; /* connections refused */
	atomic_ullong handshakes;	     /* of TLS, done */
	atomic_ullong handshakes_failed;     /* or given up, or cut */
	atomic_llong tls_not_after;	     /* end of the server's certificate; 0 = none */
};

struct httpd {
	struct home home;
	struct timeguard *guard;
	_Atomic(struct responder *) responder; /* NULL until token and database were both there */
	struct ocspcache *cache;	       /* signed status answers; NULL = none are kept */
	_Atomic(struct statuspage *) page;     /* what the cache follows; NULL = not there yet */
	struct front_data
	    *data; /* manufacturers, regions, profiles; set before there are threads */
	struct peer_cache *peers;    /* verdicts about TLS peers */
	struct strangers *strangers; /* refusals and wrong secrets by address */
	atomic_bool ok[PARTS];
	struct httpd_counters counters;
	pthread_mutex_t said_lock;
	struct {
		char text[ERR_MSG_MAX]; /* a trouble logged, "" = none */
		int64_t ms;
	} said[HTTPD_SAID];
};

/* home is copied. Every part begins as ok, so that only a failing one is news. httpd_free takes
 * responder, guard and data with it. */
struct httpd *httpd_new(const struct home *home);
void httpd_free(struct httpd *httpd);

const char *httpd_part_str(enum httpd_part part); /* "database", "clock", ... */
/* Note how a part is doing; a change is logged with why (not read when ok). */
void httpd_set_part(struct httpd *httpd, enum httpd_part part, bool ok, const struct err *why);
/* Log a trouble met in answering; the same again only after a minute, and HTTPD_SAID of them in
 * one: strangers cause them. true when it was logged. */
bool httpd_say(struct httpd *httpd, const struct err *err);

void httpd_count_code(struct httpd *httpd, int status);
void httpd_count_ocsp(struct httpd *httpd, const struct respond_meta *meta);
void httpd_count_enrol(struct httpd *httpd, enum enrol_outcome outcome);
void httpd_count_refusal(struct httpd *httpd, enum refusal reason);
void httpd_count_token(struct httpd *httpd);
/* Append all of it in Prometheus' text format. */
void httpd_metrics_put(struct httpd *httpd, struct buf *out);

#endif
