/*
 * Access tokens: a certificate is found again in the database, judged, and answered with a token
 * that names it. Nothing is written here, and nothing of what the front says about the device is
 * believed beyond the octets of its certificate.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/sha.h>

#include "device_rate.h"
#include "smki/access.h"
#include "smki/caset.h"
#include "smki/clock.h"
#include "smki/eckey.h"
#include "smki/hex.h"
#include "smki/mem.h"
#include "smki/rng.h"

/* iss when neither [access] issuer nor [smki] url is configured. */
#define ACCESS_ISSUER "smki"

struct access {
	struct access_conf conf;
	char iss[JWT_TEXT_LEN], aud[JWT_TEXT_LEN];
	struct device_rate *rate;
};

/* What one request comes to. */
struct access_work {
	struct access *access;
	const struct access_request *request;
	struct store *reader;
	time_t now;
	struct store_cert cert; /* the row of the TLS peer's certificate */
	struct eui64 eui;
	char who[STORE_REFUSED_LEN]; /* for counting: the device once it is proven */
	char scope[JWT_TEXT_LEN];
	struct access_answer *out;
};

void
access_request_free(struct access_request *request)
{
	buf_free(&request->der);
}

int
access_new(const struct access_conf *conf, struct access **out, struct err *err)
{
	const struct home_access *home = &conf->home->access;
	const char *iss = home->issuer;
	struct access *access;

	if (iss[0] == '\0')
		iss = conf->home->url[0] != '\0' ? conf->home->url : ACCESS_ISSUER;
	if (strlen(iss) >= JWT_TEXT_LEN)
		return err_set(err, FAIL_INVALID,
		    HOME_CONF ": [access] issuer is missing, and [smki] url is over %d octets",
		    JWT_TEXT_LEN - 1);
	access = mem_alloc(sizeof(*access));
	access->conf = *conf;
	access->rate = device_rate_new();
	strcpy(access->iss, iss);
	strcpy(access->aud, home->audience[0] != '\0' ? home->audience : iss);
	*out = access;
	return 0;
}

void
access_free(struct access *access)
{
	if (access == NULL)
		return;
	device_rate_free(access->rate);
	free(access);
}

/* The judgement went against the peer, whose err stands in the answer: 1. */
static int
access_refuse(struct access_work *work, enum refusal reason)
{
	work->out->refused = true;
	work->out->reason = reason;
	refusals_count(work->access->conf.refusals, work->who, reason, work->now, 1);
	return 1;
}

/* The one certificate with exactly these octets. 0 found, 1 refused, -1. */
static int
access_find(struct access_work *work, struct err *err)
{
	const struct buf *der = &work->request->der;
	struct cert cert;
	bool found = false;

	if (der->len <= CERT_DER_MAX && cert_parse(der->data, der->len, &cert, NULL) == 0 &&
	    store_cert_match(work->reader, &cert.serial, buf_span(der), &work->cert, &found, err) !=
		0)
		return -1;
	if (found)
		return 0;
	err_set(&work->out->err, FAIL_DENIED,
	    "token: RFC 8705 2: the TLS certificate is not one of ours");
	return access_refuse(work, REFUSAL_CERTIFICATE);
}

/* The CA of the certificate and all above it are valid. 0, 1, -1. */
static int
access_check_ca(struct access_work *work, struct err *err)
{
	bool stands;

	if (caset_stands(work->reader, work->cert.ca, work->now, &stands, err) != 0)
		return -1;
	if (stands)
		return 0;
	err_set(&work->out->err, FAIL_DENIED, "token: RFC 5280 6.1.3: ca %s is not valid",
	    work->cert.ca_name);
	return access_refuse(work, REFUSAL_CERTIFICATE);
}

/* A device's, for signatures, in force. 0, 1, -1. */
static int
access_check_cert(struct access_work *work, struct err *err)
{
	const struct store_cert *cert = &work->cert;
	struct err *why = &work->out->err;

	if (cert->holder.kind != HOLDER_DEVICE || cert->holder.name_len != EUI64_LEN ||
	    cert->use != USE_SIGNATURE) {
		err_set(why, FAIL_DENIED,
		    "token: the TLS certificate is not a device's for signatures");
		return access_refuse(work, REFUSAL_CERTIFICATE);
	}
	memcpy(work->eui.octets, cert->holder.name, EUI64_LEN);
	/* From here on the device is who is refused: TLS has proven its key to the front. */
	hex_encode(work->eui.octets, EUI64_LEN, work->who);
	if (cert->state != CERT_VALID) {
		err_set(why, FAIL_DENIED, "token: the TLS certificate is %s",
		    cert->state == CERT_HOLD ? "on hold" : "revoked");
		return access_refuse(work, REFUSAL_STATE);
	}
	/* The clock may be a little behind that of a moment ago. */
	if (work->now > cert->not_after || work->now + CLOCK_BACK_MAX < cert->not_before) {
		err_set(why, FAIL_DENIED, "token: RFC 5280 4.1.2.5: the TLS certificate has %s",
		    work->now > cert->not_after ? "ended" : "not begun");
		return access_refuse(work, REFUSAL_CERTIFICATE);
	}
	return access_check_ca(work, err);
}

