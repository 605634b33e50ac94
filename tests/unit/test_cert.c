/*
 * Writing certificates: the octets the standards give, and the same certificate as libcrypto
 * builds it.
 */
#include "test.h"

#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

/* Four macros of x509v3.h have names that profile.h gives to other numbers. */
#undef KEY_USAGE_DIGITAL_SIGNATURE
#undef KEY_USAGE_KEY_AGREEMENT
#undef KEY_USAGE_KEY_CERT_SIGN
#undef KEY_USAGE_CRL_SIGN

#include "issuer.h"
#include "softsign.h"

/* SHA-1 of the base point's octets ends in f08a9c9e5efda0e1. */
#define EXT_IDS                                                                                    \
	"3013 0603 551D23 040C 300A 8008 4011223344556677"                                         \
	"3011 0603 551D0E 040A 0408 408A9C9E5EFDA0E1"
#define EXT_POLICY "301D 0603 551D20 0101FF 0413 3011 300F 060D 2A863A0001848FB90F01020104"
#define EXT_USAGE "300E 0603 551D0F 0101FF 0404"

/* Everything of the TBSCertificate before the subject; 7F.. serial, ecdsa-with-SHA256, Z1. */
#define TBS_HEAD "A003 020102 0208 7F23456789ABCDEF 300A 0608 2A8648CE3D040302" ISSUER
#define TBS_NO_EXPIRY "3020 170D 3236303130313030303030305A 180F 39393939313233313233353935395A"
#define TBS_TEN_YEARS "301E 170D 3236303130313030303030305A 170D 3335313232393233353935395A"
#define TBS_KEY "3059 3013 0607 2A8648CE3D0201 0608 2A8648CE3D030107 0342 00" POLICY_POINT

/* Hand-written: RFC 5280 4.1, RFC 4108 5, GBCS 12. */
static void
test_octets(void)
{
	static const struct {
		const char *name, *profile, *subject, *usage, *san, *want;
	} rows[] = {
		{ "device-signature", "device-signature", "3000", POLICY_KU_SIGN, POLICY_SAN,
		    "30820146" TBS_HEAD TBS_NO_EXPIRY "3000" TBS_KEY
		    "A3818D 30818A" EXT_IDS EXT_USAGE "03020780" EXT_POLICY
		    "3031 0603 551D11 0101FF 0427 3025 A023 0608 2B06010505070804 A017 3015 0609 "
		    "2B0601040181FD5901 0408 00DB123456780001" },
		{ "device-agreement", "device-agreement", "3000", POLICY_KU_AGREE, POLICY_SAN,
		    "30820146" TBS_HEAD TBS_NO_EXPIRY "3000" TBS_KEY
		    "A3818D 30818A" EXT_IDS EXT_USAGE "03020308" EXT_POLICY
		    "3031 0603 551D11 0101FF 0427 3025 A023 0608 2B06010505070804 A017 3015 0609 "
		    "2B0601040181FD5901 0408 00DB123456780001" },
		{ "organisation, signature", "organisation", POLICY_ORG, POLICY_KU_SIGN, NULL,
		    "30820130" TBS_HEAD TBS_TEN_YEARS POLICY_ORG TBS_KEY
		    "A359 3057" EXT_IDS EXT_USAGE "03020780" EXT_POLICY },
		{ "organisation, agreement", "organisation", POLICY_ORG, POLICY_KU_AGREE, NULL,
		    "30820130" TBS_HEAD TBS_TEN_YEARS POLICY_ORG TBS_KEY
		    "A359 3057" EXT_IDS EXT_USAGE "03020308" EXT_POLICY },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct profile *p = policy_load(rows[i].profile);
		struct grant g = test_grant(p, rows[i].subject, rows[i].usage, rows[i].san);
		struct issuer issuer = test_issuer();
		struct serial serial = test_serial();
		struct buf tbs = { 0 };
		struct err err;
		uint8_t want[1024];
		size_t len = policy_hex(rows[i].want, want, sizeof(want));
		time_t from, to;

		CHECK(cert_validity(p, &issuer, T_2026, &from, &to, &err) == 0);
		CHECK(cert_build_tbs(p, &issuer, &g, &serial, from, to, &tbs, &err) == 0);
		CHECK_MEM(tbs.data, tbs.len, want, len);
		buf_free(&tbs);
		profile_free(p);
	}
}

/*
 * The same certificate by libcrypto's X509: subject as type=value pairs, extensions as lines of
 * its own configuration. ext[0] is the SKI, computed apart.
 */
