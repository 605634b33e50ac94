/*
 * The tokens of a new home: SoftHSM ones are made here with random PINs; tokens named by URI
 * exist already. Keys are generated on the token and never leave it.
 */
#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>

#include "setup.h"
#include "smki/eckey.h"
#include "smki/file.h"
#include "smki/hex.h"
#include "smki/rng.h"
#include "smki/token.h"

/* Random octets of a generated PIN; twice as many hex digits (libp11 takes at most 32). */
#define SETUP_PIN_OCTETS 12

/* A new PIN in a file that only its owner reads. pin holds 2 * SETUP_PIN_OCTETS + 1. */
static int
setup_pin(struct setup_state *state, const char *file, char *pin, struct err *err)
{
	uint8_t octets[SETUP_PIN_OCTETS];
	char path[HOME_PATH_MAX];
	int r = -1;

	if (rng_draw(octets, sizeof octets) != 0)
		return err_set(err, FAIL_INTERNAL, "pin: no random octets");
	hex_encode(octets, sizeof octets, pin);
	OPENSSL_cleanse(octets, sizeof octets);
	if (setup_path(state, path, err, HOME_PINS "/%s", file) == 0 &&
	    file_write(path, pin, 2 * SETUP_PIN_OCTETS, 0400, err) == 0)
		r = 0;
	return r;
}

/* SoftHSM's configuration file and object folder of one token. */
static int
setup_softhsm_conf(struct setup_state *state, enum setup_token which, struct err *err)
{
	struct hsm_conf *conf = &state->token[which];
	const char *name = setup_token_name[which];
	char objects[HOME_PATH_MAX], text[2 * HOME_PATH_MAX];
	int n;

	if (setup_path(state, objects, err, HOME_TOKENS "/%s/objects", name) != 0 ||
	    file_make_dir(objects, 0700, err) != 0 ||
	    setup_path(state, conf->softhsm_conf, err, HOME_TOKENS "/%s/softhsm2.conf", name) != 0)
		return -1;
	n = snprintf(text, sizeof text,
	    "directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n"
	    "slots.removable = false\n",
	    objects);
	return file_write(conf->softhsm_conf, text, (size_t)n, 0400, err);
}

static int
setup_softhsm(struct setup_state *state, enum setup_token which, struct err *err)
{
	struct hsm_conf *conf = &state->token[which];
	const char *name = setup_token_name[which];
	struct token_module *module = NULL;
	char pin[2 * SETUP_PIN_OCTETS + 1], so_pin[2 * SETUP_PIN_OCTETS + 1], file[NAME_LEN + 8];
	int r = -1;

	snprintf(conf->token, sizeof conf->token, "smki-%s", name);
	snprintf(file, sizeof file, "%s-so", name);
	/* The security officer's PIN is for ceremonies: it stays with whoever holds this one. */
	if (token_softhsm_module(conf->module, err) != 0 ||
	    setup_softhsm_conf(state, which, err) != 0 ||
	    setup_path(state, conf->pin_file, err, HOME_PINS "/%s", name) != 0 ||
	    setup_pin(state, name, pin, err) != 0 || setup_pin(state, file, so_pin, err) != 0 ||
	    token_module_open(conf->module, conf->softhsm_conf, &module, err) != 0 ||
	    token_init(module, conf->token, so_pin, pin, err) != 0)
		goto out;
	r = 0;
out:
	token_module_close(module);
	OPENSSL_cleanse(pin, sizeof pin);
	OPENSSL_cleanse(so_pin, sizeof so_pin);
	return r;
}

int
setup_tokens(struct setup_state *state, struct err *err)
{
	for (int i = 0; i < SETUP_TOKENS; i++) {
		enum setup_token which = (enum setup_token)i;
		struct hsm_conf *conf = &state->token[i];
		const char *uri = state->setup->token_uri[i];

		memset(conf, 0, sizeof *conf);
		conf->sessions = 1;
		conf->timeout_ms = 30000;
		if (setup_path(state, conf->latch_file, err, HOME_TOKENS "/%s/pin.refused",
			setup_token_name[i]) != 0)
			return -1;
		if (uri != NULL ? token_uri_parse(uri, conf, err) != 0
				: setup_softhsm(state, which, err) != 0)
			return err_prefix(err, "token for %s", setup_token_name[i]);
		setup_say(state->setup, "token %s: %s", conf->token,
		    uri != NULL ? "as named" : "made (SoftHSM)");
	}
	return 0;
}

/* Generate a key and copy its public half to out. */
static int
setup_generate(struct setup_state *state, enum setup_token which, const char *label,
    enum ec_curve curve, struct ec_pub *out, struct err *err)
{
	struct hsm *hsm = NULL;
	struct hsm_key *key = NULL;
	const struct ec_pub *pub;
	int r = -1;

	if (hsm_open(&state->token[which], &hsm, err) != 0 ||
	    hsm_key_generate(hsm, label, curve, &key, err) != 0)
		goto out;
	pub = hsm_key_pub(key);
	if (ec_pub_from_point(pub->curve, pub->point, pub->len, out, err) != 0)
		goto out;
	setup_say(state->setup, "key %s: %s, made on token %s, stays there", label,
	    ec_curve_str(curve), state->token[which].token);
	r = 0;
out:
	hsm_close(hsm);
	return r;
}

int
setup_key(struct setup_state *state, enum setup_token which, enum ec_curve curve, struct err *err)
{
	return setup_generate(
	    state, which, setup_token_name[which], curve, &state->pub[which], err);
}

int
setup_access_key(struct setup_state *state, struct err *err)
{
	/* RFC 7518 3.4: ES256 is P-256, whatever curve the CA has. */
	return setup_generate(state, SETUP_ISSUING, SETUP_ACCESS_KEY, EC_P256, &state->access, err);
}

int
setup_tokens_own(const struct setup_state *state, struct err *err)
{
	const struct setup *s = state->setup;

	for (int i = 0; i < SETUP_TOKENS; i++) {
		enum setup_token which = (enum setup_token)i;
		uid_t uid = setup_token_uid(s, which);
		gid_t gid = which == SETUP_ISSUING ? s->ca_gid : s->http_gid;
		const char *name = setup_token_name[i];
		char path[HOME_PATH_MAX];

		/* The root's stay with whoever holds the ceremonies. */
		if (which == SETUP_ROOT)
			continue;
		if (setup_path(state, path, err, HOME_TOKENS "/%s", name) != 0 ||
		    setup_own(path, uid, gid, err) != 0)
			return -1;
		if (s->token_uri[i] == NULL &&
		    (setup_path(state, path, err, HOME_PINS "/%s", name) != 0 ||
			setup_own(path, uid, gid, err) != 0))
			return -1;
	}
	return 0;
}
