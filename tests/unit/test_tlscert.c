/*
 * The TLS server's own certificate: when a new one is due, that it is made for the same key and
 * names, and what the front then finds.
 */
#include "service_rig.h"
#include "smki/renew.h"
#include "smki/tlscert.h"

#define DAY 86400L

static const struct renew_conf *
conf_of(const struct rig *r)
{
	static struct renew_conf conf;

	conf = (struct renew_conf){ r->ca, profiles_get(&r->profiles, "tls-server"), r->committer,
		r->guard, rng_draw };
	return &conf;
}

/* A certificate for key and names, recorded with this life around now. Its DER in out. */
static int64_t
server_cert(struct rig *r, const struct softsign *key, const char *const *names, size_t n,
    time_t from, time_t until, struct buf *out)
{
	const struct profile *profile = profiles_get(&r->profiles, "tls-server");
	struct store_new_cert row = { .ca = r->ca->id,
		.profile = profile->name,
		.not_before = r->now + from,
		.not_after = r->now + until };
	struct buf tbs = { 0 };
	struct grant grant;
	int64_t id;

	RIG(profile_grant_service(profile, "", names, n, &key->signer.pub, &grant, &rig_err));
	RIG(cert_serial(8, rng_draw, &row.serial, &rig_err));
	RIG(cert_build_tbs(profile, &r->ca->issuer, &grant, &row.serial, row.not_before,
	    row.not_after, &tbs, &rig_err));
	buf_reset(out);
	RIG(sign_wrap(&r->ca->signer, tbs.data, tbs.len, out, &rig_err));
	row.holder = grant.holder;
	row.use = grant.use;
	ec_pub_hash(&grant.pub, row.key_hash);
	row.der = buf_span(out);
	id = rig_add(r, &row, 1);
	buf_free(&tbs);
	return id;
}

/* The listener's file. */
static void
server_file(const char *path, const struct buf *der)
{
	struct buf pem = { 0 };

	pem_encode("CERTIFICATE", der->data, der->len, &pem);
	RIG(file_write(path, pem.data, pem.len, 0644, &rig_err));
	buf_free(&pem);
}

static const char *const names[] = { "ca.example", "192.0.2.1", "2001:db8::1", "alt.ca.example" };

static void
test_due(void)
{
	CHECK(renew_server_due(1000, 4000) == 3000);
	CHECK(renew_server_due(1000, 4002) == 3002);
	CHECK(renew_server_due(1000, 1000) == 1000);
}

static void
test_renewed(void)
{
	struct rig *r = rig_new();
	struct softsign *key = softsign_new(EC_P256), *other = softsign_new(EC_P256);
	struct buf der = { 0 }, fresh = { 0 }, pem = { 0 }, want = { 0 };
	struct cert old, cert;
	struct store_cert was, is;
	uint8_t hash[SHA256_LEN];
	char chain[96];
	struct err err;

	snprintf(chain, sizeof(chain), "%s/server.pem", r->dir);
	CHECK(tls_cert_newest(r->reader, chain, &is, &err) != 0);
	CHECK(err.code == FAIL_UNAVAILABLE);
	RIG(file_write(chain, "-----BEGIN JUNK-----\n", 21, 0644, &rig_err));
	CHECK(tls_cert_newest(r->reader, chain, &is, &err) != 0 && err.code == FAIL_NOT_FOUND);
	server_file(chain, &r->ca->der);
	CHECK(tls_cert_newest(r->reader, chain, &is, &err) != 0 && err.code == FAIL_NOT_FOUND);
	server_cert(r, other, names, 4, -20 * DAY, 8 * DAY, &der);
	server_file(chain, &der);
	RIG(tls_cert_newest(r->reader, chain, &was, &rig_err));
	CHECK(was.not_after == r->now + 8 * DAY);
	server_cert(r, key, names, 4, -20 * DAY, 9 * DAY, &der);
	server_file(chain, &der);
	/* Somebody else's server of the same name is none of ours. */
	server_cert(r, other, names, 4, 0, DAY, &fresh);
	RIG(tls_cert_newest(r->reader, chain, &was, &rig_err));
	CHECK(was.not_after == r->now + 9 * DAY);
	RIG(cert_parse(der.data, der.len, &old, &rig_err));
	RIG(renew_server(conf_of(r), &old, &rig_err));

	RIG(tls_cert_newest(r->reader, chain, &is, &rig_err));
	CHECK(is.id > was.id && is.state == CERT_VALID && is.use == USE_SERVER);
	CHECK(is.not_before >= r->now && is.not_after > r->now + 390 * DAY);
	CHECK_MEM(is.key_hash, SHA256_LEN, was.key_hash, SHA256_LEN);
	CHECK_MEM(is.holder.name, is.holder.name_len, "tls:ca.example", 14);
	buf_reset(&fresh);
	RIG(store_cert_der(r->reader, is.id, &fresh, &rig_err));
	RIG(cert_parse(fresh.data, fresh.len, &cert, &rig_err));
	CHECK(cert_check_issued(&cert, &r->ca->cert, &err) == 0);
	CHECK_MEM(cert.san.p, cert.san.len, old.san.p, old.san.len);
	CHECK(ec_pub_eq(&cert.pub, &old.pub));

	/* The front finds it by its key, with the issuing CA and without the root. */
	ec_pub_hash(&key->signer.pub, hash);
	RIG(tls_chain_newest(r->reader, hash, r->cas, r->now, &pem, &rig_err));
	pem_encode("CERTIFICATE", fresh.data, fresh.len, &want);
	pem_encode("CERTIFICATE", r->ca->der.data, r->ca->der.len, &want);
	CHECK_MEM(pem.data, pem.len, want.data, want.len);
	buf_free(&der);
	buf_free(&fresh);
	buf_free(&pem);
	buf_free(&want);
	softsign_free(key);
	softsign_free(other);
	rig_free(r);
}

