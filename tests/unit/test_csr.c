/*
 * Requests: the corpus (tests/corpus/csr: bad files with the stage and clause that must refuse
 * them, good files), the shapes of text, the facts read, and that no single wrong bit passes.
 */
#include <dirent.h>
#include <time.h>

#include "smki/csr.h"
#include "smki/mem.h"
#include "test.h"

/* Seconds of processor time no input may take. */
#define INPUT_SECONDS 1.0
#define INPUT_MAX (1 << 17)

enum stage {
	STAGE_PARSE = 1,
	STAGE_POP,
	STAGE_PASSED,
};

/* Decode, parse, prove; where it ended and the message. der must outlive csr. */
static enum stage
csr_try(const uint8_t *in, size_t len, struct buf *der, struct csr *csr, struct err *err)
{
	err->msg[0] = '\0';
	if (csr_decode(in, len, der, err) != 0 || csr_parse(der->data, der->len, csr, err) != 0)
		return STAGE_PARSE;
	return csr_check_pop(csr, err) != 0 ? STAGE_POP : STAGE_PASSED;
}

/* A file of the corpus, in static memory; its length, or -1. */
static long
csr_file(const char *name, const uint8_t **out)
{
	static uint8_t data[INPUT_MAX];
	char path[2048];
	size_t len;
	FILE *f;

	snprintf(path, sizeof(path), "%s/tests/corpus/csr/%s", test_root, name);
	f = fopen(path, "rb");
	if (f == NULL)
		return -1;
	len = fread(data, 1, sizeof(data), f);
	fclose(f);
	*out = data;
	return (long)len;
}

static void
check_bad(const char *name, const char *stage, const char *clause)
{
	const uint8_t *in;
	struct buf der = { 0 };
	struct csr csr;
	struct err err = { 0 };
	clock_t start;
	enum stage got;
	char path[256];
	long len;

	snprintf(path, sizeof(path), "bad/%s", name);
	len = csr_file(path, &in);
	CHECK_ROW(name, len >= 0);
	if (len < 0)
		return;
	start = clock();
	got = csr_try(in, (size_t)len, &der, &csr, &err);
	CHECK_ROW(name, (double)(clock() - start) / CLOCKS_PER_SEC < INPUT_SECONDS);
	if (strcmp(stage, "profile") == 0) {
		CHECK_ROW(name, got == STAGE_PASSED);
	} else {
		CHECK_ROW(name, got == (strcmp(stage, "pop") == 0 ? STAGE_POP : STAGE_PARSE));
		CHECK_ROW(name, err.code == FAIL_INVALID);
		CHECK_ROW(name, strncmp(err.msg, "csr: ", 5) == 0);
		CHECK_ROW(name, strstr(err.msg, clause) != NULL);
	}
	if (got != STAGE_PASSED && strstr(err.msg, clause) == NULL)
		fprintf(stderr, "    got \"%s\"\n    want \"%s\"\n", err.msg, clause);
	buf_free(&der);
}

static void
test_bad(void)
{
	char path[1024], line[512];
	size_t rows = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/tests/corpus/csr/bad/EXPECT", test_root);
	f = fopen(path, "r");
	CHECK(f != NULL);
	if (f == NULL)
		return;
	while (fgets(line, sizeof(line), f) != NULL) {
		char *save, *name = strtok_r(line, "\t", &save);
		char *stage = strtok_r(NULL, "\t", &save), *clause = strtok_r(NULL, "\n", &save);

		CHECK_ROW(line, name != NULL && stage != NULL && clause != NULL);
		if (clause == NULL)
			break;
		CHECK_ROW(name, strcmp(stage, "parse") == 0 || strcmp(stage, "pop") == 0 ||
				    strcmp(stage, "profile") == 0);
		check_bad(name, stage, clause);
		rows++;
	}
	fclose(f);
	CHECK(rows >= 75);
}

