#include "server/api/log_limit_rule.h"

bool log_limit_rule_next(struct log_limit_rule *l, struct rw_mono now, uint64_t *left_out_out)
{
    *left_out_out = 0;
    if (l->lines == 0 || now.ms - l->since.ms >= LOG_LIMIT_RULE_INTERVAL_MS) {
        *left_out_out = l->left_out;
        *l = (struct log_limit_rule){.since = now};
    }
    if (l->lines >= LOG_LIMIT_RULE_LINES) {
        l->left_out++;
        return false;
    }
    l->lines++;
    return true;
}
