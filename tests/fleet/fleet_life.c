#include "tests/fleet/fleet_resume.h"

#include "agent/poll/poll_rule.h"

#include <stdio.h>
#include <string.h>

enum {
    BACK_OFF_BASE_MS = 2000, /* as in agent/poll/poll_permit.c */
    BACK_OFF_MAX_MS = 600 * 1000,
    SEND_BASE_MS = 1000, /* as in agent/agent_poll.c */
    SEND_MAX_MS = 300 * 1000,
    ENGINE_VERSION = 40200,
    LUCK = 10000,
};

const struct beacon_cohort fleet_life_cohorts[FLEET_COHORTS] = {
    {"debian-12", "x86_64", "yara-4.2"},
    {"debian-12", "aarch64", "yara-4.2"},
    {"windows-11", "x86_64", "yara-4.2"},
    {"windows-11", "x86_64", "yara-4.1"},
};

uint32_t fleet_life_draw(struct fleet_run *f)
{
    f->random = f->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(f->random >> 32);
}

void fleet_life_remember(uint16_t list[static FLEET_BAD_MAX], uint16_t release)
{
    for (size_t i = FLEET_BAD_MAX - 1; i > 0; i--) {
        list[i] = list[i - 1];
    }
    list[0] = release;
}

static uint32_t hash_of(const uint8_t *id, uint64_t salt)
{
    uint64_t x = 0;
    rw_copy(&x, sizeof(x), id, sizeof(x));
    x = (x ^ (salt * UINT64_C(0x9e3779b97f4a7c15))) * UINT64_C(0xbf58476d1ce4e5b9);
    return (uint32_t)(x >> 32);
}

const struct fleet_fault *fleet_life_fault(const struct fleet_run *f, uint32_t who,
                                           uint16_t release)
{
    const struct fleet_life *l = &f->lives[who];
    int64_t number = f->ledger.releases[release - 1].release;
    unsigned luck = hash_of(f->book->at[who].id, (uint64_t)number) % LUCK;
    return fleet_fault_of(&f->o->faults, number, &fleet_life_cohorts[l->cohort], luck);
}

/* Half, a tenth, three tenths, a tenth. */
static uint8_t cohort_of(const uint8_t *id)
{
    uint32_t n = hash_of(id, 0) % 10;
    return n < 5 ? 0 : (n < 6 ? 1 : (n < 9 ? 2 : 3));
}

static uint8_t ring_of(const struct fleet_run *f, uint32_t who)
{
    const struct ring_policy *p = fleet_view_policy(f->view);
    for (size_t i = 0; i < p->ring_count && who < (uint32_t)f->o->internal; i++) {
        if (p->rings[i].select == RING_BY_HAND) { return (uint8_t)i; }
    }
    return (uint8_t)ring_policy_of_bucket(p, f->book->at[who].bucket);
}

/* --- when it is its turn --- */

static void set_timer(struct fleet_run *f, uint32_t who)
{
    const struct fleet_life *l = &f->lives[who];
    int32_t at = l->trial_at;
    if (!l->busy && l->poll_at < at) { at = l->poll_at; }
    if (!l->busy && l->spooled > 0 && l->send_at < at) { at = l->send_at; }
    fleet_wheel_set(&f->wheel, who, l->phase == FLEET_DEAD ? FLEET_WHEEL_NEVER : at);
}

static int32_t after(const struct fleet_run *f, int64_t ms)
{
    int64_t at = f->now_ms + ms;
    return at > FLEET_WHEEL_NEVER - 1 ? FLEET_WHEEL_NEVER - 1 : (int32_t)at;
}

void fleet_life_begin(struct fleet_run *f, uint32_t who)
{
    struct fleet_life *l = &f->lives[who];
    *l = (struct fleet_life){.trial_at = FLEET_WHEEL_NEVER, .harm_at = FLEET_WHEEL_NEVER};
    l->cohort = cohort_of(f->book->at[who].id);
    l->ring = ring_of(f, who);
    /* A fleet that has run for a while: polls are spread over the whole interval, not over its first 30 s. */
    l->poll_at = after(f, (int64_t)((double)f->o->poll_ms * fleet_life_draw(f) / 4294967296.0));
    set_timer(f, who);
}

