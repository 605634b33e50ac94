/*
 * Reading CRLs: each defect is refused by its clause.
 */
#include "smki/crl.h"
#include "smki/mem.h"
#include "corpus.h"
#include "test.h"

/* Pieces of a CRL as hex; a defect replaces one of them. NULL = the sound one, "" = absent. */
struct parts {
	const char *version, *tbs_alg, *issuer, *this_update, *next_update, *list, *exts;
	const char *tbs_after, *alg, *sig, *after, *beyond;
};

#define ALG256 "300a06082a8648ce3d040302"
#define ALG384 "300a06082a8648ce3d040303"
#define NAME "300d310b3009060355040a13025a31"
#define TIME1 "170d3236303932313134313332305a"
#define TIME2 "170d3236303932323134313332305a"
#define ENTRY "3012020105" TIME1
#define AKI                                                                                        \
	"300f0603551d23040830068004"                                                               \
	"41010203"
#define NUMBER "300a0603551d140403020105"
#define UNKNOWN "300a06032a030404030101ff"
#define UNKNOWN_CRIT "300d06032a03040101ff04030101ff"

static const char *
part(const char *given, const char *sound)
{
	return given == NULL ? sound : given;
}

static void
parts_put(struct buf *out, const struct parts *p)
{
	size_t whole = der_open(out, DER_SEQUENCE), tbs = der_open(out, DER_SEQUENCE), mark, inner;

	hex_put(out, part(p->version, "020101"));
	hex_put(out, part(p->tbs_alg, ALG256));
	hex_put(out, part(p->issuer, NAME));
	hex_put(out, part(p->this_update, TIME1));
	hex_put(out, part(p->next_update, TIME2));
	/* list is the contents; "30" alone stands for an empty SEQUENCE. */
	if (part(p->list, ENTRY)[0] != '\0') {
		mark = der_open(out, DER_SEQUENCE);
		if (strcmp(part(p->list, ENTRY), "30") != 0)
			hex_put(out, part(p->list, ENTRY));
		der_close(out, mark);
	}
	if (part(p->exts, AKI NUMBER)[0] != '\0') {
		mark = der_open(out, DER_CONTEXT(0));
		inner = der_open(out, DER_SEQUENCE);
		if (strcmp(part(p->exts, ""), "30") != 0)
			hex_put(out, part(p->exts, AKI NUMBER));
		der_close(out, inner);
		der_close(out, mark);
	}
	hex_put(out, part(p->tbs_after, ""));
	der_close(out, tbs);
	hex_put(out, part(p->alg, ALG256));
	hex_put(out, part(p->sig, "0309003006020101020101"));
	hex_put(out, part(p->after, ""));
	der_close(out, whole);
	hex_put(out, part(p->beyond, ""));
}

