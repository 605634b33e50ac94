/*
 * What a batch is made of: requests in a zip or a folder, in the order given. Every rule about
 * names, number and size is checked before the first is handed out.
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
 * a name twice, a name that is not UTF-8, a link or special file, an encrypted entry, an entry
 * longer than a request may be (whatever the zip says of its size). Memory is bounded by BATCH_MAX,
 * whatever the zip holds. The thread's locale is UTF-8 until batch_close().
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

#endif
