/*
 * What a batch is made of: requests in a zip or a folder, in the order given. Every rule about
 * names, number and size is checked before the first is handed out. And the folder that it fills.
 */
#ifndef CLI_BATCH_H
#define CLI_BATCH_H

#include "smki/buf.h"
#include "smki/types.h"

/* Requests of one batch (SEC Appendix M), and octets of one name. */
#define BATCH_MAX 50000
#define BATCH_NAME_MAX 255

struct batch_source;

/*
 * Read all of path once: a zip file, or a folder (its files by name). Refused as a whole,
 * FAIL_INVALID with the entry's name: more than BATCH_MAX files, none, a path that leaves the zip,
 * a name twice, a name that is not UTF-8 that people may be shown (hex.h), a link or special file,
 * an encrypted entry, an entry longer than a request may be (whatever the zip says of its size).
 * Memory is bounded by BATCH_MAX, whatever the zip holds. The thread's locale is UTF-8 until
 * batch_close().
 */
int batch_open(const char *path, struct batch_source **out, struct err *err) MUST_USE;
void batch_close(struct batch_source *source);
size_t batch_count(const struct batch_source *source);
const char *batch_name(const struct batch_source *source, size_t i);
/* SHA-256 over all names and contents: the same batch again, or another. */
const uint8_t *batch_hash(const struct batch_source *source);
/* The next one's octets into csr (emptied first). FAIL_CONFLICT when they are not those that
 * batch_open() read: nothing is handed out that batch_hash() is not of. */
int batch_next(struct batch_source *source, struct buf *csr, struct err *err) MUST_USE;

/* The output folder: what it is of (its id), certificates, report. */
#define BATCH_REPORT "report.csv"

struct batch_output {
	char *path; /* owned */
	int certs;  /* descriptor of its certificates; locked; -1 = not open */
};

/* Where it is: given, or beside input under its name with .out behind (NULL). FAIL_INVALID when it
 * would lie in input, FAIL_NOT_FOUND when there is no folder to make it in. Nothing is made. */
int batch_output_place(
    struct batch_output *output, const char *input, const char *given, struct err *err) MUST_USE;
/* The folder at output->path, ours alone from here on: a new one, an empty one, or the output of a
 * batch of this id or of any that issued nothing; FAIL_CONFLICT when it is anything else or another
 * is at work there. There is no report in it until batch_output_report(): one always tells of the
 * files as they are. */
int batch_output_open(struct batch_output *output, struct span id, struct err *err) MUST_USE;
/* A certificate under this name, whole or not at all, in place of what stands there. Durable when
 * all are synced: a file lost to a power cut is written by the next run. */
int batch_output_put(
    struct batch_output *output, const char *name, struct span der, struct err *err) MUST_USE;
/* Nothing stands under this name any more; durable likewise. */
int batch_output_drop(struct batch_output *output, const char *name, struct err *err) MUST_USE;
int batch_output_sync(struct batch_output *output, struct err *err) MUST_USE;
/* Durably; all of the rest must be. */
int batch_output_report(struct batch_output *output, struct span text, struct err *err) MUST_USE;
void batch_output_close(struct batch_output *output);

#endif
