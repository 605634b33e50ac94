/*
 * Lines and quantiles of tools/bench.
 */
#include <stdio.h>
#include <stdlib.h>

#include "bench_line.h"
#include "smki/err.h"

void
bench_line(const char *what, const char *unit, double figure, double bound, const char *target)
{
	const char *path = getenv("BENCH_LINES");
	FILE *f;

	if (path == NULL)
		return;
	f = fopen(path, "a");
	if (f == NULL ||
	    fprintf(f, "%s\t%s\t%.6g\t%.6g\t%s\n", what, unit, figure, bound, target) < 0 ||
	    fclose(f) != 0) {
		perror(path);
		exit(EXIT_UNAVAILABLE);
	}
}

static int
bench_compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

void
bench_sort(int64_t *us, size_t n)
{
	qsort(us, n, sizeof(*us), bench_compare);
}

double
bench_quantile_ms(const int64_t *us, size_t n, double p)
{
	size_t at = (size_t)(p * (double)n);

	return (double)us[at < n ? at : n - 1] / 1000;
}

long
bench_number(const char *program, const char *text, long max)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (*text != '\0' && *end == '\0' && n >= 1 && n <= max)
		return n;
	fprintf(stderr, "%s: %s: a number from 1 to %ld is wanted\n", program, text, max);
	exit(EXIT_USAGE_);
}
