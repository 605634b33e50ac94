/*
 * Messages between the programs: SOCK_SEQPACKET, one message a packet, at most WIRE_MAX octets.
 *
 * Message: version(1) op(2) id(4) flags(1), then the payload; numbers big-endian. A reply carries
 * the request's op and id; WIRE_MORE says that further messages of the same reply follow; a reply
 * with WIRE_ERROR holds an error. Requests may be pipelined. A frame that breaks these rules
 * closes the peer; a payload that does not decode is an error reply to that request.
 */
#ifndef SMKI_WIRE_H
#define SMKI_WIRE_H

#include <sys/types.h>

#include "smki/buf.h"
#include "smki/err.h"
#include "smki/types.h"

#define WIRE_MAX (128 * 1024)
#define WIRE_VERSION 1
#define WIRE_HEAD 8
#define WIRE_MORE 1u
#define WIRE_ERROR 2u

struct wire_head {
	uint16_t op;
	uint32_t id;
	uint8_t flags;
};

/* Writer onto a buf: start empties it and puts the head; the puts append; the caller sends. */
void wire_start(struct buf *msg, uint16_t op, uint32_t id, uint8_t flags);
/* The id of a started message, for who learns it only when the message is sent. */
void wire_set_id(struct buf *msg, uint32_t id);
void wire_put_u8(struct buf *msg, uint8_t value);
void wire_put_u32(struct buf *msg, uint32_t value);
void wire_put_i64(struct buf *msg, int64_t value);
void wire_put_bytes(struct buf *msg, const void *data, size_t len); /* length(4) octets */
void wire_put_str(struct buf *msg, const char *text);
void wire_put_err(struct buf *msg, const struct err *err);

/* Reader: a failed get makes the cursor bad and yields zero; wire_end tells once at the end. */
struct wire_in {
	const uint8_t *p;
	const uint8_t *end;
	bool bad;
};
/* Version, size and flags; the cursor then stands at the payload. FAIL_INVALID. */
int wire_head_get(const uint8_t *msg, size_t len, struct wire_head *head, struct wire_in *in,
    struct err *err) MUST_USE;
uint8_t wire_get_u8(struct wire_in *in);
uint32_t wire_get_u32(struct wire_in *in);
int64_t wire_get_i64(struct wire_in *in);
struct span wire_get_bytes(struct wire_in *in, size_t max); /* borrowed */
/* Text without NUL inside into out (cap with NUL); longer or with a NUL: bad. */
void wire_get_str(struct wire_in *in, char *out, size_t cap);
void wire_get_err(struct wire_in *in, struct err *out);
/* 0 when everything was read and nothing is left, else FAIL_INVALID "wire: ...". */
int wire_end(const struct wire_in *in, const char *what, struct err *err) MUST_USE;

/* Sockets. A path too long for sun_path: FAIL_INVALID. */
int wire_path_check(const char *path, struct err *err) MUST_USE;
int wire_listen(const char *path, mode_t mode, int *fd, struct err *err) MUST_USE;
/* Nobody there: FAIL_UNAVAILABLE "smkid: no answer at PATH; start it with: smki run". */
int wire_connect(const char *path, int *fd, struct err *err) MUST_USE;
int wire_pair(int fds[2], struct err *err) MUST_USE; /* for an inherited connection */
int wire_peer(int fd, uid_t *uid, pid_t *pid, struct err *err) MUST_USE;
/* Send one message, waiting at most timeout_ms for room; FAIL_UNAVAILABLE when the peer is gone. */
int wire_send(int fd, const struct buf *msg, int timeout_ms, struct err *err) MUST_USE;
/* Receive one message into msg (reset first). timeout_ms -1 = for ever. Peer closed or deadline:
 * FAIL_UNAVAILABLE. Truncated or over WIRE_MAX: FAIL_INVALID. */
int wire_recv(int fd, struct buf *msg, int timeout_ms, struct err *err) MUST_USE;

#endif
