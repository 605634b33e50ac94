/*
 * The proofs of enrol.h: IDevID, secret, registered key, certificate of ours. Nothing is written
 * here, nothing issued. Messages go to strangers: none tells what a device is registered with.
 */
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "enrol_proof.h"
#include "smki/caset.h"
#include "smki/cert.h"
#include "smki/eckey.h"
#include "smki/hex.h"
#include "smki/mem.h"

/* Record the reason of a refusal; always -1. */
#define PROOF_REFUSE(reason, ...) (*why = (reason), err_set(err, __VA_ARGS__))

/* ---- a certificate of ours ---- */

/* 1 when the chain's first certificate is ours, 0 when not, -1. */
static int
proof_ours(
    const struct enrol_ask *ask, struct store *store, struct enrol_proof *out, struct err *err)
{
	const struct grant *grant = ask->grant;
	struct span der = buf_span(&ask->request->chain[0]);
	struct store_cert row;
	struct cert cert;
	bool found;

	if (cert_parse(der.p, der.len, &cert, NULL) != 0)
		return 0;
	if (store_cert_match(store, &cert.serial, der, &row, &found, err) != 0)
		return -1;
	if (!found)
		return 0;
	out->certificate = row.id;
	out->has_pub = true;
	out->pub = cert.pub;
	out->same_names = span_eq(cert.san, (struct span){ grant->san, grant->san_len }) &&
			  (strcmp(row.profile, ask->profile) != 0 ||
			      span_eq(cert.subject,
				  (struct span){ grant->subject, grant->subject_len }));
	return 1;
}

static int
proof_weigh_ours(const struct enrol_ask *ask, const struct enrol_proof *proof,
    const struct device *device, struct store *store, time_t now, enum refusal *why,
    struct err *err)
{
	char serial[SERIAL_TEXT_LEN];
	struct store_cert row;
	bool stands;

	if (store_cert_get(store, proof->certificate, &row, err) != 0)
		return -1;
	serial_text(&row.serial, serial);
	if (row.holder.kind != HOLDER_DEVICE || row.use != USE_SIGNATURE)
		return PROOF_REFUSE(REFUSAL_CERTIFICATE, FAIL_DENIED,
		    "certificate %s: is not a device's certificate for signatures", serial);
	if (row.state != CERT_VALID)
		return PROOF_REFUSE(REFUSAL_STATE, FAIL_DENIED, "certificate %s: is %s", serial,
		    row.state == CERT_HOLD ? "on hold" : "revoked");
	if (now < row.not_before || now > row.not_after)
		return PROOF_REFUSE(REFUSAL_CERTIFICATE, FAIL_DENIED,
		    "certificate %s: RFC 5280 4.1.2.5: %s", serial,
		    now > row.not_after ? "has ended" : "has not begun");
	if (caset_stands(store, row.ca, now, &stands, err) != 0)
		return -1;
	if (!stands)
		return PROOF_REFUSE(REFUSAL_CERTIFICATE, FAIL_DENIED,
		    "certificate %s: its CA is not valid", serial);
	if (row.holder.name_len != EUI64_LEN ||
	    memcmp(row.holder.name, device->eui.octets, EUI64_LEN) != 0 ||
	    strcmp(row.holder.hw_type, device->hw_type) != 0)
		return PROOF_REFUSE(
		    REFUSAL_IDENTITY, FAIL_DENIED, "certificate %s: is another device's", serial);
	if (ask->request->kind == ENROL_RENEW && !proof->same_names)
		return PROOF_REFUSE(REFUSAL_IDENTITY, FAIL_DENIED,
		    "csr: RFC 7030 4.2.2: subject and subjectAltName are not those of certificate "
		    "%s",
		    serial);
	return 0;
}

/* ---- a manufacturer's certificate ---- */

