/*
 * CRL files: writing one durably, publishing it by rename, clearing what is too old or was never
 * committed. What is in a list is not looked at here.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crlgen_file.h"
#include "smki/file.h"
#include "smki/mem.h"

#define CRLGEN_NEW ".new"
#define CRLGEN_MODE 0640
/* Octets read and hashed at a time: they stay in a core's cache. */
#define CRLGEN_READ 65536
/* The disk is told to begin after this many octets. */
#define CRLGEN_START (8 * 1024 * 1024)

static int
crlgen_path(
    const char *dir, const char *name, const char *suffix, char out[HOME_PATH_MAX], struct err *err)
{
	int n = snprintf(out, HOME_PATH_MAX, "%s/%s%s", dir, name, suffix);

	if (n < 0 || n >= HOME_PATH_MAX)
		return err_set(err, FAIL_INVALID, "crl: path %s/%s is too long", dir, name);
	return 0;
}

void
crlgen_stem(const char *ca, const struct crl_which *which, char out[CRL_STEM_MAX])
{
	switch (which->kind) {
	case CRL_COMPLETE:
		snprintf(out, CRL_STEM_MAX, "%s", ca);
		break;
	case CRL_DELTA:
		snprintf(out, CRL_STEM_MAX, "%s.delta", ca);
		break;
	case CRL_SHARD:
		snprintf(out, CRL_STEM_MAX, "%s.%" PRId64, ca, which->shard);
		break;
	}
}

void
crlgen_file(const char *stem, int64_t number, char out[CRL_FILE_MAX])
{
	snprintf(out, CRL_FILE_MAX, "%s-%" PRId64 ".crl", stem, number);
}

int
crlgen_out_open(
    const char *dir, const char *stem, int64_t number, struct crlgen_out *out, struct err *err)
{
	char name[CRL_FILE_MAX];

	crlgen_file(stem, number, name);
	if (crlgen_path(dir, name, "", out->path, err) != 0 ||
	    crlgen_path(dir, name, CRLGEN_NEW, out->path_new, err) != 0)
		return -1;
	if (access(out->path, F_OK) == 0)
		return err_set(
		    err, FAIL_CONFLICT, "crl %s: RFC 5280 5.2.3: stands published", out->path);
	if (errno != ENOENT)
		return err_sys(err, FAIL_UNAVAILABLE, "crl %s", out->path);
	if (unlink(out->path_new) != 0 && errno != ENOENT)
		return err_sys(err, FAIL_UNAVAILABLE, "crl %s", out->path_new);
	out->dir = dir;
	out->fd = open(
	    out->path_new, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, CRLGEN_MODE);
	if (out->fd < 0)
		return err_sys(err, FAIL_UNAVAILABLE, "crl %s", out->path_new);
	out->made = true;
	buf_reserve(&out->chunk, CRLGEN_CHUNK);
	return 0;
}

int
crlgen_out_put_at(
    struct crlgen_out *out, uint64_t at, const void *data, size_t len, struct err *err)
{
	const uint8_t *p = data;
	ssize_t n;

