/*
 * Access tokens: what one says, and whom it is refused, over a real database.
 */
#include "refusal_sum.h"
#include "../../src/service/device_rate.h"
#include "service_rig.h"
#include "smki/access.h"

#define LIFE 600L

static const char scopes[] = "read:self write:load";

/* A home with one meter, and the keys of its token. */
struct bench {
	struct rig *r;
	struct access *access;
	struct refusals *refusals;
	struct softsign *key[2]; /* access-1, access-2 */
	bool away, missing[2];
	struct softsign *meter;
	struct store_new_cert row; /* of the meter's certificate */
	struct buf der;
	int64_t cert;
};

static int
bench_signer(void *ctx, const char *label, struct signer *out, struct err *err)
{
	const struct bench *b = ctx;
	int i = strcmp(label, "access-2") == 0;

	if (b->away)
		return err_set(err, FAIL_UNAVAILABLE, "token: away");
	if (b->missing[i])
		return err_set(err, FAIL_NOT_FOUND, "token: no such key");
	*out = b->key[i]->signer;
	return 0;
}

struct bench_job {
	struct commit_job job; /* first */
	struct bench *bench;
	int (*fn)(struct bench *b, struct store *store, const struct store_actor *actor,
	    int64_t arg, struct err *err);
	int64_t arg;
};

static int
bench_apply(struct commit_job *job, struct store *store, struct err *err)
{
	struct bench_job *j = (struct bench_job *)job;
	struct store_actor actor = { .uid = 0 };
	int64_t event;

	if (store_event_newest(store, &event, &actor.now, err) != 0)
		return -1;
	actor.now = clock_record_time(clock_now(), actor.now);
	return j->fn(j->bench, store, &actor, j->arg, err);
}

static void
bench_do(struct bench *b,
    int (*fn)(struct bench *b, struct store *store, const struct store_actor *actor, int64_t arg,
	struct err *err),
    int64_t arg)
{
	struct bench_job job = {
		.job = { .lane = COMMIT_OTHER, .apply = bench_apply },
		.bench = b,
		.fn = fn,
		.arg = arg,
	};

	RIG(committer_run(b->r->committer, &job.job, &rig_err));
}

static int
do_device(struct bench *b, struct store *store, const struct store_actor *actor, int64_t arg,
    struct err *err)
{
	struct device device;
	struct eui64 eui;
	bool changed;

	/* Whoever has a certificate is registered. */
	memcpy(eui.octets, b->row.holder.name, EUI64_LEN);
	if (store_device_get(store, &eui, &device, err) != 0)
		return -1;
	return store_device_change(store, actor, device.id, (enum device_action)arg, &changed, err);
}

static int
do_cert(struct bench *b, struct store *store, const struct store_actor *actor, int64_t arg,
    struct err *err)
{
	const struct store_change change = { .to = (enum cert_state)arg };

	return store_cert_change(store, actor, b->cert, &change, err);
}

/* Key arg is recorded, to sign from now on (1), or in half an hour (2). */
static int
do_key(struct bench *b, struct store *store, const struct store_actor *actor, int64_t arg,
    struct err *err)
{
	struct store_access_key key = {
		.pub = b->key[arg - 1]->signer.pub,
		.made = actor->now,
		.active_from = actor->now + (arg == 1 ? 0 : ACCESS_PUBLISH_S),
	};

	snprintf(key.label, sizeof(key.label), "access-%d", (int)arg);
	jwt_kid(&key.pub, key.kid);
	return store_access_key_add(store, actor, &key, err);
}

