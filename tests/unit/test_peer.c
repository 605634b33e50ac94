/*
 * What the front knows of who asks: TLS peers, HTTP Basic, forms, the tables of strangers, and the
 * policies that it reads again.
 */
#include <openssl/evp.h>

#include "ask.h"
#include "basic.h"
#include "form.h"
#include "front_rig.h"
#include "strangers.h"

/* ---- HTTP Basic ---- */

static void
test_basic(void)
{
	static const struct {
		const char *name, *pair;
		int rc;
	} cases[] = {
		{ "plain", "00db123456780001:s", 0 },
		{ "dashes, capitals", "00-DB-12-34-56-78-00-01:secret:with:colons", 0 },
		{ "longest",
		    "00db123456780001:"
		    "0123456789012345678901234567890123456789012345678901234567890123",
		    0 },
		{ "too long",
		    "00db123456780001:"
		    "01234567890123456789012345678901234567890123456789012345678901234",
		    -1 },
		{ "colons in the user", "00:db:12:34:56:78:00:01:s", -1 },
		{ "no secret", "00db123456780001:", -1 },
		{ "no colon", "00db123456780001", -1 },
		{ "no user", ":secret", -1 },
		{ "short user", "00db1234567800:secret", -1 },
		{ "name", "meter:secret", -1 },
		{ "blank", "00db123456780001:a b", -1 },
		{ "control", "00db123456780001:a\tb", -1 },
		{ "UTF-8", "00db123456780001:\xc3\xa4", -1 },
		{ "nothing", "", -1 },
	};
	static const char *const headers[] = { "", "Basic", "Basic ", "Basic ?", "Basic MDA=x",
		"Basic MDA", "Basic MDA =", "Basic\tMDA=", "Digest username=x",
		"Bearer MDA=", "BasicMDA=" };
	char secret[ENROL_SECRET_MAX + 1];
	struct buf header = { 0 };
	struct eui64 eui;
	struct err err;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		buf_reset(&header);
		buf_add_str(&header, i % 2 == 0 ? "Basic " : "bAsIc   ");
		base64_encode((const uint8_t *)cases[i].pair, strlen(cases[i].pair), 0, &header);
		memset(secret, 'x', sizeof(secret));
		CHECK_ROW(cases[i].name,
		    basic_parse(buf_text(&header), &eui, secret, &err) == cases[i].rc);
		if (cases[i].rc == 0) {
			CHECK_STR(secret, strchr(cases[i].pair, ':') + 1);
			CHECK(eui.octets[0] == 0 && eui.octets[1] == 0xdb && eui.octets[7] == 1);
		} else {
			CHECK_ROW(cases[i].name, err.code == FAIL_INVALID && secret[0] == 'x');
			CHECK_ROW(cases[i].name, strstr(err.msg, "secret:") == NULL);
		}
	}
	for (size_t i = 0; i < ARRAY_LEN(headers); i++)
		CHECK_ROW(headers[i], basic_parse(headers[i], &eui, secret, &err) == -1);
	/* A NUL in the middle of the user. */
	buf_reset(&header);
	buf_add_str(&header, "Basic ");
	base64_encode((const uint8_t *)"00db123456780001\0:s", 19, 0, &header);
	CHECK(basic_parse(buf_text(&header), &eui, secret, &err) == -1);
	buf_free(&header);
}

/* ---- forms ---- */

