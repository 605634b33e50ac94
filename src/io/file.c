/*
 * Files: bounded reads, durable writes, folders. Nothing here knows what is in a file.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "smki/file.h"
#include "smki/mem.h"

#define FILE_CHUNK 16384
/* Folders in folders that file_remove_tree follows; a home has three. */
#define FILE_DEPTH_MAX 32

enum err_code
file_code(int error)
{
	switch (error) {
	case ENOENT:
	case ENOTDIR:
		return FAIL_NOT_FOUND;
	case EACCES:
	case EPERM:
	case ELOOP: /* a link where none is followed */
		return FAIL_DENIED;
	case EEXIST:
		return FAIL_CONFLICT;
	case EISDIR:
	case ENAMETOOLONG:
		return FAIL_INVALID;
	}
	return FAIL_UNAVAILABLE;
}

static int
file_fail(struct err *err, const char *path)
{
	return err_sys(err, file_code(errno), "%s", path);
}

int
file_may(const char *kind, const char *path, bool write, struct err *err)
{
	if (faccessat(AT_FDCWD, path, write ? R_OK | W_OK : R_OK, AT_EACCESS) == 0)
		return 0;
	return err_sys(err, file_code(errno), "%s %s", kind, path);
}

/* All of fd onto out, which has room for max + 1 octets at its end. */
static int
file_drain(int fd, const char *path, size_t max, struct buf *out, struct err *err)
{
	size_t start = out->len;

	for (;;) {
		size_t room = max + 1 - (out->len - start);
		ssize_t n;

		buf_reserve(out, room < FILE_CHUNK ? room : FILE_CHUNK);
		n = read(fd, out->data + out->len, room < FILE_CHUNK ? room : FILE_CHUNK);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			file_fail(err, path);
			break;
		}
		if (n == 0)
			return 0;
		out->len += (size_t)n;
		if (out->len - start > max) {
			err_set(err, FAIL_INVALID, "%s: has over %zu octets", path, max);
			break;
		}
	}
	out->len = start;
	return -1;
}

int
file_read(const char *path, size_t max, struct buf *out, struct err *err)
{
	int fd, r;

	if (strcmp(path, "-") == 0)
		return file_drain(STDIN_FILENO, "standard input", max, out, err);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return file_fail(err, path);
	r = file_drain(fd, path, max, out, err);
	close(fd);
	return r;
}

