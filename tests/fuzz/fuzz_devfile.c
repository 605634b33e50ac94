/*
 * Fuzz target: files that register meters. The first line decides the format, the others are
 * records; what is read obeys the rules of the register.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "smki/der.h"
#include "smki/devfile.h"
#include "smki/hex.h"
#include "smki/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
fuzz_row(const struct devfile_row *row)
{
	const struct device *d = &row->device;
	uint8_t oid[OID_DER_MAX];
	size_t len;

	require(oid_from_text(d->hw_type, oid, &len) == 0);
	require(d->manufacturer[0] == '\0' || name_check("fuzz", d->manufacturer, NULL) == 0);
	require(d->region[0] == '\0' || name_check("fuzz", d->region, NULL) == 0);
	require(strnlen(d->model, sizeof(d->model)) < sizeof(d->model));
	require(utf8_shown(d->model, strlen(d->model)));
	require((d->proofs & DEVICE_PROOF_IDEVID) == 0 || d->manufacturer[0] != '\0');
	require(((d->proofs & DEVICE_PROOF_SECRET) != 0) == (row->secret[0] != '\0'));
	require(row->secret[0] == '\0' || enrol_secret_check(row->secret, NULL) == 0);
	require(!d->end_to_end || d->proofs != 0);
	require(d->state == DEVICE_ACTIVE && !d->secret_used);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *p = (const char *)data, *end = p + size;
	struct devfile *devfile = NULL;
	struct devfile_row row;
	bool is_data = false;
	struct err err = { 0 };

	while (p < end) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		size_t len = (size_t)((nl != NULL ? nl : end) - p);

		if (devfile == NULL && devfile_new(p, len, &is_data, &devfile, &err) != 0) {
			require(strncmp(err.msg, "line: ", 6) == 0 ||
				strncmp(err.msg, "header: ", 8) == 0);
			return 0;
		} else if (is_data || p != (const char *)data) {
			if (devfile_read(devfile, p, len, &row, &err) == 0)
				fuzz_row(&row);
			else
				require(err.code == FAIL_INVALID && strchr(err.msg, ':') != NULL);
		}
		if (nl == NULL)
			break;
		p = nl + 1;
	}
	devfile_free(devfile);
	return 0;
}
