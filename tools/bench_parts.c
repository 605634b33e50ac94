/*
 * What each part of issuing costs, by the product's own functions in one thread: microseconds a
 * certificate. The home's smkid must not run: its database and its token are used here.
 *
 *   bench_parts HOME N
 *
 * The bound of each line is the sum of what cannot be left out (the request's signature verified,
 * the token's made and verified), so its ratio is what the part adds to that.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench_cert.h"
#include "bench_line.h"
#include "bench_link.h"
#include "issue_rules.h"
#include "smki/clock.h"
#include "smki/eckey.h"
#include "smki/mem.h"
#include "smki/rng.h"

#define PARTS_N_MAX 100000
/* Certificates a transaction, as the committer groups them with many requests under way. */
#define PARTS_GROUP 32

enum part {
	PART_READ,
	PART_POP,
	PART_GRANT,
	PART_RULES,
	PART_BUILD,
	PART_SIGN,
	PART_VERIFY,
	PART_WIRE,
	PART_ROWS,
	PART_COMMIT,
	PARTS,
};

static const char *const part_names[PARTS] = {
	[PART_READ] = "part: request read",
	[PART_POP] = "part: request's signature verified",
	[PART_GRANT] = "part: profile",
	[PART_RULES] = "part: identity rules",
	[PART_BUILD] = "part: certificate built",
	[PART_SIGN] = "part: signed by the token",
	[PART_VERIFY] = "part: signature verified",
	[PART_WIRE] = "part: messages, both ways",
	[PART_ROWS] = "part: database rows",
	[PART_COMMIT] = "part: database commit and checkpoint",
};

/* One request on its way through the parts. */
struct piece {
	struct csr csr;
	struct grant grant;
	uint8_t key_hash[SHA256_LEN];
	struct store_new_cert cert;
	struct buf tbs, der, sig;
	uint8_t digest[SHA384_LEN], rs[EC_RS_MAX];
};

struct parts {
	struct bench_maker maker;
	struct store *writer, *reader;
	struct hsm *hsm;
	struct hsm_key *key;
	struct bench_meter *meters;
	struct piece *pieces;
	size_t n;
	time_t now;
	struct issue_stood stood;
	int fds[2]; /* of the messages */
	struct buf msg, reply;
	double us[PARTS];
};

/* ---- the parts, each over one piece ---- */

static int
part_read(struct parts *p, size_t i, struct err *err)
{
	struct piece *piece = &p->pieces[i];

	buf_reset(&piece->der);
	if (csr_decode(p->meters[i].csr.data, p->meters[i].csr.len, &piece->der, err) != 0)
		return -1;
	return csr_parse(piece->der.data, piece->der.len, &piece->csr, err);
}

static int
part_pop(struct parts *p, size_t i, struct err *err)
{
	return csr_check_pop(&p->pieces[i].csr, err);
}

static const struct profile *
part_profile(const struct parts *p, size_t i)
{
	return i % 2 == 0 ? p->maker.signature : p->maker.agreement;
}

static int
part_grant(struct parts *p, size_t i, struct err *err)
{
	struct piece *piece = &p->pieces[i];

	if (profile_grant(part_profile(p, i), &piece->csr, &piece->grant, err) != 0)
		return -1;
	ec_pub_hash(&piece->grant.pub, piece->key_hash);
	return 0;
}

static int
part_rules(struct parts *p, size_t i, struct err *err)
{
	const struct piece *piece = &p->pieces[i];
	const struct issue_ask ask = {
		.cas = p->maker.cas,
		.ca = p->maker.ca,
		.profile = part_profile(p, i)->name,
		.grant = &piece->grant,
		.key_hash = piece->key_hash,
		.per_device = p->maker.home.certificates_per_device,
		.stood = &p->stood,
	};
	struct issue_verdict verdict;
	int r;

	if (store_view_begin(p->reader, err) != 0)
		return -1;
	r = issue_rules(p->reader, &ask, p->now, &verdict, err);
	store_view_end(p->reader);
	if (r == 0 && !verdict.clear)
		return err_set(err, FAIL_INTERNAL, "bench: a meter that is new is not clear");
	return r;
}

