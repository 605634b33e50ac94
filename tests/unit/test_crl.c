/*
 * Writing CRLs: what is written is compared with libcrypto's own encoding and read back by it and
 * by our reader.
 */
#include <openssl/asn1.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "smki/crl.h"
#include "smki/mem.h"
#include "softsign.h"
#include "test.h"

#define T0 ((time_t)1790000000)
#define T2049 ((time_t)2524607999) /* 20491231235959Z */

/* CN=Z1, OU=07 */
static const uint8_t name_der[] = { 0x30, 0x1a, 0x31, 0x0b, 0x30, 0x09, 0x06, 0x03, 0x55, 0x04,
	0x0b, 0x13, 0x02, '0', '7', 0x31, 0x0b, 0x30, 0x09, 0x06, 0x03, 0x55, 0x04, 0x03, 0x13,
	0x02, 'Z', '1' };
static const uint8_t ski[8] = { 0x41, 1, 2, 3, 4, 5, 6, 7 };

static struct crl_params
params_new(const struct softsign *s, int64_t number)
{
	struct crl_params p = {
		.issuer = { name_der, sizeof(name_der) },
		.ski = { ski, sizeof(ski) },
		.curve = s->signer.pub.curve,
		.number = number,
		.this_update = T0,
		.next_update = T0 + 86400,
	};

	return p;
}

static struct crl_entry
entry_new(uint64_t serial, time_t at, enum crl_reason reason, time_t invalid_since)
{
	struct crl_entry e = { .revoked_at = at, .reason = reason, .invalid_since = invalid_since };

	e.serial.len = 8;
	for (int i = 0; i < 8; i++)
		e.serial.octets[i] = (uint8_t)(serial >> (56 - 8 * i));
	e.serial.octets[0] = 0x11;
	return e;
}

static int
entry_same(const struct crl_entry *a, const struct crl_entry *b)
{
	return serial_eq(&a->serial, &b->serial) && a->revoked_at == b->revoked_at &&
	       a->reason == b->reason && a->invalid_since == b->invalid_since;
}

/* The way of the service: count, head to hash, entries, tail, sign, then the whole object. */
static void
crl_stream(const struct crl_params *p, const struct crl_entry *e, size_t n,
    const struct softsign *s, struct buf *out)
{
	struct buf list = { 0 }, head = { 0 }, tail = { 0 }, sig = { 0 }, tbs = { 0 };
	uint8_t digest[SHA384_LEN];
	uint64_t entries_len = 0;
	size_t at, at2, len;
	struct err err = { 0 };

	for (size_t i = 0; i < n; i++) {
		len = crl_entry_put(&list, &e[i]);
		CHECK(len <= CRL_ENTRY_MAX);
		entries_len += len;
	}
	CHECK(entries_len == list.len);
	crl_head_put(&head, p, entries_len, 0, &at);
	crl_tail_put(&tail, p);
	CHECK(head.len <= CRL_HEAD_MAX && tail.len <= CRL_TAIL_MAX);
	buf_add(&tbs, head.data + at, head.len - at);
	buf_add(&tbs, list.data, list.len);
	buf_add(&tbs, tail.data, tail.len);
	len = ec_digest(p->curve, tbs.data, tbs.len, digest);
	CHECK(sign_digest(softsign_signer(s), digest, len, &sig, &err) == 0);

	buf_reset(out);
	crl_head_put(out, p, entries_len, sig.len, &at2);
	CHECK_MEM(out->data + at2, out->len - at2, head.data + at, head.len - at);
	buf_add(out, list.data, list.len);
	buf_add(out, tail.data, tail.len);
	crl_close_put(out, p->curve, buf_span(&sig));

	buf_free(&list);
	buf_free(&head);
	buf_free(&tail);
	buf_free(&sig);
	buf_free(&tbs);
}

