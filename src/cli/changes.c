/*
 * Changes of many objects. One that fails stops none of the others; a smkid that is away stops all.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "changes.h"

/* line: what people read. */
static void
changes_tell(
    struct changes *changes, const char *name, const struct err *err, const struct err *line)
{
	if (changes->cli->json) {
		putchar('{');
		if (name != NULL)
			json_str(changes->object, name, 1);
		json_str("error", err->msg, name == NULL);
		json_str("code", err_code_str(err->code), 0);
		puts("}");
	}
	if (changes->status == EXIT_DONE)
		changes->status = err_exit_status(err->code);
	(void)cli_fail(line);
}

void
changes_failed(struct changes *changes, const char *name, const struct err *err)
{
	struct err line = *err;

	/* One line, and no more than that. */
	if (name != NULL)
		err_prefix(&line, "%.80s", name);
	changes_tell(changes, name, err, &line);
}

int
changes_ask(struct changes *changes, const char *name, const struct buf *msg,
    int (*reply)(void *ctx, struct wire_in *in, struct err *err), void *ctx)
{
	struct cli *cli = changes->cli;
	struct err err;

	/* One name may mean several: the result of the one before is out before the next is asked. */
	cli_flush(cli);
	if (cli->away) {
		changes->left++;
		return -1;
	}
	if (client_call(cli, msg, reply, ctx, &err) == 0)
		return 0;
	/* Still connected: it was smkid that refused. */
	if (changes->named && cli->fd >= 0)
		changes_tell(changes, name, &err, &err);
	else
		changes_failed(changes, name, &err);
	return -1;
}

/* Whoever writes the names one by one sees what becomes of each, and that nobody reads on. */
static int
changes_one(void *ctx, const char *name)
{
	struct changes *changes = ctx;

	changes->one(changes, name);
	cli_flush(changes->cli);
	return changes->cli->away && !changes->counted;
}

/* Whether the rest of a list can be counted: it has an end. */
static bool
changes_has_end(const char *from)
{
	struct stat st;

	return (strcmp(from, "-") == 0 ? fstat(STDIN_FILENO, &st) : stat(from, &st)) == 0 &&
	       S_ISREG(st.st_mode);
}

static void
changes_bad_line(void *ctx, const struct err *err)
{
	changes_failed(ctx, NULL, err);
}

int
changes_from(struct changes *changes, const char *from)
{
	struct err err;

	if (from == NULL || strcmp(from, "-") == 0 || access(from, R_OK) == 0)
		return 0;
	err_sys(&err, file_code(errno), "%s: cannot be read", from);
	changes_failed(changes, NULL, &err);
	return -1;
}

int
changes_all(struct changes *changes, char **names, const char *from)
{
	struct err err;

	changes->counted = from == NULL || changes_has_end(from);
	for (; *names != NULL; names++)
		(void)changes_one(changes, *names);
	if (from != NULL && (changes->counted || !changes->cli->away) &&
	    lines_each(from, changes_one, changes_bad_line, changes, &err) != 0)
		changes_failed(changes, NULL, &err);
	if (changes->left > 0) {
		err_set(&err, FAIL_UNAVAILABLE,
		    "smkid: does not answer; %zu more w%s not asked for", changes->left,
		    changes->left == 1 ? "as" : "ere");
		changes_failed(changes, NULL, &err);
	}
	if (changes->cli->away && !changes->counted) {
		err_set(&err, FAIL_UNAVAILABLE, "smkid: does not answer; %s is not read to its end",
		    from);
		changes_failed(changes, NULL, &err);
	}
	return changes->status;
}
