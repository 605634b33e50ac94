/*
 * The output folder of a batch. It is of one batch, for ever when one was issued; its certificates
 * are written one by one while they come, its report when all are there.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "batch.h"
#include "smki/file.h"
#include "smki/hex.h"
#include "smki/mem.h"

#define BATCH_ID "batch.id"
#define BATCH_ID_MAX 1024
#define BATCH_CERTS "certificates"
/* Looks at a folder that other runs may be making. */
#define BATCH_TRIES 3
/* A certificate until it is whole; one at a time. */
#define BATCH_NEW ".new"

static bool
batch_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* The folder at path, or the one that it is to be made in. */
static int
batch_nearest(const char *path, int *out, struct err *err)
{
	char *copy = mem_str(path);
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		fd = open(dirname(copy), O_PATH | O_DIRECTORY | O_CLOEXEC);
	free(copy);
	if (fd < 0)
		return err_sys(err, file_code(errno), "batch: %s", path);
	*out = fd;
	return 0;
}

/* An output in the input would be one of its entries, the next time: it is looked for on all the way
 * up, whatever links the names go through. */
static int
batch_outside(const char *input, const char *path, struct err *err)
{
	struct stat in, at, below = { 0 };
	int fd = -1, up, r = -1;

	if (batch_nearest(path, &fd, err) != 0)
		return -1;
	/* What is wrong with the input is told when it is opened. */
	if (stat(input, &in) != 0 || !S_ISDIR(in.st_mode)) {
		r = 0;
		goto out;
	}
	for (bool first = true;; first = false) {
		if (fstat(fd, &at) != 0)
			goto fail;
		if (batch_same(&at, &in)) {
			err_set(err, FAIL_INVALID,
			    "batch: %s: lies in the folder of the requests; name another with "
			    "--out",
			    path);
			goto out;
		}
		if (!first && batch_same(&at, &below))
			break; /* the root is its own parent */
		up = openat(fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (up < 0 && errno == EACCES)
			break; /* a folder that one may not search on the way up: no slip */
		if (up < 0)
			goto fail;
		close(fd);
		fd = up;
		below = at;
	}
	r = 0;
	goto out;
fail:
	err_sys(err, file_code(errno), "batch: %s", path);
out:
	close(fd);
	return r;
}

/* The input's name with .out behind; "." and the like have to be named first. */
static int
batch_default(const char *input, char **out, struct err *err)
{
	const char *base = strrchr(input, '/');
	char *real;

	base = base != NULL ? base + 1 : input;
	if (base[0] != '\0' && strcmp(base, ".") != 0 && strcmp(base, "..") != 0) {
		*out = mem_fmt("%s.out", input);
		return 0;
	}
	real = realpath(input, NULL);
	if (real == NULL)
		return err_sys(err, file_code(errno), "batch: %s", input);
	if (strcmp(real, "/") == 0) {
		free(real);
		return err_set(
		    err, FAIL_INVALID, "batch: /: has no name; name the output with --out");
	}
	*out = mem_fmt("%s.out", real);
	free(real);
	return 0;
}

int
batch_output_place(
    struct batch_output *output, const char *input, const char *given, struct err *err)
{
	char *path = mem_str(given != NULL ? given : input), *named = NULL;
	int r = -1;

	for (size_t len = strlen(path); len > 1 && path[len - 1] == '/'; len--)
		path[len - 1] = '\0';
	if (given == NULL) {
		if (batch_default(path, &named, err) != 0)
			goto out;
		free(path);
		path = named;
	}
	if (batch_outside(input, path, err) != 0)
		goto out;
	output->path = path;
	path = NULL;
	r = 0;
out:
	free(path);
	return r;
}

/* The folder of the certificates; who was first made it as well. */
static int
batch_certs_make(const char *out, struct err *err)
{
	char *certs = mem_fmt("%s/" BATCH_CERTS, out);
	int r = file_make_dir(certs, 0755, err);

	if (r != 0 && err->code == FAIL_CONFLICT)
		r = 0;
	free(certs);
	return r;
}

/* A new one with what it is of, whole or not at all under its name. */
static int
batch_folder_new(const char *out, struct span id, struct err *err)
{
	char *tmp = mem_fmt("%s.XXXXXX", out), *path = NULL;
	bool made = false;
	int r = -1;

	if (mkdtemp(tmp) == NULL) {
		err_sys(err, file_code(errno), "batch: %s", out);
		goto out;
	}
	made = true;
	path = mem_fmt("%s/" BATCH_ID, tmp);
	if (batch_certs_make(tmp, err) != 0 || file_write(path, id.p, id.len, 0644, err) != 0)
		goto out;
	if (chmod(tmp, 0755) != 0 || rename(tmp, out) != 0) {
		if (errno == ENOTEMPTY || errno == EEXIST || errno == ENOTDIR || errno == EBUSY)
			err_set(err, FAIL_CONFLICT,
			    "batch: %s: exists and is no output of a batch; name another with "
			    "--out",
			    out);
		else
			err_sys(err, FAIL_UNAVAILABLE, "batch: %s", out);
		goto out;
	}
	made = false;
	r = 0;
out:
	if (made && file_remove_tree(tmp, NULL) != 0)
		err_prefix(err, "%s is left", tmp);
	free(tmp);
	free(path);
	return r;
}

/* What a run leaves in a folder that was killed in batch_folder_fill; in certificates/, in any. */
static bool
batch_folder_known(const char *name)
{
	return strcmp(name, BATCH_CERTS) == 0 || strncmp(name, BATCH_ID, strlen(BATCH_ID)) == 0;
}

static bool
batch_certs_known(const char *name)
{
	return strcmp(name, BATCH_NEW) == 0;
}

/* Whether nothing else is in the folder, which is closed. */
static int
batch_only(int fd, const char *path, bool (*known)(const char *name), bool *only, struct err *err)
{
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	int r = 0;

	if (dir == NULL) {
		err_sys(err, FAIL_UNAVAILABLE, "batch: %s", path);
		if (fd >= 0)
			close(fd);
		return -1;
	}
	*only = true;
	for (errno = 0; (e = readdir(dir)) != NULL; errno = 0)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 &&
		    !known(e->d_name))
			*only = false;
	if (errno != 0)
		r = err_sys(err, FAIL_UNAVAILABLE, "batch: %s", path);
	closedir(dir);
	return r;
}

