/*
 * Reading certificates: what is written reads back, and every departure from it is refused by
 * clause. Names for people.
 */
#include "test.h"

#include "policy.h"
#include "smki/cert.h"
#include "softsign.h"

/* The parts of a certificate; a row of a table replaces one. Extensions are the list's contents. */
enum part {
	VERSION,
	SERIAL,
	ALGORITHM,
	ISSUER,
	VALIDITY,
	SUBJECT,
	KEY,
	UNIQUE_IDS,
	EXTENSIONS,
	AFTER_TBS,
	OUTER_ALGORITHM,
	SIGNATURE,
	AFTER,
	PARTS,
};

#define AKI "3013 0603 551D23 040C 300A 8008 4011223344556677"
#define SKI "3011 0603 551D0E 040A 0408 408A9C9E5EFDA0E1"
#define USAGE "300E 0603 551D0F 0101FF 0404 03020780"
#define CA_USAGE "300E 0603 551D0F 0101FF 0404 03020106"
#define POLICY "301D 0603 551D20 0101FF 0413 3011 300F 060D 2A863A0001848FB90F01020104"
#define SAN                                                                                        \
	"3031 0603 551D11 0101FF 0427 3025 A023 0608 2B06010505070804 A017 3015 0609 "             \
	"2B0601040181FD5901 0408 00DB123456780001"
#define DNS_SAN "300D 0603 551D11 0406 3004 8202 6162"
#define CONSTRAINTS "300F 0603 551D13 0101FF 0405 3003 0101FF"
#define DEVICE AKI SKI USAGE POLICY
#define Z1 "300D 310B 3009 0603 550403 1302 5A31"
#define FROM "170D 3236303130313030303030305A"

static const char *const plain[PARTS] = {
	[VERSION] = "A003 020102",
	[SERIAL] = "0208 7F23456789ABCDEF",
	[ALGORITHM] = "300A 0608 2A8648CE3D040302",
	[ISSUER] = Z1,
	[VALIDITY] = "3020" FROM "180F 39393939313233313233353935395A",
	[SUBJECT] = "3000",
	[KEY] = "3059 3013 0607 2A8648CE3D0201 0608 2A8648CE3D030107 0342 00" POLICY_POINT,
	[UNIQUE_IDS] = "",
	[EXTENSIONS] = DEVICE SAN,
	[AFTER_TBS] = "",
	[OUTER_ALGORITHM] = "300A 0608 2A8648CE3D040302",
	[SIGNATURE] = "0309 00 3006 020101 020101",
	[AFTER] = "",
};

static void
add_hex(struct buf *b, const char *hex)
{
	uint8_t octets[2048];

	buf_add(b, octets, policy_hex(hex, octets, sizeof(octets)));
}

/* The plain certificate with one part replaced; part PARTS = none. */
static void
make(enum part part, const char *hex, struct buf *out)
{
	const char *p[PARTS];
	size_t outer, tbs, explicit3, list;

	memcpy(p, plain, sizeof(p));
	if (part != PARTS)
		p[part] = hex;
	outer = der_open(out, DER_SEQUENCE);
	tbs = der_open(out, DER_SEQUENCE);
	for (size_t i = VERSION; i < EXTENSIONS; i++)
		add_hex(out, p[i]);
	if (p[EXTENSIONS][0] != '!') {
		explicit3 = der_open(out, DER_CONTEXT(3));
		list = der_open(out, DER_SEQUENCE);
		add_hex(out, p[EXTENSIONS]);
		der_close(out, list);
		der_close(out, explicit3);
	}
	add_hex(out, p[AFTER_TBS]);
	der_close(out, tbs);
	add_hex(out, p[OUTER_ALGORITHM]);
	add_hex(out, p[SIGNATURE]);
	der_close(out, outer);
	add_hex(out, p[AFTER]);
}

