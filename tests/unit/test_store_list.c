/*
 * The store's lists of certificates: each filter, the two orders, and going on where one ended.
 */
#include "store_db.h"

/* ---- lists ---- */

struct list {
	int64_t id[64];
	size_t n;
	struct store *store;
};

static int
list_add(void *ctx, const struct store_cert *cert, struct err *err)
{
	struct list *list = ctx;
	struct store_cert again;

	if (list->n == ARRAY_LEN(list->id))
		return err_set(err, FAIL_LIMIT, "list is full");
	/* the store may be read while a list runs */
	if (store_cert_get(list->store, cert->id, &again, err) != 0)
		return -1;
	list->id[list->n++] = cert->id;
	return 0;
}

/* The ids of a list as text: "1 2 3". */
static const char *
list_text(struct store *store, const struct store_filter *filter)
{
	static char text[256];
	struct list list = { .store = store };
	struct err err;
	size_t at = 0;

	text[0] = '\0';
	MUST(store_cert_each(store, filter, list_add, &list, &err));
	for (size_t i = 0; i < list.n; i++)
		at += (size_t)snprintf(
		    text + at, sizeof text - at, "%s%d", i > 0 ? " " : "", (int)list.id[i]);
	return text;
}

static void
test_list(void)
{
	static const struct {
		const char *name;
		struct store_filter filter;
		const char *want;
	} rows[] = {
		{ "all", { 0 }, "1 2 3 4 5 6 7" },
		{ "limit", { .limit = 2 }, "1 2" },
		{ "continued", { .limit = 2, .after_id = 2 }, "3 4" },
		{ "past the end", { .after_id = 7 }, "" },
		{ "valid", { .by_state = true }, "1 4 6 7" },
		{ "on hold", { .by_state = true, .state = CERT_HOLD }, "2 5" },
		{ "revoked", { .by_state = true, .state = CERT_REVOKED }, "3" },
		{ "ca 1", { .ca = 1 }, "1 2 3 4 5 6" },
		{ "ca 1 after", { .ca = 1, .after_id = 4, .limit = 1 }, "5" },
		{ "ca 2", { .ca = 2 }, "7" },
		{ "ca 3", { .ca = 3 }, "" },
		{ "ca 2 on hold", { .ca = 2, .by_state = true, .state = CERT_HOLD }, "" },
		{ "ca 1 on hold", { .ca = 1, .by_state = true, .state = CERT_HOLD }, "2 5" },
		{ "ca 1 revoked", { .ca = 1, .by_state = true, .state = CERT_REVOKED }, "3" },
		{ "device", { .by_device = true, .device = { { 0, 0, 0, 0, 0, 0, 0, 4 } } }, "4" },
		{ "no such device", { .by_device = true, .device = { { 0, 0, 0, 0, 0, 0, 0, 9 } } },
		    "" },
		{ "device on hold",
		    { .by_device = true,
			.device = { { 0, 0, 0, 0, 0, 0, 0, 4 } },
			.by_state = true,
			.state = CERT_HOLD },
		    "" },
		{ "since the beginning", { .since = 1 }, "1 6 7 2 3 4 5" },
		{ "since a change", { .since = 2070 }, "2 3 4 5" },
		{ "since just after", { .since = 2071 }, "3 4 5" },
		{ "since an issue", { .since = 2050 }, "6 7 2 3 4 5" },
		{ "since later than all", { .since = 2091 }, "" },
		{ "since, on hold", { .since = 2080, .by_state = true, .state = CERT_HOLD }, "5" },
		{ "since, valid, ca", { .since = 2060, .by_state = true, .ca = 1 }, "4" },
		{ "since, limit", { .since = 2060, .limit = 2 }, "7 2" },
		{ "since, device",
		    { .since = 2080, .by_device = true, .device = { { 0, 0, 0, 0, 0, 0, 0, 4 } } },
		    "4" },
		{ "since, device, later",
		    { .since = 2081, .by_device = true, .device = { { 0, 0, 0, 0, 0, 0, 0, 4 } } },
		    "" },
	};
	struct store *store = store_new();
	struct list list = { .n = ARRAY_LEN(list.id), .store = store };
	struct err err;

	list_fill(store);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *got_text = list_text(store, &rows[i].filter);

		if (strcmp(got_text, rows[i].want) != 0)
			fprintf(stderr, "  row \"%s\": \"%s\"\n", rows[i].name, got_text);
		CHECK_ROW(rows[i].name, strcmp(got_text, rows[i].want) == 0);
	}
	/* a callback's failure ends the list */
	CHECK(store_cert_each(store, &rows[0].filter, list_add, &list, &err) != 0 &&
	      err.code == FAIL_LIMIT);
	store_close(store);
	store_dir_end();
}

