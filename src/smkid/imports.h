/*
 * Imports of devices on their way, each belonging to the connection that began it. With its
 * connection an import that was not finished ends; what such imports leave in the database, also
 * those of a process before this one, is removed in pieces, and nobody waits for more than one.
 */
#ifndef SMKID_IMPORTS_H
#define SMKID_IMPORTS_H

#include <pthread.h>

#include "smki/register.h"
#include "smkid.h"

/* Imports under way or waiting to begin. */
#define IMPORTS_MAX 4
/* Pieces of one import that arrived and are not answered. */
#define IMPORTS_CHUNKS_MAX 4
/* Pieces, of all imports, that are in the committer's queue: a state change waits for these. */
#define IMPORTS_COMMIT_MAX 2
/* Rows removed in one transaction. */
#define IMPORTS_SWEEP_ROWS 500
/* How long a begin waits for the removal of what others left behind. */
#define IMPORTS_WAIT_MS 110000

enum slot_state {
	SLOT_FREE = 0,
	SLOT_LOADING,	/* its names are being read */
	SLOT_WAITING,	/* for the removal of what others left */
	SLOT_BEGINNING, /* in the committer's queue */
	SLOT_OPEN,
};

/* One import on its way. */
struct slot {
	enum slot_state state;
	const struct conn *conn; /* NULL: gone */
	struct request *req;	 /* the begin, as long as it is not answered */
	char name[DETAIL_LEN];
	int64_t wait_by_ms;
	int64_t import;
	unsigned chunks; /* on their way */
	bool refused;	 /* a row of it was: it is never finished */
	struct register_names names;
};

struct imports {
	struct smkid *smkid;
	pthread_mutex_t lock; /* of all below */
	struct slot slot[IMPORTS_MAX];
	unsigned committing;	    /* pieces in the committer's queue */
	struct chunk *first, *last; /* prepared, waiting for it; ops_import.c's */
	bool left; /* unfinished imports may be in the database that no slot is of */
	bool sweeping;
	char cause[ERR_MSG_MAX]; /* why the newest removal failed, "" = it did not */
	/* The committer's thread's, while sweeping. */
	struct commit_job sweep;
	int64_t dropped; /* removed whole; 0 = none */
	bool more;
};

struct imports *imports_new(struct smkid *smkid);
void imports_free(struct imports *imports);
/* The keeper's thread, about every second: starts the removal of what is left, ends waits. */
void imports_tick(struct imports *imports, bool stopping);
/* The epoll thread: this connection is closed. */
void imports_gone(struct imports *imports, const struct conn *conn);
/* Begin an import for this request, which is answered with its number, when nothing is in its way
 * any more. -1: too many are under way (FAIL_LIMIT); the request is then the caller's. */
int imports_begin(
    struct imports *imports, struct request *req, const char *name, struct err *err) MUST_USE;
/* Lock held. The open import of this number and connection, NULL = whosever; or NULL. */
struct slot *imports_find(struct imports *imports, int64_t import, const struct conn *conn);
/* Its connection has done with it: what of it is in the database is removed. -1: there is none
 * such (FAIL_NOT_FOUND). */
int imports_drop(
    struct imports *imports, int64_t import, const struct conn *conn, struct err *err) MUST_USE;
int imports_none(int64_t import, struct err *err); /* sets that error */

#endif
