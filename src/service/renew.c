/*
 * OCSP responder certificates: the one certificate that smkid makes without being asked. The
 * key stays where it is; only its certificate is new.
 */
#include <stdlib.h>

#include "issue_rules.h"
#include "record.h"
#include "smki/eckey.h"
#include "smki/mem.h"
#include "smki/renew.h"

struct renew_job {
	struct commit_job job; /* first */
	const struct ca *ca;
	const struct profile *profile;
	const struct grant *grant;
	const struct issue_made *made;
	bool serial_taken;
	time_t recorded;
};

time_t
renew_due(time_t not_before, time_t not_after)
{
	return not_before + (not_after - not_before) / 2;
}

static int
renew_apply(struct commit_job *job, struct store *store, struct err *err)
{
	struct renew_job *renew = (struct renew_job *)job;
	const struct issue_made *made = renew->made;
	struct store_new_cert row = {
		.ca = renew->ca->id,
		.serial = made->serial,
		.profile = renew->profile->name,
		.holder = renew->grant->holder,
		.use = renew->grant->use,
		.not_before = made->not_before,
		.not_after = made->not_after,
		.der = buf_span(&made->der),
	};
	struct store_actor actor;
	int64_t id;

	renew->serial_taken = false;
	ec_pub_hash(&renew->grant->pub, row.key_hash);
	if (record_actor(store, ACTOR_SELF, NULL, &actor, err) != 0 ||
	    store_cert_add(store, &actor, &row, &id, &renew->serial_taken, err) != 0 ||
	    store_responder_set(store, &actor, renew->ca->id, id, err) != 0)
		return -1;
	renew->recorded = actor.now;
	return 0;
}

int
renew_responder(const struct ca *ca, const struct profile *profile, const struct ec_pub *pub,
    struct committer *committer, struct timeguard *guard, int (*draw)(uint8_t *out, size_t n),
    struct err *err)
{
	struct grant *grant = mem_alloc(sizeof(*grant));
	struct issue_made made = { 0 };
	struct renew_job renew = {
		.job = { .lane = COMMIT_OTHER, .apply = renew_apply },
		.ca = ca,
		.profile = profile,
		.grant = grant,
		.made = &made,
	};
	time_t now;
	int r = -1;

	if (profile->kind != PROFILE_OCSP) {
		err_set(
		    err, FAIL_INVALID, "profile %s: is not for an OCSP responder", profile->name);
		goto out;
	}
	if (profile_grant_service(profile, ca->name, NULL, 0, pub, grant, err) != 0)
		goto out;
	for (int tries = 0; r != 0; tries++) {
		if (timeguard_now(guard, &now, err) != 0 ||
		    issue_make(ca, profile, grant, now, draw, &made, err) != 0)
			goto out;
		r = committer_run(committer, &renew.job, err);
		if (r != 0 && (!renew.serial_taken || tries + 1 >= ISSUE_SERIAL_TRIES))
			goto out;
	}
	timeguard_note(guard, renew.recorded);
out:
	buf_free(&made.der);
	free(grant);
	return r;
}
