#include "server/api/token_rule.h"

enum token_rule_state token_rule_judge(const struct token_rule_life *l, struct rw_wall issued,
                                       struct rw_wall now)
{
    bool called_in = issued.s < l->since.s;
    int64_t age_s = now.s > issued.s ? now.s - issued.s : 0;
    if (called_in && now.s >= l->since.s && now.s - l->since.s >= l->overlap_s) {
        return TOKEN_OVER;
    }
    if (l->life_s > 0 && age_s >= l->life_s) { return TOKEN_OVER; }
    if (called_in || (l->life_s > 0 && age_s >= l->life_s / 2)) { return TOKEN_RENEW; }
    return TOKEN_GOOD;
}
