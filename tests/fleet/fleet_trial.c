/* A change at a simulated endpoint: load, probation, and what the release does to it meanwhile or later. */
#include "tests/fleet/fleet_life.h"

#include "agent/activate/trial_rule.h"

#include <signal.h>

enum {
    LOAD_TIMEOUT_MS = 60 * 1000, /* as in agent.conf */
    SILENCE_MS = 30 * 1000,
    REACH_AGAIN_MS = 5 * 1000,
    LOOK_AGAIN_MS = 1000,
};

static struct rw_mono middle_of(const struct fleet_life *l)
{
    return trial_rule_contact_from((struct rw_mono){l->trial_since},
                                   (int64_t)l->probation_s * 1000);
}

bool fleet_trial_wants_contact(const struct fleet_run *f, const struct fleet_life *l)
{
    int64_t middle_ms = middle_of(l).ms;
    return l->phase == FLEET_PROBATION && f->now_ms >= middle_ms && l->contact_at < middle_ms &&
           (l->asked_at < middle_ms || f->now_ms - l->asked_at >= REACH_AGAIN_MS);
}

static struct fleet_ledger_release *entry_of(struct fleet_run *f, uint16_t release)
{
    return &f->ledger.releases[release - 1];
}

void fleet_trial_begin(struct fleet_run *f, uint32_t who, uint16_t release,
                       const struct beacon_permit_answer *permit)
{
    struct fleet_life *l = &f->lives[who];
    l->back = permit == NULL;
    l->aborted = false;
    l->harm_at = FLEET_WHEEL_NEVER;
    l->previous = l->installed;
    l->installed = release;
    l->probation_s = permit == NULL ? 0 : (uint16_t)permit->probation_s;
    l->phase = FLEET_LOADING;
    l->trial_since = f->now_ms;
    l->trial_at = f->now_ms + (int32_t)f->o->load_ms;
}

static void give_up(struct fleet_run *f, uint32_t who, const struct trial_rule_result *why)
{
    struct fleet_life *l = &f->lives[who];
    enum beacon_stage stage =
        l->phase == FLEET_PROBATION ? BEACON_STAGE_PROBATION : BEACON_STAGE_LOAD;
    uint16_t release = l->installed;
    l->installed = l->previous;
    l->phase = FLEET_STEADY;
    l->harm_at = FLEET_WHEEL_NEVER;
    l->trial_at = FLEET_WHEEL_NEVER;
    if (l->aborted || why->unreached) {
        fleet_life_remember(l->left, release);
    } else {
        fleet_life_remember(l->bad, release);
    }
    if (l->aborted) {
        fleet_ledger_back(entry_of(f, release), f->now_ms);
        fleet_say(f, who, BEACON_REVERTED, stage, release);
        return;
    }
    entry_of(f, release)->failed++;
    fleet_say(f, who, why->storm ? BEACON_STORM : BEACON_FAILED, stage, release);
}

static void commit(struct fleet_run *f, uint32_t who)
{
    struct fleet_life *l = &f->lives[who];
    l->phase = FLEET_STEADY;
    l->trial_at = l->harm_at; /* what harms late */
    if (l->back && l->previous != 0) {
        fleet_life_remember(l->left, l->previous);
        fleet_ledger_back(entry_of(f, l->previous), f->now_ms);
        fleet_say(f, who, BEACON_REVERTED, BEACON_STAGE_NONE, l->previous);
    }
    if (!l->back) { fleet_say(f, who, BEACON_HEALTHY, BEACON_STAGE_NONE, l->installed); }
}

/* What the release does when its hour has come. */
static enum fleet_effect strike(struct fleet_run *f, uint32_t who)
{
    struct fleet_life *l = &f->lives[who];
    if (l->harm_at > f->now_ms) { return FLEET_EFFECT_NONE; }
    const struct fleet_fault *fault = fleet_life_fault(f, who, l->installed);
    RW_ASSERT(fault != NULL); /* else it had no hour */
    l->harm_at = FLEET_WHEEL_NEVER;
    fleet_ledger_harmed(entry_of(f, l->installed), fault->effect, f->now_ms);
    return fault->effect;
}

