/*
 * The files of manufacturers' anchors and CRLs: what is read and what is refused.
 */
#include "anchor_world.h"
#include "smki/anchor.h"
#include "test.h"

static const struct new_row {
	const char *name;
	const char
	    *certs; /* letters of anchor_world.h, 'k' a private key, 'z' a CRL, 'c' cut short */
	const char *crls; /* 'z' a CRL, 'u' one without nextUpdate, 'L' a certificate, text */
	const char *want;
} new_rows[] = {
	{ "one", "R", "", NULL },
	{ "one and a CRL", "R", "z", NULL },
	{ "sixteen", "RRRRRRRRRRRRRRRR", "", NULL },
	{ "seventeen", "RRRRRRRRRRRRRRRRR", "", "more than 16 certificates" },
	{ "none", "", "", "anchors: no certificate in PEM there" },
	{ "text", "?", "", "anchors: no certificate in PEM there" },
	{ "text around", "?R?", "", NULL },
	{ "a device", "L", "", "anchors: RFC 5280 4.2.1.9: a certificate is not a CA's" },
	{ "a CA without basicConstraints", "Rp", "", "is not a CA's" },
	{ "a private key", "Rk", "", "RFC 7468 4: a PEM block is not a plain \"CERTIFICATE\"" },
	{ "a CRL among them", "Rz", "", "is not a plain \"CERTIFICATE\"" },
	{ "cut short", "Rc", "", "RFC 7468 3: a PEM block cannot be read" },
	{ "not a certificate", "n", "", "anchors: RFC 5280 4.1: a certificate cannot be read" },
	{ "octets behind", "b", "", "anchors: RFC 5280 4.1: a certificate cannot be read" },
	{ "CRL is text", "R", "?", "crl: no CRL in PEM there" },
	{ "CRL is a certificate", "R", "R", "is not a plain \"X509 CRL\"" },
	{ "CRL without an end", "R", "u", "crl: RFC 5280 5.1.2.5: a CRL has no nextUpdate" },
	{ "CRL is none", "R", "N", "crl: RFC 5280 5.1: a CRL cannot be read" },
	{ "sixteen CRLs", "R", "zzzzzzzzzzzzzzzz", NULL },
	{ "seventeen CRLs", "R", "zzzzzzzzzzzzzzzzz", "more than 16 CRLs" },
};

static void
new_pem(char letter, const X509 *leaf, struct buf *pem)
{
	struct buf der = { 0 };
	X509_CRL *crl;

	switch (letter) {
	case '?':
		buf_add_str(pem, "Hello\n");
		return;
	case 'k':
		pem_encode("PRIVATE KEY", (const uint8_t *)"\x30\x00", 2, pem);
		return;
	case 'n':
		pem_encode("CERTIFICATE", (const uint8_t *)"\x30\x00", 2, pem);
		return;
	case 'N':
		pem_encode("X509 CRL", (const uint8_t *)"\x30\x00", 2, pem);
		return;
	case 'b':
		idevid_der(world.root, &der);
		buf_add_u8(&der, 0);
		pem_encode("CERTIFICATE", der.data, der.len, pem);
		buf_free(&der);
		return;
	case 'c':
		idevid_pem(world.mid, pem);
		pem->len -= 40;
		return;
	case 'z':
	case 'u':
		crl = idevid_crl(world.root, world.root_key, 1, T0, letter == 'z' ? T0 + DAY : 0);
		idevid_crl_pem(crl, pem);
		X509_CRL_free(crl);
		return;
	}
	idevid_pem(world_letter(letter, leaf), pem);
}

static void
test_new(void)
{
	struct idevid_spec device = { .cn = "meter",
		.key = world.leaf_key,
		.issuer = world.mid,
		.issuer_key = world.mid_key,
		.san = IDEVID_SAN,
		.from = T0 - DAY };
	X509 *leaf = idevid_new(&device);
	struct anchor *anchor;
	struct err err;

	for (size_t i = 0; i < ARRAY_LEN(new_rows); i++) {
		const struct new_row *row = &new_rows[i];
		struct buf pem = { 0 }, crl = { 0 };
		int r;

		for (const char *p = row->certs; *p != '\0'; p++)
			new_pem(*p, leaf, &pem);
		for (const char *p = row->crls; *p != '\0'; p++)
			new_pem(*p, leaf, &crl);
		err.msg[0] = '\0';
		anchor = NULL;
		r = anchor_new(
		    "acme", ANCHOR_EUI_SAN, buf_span(&pem), buf_span(&crl), &anchor, &err);
		CHECK_ROW(row->name, (r == 0) == (row->want == NULL) && (anchor != NULL) == !r);
		if (row->want != NULL) {
			CHECK_ROW(row->name, err.code == FAIL_INVALID);
			CHECK_ROW(row->name, strncmp(err.msg, "manufacturer acme: ", 19) == 0);
			CHECK_ROW(row->name, strstr(err.msg, row->want) != NULL);
		}
		anchor_free(anchor);
		buf_free(&pem);
		buf_free(&crl);
	}
	X509_free(leaf);
}

/* A file of the largest size is read, one octet more is not; names are checked. */
static void
test_bounds(void)
{
	struct anchor *anchor = NULL;
	struct buf large = { 0 };
	struct err err;

	idevid_pem(world.root, &large);
	while (large.len < ANCHOR_FILE_MAX)
		buf_add_u8(&large, '\n');
	CHECK(anchor_new("acme", ANCHOR_EUI_SAN, buf_span(&large), (struct span){ NULL, 0 },
		  &anchor, &err) == 0);
	anchor_free(anchor);
	buf_add_u8(&large, '\n');
	CHECK(anchor_new("acme", ANCHOR_EUI_SAN, buf_span(&large), (struct span){ NULL, 0 },
		  &anchor, &err) == -1);
	CHECK(strstr(err.msg, "larger than") != NULL);
	CHECK(anchor_new("../acme", ANCHOR_EUI_SAN, buf_span(&large), (struct span){ NULL, 0 },
		  &anchor, &err) == -1);
	buf_free(&large);
}

static const struct test_case cases[] = {
	{ "certificates of manufacturers", world_begin },
	{ "files of anchors and CRLs", test_new },
	{ "bounds", test_bounds },
	{ "all is given back", world_end },
};

TEST_MAIN("anchor_file", cases)