/* In the register, and active. 0, 1, -1. */
static int
access_check_device(struct access_work *work, struct err *err)
{
	struct err *why = &work->out->err;
	struct device *device = mem_alloc(sizeof(*device));
	int r = -1;

	if (store_device_get(work->reader, &work->eui, device, err) != 0) {
		if (err->code == FAIL_NOT_FOUND) {
			err_set(why, FAIL_DENIED, "token: device %s is not registered", work->who);
			r = access_refuse(work, REFUSAL_UNREGISTERED);
		}
		goto out;
	}
	switch (device->state) {
	case DEVICE_ACTIVE:
		r = 0;
		break;
	case DEVICE_HOLD:
		err_set(why, FAIL_DENIED, "token: device %s is on hold", work->who);
		r = access_refuse(work, REFUSAL_HELD);
		break;
	case DEVICE_RETIRED:
		err_set(why, FAIL_DENIED, "token: device %s is retired", work->who);
		r = access_refuse(work, REFUSAL_RETIRED);
		break;
	}
out:
	free(device);
	return r;
}

/* RFC 6749 3.3: whether list, names with one space between, holds this one. */
static bool
access_scope_has(const char *list, const char *name, size_t len)
{
	for (size_t n; *list != '\0'; list += n + (list[n] == ' ')) {
		n = strcspn(list, " ");
		if (n == len && memcmp(list, name, len) == 0)
			return true;
	}
	return false;
}

/* Every name of sub stands in list; two spaces or one at an end make an empty name. */
static bool
access_scope_within(const char *sub, const char *list)
{
	size_t n;

	for (;; sub += n + 1) {
		n = strcspn(sub, " ");
		if (n == 0 || !access_scope_has(list, sub, n))
			return false;
		if (sub[n] == '\0')
			return true;
	}
}

/* What the profile of the row gives, cut to what was asked for, in the profile's order. */
static int
access_check_scope(struct access_work *work)
{
	const struct profile *profile = profiles_get(
	    work->access->conf.profiles, work->cert.profile);
	const char *asked = work->request->scope, *all = profile == NULL ? "" : profile->scopes;
	size_t at = 0, n;

	if (all[0] == '\0') {
		err_set(&work->out->err, FAIL_DENIED, "token: profile %s gives no access tokens",
		    work->cert.profile);
		return access_refuse(work, REFUSAL_SCOPE);
	}
	if (asked[0] != '\0' && !access_scope_within(asked, all)) {
		err_set(&work->out->err, FAIL_INVALID,
		    "token: RFC 6749 5.2: scope is not one of profile %s", work->cert.profile);
		return access_refuse(work, REFUSAL_SCOPE);
	}
	for (const char *p = all; *p != '\0'; p += n + (p[n] == ' ')) {
		n = strcspn(p, " ");
		if (asked[0] != '\0' && !access_scope_has(asked, p, n))
			continue;
		if (at > 0)
			work->scope[at++] = ' ';
		memcpy(work->scope + at, p, n);
		at += n;
	}
	work->scope[at] = '\0';
	return 0;
}

/* RFC 8705 2: client_id names the device of the certificate. */
static int
access_check_client(struct access_work *work)
{
	const char *client = work->request->client;
	struct eui64 eui;

	if (client[0] == '\0' || (eui64_parse(client, &eui, NULL) == 0 &&
				     memcmp(eui.octets, work->eui.octets, EUI64_LEN) == 0))
		return 0;
	err_set(&work->out->err, FAIL_DENIED,
	    "token: RFC 6749 5.2: client_id is not the device of the TLS certificate");
	return access_refuse(work, REFUSAL_SCOPE);
}

