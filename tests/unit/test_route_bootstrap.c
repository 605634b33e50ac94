/*
 * POST /bootstrap without a network: the JSON read strictly, what reaches smkid, and what the meter
 * is told.
 */
#include <jansson.h>

#include "bootstrap_json.h"
#include "front_rig.h"

/* A good request is made of these; a test leaves one out, or puts another in. */
#define VERSION "\"version\":\"smki-bootstrap-v1\","
#define EUI "\"eui64\":\"00db123456780001\","
#define TYPE "\"hw_type\":\"1.3.6.1.4.1.32473.1\","
#define TIME "\"time\":\"2026-11-22T01:00:00Z\","
#define CSR "\"csr\":\"MAMCAQU=\","
#define SIGNATURE "\"signature\":\"MAMCAQU=\""
#define HEAD VERSION EUI TYPE TIME
#define GOOD "{" HEAD CSR SIGNATURE "}"
#define WITH(member) "{" HEAD CSR member "," SIGNATURE "}"
#define B64_16 "MAMCAQUwAwIBBQ=="

/* ---- reading ---- */

/* part: of the message when it is refused */
static const struct {
	const char *json, *part;
} read_cases[] = {
	{ GOOD, NULL },
	{ " \n" GOOD "\n", NULL },
	{ "{" HEAD SIGNATURE "}", NULL },
	{ "", "body" },
	{ "{", "body" },
	{ "[]", "body" },
	{ "null", "body" },
	{ GOOD "x", "body" },
	{ GOOD GOOD, "body" },
	{ "{" HEAD CSR "\"eui64\":\"00db123456780001\"," SIGNATURE "}", "body" },
	{ WITH("\"color\":1"), "not known" },
	{ WITH("\"model\":\"\\u0000\""), "body" },
	{ WITH("\"model\":\"\xff\""), "body" },
	{ "{" EUI TYPE TIME CSR SIGNATURE "}", "version" },
	{ "{\"version\":\"smki-bootstrap-v2\"," EUI TYPE TIME CSR SIGNATURE "}", "version" },
	{ "{\"version\":1," EUI TYPE TIME CSR SIGNATURE "}", "version" },
	{ "{" VERSION TYPE TIME CSR SIGNATURE "}", "eui64" },
	{ "{" VERSION "\"eui64\":\"00db12345678000\"," TYPE TIME CSR SIGNATURE "}", "eui64" },
	{ "{" VERSION "\"eui64\":\"00-DB-12-34-56-78-00-01\"," TYPE TIME CSR SIGNATURE "}", NULL },
	{ "{" VERSION EUI TIME CSR SIGNATURE "}", "hw_type" },
	{ "{" VERSION EUI "\"hw_type\":\"1.2.x\"," TIME CSR SIGNATURE "}", "hw_type" },
	{ "{" VERSION EUI TYPE CSR SIGNATURE "}", "time" },
	{ "{" VERSION EUI TYPE "\"time\":\"2026-11-22\"," CSR SIGNATURE "}", "time" },
	{ "{" VERSION EUI TYPE "\"time\":\"20261122010000Z\"," CSR SIGNATURE "}", "time" },
	{ "{" VERSION EUI TYPE "\"time\":\"2026-13-22T01:00:00Z\"," CSR SIGNATURE "}", "time" },
	{ "{" VERSION EUI TYPE "\"time\":1795309200," CSR SIGNATURE "}", "time" },
	{ WITH("\"model\":\"Gas meter \xc3\xa4\""), NULL },
	{ WITH("\"model\":\"a\\nb\""), "model" },
	{ WITH("\"model\":7"), "model" },
	{ WITH("\"model\":null"), "model" },
	{ WITH("\"firmware\":"
	       "\"0123456789012345678901234567890123456789012345678901234567890123"
	       "\""),
	    NULL },
	{ WITH("\"firmware\":"
	       "\"01234567890123456789012345678901234567890123456789012345678901234\""),
	    "firmware" },
	{ WITH("\"country\":\"NL\""), NULL },
	{ WITH("\"country\":\"\""), NULL },
	{ WITH("\"country\":\"nl\""), "country" },
	{ WITH("\"country\":\"NLD\""), "country" },
	{ WITH("\"position\":{\"latitude\":52.37,\"longitude\":4.9}"), NULL },
	{ WITH("\"position\":{\"latitude\":-90,\"longitude\":180}"), NULL },
	{ WITH("\"position\":{\"latitude\":90.000001,\"longitude\":0}"), "position" },
	{ WITH("\"position\":{\"latitude\":0,\"longitude\":-180.000001}"), "position" },
	{ WITH("\"position\":{\"latitude\":1e300,\"longitude\":0}"), "latitude" },
	{ WITH("\"position\":{\"latitude\":52.3700001,\"longitude\":4.9}"), "decimals" },
	{ WITH("\"position\":{\"latitude\":52.37}"), "longitude" },
	{ WITH("\"position\":{\"latitude\":\"52.37\",\"longitude\":4.9}"), "latitude" },
	{ WITH("\"position\":{\"latitude\":1,\"longitude\":1,\"height\":1}"), "position" },
	{ WITH("\"position\":[52.37,4.9]"), "position" },
	{ WITH("\"profile\":\"device-agreement\""), NULL },
	{ WITH("\"profile\":\"../x\""), "profile" },
	{ WITH("\"renew\":true"), NULL },
	{ WITH("\"renew\":1"), "renew" },
	{ "{" HEAD "\"renew\":true," SIGNATURE "}", "renew" },
	{ "{" HEAD "\"csr\":\"\"," SIGNATURE "}", "csr" },
	{ "{" HEAD "\"csr\":[]," SIGNATURE "}", "csr" },
	{ "{" HEAD CSR "\"profile\":\"\"}", "signature" },
	{ "{" HEAD CSR "\"signature\":\"\"}", "signature" },
	{ "{" HEAD CSR "\"signature\":\"MAMCAQU\"}", "signature" },
	{ "{" HEAD CSR "\"signature\":\"MAMC_QU=\"}", "signature" },
	{ WITH("\"certificates\":[\"MAMCAQU=\"]"), NULL },
	{ WITH("\"certificates\":[\"MA==\",\"MA==\",\"MA==\",\"MA==\",\"MA==\",\"MA==\"]"), NULL },
	{ WITH("\"certificates\":[\"MA==\",\"MA==\",\"MA==\",\"MA==\",\"MA==\",\"MA==\","
	       "\"MA==\"]"),
	    "certificates" },
	{ WITH("\"certificates\":[]"), "certificates" },
	{ WITH("\"certificates\":\"MAMCAQU=\""), "certificates" },
	{ WITH("\"certificates\":[1]"), "certificates" },
	{ WITH("\"certificates\":[\"MAMCAQU=\",\"\"]"), "certificates" },
};

