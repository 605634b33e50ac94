/*
 * GnuTLS behind a small door. Credentials are counted by the sessions that use them; the ones that
 * were exchanged are freed by a later look, when the last session with them is gone for sure.
 */
#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "smki/clock.h"
#include "smki/file.h"
#include "smki/mem.h"
#include "smki/tlscert.h"
#include "tls.h"

/* Octets of each PEM file, at most. */
/* Octets of a peer's RSA modulus and exponent, at most: RSA-8192, and what libcrypto takes. */
#define TLS_RSA_MAX 1024
#define TLS_RSA_EXPONENT_MAX 8

#define TLS_GROUPS "+GROUP-SECP256R1:+GROUP-X25519:+GROUP-SECP384R1"
/* The SHA1 ones are for nobody: a peer's certificate is judged by what the routes know. */
#define TLS_SIGNATURES                                                                             \
	"+SIGN-ECDSA-SECP256R1-SHA256:+SIGN-ECDSA-SECP384R1-SHA384:+SIGN-ECDSA-SHA256:"            \
	"+SIGN-ECDSA-SHA384:+SIGN-RSA-PSS-RSAE-SHA256:+SIGN-RSA-PSS-RSAE-SHA384:"                  \
	"+SIGN-RSA-SHA256:+SIGN-RSA-SHA384"
/* AEAD with forward secrecy in both versions (RFC 9325 4.2); no ticket, so no session outlives
 * its connection and each request's peer has proven its key. The peer's order counts: a group of
 * ours would cost most a second hello, which not every client survives. */
#define TLS_COMMON                                                                                 \
	"+AES-128-GCM:+AES-256-GCM:+CHACHA20-POLY1305:+AEAD:" TLS_GROUPS ":" TLS_SIGNATURES        \
	":+CTYPE-X509:+COMP-NULL:%NO_TICKETS"

struct tls_cred {
	struct tls_cred *next; /* of those exchanged */
	unsigned sessions;
	bool unused; /* seen so by a look */
	gnutls_certificate_credentials_t list;
	uint8_t key_hash[SHA256_LEN];
	bool has_hash; /* the key is of a curve that the database knows */
	time_t not_after;
	struct buf key, chain; /* PEM as loaded; key is secret */
};

struct tls {
	const struct home *home;
	pthread_mutex_t lock; /* of the two lists and of each sessions */
	struct tls_cred *current, *old;
};

static void
tls_cred_free(struct tls_cred *cred)
{
	if (cred == NULL)
		return;
	if (cred->list != NULL)
		gnutls_certificate_free_credentials(cred->list);
	buf_wipe(&cred->key);
	buf_free(&cred->chain);
	free(cred);
}

static int
tls_err(struct err *err, int rc, const char *what)
{
	return err_set(err, rc == GNUTLS_E_MEMORY_ERROR ? FAIL_UNAVAILABLE : FAIL_INVALID,
	    "tls: %s: %s", what, gnutls_strerror(rc));
}

/* A coordinate with or without leading zeros to its full length. */
static int
tls_coordinate(const gnutls_datum_t *in, size_t len, uint8_t *out)
{
	const unsigned char *p = in->data;
	size_t n = in->size;

	for (; n > len && *p == 0; p++)
		n--;
	if (n > len)
		return -1;
	memset(out, 0, len);
	memcpy(out + (len - n), p, n);
	return 0;
}

/* The hash that the database knows the key by; none for other keys than those it may hold. */
static void
tls_key_hash(struct tls_cred *cred, gnutls_x509_crt_t cert)
{
	gnutls_datum_t x = { 0 }, y = { 0 };
	gnutls_pubkey_t pub = NULL;
	gnutls_ecc_curve_t curve;
	uint8_t point[1 + 2 * 48] = { 4 };
	struct ec_pub ec;
	enum ec_curve which;
	size_t len;

	if (gnutls_pubkey_init(&pub) != 0)
		return;
	if (gnutls_pubkey_import_x509(pub, cert, 0) != 0 ||
	    gnutls_pubkey_export_ecc_raw(pub, &curve, &x, &y) != 0 ||
	    (curve != GNUTLS_ECC_CURVE_SECP256R1 && curve != GNUTLS_ECC_CURVE_SECP384R1))
		goto out;
	which = curve == GNUTLS_ECC_CURVE_SECP256R1 ? EC_P256 : EC_P384;
	len = ec_field_len(which);
	if (tls_coordinate(&x, len, point + 1) != 0 ||
	    tls_coordinate(&y, len, point + 1 + len) != 0 ||
	    ec_pub_from_point(which, point, 1 + 2 * len, &ec, NULL) != 0)
		goto out;
	ec_pub_hash(&ec, cred->key_hash);
	cred->has_hash = true;
out:
	gnutls_free(x.data);
	gnutls_free(y.data);
	gnutls_pubkey_deinit(pub);
}

