/*
 * The listener's key and certificate: which files are taken, when they are exchanged, and what
 * becomes of those in use. Handshakes are made by two sessions in one thread.
 */
#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "smki/clock.h"
#include "smki/file.h"
#include "smki/mem.h"
#include "test.h"
#include "tls.h"

static struct home home = { .dir = "/tmp/smki-tls-XXXXXX" };
static struct store *store;
static const struct caset *cas;

/* ---- keys and certificates ---- */

struct pair {
	gnutls_datum_t key, cert; /* PEM */
};

/* RSA keys of one modulus, of the exponents 65537 and one of 2048 bits. */
static const char rsa_plain[] = "-----BEGIN RSA PRIVATE KEY-----\n"
				"MIIEowIBAAKCAQEAybNMAe36SYYvrma3QEch9vwow1Uj8rjXAg77BOzSFlK/cOiy\n"
				"Nld0XtW2D85v3LERGpwPG3woyT9C6YjMAHeECgzLNe/uzQiYUsLw+ym2asDE3LQ2\n"
				"awrmgk5Qa8+n8oCmF/AdLqIVaBfHHPAcQHCsIn/YBYP6TKvXENKpgpU97197lz9b\n"
				"TILH/j3O6jwynLDT5Kf3445oR+3/eRBRBIzyXh+f5U72MfSljgMbkcRRl1xPtCTQ\n"
				"23uE0XeaE/2JqnNbCNK7/UlxRcTKevSpgLhZs9PMGRUC6jN6oTOnaJuahHflmylP\n"
				"QVd3R9QoMCMwYyhQ99jzbeM7BhZJ+QSk2WHRAQIDAQABAoIBADe/qOh3oFAmGJO5\n"
				"rDjF8GtVsuaaZ780u6jD/zmTQ1YMNQG+L1O5xF5Z72JbCqwS/MlADSTpolRNee8W\n"
				"clxGrGYityAHWxeson1tiDHDi7nh4gemf8wCTUgC4VOLJ75tNHs1ULuM7SHCQLSM\n"
				"4SImgk1ezJRpsAr1DBKIR3XiTiYU3nSvxO8YIGvOg1vQ47oCZLoV8vcU0uD/YNKe\n"
				"mNx/yuwFhcug4/dFx6LwwuN43gPtDDMpO0+lE2Ue0I8/TEXxm5J6qBmGiEtBg9Pr\n"
				"fhqeIepayAssy5DHlh6zU8wfTGZHyjzhcQdOFRq5k6MAatIBXLbDouaN6clT5Osk\n"
				"dQsVS4kCgYEA5DYzTFy58nTRzxB49n7VzC5VWAkUty++MLCwKQEkMCkcurTTFWXJ\n"
				"99/Og29RAG/ARmTiEFAbhbro1PxwDdhBSwkbHHSCX/4nMtYYBlIVKEgKZ4eNMUdU\n"
				"3lxNQZnlhHwxxjfvkZIaCKNaqt3EnUIEeUDHSs2tCWyoGf+AwnMjtHcCgYEA4kKv\n"
				"1WeAe0IJ2Gpr7ev3JNGeG0YkMH1CopNbnOdVGBR/8bHYVw7Ku5Ov1X7ahXZ7uinY\n"
				"aTEeNUUqF8u38fP5dCRf0pQ+k4ejteyb8AGM/0Vy7FsxSba5UMvgDydHltDJRFIv\n"
				"n4sEKSBaMdEN6F88kJG5s4/VolxhsMs5qB9gXEcCgYBWSPPuXGTl+itV2gmSUXRu\n"
				"pdoY1h4iAQgtCrEgX9EZ8IFvSm1A+uJ5OQKxCUacHqSZOQ2MU22Ei5364ZNQeMJ/\n"
				"J2s7wAWHW+XgP7iHs0NSnqJocIT+69R32nhPZGu2Quri4kVPSelT+MeQMRdkyhA8\n"
				"9DQl4Uwacx2/7q31V2lZkwKBgBjQ36A0Xe8m6xWFdpj9zHmJVCIBq252DpzuNJoc\n"
				"9URS20WTD/tcb/fq1to/s4/30tI0TLwc2wdUsq0xdtdevvlyE+Bwyfw8YERP0zqb\n"
				"sO8+msA5sEo5dFHcSpLe6AculySbLwX8pVQtbDcSisf1yhrBIPEE0ZWhNEXDxGsg\n"
				"Jd15AoGBAJjMDY+JBF5VEkuO9v/dLyCzGmTqwe6NMpjxTo41crYOIGasB79zDWJ5\n"
				"XylDAJ0WqaO3hNWgAQQN8c1XRnjfyGbnQQnywNQ1d4c4gMLgNGfaEWf8QTX9Cy7T\n"
				"T36bSuij6pPpU847kNPzkGw7pWCFSWHEEp8lNrCzhW+g65iv+vFN\n"
				"-----END RSA PRIVATE KEY-----\n";
