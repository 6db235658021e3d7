#include "common/json/json_write.h"
#include "common/policy/second_person.h"
#include "server/cli/cli_view.h"
#include "server/cli/cmd_rings_view.h"

#include <math.h>
#include <stdio.h>

enum { JSON_BYTES_MAX = 256 * 1024 };

/* A time that may never come: then the member is absent. */
static void put_time(struct json_writer *w, const char *name, int64_t seconds)
{
    if (seconds >= 0) { json_put_int(w, name, seconds); }
}

static void put_fleet(struct json_writer *w, const struct cmd_rings_facts *f)
{
    json_open_object(w, "fleet");
    json_put_int(w, "hosts", f->plan.endpoints);
    json_put_bool(w, "hosts_assumed", f->hosts_assumed);
    json_put_int(w, "staff", f->plan.staff);
    json_put_bool(w, "staff_advised", f->staff_advised);
    json_open_array(w, "cohorts_percent");
    for (size_t i = 0; i < f->plan.cohort_count; i++) {
        json_put_int(w, NULL, llround(100.0 * f->plan.cohort_share[i]));
    }
    json_close_array(w);
    json_close_object(w);
}

static void put_membership(struct json_writer *w, const struct ring_policy_ring *r)
{
    static const char *const selects[] = {
        [RING_BY_SHARE] = "share", [RING_BY_REST] = "rest", [RING_BY_HAND] = "local"};
    json_put_str(w, "select", selects[r->select]);
    if (r->select == RING_BY_HAND) { return; }
    json_put_int(w, "share_bp", r->bucket_hi - r->bucket_lo);
    json_put_int(w, "bucket_first", r->bucket_lo);
    json_put_int(w, "bucket_last", r->bucket_hi - 1);
}

static void put_ring(struct json_writer *w, const struct cmd_rings_facts *f, size_t ring)
{
    const struct ring_policy_ring *r = &f->plan.policy.rings[ring];
    const struct sim_pace_ring *pace = &f->pace[0].rings[ring];
    json_open_object(w, NULL);
    json_put_str(w, "name", r->name);
    put_membership(w, r);
    json_put_int(w, "hosts", pace->members);
    json_put_int(w, "bake_s", r->bake_s);
    json_put_int(w, "spread_s", r->spread_s);
    json_open_object(w, "hold_back");
    json_put_int(w, "share_bp", r->hold_back_bp);
    json_put_int(w, "for_s", r->hold_back_s);
    json_put_int(w, "hosts", pace->held_back);
    json_close_object(w);
    json_open_object(w, "gate");
    json_put_int(w, "limit_bp", r->gate_limit_bp);
    json_put_int(w, "min_healthy", r->gate_min_healthy);
    json_put_int(w, "needs", cmd_rings_needed(r, 0));
    json_put_int(w, "needs_when_one_fails", cmd_rings_needed(r, 1));
    json_put_bool(w, "can_pass", pace->members >= cmd_rings_needed(r, 0));
    json_close_object(w);
    put_time(w, "proof_after_s", pace->proof_s);
    put_time(w, "reach_95_after_s", pace->reach_95_s);
    json_open_object(w, "slowed_by_s");
    for (int i = 0; i < SIM_PACE_BRAKES; i++) {
        if (pace->ruled_s[i] == 0) { continue; }
        json_put_int(w, sim_pace_brake_name((enum sim_pace_brake)i), pace->ruled_s[i]);
    }
    json_close_object(w);
    json_close_object(w);
}

static void put_law(struct json_writer *w, const char *name, int64_t after_s, int64_t start,
                    int64_t cohort_start, int64_t per_survivor_m)
{
    json_open_object(w, NULL);
    json_put_str(w, "name", name);
    json_put_int(w, "after_s", after_s);
    json_put_int(w, "start", start);
    json_put_int(w, "cohort_start", cohort_start);
    json_put_int(w, "per_survivor_thousandths", per_survivor_m);
    json_close_object(w);
}

static void put_laws(struct json_writer *w, const struct ring_policy *p)
{
    json_open_array(w, "laws");
    put_law(w, "confirm", p->confirm_probation_s, p->confirm_start, p->cohort_start,
            p->confirm_per_survivor_m);
    put_law(w, "alive", p->alive_after_s, p->alive_start, p->alive_start, p->alive_per_survivor_m);
    json_close_array(w);
    json_put_int(w, "confirm_deadline_s", p->confirm_deadline_s);
    json_put_int(w, "poll_rollout_s", p->poll_rollout_s);
}

