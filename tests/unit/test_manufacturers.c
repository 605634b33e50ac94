/*
 * The manufacturers of a home: what the file may say, the files it names, and whose a chain is.
 */
#include "folder.h"
#include "idevid.h"
#include "smki/manufacturers.h"
#include "test.h"

/* The time of all tests: 20260921141320Z. */
#define T0 ((time_t)1790000000)
#define DAY 86400

static struct home home;

/* Two manufacturers' roots, and devices of the first. */
static struct {
	EVP_PKEY *acme_key, *bolt_key, *leaf_key;
	X509 *acme, *bolt, *leaf, *ended, *stranger;
	struct buf acme_pem, bolt_pem, acme_crl;
} world;

static X509 *
world_cert(const char *cn, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key, time_t to)
{
	struct idevid_spec spec = { .cn = cn,
		.key = key,
		.issuer = issuer,
		.issuer_key = issuer_key,
		.ca = issuer == NULL,
		.cert_sign = issuer == NULL,
		.san = issuer == NULL ? NULL : IDEVID_SAN,
		.number = 5,
		.from = T0 - DAY,
		.to = to };

	return idevid_new(&spec);
}

static void
world_make(void)
{
	X509_CRL *crl;

	world.acme_key = EVP_EC_gen("P-256");
	world.bolt_key = EVP_EC_gen("P-256");
	world.leaf_key = EVP_EC_gen("P-256");
	world.acme = world_cert("acme", world.acme_key, NULL, world.acme_key, 0);
	world.bolt = world_cert("bolt", world.bolt_key, NULL, world.bolt_key, 0);
	world.leaf = world_cert("m", world.leaf_key, world.acme, world.acme_key, 0);
	world.ended = world_cert("m", world.leaf_key, world.acme, world.acme_key, T0 - 1);
	world.stranger = world_cert("m", world.leaf_key, world.acme, world.leaf_key, 0);
	idevid_pem(world.acme, &world.acme_pem);
	idevid_pem(world.bolt, &world.bolt_pem);
	crl = idevid_crl(world.acme, world.acme_key, 5, T0 - DAY, T0 + DAY);
	idevid_crl_pem(crl, &world.acme_crl);
	X509_CRL_free(crl);
}

static void
world_free(void)
{
	X509 *certs[] = { world.acme, world.bolt, world.leaf, world.ended, world.stranger };

	for (size_t i = 0; i < ARRAY_LEN(certs); i++)
		X509_free(certs[i]);
	EVP_PKEY_free(world.acme_key);
	EVP_PKEY_free(world.bolt_key);
	EVP_PKEY_free(world.leaf_key);
	buf_free(&world.acme_pem);
	buf_free(&world.bolt_pem);
	buf_free(&world.acme_crl);
}

static void
make_folder(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	require(mkdir(path, 0755) == 0);
}

static void
write_conf(const char *text)
{
	write_file("policies/manufacturers.cnf", text, strlen(text), 0644);
}

static void
test_begin(void)
{
	world_make();
	strcpy(home.dir, folder);
	make_folder("policies");
	make_folder("policies/anchors");
	write_file("policies/anchors/acme.pem", world.acme_pem.data, world.acme_pem.len, 0644);
	write_file("policies/anchors/bolt.pem", world.bolt_pem.data, world.bolt_pem.len, 0444);
	write_file("policies/anchors/acme.crl", world.acme_crl.data, world.acme_crl.len, 0644);
	write_file("policies/anchors/empty", "", 0, 0644);
	write_file("policies/anchors/open.pem", world.acme_pem.data, world.acme_pem.len, 0664);
	write_file("policies/anchors/text.pem", "text\n", 5, 0644);
	CHECK(world.leaf != NULL);
}

static void
test_end(void)
{
	static const char *const files[] = { "acme.pem", "bolt.pem", "acme.crl", "empty",
		"open.pem", "text.pem" };
	char path[64];

	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		snprintf(path, sizeof(path), "policies/anchors/%s", files[i]);
		remove_file(path);
	}
	remove_file("policies/anchors");
	remove_file("policies");
	world_free();
}