struct model {
	const char *name;
	const char *profile;
	const char *edit; /* more lines for the policy */
	enum ec_curve curve, issuer_curve;
	bool self;
	const char *label;
	const char *csr_subject, *csr_usage, *csr_san;
	const char *subject[3][2]; /* short name, value */
	bool unique_id;
	const char *ext[8];
};

#define POLICY_LINE "certificatePolicies=critical,1.2.826.0.1.8641679.1.2.1.4"
#define POINTERS "crl_distribution_point = yes\nauthority_information = ocsp, ca-issuers\n"
#define HMN_LINE "subjectAltName=critical,otherName:1.3.6.1.5.5.7.8.4;SEQ:hmn"
#define CDP_LINE "crlDistributionPoints=URI:http://x.example/crl/issuing.crl"
#define AIA_LINE                                                                                   \
	"authorityInfoAccess=OCSP;URI:http://x.example/ocsp,"                                      \
	"caIssuers;URI:http://x.example/ca/issuing.cer"

static const struct model models[] = {
	{ "root-ca", "root-ca", NULL, EC_P256, EC_P256, true, "root", NULL, NULL, NULL,
	    { { "OU", "00" }, { "CN", "root" } }, false,
	    { "keyUsage=critical,keyCertSign,cRLSign", POLICY_LINE,
		"basicConstraints=critical,CA:TRUE" } },
	{ "issuing-ca", "issuing-ca", NULL, EC_P256, EC_P256, false, "issuing", NULL, NULL, NULL,
	    { { "OU", "07" }, { "CN", "issuing" } }, false,
	    { "keyUsage=critical,keyCertSign,cRLSign", POLICY_LINE,
		"basicConstraints=critical,CA:TRUE,pathlen:0" } },
	{ "issuing-ca with pointers", "issuing-ca", POINTERS, EC_P256, EC_P384, false, "issuing",
	    NULL, NULL, NULL, { { "OU", "07" }, { "CN", "issuing" } }, false,
	    { "keyUsage=critical,keyCertSign,cRLSign", POLICY_LINE,
		"basicConstraints=critical,CA:TRUE,pathlen:0", CDP_LINE, AIA_LINE } },
	{ "ocsp", "ocsp", NULL, EC_P256, EC_P256, false, "issuing", NULL, NULL, NULL,
	    { { "CN", "issuing OCSP" } }, false,
	    { "keyUsage=critical,digitalSignature", "extendedKeyUsage=OCSPSigning",
		"noCheck=yes" } },
	{ "tls-server", "tls-server", NULL, EC_P256, EC_P256, false, NULL, NULL, NULL, NULL,
	    { { NULL, NULL } }, false,
	    { "keyUsage=critical,digitalSignature",
		"subjectAltName=critical,DNS:meter.example,IP:127.0.0.1,IP:::1",
		"extendedKeyUsage=serverAuth" } },
	{ "tls-server by request, P-384", "tls-server", POINTERS, EC_P384, EC_P384, false, NULL,
	    "300F310D300B0603550403 1304 612E6262", POLICY_KU_SIGN, "3006 8204 612E6262",
	    { { "CN", "a.bb" } }, false,
	    { "keyUsage=critical,digitalSignature", "subjectAltName=DNS:a.bb",
		"extendedKeyUsage=serverAuth", CDP_LINE, AIA_LINE } },
	{ "organisation", "organisation", NULL, EC_P256, EC_P256, false, NULL, POLICY_ORG,
	    POLICY_KU_AGREE, NULL, { { "OU", "02" } }, true,
	    { "keyUsage=critical,keyAgreement", POLICY_LINE } },
	{ "device-signature", "device-signature", NULL, EC_P256, EC_P256, false, NULL, "3000",
	    POLICY_KU_SIGN, POLICY_SAN, { { NULL, NULL } }, false,
	    { "keyUsage=critical,digitalSignature", POLICY_LINE, HMN_LINE } },
	{ "device-agreement", "device-agreement", NULL, EC_P256, EC_P256, false, NULL, "3000",
	    POLICY_KU_AGREE, POLICY_SAN, { { NULL, NULL } }, false,
	    { "keyUsage=critical,keyAgreement", POLICY_LINE, HMN_LINE } },
	{ "device with everything", "device-signature",
	    POINTERS "extended_key_usage = clientAuth, 1.3.6.1.4.1.45605.1\n"
		     "extended_key_usage_critical = yes\n",
	    EC_P256, EC_P256, false, NULL, "3000", POLICY_KU_SIGN, POLICY_SAN, { { NULL, NULL } },
	    false,
	    { "keyUsage=critical,digitalSignature", POLICY_LINE, HMN_LINE,
		"extendedKeyUsage=critical,clientAuth,1.3.6.1.4.1.45605.1", CDP_LINE, AIA_LINE } },
};

