/*
 * Lists of names in files, for the verbs that take many objects.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"

/* Longest line with its NUL. */
#define LINES_MAX 256

/*
 * The next line without its end and white space: 1, at the end 0, or -1. A NUL, or more than
 * LINES_MAX takes, is no list of names.
 */
static int
lines_next(FILE *in, const char *path, unsigned number, char line[LINES_MAX], struct err *err)
{
	size_t len = 0;
	int c;

	while ((c = getc(in)) != EOF && c != '\n') {
		if (c == '\0')
			return err_set(err, FAIL_INVALID, "%s:%u: holds a NUL", path, number);
		if (len + 1 == LINES_MAX)
			return err_set(err, FAIL_INVALID, "%s:%u: line is over %d octets", path,
			    number, LINES_MAX - 1);
		line[len++] = (char)c;
	}
	if (ferror(in))
		return err_sys(err, errno == EISDIR ? FAIL_INVALID : FAIL_UNAVAILABLE,
		    "%s: cannot be read", path);
	if (c == EOF && len == 0)
		return 0;
	while (len > 0 && isspace((unsigned char)line[len - 1]))
		len--;
	line[len] = '\0';
	return 1;
}

int
lines_each(const char *path, void (*fn)(void *ctx, const char *line), void *ctx, struct err *err)
{
	FILE *in = strcmp(path, "-") == 0 ? stdin : fopen(path, "r");
	char line[LINES_MAX];
	unsigned number = 1;
	int r;

	if (in == NULL)
		return err_sys(err, errno == ENOENT ? FAIL_NOT_FOUND : FAIL_DENIED,
		    "%s: cannot be read", path);
	for (; (r = lines_next(in, path, number, line, err)) > 0; number++)
		if (line[0] != '\0' && line[0] != '#')
			fn(ctx, line);
	if (in != stdin)
		fclose(in);
	return r;
}
