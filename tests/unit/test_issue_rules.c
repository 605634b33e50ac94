/*
 * The identity rules at chosen times: how much life is left decides between the same certificate
 * and a new one that follows it.
 */
#include "../../src/service/issue_rules.h"
#include "service_rig.h"

/* What a request for the certificate row would ask. */
static struct issue_ask
ask_for(const struct rig *r, const struct store_new_cert *row, const struct grant *grant)
{
	return (struct issue_ask){ .cas = r->cas,
		.ca = r->ca,
		.profile = row->profile,
		.grant = grant,
		.key_hash = row->key_hash };
}

/* Life of 300 s: more than 100 s left = the same certificate. */
static void
test_rules_third(void)
{
	static const struct {
		const char *name;
		long at; /* seconds after notBefore */
		enum cert_state state;
		int want; /* 1 the same, 0 a new one, -1 refused */
	} rows[] = {
		{ "begins", 0, CERT_VALID, 1 },
		{ "a second over a third left", 199, CERT_VALID, 1 },
		{ "a third left", 200, CERT_VALID, 0 },
		{ "last second", 300, CERT_VALID, 0 },
		{ "ended", 301, CERT_VALID, 0 },
		{ "on hold", 199, CERT_HOLD, 1 },
		{ "on hold, a third left", 200, CERT_HOLD, 1 },
		{ "on hold, last second", 300, CERT_HOLD, 1 },
		{ "on hold, ended", 301, CERT_HOLD, -1 },
	};
	struct rig *r = rig_new();

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct store_new_cert row = rig_row(r, (uint8_t)(i + 1));
		struct grant grant = { .use = row.use, .holder = row.holder };
		struct issue_ask ask = ask_for(r, &row, &grant);
		struct issue_verdict verdict = { 0 };
		struct err err;
		int64_t id;
		int rc;

		row.not_after = row.not_before + 300;
		row.on_hold = rows[i].state == CERT_HOLD;
		id = rig_add(r, &row, 1);
		rc = issue_rules(r->reader, &ask, row.not_before + rows[i].at, &verdict, &err);
		CHECK_ROW(rows[i].name, (rc == 0) == (rows[i].want >= 0));
		if (rows[i].want == 1)
			CHECK_ROW(rows[i].name, verdict.existing && verdict.cert.id == id);
		if (rows[i].want == 0)
			CHECK_ROW(rows[i].name, !verdict.existing && verdict.replaces == id);
	}
	rig_free(r);
}

/* The newest certificate of a key decides, also among more than the first rows read. */
static void
test_rules_many(void)
{
	struct rig *r = rig_new();
	struct store_new_cert row = rig_row(r, 1);
	struct grant grant = { .use = row.use, .holder = row.holder };
	struct issue_ask ask = ask_for(r, &row, &grant);
	struct issue_verdict verdict = { 0 };
	int64_t id = 0;

	for (uint8_t i = 0; i < 100; i++) {
		row.serial.octets[2] = i;
		row.replaces = id;
		id = rig_add(r, &row, 1);
	}
	RIG(issue_rules(r->reader, &ask, row.not_before, &verdict, &rig_err));
	CHECK(verdict.existing && verdict.cert.id == id);
	/* Of another profile or CA: not a retry, and not a conflict for who is no device. */
	ask.profile = "organisation";
	RIG(issue_rules(r->reader, &ask, row.not_before, &verdict, &rig_err));
	CHECK(!verdict.existing && verdict.replaces == 0);
	rig_free(r);
}

/* What need not be asked again in the transaction: a new key for a device that has no certificate
 * of this profile, and is far from all that it may have. */
static void
test_rules_clear(void)
{
	struct rig *r = rig_new();
	struct store_new_cert row = rig_row(r, 1), other = rig_row(r, 2);
	struct grant grant = { .use = row.use, .holder = row.holder };
	struct issue_ask ask = ask_for(r, &row, &grant);
	struct issue_verdict verdict = { 0 };

	grant.holder = (struct holder){ .kind = HOLDER_DEVICE, .name_len = EUI64_LEN };
	grant.holder.name[0] = 7;
	strcpy(grant.holder.hw_type, "1.2.3");
	row.holder = other.holder = grant.holder;
	RIG(issue_rules(r->reader, &ask, row.not_before, &verdict, &rig_err));
	CHECK(verdict.clear);
	ask.replace = true;
	RIG(issue_rules(r->reader, &ask, row.not_before, &verdict, &rig_err));
	CHECK(!verdict.clear);
	ask.replace = false;
	/* A few less than the limit may all be on their way. */
	ask.per_device = 15;
	RIG(issue_rules(r->reader, &ask, row.not_before, &verdict, &rig_err));
	CHECK(!verdict.clear);
	ask.per_device = 16;
	RIG(issue_rules(r->reader, &ask, row.not_before, &verdict, &rig_err));
	CHECK(verdict.clear);
	/* A certificate of its own, but of another key and profile, of the register's number one. */
	other.profile = "another";
	rig_add(r, &other, 1);
	RIG(issue_rules(r->reader, &ask, row.not_before, &verdict, &rig_err));
	CHECK(!verdict.clear);
	ask.per_device = 17;
	RIG(issue_rules(r->reader, &ask, row.not_before, &verdict, &rig_err));
	CHECK(verdict.clear);
	/* The key is known. */
	ask.key_hash = other.key_hash;
	grant.use = other.use;
	RIG(issue_rules(r->reader, &ask, row.not_before, &verdict, &rig_err));
	CHECK(!verdict.existing && !verdict.clear);
	/* Who is no device is no case of the database's rules. */
	grant.holder.kind = HOLDER_ORGANISATION;
	ask.key_hash = row.key_hash;
	RIG(issue_rules(r->reader, &ask, row.not_before, &verdict, &rig_err));
	CHECK(!verdict.clear);
	rig_free(r);
}

static const struct test_case cases[] = {
	{ "what is clear", test_rules_clear },
	{ "a third of its life", test_rules_third },
	{ "many certificates of one key", test_rules_many },
};
TEST_MAIN("issue_rules", cases)
