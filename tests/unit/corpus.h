/*
 * Corpus files: the rows of a test's table as files for the fuzz targets, named by their defect,
 * and the check that each file is read or refused as its name says ("ok-", "bad-").
 */
#ifndef CORPUS_H
#define CORPUS_H

#include <ctype.h>
#include <dirent.h>

#include "smki/buf.h"
#include "smki/mem.h"
#include "smki/wire.h"
#include "test.h"

/* Octets written as hex digits. */
static inline void
hex_put(struct buf *out, const char *hex)
{
	unsigned octet;

	for (; *hex != '\0'; hex += 2) {
		require(sscanf(hex, "%2x", &octet) == 1);
		buf_add_u8(out, (uint8_t)octet);
	}
}

/* Write octets to tests/corpus/FOLDER/NAME. */
static inline void
corpus_file(const char *folder, const char *name, const struct buf *octets)
{
	char path[1024];
	FILE *f;

	snprintf(path, sizeof(path), "%s/tests/corpus/%s/%s", test_root, folder, name);
	f = fopen(path, "wb");
	if (f == NULL || fwrite(octets->data, 1, octets->len, f) != octets->len || fclose(f) != 0) {
		perror(path);
		exit(1);
	}
}

/* Write DER to tests/corpus/FOLDER/ok-ROW.der or bad-ROW.der. */
static inline void
corpus_write(const char *folder, int ok, const char *row, const struct buf *der)
{
	char name[128], file[160];
	size_t n = 0;

	for (const char *p = row; *p != '\0' && n + 1 < sizeof(name); p++) {
		if (isalnum((unsigned char)*p) || *p == '-')
			name[n++] = *p;
		else if (*p == ' ' && n > 0 && name[n - 1] != '-')
			name[n++] = '-';
	}
	name[n] = '\0';
	snprintf(file, sizeof(file), "%s-%s.der", ok ? "ok" : "bad", name);
	corpus_file(folder, file, der);
}

/* read() gives 0 or -1 for the octets of a file. */
static inline void
corpus_check(const char *folder, int (*read)(const uint8_t *der, size_t len))
{
	static uint8_t data[1 << 17];
	char path[1024];
	struct dirent *ent;
	size_t len, seen = 0;
	DIR *dir;
	FILE *f;

	snprintf(path, sizeof(path), "%s/tests/corpus/%s", test_root, folder);
	dir = opendir(path);
	CHECK_ROW(path, dir != NULL);
	while (dir != NULL && (ent = readdir(dir)) != NULL) {
		if (strncmp(ent->d_name, "ok-", 3) != 0 && strncmp(ent->d_name, "bad-", 4) != 0)
			continue;
		snprintf(
		    path, sizeof(path), "%s/tests/corpus/%s/%s", test_root, folder, ent->d_name);
		f = fopen(path, "rb");
		CHECK_ROW(ent->d_name, f != NULL);
		if (f == NULL)
			continue;
		len = fread(data, 1, sizeof(data), f);
		fclose(f);
		CHECK_ROW(ent->d_name, read(data, len) == (ent->d_name[0] == 'o' ? 0 : -1));
		seen++;
	}
	if (dir != NULL)
		closedir(dir);
	CHECK(seen >= 20);
}

/* Read one value by its payload's functions, and free it again. */
static inline int
corpus_value(struct wire_in *in, size_t size, int (*get)(struct wire_in *, void *, struct err *),
    void (*free_value)(void *))
{
	void *value = mem_alloc(size);
	int rc = get(in, value, NULL);

	if (rc == 0)
		free_value(value);
	free(value);
	return rc;
}

/* As TEST_MAIN; with "--corpus" after the root, write() makes the files instead. */
#define CORPUS_MAIN(suite, cases, write)                                                           \
	int main(int argc, char **argv)                                                            \
	{                                                                                          \
		if (argc == 3 && strcmp(argv[2], "--corpus") == 0) {                               \
			test_root = argv[1];                                                       \
			write();                                                                   \
			return 0;                                                                  \
		}                                                                                  \
		return test_main(argc, argv, suite, cases, sizeof(cases) / sizeof((cases)[0]));    \
	}

#endif
