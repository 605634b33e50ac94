/*
 * Raw PKCS#11 for the hsm tests: objects the product would not make, and a look at those it made.
 * Uses the module that is loaded in this process; where a login is needed, an open struct hsm
 * holds it.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <p11-kit/pkcs11.h>

#include "fixture.h"

static CK_BBOOL raw_true = CK_TRUE;
static CK_BBOOL raw_false = CK_FALSE;

static void
raw_must(CK_RV rv, const char *call)
{
	if (rv == CKR_OK)
		return;
	fprintf(stderr, "raw %s: 0x%lx\n", call, (unsigned long)rv);
	exit(1);
}

static CK_FUNCTION_LIST *
raw_module(const struct hsm_conf *conf)
{
	void *module = dlopen(conf->module, RTLD_NOW | RTLD_LOCAL);
	void *symbol = module == NULL ? NULL : dlsym(module, "C_GetFunctionList");
	CK_C_GetFunctionList get_list;
	CK_FUNCTION_LIST *f = NULL;

	raw_must(symbol == NULL ? CKR_GENERAL_ERROR : CKR_OK, "dlsym");
	memcpy(&get_list, &symbol, sizeof(get_list));
	raw_must(get_list(&f), "C_GetFunctionList");
	/* hsm or the test holds the module: only our count goes. */
	dlclose(module);
	return f;
}

static CK_SESSION_HANDLE
raw_session(CK_FUNCTION_LIST *f, const char *label)
{
	CK_SLOT_ID slots[16];
	CK_ULONG n = 16;
	CK_SESSION_HANDLE session = 0;

	raw_must(f->C_GetSlotList(CK_TRUE, slots, &n), "C_GetSlotList");
	for (CK_ULONG i = 0; i < n; i++) {
		CK_TOKEN_INFO info;

		raw_must(f->C_GetTokenInfo(slots[i], &info), "C_GetTokenInfo");
		if (memcmp(info.label, label, strlen(label)) == 0)
			raw_must(f->C_OpenSession(slots[i], CKF_SERIAL_SESSION | CKF_RW_SESSION,
				     NULL, NULL, &session),
			    "C_OpenSession");
	}
	raw_must(session == 0 ? CKR_TOKEN_NOT_PRESENT : CKR_OK, label);
	return session;
}

void
raw_make_key(const struct hsm_conf *conf, const char *label, int extractable, int with_public)
{
	CK_FUNCTION_LIST *f = raw_module(conf);
	CK_SESSION_HANDLE session = raw_session(f, conf->token);
	CK_MECHANISM mechanism = { CKM_EC_KEY_PAIR_GEN, NULL, 0 };
	static unsigned char p256[] = { 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7 };
	char name[HSM_LABEL_MAX + 1];
	CK_ATTRIBUTE pub[] = {
		{ CKA_EC_PARAMS, p256, sizeof(p256) },
		{ CKA_TOKEN, with_public ? &raw_true : &raw_false, 1 },
		{ CKA_LABEL, name, strlen(label) },
		{ CKA_ID, name, strlen(label) },
	};
	CK_ATTRIBUTE prv[] = {
		{ CKA_TOKEN, &raw_true, 1 },
		{ CKA_PRIVATE, &raw_true, 1 },
		{ CKA_SIGN, &raw_true, 1 },
		{ CKA_SENSITIVE, &raw_true, 1 },
		{ CKA_EXTRACTABLE, extractable ? &raw_true : &raw_false, 1 },
		{ CKA_LABEL, name, strlen(label) },
		{ CKA_ID, name, strlen(label) },
	};
	CK_OBJECT_HANDLE a, b;

	snprintf(name, sizeof(name), "%s", label);
	raw_must(
	    f->C_GenerateKeyPair(session, &mechanism, pub, 4, prv, 7, &a, &b), "C_GenerateKeyPair");
	raw_must(f->C_CloseSession(session), "C_CloseSession");
}