static void
test_read(void)
{
	struct enrol_request got;
	struct err err;
	int rc;

	for (size_t i = 0; i < ARRAY_LEN(read_cases); i++) {
		memset(&got, 0, sizeof(got));
		rc = bootstrap_json_read(
		    (const uint8_t *)read_cases[i].json, strlen(read_cases[i].json), &got, &err);
		CHECK_ROW(read_cases[i].json, rc == (read_cases[i].part == NULL ? 0 : -1));
		if (rc != 0 && read_cases[i].part == NULL)
			fprintf(stderr, "  %s\n", err.msg);
		CHECK_ROW(read_cases[i].json, rc == 0 || err.code == FAIL_INVALID);
		CHECK_ROW(read_cases[i].json, rc == 0 || read_cases[i].part == NULL ||
						  strstr(err.msg, read_cases[i].part) != NULL);
		enrol_request_free(&got);
	}
}

static void
test_read_values(void)
{
	static const char json[] = "{" VERSION EUI TYPE TIME
				   "\"csr\":\"-----BEGIN\\nMAMC\"," SIGNATURE
				   ",\"model\":\"m\",\"firmware\":\"f\",\"country\":\"NL\","
				   "\"profile\":\"device-signature\","
				   "\"position\":{\"latitude\":52.37,\"longitude\":-4.900001},"
				   "\"certificates\":[\"MAMCAQU=\",\"" B64_16 "\"],\"renew\":true}";
	struct enrol_request got = { 0 };
	struct err err;

	CHECK(bootstrap_json_read((const uint8_t *)json, strlen(json), &got, &err) == 0);
	CHECK(got.kind == ENROL_RENEW && got.has_statement && !got.has_secret);
	CHECK(got.statement.eui.octets[7] == 1 && got.statement.time == 1795309200);
	CHECK_STR(got.statement.hw_type, "1.3.6.1.4.1.32473.1");
	CHECK_STR(got.statement.model, "m");
	CHECK_STR(got.statement.firmware, "f");
	CHECK_STR(got.statement.country, "NL");
	CHECK_STR(got.profile, "device-signature");
	CHECK(got.statement.has_position && got.statement.latitude == 52370000 &&
	      got.statement.longitude == -4900001);
	CHECK(got.n_chain == 2 && got.chain[0].len == 5 && got.chain[1].len == 10);
	CHECK(got.signature.len == 5 && got.signature.data[0] == 0x30);
	CHECK_MEM(got.csr.data, got.csr.len, "-----BEGIN\nMAMC", 15);
	enrol_request_free(&got);
}

