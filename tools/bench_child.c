/*
 * Runs a command that does N things: how long it takes, and how much memory it has at most. Ends
 * with the command's own status.
 *
 *   bench_child NAME N BOUND TARGET LIMIT COMMAND...
 *
 * BOUND: things a second, 0 = none told; TARGET: of the ratio, "" = none; LIMIT: KiB resident.
 */
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "bench_line.h"
#include "smki/clock.h"
#include "smki/err.h"

#define CHILD_N_MAX 1000000000L

extern char **environ;

int
main(int argc, char **argv)
{
	struct rusage usage;
	char what[256], target[64];
	int64_t start;
	int status;
	pid_t pid;
	double n, seconds;

	if (argc < 7) {
		fputs("usage: bench_child NAME N BOUND TARGET LIMIT COMMAND...\n", stderr);
		return EXIT_USAGE_;
	}
	n = (double)bench_number("bench_child", argv[2], CHILD_N_MAX);
	start = clock_mono_us();
	errno = posix_spawnp(&pid, argv[6], NULL, NULL, argv + 6, environ);
	if (errno != 0 || wait4(pid, &status, 0, &usage) != pid) {
		perror(argv[6]);
		return EXIT_UNAVAILABLE;
	}
	seconds = (double)(clock_mono_us() - start) / 1e6;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_INTERNAL;
	printf("%s: %.0f in %.1f s, %.0f a second, %ld MiB resident at most\n", argv[1], n, seconds,
	    n / seconds, usage.ru_maxrss / 1024);
	bench_line(argv[1], "1/s", n / seconds, strtod(argv[3], NULL), argv[4]);
	snprintf(what, sizeof(what), "%s: memory", argv[1]);
	snprintf(target, sizeof(target), "<= %s", argv[5]);
	bench_line(what, "KiB", (double)usage.ru_maxrss, 0, target);
	return EXIT_DONE;
}