/* Both readers find what was put in: ours, and libcrypto's with the signature. */
static void
crl_judge(const char *row, const struct buf *der, const struct crl_params *p,
    const struct crl_entry *e, size_t n, const struct softsign *s)
{
	const unsigned char *at = der->data;
	struct crl_entry got;
	struct crl crl = { .number = 0 };
	struct err err = { 0 };
	X509_CRL *x;
	size_t i = 0;
	int r;

	x = d2i_X509_CRL(NULL, &at, (long)der->len);
	CHECK_ROW(row, x != NULL && at == der->data + der->len);
	if (x != NULL) {
		CHECK_ROW(row, X509_CRL_verify(x, s->key) == 1);
		CHECK_ROW(row, X509_CRL_get_version(x) == 1);
		CHECK_ROW(row, (n == 0) == (X509_CRL_get_REVOKED(x) == NULL));
		CHECK_ROW(row, n == 0 || sk_X509_REVOKED_num(X509_CRL_get_REVOKED(x)) == (int)n);
		X509_CRL_free(x);
	}

	r = crl_parse(der->data, der->len, &crl, &err);
	CHECK_ROW(row, r == 0);
	if (r != 0) {
		fprintf(stderr, "  %s\n", err.msg);
		return;
	}
	CHECK_ROW(row, span_eq(crl.issuer, p->issuer) && span_eq(crl.aki, p->ski));
	CHECK_ROW(row, crl.number == p->number && crl.sig_curve == p->curve);
	CHECK_ROW(row, crl.this_update == p->this_update && crl.next_update == p->next_update);
	CHECK_ROW(row, crl_check_signature(&crl, &s->signer.pub, &err) == 0);
	while ((r = crl_entry_get(&crl, &got, &err)) == 1) {
		CHECK_ROW(row, i < n && entry_same(&got, &e[i]));
		if (i++ >= n)
			break;
	}
	CHECK_ROW(row, r == 0 && i == n);
}

/* DER of the TBSCertList that libcrypto makes of the same facts. */
static int
x509_crl_tbs(const struct crl_params *p, const struct crl_entry *e, size_t n, EVP_PKEY *key,
    unsigned char **out)
{
	X509_CRL *x = X509_CRL_new();
	const unsigned char *at = p->issuer.p;
	X509_NAME *name = d2i_X509_NAME(NULL, &at, (long)p->issuer.len);
	ASN1_TIME *t = ASN1_TIME_set(NULL, p->this_update);
	ASN1_INTEGER *number = ASN1_INTEGER_new();
	AUTHORITY_KEYID *aki = AUTHORITY_KEYID_new();
	int len;

	CHECK(X509_CRL_set_version(x, 1) == 1 && X509_CRL_set_issuer_name(x, name) == 1);
	CHECK(X509_CRL_set1_lastUpdate(x, t) == 1);
	ASN1_TIME_set(t, p->next_update);
	CHECK(X509_CRL_set1_nextUpdate(x, t) == 1);
	for (size_t i = 0; i < n; i++) {
		X509_REVOKED *rev = X509_REVOKED_new();
		BIGNUM *bn = BN_bin2bn(e[i].serial.octets, e[i].serial.len, NULL);
		ASN1_INTEGER *serial = BN_to_ASN1_INTEGER(bn, NULL);
		ASN1_ENUMERATED *reason = ASN1_ENUMERATED_new();
		ASN1_GENERALIZEDTIME *gt = ASN1_GENERALIZEDTIME_set(NULL, e[i].invalid_since);

		ASN1_TIME_set(t, e[i].revoked_at);
		CHECK(X509_REVOKED_set_serialNumber(rev, serial) == 1);
		CHECK(X509_REVOKED_set_revocationDate(rev, t) == 1);
		ASN1_ENUMERATED_set(reason, e[i].reason);
		if (e[i].reason != REASON_UNSPECIFIED)
			CHECK(X509_REVOKED_add1_ext_i2d(rev, NID_crl_reason, reason, 0, 0) == 1);
		if (e[i].invalid_since != 0)
			CHECK(X509_REVOKED_add1_ext_i2d(rev, NID_invalidity_date, gt, 0, 0) == 1);
		CHECK(X509_CRL_add0_revoked(x, rev) == 1);
		ASN1_GENERALIZEDTIME_free(gt);
		ASN1_ENUMERATED_free(reason);
		ASN1_INTEGER_free(serial);
		BN_free(bn);
	}
	aki->keyid = ASN1_OCTET_STRING_new();
	ASN1_OCTET_STRING_set(aki->keyid, p->ski.p, (int)p->ski.len);
	CHECK(X509_CRL_add1_ext_i2d(x, NID_authority_key_identifier, aki, 0, 0) == 1);
	ASN1_INTEGER_set_int64(number, p->number);
	CHECK(X509_CRL_add1_ext_i2d(x, NID_crl_number, number, 0, 0) == 1);
	CHECK(X509_CRL_sign(x, key, EVP_sha256()) > 0);
	len = i2d_re_X509_CRL_tbs(x, out);

	AUTHORITY_KEYID_free(aki);
	ASN1_INTEGER_free(number);
	ASN1_TIME_free(t);
	X509_NAME_free(name);
	X509_CRL_free(x);
	return len;
}