/* Each token takes a signature of the issuing CA's token: nobody takes them all. */
static int
access_check_rate(struct access_work *work)
{
	if (device_rate_take(work->access->rate, &work->eui, clock_mono_ms(), &work->out->err) == 0)
		return 0;
	return access_refuse(work, REFUSAL_QUOTA);
}

/* One view of the database for all of it. 0, 1, -1. */
static int
access_judge(struct access_work *work, struct err *err)
{
	int r;

	if (store_view_begin(work->reader, err) != 0)
		return -1;
	r = access_find(work, err);
	if (r == 0)
		r = access_check_cert(work, err);
	if (r == 0)
		r = access_check_device(work, err);
	store_view_end(work->reader);
	if (r == 0)
		r = access_check_client(work);
	if (r == 0)
		r = access_check_scope(work);
	if (r == 0)
		r = access_check_rate(work);
	return r;
}

/*
 * The key to sign with. One that its token does not hold is passed over; but a key that is not
 * published any more signs nothing, because nobody could verify it.
 */
static int
access_pick(struct access_work *work, struct signer *signer, char kid[JWT_KID_LEN], struct err *err)
{
	const struct access_conf *conf = &work->access->conf;
	struct store_access_key keys[STORE_ACCESS_KEYS_MAX], left[STORE_ACCESS_KEYS_MAX];
	const struct store_access_key *key;
	size_t n = 0, n_left, i;

	if (store_access_key_list(work->reader, keys, &n, err) != 0)
		return -1;
	memcpy(left, keys, sizeof(keys));
	for (n_left = n; n_left > 0; n_left--) {
		key = access_key_now(left, n_left, work->now);
		for (i = 0; keys[i].id != key->id; i++)
			;
		if (!access_key_is_published(keys, n, i, work->now, conf->home->access.lifetime))
			break;
		if (conf->signer(conf->ctx, keys[i].label, signer, err) == 0) {
			if (ec_pub_eq(&signer->pub, &keys[i].pub)) {
				memcpy(kid, keys[i].kid, JWT_KID_LEN);
				return 0;
			}
		} else if (err->code != FAIL_NOT_FOUND) {
			return -1;
		}
		i = (size_t)(key - left);
		memmove(&left[i], &left[i + 1], (n_left - i - 1) * sizeof(left[0]));
	}
	return err_set(err, FAIL_UNAVAILABLE, "access: no key; make one with: smki token-key new");
}

static int
access_sign(struct access_work *work, struct err *err)
{
	const struct access *access = work->access;
	struct jwt_claims claims = { .iat = work->now };
	struct access_answer *out = work->out;
	struct buf text = { 0 };
	struct signer signer;
	int r = -1;

	if (access_pick(work, &signer, claims.kid, err) != 0)
		return -1;
	strcpy(claims.iss, access->iss);
	strcpy(claims.aud, access->aud);
	hex_encode(work->eui.octets, EUI64_LEN, claims.sub);
	strcpy(claims.scope, work->scope);
	claims.exp = work->now + access->conf.home->access.lifetime;
	/* Nor does it outlive what it is bound to. */
	if (claims.exp > work->cert.not_after)
		claims.exp = work->cert.not_after;
	if (rng_draw(claims.jti, sizeof(claims.jti)) != 0)
		return err_set(err, FAIL_INTERNAL, "token: no random octets");
	SHA256(work->request->der.data, work->request->der.len, claims.x5t_s256);
	if (jwt_sign(&signer, &claims, &text, err) != 0)
		goto out;
	if (text.len >= sizeof(out->token)) {
		err_set(err, FAIL_INTERNAL, "token: it has %zu octets", text.len);
		goto out;
	}
	memcpy(out->token, text.data, text.len);
	out->token[text.len] = '\0';
	strcpy(out->scope, work->scope);
	out->expires_in = claims.exp - claims.iat;
	r = 0;
out:
	buf_free(&text);
	return r;
}

int
access_run(struct access *access, struct access_request *request, struct store *reader,
    struct access_answer *out, struct err *err)
{
	struct access_answer *answer = mem_alloc(sizeof(*answer));
	struct access_work *work = mem_alloc(sizeof(*work));
	int r = -1;

	work->access = access;
	work->request = request;
	work->reader = reader;
	work->out = answer;
	snprintf(work->who, sizeof(work->who), "%s", request->address);
	if (timeguard_now(access->conf.guard, &work->now, err) != 0)
		goto out;
	r = access_judge(work, err);
	if (r == 0)
		r = access_sign(work, err);
	if (r >= 0) {
		*out = *answer;
		r = 0;
	}
out:
	free(work);
	free(answer);
	return r;
}