static const struct {
	const char *name;
	struct parts parts;
	const char *clause; /* NULL = parsed */
} defects[] = {
	{ "sound", { 0 }, NULL },
	{ "no entries", { .list = "" }, NULL },
	{ "unknown non-critical", { .exts = AKI NUMBER UNKNOWN }, NULL },
	{ "number 0", { .exts = AKI "300a0603551d140403020100" }, NULL },
	{ "number largest", { .exts = AKI "30110603551d14040a02087fffffffffffffff" }, NULL },
	{ "GeneralizedTime 2050", { .next_update = "180f32303530303130313030303030305a" }, NULL },
	{ "SHA-384", { .tbs_alg = ALG384, .alg = ALG384 }, NULL },

	{ "v1", { .version = "" }, "5.1.2.1" },
	{ "version 0", { .version = "020100" }, "5.1.2.1" },
	{ "version 2", { .version = "020102" }, "5.1.2.1" },
	{ "algorithm mismatch", { .alg = ALG384 }, "5.1.1.2" },
	{ "algorithm SHA-1",
	    { .tbs_alg = "300906072a8648ce3d0401", .alg = "300906072a8648ce3d0401" }, "5.1.2.2" },
	{ "algorithm with NULL", { .tbs_alg = "300c06082a8648ce3d0403020500" }, "5.1.2.2" },
	{ "outer algorithm with NULL", { .alg = "300c06082a8648ce3d0403020500" }, "5.1.1.2" },
	{ "empty issuer", { .issuer = "3000" }, "5.1.2.3" },
	{ "issuer with an empty RDN", { .issuer = "30023100" }, "5.1.2.3" },
	{ "issuer with NUL",
	    { .issuer = "300d310b300906035504031302"
			"5a00" },
	    "5.1.2.3" },
	{ "issuer a SET", { .issuer = "3100" }, "5.1.2.3" },
	{ "thisUpdate GeneralizedTime before 2050",
	    { .this_update = "180f32303236303932313134313332305a" }, "5.1.2.4" },
	{ "thisUpdate second 60", { .this_update = "170d3236303932313134313336305a" }, "5.1.2.4" },
	{ "nextUpdate absent", { .next_update = "" }, "5.1.2.5" },
	{ "nextUpdate before thisUpdate", { .this_update = TIME2, .next_update = TIME1 },
	    "5.1.2.5" },
	{ "nextUpdate equal", { .next_update = TIME1 }, "5.1.2.5" },
	{ "nextUpdate without seconds", { .next_update = "170b323630393232313431335a" },
	    "5.1.2.5" },
	{ "empty list", { .list = "30" }, "5.1.2.6" },
	{ "no extensions", { .exts = "" }, "5.2" },
	{ "empty extensions", { .exts = "30" }, "5.1.2.7" },
	{ "no AKI", { .exts = NUMBER }, "5.2.1" },
	{ "no CRL number", { .exts = AKI }, "5.2.3" },
	{ "AKI critical",
	    { .exts = "30120603551d230101ff040830068004"
		      "41010203" NUMBER },
	    "5.2.1" },
	{ "AKI without keyIdentifier", { .exts = "30090603551d2304023000" NUMBER }, "5.2.1" },
	{ "AKI empty keyIdentifier", { .exts = "300b0603551d23040430028000" NUMBER }, "5.2.1" },
	{ "AKI with issuer",
	    { .exts = "30110603551d23040a30088004"
		      "41010203"
		      "a100" NUMBER },
	    "5.2.1" },
	{ "AKI trailing",
	    { .exts = "30110603551d23040a30068004"
		      "41010203"
		      "0500" NUMBER },
	    "5.2.1" },
	{ "number critical", { .exts = AKI "300d0603551d140101ff0403020105" }, "5.2.3" },
	{ "number negative", { .exts = AKI "300a0603551d1404030201ff" }, "5.2.3" },
	{ "number not minimal", { .exts = AKI "300b0603551d14040402020005" }, "5.2.3" },
	{ "number too large", { .exts = AKI "30120603551d14040b0209008000000000000000" }, "5.2.3" },
	{ "number of 21 octets",
	    { .exts = AKI "301e0603551d140417021501000000000000000000000000000000000000000000" },
	    "5.2.3" },
	{ "number trailing", { .exts = AKI "300c0603551d1404050201050500" }, "5.2.3" },
	{ "number twice", { .exts = AKI NUMBER NUMBER }, "4.2" },
	{ "unknown critical", { .exts = AKI NUMBER UNKNOWN_CRIT }, "5.2" },
	{ "critical FALSE encoded", { .exts = AKI NUMBER "300d06032a030401010004030101ff" },
	    "X.690 11.5" },
	{ "extension trailing", { .exts = AKI NUMBER "300c06032a030404030101ff0500" }, "4.1" },
	{ "delta indicator", { .exts = AKI NUMBER "300d0603551d1b0101ff0403020101" }, "5.2.4" },
	{ "delta without number", { .exts = AKI "300d0603551d1b0101ff0403020101" }, "5.2.4" },
	{ "delta not critical", { .exts = AKI NUMBER "300a0603551d1b0403020101" }, "5.2.4" },
	{ "IDP", { .exts = AKI NUMBER "300f0603551d1c0101ff040530038101ff" }, "5.2.5" },
	{ "IDP not critical", { .exts = AKI NUMBER "300c0603551d1c040530038101ff" }, "5.2.5" },
	{ "trailing in tbs", { .tbs_after = "0500" }, "5.1.2" },
	{ "signature unused bits", { .sig = "0309013006020101020101" }, "5.1.1.3" },
	{ "signature absent", { .sig = "" }, "5.1.1.3" },
	{ "trailing in CRL", { .after = "0500" }, "5.1.1.3" },
	{ "trailing after CRL", { .beyond = "00" }, "5.1" },
};

/* Reads the list and all entries; -1 with the reason when either is refused. */
static int
crl_read_all(const uint8_t *der, size_t len, struct err *err)
{
	struct crl crl = { .number = 0 };
	struct crl_entry e;
	int r;

	if (crl_parse(der, len, &crl, err) == -1)
		return -1;
	while ((r = crl_entry_get(&crl, &e, err)) == 1)
		;
	return r;
}

static int
clause_is(const struct err *err, const char *clause)
{
	char want[64];

	snprintf(want, sizeof(want), clause[0] == 'X' ? "crl: %s: " : "crl: RFC 5280 %s: ", clause);
	return err->code == FAIL_INVALID && strncmp(err->msg, want, strlen(want)) == 0;
}

