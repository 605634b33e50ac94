/*
 * Reading a batch. Nothing of a zip is ever written to disk, and no name in it is used as a path.
 */
#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "batch.h"
#include "smki/csr.h"
#include "smki/file.h"
#include "smki/hex.h"
#include "smki/mem.h"

/* What a zip may hold beside requests (folders): bounded as well. */
#define BATCH_FOLDERS_MAX BATCH_MAX
#define BATCH_BLOCK 65536
/* Octets of a zip's end record; the last two are the length of the comment behind it. */
#define BATCH_ZIP_END 22

struct batch_entry {
	char *name; /* owned */
	uint8_t hash[SHA256_LEN];
};

struct batch_source {
	char *path;
	int fd;		     /* the zip, or the folder */
	struct archive *zip; /* NULL = a folder */
	/* libarchive gives names of a zip in the encoding of the thread's locale. */
	locale_t utf8, before; /* utf8 (locale_t)0 = before is in use */
	struct batch_entry *entry;
	size_t n, cap, next;
	uint8_t hash[SHA256_LEN];
};

static int
batch_check_name(const char *name, struct err *err)
{
	size_t len = strlen(name), step;
	const char *part = name;

	if (len == 0 || len > BATCH_NAME_MAX)
		return err_set(err, FAIL_INVALID, "batch: %.40s: a name of %zu octets", name, len);
	for (size_t i = 0; i < len; i += step) {
		const uint8_t *p = (const uint8_t *)name + i;

		step = utf8_len(p, len - i);
		if (step == 0 || utf8_hidden(p) || *p == '\\')
			return err_set(err, FAIL_INVALID,
			    "batch: %.80s: octet %02x is not allowed in a name", name, *p);
	}
	if (name[0] == '/')
		return err_set(err, FAIL_INVALID, "batch: %.80s: leads out of the zip", name);
	for (; part != NULL; part = strchr(part, '/')) {
		part += *part == '/';
		if (strcmp(part, "..") == 0 || strncmp(part, "../", 3) == 0)
			return err_set(
			    err, FAIL_INVALID, "batch: %.80s: leads out of the zip", name);
	}
	return 0;
}

static int
batch_add(struct batch_source *source, const char *name, struct err *err)
{
	if (batch_check_name(name, err) != 0)
		return -1;
	if (source->n == BATCH_MAX)
		return err_set(
		    err, FAIL_INVALID, "batch: more than %d requests in one batch", BATCH_MAX);
	if (source->n == source->cap) {
		source->cap = source->cap == 0 ? 1024 : 2 * source->cap;
		source->entry = mem_resize(source->entry, source->cap, sizeof(*source->entry));
	}
	source->entry[source->n++].name = mem_str(name);
	return 0;
}

/* ---- zip ---- */

static int
batch_zip_fail(const struct batch_source *source, const char *what, struct err *err)
{
	const char *why = archive_error_string(source->zip);

	return err_set(err, FAIL_INVALID, "batch: %s: %s: %s", source->path, what,
	    why != NULL ? why : "not a zip file");
}

/* A file without an octet, or a zip of nothing (APPNOTE 4.3.16: an end record, its comment), which
 * libarchive takes for no zip. */
static bool
batch_zip_none(const struct batch_source *source, off_t size)
{
	static const uint8_t sign[] = { 'P', 'K', 5, 6 };
	uint8_t end[BATCH_ZIP_END];

	if (size == 0)
		return true;
	return pread(source->fd, end, sizeof(end), 0) == (ssize_t)sizeof(end) &&
	       memcmp(end, sign, sizeof(sign)) == 0 &&
	       size == BATCH_ZIP_END + (end[BATCH_ZIP_END - 1] << 8 | end[BATCH_ZIP_END - 2]);
}

/* How many records of a central directory (APPNOTE 4.3.12) there can be at most: libarchive keeps
 * something of each, before the first entry is handed out and whatever the end record says. */