static void
bench_cert(struct bench *b, const char *name, const struct softsign *key, uint8_t nn, time_t until)
{
	const struct profile *profile = profiles_get(&b->r->profiles, name);
	struct buf request = { 0 }, tbs = { 0 };
	struct grant grant;
	struct csr csr;

	rig_csr(key, nn, 9, profile->key_usage, &request);
	RIG(csr_parse(request.data, request.len, &csr, &rig_err));
	RIG(profile_grant(profile, &csr, &grant, &rig_err));
	b->row = (struct store_new_cert){ .ca = b->r->ca->id, .profile = profile->name };
	b->row.holder = grant.holder;
	b->row.use = grant.use;
	b->row.not_before = b->r->now - 30;
	b->row.not_after = until;
	ec_pub_hash(&grant.pub, b->row.key_hash);
	RIG(cert_serial(8, rng_draw, &b->row.serial, &rig_err));
	RIG(cert_build_tbs(profile, &b->r->ca->issuer, &grant, &b->row.serial, b->row.not_before,
	    b->row.not_after, &tbs, &rig_err));
	buf_reset(&b->der);
	RIG(sign_wrap(&b->r->ca->signer, tbs.data, tbs.len, &b->der, &rig_err));
	b->row.der = buf_span(&b->der);
	b->cert = rig_add(b->r, &b->row, 1);
	buf_free(&request);
	buf_free(&tbs);
}

static struct profile *
bench_profile(struct bench *b, const char *name)
{
	for (size_t i = 0; i < b->r->profiles.n; i++)
		if (strcmp(b->r->profiles.profile[i]->name, name) == 0)
			return b->r->profiles.profile[i];
	abort();
}

static void
bench_access(struct bench *b)
{
	struct access_conf conf = {
		.home = &b->r->home,
		.profiles = &b->r->profiles,
		.guard = b->r->guard,
		.refusals = b->refusals,
		.signer = bench_signer,
		.ctx = b,
	};

	access_free(b->access);
	RIG(access_new(&conf, &b->access, &rig_err));
}

static struct bench *
bench_new(void)
{
	struct bench *b = mem_alloc(sizeof(*b));

	b->r = rig_new();
	b->r->home.access.lifetime = LIFE;
	strcpy(bench_profile(b, "device-signature")->scopes, scopes);
	b->refusals = refusals_new();
	b->key[0] = softsign_new(EC_P256);
	b->key[1] = softsign_new(EC_P256);
	b->meter = softsign_new(EC_P256);
	bench_access(b);
	bench_cert(b, "device-signature", b->meter, 1, b->r->now + 86400);
	return b;
}

static void
bench_free(struct bench *b)
{
	access_free(b->access);
	refusals_free(b->refusals);
	for (size_t i = 0; i < 2; i++)
		softsign_free(b->key[i]);
	softsign_free(b->meter);
	buf_free(&b->der);
	rig_free(b->r);
	free(b);
}

/* Ask with the meter's certificate. */
static int
bench_ask(struct bench *b, const char *scope, const char *client, struct access_answer *out,
    struct err *err)
{
	struct access_request request = { .address = "192.0.2.7" };
	int r;

	buf_add(&request.der, b->der.data, b->der.len);
	snprintf(request.scope, sizeof(request.scope), "%s", scope);
	snprintf(request.client, sizeof(request.client), "%s", client);
	memset(out, 0, sizeof(*out));
	r = access_run(b->access, &request, b->r->reader, out, err);
	access_request_free(&request);
	return r;
}

/* Asked for what it may have: given, or why not. REFUSAL_NONE = given. */
static enum refusal
bench_verdict(struct bench *b)
{
	struct access_answer answer;
	struct err err = { 0 };

	if (bench_ask(b, "", "", &answer, &err) != 0) {
		fprintf(stderr, "  %s\n", err.msg);
		return REFUSALS;
	}
	CHECK(answer.refused == (answer.token[0] == '\0'));
	CHECK(!answer.refused || (answer.err.code != 0 && answer.err.msg[0] != '\0'));
	return answer.refused ? answer.reason : REFUSAL_NONE;
}

