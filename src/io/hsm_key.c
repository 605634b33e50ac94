/*
 * Keys on the token: finding the one with a label, making one, and the pool's jobs over them.
 * It speaks to the token through hsm_session.h only, and does not decide when to try again.
 *
 * A point is checked for its length and form here; core checks that it is on its curve.
 */
#include <string.h>

#include <openssl/err.h>

#include "hsm_key.h"
#include "smki/mem.h"

/* RFC 5480 2.1.1.1: named curves as CKA_EC_PARAMS holds them. */
static const struct {
	enum ec_curve curve;
	size_t field;
	size_t len;
	uint8_t params[10];
} hsm_key_curves[] = {
	{ EC_P256, 32, 10, { 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07 } },
	{ EC_P384, 48, 7, { 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22 } },
};

/* The public key object that goes with a private one: by CKA_ID, else by label. */
static enum hsm_verdict
hsm_key_public(const struct hsm_module *module, struct hsm_session *session, unsigned long private,
    const char *label, unsigned long *out, struct err *err)
{
	uint8_t id[HSM_VALUE_MAX];
	unsigned long found[2];
	size_t n = 0, len;
	enum hsm_verdict verdict;

	verdict = hsm_session_value(module, session, private, VALUE_ID, id, &len, err);
	if (verdict != VERDICT_DONE)
		return verdict;
	verdict = hsm_session_search(module, session, CLASS_PUBLIC, len == 0 ? label : NULL,
	    (struct span){ id, len }, found, &n, err);
	if (verdict != VERDICT_DONE)
		return verdict;
	if (n != 1) {
		err_set(err, n == 0 ? FAIL_NOT_FOUND : FAIL_CONFLICT,
		    "token %s: key %s: PKCS#11 CKA_ID: %s public key goes with it",
		    hsm_module_token(module), label, n == 0 ? "no" : "more than one");
		return VERDICT_REFUSED;
	}
	*out = found[0];
	return VERDICT_DONE;
}

/*
 * CKA_EC_POINT is a DER OCTET STRING around the point (PKCS#11 2.40 2.3.3); some modules give
 * the bare point. The lengths tell them apart. -1 when it is neither.
 */
static int
hsm_key_point(const uint8_t *value, size_t len, size_t field, struct ec_pub *out)
{
	size_t point_len = 1 + 2 * field;

	if (len == point_len + 2 && value[0] == 0x04 && value[1] == point_len) {
		value += 2;
		len -= 2;
	}
	if (len != point_len || value[0] != 0x04)
		return -1;
	out->len = len;
	memcpy(out->point, value, len);
	return 0;
}

static enum hsm_verdict
hsm_key_read_pub(const struct hsm_module *module, struct hsm_session *session, unsigned long object,
    const char *label, struct ec_pub *out, struct err *err)
{
	uint8_t params[HSM_VALUE_MAX], point[HSM_VALUE_MAX];
	struct ec_pub pub;
	size_t params_len, point_len;
	enum hsm_verdict verdict;

	verdict = hsm_session_value(
	    module, session, object, VALUE_EC_PARAMS, params, &params_len, err);
	if (verdict == VERDICT_DONE)
		verdict = hsm_session_value(
		    module, session, object, VALUE_EC_POINT, point, &point_len, err);
	if (verdict != VERDICT_DONE)
		return verdict;
	memset(&pub, 0, sizeof(pub));
	for (size_t i = 0; i < ARRAY_LEN(hsm_key_curves); i++)
		if (params_len == hsm_key_curves[i].len &&
		    memcmp(params, hsm_key_curves[i].params, params_len) == 0 &&
		    hsm_key_point(point, point_len, hsm_key_curves[i].field, &pub) == 0) {
			pub.curve = hsm_key_curves[i].curve;
			*out = pub;
			return VERDICT_DONE;
		}
	err_set(err, FAIL_INVALID,
	    "token %s: key %s: PKCS#11 CKA_EC_PARAMS, CKA_EC_POINT: not an uncompressed point of "
	    "P-256 or P-384",
	    hsm_module_token(module), label);
	return VERDICT_REFUSED;
}

/* The one private key with this label, checked, and its public point. */
static enum hsm_verdict
hsm_key_lookup(const struct hsm_module *module, struct hsm_session *session, const char *label,
    unsigned long *key, struct ec_pub *pub, struct err *err)
{
	unsigned long found[2], public;
	size_t n = 0;
	enum hsm_verdict verdict;

	verdict = hsm_session_search(
	    module, session, CLASS_PRIVATE, label, (struct span){ 0 }, found, &n, err);
	if (verdict != VERDICT_DONE)
		return verdict;
	if (n != 1) {
		err_set(err, n == 0 ? FAIL_NOT_FOUND : FAIL_CONFLICT,
		    "token %s: key %s: PKCS#11 CKA_LABEL: %s private key bears it",
		    hsm_module_token(module), label, n == 0 ? "no" : "more than one");
		return VERDICT_REFUSED;
	}
	verdict = hsm_session_check_private(module, session, found[0], label, false, err);
	if (verdict == VERDICT_DONE)
		verdict = hsm_key_public(module, session, found[0], label, &public, err);
	if (verdict == VERDICT_DONE)
		verdict = hsm_key_read_pub(module, session, public, label, pub, err);
	if (verdict == VERDICT_DONE)
		*key = found[0];
	return verdict;
}

