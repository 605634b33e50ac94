/*
 * A token's PIN between its file and C_Login, and the latch that remembers a refused one.
 */
#ifndef IO_PIN_H
#define IO_PIN_H

#include <stdbool.h>
#include <stddef.h>

#include "smki/err.h"

/* The PIN in pages of its own: locked where the limit allows it, left out of core dumps. */
struct pin {
	char *text; /* not NUL terminated */
	size_t len;
};

/*
 * Read the PIN from source: a path, or "credential:NAME" for the file NAME under
 * $CREDENTIALS_DIRECTORY. 1..HSM_PIN_MAX octets, no NUL: FAIL_INVALID. File failures as
 * file_read_secret. Give out to pin_wipe.
 */
int pin_read(const char *source, struct pin *out, struct err *err) MUST_USE;
/* Cleanse and unmap; an empty or NULL text is fine. */
void pin_wipe(struct pin *pin);

/*
 * Was this PIN refused before? No latch, or one with another PIN: *refused is false. FAIL_DENIED
 * when the file is not a latch, or when its folder could not take one: a refusal that cannot be
 * remembered is not risked.
 */
int pin_latch_check(
    const char *latch, const struct pin *pin, bool *refused, struct err *err) MUST_USE;
/* Remember durably that this PIN was refused: random salt and PBKDF2-HMAC-SHA256 of it. */
int pin_latch_set(const char *latch, const struct pin *pin, struct err *err) MUST_USE;
/* Forget the refused PIN. A latch that stays behind holds another PIN and does no harm. */
void pin_latch_clear(const char *latch);

#endif
