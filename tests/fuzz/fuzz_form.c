/*
 * Forms as a stranger sends them, and what is looked up in them.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "form.h"
#include "smki/hex.h"
#include "smki/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct form *form = mem_alloc(sizeof(*form));
	const char *value;
	struct err err;

	if (form_parse(data, size, form, &err) == 0) {
		require(form->n <= FORM_FIELDS_MAX);
		for (size_t i = 0; i < form->n; i++) {
			require(utf8_plain(form->field[i].name, strlen(form->field[i].name)));
			require(utf8_plain(form->field[i].value, strlen(form->field[i].value)));
			value = form_get(form, form->field[i].name);
			require(value == NULL ? form->field[i].value[0] == '\0'
					      : value == form->field[i].value);
		}
	} else {
		require(err.code == FAIL_INVALID);
	}
	free(form);
	return 0;
}
