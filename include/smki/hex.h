/*
 * Text encodings: hexadecimal, base64, PEM, UTF-8.
 */
#ifndef SMKI_HEX_H
#define SMKI_HEX_H

#include "smki/buf.h"

/* out holds 2 * len + 1 characters: lower case, NUL terminated. */
void hex_encode(const uint8_t *in, size_t len, char *out);

/*
 * Octets of two digits in any case, with single ':', '-' or ' ' allowed between them. Writes at most cap octets
 * and their number to *out_len. Returns 0, or -1 on any other character, an odd count of digits
 * or more than cap octets.
 */
int hex_decode(const char *text, uint8_t *out, size_t cap, size_t *out_len);

/*
 * RFC 4648 section 4 with padding. White space (space, tab, CR, LF) is skipped; any other
 * character, data after the padding, wrong or missing padding (unless pad_optional) or non-zero
 * spare bits are refused, as is a result over max octets. Appends to out; -1 leaves it unchanged.
 */
int base64_decode(const char *text, size_t len, size_t max, int pad_optional, struct buf *out);

/*
 * Appended to out: width 0 = all in one line without a line break; else lines of at most width
 * characters, each (the last too) ended by LF.
 */
void base64_encode(const uint8_t *in, size_t len, size_t width, struct buf *out);

/* RFC 4648 section 5 without padding, appended to out. */
void base64url_encode(const uint8_t *in, size_t len, struct buf *out);

/* "-----BEGIN label-----" armour with 64-column lines, appended to out (RFC 7468). */
void pem_encode(const char *label, const uint8_t *der, size_t len, struct buf *out);

/* Octets of the UTF-8 sequence at p, of which len (> 0) octets may be read: 1..4, or 0 when it is
 * none (RFC 3629 4: overlong forms, surrogates and what is cut short are none). */
size_t utf8_len(const uint8_t *p, size_t len);
/* 1 when the sequence at p, for which utf8_len gave more than 0, is a control character (C0, DEL,
 * C1). */
int utf8_control(const uint8_t *p);
/* 1 when len octets are UTF-8 without control characters. */
int utf8_plain(const void *text, size_t len);
/* 1 when the sequence at p is one that no text for people may hold: a control character, a
 * separator of lines or paragraphs, or one that turns the direction of what stands around it, so
 * that a name looks like another. */
int utf8_hidden(const uint8_t *p);
/* 1 when len octets are UTF-8 that people may be shown: nothing of utf8_hidden in it. */
int utf8_shown(const void *text, size_t len);

#endif
