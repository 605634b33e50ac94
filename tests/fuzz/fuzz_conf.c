/*
 * Fuzz target: configuration files. What is read has names from the table only, each once, and
 * values that are one line.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "smki/conf.h"
#include "smki/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct conf_key fuzz_keys[] = {
	{ "smki", "url" },
	{ "token *", "module" },
	{ "token *", "label" },
	{ "token *", "pin_file" },
	{ "token *", "softhsm_conf" },
	{ "token *", "sessions" },
	{ "ca *", "token" },
	{ "ca *", "key" },
	{ "ocsp", "token" },
	{ "ocsp", "key" },
	{ "ocsp", "validity" },
	{ "http", "listen" },
	{ "http", "workers" },
	{ "default", "key" },
};

static void
fuzz_value(const struct conf *conf, const char *section, const char *key)
{
	const char *value = conf_get(conf, section, key);
	long number = -7;
	bool truth;

	if (conf_number(conf, section, key, 1, 16, 2, &number, NULL) == 0)
		require(number >= 1 && number <= 16);
	if (conf_duration(conf, section, key, 300, 86400, 3600, &number, NULL) == 0)
		require(number >= 300 && number <= 86400);
	if (conf_bool(conf, section, key, true, &truth, NULL) != 0)
		require(value != NULL);
	for (; value != NULL && *value != '\0'; value++)
		require((unsigned char)*value >= 0x20 || *value == '\t');
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct conf *conf = NULL;
	const char *section;

	if (conf_parse("fuzz", (const char *)data, size, fuzz_keys, ARRAY_LEN(fuzz_keys), &conf,
		NULL) != 0)
		return 0;
	for (size_t i = 0; (section = conf_section(conf, "", i)) != NULL; i++) {
		for (size_t k = 0; k < ARRAY_LEN(fuzz_keys); k++)
			fuzz_value(conf, section, fuzz_keys[k].key);
	}
	conf_free(conf);
	return 0;
}