#define ACME "[manufacturer acme]\nanchors = anchors/acme.pem\neui64 = san\n"
#define BOLT "[manufacturer bolt]\nanchors = anchors/bolt.pem\neui64 = serialNumber\n"

static const struct load_row {
	const char *name, *text;
	const char *want; /* NULL = loads */
	enum err_code code;
	size_t n;
} load_rows[] = {
	{ "empty", "", NULL, 0, 0 },
	{ "comments", "# [manufacturer acme]\n", NULL, 0, 0 },
	{ "one", ACME, NULL, 0, 1 },
	{ "two", ACME BOLT, NULL, 0, 2 },
	{ "with a CRL", ACME "crl = anchors/acme.crl\n", NULL, 0, 1 },
	{ "dots", "[manufacturer a]\nanchors = ./anchors//acme.pem\neui64 = san\n", NULL, 0, 1 },
	{ "no anchors", "[manufacturer acme]\neui64 = san\n",
	    "[manufacturer acme] anchors is missing", FAIL_INVALID, 0 },
	{ "no rule", "[manufacturer acme]\nanchors = anchors/acme.pem\n",
	    "[manufacturer acme] eui64 is missing", FAIL_INVALID, 0 },
	{ "another rule", "[manufacturer acme]\nanchors = anchors/acme.pem\neui64 = cn\n",
	    "manufacturer acme: eui64 = cn: not san or serialNumber", FAIL_INVALID, 0 },
	{ "nothing in it", "[manufacturer acme]\n", "anchors is missing", FAIL_INVALID, 0 },
	{ "another key", ACME "colour = red\n", "colour is not a known key", FAIL_INVALID, 0 },
	{ "another section", "[profile]\nkind = device\n", "[profile] is not a known", FAIL_INVALID,
	    0 },
	{ "no name", "[manufacturer]\nanchors = x\n", "is not a known section", FAIL_INVALID, 0 },
	{ "bad name", "[manufacturer 1]\nanchors = anchors/acme.pem\neui64 = san\n",
	    "manufacturer: name \"1\" does not begin", FAIL_INVALID, 0 },
	{ "absolute", "[manufacturer acme]\nanchors = /etc/passwd\neui64 = san\n",
	    "manufacturer acme: anchors = /etc/passwd: not a path relative to the policies",
	    FAIL_INVALID, 0 },
	{ "out of the folder", "[manufacturer acme]\nanchors = ../smki.conf\neui64 = san\n",
	    "not a path relative", FAIL_INVALID, 0 },
	{ "out of it further on", "[manufacturer acme]\nanchors = anchors/../../x\neui64 = san\n",
	    "not a path relative", FAIL_INVALID, 0 },
	{ "out of it at the end", "[manufacturer acme]\nanchors = anchors/..\neui64 = san\n",
	    "not a path relative", FAIL_INVALID, 0 },
	{ "no path", "[manufacturer acme]\nanchors =\neui64 = san\n", "not a path relative",
	    FAIL_INVALID, 0 },
	{ "CRL out of it", ACME "crl = /tmp/crl\n", "manufacturer acme: crl = /tmp/crl: not a path",
	    FAIL_INVALID, 0 },
	{ "not there", "[manufacturer acme]\nanchors = anchors/none.pem\neui64 = san\n",
	    "manufacturer acme: /", FAIL_NOT_FOUND, 0 },
	{ "a folder", "[manufacturer acme]\nanchors = anchors\neui64 = san\n",
	    "is not a regular file", FAIL_DENIED, 0 },
	{ "writable by the group", "[manufacturer acme]\nanchors = anchors/open.pem\neui64 = san\n",
	    "is writable by group or others", FAIL_DENIED, 0 },
	{ "empty file", "[manufacturer acme]\nanchors = anchors/empty\neui64 = san\n", "is empty",
	    FAIL_INVALID, 0 },
	{ "text", "[manufacturer acme]\nanchors = anchors/text.pem\neui64 = san\n",
	    "manufacturer acme: anchors: no certificate", FAIL_INVALID, 0 },
	{ "empty CRL", ACME "crl = anchors/empty\n", "is empty", FAIL_INVALID, 0 },
	{ "the second is bad", ACME "[manufacturer bolt]\neui64 = san\n", "[manufacturer bolt]",
	    FAIL_INVALID, 0 },
};