	while (len > 0) {
		n = pwrite(out->fd, p, len, (off_t)at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return err_sys(err, FAIL_UNAVAILABLE, "crl %s: write", out->path_new);
		p += n;
		at += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

/* The disk writes while the rest is made. Only a beginning: fsync() is what tells of failures. */
static void
crlgen_out_start(struct crlgen_out *out)
{
	(void)sync_file_range(
	    out->fd, (off_t)out->started, (off_t)(out->at - out->started), SYNC_FILE_RANGE_WRITE);
	out->started = out->at;
}

int
crlgen_out_flush(struct crlgen_out *out, struct err *err)
{
	if (crlgen_out_put_at(out, out->at, out->chunk.data, out->chunk.len, err) != 0)
		return -1;
	out->at += out->chunk.len;
	buf_reset(&out->chunk);
	if (out->at - out->started >= CRLGEN_START)
		crlgen_out_start(out);
	return 0;
}

int
crlgen_out_put(struct crlgen_out *out, const void *data, size_t len, struct err *err)
{
	if (len > CRLGEN_CHUNK - out->chunk.len && crlgen_out_flush(out, err) != 0)
		return -1;
	if (len <= CRLGEN_CHUNK) {
		buf_add(&out->chunk, data, len);
		return 0;
	}
	if (crlgen_out_put_at(out, out->at, data, len, err) != 0)
		return -1;
	out->at += len;
	return 0;
}

/* Into chunk's memory, which must hold nothing. The file is as long as was written. */
static int
crlgen_out_read(const struct crlgen_out *out, uint64_t at, size_t len, struct err *err)
{
	size_t got = 0;
	ssize_t n;

	require(out->chunk.len == 0 && len <= CRLGEN_CHUNK);
	while (got < len) {
		n = pread(out->fd, out->chunk.data + got, len - got, (off_t)(at + got));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, FAIL_UNAVAILABLE, "crl %s: read", out->path_new);
		if (n == 0)
			return err_set(err, FAIL_UNAVAILABLE,
			    "crl %s: the file is shorter than what was written", out->path_new);
		got += (size_t)n;
	}
	return 0;
}

int
crlgen_out_move(struct crlgen_out *out, uint64_t from, uint64_t to, struct err *err)
{
	uint64_t len = out->at - from, done = 0, at;
	size_t n;

	/* From the side on which nothing is overwritten that is still to be read. */
	while (done < len) {
		n = len - done < CRLGEN_CHUNK ? (size_t)(len - done) : CRLGEN_CHUNK;
		at = to > from ? len - done - n : done;
		if (crlgen_out_read(out, from + at, n, err) != 0 ||
		    crlgen_out_put_at(out, to + at, out->chunk.data, n, err) != 0)
			return -1;
		done += n;
	}
	out->at = to + len;
	if (ftruncate(out->fd, (off_t)out->at) != 0)
		return err_sys(err, FAIL_UNAVAILABLE, "crl %s: truncate", out->path_new);
	out->started = 0;
	return 0;
}

int
crlgen_out_hash(const struct crlgen_out *out, uint64_t from, EVP_MD_CTX *md, struct err *err)
{
	size_t len;

	for (; from < out->at; from += len) {
		len = out->at - from < CRLGEN_READ ? (size_t)(out->at - from) : CRLGEN_READ;
		if (crlgen_out_read(out, from, len, err) != 0)
			return -1;
		if (EVP_DigestUpdate(md, out->chunk.data, len) != 1)
			return err_ssl(err, FAIL_INTERNAL, "crl: hash");
	}
	return 0;
}

int
crlgen_out_sync(struct crlgen_out *out, struct err *err)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	int fd, r = -1;

	if (md == NULL || EVP_DigestInit_ex(md, EVP_sha256(), NULL) != 1) {
		err_ssl(err, FAIL_INTERNAL, "crl: hash");
		goto out;
	}
	if (crlgen_out_flush(out, err) != 0)
		goto out;
	crlgen_out_start(out);
	if (crlgen_out_hash(out, 0, md, err) != 0)
		goto out;
	if (EVP_DigestFinal_ex(md, out->sha256, NULL) != 1) {
		err_ssl(err, FAIL_INTERNAL, "crl: hash");
		goto out;
	}
	out->size = out->at;
	if (fsync(out->fd) != 0) {
		err_sys(err, FAIL_UNAVAILABLE, "crl %s: fsync", out->path_new);
		goto out;
	}
	fd = out->fd;
	out->fd = -1;
	if (close(fd) != 0) {
		err_sys(err, FAIL_UNAVAILABLE, "crl %s: close", out->path_new);
		goto out;
	}
	r = file_sync_dir(out->dir, err);
out:
	EVP_MD_CTX_free(md);
	return r;
}

int
crlgen_out_publish(struct crlgen_out *out, struct err *err)
{
	/* Its row is committed: a start finishes the rename if this one fails. */
	out->made = false;
	if (rename(out->path_new, out->path) != 0)
		return err_sys(err, FAIL_UNAVAILABLE, "crl %s: rename", out->path_new);
	return file_sync_dir(out->dir, err);
}

void
crlgen_out_close(struct crlgen_out *out)
{
	if (out->fd >= 0)
		close(out->fd);
	if (out->made)
		unlink(out->path_new);
	buf_free(&out->chunk);
	*out = (struct crlgen_out){ .fd = -1 };
}

/* 1 for "STEM-NUMBER.crl" as it is written here, 0 for any other name. */
static int
crlgen_name_get(const char *file, struct crlgen_name *out)
{
	const char *dash = strrchr(file, '-'), *dot = strchr(file, '.');
	struct crlgen_name name = { .which = { .kind = CRL_COMPLETE } };
	char stem[CRL_STEM_MAX], again[CRL_FILE_MAX];
	size_t len;

	if (dash == NULL || dot == NULL || !isdigit((unsigned char)dash[1]))
		return 0;
	name.number = strtoll(dash + 1, NULL, 10);
	if (dot < dash) {
		name.which.kind = isdigit((unsigned char)dot[1]) ? CRL_SHARD : CRL_DELTA;
		if (name.which.kind == CRL_SHARD)
			name.which.shard = strtoll(dot + 1, NULL, 10);
	}
	len = (size_t)((dot < dash ? dot : dash) - file);
	if (len >= sizeof(name.ca) || name.number <= 0)
		return 0;
	memcpy(name.ca, file, len);
	name.ca[len] = '\0';
	crlgen_stem(name.ca, &name.which, stem);
	crlgen_file(stem, name.number, again);
	if (strcmp(file, again) != 0)
		return 0;
	*out = name;
	return 1;
}

int
crlgen_name_known(const char *file, const struct caset *cas, struct crlgen_name *out)
{
	if (!crlgen_name_get(file, out))
		return 0;
	for (size_t i = 0; i < cas->n; i++)
		if (strcmp(cas->ca[i].name, out->ca) == 0) {
			out->which.ca = cas->ca[i].id;
			return 1;
		}
	return 0;
}

int
crlgen_each(const char *dir, int (*fn)(void *ctx, int at, const char *name, struct err *err),
    void *ctx, struct err *err)
{
	struct dirent *entry;
	DIR *d = opendir(dir);
	int r = -1;

	if (d == NULL)
		return err_sys(err, FAIL_UNAVAILABLE, "crl: folder %s", dir);
	for (;;) {
		errno = 0;
		entry = readdir(d);
		if (entry == NULL)
			break;
		if (fn(ctx, dirfd(d), entry->d_name, err) != 0)
			goto out;
	}
	if (errno != 0) {
		err_sys(err, FAIL_UNAVAILABLE, "crl: folder %s", dir);
		goto out;
	}
	r = 0;
out:
	closedir(d);
	return r;
}

/* What is kept of a CA's complete lists and deltas. */
struct crlgen_old {
	const char *ca;
	int64_t complete, delta; /* the oldest of each, 0 = all are */
	size_t n;
	struct store_crl deltas[CRL_KEEP]; /* whose bases are, too */
};

static int
crlgen_unlink(int at, const char *name, struct err *err)
{
	if (unlinkat(at, name, 0) != 0 && errno != ENOENT)
		return err_sys(err, FAIL_UNAVAILABLE, "crl %s: remove", name);
	return 0;
}

static int
crlgen_prune_entry(void *ctx, int at, const char *file, struct err *err)
{
	const struct crlgen_old *old = ctx;
	struct crlgen_name name;

	if (!crlgen_name_get(file, &name) || strcmp(name.ca, old->ca) != 0 ||
	    name.which.kind == CRL_SHARD)
		return 0;
	if (name.number >= (name.which.kind == CRL_DELTA ? old->delta : old->complete))
		return 0;
	for (size_t i = 0; i < old->n; i++)
		if (name.which.kind == CRL_COMPLETE && old->deltas[i].base == name.number)
			return 0;
	return crlgen_unlink(at, file, err);
}

/* By name: there may be thousands of shards, whose files nobody wants to walk through. */
static int
crlgen_prune_shard(const char *dir, const struct ca *ca, const struct crl_which *which,
    struct store *reader, struct err *err)
{
	struct store_crl recent[2 * CRL_KEEP];
	char stem[CRL_STEM_MAX], name[CRL_FILE_MAX], path[HOME_PATH_MAX];
	size_t n;

