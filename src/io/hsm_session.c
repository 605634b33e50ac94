/*
 * PKCS#11: the one file that speaks to a module's function list. It finds the token by its
 * label, opens and logs in a session, and wraps the few calls hsm_key.c is made of.
 * It starts no thread, waits for nothing but the module, and never closes another's session.
 *
 * Lengths and counts a module answers with are checked as if a stranger had sent them.
 */
#include <assert.h>
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>

#include <p11-kit/p11-kit.h>
#include <p11-kit/pkcs11.h>

#include "hsm_session.h"
#include "pin.h"
#include "smki/mem.h"
#include "smki/rng.h"

#define HSM_SLOTS_MAX 1024
#define HSM_ID_LEN 16 /* CKA_ID of the keys made here: random */

static_assert(sizeof(CK_OBJECT_HANDLE) == sizeof(unsigned long), "handles are unsigned long");

struct hsm_module {
	void *handle;
	CK_FUNCTION_LIST *f;
	struct hsm_conf conf;
	/* A refusal that could not be put in the latch file: no PIN is tried while we live. */
	bool unlatched_refusal;
};

static CK_BBOOL hsm_true = CK_TRUE;
static CK_BBOOL hsm_false = CK_FALSE;

int
hsm_module_open(const struct hsm_conf *conf, struct hsm_module **out, struct err *err)
{
	struct hsm_module *module = mem_alloc(sizeof(*module));
	CK_C_GetFunctionList get_list = NULL;
	void *symbol;

	module->conf = *conf;
	/* The same path gives the object libp11 has loaded and initialised. */
	module->handle = dlopen(conf->module, RTLD_NOW | RTLD_LOCAL);
	symbol = module->handle == NULL ? NULL : dlsym(module->handle, "C_GetFunctionList");
	if (symbol == NULL) {
		err_set(err, FAIL_UNAVAILABLE, "PKCS#11 module %s: %s", conf->module, dlerror());
		goto fail;
	}
	memcpy(&get_list, &symbol, sizeof(get_list));
	if (get_list(&module->f) != CKR_OK || module->f == NULL) {
		err_set(
		    err, FAIL_UNAVAILABLE, "PKCS#11 module %s: C_GetFunctionList", conf->module);
		goto fail;
	}
	*out = module;
	return 0;
fail:
	hsm_module_close(module);
	return -1;
}

void
hsm_module_close(struct hsm_module *module)
{
	if (module == NULL)
		return;
	if (module->handle != NULL)
		dlclose(module->handle);
	free(module);
}

const char *
hsm_module_token(const struct hsm_module *module)
{
	return module->conf.token;
}

/* Say what a call answered and judge what it means for the session. Never VERDICT_DONE. */
static enum hsm_verdict
hsm_session_fail(const struct hsm_module *module, const char *call, CK_RV rv, struct err *err)
{
	err_set(err, FAIL_UNAVAILABLE, "token %s: PKCS#11 %s: %s (0x%lx)", module->conf.token, call,
	    p11_kit_strerror(rv), (unsigned long)rv);
	switch (rv) {
	case CKR_SESSION_HANDLE_INVALID:
	case CKR_SESSION_CLOSED:
	case CKR_DEVICE_REMOVED:
	case CKR_DEVICE_ERROR:
	case CKR_TOKEN_NOT_PRESENT:
	case CKR_OBJECT_HANDLE_INVALID:
	case CKR_KEY_HANDLE_INVALID:
	case CKR_USER_NOT_LOGGED_IN:
	case CKR_GENERAL_ERROR:
	case CKR_CRYPTOKI_NOT_INITIALIZED:
	case CKR_SLOT_ID_INVALID:
		return VERDICT_TOKEN;
	case CKR_KEY_FUNCTION_NOT_PERMITTED:
	case CKR_KEY_TYPE_INCONSISTENT:
	case CKR_KEY_SIZE_RANGE:
	case CKR_MECHANISM_INVALID:
	case CKR_MECHANISM_PARAM_INVALID:
	case CKR_DATA_LEN_RANGE:
	case CKR_DATA_INVALID:
	case CKR_FUNCTION_NOT_SUPPORTED:
	case CKR_CURVE_NOT_SUPPORTED:
	case CKR_DOMAIN_PARAMS_INVALID:
	case CKR_TEMPLATE_INCONSISTENT:
	case CKR_TEMPLATE_INCOMPLETE:
	case CKR_ATTRIBUTE_VALUE_INVALID:
		return VERDICT_REFUSED;
	default:
		/* CKR_OPERATION_ACTIVE and all else: a new session has no operation active. */
		return VERDICT_SESSION;
	}
}

