#include "server/rollout/rollout_cause.h"
#include "server/rollout/rollout_evidence.h"
#include "server/rollout/rollout_live.h"
#include "server/rollout/rollout_stopped.h"

#include "common/base/num.h"
#include "server/report/audit_log.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { DETAILS_BYTES_MAX = 2048, ROLLBACK_DEADLINES = 4 };

void rollout_live_number(char dst[static ROLLOUT_NUMBER_BYTES], double value)
{
    if (isfinite(value)) {
        (void)snprintf(dst, ROLLOUT_NUMBER_BYTES, "%.3f", value);
    } else {
        (void)snprintf(dst, ROLLOUT_NUMBER_BYTES, "none");
    }
}

static bool is_ending(int state)
{
    return state == ROLLOUT_HALTED || state == ROLLOUT_ROLLING_BACK || state == ROLLOUT_ROLLED_BACK;
}

/* A drill never passes, and does not wait for the detector for ever. */
static void as_drill(const struct rollout *ro, struct rw_wall now, struct rollout_rule_ring *to)
{
    int64_t opened_s = ro->rings[0].opened.s;
    char within[32];
    if (!ro->drill.on) { return; }
    if (to->gate == GATE_PASS) {
        to->gate = GATE_NONE;
        (void)snprintf(to->gate_reason, sizeof(to->gate_reason), "a drill never passes");
    }
    if (to->gate == GATE_FAIL || opened_s == 0 || now.s - opened_s < ro->drill.within_s) { return; }
    to->gate = GATE_FAIL;
    rw_say_duration_s(within, sizeof(within), ro->drill.within_s);
    (void)snprintf(to->gate_reason, sizeof(to->gate_reason),
                   "the drill was not halted by evidence within %s", within);
}

static void gather(const struct rollout_run *r, const struct rollout *ro, struct rw_wall now,
                   struct rollout_plan *plan, struct rollout_rule_input *in)
{
    const struct rollout_facts_from from = rollout_live_from(r, ro, now);
    in->now = now;
    in->rollback_limit_s = ROLLBACK_DEADLINES * r->policy.confirm_deadline_s;
    in->ring_count = ro->ring_count;
    for (size_t i = 0; i < ro->ring_count; i++) {
        const struct rollout_ring *ring = &ro->rings[i];
        struct rollout_facts *f = &plan->facts[i];
        rollout_facts_ring(&from, i, f);
        /* Unsure counts for whatever holds: not open while going on, not back while going back. */
        bool pointed = is_ending(ring->state) ? ring->pointer != ROLLOUT_POINTER_OLD
                                              : ring->pointer == ROLLOUT_POINTER_NEW;
        struct rollout_rule_ring *to = &in->rings[i];
        *to = (struct rollout_rule_ring){
            .state = (enum rollout_rule_state)ring->state,
            .since = ring->since,
            .not_before = rollout_doc_not_before(ring),
            .pointed = pointed,
            .opened = ring->opened.s != 0,
            .pending = f->ring.counts.pending,
            .healthy = f->ring.counts.healthy,
            /* INV-12: who is not counted fills the window as well. */
            .failed = f->ring.counts.marked + f->ring.counts.muted_votes,
            .still_on = f->ring.counts.still_on,
            .room = window_rule_room(&f->window.law[0], &f->window.counts[0]),
            .min_healthy = f->min_healthy,
            .bake_left_s = f->bake_left_s,
            .gate = f->gate,
            .hold = verdict_rule_holds(f->verdict),
        };
        rw_copy(to->gate_reason, sizeof(to->gate_reason), f->gate_reason, sizeof(f->gate_reason));
        as_drill(ro, now, to);
    }
}

/* Keeps why: the evidence of the ring whose gate failed, or what the person typed. */
static void keep_halt(struct rollout_plan *plan, const struct rollout_rule_input *in,
                      struct rw_wall now)
{
    struct rollout_halt h = {.there = true, .at = now};
    bool by_person = in->command == ROLLOUT_HALT;
    rollout_doc_text(h.by, sizeof(h.by), by_person ? in->who : "controller");
    if (by_person) {
        rollout_doc_text(h.reason, sizeof(h.reason), in->why);
        plan->next.halt = h;
        return;
    }
    for (size_t i = 0; i < plan->next.ring_count; i++) {
        const struct rollout_facts *f = &plan->facts[i];
        if (!plan->out.moved[i] || plan->out.to[i] != ROLLOUT_HALTED) { continue; }
        rollout_doc_text(h.reason, sizeof(h.reason), plan->out.reason[i]);
        if (f->gate != GATE_FAIL || !f->has_culprit) { continue; }
        int term = (int)f->culprit_term;
        rw_copy(h.ring, sizeof(h.ring), plan->next.rings[i].name, ROLLOUT_NAME_BYTES);
        rollout_doc_text(h.term, sizeof(h.term), health_rule_term_name(f->culprit_term));
        h.has_cohort = f->culprit.is_cohort;
        h.cohort = f->culprit.cohort;
        h.failures = f->culprit.terms[term].failures;
        h.exposures = f->culprit.terms[term].exposures;
        rollout_live_number(h.log_e, f->crossed);
        rollout_live_number(h.threshold, f->threshold);
        char reason[ROLLOUT_REASON_BYTES];
        (void)snprintf(reason, sizeof(reason), "ring %s: %s: %lld of %lld, %.120s", h.ring, h.term,
                       (long long)h.failures, (long long)h.exposures, plan->out.reason[i]);
        rollout_doc_text(h.reason, sizeof(h.reason), reason);
        break;
    }
    plan->next.halt = h;
}

