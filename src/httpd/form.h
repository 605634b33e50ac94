/*
 * Bodies of application/x-www-form-urlencoded, as far as OAuth needs them (RFC 6749 appendix B).
 */
#ifndef SMKI_HTTPD_FORM_H
#define SMKI_HTTPD_FORM_H

#include "smki/types.h"

#define FORM_FIELDS_MAX 16
/* One name or value, decoded, with NUL. */
#define FORM_TEXT_LEN 512

struct form {
	size_t n;
	struct {
		char name[FORM_TEXT_LEN];
		char value[FORM_TEXT_LEN];
	} field[FORM_FIELDS_MAX];
};

/*
 * name=value pairs with '&' between them; '+' is a space, percent signs are undone. FAIL_INVALID:
 * a bad escape, a control character, what is not UTF-8, a name twice (RFC 6749 3.2), too many or
 * too long.
 */
int form_parse(const uint8_t *data, size_t len, struct form *out, struct err *err) MUST_USE;
/* NULL when it is absent or empty, which is the same (RFC 6749 3.2). */
const char *form_get(const struct form *form, const char *name);

#endif