static void
test_form(void)
{
	static const struct {
		const char *body, *a; /* value of a, NULL = absent */
		int rc;
	} cases[] = {
		{ "", NULL, 0 },
		{ "a=1", "1", 0 },
		{ "a=1&", "1", 0 },
		{ "&a=1", "1", 0 },
		{ "b=2&a=x+y%20z", "x y z", 0 },
		{ "%61=%c3%A4", "\xc3\xa4", 0 },
		{ "a=b=c", "b=c", 0 },
		{ "a", NULL, 0 },
		{ "a=", NULL, 0 },
		{ "=1", NULL, 0 },
		{ "a=1&a=1", NULL, -1 },
		{ "a=&a=1", NULL, -1 },
		{ "a=%", NULL, -1 },
		{ "a=%4", NULL, -1 },
		{ "a=%4g", NULL, -1 },
		{ "a=%4&b=1", NULL, -1 },
		{ "a=%00", NULL, -1 },
		{ "a=%0a", NULL, -1 },
		{ "a=%7f", NULL, -1 },
		{ "a=%ff", NULL, -1 },
		{ "a=%c3", NULL, -1 },
		{ "1=&2=&3=&4=&5=&6=&7=&8=&9=&10=&11=&12=&13=&14=&15=&a=16", "16", 0 },
		{ "1=&2=&3=&4=&5=&6=&7=&8=&9=&10=&11=&12=&13=&14=&15=&16=&a=17", NULL, -1 },
	};
	struct form *form = mem_alloc(sizeof(*form));
	char text[FORM_TEXT_LEN + 3] = "a=";
	struct err err;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const uint8_t *body = (const uint8_t *)cases[i].body;

		CHECK_ROW(cases[i].body,
		    form_parse(body, strlen(cases[i].body), form, &err) == cases[i].rc);
		if (cases[i].rc == 0) {
			CHECK_STR(form_get(form, "a"), cases[i].a);
		} else {
			CHECK_ROW(cases[i].body, err.code == FAIL_INVALID);
		}
	}
	CHECK(form_parse(NULL, 0, form, &err) == 0 && form->n == 0);
	memset(text + 2, 'x', FORM_TEXT_LEN);
	CHECK(form_parse((const uint8_t *)text, FORM_TEXT_LEN + 1, form, &err) == 0);
	CHECK(form_parse((const uint8_t *)text, FORM_TEXT_LEN + 2, form, &err) == -1);
	free(form);
}

/* ---- strangers ---- */

static int64_t
refused_of(const struct front_refused *refused, const char *who, enum refusal reason)
{
	for (size_t i = 0; i < refused->n; i++)
		if (strcmp(refused->row[i].who, who) == 0 && refused->row[i].reason == reason)
			return refused->row[i].n;
	return 0;
}

static void
test_refused(void)
{
	struct strangers *s = strangers_new();
	struct front_refused *got = mem_alloc(sizeof(*got));
	int64_t sum = 0;
	char who[32];

	CHECK(!strangers_take(s, got));
	strangers_refused(s, "192.0.2.1", REFUSAL_FORM);
	strangers_refused(s, "192.0.2.1", REFUSAL_NONE);
	CHECK(!strangers_take(s, got));
	for (int i = 0; i < 3; i++)
		strangers_refused(s, "192.0.2.1", REFUSAL_STATE);
	strangers_refused(s, "192.0.2.1", REFUSAL_ANCHOR);
	CHECK(strangers_take(s, got) && got->n == 2);
	CHECK(refused_of(got, "192.0.2.1", REFUSAL_STATE) == 3);
	CHECK(!strangers_take(s, got));

	/* What could not be told stays, and adds up. */
	strangers_refused(s, "192.0.2.1", REFUSAL_STATE);
	CHECK(strangers_take(s, got));
	strangers_refused(s, "192.0.2.1", REFUSAL_STATE);
	strangers_give_back(s, got);
	CHECK(strangers_take(s, got) && got->n == 1 && got->row[0].n == 2);

	/* However many come, one message holds them, and none is lost. */
	for (int i = 0; i < 1000; i++) {
		snprintf(who, sizeof(who), "10.0.%d.%d", i / 256, i % 256);
		strangers_refused(s, who, (enum refusal)(REFUSAL_CREDENTIAL + i % 3));
	}
	CHECK(strangers_take(s, got) && got->n <= FRONT_REFUSED_MAX);
	for (size_t i = 0; i < got->n; i++)
		sum += got->row[i].n;
	CU_ASSERT_EQUAL(sum, 1000);
	CHECK(refused_of(got, "", REFUSAL_CREDENTIAL) > 0);
	free(got);
	strangers_free(s);
}

