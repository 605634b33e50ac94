/*
 * Files that register meters: CSV (RFC 4180, with a header line) or JSON lines (one object a line).
 * One record a line; every field checked, every fault named by line, field and cause.
 *
 * Fields: eui64, hw_type (both required); manufacturer, model, region; proof: words out of idevid,
 * secret, key, end-to-end with '+' or blanks between; secret (16 octets or more as base32 or
 * hexadecimal; implies proof secret); key_sha256 (64 hexadecimal digits, SHA-256 of the
 * SubjectPublicKeyInfo; implies proof key); approved: yes or no (yes when absent). JSON: the same
 * names, proof also as an array. A proof idevid needs a manufacturer.
 */
#ifndef SMKI_DEVFILE_H
#define SMKI_DEVFILE_H

#include "smki/enrol.h"
#include "smki/store_device.h"

#define DEVFILE_LINE_MAX 4096
#define DEVFILE_FIELDS_MAX 16

struct devfile_row {
	struct device device;		   /* secret not yet in it */
	char secret[ENROL_SECRET_MAX + 1]; /* "" = none */
};

struct devfile; /* the format, and for CSV the order of its columns */

/* From the first line (CSV's header, or a JSON object: *is_data then tells that it is a record as
 * well). FAIL_INVALID "line: ..." or, of CSV, "header: ...". */
int devfile_new(
    const char *line, size_t len, bool *is_data, struct devfile **out, struct err *err) MUST_USE;
void devfile_free(struct devfile *devfile);
/* One line (without its line end; CR before LF is dropped) to a record. FAIL_INVALID "FIELD: ..." */
int devfile_read(struct devfile *devfile, const char *line, size_t len, struct devfile_row *out,
    struct err *err) MUST_USE;

#endif
