#include "common/crypto/digest.h"
#include "server/rollout/rollout_live.h"
#include "server/rollout/rollout_run.h"

#include <stdio.h>
#include <string.h>

enum {
    PERMIT_VALID_S = 60
}; /* design: an endpoint begins within this time of its request, or not at all */

static void refuse(struct beacon_permit_answer *a, const char *why)
{
    *a = (struct beacon_permit_answer){.decision = BEACON_PERMIT_REFUSED};
    rollout_doc_text(a->reason, sizeof(a->reason), why);
}

static void wait(struct beacon_permit_answer *a, int64_t retry_s, const char *why)
{
    *a = (struct beacon_permit_answer){.decision = BEACON_PERMIT_WAIT,
                                       .retry_after_s = retry_s < 1 ? 1 : retry_s};
    rollout_doc_text(a->reason, sizeof(a->reason), why);
}

static void grant(struct beacon_permit_answer *a, const struct ring_policy *p, uint64_t number,
                  int64_t deadline_s)
{
    *a = (struct beacon_permit_answer){
        .decision = BEACON_PERMIT_GRANTED,
        .permit = number,
        .valid_s = PERMIT_VALID_S,
        .deadline_s = deadline_s,
        .probation_s = p->confirm_probation_s,
    };
}

static bool is_ending(enum rollout_rule_state s)
{
    return s == ROLLOUT_HALTED || s == ROLLOUT_ROLLING_BACK || s == ROLLOUT_ROLLED_BACK;
}

/* The rollout that the request is about; NULL when it is refused. */
static struct rollout *rollout_of(const struct rollout_run *r,
                                  const struct beacon_permit_request *q,
                                  struct beacon_permit_answer *a)
{
    char why[ROLLOUT_REASON_BYTES];
    struct rollout *ro = rollout_live_find(r, q->family, q->release);
    const char *problem = NULL;
    if (ro == NULL) {
        problem = "is not being rolled out";
    } else if (is_ending(rollout_doc_overall(ro))) {
        problem = "was halted";
    } else if (!rollout_live_serves(r, ro) && !rollout_live_lags(ro)) {
        problem = "has been followed by a newer release";
    } else if (memcmp(ro->sha256, q->sha256, sizeof(ro->sha256)) != 0) {
        problem = "has other bytes than the request names";
    }
    if (problem == NULL) { return ro; }
    (void)snprintf(why, sizeof(why), "%s/%lld %s", q->family, (long long)q->release, problem);
    refuse(a, why);
    return NULL;
}

static bool find_ring(const struct rollout *ro, const char *name, size_t *index_out)
{
    for (size_t i = 0; i < ro->ring_count; i++) {
        if (strcmp(ro->rings[i].name, name) == 0) {
            *index_out = i;
            return true;
        }
    }
    return false;
}

/* The order of endpoints follows from their ids, another one for each release. It only spreads their requests: who asks
 * while there is room gets it, so there is nothing to gain by choosing an id. */
static int64_t turn_of(const struct rollout *ro, const struct fleet_who *who, int64_t members)
{
    uint64_t n = 0;
    for (size_t i = 0; i < sizeof(n); i++) {
        n = (n << 8 | (uint8_t)(who->endpoint[i] ^ ro->sha256[i])) * UINT64_C(0x9e3779b97f4a7c15);
    }
    return members < 1 ? 0 : (int64_t)((n >> 11) % (uint64_t)members);
}

/* When a place is likely. Who has a permit already stands before it no more. */
static int64_t retry_s(const struct rollout_run *r, const struct rollout *ro,
                       const struct fleet_who *who, const struct fleet_counts *c)
{
    int64_t turn = turn_of(ro, who, c->members);
    const struct window_rule_turn t = {.ahead = turn > c->exposed ? turn - c->exposed : 0,
                                       .waiting = c->members - c->exposed,
                                       .opening = c->pending *
                                                  (1000 + r->policy.confirm_per_survivor_m) / 1000,
                                       .per_survivor_m = r->policy.confirm_per_survivor_m,
                                       .probation_s = r->policy.confirm_probation_s,
                                       .poll_s = r->policy.poll_rollout_s};
    return window_rule_retry_s(&t);
}

