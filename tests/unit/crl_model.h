/*
 * An authority and a model of it, for histories: what is issued, its state, and what each list said
 * to whoever holds it; and lists as libcrypto reads them.
 */
#ifndef CRL_MODEL_H
#define CRL_MODEL_H

#include <inttypes.h>
#include <openssl/ocsp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <sys/mman.h>

#include "issue_rig.h"
#include "smki/crl.h"
#include "smki/respond.h"

#define CERTS 1500   /* of one authority */
#define SERIALS 8000 /* drawn by one authority */
#define LISTS 32     /* earlier lists that somebody may hold */
#define ASKED 32     /* newest certificates that OCSP is asked for, and changes meet */
#define SHARDS 2
#define DER_MAX 1024
#define FILE_MAX (1024 * 1024)

static uint64_t seed = 1;

static inline unsigned
draw(unsigned n)
{
	seed = seed * 6364136223846793005UL + 1442695040888963407UL;
	return (unsigned)(seed >> 33) % n;
}

/* What a list says of a certificate. */
struct says {
	int reason; /* -1 = it is not on it */
	time_t changed, invalid_since;
};

struct model_cert {
	struct serial serial;
	int64_t id;
	enum cert_state state;
	enum crl_reason reason;
	time_t changed_at, invalid_since;
	int shard;    /* -1 = none */
	bool changed; /* since the base */
	bool shown;   /* on hold or revoked on the base or a list since */
	size_t der_len;
	uint8_t der[DER_MAX];
};

/* Shared with children that are killed: what they change is seen. No pointers. */
struct model {
	size_t n;
	struct model_cert cert[CERTS];
	_Atomic unsigned serials; /* drawn */
	size_t at[SERIALS];	  /* of a drawn serial: certificate + 1 */
	size_t n_lists;
	struct {
		int64_t number;
		struct says says[CERTS];
	} list[LISTS];
	int64_t base, newest, newest_shard[SHARDS];
	char uri[SHARDS][URI_MAX]; /* as its first certificate has it */
	unsigned devices, urls;
	bool deltas; /* the next complete list tells where deltas are */
	/* Of a child: what it was told before its end, and where that was. */
	bool answered, changes;
	size_t der_len;
	uint8_t der[DER_MAX];
	char died[24];
};

struct authority {
	struct rig *r;
	struct workers *workers;
	struct responder *responder;
	struct crlgen_conf conf;
	X509 *root, *issuing;
	X509_STORE *trust;
	X509_CRL *complete; /* the base */
	struct model *m;
};

static struct model *shared;

/* ---- serials, so that a list's entries find their certificates ---- */

static inline int
model_serial(uint8_t *out, size_t n)
{
	unsigned k = ++shared->serials;

	require(n == 8 && k < SERIALS);
	for (size_t i = 0; i < n; i++)
		out[i] = i < 4 ? 0x41 : (uint8_t)(k >> (8 * (7 - i)));
	return 0;
}

static inline struct model_cert *
model_by_serial(struct model *m, const uint8_t *octets, size_t len)
{
	unsigned k;

	require(len == 8);
	k = (unsigned)octets[4] << 24 | (unsigned)octets[5] << 16 | (unsigned)octets[6] << 8 |
	    octets[7];
	require(k < SERIALS);
	return m->at[k] == 0 ? NULL : &m->cert[m->at[k] - 1];
}

/* Where the list of this name is now told to be: http://pkiN.example/crl/NAME.crl. */
static inline const char *
model_uri(const struct model *m, const char *name, char out[URI_MAX])
{
	snprintf(out, URI_MAX, "http://pki%u.example/crl/%s.crl", m->urls, name);
	return out;
}

static inline int
model_listed(const struct model_cert *c)
{
	return c->state == CERT_VALID ? -1 : (int)c->reason;
}

/* ---- lists, read ---- */

/* An extension that is made anew of what was read in it is the same. */
static inline void
list_check_extension(X509_EXTENSION *ext)
{
	int nid = OBJ_obj2nid(X509_EXTENSION_get_object(ext)), was_len, is_len;
	void *value = X509V3_EXT_d2i(ext);
	uint8_t *was = NULL, *is = NULL;
	X509_EXTENSION *again;

	CHECK(value != NULL);
	if (value == NULL)
		return;
	again = X509V3_EXT_i2d(nid, X509_EXTENSION_get_critical(ext), value);
	was_len = i2d_X509_EXTENSION(ext, &was);
	is_len = i2d_X509_EXTENSION(again, &is);
	CHECK_MEM(was, (size_t)was_len, is, (size_t)is_len);
	OPENSSL_free(was);
	OPENSSL_free(is);
	X509_EXTENSION_free(again);
	ASN1_item_free(value, ASN1_ITEM_ptr(X509V3_EXT_get_nid(nid)->it));
}

/* I1: encoded again it is the same, inside and outside. */
static inline void
list_check_bytes(X509_CRL *crl, const struct buf *der)
{
	STACK_OF(X509_REVOKED) *entries = X509_CRL_get_REVOKED(crl);
	uint8_t *again = NULL;
	int len;

	for (int i = 0; i < X509_CRL_get_ext_count(crl); i++)
		list_check_extension(X509_CRL_get_ext(crl, i));
	for (int k = 0; k < sk_X509_REVOKED_num(entries); k++) {
		X509_REVOKED *entry = sk_X509_REVOKED_value(entries, k);

		for (int i = 0; i < X509_REVOKED_get_ext_count(entry); i++)
			list_check_extension(X509_REVOKED_get_ext(entry, i));
	}
	/* This one forgets the octets read. */
	len = i2d_re_X509_CRL_tbs(crl, &again);
	CHECK(len > 0);
	OPENSSL_free(again);
	again = NULL;
	len = i2d_X509_CRL(crl, &again);
	CHECK_MEM(again, (size_t)len, der->data, der->len);
	OPENSSL_free(again);
}

