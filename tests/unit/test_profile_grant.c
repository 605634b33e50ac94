/*
 * Grants: requests get what the profile allows and nothing else, the service itself likewise.
 */
#include "test.h"

#include "policy.h"
#include "smki/host.h"

/* The octets of one grant, both usages. */
static void
test_device(void)
{
	static const struct {
		const char *profile, *usage;
		enum key_use use;
		unsigned bits;
	} rows[] = {
		{ "device-signature", POLICY_KU_SIGN, USE_SIGNATURE, KEY_USAGE_DIGITAL_SIGNATURE },
		{ "device-agreement", POLICY_KU_AGREE, USE_AGREEMENT, KEY_USAGE_KEY_AGREEMENT },
	};
	static const uint8_t eui[] = { 0x00, 0xdb, 0x12, 0x34, 0x56, 0x78, 0x00, 0x01 };
	uint8_t san[64];
	size_t san_len = policy_hex(POLICY_SAN, san, sizeof(san));

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct profile *p = policy_load(rows[i].profile);
		struct policy_csr r;
		struct grant g;
		struct err err;
		const char *name = NULL;

		policy_csr_init(&r, "3000");
		policy_csr_ext(&r, EXT_SAN, POLICY_SAN);
		policy_csr_ext(&r, EXT_KEY_USAGE, rows[i].usage);
		CHECK(profile_grant(p, &r.csr, &g, &err) == 0);
		CHECK(g.use == rows[i].use);
		CHECK(g.key_usage == rows[i].bits);
		CHECK(ec_pub_eq(&g.pub, &r.csr.pub));
		CHECK_MEM(g.subject, g.subject_len, "\x30\x00", (size_t)2);
		CHECK_MEM(g.san, g.san_len, san, san_len);
		CHECK(g.holder.kind == HOLDER_DEVICE);
		CHECK_MEM(g.holder.name, g.holder.name_len, eui, sizeof(eui));
		CHECK_STR(g.holder.hw_type, "1.3.6.1.4.1.32473.1");
		CHECK(profile_pick(&r.csr, &name, &err) == 0);
		CHECK(name != NULL && strcmp(name, rows[i].profile) == 0);
		profile_free(p);
	}
}

