/*
 * Files of the source tree carried inside the programs (schema/, policies/), so that a program
 * needs no data directory. Arrays end with a NULL name; built by tools/embed.c.
 */
#ifndef SMKI_EMBED_H
#define SMKI_EMBED_H

#include <stddef.h>

struct embed_file {
	const char *name; /* file name without folder */
	const char *text; /* NUL terminated */
	size_t len;
};

extern const struct embed_file schema_text[];
extern const struct embed_file policy_text[];

#endif
