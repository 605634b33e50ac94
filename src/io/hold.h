/*
 * What is appended to a file, held in memory so that it reaches the file in large pieces: one call
 * of the kernel instead of many, and whole blocks (a part of one that has left memory is read from
 * the disk before it is written). Private to src/io. A hold belongs to one thread at a time.
 */
#ifndef SMKI_HOLD_H
#define SMKI_HOLD_H

/* Octets held at most. SQLite's own function takes less than 128 KiB a call. */
#define HOLD_MAX (124 * 1024)

struct sqlite3_file; /* only handed on */

struct hold {
	/* 0, or a code that the call that needed it returns. */
	int (*write)(struct sqlite3_file *file, const void *data, int len, long long at);
	struct sqlite3_file *file;
	unsigned char *octets; /* HOLD_MAX, owned; from hold_begin to hold_end */
	long long at;	       /* where they begin in the file */
	int len;
	int failed; /* the code of a write that failed, until hold_drop */
};

void hold_begin(struct hold *out,
    int (*write)(struct sqlite3_file *file, const void *data, int len, long long at),
    struct sqlite3_file *file);
/* What is held is gone. */
void hold_end(struct hold *hold);
/* Write len octets (HOLD_MAX at most) at an offset, now or later; what is held and does not lie
 * right before them is written first. */
int hold_put(struct hold *hold, const void *data, int len, long long at);
/* Write what is held. When that fails it is gone, and every call fails with the same code until
 * hold_drop: it is missing from the file, so nothing may follow it. */
int hold_flush(struct hold *hold);
/* Forget what is held, and that a write failed. */
void hold_drop(struct hold *hold);

#endif
