/*
 * Manufacturers' anchors: which chains prove a meter, and what refuses the others. Chains are made
 * with libcrypto; the corpus holds those of the table, an anchor in front of each.
 */
#include <pthread.h>

#include "anchor_world.h"
#include "corpus.h"
#include "smki/anchor.h"
#include "smki/der.h"

enum leaf_key { KEY_P256, KEY_P384, KEY_P521, KEY_ED25519, KEY_RSA, KEY_ITSELF };
enum crl { CRL_NONE, CRL_GOOD, CRL_REVOKED, CRL_STALE, CRL_EARLY, CRL_OTHER, CRL_FORGED };

/* anchors and chain: the letters of anchor_world.h; in a chain 't' and 'x' for a device's and
 * intermediate's with an octet behind, 'g' garbage. */
static const struct row {
	const char *name;
	const char *chain, *anchors;
	const char *want; /* NULL = proven */
	enum refusal why;
	const char *usage, *san, *san2, *serial, *serial2;
	enum leaf_key key;
	enum crl crl;
	int eku, eku2;
	long from, to; /* days from T0; 0 = a day before, no end */
	bool ca, forged, by_serial;
} rows[] = {
	{ "root and intermediate", "LM", "R", .san = IDEVID_SAN },
	{ "whole path with the root", "LMR", "R", .san = IDEVID_SAN },
	{ "intermediates in any order", "LRM", "R", .san = IDEVID_SAN },
	{ "strangers certificates beside", "LOMP", "R", .san = IDEVID_SAN },
	{ "an intermediate as anchor", "L", "M", .san = IDEVID_SAN },
	{ "an intermediate as anchor and sent", "LM", "M", .san = IDEVID_SAN },
	{ "two anchors", "L", "RM", .san = IDEVID_SAN },
	{ "anchors of two roots", "LM", "OR", .san = IDEVID_SAN },
	{ "ends tomorrow", "LM", "R", .san = IDEVID_SAN, .to = 1 },
	{ "for clients", "LM", "R", .san = IDEVID_SAN, .eku = NID_client_auth },
	{ "for signatures", "LM", "R", .san = IDEVID_SAN, .usage = "03020780" },
	{ "for signatures and key agreement", "LM", "R", .san = IDEVID_SAN, .usage = "03020388" },
	{ "for clients and servers", "LM", "R", .san = IDEVID_SAN, .eku = NID_server_auth,
	    .eku2 = NID_client_auth },
	{ "other names beside", "LM", "R", .san = "302f" IDEVID_NAME "820361622e8600820161" },
	{ "another otherName beside", "LM", "R",
	    .san = "3039a01206082b06010505070807a0060c04612e6262" IDEVID_NAME },
	{ "key on P-384", "LM", "R", .san = IDEVID_SAN, .key = KEY_P384 },
	{ "key on P-521", "LM", "R", .san = IDEVID_SAN, .key = KEY_P521 },
	{ "key of Ed25519", "LM", "R", .san = IDEVID_SAN, .key = KEY_ED25519 },
	{ "serialNumber", "LM", "R", .serial = "00DB123456780001", .by_serial = true },
	{ "serialNumber in lower case", "LM", "R", .serial = "00db123456780001",
	    .by_serial = true },
	{ "serialNumber and a name", "LM", "R", .serial = "00DB123456780001", .san = "30048202abcd",
	    .by_serial = true },
	{ "not on the list", "LM", "R", .san = IDEVID_SAN, .crl = CRL_GOOD },
	{ "not on the list of the anchor", "L", "M", .san = IDEVID_SAN, .crl = CRL_GOOD },

	{ "intermediate missing", "L", "R", "does not lead to an anchor", REFUSAL_ANCHOR,
	    .san = IDEVID_SAN },
	{ "of another manufacturer", "LM", "O", "does not lead to an anchor of manufacturer acme",
	    REFUSAL_ANCHOR, .san = IDEVID_SAN },
	{ "root sent but not trusted", "LMR", "O", "does not lead to", REFUSAL_ANCHOR,
	    .san = IDEVID_SAN },
	{ "self-signed", "L", "R", "does not lead to", REFUSAL_ANCHOR, .san = IDEVID_SAN,
	    .key = KEY_ITSELF },
	{ "forged", "LM", "R", "does not lead to", REFUSAL_ANCHOR, .san = IDEVID_SAN,
	    .forged = true },
	{ "forged with its issuer", "LF", "R", "does not lead to", REFUSAL_ANCHOR,
	    .san = IDEVID_SAN, .forged = true },
	{ "forged and ended", "LM", "R", "does not lead to", REFUSAL_ANCHOR, .san = IDEVID_SAN,
	    .forged = true, .from = -3, .to = -1 },
	{ "forged and revoked", "LM", "R", "does not lead to", REFUSAL_ANCHOR, .san = IDEVID_SAN,
	    .forged = true, .crl = CRL_REVOKED },
	{ "forged for servers", "LM", "R", "does not lead to", REFUSAL_ANCHOR, .san = IDEVID_SAN,
	    .forged = true, .eku = NID_server_auth },
	{ "issuer without basicConstraints", "Lp", "R", "does not lead to", REFUSAL_ANCHOR,
	    .san = IDEVID_SAN },

	{ "ended", "LM", "R", "expired", REFUSAL_CERTIFICATE, .san = IDEVID_SAN, .from = -3,
	    .to = -1 },
	{ "not yet valid", "LM", "R", "not yet valid", REFUSAL_CERTIFICATE, .san = IDEVID_SAN,
	    .from = 1 },
	{ "intermediate ended", "Lm", "R", "expired", REFUSAL_CERTIFICATE, .san = IDEVID_SAN },
	{ "anchor ended", "LM", "r", "expired", REFUSAL_CERTIFICATE, .san = IDEVID_SAN },
	{ "for servers only", "LM", "R", "purpose", REFUSAL_CERTIFICATE, .san = IDEVID_SAN,
	    .eku = NID_server_auth },
	{ "for key agreement only", "LM", "R",
	    "RFC 5280 4.2.1.3: manufacturer acme: its key is not for signatures",
	    REFUSAL_CERTIFICATE, .san = IDEVID_SAN, .usage = "03020308" },
	{ "small key", "LM", "R", "key too weak", REFUSAL_CERTIFICATE, .san = IDEVID_SAN,
	    .key = KEY_RSA },
	{ "a CA", "LM", "R", "RFC 5280 4.2.1.9: manufacturer acme: a CA is not a device",
	    REFUSAL_CERTIFICATE, .san = IDEVID_SAN, .ca = true },
	{ "the intermediate first", "ML", "R", "purpose", REFUSAL_CERTIFICATE, .san = IDEVID_SAN },
	{ "the anchor itself", "R", "R", "purpose", REFUSAL_CERTIFICATE, .san = IDEVID_SAN },
	{ "an anchor that is an intermediate itself", "M", "M", "purpose", REFUSAL_CERTIFICATE,
	    .san = IDEVID_SAN },
	{ "an anchor of all purposes itself", "N", "N", "a CA is not", REFUSAL_CERTIFICATE,
	    .san = IDEVID_SAN },
	{ "revoked", "LM", "R", "revoked", REFUSAL_CERTIFICATE, .san = IDEVID_SAN,
	    .crl = CRL_REVOKED },
	{ "list has ended", "LM", "R", "CRL has expired", REFUSAL_CERTIFICATE, .san = IDEVID_SAN,
	    .crl = CRL_STALE },
	{ "list is not yet valid", "LM", "R", "CRL is not yet valid", REFUSAL_CERTIFICATE,
	    .san = IDEVID_SAN, .crl = CRL_EARLY },
	{ "list of another", "LM", "R", "unable to get certificate CRL", REFUSAL_CERTIFICATE,
	    .san = IDEVID_SAN, .crl = CRL_OTHER },
	{ "list forged", "LM", "R", "CRL signature failure", REFUSAL_CERTIFICATE, .san = IDEVID_SAN,
	    .crl = CRL_FORGED },

	{ "no names", "LM", "R", "RFC 4108 5: manufacturer acme: subjectAltName does not hold",
	    REFUSAL_CERTIFICATE, .serial = "00DB123456780001" },
	{ "another name only", "LM", "R", "exactly one HardwareModuleName", REFUSAL_CERTIFICATE,
	    .san = "30048202abcd" },
	{ "two modules", "LM", "R", "exactly one HardwareModuleName", REFUSAL_CERTIFICATE,
	    .san = "304a" IDEVID_NAME IDEVID_NAME },
	{ "two extensions", "LM", "R", "RFC 5280 4.2: an extension is", REFUSAL_FORM,
	    .san = IDEVID_SAN, .san2 = IDEVID_SAN },
	{ "names are none", "LM", "R", "RFC 5280 4.2: an extension is", REFUSAL_FORM,
	    .san = "0500" },
	{ "seven octets", "LM", "R", "hwSerialNum is not", REFUSAL_CERTIFICATE,
	    .san = "3024a02206082b06010505070804a016301406092b0601040181fd5901040700db1234567800" },
	{ "nine octets", "LM", "R", "hwSerialNum is not", REFUSAL_CERTIFICATE,
	    .san = "3026a02406082b06010505070804a018301606092b0601040181fd5901040900db123456780001"
		   "02" },
	{ "all zero", "LM", "R", "EUI-64 is all zero", REFUSAL_CERTIFICATE,
	    .san =
		"3025a02306082b06010505070804a017301506092b0601040181fd590104080000000000000000" },
	{ "text for octets", "LM", "R", "exactly one HardwareModuleName", REFUSAL_CERTIFICATE,
	    .san =
		"3025a02306082b06010505070804a017301506092b0601040181fd59010c083030646231323334" },
	{ "octets behind the module", "LM", "R", "exactly one HardwareModuleName",
	    REFUSAL_CERTIFICATE,
	    .san = "3027a02506082b06010505070804a019301706092b0601040181fd5901040800db123456780001"
		   "0500" },

	{ "no serialNumber", "LM", "R", "X.520 6.2.9: manufacturer acme: subject does not hold",
	    REFUSAL_CERTIFICATE, .san = IDEVID_SAN, .by_serial = true },
	{ "two serialNumbers", "LM", "R", "exactly one serialNumber", REFUSAL_CERTIFICATE,
	    .serial = "00DB123456780001", .serial2 = "00DB123456780002", .by_serial = true },
	{ "fifteen digits", "LM", "R", "16 hexadecimal digits", REFUSAL_CERTIFICATE,
	    .serial = "00DB12345678000", .by_serial = true },
	{ "seventeen digits", "LM", "R", "16 hexadecimal digits", REFUSAL_CERTIFICATE,
	    .serial = "00DB1234567800010", .by_serial = true },
	{ "separators", "LM", "R", "16 hexadecimal digits", REFUSAL_CERTIFICATE,
	    .serial = "00-DB-12-34-5678", .by_serial = true },
	{ "separators beside all digits", "LM", "R", "16 hexadecimal digits", REFUSAL_CERTIFICATE,
	    .serial = "00-DB-12-34-56-78-00-01", .by_serial = true },
	{ "no digits", "LM", "R", "16 hexadecimal digits", REFUSAL_CERTIFICATE,
	    .serial = "00DB12345678000G", .by_serial = true },
	{ "serialNumber all zero", "LM", "R", "EUI-64 is all zero", REFUSAL_CERTIFICATE,
	    .serial = "0000000000000000", .by_serial = true },

	{ "octet behind the device", "tM", "R", "number 1 of the chain", REFUSAL_FORM,
	    .san = IDEVID_SAN },
	{ "octet behind the intermediate", "Lx", "R", "number 2 of the chain", REFUSAL_FORM,
	    .san = IDEVID_SAN },
	{ "garbage", "g", "R", "number 1 of the chain", REFUSAL_FORM, .san = IDEVID_SAN },
	{ "garbage behind", "LMg", "R", "number 3 of the chain", REFUSAL_FORM, .san = IDEVID_SAN },
	{ "seven certificates", "LMRMRMR", "R", "chain of 7", REFUSAL_FORM, .san = IDEVID_SAN },
};

