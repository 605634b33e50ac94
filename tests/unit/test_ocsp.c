/*
 * OCSP requests: as libcrypto makes them, and with every defect.
 */
#include "smki/mem.h"
#include "smki/ocsp.h"
#include "corpus.h"
#include "softca.h"
#include "test.h"

#define SHA1_NULL "300906052b0e03021a0500"
#define SHA1_ABSENT "300706052b0e03021a"
#define SHA256_NULL "300d06096086480165030402010500"
#define SHA256_ABSENT "300b0609608648016503040201"
#define SHA512_NULL "300d06096086480165030402030500"
#define H20 "0414a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3"
#define H32 "0420c0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedf"
#define NONCE_OID "06092b0601050507300102"
#define NONCE16                                                                                    \
	"301f" NONCE_OID "04120410"                                                                \
	"000102030405060708090a0b0c0d0e0f"
#define UNKNOWN "300a06032a030404030101ff"
#define UNKNOWN_CRIT "300d06032a03040101ff04030101ff"

/* Pieces of a request as hex; a defect replaces one. NULL = the sound one, "" = absent. */
struct parts {
	const char *version, *requestor, *alg, *name_hash, *key_hash, *serial, *id_after;
	const char *single_exts, *request_after, *list_after, *exts, *tbs_after, *sig, *after,
	    *beyond;
	int n; /* CertIDs; 0 = one, -1 = none */
};

static const char *
part(const char *given, const char *sound)
{
	return given == NULL ? sound : given;
}

/* Extensions in their explicit tag; "30" alone stands for an empty list. */
static void
exts_put(struct buf *out, int tag, const char *list)
{
	size_t context, seq;

	if (list == NULL || *list == '\0')
		return;
	context = der_open(out, (uint8_t)DER_CONTEXT(tag));
	seq = der_open(out, DER_SEQUENCE);
	if (strcmp(list, "30") != 0)
		hex_put(out, list);
	der_close(out, seq);
	der_close(out, context);
}

static void
id_put(struct buf *out, const struct parts *p)
{
	size_t id = der_open(out, DER_SEQUENCE);

	hex_put(out, part(p->alg, SHA1_NULL));
	hex_put(out, part(p->name_hash, H20));
	hex_put(out, part(p->key_hash, H20));
	hex_put(out, part(p->serial, "020105"));
	hex_put(out, part(p->id_after, ""));
	der_close(out, id);
}

static void
parts_put(struct buf *out, const struct parts *p)
{
	size_t whole = der_open(out, DER_SEQUENCE), tbs = der_open(out, DER_SEQUENCE), list,
	       request;

	hex_put(out, part(p->version, ""));
	hex_put(out, part(p->requestor, ""));
	list = der_open(out, DER_SEQUENCE);
	for (int i = 0; i < (p->n == 0 ? 1 : p->n); i++) {
		request = der_open(out, DER_SEQUENCE);
		id_put(out, p);
		exts_put(out, 0, p->single_exts);
		hex_put(out, part(p->request_after, ""));
		der_close(out, request);
	}
	hex_put(out, part(p->list_after, ""));
	der_close(out, list);
	exts_put(out, 2, p->exts);
	hex_put(out, part(p->tbs_after, ""));
	der_close(out, tbs);
	hex_put(out, part(p->sig, ""));
	hex_put(out, part(p->after, ""));
	der_close(out, whole);
	hex_put(out, part(p->beyond, ""));
}