	if (store_list_recent(reader, which, recent, ARRAY_LEN(recent), &n, err) != 0)
		return -1;
	crlgen_stem(ca->name, which, stem);
	for (size_t i = CRL_KEEP; i < n; i++) {
		crlgen_file(stem, recent[i].number, name);
		if (crlgen_path(dir, name, "", path, err) != 0 ||
		    crlgen_unlink(AT_FDCWD, path, err) != 0)
			return -1;
	}
	return 0;
}

int
crlgen_prune(const struct crlgen_conf *conf, const struct ca *ca, const struct crl_which *which,
    struct store *reader, struct err *err)
{
	const struct crl_which complete = { .ca = ca->id, .kind = CRL_COMPLETE },
			       delta = { .ca = ca->id, .kind = CRL_DELTA };
	struct store_crl recent[CRL_KEEP];
	struct crlgen_old old = { .ca = ca->name };
	size_t n;

	if (which->kind == CRL_SHARD)
		return crlgen_prune_shard(conf->dir, ca, which, reader, err);
	if (store_list_recent(reader, &complete, recent, CRL_KEEP, &n, err) != 0 ||
	    store_list_recent(reader, &delta, old.deltas, CRL_KEEP, &old.n, err) != 0)
		return -1;
	if (n == CRL_KEEP)
		old.complete = recent[n - 1].number;
	if (old.n == CRL_KEEP)
		old.delta = old.deltas[old.n - 1].number;
	return crlgen_each(conf->dir, crlgen_prune_entry, &old, err);
}

/* ---- at start ---- */

/* 1 when the file at path has this size and SHA-256, 0 when not; missing is FAIL_NOT_FOUND. */
static int
crlgen_same(const char *path, const struct store_crl *row, int *same, struct err *err)
{
	uint8_t sha256[SHA256_LEN], *chunk = mem_alloc(CRLGEN_READ);
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC), r = -1;
	int64_t size = 0;
	ssize_t n;