/* Part i of a token, decoded. */
static void
token_part(const char *token, int i, struct buf *out)
{
	size_t len;
	char text[ACCESS_TOKEN_MAX];

	while (i-- > 0)
		token = strchr(token, '.') + 1;
	len = strcspn(token, ".");
	require(len < sizeof(text));
	for (size_t k = 0; k < len; k++)
		text[k] = token[k] == '-' ? '+' : token[k] == '_' ? '/' : token[k];
	buf_reset(out);
	CHECK(base64_decode(text, len, sizeof(text), 1, out) == 0);
}

static bool
token_says(const char *token, int part, const char *text)
{
	struct buf b = { 0 };
	bool found;

	token_part(token, part, &b);
	found = strstr(buf_text(&b), text) != NULL;
	if (!found)
		fprintf(stderr, "  %s is not in %s\n", text, buf_text(&b));
	buf_free(&b);
	return found;
}

static bool
token_verifies(const char *token, const struct softsign *key)
{
	uint8_t digest[SHA384_LEN];
	struct buf rs = { 0 }, sig = { 0 };
	bool good;

	ec_digest(EC_P256, token, (size_t)(strrchr(token, '.') - token), digest);
	token_part(token, 2, &rs);
	CHECK(rs.len == 64);
	ec_sig_put(&sig, EC_P256, rs.data);
	good = ec_verify(&key->signer.pub, digest, SHA256_LEN, buf_span(&sig), NULL) == 0;
	buf_free(&rs);
	buf_free(&sig);
	return good;
}

static void
test_token(void)
{
	struct bench *b = bench_new();
	struct access_answer answer, again;
	char kid[JWT_KID_LEN], text[80];
	struct err err;

	/* No key at all, then one. */
	CHECK(bench_ask(b, "", "", &answer, &err) != 0 && err.code == FAIL_UNAVAILABLE);
	CHECK(strstr(err.msg, "smki token-key new") != NULL);
	bench_do(b, do_key, 1);
	CHECK(bench_ask(b, "", "", &answer, &err) == 0 && !answer.refused);
	CHECK_STR(answer.scope, scopes);
	CHECK(answer.expires_in == LIFE);
	CHECK(token_verifies(answer.token, b->key[0]));
	CHECK(!token_verifies(answer.token, b->key[1]));
	jwt_kid(&b->key[0]->signer.pub, kid);
	CHECK(token_says(answer.token, 0, "\"at+jwt\""));
	CHECK(token_says(answer.token, 0, kid));
	CHECK(token_says(answer.token, 1, "\"sub\":\"00db123456780001\""));
	CHECK(token_says(answer.token, 1, "\"scope\":\"read:self write:load\""));
	CHECK(token_says(answer.token, 1, "\"iss\":\"smki\""));
	CHECK(token_says(answer.token, 1, "\"aud\":\"smki\""));
	CHECK(token_says(answer.token, 1, "\"x5t#S256\":"));
	/* Each token is another. */
	CHECK(bench_ask(b, "", "", &again, &err) == 0);
	CHECK(strcmp(answer.token, again.token) != 0);

	strcpy(b->r->home.url, "http://ca.example");
	strcpy(b->r->home.access.audience, "head-end");
	bench_access(b);
	CHECK(bench_ask(b, "", "", &answer, &err) == 0);
	CHECK(token_says(answer.token, 1, "\"iss\":\"http://ca.example\""));
	CHECK(token_says(answer.token, 1, "\"aud\":\"head-end\""));
	strcpy(b->r->home.access.issuer, "https://ca.example:8443");
	bench_access(b);
	CHECK(bench_ask(b, "", "", &answer, &err) == 0);
	CHECK(token_says(answer.token, 1, "\"iss\":\"https://ca.example:8443\""));

	/* It ends with the certificate that it is bound to. */
	b->r->home.access.lifetime = 900000;
	CHECK(bench_ask(b, "", "", &answer, &err) == 0);
	CHECK(answer.expires_in <= 86400 && answer.expires_in > 86400 - 60);
	snprintf(text, sizeof(text), "\"exp\":%lld", (long long)(b->r->now + 86400));
	CHECK(token_says(answer.token, 1, text));
	bench_free(b);
}

