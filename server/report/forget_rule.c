#include "server/report/forget_rule.h"

/* What has no time, or one that lies ahead, is not old. */
static bool is_old(const struct forget_limits *l, int64_t since_s)
{
    return l->age_s > 0 && since_s > 0 && since_s <= l->now_s && l->now_s - since_s >= l->age_s;
}

bool forget_rule_token(const struct forget_limits *l, const struct forget_token *t)
{
    if (t->revoked && t->revoked_s > 0) { return is_old(l, t->revoked_s); }
    return t->once && is_old(l, t->until_s);
}

bool forget_rule_order(const struct forget_limits *l, const struct forget_order *o)
{
    bool in_force = o->until_s > l->now_s;
    return o->done && !in_force && is_old(l, o->done_s);
}

bool forget_rule_request(const struct forget_limits *l, const struct forget_request *r)
{
    return is_old(l, r->decided ? r->decided_s : r->until_s);
}

bool forget_rule_release(const struct forget_limits *l, const struct forget_release *r)
{
    return r->over && !r->listed && is_old(l, r->created_s);
}

bool forget_rule_rollout(const struct forget_limits *l, const struct forget_rollout *r)
{
    return r->over && r->newer >= FORGET_NEWER_ROLLOUTS && is_old(l, r->ended_s);
}
