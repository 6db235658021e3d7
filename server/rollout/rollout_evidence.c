#include "server/rollout/rollout_evidence.h"

#include <math.h>

enum { LOOK_S = 60 };

#define COUNT(name, lessened)                                                                      \
    {                                                                                              \
        offsetof(struct rollout_evidence_base, name), offsetof(struct fleet_counts, name),         \
            offsetof(struct fleet_counts, lessened)                                                \
    }
const struct rollout_evidence_count rollout_evidence_counts[ROLLOUT_EVIDENCE_COUNTS] = {
    COUNT(marked, exposed), /* who was set aside counts as never exposed */
    COUNT(failed, failed),
    COUNT(refused, refused),
    COUNT(refused_free, refused_free),
    COUNT(storm, storm),
    COUNT(slow, slow),
    COUNT(mute, mute),
    COUNT(dark, dark),
    COUNT(late_crash, late_crash),
    COUNT(control_crash, control_crash),
    COUNT(control_noise, control_noise),
};

void rollout_evidence_drop(struct rollout_evidence **e)
{
    if (*e == NULL) { return; }
    rw_mem_free((*e)->scopes);
    rw_mem_free(*e);
    *e = NULL;
}

struct rollout_evidence_scope *rollout_evidence_scope(const struct rollout_evidence *e, size_t ring,
                                                      size_t cohort)
{
    RW_ASSERT(ring < e->ring_count && cohort < e->scope_count);
    return &e->scopes[ring * e->scope_count + cohort];
}