static void
crl_like_libcrypto(void)
{
	static const struct {
		const char *name;
		size_t n;
		int64_t number;
		time_t this_update;
	} rows[] = {
		{ "empty", 0, 1, T0 },
		{ "one", 1, 127, T0 },
		{ "all kinds", 9, 128, T0 },
		{ "2049 to 2050", 9, 0x7fffffff, T2049 - 10 },
		{ "2050", 2, 0x80000000LL, T2049 + 1 },
		{ "number 2^63-1", 2, INT64_MAX, T0 },
	};
	struct softsign *s = softsign_new(EC_P256);
	const struct crl_entry e[9] = {
		entry_new(1, T0 - 1, REASON_KEY_COMPROMISE, T0 - 500),
		entry_new(2, T0 - 2, REASON_UNSPECIFIED, 0),
		entry_new(3, T0 - 3, REASON_CERTIFICATE_HOLD, 0),
		entry_new(4, T0 - 4, REASON_UNSPECIFIED, T0 - 9),
		entry_new(5, T2049, REASON_SUPERSEDED, T2049),
		entry_new(6, T2049 + 1, REASON_CESSATION_OF_OPERATION, T2049 + 1),
		entry_new(7, T0, REASON_PRIVILEGE_WITHDRAWN, 1),
		entry_new(8, T0, REASON_AA_COMPROMISE, 0),
		entry_new(9, T0, REASON_CA_COMPROMISE, 0),
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct crl_params p = params_new(s, rows[i].number);
		struct buf der = { 0 }, streamed = { 0 };
		unsigned char *want = NULL;
		struct err err = { 0 };
		struct crl crl = { .number = 0 };
		int len;

		p.this_update = rows[i].this_update;
		p.next_update = p.this_update + 86400;
		CHECK_ROW(
		    rows[i].name, crl_build(&p, e, rows[i].n, softsign_signer(s), &der, &err) == 0);
		crl_judge(rows[i].name, &der, &p, e, rows[i].n, s);
		len = x509_crl_tbs(&p, e, rows[i].n, s->key, &want);
		CHECK_ROW(rows[i].name, len > 0);
		CHECK_ROW(rows[i].name, crl_parse(der.data, der.len, &crl, &err) == 0);
		CHECK_MEM(crl.tbs.p, crl.tbs.len, want, (size_t)len);
		crl_stream(&p, e, rows[i].n, s, &streamed);
		CHECK(crl_parse(streamed.data, streamed.len, &crl, &err) == 0);
		CHECK_MEM(crl.tbs.p, crl.tbs.len, want, (size_t)len);
		OPENSSL_free(want);
		buf_free(&der);
		buf_free(&streamed);
	}
	softsign_free(s);
}

