/*
 * The certificates that smkid makes without being asked: its OCSP responder's and that of its own
 * TLS server. The key stays where it is; only its certificate is new.
 */
#include <stdlib.h>
#include <string.h>

#include "issue_rules.h"
#include "record.h"
#include "smki/eckey.h"
#include "smki/host.h"
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

time_t
renew_server_due(time_t not_before, time_t not_after)
{
	return not_after - (not_after - not_before) / 3;
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
	    store_cert_add(store, &actor, &row, &id, &renew->serial_taken, err) != 0)
		return -1;
	if (renew->grant->use == USE_OCSP &&
	    store_responder_set(store, &actor, renew->ca->id, id, err) != 0)
		return -1;
	renew->recorded = actor.now;
	return 0;
}

/* Sign what is granted and record it, with another serial when one is taken. */
static int
renew_make(const struct renew_conf *conf, const struct grant *grant, struct err *err)
{
	struct issue_made made = { 0 };
	struct renew_job renew = {
		.job = { .lane = COMMIT_OTHER, .apply = renew_apply },
		.ca = conf->ca,
		.profile = conf->profile,
		.grant = grant,
		.made = &made,
	};
	time_t now;
	int r = -1;

	for (int tries = 0; r != 0; tries++) {
		if (timeguard_now(conf->guard, &now, err) != 0 ||
		    issue_make(conf->ca, conf->profile, grant, NULL, now, conf->draw, &made, err) !=
			0)
			goto out;
		r = committer_run(conf->committer, &renew.job, err);
		if (r != 0 && (!renew.serial_taken || tries + 1 >= ISSUE_SERIAL_TRIES))
			goto out;
	}
	timeguard_note(conf->guard, renew.recorded);
out:
	buf_free(&made.der);
	return r;
}

int
renew_responder(const struct renew_conf *conf, const struct ec_pub *pub, struct err *err)
{
	const struct profile *profile = conf->profile;
	struct grant *grant = NULL;
	int r;

	if (profile->kind != PROFILE_OCSP)
		return err_set(
		    err, FAIL_INVALID, "profile %s: is not for an OCSP responder", profile->name);
	grant = mem_alloc(sizeof(*grant));
	r = profile_grant_service(profile, conf->ca->name, NULL, 0, pub, grant, err);
	if (r == 0)
		r = renew_make(conf, grant, err);
	free(grant);
	return r;
}

/* The names of a server certificate, in their order. */
static int
renew_names(const struct cert *cert, struct host hosts[SAN_NAMES_MAX], size_t *n, struct err *err)
{
	struct der names = der_from(cert->san.p, cert->san.len), list;

	*n = 0;
	if (der_get(&names, DER_SEQUENCE, &list) != 0)
		goto bad;
	while (!der_end(&list))
		if (*n == SAN_NAMES_MAX || host_get(&list, &hosts[(*n)++]) != 0)
			goto bad;
	return 0;
bad:
	return err_set(err, FAIL_INVALID,
	    "tls: RFC 5280 4.2.1.6: the certificate has other names than host names and addresses");
}

int
renew_server(const struct renew_conf *conf, const struct cert *old, struct err *err)
{
	const struct profile *profile = conf->profile;
	struct host *hosts = mem_array(SAN_NAMES_MAX, sizeof(*hosts));
	struct grant *grant = mem_alloc(sizeof(*grant));
	const char *names[SAN_NAMES_MAX];
	size_t n;
	int r = -1;

	if (profile->kind != PROFILE_SERVER) {
		err_set(err, FAIL_INVALID, "profile %s: is not for a server", profile->name);
		goto out;
	}
	if (renew_names(old, hosts, &n, err) != 0)
		goto out;
	for (size_t i = 0; i < n; i++)
		names[i] = hosts[i].text;
	if (profile_grant_service(profile, "", names, n, &old->pub, grant, err) != 0)
		goto out;
	if (!span_eq((struct span){ grant->san, grant->san_len }, old->san)) {
		err_set(err, FAIL_INTERNAL,
		    "tls: RFC 5280 4.2.1.6: the names do not come out as they were");
		goto out;
	}
	r = renew_make(conf, grant, err);
out:
	free(grant);
	free(hosts);
	return r;
}
