/*
 * Configuration from a file: who may have written it is looked at before it is read. What stands in
 * it is conf.c's business.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "smki/buf.h"
#include "smki/conf.h"

/* Whoever may change the file is in command of the program that reads it. */
static int
conf_check_file(int fd, const char *path, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return err_sys(err, FAIL_UNAVAILABLE, "%s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(err, FAIL_DENIED, "%s: not a regular file", path);
	if (st.st_uid != 0 && st.st_uid != geteuid())
		return err_set(err, FAIL_DENIED, "%s: owned by uid %ld, neither root nor this user",
		    path, (long)st.st_uid);
	if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return err_set(err, FAIL_DENIED, "%s: writable by group or others (mode %04o)",
		    path, (unsigned)st.st_mode & 07777u);
	if (st.st_size > CONF_MAX)
		return err_set(err, FAIL_INVALID, "%s: larger than %d octets", path, CONF_MAX);
	return 0;
}

static int
conf_open(const char *path, int *fd, struct err *err)
{
	/* O_NONBLOCK: a FIFO is to be refused, not waited for. */
	*fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (*fd >= 0)
		return 0;
	switch (errno) {
	case ENOENT:
	case ENOTDIR:
		return err_sys(err, FAIL_NOT_FOUND, "%s", path);
	case ELOOP:
		return err_set(err, FAIL_DENIED, "%s: a symbolic link", path);
	case EACCES:
	case EPERM:
		return err_sys(err, FAIL_DENIED, "%s", path);
	}
	return err_sys(err, FAIL_UNAVAILABLE, "%s", path);
}

int
conf_load(const char *path, const struct conf_key *keys, size_t n_keys, struct conf **out,
    struct err *err)
{
	struct buf text = { 0 };
	int fd = -1, rc = -1;
	ssize_t n;

	if (conf_open(path, &fd, err) != 0)
		return -1;
	if (conf_check_file(fd, path, err) != 0)
		goto out;
	/* One octet more than allowed shows a file that grew meanwhile. */
	buf_reserve(&text, CONF_MAX + 1);
	while (text.len <= CONF_MAX) {
		n = read(fd, text.data + text.len, CONF_MAX + 1 - text.len);
		if (n == 0)
			break;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			err_sys(err, FAIL_UNAVAILABLE, "%s", path);
			goto out;
		}
		text.len += (size_t)n;
	}
	rc = conf_parse(path, buf_text(&text), text.len, keys, n_keys, out, err);
out:
	close(fd);
	buf_free(&text);
	return rc;
}
