/*
 * Payloads of the operations on smkid's sockets: for each struct one function that writes it and
 * one that reads it, line for line alike. Reads what a peer sent: sizes and ranges are checked
 * here, meanings are not. Who asks is never read from a message: the socket tells.
 */
#include <stdlib.h>
#include <string.h>

#include "payload.h"
#include "smki/admin.h"
#include "smki/csr.h"

void
admin_hello_put(struct buf *msg, const struct admin_hello *hello)
{
	wire_put_str(msg, hello->version);
	wire_put_u8(msg, (uint8_t)hello->role);
	wire_put_i64(msg, hello->uid);
}

int
admin_hello_get(struct wire_in *in, struct admin_hello *out, struct err *err)
{
	struct admin_hello hello = { 0 };
	uint8_t role;

	wire_get_str(in, hello.version, sizeof(hello.version));
	role = wire_get_u8(in);
	if (role > ROLE_ADMINISTRATOR)
		in->bad = true;
	else
		hello.role = (enum role)role;
	hello.uid = wire_get_i64(in);
	if (wire_end(in, "hello", err) != 0)
		return -1;
	*out = hello;
	return 0;
}

void
admin_name_put(struct buf *msg, const struct admin_name *name)
{
	wire_put_str(msg, name->ca);
}

int
admin_name_get(struct wire_in *in, struct admin_name *out, struct err *err)
{
	struct admin_name name = { 0 };

	wire_get_str(in, name.ca, sizeof(name.ca));
	if (wire_end(in, "ca name", err) != 0)
		return -1;
	*out = name;
	return 0;
}

void
admin_crl_ask_put(struct buf *msg, const struct admin_crl_ask *ask)
{
	wire_put_str(msg, ask->ca);
	wire_put_u8(msg, (uint8_t)ask->kind);
	wire_put_i64(msg, ask->shard);
}

int
admin_crl_ask_get(struct wire_in *in, struct admin_crl_ask *out, struct err *err)
{
	struct admin_crl_ask ask = { .kind = CRL_COMPLETE };

	wire_get_str(in, ask.ca, sizeof(ask.ca));
	ask.kind = (enum crl_kind)wire_get_u8(in);
	ask.shard = payload_count_get(in);
	if (ask.kind < CRL_COMPLETE || ask.kind > CRL_SHARD ||
	    (ask.kind != CRL_SHARD && ask.shard != 0))
		in->bad = true;
	if (wire_end(in, "list asked for", err) != 0)
		return -1;
	*out = ask;
	return 0;
}

void
admin_find_put(struct buf *msg, const struct admin_find *find)
{
	payload_bool_put(msg, find->by_device);
	payload_bool_put(msg, find->der);
	wire_put_str(msg, find->ca);
	payload_serial_put(msg, &find->serial);
	payload_device_put(msg, &find->device);
}

int
admin_find_get(struct wire_in *in, struct admin_find *out, struct err *err)
{
	struct admin_find find = { 0 };

	find.by_device = payload_bool_get(in);
	find.der = payload_bool_get(in);
	wire_get_str(in, find.ca, sizeof(find.ca));
	payload_serial_get(in, find.by_device, &find.serial);
	payload_device_get(in, &find.device);
	if (wire_end(in, "what to show", err) != 0)
		return -1;
	*out = find;
	return 0;
}

void
admin_cert_put(struct buf *msg, const struct store_cert *cert)
{
	wire_put_i64(msg, cert->id);
	wire_put_i64(msg, cert->ca);
	wire_put_str(msg, cert->ca_name);
	payload_serial_put(msg, &cert->serial);
	wire_put_str(msg, cert->profile);
	payload_holder_put(msg, &cert->holder);
	wire_put_u8(msg, (uint8_t)cert->use);
	wire_put_bytes(msg, cert->key_hash, sizeof(cert->key_hash));
	payload_time_put(msg, cert->not_before);
	payload_time_put(msg, cert->not_after);
	wire_put_i64(msg, cert->replaces);
	wire_put_u8(msg, (uint8_t)cert->state);
	wire_put_u8(msg, (uint8_t)cert->reason);
	payload_time_put(msg, cert->changed);
	payload_time_put(msg, cert->invalid_since);
	wire_put_i64(msg, cert->event);
}

