/*
 * Profiles: what ships loads, what contradicts itself or a standard is refused by clause, and the
 * corpus of requests gets what it deserves from what ships.
 */
#include "test.h"

#include "policy.h"

#define GB_POLICY "1.2.826.0.1.8641679.1.2.1.4"

static void
test_shipped(void)
{
	static const struct {
		const char *name;
		enum profile_kind kind;
		unsigned usage;
		bool choice, no_expiry, short_id;
		long validity, path_len;
		size_t n_policies, n_eku, n_arcs, n_roles, n_subject;
	} rows[] = {
		{ "root-ca", PROFILE_ROOT_CA, KEY_USAGE_KEY_CERT_SIGN | KEY_USAGE_CRL_SIGN, false,
		    false, true, 50L * 365 * 86400, -1, 1, 0, 0, 0, 2 },
		{ "issuing-ca", PROFILE_ISSUING_CA, KEY_USAGE_KEY_CERT_SIGN | KEY_USAGE_CRL_SIGN,
		    false, false, true, 40L * 365 * 86400, 0, 1, 0, 0, 0, 2 },
		{ "ocsp", PROFILE_OCSP, KEY_USAGE_DIGITAL_SIGNATURE, false, false, false,
		    14L * 86400, -1, 0, 1, 0, 0, 1 },
		{ "tls-server", PROFILE_SERVER, KEY_USAGE_DIGITAL_SIGNATURE, false, false, false,
		    397L * 86400, -1, 0, 1, 0, 0, 0 },
		{ "organisation", PROFILE_ORGANISATION,
		    KEY_USAGE_DIGITAL_SIGNATURE | KEY_USAGE_KEY_AGREEMENT, true, false, true,
		    3650L * 86400, -1, 1, 0, 0, 10, 0 },
		{ "device-signature", PROFILE_DEVICE, KEY_USAGE_DIGITAL_SIGNATURE, false, true,
		    true, 0, -1, 1, 0, 2, 0, 0 },
		{ "device-agreement", PROFILE_DEVICE, KEY_USAGE_KEY_AGREEMENT, false, true, true, 0,
		    -1, 1, 0, 2, 0, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct profile *p = policy_load(rows[i].name);

		CHECK_STR(p->name, rows[i].name);
		CHECK_ROW(rows[i].name, p->description[0] != '\0');
		CHECK_ROW(rows[i].name, p->kind == rows[i].kind);
		CHECK_ROW(rows[i].name, p->key_usage == rows[i].usage);
		CHECK_ROW(rows[i].name, p->key_usage_choice == rows[i].choice);
		CHECK_ROW(rows[i].name, p->no_expiry == rows[i].no_expiry);
		CHECK_ROW(rows[i].name, p->short_key_id == rows[i].short_id);
		CHECK_ROW(rows[i].name, p->validity == rows[i].validity);
		CHECK_ROW(rows[i].name, p->serial_octets == 8);
		CHECK_ROW(rows[i].name, p->path_len == rows[i].path_len);
		CHECK_ROW(rows[i].name, p->n_policies == rows[i].n_policies);
		CHECK_ROW(rows[i].name, p->policies_critical == (p->n_policies > 0));
		CHECK_ROW(rows[i].name,
		    p->n_policies == 0 || strcmp(p->policies[0].text, GB_POLICY) == 0);
		CHECK_ROW(rows[i].name, p->n_eku == rows[i].n_eku);
		CHECK_ROW(rows[i].name, p->n_hw_arcs == rows[i].n_arcs);
		CHECK_ROW(rows[i].name, p->n_roles == rows[i].n_roles);
		CHECK_ROW(rows[i].name, p->n_subject == rows[i].n_subject);
		CHECK_ROW(rows[i].name, !p->cdp && !p->aia_ocsp && !p->aia_ca);
		CHECK_ROW(rows[i].name, p->ca == (rows[i].usage != 0 && p->kind <= 2));
		CHECK_ROW(rows[i].name, p->curve_p256);
		CHECK_ROW(rows[i].name, p->ocsp_nocheck == (p->kind == PROFILE_OCSP));
		profile_free(p);
	}
	profile_free(NULL);
}

static void
test_kind_str(void)
{
	CHECK_STR(profile_kind_str(PROFILE_ROOT_CA), "root-ca");
	CHECK_STR(profile_kind_str(PROFILE_ISSUING_CA), "issuing-ca");
	CHECK_STR(profile_kind_str(PROFILE_OCSP), "ocsp");
	CHECK_STR(profile_kind_str(PROFILE_SERVER), "server");
	CHECK_STR(profile_kind_str(PROFILE_ORGANISATION), "organisation");
	CHECK_STR(profile_kind_str(PROFILE_DEVICE), "device");
}

/* text with the line of key replaced, removed (no '=' in edit) or added behind its section. */
static char *
edit_text(char *text, const char *edit)
{
	size_t n = strcspn(edit, " =");
	char *line = text, *out;

	while (
	    line != NULL && !(strncmp(line, edit, n) == 0 && (line[n] == ' ' || line[n] == '='))) {
		line = strchr(line, '\n');
		if (line != NULL)
			line++;
	}
	if (line != NULL) {
		char *rest = strchr(line, '\n') + 1;

		out = mem_fmt("%.*s%s\n%s", (int)(line - text), text,
		    strchr(edit, '=') != NULL ? edit : "", rest);
	} else {
		char *at = strstr(text, "[profile]\n") + 10;

		out = mem_fmt("%.*s%s\n%s", (int)(at - text), text, edit, at);
	}
	free(text);
	return out;
}

static const struct bad_row {
	const char *base;
	const char *edits[3];
	const char *want;
} bad_rows[] = {
	{ "device-signature", { "description" }, "[profile] description is missing" },
	{ "device-signature", { "kind" }, "[profile] kind is missing" },
	{ "device-signature", { "kind = meter" }, "kind = meter: not device, organisation" },
	{ "device-signature", { "curve" }, "[profile] curve is missing" },
	{ "device-signature", { "curve = P-521" }, "curve = P-521: RFC 5480 2.1.1" },
	{ "device-signature", { "curve = P-256," }, "an item is empty" },
	{ "device-signature", { "validity" }, "[profile] validity is missing" },
	{ "device-signature", { "validity = never" }, "validity" },
	{ "device-signature", { "validity = 0d" }, "validity" },
	{ "device-signature", { "validity = -1d" }, "validity" },
	{ "device-signature", { "validity = 61y" }, "validity" },
	{ "device-signature", { "serial_octets = 7" }, "serial_octets" },
	{ "device-signature", { "serial_octets = 21" }, "serial_octets" },
	{ "device-signature", { "serial_octets = eight" }, "serial_octets" },
	{ "device-signature", { "key_usage" }, "[profile] key_usage is missing" },
	{ "device-signature", { "key_usage = digitalSignatur" },
	    "key_usage = digitalSignatur: RFC 5280 4.2.1.3: unknown" },
	{ "device-signature", { "key_usage = keyEncipherment" },
	    "RFC 5280 4.2.1.3: unknown or not" },
	{ "device-signature", { "key_usage = digitalSignature, digitalSignature" }, "given twice" },
	{ "device-signature", { "key_usage = digitalSignature |" }, "an item is empty" },
	{ "device-signature", { "key_usage = digitalSignature | keyAgreement, cRLSign" },
	    "RFC 5280 4.2.1.3: unknown" },
	{ "device-signature", { "key_usage = digitalSignature, keyCertSign" },
	    "RFC 5280 4.2.1.9: keyCertSign without basic_constraints = ca" },
	{ "device-signature", { "key_usage = digitalSignature, cRLSign" },
	    "RFC 5280 4.2.1.3: cRLSign is for CAs" },
	{ "device-signature", { "basic_constraints = ca" },
	    "RFC 5280 4.2.1.9: basic_constraints = ca and the kind" },
	{ "device-signature", { "key_usage = keyCertSign, cRLSign", "basic_constraints = ca" },
	    "RFC 5280 4.2.1.9: basic_constraints = ca and the kind" },
	{ "device-signature", { "basic_constraints = CA:TRUE" }, "RFC 5280 4.2.1.9: not \"none\"" },
	{ "device-signature", { "key_identifier = hash" }, "RFC 5280 4.2.1.2: not method-1" },
	{ "device-signature", { "policies = 1.2.x" },
	    "policies = 1.2.x: not an object identifier" },
	{ "device-signature", { "policies = 3.1" }, "not an object identifier" },
	{ "device-signature", { "policies = 1.40" }, "not an object identifier" },
	{ "device-signature", { "policies = 1.2.3, 1.2.3" }, "given twice" },
	{ "device-signature", { "policies = 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7, 1.8, 1.9" },
	    "more than 8 identifiers" },
	{ "device-signature", { "policies" },
	    "RFC 5280 4.2.1.4: policies_critical without policies" },
	{ "device-signature", { "policies_critical = perhaps" }, "policies_critical" },
	{ "device-signature", { "hw_type_arcs" }, "RFC 4108 5: hw_type_arcs is for kind device" },
	{ "device-signature", { "hw_type_arcs = serverAuth" }, "not an object identifier" },
	{ "device-signature", { "role_codes = 02" }, "role_codes is for kind organisation" },
	{ "device-signature", { "extended_key_usage = OCSPSigning" },
	    "RFC 6960 4.2.2.2: OCSPSigning is for kind ocsp" },
	{ "device-signature", { "extended_key_usage = 1.3.6.1.5.5.7.3.9" },
	    "RFC 6960 4.2.2.2: OCSPSigning is for kind ocsp" },
	{ "device-signature", { "extended_key_usage = webAuth" }, "not an object identifier" },
	{ "device-signature", { "extended_key_usage_critical = yes" },
	    "RFC 5280 4.2.1.12: extended_key_usage_critical without" },
	{ "device-signature", { "ocsp_nocheck = yes" },
	    "RFC 6960 4.2.2.2.1: ocsp_nocheck is for kind ocsp" },
	{ "device-signature", { "authority_information = crl" }, "RFC 5280 4.2.2.1" },
	{ "device-signature", { "colour = green" }, "colour" },
	{ "device-signature", { "kind = issuing-ca" }, "basic_constraints = ca and the kind" },
	{ "root-ca", { "OU", "CN" }, "RFC 5280 4.1.2.6: this kind needs a [subject]" },
	{ "root-ca", { "key_usage = keyCertSign" }, "RFC 5759 4.5: a CA needs" },
	{ "root-ca", { "key_usage = cRLSign" }, "RFC 5759 4.5: a CA needs" },
	{ "root-ca", { "key_usage = keyCertSign, cRLSign, keyAgreement" },
	    "RFC 5480 3: a CA key does no keyAgreement" },
	{ "root-ca", { "key_usage = keyCertSign | cRLSign" }, "key_usage with '|' is for" },
	{ "root-ca", { "basic_constraints" },
	    "RFC 5280 4.2.1.9: keyCertSign without basic_constraints = ca" },
	{ "root-ca", { "crl_distribution_point = yes" }, "RFC 5280 6.1: a root is trusted" },
	{ "issuing-ca", { "crl_distribution_point = shard" },
	    "crl_distribution_point = shard is for kinds" },
	{ "tls-server", { "crl_distribution_point = shard" },
	    "crl_distribution_point = shard is for kinds" },
	{ "device-signature", { "crl_distribution_point = shards" }, "crl_distribution_point" },
	{ "root-ca", { "CN = %d" }, "'%' stands only in one" },
	{ "root-ca", { "CN = %s %s" }, "'%' stands only in one" },
	{ "root-ca", { "CN = 1234567890123456789012345678901234567890123456789012345678901234" },
	    "RFC 5280 A.1: longer than 63 octets" },
	{ "root-ca", { "CN = \xc3\x28" }, "RFC 5280 4.1.2.4: not a UTF8String" },
	{ "issuing-ca", { "basic_constraints = ca, pathlen:" }, "RFC 5280 4.2.1.9: not \"none\"" },
	{ "issuing-ca", { "basic_constraints = ca, pathlen:-1" }, "RFC 5280 4.2.1.9" },
	{ "issuing-ca", { "basic_constraints = ca, pathlen:0, x" }, "RFC 5280 4.2.1.9" },
	{ "ocsp", { "extended_key_usage" }, "RFC 6960 4.2.2.2: OCSPSigning is for kind ocsp" },
	{ "ocsp", { "key_usage = keyAgreement" }, "needs digitalSignature" },
	{ "ocsp", { "validity = 93d" }, "RFC 6960 4.2.2.2.1: with ocsp_nocheck validity" },
	{ "ocsp", { "validity = no-expiry" }, "RFC 6960 4.2.2.2.1: with ocsp_nocheck validity" },
	{ "ocsp", { "authority_information = ocsp" }, "RFC 9919 3.2.2" },
	{ "ocsp", { "CN" }, "RFC 5280 4.1.2.6: this kind needs a [subject]" },
	{ "tls-server", { "extended_key_usage = clientAuth" }, "RFC 5280 4.2.1.12: kind server" },
	{ "tls-server", { "kind = organisation", "extended_key_usage" },
	    "role_codes is for kind organisation" },
	{ "device-signature", { "eui64_ouis = 00db1" }, "an OUI is 6, 7 or 9 hexadecimal digits" },
	{ "device-signature", { "eui64_ouis = 00db1234" }, "an OUI is 6, 7 or 9" },
	{ "device-signature", { "eui64_ouis = 00db123456" }, "an OUI is 6, 7 or 9" },
	{ "device-signature", { "eui64_ouis = 00-db-12" }, "an OUI is 6, 7 or 9" },
	{ "device-signature", { "eui64_ouis = 00db1g" }, "an OUI is 6, 7 or 9" },
	{ "device-signature", { "eui64_ouis = 00DB12, 00db12" }, "given twice" },
	{ "device-signature", { "eui64_ouis = 00db12," }, "an item is empty" },
	{ "tls-server", { "eui64_ouis = 00db12" }, "eui64_ouis is for kind device" },
	{ "issuing-ca", { "CN = %s\nserialNumber = \xc3\xbc" },
	    "RFC 5280 A.1: not a PrintableString" },
	{ "issuing-ca", { "CN = %s\nserialNumber = \xc3\xbc%s" },
	    "RFC 5280 A.1: not a PrintableString" },
	{ "issuing-ca", { "CN = %s\nserialNumber = 1@%s" }, "RFC 5280 A.1: not a PrintableString" },
	{ "issuing-ca", { "CN = %s\nC = %s" }, "RFC 5280 A.1: a country is two letters" },
	{ "issuing-ca", { "CN = %s\nC = G" }, "RFC 5280 A.1: a country is two letters" },
	{ "organisation", { "role_codes = 2" }, "role_codes = 2: not two hexadecimal digits" },
	{ "organisation", { "role_codes = 0g" }, "not two hexadecimal digits" },
	{ "organisation", { "role_codes = 7F, 7f" }, "given twice" },
	{ "organisation", { "role_codes = 02,, 03" }, "an item is empty" },
};

static void
test_bad(void)
{
	for (size_t i = 0; i < ARRAY_LEN(bad_rows); i++) {
		const struct bad_row *row = &bad_rows[i];
		struct profile *p = (struct profile *)&bad_rows, *untouched = p;
		struct err err = { 0 };
		char path[128], *text;
		size_t len;

		snprintf(path, sizeof(path), "policies/%s.cnf", row->base);
		text = policy_file(path, &len);
		for (size_t k = 0; k < ARRAY_LEN(row->edits) && row->edits[k] != NULL; k++)
			text = edit_text(text, row->edits[k]);
		CHECK_ROW(row->want, profile_parse("x", text, strlen(text), &p, &err) == -1);
		CHECK_ROW(row->want, p == untouched);
		CHECK_ROW(row->want, err.code == FAIL_INVALID);
		CHECK_ROW(row->want, strncmp(err.msg, "profile x", 9) == 0);
		CHECK_ROW(row->want, strchr(err.msg, '\n') == NULL);
		if (strstr(err.msg, row->want) == NULL)
			fprintf(stderr, "  %s + %s: \"%s\"\n", row->base, row->edits[0], err.msg);
		CHECK_ROW(row->want, strstr(err.msg, row->want) != NULL);
		free(text);
	}
}

/* Edits that stay within the rules. */
static void
test_variants(void)
{
	static const struct {
		const char *base;
		const char *edit;
	} rows[] = {
		{ "device-signature", "serial_octets = 20" },
		{ "device-signature", "validity = 60y" },
		{ "device-signature", "validity = 1m" },
		{ "device-signature", "curve = P-256, P-384" },
		{ "device-signature", "key_usage = digitalSignature, keyAgreement" },
		{ "device-agreement", "key_usage = digitalSignature | keyAgreement" },
		{ "device-signature", "extended_key_usage = clientAuth, 1.3.6.1.4.1.45605.1" },
		{ "device-signature", "crl_distribution_point = yes" },
		{ "device-signature", "crl_distribution_point = shard" },
		{ "organisation", "crl_distribution_point = shard" },
		{ "device-signature", "authority_information = ocsp, ca-issuers" },
		{ "device-signature", "basic_constraints = none" },
		{ "root-ca", "validity = no-expiry" },
		{ "root-ca", "CN = %s of M\xc3\xbcller" },
		{ "issuing-ca", "basic_constraints = ca, pathlen:9" },
		{ "issuing-ca", "crl_distribution_point = yes" },
		{ "issuing-ca", "C = GB" },
		{ "issuing-ca", "CN = %s\nserialNumber = 7/%s" },
		{ "device-signature", "eui64_ouis = 00DB12, 0123456, 012345678" },
		{ "ocsp", "ocsp_nocheck = no" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct profile *p = NULL;
		struct err err = { 0 };
		char path[128], *text;
		size_t len;

		snprintf(path, sizeof(path), "policies/%s.cnf", rows[i].base);
		text = policy_file(path, &len);
		/* [subject] is last, so its keys go to the end. */
		if (strncmp(rows[i].edit, "C =", 3) == 0) {
			char *more = mem_fmt("%s%s\n", text, rows[i].edit);

			free(text);
			text = more;
		} else
			text = edit_text(text, rows[i].edit);
		if (profile_parse("x", text, strlen(text), &p, &err) != 0)
			fprintf(stderr, "  %s: %s\n", rows[i].edit, err.msg);
		CHECK_ROW(rows[i].edit, p != NULL);
		profile_free(p);
		free(text);
	}
}

static void
test_name(void)
{
	struct profile *p = NULL;
	struct err err;

	CHECK(profile_parse("../x", "", 0, &p, &err) == -1);
	CHECK(profile_parse("", "", 0, &p, &err) == -1);
	CHECK(profile_parse("x", "", 0, &p, &err) == -1);
	CHECK(p == NULL);
}

static int
corpus_read(const char *text, size_t len)
{
	struct profile *p = NULL;
	int r = profile_parse("corpus", text, len, &p, NULL);

	profile_free(p);
	return r;
}

static void
test_corpus_files(void)
{
	CHECK(policy_corpus("tests/corpus/profile", corpus_read) >= 17);
}

/* KeyUsage contents: DER of a named bit list, or nothing. */
static void
test_key_usage(void)
{
	static const struct {
		const char *hex;
		int r;
		unsigned bits;
	} rows[] = {
		{ "03020780", 0, KEY_USAGE_DIGITAL_SIGNATURE },
		{ "03020308", 0, KEY_USAGE_KEY_AGREEMENT },
		{ "03020388", 0, KEY_USAGE_DIGITAL_SIGNATURE | KEY_USAGE_KEY_AGREEMENT },
		{ "03020106", 0, KEY_USAGE_KEY_CERT_SIGN | KEY_USAGE_CRL_SIGN },
		{ "03020186", 0,
		    KEY_USAGE_DIGITAL_SIGNATURE | KEY_USAGE_KEY_CERT_SIGN | KEY_USAGE_CRL_SIGN },
		{ "03020001", 0, 1u << 7 },
		{ "0303070080", 0, 1u << 8 },
		{ "0303078880", 0,
		    1u << 8 | KEY_USAGE_DIGITAL_SIGNATURE | KEY_USAGE_KEY_AGREEMENT },
		{ "0302070080", -1, 0 }, /* bytes behind */
		{ "03020080", -1, 0 },	 /* trailing zero bits */
		{ "03020680", -1, 0 },
		{ "03020388FF", -1, 0 },
		{ "0302078C", -1, 0 }, /* bits among the unused */
		{ "0303008000", -1, 0 },
		{ "0303078000", -1, 0 }, /* trailing zero octet */
		{ "0303060040", -1, 0 }, /* a tenth bit */
		{ "030407800080", -1, 0 },
		{ "03020700", -1, 0 }, /* no bit */
		{ "030100", -1, 0 },
		{ "0300", -1, 0 },
		{ "03020880", -1, 0 },
		{ "04020780", -1, 0 },
		{ "", -1, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint8_t der[16];
		struct span value = { der, policy_hex(rows[i].hex, der, sizeof(der)) };
		unsigned bits = 0;
		struct buf b = { 0 };

		CHECK_ROW(rows[i].hex, ext_key_usage_get(value, &bits) == rows[i].r);
		CHECK_ROW(rows[i].hex, bits == rows[i].bits);
		if (rows[i].r == 0 && bits < 0x100) {
			ext_key_usage_put(&b, bits);
			CHECK_MEM(b.data, b.len, der, value.len);
		}
		buf_free(&b);
	}
}

/* One request of the corpus, as it arrives, to what the profile says. */
static int
corpus_grant(const char *dir, const char *file, const char *profile, struct err *err)
{
	char path[512];
	struct buf der = { 0 };
	struct profile *p = NULL;
	struct csr csr;
	struct grant g;
	uint8_t *in;
	size_t len = 0;
	int r = -1;

	snprintf(path, sizeof(path), "tests/corpus/csr/%s/%s", dir, file);
	in = (uint8_t *)policy_file(path, &len);
	if (in == NULL || csr_decode(in, len, &der, err) != 0 ||
	    csr_parse(der.data, der.len, &csr, err) != 0 || csr_check_pop(&csr, err) != 0)
		goto out;
	if (profile == NULL && profile_pick(&csr, &profile, err) != 0)
		goto out;
	p = policy_load(profile);
	r = profile_grant(p, &csr, &g, err);
out:
	profile_free(p);
	buf_free(&der);
	free(in);
	return r;
}

static void
test_corpus_bad(void)
{
	size_t len, rows = 0;
	char *text = policy_file("tests/corpus/csr/bad/EXPECT", &len), *save = NULL;

	CHECK(text != NULL);
	for (char *line = text != NULL ? strtok_r(text, "\n", &save) : NULL; line != NULL;
	     line = strtok_r(NULL, "\n", &save)) {
		char *file = line, *stage = strchr(line, '\t'), *want;
		struct err err = { .msg = "" };

		if (line[0] == '#' || stage == NULL)
			continue;
		*stage++ = '\0';
		want = strchr(stage, '\t');
		if (want == NULL)
			continue;
		*want++ = '\0';
		if (strcmp(stage, "profile") != 0)
			continue;
		rows++;
		CHECK_ROW(file, corpus_grant("bad", file, "device-signature", &err) == -1);
		CHECK_ROW(file, err.code == FAIL_INVALID);
		if (strstr(err.msg, want) == NULL)
			fprintf(stderr, "  \"%s\", want \"%s\"\n", err.msg, want);
		CHECK_ROW(file, strstr(err.msg, want) != NULL);
	}
	CHECK(rows > 0);
	free(text);
}

/* Well-formed requests; profile NULL = the one the request means. */
static void
test_corpus_good(void)
{
	static const struct {
		const char *file, *profile, *want;
	} rows[] = {
		{ "device-signature.der", NULL, NULL },
		{ "device-signature-gb.der", NULL, NULL },
		{ "device-signature-not-critical.der", NULL, NULL },
		{ "device-signature-ext-order.der", NULL, NULL },
		{ "device-signature-challenge-password.der", NULL, NULL },
		{ "device-signature-low-s.der", NULL, NULL },
		{ "device-signature-high-s.der", NULL, NULL },
		{ "device-signature-4096-octets.der", NULL, NULL },
		{ "device-agreement.der", NULL, NULL },
		{ "device-agreement-gb.der", NULL, NULL },
		{ "openssl-device.der", NULL, NULL },
		{ "openssl-device-text.pem", NULL, NULL },
		{ "pem.pem", NULL, NULL },
		{ "pem-new.pem", NULL, NULL },
		{ "pem-crlf.pem", NULL, NULL },
		{ "pem-cr.pem", NULL, NULL },
		{ "pem-one-line.pem", NULL, NULL },
		{ "pem-no-final-newline.pem", NULL, NULL },
		{ "pem-text-around.pem", NULL, NULL },
		{ "pem-byte-order-mark.pem", NULL, NULL },
		{ "base64.txt", NULL, NULL },
		{ "base64-lines.txt", NULL, NULL },
		{ "organisation.der", "organisation", NULL },
		{ "organisation-cn.der", "organisation", NULL },
		{ "server.der", "tls-server", NULL },
		{ "server-p384.der", "tls-server", NULL },
		{ "openssl-server-p384.pem", "tls-server", NULL },
		/* Right for the reader, not for the profile. */
		{ "organisation-one-rdn.der", "organisation", "subject is not [CN] OU" },
		{ "no-attributes.der", NULL, "keyUsage is missing; name a profile" },
		{ "no-attributes.der", "device-signature", "RFC 2985 5.4.2" },
		{ "device-signature.der", "device-agreement", "keyUsage is digitalSignature" },
		{ "device-agreement.der", "device-signature", "keyUsage is keyAgreement" },
		{ "device-signature.der", "organisation", "subject is not [CN] OU" },
		{ "device-signature.der", "tls-server", "name 1 of subjectAltName" },
		{ "organisation.der", NULL, "RFC 5280 4.1.2.6" },
		{ "server.der", NULL, "RFC 5280 4.1.2.6" },
		{ "server-p384.der", "device-signature", "curve P-384" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err err = { .msg = "" };
		int r = corpus_grant("good", rows[i].file, rows[i].profile, &err);

		if (rows[i].want == NULL) {
			if (r != 0)
				fprintf(stderr, "  \"%s\"\n", err.msg);
			CHECK_ROW(rows[i].file, r == 0);
		} else {
			CHECK_ROW(rows[i].file, r == -1);
			CHECK_ROW(rows[i].file, strstr(err.msg, rows[i].want) != NULL);
		}
	}
}

static const struct test_case cases[] = {
	{ "the shipped policies load", test_shipped },
	{ "kinds have names", test_kind_str },
	{ "bad profiles are refused by clause", test_bad },
	{ "other profiles within the rules load", test_variants },
	{ "profile names are checked", test_name },
	{ "corpus: profiles", test_corpus_files },
	{ "keyUsage is DER or nothing", test_key_usage },
	{ "corpus: bad requests", test_corpus_bad },
	{ "corpus: good requests", test_corpus_good },
};

TEST_MAIN("profile", cases)
