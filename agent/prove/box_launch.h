/* box_launch.h: one run of a validator: hands it the sealed inputs, starts the child, watches it to its end.
 *
 * Nothing is left behind: no process, no mount, no control group. A grade that permits a run has the filter, under
 * which there are no other processes than the validator, or a pid name space and a control group that end them.
 * memory   borrows the request; the watch owns what was gathered until box_watch_drop
 * threads  the process must have one thread
 * source   docs/protocol.md 11; INV-5
 */
#ifndef RINGWARD_BOX_LAUNCH_H
#define RINGWARD_BOX_LAUNCH_H

#include "agent/prove/box_cgroup.h"
#include "agent/prove/box_memory.h"
#include "agent/prove/box_watch.h"

struct box_launch_request {
    const struct box_memory *content;   /* sealed */
    const struct box_memory *samples;   /* sealed, without expectations */
    const struct box_memory *validator; /* sealed, executable */
    char *const *argv;                  /* of the validator */
    enum box_profile profile;
    const char *extension; /* files profile */
    bool samples_as_files; /* files profile */
    bool content_is_sets;  /* files profile: content is unpacked (box_set.h) */
    const int *soft;       /* calls that are refused with an errno instead of death */
    size_t soft_count;
    int64_t wall_ms;
    int64_t cpu_s;
    int64_t memory_bytes;
    uint32_t without; /* layers to take away */
    bool allow_weak;
    struct box_learn *learn; /* NULL: none */
};

/* An empty watch, ready for box_launch. */
struct box_watch box_launch_prepare(void);
/* Runs one validation. Fails with RW_E_IO, RW_E_PROCESS when nothing could be started; whatever happened to a
 * started child stands in the watch. */
RW_RC box_launch(const struct box_launch_request *req, struct box_watch *w, struct rw_err *err);

#endif
