/*
 * Configuration in OpenSSL's configuration syntax (config(5)), read through NCONF, with the
 * parts of that syntax that reach outside the file (.include, .pragma, $variables) refused.
 */
#ifndef SMKI_CONF_H
#define SMKI_CONF_H

#include <stdbool.h>
#include <stddef.h>

#include "smki/err.h"

/* Largest configuration file in octets. */
#define CONF_MAX (64 * 1024)

struct conf;

/* One allowed key. section and key may end in '*' ("token *"): any name with that beginning. */
struct conf_key {
	const char *section;
	const char *key;
};

/*
 * Parse text. name stands in messages ("smki.conf"). Any section or key that is not in keys, a
 * key given twice, a directive, a '$' outside a comment, a control character, a quote left open
 * or a line over 500 octets (lines may be continued by '\') is FAIL_INVALID with "name:line: ...".
 * Keys before the first section header belong to "default"; nothing is inherited from it.
 * On success *out is the caller's, to be given to conf_free.
 */
int conf_parse(const char *name, const char *text, size_t len, const struct conf_key *keys,
    size_t n_keys, struct conf **out, struct err *err) MUST_USE;

/* As conf_parse from a file, which must be a regular file, not writable by group or others, and
 * owned by root or by the effective user (FAIL_DENIED); missing: FAIL_NOT_FOUND. */
int conf_load(const char *path, const struct conf_key *keys, size_t n_keys, struct conf **out,
    struct err *err) MUST_USE;
void conf_free(struct conf *conf);

/* Value, or NULL when absent. Borrowed until conf_free. */
const char *conf_get(const struct conf *conf, const char *section, const char *key);
/* Name of the i-th section (from 0, in the file's order) that begins with begin, NULL when there
 * are no more. Borrowed until conf_free. */
const char *conf_section(const struct conf *conf, const char *begin, size_t i);
/* Name of the i-th key of a section that begins with begin, in the same way. */
const char *conf_key_name(
    const struct conf *conf, const char *section, const char *begin, size_t i);
/* Value, or FAIL_INVALID "name: [section] key is missing". */
int conf_need(const struct conf *conf, const char *section, const char *key, const char **out,
    struct err *err) MUST_USE;

/* Absent: *out = fallback. Malformed or outside min..max: FAIL_INVALID with name, section, key,
 * value and the range. Durations: a number with s, m, h, d or y (365 d), in seconds. Booleans: yes,
 * no, true, false. */
int conf_number(const struct conf *conf, const char *section, const char *key, long min, long max,
    long fallback, long *out, struct err *err) MUST_USE;
int conf_duration(const struct conf *conf, const char *section, const char *key, long min, long max,
    long fallback, long *out, struct err *err) MUST_USE;
int conf_bool(const struct conf *conf, const char *section, const char *key, bool fallback,
    bool *out, struct err *err) MUST_USE;

#endif
