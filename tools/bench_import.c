/*
 * How long an import of devices with secrets takes, and how long a revocation takes meanwhile.
 *
 * The file is made by this program, imported by the smki command, and while that runs certificates
 * issued before are revoked one by one over the admin socket, some twenty a second. Making the file
 * and the certificates is not counted.
 */
#include <errno.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench_line.h"
#include "bench_link.h"
#include "smki/clock.h"
#include "smki/hex.h"
#include "smki/mem.h"
#include "smki/rng.h"

#define BENCH_DEVICES_MAX 100000000L
#define BENCH_REVOKE_MAX 4000
#define BENCH_REVOKE_MS 50
#define BENCH_WINDOW 64

extern char **environ;

struct bench {
	struct home home;
	long devices;
	size_t n, revoked; /* certificates, and how many of them are revoked */
	struct serial serial[BENCH_REVOKE_MAX];
	int64_t us[BENCH_REVOKE_MAX]; /* how long each revocation took */
	struct bench_link link;
};

/* ---- the file ---- */

static int
file_make(const struct bench *bench, const char *path, struct err *err)
{
	FILE *out = fopen(path, "w");
	char secret[2 * 16 + 1];
	uint8_t random[16];
	int r = 0;

	if (out == NULL)
		return err_sys(err, FAIL_UNAVAILABLE, "%s", path);
	fputs("eui64,hw_type,manufacturer,model,secret\n", out);
	for (long i = 0; i < bench->devices && r == 0; i++) {
		/* In no order, and each once: the factor is odd. */
		uint64_t eui = ((uint64_t)i + 1) * UINT64_C(0x9e3779b97f4a7c15);

		if (rng_draw(random, sizeof random) != 0)
			r = err_set(err, FAIL_INTERNAL, "bench: no random octets");
		hex_encode(random, sizeof random, secret);
		fprintf(out, "%016llx,%s,,model A,%s\n", (unsigned long long)eui, BENCH_HW_TYPE,
		    secret);
	}
	if (ferror(out) != 0)
		r = err_sys(err, FAIL_UNAVAILABLE, "%s", path);
	if (fclose(out) != 0 && r == 0)
		r = err_sys(err, FAIL_UNAVAILABLE, "%s", path);
	return r;
}

/* ---- asking smkid ---- */

static int
bench_issue(struct bench *bench, struct err *err)
{
	struct bench_meter *meters = NULL;
	struct bench_issued issued;
	int r;

	if (bench_meters_new(bench->n, &meters, err) != 0)
		return -1;
	r = bench_link_issue(&bench->link, meters, bench->n, BENCH_WINDOW, &issued, err);
	for (size_t i = 0; i < bench->n && r == 0; i++)
		bench->serial[i] = meters[i].serial;
	bench_meters_free(meters, bench->n);
	return r;
}

static int
bench_revoke(struct bench *bench, struct err *err)
{
	int64_t start = clock_mono_us();

	if (bench_link_change(&bench->link, &bench->serial[bench->revoked], ACTION_REVOKE, err) !=
	    0)
		return -1;
	bench->us[bench->revoked++] = clock_mono_us() - start;
	return 0;
}

/* ---- the import ---- */

static int
import_start(
    const struct bench *bench, const char *smki, const char *file, pid_t *pid, struct err *err)
{
	char *argv[] = { mem_str(smki), mem_str("--home"), mem_str(bench->home.dir),
		mem_str("device"), mem_str("import"), mem_str(file), NULL };

	errno = posix_spawn(pid, smki, NULL, NULL, argv, environ);
	for (size_t i = 0; argv[i] != NULL; i++)
		free(argv[i]);
	return errno == 0 ? 0 : err_sys(err, FAIL_UNAVAILABLE, "%s", smki);
}

/* Revoke until it ends. */
static int
import_wait(struct bench *bench, pid_t pid, struct err *err)
{
	struct pollfd end = { .fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN };
	int status, n = 0, r = 0;

	if (end.fd < 0)
		return err_sys(err, FAIL_UNAVAILABLE, "pidfd");
	while (n == 0 && r == 0) {
		if (bench->revoked < bench->n)
			r = bench_revoke(bench, err);
		n = poll(&end, 1, BENCH_REVOKE_MS);
	}
	close(end.fd);
	if (waitpid(pid, &status, 0) != pid || (r == 0 && status != 0))
		return err_set(err, FAIL_INTERNAL, "bench: the import failed");
	return r;
}

static void
import_print(struct bench *bench, double seconds)
{
	size_t n = bench->revoked;

	printf("import: %ld devices with secrets in %.1f s, %.0f a second\n", bench->devices,
	    seconds, (double)bench->devices / seconds);
	bench_line("import: devices with secrets", "s", seconds, 0,
	    bench->devices == 1000000 ? "<= 120" : "");
	if (n == 0)
		return;
	bench_sort(bench->us, n);
	printf("revoke meanwhile: %zu times, ms: median %.1f  p99 %.1f  max %.1f\n", n,
	    bench_quantile_ms(bench->us, n, 0.5), bench_quantile_ms(bench->us, n, 0.99),
	    bench_quantile_ms(bench->us, n, 1));
	bench_line("import: revoke meanwhile, p99", "ms", bench_quantile_ms(bench->us, n, 0.99), 0,
	    "<= 100");
}

static int
bench_run(struct bench *bench, const char *smki, const char *file, struct err *err)
{
	int64_t start;
	pid_t pid;

	if (file_make(bench, file, err) != 0 ||
	    bench_link_open(bench->home.dir, &bench->link, err) != 0 ||
	    bench_issue(bench, err) != 0)
		return -1;
	start = clock_mono_us();
	if (import_start(bench, smki, file, &pid, err) != 0 || import_wait(bench, pid, err) != 0)
		return -1;
	import_print(bench, (double)(clock_mono_us() - start) / 1e6);
	return 0;
}

int
main(int argc, char **argv)
{
	struct bench *bench = mem_alloc(sizeof *bench);
	int status = EXIT_DONE;
	struct err err;
	char *end = NULL;

	bench->link.fd = -1;
	if (argc == 5)
		bench->devices = strtol(argv[4], &end, 10);
	if (end == NULL || *end != '\0' || bench->devices < 1 ||
	    bench->devices > BENCH_DEVICES_MAX) {
		fputs("usage: bench_import HOME SMKI FILE N\n", stderr);
		free(bench);
		return EXIT_USAGE_;
	}
	bench->n = bench->devices < 1000000 ? 1000 : BENCH_REVOKE_MAX;
	snprintf(bench->home.dir, sizeof bench->home.dir, "%s", argv[1]);
	if (bench_run(bench, argv[2], argv[3], &err) != 0) {
		fprintf(stderr, "bench_import: %s\n", err.msg);
		status = err_exit_status(err.code);
	}
	bench_link_close(&bench->link);
	free(bench);
	return status;
}
