#include "server/cli/cmd_rings_facts.h"

#include "common/base/num.h"
#include "common/policy/gate_rule.h"
#include "server/cli/cli_view.h"
#include "server/cli/cmd_simulate.h"

#include <stdarg.h>
#include <stdio.h>

enum { DURATION_BYTES = 32, BAKE_USUAL_S = 3600, START_PART = 10 };

int64_t cmd_rings_needed(const struct ring_policy_ring *ring, int64_t failures)
{
    double limit = (double)ring->gate_limit_bp / RING_POLICY_BUCKETS;
    int64_t bound = gate_rule_needed(failures, limit, GATE_RULE_ALPHA);
    int64_t healthy = ring->gate_min_healthy + failures;
    return bound > healthy ? bound : healthy;
}

int64_t cmd_rings_members(const struct ring_policy_ring *ring, int64_t hosts)
{
    if (ring->select == RING_BY_HAND) { return -1; }
    return (int64_t)((double)hosts * (double)(ring->bucket_hi - ring->bucket_lo) /
                     RING_POLICY_BUCKETS);
}

int64_t cmd_rings_staff(const struct ring_policy *policy)
{
    int64_t most = 0;
    for (size_t i = 0; i < policy->ring_count; i++) {
        const struct ring_policy_ring *r = &policy->rings[i];
        int64_t here = r->select == RING_BY_HAND ? cmd_rings_needed(r, 1) : 0;
        if (here > most && here <= CMD_RINGS_STAFF_MAX) { most = here; }
    }
    return most;
}

/* --- findings --- */

__attribute__((format(printf, 4, 5))) static void find(struct cmd_rings_facts *f, bool warning,
                                                       const char *ring, const char *format, ...)
{
    va_list args;
    RW_ASSERT(f->finding_count < CMD_RINGS_FINDINGS_MAX);
    struct cmd_rings_finding *to = &f->findings[f->finding_count++];
    to->warning = warning;
    to->ring = ring;
    f->warning_count += warning;
    va_start(args, format);
    (void)vsnprintf(to->text, sizeof(to->text), format, args);
    va_end(args);
}

/* What a gate that never says PASS means, by where it stands. */
static const char *stays_shut(bool last)
{
    return last ? "the release never completes by itself"
                : "it could never say PASS by itself (a person would have to promote it)";
}

static void find_too_small(struct cmd_rings_facts *f, size_t ring)
{
    const struct ring_policy_ring *r = &f->plan.policy.rings[ring];
    bool last = ring + 1 == f->plan.policy.ring_count;
    int64_t needed = cmd_rings_needed(r, 0);
    int64_t members = f->pace[0].rings[ring].members;
    if (members >= needed) { return; }
    if (r->select == RING_BY_HAND && f->staff_advised) {
        find(f, true, r->name,
             "its gate needs %lld endpoints that joined by hand (min_healthy %lld): %s",
             (long long)needed, (long long)r->gate_min_healthy, stays_shut(last));
        return;
    }
    find(f, true, r->name, "would hold about %lld endpoint%s; its gate needs %lld healthy: %s",
         (long long)members, rw_plural(members), (long long)needed, stays_shut(last));
}

static void find_hold_back(struct cmd_rings_facts *f, size_t ring)
{
    const struct ring_policy_ring *r = &f->plan.policy.rings[ring];
    const struct sim_pace_ring *pace = &f->pace[0].rings[ring];
    int64_t needed = cmd_rings_needed(r, 0);
    int64_t others = pace->members - pace->held_back;
    char time[DURATION_BYTES];
    (void)cli_view_duration(r->hold_back_s, time, sizeof(time));
    if (r->hold_back_s <= 0 || r->hold_back_bp == 0) { return; }
    if (pace->members >= needed && others < needed) {
        find(f, true, r->name,
             "keeps %lld of its %lld endpoints back for %s; the gate needs %lld healthy, the "
             "others are %lld: it cannot say PASS before",
             (long long)pace->held_back, (long long)pace->members, time, (long long)needed,
             (long long)others);
    } else if (r->hold_back_bp * 2 > RING_POLICY_BUCKETS) {
        find(f, true, r->name, "keeps most of its endpoints back for %s: %lld of %lld", time,
             (long long)pace->held_back, (long long)pace->members);
    }
}

