/*
 * The front without a network, for tests of its routes: an authority with its database, policies
 * with one manufacturer and three regions, meters' certificates of every kind, and in place of
 * smkid a thread that notes what it is asked and answers what it was told to.
 */
#ifndef FRONT_RIG_H
#define FRONT_RIG_H

#include <openssl/x509v3.h>
#include <pthread.h>
#include <sys/socket.h>

#include "front_data.h"
#include "http_header.h"
#include "httpd.h"
#include "link.h"
#include "peer.h"
#include "route.h"
#include "service_rig.h"
#include "smki/enrol.h"
#include "smki/front.h"

#define FRONT_HW_TYPE "1.3.6.1.4.1.32473.1"
#define FRONT_ADDRESS "192.0.2.7"
#define FRONT_DAY 86400L

/* Certificates that a peer may show. */
enum front_cert {
	SHOW_NONE = 0,
	SHOW_OURS, /* valid, device 00DB123456780001 */
	SHOW_HELD,
	SHOW_REVOKED,
	SHOW_ENDED,
	SHOW_AGREEMENT, /* ours, for key agreement */
	SHOW_SERVER,	/* ours, a TLS server's */
	SHOW_IDEVID,
	SHOW_IDEVID_ENDED,
	SHOW_OTHER_CA, /* as an IDevID, of a CA that nobody knows */
	SHOW_ROGUE,    /* self-signed */
	SHOW_ALIKE,    /* our CA's name and a recorded serial, signed by another key */
	SHOW_GARBAGE,
	SHOWS,
};

static const char *const front_show_names[SHOWS] = { "none", "ours", "held", "revoked", "ended",
	"agreement", "tls-server", "idevid", "ended idevid", "other CA's", "rogue", "alike",
	"garbage" };

struct front_rig {
	struct rig *rig;
	struct httpd *httpd;
	struct link *link;
	struct route_ctx ctx;
	struct buf show[SHOWS];
	int64_t show_id[SHOWS];
	struct buf maker; /* the manufacturer's CA */
	int fd;		  /* smkid's end */
	pthread_t smkid;
	pthread_mutex_t lock; /* of what follows */
	struct enrol_answer answer;
	struct access_answer access;
	struct err broken; /* code not 0: an error reply instead */
	unsigned n_asked;
	struct enrol_request asked;
	struct access_request asked_token;
	struct front_refused refused;
};

/* ---- in smkid's place ---- */

static inline void
front_smkid_reply(struct front_rig *f, uint16_t op, struct wire_in *in, struct buf *reply)
{
	f->n_asked++;
	switch (op) {
	case FRONT_ENROL:
		enrol_request_free(&f->asked);
		RIG(front_enrol_get(in, &f->asked, &rig_err));
		front_enrolled_put(reply, &f->answer);
		break;
	case FRONT_TOKEN:
		access_request_free(&f->asked_token);
		RIG(front_token_get(in, &f->asked_token, &rig_err));
		front_access_put(reply, &f->access);
		break;
	case FRONT_REFUSED:
		RIG(front_refused_get(in, &f->refused, &rig_err));
		break;
	}
}

static inline void *
front_smkid(void *arg)
{
	struct front_rig *f = arg;
	struct buf msg = { 0 }, reply = { 0 };
	struct wire_head head;
	struct wire_in in;
	struct err err;

	while (wire_recv(f->fd, &msg, -1, &err) == 0) {
		RIG(wire_head_get(msg.data, msg.len, &head, &in, &rig_err));
		pthread_mutex_lock(&f->lock);
		wire_start(&reply, head.op, head.id, f->broken.code != 0 ? WIRE_ERROR : 0);
		if (f->broken.code != 0)
			wire_put_err(&reply, &f->broken);
		else
			front_smkid_reply(f, head.op, &in, &reply);
		pthread_mutex_unlock(&f->lock);
		if (wire_send(f->fd, &reply, 1000, &err) != 0)
			break;
	}
	buf_free(&msg);
	buf_free(&reply);
	return NULL;
}

/* ---- certificates ---- */

