/*
 * OCSP: from request octets to response octets (RFC 6960, RFC 9919, RFC 9654). Decides what is
 * answered and who signs; parsing and encoding are core's. It must not change anything, log, or
 * know of HTTP.
 *
 * What threads share is a set that is never changed once it is in use: a reload makes a new one,
 * the old one goes when its last answer is signed.
 */
#include <pthread.h>
#include <stdlib.h>

#include "smki/eckey.h"
#include "smki/mem.h"
#include "smki/respond.h"

/* The delegated responder of one CA. */
struct respond_ca {
	bool has;
	bool withdrawn;	 /* on hold or revoked in the database */
	uint64_t signer; /* as entries of the cache name it */
	struct buf der;
	struct cert cert; /* borrows der */
};

struct respond_set {
	unsigned refs; /* guarded by the responder's lock */
	struct caset *cas;
	struct respond_ca of[STORE_CAS_MAX]; /* of cas->ca[i] */
};

struct responder {
	struct respond_conf conf;
	pthread_mutex_t lock;
	struct respond_set *set;
	uint64_t signers; /* numbered so far, under the lock */
};

static void
respond_set_free(struct respond_set *set)
{
	if (set == NULL)
		return;
	for (size_t i = 0; i < ARRAY_LEN(set->of); i++)
		buf_free(&set->of[i].der);
	caset_free(set->cas);
	free(set);
}

/* The responder certificate of one CA; of->has stays false when there is none. */
static int
respond_load_ca(struct respond_ca *of, const struct ca *ca, int64_t certificate,
    const struct signer *signer, struct store *store, struct err *err)
{
	struct store_cert row;

	if (certificate == 0)
		return 0;
	if (store_cert_get(store, certificate, &row, err) != 0 ||
	    store_cert_der(store, certificate, &of->der, err) != 0 ||
	    cert_parse(of->der.data, of->der.len, &of->cert, err) != 0 ||
	    cert_check_issued(&of->cert, &ca->cert, err) != 0)
		return err_prefix(err, "ocsp responder of ca %s", ca->name);
	if (!of->cert.eku_ocsp)
		return err_set(err, FAIL_INVALID,
		    "ocsp responder of ca %s: RFC 6960 4.2.2.2: no id-kp-OCSPSigning", ca->name);
	if (!ec_pub_eq(&of->cert.pub, &signer->pub))
		return err_set(err, FAIL_DENIED,
		    "ocsp responder of ca %s: the key on the token is not the certificate's",
		    ca->name);
	of->withdrawn = row.state != CERT_VALID;
	of->has = true;
	return 0;
}

static int
respond_set_load(
    const struct respond_conf *conf, struct store *store, struct respond_set **out, struct err *err)
{
	struct store_ca rows[STORE_CAS_MAX];
	struct respond_set *set = mem_alloc(sizeof(*set));
	size_t n = 0;
	int rc = -1;

	if (store_view_begin(store, err) != 0) {
		respond_set_free(set);
		return -1;
	}
	if (caset_load(store, conf->home, &set->cas, err) != 0 ||
	    store_ca_list(store, rows, &n, err) != 0)
		goto out;
	/* One view, one order: the rows are those that the set was made from. */
	require(n == set->cas->n);
	for (size_t i = 0; i < n; i++)
		if (respond_load_ca(&set->of[i], &set->cas->ca[i], rows[i].responder, &conf->signer,
			store, err) != 0)
			goto out;
	set->refs = 1;
	*out = set;
	set = NULL;
	rc = 0;
out:
	store_view_end(store);
	respond_set_free(set);
	return rc;
}

/*
 * Put a set to use and return the one before, NULL = none. A CA's signer keeps its number while its
 * certificate is the same and as usable as before. The lock is held, or nobody else is there.
 */
static struct respond_set *
responder_use(struct responder *responder, struct respond_set *set)
{
	struct respond_set *old = responder->set;

	for (unsigned i = 0; i < ARRAY_LEN(set->of); i++) {
		struct respond_ca *of = &set->of[i];
		const struct respond_ca *was = old != NULL ? &old->of[i] : NULL;

		if (was != NULL && was->has == of->has && was->withdrawn == of->withdrawn &&
		    span_eq(buf_span(&was->der), buf_span(&of->der)))
			of->signer = was->signer;
		else
			of->signer = ++responder->signers;
		if (responder->conf.cache != NULL)
			ocspcache_signer(responder->conf.cache, i, of->signer);
	}
	responder->set = set;
	return old;
}

int
responder_new(
    const struct respond_conf *conf, struct store *store, struct responder **out, struct err *err)
{
	struct respond_set *set = NULL;
	struct responder *responder;

	if (respond_set_load(conf, store, &set, err) != 0)
		return -1;
	responder = mem_alloc(sizeof(*responder));
	responder->conf = *conf;
	pthread_mutex_init(&responder->lock, NULL);
	(void)responder_use(responder, set);
	*out = responder;
	return 0;
}

