/*
 * Fuzz target: the register's payloads on the admin socket. What a reader takes is written again as
 * the same octets.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "smki/mem.h"
#include "smki/register.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_REGISTER(type, noun)                                                                  \
	static void fuzz_##noun(struct wire_in in, struct buf *again)                              \
	{                                                                                          \
		const struct span all = { in.p, (size_t)(in.end - in.p) };                         \
		struct type *value = mem_alloc(sizeof(*value));                                    \
                                                                                                   \
		if (register_##noun##_get(&in, value, NULL) == 0) {                                \
			buf_reset(again);                                                          \
			register_##noun##_put(again, value);                                       \
			require(span_eq(buf_span(again), all));                                    \
		}                                                                                  \
		free(value);                                                                       \
	}

FUZZ_REGISTER(register_add, add)
FUZZ_REGISTER(register_added, added)
FUZZ_REGISTER(register_change, change)
FUZZ_REGISTER(register_changed, changed)
FUZZ_REGISTER(eui64, eui)
FUZZ_REGISTER(register_found, found)
FUZZ_REGISTER(store_device_filter, filter)
FUZZ_REGISTER(register_names, names)
FUZZ_REGISTER(register_chunk_done, chunk_done)

static void
fuzz_chunk(struct wire_in in, struct buf *again)
{
	const struct span all = { in.p, (size_t)(in.end - in.p) };
	struct register_chunk chunk;

	if (register_chunk_get(&in, &chunk, NULL) != 0)
		return;
	buf_reset(again);
	register_chunk_start(again, chunk.import);
	for (size_t i = 0; i < chunk.n; i++)
		register_chunk_row(again, &chunk.device[i], chunk.secret[i]);
	require(span_eq(buf_span(again), all));
	register_chunk_free(&chunk);
}

static void (*const fuzz_readers[])(struct wire_in in, struct buf *again) = { fuzz_add, fuzz_added,
	fuzz_change, fuzz_changed, fuzz_eui, fuzz_found, fuzz_filter, fuzz_names, fuzz_chunk_done,
	fuzz_chunk };

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf again = { 0 };
	struct wire_head head;
	struct wire_in in;

	if (wire_head_get(data, size, &head, &in, NULL) != 0)
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(fuzz_readers); i++)
		fuzz_readers[i](in, &again);
	buf_free(&again);
	return 0;
}