static void put_class(struct json_writer *w, const struct cmd_rings_facts *f, size_t class_index)
{
    const struct ring_policy *p = &f->plan.policy;
    const struct sim_pace *pace = &f->pace[class_index];
    json_open_object(w, NULL);
    json_put_str(w, "name", p->classes[class_index].name);
    json_put_bool(w, "unpausable", p->classes[class_index].unpausable);
    put_time(w, "reach_95_s", pace->reach_95_s);
    json_put_int(w, "looked_s", pace->looked_s);
    json_open_array(w, "rings");
    for (size_t i = 0; i < p->ring_count; i++) {
        json_open_object(w, NULL);
        json_put_str(w, "ring", p->rings[i].name);
        json_put_int(w, "min_bake_s", ring_policy_min_bake_s(p, class_index, i));
        put_time(w, "opens_s", pace->rings[i].opens_s);
        json_put_str(w, "waits_for", sim_pace_wait_name(pace->rings[i].wait));
        json_close_object(w);
    }
    json_close_array(w);
    json_close_object(w);
}

static void put_exceptions(struct json_writer *w, const struct ring_policy *p)
{
    json_open_object(w, "expedite");
    json_put_int(w, "hard_min_s", p->hard_min_s);
    json_put_int(w, "longest_s", p->expedite_longest_s);
    json_close_object(w);
    json_open_object(w, "controls");
    json_put_int(w, "delay_longest_s", p->controls.delay_longest_s);
    json_put_int(w, "hold_longest_s", p->controls.hold_longest_s);
    json_put_int(w, "pause_longest_s", p->controls.pause_longest_s);
    json_put_int(w, "pin_longest_s", p->controls.pin_longest_s);
    json_close_object(w);
    json_open_object(w, "second_person");
    json_open_array(w, "verbs");
    for (int v = 0; v < SECOND_PERSON_VERBS; v++) {
        if (p->second.verbs[v]) {
            json_put_str(w, NULL, second_person_name((enum second_person_verb)v));
        }
    }
    json_close_array(w);
    json_put_int(w, "within_s", p->second.within_s);
    json_close_object(w);
    if (p->engine_skew_max >= 0) { json_put_int(w, "engine_skew", p->engine_skew_max); }
    json_open_object(w, "health");
    json_put_int(w, "one_false_halt_in", llround(1.0 / ring_policy_alpha(p)));
    json_put_int(w, "false_halts_per_year", p->false_halts_per_year);
    json_put_int(w, "releases_per_year", p->releases_per_year);
    json_put_int(w, "tenant_votes", p->tenant_votes);
    json_close_object(w);
}

static void put_findings(struct json_writer *w, const char *name, const struct cmd_rings_facts *f,
                         bool warnings)
{
    json_open_array(w, name);
    for (size_t i = 0; i < f->finding_count; i++) {
        const struct cmd_rings_finding *x = &f->findings[i];
        if (x->warning != warnings) { continue; }
        json_open_object(w, NULL);
        if (x->ring != NULL) { json_put_str(w, "ring", x->ring); }
        json_put_str(w, "text", x->text);
        json_close_object(w);
    }
    json_close_array(w);
}

RW_RC cmd_rings_view_json(const struct cmd_rings_facts *f, struct rw_err *err)
{
    const struct ring_policy *p = &f->plan.policy;
    RW_AUTO(rw_buf) struct rw_buf out = rw_buf_make(JSON_BYTES_MAX);
    struct json_writer w = json_begin(&out);
    json_open_object(&w, NULL);
    put_fleet(&w, f);
    json_open_array(&w, "rings");
    for (size_t i = 0; i < p->ring_count; i++) {
        put_ring(&w, f, i);
    }
    json_close_array(&w);
    json_open_array(&w, "classes");
    for (size_t i = 0; i < p->class_count; i++) {
        put_class(&w, f, i);
    }
    json_close_array(&w);
    put_laws(&w, p);
    put_exceptions(&w, p);
    put_findings(&w, "warnings", f, true);
    put_findings(&w, "notes", f, false);
    json_close_object(&w);
    RW_TRY(json_done(&w, err));
    (void)printf("%s\n", rw_buf_str(&out));
    return cli_view_flush(err);
}