/* Take key and chain of these texts; the library checks that they belong together. */
static int
tls_cred_new(const struct buf *key, const struct buf *chain, struct tls_cred **out, struct err *err)
{
	struct tls_cred *cred = mem_alloc(sizeof(*cred));
	gnutls_x509_crt_t *certs = NULL;
	gnutls_datum_t chain_pem, key_pem;
	unsigned n = 0;
	int rc;

	buf_add(&cred->key, key->data, key->len);
	buf_add(&cred->chain, chain->data, chain->len);
	key_pem = (gnutls_datum_t){ cred->key.data, (unsigned)cred->key.len };
	chain_pem = (gnutls_datum_t){ cred->chain.data, (unsigned)cred->chain.len };
	rc = gnutls_x509_crt_list_import2(
	    &certs, &n, &chain_pem, GNUTLS_X509_FMT_PEM, GNUTLS_X509_CRT_LIST_FAIL_IF_UNSORTED);
	if (rc != 0 || n == 0) {
		tls_err(err, rc, "certificate chain");
		goto failed;
	}
	cred->not_after = gnutls_x509_crt_get_expiration_time(certs[0]);
	tls_key_hash(cred, certs[0]);
	rc = gnutls_certificate_allocate_credentials(&cred->list);
	if (rc == 0)
		rc = gnutls_certificate_set_x509_key_mem2(
		    cred->list, &chain_pem, &key_pem, GNUTLS_X509_FMT_PEM, NULL, 0);
	if (rc < 0) {
		tls_err(err, rc, "key and certificate");
		goto failed;
	}
	rc = 0;
	*out = cred;
	cred = NULL;
failed:
	for (unsigned i = 0; i < n && certs != NULL; i++)
		gnutls_x509_crt_deinit(certs[i]);
	gnutls_free(certs);
	tls_cred_free(cred);
	return rc == 0 ? 0 : -1;
}

/* A key that others can read, or could have put there, is no key of ours. */
static int
tls_read_key(const char *path, struct buf *out, struct err *err)
{
	struct stat st;

	if (file_read_secret(path, TLS_FILE_MAX, out, err) != 0)
		return err_prefix(err, "tls");
	if (stat(path, &st) != 0)
		return err_sys(err, FAIL_UNAVAILABLE, "tls: %s", path);
	if (st.st_uid != geteuid() || (st.st_mode & (S_IRWXG | S_IRWXO)) != 0)
		return err_set(err, FAIL_DENIED,
		    "tls: %s: owner %ld, mode %04o; it must be of %ld, mode 0400", path,
		    (long)st.st_uid, (unsigned)(st.st_mode & 07777), (long)geteuid());
	return 0;
}

static int
tls_read_files(const struct home *home, struct buf *key, struct buf *chain, struct err *err)
{
	if (tls_read_key(home->https.key, key, err) != 0)
		return -1;
	if (file_read(home->https.chain, TLS_FILE_MAX, chain, err) != 0)
		return err_prefix(err, "tls");
	return 0;
}

int
tls_new(const struct home *home, struct tls **out, struct err *err)
{
	struct tls *tls = mem_alloc(sizeof(*tls));
	struct buf key = { 0 }, chain = { 0 };
	int r = -1;

	tls->home = home;
	pthread_mutex_init(&tls->lock, NULL);
	if (tls_read_files(home, &key, &chain, err) == 0 &&
	    tls_cred_new(&key, &chain, &tls->current, err) == 0) {
		*out = tls;
		tls = NULL;
		r = 0;
	}
	tls_free(tls);
	buf_wipe(&key);
	buf_free(&chain);
	return r;
}