void
admin_cert_get(struct wire_in *in, struct store_cert *out)
{
	uint8_t use;

	memset(out, 0, sizeof(*out));
	out->id = payload_count_get(in);
	out->ca = payload_count_get(in);
	wire_get_str(in, out->ca_name, sizeof(out->ca_name));
	payload_serial_get(in, false, &out->serial);
	wire_get_str(in, out->profile, sizeof(out->profile));
	payload_holder_get(in, &out->holder);
	use = wire_get_u8(in);
	if (use < USE_SIGNATURE || use > USE_SERVER)
		in->bad = true;
	else
		out->use = (enum key_use)use;
	payload_octets_get(in, out->key_hash, sizeof(out->key_hash));
	out->not_before = payload_time_get(in);
	out->not_after = payload_time_get(in);
	out->replaces = payload_count_get(in);
	out->state = payload_state_get(in);
	out->reason = payload_reason_get(in);
	out->changed = payload_time_get(in);
	out->invalid_since = payload_time_get(in);
	out->event = payload_count_get(in);
}

void
admin_found_put(struct buf *msg, const struct admin_found *found)
{
	admin_cert_put(msg, &found->cert);
	wire_put_bytes(msg, found->der.data, found->der.len);
	wire_put_u32(msg, (uint32_t)found->n_events);
	for (size_t i = 0; i < found->n_events; i++)
		payload_event_put(msg, &found->event[i]);
}

int
admin_found_get(struct wire_in *in, struct admin_found *out, struct err *err)
{
	memset(out, 0, sizeof(*out));
	admin_cert_get(in, &out->cert);
	payload_buf_get(in, CERT_DER_MAX, &out->der);
	out->n_events = wire_get_u32(in);
	if (out->n_events > ADMIN_EVENTS_MAX)
		in->bad = true;
	for (size_t i = 0; i < out->n_events && !in->bad; i++)
		payload_event_get(in, &out->event[i]);
	if (wire_end(in, "certificate found", err) == 0)
		return 0;
	admin_found_free(out);
	return -1;
}

void
admin_found_free(struct admin_found *found)
{
	buf_free(&found->der);
	memset(found, 0, sizeof(*found));
}

void
admin_list_put(struct buf *msg, const struct admin_list *list)
{
	payload_bool_put(msg, list->by_state);
	wire_put_u8(msg, (uint8_t)list->state);
	wire_put_str(msg, list->ca);
	payload_bool_put(msg, list->by_device);
	payload_device_put(msg, &list->device);
	payload_time_put(msg, list->since);
	wire_put_i64(msg, list->limit);
}

int
admin_list_get(struct wire_in *in, struct admin_list *out, struct err *err)
{
	struct admin_list list = { 0 };

	list.by_state = payload_bool_get(in);
	list.state = payload_state_get(in);
	wire_get_str(in, list.ca, sizeof(list.ca));
	list.by_device = payload_bool_get(in);
	payload_device_get(in, &list.device);
	list.since = payload_time_get(in);
	list.limit = payload_count_get(in);
	if (wire_end(in, "what to list", err) != 0)
		return -1;
	*out = list;
	return 0;
}

void
admin_status_put(struct buf *msg, const struct admin_status *status)
{
	wire_put_str(msg, status->version);
	wire_put_i64(msg, status->pid);
	payload_time_put(msg, status->started);
	payload_time_put(msg, status->now);
	wire_put_i64(msg, status->event);
	payload_bool_put(msg, status->token_ready);
	wire_put_u32(msg, status->queue);
	wire_put_str(msg, status->alarm);
	wire_put_i64(msg, status->refused);
	wire_put_u32(msg, status->imports);
	payload_time_put(msg, status->server_until);
}