static int
batch_zip_count(const struct batch_source *source, struct err *err)
{
	static const uint8_t sign[] = { 'P', 'K', 1, 2 };
	uint8_t *block = mem_alloc(BATCH_BLOCK), *p;
	size_t n = 0, len = 0;
	int r = -1;

	for (;;) {
		ssize_t got = read(source->fd, block + len, BATCH_BLOCK - len);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			err_sys(err, FAIL_UNAVAILABLE, "batch: %s", source->path);
			goto out;
		}
		if (got == 0)
			break;
		len += (size_t)got;
		for (p = block;
		     (p = memmem(p, (size_t)(block + len - p), sign, sizeof(sign))) != NULL;
		     p += sizeof(sign))
			n++;
		if (n > BATCH_MAX + BATCH_FOLDERS_MAX) {
			err_set(err, FAIL_INVALID, "batch: %s: more than %d entries", source->path,
			    BATCH_MAX + BATCH_FOLDERS_MAX);
			goto out;
		}
		/* One may stand across the end of the block. */
		if (len >= sizeof(sign)) {
			memmove(block, block + len - (sizeof(sign) - 1), sizeof(sign) - 1);
			len = sizeof(sign) - 1;
		}
	}
	r = 0;
out:
	free(block);
	return r;
}

static int
batch_zip_open(struct batch_source *source, struct err *err)
{
	if (source->zip != NULL)
		archive_read_free(source->zip);
	source->zip = archive_read_new();
	require(source->zip != NULL);
	if (lseek(source->fd, 0, SEEK_SET) != 0)
		return err_sys(err, FAIL_INVALID, "batch: %s", source->path);
	if (archive_read_support_format_zip_seekable(source->zip) != ARCHIVE_OK ||
	    archive_read_open_fd(source->zip, source->fd, BATCH_BLOCK) != ARCHIVE_OK)
		return batch_zip_fail(source, "cannot be read", err);
	return 0;
}

/* The next file of the zip: 1, 0 at its end, -1. */
static int
batch_zip_entry(struct batch_source *source, const char **name, size_t *folders, struct err *err)
{
	struct archive_entry *entry;
	int r;

	for (;;) {
		r = archive_read_next_header(source->zip, &entry);
		if (r == ARCHIVE_EOF)
			return 0;
		if (r != ARCHIVE_OK)
			return batch_zip_fail(source, "entry", err);
		*name = archive_entry_pathname(entry);
		if (*name == NULL)
			return err_set(err, FAIL_INVALID,
			    "batch: %s: an entry without a readable name", source->path);
		if (archive_entry_filetype(entry) == AE_IFREG)
			break;
		if (archive_entry_filetype(entry) != AE_IFDIR)
			return err_set(
			    err, FAIL_INVALID, "batch: %.80s: is no regular file", *name);
		if (batch_check_name(*name, err) != 0)
			return -1;
		if (++*folders > BATCH_FOLDERS_MAX)
			return err_set(err, FAIL_INVALID, "batch: %s: more than %d folders",
			    source->path, BATCH_FOLDERS_MAX);
	}
	if (archive_entry_is_encrypted(entry))
		return err_set(err, FAIL_INVALID, "batch: %.80s: is encrypted", *name);
	return 1;
}

/* The present entry's octets: as many as a request may have, and no more are unpacked. */
static int
batch_zip_read(struct batch_source *source, const char *name, struct buf *out, struct err *err)
{
	la_ssize_t n;

	buf_reset(out);
	for (;;) {
		buf_reserve(out, CSR_TEXT_MAX + 1 - out->len);
		n = archive_read_data(
		    source->zip, out->data + out->len, CSR_TEXT_MAX + 1 - out->len);
		if (n < 0)
			return batch_zip_fail(source, name, err);
		if (n == 0)
			return 0;
		out->len += (size_t)n;
		if (out->len > CSR_TEXT_MAX)
			return err_set(err, FAIL_INVALID,
			    "batch: %.80s: is over %d octets: no request", name, CSR_TEXT_MAX);
	}
}

/* ---- folder ---- */

