/*
 * One line a message to stderr, key=value. Only the programs log; the layers return struct err.
 */
#ifndef SMKI_LOG_H
#define SMKI_LOG_H

/* Name printed before each line; with JOURNAL_STREAM set, "<N>" priorities come first. */
void log_init(const char *program, int debug);
void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Log an error and end the process with this status (start-up failures). */
_Noreturn void log_die(int status, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
