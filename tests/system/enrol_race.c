/*
 * Enrolments that meet, a thousand times each: two keys for one device, and two devices with one
 * key. Exactly one is issued, the other is a conflict; asked again, the one issued finds its
 * certificate.
 */
#include "../unit/enrol_rig.h"

#define RACE_DEVICES 256
#define RACE_TIMES 1000

/* All devices at once; or everything that was issued so far is revoked. */
struct race_job {
	struct commit_job job; /* first */
	struct enrollers *e;
	int64_t *revoke;
	size_t n;
};

static int
race_apply(struct commit_job *job, struct store *store, struct err *err)
{
	struct race_job *race = (struct race_job *)job;
	const struct store_change change = { .to = CERT_REVOKED };
	struct store_actor actor = { .uid = 0 };
	struct device device;
	int64_t event, id;

	if (store_event_newest(store, &event, &actor.now, err) != 0)
		return -1;
	if (actor.now < clock_now())
		actor.now = clock_now();
	for (size_t i = 0; i < race->n; i++)
		if (store_cert_change(store, &actor, race->revoke[i], &change, err) != 0)
			return -1;
	for (int nn = 0; race->revoke == NULL && nn < RACE_DEVICES; nn++) {
		device = enrol_device_row(race->e, (uint8_t)nn, DEVICE_PROOF_IDEVID, NULL);
		if (store_device_add(store, &actor, &device, &id, err) != 0)
			return -1;
	}
	return 0;
}

static void
race_run(struct enrollers *e, int64_t *revoke, size_t n)
{
	struct race_job job = { .job = { .lane = COMMIT_OTHER, .apply = race_apply },
		.e = e,
		.revoke = revoke,
		.n = n };

	RIG(committer_run(e->rig->committer, &job.job, &rig_err));
}

static struct enrol_task *
race_task(struct enrollers *e, uint8_t nn, const struct softsign *key, struct enrolled *o)
{
	struct enrol_task *task = enrol_ask_new(
	    e, ENROL_FIRST, nn, KEY_USAGE_DIGITAL_SIGNATURE, key, o);

	enrol_with_meter(task, &e->acme, nn);
	return task;
}

/* Both at once; the number of the certificate issued. */
static int64_t
race_pair(struct enrollers *e, const uint8_t nn[2], const struct softsign *const key[2])
{
	struct enrolled o[2], again;
	size_t before = e->done, won;
	struct enrol_task *task[2];
	int64_t id;

	for (size_t i = 0; i < 2; i++)
		task[i] = race_task(e, nn[i], key[i], &o[i]);
	for (size_t i = 0; i < 2; i++)
		enrollers_put(e, task[i]);
	enrollers_wait(e, before + 2);
	won = o[0].judged && o[0].answer.outcome == ENROL_ISSUED ? 0 : 1;
	CHECK(is_issued(&o[won], false));
	CHECK(is_refused(&o[1 - won], REFUSAL_CONFLICT, FAIL_CONFLICT));
	id = o[won].answer.issued.id;
	enrol_send(e, race_task(e, nn[won], key[won], &again));
	CHECK(is_issued(&again, true) && again.answer.issued.id == id);
	enrolled_free(&again);
	enrolled_free(&o[0]);
	enrolled_free(&o[1]);
	return id;
}

static void
race(bool one_key)
{
	struct enrollers *e = enrollers_new(4);
	int64_t issued[RACE_DEVICES];
	size_t n = 0;

	enrollers_limits(e, 1000, 10000000);
	race_run(e, NULL, 0);
	for (int i = 0; i < RACE_TIMES; i++) {
		struct softsign *a = softsign_new(EC_P256), *b = softsign_new(EC_P256);
		const struct softsign *key[2] = { a, one_key ? a : b };
		const uint8_t one = (uint8_t)(one_key ? i % (RACE_DEVICES / 2) : i % RACE_DEVICES);
		const uint8_t nn[2] = { one, (uint8_t)(one_key ? one + RACE_DEVICES / 2 : one) };

		issued[n++] = race_pair(e, nn, key);
		if (n == RACE_DEVICES / (one_key ? 2 : 1)) {
			race_run(e, issued, n);
			n = 0;
		}
		softsign_free(a);
		softsign_free(b);
	}
	enrollers_free(e);
}

static void
test_two_keys(void)
{
	race(false);
}

static void
test_two_devices(void)
{
	race(true);
}

static const struct test_case cases[] = {
	{ "one device, two keys", test_two_keys },
	{ "one key, two devices", test_two_devices },
};
TEST_MAIN("enrol_race", cases)
