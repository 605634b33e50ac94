/*
 * Locks as the services want them.
 */
#include "smki/lock.h"

#include "smki/mem.h"

void
lock_init(pthread_rwlock_t *lock)
{
	pthread_rwlockattr_t attr;

	require(pthread_rwlockattr_init(&attr) == 0);
	/* The library's own choice lets readers pass a waiting writer for ever. */
	require(pthread_rwlockattr_setkind_np(
		    &attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP) == 0);
	require(pthread_rwlock_init(lock, &attr) == 0);
	pthread_rwlockattr_destroy(&attr);
}
