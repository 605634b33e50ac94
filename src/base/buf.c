/*
 * The growing byte buffer and comparisons of byte ranges.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "smki/buf.h"
#include "smki/mem.h"

#define BUF_FIRST 64

void
buf_reserve(struct buf *b, size_t n)
{
	size_t cap;
	uint8_t *data;

	require(n <= SIZE_MAX / 2 - b->len);
	if (b->len + n <= b->cap)
		return;
	cap = b->cap < BUF_FIRST ? BUF_FIRST : b->cap * 2;
	if (cap < b->len + n)
		cap = b->len + n;
	data = mem_alloc(cap);
	/* Not realloc: a buffer may hold a secret, and no copy of it may stay in freed memory. */
	if (b->data != NULL) {
		memcpy(data, b->data, b->len);
		explicit_bzero(b->data, b->cap);
		free(b->data);
	}
	b->data = data;
	b->cap = cap;
}

void
buf_add(struct buf *b, const void *data, size_t len)
{
	if (len == 0)
		return;
	buf_reserve(b, len);
	memcpy(b->data + b->len, data, len);
	b->len += len;
}

void
buf_add_u8(struct buf *b, uint8_t octet)
{
	buf_add(b, &octet, 1);
}

void
buf_add_str(struct buf *b, const char *text)
{
	buf_add(b, text, strlen(text));
}

void
buf_fmt(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	size_t room;
	int n;

	buf_reserve(b, BUF_FIRST);
	room = b->cap - b->len;
	va_start(ap, fmt);
	n = vsnprintf((char *)b->data + b->len, room, fmt, ap);
	va_end(ap);
	require(n >= 0);
	if ((size_t)n >= room) {
		buf_reserve(b, (size_t)n + 1);
		va_start(ap, fmt);
		vsnprintf((char *)b->data + b->len, (size_t)n + 1, fmt, ap);
		va_end(ap);
	}
	b->len += (size_t)n;
}

void
buf_insert(struct buf *b, size_t at, const void *data, size_t len)
{
	require(at <= b->len);
	if (len == 0)
		return;
	buf_reserve(b, len);
	memmove(b->data + at + len, b->data + at, b->len - at);
	memcpy(b->data + at, data, len);
	b->len += len;
}

void
buf_reset(struct buf *b)
{
	b->len = 0;
}

void
buf_free(struct buf *b)
{
	free(b->data);
	memset(b, 0, sizeof(*b));
}

void
buf_wipe(struct buf *b)
{
	if (b->data != NULL)
		explicit_bzero(b->data, b->cap);
	buf_free(b);
}

const char *
buf_text(struct buf *b)
{
	buf_reserve(b, 1);
	b->data[b->len] = '\0';
	return (const char *)b->data;
}

int
span_eq(struct span a, struct span b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

struct span
buf_span(const struct buf *b)
{
	return (struct span){ b->data, b->len };
}
