/*
 * The time of a record. Writes nothing: the caller's transaction does.
 */
#include "record.h"
#include "smki/clock.h"
#include "smki/timerule.h"

int
record_actor(
    struct store *store, long uid, const char *detail, struct store_actor *out, struct err *err)
{
	int64_t newest;
	time_t time;

	/* From the transaction, not from the time guard: a job before this one in the same group
	 * may have recorded a later second than the clock shows now, or accepted an earlier one. */
	if (store_event_newest(store, &newest, &time, err) != 0)
		return -1;
	*out = (struct store_actor){
		.uid = uid,
		.now = clock_record_time(clock_now(), time),
		.detail = detail,
	};
	return 0;
}
