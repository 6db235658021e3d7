/* box_try.h: one run of one content in the box on chosen samples, and what several runs share.
 *
 * memory   a box_try borrows everything; a run owns what was gathered until box_try_drop_run
 * threads  the process must have one thread
 * source   docs/protocol.md 11
 */
#ifndef RINGWARD_BOX_TRY_H
#define RINGWARD_BOX_TRY_H

#include "agent/prove/box_check.h"
#include "agent/prove/box_settings.h"
#include "common/base/clock.h"

struct box_try {
    const struct box_check_request *req;
    const struct box_settings *settings; /* of the installed validator */
    const struct box_memory *validator;
    const struct box_samples *samples;
    bool content_is_sets; /* a dry run: content is what box_set_add wrote */
    struct rw_clock clock;
    int64_t end_ms; /* of the time for all runs together, monotonic */
};

/* Gives an empty run. Fails with RW_E_NOMEM. */
RW_RC box_try_new_run(struct box_judge_run **out, struct rw_err *err);
void box_try_drop_run(struct box_judge_run *run); /* accepts NULL */
/* Runs `content` on the samples that run->order chose, within what is left of the time. Fails with RW_E_IO,
 * RW_E_PROCESS when nothing could be started. */
RW_RC box_try_run(const struct box_try *t, const struct box_memory *content,
                  struct box_judge_run *run, struct rw_err *err);

#endif
