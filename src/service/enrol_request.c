/*
 * What an enrolment brings and what it gets, as they are given up: secrets and keys are wiped.
 */
#include <string.h>

#include "smki/enrol.h"

void
enrol_request_free(struct enrol_request *request)
{
	buf_free(&request->csr);
	for (size_t i = 0; i < ANCHOR_CHAIN_MAX; i++)
		buf_free(&request->chain[i]);
	buf_free(&request->signature);
	explicit_bzero(request->secret, sizeof(request->secret));
	memset(request, 0, sizeof(*request));
}

void
enrol_answer_free(struct enrol_answer *answer)
{
	buf_free(&answer->issued.der);
	buf_wipe(&answer->issued.key);
	buf_wipe(&answer->key);
	memset(answer, 0, sizeof(*answer));
}
