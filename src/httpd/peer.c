/*
 * The judge of TLS peers. A certificate that is not recognised refuses the request whatever else
 * comes with it.
 */
#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "front_data.h"
#include "peer.h"
#include "smki/clock.h"
#include "smki/mem.h"

#define PEER_SETS 256
#define PEER_WAYS 4
#define PEER_KEEP_MS 60000

struct peer_verdict {
	uint8_t chain[SHA256_LEN];
	uint64_t reading; /* of the anchors */
	int64_t until_ms; /* 0 = free */
	enum refusal why; /* REFUSAL_NONE = verified */
};

struct peer_cache {
	pthread_mutex_t lock;
	struct peer_verdict verdict[PEER_SETS][PEER_WAYS];
};

struct peer_cache *
peer_cache_new(void)
{
	struct peer_cache *cache = mem_alloc(sizeof(*cache));

	pthread_mutex_init(&cache->lock, NULL);
	return cache;
}

void
peer_cache_free(struct peer_cache *cache)
{
	if (cache == NULL)
		return;
	pthread_mutex_destroy(&cache->lock);
	free(cache);
}

static bool
peer_cache_get(
    struct peer_cache *cache, const uint8_t chain[SHA256_LEN], uint64_t reading, enum refusal *why)
{
	struct peer_verdict *set = cache->verdict[chain[0] % PEER_SETS];
	int64_t now = clock_mono_ms();
	bool found = false;

	pthread_mutex_lock(&cache->lock);
	for (size_t i = 0; i < PEER_WAYS && !found; i++) {
		found = set[i].until_ms > now && set[i].reading == reading &&
			memcmp(set[i].chain, chain, SHA256_LEN) == 0;
		if (found)
			*why = set[i].why;
	}
	pthread_mutex_unlock(&cache->lock);
	return found;
}

/* In the place of the one that ends first. */
static void
peer_cache_put(
    struct peer_cache *cache, const uint8_t chain[SHA256_LEN], uint64_t reading, enum refusal why)
{
	struct peer_verdict *set = cache->verdict[chain[0] % PEER_SETS], *place = set;

	pthread_mutex_lock(&cache->lock);
	for (size_t i = 1; i < PEER_WAYS; i++)
		if (set[i].until_ms < place->until_ms)
			place = &set[i];
	*place = (struct peer_verdict){
		.reading = reading, .until_ms = clock_mono_ms() + PEER_KEEP_MS, .why = why
	};
	memcpy(place->chain, chain, SHA256_LEN);
	pthread_mutex_unlock(&cache->lock);
}

static int
peer_refuse(enum refusal reason, enum refusal *why, struct err *err, const char *finding)
{
	*why = reason;
	return err_set(
	    err, reason == REFUSAL_FORM ? FAIL_INVALID : FAIL_DENIED, "tls: %s", finding);
}

/* One of ours, by its state as it is now. */
static int
peer_ours(const struct store_cert *row, time_t now, enum refusal *why, struct err *err)
{
	switch (row->state) {
	case CERT_VALID:
		break;
	case CERT_HOLD:
		return peer_refuse(REFUSAL_STATE, why, err, "the certificate is on hold");
	case CERT_REVOKED:
		return peer_refuse(REFUSAL_STATE, why, err, "the certificate is revoked");
	}
	if (now > row->not_after || now < row->not_before)
		return peer_refuse(REFUSAL_CERTIFICATE, why, err,
		    "RFC 5280 4.1.2.5: the certificate has ended or is not valid yet");
	if (row->holder.kind != HOLDER_DEVICE || row->use != USE_SIGNATURE)
		return peer_refuse(REFUSAL_CERTIFICATE, why, err,
		    "the certificate is not one of a device for its signatures");
	return 0;
}

static void
peer_chain_hash(const struct span *chain, size_t n, uint8_t out[SHA256_LEN])
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	uint64_t len;

	require(md != NULL && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1);
	for (size_t i = 0; i < n; i++) {
		len = chain[i].len;
		require(EVP_DigestUpdate(md, &len, sizeof(len)) == 1 &&
			EVP_DigestUpdate(md, chain[i].p, chain[i].len) == 1);
	}
	require(EVP_DigestFinal_ex(md, out, NULL) == 1);
	EVP_MD_CTX_free(md);
}

/* A manufacturer's? Strangers are told what kind of fault it is, not which manufacturers exist. */
static int
peer_idevid(struct httpd *httpd, const struct span *chain, size_t n, time_t now, enum refusal *why,
    struct err *err)
{
	uint8_t hash[SHA256_LEN];
	const struct anchor *anchor;
	enum refusal reason = REFUSAL_ANCHOR;
	struct front_view view;
	struct idevid id;

	peer_chain_hash(chain, n, hash);
	front_data_hold(httpd->data, &view);
	if (!peer_cache_get(httpd->peers, hash, view.reading, &reason)) {
		if (anchors_find(view.anchors, chain, n, now, &anchor, &id, &reason, err) == 0)
			reason = REFUSAL_NONE;
		peer_cache_put(httpd->peers, hash, view.reading, reason);
	}
	front_data_release(httpd->data);
	if (reason == REFUSAL_NONE)
		return 0;
	if (reason == REFUSAL_FORM)
		return peer_refuse(
		    REFUSAL_FORM, why, err, "the certificates cannot be read, or are too many");
	if (reason == REFUSAL_CERTIFICATE)
		return peer_refuse(REFUSAL_CERTIFICATE, why, err,
		    "RFC 5280 6: the certificate has ended, is not valid yet, is revoked or names "
		    "no "
		    "device");
	return peer_refuse(REFUSAL_ANCHOR, why, err,
	    "RFC 5280 6: the certificate is none of ours and leads to no manufacturer's anchor");
}

int
peer_judge(struct route_ctx *ctx, const struct http_request *request, struct peer *out,
    enum refusal *why, struct err *err)
{
	struct store_cert row;
	struct cert cert;
	bool ours = false;
	time_t now;

	*why = REFUSAL_NONE;
	if (request->n_peer == 0) {
		*out = (struct peer){ .kind = PEER_NONE };
		return 0;
	}
	if (request->n_peer > ANCHOR_CHAIN_MAX)
		return peer_refuse(REFUSAL_FORM, why, err, "too many certificates");
	if (ctx->store == NULL)
		return err_set(err, FAIL_UNAVAILABLE, "http: the database is away");
	now = timeguard_record(ctx->httpd->guard);
	if (cert_parse(request->peer[0].p, request->peer[0].len, &cert, NULL) == 0 &&
	    store_cert_match(ctx->store, &cert.serial, cert.der, &row, &ours, err) != 0)
		return -1;
	if ((ours ? peer_ours(&row, now, why, err)
		  : peer_idevid(ctx->httpd, request->peer, request->n_peer, now, why, err)) != 0)
		return -1;
	*out = (struct peer){ .kind = ours ? PEER_OURS : PEER_IDEVID,
		.n_chain = ours ? 1 : request->n_peer };
	memcpy(out->chain, request->peer, out->n_chain * sizeof(out->chain[0]));
	if (ours)
		out->holder = row.holder;
	return 0;
}