static void
test_load(void)
{
	struct anchors anchors = { .n = 99 };
	struct err err = { .msg = "" };

	/* No such file: nobody. */
	CHECK(anchors_load(&home, &anchors, &err) == 0 && anchors.n == 0);
	for (size_t i = 0; i < ARRAY_LEN(load_rows); i++) {
		const struct load_row *row = &load_rows[i];
		int r;

		write_conf(row->text);
		anchors = (struct anchors){ .n = 99 };
		r = anchors_load(&home, &anchors, &err);
		if (row->want == NULL) {
			if (r != 0)
				fprintf(stderr, "  %s\n", err.msg);
			CHECK_ROW(row->name, r == 0 && anchors.n == row->n);
			if (r == 0)
				anchors_free(&anchors);
			CHECK_ROW(row->name, anchors.n == 0);
		} else {
			CHECK_ROW(row->name, r == -1 && anchors.n == 99);
			CHECK_ROW(row->name, err.code == row->code);
			if (strstr(err.msg, row->want) == NULL)
				fprintf(stderr, "  \"%s\", want \"%s\"\n", err.msg, row->want);
			CHECK_ROW(row->name, strstr(err.msg, row->want) != NULL);
		}
	}
	write_file("policies/manufacturers.cnf", ACME, strlen(ACME), 0646);
	CHECK(anchors_load(&home, &anchors, &err) == -1 && err.code == FAIL_DENIED);
	remove_file("policies/manufacturers.cnf");
}

/* The one that ships names nobody. */
static void
test_shipped(void)
{
	struct home shipped = { .dir = "" };
	struct anchors anchors = { .n = 99 };
	struct err err;

	snprintf(shipped.dir, sizeof(shipped.dir), "%s", test_root);
	if (anchors_load(&shipped, &anchors, &err) != 0)
		fprintf(stderr, "  %s\n", err.msg);
	CHECK(anchors.n == 0);
}

/* As many as there may be, and one more. */
static void
test_many(void)
{
	struct anchors anchors = { 0 };
	struct buf text = { 0 };
	struct err err;

	for (int i = 0; i <= MANUFACTURERS_MAX; i++) {
		buf_fmt(&text, "[manufacturer m%d]\nanchors = anchors/acme.pem\neui64 = san\n", i);
		if (i + 1 < MANUFACTURERS_MAX)
			continue;
		write_conf(buf_text(&text));
		if (i + 1 == MANUFACTURERS_MAX) {
			CHECK(anchors_load(&home, &anchors, &err) == 0);
			CHECK(anchors.n == MANUFACTURERS_MAX);
			anchors_free(&anchors);
		} else {
			CHECK(anchors_load(&home, &anchors, &err) == -1);
			CHECK(strstr(err.msg, "more than 64 manufacturers") != NULL);
		}
	}
	buf_free(&text);
	remove_file("policies/manufacturers.cnf");
}

#define SHADOW "[manufacturer shadow]\nanchors = anchors/acme.pem\neui64 = serialNumber\n"

static const struct find_row {
	const char *name, *text;
	X509 **leaf;
	const char *who; /* NULL = nobody's */
	enum refusal why;
	const char *want;
} find_rows[] = {
	{ "first", ACME BOLT, &world.leaf, "acme", 0, NULL },
	{ "last", BOLT ACME, &world.leaf, "acme", 0, NULL },
	{ "another rule before", SHADOW ACME, &world.leaf, "acme", 0, NULL },
	{ "nobodys", BOLT, &world.leaf, NULL, REFUSAL_ANCHOR, "leads to no manufacturer's anchor" },
	{ "nobody", "", &world.leaf, NULL, REFUSAL_ANCHOR, "leads to no manufacturer's anchor" },
	{ "forged", ACME BOLT, &world.stranger, NULL, REFUSAL_ANCHOR, "leads to no" },
	{ "ended", ACME BOLT, &world.ended, NULL, REFUSAL_CERTIFICATE,
	    "manufacturer acme: certificate has expired" },
	{ "ended, asked last", BOLT ACME, &world.ended, NULL, REFUSAL_CERTIFICATE, "acme" },
	{ "revoked", ACME "crl = anchors/acme.crl\n" BOLT, &world.leaf, NULL, REFUSAL_CERTIFICATE,
	    "manufacturer acme: certificate revoked" },
	{ "does not say which", SHADOW BOLT, &world.leaf, NULL, REFUSAL_CERTIFICATE,
	    "manufacturer shadow: subject does not hold" },
};

