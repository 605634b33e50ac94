/*
 * Identity rules: one key for one holder and usage, the same answer to a retry, one certificate a
 * device and profile. The database holds them a second time in its triggers; here they are for a
 * good message, and to spare the token. Nothing is written here.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "issue_rules.h"
#include "smki/mem.h"

/* Rows read at first, as most have, and at most: more than a device may ever have (smki.conf
 * [issue]). */
#define RULES_ROWS_FIRST 4
#define RULES_ROWS_MAX 16384

/* Requests of one device that may be on their way at once, each of another profile: so far from
 * the number that a device may have, the number need not be counted again. */
#define RULES_DEVICE_AT_ONCE 16

struct rules_rows {
	struct store_cert *row;
	size_t n;
};

static int
rules_read(struct store *store, const struct issue_ask *ask, bool by_key, struct rules_rows *out,
    struct err *err)
{
	const struct holder *holder = &ask->grant->holder;
	struct err why;
	size_t cap = RULES_ROWS_FIRST;
	int r;

	for (;;) {
		out->row = mem_resize(out->row, cap, sizeof(*out->row));
		if (by_key)
			r = store_certs_by_key(store, ask->key_hash, out->row, cap, &out->n, &why);
		else
			r = store_certs_by_holder(store, holder->kind, holder->name,
			    holder->name_len, out->row, cap, &out->n, &why);
		if (r == 0)
			return 0;
		if (why.code != FAIL_LIMIT || cap >= RULES_ROWS_MAX)
			break;
		cap *= 4;
	}
	*err = why;
	return -1;
}

static int
rules_same_holder(const struct holder *a, const struct holder *b)
{
	return a->kind == b->kind && a->name_len == b->name_len &&
	       memcmp(a->name, b->name, a->name_len) == 0 && strcmp(a->hw_type, b->hw_type) == 0;
}

/* The CA's own certificate and those above it: recorded, valid, begun and not ended. seen: as of
 * the present change of states it is known that they are recorded and valid. */
static int
rules_chain(
    struct store *store, const struct issue_ask *ask, bool seen, time_t now, struct err *err)
{
	const struct ca *ca = ask->ca;
	struct store_cert row = { .state = CERT_VALID };

	for (size_t depth = 0; ca != NULL && depth < STORE_CAS_MAX; depth++) {
		if (now < ca->cert.not_before || now > ca->cert.not_after)
			return err_set(err, FAIL_DENIED,
			    "ca %s: RFC 5280 4.1.2.5: its own certificate %s; it issues nothing",
			    ca->name, now > ca->cert.not_after ? "has ended" : "has not begun");
		if (!seen && store_cert_find(store, ca->parent, &ca->cert.serial, &row, err) != 0)
			return err_prefix(err, "ca %s: its own certificate", ca->name);
		if (row.state != CERT_VALID)
			return err_set(err, FAIL_DENIED,
			    "ca %s: its own certificate is %s; it issues nothing", ca->name,
			    row.state == CERT_HOLD ? "on hold" : "revoked");
		if (ca->root)
			return 0;
		ca = caset_by_id(ask->cas, ca->parent);
	}
	return err_set(err, FAIL_INTERNAL, "ca %s: no root above it", ask->ca->name);
}

/* How many CAs the chain has. */
static size_t
rules_depth(const struct issue_ask *ask)
{
	const struct ca *ca = ask->ca;
	size_t depth = 1;

	for (; !ca->root && depth < STORE_CAS_MAX; depth++)
		if ((ca = caset_by_id(ask->cas, ca->parent)) == NULL)
			return STORE_CAS_MAX;
	return depth;
}

static int
rules_ca(struct store *store, const struct issue_ask *ask, time_t now, struct err *err)
{
	atomic_llong *stood = NULL;
	int64_t changed = 0;

	if (ask->stood == NULL)
		return rules_chain(store, ask, false, now, err);
	stood = &ask->stood->after[ask->ca - ask->cas->ca];
	/* Read before the chain: what changes in between has a larger number, and is looked at. */
	if (store_changed_newest(store, &changed, err) != 0 ||
	    rules_chain(store, ask, changed + 1 == atomic_load(stood), now, err) != 0)
		return -1;
	if (!ask->recording)
		atomic_store(stood, changed + 1);
	return 0;
}