	if (fd < 0) {
		err_sys(err, errno == ENOENT ? FAIL_NOT_FOUND : FAIL_UNAVAILABLE, "crl %s", path);
		goto out;
	}
	if (md == NULL || EVP_DigestInit_ex(md, EVP_sha256(), NULL) != 1) {
		err_ssl(err, FAIL_INTERNAL, "crl: hash");
		goto out;
	}
	while ((n = read(fd, chunk, CRLGEN_READ)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 || EVP_DigestUpdate(md, chunk, (size_t)n) != 1) {
			err_sys(err, FAIL_UNAVAILABLE, "crl %s: read", path);
			goto out;
		}
		size += n;
	}
	if (EVP_DigestFinal_ex(md, sha256, NULL) != 1) {
		err_ssl(err, FAIL_INTERNAL, "crl: hash");
		goto out;
	}
	*same = size == row->size && memcmp(sha256, row->sha256, SHA256_LEN) == 0;
	r = 0;
out:
	if (fd >= 0)
		close(fd);
	EVP_MD_CTX_free(md);
	free(chunk);
	return r;
}

struct crlgen_left {
	const char *dir;
	const struct caset *cas;
	struct store *reader;
};

/* 1 when the new file of this name holds a committed list whose rename a crash prevented. Other
 * bytes than the committed ones are not published; the next list takes their place. */
static int
crlgen_left_whole(
    const struct crlgen_left *left, const char *name, const char *path, int *whole, struct err *err)
{
	struct crlgen_name parts;
	struct store_crl row;
	struct err why;

	*whole = 0;
	if (!crlgen_name_known(name, left->cas, &parts))
		return 0;
	if (store_list_get(left->reader, &parts.which, parts.number, &row, &why) != 0) {
		if (why.code == FAIL_NOT_FOUND)
			return 0;
		*err = why;
		return -1;
	}
	return crlgen_same(path, &row, whole, err);
}

static int
crlgen_left_entry(void *ctx, int at, const char *file, struct err *err)
{
	static const char suffix[] = ".crl" CRLGEN_NEW;
	const struct crlgen_left *left = ctx;
	char name[CRL_FILE_MAX] = "", path[HOME_PATH_MAX];
	size_t len = strlen(file), end = sizeof(suffix) - 1;
	int whole;

	if (len <= end || strcmp(file + len - end, suffix) != 0)
		return 0;
	len -= strlen(CRLGEN_NEW);
	if (len < sizeof(name))
		memcpy(name, file, len);
	if (crlgen_path(left->dir, file, "", path, err) != 0 ||
	    crlgen_left_whole(left, name, path, &whole, err) != 0)
		return -1;
	if (!whole)
		return crlgen_unlink(at, file, err);
	if (renameat(at, file, at, name) != 0)
		return err_sys(err, FAIL_UNAVAILABLE, "crl %s: rename", path);
	return 0;
}

int
crlgen_recover(const char *dir, const struct caset *cas, struct store *reader, struct err *err)
{
	struct crlgen_left left = { .dir = dir, .cas = cas, .reader = reader };

	if (crlgen_each(dir, crlgen_left_entry, &left, err) != 0)
		return -1;
	return file_sync_dir(dir, err);
}
