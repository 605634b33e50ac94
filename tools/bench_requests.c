/*
 * Requests of meters as files, for measurements and tests: DIR/NNNNNN.csr, DER.
 *
 *   bench_requests DIR N
 */
#include <stdio.h>
#include <stdlib.h>

#include "bench_meter.h"
#include "smki/file.h"
#include "smki/mem.h"

/* Meters made at a time: bounds memory. */
#define REQUESTS_PIECE 1000
#define REQUESTS_MAX 10000000

static int
requests_write(const char *dir, long at, const struct buf *csr, struct err *err)
{
	char *path = mem_fmt("%s/%06ld.csr", dir, at);
	FILE *f = fopen(path, "wb");
	int r = -1;

	if (f == NULL || fwrite(csr->data, 1, csr->len, f) != csr->len)
		err_sys(err, FAIL_UNAVAILABLE, "%s", path);
	else
		r = 0;
	if (f != NULL && fclose(f) != 0)
		r = err_sys(err, FAIL_UNAVAILABLE, "%s", path);
	free(path);
	return r;
}

int
main(int argc, char **argv)
{
	long n = argc == 3 ? strtol(argv[2], NULL, 10) : 0, done = 0;
	struct bench_meter *meters;
	struct err err;

	if (n < 1 || n > REQUESTS_MAX) {
		fputs("usage: bench_requests DIR N\n", stderr);
		return EXIT_USAGE_;
	}
	while (done < n) {
		long piece = n - done < REQUESTS_PIECE ? n - done : REQUESTS_PIECE;

		if (bench_meters_new((size_t)piece, &meters, &err) != 0)
			goto fail;
		for (long i = 0; i < piece; i++)
			if (requests_write(argv[1], done + i + 1, &meters[i].csr, &err) != 0)
				goto fail;
		bench_meters_free(meters, (size_t)piece);
		done += piece;
	}
	return EXIT_DONE;
fail:
	fprintf(stderr, "bench_requests: %s\n", err.msg);
	return err_exit_status(err.code);
}
