#include "server/rollout/rollout_evidence.h"
#include "server/rollout/rollout_live.h"
#include "server/rollout/rollout_run.h"

#include <string.h>

enum { HISTORY_RELEASES_MAX = 50 };

static RW_RC may_start(const struct rollout_run *r, const char *family, int64_t release,
                       int64_t *previous_out, struct rw_err *err)
{
    const struct rollout *same = rollout_live_find(r, family, release);
    const struct rollout *live = rollout_live_of(r, family);
    if (same != NULL && same->halt.there) {
        RW_IGNORE(
            rw_fail(err, RW_E_POLICY, "%s/%lld was halted before", family, (long long)release),
            "a hint follows");
        return rw_hint(err, "make a new release; a halted one is not rolled out again");
    }
    if (same != NULL) {
        return rw_fail(err, RW_E_EXISTS, "there is a rollout of %s/%lld already", family,
                       (long long)release);
    }
    enum rollout_rule_state state = live == NULL ? ROLLOUT_COMPLETE : rollout_doc_overall(live);
    /* A fix must not wait for endpoints that do not report back: their ring points to the older release already. */
    if (state != ROLLOUT_COMPLETE && state != ROLLOUT_ROLLING_BACK) {
        return rw_fail(err, RW_E_POLICY, "%s/%lld is being rolled out (%s): one at a time", family,
                       (long long)live->release, sm_name(&rollout_rule_table, (int)state));
    }
    if (live != NULL && release < live->release) {
        return rw_fail(err, RW_E_POLICY, "%s/%lld is older than %s/%lld, which is out", family,
                       (long long)release, family, (long long)live->release);
    }
    *previous_out = live == NULL ? 0 : state == ROLLOUT_COMPLETE ? live->release : live->previous;
    return RW_OK;
}

struct cohort_list {
    struct rollout *ro;
    int64_t members[ROLLOUT_COHORTS_MAX];
};

/* Keeps the cohorts with the most endpoints when there are more than fit. */
static RW_RC take_cohort(void *arg, const struct beacon_cohort *cohort,
                         const struct fleet_counts *counts, struct rw_err *err)
{
    struct cohort_list *list = arg;
    struct rollout *ro = list->ro;
    size_t least = 0;
    (void)err;
    for (size_t i = 0; i < ro->cohort_count; i++) {
        const struct beacon_cohort *c = &ro->cohorts[i].name;
        if (strcmp(c->os, cohort->os) == 0 && strcmp(c->arch, cohort->arch) == 0 &&
            strcmp(c->engine, cohort->engine) == 0) {
            list->members[i] += counts->members;
            return RW_OK;
        }
        if (list->members[i] < list->members[least]) { least = i; }
    }
    if (ro->cohort_count < ROLLOUT_COHORTS_MAX) { least = ro->cohort_count++; }
    if (ro->cohort_count == ROLLOUT_COHORTS_MAX && list->members[least] >= counts->members) {
        return RW_OK;
    }
    ro->cohorts[least] = (struct rollout_cohort){.name = *cohort};
    list->members[least] = counts->members;
    return RW_OK;
}

RW_RC rollout_live_watch(struct rollout_run *r, const struct rollout *ro, struct rw_wall now,
                         struct rw_err *err)
{
    const struct fleet_watch watch = {
        .family = ro->family,
        .release = ro->release,
        .sha256 = ro->sha256,
        .now = now,
        .window_s = r->policy.confirm_deadline_s,
        .after_s = r->policy.alive_after_s,
    };
    return fleet_state_watch(r->fleet, &watch, err);
}

/* --- history: what earlier releases of the family make normal, frozen now --- */

struct history {
    int64_t failures;
    int64_t storm;
    int64_t slow;
    int64_t mute;
    int64_t exposures;
    int64_t late;
    int64_t risk_s;
    int64_t releases;
};

/* Adds one completed release; `known` 0: all cohorts, else one of its own. */
static void add_release(const struct rollout_run *r, const struct rollout *old,
                        const struct beacon_cohort *cohort, size_t known, struct history *h)
{
    int64_t exposures = h->exposures;
    for (size_t i = 0; i < old->ring_count; i++) {
        struct fleet_counts c =
            fleet_state_counts(r->fleet, old->family, old->release, old->rings[i].name, cohort);
        const struct rollout_evidence_scope *s = rollout_evidence_scope(old->evidence, i, known);
        h->failures += c.failed;
        h->storm += c.storm;
        h->slow += c.slow;
        h->mute += c.mute;
        h->exposures += c.exposed - c.muted;
        h->late += s->late_seen;
        h->risk_s += s->risk_s;
    }
    h->releases += h->exposures > exposures;
}

