/*
 * Fuzz target: OCSP requests from strangers. Beside the sanitizers' own findings, what the parser
 * promises about an accepted request is checked.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "smki/mem.h"
#include "smki/ocsp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
inside(struct span s, const uint8_t *data, size_t size)
{
	return s.p >= data && s.len <= size && s.p <= data + (size - s.len);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct ocsp_request request;
	static const struct ocsp_issuer issuer;

	if (ocsp_request_parse(data, size, &request, NULL) == -1)
		return 0;
	require(size <= OCSP_REQUEST_MAX && request.n >= 1 && request.n <= OCSP_IDS_MAX);
	for (size_t i = 0; i < request.n; i++) {
		const struct ocsp_id *id = &request.id[i];

		require(inside(id->whole, data, size) && id->whole.p[0] == DER_SEQUENCE);
		require(inside(id->name_hash, id->whole.p, id->whole.len));
		require(inside(id->key_hash, id->whole.p, id->whole.len));
		require(!id->serial_ok || (id->serial.len >= 1 && id->serial.len <= SERIAL_MAX));
		if (ocsp_issuer_match(&issuer, id))
			require(id->hash != OCSP_HASH_OTHER);
	}
	require(request.nonce.p == NULL || (inside(request.nonce, data, size) &&
					       request.nonce.len >= 16 && request.nonce.len <= 32));
	return 0;
}
