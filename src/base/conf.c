/*
 * Configuration files. OpenSSL's NCONF decides what a value is; this file first reads the same
 * lines for what NCONF does not tell or allows too much of: places, duplicates, unknown names,
 * directives, variables. NCONF sees the text only after that, because it obeys .include while
 * it reads. Values are never looked up with NCONF_get_string, which falls back to [default] and
 * for [ENV] to the environment.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/conf.h>
#include <openssl/err.h>

#include "smki/buf.h"
#include "smki/conf.h"
#include "smki/mem.h"

/* NCONF reads lines in pieces of 511 octets and looks for a backslash at the end of each. */
#define CONF_LINE_MAX 500
/* One section or key name. */
#define CONF_NAME_MAX 128
#define CONF_VALUE_SHOWN 80

/* key NULL: the section itself. */
struct conf_entry {
	char *section;
	char *key;
	const char *value; /* NCONF's */
	int line;
};

struct conf {
	char *name;
	CONF *nconf;
	struct conf_entry *entries;
	size_t n, cap;
};

/* The text being read, line by line. */
struct conf_reader {
	struct conf *conf;
	const struct conf_key *keys;
	size_t n_keys;
	const char *p, *end;
	int line; /* of the beginning of the logical line */
	int next_line;
	int continued;	 /* the logical line has several lines */
	struct buf text; /* the logical line, without its comment */
	char *section;	 /* current */
	struct err *err;
};

static struct conf_entry *
conf_find(const struct conf *conf, const char *section, const char *key)
{
	for (size_t i = 0; i < conf->n; i++) {
		struct conf_entry *e = &conf->entries[i];

		if (strcmp(e->section, section) != 0)
			continue;
		if (key == NULL ? e->key == NULL : e->key != NULL && strcmp(e->key, key) == 0)
			return e;
	}
	return NULL;
}

static void
conf_add(struct conf *conf, const char *section, const char *key, int line)
{
	if (conf->n == conf->cap) {
		conf->cap = conf->cap * 2 + 16;
		conf->entries = mem_resize(conf->entries, conf->cap, sizeof(*conf->entries));
	}
	conf->entries[conf->n++] = (struct conf_entry){
		.section = mem_str(section), .key = key != NULL ? mem_str(key) : NULL, .line = line
	};
}

static int
conf_matches(const char *pattern, const char *name)
{
	size_t len = strlen(pattern);

	if (len > 0 && pattern[len - 1] == '*')
		return strncmp(pattern, name, len - 1) == 0;
	return strcmp(pattern, name) == 0;
}

/* key NULL: is the section allowed at all? */
static int
conf_allowed(const struct conf_reader *r, const char *section, const char *key)
{
	for (size_t i = 0; i < r->n_keys; i++)
		if (conf_matches(r->keys[i].section, section) &&
		    (key == NULL || conf_matches(r->keys[i].key, key)))
			return 1;
	return 0;
}

static int
conf_refuse(const struct conf_reader *r, const char *finding)
{
	return err_set(r->err, FAIL_INVALID, "%s:%d: %s", r->conf->name, r->line, finding);
}

static int
conf_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '-' || c == '.';
}

static int
conf_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Append the next line as it stands. 1 = it goes on with the next, 0 = not, -1 = refused. */
static int
conf_read_piece(struct conf_reader *r)
{
	const char *nl = memchr(r->p, '\n', (size_t)(r->end - r->p));
	const char *stop = nl != NULL ? nl : r->end;
	size_t len = (size_t)(stop - r->p);

	if (len > CONF_LINE_MAX)
		return conf_refuse(r, "line is longer than 500 octets");
	if (nl != NULL && len > 0 && r->p[len - 1] == '\r')
		len--;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)r->p[i];

		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return conf_refuse(r, "control character");
	}
	buf_add(&r->text, r->p, len);
	r->p = nl != NULL ? nl + 1 : r->end;
	r->next_line++;
	len = r->text.len;
	if (len == 0 || r->text.data[len - 1] != '\\' || (len > 1 && r->text.data[len - 2] == '\\'))
		return 0;
	r->text.len--;
	return 1;
}