/* Entries octet for octet, by hand. */
static void
crl_entry_octets(void)
{
	static const uint8_t full[] = { 0x30, 0x41, 0x02, 0x08, 0x11, 0, 0, 0, 0, 0, 0, 0x2a, 0x17,
		0x0d, '2', '6', '0', '9', '2', '1', '1', '4', '1', '3', '2', '0', 'Z', 0x30, 0x26,
		0x30, 0x0a, 0x06, 0x03, 0x55, 0x1d, 0x15, 0x04, 0x03, 0x0a, 0x01, 0x01, 0x30, 0x18,
		0x06, 0x03, 0x55, 0x1d, 0x18, 0x04, 0x11, 0x18, 0x0f, '2', '0', '2', '6', '0', '9',
		'2', '1', '1', '4', '1', '3', '2', '0', 'Z' };
	static const uint8_t plain[] = { 0x30, 0x12, 0x02, 0x01, 0x05, 0x17, 0x0d, '2', '6', '0',
		'9', '2', '1', '1', '4', '1', '3', '2', '0', 'Z' };
	static const uint8_t late[] = { 0x30, 0x14, 0x02, 0x01, 0x05, 0x18, 0x0f, '2', '0', '5',
		'0', '0', '1', '0', '1', '0', '0', '0', '0', '0', '0', 'Z' };
	struct crl_entry e = entry_new(0x2a, T0, REASON_KEY_COMPROMISE, T0);
	struct buf b = { 0 };

	CHECK(crl_entry_put(&b, &e) == sizeof(full));
	CHECK_MEM(b.data, b.len, full, sizeof(full));

	buf_reset(&b);
	e = (struct crl_entry){ .serial = { { 5 }, 1 }, .revoked_at = T0 };
	CHECK(crl_entry_put(&b, &e) == sizeof(plain));
	CHECK_MEM(b.data, b.len, plain, sizeof(plain));

	buf_reset(&b);
	e.revoked_at = T2049 + 1;
	CHECK(crl_entry_put(&b, &e) == sizeof(late));
	CHECK_MEM(b.data, b.len, late, sizeof(late));
	buf_free(&b);
}

/* The largest entry is within the bound that the header promises. */
static void
crl_entry_largest(void)
{
	struct crl_entry e = {
		.revoked_at = T2049 + 1, .reason = REASON_AA_COMPROMISE, .invalid_since = T2049
	};
	struct buf b = { 0 };

	memset(e.serial.octets, 0x7f, SERIAL_MAX);
	e.serial.len = SERIAL_MAX;
	CHECK(crl_entry_put(&b, &e) <= CRL_ENTRY_MAX);
	buf_free(&b);
}

/* Counts of entries. */
static void
crl_counts(void)
{
	static const size_t counts[] = { 0, 1, 2, 3, 9, 10, 127, 128, 255, 256, 2427, 2428, 2500 };
	struct softsign *s = softsign_new(EC_P256);
	struct crl_params p = params_new(s, 4711);
	struct crl_entry *e = mem_array(2500, sizeof(*e));
	struct buf der = { 0 };

	for (size_t i = 0; i < 2500; i++)
		e[i] = entry_new(i, T0 - (time_t)i, REASON_UNSPECIFIED, 0);
	for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
		char row[32];

		snprintf(row, sizeof(row), "%zu entries", counts[i]);
		crl_stream(&p, e, counts[i], s, &der);
		crl_judge(row, &der, &p, e, counts[i], s);
	}
	buf_free(&der);
	free(e);
	softsign_free(s);
}

static const size_t edges[] = { 127, 128, 255, 256, 65535, 65536 };

/* Note that a length was met. */
static void
edge_mark(size_t len, unsigned seen[ARRAY_LEN(edges)])
{
	for (size_t i = 0; i < ARRAY_LEN(edges); i++)
		if (len == edges[i])
			seen[i]++;
}

static size_t
contents_len(struct span element)
{
	struct der d = der_from(element.p, element.len), in;

	CHECK(der_get(&d, DER_SEQUENCE, &in) == 0);
	return der_span(&in).len;
}

/*
 * Lists and TBSCertLists on both sides of each change of the length's form: the serial of the
 * first entry, or the key identifier when there is none, grows octet by octet.
 */
