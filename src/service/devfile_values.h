/*
 * What the two readers of device files hand over: the text of each field of one record. Private to
 * devfile*.c.
 */
#ifndef DEVFILE_VALUES_H
#define DEVFILE_VALUES_H

#include "smki/devfile.h"

enum devfile_field {
	DEVFILE_EUI64,
	DEVFILE_HW_TYPE,
	DEVFILE_MANUFACTURER,
	DEVFILE_MODEL,
	DEVFILE_REGION,
	DEVFILE_PROOF,
	DEVFILE_SECRET,
	DEVFILE_KEY_SHA256,
	DEVFILE_APPROVED,
};
#define DEVFILE_FIELDS (DEVFILE_APPROVED + 1)

/* One record. Values are shorter than the line they are from, so they fit with their NULs. May
 * hold a secret: to be wiped. */
struct devfile_values {
	const char *value[DEVFILE_FIELDS]; /* into text; NULL = not given */
	size_t used;
	char text[DEVFILE_LINE_MAX + 1];
};

const char *devfile_field_str(enum devfile_field field);
/* -1 when there is no such field. */
int devfile_field_get(const char *name, size_t len);
/* Append octets to the text at values->used. */
void devfile_values_add(struct devfile_values *values, const char *text, size_t len);

/* Order of a CSV file's columns. */
struct devfile_csv {
	size_t n;
	enum devfile_field column[DEVFILE_FIELDS_MAX];
};
/* The header line. */
int devfile_csv_header(
    const char *line, size_t len, struct devfile_csv *out, struct err *err) MUST_USE;
int devfile_csv_read(const struct devfile_csv *csv, const char *line, size_t len,
    struct devfile_values *out, struct err *err) MUST_USE;
/* jansson's memory is wiped from then on. */
void devfile_json_init(void);
int devfile_json_read(
    const char *line, size_t len, struct devfile_values *out, struct err *err) MUST_USE;

#endif
