/*
 * Allocation that never fails for its caller, and the end of a process that found its own bug.
 */
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "smki/err.h"
#include "smki/mem.h"

/* No clean-up and no stdio: with no memory left neither can be relied on. */
static _Noreturn void
mem_exhausted(void)
{
	static const char text[] = "out of memory\n";

	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		_exit(EXIT_UNAVAILABLE);
	_exit(EXIT_UNAVAILABLE);
}

void *
mem_alloc(size_t size)
{
	return mem_array(1, size);
}

void *
mem_array(size_t n, size_t size)
{
	void *p;

	/* calloc checks the product; a zero size might give NULL. */
	p = n == 0 || size == 0 ? calloc(1, 1) : calloc(n, size);
	if (p == NULL)
		mem_exhausted();
	return p;
}

void *
mem_resize(void *old, size_t n, size_t size)
{
	void *p;

	p = n == 0 || size == 0 ? realloc(old, 1) : reallocarray(old, n, size);
	if (p == NULL)
		mem_exhausted();
	return p;
}

void *
mem_copy(const void *src, size_t size)
{
	void *p;

	p = mem_alloc(size);
	if (size > 0)
		memcpy(p, src, size);
	return p;
}

char *
mem_str(const char *src)
{
	return mem_copy(src, strlen(src) + 1);
}

char *
mem_fmt(const char *fmt, ...)
{
	char *p = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&p, fmt, ap);
	va_end(ap);
	if (n < 0)
		mem_exhausted();
	return p;
}

_Noreturn void
require_failed(const char *cond, const char *file, int line)
{
	fprintf(stderr, "%s:%d: broken: %s\n", file, line, cond);
	abort();
}
