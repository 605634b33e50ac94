/*
 * The little of PKCS#11 that the hsm files speak: a thread's session, its login, searches,
 * attributes, signing, making a pair. Private to src/io; only hsm_session.c knows PKCS#11.
 * Each function blocks for as long as the module does; deadlines are the pool's. Object handles
 * are the module's own numbers.
 */
#ifndef IO_HSM_SESSION_H
#define IO_HSM_SESSION_H

#include "smki/hsm.h"

/* Most keys looked up in one struct hsm. */
#define HSM_KEYS_MAX 64
/* Room for any CKA_ID, parameters or point met; what is longer is refused. */
#define HSM_VALUE_MAX 256

/* The function list of a loaded module, and which token of it is meant. Read by all threads. */
struct hsm_module;

/* One thread's session; only that thread ever touches it (SoftHSM crashes otherwise). */
struct hsm_session {
	bool is_open;
	unsigned long slot;
	unsigned long handle;
	/* Handles of keys already looked up in this session, by struct hsm_job's index. */
	bool has_key[HSM_KEYS_MAX];
	unsigned long keys[HSM_KEYS_MAX];
};

/* What became of a call: what to do with the session, and whether to try again. */
enum hsm_verdict {
	VERDICT_DONE,	 /* the answer is there */
	VERDICT_REFUSED, /* final: another try would say the same; the session is good */
	VERDICT_SESSION, /* close this session and try again in a new one */
	VERDICT_TOKEN,	 /* all sessions are lost: the same, for every thread */
};

enum hsm_class {
	CLASS_PRIVATE,
	CLASS_PUBLIC,
};

enum hsm_value {
	VALUE_ID,
	VALUE_EC_PARAMS,
	VALUE_EC_POINT,
};

/* The functions of a module that token_module_open has loaded. conf is copied. */
int hsm_module_open(const struct hsm_conf *conf, struct hsm_module **out, struct err *err) MUST_USE;
void hsm_module_close(struct hsm_module *module); /* NULL is fine */
const char *hsm_module_token(const struct hsm_module *module);

/*
 * Find the slot by the token's label and open a session in it. *needs_login says whether
 * hsm_session_login must follow. Failures leave no session open.
 */
enum hsm_verdict hsm_session_open(const struct hsm_module *module, struct hsm_session *session,
    bool *needs_login, struct err *err) MUST_USE;
/*
 * Log in with the PIN of its file, unless the latch holds it; a refused PIN is latched before
 * this returns (FAIL_DENIED, VERDICT_REFUSED). At most one call at a time for one module.
 */
enum hsm_verdict hsm_session_login(
    struct hsm_module *module, struct hsm_session *session, struct err *err) MUST_USE;
/* Close the session and forget its key handles; none open is fine. */
void hsm_session_close(const struct hsm_module *module, struct hsm_session *session);

/* The first two objects of the class with this label, or with this CKA_ID when label is NULL. */
enum hsm_verdict hsm_session_search(const struct hsm_module *module, struct hsm_session *session,
    enum hsm_class class, const char *label, struct span id, unsigned long found[2], size_t *n,
    struct err *err) MUST_USE;
/* One attribute of an object; one it does not have is empty, not a failure. */
enum hsm_verdict hsm_session_value(const struct hsm_module *module, struct hsm_session *session,
    unsigned long object, enum hsm_value value, uint8_t out[HSM_VALUE_MAX], size_t *len,
    struct err *err) MUST_USE;
/*
 * Is this private key one that can sign and never leave its token (CKA_SENSITIVE, not
 * CKA_EXTRACTABLE, CKA_SIGN, no login per signature)? made: also all else that was asked for at
 * its making. FAIL_DENIED naming the attribute.
 */
enum hsm_verdict hsm_session_check_private(const struct hsm_module *module,
    struct hsm_session *session, unsigned long key, const char *label, bool made,
    struct err *err) MUST_USE;

/* CKM_ECDSA; digest has field octets, rs gets twice as many. */
enum hsm_verdict hsm_session_sign(const struct hsm_module *module, struct hsm_session *session,
    unsigned long key, const uint8_t *digest, size_t field, uint8_t *rs, struct err *err) MUST_USE;

/*
 * Make a pair on the curve of these CKA_EC_PARAMS, with a random CKA_ID, in a read-write session
 * of its own. A failure of the making itself is final: a second try might make a second pair.
 */
enum hsm_verdict hsm_session_make_pair(const struct hsm_module *module,
    const struct hsm_session *session, const char *label, struct span params,
    unsigned long *private, unsigned long *public, struct err *err) MUST_USE;
/* Delete both objects of a pair. */
enum hsm_verdict hsm_session_delete_pair(const struct hsm_module *module,
    const struct hsm_session *session, unsigned long private, unsigned long public,
    struct err *err) MUST_USE;

#endif
