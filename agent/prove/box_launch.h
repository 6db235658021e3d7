/* box_launch.h: the launcher: seals the inputs, starts the child, watches it, gathers the facts.
 *
 * memory   borrows the request; the said object is copied
 * threads  the process must have one thread
 * source   docs/sandbox.md
 */
#ifndef RINGWARD_BOX_LAUNCH_H
#define RINGWARD_BOX_LAUNCH_H

#include "agent/prove/box_lockdown.h"
#include "common/box/samples_codec.h"
#include "common/box/verdict_codec.h"

enum {
    BOX_VALIDATOR_BYTES_MAX = 64 * 1024 * 1024,
    BOX_CONTENT_BYTES_MAX = 64 * 1024 * 1024,
    BOX_SAID_BYTES_MAX = 65536,
    BOX_DIAGNOSTICS_BYTES_MAX = 1 << 20,
    BOX_DIAGNOSTICS_KEPT = 16384,
};

struct box_launch_request {
    struct rw_span content;
    const struct samples_list *samples; /* in the order that the validator sees */
    const char *validator;              /* path */
    const char *name;                   /* for verdict and argv[0] */
    const char *type;
    int64_t wall_ms;
    int64_t cpu_s;
    int64_t memory_bytes;
};

/* Runs one validation and fills the whole verdict. Fails only with RW_E_NOMEM and the like before anything
 * ran; every other failure is a verdict (sandbox_error). */
RW_RC box_launch(const struct box_launch_request *req, struct verdict *out, struct rw_err *err);

#endif
