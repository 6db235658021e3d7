/* api_aside.h: the threads beside the core: hashing, reading and writing of payloads, so that nobody waits for that.
 *
 * memory   owns its threads, one for each lane, and the jobs that wait for them, at most its capacity in each lane
 * threads  start and free from the main thread, submit and end from the core thread between; api_aside_run from any
 * source   docs/server.md "Threads"
 */
#ifndef RINGWARD_API_ASIDE_H
#define RINGWARD_API_ASIDE_H

#include "server/api/api_queue.h"

struct api_aside;

/* Starts the threads. Jobs that were not answered come back through `back` (borrowed until the end); gives.
 * Fails with RW_E_NOMEM, RW_E_PROCESS. */
RW_RC api_aside_start(size_t capacity, struct api_queue *back, struct api_aside **out,
                      struct rw_err *err);
/* Takes the job, into its lane, when it succeeds. Fails with RW_E_FULL, and with RW_E_BUSY behind api_aside_end. */
RW_RC api_aside_submit(struct api_aside *a, struct api_job *job, struct rw_err *err);
/* Works off what waits and ends the threads; all that comes back has come back then. False: they had ended before. */
bool api_aside_end(struct api_aside *a);
void api_aside_free(struct api_aside *a); /* ends them first; accepts NULL */

/* What a thread does with a job: runs job->aside, then answers it, or puts it back into the core's queue. */
void api_aside_run(struct api_job *job, struct api_queue *back);

#endif
