/*
 * What devices may do by themselves: the keys of a profile that allow it, and the grant without a
 * request.
 */
#include "test.h"

#include "policy.h"

#define DEVICE_BEGIN                                                                               \
	"[profile]\ndescription = x\ncurve = P-256\nvalidity = 1d\nhw_type_arcs = "                \
	"1.3.6.1.4.1.32473\nkind = device\n"
#define SERVER                                                                                     \
	"[profile]\ndescription = x\ncurve = P-256\nvalidity = 1d\nkind = server\n"                \
	"extended_key_usage = serverAuth\nkey_usage = digitalSignature\n"
#define SIGN DEVICE_BEGIN "key_usage = digitalSignature\n"
#define AGREE DEVICE_BEGIN "key_usage = keyAgreement\n"
#define BOTH DEVICE_BEGIN "key_usage = digitalSignature, keyAgreement\n"
#define CHOICE DEVICE_BEGIN "key_usage = digitalSignature | keyAgreement\n"

/* The longest list that is taken has 255 octets. */
#define TOKEN_50 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define TOKEN_255 TOKEN_50 TOKEN_50 TOKEN_50 TOKEN_50 TOKEN_50 "aaaaa"

static const struct key_row {
	const char *name, *text;
	const char *want; /* NULL = loads */
	bool enrol, server_key;
	const char *scopes;
} key_rows[] = {
	{ "none", SIGN, NULL, false, false, "" },
	{ "enrol", SIGN "enrol = yes\n", NULL, true, false, "" },
	{ "enrol no", SIGN "enrol = no\nserver_keygen = no\n", NULL, false, false, "" },
	{ "server key", SIGN "enrol = yes\nserver_keygen = yes\n", NULL, true, true, "" },
	{ "server key for agreement", AGREE "enrol = yes\nserver_keygen = yes\n", NULL, true, true,
	    "" },
	{ "one scope", SIGN "scopes = meter\n", NULL, false, false, "meter" },
	{ "scopes", SIGN "scopes =   a \t b:c/d?!~   [e]\n", NULL, false, false, "a b:c/d?!~ [e]" },
	{ "scope with both usages", BOTH "scopes = a\n", NULL, false, false, "a" },
	{ "beginning of another", SIGN "scopes = meter met meters\n", NULL, false, false,
	    "meter met meters" },
	{ "longest scope", SIGN "scopes = " TOKEN_255 "\n", NULL, false, false, TOKEN_255 },
	{ "longer scope", SIGN "scopes = " TOKEN_255 "a\n", "longer than 255 octets", false, false,
	    NULL },
	{ "longest scopes", SIGN "scopes = " TOKEN_50 TOKEN_50 TOKEN_50 TOKEN_50 TOKEN_50 " aaaa\n",
	    NULL, false, false, TOKEN_50 TOKEN_50 TOKEN_50 TOKEN_50 TOKEN_50 " aaaa" },
	{ "longer scopes", SIGN "scopes = " TOKEN_50 TOKEN_50 TOKEN_50 TOKEN_50 TOKEN_50 " aaaaa\n",
	    "longer than 255 octets", false, false, NULL },
	{ "enrol word", SIGN "enrol = maybe\n", "enrol = maybe: not yes, no", false, false, NULL },
	{ "server key word", SIGN "server_keygen = 1\n", "server_keygen = 1: not yes, no", false,
	    false, NULL },
	{ "server key alone", SIGN "server_keygen = yes\n", "server_keygen needs enrol = yes",
	    false, false, NULL },
	{ "server key of both", BOTH "enrol = yes\nserver_keygen = yes\n",
	    "server_keygen needs exactly one key_usage", false, false, NULL },
	{ "server key of a choice", CHOICE "enrol = yes\nserver_keygen = yes\n",
	    "server_keygen needs exactly one key_usage", false, false, NULL },
	{ "empty scopes", SIGN "scopes =\n", "RFC 6749 3.3: no scope-token", false, false, NULL },
	{ "blank scopes", SIGN "scopes = \" \t\"\n", "RFC 6749 3.3: no scope-token", false, false,
	    NULL },
	{ "scope twice", SIGN "scopes = a b a\n", "a scope-token is given twice", false, false,
	    NULL },
	{ "scope with quote", SIGN "scopes = a\\\"b\n", "RFC 6749 3.3: not a scope-token", false,
	    false, NULL },
	{ "scope with backslash", SIGN "scopes = a\\\\b\n", "RFC 6749 3.3: not a scope-token",
	    false, false, NULL },
	{ "scope not ASCII", SIGN "scopes = \xc3\xa4\n", "RFC 6749 3.3: not a scope-token", false,
	    false, NULL },
	{ "scope for agreement", AGREE "scopes = a\n", "scopes needs key_usage = digitalSignature",
	    false, false, NULL },
	{ "scope for a choice", CHOICE "scopes = a\n", "scopes needs key_usage = digitalSignature",
	    false, false, NULL },
	{ "enrol for servers", SERVER "enrol = yes\n", "enrol is for kind device", false, false,
	    NULL },
	{ "server key for servers", SERVER "server_keygen = yes\n",
	    "server_keygen is for kind device", false, false, NULL },
	{ "scopes for servers", SERVER "scopes = a\n", "scopes is for kind device", false, false,
	    NULL },
};