static int
part_build(struct parts *p, size_t i, struct err *err)
{
	const struct profile *profile = part_profile(p, i);
	struct piece *piece = &p->pieces[i];
	struct store_new_cert *cert = &piece->cert;

	*cert = (struct store_new_cert){ .ca = p->maker.ca->id, .profile = profile->name };
	cert->holder = piece->grant.holder;
	cert->use = piece->grant.use;
	memcpy(cert->key_hash, piece->key_hash, SHA256_LEN);
	if (cert_serial(profile->serial_octets, rng_draw, &cert->serial, err) != 0 ||
	    cert_validity(profile, &p->maker.ca->issuer, p->now, &cert->not_before,
		&cert->not_after, err) != 0 ||
	    cert_build_tbs(profile, &p->maker.ca->issuer, &piece->grant, &cert->serial,
		cert->not_before, cert->not_after, &piece->tbs, err) != 0)
		return -1;
	return 0;
}

static int
part_sign(struct parts *p, size_t i, struct err *err)
{
	struct piece *piece = &p->pieces[i];
	size_t len = ec_digest(EC_P256, piece->tbs.data, piece->tbs.len, piece->digest);

	return hsm_sign(p->key, piece->digest, len, piece->rs, err);
}

static int
part_verify(struct parts *p, size_t i, struct err *err)
{
	struct piece *piece = &p->pieces[i];
	size_t whole;

	ec_sig_put(&piece->sig, EC_P256, piece->rs);
	if (ec_verify(hsm_key_pub(p->key), piece->digest, ec_field_len(EC_P256),
		buf_span(&piece->sig), err) != 0)
		return -1;
	buf_reset(&piece->der);
	whole = der_open(&piece->der, DER_SEQUENCE);
	buf_add(&piece->der, piece->tbs.data, piece->tbs.len);
	ec_sig_alg_put(&piece->der, EC_P256);
	der_put_octet_bits(&piece->der, piece->sig.data, piece->sig.len);
	der_close(&piece->der, whole);
	piece->cert.der = buf_span(&piece->der);
	return 0;
}

/* Request and answer: written, sent, received and read on either side. */
static int
part_wire(struct parts *p, size_t i, struct err *err)
{
	struct issue_request request = { .csr = p->meters[i].csr }, got = { 0 };
	struct issue_result result = { .der = p->pieces[i].der }, back = { 0 };
	struct wire_head head;
	struct wire_in in;
	int r = -1;

	wire_start(&p->msg, ADMIN_ISSUE, (uint32_t)i, 0);
	admin_issue_put(&p->msg, &request);
	if (wire_send(p->fds[0], &p->msg, 1000, err) != 0 ||
	    wire_recv(p->fds[1], &p->reply, 1000, err) != 0 ||
	    wire_head_get(p->reply.data, p->reply.len, &head, &in, err) != 0 ||
	    admin_issue_get(&in, &got, err) != 0)
		return -1;
	snprintf(result.profile, sizeof(result.profile), "%s", part_profile(p, i)->name);
	snprintf(result.ca, sizeof(result.ca), "%s", p->maker.ca->name);
	result.serial = p->pieces[i].cert.serial;
	result.holder = p->pieces[i].cert.holder;
	wire_start(&p->msg, ADMIN_ISSUE, (uint32_t)i, 0);
	admin_issued_put(&p->msg, &result);
	if (wire_send(p->fds[1], &p->msg, 1000, err) == 0 &&
	    wire_recv(p->fds[0], &p->reply, 1000, err) == 0 &&
	    wire_head_get(p->reply.data, p->reply.len, &head, &in, err) == 0 &&
	    admin_issued_get(&in, &back, err) == 0)
		r = 0;
	buf_free(&got.csr);
	buf_free(&back.der);
	return r;
}

/* ---- measuring ---- */

static int
parts_each(struct parts *p, enum part part, int (*fn)(struct parts *p, size_t i, struct err *err),
    struct err *err)
{
	int64_t start = clock_mono_us();

	for (size_t i = 0; i < p->n; i++)
		if (fn(p, i, err) != 0)
			return -1;
	p->us[part] = (double)(clock_mono_us() - start) / (double)p->n;
	return 0;
}

static int
parts_row(struct parts *p, size_t i, const struct store_actor *actor, struct err *err)
{
	bool taken;
	int64_t id;

	return store_cert_add(p->writer, actor, &p->pieces[i].cert, &id, &taken, err);
}

static int
parts_database(struct parts *p, struct err *err)
{
	const struct store_actor actor = { .uid = ACTOR_SELF, .now = p->now };
	int64_t start, rows = 0, commit = 0;
	bool fatal;

	for (size_t i = 0; i < p->n; i += PARTS_GROUP) {
		start = clock_mono_us();
		if (store_begin(p->writer, err) != 0)
			return -1;
		for (size_t k = i; k < i + PARTS_GROUP && k < p->n; k++)
			if (parts_row(p, k, &actor, err) != 0)
				return -1;
		rows += clock_mono_us() - start;
		start = clock_mono_us();
		if (store_commit(p->writer, &fatal, err) != 0 ||
		    (i / PARTS_GROUP % 16 == 15 && store_checkpoint(p->writer, NULL, err) != 0))
			return -1;
		commit += clock_mono_us() - start;
	}
	p->us[PART_ROWS] = (double)rows / (double)p->n;
	p->us[PART_COMMIT] = (double)commit / (double)p->n;
	return 0;
}