static EVP_PKEY *
row_key(const struct row *row)
{
	switch (row->key) {
	case KEY_P256:
	case KEY_ITSELF:
		return world.leaf_key;
	case KEY_P384:
		return world.p384;
	case KEY_P521:
		return world.p521;
	case KEY_ED25519:
		return world.ed25519;
	case KEY_RSA:
		return world.rsa;
	}
	return NULL;
}

static X509 *
row_leaf(const struct row *row)
{
	struct idevid_spec spec = { .cn = "meter",
		.serial_number = row->serial,
		.serial_number2 = row->serial2,
		.key = row_key(row),
		.issuer = row->key == KEY_ITSELF ? NULL : world.mid,
		.issuer_key = row->key == KEY_ITSELF ? world.leaf_key
			      : row->forged	     ? world.other_key
						     : world.mid_key,
		.ca = row->ca,
		.usage = row->usage,
		.san = row->san,
		.san2 = row->san2,
		.eku = row->eku,
		.eku2 = row->eku2,
		.number = 1234,
		.from = T0 + (row->from != 0 ? row->from : -1) * DAY,
		.to = row->to != 0 ? T0 + row->to * DAY : 0 };

	return idevid_new(&spec);
}

static void
row_crl(const struct row *row, struct buf *pem)
{
	X509_CRL *crl;
	X509 *issuer = row->crl == CRL_OTHER ? world.other : world.mid;
	EVP_PKEY *key = row->crl == CRL_OTHER || row->crl == CRL_FORGED ? world.other_key
									: world.mid_key;

	if (row->crl == CRL_NONE)
		return;
	crl = idevid_crl(issuer, key, row->crl == CRL_REVOKED ? 1234 : 1235,
	    row->crl == CRL_EARLY ? T0 + 1 : T0 - 3 * DAY,
	    row->crl == CRL_STALE ? T0 - 1 : T0 + 3 * DAY);
	idevid_crl_pem(crl, pem);
	X509_CRL_free(crl);
}