static void
test_keys(void)
{
	for (size_t i = 0; i < ARRAY_LEN(key_rows); i++) {
		const struct key_row *row = &key_rows[i];
		struct profile *p = NULL;
		struct err err = { .msg = "" };
		int r = profile_parse("x", row->text, strlen(row->text), &p, &err);

		if (row->want == NULL) {
			CHECK_ROW(row->name, r == 0 && p != NULL);
			if (r != 0) {
				fprintf(stderr, "  \"%s\"\n", err.msg);
				continue;
			}
			CHECK_ROW(row->name, p->enrol == row->enrol);
			CHECK_ROW(row->name, p->server_key == row->server_key);
			CHECK_STR(p->scopes, row->scopes);
			profile_free(p);
			continue;
		}
		CHECK_ROW(row->name, r == -1 && p == NULL && err.code == FAIL_INVALID);
		if (strstr(err.msg, row->want) == NULL)
			fprintf(stderr, "  \"%s\", want \"%s\"\n", err.msg, row->want);
		CHECK_ROW(row->name, strstr(err.msg, row->want) != NULL);
		CHECK_ROW(row->name, strncmp(err.msg, "profile x", 9) == 0);
	}
}

static void
test_shipped(void)
{
	static const struct {
		const char *name, *scopes;
		bool enrol;
	} rows[] = {
		{ "device-signature", "meter", true },
		{ "device-agreement", "", true },
		{ "organisation", "", false },
		{ "tls-server", "", false },
		{ "ocsp", "", false },
		{ "issuing-ca", "", false },
		{ "root-ca", "", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct profile *p = policy_load(rows[i].name);

		CHECK_ROW(rows[i].name, p->enrol == rows[i].enrol && !p->server_key);
		CHECK_STR(p->scopes, rows[i].scopes);
		profile_free(p);
	}
}

/* Without a request the grant is what a request of the same device gets. */
static void
test_grant(void)
{
	static const struct {
		const char *profile, *usage;
	} rows[] = {
		{ "device-signature", POLICY_KU_SIGN },
		{ "device-agreement", POLICY_KU_AGREE },
	};
	static const struct eui64 eui = { { 0x00, 0xdb, 0x12, 0x34, 0x56, 0x78, 0x00, 0x01 } };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct profile *p = policy_load(rows[i].profile);
		struct grant asked, given;
		struct policy_csr r;
		struct err err;

		policy_csr_init(&r, "3000");
		policy_csr_ext(&r, EXT_SAN, POLICY_SAN);
		policy_csr_ext(&r, EXT_KEY_USAGE, rows[i].usage);
		require(profile_grant(p, &r.csr, &asked, &err) == 0);
		CHECK(profile_grant_device(
			  p, &eui, "1.3.6.1.4.1.32473.1", &r.csr.pub, &given, &err) == 0);
		CHECK(ec_pub_eq(&asked.pub, &given.pub));
		CHECK(asked.use == given.use && asked.key_usage == given.key_usage);
		CHECK_MEM(given.subject, given.subject_len, asked.subject, asked.subject_len);
		CHECK_MEM(given.san, given.san_len, asked.san, asked.san_len);
		CHECK(given.holder.kind == HOLDER_DEVICE);
		CHECK_MEM(given.holder.name, given.holder.name_len, asked.holder.name,
		    asked.holder.name_len);
		CHECK_STR(given.holder.hw_type, asked.holder.hw_type);
		profile_free(p);
	}
}

