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

size_t rollout_run_offers(const struct rollout_run *r,
                          struct rollout_run_offer out[static ROLLOUT_OFFERS_MAX])
{
    (void)r;
    (void)out;
    return 0;
}

RW_RC rollout_run_permit_look(const struct rollout_run *r, const struct fleet_who *who,
                              struct beacon_permit_request *request, struct rw_wall now,
                              struct beacon_permit_answer *answer_out, struct rw_err *err)
{
    (void)r;
    (void)who;
    (void)request;
    (void)now;
    (void)answer_out;
    return rw_fail(err, RW_E_NOT_FOUND, "there is no rollout here");
}

RW_RC rollout_run_write_cohorts(const struct rollout_run *r, const struct rollout_run_cohorts *page,
                                struct json_writer *w, struct rw_err *err)
{
    (void)r;
    (void)page;
    (void)err;
    json_open_object(w, NULL);
    json_open_array(w, "cohorts");
    json_close_array(w);
    json_close_object(w);
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