static const struct {
	const char *name;
	struct parts parts;
	const char *finding; /* NULL = parsed */
} rows[] = {
	{ "sound", { 0 }, NULL },
	{ "SHA-1 absent", { .alg = SHA1_ABSENT }, NULL },
	{ "SHA-256 NULL", { .alg = SHA256_NULL, .name_hash = H32, .key_hash = H32 }, NULL },
	{ "SHA-256 absent", { .alg = SHA256_ABSENT, .name_hash = H32, .key_hash = H32 }, NULL },
	{ "SHA-512", { .alg = SHA512_NULL }, NULL },
	{ "other hash with parameters",
	    { .alg = "300806022a03"
		     "04020102" },
	    NULL },
	{ "2 ids", { .n = 2 }, NULL },
	{ "64 ids", { .n = 64 }, NULL },
	{ "unknown non-critical", { .exts = UNKNOWN }, NULL },
	{ "unknown non-critical in a request", { .single_exts = UNKNOWN }, NULL },
	{ "nonce", { .exts = NONCE16 }, NULL },
	{ "nonce critical",
	    { .exts = "3022" NONCE_OID "0101ff"
		      "04120410"
		      "000102030405060708090a0b0c0d0e0f" },
	    NULL },
	{ "requestorName dNSName", { .requestor = "a103820161" }, NULL },
	{ "requestorName directoryName", { .requestor = "a104a4023000" }, NULL },
	{ "signed",
	    { .sig = "a00e300c"
		     "300506032a0304"
		     "03030001ff" },
	    NULL },
	{ "signed with certs",
	    { .sig = "a01430123005"
		     "06032a0304"
		     "03030001ff"
		     "a004"
		     "3002"
		     "3000" },
	    NULL },

	{ "65 ids", { .n = 65 }, "6960 4.1.1: requestList has over 64 requests" },
	{ "no ids", { .n = -1 }, "6960 4.1.1: requestList is empty" },
	{ "version v1 encoded", { .version = "a003020100" }, "6960 4.1.1: the default version" },
	{ "version v2", { .version = "a003020101" }, "6960 4.1.1: version is not v1" },
	{ "version malformed", { .version = "a0020200" }, "6960 4.1.1: version is not DER" },
	{ "requestorName empty", { .requestor = "a100" }, "6960 4.1.1: requestorName" },
	{ "requestorName two", { .requestor = "a106820161820161" }, "6960 4.1.1: requestorName" },
	{ "requestorName no form", { .requestor = "a103890161" }, "6960 4.1.1: requestorName" },
	{ "requestorName directoryName implicit", { .requestor = "a102a400" },
	    "6960 4.1.1: requestorName" },
	{ "hash not an OID", { .alg = "30020500" }, "6960 4.1.1: hashAlgorithm" },
	{ "hash two parameters", { .alg = "300b06052b0e03021a05000500" },
	    "6960 4.1.1: hashAlgorithm" },
	{ "hash SHA-1 odd parameters", { .alg = "300906052b0e03021a3000" },
	    "6960 4.1.1: hashAlgorithm" },
	{ "name hash an INTEGER", { .name_hash = "020100" }, "6960 4.1.1: an issuer hash" },
	{ "key hash absent", { .key_hash = "" }, "6960 4.1.1: an issuer hash" },
	{ "serial absent", { .serial = "" }, "6960 4.1.1: serialNumber" },
	{ "serial empty", { .serial = "0200" }, "6960 4.1.1: serialNumber" },
	{ "serial not minimal", { .serial = "02020005" }, "6960 4.1.1: serialNumber" },
	{ "trailing in CertID", { .id_after = "0500" }, "6960 4.1.1: serialNumber" },
	{ "trailing in request", { .request_after = "0500" },
	    "6960 4.1.1: singleRequestExtensions" },
	{ "trailing after request extensions", { .single_exts = UNKNOWN, .request_after = "0500" },
	    "6960 4.1.1: a request has trailing bytes" },
	{ "request extensions empty", { .single_exts = "30" },
	    "6960 4.1.1: singleRequestExtensions" },
	{ "unknown critical in a request", { .single_exts = UNKNOWN_CRIT }, "6960 4.4: " },
	{ "repeated in a request", { .single_exts = UNKNOWN UNKNOWN }, "5280 4.2: " },
	{ "a request is an INTEGER", { .list_after = "020100" }, "6960 4.1.1: a request is" },
	{ "extensions empty", { .exts = "30" }, "6960 4.1.1: requestExtensions" },
	{ "unknown critical", { .exts = NONCE16 UNKNOWN_CRIT }, "6960 4.4: unknown critical" },
	{ "unknown repeated", { .exts = UNKNOWN NONCE16 UNKNOWN }, "5280 4.2: " },
	{ "critical FALSE encoded", { .exts = "300d06032a030401010004030101ff" }, "X.690 11.5: " },
	{ "critical not DER TRUE", { .exts = "300d06032a030401010104030101ff" }, "X.690 11.1: " },
	{ "two nonces", { .exts = NONCE16 NONCE16 }, "5280 4.2: " },
	{ "nonce without inner OCTET STRING",
	    { .exts = "301d" NONCE_OID "0410"
		      "010102030405060708090a0b0c0d0e0f" },
	    "9654 2.1: nonce is not an OCTET STRING" },
	{ "nonce of 1 octet", { .exts = "3010" NONCE_OID "0403040101" }, NULL },
	{ "nonce empty", { .exts = "300f" NONCE_OID "04020400" },
	    "9654 2.1: nonce is not of 1 to 128 octets" },
	{ "nonce trailing",
	    { .exts = "3011" NONCE_OID "0404"
		      "04000500" },
	    "9654 2.1: " },
	{ "trailing in tbs", { .tbs_after = "0500" }, "6960 4.1.1: requestExtensions" },
	{ "trailing after extensions", { .exts = NONCE16, .tbs_after = "0500" },
	    "6960 4.1.1: TBSRequest has trailing bytes" },
	{ "signature empty", { .sig = "a0023000" }, "6960 4.1.1: optionalSignature" },
	{ "signature no bits",
	    { .sig = "a00b3009"
		     "300506032a0304"
		     "0300" },
	    "6960 4.1.1: optionalSignature" },
	{ "signature with 8 unused bits",
	    { .sig = "a00e300c"
		     "300506032a0304"
		     "03030801ff" },
	    "6960 4.1.1: optionalSignature" },
	{ "signature certs malformed",
	    { .sig = "a01330113005"
		     "06032a0304"
		     "03030001ff"
		     "a0033001"
		     "00" },
	    "6960 4.1.1: certs" },
	{ "signature twice",
	    { .sig = "a00e300c"
		     "300506032a0304"
		     "03030001ff"
		     "a00e300c"
		     "300506032a0304"
		     "03030001ff" },
	    "6960 4.1.1: OCSPRequest has trailing bytes" },
	{ "trailing in OCSPRequest", { .after = "0500" }, "6960 4.1.1: optionalSignature" },
	{ "trailing after OCSPRequest", { .beyond = "00" }, "6960 4.1.1: trailing bytes" },
};

