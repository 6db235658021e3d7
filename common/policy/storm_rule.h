/* storm_rule.h: too many detections: what content on trial may act on, and when an endpoint tells of a storm.
 *
 * Content that finds far more than the release before did on the same endpoint is more likely wrong than the
 * endpoint is suddenly full of what is bad. So a release on trial acts within a budget and only watches beyond it;
 * proven content is held against its own busiest hour. Shared by sensor, agent and simulator.
 *
 * memory   values only
 * threads  pure
 * source   docs/health.md "Storm, slow and mute"
 */
#ifndef RINGWARD_STORM_RULE_H
#define RINGWARD_STORM_RULE_H

#include "common/base/err.h"

enum {
    STORM_RULE_PER_RULE = 5,
    STORM_RULE_IN_ALL = 20,
    STORM_RULE_PER_HOUR = 100,
    STORM_RULE_BUDGET_MAX = 1000000,
};

struct storm_rule_budget {
    int64_t per_rule; /* detections of one rule on trial */
    int64_t in_all;   /* of all rules on trial */
    int64_t per_hour; /* of proven content */
};
struct storm_rule_budget storm_rule_defaults(void);

/* Whether content on trial may act on this detection. `of_rule`: detections of its rule so far, this one included;
 * `acted`: how often the release has acted already. */
bool storm_rule_may_act(const struct storm_rule_budget *budget, int64_t of_rule, int64_t acted);

struct storm_rule_counts {
    int64_t detections;
    int64_t scanned; /* files and events */
};
struct storm_rule_evidence {
    struct storm_rule_budget budget;
    int64_t of_rule;                 /* detections of the rule on trial that has most of them */
    struct storm_rule_counts trial;  /* since the release on trial was loaded */
    struct storm_rule_counts before; /* of the release before, on this endpoint */
};
/* True: more than the budget, and far more than the release before found among as many files and events. */
bool storm_rule_trial(const struct storm_rule_evidence *e);

/* Detections of proven content by the hour. Begins as zeros. */
struct storm_rule_hours {
    int64_t from_ms;  /* begin of the hour under way; 0: none yet */
    int64_t at_begin; /* detections when it began */
    int64_t most;     /* of any hour before */
};
/* `total`: detections of this load so far. True: more in this hour than the budget, and far more than in any before. */
bool storm_rule_hours_take(struct storm_rule_hours *h, const struct storm_rule_budget *budget,
                           int64_t now_ms, int64_t total);

#endif