#define CHAIN_LETTERS 8

/* The chain of a row, each certificate in a buffer of its own. */
static size_t
row_chain(const struct row *row, struct buf der[CHAIN_LETTERS], struct span chain[CHAIN_LETTERS])
{
	X509 *leaf = row_leaf(row);
	size_t n = strlen(row->chain);

	require(n <= CHAIN_LETTERS);
	for (size_t i = 0; i < n; i++) {
		char letter = row->chain[i];

		if (letter == 'g')
			buf_add_str(&der[i], "0\x05garbage");
		else
			idevid_der(world_letter(letter, leaf), &der[i]);
		if (letter == 't' || letter == 'x')
			buf_add_u8(&der[i], 0);
		chain[i] = buf_span(&der[i]);
	}
	X509_free(leaf);
	return n;
}

static void
row_check(const struct row *row, const struct anchor *anchor, const struct span *chain, size_t n)
{
	static const uint8_t eui[] = { 0x00, 0xdb, 0x12, 0x34, 0x56, 0x78, 0x00, 0x01 };
	struct idevid id, untouched;
	enum refusal why = REFUSAL_NONE;
	struct err err = { .msg = "" };
	int r;

	memset(&id, 0x55, sizeof(id));
	untouched = id;
	r = anchor_verify(anchor, chain, n, T0, &id, &why, &err);
	if ((row->want == NULL) != (r == 0) ||
	    (row->want != NULL && strstr(err.msg, row->want) == NULL))
		fprintf(
		    stderr, "  \"%s\", want \"%s\"\n", err.msg, row->want != NULL ? row->want : "");
	if (row->want != NULL) {
		CHECK_ROW(row->name, r == -1 && why == row->why);
		CHECK_ROW(
		    row->name, err.code == (row->why == REFUSAL_FORM ? FAIL_INVALID : FAIL_DENIED));
		CHECK_ROW(row->name, strstr(err.msg, row->want) != NULL);
		CHECK_ROW(row->name, memcmp(&id, &untouched, sizeof(id)) == 0);
		return;
	}
	CHECK_ROW(row->name, r == 0);
	CHECK_ROW(row->name, memcmp(id.eui.octets, eui, sizeof(eui)) == 0);
	CHECK_ROW(row->name, id.has_hw_type == !row->by_serial);
	CHECK_ROW(row->name, strcmp(id.hw_type, row->by_serial ? "" : "1.3.6.1.4.1.32473.1") == 0);
	CHECK_ROW(row->name, id.has_pub == (row->key == KEY_P256 || row->key == KEY_P384));
	CHECK_ROW(
	    row->name, !id.has_pub || id.pub.curve == (row->key == KEY_P384 ? EC_P384 : EC_P256));
}