/* Recorded, of our issuing CA; ended: a day ago. */
static inline int64_t
front_ours(struct rig *r, const char *profile_name, const struct softsign *key, uint8_t nn,
    bool ended, struct buf *der)
{
	static const char *const names[] = { "meters.example" };
	const struct profile *profile = profiles_get(&r->profiles, profile_name);
	struct eui64 eui = { { 0x00, 0xdb, 0x12, 0x34, 0x56, 0x78, 0x00, nn } };
	struct store_new_cert row = { .ca = r->ca->id, .profile = profile_name };
	struct buf tbs = { 0 };
	struct grant grant;

	if (profile->kind == PROFILE_DEVICE)
		RIG(profile_grant_device(
		    profile, &eui, FRONT_HW_TYPE, &key->signer.pub, &grant, &rig_err));
	else
		RIG(profile_grant_service(
		    profile, "", names, 1, &key->signer.pub, &grant, &rig_err));
	RIG(cert_serial(8, rng_draw, &row.serial, &rig_err));
	row.not_before = r->now - (ended ? 2 * FRONT_DAY : 60);
	row.not_after = ended ? r->now - FRONT_DAY : r->now + FRONT_DAY;
	RIG(cert_build_tbs(profile, &r->ca->issuer, &grant, &row.serial, row.not_before,
	    row.not_after, &tbs, &rig_err));
	RIG(sign_wrap(softsign_signer(r->ca_key), tbs.data, tbs.len, der, &rig_err));
	row.holder = grant.holder;
	row.use = grant.use;
	ec_pub_hash(&grant.pub, row.key_hash);
	row.der = buf_span(der);
	buf_free(&tbs);
	return rig_add(r, &row, 1);
}

struct front_change {
	struct commit_job job; /* first */
	int64_t id;
	struct store_change change;
};

static inline int
front_change_apply(struct commit_job *job, struct store *store, struct err *err)
{
	struct front_change *c = (struct front_change *)job;
	struct store_actor actor = { .uid = 0, .now = clock_now() };

	return store_cert_change(store, &actor, c->id, &c->change, err);
}

static inline void
front_state(struct rig *r, int64_t id, enum cert_state to)
{
	struct front_change c = { .job = { .lane = COMMIT_STATE, .apply = front_change_apply },
		.id = id,
		.change = { .to = to, .reason = REASON_SUPERSEDED } };

	RIG(committer_run(r->committer, &c.job, &rig_err));
}

