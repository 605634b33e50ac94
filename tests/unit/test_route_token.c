/*
 * POST /token (RFC 6749, 8705) and the key set (RFC 7517) without a network.
 */
#include <jansson.h>

#include "front_rig.h"
#include "smki/jwt.h"

#define FORM "application/x-www-form-urlencoded"
#define GRANT "grant_type=client_credentials"

static json_t *
json_of(const struct http_response *response)
{
	return json_loadb((const char *)response->body.data, response->body.len, 0, NULL);
}

static void
will_give(struct front_rig *f)
{
	f->access = (struct access_answer){
		.token = "h.c.s", .scope = "read write", .expires_in = 600
	};
}

static void
test_granted(void)
{
	struct front_ask ask = { .method = HTTP_POST,
		.path = "/token",
		.type = FORM,
		.body = GRANT "&scope=read+write&client_id=00-DB-12-34-56-78-00-01",
		.show = SHOW_OURS };
	struct http_response response;
	json_t *got;

	ask.len = strlen(ask.body);
	will_give(front);
	front_ask(front, &ask, &response);
	CHECK(response.status == 200 && response.secret);
	CHECK_STR(http_header_get(&response, "Cache-Control"), "no-store");
	CHECK_STR(http_header_get(&response, "Content-Type"), "application/json");
	got = json_of(&response);
	CHECK_STR(json_string_value(json_object_get(got, "access_token")), "h.c.s");
	CHECK_STR(json_string_value(json_object_get(got, "token_type")), "Bearer");
	CHECK_STR(json_string_value(json_object_get(got, "scope")), "read write");
	CHECK(json_integer_value(json_object_get(got, "expires_in")) == 600);
	json_decref(got);
	CHECK_STR(front->asked_token.scope, "read write");
	CHECK_STR(front->asked_token.client, "00-DB-12-34-56-78-00-01");
	CHECK_STR(front->asked_token.address, FRONT_ADDRESS);
	CHECK(span_eq(buf_span(&front->asked_token.der), buf_span(&front->show[SHOW_OURS])));
	CHECK(atomic_load(&front->httpd->counters.tokens) == 1);
	http_response_free(&response);
	ask.plain = true;
	front_ask(front, &ask, &response);
	CHECK(response.status == 404);
	http_response_free(&response);
}

static void
test_refused(void)
{
	static const struct {
		const char *name, *body;
		enum front_cert show;
		int status;
		const char *error;
	} cases[] = {
		{ "no certificate", GRANT, SHOW_NONE, 401, "invalid_client" },
		{ "held", GRANT, SHOW_HELD, 403, "invalid_client" },
		{ "revoked", GRANT, SHOW_REVOKED, 403, "invalid_client" },
		{ "ended", GRANT, SHOW_ENDED, 403, "invalid_client" },
		{ "key agreement", GRANT, SHOW_AGREEMENT, 403, "invalid_client" },
		{ "tls-server", GRANT, SHOW_SERVER, 403, "invalid_client" },
		{ "IDevID", GRANT, SHOW_IDEVID, 403, "invalid_client" },
		{ "rogue", GRANT, SHOW_ROGUE, 403, "invalid_client" },
		{ "alike", GRANT, SHOW_ALIKE, 403, "invalid_client" },
		{ "no form", "", SHOW_OURS, 400, "invalid_request" },
		{ "bad form", "grant_type=%", SHOW_OURS, 400, "invalid_request" },
		{ "twice", GRANT "&" GRANT, SHOW_OURS, 400, "invalid_request" },
		{ "empty grant", "grant_type=", SHOW_OURS, 400, "invalid_request" },
		{ "other grant", "grant_type=password", SHOW_OURS, 400, "unsupported_grant_type" },
		{ "other client", GRANT "&client_id=00db123456780002", SHOW_OURS, 403,
		    "invalid_client" },
		{ "no client", GRANT "&client_id=me", SHOW_OURS, 403, "invalid_client" },
		{ "long scope",
		    GRANT
		    "&scope=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		    SHOW_OURS, 400, "invalid_scope" },
	};
	struct http_response response;
	json_t *got;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct front_ask ask = { .method = HTTP_POST,
			.path = "/token",
			.type = FORM,
			.body = cases[i].body,
			.len = strlen(cases[i].body),
			.show = cases[i].show };

		will_give(front);
		front_ask(front, &ask, &response);
		CHECK_ROW(cases[i].name, response.status == cases[i].status);
		CHECK_ROW(cases[i].name, front->n_asked == 0 && front_one_line(&response));
		CHECK_ROW(cases[i].name, (http_header_get(&response, "WWW-Authenticate") != NULL) ==
					     (cases[i].status == 401));
		CHECK_STR(http_header_get(&response, "Cache-Control"), "no-store");
		got = json_of(&response);
		CHECK_STR(json_string_value(json_object_get(got, "error")), cases[i].error);
		CHECK(json_object_get(got, "error_description") != NULL);
		json_decref(got);
		http_response_free(&response);
	}
}

