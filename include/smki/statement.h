/*
 * What a meter states about itself in the one-exchange bootstrapping, and the octets that its key
 * signs. One value a line, so a shell can make it:
 *
 *   smki-bootstrap-v1
 *   eui64=00db123456780001            lower-case hex
 *   hw_type=1.3.6.1.4.1.99999.1
 *   model=...                         as sent; empty when absent
 *   firmware=...
 *   time=2026-11-22T01:00:00Z
 *   country=NL                        empty when absent
 *   position=52.370000,4.900000       empty when absent; six decimals, degrees
 *   csr_sha256=...                    lower-case hex of SHA-256 over the DER request; empty: none
 *
 * each line ended by one LF. Text with control characters is refused, so that no value can be
 * taken for another.
 */
#ifndef SMKI_STATEMENT_H
#define SMKI_STATEMENT_H

#include "smki/types.h"

#define STATEMENT_TEXT_LEN 65 /* model, firmware: UTF-8, with NUL */

struct statement {
	struct eui64 eui;
	char hw_type[OID_TEXT_LEN];
	char model[STATEMENT_TEXT_LEN];
	char firmware[STATEMENT_TEXT_LEN];
	time_t time;
	char country[3]; /* ISO 3166-1 alpha-2, upper case; "" = absent */
	bool has_position;
	int32_t latitude, longitude; /* millionths of a degree */
};

/* Ranges and characters; FAIL_INVALID "bootstrap: FIELD: ...". */
int statement_check(const struct statement *statement, struct err *err) MUST_USE;
/* Append the octets above. csr_sha256 NULL = no request. */
void statement_text(const struct statement *statement, const uint8_t *csr_sha256, struct buf *out);
/* ECDSA-Sig-Value sig (DER) by pub over them, SHA-256 (P-256) or SHA-384 (P-384). FAIL_DENIED. */
int statement_verify(const struct statement *statement, const uint8_t *csr_sha256,
    const struct ec_pub *pub, struct span sig, struct err *err) MUST_USE;

#endif
