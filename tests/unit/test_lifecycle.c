/*
 * Life cycle: every state with every action, reasons and dates, names.
 */
#include "smki/lifecycle.h"
#include "smki/mem.h"
#include "test.h"

#define NOW ((time_t)1790000000)
#define THEN ((time_t)1780000000)

static const struct {
	const char *name;
	struct state_now is;
	struct change wanted;
	int code; /* 0 = allowed */
	enum cert_state next;
	bool already;
	const char *msg; /* part of the message, NULL = not looked at */
} rows[] = {
	/* state, action: all nine pairs */
	{ "valid hold", { CERT_VALID, 0, 0 }, { ACTION_HOLD, 0, 0 }, 0, CERT_HOLD, false, NULL },
	{ "valid reactivate", { CERT_VALID, 0, 0 }, { ACTION_REACTIVATE, 0, 0 }, 0, CERT_VALID,
	    true, NULL },
	{ "valid revoke", { CERT_VALID, 0, 0 }, { ACTION_REVOKE, 0, 0 }, 0, CERT_REVOKED, false,
	    NULL },
	{ "hold hold", { CERT_HOLD, 6, 0 }, { ACTION_HOLD, 0, 0 }, 0, CERT_HOLD, true, NULL },
	{ "hold reactivate", { CERT_HOLD, 6, 0 }, { ACTION_REACTIVATE, 0, 0 }, 0, CERT_VALID, false,
	    NULL },
	{ "hold revoke", { CERT_HOLD, 6, 0 }, { ACTION_REVOKE, 1, 0 }, 0, CERT_REVOKED, false,
	    NULL },
	{ "revoked hold", { CERT_REVOKED, 1, 0 }, { ACTION_HOLD, 0, 0 }, FAIL_CONFLICT, 0, false,
	    "certificate: state revoked allows no hold" },
	{ "revoked reactivate", { CERT_REVOKED, 1, 0 }, { ACTION_REACTIVATE, 0, 0 }, FAIL_CONFLICT,
	    0, false, "certificate: state revoked allows no reactivate" },
	{ "revoked revoke", { CERT_REVOKED, 1, THEN }, { ACTION_REVOKE, 0, 0 }, 0, CERT_REVOKED,
	    true, NULL },

	/* revoked already: the reason and the date are not rewritten */
	{ "again same reason", { CERT_REVOKED, 1, 0 }, { ACTION_REVOKE, 1, 0 }, 0, CERT_REVOKED,
	    true, NULL },
	{ "again same both", { CERT_REVOKED, 1, THEN }, { ACTION_REVOKE, 1, THEN }, 0, CERT_REVOKED,
	    true, NULL },
	{ "again date not given", { CERT_REVOKED, 1, THEN }, { ACTION_REVOKE, 1, 0 }, 0,
	    CERT_REVOKED, true, NULL },
	{ "again other reason", { CERT_REVOKED, 1, 0 }, { ACTION_REVOKE, 4, 0 }, FAIL_CONFLICT, 0,
	    false, "revoked already for keyCompromise" },
	{ "again reason after none", { CERT_REVOKED, 0, 0 }, { ACTION_REVOKE, 4, 0 }, FAIL_CONFLICT,
	    0, false, "revoked already for unspecified" },
	{ "again other date", { CERT_REVOKED, 1, THEN }, { ACTION_REVOKE, 1, THEN + 1 },
	    FAIL_CONFLICT, 0, false, "date is not rewritten" },
	{ "again date after none", { CERT_REVOKED, 1, 0 }, { ACTION_REVOKE, 0, THEN },
	    FAIL_CONFLICT, 0, false, "date is not rewritten" },

	/* reasons by number */
	{ "reason 0", { CERT_VALID, 0, 0 }, { ACTION_REVOKE, 0, 0 }, 0, CERT_REVOKED, false, NULL },
	{ "reason 1", { CERT_VALID, 0, 0 }, { ACTION_REVOKE, 1, 0 }, 0, CERT_REVOKED, false, NULL },
	{ "reason 2", { CERT_VALID, 0, 0 }, { ACTION_REVOKE, 2, 0 }, 0, CERT_REVOKED, false, NULL },
	{ "reason 3", { CERT_VALID, 0, 0 }, { ACTION_REVOKE, 3, 0 }, 0, CERT_REVOKED, false, NULL },
	{ "reason 4", { CERT_VALID, 0, 0 }, { ACTION_REVOKE, 4, 0 }, 0, CERT_REVOKED, false, NULL },
	{ "reason 5", { CERT_VALID, 0, 0 }, { ACTION_REVOKE, 5, 0 }, 0, CERT_REVOKED, false, NULL },
	{ "reason 6", { CERT_VALID, 0, 0 }, { ACTION_REVOKE, 6, 0 }, FAIL_INVALID, 0, false,
	    "reason certificateHold is not for a revocation" },
	{ "reason 7", { CERT_VALID, 0, 0 }, { ACTION_REVOKE, 7, 0 }, FAIL_INVALID, 0, false,
	    "no reason has number 7" },
	{ "reason 8", { CERT_VALID, 0, 0 }, { ACTION_REVOKE, 8, 0 }, FAIL_INVALID, 0, false,
	    "reason removeFromCRL is not for a revocation" },
	{ "reason 9", { CERT_VALID, 0, 0 }, { ACTION_REVOKE, 9, 0 }, 0, CERT_REVOKED, false, NULL },
	{ "reason 10", { CERT_VALID, 0, 0 }, { ACTION_REVOKE, 10, 0 }, 0, CERT_REVOKED, false,
	    NULL },
	{ "reason 11", { CERT_VALID, 0, 0 }, { ACTION_REVOKE, 11, 0 }, FAIL_INVALID, 0, false,
	    "no reason has number 11" },
	/* a reason an operator may not give is told before what the state allows */
	{ "reason 6 again", { CERT_REVOKED, 1, 0 }, { ACTION_REVOKE, 6, 0 }, FAIL_INVALID, 0, false,
	    NULL },

	/* invalidity date */
	{ "date now", { CERT_VALID, 0, 0 }, { ACTION_REVOKE, 1, NOW }, 0, CERT_REVOKED, false,
	    NULL },
	{ "date now + 1", { CERT_VALID, 0, 0 }, { ACTION_REVOKE, 1, NOW + 1 }, FAIL_INVALID, 0,
	    false, "invalidity date 2026-09-21T14:13:21Z is in the future" },
	{ "date 1", { CERT_HOLD, 6, 0 }, { ACTION_REVOKE, 1, 1 }, 0, CERT_REVOKED, false, NULL },
	{ "date -1", { CERT_HOLD, 6, 0 }, { ACTION_REVOKE, 1, -1 }, FAIL_INVALID, 0, false,
	    "before 1970" },

	/* numbers that are no action */
	{ "action 0", { CERT_VALID, 0, 0 }, { 0, 0, 0 }, FAIL_INVALID, 0, false, "no action" },
	{ "action 4", { CERT_VALID, 0, 0 }, { 4, 0, 0 }, FAIL_INVALID, 0, false, "no action" },
};