void fleet_life_wake(void *run, uint32_t who)
{
    struct fleet_run *f = run;
    struct fleet_life *l = &f->lives[who];
    if (l->trial_at <= f->now_ms) { fleet_trial_step(f, who); }
    if (l->phase != FLEET_DEAD && !l->busy) {
        if (l->poll_at <= f->now_ms || fleet_trial_wants_contact(f, l)) {
            fleet_run_ask(f, who, FLEET_POLL);
        } else if (l->spooled > 0 && l->send_at <= f->now_ms) {
            fleet_run_ask(f, who, FLEET_BEACON);
        }
    }
    set_timer(f, who);
}

/* --- the decision --- */

static void put(struct fleet_run *f, uint8_t (*list)[INSTALL_HASH_BYTES], size_t *count,
                const uint16_t *releases)
{
    for (size_t i = 0; i < FLEET_BAD_MAX && releases[i] != 0; i++) {
        rw_copy(list[(*count)++], INSTALL_HASH_BYTES, f->ledger.releases[releases[i] - 1].sha256,
                INSTALL_HASH_BYTES);
    }
}

static bool has_bytes(const struct fleet_run *f, uint16_t release, const uint8_t *sha256)
{
    return release != 0 &&
           memcmp(f->ledger.releases[release - 1].sha256, sha256, INSTALL_HASH_BYTES) == 0;
}

static struct install_rule_result judge(struct fleet_run *f, uint32_t who)
{
    const struct fleet_life *l = &f->lives[who];
    const struct ring_policy *p = fleet_view_policy(f->view);
    const struct fleet_view_ring *r = fleet_view_of(f->view, l->ring);
    const struct ring_policy_ring *ring = &p->rings[l->ring];
    const struct install_rule_expedite none = {.listed = false};
    const struct rw_clock clock = rw_clock_system();
    struct install_rule_state s = {
        .installed = l->installed == 0 ? 0 : f->ledger.releases[l->installed - 1].release,
        .engine = ENGINE_VERSION,
        .min_bake_s = r->min_bake_s,
        .hard_min_s = p->hard_min_s,
        .expedite_longest_s = p->expedite_longest_s,
        .engine_skew_max = p->engine_skew_max,
        .drills = true,
        .spread_s = install_rule_spread_s(f->book->at[who].bucket, ring->bucket_lo, ring->bucket_hi,
                                          ring->spread_s),
        .held = has_bytes(f, l->installed, r->content.sha256) ||
                has_bytes(f, l->previous, r->content.sha256)};
    (void)snprintf(s.ring, sizeof(s.ring), "%s", ring->name);
    (void)snprintf(s.family, sizeof(s.family), "%s", f->family);
    put(f, s.abandoned, &s.abandoned_count, l->bad);
    put(f, s.left, &s.left_count, l->left);
    return install_rule_decide(&r->pointer, &r->content, &none, &s, rw_clock_wall(&clock));
}

/* True: a permit is asked for now. */
static bool go(struct fleet_run *f, uint32_t who, uint16_t release)
{
    struct fleet_life *l = &f->lives[who];
    const struct fleet_fault *fault = fleet_life_fault(f, who, release);
    if (l->phase != FLEET_STEADY) { return false; }
    if (fault != NULL && fault->effect == FLEET_EFFECT_REFUSE) {
        fleet_life_remember(l->bad, release);
        fleet_ledger_harmed(&f->ledger.releases[release - 1], fault->effect, f->now_ms);
        fleet_say(f, who, BEACON_REFUSED, BEACON_STAGE_BOX, release);
        return false;
    }
    if (l->refused_view == fleet_view_generation(f->view) || f->now_ms < l->permit_after) {
        return false;
    }
    l->asked = release;
    fleet_run_ask(f, who, FLEET_PERMIT);
    return true;
}

static void go_back(struct fleet_run *f, uint32_t who, uint16_t release)
{
    struct fleet_life *l = &f->lives[who];
    fleet_ledger_stopped(&f->ledger.releases[l->installed - 1], f->now_ms);
    if (l->phase != FLEET_STEADY) {
        l->aborted = !l->back;
        l->trial_at = f->now_ms;
        return;
    }
    fleet_trial_begin(f, who, release, NULL);
}

