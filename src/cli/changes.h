/*
 * Changes of many objects, each on its own with a result line: what hold, reactivate, revoke and the
 * changes of the register share.
 */
#ifndef CLI_CHANGES_H
#define CLI_CHANGES_H

#include "cli.h"

struct changes {
	struct cli *cli;
	const char *object; /* what JSON calls one of them: "serial", "device" */
	bool named;	    /* smkid's refusals name the object already */
	/* Change the object of this name: changes_ask, or changes_failed when it is no name. */
	void (*one)(struct changes *changes, const char *name);
	bool counted; /* what is left can be, the list has an end: changes_all's */
	int status;   /* the first failure's exit status */
	size_t left;  /* that were not asked for */
};

/* Those in names (NULL at the end), then those of a file (NULL = none). Returns the exit status. */
int changes_all(struct changes *changes, char **names, const char *from);
/* Before the first change: -1 when the list cannot be read, which is said and is the status. */
int changes_from(struct changes *changes, const char *from);
/* One request and its answer. -1: it failed, which is told with this name. Once there is no
 * connection to be had, or no answer in time, the rest is not asked for, only counted. */
int changes_ask(struct changes *changes, const char *name, const struct buf *msg,
    int (*reply)(void *ctx, struct wire_in *in, struct err *err), void *ctx) MUST_USE;
/* A failure of the object of this name, which may hold anything; NULL = of no object. */
void changes_failed(struct changes *changes, const char *name, const struct err *err);

#endif