static const struct {
	const char *name, *scope, *client;
	const char *got;    /* NULL = refused */
	enum err_code code; /* of the refusal */
} asked_rows[] = {
	{ "nothing", "", "", scopes, 0 },
	{ "one", "read:self", "", "read:self", 0 },
	{ "the other", "write:load", "", "write:load", 0 },
	{ "both, turned round", "write:load read:self", "", scopes, 0 },
	{ "twice the same", "read:self read:self", "", "read:self", 0 },
	{ "not its own", "admin", "", NULL, FAIL_INVALID },
	{ "one of them not its own", "read:self admin", "", NULL, FAIL_INVALID },
	{ "the beginning of one", "read", "", NULL, FAIL_INVALID },
	{ "one and more", "read:self2", "", NULL, FAIL_INVALID },
	{ "a space", " ", "", NULL, FAIL_INVALID },
	{ "space before", " read:self", "", NULL, FAIL_INVALID },
	{ "space behind", "read:self ", "", NULL, FAIL_INVALID },
	{ "two spaces", "read:self  write:load", "", NULL, FAIL_INVALID },
	{ "quote", "read:self\"", "", NULL, FAIL_INVALID },
	{ "client", "", "00db123456780001", scopes, 0 },
	{ "client in another form", "", "00-DB-12-34-56-78-00-01", scopes, 0 },
	{ "another client", "", "00db123456780002", NULL, FAIL_DENIED },
	{ "client of 7 octets", "", "00db1234567800", NULL, FAIL_DENIED },
	{ "client is a word", "", "meter", NULL, FAIL_DENIED },
};

static void
test_asked(void)
{
	struct bench *b = bench_new();
	struct access_answer answer;
	struct err err;

	bench_do(b, do_key, 1);
	for (size_t i = 0; i < ARRAY_LEN(asked_rows); i++) {
		const char *name = asked_rows[i].name;

		CHECK_ROW(name,
		    bench_ask(b, asked_rows[i].scope, asked_rows[i].client, &answer, &err) == 0);
		CHECK_ROW(name, answer.refused == (asked_rows[i].got == NULL));
		if (asked_rows[i].got == NULL) {
			CHECK_ROW(name, answer.reason == REFUSAL_SCOPE);
			CHECK_ROW(name, answer.err.code == asked_rows[i].code);
			CHECK_ROW(name, answer.token[0] == '\0');
		} else {
			CHECK_STR(answer.scope, asked_rows[i].got);
		}
	}
	/* A profile without scopes, or without its file. */
	bench_profile(b, "device-signature")->scopes[0] = '\0';
	CHECK(bench_verdict(b) == REFUSAL_SCOPE);
	strcpy(bench_profile(b, "device-signature")->scopes, scopes);
	strcpy(bench_profile(b, "device-signature")->name, "gone");
	CHECK(bench_verdict(b) == REFUSAL_SCOPE);
	bench_free(b);
}

/* Octets that are not exactly those of a certificate of ours. */
static void
test_strangers(void)
{
	struct bench *b = bench_new();
	struct softsign *rogue = softsign_new(EC_P256);
	struct buf good = { 0 }, forged = { 0 };
	struct cert cert;

	bench_do(b, do_key, 1);
	CHECK(bench_verdict(b) == REFUSAL_NONE);
	buf_add(&good, b->der.data, b->der.len);
	for (size_t at = 0; at < good.len; at += 7) {
		b->der.data[at] ^= 1;
		if (bench_verdict(b) != REFUSAL_CERTIFICATE)
			CU_FAIL("other octets");
		b->der.data[at] ^= 1;
	}
	buf_add_u8(&b->der, 0);
	CHECK(bench_verdict(b) == REFUSAL_CERTIFICATE);
	b->der.len = 0;
	CHECK(bench_verdict(b) == REFUSAL_CERTIFICATE);
	while (b->der.len <= CERT_DER_MAX)
		buf_add_u8(&b->der, 0x30);
	CHECK(bench_verdict(b) == REFUSAL_CERTIFICATE);
	/* All but the signature is as in the recorded one. */
	RIG(cert_parse(good.data, good.len, &cert, &rig_err));
	RIG(sign_wrap(&rogue->signer, cert.tbs.p, cert.tbs.len, &forged, &rig_err));
	buf_reset(&b->der);
	buf_add(&b->der, forged.data, forged.len);
	CHECK(bench_verdict(b) == REFUSAL_CERTIFICATE);
	/* A certificate of ours that is no device's. */
	buf_reset(&b->der);
	buf_add(&b->der, b->r->ca->der.data, b->r->ca->der.len);
	CHECK(bench_verdict(b) == REFUSAL_CERTIFICATE);
	softsign_free(rogue);
	buf_free(&forged);
	buf_free(&good);
	bench_free(b);
}