static void
test_good(void)
{
	char path[1024];
	struct dirent *ent;
	size_t seen = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/tests/corpus/csr/good", test_root);
	dir = opendir(path);
	CHECK(dir != NULL);
	while (dir != NULL && (ent = readdir(dir)) != NULL) {
		const uint8_t *in;
		struct buf der = { 0 };
		struct csr csr;
		struct err err = { 0 };
		long len;

		if (ent->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "good/%s", ent->d_name);
		len = csr_file(path, &in);
		CHECK_ROW(ent->d_name, len > 0);
		if (csr_try(in, (size_t)len, &der, &csr, &err) != STAGE_PASSED) {
			fprintf(stderr, "  %s: %s\n", ent->d_name, err.msg);
			CHECK(0);
		}
		seen++;
		buf_free(&der);
	}
	if (dir != NULL)
		closedir(dir);
	CHECK(seen >= 20);
}

static void
test_facts(void)
{
	static const uint8_t key_usage[] = { 0x55, 0x1d, 0x0f }, san[] = { 0x55, 0x1d, 0x11 };
	static const uint8_t ca[] = { 0x55, 0x1d, 0x13 };
	/* standards: RFC 4108 5 with this hwType and EUI-64. */
	static const uint8_t san_value[] = { 0x30, 0x26, 0xa0, 0x24, 0x06, 0x08, 0x2b, 0x06, 0x01,
		0x05, 0x05, 0x07, 0x08, 0x04, 0xa0, 0x18, 0x30, 0x16, 0x06, 0x0a, 0x2b, 0x06, 0x01,
		0x04, 0x01, 0x81, 0xfd, 0x59, 0x01, 0x02, 0x04, 0x08, 0x00, 0xdb, 0x12, 0x34, 0x56,
		0x78, 0x00, 0x01 };
	const struct extlist_item *ext;
	const uint8_t *in = NULL;
	struct csr csr;
	struct err err = { 0 };
	long len = csr_file("good/device-signature.der", &in);

	CHECK(len > 0 && csr_parse(in, (size_t)len, &csr, &err) == 0);
	CHECK(csr.der.p == in && csr.der.len == (size_t)len);
	CHECK(csr.info.p > in && csr.info.p[0] == DER_SEQUENCE);
	CHECK(csr.info.p + csr.info.len < in + len);
	CHECK_MEM(csr.subject.p, csr.subject.len, "\x30\x00", 2);
	CHECK(csr.pub.curve == EC_P256 && csr.pub.len == 65);
	CHECK(csr.has_ext_request && csr.n_ext == 2);
	ext = csr_ext(&csr, key_usage, sizeof(key_usage));
	CHECK(ext == &csr.ext[0] && ext->critical);
	CHECK_MEM(ext->value.p, ext->value.len, "\x03\x02\x07\x80", 4);
	ext = csr_ext(&csr, san, sizeof(san));
	CHECK(ext == &csr.ext[1] && ext->critical);
	CHECK_MEM(ext->value.p, ext->value.len, san_value, sizeof(san_value));
	CHECK(csr_ext(&csr, ca, sizeof(ca)) == NULL);
	CHECK(csr_ext(&csr, san, 2) == NULL);

	len = csr_file("good/device-signature-not-critical.der", &in);
	CHECK(len > 0 && csr_parse(in, (size_t)len, &csr, &err) == 0);
	CHECK(!csr.ext[0].critical && !csr.ext[1].critical);
	len = csr_file("good/no-attributes.der", &in);
	CHECK(len > 0 && csr_parse(in, (size_t)len, &csr, &err) == 0);
	CHECK(!csr.has_ext_request && csr.n_ext == 0);
	len = csr_file("good/server-p384.der", &in);
	CHECK(len > 0 && csr_parse(in, (size_t)len, &csr, &err) == 0);
	CHECK(csr.pub.curve == EC_P384 && csr.pub.len == 97);
}

