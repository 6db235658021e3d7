#include "server/api/certificate_rule.h"

enum { WARN_S = 14 * 86400, WARN_PART = 3 };

bool certificate_rule_same(const struct certificate_rule_stamp *a,
                           const struct certificate_rule_stamp *b)
{
    for (size_t f = 0; f < RW_LEN(a->part); f++) {
        for (size_t i = 0; i < RW_LEN(a->part[f]); i++) {
            if (a->part[f][i] != b->part[f][i]) { return false; }
        }
    }
    return true;
}

bool certificate_rule_try(const struct certificate_rule_stamp *tried,
                          const struct certificate_rule_stamp *before,
                          const struct certificate_rule_stamp *now)
{
    return !certificate_rule_same(tried, now) && certificate_rule_same(before, now);
}

bool certificate_rule_ends_soon(struct rw_wall from, struct rw_wall until, struct rw_wall now)
{
    int64_t part_s = (until.s - from.s) / WARN_PART;
    return until.s - now.s <= (part_s < WARN_S ? part_s : WARN_S);
}
