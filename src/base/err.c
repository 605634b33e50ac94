/*
 * Filling a struct err and mapping its code to the outside. Formats only; never logs, never ends
 * the process.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>

#include "smki/err.h"
#include "smki/hex.h"

/* A peer's text must not start a second line, reach a terminal as an escape sequence or turn the
 * rest of the line. Octet for octet: the length stays, and what was cut short is clean too. */
static void
err_clean(char *text)
{
	size_t left = strlen(text), step;

	for (; left > 0; text += step, left -= step) {
		step = utf8_len((const uint8_t *)text, left);
		if (step > 0 && !utf8_hidden((const uint8_t *)text))
			continue;
		step = step > 0 ? step : 1;
		memset(text, '?', step);
	}
}

/* As much of text behind the first at octets of msg as there is room for; the new length. */
static size_t
err_put(char msg[ERR_MSG_MAX], size_t at, const char *text)
{
	size_t n = strnlen(text, ERR_MSG_MAX - 1 - at);

	memcpy(msg + at, text, n);
	msg[at + n] = '\0';
	return at + n;
}

/* The text is made aside first: the arguments may point into err->msg. */
static void
err_fill(struct err *err, enum err_code code, const char *text, const char *why)
{
	char msg[ERR_MSG_MAX];
	size_t len = err_put(msg, 0, text);

	if (why != NULL) {
		len = err_put(msg, len, ": ");
		err_put(msg, len, why);
	}
	err_clean(msg);
	err->code = code;
	memcpy(err->msg, msg, sizeof(msg));
}

int
err_set(struct err *err, enum err_code code, const char *fmt, ...)
{
	char text[ERR_MSG_MAX];
	va_list ap;

	if (err == NULL)
		return -1;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	err_fill(err, code, text, NULL);
	return -1;
}

int
err_sys(struct err *err, enum err_code code, const char *fmt, ...)
{
	int saved = errno;
	char text[ERR_MSG_MAX], why[128];
	va_list ap;

	if (err == NULL)
		return -1;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	err_fill(err, code, text, strerror_r(saved, why, sizeof(why)));
	return -1;
}

int
err_ssl(struct err *err, enum err_code code, const char *fmt, ...)
{
	unsigned long oldest = ERR_get_error();
	char text[ERR_MSG_MAX], why[128];
	const char *reason;
	va_list ap;

	ERR_clear_error();
	if (err == NULL)
		return -1;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	reason = oldest != 0 ? ERR_reason_error_string(oldest) : "no reason given by OpenSSL";
	if (reason == NULL && ERR_SYSTEM_ERROR(oldest)) {
		reason = strerror_r(ERR_GET_REASON(oldest), why, sizeof(why));
	} else if (reason == NULL) {
		snprintf(why, sizeof(why), "OpenSSL error %08lX", oldest);
		reason = why;
	}
	err_fill(err, code, text, reason);
	return -1;
}

int
err_prefix(struct err *err, const char *fmt, ...)
{
	char text[ERR_MSG_MAX];
	va_list ap;

	if (err == NULL)
		return -1;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	err_fill(err, err->code, text, err->msg);
	return -1;
}

int
err_exit_status(enum err_code code)
{
	switch (code) {
	case FAIL_INVALID:
		return EXIT_INVALID;
	case FAIL_DENIED:
		return EXIT_DENIED;
	case FAIL_NOT_FOUND:
		return EXIT_NOT_FOUND;
	case FAIL_CONFLICT:
		return EXIT_CONFLICT;
	case FAIL_LIMIT:
	case FAIL_UNAVAILABLE:
		return EXIT_UNAVAILABLE;
	case FAIL_INTERNAL:
		break;
	}
	return EXIT_INTERNAL;
}

int
err_http_status(enum err_code code)
{
	switch (code) {
	case FAIL_INVALID:
		return 400;
	case FAIL_DENIED:
		return 403;
	case FAIL_NOT_FOUND:
		return 404;
	case FAIL_CONFLICT:
		return 409;
	case FAIL_LIMIT:
		return 429;
	case FAIL_UNAVAILABLE:
		return 503;
	case FAIL_INTERNAL:
		break;
	}
	return 500;
}

int
err_ocsp_status(enum err_code code)
{
	switch (code) {
	case FAIL_INVALID:
		return 1; /* malformedRequest */
	case FAIL_LIMIT:
	case FAIL_UNAVAILABLE:
		return 3; /* tryLater */
	case FAIL_DENIED:
	case FAIL_NOT_FOUND: /* nothing here to answer from: RFC 9919 3.2.3 */
		return 6;    /* unauthorized */
	case FAIL_CONFLICT:  /* a question changes nothing, so this is our bug */
	case FAIL_INTERNAL:
		break;
	}
	return 2; /* internalError */
}

const char *
err_code_str(enum err_code code)
{
	switch (code) {
	case FAIL_INVALID:
		return "invalid";
	case FAIL_DENIED:
		return "denied";
	case FAIL_NOT_FOUND:
		return "not-found";
	case FAIL_CONFLICT:
		return "conflict";
	case FAIL_LIMIT:
		return "limit";
	case FAIL_UNAVAILABLE:
		return "unavailable";
	case FAIL_INTERNAL:
		break;
	}
	return "internal";
}

int
err_same_cause(const char *a, const char *b)
{
	static const char digits[] = "0123456789";

	for (;; a++, b++) {
		a += strspn(a, digits);
		b += strspn(b, digits);
		if (*a != *b)
			return 0;
		if (*a == '\0')
			return 1;
	}
}
