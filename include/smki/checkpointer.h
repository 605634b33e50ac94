/*
 * The one thread that copies what was committed from the WAL into the database, on a handle of its
 * own, so that no COMMIT does. Durability is COMMIT's alone: it rests on no pass of this thread.
 *
 * SQLite begins the WAL anew only at a write that finds every frame copied and nobody reading from
 * it. While one group of changes follows another there is always one more frame than was copied, so
 * the committer tells this thread of each group and asks between two groups whether to let it come
 * to the end.
 */
#ifndef SMKI_CHECKPOINTER_H
#define SMKI_CHECKPOINTER_H

#include "smki/store.h"

/* Frames (4 KiB) that wait before a pass is worth its fsync: 16 MiB. */
#define CHECKPOINT_FRAMES 4096
/* Above this length (64 MiB) pass follows pass, and the WAL is to be begun anew ... */
#define CHECKPOINT_RESTART_FRAMES 16384
/* ... for which everybody waits, as soon as no more than this is left to copy (8 MiB: what a few
 * groups write during the shortest pass). */
#define CHECKPOINT_TAIL_FRAMES 2048
/* Above this (256 MiB) the disk is slower than the changes: those that can wait do. */
#define CHECKPOINT_MAX_FRAMES 65536
/* Longest such wait before a group. */
#define CHECKPOINT_WAIT_MS 250
/* What is left goes back after this long without a commit. */
#define CHECKPOINT_IDLE_MS 200
/* Pause after a pass that a reader or the disk kept from the end, and after one that came to the
 * end while a reader kept the WAL from being begun anew. */
#define CHECKPOINT_AGAIN_MS 250

struct checkpointer;

/* Which groups of changes are to wait for the end of the present pass. */
enum checkpoint_hold {
	CHECKPOINT_HOLD_NONE = 1,
	CHECKPOINT_HOLD_OTHER, /* those without changes of states: it may be long */
	CHECKPOINT_HOLD_ALL,   /* it is the end of the WAL, and short */
};

struct checkpointer_conf {
	/* STORE_WRITE; the caller's, but used by this thread alone until checkpointer_stop. */
	struct store *store;
	/* Called from the thread, without a lock held, after each pass: ask checkpointer_hold. */
	void (*ended)(void *ctx);
	/* An fsync failed (store_checkpoint's FAIL_INTERNAL): the process must end. Called once,
	 * from the thread, which makes no further pass. */
	void (*fatal)(const struct err *err);
	void *ctx;
};

/* Starts with a pass, for what an earlier process left. */
int checkpointer_start(
    const struct checkpointer_conf *conf, struct checkpointer **out, struct err *err) MUST_USE;
/* Ends the present pass, copies what is left, ends the thread. NULL is fine. */
void checkpointer_stop(struct checkpointer *checkpointer);

/* By the one writer after each COMMIT that wrote: the WAL's length (its store_wal_frames). */
void checkpointer_note(struct checkpointer *checkpointer, int64_t frames);
/* Before a group begins. Any thread, also under a lock that ended() takes. */
enum checkpoint_hold checkpointer_hold(struct checkpointer *checkpointer);
/* 0 when the newest pass did not fail, else FAIL_UNAVAILABLE with the reason: for status pages. */
int checkpointer_check(struct checkpointer *checkpointer, struct err *err) MUST_USE;

#endif