static void
model_ext(X509 *x, CONF *conf, const char *line)
{
	char *name = mem_str(line), *value = strchr(name, '=');
	X509_EXTENSION *ext;
	X509V3_CTX ctx;

	*value++ = '\0';
	X509V3_set_ctx(&ctx, NULL, x, NULL, NULL, 0);
	X509V3_set_nconf(&ctx, conf);
	ext = X509V3_EXT_nconf(conf, &ctx, name, value);
	CHECK_ROW(line, ext != NULL);
	CHECK_ROW(line, X509_add_ext(x, ext, -1) == 1);
	X509_EXTENSION_free(ext);
	free(name);
}

/* Signed by libcrypto with the issuer's key; its tbs appended to out. */
static void
model_build(const struct model *m, const struct issuer *issuer, const struct softsign *key,
    const struct softsign *ca, struct span ski, const struct serial *serial, time_t from, time_t to,
    struct buf *out)
{
	static const char section[] = "[hmn]\nhwType = OID:1.3.6.1.4.1.32473.1\n"
				      "hwSerialNum = FORMAT:HEX,OCT:00DB123456780001\n";
	static const uint8_t eui[] = { 0x00, 0xdb, 0x12, 0x34, 0x56, 0x78, 0x00, 0x01 };
	X509 *x = X509_new();
	X509_NAME *subject = X509_NAME_new(), *ca_name = NULL;
	BIO *text = BIO_new_mem_buf(section, -1);
	CONF *conf = NCONF_new(NULL);
	BIGNUM *n = BN_bin2bn(serial->octets, serial->len, NULL);
	AUTHORITY_KEYID *aki = AUTHORITY_KEYID_new();
	ASN1_OCTET_STRING *id = ASN1_OCTET_STRING_new();
	struct span ca_id;
	const uint8_t *p;
	uint8_t *der = NULL;
	int len;

	CHECK(NCONF_load_bio(conf, text, NULL) == 1);
	for (size_t i = 0; i < ARRAY_LEN(m->subject) && m->subject[i][0] != NULL; i++)
		CHECK(X509_NAME_add_entry_by_txt(subject, m->subject[i][0], V_ASN1_PRINTABLESTRING,
			  (const uint8_t *)m->subject[i][1], -1, -1, 0) == 1);
	if (m->unique_id)
		CHECK(X509_NAME_add_entry_by_txt(subject, "x500UniqueIdentifier", V_ASN1_BIT_STRING,
			  eui, sizeof(eui), -1, 0) == 1);
	if (issuer != NULL) {
		p = issuer->subject.p;
		ca_name = d2i_X509_NAME(NULL, &p, (long)issuer->subject.len);
	}
	CHECK(X509_set_version(x, X509_VERSION_3) == 1);
	CHECK(BN_to_ASN1_INTEGER(n, X509_get_serialNumber(x)) != NULL);
	CHECK(X509_set_issuer_name(x, m->self ? subject : ca_name) == 1);
	CHECK(X509_set_subject_name(x, subject) == 1);
	CHECK(ASN1_TIME_set(X509_getm_notBefore(x), from) != NULL);
	CHECK(ASN1_TIME_set(X509_getm_notAfter(x), to) != NULL);
	CHECK(X509_set_pubkey(x, key->key) == 1);

	aki->keyid = ASN1_OCTET_STRING_new();
	ca_id = m->self ? ski : issuer->ski;
	CHECK(ASN1_OCTET_STRING_set(aki->keyid, ca_id.p, (int)ca_id.len) == 1);
	CHECK(X509_add1_ext_i2d(x, NID_authority_key_identifier, aki, 0, 0) == 1);
	CHECK(ASN1_OCTET_STRING_set(id, ski.p, (int)ski.len) == 1);
	CHECK(X509_add1_ext_i2d(x, NID_subject_key_identifier, id, 0, 0) == 1);
	for (size_t i = 0; i < ARRAY_LEN(m->ext) && m->ext[i] != NULL; i++)
		model_ext(x, conf, m->ext[i]);
	CHECK(X509_sign(x, ca->key, m->issuer_curve == EC_P256 ? EVP_sha256() : EVP_sha384()) > 0);
	len = i2d_re_X509_tbs(x, &der);
	CHECK(len > 0);
	buf_add(out, der, (size_t)len);