void
tls_free(struct tls *tls)
{
	struct tls_cred *cred;

	if (tls == NULL)
		return;
	while ((cred = tls->old) != NULL) {
		tls->old = cred->next;
		tls_cred_free(cred);
	}
	tls_cred_free(tls->current);
	pthread_mutex_destroy(&tls->lock);
	free(tls);
}

/* Free what no session had at the last look and none has now: the HTTP library still held the
 * session for a moment when it told of its end. */
static void
tls_sweep(struct tls *tls)
{
	struct tls_cred **place, *cred, *gone = NULL;

	pthread_mutex_lock(&tls->lock);
	for (place = &tls->old; (cred = *place) != NULL;) {
		if (cred->sessions == 0 && cred->unused) {
			*place = cred->next;
			cred->next = gone;
			gone = cred;
			continue;
		}
		cred->unused = cred->sessions == 0;
		place = &cred->next;
	}
	pthread_mutex_unlock(&tls->lock);
	while ((cred = gone) != NULL) {
		gone = cred->next;
		tls_cred_free(cred);
	}
}

static void
tls_exchange(struct tls *tls, struct tls_cred *cred)
{
	pthread_mutex_lock(&tls->lock);
	tls->current->next = tls->old;
	tls->old = tls->current;
	tls->current = cred;
	pthread_mutex_unlock(&tls->lock);
}

/* The file's chain gives way to the newest certificate in the database for the same key. */
static int
tls_newest(struct store *store, const struct caset *cas, time_t now, struct tls_cred **cred,
    struct err *err)
{
	struct buf chain = { 0 };
	struct tls_cred *newer = NULL;
	int r = 0;

	if (!(*cred)->has_hash)
		return 0;
	if (tls_chain_newest(store, (*cred)->key_hash, cas, now, &chain, err) != 0)
		r = err->code == FAIL_NOT_FOUND ? 0 : -1;
	else if (span_eq(buf_span(&chain), buf_span(&(*cred)->chain)))
		;
	else if (tls_cred_new(&(*cred)->key, &chain, &newer, err) != 0)
		r = -1;
	if (newer != NULL) {
		tls_cred_free(*cred);
		*cred = newer;
	}
	buf_free(&chain);
	return r;
}

int
tls_look(struct tls *tls, struct store *store, const struct caset *cas, time_t now, bool *changed,
    struct err *err)
{
	struct buf key = { 0 }, chain = { 0 };
	struct tls_cred *cred = NULL;
	int r = -1;

	tls_sweep(tls);
	/* current is exchanged by this thread alone. */
	if (tls_read_files(tls->home, &key, &chain, err) != 0 ||
	    tls_cred_new(&key, &chain, &cred, err) != 0 ||
	    tls_newest(store, cas, now, &cred, err) != 0)
		goto out;
	*changed = !span_eq(buf_span(&cred->key), buf_span(&tls->current->key)) ||
		   !span_eq(buf_span(&cred->chain), buf_span(&tls->current->chain));
	if (*changed) {
		tls_exchange(tls, cred);
		cred = NULL;
	}
	r = 0;
out:
	tls_cred_free(cred);
	buf_wipe(&key);
	buf_free(&chain);
	return r;
}

time_t
tls_not_after(struct tls *tls)
{
	time_t t;

	pthread_mutex_lock(&tls->lock);
	t = tls->current->not_after;
	pthread_mutex_unlock(&tls->lock);
	return t;
}

const char *
tls_priorities(bool tls12)
{
	return tls12 ? "NONE:+VERS-TLS1.3:+VERS-TLS1.2:+ECDHE-ECDSA:+ECDHE-RSA:" TLS_COMMON
		     : "NONE:+VERS-TLS1.3:" TLS_COMMON;
}

static int
tls_retrieve_none(gnutls_session_t session, const struct gnutls_cert_retr_st *info,
    gnutls_pcert_st **certs, unsigned *n, gnutls_ocsp_data_st **ocsp, unsigned *n_ocsp,
    gnutls_privkey_t *key, unsigned *flags)
{
	return -1;
}

tls_callback *
tls_no_certificate(void)
{
	return (tls_callback *)tls_retrieve_none;
}

