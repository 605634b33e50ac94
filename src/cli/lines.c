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
/* Octets of a line after which no list of names is expected any more: a device has no end. */
#define LINES_FAR (1 << 20)

struct lines {
	FILE *in;
	const char *path;
	unsigned number;
	char line[LINES_MAX];
	char fault[64]; /* of the line, "" = none */
};

/* Without the white space around it, and what editors put before the first. */
static void
lines_trim(struct lines *lines, size_t len)
{
	size_t at = 0;

	if (lines->number == 1 && len >= 3 && memcmp(lines->line, "\xef\xbb\xbf", 3) == 0)
		at = 3;
	while (at < len && isspace((unsigned char)lines->line[at]))
		at++;
	while (len > at && isspace((unsigned char)lines->line[len - 1]))
		len--;
	memmove(lines->line, lines->line + at, len - at);
	lines->line[len - at] = '\0';
}

/* The next line: 1, at the end 0, or -1. */
static int
lines_next(struct lines *lines, struct err *err)
{
	size_t len = 0, octets = 0;
	int c;

	lines->number++;
	lines->fault[0] = '\0';
	while ((c = getc(lines->in)) != EOF && c != '\n') {
		if (++octets > LINES_FAR)
			return err_set(err, FAIL_INVALID, "%s:%u: is no list: over %d octets",
			    lines->path, lines->number, LINES_FAR);
		if (c == '\0')
			snprintf(lines->fault, sizeof(lines->fault), "holds a NUL");
		if (len + 1 < LINES_MAX)
			lines->line[len++] = (char)c;
		else if (!isspace(c) && lines->fault[0] == '\0')
			snprintf(lines->fault, sizeof(lines->fault), "line is over %d octets",
			    LINES_MAX - 1);
	}
	if (ferror(lines->in))
		return err_sys(err, errno == EISDIR ? FAIL_INVALID : FAIL_UNAVAILABLE,
		    "%s: cannot be read", lines->path);
	if (c == EOF && octets == 0)
		return 0;
	lines_trim(lines, len);
	return 1;
}

int
lines_each(const char *path, int (*fn)(void *ctx, const char *line),
    void (*bad)(void *ctx, const struct err *err), void *ctx, struct err *err)
{
	struct lines lines = { .in = strcmp(path, "-") == 0 ? stdin : fopen(path, "r"),
		.path = path };
	struct err why;
	int r;

	if (lines.in == NULL)
		return err_sys(err, file_code(errno), "%s: cannot be read", path);
	while ((r = lines_next(&lines, err)) > 0) {
		/* What a comment holds is nobody's concern. */
		if (lines.line[0] == '#')
			continue;
		if (lines.fault[0] != '\0') {
			err_set(&why, FAIL_INVALID, "%s:%u: %s", path, lines.number, lines.fault);
			bad(ctx, &why);
		} else if (lines.line[0] != '\0' && fn(ctx, lines.line) != 0) {
			r = 0;
			break;
		}
	}
	if (lines.in != stdin)
		fclose(lines.in);
	return r;
}