/* Every millionth of a degree that is written is the one that is read. */
static void
test_position(void)
{
	struct enrol_request got;
	struct err err;
	char json[512];

	for (int32_t i = -180000000; i <= 180000000; i += 179993) {
		snprintf(json, sizeof(json),
		    WITH("\"position\":{\"latitude\":%s%d.%06d,\"longitude\":%s%d.%06d}"),
		    i < 0 ? "-" : "", abs(i / 2) / 1000000, abs(i / 2) % 1000000, i < 0 ? "-" : "",
		    abs(i) / 1000000, abs(i) % 1000000);
		memset(&got, 0, sizeof(got));
		CHECK_ROW(json,
		    bootstrap_json_read((const uint8_t *)json, strlen(json), &got, &err) == 0);
		CHECK_ROW(json, got.statement.latitude == i / 2 && got.statement.longitude == i);
		enrol_request_free(&got);
	}
}

/* ---- answers ---- */

static void
ask_bootstrap(const char *body, enum front_cert show, const char *authorization,
    struct http_response *response)
{
	struct front_ask ask = { .method = HTTP_POST,
		.path = "/bootstrap",
		.type = "application/json; charset=utf-8",
		.body = body,
		.len = strlen(body),
		.show = show,
		.authorization = authorization };

	front_ask(front, &ask, response);
}

static json_t *
json_of(const struct http_response *response)
{
	json_error_t why;
	json_t *got = json_loadb(
	    (const char *)response->body.data, response->body.len, JSON_REJECT_DUPLICATES, &why);

	if (got == NULL)
		fprintf(stderr, "  %s: %s\n", why.text, (const char *)response->body.data);
	CHECK(got != NULL);
	return got;
}