static int
finding_is(const struct err *err, const char *finding)
{
	char want[128];

	snprintf(want, sizeof(want), finding[0] == 'X' ? "ocsp: %s" : "ocsp: RFC %s", finding);
	return err->code == FAIL_INVALID && strncmp(err->msg, want, strlen(want)) == 0;
}

static void
ocsp_defects(void)
{
	static struct ocsp_request request;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf der = { 0 };
		struct err err = { 0 };
		int r;

		memset(&request, 0x5a, sizeof(request));
		parts_put(&der, &rows[i].parts);
		r = ocsp_request_parse(der.data, der.len, &request, &err);
		if (rows[i].finding == NULL) {
			size_t n = rows[i].parts.n == 0 ? 1 : (size_t)rows[i].parts.n;

			CHECK_ROW(rows[i].name, r == 0);
			CHECK_ROW(rows[i].name, r != 0 || request.n == n);
			if (r != 0)
				fprintf(stderr, "  %s\n", err.msg);
		} else {
			CHECK_ROW(rows[i].name, r == -1);
			CHECK_ROW(rows[i].name, finding_is(&err, rows[i].finding));
			CHECK_ROW(rows[i].name, *(const uint8_t *)&request == 0x5a);
			if (!finding_is(&err, rows[i].finding))
				fprintf(stderr, "  %s\n", err.msg);
		}
		for (size_t len = 0; len < der.len && rows[i].parts.beyond == NULL; len++)
			CHECK_ROW(
			    rows[i].name, ocsp_request_parse(der.data, len, &request, &err) == -1);
		buf_free(&der);
	}
}

