/*
 * Fuzz target: certificates. Names that are read must have a text form that fits.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "smki/cert.h"
#include "smki/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cert c;
	char text[80];

	/* The input as a bare Name too: certificates with odd names are rare finds. */
	name_text((struct span){ data, size }, text, sizeof(text));
	require(strlen(text) < sizeof(text));
	if (cert_parse(data, size, &c, NULL) != 0)
		return 0;
	require(c.tbs.p > data && c.tbs.p + c.tbs.len < data + size);
	require(c.serial.len > 0 && c.not_before <= c.not_after);
	name_text(c.issuer, text, sizeof(text));
	require(strcmp(text, "?") != 0);
	if (cert_check_issued(&c, &c, NULL) == 0)
		require(span_eq(c.issuer, c.subject));
	return 0;
}