static bool act(struct fleet_run *f, uint32_t who)
{
    const struct fleet_view_ring *r = fleet_view_of(f->view, f->lives[who].ring);
    if (!r->has_pointer) { /* the family has left the ring */
        if (f->lives[who].installed != 0) { go_back(f, who, 0); }
        return false;
    }
    struct fleet_ledger_release *release =
        fleet_ledger_of(&f->ledger, r->pointer.release, r->pointer.sha256);
    if (release == NULL) { return false; }
    uint16_t index = (uint16_t)(release - f->ledger.releases + 1);
    switch (judge(f, who).decision) {
    case INSTALL_GO:
        return go(f, who, index);
    case INSTALL_REVERT:
        go_back(f, who, index);
        return false;
    case INSTALL_NOTHING:
    case INSTALL_WAIT:
    case INSTALL_HOLD:
    case INSTALL_REFUSE:
        return false;
    }
    return false;
}

/* --- answers --- */

/* Behind a poll, with or without a permit: an alive beacon, and when to poll again. */
static void end_poll(struct fleet_run *f, uint32_t who, int64_t asked_s)
{
    struct fleet_life *l = &f->lives[who];
    int64_t interval_ms = poll_rule_interval_ms(f->o->poll_ms, l->poll_s);
    int64_t ms = poll_rule_next_ms(interval_ms, fleet_life_draw(f));
    int64_t asked_ms = poll_rule_retry_after_ms(asked_s, fleet_life_draw(f));
    if (l->poll_failures > 0) {
        ms = poll_rule_failed_ms(interval_ms, l->poll_failures, fleet_life_draw(f));
        ms = ms > asked_ms ? ms : asked_ms;
    } else if (asked_ms > 0 && asked_ms < ms) {
        ms = asked_ms;
    }
    int64_t permit_ms = l->permit_after - f->now_ms;
    if (permit_ms > 0 && permit_ms < ms) {
        ms = permit_ms + poll_rule_next_ms(200, fleet_life_draw(f));
    }
    l->poll_at = after(f, ms);
    fleet_say(f, who, BEACON_ALIVE, BEACON_STAGE_NONE, l->installed);
}

/* The view is of the newest timestamp that any endpoint has met. */
static void meet(struct fleet_run *f, struct fleet_life *l, struct rw_span etag)
{
    struct rw_err err;
    uint32_t at = f->etag_count;
    while (at > 0 && !rw_span_is(etag, f->etags[at - 1])) {
        at--;
    }
    if (at == 0 && f->etag_count < FLEET_ETAGS_MAX && etag.n > 0 && etag.n < FLEET_ETAG_BYTES) {
        rw_copy(f->etags[f->etag_count], FLEET_ETAG_BYTES, etag.p, etag.n);
        at = ++f->etag_count;
    }
    l->etag = at;
    if (at <= f->seen_etag) { return; }
    if (rw_is_ok(fleet_view_refresh(f->view, &err))) {
        f->seen_etag = at;
        return;
    }
    f->views_failed++;
    l->etag = 0; /* asks without condition next time */
    (void)fprintf(stderr, "\nfleet: metadata: %s\n", err.text);
}

static void take_poll(struct fleet_run *f, uint32_t who, const struct fleet_reply *r)
{
    struct fleet_life *l = &f->lives[who];
    bool ok = r->status == 200 || r->status == 304;
    if (r->status != 0) { l->contact_at = l->asked_at; }
    if (r->status == 200) { meet(f, l, r->etag); }
    l->poll_failures = ok ? 0 : (uint8_t)(l->poll_failures < 250 ? l->poll_failures + 1 : 250);
    if (ok && act(f, who)) { return; } /* the poll ends with the permit's answer */
    end_poll(f, who, r->retry_after_s);
}