static int
batch_folder_empty(const char *out, bool *empty, struct err *err)
{
	int fd = open(out, O_RDONLY | O_DIRECTORY | O_CLOEXEC), certs, r;

	*empty = false;
	if (fd < 0)
		return errno == ENOTDIR ? 0 : err_sys(err, file_code(errno), "batch: %s", out);
	certs = openat(fd, BATCH_CERTS, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	r = batch_only(fd, out, batch_folder_known, empty, err);
	if (certs >= 0 && r == 0 && *empty)
		return batch_only(certs, out, batch_certs_known, empty, err);
	if (certs >= 0)
		close(certs);
	return r;
}

/* An empty folder of somebody's becomes one of a batch, and stays what else it is. */
static int
batch_folder_fill(const char *out, struct span id, struct err *err)
{
	char *path = mem_fmt("%s/" BATCH_ID, out);
	bool empty;
	int r = -1;

	if (batch_folder_empty(out, &empty, err) != 0)
		goto out;
	if (!empty)
		err_set(err, FAIL_CONFLICT,
		    "batch: %s: exists and is no output of a batch; name another with --out", out);
	else if (batch_certs_make(out, err) == 0)
		r = file_write(path, id.p, id.len, 0644, err);
out:
	free(path);
	return r;
}

/* A folder of a batch, or a new one of this. */
static int
batch_folder_have(const struct batch_output *output, struct span id, struct err *err)
{
	char *path = mem_fmt("%s/" BATCH_ID, output->path);
	struct stat st;
	int r = -1;

	for (int i = 0; r != 0 && i < BATCH_TRIES; i++) {
		if (lstat(path, &st) == 0)
			r = 0;
		else if (stat(output->path, &st) == 0)
			r = batch_folder_fill(output->path, id, err);
		else
			r = batch_folder_new(output->path, id, err);
		/* Another run of the same batch may have been first. */
		if (r != 0 && err->code != FAIL_CONFLICT)
			break;
	}
	free(path);
	return r;
}

/* Whether no certificate stands there, nor anything else but what a killed run left half made. */
static int
batch_certs_none(const struct batch_output *output, bool *none, struct err *err)
{
	return batch_only(openat(output->certs, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC),
	    output->path, batch_certs_known, none, err);
}

/* No report from here on, durably: what an earlier run reported may become untrue with the first
 * file that is written or removed, and this run may be killed at any of them. */
static int
batch_report_drop(const struct batch_output *output, struct err *err)
{
	char *path = mem_fmt("%s/" BATCH_REPORT, output->path);
	int r;

	if (unlink(path) == 0)
		r = file_sync_dir(output->path, err);
	else
		r = errno == ENOENT ? 0 : err_sys(err, FAIL_UNAVAILABLE, "batch: %s", path);
	free(path);
	return r;
}

/* It is of this batch, or becomes it: one of another in which nothing was issued holds nothing that
 * could be taken for ours. Under the lock. */
static int
batch_claim(const struct batch_output *output, struct span id, struct err *err)
{
	char *path = mem_fmt("%s/" BATCH_ID, output->path);
	struct buf got = { 0 };
	bool none;
	int r = -1;

	if (file_read(path, BATCH_ID_MAX, &got, err) != 0)
		goto out;
	if (span_eq(id, buf_span(&got))) {
		r = 0;
		goto out;
	}
	if (batch_certs_none(output, &none, err) != 0)
		goto out;
	if (!none)
		err_set(err, FAIL_CONFLICT,
		    "batch: %s: is the output of another batch; name another with --out",
		    output->path);
	else if (batch_report_drop(output, err) == 0)
		r = file_write(path, id.p, id.len, 0644, err);
out:
	free(path);
	buf_free(&got);
	return r;
}

int
batch_output_open(struct batch_output *output, struct span id, struct err *err)
{
	char *certs = mem_fmt("%s/" BATCH_CERTS, output->path);
	int r = -1;

	/* Somebody may have taken the certificates away: they are written anew. */
	if (batch_folder_have(output, id, err) != 0 || batch_certs_make(output->path, err) != 0)
		goto out;
	output->certs = open(certs, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (output->certs < 0) {
		if (errno == ENOTDIR || errno == ELOOP)
			err_set(err, FAIL_CONFLICT,
			    "batch: %s: is a file or a link, not the folder it was; move it away",
			    certs);
		else
			err_sys(err, FAIL_UNAVAILABLE, "batch: %s", certs);
		goto out;
	}
	if (flock(output->certs, LOCK_EX | LOCK_NB) != 0) {
		if (errno == EWOULDBLOCK)
			err_set(err, FAIL_CONFLICT,
			    "batch: %s: another smki batch is at work there", output->path);
		else
			err_sys(err, FAIL_UNAVAILABLE, "batch: %s: lock", certs);
		goto out;
	}
	if (batch_claim(output, id, err) != 0 || batch_report_drop(output, err) != 0)
		goto out;
	r = 0;
out:
	free(certs);
	return r;
}

/* The whole file under BATCH_NEW; what a killed run left there, or anybody, is in no one's way. */
static int
batch_write_new(const struct batch_output *output, const struct buf *pem, struct err *err)
{
	struct file_out out = { 0 };
	int fd, r;

	if (unlinkat(output->certs, BATCH_NEW, 0) != 0 && errno != ENOENT)
		return err_sys(err, FAIL_UNAVAILABLE, "batch: " BATCH_NEW);
	fd = openat(output->certs, BATCH_NEW, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return err_sys(err, FAIL_UNAVAILABLE, "batch: open");
	/* As the report and all else here, whatever the umask. */
	if (fchmod(fd, 0644) != 0)
		r = err_sys(err, FAIL_UNAVAILABLE, "batch: chmod");
	else
		r = file_out_fd(fd, "batch: " BATCH_NEW, &out, err);
	close(fd);
	if (r != 0)
		return -1;
	if (file_out_add(&out, pem->data, pem->len, err) != 0) {
		file_out_drop(&out);
		return -1;
	}
	return file_out_end(&out, err);
}

int
batch_output_put(struct batch_output *output, const char *name, struct span der, struct err *err)
{
	struct buf pem = { 0 };
	int r;

	pem_encode("CERTIFICATE", der.p, der.len, &pem);
	r = batch_write_new(output, &pem, err);
	if (r == 0 && renameat(output->certs, BATCH_NEW, output->certs, name) != 0)
		r = err_sys(err, FAIL_UNAVAILABLE, "batch: rename");
	if (r != 0) {
		unlinkat(output->certs, BATCH_NEW, 0);
		err_prefix(err, "%s/" BATCH_CERTS "/%.80s", output->path, name);
	}
	buf_free(&pem);
	return r;
}

int
batch_output_drop(struct batch_output *output, const char *name, struct err *err)
{
	if (unlinkat(output->certs, name, 0) == 0 || errno == ENOENT)
		return 0;
	return err_sys(
	    err, FAIL_UNAVAILABLE, "batch: %s/" BATCH_CERTS "/%.80s", output->path, name);
}

int
batch_output_sync(struct batch_output *output, struct err *err)
{
	if (syncfs(output->certs) != 0)
		return err_sys(err, FAIL_UNAVAILABLE, "batch: %s", output->path);
	return 0;
}

int
batch_output_report(struct batch_output *output, struct span text, struct err *err)
{
	char *path = mem_fmt("%s/" BATCH_REPORT, output->path);
	int r = file_write(path, text.p, text.len, 0644, err);

	free(path);
	return r;
}

void
batch_output_close(struct batch_output *output)
{
	if (output->certs >= 0)
		close(output->certs);
	free(output->path);
}
