/*
 * Fuzz target: chains of manufacturers' certificates as a stranger sends them in TLS. The input is
 * an anchor and a chain, one after the other; the last part is also read as a CRL, and the whole
 * as PEM and as a subjectAltName.
 */
#include <stddef.h>
#include <stdint.h>

#include "smki/anchor.h"
#include "smki/der.h"
#include "smki/ext.h"
#include "smki/hex.h"
#include "smki/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* 20260921141320Z: what the corpus was made for. */
#define FUZZ_NOW ((time_t)1790000000)
/* One more than is taken. */
#define FUZZ_CHAIN (ANCHOR_CHAIN_MAX + 1)

static void
fuzz_verify(
    enum anchor_eui eui, struct span pem, struct span crl, const struct span *chain, size_t n)
{
	struct anchor *anchor = NULL;
	enum refusal why = REFUSAL_NONE;
	struct idevid id;
	struct err err;

	if (anchor_new("fuzz", eui, pem, crl, &anchor, &err) != 0) {
		require(err.code == FAIL_INVALID);
		return;
	}
	if (anchor_verify(anchor, chain, n, FUZZ_NOW, &id, &why, &err) == 0) {
		require(id.has_hw_type == (eui == ANCHOR_EUI_SAN));
		require(!id.has_pub || id.pub.point[0] == 0x04);
	} else {
		require(err.code == (why == REFUSAL_FORM ? FAIL_INVALID : FAIL_DENIED));
		require(why == REFUSAL_FORM || why == REFUSAL_ANCHOR || why == REFUSAL_CERTIFICATE);
	}
	anchor_free(anchor);
}

static void
fuzz_chain(const uint8_t *data, size_t size)
{
	struct der d = der_from(data, size);
	struct span one, chain[FUZZ_CHAIN], none = { NULL, 0 };
	struct buf pem = { 0 }, crl = { 0 };
	size_t n = 0;

	if (der_get_any(&d, NULL, NULL, &one) != 0)
		return;
	pem_encode("CERTIFICATE", one.p, one.len, &pem);
	for (; !der_end(&d) && n < FUZZ_CHAIN; n++)
		if (der_get_any(&d, NULL, NULL, &chain[n]) != 0) {
			chain[n] = der_span(&d);
			d = der_from(data, 0);
		}
	fuzz_verify(ANCHOR_EUI_SAN, buf_span(&pem), none, chain, n);
	fuzz_verify(ANCHOR_EUI_SERIAL_NUMBER, buf_span(&pem), none, chain, n);
	/* What comes last may be the CRL of the others. */
	if (n > 0) {
		pem_encode("X509 CRL", chain[n - 1].p, chain[n - 1].len, &crl);
		fuzz_verify(ANCHOR_EUI_SAN, buf_span(&pem), buf_span(&crl), chain, n - 1);
	}
	buf_free(&pem);
	buf_free(&crl);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span all = { data, size }, type, serial;
	struct anchor *anchor = NULL;

	fuzz_chain(data, size);
	if (anchor_new("fuzz", ANCHOR_EUI_SAN, all, all, &anchor, NULL) == 0)
		anchor_free(anchor);
	if (ext_hardware_find(all, &type, &serial) == 0)
		require(type.p >= data && serial.p + serial.len <= data + size);
	return 0;
}