static const char rsa_slow[] = "-----BEGIN RSA PRIVATE KEY-----\n"
			       "MIIDpwIBAAKCAQEAybNMAe36SYYvrma3QEch9vwow1Uj8rjXAg77BOzSFlK/cOiy\n"
			       "Nld0XtW2D85v3LERGpwPG3woyT9C6YjMAHeECgzLNe/uzQiYUsLw+ym2asDE3LQ2\n"
			       "awrmgk5Qa8+n8oCmF/AdLqIVaBfHHPAcQHCsIn/YBYP6TKvXENKpgpU97197lz9b\n"
			       "TILH/j3O6jwynLDT5Kf3445oR+3/eRBRBIzyXh+f5U72MfSljgMbkcRRl1xPtCTQ\n"
			       "23uE0XeaE/2JqnNbCNK7/UlxRcTKevSpgLhZs9PMGRUC6jN6oTOnaJuahHflmylP\n"
			       "QVd3R9QoMCMwYyhQ99jzbeM7BhZJ+QSk2WHRAQKCAQA3v6jod6BQJhiTuaw4xfBr\n"
			       "VbLmmme/NLuow/85k0NWDDUBvi9TucReWe9iWwqsEvzJQA0k6aJUTXnvFnJcRqxm\n"
			       "IrcgB1sXrKJ9bYgxw4u54eIHpn/MAk1IAuFTiye+bTR7NVC7jO0hwkC0jOEiJoJN\n"
			       "XsyUabAK9QwSiEd14k4mFN50r8TvGCBrzoNb0OO6AmS6FfL3FNLg/2DSnpjcf8rs\n"
			       "BYXLoOP3Rcei8MLjeN4D7QwzKTtPpRNlHtCPP0xF8ZuSeqgZhohLQYPT634aniHq\n"
			       "WsgLLMuQx5Yes1PMH0xmR8o84XEHThUauZOjAGrSAVy2w6LmjenJU+TrJHULFUuJ\n"
			       "AgMBAAECgYEA5DYzTFy58nTRzxB49n7VzC5VWAkUty++MLCwKQEkMCkcurTTFWXJ\n"
			       "99/Og29RAG/ARmTiEFAbhbro1PxwDdhBSwkbHHSCX/4nMtYYBlIVKEgKZ4eNMUdU\n"
			       "3lxNQZnlhHwxxjfvkZIaCKNaqt3EnUIEeUDHSs2tCWyoGf+AwnMjtHcCgYEA4kKv\n"
			       "1WeAe0IJ2Gpr7ev3JNGeG0YkMH1CopNbnOdVGBR/8bHYVw7Ku5Ov1X7ahXZ7uinY\n"
			       "aTEeNUUqF8u38fP5dCRf0pQ+k4ejteyb8AGM/0Vy7FsxSba5UMvgDydHltDJRFIv\n"
			       "n4sEKSBaMdEN6F88kJG5s4/VolxhsMs5qB9gXEcCAwEAAQIDAQABAoGBAJjMDY+J\n"
			       "BF5VEkuO9v/dLyCzGmTqwe6NMpjxTo41crYOIGasB79zDWJ5XylDAJ0WqaO3hNWg\n"
			       "AQQN8c1XRnjfyGbnQQnywNQ1d4c4gMLgNGfaEWf8QTX9Cy7TT36bSuij6pPpU847\n"
			       "kNPzkGw7pWCFSWHEEp8lNrCzhW+g65iv+vFN\n"
			       "-----END RSA PRIVATE KEY-----\n";

