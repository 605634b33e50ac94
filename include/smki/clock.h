/*
 * The clocks of the machine. core never includes this: it is handed the time.
 */
#ifndef SMKI_CLOCK_H
#define SMKI_CLOCK_H

#include <pthread.h>
#include <stdint.h>
#include <time.h>

time_t clock_now(void);	       /* CLOCK_REALTIME, seconds */
void clock_pause(void);	       /* what is left of its second, or less */
time_t clock_boot(void);       /* CLOCK_BOOTTIME, seconds */
int64_t clock_mono_ms(void);   /* CLOCK_MONOTONIC, milliseconds: deadlines */
int64_t clock_mono_us(void);   /* the same in microseconds: measurements */
int64_t clock_thread_us(void); /* microseconds that the calling thread was on a core */

/* The moment this long from now on CLOCK_MONOTONIC, for pthread_cond_timedwait. */
struct timespec clock_mono_after(int64_t ms);
/* A condition that is waited for until such a moment; for pthread_cond_destroy. */
void clock_cond_init(pthread_cond_t *cond);

#endif