static int
batch_compare(const void *a, const void *b)
{
	return strcmp(((const struct batch_entry *)a)->name, ((const struct batch_entry *)b)->name);
}

static int
batch_folder_list(struct batch_source *source, struct err *err)
{
	int fd = openat(source->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = -1;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (dir == NULL) {
		if (fd >= 0)
			close(fd);
		return err_sys(err, file_code(errno), "batch: %s", source->path);
	}
	for (errno = 0; (e = readdir(dir)) != NULL; errno = 0)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 &&
		    batch_add(source, e->d_name, err) != 0)
			goto out;
	if (errno != 0) {
		err_sys(err, FAIL_UNAVAILABLE, "batch: %s", source->path);
		goto out;
	}
	/* Of none there is no array to sort (C11 7.22.5.2: not even of length 0). */
	if (source->n > 0)
		qsort(source->entry, source->n, sizeof(*source->entry), batch_compare);
	r = 0;
out:
	closedir(dir);
	return r;
}

static int
batch_folder_read(struct batch_source *source, const char *name, struct buf *out, struct err *err)
{
	int fd = openat(source->fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC), r = -1;
	struct stat st;
	ssize_t n;

	/* A link is not followed, and a socket cannot be opened. */
	if (fd < 0 && (errno == ELOOP || errno == ENXIO))
		return err_set(err, FAIL_INVALID, "batch: %.80s: is no regular file", name);
	if (fd < 0)
		return err_sys(err, file_code(errno), "batch: %.80s", name);
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		err_set(err, FAIL_INVALID, "batch: %.80s: is no regular file", name);
		goto out;
	}
	buf_reset(out);
	buf_reserve(out, CSR_TEXT_MAX + 1);
	while ((n = read(fd, out->data + out->len, CSR_TEXT_MAX + 1 - out->len)) > 0) {
		out->len += (size_t)n;
		if (out->len > CSR_TEXT_MAX) {
			err_set(err, FAIL_INVALID, "batch: %.80s: is over %d octets: no request",
			    name, CSR_TEXT_MAX);
			goto out;
		}
	}
	if (n < 0) {
		err_sys(err, FAIL_UNAVAILABLE, "batch: %.80s", name);
		goto out;
	}
	r = 0;
out:
	close(fd);
	return r;
}

/* ---- both ---- */

static void
batch_digest(const struct buf *csr, uint8_t out[SHA256_LEN])
{
	require(EVP_Digest(csr->data, csr->len, out, NULL, EVP_sha256(), NULL) == 1);
}

/* The octets of the entry just read belong to the batch. */
static void
batch_hash_add(EVP_MD_CTX *md, struct batch_entry *entry, const struct buf *csr)
{
	batch_digest(csr, entry->hash);
	require(EVP_DigestUpdate(md, entry->name, strlen(entry->name) + 1) == 1 &&
		EVP_DigestUpdate(md, entry->hash, sizeof(entry->hash)) == 1);
}

/* Every entry is unpacked once here, so that what is wrong with any is known before the first is
 * used. */
static int
batch_scan(struct batch_source *source, struct err *err)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	struct buf csr = { 0 };
	struct batch_entry *entry;
	size_t folders = 0;
	const char *name;
	int r = -1, more = 0;

	require(md != NULL && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1);
	if (source->zip == NULL) {
		if (batch_folder_list(source, err) != 0)
			goto out;
		for (size_t i = 0; i < source->n; i++) {
			if (batch_folder_read(source, source->entry[i].name, &csr, err) != 0)
				goto out;
			batch_hash_add(md, &source->entry[i], &csr);
		}
	} else {
		while ((more = batch_zip_entry(source, &name, &folders, err)) == 1) {
			if (batch_add(source, name, err) != 0)
				goto out;
			entry = &source->entry[source->n - 1];
			if (batch_zip_read(source, entry->name, &csr, err) != 0)
				goto out;
			batch_hash_add(md, entry, &csr);
		}
	}
	if (more < 0)
		goto out;
	require(EVP_DigestFinal_ex(md, source->hash, NULL) == 1);
	r = 0;