static const char *
text_of(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

static bool
same_octets(const json_t *text, const struct buf *want)
{
	struct buf got = { 0 };
	bool same;

	same = json_is_string(text) &&
	       base64_decode(json_string_value(text), json_string_length(text), 65536, 0, &got) ==
		   0 &&
	       span_eq(buf_span(&got), buf_span(want));
	buf_free(&got);
	return same;
}

static void
test_issued(void)
{
	char serial[SERIAL_TEXT_LEN];
	struct http_response response;
	json_t *got, *chain;

	front_will_issue(front);
	front->answer.not_after = TIME_NO_EXPIRY;
	ask_bootstrap(WITH("\"country\":\"SE\""), SHOW_NONE, NULL, &response);
	CHECK(response.status == 200 && !response.secret);
	CHECK_STR(http_header_get(&response, "Content-Type"), "application/json");
	CHECK_STR(http_header_get(&response, "Cache-Control"), "no-store");
	got = json_of(&response);
	serial_text(&front->answer.issued.serial, serial);
	CHECK_STR(text_of(got, "version"), "smki-bootstrap-v1");
	CHECK_STR(text_of(got, "status"), "issued");
	CHECK_STR(text_of(got, "serial"), serial);
	CHECK_STR(text_of(got, "state"), "valid");
	CHECK_STR(text_of(got, "profile"), "device-signature");
	CHECK_STR(text_of(got, "ca"), "issuing");
	CHECK(same_octets(json_object_get(got, "certificate"), &front->show[SHOW_OURS]));
	chain = json_object_get(got, "chain");
	CHECK(json_array_size(chain) == 2);
	CHECK(same_octets(json_array_get(chain, 0), &front->rig->ca->der));
	CHECK(same_octets(json_array_get(chain, 1), &front->rig->root->der));
	CHECK_STR(text_of(got, "region"), "north");
	CHECK_STR(text_of(got, "region_by"), "country");
	CHECK_STR(text_of(json_object_get(got, "endpoints"), "mqtt"), "mqtts://north.example:8883");
	CHECK_STR(text_of(got, "ocsp"), "http://pki.example/ocsp");
	CHECK_STR(text_of(got, "crl"), "http://pki.example/crl/issuing.crl");
	CHECK_STR(text_of(got, "not_after"), "9999-12-31T23:59:59Z");
	CHECK(json_is_null(json_object_get(got, "renew_after")));
	CHECK(json_object_get(got, "private_key") == NULL);
	CHECK(strlen(text_of(got, "server_time")) == 20);
	json_decref(got);
	http_response_free(&response);
}

static void
test_renewal_advice(void)
{
	time_t begun = front->rig->now - 60, life;
	struct http_response response;
	char want[TIME_TEXT_LEN];
	json_t *got;

	front_will_issue(front);
	life = front->answer.not_after - begun;
	ask_bootstrap(GOOD, SHOW_NONE, NULL, &response);
	got = json_of(&response);
	time_text(begun + life / 3 * 2, want);
	CHECK_STR(text_of(got, "renew_after"), want);
	json_decref(got);
	http_response_free(&response);
}

static void
test_regions(void)
{
	static const struct {
		const char *registered, *json, *region, *by;
	} cases[] = {
		{ "", GOOD, "rest", "default" },
		{ "south", WITH("\"country\":\"NO\""), "south", "register" },
		{ "gone", WITH("\"country\":\"NO\""), "north", "country" },
		{ "", WITH("\"country\":\"DE\""), "rest", "default" },
		{ "", WITH("\"position\":{\"latitude\":41,\"longitude\":13}"), "south",
		    "position" },
		{ "", WITH("\"country\":\"DE\",\"position\":{\"latitude\":59,\"longitude\":11}"),
		    "north", "position" },
	};
	struct http_response response;
	json_t *got;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		front_will_issue(front);
		strcpy(front->answer.region, cases[i].registered);
		ask_bootstrap(cases[i].json, SHOW_NONE, NULL, &response);
		got = json_of(&response);
		CHECK_STR(text_of(got, "region"), cases[i].region);
		CHECK_STR(text_of(got, "region_by"), cases[i].by);
		CHECK_ROW(cases[i].json, json_object_size(json_object_get(got, "endpoints")) ==
					     (strcmp(cases[i].region, "south") == 0 ? 2u : 1u));
		json_decref(got);
		http_response_free(&response);
	}
}

/* Whose certificates are the evidence. */
static void
test_chain(void)
{
	static const char basic[] = "Basic MDBkYjEyMzQ1Njc4MDAwMTphYmM=";
	struct http_response response;

	front_will_issue(front);
	ask_bootstrap(GOOD, SHOW_IDEVID, basic, &response);
	CHECK(response.status == 200 && front->asked.n_chain == 1 && front->asked.has_secret);
	CHECK_STR(front->asked.secret, "abc");
	CHECK(span_eq(buf_span(&front->asked.chain[0]), buf_span(&front->show[SHOW_IDEVID])));
	CHECK(front->asked.has_statement && front->asked.kind == ENROL_FIRST);
	CHECK_STR(front->asked.address, FRONT_ADDRESS);
	http_response_free(&response);

	ask_bootstrap(WITH("\"certificates\":[\"MAMCAQU=\"]"), SHOW_OURS, NULL, &response);
	CHECK(response.status == 200 && front->asked.n_chain == 1);
	CHECK(front->asked.chain[0].len == 5);
	http_response_free(&response);

	ask_bootstrap(WITH("\"certificates\":[\"MAMCAQU=\"]"), SHOW_ROGUE, basic, &response);
	CHECK(response.status == 403 && front->n_asked == 0);
	CHECK_STR(http_header_get(&response, "Content-Type"), "application/problem+json");
	http_response_free(&response);
	ask_bootstrap(GOOD, SHOW_HELD, NULL, &response);
	CHECK(response.status == 403 && front->n_asked == 0);
	http_response_free(&response);
}