	OPENSSL_free(der);
	ASN1_OCTET_STRING_free(id);
	AUTHORITY_KEYID_free(aki);
	BN_free(n);
	NCONF_free(conf);
	BIO_free(text);
	X509_NAME_free(ca_name);
	X509_NAME_free(subject);
	X509_free(x);
}

static struct profile *
model_profile(const struct model *m)
{
	char path[128], *text, *more;
	struct profile *p = NULL;
	struct err err;
	size_t len;

	if (m->edit == NULL)
		return policy_load(m->profile);
	snprintf(path, sizeof(path), "policies/%s.cnf", m->profile);
	text = policy_file(path, &len);
	more = strstr(text, "[profile]\n") + 10;
	more = mem_fmt("%.*s%s%s", (int)(more - text), text, m->edit, more);
	if (profile_parse(m->profile, more, strlen(more), &p, &err) != 0) {
		fprintf(stderr, "  %s\n", err.msg);
		exit(1);
	}
	free(more);
	free(text);
	return p;
}

static void
model_grant(
    const struct model *m, const struct profile *p, const struct ec_pub *pub, struct grant *g)
{
	static const char *const hosts[] = { "meter.example", "127.0.0.1", "::1" };
	struct policy_csr r;
	struct err err = { .msg = "" };
	int got;

	if (m->csr_subject == NULL) {
		got = profile_grant_service(p, m->label, hosts,
		    p->kind == PROFILE_SERVER ? ARRAY_LEN(hosts) : 0, pub, g, &err);
	} else {
		policy_csr_init(&r, m->csr_subject);
		r.csr.pub = *pub;
		policy_csr_ext(&r, EXT_KEY_USAGE, m->csr_usage);
		if (m->csr_san != NULL)
			policy_csr_ext(&r, EXT_SAN, m->csr_san);
		got = profile_grant(p, &r.csr, g, &err);
	}
	if (got != 0) {
		fprintf(stderr, "  %s: %s\n", m->name, err.msg);
		exit(1);
	}
}

static void
test_models(void)
{
	static const struct {
		time_t now;
	} dates[] = { { T_2026 }, { T_2050 - 1 }, { T_2050 } };

	for (size_t i = 0; i < 3 * ARRAY_LEN(models); i++) {
		const struct model *m = &models[i / 3];
		struct profile *p = model_profile(m);
		struct softsign *key = softsign_new(m->curve), *ca = softsign_new(m->issuer_curve);
		struct issuer issuer = test_issuer();
		struct serial serial = test_serial();
		struct buf got = { 0 }, want = { 0 };
		struct grant g;
		struct err err = { .msg = "" };
		uint8_t sha1[20];
		struct span ski = { sha1, 20 };
		time_t from, to;

		issuer.curve = m->issuer_curve;
		issuer.not_after = T_2050 + 86400;
		strcpy(issuer.crl_uri, "http://x.example/crl/issuing.crl");
		strcpy(issuer.ocsp_uri, "http://x.example/ocsp");
		strcpy(issuer.ca_uri, "http://x.example/ca/issuing.cer");
		model_grant(m, p, &key->signer.pub, &g);
		CHECK(EVP_Digest(g.pub.point, g.pub.len, sha1, NULL, EVP_sha1(), NULL) == 1);
		if (p->short_key_id) {
			sha1[12] = (uint8_t)(0x40 | (sha1[12] & 0x0f));
			ski = (struct span){ sha1 + 12, 8 };
		}
		CHECK(cert_validity(
			  p, m->self ? NULL : &issuer, dates[i % 3].now, &from, &to, &err) == 0);
		if (cert_build_tbs(
			p, m->self ? NULL : &issuer, &g, &serial, from, to, &got, &err) != 0)
			fprintf(stderr, "  %s: %s\n", m->name, err.msg);
		model_build(m, m->self ? NULL : &issuer, key, m->self ? key : ca, ski, &serial,
		    from, to, &want);
		CHECK_ROW(m->name, got.len == want.len);
		CHECK_MEM(got.data, got.len, want.data, want.len);
		buf_free(&got);
		buf_free(&want);
		softsign_free(key);
		softsign_free(ca);
		profile_free(p);
	}
}

