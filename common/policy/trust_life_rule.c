#include "common/policy/trust_life_rule.h"

#include <string.h>

enum { HOUR_S = 3600, DAY_S = 86400, ONLINE_HALF_PERCENT = 45, CLOCK_SLACK_S = 600 };

static bool begins(const char *role, const char *prefix)
{
    return strncmp(role, prefix, strlen(prefix)) == 0;
}

int64_t trust_life_rule_s(const char *role)
{
    if (strcmp(role, "expedite") == 0) { return 0; }
    if (strcmp(role, "root") == 0) { return INT64_C(365) * DAY_S; }
    if (strcmp(role, "targets") == 0) { return INT64_C(180) * DAY_S; }
    if (strcmp(role, "timestamp") == 0) { return INT64_C(36) * HOUR_S; }
    if (strcmp(role, "snapshot") == 0 || begins(role, "ring-")) { return INT64_C(7) * DAY_S; }
    return INT64_C(14) * DAY_S;
}

int64_t trust_life_rule_of(const char *role, struct rw_wall made, struct rw_wall expires,
                           struct rw_wall now)
{
    int64_t by_policy = trust_life_rule_s(role);
    bool said = made.s > 0 && made.s < expires.s && made.s <= now.s + CLOCK_SLACK_S;
    return by_policy == 0 || !said ? by_policy : expires.s - made.s;
}

bool trust_life_rule_online(const char *role)
{
    return strcmp(role, "timestamp") == 0 || strcmp(role, "snapshot") == 0 || begins(role, "ring-");
}

int64_t trust_life_rule_percent(int64_t left_s, int64_t life_s)
{
    if (left_s <= 0) { return 0; }
    if (life_s <= 0 || left_s >= life_s) { return 100; }
    return life_s > INT64_MAX / 100 ? left_s / (life_s / 100) : left_s * 100 / life_s;
}

enum trust_life trust_life_rule_judge(int64_t left_s, int64_t life_s, bool online)
{
    int64_t percent = trust_life_rule_percent(left_s, life_s);
    if (life_s <= 0) { return TRUST_LIFE_OK; }
    if (left_s <= 0) { return TRUST_LIFE_OVER; }
    if (percent < 10) { return TRUST_LIFE_TENTH; }
    if (percent < 25) { return TRUST_LIFE_QUARTER; }
    return percent < (online ? (int64_t)ONLINE_HALF_PERCENT : 50) ? TRUST_LIFE_HALF : TRUST_LIFE_OK;
}

const char *trust_life_rule_name(enum trust_life life)
{
    static const char *const names[] = {
        [TRUST_LIFE_OK] = "ok",           [TRUST_LIFE_HALF] = "half",
        [TRUST_LIFE_QUARTER] = "quarter", [TRUST_LIFE_TENTH] = "tenth",
        [TRUST_LIFE_OVER] = "expired",
    };
    return names[life];
}