static void take_granted(struct fleet_run *f, uint32_t who, uint16_t release,
                         const struct beacon_permit_answer *a)
{
    struct fleet_life *l = &f->lives[who];
    if (l->exposed_to != release) {
        fleet_resume_before(f, who, release);
        l->exposed_to = release;
        l->exposed_at = l->asked_at;
        fleet_ledger_exposed(&f->ledger.releases[release - 1], fleet_view_policy(f->view), l->ring,
                             l->cohort, f->now_ms);
    }
    l->permit_failures = 0;
    l->permit_at = l->asked_at;
    if (f->now_ms - l->asked_at > a->valid_s * 1000) { /* INV-2: not with an old one */
        f->too_late++;
        return;
    }
    fleet_trial_begin(f, who, release, a);
}

static void take_permit(struct fleet_run *f, uint32_t who, const struct fleet_reply *r)
{
    struct fleet_life *l = &f->lives[who];
    struct beacon_permit_answer a;
    struct rw_err unused;
    struct fleet_ledger_release *release = &f->ledger.releases[l->asked - 1];
    if (r->status != 200 || !rw_is_ok(beacon_permit_read_answer(r->body, &a, &unused))) {
        int64_t ms = poll_rule_retry_after_ms(r->retry_after_s, fleet_life_draw(f));
        l->permit_failures = (uint8_t)(l->permit_failures < 250 ? l->permit_failures + 1 : 250);
        if (ms == 0) {
            ms = poll_rule_back_off_ms(BACK_OFF_BASE_MS, BACK_OFF_MAX_MS, l->permit_failures,
                                       fleet_life_draw(f));
        }
        l->permit_after = after(f, ms);
    } else if (a.decision == BEACON_PERMIT_GRANTED) {
        take_granted(f, who, l->asked, &a);
    } else if (a.decision == BEACON_PERMIT_WAIT) {
        release->waits++;
        l->permit_failures = 0;
        l->permit_after = after(f, poll_rule_retry_after_ms(a.retry_after_s, fleet_life_draw(f)));
    } else {
        release->refusals++;
        l->refused_view = fleet_view_generation(f->view);
        fleet_ledger_stopped(release, f->now_ms);
    }
    end_poll(f, who, -1);
}

static void take_beacons(struct fleet_run *f, uint32_t who, const struct fleet_reply *r)
{
    struct fleet_life *l = &f->lives[who];
    if (r->status != 0) { l->contact_at = l->asked_at; }
    bool retry = r->status / 100 != 2 &&
                 (r->status / 100 != 4 || r->status == 401 || r->status == 403 || r->status == 429);
    if (!retry) {
        fleet_say_sent(l);
        l->send_failures = 0;
        l->send_at = f->now_ms;
        if (r->status / 100 != 2) { return; }
        l->poll_s = (uint16_t)fleet_wire_poll_s(r->body);
        int64_t interval_ms = poll_rule_interval_ms(f->o->poll_ms, l->poll_s);
        int32_t at = after(f, poll_rule_next_ms(interval_ms, fleet_life_draw(f)));
        if (at < l->poll_at) { l->poll_at = at; }
        return;
    }
    l->sending = 0;
    l->send_failures = (uint8_t)(l->send_failures < 250 ? l->send_failures + 1 : 250);
    int64_t ms = poll_rule_retry_after_ms(r->retry_after_s, fleet_life_draw(f));
    if (r->status == 0 || ms == 0) {
        ms = poll_rule_back_off_ms(SEND_BASE_MS, SEND_MAX_MS, l->send_failures, fleet_life_draw(f));
    }
    l->send_at = after(f, ms);
}

void fleet_life_answer(struct fleet_run *f, const struct fleet_job *job,
                       const struct fleet_reply *r)
{
    uint32_t who = job->who;
    struct fleet_life *l = &f->lives[who];
    l->busy = false;
    if (l->phase == FLEET_DEAD) { return; } /* nobody is there to read it */
    switch ((enum fleet_kind)job->kind) {
    case FLEET_POLL:
        take_poll(f, who, r);
        break;
    case FLEET_PERMIT:
        take_permit(f, who, r);
        break;
    case FLEET_BEACON:
        take_beacons(f, who, r);
        break;
    case FLEET_ENROL:
    case FLEET_KINDS:
        break;
    }
    set_timer(f, who);
}