static void
pair_make(const char *name, struct pair *out)
{
	gnutls_x509_privkey_t key;
	gnutls_x509_crt_t cert;
	const unsigned char serial[] = { 1 };

	require(gnutls_x509_privkey_init(&key) == 0 && gnutls_x509_crt_init(&cert) == 0);
	require(gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA,
		    GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0) == 0);
	require(gnutls_x509_crt_set_version(cert, 3) == 0);
	require(gnutls_x509_crt_set_dn(cert, name, NULL) == 0);
	require(gnutls_x509_crt_set_serial(cert, serial, sizeof(serial)) == 0);
	require(gnutls_x509_crt_set_key(cert, key) == 0);
	require(gnutls_x509_crt_set_activation_time(cert, 1000000000) == 0);
	require(gnutls_x509_crt_set_expiration_time(cert, 4000000000) == 0);
	require(gnutls_x509_crt_sign2(cert, cert, key, GNUTLS_DIG_SHA256, 0) == 0);
	require(gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &out->key) == 0);
	require(gnutls_x509_crt_export2(cert, GNUTLS_X509_FMT_PEM, &out->cert) == 0);
	gnutls_x509_privkey_deinit(key);
	gnutls_x509_crt_deinit(cert);
}

/* As above, of an RSA key in PEM, signed by another pair. */
static void
pair_rsa(const char *pem, const struct pair *by, struct pair *out)
{
	const gnutls_datum_t text = { (unsigned char *)(uintptr_t)pem, (unsigned)strlen(pem) };
	const unsigned char serial[] = { 2 };
	gnutls_x509_privkey_t key, issuer_key;
	gnutls_x509_crt_t cert, issuer;

	require(gnutls_x509_privkey_init(&key) == 0 && gnutls_x509_privkey_init(&issuer_key) == 0);
	require(gnutls_x509_crt_init(&cert) == 0 && gnutls_x509_crt_init(&issuer) == 0);
	require(gnutls_x509_privkey_import(key, &text, GNUTLS_X509_FMT_PEM) == 0);
	require(gnutls_x509_privkey_import(issuer_key, &by->key, GNUTLS_X509_FMT_PEM) == 0);
	require(gnutls_x509_crt_import(issuer, &by->cert, GNUTLS_X509_FMT_PEM) == 0);
	require(gnutls_x509_crt_set_version(cert, 3) == 0);
	require(gnutls_x509_crt_set_dn(cert, "CN=rsa", NULL) == 0);
	require(gnutls_x509_crt_set_serial(cert, serial, sizeof(serial)) == 0);
	require(gnutls_x509_crt_set_key(cert, key) == 0);
	require(gnutls_x509_crt_set_activation_time(cert, 1000000000) == 0);
	require(gnutls_x509_crt_set_expiration_time(cert, 4000000000) == 0);
	require(gnutls_x509_crt_sign2(cert, issuer, issuer_key, GNUTLS_DIG_SHA256, 0) == 0);
	require(gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &out->key) == 0);
	require(gnutls_x509_crt_export2(cert, GNUTLS_X509_FMT_PEM, &out->cert) == 0);
	gnutls_x509_privkey_deinit(key);
	gnutls_x509_privkey_deinit(issuer_key);
	gnutls_x509_crt_deinit(cert);
	gnutls_x509_crt_deinit(issuer);
}

static void
pair_free(struct pair *pair)
{
	gnutls_free(pair->key.data);
	gnutls_free(pair->cert.data);
}

static void
files_put(const gnutls_datum_t *key, mode_t mode, const gnutls_datum_t *cert)
{
	struct err err;

	require(file_write(home.https.key, key->data, key->size, mode, &err) == 0);
	require(file_write(home.https.chain, cert->data, cert->size, 0644, &err) == 0);
}

/* ---- a handshake ---- */

struct shake {
	int fds[2];
	gnutls_session_t server, client;
	gnutls_certificate_credentials_t of_client;
	struct tls_conn conn;
};

static unsigned shaken;

