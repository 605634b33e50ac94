/*
 * What the OCSP responder answers, row by row of the decision table, read back and verified by
 * libcrypto.
 */
#include "ocsp_world.h"

static struct world *world;

enum who {
	NOBODY = 0,
	ISSUING,
	SECOND,
	ROOT,
	FOREIGN,
};

struct ask {
	enum who who;
	uint64_t serial;
	const EVP_MD *(*md)(void); /* NULL = SHA-256 */
	int want;		   /* V_OCSP_CERTSTATUS_* */
	int reason;		   /* of revoked; OCSP_REVOKED_STATUS_NOSTATUS = none given */
};

#define GOOD V_OCSP_CERTSTATUS_GOOD, OCSP_REVOKED_STATUS_NOSTATUS
#define REVOKED(reason) V_OCSP_CERTSTATUS_REVOKED, (reason)
#define UNKNOWN V_OCSP_CERTSTATUS_UNKNOWN, OCSP_REVOKED_STATUS_NOSTATUS

static X509 *
ca_of(enum who who)
{
	switch (who) {
	case ISSUING:
		return world->issuing;
	case SECOND:
		return world->second;
	case ROOT:
		return world->root;
	case FOREIGN:
	case NOBODY:
		break;
	}
	return world->foreign;
}

static void
ask_encode(const struct ask *asks, size_t n, const uint8_t *nonce, int nonce_len, struct buf *out)
{
	OCSP_REQUEST *request = OCSP_REQUEST_new();

	for (size_t i = 0; i < n && asks[i].who != NOBODY; i++)
		world_ask(request, asks[i].md != NULL ? asks[i].md() : EVP_sha256(),
		    ca_of(asks[i].who), asks[i].serial);
	if (nonce != NULL)
		require(OCSP_request_add1_nonce(
			    request, (unsigned char *)(uintptr_t)nonce, nonce_len) == 1);
	world_encode(request, out);
}

static OCSP_BASICRESP *
basic_of(const struct buf *response)
{
	const unsigned char *at = response->data;
	OCSP_RESPONSE *r = d2i_OCSP_RESPONSE(NULL, &at, (long)response->len);
	OCSP_BASICRESP *basic = NULL;

	CHECK(r != NULL && at == response->data + response->len);
	if (r != NULL && OCSP_response_status(r) == OCSP_RESPONSE_STATUS_SUCCESSFUL)
		basic = OCSP_response_get1_basic(r);
	OCSP_RESPONSE_free(r);
	return basic;
}

/*
 * Signature, delegation and chain up to the root, by libcrypto. It looks for a delegation from one
 * CA for all CertIDs; mixed responses are asked for the rest only.
 */
static int
basic_verifies(OCSP_BASICRESP *basic, bool mixed)
{
	X509_STORE *trust = X509_STORE_new();
	STACK_OF(X509) *cas = sk_X509_new_null();
	int ok;

	X509_STORE_add_cert(trust, world->root);
	sk_X509_push(cas, world->issuing);
	sk_X509_push(cas, world->second);
	ok = OCSP_basic_verify(basic, cas, trust, mixed ? OCSP_NOCHECKS : 0) == 1;
	if (!ok)
		ERR_print_errors_fp(stderr);
	sk_X509_free(cas);
	X509_STORE_free(trust);
	return ok;
}

static int
single_is(OCSP_BASICRESP *basic, int i, const struct ask *ask, const struct respond_meta *meta)
{
	ASN1_GENERALIZEDTIME *at = NULL, *this_update = NULL, *next_update = NULL;
	OCSP_SINGLERESP *single = OCSP_resp_get0(basic, i);
	int reason = -1, status;
	time_t produced = meta->produced_at, next = meta->next_update;

	if (single == NULL)
		return 0;
	status = OCSP_single_get0_status(single, &reason, &at, &this_update, &next_update);
	return status == ask->want &&
	       (status != V_OCSP_CERTSTATUS_REVOKED || reason == ask->reason) &&
	       ASN1_TIME_cmp_time_t(this_update, produced) == 0 &&
	       ASN1_TIME_cmp_time_t(OCSP_resp_get0_produced_at(basic), produced) == 0 &&
	       next_update != NULL && ASN1_TIME_cmp_time_t(next_update, next) == 0;
}

