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

/* The evidence of a scope; NULL: it has none of its own. */
static const struct rollout_evidence_scope *evidence_of(const struct rollout *r, size_t index,
                                                        bool is_cohort, size_t known)
{
    bool kept = r->evidence != NULL && (!is_cohort || known > 0);
    return kept ? rollout_evidence_scope(r->evidence, index, known) : NULL;
}

/* Places under the first law that failures took before a person looked at them and resumed. */
static int64_t given_back(const struct rollout *r, size_t index, const struct beacon_cohort *cohort,
                          const struct fleet_counts *c)
{
    size_t known = cohort == NULL ? 0 : rollout_facts_known(r, cohort);
    bool own = cohort == NULL || known < r->cohort_count;
    const struct rollout_evidence_scope *s =
        own ? evidence_of(r, index, cohort != NULL, cohort == NULL ? 0 : known + 1) : NULL;
    int64_t lost = c->exposed - c->survived - c->pending;
    if (s == NULL || lost <= 0) { return 0; }
    return s->base.lost < lost ? s->base.lost : lost;
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
    int64_t taken = c.exposed - given_back(r, index, cohort, &c);
    struct rollout_facts_window w = {
        .law = {{.start = start, .per_survivor_m = p->confirm_per_survivor_m},
                {.start = p->alive_start, .per_survivor_m = p->alive_per_survivor_m}},
        .counts = {{.exposed = taken, .survived = c.survived},
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

/* Endpoints that places are kept for: not those of tenants that are held, which get none. */
static int64_t others_of(const struct rollout_facts_from *from, const struct fleet_place *place,
                         int64_t members, const char *tenant)
{
    const struct rollout *r = from->rollout;
    int64_t others = members - fleet_state_tenant_counts(from->fleet, place, tenant).members;
    for (size_t i = 0; i < r->tenant_count; i++) {
        if (strcmp(r->tenants[i], tenant) == 0) { continue; }
        others -= fleet_state_tenant_counts(from->fleet, place, r->tenants[i]).members;
    }
    return others;
}

struct window_rule_tenant rollout_facts_tenant(const struct rollout_facts_from *from, size_t index,
                                               const char *tenant, int64_t start)
{
    const struct rollout *r = from->rollout;
    const struct fleet_place place = {r->family, r->release, r->rings[index].name};
    struct fleet_counts all =
        fleet_state_counts(from->fleet, place.family, place.release, place.ring, NULL);
    struct fleet_counts own = fleet_state_tenant_counts(from->fleet, &place, tenant);
    /* What a resume gave back to the ring, every tenant has back of what it lost. */
    int64_t back = given_back(r, index, NULL, &all);
    int64_t lost = own.exposed - own.survived - own.pending;
    struct window_rule_tenant t = {.law = {start, from->policy->confirm_per_survivor_m},
                                   .share_bp = from->policy->tenant_share_bp,
                                   .unproven =
                                       own.exposed - own.survived - (lost < back ? lost : back),
                                   .survived = own.survived,
                                   .others = others_of(from, &place, all.members, tenant)};
    /* Nothing is open and nobody came for what was left: then it is kept for nobody, else endpoints that never ask
     * would keep the detector from ever being sure (INV-3). */
    if (all.pending == 0) { t.others = 0; }
    return t;
}

/* Takes a base away from counts, or from a base that holds more: `at` is where each of them stands there. */
static void lessen_one(void *object, size_t at, const struct rollout_evidence_base *b, size_t base)
{
    int64_t count = 0;
    int64_t by = 0;
    rw_copy(&count, sizeof(count), (const char *)object + at, sizeof(count));
    rw_copy(&by, sizeof(by), (const char *)b + base, sizeof(by));
    count = count > by ? count - by : 0;
    rw_copy((char *)object + at, sizeof(count), &count, sizeof(count));
}

static void lessen_counts(struct fleet_counts *c, const struct rollout_evidence_base *b)
{
    for (size_t i = 0; i < ROLLOUT_EVIDENCE_COUNTS; i++) {
        const struct rollout_evidence_count *k = &rollout_evidence_counts[i];
        lessen_one(c, k->lessens, b, k->base);
    }
}

static void lessen_base(struct rollout_evidence_base *base, const struct rollout_evidence_base *b)
{
    for (size_t i = 0; i < ROLLOUT_EVIDENCE_COUNTS; i++) {
        lessen_one(base, rollout_evidence_counts[i].base, b, rollout_evidence_counts[i].base);
    }
}

/* What counts since a person resumed last. A cohort that is halted is not in the whole, nor are the failures of it that
 * were set aside. Who was set aside may fail again in another way: failures are never more than exposures. */
static struct fleet_counts since_resume(const struct rollout *r, size_t index,
                                        const struct rollout_facts_scope *s,
                                        const struct rollout_evidence_scope *own)
{
    struct fleet_counts c = s->counts;
    if (own == NULL || r->resumes == 0) { return c; }
    struct rollout_evidence_base base = own->base;
    for (size_t i = 0; i < r->cohort_count && !s->is_cohort; i++) {
        if (!r->cohorts[i].halted) { continue; }
        lessen_base(&base, &rollout_evidence_scope(r->evidence, index, i + 1)->base);
    }
    lessen_counts(&c, &base);
    const int64_t seen[] = {c.failed, c.refused - c.refused_free, c.storm, c.slow, c.mute};
    for (size_t i = 0; i < RW_LEN(seen); i++) {
        if (c.exposed - c.muted < seen[i]) { c.exposed = c.muted + seen[i]; }
    }
    return c;
}

static void terms_of(struct rollout_facts_scope *s, const struct fleet_counts *c,
                     const struct late_rule *late, const struct fleet_observed *seen)
{
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
    s->terms[HEALTH_MUTE] = (struct rollout_facts_term){.failures = c->mute, .exposures = counted};
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
                                    .control = late->control_windows,
                                    .borrowed_failures = late->borrowed_dark,
                                    .borrowed = late->borrowed,
                                    .unjudged_failures = late->unjudged_dark,
                                    .unjudged = late->unjudged};
}

static void weigh(const struct rollout_facts_from *from, size_t index,
                  const struct beacon_cohort *cohort, struct rollout_facts_scope *s)
{
    const struct rollout *r = from->rollout;
    const struct fleet_place place = {r->family, r->release, r->rings[index].name};
    const struct rollout_evidence_scope *own = evidence_of(r, index, s->is_cohort, s->known);
    const struct fleet_counts c = since_resume(r, index, s, own);
    struct late_rule late = own != NULL ? own->late : late_rule_begin();
    s->risk_s = own != NULL ? own->risk_s : 0;
    struct fleet_observed seen = fleet_state_observed(from->fleet, &place, cohort, from->now);
    const struct health_rule_counts counts = {
        .exposed = c.exposed - c.muted,
        .failed = c.failed,
        .refused = c.refused,
        .refused_free = c.refused_free,
        .storm = c.storm,
        .slow = c.slow,
        .mute = c.mute,
    };
    const struct verdict_rule_control_counts control = {
        .crashes = c.control_crash, .noise = c.control_noise, .open = seen.control_open};
    s->norm = rollout_evidence_norm(r, s->known);
    terms_of(s, &c, &late, &seen);
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
    from->mute -= c->mute;
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