/* Open a regular file; flags beyond those of reading. */
static int
file_open_regular(const char *path, int flags, struct stat *st, int *out, struct err *err)
{
	/* NONBLOCK: a pipe that nobody writes to is refused below, not waited for. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | flags);

	if (fd < 0 && errno == ELOOP)
		return err_set(err, FAIL_DENIED, "%s: is a symbolic link", path);
	if (fd < 0)
		return file_fail(err, path);
	if (fstat(fd, st) != 0) {
		file_fail(err, path);
	} else if (!S_ISREG(st->st_mode)) {
		err_set(err, FAIL_DENIED, "%s: is not a regular file", path);
	} else {
		*out = fd;
		return 0;
	}
	close(fd);
	return -1;
}

int
file_read_regular(const char *path, size_t max, struct buf *out, struct err *err)
{
	struct stat st;
	int fd = -1, r;

	if (file_open_regular(path, 0, &st, &fd, err) != 0)
		return -1;
	r = file_drain(fd, path, max, out, err);
	close(fd);
	return r;
}

/*
 * Open a file that decides something: regular, root's or the effective user's, and none of the
 * forbidden bits in its mode.
 */
static int
file_open_own(const char *path, mode_t forbidden, const char *finding, int *out, struct err *err)
{
	struct stat st;
	int fd = -1;

	if (file_open_regular(path, O_NOFOLLOW, &st, &fd, err) != 0)
		return -1;
	if (st.st_uid != 0 && st.st_uid != geteuid()) {
		err_set(err, FAIL_DENIED, "%s: belongs to uid %ld, not to root or uid %ld", path,
		    (long)st.st_uid, (long)geteuid());
		goto out;
	}
	if ((st.st_mode & forbidden) != 0) {
		err_set(err, FAIL_DENIED, "%s: mode %04o %s", path, (unsigned)(st.st_mode & 07777),
		    finding);
		goto out;
	}
	*out = fd;
	return 0;
out:
	close(fd);
	return -1;
}

int
file_read_own(const char *path, size_t max, struct buf *out, struct err *err)
{
	int fd = -1, r;

	if (file_open_own(path, S_IWGRP | S_IWOTH, "is writable by group or others", &fd, err) != 0)
		return -1;
	r = file_drain(fd, path, max, out, err);
	close(fd);
	return r;
}

int
file_read_secret(const char *path, size_t max, struct buf *out, struct err *err)
{
	size_t start = out->len;
	int fd = -1, r = -1;

	if (file_open_own(path, S_IWGRP | S_IRWXO, "is open to others; chmod 0400", &fd, err) != 0)
		return -1;
	/* All room at once: a buffer that moves would leave a copy of the secret behind. */
	buf_reserve(out, max + 1);
	if (file_drain(fd, path, max, out, err) != 0) {
		OPENSSL_cleanse(out->data + start, max + 1);
		goto out;
	}
	if (out->len > start && out->data[out->len - 1] == '\n')
		out->len--;
	if (out->len > start && out->data[out->len - 1] == '\r')
		out->len--;
	r = 0;
out:
	close(fd);
	return r;
}

int
file_read_key(const char *path, uint8_t *out, size_t n, struct err *err)
{
	struct buf got = { 0 };
	int fd, r = -1;

	if (file_open_own(path, S_IWGRP | S_IRWXO, "is open to others; chmod 0400", &fd, err) != 0)
		return -1;
	buf_reserve(&got, n + 1);
	if (file_drain(fd, path, n, &got, err) != 0)
		goto out;
	if (got.len != n) {
		err_set(err, FAIL_INVALID, "%s: has %zu octets, not %zu", path, got.len, n);
		goto out;
	}
	memcpy(out, got.data, n);
	r = 0;
out:
	buf_wipe(&got);
	close(fd);
	return r;
}

static int
file_sync_parent(const char *path, struct err *err)
{
	char *copy = mem_str(path);
	int r = file_sync_dir(dirname(copy), err);

	free(copy);
	return r;
}

int
file_out_begin(const char *path, mode_t mode, struct file_out *out, struct err *err)
{
	char *tmp = mem_fmt("%s.XXXXXX", path);
	int fd = mkostemp(tmp, O_CLOEXEC);

	if (fd < 0) {
		file_fail(err, path);
		free(tmp);
		return -1;
	}
	*out = (struct file_out){ .path = mem_str(path), .tmp = tmp, .mode = mode, .fd = fd };
	return 0;
}

int
file_out_into(const char *path, struct file_out *out, struct err *err)
{
	/* Neither made nor emptied: it may be another thing by now than when the caller looked. */
	int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	struct stat st;

	if (fd < 0)
		return file_fail(err, path);
	if (fstat(fd, &st) != 0) {
		file_fail(err, path);
		goto out;
	}
	if (!S_ISCHR(st.st_mode) && !S_ISFIFO(st.st_mode)) {
		err_set(err, FAIL_INVALID, "%s: is no file, pipe or character device", path);
		goto out;
	}
	*out = (struct file_out){ .path = mem_str(path), .fd = fd };
	return 0;
out:
	close(fd);
	return -1;
}

int
file_out_fd(int fd, const char *name, struct file_out *out, struct err *err)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);

	if (copy < 0)
		return file_fail(err, name);
	*out = (struct file_out){ .path = mem_str(name), .fd = copy };
	return 0;
}