static struct respond_set *
responder_hold(struct responder *responder)
{
	struct respond_set *set;

	pthread_mutex_lock(&responder->lock);
	set = responder->set;
	set->refs++;
	pthread_mutex_unlock(&responder->lock);
	return set;
}

static void
responder_drop(struct responder *responder, struct respond_set *set)
{
	unsigned left;

	pthread_mutex_lock(&responder->lock);
	left = --set->refs;
	pthread_mutex_unlock(&responder->lock);
	if (left == 0)
		respond_set_free(set);
}

void
responder_free(struct responder *responder)
{
	if (responder == NULL)
		return;
	responder_drop(responder, responder->set);
	pthread_mutex_destroy(&responder->lock);
	free(responder);
}

int
responder_reload(struct responder *responder, struct store *store, struct err *err)
{
	struct respond_set *set = NULL, *old;

	if (respond_set_load(&responder->conf, store, &set, err) != 0)
		return -1;
	pthread_mutex_lock(&responder->lock);
	old = responder_use(responder, set);
	pthread_mutex_unlock(&responder->lock);
	responder_drop(responder, old);
	return 0;
}

/* Nothing is signed for a certificate that relying parties would refuse. */
static int
respond_check_ca(const struct respond_ca *of, const struct ca *ca, time_t now, struct err *err)
{
	const char *finding;

	if (of->withdrawn)
		finding = "is on hold or revoked";
	else if (now < of->cert.not_before)
		finding = "has not begun";
	else if (now >= of->cert.not_after)
		finding = "has ended";
	else
		return 0;
	return err_set(
	    err, FAIL_INTERNAL, "ocsp responder of ca %s: its certificate %s", ca->name, finding);
}

int
responder_check(struct responder *responder, time_t now, struct err *err)
{
	struct respond_set *set = responder_hold(responder);
	int rc = err_set(err, FAIL_NOT_FOUND, "ocsp: there is no responder certificate");

	for (size_t i = 0; i < set->cas->n; i++) {
		if (!set->of[i].has)
			continue;
		rc = respond_check_ca(&set->of[i], &set->cas->ca[i], now, err);
		if (rc != 0)
			break;
	}
	responder_drop(responder, set);
	return rc;
}

/* Place of the CA that a CertID names, or -1. */
static int
respond_match(const struct respond_set *set, const struct ocsp_id *id)
{
	for (size_t i = 0; i < set->cas->n; i++)
		if (ocsp_issuer_match(&set->cas->ca[i].hash, id))
			return (int)i;
	return -1;
}

/*
 * The CA whose responder signs: the first one named that has a responder; when no CA of ours is
 * named, any that may sign, because unknown is an answer too. Its certificate is current.
 */
static int
respond_choose(const struct respond_set *set, const int *named, size_t n, time_t now, int *out,
    struct err *err)
{
	bool served = false;
	int rc = err_set(err, FAIL_DENIED, "ocsp: there is no responder certificate");

	for (size_t i = 0; i < n; i++) {
		if (named[i] < 0)
			continue;
		served = true;
		if (!set->of[named[i]].has)
			continue;
		*out = named[i];
		return respond_check_ca(&set->of[named[i]], &set->cas->ca[named[i]], now, err);
	}
	if (served)
		return err_set(
		    err, FAIL_DENIED, "ocsp: the CA asked about has no responder certificate");
	for (size_t i = 0; i < set->cas->n && rc != 0; i++) {
		if (!set->of[i].has)
			continue;
		rc = respond_check_ca(&set->of[i], &set->cas->ca[i], now, err);
		if (rc == 0)
			*out = (int)i;
	}
	return rc;
}

/* The status of one serial of the signing CA. *issued false: it never issued this serial. */
static int
respond_status(struct store *store, int64_t ca, const struct ocsp_id *id, struct ocsp_answer *out,
    bool *issued, struct err *err)
{
	struct store_status row;

	*issued = false;
	if (!id->serial_ok)
		return 0;
	if (store_status_get(store, ca, &id->serial, &row, err) != 0)
		return err->code == FAIL_NOT_FOUND ? 0 : -1;
	*issued = true;
	switch (row.state) {
	case CERT_VALID:
		out->status = OCSP_GOOD;
		return 0;
	case CERT_HOLD:
		out->status = OCSP_REVOKED;
		out->revoked_at = row.changed;
		out->reason = REASON_CERTIFICATE_HOLD;
		return 0;
	case CERT_REVOKED:
		out->status = OCSP_REVOKED;
		out->revoked_at = row.changed;
		out->reason = row.reason;
		return 0;
	}
	return err_set(err, FAIL_INTERNAL, "ocsp: a certificate's state is none of the three");
}

/* All single answers, from one view of the database. */
static int
respond_answers(const struct responder *responder, struct store *store, int64_t ca,
    const struct ocsp_request *request, const bool *ours, struct ocsp_answer *answers,
    struct respond_meta *meta, struct err *err)
{
	bool issued;
	int rc = -1;

