/* box_limits_rule.h: how much content may differ from the release before, and how often alerting rules may be wrong.
 *
 * Each bound has two halves: a ratio, and a floor below which no ratio is looked at, so that small sets move freely. An
 * endpoint that missed releases compares over several steps: the ratio is then raised to their number, since each
 * of them was allowed it.
 *
 * memory   values only
 * threads  pure
 * source   docs/sandbox.md "Checks"
 */
#ifndef RINGWARD_BOX_LIMITS_RULE_H
#define RINGWARD_BOX_LIMITS_RULE_H

#include "common/base/err.h"

enum { BOX_LIMITS_REASON_BYTES = 160, BOX_LIMITS_STEPS_MAX = 1000 };

/* One quantity of new content and of the release before. */
struct box_limits_rule_pair {
    int64_t now;
    int64_t before;
    int64_t steps; /* releases between the two, from 1 */
};

/* Each gives whether it is in order; if not, the reason, else "". */
bool box_limits_rule_size(struct box_limits_rule_pair bytes,
                          char reason[static BOX_LIMITS_REASON_BYTES]);
bool box_limits_rule_count(struct box_limits_rule_pair rules,
                           char reason[static BOX_LIMITS_REASON_BYTES]);
bool box_limits_rule_memory(struct box_limits_rule_pair kib,
                            char reason[static BOX_LIMITS_REASON_BYTES]);
bool box_limits_rule_cpu(struct box_limits_rule_pair ms,
                         char reason[static BOX_LIMITS_REASON_BYTES]);
bool box_limits_rule_slowest(struct box_limits_rule_pair us,
                             char reason[static BOX_LIMITS_REASON_BYTES]);
/* Below all three floors: whatever the release before needs, nothing can be wrong. */
bool box_limits_rule_is_small(int64_t kib, int64_t ms, int64_t us);
/* Clean files that rules hit which only alert. */
bool box_limits_rule_alerts(int64_t hits, int64_t files,
                            char reason[static BOX_LIMITS_REASON_BYTES]);

#endif
