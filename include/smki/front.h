/*
 * The operations of front.sock and their payloads: what a smki-httpd may ask of smkid, and nothing
 * else. Rules as in admin.h: put appends to a started message, get reads a whole payload.
 */
#ifndef SMKI_FRONT_H
#define SMKI_FRONT_H

#include "smki/access.h"
#include "smki/enrol.h"
#include "smki/wire.h"

/* Numbers are on the wire: never reuse one. */
enum front_op {
	FRONT_HELLO = 1,   /* -> struct admin_hello */
	FRONT_ENROL = 2,   /* struct enrol_request -> struct enrol_answer (refusals too) */
	FRONT_TOKEN = 3,   /* struct access_request -> struct access_answer (refusals too) */
	FRONT_REFUSED = 4, /* struct front_refused -> nothing */
};

/* What the front refused by itself, summed up. */
#define FRONT_REFUSED_MAX 256
struct front_refused {
	size_t n;
	struct {
		char who[STORE_REFUSED_LEN]; /* address */
		enum refusal reason;
		int64_t n;
	} row[FRONT_REFUSED_MAX];
};

void front_enrol_put(struct buf *msg, const struct enrol_request *request);
int front_enrol_get(struct wire_in *in, struct enrol_request *out, struct err *err) MUST_USE;
void front_enrolled_put(struct buf *msg, const struct enrol_answer *answer);
int front_enrolled_get(struct wire_in *in, struct enrol_answer *out, struct err *err) MUST_USE;
void front_token_put(struct buf *msg, const struct access_request *request);
int front_token_get(struct wire_in *in, struct access_request *out, struct err *err) MUST_USE;
void front_access_put(struct buf *msg, const struct access_answer *answer);
int front_access_get(struct wire_in *in, struct access_answer *out, struct err *err) MUST_USE;
void front_refused_put(struct buf *msg, const struct front_refused *refused);
int front_refused_get(struct wire_in *in, struct front_refused *out, struct err *err) MUST_USE;

#endif
