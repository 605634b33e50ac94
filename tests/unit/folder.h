/*
 * A folder of its own for a test program, in which each test leaves nothing behind.
 */
#ifndef FOLDER_H
#define FOLDER_H

#include <sys/stat.h>
#include <unistd.h>

#include "smki/mem.h"
#include "test.h"

static char folder[64];

static inline void
folder_make(void)
{
	strcpy(folder, "/tmp/smki-test-XXXXXX");
	if (mkdtemp(folder) == NULL) {
		perror("mkdtemp");
		exit(1);
	}
}

/* What a test forgot is a failure. */
static inline void
folder_end(void)
{
	if (rmdir(folder) != 0) {
		perror(folder);
		exit(1);
	}
}

static inline void
write_file(const char *name, const void *data, size_t len, mode_t mode)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	unlink(path);
	f = fopen(path, "wb");
	require(f != NULL && fwrite(data, 1, len, f) == len && fclose(f) == 0);
	require(chmod(path, mode) == 0);
}

static inline void
remove_file(const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	CHECK_ROW(name, remove(path) == 0);
}

#endif