/* CK_TOKEN_INFO pads its label with blanks. */
static bool
hsm_session_label_is(const CK_TOKEN_INFO *info, const char *label)
{
	uint8_t padded[sizeof(info->label)];

	memset(padded, ' ', sizeof(padded));
	memcpy(padded, label, strlen(label));
	return (info->flags & CKF_TOKEN_INITIALIZED) != 0 &&
	       memcmp(padded, info->label, sizeof(padded)) == 0;
}

static enum hsm_verdict
hsm_session_slot(const struct hsm_module *module, CK_SLOT_ID *out, struct err *err)
{
	CK_SLOT_ID *slots = NULL;
	CK_ULONG n = 0, found = 0;
	CK_RV rv, mute = CKR_OK;
	enum hsm_verdict verdict;

	rv = module->f->C_GetSlotList(CK_TRUE, NULL, &n);
	if (rv == CKR_OK && n <= HSM_SLOTS_MAX) {
		slots = mem_array(n + 1, sizeof(*slots));
		rv = module->f->C_GetSlotList(CK_TRUE, slots, &n);
	}
	if (rv != CKR_OK || n > HSM_SLOTS_MAX) {
		verdict = hsm_session_fail(
		    module, "C_GetSlotList", rv == CKR_OK ? CKR_DEVICE_ERROR : rv, err);
		goto out;
	}
	for (CK_ULONG i = 0; i < n; i++) {
		CK_TOKEN_INFO info;

		memset(&info, 0, sizeof(info));
		rv = module->f->C_GetTokenInfo(slots[i], &info);
		if (rv != CKR_OK && rv != CKR_TOKEN_NOT_PRESENT)
			mute = rv;
		if (rv != CKR_OK || !hsm_session_label_is(&info, module->conf.token))
			continue;
		found++;
		*out = slots[i];
	}
	if (found == 1) {
		verdict = VERDICT_DONE;
	} else if (found == 0 && mute != CKR_OK) {
		/* It may be the one that does not say its label. */
		(void)hsm_session_fail(module, "C_GetTokenInfo", mute, err);
		verdict = VERDICT_TOKEN;
	} else if (found == 0) {
		err_set(err, FAIL_UNAVAILABLE, "token %s: is not present", module->conf.token);
		verdict = VERDICT_TOKEN;
	} else {
		err_set(err, FAIL_CONFLICT, "token %s: %lu tokens bear this label",
		    module->conf.token, (unsigned long)found);
		verdict = VERDICT_REFUSED;
	}
out:
	free(slots);
	return verdict;
}

enum hsm_verdict
hsm_session_open(const struct hsm_module *module, struct hsm_session *session, bool *needs_login,
    struct err *err)
{
	CK_SESSION_INFO info;
	enum hsm_verdict verdict;
	CK_RV rv;

	ERR_clear_error();
	verdict = hsm_session_slot(module, &session->slot, err);
	if (verdict != VERDICT_DONE)
		return verdict;
	rv = module->f->C_OpenSession(
	    session->slot, CKF_SERIAL_SESSION, NULL, NULL, &session->handle);
	if (rv != CKR_OK)
		return hsm_session_fail(module, "C_OpenSession", rv, err);
	session->is_open = true;
	rv = module->f->C_GetSessionInfo(session->handle, &info);
	if (rv != CKR_OK) {
		verdict = hsm_session_fail(module, "C_GetSessionInfo", rv, err);
		hsm_session_close(module, session);
		return verdict;
	}
	/* A login belongs to the process: another session's serves this one. */
	*needs_login = info.state != CKS_RO_USER_FUNCTIONS && info.state != CKS_RW_USER_FUNCTIONS;
	return VERDICT_DONE;
}

void
hsm_session_close(const struct hsm_module *module, struct hsm_session *session)
{
	if (!session->is_open)
		return;
	/* Its answer changes nothing: the handle is forgotten either way. */
	(void)module->f->C_CloseSession(session->handle);
	ERR_clear_error();
	memset(session, 0, sizeof(*session));
}

static bool
hsm_session_pin_refused(CK_RV rv)
{
	return rv == CKR_PIN_INCORRECT || rv == CKR_PIN_LOCKED || rv == CKR_PIN_INVALID ||
	       rv == CKR_PIN_LEN_RANGE || rv == CKR_PIN_EXPIRED;
}

