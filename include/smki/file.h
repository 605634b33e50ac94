/*
 * Files: bounded reads, durable writes.
 */
#ifndef SMKI_FILE_H
#define SMKI_FILE_H

#include <stdbool.h>
#include <sys/types.h>

#include "smki/buf.h"
#include "smki/err.h"

/* What an errno of opening, making or writing a file is to the outside. */
enum err_code file_code(int error);

/* Append the whole file to out; over max octets: FAIL_INVALID; missing: FAIL_NOT_FOUND; no
 * permission: FAIL_DENIED. "-" is standard input. */
int file_read(const char *path, size_t max, struct buf *out, struct err *err) MUST_USE;

/*
 * Create or replace path with these bytes and mode, durably: temporary file beside it, write,
 * fsync, rename, fsync of the folder. On failure nothing is left and path is as before.
 */
int file_write(
    const char *path, const void *data, size_t len, mode_t mode, struct err *err) MUST_USE;

/*
 * The same for what comes in parts and is too much to be held: begin, add..., end. Whatever end
 * says, nothing is left to be dropped; before it, drop removes what there is. A zeroed one may be
 * dropped, too.
 */
struct file_out {
	char *path; /* owned; in messages, too */
	char *tmp;  /* owned; becomes path at the end. NULL = fd is written as it is */
	mode_t mode;
	int fd;
};
int file_out_begin(const char *path, mode_t mode, struct file_out *out, struct err *err) MUST_USE;
/* Into the pipe or character device at path, which stays. Anything else: FAIL_INVALID. */
int file_out_into(const char *path, struct file_out *out, struct err *err) MUST_USE;
/* Into a descriptor of the caller's, which stays open; name is for messages. */
int file_out_fd(int fd, const char *name, struct file_out *out, struct err *err) MUST_USE;
int file_out_add(struct file_out *out, const void *data, size_t len, struct err *err) MUST_USE;
int file_out_end(struct file_out *out, struct err *err) MUST_USE;
void file_out_drop(struct file_out *out);

/* As file_read for what another user may have put there: a regular file, or FAIL_DENIED; a pipe is
 * not waited for. */
int file_read_regular(const char *path, size_t max, struct buf *out, struct err *err) MUST_USE;
/* As file_read for what decides something (policies, anchors): regular file, no link, owned by root
 * or the effective user, not writable by group or others (FAIL_DENIED). */
int file_read_own(const char *path, size_t max, struct buf *out, struct err *err) MUST_USE;

/* A secret to be read once: regular file, owned by root or the effective user, no access for
 * others nor write for group (FAIL_DENIED). A trailing line end is dropped. Give out to buf_wipe. */
int file_read_secret(const char *path, size_t max, struct buf *out, struct err *err) MUST_USE;
/* The same for a secret of exactly n octets, where a line end is one of them. Another length:
 * FAIL_INVALID; out is then unchanged. */
int file_read_key(const char *path, uint8_t *out, size_t n, struct err *err) MUST_USE;

/* May the effective user read the file, and write it when so asked? Missing: FAIL_NOT_FOUND; no:
 * FAIL_DENIED; cannot be told: FAIL_UNAVAILABLE. The object's kind stands first in the message. */
int file_may(const char *kind, const char *path, bool write, struct err *err) MUST_USE;

int file_sync_dir(const char *path, struct err *err) MUST_USE;
/* mkdir with exactly this mode whatever the umask; exists: FAIL_CONFLICT. */
int file_make_dir(const char *path, mode_t mode, struct err *err) MUST_USE;
/* Remove a folder with all in it, without following links. Nothing there: fine. */
int file_remove_tree(const char *path, struct err *err) MUST_USE;
/* Remove all in a folder, in the same way; the folder itself stays as it is. */
int file_empty_dir(const char *path, struct err *err) MUST_USE;

#endif
