/* cohort_rule.h: who may bring one more name of a cohort into the table that all tenants share.
 *
 * memory   values only
 * threads  pure
 * source   docs/health.md "Cohorts"; INV-1, INV-11
 */
#ifndef RINGWARD_COHORT_RULE_H
#define RINGWARD_COHORT_RULE_H

#include "common/base/err.h"

enum { COHORT_RULE_EVERY_S = 600 /* an endpoint brings one new name in this time */ };

struct cohort_rule_input {
    size_t max;   /* places of the table */
    size_t held;  /* names that are in use, by any tenant */
    size_t own;   /* of these: brought by this tenant */
    bool others;  /* there are other tenants */
    bool brought; /* this endpoint has brought one before ... */
    int64_t
        brought_s; /* ... so long ago; negative: the clock went back since, too long ago to say */
};

enum cohort_rule {
    COHORT_RULE_MAY,
    COHORT_RULE_OFTEN, /* this endpoint has brought one a moment ago */
    COHORT_RULE_SHARE, /* half of the table is in use, and its tenant has its share */
    COHORT_RULE_FULL,  /* decided by the table: no place can be used again */
    COHORT_RULES,
};

enum cohort_rule cohort_rule_name(const struct cohort_rule_input *in);
/* "often", "share", "full": as metrics say it. */
const char *cohort_rule_word(enum cohort_rule r);

#endif
