/*
 * Reads a token's PIN and keeps the latch: the memory of a refused PIN that outlives the
 * process, so that a wrong PIN costs a token one try and not all of them.
 * It must not print a PIN, put it in a message or keep it after pin_wipe.
 *
 * The latch is one line of text: "pbkdf2-sha256 ITERATIONS SALT HASH", the last two in hex.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "pin.h"
#include "smki/file.h"
#include "smki/hex.h"
#include "smki/hsm.h"
#include "smki/mem.h"
#include "smki/rng.h"

#define PIN_CREDENTIAL "credential:"
#define PIN_ITERATIONS 100000
#define PIN_SALT_LEN 16
#define PIN_HASH_LEN 32
/* "pbkdf2-sha256 100000 " and two hex numbers fit well inside. */
#define PIN_LATCH_MAX 256
/* Room for both line ends beyond the longest PIN. */
#define PIN_FILE_MAX (HSM_PIN_MAX + 2)

static int
pin_path(const char *source, char path[PATH_MAX], struct err *err)
{
	const char *dir, *name = source;
	int n;

	if (strncmp(source, PIN_CREDENTIAL, strlen(PIN_CREDENTIAL)) != 0) {
		n = snprintf(path, PATH_MAX, "%s", source);
	} else {
		name += strlen(PIN_CREDENTIAL);
		if (name[0] == '\0' || name[0] == '.' || strchr(name, '/') != NULL)
			return err_set(
			    err, FAIL_INVALID, "PIN %s: is not a credential's name", source);
		dir = getenv("CREDENTIALS_DIRECTORY");
		if (dir == NULL || dir[0] != '/')
			return err_set(err, FAIL_NOT_FOUND,
			    "PIN %s: CREDENTIALS_DIRECTORY is not set", source);
		n = snprintf(path, PATH_MAX, "%s/%s", dir, name);
	}
	if (n <= 0 || n >= PATH_MAX)
		return err_set(err, FAIL_INVALID, "PIN: its path is empty or too long");
	return 0;
}

int
pin_read(const char *source, struct pin *out, struct err *err)
{
	char path[PATH_MAX];
	struct buf secret = { 0 };
	char *page = NULL;
	int r = -1;

	if (pin_path(source, path, err) != 0)
		goto out;
	if (file_read_secret(path, PIN_FILE_MAX, &secret, err) != 0)
		goto out;
	if (secret.len == 0 || secret.len > HSM_PIN_MAX ||
	    memchr(secret.data, '\0', secret.len) != NULL) {
		err_set(err, FAIL_INVALID, "PIN file %s: a PIN has 1 to %d octets and no NUL", path,
		    HSM_PIN_MAX);
		goto out;
	}
	page = mmap(NULL, HSM_PIN_MAX, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED) {
		err_sys(err, FAIL_UNAVAILABLE, "PIN file %s: no memory", path);
		goto out;
	}
	/* Both are extra: a small RLIMIT_MEMLOCK must not keep the service from its token. */
	(void)mlock(page, HSM_PIN_MAX);
	(void)madvise(page, HSM_PIN_MAX, MADV_DONTDUMP);
	memcpy(page, secret.data, secret.len);
	out->text = page;
	out->len = secret.len;
	r = 0;
out:
	buf_wipe(&secret);
	return r;
}

void
pin_wipe(struct pin *pin)
{
	if (pin->text == NULL)
		return;
	OPENSSL_cleanse(pin->text, HSM_PIN_MAX);
	munmap(pin->text, HSM_PIN_MAX);
	pin->text = NULL;
	pin->len = 0;
}

static int
pin_hash(const struct pin *pin, const uint8_t salt[PIN_SALT_LEN], uint8_t out[PIN_HASH_LEN],
    struct err *err)
{
	if (PKCS5_PBKDF2_HMAC(pin->text, (int)pin->len, salt, PIN_SALT_LEN, PIN_ITERATIONS,
		EVP_sha256(), PIN_HASH_LEN, out) != 1)
		return err_ssl(err, FAIL_INTERNAL, "PIN latch: PBKDF2");
	return 0;
}

