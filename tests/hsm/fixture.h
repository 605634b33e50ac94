/*
 * What the hsm tests share: a SoftHSM token in a temporary folder, the shim's control, signature
 * checks by OpenSSL, and raw PKCS#11 calls for what the product refuses to do.
 */
#ifndef FIXTURE_H
#define FIXTURE_H

#include "smki/hsm.h"
#include "smki/token.h"

#define FIXTURE_PIN "4711-user-pin"
#define FIXTURE_SO_PIN "0815-officer-pin"
/* Meson's word for "skipped". */
#define FIXTURE_SKIP 77

struct fixture {
	char dir[128];
	struct hsm_conf conf;
	char control[256], count[256];
};

/* Path of SoftHSM's module; NULL when it is not installed. */
const char *fixture_module(void);

/* A folder with configuration and PIN file, no token yet. Ends the program on failure. */
void fixture_dir(struct fixture *f, const char *label);
/* With an initialised token; shim is a path or NULL for the bare module. */
void fixture_open(struct fixture *f, const char *label, const char *shim);
void fixture_close(struct fixture *f);

void fixture_write(const char *path, const char *text);
void fixture_pin(const struct fixture *f, const char *pin);
/* Say a word to the shim; "" is good behaviour. */
void fixture_control(const struct fixture *f, const char *word);
/* How many calls of a name ("login", "sign", "open") the shim has counted. */
unsigned fixture_count(const struct fixture *f, const char *name);

/* 1 as soon as cond(arg) holds, 0 when it does not within ms. */
int fixture_wait(int (*cond)(void *), void *arg, long ms);

/* Does r||s verify under the point? OpenSSL's answer. */
int fixture_verify(const struct ec_pub *pub, const uint8_t *digest, const uint8_t *rs);

/* hsm_open that must succeed. */
struct hsm *fixture_hsm(const struct fixture *f);

/* In the module that is loaded and logged in: a P-256 pair by hand. */
void raw_make_key(const struct hsm_conf *conf, const char *label, int extractable, int with_public);
/* One boolean attribute of the private key with this label: 0, 1, or -1 when it has none. */
int raw_private_is(const struct hsm_conf *conf, const char *label, const char *attribute);
/* Number of private and public keys with this label. */
unsigned raw_count_keys(const struct hsm_conf *conf, const char *label);
/* Give the free token of a loaded module this label. */
void raw_init_token(const struct hsm_conf *conf, const char *label);

#endif