static enum hsm_verdict
hsm_session_denied(const struct hsm_module *module, struct err *err)
{
	err_set(err, FAIL_DENIED,
	    "token %s: PKCS#11 C_Login: PIN was refused; it is not tried again until %s changes",
	    module->conf.token, module->conf.pin_file);
	return VERDICT_REFUSED;
}

enum hsm_verdict
hsm_session_login(struct hsm_module *module, struct hsm_session *session, struct err *err)
{
	enum hsm_verdict verdict = VERDICT_REFUSED;
	struct pin pin = { 0 };
	struct err why;
	bool refused;
	CK_RV rv;

	if (module->unlatched_refusal)
		return hsm_session_denied(module, err);
	if (pin_read(module->conf.pin_file, &pin, &why) != 0 ||
	    pin_latch_check(module->conf.latch_file, &pin, &refused, &why) != 0) {
		err_set(err, why.code, "token %s: %s", module->conf.token, why.msg);
		goto out;
	}
	if (refused) {
		verdict = hsm_session_denied(module, err);
		goto out;
	}
	rv = module->f->C_Login(session->handle, CKU_USER, (CK_UTF8CHAR *)pin.text, pin.len);
	ERR_clear_error();
	if (hsm_session_pin_refused(rv)) {
		verdict = hsm_session_denied(module, err);
		if (pin_latch_set(module->conf.latch_file, &pin, &why) != 0) {
			module->unlatched_refusal = true;
			err_set(err, FAIL_DENIED,
			    "token %s: PKCS#11 C_Login: PIN was refused, and this cannot be "
			    "remembered: %s",
			    module->conf.token, why.msg);
		}
	} else if (rv == CKR_OK || rv == CKR_USER_ALREADY_LOGGED_IN) {
		if (rv == CKR_OK)
			pin_latch_clear(module->conf.latch_file);
		verdict = VERDICT_DONE;
	} else if (hsm_session_fail(module, "C_Login", rv, err) == VERDICT_TOKEN &&
		   rv != CKR_GENERAL_ERROR && rv != CKR_DEVICE_ERROR) {
		/* Lost before it could judge the PIN; all else may have counted as a try. */
		verdict = VERDICT_TOKEN;
	}
out:
	pin_wipe(&pin);
	return verdict;
}

static enum hsm_verdict
hsm_session_attr(const struct hsm_module *module, struct hsm_session *session,
    CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type, void *out, size_t cap, size_t *len,
    struct err *err)
{
	CK_ATTRIBUTE a = { type, out, cap };
	CK_RV rv = module->f->C_GetAttributeValue(session->handle, object, &a, 1);

	*len = 0;
	if (rv == CKR_ATTRIBUTE_TYPE_INVALID)
		return VERDICT_DONE;
	if (rv == CKR_OK && a.ulValueLen > cap)
		rv = CKR_BUFFER_TOO_SMALL;
	if (rv != CKR_OK)
		return hsm_session_fail(module, "C_GetAttributeValue", rv, err);
	*len = a.ulValueLen;
	return VERDICT_DONE;
}

enum hsm_verdict
hsm_session_value(const struct hsm_module *module, struct hsm_session *session,
    unsigned long object, enum hsm_value value, uint8_t out[HSM_VALUE_MAX], size_t *len,
    struct err *err)
{
	CK_ATTRIBUTE_TYPE type = CKA_ID;

	switch (value) {
	case VALUE_ID:
		break;
	case VALUE_EC_PARAMS:
		type = CKA_EC_PARAMS;
		break;
	case VALUE_EC_POINT:
		type = CKA_EC_POINT;
		break;
	}
	return hsm_session_attr(module, session, object, type, out, HSM_VALUE_MAX, len, err);
}

enum hsm_verdict
hsm_session_search(const struct hsm_module *module, struct hsm_session *session,
    enum hsm_class class, const char *label, struct span id, unsigned long found[2], size_t *n,
    struct err *err)
{
	CK_OBJECT_CLASS object = class == CLASS_PRIVATE ? CKO_PRIVATE_KEY : CKO_PUBLIC_KEY;
	uint8_t value[HSM_VALUE_MAX];
	CK_ATTRIBUTE match[] = { { CKA_CLASS, &object, sizeof(object) }, { CKA_ID, value, 0 } };
	CK_ULONG got = 1, total = 0;
	CK_RV rv, final;

