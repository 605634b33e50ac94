/*
 * Access tokens for meters: OAuth 2.0 client credentials over mutual TLS (RFC 6749 4.4, RFC 8705),
 * and the public keys to check them with (RFC 7517). smkid judges and signs.
 */
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

#include "ask.h"
#include "form.h"
#include "link.h"
#include "smki/clock.h"
#include "strangers.h"

/* RFC 6749 5.2, and RFC 6749 4.1.2.1's word for what it has none for. */
#define TOKEN_INVALID_REQUEST "invalid_request"
#define TOKEN_INVALID_CLIENT "invalid_client"
#define TOKEN_UNAUTHORIZED "unauthorized_client"
#define TOKEN_INVALID_SCOPE "invalid_scope"
#define TOKEN_UNSUPPORTED_GRANT "unsupported_grant_type"
#define TOKEN_UNAVAILABLE "temporarily_unavailable"
#define TOKEN_SERVER_ERROR "server_error"

_Static_assert(sizeof(((struct access_request *)0)->address) == HTTP_ADDRESS_LEN, "one address");

static void
token_head(int status, struct http_response *response)
{
	response->status = status;
	http_header_set(response, "Content-Type", "application/json");
	http_header_set(response, "Cache-Control", "no-store");
	http_header_set(response, "Pragma", "no-cache");
}

static void
token_error(int status, const char *error, const char *description, struct http_response *response)
{
	token_head(status, response);
	buf_fmt(&response->body, "{\"error\":\"%s\",\"error_description\":\"%s\"}\n", error,
	    description);
}

/* No credential is 401; one that is known and may not is 403; what is asked wrongly 400. */
static void
token_refuse(struct route_ctx *ctx, enum refusal why, const char *error, const struct err *err,
    struct http_response *response)
{
	char words[ERR_MSG_MAX];
	int status = err_http_status(err->code);

	httpd_count_refusal(ctx->httpd, why);
	ask_words(err, words);
	if (strcmp(error, TOKEN_INVALID_CLIENT) != 0)
		status = err_http_status(FAIL_INVALID);
	else if (why == REFUSAL_CREDENTIAL)
		status = HTTP_UNAUTHORIZED;
	if (err->code == FAIL_LIMIT)
		error = TOKEN_UNAVAILABLE;
	token_error(status, error, words, response);
	if (status == HTTP_UNAUTHORIZED)
		http_header_set(response, "WWW-Authenticate", "TLS-Certificate realm=\"smki\"");
	if (err->code == FAIL_LIMIT)
		http_header_set(response, "Retry-After", "60");
}

static void
token_failed(struct route_ctx *ctx, const struct err *err, struct http_response *response)
{
	char words[ERR_MSG_MAX];
	enum err_code code = ask_failed_code(ctx, err, words);

	token_error(err_http_status(code),
	    code == FAIL_INTERNAL ? TOKEN_SERVER_ERROR : TOKEN_UNAVAILABLE, words, response);
	if (code != FAIL_INTERNAL)
		http_header_set(response, "Retry-After", "5");
}

/* client_id, when it is told, is the device's own EUI-64. */
static int
token_check_client(const char *client, const struct holder *holder, struct err *err)
{
	struct eui64 eui;

	if (client != NULL && (eui64_parse(client, &eui, NULL) != 0 ||
				  memcmp(eui.octets, holder->name, EUI64_LEN) != 0))
		return err_set(err, FAIL_DENIED,
		    "token: RFC 8705 2: client_id is not the certificate's device");
	return 0;
}

/* The form to a request. -1 with *error and *why. */
static int
token_request(const struct http_request *request, const struct peer *peer,
    struct access_request *out, const char **error, enum refusal *why, struct err *err)
{
	const char *grant, *scope, *client;
	struct form form;

	*error = TOKEN_INVALID_REQUEST;
	*why = REFUSAL_FORM;
	if (form_parse(request->body.data, request->body.len, &form, err) != 0)
		return -1;
	grant = form_get(&form, "grant_type");
	scope = form_get(&form, "scope");
	client = form_get(&form, "client_id");
	if (grant == NULL)
		return err_set(err, FAIL_INVALID, "token: RFC 6749 4.4.2: no grant_type");
	*why = REFUSAL_SCOPE;
	*error = TOKEN_UNSUPPORTED_GRANT;
	if (strcmp(grant, "client_credentials") != 0)
		return err_set(err, FAIL_INVALID,
		    "token: RFC 6749 4.4.2: grant_type is not client_credentials");
	*error = TOKEN_INVALID_CLIENT;
	if (token_check_client(client, &peer->holder, err) != 0)
		return -1;
	*error = TOKEN_INVALID_SCOPE;
	if (scope != NULL && strlen(scope) >= sizeof(out->scope))
		return err_set(err, FAIL_INVALID, "token: RFC 6749 3.3: scope is too long");
	snprintf(out->scope, sizeof(out->scope), "%s", scope != NULL ? scope : "");
	snprintf(out->client, sizeof(out->client), "%s", client != NULL ? client : "");
	memcpy(out->address, request->address, sizeof(out->address));
	buf_add(&out->der, peer->chain[0].p, peer->chain[0].len);
	return 0;
}