static void apply_moves(struct rollout_plan *plan, struct rw_wall now)
{
    for (size_t i = 0; i < plan->next.ring_count; i++) {
        struct rollout_ring *ring = &plan->next.rings[i];
        if (!plan->out.moved[i]) { continue; }
        struct rw_err err;
        /* The rule asserts that every move it asks for is in the table. */
        struct rw_rc rc = sm_move(&rollout_rule_table, &ring->state, (int)plan->out.to[i], &err);
        RW_ASSERT(rw_is_ok(rc));
        ring->since = now;
        rollout_doc_text(ring->reason, sizeof(ring->reason), plan->out.reason[i]);
        if (ring->state == ROLLOUT_RAMPING && ring->opened.s == 0) { ring->opened = now; }
        plan->changed = true;
    }
}

/* Stops the part that the evidence of a ring is about: one cohort, or one tenant. */
static void stop_part(struct rollout_plan *plan, size_t ring)
{
    const struct rollout_facts *f = &plan->facts[ring];
    struct rollout *next = &plan->next;
    if (f->verdict == VERDICT_COHORT && !next->cohorts[f->cohort].halted) {
        next->cohorts[f->cohort].halted = true;
        plan->cohort_halted[ring] = f->cohort + 1;
        plan->changed = true;
    }
    if (f->verdict != VERDICT_TENANT || next->tenant_count >= ROLLOUT_TENANTS_MAX) { return; }
    for (size_t i = 0; i < next->tenant_count; i++) {
        if (strcmp(next->tenants[i], f->top_tenant) == 0) { return; }
    }
    rw_copy(next->tenants[next->tenant_count], ROLLOUT_NAME_BYTES, f->top_tenant,
            sizeof(f->top_tenant));
    next->tenant_count++;
    plan->tenant_held[ring] = true;
    plan->changed = true;
}

static void stop_parts(struct rollout_plan *plan)
{
    for (size_t i = 0; i < plan->next.ring_count; i++) {
        if (is_ending(plan->next.rings[i].state)) { return; }
    }
    for (size_t i = 0; i < plan->next.ring_count; i++) {
        stop_part(plan, i);
    }
}

/* Stores the intention before anything is signed: a crash in between leaves "unsure", not a wrong belief. */
static void apply_intentions(struct rollout_plan *plan)
{
    for (size_t i = 0; i < plan->next.ring_count; i++) {
        struct rollout_ring *ring = &plan->next.rings[i];
        bool hold = ring->state == ROLLOUT_HELD;
        bool want = plan->out.want_pointed[i];
        bool fits = want ? ring->pointer != ROLLOUT_POINTER_OLD && ring->hold == hold : true;
        if (fits) { continue; }
        ring->pointer = ROLLOUT_POINTER_UNSURE;
        ring->hold = hold;
        plan->changed = true;
    }
}

/* What is kept of a drill once the fleet has forgotten it. */
static void count_drill(struct rollout_plan *plan)
{
    const struct fleet_counts *c = &plan->facts[0].ring.counts;
    struct rollout_drill *d = &plan->next.drill;
    if (!d->on || !plan->changed) { return; }
    d->exposed = c->exposed;
    d->reported = c->failed;
    d->dark = c->dark;
    d->refused = c->refused;
}

/* INV-11: where all are of one tenant, whoever always fails halts every release, and none would ever go through
 * healthy. What a drill reports is no failure. */
static bool failed_alone(const struct rollout_plan *plan)
{
    int64_t failed = 0;
    int64_t healthy = 0;
    for (size_t i = 0; i < plan->next.ring_count; i++) {
        const struct fleet_counts *c = &plan->facts[i].ring.counts;
        failed += c->marked + c->refused_free;
        healthy += c->healthy;
    }
    return !plan->next.drill.on && verdict_rule_alone(failed, healthy);
}

