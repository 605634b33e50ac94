/*
 * Fuzz target: messages between the programs. What a payload reader takes is written again as the
 * same octets.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "smki/access.h"
#include "smki/admin.h"
#include "smki/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* One reader over the whole payload, its writer, and what frees. */
#define FUZZ_WIRE(type, noun, release)                                                             \
	static void fuzz_##noun(struct wire_in in, struct buf *again)                              \
	{                                                                                          \
		const struct span all = { in.p, (size_t)(in.end - in.p) };                         \
		struct type *value = mem_alloc(sizeof(*value));                                    \
                                                                                                   \
		if (admin_##noun##_get(&in, value, NULL) == 0) {                                   \
			buf_reset(again);                                                          \
			admin_##noun##_put(again, value);                                          \
			require(span_eq(buf_span(again), all));                                    \
			release;                                                                   \
		}                                                                                  \
		free(value);                                                                       \
	}

FUZZ_WIRE(admin_hello, hello, )
FUZZ_WIRE(admin_name, name, )
FUZZ_WIRE(admin_crl_ask, crl_ask, )
FUZZ_WIRE(admin_find, find, )
FUZZ_WIRE(admin_found, found, admin_found_free(value))
FUZZ_WIRE(admin_list, list, )
FUZZ_WIRE(admin_status, status, )
FUZZ_WIRE(admin_ca, ca, admin_ca_free(value))
FUZZ_WIRE(admin_crl_begin, crl_begin, admin_crl_begin_free(value))
FUZZ_WIRE(admin_crl_put, crl_put, admin_crl_put_free(value))
FUZZ_WIRE(store_crl, crl_row, )
FUZZ_WIRE(issue_request, issue, buf_free(&value->csr))
FUZZ_WIRE(issue_result, issued, buf_free(&value->der))
FUZZ_WIRE(status_request, change, )
FUZZ_WIRE(status_result, changed, )

static void (*const fuzz_readers[])(struct wire_in in, struct buf *again) = { fuzz_hello, fuzz_name,
	fuzz_find, fuzz_found, fuzz_list, fuzz_status, fuzz_ca, fuzz_crl_begin, fuzz_crl_put,
	fuzz_crl_row, fuzz_issue, fuzz_issued, fuzz_change, fuzz_changed, fuzz_crl_ask };

/* Keys of access tokens behind their count. */
static void
fuzz_access_keys(struct wire_in in, struct buf *again)
{
	const struct span all = { in.p, (size_t)(in.end - in.p) };
	struct store_access_key keys[STORE_ACCESS_KEYS_MAX];
	size_t n;

	if (access_keys_get(&in, keys, &n, NULL) != 0)
		return;
	buf_reset(again);
	access_keys_put(again, keys, n);
	require(span_eq(buf_span(again), all));
}

/* Rows behind a count, as lists are sent. */
static void
fuzz_rows(struct wire_in in)
{
	uint32_t n = wire_get_u32(&in);
	struct store_cert cert;

	for (uint32_t i = 0; i < n && !in.bad; i++)
		admin_cert_get(&in, &cert);
	if (wire_end(&in, "list", NULL) == 0 && n > 0)
		require(cert.serial.len > 0 && cert.serial.len <= SERIAL_MAX);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf again = { 0 };
	struct wire_head head;
	struct wire_in in, copy;
	struct err err = { 0 };

	if (wire_head_get(data, size, &head, &in, NULL) != 0)
		return 0;
	wire_start(&again, head.op, head.id, head.flags);
	require(span_eq(buf_span(&again), (struct span){ data, WIRE_HEAD }));
	copy = in;
	wire_get_err(&copy, &err);
	require(err.code >= FAIL_INVALID && err.code <= FAIL_INTERNAL);
	for (size_t i = 0; i < ARRAY_LEN(fuzz_readers); i++)
		fuzz_readers[i](in, &again);
	fuzz_access_keys(in, &again);
	fuzz_rows(in);
	buf_free(&again);
	return 0;
}
