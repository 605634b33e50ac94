/*
 * The token side of PKCS#11 through libp11: modules, and the ceremony that initialises a token.
 * It opens no session but token_init's own; signing is the pool's. Slots are listed through libp11
 * in the ceremony only: its listing loses memory when a token answers with an error.
 *
 * A module is one object per process however often it is opened: C_Initialize and C_Finalize
 * act on the whole process, so the table below counts its users and the last one finalizes.
 */
#include <dlfcn.h>
#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libp11.h>
#include <openssl/crypto.h>
#include <openssl/err.h>

#include "smki/mem.h"
#include "smki/token.h"

struct token_module {
	struct token_module *next;
	char *path; /* as resolved: two names of one file are one module */
	char *softhsm_conf;
	unsigned users;
	PKCS11_CTX *ctx; /* NULL after a restart that failed */
	/*
	 * The ceremony's listing. PKCS11_update_slots would carry slots over, but those crash in
	 * libp11 0.4.12.
	 */
	PKCS11_SLOT *slots;
	unsigned n_slots;
};

/* libp11 locks nothing here, and the table is the process's. */
static pthread_mutex_t token_lock = PTHREAD_MUTEX_INITIALIZER;
static struct token_module *token_modules;

/* Ends all sessions of these slots, and wipes libp11's copy of a PIN. */
static void
token_release_slots(struct token_module *module)
{
	if (module->slots != NULL)
		PKCS11_release_all_slots(module->ctx, module->slots, module->n_slots);
	module->slots = NULL;
	module->n_slots = 0;
}

/* Load the module and initialise it. */
static int
token_load(struct token_module *module, struct err *err)
{
	const char *conf = module->softhsm_conf, *set = getenv("SOFTHSM2_CONF");
	PKCS11_CTX *ctx = NULL;
	/* libp11 prints the loader's reason on standard error; ours goes in err. */
	void *probe = dlopen(module->path, RTLD_NOW | RTLD_LOCAL);
	int r = -1;

	if (probe == NULL)
		return err_set(err, FAIL_UNAVAILABLE, "PKCS#11 module %s", dlerror());
	/* SoftHSM's own word for an unreadable configuration is a failed C_Initialize. */
	if (conf[0] != '\0' && access(conf, R_OK) != 0) {
		err_sys(err, errno == EACCES ? FAIL_DENIED : FAIL_UNAVAILABLE,
		    "SoftHSM configuration %s", conf);
		goto out;
	}
	/*
	 * It reads its configuration's path from here at C_Initialize, and only then. Not written
	 * again at a restart: other threads may read the environment by then.
	 */
	if (conf[0] != '\0' && (set == NULL || strcmp(set, conf) != 0) &&
	    setenv("SOFTHSM2_CONF", conf, 1) != 0) {
		err_sys(err, FAIL_UNAVAILABLE, "PKCS#11 module %s: SOFTHSM2_CONF", module->path);
		goto out;
	}
	ERR_clear_error();
	ctx = PKCS11_CTX_new();
	require(ctx != NULL);
	if (PKCS11_CTX_load(ctx, module->path) != 0) {
		err_ssl(err, FAIL_UNAVAILABLE, "PKCS#11 module %s: cannot be loaded", module->path);
		PKCS11_CTX_free(ctx);
		goto out;
	}
	ERR_clear_error();
	module->ctx = ctx;
	r = 0;
out:
	dlclose(probe);
	return r;
}

/* A restart that failed left it unloaded. Under the lock. */
static int
token_wake(struct token_module *module, struct err *err)
{
	return module->ctx != NULL ? 0 : token_load(module, err);
}

static void
token_unload(struct token_module *module)
{
	if (module->ctx == NULL)
		return;
	PKCS11_CTX_unload(module->ctx);
	PKCS11_CTX_free(module->ctx);
	module->ctx = NULL;
	ERR_clear_error();
}

static void
token_module_free(struct token_module *module)
{
	token_unload(module);
	free(module->path);
	free(module->softhsm_conf);
	free(module);
}

static struct token_module *
token_module_new(const char *path, const char *softhsm_conf, struct err *err)
{
	struct token_module *module = mem_alloc(sizeof(*module));

	module->path = mem_str(path);
	module->softhsm_conf = mem_str(softhsm_conf);
	module->users = 1;
	if (token_load(module, err) == 0)
		return module;
	token_module_free(module);
	return NULL;
}