static void
shake_done(struct tls_conn *conn)
{
	shaken++;
}

static void
shake_begin(struct shake *s, struct tls *tls, bool tls12, const char *client, unsigned n_certs,
    const struct pair *pair)
{
	gnutls_pcert_st pcert[HTTP_PEER_MAX + 1];
	gnutls_privkey_t key;

	require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, s->fds) == 0);
	require(gnutls_init(&s->server, GNUTLS_SERVER | GNUTLS_NONBLOCK) == 0);
	require(gnutls_priority_set_direct(s->server, tls_priorities(tls12), NULL) == 0);
	gnutls_transport_set_int(s->server, s->fds[0]);
	require(tls_begin(tls, s->server, &s->conn, shake_done) == 0);

	require(gnutls_init(&s->client, GNUTLS_CLIENT | GNUTLS_NONBLOCK) == 0);
	require(gnutls_priority_set_direct(s->client, client, NULL) == 0);
	gnutls_transport_set_int(s->client, s->fds[1]);
	require(gnutls_certificate_allocate_credentials(&s->of_client) == 0);
	if (n_certs > 0) {
		for (unsigned i = 0; i < n_certs; i++)
			require(gnutls_pcert_import_x509_raw(
				    &pcert[i], &pair->cert, GNUTLS_X509_FMT_PEM, 0) == 0);
		require(gnutls_privkey_init(&key) == 0);
		require(gnutls_privkey_import_x509_raw(
			    key, &pair->key, GNUTLS_X509_FMT_PEM, NULL, 0) == 0);
		require(gnutls_certificate_set_key(
			    s->of_client, NULL, 0, pcert, (int)n_certs, key) >= 0);
	}
	require(gnutls_credentials_set(s->client, GNUTLS_CRD_CERTIFICATE, s->of_client) == 0);
}

/* 0 when both ends are through. */
static int
shake_run(struct shake *s)
{
	int server = GNUTLS_E_AGAIN, client = GNUTLS_E_AGAIN;

	for (int i = 0; i < 100 && (server != 0 || client != 0); i++) {
		if (client != 0)
			client = gnutls_handshake(s->client);
		if (server != 0)
			server = gnutls_handshake(s->server);
		if ((client < 0 && gnutls_error_is_fatal(client)) ||
		    (server < 0 && gnutls_error_is_fatal(server)))
			return -1;
	}
	return server == 0 && client == 0 ? 0 : -1;
}

static void
shake_end(struct shake *s, struct tls *tls)
{
	tls_end(tls, &s->conn);
	gnutls_deinit(s->client);
	gnutls_deinit(s->server);
	gnutls_certificate_free_credentials(s->of_client);
	close(s->fds[0]);
	close(s->fds[1]);
}

/* 1 when the client was shown this certificate. */
static int
shake_shows(struct shake *s, const struct pair *pair)
{
	gnutls_datum_t pem = { 0 };
	const gnutls_datum_t *der;
	unsigned n = 0;
	int same;

	der = gnutls_certificate_get_peers(s->client, &n);
	if (der == NULL || n != 1)
		return 0;
	require(gnutls_pem_base64_encode2("CERTIFICATE", der, &pem) == 0);
	same = pem.size == pair->cert.size && memcmp(pem.data, pair->cert.data, pem.size) == 0;
	gnutls_free(pem.data);
	return same;
}

/* ---- cases ---- */