/*
 * End the logical line at its comment. '#' begins one unless it is quoted or escaped; '$' is
 * refused wherever NCONF could see it.
 */
static int
conf_cut_comment(struct conf_reader *r)
{
	const char *s = buf_text(&r->text);
	char quote = '\0';

	for (size_t i = 0; s[i] != '\0'; i++) {
		if (s[i] == '#' && quote == '\0') {
			if (r->continued)
				return conf_refuse(r, "comment in a line continued by '\\'");
			r->text.len = i;
			return 0;
		}
		if (s[i] == '$')
			return conf_refuse(r, "'$' is not allowed");
		if (s[i] == '\\') {
			i++;
			/* NCONF would take the end of the line for the escaped character. */
			if (s[i] == '\0')
				return conf_refuse(r, "'\\' at the end escapes nothing");
			if (s[i] == '$')
				return conf_refuse(r, "'$' is not allowed");
		} else if (quote != '\0') {
			quote = s[i] == quote ? '\0' : quote;
		} else if (s[i] == '"' || s[i] == '\'' || s[i] == '`') {
			quote = s[i];
		}
	}
	return quote != '\0' ? conf_refuse(r, "quote is not closed") : 0;
}

/* The next logical line into r->text. 1 = there is one, 0 = the end, -1 = refused. */
static int
conf_read_line(struct conf_reader *r)
{
	int more;

	if (r->p == r->end)
		return 0;
	buf_reset(&r->text);
	r->line = r->next_line;
	r->continued = 0;
	while ((more = conf_read_piece(r)) == 1) {
		if (r->p == r->end)
			return conf_refuse(r, "the last line is continued by '\\'");
		r->continued = 1;
	}
	if (more != 0 || conf_cut_comment(r) != 0)
		return -1;
	return 1;
}

/* "[ section ]", s behind the '['. */
static int
conf_read_section(struct conf_reader *r, const char *s)
{
	char name[CONF_NAME_MAX];
	const char *close = strchr(s, ']');
	const char *end = close;

	if (close == NULL || close[1 + strspn(close + 1, " \t")] != '\0')
		return conf_refuse(r, "section header does not end in ']'");
	while (conf_blank(*s))
		s++;
	while (end > s && conf_blank(end[-1]))
		end--;
	if (end == s || (size_t)(end - s) >= sizeof(name))
		return conf_refuse(r, "section name is empty or too long");
	for (const char *c = s; c < end; c++)
		if (!conf_name_char(*c) && *c != ' ')
			return conf_refuse(r, "section name may hold letters, digits, ' ', '.', "
					      "'_', '-' only");
	memcpy(name, s, (size_t)(end - s));
	name[end - s] = '\0';
	if (!conf_allowed(r, name, NULL))
		return err_set(r->err, FAIL_INVALID, "%s:%d: [%s] is not a known section",
		    r->conf->name, r->line, name);
	free(r->section);
	r->section = mem_str(name);
	if (conf_find(r->conf, name, NULL) == NULL)
		conf_add(r->conf, name, NULL, r->line);
	return 0;
}

/* "key = value", s at the key. */
static int
conf_read_key(struct conf_reader *r, const char *s)
{
	const struct conf_entry *earlier;
	char key[CONF_NAME_MAX];
	size_t len = 0;

	/* NCONF acts on .include and .pragma with and without '='. */
	if (*s == '.')
		return conf_refuse(r, "directives are not allowed");
	while (conf_name_char(s[len]))
		len++;
	if (len == 0 || len >= sizeof(key) || s[len + strspn(s + len, " \t")] != '=')
		return conf_refuse(r, "neither \"[section]\" nor \"key = value\"");
	memcpy(key, s, len);
	key[len] = '\0';
	if (!conf_allowed(r, r->section, key))
		return err_set(r->err, FAIL_INVALID, "%s:%d: [%s] %s is not a known key",
		    r->conf->name, r->line, r->section, key);
	earlier = conf_find(r->conf, r->section, key);
	if (earlier != NULL)
		return err_set(r->err, FAIL_INVALID, "%s:%d: [%s] %s was given in line %d already",
		    r->conf->name, r->line, r->section, key, earlier->line);
	if (conf_find(r->conf, r->section, NULL) == NULL)
		conf_add(r->conf, r->section, NULL, r->line);
	conf_add(r->conf, r->section, key, r->line);
	return 0;
}