static void
test_chains(void)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *row = &rows[i];
		struct buf pem = { 0 }, crl = { 0 }, der[CHAIN_LETTERS] = { 0 };
		struct span chain[CHAIN_LETTERS];
		struct anchor *anchor = NULL;
		struct err err = { .msg = "" };
		size_t n = row_chain(row, der, chain);

		for (const char *p = row->anchors; *p != '\0'; p++)
			idevid_pem(world_letter(*p, NULL), &pem);
		row_crl(row, &crl);
		if (anchor_new("acme", row->by_serial ? ANCHOR_EUI_SERIAL_NUMBER : ANCHOR_EUI_SAN,
			buf_span(&pem), buf_span(&crl), &anchor, &err) != 0)
			fprintf(stderr, "  %s\n", err.msg);
		CHECK_ROW(row->name, anchor != NULL);
		if (anchor != NULL) {
			CHECK_STR(anchor_manufacturer(anchor), "acme");
			row_check(row, anchor, chain, n);
		}
		anchor_free(anchor);
		buf_free(&pem);
		buf_free(&crl);
		for (size_t k = 0; k < n; k++)
			buf_free(&der[k]);
	}
	anchor_free(NULL);
	anchor_chain_free(NULL);
}

/* The root as the anchor; the caller frees. */
static struct anchor *
root_anchor(void)
{
	struct buf pem = { 0 };
	struct anchor *anchor = NULL;

	idevid_pem(world.root, &pem);
	require(anchor_new("acme", ANCHOR_EUI_SAN, buf_span(&pem), (struct span){ NULL, 0 },
		    &anchor, NULL) == 0);
	buf_free(&pem);
	return anchor;
}