/* The CertID is echoed as received, whatever stands in it. */
static void
ocsp_ids(void)
{
	static const struct {
		const char *name;
		struct parts parts;
		enum ocsp_hash hash;
		bool serial_ok;
		uint8_t serial_len;
	} ids[] = {
		{ "SHA-1 NULL", { 0 }, OCSP_SHA1, true, 1 },
		{ "SHA-1 absent", { .alg = SHA1_ABSENT }, OCSP_SHA1, true, 1 },
		{ "SHA-256 NULL", { .alg = SHA256_NULL }, OCSP_SHA256, true, 1 },
		{ "SHA-256 absent", { .alg = SHA256_ABSENT }, OCSP_SHA256, true, 1 },
		{ "SHA-512", { .alg = SHA512_NULL }, OCSP_HASH_OTHER, true, 1 },
		{ "hash of another length", { .name_hash = "0400", .key_hash = H32 }, OCSP_SHA1,
		    true, 1 },
		{ "serial 0", { .serial = "020100" }, OCSP_SHA1, false, 0 },
		{ "serial -1", { .serial = "0201ff" }, OCSP_SHA1, false, 0 },
		{ "serial 128", { .serial = "02020080" }, OCSP_SHA1, true, 2 },
		{ "serial 2^159-1", { .serial = "02147fffffffffffffffffffffffffffffffffffffff" },
		    OCSP_SHA1, true, 20 },
		{ "serial 2^159", { .serial = "0215008000000000000000000000000000000000000000" },
		    OCSP_SHA1, false, 0 },
	};
	static struct ocsp_request request;

	for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
		struct buf der = { 0 }, id = { 0 };
		struct err err = { 0 };

		parts_put(&der, &ids[i].parts);
		id_put(&id, &ids[i].parts);
		CHECK_ROW(ids[i].name,
		    ocsp_request_parse(der.data, der.len, &request, &err) == 0 && request.n == 1);
		CHECK_MEM(request.id[0].whole.p, request.id[0].whole.len, id.data, id.len);
		CHECK_ROW(ids[i].name, request.id[0].hash == ids[i].hash);
		CHECK_ROW(ids[i].name, request.id[0].serial_ok == ids[i].serial_ok);
		CHECK_ROW(ids[i].name, request.id[0].serial.len == ids[i].serial_len);
		CHECK_ROW(ids[i].name, request.nonce.p == NULL);
		buf_free(&der);
		buf_free(&id);
	}
}

/* RFC 9654 2.1, each boundary. */
static void
ocsp_nonces(void)
{
	static const struct {
		size_t len;
		int r;
		bool kept;
	} lens[] = { { 0, -1, false }, { 1, 0, false }, { 15, 0, false }, { 16, 0, true },
		{ 17, 0, true }, { 31, 0, true }, { 32, 0, true }, { 33, 0, false },
		{ 127, 0, false }, { 128, 0, false }, { 129, -1, false }, { 255, -1, false },
		{ 256, -1, false } };
	static struct ocsp_request request;
	uint8_t nonce[256];

	for (size_t i = 0; i < sizeof(nonce); i++)
		nonce[i] = (uint8_t)(i * 7);
	for (size_t i = 0; i < ARRAY_LEN(lens); i++)
		for (int critical = 0; critical < 2; critical++) {
			size_t whole, tbs, list, one, context, exts, ext, value;
			const struct parts sound = { 0 };
			struct buf b = { 0 };
			struct err err = { 0 };
			char row[32];

			snprintf(row, sizeof(row), "nonce of %zu%s", lens[i].len,
			    critical ? ", critical" : "");
			whole = der_open(&b, DER_SEQUENCE);
			tbs = der_open(&b, DER_SEQUENCE);
			list = der_open(&b, DER_SEQUENCE);
			one = der_open(&b, DER_SEQUENCE);
			id_put(&b, &sound);
			der_close(&b, one);
			der_close(&b, list);
			context = der_open(&b, DER_CONTEXT(2));
			exts = der_open(&b, DER_SEQUENCE);
			ext = der_open(&b, DER_SEQUENCE);
			hex_put(&b, NONCE_OID);
			if (critical)
				der_put_bool(&b, true);
			value = der_open(&b, DER_OCTET_STRING);
			der_put(&b, DER_OCTET_STRING, nonce, lens[i].len);
			der_close(&b, value);
			der_close(&b, ext);
			der_close(&b, exts);
			der_close(&b, context);
			der_close(&b, tbs);
			der_close(&b, whole);
			CHECK_ROW(
			    row, ocsp_request_parse(b.data, b.len, &request, &err) == lens[i].r);
			if (lens[i].r == 0) {
				CHECK_ROW(row, (request.nonce.p != NULL) == lens[i].kept);
				if (lens[i].kept)
					CHECK_MEM(
					    request.nonce.p, request.nonce.len, nonce, lens[i].len);
			} else {
				CHECK_ROW(
				    row, finding_is(&err, "9654 2.1: nonce is not of 1 to 128"));
			}
			buf_free(&b);
		}
}

