/* server_core.h: the core thread: jobs, verdicts of the checker, the tick, renewal, reload, stop.
 *
 * memory   borrows what the settings point to until server_core_stop
 * threads  start, reload and stop from the main thread; everything in api_core belongs to the core thread between
 * source   docs/server.md "Threads"
 */
#ifndef RINGWARD_SERVER_CORE_H
#define RINGWARD_SERVER_CORE_H

#include "server/api/api_aside.h"
#include "server/api/api_core.h"
#include "server/api/api_queue.h"
#include "server/server_check.h"
#include "server/server_retention.h"

struct server_core;

struct server_core_settings {
    struct api_core *api;
    struct api_queue *queue;
    struct server_check *check;
    struct api_aside *aside;
    struct server_retention *retention; /* NULL: there is none */
    int64_t renew_ms;
    bool (*signer_lost)(void *ctx); /* asked every turn: cheap */
    bool (*told)(void *ctx);        /* whether a webhook has a result; asked every turn: cheap */
    void *ctx;                      /* borrowed */
};

/* Starts the thread, which first queues the checks that a stop had cut off. Gives.
 * Fails with RW_E_NOMEM, RW_E_PROCESS. */
RW_RC server_core_start(const struct server_core_settings *settings, struct server_core **out,
                        struct rw_err *err);
/* Asks for a reload of tokens, trust and policy; returns at once. */
void server_core_reload(struct server_core *s);
/* Works off what is in the queue, ends `aside` and works off what came back from it, folds, ends the thread and frees
 * (takes; accepts NULL). */
void server_core_stop(struct server_core *s);

#endif