/* Sizes at their bounds, and the times at which a certificate begins and ends. */
static void
test_bounds(void)
{
	static const struct row row = { "bounds", "LM", "R", .san = IDEVID_SAN, .from = -1,
		.to = 1 };
	static const struct {
		const char *name;
		time_t now;
		int r;
	} times[] = {
		{ "before", T0 - DAY - 1, -1 },
		{ "first second", T0 - DAY, 0 },
		{ "near the end", T0 + DAY - 1, 0 },
		{ "after", T0 + DAY + 1, -1 },
	};
	struct anchor *anchor = root_anchor();
	struct buf der[CHAIN_LETTERS] = { 0 }, large = { 0 };
	struct span chain[CHAIN_LETTERS];
	size_t n = row_chain(&row, der, chain);
	enum refusal why;
	struct idevid id;
	struct err err;

	for (size_t i = 0; i < ARRAY_LEN(times); i++)
		CHECK_ROW(times[i].name,
		    anchor_verify(anchor, chain, n, times[i].now, &id, &why, &err) == times[i].r);
	CHECK(anchor_verify(anchor, chain, 0, T0, &id, &why, &err) == -1);
	CHECK(why == REFUSAL_FORM && err.code == FAIL_INVALID);
	chain[1].len = 0;
	CHECK(anchor_verify(anchor, chain, n, T0, &id, &why, &err) == -1 && why == REFUSAL_FORM);
	/* One octet too large: refused for that, whatever it is. */
	buf_add(&large, "\x30\x82\x1f\xfd", 4);
	while (large.len < ANCHOR_CERT_MAX + 1)
		buf_add_u8(&large, 0);
	chain[1] = buf_span(&large);
	CHECK(anchor_verify(anchor, chain, n, T0, &id, &why, &err) == -1 && why == REFUSAL_FORM);
	anchor_free(anchor);
	buf_free(&large);
	for (size_t i = 0; i < n; i++)
		buf_free(&der[i]);
}

/* Which of its files has ended, the first of several. */
static void
test_ends(void)
{
	static const struct {
		const char *name;
		const char *anchors;
		enum crl crl;
		time_t now;
		const char *want; /* NULL = nothing has ended */
	} ends[] = {
		{ "nothing ends", "RM", CRL_NONE, T0 + 9000 * (time_t)DAY, NULL },
		{ "before the end", "Rr", CRL_NONE, T0 - 2, NULL },
		{ "at the end", "Rr", CRL_NONE, T0 - 1, "manufacturer acme: anchors: " },
		{ "the one that ends first", "rR", CRL_NONE, T0,
		    "has ended at 2026-09-21T14:13:19Z" },
		{ "a list goes on", "R", CRL_GOOD, T0, NULL },
		{ "a list has ended", "R", CRL_STALE, T0,
		    "manufacturer acme: crl: a CRL has ended" },
		{ "both have", "r", CRL_STALE, T0, "anchors: " },
	};

	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		const struct row row = { .crl = ends[i].crl };
		struct anchor *anchor = NULL;
		struct buf pem = { 0 }, crl = { 0 };
		struct err err = { .msg = "" };
		int r;

		for (const char *letter = ends[i].anchors; *letter != '\0'; letter++)
			idevid_pem(world_letter(*letter, NULL), &pem);
		row_crl(&row, &crl);
		require(anchor_new("acme", ANCHOR_EUI_SAN, buf_span(&pem), buf_span(&crl), &anchor,
			    NULL) == 0);
		r = anchor_check_ends(anchor, ends[i].now, &err);
		CHECK_ROW(ends[i].name, ends[i].want == NULL
					    ? r == 0
					    : r == -1 && err.code == FAIL_UNAVAILABLE &&
						  strstr(err.msg, ends[i].want) != NULL);
		anchor_free(anchor);
		buf_free(&pem);
		buf_free(&crl);
	}
}

