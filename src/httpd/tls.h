/*
 * TLS of the front: the server's key and certificate, exchanged while connections are open, what a
 * session is made of, and what its peer showed. Verifies nobody: routes judge. The only room that
 * knows the TLS library; sessions are the HTTP library's and come here as void *.
 */
#ifndef SMKI_HTTPD_TLS_H
#define SMKI_HTTPD_TLS_H

#include "http.h"
#include "smki/caset.h"

/* Octets of one certificate of a peer, at most. */
#define TLS_CERT_MAX 8192

struct tls;	 /* any thread */
struct tls_cred; /* one key with one certificate chain */

/* A connection's part, from tls_begin to tls_end. */
struct tls_conn {
	struct tls_cred *cred;
	void (*shaken)(struct tls_conn *conn);
	size_t n; /* of the peer's certificates, leaf first */
	struct buf peer[HTTP_PEER_MAX];
	bool excess; /* it showed more or longer ones; then n is 0 */
};

/*
 * Read the key and the chain of [https] and make them the current ones. FAIL_DENIED when the key
 * file is not this user's own or is open to others; FAIL_INVALID when one of the files is not PEM
 * or they do not belong together.
 */
int tls_new(const struct home *home, struct tls **out, struct err *err) MUST_USE;
/* After the last session ended. NULL is fine. */
void tls_free(struct tls *tls);

/*
 * Look at the files and at the database again: the newest certificate there for the key, else the
 * chain of the file. When that is another key or chain than before, new sessions get it: *changed.
 * -1 leaves all as it was. One thread.
 */
int tls_look(struct tls *tls, struct store *store, const struct caset *cas, time_t now,
    bool *changed, struct err *err) MUST_USE;
/* When the certificate in use ends. */
time_t tls_not_after(struct tls *tls);

/* Versions, ciphers, groups and signatures, in the library's words. */
const char *tls_priorities(bool tls12);
/* A retrieval callback for the HTTP library, which insists on one: it never finds a certificate,
 * as sessions get theirs from tls_begin. */
typedef void tls_callback(void);
tls_callback *tls_no_certificate(void);

/*
 * A session that has not spoken yet: give it the current certificate, have it ask for the peer's,
 * and call shaken when the handshake is done. conn stays where it is until tls_end. -1: the
 * session cannot be used.
 */
int tls_begin(struct tls *tls, void *session, struct tls_conn *conn,
    void (*shaken)(struct tls_conn *conn)) MUST_USE;
/* After the handshake, once: copy what the peer showed. */
void tls_peer(void *session, struct tls_conn *conn);
void tls_end(struct tls *tls, struct tls_conn *conn);

#endif