	if (store_view_begin(store, err) != 0)
		return -1;
	meta->cacheable = request->nonce.p == NULL;
	for (size_t i = 0; i < request->n; i++) {
		struct ocsp_answer *a = &answers[i];

		*a = (struct ocsp_answer){ .id = request->id[i].whole, .status = OCSP_UNKNOWN };
		issued = false;
		if (ours[i] && respond_status(store, ca, &request->id[i], a, &issued, err) != 0)
			goto out;
		/* RFC 6960 2.2: 1970 and certificateHold mark what was never issued. */
		if (ours[i] && !issued && responder->conf.home->ocsp_extended_revoke) {
			a->status = OCSP_REVOKED;
			a->revoked_at = 0;
			a->reason = REASON_CERTIFICATE_HOLD;
		}
		/* It may be issued the next moment. */
		meta->cacheable = meta->cacheable && issued;
		meta->good += a->status == OCSP_GOOD;
		meta->revoked += a->status == OCSP_REVOKED;
		meta->unknown += a->status == OCSP_UNKNOWN;
	}
	rc = 0;
out:
	store_view_end(store);
	return rc;
}

/* A database that cannot be read is no fault of the request: tryLater, or our bug. */
static int
respond_store_failed(struct err *err)
{
	if (err->code != FAIL_UNAVAILABLE)
		err->code = FAIL_INTERNAL;
	return -1;
}

/* What is answered, before and while it is signed. */
struct respond_job {
	struct responder *responder;
	struct respond_set *set; /* held */
	struct respond_meta meta;
	struct ocsp_pending pending;
	bool begun;
	struct err err; /* why it was not begun */
};

/* A refused PIN is the service's trouble: unauthorized would blame the requester. */
static int
respond_sign_failed(struct err *err)
{
	if (err->code == FAIL_DENIED)
		err->code = FAIL_UNAVAILABLE;
	return -1;
}

static int
respond_decide(struct respond_job *job, struct store *store, const uint8_t *octets, size_t len)
{
	const struct respond_conf *conf = &job->responder->conf;
	const struct respond_set *set = job->set;
	struct respond_meta *meta = &job->meta;
	struct err *err = &job->err;
	struct ocsp_request request;
	struct ocsp_answer answers[OCSP_IDS_MAX];
	struct ocsp_params params = { .answers = answers };
	int named[OCSP_IDS_MAX], by = -1;
	bool ours[OCSP_IDS_MAX];
	const struct cert *cert;
	time_t now;

	if (ocsp_request_parse(octets, len, &request, err) != 0 ||
	    timeguard_now(conf->guard, &now, err) != 0)
		return -1;
	for (size_t i = 0; i < request.n; i++)
		named[i] = respond_match(set, &request.id[i]);
	if (respond_choose(set, named, request.n, now, &by, err) != 0)
		return -1;
	for (size_t i = 0; i < request.n; i++)
		ours[i] = named[i] == by;
	if (respond_answers(job->responder, store, set->cas->ca[by].id, &request, ours, answers,
		meta, err) != 0)
		return respond_store_failed(err);
	cert = &set->of[by].cert;
	params.n = request.n;
	params.nonce = request.nonce;
	params.extended_revoke = conf->home->ocsp_extended_revoke;
	params.produced_at = now;
	params.next_update = now + conf->home->ocsp_validity;
	/* No response outlives the certificate that it is verified with. */
	if (params.next_update > cert->not_after)
		params.next_update = cert->not_after;
	params.responder_cert = cert->der;
	meta->produced_at = params.produced_at;
	meta->next_update = params.next_update;
	meta->ca = (unsigned)by;
	meta->signer = set->of[by].signer;
	if (ocsp_response_begin(&params, &conf->signer, &job->pending, err) != 0)
		return respond_sign_failed(err);
	return 0;
}

struct respond_job *
respond_begin(struct responder *responder, struct store *store, const uint8_t *request, size_t len)
{
	struct respond_job *job = mem_alloc(sizeof(*job));

	job->responder = responder;
	job->set = responder_hold(responder);
	job->begun = respond_decide(job, store, request, len) == 0;
	return job;
}

void
respond_end(struct respond_job *job, struct buf *out, struct respond_meta *meta, struct err *err)
{
	bool ok = job->begun;

	if (ok && ocsp_response_end(&job->pending, out, &job->err) != 0) {
		respond_sign_failed(&job->err);
		ok = false;
	}
	*meta = job->meta;
	if (!ok) {
		*meta = (struct respond_meta){ .ocsp_status = err_ocsp_status(job->err.code) };
		ocsp_error_put(out, meta->ocsp_status);
		*err = job->err;
	}
	responder_drop(job->responder, job->set);
	free(job);
}

void
respond(struct responder *responder, struct store *store, const uint8_t *request, size_t len,
    struct buf *out, struct respond_meta *meta, struct err *err)
{
	respond_end(respond_begin(responder, store, request, len), out, meta, err);
}