/* Which refusal it is when the chain does not verify under the anchor of the device's maker. */
static int
proof_wrong_anchor(const struct enrol_ask *ask, const struct span *chain, const char *device,
    time_t now, enum refusal *why, struct err *err)
{
	const struct anchor *other;
	enum refusal other_why;
	struct idevid id;

	if (anchors_find(ask->anchors, chain, ask->request->n_chain, now, &other, &id, &other_why,
		NULL) == 0)
		return PROOF_REFUSE(REFUSAL_MANUFACTURER, FAIL_DENIED,
		    "certificate: is of another manufacturer than device %s", device);
	return -1;
}

static int
proof_idevid(const struct enrol_ask *ask, const struct device *device, time_t now,
    struct enrol_proof *out, enum refusal *why, struct err *err)
{
	const struct anchor *anchor = anchors_get(ask->anchors, device->manufacturer);
	struct span chain[ANCHOR_CHAIN_MAX];
	char eui[2 * EUI64_LEN + 1];
	struct idevid id;

	hex_encode(device->eui.octets, EUI64_LEN, eui);
	for (size_t i = 0; i < ask->request->n_chain; i++)
		chain[i] = buf_span(&ask->request->chain[i]);
	if (anchor == NULL) {
		PROOF_REFUSE(
		    REFUSAL_ANCHOR, FAIL_DENIED, "certificate: proves nothing for device %s", eui);
		return proof_wrong_anchor(ask, chain, eui, now, why, err);
	}
	if (anchor_verify(anchor, chain, ask->request->n_chain, now, &id, why, err) != 0)
		return *why == REFUSAL_ANCHOR ? proof_wrong_anchor(ask, chain, eui, now, why, err)
					      : -1;
	if (memcmp(id.eui.octets, device->eui.octets, EUI64_LEN) != 0 ||
	    (id.has_hw_type && strcmp(id.hw_type, device->hw_type) != 0))
		return PROOF_REFUSE(REFUSAL_IDENTITY, FAIL_DENIED,
		    "certificate: IEEE 802.1AR: names another device than %s", eui);
	memcpy(out->manufacturer, device->manufacturer, sizeof(out->manufacturer));
	out->has_pub = id.has_pub;
	out->pub = id.pub;
	return 0;
}

/* ---- both steps ---- */

static int
proof_statement(const struct enrol_ask *ask, time_t now, struct enrol_proof *proof,
    enum refusal *why, struct err *err)
{
	const struct enrol_request *request = ask->request;
	const struct ec_pub *pub = &ask->grant->pub;
	int64_t off = (int64_t)request->statement.time - now;

	if (off > ask->statement_age || -off > ask->statement_age)
		return PROOF_REFUSE(REFUSAL_TIME, FAIL_DENIED,
		    "bootstrap: time: is off by %lld s, over the %ld s allowed",
		    (long long)(off < 0 ? -off : off), ask->statement_age);
	if (request->n_chain > 0) {
		if (!proof->has_pub)
			return PROOF_REFUSE(REFUSAL_SIGNATURE, FAIL_DENIED,
			    "bootstrap: signature: the certificate's key is not on P-256 or P-384");
		pub = &proof->pub;
	}
	if (statement_verify(&request->statement, ask->csr_sha256, pub,
		buf_span(&request->signature), err) != 0) {
		if (err->code != FAIL_INTERNAL && err->code != FAIL_UNAVAILABLE)
			*why = REFUSAL_SIGNATURE;
		return -1;
	}
	proof->stated = request->n_chain > 0;
	return 0;
}

int
enrol_proof_find(const struct enrol_ask *ask, const struct device *device, struct store *store,
    time_t now, struct enrol_proof *out, enum refusal *why, struct err *err)
{
	const struct enrol_request *request = ask->request;
	struct enrol_proof proof = { 0 };
	int ours = 0;

	*why = REFUSAL_NONE;
	if (request->n_chain > 0 && (ours = proof_ours(ask, store, &proof, err)) < 0)
		return -1;
	if (request->n_chain == 0 && request->kind != ENROL_FIRST)
		return PROOF_REFUSE(REFUSAL_CREDENTIAL, FAIL_DENIED,
		    "enrolment: RFC 7030 3.3.2: no certificate was presented");
	if (request->n_chain > 0 && !ours && request->kind == ENROL_RENEW)
		return PROOF_REFUSE(REFUSAL_CERTIFICATE, FAIL_DENIED,
		    "certificate: RFC 7030 4.2.2: is not one of ours");
	if (request->n_chain > 0 && !ours && proof_idevid(ask, device, now, &proof, why, err) != 0)
		return -1;
	if (request->has_statement && proof_statement(ask, now, &proof, why, err) != 0)
		return -1;
	*out = proof;
	return 0;
}

