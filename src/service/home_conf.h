/*
 * What the two readers of smki.conf share: private to home_conf*.c.
 */
#ifndef SERVICE_HOME_CONF_H
#define SERVICE_HOME_CONF_H

#include "smki/conf.h"
#include "smki/home.h"

#define MINUTE 60L
#define HOUR 3600L
#define DAY 86400L

/* Connections that one worker serves well. */
#define HOME_WORKER_CONNECTIONS 120L
/* A thousand peers that shake hands slowly, from many addresses, leave room for the honest. */
#define HOME_HTTP_WORKERS 2L
#define HOME_HTTPS_WORKERS 10L

/* A text value into out (cap with NUL); absent: out stays as it is. */
int home_text(const struct conf *conf, const char *section, const char *key, char *out, size_t cap,
    struct err *err) MUST_USE;
/* A path that may be relative to the home, made absolute in place. */
int home_absolute(const struct home *home, char path[HSM_PATH_MAX], struct err *err) MUST_USE;
int home_known_token(
    const struct home *home, const char *section, const char *name, struct err *err) MUST_USE;

/* The limits that both listeners have; defaults of workers and timeout (seconds) differ, and
 * connections follow from the workers. */
struct home_listener {
	long *workers, *connections, *per_address, *timeout;
};
int home_listener(const struct conf *conf, const char *section, long workers, long seconds,
    const struct home_listener *out, struct err *err) MUST_USE;

/* [https], [enrol] and [access]; tokens and CAs are read before. */
int home_read_front(const struct conf *conf, struct home *home, struct err *err) MUST_USE;

#endif