int
admin_status_get(struct wire_in *in, struct admin_status *out, struct err *err)
{
	struct admin_status status = { 0 };

	wire_get_str(in, status.version, sizeof(status.version));
	status.pid = payload_count_get(in);
	status.started = payload_time_get(in);
	status.now = payload_time_get(in);
	status.event = payload_count_get(in);
	status.token_ready = payload_bool_get(in);
	status.queue = wire_get_u32(in);
	wire_get_str(in, status.alarm, sizeof(status.alarm));
	status.refused = payload_count_get(in);
	status.imports = wire_get_u32(in);
	status.server_until = payload_time_get(in);
	if (wire_end(in, "status", err) != 0)
		return -1;
	*out = status;
	return 0;
}

void
admin_ca_put(struct buf *msg, const struct admin_ca *ca)
{
	wire_put_str(msg, ca->name);
	wire_put_str(msg, ca->parent);
	payload_bool_put(msg, ca->key_bound);
	wire_put_i64(msg, ca->tally.valid);
	wire_put_i64(msg, ca->tally.hold);
	wire_put_i64(msg, ca->tally.revoked);
	payload_bool_put(msg, ca->has_crl);
	payload_crl_put(msg, &ca->crl);
	wire_put_bytes(msg, ca->der.data, ca->der.len);
	wire_put_bytes(msg, ca->responder.data, ca->responder.len);
}

int
admin_ca_get(struct wire_in *in, struct admin_ca *out, struct err *err)
{
	memset(out, 0, sizeof(*out));
	wire_get_str(in, out->name, sizeof(out->name));
	wire_get_str(in, out->parent, sizeof(out->parent));
	out->key_bound = payload_bool_get(in);
	out->tally.valid = payload_count_get(in);
	out->tally.hold = payload_count_get(in);
	out->tally.revoked = payload_count_get(in);
	out->has_crl = payload_bool_get(in);
	payload_crl_get(in, &out->crl);
	payload_buf_get(in, CERT_DER_MAX, &out->der);
	payload_buf_get(in, CERT_DER_MAX, &out->responder);
	if (wire_end(in, "ca", err) == 0)
		return 0;
	admin_ca_free(out);
	return -1;
}

void
admin_ca_free(struct admin_ca *ca)
{
	buf_free(&ca->der);
	buf_free(&ca->responder);
	memset(ca, 0, sizeof(*ca));
}

void
admin_crl_begin_put(struct buf *msg, const struct admin_crl_begin *begin)
{
	wire_put_i64(msg, begin->number);
	wire_put_i64(msg, begin->event);
	wire_put_bytes(msg, begin->der.data, begin->der.len);
	wire_put_u32(msg, (uint32_t)begin->n);
	for (size_t i = 0; i < begin->n; i++)
		payload_listed_put(msg, &begin->entry[i]);
}

int
admin_crl_begin_get(struct wire_in *in, struct admin_crl_begin *out, struct err *err)
{
	memset(out, 0, sizeof(*out));
	out->number = payload_count_get(in);
	out->event = payload_count_get(in);
	payload_buf_get(in, CERT_DER_MAX, &out->der);
	out->n = wire_get_u32(in);
	if (out->n > ADMIN_ROOT_ENTRIES_MAX)
		in->bad = true;
	for (size_t i = 0; i < out->n && !in->bad; i++)
		payload_listed_get(in, &out->entry[i]);
	if (wire_end(in, "crl to sign", err) == 0)
		return 0;
	admin_crl_begin_free(out);
	return -1;
}

void
admin_crl_begin_free(struct admin_crl_begin *begin)
{
	buf_free(&begin->der);
	memset(begin, 0, sizeof(*begin));
}

void
admin_crl_put_put(struct buf *msg, const struct admin_crl_put *put)
{
	wire_put_str(msg, put->ca);
	wire_put_i64(msg, put->number);
	wire_put_i64(msg, put->event);
	wire_put_bytes(msg, put->der.data, put->der.len);
}