struct row {
	const char *name;
	struct ask ask[4];
	int status; /* OCSPResponseStatus */
	bool cacheable;
	enum who signer;
};

static const struct row rows[] = {
	{ "good", { { ISSUING, SERIAL_GOOD, NULL, GOOD } }, 0, true, ISSUING },
	{ "good by SHA-1", { { ISSUING, SERIAL_GOOD, EVP_sha1, GOOD } }, 0, true, ISSUING },
	{ "on hold",
	    { { ISSUING, SERIAL_HOLD, NULL, REVOKED(OCSP_REVOKED_STATUS_CERTIFICATEHOLD) } }, 0,
	    true, ISSUING },
	{ "revoked",
	    { { ISSUING, SERIAL_REVOKED, NULL, REVOKED(OCSP_REVOKED_STATUS_KEYCOMPROMISE) } }, 0,
	    true, ISSUING },
	{ "revoked, reason unspecified",
	    { { ISSUING, SERIAL_UNSPECIFIED, NULL, REVOKED(OCSP_REVOKED_STATUS_NOSTATUS) } }, 0,
	    true, ISSUING },
	{ "never issued", { { ISSUING, SERIAL_NEVER, NULL, UNKNOWN } }, 0, false, ISSUING },
	{ "serial zero", { { ISSUING, 0, NULL, UNKNOWN } }, 0, false, ISSUING },
	{ "another CA's serial", { { ISSUING, SERIAL_SECOND, NULL, UNKNOWN } }, 0, false, ISSUING },
	{ "the other CA", { { SECOND, SERIAL_SECOND, NULL, GOOD } }, 0, true, SECOND },
	{ "hash not ours", { { ISSUING, SERIAL_GOOD, EVP_sha512, UNKNOWN } }, 0, false, ISSUING },
	{ "MD5", { { ISSUING, SERIAL_GOOD, EVP_md5, UNKNOWN } }, 0, false, ISSUING },
	{ "no CA of ours", { { FOREIGN, SERIAL_GOOD, NULL, UNKNOWN } }, 0, false, ISSUING },
	{ "the root's", { { ROOT, 2, NULL, UNKNOWN } }, 6, false, NOBODY },
	{ "the root's and a stranger's",
	    { { ROOT, 2, NULL, UNKNOWN }, { FOREIGN, 2, NULL, UNKNOWN } }, 6, false, NOBODY },
	{ "the root's and ours",
	    { { ROOT, 2, NULL, UNKNOWN }, { ISSUING, SERIAL_GOOD, NULL, GOOD } }, 0, false,
	    ISSUING },
	{ "several of one CA",
	    { { ISSUING, SERIAL_GOOD, NULL, GOOD },
		{ ISSUING, SERIAL_HOLD, EVP_sha1, REVOKED(OCSP_REVOKED_STATUS_CERTIFICATEHOLD) },
		{ ISSUING, SERIAL_GOOD, NULL, GOOD } },
	    0, true, ISSUING },
	{ "two CAs: the first one signs and knows nothing of the other",
	    { { SECOND, SERIAL_SECOND, NULL, GOOD }, { ISSUING, SERIAL_GOOD, NULL, UNKNOWN } }, 0,
	    false, SECOND },
	{ "a stranger's, then ours",
	    { { FOREIGN, SERIAL_GOOD, NULL, UNKNOWN }, { ISSUING, SERIAL_GOOD, NULL, GOOD } }, 0,
	    false, ISSUING },
};

static size_t
ask_count(const struct row *row)
{
	size_t n = 0;

	while (n < ARRAY_LEN(row->ask) && row->ask[n].who != NOBODY)
		n++;
	return n;
}

/* 1 when the certificate in the response is one that this CA issued. */
static int
signer_is(OCSP_BASICRESP *basic, enum who who)
{
	const STACK_OF(X509) *certs = OCSP_resp_get0_certs(basic);
	const ASN1_OCTET_STRING *by_key = NULL;
	const X509_NAME *by_name = NULL;

	return sk_X509_num(certs) == 1 &&
	       X509_check_issued(ca_of(who), sk_X509_value(certs, 0)) == X509_V_OK &&
	       OCSP_resp_get0_id(basic, &by_key, &by_name) == 1 && by_key != NULL &&
	       by_name == NULL;
}