/* Bounds on what a stranger may send. */
static void
ocsp_bounds(void)
{
	static struct ocsp_request request;
	const struct parts sound = { .n = 64,
		.alg = SHA256_NULL,
		.name_hash = H32,
		.key_hash = H32,
		.serial = "02147fffffffffffffffffffffffffffffffffffffff",
		.exts = NONCE16 };
	static uint8_t big[OCSP_REQUEST_MAX + 1];
	struct buf b = { 0 };
	struct err err = { 0 };

	parts_put(&b, &sound);
	CHECK(b.len <= OCSP_REQUEST_MAX);
	CHECK(ocsp_request_parse(b.data, b.len, &request, &err) == 0 && request.n == 64);
	CHECK(ocsp_request_parse(big, sizeof(big), &request, &err) == -1);
	CHECK(strcmp(err.msg, "ocsp: request has over 16384 octets") == 0);
	CHECK(ocsp_request_parse(big, 0, &request, &err) == -1);
	buf_free(&b);

	/* 33 different extensions. */
	{
		char exts[33 * 24 + 1];

		for (unsigned i = 0; i < 33; i++)
			snprintf(exts + 24 * i, 25, "300a06032a03%02x0403010100", i + 1);
		parts_put(&b, &(struct parts){ .exts = exts });
		CHECK(ocsp_request_parse(b.data, b.len, &request, &err) == -1);
		CHECK(strcmp(err.msg, "ocsp: more than 32 extensions in a list") == 0);
		buf_reset(&b);
		exts[32 * 24] = '\0';
		parts_put(&b, &(struct parts){ .exts = exts });
		CHECK(ocsp_request_parse(b.data, b.len, &request, &err) == 0);
		buf_free(&b);
	}
}

/* Requests by libcrypto: every hash, both forms of its parameters, 1 to 65 ids, name, signature. */
static void
ocsp_from_libcrypto(void)
{
	static const struct {
		const char *name;
		bool sha256, absent, requestor, sign;
		int n;
		int nonce; /* octets, 0 = none */
		int r;
	} reqs[] = {
		{ "SHA-1 NULL", false, false, false, false, 1, 0, 0 },
		{ "SHA-1 absent", false, true, false, false, 1, 16, 0 },
		{ "SHA-256 NULL", true, false, false, false, 1, 32, 0 },
		{ "SHA-256 absent", true, true, false, false, 1, 0, 0 },
		{ "two", true, false, false, false, 2, 0, 0 },
		{ "64", true, false, false, false, 64, 32, 0 },
		{ "65", true, false, false, false, 65, 0, -1 },
		{ "none", true, false, false, false, 0, 0, -1 },
		{ "requestorName", false, false, true, false, 1, 0, 0 },
		{ "signed", false, false, false, true, 1, 0, 0 },
		{ "signed, named, nonce", true, false, true, true, 3, 32, 0 },
	};
	static struct ocsp_request request;
	struct softsign *ca = softsign_new(EC_P256), *other = softsign_new(EC_P256);
	struct ocsp_issuer issuer, stranger;
	X509 *cert = x509_new(ca, NULL, ca);
	X509_NAME *name = name_new();
	uint8_t nonce[64];

	memset(nonce, 0xa5, sizeof(nonce));
	ocsp_issuer_hash(
	    (struct span){ softca_name, sizeof(softca_name) }, &ca->signer.pub, &issuer);
	ocsp_issuer_hash(
	    (struct span){ softca_name, sizeof(softca_name) }, &other->signer.pub, &stranger);
	for (size_t i = 0; i < ARRAY_LEN(reqs); i++) {
		OCSP_REQUEST *req = OCSP_REQUEST_new();
		const EVP_MD *md = reqs[i].sha256 ? EVP_sha256() : EVP_sha1();
		unsigned char *der = NULL;
		struct err err = { 0 };
		int len, r;

		for (int j = 0; j < reqs[i].n; j++)
			CHECK(OCSP_request_add0_id(
				  req, certid_new(md, ca, 1000 + j, reqs[i].absent)) != NULL);
		if (reqs[i].nonce > 0)
			CHECK(OCSP_request_add1_nonce(req, nonce, reqs[i].nonce) == 1);
		if (reqs[i].requestor)
			CHECK(OCSP_request_set1_name(req, name) == 1);
		if (reqs[i].sign)
			CHECK(OCSP_request_sign(req, cert, ca->key, EVP_sha256(), NULL, 0) == 1);
		len = i2d_OCSP_REQUEST(req, &der);
		CHECK_ROW(reqs[i].name, len > 0);
		r = ocsp_request_parse(der, (size_t)len, &request, &err);
		CHECK_ROW(reqs[i].name, r == reqs[i].r);
		if (r != reqs[i].r)
			fprintf(stderr, "  %s\n", err.msg);
		for (int j = 0; r == 0 && j < reqs[i].n; j++) {
			const struct ocsp_id *id = &request.id[j];
			uint8_t want[2] = { (uint8_t)((1000 + j) >> 8), (uint8_t)(1000 + j) };

			CHECK_ROW(reqs[i].name, request.n == (size_t)reqs[i].n);
			CHECK_ROW(
			    reqs[i].name, id->hash == (reqs[i].sha256 ? OCSP_SHA256 : OCSP_SHA1));
			CHECK_ROW(reqs[i].name, id->serial_ok);
			CHECK_MEM(id->serial.octets, id->serial.len, want, sizeof(want));
			CHECK_ROW(reqs[i].name, ocsp_issuer_match(&issuer, id) == 1);
			CHECK_ROW(reqs[i].name, ocsp_issuer_match(&stranger, id) == 0);
		}
		if (r == 0)
			CHECK_MEM(request.nonce.p, request.nonce.len, nonce, (size_t)reqs[i].nonce);
		OPENSSL_free(der);
		OCSP_REQUEST_free(req);
	}
	X509_NAME_free(name);
	X509_free(cert);
	softsign_free(ca);
	softsign_free(other);
}

