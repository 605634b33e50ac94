/*
 * PKCS#10 certification requests (RFC 2986): a strict reader of its own. It decides nothing about
 * who may have what; it yields facts for profile_grant().
 */
#ifndef SMKI_CSR_H
#define SMKI_CSR_H

#include "smki/eckey.h"
#include "smki/extlist.h"
#include "smki/types.h"

/* Largest request in DER octets, and largest text around it (armour, base64, line ends). */
#define CSR_DER_MAX 4096
#define CSR_TEXT_MAX (2 * CSR_DER_MAX + 1024)
/* Extensions in one request; a device asks for two. */
#define CSR_EXT_MAX 16

/* All spans borrow from the DER handed to csr_parse. */
struct csr {
	struct span der;
	struct span info;    /* CertificationRequestInfo, tag to end: what is signed */
	struct span subject; /* Name, tag to end */
	struct ec_pub pub;
	size_t n_ext;
	struct extlist_item ext[CSR_EXT_MAX];
	bool has_ext_request; /* exactly one extensionRequest attribute was there */
	struct span sig;      /* ECDSA-Sig-Value */
};

/*
 * Bytes as they arrive to DER: DER itself (first octet 0x30), PEM "CERTIFICATE REQUEST" or "NEW
 * CERTIFICATE REQUEST" with any line ends and text before or after the one block, or bare base64
 * (the GB ad hoc and batch services carry no armour). Appends to der. More than one block, bad
 * base64, nothing there, over CSR_TEXT_MAX: FAIL_INVALID.
 */
int csr_decode(const uint8_t *in, size_t len, struct buf *der, struct err *err) MUST_USE;

/*
 * Strict parse: DER only, trailing bytes refused at every level, version 0, attributes [0]
 * present (RFC 2986 4.1), attribute SET OF strictly ordered and without repeated types, at most
 * one extensionRequest with exactly one value, no extension twice (RFC 5280 4.2), a challenge
 * password is ignored, Microsoft's extension attribute 1.3.6.1.4.1.311.2.1.14 is refused, other
 * attributes are refused, key per ec_pub_get, signatureAlgorithm exactly ecdsa-with-SHA256
 * (SHA384 for P-384) with absent parameters. FAIL_INVALID, message "csr: <clause>: <finding>".
 * out is valid as long as der is.
 */
int csr_parse(const uint8_t *der, size_t len, struct csr *out, struct err *err) MUST_USE;

/* Proof of possession: the signature over info by pub (RFC 2986 4.2). */
int csr_check_pop(const struct csr *csr, struct err *err) MUST_USE;

/* The request's extension with this contents-octets OID, or NULL. */
const struct extlist_item *csr_ext(const struct csr *csr, const uint8_t *oid, size_t len);

#endif