/* By libcrypto: a CA (issuer NULL: its own), or a meter's with its EUI-64 as serialNumber. */
static inline X509 *
front_x509(const char *serial_number, const struct softsign *key, X509 *issuer,
    const struct softsign *by, bool ended, struct buf *der)
{
	X509 *x = X509_new();
	X509_NAME *name = X509_NAME_new();
	X509_EXTENSION *ext;
	unsigned char *out = NULL;
	bool ca = serial_number == NULL;
	uint64_t serial;
	int len;

	X509_NAME_add_entry_by_txt(
	    name, "O", MBSTRING_ASC, (const unsigned char *)"acme", -1, -1, 0);
	if (!ca)
		X509_NAME_add_entry_by_txt(name, "serialNumber", MBSTRING_ASC,
		    (const unsigned char *)serial_number, -1, -1, 0);
	RIG(rng_draw((uint8_t *)&serial, sizeof(serial)));
	require(X509_set_version(x, 2) == 1 &&
		ASN1_INTEGER_set_uint64(X509_get_serialNumber(x), serial >> 1) == 1);
	require(X509_set_subject_name(x, name) == 1);
	require(
	    X509_set_issuer_name(x, issuer != NULL ? X509_get_subject_name(issuer) : name) == 1);
	require(ASN1_TIME_adj(X509_getm_notBefore(x), clock_now(), -10, 0) != NULL);
	require(ASN1_TIME_adj(X509_getm_notAfter(x), clock_now(), ended ? -1 : 10, 0) != NULL);
	require(X509_set_pubkey(x, key->key) == 1);
	ext = X509V3_EXT_conf_nid(
	    NULL, NULL, NID_basic_constraints, ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
	require(ext != NULL && X509_add_ext(x, ext, -1) == 1);
	X509_EXTENSION_free(ext);
	ext = X509V3_EXT_conf_nid(NULL, NULL, NID_key_usage,
	    ca ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature");
	require(ext != NULL && X509_add_ext(x, ext, -1) == 1);
	X509_EXTENSION_free(ext);
	require(X509_sign(x, by->key, EVP_sha256()) > 0);
	len = i2d_X509(x, &out);
	require(len > 0);
	buf_add(der, out, (size_t)len);
	OPENSSL_free(out);
	X509_NAME_free(name);
	return x;
}

static inline void
front_certs_foreign(struct front_rig *f)
{
	struct softsign *maker = softsign_new(EC_P256), *other = softsign_new(EC_P256),
			*key = softsign_new(EC_P256);
	struct buf unused = { 0 };
	X509 *ca = front_x509(NULL, maker, NULL, maker, false, &f->maker);
	X509 *stranger = front_x509(NULL, other, NULL, other, false, &unused);

	X509_free(front_x509("00db123456780001", key, ca, maker, false, &f->show[SHOW_IDEVID]));
	X509_free(
	    front_x509("00db123456780001", key, ca, maker, true, &f->show[SHOW_IDEVID_ENDED]));
	X509_free(
	    front_x509("00db123456780001", key, stranger, other, false, &f->show[SHOW_OTHER_CA]));
	X509_free(front_x509("00db123456780001", key, NULL, key, false, &f->show[SHOW_ROGUE]));
	X509_free(stranger);
	X509_free(ca);
	buf_free(&unused);
	softsign_free(maker);
	softsign_free(other);
	softsign_free(key);
}

static inline void
front_certs(struct front_rig *f)
{
	static const struct {
		enum front_cert which;
		const char *profile;
		uint8_t nn;
		bool ended;
	} ours[] = {
		{ SHOW_OURS, "device-signature", 1, false },
		{ SHOW_HELD, "device-signature", 2, false },
		{ SHOW_REVOKED, "device-signature", 3, false },
		{ SHOW_ENDED, "device-signature", 4, true },
		{ SHOW_AGREEMENT, "device-agreement", 1, false },
		{ SHOW_SERVER, "tls-server", 0, false },
	};
	struct softsign *key;
	struct cert cert;

	for (size_t i = 0; i < ARRAY_LEN(ours); i++) {
		key = softsign_new(EC_P256);
		f->show_id[ours[i].which] = front_ours(f->rig, ours[i].profile, key, ours[i].nn,
		    ours[i].ended, &f->show[ours[i].which]);
		softsign_free(key);
	}
	front_state(f->rig, f->show_id[SHOW_HELD], CERT_HOLD);
	front_state(f->rig, f->show_id[SHOW_REVOKED], CERT_REVOKED);
	/* The same to-be-signed octets, another signature. */
	key = softsign_new(EC_P256);
	RIG(cert_parse(f->show[SHOW_OURS].data, f->show[SHOW_OURS].len, &cert, &rig_err));
	RIG(sign_wrap(
	    softsign_signer(key), cert.tbs.p, cert.tbs.len, &f->show[SHOW_ALIKE], &rig_err));
	softsign_free(key);
	buf_add_str(&f->show[SHOW_GARBAGE], "0\202\001\003garbage");
	front_certs_foreign(f);
}

/* ---- the policies ---- */

static inline void
front_file(struct front_rig *f, const char *name, const void *data, size_t len)
{
	char *path = mem_fmt("%s/policies/%s", f->rig->dir, name);

	RIG(file_write(path, data, len, 0644, &rig_err));
	free(path);
}

static inline void
front_policies(struct front_rig *f)
{
	static const char *const profiles[] = { "device-signature.cnf", "device-agreement.cnf",
		"tls-server.cnf" };
	static const char makers[] = "[manufacturer acme]\nanchors = anchors/acme.pem\n"
				     "eui64 = serialNumber\n";
	static const char regions[] =
	    "[region north]\nendpoint_mqtt = mqtts://north.example:8883\ncountries = NO, SE\n"
	    "position = 60.0, 10.0\n"
	    "[region south]\nendpoint_mqtt = mqtts://south.example:8883\n"
	    "endpoint_est = https://south.example:8443\ncountries = IT\nposition = 42.0, 12.0\n"
	    "[region rest]\nendpoint_mqtt = mqtts://rest.example:8883\ndefault = yes\n";
	struct buf text = { 0 };
	char *path;

	path = mem_fmt("%s/policies", f->rig->dir);
	RIG(file_make_dir(path, 0755, &rig_err));
	free(path);
	path = mem_fmt("%s/policies/anchors", f->rig->dir);
	RIG(file_make_dir(path, 0755, &rig_err));
	free(path);
	for (size_t i = 0; i < ARRAY_LEN(profiles); i++) {
		path = mem_fmt("%s/policies/%s", test_root, profiles[i]);
		buf_reset(&text);
		RIG(file_read(path, 65536, &text, &rig_err));
		front_file(f, profiles[i], text.data, text.len);
		free(path);
	}
	buf_reset(&text);
	pem_encode("CERTIFICATE", f->maker.data, f->maker.len, &text);
	front_file(f, "anchors/acme.pem", text.data, text.len);
	front_file(f, "manufacturers.cnf", makers, strlen(makers));
	front_file(f, "regions.cnf", regions, strlen(regions));
	buf_free(&text);
}

/* ---- the whole ---- */

static inline struct front_rig *
front_rig_new(void)
{
	struct front_rig *f = mem_alloc(sizeof(*f));
	struct home *home;
	int fds[2];

	f->rig = rig_new();
	home = &f->rig->home;
	memcpy(home->dir, f->rig->dir, sizeof(f->rig->dir));
	home->enrol.retry_after = 60;
	home->access.lifetime = 600;
	strcpy(home->url, "http://pki.example");
	front_certs(f);
	front_policies(f);
	f->httpd = httpd_new(home);
	f->httpd->guard = timeguard_new(f->rig->now);
	RIG(front_data_load(&f->httpd->home, &f->httpd->data, &rig_err));
	RIG(wire_pair(fds, &rig_err));
	RIG(link_new(home, fds[0], &f->link, &rig_err));
	f->fd = fds[1];
	pthread_mutex_init(&f->lock, NULL);
	require(pthread_create(&f->smkid, NULL, front_smkid, f) == 0);
	f->ctx = (struct route_ctx){ .httpd = f->httpd, .store = f->rig->reader, .link = f->link };
	return f;
}

static inline void
front_rig_free(struct front_rig *f)
{
	link_free(f->link);
	pthread_join(f->smkid, NULL);
	close(f->fd);
	pthread_mutex_destroy(&f->lock);
	httpd_free(f->httpd);
	enrol_request_free(&f->asked);
	enrol_answer_free(&f->answer);
	access_request_free(&f->asked_token);
	for (int i = 0; i < SHOWS; i++)
		buf_free(&f->show[i]);
	buf_free(&f->maker);
	rig_free(f->rig);
	free(f);
}

/* smkid is going to answer with the certificate of SHOW_OURS. */
static inline void
front_will_issue(struct front_rig *f)
{
	struct cert cert;

	pthread_mutex_lock(&f->lock);
	enrol_answer_free(&f->answer);
	f->answer.outcome = ENROL_ISSUED;
	buf_add(&f->answer.issued.der, f->show[SHOW_OURS].data, f->show[SHOW_OURS].len);
	RIG(cert_parse(f->answer.issued.der.data, f->answer.issued.der.len, &cert, &rig_err));
	f->answer.issued.serial = cert.serial;
	f->answer.issued.id = f->show_id[SHOW_OURS];
	f->answer.issued.holder = (struct holder){ .kind = HOLDER_DEVICE,
		.name = { 0x00, 0xdb, 0x12, 0x34, 0x56, 0x78, 0x00, 1 },
		.name_len = EUI64_LEN,
		.hw_type = FRONT_HW_TYPE };
	strcpy(f->answer.issued.profile, "device-signature");
	strcpy(f->answer.issued.ca, "issuing");
	f->answer.not_after = cert.not_after;
	pthread_mutex_unlock(&f->lock);
}

static inline void
front_will_refuse(struct front_rig *f, enum refusal reason, enum err_code code, const char *msg)
{
	pthread_mutex_lock(&f->lock);
	enrol_answer_free(&f->answer);
	f->answer.outcome = ENROL_REFUSED;
	f->answer.reason = reason;
	err_set(&f->answer.err, code, "%s", msg);
	pthread_mutex_unlock(&f->lock);
}

/* What a meter sends over TLS. */
struct front_ask {
	enum http_method method;
	const char *path, *type, *authorization;
	const void *body;
	size_t len;
	enum front_cert show;
	bool plain; /* not over TLS */
};

/* n_asked begins anew. */
static inline void
front_ask(struct front_rig *f, const struct front_ask *ask, struct http_response *response)
{
	struct http_request request = { .method = ask->method,
		.path = ask->path,
		.content_type = ask->type,
		.authorization = ask->authorization,
		.tls = !ask->plain,
		.address = FRONT_ADDRESS };
	const struct route *route;
	const char *rest;

	if (ask->len > 0)
		buf_add(&request.body, ask->body, ask->len);
	if (ask->show != SHOW_NONE) {
		request.n_peer = 1;
		request.peer[0] = buf_span(&f->show[ask->show]);
	}
	f->n_asked = 0;
	http_response_init(response);
	route = route_find(&request, &rest, response);
	if (route != NULL)
		route->fn(&f->ctx, &request, rest, response);
	buf_free(&request.body);
}

static inline bool
front_one_line(const struct http_response *response)
{
	const uint8_t *end = memchr(response->body.data, '\n', response->body.len);

	return end != NULL && end == response->body.data + response->body.len - 1;
}

/* The one of a suite: its first case makes it, its last gives it back. */
static struct front_rig *front;

static inline void
front_begin(void)
{
	front = front_rig_new();
	CU_ASSERT_PTR_NOT_NULL_FATAL(front);
}

static inline void
front_end(void)
{
	CHECK(front->ctx.store == front->rig->reader); /* no case left it away */
	front_rig_free(front);
	front = NULL;
}

#endif
