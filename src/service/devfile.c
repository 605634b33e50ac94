/*
 * Files that register meters: which of the two formats, and the rules about the fields of a
 * record. The formats are read in devfile_csv.c and devfile_json.c. No file is opened here and
 * nothing is kept of a record; no message holds a secret.
 */
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "smki/der.h"
#include "smki/hex.h"
#include "smki/mem.h"

#include "devfile_values.h"

struct devfile {
	bool json;
	bool first; /* the next line may begin with a byte order mark */
	struct devfile_csv csv;
};

static const char *const devfile_names[DEVFILE_FIELDS] = {
	[DEVFILE_EUI64] = "eui64",
	[DEVFILE_HW_TYPE] = "hw_type",
	[DEVFILE_MANUFACTURER] = "manufacturer",
	[DEVFILE_MODEL] = "model",
	[DEVFILE_REGION] = "region",
	[DEVFILE_PROOF] = "proof",
	[DEVFILE_SECRET] = "secret",
	[DEVFILE_KEY_SHA256] = "key_sha256",
	[DEVFILE_APPROVED] = "approved",
};

const char *
devfile_field_str(enum devfile_field field)
{
	return devfile_names[field];
}

int
devfile_field_get(const char *name, size_t len)
{
	for (int i = 0; i < DEVFILE_FIELDS; i++)
		if (strlen(devfile_names[i]) == len && memcmp(devfile_names[i], name, len) == 0)
			return i;
	return -1;
}

void
devfile_values_add(struct devfile_values *values, const char *text, size_t len)
{
	require(len <= sizeof(values->text) - values->used);
	memcpy(values->text + values->used, text, len);
	values->used += len;
}

static void
devfile_values_wipe(struct devfile_values *values)
{
	OPENSSL_cleanse(values, sizeof(*values));
}

/* Drop what is no part of the record: CR before LF, a byte order mark before the first. */
static void
devfile_trim(bool first, const char **line, size_t *len)
{
	if (*len > 0 && (*line)[*len - 1] == '\r')
		(*len)--;
	if (first && *len >= 3 && memcmp(*line, "\xef\xbb\xbf", 3) == 0) {
		*line += 3;
		*len -= 3;
	}
}

static int
devfile_check_line(const char *object, size_t len, struct err *err)
{
	if (len > DEVFILE_LINE_MAX)
		return err_set(
		    err, FAIL_INVALID, "%s: is over %d octets", object, DEVFILE_LINE_MAX);
	if (len == 0)
		return err_set(err, FAIL_INVALID, "%s: is empty", object);
	return 0;
}

int
devfile_new(const char *line, size_t len, bool *is_data, struct devfile **out, struct err *err)
{
	struct devfile devfile = { .first = true };
	size_t blanks = 0;

	devfile_trim(true, &line, &len);
	if (devfile_check_line("line", len, err) != 0)
		return -1;
	while (blanks < len && (line[blanks] == ' ' || line[blanks] == '\t'))
		blanks++;
	devfile.json = blanks < len && line[blanks] == '{';
	if (devfile.json)
		devfile_json_init();
	else if (devfile_csv_header(line, len, &devfile.csv, err) != 0)
		return -1;
	*is_data = devfile.json;
	*out = mem_copy(&devfile, sizeof(devfile));
	return 0;
}

void
devfile_free(struct devfile *devfile)
{
	free(devfile);
}

/* The words of a proof, '+' or blanks between. */
static int
devfile_set_proof(const char *text, struct device *device, struct err *err)
{
	static const struct {
		const char *word;
		unsigned proof; /* 0: end-to-end */
	} words[] = {
		{ "idevid", DEVICE_PROOF_IDEVID },
		{ "secret", DEVICE_PROOF_SECRET },
		{ "key", DEVICE_PROOF_KEY },
		{ "end-to-end", 0 },
	};
	const char *s = text;

	for (;;) {
		size_t len, i;

		s += strspn(s, "+ ");
		if (*s == '\0')
			return 0;
		len = strcspn(s, "+ ");
		for (i = 0; i < ARRAY_LEN(words); i++)
			if (strlen(words[i].word) == len && memcmp(words[i].word, s, len) == 0)
				break;
		if (i == ARRAY_LEN(words))
			return err_set(err, FAIL_INVALID,
			    "proof: \"%.*s\" is none of idevid, secret, key, end-to-end",
			    len < 40 ? (int)len : 40, s);
		device->proofs |= words[i].proof;
		if (words[i].proof == 0)
			device->end_to_end = true;
		s += len;
	}
}

static int
devfile_set_key(const char *text, struct device *device, struct err *err)
{
	size_t len;

	/* hex_decode would pass over separators; here digits are meant. */
	if (strlen(text) != 2 * SHA256_LEN ||
	    hex_decode(text, device->key, sizeof(device->key), &len) != 0 || len != SHA256_LEN)
		return err_set(err, FAIL_INVALID,
		    "key_sha256: \"%.70s\" is not %d hexadecimal digits", text, 2 * SHA256_LEN);
	device->proofs |= DEVICE_PROOF_KEY;
	return 0;
}

