/*
 * A plain main for the fuzz targets: replays the files, and the files below the directories,
 * given as arguments. An input may take one second of processor time; the name of one that takes
 * more is printed. libFuzzer brings its own main in its place.
 */
#include <ftw.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "smki/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REPLAY_MAX (1 << 20)
#define REPLAY_FDS 16

static const char *replay_name = "";
static unsigned replay_count;

static void
replay_watchdog(int sig)
{
	static const char text[] = ": over one second\n";

	if (write(STDERR_FILENO, replay_name, strlen(replay_name)) < 0 ||
	    write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		_exit(2);
	_exit(2);
}

/* SIGPROF after so many seconds of processor time; 0 ends the watch. */
static void
replay_watch(time_t seconds)
{
	struct itimerval timer = { .it_value = { .tv_sec = seconds } };

	require(setitimer(ITIMER_PROF, &timer, NULL) == 0);
}

/* The octets stand in memory of exactly their size, so that a read past them is seen. */
static void
replay_run(const char *path, const uint8_t *data, size_t len)
{
	uint8_t *exact = malloc(len);

	require(exact != NULL || len == 0);
	if (len > 0)
		memcpy(exact, data, len);
	replay_name = path;
	replay_watch(1);
	LLVMFuzzerTestOneInput(exact, len);
	replay_watch(0);
	replay_count++;
	free(exact);
}

static int
replay_visit(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	static uint8_t data[REPLAY_MAX];
	size_t len;
	FILE *f;

	if (type != FTW_F)
		return type == FTW_DNR || type == FTW_NS ? -1 : 0;
	f = fopen(path, "rb");
	if (f == NULL) {
		perror(path);
		return -1;
	}
	len = fread(data, 1, sizeof(data), f);
	if (ferror(f)) {
		perror(path);
		fclose(f);
		return -1;
	}
	fclose(f);
	replay_run(path, data, len);
	return 0;
}

int
main(int argc, char **argv)
{
	require(signal(SIGPROF, replay_watchdog) != SIG_ERR);
	for (int i = 1; i < argc; i++)
		if (nftw(argv[i], replay_visit, REPLAY_FDS, FTW_PHYS) != 0) {
			fprintf(stderr, "%s: cannot be replayed\n", argv[i]);
			return 1;
		}
	printf("%u inputs\n", replay_count);
	return replay_count == 0;
}