/* The folder the latch stands in; free it. */
static char *
pin_latch_folder(const char *latch)
{
	char *dir = mem_str(latch);
	char *slash = strrchr(dir, '/');

	if (slash == NULL) {
		free(dir);
		return mem_str(".");
	}
	slash[slash == dir ? 1 : 0] = '\0';
	return dir;
}

static int
pin_latch_parse(const char *text, uint8_t salt[PIN_SALT_LEN], uint8_t hash[PIN_HASH_LEN])
{
	char a[2 * PIN_SALT_LEN + 1], b[2 * PIN_HASH_LEN + 1];
	int iterations, end = 0;
	size_t salt_len, hash_len;

	if (sscanf(text, "pbkdf2-sha256 %9d %32[0-9a-f] %64[0-9a-f]%n", &iterations, a, b, &end) !=
	    3)
		return -1;
	if (iterations != PIN_ITERATIONS || strcmp(text + end, "\n") != 0)
		return -1;
	if (hex_decode(a, salt, PIN_SALT_LEN, &salt_len) != 0 ||
	    hex_decode(b, hash, PIN_HASH_LEN, &hash_len) != 0)
		return -1;
	return salt_len == PIN_SALT_LEN && hash_len == PIN_HASH_LEN ? 0 : -1;
}

int
pin_latch_check(const char *latch, const struct pin *pin, bool *refused, struct err *err)
{
	uint8_t salt[PIN_SALT_LEN], want[PIN_HASH_LEN], got[PIN_HASH_LEN];
	struct buf text = { 0 };
	char *dir = pin_latch_folder(latch);
	struct err why;
	int r = -1;

	/* A latch that could not be written after a refusal would cost the token a second try. */
	if (faccessat(AT_FDCWD, dir, W_OK | X_OK, AT_EACCESS) != 0) {
		err_sys(err, FAIL_DENIED,
		    "PIN latch %s: its folder must be writable before a PIN is tried", latch);
		goto out;
	}
	if (file_read(latch, PIN_LATCH_MAX, &text, &why) != 0) {
		if (why.code != FAIL_NOT_FOUND) {
			err_set(err, FAIL_DENIED, "PIN latch: %s", why.msg);
			goto out;
		}
		*refused = false;
		r = 0;
		goto out;
	}
	if (pin_latch_parse(buf_text(&text), salt, want) != 0) {
		err_set(err, FAIL_DENIED,
		    "PIN latch %s: is damaged; remove it when the PIN is known to be right", latch);
		goto out;
	}
	if (pin_hash(pin, salt, got, err) != 0)
		goto out;
	*refused = CRYPTO_memcmp(want, got, PIN_HASH_LEN) == 0;
	r = 0;
out:
	buf_free(&text);
	free(dir);
	return r;
}

int
pin_latch_set(const char *latch, const struct pin *pin, struct err *err)
{
	uint8_t salt[PIN_SALT_LEN], hash[PIN_HASH_LEN];
	char a[2 * PIN_SALT_LEN + 1], b[2 * PIN_HASH_LEN + 1], line[PIN_LATCH_MAX];
	int n;

	if (rng_draw(salt, sizeof(salt)) != 0)
		return err_set(err, FAIL_INTERNAL, "PIN latch %s: no random salt", latch);
	if (pin_hash(pin, salt, hash, err) != 0)
		return -1;
	hex_encode(salt, sizeof(salt), a);
	hex_encode(hash, sizeof(hash), b);
	n = snprintf(line, sizeof(line), "pbkdf2-sha256 %d %s %s\n", PIN_ITERATIONS, a, b);
	require(n > 0 && (size_t)n < sizeof(line));
	return file_write(latch, line, (size_t)n, 0600, err);
}

void
pin_latch_clear(const char *latch)
{
	(void)unlink(latch);
}