static void
test_plain(void)
{
	struct buf b = { 0 };
	struct cert c;
	struct err err = { .msg = "" };
	uint8_t octets[64];

	make(PARTS, NULL, &b);
	if (cert_parse(b.data, b.len, &c, &err) != 0)
		fprintf(stderr, "  %s\n", err.msg);
	CHECK(err.msg[0] == '\0');
	CHECK(c.der.p == b.data && c.der.len == b.len);
	CHECK(c.tbs.p == b.data + 4 && c.tbs.len == b.len - 4 - 12 - 11);
	CHECK_MEM(
	    c.serial.octets, (size_t)c.serial.len, "\x7f\x23\x45\x67\x89\xab\xcd\xef", (size_t)8);
	CHECK_MEM(c.issuer.p, c.issuer.len, octets, policy_hex(Z1, octets, sizeof(octets)));
	CHECK_MEM(c.subject.p, c.subject.len, "\x30\x00", (size_t)2);
	CHECK(c.not_before == 1767225600);
	CHECK(c.not_after == TIME_NO_EXPIRY);
	CHECK(c.pub.curve == EC_P256 && c.pub.len == 65);
	CHECK_MEM(c.ski.p, c.ski.len, "\x40\x8a\x9c\x9e\x5e\xfd\xa0\xe1", (size_t)8);
	CHECK_MEM(c.aki.p, c.aki.len, "\x40\x11\x22\x33\x44\x55\x66\x77", (size_t)8);
	CHECK(c.key_usage == KEY_USAGE_DIGITAL_SIGNATURE);
	CHECK(!c.ca && !c.eku_ocsp && !c.nocheck);
	CHECK_MEM(c.san.p, c.san.len, octets, policy_hex(POLICY_SAN, octets, sizeof(octets)));
	CHECK(c.sig.len == 8);
	CHECK(c.sig_curve == EC_P256);
	buf_free(&b);
}

