/*
 * Records in JSON (RFC 8259), an object a line. Messages are made here: jansson's show pieces of
 * the line, and a piece may be a secret.
 */
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <openssl/crypto.h>

#include "smki/mem.h"

#include "devfile_values.h"

static pthread_once_t devfile_json_once = PTHREAD_ONCE_INIT;

static void
devfile_json_release(void *p)
{
	if (p != NULL)
		OPENSSL_cleanse(p, malloc_usable_size(p));
	free(p);
}

static void
devfile_json_set(void)
{
	json_set_alloc_funcs(mem_alloc, devfile_json_release);
}

void
devfile_json_init(void)
{
	require(pthread_once(&devfile_json_once, devfile_json_set) == 0);
}

static int
devfile_json_fault(const json_error_t *error, struct err *err)
{
	const char *finding = "is not a JSON object in one line";

	if (json_error_code(error) == json_error_duplicate_key)
		finding = "a name stands twice";
	else if (json_error_code(error) == json_error_invalid_utf8)
		finding = "is not UTF-8";
	else if (json_error_code(error) == json_error_end_of_input_expected)
		finding = "more behind the object";
	return err_set(
	    err, FAIL_INVALID, "record: RFC 8259: %s (near octet %d)", finding, error->position);
}

/* "a+b" of ["a", "b"]. */
static int
devfile_json_words(const json_t *array, struct devfile_values *out)
{
	for (size_t i = 0; i < json_array_size(array); i++) {
		const json_t *word = json_array_get(array, i);

		if (!json_is_string(word))
			return -1;
		if (i > 0)
			devfile_values_add(out, "+", 1);
		devfile_values_add(out, json_string_value(word), json_string_length(word));
	}
	return 0;
}

/* One member's value as text. */
static int
devfile_json_member(
    enum devfile_field field, const json_t *value, struct devfile_values *out, struct err *err)
{
	const char *name = devfile_field_str(field);
	size_t start = out->used;

	if (field == DEVFILE_PROOF && json_is_array(value)) {
		if (devfile_json_words(value, out) != 0)
			return err_set(err, FAIL_INVALID, "%s: not an array of strings", name);
	} else if (field == DEVFILE_APPROVED && json_is_boolean(value)) {
		const char *word = json_is_true(value) ? "yes" : "no";

		devfile_values_add(out, word, strlen(word));
	} else if (json_is_string(value)) {
		devfile_values_add(out, json_string_value(value), json_string_length(value));
	} else {
		return err_set(err, FAIL_INVALID, "%s: not a string", name);
	}
	devfile_values_add(out, "", 1);
	if (out->text[start] != '\0')
		out->value[field] = out->text + start;
	return 0;
}

int
devfile_json_read(const char *line, size_t len, struct devfile_values *out, struct err *err)
{
	json_error_t error;
	const char *name;
	json_t *root, *value;
	int r = -1;

	root = json_loadb(line, len, JSON_REJECT_DUPLICATES, &error);
	if (root == NULL)
		return devfile_json_fault(&error, err);
	if (!json_is_object(root)) {
		err_set(err, FAIL_INVALID, "record: is JSON, but no object");
		goto out;
	}
	json_object_foreach(root, name, value)
	{
		int field = devfile_field_get(name, strlen(name));

		if (field < 0) {
			err_set(err, FAIL_INVALID, "\"%.40s\": is no known field", name);
			goto out;
		}
		if (devfile_json_member((enum devfile_field)field, value, out, err) != 0)
			goto out;
	}
	r = 0;
out:
	json_decref(root);
	return r;
}
