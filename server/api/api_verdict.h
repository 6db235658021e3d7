/* api_verdict.h: brings what the box said about a release into its record.
 *
 * memory   the caller owns the struct; `text` is dropped by it
 * threads  the core thread only
 * source   docs/server.md "Threads"; INV-3
 */
#ifndef RINGWARD_API_VERDICT_H
#define RINGWARD_API_VERDICT_H

#include "server/api/api_core.h"

struct api_verdict {
    bool kept; /* the record could not be written yet: `id` and `text` wait for the next turn */
    struct release_id id;
    struct rw_buf text; /* "": none was reached, the release goes back to draft */
};

/* Records what waits and everything that `next` gives (false: no more). What the store would not take is kept for the
 * next call. A verdict that is refused, about other bytes, is none (INV-3): that is recorded in its place, or kept
 * likewise, so that no release stays in checking. On a node that is not controller they are dropped: the controller
 * checks anew. */
void api_verdict_take(struct api_verdict *v, struct api_core *c,
                      bool (*next)(void *ctx, struct release_id *id_out, struct rw_buf *text),
                      void *ctx);

#endif