static const struct grant_row {
	const char *name;
	const char *profile;
	const char *subject;
	struct {
		enum ext_id id;
		const char *value;
	} ext[4];
	const char *want; /* NULL = granted */
} grant_rows[] = {
	{ "subject", "device-signature", "300D310B3009060355040313025A31",
	    { { EXT_KEY_USAGE, POLICY_KU_SIGN }, { EXT_SAN, POLICY_SAN } },
	    "csr: RFC 5280 4.1.2.6: a device's subject is not empty" },
	{ "no request", "device-signature", "3000", { { 0 } },
	    "csr: RFC 2985 5.4.2: extensionRequest attribute is missing" },
	{ "no usage", "device-signature", "3000", { { EXT_SAN, POLICY_SAN } },
	    "csr: RFC 5280 4.2.1.3: keyUsage is missing" },
	{ "no san", "device-signature", "3000", { { EXT_KEY_USAGE, POLICY_KU_SIGN } },
	    "csr: RFC 5280 4.2.1.6: subjectAltName is missing" },
	{ "other usage", "device-signature", "3000",
	    { { EXT_KEY_USAGE, POLICY_KU_AGREE }, { EXT_SAN, POLICY_SAN } },
	    "csr: RFC 5280 4.2.1.3: keyUsage is keyAgreement, profile device-signature allows "
	    "digitalSignature" },
	{ "both usages", "device-signature", "3000",
	    { { EXT_KEY_USAGE, "03020388" }, { EXT_SAN, POLICY_SAN } },
	    "keyUsage is digitalSignature+keyAgreement" },
	{ "keyCertSign", "device-signature", "3000",
	    { { EXT_KEY_USAGE, "03020284" }, { EXT_SAN, POLICY_SAN } },
	    "keyUsage is digitalSignature+keyCertSign" },
	{ "usage not DER", "device-signature", "3000",
	    { { EXT_KEY_USAGE, "03020080" }, { EXT_SAN, POLICY_SAN } },
	    "csr: RFC 5280 4.2.1.3: keyUsage is not a DER named bit list" },
	{ "basicConstraints", "device-signature", "3000",
	    { { EXT_KEY_USAGE, POLICY_KU_SIGN }, { EXT_SAN, POLICY_SAN },
		{ EXT_BASIC_CONSTRAINTS, "30030101FF" } },
	    "csr: RFC 5280 4.2: extension 2.5.29.19 is not allowed by profile device-signature" },
	{ "policy", "device-signature", "3000",
	    { { EXT_KEY_USAGE, POLICY_KU_SIGN }, { EXT_SAN, POLICY_SAN },
		{ EXT_POLICIES, "30083006060455 1D2000" } },
	    "extension 2.5.29.32 is not allowed" },
	{ "OCSPSigning", "device-signature", "3000",
	    { { EXT_KEY_USAGE, POLICY_KU_SIGN }, { EXT_SAN, POLICY_SAN },
		{ EXT_EKU, "300A06082B06010505070309" } },
	    "extension 2.5.29.37 is not allowed" },
	{ "two names", "device-signature", "3000",
	    { { EXT_KEY_USAGE, POLICY_KU_SIGN },
		{ EXT_SAN, "3029 A023 0608 2B06010505070804 A017 3015 0609 2B0601040181FD5901 "
			   "0408 00DB123456780001 8202 6162" } },
	    "csr: RFC 5280 4.2.1.6: subjectAltName does not hold exactly one name" },
	{ "dns name", "device-signature", "3000",
	    { { EXT_KEY_USAGE, POLICY_KU_SIGN }, { EXT_SAN, "3004 8202 6162" } },
	    "csr: RFC 4108 5: subjectAltName is not an otherName HardwareModuleName" },
	{ "empty san", "device-signature", "3000",
	    { { EXT_KEY_USAGE, POLICY_KU_SIGN }, { EXT_SAN, "3000" } },
	    "csr: RFC 5280 4.2.1.6: subjectAltName does not hold exactly one name" },
	{ "inner tag missing", "device-signature", "3000",
	    { { EXT_KEY_USAGE, POLICY_KU_SIGN },
		{ EXT_SAN, "3023 A021 0608 2B06010505070804 3015 0609 2B0601040181FD5901 0408 "
			   "00DB123456780001" } },
	    "csr: RFC 4108 5: subjectAltName is not an otherName HardwareModuleName" },
	{ "context tag 4", "device-signature", "3000",
	    { { EXT_KEY_USAGE, POLICY_KU_SIGN },
		{ EXT_SAN, "3025 A023 0608 2B06010505070804 A017 3015 0609 2B0601040181FD5901 "
			   "8408 00DB123456780001" } },
	    "csr: RFC 4108 5: subjectAltName is not an otherName HardwareModuleName" },
	{ "other otherName", "device-signature", "3000",
	    { { EXT_KEY_USAGE, POLICY_KU_SIGN },
		{ EXT_SAN, "3025 A023 0608 2B06010505070805 A017 3015 0609 2B0601040181FD5901 "
			   "0408 00DB123456780001" } },
	    "csr: RFC 4108 5: subjectAltName is not an otherName HardwareModuleName" },
	{ "arc itself", "device-signature", "3000",
	    { { EXT_KEY_USAGE, POLICY_KU_SIGN },
		{ EXT_SAN, "3024 A022 0608 2B06010505070804 A016 3014 0608 2B0601040181FD59 0408 "
			   "00DB123456780001" } },
	    "csr: RFC 4108 5: hwType 1.3.6.1.4.1.32473 is not under an arc" },
	{ "arc beside", "device-signature", "3000",
	    { { EXT_KEY_USAGE, POLICY_KU_SIGN },
		{ EXT_SAN, "3025 A023 0608 2B06010505070804 A017 3015 0609 2B0601040181FD5A01 "
			   "0408 00DB123456780001" } },
	    "csr: RFC 4108 5: hwType 1.3.6.1.4.1.32474.1 is not under an arc" },
	{ "serial of 7", "device-signature", "3000",
	    { { EXT_KEY_USAGE, POLICY_KU_SIGN },
		{ EXT_SAN, "3024 A022 0608 2B06010505070804 A016 3014 0609 2B0601040181FD5901 "
			   "0407 00DB1234567800" } },
	    "csr: RFC 4108 5: hwSerialNum has 7 octets" },
	{ "serial of 9", "device-signature", "3000",
	    { { EXT_KEY_USAGE, POLICY_KU_SIGN },
		{ EXT_SAN, "3026 A024 0608 2B06010505070804 A018 3016 0609 2B0601040181FD5901 "
			   "0409 00DB12345678000102" } },
	    "csr: RFC 4108 5: hwSerialNum has 9 octets" },
	{ "serial of 0", "device-signature", "3000",
	    { { EXT_KEY_USAGE, POLICY_KU_SIGN },
		{ EXT_SAN, "301D A01B 0608 2B06010505070804 A00F 300D 0609 2B0601040181FD5901 "
			   "0400" } },
	    "csr: RFC 4108 5: hwSerialNum has 0 octets" },
	{ "GB arc", "device-signature", "3000",
	    { { EXT_KEY_USAGE, POLICY_KU_SIGN },
		{ EXT_SAN, "3026 A024 0608 2B06010505070804 A018 3016 060A 2A863A0001848FB90F01 "
			   "0408 00DB123456780001" } },
	    NULL },

	{ "organisation, sign", "organisation", POLICY_ORG, { { EXT_KEY_USAGE, POLICY_KU_SIGN } },
	    NULL },
	{ "organisation, agree", "organisation", POLICY_ORG, { { EXT_KEY_USAGE, POLICY_KU_AGREE } },
	    NULL },
	{ "organisation, CN", "organisation",
	    "302E 310B 3009 0603 550403 0C02 5A31 310B 3009 0603 55040B 0C02 3837 3112 3010 0603 "
	    "55042D 0309 00 00DB123456780001",
	    { { EXT_KEY_USAGE, POLICY_KU_SIGN } }, NULL },
	{ "organisation, both", "organisation", POLICY_ORG, { { EXT_KEY_USAGE, "03020388" } },
	    "allows one of digitalSignature+keyAgreement" },
	{ "organisation, no usage", "organisation", POLICY_ORG, { { 0 } },
	    "csr: RFC 2985 5.4.2: extensionRequest attribute is missing" },
	{ "organisation, SAN", "organisation", POLICY_ORG,
	    { { EXT_KEY_USAGE, POLICY_KU_SIGN }, { EXT_SAN, POLICY_SAN } },
	    "extension 2.5.29.17 is not allowed by profile organisation" },
	{ "organisation, empty", "organisation", "3000", { { EXT_KEY_USAGE, POLICY_KU_SIGN } },
	    "csr: SEC App. M F: subject is not [CN] OU x500UniqueIdentifier" },
	{ "organisation, OU only", "organisation", "300D310B300906035504 0B 1302 3032",
	    { { EXT_KEY_USAGE, POLICY_KU_SIGN } }, "subject is not [CN] OU" },
	{ "organisation, other order", "organisation",
	    "3021 3112 3010 0603 55042D 0309 00 00DB123456780001 310B 3009 0603 55040B 1302 3032",
	    { { EXT_KEY_USAGE, POLICY_KU_SIGN } }, "subject is not [CN] OU" },
	{ "organisation, one RDN", "organisation",
	    "301F 311D 3009 0603 55040B 1302 3032 3010 0603 55042D 0309 00 00DB123456780001",
	    { { EXT_KEY_USAGE, POLICY_KU_SIGN } }, "subject is not [CN] OU" },
	{ "organisation, four", "organisation",
	    "303B 310B 3009 0603 550403 0C02 5A31 310B 3009 0603 55040B 0C02 3837 3112 3010 0603 "
	    "55042D 0309 00 00DB123456780001 310B 3009 0603 550403 0C02 5A31",
	    { { EXT_KEY_USAGE, POLICY_KU_SIGN } }, "subject is not [CN] OU" },
	{ "organisation, root's role", "organisation",
	    "3021 310B 3009 0603 55040B 1302 3030 3112 3010 0603 55042D 0309 00 00DB123456780001",
	    { { EXT_KEY_USAGE, POLICY_KU_SIGN } }, "role 00 is not one of profile organisation" },
	{ "organisation, CA's role", "organisation",
	    "3021 310B 3009 0603 55040B 1302 3037 3112 3010 0603 55042D 0309 00 00DB123456780001",
	    { { EXT_KEY_USAGE, POLICY_KU_SIGN } }, "role 07 is not one of profile organisation" },
	{ "organisation, no digits", "organisation",
	    "3021 310B 3009 0603 55040B 1302 307A 3112 3010 0603 55042D 0309 00 00DB123456780001",
	    { { EXT_KEY_USAGE, POLICY_KU_SIGN } }, "OU is not a role code" },
	{ "organisation, one digit", "organisation",
	    "3020 310A 3008 0603 55040B 1301 32 3112 3010 0603 55042D 0309 00 00DB123456780001",
	    { { EXT_KEY_USAGE, POLICY_KU_SIGN } }, "OU is not a role code" },
	{ "organisation, IA5 OU", "organisation",
	    "3021 310B 3009 0603 55040B 1602 3032 3112 3010 0603 55042D 0309 00 00DB123456780001",
	    { { EXT_KEY_USAGE, POLICY_KU_SIGN } }, "OU is not a role code" },
	{ "organisation, unused bits", "organisation",
	    "3021 310B 3009 0603 55040B 1302 3032 3112 3010 0603 55042D 0309 01 00DB123456780002",
	    { { EXT_KEY_USAGE, POLICY_KU_SIGN } }, "x500UniqueIdentifier is not a BIT STRING" },
	{ "organisation, short id", "organisation",
	    "3020 310B 3009 0603 55040B 1302 3032 3111 300F 0603 55042D 0308 00 00DB1234567800",
	    { { EXT_KEY_USAGE, POLICY_KU_SIGN } }, "x500UniqueIdentifier is not a BIT STRING" },
	{ "organisation, control character", "organisation",
	    "302E 310B 3009 0603 550403 0C02 5A0A 310B 3009 0603 55040B 0C02 3837 3112 3010 0603 "
	    "55042D 0309 00 00DB123456780001",
	    { { EXT_KEY_USAGE, POLICY_KU_SIGN } }, "a subject attribute is malformed" },

	{ "server", "tls-server", "3000", { { EXT_SAN, "3006 8204 612E6262" } }, NULL },
	{ "server, all", "tls-server", "300F310D300B0603550403 1304 612E4242",
	    { { EXT_SAN, "300C 8704 7F000001 8204 612E6262" }, { EXT_KEY_USAGE, POLICY_KU_SIGN },
		{ EXT_EKU, "300A06082B06010505070301" } },
	    NULL },
	{ "server, IPv6", "tls-server", "3000",
	    { { EXT_SAN, "3012 8710 00000000000000000000000000000001" } }, NULL },
	{ "server, CN elsewhere", "tls-server", "300F310D300B0603550403 1304 612E6263",
	    { { EXT_SAN, "3006 8204 612E6262" } }, "CN is not one of the names" },
	{ "server, O", "tls-server", "300F310D300B060355040A 1304 612E6262",
	    { { EXT_SAN, "3006 8204 612E6262" } }, "subject is neither empty nor one CN" },
	{ "server, no names", "tls-server", "3000", { { EXT_KEY_USAGE, POLICY_KU_SIGN } },
	    "subjectAltName is missing" },
	{ "server, empty list", "tls-server", "3000", { { EXT_SAN, "3000" } },
	    "subjectAltName is not a list of names" },
	{ "server, wildcard", "tls-server", "3000", { { EXT_SAN, "3006 8204 2A2E6262" } },
	    "name 1 of subjectAltName is not a host name" },
	{ "server, NUL", "tls-server", "3000", { { EXT_SAN, "3006 8204 61006262" } },
	    "name 1 of subjectAltName is not a host name" },
	{ "server, address as name", "tls-server", "3000",
	    { { EXT_SAN, "3009 8207 312E322E332E34" } }, "name 1 of subjectAltName" },
	{ "server, e-mail", "tls-server", "3000",
	    { { EXT_SAN, "300C 8204 612E6262 8104 61406262" } }, "name 2 of subjectAltName" },
	{ "server, x400Address", "tls-server", "3000", { { EXT_SAN, "3004 A302 3000" } },
	    "name 1 of subjectAltName" },
	{ "server, ediPartyName", "tls-server", "3000", { { EXT_SAN, "3006 A504 8102 6162" } },
	    "name 1 of subjectAltName" },
	{ "server, IP of 5", "tls-server", "3000", { { EXT_SAN, "3007 8705 0102030405" } },
	    "name 1 of subjectAltName" },
	{ "server, keyAgreement", "tls-server", "3000",
	    { { EXT_SAN, "3006 8204 612E6262" }, { EXT_KEY_USAGE, POLICY_KU_AGREE } },
	    "keyUsage is keyAgreement" },
	{ "server, clientAuth too", "tls-server", "3000",
	    { { EXT_SAN, "3006 8204 612E6262" },
		{ EXT_EKU, "301406082B0601050507030106082B06010505070302" } },
	    "extKeyUsage is not that of profile tls-server" },
	{ "server, serverAuth twice", "tls-server", "3000",
	    { { EXT_SAN, "3006 8204 612E6262" },
		{ EXT_EKU, "301406082B0601050507030106082B06010505070301" } },
	    "extKeyUsage is not that of profile tls-server" },
	{ "server, no purpose", "tls-server", "3000",
	    { { EXT_SAN, "3006 8204 612E6262" }, { EXT_EKU, "3000" } },
	    "extKeyUsage is not that of profile tls-server" },
	{ "server, CA", "tls-server", "3000",
	    { { EXT_SAN, "3006 8204 612E6262" }, { EXT_BASIC_CONSTRAINTS, "30030101FF" } },
	    "extension 2.5.29.19 is not allowed" },

	{ "ocsp", "ocsp", "3000", { { EXT_KEY_USAGE, POLICY_KU_SIGN } },
	    "profile ocsp: kind ocsp is made by the ceremony verbs only" },
	{ "root", "root-ca", "3000", { { EXT_KEY_USAGE, POLICY_KU_SIGN } },
	    "made by the ceremony verbs only" },
	{ "issuing", "issuing-ca", "3000", { { EXT_KEY_USAGE, POLICY_KU_SIGN } },
	    "made by the ceremony verbs only" },
};