static void
test_delay(void)
{
	static const long want[] = { 250, 500, 1000, 2000, 4000, 4000, 4000 };
	struct strangers *s = strangers_new();
	int64_t now = 1000000;
	char who[48];

	for (size_t i = 0; i < ARRAY_LEN(want); i++)
		CU_ASSERT_EQUAL(strangers_wrong_secret(s, "192.0.2.1", now), want[i]);
	CU_ASSERT_EQUAL(strangers_wrong_secret(s, "192.0.2.2", now), 250);
	CU_ASSERT_EQUAL(strangers_wrong_secret(s, "2001:db8::1", now), 250);
	/* The same /64, another /64. */
	CU_ASSERT_EQUAL(strangers_wrong_secret(s, "2001:db8::ffff:1", now), 500);
	CU_ASSERT_EQUAL(strangers_wrong_secret(s, "2001:db8:0:1::1", now), 250);
	/* Five wrong ones: two after a minute, none after ten. */
	CU_ASSERT_EQUAL(strangers_wrong_secret(s, "192.0.2.1", now + 60000), 1000);
	CU_ASSERT_EQUAL(strangers_wrong_secret(s, "192.0.2.1", now + 700000), 250);
	/* More addresses than places: nothing grows, the newest is still known. */
	for (int i = 0; i < 5000; i++) {
		snprintf(who, sizeof(who), "10.1.%d.%d", i / 256, i % 256);
		CU_ASSERT_EQUAL(strangers_wrong_secret(s, who, now + 800000 + i), 250);
	}
	CU_ASSERT_EQUAL(strangers_wrong_secret(s, who, now + 806000), 500);
	strangers_free(s);
}

/* ---- peers ---- */

static void
test_judge(void)
{
	static const struct {
		enum front_cert show;
		int rc;
		enum peer_kind kind;
		enum refusal why;
	} cases[] = {
		{ SHOW_NONE, 0, PEER_NONE, REFUSAL_NONE },
		{ SHOW_OURS, 0, PEER_OURS, REFUSAL_NONE },
		{ SHOW_HELD, -1, PEER_NONE, REFUSAL_STATE },
		{ SHOW_REVOKED, -1, PEER_NONE, REFUSAL_STATE },
		{ SHOW_ENDED, -1, PEER_NONE, REFUSAL_CERTIFICATE },
		{ SHOW_AGREEMENT, -1, PEER_NONE, REFUSAL_CERTIFICATE },
		{ SHOW_SERVER, -1, PEER_NONE, REFUSAL_CERTIFICATE },
		{ SHOW_IDEVID, 0, PEER_IDEVID, REFUSAL_NONE },
		{ SHOW_IDEVID_ENDED, -1, PEER_NONE, REFUSAL_CERTIFICATE },
		{ SHOW_OTHER_CA, -1, PEER_NONE, REFUSAL_ANCHOR },
		{ SHOW_ROGUE, -1, PEER_NONE, REFUSAL_ANCHOR },
		{ SHOW_ALIKE, -1, PEER_NONE, REFUSAL_ANCHOR },
		{ SHOW_GARBAGE, -1, PEER_NONE, REFUSAL_FORM },
	};
	struct front_rig *f = front_rig_new();
	struct http_request request;
	enum refusal why;
	struct peer peer;
	struct err err;

	for (size_t i = 0; i < 2 * ARRAY_LEN(cases); i++) {
		size_t c = i % ARRAY_LEN(cases);

		/* What follows ours in the handshake is no evidence. */
		request = (struct http_request){ .n_peer = cases[c].show == SHOW_NONE ? 0 : 1 };
		request.peer[0] = buf_span(&f->show[cases[c].show]);
		if (cases[c].show == SHOW_OURS)
			request.peer[request.n_peer++] = buf_span(&f->show[SHOW_ROGUE]);
		CHECK_ROW(front_show_names[cases[c].show],
		    peer_judge(&f->ctx, &request, &peer, &why, &err) == cases[c].rc);
		CHECK_ROW(front_show_names[cases[c].show], why == cases[c].why);
		if (cases[c].rc != 0)
			continue;
		CHECK_ROW(front_show_names[cases[c].show], peer.kind == cases[c].kind);
		CHECK(peer.n_chain == (cases[c].kind == PEER_NONE ? 0u : 1u));
		if (peer.kind == PEER_OURS)
			CHECK(peer.holder.name_len == EUI64_LEN && peer.holder.name[7] == 1);
	}
	front_rig_free(f);
}