void rollout_plan_make(const struct rollout_run *r, const struct rollout *ro,
                       enum rollout_rule_command command, const struct rollout_run_actor *actor,
                       struct rw_wall now, struct rollout_plan *plan)
{
    struct rollout_rule_input in = {.command = command};
    plan->next = *ro;
    plan->next.generation = ro->generation + 1; /* of what it was made from */
    plan->changed = false;
    plan->closes = false;
    for (size_t i = 0; i < ROLLOUT_RINGS_MAX; i++) {
        plan->cohort_halted[i] = 0;
        plan->tenant_held[i] = false;
    }
    rollout_doc_text(in.who, sizeof(in.who), actor == NULL ? "controller" : actor->name);
    rollout_doc_text(in.why, sizeof(in.why), actor == NULL ? "" : actor->reason);
    gather(r, ro, now, plan, &in);
    bool was_halted = ro->halt.there;
    (void)rollout_rule_step(&in, &plan->out);
    bool halts = false;
    for (size_t i = 0; i < ro->ring_count; i++) {
        halts = halts || (plan->out.moved[i] && plan->out.to[i] == ROLLOUT_HALTED);
    }
    if (halts && !was_halted) { keep_halt(plan, &in, now); }
    if (plan->out.fresh) { plan->next.resumes++; }
    apply_moves(plan, now);
    if (command == ROLLOUT_NO_COMMAND) { stop_parts(plan); }
    apply_intentions(plan);
    enum rollout_rule_state overall = rollout_doc_overall(&plan->next);
    bool over = overall == ROLLOUT_COMPLETE || overall == ROLLOUT_ROLLED_BACK;
    if (over != (plan->next.ended.s != 0)) {
        plan->next.ended.s = over ? now.s : 0;
        plan->changed = true;
    }
    bool alone = overall == ROLLOUT_COMPLETE || (halts && !was_halted && failed_alone(plan));
    if (alone && !ro->closed && command == ROLLOUT_NO_COMMAND) {
        plan->next.closed = true;
        plan->closes = true;
        plan->changed = true;
    }
    count_drill(plan);
}

/* The ring whose evidence the move of ring `i` is about: one ring's halt is every ring's. */
static size_t cause_of_move(const struct rollout_plan *plan, size_t i)
{
    if (plan->out.to[i] != ROLLOUT_HALTED) { return i; }
    for (size_t k = 0; k < plan->next.ring_count; k++) {
        if (strcmp(plan->next.rings[k].name, plan->next.halt.ring) == 0) { return k; }
    }
    return i;
}

static RW_RC write_details(const struct rollout *ro, const struct rollout_plan *plan, size_t i,
                           struct rw_buf *into, struct rw_err *err)
{
    size_t k = cause_of_move(plan, i);
    struct rollout_cause cause = rollout_cause_of(ro->rings[k].name, &plan->facts[k]);
    struct json_writer w = json_begin(into);
    /* Where no evidence moves it, people want the ring's own counts. */
    bool by_evidence = plan->out.to[i] == ROLLOUT_HALTED || plan->facts[k].verdict != VERDICT_NONE;
    if (!by_evidence) { cause.counts = &plan->facts[k].ring.counts; }
    json_open_object(&w, NULL);
    if (ro->drill.on) { json_put_bool(&w, "drill", true); }
    json_put_str(&w, "from", sm_name(&rollout_rule_table, ro->rings[i].state));
    json_put_str(&w, "to", sm_name(&rollout_rule_table, plan->next.rings[i].state));
    rollout_cause_put(&w, &cause);
    json_close_object(&w);
    return json_done(&w, err);
}

static RW_RC audit_move(struct rollout_run *r, const struct rollout *ro,
                        const struct rollout_plan *plan, size_t i, const char *who,
                        struct rw_err *err)
{
    const struct rollout_ring *ring = &plan->next.rings[i];
    char action[48];
    char object[128];
    RW_AUTO(rw_buf) struct rw_buf details = rw_buf_make(DETAILS_BYTES_MAX);
    RW_TRY(write_details(ro, plan, i, &details, err));
    (void)snprintf(action, sizeof(action), "%s.%s", ro->drill.on ? "drill" : "rollout",
                   sm_name(&rollout_rule_table, ring->state));
    (void)snprintf(object, sizeof(object), "ring %s of %s/%lld", ring->name, ro->family,
                   (long long)ro->release);
    const struct audit_log_entry entry = {.actor = who,
                                          .action = action,
                                          .object = object,
                                          .reason = ring->reason,
                                          .details = rw_buf_span(&details)};
    return audit_log_append(r->store, &entry, ring->since, err);
}

