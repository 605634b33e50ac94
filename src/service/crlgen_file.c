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

/* A file's name taken apart. */
struct crlgen_name {
	char ca[NAME_LEN];
	struct crl_which which; /* ca 0 */
	int64_t number;
};

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

/* As above, and of a CA that there is: its number stands in which. */
static int
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

/* One sequence of numbers: complete lists and deltas, or a shard. */
static int
crlgen_name_same(const struct crlgen_name *name, const char *ca, const struct crl_which *which)
{
	return strcmp(name->ca, ca) == 0 &&
	       (name->which.kind == CRL_SHARD) == (which->kind == CRL_SHARD) &&
	       name->which.shard == which->shard;
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

/* ---- what stands published ---- */

struct crlgen_top {
	const char *ca;
	const struct crl_which *which;
	int64_t number;
};

static int
crlgen_top_entry(void *ctx, int at, const char *file, struct err *err)
{
	struct crlgen_top *top = ctx;
	struct crlgen_name name;

	(void)at;
	(void)err;
	if (crlgen_name_get(file, &name) && crlgen_name_same(&name, top->ca, top->which) &&
	    name.number > top->number)
		top->number = name.number;
	return 0;
}

int
crlgen_published(const char *dir, const char *ca, const struct crl_which *which, int64_t *number,
    struct err *err)
{
	struct crlgen_top top = { .ca = ca, .which = which };

	if (crlgen_each(dir, crlgen_top_entry, &top, err) != 0)
		return -1;
	*number = top.number;
	return 0;
}

/* The file that the database is the furthest behind. */
struct crlgen_age {
	const struct caset *cas;
	struct store *reader;
	char file[CRL_FILE_MAX]; /* "" = it is behind none */
	int64_t number, known;
};

static int
crlgen_age_entry(void *ctx, int at, const char *file, struct err *err)
{
	struct crlgen_age *age = ctx;
	struct store_crl newest = { .number = 0 };
	struct crlgen_name name;
	struct err why;

	(void)at;
	if (!crlgen_name_known(file, age->cas, &name))
		return 0;
	if (store_list_last(age->reader, &name.which, &newest, &why) != 0 &&
	    why.code != FAIL_NOT_FOUND) {
		*err = why;
		return -1;
	}
	/* Its row is committed before a list gets its name. */
	if (name.number > newest.number && name.number > age->number) {
		snprintf(age->file, sizeof(age->file), "%s", file);
		age->number = name.number;
		age->known = newest.number;
	}
	return 0;
}

int
crlgen_check_age(const char *dir, const struct caset *cas, struct store *reader, struct err *err)
{
	struct crlgen_age age = { .cas = cas, .reader = reader };

	if (crlgen_each(dir, crlgen_age_entry, &age, err) != 0)
		return -1;
	if (age.file[0] != '\0')
		return err_set(err, FAIL_CONFLICT,
		    "database: is older than crl/%s, it knows lists up to %" PRId64
		    ": an older copy was put back, and what changed since is lost; to go "
		    "on with it: smki clock accept",
		    age.file, age.known);
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
