/* http_inbox.h: the way of finished jobs back to the worker that waits for them, and of its wake-ups.
 *
 * memory   counted: the worker holds one reference, each job out of its hands one more. So an inbox
 *          outlives its worker as long as a job is still with the core
 * threads  put, wake, ref and unref from any thread; take and close from the worker's
 * source   eventfd(2)
 */
#ifndef RINGWARD_HTTP_INBOX_H
#define RINGWARD_HTTP_INBOX_H

#include "server/api/api_job.h"

/* With one reference; gives. Fails with RW_E_NOMEM, RW_E_IO. */
RW_RC http_inbox_new(struct http_inbox **out, struct rw_err *err);
struct http_inbox *http_inbox_ref(struct http_inbox *in);
void http_inbox_unref(struct http_inbox *in); /* frees with the last one */

/* Readable when there is something to take; borrowed. */
int http_inbox_fd(const struct http_inbox *in);
/* Takes a chain of jobs over `next`; false: closed, and the jobs stay with the caller. */
bool http_inbox_put(struct http_inbox *in, struct api_job *jobs);
void http_inbox_wake(struct http_inbox *in);
/* All that wait, as a chain over `next` in order of arrival; NULL: none. Clears the descriptor. */
struct api_job *http_inbox_take(struct http_inbox *in);
/* From now on nothing is taken; gives what still waits, as http_inbox_take. */
struct api_job *http_inbox_close(struct http_inbox *in);

/* A bound job on the heap, for a worker; NULL: no memory. It holds a reference to the inbox. */
struct api_job *http_inbox_job_new(struct http_inbox *in);
/* Drops and frees a bound job with its reference; accepts NULL. */
void http_inbox_job_free(struct api_job *job);

#endif
