/*
 * What the front knows from the policies folder: manufacturers, regions, profiles. Read again when
 * the files change; a reading holds it still.
 */
#ifndef SMKI_HTTPD_FRONT_DATA_H
#define SMKI_HTTPD_FRONT_DATA_H

#include "smki/manufacturers.h"
#include "smki/region.h"

struct front_data;

/* Load all of it; what is wrong is told by file. No manufacturers and no regions are fine. home is
 * borrowed. */
int front_data_load(const struct home *home, struct front_data **out, struct err *err) MUST_USE;
void front_data_free(struct front_data *data);
/*
 * Look whether a file of the folder changed, and load again then: *changed. -1 leaves what was
 * there; the same change is not tried, hence not told, again. One thread.
 */
int front_data_reload(struct front_data *data, bool *changed, struct err *err) MUST_USE;

/* What stands between these two is of one reading and stays. Any thread. */
struct front_view {
	const struct anchors *anchors;
	const struct regions *regions; /* NULL = none */
	const struct profiles *profiles;
	uint64_t reading; /* counts them */
};
void front_data_hold(struct front_data *data, struct front_view *out);
void front_data_release(struct front_data *data);

#endif