static int
proof_weigh_secret(
    const struct enrol_ask *ask, const struct device *device, enum refusal *why, struct err *err)
{
	static const uint8_t none[SHA256_LEN];
	const uint8_t *offered = ask->secret != NULL ? ask->secret : none;
	int same = CRYPTO_memcmp(device->secret, offered, SHA256_LEN) == 0;

	if (!same || ask->secret == NULL || (device->proofs & DEVICE_PROOF_SECRET) == 0)
		return PROOF_REFUSE(
		    REFUSAL_SECRET, FAIL_DENIED, "enrolment secret: is not one of this device");
	if (device->secret_used && memcmp(device->secret_key, ask->key_hash, SHA256_LEN) != 0)
		return PROOF_REFUSE(REFUSAL_SECRET_USED, FAIL_CONFLICT,
		    "enrolment secret: was used for another key already");
	return 0;
}

/* Whether the request's own key is the one registered. */
static bool
proof_key(const struct enrol_ask *ask, const struct device *device)
{
	uint8_t hash[SHA256_LEN];
	struct buf spki = { 0 };

	if ((device->proofs & DEVICE_PROOF_KEY) == 0 || ask->request->kind == ENROL_SERVER_KEY)
		return false;
	ec_pub_put(&spki, &ask->grant->pub);
	require(EVP_Digest(spki.data, spki.len, hash, NULL, EVP_sha256(), NULL) == 1);
	buf_free(&spki);
	return memcmp(hash, device->key, SHA256_LEN) == 0;
}

/*
 * Whether any of what is right is a proof of this kind of request, and for end-to-end devices one
 * that the front cannot have made up.
 */
static int
proof_enough(const struct enrol_ask *ask, const struct enrol_proof *proof,
    const struct device *device, enum refusal *why, struct err *err)
{
	const struct enrol_request *request = ask->request;
	bool key = proof_key(ask, device);
	bool idevid = (device->proofs & DEVICE_PROOF_IDEVID) != 0 &&
		      proof->manufacturer[0] != '\0' &&
		      strcmp(proof->manufacturer, device->manufacturer) == 0;
	bool enough = false;

	switch (request->kind) {
	case ENROL_FIRST:
		enough = request->has_secret || key || idevid || proof->certificate != 0;
		break;
	case ENROL_RENEW:
		enough = proof->certificate != 0;
		break;
	case ENROL_SERVER_KEY:
		/* The front sees the key: no proof makes that end-to-end. */
		enough = idevid && !request->has_secret && !device->end_to_end;
		break;
	}
	if (device->end_to_end && !request->has_secret && !key && !proof->stated)
		enough = false;
	if (device->proofs == 0) /* it enrols only through operators */
		enough = false;
	if (enough)
		return 0;
	if (!request->has_secret && request->n_chain == 0)
		return PROOF_REFUSE(REFUSAL_CREDENTIAL, FAIL_DENIED,
		    "enrolment: nothing was presented that proves the device");
	return PROOF_REFUSE(REFUSAL_PROOF, FAIL_DENIED,
	    "enrolment: what was presented is no proof that this device is registered with");
}

int
enrol_proof_weigh(const struct enrol_ask *ask, const struct enrol_proof *proof,
    const struct device *device, struct store *store, time_t now, enum refusal *why,
    struct err *err)
{
	*why = REFUSAL_NONE;
	if (ask->request->has_secret && proof_weigh_secret(ask, device, why, err) != 0)
		return -1;
	if (proof->certificate != 0 &&
	    proof_weigh_ours(ask, proof, device, store, now, why, err) != 0)
		return -1;
	return proof_enough(ask, proof, device, why, err);
}