static void find_notes(struct cmd_rings_facts *f, size_t ring)
{
    const struct ring_policy_ring *r = &f->plan.policy.rings[ring];
    int64_t needed = cmd_rings_needed(r, 0);
    if (ring + 1 == f->plan.policy.ring_count) { return; }
    if (r->select == RING_BY_HAND) {
        find(f, false, r->name,
             "is joined by hand: put at least %lld endpoint%s into it; with %lld, one that fails "
             "or falls silent does not keep it shut",
             (long long)needed, rw_plural(needed), (long long)cmd_rings_needed(r, 1));
    } else if (f->hosts_assumed) {
        find(f, false, r->name, "answers by itself in fleets of %lld or more endpoints",
             (long long)(needed * RING_POLICY_BUCKETS / (r->bucket_hi - r->bucket_lo) + 1));
    }
}

static void find_short_bake(struct cmd_rings_facts *f, size_t ring)
{
    const struct ring_policy *p = &f->plan.policy;
    const struct ring_policy_ring *r = &p->rings[ring];
    char time[DURATION_BYTES];
    if (ring + 1 == p->ring_count) { return; }
    if (r->bake_s < p->confirm_probation_s) {
        find(f, true, r->name, "bakes shorter than the probation of one endpoint");
    } else if (r->select != RING_BY_HAND && r->bake_s < BAKE_USUAL_S) {
        (void)cli_view_duration(r->bake_s, time, sizeof(time));
        find(f, true, r->name, "bakes %s: a fault that takes longer to show meets the next ring",
             time);
    }
}

/* Rings and a window so wide that they hardly pace anything (INV-1). */
static void find_wide(struct cmd_rings_facts *f)
{
    const struct ring_policy *p = &f->plan.policy;
    size_t last = p->ring_count - 1;
    int64_t members = f->pace[0].rings[last].members;
    if (last == 0) {
        find(f, true, NULL,
             "there is one ring only: nothing is learned from few endpoints before all may have a "
             "release");
    } else if (p->rings[0].select != RING_BY_HAND) {
        find(f, false, NULL, "no ring of your own machines (\"select\": \"local\") comes first");
    }
    if (p->confirm_start > members / START_PART) {
        find(f, true, p->rings[last].name,
             "may lose %lld of its %lld endpoints to a release that none survives "
             "(window.confirm.start)",
             (long long)(p->confirm_start < members ? p->confirm_start : members),
             (long long)members);
    }
}

static void find_in_ring(struct cmd_rings_facts *f, size_t ring)
{
    find_short_bake(f, ring);
    find_too_small(f, ring);
    find_hold_back(f, ring);
    find_notes(f, ring);
}

/* Rings that open, and a window that is too slow all the same. */
static void find_slow(struct cmd_rings_facts *f, size_t class_index)
{
    const struct sim_pace *pace = &f->pace[class_index];
    char time[DURATION_BYTES];
    if (pace->reach_95_s >= 0 || pace->rings[f->plan.policy.ring_count - 1].opens_s < 0) { return; }
    (void)cli_view_duration(pace->looked_s, time, sizeof(time));
    find(f, true, NULL, "class %s: 95 %% of the fleet would not have a release within %s",
         f->plan.policy.classes[class_index].name, time);
}

RW_RC cmd_rings_facts(const struct ring_policy *policy, const struct cmd_rings_options *options,
                      struct cmd_rings_facts *out, struct rw_err *err)
{
    *out = (struct cmd_rings_facts){.hosts_assumed = options->hosts <= 0,
                                    .staff_advised = options->staff < 0};
    struct sim_plan *plan = &out->plan;
    plan->policy = *policy;
    plan->endpoints = out->hosts_assumed ? CMD_RINGS_HOSTS_ASSUMED : options->hosts;
    plan->staff = out->staff_advised ? cmd_rings_staff(policy) : options->staff;
    RW_TRY(cmd_simulate_cohorts(options->cohorts == NULL ? SIM_USUAL_COHORTS : options->cohorts,
                                plan, err));
    for (size_t i = 0; i < policy->class_count; i++) {
        plan->class_index = i;
        RW_TRY(sim_pace_run(plan, &out->pace[i], err));
    }
    plan->class_index = 0;
    find_wide(out);
    for (size_t i = 0; i < policy->ring_count; i++) {
        find_in_ring(out, i);
    }
    for (size_t i = 0; i < policy->class_count; i++) {
        find_slow(out, i);
    }
    return RW_OK;
}