/* One certificate, signed, to DER. parent NULL = self-signed. */
static void
chain_make(const char *profile, const struct cert *parent, const struct softsign *key,
    const struct softsign *ca, struct buf *der)
{
	struct model m = { .name = profile, .profile = profile, .label = "x" };
	struct profile *p = policy_load(profile);
	struct issuer issuer;
	struct serial serial = test_serial();
	struct buf tbs = { 0 };
	struct grant g;
	struct err err = { .msg = "" };
	time_t from, to;

	if (p->kind == PROFILE_DEVICE) {
		m.csr_subject = "3000";
		m.csr_usage = POLICY_KU_SIGN;
		m.csr_san = POLICY_SAN;
	}
	if (parent != NULL)
		cert_issuer(parent, &issuer);
	model_grant(&m, p, &key->signer.pub, &g);
	if (cert_validity(p, parent != NULL ? &issuer : NULL, T_2026, &from, &to, &err) != 0 ||
	    cert_build_tbs(p, parent != NULL ? &issuer : NULL, &g, &serial, from, to, &tbs, &err) !=
		0 ||
	    sign_wrap(softsign_signer(ca), tbs.data, tbs.len, der, &err) != 0)
		fprintf(stderr, "  %s: %s\n", profile, err.msg);
	buf_free(&tbs);
	profile_free(p);
}

/* root, issuing, and each end entity: strict path validation by libcrypto, and our own check. */
static void
test_chain(void)
{
	static const char *const leaves[] = { "device-signature", "tls-server", "ocsp" };
	struct softsign *keys[3] = { softsign_new(EC_P256), softsign_new(EC_P256),
		softsign_new(EC_P256) };
	struct buf root = { 0 }, issuing = { 0 };
	struct cert root_cert, issuing_cert, leaf_cert;
	struct err err;
	X509 *root_x, *issuing_x;
	STACK_OF(X509) *between = sk_X509_new_null();
	X509_STORE *store = X509_STORE_new();
	const uint8_t *p;

	chain_make("root-ca", NULL, keys[0], keys[0], &root);
	CHECK(cert_parse(root.data, root.len, &root_cert, &err) == 0);
	CHECK(cert_check_issued(&root_cert, &root_cert, &err) == 0);
	chain_make("issuing-ca", &root_cert, keys[1], keys[0], &issuing);
	CHECK(cert_parse(issuing.data, issuing.len, &issuing_cert, &err) == 0);
	CHECK(cert_check_issued(&issuing_cert, &root_cert, &err) == 0);
	p = root.data;
	root_x = d2i_X509(NULL, &p, (long)root.len);
	p = issuing.data;
	issuing_x = d2i_X509(NULL, &p, (long)issuing.len);
	CHECK(X509_STORE_add_cert(store, root_x) == 1);
	sk_X509_push(between, issuing_x);

	for (size_t i = 0; i < ARRAY_LEN(leaves); i++) {
		struct buf leaf = { 0 };
		X509_STORE_CTX *ctx = X509_STORE_CTX_new();
		X509_VERIFY_PARAM *param;
		X509 *x;
		int ok;

		chain_make(leaves[i], &issuing_cert, keys[2], keys[1], &leaf);
		CHECK(cert_parse(leaf.data, leaf.len, &leaf_cert, &err) == 0);
		CHECK(cert_check_issued(&leaf_cert, &issuing_cert, &err) == 0);
		CHECK(cert_check_issued(&leaf_cert, &root_cert, &err) == -1);
		p = leaf.data;
		x = d2i_X509(NULL, &p, (long)leaf.len);
		CHECK(X509_STORE_CTX_init(ctx, store, x, between) == 1);
		param = X509_STORE_CTX_get0_param(ctx);
		X509_VERIFY_PARAM_set_time(param, T_2026 + 60);
		X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_X509_STRICT);
		/* A device may insist on its environment's policy all along the path. */
		if (i == 0) {
			X509_VERIFY_PARAM_add0_policy(
			    param, OBJ_txt2obj("1.2.826.0.1.8641679.1.2.1.4", 1));
			X509_VERIFY_PARAM_set_flags(
			    param, X509_V_FLAG_POLICY_CHECK | X509_V_FLAG_EXPLICIT_POLICY);
		}
		ok = X509_verify_cert(ctx);
		if (ok != 1)
			fprintf(stderr, "  %s: %s\n", leaves[i],
			    X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx)));
		CHECK_ROW(leaves[i], ok == 1);
		X509_free(x);
		X509_STORE_CTX_free(ctx);
		buf_free(&leaf);
	}
	sk_X509_free(between);
	X509_free(issuing_x);
	X509_free(root_x);
	X509_STORE_free(store);
	buf_free(&root);
	buf_free(&issuing);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		softsign_free(keys[i]);
}