static int64_t p0_e9(const struct history *h, enum health_rule_term term, int64_t failures)
{
    return (int64_t)(health_rule_p0(term, failures, h->exposures, h->releases) * 1e9 + 0.5);
}

static struct rollout_norm norm_of(const struct history *h)
{
    double hazard = health_rule_history_hazard(h->late, (double)h->risk_s / 60.0);
    struct rollout_norm n = {.p0_crash_e9 = p0_e9(h, HEALTH_CRASH, h->failures),
                             .p0_storm_e9 = p0_e9(h, HEALTH_STORM, h->storm),
                             .p0_slow_e9 = p0_e9(h, HEALTH_SLOW, h->slow),
                             .p0_mute_e9 = p0_e9(h, HEALTH_MUTE, h->mute),
                             .releases = h->releases};
    if (hazard > 0.0 && hazard < 1.0) { n.hazard_e15 = (int64_t)(hazard * 1e15); }
    return n;
}

static bool is_history(const struct rollout *old, const struct rollout *ro)
{
    return old != ro && strcmp(old->family, ro->family) == 0 && old->closed &&
           rollout_doc_overall(old) == ROLLOUT_COMPLETE;
}

static RW_RC freeze_norms(struct rollout_run *r, struct rollout *ro, struct rw_wall now,
                          struct rw_err *err)
{
    struct history all = {.releases = 0};
    struct history cohorts[ROLLOUT_COHORTS_MAX] = {{0}};
    int64_t used = 0;
    for (size_t i = r->count; i > 0 && used < HISTORY_RELEASES_MAX; i--) {
        struct rollout *old = r->all[i - 1];
        if (!is_history(old, ro)) { continue; }
        used++;
        if (old->evidence == NULL) {
            RW_TRY(rollout_evidence_open(r->store, old, now, &old->evidence, err));
        }
        add_release(r, old, NULL, 0, &all);
        for (size_t k = 0; k < ro->cohort_count; k++) {
            const struct beacon_cohort *name = &ro->cohorts[k].name;
            size_t known = rollout_facts_known(old, name);
            if (known == old->cohort_count) { continue; }
            add_release(r, old, name, known + 1, &cohorts[k]);
        }
    }
    ro->norm = norm_of(&all);
    for (size_t k = 0; k < ro->cohort_count; k++) {
        ro->cohorts[k].norm = norm_of(&cohorts[k]);
    }
    return RW_OK;
}

/* The rings that it goes through: all of the policy, of a drill one. */
static RW_RC fill_rings(struct rollout_run *r, struct rollout *ro, const char *only,
                        const struct rw_wall *not_before, struct rw_wall now, struct rw_err *err)
{
    size_t first = 0;
    ro->ring_count = r->policy.ring_count;
    if (only != NULL) {
        RW_TRY(ring_policy_find(&r->policy, only, &first, err));
        ro->ring_count = 1;
    }
    for (size_t i = 0; i < ro->ring_count; i++) {
        struct rollout_ring *ring = &ro->rings[i];
        rw_copy(ring->name, sizeof(ring->name), r->policy.rings[first + i].name,
                ROLLOUT_NAME_BYTES);
        ring->state = ROLLOUT_PENDING;
        ring->since = now;
        ring->not_before = not_before[first + i];
        RW_TRY(fleet_state_know_ring(r->fleet, ring->name, err));
    }
    return RW_OK;
}

static RW_RC fill(struct rollout_run *r, struct rollout *ro, const char *only, struct rw_wall now,
                  struct rw_err *err)
{
    struct rw_wall not_before[RING_POLICY_RINGS_MAX] = {{0}};
    struct cohort_list list = {.ro = ro};
    RW_TRY(r->effects.release_info(r->effects.ctx, ro->family, ro->release, ro->class_name,
                                   not_before, err));
    RW_TRY(r->effects.release_sha256(r->effects.ctx, ro->family, ro->release, ro->sha256, err));
    ro->started = now;
    ro->seq = r->count == 0 ? 1 : r->all[r->count - 1]->seq + 1;
    ro->generation = 1;
    RW_TRY(fill_rings(r, ro, only, not_before, now, err));
    RW_TRY(rollout_live_watch(r, ro, now, err));
    for (size_t i = 0; i < ro->ring_count; i++) {
        const struct fleet_place place = {ro->family, ro->release, ro->rings[i].name};
        RW_TRY(fleet_state_each_cohort(r->fleet, &place, take_cohort, &list, err));
    }
    return freeze_norms(r, ro, now, err);
}