static void
crl_boundaries(void)
{
	static const struct {
		size_t fixed; /* further entries of 27 octets; SIZE_MAX = no entry at all */
		enum crl_reason reason;
	} rows[] = { { SIZE_MAX, 0 }, { 3, 1 }, { 4, 0 }, { 8, 1 }, { 9, 0 }, { 2426, 0 },
		{ 2422, 0 }, { 2422, 1 }, { 2423, 0 } };
	static const uint8_t long_ski[SERIAL_MAX + 20] = { 0x42 };
	struct softsign *s = softsign_new(EC_P256);
	struct crl_params p = params_new(s, 1);
	struct crl_entry *e = mem_array(2430, sizeof(*e));
	unsigned list_seen[ARRAY_LEN(edges)] = { 0 }, tbs_seen[ARRAY_LEN(edges)] = { 0 };
	struct buf der = { 0 };

	for (size_t i = 0; i < 2430; i++)
		e[i] = entry_new(i, T0, REASON_UNSPECIFIED, 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (uint8_t len = 1; len <= SERIAL_MAX; len++) {
			size_t n = rows[i].fixed == SIZE_MAX ? 0 : rows[i].fixed + 1;
			struct crl crl = { .number = 0 };
			struct err err = { 0 };
			char row[48];

			snprintf(row, sizeof(row), "%zu entries, %u octets", n, len);
			p.ski = n == 0 ? (struct span){ long_ski, 20u + len }
				       : (struct span){ ski, sizeof(ski) };
			memset(e[0].serial.octets, 0x55, SERIAL_MAX);
			e[0].serial.len = len;
			e[0].reason = rows[i].reason;
			crl_stream(&p, e, n, s, &der);
			crl_judge(row, &der, &p, e, n, s);
			CHECK_ROW(row, crl_parse(der.data, der.len, &crl, &err) == 0);
			edge_mark(der_span(&crl.entries).len, list_seen);
			edge_mark(contents_len(crl.tbs), tbs_seen);
		}
	for (size_t i = 0; i < ARRAY_LEN(edges); i++) {
		if (list_seen[i] == 0 || tbs_seen[i] == 0)
			fprintf(stderr, "  length %zu: %u lists, %u tbs\n", edges[i], list_seen[i],
			    tbs_seen[i]);
		CHECK(list_seen[i] > 0 && tbs_seen[i] > 0);
	}
	buf_free(&der);
	free(e);
	softsign_free(s);
}

static void
crl_p384(void)
{
	struct softsign *s = softsign_new(EC_P384), *other = softsign_new(EC_P256);
	struct crl_params p = params_new(s, 2);
	struct crl_entry e = entry_new(1, T0, REASON_SUPERSEDED, 0);
	struct buf der = { 0 };
	struct err err = { 0 };
	struct crl crl = { .number = 0 };

	CHECK(crl_build(&p, &e, 1, softsign_signer(s), &der, &err) == 0);
	crl_judge("P-384", &der, &p, &e, 1, s);
	CHECK(crl_parse(der.data, der.len, &crl, &err) == 0);
	CHECK(crl_check_signature(&crl, &other->signer.pub, &err) == -1);
	CHECK(err.code == FAIL_INVALID);
	buf_free(&der);
	softsign_free(s);
	softsign_free(other);
}

/* What the signer does wrong leaves the output alone. */
static void
crl_signer_fails(void)
{
	struct softsign *s = softsign_new(EC_P256), *other = softsign_new(EC_P256);
	struct crl_params p = params_new(s, 2);
	struct buf der = { 0 };
	struct err err = { 0 };
	struct crl crl = { .number = 0 };

	s->refuse = true;
	CHECK(crl_build(&p, NULL, 0, softsign_signer(s), &der, &err) == -1);
	CHECK(err.code == FAIL_UNAVAILABLE && der.len == 0);
	s->refuse = false;
	s->corrupt = true;
	CHECK(crl_build(&p, NULL, 0, softsign_signer(s), &der, &err) == -1);
	CHECK(err.code == FAIL_UNAVAILABLE && der.len == 0);
	s->corrupt = false;
	buf_add_str(&der, "before");
	CHECK(crl_build(&p, NULL, 0, softsign_signer(s), &der, &err) == 0);
	CHECK(memcmp(der.data, "before", 6) == 0);
	CHECK(crl_parse(der.data + 6, der.len - 6, &crl, &err) == 0);
	CHECK(crl_check_signature(&crl, &s->signer.pub, &err) == 0);
	CHECK(crl_check_signature(&crl, &other->signer.pub, &err) == -1);
	CHECK(err.code == FAIL_INVALID);
	CHECK(strncmp(err.msg, "crl: RFC 5280 5.1.1.3: ", 23) == 0);
	buf_free(&der);
	softsign_free(s);
	softsign_free(other);
}

static const struct test_case cases[] = {
	{ "same octets as libcrypto", crl_like_libcrypto },
	{ "an entry by hand", crl_entry_octets },
	{ "largest entry", crl_entry_largest },
	{ "counts of entries", crl_counts },
	{ "boundaries of DER lengths", crl_boundaries },
	{ "P-384", crl_p384 },
	{ "signer fails", crl_signer_fails },
};

TEST_MAIN("crl", cases)
