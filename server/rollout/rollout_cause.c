#include "server/rollout/rollout_cause.h"

#include "server/rollout/rollout_live.h"

#include <stdio.h>

struct rollout_cause rollout_cause_of(const char *ring, const struct rollout_facts *f)
{
    struct rollout_cause c = {
        .counts = &f->ring.counts, .term = "", .log_e = f->crossed, .threshold = f->threshold};
    const struct beacon_cohort *cohort = &f->culprit.cohort;
    if (f->has_culprit) {
        const struct rollout_facts_term *t = &f->culprit.terms[f->culprit_term];
        c.counts = &f->culprit.counts;
        c.term = health_rule_term_name(f->culprit_term);
        c.failures = t->failures;
        c.exposures = t->exposures;
        c.control = f->culprit_term >= HEALTH_CRASH_CONTROL ? t : NULL;
    }
    if (f->verdict == VERDICT_TENANT) {
        (void)snprintf(c.scope, sizeof(c.scope), "tenant %.32s in ring %.32s", f->top_tenant, ring);
        c.counts = &f->top_counts;
        c.failures = f->votes.top;
        c.exposures = f->votes.top_exposed;
        c.control = NULL; /* its failures were held against those of the others */
    } else if (f->has_culprit && f->culprit.is_cohort) {
        (void)snprintf(c.scope, sizeof(c.scope), "cohort %.32s/%.32s/%.32s of ring %.32s",
                       cohort->os, cohort->arch, cohort->engine, ring);
    } else {
        (void)snprintf(c.scope, sizeof(c.scope), "ring %.32s", ring);
    }
    return c;
}

void rollout_cause_put_control(struct json_writer *w, const struct rollout_facts_term *t)
{
    json_put_int(w, "control_failures", t->control_failures);
    json_put_int(w, "control", t->control);
    if (t->borrowed > 0) {
        json_put_int(w, "borrowed_failures", t->borrowed_failures);
        json_put_int(w, "borrowed", t->borrowed);
    }
    if (t->unjudged > 0) {
        json_put_int(w, "unjudged_failures", t->unjudged_failures);
        json_put_int(w, "unjudged", t->unjudged);
    }
}

void rollout_cause_put(struct json_writer *w, const struct rollout_cause *c)
{
    const struct fleet_counts *n = c->counts;
    const struct {
        const char *name;
        int64_t value;
    } counts[] = {
        {"exposed", n->exposed}, {"pending", n->pending}, {"healthy", n->healthy},
        {"failed", n->failed},   {"dark", n->dark},       {"storm", n->storm},
        {"slow", n->slow},       {"mute", n->mute},       {"refused", n->refused},
    };
    char number[ROLLOUT_NUMBER_BYTES];
    json_put_str(w, "scope", c->scope);
    for (size_t i = 0; i < RW_LEN(counts); i++) {
        json_put_int(w, counts[i].name, counts[i].value);
    }
    if (c->term[0] != '\0') {
        json_put_str(w, "term", c->term);
        json_put_int(w, "failures", c->failures);
        json_put_int(w, "exposures", c->exposures);
    }
    if (c->control != NULL) { rollout_cause_put_control(w, c->control); }
    rollout_live_number(number, c->log_e);
    json_put_str(w, "log_e", number);
    rollout_live_number(number, c->threshold);
    json_put_str(w, "threshold", number);
}
