/* rollout_run_still.h: what the core asks of its rollouts at each look, for tests in which no rollout moves.
 *
 * memory   none
 * threads  any
 * source   server/rollout/rollout_run.h
 */
#ifndef RINGWARD_ROLLOUT_RUN_STILL_H
#define RINGWARD_ROLLOUT_RUN_STILL_H

#include "server/rollout/rollout_run.h"

static unsigned policies_set;

void rollout_run_set_policy(struct rollout_run *r, const struct ring_policy *policy)
{
    (void)r;
    (void)policy;
    policies_set++;
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

RW_RC rollout_run_forget(struct rollout_run *r, int64_t age_s, size_t *count_out,
                         struct rw_err *err)
{
    (void)r;
    (void)age_s;
    (void)err;
    *count_out = 0;
    return RW_OK;
}

int64_t rollout_run_in_place(const struct rollout_run *r, const char *family)
{
    (void)r;
    (void)family;
    return 0;
}

static bool still_halted; /* every rollout that is asked about */

bool rollout_run_halted(const struct rollout_run *r, const char *family, int64_t release)
{
    (void)r;
    (void)family;
    (void)release;
    return still_halted;
}

#endif
