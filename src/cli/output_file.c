/*
 * Where --out leads, for every verb that has it but batch: a file that is there whole or not at
 * all; what is no file is written into and stays.
 */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"

/* The file in the making, for the handler; "" = none. */
static char output_tmp[PATH_MAX];

static void
output_ended(int signo)
{
	if (output_tmp[0] != '\0')
		unlink(output_tmp);
	/* Reset to its default by SA_RESETHAND: it ends the command when the handler returns. */
	raise(signo);
}

/* What is made from here on goes when a signal ends the command. One that the caller ignores (nohup)
 * is left so. */
static void
output_watch(const char *tmp)
{
	struct sigaction ended = { .sa_handler = output_ended, .sa_flags = (int)SA_RESETHAND }, was;

	snprintf(output_tmp, sizeof output_tmp, "%s", tmp);
	ends_set(&ended.sa_mask);
	for (size_t i = 0; i < ENDS; i++)
		if (sigaction(ends[i], NULL, &was) == 0 && was.sa_handler != SIG_IGN)
			sigaction(ends[i], &ended, NULL);
}

/* Whether the link at path, which is at, names an open descriptor: as one of /proc or leading there
 * (/dev/fd/1, /dev/stdout). */
static bool
output_is_descriptor(const char *path, const struct stat *at)
{
	struct stat proc;
	char to[16];

	if (stat("/proc", &proc) == 0 && at->st_dev == proc.st_dev)
		return true;
	return readlink(path, to, sizeof(to)) >= 6 && memcmp(to, "/proc/", 6) == 0;
}

/*
 * The standard descriptor that path is, or -1. Behind /dev/stdout may be a regular file, too, and
 * what a rename would then replace is the link in /dev.
 */
static int
output_standard(const char *path)
{
	struct stat at, behind, open;

	if (strcmp(path, "-") == 0)
		return STDOUT_FILENO;
	if (lstat(path, &at) != 0 || !S_ISLNK(at.st_mode) || stat(path, &behind) != 0)
		return -1;
	/* A link of the user's own to a file is replaced, whatever else that file is. */
	if (S_ISREG(behind.st_mode) && !output_is_descriptor(path, &at))
		return -1;
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if ((fd == STDOUT_FILENO || S_ISREG(behind.st_mode)) && fstat(fd, &open) == 0 &&
		    open.st_dev == behind.st_dev && open.st_ino == behind.st_ino)
			return fd;
	return -1;
}

bool
output_is_stdout(const char *path)
{
	return output_standard(path) == STDOUT_FILENO;
}

static const char *
output_standard_name(int fd)
{
	return fd == STDOUT_FILENO   ? "standard output"
	       : fd == STDERR_FILENO ? "standard error"
				     : "standard input";
}

static int
output_open_file(const char *path, struct file_out *out, struct err *err)
{
	sigset_t before;
	int r;

	/* A signal between the two would leave the file. */
	ends_block(&before);
	r = file_out_begin(path, 0644, out, err);
	if (r == 0)
		output_watch(out->tmp);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return r;
}

int
output_open(const char *path, struct file_out *out, struct err *err)
{
	int fd = output_standard(path);
	struct stat st;

	if (fd >= 0)
		return file_out_fd(fd, output_standard_name(fd), out, err);
	if (stat(path, &st) != 0 || S_ISREG(st.st_mode))
		return output_open_file(path, out, err);
	/* A rename would put a file in its place, of /dev/null for the whole machine. */
	if (S_ISDIR(st.st_mode)) {
		errno = EISDIR;
		return err_sys(err, FAIL_INVALID, "%s", path);
	}
	return file_out_into(path, out, err);
}

int
output_end(struct file_out *out, struct err *err)
{
	int r = file_out_end(out, err);

	output_tmp[0] = '\0';
	return r;
}

void
output_drop(struct file_out *out)
{
	file_out_drop(out);
	output_tmp[0] = '\0';
}

int
output_write(const char *path, const void *data, size_t len, struct err *err)
{
	struct file_out out = { 0 };

	if (output_open(path != NULL ? path : "-", &out, err) != 0)
		return -1;
	if (file_out_add(&out, data, len, err) != 0) {
		output_drop(&out);
		return -1;
	}
	return output_end(&out, err);
}
