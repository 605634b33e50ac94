/*
 * One page of memory that smkid writes and the front reads: which state change is the newest. It
 * tells a cache of status answers that it is out of date the moment a change is committed, without
 * a message or a look into the database.
 */
#ifndef SMKI_STATUSPAGE_H
#define SMKI_STATUSPAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "smki/err.h"

/* Two marks are equal only when nothing changed between them. */
struct statusmark {
	uint64_t epoch;	     /* another one each time that smkid starts; never 0 */
	uint64_t generation; /* number of the newest event that changed a certificate's state */
};

struct statuspage;

/* smkid: the file is made when missing (mode 0640) and gets a new epoch; generation as of now. */
int statuspage_make(const char *path, uint64_t epoch, uint64_t generation, struct statuspage **out,
    struct err *err) MUST_USE;
/* The front: read-only. Missing, or not (yet) a page of this version: FAIL_UNAVAILABLE. */
int statuspage_open(const char *path, struct statuspage **out, struct err *err) MUST_USE;
void statuspage_close(struct statuspage *page);
/* Whether another file lies at path by now, or none. */
bool statuspage_is_moved(const struct statuspage *page);
/* After COMMIT and before the reply. Lower values than the page's are passed over. Any thread. */
void statuspage_bump(struct statuspage *page, uint64_t generation);
/* Any thread. */
struct statusmark statuspage_get(const struct statuspage *page);

#endif