static void
test_refused(void)
{
	struct rig *r = rig_new();
	struct softsign *key = softsign_new(EC_P256);
	struct renew_conf conf = *conf_of(r);
	struct buf der = { 0 };
	struct cert old, no_names;
	int64_t event;
	struct err err;

	server_cert(r, key, names, 1, -DAY, DAY, &der);
	RIG(cert_parse(der.data, der.len, &old, &rig_err));
	event = rig_event(r);
	conf.profile = profiles_get(&r->profiles, "ocsp");
	CHECK(renew_server(&conf, &old, &err) != 0 && err.code == FAIL_INVALID);
	no_names = old;
	no_names.san = (struct span){ 0 };
	CHECK(renew_server(conf_of(r), &no_names, &err) != 0 && err.code == FAIL_INVALID);
	/* The key is somebody else's: the CA's. */
	old.pub = r->ca_key->signer.pub;
	CHECK(renew_server(conf_of(r), &old, &err) != 0 && err.code == FAIL_CONFLICT);
	old.pub = key->signer.pub;
	r->ca_key->refuse = true;
	CHECK(renew_server(conf_of(r), &old, &err) != 0 && err.code == FAIL_UNAVAILABLE);
	r->ca_key->refuse = false;
	timeguard_note(r->guard, r->now + 3600);
	CHECK(renew_server(conf_of(r), &old, &err) != 0 && err.code == FAIL_UNAVAILABLE);
	CHECK(rig_event(r) == event);
	buf_free(&der);
	softsign_free(key);
	rig_free(r);
}

static const struct {
	const char *name;
	time_t from, until; /* days, relative to now, of one made after a good one */
	bool taken;	    /* it is the front's, else the one before */
} found_rows[] = {
	{ "in force", -1, 2, true },
	{ "ends today", -1, 0, true },
	{ "ended", -9, -1, false },
	{ "not begun", 1, 2, false },
};

static void
test_found(void)
{
	struct rig *r = rig_new();
	uint8_t hash[SHA256_LEN] = { 0 };
	struct buf first = { 0 }, second = { 0 }, pem = { 0 }, want = { 0 };
	struct err err;

	CHECK(tls_chain_newest(r->reader, hash, r->cas, r->now, &pem, &err) != 0);
	CHECK(err.code == FAIL_NOT_FOUND && pem.len == 0);
	for (size_t i = 0; i < ARRAY_LEN(found_rows); i++) {
		struct softsign *key = softsign_new(EC_P256);
		char *own = mem_fmt("host-%c.example", (char)('a' + i));
		const char *const one[] = { own };

		server_cert(r, key, one, 1, -DAY, DAY, &first);
		server_cert(
		    r, key, one, 1, found_rows[i].from * DAY, found_rows[i].until * DAY, &second);
		ec_pub_hash(&key->signer.pub, hash);
		buf_reset(&pem);
		buf_reset(&want);
		CHECK_ROW(found_rows[i].name,
		    tls_chain_newest(r->reader, hash, r->cas, r->now, &pem, &err) == 0);
		pem_encode("CERTIFICATE", found_rows[i].taken ? second.data : first.data,
		    found_rows[i].taken ? second.len : first.len, &want);
		CHECK_ROW(found_rows[i].name,
		    pem.len > want.len && memcmp(pem.data, want.data, want.len) == 0);
		softsign_free(key);
		free(own);
	}
	/* A device's key, a CA's: no server's. */
	ec_pub_hash(&r->ca_key->signer.pub, hash);
	CHECK(tls_chain_newest(r->reader, hash, r->cas, r->now, &pem, &err) != 0);
	buf_free(&first);
	buf_free(&second);
	buf_free(&pem);
	buf_free(&want);
	rig_free(r);
}

static const struct test_case cases[] = {
	{ "due", test_due },
	{ "renewed", test_renewed },
	{ "refusals", test_refused },
	{ "what the front finds", test_found },
};
TEST_MAIN("tlscert", cases)
