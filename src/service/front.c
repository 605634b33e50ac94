/*
 * Payloads of the operations on front.sock. Both ends may be the other's enemy: the front may be
 * taken over, so sizes, ranges and characters are checked here, whoever sent them. What they mean
 * is not judged.
 */
#include <ctype.h>
#include <string.h>

#include <openssl/crypto.h>

#include "payload.h"
#include "smki/csr.h"
#include "smki/front.h"

/* Refusals that one message may tell of in one row. */
#define FRONT_COUNT_MAX 1000000000

/* A numeric address, "" = unknown: it becomes a row's key. */
static void
front_address_get(struct wire_in *in, char *out, size_t cap)
{
	wire_get_str(in, out, cap);
	for (const char *c = out; *c != '\0'; c++)
		if (!isalnum((unsigned char)*c) && strchr(".:%", *c) == NULL)
			in->bad = true;
}

static enum refusal
front_reason_get(struct wire_in *in)
{
	uint8_t value = wire_get_u8(in);

	if (value > REFUSAL_NONE && value < REFUSALS)
		return (enum refusal)value;
	in->bad = true;
	return REFUSAL_NONE;
}

static void
front_statement_put(struct buf *msg, const struct statement *statement)
{
	payload_device_put(msg, &statement->eui);
	wire_put_str(msg, statement->hw_type);
	wire_put_str(msg, statement->model);
	wire_put_str(msg, statement->firmware);
	payload_time_put(msg, statement->time);
	wire_put_str(msg, statement->country);
	payload_bool_put(msg, statement->has_position);
	wire_put_i64(msg, statement->latitude);
	wire_put_i64(msg, statement->longitude);
}

static int32_t
front_degrees_get(struct wire_in *in)
{
	int64_t value = wire_get_i64(in);

	if (value >= -180000000 && value <= 180000000)
		return (int32_t)value;
	in->bad = true;
	return 0;
}

static void
front_statement_get(struct wire_in *in, struct statement *out)
{
	payload_device_get(in, &out->eui);
	wire_get_str(in, out->hw_type, sizeof(out->hw_type));
	wire_get_str(in, out->model, sizeof(out->model));
	wire_get_str(in, out->firmware, sizeof(out->firmware));
	out->time = payload_time_get(in);
	wire_get_str(in, out->country, sizeof(out->country));
	out->has_position = payload_bool_get(in);
	out->latitude = front_degrees_get(in);
	out->longitude = front_degrees_get(in);
}

void
front_enrol_put(struct buf *msg, const struct enrol_request *request)
{
	wire_put_u8(msg, (uint8_t)request->kind);
	wire_put_str(msg, request->profile);
	wire_put_bytes(msg, request->csr.data, request->csr.len);
	wire_put_u32(msg, (uint32_t)request->n_chain);
	for (size_t i = 0; i < request->n_chain; i++)
		wire_put_bytes(msg, request->chain[i].data, request->chain[i].len);
	payload_bool_put(msg, request->has_secret);
	if (request->has_secret) {
		payload_device_put(msg, &request->secret_eui);
		wire_put_str(msg, request->secret);
	}
	payload_bool_put(msg, request->has_statement);
	if (request->has_statement) {
		front_statement_put(msg, &request->statement);
		wire_put_bytes(msg, request->signature.data, request->signature.len);
	}
	wire_put_str(msg, request->address);
}

static enum enrol_kind
front_kind_get(struct wire_in *in)
{
	uint8_t value = wire_get_u8(in);

	if (value >= ENROL_FIRST && value <= ENROL_SERVER_KEY)
		return (enum enrol_kind)value;
	in->bad = true;
	return ENROL_FIRST;
}

static void
front_chain_get(struct wire_in *in, struct enrol_request *out)
{
	uint32_t n = wire_get_u32(in);

	if (n > ANCHOR_CHAIN_MAX) {
		in->bad = true;
		return;
	}
	for (out->n_chain = 0; out->n_chain < n && !in->bad; out->n_chain++) {
		payload_buf_get(in, ANCHOR_CERT_MAX, &out->chain[out->n_chain]);
		if (out->chain[out->n_chain].len == 0)
			in->bad = true;
	}
}

int
front_enrol_get(struct wire_in *in, struct enrol_request *out, struct err *err)
{
	memset(out, 0, sizeof(*out));
	out->kind = front_kind_get(in);
	wire_get_str(in, out->profile, sizeof(out->profile));
	payload_buf_get(in, CSR_TEXT_MAX, &out->csr);
	front_chain_get(in, out);
	out->has_secret = payload_bool_get(in);
	if (out->has_secret) {
		payload_device_get(in, &out->secret_eui);
		wire_get_str(in, out->secret, sizeof(out->secret));
	}
	out->has_statement = payload_bool_get(in);
	if (out->has_statement) {
		front_statement_get(in, &out->statement);
		payload_buf_get(in, ENROL_SIG_MAX, &out->signature);
	}
	front_address_get(in, out->address, sizeof(out->address));
	if (wire_end(in, "enrolment", err) == 0)
		return 0;
	enrol_request_free(out);
	return -1;
}

