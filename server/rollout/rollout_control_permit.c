/* Controls on the way of a permit: the same rule as on the endpoint, with what the server knows. */
#include "server/rollout/rollout_control.h"
#include "server/rollout/rollout_live.h"

#include <stdio.h>
#include <string.h>

enum { RETRY_S_MAX = 3600 };

static bool has_ended_badly(const struct rollout *ro)
{
    enum rollout_rule_state s = rollout_doc_overall(ro);
    return s == ROLLOUT_HALTED || s == ROLLOUT_ROLLING_BACK || s == ROLLOUT_ROLLED_BACK;
}

/* When the rollout reached the ring; 0: not yet. */
static int64_t opened_s(const struct rollout *ro, const char *ring)
{
    for (size_t i = 0; i < ro->ring_count; i++) {
        if (strcmp(ro->rings[i].name, ring) == 0) { return ro->rings[i].opened.s; }
    }
    return 0;
}

static size_t offers_of(const struct rollout_run *r, const struct beacon_permit_request *q,
                        struct control_offer out[static CONTROL_OFFERS_MAX])
{
    size_t n = 0;
    for (size_t i = r->count; i > 0 && n < CONTROL_OFFERS_MAX; i--) {
        const struct rollout *ro = r->all[i - 1];
        int64_t at = opened_s(ro, q->ring);
        if (strcmp(ro->family, q->family) != 0 || at == 0 || has_ended_badly(ro)) { continue; }
        if (n > 0 && ro->release >= out[n - 1].release) { continue; }
        out[n++] = (struct control_offer){.release = ro->release, .at = {at}};
    }
    return n;
}

static const struct rollout *find(const struct rollout_run *r, const char *family, int64_t release)
{
    for (size_t i = r->count; i > 0; i--) {
        const struct rollout *ro = r->all[i - 1];
        if (ro->release == release && strcmp(ro->family, family) == 0) { return ro; }
    }
    return NULL;
}

/* What an endpoint runs is no place to be held at when it was halted, or is listed no more. */
static bool runs_bad(const struct rollout_run *r, const struct beacon_permit_request *q)
{
    const struct rollout *ro = find(r, q->family, q->from);
    if (q->from == 0) { return false; }
    if (ro != NULL && has_ended_badly(ro)) { return true; }
    return r->effects.gone(r->effects.ctx, q->family, q->from);
}

static const struct ring_policy_class *class_of(const struct rollout_run *r,
                                                const struct rollout *ro)
{
    for (size_t i = 0; i < r->policy.class_count; i++) {
        if (strcmp(r->policy.classes[i].name, ro->class_name) == 0) {
            return &r->policy.classes[i];
        }
    }
    return NULL;
}

RW_RC rollout_control_check(const struct rollout_run *r, const struct control *c,
                            struct rw_err *err)
{
    const struct ring_policy_class *marked = NULL;
    for (size_t i = 0; i < r->count && c->family[0] != '\0'; i++) {
        const struct rollout *ro = r->all[i];
        if (strcmp(ro->family, c->family) != 0) { continue; }
        marked = class_of(r, ro);
        if (marked == NULL || !marked->unpausable) { return RW_OK; }
    }
    if (marked == NULL) { return RW_OK; }
    RW_IGNORE(
        rw_fail(err, RW_E_POLICY,
                "%s of family '%s' is refused: class '%s' cannot be controlled (policy line %u)",
                control_rule_kind_name(c->kind), c->family, marked->name, marked->unpausable_line),
        "hint follows");
    return rw_hint(err, "'ringward rollout pause' stops a release for everybody");
}

bool rollout_control_keeps(const struct rollout_run *r, const struct beacon_permit_request *q,
                           const struct control *controls, size_t count, struct rw_wall now,
                           struct beacon_permit_answer *out)
{
    struct control_offer offers[CONTROL_OFFERS_MAX];
    const struct rollout *ro = find(r, q->family, q->release);
    struct control_facts f = {.controls = controls,
                              .count = count,
                              .limits = r->policy.controls,
                              .family = q->family,
                              .offers = offers,
                              .offer_count = offers_of(r, q, offers),
                              .installed = q->from,
                              .now = now,
                              .passed = now};
    if (count == 0 || ro == NULL || f.offer_count == 0) { return false; }
    f.class_name = ro->class_name;
    f.installed_bad = runs_bad(r, q);
    const struct ring_policy_class *class = class_of(r, ro);
    f.unpausable = class != NULL && class->unpausable;
    f.policy_line = class != NULL ? class->unpausable_line : 0;
    struct control_result x = control_rule_decide(&f);
    if (x.effect == CONTROL_FOLLOW || q->release <= x.release) { return false; }
    *out =
        (struct beacon_permit_answer){.decision = BEACON_PERMIT_WAIT, .retry_after_s = RETRY_S_MAX};
    int64_t left_s = x.not_before.s - now.s;
    if (left_s > 0 && left_s < RETRY_S_MAX) { out->retry_after_s = left_s; }
    rollout_doc_text(out->reason, sizeof(out->reason), x.reason);
    return true;
}
