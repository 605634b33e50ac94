/*
 * A list of jobs. It knows nothing of what they are.
 */
#include "commit_queue.h"

void
commit_queue_put(struct commit_queue *queue, struct commit_job *job)
{
	job->next = NULL;
	if (queue->last != NULL)
		queue->last->next = job;
	else
		queue->first = job;
	queue->last = job;
	queue->n++;
}

struct commit_job *
commit_queue_take(struct commit_queue *queue)
{
	struct commit_job *job = queue->first;

	if (job == NULL)
		return NULL;
	queue->first = job->next;
	if (queue->first == NULL)
		queue->last = NULL;
	queue->n--;
	job->next = NULL;
	return job;
}

void
commit_queue_put_back(struct commit_queue *queue, const struct commit_queue *before)
{
	if (before->first == NULL)
		return;
	before->last->next = queue->first;
	if (queue->last == NULL)
		queue->last = before->last;
	queue->first = before->first;
	queue->n += before->n;
}
