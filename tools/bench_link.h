/*
 * A connection to smkid for measurements: one question at a time, or many requests under way.
 */
#ifndef BENCH_LINK_H
#define BENCH_LINK_H

#include "bench_meter.h"
#include "smki/admin.h"

struct bench_link {
	int fd; /* -1 = closed */
	struct buf msg;
};

/* To the smkid of the home dir. */
int bench_link_open(const char *dir, struct bench_link *out, struct err *err) MUST_USE;
void bench_link_close(struct bench_link *link);
/* Send link->msg; the first message of the answer is then in it, the cursor at its payload. An
 * error that was answered is err. */
int bench_link_ask(struct bench_link *link, struct wire_in *in, struct err *err) MUST_USE;
/* The further messages of the same answer, read and dropped. */
int bench_link_drain(struct bench_link *link, struct err *err) MUST_USE;
int bench_link_change(struct bench_link *link, const struct serial *serial, enum cert_action action,
    struct err *err) MUST_USE;

/* Certificates for all meters, window requests under way. longest_us: the longest time without an
 * answer, so no COMMIT took longer. */
struct bench_issued {
	double rate; /* a second */
	int64_t longest_us;
};
int bench_link_issue(struct bench_link *link, struct bench_meter *meters, size_t n, size_t window,
    struct bench_issued *out, struct err *err) MUST_USE;

#endif