void
front_enrolled_put(struct buf *msg, const struct enrol_answer *answer)
{
	wire_put_u8(msg, (uint8_t)answer->outcome);
	switch (answer->outcome) {
	case ENROL_ISSUED:
		payload_issued_put(msg, &answer->issued);
		wire_put_bytes(msg, answer->key.data, answer->key.len);
		wire_put_str(msg, answer->region);
		payload_time_put(msg, answer->not_after);
		break;
	case ENROL_PENDING:
		break;
	case ENROL_REFUSED:
		wire_put_u8(msg, (uint8_t)answer->reason);
		wire_put_err(msg, &answer->err);
		break;
	}
}

int
front_enrolled_get(struct wire_in *in, struct enrol_answer *out, struct err *err)
{
	uint8_t outcome = wire_get_u8(in);

	memset(out, 0, sizeof(*out));
	switch (outcome) {
	case ENROL_ISSUED:
		payload_issued_get(in, &out->issued);
		payload_buf_get(in, ENROL_KEY_MAX, &out->key);
		wire_get_str(in, out->region, sizeof(out->region));
		out->not_after = payload_time_get(in);
		out->issued.not_after = out->not_after;
		break;
	case ENROL_PENDING:
		break;
	case ENROL_REFUSED:
		out->reason = front_reason_get(in);
		wire_get_err(in, &out->err);
		break;
	default: /* an octet, not yet an enum */
		in->bad = true;
	}
	if (wire_end(in, "answer to an enrolment", err) == 0) {
		out->outcome = (enum enrol_outcome)outcome;
		return 0;
	}
	enrol_answer_free(out);
	return -1;
}

void
front_token_put(struct buf *msg, const struct access_request *request)
{
	wire_put_bytes(msg, request->der.data, request->der.len);
	wire_put_str(msg, request->scope);
	wire_put_str(msg, request->client);
	wire_put_str(msg, request->address);
}

int
front_token_get(struct wire_in *in, struct access_request *out, struct err *err)
{
	memset(out, 0, sizeof(*out));
	payload_buf_get(in, ANCHOR_CERT_MAX, &out->der);
	wire_get_str(in, out->scope, sizeof(out->scope));
	wire_get_str(in, out->client, sizeof(out->client));
	front_address_get(in, out->address, sizeof(out->address));
	if (wire_end(in, "request for an access token", err) == 0)
		return 0;
	buf_free(&out->der);
	return -1;
}

void
front_access_put(struct buf *msg, const struct access_answer *answer)
{
	payload_bool_put(msg, answer->refused);
	if (answer->refused) {
		wire_put_u8(msg, (uint8_t)answer->reason);
		wire_put_err(msg, &answer->err);
		return;
	}
	wire_put_str(msg, answer->token);
	wire_put_str(msg, answer->scope);
	wire_put_i64(msg, answer->expires_in);
}

int
front_access_get(struct wire_in *in, struct access_answer *out, struct err *err)
{
	memset(out, 0, sizeof(*out));
	out->refused = payload_bool_get(in);
	if (out->refused) {
		out->reason = front_reason_get(in);
		wire_get_err(in, &out->err);
	} else {
		wire_get_str(in, out->token, sizeof(out->token));
		wire_get_str(in, out->scope, sizeof(out->scope));
		out->expires_in = (long)payload_count_get(in);
	}
	if (wire_end(in, "access token", err) == 0)
		return 0;
	OPENSSL_cleanse(out, sizeof(*out));
	return -1;
}

void
front_refused_put(struct buf *msg, const struct front_refused *refused)
{
	wire_put_u32(msg, (uint32_t)refused->n);
	for (size_t i = 0; i < refused->n; i++) {
		wire_put_str(msg, refused->row[i].who);
		wire_put_u8(msg, (uint8_t)refused->row[i].reason);
		wire_put_i64(msg, refused->row[i].n);
	}
}

int
front_refused_get(struct wire_in *in, struct front_refused *out, struct err *err)
{
	uint32_t n = wire_get_u32(in);

	if (n > FRONT_REFUSED_MAX)
		in->bad = true;
	for (out->n = 0; out->n < n && !in->bad; out->n++) {
		front_address_get(in, out->row[out->n].who, sizeof(out->row[out->n].who));
		out->row[out->n].reason = front_reason_get(in);
		out->row[out->n].n = payload_count_get(in);
		if (out->row[out->n].n < 1 || out->row[out->n].n > FRONT_COUNT_MAX)
			in->bad = true;
	}
	return wire_end(in, "refusals", err);
}
