/* rollout_run_still.h: what the core asks of its rollouts at each look, for tests in which no rollout moves.
 *
 * memory   none
 * threads  any
 * source   server/rollout/rollout_run.h
 */
#ifndef RINGWARD_ROLLOUT_RUN_STILL_H
#define RINGWARD_ROLLOUT_RUN_STILL_H

#include "server/rollout/rollout_run.h"

void rollout_run_set_policy(struct rollout_run *r, const struct ring_policy *policy)
{
    (void)r;
    (void)policy;
}

RW_RC rollout_run_follow(struct rollout_run *r, struct rw_wall now, struct rw_err *err)
{
    (void)r;
    (void)now;
    (void)err;
    return RW_OK;
}

RW_RC rollout_run_take(struct rollout_run *r, const char *kind, const struct store_doc *doc,
                       bool *changed_out, struct rw_err *err)
{
    (void)r;
    (void)kind;
    (void)doc;
    (void)changed_out;
    (void)err;
    return RW_OK;
}

#endif