static inline X509_CRL *
list_load(struct authority *a, const struct crl_which *which, const struct store_crl *row)
{
	char stem[CRL_STEM_MAX], name[CRL_FILE_MAX], *path;
	time_t now = clock_now();
	struct buf der = { 0 };
	X509_CRL *crl, *copy;
	const uint8_t *p;

	crlgen_stem("issuing", which, stem);
	crlgen_file(stem, row->number, name);
	path = mem_fmt("%s/%s", a->r->crl, name);
	RIG(file_read(path, FILE_MAX, &der, &rig_err));
	free(path);
	p = der.data;
	crl = d2i_X509_CRL(NULL, &p, (long)der.len);
	require(crl != NULL && p == der.data + der.len);
	p = der.data;
	copy = d2i_X509_CRL(NULL, &p, (long)der.len);
	list_check_bytes(copy, &der);
	X509_CRL_free(copy);
	CHECK(X509_CRL_verify(crl, a->r->ca_key->key) == 1);
	/* I6 */
	CHECK(ASN1_TIME_cmp_time_t(X509_CRL_get0_lastUpdate(crl), row->this_update) == 0);
	CHECK(ASN1_TIME_cmp_time_t(X509_CRL_get0_nextUpdate(crl), row->next_update) == 0);
	CHECK(row->this_update <= now && row->next_update > now);
	CHECK(row->next_update == row->this_update + a->conf.validity);
	CHECK(row->size == (int64_t)der.len);
	buf_free(&der);
	return crl;
}

static inline int64_t
list_number(X509_CRL *crl, int nid, int want_critical)
{
	int critical = -1;
	ASN1_INTEGER *n = X509_CRL_get_ext_d2i(crl, nid, &critical, NULL);
	int64_t number = 0;

	if (n == NULL)
		return 0;
	CHECK(critical == want_critical && ASN1_INTEGER_get_int64(&number, n) == 1);
	ASN1_INTEGER_free(n);
	return number;
}

/* The URI of an extension that holds a list of distribution points, or one alone. */
static inline void
list_uri(void *ext, int critical, int nid, const char *want)
{
	DIST_POINT_NAME *name;
	ASN1_STRING *uri;

	CHECK((ext != NULL) == (want != NULL));
	if (ext == NULL || want == NULL)
		return;
	name = nid == NID_issuing_distribution_point
		   ? ((ISSUING_DIST_POINT *)ext)->distpoint
		   : sk_DIST_POINT_value((STACK_OF(DIST_POINT) *)ext, 0)->distpoint;
	uri = sk_GENERAL_NAME_value(name->name.fullname, 0)->d.ia5;
	CHECK(critical == (nid == NID_issuing_distribution_point));
	CHECK_MEM(ASN1_STRING_get0_data(uri), (size_t)ASN1_STRING_length(uri), want, strlen(want));
	if (nid == NID_issuing_distribution_point)
		ISSUING_DIST_POINT_free(ext);
	else
		CRL_DIST_POINTS_free(ext);
}

static inline void
list_uris(X509_CRL *crl, const char *freshest, const char *shard)
{
	int critical = 0;
	void *ext = X509_CRL_get_ext_d2i(crl, NID_freshest_crl, &critical, NULL);

	list_uri(ext, critical, NID_freshest_crl, freshest);
	ext = X509_CRL_get_ext_d2i(crl, NID_issuing_distribution_point, &critical, NULL);
	list_uri(ext, critical, NID_issuing_distribution_point, shard);
}

static inline time_t
list_time(const ASN1_TIME *at)
{
	struct tm tm;

	require(at != NULL && ASN1_TIME_to_tm(at, &tm) == 1);
	return timegm(&tm);
}

/* What it says of each certificate; entries of what was never issued are a failure. */
static inline int64_t
list_says(struct model *m, X509_CRL *crl, struct says *out)
{
	STACK_OF(X509_REVOKED) *entries = X509_CRL_get_REVOKED(crl);
	int n = sk_X509_REVOKED_num(entries);

	for (size_t i = 0; i < m->n; i++)
		out[i] = (struct says){ .reason = -1 };
	for (int k = 0; k < n; k++) {
		X509_REVOKED *entry = sk_X509_REVOKED_value(entries, k);
		const ASN1_INTEGER *serial = X509_REVOKED_get0_serialNumber(entry);
		struct model_cert *c = model_by_serial(
		    m, ASN1_STRING_get0_data(serial), (size_t)ASN1_STRING_length(serial));
		ASN1_ENUMERATED *reason = X509_REVOKED_get_ext_d2i(
		    entry, NID_crl_reason, NULL, NULL);
		ASN1_GENERALIZEDTIME *since = X509_REVOKED_get_ext_d2i(
		    entry, NID_invalidity_date, NULL, NULL);
		struct says *says;

		CHECK(c != NULL);
		if (c == NULL)
			continue;
		says = &out[c - m->cert];
		CHECK(says->reason == -1); /* once */
		says->reason = reason == NULL ? 0 : (int)ASN1_ENUMERATED_get(reason);
		says->changed = list_time(X509_REVOKED_get0_revocationDate(entry));
		says->invalid_since = since == NULL ? 0 : list_time(since);
		ASN1_ENUMERATED_free(reason);
		ASN1_GENERALIZEDTIME_free(since);
	}
	return n < 0 ? 0 : n;
}

/* Whether it says what is true of c. */
static inline int
says_true(const struct says *says, const struct model_cert *c)
{
	if (says->reason != model_listed(c))
		return 0;
	return says->reason == -1 ||
	       (says->changed == c->changed_at && says->invalid_since == c->invalid_since);
}

#endif
