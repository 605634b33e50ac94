/*
 * The open connections of one listener: whom each waits for, since when and until when. What takes
 * too long is shut down; the HTTP library's thread then sees the end and closes.
 */
#ifndef SMKI_HTTPD_CONNS_H
#define SMKI_HTTPD_CONNS_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

/* Whom a connection waits for. */
enum conn_turn {
	TURN_SHAKING = 0, /* TLS handshake */
	TURN_IDLE,	  /* no request line yet */
	TURN_ASKING,	  /* the rest of a request is to come */
	TURN_OURS,	  /* ours to answer, not the peer's to hurry: no deadline */
	TURN_TAKING,	  /* an answer is on its way */
	TURNS,
};

/* A connection, from its acceptance to its close. Part of what its owner keeps of it. */
struct conn {
	struct conn *prev, *next;
	int fd;
	pthread_mutex_t lock; /* of the following; each has its own, as turns change all the time */
	enum conn_turn turn;
	int64_t since_ms, deadline_ms; /* deadline 0 = none, or it is cut already */
};

struct conns {
	pthread_mutex_t lock; /* of the list */
	struct conn *first;
};

void conns_init(struct conns *conns);
void conns_free(struct conns *conns); /* none is left */

/* From its acceptance; fd stays its owner's, and open until conns_remove. Times are those of
 * clock_mono_ms(); ms = how long this turn may take. */
void conns_add(
    struct conns *conns, struct conn *conn, int fd, enum conn_turn turn, int64_t now, int64_t ms);
void conns_remove(struct conns *conns, struct conn *conn);
/* From now on it waits for turn, this long. */
void conns_turn(struct conn *conn, enum conn_turn turn, int64_t now, int64_t ms);
/* Shut down what is past its deadline, and what is in a turn longer than limit_ms[turn] (-1 = no
 * such limit). Returns how many. */
size_t conns_cut(struct conns *conns, const int64_t limit_ms[TURNS], int64_t now);

#endif
