#include "server/api/api_permit.h"

#include "server/health/fleet_permit.h"

/* INV-7: what operators set keeps agents that do not know of it as well. Nothing is recorded. */
static bool is_kept(const struct api_core *c, const struct fleet_who *who,
                    const struct beacon_permit_request *request, struct rw_wall now,
                    struct beacon_permit_answer *answer_out)
{
    struct control controls[CONTROL_MAX];
    size_t count = rollout_control_of(c->controls, who, controls);
    return count > 0 &&
           rollout_control_keeps(c->rollouts, request, controls, count, now, answer_out);
}

RW_RC api_permit_decide(struct api_core *c, const struct fleet_who *who,
                        const struct beacon_permit_request *request,
                        struct beacon_permit_answer *answer_out, struct rw_err *err)
{
    struct rw_wall now = rw_clock_wall(&c->clock);
    if (!is_kept(c, who, request, now, answer_out)) {
        RW_TRY(rollout_run_permit(c->rollouts, who, request, now, answer_out, err));
    }
    permit_memory_note(&c->answers, who, request, now, answer_out);
    return RW_OK;
}

/* --- why --- */

static const char *decision_name(enum beacon_permit_decision d)
{
    static const char *const names[] = {
        [BEACON_PERMIT_GRANTED] = "granted",
        [BEACON_PERMIT_WAIT] = "wait",
        [BEACON_PERMIT_REFUSED] = "refused",
    };
    return names[d];
}

static void put_answer(struct json_writer *w, const struct beacon_permit_answer *a)
{
    json_put_str(w, "decision", decision_name(a->decision));
    json_put_str(w, "reason", a->reason);
    if (a->decision == BEACON_PERMIT_WAIT) { json_put_int(w, "retry_after_s", a->retry_after_s); }
}

static void put_last(const struct api_core *c, const struct fleet_who *who, const char *family,
                     struct json_writer *w)
{
    char at[RW_TIME_TEXT_BYTES];
    int64_t now_s = rw_clock_wall(&c->clock).s;
    const struct permit_memory_entry *e = permit_memory_find(&c->answers, who, family);
    if (e == NULL) { return; }
    rw_wall_format(at, e->at);
    json_open_object(w, "last");
    json_put_str(w, "at", at);
    json_put_int(w, "age_s", now_s > e->at.s ? now_s - e->at.s : 0);
    json_put_int(w, "release", e->release);
    put_answer(w, &e->answer);
    json_close_object(w);
}

static RW_RC put_offer(const struct api_core *c, const struct fleet_who *who,
                       const struct rollout_run_offer *offer, struct json_writer *w,
                       struct rw_err *err)
{
    struct rw_wall now = rw_clock_wall(&c->clock);
    struct beacon_permit_request request;
    struct beacon_permit_answer answer;
    if (!fleet_state_request_of(c->fleet, who, offer->family, offer->release, &request)) {
        return RW_OK;
    }
    if (!is_kept(c, who, &request, now, &answer)) {
        RW_TRY(rollout_run_permit_look(c->rollouts, who, &request, now, &answer, err));
    }
    json_open_object(w, NULL);
    json_put_str(w, "family", offer->family);
    json_put_int(w, "release", offer->release);
    json_put_str(w, "state", offer->state);
    json_put_bool(w, "running", offer->running);
    if (offer->drill) { json_put_bool(w, "drill", true); }
    json_put_bool(w, "runs_it", request.from == offer->release);
    put_answer(w, &answer);
    put_last(c, who, offer->family, w);
    json_close_object(w);
    return RW_OK;
}

RW_RC api_permit_write_why(const struct api_core *c, const struct fleet_who *who,
                           struct json_writer *w, struct rw_err *err)
{
    struct rollout_run_offer offers[ROLLOUT_OFFERS_MAX];
    size_t count = rollout_run_offers(c->rollouts, offers);
    json_open_array(w, "rollouts");
    for (size_t i = 0; i < count; i++) {
        RW_TRY(put_offer(c, who, &offers[i], w, err));
    }
    json_close_array(w);
    return RW_OK;
}
