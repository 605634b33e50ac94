/*
 * The register for operators: the rules of a row, changes and imports through the committer.
 */
#include "service_rig.h"
#include "smki/register.h"

#define HW "1.3.6.1.4.1.32473.1.1"

static const uint8_t pepper_octets[PEPPER_LEN] = { 1, 2, 3 };
static const struct span pepper = { pepper_octets, PEPPER_LEN };
static const struct register_names names = {
	.n_manufacturers = 1,
	.manufacturer = { "acme" },
	.n_regions = 2,
	.region = { "north", "south" },
};

static struct device
device_of(uint8_t nn)
{
	return (struct device){
		.eui = { { 0x00, 0xdb, 0x12, 0x34, 0x56, 0x78, 0x00, nn } },
		.hw_type = HW,
		.approved = true,
	};
}

static int
refused(const struct err *err, enum err_code code, const char *text)
{
	if (err->code == code && strstr(err->msg, text) != NULL)
		return 1;
	fprintf(stderr, "  got %s, want %s\n", err->msg, text);
	return 0;
}

static void
test_check(void)
{
	static const struct {
		const char *name, *hw_type, *manufacturer, *region, *model;
		unsigned proofs;
		bool end_to_end;
		const char *want; /* NULL = fine */
	} rows[] = {
		{ "nothing but hwType", HW, "", "", "", 0, false, NULL },
		{ "all", HW, "acme", "south", "Z\xc3\xa4hler", 7, true, NULL },
		{ "no hwType", "", "", "", "", 0, false, "hw_type: " },
		{ "hwType with letters", "1.2.a", "", "", "", 0, false, "hw_type: " },
		{ "unknown manufacturer", HW, "acm", "", "", 0, false, "manufacturer: \"acm\"" },
		{ "unknown region", HW, "", "east", "", 0, false, "region: \"east\"" },
		{ "region by its beginning", HW, "", "nort", "", 0, false, "region: " },
		{ "model with a line end", HW, "", "", "a\nb", 0, false, "model: " },
		{ "model not UTF-8", HW, "", "", "\xff", 0, false, "model: " },
		{ "model that turns the line", HW, "", "",
		    "a\xe2\x80\xae"
		    "b",
		    0, false, "model: " },
		{ "idevid of nobody", HW, "", "", "", DEVICE_PROOF_IDEVID, false, "proof: idevid" },
		{ "end-to-end by nothing", HW, "acme", "", "", 0, true, "proof: end-to-end" },
		{ "end-to-end by a key", HW, "", "", "", DEVICE_PROOF_KEY, true, NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct device d = device_of(1);
		struct err err;
		int r;

		snprintf(d.hw_type, sizeof(d.hw_type), "%s", rows[i].hw_type);
		snprintf(d.manufacturer, sizeof(d.manufacturer), "%s", rows[i].manufacturer);
		snprintf(d.region, sizeof(d.region), "%s", rows[i].region);
		snprintf(d.model, sizeof(d.model), "%s", rows[i].model);
		d.proofs = rows[i].proofs;
		d.end_to_end = rows[i].end_to_end;
		r = register_check(&names, &d, &err);
		CHECK_ROW(rows[i].name, (r == 0) == (rows[i].want == NULL));
		if (r != 0 && rows[i].want != NULL)
			CHECK_ROW(rows[i].name, refused(&err, FAIL_INVALID, rows[i].want));
	}
}

static void
test_words(void)
{
	static const struct {
		unsigned proofs;
		bool end_to_end;
		const char *want;
	} rows[] = {
		{ 0, false, "" },
		{ DEVICE_PROOF_SECRET, false, "secret" },
		{ DEVICE_PROOF_IDEVID | DEVICE_PROOF_KEY, false, "idevid+key" },
		{ 7, true, "idevid+secret+key+end-to-end" },
	};
	enum device_state state = DEVICE_ACTIVE;
	struct err err;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct device d = { .proofs = rows[i].proofs, .end_to_end = rows[i].end_to_end };
		char text[REGISTER_PROOFS_LEN];

		register_proofs_text(&d, text);
		CHECK_STR(text, rows[i].want);
	}
	for (int s = DEVICE_ACTIVE; s <= DEVICE_RETIRED; s++) {
		CHECK(
		    device_state_parse(device_state_str((enum device_state)s), &state, &err) == 0);
		CHECK((int)state == s);
	}
	CHECK(device_state_parse("Active", &state, &err) != 0);
	CHECK(refused(&err, FAIL_INVALID, "state: \"Active\""));
}