/* INV-1: a place under every law in this scope, counted with every permit granted so far, committed or not. INV-11: and
 * one that this tenant need not leave to others. */
static bool has_place(const struct rollout_run *r, const struct rollout *ro, size_t ring,
                      const struct fleet_ask *ask, const struct beacon_cohort *cohort,
                      struct beacon_permit_answer *a)
{
    const struct rollout_facts_from from = rollout_live_from(r, ro, r->now);
    struct rollout_facts_window w;
    char why[ROLLOUT_REASON_BYTES];
    rollout_facts_window(&from, ring, cohort, &w);
    const struct window_rule_tenant t =
        rollout_facts_tenant(&from, ring, ask->who->tenant, w.law[0].start);
    int64_t places = cohort == NULL ? window_rule_tenant_ring(&t, w.room)
                                    : window_rule_tenant_cohort(&t, w.room);
    if (places > 0) { return true; }
    const char *scope = cohort == NULL ? "ring" : "cohort";
    struct fleet_counts c =
        fleet_state_counts(r->fleet, ro->family, ro->release, ro->rings[ring].name, cohort);
    if (w.room > 0) {
        (void)snprintf(why, sizeof(why),
                       "the rest of the %s is for other tenants: %lld unproven of this one, %lld "
                       "survived",
                       scope, (long long)t.unproven, (long long)t.survived);
    } else {
        (void)snprintf(why, sizeof(why),
                       "the window of the %s is full: %lld of %lld, %lld survived", scope,
                       (long long)c.exposed, (long long)w.allowed, (long long)c.survived);
    }
    wait(a, retry_s(r, ro, ask->who, &c), why);
    return false;
}

/* A drill reaches so many endpoints and no more; counted like the window, committed or not. */
static bool within_reach(const struct rollout_run *r, const struct rollout *ro, size_t ring,
                         struct beacon_permit_answer *a)
{
    struct fleet_counts c =
        fleet_state_counts(r->fleet, ro->family, ro->release, ro->rings[ring].name, NULL);
    if (!ro->drill.on || c.exposed < ro->drill.max) { return true; }
    wait(a, r->policy.poll_rollout_s, "the drill has reached as many endpoints as it may");
    return false;
}

static bool has_room(const struct rollout_run *r, const struct rollout *ro, size_t ring,
                     const struct fleet_ask *ask, struct beacon_permit_answer *a)
{
    const struct beacon_cohort cohort = fleet_state_cohort_for(r->fleet, ask);
    return within_reach(r, ro, ring, a) && has_place(r, ro, ring, ask, NULL, a) &&
           has_place(r, ro, ring, ask, &cohort, a);
}

/* A cohort or a tenant that is stopped alone. */
static bool is_stopped(const struct rollout *ro, const struct fleet_ask *ask,
                       struct beacon_permit_answer *a)
{
    size_t known = rollout_facts_known(ro, &ask->request->cohort);
    if (known < ro->cohort_count && ro->cohorts[known].halted) {
        refuse(a, "the release is halted for this cohort");
        return true;
    }
    for (size_t i = 0; i < ro->tenant_count; i++) {
        if (strcmp(ro->tenants[i], ask->who->tenant) != 0) { continue; }
        refuse(a, "the release is held for this tenant");
        return true;
    }
    return false;
}

/* How long the ring's hold-back still lasts, and which part of the endpoints is in it. */
static int64_t hold_back_left_s(const struct rollout_run *r, const struct rollout_ring *ring,
                                struct rw_wall now, int64_t *share_bp_out)
{
    for (size_t i = 0; i < r->policy.ring_count; i++) {
        const struct ring_policy_ring *p = &r->policy.rings[i];
        if (strcmp(p->name, ring->name) != 0 || p->hold_back_bp == 0) { continue; }
        *share_bp_out = p->hold_back_bp;
        return ring->opened.s + p->hold_back_s - now.s;
    }
    *share_bp_out = 0;
    return 0;
}