struct health_rule_norm rollout_evidence_norm(const struct rollout *ro, size_t cohort)
{
    const struct rollout_norm *n = cohort == 0 ? &ro->norm : &ro->cohorts[cohort - 1].norm;
    struct health_rule_norm norm = health_rule_cold_start();
    double hazard = (double)n->hazard_e15 * 1e-15;
    const int64_t p0_e9[HEALTH_RULE_ABSOLUTE] = {[HEALTH_CRASH] = n->p0_crash_e9,
                                                 [HEALTH_STORM] = n->p0_storm_e9,
                                                 [HEALTH_SLOW] = n->p0_slow_e9,
                                                 [HEALTH_MUTE] = n->p0_mute_e9};
    for (int t = 0; t < HEALTH_RULE_ABSOLUTE; t++) {
        if (p0_e9[t] > 0) { norm.p0[t] = (double)p0_e9[t] * 1e-9; }
    }
    norm.history_hazard = hazard;
    norm.rho_crash = health_rule_rho_crash(hazard);
    return norm;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

RW_RC rollout_evidence_open(struct store *store, const struct rollout *ro, struct rw_wall now,
                            struct rollout_evidence **out, struct rw_err *err)
{
    struct rollout_evidence *e = rw_mem_new(sizeof(*e));
    if (e == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for evidence"); }
    e->ring_count = ro->ring_count;
    e->scope_count = ro->cohort_count + 1;
    e->at_s = now.s;
    e->scopes = rw_mem_new_array(e->ring_count * e->scope_count, sizeof(*e->scopes));
    struct rw_rc rc;
    if (e->scopes == NULL) {
        rc = rw_fail(err, RW_E_NOMEM, "no memory for evidence");
    } else {
        for (size_t i = 0; i < e->ring_count * e->scope_count; i++) {
            e->scopes[i].late = late_rule_begin();
        }
        rc = rollout_evidence_load(store, ro, e, err);
        /* INV-3: written by a clock that was ahead, it would look at nothing until that time has come. */
        if (rw_is_ok(rc)) { e->at_s = least(e->at_s, now.s); }
    }
    if (!rw_is_ok(rc)) {
        rollout_evidence_drop(&e);
        return rc;
    }
    *out = e;
    return RW_OK;
}

/* --- looking --- */

static int64_t width_s(const struct rollout *ro, const struct fleet_state *fleet,
                       struct rw_wall now)
{
    const struct fleet_place place = {ro->family, ro->release, ro->rings[0].name};
    return fleet_state_observed(fleet, &place, NULL, now).width_s;
}

bool rollout_evidence_due(const struct rollout_evidence *e, const struct rollout *ro,
                          const struct fleet_state *fleet, struct rw_wall now)
{
    int64_t width = width_s(ro, fleet, now);
    if (e->resumes != ro->resumes) { return true; }
    return now.s - e->at_s >= (width < LOOK_S ? width : LOOK_S);
}

struct look {
    struct rollout_evidence *e;
    const struct rollout *ro;
    const struct fleet_state *fleet;
    struct fleet_place place;
    const struct beacon_cohort *cohort;
    struct rw_wall now;
    int64_t last_bucket;
};

static bool closed_bucket(const struct look *l, const struct fleet_place *place,
                          const struct beacon_cohort *cohort, int64_t id,
                          struct late_rule_bucket *out)
{
    struct fleet_bucket b;
    if (!fleet_state_bucket(l->fleet, place, cohort, id, &b)) { return false; }
    *out = (struct late_rule_bucket){
        .treated = b.treated,
        .control = b.control,
        .treated_dark = least(b.treated_dark, b.treated),
        .control_dark = most((int64_t)b.control - b.control_seen, 0),
    };
    return true;
}

/* Of all rings: one that is nearly through has no control of its own any more, those behind it have. */
static struct late_rule_bucket bucket_of_all(const struct look *l, int64_t id)
{
    struct late_rule_bucket all = {.treated = 0};
    for (size_t i = 0; i < l->ro->ring_count; i++) {
        const struct fleet_place place = {l->ro->family, l->ro->release, l->ro->rings[i].name};
        struct late_rule_bucket one = {0};
        if (!closed_bucket(l, &place, NULL, id, &one)) { continue; }
        all.treated += one.treated;
        all.treated_dark += one.treated_dark;
        all.control += one.control;
        all.control_dark += one.control_dark;
    }
    return all;
}

static void take_buckets(const struct look *l, struct rollout_evidence_scope *s,
                         const struct health_rule_norm *norm, int64_t first)
{
    for (int64_t id = first; id <= l->last_bucket; id++) {
        struct late_rule_bucket closed = {0};
        struct late_rule_bucket ring = {0};
        if (!closed_bucket(l, &l->place, l->cohort, id, &closed)) { continue; }
        (void)closed_bucket(l, &l->place, NULL, id, &ring);
        /* With enough control of its own nobody asks for the others'. */
        struct late_rule_bucket all = {.treated = 0};
        if (closed.control < LATE_RULE_CONTROL_MIN) { all = bucket_of_all(l, id); }
        if (l->cohort == NULL) {
            late_rule_take_bucket_beside(&s->late, norm->rho_dark, &closed, &all);
        } else {
            late_rule_take_bucket_cohort(&s->late, norm->rho_dark, &closed, &ring, &all);
        }
    }
}

/* Counts fall when votes are taken out: those of a tenant that is held. What was worked in or set aside of them falls
 * with them, or it would hide as many that others tell of from now on (INV-4). */
static void follow_down(struct rollout_evidence_scope *s, const struct fleet_counts *c)
{
    s->late_seen = least(s->late_seen, c->late_crash);
    s->control_seen = least(s->control_seen, c->control_crash);
    for (size_t i = 0; i < ROLLOUT_EVIDENCE_COUNTS; i++) {
        const struct rollout_evidence_count *k = &rollout_evidence_counts[i];
        int64_t now = 0;
        int64_t base = 0;
        rw_copy(&now, sizeof(now), (const char *)c + k->from, sizeof(now));
        rw_copy(&base, sizeof(base), (const char *)&s->base + k->base, sizeof(base));
        base = least(base, now);
        rw_copy((char *)&s->base + k->base, sizeof(base), &base, sizeof(base));
    }
}

/* Sizes for the whole time between two looks: the larger treated and the smaller control group, so that neither an
 * endpoint that came in between nor one that left it makes a crash look rarer among the treated than it is. */
static void look_at(const struct look *l, struct rollout_evidence_scope *s,
                    const struct health_rule_norm *norm)
{
    struct fleet_counts c =
        fleet_state_counts(l->fleet, l->place.family, l->place.release, l->place.ring, l->cohort);
    struct fleet_observed o = fleet_state_observed(l->fleet, &l->place, l->cohort, l->now);
    follow_down(s, &c);
    int64_t late = most(c.late_crash - s->late_seen, 0);
    int64_t control = most(c.control_crash - s->control_seen, 0);
    int64_t at_risk = most(s->at_risk, c.at_risk + late);
    const struct late_rule_risk risk = {(double)at_risk, (double)least(s->control, o.control_open)};
    int64_t since_s = l->now.s - l->e->at_s;
    double hazard = health_rule_expected_hazard(norm, &risk);
    if (hazard > 0.0) {
        late_rule_history(&s->late, hazard * (double)at_risk * (double)since_s / 60.0, late);
    }
    late_rule_crash(&s->late, norm->rho_crash, late, &risk);
    late_rule_control_crash(&s->late, norm->rho_crash, control, &risk);
    take_buckets(l, s, norm, most(l->e->bucket + 1, l->last_bucket - FLEET_BUCKETS));
    s->late_seen = most(c.late_crash, s->late_seen);
    s->control_seen = most(c.control_crash, s->control_seen);
    s->at_risk = most(c.at_risk, 0);
    s->control = o.control_open;
    s->risk_s += at_risk * since_s;
}

static void drip(const struct rollout *ro, struct rw_wall now, struct rollout_evidence_scope *s)
{
    int64_t drips = (now.s - ro->started.s) / LATE_RULE_DRIP_S;
    while (s->late.drips < drips && s->late.drips < LATE_RULE_DRIPS) {
        late_rule_drip(&s->late);
    }
}

/* What a person has looked at and resumed holds nothing any more: only what comes from here on counts. */
static void begin_anew(const struct rollout *ro, const struct look *l,
                       struct rollout_evidence_scope *s)
{
    struct fleet_counts c =
        fleet_state_counts(l->fleet, l->place.family, l->place.release, l->place.ring, l->cohort);
    s->late = late_rule_begin();
    drip(ro, l->now, s);
    s->base = (struct rollout_evidence_base){.lost = most(c.exposed - c.survived - c.pending, 0)};
    for (size_t i = 0; i < ROLLOUT_EVIDENCE_COUNTS; i++) {
        const struct rollout_evidence_count *k = &rollout_evidence_counts[i];
        rw_copy((char *)&s->base + k->base, sizeof(int64_t), (const char *)&c + k->from,
                sizeof(int64_t));
    }
}

void rollout_evidence_look(struct rollout_evidence *e, const struct rollout *ro,
                           const struct fleet_state *fleet, struct rw_wall now)
{
    struct look l = {.e = e, .ro = ro, .fleet = fleet, .now = now};
    bool anew = e->resumes != ro->resumes;
    if (now.s <= e->at_s && !anew) { return; }
    l.last_bucket = now.s / width_s(ro, fleet, now) - 1; /* closed: deadlines were expired before */
    /* Buckets of a clock that was far ahead: those that come now were never read. */
    if (e->bucket > l.last_bucket + FLEET_BUCKETS) { e->bucket = l.last_bucket; }
    for (size_t ring = 0; ring < e->ring_count; ring++) {
        l.place = (struct fleet_place){ro->family, ro->release, ro->rings[ring].name};
        for (size_t k = 0; k < e->scope_count; k++) {
            struct rollout_evidence_scope *s = rollout_evidence_scope(e, ring, k);
            struct health_rule_norm norm = rollout_evidence_norm(ro, k);
            l.cohort = k == 0 ? NULL : &ro->cohorts[k - 1].name;
            look_at(&l, s, &norm);
            drip(ro, now, s);
            if (anew) { begin_anew(ro, &l, s); }
        }
    }
    e->bucket = most(l.last_bucket, e->bucket);
    e->at_s = now.s;
    e->resumes = ro->resumes;
}

/* The first bucket to be taken once more. Those of before a resume were looked at by a person. When that was is not
 * kept, but a ring that is resumed moves: what has closed behind the latest move of all rings came after it. */
static int64_t first_again(const struct look *l)
{
    const struct rollout *ro = l->ro;
    int64_t kept = l->last_bucket - FLEET_BUCKETS;
    int64_t moved_s = 0;
    for (size_t i = 0; i < ro->ring_count; i++) {
        moved_s = most(moved_s, ro->rings[i].since.s);
    }
    return ro->resumes == 0 ? kept : most(kept, moved_s / width_s(ro, l->fleet, l->now) + 1);
}

static void take_out(const struct look *l, struct rollout_evidence_scope *s,
                     const struct health_rule_norm *norm)
{
    struct fleet_counts c =
        fleet_state_counts(l->fleet, l->place.family, l->place.release, l->place.ring, l->cohort);
    const struct late_rule before = s->late;
    follow_down(s, &c);
    int64_t late = c.late_crash - s->base.late_crash;
    int64_t control = c.control_crash - s->base.control_crash;
    /* Sizes of now: since then treated endpoints became more and control less, so crashes look rather usual. */
    const struct late_rule_risk risk = {(double)most(c.at_risk + late, 0), (double)s->control};
    double hazard = health_rule_expected_hazard(norm, &risk);
    double share = fmin(risk.treated / fmax((double)s->at_risk, 1.0), 1.0); /* of all at risk */
    s->late = late_rule_begin();
    s->risk_s = (int64_t)(share * (double)s->risk_s);
    if (hazard > 0.0) { late_rule_history(&s->late, hazard * (double)s->risk_s / 60.0, late); }
    late_rule_crash(&s->late, norm->rho_crash, late, &risk);
    late_rule_control_crash(&s->late, norm->rho_crash, control, &risk);
    take_buckets(l, s, norm, first_again(l));
    s->late.control_windows = before.control_windows;
    s->late.control_dark = before.control_dark;
    s->late_seen = c.late_crash;
    s->control_seen = c.control_crash;
    s->at_risk = most(c.at_risk, 0);
    drip(l->ro, l->now, s);
}

void rollout_evidence_take_out(struct rollout_evidence *e, const struct rollout *ro,
                               const struct fleet_state *fleet, struct rw_wall now)
{
    struct look l = {.e = e, .ro = ro, .fleet = fleet, .now = now, .last_bucket = e->bucket};
    for (size_t ring = 0; ring < e->ring_count; ring++) {
        l.place = (struct fleet_place){ro->family, ro->release, ro->rings[ring].name};
        for (size_t k = 0; k < e->scope_count; k++) {
            struct health_rule_norm norm = rollout_evidence_norm(ro, k);
            l.cohort = k == 0 ? NULL : &ro->cohorts[k - 1].name;
            take_out(&l, rollout_evidence_scope(e, ring, k), &norm);
        }
    }
}
