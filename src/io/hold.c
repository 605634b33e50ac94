/*
 * Octets on their way to a file. It knows nothing of what they are.
 */
#include <stdlib.h>
#include <string.h>

#include "smki/mem.h"

#include "hold.h"

void
hold_begin(struct hold *out,
    int (*write)(struct sqlite3_file *file, const void *data, int len, long long at),
    struct sqlite3_file *file)
{
	*out = (struct hold){ .write = write, .file = file, .octets = mem_alloc(HOLD_MAX) };
}

void
hold_end(struct hold *hold)
{
	free(hold->octets);
	*hold = (struct hold){ 0 };
}

int
hold_put(struct hold *hold, const void *data, int len, long long at)
{
	int rc;

	require(len <= HOLD_MAX);
	if (hold->failed != 0)
		return hold->failed;
	if ((at != hold->at + hold->len || len > HOLD_MAX - hold->len) &&
	    (rc = hold_flush(hold)) != 0)
		return rc;
	if (hold->len == 0)
		hold->at = at;
	memcpy(hold->octets + hold->len, data, (size_t)len);
	hold->len += len;
	return 0;
}

int
hold_flush(struct hold *hold)
{
	int len = hold->len;

	hold->len = 0;
	if (hold->failed == 0 && len > 0)
		hold->failed = hold->write(hold->file, hold->octets, len, hold->at);
	return hold->failed;
}

void
hold_drop(struct hold *hold)
{
	hold->len = 0;
	hold->failed = 0;
}