static void
test_files(void)
{
	static const gnutls_datum_t none = { (unsigned char *)(uintptr_t) "x", 1 };
	struct pair a, b;
	struct tls *tls = NULL;
	struct err err;

	pair_make("CN=a", &a);
	pair_make("CN=b", &b);
	CHECK(tls_new(&home, &tls, &err) == -1 && err.code == FAIL_NOT_FOUND);
	files_put(&a.key, 0640, &a.cert);
	CHECK(tls_new(&home, &tls, &err) == -1 && err.code == FAIL_DENIED);
	files_put(&a.key, 0604, &a.cert);
	CHECK(tls_new(&home, &tls, &err) == -1 && err.code == FAIL_DENIED);
	files_put(&b.key, 0600, &a.cert);
	CHECK(tls_new(&home, &tls, &err) == -1 && err.code == FAIL_INVALID);
	files_put(&none, 0600, &a.cert);
	CHECK(tls_new(&home, &tls, &err) == -1 && err.code == FAIL_INVALID);
	files_put(&a.key, 0600, &none);
	CHECK(tls_new(&home, &tls, &err) == -1 && err.code == FAIL_INVALID);
	CHECK(tls == NULL);
	files_put(&a.key, 0600, &a.cert);
	CHECK(tls_new(&home, &tls, &err) == 0);
	CU_ASSERT_EQUAL(tls_not_after(tls), 4000000000);
	tls_free(tls);
	files_put(&a.key, 0400, &a.cert);
	CHECK(tls_new(&home, &tls, &err) == 0);
	tls_free(tls);
	tls_free(NULL);
	pair_free(&a);
	pair_free(&b);
}

/* Sessions begun keep what they have; later ones get the other; what is wrong changes nothing. */
static void
test_exchange(void)
{
	struct shake first, second;
	struct pair a, b;
	struct tls *tls = NULL;
	bool changed = true;
	struct err err;

	pair_make("CN=a", &a);
	pair_make("CN=b", &b);
	files_put(&a.key, 0600, &a.cert);
	require(tls_new(&home, &tls, &err) == 0);
	CHECK(tls_look(tls, store, cas, clock_now(), &changed, &err) == 0 && !changed);
	shake_begin(&first, tls, false, "NORMAL", 0, NULL);
	files_put(&b.key, 0644, &b.cert);
	CHECK(tls_look(tls, store, cas, clock_now(), &changed, &err) == -1);
	CU_ASSERT_EQUAL(err.code, FAIL_DENIED);
	files_put(&b.key, 0600, &a.cert);
	CHECK(tls_look(tls, store, cas, clock_now(), &changed, &err) == -1);
	files_put(&b.key, 0600, &b.cert);
	CHECK(tls_look(tls, store, cas, clock_now(), &changed, &err) == 0 && changed);
	shake_begin(&second, tls, false, "NORMAL", 0, NULL);
	/* Looked at again and again, what a session still uses is there. */
	for (int i = 0; i < 3; i++)
		CHECK(tls_look(tls, store, cas, clock_now(), &changed, &err) == 0 && !changed);
	CHECK(shake_run(&first) == 0 && shake_shows(&first, &a));
	CHECK(shake_run(&second) == 0 && shake_shows(&second, &b));
	shake_end(&first, tls);
	for (int i = 0; i < 3; i++)
		CHECK(tls_look(tls, store, cas, clock_now(), &changed, &err) == 0);
	shake_end(&second, tls);
	tls_free(tls);
	pair_free(&a);
	pair_free(&b);
}

static void
test_priorities(void)
{
	static const struct {
		const char *client;
		bool by_default, with_12;
	} cases[] = {
		{ "NORMAL", true, true },
		{ "NORMAL:-VERS-ALL:+VERS-TLS1.3", true, true },
		{ "NORMAL:-VERS-ALL:+VERS-TLS1.3:-GROUP-ALL:+GROUP-SECP384R1", true, true },
		{ "NORMAL:-VERS-ALL:+VERS-TLS1.3:-GROUP-ALL:+GROUP-FFDHE2048", false, false },
		{ "NORMAL:-VERS-ALL:+VERS-TLS1.2", false, true },
		{ "NORMAL:-VERS-ALL:+VERS-TLS1.2:-CIPHER-ALL:+AES-128-GCM", false, true },
		{ "NORMAL:-VERS-ALL:+VERS-TLS1.2:-CIPHER-ALL:+AES-128-CBC:+AES-256-CBC", false,
		    false },
		{ "NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+RSA", false, false },
		{ "NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+DHE-RSA", false, false },
		{ "NORMAL:-VERS-ALL:+VERS-TLS1.1:+SHA1", false, false },
		{ "NORMAL:-VERS-ALL:+VERS-TLS1.0:+SHA1", false, false },
	};
	struct pair a;
	struct tls *tls = NULL;
	struct err err;

	pair_make("CN=a", &a);
	files_put(&a.key, 0600, &a.cert);
	require(tls_new(&home, &tls, &err) == 0);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		for (int tls12 = 0; tls12 < 2; tls12++) {
			bool wanted = tls12 ? cases[i].with_12 : cases[i].by_default;
			unsigned before = shaken;
			struct shake s;

			shake_begin(&s, tls, tls12 != 0, cases[i].client, 0, NULL);
			CHECK_ROW(cases[i].client, (shake_run(&s) == 0) == wanted);
			CHECK_ROW(cases[i].client, (shaken > before) == wanted);
			CHECK_ROW(cases[i].client, (gnutls_session_get_flags(s.server) &
						       GNUTLS_SFLAGS_SESSION_TICKET) == 0);
			shake_end(&s, tls);
		}
	tls_free(tls);
	pair_free(&a);
}

