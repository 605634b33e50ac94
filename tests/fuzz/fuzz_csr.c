/*
 * Requests as a stranger sends them: decode, parse, proof of possession. A bare DER is also
 * parsed without the armour's limits.
 */
#include <stddef.h>
#include <stdint.h>

#include "smki/csr.h"
#include "smki/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
fuzz_parse(const uint8_t *der, size_t len)
{
	struct csr csr;
	struct err err;

	if (csr_parse(der, len, &csr, &err) != 0) {
		require(err.code == FAIL_INVALID);
		return;
	}
	require(csr.n_ext <= CSR_EXT_MAX);
	require(csr.info.p > der && csr.info.p + csr.info.len < der + len);
	require(csr.sig.p > csr.info.p && csr.sig.p + csr.sig.len == der + len);
	if (csr_check_pop(&csr, &err) != 0)
		require(err.code == FAIL_INVALID);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf der = { 0 };
	struct err err;

	if (csr_decode(data, size, &der, &err) == 0)
		fuzz_parse(der.data, der.len);
	else
		require(err.code == FAIL_INVALID);
	buf_free(&der);
	fuzz_parse(data, size);
	return 0;
}