/* Every shape of one request is the same DER, appended; a refusal appends nothing. */
static void
test_decode(void)
{
	static const char *const shapes[] = { "device-signature.der", "pem.pem", "pem-new.pem",
		"pem-crlf.pem", "pem-cr.pem", "pem-one-line.pem", "pem-no-final-newline.pem",
		"pem-text-around.pem", "pem-byte-order-mark.pem", "base64.txt",
		"base64-lines.txt" };
	static const char *const refused[] = { "pem-two-blocks.pem", "pem-bad-base64.pem",
		"pem-empty.pem", "oversize-4097.der", "oversize-4097.pem", "empty.der" };
	const uint8_t *in = NULL;
	struct buf want = { 0 }, got = { 0 };
	struct err err = { 0 };
	char path[256];
	long len;

	len = csr_file("good/device-signature.der", &in);
	CHECK(len > 0);
	buf_add(&want, in, len > 0 ? (size_t)len : 0);
	for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
		snprintf(path, sizeof(path), "good/%s", shapes[i]);
		len = csr_file(path, &in);
		buf_reset(&got);
		buf_add_u8(&got, 'x');
		CHECK_ROW(shapes[i], len > 0 && csr_decode(in, (size_t)len, &got, &err) == 0);
		CHECK_ROW(shapes[i], got.len == want.len + 1 && got.data[0] == 'x');
		CHECK_ROW(shapes[i], memcmp(got.data + 1, want.data, want.len) == 0);
	}
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		snprintf(path, sizeof(path), "bad/%s", refused[i]);
		len = csr_file(path, &in);
		buf_reset(&got);
		buf_add_u8(&got, 'x');
		CHECK_ROW(refused[i], len >= 0 && csr_decode(in, (size_t)len, &got, &err) == -1);
		CHECK_ROW(refused[i], got.len == 1 && err.code == FAIL_INVALID);
	}
	buf_free(&got);
	buf_free(&want);
}

/* A request with any one bit inverted, cut anywhere or with one octet more is not accepted. */
static void
test_mutants(void)
{
	const uint8_t *in = NULL;
	struct buf der = { 0 };
	struct csr csr;
	struct err err = { 0 };
	size_t len, passed = 0;
	long got = csr_file("good/device-signature.der", &in);

	CHECK(got > 0 && got < 1024);
	if (got <= 0)
		return;
	len = (size_t)got;
	buf_add(&der, in, len);
	buf_add_u8(&der, 0);
	for (size_t bit = 0; bit < 8 * len; bit++) {
		der.data[bit / 8] ^= (uint8_t)(1u << (bit % 8));
		if (csr_parse(der.data, len, &csr, &err) == 0 && csr_check_pop(&csr, &err) == 0) {
			fprintf(stderr, "  bit %zu of octet %zu\n", bit % 8, bit / 8);
			passed++;
		}
		der.data[bit / 8] ^= (uint8_t)(1u << (bit % 8));
	}
	CHECK(passed == 0);
	for (size_t n = 0; n < len + 2; n++)
		CHECK((csr_parse(der.data, n, &csr, &err) == 0) == (n == len));
	buf_free(&der);
}

/* On a refusal the caller's struct is as it was, and nobody needs to want the reason. */
static void
test_outputs_kept(void)
{
	const uint8_t *in = NULL;
	struct csr csr, before;
	struct err err = { 0 };
	long len = csr_file("bad/trailing-in-request.der", &in);

	memset(&csr, 0x55, sizeof(csr));
	before = csr;
	CHECK(len > 0 && csr_parse(in, (size_t)len, &csr, &err) == -1);
	CHECK(memcmp(&csr, &before, sizeof(csr)) == 0);
	CHECK(csr_parse(in, (size_t)len, &csr, NULL) == -1);
}

static const struct test_case cases[] = {
	{ "bad corpus is refused where and why it says", test_bad },
	{ "good corpus passes", test_good },
	{ "facts", test_facts },
	{ "decode: shapes", test_decode },
	{ "no wrong bit passes", test_mutants },
	{ "outputs only on success", test_outputs_kept },
};

TEST_MAIN("csr", cases)