/* Other certificates that are well formed. */
static void
test_accepted(void)
{
	static const struct {
		const char *name;
		enum part part;
		const char *hex;
	} rows[] = {
		{ "serial of 20 octets", SERIAL, "0214 7F00000000000000000000000000000000000000" },
		{ "serial 1", SERIAL, "0201 01" },
		{ "serial with a sign octet", SERIAL, "0209 00FFFFFFFFFFFFFFFF" },
		{ "unknown extension, not critical", EXTENSIONS,
		    DEVICE SAN "300C 0608 2B06010401 81FD59 0400" },
		{ "name and plain SAN", SUBJECT, Z1 },
		{ "no SKI", EXTENSIONS, AKI USAGE SAN },
		{ "pointers", EXTENSIONS,
		    DEVICE SAN "3012 0603 551D1F 040B 3009 3007 A005 A003 8601 61"
			       "3019 0608 2B06010505070101 040D 300B 3009 0604 2B060105 8601 61" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf b = { 0 };
		struct cert c;
		struct err err = { .msg = "" };

		make(rows[i].part, rows[i].hex, &b);
		if (cert_parse(b.data, b.len, &c, &err) != 0)
			fprintf(stderr, "  %s: %s\n", rows[i].name, err.msg);
		CHECK_ROW(rows[i].name, err.msg[0] == '\0');
		buf_free(&b);
	}
}

static const struct refuse_row {
	const char *name;
	enum part part;
	const char *hex, *want;
} refuse_rows[] = {
	{ "trailing byte", AFTER, "00", "RFC 5280 4.1: bytes after the certificate" },
	{ "trailing in signature", SIGNATURE, "0309 00 3006 020101 020101 00", "RFC 5280 4.1.1.3" },
	{ "unused bits", SIGNATURE, "0309 01 3006 020101 020102", "RFC 5280 4.1.1.3" },
	{ "no signature", SIGNATURE, "", "RFC 5280 4.1.1.3" },
	{ "v1", VERSION, "", "RFC 5280 4.1.2.1: version is not 3" },
	{ "v1 spelt out", VERSION, "A003 020100", "RFC 5280 4.1.2.1" },
	{ "v2", VERSION, "A003 020101", "RFC 5280 4.1.2.1" },
	{ "v4", VERSION, "A003 020103", "RFC 5280 4.1.2.1" },
	{ "version with more", VERSION, "A005 020102 0500", "RFC 5280 4.1.2.1" },
	{ "serial 0", SERIAL, "0201 00", "RFC 5280 4.1.2.2" },
	{ "negative serial", SERIAL, "0201 80", "RFC 5280 4.1.2.2" },
	{ "padded serial", SERIAL, "0202 0001", "RFC 5280 4.1.2.2" },
	{ "serial of 21 octets", SERIAL, "0215 7F0000000000000000000000000000000000000000",
	    "RFC 5280 4.1.2.2" },
	{ "empty serial", SERIAL, "0200", "RFC 5280 4.1.2.2" },
	{ "NULL parameters", ALGORITHM, "300C 0608 2A8648CE3D040302 0500", "RFC 5758 3.2" },
	{ "ecdsa-with-SHA1", ALGORITHM, "3009 0607 2A8648CE3D0401", "RFC 5758 3.2" },
	{ "algorithms differ", OUTER_ALGORITHM, "300A 0608 2A8648CE3D040303", "RFC 5280 4.1.1.2" },
	{ "outer NULL parameters", OUTER_ALGORITHM, "300C 0608 2A8648CE3D040302 0500",
	    "RFC 5280 4.1.1.2" },
	{ "empty issuer", ISSUER, "3000", "RFC 5280 4.1.2.4: issuer is empty" },
	{ "issuer with an empty RDN", ISSUER, "3002 3100", "RFC 5280 4.1.2.4" },
	{ "issuer with a bare value", ISSUER, "3006 3104 1302 5A31", "RFC 5280 4.1.2.4" },
	{ "issuer with NUL", ISSUER, "300D 310B 3009 0603 550403 1302 5A00", "RFC 5280 4.1.2.4" },
	{ "issuer not UTF-8", ISSUER, "300D 310B 3009 0603 550403 0C02 C328", "RFC 5280 4.1.2.4" },
	{ "issuer with more in a pair", ISSUER, "300F 310D 300B 0603 550403 1302 5A31 0500",
	    "RFC 5280 4.1.2.4" },
	{ "SET OF out of order", ISSUER,
	    "3018 3116 3009 0603 55040B 1302 5A31 3009 0603 550403 1302 5A31", "RFC 5280 4.1.2.4" },
	{ "GeneralizedTime before 2050", VALIDITY,
	    "3022 180F 32303236303130313030303030305A 180F 39393939313233313233353935395A",
	    "RFC 5280 4.1.2.5" },
	{ "no seconds", VALIDITY,
	    "301E 170B 323630313031303030305A 180F 39393939313233313233353935395A",
	    "RFC 5280 4.1.2.5" },
	{ "fraction", VALIDITY, "3022" FROM "1811 39393939313233313233353935392E395A",
	    "RFC 5280 4.1.2.5" },
	{ "offset", VALIDITY,
	    "3024 1711 3236303130313030303030302B30303030 180F 39393939313233313233353935395A",
	    "RFC 5280 4.1.2.5" },
	{ "leap second", VALIDITY, "301E" FROM "170D 3236313233313233353936305A",
	    "RFC 5280 4.1.2.5" },
	{ "ends before it begins", VALIDITY, "301E" FROM "170D 3235313233313233353935395A",
	    "RFC 5280 4.1.2.5: notAfter is before notBefore" },
	{ "one date", VALIDITY, "300F" FROM, "RFC 5280 4.1.2.5" },
	{ "three dates", VALIDITY, "302D" FROM FROM FROM, "RFC 5280 4.1.2.5" },
	{ "subject not a Name", SUBJECT, "3100", "RFC 5280 4.1.2.6" },
	{ "RSA key", KEY, "3014 300D 0609 2A864886F70D010101 0500 0303 00 3000", "certificate: " },
	{ "key on no curve", KEY,
	    "3059 3013 0607 2A8648CE3D0201 0608 2A8648CE3D030107 0342 00 04"
	    "6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296"
	    "4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F4",
	    "certificate: RFC 5480 2.2" },
	{ "unique id", UNIQUE_IDS, "8102 00FF", "RFC 5280 4.1: extensions are missing" },
	{ "no extensions", EXTENSIONS, "!", "RFC 5280 4.1: extensions are missing" },
	{ "empty extensions", EXTENSIONS, "", "RFC 5280 4.1: extensions are not a list" },
	{ "after the extensions", AFTER_TBS, "0500", "RFC 5280 4.1" },
	{ "duplicate SKI", EXTENSIONS, DEVICE SKI SAN, "RFC 5280 4.2" },
	{ "duplicate unknown", EXTENSIONS,
	    DEVICE SAN "300C 0608 2B06010401 81FD59 0400 300C 0608 2B06010401 81FD59 0400",
	    "RFC 5280 4.2" },
	{ "unknown critical", EXTENSIONS, DEVICE SAN "300F 0608 2B06010401 81FD59 0101FF 0400",
	    "RFC 5280 4.2: an unknown extension is critical" },
	{ "name constraints", EXTENSIONS, DEVICE SAN "300C 0603 551D1E 0101FF 0402 3000",
	    "RFC 5280 4.2: an unknown extension is critical" },
	{ "critical FALSE", EXTENSIONS, DEVICE SAN "300C 0603 551D50 010100 0402 0500",
	    "X.690 11.5" },
	{ "critical 01", EXTENSIONS, DEVICE SAN "300C 0603 551D50 010101 0402 0500", "X.690 11.1" },
	{ "AKI by name", EXTENSIONS, SKI USAGE SAN "300F 0603 551D23 0408 3006 A104 8202 6162",
	    "RFC 5280 4.2.1.1" },
	{ "no AKI", EXTENSIONS, SKI USAGE SAN, "RFC 5280 4.2.1.1" },
	{ "AKI critical", EXTENSIONS,
	    SKI USAGE SAN "3016 0603 551D23 0101FF 040C 300A 8008 4011223344556677",
	    "RFC 5280 4.2: a key identifier" },
	{ "SKI critical", EXTENSIONS,
	    AKI USAGE SAN "3014 0603 551D0E 0101FF 040A 0408 408A9C9E5EFDA0E1",
	    "RFC 5280 4.2: a key identifier" },
	{ "AIA critical", EXTENSIONS,
	    DEVICE SAN "301C 0608 2B06010505070101 0101FF 040D 300B 3009 0604 2B060105 8601 61",
	    "RFC 5280 4.2: a key identifier" },
	{ "AKI empty", EXTENSIONS, SKI USAGE SAN "3009 0603 551D23 0402 3000", "RFC 5280 4.2.1.1" },
	{ "SKI empty", EXTENSIONS, AKI USAGE SAN "3009 0603 551D0E 0402 0400", "RFC 5280 4.2.1.2" },
	{ "SKI with more", EXTENSIONS, AKI USAGE SAN "300C 0603 551D0E 0405 0401 40 0500",
	    "RFC 5280 4.2.1.2" },
	{ "keyUsage of no bit", EXTENSIONS, SAN "300D 0603 551D0F 0101FF 0403 0301 00",
	    "RFC 5280 4.2.1.3" },
	{ "keyUsage with trailing zeros", EXTENSIONS, SAN "300E 0603 551D0F 0101FF 0404 03020080",
	    "RFC 5280 4.2.1.3" },
	{ "no keyUsage", EXTENSIONS, AKI SKI SAN, "RFC 5759 4.5" },
	{ "keyUsage not critical", EXTENSIONS, AKI SKI SAN "300B 0603 551D0F 0404 03020780",
	    "RFC 5759 4.5" },
	{ "keyCertSign, no CA", EXTENSIONS, AKI SKI CA_USAGE SAN,
	    "RFC 5280 4.2.1.9: keyCertSign without cA" },
	{ "CA without a name", EXTENSIONS, AKI SKI CA_USAGE CONSTRAINTS SAN, "RFC 5280 4.2.1.9" },
	{ "cA FALSE spelt out", EXTENSIONS, DEVICE SAN "300F 0603 551D13 0101FF 0405 3003 010100",
	    "RFC 5280 4.2.1.9: basicConstraints" },
	{ "pathLen without cA", EXTENSIONS, DEVICE SAN "300F 0603 551D13 0101FF 0405 3003 020100",
	    "RFC 5280 4.2.1.9: basicConstraints" },
	{ "negative pathLen", EXTENSIONS,
	    DEVICE SAN "3012 0603 551D13 0101FF 0408 3006 0101FF 0201FF",
	    "RFC 5280 4.2.1.9: basicConstraints" },
	{ "SAN not critical", EXTENSIONS,
	    DEVICE "302E 0603 551D11 0427 3025 A023 0608 2B06010505070804 A017 3015 0609 "
		   "2B0601040181FD5901 0408 00DB123456780001",
	    "RFC 5280 4.1.2.6: subject is empty" },
	{ "no SAN", EXTENSIONS, DEVICE, "RFC 5280 4.1.2.6: subject is empty" },
	{ "empty SAN", EXTENSIONS, DEVICE "300C 0603 551D11 0101FF 0402 3000", "RFC 5280 4.2.1.6" },
	{ "SAN of a string", EXTENSIONS, DEVICE "3010 0603 551D11 0101FF 0406 3004 1302 5A31",
	    "RFC 5280 4.2.1.6" },
	{ "EKU empty", EXTENSIONS, DEVICE SAN "3009 0603 551D25 0402 3000", "RFC 5280 4.2.1.12" },
	{ "EKU of a string", EXTENSIONS, DEVICE SAN "300D 0603 551D25 0406 3004 1302 5A31",
	    "RFC 5280 4.2.1.12" },
	{ "policies empty", EXTENSIONS, AKI SKI USAGE SAN "3009 0603 551D20 0402 3000",
	    "RFC 5280 4.2.1.4" },
	{ "CDP empty", EXTENSIONS, DEVICE SAN "3009 0603 551D1F 0402 3000", "RFC 5280 4.2.1.13" },
	{ "AIA empty", EXTENSIONS, DEVICE SAN "300E 0608 2B06010505070101 0402 3000",
	    "RFC 5280 4.2.2.1" },
	{ "nocheck not NULL", EXTENSIONS, DEVICE SAN "300F 0609 2B0601050507300105 0402 0400",
	    "RFC 6960 4.2.2.2.1" },
};

static void
test_refused(void)
{
	for (size_t i = 0; i < ARRAY_LEN(refuse_rows); i++) {
		const struct refuse_row *row = &refuse_rows[i];
		struct buf b = { 0 };
		struct cert c = { .key_usage = 4711 };
		struct err err = { .msg = "" };

		make(row->part, row->hex, &b);
		CHECK_ROW(row->name, cert_parse(b.data, b.len, &c, &err) == -1);
		CHECK_ROW(row->name, c.key_usage == 4711);
		CHECK_ROW(row->name, err.code == FAIL_INVALID);
		CHECK_ROW(row->name, strncmp(err.msg, "certificate: ", 13) == 0);
		if (strstr(err.msg, row->want) == NULL)
			fprintf(stderr, "  \"%s\"\n", err.msg);
		CHECK_ROW(row->name, strstr(err.msg, row->want) != NULL);
		buf_free(&b);
	}
}

static int
corpus_read(const char *text, size_t len)
{
	struct cert c;

	return cert_parse((const uint8_t *)text, len, &c, NULL);
}

static void
test_corpus(void)
{
	CHECK(policy_corpus("tests/corpus/cert", corpus_read) >= 78);
}

/* Cut anywhere, or over the limit: never a certificate. */
static void
test_lengths(void)
{
	struct buf b = { 0 };
	struct cert c;
	struct err err;
	uint8_t *copy;

	make(PARTS, NULL, &b);
	for (size_t n = 0; n < b.len; n++) {
		/* A block of its own, so that reading past it is seen. */
		copy = mem_alloc(n + 1);
		memcpy(copy, b.data, n);
		CHECK(cert_parse(copy, n, &c, &err) == -1);
		free(copy);
	}
	buf_reset(&b);
	buf_reserve(&b, CERT_DER_MAX + 1);
	memset(b.data, 0, CERT_DER_MAX + 1);
	CHECK(cert_parse(b.data, CERT_DER_MAX + 1, &c, &err) == -1);
	CHECK(strstr(err.msg, "size limit") != NULL);
	buf_free(&b);
}

/* c signed itself under another name: name, key and octets must all be right. der holds c. */
static void
check_issued(const char *row, const struct cert *c, struct buf *der)
{
	struct cert other = *c;
	struct err err = { .msg = "" };

	other.subject = c->issuer;
	CHECK_ROW(row, cert_check_issued(c, &other, &err) == 0);
	other.pub = policy_pub();
	CHECK_ROW(row, cert_check_issued(c, &other, &err) == -1);
	other.pub = c->pub;
	other.subject = (struct span){ (const uint8_t *)"\x30\x00", 2 };
	CHECK_ROW(row, cert_check_issued(c, &other, &err) == -1);
	CHECK_ROW(row, strstr(err.msg, "RFC 5280 4.1.2.4") != NULL);
	other.subject = c->issuer;
	der->data[20] ^= 1;
	CHECK_ROW(row, cert_check_issued(c, &other, &err) == -1);
	CHECK_ROW(row, strstr(err.msg, "certificate: RFC 5280 4.1.1.3: ") != NULL);
	der->data[20] ^= 1;
}

/* Every kind of certificate this PKI writes, read back. */
static void
test_round_trip(void)
{
	static const struct {
		const char *profile;
		enum ec_curve curve;
		bool ca, ocsp;
		const char *subject;
	} rows[] = {
		{ "root-ca", EC_P256, true, false, "CN=issuing, OU=00" },
		{ "issuing-ca", EC_P256, true, false, "CN=issuing, OU=07" },
		{ "ocsp", EC_P256, false, true, "CN=issuing OCSP" },
		{ "tls-server", EC_P384, false, false, "" },
	};
	static const char *const host = "meter.example";

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct profile *p = policy_load(rows[i].profile);
		struct softsign *key = softsign_new(rows[i].curve);
		struct serial serial = { .octets = { 1 }, .len = 1 };
		struct buf tbs = { 0 }, der = { 0 };
		struct grant g;
		struct cert c;
		struct issuer issuer;
		struct err err = { .msg = "" };
		char text[64];

		CHECK(profile_grant_service(p, "issuing", &host, p->kind == PROFILE_SERVER,
			  &key->signer.pub, &g, &err) == 0);
		/* An issuer of the same name, so that the signature is what counts. */
		memset(&issuer, 0, sizeof(issuer));
		issuer.subject = (struct span){ g.subject, g.subject_len };
		issuer.ski = (struct span){ (const uint8_t *)"\x41\1\2\3\4\5\6\7", 8 };
		issuer.curve = rows[i].curve;
		if (p->kind == PROFILE_SERVER)
			issuer.subject = (struct span){
				(const uint8_t
					*)"\x30\x0c\x31\x0a\x30\x08\x06\x03\x55\x04\x03\x13\x01Z",
				14
			};
		CHECK(cert_build_tbs(p, p->kind == PROFILE_ROOT_CA ? NULL : &issuer, &g, &serial,
			  1767225600, 1767225601, &tbs, &err) == 0);
		CHECK(sign_wrap(softsign_signer(key), tbs.data, tbs.len, &der, &err) == 0);
		if (cert_parse(der.data, der.len, &c, &err) != 0)
			fprintf(stderr, "  %s: %s\n", rows[i].profile, err.msg);
		CHECK_ROW(rows[i].profile, err.msg[0] == '\0');
		CHECK_MEM(c.tbs.p, c.tbs.len, tbs.data, tbs.len);
		CHECK_MEM(c.subject.p, c.subject.len, g.subject, g.subject_len);
		CHECK_MEM(c.san.p, c.san.len, g.san, g.san_len);
		CHECK(ec_pub_eq(&c.pub, &g.pub));
		CHECK(c.key_usage == g.key_usage);
		CHECK_ROW(rows[i].profile, c.ca == rows[i].ca);
		CHECK_ROW(rows[i].profile, c.eku_ocsp == rows[i].ocsp);
		CHECK_ROW(rows[i].profile, c.nocheck == rows[i].ocsp);
		CHECK(c.ski.len == (p->short_key_id ? 8 : 20));
		CHECK(c.sig_curve == rows[i].curve);
		name_text(c.subject, text, sizeof(text));
		CHECK_STR(text, rows[i].subject);

		check_issued(rows[i].profile, &c, &der);
		cert_issuer(&c, &issuer);
		CHECK(issuer.subject.p == c.subject.p && issuer.ski.p == c.ski.p);
		CHECK(issuer.not_after == 1767225601 && issuer.curve == rows[i].curve);
		CHECK(issuer.crl_uri[0] == '\0' && issuer.ocsp_uri[0] == '\0' &&
		      issuer.ca_uri[0] == '\0');
		buf_free(&tbs);
		buf_free(&der);
		softsign_free(key);
		profile_free(p);
	}
}

