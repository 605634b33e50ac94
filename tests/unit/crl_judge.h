/*
 * What lists, OCSP and certificates say, against the model. Asserted of every list:
 *  I1 made anew of what was read, it is the same octets
 *  I2 its number is above all before it, whatever was killed in between
 *  I3 a delta makes of each earlier list since its base what a complete list says now
 *  I4 who was revoked once is on every complete list, and on that of its shard
 *  I5 the shards hold all that is listed and has one, none twice
 *  I6 thisUpdate <= now < nextUpdate, as long as configured
 *  I7 the shard's URI is octet for octet that of its certificates, for ever
 *  I8 OCSP says the same
 *  I9 so does libcrypto's verification of a certificate by the lists, and the openssl command
 */
#ifndef CRL_JUDGE_H
#define CRL_JUDGE_H

#include <openssl/pem.h>

#include "crl_model.h"

static const char *samples; /* folder for the openssl command, NULL = none */
static unsigned sampled;

/* ---- what others say ---- */

/* I9: libcrypto by these lists; the command later by the same. */
static inline void
model_verify(struct authority *a, const struct model_cert *c, X509_CRL *one, X509_CRL *two)
{
	const uint8_t *p = c->der;
	X509 *x = d2i_X509(NULL, &p, (long)c->der_len);
	STACK_OF(X509) *between = sk_X509_new_null();
	STACK_OF(X509_CRL) *lists = sk_X509_CRL_new_null();
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	int ok, error;

	require(x != NULL && sk_X509_push(between, a->issuing) > 0 &&
		sk_X509_CRL_push(lists, one) > 0 && (two == NULL || sk_X509_CRL_push(lists, two)));
	require(X509_STORE_CTX_init(ctx, a->trust, x, between) == 1);
	X509_STORE_CTX_set_flags(
	    ctx, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_EXTENDED_CRL_SUPPORT | X509_V_FLAG_USE_DELTAS);
	/* time(2), libcrypto's, may be some ms behind and in the second before. */
	X509_STORE_CTX_set_time(ctx, 0, clock_now());
	X509_STORE_CTX_set0_crls(ctx, lists);
	ok = X509_verify_cert(ctx);
	error = X509_STORE_CTX_get_error(ctx);
	if (c->state == CERT_VALID ? ok != 1 : error != X509_V_ERR_CERT_REVOKED)
		fprintf(stderr, "  %s\n", X509_verify_cert_error_string(error));
	CHECK(c->state == CERT_VALID ? ok == 1 : error == X509_V_ERR_CERT_REVOKED);
	if (samples != NULL && draw(2) == 0) {
		char *path = mem_fmt(
		    "%s/%06u.%s", samples, ++sampled, c->state == CERT_VALID ? "good" : "revoked");
		FILE *f = fopen(path, "w");

		/* openssl takes of one file for -CAfile, -untrusted and -CRLfile what it is for. */
		require(f != NULL && PEM_write_X509(f, x) == 1 &&
			PEM_write_X509(f, a->issuing) == 1 && PEM_write_X509_CRL(f, one) == 1 &&
			(two == NULL || PEM_write_X509_CRL(f, two) == 1) && fclose(f) == 0);
		free(path);
		path = mem_fmt("%s/%06u.root", samples, sampled);
		f = fopen(path, "w");
		require(f != NULL && PEM_write_X509(f, a->root) == 1 && fclose(f) == 0);
		free(path);
	}
	X509_STORE_CTX_free(ctx);
	sk_X509_CRL_free(lists);
	sk_X509_free(between);
	X509_free(x);
}

static inline void
model_ask(const struct authority *a, const struct model_cert *c, OCSP_REQUEST *request)
{
	ASN1_INTEGER *serial = ASN1_INTEGER_new();
	OCSP_CERTID *id;

	require(ASN1_STRING_set(serial, c->serial.octets, c->serial.len) == 1);
	id = OCSP_cert_id_new(EVP_sha256(), X509_get_subject_name(a->issuing),
	    X509_get0_pubkey_bitstr(a->issuing), serial);
	require(id != NULL && OCSP_request_add0_id(request, id) != NULL);
	ASN1_INTEGER_free(serial);
}

/* I8: OCSP says of the newest certificates what the model says, and so what each list says that
 * was compared with it. */