/* One key, one holder and usage, for ever; a compromised key nowhere. */
static int
rules_key(const struct issue_ask *ask, const struct rules_rows *rows, struct err *err)
{
	char serial[SERIAL_TEXT_LEN];

	for (size_t i = 0; i < rows->n; i++) {
		const struct store_cert *row = &rows->row[i];

		serial_text(&row->serial, serial);
		if (row->state == CERT_REVOKED && row->reason == REASON_KEY_COMPROMISE)
			return err_set(err, FAIL_CONFLICT,
			    "key: is blocked: its certificate %s was revoked as compromised",
			    serial);
		if (row->use != ask->grant->use)
			return err_set(err, FAIL_CONFLICT,
			    "key: is certified for another usage already, by certificate %s",
			    serial);
		if (!rules_same_holder(&row->holder, &ask->grant->holder))
			return err_set(err, FAIL_CONFLICT,
			    "key: is certified for another holder already, by certificate %s",
			    serial);
	}
	return 0;
}

/* Newest certificate of this key, profile and CA. */
static const struct store_cert *
rules_mine(const struct issue_ask *ask, const struct rules_rows *rows)
{
	const struct store_cert *mine = NULL;

	for (size_t i = 0; i < rows->n; i++) {
		const struct store_cert *row = &rows->row[i];

		if (row->ca == ask->ca->id && strcmp(row->profile, ask->profile) == 0 &&
		    (mine == NULL || row->id > mine->id))
			mine = row;
	}
	return mine;
}

/* Retry: the same certificate again, or a new one that follows it near its end. */
static int
rules_retry(
    const struct store_cert *mine, time_t now, struct issue_verdict *verdict, struct err *err)
{
	char serial[SERIAL_TEXT_LEN];
	int64_t left = (int64_t)mine->not_after - now, life = mine->not_after - mine->not_before;

	serial_text(&mine->serial, serial);
	switch (mine->state) {
	case CERT_REVOKED:
		return err_set(err, FAIL_CONFLICT,
		    "key: its certificate %s is revoked; make a new key", serial);
	case CERT_HOLD:
		/* A hold is not left behind by asking for a newer certificate. */
		if (left < 0)
			return err_set(err, FAIL_CONFLICT,
			    "key: its certificate %s has ended on hold; reactivate or revoke it",
			    serial);
		verdict->existing = true;
		break;
	case CERT_VALID:
		verdict->existing = left > life / 3;
		break;
	}
	if (verdict->existing)
		verdict->cert = *mine;
	else
		verdict->replaces = mine->id;
	return 0;
}

/* *has: whether it ever had a certificate. */
static int
rules_hw_type(struct store *store, const struct holder *holder, const char *device, bool *has,
    struct err *err)
{
	struct holder known;
	struct err why;

	*has = false;
	if (store_holder_get(store, holder->kind, holder->name, holder->name_len, &known, &why) !=
	    0) {
		if (why.code == FAIL_NOT_FOUND)
			return 0;
		*err = why;
		return -1;
	}
	if (strcmp(known.hw_type, holder->hw_type) != 0)
		return err_set(err, FAIL_CONFLICT,
		    "device %s: RFC 4108 5: hwType %s is not the registered %s", device,
		    holder->hw_type, known.hw_type);
	*has = true;
	return 0;
}

static int
rules_device(struct store *store, const struct issue_ask *ask, const struct store_cert *mine,
    time_t now, struct issue_verdict *verdict, struct err *err)
{
	const struct store_cert *other = NULL;
	struct rules_rows rows = { 0 };
	char device[HOLDER_TEXT_LEN], serial[SERIAL_TEXT_LEN];
	bool has;
	int r = -1;

	holder_text(&ask->grant->holder, device);
	if (rules_hw_type(store, &ask->grant->holder, device, &has, err) != 0 ||
	    (has && rules_read(store, ask, false, &rows, err) != 0))
		goto out;
	if (ask->per_device > 0 && rows.n >= (size_t)ask->per_device) {
		err_set(err, FAIL_CONFLICT,
		    "device %s: has all the %ld certificates it may ever have", device,
		    ask->per_device);
		goto out;
	}
	for (size_t i = 0; i < rows.n; i++) {
		const struct store_cert *row = &rows.row[i];

		if (strcmp(row->profile, ask->profile) == 0 && row->state == CERT_HOLD &&
		    row->not_after >= now) {
			serial_text(&row->serial, serial);
			err_set(err, FAIL_CONFLICT,
			    "device %s: its certificate %s is on hold; reactivate or revoke it "
			    "before another is issued",
			    device, serial);
			goto out;
		}
		/* What a certificate of this same key followed stays behind it. */
		if (mine != NULL && row->id <= mine->id)
			continue;
		if (strcmp(row->profile, ask->profile) == 0 && row->state != CERT_REVOKED &&
		    row->not_after >= now && (other == NULL || row->id > other->id))
			other = row;
	}
	verdict->clear = !ask->replace && mine == NULL && other == NULL &&
			 (ask->per_device == 0 ||
			     rows.n + RULES_DEVICE_AT_ONCE <= (size_t)ask->per_device);
	if (other != NULL) {
		serial_text(&other->serial, serial);
		if (!ask->replace) {
			err_set(err, FAIL_CONFLICT,
			    "device %s: has an unrevoked certificate of profile %s (%s); another "
			    "key needs re-enrolment, or an operator's issue --replace",
			    device, ask->profile, serial);
			goto out;
		}
		verdict->replaces = other->id;
	}
	r = 0;
out:
	free(rows.row);
	return r;
}

