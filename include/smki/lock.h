/*
 * Locks as the services want them.
 */
#ifndef SMKI_LOCK_H
#define SMKI_LOCK_H

#include <pthread.h>

/*
 * A lock that many read and few write, where readers who come in an unbroken row do not keep a
 * writer out: while one waits, further readers wait behind it. So nobody may read-lock it twice.
 */
void lock_init(pthread_rwlock_t *lock);

#endif