/* The peer's own certificate is looked at by whoever it is shown to: its work is bounded here. */
static int
tls_check_pub(gnutls_pubkey_t pub)
{
	gnutls_datum_t modulus = { 0 }, exponent = { 0 };
	int rc = gnutls_pubkey_get_pk_algorithm(pub, NULL);

	if (rc != GNUTLS_PK_RSA && rc != GNUTLS_PK_RSA_PSS)
		return rc < 0 ? rc : 0;
	rc = gnutls_pubkey_export_rsa_raw2(pub, &modulus, &exponent, GNUTLS_EXPORT_FLAG_NO_LZ);
	if (rc == 0 && (modulus.size > TLS_RSA_MAX || exponent.size > TLS_RSA_EXPONENT_MAX))
		rc = GNUTLS_E_CONSTRAINT_ERROR;
	gnutls_free(modulus.data);
	gnutls_free(exponent.data);
	return rc;
}

/*
 * Before the peer's proof of its key is verified: with an RSA key of its own making that can be
 * made to take minutes, and the library has no bound.
 */
static int
tls_check_key(gnutls_session_t session)
{
	gnutls_x509_crt_t cert = NULL;
	gnutls_pubkey_t pub = NULL;
	const gnutls_datum_t *certs;
	unsigned n = 0;
	int rc;

	certs = gnutls_certificate_get_peers(session, &n);
	if (certs == NULL || n == 0)
		return GNUTLS_E_NO_CERTIFICATE_FOUND;
	rc = gnutls_x509_crt_init(&cert);
	if (rc == 0)
		rc = gnutls_x509_crt_import(cert, &certs[0], GNUTLS_X509_FMT_DER);
	if (rc == 0)
		rc = gnutls_pubkey_init(&pub);
	if (rc == 0)
		rc = gnutls_pubkey_import_x509(pub, cert, 0);
	if (rc == 0)
		rc = tls_check_pub(pub);
	gnutls_pubkey_deinit(pub);
	gnutls_x509_crt_deinit(cert);
	return rc;
}

/* RFC 8446 4.4.4, RFC 5246 7.4.9: the peer's Finished is the last message of a handshake. */
static int
tls_hook(gnutls_session_t session, unsigned type, unsigned when, unsigned incoming,
    const gnutls_datum_t *msg)
{
	struct tls_conn *conn = gnutls_session_get_ptr(session);

	if (incoming == 0)
		return 0;
	if (type == GNUTLS_HANDSHAKE_CERTIFICATE_VERIFY)
		return tls_check_key(session);
	if (type == GNUTLS_HANDSHAKE_FINISHED)
		conn->shaken(conn);
	return 0;
}

int
tls_begin(
    struct tls *tls, void *session, struct tls_conn *conn, void (*shaken)(struct tls_conn *conn))
{
	*conn = (struct tls_conn){ .shaken = shaken };
	pthread_mutex_lock(&tls->lock);
	conn->cred = tls->current;
	conn->cred->sessions++;
	pthread_mutex_unlock(&tls->lock);
	if (gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, conn->cred->list) != 0)
		return -1;
	gnutls_session_set_ptr(session, conn);
	/* Asked for, not demanded: a device with a one-time secret has no certificate yet. */
	gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUEST);
	gnutls_handshake_set_hook_function(
	    session, GNUTLS_HANDSHAKE_ANY, GNUTLS_HOOK_POST, tls_hook);
	return 0;
}

void
tls_peer(void *session, struct tls_conn *conn)
{
	const gnutls_datum_t *certs;
	unsigned n = 0;

	certs = gnutls_certificate_get_peers(session, &n);
	if (certs == NULL)
		return;
	conn->excess = n > HTTP_PEER_MAX;
	for (unsigned i = 0; i < n; i++)
		conn->excess |= certs[i].size > TLS_CERT_MAX;
	if (conn->excess)
		return;
	for (; conn->n < n; conn->n++)
		buf_add(&conn->peer[conn->n], certs[conn->n].data, certs[conn->n].size);
}

void
tls_end(struct tls *tls, struct tls_conn *conn)
{
	for (size_t i = 0; i < conn->n; i++)
		buf_free(&conn->peer[i]);
	pthread_mutex_lock(&tls->lock);
	conn->cred->sessions--;
	pthread_mutex_unlock(&tls->lock);
	conn->cred = NULL;
}
