/*
 * A small PKI in a real database, for tests of what answers from it: root, the CAs issuing and
 * second under it, OCSP responders for both, a few certificates in each state. Certificates and
 * requests are made by libcrypto, so the product is not judged by itself.
 */
#ifndef OCSP_WORLD_H
#define OCSP_WORLD_H

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <unistd.h>

#include "smki/clock.h"
#include "smki/eckey.h"
#include "smki/file.h"
#include "smki/respond.h"
#include "softsign.h"
#include "test.h"

/* Serials of the issuing CA's certificates. */
#define SERIAL_GOOD 0x1111111111111111ull
#define SERIAL_HOLD 0x2222222222222222ull
#define SERIAL_REVOKED 0x3333333333333333ull
#define SERIAL_UNSPECIFIED 0x4444444444444444ull
#define SERIAL_NEVER 0x5555555555555555ull
/* One of the CA second. */
#define SERIAL_SECOND 0x6666666666666666ull

#define WORLD_DAY 86400

struct world {
	char dir[64], db[96];
	struct store *write, *read;
	struct softsign *root_key, *issuing_key, *second_key, *foreign_key, *ocsp_key;
	X509 *root, *issuing, *second, *foreign;
	int64_t root_id, issuing_id, second_id;
	int64_t responder; /* certificate id of issuing's first */
	int64_t held;	   /* certificate id of SERIAL_HOLD */
	uint64_t serial;   /* of the next service certificate */
	uint8_t keys;	   /* key hashes made up so far */
	struct home home;
	struct timeguard *guard;
	pthread_mutex_t lock; /* of the signing key: softsign counts */
	bool denied;	      /* the signer refuses with FAIL_DENIED, as with a latched PIN */
};

