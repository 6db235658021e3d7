/* window_rule.h: the evidence-paced window: exposure grows only with endpoints that survived (INV-1).
 *
 * memory   values only
 * threads  pure
 * source   docs/health.md "The window": pending + failed <= U + k * survived, in the ring and in the cohort, once for
 *          surviving probation and once for being alive some time later
 */
#ifndef RINGWARD_WINDOW_RULE_H
#define RINGWARD_WINDOW_RULE_H

#include "common/base/err.h"

struct window_rule_law {
    int64_t start;          /* U >= 1 */
    int64_t per_survivor_m; /* k in thousandths, >= 0 */
};

struct window_rule_counts {
    int64_t exposed; /* permits granted and not returned: pending, survived, failed and dark ones */
    int64_t survived; /* confirmed healthy, once per endpoint */
};

/* Greatest exposure that the law permits now: floor(U + (1 + k) * survived), saturating. */
int64_t window_rule_allowed(const struct window_rule_law *law, const struct window_rule_counts *c);
/* How many more permits may be granted now, >= 0. Negative or impossible counts give 0 (INV-3). */
int64_t window_rule_room(const struct window_rule_law *law, const struct window_rule_counts *c);
/* The least room of several laws, each with survivors of its own horizon. n >= 1. */
int64_t window_rule_room_all(const struct window_rule_law *laws,
                             const struct window_rule_counts *counts, size_t n);
/* Seconds after which a refused endpoint asks again: longer the more endpoints wait for each place. */
int64_t window_rule_retry_s(int64_t waiting, int64_t room_per_probation, int64_t probation_s,
                            int64_t poll_s);

#endif
