/*
 * smki run: smkid and smki-httpd in the foreground under one uid. They are joined by a socket
 * pair made here, so the front's role comes from the socket and not from the uid.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli.h"
#include "smki/log.h"
#include "smki/mem.h"

/*
 * For glibc's malloc, unless the caller chose: free pieces of a size that a thread keeps for itself.
 * A statement of SQLite asks for dozens of small ones and gives all of them back; with glibc's own
 * choice of 7 that costs a certificate's rows 5 % more.
 */
#define RUN_TUNABLES "glibc.malloc.tcache_count=127"

struct run_child {
	const char *program;
	const char *tunables; /* NULL = none of its own */
	pid_t pid;	      /* 0 = not running */
	int fd;		      /* its end of the pair */
};

/* The daemons stand beside this command. */
static int
run_path(const char *program, char out[PATH_MAX], struct err *err)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	char *slash;

	if (n < 0)
		return err_sys(err, FAIL_INTERNAL, "run: own path cannot be read");
	self[n] = 0;
	slash = strrchr(self, '/');
	*slash = 0;
	if ((size_t)snprintf(out, PATH_MAX, "%s/%s", self, program) >= PATH_MAX ||
	    access(out, X_OK) != 0)
		return err_set(err, FAIL_NOT_FOUND, "run: no %s beside this command", program);
	return 0;
}

static int
run_start(struct cli *cli, struct run_child *child, int other, struct err *err)
{
	char path[PATH_MAX], fd[16];
	pid_t self = getpid();
	sigset_t none;

	if (run_path(child->program, path, err) != 0)
		return -1;
	snprintf(fd, sizeof fd, "%d", child->fd);
	child->pid = fork();
	if (child->pid < 0) {
		child->pid = 0;
		return err_sys(err, FAIL_UNAVAILABLE, "run: %s cannot be started", child->program);
	}
	if (child->pid != 0)
		return 0;
	/* A daemon does not outlive the command that runs it. */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (prctl(PR_SET_PDEATHSIG, SIGTERM) == 0 && fcntl(child->fd, F_SETFD, 0) == 0) {
		/* It may have ended before its end could be told. */
		if (getppid() != self)
			_exit(EXIT_INTERNAL);
		close(other);
		if (child->tunables != NULL)
			(void)setenv("GLIBC_TUNABLES", child->tunables, 0);
		execl(path, child->program, "--home", cli->dir, "--front-fd", fd, (char *)NULL);
	}
	log_error("run: %s: %s", path, strerror(errno));
	_exit(EXIT_INTERNAL);
}

/* A second pair in one home would take the first one's addresses away before it notices. */
static int
run_check_alone(const struct home *home, struct err *err)
{
	char path[HOME_PATH_MAX];
	int fd, r = 0;

	if (home_path(home, HOME_LOCK, path, err) != 0)
		return -1;
	fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	/* None was ever held; or what is wrong with it is smkid's to say. */
	if (fd < 0)
		return 0;
	if (flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
		r = err_set(err, FAIL_CONFLICT, "home %s: another smkid serves it", home->dir);
	close(fd);
	return r;
}

/* Reap what has ended; returns how many still run. */
static int
run_reap(struct run_child *child, size_t n, bool stopping, int *status)
{
	int running = 0, wait_status;

	for (size_t i = 0; i < n; i++) {
		if (child[i].pid == 0)
			continue;
		if (waitpid(child[i].pid, &wait_status, WNOHANG) != child[i].pid) {
			running++;
			continue;
		}
		child[i].pid = 0;
		/* One that was not up yet is ended by the signal itself. */
		if (stopping && (WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) == EXIT_DONE
							: WTERMSIG(wait_status) == SIGTERM))
			continue;
		if (WIFSIGNALED(wait_status))
			log_error("%s ended by signal %d", child[i].program, WTERMSIG(wait_status));
		else
			log_error(
			    "%s ended with status %d", child[i].program, WEXITSTATUS(wait_status));
		*status = EXIT_INTERNAL;
	}
	return running;
}

static void
run_stop(const struct run_child *child, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (child[i].pid != 0)
			kill(child[i].pid, SIGTERM);
}

static int
run_watch(struct run_child *child, size_t n, int signals)
{
	struct signalfd_siginfo info;
	bool stopping = false;
	int status = EXIT_DONE, running;

	for (;;) {
		running = run_reap(child, n, stopping, &status);
		if (running == 0)
			return status;
		/* One without the other serves nobody well: let a supervisor start both. */
		if (running < (int)n && !stopping) {
			stopping = true;
			run_stop(child, n);
		}
		if (read(signals, &info, sizeof info) != sizeof info) {
			if (errno == EINTR)
				continue;
			log_error("run: signals cannot be read: %s", strerror(errno));
			run_stop(child, n);
			return EXIT_INTERNAL;
		}
		if (info.ssi_signo != SIGCHLD) {
			stopping = true;
			run_stop(child, n);
		}
	}
}

int
run_verb(struct cli *cli, int argc, char **argv)
{
	struct run_child child[2] = { { .program = "smkid", .tunables = RUN_TUNABLES },
		{ .program = "smki-httpd" } };
	struct home *home = mem_alloc(sizeof *home);
	int pair[2] = { -1, -1 }, signals = -1, status = EXIT_DONE;
	sigset_t set;
	struct err err;

	(void)argv;
	if (argc != 1) {
		free(home);
		return cli_usage("run");
	}
	/* A home that does not load is said here once, not by each daemon. */
	if (home_load(cli->dir, home, &err) != 0 || run_check_alone(home, &err) != 0 ||
	    wire_pair(pair, &err) != 0) {
		status = cli_fail(&err);
		goto out;
	}
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signals = signalfd(-1, &set, SFD_CLOEXEC);
	if (signals < 0) {
		err_sys(&err, FAIL_INTERNAL, "run: no signal descriptor");
		status = cli_fail(&err);
		goto out;
	}
	child[0].fd = pair[0];
	child[1].fd = pair[1];
	if (run_start(cli, &child[0], pair[1], &err) != 0 ||
	    run_start(cli, &child[1], pair[0], &err) != 0) {
		status = cli_fail(&err);
		run_stop(child, 2);
	}
	close(pair[0]);
	close(pair[1]);
	pair[0] = pair[1] = -1;
	if (status == EXIT_DONE || child[0].pid != 0 || child[1].pid != 0) {
		int watched = run_watch(child, 2, signals);

		status = status == EXIT_DONE ? watched : status;
	}
out:
	if (pair[0] >= 0) {
		close(pair[0]);
		close(pair[1]);
	}
	if (signals >= 0)
		close(signals);
	free(home);
	return status;
}