static void
lifecycle_pairs(void)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		enum cert_state next = 99;
		bool already = !rows[i].already;
		bool before = already;
		struct err err = { 0 };
		int r = lifecycle_next(&rows[i].is, &rows[i].wanted, NOW, &next, &already, &err);

		if (rows[i].code == 0) {
			CHECK_ROW(rows[i].name, r == 0);
			CHECK_ROW(rows[i].name, next == rows[i].next);
			CHECK_ROW(rows[i].name, already == rows[i].already);
			continue;
		}
		CHECK_ROW(rows[i].name, r == -1);
		CHECK_ROW(rows[i].name, (int)err.code == rows[i].code);
		CHECK_ROW(rows[i].name, (int)next == 99 && already == before);
		if (rows[i].msg != NULL)
			CHECK_ROW(rows[i].name, strstr(err.msg, rows[i].msg) != NULL);
	}
}

static void
lifecycle_names(void)
{
	static const struct {
		const char *text;
		int reason; /* -1 = refused */
	} names[] = {
		{ "unspecified", 0 },
		{ "keyCompromise", 1 },
		{ "cACompromise", 2 },
		{ "affiliationChanged", 3 },
		{ "superseded", 4 },
		{ "cessationOfOperation", 5 },
		{ "certificateHold", 6 },
		{ "removeFromCRL", 8 },
		{ "privilegeWithdrawn", 9 },
		{ "aACompromise", 10 },
		{ "key-compromise", 1 },
		{ "KEY_COMPROMISE", 1 },
		{ "-keycompromise-", 1 },
		{ "CaCompromise", 2 },
		{ "ca_compromise", 2 },
		{ "", -1 },
		{ "-", -1 },
		{ "keyCompromis", -1 },
		{ "keyCompromise2", -1 },
		{ "key compromise", -1 },
		{ "1", -1 },
		{ "?", -1 },
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		enum crl_reason reason = 77;
		struct err err = { 0 };
		int r = reason_parse(names[i].text, &reason, &err);

		if (names[i].reason == -1) {
			CHECK_ROW(names[i].text,
			    r == -1 && err.code == FAIL_INVALID && (int)reason == 77);
			continue;
		}
		CHECK_ROW(names[i].text, r == 0 && (int)reason == names[i].reason);
		if (i < 10)
			CHECK_STR(reason_str(reason), names[i].text);
	}
	CHECK_STR(reason_str(7), "?");
}

static void
lifecycle_states(void)
{
	static const enum cert_state all[] = { CERT_VALID, CERT_HOLD, CERT_REVOKED };
	static const char *const bad[] = { "", "Valid", "on-hold", "valid ", "?" };
	struct err err = { 0 };
	enum cert_state state;

	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		state = 99;
		CHECK(state_parse(state_str(all[i]), &state, &err) == 0);
		CHECK(state == all[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		CHECK_ROW(
		    bad[i], state_parse(bad[i], &state, &err) == -1 && err.code == FAIL_INVALID);
	CHECK_STR(state_str(CERT_VALID), "valid");
	CHECK_STR(state_str(CERT_HOLD), "hold");
	CHECK_STR(state_str(CERT_REVOKED), "revoked");
	CHECK_STR(action_str(ACTION_HOLD), "hold");
	CHECK_STR(action_str(ACTION_REACTIVATE), "reactivate");
	CHECK_STR(action_str(ACTION_REVOKE), "revoke");
}

static const struct test_case cases[] = {
	{ "every state with every action", lifecycle_pairs },
	{ "names of reasons", lifecycle_names },
	{ "names of states and actions", lifecycle_states },
};

TEST_MAIN("lifecycle", cases)