/* A release that was signed as a drill is started as one, and no other is. */
static RW_RC check_kind(struct rollout_run *r, const char *family, int64_t release, bool drill,
                        struct rw_err *err)
{
    bool is = false;
    if (r->effects.is_drill != NULL) {
        RW_TRY(r->effects.is_drill(r->effects.ctx, family, release, &is, err));
    }
    if (is == drill) { return RW_OK; }
    RW_IGNORE(rw_fail(err, RW_E_POLICY, "%s/%lld was signed as %s", family, (long long)release,
                      is ? "a drill" : "a release, not as a drill"),
              "hint");
    return is ? rw_hint(err, "ringward drill start --ring RING %s/%lld", family, (long long)release)
              : rw_hint(err, "'ringward drill create' makes one");
}

/* Never beside a real rollout, and only where there is something to come back to. */
static RW_RC may_drill(const struct rollout_run *r, const char *family,
                       const struct rollout_run_reach *reach, struct rw_err *err)
{
    const struct rollout *live = rollout_live_of(r, family);
    if (reach->max < 1 || reach->within_s < 1) {
        return rw_fail(err, RW_E_RANGE, "a drill reaches one endpoint at least, and takes a time");
    }
    if (live != NULL && rollout_doc_overall(live) == ROLLOUT_COMPLETE) { return RW_OK; }
    if (live == NULL) {
        return rw_fail(err, RW_E_POLICY, "nothing of %s is rolled out: a drill could not go back",
                       family);
    }
    RW_IGNORE(rw_fail(err, RW_E_POLICY, "%s/%lld is %s: no drill beside a real rollout", family,
                      (long long)live->release,
                      sm_name(&rollout_rule_table, (int)rollout_doc_overall(live))),
              "hint");
    return rw_hint(err, "wait until it is complete: ringward rollout watch %s/%lld", family,
                   (long long)live->release);
}

/* `reach` NULL: no drill. */
/* NOLINTNEXTLINE(readability-function-size): which release, how far, by whom, and the rollout out */
static RW_RC make(struct rollout_run *r, const char *family, int64_t release,
                  const struct rollout_run_reach *reach, const struct rollout_run_actor *actor,
                  struct rollout **out, struct rw_err *err)
{
    int64_t previous = 0;
    RW_TRY(ring_policy_check_name(family, "family", err));
    if (release < 1 || release > ROLLOUT_NUMBER_MAX) {
        return rw_fail(err, RW_E_NOT_FOUND, "there is no release %s/%lld", family,
                       (long long)release);
    }
    RW_TRY(rollout_live_refresh(r, err));
    RW_TRY(check_kind(r, family, release, reach != NULL, err));
    if (reach != NULL) { RW_TRY(may_drill(r, family, reach, err)); }
    RW_TRY(may_start(r, family, release, &previous, err));
    RW_TRY(rollout_live_room(r, err));
    struct rollout *ro = rw_mem_new(sizeof(*ro));
    if (ro == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for a rollout"); }
    rollout_doc_text(ro->family, sizeof(ro->family), family);
    ro->release = release;
    ro->previous = previous;
    if (reach != NULL) {
        ro->drill =
            (struct rollout_drill){.on = true, .max = reach->max, .within_s = reach->within_s};
        rollout_doc_text(ro->drill.by, sizeof(ro->drill.by), actor->name);
        rollout_doc_text(ro->drill.reason, sizeof(ro->drill.reason), actor->reason);
    }
    *out = ro;
    return RW_OK;
}

/* NOLINTNEXTLINE(readability-function-size): which release, how far, by whom and when */
static RW_RC begin(struct rollout_run *r, const char *family, int64_t release,
                   const struct rollout_run_reach *reach, const struct rollout_run_actor *actor,
                   struct rw_wall now, struct rw_err *err)
{
    struct rollout *ro = NULL;
    RW_TRY(make(r, family, release, reach, actor, &ro, err));
    struct rw_rc rc = fill(r, ro, reach == NULL ? NULL : reach->ring, now, err);
    if (rw_is_ok(rc)) { rc = rollout_doc_put(r->store, ro, err); }
    if (rw_is_ok(rc)) { rc = rollout_live_audit(r, ro, "start", actor, now, err); }
    if (!rw_is_ok(rc)) {
        rw_mem_free(ro);
        return rc;
    }
    r->all[r->count++] = ro;
    r->unsure = true;
    return RW_OK;
}

RW_RC rollout_run_start(struct rollout_run *r, const char *family, int64_t release,
                        const struct rollout_run_actor *actor, struct rw_wall now,
                        struct rw_err *err)
{
    return begin(r, family, release, NULL, actor, now, err);
}

/* NOLINTNEXTLINE(readability-function-size): as above */
RW_RC rollout_run_drill(struct rollout_run *r, const char *family, int64_t release,
                        const struct rollout_run_reach *reach,
                        const struct rollout_run_actor *actor, struct rw_wall now,
                        struct rw_err *err)
{
    return begin(r, family, release, reach, actor, now, err);
}