/* RFC 4514 2.1 (order), 2.4 (escapes). */
static void
test_name_text(void)
{
	static const struct {
		const char *hex, *want;
		size_t cap;
	} rows[] = {
		{ "3000", "", 64 },
		{ Z1, "CN=Z1", 64 },
		{ "301A 310B 3009 0603 55040B 1302 3037 310B 3009 0603 550403 1302 5A31",
		    "CN=Z1, OU=07", 64 },
		{ "3018 3116 3009 0603 550403 1302 5A31 3009 0603 55040B 1302 3037", "CN=Z1+OU=07",
		    64 },
		{ POLICY_ORG, "x500UniqueIdentifier=#03090000db123456780001, OU=02", 64 },
		{ "300D 310B 3009 0603 550407 1302 5A31", "L=Z1", 64 },
		{ "300D 310B 3009 0603 550409 1302 5A31", "2.5.4.9=#13025a31", 64 },
		{ "3012 3110 300E 0603 550403 0C07 20232C2B5C2220", "CN=\\ #\\,\\+\\\\\\\"\\ ",
		    64 },
		{ "300D 310B 3009 0603 550403 0C02 2361", "CN=\\#a", 64 },
		{ "300D 310B 3009 0603 550403 0C02 C3BC", "CN=\xc3\xbc", 64 },
		/* Other string types are not looked into. */
		{ "300D 310B 3009 0603 550403 1602 0A1B", "CN=#16020a1b", 64 },
		{ "300D 310B 3009 0603 550403 1402 0A1B", "CN=#14020a1b", 64 },
		/* Cut between characters, never inside one or inside an escape. */
		{ Z1, "CN=Z", 5 },
		{ Z1, "CN", 3 },
		{ Z1, "", 1 },
		{ "300D 310B 3009 0603 550403 0C02 C3BC", "CN=", 5 },
		{ "300D 310B 3009 0603 550403 0C02 2361", "CN=", 5 },
		/* What is no Name. */
		{ "3001", "?", 64 },
		{ "300000", "?", 64 },
		{ "3002 3100", "?", 64 },
		{ "300D 310B 3009 0603 550403 1302 5A40", "?", 64 },
		{ "300D 310B 3009 0603 550403 0C02 C080", "?", 64 },
		{ "300E 310C 300A 0603 550403 0C03 EDA080", "?", 64 },
		{ "300F 310D 300B 0603 550403 0C04 F4908080", "?", 64 },
		{ "300D 310B 3009 0603 550403 0C02 C285", "?", 64 },
		{ "", "?", 64 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint8_t der[64];
		struct span name = { der, policy_hex(rows[i].hex, der, sizeof(der)) };
		char text[64];

		memset(text, 'x', sizeof(text));
		name_text(name, text, rows[i].cap);
		CHECK_STR(text, rows[i].want);
	}
}

/* At most 32 attributes are read. */
static void
test_name_many(void)
{
	char text[512];

	for (int n = 32; n <= 33; n++) {
		struct buf b = { 0 };
		size_t seq = der_open(&b, DER_SEQUENCE);

		for (int i = 0; i < n; i++)
			add_hex(&b, "310B 3009 0603 550403 1302 5A31");
		der_close(&b, seq);
		name_text(buf_span(&b), text, sizeof(text));
		CHECK(strlen(text) == (n == 32 ? 32 * 5 + 31 * 2 : 1));
		buf_free(&b);
	}
}

static const struct test_case cases[] = {
	{ "a device certificate", test_plain },
	{ "what else is well formed", test_accepted },
	{ "refusals by clause", test_refused },
	{ "corpus", test_corpus },
	{ "cut and over-long", test_lengths },
	{ "what is written reads back", test_round_trip },
	{ "names for people", test_name_text },
	{ "names of many attributes", test_name_many },
};

TEST_MAIN("cert_read", cases)