static CK_ULONG
raw_find(CK_FUNCTION_LIST *f, CK_SESSION_HANDLE session, CK_OBJECT_CLASS class, const char *label,
    CK_OBJECT_HANDLE *first)
{
	char name[HSM_LABEL_MAX + 1];
	CK_ATTRIBUTE match[] = {
		{ CKA_CLASS, &class, sizeof(class) },
		{ CKA_LABEL, name, strlen(label) },
	};
	CK_OBJECT_HANDLE found[8];
	CK_ULONG n = 0;

	snprintf(name, sizeof(name), "%s", label);
	raw_must(f->C_FindObjectsInit(session, match, 2), "C_FindObjectsInit");
	raw_must(f->C_FindObjects(session, found, 8, &n), "C_FindObjects");
	raw_must(f->C_FindObjectsFinal(session), "C_FindObjectsFinal");
	if (n > 0)
		*first = found[0];
	return n;
}

int
raw_private_is(const struct hsm_conf *conf, const char *label, const char *attribute)
{
	static const struct {
		const char *name;
		CK_ATTRIBUTE_TYPE type;
	} types[] = {
		{ "SENSITIVE", CKA_SENSITIVE },
		{ "EXTRACTABLE", CKA_EXTRACTABLE },
		{ "ALWAYS_SENSITIVE", CKA_ALWAYS_SENSITIVE },
		{ "NEVER_EXTRACTABLE", CKA_NEVER_EXTRACTABLE },
		{ "TOKEN", CKA_TOKEN },
		{ "PRIVATE", CKA_PRIVATE },
		{ "SIGN", CKA_SIGN },
		{ "DERIVE", CKA_DERIVE },
		{ "DECRYPT", CKA_DECRYPT },
		{ "UNWRAP", CKA_UNWRAP },
		{ "LOCAL", CKA_LOCAL },
	};
	CK_FUNCTION_LIST *f = raw_module(conf);
	CK_SESSION_HANDLE session = raw_session(f, conf->token);
	CK_OBJECT_HANDLE key = 0;
	CK_BBOOL value = 2;
	CK_ATTRIBUTE a = { 0, &value, sizeof(value) };
	CK_RV rv;

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strcmp(types[i].name, attribute) == 0)
			a.type = types[i].type;
	raw_must(
	    raw_find(f, session, CKO_PRIVATE_KEY, label, &key) == 1 ? CKR_OK : CKR_GENERAL_ERROR,
	    label);
	rv = f->C_GetAttributeValue(session, key, &a, 1);
	raw_must(f->C_CloseSession(session), "C_CloseSession");
	return rv == CKR_OK ? value : -1;
}

unsigned
raw_count_keys(const struct hsm_conf *conf, const char *label)
{
	CK_FUNCTION_LIST *f = raw_module(conf);
	CK_SESSION_HANDLE session = raw_session(f, conf->token);
	CK_OBJECT_HANDLE key;
	CK_ULONG n = raw_find(f, session, CKO_PRIVATE_KEY, label, &key);

	n += raw_find(f, session, CKO_PUBLIC_KEY, label, &key);
	raw_must(f->C_CloseSession(session), "C_CloseSession");
	return (unsigned)n;
}

void
raw_init_token(const struct hsm_conf *conf, const char *label)
{
	CK_FUNCTION_LIST *f = raw_module(conf);
	CK_SLOT_ID slots[16];
	CK_ULONG n = 0;
	unsigned char padded[32], pin[] = FIXTURE_SO_PIN;

	memset(padded, ' ', sizeof(padded));
	memcpy(padded, label, strlen(label));
	raw_must(f->C_GetSlotList(CK_TRUE, NULL, &n), "C_GetSlotList");
	n = 16;
	raw_must(f->C_GetSlotList(CK_TRUE, slots, &n), "C_GetSlotList");
	for (CK_ULONG i = 0; i < n; i++) {
		CK_TOKEN_INFO info;

		raw_must(f->C_GetTokenInfo(slots[i], &info), "C_GetTokenInfo");
		if ((info.flags & CKF_TOKEN_INITIALIZED) == 0) {
			raw_must(
			    f->C_InitToken(slots[i], pin, sizeof(pin) - 1, padded), "C_InitToken");
			return;
		}
	}
	raw_must(CKR_TOKEN_NOT_PRESENT, "free token");
}