/* ---- tasks ---- */

struct outcome {
	int called;
	bool ok;
	struct err err;
};

static void
task_done(struct register_task *task, const struct err *err)
{
	struct outcome *o = task->arg;

	o->called++;
	o->ok = err == NULL;
	if (err != NULL)
		o->err = *err;
}

static struct register_task
task_of(struct rig *r, struct outcome *o)
{
	*o = (struct outcome){ 0 };
	return (
	    struct register_task){ .guard = r->guard, .uid = 1000, .done = task_done, .arg = o };
}

static int
after_apply(struct commit_job *job, struct store *store, struct err *err)
{
	return 0;
}

/* Behind the task in its queue: when it has run, the task has. */
static void
settle(struct rig *r, enum commit_lane lane, const struct outcome *o)
{
	struct commit_job after = { .lane = lane, .apply = after_apply };

	RIG(committer_run(r->committer, &after, &rig_err));
	CHECK(o->called == 1);
}

static struct outcome
add(struct rig *r, const struct device *device, bool make_secret, struct register_added *added)
{
	struct register_add_task t = { .add = { .device = *device, .make_secret = make_secret } };
	struct outcome o;

	t.task = task_of(r, &o);
	register_add_run(r->committer, &names, pepper, &t);
	settle(r, COMMIT_OTHER, &o);
	if (added != NULL)
		*added = t.added;
	return o;
}

static struct outcome
change(struct rig *r, const struct device *d, enum device_action action,
    struct register_changed *changed)
{
	struct register_change_task t = { .change = { .eui = d->eui, .action = action } };
	struct outcome o;

	t.task = task_of(r, &o);
	register_change_run(r->committer, &t);
	settle(r, COMMIT_STATE, &o);
	*changed = t.changed;
	return o;
}

static void
test_add(void)
{
	struct rig *r = rig_new();
	struct device d = device_of(1), is;
	struct register_added added;
	uint8_t hmac[SHA256_LEN];
	int64_t event = rig_event(r);
	struct outcome o;

	CHECK(add(r, &d, true, &added).ok);
	CHECK(rig_event(r) == event + 1);
	CHECK(strlen(added.secret) == 26);
	RIG(store_device_get(r->reader, &d.eui, &is, &rig_err));
	CHECK(is.proofs == DEVICE_PROOF_SECRET && is.approved && !is.secret_used);
	RIG(enrol_secret_hmac(pepper, &d.eui, added.secret, hmac, &rig_err));
	CHECK_MEM(is.secret, SHA256_LEN, hmac, SHA256_LEN);
	o = add(r, &d, false, NULL);
	CHECK(!o.ok && refused(&o.err, FAIL_CONFLICT, "is registered already"));
	d = device_of(2);
	d.proofs = DEVICE_PROOF_SECRET;
	o = add(r, &d, false, NULL);
	CHECK(!o.ok && refused(&o.err, FAIL_INVALID, "secret"));
	d.proofs = DEVICE_PROOF_IDEVID;
	o = add(r, &d, true, NULL);
	CHECK(!o.ok && refused(&o.err, FAIL_INVALID, "manufacturer"));
	CHECK(store_device_get(r->reader, &d.eui, &is, &rig_err) != 0);
	CHECK(rig_event(r) == event + 1);
	rig_free(r);
}