/* All names and places of the text into r->conf. */
static int
conf_scan(struct conf_reader *r)
{
	int more;

	while ((more = conf_read_line(r)) == 1) {
		const char *s = buf_text(&r->text);

		while (conf_blank(*s))
			s++;
		if (*s == '\0')
			continue;
		if ((*s == '[' ? conf_read_section(r, s + 1) : conf_read_key(r, s)) != 0)
			return -1;
	}
	return more;
}

/* NCONF's value of one entry; NULL when NCONF read the file differently. */
static const char *
conf_nconf_value(const CONF *nconf, const struct conf_entry *e)
{
	const STACK_OF(CONF_VALUE) *values = NCONF_get_section(nconf, e->section);

	for (int i = 0; i < sk_CONF_VALUE_num(values); i++) {
		const CONF_VALUE *v = sk_CONF_VALUE_value(values, i);

		if (strcmp(v->name, e->key) == 0)
			return v->value;
	}
	return NULL;
}

/* Let NCONF read the text and take its values. */
static int
conf_read_values(struct conf *conf, const char *text, size_t len, struct err *err)
{
	BIO *bio = NULL;
	long line = 0;
	int rc = -1;

	ERR_clear_error();
	conf->nconf = NCONF_new(NULL);
	bio = BIO_new_mem_buf(text, (int)len);
	if (conf->nconf == NULL || bio == NULL) {
		err_ssl(err, FAIL_INTERNAL, "%s: no reader", conf->name);
		goto out;
	}
	if (NCONF_load_bio(conf->nconf, bio, &line) <= 0) {
		err_ssl(err, FAIL_INVALID, "%s:%ld", conf->name, line);
		goto out;
	}
	for (size_t i = 0; i < conf->n; i++) {
		struct conf_entry *e = &conf->entries[i];

		if (e->key == NULL)
			continue;
		e->value = conf_nconf_value(conf->nconf, e);
		if (e->value == NULL) {
			err_set(err, FAIL_INVALID, "%s:%d: [%s] %s cannot be read", conf->name,
			    e->line, e->section, e->key);
			goto out;
		}
		/* An escape such as \n may have made one. */
		for (const char *c = e->value; *c != '\0'; c++)
			if (((unsigned char)*c < 0x20 && *c != '\t') || *c == 0x7f) {
				err_set(err, FAIL_INVALID, "%s:%d: [%s] %s: control character",
				    conf->name, e->line, e->section, e->key);
				goto out;
			}
	}
	rc = 0;
out:
	BIO_free(bio);
	return rc;
}

int
conf_parse(const char *name, const char *text, size_t len, const struct conf_key *keys,
    size_t n_keys, struct conf **out, struct err *err)
{
	struct conf_reader r = { .keys = keys,
		.n_keys = n_keys,
		.p = text,
		.end = text + len,
		.next_line = 1,
		.err = err };
	struct conf *conf = NULL;
	int rc = -1;

	if (len > CONF_MAX)
		return err_set(err, FAIL_INVALID, "%s: larger than %d octets", name, CONF_MAX);
	conf = mem_alloc(sizeof(*conf));
	conf->name = mem_str(name);
	r.conf = conf;
	r.section = mem_str("default");
	if (conf_scan(&r) != 0)
		goto out;
	if (conf_read_values(conf, text, len, err) != 0)
		goto out;
	*out = conf;
	conf = NULL;
	rc = 0;
out:
	buf_free(&r.text);
	free(r.section);
	conf_free(conf);
	return rc;
}

void
conf_free(struct conf *conf)
{
	if (conf == NULL)
		return;
	for (size_t i = 0; i < conf->n; i++) {
		free(conf->entries[i].section);
		free(conf->entries[i].key);
	}
	free(conf->entries);
	NCONF_free(conf->nconf);
	free(conf->name);
	free(conf);
}