	if (label != NULL) {
		match[1].type = CKA_LABEL;
		id = (struct span){ (const uint8_t *)label, strlen(label) };
	}
	require(id.len <= sizeof(value));
	memcpy(value, id.p, id.len);
	match[1].ulValueLen = id.len;
	rv = module->f->C_FindObjectsInit(session->handle, match, ARRAY_LEN(match));
	if (rv != CKR_OK)
		return hsm_session_fail(module, "C_FindObjectsInit", rv, err);
	/* A module may hand them out one by one; none is the end. */
	while (rv == CKR_OK && got != 0 && total < 2) {
		got = 0;
		rv = module->f->C_FindObjects(session->handle, found + total, 2 - total, &got);
		if (rv == CKR_OK && got > 2 - total)
			rv = CKR_DEVICE_ERROR;
		if (rv == CKR_OK)
			total += got;
	}
	/* On both branches: a search left open blocks the session. */
	final = module->f->C_FindObjectsFinal(session->handle);
	if (rv != CKR_OK || final != CKR_OK)
		return hsm_session_fail(module,
		    rv != CKR_OK ? "C_FindObjects" : "C_FindObjectsFinal",
		    rv != CKR_OK ? rv : final, err);
	*n = total;
	return VERDICT_DONE;
}

/* What a private key must be, as made and as met. Absence is forgiven where tokens differ. */
static const struct {
	CK_ATTRIBUTE_TYPE type;
	const char *name;
	CK_BBOOL want;
	bool may_lack;
	bool when_made; /* checked after making only; a key met later may be laxer here */
} hsm_private_rules[] = {
	{ CKA_SENSITIVE, "CKA_SENSITIVE", CK_TRUE, false, false },
	{ CKA_EXTRACTABLE, "CKA_EXTRACTABLE", CK_FALSE, false, false },
	{ CKA_SIGN, "CKA_SIGN", CK_TRUE, false, false },
	{ CKA_ALWAYS_AUTHENTICATE, "CKA_ALWAYS_AUTHENTICATE", CK_FALSE, true, false },
	{ CKA_TOKEN, "CKA_TOKEN", CK_TRUE, false, true },
	{ CKA_PRIVATE, "CKA_PRIVATE", CK_TRUE, false, true },
	{ CKA_DERIVE, "CKA_DERIVE", CK_FALSE, true, true },
	{ CKA_DECRYPT, "CKA_DECRYPT", CK_FALSE, true, true },
	{ CKA_UNWRAP, "CKA_UNWRAP", CK_FALSE, true, true },
	{ CKA_ALWAYS_SENSITIVE, "CKA_ALWAYS_SENSITIVE", CK_TRUE, true, true },
	{ CKA_NEVER_EXTRACTABLE, "CKA_NEVER_EXTRACTABLE", CK_TRUE, true, true },
	{ CKA_LOCAL, "CKA_LOCAL", CK_TRUE, true, true },
};

enum hsm_verdict
hsm_session_check_private(const struct hsm_module *module, struct hsm_session *session,
    unsigned long key, const char *label, bool made, struct err *err)
{
	for (size_t i = 0; i < ARRAY_LEN(hsm_private_rules); i++) {
		CK_BBOOL value = CK_FALSE;
		size_t len;
		enum hsm_verdict verdict;

		if (hsm_private_rules[i].when_made && !made)
			continue;
		verdict = hsm_session_attr(module, session, key, hsm_private_rules[i].type, &value,
		    sizeof(value), &len, err);
		if (verdict != VERDICT_DONE)
			return verdict;
		if (len == 0 && hsm_private_rules[i].may_lack)
			continue;
		if (len != sizeof(value) || (value != CK_FALSE) != hsm_private_rules[i].want) {
			err_set(err, FAIL_DENIED, "token %s: key %s: PKCS#11 %s: is not %s",
			    module->conf.token, label, hsm_private_rules[i].name,
			    hsm_private_rules[i].want ? "true" : "false");
			return VERDICT_REFUSED;
		}
	}
	return VERDICT_DONE;
}

enum hsm_verdict
hsm_session_sign(const struct hsm_module *module, struct hsm_session *session, unsigned long key,
    const uint8_t *digest, size_t field, uint8_t *rs, struct err *err)
{
	CK_MECHANISM mechanism = { CKM_ECDSA, NULL, 0 };
	uint8_t data[SHA384_LEN];
	/* Room to see an answer that is too long instead of having it refused. */
	uint8_t value[HSM_VALUE_MAX];
	CK_ULONG len = sizeof(value);
	CK_RV rv;

	require(field <= sizeof(data));
	memcpy(data, digest, field);
	rv = module->f->C_SignInit(session->handle, &mechanism, key);
	if (rv != CKR_OK)
		return hsm_session_fail(module, "C_SignInit", rv, err);
	rv = module->f->C_Sign(session->handle, data, field, value, &len);
	if (rv != CKR_OK)
		return hsm_session_fail(module, "C_Sign", rv, err);
	if (len != 2 * field) {
		err_set(err, FAIL_UNAVAILABLE,
		    "token %s: PKCS#11 C_Sign: signature has %lu octets, not %zu",
		    module->conf.token, (unsigned long)len, 2 * field);
		return VERDICT_SESSION;
	}
	memcpy(rs, value, len);
	return VERDICT_DONE;
}