static void
test_change(void)
{
	static const struct {
		enum device_action action;
		int want; /* 1 done, 2 already, 0 conflict */
		enum device_state to;
	} steps[] = {
		{ DEVICE_DO_RELEASE, 2, DEVICE_ACTIVE },
		{ DEVICE_DO_APPROVE, 1, DEVICE_ACTIVE },
		{ DEVICE_DO_APPROVE, 2, DEVICE_ACTIVE },
		{ DEVICE_DO_HOLD, 1, DEVICE_HOLD },
		{ DEVICE_DO_HOLD, 2, DEVICE_HOLD },
		{ DEVICE_DO_RELEASE, 1, DEVICE_ACTIVE },
		{ DEVICE_DO_RETIRE, 1, DEVICE_RETIRED },
		{ DEVICE_DO_RETIRE, 2, DEVICE_RETIRED },
		{ DEVICE_DO_RELEASE, 0, DEVICE_RETIRED },
		{ DEVICE_DO_HOLD, 0, DEVICE_RETIRED },
	};
	struct rig *r = rig_new();
	struct device d = device_of(1), other = device_of(9), is;
	struct register_secret_task t = { .eui = d.eui };
	struct register_changed changed;
	struct outcome o;

	d.approved = false;
	CHECK(add(r, &d, false, NULL).ok);
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		int64_t event = rig_event(r);
		const char *row = device_action_str(steps[i].action);

		o = change(r, &d, steps[i].action, &changed);
		CHECK_ROW(row, o.ok == (steps[i].want != 0));
		if (!o.ok)
			CHECK_ROW(row, refused(&o.err, FAIL_CONFLICT, "retired"));
		else
			CHECK_ROW(row, changed.already == (steps[i].want == 2));
		RIG(store_device_get(r->reader, &d.eui, &is, &rig_err));
		CHECK_ROW(row, is.state == steps[i].to);
		CHECK_ROW(row, rig_event(r) == event + (steps[i].want == 1));
	}
	o = change(r, &other, DEVICE_DO_HOLD, &changed);
	CHECK(!o.ok && refused(&o.err, FAIL_NOT_FOUND, "is not registered"));
	t.task = task_of(r, &o);
	register_secret_run(r->committer, pepper, &t);
	settle(r, COMMIT_OTHER, &o);
	CHECK(!o.ok && refused(&o.err, FAIL_CONFLICT, "is retired"));
	rig_free(r);
}

static void
test_secret(void)
{
	struct rig *r = rig_new();
	struct device d = device_of(1), is;
	struct register_secret_task t = { .eui = d.eui };
	struct register_added first;
	uint8_t hmac[SHA256_LEN];
	struct outcome o;

	CHECK(add(r, &d, true, &first).ok);
	t.task = task_of(r, &o);
	register_secret_run(r->committer, pepper, &t);
	settle(r, COMMIT_OTHER, &o);
	CHECK(o.ok && strcmp(first.secret, t.added.secret) != 0);
	RIG(store_device_get(r->reader, &d.eui, &is, &rig_err));
	RIG(enrol_secret_hmac(pepper, &d.eui, t.added.secret, hmac, &rig_err));
	CHECK_MEM(is.secret, SHA256_LEN, hmac, SHA256_LEN);
	t = (struct register_secret_task){ .eui = device_of(2).eui };
	t.task = task_of(r, &o);
	register_secret_run(r->committer, pepper, &t);
	settle(r, COMMIT_OTHER, &o);
	CHECK(!o.ok && refused(&o.err, FAIL_NOT_FOUND, "is not registered"));
	rig_free(r);
}

/* ---- imports ---- */

static int64_t
begin(struct rig *r)
{
	struct register_begin_task t = { .name = "meters.csv" };
	struct outcome o;

	t.task = task_of(r, &o);
	register_begin_run(r->committer, &t);
	settle(r, COMMIT_OTHER, &o);
	CHECK(o.ok);
	return t.import;
}

/* Devices first..first + n - 1, each with a secret of its own. */
static struct outcome
rows(struct rig *r, int64_t import, uint8_t first, size_t n, struct register_chunk_done *result)
{
	struct register_rows_task t = { .result = { .n = 0 } };
	struct outcome o;

	t.chunk.import = import;
	register_chunk_new(&t.chunk);
	for (size_t i = 0; i < n; i++) {
		t.chunk.device[i] = device_of((uint8_t)(first + i));
		t.chunk.device[i].proofs = DEVICE_PROOF_SECRET;
		snprintf(t.chunk.secret[i], sizeof(t.chunk.secret[i]),
		    "ABCDEFGHJKMNPQRSTUVWXY23%c%c", (char)('A' + i / 26), (char)('A' + i % 26));
	}
	t.chunk.n = n;
	RIG(register_chunk_prepare(&t.chunk, &names, pepper, &rig_err));
	t.task = task_of(r, &o);
	register_rows_run(r->committer, &t);
	settle(r, COMMIT_OTHER, &o);
	*result = t.result;
	register_chunk_free(&t.chunk);
	return o;
}

static struct outcome
finish(struct rig *r, int64_t import, int64_t count)
{
	struct register_finish_task t = { .import = import, .count = count };
	struct outcome o;

	t.task = task_of(r, &o);
	register_finish_run(r->committer, &t);
	settle(r, COMMIT_OTHER, &o);
	return o;
}

static int
count_device(void *ctx, const struct device *device, struct err *err)
{
	(*(int *)ctx)++;
	return 0;
}