const char *
conf_get(const struct conf *conf, const char *section, const char *key)
{
	const struct conf_entry *e = conf_find(conf, section, key);

	return e != NULL ? e->value : NULL;
}

const char *
conf_section(const struct conf *conf, const char *begin, size_t i)
{
	for (size_t at = 0; at < conf->n; at++) {
		const struct conf_entry *e = &conf->entries[at];

		if (e->key == NULL && strncmp(e->section, begin, strlen(begin)) == 0 && i-- == 0)
			return e->section;
	}
	return NULL;
}

const char *
conf_key_name(const struct conf *conf, const char *section, const char *begin, size_t i)
{
	for (size_t at = 0; at < conf->n; at++) {
		const struct conf_entry *e = &conf->entries[at];

		if (e->key != NULL && strcmp(e->section, section) == 0 &&
		    strncmp(e->key, begin, strlen(begin)) == 0 && i-- == 0)
			return e->key;
	}
	return NULL;
}

int
conf_need(const struct conf *conf, const char *section, const char *key, const char **out,
    struct err *err)
{
	const char *value = conf_get(conf, section, key);

	if (value == NULL)
		return err_set(
		    err, FAIL_INVALID, "%s: [%s] %s is missing", conf->name, section, key);
	*out = value;
	return 0;
}

/* Decimal with an optional '-'; *end is what follows. */
static int
conf_decimal(const char *text, long *out, const char **end)
{
	const char *digits = text + (*text == '-');
	char *stop;

	if (*digits < '0' || *digits > '9')
		return -1;
	errno = 0;
	*out = strtol(text, &stop, 10);
	*end = stop;
	return errno != 0 ? -1 : 0;
}

int
conf_number(const struct conf *conf, const char *section, const char *key, long min, long max,
    long fallback, long *out, struct err *err)
{
	const char *text = conf_get(conf, section, key), *end;
	long value;

	if (text == NULL) {
		*out = fallback;
		return 0;
	}
	if (conf_decimal(text, &value, &end) != 0 || *end != '\0' || value < min || value > max)
		return err_set(err, FAIL_INVALID,
		    "%s: [%s] %s = %.*s: not a number from %ld to %ld", conf->name, section, key,
		    CONF_VALUE_SHOWN, text, min, max);
	*out = value;
	return 0;
}

/* Seconds in one of the unit, 0 when it is none. */
static long
conf_unit(const char *unit)
{
	static const struct {
		char letter;
		long seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 },
		{ 'y', 365 * 86400 } };

	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (unit[0] == units[i].letter && unit[1] == '\0')
			return units[i].seconds;
	return 0;
}

int
conf_duration(const struct conf *conf, const char *section, const char *key, long min, long max,
    long fallback, long *out, struct err *err)
{
	const char *text = conf_get(conf, section, key), *end;
	long value, unit;

	if (text == NULL) {
		*out = fallback;
		return 0;
	}
	if (conf_decimal(text, &value, &end) != 0 || (unit = conf_unit(end)) == 0 ||
	    __builtin_mul_overflow(value, unit, &value) || value < min || value > max)
		return err_set(err, FAIL_INVALID,
		    "%s: [%s] %s = %.*s: not a duration (number and s, m, h, d or y) from %lds to "
		    "%lds",
		    conf->name, section, key, CONF_VALUE_SHOWN, text, min, max);
	*out = value;
	return 0;
}

int
conf_bool(const struct conf *conf, const char *section, const char *key, bool fallback, bool *out,
    struct err *err)
{
	const char *text = conf_get(conf, section, key);

	if (text == NULL) {
		*out = fallback;
		return 0;
	}
	if (strcmp(text, "yes") == 0 || strcmp(text, "true") == 0) {
		*out = true;
		return 0;
	}
	if (strcmp(text, "no") == 0 || strcmp(text, "false") == 0) {
		*out = false;
		return 0;
	}
	return err_set(err, FAIL_INVALID, "%s: [%s] %s = %.*s: not yes, no, true or false",
	    conf->name, section, key, CONF_VALUE_SHOWN, text);
}