static void
check_row(struct responder *responder, const struct row *row)
{
	struct buf request = { 0 }, out = { 0 };
	struct respond_meta meta;
	size_t n = ask_count(row);
	struct err err = { 0 };
	OCSP_BASICRESP *basic;
	bool mixed = false;

	ask_encode(row->ask, n, NULL, 0, &request);
	buf_add_str(&out, "x");
	respond(responder, world->read, request.data, request.len, &out, &meta, &err);
	CHECK_ROW(row->name, out.len > 1 && out.data[0] == 'x');
	memmove(out.data, out.data + 1, --out.len);
	CHECK_ROW(row->name, meta.ocsp_status == row->status);
	CHECK_ROW(row->name, meta.cacheable == row->cacheable);
	basic = basic_of(&out);
	CHECK_ROW(row->name, (basic != NULL) == (row->status == 0));
	if (basic != NULL) {
		CHECK_ROW(row->name, OCSP_resp_count(basic) == (int)n);
		CHECK_ROW(row->name, meta.good + meta.revoked + meta.unknown == n);
		CHECK_ROW(row->name, meta.next_update == meta.produced_at + 3600);
		for (size_t i = 0; i < n; i++)
			CHECK_ROW(row->name, single_is(basic, (int)i, &row->ask[i], &meta));
		for (size_t i = 0; i < n; i++)
			mixed = mixed || row->ask[i].who != row->signer;
		CHECK_ROW(row->name, signer_is(basic, row->signer));
		CHECK_ROW(row->name, basic_verifies(basic, mixed));
		CHECK_ROW(row->name, OCSP_BASICRESP_get_ext_count(basic) == 0);
	}
	OCSP_BASICRESP_free(basic);
	buf_free(&request);
	buf_free(&out);
}

static struct responder *
responder_must(void)
{
	struct respond_conf conf = world_conf(world);
	struct responder *responder = NULL;

	WORLD_MUST(responder_new(&conf, world->read, &responder, why));
	return responder;
}

static void
test_table(void)
{
	struct responder *responder;

	world = world_new();
	responder = responder_must();
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check_row(responder, &rows[i]);
	responder_free(responder);
	world_free(world);
}

/* Ask for one serial; NULL for an error, whose status and cause are told. */
static OCSP_BASICRESP *
ask_one(struct responder *responder, enum who who, uint64_t serial, struct respond_meta *meta,
    struct err *err)
{
	struct ask ask = { who, serial, NULL, GOOD };
	struct buf request = { 0 }, out = { 0 };
	OCSP_BASICRESP *basic;

	ask_encode(&ask, 1, NULL, 0, &request);
	respond(responder, world->read, request.data, request.len, &out, meta, err);
	basic = basic_of(&out);
	/* An error is five unsigned octets. */
	CHECK((basic == NULL) == (meta->ocsp_status != 0));
	CHECK(basic != NULL || (out.len == 5 && out.data[4] == meta->ocsp_status));
	buf_free(&request);
	buf_free(&out);
	return basic;
}

static int
status_of(struct responder *responder, enum who who, uint64_t serial, struct err *err)
{
	struct respond_meta meta;

	OCSP_BASICRESP_free(ask_one(responder, who, serial, &meta, err));
	return meta.ocsp_status;
}