/* Whatever certificates the peer shows are copied, unverified; too many are none. */
static void
test_peer(void)
{
	struct pair a;
	struct tls *tls = NULL;
	struct err err;

	pair_make("CN=a", &a);
	files_put(&a.key, 0600, &a.cert);
	require(tls_new(&home, &tls, &err) == 0);
	for (unsigned n = 0; n <= HTTP_PEER_MAX + 1; n++)
		for (int tls12 = 0; tls12 < 2; tls12++) {
			gnutls_datum_t der = { 0 };
			struct shake s;

			require(gnutls_pem_base64_decode2("CERTIFICATE", &a.cert, &der) == 0);
			shake_begin(&s, tls, tls12 != 0,
			    tls12 ? "NORMAL:-VERS-ALL:+VERS-TLS1.2" : "NORMAL", n, &a);
			CHECK(shake_run(&s) == 0);
			tls_peer(s.server, &s.conn);
			CU_ASSERT_EQUAL(s.conn.excess, n > HTTP_PEER_MAX);
			CU_ASSERT_EQUAL(s.conn.n, n > HTTP_PEER_MAX ? 0 : n);
			for (size_t i = 0; i < s.conn.n; i++)
				CHECK_MEM(
				    s.conn.peer[i].data, s.conn.peer[i].len, der.data, der.size);
			shake_end(&s, tls);
			gnutls_free(der.data);
		}
	tls_free(tls);
	pair_free(&a);
}

/* A peer's key that would keep the listener calculating ends the handshake. */
static void
test_slow_keys(void)
{
	struct pair a, plain, slow;
	struct tls *tls = NULL;
	struct err err;

	pair_make("CN=a", &a);
	pair_rsa(rsa_plain, &a, &plain);
	pair_rsa(rsa_slow, &a, &slow);
	files_put(&a.key, 0600, &a.cert);
	require(tls_new(&home, &tls, &err) == 0);
	for (int i = 0; i < 4; i++) {
		const bool tls12 = i % 2 != 0, is_slow = i / 2 != 0;
		const unsigned before = shaken;
		struct shake s;

		shake_begin(&s, tls, tls12, tls12 ? "NORMAL:-VERS-ALL:+VERS-TLS1.2" : "NORMAL", 1,
		    is_slow ? &slow : &plain);
		CHECK((shake_run(&s) == 0) == !is_slow);
		CHECK(shaken == before + !is_slow);
		shake_end(&s, tls);
	}
	tls_free(tls);
	pair_free(&a);
	pair_free(&plain);
	pair_free(&slow);
}

static const struct test_case cases[] = {
	{ "files", test_files },
	{ "exchange", test_exchange },
	{ "versions and suites", test_priorities },
	{ "peers", test_peer },
	{ "keys that take long", test_slow_keys },
};

int
main(int argc, char **argv)
{
	char path[HOME_PATH_MAX];
	struct err err;
	int r;

	require(mkdtemp(home.dir) != NULL);
	require(home_path(&home, "server.key", home.https.key, &err) == 0);
	require(home_path(&home, "server.pem", home.https.chain, &err) == 0);
	require(home_path(&home, "smki.db", path, &err) == 0);
	require(store_open(path, STORE_CREATE, &store, &err) == 0);
	r = test_main(argc, argv, "tls", cases, ARRAY_LEN(cases));
	store_close(store);
	require(file_remove_tree(home.dir, &err) == 0);
	return r;
}
