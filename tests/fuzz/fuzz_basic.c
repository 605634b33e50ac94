/*
 * The Authorization header as a stranger sends it: HTTP Basic credentials.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "basic.h"
#include "smki/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char secret[ENROL_SECRET_MAX + 1] = "untouched";
	char *header = mem_alloc(size + 1);
	struct eui64 eui;
	struct err err;

	if (size > 0)
		memcpy(header, data, size);
	if (basic_parse(header, &eui, secret, &err) == 0) {
		require(memchr(secret, '\0', sizeof(secret)) != NULL && secret[0] != '\0');
	} else {
		require(err.code == FAIL_INVALID);
		require(strcmp(secret, "untouched") == 0);
	}
	free(header);
	return 0;
}
