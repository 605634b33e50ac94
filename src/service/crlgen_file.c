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
#define CRLGEN_READ 65536

static int
crlgen_path(
    const char *dir, const char *name, const char *suffix, char out[HOME_PATH_MAX], struct err *err)
{
	int n = snprintf(out, HOME_PATH_MAX, "%s/%s%s", dir, name, suffix);

	if (n < 0 || n >= HOME_PATH_MAX)
		return err_set(err, FAIL_INVALID, "crl: path %s/%s is too long", dir, name);
	return 0;
}

int
crlgen_out_open(
    const char *dir, const char *ca, int64_t number, struct crlgen_out *out, struct err *err)
{
	char name[CRL_FILE_MAX];

	crlgen_file(ca, number, name);
	if (crlgen_path(dir, name, "", out->path, err) != 0 ||
	    crlgen_path(dir, name, CRLGEN_NEW, out->path_new, err) != 0)
		return -1;
	if (unlink(out->path_new) != 0 && errno != ENOENT)
		return err_sys(err, FAIL_UNAVAILABLE, "crl %s", out->path_new);
	out->dir = dir;
	out->md = EVP_MD_CTX_new();
	if (out->md == NULL || EVP_DigestInit_ex(out->md, EVP_sha256(), NULL) != 1)
		return err_ssl(err, FAIL_INTERNAL, "crl: hash");
	out->fd = open(
	    out->path_new, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, CRLGEN_MODE);
	if (out->fd < 0)
		return err_sys(err, FAIL_UNAVAILABLE, "crl %s", out->path_new);
	out->made = true;
	return 0;
}