static inline void
model_ocsp(struct authority *a)
{
	struct model *m = a->m;
	size_t first = m->n > ASKED ? m->n - ASKED : 0;
	OCSP_REQUEST *request = OCSP_REQUEST_new();
	struct buf out = { 0 };
	struct respond_meta meta;
	OCSP_RESPONSE *response;
	OCSP_BASICRESP *basic;
	uint8_t *der = NULL;
	const uint8_t *p;
	struct err err;
	int len;

	if (m->n == 0) {
		OCSP_REQUEST_free(request);
		return;
	}
	for (size_t i = first; i < m->n; i++)
		model_ask(a, &m->cert[i], request);
	len = i2d_OCSP_REQUEST(request, &der);
	require(len > 0);
	respond(a->responder, a->r->reader, der, (size_t)len, &out, &meta, &err);
	CHECK(meta.ocsp_status == 0);
	p = out.data;
	response = d2i_OCSP_RESPONSE(NULL, &p, (long)out.len);
	basic = response == NULL ? NULL : OCSP_response_get1_basic(response);
	CHECK(basic != NULL && OCSP_resp_count(basic) == (int)(m->n - first));
	for (size_t i = first; i < m->n && basic != NULL; i++) {
		const struct model_cert *c = &m->cert[i];
		ASN1_GENERALIZEDTIME *at = NULL;
		int reason = -1, status;

		status = OCSP_single_get0_status(
		    OCSP_resp_get0(basic, (int)(i - first)), &reason, &at, NULL, NULL);
		if (c->state == CERT_VALID) {
			CHECK(status == V_OCSP_CERTSTATUS_GOOD);
			continue;
		}
		CHECK(status == V_OCSP_CERTSTATUS_REVOKED);
		CHECK((reason == -1 ? 0 : reason) == (int)c->reason);
		CHECK(at != NULL && list_time(at) == c->changed_at);
	}
	OCSP_BASICRESP_free(basic);
	OCSP_RESPONSE_free(response);
	OCSP_REQUEST_free(request);
	OPENSSL_free(der);
	buf_free(&out);
}

/* ---- lists, judged ---- */

/* Everybody's memory of what list number said. */
static inline void
model_keep(struct authority *a, int64_t number)
{
	struct model *m = a->m;
	size_t k = m->n_lists++ % LISTS;

	m->newest = number;
	m->list[k].number = number;
	for (size_t i = 0; i < CERTS; i++) {
		struct model_cert *c = &m->cert[i];
		struct says *says = &m->list[k].says[i];

		*says = (struct says){ .reason = -1 };
		if (i >= m->n || c->state == CERT_VALID)
			continue;
		*says = (struct says){ model_listed(c), c->changed_at, c->invalid_since };
		c->shown = true;
	}
}

static inline void
judge_complete(struct authority *a, const struct store_crl *row, X509_CRL *crl)
{
	static struct says says[CERTS];
	struct model *m = a->m;
	char uri[URI_MAX];
	int64_t want = 0;

	CHECK(list_number(crl, NID_crl_number, 0) == row->number);
	CHECK(row->number > m->newest); /* I2 */
	CHECK(list_number(crl, NID_delta_crl, 1) == 0 && row->base == 0);
	list_uris(crl, m->deltas ? model_uri(m, "issuing-delta", uri) : NULL, NULL);
	CHECK(list_says(m, crl, says) == row->entries);
	/* I4: of all that ever was. */
	for (size_t i = 0; i < m->n; i++) {
		CHECK(says_true(&says[i], &m->cert[i]));
		want += says[i].reason != -1;
		m->cert[i].changed = m->cert[i].shown = false;
	}
	CHECK(row->entries == want);
	m->base = row->number;
	model_keep(a, row->number);
	X509_CRL_free(a->complete);
	X509_CRL_up_ref(crl);
	a->complete = crl;
	if (m->n > 0)
		model_verify(
		    a, &m->cert[m->n - 1 - draw(m->n > 8 ? 8 : (unsigned)m->n)], crl, NULL);
}

/* I3: whoever holds a list from the base on, complete or combined, now knows what is true. */
static inline void
judge_combined(struct model *m, int64_t number, const struct says *delta)
{
	for (size_t k = 0; k < m->n_lists && k < LISTS; k++) {
		if (m->list[k].number < m->base || m->list[k].number >= number)
			continue;
		for (size_t i = 0; i < m->n; i++) {
			struct says now = m->list[k].says[i];

			if (delta[i].reason == REASON_REMOVE_FROM_CRL)
				now.reason = -1;
			else if (delta[i].reason != -1)
				now = delta[i];
			CHECK(says_true(&now, &m->cert[i]));
		}
	}
}