/* What looks like an issuer's hash but is not: another length, another algorithm. */
static void
ocsp_no_guess(void)
{
	struct softsign *ca = softsign_new(EC_P384);
	struct ocsp_issuer issuer;
	struct ocsp_id id = { .hash = OCSP_SHA1 };

	ocsp_issuer_hash(
	    (struct span){ softca_name, sizeof(softca_name) }, &ca->signer.pub, &issuer);
	id.name_hash = (struct span){ issuer.name_sha1, 20 };
	id.key_hash = (struct span){ issuer.key_sha1, 20 };
	CHECK(ocsp_issuer_match(&issuer, &id) == 1);
	id.key_hash.len = 19;
	CHECK(ocsp_issuer_match(&issuer, &id) == 0);
	id.key_hash.len = 20;
	id.name_hash.len = 0;
	CHECK(ocsp_issuer_match(&issuer, &id) == 0);
	id.name_hash.len = 20;
	id.hash = OCSP_SHA256;
	CHECK(ocsp_issuer_match(&issuer, &id) == 0);
	id.hash = OCSP_HASH_OTHER;
	CHECK(ocsp_issuer_match(&issuer, &id) == 0);
	id.hash = OCSP_SHA256;
	id.name_hash = (struct span){ issuer.name_sha256, 32 };
	id.key_hash = (struct span){ issuer.key_sha256, 32 };
	CHECK(ocsp_issuer_match(&issuer, &id) == 1);
	id.name_hash = id.key_hash;
	CHECK(ocsp_issuer_match(&issuer, &id) == 0);
	softsign_free(ca);
}

static int
corpus_read(const uint8_t *der, size_t len)
{
	static struct ocsp_request request;

	return ocsp_request_parse(der, len, &request, NULL);
}

static void
ocsp_corpus(void)
{
	corpus_check("ocsp", corpus_read);
}

static void
ocsp_write_corpus(void)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf der = { 0 };

		parts_put(&der, &rows[i].parts);
		corpus_write("ocsp", rows[i].finding == NULL, rows[i].name, &der);
		buf_free(&der);
	}
}

static const struct test_case cases[] = {
	{ "defects of requests", ocsp_defects },
	{ "CertIDs", ocsp_ids },
	{ "nonces", ocsp_nonces },
	{ "bounds", ocsp_bounds },
	{ "requests of libcrypto", ocsp_from_libcrypto },
	{ "issuers are not guessed", ocsp_no_guess },
	{ "corpus", ocsp_corpus },
};

CORPUS_MAIN("ocsp", cases, ocsp_write_corpus)
