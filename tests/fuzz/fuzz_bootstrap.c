/*
 * The body of POST /bootstrap as a stranger sends it. What is read can be stated.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "bootstrap_json.h"
#include "smki/csr.h"
#include "smki/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct enrol_request *request = mem_alloc(sizeof(*request));
	struct buf text = { 0 };
	struct err err;

	if (bootstrap_json_read(data, size, request, &err) == 0) {
		require(request->has_statement && !request->has_secret);
		require(request->n_chain <= ANCHOR_CHAIN_MAX);
		require(request->csr.len <= CSR_TEXT_MAX);
		require((request->csr.len == 0) == (request->kind == ENROL_SERVER_KEY));
		require(request->signature.len > 0 && request->signature.len <= ENROL_SIG_MAX);
		require(statement_check(&request->statement, &err) == 0);
		statement_text(&request->statement, NULL, &text);
	} else {
		require(err.code == FAIL_INVALID);
	}
	buf_free(&text);
	buf_free(&request->csr);
	buf_free(&request->signature);
	for (size_t i = 0; i < ANCHOR_CHAIN_MAX; i++)
		buf_free(&request->chain[i]);
	free(request);
	return 0;
}