int
admin_crl_put_get(struct wire_in *in, struct admin_crl_put *out, struct err *err)
{
	memset(out, 0, sizeof(*out));
	wire_get_str(in, out->ca, sizeof(out->ca));
	out->number = payload_count_get(in);
	out->event = payload_count_get(in);
	payload_buf_get(in, WIRE_MAX, &out->der);
	if (wire_end(in, "crl signed", err) == 0)
		return 0;
	admin_crl_put_free(out);
	return -1;
}

void
admin_crl_put_free(struct admin_crl_put *put)
{
	buf_free(&put->der);
	memset(put, 0, sizeof(*put));
}

void
admin_crl_row_put(struct buf *msg, const struct store_crl *crl)
{
	payload_crl_put(msg, crl);
}

int
admin_crl_row_get(struct wire_in *in, struct store_crl *out, struct err *err)
{
	struct store_crl crl = { 0 };

	payload_crl_get(in, &crl);
	if (wire_end(in, "crl", err) != 0)
		return -1;
	*out = crl;
	return 0;
}

void
admin_issue_put(struct buf *msg, const struct issue_request *request)
{
	wire_put_str(msg, request->profile);
	wire_put_str(msg, request->ca);
	payload_bool_put(msg, request->by_device);
	payload_device_put(msg, &request->device);
	payload_bool_put(msg, request->on_hold);
	payload_bool_put(msg, request->replace);
	wire_put_bytes(msg, request->csr.data, request->csr.len);
}

int
admin_issue_get(struct wire_in *in, struct issue_request *out, struct err *err)
{
	memset(out, 0, sizeof(*out));
	out->uid = ACTOR_SELF;
	wire_get_str(in, out->profile, sizeof(out->profile));
	wire_get_str(in, out->ca, sizeof(out->ca));
	out->by_device = payload_bool_get(in);
	payload_device_get(in, &out->device);
	out->on_hold = payload_bool_get(in);
	out->replace = payload_bool_get(in);
	payload_buf_get(in, CSR_TEXT_MAX, &out->csr);
	if (wire_end(in, "request to issue", err) == 0)
		return 0;
	buf_free(&out->csr);
	return -1;
}

void
admin_issued_put(struct buf *msg, const struct issue_result *result)
{
	payload_issued_put(msg, result);
}

int
admin_issued_get(struct wire_in *in, struct issue_result *out, struct err *err)
{
	memset(out, 0, sizeof(*out));
	payload_issued_get(in, out);
	if (wire_end(in, "certificate issued", err) == 0)
		return 0;
	buf_free(&out->der);
	return -1;
}

void
admin_change_put(struct buf *msg, const struct status_request *request)
{
	wire_put_str(msg, request->ca);
	payload_serial_put(msg, &request->serial);
	payload_change_put(msg, &request->change);
	wire_put_str(msg, request->detail);
}

int
admin_change_get(struct wire_in *in, struct status_request *out, struct err *err)
{
	struct status_request request = { .uid = ACTOR_SELF };

	wire_get_str(in, request.ca, sizeof(request.ca));
	payload_serial_get(in, false, &request.serial);
	payload_change_get(in, &request.change);
	wire_get_str(in, request.detail, sizeof(request.detail));
	if (wire_end(in, "state change", err) != 0)
		return -1;
	*out = request;
	return 0;
}

void
admin_changed_put(struct buf *msg, const struct status_result *result)
{
	payload_bool_put(msg, result->already);
	admin_cert_put(msg, &result->cert);
}

int
admin_changed_get(struct wire_in *in, struct status_result *out, struct err *err)
{
	struct status_result result = { 0 };

	result.already = payload_bool_get(in);
	admin_cert_get(in, &result.cert);
	if (wire_end(in, "state", err) != 0)
		return -1;
	*out = result;
	return 0;
}