static RW_RC audit_part(struct rollout_run *r, const struct rollout_plan *plan, size_t i,
                        const char *action, const char *part, struct rw_err *err)
{
    const struct rollout *ro = &plan->next;
    struct rollout_cause cause = rollout_cause_of(ro->rings[i].name, &plan->facts[i]);
    char object[256];
    RW_AUTO(rw_buf) struct rw_buf details = rw_buf_make(DETAILS_BYTES_MAX);
    struct json_writer w = json_begin(&details);
    json_open_object(&w, NULL);
    rollout_cause_put(&w, &cause);
    json_close_object(&w);
    RW_TRY(json_done(&w, err));
    (void)snprintf(object, sizeof(object), "%s of %s/%lld", part, ro->family,
                   (long long)ro->release);
    const struct audit_log_entry entry = {.actor = "controller",
                                          .action = action,
                                          .object = object,
                                          .reason = plan->facts[i].gate_reason,
                                          .details = rw_buf_span(&details)};
    RW_TRY(rollout_stopped_add(r->store, ro, r->now, &cause, plan->facts[i].gate_reason, err));
    return audit_log_append(r->store, &entry, r->now, err);
}

/* INV-11: the rest goes on by itself, so nothing of the tenant's may be left in what it is judged by. */
static RW_RC hold_tenant(struct rollout_run *r, const struct rollout *ro, const char *tenant,
                         struct rw_err *err)
{
    struct rollout_evidence *own = NULL;
    RW_TRY(fleet_state_mute(r->fleet, ro->family, ro->release, tenant, err));
    if (ro->evidence == NULL) { RW_TRY(rollout_evidence_open(r->store, ro, r->now, &own, err)); }
    struct rollout_evidence *e = own != NULL ? own : ro->evidence;
    rollout_evidence_take_out(e, ro, r->fleet, r->now);
    struct rw_rc rc = rollout_evidence_put(r->store, ro, e, err);
    rollout_evidence_drop(&own);
    return rc;
}

/* The parts that were stopped: their own audit records, what `explain` keeps, what the fleet must know of them. */
static RW_RC store_parts(struct rollout_run *r, const struct rollout_plan *plan, struct rw_err *err)
{
    const struct rollout *ro = &plan->next;
    char part[200];
    for (size_t i = 0; i < ro->ring_count; i++) {
        if (plan->cohort_halted[i] > 0) {
            const struct beacon_cohort *c = &ro->cohorts[plan->cohort_halted[i] - 1].name;
            (void)snprintf(part, sizeof(part), "cohort %s/%s/%s", c->os, c->arch, c->engine);
            RW_TRY(audit_part(r, plan, i, "rollout.cohort_halted", part, err));
        }
        if (plan->tenant_held[i]) {
            (void)snprintf(part, sizeof(part), "tenant %s", plan->facts[i].top_tenant);
            RW_TRY(audit_part(r, plan, i, "rollout.tenant_held", part, err));
            RW_TRY(hold_tenant(r, ro, plan->facts[i].top_tenant, err));
        }
    }
    if (!plan->closes) { return RW_OK; }
    return fleet_state_close(r->fleet, ro->family, ro->release, r->now, err);
}

/* The record of the drill as a whole. */
static RW_RC audit_drill(struct rollout_run *r, const struct rollout *ro, struct rw_err *err)
{
    char object[64];
    const struct rollout_drill *d = &ro->drill;
    RW_AUTO(rw_buf) struct rw_buf details = rw_buf_make(DETAILS_BYTES_MAX);
    struct json_writer w = json_begin(&details);
    json_open_object(&w, NULL);
    json_put_bool(&w, "drill", true);
    json_put_str(&w, "ring", ro->rings[0].name);
    json_put_str(&w, "halted_by", ro->halt.by);
    json_put_int(&w, "to_halt_s", ro->halt.at.s - ro->rings[0].opened.s);
    json_put_int(&w, "to_back_s", ro->ended.s - ro->halt.at.s);
    json_put_int(&w, "exposed", d->exposed);
    json_put_int(&w, "reported", d->reported);
    json_put_int(&w, "dark", d->dark);
    json_close_object(&w);
    RW_TRY(json_done(&w, err));
    (void)snprintf(object, sizeof(object), "%s/%lld", ro->family, (long long)ro->release);
    const struct audit_log_entry entry = {.actor = "controller",
                                          .action = "drill.end",
                                          .object = object,
                                          .reason = ro->halt.reason,
                                          .details = rw_buf_span(&details)};
    return audit_log_append(r->store, &entry, r->now, err);
}

RW_RC rollout_plan_store(struct rollout_run *r, const struct rollout *ro, struct rollout_plan *plan,
                         const char *who, struct rw_err *err)
{
    RW_TRY(rollout_doc_put(r->store, &plan->next, err));
    for (size_t i = 0; i < ro->ring_count; i++) {
        if (plan->out.moved[i]) { RW_TRY(audit_move(r, ro, plan, i, who, err)); }
    }
    bool over = plan->next.drill.on && plan->next.ended.s != 0 && ro->ended.s == 0;
    if (over) { RW_TRY(audit_drill(r, &plan->next, err)); }
    return store_parts(r, plan, err);
}
