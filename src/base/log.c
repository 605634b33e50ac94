/*
 * Log lines to stderr. For the programs only; one write a line, so that lines of threads do not
 * mix.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "smki/log.h"

/* Longer lines are cut. */
#define LOG_LINE_MAX 2048

/* Set once by log_init before there are threads. */
static char log_program[32] = "smki";
static int log_debugging, log_journal;

void
log_init(const char *program, int debug)
{
	snprintf(log_program, sizeof(log_program), "%s", program);
	log_debugging = debug;
	log_journal = getenv("JOURNAL_STREAM") != NULL;
}

__attribute__((format(printf, 2, 0))) static void
log_line(int priority, const char *fmt, va_list ap)
{
	int saved = errno;
	char line[LOG_LINE_MAX], prefix[8] = "";
	size_t len, done = 0;

	if (log_journal)
		snprintf(prefix, sizeof(prefix), "<%d>", priority);
	len = (size_t)snprintf(line, sizeof(line), "%s%s: ", prefix, log_program);
	vsnprintf(line + len, sizeof(line) - len, fmt, ap);
	len = strlen(line);
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = '?';
	/* The newline takes the place of the NUL. */
	line[len++] = '\n';
	while (done < len) {
		ssize_t n = write(STDERR_FILENO, line + done, len - done);

		if (n < 0 && errno == EINTR)
			continue;
		/* Nobody is left to tell that the log is gone. */
		if (n < 0)
			break;
		done += (size_t)n;
	}
	errno = saved;
}

void
log_error(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_line(LOG_ERR, fmt, ap);
	va_end(ap);
}

void
log_warn(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_line(LOG_WARNING, fmt, ap);
	va_end(ap);
}

void
log_info(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_line(LOG_INFO, fmt, ap);
	va_end(ap);
}

void
log_debug(const char *fmt, ...)
{
	va_list ap;

	if (!log_debugging)
		return;
	va_start(ap, fmt);
	log_line(LOG_DEBUG, fmt, ap);
	va_end(ap);
}

_Noreturn void
log_die(int status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_line(LOG_ERR, fmt, ap);
	va_end(ap);
	exit(status);
}
