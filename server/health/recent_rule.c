#include "server/health/recent_rule.h"

static unsigned grown(unsigned keep, unsigned needed)
{
    while (keep < needed && keep < RECENT_RULE_MOST) {
        keep *= 2;
    }
    return keep;
}

struct recent_rule recent_rule_of(uint8_t count)
{
    return (struct recent_rule){.keep = (uint8_t)grown(RECENT_RULE_LEAST, count)};
}

bool recent_rule_fits(struct recent_rule r, uint8_t count)
{
    return r.keep >= RECENT_RULE_LEAST && r.keep <= RECENT_RULE_MOST &&
           (r.keep & (r.keep - 1)) == 0 && r.small < r.keep && count <= r.keep;
}

struct recent_rule recent_rule_next(struct recent_rule r, uint8_t before)
{
    unsigned needed = before + 1U;
    unsigned keep = grown(r.keep, needed);
    unsigned small = r.small + 1U;
    if (keep == RECENT_RULE_LEAST || needed > keep / 2) { small = 0; }
    if (small >= keep) {
        keep /= 2;
        small = 0;
    }
    return (struct recent_rule){.keep = (uint8_t)keep, .small = (uint8_t)small};
}
