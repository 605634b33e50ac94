/*
 * Fuzz target: CRLs. Beside the sanitizers' own findings, each entry that is read is written
 * again and must be no longer than what it was read from.
 */
#include <stddef.h>
#include <stdint.h>

#include "smki/crl.h"
#include "smki/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct crl crl;
	struct crl_entry entry;
	struct buf again = { 0 };
	const uint8_t *before;

	if (crl_parse(data, size, &crl, NULL) == -1)
		return 0;
	require(crl.number >= 0 && crl.next_update > crl.this_update && crl.aki.len > 0);
	before = crl.entries.p;
	while (crl_entry_get(&crl, &entry, NULL) == 1) {
		buf_reset(&again);
		require(crl_entry_put(&again, &entry) <= (size_t)(crl.entries.p - before));
		require(again.len <= CRL_ENTRY_MAX);
		before = crl.entries.p;
	}
	buf_free(&again);
	return 0;
}
