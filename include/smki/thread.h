/*
 * Threads as the services want them.
 */
#ifndef SMKI_THREAD_H
#define SMKI_THREAD_H

/*
 * The calling thread works through what others queue for it: from now on its wake-ups do not
 * interrupt whoever is at work on that core (SCHED_BATCH, sched(7)). Each such interruption costs a
 * switch there and back, and throughput is what counts here. Its share of the cores stays the same.
 * Nothing but speed rests on it: where the system refuses, nothing changes.
 */
void thread_batch(void);

#endif
