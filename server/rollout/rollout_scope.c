#include "server/rollout/rollout_evidence.h"
#include "server/rollout/rollout_facts.h"

#include <string.h>

size_t rollout_facts_known(const struct rollout *r, const struct beacon_cohort *cohort)
{
    size_t i = 0;
    while (i < r->cohort_count) {
        const struct beacon_cohort *c = &r->cohorts[i].name;
        if (strcmp(c->os, cohort->os) == 0 && strcmp(c->arch, cohort->arch) == 0 &&
            strcmp(c->engine, cohort->engine) == 0) {
            break;
        }
        i++;
    }
    return i;
}

/* INV-1: the laws that permits are granted by. exposed - survived = pending + dark + failed. */
void rollout_facts_window(const struct rollout_facts_from *from, size_t index,
                          const struct beacon_cohort *cohort, struct rollout_facts_window *out)
{
    const struct rollout *r = from->rollout;
    const struct ring_policy *p = from->policy;
    struct fleet_counts c =
        fleet_state_counts(from->fleet, r->family, r->release, r->rings[index].name, cohort);
    int64_t start = cohort == NULL ? p->confirm_start : p->cohort_start;
    struct rollout_facts_window w = {
        .law = {{.start = start, .per_survivor_m = p->confirm_per_survivor_m},
                {.start = p->alive_start, .per_survivor_m = p->alive_per_survivor_m}},
        .counts = {{.exposed = c.exposed, .survived = c.survived},
                   {.exposed = c.exposed, .survived = c.aged}},
    };
    w.room = window_rule_room_all(w.law, w.counts, ROLLOUT_LAWS);
    w.allowed = INT64_MAX;
    for (int i = 0; i < ROLLOUT_LAWS; i++) {
        int64_t allowed = window_rule_allowed(&w.law[i], &w.counts[i]);
        if (allowed < w.allowed) { w.allowed = allowed; }
    }
    *out = w;
}

static void terms_of(struct rollout_facts_scope *s, const struct late_rule *late,
                     const struct fleet_observed *seen)
{
    const struct fleet_counts *c = &s->counts;
    int64_t counted = c->exposed - c->muted;
    s->terms[HEALTH_REFUSE] =
        (struct rollout_facts_term){.failures = c->refused, .exposures = counted + c->refused_free};
    s->terms[HEALTH_CRASH] =
        (struct rollout_facts_term){.failures = c->failed, .exposures = counted};
    s->terms[HEALTH_DARK] =
        (struct rollout_facts_term){.failures = late->windows_dark, .exposures = late->windows};
    s->terms[HEALTH_STORM] =
        (struct rollout_facts_term){.failures = c->storm, .exposures = counted};
    s->terms[HEALTH_SLOW] = (struct rollout_facts_term){.failures = c->slow, .exposures = counted};
    s->terms[HEALTH_CRASH_HISTORY] =
        (struct rollout_facts_term){.failures = c->late_crash, .exposures = c->at_risk};
    s->terms[HEALTH_CRASH_CONTROL] =
        (struct rollout_facts_term){.failures = c->late_crash,
                                    .exposures = c->at_risk,
                                    .control_failures = c->control_crash,
                                    .control = seen->control_open};
    s->terms[HEALTH_DARK_CONTROL] =
        (struct rollout_facts_term){.failures = c->dark - late->windows_dark,
                                    .exposures = counted - c->pending - late->windows,
                                    .control_failures = late->control_dark,
                                    .control = late->control_windows};
}

static void weigh(const struct rollout_facts_from *from, size_t index,
                  const struct beacon_cohort *cohort, struct rollout_facts_scope *s)
{
    const struct rollout *r = from->rollout;
    const struct fleet_place place = {r->family, r->release, r->rings[index].name};
    const struct rollout_evidence *e = r->evidence;
    bool kept = e != NULL && (cohort == NULL || s->known > 0);
    const struct rollout_evidence_scope *own =
        kept ? rollout_evidence_scope(e, index, s->known) : NULL;
    struct late_rule late = own != NULL ? own->late : late_rule_begin();
    s->risk_s = own != NULL ? own->risk_s : 0;
    struct fleet_observed seen = fleet_state_observed(from->fleet, &place, cohort, from->now);
    const struct health_rule_counts counts = {
        .exposed = s->counts.exposed - s->counts.muted,
        .failed = s->counts.failed,
        .refused = s->counts.refused,
        .refused_free = s->counts.refused_free,
        .storm = s->counts.storm,
        .slow = s->counts.slow,
    };
    const struct verdict_rule_control_counts control = {.crashes = s->counts.control_crash,
                                                        .noise = s->counts.control_noise,
                                                        .open = seen.control_open};
    s->norm = rollout_evidence_norm(r, s->known);
    terms_of(s, &late, &seen);
    s->result = health_rule_scope(&s->norm, &counts, &late);
    s->control_log_e = verdict_rule_control(&s->norm, &control, &late);
}

static void take_away(struct fleet_counts *from, const struct fleet_counts *c)
{
    from->exposed -= c->exposed;
    from->pending -= c->pending;
    from->survived -= c->survived;
    from->healthy -= c->healthy;
    from->failed -= c->failed;
    from->refused -= c->refused;
    from->refused_free -= c->refused_free;
    from->unable -= c->unable;
    from->dark -= c->dark;
    from->late_crash -= c->late_crash;
    from->storm -= c->storm;
    from->slow -= c->slow;
    from->marked -= c->marked;
    from->at_risk -= c->at_risk;
    from->muted -= c->muted;
    from->control_crash -= c->control_crash;
    from->control_noise -= c->control_noise;
}

struct fleet_counts rollout_facts_going(const struct rollout_facts_from *from, size_t index)
{
    const struct rollout *r = from->rollout;
    const char *ring = r->rings[index].name;
    struct fleet_counts going = fleet_state_counts(from->fleet, r->family, r->release, ring, NULL);
    for (size_t i = 0; i < r->cohort_count; i++) {
        const struct rollout_cohort *c = &r->cohorts[i];
        if (!c->halted) { continue; }
        struct fleet_counts gone =
            fleet_state_counts(from->fleet, r->family, r->release, ring, &c->name);
        take_away(&going, &gone); /* they say nothing any more about the rest */
    }
    return going;
}

void rollout_facts_whole(const struct rollout_facts_from *from, size_t index,
                         struct rollout_facts_scope *out)
{
    const struct rollout *r = from->rollout;
    struct rollout_facts_scope s = {.weight = verdict_rule_whole_weight(r->cohort_count)};
    s.counts = rollout_facts_going(from, index);
    weigh(from, index, NULL, &s);
    s.counts = fleet_state_counts(from->fleet, r->family, r->release, r->rings[index].name, NULL);
    *out = s;
}

void rollout_facts_cohort(const struct rollout_facts_from *from, size_t index,
                          const struct beacon_cohort *cohort, struct rollout_facts_scope *out)
{
    const struct rollout *r = from->rollout;
    struct rollout_facts_scope s = {.is_cohort = true, .cohort = *cohort};
    size_t known = rollout_facts_known(r, cohort);
    if (known < r->cohort_count) {
        s.known = known + 1;
        s.halted = r->cohorts[known].halted;
        s.weight = s.halted ? 0.0 : verdict_rule_cohort_weight(r->cohort_count);
    }
    s.counts = fleet_state_counts(from->fleet, r->family, r->release, r->rings[index].name, cohort);
    weigh(from, index, cohort, &s);
    *out = s;
}
