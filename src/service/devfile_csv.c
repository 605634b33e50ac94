/*
 * Records in CSV (RFC 4180): fields with commas between, quoted where they hold a comma or a quote.
 * A record is one line; blanks belong to their field.
 */
#include <string.h>

#include "smki/mem.h"

#include "devfile_values.h"

/*
 * The field at *at into values, without its NUL; *at moves to its comma or to len. Returns NULL or
 * what is wrong with it.
 */
static const char *
devfile_csv_field(const char *line, size_t len, size_t *at, struct devfile_values *values)
{
	bool closed = false;
	size_t i = *at;

	if (i == len || line[i] != '"') {
		for (; i < len && line[i] != ','; i++)
			if (line[i] == '"')
				return "RFC 4180 2: a quote in a field that is not quoted";
		devfile_values_add(values, line + *at, i - *at);
		*at = i;
		return NULL;
	}
	for (i++; i < len && !closed; i++) {
		/* A quote ends the field unless another follows: the two are one. */
		if (line[i] == '"' && (i + 1 == len || line[i + 1] != '"'))
			closed = true;
		else if (line[i] == '"')
			i++;
		if (!closed)
			devfile_values_add(values, line + i, 1);
	}
	if (!closed)
		return "RFC 4180 2: the quote is not closed";
	if (i < len && line[i] != ',')
		return "RFC 4180 2: more behind the closing quote";
	*at = i;
	return NULL;
}

/* Mark the column that is named in header's text at start. */
static int
devfile_csv_column(
    struct devfile_csv *csv, const struct devfile_values *header, size_t start, struct err *err)
{
	const char *name = header->text + start;
	size_t len = header->used - start;
	int field = devfile_field_get(name, len);

	if (field < 0)
		return err_set(err, FAIL_INVALID, "header: \"%.*s\" is no known column",
		    len < 40 ? (int)len : 40, name);
	for (size_t i = 0; i < csv->n; i++)
		if ((int)csv->column[i] == field)
			return err_set(err, FAIL_INVALID, "header: column %s stands twice",
			    devfile_field_str(csv->column[i]));
	require(csv->n < DEVFILE_FIELDS_MAX);
	csv->column[csv->n++] = (enum devfile_field)field;
	return 0;
}

int
devfile_csv_header(const char *line, size_t len, struct devfile_csv *out, struct err *err)
{
	static const enum devfile_field required[] = { DEVFILE_EUI64, DEVFILE_HW_TYPE };
	struct devfile_values header = { .used = 0 };
	struct devfile_csv csv = { 0 };
	const char *fault;

	for (size_t at = 0;; at++) {
		size_t start = header.used;

		fault = devfile_csv_field(line, len, &at, &header);
		if (fault != NULL)
			return err_set(err, FAIL_INVALID, "header: %s", fault);
		if (devfile_csv_column(&csv, &header, start, err) != 0)
			return -1;
		if (at == len)
			break;
	}
	for (size_t k = 0; k < ARRAY_LEN(required); k++) {
		bool found = false;

		for (size_t i = 0; i < csv.n; i++)
			found = found || csv.column[i] == required[k];
		if (!found)
			return err_set(err, FAIL_INVALID, "header: no column %s",
			    devfile_field_str(required[k]));
	}
	*out = csv;
	return 0;
}

int
devfile_csv_read(const struct devfile_csv *csv, const char *line, size_t len,
    struct devfile_values *out, struct err *err)
{
	size_t n = 0;

	for (size_t at = 0;; at++) {
		size_t start = out->used;
		const char *fault;

		if (n == csv->n)
			return err_set(err, FAIL_INVALID,
			    "record: RFC 4180 2: more fields than the header's %zu", csv->n);
		fault = devfile_csv_field(line, len, &at, out);
		if (fault != NULL)
			return err_set(
			    err, FAIL_INVALID, "%s: %s", devfile_field_str(csv->column[n]), fault);
		devfile_values_add(out, "", 1);
		if (out->text[start] != '\0')
			out->value[csv->column[n]] = out->text + start;
		n++;
		if (at == len)
			break;
	}
	if (n < csv->n)
		return err_set(err, FAIL_INVALID,
		    "record: RFC 4180 2: %zu field%s, the header has %zu", n, n == 1 ? "" : "s",
		    csv->n);
	return 0;
}
