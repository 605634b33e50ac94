/*
 * Writing certificate revocation lists (RFC 5280 5): entry, head, tail and close, so that a list
 * of any length is streamed; a short one is built in memory. It must not keep entries or decide
 * what is listed.
 */
#include <string.h>

#include "smki/crl.h"
#include "smki/mem.h"

static const uint8_t oid_aki[] = { 0x55, 0x1d, 0x23 };	    /* 2.5.29.35 */
static const uint8_t oid_number[] = { 0x55, 0x1d, 0x14 };   /* 2.5.29.20 */
static const uint8_t oid_delta[] = { 0x55, 0x1d, 0x1b };    /* 2.5.29.27 */
static const uint8_t oid_idp[] = { 0x55, 0x1d, 0x1c };	    /* 2.5.29.28 */
static const uint8_t oid_freshest[] = { 0x55, 0x1d, 0x2e }; /* 2.5.29.46 */
/* Extensions of an entry but for what is in them: reasonCode (2.5.29.21), invalidityDate (.24). */
static const uint8_t ext_reason[] = { DER_SEQUENCE, 10, DER_OID, 3, 0x55, 0x1d, 0x15,
	DER_OCTET_STRING, 3, DER_ENUMERATED, 1 };
static const uint8_t ext_invalidity[] = { DER_SEQUENCE, 24, DER_OID, 3, 0x55, 0x1d, 0x18,
	DER_OCTET_STRING, 17 };

static size_t
crl_ext_open(struct buf *out, const uint8_t oid[3], bool critical, size_t *value)
{
	size_t ext = der_open(out, DER_SEQUENCE);

	der_put(out, DER_OID, oid, 3);
	if (critical)
		der_put_bool(out, true);
	*value = der_open(out, DER_OCTET_STRING);
	return ext;
}

static void
crl_ext_close(struct buf *out, size_t ext, size_t value)
{
	der_close(out, value);
	der_close(out, ext);
}

size_t
crl_entry_put(struct buf *out, const struct crl_entry *entry)
{
	/* removeFromCRL stands in delta CRLs only (5.3.1). */
	require(entry->reason != REASON_REMOVE_FROM_CRL);
	return crl_delta_entry_put(out, entry);
}

/* A list has millions of entries. Whatever stands in one, all its lengths are single octets
 * (CRL_ENTRY_MAX), so they are written where they belong and nothing is moved. */
size_t
crl_delta_entry_put(struct buf *out, const struct crl_entry *entry)
{
	size_t start = out->len, exts;
	uint8_t *p;

	require(entry->serial.len >= 1 && entry->serial.len <= SERIAL_MAX);
	buf_reserve(out, CRL_ENTRY_MAX);
	p = out->data + start;
	*p = DER_SEQUENCE;
	p[2] = DER_INTEGER;
	p[3] = entry->serial.len;
	memcpy(p + 4, entry->serial.octets, entry->serial.len);
	out->len += 4 + entry->serial.len;
	der_put_time(out, entry->revoked_at);
	if (entry->reason != REASON_UNSPECIFIED || entry->invalid_since != 0) {
		exts = out->len;
		out->data[exts] = DER_SEQUENCE;
		out->len += 2;
		if (entry->reason != REASON_UNSPECIFIED) {
			buf_add(out, ext_reason, sizeof(ext_reason));
			buf_add_u8(out, (uint8_t)entry->reason);
		}
		if (entry->invalid_since != 0) {
			buf_add(out, ext_invalidity, sizeof(ext_invalidity));
			der_put_gentime(out, entry->invalid_since);
		}
		out->data[exts + 1] = (uint8_t)(out->len - exts - 2);
	}
	out->data[start + 1] = (uint8_t)(out->len - start - 2);
	return out->len - start;
}

static size_t
crl_header_len(uint64_t len)
{
	uint8_t header[10];

	return der_header(DER_SEQUENCE, len, header);
}

static void
crl_header_put(struct buf *out, uint64_t len)
{
	uint8_t header[10];

	buf_add(out, header, der_header(DER_SEQUENCE, len, header));
}

/* version, signature, issuer, thisUpdate, nextUpdate: what stands before the entries. */
static void
crl_fields_put(struct buf *out, const struct crl_params *params)
{
	der_put_small(out, DER_INTEGER, 1); /* v2 (5.1.2.1) */
	ec_sig_alg_put(out, params->curve);
	buf_add(out, params->issuer.p, params->issuer.len);
	der_put_time(out, params->this_update);
	der_put_time(out, params->next_update);
}

