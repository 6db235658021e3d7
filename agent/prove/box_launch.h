/* box_launch.h: one run of a validator: hands it the sealed inputs, starts the child, watches it to its end.
 *
 * memory   borrows the request; the watch owns what was gathered until box_watch_drop
 * threads  the process must have one thread
 * source   docs/protocol.md 11; INV-5
 */
#ifndef RINGWARD_BOX_LAUNCH_H
#define RINGWARD_BOX_LAUNCH_H

#include "agent/prove/box_memory.h"
#include "agent/prove/box_watch.h"

struct box_launch_request {
    const struct box_memory *content;   /* sealed */
    const struct box_memory *samples;   /* sealed, without expectations */
    const struct box_memory *validator; /* sealed, executable */
    const char *name;                   /* argv[0] of the validator */
    const char *type;
    int64_t wall_ms;
    int64_t cpu_s;
    int64_t memory_bytes;
};

/* An empty watch, ready for box_launch. */
struct box_watch box_launch_prepare(void);
/* Runs one validation. Fails with RW_E_IO, RW_E_PROCESS when nothing could be started; whatever happened to a
 * started child stands in the watch. */
RW_RC box_launch(const struct box_launch_request *req, struct box_watch *w, struct rw_err *err);

#endif