static int
devices(struct rig *r)
{
	struct store_device_filter filter = { 0 };
	int n = 0;

	RIG(store_device_each(r->reader, &filter, count_device, &n, &rig_err));
	return n;
}

static void
test_import(void)
{
	struct rig *r = rig_new();
	struct register_chunk_done result;
	struct device known = device_of(3);
	int64_t event, import;
	struct outcome o;

	CHECK(add(r, &known, false, NULL).ok);
	import = begin(r);
	event = rig_event(r);
	CHECK(rows(r, import, 10, 50, &result).ok && result.n == 0);
	CHECK(rows(r, import, 60, 50, &result).ok && result.n == 0);
	CHECK(devices(r) == 1);
	o = finish(r, import, 99);
	CHECK(!o.ok && refused(&o.err, FAIL_CONFLICT, "100 devices"));
	CHECK(devices(r) == 1);
	CHECK(finish(r, import, 100).ok);
	CHECK(devices(r) == 101);
	CHECK(rig_event(r) == event + 1);
	o = rows(r, import, 200, 1, &result);
	CHECK(!o.ok && refused(&o.err, FAIL_NOT_FOUND, "finished already"));

	/* First, in the middle and last ones are known; all of them are told. */
	import = begin(r);
	CHECK(rows(r, import, 3, 8, &result).ok);
	CHECK(result.n == 2 && result.row[0] == 0 && result.row[1] == 7);
	CHECK(rows(r, import, 4, 3, &result).ok);
	CHECK(result.n == 3 && result.row[0] == 0 && result.row[2] == 2);
	CHECK(devices(r) == 101);
	rig_free(r);
}

static void
test_prepare(void)
{
	struct register_chunk chunk = { .import = 1 };
	struct err err;

	register_chunk_new(&chunk);
	chunk.n = 2;
	chunk.device[0] = chunk.device[1] = device_of(1);
	CHECK(register_chunk_prepare(&chunk, &names, pepper, &err) == 0);
	strcpy(chunk.secret[1], "ABCDEFGHJKMNPQRSTUVWXY2345");
	CHECK(register_chunk_prepare(&chunk, &names, pepper, &err) != 0);
	CHECK(refused(&err, FAIL_INVALID, "device 00db123456780001: secret: "));
	chunk.device[1].proofs = DEVICE_PROOF_SECRET;
	CHECK(register_chunk_prepare(&chunk, &names, pepper, &err) == 0);
	CHECK(chunk.secret[1][0] == '\0');
	CHECK(register_chunk_prepare(&chunk, &names, pepper, &err) != 0);
	strcpy(chunk.secret[1], "weak");
	CHECK(register_chunk_prepare(&chunk, &names, pepper, &err) != 0);
	CHECK(strstr(err.msg, "weak") == NULL);
	strcpy(chunk.device[0].region, "east");
	CHECK(register_chunk_prepare(&chunk, &names, pepper, &err) != 0);
	CHECK(refused(&err, FAIL_INVALID, "region: "));
	register_chunk_free(&chunk);
}

static void
test_find(void)
{
	struct rig *r = rig_new();
	struct register_found *found = mem_alloc(sizeof(*found));
	struct device d = device_of(1);
	struct register_changed changed;
	struct err err;

	CHECK(register_find(r->reader, &d.eui, found, &err) != 0);
	CHECK(refused(&err, FAIL_NOT_FOUND, "is not registered"));
	CHECK(add(r, &d, false, NULL).ok);
	for (int i = 0; i < REGISTER_EVENTS_MAX / 2; i++) {
		CHECK(change(r, &d, DEVICE_DO_HOLD, &changed).ok);
		CHECK(change(r, &d, DEVICE_DO_RELEASE, &changed).ok);
	}
	CHECK(register_find(r->reader, &d.eui, found, &err) == 0);
	CHECK(found->n_events == REGISTER_EVENTS_MAX);
	CHECK_STR(found->event[0].action, "device-hold");
	CHECK_STR(found->event[REGISTER_EVENTS_MAX - 1].action, "device-release");
	CHECK(found->n_certs == 0 && found->n_refusals == 0);
	free(found);
	rig_free(r);
}

static const struct test_case cases[] = {
	{ "rules of a row", test_check },
	{ "words", test_words },
	{ "add", test_add },
	{ "change", test_change },
	{ "secret", test_secret },
	{ "import", test_import },
	{ "prepare", test_prepare },
	{ "find", test_find },
};

TEST_MAIN("register", cases)