/* An anchor that is taken away takes its verdicts along; a broken file changes nothing. */
static void
test_reload(void)
{
	static const char other[] =
	    "[manufacturer other]\nanchors = anchors/acme.pem\neui64 = serialNumber\n# moved\n";
	struct front_rig *f = front_rig_new();
	struct http_request request = { .n_peer = 1 };
	struct front_view view;
	enum refusal why;
	struct peer peer;
	bool changed;
	struct err err;

	request.peer[0] = buf_span(&f->show[SHOW_IDEVID]);
	CHECK(peer_judge(&f->ctx, &request, &peer, &why, &err) == 0);
	CHECK(front_data_reload(f->httpd->data, &changed, &err) == 0 && !changed);

	front_file(f, "manufacturers.cnf", "[manufacturer", 13);
	CHECK(front_data_reload(f->httpd->data, &changed, &err) == -1 && !changed);
	CHECK(strstr(err.msg, "manufacturers.cnf") != NULL);
	CHECK(front_data_reload(f->httpd->data, &changed, &err) == 0 && !changed);
	CHECK(peer_judge(&f->ctx, &request, &peer, &why, &err) == 0);

	front_file(f, "regions.cnf", "[region", 7);
	front_file(f, "manufacturers.cnf", "", 0);
	CHECK(front_data_reload(f->httpd->data, &changed, &err) == -1);
	CHECK(strstr(err.msg, "regions.cnf") != NULL);
	front_file(f, "regions.cnf", "[region a]\nendpoint_x = https://a\ndefault = yes\n", 47);
	CHECK(front_data_reload(f->httpd->data, &changed, &err) == 0 && changed);
	CHECK(peer_judge(&f->ctx, &request, &peer, &why, &err) == -1 && why == REFUSAL_ANCHOR);
	front_data_hold(f->httpd->data, &view);
	CHECK(view.anchors->n == 0 && view.regions != NULL && view.regions->n == 1);
	front_data_release(f->httpd->data);

	front_file(f, "manufacturers.cnf", other, strlen(other));
	CHECK(front_data_reload(f->httpd->data, &changed, &err) == 0 && changed);
	CHECK(peer_judge(&f->ctx, &request, &peer, &why, &err) == 0);
	front_rig_free(f);
}

/* ---- telling smkid ---- */

static void
test_tell(void)
{
	struct front_rig *f = front_rig_new();
	struct front_ask ask = { .method = HTTP_POST,
		.path = "/.well-known/est/simpleenroll",
		.body = "csr",
		.len = 3,
		.show = SHOW_ROGUE };
	struct http_response response;

	for (int i = 0; i < 3; i++) {
		front_ask(f, &ask, &response);
		http_response_free(&response);
	}
	/* Not there at first: told the next time. */
	err_set(&f->broken, FAIL_UNAVAILABLE, "away");
	ask_tell_refused(f->httpd, f->link);
	f->broken.code = 0;
	ask_tell_refused(f->httpd, f->link);
	CHECK(f->refused.n == 1 && f->refused.row[0].n == 3);
	CHECK(f->refused.row[0].reason == REFUSAL_ANCHOR);
	CHECK_STR(f->refused.row[0].who, FRONT_ADDRESS);
	f->n_asked = 0;
	ask_tell_refused(f->httpd, f->link);
	CHECK(f->n_asked == 0);
	front_rig_free(f);
}

static const struct test_case cases[] = {
	{ "HTTP Basic", test_basic },
	{ "forms", test_form },
	{ "refusals by address", test_refused },
	{ "wrong secrets by address", test_delay },
	{ "whose certificate", test_judge },
	{ "policies read again", test_reload },
	{ "smkid is told", test_tell },
};

TEST_MAIN("peer", cases)
