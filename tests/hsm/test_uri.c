/*
 * token_uri_parse: which RFC 7512 URIs name a token, and that a PIN in one is refused unsaid.
 */
#include "../unit/test.h"
#include "smki/mem.h"
#include "smki/token.h"

#define M "?module-path=/usr/lib/p.so"
#define P "&pin-source=file:/etc/pin"
#define LABEL_32 "12345678901234567890123456789012"

static const struct {
	const char *name, *uri;
	const char *token, *module, *pin; /* token NULL: refused, and module a part of why */
} rows[] = {
	{ "plain", "pkcs11:token=smki" M P, "smki", "/usr/lib/p.so", "/etc/pin" },
	{ "path without file:", "pkcs11:token=smki" M "&pin-source=/etc/pin", "smki",
	    "/usr/lib/p.so", "/etc/pin" },
	{ "file URI with authority", "pkcs11:token=smki" M "&pin-source=file:///etc/pin", "smki",
	    "/usr/lib/p.so", "/etc/pin" },
	{ "credential", "pkcs11:token=smki" M "&pin-source=credential:hsm", "smki", "/usr/lib/p.so",
	    "credential:hsm" },
	{ "percent", "pkcs11:token=a%20b" M P, "a b", "/usr/lib/p.so", "/etc/pin" },
	{ "listed token",
	    "pkcs11:model=SoftHSM%20v2;manufacturer=SoftHSM%20project;serial=1f;token=smki" M P,
	    "smki", "/usr/lib/p.so", "/etc/pin" },
	{ "label of 32", "pkcs11:token=" LABEL_32 M P, LABEL_32, "/usr/lib/p.so", "/etc/pin" },
	{ "label of 33", "pkcs11:token=" LABEL_32 "3" M P, NULL, "token URI", NULL },
	{ "empty", "", NULL, "token URI", NULL },
	{ "other scheme", "https:token=smki" M P, NULL, "token URI", NULL },
	{ "no token", "pkcs11:" M P, NULL, "token=", NULL },
	{ "empty token", "pkcs11:token=" M P, NULL, "token=", NULL },
	{ "no module", "pkcs11:token=smki?pin-source=file:/etc/pin", NULL, "module-path", NULL },
	{ "module name only", "pkcs11:token=smki?module-name=p&pin-source=file:/etc/pin", NULL,
	    "module-path", NULL },
	{ "relative module", "pkcs11:token=smki?module-path=p.so" P, NULL, "module-path", NULL },
	{ "no PIN source", "pkcs11:token=smki" M, NULL, "pin-source", NULL },
	{ "relative PIN source", "pkcs11:token=smki" M "&pin-source=file:pin", NULL, "pin-source",
	    NULL },
	{ "PIN source elsewhere", "pkcs11:token=smki" M "&pin-source=file://host/pin", NULL,
	    "pin-source", NULL },
	{ "PIN source by command", "pkcs11:token=smki" M "&pin-source=%7Ccat%20pin", NULL,
	    "pin-source", NULL },
	{ "PIN value", "pkcs11:token=smki" M P "&pin-value=s3cr3t", NULL, "pin-value", NULL },
	{ "object", "pkcs11:token=smki;object=root" M P, NULL, "object", NULL },
	{ "id", "pkcs11:token=smki;id=%01" M P, NULL, "object", NULL },
	{ "slot", "pkcs11:token=smki;slot-id=1" M P, NULL, "slot", NULL },
	{ "unknown attribute", "pkcs11:token=smki;colour=red" M P, NULL, "attribute", NULL },
	{ "bad percent", "pkcs11:token=%zz" M P, NULL, "token URI", NULL },
};

static void
uri_table(void)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct hsm_conf conf = { .sessions = 7 }, before = conf;
		struct err err = { 0 };
		int r = token_uri_parse(rows[i].uri, &conf, &err);

		CHECK_ROW(rows[i].name, (r == 0) == (rows[i].token != NULL));
		if (rows[i].token != NULL) {
			CHECK_STR(conf.token, rows[i].token);
			CHECK_STR(conf.module, rows[i].module);
			CHECK_STR(conf.pin_file, rows[i].pin);
			CHECK_ROW(rows[i].name, conf.sessions == 7);
			continue;
		}
		CHECK_ROW(rows[i].name, err.code == FAIL_INVALID);
		CHECK_ROW(rows[i].name, strstr(err.msg, rows[i].module) != NULL);
		CHECK_ROW(rows[i].name, strstr(err.msg, "s3cr3t") == NULL);
		CHECK_ROW(rows[i].name, memcmp(&conf, &before, sizeof(conf)) == 0);
	}
}

static void
uri_long(void)
{
	struct hsm_conf conf = { .sessions = 7 };
	struct err err;
	char *path = mem_alloc(HSM_PATH_MAX + 1), *uri;

	memset(path, 'a', HSM_PATH_MAX);
	path[HSM_PATH_MAX - 1] = '\0';
	path[0] = '/';
	uri = mem_fmt("pkcs11:token=t?module-path=%s" P, path);
	CHECK(token_uri_parse(uri, &conf, &err) == 0);
	free(uri);
	path[HSM_PATH_MAX - 1] = 'a';
	uri = mem_fmt("pkcs11:token=t?module-path=%s" P, path);
	CHECK(token_uri_parse(uri, &conf, &err) != 0 && err.code == FAIL_INVALID);
	free(uri);
	free(path);
	path = mem_alloc(100001);
	memset(path, 'a', 100000);
	CHECK(token_uri_parse(path, &conf, &err) != 0 && err.code == FAIL_INVALID);
	free(path);
}

static const struct test_case cases[] = {
	{ "table", uri_table },
	{ "length", uri_long },
};

TEST_MAIN("uri", cases)
