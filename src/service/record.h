/*
 * Who and when of a row about to be written, for the services of this folder.
 */
#ifndef SERVICE_RECORD_H
#define SERVICE_RECORD_H

#include "smki/store.h"

/*
 * Inside a transaction: the actor with the time to record. Never before the newest event of this
 * very transaction, whatever the clock did since (schema: events stand in order of time); the
 * caller tells the time guard after COMMIT. detail is borrowed, NULL = none.
 */
int record_actor(struct store *store, long uid, const char *detail, struct store_actor *out,
    struct err *err) MUST_USE;

#endif