static void
test_grants(void)
{
	for (size_t i = 0; i < ARRAY_LEN(grant_rows); i++) {
		const struct grant_row *row = &grant_rows[i];
		struct profile *p = policy_load(row->profile);
		struct policy_csr r;
		struct grant g = { .key_usage = 4711 };
		struct err err = { .msg = "" };
		int got;

		policy_csr_init(&r, row->subject);
		for (size_t k = 0; k < ARRAY_LEN(row->ext) && row->ext[k].value != NULL; k++)
			policy_csr_ext(&r, row->ext[k].id, row->ext[k].value);
		got = profile_grant(p, &r.csr, &g, &err);
		if (row->want == NULL) {
			if (got != 0)
				fprintf(stderr, "  %s\n", err.msg);
			CHECK_ROW(row->name, got == 0);
		} else {
			CHECK_ROW(row->name, got == -1);
			CHECK_ROW(row->name, g.key_usage == 4711);
			if (strstr(err.msg, row->want) == NULL)
				fprintf(stderr, "  \"%s\"\n", err.msg);
			CHECK_ROW(row->name, strstr(err.msg, row->want) != NULL);
			CHECK_ROW(row->name,
			    err.code == (p->kind <= PROFILE_OCSP ? FAIL_DENIED : FAIL_INVALID));
		}
		profile_free(p);
	}
}

