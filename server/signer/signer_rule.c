#include "server/signer/signer_rule.h"

RW_RC signer_rule_next_version(int64_t published, int64_t floor, int64_t *out, struct rw_err *err)
{
    int64_t last = published > floor ? published : floor;
    if (last < 0 || last >= INT32_MAX) {
        return rw_fail(err, RW_E_RANGE, "version %lld cannot be followed by another",
                       (long long)last);
    }
    *out = last + 1;
    return RW_OK;
}

bool signer_rule_renew_due(struct rw_wall expires, int64_t life_s, struct rw_wall now)
{
    return expires.s < now.s + life_s / 2;
}
