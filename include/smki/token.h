/*
 * Tokens through libp11: loading the module, and the ceremony's work (initialise a token, set its
 * PINs).
 */
#ifndef SMKI_TOKEN_H
#define SMKI_TOKEN_H

#include "smki/hsm.h"

struct token_module;

/* Load a PKCS#11 module; softhsm_conf "" or a path put in SOFTHSM2_CONF first. FAIL_UNAVAILABLE. */
int token_module_open(const char *module, const char *softhsm_conf, struct token_module **out,
    struct err *err) MUST_USE;
void token_module_close(struct token_module *module); /* C_Finalize and unload; NULL is fine */
/*
 * C_Finalize and load it anew: SoftHSM and some network HSMs never see a token again that went
 * away while they were initialised. All its sessions in this process end; nobody may be in a call
 * to it. FAIL_CONFLICT when somebody else has it open too: nothing is done. FAIL_UNAVAILABLE when
 * it does not come up: it stays down, to be called again.
 */
int token_module_restart(struct token_module *module, struct err *err) MUST_USE;

/*
 * Initialise the first uninitialised token of the module with this label: security officer PIN
 * and user PIN. A label already present: FAIL_CONFLICT; no free token: FAIL_UNAVAILABLE.
 */
int token_init(struct token_module *module, const char *label, const char *so_pin,
    const char *user_pin, struct err *err) MUST_USE;

/* Path of SoftHSM's module on this system (Debian's places), or FAIL_NOT_FOUND saying what to
 * install. */
int token_softhsm_module(char out[HSM_PATH_MAX], struct err *err) MUST_USE;

/*
 * An RFC 7512 URI naming an existing token: needs token=, module-path= and pin-source=file:...
 * (or a plain path); fills module, token and pin_file of conf. pin-value is refused (a PIN never
 * stands in an argument). FAIL_INVALID.
 */
int token_uri_parse(const char *uri, struct hsm_conf *conf, struct err *err) MUST_USE;

#endif
