/*
 * What programs of tools/bench have in common: a figure of one run becomes a line, times become
 * their quantiles. Never part of a program that is installed.
 */
#ifndef BENCH_LINE_H
#define BENCH_LINE_H

#include <stddef.h>
#include <stdint.h>

/*
 * One figure of one run, appended to the file that BENCH_LINES names, when there is one:
 * "WHAT<TAB>UNIT<TAB>FIGURE<TAB>BOUND<TAB>TARGET". bound 0 = there is none. target such as ">= 0.8"
 * judges figure / bound, without a bound the figure itself; "" = nothing is demanded.
 */
void bench_line(
    const char *what, const char *unit, double figure, double bound, const char *target);

/* Sort n times; then the least that a part p (0 to 1) of them does not exceed. n > 0. */
void bench_sort(int64_t *us, size_t n);
double bench_quantile_ms(const int64_t *us, size_t n, double p);

/* A number from 1 to max out of an argument; anything else ends the program with a usage error. */
long bench_number(const char *program, const char *text, long max);

#endif
