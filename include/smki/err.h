/*
 * The error object and the one table that maps a failure to the outside.
 *
 * Three kinds of failure, three tools: a bug aborts (require() of mem.h), a start-up
 * failure ends a program, anything a peer or the world caused is a struct err.
 * A message is one line: object, clause, finding ("csr: RFC 2986 4.2: signature does not verify").
 */
#ifndef SMKI_ERR_H
#define SMKI_ERR_H

/* Longest message in octets with its NUL; a longer one is cut. */
#define ERR_MSG_MAX 512

#define MUST_USE __attribute__((warn_unused_result))

enum err_code {
	FAIL_INVALID = 1, /* the input breaks a rule: tell the requester which */
	FAIL_DENIED,	  /* right request, wrong person, or not allowed here */
	FAIL_NOT_FOUND,
	FAIL_CONFLICT,	  /* illegal state change, duplicate */
	FAIL_LIMIT,	  /* over a limit, try again later */
	FAIL_UNAVAILABLE, /* token, disk, clock or peer: try again later */
	FAIL_INTERNAL,	  /* our bug */
};

struct err {
	enum err_code code;
	char msg[ERR_MSG_MAX];
};

/* Exit statuses of every program (sysexits where they fit); EXIT_DONE is success. */
enum exit_status {
	EXIT_DONE = 0,
	EXIT_USAGE_ = 64,
	EXIT_INVALID = 65,
	EXIT_NOT_FOUND = 66,
	EXIT_INTERNAL = 70,
	EXIT_CONFLICT = 73,
	EXIT_UNAVAILABLE = 75,
	EXIT_DENIED = 77,
};

/*
 * Record a failure; what no text for people may hold (hex.h) becomes '?', so one message is one line.
 * err may be NULL (the caller wants only the verdict). Always returns -1: return err_set(...).
 */
int err_set(struct err *err, enum err_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* As err_set, with ": " and strerror(errno) appended (errno is read first). Returns -1. */
int err_sys(struct err *err, enum err_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* As err_set, with the oldest reason of OpenSSL's error queue appended; drains the queue. -1. */
int err_ssl(struct err *err, enum err_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Put "object: " before the message already in err. Always returns -1. */
int err_prefix(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The edge table: nowhere else do these numbers appear. OCSP: RFC 6960 4.2.1 status. */
int err_exit_status(enum err_code code);
int err_http_status(enum err_code code);
int err_ocsp_status(enum err_code code);

/* Short name for logs and JSON: "invalid", "denied", "not-found", "conflict", ... */
const char *err_code_str(enum err_code code);

/* 1 when two messages tell the same cause: alike but for their numbers, which may count seconds. */
int err_same_cause(const char *a, const char *b);

#endif
