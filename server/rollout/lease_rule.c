#include "server/rollout/lease_rule.h"

enum lease_rule_move lease_rule_decide(const struct lease_rule_input *in)
{
    bool wants = in->may && !in->stopping;
    /* One that has ended and that nobody took is still ours: the term has fenced nobody out. */
    if (in->mine) { return wants ? LEASE_RENEW : LEASE_GIVE_BACK; }
    if (!wants) { return LEASE_FOLLOW; }
    return in->given_back || in->left_ms <= 0 ? LEASE_TAKE : LEASE_FOLLOW;
}