out:
	EVP_MD_CTX_free(md);
	buf_free(&csr);
	return r;
}

static int
batch_check_twice(const struct batch_source *source, struct err *err)
{
	struct batch_entry *sorted = mem_copy(source->entry, source->n * sizeof(*sorted));
	int r = 0;

	qsort(sorted, source->n, sizeof(*sorted), batch_compare);
	for (size_t i = 1; i < source->n && r == 0; i++)
		if (batch_compare(&sorted[i - 1], &sorted[i]) == 0)
			r = err_set(
			    err, FAIL_INVALID, "batch: %.80s: is there twice", sorted[i].name);
	free(sorted);
	return r;
}

/* The first is the next one. */
static int
batch_rewind(struct batch_source *source, struct err *err)
{
	source->next = 0;
	return source->zip != NULL ? batch_zip_open(source, err) : 0;
}

int
batch_open(const char *path, struct batch_source **out, struct err *err)
{
	struct batch_source *source = mem_alloc(sizeof(*source));
	struct stat st;
	bool none;
	int r = -1;

	source->path = mem_str(path);
	source->utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	if (source->utf8 != (locale_t)0)
		source->before = uselocale(source->utf8);
	/* NONBLOCK: a pipe that nobody writes to is refused, not waited for. */
	source->fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (source->fd < 0 || fstat(source->fd, &st) != 0) {
		err_sys(err, file_code(errno), "batch: %s", path);
		goto out;
	}
	if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode)) {
		err_set(err, FAIL_INVALID, "batch: %s: is neither a zip file nor a folder", path);
		goto out;
	}
	none = S_ISREG(st.st_mode) && batch_zip_none(source, st.st_size);
	if (S_ISREG(st.st_mode) && !none &&
	    (batch_zip_count(source, err) != 0 || batch_zip_open(source, err) != 0))
		goto out;
	if (!none && batch_scan(source, err) != 0)
		goto out;
	if (source->n == 0) {
		err_set(err, FAIL_INVALID, "batch: %s: holds no request", path);
		goto out;
	}
	if (batch_check_twice(source, err) != 0 || batch_rewind(source, err) != 0)
		goto out;
	*out = source;
	source = NULL;
	r = 0;
out:
	batch_close(source);
	return r;
}

void
batch_close(struct batch_source *source)
{
	if (source == NULL)
		return;
	if (source->zip != NULL)
		archive_read_free(source->zip);
	if (source->fd >= 0)
		close(source->fd);
	if (source->utf8 != (locale_t)0) {
		uselocale(source->before);
		freelocale(source->utf8);
	}
	for (size_t i = 0; i < source->n; i++)
		free(source->entry[i].name);
	free(source->entry);
	free(source->path);
	free(source);
}

size_t
batch_count(const struct batch_source *source)
{
	return source->n;
}

const char *
batch_name(const struct batch_source *source, size_t i)
{
	return source->entry[i].name;
}

const uint8_t *
batch_hash(const struct batch_source *source)
{
	return source->hash;
}

int
batch_next(struct batch_source *source, struct buf *csr, struct err *err)
{
	const struct batch_entry *want = &source->entry[source->next];
	uint8_t hash[SHA256_LEN];
	size_t folders = 0;
	const char *name;

	require(source->next < source->n);
	source->next++;
	if (source->zip == NULL) {
		if (batch_folder_read(source, want->name, csr, err) != 0)
			return -1;
	} else {
		if (batch_zip_entry(source, &name, &folders, err) != 1 ||
		    strcmp(name, want->name) != 0)
			goto changed;
		if (batch_zip_read(source, want->name, csr, err) != 0)
			return -1;
	}
	batch_digest(csr, hash);
	if (memcmp(hash, want->hash, sizeof(hash)) == 0)
		return 0;
changed:
	return err_set(err, FAIL_CONFLICT, "batch: %s: was changed meanwhile: %.80s", source->path,
	    want->name);
}