static void
test_states(void)
{
	struct bench *b = bench_new();
	struct softsign *second = softsign_new(EC_P256), *third = softsign_new(EC_P256);

	bench_do(b, do_key, 1);
	/* The register: on hold and back. */
	CHECK(bench_verdict(b) == REFUSAL_NONE);
	bench_do(b, do_device, DEVICE_DO_HOLD);
	CHECK(bench_verdict(b) == REFUSAL_HELD);
	bench_do(b, do_device, DEVICE_DO_RELEASE);
	CHECK(bench_verdict(b) == REFUSAL_NONE);
	/* The certificate: the next answer after each change. */
	bench_do(b, do_cert, CERT_HOLD);
	CHECK(bench_verdict(b) == REFUSAL_STATE);
	bench_do(b, do_cert, CERT_VALID);
	CHECK(bench_verdict(b) == REFUSAL_NONE);
	bench_do(b, do_cert, CERT_REVOKED);
	CHECK(bench_verdict(b) == REFUSAL_STATE);
	/* Ended, and not for signatures. */
	bench_cert(b, "device-signature", second, 1, b->r->now - 1);
	CHECK(bench_verdict(b) == REFUSAL_CERTIFICATE);
	bench_cert(b, "device-agreement", third, 1, b->r->now + 86400);
	CHECK(bench_verdict(b) == REFUSAL_CERTIFICATE);
	softsign_free(second);
	softsign_free(third);
	bench_free(b);
}

static void
test_retired(void)
{
	struct bench *b = bench_new();
	struct store_refusal got[4];
	int64_t n = 0, rows = 0;
	size_t n_got = 0;
	struct store_cert ca;
	struct err err;

	bench_do(b, do_key, 1);
	bench_do(b, do_device, DEVICE_DO_RETIRE);
	CHECK(bench_verdict(b) == REFUSAL_RETIRED);
	CHECK(bench_verdict(b) == REFUSAL_RETIRED);
	/* Counted by the device, which was proven; a stranger by its address. */
	b->der.data[b->der.len - 1] ^= 1;
	CHECK(bench_verdict(b) == REFUSAL_CERTIFICATE);
	b->der.data[b->der.len - 1] ^= 1;
	CHECK(refusals_flush(b->refusals, b->r->committer, clock_now(), 86400, &err) == 0);
	RIG(store_refusals_of(b->r->reader, "00db123456780001", got, 4, &n_got, &rig_err));
	CHECK(n_got >= 1);
	for (size_t i = 0; i < n_got; i++) {
		n += got[i].n;
		CHECK_STR(got[i].reason, refusal_str(REFUSAL_RETIRED));
	}
	CHECK(n == 2);
	RIG(store_refusals_of(b->r->reader, "192.0.2.7", got, 4, &n_got, &rig_err));
	CHECK(n_got == 1);
	refusal_sum(b->r->db, 0, &n, &rows);
	CHECK(n == 3);
	/* The CA above it is revoked: nothing under it counts. */
	RIG(store_cert_find(b->r->reader, b->r->root->id, &b->r->ca->cert.serial, &ca, &rig_err));
	b->cert = ca.id;
	bench_do(b, do_cert, CERT_REVOKED);
	CHECK(bench_verdict(b) == REFUSAL_CERTIFICATE);
	bench_free(b);
}

