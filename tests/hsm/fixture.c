/*
 * See fixture.h. Whatever goes wrong in building up a fixture ends the program with 1: a test
 * that cannot start must not pass.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include "fixture.h"
#include "smki/clock.h"
#include "smki/file.h"
#include "smki/mem.h"

static void __attribute__((noreturn, format(printf, 1, 2))) fixture_die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("fixture: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	exit(1);
}

const char *
fixture_module(void)
{
	static char path[HSM_PATH_MAX];
	struct err err;

	return token_softhsm_module(path, &err) == 0 ? path : NULL;
}

void
fixture_write(const char *path, const char *text)
{
	struct err err;

	if (file_write(path, text, strlen(text), 0600, &err) != 0)
		fixture_die("%s", err.msg);
}

void
fixture_pin(const struct fixture *f, const char *pin)
{
	char *line = mem_fmt("%s\n", pin);

	fixture_write(f->conf.pin_file, line);
	free(line);
}

/* Renamed into place: the shim never reads half a word. */
void
fixture_control(const struct fixture *f, const char *word)
{
	char *next = mem_fmt("%s.next", f->control);
	FILE *file = fopen(next, "w");

	if (file == NULL || fputs(word, file) < 0 || fclose(file) != 0 ||
	    rename(next, f->control) != 0)
		fixture_die("%s: cannot be written", f->control);
	free(next);
}

unsigned
fixture_count(const struct fixture *f, const char *name)
{
	FILE *file = fopen(f->count, "r");
	char line[32];
	unsigned n = 0;

	if (file == NULL)
		return 0;
	while (fgets(line, sizeof(line), file) != NULL)
		n += strncmp(line, name, strlen(name)) == 0;
	fclose(file);
	return n;
}

void
fixture_dir(struct fixture *f, const char *label)
{
	char path[256], text[512];

	memset(f, 0, sizeof(*f));
	snprintf(f->dir, sizeof(f->dir), "/tmp/smki-hsm-XXXXXX");
	if (mkdtemp(f->dir) == NULL)
		fixture_die("mkdtemp");
	snprintf(path, sizeof(path), "%s/tokens", f->dir);
	if (mkdir(path, 0700) != 0)
		fixture_die("mkdir");
	snprintf(f->conf.softhsm_conf, sizeof(f->conf.softhsm_conf), "%s/softhsm2.conf", f->dir);
	snprintf(text, sizeof(text),
	    "directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n"
	    "slots.removable = false\n",
	    path);
	fixture_write(f->conf.softhsm_conf, text);
	snprintf(f->conf.token, sizeof(f->conf.token), "%s", label);
	snprintf(f->conf.module, sizeof(f->conf.module), "%s", fixture_module());
	snprintf(f->conf.pin_file, sizeof(f->conf.pin_file), "%s/pin", f->dir);
	snprintf(f->conf.latch_file, sizeof(f->conf.latch_file), "%s/latch", f->dir);
	snprintf(f->control, sizeof(f->control), "%s/control", f->dir);
	snprintf(f->count, sizeof(f->count), "%s/count", f->dir);
	f->conf.sessions = 2;
	f->conf.timeout_ms = 5000;
	fixture_pin(f, FIXTURE_PIN);
}

void
fixture_open(struct fixture *f, const char *label, const char *shim)
{
	struct token_module *module = NULL;
	struct err err;

	fixture_dir(f, label);
	if (token_module_open(f->conf.module, f->conf.softhsm_conf, &module, &err) != 0 ||
	    token_init(module, label, FIXTURE_SO_PIN, FIXTURE_PIN, &err) != 0)
		fixture_die("%s", err.msg);
	token_module_close(module);
	if (shim == NULL)
		return;
	setenv("SMKI_SHIM_MODULE", f->conf.module, 1);
	setenv("SMKI_SHIM_CONTROL", f->control, 1);
	setenv("SMKI_SHIM_COUNT", f->count, 1);
	fixture_control(f, "");
	snprintf(f->conf.module, sizeof(f->conf.module), "%s", shim);
}

void
fixture_close(struct fixture *f)
{
	struct err err;

	if (file_remove_tree(f->dir, &err) != 0)
		fixture_die("%s", err.msg);
}

int
fixture_wait(int (*cond)(void *), void *arg, long ms)
{
	int64_t end = clock_mono_ms() + ms;
	struct timespec pause = { 0, 2000000 };

	while (!cond(arg)) {
		if (clock_mono_ms() >= end)
			return 0;
		nanosleep(&pause, NULL);
	}
	return 1;
}

struct hsm *
fixture_hsm(const struct fixture *f)
{
	struct hsm *hsm = NULL;
	struct err err;

	if (hsm_open(&f->conf, &hsm, &err) != 0)
		fixture_die("%s", err.msg);
	return hsm;
}

static EVP_PKEY *
fixture_pkey(const struct ec_pub *pub)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	OSSL_PARAM *params = NULL;
	EVP_PKEY *key = NULL;
	const char *group = pub->curve == EC_P256 ? "P-256" : "P-384";

	if (ctx != NULL && bld != NULL &&
	    OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME, group, 0) &&
	    OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY, pub->point, pub->len) &&
	    (params = OSSL_PARAM_BLD_to_param(bld)) != NULL && EVP_PKEY_fromdata_init(ctx) == 1)
		(void)EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(bld);
	EVP_PKEY_CTX_free(ctx);
	return key;
}

int
fixture_verify(const struct ec_pub *pub, const uint8_t *digest, const uint8_t *rs)
{
	int field = (int)(pub->len / 2), len, r = 0;
	ECDSA_SIG *sig = ECDSA_SIG_new();
	EVP_PKEY *key = fixture_pkey(pub);
	EVP_PKEY_CTX *ctx = key == NULL ? NULL : EVP_PKEY_CTX_new(key, NULL);
	unsigned char *der = NULL;

	if (sig == NULL || ctx == NULL)
		fixture_die("OpenSSL does not take the public key");
	ECDSA_SIG_set0(sig, BN_bin2bn(rs, field, NULL), BN_bin2bn(rs + field, field, NULL));
	len = i2d_ECDSA_SIG(sig, &der);
	if (len > 0 && EVP_PKEY_verify_init(ctx) == 1)
		r = EVP_PKEY_verify(ctx, der, (size_t)len, digest, (size_t)field) == 1;
	OPENSSL_free(der);
	ECDSA_SIG_free(sig);
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(key);
	return r;
}
