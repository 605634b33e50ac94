/*
 * Values that options of several verbs have.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli.h"

int
option_name(const char *what, const char *text, char out[NAME_LEN], struct err *err)
{
	if (name_check(what, text, err) != 0)
		return -1;
	snprintf(out, NAME_LEN, "%s", text);
	return 0;
}

int
option_limit(const char *text, int64_t *limit, struct err *err)
{
	long long n;
	char *end;

	errno = 0;
	n = strtoll(text, &end, 10);
	if (*end != '\0' || end == text || n <= 0)
		return err_set(err, FAIL_INVALID, "limit: \"%s\" is no number above 0", text);
	if (errno == ERANGE)
		return err_set(err, FAIL_INVALID, "limit: %s is more than %lld", text, LLONG_MAX);
	*limit = n;
	return 0;
}

int
option_time(const char *what, const char *text, time_t *out, struct err *err)
{
	time_t t;

	/* 1970-01-01T00:00:00Z would mean that no time is given. */
	if (time_parse(text, &t) != 0 || t <= 0)
		return err_set(err, FAIL_INVALID,
		    "%s: \"%s\" is no time after 1970-01-01T00:00:00Z (YYYY-MM-DD or "
		    "YYYY-MM-DDTHH:MM:SSZ)",
		    what, text);
	*out = t;
	return 0;
}