static int
parts_measure(struct parts *p, struct err *err)
{
	if (parts_each(p, PART_READ, part_read, err) != 0 ||
	    parts_each(p, PART_POP, part_pop, err) != 0 ||
	    parts_each(p, PART_GRANT, part_grant, err) != 0 ||
	    parts_each(p, PART_RULES, part_rules, err) != 0 ||
	    parts_each(p, PART_BUILD, part_build, err) != 0 ||
	    parts_each(p, PART_SIGN, part_sign, err) != 0 ||
	    parts_each(p, PART_VERIFY, part_verify, err) != 0 ||
	    parts_each(p, PART_WIRE, part_wire, err) != 0)
		return -1;
	return parts_database(p, err);
}

static void
parts_print(const struct parts *p)
{
	double bound = p->us[PART_POP] + p->us[PART_SIGN] + p->us[PART_VERIFY], all = 0;

	printf("parts: one thread, %zu certificates, us each\n", p->n);
	for (int i = 0; i < PARTS; i++) {
		printf("  %-38s %7.1f\n", part_names[i], p->us[i]);
		bench_line(part_names[i], "us", p->us[i], bound, "");
		all += p->us[i];
	}
	printf(
	    "  all %.1f, of it the bound %.1f: at best a ratio of %.2f\n", all, bound, bound / all);
	bench_line("part: all together", "us", all, bound, "");
}

static int
parts_open(struct parts *p, const char *dir, struct err *err)
{
	const struct home_ca *where;
	const struct home_token *token;
	struct home home = { 0 };
	char path[HOME_PATH_MAX];

	snprintf(home.dir, sizeof(home.dir), "%s", dir);
	if (home_path(&home, HOME_DB, path, err) != 0 ||
	    store_open(path, STORE_WRITE, &p->writer, err) != 0 ||
	    store_open(path, STORE_READ, &p->reader, err) != 0 ||
	    bench_maker_open(dir, p->reader, &p->maker, err) != 0)
		return -1;
	where = home_ca(&p->maker.home, p->maker.ca->name);
	token = where == NULL ? NULL : home_token(&p->maker.home, where->token);
	if (token == NULL)
		return err_set(err, FAIL_NOT_FOUND, "bench: no token of the CA");
	if (hsm_open(&token->conf, &p->hsm, err) != 0 ||
	    hsm_key_find(p->hsm, where->key, &p->key, err) != 0 || wire_pair(p->fds, err) != 0)
		return -1;
	p->now = clock_now();
	p->pieces = mem_array(p->n, sizeof(*p->pieces));
	return bench_meters_new(p->n, &p->meters, err);
}

static void
parts_close(struct parts *p)
{
	for (size_t i = 0; p->pieces != NULL && i < p->n; i++) {
		buf_free(&p->pieces[i].tbs);
		buf_free(&p->pieces[i].der);
		buf_free(&p->pieces[i].sig);
	}
	free(p->pieces);
	bench_meters_free(p->meters, p->n);
	for (int i = 0; i < 2; i++)
		if (p->fds[i] >= 0)
			close(p->fds[i]);
	buf_free(&p->msg);
	buf_free(&p->reply);
	hsm_close(p->hsm);
	bench_maker_close(&p->maker);
	store_close(p->reader);
	store_close(p->writer);
	free(p);
}

int
main(int argc, char **argv)
{
	struct parts *p = mem_alloc(sizeof(*p));
	int status = EXIT_DONE;
	struct err err;

	p->fds[0] = p->fds[1] = -1;
	if (argc != 3) {
		fputs("usage: bench_parts HOME N\n", stderr);
		free(p);
		return EXIT_USAGE_;
	}
	p->n = (size_t)bench_number("bench_parts", argv[2], PARTS_N_MAX);
	if (parts_open(p, argv[1], &err) == 0 && parts_measure(p, &err) == 0) {
		parts_print(p);
	} else {
		fprintf(stderr, "bench_parts: %s\n", err.msg);
		status = err_exit_status(err.code);
	}
	parts_close(p);
	return status;
}
