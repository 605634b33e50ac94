/*
 * The reader of application/x-www-form-urlencoded. Knows no field by name.
 */
#include <string.h>

#include "form.h"
#include "smki/hex.h"

/* The next character at *at, decoded, or -1. */
static int
form_char(const uint8_t *p, const uint8_t *end, size_t *used)
{
	char digits[3] = "";
	uint8_t octet;
	size_t n;

	*used = 1;
	if (*p == '+')
		return ' ';
	if (*p != '%')
		return *p;
	*used = 3;
	if (end - p < 3)
		return -1;
	memcpy(digits, p + 1, 2);
	return hex_decode(digits, &octet, 1, &n) == 0 && n == 1 ? octet : -1;
}

static int
form_text(const uint8_t *p, const uint8_t *end, char out[FORM_TEXT_LEN], struct err *err)
{
	size_t n = 0, used;
	int c;

	for (; p < end; p += used) {
		c = form_char(p, end, &used);
		if (c <= 0)
			return err_set(err, FAIL_INVALID, "form: a bad percent sign or a NUL");
		if (n + 1 >= FORM_TEXT_LEN)
			return err_set(err, FAIL_INVALID, "form: a field is longer than %d octets",
			    FORM_TEXT_LEN - 1);
		out[n++] = (char)(unsigned char)c;
	}
	out[n] = '\0';
	if (!utf8_plain(out, n))
		return err_set(
		    err, FAIL_INVALID, "form: RFC 3629: not UTF-8, or a control character");
	return 0;
}

static int
form_field(const uint8_t *p, const uint8_t *end, struct form *form, struct err *err)
{
	const uint8_t *equal = memchr(p, '=', (size_t)(end - p));
	const uint8_t *name_end = equal != NULL ? equal : end;

	if (form->n == FORM_FIELDS_MAX)
		return err_set(err, FAIL_INVALID, "form: more than %d fields", FORM_FIELDS_MAX);
	if (form_text(p, name_end, form->field[form->n].name, err) != 0 ||
	    form_text(equal != NULL ? equal + 1 : end, end, form->field[form->n].value, err) != 0)
		return -1;
	for (size_t i = 0; i < form->n; i++)
		if (strcmp(form->field[i].name, form->field[form->n].name) == 0)
			return err_set(err, FAIL_INVALID,
			    "form: RFC 6749 3.2: a parameter stands there twice");
	form->n++;
	return 0;
}

int
form_parse(const uint8_t *data, size_t len, struct form *out, struct err *err)
{
	const uint8_t *p = data, *end = data + len, *stop;

	out->n = 0;
	while (p < end) {
		stop = memchr(p, '&', (size_t)(end - p));
		if (stop == NULL)
			stop = end;
		if (stop > p && form_field(p, stop, out, err) != 0)
			return -1;
		p = stop < end ? stop + 1 : end;
	}
	return 0;
}

const char *
form_get(const struct form *form, const char *name)
{
	for (size_t i = 0; i < form->n; i++)
		if (strcmp(form->field[i].name, name) == 0)
			return form->field[i].value[0] != '\0' ? form->field[i].value : NULL;
	return NULL;
}