/* RFC 6960 2.2, 4.4.8: never issued as revoked in 1970, and every response says that it may be. */
static void
test_extended_revoke(void)
{
	static const struct {
		const char *name;
		enum who who;
		uint64_t serial;
		int status, reason;
		bool cacheable;
	} cases[] = {
		{ "never issued", ISSUING, SERIAL_NEVER,
		    REVOKED(OCSP_REVOKED_STATUS_CERTIFICATEHOLD), false },
		{ "serial zero", ISSUING, 0, REVOKED(OCSP_REVOKED_STATUS_CERTIFICATEHOLD), false },
		{ "good", ISSUING, SERIAL_GOOD, GOOD, true },
		{ "no CA of ours", FOREIGN, SERIAL_NEVER, UNKNOWN, false },
	};
	struct responder *responder;

	world = world_new();
	world->home.ocsp_extended_revoke = true;
	responder = responder_must();
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		ASN1_GENERALIZEDTIME *at = NULL;
		struct respond_meta meta;
		struct err err = { 0 };
		OCSP_BASICRESP *basic = ask_one(
		    responder, cases[i].who, cases[i].serial, &meta, &err);
		int reason = -1;

		CHECK_ROW(cases[i].name, basic != NULL);
		if (basic == NULL)
			continue;
		CHECK_ROW(cases[i].name, OCSP_single_get0_status(OCSP_resp_get0(basic, 0), &reason,
					     &at, NULL, NULL) == cases[i].status);
		if (cases[i].status == V_OCSP_CERTSTATUS_REVOKED) {
			CHECK_ROW(cases[i].name, reason == cases[i].reason);
			CHECK_ROW(cases[i].name, ASN1_TIME_cmp_time_t(at, 0) == 0);
		}
		CHECK_ROW(cases[i].name, OCSP_BASICRESP_get_ext_count(basic) == 1);
		CHECK_ROW(cases[i].name, meta.cacheable == cases[i].cacheable);
		CHECK_ROW(cases[i].name, basic_verifies(basic, cases[i].who != ISSUING));
		OCSP_BASICRESP_free(basic);
	}
	responder_free(responder);
	world_free(world);
}

static void
test_malformed(void)
{
	static const struct {
		const char *name;
		size_t cut; /* octets left out at the end */
		size_t add; /* octets put behind */
		size_t ids;
		int nonce; /* octets, -1 = none */
		int status;
	} cases[] = {
		{ "whole", 0, 0, 1, -1, 0 },
		{ "one octet short", 1, 0, 1, -1, 1 },
		{ "one octet behind", 0, 1, 1, -1, 1 },
		{ "64 requests", 0, 0, 64, -1, 0 },
		{ "65 requests", 0, 0, 65, -1, 1 },
		{ "nonce of 15", 0, 0, 1, 15, 0 },
		{ "nonce of 16", 0, 0, 1, 16, 0 },
		{ "nonce of 32", 0, 0, 1, 32, 0 },
		{ "nonce of 33", 0, 0, 1, 33, 0 },
		{ "nonce of 129", 0, 0, 1, 129, 1 },
	};
	struct ask many[65];
	uint8_t nonce[129];
	struct responder *responder;

	world = world_new();
	responder = responder_must();
	memset(nonce, 0xa5, sizeof(nonce));
	for (size_t i = 0; i < ARRAY_LEN(many); i++)
		many[i] = (struct ask){ ISSUING, SERIAL_GOOD, EVP_sha1, GOOD };
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf request = { 0 }, out = { 0 };
		struct respond_meta meta;
		struct err err = { 0 };
		OCSP_BASICRESP *basic;
		bool echo = cases[i].nonce >= 16 && cases[i].nonce <= 32;

		ask_encode(many, cases[i].ids, cases[i].nonce >= 0 ? nonce : NULL, cases[i].nonce,
		    &request);
		request.len -= cases[i].cut;
		for (size_t k = 0; k < cases[i].add; k++)
			buf_add_u8(&request, 0);
		respond(responder, world->read, request.data, request.len, &out, &meta, &err);
		CHECK_ROW(cases[i].name, meta.ocsp_status == cases[i].status);
		basic = basic_of(&out);
		if (basic != NULL) {
			/* RFC 9654 2.1: 16..32 come back, and make the answer nobody else's. */
			CHECK_ROW(cases[i].name, (OCSP_BASICRESP_get_ext_by_NID(basic,
						      NID_id_pkix_OCSP_Nonce, -1) >= 0) == echo);
			CHECK_ROW(cases[i].name, meta.cacheable == !echo);
			CHECK_ROW(cases[i].name, basic_verifies(basic, false));
		}
		OCSP_BASICRESP_free(basic);
		buf_free(&request);
		buf_free(&out);
	}
	responder_free(responder);
	world_free(world);
}