/* By the event of its newest change each goes on behind its last row, also if that row moves on. */
static void
test_list_goes_on(void)
{
	struct store *store = store_new();
	struct store_filter filter = { .since = 2060, .limit = 2 };
	struct list list = { .store = store };
	struct store_cert got;
	struct err err;

	list_fill(store);
	CHECK_STR(list_text(store, &filter), "7 2");
	MUST(store_cert_get(store, 2, &got, &err));
	filter.after_event = got.event;
	MUST(change(store, 2, CERT_VALID, 0, 2100, &err));
	CHECK_STR(list_text(store, &filter), "3 4");
	filter.after_id = 2;
	CHECK(store_cert_each(store, &filter, list_add, &list, &err) != 0 &&
	      err.code == FAIL_INTERNAL);
	/* of one device */
	filter = (struct store_filter){
		.since = 2060, .by_device = true, .device = { { 0, 0, 0, 0, 0, 0, 0, 4 } }
	};
	CHECK_STR(list_text(store, &filter), "4");
	MUST(store_cert_get(store, 4, &got, &err));
	filter.after_event = got.event;
	CHECK_STR(list_text(store, &filter), "");
	/* of those on hold, 2 comes behind 5 now */
	MUST(change(store, 2, CERT_HOLD, 0, 2110, &err));
	filter = (struct store_filter){ .by_state = true, .state = CERT_HOLD };
	CHECK_STR(list_text(store, &filter), "5 2");
	MUST(store_cert_get(store, 5, &got, &err));
	filter.after_event = got.event;
	CHECK_STR(list_text(store, &filter), "2");
	filter.after_id = 5;
	CHECK(store_cert_each(store, &filter, list_add, &list, &err) != 0 &&
	      err.code == FAIL_INTERNAL);
	filter = (struct store_filter){ .after_event = got.event };
	CHECK(store_cert_each(store, &filter, list_add, &list, &err) != 0 &&
	      err.code == FAIL_INTERNAL);
	store_close(store);
	store_dir_end();
}

/* The clock was a day ahead, was set back and accepted: times step back once. */
static void
test_list_clock(void)
{
	struct store *store = store_new();
	struct store_actor accept = { .uid = 0, .now = 3000 };
	struct store_filter filter = { .since = 1500 };
	struct store_new_cert cert;
	struct err err;
	bool fatal;

	for (int i = 1; i <= 3; i++) {
		cert = cert_of(i, der5);
		issue(store, &cert, i < 3 ? 2000 : 9000);
	}
	MUST(store_begin(store, &err));
	MUST(store_event_add(store, &accept, "clock-accept", 0, &err));
	MUST(store_commit(store, &fatal, &err));
	for (int i = 4; i <= 5; i++) {
		cert = cert_of(i, der5);
		issue(store, &cert, 3000 + i);
	}
	CHECK_STR(list_text(store, &filter), "1 2 3 4 5");
	filter.since = 2001;
	CHECK_STR(list_text(store, &filter), "3 4 5");
	filter.since = 3005;
	CHECK_STR(list_text(store, &filter), "3 5");
	filter.since = 3006;
	CHECK_STR(list_text(store, &filter), "3");
	filter.since = 9001;
	CHECK_STR(list_text(store, &filter), "");
	store_close(store);
	store_dir_end();
}

/* A complete list of what is so now. */
static void
complete(struct store *store, time_t now)
{
	struct store_actor at = { .uid = ACTOR_SELF, .now = now };
	struct store_crl crl = { .ca = 1,
		.event = newest_event(store),
		.this_update = now,
		.next_update = now + 1000,
		.size = 500 };
	struct err err;
	bool fatal;

	MUST(store_begin(store, &err));
	MUST(store_crl_take(store, 1, now, &crl.number, &err));
	MUST(store_crl_finish(store, &at, &crl, &err));
	MUST(store_commit(store, &fatal, &err));
}

static int
delta_add(void *ctx, const struct store_listed *listed, struct err *err)
{
	(void)err;
	buf_fmt(ctx, "%d:%d:%lld ", listed->serial.octets[7], (int)listed->reason,
	    (long long)listed->changed);
	return 0;
}

/* A hold that a list shows is removed, also when another one, which no list shows, came and went
 * behind it. */
static void
test_list_delta(void)
{
	const struct crl_which delta = { .ca = 1, .kind = CRL_DELTA };
	struct store *store = store_new();
	struct store_new_cert cert;
	struct buf text = { 0 };
	struct err err;
	int64_t base;

	for (int i = 1; i <= 3; i++) {
		cert = cert_of(i, der5);
		issue(store, &cert, 2000);
	}
	complete(store, 2010);
	base = newest_event(store);
	MUST(change(store, 1, CERT_HOLD, 0, 2020, &err));
	MUST(change(store, 3, CERT_HOLD, 0, 2020, &err));
	complete(store, 2030);
	MUST(change(store, 1, CERT_VALID, 0, 2040, &err));
	for (int i = 1; i <= 2; i++) {
		MUST(change(store, i, CERT_HOLD, 0, 2050 + 10 * i, &err));
		MUST(change(store, i, CERT_VALID, 0, 2055 + 10 * i, &err));
	}
	MUST(store_list_each(store, &delta, base, delta_add, &text, &err));
	CHECK_STR(buf_text(&text), "1:8:2065 3:6:2020 ");
	buf_free(&text);
	store_close(store);
	store_dir_end();
}

static const struct test_case cases[] = {
	{ "lists", test_list },
	{ "lists go on", test_list_goes_on },
	{ "lists across a clock set back", test_list_clock },
	{ "what a delta shows", test_list_delta },
};

TEST_MAIN("store_list", cases)
