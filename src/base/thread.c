/*
 * Threads as the services want them.
 */
#include "smki/thread.h"

#include <sched.h>

void
thread_batch(void)
{
	const struct sched_param none = { 0 };

	/* On Linux 0 is this thread, not its process. */
	(void)sched_setscheduler(0, SCHED_BATCH, &none);
}