/* Nothing is signed on doubt, and no trouble of ours is blamed on the request. */
static void
test_trouble(void)
{
	struct responder *responder;
	unsigned signatures;
	struct err err = { 0 };

	world = world_new();
	responder = responder_must();
	CHECK(status_of(responder, ISSUING, SERIAL_GOOD, &err) == 0);
	signatures = world->ocsp_key->calls;

	timeguard_note(world->guard, clock_now() + 1000);
	CHECK(status_of(responder, ISSUING, SERIAL_GOOD, &err) == 3);
	CHECK(strncmp(err.msg, "clock: ", 7) == 0);
	CHECK(world->ocsp_key->calls == signatures);
	timeguard_note(world->guard, clock_now());

	world->ocsp_key->refuse = true;
	CHECK(status_of(responder, ISSUING, SERIAL_GOOD, &err) == 3);
	CHECK(err.code == FAIL_UNAVAILABLE);
	world->ocsp_key->refuse = false;

	world->ocsp_key->corrupt = true;
	CHECK(status_of(responder, ISSUING, SERIAL_GOOD, &err) == 3);
	world->ocsp_key->corrupt = false;

	world->denied = true;
	CHECK(status_of(responder, ISSUING, SERIAL_GOOD, &err) == 3);
	world->denied = false;

	CHECK(status_of(responder, ISSUING, SERIAL_GOOD, &err) == 0);
	responder_free(responder);
	world_free(world);
}

/* A responder certificate that may not sign is not signed for; no response outlives one. */
static void
test_responder_life(void)
{
	static const struct {
		const char *name;
		long from, to;
		int status;
		long life; /* of the response */
	} cases[] = {
		{ "current", -3600, WORLD_DAY, 0, 3600 },
		{ "ends before the response would", -3600, 600, 0, 600 },
		{ "has ended", -3600, -1, 2, 0 },
		{ "has not begun", 3600, WORLD_DAY, 2, 0 },
	};
	struct responder *responder;

	world = world_new();
	responder = responder_must();
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct respond_meta meta;
		struct err err = { 0 };
		OCSP_BASICRESP *basic;
		time_t ends;

		world_responder(
		    world, world->issuing_id, world->ocsp_key, cases[i].from, cases[i].to);
		ends = clock_now() + cases[i].life;
		WORLD_MUST(responder_reload(responder, world->read, why));
		CHECK_ROW(cases[i].name,
		    (responder_check(responder, clock_now(), &err) == 0) == (cases[i].status == 0));
		basic = ask_one(responder, ISSUING, SERIAL_GOOD, &meta, &err);
		CHECK_ROW(cases[i].name, meta.ocsp_status == cases[i].status);
		/* The clock moves while this runs. */
		CHECK_ROW(cases[i].name, basic == NULL || (meta.next_update >= ends - 60 &&
							      meta.next_update <= ends + 60));
		CHECK_ROW(cases[i].name, basic == NULL || basic_verifies(basic, false));
		/* The other CA's responder is not touched by it. */
		CHECK_ROW(cases[i].name, status_of(responder, SECOND, SERIAL_SECOND, &err) == 0);
		OCSP_BASICRESP_free(basic);
	}
	/* When nobody of ours is asked for, any responder that may sign does. */
	CHECK(status_of(responder, FOREIGN, SERIAL_GOOD, &(struct err){ 0 }) == 0);
	responder_free(responder);
	world_free(world);
}

static void
test_withdrawn(void)
{
	struct responder *responder;
	struct err err = { 0 };

	world = world_new();
	responder = responder_must();
	world_change(world, world->responder, CERT_HOLD, REASON_CERTIFICATE_HOLD);
	WORLD_MUST(responder_reload(responder, world->read, why));
	CHECK(status_of(responder, ISSUING, SERIAL_GOOD, &err) == 2);
	CHECK(responder_check(responder, clock_now(), &err) == -1);
	world_change(world, world->responder, CERT_VALID, REASON_UNSPECIFIED);
	WORLD_MUST(responder_reload(responder, world->read, why));
	CHECK(status_of(responder, ISSUING, SERIAL_GOOD, &err) == 0);
	responder_free(responder);
	world_free(world);
}