/* Sign with the handle of this session: looked up once, and it must be the key it was at first. */
static enum hsm_verdict
hsm_key_sign(const struct hsm_module *module, struct hsm_session *session, struct hsm_job *job,
    struct err *err)
{
	struct ec_pub pub;
	unsigned long key;
	enum hsm_verdict verdict;

	if (!session->has_key[job->index]) {
		verdict = hsm_key_lookup(module, session, job->label, &key, &pub, err);
		if (verdict != VERDICT_DONE)
			return verdict;
		if (pub.len != job->pub.len || memcmp(pub.point, job->pub.point, pub.len) != 0) {
			err_set(err, FAIL_UNAVAILABLE,
			    "token %s: key %s: is another key than before",
			    hsm_module_token(module), job->label);
			return VERDICT_REFUSED;
		}
		session->keys[job->index] = key;
		session->has_key[job->index] = true;
	}
	return hsm_session_sign(module, session, session->keys[job->index], job->digest,
	    job->pub.len / 2, job->rs, err);
}

/* Is the new pair what was asked for? */
static enum hsm_verdict
hsm_key_check_made(const struct hsm_module *module, struct hsm_session *session,
    unsigned long private, unsigned long public, const struct hsm_job *job, struct ec_pub *pub,
    struct err *err)
{
	enum hsm_verdict verdict;

	verdict = hsm_session_check_private(module, session, private, job->label, true, err);
	if (verdict == VERDICT_DONE)
		verdict = hsm_key_read_pub(module, session, public, job->label, pub, err);
	if (verdict == VERDICT_DONE && pub->curve != job->curve) {
		err_set(err, FAIL_DENIED, "token %s: key %s: PKCS#11 CKA_EC_PARAMS: another curve",
		    hsm_module_token(module), job->label);
		verdict = VERDICT_REFUSED;
	}
	return verdict;
}

static enum hsm_verdict
hsm_key_make(const struct hsm_module *module, struct hsm_session *session, struct hsm_job *job,
    struct err *err)
{
	static const enum hsm_class classes[] = { CLASS_PRIVATE, CLASS_PUBLIC };
	unsigned long found[2], private, public;
	struct span params = { 0 };
	struct ec_pub pub;
	enum hsm_verdict verdict;

	for (size_t i = 0; i < ARRAY_LEN(classes); i++) {
		size_t n = 0;

		verdict = hsm_session_search(
		    module, session, classes[i], job->label, (struct span){ 0 }, found, &n, err);
		if (verdict != VERDICT_DONE)
			return verdict;
		if (n != 0) {
			err_set(err, FAIL_CONFLICT, "token %s: key %s: exists already",
			    hsm_module_token(module), job->label);
			return VERDICT_REFUSED;
		}
	}
	for (size_t i = 0; i < ARRAY_LEN(hsm_key_curves); i++)
		if (hsm_key_curves[i].curve == job->curve)
			params = (struct span){ hsm_key_curves[i].params, hsm_key_curves[i].len };
	verdict = hsm_session_make_pair(
	    module, session, job->label, params, &private, &public, err);
	if (verdict != VERDICT_DONE)
		return verdict;
	if (hsm_key_check_made(module, session, private, public, job, &pub, err) != VERDICT_DONE) {
		if (hsm_session_delete_pair(module, session, private, public, NULL) != VERDICT_DONE)
			err_prefix(err, "the new pair could not be deleted");
		return VERDICT_REFUSED;
	}
	job->pub = pub;
	return VERDICT_DONE;
}

enum hsm_verdict
hsm_key_job(const struct hsm_module *module, struct hsm_session *session, struct hsm_job *job,
    struct err *err)
{
	unsigned long key;
	enum hsm_verdict verdict = VERDICT_DONE;

	/* SoftHSM shares our libcrypto and leaves errors in its queue: not ours to report. */
	ERR_clear_error();
	switch (job->kind) {
	case JOB_OPEN:
		break;
	case JOB_FIND:
		verdict = hsm_key_lookup(module, session, job->label, &key, &job->pub, err);
		break;
	case JOB_GENERATE:
		verdict = hsm_key_make(module, session, job, err);
		break;
	case JOB_SIGN:
		verdict = hsm_key_sign(module, session, job, err);
		break;
	}
	ERR_clear_error();
	/* SoftHSM keeps sessions open on a token whose objects it has lost. */
	if (verdict == VERDICT_REFUSED && job->known && err->code == FAIL_NOT_FOUND) {
		err->code = FAIL_UNAVAILABLE;
		verdict = VERDICT_TOKEN;
	}
	return verdict;
}