#define WORLD_MUST(call)                                                                           \
	do {                                                                                       \
		struct err why_ = { 0 };                                                           \
		struct err *why = &why_;                                                           \
		if ((call) != 0) {                                                                 \
			fprintf(stderr, "  %s: %s\n", #call, why_.msg);                            \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

static inline int
world_sign(void *ctx, const uint8_t *digest, size_t len, uint8_t *rs, struct err *err)
{
	struct world *w = ctx;
	int rc;

	if (w->denied)
		return err_set(err, FAIL_DENIED, "token: PIN was refused");
	pthread_mutex_lock(&w->lock);
	rc = softsign_sign(w->ocsp_key, digest, len, rs, err);
	pthread_mutex_unlock(&w->lock);
	return rc;
}

static inline struct respond_conf
world_conf(struct world *w)
{
	return (struct respond_conf){ .home = &w->home,
		.guard = w->guard,
		.signer = { .pub = w->ocsp_key->signer.pub, .sign = world_sign, .ctx = w } };
}

static inline void
world_extension(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *ext;

	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	require(ext != NULL && X509_add_ext(x, ext, -1) == 1);
	X509_EXTENSION_free(ext);
}

static inline void
world_serial(uint64_t value, struct serial *out)
{
	out->len = 8;
	for (int i = 0; i < 8; i++)
		out->octets[i] = (uint8_t)(value >> (56 - 8 * i));
}

/* A certificate from..to seconds after now; issuer NULL = self-signed. */
static inline X509 *
world_cert(const char *name, bool ca, const struct softsign *key, X509 *issuer,
    const struct softsign *issuer_key, uint64_t serial, long from, long to)
{
	X509 *x = X509_new();
	X509_NAME *subject = X509_NAME_new();
	ASN1_INTEGER *number = ASN1_INTEGER_new();
	time_t now = clock_now();

	X509_NAME_add_entry_by_txt(
	    subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
	require(X509_set_version(x, 2) == 1 && ASN1_INTEGER_set_uint64(number, serial) == 1);
	require(X509_set_serialNumber(x, number) == 1 && X509_set_subject_name(x, subject) == 1);
	require(
	    X509_set_issuer_name(x, issuer == NULL ? subject : X509_get_subject_name(issuer)) == 1);
	require(ASN1_TIME_adj(X509_getm_notBefore(x), now, 0, from) != NULL);
	require(ASN1_TIME_adj(X509_getm_notAfter(x), now, 0, to) != NULL);
	require(X509_set_pubkey(x, key->key) == 1);
	world_extension(x, issuer, NID_subject_key_identifier, "hash");
	if (issuer != NULL)
		world_extension(x, issuer, NID_authority_key_identifier, "keyid");
	if (ca) {
		world_extension(x, issuer, NID_basic_constraints, "critical,CA:TRUE");
		world_extension(x, issuer, NID_key_usage, "critical,keyCertSign,cRLSign");
	} else {
		world_extension(x, issuer, NID_key_usage, "critical,digitalSignature");
		world_extension(x, issuer, NID_ext_key_usage, "OCSPSigning");
		world_extension(x, issuer, NID_id_pkix_OCSP_noCheck, "NULL");
	}
	require(X509_sign(x, issuer_key->key, EVP_sha256()) > 0);
	ASN1_INTEGER_free(number);
	X509_NAME_free(subject);
	return x;
}

static inline struct store_actor
world_actor(void)
{
	return (struct store_actor){ .uid = 0, .now = clock_now() };
}

/* Record a certificate in a transaction of its own. x NULL: a device's, its bytes made up. */
static inline int64_t
world_add(struct world *w, int64_t ca, const char *label, enum key_use use, uint64_t serial,
    X509 *x, bool hold)
{
	static const uint8_t made_up[5] = { 0x30, 3, 2, 1, 7 };
	struct store_actor actor = world_actor();
	struct store_new_cert cert = { .ca = ca, .use = use, .on_hold = hold };
	unsigned char *der = NULL;
	bool taken, fatal;
	int64_t id = 0;
	int len;

	world_serial(serial, &cert.serial);
	cert.profile = x == NULL ? "device-signature" : use == USE_CA ? "issuing-ca" : "ocsp";
	cert.key_hash[0] = ++w->keys;
	cert.not_before = actor.now;
	cert.not_after = actor.now + WORLD_DAY;
	if (x == NULL) {
		cert.holder.kind = HOLDER_DEVICE;
		cert.holder.name_len = EUI64_LEN;
		cert.holder.name[7] = w->keys;
		strcpy(cert.holder.hw_type, "1.2.3");
		cert.der = (struct span){ made_up, sizeof(made_up) };
	} else {
		cert.holder.kind = HOLDER_SERVICE;
		cert.holder.name_len = strlen(label);
		memcpy(cert.holder.name, label, cert.holder.name_len);
		len = i2d_X509(x, &der);
		require(len > 0);
		cert.der = (struct span){ der, (size_t)len };
	}
	WORLD_MUST(store_begin(w->write, why));
	WORLD_MUST(store_cert_add(w->write, &actor, &cert, &id, &taken, why));
	WORLD_MUST(store_commit(w->write, &fatal, why));
	OPENSSL_free(der);
	return id;
}

static inline void
world_change(struct world *w, int64_t id, enum cert_state to, enum crl_reason reason)
{
	struct store_actor actor = world_actor();
	struct store_change change = { .to = to, .reason = reason };
	bool fatal;

	WORLD_MUST(store_begin(w->write, why));
	WORLD_MUST(store_cert_change(w->write, &actor, id, &change, why));
	WORLD_MUST(store_commit(w->write, &fatal, why));
}

static inline int64_t
world_ca(struct world *w, const char *name, int64_t parent, X509 *x)
{
	struct store_actor actor = world_actor();
	char label[64];
	int64_t ca = 0, id;
	bool fatal;

	WORLD_MUST(store_begin(w->write, why));
	WORLD_MUST(store_ca_add(w->write, &actor, name, parent, &ca, why));
	WORLD_MUST(store_commit(w->write, &fatal, why));
	snprintf(label, sizeof(label), "ca:%s", name);
	id = world_add(w, parent == 0 ? ca : parent, label, USE_CA, ++w->serial, x, false);
	WORLD_MUST(store_begin(w->write, why));
	WORLD_MUST(store_ca_set_certificate(w->write, ca, id, why));
	WORLD_MUST(store_commit(w->write, &fatal, why));
	return ca;
}

/* A new responder certificate for key, put to use. Returns its id. */
static inline int64_t
world_responder(struct world *w, int64_t ca, const struct softsign *key, long from, long to)
{
	bool issuing = ca == w->issuing_id, fatal;
	struct store_actor actor;
	X509 *x = world_cert("ocsp", false, key, issuing ? w->issuing : w->second,
	    issuing ? w->issuing_key : w->second_key, ++w->serial, from, to);
	int64_t id = world_add(
	    w, ca, issuing ? "ocsp:issuing" : "ocsp:second", USE_OCSP, w->serial, x, false);

	/* The clock may have ticked: not before the certificate's own event. */
	actor = world_actor();
	WORLD_MUST(store_begin(w->write, why));
	WORLD_MUST(store_responder_set(w->write, &actor, ca, id, why));
	WORLD_MUST(store_commit(w->write, &fatal, why));
	X509_free(x);
	return id;
}

static inline void
world_keys(struct world *w)
{
	w->root_key = softsign_new(EC_P256);
	w->issuing_key = softsign_new(EC_P256);
	w->second_key = softsign_new(EC_P256);
	w->foreign_key = softsign_new(EC_P256);
	w->ocsp_key = softsign_new(EC_P256);
	w->root = world_cert(
	    "root", true, w->root_key, NULL, w->root_key, 1, -WORLD_DAY, 400 * WORLD_DAY);
	w->issuing = world_cert(
	    "issuing", true, w->issuing_key, w->root, w->root_key, 2, -WORLD_DAY, 300 * WORLD_DAY);
	w->second = world_cert(
	    "second", true, w->second_key, w->root, w->root_key, 3, -WORLD_DAY, 300 * WORLD_DAY);
	w->foreign = world_cert(
	    "foreign", true, w->foreign_key, NULL, w->foreign_key, 4, -WORLD_DAY, 300 * WORLD_DAY);
}

/* The whole, with responders valid for 14 days. */
static inline struct world *
world_new(void)
{
	struct world *w = mem_alloc(sizeof(*w));

	strcpy(w->dir, "/tmp/smki-ocsp-XXXXXX");
	require(mkdtemp(w->dir) != NULL);
	snprintf(w->db, sizeof(w->db), "%s/" HOME_DB_DIR, w->dir);
	WORLD_MUST(file_make_dir(w->db, 0700, why));
	snprintf(w->db, sizeof(w->db), "%s/" HOME_DB, w->dir);
	pthread_mutex_init(&w->lock, NULL);
	world_keys(w);
	strcpy(w->home.dir, w->dir);
	w->home.ocsp_validity = 3600;
	w->serial = 0x0100000000000000ull;
	WORLD_MUST(store_open(w->db, STORE_CREATE, &w->write, why));
	WORLD_MUST(store_open(w->db, STORE_READ, &w->read, why));
	w->root_id = world_ca(w, "root", 0, w->root);
	w->issuing_id = world_ca(w, "issuing", w->root_id, w->issuing);
	w->second_id = world_ca(w, "second", w->root_id, w->second);
	w->responder = world_responder(w, w->issuing_id, w->ocsp_key, -3600, 14 * WORLD_DAY);
	world_responder(w, w->second_id, w->ocsp_key, -3600, 14 * WORLD_DAY);
	world_add(w, w->issuing_id, NULL, USE_SIGNATURE, SERIAL_GOOD, NULL, false);
	w->held = world_add(w, w->issuing_id, NULL, USE_SIGNATURE, SERIAL_HOLD, NULL, true);
	world_change(w,
	    world_add(w, w->issuing_id, NULL, USE_SIGNATURE, SERIAL_REVOKED, NULL, false),
	    CERT_REVOKED, REASON_KEY_COMPROMISE);
	world_change(w,
	    world_add(w, w->issuing_id, NULL, USE_SIGNATURE, SERIAL_UNSPECIFIED, NULL, false),
	    CERT_REVOKED, REASON_UNSPECIFIED);
	world_add(w, w->second_id, NULL, USE_SIGNATURE, SERIAL_SECOND, NULL, false);
	w->guard = timeguard_new(clock_now());
	return w;
}

static inline void
world_free(struct world *w)
{
	store_close(w->read);
	store_close(w->write);
	timeguard_free(w->guard);
	WORLD_MUST(file_remove_tree(w->dir, why));
	X509_free(w->root);
	X509_free(w->issuing);
	X509_free(w->second);
	X509_free(w->foreign);
	softsign_free(w->root_key);
	softsign_free(w->issuing_key);
	softsign_free(w->second_key);
	softsign_free(w->foreign_key);
	softsign_free(w->ocsp_key);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

/* Add the CertID of a serial under ca to a request. */
static inline void
world_ask(OCSP_REQUEST *request, const EVP_MD *md, X509 *ca, uint64_t serial)
{
	ASN1_INTEGER *number = ASN1_INTEGER_new();
	OCSP_CERTID *id;

	require(ASN1_INTEGER_set_uint64(number, serial) == 1);
	id = OCSP_cert_id_new(md, X509_get_subject_name(ca), X509_get0_pubkey_bitstr(ca), number);
	require(id != NULL && OCSP_request_add0_id(request, id) != NULL);
	ASN1_INTEGER_free(number);
}

/* The request's DER; frees the request. */
static inline void
world_encode(OCSP_REQUEST *request, struct buf *out)
{
	unsigned char *der = NULL;
	int len = i2d_OCSP_REQUEST(request, &der);

	require(len > 0);
	buf_reset(out);
	buf_add(out, der, (size_t)len);
	OPENSSL_free(der);
	OCSP_REQUEST_free(request);
}

#endif
