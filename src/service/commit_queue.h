/*
 * Jobs of the committer in the order of their arrival.
 */
#ifndef SMKI_COMMIT_QUEUE_H
#define SMKI_COMMIT_QUEUE_H

#include "smki/committer.h"

struct commit_queue {
	struct commit_job *first, *last;
	size_t n;
};

void commit_queue_put(struct commit_queue *queue, struct commit_job *job);
/* NULL when there is none. */
struct commit_job *commit_queue_take(struct commit_queue *queue);
/* All of another queue in front of what waits. */
void commit_queue_put_back(struct commit_queue *queue, const struct commit_queue *before);

#endif
