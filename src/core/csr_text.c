/*
 * The shapes a request arrives in - DER, PEM (RFC 7468), bare base64 - to DER. It looks at the
 * armour only; whether the octets are a request is csr_parse's question.
 */
#include <string.h>

#include "smki/csr.h"
#include "smki/hex.h"

static const char csr_text_begin[] = "-----BEGIN ";
static const char csr_text_end[] = "-----END ";
static const char csr_text_dashes[] = "-----";

static const char *
csr_text_find(const char *p, const char *end, const char *what)
{
	if (p == NULL || p >= end)
		return NULL;
	return memmem(p, (size_t)(end - p), what, strlen(what));
}

/* p stands at a label; the end of label and dashes, or NULL when it is another label. */
static const char *
csr_text_label(const char *p, const char *end, const char *label)
{
	size_t n = strlen(label), dashes = strlen(csr_text_dashes);

	if ((size_t)(end - p) < n + dashes || memcmp(p, label, n) != 0 ||
	    memcmp(p + n, csr_text_dashes, dashes) != 0)
		return NULL;
	return p + n + dashes;
}

/* The base64 between the armour lines of the one block in p..end (RFC 7468 2, 7). */
static int
csr_text_body(const char *begin, const char *end, struct span *body, struct err *err)
{
	static const char *const labels[] = { "CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST" };
	const char *p = begin + strlen(csr_text_begin), *from = NULL, *to, *label = NULL;

	for (size_t i = 0; i < 2 && from == NULL; i++) {
		label = labels[i];
		from = csr_text_label(p, end, label);
	}
	if (csr_text_find(p, end, csr_text_begin) != NULL)
		return err_set(err, FAIL_INVALID, "csr: RFC 7468 7: more than one PEM block");
	if (from == NULL)
		return err_set(
		    err, FAIL_INVALID, "csr: RFC 7468 7: PEM block is no CERTIFICATE REQUEST");
	to = csr_text_find(from, end, csr_text_end);
	if (to == NULL)
		return err_set(err, FAIL_INVALID, "csr: RFC 7468 2: PEM block has no END line");
	if (csr_text_label(to + strlen(csr_text_end), end, label) == NULL)
		return err_set(
		    err, FAIL_INVALID, "csr: RFC 7468 2: END line does not match BEGIN %s", label);
	body->p = (const uint8_t *)from;
	body->len = (size_t)(to - from);
	return 0;
}

static int
csr_text_decode(const char *text, size_t len, struct buf *der, struct err *err)
{
	struct span body = { (const uint8_t *)text, len };
	const char *begin = csr_text_find(text, text + len, csr_text_begin);

	if (begin != NULL && csr_text_body(begin, text + len, &body, err) != 0)
		return -1;
	if (base64_decode((const char *)body.p, body.len, CSR_TEXT_MAX, 0, der) != 0)
		return err_set(err, FAIL_INVALID,
		    begin != NULL ? "csr: RFC 4648 4: PEM body is not base64"
				  : "csr: RFC 4648 4: neither DER nor PEM nor base64");
	return 0;
}

int
csr_decode(const uint8_t *in, size_t len, struct buf *der, struct err *err)
{
	struct buf made = { 0 };
	int r = -1;

	if (len == 0) {
		err_set(err, FAIL_INVALID, "csr: RFC 2986 4.2: request is empty");
		goto out;
	}
	if (len > CSR_TEXT_MAX) {
		err_set(err, FAIL_INVALID,
		    "csr: size limit: %zu octets of text, at most %d are read", len, CSR_TEXT_MAX);
		goto out;
	}
	if (in[0] == DER_SEQUENCE)
		buf_add(&made, in, len);
	else if (csr_text_decode((const char *)in, len, &made, err) != 0)
		goto out;
	if (made.len == 0) {
		err_set(err, FAIL_INVALID, "csr: RFC 7468 2: nothing is encoded");
		goto out;
	}
	if (made.len > CSR_DER_MAX) {
		err_set(err, FAIL_INVALID, "csr: size limit: %zu octets, at most %d are read",
		    made.len, CSR_DER_MAX);
		goto out;
	}
	buf_add(der, made.data, made.len);
	r = 0;
out:
	buf_free(&made);
	return r;
}