/* A key made by the service goes out in the TLS of the proven device, and nowhere else. */
static void
test_server_key(void)
{
	static const uint8_t key[] = { 0x30, 3, 2, 1, 5 };
	static const char bare[] = "{" HEAD SIGNATURE "}";
	struct buf json = { 0 }, want = { 0 };
	struct http_response response;
	json_t *got;

	front_will_issue(front);
	buf_add(&front->answer.key, key, sizeof(key));
	buf_add(&want, key, sizeof(key));
	ask_bootstrap(bare, SHOW_NONE, NULL, &response);
	CHECK(response.status == 401 && front->n_asked == 0);
	http_response_free(&response);
	ask_bootstrap(bare, SHOW_NONE, "Basic MDBkYjEyMzQ1Njc4MDAwMTphYmM=", &response);
	CHECK(response.status == 403 && front->n_asked == 0);
	http_response_free(&response);
	ask_bootstrap(bare, SHOW_OURS, NULL, &response);
	CHECK(response.status == 403 && front->n_asked == 0);
	http_response_free(&response);
	/* The right certificate in the statement, overheard: in TLS there is none, or another. */
	buf_add_str(&json, "{" HEAD "\"certificates\":[\"");
	base64_encode(front->show[SHOW_IDEVID].data, front->show[SHOW_IDEVID].len, 0, &json);
	buf_add_str(&json, "\"]," SIGNATURE "}");
	ask_bootstrap(buf_text(&json), SHOW_NONE, NULL, &response);
	CHECK(response.status == 403 && front->n_asked == 0);
	http_response_free(&response);
	ask_bootstrap(buf_text(&json), SHOW_OURS, NULL, &response);
	CHECK(response.status == 403 && front->n_asked == 0);
	http_response_free(&response);

	for (int i = 0; i < 2; i++) {
		ask_bootstrap(i == 0 ? bare : buf_text(&json), SHOW_IDEVID, NULL, &response);
		CHECK(response.status == 200 && response.secret);
		CHECK(front->asked.kind == ENROL_SERVER_KEY && front->asked.csr.len == 0);
		got = json_of(&response);
		CHECK(same_octets(json_object_get(got, "private_key"), &want));
		json_decref(got);
		http_response_free(&response);
	}
	front_will_issue(front);
	ask_bootstrap(bare, SHOW_IDEVID, NULL, &response);
	CHECK(response.status == 500);
	http_response_free(&response);
	buf_free(&json);
	buf_free(&want);
}

static void
test_not_issued(void)
{
	struct http_response response;
	json_t *got;

	enrol_answer_free(&front->answer);
	front->answer.outcome = ENROL_PENDING;
	ask_bootstrap(GOOD, SHOW_NONE, NULL, &response);
	CHECK(response.status == 202);
	CHECK_STR(http_header_get(&response, "Retry-After"), "60");
	got = json_of(&response);
	CHECK_STR(text_of(got, "status"), "pending");
	CHECK(json_integer_value(json_object_get(got, "retry_after")) == 60);
	json_decref(got);
	http_response_free(&response);

	front_will_refuse(front, REFUSAL_SECRET, FAIL_DENIED, "model \"x\": no");
	ask_bootstrap(GOOD, SHOW_NONE, NULL, &response);
	CHECK(response.status == 401 && response.delay_ms > 0);
	got = json_of(&response);
	CHECK_STR(text_of(got, "detail"), "model ?x?: no");
	CHECK(json_integer_value(json_object_get(got, "status")) == 401);
	json_decref(got);
	http_response_free(&response);

	front_will_refuse(front, REFUSAL_TIME, FAIL_DENIED, "bootstrap: time: off");
	ask_bootstrap(GOOD, SHOW_NONE, NULL, &response);
	CHECK(response.status == 403);
	http_response_free(&response);

	err_set(&front->broken, FAIL_UNAVAILABLE, "/inside");
	ask_bootstrap(GOOD, SHOW_NONE, NULL, &response);
	CHECK(response.status == 503 && strstr(buf_text(&response.body), "inside") == NULL);
	http_response_free(&response);
	front->broken.code = 0;

	ask_bootstrap("{}", SHOW_NONE, NULL, &response);
	CHECK(response.status == 400 && front->n_asked == 0);
	http_response_free(&response);
	front->ctx.store = NULL;
	ask_bootstrap(GOOD, SHOW_NONE, NULL, &response);
	CHECK(response.status == 503 && front->n_asked == 0);
	http_response_free(&response);
	front->ctx.store = front->rig->reader;
}

static const struct test_case cases[] = {
	{ "JSON, strictly", test_read },
	{ "JSON, values", test_read_values },
	{ "JSON, positions", test_position },
	{ "rig", front_begin },
	{ "issued", test_issued },
	{ "renewal advice", test_renewal_advice },
	{ "regions", test_regions },
	{ "whose certificates", test_chain },
	{ "a key made by the service", test_server_key },
	{ "not issued", test_not_issued },
	{ "end", front_end },
};

TEST_MAIN("route_bootstrap", cases)