static void
test_organisation(void)
{
	struct profile *p = policy_load("organisation");
	struct policy_csr r;
	struct grant g;
	struct err err;
	uint8_t want[64];
	size_t len = policy_hex(POLICY_ORG, want, sizeof(want));

	policy_csr_init(&r, POLICY_ORG);
	policy_csr_ext(&r, EXT_KEY_USAGE, POLICY_KU_AGREE);
	CHECK(profile_grant(p, &r.csr, &g, &err) == 0);
	CHECK_MEM(g.subject, g.subject_len, want, len);
	CHECK(g.san_len == 0);
	CHECK(g.use == USE_AGREEMENT);
	CHECK(g.holder.kind == HOLDER_ORGANISATION);
	CHECK_MEM(g.holder.name, g.holder.name_len, want + len - 8, (size_t)8);
	CHECK_STR(g.holder.hw_type, "");
	profile_free(p);
}

static void
test_server(void)
{
	static const char want[] = "\x30\x0c\x87\x04\x7f\x00\x00\x01\x82\x04"
				   "a.bb";
	static const char cn[] = "\x30\x0f\x31\x0d\x30\x0b\x06\x03\x55\x04\x03\x13\x04"
				 "a.BB";
	struct profile *p = policy_load("tls-server");
	struct policy_csr r;
	struct grant g;
	struct err err;

	policy_csr_init(&r, "300F310D300B0603550403 1304 612E4242");
	policy_csr_ext(&r, EXT_SAN, "300C 8704 7F000001 8204 612E6262");
	CHECK(profile_grant(p, &r.csr, &g, &err) == 0);
	CHECK_MEM(g.san, g.san_len, want, sizeof(want) - 1);
	CHECK_MEM(g.subject, g.subject_len, cn, sizeof(cn) - 1);
	CHECK(g.use == USE_SERVER && g.key_usage == KEY_USAGE_DIGITAL_SIGNATURE);
	CHECK_MEM(g.holder.name, g.holder.name_len, "tls:127.0.0.1", (size_t)13);
	profile_free(p);
}

