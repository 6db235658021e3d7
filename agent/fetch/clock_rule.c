#include "agent/fetch/clock_rule.h"

enum {
    BEHIND_S = 60, /* steps of time synchronisation are no news */
    AHEAD_S =
        24 * 3600, /* by so much both must look expired: else an outage looks like a wrong clock */
};

static bool long_expired(struct rw_wall expires, struct rw_wall wall)
{
    return expires.s > 0 && wall.s - AHEAD_S > expires.s;
}

enum clock_rule_state clock_rule_judge(const struct clock_rule_evidence *e)
{
    if (e->wall.s < e->floor.s - BEHIND_S) { return CLOCK_RULE_BEHIND; }
    /* A root lives a year and is renewed months before its end: with a live server it does not expire. */
    if (e->answered && long_expired(e->root_expires, e->wall) &&
        long_expired(e->timestamp_expires, e->wall)) {
        return CLOCK_RULE_AHEAD;
    }
    return CLOCK_RULE_OK;
}

struct rw_wall clock_rule_now(struct rw_wall wall, struct rw_wall floor)
{
    return wall.s < floor.s ? floor : wall;
}

const char *clock_rule_name(enum clock_rule_state s)
{
    static const char *const names[] = {"ok", "behind", "ahead"};
    return names[s];
}
