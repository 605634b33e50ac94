/*
 * A whole authority for the tests of services: a real database in a folder of its own, a root and
 * an issuing CA with keys in memory, the shipped profiles, the committer, and requests of meters.
 */
#ifndef SERVICE_RIG_H
#define SERVICE_RIG_H

#include <unistd.h>

#include "smki/caset.h"
#include "smki/clock.h"
#include "smki/committer.h"
#include "smki/crlgen.h"
#include "smki/der.h"
#include "smki/eckey.h"
#include "smki/ext.h"
#include "smki/file.h"
#include "smki/hex.h"
#include "smki/mem.h"
#include "smki/rng.h"
#include "smki/sign.h"
#include "smki/timeguard.h"
#include "softsign.h"
#include "test.h"

static _Thread_local struct err rig_err;

/* A call with &rig_err as its last argument; ends the program on a failure of the rig itself. */
#define RIG(call)                                                                                  \
	do {                                                                                       \
		if ((call) != 0) {                                                                 \
			fprintf(stderr, "  %s: %s\n", #call, rig_err.msg);                         \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

struct rig {
	char dir[64], db[80], crl[80];
	struct store *store, *reader;
	struct softsign *root_key, *ca_key, *ocsp_key;
	struct home home;
	struct profiles profiles;
	struct caset *cas;
	struct ca *root, *ca;
	struct timeguard *guard;
	struct committer *committer;
	time_t now;
};

static inline void
rig_fatal(const struct err *err)
{
	fprintf(stderr, "  committer: %s\n", err->msg);
	abort();
}

/* A certificate of the authority itself, recorded. issuer NULL = self-signed. */
static inline int64_t
rig_ca_cert(struct rig *r, const char *profile_name, const char *label, const struct issuer *issuer,
    const struct softsign *by, const struct softsign *key, int64_t ca, struct buf *der)
{
	const struct profile *profile = profiles_get(&r->profiles, profile_name);
	struct store_actor actor = { .uid = 0, .now = r->now };
	struct store_new_cert row = { .ca = ca, .profile = profile_name };
	struct buf tbs = { 0 };
	struct grant grant;
	bool taken;
	int64_t id;

	RIG(profile_grant_service(profile, label, NULL, 0, &key->signer.pub, &grant, &rig_err));
	RIG(cert_serial(8, rng_draw, &row.serial, &rig_err));
	/* A root, made with validity of its own; begun a minute ago. */
	row.not_before = r->now - 60;
	row.not_after = r->now - 60 +
			86400L * (issuer == NULL	  ? 4000
				     : key == r->ocsp_key ? 14
							  : 3000);
	RIG(cert_build_tbs(
	    profile, issuer, &grant, &row.serial, row.not_before, row.not_after, &tbs, &rig_err));
	RIG(sign_wrap(softsign_signer(by), tbs.data, tbs.len, der, &rig_err));
	row.holder = grant.holder;
	row.use = grant.use;
	ec_pub_hash(&grant.pub, row.key_hash);
	row.der = buf_span(der);
	RIG(store_cert_add(r->store, &actor, &row, &id, &taken, &rig_err));
	buf_free(&tbs);
	return id;
}

static inline void
rig_rows(struct rig *r)
{
	struct store_actor actor = { .uid = 0, .now = r->now };
	struct buf root = { 0 }, ca = { 0 }, ocsp = { 0 };
	int64_t root_id, ca_id, id;
	struct issuer issuer;
	struct cert cert;
	bool fatal;

	RIG(store_begin(r->store, &rig_err));
	RIG(store_event_add(r->store, &actor, "init", 0, &rig_err));
	RIG(store_ca_add(r->store, &actor, "root", 0, &root_id, &rig_err));
	id = rig_ca_cert(r, "root-ca", "root", NULL, r->root_key, r->root_key, root_id, &root);
	RIG(store_ca_set_certificate(r->store, root_id, id, &rig_err));
	RIG(cert_parse(root.data, root.len, &cert, &rig_err));
	cert_issuer(&cert, &issuer);
	RIG(store_ca_add(r->store, &actor, "issuing", root_id, &ca_id, &rig_err));
	id = rig_ca_cert(r, "issuing-ca", "issuing", &issuer, r->root_key, r->ca_key, root_id, &ca);
	RIG(store_ca_set_certificate(r->store, ca_id, id, &rig_err));
	RIG(cert_parse(ca.data, ca.len, &cert, &rig_err));
	cert_issuer(&cert, &issuer);
	id = rig_ca_cert(r, "ocsp", "issuing", &issuer, r->ca_key, r->ocsp_key, ca_id, &ocsp);
	RIG(store_responder_set(r->store, &actor, ca_id, id, &rig_err));
	RIG(store_commit(r->store, &fatal, &rig_err));
	buf_free(&root);
	buf_free(&ca);
	buf_free(&ocsp);
}

static inline struct rig *
rig_new(void)
{
	struct rig *r = mem_alloc(sizeof(*r));
	char *policies = mem_fmt("%s/policies", test_root);
	const char *tmp = getenv("TMPDIR");

	snprintf(r->dir, sizeof(r->dir), "%s/smki-test-XXXXXX", tmp != NULL ? tmp : "/tmp");
	require(mkdtemp(r->dir) != NULL);
	snprintf(r->db, sizeof(r->db), "%s/smki.db", r->dir);
	snprintf(r->crl, sizeof(r->crl), "%s/crl", r->dir);
	RIG(file_make_dir(r->crl, 0700, &rig_err));
	r->now = clock_now();
	r->root_key = softsign_new(EC_P256);
	r->ca_key = softsign_new(EC_P256);
	r->ocsp_key = softsign_new(EC_P256);
	RIG(profiles_load(policies, &r->profiles, &rig_err));
	free(policies);
	RIG(store_open(r->db, STORE_CREATE, &r->store, &rig_err));
	rig_rows(r);
	RIG(store_open(r->db, STORE_READ, &r->reader, &rig_err));
	RIG(caset_load(r->reader, &r->home, &r->cas, &rig_err));
	r->root = &r->cas->ca[0];
	r->ca = &r->cas->ca[1];
	r->ca->signer = r->ca_key->signer;
	r->ca->has_key = true;
	r->guard = timeguard_new(r->now);
	RIG(committer_start(r->store, NULL, rig_fatal, &r->committer, &rig_err));
	return r;
}

static inline void
rig_free(struct rig *r)
{
	committer_stop(r->committer);
	timeguard_free(r->guard);
	caset_free(r->cas);
	store_close(r->reader);
	store_close(r->store);
	profiles_free(&r->profiles);
	softsign_free(r->root_key);
	softsign_free(r->ca_key);
	softsign_free(r->ocsp_key);
	RIG(file_remove_tree(r->dir, &rig_err));
	free(r);
}

static inline int64_t
rig_event(struct rig *r)
{
	int64_t id = 0;
	time_t time;

	RIG(store_event_newest(r->reader, &id, &time, &rig_err));
	return id;
}

/* ---- requests ---- */

static inline void
rig_csr_ext(struct buf *b, enum ext_id id, struct buf *value)
{
	size_t ext = der_open(b, DER_SEQUENCE);

	der_put_span(b, DER_OID, ext_oid(id));
	der_put_bool(b, true);
	der_put(b, DER_OCTET_STRING, value->data, value->len);
	der_close(b, ext);
	buf_free(value);
}

/* A meter's request: hwType 1.3.6.1.4.1.32473.arc. */
static inline void
rig_request(const struct softsign *key, const uint8_t eui[EUI64_LEN], uint8_t arc, unsigned usage,
    struct buf *out)
{
	static const uint8_t request[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x0e };
	const uint8_t type[] = { 0x2b, 6, 1, 4, 1, 0x81, 0xfd, 0x59, arc };
	struct buf info = { 0 }, ku = { 0 }, san = { 0 };
	size_t seq, attrs, attr, set, exts;

	ext_key_usage_put(&ku, usage);
	ext_hardware_put(
	    &san, (struct span){ type, sizeof(type) }, (struct span){ eui, EUI64_LEN });
	seq = der_open(&info, DER_SEQUENCE);
	der_put_small(&info, DER_INTEGER, 0);
	der_put(&info, DER_SEQUENCE, NULL, 0);
	ec_pub_put(&info, &key->signer.pub);
	attrs = der_open(&info, DER_CONTEXT(0));
	attr = der_open(&info, DER_SEQUENCE);
	der_put(&info, DER_OID, request, sizeof(request));
	set = der_open(&info, DER_SET);
	exts = der_open(&info, DER_SEQUENCE);
	rig_csr_ext(&info, EXT_KEY_USAGE, &ku);
	rig_csr_ext(&info, EXT_SAN, &san);
	der_close(&info, exts);
	der_close(&info, set);
	der_close(&info, attr);
	der_close(&info, attrs);
	der_close(&info, seq);
	buf_reset(out);
	RIG(sign_wrap(softsign_signer(key), info.data, info.len, out, &rig_err));
	buf_free(&info);
}

/* That of EUI-64 00DB1234567800nn. */
static inline void
rig_csr(const struct softsign *key, uint8_t nn, uint8_t arc, unsigned usage, struct buf *out)
{
	const uint8_t eui[EUI64_LEN] = { 0x00, 0xdb, 0x12, 0x34, 0x56, 0x78, 0x00, nn };

	rig_request(key, eui, arc, usage, out);
}

/* ---- rows without a request ---- */

struct rig_add {
	struct commit_job job; /* first */
	struct store_new_cert row;
	int64_t n; /* so many, with serials counted up and keys of their own */
	int64_t id;
};

static inline int
rig_add_apply(struct commit_job *job, struct store *store, struct err *err)
{
	struct rig_add *add = (struct rig_add *)job;
	struct store_actor actor = { .uid = 0 };
	struct store_new_cert row = add->row;
	int64_t event;
	bool taken;

	if (store_event_newest(store, &event, &actor.now, err) != 0)
		return -1;
	if (actor.now < clock_now())
		actor.now = clock_now();
	for (int64_t i = 0; i < add->n; i++) {
		for (int k = 0; i > 0 && k < 4; k++)
			row.serial.octets[4 + k] = row.key_hash[k] = (uint8_t)(i >> (24 - 8 * k));
		if (store_cert_add(store, &actor, &row, &add->id, &taken, err) != 0)
			return -1;
	}
	return 0;
}

/* Record certificates of a device profile whose bytes do not matter; the last one's number. */
static inline int64_t
rig_add(struct rig *r, const struct store_new_cert *row, int64_t n)
{
	struct rig_add add = {
		.job = { .lane = COMMIT_OTHER, .apply = rig_add_apply }, .row = *row, .n = n
	};

	RIG(committer_run(r->committer, &add.job, &rig_err));
	return add.id;
}

/* A row for a service holder, serial 4sss...; n rows may follow with other keys. */
static inline struct store_new_cert
rig_row(const struct rig *r, uint8_t s)
{
	static const uint8_t octets[] = { 0x30, 0x00 };
	struct store_new_cert row = {
		.ca = r->ca->id,
		.profile = "tls-server",
		.holder = { .kind = HOLDER_SERVICE, .name = "tls:rig", .name_len = 7 },
		.use = USE_SERVER,
		.not_before = r->now,
		.not_after = r->now + 86400,
		.der = { octets, sizeof(octets) },
	};

	row.serial.len = 8;
	memset(row.serial.octets, 0x41, 8);
	row.serial.octets[1] = s;
	row.key_hash[31] = s;
	return row;
}

/* A complete list of the CA. */
static inline int
rig_crl_make(const struct crlgen_conf *conf, const struct ca *ca, struct store *reader, long uid,
    struct store_crl *out, struct err *err)
{
	const struct crl_which which = { .ca = ca->id, .kind = CRL_COMPLETE };

	return crlgen_make(conf, ca, &which, reader, uid, out, err);
}

#endif