static int
devfile_set_model(const char *text, struct device *device, struct err *err)
{
	if (strlen(text) >= sizeof(device->model))
		return err_set(
		    err, FAIL_INVALID, "model: is over %zu octets", sizeof(device->model) - 1);
	strcpy(device->model, text);
	return 0;
}

static int
devfile_set_approved(const char *text, struct device *device, struct err *err)
{
	if (strcmp(text, "yes") != 0 && strcmp(text, "no") != 0)
		return err_set(
		    err, FAIL_INVALID, "approved: \"%.40s\" is neither yes nor no", text);
	device->approved = strcmp(text, "yes") == 0;
	return 0;
}

/* One given field; text is UTF-8 that people may be shown, and not empty. */
static int
devfile_set(enum devfile_field field, const char *text, struct devfile_row *row, struct err *err)
{
	struct device *device = &row->device;
	uint8_t oid[OID_DER_MAX];
	size_t oid_len;

	switch (field) {
	case DEVFILE_EUI64:
		if (eui64_parse(text, &device->eui, err) != 0)
			return err_prefix(err, "eui64");
		return 0;
	case DEVFILE_HW_TYPE:
		if (oid_from_text(text, oid, &oid_len) != 0)
			return err_set(err, FAIL_INVALID,
			    "hw_type: not an object identifier: \"%.80s\"", text);
		strcpy(device->hw_type, text);
		return 0;
	case DEVFILE_MANUFACTURER:
		if (name_check("manufacturer", text, err) != 0)
			return -1;
		strcpy(device->manufacturer, text);
		return 0;
	case DEVFILE_MODEL:
		return devfile_set_model(text, device, err);
	case DEVFILE_REGION:
		if (name_check("region", text, err) != 0)
			return -1;
		strcpy(device->region, text);
		return 0;
	case DEVFILE_PROOF:
		return devfile_set_proof(text, device, err);
	case DEVFILE_SECRET:
		if (enrol_secret_check(text, err) != 0)
			return -1;
		strcpy(row->secret, text);
		device->proofs |= DEVICE_PROOF_SECRET;
		return 0;
	case DEVFILE_KEY_SHA256:
		return devfile_set_key(text, device, err);
	case DEVFILE_APPROVED:
		return devfile_set_approved(text, device, err);
	}
	require(!"a field");
	return -1;
}

/* What one field demands of another. */
static int
devfile_check(const struct devfile_values *values, const struct device *device, struct err *err)
{
	static const enum devfile_field required[] = { DEVFILE_EUI64, DEVFILE_HW_TYPE };
	static const struct {
		unsigned proof;
		enum devfile_field field;
		const char *word;
	} needs[] = {
		{ DEVICE_PROOF_IDEVID, DEVFILE_MANUFACTURER, "idevid" },
		{ DEVICE_PROOF_SECRET, DEVFILE_SECRET, "secret" },
		{ DEVICE_PROOF_KEY, DEVFILE_KEY_SHA256, "key" },
	};

	for (size_t i = 0; i < ARRAY_LEN(required); i++)
		if (values->value[required[i]] == NULL)
			return err_set(
			    err, FAIL_INVALID, "%s: is missing", devfile_field_str(required[i]));
	for (size_t i = 0; i < ARRAY_LEN(needs); i++)
		if ((device->proofs & needs[i].proof) != 0 && values->value[needs[i].field] == NULL)
			return err_set(err, FAIL_INVALID, "%s: is missing; proof %s needs it",
			    devfile_field_str(needs[i].field), needs[i].word);
	if (device->end_to_end && device->proofs == 0)
		return err_set(err, FAIL_INVALID,
		    "proof: end-to-end without idevid, secret or key proves nothing");
	return 0;
}

static int
devfile_fill(const struct devfile_values *values, struct devfile_row *row, struct err *err)
{
	row->device.approved = true;
	for (int i = 0; i < DEVFILE_FIELDS; i++) {
		enum devfile_field field = (enum devfile_field)i;
		const char *text = values->value[i];

		if (text == NULL)
			continue;
		if (!utf8_shown(text, strlen(text)))
			return err_set(err, FAIL_INVALID,
			    "%s: is not UTF-8 text without control characters",
			    devfile_field_str(field));
		if (devfile_set(field, text, row, err) != 0)
			return -1;
	}
	return devfile_check(values, &row->device, err);
}

int
devfile_read(
    struct devfile *devfile, const char *line, size_t len, struct devfile_row *out, struct err *err)
{
	struct devfile_values values = { .used = 0 };
	struct devfile_row row = { .secret = "" };
	int r = -1;

	devfile_trim(devfile->json && devfile->first, &line, &len);
	devfile->first = false;
	if (devfile_check_line("record", len, err) != 0)
		goto out;
	if (memchr(line, '\0', len) != NULL) {
		err_set(err, FAIL_INVALID, "record: holds a NUL");
		goto out;
	}
	if ((devfile->json ? devfile_json_read(line, len, &values, err)
			   : devfile_csv_read(&devfile->csv, line, len, &values, err)) != 0)
		goto out;
	if (devfile_fill(&values, &row, err) != 0)
		goto out;
	*out = row;
	r = 0;
out:
	OPENSSL_cleanse(&row, sizeof(row));
	devfile_values_wipe(&values);
	return r;
}
