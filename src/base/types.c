/*
 * Text forms of the identifiers everybody speaks of. No rules about them beyond their syntax.
 */
#include <string.h>

#include "smki/hex.h"
#include "smki/mem.h"
#include "smki/types.h"

/* Room for the longest serial in the loosest writing, and for a good many leading zeros. */
#define SERIAL_RAW_MAX 64

static bool
types_hex_digit(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

int
serial_parse(const char *text, struct serial *out, struct err *err)
{
	char padded[3 * SERIAL_RAW_MAX + 2] = "0";
	uint8_t raw[SERIAL_RAW_MAX];
	size_t digits = 0, len, first = 0, pad;

	len = strlen(text);
	if (len == 0)
		return err_set(err, FAIL_INVALID, "serial: RFC 5280 4.1.2.2: empty");
	if (len > 3 * SERIAL_RAW_MAX)
		return err_set(err, FAIL_INVALID, "serial: RFC 5280 4.1.2.2: longer than %d octets",
		    SERIAL_MAX);
	for (size_t i = 0; i < len; i++)
		digits += types_hex_digit(text[i]);
	memcpy(padded + 1, text, len + 1);
	if (hex_decode(padded + (digits % 2 == 0), raw, sizeof(raw), &len) != 0)
		return err_set(err, FAIL_INVALID, "serial: \"%.80s\" is not hexadecimal", text);
	while (first < len && raw[first] == 0)
		first++;
	if (first == len)
		return err_set(err, FAIL_INVALID, "serial: RFC 5280 4.1.2.2: zero is not positive");
	pad = raw[first] >= 0x80;
	if (len - first + pad > SERIAL_MAX)
		return err_set(err, FAIL_INVALID, "serial: RFC 5280 4.1.2.2: longer than %d octets",
		    SERIAL_MAX);
	memset(out, 0, sizeof(*out));
	memcpy(out->octets + pad, raw + first, len - first);
	out->len = (uint8_t)(len - first + pad);
	return 0;
}

int
eui64_parse(const char *text, struct eui64 *out, struct err *err)
{
	uint8_t raw[EUI64_LEN];
	size_t len;

	if (hex_decode(text, raw, sizeof(raw), &len) != 0 || len != EUI64_LEN)
		return err_set(err, FAIL_INVALID,
		    "EUI-64: \"%.80s\" is not %d octets in hexadecimal", text, EUI64_LEN);
	memcpy(out->octets, raw, sizeof(raw));
	return 0;
}

void
serial_text(const struct serial *serial, char out[SERIAL_TEXT_LEN])
{
	size_t skip = serial->len > 1 && serial->octets[0] == 0;

	require(serial->len <= SERIAL_MAX);
	hex_encode(serial->octets + skip, serial->len - skip, out);
}

int
serial_eq(const struct serial *a, const struct serial *b)
{
	return a->len == b->len && memcmp(a->octets, b->octets, a->len) == 0;
}

void
holder_text(const struct holder *holder, char out[HOLDER_TEXT_LEN])
{
	require(holder->name_len <= HOLDER_NAME_MAX);
	switch (holder->kind) {
	case HOLDER_DEVICE:
	case HOLDER_ORGANISATION:
		hex_encode(holder->name, holder->name_len, out);
		return;
	case HOLDER_SERVICE:
		break;
	}
	for (size_t i = 0; i < holder->name_len; i++) {
		uint8_t c = holder->name[i];

		out[i] = c < 0x20 || c == 0x7f ? '?' : (char)c;
	}
	out[holder->name_len] = '\0';
}

static bool
name_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

int
name_check(const char *what, const char *name, struct err *err)
{
	size_t len = strlen(name);

	if (len == 0)
		return err_set(err, FAIL_INVALID, "%s: name is empty", what);
	if (len >= NAME_LEN)
		return err_set(
		    err, FAIL_INVALID, "%s: name is longer than %d characters", what, NAME_LEN - 1);
	if (!name_letter(name[0]))
		return err_set(
		    err, FAIL_INVALID, "%s: name \"%s\" does not begin with a letter", what, name);
	for (size_t i = 1; i < len; i++)
		if (!name_letter(name[i]) && !(name[i] >= '0' && name[i] <= '9') && name[i] != '-')
			return err_set(err, FAIL_INVALID,
			    "%s: name \"%s\" may hold letters, digits and '-' only", what, name);
	return 0;
}
