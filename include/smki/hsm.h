/*
 * Signing keys on a PKCS#11 token, for daemons and ceremony alike: a pool of signing threads, one
 * session each, that loses and finds the token again without a restart.
 *
 * What it promises: a key never leaves the token; a signature request ends within timeout_ms,
 * token or no token; a wrong PIN is tried once, then latched (also over restarts) until the PIN
 * file changes; the PIN is wiped after each login.
 */
#ifndef SMKI_HSM_H
#define SMKI_HSM_H

#include "smki/types.h"

/* Most signing threads of one token, longest PIN in octets, abandoned threads before giving up. */
#define HSM_SESSIONS_MAX 32
#define HSM_PIN_MAX 255
#define HSM_ABANDONED_MAX 4
#define HSM_LABEL_MAX 32 /* PKCS#11 token labels; key labels here too */
#define HSM_PATH_MAX 1024

struct hsm_conf {
	char module[HSM_PATH_MAX];	 /* shared library */
	char token[HSM_LABEL_MAX + 1];	 /* token label */
	char pin_file[HSM_PATH_MAX];	 /* or "credential:NAME" under $CREDENTIALS_DIRECTORY */
	char latch_file[HSM_PATH_MAX];	 /* remembers a refused PIN; its folder must be writable */
	char softhsm_conf[HSM_PATH_MAX]; /* "" or SoftHSM's configuration: set before loading */
	long sessions;			 /* signing threads, 1..HSM_SESSIONS_MAX */
	long timeout_ms;		 /* one signature, at most */
};

struct hsm;
struct hsm_key;

/*
 * Load the module (libp11), find the token by label, log in, start the threads. Failures:
 * module missing or token absent FAIL_UNAVAILABLE; PIN refused or latched FAIL_DENIED "token
 * smki-issuing: PKCS#11 C_Login: PIN was refused; it is not tried again until PATH changes".
 * One process may have several open only where their softhsm_conf is the same or "".
 */
int hsm_open(const struct hsm_conf *conf, struct hsm **out, struct err *err) MUST_USE;
/* Ends the threads (an abandoned one is left behind), logs out, unloads. NULL is fine. */
void hsm_close(struct hsm *hsm);

/*
 * The EC key pair with this label. Missing: FAIL_NOT_FOUND; two of them: FAIL_CONFLICT; one that
 * could leave its token, cannot sign or wants a login per signature: FAIL_DENIED naming the
 * attribute. The handle belongs to hsm and lives until hsm_close.
 */
int hsm_key_find(
    struct hsm *hsm, const char *label, struct hsm_key **out, struct err *err) MUST_USE;
/* Its public key, read at hsm_key_find: lent. */
const struct ec_pub *hsm_key_pub(const struct hsm_key *key);
/*
 * Generate an EC key pair on the token: label, random CKA_ID, private: sensitive, not
 * extractable, sign only, private, token object. Label taken: FAIL_CONFLICT. Ceremony only.
 */
int hsm_key_generate(struct hsm *hsm, const char *label, enum ec_curve curve, struct hsm_key **out,
    struct err *err) MUST_USE;

/*
 * CKM_ECDSA over a digest of the curve's length; rs gets r||s (2 * field length). Any thread.
 * FAIL_UNAVAILABLE when the token is away, busy beyond the deadline or refuses; FAIL_DENIED when
 * the PIN is refused or latched. Matches struct signer's sign with ctx = the key.
 */
int hsm_sign(void *key, const uint8_t *digest, size_t len, uint8_t *rs, struct err *err) MUST_USE;
/*
 * The same in two parts, so that the asker may prepare or begin others meanwhile; timeout_ms counts
 * from the first. Each that is begun is ended, soon: an overdue call is noticed by those who end.
 * Match struct signer's begin and end.
 */
int hsm_sign_begin(
    void *key, const uint8_t *digest, size_t len, void **pending, struct err *err) MUST_USE;
int hsm_sign_end(void *pending, uint8_t *rs, struct err *err) MUST_USE;

/* 1 when more than HSM_ABANDONED_MAX threads never came back: the process should end (75). */
int hsm_is_lost(struct hsm *hsm);
/* 1 when the last signature or bring-up reached the token: for status pages. */
int hsm_is_ready(struct hsm *hsm);

#endif