int
issue_rules(struct store *store, const struct issue_ask *ask, time_t now, struct issue_verdict *out,
    struct err *err)
{
	struct issue_verdict verdict = { 0 };
	const struct store_cert *mine;
	struct rules_rows rows = { 0 };
	int r = -1;

	if (rules_ca(store, ask, now, err) != 0 || rules_read(store, ask, true, &rows, err) != 0 ||
	    rules_key(ask, &rows, err) != 0)
		goto out;
	mine = rules_mine(ask, &rows);
	if (mine != NULL && rules_retry(mine, now, &verdict, err) != 0)
		goto out;
	if (!verdict.existing && ask->grant->holder.kind == HOLDER_DEVICE &&
	    rules_device(store, ask, mine, now, &verdict, err) != 0)
		goto out;
	/* The database knows the CA and the one above it. */
	verdict.clear = verdict.clear && rows.n == 0 && rules_depth(ask) <= 2;
	*out = verdict;
	r = 0;
out:
	free(rows.row);
	return r;
}

int
issue_shard(const struct ca *ca, const struct profile *profile, struct store *reader,
    struct issue_shard *out, struct err *err)
{
	struct crl_which which = { .ca = ca->id, .kind = CRL_SHARD };
	struct store_shard known;
	struct err why;

	*out = (struct issue_shard){ .number = 0 };
	if (!profile->cdp_shard)
		return 0;
	if (store_shard_next(reader, &which.shard, err) != 0)
		return -1;
	out->number = which.shard;
	if (store_shard_get(reader, ca->id, which.shard, &known, &why) == 0) {
		memcpy(out->uri, known.uri, sizeof(out->uri));
		return 0;
	}
	if (why.code == FAIL_NOT_FOUND)
		return caset_list_uri(ca, &which, out->uri, err);
	*err = why;
	return -1;
}

int
issue_make_begin(const struct ca *ca, const struct profile *profile, const struct grant *grant,
    const char *crl_uri, time_t now, int (*draw)(uint8_t *out, size_t n), struct issue_making *out,
    struct err *err)
{
	struct issuer issuer = ca->issuer;
	struct issue_making making = { 0 };
	struct issue_made *made = &making.made;

	if (!ca->has_key)
		return err_set(err, FAIL_UNAVAILABLE, "ca %s: its key is not here", ca->name);
	if (crl_uri != NULL)
		snprintf(issuer.crl_uri, sizeof(issuer.crl_uri), "%s", crl_uri);
	if (cert_serial(profile->serial_octets, draw, &made->serial, err) != 0 ||
	    cert_validity(profile, &issuer, now, &made->not_before, &made->not_after, err) != 0 ||
	    cert_build_tbs(profile, &issuer, grant, &made->serial, made->not_before,
		made->not_after, &making.tbs, err) != 0 ||
	    sign_wrap_begin(&ca->signer, making.tbs.data, making.tbs.len, &making.pending, err) !=
		0) {
		buf_free(&making.tbs);
		return -1;
	}
	*out = making;
	return 0;
}

int
issue_make_end(struct issue_making *making, struct issue_made *out, struct err *err)
{
	struct buf der = { 0 };
	int r;

	r = sign_wrap_end(&making->pending, making->tbs.data, making->tbs.len, &der, err);
	buf_free(&making->tbs);
	if (r != 0)
		return -1;
	buf_free(&out->der);
	*out = making->made;
	out->der = der;
	return 0;
}

int
issue_make(const struct ca *ca, const struct profile *profile, const struct grant *grant,
    const char *crl_uri, time_t now, int (*draw)(uint8_t *out, size_t n), struct issue_made *out,
    struct err *err)
{
	struct issue_making making;

	if (issue_make_begin(ca, profile, grant, crl_uri, now, draw, &making, err) != 0)
		return -1;
	return issue_make_end(&making, out, err);
}