int
file_out_add(struct file_out *out, const void *data, size_t len, struct err *err)
{
	const uint8_t *p = data;

	while (len > 0) {
		ssize_t n = write(out->fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return file_fail(err, out->path);
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int
file_out_end(struct file_out *out, struct err *err)
{
	int fd = out->fd, r = -1;

	if (out->tmp != NULL && (fchmod(fd, out->mode) != 0 || fsync(fd) != 0)) {
		file_fail(err, out->path);
		goto out;
	}
	out->fd = -1;
	if (close(fd) != 0) {
		file_fail(err, out->path);
		goto out;
	}
	if (out->tmp != NULL) {
		if (rename(out->tmp, out->path) != 0) {
			file_fail(err, out->path);
			goto out;
		}
		free(out->tmp);
		out->tmp = NULL;
		if (file_sync_parent(out->path, err) != 0)
			goto out;
	}
	r = 0;
out:
	file_out_drop(out);
	return r;
}

void
file_out_drop(struct file_out *out)
{
	/* Of one that never began, 0 is no descriptor of ours. */
	if (out->path != NULL && out->fd >= 0)
		close(out->fd);
	if (out->tmp != NULL)
		unlink(out->tmp);
	free(out->tmp);
	free(out->path);
	*out = (struct file_out){ .fd = -1 };
}

int
file_write(const char *path, const void *data, size_t len, mode_t mode, struct err *err)
{
	struct file_out out = { 0 };

	if (file_out_begin(path, mode, &out, err) != 0)
		return -1;
	if (file_out_add(&out, data, len, err) != 0) {
		file_out_drop(&out);
		return -1;
	}
	return file_out_end(&out, err);
}

int
file_sync_dir(const char *path, struct err *err)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = 0;

	if (fd < 0)
		return file_fail(err, path);
	if (fsync(fd) != 0)
		r = file_fail(err, path);
	close(fd);
	return r;
}

int
file_make_dir(const char *path, mode_t mode, struct err *err)
{
	int fd, r = 0;

	/* Closed to all until it has its mode. */
	if (mkdir(path, 0700) != 0)
		return file_fail(err, path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fchmod(fd, mode) != 0)
		r = file_fail(err, path);
	if (fd >= 0)
		close(fd);
	if (r != 0)
		rmdir(path);
	return r;
}

static int file_remove_at(int at, const char *name, const char *path, int depth, struct err *err);

/* Remove all in the folder fd, which is used up. */
static int
file_empty_fd(int fd, const char *path, int depth, struct err *err)
{
	DIR *dir = fdopendir(fd);
	struct dirent *entry;
	int r = -1;

	if (dir == NULL) {
		file_fail(err, path);
		close(fd);
		return -1;
	}
	while (errno = 0, (entry = readdir(dir)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (unlinkat(fd, entry->d_name, 0) == 0)
			continue;
		/* Linux says EISDIR, POSIX EPERM. */
		if (errno != EISDIR && errno != EPERM) {
			file_fail(err, path);
			goto out;
		}
		if (file_remove_at(fd, entry->d_name, path, depth + 1, err) != 0)
			goto out;
	}
	if (errno != 0) {
		file_fail(err, path);
		goto out;
	}
	r = 0;
out:
	closedir(dir);
	return r;
}

/* Empty and remove the folder name in at. */
static int
file_remove_at(int at, const char *name, const char *path, int depth, struct err *err)
{
	int fd;

	if (depth > FILE_DEPTH_MAX)
		return err_set(
		    err, FAIL_LIMIT, "%s: folders are over %d deep", path, FILE_DEPTH_MAX);
	fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return file_fail(err, path);
	if (file_empty_fd(fd, path, depth, err) != 0)
		return -1;
	return unlinkat(at, name, AT_REMOVEDIR) == 0 ? 0 : file_fail(err, path);
}

int
file_remove_tree(const char *path, struct err *err)
{
	struct stat st;

	if (lstat(path, &st) != 0)
		return errno == ENOENT ? 0 : file_fail(err, path);
	/* A link is removed, not what it names. */
	if (!S_ISDIR(st.st_mode))
		return unlink(path) == 0 ? 0 : file_fail(err, path);
	return file_remove_at(AT_FDCWD, path, path, 0, err);
}

int
file_empty_dir(const char *path, struct err *err)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? file_fail(err, path) : file_empty_fd(fd, path, 0, err);
}