/* Who is in it follows from release and endpoint: another part of the fleet each time, the same one after a restart. */
static RW_RC is_held_back(const struct rollout *ro, const struct fleet_ask *ask, int64_t share_bp,
                          bool *held_out, struct rw_err *err)
{
    uint8_t hash[DIGEST_BYTES];
    uint64_t place = 0;
    RW_TRY(digest_hmac(rw_span_of(ro->sha256, sizeof(ro->sha256)),
                       rw_span_of(ask->who->endpoint, sizeof(ask->who->endpoint)), hash, err));
    for (size_t i = 0; i < sizeof(place); i++) {
        place = place << 8 | hash[i];
    }
    *held_out = place % RING_POLICY_BUCKETS < (uint64_t)share_bp;
    return RW_OK;
}

/* The hold-back of a ring stays on what it has for a while: control for slow faults. */
static RW_RC hold_back(const struct rollout_run *r, const struct rollout *ro, size_t ring,
                       const struct fleet_ask *ask, struct beacon_permit_answer *a,
                       struct rw_err *err)
{
    bool held = false;
    int64_t share_bp = 0;
    int64_t longest_s = r->policy.poll_rollout_s * 12;
    int64_t left_s = hold_back_left_s(r, &ro->rings[ring], ask->now, &share_bp);
    if (left_s <= 0) { return RW_OK; }
    RW_TRY(is_held_back(ro, ask, share_bp, &held, err));
    if (held) {
        wait(a, left_s < longest_s ? left_s : longest_s, "held back: this endpoint is control");
    }
    return RW_OK;
}

/* What is decided: the answer, and whether it is a new permit, whose number is still to be drawn. */
struct verdict {
    struct beacon_permit_answer answer;
    bool is_new;
};

static void decide_new(const struct rollout_run *r, const struct fleet_ask *ask, const char *why,
                       struct verdict *v)
{
    grant(&v->answer, &r->policy, 0, ask->deadline_s);
    rollout_doc_text(v->answer.reason, sizeof(v->answer.reason), why);
    v->is_new = true;
}

static void decide_same(const struct rollout_run *r, const struct fleet_ask *ask,
                        const struct fleet_permit *look, struct verdict *v)
{
    grant(&v->answer, &r->policy, look->number, look->deadline_s - ask->now.s);
    rollout_doc_text(v->answer.reason, sizeof(v->answer.reason), "the permit that it has is good");
}

/* The ring is open. Changes nothing. */
static RW_RC decide(const struct rollout_run *r, const struct rollout *ro, size_t ring,
                    const struct fleet_ask *ask, struct verdict *v, struct rw_err *err)
{
    struct beacon_permit_answer *a = &v->answer;
    struct fleet_permit look = {.past = FLEET_PERMIT_NEVER};
    if (is_stopped(ro, ask, a)) { return RW_OK; }
    RW_TRY(fleet_state_permit_look(r->fleet, ask, &look, err));
    switch (look.past) {
    case FLEET_PERMIT_OPEN:
        decide_same(r, ask, &look, v);
        return RW_OK;
    case FLEET_PERMIT_AGAIN: /* its place in the window was never given back */
        decide_new(r, ask, "its place in the window is still counted", v);
        return RW_OK;
    case FLEET_PERMIT_FRESH:
        RW_TRY(hold_back(r, ro, ring, ask, a, err));
        if (a->decision == BEACON_PERMIT_WAIT) { return RW_OK; }
        if (has_room(r, ro, ring, ask, a)) {
            decide_new(r, ask, "the windows of ring and cohort have room", v);
        }
        return RW_OK;
    case FLEET_PERMIT_NEVER:
        break;
    }
    refuse(a, "this endpoint has failed with the release, or has forgotten it");
    return RW_OK;
}