static void *
thread_verify(void *arg)
{
	static const struct row row = { "thread", "LM", "R", .san = IDEVID_SAN };
	struct buf der[CHAIN_LETTERS] = { 0 };
	struct span chain[CHAIN_LETTERS];
	size_t n = row_chain(&row, der, chain);
	intptr_t bad = 0;

	for (int i = 0; i < 8; i++) {
		enum refusal why;
		struct idevid id;

		bad += anchor_verify(arg, chain, n, T0, &id, &why, NULL) != 0;
	}
	for (size_t i = 0; i < n; i++)
		buf_free(&der[i]);
	return (void *)bad;
}

/* One anchor serves all threads. */
static void
test_threads(void)
{
	struct anchor *anchor = root_anchor();
	pthread_t threads[4];
	void *bad;

	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		require(pthread_create(&threads[i], NULL, thread_verify, anchor) == 0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
		require(pthread_join(threads[i], &bad) == 0);
		CHECK(bad == NULL);
	}
	anchor_free(anchor);
}

/* A file of the corpus: the anchor, then the chain; what is no element ends it. */
static int
corpus_read(const uint8_t *data, size_t len)
{
	struct der d = der_from(data, len);
	struct span chain[CHAIN_LETTERS], one;
	struct buf pem = { 0 };
	struct anchor *anchor = NULL;
	enum refusal why;
	struct idevid id;
	size_t n = 0;
	int r = -1;

	if (der_get_any(&d, NULL, NULL, &one) != 0)
		return -1;
	pem_encode("CERTIFICATE", one.p, one.len, &pem);
	for (; !der_end(&d) && n < CHAIN_LETTERS; n++)
		if (der_get_any(&d, NULL, NULL, &chain[n]) != 0) {
			chain[n] = der_span(&d);
			d = der_from(NULL, 0);
		}
	if (anchor_new("acme", ANCHOR_EUI_SAN, buf_span(&pem), (struct span){ NULL, 0 }, &anchor,
		NULL) == 0)
		r = anchor_verify(anchor, chain, n, T0, &id, &why, NULL);
	anchor_free(anchor);
	buf_free(&pem);
	return r;
}

static void
test_corpus(void)
{
	corpus_check("anchor", corpus_read);
}

static void
write_corpus(void)
{
	world_make();
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *row = &rows[i];
		struct buf der[CHAIN_LETTERS] = { 0 }, all = { 0 };
		struct span chain[CHAIN_LETTERS];
		size_t n = row_chain(row, der, chain);

		/* A file has no place for a second anchor, a CRL or another rule. */
		if (row->anchors[1] == '\0' && row->crl == CRL_NONE && !row->by_serial) {
			idevid_der(world_letter(row->anchors[0], NULL), &all);
			for (size_t k = 0; k < n; k++)
				buf_add(&all, der[k].data, der[k].len);
			corpus_write("anchor", row->want == NULL, row->name, &all);
		}
		buf_free(&all);
		for (size_t k = 0; k < n; k++)
			buf_free(&der[k]);
	}
	world_free();
}

static const struct test_case cases[] = {
	{ "certificates of manufacturers", world_begin },
	{ "chains prove a device or are refused", test_chains },
	{ "bounds of sizes and times", test_bounds },
	{ "what has ended", test_ends },
	{ "one anchor, many threads", test_threads },
	{ "corpus", test_corpus },
	{ "all is given back", world_end },
};

CORPUS_MAIN("anchor", cases, write_corpus)