static inline void
judge_delta(struct authority *a, const struct store_crl *row, X509_CRL *crl)
{
	static struct says says[CERTS];
	struct model *m = a->m;
	int64_t want = 0;

	CHECK(list_number(crl, NID_crl_number, 0) == row->number);
	CHECK(row->number > m->newest); /* I2 */
	CHECK(list_number(crl, NID_delta_crl, 1) == m->base && row->base == m->base);
	list_uris(crl, NULL, NULL);
	CHECK(list_says(m, crl, says) == row->entries);
	/* Exactly what changed, but for what was never seen in between. */
	for (size_t i = 0; i < m->n; i++) {
		const struct model_cert *c = &m->cert[i];
		int is = c->changed && (c->state != CERT_VALID || c->shown);

		CHECK((says[i].reason != -1) == is);
		want += is;
	}
	CHECK(row->entries == want);
	judge_combined(m, row->number, says);
	model_keep(a, row->number);
	/* libcrypto looks at deltas only when the complete list tells of them. */
	if (X509_CRL_get_ext_by_NID(a->complete, NID_freshest_crl, -1) < 0)
		return;
	for (int k = 0; k < 2 && m->n > 0; k++)
		model_verify(
		    a, &m->cert[m->n - 1 - draw(m->n > 8 ? 8 : (unsigned)m->n)], a->complete, crl);
}

/* I5: what is listed and of this shard, nothing else. */
static inline void
judge_shard(struct authority *a, int s, const struct store_crl *row, X509_CRL *crl)
{
	static struct says says[CERTS];
	struct model *m = a->m;
	int64_t want = 0;
	size_t some = CERTS;

	CHECK(list_number(crl, NID_crl_number, 0) == row->number);
	CHECK(row->number > m->newest_shard[s]); /* I2 */
	m->newest_shard[s] = row->number;
	list_uris(crl, NULL, m->uri[s]); /* I7: model_add() has it from the certificates */
	CHECK(list_says(m, crl, says) == row->entries);
	for (size_t i = 0; i < m->n; i++) {
		CHECK(m->cert[i].shard == s ? says_true(&says[i], &m->cert[i])
					    : says[i].reason == -1);
		want += says[i].reason != -1;
		if (m->cert[i].shard == s && (some == CERTS || draw(4) == 0))
			some = i;
	}
	CHECK(row->entries == want);
	if (some < CERTS)
		model_verify(a, &m->cert[some], crl, NULL);
}

/* The list of this row, as it is published. */
static inline void
judge(struct authority *a, const struct crl_which *which, const struct store_crl *row)
{
	X509_CRL *crl = list_load(a, which, row);

	switch (which->kind) {
	case CRL_COMPLETE:
		judge_complete(a, row, crl);
		break;
	case CRL_DELTA:
		judge_delta(a, row, crl);
		break;
	case CRL_SHARD:
		judge_shard(a, (int)which->shard, row, crl);
		break;
	}
	X509_CRL_free(crl);
}

/* ---- issuing ---- */

/* The shard's URI as it stands in the certificate: for ever that of its first. */
static inline void
model_point(struct authority *a, const struct model_cert *c)
{
	struct model *m = a->m;
	const uint8_t *p = c->der;
	X509 *x = d2i_X509(NULL, &p, (long)c->der_len);
	char name[32];
	int critical = 0;
	void *ext;

	require(x != NULL);
	if (c->shard >= 0 && m->uri[c->shard][0] == '\0') {
		snprintf(name, sizeof(name), "issuing-%d", c->shard);
		model_uri(m, name, m->uri[c->shard]);
	}
	ext = X509_get_ext_d2i(x, NID_crl_distribution_points, &critical, NULL);
	list_uri(
	    ext, critical, NID_crl_distribution_points, c->shard >= 0 ? m->uri[c->shard] : NULL);
	CHECK(ASN1_TIME_cmp_time_t(X509_get0_notAfter(x), 253402300799) == 0);
	X509_free(x);
}

static inline void
model_add(struct authority *a, const struct outcome *o, bool shard, time_t since)
{
	struct model *m = a->m;
	struct model_cert *c = &m->cert[m->n];
	struct store_status status;

	require(m->n < CERTS && o->der.len <= DER_MAX);
	*c = (struct model_cert){ .serial = o->result.serial,
		.id = o->result.id,
		.state = o->result.state,
		.shard = shard ? (int)(o->result.id / SHARD_SIZE) : -1,
		.der_len = o->der.len };
	memcpy(c->der, o->der.data, o->der.len);
	if (c->state == CERT_HOLD) {
		c->reason = REASON_CERTIFICATE_HOLD;
		c->changed = true;
	}
	RIG(store_status_get(a->r->reader, a->r->ca->id, &c->serial, &status, &rig_err));
	c->changed_at = status.changed;
	CHECK(status.changed >= since && status.changed <= clock_now());
	require(c->shard < SHARDS);
	m->n++;
	require(model_by_serial(m, c->serial.octets, c->serial.len) == NULL);
	m->at[(unsigned)c->serial.octets[6] << 8 | c->serial.octets[7]] = m->n;
	model_point(a, c);
}

#endif