static const struct grant_row {
	const char *name, *text, *hw_type;
	const char *want; /* NULL = granted */
	enum err_code code;
} grant_rows[] = {
	{ "plain", SIGN, "1.3.6.1.4.1.32473.1", NULL, 0 },
	{ "its OUI", SIGN "eui64_ouis = 00db12\n", "1.3.6.1.4.1.32473.1", NULL, 0 },
	{ "another OUI", SIGN "eui64_ouis = 00db13\n", "1.3.6.1.4.1.32473.1",
	    "device: RFC 4108 5: hwSerialNum does not begin with an OUI of profile x",
	    FAIL_INVALID },
	{ "arc itself", SIGN, "1.3.6.1.4.1.32473",
	    "device: RFC 4108 5: hwType 1.3.6.1.4.1.32473 is not under an arc", FAIL_INVALID },
	{ "another arc", SIGN, "1.3.6.1.4.1.324731.1", "is not under an arc", FAIL_INVALID },
	{ "no OID", SIGN, "meter", "is not an object identifier", FAIL_INVALID },
	{ "empty", SIGN, "", "is not an object identifier", FAIL_INVALID },
	{ "both usages", BOTH, "1.3.6.1.4.1.32473.1", "key_usage is not a single one",
	    FAIL_INVALID },
	{ "choice", CHOICE, "1.3.6.1.4.1.32473.1", "key_usage is not a single one", FAIL_INVALID },
	{ "server", SERVER, "1.3.6.1.4.1.32473.1", "kind server is not for devices", FAIL_DENIED },
};

static void
test_grant_rows(void)
{
	static const struct eui64 eui = { { 0x00, 0xdb, 0x12, 0x34, 0x56, 0x78, 0x00, 0x01 } };
	struct ec_pub pub = policy_pub(), p384 = { .curve = EC_P384, .point = { 4 }, .len = 97 };

	for (size_t i = 0; i < ARRAY_LEN(grant_rows); i++) {
		const struct grant_row *row = &grant_rows[i];
		struct grant g = { .san_len = 99 };
		struct profile *p = NULL;
		struct err err = { .msg = "" };
		int r;

		require(profile_parse("x", row->text, strlen(row->text), &p, NULL) == 0);
		r = profile_grant_device(p, &eui, row->hw_type, &pub, &g, &err);
		CHECK_ROW(row->name, r == (row->want == NULL ? 0 : -1));
		if (row->want != NULL) {
			CHECK_ROW(row->name, err.code == row->code && g.san_len == 99);
			CHECK_ROW(row->name, strstr(err.msg, row->want) != NULL);
		} else {
			r = profile_grant_device(p, &eui, row->hw_type, &p384, &g, &err);
			CHECK_ROW(row->name, r == -1 && strstr(err.msg, "P-384") != NULL);
		}
		profile_free(p);
	}
}

static const struct test_case cases[] = {
	{ "keys", test_keys },
	{ "the shipped profiles", test_shipped },
	{ "a grant without a request", test_grant },
	{ "grants refused", test_grant_rows },
};

TEST_MAIN("profile_device", cases)