/* 16 names are granted, the 17th is one too many; and none is too long for its holder. */
static void
test_server_limits(void)
{
	struct profile *p = policy_load("tls-server");
	char names[17 * 14 + 16] = "", list[32];
	struct policy_csr r;
	struct grant g;
	struct err err;

	for (int n = 16; n <= 17; n++) {
		names[0] = '\0';
		for (int i = 0; i < n; i++)
			strcat(names, "8204612E6262");
		snprintf(list, sizeof(list), "30%02X", n * 6);
		policy_csr_init(&r, "3000");
		policy_csr_ext(&r, EXT_SAN, "3000");
		r.csr.ext[0].value = policy_span(&r, list);
		r.csr.ext[0].value.len += policy_span(&r, names).len;
		CHECK(profile_grant(p, &r.csr, &g, &err) == (n == 16 ? 0 : -1));
	}
	CHECK(strstr(err.msg, "more than 16 names") != NULL);
	profile_free(p);
}

static void
test_curve(void)
{
	struct profile *device = policy_load("device-signature"),
		       *server = policy_load("tls-server");
	struct policy_csr r;
	struct grant g;
	struct err err;

	policy_csr_init(&r, "3000");
	policy_csr_ext(&r, EXT_KEY_USAGE, POLICY_KU_SIGN);
	policy_csr_ext(&r, EXT_SAN, POLICY_SAN);
	r.csr.pub.curve = EC_P384;
	CHECK(profile_grant(device, &r.csr, &g, &err) == -1);
	CHECK_STR(
	    err.msg, "csr: RFC 5480 2.1.1.1: curve P-384 is not one of profile device-signature");
	policy_csr_init(&r, "3000");
	policy_csr_ext(&r, EXT_SAN, "3006 8204 612E6262");
	r.csr.pub.curve = EC_P384;
	CHECK(profile_grant(server, &r.csr, &g, &err) == 0);
	profile_free(device);
	profile_free(server);
}