/* Whose TLS certificate it is; only one of ours will do. */
static int
token_peer(struct route_ctx *ctx, const struct http_request *request, struct peer *out,
    enum refusal *why, struct err *err)
{
	if (peer_judge(ctx, request, out, why, err) != 0)
		return -1;
	switch (out->kind) {
	case PEER_OURS:
		return 0;
	case PEER_NONE:
		*why = REFUSAL_CREDENTIAL;
		return err_set(err, FAIL_DENIED, "token: RFC 8705 2: no certificate in TLS");
	case PEER_IDEVID:
		break;
	}
	*why = REFUSAL_PROOF;
	return err_set(err, FAIL_DENIED,
	    "token: RFC 8705 2: the certificate in TLS is a manufacturer's, not ours");
}

static int
token_ask(struct route_ctx *ctx, const struct access_request *request, struct access_answer *answer,
    struct err *err)
{
	struct buf msg = { 0 }, reply = { 0 };
	struct wire_in in;
	int rc = -1;

	wire_start(&msg, FRONT_TOKEN, 0, 0);
	front_token_put(&msg, request);
	if (link_call(ctx->link, &msg, &reply, &in, ASK_TIMEOUT_MS, err) == 0 &&
	    front_access_get(&in, answer, err) == 0)
		rc = 0;
	buf_free(&msg);
	buf_wipe(&reply);
	return rc;
}

/* Which of RFC 6749 5.2's words a refusal of smkid's is. */
static const char *
token_error_of(const struct access_answer *answer)
{
	if (answer->reason != REFUSAL_SCOPE)
		return TOKEN_INVALID_CLIENT;
	/* Asked for too much, or of a profile that gives no tokens. */
	return answer->err.code == FAIL_INVALID ? TOKEN_INVALID_SCOPE : TOKEN_UNAUTHORIZED;
}

static void
token_answer(
    struct route_ctx *ctx, const struct access_answer *answer, struct http_response *response)
{
	if (answer->refused) {
		token_refuse(ctx, answer->reason, token_error_of(answer), &answer->err, response);
		return;
	}
	token_head(HTTP_OK, response);
	response->secret = true;
	buf_reserve(&response->body, sizeof(*answer) + 256);
	/* Token and scopes are of alphabets that JSON leaves alone (RFC 7515 2, RFC 6749 3.3). */
	buf_fmt(&response->body,
	    "{\"access_token\":\"%s\",\"token_type\":\"Bearer\",\"expires_in\":%ld,"
	    "\"scope\":\"%s\"}\n",
	    answer->token, answer->expires_in, answer->scope);
	httpd_count_token(ctx->httpd);
}

void
route_token(struct route_ctx *ctx, const struct http_request *request, const char *rest,
    struct http_response *response)
{
	const char *error = TOKEN_INVALID_CLIENT;
	struct access_request ask = { 0 };
	struct access_answer answer = { 0 };
	enum refusal why = REFUSAL_NONE;
	struct peer peer;
	struct err err;

	(void)rest;
	if (token_peer(ctx, request, &peer, &why, &err) != 0 ||
	    token_request(request, &peer, &ask, &error, &why, &err) != 0) {
		if (why == REFUSAL_NONE) {
			token_failed(ctx, &err, response);
		} else {
			strangers_refused(ctx->httpd->strangers, request->address, why);
			token_refuse(ctx, why, error, &err, response);
		}
	} else if (token_ask(ctx, &ask, &answer, &err) != 0) {
		token_failed(ctx, &err, response);
	} else {
		token_answer(ctx, &answer, response);
	}
	OPENSSL_cleanse(&answer, sizeof(answer));
	access_request_free(&ask);
}

void
route_jwks(struct route_ctx *ctx, const struct http_request *request, const char *rest,
    struct http_response *response)
{
	struct store_access_key keys[STORE_ACCESS_KEYS_MAX];
	struct ec_pub published[STORE_ACCESS_KEYS_MAX];
	size_t n = 0, n_published = 0;
	time_t now = clock_now();
	struct err err;

	(void)request;
	(void)rest;
	if (ctx->store == NULL) {
		err_set(&err, FAIL_UNAVAILABLE, "http: the database is away");
		ask_failed(ctx, &err, response);
		return;
	}
	if (store_access_key_list(ctx->store, keys, &n, &err) != 0) {
		ask_failed(ctx, &err, response);
		return;
	}
	for (size_t i = 0; i < n; i++)
		if (access_key_is_published(keys, n, i, now, ctx->httpd->home.access.lifetime))
			published[n_published++] = keys[i].pub;
	response->status = HTTP_OK;
	http_header_set(response, "Content-Type", "application/jwk-set+json");
	http_header_set(response, "Cache-Control", "public, max-age=%d", HTTP_CACHE_MAX);
	jwt_key_set(published, n_published, &response->body);
}