static enum hsm_verdict
hsm_session_open_rw(const struct hsm_module *module, const struct hsm_session *session,
    CK_SESSION_HANDLE *rw, struct err *err)
{
	CK_RV rv = module->f->C_OpenSession(
	    session->slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, rw);

	return rv == CKR_OK ? VERDICT_DONE : hsm_session_fail(module, "C_OpenSession", rv, err);
}

enum hsm_verdict
hsm_session_make_pair(const struct hsm_module *module, const struct hsm_session *session,
    const char *label, struct span params, unsigned long *private, unsigned long *public,
    struct err *err)
{
	CK_MECHANISM mechanism = { CKM_EC_KEY_PAIR_GEN, NULL, 0 };
	uint8_t id[HSM_ID_LEN], curve[HSM_VALUE_MAX], name[HSM_LABEL_MAX];
	CK_ATTRIBUTE pub[] = {
		{ CKA_EC_PARAMS, curve, params.len },
		{ CKA_TOKEN, &hsm_true, sizeof(hsm_true) },
		{ CKA_PRIVATE, &hsm_false, sizeof(hsm_false) },
		{ CKA_VERIFY, &hsm_true, sizeof(hsm_true) },
		{ CKA_LABEL, name, strlen(label) },
		{ CKA_ID, id, sizeof(id) },
	};
	CK_ATTRIBUTE prv[] = {
		{ CKA_TOKEN, &hsm_true, sizeof(hsm_true) },
		{ CKA_PRIVATE, &hsm_true, sizeof(hsm_true) },
		{ CKA_SENSITIVE, &hsm_true, sizeof(hsm_true) },
		{ CKA_EXTRACTABLE, &hsm_false, sizeof(hsm_false) },
		{ CKA_SIGN, &hsm_true, sizeof(hsm_true) },
		{ CKA_DERIVE, &hsm_false, sizeof(hsm_false) },
		{ CKA_DECRYPT, &hsm_false, sizeof(hsm_false) },
		{ CKA_UNWRAP, &hsm_false, sizeof(hsm_false) },
		{ CKA_LABEL, name, strlen(label) },
		{ CKA_ID, id, sizeof(id) },
	};
	CK_SESSION_HANDLE rw;
	CK_RV rv;

	require(params.len <= sizeof(curve) && strlen(label) <= sizeof(name));
	memcpy(curve, params.p, params.len);
	memcpy(name, label, strlen(label));
	if (rng_draw(id, sizeof(id)) != 0) {
		err_set(err, FAIL_INTERNAL, "token %s: key %s: no random CKA_ID",
		    module->conf.token, label);
		return VERDICT_REFUSED;
	}
	if (hsm_session_open_rw(module, session, &rw, err) != VERDICT_DONE)
		return VERDICT_TOKEN;
	rv = module->f->C_GenerateKeyPair(
	    rw, &mechanism, pub, ARRAY_LEN(pub), prv, ARRAY_LEN(prv), public, private);
	(void)module->f->C_CloseSession(rw);
	if (rv == CKR_OK)
		return VERDICT_DONE;
	(void)hsm_session_fail(module, "C_GenerateKeyPair", rv, err);
	return VERDICT_REFUSED;
}

enum hsm_verdict
hsm_session_delete_pair(const struct hsm_module *module, const struct hsm_session *session,
    unsigned long private, unsigned long public, struct err *err)
{
	CK_SESSION_HANDLE rw;
	enum hsm_verdict verdict = hsm_session_open_rw(module, session, &rw, err);
	CK_RV a, b;

	if (verdict != VERDICT_DONE)
		return verdict;
	a = module->f->C_DestroyObject(rw, private);
	b = module->f->C_DestroyObject(rw, public);
	(void)module->f->C_CloseSession(rw);
	if (a == CKR_OK && b == CKR_OK)
		return VERDICT_DONE;
	return hsm_session_fail(module, "C_DestroyObject", a != CKR_OK ? a : b, err);
}