static void
test_pick(void)
{
	static const struct {
		const char *usage, *want;
	} rows[] = {
		{ POLICY_KU_SIGN, "device-signature" },
		{ POLICY_KU_AGREE, "device-agreement" },
		{ "03020388", NULL },
		{ "03020106", NULL },
		{ "03020284", NULL },
		{ "03020080", NULL },
		{ NULL, NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct policy_csr r;
		struct err err = { 0 };
		const char *name = NULL;
		int got;

		policy_csr_init(&r, "3000");
		if (rows[i].usage != NULL)
			policy_csr_ext(&r, EXT_KEY_USAGE, rows[i].usage);
		got = profile_pick(&r.csr, &name, &err);
		CHECK(got == (rows[i].want != NULL ? 0 : -1));
		if (rows[i].want != NULL) {
			CHECK_STR(name, rows[i].want);
		} else {
			CHECK(name == NULL && err.code == FAIL_INVALID);
		}
	}
}

static void
test_service(void)
{
	static const char issuing[] = "\x30\x1f\x31\x0b\x30\x09\x06\x03\x55\x04\x0b\x13\x02\x30\x37"
				      "\x31\x10\x30\x0e\x06\x03\x55\x04\x03\x13\x07issuing";
	static const char san[] = "\x30\x1d\x82\x09"
				  "localhost"
				  "\x87\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1";
	static const char *const names[] = { "localhost", "::1" };
	static const char *const bad[] = { "*.example", "a..b", "-a", "a-", "a_b", "", "1.2.3.400",
		"a.b.", "x y" };
	struct ec_pub pub = policy_pub();
	struct profile *p;
	struct grant g;
	struct err err;
	char label[70];

	p = policy_load("issuing-ca");
	CHECK(profile_grant_service(p, "issuing", NULL, 0, &pub, &g, &err) == 0);
	CHECK_MEM(g.subject, g.subject_len, issuing, sizeof(issuing) - 1);
	CHECK(g.use == USE_CA && g.key_usage == (KEY_USAGE_KEY_CERT_SIGN | KEY_USAGE_CRL_SIGN));
	CHECK(g.san_len == 0 && g.holder.kind == HOLDER_SERVICE);
	CHECK_MEM(g.holder.name, g.holder.name_len, "ca:issuing", (size_t)10);
	CHECK(profile_grant_service(p, "a\nb", NULL, 0, &pub, &g, &err) == -1);
	CHECK(profile_grant_service(p, "", NULL, 0, &pub, &g, &err) == -1);
	pub.curve = EC_P384;
	CHECK(profile_grant_service(p, "issuing", NULL, 0, &pub, &g, &err) == -1);
	CHECK(strstr(err.msg, "RFC 5480 2.1.1.1") != NULL);
	pub.curve = EC_P256;
	profile_free(p);

	p = policy_load("ocsp");
	CHECK(profile_grant_service(p, "issuing", NULL, 0, &pub, &g, &err) == 0);
	CHECK(g.use == USE_OCSP && g.key_usage == KEY_USAGE_DIGITAL_SIGNATURE);
	CHECK_MEM(g.holder.name, g.holder.name_len, "ocsp", (size_t)4);
	/* 59 characters and " OCSP" are 64 octets, the most a CN has. */
	memset(label, 'a', sizeof(label));
	label[59] = '\0';
	CHECK(profile_grant_service(p, label, NULL, 0, &pub, &g, &err) == 0);
	label[59] = 'a';
	label[60] = '\0';
	CHECK(profile_grant_service(p, label, NULL, 0, &pub, &g, &err) == -1);
	profile_free(p);

	p = policy_load("tls-server");
	CHECK(profile_grant_service(p, NULL, names, 2, &pub, &g, &err) == 0);
	CHECK_MEM(g.subject, g.subject_len, "\x30\x00", (size_t)2);
	CHECK_MEM(g.san, g.san_len, san, sizeof(san) - 1);
	CHECK_MEM(g.holder.name, g.holder.name_len, "tls:localhost", (size_t)13);
	CHECK(profile_grant_service(p, NULL, NULL, 0, &pub, &g, &err) == -1);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		CHECK_ROW(bad[i], profile_grant_service(p, NULL, &bad[i], 1, &pub, &g, &err) == -1);
	profile_free(p);

	p = policy_load("device-signature");
	CHECK(profile_grant_service(p, "x", NULL, 0, &pub, &g, &err) == -1);
	CHECK(err.code == FAIL_DENIED);
	profile_free(p);
}

static void
test_host_lengths(void)
{
	char text[200];
	struct host h;

	memset(text, 'a', sizeof(text));
	CHECK(host_from_text(text, 63, &h) == 0);
	CHECK(host_from_text(text, 64, &h) == -1);
	text[60] = text[120] = '.';
	CHECK(host_from_text(text, HOST_MAX, &h) == 0);
	CHECK(host_from_text(text, HOST_MAX + 1, &h) == -1);
}

/* The device of POLICY_SAN is 00DB123456780001. */
static void
test_ouis(void)
{
	static const struct {
		const char *ouis[3];
		bool granted;
	} rows[] = {
		{ { NULL }, true },
		{ { "00db12" }, true },
		{ { "00db123" }, true },
		{ { "00db12345" }, true },
		{ { "00db13" }, false },
		{ { "00db124" }, false },
		{ { "00db12346" }, false },
		{ { "db1234" }, false },
		{ { "70b3d5", "00db13", "00db12" }, true },
		{ { "70b3d5", "00db13", "00db11" }, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct profile *p = policy_load("device-signature");
		struct policy_csr r;
		struct grant g;
		struct err err = { .msg = "" };

		for (; p->n_ouis < 3 && rows[i].ouis[p->n_ouis] != NULL; p->n_ouis++)
			strcpy(p->ouis[p->n_ouis], rows[i].ouis[p->n_ouis]);
		policy_csr_init(&r, "3000");
		policy_csr_ext(&r, EXT_SAN, POLICY_SAN);
		policy_csr_ext(&r, EXT_KEY_USAGE, POLICY_KU_SIGN);
		CHECK((profile_grant(p, &r.csr, &g, &err) == 0) == rows[i].granted);
		if (!rows[i].granted)
			CHECK_STR(err.msg, "csr: RFC 4108 5: hwSerialNum does not begin with an "
					   "OUI of profile device-signature");
		profile_free(p);
	}
}

static const struct test_case cases[] = {
	{ "device grants", test_device },
	{ "devices by OUI", test_ouis },
	{ "requests against profiles", test_grants },
	{ "organisation grants", test_organisation },
	{ "server grants", test_server },
	{ "server limits", test_server_limits },
	{ "curves", test_curve },
	{ "the profile a request means", test_pick },
	{ "grants for the service itself", test_service },
	{ "host name lengths", test_host_lengths },
};

TEST_MAIN("profile_grant", cases)
