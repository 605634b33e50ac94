/*
 * Allocation that ends the process when memory runs out, and the check for our own bugs.
 * Because allocation failure is fatal, every size that comes from outside is bounded by its
 * reader before it reaches one of these.
 */
#ifndef SMKI_MEM_H
#define SMKI_MEM_H

#include <stddef.h>

/* Never return NULL (no memory: one line to stderr, _exit(EXIT_UNAVAILABLE)); free with free(). */
void *mem_alloc(size_t size);		/* zeroed */
void *mem_array(size_t n, size_t size); /* zeroed, overflow checked */
void *mem_resize(void *old, size_t n, size_t size);
void *mem_copy(const void *src, size_t size);
char *mem_str(const char *src);
char *mem_fmt(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* A condition that only a bug of ours can break: always on, prints the place and aborts. */
#define require(cond) ((cond) ? (void)0 : require_failed(#cond, __FILE__, __LINE__))
_Noreturn void require_failed(const char *cond, const char *file, int line);

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#endif