static void
test_signers(void)
{
	struct bench *b = bench_new();
	struct access_answer answer;
	struct softsign *other = softsign_new(EC_P256), *own = b->key[0];
	struct err err;

	bench_do(b, do_key, 1);
	bench_do(b, do_key, 2);
	CHECK(bench_ask(b, "", "", &answer, &err) == 0 && token_verifies(answer.token, b->key[0]));
	/* The token is away: at once, and with its reason. */
	b->away = true;
	CHECK(bench_ask(b, "", "", &answer, &err) != 0 && err.code == FAIL_UNAVAILABLE);
	CHECK_STR(err.msg, "token: away");
	b->away = false;
	/* It signs wrongly, or refuses. */
	b->key[0]->corrupt = true;
	CHECK(bench_ask(b, "", "", &answer, &err) != 0 && err.code == FAIL_UNAVAILABLE);
	CHECK(answer.token[0] == '\0');
	b->key[0]->corrupt = false;
	/* One that is not there is passed over for one that is published. */
	b->missing[0] = true;
	CHECK(bench_ask(b, "", "", &answer, &err) == 0 && token_verifies(answer.token, b->key[1]));
	b->missing[1] = true;
	CHECK(bench_ask(b, "", "", &answer, &err) != 0 && err.code == FAIL_UNAVAILABLE);
	b->missing[0] = b->missing[1] = false;
	/* Another key under the label. */
	b->key[0] = other;
	CHECK(bench_ask(b, "", "", &answer, &err) == 0 && token_verifies(answer.token, b->key[1]));
	b->key[0] = own;
	/* A clock in doubt signs nothing, and counts nothing. */
	timeguard_note(b->r->guard, b->r->now + 3600);
	CHECK(bench_ask(b, "", "", &answer, &err) != 0 && err.code == FAIL_UNAVAILABLE);
	softsign_free(other);
	bench_free(b);
}

static void
test_issuer(void)
{
	struct home *home = mem_alloc(sizeof(*home));
	struct access_conf conf = { .home = home };
	struct access *access = NULL;
	struct err err;

	memset(home->url, 'a', JWT_TEXT_LEN - 1);
	CHECK(access_new(&conf, &access, &err) == 0);
	access_free(access);
	memset(home->url, 'a', JWT_TEXT_LEN);
	CHECK(access_new(&conf, &access, &err) != 0 && err.code == FAIL_INVALID);
	strcpy(home->access.issuer, "smki");
	CHECK(access_new(&conf, &access, &err) == 0);
	access_free(access);
	free(home);
}

/* One that asks without end is refused, and counted; what was refused it costs nothing. */
static void
test_often(void)
{
	struct bench *b = bench_new();
	struct access_answer answer;
	struct err err;

	bench_do(b, do_key, 1);
	for (int i = 0; i < DEVICE_RATE_MAX; i++) {
		CHECK(bench_ask(b, "admin", "", &answer, &err) == 0 && answer.refused);
		CHECK(bench_verdict(b) == REFUSAL_NONE);
	}
	CHECK(bench_ask(b, "", "", &answer, &err) == 0 && answer.refused);
	CHECK(answer.reason == REFUSAL_QUOTA && answer.err.code == FAIL_LIMIT);
	CHECK(answer.token[0] == '\0');
	bench_free(b);
}

static const struct test_case cases[] = {
	{ "issuer", test_issuer },
	{ "what a token says", test_token },
	{ "scopes and client", test_asked },
	{ "certificates of others", test_strangers },
	{ "states", test_states },
	{ "retired, counted", test_retired },
	{ "signers", test_signers },
	{ "too often", test_often },
};
TEST_MAIN("access", cases)