/* A key that is not the certificate's: refused at start, and the old set kept later. */
static void
test_mismatch(void)
{
	struct softsign *other = softsign_new(EC_P256);
	struct respond_conf conf;
	struct responder *responder = NULL, *wrong = NULL;
	struct respond_meta meta;
	struct err err = { 0 };
	OCSP_BASICRESP *basic;

	world = world_new();
	conf = world_conf(world);
	conf.signer = other->signer;
	CHECK(responder_new(&conf, world->read, &wrong, &err) == -1);
	CHECK(err.code == FAIL_DENIED && wrong == NULL);

	responder = responder_must();
	world_responder(world, world->issuing_id, other, -3600, WORLD_DAY);
	CHECK(responder_reload(responder, world->read, &err) == -1);
	CHECK(err.code == FAIL_DENIED);
	basic = ask_one(responder, ISSUING, SERIAL_GOOD, &meta, &err);
	CHECK(basic != NULL && basic_verifies(basic, false));
	OCSP_BASICRESP_free(basic);
	responder_free(responder);
	world_free(world);
	softsign_free(other);
}

/* A state change is answered at once: nothing stands between the database and the answer. */
static void
test_change_seen(void)
{
	struct respond_meta meta;
	struct responder *responder;
	struct err err = { 0 };
	int64_t id;

	world = world_new();
	responder = responder_must();
	id = world_add(world, world->issuing_id, NULL, USE_SIGNATURE, SERIAL_NEVER, NULL, false);
	OCSP_BASICRESP_free(ask_one(responder, ISSUING, SERIAL_NEVER, &meta, &err));
	CHECK(meta.good == 1);
	world_change(world, id, CERT_HOLD, REASON_CERTIFICATE_HOLD);
	OCSP_BASICRESP_free(ask_one(responder, ISSUING, SERIAL_NEVER, &meta, &err));
	CHECK(meta.revoked == 1);
	world_change(world, id, CERT_VALID, REASON_UNSPECIFIED);
	OCSP_BASICRESP_free(ask_one(responder, ISSUING, SERIAL_NEVER, &meta, &err));
	CHECK(meta.good == 1);
	responder_free(responder);
	world_free(world);
}

struct crowd {
	struct responder *responder;
	unsigned answered;
};

static void *
crowd_main(void *arg)
{
	struct crowd *crowd = arg;
	struct ask ask = { ISSUING, SERIAL_GOOD, NULL, GOOD };
	struct buf request = { 0 }, out = { 0 };
	struct respond_meta meta;
	struct store *store = NULL;
	struct err err = { 0 };

	WORLD_MUST(store_open(world->db, STORE_READ, &store, why));
	ask_encode(&ask, 1, NULL, 0, &request);
	for (int i = 0; i < 50; i++) {
		buf_reset(&out);
		respond(crowd->responder, store, request.data, request.len, &out, &meta, &err);
		crowd->answered += meta.ocsp_status == 0 && meta.good == 1;
	}
	buf_free(&request);
	buf_free(&out);
	store_close(store);
	return NULL;
}

/* Answers and reloads at once. */
static void
test_threads(void)
{
	struct crowd crowd[3];
	pthread_t thread[3];

	world = world_new();
	crowd[0] = (struct crowd){ .responder = responder_must() };
	crowd[1] = crowd[2] = crowd[0];
	for (size_t i = 0; i < ARRAY_LEN(thread); i++)
		require(pthread_create(&thread[i], NULL, crowd_main, &crowd[i]) == 0);
	for (int i = 0; i < 20; i++)
		WORLD_MUST(responder_reload(crowd[0].responder, world->read, why));
	for (size_t i = 0; i < ARRAY_LEN(thread); i++)
		pthread_join(thread[i], NULL);
	for (size_t i = 0; i < ARRAY_LEN(thread); i++)
		CU_ASSERT_EQUAL(crowd[i].answered, 50);
	responder_free(crowd[0].responder);
	world_free(world);
}

static const struct test_case cases[] = {
	{ "decision table", test_table },
	{ "never issued as revoked", test_extended_revoke },
	{ "malformed requests and nonces", test_malformed },
	{ "clock and token in trouble", test_trouble },
	{ "life of the responder certificate", test_responder_life },
	{ "responder certificate on hold", test_withdrawn },
	{ "key that is not the certificate's", test_mismatch },
	{ "state changes", test_change_seen },
	{ "threads", test_threads },
};

TEST_MAIN("respond", cases)
