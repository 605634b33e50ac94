/*
 * Fuzz target: messages on front.sock. What a payload reader takes is written and read again as the
 * same.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "../unit/front_samples.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
fuzz_kind(const struct front_kind *kind, struct wire_in in)
{
	void *value = mem_alloc(kind->size), *again = mem_alloc(kind->size);
	struct buf msg = { 0 };
	struct wire_in second;

	if (kind->get(&in, value, NULL) == 0) {
		kind->put(&msg, value);
		second = (struct wire_in){ msg.data, msg.data + msg.len, false };
		require(kind->get(&second, again, NULL) == 0);
		require(kind->same(value, again));
		kind->free(again);
		kind->free(value);
	}
	buf_free(&msg);
	free(again);
	free(value);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wire_head head;
	struct wire_in in;

	if (wire_head_get(data, size, &head, &in, NULL) != 0)
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(front_kinds); i++)
		fuzz_kind(&front_kinds[i], in);
	return 0;
}
