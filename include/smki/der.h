/*
 * DER primitives (X.690): a strict reader over borrowed bytes and a writer onto a struct buf.
 *
 * The reader accepts DER only: single-octet tags, definite lengths in the fewest octets, nothing
 * past the end. Reader functions return 0, or -1 without saying why: the caller knows the clause.
 * On -1 the cursor and the outputs are unchanged. No recursion anywhere.
 */
#ifndef SMKI_DER_H
#define SMKI_DER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "smki/buf.h"
#include "smki/types.h"

#define DER_BOOLEAN 0x01
#define DER_INTEGER 0x02
#define DER_BIT_STRING 0x03
#define DER_OCTET_STRING 0x04
#define DER_NULL 0x05
#define DER_OID 0x06
#define DER_ENUMERATED 0x0a
#define DER_UTF8 0x0c
#define DER_PRINTABLE 0x13
#define DER_UTCTIME 0x17
#define DER_GENTIME 0x18
#define DER_SEQUENCE 0x30
#define DER_SET 0x31
#define DER_CONTEXT(n) (0xa0 | (n))	 /* constructed, context-specific */
#define DER_CONTEXT_PRIM(n) (0x80 | (n)) /* primitive, context-specific */

/* Cursor: p moves towards end. The bytes are borrowed. */
struct der {
	const uint8_t *p;
	const uint8_t *end;
};

struct der der_from(const uint8_t *p, size_t len);
struct span der_span(const struct der *d); /* what is left */
/* 1 when nothing is left. */
int der_end(const struct der *d);
/* Next tag octet, or -1 at the end. */
int der_tag(const struct der *d);

/*
 * Next element must have this tag; content gets a cursor over its contents. content may be NULL
 * (skip the element) or d itself (go into it and leave what follows).
 */
int der_get(struct der *d, uint8_t tag, struct der *content) MUST_USE;
/* Any next element; whole covers tag, length and contents. tag, content, whole may be NULL. */
int der_get_any(struct der *d, uint8_t *tag, struct der *content, struct span *whole) MUST_USE;
/* BOOLEAN, DER values only (00 / FF). */
int der_get_bool(struct der *d, bool *out) MUST_USE;
/* INTEGER 0..2^31-1, minimal. */
int der_get_small(struct der *d, long *out) MUST_USE;
/* INTEGER, minimal encoding, contents as they stand, any sign, 1..max octets. */
int der_get_integer(struct der *d, size_t max, struct span *out) MUST_USE;
/* Positive serial of at most SERIAL_MAX octets (RFC 5280 4.1.2.2). */
int der_get_serial(struct der *d, struct serial *out) MUST_USE;
/* OBJECT IDENTIFIER contents, well formed (minimal base-128, complete). */
int der_get_oid(struct der *d, struct span *out) MUST_USE;
/* BIT STRING of whole octets (unused bits 0), contents without the unused-bits octet. */
int der_get_octet_bits(struct der *d, struct span *out) MUST_USE;
/*
 * UTCTime or GeneralizedTime in the RFC 5280 4.1.2.5 form (Z, seconds, no fraction, no :60).
 * any_form 0 also insists on UTCTime before 2050 and GeneralizedTime from then on. Years 1950 to
 * 9999 in either case.
 */
int der_get_time(struct der *d, int any_form, time_t *out) MUST_USE;

/* 1 when a stands before b in a SET OF (X.690 11.6): its octets are less, or the beginning of b's. */
int der_ascends(struct span a, struct span b);

/* Writer. der_open writes the tag and returns its offset in b; der_close sets the length. */
size_t der_open(struct buf *b, uint8_t tag);
void der_close(struct buf *b, size_t mark);
void der_put(struct buf *b, uint8_t tag, const void *content, size_t len);
void der_put_span(struct buf *b, uint8_t tag, struct span content);
void der_put_bool(struct buf *b, bool value);
void der_put_small(struct buf *b, uint8_t tag, unsigned long value); /* INTEGER or ENUMERATED */
void der_put_serial(struct buf *b, const struct serial *serial);
/* BIT STRING with 0 unused bits. */
void der_put_octet_bits(struct buf *b, const void *content, size_t len);
/* RFC 5280 4.1.2.5: UTCTime through 2049, GeneralizedTime after. t >= 1950 and <= 9999. */
void der_put_time(struct buf *b, time_t t);
/* Always GeneralizedTime (OCSP, invalidityDate). */
void der_put_gentime(struct buf *b, time_t t);
/* Tag and length header for len content octets, as appended by der_put; returns its size. */
size_t der_header(uint8_t tag, size_t len, uint8_t out[10]);

/*
 * Dotted text to contents octets (without tag and length) and back. At most 32 arcs of at most
 * 2^63-1; text longer than OID_TEXT_LEN - 1 is refused. -1 when not an OID.
 */
#define OID_DER_MAX 64
int oid_from_text(const char *text, uint8_t out[OID_DER_MAX], size_t *out_len) MUST_USE;
int oid_to_text(struct span content, char out[OID_TEXT_LEN]) MUST_USE;

/* 253402300799 = 99991231235959Z, "no well-defined expiration" (RFC 5280 4.1.2.5). */
#define TIME_NO_EXPIRY ((time_t)253402300799)
/*
 * YYYYMMDDHHMMSSZ and "YYYY-MM-DDTHH:MM:SSZ"; independent of TZ. time_text writes "out-of-range"
 * for a time outside years 1950..9999.
 */
#define TIME_TEXT_LEN 21
void time_text(time_t t, char out[TIME_TEXT_LEN]); /* ISO form */
/* Reads both forms and "YYYY-MM-DD" (midnight UTC). -1 when not a time in years 1950..9999. */
int time_parse(const char *text, time_t *out) MUST_USE;

#endif