static void
crl_defects(void)
{
	for (size_t i = 0; i < ARRAY_LEN(defects); i++) {
		struct buf der = { 0 };
		struct crl crl = { .number = 0 };
		struct err err = { 0 };
		int r;

		memset(&crl, 0x5a, sizeof(crl));
		parts_put(&der, &defects[i].parts);
		r = crl_parse(der.data, der.len, &crl, &err);
		if (defects[i].clause == NULL) {
			CHECK_ROW(defects[i].name, r == 0);
		} else {
			CHECK_ROW(defects[i].name, r == -1);
			CHECK_ROW(defects[i].name, clause_is(&err, defects[i].clause));
			CHECK_ROW(defects[i].name, *(const uint8_t *)&crl == 0x5a);
		}
		/* Every prefix of it is refused too. */
		for (size_t len = 0; len < der.len; len++)
			CHECK_ROW(defects[i].name, crl_parse(der.data, len, &crl, &err) == -1 ||
						       defects[i].parts.beyond != NULL);
		buf_free(&der);
	}
}

static const struct {
	const char *name, *list;
	const char *clause; /* NULL = read */
} entry_defects[] = {
	{ "plain", ENTRY, NULL },
	{ "two", ENTRY ENTRY, NULL },
	{ "reason 0", "3020020105" TIME1 "300c300a0603551d1504030a0100", NULL },
	{ "reason 6", "3020020105" TIME1 "300c300a0603551d1504030a0106", NULL },
	{ "reason 7", "3020020105" TIME1 "300c300a0603551d1504030a0107", "5.3.1" },
	{ "reason 8", "3020020105" TIME1 "300c300a0603551d1504030a0108", "5.3.1" },
	{ "reason 11", "3020020105" TIME1 "300c300a0603551d1504030a010b", "5.3.1" },
	{ "reason INTEGER", "3020020105" TIME1 "300c300a0603551d150403020101", "5.3.1" },
	{ "reason two octets", "3021020105" TIME1 "300d300b0603551d1504040a020001", "5.3.1" },
	{ "reason critical", "3023020105" TIME1 "300f300d0603551d150101ff04030a0101", "5.3.1" },
	{ "invalidity UTCTime", "302c020105" TIME1 "301830160603551d18040f" TIME1, "5.3.2" },
	{ "certificateIssuer", "3025020105" TIME1 "3011300f0603551d1d0101ff0405300382015a", "5.3" },
	{ "unknown non-critical", "3020020105" TIME1 "300c" UNKNOWN, NULL },
	{ "unknown critical", "3023020105" TIME1 "300f" UNKNOWN_CRIT, "5.3" },
	{ "empty extensions", "3014020105" TIME1 "3000", "5.3" },
	{ "serial 0", "3012020100" TIME1, "5.1.2.6" },
	{ "serial negative", "30120201ff" TIME1, "5.1.2.6" },
	{ "serial 21 octets",
	    "3026"
	    "0215"
	    "010000000000000000000000000000000000000000" TIME1,
	    "5.1.2.6" },
	{ "no date", "3003020105", "5.1.2.6" },
	{ "date GeneralizedTime before 2050", "3014020105180f32303236303932313134313332305a",
	    "5.1.2.6" },
	{ "an INTEGER", "020105", "5.1.2.6" },
	{ "second one broken", ENTRY "020105", "5.1.2.6" },
};

static void
crl_entry_defects(void)
{
	for (size_t i = 0; i < ARRAY_LEN(entry_defects); i++) {
		struct parts parts = { .list = entry_defects[i].list };
		struct buf der = { 0 };
		struct err err = { 0 };
		int r;

		parts_put(&der, &parts);
		r = crl_read_all(der.data, der.len, &err);
		if (entry_defects[i].clause == NULL) {
			CHECK_ROW(entry_defects[i].name, r == 0);
		} else {
			CHECK_ROW(entry_defects[i].name, r == -1);
			CHECK_ROW(entry_defects[i].name, clause_is(&err, entry_defects[i].clause));
		}
		buf_free(&der);
	}
}

static int
corpus_read(const uint8_t *der, size_t len)
{
	return crl_read_all(der, len, NULL);
}

static void
crl_corpus(void)
{
	corpus_check("crl", corpus_read);
}

static void
crl_write_corpus(void)
{
	struct buf der = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(defects); i++) {
		buf_reset(&der);
		parts_put(&der, &defects[i].parts);
		corpus_write("crl", defects[i].clause == NULL, defects[i].name, &der);
	}
	for (size_t i = 0; i < ARRAY_LEN(entry_defects); i++) {
		char name[64];

		snprintf(name, sizeof(name), "entry %s", entry_defects[i].name);
		buf_reset(&der);
		parts_put(&der, &(struct parts){ .list = entry_defects[i].list });
		corpus_write("crl", entry_defects[i].clause == NULL, name, &der);
	}
	buf_free(&der);
}

static const struct test_case cases[] = {
	{ "defects of lists", crl_defects },
	{ "defects of entries", crl_entry_defects },
	{ "corpus", crl_corpus },
};

CORPUS_MAIN("crl_read", cases, crl_write_corpus)