/* What smkid says. */
static void
test_answers(void)
{
	static const struct {
		enum refusal reason;
		enum err_code code;
		int status;
		const char *error;
	} cases[] = {
		{ REFUSAL_SCOPE, FAIL_INVALID, 400, "invalid_scope" },
		{ REFUSAL_SCOPE, FAIL_DENIED, 400, "unauthorized_client" },
		{ REFUSAL_HELD, FAIL_DENIED, 403, "invalid_client" },
		{ REFUSAL_STATE, FAIL_DENIED, 403, "invalid_client" },
		{ REFUSAL_RETIRED, FAIL_DENIED, 403, "invalid_client" },
		{ REFUSAL_QUOTA, FAIL_LIMIT, 429, "temporarily_unavailable" },
		{ REFUSAL_NONE, FAIL_UNAVAILABLE, 503, "temporarily_unavailable" },
		{ REFUSAL_NONE, FAIL_LIMIT, 429, "temporarily_unavailable" },
		{ REFUSAL_NONE, FAIL_INTERNAL, 500, "server_error" },
	};
	struct front_ask ask = { .method = HTTP_POST,
		.path = "/token",
		.type = FORM,
		.body = GRANT,
		.len = strlen(GRANT),
		.show = SHOW_OURS };
	struct http_response response;
	json_t *got;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		front->access = (struct access_answer){ .refused = true,
			.reason = cases[i].reason };
		err_set(&front->access.err, cases[i].code, "device \"x\"");
		front->broken.code = 0;
		if (cases[i].reason == REFUSAL_NONE)
			err_set(&front->broken, cases[i].code, "/inside");
		front_ask(front, &ask, &response);
		CU_ASSERT_EQUAL(response.status, cases[i].status);
		CHECK(strstr(buf_text(&response.body), "/inside") == NULL);
		got = json_of(&response);
		CHECK_STR(json_string_value(json_object_get(got, "error")), cases[i].error);
		json_decref(got);
		http_response_free(&response);
	}
	front->broken.code = 0;
	front->ctx.store = NULL;
	front_ask(front, &ask, &response);
	CHECK(response.status == 503 && front->n_asked == 0);
	front->ctx.store = front->rig->reader;
	http_response_free(&response);
	ask.type = "application/json";
	front_ask(front, &ask, &response);
	CHECK(response.status == 415);
	http_response_free(&response);
}

/* ---- the key set ---- */

struct key_add {
	struct commit_job job; /* first */
	struct store_access_key key;
};

static int
key_add_apply(struct commit_job *job, struct store *store, struct err *err)
{
	struct key_add *add = (struct key_add *)job;
	struct store_actor actor = { .uid = 0, .now = clock_now() };

	return store_access_key_add(store, &actor, &add->key, err);
}

static void
key_add(const char *label, time_t active)
{
	struct key_add add = { .job = { .lane = COMMIT_OTHER, .apply = key_add_apply } };
	struct softsign *key = softsign_new(EC_P256);

	strcpy(add.key.label, label);
	add.key.pub = key->signer.pub;
	jwt_kid(&add.key.pub, add.key.kid);
	add.key.made = clock_now();
	add.key.active_from = active;
	RIG(committer_run(front->rig->committer, &add.job, &rig_err));
	softsign_free(key);
}

static size_t
keys_now(bool plain)
{
	struct front_ask ask = {
		.method = HTTP_GET, .path = "/.well-known/jwks.json", .plain = plain
	};
	struct http_response response;
	json_t *got;
	size_t n;

	front_ask(front, &ask, &response);
	CHECK(response.status == 200);
	CHECK_STR(http_header_get(&response, "Content-Type"), "application/jwk-set+json");
	CHECK_STR(http_header_get(&response, "Cache-Control"), "public, max-age=900");
	got = json_of(&response);
	n = json_array_size(json_object_get(got, "keys"));
	CHECK(json_object_get(got, "keys") != NULL);
	json_decref(got);
	http_response_free(&response);
	return n;
}

static void
test_keys(void)
{
	struct front_ask ask = { .method = HTTP_GET, .path = "/.well-known/jwks.json" };
	struct http_response response;

	CU_ASSERT_EQUAL(keys_now(false), 0);
	key_add("access-1", clock_now());
	CU_ASSERT_EQUAL(keys_now(false), 1);
	key_add("access-2", clock_now() + ACCESS_PUBLISH_S);
	CU_ASSERT_EQUAL(keys_now(false), 2);
	CU_ASSERT_EQUAL(keys_now(true), 2);
	front->ctx.store = NULL;
	front_ask(front, &ask, &response);
	CHECK(response.status == 503);
	front->ctx.store = front->rig->reader;
	http_response_free(&response);
}

static const struct test_case cases[] = {
	{ "rig", front_begin },
	{ "granted", test_granted },
	{ "refused by the front", test_refused },
	{ "smkid's answers", test_answers },
	{ "key set", test_keys },
	{ "end", front_end },
};

TEST_MAIN("route_token", cases)