static void
test_find(void)
{
	for (size_t i = 0; i < ARRAY_LEN(find_rows); i++) {
		const struct find_row *row = &find_rows[i];
		const struct anchor *who = NULL;
		struct anchors anchors;
		struct buf der = { 0 };
		struct span chain;
		enum refusal why = REFUSAL_NONE;
		struct idevid id;
		struct err err = { .msg = "" };
		char hex[2 * EUI64_LEN + 1];
		int r;

		write_conf(row->text);
		if (anchors_load(&home, &anchors, &err) != 0) {
			CHECK_ROW(row->name, !"loads");
			continue;
		}
		idevid_der(*row->leaf, &der);
		chain = buf_span(&der);
		r = anchors_find(&anchors, &chain, 1, T0, &who, &id, &why, &err);
		CHECK_ROW(row->name, (r == 0) == (row->who != NULL));
		if (r == 0) {
			CHECK_STR(anchor_manufacturer(who), row->who);
			CHECK(anchors_get(&anchors, row->who) == who);
			hex_encode(id.eui.octets, EUI64_LEN, hex);
			CHECK_STR(hex, IDEVID_EUI);
		} else {
			CHECK_ROW(row->name, who == NULL && why == row->why);
			CHECK_ROW(row->name, err.code == FAIL_DENIED);
			CHECK_ROW(row->name, strstr(err.msg, row->want) != NULL);
		}
		CHECK(anchors_get(&anchors, "none") == NULL && anchors_get(&anchors, "") == NULL);
		buf_add_u8(&der, 0);
		chain = buf_span(&der);
		r = anchors_find(&anchors, &chain, 1, T0, &who, &id, &why, &err);
		CHECK_ROW(row->name, r == -1 && why == REFUSAL_FORM && err.code == FAIL_INVALID);
		buf_free(&der);
		anchors_free(&anchors);
	}
	remove_file("policies/manufacturers.cnf");
}

static int
file_add(void *ctx, const char *rel, struct err *err)
{
	struct buf *names = ctx;

	if (strcmp(rel, "anchors/bolt.pem") == 0 && names->len > 100)
		return err_set(err, FAIL_LIMIT, "enough");
	buf_fmt(names, "%s;", rel);
	return 0;
}

/* What must be copied along with the file. */
static void
test_files(void)
{
	struct buf names = { 0 };
	char policies[80];
	struct err err;

	snprintf(policies, sizeof(policies), "%s/policies", folder);
	CHECK(anchors_files(policies, file_add, &names, &err) == 0 && names.len == 0);
	write_conf(ACME "crl = anchors/acme.crl\n" BOLT);
	CHECK(anchors_files(policies, file_add, &names, &err) == 0);
	CHECK_STR(buf_text(&names), "anchors/acme.pem;anchors/acme.crl;anchors/bolt.pem;");
	while (names.len <= 100)
		buf_add_u8(&names, '-');
	CHECK(anchors_files(policies, file_add, &names, &err) == -1 && err.code == FAIL_LIMIT);
	write_conf("[manufacturer acme]\nanchors = ../x\neui64 = san\n");
	CHECK(anchors_files(policies, file_add, &names, &err) == -1 && err.code == FAIL_INVALID);
	buf_free(&names);
	remove_file("policies/manufacturers.cnf");
}

static const struct test_case cases[] = {
	{ "manufacturers' certificates", test_begin },
	{ "files that load or are refused", test_load },
	{ "the file that ships", test_shipped },
	{ "as many as there may be", test_many },
	{ "whose a chain is", test_find },
	{ "the files that are named", test_files },
	{ "all is given back", test_end },
};

int
main(int argc, char **argv)
{
	int rc;

	folder_make();
	rc = test_main(argc, argv, "manufacturers", cases, ARRAY_LEN(cases));
	folder_end();
	return rc;
}