static void die(struct fleet_run *f, struct fleet_life *l)
{
    l->phase = FLEET_DEAD;
    l->trial_at = FLEET_WHEEL_NEVER;
    f->bricked++;
}

static void steady(struct fleet_run *f, uint32_t who)
{
    static const enum beacon_kind kinds[FLEET_EFFECTS] = {[FLEET_EFFECT_CRASH] = BEACON_CRASH,
                                                          [FLEET_EFFECT_STORM] = BEACON_STORM,
                                                          [FLEET_EFFECT_SLOW] = BEACON_SLOW};
    struct fleet_life *l = &f->lives[who];
    enum fleet_effect e = strike(f, who);
    l->trial_at = l->harm_at;
    if (e == FLEET_EFFECT_BRICK) {
        die(f, l);
    } else if (e != FLEET_EFFECT_NONE) {
        fleet_say(f, who, kinds[e], BEACON_STAGE_ACTIVE, l->installed);
    }
}

static int32_t next_look(const struct fleet_run *f, const struct fleet_life *l)
{
    int64_t middle_ms = middle_of(l).ms;
    int64_t end_ms = l->trial_since + (int64_t)l->probation_s * 1000;
    int64_t at = f->now_ms < middle_ms ? middle_ms : end_ms;
    if (f->now_ms >= end_ms) { at = f->now_ms + LOOK_AGAIN_MS; }
    return l->harm_at < at ? l->harm_at : (int32_t)at;
}

static void proven(struct fleet_run *f, uint32_t who)
{
    struct fleet_life *l = &f->lives[who];
    l->generation++;
    l->phase = FLEET_PROBATION;
    l->trial_since = f->now_ms;
    if (l->back) { /* it ran before, or there is nothing to run */
        commit(f, who);
        return;
    }
    const struct fleet_fault *fault = fleet_life_fault(f, who, l->installed);
    if (fault != NULL) { l->harm_at = f->now_ms + (int32_t)fault->after_ms; }
    l->trial_at = next_look(f, l);
}

void fleet_trial_step(struct fleet_run *f, uint32_t who)
{
    struct fleet_life *l = &f->lives[who];
    if (l->phase == FLEET_STEADY) {
        steady(f, who);
        return;
    }
    enum fleet_effect e = l->phase == FLEET_PROBATION ? strike(f, who) : FLEET_EFFECT_NONE;
    if (e == FLEET_EFFECT_BRICK) {
        die(f, l);
        return;
    }
    if (e == FLEET_EFFECT_SLOW) {
        fleet_say(f, who, BEACON_SLOW, BEACON_STAGE_PROBATION, l->installed);
    }
    const struct trial_rule_evidence evidence = {
        .phase = l->phase == FLEET_LOADING ? TRIAL_LOADING : TRIAL_PROBATION,
        .now = {f->now_ms},
        .since = {l->trial_since},
        .last_seen = {f->now_ms},
        .load_timeout_ms = LOAD_TIMEOUT_MS,
        .probation_ms = (int64_t)l->probation_s * 1000,
        .silence_ms = SILENCE_MS,
        .running = e != FLEET_EFFECT_CRASH,
        .signaled = e == FLEET_EFFECT_CRASH,
        .exit_status = SIGSEGV,
        .proven = l->phase == FLEET_LOADING && f->now_ms - l->trial_since >= f->o->load_ms,
        .aborted = l->aborted,
        .storm = e == FLEET_EFFECT_STORM,
        .reach_back = l->contact_at > 0 && !l->back,
        .contact = {l->contact_at},
        .reach_ms = f->o->reach_ms,
    };
    const struct trial_rule_result r = trial_rule_decide(&evidence);
    switch (r.decision) {
    case TRIAL_PROVEN:
        proven(f, who);
        break;
    case TRIAL_COMMIT:
        commit(f, who);
        break;
    case TRIAL_GO_BACK:
        give_up(f, who, &r);
        break;
    case TRIAL_WAIT:
        l->trial_at = l->phase == FLEET_LOADING ? f->now_ms + FLEET_WHEEL_TICK_MS : next_look(f, l);
        break;
    }
}