void
crl_head_put(struct buf *out, const struct crl_params *params, uint64_t entries_len, size_t sig_len,
    size_t *tbs_at)
{
	struct buf fields = { 0 }, tail = { 0 }, close = { 0 };
	uint64_t list_len, tbs_len;
	uint8_t header[10];

	crl_fields_put(&fields, params);
	crl_tail_put(&tail, params);
	ec_sig_alg_put(&close, params->curve);

	list_len = entries_len == 0 ? 0 : crl_header_len(entries_len) + entries_len;
	tbs_len = fields.len + list_len + tail.len;
	crl_header_put(out, crl_header_len(tbs_len) + tbs_len + close.len +
				der_header(DER_BIT_STRING, 1 + sig_len, header) + 1 + sig_len);
	*tbs_at = out->len;
	crl_header_put(out, tbs_len);
	buf_add(out, fields.data, fields.len);
	/* An empty list is absent, never an empty SEQUENCE (5.1.2.6). */
	if (entries_len != 0)
		crl_header_put(out, entries_len);

	buf_free(&fields);
	buf_free(&tail);
	buf_free(&close);
}

/* DistributionPointName of one URI, with the tag that both its users give it (4.2.1.13, 5.2.5). */
static void
crl_point_put(struct buf *out, const char *uri)
{
	size_t seq = der_open(out, DER_SEQUENCE), name = der_open(out, DER_CONTEXT(0)),
	       full = der_open(out, DER_CONTEXT(0));

	der_put(out, DER_CONTEXT_PRIM(6), uri, strlen(uri));
	der_close(out, full);
	der_close(out, name);
	der_close(out, seq);
}

/* What makes a list a delta, or one of a part, and where its deltas are. */
static void
crl_scope_put(struct buf *out, const struct crl_params *params)
{
	size_t ext, value, points;

	if (params->base != 0) {
		require(params->base > 0 && params->base < params->number);
		ext = crl_ext_open(out, oid_delta, true, &value);
		der_put_small(out, DER_INTEGER, (unsigned long)params->base);
		crl_ext_close(out, ext, value);
	}
	if (params->shard != NULL) {
		ext = crl_ext_open(out, oid_idp, true, &value);
		crl_point_put(out, params->shard);
		crl_ext_close(out, ext, value);
	}
	if (params->freshest != NULL) {
		require(params->base == 0); /* 5.2.6 */
		ext = crl_ext_open(out, oid_freshest, false, &value);
		points = der_open(out, DER_SEQUENCE);
		crl_point_put(out, params->freshest);
		der_close(out, points);
		crl_ext_close(out, ext, value);
	}
}

void
crl_tail_put(struct buf *out, const struct crl_params *params)
{
	size_t context, exts, ext, value, aki;

	require(params->number > 0);
	context = der_open(out, DER_CONTEXT(0));
	exts = der_open(out, DER_SEQUENCE);

	ext = crl_ext_open(out, oid_aki, false, &value);
	aki = der_open(out, DER_SEQUENCE);
	der_put_span(out, DER_CONTEXT_PRIM(0), params->ski);
	der_close(out, aki);
	crl_ext_close(out, ext, value);

	ext = crl_ext_open(out, oid_number, false, &value);
	der_put_small(out, DER_INTEGER, (unsigned long)params->number);
	crl_ext_close(out, ext, value);
	crl_scope_put(out, params);

	der_close(out, exts);
	der_close(out, context);
}

void
crl_close_put(struct buf *out, enum ec_curve curve, struct span sig)
{
	ec_sig_alg_put(out, curve);
	der_put_octet_bits(out, sig.p, sig.len);
}

int
crl_build(const struct crl_params *params, const struct crl_entry *entries, size_t n,
    const struct signer *signer, struct buf *out, struct err *err)
{
	struct buf list = { 0 }, whole = { 0 };
	size_t tbs_at;
	int r = -1;

	require(params->curve == signer->pub.curve);
	for (size_t i = 0; i < n; i++)
		crl_entry_put(&list, &entries[i]);
	crl_head_put(&whole, params, list.len, 0, &tbs_at);
	if (list.len != 0)
		buf_add(&whole, list.data, list.len);
	crl_tail_put(&whole, params);
	if (sign_wrap(signer, whole.data + tbs_at, whole.len - tbs_at, out, err) == -1)
		goto out;
	r = 0;
out:
	buf_free(&list);
	buf_free(&whole);
	return r;
}
