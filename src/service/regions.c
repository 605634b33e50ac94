/*
 * The regions of a home, from their file. What stands in it is judged by core.
 */
#include "smki/conf.h"
#include "smki/file.h"
#include "smki/manufacturers.h"
#include "smki/regions.h"

int
regions_load(const struct home *home, struct regions **out, struct err *err)
{
	char path[HOME_PATH_MAX];
	struct buf text = { 0 };
	int r = -1;

	if (home_path(home, HOME_REGIONS, path, err) != 0 ||
	    file_read_own(path, CONF_MAX, &text, err) != 0)
		goto out;
	r = regions_parse(buf_text(&text), text.len, out, err);
out:
	buf_free(&text);
	return r;
}