/* True when the request goes no further than the ring. */
static bool turned_away(const struct rollout_run *r, const struct rollout *ro, const char *name,
                        size_t *ring_out, struct beacon_permit_answer *a)
{
    char why[ROLLOUT_REASON_BYTES];
    if (!find_ring(ro, name, ring_out)) {
        (void)snprintf(why, sizeof(why), "ring '%s' is not part of this rollout", name);
        refuse(a, why);
        return true;
    }
    if (ro->rings[*ring_out].open) { return false; }
    if (rollout_doc_overall(ro) == ROLLOUT_HELD) {
        (void)snprintf(why, sizeof(why), "the rollout is held");
    } else {
        (void)snprintf(why, sizeof(why), "ring %s is %s", name,
                       sm_name(&rollout_rule_table, ro->rings[*ring_out].state));
    }
    wait(a, r->policy.poll_rollout_s, why);
    return true;
}

static struct fleet_ask ask_of(const struct rollout_run *r, const struct fleet_who *who,
                               const struct beacon_permit_request *request, struct rw_wall now)
{
    return (struct fleet_ask){
        .who = who, .request = request, .now = now, .deadline_s = r->policy.confirm_deadline_s};
}

RW_RC rollout_run_permit(struct rollout_run *r, const struct fleet_who *who,
                         const struct beacon_permit_request *request, struct rw_wall now,
                         struct beacon_permit_answer *answer_out, struct rw_err *err)
{
    size_t ring = 0;
    size_t expired = 0;
    struct verdict v = {.answer = {.decision = BEACON_PERMIT_REFUSED}};
    const struct fleet_ask ask = ask_of(r, who, request, now);
    const struct rollout *ro = rollout_of(r, request, &v.answer);
    if (ro != NULL && !turned_away(r, ro, request->ring, &ring, &v.answer)) {
        /* A deadline that has passed is dark first, else asking again would be a way to never be (INV-4). */
        RW_TRY(fleet_state_expire(r->fleet, now, &expired, err));
        RW_TRY(decide(r, ro, ring, &ask, &v, err));
    }
    if (v.is_new) { RW_TRY(fleet_state_permit_grant(r->fleet, &ask, &v.answer.permit, err)); }
    *answer_out = v.answer;
    return RW_OK;
}

RW_RC rollout_run_permit_look(const struct rollout_run *r, const struct fleet_who *who,
                              struct beacon_permit_request *request, struct rw_wall now,
                              struct beacon_permit_answer *answer_out, struct rw_err *err)
{
    size_t ring = 0;
    struct verdict v = {.answer = {.decision = BEACON_PERMIT_REFUSED}};
    const struct fleet_ask ask = ask_of(r, who, request, now);
    const struct rollout *named = rollout_live_find(r, request->family, request->release);
    if (named != NULL) {
        rw_copy(request->sha256, sizeof(request->sha256), named->sha256, sizeof(named->sha256));
    }
    const struct rollout *ro = rollout_of(r, request, &v.answer);
    if (ro != NULL && !turned_away(r, ro, request->ring, &ring, &v.answer)) {
        RW_TRY(decide(r, ro, ring, &ask, &v, err));
    }
    *answer_out = v.answer;
    return RW_OK;
}

static bool shortens_poll(const struct rollout *ro, const char *ring, const char *family)
{
    size_t index = 0;
    if (family[0] != '\0' && strcmp(ro->family, family) != 0) { return false; }
    enum rollout_rule_state s = rollout_doc_overall(ro);
    return s != ROLLOUT_COMPLETE && s != ROLLOUT_ROLLED_BACK && find_ring(ro, ring, &index);
}

int64_t rollout_run_poll_s(const struct rollout_run *r, const char *ring, const char *family)
{
    bool shorter = false;
    for (size_t i = r->count; i > r->busy.known && !shorter; i--) {
        shorter = shortens_poll(r->all[i - 1], ring, family);
    }
    for (size_t i = 0; i < r->busy.count && !shorter; i++) {
        shorter = shortens_poll(r->all[r->busy.at[i]], ring, family);
    }
    return shorter ? r->policy.poll_rollout_s : 0;
}
