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

struct rw_wall signer_rule_expires(struct rw_wall now, int64_t life_s, struct rw_wall root_expires)
{
    if (now.s + life_s >= root_expires.s) { return root_expires; }
    return (struct rw_wall){now.s + life_s};
}

bool signer_rule_renew_due(struct rw_wall expires, int64_t life_s, struct rw_wall now,
                           struct rw_wall root_expires)
{
    return expires.s < now.s + life_s / 2 &&
           expires.s < signer_rule_expires(now, life_s, root_expires).s;
}

bool signer_rule_signed_now(struct rw_wall signed_at, struct rw_wall now)
{
    return signed_at.s >= now.s - SIGNER_CLOCK_SLACK_S &&
           signed_at.s <= now.s + SIGNER_DATED_AHEAD_S_MAX;
}

bool signer_rule_settled(int64_t changed_ns, int64_t now_ns)
{
    const int64_t second_ns = 1000000000;
    bool whole_seconds = changed_ns % second_ns == 0;
    return now_ns - changed_ns > (whole_seconds ? SIGNER_WHOLE_SECONDS_S * second_ns - 1 : 0);
}
