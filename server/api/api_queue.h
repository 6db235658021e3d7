/* api_queue.h: the bounded way from the HTTP workers to the core thread.
 *
 * memory   a queue owns the jobs in it until they are taken; at most its capacity, and what comes back
 * threads  submit, put_back, wake and depth from any thread; take from the core thread
 * source   docs/server.md "Threads"
 */
#ifndef RINGWARD_API_QUEUE_H
#define RINGWARD_API_QUEUE_H

#include "server/api/api_job.h"

struct api_queue;

/* For a capacity >= 1, of which jobs that share a commit take one place each, others more (api_share.h); one tenant
 * gets `share` percent (1..100) of it at most. Gives. Fails with RW_E_NOMEM, RW_E_CRYPTO. */
RW_RC api_queue_new(size_t capacity, unsigned share, struct api_queue **out, struct rw_err *err);
/* Answers what is still in it with RW_E_BUSY and frees the queue; accepts NULL. */
void api_queue_free(struct api_queue *q);

/* The sink for http_settings: full means RW_E_FULL, closed RW_E_BUSY, the share used up RW_E_LIMITED. */
struct api_sink api_queue_sink(struct api_queue *q);

/* Takes a job that was taken before, and was worked on meanwhile: never refused, whatever waits. */
void api_queue_put_back(struct api_queue *q, struct api_job *job);

/* Waits until a job is there, somebody wakes, or `wait_ms` (0: look only) are over. Takes all jobs that wait, as
 * a chain over `next` in order of arrival; NULL: none. */
struct api_job *api_queue_take(struct api_queue *q, int64_t wait_ms);
/* Ends the present or next wait of the core thread. */
void api_queue_wake(struct api_queue *q);
/* From now on submit refuses; what is in the queue stays there. */
void api_queue_close(struct api_queue *q);
size_t api_queue_depth(struct api_queue *q);

#endif
