/*
 * Values and database rows inside a message, for the payloads of admin.c. Each get leaves the
 * verdict to wire_end: what is out of range makes the cursor bad.
 */
#ifndef SMKI_PAYLOAD_H
#define SMKI_PAYLOAD_H

#include "smki/issue.h"
#include "smki/lifecycle.h"
#include "smki/store.h"
#include "smki/wire.h"

void payload_bool_put(struct buf *msg, bool value);
bool payload_bool_get(struct wire_in *in); /* 0 or 1 */
/* 0..TIME_NO_EXPIRY */
void payload_time_put(struct buf *msg, time_t value);
time_t payload_time_get(struct wire_in *in);
/* A number that is never negative: ids, counts. */
int64_t payload_count_get(struct wire_in *in);
/* Exactly len octets. */
void payload_octets_get(struct wire_in *in, uint8_t *out, size_t len);
/* At most max octets, copied into out; nothing is added when the cursor is bad. */
void payload_buf_get(struct wire_in *in, size_t max, struct buf *out);

void payload_serial_put(struct buf *msg, const struct serial *serial);
void payload_serial_get(struct wire_in *in, bool may_be_empty, struct serial *out);
void payload_device_put(struct buf *msg, const struct eui64 *device);
void payload_device_get(struct wire_in *in, struct eui64 *out);
void payload_holder_put(struct buf *msg, const struct holder *holder);
void payload_holder_get(struct wire_in *in, struct holder *out);
enum cert_state payload_state_get(struct wire_in *in);
enum crl_reason payload_reason_get(struct wire_in *in);

void payload_change_put(struct buf *msg, const struct change *change);
void payload_change_get(struct wire_in *in, struct change *out);
void payload_event_put(struct buf *msg, const struct store_event *event);
void payload_event_get(struct wire_in *in, struct store_event *out);
void payload_crl_put(struct buf *msg, const struct store_crl *crl);
void payload_crl_get(struct wire_in *in, struct store_crl *out);
/* Without not_after and key. The reader leaves what it got in out->der, also when the cursor is
 * bad. */
void payload_issued_put(struct buf *msg, const struct issue_result *result);
void payload_issued_get(struct wire_in *in, struct issue_result *out);
void payload_listed_put(struct buf *msg, const struct store_listed *listed);
void payload_listed_get(struct wire_in *in, struct store_listed *out);

#endif
