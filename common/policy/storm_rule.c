#include "common/policy/storm_rule.h"

enum { HOUR_MS = 3600 * 1000, SCANNED_MIN = 20 };

/* Finding so many times as much is beyond what another day or another file brings. */
static const double far_more = 4.0;

struct storm_rule_budget storm_rule_defaults(void)
{
    return (struct storm_rule_budget){.per_rule = STORM_RULE_PER_RULE,
                                      .in_all = STORM_RULE_IN_ALL,
                                      .per_hour = STORM_RULE_PER_HOUR};
}

bool storm_rule_may_act(const struct storm_rule_budget *budget, int64_t of_rule, int64_t acted)
{
    return of_rule <= budget->per_rule && acted < budget->in_all;
}

/* What the release before would have found among as much, times what is tolerated; 0: it saw too little to tell. */
static double tolerated(const struct storm_rule_evidence *e)
{
    if (e->before.scanned < SCANNED_MIN) { return 0.0; }
    double share = (double)e->before.detections / (double)e->before.scanned;
    return far_more * share * (double)e->trial.scanned;
}

bool storm_rule_trial(const struct storm_rule_evidence *e)
{
    double most = tolerated(e);
    bool of_rule = e->of_rule > e->budget.per_rule && (double)e->of_rule > most;
    bool in_all = e->trial.detections > e->budget.in_all && (double)e->trial.detections > most;
    return of_rule || in_all;
}

bool storm_rule_hours_take(struct storm_rule_hours *h, const struct storm_rule_budget *budget,
                           int64_t now_ms, int64_t total)
{
    if (h->from_ms == 0) { h->from_ms = now_ms; }
    if (total < h->at_begin) { /* another load: its counts begin anew */
        h->from_ms = now_ms;
        h->at_begin = total;
    }
    int64_t found = total - h->at_begin;
    int64_t age_ms = now_ms - h->from_ms;
    /* After a long sleep nobody knows in which hour it was found. */
    bool storm = age_ms < INT64_C(2) * HOUR_MS && found > budget->per_hour &&
                 (double)found > far_more * (double)h->most;
    if (age_ms >= HOUR_MS) {
        if (found > h->most) { h->most = found; }
        h->from_ms = now_ms;
        h->at_begin = total;
    }
    return storm;
}
