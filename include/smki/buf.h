/*
 * Growing byte buffer and borrowed byte range. A zeroed struct buf is an empty buffer.
 */
#ifndef SMKI_BUF_H
#define SMKI_BUF_H

#include <stddef.h>
#include <stdint.h>

/* Bytes that belong to somebody else; whoever fills one names the owner. */
struct span {
	const uint8_t *p;
	size_t len;
};

struct buf {
	uint8_t *data;
	size_t len;
	size_t cap;
};

/* Room for n more octets; the data pointer may move. */
void buf_reserve(struct buf *b, size_t n);
void buf_add(struct buf *b, const void *data, size_t len);
void buf_add_u8(struct buf *b, uint8_t octet);
void buf_add_str(struct buf *b, const char *text); /* without its NUL */
void buf_fmt(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Insert len octets at offset at (<= b->len), moving the tail up. */
void buf_insert(struct buf *b, size_t at, const void *data, size_t len);
/* Length to 0, memory kept. */
void buf_reset(struct buf *b);
/* Frees and zeroes; a wiping one for secrets. Both take an empty buffer. */
void buf_free(struct buf *b);
void buf_wipe(struct buf *b);
/* NUL after the data (not counted in len) and return it as text. */
const char *buf_text(struct buf *b);

/* 1 when both hold the same octets. */
int span_eq(struct span a, struct span b);
struct span buf_span(const struct buf *b);

#endif