static void
test_needs(void)
{
	static const struct {
		const char *name, *edit;
		const char *ski, *want;
	} rows[] = {
		{ "long SKI", "", "E467A3999EB5EFA671DE0032F08A9C9E5EFDA0E1",
		    "profile device-signature: GBCS 12: the CA's key identifier" },
		{ "8 octets, not 0100", "", "5011223344556677", "GBCS 12" },
		{ "7 octets", "", "40112233445566", "GBCS 12" },
		{ "no SKI", "", "", "GBCS 12" },
		{ "CDP", "crl_distribution_point = yes\n", ISSUER_SKI,
		    "profile device-signature: crl_distribution_point needs a URL: run smki init "
		    "with --url" },
		{ "OCSP", "authority_information = ocsp\n", ISSUER_SKI,
		    "authority_information needs a URL: run smki init with --url" },
		{ "CA", "authority_information = ca-issuers\n", ISSUER_SKI,
		    "authority_information needs a URL: run smki init with --url" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct model m = { .profile = "device-signature", .edit = rows[i].edit };
		struct profile *p = model_profile(&m);
		struct grant g = test_grant(p, "3000", POLICY_KU_SIGN, POLICY_SAN);
		struct issuer issuer = test_issuer();
		struct serial serial = test_serial();
		struct buf tbs = { 0 };
		struct err err = { .msg = "" };
		uint8_t ski[20];

		issuer.ski = hex_span(rows[i].ski, ski, sizeof(ski));
		CHECK_ROW(rows[i].name,
		    cert_build_tbs(p, &issuer, &g, &serial, T_2026, T_2050, &tbs, &err) == -1);
		CHECK_ROW(rows[i].name, err.code == FAIL_INVALID);
		CHECK_ROW(rows[i].name, strstr(err.msg, rows[i].want) != NULL);
		CHECK_ROW(rows[i].name, tbs.len == 0);
		buf_free(&tbs);
		profile_free(p);
	}
}

/* What a certificate may hold at most is more than one certificate may be large. */
static void
test_size(void)
{
	struct profile *p = policy_load("tls-server");
	struct grant g = test_grant(p, "3000", POLICY_KU_SIGN, "3004 8202 6162");
	struct issuer issuer = test_issuer();
	struct serial serial = test_serial();
	struct buf tbs = { 0 };
	struct err err = { .msg = "" };

	buf_add_str(&tbs, "before");
	memset(issuer.crl_uri, 'u', sizeof(issuer.crl_uri) - 1);
	memset(issuer.ocsp_uri, 'u', sizeof(issuer.ocsp_uri) - 1);
	memset(issuer.ca_uri, 'u', sizeof(issuer.ca_uri) - 1);
	p->cdp = p->aia_ocsp = p->aia_ca = true;
	CHECK(cert_build_tbs(p, &issuer, &g, &serial, T_2026, T_2050, &tbs, &err) == 0);
	CHECK(tbs.len > 1500 && tbs.len < CERT_DER_MAX);
	tbs.len = 6;
	g.san_len = sizeof(g.san);
	for (p->n_policies = 0; p->n_policies < PROFILE_LIST_MAX; p->n_policies++)
		p->policies[p->n_policies].len = OID_DER_MAX;
	for (p->n_eku = 0; p->n_eku < PROFILE_LIST_MAX; p->n_eku++)
		p->eku[p->n_eku].len = OID_DER_MAX;
	CHECK(cert_build_tbs(p, &issuer, &g, &serial, T_2026, T_2050, &tbs, &err) == -1);
	CHECK(err.code == FAIL_INVALID && strstr(err.msg, "size limit") != NULL);
	CHECK_MEM(tbs.data, tbs.len, "before", (size_t)6);
	buf_free(&tbs);
	profile_free(p);
}

static const struct test_case cases[] = {
	{ "octets of device and organisation certificates", test_octets },
	{ "the same as libcrypto builds", test_models },
	{ "a chain verifies strictly", test_chain },
	{ "what a profile needs of its issuer", test_needs },
	{ "size of a certificate", test_size },
};

TEST_MAIN("cert", cases)