int
token_module_open(
    const char *path, const char *softhsm_conf, struct token_module **out, struct err *err)
{
	char resolved[PATH_MAX];
	struct token_module *module;
	int r = -1;

	/* A bare name is the loader's to find. */
	if (strchr(path, '/') == NULL || realpath(path, resolved) == NULL) {
		if (strlen(path) >= sizeof(resolved))
			return err_set(err, FAIL_INVALID, "PKCS#11 module: its path is too long");
		memcpy(resolved, path, strlen(path) + 1);
	}
	pthread_mutex_lock(&token_lock);
	for (module = token_modules; module != NULL; module = module->next)
		if (strcmp(module->path, resolved) == 0)
			break;
	if (module != NULL) {
		if (softhsm_conf[0] != '\0' && strcmp(softhsm_conf, module->softhsm_conf) != 0) {
			err_set(err, FAIL_CONFLICT,
			    "PKCS#11 module %s: is open with another configuration than %s", path,
			    softhsm_conf);
			goto out;
		}
		if (token_wake(module, err) != 0)
			goto out;
		module->users++;
	} else {
		module = token_module_new(resolved, softhsm_conf, err);
		if (module == NULL)
			goto out;
		module->next = token_modules;
		token_modules = module;
	}
	*out = module;
	r = 0;
out:
	pthread_mutex_unlock(&token_lock);
	return r;
}

void
token_module_close(struct token_module *module)
{
	if (module == NULL)
		return;
	pthread_mutex_lock(&token_lock);
	if (--module->users == 0) {
		struct token_module **at = &token_modules;

		while (*at != module)
			at = &(*at)->next;
		*at = module->next;
		token_module_free(module);
	}
	pthread_mutex_unlock(&token_lock);
}

int
token_module_restart(struct token_module *module, struct err *err)
{
	int r;

	pthread_mutex_lock(&token_lock);
	if (module->users > 1) {
		r = err_set(err, FAIL_CONFLICT, "PKCS#11 module %s: is in use", module->path);
	} else {
		token_unload(module);
		r = token_load(module, err);
	}
	pthread_mutex_unlock(&token_lock);
	return r;
}

/* List the slots as they are now. Under the lock. */
static int
token_list(struct token_module *module, struct err *err)
{
	PKCS11_SLOT *slots = NULL;
	unsigned n = 0;

	token_release_slots(module);
	ERR_clear_error();
	if (PKCS11_enumerate_slots(module->ctx, &slots, &n) != 0)
		return err_ssl(
		    err, FAIL_UNAVAILABLE, "PKCS#11 module %s: C_GetSlotList", module->path);
	/* SoftHSM leaves errors of its own in the queue of a call that succeeded. */
	ERR_clear_error();
	module->slots = slots;
	module->n_slots = n;
	return 0;
}

/* Slots whose initialised token bears the label, in the last listing: their number, the first. */
static unsigned
token_count(const struct token_module *module, const char *label, PKCS11_SLOT **first)
{
	unsigned found = 0;

	for (unsigned i = 0; i < module->n_slots; i++) {
		const PKCS11_TOKEN *token = module->slots[i].token;

		if (token == NULL || !token->initialized || token->label == NULL ||
		    strcmp(token->label, label) != 0)
			continue;
		if (found++ == 0)
			*first = &module->slots[i];
	}
	return found;
}

static int
token_init_check(const char *label, const char *so_pin, const char *user_pin, struct err *err)
{
	const char *pins[] = { so_pin, user_pin };

	if (label[0] == '\0' || strlen(label) > HSM_LABEL_MAX)
		return err_set(
		    err, FAIL_INVALID, "token: PKCS#11 label: has 1 to %d octets", HSM_LABEL_MAX);
	/* Labels are blank padded on the token: one with a blank at its end is never found. */
	if (label[strlen(label) - 1] == ' ')
		return err_set(
		    err, FAIL_INVALID, "token %s: PKCS#11 label: ends in a blank", label);
	for (size_t i = 0; i < ARRAY_LEN(pins); i++)
		if (pins[i][0] == '\0' || strlen(pins[i]) > HSM_PIN_MAX)
			return err_set(err, FAIL_INVALID, "token %s: a PIN has 1 to %d octets",
			    label, HSM_PIN_MAX);
	return 0;
}