int
crlgen_out_put(struct crlgen_out *out, const void *data, size_t len, struct err *err)
{
	const uint8_t *p = data;
	ssize_t n;

	if (len > 0 && EVP_DigestUpdate(out->md, data, len) != 1)
		return err_ssl(err, FAIL_INTERNAL, "crl: hash");
	out->size += len;
	while (len > 0) {
		n = write(out->fd, p, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return err_sys(err, FAIL_UNAVAILABLE, "crl %s: write", out->path_new);
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int
crlgen_out_sync(struct crlgen_out *out, struct err *err)
{
	int fd = out->fd;

	if (EVP_DigestFinal_ex(out->md, out->sha256, NULL) != 1)
		return err_ssl(err, FAIL_INTERNAL, "crl: hash");
	if (fsync(fd) != 0)
		return err_sys(err, FAIL_UNAVAILABLE, "crl %s: fsync", out->path_new);
	out->fd = -1;
	if (close(fd) != 0)
		return err_sys(err, FAIL_UNAVAILABLE, "crl %s: close", out->path_new);
	return file_sync_dir(out->dir, err);
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
	EVP_MD_CTX_free(out->md);
	*out = (struct crlgen_out){ .fd = -1 };
}

/* Number of a file "NAME-NUMBER.crl" of this CA, 0 for any other name. */
static int64_t
crlgen_number(const char *file, const char *ca)
{
	char again[CRL_FILE_MAX];
	size_t len = strlen(ca);
	int64_t number;

	if (strncmp(file, ca, len) != 0 || file[len] != '-' ||
	    !isdigit((unsigned char)file[len + 1]))
		return 0;
	number = strtoll(file + len + 1, NULL, 10);
	crlgen_file(ca, number, again);
	return strcmp(file, again) == 0 ? number : 0;
}

/* Call fn for each entry of dir until it fails. */
static int
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

struct crlgen_old {
	const char *ca;
	int64_t oldest; /* that is kept */
};

static int
crlgen_prune_entry(void *ctx, int at, const char *name, struct err *err)
{
	const struct crlgen_old *old = ctx;
	int64_t number = crlgen_number(name, old->ca);

	if (number == 0 || number >= old->oldest)
		return 0;
	if (unlinkat(at, name, 0) != 0 && errno != ENOENT)
		return err_sys(err, FAIL_UNAVAILABLE, "crl %s: remove", name);
	return 0;
}

int
crlgen_prune(const char *dir, const struct ca *ca, struct store *reader, struct err *err)
{
	struct store_crl recent[CRL_KEEP];
	struct crlgen_old old = { .ca = ca->name };
	size_t n;

	if (store_crl_recent(reader, ca->id, recent, CRL_KEEP, &n, err) != 0)
		return -1;
	if (n < CRL_KEEP)
		return 0;
	old.oldest = recent[n - 1].number;
	return crlgen_each(dir, crlgen_prune_entry, &old, err);
}

/* ---- what stands published ---- */

struct crlgen_top {
	const char *ca;
	int64_t number;
};

static int
crlgen_top_entry(void *ctx, int at, const char *name, struct err *err)
{
	struct crlgen_top *top = ctx;
	int64_t number = crlgen_number(name, top->ca);

	(void)at;
	(void)err;
	if (number > top->number)
		top->number = number;
	return 0;
}

int
crlgen_published(const char *dir, const char *ca, int64_t *number, struct err *err)
{
	struct crlgen_top top = { .ca = ca };

	if (crlgen_each(dir, crlgen_top_entry, &top, err) != 0)
		return -1;
	*number = top.number;
	return 0;
}

int
crlgen_check_age(const char *dir, const struct caset *cas, struct store *reader, struct err *err)
{
	char name[CRL_FILE_MAX];
	struct store_crl newest;
	int64_t number, known;
	struct err why;

	for (size_t i = 0; i < cas->n; i++) {
		known = 0;
		if (crlgen_published(dir, cas->ca[i].name, &number, err) != 0)
			return -1;
		if (store_crl_newest(reader, cas->ca[i].id, &newest, &why) == 0) {
			known = newest.number;
		} else if (why.code != FAIL_NOT_FOUND) {
			*err = why;
			return -1;
		}
		crlgen_file(cas->ca[i].name, number, name);
		/* Its row is committed before a list gets its name. */
		if (number > known)
			return err_set(err, FAIL_CONFLICT,
			    "database: is older than crl/%s, it knows lists up to %" PRId64
			    ": an older copy was put back, and what changed since is lost; to go "
			    "on with it: smki clock accept",
			    name, known);
	}
	return 0;
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

/* Finish the rename of one committed list, if that is what a crash left. */
static int
crlgen_recover_one(
    const char *dir, const struct ca *ca, const struct store_crl *row, struct err *err)
{
	char name[CRL_FILE_MAX], path[HOME_PATH_MAX], path_new[HOME_PATH_MAX];
	struct err why;
	int same;

	crlgen_file(ca->name, row->number, name);
	if (crlgen_path(dir, name, "", path, err) != 0 ||
	    crlgen_path(dir, name, CRLGEN_NEW, path_new, err) != 0)
		return -1;
	if (crlgen_same(path_new, row, &same, &why) != 0) {
		if (why.code == FAIL_NOT_FOUND)
			return 0;
		*err = why;
		return -1;
	}
	/* Other bytes than the committed ones are not published; the sweep removes them, and the
	 * next list takes their place. */
	if (!same)
		return 0;
	if (rename(path_new, path) != 0)
		return err_sys(err, FAIL_UNAVAILABLE, "crl %s: rename", path_new);
	return 0;
}

static int
crlgen_sweep_entry(void *ctx, int at, const char *name, struct err *err)
{
	static const char suffix[] = ".crl" CRLGEN_NEW;
	size_t len = strlen(name), end = sizeof(suffix) - 1;

	if (len <= end || strcmp(name + len - end, suffix) != 0)
		return 0;
	if (unlinkat(at, name, 0) != 0 && errno != ENOENT)
		return err_sys(err, FAIL_UNAVAILABLE, "crl %s: remove", name);
	return 0;
}

int
crlgen_recover(const char *dir, const struct caset *cas, struct store *reader, struct err *err)
{
	struct store_crl recent[CRL_KEEP];
	size_t n;

	for (size_t i = 0; i < cas->n; i++) {
		if (store_crl_recent(reader, cas->ca[i].id, recent, CRL_KEEP, &n, err) != 0)
			return -1;
		for (size_t k = 0; k < n; k++)
			if (crlgen_recover_one(dir, &cas->ca[i], &recent[k], err) != 0)
				return -1;
	}
	if (crlgen_each(dir, crlgen_sweep_entry, NULL, err) != 0)
		return -1;
	return file_sync_dir(dir, err);
}
