#include "server/health/cohort_rule.h"

enum { SHARE_PARTS = 8 };

/* The tenant's share while more than half of the table is in use. */
static size_t share(size_t max)
{
    return max / SHARE_PARTS;
}

enum cohort_rule cohort_rule_name(const struct cohort_rule_input *in)
{
    if (in->brought && in->brought_s >= 0 && in->brought_s < COHORT_RULE_EVERY_S) {
        return COHORT_RULE_OFTEN;
    }
    /* INV-11: one tenant may use what nobody needs, never the last half. */
    bool tight = in->held >= in->max / 2;
    if (in->others && tight && in->own >= share(in->max)) { return COHORT_RULE_SHARE; }
    return COHORT_RULE_MAY;
}

const char *cohort_rule_word(enum cohort_rule r)
{
    static const char *const words[COHORT_RULES] = {"", "often", "share", "full"};
    return words[r];
}