static PKCS11_SLOT *
token_free_slot(struct token_module *module)
{
	for (unsigned i = 0; i < module->n_slots; i++)
		if (module->slots[i].token != NULL && !module->slots[i].token->initialized)
			return &module->slots[i];
	return NULL;
}

/* C_InitToken, then the user's PIN in a session of the security officer. Under the lock. */
static int
token_init_slot(struct token_module *module, PKCS11_SLOT *slot, const char *label,
    const char *so_pin, const char *user_pin, struct err *err)
{
	char padded[HSM_LABEL_MAX + 1];

	/* Blank padded as C_InitToken wants it, whether or not libp11 sees to that. */
	snprintf(padded, sizeof(padded), "%-*s", HSM_LABEL_MAX, label);
	ERR_clear_error();
	if (PKCS11_init_token(slot->token, so_pin, padded) != 0)
		return err_ssl(err, FAIL_UNAVAILABLE, "token %s: PKCS#11 C_InitToken", label);
	/* The listing above knows it as uninitialised, maybe under another number. */
	if (token_list(module, err) != 0)
		return -1;
	if (token_count(module, label, &slot) != 1)
		return err_set(err, FAIL_UNAVAILABLE,
		    "token %s: PKCS#11 C_InitToken: cannot be found afterwards", label);
	ERR_clear_error();
	if (PKCS11_open_session(slot, 1) != 0 || PKCS11_login(slot, 1, so_pin) != 0)
		return err_ssl(
		    err, FAIL_UNAVAILABLE, "token %s: PKCS#11 C_Login as its officer", label);
	if (PKCS11_init_pin(slot->token, user_pin) != 0)
		return err_ssl(err, FAIL_UNAVAILABLE, "token %s: PKCS#11 C_InitPIN", label);
	if (PKCS11_logout(slot) != 0)
		return err_ssl(err, FAIL_UNAVAILABLE, "token %s: PKCS#11 C_Logout", label);
	return 0;
}

int
token_init(struct token_module *module, const char *label, const char *so_pin, const char *user_pin,
    struct err *err)
{
	PKCS11_SLOT *slot = NULL;
	int r = -1;

	if (token_init_check(label, so_pin, user_pin, err) != 0)
		return -1;
	pthread_mutex_lock(&token_lock);
	/* Releasing libp11's slots below would close the sessions of a pool. */
	if (module->users > 1) {
		err_set(err, FAIL_CONFLICT, "PKCS#11 module %s: is in use", module->path);
		goto out;
	}
	if (token_wake(module, err) != 0 || token_list(module, err) != 0)
		goto out;
	if (token_count(module, label, &slot) != 0) {
		err_set(err, FAIL_CONFLICT, "token %s: exists already", label);
		goto out;
	}
	slot = token_free_slot(module);
	if (slot == NULL) {
		err_set(err, FAIL_UNAVAILABLE, "PKCS#11 module %s: has no uninitialised token",
		    module->path);
		goto out;
	}
	r = token_init_slot(module, slot, label, so_pin, user_pin, err);
out:
	token_release_slots(module);
	ERR_clear_error();
	pthread_mutex_unlock(&token_lock);
	return r;
}

int
token_softhsm_module(char out[HSM_PATH_MAX], struct err *err)
{
	static const char *const places[] = {
		"/usr/lib/softhsm/libsofthsm2.so",
		"/usr/lib/*/softhsm/libsofthsm2.so",
		"/usr/local/lib/softhsm/libsofthsm2.so",
	};
	int r = -1;

	for (size_t i = 0; r != 0 && i < ARRAY_LEN(places); i++) {
		glob_t found;

		if (glob(places[i], 0, NULL, &found) != 0)
			continue;
		if (strlen(found.gl_pathv[0]) < HSM_PATH_MAX) {
			memcpy(out, found.gl_pathv[0], strlen(found.gl_pathv[0]) + 1);
			r = 0;
		}
		globfree(&found);
	}
	if (r != 0)
		err_set(err, FAIL_NOT_FOUND,
		    "SoftHSM: its module is not on this system; install "
		    "softhsm2");
	return r;
}
